// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backed inodes: ioctls of files and directories.
 *
 * An ioctl that is passed on acts with the credentials of the registration, on a
 * file system that may check them. So there is a list of those that only read, that
 * whoever can open the file may use, and that say nothing of where data lie on a
 * disk. The daemon gets any that a filter sends to it. File attributes, clones and
 * the like are not here, as the VFS has operations for them.
 */

#include "backed.h"

#include <linux/compat.h>
#include <linux/fs.h>
#include <linux/fscrypt.h>
#include <linux/fsverity.h>

static bool fuse_backed_passes_ioctl(unsigned int cmd)
{
	switch (cmd) {
	case FS_IOC_GETVERSION:
	case FS_IOC32_GETVERSION:
	case FS_IOC_GETFSLABEL:
	case FS_IOC_GET_ENCRYPTION_POLICY:
	case FS_IOC_GET_ENCRYPTION_POLICY_EX:
	case FS_IOC_MEASURE_VERITY:
	case FS_IOC_READ_VERITY_METADATA:
		return true;
	default:
		return false;
	}
}

static long fuse_backed_ioctl_common(struct file *file, unsigned int cmd,
				     unsigned long arg, bool compat)
{
	struct inode *inode = file_inode(file);
	struct file *backing = fuse_backed_real(file);
	const struct fuse_ioctl_in in = {
		.cmd = cmd,
		.arg = arg,
		.flags = (S_ISDIR(inode->i_mode) ? FUSE_IOCTL_DIR : 0) |
			 (compat ? FUSE_IOCTL_COMPAT : 0),
	};
	struct fuse_backed_call call = {
		.opcode = FUSE_IOCTL,
		.inode = inode,
		.in = &in,
		.file = file,
	};
	long (*ioctl)(struct file *file, unsigned int cmd, unsigned long arg);
	long ret;

	ret = fuse_backed_route(&call);
	if (ret < 0)
		return ret;
	if (ret == FUSE_ROUTE_DAEMON)
		return fuse_backed_answered(&call, fuse_ioctl_common(file, cmd, arg,
								     in.flags));

	ioctl = compat ? backing->f_op->compat_ioctl : backing->f_op->unlocked_ioctl;
	if (!ioctl || !fuse_backed_passes_ioctl(cmd))
		return -ENOTTY;

	scoped_with_creds(fuse_backed_cred(inode))
		ret = ioctl(backing, cmd, arg);
	if (ret == -ENOIOCTLCMD)
		ret = -ENOTTY;
	return fuse_backed_done(&call, ret);
}

/**
 * fuse_backed_ioctl - an ioctl on a file or directory
 * @file: open file on a backed inode
 * @cmd: our own requests, for directories, or one of the backing's
 * @arg: its argument
 *
 * Return: by @cmd; -ENOTTY for what is neither
 */
long fuse_backed_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	long ret = -ENOTTY;

	if (S_ISDIR(file_inode(file)->i_mode))
		ret = fuse_backed_dir_ioctl(file, cmd, arg);
	if (ret == -ENOTTY)
		ret = fuse_backed_ioctl_common(file, cmd, arg, false);
	return ret;
}

#ifdef CONFIG_COMPAT
/**
 * fuse_backed_compat_ioctl - an ioctl of a 32-bit process
 * @file: open file on a backed inode
 * @cmd: our own requests, which are the same for all, or one of the backing's
 * @arg: its argument, which the backing makes a pointer of
 *
 * Return: by @cmd; -ENOTTY for what is neither
 */
long fuse_backed_compat_ioctl(struct file *file, unsigned int cmd,
			      unsigned long arg)
{
	long ret = -ENOTTY;

	if (S_ISDIR(file_inode(file)->i_mode))
		ret = fuse_backed_dir_ioctl(file, cmd,
					    (unsigned long)compat_ptr(arg));
	if (ret == -ENOTTY)
		ret = fuse_backed_ioctl_common(file, cmd, arg, true);
	return ret;
}
#endif
