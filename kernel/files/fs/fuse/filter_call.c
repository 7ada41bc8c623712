// SPDX-License-Identifier: GPL-2.0-only
/*
 * FUSE filters: asking about a call, and telling of its result.
 *
 * Callbacks that do not sleep are called under RCU, the others under SRCU, in
 * either case only while the callback runs, not while the backing works. The
 * filters may be others when the call has been answered.
 *
 * What a call needs is on the stack, and much of it is used only by programs that ask
 * for it: it is not zeroed first. fuse_filter_init_ctx() sets all that a program can
 * read of it, and bpf_fuse_ctx_name() and bpf_fuse_ctx_attr() the whole of what they
 * give out.
 */

#include "filter.h"
#include "filter_attr.h"
#include "fuse_trace.h"

#include <linux/cred.h>
#include <linux/srcu.h>
#include <linux/user_namespace.h>

DEFINE_SRCU(fuse_filter_srcu);

/* Wait until nobody uses what could be found under RCU or SRCU until now. */
void fuse_filter_synchronize(void)
{
	synchronize_srcu(&fuse_filter_srcu);
	synchronize_rcu();
}

static int fuse_filter_call_own(const struct fuse_filter_ops *ops,
				struct fuse_filter_ctx *ctx, const void *in)
{
	switch (ctx->opcode) {
	case FUSE_LOOKUP:
		return ops->lookup(ctx);
	case FUSE_GETATTR:
		return ops->getattr(ctx);
	case FUSE_SETATTR:
		return ops->setattr(ctx);
	case FUSE_READLINK:
		return ops->readlink(ctx);
	case FUSE_SYMLINK:
		return ops->symlink(ctx);
	case FUSE_MKNOD:
		return ops->mknod(ctx, in);
	case FUSE_MKDIR:
		return ops->mkdir(ctx, in);
	case FUSE_UNLINK:
		return ops->unlink(ctx);
	case FUSE_RMDIR:
		return ops->rmdir(ctx);
	case FUSE_RENAME:
	case FUSE_RENAME2:
		return ops->rename(ctx, in);
	case FUSE_LINK:
		return ops->link(ctx, in);
	case FUSE_OPEN:
		return ops->open(ctx, in);
	case FUSE_OPENDIR:
		return ops->opendir(ctx, in);
	case FUSE_CREATE:
	case FUSE_TMPFILE:
		return ops->create(ctx, in);
	case FUSE_READ:
		return ops->read(ctx, in);
	case FUSE_WRITE:
		return ops->write(ctx, in);
	case FUSE_FILTER_OP_MMAP:
		return ops->mmap(ctx, in);
	case FUSE_STATFS:
		return ops->statfs(ctx);
	case FUSE_SYNCFS:
		return ops->syncfs(ctx);
	case FUSE_FSYNC:
	case FUSE_FSYNCDIR:
		return ops->fsync(ctx, in);
	case FUSE_FLUSH:
		return ops->flush(ctx);
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
		return ops->release(ctx);
	case FUSE_SETXATTR:
		return ops->setxattr(ctx, in);
	case FUSE_GETXATTR:
		return ops->getxattr(ctx, in);
	case FUSE_LISTXATTR:
		return ops->listxattr(ctx, in);
	case FUSE_REMOVEXATTR:
		return ops->removexattr(ctx);
	case FUSE_FILTER_OP_XATTR_NAME:
		return ops->xattr_name(ctx);
	case FUSE_READDIR:
	case FUSE_READDIRPLUS:
		return ops->readdir(ctx, in);
	case FUSE_FILTER_OP_DIRENT:
		return ops->dirent(ctx, in);
	case FUSE_GETLK:
	case FUSE_SETLK:
	case FUSE_SETLKW:
		return ops->lock(ctx, in);
	case FUSE_ACCESS:
		return ops->permission(ctx, in);
	case FUSE_IOCTL:
		return ops->ioctl(ctx, in);
	case FUSE_POLL:
		return ops->poll(ctx, in);
	case FUSE_BMAP:
		return ops->bmap(ctx, in);
	case FUSE_FALLOCATE:
		return ops->fallocate(ctx, in);
	case FUSE_LSEEK:
		return ops->lseek(ctx, in);
	case FUSE_COPY_FILE_RANGE:
	case FUSE_COPY_FILE_RANGE_64:
		return ops->copy_file_range(ctx, in);
	}
	WARN_ON_ONCE(1);
	return -EIO;
}

/* What a name stands for that could not be looked up */
static const struct fuse_filter_attr fuse_filter_no_attr;

static int fuse_filter_call_own_post(const struct fuse_filter_ops *ops,
				     struct fuse_filter_ctx *ctx, const void *in,
				     const struct fuse_filter_args *args)
{
	switch (ctx->opcode) {
	case FUSE_LOOKUP:
		return ops->lookup_post(ctx, args ? args->attr : &fuse_filter_no_attr);
	case FUSE_GETATTR:
		return ops->getattr_post(ctx);
	case FUSE_READLINK:
		return ops->readlink_post(ctx);
	case FUSE_SYMLINK:
	case FUSE_MKNOD:
	case FUSE_MKDIR:
	case FUSE_LINK:
	case FUSE_CREATE:
	case FUSE_TMPFILE:
		return ops->create_post(ctx);
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		return ops->open_post(ctx);
	case FUSE_READ:
		return ops->read_post(ctx, in);
	case FUSE_WRITE:
		return ops->write_post(ctx, in);
	case FUSE_STATFS:
		return ops->statfs_post(ctx);
	case FUSE_GETXATTR:
		return ops->getxattr_post(ctx);
	case FUSE_LISTXATTR:
		return ops->listxattr_post(ctx);
	case FUSE_GETLK:
	case FUSE_SETLK:
	case FUSE_SETLKW:
		return ops->lock_post(ctx, in);
	case FUSE_LSEEK:
		return ops->lseek_post(ctx, in);
	case FUSE_COPY_FILE_RANGE:
	case FUSE_COPY_FILE_RANGE_64:
		return ops->copy_file_range_post(ctx, in);
	case FUSE_IOCTL:
		return ops->ioctl_post(ctx, in);
	}
	WARN_ON_ONCE(1);
	return -EIO;
}

/*
 * The daemon is not asked where nothing may sleep, by an entry or a byte at a time,
 * and about the end of what was open, which cannot be refused.
 */
#define FUSE_FILTER_NEVER_ASKED \
	(BIT_ULL(FUSE_READ) | BIT_ULL(FUSE_WRITE) | BIT_ULL(FUSE_RELEASE) | \
	 BIT_ULL(FUSE_RELEASEDIR) | BIT_ULL(FUSE_FILTER_OP_DIRENT) | \
	 BIT_ULL(FUSE_FILTER_OP_MMAP) | BIT_ULL(FUSE_FILTER_OP_XATTR_NAME))

static bool fuse_filter_may_return(int ret, u32 opcode, bool post)
{
	int flags = FUSE_FILTER_POST;

	if (ret < 0)
		return fuse_filter_plain_errno(ret);
	if (post)
		return !ret;
	if (!(BIT_ULL(opcode) & FUSE_FILTER_NEVER_ASKED))
		flags |= FUSE_FILTER_ASKS;
	return (ret & ~flags) <= FUSE_FILTER_DAEMON;
}

/* What a callback returned, made into something that may leave. */
static int fuse_filter_clamp(struct fuse_filter_reg *reg,
			     const struct fuse_filter_prog *prog, u32 opcode, int ret,
			     bool post)
{
	if (fuse_filter_may_return(ret, opcode, post))
		return ret;

	/* Once for each filter; a race costs another line */
	if (!READ_ONCE(reg->warned)) {
		WRITE_ONCE(reg->warned, true);
		pr_warn("filter %s returned %d, which is no verdict\n",
			prog->ops->name, ret);
	}
	return -EIO;
}

static const struct fuse_filter_prog *
fuse_filter_prog(const struct fuse_filter *filter)
{
	return rcu_dereference_check(filter->reg->prog,
				     srcu_read_lock_held(&fuse_filter_srcu));
}

/* The link is gone: what happens to a request that the filter would be asked about */
static int fuse_filter_dead(const struct fuse_filter *filter)
{
	return filter->flags & FUSE_FILTER_FAIL_OPEN ? 0 : -EIO;
}

static void fuse_filter_account(const struct fuse_filter *filter,
				const struct fuse_filter_prog *prog,
				const struct fuse_filter_ctx *ctx, int ret,
				bool post)
{
	this_cpu_inc(filter->counts->runs);
	if (ret < 0)
		this_cpu_inc(filter->counts->denied);
	trace_fuse_filter(filter->fc->dev, filter->id,
			  prog->ops->name, ctx, ret, post);
}

static int fuse_filter_run_pre(const struct fuse_filter *filter,
			       const struct fuse_filter_prog *prog,
			       struct fuse_filter_ctx_kern *kctx)
{
	struct fuse_filter_ctx *ctx = &kctx->ctx;
	int ret;

	if (prog->own & BIT_ULL(ctx->opcode))
		ret = fuse_filter_call_own(prog->ops, ctx, kctx->in);
	else
		ret = prog->ops->pre(ctx);

	ret = fuse_filter_clamp(filter->reg, prog, ctx->opcode, ret, false);
	fuse_filter_account(filter, prog, ctx, ret, false);
	return ret;
}

static int fuse_filter_run_post(const struct fuse_filter *filter,
				const struct fuse_filter_prog *prog,
				struct fuse_filter_ctx_kern *kctx)
{
	struct fuse_filter_ctx *ctx = &kctx->ctx;
	int ret;

	if (prog->own_post & BIT_ULL(ctx->opcode))
		ret = fuse_filter_call_own_post(prog->ops, ctx, kctx->in,
						kctx->args);
	else
		ret = prog->ops->post(ctx);

	ret = fuse_filter_clamp(filter->reg, prog, ctx->opcode, ret, true);
	fuse_filter_account(filter, prog, ctx, ret, true);
	return ret;
}

/* By assignments, as programs are called often: a string instruction takes longer. */
static void fuse_filter_set_ctx(struct fuse_filter_ctx *ctx, struct fuse_conn *fc,
				const struct fuse_backed_call *call)
{
	const struct cred *cred = call->cred ?: current_cred();
	const struct fuse_filter_args *args = call->args;

	ctx->nodeid = args ? args->nodeid : 0;
	if (call->inode)
		ctx->nodeid = fuse_backed_node_id(call->inode);
	ctx->parent = args ? args->parent : 0;
	if (call->dir)
		ctx->parent = fuse_backed_node_id(call->dir);
	ctx->newparent = args && args->newname ? args->newparent : 0;
	ctx->opcode = call->opcode;
	ctx->fsuid = fuse_filter_uid(fc, cred->fsuid);
	ctx->fsgid = fuse_filter_gid(fc, cred->fsgid);
	ctx->pid = fuse_filter_pid(fc);
	ctx->result = 0;
}

static int fuse_filter_init_ctx(struct fuse_filter_ctx_kern *kctx,
				struct fuse_conn *fc,
				const struct fuse_backed_call *call)
{
	int err;

	kctx->in = call->in;
	kctx->args = call->args;
	kctx->name = call->name;
	kctx->newname = call->args ? call->args->newname : NULL;
	kctx->folds = NULL;
	kctx->attr_given = false;
	if (call->name) {
		err = fuse_filter_fold_names(kctx, call);
		if (err)
			return err;
	}

	fuse_filter_set_ctx(&kctx->ctx, fc, call);
	kctx->ctx.name_len = kctx->name ? kctx->name->len : 0;
	kctx->ctx.newname_len = kctx->newname ? kctx->newname->len : 0;
	return 0;
}

/* A rule about names as they are given would let through all but one spelling. */
static int fuse_filter_check_names(const struct fuse_filter_prog *prog,
				   const struct fuse_filter_ctx_kern *kctx)
{
	if (likely(!kctx->folds) || prog->ops->flags & FUSE_FILTER_FOLDED_NAMES)
		return 0;
	return fuse_backed_refuse(kctx->folds, kctx->ctx.opcode,
				  FUSE_REFUSED_SPELLINGS, -EOPNOTSUPP);
}

/* One filter's verdict; %FUSE_FILTER_POST only if it has a postfilter */
static int fuse_filter_ask_one(const struct fuse_filter *filter,
			       struct fuse_filter_ctx_kern *kctx)
{
	const struct fuse_filter_prog *prog = fuse_filter_prog(filter);
	u64 op = BIT_ULL(kctx->ctx.opcode);
	int ret = FUSE_FILTER_POST, err;

	if (!((prog->masks.pre | prog->masks.post) & op))
		return FUSE_FILTER_DEFAULT;
	if (READ_ONCE(filter->reg->dead))
		return fuse_filter_dead(filter);
	err = fuse_filter_check_names(prog, kctx);
	if (err)
		return err;
	if (prog->masks.pre & op)
		ret = fuse_filter_run_pre(filter, prog, kctx);
	if (ret >= 0 && !(prog->masks.post & op))
		ret &= ~FUSE_FILTER_POST;
	return ret;
}

/* The first errno wins; of the rest, the greatest verdict, and whoever asks. */
static int fuse_filter_ask_set(const struct fuse_filter_set *set,
			       struct fuse_filter_ctx_kern *kctx, u64 *post)
{
	int verdict = FUSE_FILTER_DEFAULT;
	u32 c, i, pos = 0;
	int ret, asks = 0;

	for (c = 0; c < set->nr; c++) {
		for (i = 0; i < set->chains[c]->nr; i++, pos++) {
			ret = fuse_filter_ask_one(set->chains[c]->filters[i], kctx);
			if (ret < 0)
				return ret;
			if (ret & FUSE_FILTER_POST)
				*post |= BIT_ULL(pos);
			asks |= ret & FUSE_FILTER_ASKS;
			verdict = max(verdict, ret & FUSE_FILTER_ROUTES);
		}
	}
	return verdict | asks;
}

static noinline int fuse_filter_ask(const struct fuse_filter_set *set,
				    struct fuse_conn *fc,
				    struct fuse_backed_call *call)
{
	struct fuse_filter_ctx_kern kctx __uninitialized;
	int verdict;

	if (set->overflow)
		return -EIO;

	verdict = fuse_filter_init_ctx(&kctx, fc, call);
	if (verdict)
		return verdict;

	call->post = 0;
	call->post_key = set->key;
	verdict = fuse_filter_ask_set(set, &kctx, &call->post);
	if (verdict >= 0 && !fuse_filter_args_ok(&kctx))
		verdict = -EIO;
	/* What is refused, no postfilter sees */
	if (verdict < 0)
		call->post = 0;
	return verdict;
}

/**
 * __fuse_filter_pre - see fuse_filter_pre()
 * @fc: connection
 * @call: the call
 *
 * Return: see fuse_filter_pre()
 */
int __fuse_filter_pre(struct fuse_conn *fc, struct fuse_backed_call *call)
{
	u64 op = BIT_ULL(call->opcode);
	struct fuse_filter_set set __uninitialized;

	scoped_guard(rcu) {
		fuse_filter_collect(&set, fc, call);
		if (!((set.masks.pre | set.masks.post) & op) && !set.overflow)
			return FUSE_FILTER_DEFAULT;
		if (!(set.masks.pre_sleeps & op))
			return fuse_filter_ask(&set, fc, call);
	}
	if (call->rcu)
		return -ECHILD;

	guard(srcu)(&fuse_filter_srcu);
	fuse_filter_collect(&set, fc, call);
	return fuse_filter_ask(&set, fc, call);
}

static ssize_t fuse_filter_tell_one(const struct fuse_filter *filter,
				    struct fuse_filter_ctx_kern *kctx, ssize_t ret)
{
	const struct fuse_filter_prog *prog = fuse_filter_prog(filter);
	struct fuse_filter_args *args = kctx->args;
	int err;

	if (!(prog->masks.post & BIT_ULL(kctx->ctx.opcode)))
		return ret;
	if (READ_ONCE(filter->reg->dead))
		return fuse_filter_dead(filter) ?: ret;
	err = fuse_filter_check_names(prog, kctx);
	if (err)
		return err;
	if (ret >= 0 && prog->ops->flags & FUSE_FILTER_POST_ERRORS)
		return ret;

	kctx->ctx.result = ret;
	if (args)
		args->value_set = false;
	err = fuse_filter_run_post(filter, prog, kctx);
	if (err)
		return err;
	return args && args->value_set ? args->value_len : ret;
}

static noinline ssize_t fuse_filter_tell(const struct fuse_filter_set *set,
					 struct fuse_conn *fc,
					 const struct fuse_backed_call *call,
					 ssize_t ret)
{
	/* Positions are of the set that was asked; of another, call all */
	u64 which = set->key == call->post_key ? call->post : U64_MAX;
	struct fuse_filter_ctx_kern kctx __uninitialized;
	u32 c, i, pos = set->filters;
	int err;

	if (set->overflow)
		return -EIO;

	err = fuse_filter_init_ctx(&kctx, fc, call);
	if (err)
		return err;

	for (c = set->nr; c--; ) {
		for (i = set->chains[c]->nr; i--; ) {
			if (which & BIT_ULL(--pos))
				ret = fuse_filter_tell_one(set->chains[c]->filters[i],
							   &kctx, ret);
		}
	}
	if (ret >= 0 && !fuse_filter_args_ok(&kctx))
		return -EIO;
	return ret;
}

static ssize_t fuse_filter_tell_all(struct fuse_conn *fc,
				    const struct fuse_backed_call *call,
				    ssize_t ret)
{
	u64 op = BIT_ULL(call->opcode);
	struct fuse_filter_set set __uninitialized;

	scoped_guard(rcu) {
		fuse_filter_collect(&set, fc, call);
		if (!(set.masks.post_sleeps & op))
			return fuse_filter_tell(&set, fc, call, ret);
	}
	if (call->rcu)
		return -ECHILD;

	guard(srcu)(&fuse_filter_srcu);
	fuse_filter_collect(&set, fc, call);
	return fuse_filter_tell(&set, fc, call, ret);
}

/**
 * __fuse_filter_post - see fuse_filter_post()
 * @fc: connection
 * @call: the call
 * @ret: its result
 *
 * In the reverse order of asking: the daemon first.
 *
 * Return: see fuse_filter_post()
 */
ssize_t __fuse_filter_post(struct fuse_conn *fc,
			   const struct fuse_backed_call *call, ssize_t ret)
{
	ssize_t told = ret;

	if (call->ask_post)
		told = fuse_filter_tell_daemon(call, told);
	if (call->post)
		told = fuse_filter_tell_all(fc, call, told);
	if (unlikely(told != ret && fuse_filter_plain_errno(told)))
		fuse_backed_count_denied(fc, call->opcode);
	return told;
}
