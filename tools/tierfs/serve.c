// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel asks: all that the filter does not leave to the backing. The session
 * is stock libfuse.
 *
 * The kernel has checked permission, on its own inode and on the backing's.
 */
#define FUSE_USE_VERSION 317

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/falloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tierfs.h"

static uint64_t whole_limit;
static volatile bool ending;

typedef ssize_t (*file_fn)(struct node *node, int fd, void *arg);

/* Run a function on a regular file, which is open for it, with the node locked */
static ssize_t on_file(fuse_ino_t ino, file_fn fn, void *arg)
{
	struct node *node = node_of(ino);
	struct stat st;
	ssize_t ret;
	int fd;

	if (fstat(node->fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	pthread_mutex_lock(&node->lock);
	fd = node_open(node, O_RDWR);
	ret = fd < 0 ? fd : fn(node, fd, arg);
	if (fd >= 0)
		close(fd);
	pthread_mutex_unlock(&node->lock);
	return ret;
}

static void tier_init(void *arg, struct fuse_conn_info *conn)
{
	(void)arg;
	fuse_unset_feature_flag(conn, FUSE_CAP_WRITEBACK_CACHE);
	/* OPEN does not say O_TRUNC here: it is a request of its own */
	fuse_unset_feature_flag(conn, FUSE_CAP_ATOMIC_O_TRUNC);
	/* Bytes are sent from the file that has them */
	fuse_set_feature_flag(conn, FUSE_CAP_SPLICE_WRITE);
}

static void tier_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = {};
	struct node *node;
	int err;

	err = node_find(node_of(parent), name, &node, &entry.attr);
	if (err) {
		fuse_reply_err(req, -err);
		return;
	}
	entry.ino = node_id(node);
	entry.generation = 1;
	if (fuse_reply_entry(req, &entry))
		node_put(node, 1);
}

static void tier_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups)
{
	node_put(node_of(ino), lookups);
	fuse_reply_none(req);
}

static void tier_forget_multi(fuse_req_t req, size_t nr, struct fuse_forget_data *forgets)
{
	size_t i;

	for (i = 0; i < nr; i++)
		node_put(node_of(forgets[i].ino), forgets[i].nlookup);
	fuse_reply_none(req);
}

static void reply_attr(fuse_req_t req, const struct node *node)
{
	struct stat st;

	if (fstat(node->fd, &st))
		fuse_reply_err(req, errno);
	else
		fuse_reply_attr(req, &st, 0);
}

static void tier_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)fi;
	reply_attr(req, node_of(ino));
}

static struct timespec time_of(int to_set, int set, int now, const struct timespec *time)
{
	if (to_set & now)
		return (struct timespec){ .tv_nsec = UTIME_NOW };
	if (to_set & set)
		return *time;
	return (struct timespec){ .tv_nsec = UTIME_OMIT };
}

static int set_size(struct node *node, int fd, off_t size)
{
	int err = tier_change(node, fd, size > 0);

	if (err)
		return err;
	filter_set_whole(node->ino, TIER_WHOLE | TIER_DIRTY | TIER_WRITTEN);
	return ftruncate(fd, size) ? -errno : 0;
}

struct new_attr {
	const struct stat *attr;
	int to_set;
};

static ssize_t set_attr(struct node *node, int fd, void *arg)
{
	const struct new_attr *new = arg;
	const struct stat *attr = new->attr;
	const int to_set = new->to_set;
	const struct timespec times[2] = {
		time_of(to_set, FUSE_SET_ATTR_ATIME, FUSE_SET_ATTR_ATIME_NOW, &attr->st_atim),
		time_of(to_set, FUSE_SET_ATTR_MTIME, FUSE_SET_ATTR_MTIME_NOW, &attr->st_mtim),
	};
	uid_t uid = to_set & FUSE_SET_ATTR_UID ? attr->st_uid : (uid_t)-1;
	gid_t gid = to_set & FUSE_SET_ATTR_GID ? attr->st_gid : (gid_t)-1;
	int err = 0;

	if (to_set & FUSE_SET_ATTR_SIZE)
		err = set_size(node, fd, attr->st_size);
	if (!err && (uid != (uid_t)-1 || gid != (gid_t)-1) && fchown(fd, uid, gid))
		err = -errno;
	if (!err && to_set & FUSE_SET_ATTR_MODE && fchmod(fd, attr->st_mode & 07777))
		err = -errno;
	if (!err && to_set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW |
			      FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW))
		err = tier_set_times(node, fd, times);
	return err;
}

static void tier_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
			 struct fuse_file_info *fi)
{
	struct new_attr new = { attr, to_set };
	int err = on_file(ino, set_attr, &new);

	(void)fi;
	if (err)
		fuse_reply_err(req, -err);
	else
		reply_attr(req, node_of(ino));
}

/* A mapping cannot wait for us later. What is small, or may be written, comes whole. */
static ssize_t prepare_open(struct node *node, int fd, void *arg)
{
	const int *flags = arg;
	struct stat st;

	if ((*flags & O_ACCMODE) != O_RDONLY)
		return tier_change(node, fd, true);
	if (fstat(fd, &st))
		return -errno;
	return tier_fetch(node, fd, 0, (uint64_t)st.st_size <= whole_limit ? UINT64_MAX : 0);
}

static void tier_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	int err = on_file(ino, prepare_open, &fi->flags);

	if (err)
		fuse_reply_err(req, -err);
	else
		fuse_reply_open(req, fi);
}

static void tier_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	(void)fi;
	fuse_reply_err(req, 0);
}

/* Bytes that are wanted, or that @buf has */
struct range {
	fuse_req_t req;
	size_t size;
	off_t off;
	const char *buf;
	int mode;
};

static ssize_t reply_range(struct node *node, int fd, void *arg)
{
	const struct range *range = arg;
	struct fuse_bufvec buf = FUSE_BUFVEC_INIT(range->size);
	int err = tier_fetch(node, fd, range->off, range->size);

	if (err)
		return err;
	buf.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
	buf.buf[0].fd = fd;
	buf.buf[0].pos = range->off;
	/* Pages are not lent out: a truncation would be seen in them */
	fuse_reply_data(range->req, &buf, FUSE_BUF_NO_SPLICE);
	return 0;
}

static void tier_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		      struct fuse_file_info *fi)
{
	struct range range = { .req = req, .size = size, .off = off };
	int err = on_file(ino, reply_range, &range);

	(void)fi;
	if (err)
		fuse_reply_err(req, -err);
}

/* As the kernel would for a write of its own: not even root writes to what is set-id. */
static int drop_privileges(int fd)
{
	struct stat st;
	mode_t mode;

	if (fstat(fd, &st))
		return -errno;
	mode = st.st_mode & ~S_ISUID;
	if (mode & S_IXGRP)
		mode &= ~S_ISGID;
	if (mode != st.st_mode && fchmod(fd, mode & 07777))
		return -errno;
	if (fremovexattr(fd, "security.capability") && errno != ENODATA && errno != EOPNOTSUPP)
		return -errno;
	return 0;
}

static ssize_t write_all(int fd, const char *buf, size_t size, off_t off)
{
	size_t done = 0;
	ssize_t ret;

	while (done < size) {
		ret = pwrite(fd, buf + done, size - done, off + done);
		if (ret <= 0)
			return done ? (ssize_t)done : ret ? -errno : -EIO;
		done += ret;
	}
	return done;
}

/* What is about to be changed, by us */
static int prepare_change(struct node *node, int fd)
{
	int err = tier_change(node, fd, true);

	if (!err)
		err = drop_privileges(fd);
	if (!err)
		filter_set_whole(node->ino, TIER_WHOLE | TIER_DIRTY | TIER_WRITTEN);
	return err;
}

static ssize_t write_range(struct node *node, int fd, void *arg)
{
	const struct range *range = arg;
	int err = prepare_change(node, fd);

	return err ? err : write_all(fd, range->buf, range->size, range->off);
}

static void tier_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
		       struct fuse_file_info *fi)
{
	struct range range = { .buf = buf, .size = size, .off = off };
	ssize_t ret = on_file(ino, write_range, &range);

	(void)fi;
	if (ret < 0)
		fuse_reply_err(req, -ret);
	else
		fuse_reply_write(req, ret);
}

static ssize_t allocate_range(struct node *node, int fd, void *arg)
{
	const struct range *range = arg;
	int err = prepare_change(node, fd);

	if (!err && fallocate(fd, range->mode, range->off, range->size))
		err = -errno;
	return err;
}

static void tier_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len,
			   struct fuse_file_info *fi)
{
	struct range range = { .mode = mode, .off = off, .size = len };

	(void)fi;
	fuse_reply_err(req, -on_file(ino, allocate_range, &range));
}

/* A stub has no holes that anybody knows of; the end of the file counts as one. */
static void tier_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence,
		       struct fuse_file_info *fi)
{
	struct stat st;

	(void)fi;
	if (fstat(node_of(ino)->fd, &st))
		fuse_reply_err(req, errno);
	else if (whence != SEEK_DATA && whence != SEEK_HOLE)
		fuse_reply_err(req, EINVAL);
	else if (off < 0 || off >= st.st_size)
		fuse_reply_err(req, ENXIO);
	else
		fuse_reply_lseek(req, whence == SEEK_DATA ? off : st.st_size);
}

static ssize_t fetch_all(struct node *node, int fd, void *arg)
{
	(void)arg;
	return tier_fetch(node, fd, 0, UINT64_MAX);
}

/* Requests of "tierfs add" and "evict" */
static int request(struct node *node, const char *name, const char *value, size_t size)
{
	char text[TIER_TEXT_MAX + 1];

	if (size > TIER_TEXT_MAX)
		return -ENAMETOOLONG;
	memcpy(text, value, size);
	text[size] = '\0';
	if (strlen(text) != size)
		return -EINVAL;
	if (!strcmp(name, TIER_XATTR ".object"))
		return tier_make_stub(node, text, false);
	if (!strcmp(name, TIER_XATTR ".own"))
		return tier_make_stub(node, text, true);
	if (!strcmp(name, TIER_XATTR ".evict"))
		return tier_evict(node);
	return -EOPNOTSUPP;
}

static void tier_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
			  size_t size, int flags)
{
	struct node *node = node_of(ino);
	struct stat st;
	int err;

	(void)flags;
	if (!strcmp(name, TIER_XATTR ".fetch")) {
		fuse_reply_err(req, -on_file(ino, fetch_all, NULL));
		return;
	}
	if (fstat(node->fd, &st) || !S_ISREG(st.st_mode)) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	pthread_mutex_lock(&node->lock);
	upload_wait(node);
	err = request(node, name, value, size);
	pthread_mutex_unlock(&node->lock);
	fuse_reply_err(req, -err);
}

static void reply_text(fuse_req_t req, const char *text, size_t len, size_t size)
{
	if (!size)
		fuse_reply_xattr(req, len);
	else if (size < len)
		fuse_reply_err(req, ERANGE);
	else
		fuse_reply_buf(req, text, len);
}

static int sync_now(struct node *node)
{
	int err = work_is_on() ? upload_file(node) : -EOPNOTSUPP;

	return err ? err : upload_rename(node);
}

/* "tierfs state", and "sync", which is a request that keeps nobody from writing */
static int answer(struct node *node, const char *name, char *text, size_t size)
{
	if (!strcmp(name, TIER_XATTR ".sync"))
		return sync_now(node);
	return strcmp(name, TIER_XATTR ".state") ? -ENODATA : tier_describe(node, text, size);
}

static void tier_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct node *node = node_of(ino);
	char text[TIER_TEXT_MAX + 64];
	struct stat st;
	int len;

	if (fstat(node->fd, &st) || !S_ISREG(st.st_mode)) {
		fuse_reply_err(req, ENODATA);
		return;
	}
	pthread_mutex_lock(&node->lock);
	len = answer(node, name, text, sizeof(text));
	pthread_mutex_unlock(&node->lock);
	if (len < 0)
		fuse_reply_err(req, -len);
	else
		reply_text(req, text, len, size);
}

/*
 * A file that may lose its last name is kept until its object has gone; what has none of
 * its own just goes. Nobody takes a name away meanwhile: the kernel has locked the directory.
 */
static int keep(struct node *dir, const char *name, struct node **victim)
{
	struct stat st;
	int err = node_find(dir, name, victim, &st);

	if (err) {
		*victim = NULL;
		return err;
	}
	if (!S_ISREG(st.st_mode))
		return 0;
	pthread_mutex_lock(&(*victim)->lock);
	err = bury_begin(*victim);
	pthread_mutex_unlock(&(*victim)->lock);
	return err == -ENODATA ? 0 : err;
}

/* Whether it has lost its name or not: what is to be done about it shows then. */
static void let_go(struct node *victim)
{
	if (!victim)
		return;
	work_add(victim, WORK_NOW);
	node_put(victim, 1);
}

static void tier_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct node *dir = node_of(parent), *victim;
	int err = keep(dir, name, &victim);

	if (!err && unlinkat(dir->fd, name, 0))
		err = -errno;
	let_go(victim);
	fuse_reply_err(req, -err);
}

/* Objects are called as their file; those of all files below a directory that was moved */
static void follow(struct node *dir, const char *name)
{
	struct node *node;
	struct stat st;

	if (node_find(dir, name, &node, &st))
		return;
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		work_add(node, WORK_NOW);
	node_put(node, 1);
}

static void tier_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
			fuse_ino_t newparent, const char *newname, unsigned int flags)
{
	struct node *dir = node_of(parent), *newdir = node_of(newparent), *victim = NULL;
	int err = 0;

	if (!(flags & (RENAME_EXCHANGE | RENAME_NOREPLACE)))
		err = keep(newdir, newname, &victim);
	if (err == -ENOENT)
		err = 0;
	if (!err && renameat2(dir->fd, name, newdir->fd, newname, flags))
		err = -errno;
	if (!err)
		follow(newdir, newname);
	if (!err && flags & RENAME_EXCHANGE)
		follow(dir, name);
	let_go(victim);
	fuse_reply_err(req, -err);
}

static const struct fuse_lowlevel_ops tier_ops = {
	.init = tier_init,
	.lookup = tier_lookup,
	.forget = tier_forget,
	.forget_multi = tier_forget_multi,
	.getattr = tier_getattr,
	.setattr = tier_setattr,
	.unlink = tier_unlink,
	.rename = tier_rename,
	.open = tier_open,
	.release = tier_release,
	.read = tier_read,
	.write = tier_write,
	.fallocate = tier_fallocate,
	.lseek = tier_lseek,
	.setxattr = tier_setxattr,
	.getxattr = tier_getxattr,
};

/* Somebody could not map a file: have it whole, or said to be dirty, for the next attempt. */
static void see_to_wanted(ino_t ino, bool change)
{
	struct node *node = node_get_ino(ino);
	int flags = change ? O_RDWR : O_RDONLY;

	if (!node)
		return;
	if (change)
		on_file(node_id(node), prepare_open, &flags);
	else
		on_file(node_id(node), fetch_all, NULL);
	node_put(node, 1);
}

static void *watch_wanted(void *arg)
{
	(void)arg;
	while (!ending)
		if (filter_wait_wanted(see_to_wanted, 200))
			break;
	return NULL;
}

/* Signals are for the thread that runs the session. */
static int start_watching(pthread_t *thread)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(thread, NULL, watch_wanted, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -err;
}

static int run(struct fuse_session *session, const struct options *opts)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	pthread_t thread;
	int ret;

	if (!config)
		return -ENOMEM;
	fuse_loop_cfg_set_max_threads(config, 16);
	ret = start_watching(&thread);
	if (!ret) {
		ret = work_start(opts);
		if (!ret)
			ret = fuse_session_loop_mt(session, config);
		ending = true;
		work_stop();
		pthread_join(thread, NULL);
	}
	fuse_loop_cfg_destroy(config);
	return ret > 0 ? 1 : ret;
}

/**
 * serve - answer the kernel until the mount is gone, or SIGTERM
 * @device: descriptor of the device, which is taken over
 * @opts: what was asked for
 *
 * Return: 0 unmounted, 1 a signal, or a negative errno
 */
int serve(int device, const struct options *opts)
{
	char *argv[] = { "tierfs", NULL };
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fuse_session *session;
	char path[32];
	int ret = -ENOMEM;

	whole_limit = opts->whole;
	session = fuse_session_new(&args, &tier_ops, sizeof(tier_ops), NULL);
	if (!session)
		return ret;
	snprintf(path, sizeof(path), "/dev/fd/%d", device);
	if (!fuse_session_mount(session, path) && !fuse_set_signal_handlers(session)) {
		ret = run(session, opts);
		fuse_remove_signal_handlers(session);
	}
	fuse_session_destroy(session);
	fuse_opt_free_args(&args);
	return ret;
}
