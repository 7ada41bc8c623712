// SPDX-License-Identifier: GPL-2.0-only
/*
 * FUSE filters: what a filter may call.
 *
 * None of these functions is a stable interface; see
 * Documentation/bpf/kfuncs.rst.
 */

#include "filter_attr.h"
#include "filter_redact.h"

#include <linux/bpf.h>
#include <linux/bpf_verifier.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/string.h>

static const struct bpf_struct_ops *fuse_filter_st_ops;

static struct fuse_filter_ctx_kern *fuse_filter_ctx_kern(struct fuse_filter_ctx *ctx)
{
	return container_of(ctx, struct fuse_filter_ctx_kern, ctx);
}

__bpf_kfunc_start_defs();

/**
 * bpf_fuse_ctx_name - the name that a call is about
 * @ctx: the callback's context
 * @rdonly_buf_size: bytes that the program wants to read, a constant; 256 is
 *		     enough for any name
 *
 * For the callbacks that deal with a name. It is one component of a path, as the
 * caller gave it or as the backing stores it; in a directory that folds case, what it
 * folds to. Bytes after it are zero.
 *
 * Return: @rdonly_buf_size bytes, valid until the callback returns; NULL if the
 * name and a terminating NUL do not fit, or if there is no name
 */
__bpf_kfunc const char *bpf_fuse_ctx_name(struct fuse_filter_ctx *ctx,
					  const size_t rdonly_buf_size)
{
	struct fuse_filter_ctx_kern *kctx = fuse_filter_ctx_kern(ctx);
	const struct qstr *name = kctx->name;

	if (!name || rdonly_buf_size > sizeof(kctx->name_buf) ||
	    name->len >= rdonly_buf_size)
		return NULL;

	/* What it folds to is there already */
	if (name->name != (const unsigned char *)kctx->name_buf)
		memcpy(kctx->name_buf, name->name, name->len);
	memset(kctx->name_buf + name->len, 0, rdonly_buf_size - name->len);
	return kctx->name_buf;
}

/**
 * bpf_fuse_ctx_read - copy bytes that go with a call
 * @ctx: the callback's context
 * @what: enum fuse_filter_data
 * @off: first byte wanted
 * @mem: where to; what is there after the end is zero
 * @mem__sz: bytes that fit
 *
 * Return: the size of the whole, however much of it was copied; -ENODATA the call
 * has none, -EINVAL no such @what
 */
__bpf_kfunc int bpf_fuse_ctx_read(struct fuse_filter_ctx *ctx, u32 what, u32 off,
				  void *mem, u32 mem__sz)
{
	const struct fuse_filter_ctx_kern *kctx = fuse_filter_ctx_kern(ctx);
	const struct fuse_filter_args *args = kctx->args;
	const struct qstr *name = NULL;
	const void *data = NULL;
	size_t size = 0, n = 0;

	switch (what) {
	case FUSE_FILTER_NAME:
		name = kctx->name;
		break;
	case FUSE_FILTER_NEWNAME:
		name = kctx->newname;
		break;
	case FUSE_FILTER_TEXT:
		data = args ? args->text : NULL;
		size = data ? strlen(data) : 0;
		break;
	case FUSE_FILTER_VALUE:
		data = args ? args->value : NULL;
		size = data ? args->value_len : 0;
		break;
	default:
		memset(mem, 0, mem__sz);
		return -EINVAL;
	}
	if (name) {
		data = name->name;
		size = name->len;
	}
	if (data && off < size) {
		n = min(size - off, mem__sz);
		memcpy(mem, data + off, n);
	}
	memset(mem + n, 0, mem__sz - n);
	return data ? size : -ENODATA;
}

/**
 * bpf_fuse_ctx_set_value - give the answer to a call
 * @ctx: the callback's context
 * @mem: the value
 * @mem__sz: bytes of it
 *
 * For &fuse_filter_ops.getxattr_post and &fuse_filter_ops.readlink_post. If the
 * call had failed, it has not any more.
 *
 * Return: 0, -ERANGE the caller's buffer is too small, -EINVAL an empty target of
 * a symbolic link or one with a NUL in it, or a link of the daemon's
 */
__bpf_kfunc int bpf_fuse_ctx_set_value(struct fuse_filter_ctx *ctx,
				       const void *mem, u32 mem__sz)
{
	struct fuse_filter_args *args = fuse_filter_ctx_kern(ctx)->args;

	if (!args || (!args->value_room && !args->value_probe))
		return -EINVAL;
	if (ctx->opcode == FUSE_READLINK &&
	    (!mem__sz || memchr(mem, 0, mem__sz)))
		return -EINVAL;
	if (!args->value_probe) {
		if (mem__sz > args->value_room)
			return -ERANGE;
		memcpy(args->value, mem, mem__sz);
	}
	args->value_len = mem__sz;
	args->value_set = true;
	return 0;
}

/**
 * bpf_fuse_ctx_attr - attributes that a call gives or returns
 * @ctx: the callback's context
 * @rdwr_buf_size: bytes that the program wants to use, a constant, at most the
 *		   size of struct fuse_filter_attr
 *
 * What may be changed is said at each callback. Any other change makes the
 * request fail with EIO.
 *
 * Return: the kernel's struct fuse_filter_attr, valid until the callback returns;
 * NULL if the call has none
 */
__bpf_kfunc u8 *bpf_fuse_ctx_attr(struct fuse_filter_ctx *ctx,
				  const size_t rdwr_buf_size)
{
	if (rdwr_buf_size > sizeof(struct fuse_filter_attr))
		return NULL;
	return (u8 *)fuse_filter_attr_give(fuse_filter_ctx_kern(ctx));
}

/**
 * bpf_fuse_ctx_statfs - statistics that a call returns
 * @ctx: the callback's context
 * @rdwr_buf_size: bytes that the program wants to use, a constant, at most the
 *		   size of struct fuse_kstatfs
 *
 * Return: the kernel's struct fuse_kstatfs, valid until the callback returns; NULL
 * if the call has none
 */
__bpf_kfunc u8 *bpf_fuse_ctx_statfs(struct fuse_filter_ctx *ctx,
				    const size_t rdwr_buf_size)
{
	struct fuse_filter_args *args = fuse_filter_ctx_kern(ctx)->args;

	if (!args || rdwr_buf_size > sizeof(*args->statfs))
		return NULL;
	return (u8 *)args->statfs;
}

/**
 * bpf_fuse_ctx_redact - let bytes read as zero
 * @ctx: the callback's context
 * @start: first byte of the file that does
 * @end: first byte after it that does not, %U64_MAX: all from @start on
 *
 * For &fuse_filter_ops.read. Ranges add up, also those of several filters. A
 * range that lies outside of what is being read is of no consequence. If ranges
 * are too many, the request fails with EIO.
 *
 * Return: 0, -EINVAL the range is empty, -ENOSPC there are %FUSE_FILTER_MAX_RANGES
 * apart from each other
 */
__bpf_kfunc int bpf_fuse_ctx_redact(struct fuse_filter_ctx *ctx, u64 start, u64 end)
{
	const struct fuse_filter_ctx_kern *kctx = fuse_filter_ctx_kern(ctx);
	const struct fuse_filter_io *io = kctx->in;

	if (start >= end)
		return -EINVAL;
	if (!kctx->args || !kctx->args->ranges)
		return -EINVAL;
	if (end <= io->offset || (start > io->offset && start - io->offset >= io->size))
		return 0;
	return fuse_filter_ranges_add(kctx->args->ranges, start, end);
}

/**
 * bpf_fuse_ctx_add_open_flags - open a file with more flags
 * @ctx: the callback's context
 * @flags: of %O_APPEND, %O_DSYNC, %O_SYNC, %O_NOATIME
 *
 * For &fuse_filter_ops.open. The caller sees them in F_GETFL.
 *
 * Return: 0, -EINVAL other flags, -EOPNOTSUPP the file is not backed
 */
__bpf_kfunc int bpf_fuse_ctx_add_open_flags(struct fuse_filter_ctx *ctx, u32 flags)
{
	struct fuse_filter_args *args = fuse_filter_ctx_kern(ctx)->args;

	if (flags & ~(O_APPEND | O_SYNC | O_NOATIME))
		return -EINVAL;
	if (!args || !args->add_open_flags)
		return -EOPNOTSUPP;
	*args->add_open_flags |= flags;
	return 0;
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(fuse_filter_kfunc_ids)
BTF_ID_FLAGS(func, bpf_fuse_ctx_name, KF_RET_NULL)
BTF_ID_FLAGS(func, bpf_fuse_ctx_read)
BTF_ID_FLAGS(func, bpf_fuse_ctx_set_value)
BTF_ID_FLAGS(func, bpf_fuse_ctx_attr, KF_RET_NULL)
BTF_ID_FLAGS(func, bpf_fuse_ctx_statfs, KF_RET_NULL)
BTF_ID_FLAGS(func, bpf_fuse_ctx_redact)
BTF_ID_FLAGS(func, bpf_fuse_ctx_add_open_flags)
BTF_KFUNCS_END(fuse_filter_kfunc_ids)

/* In the order of fuse_filter_kfuncs[]; the first is no function */
BTF_ID_LIST(fuse_filter_btf_ids)
BTF_ID(struct, fuse_filter_ops)
BTF_ID(func, bpf_fuse_ctx_name)
BTF_ID(func, bpf_fuse_ctx_read)
BTF_ID(func, bpf_fuse_ctx_set_value)
BTF_ID(func, bpf_fuse_ctx_attr)
BTF_ID(func, bpf_fuse_ctx_statfs)
BTF_ID(func, bpf_fuse_ctx_redact)
BTF_ID(func, bpf_fuse_ctx_add_open_flags)

#define MEMBER(name) BIT_ULL(offsetof(struct fuse_filter_ops, name) / sizeof(void *))

#define NAMED	(MEMBER(lookup) | MEMBER(symlink) | MEMBER(mknod) | MEMBER(mkdir) | \
		 MEMBER(unlink) | MEMBER(rmdir) | MEMBER(rename) | MEMBER(link) | \
		 MEMBER(create) | MEMBER(dirent) | MEMBER(lookup_post) | \
		 MEMBER(create_post) | MEMBER(pre) | MEMBER(post))
#define XATTRS	(MEMBER(setxattr) | MEMBER(getxattr) | MEMBER(removexattr) | \
		 MEMBER(xattr_name) | MEMBER(getxattr_post))

/* From which members each function may be called, by the members' positions */
static const u64 fuse_filter_kfuncs[] = {
	/* bpf_fuse_ctx_name */
	NAMED,
	/* bpf_fuse_ctx_read */
	NAMED | XATTRS | MEMBER(readlink_post),
	/* bpf_fuse_ctx_set_value */
	MEMBER(getxattr_post) | MEMBER(readlink_post),
	/* bpf_fuse_ctx_attr */
	MEMBER(setattr) | MEMBER(symlink) | MEMBER(mknod) | MEMBER(mkdir) |
		MEMBER(create) | MEMBER(getattr_post),
	/* bpf_fuse_ctx_statfs */
	MEMBER(statfs_post),
	/* bpf_fuse_ctx_redact */
	MEMBER(read),
	/* bpf_fuse_ctx_add_open_flags */
	MEMBER(open),
};

/*
 * In a module, ids were moved by the same distance, all of them, when its BTF was
 * loaded, but those in the list above were not. The id of the type that the
 * program implements tells how far.
 */
static u32 fuse_filter_id_as_built(const struct bpf_prog *prog, u32 id)
{
	return id - (prog->aux->attach_btf_id - fuse_filter_btf_ids[0]);
}

/*
 * Each function only from the callbacks that it makes sense in.
 *
 * Built into the kernel, this is asked about all functions that any struct_ops
 * program calls; in a module, only about the module's own.
 */
static int fuse_filter_kfunc_filter(const struct bpf_prog *prog, u32 kfunc_id)
{
	u64 member;
	size_t i;

	if (!__is_defined(MODULE) &&
	    !btf_id_set8_contains(&fuse_filter_kfunc_ids, kfunc_id))
		return 0;
	if (prog->type != BPF_PROG_TYPE_STRUCT_OPS)
		return -EACCES;
	/* ->st_ops is not set yet in the pass over the control flow graph */
	if (!prog->aux->st_ops)
		return 0;
	if (prog->aux->st_ops != fuse_filter_st_ops)
		return -EACCES;

	member = BIT_ULL(prog->aux->attach_st_ops_member_off / sizeof(void *));
	for (i = 0; i < ARRAY_SIZE(fuse_filter_kfuncs); i++) {
		if (fuse_filter_btf_ids[i + 1] == fuse_filter_id_as_built(prog, kfunc_id))
			return fuse_filter_kfuncs[i] & member ? 0 : -EACCES;
	}
	return -EACCES;
}

static const struct btf_kfunc_id_set fuse_filter_kfunc_set = {
	.owner	= THIS_MODULE,
	.set	= &fuse_filter_kfunc_ids,
	.filter	= fuse_filter_kfunc_filter,
};

/* Without BTF for this code, filters cannot be loaded */
bool fuse_filter_available(void)
{
	return fuse_filter_st_ops;
}

/**
 * fuse_filter_register_kfuncs - let filters call the functions above
 * @st_ops: the struct_ops type of filters
 *
 * Return: 0 or a negative errno
 */
int fuse_filter_register_kfuncs(const struct bpf_struct_ops *st_ops)
{
	fuse_filter_st_ops = st_ops;
	return register_btf_kfunc_id_set(BPF_PROG_TYPE_STRUCT_OPS,
					 &fuse_filter_kfunc_set);
}
