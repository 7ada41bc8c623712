// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backed inodes: names for the daemon.
 *
 * The daemon was never told of an inode that the kernel made, nor of a file that
 * the kernel opened. When it is to answer for one of them all the same, it is first
 * asked what it would have been asked on a mount without backing: a LOOKUP for each
 * name on the way down from the nearest ancestor that it knows, an OPEN. From then
 * on the inode has a node id of the daemon's, which eviction gives back, and the
 * file a handle, which the last close gives back.
 *
 * The inode is still found by its backing alone. No id that a reply or a
 * notification carries leads to it, and no other inode can have the id that it got:
 * filters tell by the id whether they were asked about a request.
 *
 * LOOKUP is sent with whatever locks the VFS holds for the operation, among them
 * those of the inodes named, as for any FUSE inode. Locks of ancestors are not
 * taken: that a name did not change meanwhile is verified afterwards.
 */

#include "backed.h"
#include "dev.h"
#include "filter.h"

#include <linux/dcache.h>
#include <linux/xarray.h>

/* How often a name may change under us before it is given up */
#define FUSE_BACKED_NAME_TRIES 8

/* What an answer to OPEN can say of a file that has no page cache */
#define FUSE_BACKED_OPEN_FLAGS \
	(FOPEN_PASSTHROUGH | FOPEN_DIRECT_IO | FOPEN_NOFLUSH)

/**
 * fuse_backed_daemon_knows - can the daemon be asked about an inode?
 * @inode: a backed inode
 *
 * Return: true if the daemon has a name for it
 */
bool fuse_backed_daemon_knows(const struct inode *inode)
{
	/* Pairs with fuse_backed_take_id(): the id is there */
	return !fuse_inode_kernel_made(inode) ||
	       test_bit_acquire(FUSE_I_NAMED, &get_fuse_inode(inode)->state);
}

/*
 * Ask for a name in a directory that the daemon knows. With 0, the daemon has counted
 * a lookup; with -ENOENT it does not have the name.
 */
static int fuse_backed_ask_name(struct inode *dir, const struct qstr *name,
				struct fuse_entry_out *out)
{
	FUSE_ARGS(args);
	struct fuse_mount *fm = get_fuse_mount(dir);
	bool locked;
	int err;

	if (name->len > fm->fc->name_max)
		return -ENAMETOOLONG;

	locked = fuse_lock_inode(dir);
	fuse_lookup_init(&args, get_node_id(dir), name, out);
	err = fuse_simple_request(fm, &args);
	fuse_unlock_inode(dir, locked);
	return err || out->nodeid ? err : -ENOENT;
}

/* Can what the daemon has found be @inode? */
static bool fuse_backed_may_be(const struct inode *inode, struct fuse_entry_out *out)
{
	return out->nodeid != FUSE_ROOT_ID && !(out->nodeid & FUSE_NODEID_KERNEL) &&
	       !fuse_invalid_attr(&out->attr) &&
	       !inode_wrong_type(inode, out->attr.mode) &&
	       !(out->attr.flags & FUSE_ATTR_SUBMOUNT);
}

/*
 * Does an inode that the daemon named by itself have the id? fuse_iget() looks for
 * ours after it has hashed one of its own, so that one of the two sees the other.
 */
static bool fuse_backed_id_in_use(struct super_block *sb, u64 nodeid)
{
	struct inode *inode;
	bool isnew;

	inode = ilookup5_nowait(sb, nodeid, fuse_inode_eq, &nodeid, &isnew);
	iput(inode);
	return inode;
}

/* Returns 0 if @inode has taken over the lookup that the daemon has counted. */
static int fuse_backed_take_id(struct inode *inode, u64 nodeid)
{
	struct fuse_backed_conn *fbc = get_fuse_conn(inode)->backed;
	struct fuse_inode *fi = get_fuse_inode(inode);
	int err;

	guard(mutex)(&fbc->named_lock);
	/* Whoever was faster has a lookup, and one will do */
	if (fuse_backed_daemon_knows(inode))
		return -EEXIST;

	err = xa_insert(&fbc->named, nodeid, inode, GFP_KERNEL_ACCOUNT);
	if (err)
		return err == -EBUSY ? -EIO : err;
	if (fuse_backed_id_in_use(inode->i_sb, nodeid)) {
		xa_erase(&fbc->named, nodeid);
		return -EIO;
	}

	spin_lock(&fi->lock);
	fi->nodeid = nodeid;
	fi->nlookup = 1;
	spin_unlock(&fi->lock);
	/* Pairs with fuse_backed_daemon_knows() */
	smp_mb__before_atomic();
	set_bit(FUSE_I_NAMED, &fi->state);
	return 0;
}

/*
 * Did @entry keep its name and place since @seq, and does the backing still have
 * there what we have?
 */
static int fuse_backed_name_kept(struct inode *dir, struct dentry *entry,
				 const struct qstr *name, unsigned int seq)
{
	if (read_seqcount_retry(&entry->d_seq, seq))
		return -EAGAIN;
	return fuse_backed_name_holds(dir, name, entry) ? 0 : -ESTALE;
}

static int fuse_backed_name_in(struct inode *dir, struct dentry *entry,
			       const struct qstr *name, unsigned int seq)
{
	struct fuse_forget_link *forget = fuse_alloc_forget();
	struct inode *inode = d_inode(entry);
	struct fuse_entry_out out;
	int err;

	if (!forget)
		return -ENOMEM;

	err = fuse_backed_ask_name(dir, name, &out);
	/* What exists cannot be said not to, unless it went away meanwhile */
	if (err == -ENOENT)
		err = fuse_backed_name_kept(dir, entry, name, seq) ?: -EIO;
	if (err)
		goto out_free;

	err = fuse_backed_name_kept(dir, entry, name, seq);
	if (!err && !fuse_backed_may_be(inode, &out))
		err = -EIO;
	if (!err)
		err = fuse_backed_take_id(inode, out.nodeid);
	if (!err)
		goto out_free;

	fuse_chan_queue_forget(get_fuse_conn(inode)->chan, forget, out.nodeid, 1);
	return err == -EEXIST ? 0 : err;

out_free:
	kfree(forget);
	return err;
}

/* Name what a dentry stands for, in a directory that the daemon knows. */
static int fuse_backed_name_entry(struct dentry *entry)
{
	unsigned int seq = read_seqcount_begin(&entry->d_seq);
	struct dentry *parent = dget_parent(entry);
	struct name_snapshot name;
	int err;

	take_dentry_name_snapshot(&name, entry);
	/* Removed, or never had a name: nothing that could be asked for */
	if (d_unhashed(entry) || IS_ROOT(entry) || !fuse_inode_backed(d_inode(parent)))
		err = -EIO;
	else if (!fuse_backed_daemon_knows(d_inode(parent)))
		err = -EAGAIN;
	else
		err = fuse_backed_name_in(d_inode(parent), entry, &name.name, seq);
	release_dentry_name_snapshot(&name);
	dput(parent);
	return err;
}

/*
 * The first dentry, on the way down to @entry, that the daemon has to be asked for.
 * Eats the reference to @entry.
 */
static struct dentry *fuse_backed_first_unknown(struct dentry *entry)
{
	struct dentry *parent = dget_parent(entry);

	while (parent != entry && !fuse_backed_daemon_knows(d_inode(parent))) {
		dput(entry);
		entry = parent;
		parent = dget_parent(entry);
	}
	dput(parent);
	return entry;
}

static int fuse_backed_name_inode(struct inode *inode)
{
	unsigned int changes = 0;
	struct dentry *entry;
	int err;

	while (!fuse_backed_daemon_knows(inode)) {
		entry = d_find_alias(inode);
		if (!entry)
			return -EIO;

		entry = fuse_backed_first_unknown(entry);
		err = fuse_backed_name_entry(entry);
		dput(entry);
		if (err == -EAGAIN)
			err = ++changes < FUSE_BACKED_NAME_TRIES ? 0 : -ESTALE;
		if (err)
			return err;
	}
	return 0;
}

/*
 * A daemon that passes a file through has its bytes read from what the id names. An
 * inode has one backing, whose size and times are its own, so that is what the id must
 * name. What is wrong about it is the daemon's mistake, as in mainline.
 */
static int fuse_backed_check_passthrough(struct inode *inode,
					 const struct fuse_open_out *out)
{
	struct fuse_conn *fc = get_fuse_conn(inode);
	struct fuse_backing *fb = NULL;
	bool same;

	if (!(out->open_flags & FOPEN_PASSTHROUGH))
		return 0;

	if (fc->passthrough && !(out->open_flags & ~FOPEN_PASSTHROUGH_MASK) &&
	    out->backing_id > 0)
		fb = fuse_backing_lookup(fc, out->backing_id);
	same = fb && d_inode(fb->file->f_path.dentry) ==
		     d_inode(fuse_backed(inode)->dentry);
	fuse_backing_put(fb);
	if (same)
		return 0;
	return fuse_backed_refuse(inode, FUSE_OPEN, FUSE_REFUSED_PASSTHROUGH, -EIO);
}

static int fuse_backed_send_open(struct fuse_file *ff, struct file *file)
{
	struct inode *inode = file_inode(file);
	bool isdir = S_ISDIR(inode->i_mode);
	struct fuse_conn *fc = ff->fm->fc;
	union fuse_file_args *args;
	int err;

	ff->nodeid = get_node_id(inode);
	if (isdir ? fc->no_opendir : fc->no_open)
		return 0;

	/* Room for the request at release, which must not fail */
	args = kzalloc_obj(*args, GFP_KERNEL_ACCOUNT);
	if (!args)
		return -ENOMEM;

	/* Truncation is a SETATTR of its own. Whoever opened the file opens it here */
	scoped_with_creds(file->f_cred)
		err = fuse_send_open(ff->fm, ff->nodeid, file->f_flags & ~O_TRUNC,
				     isdir ? FUSE_OPENDIR : FUSE_OPEN,
				     &args->open_outarg);
	if (!err) {
		/* Released by the last close, also if the rest of the answer is wrong */
		ff->fh = args->open_outarg.fh;
		ff->args = args;
		if (isdir)
			return 0;
		ff->open_flags = args->open_outarg.open_flags & FUSE_BACKED_OPEN_FLAGS;
		return fuse_backed_check_passthrough(inode, &args->open_outarg);
	}

	kfree(args);
	if (err != -ENOSYS)
		return err;
	if (isdir)
		fc->no_opendir = 1;
	else
		fc->no_open = 1;
	return 0;
}

/**
 * fuse_backed_open_server - have the daemon open a file that the kernel opened
 * @file: open file on a backed inode
 *
 * Asked once for each struct fuse_file, which then has the daemon's handle. Flags
 * in the answer about the page cache mean nothing: there is none.
 *
 * Context: may sleep, without fi->mutex
 * Return: 0, or a negative errno: as for fuse_backed_prepare(), or the daemon's; -EIO
 * the daemon passes through what it cannot
 */
int fuse_backed_open_server(struct file *file)
{
	struct fuse_inode *fi = get_fuse_inode(file_inode(file));
	struct fuse_file *ff = file->private_data;
	int err;

	if (fuse_backed_has_handle(ff))
		return 0;

	err = fuse_backed_name_inode(&fi->inode);
	if (err)
		return err;

	/* Somebody else may be waiting for an answer that never comes */
	err = mutex_lock_killable(&fi->mutex);
	if (err)
		return err;
	if (!fuse_backed_has_handle(ff)) {
		/* Who has given a wrong answer is not asked again */
		err = ff->args ? -EIO : fuse_backed_send_open(ff, file);
		if (!err)
			/* Pairs with fuse_backed_has_handle() */
			smp_store_release(&ff->opened, true);
	}
	mutex_unlock(&fi->mutex);
	return err;
}

/* What a call is about but the name: what there is to know for the daemon */
static struct inode *fuse_backed_subject(const struct fuse_backed_call *call)
{
	return !call->dir || call->opcode == FUSE_LINK ? call->inode : NULL;
}

/**
 * fuse_backed_name - make sure that the daemon knows what a call is about
 * @call: an operation that the daemon is to be told of
 *
 * Context: any lock that the VFS holds for the operation; sends requests and
 * sleeps unless @call->rcu
 * Return: 0; -ECHILD in RCU-walk, if there is something to do; -ENOTCONN no daemon;
 * -EIO an inode has no name any more, or the daemon gave an answer that cannot be
 * its; -ESTALE the name stands for something else now; -ENOMEM; -EINTR; or what the
 * daemon said
 */
int fuse_backed_name(const struct fuse_backed_call *call)
{
	struct inode *inodes[] = {
		call->dir,
		call->args ? call->args->newdir : NULL,
		fuse_backed_subject(call),
	};
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(inodes); i++) {
		if (!inodes[i] || fuse_backed_daemon_knows(inodes[i]))
			continue;
		err = call->rcu ? -ECHILD : fuse_backed_name_inode(inodes[i]);
		if (err == -EIO || err == -ESTALE)
			fuse_backed_refuse(inodes[i], call->opcode,
					   FUSE_REFUSED_UNNAMED, err);
		if (err)
			return err;
	}
	return 0;
}

/**
 * fuse_backed_prepare - make sure that the daemon can answer a call
 * @call: an operation that the daemon is to answer
 *
 * Context: as for fuse_backed_name()
 * Return: 0, or a negative errno: as for fuse_backed_name(), and what the daemon
 * said to the open of the call's file
 */
int fuse_backed_prepare(const struct fuse_backed_call *call)
{
	int err = fuse_backed_name(call);

	return err || !call->file ? err : fuse_backed_open_server(call->file);
}

/**
 * fuse_backed_id_taken - does a kernel-made inode have a node id?
 * @fc: any connection
 * @nodeid: id of the daemon's
 *
 * Return: true if no other inode can have it
 */
bool fuse_backed_id_taken(struct fuse_conn *fc, u64 nodeid)
{
	return fc->backed && xa_load(&fc->backed->named, nodeid);
}

/**
 * fuse_backed_forget_id - an inode is evicted
 * @inode: backed inode
 *
 * Its node id may name another one from now on. The daemon learns that from the
 * FORGET that fuse_evict_inode() sends after this.
 */
void fuse_backed_forget_id(struct inode *inode)
{
	if (test_bit(FUSE_I_NAMED, &get_fuse_inode(inode)->state))
		xa_erase(&get_fuse_conn(inode)->backed->named, get_node_id(inode));
}
