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

/* O_PATH descriptor of a node of a struct fuse_bpf_table, to be closed; -1: there is none */
int fuse_bpf_nodes_fd(void *table, uint64_t nodeid);

#endif
