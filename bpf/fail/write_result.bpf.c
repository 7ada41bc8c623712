// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: a result is replaced by returning another.
 *
 * Expect: verifier: only read is supported
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops/read_post")
int BPF_PROG(longer, struct fuse_filter_ctx *fctx, const struct fuse_filter_io *in)
{
	fctx->result = 100;
	return 0;
}

SEC(".struct_ops.link")
struct fuse_filter_ops write_result = {
	.read_post = (void *)longer,
	.name = "write_result",
};

char LICENSE[] SEC("license") = "GPL";
