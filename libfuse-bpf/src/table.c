// SPDX-License-Identifier: LGPL-2.1-only
/*
 * The table of nodes: an array of records in a file in memory, one for each object of the
 * backing that the kernel knows, and chains through it to find them by the object.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"
#include "table.h"

#define MAGIC "fbnodes1"

/* Longer handles are not kept: those nodes have a descriptor */
#define HANDLE_MAX 48

#define FIRST_RECORDS 1024

/* Node ids are numbers of records; 0 is none and 1 is the root. */
#define FIRST_ID 2

/**
 * struct record - what a node id stands for
 * @lookups: that the kernel counts; 0: it is free
 * @dev: device of the object
 * @ino: inode number of the object
 * @next: record in the same chain, or the next free one; 0: the last
 * @fd: of this process, if @handle_bytes is 0
 * @handle_type: of the handle
 * @handle_bytes: bytes of it
 * @handle: how the object is opened
 */
struct record {
	uint64_t lookups;
	uint64_t dev;
	uint64_t ino;
	uint32_t next;
	int32_t fd;
	int32_t handle_type;
	uint32_t handle_bytes;
	unsigned char handle[HANDLE_MAX];
};

/**
 * struct header - in the place of records 0 and 1
 * @magic: says what this is
 * @dev: device of the directory
 * @ino: inode number of the directory
 * @used: records that have ever been used, with these two
 */
struct header {
	char magic[8];
	uint64_t dev;
	uint64_t ino;
	uint32_t used;
};

_Static_assert(sizeof(struct header) <= FIRST_ID * sizeof(struct record), "no room");

/**
 * struct fuse_bpf_table - the table
 * @lock: of all that follows
 * @records: the file, mapped
 * @nr: records that there is room for
 * @free: first free record, 0: none
 * @buckets: first record of each chain
 * @nr_buckets: a power of two
 * @nr_nodes: records that are not free
 * @fd: the file
 * @dir: the directory
 * @mount: the same, for open_by_handle_at()
 * @by_handle: can handles be opened?
 */
struct fuse_bpf_table {
	pthread_mutex_t lock;
	struct record *records;
	uint32_t nr;
	uint32_t free;
	uint32_t *buckets;
	uint32_t nr_buckets;
	uint32_t nr_nodes;
	int fd;
	int dir;
	int mount;
	bool by_handle;
};

/* Room for any handle */
union handle {
	struct file_handle head;
	char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
};

static int get_handle(int fd, union handle *handle)
{
	int mount;

	handle->head.handle_bytes = MAX_HANDLE_SZ;
	return name_to_handle_at(fd, "", &handle->head, &mount, AT_EMPTY_PATH) ? -errno : 0;
}

static int open_handle(const struct fuse_bpf_table *table, union handle *handle)
{
	int fd = open_by_handle_at(table->mount, &handle->head, O_PATH | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Whether the file system has handles, and whether we may use them, shows by trying. */
static bool try_handle(struct fuse_bpf_table *table)
{
	union handle handle;
	int fd;

	table->mount = openat(table->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (table->mount < 0 || get_handle(table->dir, &handle))
		return false;
	fd = open_handle(table, &handle);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static size_t size_of(uint32_t nr)
{
	return nr * sizeof(struct record);
}

static struct record *record_of(const struct fuse_bpf_table *table, uint32_t id)
{
	return &table->records[id];
}

static struct header *header_of(const struct fuse_bpf_table *table)
{
	return (struct header *)table->records;
}

static uint32_t *bucket_of(const struct fuse_bpf_table *table, uint64_t dev, uint64_t ino)
{
	const uint64_t hash = (ino ^ dev << 32) * 0x9e3779b97f4a7c15ULL;

	return &table->buckets[hash >> 32 & (table->nr_buckets - 1)];
}

static void chain(struct fuse_bpf_table *table, uint32_t id)
{
	struct record *record = record_of(table, id);
	uint32_t *bucket = bucket_of(table, record->dev, record->ino);

	record->next = *bucket;
	*bucket = id;
}

static void unchain(struct fuse_bpf_table *table, uint32_t id)
{
	struct record *record = record_of(table, id);
	uint32_t *link = bucket_of(table, record->dev, record->ino);

	while (*link != id)
		link = &record_of(table, *link)->next;
	*link = record->next;
}

static void set_free(struct fuse_bpf_table *table, uint32_t id)
{
	struct record *record = record_of(table, id);

	record->lookups = 0;
	record->next = table->free;
	table->free = id;
}

/* As many chains as records, on average; free ones are all in one. */
static int chain_all(struct fuse_bpf_table *table, uint32_t nr_buckets)
{
	uint32_t *buckets = calloc(nr_buckets, sizeof(*buckets)), id;

	if (!buckets)
		return -ENOMEM;
	free(table->buckets);
	table->buckets = buckets;
	table->nr_buckets = nr_buckets;
	table->free = 0;
	table->nr_nodes = 0;
	for (id = FIRST_ID; id < header_of(table)->used; id++) {
		if (record_of(table, id)->lookups) {
			chain(table, id);
			table->nr_nodes++;
		} else {
			set_free(table, id);
		}
	}
	return 0;
}

static int map_file(struct fuse_bpf_table *table, uint32_t nr)
{
	void *map;

	if (table->records)
		map = mremap(table->records, size_of(table->nr), size_of(nr), MREMAP_MAYMOVE);
	else
		map = mmap(NULL, size_of(nr), PROT_READ | PROT_WRITE, MAP_SHARED, table->fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	table->records = map;
	table->nr = nr;
	return 0;
}

static int grow(struct fuse_bpf_table *table)
{
	uint32_t nr = table->nr * 2;
	int err;

	if (nr < table->nr)
		return -ENOSPC;
	if (ftruncate(table->fd, size_of(nr)))
		return -errno;
	err = map_file(table, nr);
	return err ? err : chain_all(table, nr);
}

static int new_file(struct fuse_bpf_table *table, const struct stat *st)
{
	int err;

	table->fd = memfd_create("fuse-bpf-nodes", MFD_CLOEXEC);
	if (table->fd < 0 || ftruncate(table->fd, size_of(FIRST_RECORDS)))
		return -errno;
	err = map_file(table, FIRST_RECORDS);
	if (err)
		return err;
	memcpy(header_of(table)->magic, MAGIC, sizeof(header_of(table)->magic));
	header_of(table)->dev = st->st_dev;
	header_of(table)->ino = st->st_ino;
	header_of(table)->used = FIRST_ID;
	return 0;
}

/* Descriptors of another process are nobody's, and a handle must not be longer than its room. */
static int take_records(struct fuse_bpf_table *table)
{
	struct record *record;
	uint32_t id;

	for (id = FIRST_ID; id < header_of(table)->used; id++) {
		record = record_of(table, id);
		record->fd = -1;
		if (record->handle_bytes > HANDLE_MAX)
			return -EPROTO;
	}
	return 0;
}

static int old_file(struct fuse_bpf_table *table, const struct stat *st, int fd)
{
	const struct header *header;
	struct stat file;
	int err;

	table->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (table->fd < 0 || fstat(table->fd, &file))
		return -errno;
	if ((size_t)file.st_size < size_of(FIRST_RECORDS) ||
	    (size_t)file.st_size % sizeof(struct record) ||
	    file.st_size / sizeof(struct record) > UINT32_MAX)
		return -EPROTO;
	err = map_file(table, file.st_size / sizeof(struct record));
	if (err)
		return err;
	header = header_of(table);
	if (memcmp(header->magic, MAGIC, sizeof(header->magic)) || header->used < FIRST_ID ||
	    header->used > table->nr)
		return -EPROTO;
	if (header->dev != st->st_dev || header->ino != st->st_ino) {
		fuse_bpf_log("the connection is of another directory");
		return -EINVAL;
	}
	return take_records(table);
}

static int set_up(struct fuse_bpf_table *table, int fd)
{
	struct stat st;
	int err;

	if (fstat(table->dir, &st))
		return -errno;
	err = fd < 0 ? new_file(table, &st) : old_file(table, &st, fd);
	if (err)
		return err;
	table->by_handle = try_handle(table);
	return chain_all(table, table->nr);
}

int fuse_bpf_table_new(struct fuse_bpf_table **table, int dir, int fd)
{
	int err;

	*table = calloc(1, sizeof(**table));
	if (!*table)
		return -ENOMEM;
	pthread_mutex_init(&(*table)->lock, NULL);
	(*table)->dir = dir;
	(*table)->fd = -1;
	(*table)->mount = -1;
	err = set_up(*table, fd);
	if (err) {
		fuse_bpf_table_free(*table);
		*table = NULL;
	}
	return err;
}

void fuse_bpf_table_free(struct fuse_bpf_table *table)
{
	uint32_t id;

	if (!table)
		return;
	for (id = FIRST_ID; table->buckets && id < header_of(table)->used; id++) {
		const struct record *record = record_of(table, id);

		if (record->lookups && !record->handle_bytes && record->fd >= 0)
			close(record->fd);
	}
	if (table->records)
		munmap(table->records, size_of(table->nr));
	if (table->fd >= 0)
		close(table->fd);
	if (table->mount >= 0)
		close(table->mount);
	free(table->buckets);
	pthread_mutex_destroy(&table->lock);
	free(table);
}

int fuse_bpf_table_fd(const struct fuse_bpf_table *table)
{
	return table->fd;
}

static uint32_t find(const struct fuse_bpf_table *table, const struct stat *st)
{
	uint32_t id = *bucket_of(table, st->st_dev, st->st_ino);

	while (id && (record_of(table, id)->ino != st->st_ino ||
		      record_of(table, id)->dev != st->st_dev))
		id = record_of(table, id)->next;
	return id;
}

/* A free record, or 0 */
static uint32_t take_free(struct fuse_bpf_table *table)
{
	uint32_t id = table->free;

	if (id) {
		table->free = record_of(table, id)->next;
		return id;
	}
	if (header_of(table)->used == table->nr && grow(table))
		return 0;
	return header_of(table)->used++;
}

static uint32_t add(struct fuse_bpf_table *table, const struct stat *st,
		    const union handle *handle, int fd)
{
	uint32_t id = take_free(table);
	struct record *record = record_of(table, id);

	if (!id)
		return 0;
	*record = (struct record) {
		.dev = st->st_dev,
		.ino = st->st_ino,
		.fd = fd,
	};
	if (handle) {
		record->handle_type = handle->head.handle_type;
		record->handle_bytes = handle->head.handle_bytes;
		memcpy(record->handle, handle->head.f_handle, record->handle_bytes);
	}
	chain(table, id);
	table->nr_nodes++;
	return id;
}

uint64_t fuse_bpf_table_get(struct fuse_bpf_table *table, int fd, const struct stat *st)
{
	union handle handle;
	bool has_handle = table->by_handle && !get_handle(fd, &handle) &&
			  handle.head.handle_bytes && handle.head.handle_bytes <= HANDLE_MAX;
	bool keep_fd = false;
	uint32_t id;

	pthread_mutex_lock(&table->lock);
	id = find(table, st);
	if (!id) {
		id = add(table, st, has_handle ? &handle : NULL, has_handle ? -1 : fd);
		keep_fd = id && !has_handle;
	} else if (!record_of(table, id)->handle_bytes && record_of(table, id)->fd < 0) {
		/* The daemon before had a descriptor */
		record_of(table, id)->fd = fd;
		keep_fd = true;
	}
	if (id)
		record_of(table, id)->lookups++;
	pthread_mutex_unlock(&table->lock);
	if (!keep_fd)
		close(fd);
	return id;
}

/* The record of a node that the kernel may ask about; NULL: there is none */
static struct record *known(const struct fuse_bpf_table *table, uint64_t id)
{
	if (id < FIRST_ID || id >= header_of(table)->used || !record_of(table, id)->lookups)
		return NULL;
	return record_of(table, id);
}

void fuse_bpf_table_put(struct fuse_bpf_table *table, uint64_t id, uint64_t lookups)
{
	struct record *record;
	int fd = -1;

	pthread_mutex_lock(&table->lock);
	record = known(table, id);
	if (record && record->lookups > lookups) {
		record->lookups -= lookups;
	} else if (record) {
		if (!record->handle_bytes)
			fd = record->fd;
		unchain(table, id);
		set_free(table, id);
		table->nr_nodes--;
	}
	pthread_mutex_unlock(&table->lock);
	if (fd >= 0)
		close(fd);
}

static int duplicate(int fd)
{
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

int fuse_bpf_table_open(struct fuse_bpf_table *table, uint64_t id)
{
	const struct record *record;
	union handle handle;
	int fd = -ESTALE;

	if (id < FIRST_ID)
		return id ? duplicate(table->dir) : -ESTALE;
	pthread_mutex_lock(&table->lock);
	record = known(table, id);
	handle.head.handle_bytes = record ? record->handle_bytes : 0;
	if (record && record->handle_bytes) {
		handle.head.handle_type = record->handle_type;
		memcpy(handle.head.f_handle, record->handle, record->handle_bytes);
	} else if (record && record->fd >= 0) {
		fd = duplicate(record->fd);
	}
	pthread_mutex_unlock(&table->lock);
	return handle.head.handle_bytes ? open_handle(table, &handle) : fd;
}
