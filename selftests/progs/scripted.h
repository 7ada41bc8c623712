/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the scripted filter and the tests that script it share.
 */
#ifndef _PROGS_SCRIPTED_H
#define _PROGS_SCRIPTED_H

#include <linux/types.h>

#define SCRIPTED_ANY_UID (~0U)
#define SCRIPTED_NAME 56

/**
 * struct scripted_key - what a rule is about; zero padded
 * @opcode: the callback: FUSE_LOOKUP, FUSE_OPEN, FUSE_FILTER_OP_DIRENT (dirent)
 * @uid: the caller, or %SCRIPTED_ANY_UID
 * @name: the name, empty: any, and always so for FUSE_OPEN
 */
struct scripted_key {
	__u32 opcode;
	__u32 uid;
	char name[SCRIPTED_NAME];
};

/**
 * struct scripted_seen - the last call of a callback
 * @calls: how many there were
 * @order: position of the call among those of all filters that share the counter
 * @flags: of &struct fuse_open_in
 * @ino: of &struct fuse_filter_dirent
 * @type: likewise
 * @name: the name, cut off
 */
struct scripted_seen {
	__u64 nodeid;
	__u64 parent;
	__u64 calls;
	__u64 order;
	__u64 ino;
	__u32 opcode;
	__u32 fsuid;
	__u32 fsgid;
	__u32 pid;
	__u32 name_len;
	__u32 flags;
	__u32 type;
	char name[SCRIPTED_NAME];
};

#endif /* _PROGS_SCRIPTED_H */
