// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backed inodes: mounts whose root directory is backed, with a daemon or
 * without.
 *
 * A daemonless mount has a connection that is aborted from the start: whatever
 * would go to a daemon ends with ENOTCONN.
 */

#include "backed.h"
#include "dev.h"
#include "filter.h"

#include <linux/file.h>
#include <linux/fs_context.h>
#include <linux/fs_parser.h>
#include <linux/seq_file.h>

/**
 * fuse_backed_parse_fd - take the mount option "backing"
 * @fsc: context of the mount
 * @param: the option, which may hold a file
 * @fd: file descriptor number, where @param holds none
 *
 * O_PATH descriptors are taken. Everything but the descriptor itself is checked
 * by fuse_backed_check_context(), when all options are known.
 *
 * Return: 0, -EINVAL given twice, -EBADF no such descriptor
 */
int fuse_backed_parse_fd(struct fs_context *fsc, struct fs_parameter *param,
			 int fd)
{
	struct fuse_fs_context *ctx = fsc->fs_private;

	if (ctx->backing)
		return invalfc(fsc, "Multiple backings specified");

	ctx->backing = param->type == fs_value_is_file ?
		get_file(param->file) : fget_raw(fd);
	return ctx->backing ? 0 : -EBADF;
}

/* Is a stack of file systems on top of @sb one that we can add to? */
static int fuse_backed_check_stack(struct fs_context *fsc, struct super_block *sb)
{
	if (sb->s_type == fsc->fs_type && get_fuse_conn_super(sb)->backed) {
		errorfc(fsc, "backing is itself on a backed mount");
		return -ELOOP;
	}
	if (sb->s_stack_depth >= FILESYSTEM_MAX_STACK_DEPTH) {
		errorfc(fsc, "backing is stacked too deep");
		return -ELOOP;
	}
	return 0;
}

static int fuse_backed_check_backing(struct fs_context *fsc)
{
	struct fuse_fs_context *ctx = fsc->fs_private;
	const struct dentry *dentry = ctx->backing->f_path.dentry;

	/* As for any registration of a backing file: see fuse-passthrough.rst */
	if (fsc->user_ns != &init_user_ns || !capable(CAP_SYS_ADMIN)) {
		errorfc(fsc, "a backing needs CAP_SYS_ADMIN");
		return -EPERM;
	}
	if (ctx->is_bdev)
		return invalfc(fsc, "a block device mount takes no backing");
	if (ctx->fud && fuse_dev_is_installed(ctx->fud))
		return invalfc(fsc, "fuse device is mounted already");
	if (!d_is_dir(dentry)) {
		errorfc(fsc, "backing is no directory");
		return -ENOTDIR;
	}
	if (!fuse_backed_spells(dentry)) {
		errorfc(fsc, "backing compares names by rules of its own");
		return -EOPNOTSUPP;
	}
	return fuse_backed_check_stack(fsc, dentry->d_sb);
}

/**
 * fuse_backed_check_context - do the options of a mount go together?
 * @fsc: context of the mount, with all options in
 *
 * Fills in what a mount with a daemon has to say of itself and one without need
 * not: the type of the root, the owner.
 *
 * Return: 0; EINVAL options that contradict, EPERM no CAP_SYS_ADMIN, ENOTDIR,
 * ELOOP on a backed mount or stacked too deep, EOPNOTSUPP names with several
 * spellings
 */
int fuse_backed_check_context(struct fs_context *fsc)
{
	struct fuse_fs_context *ctx = fsc->fs_private;
	int err;

	if (!ctx->backing)
		return ctx->daemonless ?
			invalfc(fsc, "daemonless needs a backing") : 0;
	if (ctx->daemonless && ctx->fud)
		return invalfc(fsc, "daemonless and fd contradict");

	err = fuse_backed_check_backing(fsc);
	if (err)
		return err;

	if (!ctx->daemonless)
		return S_ISDIR(ctx->rootmode) ? 0 :
			invalfc(fsc, "a backed root is a directory");

	ctx->rootmode = file_inode(ctx->backing)->i_mode;
	ctx->rootmode_present = true;
	if (!ctx->user_id_present)
		ctx->user_id = current_euid();
	if (!ctx->group_id_present)
		ctx->group_id = current_egid();
	ctx->user_id_present = true;
	ctx->group_id_present = true;
	return 0;
}

/**
 * fuse_backed_conn_new - make what a connection needs to have backed inodes
 *
 * Return: an empty one, NULL if out of memory
 */
struct fuse_backed_conn *fuse_backed_conn_new(void)
{
	struct fuse_backed_conn *fbc = kzalloc_obj(*fbc, GFP_KERNEL_ACCOUNT);

	if (!fbc)
		return NULL;

	fbc->stats = __alloc_percpu_gfp(sizeof(*fbc->stats) * FUSE_BACKED_NR_OPS,
					__alignof__(*fbc->stats),
					GFP_KERNEL_ACCOUNT);
	INIT_LIST_HEAD(&fbc->backings);
	xa_init(&fbc->named);
	mutex_init(&fbc->named_lock);
	if (fbc->stats && !percpu_counter_init(&fbc->files, 0, GFP_KERNEL_ACCOUNT))
		return fbc;

	free_percpu(fbc->stats);
	kfree(fbc);
	return NULL;
}

/**
 * fuse_backed_conn_put - free what fuse_backed_conn_new() made
 * @fbc: what nobody uses, or NULL
 */
void fuse_backed_conn_put(struct fuse_backed_conn *fbc)
{
	if (!fbc)
		return;

	/* Every inode took its entry with it, and an empty xarray owns nothing */
	WARN_ON_ONCE(!xa_empty(&fbc->named));
	percpu_counter_destroy(&fbc->files);
	free_percpu(fbc->stats);
	mutex_destroy(&fbc->named_lock);
	kfree(fbc);
}

/**
 * fuse_backed_fill_super - back the root of a mount that is being made
 * @sb: super block with its root
 * @ctx: mount context, checked
 *
 * Return: 0, -ENOMEM
 */
int fuse_backed_fill_super(struct super_block *sb, struct fuse_fs_context *ctx)
{
	struct fuse_conn *fc = get_fuse_conn_super(sb);
	struct fuse_backed what = { .names = true };
	struct fuse_backed_conn *fbc;

	if (!ctx->backing)
		return 0;

	fbc = fuse_backed_conn_new();
	if (!fbc)
		return -ENOMEM;
	fbc->daemonless = ctx->daemonless;
	/* The control file system has the connection already */
	smp_store_release(&fc->backed, fbc);

	/* On failure, fuse_backed_umount() and fuse_backed_conn_free() follow */
	what.fb = fuse_backing_new(fbc, ctx->backing, FUSE_BACKING_ALL_OPS);
	if (!what.fb)
		return -ENOMEM;

	fbc->root = what.fb;
	what.dentry = ctx->backing->f_path.dentry;
	sb->s_stack_depth = what.dentry->d_sb->s_stack_depth + 1;
	/* Those of FUSE would ask the daemon about nodes that it has no name for */
	sb->s_export_op = &fuse_backed_export_ops;
	fuse_backed_restrict_super(sb, fbc->root);
	fuse_backed_init_inode(d_inode(sb->s_root), &what);

	if (ctx->daemonless)
		fuse_chan_abort(fc->chan, false);
	return 0;
}

/**
 * fuse_backed_show_options - say in /proc/mounts what a mount is backed by
 * @m: where to
 * @fc: any connection
 */
void fuse_backed_show_options(struct seq_file *m, struct fuse_conn *fc)
{
	if (!fc->backed || !fc->backed->root)
		return;

	seq_puts(m, ",backing=");
	seq_path(m, &fc->backed->root->file->f_path, " \t\n\\,");
	if (fc->backed->daemonless)
		seq_puts(m, ",daemonless");
}

/**
 * fuse_backed_umount - let go of the backing and of the filters
 * @fc: connection whose last mount is gone
 *
 * A daemon may keep the connection for as long as it likes, but not what the
 * connection was about.
 */
void fuse_backed_umount(struct fuse_conn *fc)
{
	struct fuse_backing *root;

	fuse_filter_end(fc);
	fuse_backing_unregister_all(fc);
	if (!fc->backed)
		return;

	/* A listing may be looking at it */
	spin_lock(&fc->lock);
	root = fc->backed->root;
	fc->backed->root = NULL;
	spin_unlock(&fc->lock);
	fuse_backing_unlist_all(fc->backed);
	fuse_backing_put(root);
}

/**
 * fuse_backed_conn_free - free what RCU-walk may have used until now
 * @fc: connection that is being freed, after a grace period
 */
void fuse_backed_conn_free(struct fuse_conn *fc)
{
	fuse_backed_conn_put(fc->backed);
}
