/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tierfs: files whose bytes are elsewhere until somebody reads them.
 *
 * Functions return 0 or a negative errno, unless said otherwise.
 */
#ifndef _TIERFS_H
#define _TIERFS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "shared.h"

#define TIER_TEXT_MAX 1024

/* What the daemon has on disk about a file, enum tier_state */
enum tier_state {
	TIER_LOCAL = 0,	/* nothing: no object */
	TIER_STUB = 1,	/* some chunks are not there */
	TIER_CLEAN = 2,	/* all are, as in the object */
	TIER_CHANGED = 3, /* may differ from the object */
};

/* What is to become of tier_meta.other, enum tier_pending */
enum tier_pending {
	PENDING_NONE = 0,
	PENDING_REMOVE = 1, /* nobody needs it: an upload that was given up, or an old version */
	PENDING_MOVE = 2, /* the object is being given this name */
};

/**
 * struct tier_meta - what is known of a file, as kept in its extended attribute
 * @state: enum tier_state
 * @shift: a chunk has 1 << shift bytes
 * @busy: the daemon writes into the file; if set on disk, it was killed at that
 * @size: of the object
 * @mtime: of the file, if @busy
 * @object: name in the store
 * @etag: which version of it
 * @other: another object of this file, if @pending
 * @pending: enum tier_pending
 * @owned: the object is of this file alone, and goes when it goes
 * @present: bit N: chunk N is there, of a stub
 */
struct tier_meta {
	uint8_t state;
	uint8_t shift;
	uint8_t busy;
	uint8_t owned;
	uint8_t pending;
	uint64_t size;
	struct timespec mtime;
	char object[TIER_TEXT_MAX + 1];
	char etag[TIER_TEXT_MAX + 1];
	char other[TIER_TEXT_MAX + 1];
	uint64_t present[TIER_MAX_CHUNKS / 64];
};

/**
 * struct work - when an inode is to be looked after
 * @next: in the queue
 * @due: in ms of CLOCK_MONOTONIC
 * @pause: how long to wait after the next failure, in ms
 * @queued: is it in the queue?
 */
struct work {
	struct node *next;
	uint64_t due;
	unsigned int pause;
	bool queued;
};

/**
 * struct node - an inode that the kernel has asked the daemon about
 * @next: in its bucket
 * @ino: inode number of the backing, which @fd keeps from being used again
 * @fd: O_PATH
 * @refs: lookups that the kernel has counted, and threads that use it
 * @lock: held by whoever fetches, marks or evicts
 * @uploading: somebody sends it to the store, and does not hold @lock meanwhile
 * @work: for the queue of upload.c, and its lock
 */
struct node {
	struct node *next;
	ino_t ino;
	int fd;
	uint64_t refs;
	pthread_mutex_t lock;
	bool uploading;
	struct work work;
};

/**
 * struct options - command line of "mount"
 * @store: URL that names of objects are put behind
 * @backing: directory
 * @mountpoint: where it is mounted
 * @whole: files up to this size are fetched as a whole when they are opened
 * @uploads: does what is changed go to the store?
 * @delay: and how long after it was changed, in ms
 */
struct options {
	const char *store;
	const char *backing;
	const char *mountpoint;
	uint64_t whole;
	bool uploads;
	unsigned int delay;
};

/* meta.c */
int meta_load(int fd, struct tier_meta *meta);
int meta_of(const struct node *node, struct tier_meta *meta);
int meta_save(int fd, const struct tier_meta *meta);
unsigned int meta_chunks(const struct tier_meta *meta);
unsigned int meta_nr_present(const struct tier_meta *meta);
bool meta_present(const struct tier_meta *meta, unsigned int chunk);
void meta_shift_for(struct tier_meta *meta);

/* store.c */
int store_init(const char *url);
int store_head(struct tier_meta *meta);
int store_get(const struct tier_meta *meta, int fd, uint64_t start, uint64_t size);
int store_put(struct tier_meta *meta, int fd);
int store_remove(const char *object);
int store_move(const char *object, const char *name);
void store_stop(void);
bool store_name_is_odd(const char *object);

/* filter.c */
int filter_load(bool uploads);
int filter_attach(int mount_fd);
void filter_unload(void);
void filter_set_whole(ino_t ino, uint32_t flags);
uint32_t filter_whole(ino_t ino);
void filter_set_partial(ino_t ino, const struct tier_meta *meta);
void filter_forget(ino_t ino);
int filter_wait_wanted(void (*wanted)(ino_t ino, bool change), int timeout_ms);

/* node.c */
int node_init(int backing_fd);
struct node *node_of(uint64_t nodeid);
uint64_t node_id(const struct node *node);
int node_find(struct node *dir, const char *name, struct node **node, struct stat *st);
struct node *node_get_ino(ino_t ino);
void node_put(struct node *node, uint64_t refs);
int node_open(const struct node *node, int flags);
struct node *node_root(void);
dev_t node_dev(void);
struct node *node_at(int fd, const struct stat *st);
void node_get(struct node *node);
int node_path(const struct node *node, char *path, size_t size);

/* tier.c */
int tier_fetch(struct node *node, int fd, uint64_t start, uint64_t size);
int tier_change(struct node *node, int fd, bool keep);
int tier_make_stub(struct node *node, const char *text, bool owned);
int tier_evict(struct node *node);
bool tier_is_unchanged(const struct node *node, const struct tier_meta *meta);
int tier_sync_file(int fd);
int tier_lease(int fd, int type, int tries);
void tier_unlease(int fd);
int tier_set_times(struct node *node, int fd, const struct timespec times[2]);
int tier_describe(struct node *node, char *text, size_t size);

/* upload.c */
int upload_file(struct node *node);
int upload_settle(struct node *node, int fd, struct tier_meta *meta);
int upload_rename(struct node *node);
void upload_wait(struct node *node);

/* names.c */
bool name_is_of(const char *object, const char *path);
int name_new(char *object, const char *path);
int name_again(char *to, const char *object, const char *path);

/* bury.c */
int bury_init(void);
int bury_begin(struct node *node);
int bury_end(struct node *node);
int bury_dir(void);

/* work.c */
enum work_when {
	WORK_NOW,
	WORK_LATER,
};

int work_start(const struct options *opts);
void work_stop(void);
bool work_is_on(void);
void work_add(struct node *node, enum work_when when);

/* serve.c */
int serve(int device, const struct options *opts);

#endif /* _TIERFS_H */
