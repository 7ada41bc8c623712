// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: what a name stands for is not for a filter to change.
 *
 * Expect: verifier: only read is supported
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops/lookup_post")
int BPF_PROG(change_it, struct fuse_filter_ctx *fctx, struct fuse_filter_attr *attr)
{
	attr->uid = 0;
	return 0;
}

SEC(".struct_ops.link")
struct fuse_filter_ops write_found_attr = {
	.lookup_post = (void *)change_it,
	.name = "write_found_att",
};

char LICENSE[] SEC("license") = "GPL";
