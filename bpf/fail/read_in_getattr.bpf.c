// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: a request for attributes carries no bytes.
 *
 * Expect: verifier: calling kernel function bpf_fuse_ctx_read is not allowed
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops/getattr")
int BPF_PROG(copy_what, struct fuse_filter_ctx *fctx)
{
	char text[16];

	return bpf_fuse_ctx_read(fctx, FUSE_FILTER_TEXT, 0, text, sizeof(text)) > 0 ? -EACCES : 0;
}

SEC(".struct_ops.link")
struct fuse_filter_ops read_in_getattr = {
	.getattr = (void *)copy_what,
	.name = "read_in_getattr",
};

char LICENSE[] SEC("license") = "GPL";
