/* SPDX-License-Identifier: GPL-2.0 */
/*
 * FUSE filters: chains of them on a connection, and how they are asked.
 */
#ifndef _FS_FUSE_FILTER_H
#define _FS_FUSE_FILTER_H

#include "backed.h"
#include <linux/err.h>
#include <linux/fuse_filter.h>
#include <linux/jump_label.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>

/**
 * struct fuse_filter_ranges - byte ranges that read as zero
 * @nr: number of ranges
 * @overflow: a range was not taken: refuse the request
 * @range: ranges in order, apart from each other; the end is the byte after
 */
struct fuse_filter_ranges {
	u32 nr;
	bool overflow;
	struct {
		u64 start;
		u64 end;
	} range[FUSE_FILTER_MAX_RANGES];
};

static inline void fuse_filter_ranges_init(struct fuse_filter_ranges *ranges)
{
	ranges->nr = 0;
	ranges->overflow = false;
}

/* What a program may change in &fuse_filter_args.attr */
#define FUSE_FILTER_EDIT_MODE	BIT(0)
#define FUSE_FILTER_EDIT_OWNER	BIT(1)
#define FUSE_FILTER_EDIT_TIMES	BIT(2)
#define FUSE_FILTER_EDIT_VALID	BIT(3)
#define FUSE_FILTER_EDIT_SIZE	BIT(4)
/* Of these, only what &fuse_filter_attr.valid says is given */
#define FUSE_FILTER_EDIT_GIVEN	BIT(5)

/**
 * struct fuse_filter_args - what goes with a call and few calls have
 * @nodeid: node id where the call has no inode
 * @parent: node id of the directory where the call has none
 * @newparent: node id of the directory of the new name of a rename
 * @newdir: that directory, where there is an inode for it
 * @newname: that name
 * @text: see %FUSE_FILTER_TEXT, NUL-terminated
 * @value: see %FUSE_FILTER_VALUE
 * @value_len: bytes of it
 * @value_room: bytes that a postfilter may put there, 0: it may not
 * @value_probe: the caller wants to know only how many it would be
 * @value_set: a postfilter has done so
 * @attr: attributes that the call gives or returns
 * @attr_edit: FUSE_FILTER_EDIT_*
 * @statfs: statistics that the call returns
 * @ranges: where to note what is to be redacted
 * @add_open_flags: where to note flags that are to be added
 */
struct fuse_filter_args {
	u64 nodeid;
	u64 parent;
	u64 newparent;
	struct inode *newdir;
	const struct qstr *newname;
	const char *text;
	void *value;
	size_t value_len;
	size_t value_room;
	bool value_probe;
	bool value_set;
	struct fuse_filter_attr *attr;
	u32 attr_edit;
	struct fuse_kstatfs *statfs;
	struct fuse_filter_ranges *ranges;
	u32 *add_open_flags;
};

struct fuse_filter_bound;

/* filter_list.c */
extern const struct file_operations fuse_filters_fops;

/* Of a verdict: who answers, and whether the daemon is asked */
#define FUSE_FILTER_ROUTES	(FUSE_FILTER_BACKING | FUSE_FILTER_DAEMON)
#define FUSE_FILTER_ASKS	(FUSE_FILTER_ASK_PRE | FUSE_FILTER_ASK_POST)

/* Errnos from here on mean something to the kernel and nothing to a caller */
#define FUSE_FILTER_MAX_ERRNO 511

static inline bool fuse_filter_plain_errno(int ret)
{
	return ret < 0 && ret >= -FUSE_FILTER_MAX_ERRNO && ret != -ECHILD;
}

/* What filters are told of a check of permission */
static inline u32 fuse_filter_access_mask(int mask)
{
	static_assert(FUSE_FILTER_MAY_APPEND == MAY_APPEND);
	static_assert(FUSE_FILTER_MAY_ACCESS == MAY_ACCESS);
	static_assert(FUSE_FILTER_MAY_OPEN == MAY_OPEN);
	static_assert(FUSE_FILTER_MAY_CHDIR == MAY_CHDIR);

	return mask & (MAY_READ | MAY_WRITE | MAY_EXEC | MAY_APPEND | MAY_ACCESS |
		       MAY_OPEN | MAY_CHDIR);
}

/* Is there somebody who is to be told of the result of @call? */
static inline bool fuse_filter_has_post(const struct fuse_backed_call *call)
{
	return call->post || call->ask_post;
}

#ifdef CONFIG_FUSE_FILTER

struct bpf_link;
struct bpf_struct_ops;

/**
 * struct fuse_filter_ctx_kern - a callback's context, and what is not its to see
 * @ctx: what the program sees
 * @name: name that the call is about, or NULL
 * @in: what the request carries, by opcode, or NULL
 * @args: more of it, or NULL
 * @newname: &fuse_filter_args.newname, or what it folds to
 * @folds: directory of a name, that folds case; or NULL
 * @attr_given: a program was given &fuse_filter_args.attr, and can have changed it
 * @folded: what @name is then
 * @newfolded: what @newname is then
 * @name_buf: copy of @name for the program, made when it asks for it, or what @folded
 *	is
 * @newname_buf: what @newfolded is
 * @attr_before: what &fuse_filter_args.attr was
 */
struct fuse_filter_ctx_kern {
	struct fuse_filter_ctx ctx;
	const struct qstr *name;
	const void *in;
	struct fuse_filter_args *args;
	const struct qstr *newname;
	const struct inode *folds;
	bool attr_given;
	struct qstr folded;
	struct qstr newfolded;
	char name_buf[NAME_MAX + 1];
	char newname_buf[NAME_MAX + 1];
	struct fuse_filter_attr attr_before;
};

/**
 * struct fuse_filter_masks - sets of opcodes
 * @pre: those with a prefilter
 * @post: those with a postfilter
 * @pre_sleeps: those of @pre where it may sleep
 * @post_sleeps: those of @post where it may sleep
 */
struct fuse_filter_masks {
	u64 pre;
	u64 post;
	u64 pre_sleeps;
	u64 post_sleeps;
};

/**
 * struct fuse_filter_prog - the callbacks of a filter, replaced as a whole
 * @ops: the callbacks, with a reference to their map
 * @masks: opcodes that are asked about
 * @own: those of &fuse_filter_masks.pre with a prefilter of their own; the others
 *	go to &fuse_filter_ops.pre
 * @own_post: likewise of &fuse_filter_masks.post
 */
struct fuse_filter_prog {
	const struct fuse_filter_ops *ops;
	struct fuse_filter_masks masks;
	u64 own;
	u64 own_post;
};

/**
 * struct fuse_filter_reg - a registered filter
 * @list: entry in the list of registered filters
 * @prog: callbacks, under RCU and SRCU as the chains are
 * @link: BPF link that registered it, NULL for a map without link
 * @attached: its attachments
 * @users: the registration itself, and attachments; under fuse_filter_mutex
 * @dead: the link is gone
 * @warned: it has been reported for what it returned
 */
struct fuse_filter_reg {
	struct list_head list;
	struct fuse_filter_prog __rcu *prog;
	struct bpf_link *link;
	struct list_head attached;
	unsigned int users;
	bool dead;
	bool warned;
};

/**
 * struct fuse_filter - a filter attached to a mount or a directory
 * @reg: the registered filter
 * @list: entry in &fuse_filter_reg.attached
 * @fc: the connection
 * @dir: the directory, which is kept for as long; NULL: the mount, or nodes
 * @bound: what nodes are bound to by replies, NULL: the mount or a directory
 * @id: of the attachment
 * @flags: %FUSE_FILTER_FAIL_OPEN, %FUSE_FILTER_DIRECTORY, %FUSE_FILTER_BY_REPLY
 * @counts: callbacks made for this connection
 */
struct fuse_filter {
	struct fuse_filter_reg *reg;
	struct list_head list;
	struct fuse_conn *fc;
	struct inode *dir;
	struct fuse_filter_bound *bound;
	u32 id;
	u32 flags;
	struct fuse_filter_counts __percpu *counts;
};

struct fuse_filter_counts {
	u64 runs;
	u64 denied;
};

/**
 * struct fuse_filter_chain - filters of a mount or a directory, in the order of
 *			     asking
 * @masks: union of the filters' masks
 * @gen: different for each chain that a connection has or had
 * @next: the next one to be freed, when the connection ends
 * @nr: number of filters
 * @filters: the filters
 *
 * Of a chain that can be found, only @masks change, when a filter's callbacks are
 * replaced.
 */
struct fuse_filter_chain {
	struct fuse_filter_masks masks;
	u32 gen;
	struct fuse_filter_chain *next;
	u32 nr;
	struct fuse_filter *filters[] __counted_by(nr);
};

/**
 * struct fuse_filter_bound - what nodes have of a filter that replies bind them to
 * @chain: a chain of this filter only, NULL after detach
 * @refs: the attachment's reference, the nodes', and those of replies being read
 * @lock: protects @nodes and @ended
 * @nodes: nodes that are bound, of no meaning after detach
 * @ended: the filter was detached
 * @rcu: frees it; a path walk under RCU may have found it at a node
 *
 * The filter does not know its nodes, so it need not keep them: detach takes the
 * chain away from where all of them find it.
 */
struct fuse_filter_bound {
	struct fuse_filter_chain __rcu *chain;
	refcount_t refs;
	spinlock_t lock; /* of @nodes and @ended */
	u32 nodes;
	bool ended;
	struct rcu_head rcu;
};

/* Chains that one call can be asked about: the mount's, and those of directories */
#define FUSE_FILTER_MAX_CHAINS 9

/**
 * struct fuse_filter_set - all chains that a call is asked about
 * @chains: the mount's first, then those of directories and bound nodes from the
 *	inside out
 * @nr: number of chains
 * @filters: number of filters in them
 * @masks: union of the chains' masks
 * @key: different for different sets
 * @overflow: there are more than can be asked: refuse
 */
struct fuse_filter_set {
	const struct fuse_filter_chain *chains[FUSE_FILTER_MAX_CHAINS];
	u32 nr;
	u32 filters;
	struct fuse_filter_masks masks;
	u64 key;
	bool overflow;
};

/* Taken when the first filter is attached anywhere */
DECLARE_STATIC_KEY_FALSE(fuse_filter_key);

/* filter.c */
void fuse_filter_conn_init(struct fuse_conn *fc);
int fuse_filter_attach(struct fuse_conn *fc, struct inode *dir,
		       struct fuse_filter_attach *attach);
int fuse_filter_detach(struct fuse_conn *fc, u32 id);
void fuse_filter_update(struct fuse_filter_reg *reg, struct fuse_filter_prog *prog);
void fuse_filter_end(struct fuse_conn *fc);
void fuse_filter_query(struct fuse_bpf_query *query);
struct fuse_filter_chain *fuse_filter_mount_chain(struct fuse_conn *fc);

/* filter_bound.c */
struct fuse_filter_bound *fuse_filter_bound_new(void);
void fuse_filter_bound_end(struct fuse_conn *fc, struct fuse_filter_bound *bound);
struct fuse_filter_bound *fuse_filter_bound_get(struct fuse_conn *fc, u32 id);
void fuse_filter_bound_put(struct fuse_filter_bound *bound);
bool fuse_filter_bound_same(const struct inode *inode,
			    const struct fuse_filter_bound *bound);
void fuse_filter_bind(struct inode *inode, struct fuse_filter_bound *bound);
void fuse_filter_unbind(struct inode *inode);

/* filter_list.c */
void fuse_filter_describe(const struct fuse_filter *filter,
			  struct fuse_filter_info *info);
int fuse_filter_list(struct fuse_conn *fc, struct fuse_filter_list *list);

/* filter_dir.c */
void fuse_filter_collect(struct fuse_filter_set *set, struct fuse_conn *fc,
			 const struct fuse_backed_call *call);

/* filter_call.c */
extern struct srcu_struct fuse_filter_srcu;
int __fuse_filter_pre(struct fuse_conn *fc, struct fuse_backed_call *call);
ssize_t __fuse_filter_post(struct fuse_conn *fc,
			   const struct fuse_backed_call *call, ssize_t ret);
void fuse_filter_synchronize(void);

/* filter_ask.c */
int fuse_filter_ask_daemon(struct fuse_backed_call *call, int verdict);
ssize_t fuse_filter_tell_daemon(const struct fuse_backed_call *call, ssize_t ret);

/* filter_fold.c */
int fuse_filter_fold_names(struct fuse_filter_ctx_kern *kctx,
			   const struct fuse_backed_call *call);

/* filter_show.c */
bool fuse_filter_shows(struct inode *dir, const char *name, int namelen, u64 ino,
		       unsigned int type, const struct cred *cred);
ssize_t fuse_filter_xattr_names(struct inode *inode, char *list, size_t size);
int fuse_filter_stat(struct fuse_backed_call *call, struct kstat *stat, int err);
int fuse_filter_found(struct fuse_backed_call *call, const struct inode *inode,
		      struct mnt_idmap *idmap);

/* filter_bpf.c */
extern struct mutex fuse_filter_mutex;
extern struct list_head fuse_filter_regs;
void fuse_filter_init(void);
struct fuse_filter_reg *fuse_filter_reg_get(int fd);
void fuse_filter_reg_put(struct fuse_filter_reg *reg);
void fuse_filter_all_ops(struct fuse_filter_masks *masks);

/* filter_kfuncs.c */
int fuse_filter_register_kfuncs(const struct bpf_struct_ops *st_ops);
bool fuse_filter_available(void);

/**
 * fuse_filter_concerns - can there be a filter with a callback for an opcode?
 * @fc: connection
 * @opcode: enum fuse_opcode or FUSE_FILTER_OP_*
 *
 * Return: false if there is none
 */
static inline bool fuse_filter_concerns(const struct fuse_conn *fc, u32 opcode)
{
	/* A directory's filters may have, but that takes a walk to find out */
	return READ_ONCE(fc->filter_ops) & BIT_ULL(opcode) ||
	       atomic_read(&fc->filter_dirs);
}

/**
 * fuse_filter_asked - can there be a filter that is asked about an opcode?
 * @fc: connection
 * @opcode: enum fuse_opcode or FUSE_FILTER_OP_*
 *
 * Return: false if there is none
 */
static inline bool fuse_filter_asked(const struct fuse_conn *fc, u32 opcode)
{
	return static_branch_unlikely(&fuse_filter_key) &&
	       fuse_filter_concerns(fc, opcode);
}

/**
 * fuse_filter_pre - ask the filters of a connection about a call
 * @fc: connection
 * @call: the call; notes which postfilters are to be called
 *
 * Return: enum fuse_filter_verdict, with FUSE_FILTER_ASK_* as the programs say, or a
 * negative errno; -ECHILD only in RCU-walk
 */
static inline int fuse_filter_pre(struct fuse_conn *fc,
				  struct fuse_backed_call *call)
{
	if (fuse_filter_asked(fc, call->opcode))
		return __fuse_filter_pre(fc, call);
	return FUSE_FILTER_DEFAULT;
}

/**
 * fuse_filter_post - call the postfilters of a call that was answered
 * @fc: connection
 * @call: the call
 * @ret: its result
 *
 * Return: its result now; -ECHILD in RCU-walk if there is one that may sleep
 */
static inline ssize_t fuse_filter_post(struct fuse_conn *fc,
				       const struct fuse_backed_call *call,
				       ssize_t ret)
{
	return fuse_filter_has_post(call) ? __fuse_filter_post(fc, call, ret) : ret;
}

#else /* !CONFIG_FUSE_FILTER */

static inline void fuse_filter_init(void)
{
}

static inline int fuse_filter_pre(struct fuse_conn *fc,
				  struct fuse_backed_call *call)
{
	return FUSE_FILTER_DEFAULT;
}

static inline int fuse_filter_ask_daemon(struct fuse_backed_call *call, int verdict)
{
	return verdict;
}

static inline bool fuse_filter_asked(const struct fuse_conn *fc, u32 opcode)
{
	return false;
}

static inline ssize_t fuse_filter_post(struct fuse_conn *fc,
				       const struct fuse_backed_call *call,
				       ssize_t ret)
{
	return ret;
}

static inline bool fuse_filter_shows(struct inode *dir, const char *name,
				     int namelen, u64 ino, unsigned int type,
				     const struct cred *cred)
{
	return true;
}

static inline ssize_t fuse_filter_xattr_names(struct inode *inode, char *list,
					      size_t size)
{
	return size;
}

static inline int fuse_filter_stat(struct fuse_backed_call *call,
				   struct kstat *stat, int err)
{
	return err;
}

static inline void fuse_filter_conn_init(struct fuse_conn *fc)
{
}

static inline int fuse_filter_found(struct fuse_backed_call *call,
				    const struct inode *inode,
				    struct mnt_idmap *idmap)
{
	return 0;
}

static inline int fuse_filter_attach(struct fuse_conn *fc, struct inode *dir,
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
				   struct fuse_filter_list *list)
{
	list->nr = 0;
	return 0;
}

static inline void fuse_filter_query(struct fuse_bpf_query *query)
{
}

static inline struct fuse_filter_bound *
fuse_filter_bound_get(struct fuse_conn *fc, u32 id)
{
	return id ? ERR_PTR(-EIO) : NULL;
}

static inline void fuse_filter_bound_put(struct fuse_filter_bound *bound)
{
}

static inline bool fuse_filter_bound_same(const struct inode *inode,
					  const struct fuse_filter_bound *bound)
{
	return true;
}

static inline void fuse_filter_bind(struct inode *inode,
				    struct fuse_filter_bound *bound)
{
}

static inline void fuse_filter_unbind(struct inode *inode)
{
}

#endif /* CONFIG_FUSE_FILTER */

#ifdef CONFIG_FUSE_BACKED

/**
 * fuse_backed_straight - does the backing answer, with nobody else to be asked?
 * @inode: backed inode that the operation is on, or directory in which a name is dealt
 *	with
 * @file: open file that the operation is on, or NULL
 * @opcode: enum fuse_opcode
 *
 * So it is for nearly all operations of nearly all mounts: they act at once, and
 * nothing has to describe them.
 *
 * Return: true if fuse_backed_route() would say %FUSE_ROUTE_BACKING and nobody is to
 * be told of the result; false: ask it
 */
static inline bool fuse_backed_straight(struct inode *inode, const struct file *file,
					u32 opcode)
{
	const struct fuse_file *ff = file ? file->private_data : NULL;

	return likely(fuse_backed_serves(fuse_backed(inode)->fb, opcode) &&
		      !(ff && ff->server) && !fuse_is_bad(inode) &&
		      !fuse_filter_asked(get_fuse_conn(inode), opcode));
}

#endif /* CONFIG_FUSE_BACKED */

#endif /* _FS_FUSE_FILTER_H */
