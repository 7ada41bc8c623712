// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: the address space may be locked.
 *
 * Expect: verifier: attach to unsupported member write of struct fuse_filter_ops
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops.s/write")
int BPF_PROG(slow_write, struct fuse_filter_ctx *fctx, const struct fuse_filter_io *in)
{
	return 0;
}

SEC(".struct_ops.link")
struct fuse_filter_ops write_sleepable = {
	.write = (void *)slow_write,
	.name = "write_sleepable",
};

char LICENSE[] SEC("license") = "GPL";
