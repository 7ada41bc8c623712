// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: the address space is locked.
 *
 * Expect: verifier: attach to unsupported member mmap of struct fuse_filter_ops
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops.s/mmap")
int BPF_PROG(slow_mmap, struct fuse_filter_ctx *fctx, const struct fuse_filter_mmap *in)
{
	return 0;
}

SEC(".struct_ops.link")
struct fuse_filter_ops mmap_sleepable = {
	.mmap = (void *)slow_mmap,
	.name = "mmap_sleepable",
};

char LICENSE[] SEC("license") = "GPL";
