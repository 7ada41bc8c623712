// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: a list of names is asked about name by name.
 *
 * Expect: verifier: attach to unsupported member xattr_name of struct fuse_filter_ops
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops.s/xattr_name")
int BPF_PROG(slow_xattr_name, struct fuse_filter_ctx *fctx)
{
	return 0;
}

SEC(".struct_ops.link")
struct fuse_filter_ops xattr_name_sleepable = {
	.xattr_name = (void *)slow_xattr_name,
	.name = "xattr_name_slee",
};

char LICENSE[] SEC("license") = "GPL";
