/* SPDX-License-Identifier: GPL-2.0 */
/*
 * FUSE filters: inodes that are not backed. Each function of the operation tables
 * has a twin here that asks the filters first.
 */
#ifndef _FS_FUSE_FILTER_PLAIN_H
#define _FS_FUSE_FILTER_PLAIN_H

#include "filter.h"

#include <linux/mm.h>

/* What the twins stand for */
int fuse_permission(struct mnt_idmap *idmap, struct inode *inode, int mask);
int fuse_getattr(struct mnt_idmap *idmap, const struct path *path,
		 struct kstat *stat, u32 request_mask, unsigned int flags);
ssize_t fuse_file_read_iter(struct kiocb *iocb, struct iov_iter *to);
ssize_t fuse_file_write_iter(struct kiocb *iocb, struct iov_iter *from);
ssize_t fuse_splice_read(struct file *in, loff_t *ppos,
			 struct pipe_inode_info *pipe, size_t len,
			 unsigned int flags);
ssize_t fuse_splice_write(struct pipe_inode_info *pipe, struct file *out,
			  loff_t *ppos, size_t len, unsigned int flags);
int fuse_file_mmap(struct file *file, struct vm_area_struct *vma);

/*
 * There is no backing that could answer, and the daemon, which does, need not be
 * asked beside.
 */
static inline int fuse_filter_plain_verdict(int verdict)
{
	if (verdict < 0)
		return verdict;
	return (verdict & FUSE_FILTER_ROUTES) == FUSE_FILTER_BACKING ? -EIO : 0;
}

#ifdef CONFIG_FUSE_FILTER

struct dentry *fuse_filter_lookup(struct inode *dir, struct dentry *entry,
				  unsigned int flags);
int __fuse_filter_revalidate(struct inode *dir, const struct qstr *name,
			     struct dentry *entry, unsigned int flags);
int fuse_filter_permission(struct mnt_idmap *idmap, struct inode *inode, int mask);
int fuse_filter_getattr(struct mnt_idmap *idmap, const struct path *path,
			struct kstat *stat, u32 request_mask, unsigned int flags);
ssize_t fuse_filter_listxattr(struct dentry *entry, char *list, size_t size);
int fuse_filter_readdir(struct file *file, struct dir_context *ctx);
ssize_t fuse_filter_read_iter(struct kiocb *iocb, struct iov_iter *to);
ssize_t fuse_filter_write_iter(struct kiocb *iocb, struct iov_iter *from);
ssize_t fuse_filter_splice_read(struct file *in, loff_t *ppos,
				struct pipe_inode_info *pipe, size_t len,
				unsigned int flags);
ssize_t fuse_filter_splice_write(struct pipe_inode_info *pipe, struct file *out,
				 loff_t *ppos, size_t len, unsigned int flags);
int fuse_filter_mmap(struct file *file, struct vm_area_struct *vma);

/**
 * fuse_filter_revalidate - may the caller see a cached name?
 * @dir: directory that is not backed
 * @name: name as the caller gave it
 * @entry: cached dentry
 * @flags: LOOKUP_*
 *
 * Return: 0, or a negative errno to end the walk with; -ECHILD in RCU-walk if a
 * program has to sleep for it
 */
static inline int fuse_filter_revalidate(struct inode *dir,
					 const struct qstr *name,
					 struct dentry *entry, unsigned int flags)
{
	if (static_branch_unlikely(&fuse_filter_key))
		return __fuse_filter_revalidate(dir, name, entry, flags);
	return 0;
}

/* filter_req.c */
ssize_t fuse_filter_send(struct fuse_mount *fm, struct fuse_args *args);
void fuse_filter_tell_bg(struct fuse_mount *fm, struct fuse_args *args);
bool __fuse_filter_sees(struct fuse_conn *fc, const struct fuse_args *args);

/**
 * fuse_filter_sees - is there a filter that wants to be asked about a request?
 * @fc: connection
 * @args: the request
 *
 * Return: false if there is none
 */
static inline bool fuse_filter_sees(struct fuse_conn *fc,
				    const struct fuse_args *args)
{
	return static_branch_unlikely(&fuse_filter_key) &&
	       __fuse_filter_sees(fc, args);
}

#else /* !CONFIG_FUSE_FILTER */

#define fuse_filter_lookup		fuse_lookup
#define fuse_filter_permission		fuse_permission
#define fuse_filter_getattr		fuse_getattr
#define fuse_filter_listxattr		fuse_listxattr
#define fuse_filter_readdir		fuse_readdir
#define fuse_filter_read_iter		fuse_file_read_iter
#define fuse_filter_write_iter		fuse_file_write_iter
#define fuse_filter_splice_read		fuse_splice_read
#define fuse_filter_splice_write	fuse_splice_write
#define fuse_filter_mmap		fuse_file_mmap

static inline int fuse_filter_revalidate(struct inode *dir,
					 const struct qstr *name,
					 struct dentry *entry, unsigned int flags)
{
	return 0;
}

static inline bool fuse_filter_sees(struct fuse_conn *fc,
				    const struct fuse_args *args)
{
	return false;
}

static inline ssize_t fuse_filter_send(struct fuse_mount *fm,
				       struct fuse_args *args)
{
	return -EIO;
}

static inline void fuse_filter_tell_bg(struct fuse_mount *fm,
				       struct fuse_args *args)
{
}

#endif /* CONFIG_FUSE_FILTER */

#endif /* _FS_FUSE_FILTER_PLAIN_H */
