// SPDX-License-Identifier: GPL-2.0-only
/*
 * FUSE filters: the struct_ops type.
 *
 * A struct fuse_filter_ops map is a filter that exists; its BPF link keeps it
 * so. Attaching the filter to a mount is another step, for which the file
 * descriptor of the link or of the map is shown to FUSE, see filter.c. A mount
 * that a filter is attached to keeps a reference to the map: callbacks stay
 * callable, though they are not called any more, when the link goes away.
 */

#include "filter.h"

#include <linux/bpf.h>
#include <linux/bpf_verifier.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/cleanup.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>

/*
 * Protects the list of registered filters, their users, and the chains of all
 * connections. Nests inside the mutex that struct_ops holds for registration:
 * do not put a link or patch code while holding it.
 */
DEFINE_MUTEX(fuse_filter_mutex);
LIST_HEAD(fuse_filter_regs);

/* A callback: where it is in the struct, and the opcodes that it is for */
struct fuse_filter_member {
	u32 offset;
	bool post;
	bool may_sleep;
	u64 ops;
};

#define OP(name) BIT_ULL(FUSE_##name)
#define PRE(member, ops, may_sleep) \
	{ offsetof(struct fuse_filter_ops, member), false, may_sleep, ops }
#define POST(member, ops, may_sleep) \
	{ offsetof(struct fuse_filter_ops, member), true, may_sleep, ops }

#define OPS_LOCK	(OP(GETLK) | OP(SETLK) | OP(SETLKW))
#define OPS_COPY	(OP(COPY_FILE_RANGE) | OP(COPY_FILE_RANGE_64))
#define OPS_MAKE	(OP(SYMLINK) | OP(MKNOD) | OP(MKDIR) | OP(LINK) | \
			 OP(CREATE) | OP(TMPFILE))

static const struct fuse_filter_member fuse_filter_members[] = {
	PRE(lookup,		OP(LOOKUP),				true),
	PRE(getattr,		OP(GETATTR),				true),
	PRE(setattr,		OP(SETATTR),				true),
	PRE(readlink,		OP(READLINK),				true),
	PRE(symlink,		OP(SYMLINK),				true),
	PRE(mknod,		OP(MKNOD),				true),
	PRE(mkdir,		OP(MKDIR),				true),
	PRE(unlink,		OP(UNLINK),				true),
	PRE(rmdir,		OP(RMDIR),				true),
	PRE(rename,		OP(RENAME) | OP(RENAME2),		true),
	PRE(link,		OP(LINK),				true),
	PRE(open,		OP(OPEN),				true),
	PRE(opendir,		OP(OPENDIR),				true),
	PRE(create,		OP(CREATE) | OP(TMPFILE),		true),
	PRE(read,		OP(READ),				false),
	PRE(write,		OP(WRITE),				false),
	PRE(mmap,		OP(FILTER_OP_MMAP),			false),
	PRE(statfs,		OP(STATFS),				true),
	PRE(syncfs,		OP(SYNCFS),				true),
	PRE(fsync,		OP(FSYNC) | OP(FSYNCDIR),		true),
	PRE(flush,		OP(FLUSH),				true),
	PRE(release,		OP(RELEASE) | OP(RELEASEDIR),		false),
	PRE(setxattr,		OP(SETXATTR),				true),
	PRE(getxattr,		OP(GETXATTR),				true),
	PRE(listxattr,		OP(LISTXATTR),				true),
	PRE(removexattr,	OP(REMOVEXATTR),			true),
	PRE(xattr_name,		OP(FILTER_OP_XATTR_NAME),		false),
	PRE(readdir,		OP(READDIR) | OP(READDIRPLUS),		true),
	PRE(dirent,		OP(FILTER_OP_DIRENT),			false),
	PRE(lock,		OPS_LOCK,				true),
	PRE(permission,		OP(ACCESS),				true),
	PRE(ioctl,		OP(IOCTL),				true),
	PRE(poll,		OP(POLL),				true),
	PRE(bmap,		OP(BMAP),				true),
	PRE(fallocate,		OP(FALLOCATE),				true),
	PRE(lseek,		OP(LSEEK),				true),
	PRE(copy_file_range,	OPS_COPY,				true),
	POST(lookup_post,	OP(LOOKUP),				true),
	POST(getattr_post,	OP(GETATTR),				true),
	POST(readlink_post,	OP(READLINK),				true),
	POST(create_post,	OPS_MAKE,				true),
	POST(open_post,		OP(OPEN) | OP(OPENDIR),			true),
	POST(read_post,		OP(READ),				false),
	POST(write_post,	OP(WRITE),				false),
	POST(statfs_post,	OP(STATFS),				true),
	POST(getxattr_post,	OP(GETXATTR),				true),
	POST(listxattr_post,	OP(LISTXATTR),				true),
	POST(lock_post,		OPS_LOCK,				true),
	POST(lseek_post,	OP(LSEEK),				true),
	POST(copy_file_range_post, OPS_COPY,				true),
	POST(ioctl_post,	OP(IOCTL),				true),
};

/* Not among them: no reply, of the connection, DAX, asked about as GETATTR */
#define OPS_ALL		(GENMASK_ULL(FUSE_COPY_FILE_RANGE_64, FUSE_LOOKUP) & \
			 ~(OP(FORGET) | OP(BATCH_FORGET) | OP(INIT) | \
			   OP(DESTROY) | OP(INTERRUPT) | OP(NOTIFY_REPLY) | \
			   OP(SETUPMAPPING) | OP(REMOVEMAPPING) | OP(STATX) | \
			   BIT_ULL(7) | BIT_ULL(19)))

/* For all opcodes that the filter has no callback of their own for */
static const struct fuse_filter_member fuse_filter_generic[] = {
	PRE(pre,	OPS_ALL,					false),
	POST(post,	OPS_ALL & ~(OP(RELEASE) | OP(RELEASEDIR)),	false),
};

static const struct fuse_filter_member *
fuse_filter_find_member(const struct fuse_filter_member *members, size_t nr,
			u32 offset)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		if (members[i].offset == offset)
			return &members[i];
	}
	return NULL;
}

static const struct fuse_filter_member *fuse_filter_member(u32 offset)
{
	return fuse_filter_find_member(fuse_filter_members,
				       ARRAY_SIZE(fuse_filter_members), offset) ?:
	       fuse_filter_find_member(fuse_filter_generic,
				       ARRAY_SIZE(fuse_filter_generic), offset);
}

/**
 * fuse_filter_all_ops - opcodes that a filter can have a callback for
 * @masks: filled in
 */
void fuse_filter_all_ops(struct fuse_filter_masks *masks)
{
	size_t i;

	*masks = (struct fuse_filter_masks) {
		.pre = fuse_filter_generic[0].ops,
		.post = fuse_filter_generic[1].ops,
	};
	for (i = 0; i < ARRAY_SIZE(fuse_filter_members); i++) {
		if (!fuse_filter_members[i].post)
			masks->pre |= fuse_filter_members[i].ops;
	}
}

static struct fuse_filter_reg *fuse_filter_find(const struct bpf_link *link,
						const struct bpf_map *map)
{
	const struct fuse_filter_prog *prog;
	struct fuse_filter_reg *reg;

	lockdep_assert_held(&fuse_filter_mutex);

	list_for_each_entry(reg, &fuse_filter_regs, list) {
		prog = rcu_dereference_protected(reg->prog,
						 lockdep_is_held(&fuse_filter_mutex));
		if (link ? reg->link == link :
			   bpf_struct_ops_id(prog->ops) == map->id) {
			reg->users++;
			return reg;
		}
	}
	return ERR_PTR(-ENOENT);
}

static struct fuse_filter_reg *fuse_filter_find_link(struct bpf_link *link)
{
	struct fuse_filter_reg *reg = ERR_PTR(-EINVAL);

	if (link->type == BPF_LINK_TYPE_STRUCT_OPS) {
		scoped_guard(mutex, &fuse_filter_mutex)
			reg = fuse_filter_find(link, NULL);
	}
	bpf_link_put(link);
	return reg;
}

/**
 * fuse_filter_reg_get - the registered filter that a file descriptor stands for
 * @fd: of a BPF link or map
 *
 * Return: the filter with a reference for the caller; an error pointer: -EBADF
 * neither link nor map, -EINVAL of another type, -ENOENT not a registered filter
 */
struct fuse_filter_reg *fuse_filter_reg_get(int fd)
{
	struct fuse_filter_reg *reg = ERR_PTR(-EINVAL);
	struct bpf_link *link;
	struct bpf_map *map;

	link = bpf_link_get_from_fd(fd);
	if (!IS_ERR(link))
		return fuse_filter_find_link(link);

	map = bpf_map_get(fd);
	if (IS_ERR(map))
		return ERR_PTR(-EBADF);
	if (map->map_type == BPF_MAP_TYPE_STRUCT_OPS) {
		/* Ids are reused, but not while this reference is held */
		scoped_guard(mutex, &fuse_filter_mutex)
			reg = fuse_filter_find(NULL, map);
	}
	bpf_map_put(map);
	return reg;
}

static void fuse_filter_prog_free(struct fuse_filter_prog *prog)
{
	bpf_struct_ops_put(prog->ops);
	kfree(prog);
}

/**
 * fuse_filter_reg_put - drop a reference to a registered filter
 * @reg: the filter, whose callbacks the caller has seen run to their end
 *
 * Context: fuse_filter_mutex is held.
 */
void fuse_filter_reg_put(struct fuse_filter_reg *reg)
{
	lockdep_assert_held(&fuse_filter_mutex);

	if (--reg->users)
		return;
	fuse_filter_prog_free(rcu_dereference_protected(reg->prog, true));
	kfree(reg);
}

/* Never called; the verifier and CFI take the callbacks' prototypes from them */
static int fuse_filter_stub(struct fuse_filter_ctx *ctx)
{
	return FUSE_FILTER_DEFAULT;
}

static int fuse_filter_stub_mknod(struct fuse_filter_ctx *ctx,
				  const struct fuse_mknod_in *in)
{
	return FUSE_FILTER_DEFAULT;
}

static int fuse_filter_stub_mkdir(struct fuse_filter_ctx *ctx,
				  const struct fuse_mkdir_in *in)
{
	return FUSE_FILTER_DEFAULT;
}

static int fuse_filter_stub_rename2(struct fuse_filter_ctx *ctx,
				    const struct fuse_rename2_in *in)
{
	return FUSE_FILTER_DEFAULT;
}

static int fuse_filter_stub_link(struct fuse_filter_ctx *ctx,
				 const struct fuse_link_in *in)
{
	return FUSE_FILTER_DEFAULT;
}

static int fuse_filter_stub_open(struct fuse_filter_ctx *ctx,
				 const struct fuse_open_in *in)
{
	return FUSE_FILTER_DEFAULT;
}

static int fuse_filter_stub_create(struct fuse_filter_ctx *ctx,
				   const struct fuse_create_in *in)
{
	return FUSE_FILTER_DEFAULT;
}

static int fuse_filter_stub_io(struct fuse_filter_ctx *ctx,
			       const struct fuse_filter_io *in)
{
	return FUSE_FILTER_DEFAULT;
}

static int fuse_filter_stub_mmap(struct fuse_filter_ctx *ctx,
				 const struct fuse_filter_mmap *in)
{
	return FUSE_FILTER_DEFAULT;
}

static int fuse_filter_stub_fsync(struct fuse_filter_ctx *ctx,
				  const struct fuse_fsync_in *in)
{
	return FUSE_FILTER_DEFAULT;
}

static int fuse_filter_stub_setxattr(struct fuse_filter_ctx *ctx,
				     const struct fuse_setxattr_in *in)
{
	return FUSE_FILTER_DEFAULT;
}

static int fuse_filter_stub_getxattr(struct fuse_filter_ctx *ctx,
				     const struct fuse_getxattr_in *in)
{
	return FUSE_FILTER_DEFAULT;
}

static int fuse_filter_stub_dirent(struct fuse_filter_ctx *ctx,
				   const struct fuse_filter_dirent *entry)
{
	return FUSE_FILTER_DEFAULT;
}

static int fuse_filter_stub_lk(struct fuse_filter_ctx *ctx,
			       const struct fuse_lk_in *in)
{
	return FUSE_FILTER_DEFAULT;
}

static int fuse_filter_stub_access(struct fuse_filter_ctx *ctx,
				   const struct fuse_access_in *in)
{
	return FUSE_FILTER_DEFAULT;
}

static int fuse_filter_stub_ioctl(struct fuse_filter_ctx *ctx,
				  const struct fuse_ioctl_in *in)
{
	return FUSE_FILTER_DEFAULT;
}

static int fuse_filter_stub_poll(struct fuse_filter_ctx *ctx,
				 const struct fuse_poll_in *in)
{
	return FUSE_FILTER_DEFAULT;
}

static int fuse_filter_stub_bmap(struct fuse_filter_ctx *ctx,
				 const struct fuse_bmap_in *in)
{
	return FUSE_FILTER_DEFAULT;
}

static int fuse_filter_stub_fallocate(struct fuse_filter_ctx *ctx,
				      const struct fuse_fallocate_in *in)
{
	return FUSE_FILTER_DEFAULT;
}

static int fuse_filter_stub_lseek(struct fuse_filter_ctx *ctx,
				  const struct fuse_lseek_in *in)
{
	return FUSE_FILTER_DEFAULT;
}

static int fuse_filter_stub_copy_file_range(struct fuse_filter_ctx *ctx,
					    const struct fuse_copy_file_range_in *in)
{
	return FUSE_FILTER_DEFAULT;
}

static int fuse_filter_stub_attr(struct fuse_filter_ctx *ctx,
				 const struct fuse_filter_attr *attr)
{
	return FUSE_FILTER_DEFAULT;
}

static struct fuse_filter_ops fuse_filter_stubs = {
	.lookup = fuse_filter_stub,
	.getattr = fuse_filter_stub,
	.setattr = fuse_filter_stub,
	.readlink = fuse_filter_stub,
	.symlink = fuse_filter_stub,
	.mknod = fuse_filter_stub_mknod,
	.mkdir = fuse_filter_stub_mkdir,
	.unlink = fuse_filter_stub,
	.rmdir = fuse_filter_stub,
	.rename = fuse_filter_stub_rename2,
	.link = fuse_filter_stub_link,
	.open = fuse_filter_stub_open,
	.opendir = fuse_filter_stub_open,
	.create = fuse_filter_stub_create,
	.read = fuse_filter_stub_io,
	.write = fuse_filter_stub_io,
	.mmap = fuse_filter_stub_mmap,
	.statfs = fuse_filter_stub,
	.syncfs = fuse_filter_stub,
	.fsync = fuse_filter_stub_fsync,
	.flush = fuse_filter_stub,
	.release = fuse_filter_stub,
	.setxattr = fuse_filter_stub_setxattr,
	.getxattr = fuse_filter_stub_getxattr,
	.listxattr = fuse_filter_stub_getxattr,
	.removexattr = fuse_filter_stub,
	.xattr_name = fuse_filter_stub,
	.readdir = fuse_filter_stub_io,
	.dirent = fuse_filter_stub_dirent,
	.lock = fuse_filter_stub_lk,
	.permission = fuse_filter_stub_access,
	.ioctl = fuse_filter_stub_ioctl,
	.poll = fuse_filter_stub_poll,
	.bmap = fuse_filter_stub_bmap,
	.fallocate = fuse_filter_stub_fallocate,
	.lseek = fuse_filter_stub_lseek,
	.copy_file_range = fuse_filter_stub_copy_file_range,
	.pre = fuse_filter_stub,
	.lookup_post = fuse_filter_stub_attr,
	.getattr_post = fuse_filter_stub,
	.readlink_post = fuse_filter_stub,
	.create_post = fuse_filter_stub,
	.open_post = fuse_filter_stub,
	.read_post = fuse_filter_stub_io,
	.write_post = fuse_filter_stub_io,
	.statfs_post = fuse_filter_stub,
	.getxattr_post = fuse_filter_stub,
	.listxattr_post = fuse_filter_stub,
	.lock_post = fuse_filter_stub_lk,
	.lseek_post = fuse_filter_stub_lseek,
	.copy_file_range_post = fuse_filter_stub_copy_file_range,
	.ioctl_post = fuse_filter_stub_ioctl,
	.post = fuse_filter_stub,
};

static struct bpf_struct_ops bpf_fuse_filter_ops;

/* Called when the type becomes known, which takes BTF for this code */
static int fuse_filter_bpf_init(struct btf *btf)
{
	return fuse_filter_register_kfuncs(&bpf_fuse_filter_ops);
}

static int fuse_filter_check_member(const struct btf_type *t,
				    const struct btf_member *member,
				    const struct bpf_prog *prog)
{
	const struct fuse_filter_member *m =
		fuse_filter_member(__btf_member_bit_offset(t, member) / 8);

	return m && prog->sleepable && !m->may_sleep ? -EINVAL : 0;
}

static int fuse_filter_init_member(const struct btf_type *t,
				   const struct btf_member *member,
				   void *kdata, const void *udata)
{
	const struct fuse_filter_ops *uops = udata;
	struct fuse_filter_ops *ops = kdata;

	switch (__btf_member_bit_offset(t, member) / 8) {
	case offsetof(struct fuse_filter_ops, name):
		if (bpf_obj_name_cpy(ops->name, uops->name,
				     sizeof(ops->name)) <= 0)
			return -EINVAL;
		return 1;
	case offsetof(struct fuse_filter_ops, flags):
		if (uops->flags & ~(FUSE_FILTER_POST_ERRORS | FUSE_FILTER_FOLDED_NAMES))
			return -EINVAL;
		ops->flags = uops->flags;
		return 1;
	}
	return 0;
}

/* A filter without a callback is a mistake; all that is not one lies behind them */
static int fuse_filter_validate(void *kdata)
{
	void **callback = kdata;
	size_t i;

	for (i = 0; i < offsetof(struct fuse_filter_ops, name) / sizeof(void *); i++) {
		if (callback[i])
			return 0;
	}
	return -EINVAL;
}

static int fuse_filter_note_prog(struct bpf_prog *bpf, void *data)
{
	const struct fuse_filter_member *m =
		fuse_filter_member(bpf->aux->attach_st_ops_member_off);
	struct fuse_filter_prog *prog = data;

	if (WARN_ON_ONCE(!m))
		return -EINVAL;

	if (m->post) {
		prog->masks.post |= m->ops;
		if (bpf->sleepable)
			prog->masks.post_sleeps |= m->ops;
	} else {
		prog->masks.pre |= m->ops;
		if (bpf->sleepable)
			prog->masks.pre_sleeps |= m->ops;
	}
	return 0;
}

/* Opcodes that go to callbacks of their own, and not to pre and post */
static void fuse_filter_note_own(struct fuse_filter_prog *prog)
{
	const void *ops = prog->ops;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fuse_filter_members); i++) {
		const struct fuse_filter_member *m = &fuse_filter_members[i];

		if (!*(void * const *)(ops + m->offset))
			continue;
		if (m->post)
			prog->own_post |= m->ops;
		else
			prog->own |= m->ops;
	}
}

/* The callbacks in @kdata, with a reference to their map */
static struct fuse_filter_prog *fuse_filter_prog_new(void *kdata)
{
	struct fuse_filter_prog *prog;
	int err;

	prog = kzalloc_obj(*prog, GFP_KERNEL_ACCOUNT);
	if (!prog)
		return ERR_PTR(-ENOMEM);

	prog->ops = kdata;
	fuse_filter_note_own(prog);
	err = bpf_struct_ops_for_each_prog(kdata, fuse_filter_note_prog, prog);
	if (!err && !bpf_struct_ops_get(kdata))
		err = -EINVAL;
	if (!err)
		return prog;

	kfree(prog);
	return ERR_PTR(err);
}

static int fuse_filter_bpf_reg(void *kdata, struct bpf_link *link)
{
	struct fuse_filter_prog *prog = fuse_filter_prog_new(kdata);
	struct fuse_filter_reg *reg;

	if (IS_ERR(prog))
		return PTR_ERR(prog);

	reg = kzalloc_obj(*reg, GFP_KERNEL_ACCOUNT);
	if (!reg) {
		fuse_filter_prog_free(prog);
		return -ENOMEM;
	}

	RCU_INIT_POINTER(reg->prog, prog);
	INIT_LIST_HEAD(&reg->attached);
	reg->link = link;
	reg->users = 1;

	guard(mutex)(&fuse_filter_mutex);
	list_add(&reg->list, &fuse_filter_regs);
	return 0;
}

static struct fuse_filter_reg *fuse_filter_reg_of(const void *kdata,
						  const struct bpf_link *link)
{
	const struct fuse_filter_prog *prog;
	struct fuse_filter_reg *reg;

	list_for_each_entry(reg, &fuse_filter_regs, list) {
		prog = rcu_dereference_protected(reg->prog,
						 lockdep_is_held(&fuse_filter_mutex));
		if (prog->ops == kdata && reg->link == link)
			return reg;
	}
	return NULL;
}

/* bpf_link_update(): the link, and what it is attached to, get other callbacks. */
static int fuse_filter_bpf_update(void *kdata, void *old_kdata, struct bpf_link *link)
{
	struct fuse_filter_prog *prog = fuse_filter_prog_new(kdata);
	struct fuse_filter_reg *reg;

	if (IS_ERR(prog))
		return PTR_ERR(prog);

	guard(mutex)(&fuse_filter_mutex);

	reg = fuse_filter_reg_of(old_kdata, link);
	if (!reg) {
		fuse_filter_prog_free(prog);
		return -ENOENT;
	}
	fuse_filter_update(reg, prog);
	return 0;
}

/* From here on the filter is not called; mounts fail closed or open without it. */
static void fuse_filter_bpf_unreg(void *kdata, struct bpf_link *link)
{
	struct fuse_filter_reg *reg;

	guard(mutex)(&fuse_filter_mutex);

	reg = fuse_filter_reg_of(kdata, link);
	if (WARN_ON_ONCE(!reg))
		return;

	list_del(&reg->list);
	WRITE_ONCE(reg->dead, true);
	fuse_filter_reg_put(reg);
}

/*
 * No argument is ever NULL. btf_ctx_access() says otherwise for one member of types
 * that are in modules: the number of the member is in ->expected_attach_type, where
 * it looks like BPF_TRACE_RAW_TP.
 */
static bool fuse_filter_is_valid_access(int off, int size,
					enum bpf_access_type type,
					const struct bpf_prog *prog,
					struct bpf_insn_access_aux *info)
{
	if (!bpf_tracing_btf_ctx_access(off, size, type, prog, info))
		return false;

	info->reg_type &= ~PTR_MAYBE_NULL;
	return true;
}

static const struct bpf_verifier_ops fuse_filter_verifier_ops = {
	.get_func_proto		= bpf_base_func_proto,
	.is_valid_access	= fuse_filter_is_valid_access,
};

static struct bpf_struct_ops bpf_fuse_filter_ops = {
	.verifier_ops	= &fuse_filter_verifier_ops,
	.init		= fuse_filter_bpf_init,
	.check_member	= fuse_filter_check_member,
	.init_member	= fuse_filter_init_member,
	.validate	= fuse_filter_validate,
	.reg		= fuse_filter_bpf_reg,
	.unreg		= fuse_filter_bpf_unreg,
	.update		= fuse_filter_bpf_update,
	.cfi_stubs	= &fuse_filter_stubs,
	.name		= "fuse_filter_ops",
	.owner		= THIS_MODULE,
};

/**
 * fuse_filter_init - make the struct_ops type known
 *
 * FUSE works without it. There is nothing to undo: the type goes away with the
 * BTF of the module.
 */
void __init fuse_filter_init(void)
{
	int err = register_bpf_struct_ops(&bpf_fuse_filter_ops, fuse_filter_ops);

	if (err)
		pr_warn("no filters: cannot register their type, error %d\n", err);
}

/* bpf_link_get_from_fd(), bpf_map_get() */
MODULE_IMPORT_NS("BPF_INTERNAL");
