// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a file to the store.
 *
 * Each upload makes an object of a new name. The attribute says beforehand that this
 * object is to be removed, and when it is there as a whole, one change of the attribute
 * makes it the file's and the one before it the one that is to be removed. So, whenever
 * the daemon dies, the file has one object or the other, and what is in nobody's way
 * any more is known by name.
 *
 * Nobody is kept from writing meanwhile. The file counts as uploaded only if, at the
 * beginning and at the end, nobody had it open for writing, as a lease shows, and the
 * filter has seen nothing change in between.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "tierfs.h"

/* Flags of the filter while nothing has been written since the beginning */
#define UPLOADING (TIER_WHOLE | TIER_DIRTY | TIER_WRITTEN | TIER_WATCHED)

static pthread_cond_t uploaded = PTHREAD_COND_INITIALIZER;

/**
 * struct upload - a file that is being sent
 * @fd: for reading
 * @st: when it began
 * @sent: what is known of the new object
 */
struct upload {
	int fd;
	struct stat st;
	struct tier_meta sent;
};

static int finish_move(struct tier_meta *meta)
{
	struct tier_meta moved = {};
	int err;

	strcpy(moved.object, meta->other);
	err = store_head(&moved);
	/* It has not come to that */
	if (err == -ENOENT)
		return 0;
	if (err)
		return err;
	if (moved.size != meta->size)
		return -EIO;
	strcpy(meta->object, moved.object);
	strcpy(meta->etag, moved.etag);
	return 0;
}

/**
 * upload_settle - do what the attribute says is to be done in the store
 * @node: regular file, locked
 * @fd: open, in whatever way
 * @meta: of the file
 *
 * Return: 0, or what the store or the backing failed with
 */
int upload_settle(struct node *node, int fd, struct tier_meta *meta)
{
	int err;

	(void)node;
	if (meta->pending == PENDING_NONE)
		return 0;
	err = meta->pending == PENDING_MOVE ? finish_move(meta) : store_remove(meta->other);
	if (err)
		return err;
	meta->pending = PENDING_NONE;
	*meta->other = '\0';
	return meta_save(fd, meta);
}

/* upload_wait - wait until nobody sends a file; called with its lock held */
void upload_wait(struct node *node)
{
	while (node->uploading)
		pthread_cond_wait(&uploaded, &node->lock);
}

/* It was opened for writing and not written to. */
static int make_clean(struct node *node, int fd, struct tier_meta *meta)
{
	int err;

	meta->state = TIER_CLEAN;
	err = meta_save(fd, meta);
	if (!err)
		filter_set_whole(node->ino, TIER_WHOLE);
	return err;
}

static int name_object(const struct node *node, char *object)
{
	char path[PATH_MAX];

	return name_new(object, node_path(node, path, sizeof(path)) ? NULL : path);
}

/* What is on the medium by then is what is sent, if nothing changes. */
static int watch(struct node *node, struct upload *up, struct tier_meta *meta)
{
	int err;

	if (fstat(up->fd, &up->st))
		return -errno;
	/* An empty file that never had an object has nothing to send; who writes to it asks */
	if (meta->state == TIER_LOCAL && !up->st.st_size) {
		filter_forget(node->ino);
		return 0;
	}
	if (tier_is_unchanged(node, meta))
		return make_clean(node, up->fd, meta);
	err = name_object(node, meta->other);
	if (err)
		return err;
	meta_shift_for(meta);
	meta->state = TIER_CHANGED;
	meta->pending = PENDING_REMOVE;
	err = meta_save(up->fd, meta);
	if (!err)
		err = tier_sync_file(up->fd);
	if (err)
		return err;
	strcpy(up->sent.object, meta->other);
	filter_set_whole(node->ino, UPLOADING);
	return 1;
}

/* 1: it is to be sent, 0: there is nothing to be done */
static int prepare(struct node *node, struct upload *up)
{
	struct tier_meta meta;
	struct stat st;
	int err = meta_load(up->fd, &meta);

	if (!err)
		err = upload_settle(node, up->fd, &meta);
	if (err)
		return err;
	if (fstat(up->fd, &st))
		return -errno;
	if (!st.st_nlink || meta.state == TIER_STUB || meta.state == TIER_CLEAN)
		return 0;
	err = tier_lease(up->fd, F_RDLCK, 1);
	if (err)
		return err;
	err = watch(node, up, &meta);
	tier_unlease(up->fd);
	return err;
}

static bool is_as_sent(const struct node *node, const struct upload *up)
{
	struct stat st;

	return filter_whole(node->ino) == UPLOADING && !fstat(up->fd, &st) &&
	       st.st_size == up->st.st_size && st.st_mtim.tv_sec == up->st.st_mtim.tv_sec &&
	       st.st_mtim.tv_nsec == up->st.st_mtim.tv_nsec;
}

/* The one step in which the file gets its new object */
static int take_object(struct node *node, const struct upload *up, struct tier_meta *meta)
{
	int err;

	if (meta->state != TIER_CHANGED || meta->pending != PENDING_REMOVE ||
	    strcmp(meta->other, up->sent.object))
		return -EBUSY;
	*meta->other = '\0';
	if (meta->owned)
		strcpy(meta->other, meta->object);
	meta->pending = meta->owned ? PENDING_REMOVE : PENDING_NONE;
	strcpy(meta->object, up->sent.object);
	strcpy(meta->etag, up->sent.etag);
	meta->size = up->sent.size;
	meta->owned = 1;
	meta->state = TIER_CLEAN;
	meta_shift_for(meta);
	err = meta_save(up->fd, meta);
	if (!err)
		err = tier_sync_file(up->fd);
	if (!err)
		filter_set_whole(node->ino, TIER_WHOLE);
	return err;
}

static int conclude(struct node *node, const struct upload *up)
{
	struct tier_meta meta;
	int err = tier_lease(up->fd, F_RDLCK, 1);

	if (!err)
		err = meta_load(up->fd, &meta);
	if (!err)
		err = is_as_sent(node, up) ? take_object(node, up, &meta) : -EBUSY;
	tier_unlease(up->fd);
	return err;
}

/* With the lock dropped, so that whoever needs it does not wait for the store */
static int send(struct node *node, struct upload *up)
{
	int err;

	node->uploading = true;
	pthread_mutex_unlock(&node->lock);
	up->sent.size = up->st.st_size;
	err = store_put(&up->sent, up->fd);
	pthread_mutex_lock(&node->lock);
	node->uploading = false;
	pthread_cond_broadcast(&uploaded);
	return err ? err : conclude(node, up);
}

/* Whatever came of it, one object is not needed any more; that can be done later, too. */
static void clean_up(struct node *node, int fd)
{
	struct tier_meta meta;

	if (meta_load(fd, &meta) || upload_settle(node, fd, &meta))
		work_add(node, WORK_LATER);
}

/**
 * upload_file - send a file to the store, if it differs from its object
 * @node: regular file; its lock is held, and dropped meanwhile
 *
 * Return: 0 it does not differ any more, -EBUSY somebody has it open for writing or has
 * changed it meanwhile, -EIO the store does not take it, or what the backing failed with
 */
int upload_file(struct node *node)
{
	struct upload up = {};
	int err;

	upload_wait(node);
	up.fd = node_open(node, O_RDONLY);
	if (up.fd < 0)
		return up.fd;
	err = prepare(node, &up);
	if (err > 0) {
		err = send(node, &up);
		clean_up(node, up.fd);
	}
	close(up.fd);
	return err;
}

static int move_object(struct node *node, int fd, struct tier_meta *meta, const char *path)
{
	int err = name_again(meta->other, meta->object, path);

	if (err)
		return err;
	meta->pending = PENDING_MOVE;
	err = meta_save(fd, meta);
	if (!err)
		err = tier_sync_file(fd);
	if (!err)
		err = store_move(meta->object, meta->other);
	/* If the answer was lost, it may have been moved */
	return err ? err : upload_settle(node, fd, meta);
}

/**
 * upload_rename - call a file's own object as the file is called now
 * @node: regular file, locked, of which nothing is being uploaded
 *
 * Return: 0, or what the store or the backing failed with
 */
int upload_rename(struct node *node)
{
	struct tier_meta meta;
	char path[PATH_MAX];
	int fd, err;

	/* A file whose name is not known keeps what it has */
	if (node_path(node, path, sizeof(path)))
		return 0;
	fd = node_open(node, O_RDONLY);
	if (fd < 0)
		return fd;
	err = meta_load(fd, &meta);
	if (!err)
		err = upload_settle(node, fd, &meta);
	if (!err && meta.owned && *meta.object && !name_is_of(meta.object, path))
		err = move_object(node, fd, &meta, path);
	close(fd);
	return err;
}
