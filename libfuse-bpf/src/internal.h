/* SPDX-License-Identifier: LGPL-2.1-only */
#ifndef _FUSE_BPF_INTERNAL_H
#define _FUSE_BPF_INTERNAL_H

#include <fuse_bpf.h>

#define FUSE_BPF_API __attribute__((visibility("default")))

/* One line of explanation, without a newline */
void fuse_bpf_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * Copy the options of a caller whose structure may be older or newer than ours.
 * Returns -EINVAL if it sets something that we do not know.
 */
int fuse_bpf_copy_opts(void *opts, size_t size, const void *from);

/*
 * Fill in a structure of a caller, which may be older or newer than ours, and has its
 * size in front. What we do not know of becomes zero.
 */
void fuse_bpf_copy_out(void *to, const void *from, size_t size);

/* As fuse_bpf_choose_device(), for a structure of ours */
int fuse_bpf_choose(enum fuse_bpf_flavour flavour, int plain, struct fuse_bpf_choice *choice);

/* FUSE_SUPER_MAGIC; <linux/magic.h> has it only since Linux 5.17 */
#define FUSE_MAGIC 0x65735546

/* Is this on a FUSE mount? Returns -ENOTTY if not, after saying so. Asks no daemon. */
int fuse_bpf_check_fuse(int path_fd, const char *path);

#endif
