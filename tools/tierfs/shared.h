/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the filter and the daemon of tierfs share: the maps, by inode number of the
 * backing.
 *
 * An inode that is in neither map is the daemon's to answer for. So what is not known,
 * as after a restart, or does not fit into the maps, is asked about and never guessed.
 */
#ifndef _TIERFS_SHARED_H
#define _TIERFS_SHARED_H

#include <linux/types.h>

/* A file has at most so many chunks, of at least 64 KiB */
#define TIER_MAX_CHUNKS 4096
#define TIER_MIN_SHIFT 16

/* tier_whole: all bytes are there */
#define TIER_WHOLE	(1U << 0)
#define TIER_DIRTY	(1U << 1) /* said to be dirty on disk: may be written */
#define TIER_WRITTEN	(1U << 2) /* has been, or may have been, since */
#define TIER_WATCHED	(1U << 3) /* has not been since its upload began */

/**
 * struct tier_partial - a file that is being fetched, in tier_partial
 * @size: of the file
 * @mtime: when it was modified, in seconds, if @busy
 * @mtimensec: and nanoseconds
 * @shift: a chunk has 1 << shift bytes
 * @busy: the daemon writes into the file now, so that the time there is not the right one
 * @reserved: zero
 * @present: bit N: chunk N is there
 */
struct tier_partial {
	__u64 size;
	__s64 mtime;
	__u32 mtimensec;
	__u32 shift;
	__u32 busy;
	__u32 reserved;
	__u64 present[TIER_MAX_CHUNKS / 64];
};

/**
 * struct tier_wanted - a file that somebody wanted to map
 * @ino: its number
 * @change: so that it can be written
 * @reserved: zero
 */
struct tier_wanted {
	__u64 ino;
	__u32 change;
	__u32 reserved;
};

/* What the daemon's attribute of an object is called, and how its requests begin */
#define TIER_XATTR "trusted.tierfs"

/* In the root of the backing, and nowhere else: what has no name any more, see bury.c */
#define TIER_GRAVES ".tierfs"

#endif /* _TIERFS_SHARED_H */
