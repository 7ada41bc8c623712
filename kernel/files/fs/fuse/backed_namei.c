// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backed inodes: finding names.
 *
 * The dentry of a name in a backed directory remembers the backing's dentry for
 * that name, positive or negative, and the value of its d_seq at a moment when
 * it was known to be hashed under that name. As long as d_seq has not moved, the
 * name was neither renamed nor removed nor created behind our back: one compare
 * revalidates it, in RCU-walk too.
 */

#include "backed.h"
#include "filter_attr.h"

#include <linux/namei.h>

/*
 * Readers of the pair (fd->backing, fd->backing_seq) hold no lock. The writer
 * clears the pointer before it changes the sequence number; a reader that finds
 * the same pointer before and after it read the number has a matching pair.
 */
static struct dentry *fuse_backed_set_name(struct dentry *entry,
					   struct dentry *backing,
					   unsigned int seq)
{
	struct fuse_dentry *fd = entry->d_fsdata;
	struct dentry *old;

	spin_lock(&entry->d_lock);
	old = fd->backing;
	WRITE_ONCE(fd->backing, NULL);
	/* Pairs with read_seqcount_retry() in fuse_backed_name_valid() */
	smp_wmb();
	WRITE_ONCE(fd->backing_seq, seq);
	/* Pairs with smp_load_acquire() there */
	smp_store_release(&fd->backing, backing);
	spin_unlock(&entry->d_lock);
	return old;
}

/*
 * Does @entry still stand for what its name meant when it was remembered? Where
 * case is folded, a name can come into being by another spelling, which leaves
 * this one's dentry alone: look it up. An empty directory can be made to fold case
 * with names cached that it does not have.
 */
static inline bool fuse_backed_name_valid_rcu(const struct inode *dir,
					      const struct dentry *entry)
{
	const struct inode *real = d_inode_rcu(fuse_backed(dir)->dentry);
	const struct fuse_dentry *fd = entry->d_fsdata;
	struct dentry *backing;
	unsigned int seq;

	if (!real || IS_CASEFOLDED(real))
		return false;

	/* Pairs with smp_store_release() in fuse_backed_set_name() */
	backing = smp_load_acquire(&fd->backing);
	if (!backing || backing->d_flags & DCACHE_OP_REVALIDATE)
		return false;

	seq = READ_ONCE(fd->backing_seq);
	if (read_seqcount_retry(&backing->d_seq, seq))
		return false;
	return READ_ONCE(fd->backing) == backing;
}

static bool fuse_backed_name_valid(const struct inode *dir,
				   const struct dentry *entry)
{
	guard(rcu)();
	return fuse_backed_name_valid_rcu(dir, entry);
}

/*
 * Remember @backing as what the name of @entry stands for. Its d_lock keeps out
 * all that change d_seq; if the name has moved on since it was looked up,
 * nothing is remembered and the next walk looks again.
 */
static void fuse_backed_remember_name(struct dentry *entry,
				      struct dentry *parent,
				      struct dentry *backing,
				      const struct qstr *name)
{
	struct dentry *keep = NULL;
	unsigned int seq;

	spin_lock(&backing->d_lock);
	if (!d_unhashed(backing) && backing->d_parent == parent &&
	    backing->d_name.len == name->len &&
	    !memcmp(backing->d_name.name, name->name, name->len)) {
		seq = raw_seqcount_begin(&backing->d_seq);
		keep = dget_dlock(backing);
	}
	spin_unlock(&backing->d_lock);

	if (keep)
		dput(fuse_backed_set_name(entry, keep, seq));
}

/**
 * fuse_backed_found - a dentry stands for a name on the backing
 * @entry: the dentry, with the inode for @backing, or negative
 * @parent: the backing's directory
 * @backing: the backing's dentry for the name, perhaps negative
 * @name: the name
 */
void fuse_backed_found(struct dentry *entry, struct dentry *parent,
		       struct dentry *backing, const struct qstr *name)
{
	/* No timeout; also lets the dcache keep the dentry when unused */
	fuse_invalidate_entry_cache(entry);
	fuse_backed_remember_name(entry, parent, backing, name);
}

/**
 * fuse_backed_unremember - a name was dealt with by the daemon
 * @entry: dentry that has it, or had it
 *
 * The next walk looks it up anew, with whoever it is asked of then.
 */
void fuse_backed_unremember(struct dentry *entry)
{
	dput(fuse_backed_set_name(entry, NULL, 0));
}

/**
 * fuse_backed_spells - can it be told which spellings of a name are one name?
 * @backing: a directory
 *
 * Where the backing compares names by rules of its own, a name has several
 * spellings, and a rule about one would not cover the others. What folds case by
 * an encoding does so by rules that are known.
 *
 * Return: true if so
 */
bool fuse_backed_spells(const struct dentry *backing)
{
	if (sb_has_encoding(backing->d_sb))
		return true;
	return !(backing->d_flags & (DCACHE_OP_HASH | DCACHE_OP_COMPARE));
}

/**
 * fuse_backed_find - look up a name on the backing
 * @dir: backed directory
 * @name: name in it
 *
 * Return: the backing's dentry, which may be negative; -EOPNOTSUPP names have several
 * spellings, -EREMOTE something would have to be mounted there, or what the backing says
 */
struct dentry *fuse_backed_find(struct inode *dir, const struct qstr *name)
{
	const struct fuse_backed *fbk = fuse_backed(dir);
	struct dentry *backing;

	if (!fuse_backed_spells(fbk->dentry))
		return ERR_PTR(fuse_backed_refuse(dir, FUSE_LOOKUP,
						  FUSE_REFUSED_SPELLINGS,
						  -EOPNOTSUPP));

	scoped_with_creds(fbk->fb->cred)
		backing = lookup_one_unlocked(mnt_idmap(fbk->fb->mnt),
					      &QSTR_LEN(name->name, name->len),
					      fbk->dentry);
	if (IS_ERR(backing))
		return backing;

	/* What would have to be mounted first is not part of the tree */
	if (backing->d_flags & (DCACHE_NEED_AUTOMOUNT | DCACHE_MANAGE_TRANSIT)) {
		dput(backing);
		return ERR_PTR(fuse_backed_refuse(dir, FUSE_LOOKUP,
						  FUSE_REFUSED_AUTOMOUNT,
						  -EREMOTE));
	}
	return backing;
}

static struct dentry *fuse_backed_lookup_backing(struct inode *dir,
						 struct dentry *entry)
{
	const struct fuse_backed *fbk = fuse_backed(dir);
	struct dentry *backing, *alias;
	struct inode *inode = NULL;

	backing = fuse_backed_find(dir, &entry->d_name);
	if (IS_ERR(backing))
		return backing;

	/* Unlike a negative dentry, a positive one stays so while it is pinned */
	if (d_is_positive(backing)) {
		inode = fuse_backed_iget(dir, backing);
		if (!inode) {
			dput(backing);
			return ERR_PTR(-ENOMEM);
		}
	}

	alias = d_splice_alias(inode, entry);
	if (!IS_ERR(alias))
		fuse_backed_found(alias ?: entry, fbk->dentry, backing,
				  &entry->d_name);
	else if (PTR_ERR(alias) == -ELOOP)
		fuse_backed_refuse(dir, FUSE_LOOKUP, FUSE_REFUSED_LOOP, -ELOOP);
	dput(backing);
	return alias;
}

static noinline int fuse_backed_filter_found(struct fuse_backed_call *call,
					     const struct inode *inode)
{
	const struct fuse_backed *fbk = inode ? fuse_backed(inode) : NULL;
	const struct inode *real = fbk ? d_inode_rcu(fbk->dentry) : NULL;

	if (!inode)
		return fuse_filter_found(call, NULL, &nop_mnt_idmap);
	return real ? fuse_filter_found(call, real, mnt_idmap(fbk->fb->mnt)) : -ECHILD;
}

static int fuse_backed_may_find(struct fuse_backed_call *call,
				const struct inode *inode)
{
	fuse_backed_account(call, 0);
	return unlikely(fuse_filter_has_post(call)) ? fuse_backed_filter_found(call, inode) : 0;
}

/**
 * fuse_backed_lookup - find a name in a backed directory
 * @dir: the directory
 * @entry: dentry in lookup, or unhashed under the directory's exclusive lock
 * @flags: LOOKUP_*
 *
 * A filter's refusal is returned and not cached: the next caller is asked for
 * anew.
 *
 * Return: as for ->lookup()
 */
struct dentry *fuse_backed_lookup(struct inode *dir, struct dentry *entry,
				  unsigned int flags)
{
	struct fuse_backed_call call = {
		.opcode = FUSE_LOOKUP,
		.dir = dir,
		.name = &entry->d_name,
	};
	struct dentry *res;
	int route, err;

	if (entry->d_name.len > NAME_MAX)
		return ERR_PTR(-ENAMETOOLONG);

	route = fuse_backed_route(&call);
	if (route < 0)
		return ERR_PTR(route);
	if (route == FUSE_ROUTE_DAEMON)
		return fuse_lookup(dir, entry, flags);

	res = fuse_backed_lookup_backing(dir, entry);
	if (IS_ERR(res)) {
		err = fuse_backed_done(&call, PTR_ERR(res));
		return ERR_PTR(err);
	}

	/* What is refused stays in the dcache for those who may see it */
	err = fuse_backed_may_find(&call, d_inode(res ?: entry));
	if (!err)
		return res;
	dput(res);
	return ERR_PTR(err);
}

/*
 * The remembered dentry does not vouch for the name any more: look it up again.
 * Returns 1 if it still stands for the same inode, or for none, 0 if not.
 */
static int fuse_backed_relookup(struct inode *dir, const struct qstr *name,
				struct dentry *entry)
{
	const struct inode *inode = d_inode(entry);
	struct dentry *backing = fuse_backed_find(dir, name);
	struct inode *real;
	int ret;

	if (IS_ERR(backing))
		return PTR_ERR(backing) == -ENOMEM ? -ENOMEM : 0;

	real = d_is_positive(backing) ? d_inode(backing) : NULL;
	ret = real == (inode ? d_inode(fuse_backed(inode)->dentry) : NULL);
	if (ret)
		fuse_backed_remember_name(entry, fuse_backed(dir)->dentry,
					  backing, name);
	dput(backing);
	return ret;
}

/*
 * Whether something may be removed from a directory with the sticky bit, the VFS
 * decides by the owner in our inode, and whether it may be changed at all, by its
 * flags: are they the backing's?
 */
static inline bool fuse_backed_has_rights(const struct inode *inode,
					  struct mnt_idmap *idmap)
{
	const struct inode *real = d_inode_rcu(fuse_backed(inode)->dentry);

	return real && inode->i_mode == real->i_mode &&
	       !((inode->i_flags ^ real->i_flags) & (S_APPEND | S_IMMUTABLE)) &&
	       uid_eq(fuse_backed_uid(idmap, real), inode->i_uid);
}

/* Makes them so. Returns 1, or -ECHILD in RCU-walk. */
static int fuse_backed_keep_rights(struct inode *inode, unsigned int flags)
{
	if (fuse_backed_has_rights(inode, fuse_backed_idmap(inode)))
		return 1;
	if (flags & LOOKUP_RCU)
		return -ECHILD;
	fuse_backed_copyattr(inode);
	return 1;
}

/**
 * fuse_backed_name_holds - does a name stand for the same inode as here?
 * @dir: backed directory
 * @name: name that @entry had in it
 * @entry: dentry with a backed inode
 *
 * Return: true if the backing has the inode there, whatever the filters say
 */
bool fuse_backed_name_holds(struct inode *dir, const struct qstr *name,
			    struct dentry *entry)
{
	return fuse_backed_name_valid(dir, entry) ||
	       fuse_backed_relookup(dir, name, entry) > 0;
}

/* Can a cached name be what the backing has? It is not if the daemon made it. */
static inline bool fuse_backed_name_ours(struct inode *dir, struct inode *inode)
{
	return !inode || (fuse_inode_kernel_made(inode) && fuse_backed_alike(inode, dir));
}

/* Does a cached name still stand for what it does on the backing? */
static int fuse_backed_check_name(struct inode *dir, const struct qstr *name,
				  struct dentry *entry, unsigned int flags)
{
	struct inode *inode = d_inode_rcu(entry);

	if (!fuse_backed_name_ours(dir, inode))
		return 0;
	if (fuse_backed_name_valid(dir, entry))
		return inode ? fuse_backed_keep_rights(inode, flags) : 1;
	if (flags & LOOKUP_RCU)
		return -ECHILD;
	return fuse_backed_relookup(dir, name, entry);
}

static noinline int fuse_backed_revalidate_slow(struct inode *dir,
						const struct qstr *name,
						struct dentry *entry,
						unsigned int flags)
{
	struct fuse_backed_call call = {
		.opcode = FUSE_LOOKUP,
		.rcu = flags & LOOKUP_RCU,
		.dir = dir,
		.name = name,
	};
	struct inode *inode = d_inode_rcu(entry);
	int route = fuse_backed_route(&call);
	int ret;

	if (route < 0)
		return route;
	if (route == FUSE_ROUTE_DAEMON)
		return inode && fuse_inode_kernel_made(inode) ? 0 :
			fuse_dentry_revalidate(dir, name, entry, flags);

	ret = fuse_backed_check_name(dir, name, entry, flags);
	return ret <= 0 ? ret : fuse_backed_may_find(&call, inode) ?: ret;
}

/**
 * fuse_backed_revalidate - is a cached name in a backed directory still right?
 * @dir: the directory
 * @name: name as the caller gave it
 * @entry: the cached dentry
 * @flags: LOOKUP_*
 *
 * The filter is asked before the cache: what it says to this caller does not
 * depend on what another caller has seen. If the daemon answers for this name, and the
 * dentry may be its, it is dealt with as any other dentry of the daemon.
 *
 * This is called for each component of each path. What is usual is done here, under RCU
 * and without calling anything; where it is not enough, all is done anew by who knows of
 * the rest.
 *
 * Return: as for ->d_revalidate()
 */
int fuse_backed_revalidate(struct inode *dir, const struct qstr *name,
			   struct dentry *entry, unsigned int flags)
{
	struct mnt_idmap *idmap = fuse_backed_idmap(dir);
	struct inode *inode = d_inode_rcu(entry);

	if (likely(flags & LOOKUP_RCU && idmap == &nop_mnt_idmap) &&
	    fuse_backed_straight(dir, NULL, FUSE_LOOKUP) &&
	    fuse_backed_name_ours(dir, inode) && fuse_backed_name_valid_rcu(dir, entry) &&
	    (!inode || fuse_backed_has_rights(inode, idmap))) {
		fuse_backed_count(get_fuse_conn(dir), FUSE_LOOKUP, 0);
		return 1;
	}
	return fuse_backed_revalidate_slow(dir, name, entry, flags);
}
