// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: names are left out one by one, not by another list.
 *
 * Expect: verifier: calling kernel function bpf_fuse_ctx_set_value is not allowed
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops/listxattr_post")
int BPF_PROG(another_list, struct fuse_filter_ctx *fctx)
{
	char value[4] = "abc";

	return bpf_fuse_ctx_set_value(fctx, value, sizeof(value));
}

SEC(".struct_ops.link")
struct fuse_filter_ops set_value_in_listxattr_post = {
	.listxattr_post = (void *)another_list,
	.name = "set_value_in_li",
};

char LICENSE[] SEC("license") = "GPL";
