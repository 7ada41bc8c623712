// SPDX-License-Identifier: GPL-2.0-only
/*
 * ask: requests that the daemon is asked about.
 *
 * ask_ops has an element for each opcode of FUSE: FUSE_FILTER_ASK_PRE to have the daemon
 * asked before the backing answers, FUSE_FILTER_ASK_POST to have it told of the result
 * and asked what the caller gets, both, or 0, which is what all are in the beginning. The
 * elements can be changed while the filter runs. fuse_bpf_serve() of libfuse-bpf sets them
 * from its table of handlers.
 *
 * Nobody can be asked about READ, WRITE, RELEASE and RELEASEDIR: with an element that is
 * not 0, they fail with EIO.
 *
 * Cost, for each request: one array look-up, and for those with an element the way to the
 * daemon and back. No program sleeps.
 */
#include "fuse_filter.bpf.h"

#define NR_OPS 64

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NR_OPS);
	__type(key, __u32);
	__type(value, __u32);
} ask_ops SEC(".maps");

SEC("struct_ops/pre")
int BPF_PROG(ask_pre, struct fuse_filter_ctx *fctx)
{
	__u32 opcode = fctx->opcode;
	__u32 *what = bpf_map_lookup_elem(&ask_ops, &opcode);

	return what ? FUSE_FILTER_DEFAULT | (*what & (FUSE_FILTER_ASK_PRE | FUSE_FILTER_ASK_POST)) :
		      FUSE_FILTER_DEFAULT;
}

SEC(".struct_ops.link")
struct fuse_filter_ops ask = {
	.pre = (void *)ask_pre,
	.name = "ask",
};

char LICENSE[] SEC("license") = "GPL";
