/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * FUSE filters: what the author of a filter includes.
 *
 * A filter is a struct fuse_filter_ops in the section ".struct_ops.link", with
 * one program for each callback it has:
 *
 *	#include "fuse_filter.bpf.h"
 *
 *	SEC("struct_ops/lookup")
 *	int BPF_PROG(no_core, struct fuse_filter_ctx *fctx)
 *	{
 *		const char *name = bpf_fuse_ctx_name(fctx, FUSE_FILTER_NAME_SIZE);
 *
 *		if (name && fuse_filter_name_is(name, "core"))
 *			return -ENOENT;
 *		return FUSE_FILTER_DEFAULT;
 *	}
 *
 *	SEC(".struct_ops.link")
 *	struct fuse_filter_ops nocore = {
 *		.lookup = (void *)no_core,
 *		.name = "nocore",
 *	};
 *
 *	char LICENSE[] SEC("license") = "GPL";
 *
 * (BPF_PROG() takes the name "ctx" for itself, hence "fctx".) Build with
 *
 *	clang -target bpf -g -O2 -idirafter /usr/include/$(gcc -print-multiarch) -c
 *
 * Sections: a program for the member M is in the section "struct_ops/M" if it
 * does not sleep, or "struct_ops.s/M" if it may. What is after the slash is for
 * people; which member a program serves is what the struct says. Members that do
 * not take programs that may sleep are marked below; the kernel refuses to load
 * such a filter.
 *
 * What each callback may do and what its return value means is said in the
 * kernel's <linux/fuse_filter.h>, and in short below.
 *
 * No vmlinux.h is needed. Where one is wanted, or <linux/fuse.h> or
 * <linux/fuse_bpf.h>, include it before this header. The types below hold only
 * what this version of the header knows of; libbpf fits them to the running kernel
 * when the filter is loaded.
 */
#ifndef __FUSE_FILTER_BPF_H
#define __FUSE_FILTER_BPF_H

/*
 * A vmlinux.h declares the same things if it was made from a kernel that has them,
 * and not if they are in a module. libbpf ignores what follows "___" in a name, so
 * that ours can stand beside them.
 */
#ifdef __VMLINUX_H__
#define fuse_filter_ctx		fuse_filter_ctx___api
#define fuse_filter_attr	fuse_filter_attr___api
#define fuse_filter_dirent	fuse_filter_dirent___api
#define fuse_filter_io		fuse_filter_io___api
#define fuse_filter_mmap	fuse_filter_mmap___api
#define fuse_filter_ops		fuse_filter_ops___api
#define bpf_fuse_ctx_name	bpf_fuse_ctx_name___api
#define bpf_fuse_ctx_read	bpf_fuse_ctx_read___api
#define bpf_fuse_ctx_set_value	bpf_fuse_ctx_set_value___api
#define bpf_fuse_ctx_attr	bpf_fuse_ctx_attr___api
#define bpf_fuse_ctx_statfs	bpf_fuse_ctx_statfs___api
#define bpf_fuse_ctx_redact	bpf_fuse_ctx_redact___api
#define bpf_fuse_ctx_add_open_flags	bpf_fuse_ctx_add_open_flags___api
#endif

/* The requests of <linux/fuse.h>, which are in a vmlinux.h too */
#if defined(__VMLINUX_H__) || defined(_LINUX_FUSE_H)
#define fuse_mknod_in		fuse_mknod_in___api
#define fuse_mkdir_in		fuse_mkdir_in___api
#define fuse_rename2_in		fuse_rename2_in___api
#define fuse_link_in		fuse_link_in___api
#define fuse_open_in		fuse_open_in___api
#define fuse_create_in		fuse_create_in___api
#define fuse_fsync_in		fuse_fsync_in___api
#define fuse_setxattr_in	fuse_setxattr_in___api
#define fuse_getxattr_in	fuse_getxattr_in___api
#define fuse_file_lock		fuse_file_lock___api
#define fuse_lk_in		fuse_lk_in___api
#define fuse_access_in		fuse_access_in___api
#define fuse_ioctl_in		fuse_ioctl_in___api
#define fuse_poll_in		fuse_poll_in___api
#define fuse_bmap_in		fuse_bmap_in___api
#define fuse_fallocate_in	fuse_fallocate_in___api
#define fuse_lseek_in		fuse_lseek_in___api
#define fuse_copy_file_range_in	fuse_copy_file_range_in___api
#define fuse_kstatfs		fuse_kstatfs___api
#endif

#ifndef __VMLINUX_H__
#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>
#endif
#include <asm-generic/errno.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* Size of a filter's own name, including the terminating NUL. */
#ifndef FUSE_FILTER_NAME_LEN
#define FUSE_FILTER_NAME_LEN 16
#endif

/* Bytes that hold any file name, including the terminating NUL. */
#define FUSE_FILTER_NAME_SIZE 256

/* Node ids with this bit are of inodes that the kernel made. */
#ifndef FUSE_NODEID_KERNEL
#define FUSE_NODEID_KERNEL (1ULL << 63)
#endif

/* Opcodes besides those of FUSE: an entry of a directory, a mapping, a name in a list */
#ifndef FUSE_FILTER_OP_DIRENT
#define FUSE_FILTER_OP_DIRENT		60
#define FUSE_FILTER_OP_MMAP		61
#define FUSE_FILTER_OP_XATTR_NAME	62
#endif

/* fuse_filter_ops.flags: postfilters are called for failed requests only */
#ifndef FUSE_FILTER_POST_ERRORS
#define FUSE_FILTER_POST_ERRORS (1U << 0)
#endif

/* fuse_filter_ops.flags: takes names as they fold, where the backing folds case */
#ifndef FUSE_FILTER_FOLDED_NAMES
#define FUSE_FILTER_FOLDED_NAMES (1U << 1)
#endif

/* fuse_filter_io.flags: the offset is where the file ends now */
#ifndef FUSE_FILTER_IO_APPEND
#define FUSE_FILTER_IO_APPEND (1U << 0)
#endif

/* fuse_access_in.mask, besides MAY_READ, MAY_WRITE and MAY_EXEC: what it is for */
#ifndef FUSE_FILTER_MAY_APPEND
#define FUSE_FILTER_MAY_APPEND	(1U << 3)
#define FUSE_FILTER_MAY_ACCESS	(1U << 4)
#define FUSE_FILTER_MAY_OPEN	(1U << 5)
#define FUSE_FILTER_MAY_CHDIR	(1U << 6)
#endif

/* Ranges apart from each other that one request can have redacted. */
#ifndef FUSE_FILTER_MAX_RANGES
#define FUSE_FILTER_MAX_RANGES 16
#endif

#ifdef __VMLINUX_H__
/* Macros, as that header may have them as enumerators */
#define FUSE_FILTER_DEFAULT	0
#define FUSE_FILTER_BACKING	1
#define FUSE_FILTER_DAEMON	2
#define FUSE_FILTER_POST	0x100
#define FUSE_FILTER_ASK_PRE	0x200
#define FUSE_FILTER_ASK_POST	0x400
#define FUSE_FILTER_NAME	0
#define FUSE_FILTER_NEWNAME	1
#define FUSE_FILTER_TEXT	2
#define FUSE_FILTER_VALUE	3
#elif !defined(_UAPI_LINUX_FUSE_BPF_H)
/**
 * enum fuse_filter_verdict - what a prefilter says of a request
 * @FUSE_FILTER_DEFAULT: this filter does not mind who answers
 * @FUSE_FILTER_BACKING: the backing file or directory answers
 * @FUSE_FILTER_DAEMON: the daemon answers; EIO where it cannot
 * @FUSE_FILTER_POST: added to one of the above: call this filter's postfilter too
 * @FUSE_FILTER_ASK_PRE: likewise: ask the daemon whether the backing may answer
 * @FUSE_FILTER_ASK_POST: likewise: ask the daemon about the result
 *
 * The daemon is asked by a request of its own, FUSE_BPF_ASK, in everything but read,
 * write, mmap, release, dirent and xattr_name; and not about what it answers itself.
 *
 * Or a negative errno (-1..-511, not ECHILD's), which refuses the request. Anything
 * else refuses it with EIO.
 */
enum fuse_filter_verdict {
	FUSE_FILTER_DEFAULT = 0,
	FUSE_FILTER_BACKING = 1,
	FUSE_FILTER_DAEMON = 2,
	FUSE_FILTER_POST = 0x100,
	FUSE_FILTER_ASK_PRE = 0x200,
	FUSE_FILTER_ASK_POST = 0x400,
};

/**
 * enum fuse_filter_data - bytes that go with a request, for bpf_fuse_ctx_read()
 * @FUSE_FILTER_NAME: the name, as bpf_fuse_ctx_name() gives it
 * @FUSE_FILTER_NEWNAME: the new name, in rename
 * @FUSE_FILTER_TEXT: name of an extended attribute; in symlink, the target
 * @FUSE_FILTER_VALUE: value of an extended attribute; in readlink_post, the target
 */
enum fuse_filter_data {
	FUSE_FILTER_NAME = 0,
	FUSE_FILTER_NEWNAME = 1,
	FUSE_FILTER_TEXT = 2,
	FUSE_FILTER_VALUE = 3,
};
#endif

#ifndef _LINUX_FUSE_H
/* enum fuse_opcode, as far as filters are asked about them */
#define FUSE_LOOKUP		1
#define FUSE_GETATTR		3
#define FUSE_SETATTR		4
#define FUSE_READLINK		5
#define FUSE_SYMLINK		6
#define FUSE_MKNOD		8
#define FUSE_MKDIR		9
#define FUSE_UNLINK		10
#define FUSE_RMDIR		11
#define FUSE_RENAME		12
#define FUSE_LINK		13
#define FUSE_OPEN		14
#define FUSE_READ		15
#define FUSE_WRITE		16
#define FUSE_STATFS		17
#define FUSE_RELEASE		18
#define FUSE_FSYNC		20
#define FUSE_SETXATTR		21
#define FUSE_GETXATTR		22
#define FUSE_LISTXATTR		23
#define FUSE_REMOVEXATTR	24
#define FUSE_FLUSH		25
#define FUSE_OPENDIR		27
#define FUSE_READDIR		28
#define FUSE_RELEASEDIR		29
#define FUSE_FSYNCDIR		30
#define FUSE_GETLK		31
#define FUSE_SETLK		32
#define FUSE_SETLKW		33
#define FUSE_ACCESS		34
#define FUSE_CREATE		35
#define FUSE_BMAP		37
#define FUSE_IOCTL		39
#define FUSE_POLL		40
#define FUSE_FALLOCATE		43
#define FUSE_READDIRPLUS	44
#define FUSE_RENAME2		45
#define FUSE_LSEEK		46
#define FUSE_COPY_FILE_RANGE	47
#define FUSE_SYNCFS		50
#define FUSE_TMPFILE		51
#define FUSE_STATX		52
#define FUSE_COPY_FILE_RANGE_64	53

/* fuse_filter_attr.valid */
#define FATTR_MODE		(1 << 0)
#define FATTR_UID		(1 << 1)
#define FATTR_GID		(1 << 2)
#define FATTR_SIZE		(1 << 3)
#define FATTR_ATIME		(1 << 4)
#define FATTR_MTIME		(1 << 5)
#define FATTR_ATIME_NOW		(1 << 7)
#define FATTR_MTIME_NOW		(1 << 8)
#define FATTR_KILL_SUIDGID	(1 << 11)

/* fuse_lk_in.lk_flags, fuse_fsync_in.fsync_flags */
#define FUSE_LK_FLOCK		(1 << 0)
#define FUSE_FSYNC_FDATASYNC	(1 << 0)
#endif

/* Macros that no vmlinux.h has, and that authors compare with */
#ifndef S_IFMT
#define S_IFMT		0170000
#define S_IFSOCK	0140000
#define S_IFLNK		0120000
#define S_IFREG		0100000
#define S_IFBLK		0060000
#define S_IFDIR		0040000
#define S_IFCHR		0020000
#define S_IFIFO		0010000
#endif

/* fuse_access_in.mask */
#ifndef MAY_EXEC
#define MAY_EXEC	1
#define MAY_WRITE	2
#define MAY_READ	4
#endif

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/**
 * struct fuse_filter_ctx - the request; a program can only read it
 * @nodeid: node id of the inode; 0 where it has none yet, or where only a name is
 *	dealt with
 * @parent: node id of the directory in which a name is dealt with, else 0
 * @opcode: enum fuse_opcode, or FUSE_FILTER_OP_*
 * @fsuid: file system user id of the caller, in the mount's user namespace
 * @fsgid: likewise the group id
 * @pid: thread id of the caller, in the mount's pid namespace
 * @name_len: bytes in the name, without a NUL; 0 where there is no name
 * @newname_len: in rename: bytes in the new name
 * @newparent: in rename: node id of the directory of the new name
 * @result: in postfilters: negative errno, or 0, or the bytes or the position that
 *	the request returns
 */
struct fuse_filter_ctx {
	__u64 nodeid;
	__u64 parent;
	__u32 opcode;
	__u32 fsuid;
	__u32 fsgid;
	__u32 pid;
	__u32 name_len;
	__u32 newname_len;
	__u64 newparent;
	__s64 result;
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
 * @valid: FATTR_*: in setattr and where something is made, the attributes that the
 *	request gives; else 0
 * @reserved: zero
 */
struct fuse_filter_attr {
	__u64 ino;
	__u64 size;
	__u64 blocks;
	__s64 atime;
	__s64 mtime;
	__s64 ctime;
	__u32 atimensec;
	__u32 mtimensec;
	__u32 ctimensec;
	__u32 mode;
	__u32 nlink;
	__u32 uid;
	__u32 gid;
	__u32 rdev;
	__u32 valid;
	__u32 reserved;
};

/**
 * struct fuse_filter_dirent - a directory entry that is about to be shown
 * @ino: inode number on the backing
 * @type: DT_* of the entry
 */
struct fuse_filter_dirent {
	__u64 ino;
	__u32 type;
};

/**
 * struct fuse_filter_io - a range of a file or a position in a directory
 * @offset: first byte; of a write that appends, the size of the file now
 * @size: bytes; S64_MAX: all from @offset on
 * @flags: %FUSE_FILTER_IO_APPEND
 */
struct fuse_filter_io {
	__u64 offset;
	__u64 size;
	__u32 flags;
};

/**
 * struct fuse_filter_mmap - a mapping that is about to be made
 * @offset: first byte of the file
 * @size: bytes
 * @prot: PROT_* that the mapping has now
 * @flags: MAP_SHARED (1) or MAP_PRIVATE (2)
 */
struct fuse_filter_mmap {
	__u64 offset;
	__u64 size;
	__u32 prot;
	__u32 flags;
};

/* What requests carry, with the fields that the kernel fills in for filters */
struct fuse_mknod_in {
	__u32 mode;
	__u32 rdev;
};

struct fuse_mkdir_in {
	__u32 mode;
};

struct fuse_rename2_in {
	__u64 newdir;
	__u32 flags;
};

struct fuse_link_in {
	__u64 oldnodeid;
};

struct fuse_open_in {
	__u32 flags;
};

struct fuse_create_in {
	__u32 flags;
	__u32 mode;
};

struct fuse_fsync_in {
	__u32 fsync_flags;
};

struct fuse_setxattr_in {
	__u32 size;
	__u32 flags;
};

struct fuse_getxattr_in {
	__u32 size;
};

struct fuse_file_lock {
	__u64 start;
	__u64 end;
	__u32 type;
	__u32 pid;
};

struct fuse_lk_in {
	struct fuse_file_lock lk;
	__u32 lk_flags;
};

struct fuse_access_in {
	__u32 mask;
};

struct fuse_ioctl_in {
	__u32 cmd;
};

struct fuse_poll_in {
	__u32 events;
};

struct fuse_bmap_in {
	__u64 block;
	__u32 blocksize;
};

struct fuse_fallocate_in {
	__u64 offset;
	__u64 length;
	__u32 mode;
};

struct fuse_lseek_in {
	__u64 offset;
	__u32 whence;
};

struct fuse_copy_file_range_in {
	__u64 off_in;
	__u64 nodeid_out;
	__u64 off_out;
	__u64 len;
	__u64 flags;
};

/* Statistics, in statfs_post */
struct fuse_kstatfs {
	__u64 blocks;
	__u64 bfree;
	__u64 bavail;
	__u64 files;
	__u64 ffree;
	__u32 bsize;
	__u32 namelen;
	__u32 frsize;
};

#pragma clang attribute pop

/**
 * struct fuse_filter_ops - a filter: the callbacks it has
 * @lookup: a name is looked up, also past the cache; a program that may sleep slows
 *	down each path walk; name
 * @getattr: attributes are asked for
 * @setattr: attributes are changed; attr
 * @readlink: a symbolic link is read or followed
 * @symlink: a symbolic link is made; name, text, attr
 * @mknod: a file, device, pipe or socket is made; name, attr
 * @mkdir: a directory is made; name, attr
 * @unlink: a name of no directory is removed; name
 * @rmdir: a directory is removed; name
 * @rename: a name is moved; name
 * @link: an inode gets one more name; name
 * @open: a file is opened; bpf_fuse_ctx_add_open_flags()
 * @opendir: a directory is opened
 * @create: a regular file is made by open(2); @open is called too; name, attr
 * @read: bytes of a file are or can be read; bpf_fuse_ctx_redact(); atomic
 * @write: bytes of a file are or can be written; atomic
 * @mmap: a file is mapped; atomic
 * @statfs: statistics are asked for
 * @syncfs: the file system is written out
 * @fsync: a file or directory is written out
 * @flush: a descriptor is closed
 * @release: an open file is gone; what is returned is ignored; atomic
 * @setxattr: an extended attribute is set; text, value
 * @getxattr: an extended attribute is read; text
 * @listxattr: names of extended attributes are listed
 * @removexattr: an extended attribute is removed; text
 * @xattr_name: such a name is about to be listed; an errno leaves it out; text; atomic
 * @readdir: a directory is read
 * @dirent: an entry is about to be shown; an errno leaves it out; name; atomic
 * @lock: a lock is set, dropped or asked about
 * @permission: may the caller read, write, execute or search?
 * @ioctl: a request of ioctl(2)
 * @poll: a file of the daemon's is polled
 * @bmap: the place of a block of a file of the daemon's is asked for
 * @fallocate: space is allocated or freed
 * @lseek: a position is moved
 * @copy_file_range: bytes are copied or shared between files; @read and @write are
 *	asked too
 * @pre: any request that the filter has no prefilter for; name; atomic
 * @lookup_post: a name was looked up; @attr is zero if it stands for nothing; name
 * @getattr_post: attributes are about to be returned; attr
 * @readlink_post: a symbolic link was read; value, which can be set
 * @create_post: something was made, and stays so; name
 * @open_post: a file or directory was opened; an errno closes it
 * @read_post: bytes were read; atomic
 * @write_post: bytes were written; atomic
 * @statfs_post: statistics are about to be returned; statfs
 * @getxattr_post: an extended attribute was read or is not there; text; value, which can
 *	be set
 * @listxattr_post: names were listed
 * @lock_post: a lock was dealt with
 * @lseek_post: a position was found
 * @copy_file_range_post: bytes were copied
 * @ioctl_post: a request of ioctl(2) was answered
 * @post: any request that the filter has no postfilter for; name; atomic
 * @name: for people; letters, digits, '_' and '.'
 * @flags: %FUSE_FILTER_POST_ERRORS; %FUSE_FILTER_FOLDED_NAMES, without which a filter
 *	fails with EOPNOTSUPP what is asked about names in a directory that folds case
 *
 * Prefilters return enum fuse_filter_verdict or a negative errno. Postfilters (the
 * members with _post, and @post) return 0, or a negative errno to put in the place
 * of the result. A postfilter is called if the filter has no prefilter for the
 * request, or if that returned %FUSE_FILTER_POST.
 *
 * Marked "atomic": not sleepable. "attr", "statfs", "value", "text", "name": the
 * functions below that can be called there; see each.
 */
struct fuse_filter_ops {
	int (*lookup)(struct fuse_filter_ctx *ctx);
	int (*getattr)(struct fuse_filter_ctx *ctx);
	int (*setattr)(struct fuse_filter_ctx *ctx);
	int (*readlink)(struct fuse_filter_ctx *ctx);
	int (*symlink)(struct fuse_filter_ctx *ctx);
	int (*mknod)(struct fuse_filter_ctx *ctx, const struct fuse_mknod_in *in);
	int (*mkdir)(struct fuse_filter_ctx *ctx, const struct fuse_mkdir_in *in);
	int (*unlink)(struct fuse_filter_ctx *ctx);
	int (*rmdir)(struct fuse_filter_ctx *ctx);
	int (*rename)(struct fuse_filter_ctx *ctx, const struct fuse_rename2_in *in);
	int (*link)(struct fuse_filter_ctx *ctx, const struct fuse_link_in *in);
	int (*open)(struct fuse_filter_ctx *ctx, const struct fuse_open_in *in);
	int (*opendir)(struct fuse_filter_ctx *ctx, const struct fuse_open_in *in);
	int (*create)(struct fuse_filter_ctx *ctx, const struct fuse_create_in *in);
	int (*read)(struct fuse_filter_ctx *ctx, const struct fuse_filter_io *in);
	int (*write)(struct fuse_filter_ctx *ctx, const struct fuse_filter_io *in);
	int (*mmap)(struct fuse_filter_ctx *ctx, const struct fuse_filter_mmap *in);
	int (*statfs)(struct fuse_filter_ctx *ctx);
	int (*syncfs)(struct fuse_filter_ctx *ctx);
	int (*fsync)(struct fuse_filter_ctx *ctx, const struct fuse_fsync_in *in);
	int (*flush)(struct fuse_filter_ctx *ctx);
	int (*release)(struct fuse_filter_ctx *ctx);
	int (*setxattr)(struct fuse_filter_ctx *ctx, const struct fuse_setxattr_in *in);
	int (*getxattr)(struct fuse_filter_ctx *ctx, const struct fuse_getxattr_in *in);
	int (*listxattr)(struct fuse_filter_ctx *ctx, const struct fuse_getxattr_in *in);
	int (*removexattr)(struct fuse_filter_ctx *ctx);
	int (*xattr_name)(struct fuse_filter_ctx *ctx);
	int (*readdir)(struct fuse_filter_ctx *ctx, const struct fuse_filter_io *in);
	int (*dirent)(struct fuse_filter_ctx *ctx, const struct fuse_filter_dirent *entry);
	int (*lock)(struct fuse_filter_ctx *ctx, const struct fuse_lk_in *in);
	int (*permission)(struct fuse_filter_ctx *ctx, const struct fuse_access_in *in);
	int (*ioctl)(struct fuse_filter_ctx *ctx, const struct fuse_ioctl_in *in);
	int (*poll)(struct fuse_filter_ctx *ctx, const struct fuse_poll_in *in);
	int (*bmap)(struct fuse_filter_ctx *ctx, const struct fuse_bmap_in *in);
	int (*fallocate)(struct fuse_filter_ctx *ctx, const struct fuse_fallocate_in *in);
	int (*lseek)(struct fuse_filter_ctx *ctx, const struct fuse_lseek_in *in);
	int (*copy_file_range)(struct fuse_filter_ctx *ctx,
			const struct fuse_copy_file_range_in *in);
	int (*pre)(struct fuse_filter_ctx *ctx);
	int (*lookup_post)(struct fuse_filter_ctx *ctx, const struct fuse_filter_attr *attr);
	int (*getattr_post)(struct fuse_filter_ctx *ctx);
	int (*readlink_post)(struct fuse_filter_ctx *ctx);
	int (*create_post)(struct fuse_filter_ctx *ctx);
	int (*open_post)(struct fuse_filter_ctx *ctx);
	int (*read_post)(struct fuse_filter_ctx *ctx, const struct fuse_filter_io *in);
	int (*write_post)(struct fuse_filter_ctx *ctx, const struct fuse_filter_io *in);
	int (*statfs_post)(struct fuse_filter_ctx *ctx);
	int (*getxattr_post)(struct fuse_filter_ctx *ctx);
	int (*listxattr_post)(struct fuse_filter_ctx *ctx);
	int (*lock_post)(struct fuse_filter_ctx *ctx, const struct fuse_lk_in *in);
	int (*lseek_post)(struct fuse_filter_ctx *ctx, const struct fuse_lseek_in *in);
	int (*copy_file_range_post)(struct fuse_filter_ctx *ctx,
			const struct fuse_copy_file_range_in *in);
	int (*ioctl_post)(struct fuse_filter_ctx *ctx, const struct fuse_ioctl_in *in);
	int (*post)(struct fuse_filter_ctx *ctx);
	char name[FUSE_FILTER_NAME_LEN];
	__u32 flags;
};

/**
 * bpf_fuse_ctx_name - the name that the request deals with
 * @ctx: the callback's context
 * @rdonly_buf_size: bytes wanted, a constant, at most %FUSE_FILTER_NAME_SIZE
 *
 * Only in callbacks that deal with a name: those marked "name".
 *
 * Return: that many readable bytes, zero after the name, good until the callback
 * returns; NULL if the name with its NUL is longer, which cannot be with
 * %FUSE_FILTER_NAME_SIZE, or if there is no name
 */
extern const char *bpf_fuse_ctx_name(struct fuse_filter_ctx *ctx,
				     const unsigned long rdonly_buf_size) __ksym;

/**
 * bpf_fuse_ctx_read - copy bytes that go with the request
 * @ctx: the callback's context
 * @what: enum fuse_filter_data
 * @off: first byte wanted
 * @mem: where to; zero after the end of what there is
 * @mem__sz: bytes that fit
 *
 * Only in callbacks marked "name", "text" or "value".
 *
 * Return: the size of the whole, however much was copied; -ENODATA the request has
 * none, -EINVAL no such @what
 */
extern int bpf_fuse_ctx_read(struct fuse_filter_ctx *ctx, __u32 what, __u32 off, void *mem,
			     __u32 mem__sz) __ksym;

/**
 * bpf_fuse_ctx_set_value - give the answer to the request
 * @ctx: the callback's context
 * @mem: the value
 * @mem__sz: bytes of it
 *
 * Only in getxattr_post and readlink_post. If the request had failed, it has not
 * any more.
 *
 * Return: 0, -ERANGE the caller's buffer is too small, -EINVAL an empty target of a
 * symbolic link or one with a NUL in it
 */
extern int bpf_fuse_ctx_set_value(struct fuse_filter_ctx *ctx, const void *mem,
				  __u32 mem__sz) __ksym;

/**
 * bpf_fuse_ctx_attr - attributes that the request gives or returns
 * @ctx: the callback's context
 * @rdwr_buf_size: bytes wanted, a constant, at most that of struct fuse_filter_attr
 *
 * Only in callbacks marked "attr". To be changed there: in setattr, mode, uid, gid,
 * atime and mtime, as far as @valid says that the request has them, and bits of
 * @valid, which may be taken out, but for FATTR_SIZE and FATTR_KILL_SUIDGID; in
 * mknod, mkdir and create, mode but for the type, uid and gid; in symlink, uid and
 * gid; in getattr_post, all but ino, type and rdev. Any other change makes the
 * request fail with EIO.
 *
 * Return: that many bytes of a struct fuse_filter_attr, to read and write; NULL if
 * the request has none
 */
extern __u8 *bpf_fuse_ctx_attr(struct fuse_filter_ctx *ctx,
			       const unsigned long rdwr_buf_size) __ksym;

/**
 * bpf_fuse_ctx_statfs - statistics that the request returns
 * @ctx: the callback's context
 * @rdwr_buf_size: bytes wanted, a constant, at most that of struct fuse_kstatfs
 *
 * Only in statfs_post.
 *
 * Return: that many bytes of a struct fuse_kstatfs, to read and write; NULL if the
 * request has none
 */
extern __u8 *bpf_fuse_ctx_statfs(struct fuse_filter_ctx *ctx,
				 const unsigned long rdwr_buf_size) __ksym;

/* fuse_filter_ctx_attr - bpf_fuse_ctx_attr(), with its type */
static __always_inline struct fuse_filter_attr *fuse_filter_ctx_attr(struct fuse_filter_ctx *ctx)
{
	return (struct fuse_filter_attr *)bpf_fuse_ctx_attr(ctx, sizeof(struct fuse_filter_attr));
}

/* fuse_filter_ctx_statfs - bpf_fuse_ctx_statfs(), with its type */
static __always_inline struct fuse_kstatfs *fuse_filter_ctx_statfs(struct fuse_filter_ctx *ctx)
{
	return (struct fuse_kstatfs *)bpf_fuse_ctx_statfs(ctx, sizeof(struct fuse_kstatfs));
}

/**
 * bpf_fuse_ctx_redact - let bytes of a file read as zero
 * @ctx: the callback's context
 * @start: first byte that does
 * @end: first byte after it that does not, ~0ULL: all from @start on
 *
 * Only in read. Ranges add up. What lies outside of the range that is being read is
 * ignored.
 *
 * Return: 0, -EINVAL the range is empty, -ENOSPC there are %FUSE_FILTER_MAX_RANGES
 * apart from each other, and the read will fail with EIO
 */
extern int bpf_fuse_ctx_redact(struct fuse_filter_ctx *ctx, __u64 start, __u64 end) __ksym;

/**
 * bpf_fuse_ctx_add_open_flags - open a file with more flags
 * @ctx: the callback's context
 * @flags: of O_APPEND, O_DSYNC, O_SYNC, O_NOATIME
 *
 * Only in open. The caller sees them in F_GETFL, and can take O_APPEND and O_NOATIME
 * away with F_SETFL: what must not be written has to be refused in write.
 *
 * Return: 0, -EINVAL other flags, -EOPNOTSUPP the file is not backed
 */
extern int bpf_fuse_ctx_add_open_flags(struct fuse_filter_ctx *ctx, __u32 flags) __ksym;

/**
 * fuse_filter_name_is - compare a name with a string constant
 * @name: from bpf_fuse_ctx_name(), with room for the constant and its NUL
 * @text: string constant
 */
#define fuse_filter_name_is(name, text) (!__builtin_memcmp(name, text, sizeof(text)))

/**
 * fuse_filter_name_ends - does a name end in a string constant?
 * @name: from bpf_fuse_ctx_name(), with room for %FUSE_FILTER_NAME_SIZE
 * @len: fuse_filter_ctx.name_len
 * @text: string constant
 */
#define fuse_filter_name_ends(name, len, text)					\
({										\
	/* Of a name shorter than the text, this is a very large number */	\
	__u32 ___start = (len) - (sizeof(text) - 1);				\
										\
	barrier_var(___start);							\
	___start <= FUSE_FILTER_NAME_SIZE - sizeof(text) &&			\
		fuse_filter_name_is((name) + ___start, text);			\
})

/*
 * Keys of maps that hold names: zero padded, with at least one NUL, so that the
 * cost of a rule set is one look-up however many rules it has.
 */
#define FUSE_FILTER_KEY_SIZE 64
#define FUSE_FILTER_SUFFIX_SIZE 32

/**
 * fuse_filter_name_key - make a map key of a whole name
 * @key: FUSE_FILTER_KEY_SIZE bytes, aligned to 8
 * @name: from bpf_fuse_ctx_name(), with room for %FUSE_FILTER_NAME_SIZE
 *
 * The caller has checked that the name is shorter than the key.
 */
static __always_inline void fuse_filter_name_key(char *key, const char *name)
{
	for (int i = 0; i < FUSE_FILTER_KEY_SIZE / 8; i++)
		((__u64 *)key)[i] = ((const __u64 *)name)[i];
}

/**
 * fuse_filter_suffix_key - make a map key of the part of a name from the last dot
 * @key: FUSE_FILTER_SUFFIX_SIZE bytes, aligned to 8; the dot is the first
 * @name: from bpf_fuse_ctx_name(), with room for %FUSE_FILTER_NAME_SIZE
 * @len: fuse_filter_ctx.name_len
 *
 * Looks no further back than a key can hold, so that a long name costs no more
 * than a short one.
 *
 * Return: 0, or -ENOENT if that part would not fit or there is no dot
 */
static __always_inline int fuse_filter_suffix_key(char *key, const char *name, __u32 len)
{
	__u32 start = len;
	__u32 size;

	for (size = 1; size < FUSE_FILTER_SUFFIX_SIZE; size++) {
		/* Before the first byte, this is a very large number */
		start--;
		barrier_var(start);
		if (start >= FUSE_FILTER_NAME_SIZE)
			return -ENOENT;
		if (name[start] == '.')
			break;
	}
	if (size == FUSE_FILTER_SUFFIX_SIZE)
		return -ENOENT;

	for (int i = 0; i < FUSE_FILTER_SUFFIX_SIZE / 8; i++)
		((__u64 *)key)[i] = 0;
	for (__u32 i = 0; i < size; i++) {
		__u32 at = start + i;

		/* The verifier must see that what is compared is what is used */
		barrier_var(at);
		if (at >= FUSE_FILTER_NAME_SIZE)
			break;
		key[i] = name[at];
	}
	return 0;
}

#endif /* __FUSE_FILTER_BPF_H */
