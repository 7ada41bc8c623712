// SPDX-License-Identifier: GPL-2.0-only
/*
 * redact: a range of each file that reads as zero, but for root.
 *
 * Idea: not to refuse, but to give less. "read" is asked before the bytes are read, and
 * bpf_fuse_ctx_redact() names those that are to be zero: they are never copied from the
 * backing. The kernel sees to the other ways of reading: a file with such bytes cannot
 * be mapped, cloned or compared.
 *
 * The range is set before the filter is loaded.
 */
#include "fuse_filter.bpf.h"

/* First byte, and the byte behind the last */
const volatile __u64 redact_start = 0;
const volatile __u64 redact_end = 16;

SEC("struct_ops/read")
int BPF_PROG(redact_read, struct fuse_filter_ctx *fctx, const struct fuse_filter_io *in)
{
	if (!fctx->fsuid)
		return FUSE_FILTER_DEFAULT;
	/* If it was not taken, the bytes must not be given */
	return bpf_fuse_ctx_redact(fctx, redact_start, redact_end) ? -EIO : FUSE_FILTER_DEFAULT;
}

SEC(".struct_ops.link")
struct fuse_filter_ops redact_example = {
	.read = (void *)redact_read,
	.name = "redact",
};

char LICENSE[] SEC("license") = "GPL";
