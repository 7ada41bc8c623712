/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests, as record.bpf.c hands them to "record".
 */
#ifndef FUSE_BPF_RECORD_H
#define FUSE_BPF_RECORD_H

#define RECORD_NAME	256	/* any name with its NUL */
#define RECORD_WORD	16	/* name of a filter, or of a thread */
#define RECORDER	"recorder"

enum record_kind {
	RECORD_REQUEST,		/* begins; what other filters say of it follows */
	RECORD_VERDICT,
	RECORD_NODE,		/* what the name of a look-up stands for */
	RECORD_MADE,		/* a file was made, and is opened next */
};

/**
 * struct record - one of these, from the thread @tid
 * @nodeid: node id of what it is about, 0: not known yet, or there is none
 * @parent: node id of the directory of @name, or 0
 * @newparent: of a rename: of the directory of @newname
 * @cgroup: id of the caller's cgroup
 * @kind: enum record_kind
 * @opcode: enum fuse_opcode, or FUSE_FILTER_OP_*
 * @fsuid: of the caller
 * @fsgid: of the caller
 * @tid: thread id of the caller, in the initial pid namespace
 * @flags: of what is opened, renamed, mapped or checked: its flags, protection or mask
 * @mode: type and permissions of what is made, or was found
 * @ret: of %RECORD_VERDICT: enum fuse_filter_verdict, or a negative errno
 * @filter_id: of %RECORD_VERDICT: id of the attachment
 * @post: of %RECORD_VERDICT: afterwards
 * @filter: of %RECORD_VERDICT: name of the filter
 * @comm: name of the thread
 * @name: what is dealt with by name, else empty
 * @newname: of a rename
 */
struct record {
	__u64 nodeid;
	__u64 parent;
	__u64 newparent;
	__u64 cgroup;
	__u32 kind;
	__u32 opcode;
	__u32 fsuid;
	__u32 fsgid;
	__u32 tid;
	__u32 flags;
	__u32 mode;
	__s32 ret;
	__u32 filter_id;
	__u32 post;
	char filter[RECORD_WORD];
	char comm[RECORD_WORD];
	char name[RECORD_NAME];
	char newname[RECORD_NAME];
};

#endif
