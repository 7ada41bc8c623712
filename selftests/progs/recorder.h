/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the recorder and the tests that use it share.
 */
#ifndef _PROGS_RECORDER_H
#define _PROGS_RECORDER_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define RECORDER_OPS 64
#define RECORDER_TEXT 40

/* Index of a prefilter's or a postfilter's rule and record */
#define RECORDER_PRE(opcode) (opcode)
#define RECORDER_POST(opcode) (RECORDER_OPS + (opcode))
#define RECORDER_SLOTS (2 * RECORDER_OPS)

/* struct recorder_attr - as struct fuse_filter_attr */
struct recorder_attr {
	__u64 ino;
	__u64 size;
	__u64 blocks;
	__s64 atime;
	__s64 mtime;
	__s64 ctime;
	__u32 atimensec;
	__u32 mtimensec;
	__u32 ctimensec;
	__u32 mode;
	__u32 nlink;
	__u32 uid;
	__u32 gid;
	__u32 rdev;
	__u32 valid;
	__u32 reserved;
};

/* recorder_rule.edit: which of the attributes to set */
#define RECORDER_MODE	(1U << 0)
#define RECORDER_UID	(1U << 1)
#define RECORDER_GID	(1U << 2)
#define RECORDER_ATIME	(1U << 3) /* with nanoseconds */
#define RECORDER_MTIME	(1U << 4)
#define RECORDER_CTIME	(1U << 5)
#define RECORDER_SIZE	(1U << 6)
#define RECORDER_BLOCKS	(1U << 7)
#define RECORDER_NLINK	(1U << 8)
#define RECORDER_INO	(1U << 9)
#define RECORDER_RDEV	(1U << 10)
#define RECORDER_VALID	(1U << 11) /* take the bits of the rule out */
#define RECORDER_RESERVED (1U << 12)
#define RECORDER_VALUE	(1U << 16) /* set the value */
#define RECORDER_STATFS	(1U << 17)

/**
 * struct recorder_statfs - as the first part of struct fuse_kstatfs
 */
struct recorder_statfs {
	__u64 blocks;
	__u64 bfree;
	__u64 bavail;
	__u64 files;
	__u64 ffree;
	__u32 bsize;
	__u32 namelen;
	__u32 frsize;
	__u32 padding;
};

/**
 * struct recorder_rule - what to do when a member is called; zero: nothing
 * @ret: what to return
 * @edit: RECORDER_*
 * @attr: values for @edit
 * @statfs: likewise, all of them
 * @open_flags: to be added
 * @value_len: bytes of @value
 * @value: what the value is to be
 * @match: of xattr_name: the only name that @ret is about; empty: any
 */
struct recorder_rule {
	__s32 ret;
	__u32 edit;
	struct recorder_attr attr;
	struct recorder_statfs statfs;
	__u32 open_flags;
	__u32 value_len;
	char value[RECORDER_TEXT];
	char match[RECORDER_TEXT];
};

/**
 * struct recorder_ctx - as struct fuse_filter_ctx
 */
struct recorder_ctx {
	__u64 nodeid;
	__u64 parent;
	__u64 newparent;
	__s64 result;
	__u32 opcode;
	__u32 fsuid;
	__u32 fsgid;
	__u32 pid;
	__u32 name_len;
	__u32 newname_len;
};

/**
 * struct recorder_seen - the last call for an opcode, before or after it
 * @calls: how many there were
 * @order: position of the call among those of all filters that share the counter
 * @ctx: the context
 * @in: the fields of the member's second argument, in their order; of
 *	fuse_lk_in: start, end, type, lk_flags
 * @attr: attributes, where there are any
 * @statfs: likewise statistics
 * @has_attr: there are some
 * @kfunc: what the function returned that the rule made it call
 * @text_len: of %FUSE_FILTER_TEXT, or an errno
 * @value_len: of %FUSE_FILTER_VALUE, or an errno
 * @member: name of the member
 * @name: the name, cut off
 * @newname: likewise
 * @text: likewise
 * @value: likewise
 */
struct recorder_seen {
	__u64 calls;
	__u64 order;
	struct recorder_ctx ctx;
	__u64 in[6];
	struct recorder_attr attr;
	struct recorder_statfs statfs;
	__u32 has_attr;
	__s32 kfunc;
	__s32 text_len;
	__s32 value_len;
	char member[24];
	char name[RECORDER_TEXT];
	char newname[RECORDER_TEXT];
	char text[RECORDER_TEXT];
	char value[RECORDER_TEXT];
};

#endif /* _PROGS_RECORDER_H */
