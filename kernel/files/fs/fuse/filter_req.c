// SPDX-License-Identifier: GPL-2.0-only
/*
 * FUSE filters: requests on their way to the daemon.
 *
 * Every request passes here. Those that the kernel may answer from its caches were
 * asked about before, see filter_plain.c, and those for backed inodes too, see
 * backed_call.c.
 */

#include "filter_attr.h"
#include "filter_plain.h"
#include "args.h"
#include "dev.h"

#include <linux/string.h>

#define OP(name) BIT_ULL(FUSE_##name)

/* Asked about elsewhere, or of the connection, or without a reply */
#define FUSE_FILTER_NOT_HERE \
	(OP(LOOKUP) | OP(ACCESS) | OP(GETATTR) | OP(STATX) | OP(READ) | OP(WRITE) | \
	 OP(FORGET) | OP(BATCH_FORGET) | OP(INIT) | OP(DESTROY) | OP(INTERRUPT) | \
	 OP(NOTIFY_REPLY) | OP(SETUPMAPPING) | OP(REMOVEMAPPING))

/* Positions among the arguments of a request, 0: it has none such */
struct fuse_filter_layout {
	u8 name;
	u8 newname;
	u8 text;
	u8 value;
	bool makes;
};

static const struct fuse_filter_layout fuse_filter_layouts[] = {
	[FUSE_SYMLINK]		= { .name = 1, .text = 2, .makes = true },
	[FUSE_MKNOD]		= { .name = 1, .makes = true },
	[FUSE_MKDIR]		= { .name = 1, .makes = true },
	[FUSE_UNLINK]		= { .name = 1 },
	[FUSE_RMDIR]		= { .name = 1 },
	[FUSE_RENAME]		= { .name = 1, .newname = 2 },
	[FUSE_RENAME2]		= { .name = 1, .newname = 2 },
	[FUSE_LINK]		= { .name = 1 },
	[FUSE_CREATE]		= { .name = 1, .makes = true },
	[FUSE_TMPFILE]		= { .name = 1, .makes = true },
	[FUSE_SETXATTR]		= { .text = 1, .value = 2 },
	[FUSE_GETXATTR]		= { .text = 1 },
	[FUSE_REMOVEXATTR]	= { .text = 1 },
	[FUSE_COPY_FILE_RANGE_64] = {},
};

/**
 * struct fuse_filter_req - a request in the terms of filters
 * @call: the call
 * @args: what goes with it
 * @name: its name
 * @newname: its new name
 * @attr: attributes that it gives
 * @node: inode that the request is sent for, or NULL
 * @io: position of a READDIR
 * @rename: of a RENAME, which has no flags
 */
struct fuse_filter_req {
	struct fuse_backed_call call;
	struct fuse_filter_args args;
	struct qstr name;
	struct qstr newname;
	struct fuse_filter_attr attr;
	struct inode *node;
	union {
		struct fuse_filter_io io;
		struct fuse_rename2_in rename;
	};
};

/**
 * __fuse_filter_sees - see fuse_filter_sees()
 * @fc: connection
 * @args: the request
 *
 * Return: see fuse_filter_sees()
 */
bool __fuse_filter_sees(struct fuse_conn *fc, const struct fuse_args *args)
{
	if (args->opcode >= ARRAY_SIZE(fuse_filter_layouts))
		return false;
	if (BIT_ULL(args->opcode) & FUSE_FILTER_NOT_HERE ||
	    fuse_backed_asked(fc, args->nodeid))
		return false;
	return fuse_filter_concerns(fc, args->opcode);
}

/*
 * The inode that a node id stands for, which only filters of directories need to
 * have. It is in use: the request is about it.
 */
static struct inode *fuse_filter_node(struct fuse_mount *fm, u64 nodeid)
{
	bool isnew;

	if (!atomic_read(&fm->fc->filter_dirs))
		return NULL;
	return ilookup5_nowait(fm->sb, nodeid, fuse_inode_eq, &nodeid, &isnew);
}

static void fuse_filter_set_name(struct qstr *qname, const struct qstr **name,
				 const struct fuse_args *args, u8 pos)
{
	if (!pos)
		return;
	/* With a NUL at the end */
	qname->name = args->in_args[pos].value;
	qname->len = args->in_args[pos].size - 1;
	*name = qname;
}

static void fuse_filter_set_io(struct fuse_filter_req *req,
			       const struct fuse_read_in *in)
{
	req->io = (struct fuse_filter_io) { .offset = in->offset };
	req->call.in = &req->io;
}

static void fuse_filter_set_rename(struct fuse_filter_req *req,
				   struct fuse_mount *fm,
				   const struct fuse_args *args)
{
	const struct fuse_rename_in *in = args->in_args[0].value;

	req->args.newparent = in->newdir;
	req->args.newdir = fuse_filter_node(fm, in->newdir);
	if (args->opcode == FUSE_RENAME2)
		return;
	req->rename = (struct fuse_rename2_in) { .newdir = in->newdir };
	req->call.in = &req->rename;
}

/* A request that has a mode has it in front, or behind the flags of an open file. */
static u32 *fuse_filter_mode(const struct fuse_args *args)
{
	void *in = (void *)args->in_args[0].value;

	switch (args->opcode) {
	case FUSE_MKNOD:
		return &((struct fuse_mknod_in *)in)->mode;
	case FUSE_MKDIR:
		return &((struct fuse_mkdir_in *)in)->mode;
	case FUSE_CREATE:
	case FUSE_TMPFILE:
		return &((struct fuse_create_in *)in)->mode;
	}
	return NULL;
}

static void fuse_filter_set_made(struct fuse_filter_req *req,
				 const struct fuse_args *args)
{
	const u32 *mode = fuse_filter_mode(args);

	req->attr = (struct fuse_filter_attr) {
		.valid = FATTR_MODE | FATTR_UID | FATTR_GID,
		.mode = mode ? *mode : S_IFLNK | 0777,
		.uid = args->uid,
		.gid = args->gid,
	};
	req->args.attr = &req->attr;
	req->args.attr_edit = FUSE_FILTER_EDIT_OWNER | FUSE_FILTER_EDIT_GIVEN |
			      (mode ? FUSE_FILTER_EDIT_MODE : 0);
}

static void fuse_filter_set_change(struct fuse_filter_req *req,
				   const struct fuse_setattr_in *in)
{
	req->attr = (struct fuse_filter_attr) {
		.valid = in->valid,
		.size = in->size,
		.atime = in->atime,
		.mtime = in->mtime,
		.ctime = in->ctime,
		.atimensec = in->atimensec,
		.mtimensec = in->mtimensec,
		.ctimensec = in->ctimensec,
		.mode = in->mode,
		.uid = in->uid,
		.gid = in->gid,
	};
	req->args.attr = &req->attr;
	req->args.attr_edit = FUSE_FILTER_EDIT_MODE | FUSE_FILTER_EDIT_OWNER |
			      FUSE_FILTER_EDIT_TIMES | FUSE_FILTER_EDIT_VALID |
			     FUSE_FILTER_EDIT_GIVEN;
}

static void fuse_filter_req_init(struct fuse_filter_req *req,
				 struct fuse_mount *fm,
				 const struct fuse_args *args)
{
	const struct fuse_filter_layout *layout = &fuse_filter_layouts[args->opcode];

	*req = (struct fuse_filter_req) {
		.call.opcode = args->opcode,
		.call.args = &req->args,
		.call.in = args->in_numargs ? args->in_args[0].value : NULL,
		.args.nodeid = layout->name ? 0 : args->nodeid,
		.args.parent = layout->name ? args->nodeid : 0,
	};
	req->node = fuse_filter_node(fm, args->nodeid);
	if (layout->name)
		req->call.dir = req->node;
	else
		req->call.inode = req->node;
	fuse_filter_set_name(&req->name, &req->call.name, args, layout->name);
	fuse_filter_set_name(&req->newname, &req->args.newname, args, layout->newname);
	if (layout->text)
		req->args.text = args->in_args[layout->text].value;
	if (layout->value) {
		req->args.value = (void *)args->in_args[layout->value].value;
		req->args.value_len = args->in_args[layout->value].size;
	}
	if (layout->makes)
		fuse_filter_set_made(req, args);

	switch (args->opcode) {
	case FUSE_READDIR:
	case FUSE_READDIRPLUS:
		fuse_filter_set_io(req, args->in_args[0].value);
		break;
	case FUSE_RENAME:
	case FUSE_RENAME2:
		fuse_filter_set_rename(req, fm, args);
		break;
	case FUSE_SETATTR:
		fuse_filter_set_change(req, args->in_args[0].value);
		break;
	}
}

static int fuse_filter_req_ask(struct fuse_mount *fm, struct fuse_filter_req *req)
{
	return fuse_filter_plain_verdict(__fuse_filter_pre(fm->fc, &req->call));
}

/* Let the request say what the programs made of it; it is its sender's own copy. */
static void fuse_filter_req_edit(struct fuse_filter_req *req, struct fuse_args *args)
{
	const struct fuse_filter_attr *attr = &req->attr;
	struct fuse_setattr_in *in = (void *)args->in_args[0].value;
	u32 *mode = fuse_filter_mode(args);

	if (args->opcode == FUSE_SETATTR) {
		in->valid = attr->valid;
		in->mode = attr->mode;
		in->uid = attr->uid;
		in->gid = attr->gid;
		in->atime = attr->atime;
		in->mtime = attr->mtime;
		in->atimensec = attr->atimensec;
		in->mtimensec = attr->mtimensec;
	} else if (req->args.attr) {
		args->uid = attr->uid;
		args->gid = attr->gid;
		if (mode)
			*mode = attr->mode;
	}
	req->args.attr = NULL;
}

/* Show postfilters what the daemon answered, where they can change it. */
static void fuse_filter_req_answer(struct fuse_filter_req *req,
				   const struct fuse_args *args, ssize_t ret)
{
	const struct fuse_getxattr_in *in = req->call.in;
	struct fuse_filter_args *fargs = &req->args;

	switch (args->opcode) {
	case FUSE_STATFS:
		fargs->statfs = args->out_args[0].value;
		break;
	case FUSE_GETXATTR:
		/* Without room, the answer is a size, which is there by itself */
		fargs->value_probe = !args->out_argvar;
		fargs->value = args->out_argvar ? args->out_args[0].value : NULL;
		fargs->value_room = in->size;
		fargs->value_len = max(ret, 0);
		break;
	}
}

/*
 * The daemon must hear of what is over, or it would keep it for ever: a file that
 * was open, a lock that was held.
 */
static bool fuse_filter_must_send(const struct fuse_args *args)
{
	const struct fuse_lk_in *lk = args->in_args[0].value;

	switch (args->opcode) {
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
	case FUSE_FLUSH:
		return true;
	case FUSE_SETLK:
	case FUSE_SETLKW:
		return lk->lk.type == F_UNLCK;
	}
	return false;
}

static void fuse_filter_req_put(struct fuse_filter_req *req)
{
	iput(req->args.newdir);
	iput(req->node);
}

/*
 * From a daemon, ENOSYS means that it does not know the request, and many are then
 * never sent again: nobody would be asked about them any more, and an open would
 * even pass. A filter has not said that.
 */
static ssize_t fuse_filter_not_unknown(ssize_t ret)
{
	return ret == -ENOSYS ? -EIO : ret;
}

static ssize_t fuse_filter_send_asked(struct fuse_mount *fm, struct fuse_args *args,
				      struct fuse_filter_req *req)
{
	ssize_t ret, res;
	int err;

	err = fuse_filter_not_unknown(fuse_filter_req_ask(fm, req));
	if (err)
		fuse_backed_count_denied(fm->fc, args->opcode);
	if (err && !fuse_filter_must_send(args))
		return err;

	fuse_filter_req_edit(req, args);
	ret = fuse_chan_send(fm->fc->chan, args);
	if (err)
		return args->opcode == FUSE_FLUSH ? err : ret;
	if (!req->call.post)
		return ret;

	fuse_filter_req_answer(req, args, ret);
	res = fuse_filter_post(fm->fc, &req->call, ret);
	return res == ret ? ret : fuse_filter_not_unknown(res);
}

/**
 * fuse_filter_send - send a request that filters want to be asked about
 * @fm: mount
 * @args: the request, ready to be sent
 *
 * Return: as for fuse_chan_send(), or the errno of a filter
 */
ssize_t fuse_filter_send(struct fuse_mount *fm, struct fuse_args *args)
{
	struct fuse_filter_req req;
	ssize_t ret;

	fuse_filter_req_init(&req, fm, args);
	ret = fuse_filter_send_asked(fm, args, &req);
	fuse_filter_req_put(&req);
	return ret;
}

/**
 * fuse_filter_tell_bg - tell filters of a request that nobody waits for
 * @fm: mount
 * @args: the request, a RELEASE, which cannot be refused
 *
 * Context: may not sleep
 */
void fuse_filter_tell_bg(struct fuse_mount *fm, struct fuse_args *args)
{
	struct fuse_filter_req req;

	fuse_filter_req_init(&req, fm, args);
	fuse_filter_req_ask(fm, &req);
	fuse_filter_req_put(&req);
}
