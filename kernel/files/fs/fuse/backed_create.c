// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backed inodes: making files, directories, links and unnamed files.
 *
 * The VFS has asked for the name before: a filter that hides it, or would hide
 * it, has ended the operation there, whether the name exists or not.
 */

#include "backed.h"
#include "filter_attr.h"

#include <linux/backing-file.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/mount.h>
#include <linux/namei.h>

/**
 * struct fuse_backed_new - what is made
 * @opcode: the operation
 * @in: what the request would carry, by @opcode, or NULL
 * @mode: type and permission bits
 * @rdev: of a device
 * @target: of a symbolic link
 * @linked: name of the inode that gets another one, else NULL
 */
struct fuse_backed_new {
	u32 opcode;
	const void *in;
	umode_t mode;
	dev_t rdev;
	const char *target;
	struct dentry *linked;
};

/*
 * The backing is changed with the credentials of its registration, and the daemon is
 * asked with the caller's, but what is made belongs to the caller, or to whom a
 * filter says. The VFS has dealt with S_ISGID and the caller's groups before, on our
 * inode.
 */
static struct cred *fuse_backed_creator(const struct cred *as,
					const struct iattr *owner)
{
	struct cred *cred;

	scoped_with_creds(as)
		cred = prepare_creds();
	if (cred) {
		cred->fsuid = vfsuid_into_kuid(owner->ia_vfsuid);
		cred->fsgid = vfsgid_into_kgid(owner->ia_vfsgid);
	}
	return cred;
}

/**
 * fuse_backed_maker - credentials to make something on the backing with
 * @dir: backed directory that it is made in
 *
 * Return: those of the registration, but what is made with them belongs to the
 * caller, for put_cred(); NULL: no memory
 */
struct cred *fuse_backed_maker(const struct inode *dir)
{
	const struct iattr owner = {
		.ia_vfsuid = VFSUIDT_INIT(current_fsuid()),
		.ia_vfsgid = VFSGIDT_INIT(current_fsgid()),
	};

	return fuse_backed_creator(fuse_backed_cred(dir), &owner);
}

/*
 * Ask the filters, and prepare the credentials to make something with. Filters
 * may change @mode, but for the type. @route says who makes it.
 */
static noinline struct cred *fuse_backed_may_make_asking(struct fuse_backed_call *call,
							 umode_t *mode, int *route)
{
	struct fuse_conn *fc = get_fuse_conn(call->dir);
	struct iattr attr = {
		.ia_valid = ATTR_MODE | ATTR_UID | ATTR_GID,
		.ia_mode = *mode,
		.ia_vfsuid = VFSUIDT_INIT(current_fsuid()),
		.ia_vfsgid = VFSGIDT_INIT(current_fsgid()),
	};
	struct fuse_filter_attr change;
	struct cred *cred;
	int err = 0;

	fuse_filter_attr_from_iattr(&change, fc, &attr);
	call->args->attr = &change;
	call->args->attr_edit = FUSE_FILTER_EDIT_OWNER | FUSE_FILTER_EDIT_GIVEN;
	/* The mode of a symbolic link or of one more name is not ours to choose */
	if (call->opcode != FUSE_SYMLINK && call->opcode != FUSE_LINK)
		call->args->attr_edit |= FUSE_FILTER_EDIT_MODE;

	*route = fuse_backed_route(call);
	call->args->attr = NULL;
	err = *route < 0 ? *route : fuse_filter_attr_to_iattr(&change, fc, &attr);
	if (err)
		return ERR_PTR(err);

	*mode = attr.ia_mode;
	cred = fuse_backed_creator(*route == FUSE_ROUTE_DAEMON ? current_cred() :
				   fuse_backed_cred(call->dir), &attr);
	return cred ?: ERR_PTR(-ENOMEM);
}

static struct cred *fuse_backed_may_make(struct fuse_backed_call *call,
					 umode_t *mode, int *route)
{
	if (!fuse_backed_straight(call->dir, NULL, call->opcode))
		return fuse_backed_may_make_asking(call, mode, route);

	*route = FUSE_ROUTE_BACKING;
	return fuse_backed_maker(call->dir) ?: ERR_PTR(-ENOMEM);
}

/*
 * Returns the dentry to be given to end_creating(), or an error when that was
 * done: vfs_mkdir() may come back with another dentry, and ends on errors.
 */
static struct dentry *fuse_backed_vfs_make(struct mnt_idmap *idmap,
					   struct inode *dir,
					   struct dentry *backing,
					   const struct fuse_backed_new *new,
					   struct delegated_inode *delegated)
{
	int err;

	if (new->linked) {
		err = vfs_link(fuse_backed(d_inode(new->linked))->dentry, idmap,
			       dir, backing, delegated);
	} else {
		switch (new->mode & S_IFMT) {
		case S_IFDIR:
			return vfs_mkdir(idmap, dir, backing, new->mode,
					 delegated);
		case S_IFREG:
			err = vfs_create(idmap, backing, new->mode, delegated);
			break;
		case S_IFLNK:
			err = vfs_symlink(idmap, dir, backing, new->target,
					  delegated);
			break;
		default:
			err = vfs_mknod(idmap, dir, backing, new->mode,
					new->rdev, delegated);
			break;
		}
	}
	if (!err)
		return backing;

	end_creating(backing);
	return ERR_PTR(err);
}

/* A file of the daemon's cannot have a name on the backing */
static bool fuse_backed_may_link(const struct inode *dir, const struct dentry *linked)
{
	const struct inode *inode = d_inode(linked);

	return fuse_inode_kernel_made(inode) && fuse_backed_alike(inode, dir);
}

/* Makes the object on the backing; returns its dentry. */
static struct dentry *fuse_backed_make_backing(struct inode *parent,
					       const struct qstr *name,
					       const struct fuse_backed_new *new,
					       struct delegated_inode *delegated)
{
	const struct fuse_backed *fbk = fuse_backed(parent);
	struct mnt_idmap *idmap = mnt_idmap(fbk->fb->mnt);
	struct dentry *backing;

	if (new->linked && !fuse_backed_may_link(parent, new->linked))
		return ERR_PTR(fuse_backed_refuse(parent, FUSE_LINK,
						  FUSE_REFUSED_ACROSS, -EXDEV));

	backing = start_creating(idmap, fbk->dentry,
				 &QSTR_LEN(name->name, name->len));
	if (IS_ERR(backing))
		return backing;

	backing = fuse_backed_vfs_make(idmap, d_inode(fbk->dentry), backing, new,
				       delegated);
	if (IS_ERR(backing))
		return backing;

	backing = end_creating_keep(backing);
	if (d_really_is_positive(backing))
		return backing;

	/* Some file systems leave it to the next lookup to show what was made */
	dput(backing);
	backing = fuse_backed_find(parent, name);
	if (IS_ERR(backing) || d_is_positive(backing))
		return backing;

	dput(backing);
	return ERR_PTR(fuse_backed_refuse(parent, new->opcode,
					  FUSE_REFUSED_CHANGED, -ESTALE));
}

/* The same, once nobody has a delegation of the directory, or of what is linked */
static struct dentry *fuse_backed_make_waiting(struct inode *parent,
					       const struct qstr *name,
					       const struct fuse_backed_new *new,
					       const struct cred *cred)
{
	struct delegated_inode delegated = {};
	struct dentry *backing;
	int err;

	do {
		scoped_with_creds(cred)
			backing = fuse_backed_make_backing(parent, name, new,
							   &delegated);
		err = PTR_ERR_OR_ZERO(backing);
	} while (fuse_backed_undelegated(&delegated, &err));
	return err ? ERR_PTR(err) : backing;
}

/* Gives @entry the inode for what was made; returns as for ->mkdir(). */
static struct dentry *fuse_backed_instantiate(struct inode *dir,
					      struct dentry *entry,
					      struct dentry *backing)
{
	const struct fuse_backed *fbk = fuse_backed(dir);
	struct dentry *alias = NULL;
	struct inode *inode;

	inode = fuse_backed_iget(dir, backing);
	if (!inode) {
		/* It exists; whoever looks for it next will find it */
		d_drop(entry);
		return ERR_PTR(-ENOMEM);
	}

	if (S_ISDIR(inode->i_mode)) {
		/* Moved directly on the backing, it may have a dentry by now */
		d_drop(entry);
		alias = d_splice_alias(inode, entry);
		if (PTR_ERR_OR_ZERO(alias) == -ELOOP)
			fuse_backed_refuse(dir, FUSE_MKDIR, FUSE_REFUSED_LOOP,
					   -ELOOP);
		if (IS_ERR(alias))
			return alias;
	} else {
		d_instantiate(entry, inode);
	}
	fuse_backed_found(alias ?: entry, fbk->dentry, backing, &entry->d_name);
	return alias;
}

/*
 * What the daemon makes is its own, and stays so as long as lookups of the name are
 * sent to it. Returns as for ->mkdir().
 */
static struct dentry *fuse_backed_make_daemon(struct inode *dir,
					      struct dentry *entry,
					      const struct fuse_backed_new *new)
{
	int err;

	if (new->linked) {
		err = fuse_link(new->linked, dir, entry);
	} else {
		switch (new->mode & S_IFMT) {
		case S_IFDIR:
			return fuse_mkdir(&nop_mnt_idmap, dir, entry, new->mode);
		case S_IFLNK:
			err = fuse_symlink(&nop_mnt_idmap, dir, entry, new->target);
			break;
		default:
			err = fuse_mknod(&nop_mnt_idmap, dir, entry, new->mode,
					 new->rdev);
			break;
		}
	}
	return ERR_PTR(err);
}

/* Makes something and gives @entry an inode; counts. Returns as for ->mkdir(). */
static struct dentry *fuse_backed_make_here(const struct fuse_backed_call *call,
					    struct dentry *entry,
					    const struct fuse_backed_new *new,
					    const struct cred *cred)
{
	const struct fuse_backed *fbk = fuse_backed(call->dir);
	struct dentry *backing, *res;
	int err;

	err = mnt_want_write(fbk->fb->mnt);
	if (!err) {
		backing = fuse_backed_make_waiting(call->dir, &entry->d_name,
						   new, cred);
		mnt_drop_write(fbk->fb->mnt);
	} else {
		backing = ERR_PTR(err);
	}
	/*
	 * Made on the backing since the path walk found nothing: walk again, and
	 * let the VFS decide, which knows whether O_EXCL was given.
	 */
	if (backing == ERR_PTR(-EEXIST) && new->opcode == FUSE_CREATE)
		backing = ERR_PTR(fuse_backed_refuse(call->dir, FUSE_CREATE,
						     FUSE_REFUSED_CHANGED,
						     -ESTALE));
	fuse_backed_account(call, PTR_ERR_OR_ZERO(backing));
	if (IS_ERR(backing))
		return backing;

	res = fuse_backed_instantiate(call->dir, entry, backing);
	dput(backing);
	return res;
}

static struct dentry *fuse_backed_make(struct inode *dir, struct dentry *entry,
				       struct fuse_backed_new *new)
{
	struct fuse_filter_args args = { .text = new->target };
	struct fuse_backed_call call = {
		.opcode = new->opcode,
		.inode = new->linked ? d_inode(new->linked) : NULL,
		.dir = dir,
		.name = &entry->d_name,
		.in = new->in,
		.args = &args,
	};
	struct dentry *res;
	struct cred *cred;
	int route, err;

	cred = fuse_backed_may_make(&call, &new->mode, &route);
	if (IS_ERR(cred))
		return ERR_CAST(cred);

	if (route == FUSE_ROUTE_DAEMON) {
		scoped_with_creds(cred)
			res = fuse_backed_make_daemon(dir, entry, new);
		fuse_backed_unremember(entry);
	} else {
		res = fuse_backed_make_here(&call, entry, new, cred);
	}
	put_cred(cred);
	fuse_backed_copyattr(dir);
	err = fuse_backed_answered(&call, PTR_ERR_OR_ZERO(res));
	if (!err || IS_ERR(res))
		return IS_ERR(res) ? ERR_PTR(err) : res;

	/* It is made, but the caller is not to know what it got */
	dput(res);
	return ERR_PTR(err);
}

int fuse_backed_create(struct mnt_idmap *idmap, struct inode *dir,
		       struct dentry *entry, umode_t mode)
{
	const struct fuse_create_in in = { .flags = O_CREAT, .mode = mode };
	struct fuse_backed_new new = {
		.opcode = FUSE_CREATE,
		.in = &in,
		.mode = (mode & S_IALLUGO) | S_IFREG,
	};

	return PTR_ERR_OR_ZERO(fuse_backed_make(dir, entry, &new));
}

int fuse_backed_mknod(struct mnt_idmap *idmap, struct inode *dir,
		      struct dentry *entry, umode_t mode, dev_t rdev)
{
	const struct fuse_mknod_in in = {
		.mode = mode,
		.rdev = new_encode_dev(rdev),
	};
	struct fuse_backed_new new = {
		.opcode = FUSE_MKNOD,
		.in = &in,
		.mode = mode,
		.rdev = rdev,
	};

	return PTR_ERR_OR_ZERO(fuse_backed_make(dir, entry, &new));
}

struct dentry *fuse_backed_mkdir(struct mnt_idmap *idmap, struct inode *dir,
				 struct dentry *entry, umode_t mode)
{
	const struct fuse_mkdir_in in = { .mode = mode };
	struct fuse_backed_new new = {
		.opcode = FUSE_MKDIR,
		.in = &in,
		.mode = (mode & (0777 | S_ISVTX)) | S_IFDIR,
	};

	return fuse_backed_make(dir, entry, &new);
}

int fuse_backed_symlink(struct mnt_idmap *idmap, struct inode *dir,
			struct dentry *entry, const char *target)
{
	struct fuse_backed_new new = {
		.opcode = FUSE_SYMLINK,
		.mode = S_IFLNK | 0777,
		.target = target,
	};

	return PTR_ERR_OR_ZERO(fuse_backed_make(dir, entry, &new));
}

int fuse_backed_link(struct dentry *entry, struct inode *dir,
		     struct dentry *new_entry)
{
	struct inode *inode = d_inode(entry);
	const struct fuse_link_in in = { .oldnodeid = fuse_backed_node_id(inode) };
	struct fuse_backed_new new = {
		.opcode = FUSE_LINK,
		.in = &in,
		.mode = inode->i_mode,
		.linked = entry,
	};

	return PTR_ERR_OR_ZERO(fuse_backed_make(dir, new_entry, &new));
}

/* For finish_open(): there is nothing left to do. */
static int fuse_backed_opened(struct inode *inode, struct file *file)
{
	return 0;
}

/* Makes an unnamed file on the backing and opens @file on it. */
static int fuse_backed_open_tmpfile(struct inode *dir, struct file *file,
				    umode_t mode, const struct cred *cred)
{
	const struct path parent = fuse_backed_path(dir);
	struct file *backing;
	struct inode *inode;

	scoped_with_creds(cred)
		backing = backing_tmpfile_open(file, file->f_flags | O_LARGEFILE,
					       &parent, mode, cred);
	if (IS_ERR(backing))
		return PTR_ERR(backing);

	inode = fuse_backed_iget(dir, backing->f_path.dentry);
	if (!inode) {
		fput(backing);
		return -ENOMEM;
	}
	d_mark_tmpfile(file, inode);
	d_instantiate(file->f_path.dentry, inode);
	return fuse_backed_install(inode, file, backing);
}

/* After this, ->release() is called for @file, or is not needed. */
static int fuse_backed_finish_tmpfile(struct file *file, int err)
{
	struct inode *inode = d_inode(file->f_path.dentry);

	if (!err)
		err = finish_open(file, file->f_path.dentry, fuse_backed_opened);
	/* Without FMODE_OPENED nobody calls ->release() */
	if (file->private_data && !(file->f_mode & FMODE_OPENED))
		fuse_backed_release(inode, file);
	return err;
}

int fuse_backed_tmpfile(struct mnt_idmap *idmap, struct inode *dir,
			struct file *file, umode_t mode)
{
	const struct fuse_create_in in = { .flags = file->f_flags, .mode = mode };
	struct fuse_filter_args args = {};
	struct fuse_backed_call call = {
		.opcode = FUSE_TMPFILE,
		.dir = dir,
		.name = &empty_name,
		.in = &in,
		.args = &args,
	};
	struct vfsmount *mnt = fuse_backed(dir)->fb->mnt;
	struct cred *cred;
	int route, err;

	cred = fuse_backed_may_make(&call, &mode, &route);
	if (IS_ERR(cred))
		return PTR_ERR(cred);

	if (route == FUSE_ROUTE_DAEMON) {
		scoped_with_creds(cred)
			err = fuse_tmpfile(idmap, dir, file, mode);
		put_cred(cred);
		return fuse_backed_answered(&call, err);
	}

	err = mnt_want_write(mnt);
	if (!err) {
		err = fuse_backed_open_tmpfile(dir, file, mode, cred);
		mnt_drop_write(mnt);
	}
	put_cred(cred);
	err = fuse_backed_done(&call, err);
	return fuse_backed_finish_tmpfile(file, err);
}
