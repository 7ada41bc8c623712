// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backed inodes: extended attributes, ACLs, file attributes.
 *
 * The VFS has checked the caller, on our inode, before it calls any of these.
 */

#include "backed.h"

#include <linux/fileattr.h>
#include <linux/mount.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <linux/xattr.h>

/**
 * fuse_backed_getxattr - get an extended attribute from the backing
 * @inode: backed inode
 * @name: whole name
 * @value: where to, or NULL
 * @size: room in @value, 0: only ask how much it takes
 *
 * Return: size of the value, or a negative errno
 */
int fuse_backed_getxattr(struct inode *inode, const char *name, void *value,
			 size_t size)
{
	const struct fuse_backed *fbk = fuse_backed(inode);
	const struct fuse_backed_call call = {
		.opcode = FUSE_GETXATTR,
		.inode = inode,
	};
	ssize_t ret;

	if (fuse_backed_hides_caps(inode, name))
		return -ENODATA;

	ret = fuse_backed_route_backing(&call);
	if (ret)
		return ret;

	scoped_with_creds(fbk->fb->cred)
		ret = vfs_getxattr(mnt_idmap(fbk->fb->mnt), fbk->dentry, name,
				   value, size);
	fuse_backed_done(&call, ret);
	return ret;
}

static int fuse_backed_change_xattr(const struct fuse_backed *fbk,
				    const char *name, const void *value,
				    size_t size, int flags)
{
	struct mnt_idmap *idmap = mnt_idmap(fbk->fb->mnt);

	scoped_with_creds(fbk->fb->cred) {
		if (!value)
			return vfs_removexattr(idmap, fbk->dentry, name);
		return vfs_setxattr(idmap, fbk->dentry, name, value, size, flags);
	}
}

/**
 * fuse_backed_setxattr - set or remove an extended attribute of the backing
 * @inode: backed inode
 * @name: whole name
 * @value: value, NULL: remove it
 * @size: of @value
 * @flags: XATTR_*
 *
 * Return: 0 or a negative errno
 */
int fuse_backed_setxattr(struct inode *inode, const char *name,
			 const void *value, size_t size, int flags)
{
	const struct fuse_backed *fbk = fuse_backed(inode);
	const struct fuse_backed_call call = {
		.opcode = value ? FUSE_SETXATTR : FUSE_REMOVEXATTR,
		.inode = inode,
	};
	int err;

	err = fuse_backed_route_backing(&call);
	if (!err)
		err = mnt_want_write(fbk->fb->mnt);
	if (err)
		return err;

	err = fuse_backed_change_xattr(fbk, name, value, size, flags);
	mnt_drop_write(fbk->fb->mnt);
	fuse_backed_copyattr(inode);
	fuse_backed_done(&call, err);
	return err;
}

ssize_t fuse_backed_listxattr(struct dentry *entry, char *list, size_t size)
{
	struct inode *inode = d_inode(entry);
	const struct fuse_backed_call call = {
		.opcode = FUSE_LISTXATTR,
		.inode = inode,
	};
	ssize_t ret;

	ret = fuse_backed_route_backing(&call);
	if (ret)
		return ret;

	/* Some file systems show trusted names to who has the capability only */
	ret = vfs_listxattr(fuse_backed(inode)->dentry, list, size);
	fuse_backed_done(&call, ret);
	return ret;
}

/*
 * The ids in an ACL are as the backing's file system has them. On an idmapped
 * mount they would not be what the caller sees as owners.
 */
static bool fuse_backed_acl_works(const struct fuse_backed *fbk)
{
	return IS_ENABLED(CONFIG_FS_POSIX_ACL) && !is_idmapped_mnt(fbk->fb->mnt);
}

/*
 * Our own permission checks ask the backing. This is for a file system above us
 * that checks by the ACLs of our inodes, perhaps in RCU-walk.
 */
struct posix_acl *fuse_backed_get_inode_acl(struct inode *inode, int type,
					    bool rcu)
{
	const struct fuse_backed *fbk = fuse_backed(inode);
	struct inode *real = d_inode_rcu(fbk->dentry);
	struct posix_acl *acl;

	if (!real)
		return ERR_PTR(-ECHILD);
	if (!IS_POSIXACL(real))
		return NULL;
	if (!fuse_backed_acl_works(fbk))
		return ERR_PTR(-EOPNOTSUPP);
	if (rcu)
		return get_cached_acl_rcu(real, type);

	scoped_with_creds(fbk->fb->cred)
		acl = get_inode_acl(real, type);
	return acl;
}

struct posix_acl *fuse_backed_get_acl(struct mnt_idmap *idmap,
				      struct dentry *entry, int type)
{
	struct inode *inode = d_inode(entry);
	const struct fuse_backed *fbk = fuse_backed(inode);
	const struct fuse_backed_call call = {
		.opcode = FUSE_GETXATTR,
		.inode = inode,
	};
	struct posix_acl *acl;
	int err;

	if (!fuse_backed_acl_works(fbk))
		return ERR_PTR(fuse_backed_refuse(inode, FUSE_GETXATTR,
						  FUSE_REFUSED_ACL,
						  -EOPNOTSUPP));

	err = fuse_backed_route_backing(&call);
	if (err)
		return ERR_PTR(err);

	scoped_with_creds(fbk->fb->cred)
		acl = vfs_get_acl(mnt_idmap(fbk->fb->mnt), fbk->dentry,
				  posix_acl_xattr_name(type));
	fuse_backed_done(&call, PTR_ERR_OR_ZERO(acl));
	return acl;
}

static int fuse_backed_change_acl(const struct fuse_backed *fbk,
				  struct posix_acl *acl, const char *name)
{
	struct mnt_idmap *idmap = mnt_idmap(fbk->fb->mnt);

	scoped_with_creds(fbk->fb->cred) {
		if (!acl)
			return vfs_remove_acl(idmap, fbk->dentry, name);
		return vfs_set_acl(idmap, fbk->dentry, name, acl);
	}
}

/*
 * Setting an access ACL drops S_ISGID if the owner is not in the file's group.
 * The backing would ask that of the registration's credentials, so it is done
 * here, for the caller.
 */
static int fuse_backed_drop_sgid(struct mnt_idmap *idmap, struct dentry *entry,
				 int type)
{
	struct inode *inode = d_inode(entry);
	struct iattr attr = { .ia_valid = ATTR_KILL_SGID };

	if (type != ACL_TYPE_ACCESS || !(inode->i_mode & S_ISGID) ||
	    in_group_or_capable(idmap, inode, i_gid_into_vfsgid(idmap, inode)))
		return 0;
	return fuse_backed_setattr(idmap, entry, &attr);
}

int fuse_backed_set_acl(struct mnt_idmap *idmap, struct dentry *entry,
			struct posix_acl *acl, int type)
{
	struct inode *inode = d_inode(entry);
	const struct fuse_backed *fbk = fuse_backed(inode);
	const struct fuse_backed_call call = {
		.opcode = acl ? FUSE_SETXATTR : FUSE_REMOVEXATTR,
		.inode = inode,
	};
	int err;

	if (!fuse_backed_acl_works(fbk))
		return fuse_backed_refuse(inode, call.opcode, FUSE_REFUSED_ACL,
					  -EOPNOTSUPP);

	fuse_backed_copyattr(inode);
	if (!inode_owner_or_capable(idmap, inode))
		return -EPERM;

	err = fuse_backed_route_backing(&call);
	if (!err)
		err = fuse_backed_drop_sgid(idmap, entry, type);
	if (!err)
		err = mnt_want_write(fbk->fb->mnt);
	if (err)
		return err;

	err = fuse_backed_change_acl(fbk, acl, posix_acl_xattr_name(type));
	mnt_drop_write(fbk->fb->mnt);
	fuse_backed_copyattr(inode);
	fuse_backed_done(&call, err);
	return err;
}

int fuse_backed_fileattr_get(struct dentry *entry, struct file_kattr *fa)
{
	struct inode *inode = d_inode(entry);
	const struct fuse_backed_call call = {
		.opcode = FUSE_IOCTL,
		.inode = inode,
	};
	int err;

	err = fuse_backed_route_backing(&call);
	if (err)
		return err;

	scoped_with_creds(fuse_backed_cred(inode))
		err = vfs_fileattr_get(fuse_backed(inode)->dentry, fa);
	fuse_backed_done(&call, err);
	return err;
}

int fuse_backed_fileattr_set(struct mnt_idmap *idmap, struct dentry *entry,
			     struct file_kattr *fa)
{
	struct inode *inode = d_inode(entry);
	const struct fuse_backed *fbk = fuse_backed(inode);
	const struct fuse_backed_call call = {
		.opcode = FUSE_IOCTL,
		.inode = inode,
	};
	int err;

	err = fuse_backed_route_backing(&call);
	if (!err)
		err = mnt_want_write(fbk->fb->mnt);
	if (err)
		return err;

	scoped_with_creds(fbk->fb->cred)
		err = vfs_fileattr_set(mnt_idmap(fbk->fb->mnt), fbk->dentry, fa);
	mnt_drop_write(fbk->fb->mnt);
	fuse_backed_copyattr(inode);
	fuse_backed_done(&call, err);
	return err;
}
