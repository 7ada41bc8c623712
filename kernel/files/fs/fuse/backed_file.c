// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backed inodes: files.
 *
 * An open file is a struct fuse_file in passthrough mode whose backing file the
 * kernel opened by itself.
 */

#include "backed.h"
#include "filter_redact.h"

#include <linux/backing-file.h>
#include <linux/file.h>
#include <linux/splice.h>
#include <linux/task_io_accounting_ops.h>

/*
 * The limit is compared with what this CPU knows of the sum, and with the sum itself
 * only near the limit. Of several that come at once to a limit, all may fail.
 */
static bool fuse_backed_files_inc(struct fuse_backed_conn *fbc)
{
	unsigned int max = READ_ONCE(fbc->max_files);

	percpu_counter_inc(&fbc->files);
	if (!max || percpu_counter_compare(&fbc->files, max) <= 0)
		return true;

	percpu_counter_dec(&fbc->files);
	return false;
}

/**
 * fuse_backed_open_files - how many files are open on the backing?
 * @fc: connection
 *
 * Return: files that fuse_backed_install() was given and that are not released
 */
unsigned int fuse_backed_open_files(struct fuse_conn *fc)
{
	struct fuse_backed_conn *fbc = READ_ONCE(fc->backed);

	return fbc ? percpu_counter_sum_positive(&fbc->files) : 0;
}

/**
 * fuse_backed_uninstall - undo fuse_backed_install(), and what the daemon opened since
 * @file: open file that nobody else uses
 */
void fuse_backed_uninstall(struct file *file)
{
	struct fuse_file *ff = file->private_data;

	percpu_counter_dec(&ff->fm->fc->backed->files);
	if (ff->args) {
		/* Sends the request, and frees all when that is answered */
		fuse_release_common(file, S_ISDIR(file_inode(file)->i_mode));
		return;
	}
	fuse_passthrough_release(ff, NULL);
	/* Only readahead and writeback take more, which a backed inode is without */
	if (!WARN_ON_ONCE(!refcount_dec_and_test(&ff->count)))
		fuse_file_free(ff);
}

/*
 * Each write says of itself whether it appends, as RWF_NOAPPEND decides that too. The
 * flag stays, by which writes elsewhere to an append-only file are refused. Others may
 * be reading and writing by these flags: they change at once.
 */
static void fuse_backed_set_iocb_flags(struct file *backing)
{
	WRITE_ONCE(backing->f_iocb_flags, iocb_flags(backing) & ~IOCB_APPEND);
}

/**
 * fuse_backed_change_flags - as fuse_backed_follow_flags(), where flags differ
 * @file: open file
 * @backing: its file on the backing
 *
 * They also differ for as long as the mount is one without access times. fcntl(2) has
 * asked our inode, not the backing's, whether it is append-only: then the flag stays, and
 * with it what backing_file_write_iter() refuses.
 */
void fuse_backed_change_flags(const struct file *file, struct file *backing)
{
	unsigned int flags = READ_ONCE(file->f_flags) | fuse_backed_atime_flags(file);

	if (IS_APPEND(file_inode(backing)))
		flags |= READ_ONCE(backing->f_flags) & O_APPEND;
	flags &= FUSE_BACKED_SETFL;
	if (flags == (READ_ONCE(backing->f_flags) & FUSE_BACKED_SETFL))
		return;

	spin_lock(&backing->f_lock);
	WRITE_ONCE(backing->f_flags, (backing->f_flags & ~FUSE_BACKED_SETFL) | flags);
	fuse_backed_set_iocb_flags(backing);
	spin_unlock(&backing->f_lock);
}

/**
 * fuse_backed_install - make a backing file that of an open file
 * @inode: backed inode
 * @file: file that is being opened on it
 * @backing: file on the backing, whose reference is taken over, also on failure
 *
 * Return: 0, -ENOMEM, -ENFILE too many files are open in this way
 */
int fuse_backed_install(struct inode *inode, struct file *file,
			struct file *backing)
{
	struct fuse_mount *fm = get_fuse_mount(inode);
	struct fuse_file *ff;

	if (!fuse_backed_files_inc(fm->fc->backed)) {
		fput(backing);
		return fuse_backed_refuse(inode, FUSE_OPEN, FUSE_REFUSED_FILES,
					  -ENFILE);
	}

	ff = fuse_file_alloc(fm, false);
	if (!ff) {
		percpu_counter_dec(&fm->fc->backed->files);
		fput(backing);
		return -ENOMEM;
	}
	fuse_backed_set_iocb_flags(backing);
	ff->passthrough = backing;
	ff->cred = get_cred(fuse_backed_cred(inode));
	file->private_data = ff;
	file->f_mode |= backing->f_mode & (FMODE_CAN_ODIRECT | FMODE_NOWAIT);
	return 0;
}

static int fuse_backed_open_backing(struct inode *inode, struct file *file)
{
	const struct path path = fuse_backed_path(inode);
	struct file *backing;

	backing = backing_file_open(file, file->f_flags | O_LARGEFILE |
				    fuse_backed_atime_flags(file), &path,
				    fuse_backed_cred(inode));
	if (IS_ERR(backing))
		return PTR_ERR(backing);

	fuse_backed_copyattr(inode);
	return fuse_backed_install(inode, file, backing);
}

static noinline int fuse_backed_open_asking(struct inode *inode, struct file *file)
{
	const struct fuse_open_in in = {
		.flags = file->f_flags & ~(O_CREAT | O_EXCL | O_NOCTTY),
	};
	u32 add_flags = 0;
	struct fuse_filter_args args = { .add_open_flags = &add_flags };
	struct fuse_backed_call call = {
		.opcode = FUSE_OPEN,
		.inode = inode,
		.in = &in,
		.args = &args,
	};
	int route, err, ret;

	route = fuse_backed_route(&call);
	if (route < 0)
		return route;
	/* A registration without files: all that is done with them is the daemon's */
	if (route == FUSE_ROUTE_DAEMON && !fuse_backed_opens(inode))
		return fuse_backed_open_daemon(inode, file);

	file->f_flags |= add_flags;
	err = fuse_backed_open_backing(inode, file);
	ret = fuse_backed_finish_open(&call, file, route, err);
	if (ret && !err)
		fuse_backed_uninstall(file);
	return ret;
}

static int fuse_backed_open(struct inode *inode, struct file *file)
{
	int err;

	err = generic_file_open(inode, file);
	if (err)
		return err;

	if (!fuse_backed_straight(inode, NULL, FUSE_OPEN))
		return fuse_backed_open_asking(inode, file);

	err = fuse_backed_open_backing(inode, file);
	fuse_backed_count(get_fuse_conn(inode), FUSE_OPEN, err);
	return err;
}

static int fuse_backed_ask_bytes(struct inode *inode, struct file *file, u32 opcode,
				 loff_t offset, u64 size,
				 struct fuse_filter_ranges *ranges)
{
	const struct fuse_filter_io in = { .offset = offset, .size = size };
	struct fuse_filter_args args = { .ranges = ranges };
	struct fuse_backed_call call = {
		.opcode = opcode,
		.inode = inode,
		.in = &in,
		.args = &args,
		.file = file,
	};

	return fuse_backed_verdict(&call);
}

/*
 * Ask who answers for bytes of a file. Where something else than the backing's answer
 * would be wanted for some of them, @ranges notes which.
 */
static int fuse_backed_ask(struct file *file, u32 opcode, loff_t offset, u64 size,
			   struct fuse_filter_ranges *ranges)
{
	return fuse_backed_ask_bytes(file_inode(file), file, opcode, offset, size, ranges);
}

/* The VFS answers FIONREAD from the size in our inode; keep up with the backing. */
static void fuse_backed_keep_size(struct inode *inode)
{
	const struct inode *real = d_inode(fuse_backed(inode)->dentry);

	if (i_size_read(inode) != i_size_read(real))
		fuse_backed_copyattr(inode);
}

/*
 * What the daemon says is not cached anywhere, and asynchronous requests are complete
 * when this returns.
 */
static ssize_t fuse_backed_read_daemon(struct kiocb *iocb, struct iov_iter *to,
				       const struct fuse_filter_ranges *ranges)
{
	struct fuse_io_priv io = FUSE_IO_PRIV_SYNC(iocb);

	/* To redact is to know what is read, and from whom */
	if (ranges->nr)
		return -EACCES;
	if (iocb->ki_flags & IOCB_NOWAIT)
		return -EAGAIN;
	return fuse_direct_io(&io, to, &iocb->ki_pos, 0);
}

static noinline ssize_t fuse_backed_read_asking(struct kiocb *iocb, struct iov_iter *to)
{
	const struct fuse_file *ff = iocb->ki_filp->private_data;
	const struct fuse_filter_io in = {
		.offset = iocb->ki_pos,
		.size = iov_iter_count(to),
	};
	struct fuse_filter_ranges ranges;
	struct fuse_filter_args args = { .ranges = &ranges };
	struct fuse_backed_call call = {
		.opcode = FUSE_READ,
		.inode = file_inode(iocb->ki_filp),
		.in = &in,
		.args = &args,
		.file = iocb->ki_filp,
	};
	ssize_t ret;

	fuse_filter_ranges_init(&ranges);
	ret = fuse_backed_route(&call);
	if (ret < 0)
		return ret;
	if (ret == FUSE_ROUTE_DAEMON)
		return fuse_backed_answered(&call, fuse_backed_read_daemon(iocb, to,
									   &ranges));

	fuse_backed_follow_flags(iocb->ki_filp);
	/* A postfilter is not called before there is a result */
	if (unlikely(ranges.nr || (call.post && !is_sync_kiocb(iocb)))) {
		scoped_with_creds(ff->cred)
			ret = fuse_filter_read_redacted(iocb, to, ff->passthrough,
							&ranges);
	} else {
		ret = fuse_passthrough_read_iter(iocb, to);
	}
	fuse_backed_keep_size(call.inode);
	if (ret == -EIOCBQUEUED) {
		fuse_backed_account(&call, ret);
		return ret;
	}
	return fuse_backed_done(&call, ret);
}

static ssize_t fuse_backed_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct file *file = iocb->ki_filp;
	struct inode *inode = file_inode(file);
	ssize_t ret;

	if (!fuse_backed_straight(inode, file, FUSE_READ))
		return fuse_backed_read_asking(iocb, to);

	fuse_backed_follow_flags(file);
	ret = fuse_passthrough_read_iter(iocb, to);
	fuse_backed_keep_size(inode);
	fuse_backed_count(get_fuse_conn(inode), FUSE_READ, ret);
	return ret;
}

static ssize_t fuse_backed_splice_read(struct file *in, loff_t *ppos,
				       struct pipe_inode_info *pipe, size_t len,
				       unsigned int flags)
{
	const struct fuse_filter_io io = { .offset = *ppos, .size = len };
	struct fuse_filter_ranges ranges;
	struct fuse_filter_args args = { .ranges = &ranges };
	struct fuse_backed_call call = {
		.opcode = FUSE_READ,
		.inode = file_inode(in),
		.in = &io,
		.args = &args,
		.file = in,
	};
	ssize_t ret;

	fuse_filter_ranges_init(&ranges);
	ret = fuse_backed_verdict(&call);
	if (ret < 0)
		return ret;
	/*
	 * Pages of the backing's cache are not for the pipe then: read(2) fills
	 * others, and asks once more.
	 */
	if (unlikely(ret == FUSE_ROUTE_DAEMON || ranges.nr))
		return copy_splice_read(in, ppos, pipe, len, flags);

	fuse_backed_follow_flags(in);
	ret = fuse_passthrough_splice_read(in, ppos, pipe, len, flags);
	return fuse_backed_done(&call, ret);
}

/* May be called from a work queue, when asynchronous writes end. */
static void fuse_backed_end_write(struct kiocb *iocb, ssize_t ret)
{
	fuse_backed_copyattr(file_inode(iocb->ki_filp));
}

static ssize_t fuse_backed_write_backing(struct kiocb *iocb, struct iov_iter *from,
					 int flags)
{
	const struct fuse_file *ff = iocb->ki_filp->private_data;
	struct backing_file_ctx ctx = {
		.cred = ff->cred,
		.end_write = fuse_backed_end_write,
	};

	return backing_file_write_iter(ff->passthrough, from, iocb, flags, &ctx);
}

/* As fuse_backed_write_backing(), but the result is there on return. */
static ssize_t fuse_backed_write_wait(struct kiocb *iocb, struct iov_iter *from)
{
	struct kiocb sync;
	ssize_t ret;

	if (iocb->ki_flags & IOCB_NOWAIT)
		return -EAGAIN;

	init_sync_kiocb(&sync, iocb->ki_filp);
	sync.ki_pos = iocb->ki_pos;
	ret = fuse_backed_write_backing(&sync, from, iocb->ki_flags);
	iocb->ki_pos = sync.ki_pos;
	return ret;
}

/* Lock our inode for a write; -EAGAIN if that cannot be done without waiting. */
static int fuse_backed_lock_for_write(struct inode *inode, const struct kiocb *iocb)
{
	if (!(iocb->ki_flags & IOCB_NOWAIT))
		inode_lock(inode);
	else if (!inode_trylock(inode))
		return -EAGAIN;

	/* S_ISUID and S_ISGID go by what the mode is now */
	fuse_backed_copyattr(inode);
	if (!(iocb->ki_flags & IOCB_NOWAIT) || IS_NOSEC(inode))
		return 0;

	/* Taking privileges away may wait */
	inode_unlock(inode);
	return -EAGAIN;
}

static struct fuse_filter_io fuse_backed_write_range(const struct kiocb *iocb,
						     size_t size)
{
	const struct inode *real = d_inode(fuse_backed(file_inode(iocb->ki_filp))->dentry);
	bool append = iocb->ki_flags & IOCB_APPEND;

	return (struct fuse_filter_io) {
		.offset = append ? i_size_read(real) : iocb->ki_pos,
		.size = size,
		.flags = append ? FUSE_FILTER_IO_APPEND : 0,
	};
}

/* Limits, and where an append goes, follow from the size that the backing has. */
static ssize_t fuse_backed_write_daemon(struct kiocb *iocb, struct iov_iter *from)
{
	struct fuse_io_priv io = FUSE_IO_PRIV_SYNC(iocb);
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t ret;

	if (iocb->ki_flags & IOCB_NOWAIT)
		return -EAGAIN;

	inode_lock(inode);
	fuse_backed_copyattr(inode);
	ret = generic_write_checks(iocb, from);
	if (ret > 0) {
		task_io_account_write(ret);
		ret = fuse_direct_io(&io, from, &iocb->ki_pos, FUSE_DIO_WRITE);
	}
	fuse_backed_copyattr(inode);
	inode_unlock(inode);
	return ret;
}

static noinline ssize_t fuse_backed_write_asking(struct kiocb *iocb,
						 struct iov_iter *from)
{
	const struct fuse_filter_io in =
		fuse_backed_write_range(iocb, iov_iter_count(from));
	struct inode *inode = file_inode(iocb->ki_filp);
	struct fuse_backed_call call = {
		.opcode = FUSE_WRITE,
		.inode = inode,
		.in = &in,
		.file = iocb->ki_filp,
	};
	ssize_t ret;

	ret = fuse_backed_route(&call);
	if (ret == FUSE_ROUTE_DAEMON)
		return fuse_backed_answered(&call, fuse_backed_write_daemon(iocb, from));
	if (!ret)
		ret = fuse_backed_lock_for_write(inode, iocb);
	if (ret)
		return ret;

	fuse_backed_follow_flags(iocb->ki_filp);
	/* A postfilter is not called before there is a result */
	if (unlikely(call.post && !is_sync_kiocb(iocb)))
		ret = fuse_backed_write_wait(iocb, from);
	else
		ret = fuse_backed_write_backing(iocb, from, iocb->ki_flags);
	inode_unlock(inode);
	if (ret == -EIOCBQUEUED) {
		fuse_backed_account(&call, ret);
		return ret;
	}
	return fuse_backed_done(&call, ret);
}

static ssize_t fuse_backed_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct file *file = iocb->ki_filp;
	struct inode *inode = file_inode(file);
	ssize_t ret;

	if (!fuse_backed_straight(inode, file, FUSE_WRITE))
		return fuse_backed_write_asking(iocb, from);

	ret = fuse_backed_lock_for_write(inode, iocb);
	if (ret)
		return ret;

	fuse_backed_follow_flags(file);
	ret = fuse_backed_write_backing(iocb, from, iocb->ki_flags);
	inode_unlock(inode);
	fuse_backed_count(get_fuse_conn(inode), FUSE_WRITE, ret);
	return ret;
}

static ssize_t fuse_backed_splice_write(struct pipe_inode_info *pipe,
					struct file *out, loff_t *ppos,
					size_t len, unsigned int flags)
{
	struct inode *inode = file_inode(out);
	struct fuse_file *ff = out->private_data;
	const struct fuse_filter_io in = { .offset = *ppos, .size = len };
	struct fuse_backed_call call = {
		.opcode = FUSE_WRITE,
		.inode = inode,
		.in = &in,
		.file = out,
	};
	struct backing_file_ctx ctx = {
		.cred = ff->cred,
		.end_write = fuse_backed_end_write,
	};
	struct kiocb iocb;
	ssize_t ret;

	ret = fuse_backed_verdict(&call);
	if (ret < 0)
		return ret;
	/* By way of write(2), which asks once more */
	if (ret == FUSE_ROUTE_DAEMON)
		return iter_file_splice_write(pipe, out, ppos, len, flags);

	inode_lock(inode);
	fuse_backed_copyattr(inode);
	init_sync_kiocb(&iocb, out);
	iocb.ki_pos = *ppos;
	fuse_backed_follow_flags(out);
	ret = backing_file_splice_write(pipe, ff->passthrough, &iocb, len, flags,
					&ctx);
	*ppos = iocb.ki_pos;
	inode_unlock(inode);
	return fuse_backed_done(&call, ret);
}

/*
 * Ask about all of a file that is to be mapped. If the daemon passes it through at all,
 * a mapping is the backing's, whoever reads and writes.
 */
static int fuse_backed_ask_map(struct file *file, u32 opcode,
			       struct fuse_filter_ranges *ranges)
{
	const struct fuse_file *ff = file->private_data;

	return fuse_backed_ask_bytes(file_inode(file),
				     ff->open_flags & FOPEN_PASSTHROUGH ? NULL : file,
				     opcode, 0, S64_MAX, ranges);
}

/*
 * A mapping is there for longer than any answer, and can grow: what must not be
 * read anywhere in the file cannot be mapped.
 */
static int fuse_backed_may_map(struct file *file, struct vm_area_struct *vma)
{
	struct fuse_filter_ranges ranges;
	int err;

	fuse_filter_ranges_init(&ranges);
	err = fuse_backed_ask_map(file, FUSE_READ, &ranges);
	if (err)
		return err < 0 ? err : -EIO;
	if (ranges.nr)
		return -EACCES;
	if (!fuse_filter_writable(vma))
		return 0;

	err = fuse_backed_ask_map(file, FUSE_WRITE, NULL);
	return fuse_filter_limit_map(vma, err > 0 ? -EIO : err);
}

static int fuse_backed_mmap(struct file *file, struct vm_area_struct *vma)
{
	const struct fuse_filter_mmap in = fuse_filter_mapping(vma);
	struct inode *inode = file_inode(file);
	struct fuse_backed_call call = {
		.opcode = FUSE_FILTER_OP_MMAP,
		.inode = inode,
		.in = &in,
	};
	int err;

	if (fuse_backed_noexec(inode)) {
		if (vma->vm_flags & VM_EXEC)
			return fuse_backed_refuse(inode, FUSE_READ,
						  FUSE_REFUSED_MOUNT_FLAGS,
						  -EPERM);
		vm_flags_clear(vma, VM_MAYEXEC);
	}

	err = fuse_backed_route_backing(&call);
	if (!err)
		err = fuse_backed_may_map(file, vma);
	if (err)
		return err;

	fuse_backed_follow_flags(file);
	err = fuse_passthrough_mmap(file, vma);
	fuse_backed_account(&call, err);
	return err;
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
	const struct fuse_fsync_in in = {
		.fsync_flags = datasync ? FUSE_FSYNC_FDATASYNC : 0,
	};
	struct fuse_backed_call call = {
		.opcode = S_ISDIR(inode->i_mode) ? FUSE_FSYNCDIR : FUSE_FSYNC,
		.inode = inode,
		.in = &in,
		.file = file,
	};
	int err;

	err = fuse_backed_route(&call);
	if (err < 0)
		return err;
	if (err == FUSE_ROUTE_DAEMON) {
		err = call.opcode == FUSE_FSYNCDIR ?
			fuse_dir_fsync(file, start, end, datasync) :
			fuse_fsync(file, start, end, datasync);
		return fuse_backed_answered(&call, err);
	}

	scoped_with_creds(ff->cred)
		err = vfs_fsync_range(ff->passthrough, start, end, datasync);
	return fuse_backed_done(&call, err);
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

/*
 * Lock our inode for a change of the file's data, and take away privileges that do
 * not outlive one.
 */
static int fuse_backed_begin_change(struct file *file)
{
	struct inode *inode = file_inode(file);
	int err;

	inode_lock(inode);
	fuse_backed_copyattr(inode);
	fuse_backed_follow_flags(file);
	err = file_remove_privs(file);
	if (err)
		inode_unlock(inode);
	return err;
}

static void fuse_backed_end_change(struct inode *inode)
{
	fuse_backed_copyattr(inode);
	inode_unlock(inode);
}

static long fuse_backed_fallocate(struct file *file, int mode, loff_t offset,
				  loff_t len)
{
	struct inode *inode = file_inode(file);
	const struct fuse_file *ff = file->private_data;
	const struct fuse_fallocate_in in = {
		.offset = offset,
		.length = len,
		.mode = mode,
	};
	struct fuse_backed_call call = {
		.opcode = FUSE_FALLOCATE,
		.inode = inode,
		.in = &in,
		.file = file,
	};
	int err;

	err = fuse_backed_route(&call);
	if (err == FUSE_ROUTE_DAEMON) {
		err = fuse_file_fallocate(file, mode, offset, len);
		fuse_backed_copyattr(inode);
		return fuse_backed_answered(&call, err);
	}
	if (!err)
		err = fuse_backed_begin_change(file);
	if (err)
		return err;

	scoped_with_creds(ff->cred)
		err = vfs_fallocate(ff->passthrough, mode, offset, len);
	fuse_backed_end_change(inode);
	return fuse_backed_done(&call, err);
}

/*
 * Ask about a copy as what it is, and as a read and a write. @pieces says that some
 * of the source reads as zero, or is read or written by the daemon.
 */
static int fuse_backed_may_copy(struct fuse_backed_call *call, struct file *in,
				struct file *out, bool *pieces)
{
	const struct fuse_copy_file_range_in *copy = call->in;
	/* FICLONE has no length for "all" */
	u64 len = copy->len ?: S64_MAX;
	struct fuse_filter_ranges ranges;
	int route, from, to;

	fuse_filter_ranges_init(&ranges);
	route = fuse_backed_verdict(call);
	if (route < 0)
		return route;
	from = fuse_backed_ask(in, FUSE_READ, copy->off_in, len, &ranges);
	if (from < 0)
		return from;
	to = fuse_backed_ask(out, FUSE_WRITE, copy->off_out, len, NULL);
	if (to < 0)
		return to;
	*pieces = ranges.nr || from == FUSE_ROUTE_DAEMON || to == FUSE_ROUTE_DAEMON;
	/* The daemon knows nothing of what is to read as zero */
	return ranges.nr ? FUSE_ROUTE_BACKING : route;
}

static ssize_t fuse_backed_copy_daemon(struct fuse_backed_call *call,
				       struct file *in, loff_t in_pos,
				       struct file *out, loff_t out_pos,
				       size_t len, unsigned int flags)
{
	ssize_t ret;

	ret = fuse_backed_open_server(in);
	if (!ret)
		ret = fuse_backed_open_server(out);
	if (ret)
		return ret;

	ret = fuse_copy_file_range(in, in_pos, out, out_pos, len, flags);
	fuse_backed_copyattr(file_inode(out));
	return fuse_backed_answered(call, ret);
}

static ssize_t fuse_backed_copy_backing(struct file *in, loff_t in_pos,
					struct file *out, loff_t out_pos,
					size_t len, unsigned int flags)
{
	const struct fuse_file *ff = out->private_data;
	ssize_t ret;

	ret = fuse_backed_begin_change(out);
	if (ret)
		return ret;

	scoped_with_creds(ff->cred)
		ret = vfs_copy_file_range(fuse_backed_real(in), in_pos,
					  ff->passthrough, out_pos, len, flags);
	fuse_backed_end_change(file_inode(out));
	return ret;
}

static struct fuse_copy_file_range_in
fuse_backed_copy_in(loff_t in_pos, const struct file *out, loff_t out_pos,
		    loff_t len, unsigned int flags)
{
	return (struct fuse_copy_file_range_in) {
		.off_in = in_pos,
		.nodeid_out = fuse_backed_node_id(file_inode(out)),
		.off_out = out_pos,
		.len = len,
		.flags = flags,
	};
}

/*
 * The VFS calls this only if both files are open on backed inodes: it compares
 * the addresses of the operations.
 */
static ssize_t fuse_backed_copy_file_range(struct file *in, loff_t in_pos,
					   struct file *out, loff_t out_pos,
					   size_t len, unsigned int flags)
{
	const struct fuse_copy_file_range_in copy =
		fuse_backed_copy_in(in_pos, out, out_pos, len, flags);
	struct fuse_backed_call call = {
		.opcode = FUSE_COPY_FILE_RANGE,
		.inode = file_inode(in),
		.in = &copy,
		.file = in,
	};
	bool pieces;
	ssize_t ret;

	ret = fuse_backed_may_copy(&call, in, out, &pieces);
	if (ret < 0)
		return ret;
	if (ret == FUSE_ROUTE_DAEMON)
		return fuse_backed_copy_daemon(&call, in, in_pos, out, out_pos, len,
					       flags);
	/* By way of read and write, which know what not to read, and whom to ask */
	if (pieces)
		ret = splice_copy_file_range(in, in_pos, out, out_pos, len);
	else
		ret = fuse_backed_copy_backing(in, in_pos, out, out_pos, len, flags);
	return fuse_backed_done(&call, ret);
}

static loff_t fuse_backed_remap_backing(struct file *in, loff_t in_pos,
					struct file *out, loff_t out_pos,
					loff_t len, unsigned int flags)
{
	const struct fuse_file *ff = out->private_data;

	scoped_with_creds(ff->cred) {
		if (flags & REMAP_FILE_DEDUP)
			return vfs_dedupe_file_range_one(in, in_pos,
							 ff->passthrough, out_pos,
							 len, flags);
		return vfs_clone_file_range(in, in_pos, ff->passthrough, out_pos,
					    len, flags);
	}
}

static int fuse_backed_may_compare(struct file *file, loff_t pos, loff_t len)
{
	struct fuse_filter_ranges ranges;
	int err;

	fuse_filter_ranges_init(&ranges);
	err = fuse_backed_ask(file, FUSE_READ, pos, len ?: S64_MAX, &ranges);
	return err < 0 ? err : err || ranges.nr ? -EACCES : 0;
}

/* Sharing bytes that are the same is no change of data */
static int fuse_backed_begin_remap(struct file *out, unsigned int flags)
{
	if (!(flags & REMAP_FILE_DEDUP))
		return fuse_backed_begin_change(out);

	inode_lock(file_inode(out));
	return 0;
}

static loff_t fuse_backed_remap_file_range(struct file *in, loff_t in_pos,
					   struct file *out, loff_t out_pos,
					   loff_t len, unsigned int flags)
{
	const struct fuse_copy_file_range_in copy =
		fuse_backed_copy_in(in_pos, out, out_pos, len, flags);
	struct fuse_backed_call call = {
		.opcode = FUSE_COPY_FILE_RANGE,
		.inode = file_inode(in),
		.in = &copy,
		.file = in,
	};
	bool pieces;
	loff_t ret;

	if (flags & ~(REMAP_FILE_DEDUP | REMAP_FILE_ADVISORY))
		return -EINVAL;
	if (in->f_op != out->f_op)
		return -EXDEV;

	ret = fuse_backed_may_copy(&call, in, out, &pieces);
	/* There is no request for it */
	if (ret == FUSE_ROUTE_DAEMON)
		ret = -EOPNOTSUPP;
	/* To share bytes is to read them, and to compare them is to read both */
	if (!ret && pieces)
		ret = -EACCES;
	if (!ret && flags & REMAP_FILE_DEDUP)
		ret = fuse_backed_may_compare(out, out_pos, len);
	if (!ret)
		ret = fuse_backed_begin_remap(out, flags);
	if (ret)
		return ret;

	ret = fuse_backed_remap_backing(fuse_backed_real(in), in_pos, out, out_pos,
					len, flags);
	fuse_backed_end_change(file_inode(out));
	return fuse_backed_done(&call, ret);
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
	.unlocked_ioctl	= fuse_backed_ioctl,
	.compat_ioctl	= fuse_backed_compat_ioctl,
	.fallocate	= fuse_backed_fallocate,
	.fadvise	= fuse_backed_fadvise,
	.copy_file_range = fuse_backed_copy_file_range,
	.remap_file_range = fuse_backed_remap_file_range,
	.get_unmapped_area = thp_get_unmapped_area,
};
