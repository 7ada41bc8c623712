/* SPDX-License-Identifier: GPL-2.0 */
/*
 * FUSE filters: byte ranges that read as zero.
 */
#ifndef _FS_FUSE_FILTER_REDACT_H
#define _FS_FUSE_FILTER_REDACT_H

#include "filter.h"

#include <linux/mm.h>
#include <linux/mman.h>

/* fuse_filter_mapping - a mapping in the terms of filters */
static inline struct fuse_filter_mmap
fuse_filter_mapping(const struct vm_area_struct *vma)
{
	return (struct fuse_filter_mmap) {
		.offset = (u64)vma->vm_pgoff << PAGE_SHIFT,
		.size = vma->vm_end - vma->vm_start,
		.prot = (vma->vm_flags & VM_READ ? PROT_READ : 0) |
			(vma->vm_flags & VM_WRITE ? PROT_WRITE : 0) |
			(vma->vm_flags & VM_EXEC ? PROT_EXEC : 0),
		.flags = vma->vm_flags & VM_SHARED ? MAP_SHARED : MAP_PRIVATE,
	};
}

/* fuse_filter_writable - can a file be written to by a mapping, now or later? */
static inline bool fuse_filter_writable(const struct vm_area_struct *vma)
{
	return (vma->vm_flags & (VM_SHARED | VM_MAYWRITE)) ==
	       (VM_SHARED | VM_MAYWRITE);
}

/**
 * fuse_filter_limit_map - make a mapping what filters allow
 * @vma: mapping that is being made, fuse_filter_writable()
 * @err: what a filter says of writing to the file
 *
 * Where it is only to be read, it stays so.
 *
 * Return: 0 or @err
 */
static inline int fuse_filter_limit_map(struct vm_area_struct *vma, int err)
{
	if (!err || vma->vm_flags & VM_WRITE)
		return err;
	vm_flags_clear(vma, VM_MAYWRITE);
	return 0;
}

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
