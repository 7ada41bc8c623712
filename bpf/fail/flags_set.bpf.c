// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not attach: not every flag is defined.
 *
 * Expect: attach: EINVAL
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops/lookup")
int BPF_PROG(flags_set_lookup, struct fuse_filter_ctx *fctx)
{
	return FUSE_FILTER_DEFAULT;
}

SEC(".struct_ops.link")
struct fuse_filter_ops flags_set = {
	.lookup = (void *)flags_set_lookup,
	.name = "flags_set",
	.flags = 1U << 31,
};

char LICENSE[] SEC("license") = "GPL";
