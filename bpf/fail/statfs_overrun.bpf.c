// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: asks for the statistics and writes behind them.
 *
 * Expect: verifier: invalid access to memory, mem_size=56 off=56 size=4
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops/statfs_post")
int BPF_PROG(one_too_far, struct fuse_filter_ctx *fctx)
{
	struct fuse_kstatfs *st = fuse_filter_ctx_statfs(fctx);
	__u32 *behind = (__u32 *)(st + 1);

	if (st)
		*behind = 0;
	return 0;
}

SEC(".struct_ops.link")
struct fuse_filter_ops statfs_overrun = {
	.statfs_post = (void *)one_too_far,
	.name = "statfs_overrun",
};

char LICENSE[] SEC("license") = "GPL";
