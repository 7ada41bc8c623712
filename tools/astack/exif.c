// SPDX-License-Identifier: GPL-2.0-only
/*
 * The locations in a JPEG file: in the segments APP1, either the GPS directory of EXIF,
 * which is cut out precisely, or XMP, of which nothing is left.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "exif.h"

#define GPS_IFD		0x8825
#define ENTRY_SIZE	12

/**
 * struct tiff - the body of an EXIF segment
 * @data: bytes
 * @size: of @data
 * @at: where they are in the file
 * @big: byte order
 */
struct tiff {
	const unsigned char *data;
	size_t size;
	__u64 at;
	bool big;
};

void exif_add(struct astack_scan *scan, __u64 start, __u64 end)
{
	unsigned int i;

	if (start >= end)
		return;
	if (scan->nr < ASTACK_RANGES) {
		scan->range[scan->nr].start = start;
		scan->range[scan->nr++].end = end;
		return;
	}
	for (i = 0; i < scan->nr; i++) {
		if (scan->range[i].start < start)
			start = scan->range[i].start;
		if (scan->range[i].end > end)
			end = scan->range[i].end;
	}
	scan->nr = 1;
	scan->range[0].start = start;
	scan->range[0].end = end;
}

/* A number of 2 or 4 bytes; past the end, one that nothing can be at */
static __u32 number(const struct tiff *tiff, __u64 off, unsigned int size)
{
	__u32 value = 0;
	unsigned int i;

	if (off + size > tiff->size)
		return ~0U;
	for (i = 0; i < size; i++)
		value |= (__u32)tiff->data[off + i] << 8 * (tiff->big ? size - 1 - i : i);
	return value;
}

/* Bytes of an entry's value */
static __u64 value_size(const struct tiff *tiff, __u64 entry)
{
	static const unsigned char sizes[] = { 0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8 };
	__u32 type = number(tiff, entry + 2, 2);

	return type < sizeof(sizes) ? (__u64)sizes[type] * number(tiff, entry + 4, 4) : 8;
}

/* Of a directory of locations, all values; how many there are is no secret. */
static bool cut_gps(const struct tiff *tiff, __u64 ifd, struct astack_scan *scan)
{
	__u32 nr = number(tiff, ifd, 2), i;
	__u64 entry, size, value;

	if (nr > 64 || ifd + 2 + (__u64)nr * ENTRY_SIZE > tiff->size)
		return false;
	for (i = 0; i < nr; i++) {
		entry = ifd + 2 + (__u64)i * ENTRY_SIZE;
		size = value_size(tiff, entry);
		value = number(tiff, entry + 8, 4);
		if (size > 4) {
			if (value + size > tiff->size)
				return false;
			exif_add(scan, tiff->at + value, tiff->at + value + size);
		}
	}
	exif_add(scan, tiff->at + ifd + 2, tiff->at + ifd + 2 + (__u64)nr * ENTRY_SIZE);
	return true;
}

/* False if this is not understood. */
static bool cut_exif(const struct tiff *tiff, struct astack_scan *scan)
{
	__u64 ifd = number(tiff, 4, 4), entry;
	__u32 nr = number(tiff, ifd, 2), i;

	if (number(tiff, 2, 2) != 42 || nr > 1024 || ifd + 2 + (__u64)nr * ENTRY_SIZE > tiff->size)
		return false;
	for (i = 0; i < nr; i++) {
		entry = ifd + 2 + (__u64)i * ENTRY_SIZE;
		if (number(tiff, entry, 2) == GPS_IFD &&
		    !cut_gps(tiff, number(tiff, entry + 8, 4), scan))
			return false;
	}
	return true;
}

static void cut_app1(const unsigned char *data, size_t size, __u64 at, struct astack_scan *scan)
{
	struct tiff tiff = { .data = data + 6, .size = size - 6, .at = at + 6 };
	struct astack_scan found = *scan;

	if (size >= 14 && !memcmp(data, "Exif\0\0", 6) &&
	    (!memcmp(tiff.data, "II", 2) || !memcmp(tiff.data, "MM", 2))) {
		tiff.big = tiff.data[0] == 'M';
		if (cut_exif(&tiff, &found)) {
			*scan = found;
			return;
		}
	}
	exif_add(scan, at, at + size);
}

int exif_find(int fd, struct astack_scan *scan)
{
	unsigned char head[4], body[65536];
	__u64 at = 2;
	ssize_t len;
	size_t size;

	len = pread(fd, head, 2, 0);
	if (len < 0)
		return -errno;
	if (len < 2 || head[0] != 0xff || head[1] != 0xd8)
		return 0;
	for (;; at += 2 + size) {
		len = pread(fd, head, sizeof(head), at);
		if (len < 0)
			return -errno;
		/* Where segments end, the picture begins, or nothing more is there */
		if (len < (ssize_t)sizeof(head) || head[0] != 0xff || head[1] == 0xda)
			return 0;
		size = head[2] << 8 | head[3];
		if (size < 2)
			return 0;
		if (head[1] != 0xe1)
			continue;
		len = pread(fd, body, size - 2, at + 4);
		if (len < 0)
			return -errno;
		if (len > 0)
			cut_app1(body, len, at + 4, scan);
	}
}
