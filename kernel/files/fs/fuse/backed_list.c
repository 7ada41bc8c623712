// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backings of a connection, listed: in its directory of the control file system,
 * and in the fdinfo of its device files.
 *
 * A registration holds a file open that belongs to no process, and so does each
 * open file of a backed inode with its backing file. What they keep busy must be
 * found here, as it is not found in /proc/PID/fd.
 */

#include "backed.h"
#include "dev.h"

#include <linux/seq_file.h>
#include <linux/uaccess.h>

/**
 * struct fuse_backing_iter - a walk over the registrations of a connection
 * @fc: connection, with a reference
 * @id: of @fb
 * @fb: registration, with a reference, or NULL
 */
struct fuse_backing_iter {
	struct fuse_conn *fc;
	int id;
	struct fuse_backing *fb;
};

/* The first registration from an id on. 0 is the root, which has none. */
static bool fuse_backing_iter_find(struct fuse_backing_iter *iter, int id)
{
	struct fuse_conn *fc = iter->fc;
	struct fuse_backed_conn *fbc = READ_ONCE(fc->backed);
	struct fuse_backing *fb = NULL;

	/* Keeps registrations in the map, and the root until umount */
	spin_lock(&fc->lock);
	if (!id && fbc)
		fb = fuse_backing_get(fbc->root);
	if (!fb) {
		id = max(id, 1);
		fb = fuse_backing_get(idr_get_next(&fc->backing_files_map, &id));
	}
	spin_unlock(&fc->lock);

	iter->id = id;
	iter->fb = fb;
	return fb;
}

static void fuse_backing_iter_put(struct fuse_backing_iter *iter)
{
	fuse_backing_put(iter->fb);
	iter->fb = NULL;
}

/*
 * Each inode that is served by a registration has a reference to it, and nobody
 * else for long, but the connection and we.
 */
static void fuse_backing_show(struct seq_file *m, const struct fuse_backing_iter *iter)
{
	unsigned int refs = refcount_read(&iter->fb->count) - 1;

	seq_printf(m, "id=%d refs=%u inodes=%u path=", iter->id, refs,
		   refs ? refs - 1 : 0);
	seq_path(m, &iter->fb->file->f_path, " \t\n\\");
	seq_putc(m, '\n');
}

/* Position 0 is the line about open files, N + 1 is id N. */
static void *fuse_backings_seek(struct fuse_backing_iter *iter, loff_t *pos)
{
	if (*pos > INT_MAX || !fuse_backing_iter_find(iter, *pos - 1))
		return NULL;
	*pos = iter->id + 1;
	return iter;
}

static void *fuse_backings_start(struct seq_file *m, loff_t *pos)
{
	return *pos ? fuse_backings_seek(m->private, pos) : SEQ_START_TOKEN;
}

static void *fuse_backings_next(struct seq_file *m, void *v, loff_t *pos)
{
	struct fuse_backing_iter *iter = m->private;

	fuse_backing_iter_put(iter);
	++*pos;
	return fuse_backings_seek(iter, pos);
}

static void fuse_backings_stop(struct seq_file *m, void *v)
{
	fuse_backing_iter_put(m->private);
}

static int fuse_backings_show(struct seq_file *m, void *v)
{
	struct fuse_backing_iter *iter = m->private;

	if (v == SEQ_START_TOKEN)
		seq_printf(m, "files=%u\n", fuse_backed_open_files(iter->fc));
	else
		fuse_backing_show(m, iter);
	return 0;
}

static const struct seq_operations fuse_backings_seq_ops = {
	.start	= fuse_backings_start,
	.next	= fuse_backings_next,
	.stop	= fuse_backings_stop,
	.show	= fuse_backings_show,
};

static int fuse_backings_open(struct inode *inode, struct file *file)
{
	struct fuse_conn *fc = fuse_ctl_file_conn_get(file);
	struct fuse_backing_iter *iter;

	/* It was unmounted since it was looked up */
	if (!fc)
		return -ENODEV;

	iter = __seq_open_private(file, &fuse_backings_seq_ops, sizeof(*iter));
	if (!iter) {
		fuse_conn_put(fc);
		return -ENOMEM;
	}
	iter->fc = fc;
	return 0;
}

static int fuse_backings_release(struct inode *inode, struct file *file)
{
	struct seq_file *m = file->private_data;
	struct fuse_backing_iter *iter = m->private;

	fuse_conn_put(iter->fc);
	return seq_release_private(inode, file);
}

const struct file_operations fuse_backings_fops = {
	.owner		= THIS_MODULE,
	.open		= fuse_backings_open,
	.read		= seq_read,
	.llseek		= seq_lseek,
	.release	= fuse_backings_release,
};

static int fuse_refusals_show(struct seq_file *m, void *v)
{
	struct fuse_conn *fc = m->private;
	struct fuse_backed_conn *fbc = READ_ONCE(fc->backed);

	if (fbc)
		fuse_backed_show_refusals(m, fbc);
	return 0;
}

/**
 * fuse_ctl_single_open - open a file of the control file system that is shown at once
 * @file: the file
 * @show: shows it; the connection is &seq_file.private
 *
 * Return: 0, -ENODEV the connection is gone, -ENOMEM
 */
int fuse_ctl_single_open(struct file *file, int (*show)(struct seq_file *m, void *v))
{
	struct fuse_conn *fc = fuse_ctl_file_conn_get(file);
	int err;

	if (!fc)
		return -ENODEV;

	err = single_open(file, show, fc);
	if (err)
		fuse_conn_put(fc);
	return err;
}

/**
 * fuse_ctl_single_release - undo fuse_ctl_single_open()
 * @inode: of the file
 * @file: the file
 *
 * Return: 0
 */
int fuse_ctl_single_release(struct inode *inode, struct file *file)
{
	struct seq_file *m = file->private_data;

	fuse_conn_put(m->private);
	return single_release(inode, file);
}

static int fuse_refusals_open(struct inode *inode, struct file *file)
{
	return fuse_ctl_single_open(file, fuse_refusals_show);
}

const struct file_operations fuse_refusals_fops = {
	.owner		= THIS_MODULE,
	.open		= fuse_refusals_open,
	.read		= seq_read,
	.llseek		= seq_lseek,
	.release	= fuse_ctl_single_release,
};

static ssize_t fuse_max_backing_files_read(struct file *file, char __user *buf,
					   size_t len, loff_t *ppos)
{
	struct fuse_conn *fc = fuse_ctl_file_conn_get(file);
	struct fuse_backed_conn *fbc;
	char text[16];

	if (!fc)
		return 0;

	fbc = READ_ONCE(fc->backed);
	snprintf(text, sizeof(text), "%u\n", fbc ? READ_ONCE(fbc->max_files) : 0);
	fuse_conn_put(fc);
	return simple_read_from_buffer(buf, len, ppos, text, strlen(text));
}

/* Whoever owns the connection may look, but not lift what the administrator set. */
static ssize_t fuse_max_backing_files_write(struct file *file,
					    const char __user *buf, size_t count,
					    loff_t *ppos)
{
	struct fuse_backed_conn *fbc;
	struct fuse_conn *fc;
	unsigned int max;
	int err;

	if (*ppos)
		return -EINVAL;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;

	err = kstrtouint_from_user(buf, count, 0, &max);
	if (err)
		return err;

	fc = fuse_ctl_file_conn_get(file);
	if (!fc)
		return -ENODEV;

	fbc = READ_ONCE(fc->backed);
	if (fbc)
		WRITE_ONCE(fbc->max_files, max);
	fuse_conn_put(fc);
	return fbc ? count : -EOPNOTSUPP;
}

const struct file_operations fuse_max_backing_files_fops = {
	.open		= nonseekable_open,
	.read		= fuse_max_backing_files_read,
	.write		= fuse_max_backing_files_write,
};

/**
 * fuse_backed_show_fdinfo - list the backings in the fdinfo of a device file
 * @m: where to
 * @fc: connection of the device
 */
void fuse_backed_show_fdinfo(struct seq_file *m, struct fuse_conn *fc)
{
	struct fuse_backing_iter iter = { .fc = fc };
	int id;

	for (id = 0; fuse_backing_iter_find(&iter, id); id = iter.id + 1) {
		seq_puts(m, "fuse_backing:\t");
		fuse_backing_show(m, &iter);
		fuse_backing_iter_put(&iter);
	}
}
