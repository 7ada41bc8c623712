// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: directory entries are shown under the directory's lock.
 *
 * Expect: verifier: attach to unsupported member dirent of struct fuse_filter_ops
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops.s/dirent")
int BPF_PROG(slow_dirent, struct fuse_filter_ctx *fctx, const struct fuse_filter_dirent *entry)
{
	return FUSE_FILTER_DEFAULT;
}

SEC(".struct_ops.link")
struct fuse_filter_ops dirent_sleepable = {
	.dirent = (void *)slow_dirent,
	.name = "slow_dirent",
};

char LICENSE[] SEC("license") = "GPL";
