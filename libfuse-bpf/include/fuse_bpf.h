/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * libfuse-bpf: backed FUSE mounts and their filters.
 *
 * A backed mount answers in the kernel from a directory of another file system;
 * filters, which are BPF programs, decide request by request. This library makes
 * such mounts, loads, attaches, replaces, lists and detaches filters, and serves what
 * a filter wants to ask the daemon. It stands beside a stock libfuse, whose low-level
 * sessions serve the requests that reach the daemon, and uses libbpf to load filters.
 *
 * Unless said otherwise, functions return 0 or a positive value, or a negative
 * errno; errno itself is not kept. Where an errno says too little, one line of
 * text goes to the function set with fuse_bpf_set_log(). File descriptors that a
 * function returns are close-on-exec, and the caller's to close.
 *
 * Options come in structures with their own size in front, so that a library can
 * be newer or older than the program. Declare them with FUSE_BPF_OPTS(). NULL in
 * their place means all zero.
 */
#ifndef _FUSE_BPF_H
#define _FUSE_BPF_H

#include <linux/fuse_bpf.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FUSE_BPF_MAJOR_VERSION 0
#define FUSE_BPF_MINOR_VERSION 2

/* Of libbpf and libfuse, for those who use them too */
struct bpf_object;
struct fuse_lowlevel_ops;
struct fuse_session;

/**
 * FUSE_BPF_OPTS - declare and fill in an options structure
 * @type: name of the structure, without "struct"
 * @name: name of the variable
 *
 * Further arguments are designated initializers: FUSE_BPF_OPTS(
 * fuse_bpf_attach_opts, opts, .relative_id = 3). In C++, set members afterwards.
 */
#ifdef __cplusplus
#define FUSE_BPF_OPTS(type, name) \
	struct type name = {};	  \
	name.sz = sizeof(struct type)
#else
#define FUSE_BPF_OPTS(type, name, ...) \
	struct type name = { .sz = sizeof(struct type), __VA_ARGS__ }
#endif

/**
 * fuse_bpf_log_fn - takes a line that explains an error
 * @line: text without a newline, valid during the call
 * @arg: as given to fuse_bpf_set_log()
 */
typedef void (*fuse_bpf_log_fn)(const char *line, void *arg);

/**
 * fuse_bpf_set_log - say where explanations go
 * @fn: function to call, NULL: nowhere
 * @arg: handed to @fn
 *
 * By default they go to the standard error output. To be called before other
 * threads use the library.
 */
void fuse_bpf_set_log(fuse_bpf_log_fn fn, void *arg);

/**
 * enum fuse_bpf_flavour - which FUSE of the kernel
 * @FUSE_BPF_ANY: the first that has backed inodes: the module, then the kernel's own
 * @FUSE_BPF_MODULE: the module fuse_bpf, type "fuse_bpf", device /dev/fuse_bpf
 * @FUSE_BPF_BUILTIN: the kernel's own, type "fuse", device /dev/fuse
 */
enum fuse_bpf_flavour {
	FUSE_BPF_ANY = 0,
	FUSE_BPF_MODULE = 1,
	FUSE_BPF_BUILTIN = 2,
};

/**
 * fuse_bpf_fs_type - type of the file system of a flavour
 * @flavour: %FUSE_BPF_MODULE or %FUSE_BPF_BUILTIN
 *
 * Return: a constant string, NULL for another @flavour
 */
const char *fuse_bpf_fs_type(enum fuse_bpf_flavour flavour);

/**
 * fuse_bpf_device_path - device file of a flavour
 * @flavour: %FUSE_BPF_MODULE or %FUSE_BPF_BUILTIN
 *
 * Return: a constant string, NULL for another @flavour
 */
const char *fuse_bpf_device_path(enum fuse_bpf_flavour flavour);

/**
 * fuse_bpf_open_device - open the device of a FUSE that has backed inodes
 * @flavour: the one wanted, %FUSE_BPF_ANY to try all
 * @found: out: the one opened; may be NULL
 *
 * The descriptor belongs to no mount yet. Each device that will not do is
 * explained with a line.
 *
 * Return: a descriptor; -ENOENT no device file, -ENOTTY a device of a kernel
 * without backed inodes, -EINVAL no such flavour, or what open(2) failed with.
 * With %FUSE_BPF_ANY, the errno is that of the device that came closest.
 */
int fuse_bpf_open_device(enum fuse_bpf_flavour flavour, enum fuse_bpf_flavour *found);

/**
 * struct fuse_bpf_choice - which device was chosen, and why
 * @sz: size of this structure
 * @flavour: enum fuse_bpf_flavour of the device, %FUSE_BPF_ANY: none will do
 * @plain: 1: the device is of a FUSE without backed inodes, see
 *	%FUSE_BPF_MOUNT_FALLBACK
 * @path: device file, a constant string; NULL: none
 * @fs_type: type of its file system, a constant string; NULL: none
 * @query: what the kernel can do; all zero if it has no backed inodes
 * @errs: by flavour: why it was not taken, a negative errno; 0: it was, or was not
 *	looked at
 * @why: one sentence for a person
 */
struct fuse_bpf_choice {
	size_t sz;
	__u32 flavour;
	__u32 plain;
	const char *path;
	const char *fs_type;
	struct fuse_bpf_query query;
	__s32 errs[4];
	char why[256];
};

/**
 * fuse_bpf_choose_device - open a device, and say which it is and why
 * @flavour: the one wanted, %FUSE_BPF_ANY to try all
 * @plain: if no device has backed inodes, is one without them welcome?
 * @choice: out: what was chosen, also if that is none; may be NULL
 *
 * As fuse_bpf_open_device(), but nothing is written to the log: @choice->why has it.
 *
 * Return: a descriptor, or the errnos of fuse_bpf_open_device(); -EINVAL also if
 * @choice->sz is not set
 */
int fuse_bpf_choose_device(enum fuse_bpf_flavour flavour, int plain,
			   struct fuse_bpf_choice *choice);

/**
 * fuse_bpf_query - ask what the kernel can do
 * @fd: a FUSE device, mounted or not, or a directory of a backed mount
 * @query: out: the answer; what an older kernel does not know of is zero
 *
 * Return: 0, -ENOTTY the kernel does not know the request
 */
int fuse_bpf_query(int fd, struct fuse_bpf_query *query);

/**
 * fuse_bpf_op_isset - is an opcode in a set that the kernel returned?
 * @ops: fuse_bpf_query.backed_ops and its like
 * @opcode: enum fuse_opcode
 */
static inline int fuse_bpf_op_isset(const __u64 ops[2], unsigned int opcode)
{
	return opcode < 128 && (ops[opcode / 64] >> (opcode % 64)) & 1;
}

/**
 * fuse_bpf_opcode_name - name of an opcode
 * @opcode: enum fuse_opcode of <linux/fuse.h>, as of FUSE 7.46
 *
 * Return: a constant string without the prefix, like "LOOKUP"; NULL for a number
 * that is no opcode
 */
const char *fuse_bpf_opcode_name(unsigned int opcode);

/* fuse_bpf_mount_opts.flags */
#define FUSE_BPF_MOUNT_ALLOW_OTHER	   (1U << 0) /* others than the mount's owner */
#define FUSE_BPF_MOUNT_DEFAULT_PERMISSIONS (1U << 1) /* kernel checks modes, not the daemon */
#define FUSE_BPF_MOUNT_PLAIN		   (1U << 2) /* no backing: the root is the daemon's */
/*
 * If the kernel has no backed inodes, or refuses this backing, mount plainly. The
 * daemon must then serve everything, without the credentials and checks of a backed
 * mount and without filters: @choice says whether that is so.
 */
#define FUSE_BPF_MOUNT_FALLBACK		   (1U << 3)

/**
 * struct fuse_bpf_mount_opts - how to mount
 * @sz: size of this structure
 * @source: first column of /proc/mounts, NULL: the path of the backing
 * @flags: FUSE_BPF_MOUNT_*
 * @flavour: enum fuse_bpf_flavour
 * @backing_fd: the backing directory, if it is not given by its path; O_PATH will do
 * @mount_attrs: MOUNT_ATTR_* of <linux/mount.h>, like MOUNT_ATTR_RDONLY
 * @choice: out: which device the mount has, and why; may be NULL
 */
struct fuse_bpf_mount_opts {
	size_t sz;
	const char *source;
	__u32 flags;
	__u32 flavour;
	__s32 backing_fd;
	__u32 mount_attrs;
	struct fuse_bpf_choice *choice;
};

/**
 * fuse_bpf_fsmount - make a backed mount that is not yet in the file tree
 * @backing: path of the directory that answers, NULL: @opts->backing_fd; NULL also
 *	with %FUSE_BPF_MOUNT_PLAIN
 * @device_fd: out: descriptor from which the daemon reads its requests; NULL makes
 *	a mount without a daemon, which cannot be plain
 * @opts: may be NULL
 *
 * Nobody can see the mount before move_mount(2) puts it somewhere, so this is the
 * time to attach filters that must never be absent: fuse_bpf_attach() takes
 * @device_fd, or what comes of opening "." relative to the returned descriptor with
 * O_RDONLY|O_DIRECTORY. A filter that asks the daemon may have to be asked when the
 * latter is closed, and wait for a daemon that does not run yet. Closing the returned
 * descriptor instead undoes everything.
 *
 * What is in the backing is served with the credentials of the caller. A daemon
 * can hand @device_fd to libfuse by mounting its session on "/dev/fd/N".
 *
 * Return: a descriptor of the mount, for move_mount(2); -EPERM no CAP_SYS_ADMIN,
 * -ENOENT or -ENOTDIR no such directory, -ELOOP the backing is a backed mount or
 * stacked too deep, -EOPNOTSUPP the backing compares names by rules of its own,
 * -EINVAL unknown options, the errnos of fuse_bpf_open_device(), and those of
 * fsconfig(2). The kernel's own words on a refusal are passed on line by line. With
 * %FUSE_BPF_MOUNT_FALLBACK, only a mount without backing can fail, or what is no
 * refusal of the kernel: -EINVAL, -ENOENT, -ENOTDIR, -EPERM.
 */
int fuse_bpf_fsmount(const char *backing, int *device_fd, const struct fuse_bpf_mount_opts *opts);

/**
 * fuse_bpf_mount - make a backed mount and put it into the file tree
 * @backing: as for fuse_bpf_fsmount()
 * @mountpoint: directory that the mount will cover
 * @device_fd: as for fuse_bpf_fsmount()
 * @opts: may be NULL
 *
 * Return: 0, or the errnos of fuse_bpf_fsmount() and move_mount(2). After an error
 * nothing is mounted and @device_fd is not set.
 */
int fuse_bpf_mount(const char *backing, const char *mountpoint, int *device_fd,
		   const struct fuse_bpf_mount_opts *opts);

/**
 * fuse_bpf_open_mount - open the root of a backed mount to control it
 * @mountpoint: path of a backed mount
 *
 * Return: a descriptor of the mount's root directory; -ENOTTY that is no backed
 * mount, -EINVAL that is a directory inside one, or what open(2) failed with
 */
int fuse_bpf_open_mount(const char *mountpoint);

/**
 * struct fuse_bpf_backing_opts - what a backing serves
 * @sz: size of this structure
 * @flags: zero
 * @ops: bit N: it serves opcode N; all zero: all that it can. From
 *	fuse_bpf_query.backed_ops, %FUSE_BACKING_FILE_OPS and %FUSE_BACKING_NAME_OPS
 *	can be left out, each as a whole
 */
struct fuse_bpf_backing_opts {
	size_t sz;
	__u64 flags;
	__u64 ops[2];
};

/**
 * fuse_bpf_backing_open - register a backing for replies to name
 * @fd: device of the mount, like that of fuse_session_fd()
 * @backing_fd: file or directory, symbolic link or special file; O_PATH will do, and
 *	the descriptor can be closed afterwards
 * @opts: may be NULL
 *
 * The daemon must have chosen FUSE_PASSTHROUGH and a stack depth at INIT: in libfuse,
 * FUSE_CAP_PASSTHROUGH in fuse_conn_info.want and max_backing_stack_depth.
 *
 * Return: an id, for struct fuse_entry_backing_out; -EPERM no CAP_SYS_ADMIN, or the
 * daemon has not said that; -EBADF, -EINVAL @opts->ops cannot work or @backing_fd
 * has no path, -ELOOP on a backed mount or stacked too deep, -EOPNOTSUPP names are
 * compared by rules of the backing's own, or FUSE_WRITEBACK_CACHE was chosen, -ENODEV
 * unmounted, -ENOTTY no such FUSE
 */
int fuse_bpf_backing_open(int fd, int backing_fd, const struct fuse_bpf_backing_opts *opts);

/**
 * fuse_bpf_backing_close - forget the id of a backing
 * @fd: device of the mount
 * @id: id
 *
 * Nodes that it has been given to stay backed; later replies about them must say
 * %FUSE_BACKING_KEEP.
 *
 * Return: 0, -EPERM no CAP_SYS_ADMIN, -ENOENT no such id
 */
int fuse_bpf_backing_close(int fd, __u32 id);

/* Room that any reply of fuse_bpf_build_reply() fits into */
#define FUSE_BPF_REPLY_SIZE 256

/**
 * struct fuse_bpf_entry - a node, for fuse_bpf_build_reply()
 * @sz: size of this structure
 * @nodeid: node id, not 0
 * @generation: as for other FUSE nodes
 * @entry_timeout: seconds that the name is good
 * @attr_timeout: seconds that the attributes are good, if the node is not backed
 * @attr: attributes, of which a backed node has the type only
 * @is_open: reply to CREATE or TMPFILE: the three below are given
 * @open_flags: FOPEN_* of <linux/fuse.h>
 * @fh: file handle
 * @open_backing_id: with FOPEN_PASSTHROUGH
 */
struct fuse_bpf_entry {
	size_t sz;
	__u64 nodeid;
	__u64 generation;
	double entry_timeout;
	double attr_timeout;
	const struct stat *attr;
	__u32 is_open;
	__u32 open_flags;
	__u64 fh;
	__s64 open_backing_id;
};

/**
 * fuse_bpf_build_reply - build a reply that says what a node is backed by
 * @buf: out: what follows struct fuse_out_header
 * @size: of @buf, at least %FUSE_BPF_REPLY_SIZE
 * @entry: the node
 * @backing: what it is backed by; NULL: the reply is that of any FUSE daemon
 *
 * For daemons that do not use libfuse; <fuse_bpf_lowlevel.h> has it for those that do.
 *
 * Return: bytes in @buf; -EINVAL @size is too small or @entry incomplete
 */
int fuse_bpf_build_reply(void *buf, size_t size, const struct fuse_bpf_entry *entry,
			 const struct fuse_entry_backing_out *backing);

/**
 * fuse_bpf_open_dir - open a directory of any FUSE mount to control the mount
 * @path: path of a directory of a FUSE mount, backed or not
 *
 * The daemon of a mount that is not backed is asked to open the directory; if it
 * does not answer, this function does not return.
 *
 * Return: a descriptor of the directory; -ENOTTY the mount is of no FUSE, or of one
 * without filters, -EOPNOTSUPP filters are left out of this kernel, or what open(2)
 * failed with
 */
int fuse_bpf_open_dir(const char *path);

/**
 * struct fuse_bpf_attach_opts - where a filter is attached
 * @sz: size of this structure
 * @flags: %FUSE_FILTER_BEFORE, %FUSE_FILTER_AFTER, %FUSE_FILTER_FAIL_OPEN,
 *	%FUSE_FILTER_DIRECTORY, %FUSE_FILTER_BY_REPLY
 * @relative_id: attachment that the order refers to; 0: all of them
 */
struct fuse_bpf_attach_opts {
	size_t sz;
	__u32 flags;
	__u32 relative_id;
};

/**
 * fuse_bpf_attach - attach a filter to a mount, to a directory and all below it, or to
 * the nodes that replies name it for
 * @fd: mounted FUSE device, or a directory of the mount; with %FUSE_FILTER_DIRECTORY
 *	the directory that is meant
 * @filter_fd: BPF link or map of a struct fuse_filter_ops that is registered, which
 *	is what bpf_map__attach_struct_ops() of libbpf does
 * @id: out: id of the attachment, unique for the mount, never 0; may be NULL
 * @opts: may be NULL: the filter is the last that is asked, and when its link goes
 *	away, what it would have been asked about fails with EIO
 *
 * The mount keeps the filter's programs, but not its link: pin the link, or keep
 * it open.
 *
 * With %FUSE_FILTER_BY_REPLY, nothing is asked until the daemon puts @id into
 * fuse_entry_backing_out.filter_id of a reply, see fuse_bpf_build_reply(). Where the
 * kernel has no %FUSE_BPF_FILTER_REPLIES, this is -EINVAL.
 *
 * Return: 0; -EPERM no CAP_SYS_ADMIN, -EBADF @filter_fd is neither link nor map,
 * -EINVAL it is of another type, @fd is a device where a directory is needed, or the
 * flags do not go together,
 * -ENOENT it is not registered or there is no attachment @opts->relative_id, -EEXIST
 * it is attached to the same already, -ENOSPC %FUSE_FILTER_MAX filters are,
 * -EOPNOTSUPP the kernel has no filters, or the directory is on a mount that the
 * daemon made within its own
 */
int fuse_bpf_attach(int fd, int filter_fd, __u32 *id, const struct fuse_bpf_attach_opts *opts);

/**
 * struct fuse_bpf_filter - a filter that this process has loaded or found
 *
 * It is opened, loaded, registered and attached, in this order. The functions below
 * do what is missing of the steps before. To be used by one thread at a time.
 */
struct fuse_bpf_filter;

/**
 * fuse_bpf_filter_open - read a filter from an object file
 * @path: file made by clang -target bpf -g, with one struct fuse_filter_ops in it
 *
 * Nothing is in the kernel yet: variables, map sizes and pins can be set by
 * fuse_bpf_filter_object().
 *
 * Return: a filter for fuse_bpf_filter_free(), or NULL with errno set: ENOENT,
 * EACCES, ENOMEM, EINVAL the file holds no filter or several, or is no BPF object
 */
struct fuse_bpf_filter *fuse_bpf_filter_open(const char *path);

/**
 * fuse_bpf_filter_open_object - take the filter of an object that is open already
 * @obj: opened by libbpf, for example by a skeleton; loaded or not. It stays the
 *	caller's, and must outlive the filter
 *
 * Return: as fuse_bpf_filter_open()
 */
struct fuse_bpf_filter *fuse_bpf_filter_open_object(struct bpf_object *obj);

/**
 * fuse_bpf_filter_open_pinned - take a registered filter from its pin
 * @path: pin of its link in the BPF file system
 *
 * It can be attached and replaced, and replace no other.
 *
 * Return: as fuse_bpf_filter_open(); ENOENT no such pin, EINVAL it is of something else
 */
struct fuse_bpf_filter *fuse_bpf_filter_open_pinned(const char *path);

/**
 * fuse_bpf_filter_object - the object of a filter, for libbpf's functions
 * @filter: the filter
 *
 * Return: its object, NULL if it came from a pin
 */
struct bpf_object *fuse_bpf_filter_object(const struct fuse_bpf_filter *filter);

/**
 * fuse_bpf_filter_load - load programs and maps into the kernel
 * @filter: opened
 *
 * A refusal by the verifier is explained by the last lines of its log.
 *
 * Return: 0, also if they are loaded; -EPERM no CAP_BPF and CAP_SYS_ADMIN, -ESRCH or
 * -ENOENT the kernel has no struct fuse_filter_ops, or another errno of bpf(2)
 */
int fuse_bpf_filter_load(struct fuse_bpf_filter *filter);

/**
 * fuse_bpf_filter_register - make a filter known to FUSE
 * @filter: opened or loaded
 *
 * Return: a descriptor of its BPF link, which is not the caller's to close; -EINVAL
 * the kernel refuses its name, its flags, or that it has no callback, or the errnos of
 * fuse_bpf_filter_load()
 */
int fuse_bpf_filter_register(struct fuse_bpf_filter *filter);

/**
 * fuse_bpf_filter_attach - attach a filter, loaded and registered if need be
 * @filter: the filter
 * @fd: as for fuse_bpf_attach()
 * @id: likewise
 * @opts: likewise
 *
 * When @filter is freed, its link goes with it unless it is pinned, and what it
 * would have been asked about fails with EIO (or is let pass, as chosen in @opts).
 *
 * Return: as fuse_bpf_attach() and fuse_bpf_filter_register()
 */
int fuse_bpf_filter_attach(struct fuse_bpf_filter *filter, int fd, __u32 *id,
			   const struct fuse_bpf_attach_opts *opts);

/**
 * fuse_bpf_filter_replace - put one filter into the place of another, wherever it is
 * @filter: registered or from a pin; attachments, pins and link stay
 * @with: opened or loaded, and not registered; loaded if need be
 *
 * A request is asked about by the old callbacks or by the new ones, never by none.
 * Afterwards @filter has the object of @with, and @with that of @filter, so that it
 * can be freed.
 *
 * Return: 0; -EINVAL @filter is not registered or @with is, or what
 * fuse_bpf_filter_load() and bpf(2) fail with; after an error, @filter is as it was
 */
int fuse_bpf_filter_replace(struct fuse_bpf_filter *filter, struct fuse_bpf_filter *with);

/**
 * fuse_bpf_filter_pin - keep a filter registered when this process ends
 * @filter: the filter, registered if need be
 * @path: new file in a BPF file system, without dots; unlink(2) ends it
 *
 * Return: 0; -EEXIST, -EPERM @path is on no BPF file system, or what
 * fuse_bpf_filter_register() fails with
 */
int fuse_bpf_filter_pin(struct fuse_bpf_filter *filter, const char *path);

/**
 * fuse_bpf_filter_free - let go of a filter
 * @filter: may be NULL
 *
 * Unless it is pinned, it is registered no more.
 */
void fuse_bpf_filter_free(struct fuse_bpf_filter *filter);

/**
 * fuse_bpf_detach - detach a filter from a mount
 * @fd: mounted FUSE device, or a directory of the mount
 * @id: id of the attachment
 *
 * When it returns 0, no callback of the filter runs for the mount any more.
 *
 * Return: 0, -EPERM no CAP_SYS_ADMIN, -ENOENT no such attachment
 */
int fuse_bpf_detach(int fd, __u32 id);

/**
 * fuse_bpf_list - list the filters of a mount in the order in which they are asked,
 * and then those of its directories and those that replies bind
 * @fd: mounted FUSE device, or a directory of the mount
 * @filters: out: array of @nr elements, may be NULL if @nr is 0
 * @nr: elements in the array; %FUSE_FILTER_MAX is enough for the mount's own, and as
 *	many again for each directory that has filters
 *
 * Return: number of filters attached, of which at most @nr were written; -EPERM
 * neither the mount's owner nor CAP_SYS_ADMIN
 */
int fuse_bpf_list(int fd, struct fuse_filter_info *filters, __u32 nr);

/**
 * fuse_bpf_stats - who answered how often, by opcode
 * @fd: mounted FUSE device, or a directory of the mount
 * @ops: out: array of @nr elements, indexed by opcode; what the kernel does not
 *	count is zero
 * @nr: elements in the array; 128 is enough
 *
 * Return: number of opcodes that the kernel counts, of which at most @nr were
 * written; -EPERM neither the mount's owner nor CAP_SYS_ADMIN, -EOPNOTSUPP the
 * mount is not backed
 */
int fuse_bpf_stats(int fd, struct fuse_op_stats *ops, __u32 nr);

/**
 * struct fuse_bpf_backing_info - something that is held open on a backing
 * @sz: size of this structure
 * @id: as fuse_bpf_backing_open() returned it, 0: the root's
 * @refs: references to the registration
 * @inodes: inodes that it serves
 * @path: where it is now, in the view of the caller; valid during the call
 */
struct fuse_bpf_backing_info {
	size_t sz;
	__s32 id;
	__u32 refs;
	__u32 inodes;
	__u32 reserved;
	const char *path;
};

/**
 * fuse_bpf_backing_fn - takes one registration
 * @info: what it is
 * @arg: as given to fuse_bpf_for_each_backing()
 *
 * Return: 0 to go on; another value ends the walk
 */
typedef int (*fuse_bpf_backing_fn)(const struct fuse_bpf_backing_info *info, void *arg);

/**
 * fuse_bpf_for_each_backing - list the registrations of a mount
 * @fd: mounted FUSE device, or a directory of the mount
 * @fn: called for each
 * @arg: handed to @fn
 *
 * For a directory, the control file system must be mounted in its usual place,
 * /sys/fs/fuse_bpf/connections or /sys/fs/fuse/connections.
 *
 * Return: 0 or what @fn returned; -EACCES neither the mount's owner nor root, -ENOENT
 * no control file system, or a FUSE without backings, -ENOTTY @fd is of no FUSE
 */
int fuse_bpf_for_each_backing(int fd, fuse_bpf_backing_fn fn, void *arg);

/**
 * struct fuse_bpf_refusal - a reason for which the kernel did not use a backing
 * @name: of the reason, as the tracepoint fuse_backed_refused has it
 * @count: how often it was given on this mount
 */
struct fuse_bpf_refusal {
	char name[32];
	__u64 count;
};

/**
 * fuse_bpf_refusals - how often the kernel refused what the backing could have answered
 * @fd: mounted FUSE device, or a directory of the mount
 * @refusals: out: array of @nr elements, may be NULL if @nr is 0
 * @nr: elements in the array
 *
 * The control file system must be mounted, as for fuse_bpf_for_each_backing().
 *
 * Return: number of reasons, of which at most @nr were written; the errnos of
 * fuse_bpf_for_each_backing()
 */
int fuse_bpf_refusals(int fd, struct fuse_bpf_refusal *refusals, __u32 nr);

/**
 * struct fuse_bpf_ask - a request that a filter wants to ask the daemon about
 * @sz: size of this structure
 * @nodeid: of the directory where there is a name, else of the inode
 * @opcode: enum fuse_opcode of the request that is asked about
 * @phase: %FUSE_BPF_ASK_PRE or %FUSE_BPF_ASK_POST
 * @result: afterwards: what it ended with, a negative errno, or 0, or bytes or position
 * @uid: of the caller, as in other requests
 * @gid: likewise
 * @pid: likewise
 * @attr_valid: FATTR_* of those attributes that the request gives; 0: @attr is what
 *	was found or asked for
 * @name: NULL: none
 * @newname: of a rename; NULL: none
 * @text: name of an extended attribute, or target of a new link; NULL: none
 * @in: struct of the protocol that requests of @opcode have, NULL: not passed on
 * @in_size: bytes in it
 * @attr_size: bytes in @attr
 * @attr: struct fuse_attr of <linux/fuse.h>, NULL: none
 * @unique: of the request, for logs
 * @node_fd: with fuse_bpf_serve() and no operations of the caller's: O_PATH descriptor of
 *	the node in the backing, to be used and not closed; else -1
 * @reserved: zero
 *
 * All of it is valid until the handler returns. Bytes that the kernel did not send
 * are not there: no member points outside the request.
 */
struct fuse_bpf_ask {
	size_t sz;
	__u64 nodeid;
	__u32 opcode;
	__u32 phase;
	__s64 result;
	__u32 uid;
	__u32 gid;
	__u32 pid;
	__u32 attr_valid;
	const char *name;
	const char *newname;
	const char *text;
	const void *in;
	const void *attr;
	__u32 in_size;
	__u32 attr_size;
	__u64 unique;
	__s32 node_fd;
	__u32 reserved;
};

/**
 * fuse_bpf_ask_fn - decides about a request
 * @ask: what it is about
 * @arg: as given to fuse_bpf_session_new()
 *
 * It may run in several threads at a time. It must not use the mount that it decides
 * about: whoever holds a lock there may be waiting for the answer.
 *
 * Return: before the request: enum fuse_filter_verdict without flags, or a negative
 * errno to refuse it; afterwards: 0, or a negative errno in the place of the result.
 * Anything else refuses with EIO.
 */
typedef int (*fuse_bpf_ask_fn)(const struct fuse_bpf_ask *ask, void *arg);

/* fuse_bpf_handler.opcode: all that have no handler of their own */
#define FUSE_BPF_ALL_OPS (~0U)

/**
 * struct fuse_bpf_handler - who is asked about an opcode
 * @opcode: enum fuse_opcode or %FUSE_BPF_ALL_OPS; 0 ends the table
 * @pre: before the backing answers, NULL: refuse with EIO
 * @post: afterwards, likewise
 *
 * What a filter asks and nobody here knows is refused with EIO.
 */
struct fuse_bpf_handler {
	__u32 opcode;
	__u32 reserved;
	fuse_bpf_ask_fn pre;
	fuse_bpf_ask_fn post;
};

/* fuse_bpf_session_opts.flags */
#define FUSE_BPF_SESSION_TAKE_OVER (1U << 0) /* another daemon has had the connection */

/**
 * struct fuse_bpf_session_opts - what is done for a libfuse session
 * @sz: size of this structure
 * @flags: FUSE_BPF_SESSION_*
 * @handlers: table of those who are asked, ended by opcode 0; NULL: none. It must
 *	stay until fuse_bpf_session_free()
 * @arg: handed to handlers
 * @ask_threads: how many threads run handlers; 0: whoever reads the device, one at
 *	a time per thread of the session, so that handlers must not wait
 * @state_fd: from fuse_bpf_state_new(), to let another daemon take over; 0: none. It
 *	stays the caller's
 */
struct fuse_bpf_session_opts {
	size_t sz;
	__u32 flags;
	__u32 ask_threads;
	const struct fuse_bpf_handler *handlers;
	void *arg;
	__s32 state_fd;
	__u32 reserved;
};

/**
 * struct fuse_bpf_session - what this library adds to a session of libfuse
 */
struct fuse_bpf_session;

/**
 * fuse_bpf_session_new - give a device to a session of libfuse
 * @session: out: for fuse_bpf_session_free()
 * @se: from fuse_session_new(), not mounted. It stays the caller's
 * @device_fd: from fuse_bpf_mount(); after success it is @se's, which closes it in
 *	fuse_session_destroy()
 * @opts: may be NULL
 *
 * It takes the place of fuse_session_mount(). fuse_session_loop() and
 * fuse_session_loop_mt(), also with clone_fd, then serve the mount, and so do loops of
 * the caller's on fuse_session_fd() with fuse_session_receive_buf(). Without handlers and
 * state the session reads and writes the device itself; with them, requests are
 * read without splice(2).
 *
 * With %FUSE_BPF_SESSION_TAKE_OVER, libfuse is given the INIT request that the first
 * daemon got, and the kernel is not told what the new one answers: it must be the
 * same, or the session ends with -EPROTO before it has seen a request. Requests that
 * the old daemon had not answered are sent again. Node ids and file handles go on to
 * be those that the old one gave out: they must mean something to the new one.
 *
 * Return: 0; -EBADF, -EINVAL bad options or a wrong table, -ENODATA @opts->state_fd
 * holds no state, because the first daemon has not seen INIT, -EPROTO it holds
 * something else, -EMFILE @device_fd is a very high number, -ENOMEM
 */
int fuse_bpf_session_new(struct fuse_bpf_session **session, struct fuse_session *se, int device_fd,
			 const struct fuse_bpf_session_opts *opts);

/**
 * fuse_bpf_session_free - free what fuse_bpf_session_new() has made
 * @session: may be NULL
 *
 * Call it when the loop has ended, and before fuse_session_destroy(), whose last
 * requests are answered all the same. It waits for handlers that run.
 */
void fuse_bpf_session_free(struct fuse_bpf_session *session);

/**
 * fuse_bpf_session_run - serve a device with a session of libfuse and nothing else
 * @device_fd: from fuse_bpf_mount(); closed, whatever is returned
 * @ops: of libfuse
 * @ops_size: sizeof(struct fuse_lowlevel_ops)
 * @arg: user data for @ops
 *
 * One thread, without handlers, state and signal handlers: what a daemon does that
 * wants none of them. libfuse says on the standard error output what it does not like.
 *
 * Return: 0 it was unmounted, -EINVAL libfuse does not take the device or @ops,
 * -ENOMEM, or what reading the device failed with
 */
int fuse_bpf_session_run(int device_fd, const struct fuse_lowlevel_ops *ops, size_t ops_size,
			 void *arg);

/**
 * fuse_bpf_state_new - make a file for what another daemon needs to take over
 *
 * Return: a descriptor of a file in memory, to be kept and passed on together with
 * that of the device; or a negative errno
 */
int fuse_bpf_state_new(void);

/**
 * fuse_bpf_fdstore_put - let the service manager keep a descriptor
 * @name: for fuse_bpf_fdstore_get(): letters, digits and some more, no colon
 * @fd: descriptor; it stays the caller's
 *
 * The manager, systemd or another one that knows its protocol, gives it to the next
 * process that it starts for the service, whose unit must say FileDescriptorStoreMax=
 * and FileDescriptorStorePreserve=.
 *
 * Return: 0; -ENOENT there is no manager ($NOTIFY_SOCKET), -EINVAL a bad name, -EBADF, or
 * what sendmsg(2) fails with
 */
int fuse_bpf_fdstore_put(const char *name, int fd);

/**
 * fuse_bpf_fdstore_remove - have the service manager close what it keeps
 * @name: as given to fuse_bpf_fdstore_put(); all of this name
 *
 * To be called when the mount is gone. A device that is not mounted any more is let go of
 * by the manager itself, a state is not.
 *
 * Return: as fuse_bpf_fdstore_put()
 */
int fuse_bpf_fdstore_remove(const char *name);

/**
 * fuse_bpf_fdstore_get - find a descriptor that the service manager has kept
 * @name: as given to fuse_bpf_fdstore_put()
 *
 * Return: a descriptor, now close-on-exec; -ENOENT there is none of this name
 */
int fuse_bpf_fdstore_get(const char *name);

/**
 * fuse_bpf_send_connection - pass a connection to the next daemon
 * @sock: connected UNIX socket
 * @device_fd: device of the mount; it stays the caller's
 * @state_fd: from fuse_bpf_state_new(); it stays the caller's
 *
 * Return: 0, or what sendmsg(2) fails with
 */
int fuse_bpf_send_connection(int sock, int device_fd, int state_fd);

/**
 * fuse_bpf_recv_connection - take over a connection
 * @sock: connected UNIX socket
 * @device_fd: out: device of the mount
 * @state_fd: out: for fuse_bpf_session_opts
 *
 * Whoever is at the other end must be trusted.
 *
 * Return: 0; -EPROTO something else has come, -ENOTCONN the other end is closed, or
 * what recvmsg(2) fails with
 */
int fuse_bpf_recv_connection(int sock, int *device_fd, int *state_fd);

/* fuse_bpf_serve_opts.flags */
#define FUSE_BPF_SERVE_CLOSED	   (1U << 0) /* filter fails: mount, and refuse everything */
#define FUSE_BPF_SERVE_MULTITHREAD (1U << 1) /* several threads read requests */
#define FUSE_BPF_SERVE_SIGNALS	   (1U << 2) /* SIGTERM, SIGINT and SIGHUP end it */

/**
 * struct fuse_bpf_serve_opts - how to serve a directory
 * @sz: size of this structure
 * @flags: FUSE_BPF_SERVE_*
 * @mount_flags: FUSE_BPF_MOUNT_ALLOW_OTHER, FUSE_BPF_MOUNT_DEFAULT_PERMISSIONS
 * @mount_attrs: as in struct fuse_bpf_mount_opts
 * @flavour: enum fuse_bpf_flavour
 * @ask_threads: as in struct fuse_bpf_session_opts
 * @source: first column of /proc/mounts, NULL: the path of the backing
 * @filter_path: object file of the filter; NULL: @filter
 * @filter: the filter; NULL, too: one that asks about what @handlers has, and none if
 *	there are no handlers. It stays the caller's
 * @handlers: as in struct fuse_bpf_session_opts
 * @ops: of libfuse, for requests that the filter leaves to the daemon; NULL: only
 *	names and attributes, so that the kernel can name to handlers what it found
 *	itself
 * @ops_size: sizeof(struct fuse_lowlevel_ops)
 * @arg: handed to handlers, @ready, and as user data to @ops
 * @ready: called before the filter is there and the mount can be seen, with its root
 *	directory, from which it may read; NULL: nobody. A negative errno undoes the mount,
 *	and is returned. What needs the daemon waits for ever then, as it does not run yet
 * @keep: name under which the service manager keeps the connection, so that the next
 *	daemon takes it over; NULL: it ends with this one
 */
struct fuse_bpf_serve_opts {
	size_t sz;
	__u32 flags;
	__u32 mount_flags;
	__u32 mount_attrs;
	__u32 flavour;
	__u32 ask_threads;
	__u32 reserved;
	const char *source;
	const char *filter_path;
	struct fuse_bpf_filter *filter;
	const struct fuse_bpf_handler *handlers;
	const struct fuse_lowlevel_ops *ops;
	size_t ops_size;
	void *arg;
	int (*ready)(int root_fd, void *arg);
	const char *keep;
};

/**
 * fuse_bpf_serve - serve a directory until it is unmounted
 * @backing: path of the directory that answers
 * @mountpoint: directory that the mount will cover
 * @opts: may be NULL: no filter, and nobody is asked
 *
 * A filter with a map ask_ops like that of bpf/filters/ask.bpf.c is told to ask about
 * what there are handlers for. That one is taken from where filters are installed, or from
 * $FUSE_BPF_FILTER_DIR.
 *
 * The filter is attached before anybody can see the mount. If it cannot be, nothing is
 * mounted and its errno returned; with %FUSE_BPF_SERVE_CLOSED, a mount is there whose
 * every name is refused with EACCES, until it is unmounted, and -EKEYREJECTED is
 * returned then.
 *
 * With @opts->keep, the descriptors of the connection go to the service manager, see
 * fuse_bpf_fdstore_put(); if there is none, a line says so, and nothing is kept. A signal
 * then ends the daemon and not the mount. When the manager starts the next one, this
 * function takes over what it finds under the name, in the place of mounting:
 *
 * - @backing must be the same directory. @mountpoint, the options about the mount, and
 *   @opts->ready do not count, as the mount is there.
 * - The filter and handlers are those that the new daemon brings. From the end of the old
 *   one until they are attached, what its filter has callbacks for, with the one that asks
 *   for @handlers everything, is refused with EIO; requests that had been sent to the
 *   daemon wait for the new one.
 * - @opts->ops must answer INIT as before, else -EPROTO; and know the node ids that were
 *   given out before. Without @opts->ops, the library knows them, if the file system has
 *   handles and this process may open them (CAP_DAC_READ_SEARCH); else those nodes are
 *   ESTALE until they are looked up again.
 * - If the daemon before is still there, -EBUSY, and it goes on.
 *
 * After an error, what is kept stays, and so does the mount, for the next attempt.
 *
 * Return: 0 it was unmounted, or ended by a signal, when it unmounts itself unless it is
 * kept; -EOPNOTSUPP there are handlers, and the kernel asks no daemon; -EBUSY, -EPROTO see
 * above; -EINVAL also: what is kept is of another directory; -ENODATA it is not complete;
 * the errnos of fuse_bpf_mount(), fuse_bpf_filter_attach() and fuse_bpf_session_new()
 */
int fuse_bpf_serve(const char *backing, const char *mountpoint,
		   const struct fuse_bpf_serve_opts *opts);

#ifdef __cplusplus
}
#endif

#endif /* _FUSE_BPF_H */
