// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: what is removed has no attributes to give.
 *
 * Expect: verifier: calling kernel function bpf_fuse_ctx_attr is not allowed
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops/unlink")
int BPF_PROG(by_owner, struct fuse_filter_ctx *fctx)
{
	struct fuse_filter_attr *attr = fuse_filter_ctx_attr(fctx);

	return attr && attr->uid ? -EACCES : FUSE_FILTER_DEFAULT;
}

SEC(".struct_ops.link")
struct fuse_filter_ops attr_in_unlink = {
	.unlink = (void *)by_owner,
	.name = "attr_in_unlink",
};

char LICENSE[] SEC("license") = "GPL";
