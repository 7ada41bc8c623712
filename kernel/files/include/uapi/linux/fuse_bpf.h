/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Backed inodes and filters for FUSE: what user space, filters and the kernel
 * share.
 *
 * The requests below go to a FUSE device file or to any directory of a mount whose
 * names are the backing's; a mount without a daemon has only the latter. Each
 * request's number carries the size of its argument: a kernel takes a larger
 * argument whose unknown part is zero, and a smaller one as if its missing part
 * were zero. Reserved fields and unknown flags must be zero.
 *
 * Common errors: ENOTTY the kernel does not know the request, E2BIG a part of
 * the argument that this kernel does not know is not zero, EFAULT the argument
 * cannot be read or written, EINVAL a reserved field or an unknown flag is set,
 * ENODEV the device file is not connected to a mount.
 */
#ifndef _UAPI_LINUX_FUSE_BPF_H
#define _UAPI_LINUX_FUSE_BPF_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Version of this interface; grows with each change that a user can see. */
#define FUSE_BPF_ABI 4

/* Size of a filter's name, including the terminating NUL. */
#define FUSE_FILTER_NAME_LEN 16

/* Filters that one mount takes. */
#define FUSE_FILTER_MAX 64

/*
 * Node ids with this bit name inodes that the kernel made below a backed
 * directory. A daemon never sees one and must not use one.
 */
#define FUSE_NODEID_KERNEL (1ULL << 63)

/*
 * What a filter is asked about besides the opcodes of FUSE, and numbered like
 * them: an entry of a directory, a mapping, a name in a list of extended
 * attributes.
 */
#define FUSE_FILTER_OP_DIRENT		60
#define FUSE_FILTER_OP_MMAP		61
#define FUSE_FILTER_OP_XATTR_NAME	62

/* Where requests %FUSE_BPF_ASK are counted; no filter is asked about them */
#define FUSE_FILTER_OP_ASK		63

/**
 * enum fuse_filter_verdict - what a prefilter says of a request
 * @FUSE_FILTER_DEFAULT: this filter does not mind who answers
 * @FUSE_FILTER_BACKING: the backing file or directory answers; EIO where there is
 *	none
 * @FUSE_FILTER_DAEMON: the daemon answers; EIO where it cannot, because it has no
 *	name for the inode or there is no such request, ENOTCONN where there is no
 *	daemon
 * @FUSE_FILTER_POST: added to one of the above: call this filter's postfilter for
 *	the request too
 * @FUSE_FILTER_ASK_PRE: likewise: ask the daemon whether the backing may answer
 * @FUSE_FILTER_ASK_POST: likewise: ask the daemon about the result
 *
 * With the last two, the daemon is a filter of its own, the last one to be asked
 * and the first to be told, see %FUSE_BPF_ASK. What it answers by itself, it is not
 * asked about. They refuse with EIO what nobody can be asked about: READ, WRITE,
 * RELEASE, RELEASEDIR and FUSE_FILTER_OP_*.
 *
 * A negative errno refuses the request. Of several filters, the first errno
 * wins, and %FUSE_FILTER_DAEMON beats %FUSE_FILTER_BACKING. Whatever is neither
 * a verdict nor a plain errno (1..511, and not ECHILD) refuses with EIO.
 */
enum fuse_filter_verdict {
	FUSE_FILTER_DEFAULT = 0,
	FUSE_FILTER_BACKING = 1,
	FUSE_FILTER_DAEMON = 2,
	FUSE_FILTER_POST = 0x100,
	FUSE_FILTER_ASK_PRE = 0x200,
	FUSE_FILTER_ASK_POST = 0x400,
};

/*
 * Opcode of the request that asks a daemon to decide about another one, which the
 * backing is to answer. Stock libfuse says ENOSYS to it, which refuses with EIO.
 */
#define FUSE_BPF_ASK 4160

/* fuse_bpf_ask_in.phase */
#define FUSE_BPF_ASK_PRE	0 /* before the backing answers */
#define FUSE_BPF_ASK_POST	1 /* when it has answered */

/**
 * struct fuse_bpf_ask_in - what a request %FUSE_BPF_ASK carries
 * @opcode: of the request that is asked about
 * @phase: FUSE_BPF_ASK_*
 * @result: with %FUSE_BPF_ASK_POST: what the request ended with, a negative errno, or
 *	0, or the bytes or the position that it returns
 * @in_size: bytes of the struct that requests of this opcode have, 0: not passed on
 * @attr_size: bytes of the struct fuse_attr that follows, 0: none
 * @attr_valid: FATTR_*: attributes that the request gives; 0: those of what was found
 *	or asked for
 * @name_len: bytes in the name, 0: none
 * @newname_len: bytes in the new name of a rename, 0: none
 * @text_len: bytes in the name of an extended attribute, or in the target of a
 *	symbolic link that is made, 0: none
 * @reserved: zero
 *
 * These three structs follow each other without padding, and then the strings, each
 * with a NUL that its length does not count. The header of the request tells of the
 * caller. Its node id is that of the directory, where there is a name, and else
 * of the inode; node ids are the daemon's, which is sent a LOOKUP first for what it
 * does not know.
 */
struct fuse_bpf_ask_in {
	__u32 opcode;
	__u32 phase;
	__s64 result;
	__u32 in_size;
	__u32 attr_size;
	__u32 attr_valid;
	__u32 name_len;
	__u32 newname_len;
	__u32 text_len;
	__u64 reserved;
};

/**
 * struct fuse_bpf_ask_out - the daemon's answer
 * @verdict: before: enum fuse_filter_verdict without flags, or a negative errno, which
 *	count as those of a filter do. Afterwards: 0, or a negative errno for the
 *	caller, in the place of the result
 * @reserved: zero
 *
 * An error in the header of the reply is a verdict too.
 */
struct fuse_bpf_ask_out {
	__s32 verdict;
	__u32 reserved;
};

/* fuse_filter_ops.flags */
#define FUSE_FILTER_POST_ERRORS	(1U << 0) /* postfilters only for failed requests */
#define FUSE_FILTER_FOLDED_NAMES (1U << 1) /* takes names as they fold, where they do */

/*
 * fuse_access_in.mask as filters see it, besides X_OK, W_OK and R_OK: what it is for. A
 * path walk asks for X_OK alone; R_OK alone is asked for by inotify(7) and fanotify(7)
 * before they watch something, and by getxattr(2) of user.* names.
 */
#define FUSE_FILTER_MAY_APPEND	(1U << 3) /* open(2) to append */
#define FUSE_FILTER_MAY_ACCESS	(1U << 4) /* access(2) and its like */
#define FUSE_FILTER_MAY_OPEN	(1U << 5) /* open(2), execve(2) */
#define FUSE_FILTER_MAY_CHDIR	(1U << 6) /* chdir(2), fchdir(2), chroot(2) */

/* fuse_filter_io.flags */
#define FUSE_FILTER_IO_APPEND	(1U << 0) /* the offset is where the file ends now */

/**
 * enum fuse_filter_data - bytes that go with a request
 * @FUSE_FILTER_NAME: the name, as bpf_fuse_ctx_name() gives it
 * @FUSE_FILTER_NEWNAME: the new name of a rename
 * @FUSE_FILTER_TEXT: name of an extended attribute, or target of a symbolic link
 *	that is made
 * @FUSE_FILTER_VALUE: value of an extended attribute, or target of a symbolic link
 *	that was read
 */
enum fuse_filter_data {
	FUSE_FILTER_NAME = 0,
	FUSE_FILTER_NEWNAME = 1,
	FUSE_FILTER_TEXT = 2,
	FUSE_FILTER_VALUE = 3,
};

/* Ranges that bpf_fuse_ctx_redact() takes for one request */
#define FUSE_FILTER_MAX_RANGES 16

/* fuse_bpf_query.features */
#define FUSE_BPF_BACKED_ROOT	(1ULL << 0) /* mount option "backing=FD" */
#define FUSE_BPF_DAEMONLESS	(1ULL << 1) /* mount option "daemonless" */
#define FUSE_BPF_FILTERS	(1ULL << 2) /* FUSE_IOC_FILTER_* */
#define FUSE_BPF_FILTER_PLAIN	(1ULL << 3) /* filters on mounts without backing */
#define FUSE_BPF_FILTER_DIRS	(1ULL << 4) /* FUSE_FILTER_DIRECTORY */
#define FUSE_BPF_BACKING_IDS	(1ULL << 5) /* FUSE_IOC_BACKING_*, replies that name ids */
#define FUSE_BPF_FILTER_ASKS	(1ULL << 6) /* FUSE_FILTER_ASK_*, FUSE_BPF_ASK */
#define FUSE_BPF_FILTER_REPLIES	(1ULL << 7) /* FUSE_FILTER_BY_REPLY */

/**
 * struct fuse_bpf_query - what this kernel can do
 * @abi: out: %FUSE_BPF_ABI of the kernel
 * @filter_max: out: filters that one mount takes, 0: no filters
 * @features: out: FUSE_BPF_* bits
 * @backed_ops: out: bit N of the 128: opcode N is served from the backing
 * @prefilter_ops: out: bit N: filters are asked before opcode N; the bits of
 *	FUSE_FILTER_OP_* are set too
 * @postfilter_ops: out: bit N: filters are called after opcode N
 */
struct fuse_bpf_query {
	__u32 abi;
	__u32 filter_max;
	__u64 features;
	__u64 backed_ops[2];
	__u64 prefilter_ops[2];
	__u64 postfilter_ops[2];
};

/**
 * struct fuse_op_stats - how often an opcode was answered, and by whom
 * @backing: from the backing
 * @daemon: requests sent to the daemon
 * @denied: refused by a filter; what it refuses after it was answered is in @backing or
 *	@daemon too
 * @errors: of @backing, those that the backing ended with an errno
 */
struct fuse_op_stats {
	__u64 backing;
	__u64 daemon;
	__u64 denied;
	__u64 errors;
};

/**
 * struct fuse_bpf_stats - argument of %FUSE_IOC_STATS
 * @ops: address of an array of struct fuse_op_stats, indexed by opcode
 * @nr: in: elements in the array; out: elements the kernel has, which may be
 *	more than it wrote
 * @reserved: zero
 *
 * Errors: EPERM neither the mount's owner nor CAP_SYS_ADMIN, EOPNOTSUPP nothing of the
 * mount has been backed so far.
 */
struct fuse_bpf_stats {
	__u64 ops;
	__u32 nr;
	__u32 reserved;
};

/*
 * Opcodes that a backing serves all or none of. They are macros for those who
 * have included <linux/fuse.h>.
 *
 * Without FILE, files are opened by the daemon, which then serves the open file:
 * all that is done with a file goes where its open went. Without NAMES, what is in
 * a directory is the daemon's to say, as in a reply without
 * %FUSE_BACKING_INHERIT.
 */
#define FUSE_BACKING_FILE_OPS						\
	((1ULL << FUSE_OPEN) | (1ULL << FUSE_READ) |			\
	 (1ULL << FUSE_WRITE) | (1ULL << FUSE_RELEASE) |		\
	 (1ULL << FUSE_FSYNC) | (1ULL << FUSE_FLUSH) |			\
	 (1ULL << FUSE_GETLK) | (1ULL << FUSE_SETLK) |			\
	 (1ULL << FUSE_SETLKW) | (1ULL << FUSE_FALLOCATE) |		\
	 (1ULL << FUSE_LSEEK) | (1ULL << FUSE_COPY_FILE_RANGE) |	\
	 (1ULL << FUSE_COPY_FILE_RANGE_64))
#define FUSE_BACKING_NAME_OPS						\
	((1ULL << FUSE_LOOKUP) | (1ULL << FUSE_SYMLINK) |		\
	 (1ULL << FUSE_MKNOD) | (1ULL << FUSE_MKDIR) |			\
	 (1ULL << FUSE_UNLINK) | (1ULL << FUSE_RMDIR) |			\
	 (1ULL << FUSE_RENAME) | (1ULL << FUSE_RENAME2) |		\
	 (1ULL << FUSE_LINK) | (1ULL << FUSE_CREATE) |			\
	 (1ULL << FUSE_TMPFILE) | (1ULL << FUSE_OPENDIR) |		\
	 (1ULL << FUSE_READDIR) | (1ULL << FUSE_READDIRPLUS) |		\
	 (1ULL << FUSE_RELEASEDIR) | (1ULL << FUSE_FSYNCDIR))

/**
 * struct fuse_backing_open - argument of %FUSE_IOC_BACKING_OPEN
 * @fd: file, directory, symbolic link or special file; O_PATH will do
 * @flags: zero
 * @ops: bit N of the 128: the backing serves opcode N; all zero: all that it can.
 *	Only %FUSE_BACKING_FILE_OPS and %FUSE_BACKING_NAME_OPS can be left out of
 *	fuse_bpf_query.backed_ops, each as a whole
 * @id: out: id for replies, not 0; those of FUSE_DEV_IOC_BACKING_OPEN are from the
 *	same space
 * @reserved: zero
 *
 * The first registration on a connection makes it take struct
 * fuse_entry_backing_out in replies, also to requests that were sent before, and
 * ends the use of READDIRPLUS, which cannot name a backing.
 *
 * What the id stands for is accessed with the credentials of the caller of the
 * ioctl. It is kept until the id is closed and the last inode that it backs is
 * gone; the last umount closes all ids of this kind. The id of a regular file also serves in
 * replies to OPEN with FOPEN_PASSTHROUGH.
 *
 * The mount must be declared to be stacked: by FUSE_PASSTHROUGH and
 * max_stack_depth at INIT, or by the mount option "backing".
 *
 * Errors: EPERM no CAP_SYS_ADMIN in the initial user namespace, or a mount of
 * another one, or not declared to be stacked; EBADF; EINVAL @ops cannot work, or
 * @fd is something without a path, like a socket; EOPNOTSUPP a directory that
 * compares names by rules of its own, or the daemon has chosen
 * FUSE_WRITEBACK_CACHE; ELOOP on this mount or another backed one, or stacked as
 * deep as this mount has declared to be, or deeper; ENODEV unmounted.
 */
struct fuse_backing_open {
	__s32 fd;
	__u32 flags;
	__u64 ops[2];
	__u32 id;
	__u32 reserved;
};

/**
 * struct fuse_backing_close - argument of %FUSE_IOC_BACKING_CLOSE
 * @id: id to close, also one of FUSE_DEV_IOC_BACKING_OPEN
 * @flags: zero
 *
 * Inodes that the id has been given to stay backed. Errors: EPERM no
 * CAP_SYS_ADMIN, ENOENT no such id.
 */
struct fuse_backing_close {
	__u32 id;
	__u32 flags;
};

/* fuse_entry_backing_out.flags */
#define FUSE_BACKING_INHERIT	(1U << 0) /* names below are the backing's, too */
#define FUSE_BACKING_STOP	(1U << 1) /* no backing: the daemon serves the node */
#define FUSE_BACKING_KEEP	(1U << 2) /* backed or not, as the kernel has it */

/**
 * struct fuse_entry_backing_out - optional last part of replies that name a node
 * @backing_id: id from %FUSE_IOC_BACKING_OPEN; 0 with STOP or KEEP
 * @flags: FUSE_BACKING_*, of STOP and KEEP at most one, and alone
 * @tag: what the daemon calls this backing, for filters; inherited. 0 with STOP or
 *	KEEP
 * @filter_id: attachment with %FUSE_FILTER_BY_REPLY that the node is bound to, or 0;
 *	0 with STOP or KEEP
 * @reserved: zero
 *
 * It follows struct fuse_entry_out in replies to LOOKUP, MKNOD, MKDIR, SYMLINK and
 * LINK, and struct fuse_open_out in those to CREATE and TMPFILE. A reply without
 * it means the same as STOP.
 *
 * The node is backed from its instantiation on. Its type is that of the backing,
 * and so are its attributes, at each call; of those in struct fuse_entry_out, only
 * the type counts. Without INHERIT, what is in a directory is the daemon's: it is
 * asked to look up, make, remove, rename and list names. With INHERIT, the kernel
 * finds the names in the backing and does not tell the daemon of what it finds
 * there.
 *
 * A file that was created is opened by the kernel on the backing, if the backing
 * serves OPEN; the daemon's handle is released.
 *
 * Nodes never change: a reply that gives a node another backing, tag, filter or flags
 * than it has, backs a plain one or the reverse, is taken as the reuse of the node id
 * for another file. Operations on the old inode end with EIO. An inode that is gone
 * is nothing to KEEP: the new one is plain.
 *
 * A filter is bound to the node, and to all that lies below it, until the inode is
 * evicted or the filter is detached; then, the node has no filter. Below two nodes
 * with one backing and tag are the same inodes, so give them two tags if they shall
 * have different filters.
 *
 * The operation fails with EIO, and the daemon gets FORGET and RELEASE for what
 * its reply has named, if the part is cut short, has unknown flags or combinations,
 * an unknown id or one of FUSE_DEV_IOC_BACKING_OPEN, a filter that is not attached
 * or not with %FUSE_FILTER_BY_REPLY, or whose link is gone without
 * %FUSE_FILTER_FAIL_OPEN; if the types differ; with
 * INHERIT for what is no directory or whose backing does not serve names; and for
 * the root, for no node, and for node ids with %FUSE_NODEID_KERNEL.
 */
struct fuse_entry_backing_out {
	__s32 backing_id;
	__u32 flags;
	__u64 tag;
	__u32 filter_id;
	__u32 reserved;
};

/* fuse_filter_attach.flags */
#define FUSE_FILTER_BEFORE	(1U << 0) /* before @relative_id, 0: as the first */
#define FUSE_FILTER_AFTER	(1U << 1) /* after @relative_id, 0: as the last */
#define FUSE_FILTER_FAIL_OPEN	(1U << 2) /* when the link is gone: as if absent */
#define FUSE_FILTER_DIRECTORY	(1U << 3) /* for this directory and all below it */
#define FUSE_FILTER_BY_REPLY	(1U << 4) /* for the nodes whose replies name it */

/* fuse_filter_info.flags, besides FUSE_FILTER_FAIL_OPEN, _DIRECTORY and _BY_REPLY */
#define FUSE_FILTER_DEAD	(1U << 31) /* the link is gone */

/**
 * struct fuse_filter_attach - argument of %FUSE_IOC_FILTER_ATTACH
 * @fd: a struct fuse_filter_ops link or map
 * @flags: %FUSE_FILTER_BEFORE, %FUSE_FILTER_AFTER (neither: last),
 *	%FUSE_FILTER_FAIL_OPEN, and at most one of %FUSE_FILTER_DIRECTORY and
 *	%FUSE_FILTER_BY_REPLY
 * @relative_id: id of a filter attached to the same, which the order refers to, or 0
 * @id: out: id of the new attachment, unique for the mount
 *
 * With %FUSE_FILTER_DIRECTORY, the filter is attached to the directory that the
 * request is made on. It is asked about the directory itself, though not about its
 * name, and about all that lies below it by any of its names, wherever it was when
 * it was opened. The mount's filters are asked first, and then those of directories
 * from the inside out. If a request would have to be asked about by more than
 * %FUSE_FILTER_MAX filters, or in more than 8 directories, it fails with EIO.
 *
 * With %FUSE_FILTER_BY_REPLY, the filter is asked about nothing until the daemon names
 * its id in fuse_entry_backing_out.filter_id. It is then asked about that node and what
 * lies below it, as if it were attached to that directory, in whose turn it comes after
 * those that are. It does not keep the node. There is no order to give.
 *
 * The filter sees every operation that begins after the request returns. While
 * its link is gone, the operations that it has a callback for end with EIO, or
 * run as if it were not there with %FUSE_FILTER_FAIL_OPEN.
 *
 * Errors: EPERM no CAP_SYS_ADMIN, EBADF @fd is neither a link nor a map,
 * EINVAL not of this type, ENOENT not registered or @relative_id unknown,
 * EEXIST attached to this mount or directory or for its replies already, ENOSPC
 * %FUSE_FILTER_MAX filters are, EOPNOTSUPP the kernel has no filters, or the directory
 * is on a submount, EINVAL %FUSE_FILTER_DIRECTORY on the device or with
 * %FUSE_FILTER_BY_REPLY, or that with an order, ENODEV unmounted.
 */
struct fuse_filter_attach {
	__s32 fd;
	__u32 flags;
	__u32 relative_id;
	__u32 id;
};

/**
 * struct fuse_filter_detach - argument of %FUSE_IOC_FILTER_DETACH
 * @id: attachment to remove
 * @flags: zero
 *
 * When the request returns, no callback of the filter runs for this mount any
 * more, and no node is bound to it. Errors: EPERM no CAP_SYS_ADMIN, ENOENT no such attachment.
 */
struct fuse_filter_detach {
	__u32 id;
	__u32 flags;
};

/**
 * struct fuse_filter_info - an attached filter
 * @id: id of the attachment
 * @map_id: id of the struct_ops map, as bpftool shows it
 * @flags: %FUSE_FILTER_FAIL_OPEN, %FUSE_FILTER_DIRECTORY, %FUSE_FILTER_BY_REPLY,
 *	%FUSE_FILTER_DEAD
 * @link_id: id of the link that registered it, as bpftool shows it; 0: it is gone
 * @dir: inode number of the directory, 0: not attached to one
 * @name: the filter's own name
 * @ops: bit N of the 128: has a prefilter for opcode N
 * @post_ops: bit N of the 128: has a postfilter for opcode N
 * @runs: callbacks made for this mount
 * @denied: of @runs, those that refused, or put an errno in the place of a result
 * @nodes: with %FUSE_FILTER_BY_REPLY, nodes that are bound to it now
 */
struct fuse_filter_info {
	__u32 id;
	__u32 map_id;
	__u32 flags;
	__u32 link_id;
	__u64 dir;
	char name[FUSE_FILTER_NAME_LEN];
	__u64 ops[2];
	__u64 post_ops[2];
	__u64 runs;
	__u64 denied;
	__u64 nodes;
};

#define FUSE_FILTER_INFO_SIZE_VER1 88
#define FUSE_FILTER_INFO_SIZE_VER2 96

/**
 * struct fuse_filter_list - argument of %FUSE_IOC_FILTER_LIST
 * @filters: address of an array of struct fuse_filter_info: the mount's filters in
 *	the order in which they are asked, and then the others
 * @nr: in: elements in the array; out: filters attached, which may be more than
 *	were written
 * @info_size: in: sizeof(struct fuse_filter_info) as the caller knows it, at least
 *	%FUSE_FILTER_INFO_SIZE_VER1; what the kernel does not know of is zero
 */
struct fuse_filter_list {
	__u64 filters;
	__u32 nr;
	__u32 info_size;
};

/*
 * The magic number is that of FUSE's own device requests. Numbers from 0x60 on
 * are these; QUERY needs no mount and no privilege, STATS and FILTER_LIST the
 * mount's owner or CAP_SYS_ADMIN, the others CAP_SYS_ADMIN.
 */
#define FUSE_BPF_IOC_MAGIC	229
#define FUSE_IOC_QUERY		_IOR(FUSE_BPF_IOC_MAGIC, 0x60, struct fuse_bpf_query)
#define FUSE_IOC_STATS		_IOWR(FUSE_BPF_IOC_MAGIC, 0x61, struct fuse_bpf_stats)
#define FUSE_IOC_BACKING_OPEN	_IOWR(FUSE_BPF_IOC_MAGIC, 0x62, struct fuse_backing_open)
#define FUSE_IOC_BACKING_CLOSE	_IOW(FUSE_BPF_IOC_MAGIC, 0x63, struct fuse_backing_close)
#define FUSE_IOC_FILTER_ATTACH	_IOWR(FUSE_BPF_IOC_MAGIC, 0x68, struct fuse_filter_attach)
#define FUSE_IOC_FILTER_DETACH	_IOW(FUSE_BPF_IOC_MAGIC, 0x69, struct fuse_filter_detach)
#define FUSE_IOC_FILTER_LIST	_IOWR(FUSE_BPF_IOC_MAGIC, 0x6a, struct fuse_filter_list)

#endif /* _UAPI_LINUX_FUSE_BPF_H */
