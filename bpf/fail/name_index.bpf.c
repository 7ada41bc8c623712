// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: reads the name at an index that nothing bounds.
 *
 * Expect: verifier: unbounded memory access
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops/lookup")
int BPF_PROG(last_byte, struct fuse_filter_ctx *fctx)
{
	const char *name = bpf_fuse_ctx_name(fctx, FUSE_FILTER_NAME_SIZE);

	return name && name[fctx->name_len - 1] == '~' ? -ENOENT : FUSE_FILTER_DEFAULT;
}

SEC(".struct_ops.link")
struct fuse_filter_ops name_index = {
	.lookup = (void *)last_byte,
	.name = "name_index",
};

char LICENSE[] SEC("license") = "GPL";
