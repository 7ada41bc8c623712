// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backed inodes: registrations, and the ids by which a daemon names them.
 *
 * The ids are those of mainline's backing files: one space, two requests. A
 * registration of ours can be used for both, one of mainline's for open files only:
 * its credentials may be above quotas, and it says nothing of the opcodes.
 */

#include "backed.h"
#include "dev.h"

#include <linux/cred.h>
#include <linux/file.h>

/**
 * fuse_backing_new - make a registration
 * @fbc: connection that is mounted, or is being mounted
 * @file: what is registered; a reference is taken
 * @ops: opcodes that it serves, not 0
 *
 * It has the credentials of the caller.
 *
 * Return: a registration with one reference, NULL if out of memory
 */
struct fuse_backing *fuse_backing_new(struct fuse_backed_conn *fbc,
				      struct file *file, u64 ops)
{
	struct fuse_backing *fb = kzalloc_obj(*fb, GFP_KERNEL_ACCOUNT);
	struct cred *cred = prepare_creds();

	if (!fb || !cred) {
		if (cred)
			abort_creds(cred);
		kfree(fb);
		return NULL;
	}

	/* Quotas and reserved blocks are the caller's, not the mounter's */
	cap_lower(cred->cap_effective, CAP_SYS_RESOURCE);
	fb->file = get_file(file);
	fb->mnt = file->f_path.mnt;
	fb->cred = cred;
	fb->ops = ops;
	refcount_set(&fb->count, 1);
	fuse_backing_list(fbc, fb);
	return fb;
}

/* Of a group of opcodes, all are in a set or none. */
static bool fuse_backing_ops_whole(u64 ops, u64 group)
{
	return !(ops & group) || (ops & group) == group;
}

/*
 * What the daemon may leave out are opens, with all that follows from where a file
 * was opened, and names, with all that follows from who finds them. Attributes of
 * one inode from two places could not be kept apart.
 */
static int fuse_backing_parse_ops(const u64 ops[2], u64 *mask)
{
	const u64 optional = FUSE_BACKING_FILE_OPS | FUSE_BACKING_NAME_OPS;
	const u64 all = fuse_backed_all_ops();

	if (!ops[0] && !ops[1]) {
		*mask = FUSE_BACKING_ALL_OPS;
		return 0;
	}
	if (ops[1] || (ops[0] | optional) != all ||
	    !fuse_backing_ops_whole(ops[0], FUSE_BACKING_FILE_OPS) ||
	    !fuse_backing_ops_whole(ops[0], FUSE_BACKING_NAME_OPS))
		return -EINVAL;

	*mask = ops[0];
	return 0;
}

/* Above how many file systems has the mount declared that it may be? */
static int fuse_backing_depth(const struct fuse_conn *fc)
{
	int depth = fc->passthrough ? fc->max_stack_depth : 0;

	if (fc->backed && fc->backed->root)
		depth = max(depth, fc->backed->root->mnt->mnt_sb->s_stack_depth + 1);
	return depth;
}

static int fuse_backing_check_conn(const struct fuse_conn *fc)
{
	if (list_empty(&fc->mounts))
		return -ENODEV;
	/* Only now is it known what the daemon has chosen */
	if (!fc->conn_init)
		return -EPERM;
	/* As for passthrough: cached writes beside the backing's would be lost */
	if (fc->writeback_cache)
		return -EOPNOTSUPP;
	return 0;
}

static int fuse_backing_check_file(const struct fuse_conn *fc,
				   const struct file *file)
{
	const struct dentry *dentry = file->f_path.dentry;
	struct super_block *sb = dentry->d_sb;
	int depth = fuse_backing_depth(fc);

	if (!depth)
		return -EPERM;
	if (sb->s_xattr == fuse_xattr_handlers &&
	    (get_fuse_conn_super(sb) == fc || get_fuse_conn_super(sb)->backed))
		return -ELOOP;
	if (sb->s_stack_depth >= depth)
		return -ELOOP;
	if (d_is_dir(dentry))
		return fuse_backed_spells(dentry) ? 0 : -EOPNOTSUPP;
	/* Files in memory are fine; sockets and pipes have no open() */
	if (sb->s_flags & SB_NOUSER && !d_is_reg(dentry))
		return -EINVAL;
	return 0;
}

/* A plain mount becomes one that can have backed inodes, and stays it. */
static int fuse_backing_opt_in(struct fuse_conn *fc)
{
	struct fuse_backed_conn *fbc;

	if (!READ_ONCE(fc->backed)) {
		fbc = fuse_backed_conn_new();
		if (!fbc)
			return -ENOMEM;
		if (cmpxchg(&fc->backed, NULL, fbc))
			fuse_backed_conn_put(fbc);
	}
	WRITE_ONCE(fc->backed->entries, true);
	return 0;
}

static int fuse_backing_add(struct fuse_conn *fc, struct file *file, u64 ops)
{
	struct fuse_mount *fm = list_first_entry(&fc->mounts, struct fuse_mount,
						 fc_entry);
	struct fuse_backing *fb = fuse_backing_new(fc->backed, file, ops);
	int id;

	if (!fb)
		return -ENOMEM;

	fuse_backed_restrict_super(fm->sb, fb);
	id = fuse_backing_id_alloc(fc, fb);
	if (id < 0)
		fuse_backing_put(fb);
	return id;
}

/**
 * fuse_backing_register - register a backing for an id
 * @fc: connection
 * @open: what and how; the id is filled in
 *
 * Return: 0, or the errnos of struct fuse_backing_open
 */
int fuse_backing_register(struct fuse_conn *fc, struct fuse_backing_open *open)
{
	struct file *file;
	u64 ops;
	int err;

	if (!capable(CAP_SYS_ADMIN) || fc->user_ns != &init_user_ns)
		return -EPERM;

	err = fuse_backing_parse_ops(open->ops, &ops);
	if (err)
		return err;

	file = fget_raw(open->fd);
	if (!file)
		return -EBADF;

	/* The last umount takes this lock, and closes all ids after that */
	down_read(&fc->killsb);
	err = fuse_backing_check_conn(fc);
	if (!err)
		err = fuse_backing_check_file(fc, file);
	if (!err)
		err = fuse_backing_opt_in(fc);
	if (!err)
		err = fuse_backing_add(fc, file, ops);
	up_read(&fc->killsb);
	fput(file);
	if (err < 0)
		return err;

	open->id = err;
	return 0;
}

/**
 * fuse_backing_unregister - close an id
 * @fc: connection
 * @id: id of any kind
 *
 * Return: 0, -ENOENT, -EPERM
 */
int fuse_backing_unregister(struct fuse_conn *fc, u32 id)
{
	struct fuse_backing *fb;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (!id || id > INT_MAX)
		return -ENOENT;

	fb = fuse_backing_id_remove(fc, id);
	if (!fb)
		return -ENOENT;

	fuse_backing_put(fb);
	return 0;
}

static struct fuse_backing *fuse_backing_take_next(struct fuse_conn *fc, int *id)
{
	struct fuse_backing *fb;

	guard(spinlock)(&fc->lock);
	idr_for_each_entry_continue(&fc->backing_files_map, fb, *id) {
		if (fb->ops)
			return idr_remove(&fc->backing_files_map, *id);
	}
	return NULL;
}

/**
 * fuse_backing_unregister_all - close the ids that can back inodes
 * @fc: connection whose last mount is gone; no id is added any more
 *
 * Those of mainline stay, as ever, until the daemon closes the device.
 */
void fuse_backing_unregister_all(struct fuse_conn *fc)
{
	struct fuse_backing *fb;
	int id = 0;

	while ((fb = fuse_backing_take_next(fc, &id)))
		fuse_backing_put(fb);
}

/**
 * fuse_backed_default_route - who answers a call that no filter has a say about
 * @call: the operation
 *
 * Return: enum fuse_route
 */
int fuse_backed_default_route(const struct fuse_backed_call *call)
{
	const u64 bytes = BIT_ULL(FUSE_READ) | BIT_ULL(FUSE_WRITE);
	const struct fuse_backing *fb = fuse_backed(call->dir ?: call->inode)->fb;
	const struct fuse_file *ff = call->file ? call->file->private_data : NULL;

	/* A file is the daemon's if a filter had the daemon open it */
	if (ff && ff->server)
		return bytes & BIT_ULL(call->opcode) && fuse_backed_passes(ff) ?
		       FUSE_ROUTE_BACKING : FUSE_ROUTE_DAEMON;
	return fuse_backed_serves(fb, call->opcode) ? FUSE_ROUTE_BACKING :
						      FUSE_ROUTE_DAEMON;
}
