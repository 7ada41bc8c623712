// SPDX-License-Identifier: GPL-2.0-only
/*
 * FUSE filters: byte ranges that read as zero.
 *
 * What is redacted is never read from the backing: a read is split into what lies
 * before, within and behind each range, so that there is no moment at which a
 * buffer holds what its owner must not see.
 */

#include "filter_redact.h"

#include <linux/fs.h>
#include <linux/uio.h>

static void fuse_filter_ranges_remove(struct fuse_filter_ranges *ranges, u32 pos,
				      u32 nr)
{
	memmove(&ranges->range[pos], &ranges->range[pos + nr],
		(ranges->nr - pos - nr) * sizeof(ranges->range[0]));
	ranges->nr -= nr;
}

static int fuse_filter_ranges_insert(struct fuse_filter_ranges *ranges, u32 pos,
				     u64 start, u64 end)
{
	if (ranges->nr == FUSE_FILTER_MAX_RANGES) {
		ranges->overflow = true;
		return -ENOSPC;
	}
	memmove(&ranges->range[pos + 1], &ranges->range[pos],
		(ranges->nr - pos) * sizeof(ranges->range[0]));
	ranges->nr++;
	ranges->range[pos].start = start;
	ranges->range[pos].end = end;
	return 0;
}

/**
 * fuse_filter_ranges_add - add a range to a set
 * @ranges: the set
 * @start: first byte
 * @end: the byte after the last
 *
 * Return: 0, -ENOSPC the set is full, which it remembers
 */
int fuse_filter_ranges_add(struct fuse_filter_ranges *ranges, u64 start, u64 end)
{
	u32 first = 0, last;

	while (first < ranges->nr && ranges->range[first].end < start)
		first++;
	/* From first up to last, all touch what is added, and become one with it */
	for (last = first; last < ranges->nr; last++) {
		if (ranges->range[last].start > end)
			break;
		start = min(start, ranges->range[last].start);
		end = max(end, ranges->range[last].end);
	}
	fuse_filter_ranges_remove(ranges, first, last - first);
	return fuse_filter_ranges_insert(ranges, first, start, end);
}

/*
 * Where does what begins at @pos end, at the latest? Says whether it is redacted.
 */
static u64 fuse_filter_ranges_next(const struct fuse_filter_ranges *ranges, u64 pos,
				   bool *redact)
{
	u32 i;

	*redact = false;
	for (i = 0; i < ranges->nr; i++) {
		if (pos < ranges->range[i].start)
			return ranges->range[i].start;
		if (pos < ranges->range[i].end) {
			*redact = true;
			return ranges->range[i].end;
		}
	}
	return U64_MAX;
}

static ssize_t fuse_filter_read_zeroes(struct kiocb *iocb, struct iov_iter *to,
				       const struct inode *real)
{
	loff_t size = i_size_read(real);
	size_t n;

	if (iocb->ki_pos >= size)
		return 0;

	n = iov_iter_zero(min_t(u64, iov_iter_count(to), size - iocb->ki_pos), to);
	iocb->ki_pos += n;
	return n ?: -EFAULT;
}

/**
 * fuse_filter_read_redacted - read from the backing what may be read
 * @iocb: the caller's request, which is complete on return
 * @to: where to
 * @backing: the backing's file, accessed with the current credentials
 * @ranges: what reads as zero
 *
 * Not by direct I/O, as ranges have no alignment.
 *
 * Return: bytes read, or a negative errno; -EAGAIN the caller must not wait
 */
ssize_t fuse_filter_read_redacted(struct kiocb *iocb, struct iov_iter *to,
				  struct file *backing,
				  const struct fuse_filter_ranges *ranges)
{
	ssize_t n = 0, done = 0;
	struct kiocb sync;

	if (iocb->ki_flags & IOCB_NOWAIT)
		return -EAGAIN;

	init_sync_kiocb(&sync, backing);
	sync.ki_flags &= ~IOCB_DIRECT;
	sync.ki_pos = iocb->ki_pos;

	while (iov_iter_count(to)) {
		bool redact;
		u64 end = fuse_filter_ranges_next(ranges, sync.ki_pos, &redact);
		size_t all = iov_iter_count(to);
		size_t part = min_t(u64, all, end - sync.ki_pos);

		iov_iter_truncate(to, part);
		n = redact ? fuse_filter_read_zeroes(&sync, to, file_inode(backing)) :
			     vfs_iocb_iter_read(backing, &sync, to);
		/* What was not read is still there to be filled */
		iov_iter_reexpand(to, all - part + iov_iter_count(to));
		if (n <= 0)
			break;
		done += n;
		if (n < part)
			break;
	}
	iocb->ki_pos = sync.ki_pos;
	return done ?: n;
}
