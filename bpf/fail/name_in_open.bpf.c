// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: an open is of an inode, and has no name to ask for.
 *
 * Expect: verifier: calling kernel function bpf_fuse_ctx_name is not allowed
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops/open")
int BPF_PROG(open_by_name, struct fuse_filter_ctx *fctx, const struct fuse_open_in *in)
{
	return bpf_fuse_ctx_name(fctx, 16) ? -EACCES : FUSE_FILTER_DEFAULT;
}

SEC(".struct_ops.link")
struct fuse_filter_ops name_in_open = {
	.open = (void *)open_by_name,
	.name = "name_in_open",
};

char LICENSE[] SEC("license") = "GPL";
