// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who sees to it that the store follows the tree: a queue of inodes that something was
 * done with, and a thread that looks after one at a time. What was not done when the
 * daemon ended is found by looking at the whole tree when the next one begins.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tierfs.h"

/* Between attempts, in ms: while somebody has a file open; and if the store fails */
#define BUSY_PAUSE 200
#define FIRST_PAUSE 500
#define LAST_PAUSE 60000

static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t queue_changed;
static struct node *queue, *queue_end;
static pthread_t worker;
static bool on, stopping;
static unsigned int delay;

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

/* In the order in which they are due; most are due last. Called with the lock held. */
static void insert(struct node *node, uint64_t due)
{
	struct node **link = &queue;

	node->work.due = due;
	node->work.queued = true;
	if (queue && queue_end->work.due <= due)
		link = &queue_end->work.next;
	while (*link && (*link)->work.due <= due)
		link = &(*link)->work.next;
	node->work.next = *link;
	*link = node;
	if (!node->work.next)
		queue_end = node;
	pthread_cond_signal(&queue_changed);
}

static void take_out(struct node *node)
{
	struct node **link = &queue, *before = NULL;

	for (; *link != node; link = &(*link)->work.next)
		before = *link;
	*link = node->work.next;
	if (queue_end == node)
		queue_end = before;
	node->work.queued = false;
}

/* work_is_on - does the store follow the tree? */
bool work_is_on(void)
{
	return on;
}

/**
 * work_add - have an inode looked after
 * @node: regular file or directory; a reference is taken
 * @when: %WORK_NOW, or %WORK_LATER: when nothing more may come for a while
 */
void work_add(struct node *node, enum work_when when)
{
	uint64_t due = now() + (when == WORK_LATER ? delay : 0);

	if (!on)
		return;
	pthread_mutex_lock(&queue_lock);
	if (!node->work.queued) {
		node_get(node);
		insert(node, due);
	} else if (due < node->work.due) {
		take_out(node);
		insert(node, due);
	}
	pthread_mutex_unlock(&queue_lock);
}

/* Called with the lock held, and takes over a reference */
static void again(struct node *node, int err)
{
	unsigned int pause = node->work.pause * 2;

	if (pause < FIRST_PAUSE)
		pause = FIRST_PAUSE;
	if (pause > LAST_PAUSE)
		pause = LAST_PAUSE;
	node->work.pause = err == -EBUSY ? 0 : pause;
	if (err == -EBUSY)
		pause = delay > BUSY_PAUSE ? delay : BUSY_PAUSE;
	insert(node, now() + pause);
}

/* Has something been left undone with this file? One that cannot be looked at may be. */
static bool is_undone(const struct node *node, const struct stat *st, const char *path)
{
	struct tier_meta meta;

	if (meta_of(node, &meta))
		return true;
	return meta.state == TIER_CHANGED || (meta.state == TIER_LOCAL && st->st_size) ||
	       meta.pending || (meta.owned && !name_is_of(meta.object, path));
}

static void scan(int dir_fd, char *path, size_t len);

/* Takes over @fd */
static void look_at(int fd, char *path, size_t len)
{
	struct node *node;
	struct stat st;

	if (fstat(fd, &st) || st.st_dev != node_dev()) {
		close(fd);
	} else if (S_ISDIR(st.st_mode)) {
		scan(fd, path, len);
		close(fd);
	} else if (!S_ISREG(st.st_mode)) {
		close(fd);
	} else {
		node = node_at(fd, &st);
		if (node && is_undone(node, &st, len < PATH_MAX ? path : NULL))
			work_add(node, WORK_NOW);
		if (node)
			node_put(node, 1);
	}
}

static bool is_skipped(const char *name, size_t len)
{
	return !strcmp(name, ".") || !strcmp(name, "..") || (!len && !strcmp(name, TIER_GRAVES));
}

/* All below a directory; @path is its name, of @len bytes or of more than there is room for */
static void scan(int dir_fd, char *path, size_t len)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	size_t room, end;

	while (dir && !stopping && (entry = readdir(dir))) {
		if (is_skipped(entry->d_name, len))
			continue;
		fd = openat(dirfd(dir), entry->d_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			continue;
		room = len < PATH_MAX ? PATH_MAX - len : 0;
		end = len + snprintf(path + (room ? len : 0), room, "%s%s", len ? "/" : "",
				     entry->d_name);
		look_at(fd, path, end);
	}
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
}

static void scan_graves(void)
{
	int fd = openat(bury_dir(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	struct node *node;
	struct stat st;

	while (dir && (entry = readdir(dir))) {
		fd = openat(dirfd(dir), entry->d_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode)) {
			if (fd >= 0)
				close(fd);
			continue;
		}
		node = node_at(fd, &st);
		if (!node)
			continue;
		work_add(node, WORK_NOW);
		node_put(node, 1);
	}
	if (dir)
		closedir(dir);
}

static int attend_directory(struct node *node)
{
	char path[PATH_MAX] = "";

	if (node == node_root())
		scan_graves();
	else if (node_path(node, path, sizeof(path)))
		return 0;
	scan(node->fd, path, strlen(path));
	return 0;
}

static int attend_file(struct node *node)
{
	int err;

	pthread_mutex_lock(&node->lock);
	upload_wait(node);
	err = bury_end(node);
	if (err > 0) {
		err = upload_file(node);
		if (!err)
			err = upload_rename(node);
	}
	pthread_mutex_unlock(&node->lock);
	return err;
}

static int attend(struct node *node)
{
	struct stat st;

	if (fstat(node->fd, &st))
		return -errno;
	if (S_ISDIR(st.st_mode))
		return attend_directory(node);
	return S_ISREG(st.st_mode) ? attend_file(node) : 0;
}

static void wait_for(const struct node *node)
{
	struct timespec until = {};

	if (!node) {
		pthread_cond_wait(&queue_changed, &queue_lock);
		return;
	}
	until.tv_sec = node->work.due / 1000;
	until.tv_nsec = node->work.due % 1000 * 1000000;
	pthread_cond_timedwait(&queue_changed, &queue_lock, &until);
}

/* After the lock was taken again, somebody may have added it once more. */
static void attend_first(void)
{
	struct node *node = queue;
	int err;

	take_out(node);
	pthread_mutex_unlock(&queue_lock);
	err = attend(node);
	pthread_mutex_lock(&queue_lock);
	if (err && !node->work.queued) {
		again(node, err);
		return;
	}
	if (!err)
		node->work.pause = 0;
	pthread_mutex_unlock(&queue_lock);
	node_put(node, 1);
	pthread_mutex_lock(&queue_lock);
}

static void *work(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&queue_lock);
	while (!stopping) {
		if (queue && queue->work.due <= now())
			attend_first();
		else
			wait_for(queue);
	}
	pthread_mutex_unlock(&queue_lock);
	return NULL;
}

/* Signals are for the thread that runs the session. */
static int start_worker(void)
{
	pthread_condattr_t attr;
	sigset_t all, old;
	int err;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&queue_changed, &attr);
	pthread_condattr_destroy(&attr);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&worker, NULL, work, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -err;
}

/* work_start - begin, with all that the tree has to be looked at for */
int work_start(const struct options *opts)
{
	int err;

	if (!opts->uploads)
		return 0;
	delay = opts->delay;
	err = start_worker();
	if (err)
		return err;
	on = true;
	work_add(node_root(), WORK_NOW);
	return 0;
}

/* work_stop - end, whatever there is left to do: the next daemon finds it on the disk */
void work_stop(void)
{
	if (!on)
		return;
	store_stop();
	pthread_mutex_lock(&queue_lock);
	stopping = true;
	pthread_cond_signal(&queue_changed);
	pthread_mutex_unlock(&queue_lock);
	pthread_join(worker, NULL);
}
