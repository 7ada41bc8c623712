// SPDX-License-Identifier: GPL-2.0-only
/*
 * noop: every callback there is, and no opinion in any.
 *
 * Changes nothing that a user can see. Its cost is that of calling a filter, which
 * is what it is there to measure; no program sleeps.
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops/lookup")
int BPF_PROG(noop_lookup, struct fuse_filter_ctx *fctx)
{
	return FUSE_FILTER_DEFAULT;
}

SEC("struct_ops/open")
int BPF_PROG(noop_open, struct fuse_filter_ctx *fctx, const struct fuse_open_in *in)
{
	return FUSE_FILTER_DEFAULT;
}

SEC("struct_ops/dirent")
int BPF_PROG(noop_dirent, struct fuse_filter_ctx *fctx, const struct fuse_filter_dirent *entry)
{
	return FUSE_FILTER_DEFAULT;
}

SEC(".struct_ops.link")
struct fuse_filter_ops noop = {
	.lookup = (void *)noop_lookup,
	.open = (void *)noop_open,
	.dirent = (void *)noop_dirent,
	.name = "noop",
};

char LICENSE[] SEC("license") = "GPL";
