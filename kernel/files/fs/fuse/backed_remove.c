// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backed inodes: removing names and moving them.
 *
 * What the caller meant is the inode that its path walk found. The name is looked
 * up once more under the lock of the backing's directory; if something else has
 * it by now, that is not touched, and ESTALE makes the VFS walk the path anew.
 *
 * Whoever has a delegation of what is changed is waited for without the backing's
 * locks, so the look is taken again after that.
 */

#include "backed.h"
#include "filter.h"

#include <linux/mount.h>
#include <linux/namei.h>

/* Is @backing what the caller's path walk found, or what it did not find? */
static bool fuse_backed_is_same(const struct dentry *backing,
				const struct inode *inode)
{
	return d_inode(backing) == (inode ? d_inode(fuse_backed(inode)->dentry) : NULL);
}

/*
 * The VFS has checked the sticky bit with its copy of the owners. They may have
 * changed on the backing, where the registration's credentials are above it.
 */
static int fuse_backed_may_remove(const struct fuse_backed *dir,
				  const struct inode *inode)
{
	struct mnt_idmap *idmap = mnt_idmap(dir->fb->mnt);

	return check_sticky(idmap, d_inode(dir->dentry),
			    d_inode(fuse_backed(inode)->dentry)) ? -EPERM : 0;
}

static int fuse_backed_remove_backing(const struct fuse_backed *dir,
				      const struct dentry *entry, bool isdir,
				      struct delegated_inode *delegated)
{
	const struct qstr *name = &entry->d_name;
	struct mnt_idmap *idmap = mnt_idmap(dir->fb->mnt);
	struct dentry *victim;
	int err;

	victim = start_removing(idmap, dir->dentry,
				&QSTR_LEN(name->name, name->len));
	if (IS_ERR(victim))
		return PTR_ERR(victim) == -ENOENT ? -ESTALE : PTR_ERR(victim);

	if (!fuse_backed_is_same(victim, d_inode(entry)))
		err = -ESTALE;
	else if (isdir)
		err = vfs_rmdir(idmap, d_inode(dir->dentry), victim, delegated);
	else
		err = vfs_unlink(idmap, d_inode(dir->dentry), victim, delegated);
	end_removing(victim);
	return err;
}

/* The daemon may have changed the backing, or nothing there: look again. */
static void fuse_backed_renew(struct dentry *entry)
{
	struct inode *inode = d_inode(entry);

	fuse_backed_unremember(entry);
	if (inode && fuse_inode_backed(inode))
		fuse_backed_copyattr(inode);
}

static int fuse_backed_remove_daemon(struct fuse_backed_call *call,
				     struct dentry *entry)
{
	int err;

	err = call->opcode == FUSE_RMDIR ? fuse_rmdir(call->dir, entry) :
					   fuse_unlink(call->dir, entry);
	fuse_backed_renew(entry);
	fuse_backed_copyattr(call->dir);
	return fuse_backed_answered(call, err);
}

static int fuse_backed_remove(struct inode *dir, struct dentry *entry, u32 opcode)
{
	const struct fuse_backed *fbk = fuse_backed(dir);
	struct delegated_inode delegated = {};
	struct fuse_backed_call call = {
		.opcode = opcode,
		.inode = d_inode(entry),
		.dir = dir,
		.name = &entry->d_name,
	};
	int route, err;

	route = fuse_backed_route(&call);
	if (route < 0)
		return route;
	if (route == FUSE_ROUTE_DAEMON)
		return fuse_backed_remove_daemon(&call, entry);
	/* A name that the daemon answers for is not the backing's to remove */
	if (!fuse_inode_kernel_made(d_inode(entry)))
		return fuse_backed_refuse(dir, opcode, FUSE_REFUSED_DAEMONS,
					  -EOPNOTSUPP);

	err = fuse_backed_may_remove(fbk, d_inode(entry));
	if (!err)
		err = mnt_want_write(fbk->fb->mnt);
	if (err)
		return err;

	do {
		scoped_with_creds(fbk->fb->cred)
			err = fuse_backed_remove_backing(fbk, entry,
							 opcode == FUSE_RMDIR,
							 &delegated);
	} while (fuse_backed_undelegated(&delegated, &err));
	mnt_drop_write(fbk->fb->mnt);
	if (err == -ESTALE)
		fuse_backed_refuse(dir, opcode, FUSE_REFUSED_CHANGED, err);

	/* The dentry stays, and would keep what was removed, and its blocks */
	if (!err)
		fuse_backed_unremember(entry);
	fuse_backed_copyattr(dir);
	fuse_backed_copyattr(d_inode(entry));
	return fuse_backed_done(&call, err);
}

int fuse_backed_unlink(struct inode *dir, struct dentry *entry)
{
	return fuse_backed_remove(dir, entry, FUSE_UNLINK);
}

int fuse_backed_rmdir(struct inode *dir, struct dentry *entry)
{
	return fuse_backed_remove(dir, entry, FUSE_RMDIR);
}

static int fuse_backed_rename_backing(const struct fuse_backed *olddir,
				      const struct dentry *oldent,
				      const struct fuse_backed *newdir,
				      const struct dentry *newent,
				      unsigned int flags,
				      struct delegated_inode *delegated)
{
	const struct qstr *oldname = &oldent->d_name, *newname = &newent->d_name;
	struct renamedata rd = {
		.mnt_idmap = mnt_idmap(olddir->fb->mnt),
		.old_parent = olddir->dentry,
		.new_parent = newdir->dentry,
		.delegated_inode = delegated,
		.flags = flags,
	};
	int err;

	err = start_renaming(&rd, 0, &QSTR_LEN(oldname->name, oldname->len),
			     &QSTR_LEN(newname->name, newname->len));
	if (err)
		return err == -ENOENT ? -ESTALE : err;

	if (fuse_backed_is_same(rd.old_dentry, d_inode(oldent)) &&
	    fuse_backed_is_same(rd.new_dentry, d_inode(newent)))
		err = vfs_rename(&rd);
	else
		err = -ESTALE;
	end_renaming(&rd);
	return err;
}

/* Can both ends, and what is at them, be dealt with on one backing? */
static int fuse_backed_may_rename(const struct inode *olddir,
				  const struct dentry *oldent,
				  const struct inode *newdir,
				  const struct dentry *newent)
{
	const struct inode *target = d_inode(newent);
	int err;

	if (!fuse_backed_names(newdir) || !fuse_backed_alike(olddir, newdir))
		return fuse_backed_refuse(olddir, FUSE_RENAME2,
					  FUSE_REFUSED_ACROSS, -EXDEV);
	if (!fuse_inode_kernel_made(d_inode(oldent)) ||
	    (target && !fuse_inode_kernel_made(target)))
		return fuse_backed_refuse(olddir, FUSE_RENAME2,
					  FUSE_REFUSED_DAEMONS, -EOPNOTSUPP);

	err = fuse_backed_may_remove(fuse_backed(olddir), d_inode(oldent));
	if (!err && target)
		err = fuse_backed_may_remove(fuse_backed(newdir), target);
	return err;
}

static int fuse_backed_rename_daemon(const struct fuse_backed_call *call,
				     struct dentry *oldent, struct inode *newdir,
				     struct dentry *newent, unsigned int flags)
{
	int err;

	err = fuse_rename2(&nop_mnt_idmap, call->dir, oldent, newdir, newent, flags);
	fuse_backed_renew(oldent);
	fuse_backed_renew(newent);
	fuse_backed_copyattr(call->dir);
	if (fuse_inode_backed(newdir))
		fuse_backed_copyattr(newdir);
	return fuse_backed_answered(call, err);
}

int fuse_backed_rename(struct mnt_idmap *idmap, struct inode *olddir,
		       struct dentry *oldent, struct inode *newdir,
		       struct dentry *newent, unsigned int flags)
{
	const struct fuse_backing *fb = fuse_backed(olddir)->fb;
	const struct fuse_rename2_in in = {
		.newdir = fuse_backed_node_id(newdir),
		.flags = flags,
	};
	struct fuse_filter_args args = {
		.newparent = fuse_backed_node_id(newdir),
		.newdir = newdir,
		.newname = &newent->d_name,
	};
	struct fuse_backed_call call = {
		.opcode = FUSE_RENAME2,
		.inode = d_inode(oldent),
		.dir = olddir,
		.name = &oldent->d_name,
		.in = &in,
		.args = &args,
	};
	struct delegated_inode delegated = {};
	struct cred *maker = NULL;
	int route, err;

	route = fuse_backed_route(&call);
	if (route < 0)
		return route;
	if (route == FUSE_ROUTE_DAEMON)
		return fuse_backed_rename_daemon(&call, oldent, newdir, newent,
						 flags);

	err = fuse_backed_may_rename(olddir, oldent, newdir, newent);
	if (!err && (flags & RENAME_WHITEOUT)) {
		/* The whiteout is made, and so it is the caller's */
		maker = fuse_backed_maker(olddir);
		err = maker ? 0 : -ENOMEM;
	}
	if (!err)
		err = mnt_want_write(fb->mnt);
	if (err)
		goto out;

	do {
		scoped_with_creds(maker ?: fb->cred)
			err = fuse_backed_rename_backing(fuse_backed(olddir),
							 oldent,
							 fuse_backed(newdir),
							 newent, flags,
							 &delegated);
	} while (fuse_backed_undelegated(&delegated, &err));
	mnt_drop_write(fb->mnt);
	if (err == -ESTALE)
		fuse_backed_refuse(olddir, FUSE_RENAME2, FUSE_REFUSED_CHANGED,
				   err);

	fuse_backed_copyattr(olddir);
	fuse_backed_copyattr(newdir);
	fuse_backed_copyattr(d_inode(oldent));
	if (d_inode(newent))
		fuse_backed_copyattr(d_inode(newent));
	err = fuse_backed_done(&call, err);
out:
	put_cred(maker);
	return err;
}
