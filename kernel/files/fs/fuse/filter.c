// SPDX-License-Identifier: GPL-2.0-only
/*
 * FUSE filters: the chain of filters on a connection.
 *
 * A chain never changes: attach and detach put another in its place and wait for
 * the callers of the old one. Callers of callbacks that do not sleep are under
 * RCU, the others under SRCU, in either case only while the callback runs, not
 * while the backing works.
 */

#include "filter.h"

#include <linux/bpf.h>
#include <linux/cleanup.h>
#include <linux/errno.h>
#include <linux/pid_namespace.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/uaccess.h>
#include <linux/user_namespace.h>

DEFINE_STATIC_KEY_FALSE(fuse_filter_key);
DEFINE_STATIC_SRCU(fuse_filter_srcu);

/* Errnos from here on mean something to the kernel and nothing to a caller */
#define FUSE_FILTER_MAX_ERRNO 511

struct fuse_filter_counts {
	u64 runs;
	u64 denied;
};

/**
 * struct fuse_filter - a filter attached to a connection
 * @reg: the registered filter
 * @id: of the attachment
 * @flags: %FUSE_FILTER_FAIL_OPEN
 * @counts: callbacks made for this connection
 */
struct fuse_filter {
	struct fuse_filter_reg *reg;
	u32 id;
	u32 flags;
	struct fuse_filter_counts __percpu *counts;
};

/**
 * struct fuse_filter_chain - filters of a connection, in the order of asking
 * @mask: opcodes that any of them has a callback for
 * @sleepable: opcodes with a callback that may sleep
 * @nr: number of filters
 * @filters: the filters
 */
struct fuse_filter_chain {
	u64 mask;
	u64 sleepable;
	u32 nr;
	struct fuse_filter *filters[] __counted_by(nr);
};

/* What a callback returned, made into a verdict or an errno that may leave. */
static int fuse_filter_clamp(struct fuse_filter_reg *reg, int ret)
{
	if (ret >= FUSE_FILTER_DEFAULT && ret <= FUSE_FILTER_DAEMON)
		return ret;
	if (ret < 0 && ret >= -FUSE_FILTER_MAX_ERRNO && ret != -ECHILD)
		return ret;

	/* Once for each filter; a race costs another line */
	if (!READ_ONCE(reg->warned)) {
		WRITE_ONCE(reg->warned, true);
		pr_warn("filter %s returned %d, which is no verdict\n",
			reg->ops->name, ret);
	}
	return -EIO;
}

static int fuse_filter_call(const struct fuse_filter_ops *ops,
			    struct fuse_filter_ctx *ctx, const void *in)
{
	switch (ctx->opcode) {
	case FUSE_LOOKUP:
		return ops->lookup(ctx);
	case FUSE_OPEN:
		return ops->open(ctx, in);
	case FUSE_READDIR:
		return ops->dirent(ctx, in);
	}
	return FUSE_FILTER_DEFAULT;
}

static int fuse_filter_run_one(const struct fuse_filter *filter,
			       struct fuse_filter_ctx_kern *kctx, const void *in)
{
	struct fuse_filter_reg *reg = filter->reg;
	int ret;

	if (!(reg->mask & BIT_ULL(kctx->ctx.opcode)))
		return FUSE_FILTER_DEFAULT;
	if (READ_ONCE(reg->dead))
		return filter->flags & FUSE_FILTER_FAIL_OPEN ?
			FUSE_FILTER_DEFAULT : -EIO;

	ret = fuse_filter_clamp(reg, fuse_filter_call(reg->ops, &kctx->ctx, in));
	this_cpu_inc(filter->counts->runs);
	if (ret < 0)
		this_cpu_inc(filter->counts->denied);
	return ret;
}

static void fuse_filter_init_ctx(struct fuse_filter_ctx_kern *kctx,
				 struct fuse_conn *fc,
				 const struct fuse_backed_call *call)
{
	const struct cred *cred = call->cred ?: current_cred();

	kctx->ctx = (struct fuse_filter_ctx) {
		.nodeid = call->inode ? get_node_id(call->inode) : 0,
		.parent = call->dir ? get_node_id(call->dir) : 0,
		.opcode = call->opcode,
		.fsuid = from_kuid_munged(fc->user_ns, cred->fsuid),
		.fsgid = from_kgid_munged(fc->user_ns, cred->fsgid),
		.pid = pid_nr_ns(task_pid(current), fc->pid_ns),
		.name_len = call->name ? call->name->len : 0,
	};
	kctx->name = call->name;
}

/* The first errno wins; of the rest, the greatest verdict. */
static int fuse_filter_run(const struct fuse_filter_chain *chain,
			   struct fuse_conn *fc,
			   const struct fuse_backed_call *call)
{
	struct fuse_filter_ctx_kern kctx;
	int verdict = FUSE_FILTER_DEFAULT;
	u32 i;
	int ret;

	fuse_filter_init_ctx(&kctx, fc, call);
	for (i = 0; i < chain->nr; i++) {
		ret = fuse_filter_run_one(chain->filters[i], &kctx, call->in);
		if (ret < 0)
			return ret;
		verdict = max(verdict, ret);
	}
	return verdict;
}

static int fuse_filter_run_sleepable(struct fuse_conn *fc,
				     const struct fuse_backed_call *call)
{
	const struct fuse_filter_chain *chain;

	guard(srcu)(&fuse_filter_srcu);
	chain = srcu_dereference(fc->filters, &fuse_filter_srcu);
	return chain ? fuse_filter_run(chain, fc, call) : FUSE_FILTER_DEFAULT;
}

int __fuse_filter_pre(struct fuse_conn *fc, const struct fuse_backed_call *call)
{
	const struct fuse_filter_chain *chain;
	u64 op = BIT_ULL(call->opcode);

	scoped_guard(rcu) {
		chain = rcu_dereference(fc->filters);
		if (!chain || !(chain->mask & op))
			return FUSE_FILTER_DEFAULT;
		if (!(chain->sleepable & op))
			return fuse_filter_run(chain, fc, call);
	}
	if (call->rcu)
		return -ECHILD;
	return fuse_filter_run_sleepable(fc, call);
}

static struct fuse_filter_chain *fuse_filter_chain(struct fuse_conn *fc)
{
	return rcu_dereference_protected(fc->filters,
					 lockdep_is_held(&fuse_filter_mutex));
}

static struct fuse_filter_chain *fuse_filter_chain_new(u32 nr)
{
	struct fuse_filter_chain *chain;

	chain = kzalloc_flex(*chain, filters, nr, GFP_KERNEL_ACCOUNT);
	if (chain)
		chain->nr = nr;
	return chain;
}

/* When this returns, nobody uses the chain that @fc had before. */
static void fuse_filter_publish(struct fuse_conn *fc,
				struct fuse_filter_chain *chain)
{
	rcu_assign_pointer(fc->filters, chain);
	synchronize_srcu(&fuse_filter_srcu);
	synchronize_rcu();
}

/* Put @chain in the place of the chain of @fc, and free that when it is unused. */
static void fuse_filter_replace(struct fuse_conn *fc,
				struct fuse_filter_chain *chain)
{
	struct fuse_filter_chain *old = fuse_filter_chain(fc);
	u32 i;

	for (i = 0; chain && i < chain->nr; i++) {
		chain->mask |= chain->filters[i]->reg->mask;
		chain->sleepable |= chain->filters[i]->reg->sleepable;
	}
	fuse_filter_publish(fc, chain);
	kfree(old);
}

static void fuse_filter_free(struct fuse_filter *filter)
{
	fuse_filter_reg_put(filter->reg);
	free_percpu(filter->counts);
	kfree(filter);
}

/* Takes over the reference to @reg, also on failure. */
static struct fuse_filter *fuse_filter_new(struct fuse_filter_reg *reg, u32 flags)
{
	struct fuse_filter *filter;

	filter = kzalloc_obj(*filter, GFP_KERNEL_ACCOUNT);
	if (!filter) {
		fuse_filter_reg_put(reg);
		return NULL;
	}

	filter->reg = reg;
	filter->flags = flags & FUSE_FILTER_FAIL_OPEN;
	filter->counts = alloc_percpu_gfp(struct fuse_filter_counts,
					  GFP_KERNEL_ACCOUNT);
	if (!filter->counts) {
		fuse_filter_free(filter);
		return NULL;
	}
	return filter;
}

/* Where in @chain a new filter goes; a negative errno if nowhere. */
static int fuse_filter_position(const struct fuse_filter_chain *chain,
				const struct fuse_filter_attach *attach)
{
	u32 i;

	if (!attach->relative_id)
		return attach->flags & FUSE_FILTER_BEFORE || !chain ? 0 : chain->nr;

	for (i = 0; chain && i < chain->nr; i++) {
		if (chain->filters[i]->id == attach->relative_id)
			return attach->flags & FUSE_FILTER_BEFORE ? i : i + 1;
	}
	return -ENOENT;
}

static int fuse_filter_insert(struct fuse_conn *fc, struct fuse_filter *filter,
			      const struct fuse_filter_attach *attach)
{
	struct fuse_filter_chain *old = fuse_filter_chain(fc);
	struct fuse_filter_chain *chain;
	u32 nr = old ? old->nr : 0;
	int pos;
	u32 i;

	/* A daemon keeps its device open beyond the end of the mount */
	if (fc->filters_ended)
		return -ENODEV;

	for (i = 0; i < nr; i++) {
		if (old->filters[i]->reg == filter->reg)
			return -EEXIST;
	}
	if (nr == FUSE_FILTER_MAX)
		return -ENOSPC;

	pos = fuse_filter_position(old, attach);
	if (pos < 0)
		return pos;

	chain = fuse_filter_chain_new(nr + 1);
	if (!chain)
		return -ENOMEM;

	for (i = 0; i < nr; i++)
		chain->filters[i < pos ? i : i + 1] = old->filters[i];
	chain->filters[pos] = filter;
	filter->id = ++fc->filter_last_id;
	fuse_filter_replace(fc, chain);
	return 0;
}

/**
 * fuse_filter_attach - attach a registered filter to a connection
 * @fc: connection
 * @attach: request; @attach->id is filled in
 *
 * Return: 0 or a negative errno, see struct fuse_filter_attach
 */
int fuse_filter_attach(struct fuse_conn *fc, struct fuse_filter_attach *attach)
{
	const u32 order = FUSE_FILTER_BEFORE | FUSE_FILTER_AFTER;
	struct fuse_filter_reg *reg;
	struct fuse_filter *filter;
	int err;

	if (attach->flags & ~(order | FUSE_FILTER_FAIL_OPEN) ||
	    (attach->flags & order) == order)
		return -EINVAL;
	if (attach->relative_id && !(attach->flags & order))
		return -EINVAL;

	reg = fuse_filter_reg_get(attach->fd);
	if (IS_ERR(reg))
		return PTR_ERR(reg);

	/* Patching code must not be done under the mutex: struct_ops waits on it */
	static_branch_inc(&fuse_filter_key);

	scoped_guard(mutex, &fuse_filter_mutex) {
		filter = fuse_filter_new(reg, attach->flags);
		err = filter ? fuse_filter_insert(fc, filter, attach) : -ENOMEM;
		if (!err)
			attach->id = filter->id;
		else if (filter)
			fuse_filter_free(filter);
	}
	if (err)
		static_branch_dec(&fuse_filter_key);
	return err;
}

static int fuse_filter_remove(struct fuse_conn *fc, u32 id)
{
	struct fuse_filter_chain *old, *chain = NULL;
	struct fuse_filter *filter;
	u32 i, pos;

	guard(mutex)(&fuse_filter_mutex);

	old = fuse_filter_chain(fc);
	for (pos = 0; old && pos < old->nr; pos++) {
		if (old->filters[pos]->id == id)
			break;
	}
	if (!old || pos == old->nr)
		return -ENOENT;

	if (old->nr > 1) {
		chain = fuse_filter_chain_new(old->nr - 1);
		if (!chain)
			return -ENOMEM;
		for (i = 0; i < chain->nr; i++)
			chain->filters[i] = old->filters[i < pos ? i : i + 1];
	}

	filter = old->filters[pos];
	fuse_filter_replace(fc, chain);
	fuse_filter_free(filter);
	return 0;
}

/**
 * fuse_filter_detach - detach a filter from a connection
 * @fc: connection
 * @id: of the attachment
 *
 * When it returns, no callback of the filter runs for @fc.
 *
 * Return: 0, -ENOENT no such attachment, -ENOMEM
 */
int fuse_filter_detach(struct fuse_conn *fc, u32 id)
{
	int err = fuse_filter_remove(fc, id);

	if (!err)
		static_branch_dec(&fuse_filter_key);
	return err;
}

/**
 * fuse_filter_end - detach all filters for good
 * @fc: connection whose last mount is gone
 */
void fuse_filter_end(struct fuse_conn *fc)
{
	struct fuse_filter_chain *chain;
	u32 i, nr;

	scoped_guard(mutex, &fuse_filter_mutex) {
		fc->filters_ended = true;
		chain = fuse_filter_chain(fc);
		if (!chain)
			return;

		fuse_filter_publish(fc, NULL);
		nr = chain->nr;
		for (i = 0; i < nr; i++)
			fuse_filter_free(chain->filters[i]);
		kfree(chain);
	}
	while (nr--)
		static_branch_dec(&fuse_filter_key);
}

static void fuse_filter_describe(const struct fuse_filter *filter,
				 struct fuse_filter_info *info)
{
	const struct fuse_filter_reg *reg = filter->reg;
	const struct fuse_filter_counts *counts;
	int cpu;

	*info = (struct fuse_filter_info) {
		.id = filter->id,
		.map_id = bpf_struct_ops_id(reg->ops),
		.flags = filter->flags | (reg->dead ? FUSE_FILTER_DEAD : 0),
		.ops[0] = reg->mask,
	};
	strscpy(info->name, reg->ops->name);

	for_each_possible_cpu(cpu) {
		counts = per_cpu_ptr(filter->counts, cpu);
		info->runs += READ_ONCE(counts->runs);
		info->denied += READ_ONCE(counts->denied);
	}
}

/**
 * fuse_filter_list - describe the filters of a connection
 * @fc: connection
 * @buf: where to
 * @nr: in: room in @buf, out: filters attached
 *
 * Return: 0, -ENOMEM, -EFAULT
 */
int fuse_filter_list(struct fuse_conn *fc, struct fuse_filter_info __user *buf,
		     u32 *nr)
{
	struct fuse_filter_info *infos __free(kfree) = NULL;
	struct fuse_filter_chain *chain;
	u32 i, fit;

	infos = kcalloc(FUSE_FILTER_MAX, sizeof(*infos), GFP_KERNEL);
	if (!infos)
		return -ENOMEM;

	scoped_guard(mutex, &fuse_filter_mutex) {
		chain = fuse_filter_chain(fc);
		fit = min(*nr, chain ? chain->nr : 0);
		*nr = chain ? chain->nr : 0;
		for (i = 0; i < fit; i++)
			fuse_filter_describe(chain->filters[i], &infos[i]);
	}
	return copy_to_user(buf, infos, fit * sizeof(*infos)) ? -EFAULT : 0;
}

void fuse_filter_query(struct fuse_bpf_query *query)
{
	if (!fuse_filter_available())
		return;

	query->features |= FUSE_BPF_FILTERS;
	query->filter_max = FUSE_FILTER_MAX;
	query->prefilter_ops[0] = fuse_filter_all_ops();
}
