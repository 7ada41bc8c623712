// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: what is written cannot be kept from who writes it.
 *
 * Expect: verifier: calling kernel function bpf_fuse_ctx_redact is not allowed
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops/write")
int BPF_PROG(write_zeroes, struct fuse_filter_ctx *fctx, const struct fuse_filter_io *in)
{
	return bpf_fuse_ctx_redact(fctx, 0, 100);
}

SEC(".struct_ops.link")
struct fuse_filter_ops redact_in_write = {
	.write = (void *)write_zeroes,
	.name = "redact_in_write",
};

char LICENSE[] SEC("license") = "GPL";
