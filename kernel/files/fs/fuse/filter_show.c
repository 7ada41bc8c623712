// SPDX-License-Identifier: GPL-2.0-only
/*
 * FUSE filters: answers of which a caller is shown a part, or something else.
 */

#include "filter_attr.h"

#include <linux/string.h>

/**
 * fuse_filter_shows - may the caller see an entry of a directory?
 * @dir: directory
 * @name: name of the entry, not terminated
 * @namelen: its length
 * @ino: inode number
 * @type: DT_*
 * @cred: the caller's credentials, NULL: the current ones
 *
 * Context: the directory, and its backing, may be locked.
 * Return: whether it may
 */
bool fuse_filter_shows(struct inode *dir, const char *name, int namelen, u64 ino,
		       unsigned int type, const struct cred *cred)
{
	const struct fuse_filter_dirent entry = { .ino = ino, .type = type };
	const struct qstr qname = QSTR_INIT(name, namelen);
	struct fuse_backed_call call = {
		.opcode = FUSE_FILTER_OP_DIRENT,
		.dir = dir,
		.name = &qname,
		.in = &entry,
		.cred = cred,
	};
	int verdict = fuse_filter_pre(get_fuse_conn(dir), &call);

	return verdict == FUSE_FILTER_DEFAULT || verdict == FUSE_FILTER_BACKING;
}

static bool fuse_filter_shows_xattr(struct inode *inode, const char *name)
{
	struct fuse_filter_args args = { .text = name };
	struct fuse_backed_call call = {
		.opcode = FUSE_FILTER_OP_XATTR_NAME,
		.inode = inode,
		.args = &args,
	};
	int verdict = fuse_filter_pre(get_fuse_conn(inode), &call);

	return verdict == FUSE_FILTER_DEFAULT || verdict == FUSE_FILTER_BACKING;
}

/**
 * fuse_filter_xattr_names - leave names out of a list of extended attributes
 * @inode: whose they are
 * @list: names, each with a NUL, changed
 * @size: bytes of @list
 *
 * Return: bytes that are left, -EIO @list is no list of names
 */
ssize_t fuse_filter_xattr_names(struct inode *inode, char *list, size_t size)
{
	char *from = list, *to = list, *end = list + size;
	size_t len;

	while (from < end) {
		len = strnlen(from, end - from) + 1;
		if (len > end - from)
			return -EIO;
		if (fuse_filter_shows_xattr(inode, from)) {
			memmove(to, from, len);
			to += len;
		}
		from += len;
	}
	return to - list;
}

static noinline int fuse_filter_stat_post(struct fuse_backed_call *call,
					  struct kstat *stat, int err)
{
	struct fuse_conn *fc = get_fuse_conn(call->inode);
	struct fuse_filter_attr attr = {};
	struct fuse_filter_args args = {
		.attr = &attr,
		.attr_edit = FUSE_FILTER_EDIT_MODE | FUSE_FILTER_EDIT_OWNER |
			     FUSE_FILTER_EDIT_TIMES | FUSE_FILTER_EDIT_SIZE,
	};

	if (!err)
		fuse_filter_attr_from_stat(&attr, fc, stat);
	call->args = &args;
	err = fuse_filter_post(fc, call, err);
	return err ?: fuse_filter_attr_to_stat(&attr, fc, stat);
}

/**
 * fuse_filter_stat - let postfilters change what stat(2) returns
 * @call: the call, of which they have been asked
 * @stat: attributes, changed
 * @err: 0 or what the call failed with
 *
 * Return: 0 or a negative errno
 */
int fuse_filter_stat(struct fuse_backed_call *call, struct kstat *stat, int err)
{
	return fuse_filter_has_post(call) ? fuse_filter_stat_post(call, stat, err) : err;
}

/**
 * fuse_filter_found - tell postfilters what a name stands for
 * @call: the lookup, or the walk past a cached name, of which they have been asked
 * @inode: whose attributes they are shown, NULL: the name does not exist
 * @idmap: that its owners are seen through
 *
 * Context: any, also RCU-walk.
 * Return: 0, or a negative errno: what was found is refused
 */
int fuse_filter_found(struct fuse_backed_call *call, const struct inode *inode,
		      struct mnt_idmap *idmap)
{
	struct fuse_conn *fc = get_fuse_conn(call->dir);
	struct fuse_filter_attr attr = {};
	struct fuse_filter_args args = { .attr = &attr };
	int err;

	call->args = &args;
	if (inode) {
		fuse_filter_attr_from_inode(&attr, fc, inode, idmap);
		return fuse_filter_post(fc, call, 0);
	}
	/* To find nothing is a result too, and not an error */
	err = fuse_filter_post(fc, call, -ENOENT);
	return err == -ENOENT ? 0 : err;
}
