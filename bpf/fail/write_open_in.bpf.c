// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: the open flags are read-only; an edit would be ignored.
 *
 * Expect: verifier: only read is supported
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops/open")
int BPF_PROG(drop_flags, struct fuse_filter_ctx *fctx, struct fuse_open_in *in)
{
	in->flags = 0;
	return FUSE_FILTER_DEFAULT;
}

SEC(".struct_ops.link")
struct fuse_filter_ops write_open_in = {
	.open = (void *)drop_flags,
	.name = "write_open_in",
};

char LICENSE[] SEC("license") = "GPL";
