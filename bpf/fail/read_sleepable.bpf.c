// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: the address space may be locked.
 *
 * Expect: verifier: attach to unsupported member read of struct fuse_filter_ops
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops.s/read")
int BPF_PROG(slow_read, struct fuse_filter_ctx *fctx, const struct fuse_filter_io *in)
{
	return 0;
}

SEC(".struct_ops.link")
struct fuse_filter_ops read_sleepable = {
	.read = (void *)slow_read,
	.name = "read_sleepable",
};

char LICENSE[] SEC("license") = "GPL";
