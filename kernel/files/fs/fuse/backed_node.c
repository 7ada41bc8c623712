// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backed inodes: making them, one for each object of the backing, keeping their
 * attributes those of the backing, and letting go of the backing at eviction.
 */

#include "filter.h"

/*
 * A lookup holds the lock of a backed directory while it takes the lock of the
 * backing's. Where the backing is FUSE too, lockdep would take them for one:
 * give each level of stacking its own class.
 */
static void fuse_backed_set_lock_class(struct inode *inode)
{
#ifdef CONFIG_LOCKDEP
	static struct lock_class_key dir_key[FILESYSTEM_MAX_STACK_DEPTH];
	static struct lock_class_key key[FILESYSTEM_MAX_STACK_DEPTH];
	int depth = inode->i_sb->s_stack_depth - 1;

	if (WARN_ON_ONCE(depth < 0 || depth >= FILESYSTEM_MAX_STACK_DEPTH))
		depth = 0;

	if (S_ISDIR(inode->i_mode))
		lockdep_set_class(&inode->i_rwsem, &dir_key[depth]);
	else
		lockdep_set_class(&inode->i_rwsem, &key[depth]);
#endif
}

/* Flags of an inode that are those of the backing's */
#define FUSE_BACKED_FLAGS \
	(S_SYNC | S_DIRSYNC | S_APPEND | S_IMMUTABLE | S_NOSEC)

/* Are all attributes that are copied the same, owners without an idmapping? */
static inline bool fuse_backed_attr_same(const struct inode *inode,
					 const struct inode *real)
{
	return inode_get_ctime_nsec(inode) == inode_get_ctime_nsec(real) &&
	       inode_get_ctime_sec(inode) == inode_get_ctime_sec(real) &&
	       inode_get_mtime_nsec(inode) == inode_get_mtime_nsec(real) &&
	       inode_get_mtime_sec(inode) == inode_get_mtime_sec(real) &&
	       inode_get_atime_nsec(inode) == inode_get_atime_nsec(real) &&
	       inode_get_atime_sec(inode) == inode_get_atime_sec(real) &&
	       i_size_read(inode) == i_size_read(real) &&
	       inode->i_blocks == real->i_blocks &&
	       inode->i_mode == real->i_mode &&
	       inode->i_nlink == real->i_nlink &&
	       uid_eq(inode->i_uid, real->i_uid) &&
	       gid_eq(inode->i_gid, real->i_gid) &&
	       !((inode->i_flags ^ real->i_flags) & FUSE_BACKED_FLAGS);
}

static noinline void fuse_backed_take_attr(struct inode *inode, struct mnt_idmap *idmap)
{
	const struct inode *real = d_inode(fuse_backed(inode)->dentry);

	spin_lock(&inode->i_lock);
	inode->i_uid = fuse_backed_uid(idmap, real);
	inode->i_gid = fuse_backed_gid(idmap, real);
	inode->i_mode = real->i_mode;
	inode->i_blocks = real->i_blocks;
	inode_set_atime_to_ts(inode, inode_get_atime(real));
	inode_set_mtime_to_ts(inode, inode_get_mtime(real));
	inode_set_ctime_to_ts(inode, inode_get_ctime(real));
	i_size_write(inode, i_size_read(real));
	if (inode->i_nlink != real->i_nlink)
		set_nlink(inode, real->i_nlink);
	spin_unlock(&inode->i_lock);

	inode_set_flags(inode, real->i_flags & FUSE_BACKED_FLAGS, FUSE_BACKED_FLAGS);
}

/**
 * fuse_backed_copyattr - take over the backing's attributes
 * @inode: a backed inode
 *
 * What the VFS reads from the inode itself (size, owner, mode for exec, flags)
 * is a copy of the backing's, taken at lookup, open and getattr. Permission
 * checks and stat() do not use it; they ask the backing.
 *
 * Most often nothing has changed, and who only looks takes no lock. Whoever writes the
 * copy holds the lock and reads the backing under it: a copy that is found to be right
 * does not become older than what the backing was while it was looked at.
 */
void fuse_backed_copyattr(struct inode *inode)
{
	const struct inode *real = d_inode(fuse_backed(inode)->dentry);
	struct mnt_idmap *idmap = fuse_backed_idmap(inode);

	if (idmap != &nop_mnt_idmap || !fuse_backed_attr_same(inode, real))
		fuse_backed_take_attr(inode, idmap);
}

/* The operations of a plain inode of the same type are what these replace. */
static void fuse_backed_init_ops(struct inode *inode, dev_t rdev)
{
	switch (inode->i_mode & S_IFMT) {
	case S_IFREG:
		fuse_init_file_inode(inode, 0);
		/*
		 * The page cache is the backing's; ours would ask the daemon. If
		 * it has opened a file, it may be asked, to map the file.
		 */
		if (!fuse_backed_daemon_knows(inode))
			inode->i_data.a_ops = &empty_aops;
		inode->i_op = &fuse_backed_common_iops;
		inode->i_fop = &fuse_backed_file_fops;
		break;
	case S_IFDIR:
		fuse_init_dir(inode);
		if (!fuse_backed_names(inode)) {
			fuse_backed_init_dir(inode);
			break;
		}
		inode->i_op = &fuse_backed_dir_iops;
		inode->i_fop = &fuse_backed_dir_fops;
		break;
	case S_IFLNK:
		inode->i_op = &fuse_backed_symlink_iops;
		break;
	default:
		inode->i_op = &fuse_backed_common_iops;
		init_special_inode(inode, inode->i_mode, rdev);
		break;
	}
}

/**
 * fuse_backed_init_inode - turn an inode into a backed one
 * @inode: a new inode, or the root of a mount that is being made
 * @what: registration, positive dentry that was reached by it, and the rest
 *
 * Takes references to both, which fuse_backed_evict() drops. Nobody else may see
 * @inode yet.
 */
void fuse_backed_init_inode(struct inode *inode, const struct fuse_backed *what)
{
	struct fuse_inode *fi = get_fuse_inode(inode);
	const struct inode *real = d_inode(what->dentry);

	fi->backed = *what;
	fuse_backing_get(what->fb);
	dget(what->dentry);
	fi->orig_ino = real->i_ino;
	inode->i_ino = real->i_ino;
	inode->i_mode = real->i_mode;
	inode->i_generation = real->i_generation;
	/* The backing keeps times; ACLs are checked there */
	inode->i_flags |= S_NOCMTIME;
	if (!S_ISLNK(inode->i_mode))
		inode->i_flags |= S_NOATIME;
	inode->i_acl = ACL_DONT_CACHE;
	inode->i_default_acl = ACL_DONT_CACHE;

	fuse_backed_init_ops(inode, real->i_rdev);
	fuse_backed_copyattr(inode);
	fuse_backed_set_lock_class(inode);
}

/*
 * Kernel-made inodes are hashed by the address of the backing's inode, which
 * the reference to the backing dentry keeps in place. What is reached by two
 * registrations has an inode for each: they differ in who may do what.
 */
static int fuse_backed_test(struct inode *inode, void *data)
{
	const struct fuse_backed *what = data;
	const struct fuse_backed *fbk = fuse_backed(inode);

	return inode->i_private == d_inode(what->dentry) &&
	       fbk->fb == what->fb && fbk->tag == what->tag;
}

static int fuse_backed_set(struct inode *inode, void *data)
{
	const struct fuse_backed *what = data;
	struct inode *real = d_inode(what->dentry);
	struct fuse_inode *fi = get_fuse_inode(inode);

	inode->i_private = real;
	fi->nodeid = FUSE_NODEID_KERNEL | real->i_ino;
	/* fuse_backed_test() may look before the rest is filled in */
	fi->backed.fb = what->fb;
	fi->backed.tag = what->tag;
	return 0;
}

/**
 * fuse_backed_iget - the inode for an object of the backing
 * @dir: backed directory in which it was found or made
 * @backing: positive dentry; all its hard links give the same inode
 *
 * Return: an inode with a reference for the caller, NULL if out of memory
 */
struct inode *fuse_backed_iget(struct inode *dir, struct dentry *backing)
{
	struct fuse_backed what = {
		.fb = fuse_backed(dir)->fb,
		.dentry = backing,
		.tag = fuse_backed(dir)->tag,
		.names = true,
	};
	struct inode *inode;

	inode = iget5_locked(dir->i_sb, (unsigned long)d_inode(backing),
			     fuse_backed_test, fuse_backed_set, &what);
	if (!inode)
		return NULL;

	if (inode_state_read_once(inode) & I_NEW) {
		fuse_backed_init_inode(inode, &what);
		unlock_new_inode(inode);
	} else {
		fuse_backed_copyattr(inode);
	}
	return inode;
}

/**
 * fuse_backed_evict - let go of the backing
 * @inode: a backed inode that nobody can reach any more but in RCU-walk
 *
 * The pointers stay: a path walk under RCU may still read them. What they point
 * to is freed after a grace period, and the walk finds out that it was stale.
 */
void fuse_backed_evict(struct inode *inode)
{
	struct fuse_backed *fbk = fuse_backed(inode);

	if (!fuse_inode_backed(inode))
		return;

	fuse_filter_unbind(inode);
	fuse_backed_forget_id(inode);
	dput(fbk->dentry);
	fuse_backing_put(fbk->fb);
}
