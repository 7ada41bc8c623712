// SPDX-License-Identifier: GPL-2.0-only
/*
 * FUSE filters: those that a reply binds a node to.
 *
 * A node that a reply attaches to a backing can be bound to a filter by the same
 * reply, when the node is made. It is bound until it is evicted or the filter is
 * detached. Whether a filter is bound to what a call is about is found out by
 * walking up, see filter_dir.c.
 */

#include "filter.h"

#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/xarray.h>

/**
 * fuse_filter_bound_new - what the nodes of a new filter will be bound to
 *
 * Return: it, with a reference for the attachment; NULL if out of memory
 */
struct fuse_filter_bound *fuse_filter_bound_new(void)
{
	struct fuse_filter_bound *bound;

	bound = kzalloc_obj(*bound, GFP_KERNEL_ACCOUNT);
	if (!bound)
		return NULL;

	refcount_set(&bound->refs, 1);
	spin_lock_init(&bound->lock);
	return bound;
}

/**
 * fuse_filter_bound_put - drop a reference
 * @bound: what nodes are bound to, may be NULL
 */
void fuse_filter_bound_put(struct fuse_filter_bound *bound)
{
	if (bound && refcount_dec_and_test(&bound->refs))
		kfree_rcu(bound, rcu);
}

/**
 * fuse_filter_bound_end - from now on, no node is bound
 * @fc: connection
 * @bound: of a filter that is being detached
 */
void fuse_filter_bound_end(struct fuse_conn *fc, struct fuse_filter_bound *bound)
{
	guard(spinlock)(&bound->lock);

	if (bound->nodes)
		atomic_dec(&fc->filter_dirs);
	WRITE_ONCE(bound->ended, true);
}

/*
 * A filter whose link is gone refuses what it would be asked about, or nothing, as
 * was chosen when it was attached. Nodes are no exception: in the former case, there
 * shall be none.
 */
static bool fuse_filter_binds(const struct fuse_filter *filter)
{
	return filter && filter->bound &&
	       (filter->flags & FUSE_FILTER_FAIL_OPEN || !READ_ONCE(filter->reg->dead));
}

/**
 * fuse_filter_bound_get - the filter that a reply names
 * @fc: connection
 * @id: id of an attachment, 0: none
 *
 * Return: what a node is to be bound to, with a reference for the caller; NULL if
 * @id is 0; -EIO no such filter, or not one that replies bind, or its link is gone
 */
struct fuse_filter_bound *fuse_filter_bound_get(struct fuse_conn *fc, u32 id)
{
	struct fuse_filter *filter;

	if (!id)
		return NULL;

	/* Detach takes the id away first, and waits before it frees the filter */
	guard(rcu)();
	filter = xa_load(&fc->filter_ids, id);
	if (!fuse_filter_binds(filter))
		return ERR_PTR(-EIO);
	refcount_inc(&filter->bound->refs);
	return filter->bound;
}

/* An inode's binding changes only while nobody else has the inode. */
static struct fuse_filter_bound *fuse_filter_bound_of(const struct inode *inode)
{
	return rcu_dereference_protected(get_fuse_inode(inode)->bound, true);
}

/**
 * fuse_filter_bound_same - is a node bound to what a reply says?
 * @inode: the node's inode
 * @bound: what the reply says, NULL: nothing
 *
 * Return: whether it is; a node is bound to nothing after the filter was detached
 */
bool fuse_filter_bound_same(const struct inode *inode,
			    const struct fuse_filter_bound *bound)
{
	const struct fuse_filter_bound *has = fuse_filter_bound_of(inode);

	return has == bound || (!bound && READ_ONCE(has->ended));
}

/**
 * fuse_filter_bind - bind a node to a filter
 * @inode: new inode, which nobody else can find yet
 * @bound: to what, may be NULL
 */
void fuse_filter_bind(struct inode *inode, struct fuse_filter_bound *bound)
{
	if (!bound)
		return;

	refcount_inc(&bound->refs);
	/* Whoever will find the inode must know that it takes a walk to be asked */
	scoped_guard(spinlock, &bound->lock) {
		if (!bound->ended && !bound->nodes++)
			atomic_inc(&get_fuse_conn(inode)->filter_dirs);
	}
	rcu_assign_pointer(get_fuse_inode(inode)->bound, bound);
}

/**
 * fuse_filter_unbind - let go of the filter that a node is bound to
 * @inode: inode that is being evicted, bound or not
 */
void fuse_filter_unbind(struct inode *inode)
{
	struct fuse_filter_bound *bound = fuse_filter_bound_of(inode);

	if (!bound)
		return;

	RCU_INIT_POINTER(get_fuse_inode(inode)->bound, NULL);
	scoped_guard(spinlock, &bound->lock) {
		if (!bound->ended && !--bound->nodes)
			atomic_dec(&get_fuse_conn(inode)->filter_dirs);
	}
	fuse_filter_bound_put(bound);
}
