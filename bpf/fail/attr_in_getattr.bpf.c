// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: before the request is answered, there are no attributes.
 *
 * Expect: verifier: calling kernel function bpf_fuse_ctx_attr is not allowed
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops/getattr")
int BPF_PROG(too_early, struct fuse_filter_ctx *fctx)
{
	struct fuse_filter_attr *attr = fuse_filter_ctx_attr(fctx);

	return attr && attr->uid ? -EACCES : FUSE_FILTER_DEFAULT;
}

SEC(".struct_ops.link")
struct fuse_filter_ops attr_in_getattr = {
	.getattr = (void *)too_early,
	.name = "attr_in_getattr",
};

char LICENSE[] SEC("license") = "GPL";
