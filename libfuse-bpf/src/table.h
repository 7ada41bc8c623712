/* SPDX-License-Identifier: LGPL-2.1-only */
#ifndef _FUSE_BPF_TABLE_H
#define _FUSE_BPF_TABLE_H

#include <stdint.h>
#include <sys/stat.h>

/*
 * What of the backing the kernel knows by a node id, in a file in memory, so that another
 * daemon can go on with it. A node is found again by its handle, and holds no descriptor
 * unless the file system has no handles, or this process may not open them.
 */
struct fuse_bpf_table;

/*
 * A new table of what is below the directory @dir, which stays the caller's; or, if @fd is
 * not -1, the one that is in the file @fd. Return: 0, -EPROTO something else is in the
 * file, -EINVAL it is of another directory, -ENOMEM, or what a system call failed with.
 */
int fuse_bpf_table_new(struct fuse_bpf_table **table, int dir, int fd);
void fuse_bpf_table_free(struct fuse_bpf_table *table);

/* Its file, which stays the table's */
int fuse_bpf_table_fd(const struct fuse_bpf_table *table);

/*
 * Count one look-up of what @fd is, an O_PATH descriptor, which is taken over; 0: no memory.
 * Return: its node id.
 */
uint64_t fuse_bpf_table_get(struct fuse_bpf_table *table, int fd, const struct stat *st);

/* The kernel has forgotten look-ups of a node */
void fuse_bpf_table_put(struct fuse_bpf_table *table, uint64_t id, uint64_t lookups);

/* An O_PATH descriptor of a node, to be closed; or -ESTALE, or what open(2) failed with */
int fuse_bpf_table_open(struct fuse_bpf_table *table, uint64_t id);

#endif
