/* SPDX-License-Identifier: GPL-2.0 */
/*
 * FUSE filters: byte ranges that read as zero.
 */
#ifndef _FS_FUSE_FILTER_REDACT_H
#define _FS_FUSE_FILTER_REDACT_H

#include "filter.h"

#ifdef CONFIG_FUSE_FILTER

int fuse_filter_ranges_add(struct fuse_filter_ranges *ranges, u64 start, u64 end);
ssize_t fuse_filter_read_redacted(struct kiocb *iocb, struct iov_iter *to,
				  struct file *backing,
				  const struct fuse_filter_ranges *ranges);

#else /* !CONFIG_FUSE_FILTER */

static inline ssize_t
fuse_filter_read_redacted(struct kiocb *iocb, struct iov_iter *to,
			  struct file *backing,
			  const struct fuse_filter_ranges *ranges)
{
	return -EIO;
}

#endif /* CONFIG_FUSE_FILTER */

#endif /* _FS_FUSE_FILTER_REDACT_H */
