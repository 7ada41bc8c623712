/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Replies that say what a node is backed by, for daemons on libfuse's low-level
 * interface. Include <fuse_lowlevel.h>, of libfuse 3.17 or later, before.
 *
 * These take the place of fuse_reply_entry() and fuse_reply_create(), which stay
 * right for nodes that are not backed. Negative entries are fuse_reply_entry()'s.
 */
#ifndef _FUSE_BPF_LOWLEVEL_H
#define _FUSE_BPF_LOWLEVEL_H

#include <errno.h>
#include <fuse_bpf.h>
#include <fuse_lowlevel.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Not for use by itself: what both replies have in common. */
static inline struct fuse_bpf_entry fuse_bpf_entry_from_param(const struct fuse_entry_param *e)
{
	struct fuse_bpf_entry entry = {};

	entry.sz = sizeof(entry);
	entry.nodeid = e->ino;
	entry.generation = e->generation;
	entry.entry_timeout = e->entry_timeout;
	entry.attr_timeout = e->attr_timeout;
	entry.attr = &e->attr;
	return entry;
}

static inline int fuse_bpf_send_reply(fuse_req_t req, const struct fuse_bpf_entry *entry,
				      const struct fuse_entry_backing_out *backing)
{
	char buf[FUSE_BPF_REPLY_SIZE];
	int len = fuse_bpf_build_reply(buf, sizeof(buf), entry, backing);
	struct iovec iov;

	if (len < 0)
		return fuse_reply_err(req, EIO);
	iov.iov_base = buf;
	iov.iov_len = (size_t)len;
	return fuse_reply_iov(req, &iov, 1);
}

/**
 * fuse_bpf_reply_entry - reply to lookup, mknod, mkdir, symlink or link
 * @req: the request, which is over afterwards
 * @e: as for fuse_reply_entry(); of the attributes, only the type counts if the node
 *	is backed
 * @backing: what the node is backed by
 *
 * Return: as fuse_reply_entry(): 0, or a negative errno, when the kernel does not
 * count the lookup
 */
static inline int fuse_bpf_reply_entry(fuse_req_t req, const struct fuse_entry_param *e,
				       const struct fuse_entry_backing_out *backing)
{
	struct fuse_bpf_entry entry = fuse_bpf_entry_from_param(e);

	return fuse_bpf_send_reply(req, &entry, backing);
}

/* Not for use by itself: FOPEN_* of the kernel, from what libfuse has for them */
static inline __u32 fuse_bpf_open_flags(const struct fuse_file_info *fi)
{
	return (fi->direct_io ? 1U << 0 : 0) | (fi->keep_cache ? 1U << 1 : 0) |
	       (fi->nonseekable ? 1U << 2 : 0) | (fi->noflush ? 1U << 5 : 0) |
	       (fi->parallel_direct_writes ? 1U << 6 : 0) |
	       (fi->backing_id > 0 ? 1U << 7 : 0);
}

/**
 * fuse_bpf_reply_create - reply to create or tmpfile
 * @req: the request, which is over afterwards
 * @e: as for fuse_reply_create()
 * @fi: likewise
 * @backing: what the node is backed by
 *
 * If the backing serves OPEN, the kernel opens the file on it, and release is
 * called for @fi->fh.
 *
 * Return: as fuse_reply_create()
 */
static inline int fuse_bpf_reply_create(fuse_req_t req, const struct fuse_entry_param *e,
					const struct fuse_file_info *fi,
					const struct fuse_entry_backing_out *backing)
{
	struct fuse_bpf_entry entry = fuse_bpf_entry_from_param(e);

	entry.is_open = 1;
	entry.fh = fi->fh;
	entry.open_flags = fuse_bpf_open_flags(fi);
	entry.open_backing_id = fi->backing_id > 0 ? fi->backing_id : 0;
	return fuse_bpf_send_reply(req, &entry, backing);
}

#ifdef __cplusplus
}
#endif

#endif /* _FUSE_BPF_LOWLEVEL_H */
