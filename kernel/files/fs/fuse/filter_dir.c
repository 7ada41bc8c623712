// SPDX-License-Identifier: GPL-2.0-only
/*
 * FUSE filters: those of directories, and those that nodes are bound to.
 *
 * A filter of a directory is asked about the directory itself and about all that
 * lies below it. Which directories those are for a call is not remembered
 * anywhere, but found by walking up: so it is right at any time, whatever is moved
 * where. Mounts without filters on directories are not concerned.
 */

#include "filter.h"

#include <linux/dcache.h>
#include <linux/rcupdate.h>
#include <linux/seqlock.h>
#include <linux/srcu.h>

/* An odd multiplier, so that the key tells the chains and their order */
#define FUSE_FILTER_KEY_STEP 0x9e3779b97f4a7c15ULL

static bool fuse_filter_set_has(const struct fuse_filter_set *set,
				const struct fuse_filter_chain *chain)
{
	u32 i;

	for (i = 0; i < set->nr; i++) {
		if (set->chains[i] == chain)
			return true;
	}
	return false;
}

static void fuse_filter_set_add(struct fuse_filter_set *set,
				const struct fuse_filter_chain *chain)
{
	if (!chain || fuse_filter_set_has(set, chain))
		return;
	if (set->nr == FUSE_FILTER_MAX_CHAINS ||
	    chain->nr > FUSE_FILTER_MAX - set->filters) {
		set->overflow = true;
		return;
	}
	set->chains[set->nr++] = chain;
	set->filters += chain->nr;
	set->masks.pre |= READ_ONCE(chain->masks.pre);
	set->masks.post |= READ_ONCE(chain->masks.post);
	set->masks.pre_sleeps |= READ_ONCE(chain->masks.pre_sleeps);
	set->masks.post_sleeps |= READ_ONCE(chain->masks.post_sleeps);
	set->key = (set->key + chain->gen) * FUSE_FILTER_KEY_STEP;
}

/* The mount's chain, with or without filters: most calls have no other. */
static void fuse_filter_set_begin(struct fuse_filter_set *set,
				  const struct fuse_filter_chain *chain)
{
	set->overflow = false;
	if (unlikely(!chain)) {
		set->nr = 0;
		set->filters = 0;
		set->masks = (struct fuse_filter_masks) {};
		set->key = 0;
		return;
	}
	set->chains[0] = chain;
	set->nr = 1;
	set->filters = chain->nr;
	set->masks.pre = READ_ONCE(chain->masks.pre);
	set->masks.post = READ_ONCE(chain->masks.post);
	set->masks.pre_sleeps = READ_ONCE(chain->masks.pre_sleeps);
	set->masks.post_sleeps = READ_ONCE(chain->masks.post_sleeps);
	set->key = chain->gen * FUSE_FILTER_KEY_STEP;
}

static const struct fuse_filter_chain *
fuse_filter_chain_at(struct fuse_filter_chain __rcu * const *slot)
{
	return rcu_dereference_check(*slot, srcu_read_lock_held(&fuse_filter_srcu));
}

/* What was attached to an inode, and what a reply has bound it to; under RCU */
static void fuse_filter_add_own(struct fuse_filter_set *set, const struct inode *inode)
{
	const struct fuse_inode *fi = get_fuse_inode(inode);
	const struct fuse_filter_bound *bound = rcu_dereference(fi->bound);

	fuse_filter_set_add(set, fuse_filter_chain_at(&fi->filters));
	if (bound)
		fuse_filter_set_add(set, fuse_filter_chain_at(&bound->chain));
}

/* @dentry and all directories above it, under RCU and rename_lock's sequence */
static void fuse_filter_add_above(struct fuse_filter_set *set,
				  const struct dentry *dentry)
{
	const struct dentry *child;
	struct inode *inode;

	do {
		child = dentry;
		inode = d_inode_rcu(child);
		if (inode)
			fuse_filter_add_own(set, inode);
		dentry = READ_ONCE(child->d_parent);
	} while (dentry != child);
}

/* By whatever name: of a file with several, the filters of all are asked */
static void fuse_filter_add_inode(struct fuse_filter_set *set, struct inode *inode)
{
	const struct dentry *alias;

	if (!inode)
		return;

	/* It may have no name, or not yet */
	fuse_filter_add_own(set, inode);
	spin_lock(&inode->i_lock);
	for_each_alias(alias, inode)
		fuse_filter_add_above(set, alias);
	spin_unlock(&inode->i_lock);
}

/**
 * fuse_filter_collect - find all chains that a call is to be asked about
 * @set: filled in
 * @fc: connection
 * @call: the call
 *
 * Context: RCU or SRCU, under which the chains stay. Does not sleep.
 */
void fuse_filter_collect(struct fuse_filter_set *set, struct fuse_conn *fc,
			 const struct fuse_backed_call *call)
{
	unsigned int seq;

	do {
		fuse_filter_set_begin(set, fuse_filter_chain_at(&fc->filters));
		if (!atomic_read(&fc->filter_dirs))
			return;

		guard(rcu)();
		seq = read_seqbegin(&rename_lock);
		fuse_filter_add_inode(set, call->dir);
		fuse_filter_add_inode(set, call->inode);
		if (call->args)
			fuse_filter_add_inode(set, call->args->newdir);
	} while (read_seqretry(&rename_lock, seq));
}
