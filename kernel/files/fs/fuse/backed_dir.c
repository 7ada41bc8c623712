// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backed inodes: reading directories.
 */

#include "backed.h"
#include "filter.h"

#include <linux/file.h>
#include <linux/sched/signal.h>

static int fuse_backed_dir_open_backing(struct inode *inode, struct file *file)
{
	const struct path path = fuse_backed_path(inode);
	struct file *backing;

	backing = dentry_open(&path, O_RDONLY | O_DIRECTORY | O_LARGEFILE |
			      fuse_backed_atime_flags(file),
			      fuse_backed_cred(inode));
	if (IS_ERR(backing))
		return PTR_ERR(backing);
	return fuse_backed_install(inode, file, backing);
}

static noinline int fuse_backed_dir_open_asking(struct inode *inode, struct file *file)
{
	const struct fuse_open_in in = {
		.flags = file->f_flags & ~(O_CREAT | O_EXCL | O_NOCTTY),
	};
	struct fuse_backed_call call = {
		.opcode = FUSE_OPENDIR,
		.inode = inode,
		.in = &in,
	};
	int route, err, ret;

	route = fuse_backed_route(&call);
	if (route < 0)
		return route;

	err = fuse_backed_dir_open_backing(inode, file);
	ret = fuse_backed_finish_open(&call, file, route, err);
	if (ret && !err)
		fuse_backed_uninstall(file);
	return ret;
}

static int fuse_backed_dir_open(struct inode *inode, struct file *file)
{
	int err;

	if (!fuse_backed_spells(fuse_backed(inode)->dentry))
		return fuse_backed_refuse(inode, FUSE_OPENDIR,
					  FUSE_REFUSED_SPELLINGS, -EOPNOTSUPP);

	if (!fuse_backed_straight(inode, NULL, FUSE_OPENDIR))
		return fuse_backed_dir_open_asking(inode, file);

	err = fuse_backed_dir_open_backing(inode, file);
	fuse_backed_count(get_fuse_conn(inode), FUSE_OPENDIR, err);
	return err;
}

/**
 * fuse_backed_finish_open - end an open, with the daemon if it is to open the file
 * @call: the operation
 * @file: the file, which was opened on the backing
 * @route: who is to open it
 * @err: 0, or why it could not be opened on the backing
 *
 * Return: result of the open. If it is not 0 where @err was, the file is still open
 * on the backing.
 */
int fuse_backed_finish_open(const struct fuse_backed_call *call, struct file *file,
			    int route, int err)
{
	struct fuse_file *ff = file->private_data;

	if (route != FUSE_ROUTE_DAEMON)
		return fuse_backed_done(call, err);

	if (!err)
		err = fuse_backed_open_server(file);
	if (!err)
		ff->server = true;
	return fuse_backed_answered(call, err);
}

/* Nobody waits for an answer, so there is nothing that could be refused. */
static noinline void fuse_backed_tell_release(struct inode *inode, u32 opcode)
{
	struct fuse_backed_call call = { .opcode = opcode, .inode = inode };

	fuse_filter_pre(get_fuse_conn(inode), &call);
}

/**
 * fuse_backed_release - close what fuse_backed_open() or its twin for
 *			 directories opened
 * @inode: backed inode
 * @file: a file on it
 *
 * Return: 0
 */
int fuse_backed_release(struct inode *inode, struct file *file)
{
	u32 opcode = S_ISDIR(inode->i_mode) ? FUSE_RELEASEDIR : FUSE_RELEASE;
	struct fuse_conn *fc = get_fuse_conn(inode);

	if (fuse_filter_asked(fc, opcode))
		fuse_backed_tell_release(inode, opcode);
	fuse_backed_uninstall(file);
	fuse_backed_count(fc, opcode, 0);
	return 0;
}

/* The daemon knows where data and the end are, and the kernel where the file is. */
static loff_t fuse_backed_llseek_daemon(struct file *file, loff_t offset, int whence)
{
	struct inode *inode = file_inode(file);
	loff_t ret;

	if (whence == SEEK_SET || whence == SEEK_CUR || S_ISDIR(inode->i_mode))
		return generic_file_llseek(file, offset, whence);

	inode_lock(inode);
	ret = fuse_lseek(file, offset, whence);
	inode_unlock(inode);
	return ret;
}

/**
 * fuse_backed_llseek - move the position, by the rules of the backing
 * @file: open file on a backed inode
 * @offset: by @whence
 * @whence: SEEK_*
 *
 * The backing file's own position is only a scratch place, which the lock of
 * our inode keeps to one caller.
 *
 * Return: the new position or a negative errno
 */
loff_t fuse_backed_llseek(struct file *file, loff_t offset, int whence)
{
	struct inode *inode = file_inode(file);
	struct fuse_file *ff = file->private_data;
	struct file *backing = ff->passthrough;
	const struct fuse_lseek_in in = { .offset = offset, .whence = whence };
	struct fuse_backed_call call = {
		.opcode = FUSE_LSEEK,
		.inode = inode,
		.in = &in,
		.file = file,
	};
	loff_t ret;

	ret = fuse_backed_route(&call);
	if (ret < 0)
		return ret;
	if (ret == FUSE_ROUTE_DAEMON)
		return fuse_backed_answered(&call, fuse_backed_llseek_daemon(file, offset,
									     whence));

	inode_lock(inode);
	backing->f_pos = file->f_pos;
	scoped_with_creds(ff->cred)
		ret = vfs_llseek(backing, offset, whence);
	ret = fuse_backed_done(&call, ret);
	if (ret >= 0)
		file->f_pos = backing->f_pos;
	inode_unlock(inode);
	return ret;
}

struct fuse_backed_readdir {
	struct dir_context ctx;
	struct dir_context *caller;
	struct inode *dir;
	const struct cred *cred;
};

/*
 * Called for each entry by whoever lists them; if that is the backing, its directory
 * is locked. Offsets are theirs; an entry that is left out leaves no mark.
 */
static bool fuse_backed_filldir(struct dir_context *ctx, const char *name,
				int namelen, loff_t offset, u64 ino,
				unsigned int type)
{
	struct fuse_backed_readdir *rd =
		container_of(ctx, struct fuse_backed_readdir, ctx);
	bool dot = name_is_dot_dotdot(name, namelen);

	/* What lies above the root of the mount is none of the caller's business */
	if (dot && namelen == 2 && rd->dir == d_inode(rd->dir->i_sb->s_root))
		ino = rd->dir->i_ino;

	/* The backing is being read with other credentials than the caller's */
	if (!dot && !fuse_filter_shows(rd->dir, name, namelen, ino,
				       type & S_DT_MASK, rd->cred))
		return !fatal_signal_pending(current);

	return rd->caller->actor(rd->caller, name, namelen, offset, ino, type);
}

static noinline int fuse_backed_iterate_asking(struct file *file,
					       struct dir_context *caller)
{
	struct fuse_file *ff = file->private_data;
	struct file *backing = ff->passthrough;
	struct fuse_backed_readdir rd = {
		.ctx.actor = fuse_backed_filldir,
		.ctx.count = caller->count,
		.ctx.dt_flags_mask = caller->dt_flags_mask,
		.caller = caller,
		.dir = file_inode(file),
		.cred = current_cred(),
	};
	const struct fuse_filter_io in = { .offset = caller->pos };
	struct fuse_backed_call call = {
		.opcode = FUSE_READDIR,
		.inode = rd.dir,
		.in = &in,
		.file = file,
	};
	int err;

	err = fuse_backed_route(&call);
	if (err < 0)
		return err;
	if (err == FUSE_ROUTE_DAEMON) {
		rd.ctx.pos = caller->pos;
		err = fuse_readdir(file, &rd.ctx);
		caller->pos = rd.ctx.pos;
		return fuse_backed_answered(&call, err);
	}

	fuse_backed_follow_flags(file);
	/* Serialized by the lock of our file's position */
	backing->f_pos = caller->pos;
	scoped_with_creds(ff->cred)
		err = iterate_dir(backing, &rd.ctx);
	caller->pos = backing->f_pos;
	return fuse_backed_done(&call, err);
}

/* Is every entry shown, and as it is? What is above the root of the mount is not. */
static bool fuse_backed_lists_all(struct inode *dir, const struct file *file)
{
	return fuse_backed_straight(dir, file, FUSE_READDIR) &&
	       !fuse_filter_asked(get_fuse_conn(dir), FUSE_FILTER_OP_DIRENT) &&
	       dir != d_inode(dir->i_sb->s_root);
}

static int fuse_backed_iterate(struct file *file, struct dir_context *caller)
{
	const struct fuse_file *ff = file->private_data;
	struct file *backing = ff->passthrough;
	struct inode *dir = file_inode(file);
	int err;

	if (!fuse_backed_lists_all(dir, file))
		return fuse_backed_iterate_asking(file, caller);

	fuse_backed_follow_flags(file);
	/* Serialized by the lock of our file's position */
	backing->f_pos = caller->pos;
	scoped_with_creds(ff->cred)
		err = iterate_dir(backing, caller);
	fuse_backed_count(get_fuse_conn(dir), FUSE_READDIR, err);
	return err;
}

const struct file_operations fuse_backed_dir_fops = {
	.llseek		= fuse_backed_llseek,
	.read		= generic_read_dir,
	.iterate_shared	= fuse_backed_iterate,
	.open		= fuse_backed_dir_open,
	.flush		= fuse_backed_flush,
	.release	= fuse_backed_release,
	.fsync		= fuse_backed_fsync,
	.lock		= fuse_backed_lock,
	.flock		= fuse_backed_flock,
	.unlocked_ioctl	= fuse_backed_ioctl,
	.compat_ioctl	= fuse_backed_compat_ioctl,
};
