// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backed inodes: what a connection is backed by, as a whole, and writing it out.
 *
 * A registration whose id was closed goes on serving inodes, so those that have an id
 * are not all there are.
 */

#include "backed.h"

/*
 * Protects fuse_backed_conn.backings and fuse_backing.entry of all connections. The
 * last reference to a registration may go away in an RCU callback.
 */
static DEFINE_SPINLOCK(fuse_backings_lock);

/**
 * fuse_backing_list - let syncfs(2) reach what is registered
 * @fbc: connection that is mounted
 * @fb: a new registration
 */
void fuse_backing_list(struct fuse_backed_conn *fbc, struct fuse_backing *fb)
{
	fb->wb_err = errseq_sample(&fb->mnt->mnt_sb->s_wb_err);
	guard(spinlock_bh)(&fuse_backings_lock);
	list_add_tail(&fb->entry, &fbc->backings);
}

/**
 * fuse_backing_unlist - undo fuse_backing_list()
 * @fb: registration that nobody has a reference to
 *
 * Context: any but hard interrupts.
 */
void fuse_backing_unlist(struct fuse_backing *fb)
{
	guard(spinlock_bh)(&fuse_backings_lock);
	list_del_init(&fb->entry);
}

/**
 * fuse_backing_unlist_all - undo fuse_backing_list() for all registrations
 * @fbc: connection whose last mount is gone; nothing is registered any more
 *
 * Inodes keep theirs for longer, perhaps than the connection exists.
 */
void fuse_backing_unlist_all(struct fuse_backed_conn *fbc)
{
	guard(spinlock_bh)(&fuse_backings_lock);
	while (!list_empty(&fbc->backings))
		list_del_init(fbc->backings.next);
}

/*
 * The file systems are walked in the order of their addresses, so that each has its
 * turn once, however many registrations it has and whatever is registered meanwhile.
 * Returns one that stays active until deactivate_super(), or NULL.
 */
static struct super_block *fuse_backed_next_super(struct fuse_backed_conn *fbc,
						  struct super_block *prev)
{
	struct super_block *sb, *next = NULL;
	struct fuse_backing *fb;

	guard(spinlock_bh)(&fuse_backings_lock);
	list_for_each_entry(fb, &fbc->backings, entry) {
		sb = fb->mnt->mnt_sb;
		if (sb > prev && (!next || sb < next))
			next = sb;
	}
	/* What is listed has its file still, which keeps the mount */
	if (next)
		atomic_inc(&next->s_active);
	return next;
}

/* The VFS holds this lock of ours: where the backing is FUSE too, lockdep sees one twice */
static int fuse_backed_sync_super(struct super_block *sb, int depth)
{
	int err;

	down_read_nested(&sb->s_umount, depth);
	err = sync_filesystem(sb);
	up_read(&sb->s_umount);
	return err;
}

/*
 * What could not be written out by itself since the last time. The VFS tells each
 * open file of it once, by what is noted in the file's own super block.
 */
static void fuse_backed_take_errors(struct fuse_backed_conn *fbc,
				    struct super_block *sb,
				    struct super_block *ours)
{
	struct fuse_backing *fb;
	int err;

	guard(spinlock_bh)(&fuse_backings_lock);
	list_for_each_entry(fb, &fbc->backings, entry) {
		if (fb->mnt->mnt_sb != sb)
			continue;
		err = errseq_check_and_advance(&sb->s_wb_err, &fb->wb_err);
		if (err)
			errseq_set(&ours->s_wb_err, err);
	}
}

/* Write out all of them, also if one cannot be. Returns the first error. */
static int fuse_backed_sync_all(struct super_block *ours)
{
	struct fuse_backed_conn *fbc = get_fuse_conn_super(ours)->backed;
	struct super_block *sb = NULL;
	int err = 0, ret;

	while ((sb = fuse_backed_next_super(fbc, sb))) {
		ret = fuse_backed_sync_super(sb, ours->s_stack_depth);
		err = err ?: ret;
		fuse_backed_take_errors(fbc, sb, ours);
		/* From here on, only its address is used */
		deactivate_super(sb);
	}
	return err;
}

/* What backs single inodes only; the daemon is asked as for any mount of its own. */
static int fuse_backed_sync_attached(struct super_block *sb)
{
	int err = fuse_send_syncfs(sb);

	return fuse_backed_sync_all(sb) ?: err;
}

/**
 * fuse_backed_sync_fs - write out the file systems that back a mount
 * @sb: super block of a mount that has a root, and may have backed inodes
 *
 * Context: &super_block.s_umount of @sb is held.
 * Return: 0 or a negative errno
 */
int fuse_backed_sync_fs(struct super_block *sb)
{
	struct inode *root = d_inode(sb->s_root);
	struct fuse_backed_call call = {
		.opcode = FUSE_SYNCFS,
		.inode = root,
	};
	int route;

	if (!fuse_inode_backed(root))
		return fuse_backed_sync_attached(sb);

	route = fuse_backed_route(&call);
	if (route < 0)
		return route;
	if (route == FUSE_ROUTE_DAEMON) {
		/* Only some servers are asked, and nothing was written out */
		if (!get_fuse_conn_super(sb)->sync_fs)
			return fuse_backed_refuse(root, FUSE_SYNCFS,
						  FUSE_REFUSED_UNNAMED, -EIO);
		return fuse_backed_answered(&call, fuse_send_syncfs(sb));
	}
	return fuse_backed_done(&call, fuse_backed_sync_all(sb));
}
