// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backed inodes: locks, of files and of directories.
 */

#include "backed.h"

#include <linux/filelock.h>

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

int fuse_backed_lock(struct file *file, int cmd, struct file_lock *fl)
{
	struct file *backing = fuse_backed_real(file);
	const struct fuse_backed_call call = {
		.opcode = cmd == F_GETLK ? FUSE_GETLK : FUSE_SETLK,
		.inode = file_inode(file),
	};
	int err;

	fuse_backed_lock_as(fl, file, backing);
	if (cmd == F_GETLK)
		err = vfs_test_lock(backing, fl);
	else
		err = vfs_lock_file(backing, cmd, fl, NULL);
	fuse_backed_lock_as(fl, backing, file);

	/* Being put on the waiting list is no failure */
	fuse_backed_done(&call, err == FILE_LOCK_DEFERRED ? 0 : err);
	return err;
}

int fuse_backed_flock(struct file *file, int cmd, struct file_lock *fl)
{
	struct file *backing = fuse_backed_real(file);
	const struct fuse_backed_call call = {
		.opcode = FUSE_SETLK,
		.inode = file_inode(file),
	};
	int err;

	fuse_backed_lock_as(fl, file, backing);
	if (backing->f_op->flock)
		err = backing->f_op->flock(backing, cmd, fl);
	else
		err = locks_lock_file_wait(backing, fl);
	fuse_backed_lock_as(fl, backing, file);
	fuse_backed_done(&call, err);
	return err;
}

/*
 * Called at each close() of the file. What is locked is the backing's file, which
 * is not the one that the VFS unlocks then.
 */
int fuse_backed_flush(struct file *file, fl_owner_t id)
{
	struct file *backing = fuse_backed_real(file);
	const struct fuse_backed_call call = {
		.opcode = FUSE_FLUSH,
		.inode = file_inode(file),
	};
	int err = 0;

	locks_remove_posix(backing, id);
	if (backing->f_op->flush) {
		scoped_with_creds(fuse_backed_cred(file_inode(file)))
			err = backing->f_op->flush(backing, id);
	}
	fuse_backed_done(&call, err);
	return err;
}
