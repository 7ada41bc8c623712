// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: the name is the kernel's own and is read-only.
 *
 * Expect: verifier: cannot write into rdonly_mem
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops/lookup")
int BPF_PROG(rename_it, struct fuse_filter_ctx *fctx)
{
	char *name = (char *)bpf_fuse_ctx_name(fctx, FUSE_FILTER_NAME_SIZE);

	if (name)
		name[0] = '.';
	return FUSE_FILTER_DEFAULT;
}

SEC(".struct_ops.link")
struct fuse_filter_ops write_name = {
	.lookup = (void *)rename_it,
	.name = "write_name",
};

char LICENSE[] SEC("license") = "GPL";
