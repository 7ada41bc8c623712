// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: copies as many bytes as the caller says onto its stack.
 *
 * Expect: verifier: unbounded memory access
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops/lookup")
int BPF_PROG(as_many_as_that, struct fuse_filter_ctx *fctx)
{
	char text[16];

	return bpf_fuse_ctx_read(fctx, FUSE_FILTER_NAME, 0, text, fctx->pid) > 0 ? -EACCES : 0;
}

SEC(".struct_ops.link")
struct fuse_filter_ops read_size = {
	.lookup = (void *)as_many_as_that,
	.name = "read_size",
};

char LICENSE[] SEC("license") = "GPL";
