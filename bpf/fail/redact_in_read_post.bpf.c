// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: when bytes were read, it is too late.
 *
 * Expect: verifier: calling kernel function bpf_fuse_ctx_redact is not allowed
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops/read_post")
int BPF_PROG(too_late, struct fuse_filter_ctx *fctx, const struct fuse_filter_io *in)
{
	return bpf_fuse_ctx_redact(fctx, 0, 100);
}

SEC(".struct_ops.link")
struct fuse_filter_ops redact_in_read_post = {
	.read_post = (void *)too_late,
	.name = "redact_in_read_",
};

char LICENSE[] SEC("license") = "GPL";
