/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the filters that only watch tell of: events of trace.bpf.c, nodes of
 * dirty_track.bpf.c. For programs that read their maps, too.
 */
#ifndef FUSE_BPF_WATCH_H
#define FUSE_BPF_WATCH_H

#define TRACE_NAME_SIZE	64

/* When somebody is told of a request, in trace_ops and in events */
enum trace_kind {
	TRACE_ASKED	= 1,
	TRACE_ANSWERED	= 2,
};

/**
 * struct trace_event - a request, in trace_events
 * @time: nanoseconds since boot
 * @nodeid: what it is about
 * @parent: directory of @name
 * @result: what it ended with, of %TRACE_ANSWERED
 * @kind: enum trace_kind
 * @opcode: enum fuse_opcode, or FUSE_FILTER_OP_*
 * @uid: of the caller, for file systems
 * @gid: likewise
 * @pid: its thread group
 * @name_len: bytes of the name, of which @name has the first ones
 * @reserved: zero
 * @name: ends with a NUL
 */
struct trace_event {
	__u64 time;
	__u64 nodeid;
	__u64 parent;
	__s64 result;
	__u32 kind;
	__u32 opcode;
	__u32 uid;
	__u32 gid;
	__u32 pid;
	__u32 name_len;
	__u32 reserved[2];
	char name[TRACE_NAME_SIZE];
};

/* What of a node was changed, as bits */
enum dirty_what {
	DIRTY_DATA	= 1,
	DIRTY_ATTR	= 2,
	DIRTY_NAMES	= 4,
	DIRTY_MAPPED	= 8,
};

/**
 * struct dirty_node - a node that was changed, in dirty_nodes
 * @epoch: in which it was last
 * @time: nanoseconds since boot
 * @what: enum dirty_what, since the element was made
 */
struct dirty_node {
	__u64 epoch;
	__u64 time;
	__u32 what;
};

#endif /* FUSE_BPF_WATCH_H */
