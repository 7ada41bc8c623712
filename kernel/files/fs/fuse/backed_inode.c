// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backed inodes: attributes, permission, symbolic links, file system statistics.
 */

#include "backed.h"
#include "filter_attr.h"

#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/statfs.h>
#include <linux/uaccess.h>
#include <uapi/linux/magic.h>

/* The daemon's refusal adds to those of the backing; it grants nothing. */
static int fuse_backed_ask_access(struct inode *inode, int mask)
{
	return mask & MAY_NOT_BLOCK ? -ECHILD : fuse_access(inode, mask);
}

/*
 * The caller must have permission on the backing's inode, and so must the
 * credentials that the backing was registered with: a mount shows no more than
 * whoever set it up may see.
 */
static inline int fuse_backed_check_backing(struct inode *inode, struct inode *real,
					    int mask)
{
	const struct fuse_backing *fb = fuse_backed(inode)->fb;
	struct mnt_idmap *idmap = mnt_idmap(fb->mnt);
	int err;

	err = S_ISDIR(inode->i_mode) ? 0 : fuse_backed_may_use(inode, mask);
	if (err)
		return fuse_backed_refuse(inode, FUSE_ACCESS,
					  FUSE_REFUSED_MOUNT_FLAGS, err);

	/* Said here and not only when it is tried, so that access() knows too */
	if (mask & MAY_WRITE && !special_file(inode->i_mode) &&
	    __mnt_is_readonly(fb->mnt))
		return -EROFS;

	err = inode_permission(idmap, real, mask);
	if (err)
		return err;

	scoped_with_creds(fb->cred)
		err = inode_permission(idmap, real, mask);
	return err;
}

static noinline int fuse_backed_permission_asking(struct inode *inode,
						  struct inode *real, int mask)
{
	const struct fuse_access_in in = { .mask = fuse_filter_access_mask(mask) };
	struct fuse_backed_call call = {
		.opcode = FUSE_ACCESS,
		.rcu = mask & MAY_NOT_BLOCK,
		.inode = inode,
		.in = &in,
	};
	int route, err;

	route = fuse_backed_route(&call);
	if (route < 0)
		return route;

	err = fuse_backed_check_backing(inode, real, mask);
	if (!err && route == FUSE_ROUTE_DAEMON)
		err = fuse_backed_ask_access(inode, mask);
	/* To be asked again is no result */
	return err == -ECHILD ? err :
	       fuse_filter_post(get_fuse_conn(inode), &call, err);
}

static int fuse_backed_permission(struct mnt_idmap *idmap, struct inode *inode,
				  int mask)
{
	struct inode *real = d_inode_rcu(fuse_backed(inode)->dentry);

	/* Only an inode that was evicted during RCU-walk has lost its backing */
	if (unlikely(!real))
		return -ECHILD;
	if (!fuse_backed_allows_caller(get_fuse_conn(inode)))
		return fuse_is_bad(inode) ? -EIO : -EACCES;

	if (!fuse_backed_straight(inode, NULL, FUSE_ACCESS))
		return fuse_backed_permission_asking(inode, real, mask);
	return fuse_backed_check_backing(inode, real, mask);
}

static inline int fuse_backed_getattr_backing(struct inode *inode, struct kstat *stat,
					      u32 request_mask, unsigned int flags)
{
	const struct path backing = fuse_backed_path(inode);
	int err;

	scoped_with_creds(fuse_backed_cred(inode))
		err = vfs_getattr(&backing, stat, request_mask, flags);
	if (!err) {
		stat->dev = inode->i_sb->s_dev;
		fuse_backed_copyattr(inode);
	}
	fuse_backed_count(get_fuse_conn(inode), FUSE_GETATTR, err);
	return err;
}

static noinline int fuse_backed_getattr_asking(struct mnt_idmap *idmap,
					       const struct path *path,
					       struct kstat *stat, u32 request_mask,
					       unsigned int flags)
{
	struct inode *inode = d_inode(path->dentry);
	struct fuse_backed_call call = {
		.opcode = FUSE_GETATTR,
		.inode = inode,
	};
	int route, err;

	route = fuse_backed_route(&call);
	if (route < 0)
		return route;
	if (route == FUSE_ROUTE_DAEMON)
		/* What the kernel has are the backing's attributes: always ask */
		err = fuse_getattr(idmap, path, stat, request_mask | STATX_TYPE,
				   (flags & ~AT_STATX_SYNC_TYPE) |
				   AT_STATX_FORCE_SYNC);
	else
		err = fuse_backed_getattr_backing(inode, stat, request_mask, flags);
	return fuse_filter_stat(&call, stat, err);
}

static int fuse_backed_getattr(struct mnt_idmap *idmap, const struct path *path,
			       struct kstat *stat, u32 request_mask,
			       unsigned int flags)
{
	struct inode *inode = d_inode(path->dentry);

	if (!fuse_backed_allows_caller(get_fuse_conn(inode))) {
		/* As for plain inodes: who asks for nothing gets st_dev */
		stat->result_mask = 0;
		stat->dev = inode->i_sb->s_dev;
		return request_mask ? -EACCES : 0;
	}

	if (!fuse_backed_straight(inode, NULL, FUSE_GETATTR))
		return fuse_backed_getattr_asking(idmap, path, stat, request_mask,
						  flags);
	return fuse_backed_getattr_backing(inode, stat, request_mask, flags);
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

/*
 * Which privileges a file loses by a truncation, the VFS has said by the copy of the mode
 * that we had before; a direct change may have given it others since.
 */
static void fuse_backed_drop_privs(struct iattr *backing, struct mnt_idmap *idmap,
				   struct inode *inode)
{
	int kill;

	if ((backing->ia_valid & (ATTR_SIZE | ATTR_MODE)) != ATTR_SIZE)
		return;

	kill = setattr_should_drop_suidgid(idmap, inode);
	if (kill)
		backing->ia_valid |= kill | ATTR_FORCE;
}

/**
 * fuse_backed_notify_change - change attributes of the backing
 * @fbk: the backing, to whose mount the caller has write access
 * @attr: what, in terms of the backing's inode
 *
 * Context: sleeps, also for whoever has a delegation.
 * Return: 0 or a negative errno
 */
int fuse_backed_notify_change(const struct fuse_backed *fbk,
			      const struct iattr *attr)
{
	struct inode *real = d_inode(fbk->dentry);
	struct delegated_inode delegated = {};
	struct iattr try;
	int err;

	do {
		/* It is changed to what the mode says now */
		try = *attr;
		inode_lock(real);
		scoped_with_creds(fbk->fb->cred)
			err = notify_change(mnt_idmap(fbk->fb->mnt),
					    fbk->dentry, &try, &delegated);
		inode_unlock(real);
	} while (fuse_backed_undelegated(&delegated, &err));
	return err;
}

/* The daemon is told of the file that something is changed by, if it has it open. */
static void fuse_backed_iattr_file(struct iattr *change, const struct iattr *attr)
{
	if (attr->ia_valid & ATTR_FILE &&
	    fuse_backed_has_handle(attr->ia_file->private_data)) {
		change->ia_valid |= ATTR_FILE;
		change->ia_file = attr->ia_file;
	}
}

static int fuse_backed_change(struct inode *inode, const struct iattr *attr)
{
	const struct fuse_backed *fbk = fuse_backed(inode);
	struct inode *real = d_inode(fbk->dentry);
	bool truncate = attr->ia_valid & ATTR_SIZE;
	int err;

	err = mnt_want_write(fbk->fb->mnt);
	if (err)
		return err;

	/* Who may write cannot be given a lease: break those that are there */
	err = truncate ? get_write_access(real) : 0;
	if (!err) {
		err = truncate ? break_lease(real, O_WRONLY) : 0;
		if (!err)
			err = fuse_backed_notify_change(fbk, attr);
		if (truncate)
			put_write_access(real);
	}
	mnt_drop_write(fbk->fb->mnt);
	return err;
}

static noinline int fuse_backed_setattr_asking(struct mnt_idmap *idmap,
					       struct dentry *entry,
					       const struct iattr *attr,
					       struct iattr *backing)
{
	struct inode *inode = d_inode(entry);
	struct fuse_conn *fc = get_fuse_conn(inode);
	struct fuse_filter_attr change;
	struct fuse_filter_args args = {
		.attr = &change,
		.attr_edit = FUSE_FILTER_EDIT_MODE | FUSE_FILTER_EDIT_OWNER |
			     FUSE_FILTER_EDIT_TIMES | FUSE_FILTER_EDIT_VALID |
			     FUSE_FILTER_EDIT_GIVEN,
	};
	struct fuse_backed_call call = {
		.opcode = FUSE_SETATTR,
		.inode = inode,
		.args = &args,
	};
	int route, err;

	fuse_filter_attr_from_iattr(&change, fc, backing);
	route = fuse_backed_route(&call);
	err = route < 0 ? route : fuse_filter_attr_to_iattr(&change, fc, backing);
	if (err)
		return err;

	if (route == FUSE_ROUTE_DAEMON) {
		fuse_backed_iattr_file(backing, attr);
		err = fuse_setattr(idmap, entry, backing);
		fuse_backed_copyattr(inode);
		return fuse_backed_answered(&call, err);
	}

	err = fuse_backed_change(inode, backing);
	fuse_backed_copyattr(inode);
	return fuse_backed_done(&call, err);
}

int fuse_backed_setattr(struct mnt_idmap *idmap, struct dentry *entry,
			struct iattr *attr)
{
	struct inode *inode = d_inode(entry);
	struct fuse_conn *fc = get_fuse_conn(inode);
	struct iattr backing;
	int err;

	if (!fuse_backed_allows_caller(fc))
		return -EACCES;

	/* The caller is checked against the owner as the backing has it now */
	fuse_backed_copyattr(inode);
	err = setattr_prepare(idmap, entry, attr);
	if (err)
		return err;

	backing = fuse_backed_iattr(attr);
	fuse_backed_drop_privs(&backing, idmap, inode);
	if (!fuse_backed_straight(inode, NULL, FUSE_SETATTR))
		return fuse_backed_setattr_asking(idmap, entry, attr, &backing);

	err = fuse_backed_change(inode, &backing);
	fuse_backed_copyattr(inode);
	fuse_backed_count(fc, FUSE_SETATTR, err);
	return err;
}

/* Postfilters may put another target in the place of the one that was read. */
static const char *fuse_backed_filter_link(struct fuse_backed_call *call,
					   const char *link,
					   struct delayed_call *done)
{
	struct delayed_call real_done = *done;
	struct fuse_filter_args args = { .value_room = PAGE_SIZE - 1 };
	ssize_t ret = PTR_ERR_OR_ZERO(link);

	clear_delayed_call(done);
	args.value = kzalloc(PAGE_SIZE, GFP_KERNEL);
	if (!ret) {
		if (args.value)
			args.value_len = strscpy(args.value, link, PAGE_SIZE);
		do_delayed_call(&real_done);
	}
	if (!args.value)
		return ERR_PTR(-ENOMEM);

	call->args = &args;
	ret = fuse_filter_post(get_fuse_conn(call->inode), call, ret);
	if (ret < 0) {
		kfree(args.value);
		return ERR_PTR(ret);
	}
	((char *)args.value)[args.value_len] = '\0';
	set_delayed_call(done, kfree_link, args.value);
	return args.value;
}

static const char *fuse_backed_read_link(struct dentry *entry,
					 struct inode *inode,
					 struct delayed_call *done)
{
	struct fuse_backed_call call = {
		.opcode = FUSE_READLINK,
		.inode = inode,
	};
	const char *link;
	int route;

	route = fuse_backed_route(&call);
	if (route < 0)
		return ERR_PTR(route);

	if (route == FUSE_ROUTE_DAEMON) {
		link = fuse_get_link(entry, inode, done);
	} else {
		scoped_with_creds(fuse_backed_cred(inode))
			link = vfs_get_link(fuse_backed(inode)->dentry, done);
		fuse_backed_account(&call, PTR_ERR_OR_ZERO(link));
	}
	return fuse_filter_has_post(&call) ? fuse_backed_filter_link(&call, link, done) : link;
}

/* Postfilters may change all that a daemon could say. */
static int fuse_backed_filter_statfs(struct fuse_backed_call *call,
				     struct kstatfs *buf, int err)
{
	struct fuse_kstatfs st = {
		.blocks = buf->f_blocks,
		.bfree = buf->f_bfree,
		.bavail = buf->f_bavail,
		.files = buf->f_files,
		.ffree = buf->f_ffree,
		.bsize = buf->f_bsize,
		.namelen = buf->f_namelen,
		.frsize = buf->f_frsize,
	};
	struct fuse_filter_args args = { .statfs = &st };

	call->args = &args;
	err = fuse_filter_post(get_fuse_conn(call->inode), call, err);
	if (err)
		return err;

	buf->f_blocks = st.blocks;
	buf->f_bfree = st.bfree;
	buf->f_bavail = st.bavail;
	buf->f_files = st.files;
	buf->f_ffree = st.ffree;
	buf->f_bsize = st.bsize;
	buf->f_namelen = st.namelen;
	buf->f_frsize = st.frsize;
	return 0;
}

/*
 * Only symbolic links have their access time asked for here, and by the flags of
 * our mount. What is read by way of an open file is marked by the backing.
 */
static int fuse_backed_update_time(struct inode *inode, enum fs_update_time type,
				   unsigned int flags)
{
	const struct path backing = fuse_backed_path(inode);

	if (flags & IOCB_NOWAIT)
		return -EAGAIN;

	touch_atime(&backing);
	inode_set_atime_to_ts(inode, inode_get_atime(d_inode(backing.dentry)));
	return 0;
}

/* A path walk follows the link, or another file system reads it. */
static const char *fuse_backed_get_link(struct dentry *entry,
					struct inode *inode,
					struct delayed_call *done)
{
	if (!entry)
		return ERR_PTR(-ECHILD);
	if (fuse_backed_nosymfollow(inode))
		return ERR_PTR(fuse_backed_refuse(inode, FUSE_READLINK,
						  FUSE_REFUSED_MOUNT_FLAGS,
						  -ELOOP));
	return fuse_backed_read_link(entry, inode, done);
}

/* What readlink(2) may do even where links are not followed */
static int fuse_backed_readlink(struct dentry *entry, char __user *buf, int size)
{
	DEFINE_DELAYED_CALL(done);
	const char *link = fuse_backed_read_link(entry, d_inode(entry), &done);
	int len;

	if (IS_ERR(link))
		return PTR_ERR(link);

	len = min_t(size_t, strlen(link), size);
	if (copy_to_user(buf, link, len))
		len = -EFAULT;
	do_delayed_call(&done);
	return len;
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
	struct fuse_backed_call call = {
		.opcode = FUSE_STATFS,
		.inode = inode,
	};
	int route, err;

	route = fuse_backed_route(&call);
	if (route < 0)
		return route;

	if (route == FUSE_ROUTE_DAEMON) {
		err = fuse_send_statfs(dentry, buf);
	} else {
		scoped_with_creds(fuse_backed_cred(inode))
			err = vfs_statfs(&backing, buf);
		buf->f_type = FUSE_SUPER_MAGIC;
		fuse_backed_account(&call, err);
	}
	return fuse_filter_has_post(&call) ? fuse_backed_filter_statfs(&call, buf, err) : err;
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
	.update_time	= fuse_backed_update_time,
	.readlink	= fuse_backed_readlink,
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
