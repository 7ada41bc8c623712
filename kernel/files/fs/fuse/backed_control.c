// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backed inodes: the requests of <linux/fuse_bpf.h>.
 */

#include "backed.h"
#include "dev.h"
#include "filter.h"

#include <linux/uaccess.h>

/* All that a backed inode can be asked; the rest is of the connection, or DAX */
static const u8 fuse_backed_ops[] = {
	FUSE_LOOKUP, FUSE_GETATTR, FUSE_SETATTR, FUSE_READLINK, FUSE_SYMLINK,
	FUSE_MKNOD, FUSE_MKDIR, FUSE_UNLINK, FUSE_RMDIR, FUSE_RENAME, FUSE_LINK,
	FUSE_OPEN, FUSE_READ, FUSE_WRITE, FUSE_STATFS, FUSE_RELEASE, FUSE_FSYNC,
	FUSE_SETXATTR, FUSE_GETXATTR, FUSE_LISTXATTR, FUSE_REMOVEXATTR,
	FUSE_FLUSH, FUSE_OPENDIR, FUSE_READDIR, FUSE_RELEASEDIR, FUSE_FSYNCDIR,
	FUSE_GETLK, FUSE_SETLK, FUSE_SETLKW, FUSE_ACCESS, FUSE_CREATE,
	FUSE_IOCTL, FUSE_FALLOCATE, FUSE_READDIRPLUS, FUSE_RENAME2, FUSE_LSEEK,
	FUSE_COPY_FILE_RANGE, FUSE_SYNCFS, FUSE_TMPFILE, FUSE_STATX,
	FUSE_COPY_FILE_RANGE_64,
};

/**
 * fuse_backed_all_ops - opcodes that a backing can serve
 *
 * Return: bit N for opcode N
 */
u64 fuse_backed_all_ops(void)
{
	u64 ops = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fuse_backed_ops); i++)
		ops |= BIT_ULL(fuse_backed_ops[i]);
	return ops;
}

static long fuse_backed_query(void __user *arg, size_t size)
{
	struct fuse_bpf_query query = {
		.abi = FUSE_BPF_ABI,
		.features = FUSE_BPF_BACKED_ROOT | FUSE_BPF_DAEMONLESS |
			    FUSE_BPF_BACKING_IDS,
		.backed_ops = { fuse_backed_all_ops() },
	};

	fuse_filter_query(&query);
	return copy_struct_to_user(arg, size, &query, sizeof(query), NULL);
}

static bool fuse_backed_may_look(const struct fuse_conn *fc)
{
	return uid_eq(current_fsuid(), fc->user_id) || capable(CAP_SYS_ADMIN);
}

static long fuse_backed_stats(struct fuse_conn *fc, void __user *arg, size_t size)
{
	struct fuse_op_stats __user *ops;
	struct fuse_bpf_stats stats;
	struct fuse_op_stats sum;
	u32 op;
	int err;

	err = copy_struct_from_user(&stats, sizeof(stats), arg, size);
	if (err)
		return err;
	if (stats.reserved)
		return -EINVAL;
	if (!fc->backed)
		return -EOPNOTSUPP;
	if (!fuse_backed_may_look(fc))
		return -EPERM;

	ops = u64_to_user_ptr(stats.ops);
	for (op = 0; op < min(stats.nr, FUSE_BACKED_NR_OPS); op++) {
		fuse_backed_read_stats(fc, op, &sum);
		if (copy_to_user(&ops[op], &sum, sizeof(sum)))
			return -EFAULT;
	}
	stats.nr = FUSE_BACKED_NR_OPS;
	return copy_struct_to_user(arg, size, &stats, sizeof(stats), NULL);
}

static long fuse_backed_open_id(struct fuse_conn *fc, void __user *arg, size_t size)
{
	struct fuse_backing_open open;
	int err;

	err = copy_struct_from_user(&open, sizeof(open), arg, size);
	if (err)
		return err;
	if (open.flags || open.reserved)
		return -EINVAL;

	err = fuse_backing_register(fc, &open);
	if (err)
		return err;

	/* The caller must learn the id, or not have got one */
	err = copy_struct_to_user(arg, size, &open, sizeof(open), NULL);
	if (err)
		fuse_backing_unregister(fc, open.id);
	return err;
}

static long fuse_backed_close_id(struct fuse_conn *fc, void __user *arg, size_t size)
{
	struct fuse_backing_close close;
	int err;

	err = copy_struct_from_user(&close, sizeof(close), arg, size);
	if (err)
		return err;
	if (close.flags)
		return -EINVAL;
	return fuse_backing_unregister(fc, close.id);
}

static long fuse_backed_list(struct fuse_conn *fc, void __user *arg, size_t size)
{
	struct fuse_filter_list list;
	int err;

	err = copy_struct_from_user(&list, sizeof(list), arg, size);
	if (err)
		return err;
	if (list.info_size < FUSE_FILTER_INFO_SIZE_VER1)
		return -EINVAL;
	if (!fuse_backed_may_look(fc))
		return -EPERM;

	err = fuse_filter_list(fc, &list);
	if (err)
		return err;
	return copy_struct_to_user(arg, size, &list, sizeof(list), NULL);
}

static long fuse_backed_attach(struct fuse_conn *fc, struct inode *dir,
			       void __user *arg, size_t size)
{
	struct fuse_filter_attach attach;
	int err;

	err = copy_struct_from_user(&attach, sizeof(attach), arg, size);
	if (err)
		return err;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;

	err = fuse_filter_attach(fc, dir, &attach);
	if (err)
		return err;

	/* The caller must learn the id of what it attached, or not have done it */
	err = copy_struct_to_user(arg, size, &attach, sizeof(attach), NULL);
	if (err)
		fuse_filter_detach(fc, attach.id);
	return err;
}

static long fuse_backed_detach(struct fuse_conn *fc, void __user *arg, size_t size)
{
	struct fuse_filter_detach detach;
	int err;

	err = copy_struct_from_user(&detach, sizeof(detach), arg, size);
	if (err)
		return err;
	if (detach.flags)
		return -EINVAL;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	return fuse_filter_detach(fc, detach.id);
}

static bool fuse_backed_is(unsigned int cmd, unsigned int known)
{
	/* All of version 1 of each argument must be there */
	return extensible_ioctl_valid(cmd, known, _IOC_SIZE(known));
}

/**
 * fuse_backed_control - handle a request
 * @fc: connection, NULL for a device that is not mounted
 * @dir: directory that the request was made on, NULL if it was the device
 * @cmd: FUSE_IOC_*
 * @arg: address of the argument
 *
 * Return: as <linux/fuse_bpf.h> says; -ENOTTY for what is none of ours
 */
long fuse_backed_control(struct fuse_conn *fc, struct inode *dir,
			 unsigned int cmd, unsigned long arg)
{
	void __user *argp = (void __user *)arg;
	size_t size = _IOC_SIZE(cmd);

	if (_IOC_TYPE(cmd) != FUSE_BPF_IOC_MAGIC ||
	    _IOC_NR(cmd) < _IOC_NR(FUSE_IOC_QUERY))
		return -ENOTTY;
	if (fuse_backed_is(cmd, FUSE_IOC_QUERY))
		return fuse_backed_query(argp, size);
	if (!fc)
		return -ENODEV;
	if (fuse_backed_is(cmd, FUSE_IOC_STATS))
		return fuse_backed_stats(fc, argp, size);
	if (fuse_backed_is(cmd, FUSE_IOC_BACKING_OPEN))
		return fuse_backed_open_id(fc, argp, size);
	if (fuse_backed_is(cmd, FUSE_IOC_BACKING_CLOSE))
		return fuse_backed_close_id(fc, argp, size);
	if (fuse_backed_is(cmd, FUSE_IOC_FILTER_ATTACH))
		return fuse_backed_attach(fc, dir, argp, size);
	if (fuse_backed_is(cmd, FUSE_IOC_FILTER_DETACH))
		return fuse_backed_detach(fc, argp, size);
	if (fuse_backed_is(cmd, FUSE_IOC_FILTER_LIST))
		return fuse_backed_list(fc, argp, size);
	return -ENOTTY;
}

long fuse_backed_dir_ioctl(struct file *file, unsigned int cmd,
			   unsigned long arg)
{
	struct inode *inode = file_inode(file);

	return fuse_backed_control(get_fuse_conn(inode), inode, cmd, arg);
}
