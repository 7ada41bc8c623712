// SPDX-License-Identifier: GPL-2.0-only
/*
 * percent: one in a hundred of the requests that only read goes to the daemon, at
 * random. The backing has the same to answer, so nobody sees a difference but in time.
 * Files are opened on the backing, as those that a daemon serves cannot be mapped.
 */
#include "fuse_filter.bpf.h"

static __always_inline int one_percent(void)
{
	return bpf_get_prandom_u32() % 100 ? FUSE_FILTER_DEFAULT : FUSE_FILTER_DAEMON;
}

SEC("struct_ops/getattr")
int BPF_PROG(percent_getattr, struct fuse_filter_ctx *fctx)
{
	return one_percent();
}

SEC("struct_ops/getxattr")
int BPF_PROG(percent_getxattr, struct fuse_filter_ctx *fctx)
{
	return one_percent();
}

SEC(".struct_ops.link")
struct fuse_filter_ops percent = {
	.getattr = (void *)percent_getattr,
	.getxattr = (void *)percent_getxattr,
	.name = "percent",
};

char LICENSE[] SEC("license") = "GPL";
