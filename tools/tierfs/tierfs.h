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

/**
 * struct tier_meta - what is known of a file, as kept in its extended attribute
 * @state: enum tier_state
 * @shift: a chunk has 1 << shift bytes
 * @busy: the daemon writes into the file; if set on disk, it was killed at that
 * @size: of the object
 * @mtime: of the file, if @busy
 * @object: name in the store
 * @etag: which version of it
 * @present: bit N: chunk N is there, of a stub
 */
struct tier_meta {
	uint8_t state;
	uint8_t shift;
	uint8_t busy;
	uint64_t size;
	struct timespec mtime;
	char object[TIER_TEXT_MAX + 1];
	char etag[TIER_TEXT_MAX + 1];
	uint64_t present[TIER_MAX_CHUNKS / 64];
};

/**
 * struct node - an inode that the kernel has asked the daemon about
 * @next: in its bucket
 * @ino: inode number of the backing, which @fd keeps from being used again
 * @fd: O_PATH
 * @refs: lookups that the kernel has counted, and threads that use it
 * @lock: held by whoever fetches, marks or evicts
 */
struct node {
	struct node *next;
	ino_t ino;
	int fd;
	uint64_t refs;
	pthread_mutex_t lock;
};

/**
 * struct options - command line of "mount"
 * @store: URL that names of objects are put behind
 * @backing: directory
 * @mountpoint: where it is mounted
 * @whole: files up to this size are fetched as a whole when they are opened
 */
struct options {
	const char *store;
	const char *backing;
	const char *mountpoint;
	uint64_t whole;
};

/* meta.c */
int meta_load(int fd, struct tier_meta *meta);
int meta_save(int fd, const struct tier_meta *meta);
unsigned int meta_chunks(const struct tier_meta *meta);
unsigned int meta_nr_present(const struct tier_meta *meta);
bool meta_present(const struct tier_meta *meta, unsigned int chunk);
void meta_shift_for(struct tier_meta *meta);

/* store.c */
int store_init(const char *url);
int store_head(struct tier_meta *meta);
int store_get(const struct tier_meta *meta, int fd, uint64_t start, uint64_t size);

/* filter.c */
int filter_load(void);
int filter_attach(int mount_fd);
void filter_unload(void);
void filter_set_whole(ino_t ino, uint32_t flags);
uint32_t filter_whole(ino_t ino);
void filter_set_partial(ino_t ino, const struct tier_meta *meta);
void filter_forget(ino_t ino);
int filter_wait_wanted(void (*wanted)(ino_t ino), int timeout_ms);

/* node.c */
int node_init(int backing_fd);
struct node *node_of(uint64_t nodeid);
uint64_t node_id(const struct node *node);
int node_find(struct node *dir, const char *name, struct node **node, struct stat *st);
struct node *node_get_ino(ino_t ino);
void node_put(struct node *node, uint64_t refs);
int node_open(const struct node *node, int flags);

/* tier.c */
int tier_fetch(struct node *node, int fd, uint64_t start, uint64_t size);
int tier_change(struct node *node, int fd, bool keep);
int tier_make_stub(struct node *node, const char *text);
int tier_evict(struct node *node);
int tier_set_times(struct node *node, int fd, const struct timespec times[2]);
int tier_describe(struct node *node, char *text, size_t size);

/* serve.c */
int serve(int device, const struct options *opts);

#endif /* _TIERFS_H */
