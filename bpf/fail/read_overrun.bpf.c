// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: copies 17 bytes into 16.
 *
 * Expect: verifier: memory, len pair leads to invalid memory access
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops/lookup")
int BPF_PROG(one_too_many, struct fuse_filter_ctx *fctx)
{
	char text[16];

	return bpf_fuse_ctx_read(fctx, FUSE_FILTER_NAME, 0, text, 17) > 0 ? text[0] : 0;
}

SEC(".struct_ops.link")
struct fuse_filter_ops read_overrun = {
	.lookup = (void *)one_too_many,
	.name = "read_overrun",
};

char LICENSE[] SEC("license") = "GPL";
