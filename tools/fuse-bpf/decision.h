/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Decisions, as decisions.bpf.c records them at the kernel's trace events and the
 * command reads them.
 */
#ifndef FUSE_BPF_DECISION_H
#define FUSE_BPF_DECISION_H

#define DECISION_NAME	256	/* any name with its NUL */
#define DECISION_WORD	16	/* name of a filter, or of a thread */

enum decision_kind {
	DECISION_PRE,		/* a filter, before */
	DECISION_POST,		/* a filter, afterwards */
	DECISION_REFUSED,	/* the kernel by itself */
};

/**
 * struct decision - what was said of a request
 * @time: nanoseconds since boot
 * @nodeid: node id of what it is about, 0: not known yet, or there is none. Of
 *	%DECISION_REFUSED: an inode number
 * @parent: node id of the directory of @name, or 0
 * @dev: device number of the mount, as the kernel writes it
 * @filter_id: id of the attachment
 * @opcode: enum fuse_opcode, or FUSE_FILTER_OP_*
 * @fsuid: of the caller
 * @fsgid: of the caller
 * @tid: thread id of the caller, in the initial pid namespace
 * @ret: enum fuse_filter_verdict, or a negative errno
 * @kind: enum decision_kind
 * @why: of %DECISION_REFUSED: enum fuse_backed_refusal
 * @step: decision_want.step at that time
 * @filter: name of the filter
 * @comm: name of the thread
 * @name: what was dealt with by name, else empty
 */
struct decision {
	__u64 time;
	__u64 nodeid;
	__u64 parent;
	__u32 dev;
	__u32 filter_id;
	__u32 opcode;
	__u32 fsuid;
	__u32 fsgid;
	__u32 tid;
	__s32 ret;
	__u32 kind;
	__u32 why;
	__u32 step;
	char filter[DECISION_WORD];
	char comm[DECISION_WORD];
	char name[DECISION_NAME];
};

/* Verdicts, as bits */
enum decision_verdict {
	VERDICT_NONE	= 1 << 0,	/* no opinion, or the result stays */
	VERDICT_BACKING	= 1 << 1,
	VERDICT_DAEMON	= 1 << 2,
	VERDICT_REFUSED	= 1 << 3,
};

/**
 * struct decision_want - what to record
 * @dev: of this mount only, 0: of all
 * @tid: of this thread only, 0: of all
 * @uid: of this user only, if @has_uid
 * @has_uid: see @uid
 * @opcode: of this opcode only, 0: of all
 * @verdicts: enum decision_verdict
 * @named_ops: bit N: of opcode N only what is about @name
 * @step: number that is recorded with each decision
 * @lost: decisions that there was no room for
 * @name: see @named_ops; zero after its end
 */
struct decision_want {
	__u32 dev;
	__u32 tid;
	__u32 uid;
	__u32 has_uid;
	__u32 opcode;
	__u32 verdicts;
	__u64 named_ops;
	__u32 step;
	__u32 reserved;
	__u64 lost;
	char name[DECISION_NAME];
};

#endif
