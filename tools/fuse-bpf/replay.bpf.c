// SPDX-License-Identifier: GPL-2.0-only
/*
 * replay: a filter beside those of a replay. Whatever would change something it sends to
 * the daemon, which such a mount has none of: so all filters are asked, in whatever order,
 * and nothing is done. That it was asked shows that the others were, as far as none of
 * them has refused.
 */
#include "fuse_filter.bpf.h"

#include "recording.h"

#define OP(name) (1ULL << FUSE_##name)

#define CHANGES (OP(SETATTR) | OP(SYMLINK) | OP(MKNOD) | OP(MKDIR) | OP(UNLINK) | OP(RMDIR) | \
		 OP(RENAME) | OP(RENAME2) | OP(LINK) | OP(WRITE) | OP(SETXATTR) | \
		 OP(REMOVEXATTR) | OP(CREATE) | OP(TMPFILE) | OP(FALLOCATE) | OP(IOCTL) | \
		 OP(COPY_FILE_RANGE) | OP(COPY_FILE_RANGE_64))

SEC("struct_ops/pre")
int BPF_PROG(replay_pre, struct fuse_filter_ctx *fctx)
{
	__u32 opcode = fctx->opcode;

	if (opcode < 64 && CHANGES & (1ULL << opcode))
		return FUSE_FILTER_DAEMON;
	return FUSE_FILTER_DEFAULT;
}

/* What "pre" is not asked about, and nothing is changed by */
SEC("struct_ops/dirent")
int BPF_PROG(replay_dirent, struct fuse_filter_ctx *fctx)
{
	return FUSE_FILTER_DEFAULT;
}

SEC("struct_ops/mmap")
int BPF_PROG(replay_mmap, struct fuse_filter_ctx *fctx)
{
	return FUSE_FILTER_DEFAULT;
}

SEC(".struct_ops.link")
struct fuse_filter_ops replay = {
	.dirent = (void *)replay_dirent,
	.mmap = (void *)replay_mmap,
	.pre = (void *)replay_pre,
	.name = REPLAY_GUARD,
	.flags = FUSE_FILTER_FOLDED_NAMES,
};

char LICENSE[] SEC("license") = "GPL";
