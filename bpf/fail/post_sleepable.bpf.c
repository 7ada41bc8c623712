// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: it stands in for callbacks that must not sleep.
 *
 * Expect: verifier: attach to unsupported member post of struct fuse_filter_ops
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops.s/post")
int BPF_PROG(slow_post, struct fuse_filter_ctx *fctx)
{
	return 0;
}

SEC(".struct_ops.link")
struct fuse_filter_ops post_sleepable = {
	.post = (void *)slow_post,
	.name = "post_sleepable",
};

char LICENSE[] SEC("license") = "GPL";
