/* SPDX-License-Identifier: GPL-2.0 */
/*
 * FUSE filters: the struct_ops type that a BPF program fills in.
 */
#ifndef _LINUX_FUSE_FILTER_H
#define _LINUX_FUSE_FILTER_H

#include <linux/fuse.h>
#include <linux/fuse_bpf.h>
#include <linux/types.h>

/**
 * struct fuse_filter_ctx - what a callback is told of the request
 * @nodeid: node id of the inode the request is for; 0 where it has none yet
 *	(&fuse_filter_ops.lookup, &fuse_filter_ops.dirent)
 * @parent: node id of the directory in which a name is dealt with, else 0
 * @opcode: enum fuse_opcode
 * @fsuid: the caller's file system user id, in the mount's user namespace
 * @fsgid: likewise the group id
 * @pid: the caller's thread id, in the mount's pid namespace
 * @name_len: bytes in the name that bpf_fuse_ctx_name() gives, 0: no name
 *
 * These are what a daemon would read in the request's header. Kernel-made nodes
 * have %FUSE_NODEID_KERNEL set, and the backing's inode number in the other bits.
 * A program can read all fields and write none.
 */
struct fuse_filter_ctx {
	u64 nodeid;
	u64 parent;
	u32 opcode;
	u32 fsuid;
	u32 fsgid;
	u32 pid;
	u32 name_len;
};

/**
 * struct fuse_filter_dirent - a directory entry that is about to be shown
 * @ino: inode number on the backing
 * @type: DT_* of the entry
 */
struct fuse_filter_dirent {
	u64 ino;
	u32 type;
};

/**
 * struct fuse_filter_ops - a filter
 *
 * A filter is a map of this type, attached to a mount with
 * %FUSE_IOC_FILTER_ATTACH. Callbacks it does not have cost nothing. Each returns
 * an enum fuse_filter_verdict or a negative errno; see there.
 *
 * The kernel calls a filter only for operations on backed inodes. It does not
 * hold FUSE or backing locks beyond those named below, and never while the
 * backing does the work.
 */
struct fuse_filter_ops {
	/**
	 * @lookup: a name is looked up in a backed directory
	 *
	 * Asked by name alone, before the kernel knows whether the name exists,
	 * and asked again whenever a path walk passes the cached name: what one
	 * caller was told is never an answer to another. -ENOENT hides the
	 * name. %FUSE_FILTER_DAEMON asks the daemon for it.
	 *
	 * If the program is not sleepable, it is also called in RCU-walk, and
	 * then holds up nobody. A sleepable one ends RCU-walk at each component
	 * below a backed directory. The directory's lock may be held, shared or
	 * exclusive.
	 */
	int (*lookup)(struct fuse_filter_ctx *ctx);

	/**
	 * @open: a regular file is opened
	 *
	 * @in: flags as the daemon would get them in the request
	 *
	 * Called after the caller's permission was checked. May be sleepable.
	 */
	int (*open)(struct fuse_filter_ctx *ctx, const struct fuse_open_in *in);

	/**
	 * @dirent: an entry of a backed directory is about to be shown
	 *
	 * @entry: what the backing says of it; the name is in the context
	 *
	 * A negative errno leaves the entry out; %FUSE_FILTER_DAEMON is not an
	 * answer and leaves it out too. "." and ".." are not asked for. Must not
	 * be sleepable: the backing directory is locked.
	 */
	int (*dirent)(struct fuse_filter_ctx *ctx,
		      const struct fuse_filter_dirent *entry);

	/** @name: for people; letters, digits, '_' and '.' */
	char name[FUSE_FILTER_NAME_LEN];

	/** @flags: zero */
	u32 flags;
};

#endif /* _LINUX_FUSE_FILTER_H */
