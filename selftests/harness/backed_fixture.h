/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A backing file system, and a backed mount of it, in a mount namespace of the
 * test's own: whatever a crashed test leaves behind goes away with its process.
 */
#ifndef _HARNESS_BACKED_FIXTURE_H
#define _HARNESS_BACKED_FIXTURE_H

#include <linux/fuse.h>
#include <linux/fuse_bpf.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "raw_server.h"

/* Opcodes that the kernel counts */
#define NR_OPS 64

/**
 * struct backed - a backing and its mount
 * @top: directory for whatever the test needs, a tmpfs of its own
 * @back: root of the backing, a mount of its own
 * @mnt: where it is mounted backed
 * @shared: what @back is bound to, for file systems on disks
 * @dev: device of the mount, -1: daemonless
 * @server: who serves @dev
 * @mounted: is @mnt mounted?
 */
struct backed {
	char top[32];
	char back[40];
	char mnt[40];
	char shared[64];
	int dev;
	struct raw_server *server;
	bool mounted;
};

/* Flags for backed_mount() */
#define BACKED_ALLOW_OTHER	(1U << 0)
#define BACKED_DAEMON		(1U << 1) /* with a raw server, see @server */
#define BACKED_DEFAULT_PERM	(1U << 2)
#define BACKED_RDONLY		(1U << 3) /* the mount, not the file system */

/**
 * backed_make - make a backing, an empty directory mounted at @b->back
 * @b: filled in
 * @fs: "tmpfs", "ext4", "xfs" or "btrfs"
 *
 * Enters a new mount namespace.
 */
int backed_make(struct backed *b, const char *fs);

/**
 * backed_mount - mount @b->back at @b->mnt
 * @b: with a backing
 * @flags: BACKED_*
 *
 * With %BACKED_DAEMON, the server has answered INIT when the function returns.
 */
int backed_mount(struct backed *b, unsigned int flags);

/* backed_setup - backed_make() and backed_mount() */
int backed_setup(struct backed *b, const char *fs, unsigned int flags);

/**
 * backed_umount - unmount @b->mnt and end the server
 * @b: mounted
 *
 * Return: 0; -EBUSY the mount is in use
 */
int backed_umount(struct backed *b);

/**
 * backed_destroy - unmount, and check that nothing held on to the backing
 * @b: mounted or not
 *
 * Everything is gone afterwards, errors or not.
 *
 * Return: the first error
 */
int backed_destroy(struct backed *b);

/**
 * control_mount - mount the control file system
 * @b: mounted
 * @path: out: directory of the mount's connection in it
 * @size: of @path
 */
int control_mount(const struct backed *b, char *path, size_t size);

/* fs_type, device_path - names of the flavour under test */
const char *fs_type(void);
const char *device_path(void);

/**
 * struct try_mount - a mount by hand, with options that may not go together
 * @type: file system type, NULL: fs_type()
 * @source: block device, NULL: none
 * @backing: file descriptor, 0: none
 * @backing2: likewise, a second time
 * @dev: file descriptor, 0: none
 * @daemonless: give that option
 * @allow_other: likewise
 * @default_permissions: likewise
 * @no_ids: do not say rootmode, user_id and group_id with @dev
 * @rootmode: mode with @dev, 0: a directory
 * @at: where to mount, NULL: nowhere
 */
struct try_mount {
	const char *type;
	const char *source;
	int backing;
	int backing2;
	int dev;
	bool daemonless;
	bool allow_other;
	bool default_permissions;
	bool no_ids;
	mode_t rootmode;
	const char *at;
};

#define TRY_MOUNT(...) (&(struct try_mount){ __VA_ARGS__ })

/* try_mount - attempt it; 0 or a negative errno; what is not put anywhere is undone */
int try_mount(const struct try_mount *what);

/**
 * mount_backed - mount without a daemon, for all users
 * @back: path of the backing
 * @at: where to, NULL: only attempt it
 */
int mount_backed(const char *back, const char *at);

/* open_dir - open a directory for reading, or with O_PATH in @flags */
int open_dir(const char *path, int flags);

struct op_counts {
	struct fuse_op_stats ops[NR_OPS];
};

/**
 * counts_read - read the counters of a mount
 * @fd: its device, or a directory of it
 * @counts: filled in
 */
int counts_read(int fd, struct op_counts *counts);

/* counts_since - what was counted since @old: @old is replaced by the difference */
int counts_since(int fd, struct op_counts *old);

/*
 * Comparisons of what is seen by two paths. Each says what differs and returns the
 * number of differences. The mount's own device number and mount id are left out.
 */
int diff_stat(const char *a, const char *b);
int diff_text(const char *a, const char *b);
int diff_dir(const char *a, const char *b);
int diff_tree(const char *a, const char *b);

/**
 * tree_digest - sum over all that is in a tree: names, attributes, contents
 * @path: directory
 *
 * Times of last access are left out.
 */
unsigned long tree_digest(const char *path);

#endif /* _HARNESS_BACKED_FIXTURE_H */
