// SPDX-License-Identifier: GPL-2.0-only
/*
 * noop: every callback there is, and no opinion in any.
 *
 * Changes nothing that a user can see. Its cost is that of calling a filter, which
 * is what it is there to measure; no program sleeps. Prefilters ask for the
 * postfilters.
 */
#include "fuse_filter.bpf.h"

#define PRE(member)							\
	SEC("struct_ops/" #member)					\
	int BPF_PROG(noop_##member, struct fuse_filter_ctx *fctx)	\
	{								\
		return FUSE_FILTER_DEFAULT | FUSE_FILTER_POST;		\
	}

#define POST(member)							\
	SEC("struct_ops/" #member)					\
	int BPF_PROG(noop_##member, struct fuse_filter_ctx *fctx)	\
	{								\
		return 0;						\
	}

PRE(lookup)
PRE(getattr)
PRE(setattr)
PRE(readlink)
PRE(symlink)
PRE(mknod)
PRE(mkdir)
PRE(unlink)
PRE(rmdir)
PRE(rename)
PRE(link)
PRE(open)
PRE(opendir)
PRE(create)
PRE(read)
PRE(write)
PRE(mmap)
PRE(statfs)
PRE(syncfs)
PRE(fsync)
PRE(flush)
PRE(release)
PRE(setxattr)
PRE(getxattr)
PRE(listxattr)
PRE(removexattr)
PRE(xattr_name)
PRE(readdir)
PRE(dirent)
PRE(lock)
PRE(permission)
PRE(ioctl)
PRE(poll)
PRE(bmap)
PRE(fallocate)
PRE(lseek)
PRE(copy_file_range)
PRE(pre)
POST(lookup_post)
POST(getattr_post)
POST(readlink_post)
POST(create_post)
POST(open_post)
POST(read_post)
POST(write_post)
POST(statfs_post)
POST(getxattr_post)
POST(listxattr_post)
POST(lock_post)
POST(lseek_post)
POST(copy_file_range_post)
POST(ioctl_post)
POST(post)

SEC(".struct_ops.link")
struct fuse_filter_ops noop = {
	.lookup = (void *)noop_lookup,
	.getattr = (void *)noop_getattr,
	.setattr = (void *)noop_setattr,
	.readlink = (void *)noop_readlink,
	.symlink = (void *)noop_symlink,
	.mknod = (void *)noop_mknod,
	.mkdir = (void *)noop_mkdir,
	.unlink = (void *)noop_unlink,
	.rmdir = (void *)noop_rmdir,
	.rename = (void *)noop_rename,
	.link = (void *)noop_link,
	.open = (void *)noop_open,
	.opendir = (void *)noop_opendir,
	.create = (void *)noop_create,
	.read = (void *)noop_read,
	.write = (void *)noop_write,
	.mmap = (void *)noop_mmap,
	.statfs = (void *)noop_statfs,
	.syncfs = (void *)noop_syncfs,
	.fsync = (void *)noop_fsync,
	.flush = (void *)noop_flush,
	.release = (void *)noop_release,
	.setxattr = (void *)noop_setxattr,
	.getxattr = (void *)noop_getxattr,
	.listxattr = (void *)noop_listxattr,
	.removexattr = (void *)noop_removexattr,
	.xattr_name = (void *)noop_xattr_name,
	.readdir = (void *)noop_readdir,
	.dirent = (void *)noop_dirent,
	.lock = (void *)noop_lock,
	.permission = (void *)noop_permission,
	.ioctl = (void *)noop_ioctl,
	.poll = (void *)noop_poll,
	.bmap = (void *)noop_bmap,
	.fallocate = (void *)noop_fallocate,
	.lseek = (void *)noop_lseek,
	.copy_file_range = (void *)noop_copy_file_range,
	.pre = (void *)noop_pre,
	.lookup_post = (void *)noop_lookup_post,
	.getattr_post = (void *)noop_getattr_post,
	.readlink_post = (void *)noop_readlink_post,
	.create_post = (void *)noop_create_post,
	.open_post = (void *)noop_open_post,
	.read_post = (void *)noop_read_post,
	.write_post = (void *)noop_write_post,
	.statfs_post = (void *)noop_statfs_post,
	.getxattr_post = (void *)noop_getxattr_post,
	.listxattr_post = (void *)noop_listxattr_post,
	.lock_post = (void *)noop_lock_post,
	.lseek_post = (void *)noop_lseek_post,
	.copy_file_range_post = (void *)noop_copy_file_range_post,
	.ioctl_post = (void *)noop_ioctl_post,
	.post = (void *)noop_post,
	.name = "noop",
};

char LICENSE[] SEC("license") = "GPL";
