// SPDX-License-Identifier: GPL-2.0-only
/*
 * What becomes of a file: stub, whole, changed, and stub again. All functions are called
 * with the node's lock held.
 *
 * A SIGKILL or a power failure may come between any two lines. Hence the order: data is
 * on the medium before the attribute says that it is there; the attribute says that
 * it is not there, or may be changed, on the medium, before it is removed or can change;
 * and the filter's maps, which let others read and write, come last, or first where they
 * are to stop them.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tierfs.h"

/* Bytes that are fetched before they are marked */
#define FETCH_MAX (8ULL << 20)

/* How often to look whether a file that was closed is free */
#define LEASE_TRIES 100

/* tier_sync_file - have a file, and what is known of it, on the medium */
int tier_sync_file(int fd)
{
	return fsync(fd) ? -errno : 0;
}

/* From now on the time of the file is ours to keep. */
static int begin_writing(struct node *node, int fd, struct tier_meta *meta)
{
	struct stat st;
	int err = 0;

	/* Killed at that before: the right time is the one that was noted */
	if (!meta->busy) {
		if (fstat(fd, &st))
			return -errno;
		meta->mtime = st.st_mtim;
		meta->busy = 1;
		err = meta_save(fd, meta);
	}
	if (!err)
		filter_set_partial(node->ino, meta);
	return err;
}

static int restore_time(int fd, const struct tier_meta *meta)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, meta->mtime };

	return futimens(fd, times) ? -errno : 0;
}

static void mark_present(struct tier_meta *meta, unsigned int first, unsigned int end)
{
	for (; first < end; first++)
		meta->present[first / 64] |= 1ULL << (first % 64);
}

/* Fetch chunks; marked in @meta only. */
static int fetch_run(int fd, struct tier_meta *meta, unsigned int first, unsigned int end)
{
	uint64_t start = (uint64_t)first << meta->shift;
	uint64_t stop = (uint64_t)end << meta->shift;
	int err;

	if (stop > meta->size)
		stop = meta->size;
	err = store_get(meta, fd, start, stop - start);
	if (!err && fdatasync(fd))
		err = -errno;
	if (!err)
		mark_present(meta, first, end);
	return err;
}

/* Fetch what is missing of chunks, and mark as one goes, so that it is not lost. */
static int fetch_chunks(struct node *node, int fd, struct tier_meta *meta, unsigned int first,
			unsigned int end)
{
	unsigned int max = FETCH_MAX >> meta->shift ?: 1, stop;
	int err = 0;

	while (!err && first < end) {
		if (meta_present(meta, first)) {
			first++;
			continue;
		}
		for (stop = first; stop < end && stop - first < max; stop++)
			if (meta_present(meta, stop))
				break;
		err = fetch_run(fd, meta, first, stop);
		if (!err)
			err = meta_save(fd, meta);
		if (!err)
			filter_set_partial(node->ino, meta);
		first = stop;
	}
	return err;
}

/* What is on disk after the daemon has written; also if it could not write all. */
static int end_writing(struct node *node, int fd, struct tier_meta *meta)
{
	int err = restore_time(fd, meta);

	if (err)
		return err;
	meta->busy = 0;
	if (meta_nr_present(meta) == meta_chunks(meta))
		meta->state = TIER_CLEAN;
	err = meta_save(fd, meta);
	if (err)
		return err;
	if (meta->state == TIER_STUB) {
		filter_set_partial(node->ino, meta);
		return 0;
	}
	filter_set_whole(node->ino, TIER_WHOLE);
	return 0;
}

/* Say on the medium that no chunk of a stub is there. */
static int mark_absent(struct node *node, int fd, struct tier_meta *meta)
{
	int err;

	memset(meta->present, 0, sizeof(meta->present));
	filter_set_partial(node->ino, meta);
	err = meta_save(fd, meta);
	return err ? err : tier_sync_file(fd);
}

/* Killed between two steps, somebody left the file short: nothing in it is to be trusted. */
static int repair_size(struct node *node, int fd, struct tier_meta *meta)
{
	struct stat st;
	int err;

	if (fstat(fd, &st))
		return -errno;
	if ((uint64_t)st.st_size == meta->size)
		return 0;
	err = mark_absent(node, fd, meta);
	return err ? err : ftruncate(fd, meta->size) ? -errno : 0;
}

/* An object that was being given another name may have it already. */
static int find_object(struct node *node, int fd, struct tier_meta *meta)
{
	if (!*meta->object)
		return -EIO;
	return meta->pending == PENDING_MOVE ? upload_settle(node, fd, meta) : 0;
}

static int fetch_stub(struct node *node, int fd, struct tier_meta *meta, uint64_t start,
		      uint64_t size)
{
	uint64_t end = start + size < start || start + size > meta->size ? meta->size :
									    start + size;
	unsigned int last = (end + (1ULL << meta->shift) - 1) >> meta->shift;
	int err, end_err;

	err = find_object(node, fd, meta);
	if (!err)
		err = begin_writing(node, fd, meta);
	if (!err)
		err = repair_size(node, fd, meta);
	if (!err && start < end)
		err = fetch_chunks(node, fd, meta, start >> meta->shift, last);
	/* Where not even the time could be noted, nothing was written */
	end_err = meta->busy ? end_writing(node, fd, meta) : 0;
	return err ? err : end_err;
}

/**
 * tier_fetch - make sure that a range of a file is there
 * @node: regular file
 * @fd: open for reading and writing
 * @start: first byte
 * @size: bytes; what is behind the end does not count
 *
 * Return: 0, -EIO the store does not have it, or what the backing failed with
 */
int tier_fetch(struct node *node, int fd, uint64_t start, uint64_t size)
{
	struct tier_meta meta;
	int err = meta_load(fd, &meta);

	if (err)
		return err;
	switch (meta.state) {
	case TIER_STUB:
		return fetch_stub(node, fd, &meta, start, size);
	case TIER_CLEAN:
		filter_set_whole(node->ino, TIER_WHOLE);
		return 0;
	default:
		/* Where the maps know of no writing, there may have been some */
		if (!filter_whole(node->ino))
			filter_set_whole(node->ino, TIER_WHOLE | TIER_DIRTY | TIER_WRITTEN);
		return 0;
	}
}

/* Say on the medium that a file may differ from its object. */
static int mark_changed(struct node *node, int fd, struct tier_meta *meta)
{
	int err;

	meta->state = TIER_CHANGED;
	meta->busy = 0;
	memset(meta->present, 0, sizeof(meta->present));
	err = meta_save(fd, meta);
	if (!err)
		err = tier_sync_file(fd);
	if (!err)
		filter_set_whole(node->ino, TIER_WHOLE | TIER_DIRTY);
	return err;
}

/* A stub is not said to be changed before no hole is left in it. */
static int empty_stub(struct node *node, int fd, struct tier_meta *meta)
{
	int err = mark_absent(node, fd, meta);

	if (!err && ftruncate(fd, 0))
		err = -errno;
	return err ? err : tier_sync_file(fd);
}

/**
 * tier_change - a file is about to be changed
 * @node: regular file
 * @fd: open for reading and writing
 * @keep: its bytes are wanted; false: it is emptied, which is done here
 *
 * Return: as tier_fetch()
 */
int tier_change(struct node *node, int fd, bool keep)
{
	struct tier_meta meta;
	int err;

	err = keep ? tier_fetch(node, fd, 0, UINT64_MAX) : 0;
	if (!err)
		err = meta_load(fd, &meta);
	if (err)
		return err;
	if (meta.state == TIER_STUB)
		err = empty_stub(node, fd, &meta);
	if (err)
		return err;
	if (meta.state == TIER_STUB || meta.state == TIER_CLEAN)
		err = mark_changed(node, fd, &meta);
	else if (!filter_whole(node->ino))
		filter_set_whole(node->ino, TIER_WHOLE | TIER_DIRTY | TIER_WRITTEN);
	if (!err && !keep && ftruncate(fd, 0))
		err = -errno;
	if (!err)
		work_add(node, WORK_LATER);
	return err;
}

/**
 * tier_lease - take a lease on a file, or see who has it open
 * @fd: the file; of %F_RDLCK, open for reading only
 * @type: %F_WRLCK: nobody has it open, or mapped, and who opens it waits; %F_RDLCK: nobody
 * has it open for writing, and who does so waits
 * @tries: how often to try, with 10 ms in between: what was closed may take a moment
 *
 * Return: 0, -EBUSY somebody has it open, or what fcntl(2) failed with
 */
int tier_lease(int fd, int type, int tries)
{
	const struct timespec step = { .tv_nsec = 10000000 };

	for (;;) {
		if (!fcntl(fd, F_SETLEASE, type))
			return 0;
		if (errno != EAGAIN)
			return -errno;
		if (!--tries)
			return -EBUSY;
		nanosleep(&step, NULL);
	}
}

void tier_unlease(int fd)
{
	fcntl(fd, F_SETLEASE, F_UNLCK);
}

/* The attribute comes first: without it, the bytes that are missing would be zeroes. */
static int become_stub(struct node *node, int fd, struct tier_meta *meta)
{
	int err;

	filter_forget(node->ino);
	meta->state = TIER_STUB;
	meta->busy = 1;
	err = mark_absent(node, fd, meta);
	if (!err && ftruncate(fd, meta->size))
		err = -errno;
	if (!err && meta->size &&
	    fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, meta->size))
		err = -errno;
	if (!err)
		err = restore_time(fd, meta);
	meta->busy = 0;
	if (!err)
		err = meta_save(fd, meta);
	/* What is not there goes to us without that too */
	filter_forget(node->ino);
	return err;
}

static int make_stub(struct node *node, int fd, struct tier_meta *meta)
{
	struct stat st;
	int err;

	if (fstat(fd, &st))
		return -errno;
	if (st.st_size)
		return -EEXIST;
	err = store_head(meta);
	if (err)
		return err;
	if (meta->size >> 51)
		return -EFBIG;
	meta_shift_for(meta);
	return become_stub(node, fd, meta);
}

/**
 * tier_make_stub - make an empty file one whose bytes are in the store
 * @node: regular file
 * @text: name of the object
 * @owned: the object goes when the file goes, and is called as the file is
 *
 * Return: 0, -EEXIST the file is not empty or has an object, -EBUSY it is open,
 * -ENAMETOOLONG, -ENOENT or -EIO as store_head()
 */
int tier_make_stub(struct node *node, const char *text, bool owned)
{
	struct tier_meta meta;
	int fd, err;

	fd = node_open(node, O_RDWR);
	if (fd < 0)
		return fd;
	err = tier_lease(fd, F_WRLCK, LEASE_TRIES);
	if (!err)
		err = meta_load(fd, &meta);
	if (!err && meta.state != TIER_LOCAL)
		err = -EEXIST;
	if (!err && strlen(text) > TIER_TEXT_MAX)
		err = -ENAMETOOLONG;
	if (!err) {
		strcpy(meta.object, text);
		meta.owned = owned;
		err = make_stub(node, fd, &meta);
	}
	tier_unlease(fd);
	close(fd);
	if (!err && owned)
		work_add(node, WORK_NOW);
	return err;
}

/* tier_is_unchanged - was it opened for writing, and not written to, so that it is what it was? */
bool tier_is_unchanged(const struct node *node, const struct tier_meta *meta)
{
	return meta->state == TIER_CHANGED && *meta->object &&
	       filter_whole(node->ino) == (TIER_WHOLE | TIER_DIRTY);
}

static int evict_alone(struct node *node, int fd)
{
	struct tier_meta meta;
	struct stat st;
	int err = meta_load(fd, &meta);

	if (err)
		return err;
	if (meta.state == TIER_LOCAL)
		return -ENODATA;
	if (meta.state == TIER_CHANGED && !tier_is_unchanged(node, &meta))
		return -EUCLEAN;
	if (fstat(fd, &st))
		return -errno;
	/* Killed at that before: the right time is the one that was noted */
	if (!meta.busy)
		meta.mtime = st.st_mtim;
	/* Somebody has changed it behind our back */
	if (meta.state != TIER_STUB && (uint64_t)st.st_size != meta.size)
		return -EUCLEAN;
	return become_stub(node, fd, &meta);
}

static int evict(struct node *node)
{
	int fd = node_open(node, O_RDWR);
	int err;

	if (fd < 0)
		return fd;
	err = tier_lease(fd, F_WRLCK, LEASE_TRIES);
	if (!err)
		err = evict_alone(node, fd);
	tier_unlease(fd);
	close(fd);
	return err;
}

/**
 * tier_evict - let go of the bytes of a file that are in the store, too
 * @node: regular file
 *
 * What is not there yet, or not as it is here, is sent there before, if that is done at
 * all. Somebody can change the file again when it has been, and then it stays.
 *
 * Return: 0, -EBUSY somebody has it open or mapped, -EUCLEAN it differs from its object,
 * -ENODATA it has none, what upload_file() returns, or what the backing failed with
 */
int tier_evict(struct node *node)
{
	int err = work_is_on() ? upload_file(node) : 0;

	return err ? err : evict(node);
}

/* tier_set_times - set times as utimensat(2), of a file that may be a stub */
int tier_set_times(struct node *node, int fd, const struct timespec times[2])
{
	struct tier_meta meta;
	int err;

	if (futimens(fd, times))
		return -errno;
	err = meta_load(fd, &meta);
	if (err || meta.state != TIER_STUB || !meta.busy || times[1].tv_nsec == UTIME_OMIT)
		return err;
	/* The time that was noted by one who was killed is of no use any more */
	meta.busy = 0;
	err = meta_save(fd, &meta);
	if (!err)
		filter_set_partial(node->ino, &meta);
	return err;
}

/* tier_describe - say in words what there is of a file; returns the length */
int tier_describe(struct node *node, char *text, size_t size)
{
	struct tier_meta meta;
	int err;

	err = meta_of(node, &meta);
	if (err)
		return err;
	switch (meta.state) {
	case TIER_LOCAL:
		return snprintf(text, size, "local");
	case TIER_STUB:
		return snprintf(text, size, "stub %u/%u %s", meta_nr_present(&meta),
				meta_chunks(&meta), meta.object);
	case TIER_CLEAN:
		return snprintf(text, size, "clean %s", meta.object);
	default:
		return snprintf(text, size, "%s%s%s",
				tier_is_unchanged(node, &meta) ? "open" : "changed",
				*meta.object ? " " : "", meta.object);
	}
}
