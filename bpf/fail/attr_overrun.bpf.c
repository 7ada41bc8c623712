// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: asks for the attributes and reads what lies behind them.
 *
 * Expect: verifier: invalid access to memory, mem_size=88 off=88 size=4
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops/getattr_post")
int BPF_PROG(one_too_far, struct fuse_filter_ctx *fctx)
{
	struct fuse_filter_attr *attr = fuse_filter_ctx_attr(fctx);
	__u32 *behind = (__u32 *)(attr + 1);

	return attr && *behind ? -EACCES : 0;
}

SEC(".struct_ops.link")
struct fuse_filter_ops attr_overrun = {
	.getattr_post = (void *)one_too_far,
	.name = "attr_overrun",
};

char LICENSE[] SEC("license") = "GPL";
