// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: the address space may be locked.
 *
 * Expect: verifier: attach to unsupported member write_post of struct fuse_filter_ops
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops.s/write_post")
int BPF_PROG(slow_write_post, struct fuse_filter_ctx *fctx, const struct fuse_filter_io *in)
{
	return 0;
}

SEC(".struct_ops.link")
struct fuse_filter_ops write_post_sleepable = {
	.write_post = (void *)slow_write_post,
	.name = "write_post_slee",
};

char LICENSE[] SEC("license") = "GPL";
