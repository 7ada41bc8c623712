// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: the size of the attributes is no constant.
 *
 * Expect: verifier: R2 is not a const
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops/getattr_post")
int BPF_PROG(as_much_as_that, struct fuse_filter_ctx *fctx)
{
	return bpf_fuse_ctx_attr(fctx, fctx->pid) ? -EACCES : 0;
}

SEC(".struct_ops.link")
struct fuse_filter_ops attr_size = {
	.getattr_post = (void *)as_much_as_that,
	.name = "attr_size",
};

char LICENSE[] SEC("license") = "GPL";
