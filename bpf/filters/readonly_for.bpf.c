// SPDX-License-Identifier: GPL-2.0-only
/*
 * readonly_for: a mount that chosen users can only read.
 *
 * For a user in readonly_uids, whatever changes a file, a directory or an attribute
 * fails with EROFS, as on a file system that is mounted read-only. It is asked about
 * each write, so that a file which was open before, or which came from another process,
 * cannot be written either; and a shared mapping that can be written cannot be made. One
 * that was made before stays.
 *
 * Reading goes on changing access times, which "noatime" of the mount forbids. Of
 * ioctls, those that read flags pass; others fail, as nobody can tell what they do.
 * Pipes, sockets and devices cannot be opened for writing either.
 *
 * Maps: readonly_uids, uid to anything.
 * Cost: a hash look-up for each request that changes something, and for each that opens
 * for writing; none for others but a test of a flag in open, permission and ioctl. No
 * program sleeps.
 * Tests: selftests/filter/ready_test.c
 */
#include "fuse_filter.bpf.h"
#include "fuse_filter_util.bpf.h"

#define MAX_USERS 65536

#define O_ACCMODE	3
#define O_RDONLY	0
#define O_TRUNC		01000

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_USERS);
	__type(key, __u32);
	__type(value, __u8);
} readonly_uids SEC(".maps");

static __always_inline int change(struct fuse_filter_ctx *fctx)
{
	__u32 uid = fctx->fsuid;

	return bpf_map_lookup_elem(&readonly_uids, &uid) ? -EROFS : FUSE_FILTER_DEFAULT;
}

#define CHANGES(member)							\
	SEC("struct_ops/" #member)					\
	int BPF_PROG(readonly_##member, struct fuse_filter_ctx *fctx)	\
	{								\
		return change(fctx);					\
	}

CHANGES(setattr)
CHANGES(symlink)
CHANGES(mknod)
CHANGES(mkdir)
CHANGES(unlink)
CHANGES(rmdir)
CHANGES(rename)
CHANGES(link)
CHANGES(create)
CHANGES(write)
CHANGES(fallocate)
CHANGES(setxattr)
CHANGES(removexattr)

SEC("struct_ops/open")
int BPF_PROG(readonly_open, struct fuse_filter_ctx *fctx, const struct fuse_open_in *in)
{
	if ((in->flags & O_ACCMODE) == O_RDONLY && !(in->flags & O_TRUNC))
		return FUSE_FILTER_DEFAULT;
	return change(fctx);
}

/* What access(2) says; the requests themselves are refused by the others */
SEC("struct_ops/permission")
int BPF_PROG(readonly_permission, struct fuse_filter_ctx *fctx, const struct fuse_access_in *in)
{
	return in->mask & MAY_WRITE ? change(fctx) : FUSE_FILTER_DEFAULT;
}

SEC("struct_ops/ioctl")
int BPF_PROG(readonly_ioctl, struct fuse_filter_ctx *fctx, const struct fuse_ioctl_in *in)
{
	return fuse_filter_ioctl_reads(in->cmd) ? FUSE_FILTER_DEFAULT : change(fctx);
}

SEC(".struct_ops.link")
struct fuse_filter_ops readonly_for = {
	.setattr = (void *)readonly_setattr,
	.symlink = (void *)readonly_symlink,
	.mknod = (void *)readonly_mknod,
	.mkdir = (void *)readonly_mkdir,
	.unlink = (void *)readonly_unlink,
	.rmdir = (void *)readonly_rmdir,
	.rename = (void *)readonly_rename,
	.link = (void *)readonly_link,
	.create = (void *)readonly_create,
	.write = (void *)readonly_write,
	.fallocate = (void *)readonly_fallocate,
	.setxattr = (void *)readonly_setxattr,
	.removexattr = (void *)readonly_removexattr,
	.open = (void *)readonly_open,
	.permission = (void *)readonly_permission,
	.ioctl = (void *)readonly_ioctl,
	.name = "readonly_for",
};

char LICENSE[] SEC("license") = "GPL";
