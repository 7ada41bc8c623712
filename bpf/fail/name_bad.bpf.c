// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not attach: people cannot tell such a name from two.
 *
 * Expect: attach: EINVAL
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops/lookup")
int BPF_PROG(name_bad_lookup, struct fuse_filter_ctx *fctx)
{
	return FUSE_FILTER_DEFAULT;
}

SEC(".struct_ops.link")
struct fuse_filter_ops name_bad = {
	.lookup = (void *)name_bad_lookup,
	.name = "two words",
};

char LICENSE[] SEC("license") = "GPL";
