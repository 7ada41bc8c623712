// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: there may be no attributes, and the program does not look.
 *
 * Expect: verifier: invalid mem access 'mem_or_null'
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops/setattr")
int BPF_PROG(trusting, struct fuse_filter_ctx *fctx)
{
	struct fuse_filter_attr *attr = fuse_filter_ctx_attr(fctx);

	attr->uid = 0;
	return FUSE_FILTER_DEFAULT;
}

SEC(".struct_ops.link")
struct fuse_filter_ops attr_unchecked = {
	.setattr = (void *)trusting,
	.name = "attr_unchecked",
};

char LICENSE[] SEC("license") = "GPL";
