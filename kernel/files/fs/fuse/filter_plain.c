// SPDX-License-Identifier: GPL-2.0-only
/*
 * FUSE filters: operations on inodes that are not backed and that the kernel may
 * answer without a request.
 *
 * What the daemon has said once is cached, for all callers. Filters are asked
 * here, before a cache is looked at; about the other operations they are asked
 * where the request is sent, see filter_req.c.
 */

#include "filter_attr.h"
#include "filter_plain.h"
#include "filter_redact.h"

#include <linux/fs.h>
#include <linux/namei.h>
#include <linux/uio.h>

/* There is no backing that could answer, and nothing that could be left out. */
static int fuse_filter_plain_ask(struct fuse_backed_call *call, struct inode *inode)
{
	struct fuse_conn *fc = get_fuse_conn(inode);
	int err = fuse_filter_plain_verdict(__fuse_filter_pre(fc, call));

	if (unlikely(err && err != -ECHILD))
		fuse_backed_count_denied(fc, call->opcode);
	return err;
}

/*
 * What comes here is the daemon's to answer, also where the inode is backed: a
 * file that the daemon opened, a directory whose names are the daemon's.
 */
static bool fuse_filter_on(void)
{
	return static_branch_unlikely(&fuse_filter_key);
}

static noinline struct dentry *fuse_filter_plain_lookup(struct inode *dir,
							struct dentry *entry,
							unsigned int flags)
{
	struct fuse_backed_call call = {
		.opcode = FUSE_LOOKUP,
		.dir = dir,
		.name = &entry->d_name,
	};
	struct dentry *res;
	int err;

	err = fuse_filter_plain_ask(&call, dir);
	if (err)
		return ERR_PTR(err);

	res = fuse_lookup(dir, entry, flags);
	if (IS_ERR(res) || !call.post)
		return res;

	err = fuse_filter_found(&call, d_inode(res ?: entry), &nop_mnt_idmap);
	if (!err)
		return res;
	dput(res);
	return ERR_PTR(err);
}

/**
 * fuse_filter_lookup - find a name in a directory that is not backed
 * @dir: the directory
 * @entry: dentry in lookup
 * @flags: LOOKUP_*
 *
 * A refusal is not cached.
 *
 * Return: as for ->lookup()
 */
struct dentry *fuse_filter_lookup(struct inode *dir, struct dentry *entry,
				  unsigned int flags)
{
	if (fuse_filter_on())
		return fuse_filter_plain_lookup(dir, entry, flags);
	return fuse_lookup(dir, entry, flags);
}

/**
 * __fuse_filter_revalidate - see fuse_filter_revalidate()
 * @dir: directory
 * @name: name as the caller gave it
 * @entry: cached dentry
 * @flags: LOOKUP_*
 *
 * Return: see fuse_filter_revalidate()
 */
int __fuse_filter_revalidate(struct inode *dir, const struct qstr *name,
			     struct dentry *entry, unsigned int flags)
{
	struct fuse_backed_call call = {
		.opcode = FUSE_LOOKUP,
		.rcu = flags & LOOKUP_RCU,
		.dir = dir,
		.name = name,
	};
	int err;

	err = fuse_filter_plain_ask(&call, dir);
	return err || !call.post ? err :
	       fuse_filter_found(&call, d_inode_rcu(entry), &nop_mnt_idmap);
}

static noinline int fuse_filter_plain_permission(struct mnt_idmap *idmap,
						 struct inode *inode, int mask)
{
	const struct fuse_access_in in = { .mask = fuse_filter_access_mask(mask) };
	struct fuse_backed_call call = {
		.opcode = FUSE_ACCESS,
		.rcu = mask & MAY_NOT_BLOCK,
		.inode = inode,
		.in = &in,
	};
	int err;

	err = fuse_filter_plain_ask(&call, inode);
	if (err)
		return err;

	err = fuse_permission(idmap, inode, mask);
	/* To be asked again is no result */
	return err == -ECHILD ? err :
	       fuse_filter_post(get_fuse_conn(inode), &call, err);
}

/**
 * fuse_filter_permission - may the caller access an inode that is not backed?
 * @idmap: of the mount
 * @inode: inode
 * @mask: MAY_*
 *
 * Return: as for ->permission()
 */
int fuse_filter_permission(struct mnt_idmap *idmap, struct inode *inode, int mask)
{
	if (fuse_filter_on())
		return fuse_filter_plain_permission(idmap, inode, mask);
	return fuse_permission(idmap, inode, mask);
}

static noinline int fuse_filter_plain_getattr(struct mnt_idmap *idmap,
					      const struct path *path,
					      struct kstat *stat, u32 request_mask,
					      unsigned int flags)
{
	struct fuse_backed_call call = {
		.opcode = FUSE_GETATTR,
		.inode = d_inode(path->dentry),
	};
	int err;

	err = fuse_filter_plain_ask(&call, call.inode);
	if (err)
		return err;

	err = fuse_getattr(idmap, path, stat, request_mask, flags);
	return fuse_filter_stat(&call, stat, err);
}

/**
 * fuse_filter_getattr - attributes of an inode that is not backed
 * @idmap: of the mount
 * @path: the inode
 * @stat: filled in
 * @request_mask: STATX_*
 * @flags: AT_STATX_*
 *
 * Return: as for ->getattr()
 */
int fuse_filter_getattr(struct mnt_idmap *idmap, const struct path *path,
			struct kstat *stat, u32 request_mask, unsigned int flags)
{
	if (fuse_filter_on())
		return fuse_filter_plain_getattr(idmap, path, stat, request_mask,
						 flags);
	return fuse_getattr(idmap, path, stat, request_mask, flags);
}

/**
 * fuse_filter_listxattr - names of extended attributes of an inode that is not
 *			   backed
 * @entry: the inode
 * @list: where to
 * @size: room in @list, 0: only ask how much it takes
 *
 * If names are left out, the size that is asked for is an upper bound.
 *
 * Return: as for ->listxattr()
 */
ssize_t fuse_filter_listxattr(struct dentry *entry, char *list, size_t size)
{
	ssize_t ret = fuse_listxattr(entry, list, size);

	if (ret > 0 && size && fuse_filter_on())
		ret = fuse_filter_xattr_names(d_inode(entry), list, ret);
	return ret;
}

struct fuse_filter_readdir {
	struct dir_context ctx;
	struct dir_context *caller;
	struct inode *dir;
};

static bool fuse_filter_filldir(struct dir_context *ctx, const char *name,
				int namelen, loff_t offset, u64 ino,
				unsigned int type)
{
	struct fuse_filter_readdir *rd =
		container_of(ctx, struct fuse_filter_readdir, ctx);

	rd->caller->pos = ctx->pos;
	if (!name_is_dot_dotdot(name, namelen) &&
	    !fuse_filter_shows(rd->dir, name, namelen, ino, type & S_DT_MASK, NULL))
		return true;
	return rd->caller->actor(rd->caller, name, namelen, offset, ino, type);
}

static noinline int fuse_filter_plain_readdir(struct file *file,
					      struct dir_context *caller)
{
	struct fuse_filter_readdir rd = {
		.ctx.actor = fuse_filter_filldir,
		.ctx.pos = caller->pos,
		.ctx.count = caller->count,
		.ctx.dt_flags_mask = caller->dt_flags_mask,
		.caller = caller,
		.dir = file_inode(file),
	};
	int err = fuse_readdir(file, &rd.ctx);

	caller->pos = rd.ctx.pos;
	return err;
}

/**
 * fuse_filter_readdir - read a directory that is not backed
 * @file: the directory
 * @ctx: where to
 *
 * Return: as for ->iterate_shared()
 */
int fuse_filter_readdir(struct file *file, struct dir_context *ctx)
{
	if (fuse_filter_on() &&
	    fuse_filter_asked(get_fuse_conn(file_inode(file)), FUSE_FILTER_OP_DIRENT))
		return fuse_filter_plain_readdir(file, ctx);
	return fuse_readdir(file, ctx);
}

/*
 * Ask about bytes of a file. What would have to be redacted is refused: it may be
 * in the page cache already, for all to read.
 */
static int fuse_filter_plain_io(struct fuse_backed_call *call, struct inode *inode)
{
	struct fuse_filter_ranges ranges;
	struct fuse_filter_args args = { .ranges = &ranges };
	int err;

	fuse_filter_ranges_init(&ranges);
	call->args = &args;
	err = fuse_filter_plain_ask(call, inode);
	call->args = NULL;
	return err ?: ranges.nr ? -EACCES : 0;
}

static struct fuse_filter_io fuse_filter_range(const struct kiocb *iocb, size_t size)
{
	bool append = iocb->ki_flags & IOCB_APPEND;

	return (struct fuse_filter_io) {
		.offset = append ? i_size_read(file_inode(iocb->ki_filp)) :
				   iocb->ki_pos,
		.size = size,
		.flags = append ? FUSE_FILTER_IO_APPEND : 0,
	};
}

static ssize_t fuse_filter_rw_iter(struct kiocb *iocb, struct iov_iter *iter,
				   u32 opcode,
				   ssize_t (*rw)(struct kiocb *, struct iov_iter *))
{
	const struct fuse_filter_io in = fuse_filter_range(iocb, iov_iter_count(iter));
	struct inode *inode = file_inode(iocb->ki_filp);
	struct fuse_backed_call call = {
		.opcode = opcode,
		.inode = inode,
		.in = &in,
	};
	ssize_t ret;

	ret = fuse_filter_plain_io(&call, inode);
	if (ret)
		return ret;

	ret = rw(iocb, iter);
	return ret == -EIOCBQUEUED ? ret :
	       fuse_filter_post(get_fuse_conn(inode), &call, ret);
}

/**
 * fuse_filter_read_iter - read from a file that is not backed
 * @iocb: request
 * @to: where to
 *
 * Return: as for ->read_iter()
 */
ssize_t fuse_filter_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	if (fuse_filter_on())
		return fuse_filter_rw_iter(iocb, to, FUSE_READ, fuse_file_read_iter);
	return fuse_file_read_iter(iocb, to);
}

/**
 * fuse_filter_write_iter - write to a file that is not backed
 * @iocb: request
 * @from: where from
 *
 * Return: as for ->write_iter()
 */
ssize_t fuse_filter_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	if (fuse_filter_on())
		return fuse_filter_rw_iter(iocb, from, FUSE_WRITE,
					   fuse_file_write_iter);
	return fuse_file_write_iter(iocb, from);
}

static int fuse_filter_may(struct file *file, u32 opcode, loff_t pos, u64 len)
{
	const struct fuse_filter_io in = { .offset = pos, .size = len };
	struct inode *inode = file_inode(file);
	struct fuse_backed_call call = {
		.opcode = opcode,
		.inode = inode,
		.in = &in,
	};

	return fuse_filter_plain_io(&call, inode);
}

/**
 * fuse_filter_splice_read - splice from a file that is not backed
 * @in: file
 * @ppos: position
 * @pipe: where to
 * @len: bytes
 * @flags: SPLICE_F_*
 *
 * Return: as for ->splice_read()
 */
ssize_t fuse_filter_splice_read(struct file *in, loff_t *ppos,
				struct pipe_inode_info *pipe, size_t len,
				unsigned int flags)
{
	int err = fuse_filter_on() ?
		  fuse_filter_may(in, FUSE_READ, *ppos, len) : 0;

	return err ?: fuse_splice_read(in, ppos, pipe, len, flags);
}

/**
 * fuse_filter_splice_write - splice to a file that is not backed
 * @pipe: where from
 * @out: file
 * @ppos: position
 * @len: bytes
 * @flags: SPLICE_F_*
 *
 * Return: as for ->splice_write()
 */
ssize_t fuse_filter_splice_write(struct pipe_inode_info *pipe, struct file *out,
				 loff_t *ppos, size_t len, unsigned int flags)
{
	int err = fuse_filter_on() ?
		  fuse_filter_may(out, FUSE_WRITE, *ppos, len) : 0;

	return err ?: fuse_splice_write(pipe, out, ppos, len, flags);
}

static noinline int fuse_filter_plain_mmap(struct file *file,
					   struct vm_area_struct *vma)
{
	const struct fuse_filter_mmap in = fuse_filter_mapping(vma);
	struct inode *inode = file_inode(file);
	struct fuse_backed_call call = {
		.opcode = FUSE_FILTER_OP_MMAP,
		.inode = inode,
		.in = &in,
	};
	int err;

	err = fuse_filter_plain_ask(&call, inode);
	if (!err)
		err = fuse_filter_may(file, FUSE_READ, 0, S64_MAX);
	if (err || !fuse_filter_writable(vma))
		return err;

	err = fuse_filter_may(file, FUSE_WRITE, 0, S64_MAX);
	return fuse_filter_limit_map(vma, err);
}

/**
 * fuse_filter_mmap - map a file that is not backed
 * @file: file
 * @vma: the mapping
 *
 * Return: as for ->mmap()
 */
int fuse_filter_mmap(struct file *file, struct vm_area_struct *vma)
{
	int err = fuse_filter_on() ?
		  fuse_filter_plain_mmap(file, vma) : 0;

	return err ?: fuse_file_mmap(file, vma);
}
