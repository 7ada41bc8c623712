// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: before the request is answered, there are no statistics.
 *
 * Expect: verifier: calling kernel function bpf_fuse_ctx_statfs is not allowed
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops/statfs")
int BPF_PROG(too_early, struct fuse_filter_ctx *fctx)
{
	struct fuse_kstatfs *st = fuse_filter_ctx_statfs(fctx);

	return st && st->blocks ? -EACCES : FUSE_FILTER_DEFAULT;
}

SEC(".struct_ops.link")
struct fuse_filter_ops statfs_in_statfs = {
	.statfs = (void *)too_early,
	.name = "statfs_in_statf",
};

char LICENSE[] SEC("license") = "GPL";
