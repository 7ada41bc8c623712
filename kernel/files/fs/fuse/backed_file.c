// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backed inodes: files.
 *
 * An open file is a struct fuse_file in passthrough mode whose backing file the
 * kernel opened by itself.
 */

#include "backed.h"

#include <linux/backing-file.h>
#include <linux/file.h>
#include <linux/filelock.h>

static int fuse_backed_open_backing(struct inode *inode, struct file *file)
{
	const struct path path = fuse_backed_path(inode);
	const struct cred *cred = fuse_backed_cred(inode);
	struct fuse_file *ff;
	struct file *backing;

	ff = fuse_file_alloc(get_fuse_mount(inode), false);
	if (!ff)
		return -ENOMEM;

	backing = backing_file_open(file, file->f_flags | O_LARGEFILE, &path,
				    cred);
	if (IS_ERR(backing)) {
		fuse_file_free(ff);
		return PTR_ERR(backing);
	}

	ff->passthrough = backing;
	ff->cred = get_cred(cred);
	file->private_data = ff;
	fuse_backed_copyattr(inode);
	return 0;
}

static int fuse_backed_open(struct inode *inode, struct file *file)
{
	const struct fuse_open_in in = {
		.flags = file->f_flags & ~(O_CREAT | O_EXCL | O_NOCTTY),
	};
	const struct fuse_backed_call call = {
		.opcode = FUSE_OPEN,
		.inode = inode,
		.in = &in,
	};
	int route;
	int err;

	err = generic_file_open(inode, file);
	if (err)
		return err;

	route = fuse_backed_route(&call);
	if (route < 0)
		return route;
	/* The daemon has neither a name for the inode nor a handle for the file */
	if (route == FUSE_ROUTE_DAEMON)
		return -EIO;

	err = fuse_backed_open_backing(inode, file);
	fuse_backed_done(&call, err);
	return err;
}

static ssize_t fuse_backed_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	const struct fuse_backed_call call = {
		.opcode = FUSE_READ,
		.inode = file_inode(iocb->ki_filp),
	};
	ssize_t ret = fuse_passthrough_read_iter(iocb, to);

	fuse_backed_done(&call, ret == -EIOCBQUEUED ? 0 : ret);
	return ret;
}

static ssize_t fuse_backed_splice_read(struct file *in, loff_t *ppos,
				       struct pipe_inode_info *pipe, size_t len,
				       unsigned int flags)
{
	const struct fuse_backed_call call = {
		.opcode = FUSE_READ,
		.inode = file_inode(in),
	};
	ssize_t ret = fuse_passthrough_splice_read(in, ppos, pipe, len, flags);

	fuse_backed_done(&call, ret);
	return ret;
}

static int fuse_backed_mmap(struct file *file, struct vm_area_struct *vma)
{
	return fuse_passthrough_mmap(file, vma);
}

/*
 * Locks must be shared with direct users of the backing. As long as they are
 * not, no lock is better than one that does not hold.
 */
static int fuse_backed_lock(struct file *file, int cmd, struct file_lock *fl)
{
	return -EOPNOTSUPP;
}

const struct file_operations fuse_backed_file_fops = {
	.llseek		= fuse_backed_llseek,
	.read_iter	= fuse_backed_read_iter,
	.splice_read	= fuse_backed_splice_read,
	.mmap		= fuse_backed_mmap,
	.open		= fuse_backed_open,
	.release	= fuse_backed_release,
	.lock		= fuse_backed_lock,
	.flock		= fuse_backed_lock,
	.get_unmapped_area = thp_get_unmapped_area,
};
