// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: it stands in for callbacks that must not sleep.
 *
 * Expect: verifier: attach to unsupported member pre of struct fuse_filter_ops
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops.s/pre")
int BPF_PROG(slow_pre, struct fuse_filter_ctx *fctx)
{
	return 0;
}

SEC(".struct_ops.link")
struct fuse_filter_ops pre_sleepable = {
	.pre = (void *)slow_pre,
	.name = "pre_sleepable",
};

char LICENSE[] SEC("license") = "GPL";
