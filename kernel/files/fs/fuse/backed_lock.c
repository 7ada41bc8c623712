// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backed inodes: locks, of files and of directories.
 */

#include "backed.h"
#include "filter.h"

#include <linux/filelock.h>

static struct fuse_lk_in fuse_backed_lk(const struct file_lock *fl, u32 lk_flags)
{
	return (struct fuse_lk_in) {
		.lk.start = fl->fl_start,
		.lk.end = fl->fl_end,
		.lk.type = fl->c.flc_type,
		.lk.pid = fl->c.flc_pid,
		.lk_flags = lk_flags,
	};
}

/*
 * Locks are the backing's, so that they hold against its direct users too. Each of
 * our files has a backing file of its own, which stands in for it: as the file
 * that a lock is set through, and as the owner of locks that a file owns.
 */
static void fuse_backed_lock_as(struct file_lock *fl, struct file *from,
				struct file *to)
{
	fl->c.flc_file = to;
	if (fl->c.flc_owner == from)
		fl->c.flc_owner = to;
}

/*
 * A lock can be refused; what a filter says of letting go of one is not asked for. A
 * daemon knows no locks of directories.
 */
static int fuse_backed_lock_route(struct fuse_backed_call *call)
{
	const struct fuse_lk_in *in = call->in;
	int route = S_ISDIR(call->inode->i_mode) ? fuse_backed_route_backing(call) :
						   fuse_backed_route(call);

	if (route < 0 && in->lk.type == F_UNLCK && call->opcode != FUSE_GETLK)
		return FUSE_ROUTE_BACKING;
	return route;
}

int fuse_backed_lock(struct file *file, int cmd, struct file_lock *fl)
{
	struct file *backing = fuse_backed_real(file);
	const struct fuse_lk_in in = fuse_backed_lk(fl, 0);
	struct fuse_backed_call call = {
		.opcode = cmd == F_GETLK ? FUSE_GETLK :
			  fl->c.flc_flags & FL_SLEEP ? FUSE_SETLKW : FUSE_SETLK,
		.inode = file_inode(file),
		.in = &in,
		.file = file,
	};
	int err;

	err = fuse_backed_lock_route(&call);
	if (err < 0)
		return err;
	if (err == FUSE_ROUTE_DAEMON)
		return fuse_backed_answered(&call, fuse_file_lock(file, cmd, fl));

	fuse_backed_lock_as(fl, file, backing);
	if (cmd == F_GETLK)
		err = vfs_test_lock(backing, fl);
	else
		err = vfs_lock_file(backing, cmd, fl, NULL);
	fuse_backed_lock_as(fl, backing, file);

	/* Being put on the waiting list is neither a failure nor an answer */
	if (err == FILE_LOCK_DEFERRED) {
		fuse_backed_account(&call, 0);
		return err;
	}
	return fuse_backed_done(&call, err);
}

int fuse_backed_flock(struct file *file, int cmd, struct file_lock *fl)
{
	struct file *backing = fuse_backed_real(file);
	const struct fuse_lk_in in = fuse_backed_lk(fl, FUSE_LK_FLOCK);
	struct fuse_backed_call call = {
		.opcode = fl->c.flc_flags & FL_SLEEP ? FUSE_SETLKW : FUSE_SETLK,
		.inode = file_inode(file),
		.in = &in,
		.file = file,
	};
	int err;

	err = fuse_backed_lock_route(&call);
	if (err < 0)
		return err;
	if (err == FUSE_ROUTE_DAEMON)
		return fuse_backed_answered(&call, fuse_file_flock(file, cmd, fl));

	fuse_backed_lock_as(fl, file, backing);
	if (backing->f_op->flock)
		err = backing->f_op->flock(backing, cmd, fl);
	else
		err = locks_lock_file_wait(backing, fl);
	fuse_backed_lock_as(fl, backing, file);
	return fuse_backed_done(&call, err);
}

static int fuse_backed_flush_backing(struct file *backing, const struct cred *cred,
				     fl_owner_t id)
{
	int err = 0;

	if (backing->f_op->flush) {
		scoped_with_creds(cred)
			err = backing->f_op->flush(backing, id);
	}
	return err;
}

static noinline int fuse_backed_flush_asking(struct file *file, fl_owner_t id)
{
	const struct fuse_file *ff = file->private_data;
	struct inode *inode = file_inode(file);
	struct fuse_backed_call call = {
		.opcode = FUSE_FLUSH,
		.inode = inode,
		.file = file,
	};
	int route, err, daemon_err = 0;

	route = fuse_backed_verdict(&call);
	if (S_ISREG(inode->i_mode) && fuse_backed_has_handle(ff))
		daemon_err = fuse_flush(file, id);
	if (route < 0)
		return route;
	/* A daemon that does not have the file open has nothing to flush */
	if (route == FUSE_ROUTE_DAEMON)
		return fuse_backed_answered(&call, daemon_err);

	err = fuse_backed_flush_backing(ff->passthrough, fuse_backed_cred(inode), id);
	return fuse_backed_done(&call, err ?: daemon_err);
}

/*
 * Called at each close() of the file. What is locked is the backing's file, which
 * is not the one that the VFS unlocks then.
 */
int fuse_backed_flush(struct file *file, fl_owner_t id)
{
	struct inode *inode = file_inode(file);
	struct file *backing = fuse_backed_real(file);
	int err;

	/* The locks go away whatever a filter says of it, and those of the daemon too */
	if (unlikely(locks_inode_context(file_inode(backing))))
		locks_remove_posix(backing, id);
	if (fuse_backed_has_handle(file->private_data) ||
	    !fuse_backed_straight(inode, file, FUSE_FLUSH))
		return fuse_backed_flush_asking(file, id);

	err = fuse_backed_flush_backing(backing, fuse_backed_cred(inode), id);
	fuse_backed_count(get_fuse_conn(inode), FUSE_FLUSH, err);
	return err;
}
