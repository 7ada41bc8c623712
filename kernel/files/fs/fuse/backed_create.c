// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backed inodes: making files, directories, links and unnamed files.
 *
 * The VFS has asked for the name before: a filter that hides it, or would hide
 * it, has ended the operation there, whether the name exists or not.
 */

#include "backed.h"

#include <linux/backing-file.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/mount.h>
#include <linux/namei.h>

/**
 * struct fuse_backed_new - what is made
 * @opcode: the operation
 * @mode: type and permission bits
 * @rdev: of a device
 * @target: of a symbolic link
 * @link: backing of the inode that gets another name, else NULL
 */
struct fuse_backed_new {
	u32 opcode;
	umode_t mode;
	dev_t rdev;
	const char *target;
	struct dentry *link;
};

/*
 * The backing is changed with the credentials of its registration, but what is
 * made there belongs to the caller. The VFS has dealt with S_ISGID and the
 * caller's groups before, on our inode.
 */
static struct cred *fuse_backed_creator(const struct cred *registration)
{
	const struct cred *caller = current_cred();
	struct cred *cred;

	scoped_with_creds(registration)
		cred = prepare_creds();
	if (cred) {
		cred->fsuid = caller->fsuid;
		cred->fsgid = caller->fsgid;
	}
	return cred;
}

/*
 * Returns the dentry to be given to end_creating(), or an error when that was
 * done: vfs_mkdir() may come back with another dentry, and ends on errors.
 */
static struct dentry *fuse_backed_vfs_make(struct mnt_idmap *idmap,
					   struct inode *dir,
					   struct dentry *backing,
					   const struct fuse_backed_new *new)
{
	int err;

	if (new->link) {
		err = vfs_link(new->link, idmap, dir, backing, NULL);
	} else {
		switch (new->mode & S_IFMT) {
		case S_IFDIR:
			return vfs_mkdir(idmap, dir, backing, new->mode, NULL);
		case S_IFREG:
			err = vfs_create(idmap, backing, new->mode, NULL);
			break;
		case S_IFLNK:
			err = vfs_symlink(idmap, dir, backing, new->target, NULL);
			break;
		default:
			err = vfs_mknod(idmap, dir, backing, new->mode,
					new->rdev, NULL);
			break;
		}
	}
	if (!err)
		return backing;

	end_creating(backing);
	return ERR_PTR(err);
}

/* Makes the object on the backing; returns its dentry. */
static struct dentry *fuse_backed_make_backing(const struct fuse_backed *fbk,
					       const struct qstr *name,
					       const struct fuse_backed_new *new)
{
	struct mnt_idmap *idmap = mnt_idmap(fbk->fb->mnt);
	struct dentry *backing;

	backing = start_creating(idmap, fbk->dentry,
				 &QSTR_LEN(name->name, name->len));
	if (IS_ERR(backing))
		return backing;

	backing = fuse_backed_vfs_make(idmap, d_inode(fbk->dentry), backing, new);
	if (IS_ERR(backing))
		return backing;

	backing = end_creating_keep(backing);
	if (d_really_is_positive(backing))
		return backing;

	/* Made, says the file system, but it does not show what */
	dput(backing);
	return ERR_PTR(-EIO);
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
		if (IS_ERR(alias))
			return alias;
	} else {
		d_instantiate(entry, inode);
	}
	fuse_backed_found(alias ?: entry, fbk->dentry, backing, &entry->d_name);
	return alias;
}

static struct dentry *fuse_backed_make(struct inode *dir, struct dentry *entry,
				       const struct fuse_backed_new *new)
{
	const struct fuse_backed *fbk = fuse_backed(dir);
	const struct fuse_backed_call call = {
		.opcode = new->opcode,
		.dir = dir,
		.name = &entry->d_name,
	};
	struct dentry *backing, *res;
	struct cred *cred;
	int err;

	err = fuse_backed_route_backing(&call);
	if (err)
		return ERR_PTR(err);

	cred = fuse_backed_creator(fbk->fb->cred);
	if (!cred)
		return ERR_PTR(-ENOMEM);

	err = mnt_want_write(fbk->fb->mnt);
	if (!err) {
		scoped_with_creds(cred)
			backing = fuse_backed_make_backing(fbk, &entry->d_name, new);
		mnt_drop_write(fbk->fb->mnt);
	} else {
		backing = ERR_PTR(err);
	}
	put_cred(cred);
	fuse_backed_done(&call, PTR_ERR_OR_ZERO(backing));
	if (IS_ERR(backing))
		return backing;

	res = fuse_backed_instantiate(dir, entry, backing);
	dput(backing);
	fuse_backed_copyattr(dir);
	return res;
}

int fuse_backed_create(struct mnt_idmap *idmap, struct inode *dir,
		       struct dentry *entry, umode_t mode)
{
	const struct fuse_backed_new new = {
		.opcode = FUSE_CREATE,
		.mode = (mode & S_IALLUGO) | S_IFREG,
	};
	int err = PTR_ERR_OR_ZERO(fuse_backed_make(dir, entry, &new));

	/*
	 * Made on the backing since the path walk found nothing: walk again, and
	 * let the VFS decide, which knows whether O_EXCL was given.
	 */
	return err == -EEXIST ? -ESTALE : err;
}

int fuse_backed_mknod(struct mnt_idmap *idmap, struct inode *dir,
		      struct dentry *entry, umode_t mode, dev_t rdev)
{
	const struct fuse_backed_new new = {
		.opcode = FUSE_MKNOD,
		.mode = mode,
		.rdev = rdev,
	};

	return PTR_ERR_OR_ZERO(fuse_backed_make(dir, entry, &new));
}

struct dentry *fuse_backed_mkdir(struct mnt_idmap *idmap, struct inode *dir,
				 struct dentry *entry, umode_t mode)
{
	const struct fuse_backed_new new = {
		.opcode = FUSE_MKDIR,
		.mode = (mode & (0777 | S_ISVTX)) | S_IFDIR,
	};

	return fuse_backed_make(dir, entry, &new);
}

int fuse_backed_symlink(struct mnt_idmap *idmap, struct inode *dir,
			struct dentry *entry, const char *target)
{
	const struct fuse_backed_new new = {
		.opcode = FUSE_SYMLINK,
		.mode = S_IFLNK | 0777,
		.target = target,
	};

	return PTR_ERR_OR_ZERO(fuse_backed_make(dir, entry, &new));
}

int fuse_backed_link(struct dentry *entry, struct inode *dir,
		     struct dentry *new_entry)
{
	const struct inode *inode = d_inode(entry);
	const struct fuse_backed_new new = {
		.opcode = FUSE_LINK,
		.mode = inode->i_mode,
		.link = fuse_backed(inode)->dentry,
	};

	/* A file of the daemon's cannot have a name on the backing */
	if (!fuse_inode_kernel_made(inode) || !fuse_backed_alike(inode, dir))
		return -EXDEV;

	return PTR_ERR_OR_ZERO(fuse_backed_make(dir, new_entry, &new));
}

/* For finish_open(): there is nothing left to do. */
static int fuse_backed_opened(struct inode *inode, struct file *file)
{
	return 0;
}

/* Makes an unnamed file on the backing and opens @file on it. */
static int fuse_backed_open_tmpfile(struct inode *dir, struct file *file,
				    umode_t mode)
{
	const struct path parent = fuse_backed_path(dir);
	struct file *backing;
	struct inode *inode;
	struct cred *cred;
	int err;

	cred = fuse_backed_creator(fuse_backed_cred(dir));
	if (!cred)
		return -ENOMEM;

	scoped_with_creds(cred)
		backing = backing_tmpfile_open(file, file->f_flags | O_LARGEFILE,
					       &parent, mode, cred);
	put_cred(cred);
	if (IS_ERR(backing))
		return PTR_ERR(backing);

	inode = fuse_backed_iget(dir, backing->f_path.dentry);
	if (!inode) {
		fput(backing);
		return -ENOMEM;
	}
	d_mark_tmpfile(file, inode);
	d_instantiate(file->f_path.dentry, inode);

	err = fuse_backed_install(inode, file, backing);
	if (err)
		return err;

	err = finish_open(file, file->f_path.dentry, fuse_backed_opened);
	/* Without FMODE_OPENED nobody calls ->release() */
	if (!(file->f_mode & FMODE_OPENED))
		fuse_backed_release(inode, file);
	return err;
}

int fuse_backed_tmpfile(struct mnt_idmap *idmap, struct inode *dir,
			struct file *file, umode_t mode)
{
	const struct fuse_backed_call call = {
		.opcode = FUSE_TMPFILE,
		.dir = dir,
		.name = &empty_name,
	};
	struct vfsmount *mnt = fuse_backed(dir)->fb->mnt;
	int err;

	err = fuse_backed_route_backing(&call);
	if (err)
		return err;

	err = mnt_want_write(mnt);
	if (!err) {
		err = fuse_backed_open_tmpfile(dir, file, mode);
		mnt_drop_write(mnt);
	}
	fuse_backed_done(&call, err);
	return err;
}
