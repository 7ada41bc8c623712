// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backed inodes: attributes, permission, symbolic links, file system statistics.
 */

#include "backed.h"

#include <linux/namei.h>
#include <linux/statfs.h>
#include <uapi/linux/magic.h>

/*
 * The caller must have permission on the backing's inode, and so must the
 * credentials that the backing was registered with: a mount shows no more than
 * whoever set it up may see.
 *
 * Nothing on the backing can be changed yet, which makes it a read-only file
 * system to the caller.
 */
static int fuse_backed_permission(struct mnt_idmap *idmap, struct inode *inode,
				  int mask)
{
	const struct fuse_backed *fbk = fuse_backed(inode);
	struct mnt_idmap *backing_idmap = mnt_idmap(fbk->fb->mnt);
	struct inode *real = d_inode_rcu(fbk->dentry);
	int err;

	/* Only an inode that was evicted during RCU-walk has lost its backing */
	if (!real)
		return -ECHILD;

	if (!fuse_allow_current_process(get_fuse_conn(inode)))
		return -EACCES;

	if (mask & MAY_WRITE && !special_file(inode->i_mode))
		return -EROFS;

	err = inode_permission(backing_idmap, real, mask);
	if (err)
		return err;

	scoped_with_creds(fbk->fb->cred)
		err = inode_permission(backing_idmap, real, mask);
	return err;
}

static int fuse_backed_getattr(struct mnt_idmap *idmap, const struct path *path,
			       struct kstat *stat, u32 request_mask,
			       unsigned int flags)
{
	struct inode *inode = d_inode(path->dentry);
	const struct path backing = fuse_backed_path(inode);
	const struct fuse_backed_call call = {
		.opcode = FUSE_GETATTR,
		.inode = inode,
	};
	int err;

	if (!fuse_allow_current_process(get_fuse_conn(inode))) {
		/* As for plain inodes: who asks for nothing gets st_dev */
		stat->result_mask = 0;
		stat->dev = inode->i_sb->s_dev;
		return request_mask ? -EACCES : 0;
	}

	scoped_with_creds(fuse_backed_cred(inode))
		err = vfs_getattr(&backing, stat, request_mask, flags);
	if (!err) {
		stat->dev = inode->i_sb->s_dev;
		fuse_backed_copyattr(inode);
	}
	fuse_backed_done(&call, err);
	return err;
}

/* Without this, the VFS would change the copy of the attributes in the inode. */
static int fuse_backed_setattr(struct mnt_idmap *idmap, struct dentry *entry,
			       struct iattr *attr)
{
	return -EROFS;
}

static const char *fuse_backed_get_link(struct dentry *entry,
					struct inode *inode,
					struct delayed_call *done)
{
	const struct fuse_backed_call call = {
		.opcode = FUSE_READLINK,
		.inode = inode,
	};
	const char *link;

	if (!entry)
		return ERR_PTR(-ECHILD);

	scoped_with_creds(fuse_backed_cred(inode))
		link = vfs_get_link(fuse_backed(inode)->dentry, done);
	fuse_backed_done(&call, PTR_ERR_OR_ZERO(link));
	return link;
}

/**
 * fuse_backed_statfs - statistics of the file system that backs a mount
 * @dentry: of a backed inode
 * @buf: filled in; says that the file system is FUSE
 */
int fuse_backed_statfs(struct dentry *dentry, struct kstatfs *buf)
{
	struct inode *inode = d_inode(dentry);
	const struct path backing = fuse_backed_path(inode);
	const struct fuse_backed_call call = {
		.opcode = FUSE_STATFS,
		.inode = inode,
	};
	int err;

	scoped_with_creds(fuse_backed_cred(inode))
		err = vfs_statfs(&backing, buf);
	buf->f_type = FUSE_SUPER_MAGIC;
	fuse_backed_done(&call, err);
	return err;
}

const struct inode_operations fuse_backed_dir_iops = {
	.lookup		= fuse_backed_lookup,
	.permission	= fuse_backed_permission,
	.getattr	= fuse_backed_getattr,
	.setattr	= fuse_backed_setattr,
};

const struct inode_operations fuse_backed_symlink_iops = {
	.get_link	= fuse_backed_get_link,
	.permission	= fuse_backed_permission,
	.getattr	= fuse_backed_getattr,
	.setattr	= fuse_backed_setattr,
};

const struct inode_operations fuse_backed_common_iops = {
	.permission	= fuse_backed_permission,
	.getattr	= fuse_backed_getattr,
	.setattr	= fuse_backed_setattr,
};
