/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tables of a policy: what fuse-bpf compiles a policy to, and what policy.bpf.c
 * enforces. Both include this, and neither has another idea of a rule.
 */
#ifndef FUSE_BPF_POLICY_H
#define FUSE_BPF_POLICY_H

#define POLICY_RULES	32768	/* rules, each with one pattern */
#define POLICY_TRY	8	/* rules that one key can lead to */
#define POLICY_ANY	16	/* rules that every name or inode is tried with */
#define POLICY_GLOBS	1024	/* patterns that need an automaton */
#define POLICY_LONGS	1024	/* exact names that do not fit into a key */
#define POLICY_WHOS	1024	/* sets of callers */
#define POLICY_CGROUPS	4	/* cgroups in one set */
#define POLICY_SCOPES	16	/* subtrees; 0 is the whole mount */
#define POLICY_RANGES	4	/* redacted ranges of one rule */
#define POLICY_LABEL	32
#define POLICY_TEXT	288
#define POLICY_NAME	256	/* any name with its NUL */

#define POLICY_EXACT	60	/* an exact name in a key, with a NUL */
#define POLICY_AFFIX	31	/* bytes of a prefix or suffix in a key */
#define POLICY_ELEMENTS	63	/* bytes, '?' and sets of one pattern */

/* What is done, as bits; the order is that of the names in policy_ops.c */
enum policy_op {
	POLICY_LOOKUP		= 1 << 0,
	POLICY_LIST		= 1 << 1,
	POLICY_CREATE		= 1 << 2,
	POLICY_MKNOD		= 1 << 3,
	POLICY_MKDIR		= 1 << 4,
	POLICY_SYMLINK		= 1 << 5,
	POLICY_LINK		= 1 << 6,
	POLICY_RENAME_FROM	= 1 << 7,
	POLICY_RENAME_TO	= 1 << 8,
	POLICY_UNLINK		= 1 << 9,
	POLICY_RMDIR		= 1 << 10,
	POLICY_OPEN_READ	= 1 << 11,
	POLICY_OPEN_WRITE	= 1 << 12,
	POLICY_OPEN_EXEC	= 1 << 13,
	POLICY_OPENDIR		= 1 << 14,
	POLICY_READ		= 1 << 15,
	POLICY_WRITE		= 1 << 16,
	POLICY_MAP_EXEC		= 1 << 17,
	POLICY_SETATTR		= 1 << 18,
	POLICY_GETXATTR		= 1 << 19,
	POLICY_SETXATTR		= 1 << 20,
	POLICY_FALLOCATE	= 1 << 21,
	POLICY_READLINK		= 1 << 22,
	POLICY_IOCTL		= 1 << 23,
};

/* Requests that come with a name */
#define POLICY_NAME_OPS	(POLICY_LOOKUP | POLICY_LIST | POLICY_CREATE | POLICY_MKNOD | \
			 POLICY_MKDIR | POLICY_SYMLINK | POLICY_LINK | POLICY_RENAME_FROM | \
			 POLICY_RENAME_TO | POLICY_UNLINK | POLICY_RMDIR)
/* Groups of them */
#define POLICY_MAKE_OPS	(POLICY_CREATE | POLICY_MKNOD | POLICY_MKDIR | POLICY_SYMLINK | \
			 POLICY_LINK | POLICY_RENAME_TO)
#define POLICY_REMOVE_OPS (POLICY_RENAME_FROM | POLICY_UNLINK | POLICY_RMDIR)
#define POLICY_READ_OPS	(POLICY_OPEN_READ | POLICY_OPENDIR | POLICY_READ | POLICY_GETXATTR | \
			 POLICY_READLINK)
#define POLICY_WRITE_OPS (POLICY_MAKE_OPS | POLICY_REMOVE_OPS | POLICY_OPEN_WRITE | \
			  POLICY_WRITE | POLICY_SETATTR | POLICY_SETXATTR | \
			  POLICY_FALLOCATE | POLICY_IOCTL)
#define POLICY_ALL_OPS	((POLICY_IOCTL << 1) - 1)

/* Types of files, as bits: 1 << (mode >> 12) */
#define POLICY_TYPES_ALL 0xffff

enum policy_flag {
	POLICY_AUDIT	= 1 << 0,	/* tell of it */
	POLICY_PASS	= 1 << 1,	/* decides nothing: the search goes on */
	POLICY_REDACT	= 1 << 2,	/* the ranges read as zero */
};

/**
 * struct policy_rule - one pattern of a rule; the number of a rule is its rank
 * @ops: enum policy_op
 * @types: bits of types, %POLICY_TYPES_ALL: any
 * @scope: number of the subtree
 * @flags: enum policy_flag
 * @verdict: what the filter returns
 * @who: number of the set of callers, 0: all
 * @line: where it stands in the source
 * @nr_ranges: number of @ranges
 * @ranges: bytes that read as zero: the first one, and the first one after it
 * @label: for people
 * @text: the rule as "policy show" prints it
 */
struct policy_rule {
	__u32 ops;
	__u16 types;
	__u16 scope;
	__u32 flags;
	__s32 verdict;
	__u32 who;
	__u32 line;
	__u32 nr_ranges;
	__u32 reserved;
	struct {
		__u64 start;
		__u64 end;
	} ranges[POLICY_RANGES];
	char label[POLICY_LABEL];
	char text[POLICY_TEXT];
};

/* What a match in a table still has to pass */
#define POLICY_CHECK_LONG 0x8000	/* the rest is an index of policy_longs */

/**
 * struct policy_entry - a rule to try
 * @rule: its number
 * @check: 0, 1 + index of an automaton, or %POLICY_CHECK_LONG + index of a name
 */
struct policy_entry {
	__u16 rule;
	__u16 check;
};

/* struct policy_list - rules to try, in the order of their numbers */
struct policy_list {
	__u32 nr;
	struct policy_entry entries[POLICY_TRY];
};

struct policy_any {
	__u32 nr;
	struct policy_entry entries[POLICY_ANY];
};

/* struct policy_exact - key of an exact name */
struct policy_exact {
	__u32 scope;
	char name[POLICY_EXACT];
};

/**
 * struct policy_affix - key of the beginning of a name, or of its end backwards
 * @bits: how many of the following count
 * @scope: number of the subtree
 * @text: what the name begins with
 */
struct policy_affix {
	__u32 bits;
	__u8 scope;
	char text[POLICY_AFFIX];
};

/**
 * struct policy_glob - automaton of a pattern, one bit a state
 * @accept: states in which the name may end
 * @stay: states that any byte leaves as they are: those before a '*'
 * @step: states that a byte moves on, for each byte
 */
struct policy_glob {
	__u64 accept;
	__u64 stay;
	__u64 step[256];
};

enum policy_id_kind {
	POLICY_UID,
	POLICY_GID,
};

struct policy_id {
	__u16 who;
	__u16 kind;
	__u32 id;
};

enum policy_who_flag {
	POLICY_WHO_UID		= 1 << 0,
	POLICY_WHO_NOT_UID	= 1 << 1,
	POLICY_WHO_GID		= 1 << 2,
	POLICY_WHO_NOT_GID	= 1 << 3,
	POLICY_WHO_CGROUP	= 1 << 4,
	POLICY_WHO_NOT_CGROUP	= 1 << 5,
	POLICY_WHO_PIDNS	= 1 << 6,
	POLICY_WHO_NOT_PIDNS	= 1 << 7,
};

/**
 * struct policy_who - a set of callers: those who fit all that is given
 * @flags: enum policy_who_flag; the ids are in policy_ids
 * @nr_cgroups: number of @cgroups
 * @cgroups: cgroups, with all below them: id, and how deep
 * @pidns_dev: device number of the file of the pid namespace
 * @pidns_ino: its inode number
 */
struct policy_who {
	__u32 flags;
	__u32 nr_cgroups;
	struct {
		__u64 id;
		__u64 level;
	} cgroups[POLICY_CGROUPS];
	__u64 pidns_dev;
	__u64 pidns_ino;
};

/**
 * struct policy_control - what all filters of the policy of a mount share
 * @generation: the one that is in force; filters of another one have no opinion
 * @explain: thread all of whose requests are told in policy_explain
 * @exempt: thread that the policy is not for: the one that loads the next policy, and
 *	must find the files that this one hides; both in the initial pid namespace
 * @lost: events that there was no room for
 */
struct policy_control {
	__u32 generation;
	__u32 explain;
	__u32 exempt;
	__u32 reserved;
	__u64 lost;
};

#define POLICY_NO_RULE (~0U)

/**
 * struct policy_event - what was decided, for "policy log" and "explain"
 * @time: nanoseconds since boot
 * @cgroup: id of the caller's cgroup
 * @parent: node id of the directory, 0 without a name
 * @nodeid: node id of the inode, if it is known
 * @op: enum policy_op
 * @opcode: enum fuse_opcode
 * @rule: number of the rule, or %POLICY_NO_RULE
 * @line: its line
 * @scope: number of the subtree of the filter
 * @verdict: what the filter returned
 * @uid: of the caller
 * @gid: of the caller
 * @pid: thread id of the caller
 * @comm: name of the thread
 * @label: of the rule
 * @name: the name that was dealt with
 */
struct policy_event {
	__u64 time;
	__u64 cgroup;
	__u64 parent;
	__u64 nodeid;
	__u32 op;
	__u32 opcode;
	__u32 rule;
	__u32 line;
	__u32 scope;
	__s32 verdict;
	__u32 uid;
	__u32 gid;
	__u32 pid;
	char comm[16];
	char label[POLICY_LABEL];
	char name[POLICY_NAME];
	__u32 reserved;
};

#endif
