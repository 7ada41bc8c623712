// SPDX-License-Identifier: GPL-2.0-only
/*
 * FUSE filters: what a filter may call.
 *
 * None of these functions is a stable interface; see
 * Documentation/bpf/kfuncs.rst.
 */

#include "filter.h"

#include <linux/bpf.h>
#include <linux/bpf_verifier.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/string.h>

static const struct bpf_struct_ops *fuse_filter_st_ops;

__bpf_kfunc_start_defs();

/**
 * bpf_fuse_ctx_name - the name that a call is about
 * @ctx: the callback's context
 * @rdonly_buf_size: bytes that the program wants to read, a constant; 256 is
 *		     enough for any name
 *
 * For &fuse_filter_ops.lookup and &fuse_filter_ops.dirent. The name is one
 * component of a path, as the caller gave it or as the backing stores it. Bytes
 * after it are zero.
 *
 * Return: @rdonly_buf_size bytes, valid until the callback returns; NULL if the
 * name and a terminating NUL do not fit, or if there is no name
 */
__bpf_kfunc const char *bpf_fuse_ctx_name(struct fuse_filter_ctx *ctx,
					  const size_t rdonly_buf_size)
{
	struct fuse_filter_ctx_kern *kctx =
		container_of(ctx, struct fuse_filter_ctx_kern, ctx);
	const struct qstr *name = kctx->name;

	if (!name || rdonly_buf_size > sizeof(kctx->name_buf) ||
	    name->len >= rdonly_buf_size)
		return NULL;

	memcpy(kctx->name_buf, name->name, name->len);
	memset(kctx->name_buf + name->len, 0, rdonly_buf_size - name->len);
	return kctx->name_buf;
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(fuse_filter_kfunc_ids)
BTF_ID_FLAGS(func, bpf_fuse_ctx_name, KF_RET_NULL)
BTF_KFUNCS_END(fuse_filter_kfunc_ids)

/*
 * Each function only from the callbacks that it makes sense in.
 *
 * Built into the kernel, this is asked about all functions that any struct_ops
 * program calls. In a module, it is asked only about the module's own, and by ids
 * that were relocated when the module was loaded, which the set does not have.
 */
static int fuse_filter_kfunc_filter(const struct bpf_prog *prog, u32 kfunc_id)
{
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

	switch (prog->aux->attach_st_ops_member_off) {
	case offsetof(struct fuse_filter_ops, lookup):
	case offsetof(struct fuse_filter_ops, dirent):
		return 0;
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
