// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: the size of the name's buffer is no constant.
 *
 * Expect: verifier: R2 is not a const
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops/lookup")
int BPF_PROG(as_long_as_it_is, struct fuse_filter_ctx *fctx)
{
	const char *name = bpf_fuse_ctx_name(fctx, fctx->name_len);

	return name ? -ENOENT : FUSE_FILTER_DEFAULT;
}

SEC(".struct_ops.link")
struct fuse_filter_ops name_size = {
	.lookup = (void *)as_long_as_it_is,
	.name = "name_size",
};

char LICENSE[] SEC("license") = "GPL";
