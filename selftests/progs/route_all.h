/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the routing filter and the tests that tell it where to send requests share.
 */
#ifndef _PROGS_ROUTE_ALL_H
#define _PROGS_ROUTE_ALL_H

#include <linux/types.h>

#define ROUTE_OPS 64
#define ROUTE_NAME 32

/**
 * struct route_rule - what is said of an opcode
 * @verdict: what the prefilter returns
 * @post: what the postfilter returns
 * @ranged: READ and WRITE: only for requests that begin from @start on, before @end
 */
struct route_rule {
	__s32 verdict;
	__s32 post;
	__u32 ranged;
	__u32 reserved;
	__u64 start;
	__u64 end;
};

/* struct route_seen - the last calls for an opcode */
struct route_seen {
	__u64 calls;
	__u64 posts;
	__u64 nodeid;
	__u64 parent;
	__s64 result;
};

#endif /* _PROGS_ROUTE_ALL_H */
