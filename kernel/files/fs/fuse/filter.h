/* SPDX-License-Identifier: GPL-2.0 */
/*
 * FUSE filters: chains of them on a connection, and how they are asked.
 */
#ifndef _FS_FUSE_FILTER_H
#define _FS_FUSE_FILTER_H

#include "backed.h"
#include <linux/fuse_filter.h>
#include <linux/jump_label.h>

#ifdef CONFIG_FUSE_FILTER

struct bpf_link;
struct bpf_struct_ops;

/**
 * struct fuse_filter_ctx_kern - a callback's context, and what is not its to see
 * @ctx: what the program sees
 * @name: name that the call is about, or NULL
 * @name_buf: copy of @name for the program, made when it asks for it
 */
struct fuse_filter_ctx_kern {
	struct fuse_filter_ctx ctx;
	const struct qstr *name;
	char name_buf[NAME_MAX + 1];
};

/**
 * struct fuse_filter_reg - a registered filter
 * @list: entry in the list of registered filters
 * @ops: the program's callbacks, with a reference to their map
 * @link: BPF link that registered it, NULL for a map without link
 * @users: the registration itself, and attachments; under fuse_filter_mutex
 * @dead: the link is gone
 * @warned: it has been reported for what it returned
 * @mask: opcodes it has a callback for
 * @sleepable: those of @mask whose callback may sleep
 */
struct fuse_filter_reg {
	struct list_head list;
	const struct fuse_filter_ops *ops;
	struct bpf_link *link;
	unsigned int users;
	bool dead;
	bool warned;
	u64 mask;
	u64 sleepable;
};

/* Taken when the first filter is attached anywhere */
DECLARE_STATIC_KEY_FALSE(fuse_filter_key);

/* filter.c */
int __fuse_filter_pre(struct fuse_conn *fc, const struct fuse_backed_call *call);
int fuse_filter_attach(struct fuse_conn *fc, struct fuse_filter_attach *attach);
int fuse_filter_detach(struct fuse_conn *fc, u32 id);
void fuse_filter_end(struct fuse_conn *fc);
int fuse_filter_list(struct fuse_conn *fc, struct fuse_filter_info __user *buf,
		     u32 *nr);
void fuse_filter_query(struct fuse_bpf_query *query);

/* filter_bpf.c */
extern struct mutex fuse_filter_mutex;
void fuse_filter_init(void);
struct fuse_filter_reg *fuse_filter_reg_get(int fd);
void fuse_filter_reg_put(struct fuse_filter_reg *reg);
u64 fuse_filter_all_ops(void);

/* filter_kfuncs.c */
int fuse_filter_register_kfuncs(const struct bpf_struct_ops *st_ops);
bool fuse_filter_available(void);

/**
 * fuse_filter_pre - ask the filters of a connection about a call
 * @fc: connection
 * @call: the call
 *
 * Return: enum fuse_filter_verdict or a negative errno; -ECHILD only in RCU-walk
 */
static inline int fuse_filter_pre(struct fuse_conn *fc,
				  const struct fuse_backed_call *call)
{
	if (static_branch_unlikely(&fuse_filter_key))
		return __fuse_filter_pre(fc, call);
	return FUSE_FILTER_DEFAULT;
}

#else /* !CONFIG_FUSE_FILTER */

static inline void fuse_filter_init(void)
{
}

static inline int fuse_filter_pre(struct fuse_conn *fc,
				  const struct fuse_backed_call *call)
{
	return FUSE_FILTER_DEFAULT;
}

static inline int fuse_filter_attach(struct fuse_conn *fc,
				     struct fuse_filter_attach *attach)
{
	return -EOPNOTSUPP;
}

static inline int fuse_filter_detach(struct fuse_conn *fc, u32 id)
{
	return -ENOENT;
}

static inline void fuse_filter_end(struct fuse_conn *fc)
{
}

static inline int fuse_filter_list(struct fuse_conn *fc,
				   struct fuse_filter_info __user *buf, u32 *nr)
{
	*nr = 0;
	return 0;
}

static inline void fuse_filter_query(struct fuse_bpf_query *query)
{
}

#endif /* CONFIG_FUSE_FILTER */

#endif /* _FS_FUSE_FILTER_H */
