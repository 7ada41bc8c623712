// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: a filter runs inside the kernel and must say that it is free.
 *
 * Expect: verifier: struct ops programs must have a GPL compatible license
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops/lookup")
int BPF_PROG(secret, struct fuse_filter_ctx *fctx)
{
	return FUSE_FILTER_DEFAULT;
}

SEC(".struct_ops.link")
struct fuse_filter_ops no_license = {
	.lookup = (void *)secret,
	.name = "no_license",
};

char LICENSE[] SEC("license") = "Proprietary";
