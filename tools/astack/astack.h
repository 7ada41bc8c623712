/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the filters, the daemon and the control tool of astack agree on: the maps.
 *
 * A node is named by the id that filters see: the inode number on the backing with
 * FUSE_NODEID_KERNEL, and 1 for the root of the mount.
 */
#ifndef _ASTACK_H
#define _ASTACK_H

#include <linux/types.h>

/* astack_uids: what a user may do; no entry: nothing */
#define ASTACK_READ_IMG		(1U << 0)
#define ASTACK_READ_VID		(1U << 1)
#define ASTACK_READ_AUD		(1U << 2)
#define ASTACK_LOCATION		(1U << 3) /* unredacted locations */
#define ASTACK_MANAGE		(1U << 4) /* all shared files */
#define ASTACK_INSTALLER	(1U << 5) /* all of Android/obb */
#define ASTACK_SYSTEM		(1U << 6) /* everything; uid 0 has it */

/* User 10's app 10104 is uid 1010104 */
#define ASTACK_USER_UIDS 100000

enum astack_class {
	ASTACK_PRIVATE,		/* in an app's directory: modes decide */
	ASTACK_ROOT,		/* has a directory for each user */
	ASTACK_USER,		/* a user's root */
	ASTACK_HIDDEN,		/* .transforms */
	ASTACK_ANDROID,		/* Android */
	ASTACK_DATA,		/* Android/data */
	ASTACK_OBB,		/* Android/obb */
	ASTACK_MEDIA,		/* a shared collection, or below one */
};

enum astack_type {
	ASTACK_OTHER,
	ASTACK_IMAGE,
	ASTACK_VIDEO,
	ASTACK_AUDIO,
};

/**
 * struct astack_dir - astack_dirs: a directory, by node
 * @class: enum astack_class
 * @user: whose tree it is in
 * @types: ASTACK_MEDIA: bit N: files of enum astack_type N can be made here
 */
struct astack_dir {
	__u32 class;
	__u32 user;
	__u32 types;
};

/**
 * struct astack_tag - astack_tags: a shared file, by node
 * @owner: its uid on the backing
 * @type: enum astack_type, by its name
 * @ctime: when it was last found to have changed
 * @ctimensec: nanoseconds of @ctime
 * @gen: moves with each change of the file
 * @writers: writes under way
 */
struct astack_tag {
	__u32 owner;
	__u32 type;
	__s64 ctime;
	__u32 ctimensec;
	__u32 reserved;
	__u64 gen;
	__u64 writers;
};

#define ASTACK_NAME_SIZE 64

/**
 * struct astack_name - astack_names: key: name of an app's directory; value: its uid
 * @parent: node of Android/data or Android/obb
 * @name: padded with zeroes
 */
struct astack_name {
	__u64 parent;
	char name[ASTACK_NAME_SIZE];
};

#define ASTACK_RANGES 16

/**
 * struct astack_scan - astack_scans: where the locations are in a shared file
 * @gen: of the tag, when the file was searched; another one: it must be done anew
 * @nr: ranges
 * @range: first byte, and the first one behind
 */
struct astack_scan {
	__u64 gen;
	__u64 nr;
	struct {
		__u64 start;
		__u64 end;
	} range[ASTACK_RANGES];
};

#define ASTACK_SUFFIX_SIZE 32

/* Extended attribute on the backing: "OFF:LEN,..." to be redacted besides */
#define ASTACK_XATTR "user.astack.redact"

#define ASTACK_PINS "/sys/fs/bpf/astack"

#endif /* _ASTACK_H */
