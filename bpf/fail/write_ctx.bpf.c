// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: the context says who asks, and is not for a filter to change.
 *
 * Expect: verifier: only read is supported
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops/lookup")
int BPF_PROG(become_root, struct fuse_filter_ctx *fctx)
{
	fctx->fsuid = 0;
	return FUSE_FILTER_DEFAULT;
}

SEC(".struct_ops.link")
struct fuse_filter_ops write_ctx = {
	.lookup = (void *)become_root,
	.name = "write_ctx",
};

char LICENSE[] SEC("license") = "GPL";
