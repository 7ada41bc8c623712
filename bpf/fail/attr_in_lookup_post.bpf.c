// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: what a name stands for is not for a filter to change.
 *
 * Expect: verifier: calling kernel function bpf_fuse_ctx_attr is not allowed
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops/lookup_post")
int BPF_PROG(change_it, struct fuse_filter_ctx *fctx, const struct fuse_filter_attr *attr)
{
	struct fuse_filter_attr *found = fuse_filter_ctx_attr(fctx);

	if (found)
		found->uid = 0;
	return 0;
}

SEC(".struct_ops.link")
struct fuse_filter_ops attr_in_lookup_post = {
	.lookup_post = (void *)change_it,
	.name = "attr_in_lookup_",
};

char LICENSE[] SEC("license") = "GPL";
