// SPDX-License-Identifier: GPL-2.0-only
/*
 * A filter that runs for as long as the kernel lets a program run, for one user, and then
 * has no opinion.
 */
#include "fuse_filter.bpf.h"

const volatile __u32 endless_uid;

/* Goes on until the kernel says that it has been long enough */
#define RUNS_OUT(label) asm volatile goto("may_goto %l[" #label "]" : : : : label)

SEC("struct_ops/lookup")
int BPF_PROG(endless_lookup, struct fuse_filter_ctx *fctx)
{
	if (fctx->fsuid != endless_uid)
		return FUSE_FILTER_DEFAULT;
	for (;;)
		RUNS_OUT(end);
end:
	return FUSE_FILTER_DEFAULT;
}

SEC(".struct_ops.link")
struct fuse_filter_ops endless = {
	.lookup = (void *)endless_lookup,
	.name = "endless",
};

char LICENSE[] SEC("license") = "GPL";
