// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backed inodes: who answers a call, and how it is counted.
 */

#include "backed.h"
#include "filter.h"

static struct fuse_conn *fuse_backed_call_conn(const struct fuse_backed_call *call)
{
	return get_fuse_conn(call->dir ?: call->inode);
}

/**
 * fuse_backed_verdict - who is to answer an operation on a backed inode
 * @call: the operation
 *
 * Says nothing of whether the daemon can.
 *
 * Context: any lock that the VFS holds for the operation; may sleep and send
 * requests unless @call->rcu.
 * Return: enum fuse_route, or a negative errno that is the operation's result.
 * -ECHILD only with @call->rcu: ask again outside RCU-walk.
 */
int fuse_backed_verdict(struct fuse_backed_call *call)
{
	struct fuse_conn *fc = fuse_backed_call_conn(call);
	int verdict;

	/* The daemon has given its node id to another file */
	if (fuse_is_bad(call->dir ?: call->inode))
		return -EIO;

	verdict = fuse_filter_pre(fc, call);
	if (unlikely(verdict > FUSE_FILTER_DAEMON))
		verdict = fuse_filter_ask_daemon(call, verdict);
	switch (verdict) {
	case FUSE_FILTER_DEFAULT:
		return fuse_backed_default_route(call);
	case FUSE_FILTER_BACKING:
		return FUSE_ROUTE_BACKING;
	case FUSE_FILTER_DAEMON:
		return FUSE_ROUTE_DAEMON;
	case -ECHILD:
		return verdict;
	default:
		fuse_backed_count_denied(fc, call->opcode);
		return verdict;
	}
}

/**
 * fuse_backed_asked - have filters been asked about requests for a node?
 * @fc: connection
 * @nodeid: node id that a request is for
 *
 * Return: true for an inode all of whose operations are routed, so that they were
 * asked before the daemon was chosen
 */
bool fuse_backed_asked(struct fuse_conn *fc, u64 nodeid)
{
	struct fuse_backed_conn *fbc = READ_ONCE(fc->backed);

	if (!fbc)
		return false;
	return (nodeid == FUSE_ROOT_ID && READ_ONCE(fbc->root)) ||
	       fuse_backed_id_taken(fc, nodeid);
}

/**
 * fuse_backed_route - who answers an operation on a backed inode
 * @call: the operation
 *
 * With %FUSE_ROUTE_DAEMON, the daemon has names for all that the operation is about,
 * and a handle for its file.
 *
 * Context: as for fuse_backed_verdict(); sends requests if the daemon has to be
 * told of something first.
 * Return: as for fuse_backed_verdict(), and what fuse_backed_prepare() returns
 */
int fuse_backed_route(struct fuse_backed_call *call)
{
	int route = fuse_backed_verdict(call);

	if (unlikely(route == FUSE_ROUTE_DAEMON))
		return fuse_backed_prepare(call) ?: route;
	return route;
}

/**
 * fuse_backed_route_backing - ask about an operation that only the backing answers
 * @call: the operation
 *
 * Return: 0, or a negative errno that is the operation's result: -EIO if a filter
 * wants the daemon to answer
 */
int fuse_backed_route_backing(struct fuse_backed_call *call)
{
	int route = fuse_backed_verdict(call);

	if (route != FUSE_ROUTE_DAEMON)
		return route;
	return fuse_backed_refuse(call->inode ?: call->dir, call->opcode,
				  FUSE_REFUSED_UNNAMED, -EIO);
}

/**
 * fuse_backed_account - account for an operation that the backing answered
 * @call: the operation
 * @ret: its result, a negative errno if it failed
 */
void fuse_backed_account(const struct fuse_backed_call *call, ssize_t ret)
{
	fuse_backed_count(fuse_backed_call_conn(call), call->opcode, ret);
}

/**
 * fuse_backed_done - finish an operation that the backing answered
 * @call: the operation
 * @ret: its result, a negative errno if it failed
 *
 * Return: what its result is to be, after postfilters
 */
ssize_t fuse_backed_done(const struct fuse_backed_call *call, ssize_t ret)
{
	fuse_backed_account(call, ret);
	return fuse_filter_post(fuse_backed_call_conn(call), call, ret);
}

/**
 * fuse_backed_answered - finish an operation that the daemon answered
 * @call: the operation
 * @ret: its result, a negative errno if it failed
 *
 * The requests were counted when they were sent.
 *
 * Return: what its result is to be, after postfilters
 */
ssize_t fuse_backed_answered(const struct fuse_backed_call *call, ssize_t ret)
{
	return fuse_filter_post(fuse_backed_call_conn(call), call, ret);
}

/**
 * fuse_backed_count_daemon - count a request that goes to the daemon
 * @fc: connection
 * @opcode: of the request
 */
void fuse_backed_count_daemon(struct fuse_conn *fc, u32 opcode)
{
	if (fc->backed && opcode < FUSE_BACKED_NR_OPS)
		this_cpu_inc(fc->backed->stats[opcode].daemon);
}

/**
 * fuse_backed_count_denied - count a refusal by a filter
 * @fc: connection
 * @opcode: of what was refused, before it was answered or after
 */
void fuse_backed_count_denied(struct fuse_conn *fc, u32 opcode)
{
	if (fc->backed && opcode < FUSE_BACKED_NR_OPS)
		this_cpu_inc(fc->backed->stats[opcode].denied);
}

/**
 * fuse_backed_read_stats - sum up the counters of an opcode
 * @fc: connection with backed inodes
 * @opcode: below FUSE_BACKED_NR_OPS
 * @sum: filled in
 */
void fuse_backed_read_stats(struct fuse_conn *fc, u32 opcode,
			    struct fuse_op_stats *sum)
{
	const struct fuse_op_stats *stats;
	int cpu;

	*sum = (struct fuse_op_stats) {};
	for_each_possible_cpu(cpu) {
		stats = per_cpu_ptr(fc->backed->stats, cpu) + opcode;
		sum->backing += READ_ONCE(stats->backing);
		sum->daemon += READ_ONCE(stats->daemon);
		sum->denied += READ_ONCE(stats->denied);
		sum->errors += READ_ONCE(stats->errors);
	}
}
