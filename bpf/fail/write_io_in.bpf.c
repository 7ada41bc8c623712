// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: what a request carries is read-only; an edit would be ignored.
 *
 * Expect: verifier: only read is supported
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops/read")
int BPF_PROG(edit_it, struct fuse_filter_ctx *fctx, struct fuse_filter_io *in)
{
	in->offset = 0;
	return FUSE_FILTER_DEFAULT;
}

SEC(".struct_ops.link")
struct fuse_filter_ops write_io_in = {
	.read = (void *)edit_it,
	.name = "write_io_in",
};

char LICENSE[] SEC("license") = "GPL";
