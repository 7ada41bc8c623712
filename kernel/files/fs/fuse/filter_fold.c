// SPDX-License-Identifier: GPL-2.0-only
/*
 * FUSE filters: names in directories that fold case.
 *
 * Such a name has many spellings, of which a caller can choose one, and a rule about
 * one of them would not hold for the others. All have one thing in common, what they
 * fold to, and so filters are told that.
 */

#include "filter.h"

#include <linux/unicode.h>

#if IS_REACHABLE(CONFIG_UNICODE)

static int fuse_filter_fold(const struct inode *real, const struct qstr *name,
			    char *buf, struct qstr *folded)
{
	const struct unicode_map *um = real->i_sb->s_encoding;
	int len = utf8_casefold(um, name, buf, NAME_MAX + 1);

	/* What is no text in this encoding is compared byte by byte */
	if (len < 0 && utf8_validate(um, name))
		return 0;
	if (len < 0)
		return -ENAMETOOLONG;
	*folded = (struct qstr)QSTR_INIT(buf, len);
	return len;
}

#else

static int fuse_filter_fold(const struct inode *real, const struct qstr *name,
			    char *buf, struct qstr *folded)
{
	return -EOPNOTSUPP;
}

#endif

/* The backing's directory, if it folds case */
static const struct inode *fuse_filter_folding(const struct inode *dir)
{
	const struct inode *real;

	if (!dir || !fuse_inode_backed(dir))
		return NULL;
	/* Gone only in RCU-walk, which finds out */
	real = d_inode_rcu(fuse_backed(dir)->dentry);
	return real && IS_CASEFOLDED(real) ? real : NULL;
}

/**
 * fuse_filter_fold_names - put what names fold to in their place
 * @kctx: context with the names as the caller gave them
 * @call: the call, which has a name
 *
 * Return: 0, -ENAMETOOLONG a name is too long then, -EOPNOTSUPP the kernel cannot
 */
int fuse_filter_fold_names(struct fuse_filter_ctx_kern *kctx,
			   const struct fuse_backed_call *call)
{
	const struct inode *real = fuse_filter_folding(call->dir);
	int ret;

	if (real) {
		kctx->folds = call->dir;
		ret = fuse_filter_fold(real, call->name, kctx->name_buf, &kctx->folded);
		if (ret < 0)
			return ret;
		if (ret)
			kctx->name = &kctx->folded;
	}

	real = fuse_filter_folding(kctx->newname ? call->args->newdir : NULL);
	if (real) {
		kctx->folds = call->args->newdir;
		ret = fuse_filter_fold(real, kctx->newname, kctx->newname_buf,
				       &kctx->newfolded);
		if (ret < 0)
			return ret;
		if (ret)
			kctx->newname = &kctx->newfolded;
	}
	return 0;
}
