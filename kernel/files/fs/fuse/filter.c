// SPDX-License-Identifier: GPL-2.0-only
/*
 * FUSE filters: the chain of filters on a connection.
 *
 * A chain never changes but for its masks: attach and detach put another in its
 * place and wait for the callers of the old one, see filter_call.c.
 */

#include "filter.h"

#include <linux/bpf.h>
#include <linux/cleanup.h>
#include <linux/errno.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

DEFINE_STATIC_KEY_FALSE(fuse_filter_key);

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

static struct fuse_filter_prog *fuse_filter_prog(const struct fuse_filter_reg *reg)
{
	return rcu_dereference_protected(reg->prog,
					 lockdep_is_held(&fuse_filter_mutex));
}

/* Single words, because a chain in use is changed when callbacks are replaced */
static void fuse_filter_masks_set(struct fuse_filter_masks *masks,
				  const struct fuse_filter_masks *new)
{
	WRITE_ONCE(masks->pre, new->pre);
	WRITE_ONCE(masks->post, new->post);
	WRITE_ONCE(masks->pre_sleeps, new->pre_sleeps);
	WRITE_ONCE(masks->post_sleeps, new->post_sleeps);
}

static struct fuse_filter_masks
fuse_filter_masks_or(const struct fuse_filter_masks *a,
		     const struct fuse_filter_masks *b)
{
	return (struct fuse_filter_masks) {
		.pre = a->pre | b->pre,
		.post = a->post | b->post,
		.pre_sleeps = a->pre_sleeps | b->pre_sleeps,
		.post_sleeps = a->post_sleeps | b->post_sleeps,
	};
}

static struct fuse_filter_masks
fuse_filter_sum_masks(const struct fuse_filter_chain *chain)
{
	struct fuse_filter_masks sum = {};
	u32 i;

	for (i = 0; i < chain->nr; i++)
		sum = fuse_filter_masks_or(&sum,
					   &fuse_filter_prog(chain->filters[i]->reg)->masks);
	return sum;
}

/* When this returns, nobody uses the chain that @fc had before. */
static void fuse_filter_publish(struct fuse_conn *fc,
				struct fuse_filter_chain *chain)
{
	rcu_assign_pointer(fc->filters, chain);
	fuse_filter_synchronize();
}

/* Put @chain in the place of the chain of @fc, and free that when it is unused. */
static void fuse_filter_replace(struct fuse_conn *fc,
				struct fuse_filter_chain *chain)
{
	struct fuse_filter_chain *old = fuse_filter_chain(fc);

	if (chain) {
		chain->masks = fuse_filter_sum_masks(chain);
		chain->gen = ++fc->filter_last_gen;
	}
	fuse_filter_publish(fc, chain);
	kfree(old);
}

static void fuse_filter_free(struct fuse_filter *filter)
{
	list_del(&filter->list);
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
	INIT_LIST_HEAD(&filter->list);
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
	filter->fc = fc;
	list_add(&filter->list, &filter->reg->attached);
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
 * fuse_filter_update - put other callbacks in the place of a filter's
 * @reg: the filter
 * @prog: the callbacks, which @reg owns from now on
 *
 * A request is asked about by the old callbacks or by the new ones, and not by
 * none. When this returns, no old callback runs.
 *
 * Context: fuse_filter_mutex is held.
 */
void fuse_filter_update(struct fuse_filter_reg *reg, struct fuse_filter_prog *prog)
{
	struct fuse_filter_prog *old = fuse_filter_prog(reg);
	struct fuse_filter_masks masks;
	struct fuse_filter_chain *chain;
	struct fuse_filter *filter;

	lockdep_assert_held(&fuse_filter_mutex);

	/* Who finds the new callbacks must know that they may sleep */
	list_for_each_entry(filter, &reg->attached, list) {
		chain = fuse_filter_chain(filter->fc);
		masks = fuse_filter_masks_or(&chain->masks, &prog->masks);
		fuse_filter_masks_set(&chain->masks, &masks);
	}
	fuse_filter_synchronize();
	rcu_assign_pointer(reg->prog, prog);
	fuse_filter_synchronize();

	list_for_each_entry(filter, &reg->attached, list) {
		chain = fuse_filter_chain(filter->fc);
		masks = fuse_filter_sum_masks(chain);
		fuse_filter_masks_set(&chain->masks, &masks);
	}
	bpf_struct_ops_put(old->ops);
	kfree(old);
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
	const struct fuse_filter_prog *prog = fuse_filter_prog(filter->reg);
	const struct fuse_filter_counts *counts;
	int cpu;

	*info = (struct fuse_filter_info) {
		.id = filter->id,
		.map_id = bpf_struct_ops_id(prog->ops),
		.flags = filter->flags |
			 (filter->reg->dead ? FUSE_FILTER_DEAD : 0),
		.ops[0] = prog->masks.pre,
		.post_ops[0] = prog->masks.post,
	};
	strscpy(info->name, prog->ops->name);

	for_each_possible_cpu(cpu) {
		counts = per_cpu_ptr(filter->counts, cpu);
		info->runs += READ_ONCE(counts->runs);
		info->denied += READ_ONCE(counts->denied);
	}
}

static int fuse_filter_copy_infos(const struct fuse_filter_info *infos, u32 nr,
				  const struct fuse_filter_list *list)
{
	u32 i;
	int err;

	for (i = 0; i < nr; i++) {
		err = copy_struct_to_user(u64_to_user_ptr(list->filters +
							  (u64)i * list->info_size),
					  list->info_size, &infos[i],
					  sizeof(infos[i]), NULL);
		if (err)
			return err;
	}
	return 0;
}

/**
 * fuse_filter_list - describe the filters of a connection
 * @fc: connection
 * @list: request; @list->nr is filled in
 *
 * Return: 0, -ENOMEM, -EFAULT
 */
int fuse_filter_list(struct fuse_conn *fc, struct fuse_filter_list *list)
{
	struct fuse_filter_info *infos __free(kfree) = NULL;
	struct fuse_filter_chain *chain;
	u32 i, fit;

	infos = kcalloc(FUSE_FILTER_MAX, sizeof(*infos), GFP_KERNEL);
	if (!infos)
		return -ENOMEM;

	scoped_guard(mutex, &fuse_filter_mutex) {
		chain = fuse_filter_chain(fc);
		fit = min(list->nr, chain ? chain->nr : 0);
		list->nr = chain ? chain->nr : 0;
		for (i = 0; i < fit; i++)
			fuse_filter_describe(chain->filters[i], &infos[i]);
	}
	return fuse_filter_copy_infos(infos, fit, list);
}

/**
 * fuse_filter_query - say what filters can do
 * @query: filled in, as far as this is concerned
 */
void fuse_filter_query(struct fuse_bpf_query *query)
{
	struct fuse_filter_masks masks;

	if (!fuse_filter_available())
		return;

	fuse_filter_all_ops(&masks);
	query->features |= FUSE_BPF_FILTERS;
	query->filter_max = FUSE_FILTER_MAX;
	query->prefilter_ops[0] = masks.pre;
	query->postfilter_ops[0] = masks.post;
}
