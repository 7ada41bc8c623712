// SPDX-License-Identifier: GPL-2.0-only
/*
 * append_only: files that only grow.
 *
 * Idea: a helpful flag is not a rule. "open" adds O_APPEND, so that programs that know
 * nothing of this work; but who opened a file can take the flag away, or use pwritev2()
 * with RWF_NOAPPEND. So each of the ways of changing bytes is refused by itself: writing
 * anywhere but at the end (which includes shared mappings and copies), truncation, and
 * the kinds of fallocate(2) that do more than reserve space.
 */
#include "fuse_filter.bpf.h"

#define O_ACCMODE 3
#define O_RDONLY 0
#define O_APPEND 02000
#define FALLOC_FL_KEEP_SIZE 1

SEC("struct_ops/open")
int BPF_PROG(append_open, struct fuse_filter_ctx *fctx, const struct fuse_open_in *in)
{
	if ((in->flags & O_ACCMODE) != O_RDONLY)
		bpf_fuse_ctx_add_open_flags(fctx, O_APPEND);
	return FUSE_FILTER_DEFAULT;
}

SEC("struct_ops/write")
int BPF_PROG(append_write, struct fuse_filter_ctx *fctx, const struct fuse_filter_io *in)
{
	return in->flags & FUSE_FILTER_IO_APPEND ? FUSE_FILTER_DEFAULT : -EPERM;
}

SEC("struct_ops/setattr")
int BPF_PROG(append_setattr, struct fuse_filter_ctx *fctx)
{
	const struct fuse_filter_attr *attr = fuse_filter_ctx_attr(fctx);

	return attr && attr->valid & FATTR_SIZE ? -EPERM : FUSE_FILTER_DEFAULT;
}

SEC("struct_ops/fallocate")
int BPF_PROG(append_fallocate, struct fuse_filter_ctx *fctx, const struct fuse_fallocate_in *in)
{
	return in->mode & ~FALLOC_FL_KEEP_SIZE ? -EPERM : FUSE_FILTER_DEFAULT;
}

SEC(".struct_ops.link")
struct fuse_filter_ops append_only = {
	.open = (void *)append_open,
	.write = (void *)append_write,
	.setattr = (void *)append_setattr,
	.fallocate = (void *)append_fallocate,
	.name = "append_only",
};

char LICENSE[] SEC("license") = "GPL";
