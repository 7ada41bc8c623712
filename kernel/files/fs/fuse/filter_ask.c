// SPDX-License-Identifier: GPL-2.0-only
/*
 * FUSE filters: the daemon as the last filter of the chain.
 *
 * A program that cannot decide has the daemon asked before the backing answers, or
 * afterwards. The question is a request of its own, so that the daemon decides
 * and does not have to do.
 */

#include "backed.h"
#include "filter.h"

#include <linux/cred.h>
#include <linux/slab.h>

/**
 * struct fuse_filter_question - a request FUSE_BPF_ASK
 * @ask: what is asked
 * @attr: attributes that the call gives or returns
 * @link: of a LINK, with the daemon's node id
 * @rename: of a RENAME2, likewise
 * @in: what the request carries, or NULL
 * @text: the strings, one after the other
 * @size: bytes of them
 */
struct fuse_filter_question {
	struct fuse_bpf_ask_in ask;
	struct fuse_attr attr;
	union {
		struct fuse_link_in link;
		struct fuse_rename2_in rename;
	};
	const void *in;
	char *text;
	size_t size;
};

/* What requests carry that daemons know; of the others, nothing is passed on */
static const u8 fuse_filter_in_sizes[] = {
	[FUSE_MKNOD]		= sizeof(struct fuse_mknod_in),
	[FUSE_MKDIR]		= sizeof(struct fuse_mkdir_in),
	[FUSE_LINK]		= sizeof(struct fuse_link_in),
	[FUSE_OPEN]		= sizeof(struct fuse_open_in),
	[FUSE_FSYNC]		= sizeof(struct fuse_fsync_in),
	[FUSE_SETXATTR]		= sizeof(struct fuse_setxattr_in),
	[FUSE_GETXATTR]		= sizeof(struct fuse_getxattr_in),
	[FUSE_LISTXATTR]	= sizeof(struct fuse_getxattr_in),
	[FUSE_OPENDIR]		= sizeof(struct fuse_open_in),
	[FUSE_FSYNCDIR]		= sizeof(struct fuse_fsync_in),
	[FUSE_GETLK]		= sizeof(struct fuse_lk_in),
	[FUSE_SETLK]		= sizeof(struct fuse_lk_in),
	[FUSE_SETLKW]		= sizeof(struct fuse_lk_in),
	[FUSE_ACCESS]		= sizeof(struct fuse_access_in),
	[FUSE_CREATE]		= sizeof(struct fuse_create_in),
	[FUSE_IOCTL]		= sizeof(struct fuse_ioctl_in),
	[FUSE_FALLOCATE]	= sizeof(struct fuse_fallocate_in),
	[FUSE_RENAME2]		= sizeof(struct fuse_rename2_in),
	[FUSE_LSEEK]		= sizeof(struct fuse_lseek_in),
	[FUSE_COPY_FILE_RANGE]	= sizeof(struct fuse_copy_file_range_in),
	[FUSE_TMPFILE]		= sizeof(struct fuse_create_in),
	[FUSE_COPY_FILE_RANGE_64] = sizeof(struct fuse_copy_file_range_in),
};

static void fuse_filter_question_attr(struct fuse_filter_question *q,
				      const struct fuse_filter_attr *attr)
{
	q->attr = (struct fuse_attr) {
		.ino = attr->ino,
		.size = attr->size,
		.blocks = attr->blocks,
		.atime = attr->atime,
		.mtime = attr->mtime,
		.ctime = attr->ctime,
		.atimensec = attr->atimensec,
		.mtimensec = attr->mtimensec,
		.ctimensec = attr->ctimensec,
		.mode = attr->mode,
		.nlink = attr->nlink,
		.uid = attr->uid,
		.gid = attr->gid,
		.rdev = attr->rdev,
	};
	q->ask.attr_size = sizeof(q->attr);
	q->ask.attr_valid = attr->valid;
}

/* The call's struct, in which node ids are the daemon's. */
static void fuse_filter_question_in(struct fuse_filter_question *q,
				    const struct fuse_backed_call *call)
{
	u32 size = 0;

	if (call->in && call->opcode < ARRAY_SIZE(fuse_filter_in_sizes))
		size = fuse_filter_in_sizes[call->opcode];
	q->ask.in_size = size;
	q->in = call->in;
	switch (size ? call->opcode : 0) {
	case FUSE_LINK:
		q->link.oldnodeid = get_node_id(call->inode);
		q->in = &q->link;
		break;
	case FUSE_RENAME2:
		q->rename = *(const struct fuse_rename2_in *)call->in;
		q->rename.newdir = get_node_id(call->args->newdir);
		q->in = &q->rename;
		break;
	}
}

static char *fuse_filter_question_put(char *to, const void *from, u32 len)
{
	if (!len)
		return to;
	memcpy(to, from, len);
	to[len] = '\0';
	return to + len + 1;
}

static int fuse_filter_question_text(struct fuse_filter_question *q,
				     const struct fuse_backed_call *call)
{
	const struct fuse_filter_args *args = call->args;
	const struct qstr *newname = args ? args->newname : NULL;
	const char *text = args ? args->text : NULL;
	char *to;

	q->ask.name_len = call->name ? call->name->len : 0;
	q->ask.newname_len = newname ? newname->len : 0;
	q->ask.text_len = text ? strlen(text) : 0;

	/* A NUL behind each, and never nothing */
	q->text = kmalloc(q->ask.name_len + q->ask.newname_len + q->ask.text_len + 3,
			  GFP_KERNEL);
	if (!q->text)
		return -ENOMEM;

	to = q->text;
	if (call->name)
		to = fuse_filter_question_put(to, call->name->name, q->ask.name_len);
	if (newname)
		to = fuse_filter_question_put(to, newname->name, q->ask.newname_len);
	to = fuse_filter_question_put(to, text, q->ask.text_len);
	q->size = to - q->text;
	return 0;
}

static int fuse_filter_question_send(const struct fuse_filter_question *q,
				     const struct fuse_backed_call *call)
{
	FUSE_ARGS(args);
	struct inode *inode = call->dir ?: call->inode;
	struct fuse_mount *fm = get_fuse_mount(inode);
	struct fuse_bpf_ask_out out;
	ssize_t ret;

	args.opcode = FUSE_BPF_ASK;
	args.nodeid = get_node_id(inode);
	args.in_numargs = 4;
	args.in_args[0] = (struct fuse_in_arg) { sizeof(q->ask), &q->ask };
	args.in_args[1] = (struct fuse_in_arg) { q->ask.in_size, q->in };
	args.in_args[2] = (struct fuse_in_arg) { q->ask.attr_size, &q->attr };
	args.in_args[3] = (struct fuse_in_arg) { q->size, q->text };
	args.out_numargs = 1;
	args.out_args[0] = (struct fuse_arg) { sizeof(out), &out };

	fuse_backed_count_daemon(fm->fc, FUSE_FILTER_OP_ASK);
	scoped_with_creds(call->cred ?: current_cred())
		ret = fuse_simple_request(fm, &args);
	if (ret)
		/* A daemon that does not know the request has not agreed */
		return ret == -ENOSYS ? -EIO : ret;
	return out.reserved ? -EIO : out.verdict;
}

/* Returns what the daemon says, or a negative errno */
static noinline int fuse_filter_ask_about(const struct fuse_backed_call *call,
					  u32 phase, ssize_t result)
{
	struct fuse_filter_question q = {
		.ask.opcode = call->opcode,
		.ask.phase = phase,
		.ask.result = result,
	};
	int ret;

	if (call->args && call->args->attr)
		fuse_filter_question_attr(&q, call->args->attr);
	fuse_filter_question_in(&q, call);
	ret = fuse_filter_question_text(&q, call);
	if (ret)
		return ret;

	ret = fuse_filter_question_send(&q, call);
	kfree(q.text);
	if (fuse_filter_plain_errno(ret))
		return ret;
	if (ret < 0 || ret > (phase == FUSE_BPF_ASK_PRE ? FUSE_FILTER_DAEMON : 0))
		return -EIO;
	return ret;
}

/**
 * fuse_filter_ask_daemon - let the daemon decide too
 * @call: a call on a backed inode
 * @verdict: what the programs have said, with %FUSE_FILTER_ASK_PRE or
 *	%FUSE_FILTER_ASK_POST
 *
 * What the daemon answers by itself, it is not asked about beside.
 *
 * Context: as for fuse_backed_route()
 * Return: enum fuse_filter_verdict or a negative errno; -ECHILD in RCU-walk
 */
int fuse_filter_ask_daemon(struct fuse_backed_call *call, int verdict)
{
	int route = verdict & FUSE_FILTER_ROUTES;
	int ret;

	if (route == FUSE_FILTER_DAEMON ||
	    (route == FUSE_FILTER_DEFAULT &&
	     fuse_backed_default_route(call) == FUSE_ROUTE_DAEMON))
		return route;

	if (call->rcu)
		return -ECHILD;
	/* Also for what is asked afterwards: it must not fail for this then */
	ret = fuse_backed_name(call);
	if (ret)
		return ret;

	if (verdict & FUSE_FILTER_ASK_PRE) {
		ret = fuse_filter_ask_about(call, FUSE_BPF_ASK_PRE, 0);
		if (ret < 0)
			return ret;
		route = max(route, ret);
	}
	call->ask_post = verdict & FUSE_FILTER_ASK_POST &&
			 route != FUSE_FILTER_DAEMON;
	return route;
}

/**
 * fuse_filter_tell_daemon - let the daemon say what a call is to return
 * @call: a call that the backing has answered
 * @ret: its result
 *
 * Return: @ret, or a negative errno in its place
 */
ssize_t fuse_filter_tell_daemon(const struct fuse_backed_call *call, ssize_t ret)
{
	return fuse_filter_ask_about(call, FUSE_BPF_ASK_POST, ret) ?: ret;
}
