// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: an inode has no statistics.
 *
 * Expect: verifier: calling kernel function bpf_fuse_ctx_statfs is not allowed
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops/getattr_post")
int BPF_PROG(of_an_inode, struct fuse_filter_ctx *fctx)
{
	struct fuse_kstatfs *st = fuse_filter_ctx_statfs(fctx);

	return st ? -EACCES : 0;
}

SEC(".struct_ops.link")
struct fuse_filter_ops statfs_in_getattr_post = {
	.getattr_post = (void *)of_an_inode,
	.name = "statfs_in_getat",
};

char LICENSE[] SEC("license") = "GPL";
