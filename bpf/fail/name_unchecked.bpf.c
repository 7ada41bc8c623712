// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: there may be no name, and the program does not look.
 *
 * Expect: verifier: invalid mem access 'rdonly_mem_or_null'
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops/lookup")
int BPF_PROG(trusting, struct fuse_filter_ctx *fctx)
{
	const char *name = bpf_fuse_ctx_name(fctx, FUSE_FILTER_NAME_SIZE);

	return name[0] == '.' ? -ENOENT : FUSE_FILTER_DEFAULT;
}

SEC(".struct_ops.link")
struct fuse_filter_ops name_unchecked = {
	.lookup = (void *)trusting,
	.name = "name_unchecked",
};

char LICENSE[] SEC("license") = "GPL";
