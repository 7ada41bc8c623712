// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: asks for 16 bytes of the name and reads the one after them.
 *
 * Expect: verifier: invalid access to memory, mem_size=16 off=16 size=1
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops/lookup")
int BPF_PROG(one_too_far, struct fuse_filter_ctx *fctx)
{
	const char *name = bpf_fuse_ctx_name(fctx, 16);

	return name && name[16] == 'x' ? -ENOENT : FUSE_FILTER_DEFAULT;
}

SEC(".struct_ops.link")
struct fuse_filter_ops name_overrun = {
	.lookup = (void *)one_too_far,
	.name = "name_overrun",
};

char LICENSE[] SEC("license") = "GPL";
