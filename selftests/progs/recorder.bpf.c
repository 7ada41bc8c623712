// SPDX-License-Identifier: GPL-2.0-only
/*
 * A filter with every callback there is, which writes down what each was told, and
 * does what a test's rule for it says.
 */
#include "fuse_filter.bpf.h"
#include "recorder.h"

/* The other build of this file, whose programs may sleep, sets this to ".s" */
#ifndef SLEEP
#define SLEEP ""
#endif

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RECORDER_SLOTS);
	__type(key, __u32);
	__type(value, struct recorder_rule);
} rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RECORDER_SLOTS);
	__type(key, __u32);
	__type(value, struct recorder_seen);
} seen SEC(".maps");

/* Tests make several filters use one of these, to see who was asked first */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} counter SEC(".maps");

/* struct call - what a callback works with */
struct call {
	struct fuse_filter_ctx *fctx;
	struct recorder_seen *seen;
	struct recorder_rule *rule;
	int ret;
};

static __always_inline bool begin(struct call *call, struct fuse_filter_ctx *fctx, __u32 phase)
{
	__u32 slot = phase + fctx->opcode, zero = 0;
	struct recorder_seen *s = bpf_map_lookup_elem(&seen, &slot);
	struct recorder_rule *rule = bpf_map_lookup_elem(&rules, &slot);
	__u64 *count = bpf_map_lookup_elem(&counter, &zero);

	if (!s || !rule || !count)
		return false;
	call->fctx = fctx;
	call->seen = s;
	call->rule = rule;
	call->ret = rule->ret;
	__sync_fetch_and_add(&s->calls, 1);
	s->order = __sync_fetch_and_add(count, 1) + 1;
	s->ctx.nodeid = fctx->nodeid;
	s->ctx.parent = fctx->parent;
	s->ctx.newparent = fctx->newparent;
	s->ctx.result = fctx->result;
	s->ctx.opcode = fctx->opcode;
	s->ctx.fsuid = fctx->fsuid;
	s->ctx.fsgid = fctx->fsgid;
	s->ctx.pid = fctx->pid;
	s->ctx.name_len = fctx->name_len;
	s->ctx.newname_len = fctx->newname_len;
	return true;
}

#define ATTR_FIELDS(DO) \
	DO(ino) DO(size) DO(blocks) DO(atime) DO(mtime) DO(ctime) DO(atimensec) \
	DO(mtimensec) DO(ctimensec) DO(mode) DO(nlink) DO(uid) DO(gid) DO(rdev) \
	DO(valid) DO(reserved)

#define STATFS_FIELDS(DO) \
	DO(blocks) DO(bfree) DO(bavail) DO(files) DO(ffree) DO(bsize) DO(namelen) DO(frsize)

static __always_inline void note_attr(struct call *call, const struct fuse_filter_attr *attr)
{
	struct recorder_attr *to = &call->seen->attr;

	call->seen->has_attr = 1;
#define NOTE(field) to->field = attr->field;
	ATTR_FIELDS(NOTE)
#undef NOTE
}

static __always_inline void use_attr(struct call *call)
{
	struct fuse_filter_attr *attr = fuse_filter_ctx_attr(call->fctx);
	const struct recorder_attr *new = &call->rule->attr;
	__u32 edit = call->rule->edit;

	call->seen->has_attr = 0;
	if (!attr)
		return;
	note_attr(call, attr);
	if (edit & RECORDER_MODE)
		attr->mode = new->mode;
	if (edit & RECORDER_UID)
		attr->uid = new->uid;
	if (edit & RECORDER_GID)
		attr->gid = new->gid;
	if (edit & RECORDER_ATIME) {
		attr->atime = new->atime;
		attr->atimensec = new->atimensec;
	}
	if (edit & RECORDER_MTIME) {
		attr->mtime = new->mtime;
		attr->mtimensec = new->mtimensec;
	}
	if (edit & RECORDER_CTIME) {
		attr->ctime = new->ctime;
		attr->ctimensec = new->ctimensec;
	}
	if (edit & RECORDER_SIZE)
		attr->size = new->size;
	if (edit & RECORDER_BLOCKS)
		attr->blocks = new->blocks;
	if (edit & RECORDER_NLINK)
		attr->nlink = new->nlink;
	if (edit & RECORDER_INO)
		attr->ino = new->ino;
	if (edit & RECORDER_RDEV)
		attr->rdev = new->rdev;
	if (edit & RECORDER_VALID)
		attr->valid &= ~new->valid;
	if (edit & RECORDER_RESERVED)
		attr->reserved = new->reserved;
}

static __always_inline void use_statfs(struct call *call)
{
	struct fuse_kstatfs *st = fuse_filter_ctx_statfs(call->fctx);
	const struct recorder_statfs *new = &call->rule->statfs;
	struct recorder_statfs *to = &call->seen->statfs;

	if (!st)
		return;
#define NOTE(field) to->field = st->field;
	STATFS_FIELDS(NOTE)
#undef NOTE
	if (!(call->rule->edit & RECORDER_STATFS))
		return;
#define SET(field) st->field = new->field;
	STATFS_FIELDS(SET)
#undef SET
}

static __always_inline void note_name(struct call *call)
{
	const char *name = bpf_fuse_ctx_name(call->fctx, FUSE_FILTER_NAME_SIZE);

	if (name)
		__builtin_memcpy(call->seen->name, name, sizeof(call->seen->name));
	else
		__builtin_memset(call->seen->name, 0, sizeof(call->seen->name));
}

static __always_inline void note_newname(struct call *call)
{
	bpf_fuse_ctx_read(call->fctx, FUSE_FILTER_NEWNAME, 0, call->seen->newname,
			  sizeof(call->seen->newname));
}

static __always_inline void note_text(struct call *call)
{
	struct recorder_seen *s = call->seen;

	s->text_len = bpf_fuse_ctx_read(call->fctx, FUSE_FILTER_TEXT, 0, s->text,
					sizeof(s->text));
}

static __always_inline void note_value(struct call *call)
{
	struct recorder_seen *s = call->seen;

	s->value_len = bpf_fuse_ctx_read(call->fctx, FUSE_FILTER_VALUE, 0, s->value,
					 sizeof(s->value));
}

static __always_inline void use_value(struct call *call)
{
	__u32 len = call->rule->value_len;

	note_value(call);
	if (!(call->rule->edit & RECORDER_VALUE) || len > RECORDER_TEXT)
		return;
	call->seen->kfunc = bpf_fuse_ctx_set_value(call->fctx, call->rule->value, len);
}

static __always_inline void use_open_flags(struct call *call)
{
	__u32 flags = call->rule->open_flags;

	call->seen->kfunc = flags ? bpf_fuse_ctx_add_open_flags(call->fctx, flags) : 0;
}

static __always_inline void match_text(struct call *call)
{
	const char *match = call->rule->match;

	note_text(call);
	if (match[0] && __builtin_memcmp(match, call->seen->text, RECORDER_TEXT))
		call->ret = FUSE_FILTER_DEFAULT;
}

static __always_inline void do_nothing(struct call *call)
{
}

/* A member without a second argument; DO is done besides writing down the context */
#define MEMBER(what, sleep, phase, DO)						\
SEC("struct_ops" sleep "/" #what)							\
int BPF_PROG(recorder_##what, struct fuse_filter_ctx *fctx)				\
{											\
	struct call call;								\
											\
	if (!begin(&call, fctx, phase))							\
		return -EIO;								\
	__builtin_memcpy(call.seen->member, #what, sizeof(#what));			\
	DO(&call);									\
	return call.ret;								\
}

/* A member with one, whose fields FIELDS writes down */
#define MEMBER_IN(what, sleep, phase, type, FIELDS, DO)				\
SEC("struct_ops" sleep "/" #what)							\
int BPF_PROG(recorder_##what, struct fuse_filter_ctx *fctx, const struct type *in)	\
{											\
	struct call call;								\
	__u64 *to;									\
											\
	if (!begin(&call, fctx, phase))							\
		return -EIO;								\
	__builtin_memcpy(call.seen->member, #what, sizeof(#what));			\
	to = call.seen->in;								\
	FIELDS										\
	DO(&call);									\
	return call.ret;								\
}

#define PRE(what, DO)			MEMBER(what, SLEEP, 0, DO)
#define PRE_ATOMIC(what, DO)		MEMBER(what, "", 0, DO)
#define POST(what, DO)		MEMBER(what, SLEEP, RECORDER_OPS, DO)
#define POST_ATOMIC(what, DO)		MEMBER(what, "", RECORDER_OPS, DO)
#define PRE_IN(what, ...)		MEMBER_IN(what, SLEEP, 0, __VA_ARGS__)
#define PRE_IN_ATOMIC(what, ...)	MEMBER_IN(what, "", 0, __VA_ARGS__)
#define POST_IN(what, ...)		MEMBER_IN(what, SLEEP, RECORDER_OPS, __VA_ARGS__)
#define POST_IN_ATOMIC(what, ...)	MEMBER_IN(what, "", RECORDER_OPS, __VA_ARGS__)

#define F(n, field) to[n] = in->field;
#define IO F(0, offset) F(1, size) F(2, flags)
#define LK F(0, lk.start) F(1, lk.end) F(2, lk.type) F(3, lk_flags)
#define COPY F(0, off_in) F(1, nodeid_out) F(2, off_out) F(3, len) F(4, flags)
#define LSEEK F(0, offset) F(1, whence)

#define name_and_attr(call) do { note_name(call); use_attr(call); } while (0)
#define name_text_and_attr(call) do { name_and_attr(call); note_text(call); } while (0)
#define names(call) do { note_name(call); note_newname(call); } while (0)
#define text_and_value(call) do { note_text(call); note_value(call); } while (0)
#define text_and_answer(call) do { note_text(call); use_value(call); } while (0)
#define name_and_found(call) do { note_name(call); note_attr(call, attr); } while (0)

PRE(lookup, note_name)
PRE(getattr, do_nothing)
PRE(setattr, use_attr)
PRE(readlink, do_nothing)
PRE(symlink, name_text_and_attr)
PRE_IN(mknod, fuse_mknod_in, F(0, mode) F(1, rdev), name_and_attr)
PRE_IN(mkdir, fuse_mkdir_in, F(0, mode), name_and_attr)
PRE(unlink, note_name)
PRE(rmdir, note_name)
PRE_IN(rename, fuse_rename2_in, F(0, newdir) F(1, flags), names)
PRE_IN(link, fuse_link_in, F(0, oldnodeid), note_name)
PRE_IN(open, fuse_open_in, F(0, flags), use_open_flags)
PRE_IN(opendir, fuse_open_in, F(0, flags), do_nothing)
PRE_IN(create, fuse_create_in, F(0, flags) F(1, mode), name_and_attr)
PRE_IN_ATOMIC(read, fuse_filter_io, IO, do_nothing)
PRE_IN_ATOMIC(write, fuse_filter_io, IO, do_nothing)
PRE_IN_ATOMIC(mmap, fuse_filter_mmap, F(0, offset) F(1, size) F(2, prot) F(3, flags), do_nothing)
PRE(statfs, do_nothing)
PRE(syncfs, do_nothing)
PRE_IN(fsync, fuse_fsync_in, F(0, fsync_flags), do_nothing)
PRE(flush, do_nothing)
PRE_ATOMIC(release, do_nothing)
PRE_IN(setxattr, fuse_setxattr_in, F(0, size) F(1, flags), text_and_value)
PRE_IN(getxattr, fuse_getxattr_in, F(0, size), note_text)
PRE_IN(listxattr, fuse_getxattr_in, F(0, size), do_nothing)
PRE(removexattr, note_text)
PRE_ATOMIC(xattr_name, match_text)
PRE_IN(readdir, fuse_filter_io, F(0, offset), do_nothing)
PRE_IN_ATOMIC(dirent, fuse_filter_dirent, F(0, ino) F(1, type), note_name)
PRE_IN(lock, fuse_lk_in, LK, do_nothing)
PRE_IN(permission, fuse_access_in, F(0, mask), do_nothing)
PRE_IN(ioctl, fuse_ioctl_in, F(0, cmd), do_nothing)
PRE_IN(poll, fuse_poll_in, F(0, events), do_nothing)
PRE_IN(bmap, fuse_bmap_in, F(0, block) F(1, blocksize), do_nothing)
PRE_IN(fallocate, fuse_fallocate_in, F(0, offset) F(1, length) F(2, mode), do_nothing)
PRE_IN(lseek, fuse_lseek_in, LSEEK, do_nothing)
PRE_IN(copy_file_range, fuse_copy_file_range_in, COPY, do_nothing)
PRE_ATOMIC(pre, note_name)

SEC("struct_ops" SLEEP "/lookup_post")
int BPF_PROG(recorder_lookup_post, struct fuse_filter_ctx *fctx,
	     const struct fuse_filter_attr *attr)
{
	struct call call;

	if (!begin(&call, fctx, RECORDER_OPS))
		return -EIO;
	__builtin_memcpy(call.seen->member, "lookup_post", sizeof("lookup_post"));
	name_and_found(&call);
	return call.ret;
}

POST(getattr_post, use_attr)
POST(readlink_post, use_value)
POST(create_post, note_name)
POST(open_post, do_nothing)
POST_IN_ATOMIC(read_post, fuse_filter_io, IO, do_nothing)
POST_IN_ATOMIC(write_post, fuse_filter_io, IO, do_nothing)
POST(statfs_post, use_statfs)
POST(getxattr_post, text_and_answer)
POST(listxattr_post, do_nothing)
POST_IN(lock_post, fuse_lk_in, LK, do_nothing)
POST_IN(lseek_post, fuse_lseek_in, LSEEK, do_nothing)
POST_IN(copy_file_range_post, fuse_copy_file_range_in, COPY, do_nothing)
POST_IN(ioctl_post, fuse_ioctl_in, F(0, cmd), do_nothing)
POST_ATOMIC(post, note_name)

#define M(what) .what = (void *)recorder_##what,

#define PREFILTERS									\
	M(lookup) M(getattr) M(setattr) M(readlink) M(symlink) M(mknod) M(mkdir)	\
	M(unlink) M(rmdir) M(rename) M(link) M(open) M(opendir) M(create) M(read)	\
	M(write) M(mmap) M(statfs) M(syncfs) M(fsync) M(flush) M(release) M(setxattr)	\
	M(getxattr) M(listxattr) M(removexattr) M(xattr_name) M(readdir) M(dirent)	\
	M(lock) M(permission) M(ioctl) M(poll) M(bmap) M(fallocate) M(lseek)		\
	M(copy_file_range) M(pre)

#define POSTFILTERS									\
	M(lookup_post) M(getattr_post) M(readlink_post) M(create_post) M(open_post)	\
	M(read_post) M(write_post) M(statfs_post) M(getxattr_post) M(listxattr_post)	\
	M(lock_post) M(lseek_post) M(copy_file_range_post) M(ioctl_post) M(post)

/* All members */
SEC(".struct_ops.link")
struct fuse_filter_ops recorder = {
	PREFILTERS
	POSTFILTERS
	.name = "recorder",
};

/* Those for any request, and no others */
SEC(".struct_ops.link")
struct fuse_filter_ops generic = {
	M(pre)
	M(post)
	.name = "generic",
};

/* As the first, where names are told as they fold */
SEC(".struct_ops.link")
struct fuse_filter_ops folded = {
	PREFILTERS
	POSTFILTERS
	.name = "folded",
	.flags = FUSE_FILTER_FOLDED_NAMES,
};

/* Postfilters for failures, and no prefilters */
SEC(".struct_ops.link")
struct fuse_filter_ops failures = {
	POSTFILTERS
	.name = "failures",
	.flags = FUSE_FILTER_POST_ERRORS,
};

char LICENSE[] SEC("license") = "GPL";
