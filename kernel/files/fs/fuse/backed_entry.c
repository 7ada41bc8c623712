// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backed inodes: those that a reply of the daemon attaches to a backing.
 *
 * Such an inode has a node id like a plain one, and is counted and forgotten like
 * one. Whether it is backed, and by what, is settled when it is made; a reply that
 * contradicts is about another file that has got the same node id.
 */

#include "dev.h"
#include "filter.h"

/**
 * struct fuse_entry_backing - what a reply says of a node's backing
 * @fb: the registration, NULL: none
 * @bound: filter of the node and of what is below it, NULL: none
 * @tag: the daemon's name for it
 * @names: names below are the backing's
 * @keep: none of the above is said: the node stays what it is
 */
struct fuse_entry_backing {
	struct fuse_backing *fb;
	struct fuse_filter_bound *bound;
	u64 tag;
	bool names;
	bool keep;
};

static void fuse_entry_backing_put(const struct fuse_entry_backing *eb)
{
	fuse_backing_put(eb->fb);
	fuse_filter_bound_put(eb->bound);
}

static bool fuse_backed_takes_entries(const struct fuse_conn *fc)
{
	const struct fuse_backed_conn *fbc = READ_ONCE(fc->backed);

	return fbc && READ_ONCE(fbc->entries);
}

/**
 * fuse_entry_backing_arg - make room for the optional part of a reply
 * @fc: connection
 * @args: request whose other parts are set up
 * @out: where the part will be
 *
 * Whether the daemon may use it is decided when the reply is there: it may
 * register its first backing to answer this very request.
 */
void fuse_entry_backing_arg(struct fuse_conn *fc, struct fuse_args *args,
			    struct fuse_entry_backing_out *out)
{
	struct fuse_arg *arg;

	/* On no other connection can there be a registration */
	if (!fc->passthrough && !READ_ONCE(fc->backed))
		return;

	arg = &args->out_args[args->out_numargs++];
	arg->size = sizeof(*out);
	arg->value = out;
	args->out_argvar = true;
	args->out_backing = true;
}

/**
 * fuse_entry_backing_reply - a reply is there, and its size is to be checked
 * @fc: connection
 * @args: request with room for the part
 *
 * On a connection that has not registered any backing, sizes must be exact.
 */
void fuse_entry_backing_reply(struct fuse_conn *fc, struct fuse_args *args)
{
	if (fuse_backed_takes_entries(fc))
		return;

	args->out_numargs--;
	args->out_argvar = false;
	args->out_backing = false;
}

/**
 * fuse_backed_no_readdirplus - may READDIRPLUS not be used?
 * @fc: connection
 *
 * It cannot say what a node is backed by, and would make plain inodes.
 *
 * Return: true if it may not
 */
bool fuse_backed_no_readdirplus(const struct fuse_conn *fc)
{
	return fuse_backed_takes_entries(fc);
}

static bool fuse_entry_backing_valid(const struct fuse_entry_backing_out *out)
{
	if (out->reserved)
		return false;

	switch (out->flags) {
	case 0:
	case FUSE_BACKING_INHERIT:
		return out->backing_id > 0;
	case FUSE_BACKING_STOP:
	case FUSE_BACKING_KEEP:
		return !out->backing_id && !out->tag && !out->filter_id;
	default:
		return false;
	}
}

/* Can @fb back the node that @entry describes, in the way that @out says? */
static bool fuse_entry_backing_fits(const struct fuse_backing *fb,
				    const struct fuse_entry_out *entry,
				    const struct fuse_entry_backing_out *out)
{
	if (inode_wrong_type(file_inode(fb->file), entry->attr.mode))
		return false;
	if (!(out->flags & FUSE_BACKING_INHERIT))
		return fb->ops;
	return S_ISDIR(entry->attr.mode) && fb->ops & BIT_ULL(FUSE_LOOKUP);
}

static int fuse_entry_backing_find(struct fuse_conn *fc,
				   const struct fuse_entry_out *entry,
				   const struct fuse_entry_backing_out *out,
				   struct fuse_entry_backing *eb)
{
	struct fuse_backing *fb = fuse_backing_lookup(fc, out->backing_id);
	struct fuse_filter_bound *bound = ERR_PTR(-EIO);

	if (entry->nodeid != FUSE_ROOT_ID && fb &&
	    !fuse_backed_id_taken(fc, entry->nodeid) &&
	    fuse_entry_backing_fits(fb, entry, out))
		bound = fuse_filter_bound_get(fc, out->filter_id);
	if (IS_ERR(bound)) {
		fuse_backing_put(fb);
		return PTR_ERR(bound);
	}

	eb->fb = fb;
	eb->bound = bound;
	eb->tag = out->tag;
	eb->names = out->flags & FUSE_BACKING_INHERIT;
	return 0;
}

/*
 * Reads the optional part of a reply. On success, the caller must call
 * fuse_entry_backing_put().
 */
static int fuse_entry_backing_parse(struct fuse_conn *fc,
				    const struct fuse_args *args,
				    const struct fuse_entry_out *entry,
				    struct fuse_entry_backing *eb)
{
	const struct fuse_arg *arg = &args->out_args[args->out_numargs - 1];
	const struct fuse_entry_backing_out *out = arg->value;

	*eb = (struct fuse_entry_backing) {};
	if (!args->out_backing)
		return 0;
	if (fuse_backed_nodeid(fc, entry->nodeid))
		return -EIO;
	if (!arg->size)
		return 0;
	if (arg->size != sizeof(*out) || !fuse_entry_backing_valid(out))
		return -EIO;

	eb->keep = out->flags & FUSE_BACKING_KEEP;
	if (!out->backing_id)
		return 0;
	return fuse_entry_backing_find(fc, entry, out, eb);
}

/**
 * fuse_entry_no_node - a reply names no node
 * @args: the request
 *
 * Return: 0, -EIO if the reply nonetheless says what the node is backed by
 */
int fuse_entry_no_node(const struct fuse_args *args)
{
	if (args->out_backing && args->out_args[args->out_numargs - 1].size)
		return -EIO;
	return 0;
}

/* Is an inode, which is not the root, what a reply says it is? */
static bool fuse_entry_backing_same(const struct inode *inode,
				    const struct fuse_entry_backing *eb)
{
	const struct fuse_backed *fbk = fuse_backed(inode);

	if (eb->keep)
		return true;
	if (!eb->fb)
		return !fuse_inode_backed(inode);
	return fuse_inode_backed(inode) && fbk->fb == eb->fb &&
	       fbk->tag == eb->tag && fbk->names == eb->names &&
	       fuse_filter_bound_same(inode, eb->bound);
}

static void fuse_entry_count_lookup(struct inode *inode)
{
	struct fuse_inode *fi = get_fuse_inode(inode);

	spin_lock(&fi->lock);
	fi->nlookup++;
	spin_unlock(&fi->lock);
}

/* The backed inode that a node has, if it is still good; NULL if it has none. */
static struct inode *fuse_entry_iget_kept(struct super_block *sb,
					  struct fuse_entry_out *entry)
{
	struct inode *inode = ilookup5(sb, entry->nodeid, fuse_inode_eq,
				       &entry->nodeid);

	if (!inode)
		return NULL;
	if (!fuse_inode_backed(inode) || fuse_is_bad(inode) ||
	    fuse_stale_inode(inode, entry->generation, &entry->attr)) {
		iput(inode);
		return NULL;
	}

	fuse_entry_count_lookup(inode);
	fuse_backed_copyattr(inode);
	return inode;
}

static struct inode *fuse_entry_iget_backed(struct super_block *sb,
					    struct fuse_entry_out *entry,
					    const struct fuse_entry_backing *eb)
{
	const struct fuse_backed what = {
		.fb = eb->fb,
		.dentry = eb->fb->file->f_path.dentry,
		.tag = eb->tag,
		.names = eb->names,
	};
	struct inode *inode;

retry:
	inode = iget5_locked(sb, entry->nodeid, fuse_inode_eq, fuse_inode_set,
			     &entry->nodeid);
	if (!inode)
		return NULL;

	if (inode_state_read_once(inode) & I_NEW) {
		fuse_backed_init_inode(inode, &what);
		fuse_filter_bind(inode, eb->bound);
		inode->i_generation = entry->generation;
		fuse_entry_count_lookup(inode);
		unlock_new_inode(inode);
		return inode;
	}

	if (fuse_stale_inode(inode, entry->generation, &entry->attr) ||
	    !fuse_entry_backing_same(inode, eb)) {
		/* As fuse_iget() does with a node id that was reused */
		fuse_make_bad(inode);
		remove_inode_hash(inode);
		iput(inode);
		goto retry;
	}

	fuse_entry_count_lookup(inode);
	fuse_backed_copyattr(inode);
	return inode;
}

/**
 * fuse_entry_iget - the inode that a reply names
 * @sb: super block
 * @entry: first part of the reply, with a node id
 * @args: the request
 * @attr_version: as for fuse_iget()
 * @evict_ctr: as for fuse_iget()
 *
 * Return: an inode with a reference for the caller, whose lookup is counted; -EIO
 * the reply is wrong, -ENOMEM: the caller must send FORGET
 */
struct inode *fuse_entry_iget(struct super_block *sb, struct fuse_entry_out *entry,
			      const struct fuse_args *args, u64 attr_version,
			      u64 evict_ctr)
{
	struct fuse_conn *fc = get_fuse_conn_super(sb);
	struct fuse_entry_backing eb;
	struct inode *inode = NULL;
	int err;

	err = fuse_entry_backing_parse(fc, args, entry, &eb);
	if (err)
		return ERR_PTR(err);

	if (eb.fb) {
		inode = fuse_entry_iget_backed(sb, entry, &eb);
		fuse_entry_backing_put(&eb);
		return inode ?: ERR_PTR(-ENOMEM);
	}

	if (eb.keep)
		inode = fuse_entry_iget_kept(sb, entry);
	if (!inode)
		inode = fuse_iget(sb, entry->nodeid, entry->generation,
				  &entry->attr, ATTR_TIMEOUT(entry),
				  attr_version, evict_ctr);
	return inode ?: ERR_PTR(-ENOMEM);
}

/**
 * fuse_entry_same_backing - does a reply say of an inode what it is?
 * @inode: inode that has the node id of the reply
 * @entry: first part of the reply
 * @args: the request
 *
 * Return: false if the reply is wrong, or gives the node another backing
 */
bool fuse_entry_same_backing(struct inode *inode,
			     const struct fuse_entry_out *entry,
			     const struct fuse_args *args)
{
	struct fuse_entry_backing eb;
	bool same;

	if (fuse_entry_backing_parse(get_fuse_conn(inode), args, entry, &eb))
		return false;

	same = fuse_entry_backing_same(inode, &eb);
	fuse_entry_backing_put(&eb);
	return same;
}

/**
 * fuse_backed_open_daemon - open a file on a backed inode with the daemon
 * @inode: backed inode
 * @file: file that is being opened
 *
 * All that is done with the file is the daemon's from here on.
 *
 * Return: 0, -EIO if the daemon does not know the inode, or what it says
 */
int fuse_backed_open_daemon(struct inode *inode, struct file *file)
{
	if (!fuse_backed_daemon_knows(inode))
		return -EIO;

	file->f_op = &fuse_file_operations;
	return file->f_op->open(inode, file);
}

/**
 * fuse_backed_opened_daemon - the daemon has opened a file
 * @inode: inode, backed or not
 * @file: the file
 *
 * The daemon's data must not be cached in an inode whose size is the backing's.
 */
void fuse_backed_opened_daemon(struct inode *inode, struct file *file)
{
	struct fuse_file *ff = file->private_data;

	if (!fuse_inode_backed(inode))
		return;

	if (S_ISDIR(inode->i_mode)) {
		ff->open_flags &= ~FOPEN_CACHE_DIR;
		return;
	}
	/* A file that was created comes here with the inode's operations */
	file->f_op = &fuse_file_operations;
	if (!(ff->open_flags & FOPEN_PASSTHROUGH))
		ff->open_flags |= FOPEN_DIRECT_IO;
}

/**
 * fuse_backed_opens - is a file that was created opened on the backing?
 * @inode: the new inode
 *
 * Return: true if it is; then the daemon's handle is of no use
 */
bool fuse_backed_opens(const struct inode *inode)
{
	return fuse_inode_backed(inode) &&
	       fuse_backed(inode)->fb->ops & BIT_ULL(FUSE_OPEN);
}

static struct inode_operations fuse_backed_node_dir_iops __ro_after_init;

/**
 * fuse_backed_init_dir - operations of a directory whose names are the daemon's
 * @inode: new directory that fuse_init_dir() has initialized
 */
void fuse_backed_init_dir(struct inode *inode)
{
	inode->i_op = &fuse_backed_node_dir_iops;
}

/**
 * fuse_backed_init - set up what cannot be written down at build time
 *
 * Operations on names are those of plain directories, the others those of backed
 * ones.
 */
void __init fuse_backed_init(void)
{
	struct inode_operations *ops = &fuse_backed_node_dir_iops;

	*ops = fuse_dir_inode_operations;
	ops->permission = fuse_backed_dir_iops.permission;
	ops->getattr = fuse_backed_dir_iops.getattr;
	ops->setattr = fuse_backed_dir_iops.setattr;
	ops->listxattr = fuse_backed_dir_iops.listxattr;
	ops->get_inode_acl = fuse_backed_dir_iops.get_inode_acl;
	ops->get_acl = fuse_backed_dir_iops.get_acl;
	ops->set_acl = fuse_backed_dir_iops.set_acl;
	ops->fileattr_get = fuse_backed_dir_iops.fileattr_get;
	ops->fileattr_set = fuse_backed_dir_iops.fileattr_set;
}
