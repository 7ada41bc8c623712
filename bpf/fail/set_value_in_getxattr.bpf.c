// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: before the request is answered, there is nothing to replace.
 *
 * Expect: verifier: calling kernel function bpf_fuse_ctx_set_value is not allowed
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops/getxattr")
int BPF_PROG(too_early, struct fuse_filter_ctx *fctx, const struct fuse_getxattr_in *in)
{
	char value[4] = "abc";

	return bpf_fuse_ctx_set_value(fctx, value, sizeof(value));
}

SEC(".struct_ops.link")
struct fuse_filter_ops set_value_in_getxattr = {
	.getxattr = (void *)too_early,
	.name = "set_value_in_ge",
};

char LICENSE[] SEC("license") = "GPL";
