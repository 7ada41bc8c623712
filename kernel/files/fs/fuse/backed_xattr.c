// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backed inodes: extended attributes, ACLs, file attributes.
 *
 * The VFS has checked the caller, on our inode, before it calls any of these.
 */

#include "backed.h"
#include "filter.h"

#include <linux/fileattr.h>
#include <linux/mm.h>
#include <linux/mount.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <linux/xattr.h>

static ssize_t fuse_backed_getxattr_backing(struct inode *inode, const char *name,
					    void *value, size_t size)
{
	const struct fuse_backed *fbk = fuse_backed(inode);
	ssize_t ret;

	scoped_with_creds(fbk->fb->cred)
		ret = vfs_getxattr(mnt_idmap(fbk->fb->mnt), fbk->dentry, name, value,
				   size);
	fuse_backed_count(get_fuse_conn(inode), FUSE_GETXATTR, ret);
	return ret;
}

static noinline ssize_t fuse_backed_getxattr_asking(struct inode *inode,
						    const char *name, void *value,
						    size_t size)
{
	const struct fuse_getxattr_in in = { .size = size };
	struct fuse_filter_args args = { .text = name };
	struct fuse_backed_call call = {
		.opcode = FUSE_GETXATTR,
		.inode = inode,
		.in = &in,
		.args = &args,
	};
	ssize_t ret;
	int route;

	route = fuse_backed_route(&call);
	if (route < 0)
		return route;

	if (route == FUSE_ROUTE_DAEMON)
		ret = fuse_getxattr(inode, name, value, size);
	else
		ret = fuse_backed_getxattr_backing(inode, name, value, size);
	args.value = size ? value : NULL;
	args.value_room = size;
	args.value_probe = !size;
	args.value_len = max(ret, 0);
	return fuse_backed_answered(&call, ret);
}

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
	if (fuse_backed_hides_caps(inode, name))
		return -ENODATA;
	if (!fuse_backed_straight(inode, NULL, FUSE_GETXATTR))
		return fuse_backed_getxattr_asking(inode, name, value, size);
	return fuse_backed_getxattr_backing(inode, name, value, size);
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

/*
 * Ask who is to change something. If it is the backing, its mount is kept writable
 * until fuse_backed_end_attr().
 */
static int fuse_backed_begin_attr(struct fuse_backed_call *call)
{
	int route = fuse_backed_route(call);

	if (route != FUSE_ROUTE_BACKING)
		return route;
	return mnt_want_write(fuse_backed(call->inode)->fb->mnt);
}

/* The daemon may have changed the backing too */
static int fuse_backed_attr_answered(const struct fuse_backed_call *call, int err)
{
	fuse_backed_copyattr(call->inode);
	return fuse_backed_answered(call, err);
}

static int fuse_backed_end_attr(const struct fuse_backed_call *call, int err)
{
	mnt_drop_write(fuse_backed(call->inode)->fb->mnt);
	fuse_backed_copyattr(call->inode);
	return fuse_backed_done(call, err);
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
	const struct fuse_setxattr_in in = { .size = size, .flags = flags };
	struct fuse_filter_args args = {
		.text = name,
		/* Programs read it only */
		.value = (void *)value,
		.value_len = size,
	};
	struct fuse_backed_call call = {
		.opcode = value ? FUSE_SETXATTR : FUSE_REMOVEXATTR,
		.inode = inode,
		.in = value ? &in : NULL,
		.args = &args,
	};
	int err;

	err = fuse_backed_begin_attr(&call);
	if (err < 0)
		return err;
	if (err == FUSE_ROUTE_DAEMON) {
		err = value ? fuse_setxattr(inode, name, value, size, flags, 0) :
			      fuse_removexattr(inode, name);
		return fuse_backed_attr_answered(&call, err);
	}

	err = fuse_backed_change_xattr(fbk, name, value, size, flags);
	return fuse_backed_end_attr(&call, err);
}

/*
 * Some file systems show trusted names to who has the capability only, so the
 * credentials are the caller's.
 */
static ssize_t fuse_backed_list_all(struct dentry *entry, char *list, size_t size,
				    int route)
{
	if (route == FUSE_ROUTE_DAEMON)
		return fuse_listxattr(entry, list, size);
	return vfs_listxattr(fuse_backed(d_inode(entry))->dentry, list, size);
}

/*
 * Where names may have to be left out, the size of the list is that of what remains.
 */
static ssize_t fuse_backed_list(struct dentry *entry, char *list, size_t size,
				int route)
{
	char *all __free(kvfree) = NULL;
	struct inode *inode = d_inode(entry);
	ssize_t ret;

	if (!fuse_filter_asked(get_fuse_conn(inode), FUSE_FILTER_OP_XATTR_NAME))
		return fuse_backed_list_all(entry, list, size, route);

	ret = fuse_backed_list_all(entry, NULL, 0, route);
	if (ret <= 0)
		return ret;
	/* One that grows meanwhile is ERANGE, for which callers are prepared */
	all = kvmalloc(ret, GFP_KERNEL);
	if (!all)
		return -ENOMEM;

	ret = fuse_backed_list_all(entry, all, ret, route);
	if (ret > 0)
		ret = fuse_filter_xattr_names(inode, all, ret);
	if (ret <= 0 || !size)
		return ret;
	if (ret > size)
		return -ERANGE;
	memcpy(list, all, ret);
	return ret;
}

ssize_t fuse_backed_listxattr(struct dentry *entry, char *list, size_t size)
{
	struct inode *inode = d_inode(entry);
	const struct fuse_getxattr_in in = { .size = size };
	struct fuse_backed_call call = {
		.opcode = FUSE_LISTXATTR,
		.inode = inode,
		.in = &in,
	};
	ssize_t ret;
	int route;

	route = fuse_backed_route(&call);
	if (route < 0)
		return route;

	ret = fuse_backed_list(entry, list, size, route);
	if (route == FUSE_ROUTE_DAEMON)
		return fuse_backed_answered(&call, ret);
	return fuse_backed_done(&call, ret);
}

/*
 * The ids in an ACL are the backing's file system's. Make of them what the mount of
 * the backing makes of owners; one that it does not map becomes nobody's.
 */
static void fuse_backed_map_acl(struct mnt_idmap *idmap, const struct inode *real,
				struct posix_acl *acl)
{
	struct user_namespace *fs_ns = i_user_ns(real);
	struct posix_acl_entry *pa, *pe;

	FOREACH_ACL_ENTRY(pa, acl, pe) {
		if (pa->e_tag == ACL_USER)
			pa->e_uid = vfsuid_into_kuid(make_vfsuid(idmap, fs_ns,
								 pa->e_uid));
		else if (pa->e_tag == ACL_GROUP)
			pa->e_gid = vfsgid_into_kgid(make_vfsgid(idmap, fs_ns,
								 pa->e_gid));
	}
}

/*
 * An ACL as it is seen here. What the backing returns is what it has cached for all
 * its mounts, so it is a copy that is changed. Takes over the caller's reference.
 */
static struct posix_acl *fuse_backed_seen_acl(const struct fuse_backed *fbk,
					      struct posix_acl *acl)
{
	struct mnt_idmap *idmap = mnt_idmap(fbk->fb->mnt);
	struct posix_acl *seen;

	if (likely(idmap == &nop_mnt_idmap) || IS_ERR_OR_NULL(acl))
		return acl;

	seen = posix_acl_clone(acl, GFP_KERNEL);
	posix_acl_release(acl);
	if (!seen)
		return ERR_PTR(-ENOMEM);

	fuse_backed_map_acl(idmap, d_inode(fbk->dentry), seen);
	return seen;
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
	/* A copy needs memory */
	if (rcu)
		return mnt_idmap(fbk->fb->mnt) == &nop_mnt_idmap ?
			get_cached_acl_rcu(real, type) : ERR_PTR(-ECHILD);

	scoped_with_creds(fbk->fb->cred)
		acl = get_inode_acl(real, type);
	return fuse_backed_seen_acl(fbk, acl);
}

struct posix_acl *fuse_backed_get_acl(struct mnt_idmap *idmap,
				      struct dentry *entry, int type)
{
	struct inode *inode = d_inode(entry);
	const struct fuse_backed *fbk = fuse_backed(inode);
	const struct fuse_getxattr_in in = {};
	struct fuse_filter_args args = { .text = posix_acl_xattr_name(type) };
	struct fuse_backed_call call = {
		.opcode = FUSE_GETXATTR,
		.inode = inode,
		.in = &in,
		.args = &args,
	};
	struct posix_acl *acl;
	int err;

	err = fuse_backed_route(&call);
	if (err < 0)
		return ERR_PTR(err);

	if (err == FUSE_ROUTE_DAEMON) {
		acl = fuse_get_acl(idmap, entry, type);
	} else {
		scoped_with_creds(fbk->fb->cred)
			acl = vfs_get_acl(mnt_idmap(fbk->fb->mnt), fbk->dentry,
					  args.text);
		acl = fuse_backed_seen_acl(fbk, acl);
		fuse_backed_account(&call, PTR_ERR_OR_ZERO(acl));
	}
	err = fuse_backed_answered(&call, PTR_ERR_OR_ZERO(acl));
	if (!err)
		return acl;

	/* A program cannot put an ACL in the place of this one, or of none */
	if (!IS_ERR(acl))
		posix_acl_release(acl);
	return ERR_PTR(err < 0 ? err : -EIO);
}

/*
 * The VFS maps the ids where they stand, and the caller goes on with its ACL. Ids that
 * the mount of the backing does not map are EINVAL.
 */
static int fuse_backed_change_acl(const struct fuse_backed *fbk,
				  struct posix_acl *acl, const char *name)
{
	struct mnt_idmap *idmap = mnt_idmap(fbk->fb->mnt);
	struct posix_acl *mapped = NULL;
	int err;

	if (acl && idmap != &nop_mnt_idmap) {
		mapped = posix_acl_clone(acl, GFP_KERNEL);
		if (!mapped)
			return -ENOMEM;
	}

	scoped_with_creds(fbk->fb->cred)
		err = acl ? vfs_set_acl(idmap, fbk->dentry, name, mapped ?: acl) :
			    vfs_remove_acl(idmap, fbk->dentry, name);
	posix_acl_release(mapped);
	return err;
}

/*
 * Setting an access ACL drops S_ISGID if the owner is not in the file's group.
 * The backing would ask that of the registration's credentials, so it is done
 * here, for the caller, and with the write access that the ACL is set with.
 */
static int fuse_backed_drop_sgid(struct mnt_idmap *idmap, struct inode *inode,
				 int type)
{
	const struct iattr attr = { .ia_valid = ATTR_KILL_SGID };

	if (type != ACL_TYPE_ACCESS || !(inode->i_mode & S_ISGID) ||
	    in_group_or_capable(idmap, inode, i_gid_into_vfsgid(idmap, inode)))
		return 0;
	return fuse_backed_notify_change(fuse_backed(inode), &attr);
}

int fuse_backed_set_acl(struct mnt_idmap *idmap, struct dentry *entry,
			struct posix_acl *acl, int type)
{
	struct inode *inode = d_inode(entry);
	const struct fuse_backed *fbk = fuse_backed(inode);
	const struct fuse_setxattr_in in = {};
	struct fuse_filter_args args = { .text = posix_acl_xattr_name(type) };
	struct fuse_backed_call call = {
		.opcode = acl ? FUSE_SETXATTR : FUSE_REMOVEXATTR,
		.inode = inode,
		.in = acl ? &in : NULL,
		.args = &args,
	};
	int err;

	fuse_backed_copyattr(inode);
	if (!inode_owner_or_capable(idmap, inode))
		return -EPERM;

	err = fuse_backed_begin_attr(&call);
	if (err < 0)
		return err;
	if (err == FUSE_ROUTE_DAEMON)
		return fuse_backed_attr_answered(&call, fuse_set_acl(idmap, entry,
								     acl, type));

	err = fuse_backed_drop_sgid(idmap, inode, type);
	if (!err)
		err = fuse_backed_change_acl(fbk, acl, args.text);
	return fuse_backed_end_attr(&call, err);
}

int fuse_backed_fileattr_get(struct dentry *entry, struct file_kattr *fa)
{
	struct inode *inode = d_inode(entry);
	const struct fuse_ioctl_in in = { .cmd = FS_IOC_GETFLAGS };
	struct fuse_backed_call call = {
		.opcode = FUSE_IOCTL,
		.inode = inode,
		.in = &in,
	};
	int err;

	err = fuse_backed_route(&call);
	if (err < 0)
		return err;
	if (err == FUSE_ROUTE_DAEMON)
		return fuse_backed_answered(&call, fuse_fileattr_get(entry, fa));

	scoped_with_creds(fuse_backed_cred(inode))
		err = vfs_fileattr_get(fuse_backed(inode)->dentry, fa);
	return fuse_backed_done(&call, err);
}

/*
 * A file loses set-id bits along with its project, on file systems that do so, unless
 * its changer is above that: that is the caller, not the registration. Returns what to
 * use in the place of the registration's credentials, or NULL if these will do.
 */
static struct cred *fuse_backed_without_fsetid(const struct inode *inode)
{
	const struct inode *real = d_inode(fuse_backed(inode)->dentry);
	struct cred *cred;

	if (!(READ_ONCE(real->i_mode) & (S_ISUID | S_ISGID)) ||
	    capable_wrt_inode_uidgid(&nop_mnt_idmap, inode, CAP_FSETID))
		return NULL;

	scoped_with_creds(fuse_backed_cred(inode))
		cred = prepare_creds();
	if (!cred)
		return ERR_PTR(-ENOMEM);
	cap_lower(cred->cap_effective, CAP_FSETID);
	return cred;
}

static int fuse_backed_change_fileattr(const struct inode *inode,
				       struct file_kattr *fa)
{
	const struct fuse_backed *fbk = fuse_backed(inode);
	struct cred *cred = fuse_backed_without_fsetid(inode);
	int err;

	if (IS_ERR(cred))
		return PTR_ERR(cred);
	scoped_with_creds(cred ?: fbk->fb->cred)
		err = vfs_fileattr_set(mnt_idmap(fbk->fb->mnt), fbk->dentry, fa);
	put_cred(cred);
	return err;
}

int fuse_backed_fileattr_set(struct mnt_idmap *idmap, struct dentry *entry,
			     struct file_kattr *fa)
{
	struct inode *inode = d_inode(entry);
	const struct fuse_ioctl_in in = { .cmd = FS_IOC_SETFLAGS };
	struct fuse_backed_call call = {
		.opcode = FUSE_IOCTL,
		.inode = inode,
		.in = &in,
	};
	int err;

	err = fuse_backed_begin_attr(&call);
	if (err < 0)
		return err;
	if (err == FUSE_ROUTE_DAEMON)
		return fuse_backed_attr_answered(&call, fuse_fileattr_set(idmap,
									  entry, fa));

	return fuse_backed_end_attr(&call, fuse_backed_change_fileattr(inode, fa));
}
