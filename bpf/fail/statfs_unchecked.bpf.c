// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: there may be no statistics, and the program does not look.
 *
 * Expect: verifier: invalid mem access 'mem_or_null'
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops/statfs_post")
int BPF_PROG(trusting, struct fuse_filter_ctx *fctx)
{
	struct fuse_kstatfs *st = fuse_filter_ctx_statfs(fctx);

	st->blocks = 0;
	return 0;
}

SEC(".struct_ops.link")
struct fuse_filter_ops statfs_unchecked = {
	.statfs_post = (void *)trusting,
	.name = "statfs_unchecke",
};

char LICENSE[] SEC("license") = "GPL";
