// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: asks for the inode number only, and writes the size.
 *
 * Expect: verifier: invalid access to memory, mem_size=8 off=8 size=8
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops/getattr_post")
int BPF_PROG(more_than_asked, struct fuse_filter_ctx *fctx)
{
	__u64 *attr = (__u64 *)bpf_fuse_ctx_attr(fctx, 8);

	if (attr)
		attr[1] = 0;
	return 0;
}

SEC(".struct_ops.link")
struct fuse_filter_ops attr_part = {
	.getattr_post = (void *)more_than_asked,
	.name = "attr_part",
};

char LICENSE[] SEC("license") = "GPL";
