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
 * @nodeid: node id of the inode the request is for; 0 where it has none yet, or
 *	where only a name is dealt with
 * @parent: node id of the directory in which a name is dealt with, else 0
 * @opcode: enum fuse_opcode, or FUSE_FILTER_OP_*
 * @fsuid: the caller's file system user id, in the mount's user namespace
 * @fsgid: likewise the group id
 * @pid: the caller's thread id, in the mount's pid namespace
 * @name_len: bytes in the name that bpf_fuse_ctx_name() gives, 0: no name
 * @newname_len: of a rename, bytes in the new name
 * @newparent: of a rename, node id of the directory of the new name
 * @result: in a postfilter: what the request ended with so far, a negative errno,
 *	or 0, or the bytes or the position that it returns
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
	u32 newname_len;
	u64 newparent;
	s64 result;
};

/**
 * struct fuse_filter_attr - attributes of an inode, or changes of them
 * @ino: inode number on the backing
 * @size: bytes
 * @blocks: of 512 bytes
 * @atime: seconds
 * @mtime: seconds
 * @ctime: seconds
 * @atimensec: nanoseconds
 * @mtimensec: nanoseconds
 * @ctimensec: nanoseconds
 * @mode: type and permission bits
 * @nlink: names
 * @uid: owner, in the mount's user namespace
 * @gid: group, likewise
 * @rdev: device, as struct fuse_attr has it
 * @valid: FATTR_*: in setattr and where something is made, the attributes that
 *	the request gives; else 0
 * @reserved: zero
 */
struct fuse_filter_attr {
	u64 ino;
	u64 size;
	u64 blocks;
	s64 atime;
	s64 mtime;
	s64 ctime;
	u32 atimensec;
	u32 mtimensec;
	u32 ctimensec;
	u32 mode;
	u32 nlink;
	u32 uid;
	u32 gid;
	u32 rdev;
	u32 valid;
	u32 reserved;
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
 * struct fuse_filter_io - a range of a file or a position in a directory
 * @offset: first byte; of a write that appends, the size of the file now; of a
 *	directory, the position
 * @size: bytes, %S64_MAX: all from @offset on
 * @flags: FUSE_FILTER_IO_*
 */
struct fuse_filter_io {
	u64 offset;
	u64 size;
	u32 flags;
};

/**
 * struct fuse_filter_mmap - a mapping that is about to be made
 * @offset: first byte of the file
 * @size: bytes
 * @prot: PROT_* that the mapping has now
 * @flags: %MAP_SHARED or %MAP_PRIVATE
 */
struct fuse_filter_mmap {
	u64 offset;
	u64 size;
	u32 prot;
	u32 flags;
};

/**
 * struct fuse_filter_attached - what the BPF iterator "fuse_filter" shows
 * @connection: number of the connection, which is the device number of the mount
 * @info: the filter that is attached there
 */
struct fuse_filter_attached {
	u32 connection;
	struct fuse_filter_info info;
};

/**
 * struct fuse_filter_ops - a filter
 *
 * A filter is a map of this type, attached to a mount with
 * %FUSE_IOC_FILTER_ATTACH. Callbacks it does not have cost nothing. Each is named
 * for the request it is asked about.
 *
 * **Prefilters** are asked before the request is answered, and return an enum
 * fuse_filter_verdict, perhaps with %FUSE_FILTER_POST, or a negative errno; see
 * there. **Postfilters** (\*_post) are called when the request has been answered.
 * They return 0 to leave the result as it is, or a negative errno to put in its
 * place, also in the place of another errno. A postfilter is called if the filter
 * has no prefilter for the request or its prefilter returned %FUSE_FILTER_POST,
 * and, with %FUSE_FILTER_POST_ERRORS, only if the request failed. Of several
 * filters, the last one's postfilter is called first. What a prefilter refuses,
 * no postfilter sees.
 *
 * In a directory of the backing that folds case, a filter that is asked about a name
 * is told what the name folds to, which is the same for all its spellings, and must
 * have %FUSE_FILTER_FOLDED_NAMES set, to say that its rules are about that; if it has
 * not, what it is asked about fails with EOPNOTSUPP. The name of an entry in dirent
 * is told so, too. Names that are not in the encoding of the directory are told as
 * they are, as the backing compares them so.
 *
 * The chain of filters may change while a request is being answered. Then the
 * postfilters of all filters that are attached by the end of it are called.
 *
 * Callbacks may be sleepable programs unless said otherwise. No callback is
 * called while the backing works, and none holds up a detach for longer than it
 * runs. FUSE holds no locks of its own; the VFS may hold those of the inodes.
 *
 * In a filter on a mount without backed inodes, or for inodes that are not
 * backed, callbacks are called for requests that go to the daemon:
 * %FUSE_FILTER_BACKING refuses them with EIO, and so does ENOSYS, which would mean
 * that the daemon does not know the request. What the kernel answers from its
 * caches is not asked about, but for names, attributes, permission, directory
 * entries, reads, writes, mappings and the names of extended attributes, which
 * always are.
 */
struct fuse_filter_ops {
	/**
	 * @lookup: a name is looked up
	 *
	 * Asked by name alone, before the kernel knows whether the name exists,
	 * and asked again whenever a path walk passes the cached name: what one
	 * caller was told is never an answer to another. -ENOENT hides the
	 * name. %FUSE_FILTER_DAEMON asks the daemon for it. What makes, removes
	 * or renames something is asked about each of its names here first.
	 *
	 * If the program is not sleepable, it is also called in RCU-walk, and
	 * then holds up nobody. A sleepable one ends RCU-walk at each component
	 * below a backed directory. The directory's lock may be held, shared or
	 * exclusive.
	 */
	int (*lookup)(struct fuse_filter_ctx *ctx);

	/** @getattr: attributes are asked for (GETATTR, also where STATX is sent) */
	int (*getattr)(struct fuse_filter_ctx *ctx);

	/**
	 * @setattr: attributes are changed
	 *
	 * bpf_fuse_ctx_attr() gives the changes. The program may change mode,
	 * uid, gid and times to other values, and take bits out of the valid
	 * mask; what is left is done.
	 */
	int (*setattr)(struct fuse_filter_ctx *ctx);

	/** @readlink: a symbolic link is read, or followed */
	int (*readlink)(struct fuse_filter_ctx *ctx);

	/**
	 * @symlink: a symbolic link is made
	 *
	 * %FUSE_FILTER_TEXT is its target. bpf_fuse_ctx_attr() gives mode, uid
	 * and gid, of which uid and gid may be changed.
	 */
	int (*symlink)(struct fuse_filter_ctx *ctx);

	/**
	 * @mknod: a file, device, pipe or socket is made
	 *
	 * @in: mode and device
	 *
	 * bpf_fuse_ctx_attr() gives mode, uid and gid, which may be changed, but
	 * for the type.
	 */
	int (*mknod)(struct fuse_filter_ctx *ctx, const struct fuse_mknod_in *in);

	/**
	 * @mkdir: a directory is made
	 *
	 * @in: mode
	 *
	 * bpf_fuse_ctx_attr() as in @mknod.
	 */
	int (*mkdir)(struct fuse_filter_ctx *ctx, const struct fuse_mkdir_in *in);

	/** @unlink: a name of something else than a directory is removed */
	int (*unlink)(struct fuse_filter_ctx *ctx);

	/** @rmdir: a directory is removed */
	int (*rmdir)(struct fuse_filter_ctx *ctx);

	/**
	 * @rename: a name is moved (RENAME, RENAME2)
	 *
	 * @in: the new directory and RENAME_* flags
	 *
	 * bpf_fuse_ctx_name() gives the old name, %FUSE_FILTER_NEWNAME is the
	 * new one.
	 */
	int (*rename)(struct fuse_filter_ctx *ctx, const struct fuse_rename2_in *in);

	/**
	 * @link: an inode gets one more name
	 *
	 * @in: node id of the inode
	 */
	int (*link)(struct fuse_filter_ctx *ctx, const struct fuse_link_in *in);

	/**
	 * @open: a file is opened
	 *
	 * @in: flags as the daemon would get them in the request
	 *
	 * Called after the caller's permission was checked. On a backed inode,
	 * bpf_fuse_ctx_add_open_flags() adds flags, which F_SETFL can take away
	 * again, and %FUSE_FILTER_DAEMON makes the daemon's the default for all
	 * requests of the file.
	 */
	int (*open)(struct fuse_filter_ctx *ctx, const struct fuse_open_in *in);

	/**
	 * @opendir: a directory is opened
	 *
	 * @in: flags
	 */
	int (*opendir)(struct fuse_filter_ctx *ctx, const struct fuse_open_in *in);

	/**
	 * @create: a regular file is made by open(2), with a name (CREATE) or
	 * without (TMPFILE)
	 *
	 * @in: flags and mode; of the flags, %O_EXCL at most where the file is
	 * backed. @open is called for it too if it has a name; without, it is
	 * open when it is made. mknod(2) of a regular file comes here as well,
	 * and opens nothing.
	 *
	 * bpf_fuse_ctx_attr() as in @mknod.
	 */
	int (*create)(struct fuse_filter_ctx *ctx, const struct fuse_create_in *in);

	/**
	 * @read: bytes of a file are read, or may be read by other ways
	 *
	 * @in: which
	 *
	 * Asked for each read(2) and its like, also of files that were opened
	 * before the filter was attached; for the source of copy_file_range(2),
	 * FICLONE and FIDEDUPERANGE; and, about all of a file, for a mapping.
	 *
	 * bpf_fuse_ctx_redact() makes bytes of the range read as zero. A file
	 * with such bytes cannot be mapped (EACCES) or shared (FICLONE,
	 * FIDEDUPERANGE), and is copied by reading; without waiting, it is
	 * EAGAIN. Not sleepable: the address space may be locked.
	 */
	int (*read)(struct fuse_filter_ctx *ctx, const struct fuse_filter_io *in);

	/**
	 * @write: bytes of a file are written, or may be by other ways
	 *
	 * @in: which
	 *
	 * Asked as @read is: also for the target of a copy, and about all of a
	 * file for a shared mapping that can be written to. Not asked for
	 * @fallocate and for @setattr of a size, which change a file too. Not
	 * sleepable.
	 */
	int (*write)(struct fuse_filter_ctx *ctx, const struct fuse_filter_io *in);

	/**
	 * @mmap: a file is mapped (%FUSE_FILTER_OP_MMAP)
	 *
	 * @in: the mapping
	 *
	 * Asked before @read and @write are. What was mapped stays mapped.
	 * %FUSE_FILTER_DAEMON refuses with EIO. Not sleepable.
	 */
	int (*mmap)(struct fuse_filter_ctx *ctx, const struct fuse_filter_mmap *in);

	/** @statfs: file system statistics are asked for */
	int (*statfs)(struct fuse_filter_ctx *ctx);

	/** @syncfs: the file system is written out */
	int (*syncfs)(struct fuse_filter_ctx *ctx);

	/**
	 * @fsync: a file or directory is written out (FSYNC, FSYNCDIR)
	 *
	 * @in: flags
	 */
	int (*fsync)(struct fuse_filter_ctx *ctx, const struct fuse_fsync_in *in);

	/** @flush: a descriptor of a file is closed; an errno is that of close(2) */
	int (*flush)(struct fuse_filter_ctx *ctx);

	/**
	 * @release: the last descriptor of an open file is gone (RELEASE,
	 * RELEASEDIR)
	 *
	 * Nothing can be refused here: what it returns is ignored. Not sleepable.
	 */
	int (*release)(struct fuse_filter_ctx *ctx);

	/**
	 * @setxattr: an extended attribute is set
	 *
	 * @in: size and flags
	 *
	 * %FUSE_FILTER_TEXT is its name and %FUSE_FILTER_VALUE its value. ACLs
	 * are asked about by their attribute's name, without a value.
	 */
	int (*setxattr)(struct fuse_filter_ctx *ctx, const struct fuse_setxattr_in *in);

	/**
	 * @getxattr: an extended attribute is read
	 *
	 * @in: size of the caller's buffer, 0: only the size is asked for
	 *
	 * %FUSE_FILTER_TEXT is its name.
	 */
	int (*getxattr)(struct fuse_filter_ctx *ctx, const struct fuse_getxattr_in *in);

	/**
	 * @listxattr: the names of extended attributes are listed
	 *
	 * @in: size of the caller's buffer
	 */
	int (*listxattr)(struct fuse_filter_ctx *ctx, const struct fuse_getxattr_in *in);

	/** @removexattr: an extended attribute is removed; its name as in @getxattr */
	int (*removexattr)(struct fuse_filter_ctx *ctx);

	/**
	 * @xattr_name: the name of an extended attribute is about to be listed
	 * (%FUSE_FILTER_OP_XATTR_NAME)
	 *
	 * %FUSE_FILTER_TEXT is the name. A negative errno leaves it out, and
	 * %FUSE_FILTER_DAEMON does too. Not sleepable.
	 */
	int (*xattr_name)(struct fuse_filter_ctx *ctx);

	/**
	 * @readdir: a directory is read (READDIR, READDIRPLUS)
	 *
	 * @in: the position
	 *
	 * An errno of @post is lost if the call has shown entries by then.
	 */
	int (*readdir)(struct fuse_filter_ctx *ctx, const struct fuse_filter_io *in);

	/**
	 * @dirent: an entry of a directory is about to be shown
	 * (%FUSE_FILTER_OP_DIRENT)
	 *
	 * @entry: what the backing says of it; the name is in the context
	 *
	 * A negative errno leaves the entry out; %FUSE_FILTER_DAEMON is not an
	 * answer and leaves it out too. "." and ".." are not asked for. Not
	 * sleepable: the backing directory is locked.
	 */
	int (*dirent)(struct fuse_filter_ctx *ctx,
		      const struct fuse_filter_dirent *entry);

	/**
	 * @lock: a lock is set, dropped or asked about (GETLK, SETLK, SETLKW)
	 *
	 * @in: the lock; %FUSE_LK_FLOCK says that it is one of flock(2)
	 */
	int (*lock)(struct fuse_filter_ctx *ctx, const struct fuse_lk_in *in);

	/**
	 * @permission: may the caller read, write, execute or search? (ACCESS)
	 *
	 * @in: R_OK, W_OK and X_OK in the mask, as access(2) has them, and
	 *	FUSE_FILTER_MAY_*
	 *
	 * Asked at each component of a path, in RCU-walk if the program is not
	 * sleepable. Its refusal adds to those of the backing; it cannot grant
	 * what the backing does not.
	 */
	int (*permission)(struct fuse_filter_ctx *ctx, const struct fuse_access_in *in);

	/**
	 * @ioctl: a request of ioctl(2)
	 *
	 * @in: the command; its argument cannot be seen
	 */
	int (*ioctl)(struct fuse_filter_ctx *ctx, const struct fuse_ioctl_in *in);

	/**
	 * @poll: a file of the daemon's is polled
	 *
	 * @in: events
	 */
	int (*poll)(struct fuse_filter_ctx *ctx, const struct fuse_poll_in *in);

	/**
	 * @bmap: the place of a block of a file of the daemon's is asked for
	 *
	 * @in: the block
	 */
	int (*bmap)(struct fuse_filter_ctx *ctx, const struct fuse_bmap_in *in);

	/**
	 * @fallocate: space is allocated or freed
	 *
	 * @in: range and mode
	 */
	int (*fallocate)(struct fuse_filter_ctx *ctx, const struct fuse_fallocate_in *in);

	/**
	 * @lseek: a position is moved
	 *
	 * @in: offset and whence
	 */
	int (*lseek)(struct fuse_filter_ctx *ctx, const struct fuse_lseek_in *in);

	/**
	 * @copy_file_range: bytes are copied or shared between files
	 * (COPY_FILE_RANGE, COPY_FILE_RANGE_64, and for backed files FICLONE and
	 * FIDEDUPERANGE)
	 *
	 * @in: both ranges and the target's node id; the node in the context is
	 *	the source
	 *
	 * @read and @write are asked too.
	 */
	int (*copy_file_range)(struct fuse_filter_ctx *ctx,
			       const struct fuse_copy_file_range_in *in);

	/**
	 * @pre: any request that the filter has no prefilter for
	 *
	 * Not for FUSE_FILTER_OP_*. Not sleepable.
	 */
	int (*pre)(struct fuse_filter_ctx *ctx);

	/**
	 * @lookup_post: a name was looked up
	 *
	 * @attr: what it stands for; all zero if there is none. Reading only
	 *
	 * Called as @lookup is: at each walk past a cached name, and in RCU-walk
	 * if it is not sleepable.
	 */
	int (*lookup_post)(struct fuse_filter_ctx *ctx,
			   const struct fuse_filter_attr *attr);

	/**
	 * @getattr_post: attributes are about to be returned (GETATTR)
	 *
	 * bpf_fuse_ctx_attr() gives them. All but the inode number, the type and
	 * the device may be changed. The caller sees what the program made of
	 * them; permission is checked with what they are.
	 */
	int (*getattr_post)(struct fuse_filter_ctx *ctx);

	/**
	 * @readlink_post: a symbolic link was read
	 *
	 * %FUSE_FILTER_VALUE is its target, and can be set.
	 */
	int (*readlink_post)(struct fuse_filter_ctx *ctx);

	/**
	 * @create_post: something was made (SYMLINK, MKNOD, MKDIR, LINK, CREATE,
	 * TMPFILE)
	 *
	 * It stays made whatever the program returns.
	 */
	int (*create_post)(struct fuse_filter_ctx *ctx);

	/** @open_post: a file or directory was opened; an errno closes it again */
	int (*open_post)(struct fuse_filter_ctx *ctx);

	/**
	 * @read_post: bytes were read
	 *
	 * @in: as in @read
	 *
	 * Requests of asynchronous I/O wait for their end if this is to be
	 * called. Not sleepable.
	 */
	int (*read_post)(struct fuse_filter_ctx *ctx, const struct fuse_filter_io *in);

	/**
	 * @write_post: bytes were written, or could not be
	 *
	 * @in: as in @write
	 */
	int (*write_post)(struct fuse_filter_ctx *ctx, const struct fuse_filter_io *in);

	/**
	 * @statfs_post: statistics are about to be returned
	 *
	 * bpf_fuse_ctx_statfs() gives them, and all may be changed.
	 */
	int (*statfs_post)(struct fuse_filter_ctx *ctx);

	/**
	 * @getxattr_post: an extended attribute was read, or is not there
	 *
	 * %FUSE_FILTER_TEXT is its name, %FUSE_FILTER_VALUE its value, which can
	 * be set, also where the attribute does not exist.
	 */
	int (*getxattr_post)(struct fuse_filter_ctx *ctx);

	/** @listxattr_post: names were listed */
	int (*listxattr_post)(struct fuse_filter_ctx *ctx);

	/**
	 * @lock_post: a lock was dealt with
	 *
	 * @in: as in @lock
	 */
	int (*lock_post)(struct fuse_filter_ctx *ctx, const struct fuse_lk_in *in);

	/**
	 * @lseek_post: a position was found; it is the result
	 *
	 * @in: as in @lseek
	 */
	int (*lseek_post)(struct fuse_filter_ctx *ctx, const struct fuse_lseek_in *in);

	/**
	 * @copy_file_range_post: bytes were copied
	 *
	 * @in: as in @copy_file_range
	 */
	int (*copy_file_range_post)(struct fuse_filter_ctx *ctx,
				    const struct fuse_copy_file_range_in *in);

	/**
	 * @ioctl_post: a request of ioctl(2) was answered
	 *
	 * @in: as in @ioctl
	 */
	int (*ioctl_post)(struct fuse_filter_ctx *ctx, const struct fuse_ioctl_in *in);

	/**
	 * @post: any request that the filter has no postfilter for
	 *
	 * Not for FUSE_FILTER_OP_* and not for RELEASE. Not sleepable.
	 */
	int (*post)(struct fuse_filter_ctx *ctx);

	/** @name: for people; letters, digits, '_' and '.' */
	char name[FUSE_FILTER_NAME_LEN];

	/** @flags: %FUSE_FILTER_POST_ERRORS, %FUSE_FILTER_FOLDED_NAMES */
	u32 flags;
};

#endif /* _LINUX_FUSE_FILTER_H */
