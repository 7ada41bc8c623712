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
#include <linux/splice.h>

/**
 * fuse_backed_install - make a backing file that of an open file
 * @inode: backed inode
 * @file: file that is being opened on it
 * @backing: file on the backing, whose reference is taken over, also on failure
 *
 * Return: 0, -ENOMEM
 */
int fuse_backed_install(struct inode *inode, struct file *file,
			struct file *backing)
{
	struct fuse_file *ff = fuse_file_alloc(get_fuse_mount(inode), false);

	if (!ff) {
		fput(backing);
		return -ENOMEM;
	}
	ff->passthrough = backing;
	ff->cred = get_cred(fuse_backed_cred(inode));
	file->private_data = ff;
	file->f_mode |= backing->f_mode & FMODE_CAN_ODIRECT;
	return 0;
}

static int fuse_backed_open_backing(struct inode *inode, struct file *file)
{
	const struct path path = fuse_backed_path(inode);
	struct file *backing;

	backing = backing_file_open(file, file->f_flags | O_LARGEFILE, &path,
				    fuse_backed_cred(inode));
	if (IS_ERR(backing))
		return PTR_ERR(backing);

	fuse_backed_copyattr(inode);
	return fuse_backed_install(inode, file, backing);
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
	if (route == FUSE_ROUTE_DAEMON)
		return fuse_backed_open_daemon(inode, file);

	err = fuse_backed_open_backing(inode, file);
	fuse_backed_done(&call, err);
	return err;
}

/* The VFS answers FIONREAD from the size in our inode; keep up with the backing. */
static void fuse_backed_keep_size(struct inode *inode)
{
	const struct inode *real = d_inode(fuse_backed(inode)->dentry);

	if (i_size_read(inode) != i_size_read(real))
		fuse_backed_copyattr(inode);
}

static ssize_t fuse_backed_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	const struct fuse_backed_call call = {
		.opcode = FUSE_READ,
		.inode = file_inode(iocb->ki_filp),
	};
	ssize_t ret = fuse_passthrough_read_iter(iocb, to);

	fuse_backed_keep_size(call.inode);
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

/* May be called from a work queue, when asynchronous writes end. */
static void fuse_backed_end_write(struct kiocb *iocb, ssize_t ret)
{
	fuse_backed_copyattr(file_inode(iocb->ki_filp));
}

static ssize_t fuse_backed_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct file *file = iocb->ki_filp;
	struct inode *inode = file_inode(file);
	struct fuse_file *ff = file->private_data;
	const struct fuse_backed_call call = {
		.opcode = FUSE_WRITE,
		.inode = inode,
	};
	struct backing_file_ctx ctx = {
		.cred = ff->cred,
		.end_write = fuse_backed_end_write,
	};
	ssize_t ret;

	inode_lock(inode);
	/* S_ISUID and S_ISGID go by what the mode is now */
	fuse_backed_copyattr(inode);
	ret = backing_file_write_iter(ff->passthrough, from, iocb,
				      iocb->ki_flags, &ctx);
	inode_unlock(inode);
	fuse_backed_done(&call, ret == -EIOCBQUEUED ? 0 : ret);
	return ret;
}

static ssize_t fuse_backed_splice_write(struct pipe_inode_info *pipe,
					struct file *out, loff_t *ppos,
					size_t len, unsigned int flags)
{
	struct inode *inode = file_inode(out);
	struct fuse_file *ff = out->private_data;
	const struct fuse_backed_call call = {
		.opcode = FUSE_WRITE,
		.inode = inode,
	};
	struct backing_file_ctx ctx = {
		.cred = ff->cred,
		.end_write = fuse_backed_end_write,
	};
	struct kiocb iocb;
	ssize_t ret;

	inode_lock(inode);
	fuse_backed_copyattr(inode);
	init_sync_kiocb(&iocb, out);
	iocb.ki_pos = *ppos;
	ret = backing_file_splice_write(pipe, ff->passthrough, &iocb, len, flags,
					&ctx);
	*ppos = iocb.ki_pos;
	inode_unlock(inode);
	fuse_backed_done(&call, ret);
	return ret;
}

static int fuse_backed_mmap(struct file *file, struct vm_area_struct *vma)
{
	return fuse_passthrough_mmap(file, vma);
}

/**
 * fuse_backed_fsync - write out what was written, of a file or a directory
 * @file: open file on a backed inode
 * @start: first byte
 * @end: last byte
 * @datasync: only what it takes to read the data again
 *
 * Return: 0 or a negative errno
 */
int fuse_backed_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct inode *inode = file_inode(file);
	const struct fuse_file *ff = file->private_data;
	const struct fuse_backed_call call = {
		.opcode = S_ISDIR(inode->i_mode) ? FUSE_FSYNCDIR : FUSE_FSYNC,
		.inode = inode,
	};
	int err;

	scoped_with_creds(ff->cred)
		err = vfs_fsync_range(ff->passthrough, start, end, datasync);
	fuse_backed_done(&call, err);
	return err;
}

/* Advice is about the backing's page cache, where the pages are. */
static int fuse_backed_fadvise(struct file *file, loff_t offset, loff_t len,
			       int advice)
{
	const struct fuse_file *ff = file->private_data;
	int err;

	scoped_with_creds(ff->cred)
		err = vfs_fadvise(ff->passthrough, offset, len, advice);
	return err;
}

static long fuse_backed_fallocate(struct file *file, int mode, loff_t offset,
				  loff_t len)
{
	struct inode *inode = file_inode(file);
	const struct fuse_file *ff = file->private_data;
	const struct fuse_backed_call call = {
		.opcode = FUSE_FALLOCATE,
		.inode = inode,
	};
	int err;

	inode_lock(inode);
	fuse_backed_copyattr(inode);
	err = file_remove_privs(file);
	if (!err) {
		scoped_with_creds(ff->cred)
			err = vfs_fallocate(ff->passthrough, mode, offset, len);
		fuse_backed_copyattr(inode);
	}
	inode_unlock(inode);
	fuse_backed_done(&call, err);
	return err;
}

/*
 * The VFS calls this only if both files are open on backed inodes: it compares
 * the addresses of the operations.
 */
static ssize_t fuse_backed_copy_file_range(struct file *in, loff_t in_pos,
					   struct file *out, loff_t out_pos,
					   size_t len, unsigned int flags)
{
	struct inode *inode = file_inode(out);
	const struct fuse_file *ff = out->private_data;
	const struct fuse_backed_call call = {
		.opcode = FUSE_COPY_FILE_RANGE,
		.inode = inode,
	};
	ssize_t ret;

	inode_lock(inode);
	fuse_backed_copyattr(inode);
	ret = file_remove_privs(out);
	if (!ret) {
		scoped_with_creds(ff->cred)
			ret = vfs_copy_file_range(fuse_backed_real(in), in_pos,
						  ff->passthrough, out_pos, len,
						  flags);
		fuse_backed_copyattr(inode);
	}
	inode_unlock(inode);
	fuse_backed_done(&call, ret);
	return ret;
}

static loff_t fuse_backed_remap_backing(struct file *in, loff_t in_pos,
					struct file *out, loff_t out_pos,
					loff_t len, unsigned int flags)
{
	if (flags & REMAP_FILE_DEDUP)
		return vfs_dedupe_file_range_one(in, in_pos, out, out_pos, len,
						 flags);
	return vfs_clone_file_range(in, in_pos, out, out_pos, len, flags);
}

static loff_t fuse_backed_remap_file_range(struct file *in, loff_t in_pos,
					   struct file *out, loff_t out_pos,
					   loff_t len, unsigned int flags)
{
	struct inode *inode = file_inode(out);
	const struct fuse_file *ff = out->private_data;
	const struct fuse_backed_call call = {
		.opcode = FUSE_COPY_FILE_RANGE,
		.inode = inode,
	};
	loff_t ret = 0;

	if (flags & ~(REMAP_FILE_DEDUP | REMAP_FILE_ADVISORY))
		return -EINVAL;
	if (in->f_op != out->f_op)
		return -EXDEV;

	inode_lock(inode);
	fuse_backed_copyattr(inode);
	if (!(flags & REMAP_FILE_DEDUP))
		ret = file_remove_privs(out);
	if (!ret) {
		scoped_with_creds(ff->cred)
			ret = fuse_backed_remap_backing(fuse_backed_real(in),
							in_pos, ff->passthrough,
							out_pos, len, flags);
		fuse_backed_copyattr(inode);
	}
	inode_unlock(inode);
	fuse_backed_done(&call, ret);
	return ret;
}

const struct file_operations fuse_backed_file_fops = {
	.llseek		= fuse_backed_llseek,
	.read_iter	= fuse_backed_read_iter,
	.write_iter	= fuse_backed_write_iter,
	.splice_read	= fuse_backed_splice_read,
	.splice_write	= fuse_backed_splice_write,
	.mmap		= fuse_backed_mmap,
	.open		= fuse_backed_open,
	.flush		= fuse_backed_flush,
	.release	= fuse_backed_release,
	.fsync		= fuse_backed_fsync,
	.lock		= fuse_backed_lock,
	.flock		= fuse_backed_flock,
	.fallocate	= fuse_backed_fallocate,
	.fadvise	= fuse_backed_fadvise,
	.copy_file_range = fuse_backed_copy_file_range,
	.remap_file_range = fuse_backed_remap_file_range,
	.get_unmapped_area = thp_get_unmapped_area,
};
