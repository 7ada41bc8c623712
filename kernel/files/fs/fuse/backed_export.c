// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backed inodes: file handles, to tell files apart by.
 *
 * That is what fanotify needs, and name_to_handle_at() with AT_HANDLE_FID. A handle
 * cannot be opened: it would lead to the file past all the names on the way, and so
 * past the filters that decide who may see them.
 */

#include "backed.h"

#include <linux/exportfs.h>
#include <linux/kdev_t.h>

/* Handle of an object that the kernel serves: not one that any other FUSE makes */
#define FUSE_BACKED_FILEID 0xf9

/* What comes before the backing's own handle: its device, and the handle's type */
#define FUSE_BACKED_FILEID_HEAD 2

static int fuse_backed_encode_backing(struct inode *inode, u32 *fh, int *max_len)
{
	struct inode *real = d_inode(fuse_backed(inode)->dentry);
	int len = max(*max_len - FUSE_BACKED_FILEID_HEAD, 0);
	struct fid *fid = len ? (struct fid *)(fh + FUSE_BACKED_FILEID_HEAD) : NULL;
	int type = exportfs_encode_inode_fh(real, fid, &len, NULL, EXPORT_FH_FID);

	*max_len = len + FUSE_BACKED_FILEID_HEAD;
	/* Also where it says how much room it takes */
	if (type < 0 || type == FILEID_INVALID)
		return type;

	fh[0] = new_encode_dev(real->i_sb->s_dev);
	fh[1] = type;
	return FUSE_BACKED_FILEID;
}

/* What the daemon serves in a backed mount, by its own name for it */
static int fuse_backed_encode_plain(struct inode *inode, u32 *fh, int *max_len)
{
	const int room = *max_len;
	u64 nodeid = get_node_id(inode);

	*max_len = 3;
	if (room < 3)
		return FILEID_INVALID;

	fh[0] = upper_32_bits(nodeid);
	fh[1] = lower_32_bits(nodeid);
	fh[2] = inode->i_generation;
	return FILEID_INO64_GEN;
}

static int fuse_backed_encode_fh(struct inode *inode, u32 *fh, int *max_len,
				 struct inode *parent)
{
	if (fuse_inode_backed(inode))
		return fuse_backed_encode_backing(inode, fh, max_len);
	return fuse_backed_encode_plain(inode, fh, max_len);
}

/* Without fh_to_dentry, all that asks for a handle to be opened is refused */
const struct export_operations fuse_backed_export_ops = {
	.encode_fh = fuse_backed_encode_fh,
};
