/* SPDX-License-Identifier: GPL-2.0-only */
/* The shared storage of tools/astack, started and filled for a test. */
#ifndef _HARNESS_ASTACK_FIXTURE_H
#define _HARNESS_ASTACK_FIXTURE_H

#include <fuse_bpf.h>
#include <sys/types.h>

#define ASTACK_VOLUME	"/run/astack/media/vol"
#define ASTACK_MNT	"/run/astack/storage/emulated"

#define IMG1		"DCIM/Camera/IMG_0001.jpg"
#define IMG1_SIZE	60000
#define IMG1_EXTRA	5000	/* "astackctl redact" */

/* What of IMG_0001.jpg nobody without the right may read, in order */
struct astack_hidden {
	unsigned int start, end;
};

extern const struct astack_hidden astack_hidden[];
#define ASTACK_NR_HIDDEN 3

/**
 * astack_load_image - read IMG_0001.jpg, as it is and as it is shown without the right
 * @full: its bytes
 * @redacted: the same with zeroes where the locations are
 *
 * Return: 0; -EIO it is shorter, or has nothing to hide
 */
int astack_load_image(unsigned char full[IMG1_SIZE], unsigned char redacted[IMG1_SIZE]);

enum astack_caller_id {
	CAM, GAL, MAP, GAME, SPY, FILES, INST, SUITE, U10GAME, SHELL, ROOT,
	ASTACK_CALLERS,
};

struct astack_caller {
	const char *name;
	uid_t uid;
	gid_t groups[3];
	const char *rights;
};

extern const struct astack_caller astack_callers[ASTACK_CALLERS];

/* astack_start - make the volume, start the daemon, fill it; 0 or a negative errno */
int astack_start(void);

/* astack_start_on - the same, with the volume on a file system of a type, not on tmpfs */
int astack_start_on(const char *fs);

/* astack_stop - unmount, and wait for the daemon; 0, or what it ended with */
int astack_stop(void);

/* astack_daemon - its process */
pid_t astack_daemon(void);

/* astack_daemon_again - run another one for the same volume; its exit status */
int astack_daemon_again(void);

/* astack_ctl - run astackctl; its exit status */
int __attribute__((format(printf, 1, 2))) astack_ctl(const char *fmt, ...);

/**
 * astack_as - run a function in a child process as a caller
 * @id: caller
 * @fn: result 0..127 or a negative errno above -128
 * @arg: for @fn
 */
int astack_as(enum astack_caller_id id, int (*fn)(void *arg), const void *arg);

/* astack_try - astack_as() with a path, which fn gets a copy of */
int astack_try(enum astack_caller_id id, int (*fn)(void *arg), const char *path);

/* astack_path - path in user 0's tree, good for some calls; see in() */
#define astack_path(...) in(ASTACK_MNT "/0", __VA_ARGS__)
#define astack_lower(...) in(ASTACK_VOLUME "/0", __VA_ARGS__)

/* Sums over all opcodes, and over all filters */
struct astack_counts {
	__u64 backing, daemon, denied;
};

int astack_count(struct astack_counts *counts);

#endif /* _HARNESS_ASTACK_FIXTURE_H */
