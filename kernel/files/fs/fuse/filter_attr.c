// SPDX-License-Identifier: GPL-2.0-only
/*
 * FUSE filters: attributes as programs see them, and what of them they may change.
 */

#include "filter_attr.h"

#include <linux/fs.h>
#include <linux/kdev_t.h>
#include <linux/stat.h>
#include <linux/string.h>
#include <linux/user_namespace.h>

/**
 * fuse_filter_attr_give - give a program the attributes of a call to change
 * @kctx: context of the callback
 *
 * What they were is kept, once for all programs of the call.
 *
 * Return: the attributes, or NULL if the call has none
 */
struct fuse_filter_attr *fuse_filter_attr_give(struct fuse_filter_ctx_kern *kctx)
{
	struct fuse_filter_attr *attr = kctx->args ? kctx->args->attr : NULL;

	if (attr && !kctx->attr_given) {
		kctx->attr_before = *attr;
		kctx->attr_given = true;
	}
	return attr;
}

/* Is an attribute among those of a request to change some? */
static bool fuse_filter_attr_given(const struct fuse_filter_attr *attr, u32 edit,
				   u32 bit)
{
	return !(edit & FUSE_FILTER_EDIT_GIVEN) || attr->valid & bit;
}

/* A time that the kernel takes from its clock is nobody's to change. */
static bool fuse_filter_time_given(const struct fuse_filter_attr *attr, u32 edit,
				   u32 bit, u32 now)
{
	return fuse_filter_attr_given(attr, edit, bit) && !(attr->valid & now);
}

/* Put back what may be changed: the rest must be as it was. */
static void fuse_filter_attr_revert(struct fuse_filter_attr *attr,
				    const struct fuse_filter_attr *before, u32 edit)
{
	if (edit & FUSE_FILTER_EDIT_MODE &&
	    fuse_filter_attr_given(before, edit, FATTR_MODE))
		attr->mode = (attr->mode & ~S_IALLUGO) | (before->mode & S_IALLUGO);
	if (edit & FUSE_FILTER_EDIT_OWNER) {
		if (fuse_filter_attr_given(before, edit, FATTR_UID))
			attr->uid = before->uid;
		if (fuse_filter_attr_given(before, edit, FATTR_GID))
			attr->gid = before->gid;
	}
	if (edit & FUSE_FILTER_EDIT_TIMES) {
		if (fuse_filter_time_given(before, edit, FATTR_ATIME,
					   FATTR_ATIME_NOW)) {
			attr->atime = before->atime;
			attr->atimensec = before->atimensec;
		}
		if (fuse_filter_time_given(before, edit, FATTR_MTIME,
					   FATTR_MTIME_NOW)) {
			attr->mtime = before->mtime;
			attr->mtimensec = before->mtimensec;
		}
	}
	if (edit & FUSE_FILTER_EDIT_SIZE) {
		attr->size = before->size;
		attr->blocks = before->blocks;
		attr->nlink = before->nlink;
		attr->ctime = before->ctime;
		attr->ctimensec = before->ctimensec;
	}
	/* Neither a truncation nor the loss of S_ISUID can be left out */
	if (edit & FUSE_FILTER_EDIT_VALID)
		attr->valid |= before->valid & ~(FATTR_SIZE | FATTR_KILL_SUIDGID);
}

/**
 * fuse_filter_args_ok - after programs were called: may the request go on?
 * @kctx: context of their callbacks
 *
 * A change that would not be carried out must not pass for one that was.
 *
 * Return: false if a program changed what is not its to change, or could not
 * redact what it wanted to
 */
bool fuse_filter_args_ok(const struct fuse_filter_ctx_kern *kctx)
{
	const struct fuse_filter_attr *before = &kctx->attr_before;
	const struct fuse_filter_args *args = kctx->args;
	struct fuse_filter_attr attr;

	if (!args)
		return true;
	if (args->ranges && args->ranges->overflow)
		return false;
	/* Nobody can have changed what nobody was given */
	if (!kctx->attr_given || !memcmp(args->attr, before, sizeof(*before)))
		return true;

	attr = *args->attr;
	fuse_filter_attr_revert(&attr, before, args->attr_edit);
	return !memcmp(&attr, before, sizeof(attr)) &&
	       args->attr->atimensec < NSEC_PER_SEC &&
	       args->attr->mtimensec < NSEC_PER_SEC &&
	       args->attr->ctimensec < NSEC_PER_SEC;
}

/**
 * fuse_filter_attr_from_inode - describe an inode
 * @attr: filled in
 * @fc: connection whose user namespace is that of the ids
 * @inode: the backing's inode
 * @idmap: of the backing's mount
 *
 * Context: any, also RCU-walk.
 */
void fuse_filter_attr_from_inode(struct fuse_filter_attr *attr,
				 struct fuse_conn *fc, const struct inode *inode,
				 struct mnt_idmap *idmap)
{
	const struct timespec64 atime = inode_get_atime(inode);
	const struct timespec64 mtime = inode_get_mtime(inode);
	const struct timespec64 ctime = inode_get_ctime(inode);
	kuid_t uid = vfsuid_into_kuid(i_uid_into_vfsuid(idmap, inode));
	kgid_t gid = vfsgid_into_kgid(i_gid_into_vfsgid(idmap, inode));

	*attr = (struct fuse_filter_attr) {
		.ino = inode->i_ino,
		.size = i_size_read(inode),
		.blocks = inode->i_blocks,
		.atime = atime.tv_sec,
		.mtime = mtime.tv_sec,
		.ctime = ctime.tv_sec,
		.atimensec = atime.tv_nsec,
		.mtimensec = mtime.tv_nsec,
		.ctimensec = ctime.tv_nsec,
		.mode = inode->i_mode,
		.nlink = inode->i_nlink,
		.uid = fuse_filter_uid(fc, uid),
		.gid = fuse_filter_gid(fc, gid),
		.rdev = new_encode_dev(inode->i_rdev),
	};
}

/**
 * fuse_filter_attr_from_stat - describe what stat(2) is about to return
 * @attr: filled in
 * @fc: connection whose user namespace is that of the ids
 * @stat: attributes
 */
void fuse_filter_attr_from_stat(struct fuse_filter_attr *attr,
				struct fuse_conn *fc, const struct kstat *stat)
{
	*attr = (struct fuse_filter_attr) {
		.ino = stat->ino,
		.size = stat->size,
		.blocks = stat->blocks,
		.atime = stat->atime.tv_sec,
		.mtime = stat->mtime.tv_sec,
		.ctime = stat->ctime.tv_sec,
		.atimensec = stat->atime.tv_nsec,
		.mtimensec = stat->mtime.tv_nsec,
		.ctimensec = stat->ctime.tv_nsec,
		.mode = stat->mode,
		.nlink = stat->nlink,
		.uid = fuse_filter_uid(fc, stat->uid),
		.gid = fuse_filter_gid(fc, stat->gid),
		.rdev = new_encode_dev(stat->rdev),
	};
}

/* Ids change only where a program changed them: not every id has a number here */
static bool fuse_filter_set_uid(struct fuse_conn *fc, kuid_t *uid, u32 new)
{
	if (new != fuse_filter_uid(fc, *uid))
		*uid = make_kuid(fc->user_ns, new);
	return uid_valid(*uid);
}

static bool fuse_filter_set_gid(struct fuse_conn *fc, kgid_t *gid, u32 new)
{
	if (new != fuse_filter_gid(fc, *gid))
		*gid = make_kgid(fc->user_ns, new);
	return gid_valid(*gid);
}

/**
 * fuse_filter_attr_to_stat - take over what programs made of attributes
 * @attr: the attributes
 * @fc: connection whose user namespace is that of the ids
 * @stat: changed
 *
 * Return: 0, -EIO an id that does not exist
 */
int fuse_filter_attr_to_stat(const struct fuse_filter_attr *attr,
			     struct fuse_conn *fc, struct kstat *stat)
{
	stat->size = attr->size;
	stat->blocks = attr->blocks;
	stat->atime = (struct timespec64) { attr->atime, attr->atimensec };
	stat->mtime = (struct timespec64) { attr->mtime, attr->mtimensec };
	stat->ctime = (struct timespec64) { attr->ctime, attr->ctimensec };
	stat->mode = attr->mode;
	stat->nlink = attr->nlink;
	return fuse_filter_set_uid(fc, &stat->uid, attr->uid) &&
	       fuse_filter_set_gid(fc, &stat->gid, attr->gid) ? 0 : -EIO;
}

/* Which FATTR_* says what ATTR_* say: a time that is set counts without ATTR_*TIME */
static const struct {
	unsigned int attr;
	u32 fattr;
} fuse_filter_valid[] = {
	{ ATTR_MODE, FATTR_MODE },
	{ ATTR_UID, FATTR_UID },
	{ ATTR_GID, FATTR_GID },
	{ ATTR_SIZE, FATTR_SIZE },
	{ ATTR_ATIME | ATTR_ATIME_SET, FATTR_ATIME },
	{ ATTR_MTIME | ATTR_MTIME_SET, FATTR_MTIME },
};

/**
 * fuse_filter_attr_from_iattr - describe changes of attributes
 * @attr: filled in
 * @fc: connection whose user namespace is that of the ids
 * @iattr: the changes
 */
void fuse_filter_attr_from_iattr(struct fuse_filter_attr *attr,
				 struct fuse_conn *fc, const struct iattr *iattr)
{
	unsigned int valid = iattr->ia_valid;
	size_t i;

	*attr = (struct fuse_filter_attr) {};
	for (i = 0; i < ARRAY_SIZE(fuse_filter_valid); i++) {
		if (valid & fuse_filter_valid[i].attr)
			attr->valid |= fuse_filter_valid[i].fattr;
	}
	if (valid & ATTR_ATIME && !(valid & ATTR_ATIME_SET))
		attr->valid |= FATTR_ATIME_NOW;
	if (valid & ATTR_MTIME && !(valid & ATTR_MTIME_SET))
		attr->valid |= FATTR_MTIME_NOW;
	if (valid & (ATTR_KILL_SUID | ATTR_KILL_SGID))
		attr->valid |= FATTR_KILL_SUIDGID;

	if (valid & ATTR_MODE)
		attr->mode = iattr->ia_mode;
	if (valid & ATTR_UID)
		attr->uid = fuse_filter_uid(fc, vfsuid_into_kuid(iattr->ia_vfsuid));
	if (valid & ATTR_GID)
		attr->gid = fuse_filter_gid(fc, vfsgid_into_kgid(iattr->ia_vfsgid));
	if (valid & ATTR_SIZE)
		attr->size = iattr->ia_size;
	if (valid & ATTR_ATIME_SET) {
		attr->atime = iattr->ia_atime.tv_sec;
		attr->atimensec = iattr->ia_atime.tv_nsec;
	}
	if (valid & ATTR_MTIME_SET) {
		attr->mtime = iattr->ia_mtime.tv_sec;
		attr->mtimensec = iattr->ia_mtime.tv_nsec;
	}
}

/**
 * fuse_filter_attr_to_iattr - take over what programs made of changes
 * @attr: the changes as they are now
 * @fc: connection whose user namespace is that of the ids
 * @iattr: changed
 *
 * Return: 0, -EIO an id that does not exist
 */
int fuse_filter_attr_to_iattr(const struct fuse_filter_attr *attr,
			      struct fuse_conn *fc, struct iattr *iattr)
{
	kuid_t uid;
	kgid_t gid;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fuse_filter_valid); i++) {
		if (!(attr->valid & fuse_filter_valid[i].fattr))
			iattr->ia_valid &= ~fuse_filter_valid[i].attr;
	}
	if (iattr->ia_valid & ATTR_MODE)
		iattr->ia_mode = attr->mode;
	if (iattr->ia_valid & ATTR_UID) {
		uid = vfsuid_into_kuid(iattr->ia_vfsuid);
		if (!fuse_filter_set_uid(fc, &uid, attr->uid))
			return -EIO;
		iattr->ia_vfsuid = VFSUIDT_INIT(uid);
	}
	if (iattr->ia_valid & ATTR_GID) {
		gid = vfsgid_into_kgid(iattr->ia_vfsgid);
		if (!fuse_filter_set_gid(fc, &gid, attr->gid))
			return -EIO;
		iattr->ia_vfsgid = VFSGIDT_INIT(gid);
	}
	if (iattr->ia_valid & ATTR_ATIME_SET)
		iattr->ia_atime = (struct timespec64) { attr->atime, attr->atimensec };
	if (iattr->ia_valid & ATTR_MTIME_SET)
		iattr->ia_mtime = (struct timespec64) { attr->mtime, attr->mtimensec };
	return 0;
}
