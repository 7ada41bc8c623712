// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: the address space may be locked.
 *
 * Expect: verifier: attach to unsupported member read_post of struct fuse_filter_ops
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops.s/read_post")
int BPF_PROG(slow_read_post, struct fuse_filter_ctx *fctx, const struct fuse_filter_io *in)
{
	return 0;
}

SEC(".struct_ops.link")
struct fuse_filter_ops read_post_sleepable = {
	.read_post = (void *)slow_read_post,
	.name = "read_post_sleep",
};

char LICENSE[] SEC("license") = "GPL";
