// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: a file that is made is opened too: that is when to add flags.
 *
 * Expect: verifier: calling kernel function bpf_fuse_ctx_add_open_flags is not allowed
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops/create")
int BPF_PROG(add_flags, struct fuse_filter_ctx *fctx, const struct fuse_create_in *in)
{
	return bpf_fuse_ctx_add_open_flags(fctx, 02000);
}

SEC(".struct_ops.link")
struct fuse_filter_ops open_flags_in_create = {
	.create = (void *)add_flags,
	.name = "open_flags_in_c",
};

char LICENSE[] SEC("license") = "GPL";
