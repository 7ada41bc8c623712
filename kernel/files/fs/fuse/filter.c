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
#include <linux/xarray.h>

DEFINE_STATIC_KEY_FALSE(fuse_filter_key);

/* Where the chain is kept that a filter is in, or will be */
static struct fuse_filter_chain __rcu **
fuse_filter_slot(const struct fuse_filter *filter)
{
	if (filter->bound)
		return &filter->bound->chain;
	return filter->dir ? &get_fuse_inode(filter->dir)->filters :
			     &filter->fc->filters;
}

static struct fuse_filter_chain *fuse_filter_chain(const struct fuse_filter *filter)
{
	return rcu_dereference_protected(*fuse_filter_slot(filter),
					 lockdep_is_held(&fuse_filter_mutex));
}

/**
 * fuse_filter_mount_chain - filters of a mount
 * @fc: connection
 *
 * Context: fuse_filter_mutex is held.
 * Return: the chain, or NULL
 */
struct fuse_filter_chain *fuse_filter_mount_chain(struct fuse_conn *fc)
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

/*
 * What the filters of a mount are asked about. It is said before it holds, so that
 * nobody finds a filter and is told that there is none.
 */
static void fuse_filter_set_ops(const struct fuse_filter *filter,
				const struct fuse_filter_chain *chain)
{
	if (!filter->dir && !filter->bound)
		WRITE_ONCE(filter->fc->filter_ops,
			   chain ? chain->masks.pre | chain->masks.post : 0);
}

/*
 * Put @chain in the place of the one that @filter is in, or will be, and free that
 * one when nobody uses it any more.
 */
static void fuse_filter_replace(const struct fuse_filter *filter,
				struct fuse_filter_chain *chain)
{
	struct fuse_filter_chain *old = fuse_filter_chain(filter);

	if (chain) {
		chain->masks = fuse_filter_sum_masks(chain);
		chain->gen = ++filter->fc->filter_last_gen;
	}
	fuse_filter_set_ops(filter, chain);
	rcu_assign_pointer(*fuse_filter_slot(filter), chain);
	if (!old)
		return;
	fuse_filter_synchronize();
	kfree(old);
}

static void fuse_filter_free(struct fuse_filter *filter)
{
	list_del(&filter->list);
	fuse_filter_reg_put(filter->reg);
	fuse_filter_bound_put(filter->bound);
	free_percpu(filter->counts);
	kfree(filter);
}

/* Takes over the reference to @reg, also on failure. */
static struct fuse_filter *fuse_filter_new(struct fuse_conn *fc, struct inode *dir,
					   struct fuse_filter_reg *reg, u32 flags)
{
	struct fuse_filter *filter;

	filter = kzalloc_obj(*filter, GFP_KERNEL_ACCOUNT);
	if (!filter) {
		fuse_filter_reg_put(reg);
		return NULL;
	}

	filter->reg = reg;
	filter->fc = fc;
	filter->dir = dir;
	INIT_LIST_HEAD(&filter->list);
	filter->flags = flags & ~(FUSE_FILTER_BEFORE | FUSE_FILTER_AFTER);
	filter->counts = alloc_percpu_gfp(struct fuse_filter_counts,
					  GFP_KERNEL_ACCOUNT);
	if (flags & FUSE_FILTER_BY_REPLY)
		filter->bound = fuse_filter_bound_new();
	if (!filter->counts || (flags & FUSE_FILTER_BY_REPLY && !filter->bound)) {
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

/* The chain that @filter will be in, with it */
static struct fuse_filter_chain *
fuse_filter_chain_with(struct fuse_filter *filter,
		       const struct fuse_filter_attach *attach)
{
	struct fuse_filter_chain *old = fuse_filter_chain(filter);
	struct fuse_filter_chain *chain;
	u32 nr = old ? old->nr : 0;
	int pos;
	u32 i;

	for (i = 0; i < nr; i++) {
		if (old->filters[i]->reg == filter->reg)
			return ERR_PTR(-EEXIST);
	}
	if (nr == FUSE_FILTER_MAX)
		return ERR_PTR(-ENOSPC);

	pos = fuse_filter_position(old, attach);
	if (pos < 0)
		return ERR_PTR(pos);

	chain = fuse_filter_chain_new(nr + 1);
	if (!chain)
		return ERR_PTR(-ENOMEM);

	for (i = 0; i < nr; i++)
		chain->filters[i < pos ? i : i + 1] = old->filters[i];
	chain->filters[pos] = filter;
	return chain;
}

/* Is the same filter there already for replies to bind? Of other kinds, the chain says. */
static bool fuse_filter_bound_twice(const struct fuse_filter *filter)
{
	const struct fuse_filter *other;

	if (!filter->bound)
		return false;
	list_for_each_entry(other, &filter->reg->attached, list) {
		if (other->fc == filter->fc && other->bound)
			return true;
	}
	return false;
}

static int fuse_filter_insert(struct fuse_filter *filter,
			      const struct fuse_filter_attach *attach)
{
	struct fuse_conn *fc = filter->fc;
	struct fuse_filter_chain *chain;
	int err;

	/* A daemon keeps its device open beyond the end of the mount */
	if (fc->filters_ended)
		return -ENODEV;
	if (fuse_filter_bound_twice(filter))
		return -EEXIST;

	chain = fuse_filter_chain_with(filter, attach);
	if (IS_ERR(chain))
		return PTR_ERR(chain);

	err = xa_alloc_cyclic(&fc->filter_ids, &filter->id, filter, xa_limit_31b,
			      &fc->filter_next_id, GFP_KERNEL_ACCOUNT);
	if (err < 0) {
		kfree(chain);
		return err;
	}

	if (filter->dir) {
		ihold(filter->dir);
		atomic_inc(&fc->filter_dirs);
	}
	WRITE_ONCE(fc->filter_count, fc->filter_count + 1);
	list_add(&filter->list, &filter->reg->attached);
	fuse_filter_replace(filter, chain);
	return 0;
}

static int fuse_filter_check_attach(struct fuse_conn *fc, struct inode *dir,
				    const struct fuse_filter_attach *attach)
{
	const u32 order = FUSE_FILTER_BEFORE | FUSE_FILTER_AFTER;
	const u32 kind = FUSE_FILTER_DIRECTORY | FUSE_FILTER_BY_REPLY;

	if (attach->flags & ~(order | kind | FUSE_FILTER_FAIL_OPEN) ||
	    (attach->flags & order) == order || (attach->flags & kind) == kind)
		return -EINVAL;
	/* A node has one such filter, so there is no order among them */
	if (attach->flags & FUSE_FILTER_BY_REPLY && attach->flags & order)
		return -EINVAL;
	if (attach->relative_id && !(attach->flags & order))
		return -EINVAL;
	if (!(attach->flags & FUSE_FILTER_DIRECTORY))
		return 0;
	if (!dir)
		return -EINVAL;
	/* A mount within the mount goes away before the connection does */
	return get_node_id(d_inode(dir->i_sb->s_root)) == FUSE_ROOT_ID ?
	       0 : -EOPNOTSUPP;
}

/**
 * fuse_filter_attach - attach a registered filter
 * @fc: connection
 * @dir: directory that the request was made on, NULL if it was the device
 * @attach: request; @attach->id is filled in
 *
 * Return: 0 or a negative errno, see struct fuse_filter_attach
 */
int fuse_filter_attach(struct fuse_conn *fc, struct inode *dir,
		       struct fuse_filter_attach *attach)
{
	struct fuse_filter_reg *reg;
	struct fuse_filter *filter;
	int err;

	err = fuse_filter_check_attach(fc, dir, attach);
	if (err)
		return err;
	if (!(attach->flags & FUSE_FILTER_DIRECTORY))
		dir = NULL;

	reg = fuse_filter_reg_get(attach->fd);
	if (IS_ERR(reg))
		return PTR_ERR(reg);

	/* Patching code must not be done under the mutex: struct_ops waits on it */
	static_branch_inc(&fuse_filter_key);

	scoped_guard(mutex, &fuse_filter_mutex) {
		filter = fuse_filter_new(fc, dir, reg, attach->flags);
		err = filter ? fuse_filter_insert(filter, attach) : -ENOMEM;
		if (!err)
			attach->id = filter->id;
		else if (filter)
			fuse_filter_free(filter);
	}
	if (err)
		static_branch_dec(&fuse_filter_key);
	return err;
}

/* The chain that @filter is in, without it, NULL if that was all of it */
static struct fuse_filter_chain *
fuse_filter_chain_without(const struct fuse_filter *filter)
{
	struct fuse_filter_chain *old = fuse_filter_chain(filter);
	struct fuse_filter_chain *chain;
	u32 i, pos = 0;

	if (old->nr == 1)
		return NULL;

	chain = fuse_filter_chain_new(old->nr - 1);
	if (!chain)
		return ERR_PTR(-ENOMEM);

	for (i = 0; i < old->nr; i++) {
		if (old->filters[i] != filter)
			chain->filters[pos++] = old->filters[i];
	}
	return chain;
}

/* Nobody has to walk up any more because of @filter. */
static void fuse_filter_uncount(const struct fuse_filter *filter)
{
	if (filter->dir)
		atomic_dec(&filter->fc->filter_dirs);
	else if (filter->bound)
		fuse_filter_bound_end(filter->fc, filter->bound);
}

/* Returns the directory that the filter was attached to, to be put. */
static struct inode *fuse_filter_remove(struct fuse_conn *fc, u32 id)
{
	struct fuse_filter_chain *chain;
	struct fuse_filter *filter;
	struct inode *dir;

	guard(mutex)(&fuse_filter_mutex);

	filter = xa_load(&fc->filter_ids, id);
	if (!filter)
		return ERR_PTR(-ENOENT);

	chain = fuse_filter_chain_without(filter);
	if (IS_ERR(chain))
		return ERR_CAST(chain);

	dir = filter->dir;
	xa_erase(&fc->filter_ids, id);
	WRITE_ONCE(fc->filter_count, fc->filter_count - 1);
	fuse_filter_replace(filter, chain);
	fuse_filter_uncount(filter);
	fuse_filter_free(filter);
	return dir;
}

/**
 * fuse_filter_detach - detach a filter
 * @fc: connection
 * @id: of the attachment
 *
 * When it returns, no callback of the filter runs for what it was attached to.
 *
 * Return: 0, -ENOENT no such attachment, -ENOMEM
 */
int fuse_filter_detach(struct fuse_conn *fc, u32 id)
{
	struct inode *dir = fuse_filter_remove(fc, id);

	if (IS_ERR(dir))
		return PTR_ERR(dir);

	/* Its last reference may be this one, and eviction may send a request */
	iput(dir);
	static_branch_dec(&fuse_filter_key);
	return 0;
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
		chain = fuse_filter_chain(filter);
		masks = fuse_filter_masks_or(&chain->masks, &prog->masks);
		fuse_filter_masks_set(&chain->masks, &masks);
		fuse_filter_set_ops(filter, chain);
	}
	fuse_filter_synchronize();
	rcu_assign_pointer(reg->prog, prog);
	fuse_filter_synchronize();

	list_for_each_entry(filter, &reg->attached, list) {
		chain = fuse_filter_chain(filter);
		masks = fuse_filter_sum_masks(chain);
		fuse_filter_masks_set(&chain->masks, &masks);
		fuse_filter_set_ops(filter, chain);
	}
	bpf_struct_ops_put(old->ops);
	kfree(old);
}

/**
 * fuse_filter_conn_init - prepare a new connection for filters
 * @fc: connection
 */
void fuse_filter_conn_init(struct fuse_conn *fc)
{
	xa_init_flags(&fc->filter_ids, XA_FLAGS_ALLOC1);
}

/* Take all chains away from where they can be found. */
static struct fuse_filter_chain *fuse_filter_unpublish(struct fuse_conn *fc)
{
	struct fuse_filter_chain *chain, *all = NULL;
	struct fuse_filter *filter;
	unsigned long id;

	guard(mutex)(&fuse_filter_mutex);

	fc->filters_ended = true;
	xa_for_each(&fc->filter_ids, id, filter) {
		chain = fuse_filter_chain(filter);
		fuse_filter_uncount(filter);
		/* The other filters of the chain find it gone */
		if (!chain)
			continue;
		RCU_INIT_POINTER(*fuse_filter_slot(filter), NULL);
		chain->next = all;
		all = chain;
	}
	return all;
}

static void fuse_filter_end_one(struct fuse_filter *filter)
{
	struct inode *dir = filter->dir;

	scoped_guard(mutex, &fuse_filter_mutex) {
		xa_erase(&filter->fc->filter_ids, filter->id);
		WRITE_ONCE(filter->fc->filter_count, filter->fc->filter_count - 1);
		fuse_filter_free(filter);
	}
	iput(dir);
	static_branch_dec(&fuse_filter_key);
}

/**
 * fuse_filter_end - detach all filters for good
 * @fc: connection whose last mount is gone
 *
 * A path walk under RCU may still be on its way.
 */
void fuse_filter_end(struct fuse_conn *fc)
{
	struct fuse_filter_chain *chain = fuse_filter_unpublish(fc);
	struct fuse_filter_chain *next;
	struct fuse_filter *filter;
	unsigned long id;

	if (!chain)
		return;

	fuse_filter_synchronize();
	for (; chain; chain = next) {
		next = chain->next;
		kfree(chain);
	}
	xa_for_each(&fc->filter_ids, id, filter)
		fuse_filter_end_one(filter);
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
	query->features |= FUSE_BPF_FILTERS | FUSE_BPF_FILTER_PLAIN |
			   FUSE_BPF_FILTER_DIRS | FUSE_BPF_FILTER_ASKS |
			   FUSE_BPF_FILTER_REPLIES;
	query->filter_max = FUSE_FILTER_MAX;
	query->prefilter_ops[0] = masks.pre;
	query->postfilter_ops[0] = masks.post;
}
