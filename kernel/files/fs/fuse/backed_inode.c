// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backed inodes: attributes, permission, symbolic links, file system statistics.
 */

#include "backed.h"

#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/statfs.h>
#include <uapi/linux/magic.h>

/*
 * The caller must have permission on the backing's inode, and so must the
 * credentials that the backing was registered with: a mount shows no more than
 * whoever set it up may see.
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

	if (fuse_is_bad(inode))
		return -EIO;

	if (!fuse_allow_current_process(get_fuse_conn(inode)))
		return -EACCES;

	/* Said here and not only when it is tried, so that access() knows too */
	if (mask & MAY_WRITE && !special_file(inode->i_mode) &&
	    __mnt_is_readonly(fbk->fb->mnt))
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

/* What is asked of our inode, in terms of the backing's. */
static struct iattr fuse_backed_iattr(const struct iattr *attr)
{
	struct iattr backing = *attr;

	/* The file is ours; O_TRUNC is never passed on, so the size must be */
	backing.ia_valid &= ~(ATTR_FILE | ATTR_OPEN);
	/* The mode follows from that of the backing */
	if (backing.ia_valid & (ATTR_KILL_SUID | ATTR_KILL_SGID))
		backing.ia_valid &= ~ATTR_MODE;
	return backing;
}

static int fuse_backed_change(struct inode *inode, struct iattr *attr)
{
	const struct fuse_backed *fbk = fuse_backed(inode);
	struct inode *real = d_inode(fbk->dentry);
	bool truncate = attr->ia_valid & ATTR_SIZE;
	int err;

	err = truncate ? get_write_access(real) : 0;
	if (err)
		return err;

	err = mnt_want_write(fbk->fb->mnt);
	if (!err) {
		inode_lock(real);
		scoped_with_creds(fbk->fb->cred)
			err = notify_change(mnt_idmap(fbk->fb->mnt),
					    fbk->dentry, attr, NULL);
		inode_unlock(real);
		mnt_drop_write(fbk->fb->mnt);
	}
	if (truncate)
		put_write_access(real);
	return err;
}

int fuse_backed_setattr(struct mnt_idmap *idmap, struct dentry *entry,
			struct iattr *attr)
{
	struct inode *inode = d_inode(entry);
	const struct fuse_backed_call call = {
		.opcode = FUSE_SETATTR,
		.inode = inode,
	};
	struct iattr backing;
	int err;

	if (!fuse_allow_current_process(get_fuse_conn(inode)))
		return -EACCES;

	/* The caller is checked against the owner as the backing has it now */
	fuse_backed_copyattr(inode);
	err = setattr_prepare(idmap, entry, attr);
	if (err)
		return err;

	err = fuse_backed_route_backing(&call);
	if (err)
		return err;

	backing = fuse_backed_iattr(attr);
	err = fuse_backed_change(inode, &backing);
	fuse_backed_copyattr(inode);
	fuse_backed_done(&call, err);
	return err;
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
 *
 * Return: 0 or a negative errno
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

/**
 * fuse_backed_sync_fs - write out the file system that backs a mount
 * @sb: super block of the mount
 *
 * Return: 0 or a negative errno
 */
int fuse_backed_sync_fs(struct super_block *sb)
{
	struct inode *root = d_inode(sb->s_root);
	struct super_block *backing = fuse_backed(root)->dentry->d_sb;
	const struct fuse_backed_call call = {
		.opcode = FUSE_SYNCFS,
		.inode = root,
	};
	int err;

	down_read(&backing->s_umount);
	err = sync_filesystem(backing);
	up_read(&backing->s_umount);
	fuse_backed_done(&call, err);
	return err;
}

const struct inode_operations fuse_backed_dir_iops = {
	.lookup		= fuse_backed_lookup,
	.create		= fuse_backed_create,
	.link		= fuse_backed_link,
	.unlink		= fuse_backed_unlink,
	.symlink	= fuse_backed_symlink,
	.mkdir		= fuse_backed_mkdir,
	.rmdir		= fuse_backed_rmdir,
	.mknod		= fuse_backed_mknod,
	.rename		= fuse_backed_rename,
	.tmpfile	= fuse_backed_tmpfile,
	.permission	= fuse_backed_permission,
	.getattr	= fuse_backed_getattr,
	.setattr	= fuse_backed_setattr,
	.listxattr	= fuse_backed_listxattr,
	.get_inode_acl	= fuse_backed_get_inode_acl,
	.get_acl	= fuse_backed_get_acl,
	.set_acl	= fuse_backed_set_acl,
	.fileattr_get	= fuse_backed_fileattr_get,
	.fileattr_set	= fuse_backed_fileattr_set,
};

const struct inode_operations fuse_backed_symlink_iops = {
	.get_link	= fuse_backed_get_link,
	.permission	= fuse_backed_permission,
	.getattr	= fuse_backed_getattr,
	.setattr	= fuse_backed_setattr,
	.listxattr	= fuse_backed_listxattr,
};

const struct inode_operations fuse_backed_common_iops = {
	.permission	= fuse_backed_permission,
	.getattr	= fuse_backed_getattr,
	.setattr	= fuse_backed_setattr,
	.listxattr	= fuse_backed_listxattr,
	.get_inode_acl	= fuse_backed_get_inode_acl,
	.get_acl	= fuse_backed_get_acl,
	.set_acl	= fuse_backed_set_acl,
	.fileattr_get	= fuse_backed_fileattr_get,
	.fileattr_set	= fuse_backed_fileattr_set,
};
