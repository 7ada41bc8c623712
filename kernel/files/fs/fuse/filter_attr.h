/* SPDX-License-Identifier: GPL-2.0 */
/*
 * FUSE filters: attributes as programs see them, and what of them they may change.
 */
#ifndef _FS_FUSE_FILTER_ATTR_H
#define _FS_FUSE_FILTER_ATTR_H

#include "filter.h"

#include <linux/pid_namespace.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>

struct iattr;
struct kstat;

#ifdef CONFIG_FUSE_FILTER

/*
 * Ids as programs see them, several for each call. The initial user namespace maps
 * every id to itself, and need not be searched.
 */
static inline u32 fuse_filter_uid(const struct fuse_conn *fc, kuid_t uid)
{
	if (fc->user_ns == &init_user_ns && uid_valid(uid))
		return __kuid_val(uid);
	return from_kuid_munged(fc->user_ns, uid);
}

static inline u32 fuse_filter_gid(const struct fuse_conn *fc, kgid_t gid)
{
	if (fc->user_ns == &init_user_ns && gid_valid(gid))
		return __kgid_val(gid);
	return from_kgid_munged(fc->user_ns, gid);
}

/* The caller's thread, likewise */
static inline u32 fuse_filter_pid(const struct fuse_conn *fc)
{
	if (fc->pid_ns == &init_pid_ns)
		return task_pid_nr(current);
	return pid_nr_ns(task_pid(current), fc->pid_ns);
}

struct fuse_filter_attr *fuse_filter_attr_give(struct fuse_filter_ctx_kern *kctx);
bool fuse_filter_args_ok(const struct fuse_filter_ctx_kern *kctx);

void fuse_filter_attr_from_inode(struct fuse_filter_attr *attr,
				 struct fuse_conn *fc, const struct inode *inode,
				 struct mnt_idmap *idmap);
void fuse_filter_attr_from_stat(struct fuse_filter_attr *attr,
				struct fuse_conn *fc, const struct kstat *stat);
int fuse_filter_attr_to_stat(const struct fuse_filter_attr *attr,
			     struct fuse_conn *fc, struct kstat *stat);
void fuse_filter_attr_from_iattr(struct fuse_filter_attr *attr,
				 struct fuse_conn *fc, const struct iattr *iattr);
int fuse_filter_attr_to_iattr(const struct fuse_filter_attr *attr,
			      struct fuse_conn *fc, struct iattr *iattr);

#else /* !CONFIG_FUSE_FILTER */

static inline void fuse_filter_attr_from_inode(struct fuse_filter_attr *attr,
					       struct fuse_conn *fc,
					       const struct inode *inode,
					       struct mnt_idmap *idmap)
{
}

static inline void fuse_filter_attr_from_stat(struct fuse_filter_attr *attr,
					      struct fuse_conn *fc,
					      const struct kstat *stat)
{
}

static inline int fuse_filter_attr_to_stat(const struct fuse_filter_attr *attr,
					   struct fuse_conn *fc, struct kstat *stat)
{
	return 0;
}

static inline void fuse_filter_attr_from_iattr(struct fuse_filter_attr *attr,
					       struct fuse_conn *fc,
					       const struct iattr *iattr)
{
}

static inline int fuse_filter_attr_to_iattr(const struct fuse_filter_attr *attr,
					    struct fuse_conn *fc,
					    struct iattr *iattr)
{
	return 0;
}

#endif /* CONFIG_FUSE_FILTER */

#endif /* _FS_FUSE_FILTER_ATTR_H */
