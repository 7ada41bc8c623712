// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: nobody waits for it.
 *
 * Expect: verifier: attach to unsupported member release of struct fuse_filter_ops
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops.s/release")
int BPF_PROG(slow_release, struct fuse_filter_ctx *fctx)
{
	return 0;
}

SEC(".struct_ops.link")
struct fuse_filter_ops release_sleepable = {
	.release = (void *)slow_release,
	.name = "release_sleepab",
};

char LICENSE[] SEC("license") = "GPL";
