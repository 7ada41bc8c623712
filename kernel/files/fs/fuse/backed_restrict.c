// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backed inodes: what the mount of the backing forbids.
 *
 * The VFS looks at the flags of the mount that a path goes through, which is ours.
 * Those of the backing's mount are looked at here, at each use, as they may change
 * at any time by a remount.
 */

#include "backed.h"

#include <linux/sched.h>
#include <linux/user_namespace.h>
#include <linux/xattr.h>

static bool fuse_backed_nodev(const struct vfsmount *mnt)
{
	return mnt->mnt_flags & MNT_NODEV || mnt->mnt_sb->s_iflags & SB_I_NODEV;
}

/**
 * fuse_backed_noexec - may nothing be run from the mount of the backing?
 * @inode: backed inode
 *
 * Return: true if neither exec nor an executable mapping is allowed
 */
bool fuse_backed_noexec(const struct inode *inode)
{
	const struct vfsmount *mnt = fuse_backed(inode)->fb->mnt;

	return mnt->mnt_flags & MNT_NOEXEC ||
	       mnt->mnt_sb->s_iflags & SB_I_NOEXEC;
}

/*
 * As mnt_may_suid(), but for the mount namespace: a registration is often one of a
 * mount that is attached nowhere. Who owns the user namespace of a file system can
 * give its files any mode and capabilities; they are good for nobody outside.
 */
static bool fuse_backed_nosuid(const struct inode *inode)
{
	const struct vfsmount *mnt = fuse_backed(inode)->fb->mnt;

	return mnt->mnt_flags & MNT_NOSUID ||
	       !current_in_userns(mnt->mnt_sb->s_user_ns);
}

/**
 * fuse_backed_may_use - does the mount of the backing allow this access?
 * @inode: backed inode, no directory
 * @mask: MAY_*, as for ->permission()
 *
 * bprm_fill_uid() asks for the permission to execute a second time, to apply
 * S_ISUID and S_ISGID only if it is still there. It alone does so during execve()
 * without opening the file. A refusal lets the program run without them.
 *
 * Return: 0, -EACCES
 */
int fuse_backed_may_use(const struct inode *inode, int mask)
{
	if (S_ISREG(inode->i_mode)) {
		if (!(mask & MAY_EXEC))
			return 0;
		if (fuse_backed_noexec(inode))
			return -EACCES;
		if (current->in_execve && !(mask & (MAY_OPEN | MAY_ACCESS)) &&
		    fuse_backed_nosuid(inode))
			return -EACCES;
		return 0;
	}
	if (!S_ISBLK(inode->i_mode) && !S_ISCHR(inode->i_mode))
		return 0;
	return mask & MAY_OPEN && fuse_backed_nodev(fuse_backed(inode)->fb->mnt) ?
		-EACCES : 0;
}

/**
 * fuse_backed_hides_caps - must a program run without the file's capabilities?
 * @inode: backed inode
 * @name: name of an extended attribute that is being read
 *
 * To show them is harmless, and who changes the file must learn that there are
 * some to remove. Only execve() must not find them.
 *
 * Return: true if @name is to be taken for absent
 */
bool fuse_backed_hides_caps(const struct inode *inode, const char *name)
{
	return current->in_execve && !strcmp(name, XATTR_NAME_CAPS) &&
	       fuse_backed_nosuid(inode);
}

/**
 * fuse_backed_nosymfollow - are symbolic links of the backing not to be followed?
 * @inode: backed inode
 *
 * Return: true if they can be read only
 */
bool fuse_backed_nosymfollow(const struct inode *inode)
{
	return fuse_backed(inode)->fb->mnt->mnt_flags & MNT_NOSYMFOLLOW;
}

/**
 * fuse_backed_restrict_super - take over from a backing what a super block must say
 * @sb: super block of the mount
 * @fb: registration that is being added to it
 *
 * A block device can be named by its path, in mount(2) for one, without opening
 * it. There the super block decides, and is not asked again: devices stay
 * forbidden when they are allowed later on the mount of the backing.
 */
void fuse_backed_restrict_super(struct super_block *sb,
				const struct fuse_backing *fb)
{
	if (fuse_backed_nodev(fb->mnt))
		sb->s_iflags |= SB_I_NODEV;
}
