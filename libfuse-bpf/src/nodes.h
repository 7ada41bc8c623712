/* SPDX-License-Identifier: LGPL-2.1-only */
#ifndef _FUSE_BPF_NODES_H
#define _FUSE_BPF_NODES_H

#include <stdint.h>

struct fuse_lowlevel_ops;

/*
 * The operations of a daemon that answers for names and attributes only, from a backing
 * directory: the kernel names to it what it has found there by itself, before it asks.
 */
extern const struct fuse_lowlevel_ops fuse_bpf_node_ops;

/* The operations of a mount that refuses everything */
extern const struct fuse_lowlevel_ops fuse_bpf_closed_ops;

struct fuse_bpf_nodes;

/* Node 1 is the directory @fd, which stays the caller's. NULL: no memory. */
struct fuse_bpf_nodes *fuse_bpf_nodes_new(int fd);
void fuse_bpf_nodes_free(struct fuse_bpf_nodes *nodes);

/* O_PATH descriptor of a node that the kernel has named, good as long as it does */
int fuse_bpf_nodes_fd(void *nodes, uint64_t nodeid);

#endif
