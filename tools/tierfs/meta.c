// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is known of a file, in one extended attribute: it changes as a whole or not at
 * all, whenever the daemon or the machine dies.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tierfs.h"

#define META_MAGIC 0x32656974 /* "tie2" */

/* In the machine's byte order: a backing does not move to another one */
struct meta_disk {
	uint32_t magic;
	uint8_t state;
	uint8_t shift;
	uint8_t busy;
	uint8_t owned;
	uint64_t size;
	int64_t mtime;
	uint32_t mtimensec;
	uint16_t object_len;
	uint16_t etag_len;
	uint16_t other_len;
	uint16_t present_len;
	uint8_t pending;
	uint8_t reserved[3];
	char rest[];
};

#define META_MAX (sizeof(struct meta_disk) + 3 * TIER_TEXT_MAX + TIER_MAX_CHUNKS / 8)

/* meta_chunks - chunks that a file has */
unsigned int meta_chunks(const struct tier_meta *meta)
{
	return (meta->size + (1ULL << meta->shift) - 1) >> meta->shift;
}

/* meta_present - is a chunk of a stub there? */
bool meta_present(const struct tier_meta *meta, unsigned int chunk)
{
	return meta->present[chunk / 64] & (1ULL << (chunk % 64));
}

/* meta_nr_present - chunks of a stub that are there */
unsigned int meta_nr_present(const struct tier_meta *meta)
{
	unsigned int i, nr = 0;

	for (i = 0; i < meta_chunks(meta); i++)
		nr += meta_present(meta, i);
	return nr;
}

/* meta_shift_for - choose the smallest chunks of which there are not too many */
void meta_shift_for(struct tier_meta *meta)
{
	meta->shift = TIER_MIN_SHIFT;
	while (meta_chunks(meta) > TIER_MAX_CHUNKS)
		meta->shift++;
}

static bool meta_sane(const struct meta_disk *disk, size_t len)
{
	return len >= sizeof(*disk) && disk->magic == META_MAGIC &&
	       disk->state >= TIER_STUB && disk->state <= TIER_CHANGED &&
	       disk->shift >= TIER_MIN_SHIFT && disk->shift < 52 &&
	       disk->size <= (uint64_t)TIER_MAX_CHUNKS << disk->shift &&
	       disk->object_len <= TIER_TEXT_MAX && disk->etag_len <= TIER_TEXT_MAX &&
	       disk->other_len <= TIER_TEXT_MAX && disk->pending <= PENDING_MOVE &&
	       disk->present_len <= TIER_MAX_CHUNKS / 8 &&
	       len == sizeof(*disk) + disk->object_len + disk->etag_len + disk->other_len +
		      disk->present_len;
}

static const char *take(void *to, const char *from, size_t len)
{
	memcpy(to, from, len);
	return from + len;
}

static char *put(char *to, const void *from, size_t len)
{
	memcpy(to, from, len);
	return to + len;
}

/**
 * meta_load - read what is known of a file
 * @fd: of the file, not O_PATH
 * @meta: out; %TIER_LOCAL if there is nothing
 *
 * Return: 0, -EIO what is there makes no sense, or what fgetxattr(2) failed with
 */
int meta_load(int fd, struct tier_meta *meta)
{
	union {
		struct meta_disk disk;
		char buf[META_MAX];
	} u;
	const char *from = u.disk.rest;
	ssize_t len;

	memset(meta, 0, sizeof(*meta));
	len = fgetxattr(fd, TIER_XATTR, u.buf, sizeof(u.buf));
	if (len < 0)
		return errno == ENODATA || errno == EOPNOTSUPP ? 0 : -errno;
	if (!meta_sane(&u.disk, len))
		return -EIO;

	meta->state = u.disk.state;
	meta->shift = u.disk.shift;
	meta->busy = u.disk.busy;
	meta->size = u.disk.size;
	meta->mtime.tv_sec = u.disk.mtime;
	meta->mtime.tv_nsec = u.disk.mtimensec;
	meta->owned = u.disk.owned;
	meta->pending = u.disk.pending;
	from = take(meta->object, from, u.disk.object_len);
	from = take(meta->etag, from, u.disk.etag_len);
	from = take(meta->other, from, u.disk.other_len);
	take(meta->present, from, u.disk.present_len);
	return 0;
}

/**
 * meta_of - meta_load() for a node, of which nothing is open
 * @node: regular file
 * @meta: out
 *
 * Return: as for meta_load(), or what open(2) failed with
 */
int meta_of(const struct node *node, struct tier_meta *meta)
{
	int fd = node_open(node, O_RDONLY), err;

	if (fd < 0)
		return fd;
	err = meta_load(fd, meta);
	close(fd);
	return err;
}

/**
 * meta_save - write what is known of a file, in one step
 * @fd: of the file, not O_PATH
 * @meta: not of state %TIER_LOCAL
 *
 * Not on the medium before an fsync.
 *
 * Return: 0, or what fsetxattr(2) failed with
 */
int meta_save(int fd, const struct tier_meta *meta)
{
	union {
		struct meta_disk disk;
		char buf[META_MAX];
	} u;
	char *to = u.disk.rest;

	u.disk = (struct meta_disk) {
		.magic = META_MAGIC,
		.state = meta->state,
		.shift = meta->shift,
		.busy = meta->busy,
		.owned = meta->owned,
		.size = meta->size,
		.mtime = meta->mtime.tv_sec,
		.mtimensec = meta->mtime.tv_nsec,
		.object_len = strlen(meta->object),
		.etag_len = strlen(meta->etag),
		.other_len = strlen(meta->other),
		.pending = meta->pending,
	};
	if (meta->state == TIER_STUB)
		u.disk.present_len = (meta_chunks(meta) + 63) / 64 * sizeof(uint64_t);
	to = put(to, meta->object, u.disk.object_len);
	to = put(to, meta->etag, u.disk.etag_len);
	to = put(to, meta->other, u.disk.other_len);
	to = put(to, meta->present, u.disk.present_len);
	return fsetxattr(fd, TIER_XATTR, u.buf, to - u.buf, 0) ? -errno : 0;
}
