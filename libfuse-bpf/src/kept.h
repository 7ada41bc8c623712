/* SPDX-License-Identifier: LGPL-2.1-only */
#ifndef _FUSE_BPF_KEPT_H
#define _FUSE_BPF_KEPT_H

#include <stdbool.h>

/**
 * struct fuse_bpf_kept - a connection that outlives the daemon, in the service manager
 * @device: of the mount, -1: none
 * @state: from fuse_bpf_state_new(), which this process has locked; -1: none
 * @nodes: of struct fuse_bpf_table, -1: none
 * @taken: another daemon had it before
 */
struct fuse_bpf_kept {
	int device;
	int state;
	int nodes;
	bool taken;
};

#define FUSE_BPF_KEPT_NONE ((struct fuse_bpf_kept){ -1, -1, -1, false })

/*
 * What the manager has under this name; nothing if that is of a mount that is gone. Return: 0,
 * -EBUSY the daemon before is still there, -ENODATA there is a device and no state.
 */
int fuse_bpf_kept_get(struct fuse_bpf_kept *kept, const char *name);

/* The state of a new connection */
int fuse_bpf_kept_new(struct fuse_bpf_kept *kept);

/* Have the manager keep all of it. Return: 0, or as fuse_bpf_fdstore_put(). */
int fuse_bpf_kept_put(const struct fuse_bpf_kept *kept, const char *name, int device);

/* Have the manager forget it */
void fuse_bpf_kept_remove(const char *name);

void fuse_bpf_kept_close(struct fuse_bpf_kept *kept);

#endif
