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
static LIST_HEAD(fuse_filter_regs);

/* A callback: where it is in the struct, and the opcode that it is asked about */
struct fuse_filter_member {
	u32 offset;
	u32 opcode;
	bool may_sleep;
};

#define FUSE_FILTER_MEMBER(member, op, sleep) \
	{ offsetof(struct fuse_filter_ops, member), op, sleep }

static const struct fuse_filter_member fuse_filter_members[] = {
	FUSE_FILTER_MEMBER(lookup, FUSE_LOOKUP, true),
	FUSE_FILTER_MEMBER(open, FUSE_OPEN, true),
	FUSE_FILTER_MEMBER(dirent, FUSE_READDIR, false),
};

static const struct fuse_filter_member *fuse_filter_member(u32 offset)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fuse_filter_members); i++) {
		if (fuse_filter_members[i].offset == offset)
			return &fuse_filter_members[i];
	}
	return NULL;
}

/* fuse_filter_all_ops - opcodes that a filter can have a callback for */
u64 fuse_filter_all_ops(void)
{
	u64 ops = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fuse_filter_members); i++)
		ops |= BIT_ULL(fuse_filter_members[i].opcode);
	return ops;
}

static struct fuse_filter_reg *fuse_filter_find(const struct bpf_link *link,
						const struct bpf_map *map)
{
	struct fuse_filter_reg *reg;

	lockdep_assert_held(&fuse_filter_mutex);

	list_for_each_entry(reg, &fuse_filter_regs, list) {
		if (link ? reg->link == link :
			   bpf_struct_ops_id(reg->ops) == map->id) {
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
	bpf_struct_ops_put(reg->ops);
	kfree(reg);
}

static int fuse_filter_ops__lookup(struct fuse_filter_ctx *ctx)
{
	return FUSE_FILTER_DEFAULT;
}

static int fuse_filter_ops__open(struct fuse_filter_ctx *ctx,
				 const struct fuse_open_in *in)
{
	return FUSE_FILTER_DEFAULT;
}

static int fuse_filter_ops__dirent(struct fuse_filter_ctx *ctx,
				   const struct fuse_filter_dirent *entry)
{
	return FUSE_FILTER_DEFAULT;
}

static struct fuse_filter_ops fuse_filter_stubs = {
	.lookup = fuse_filter_ops__lookup,
	.open = fuse_filter_ops__open,
	.dirent = fuse_filter_ops__dirent,
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
		return uops->flags ? -EINVAL : 1;
	}
	return 0;
}

static int fuse_filter_validate(void *kdata)
{
	const struct fuse_filter_ops *ops = kdata;

	return ops->lookup || ops->open || ops->dirent ? 0 : -EINVAL;
}

static int fuse_filter_note_prog(struct bpf_prog *prog, void *data)
{
	const struct fuse_filter_member *m =
		fuse_filter_member(prog->aux->attach_st_ops_member_off);
	struct fuse_filter_reg *reg = data;

	if (WARN_ON_ONCE(!m))
		return -EINVAL;

	reg->mask |= BIT_ULL(m->opcode);
	if (prog->sleepable)
		reg->sleepable |= BIT_ULL(m->opcode);
	return 0;
}

static int fuse_filter_bpf_reg(void *kdata, struct bpf_link *link)
{
	struct fuse_filter_reg *reg;
	int err;

	reg = kzalloc_obj(*reg, GFP_KERNEL_ACCOUNT);
	if (!reg)
		return -ENOMEM;

	reg->ops = kdata;
	reg->link = link;
	reg->users = 1;
	err = bpf_struct_ops_for_each_prog(kdata, fuse_filter_note_prog, reg);
	if (!err && !bpf_struct_ops_get(kdata))
		err = -EINVAL;
	if (err) {
		kfree(reg);
		return err;
	}

	guard(mutex)(&fuse_filter_mutex);
	list_add(&reg->list, &fuse_filter_regs);
	return 0;
}

/* From here on the filter is not called; mounts fail closed or open without it. */
static void fuse_filter_bpf_unreg(void *kdata, struct bpf_link *link)
{
	struct fuse_filter_reg *reg;

	guard(mutex)(&fuse_filter_mutex);

	list_for_each_entry(reg, &fuse_filter_regs, list) {
		if (reg->ops == kdata && reg->link == link) {
			list_del(&reg->list);
			WRITE_ONCE(reg->dead, true);
			fuse_filter_reg_put(reg);
			return;
		}
	}
}

static const struct bpf_verifier_ops fuse_filter_verifier_ops = {
	.get_func_proto		= bpf_base_func_proto,
	.is_valid_access	= bpf_tracing_btf_ctx_access,
};

static struct bpf_struct_ops bpf_fuse_filter_ops = {
	.verifier_ops	= &fuse_filter_verifier_ops,
	.init		= fuse_filter_bpf_init,
	.check_member	= fuse_filter_check_member,
	.init_member	= fuse_filter_init_member,
	.validate	= fuse_filter_validate,
	.reg		= fuse_filter_bpf_reg,
	.unreg		= fuse_filter_bpf_unreg,
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
