/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs that stop an operation and the tests that stop it share.
 */
#ifndef _PROGS_PAUSE_H
#define _PROGS_PAUSE_H

#include <linux/types.h>

/* Where an operation can be stopped: after its path walk, before it is done */
enum pause_at {
	PAUSE_NOWHERE,
	PAUSE_UNLINK,
	PAUSE_RMDIR,
	PAUSE_RENAME,
	PAUSE_CREATE,
	PAUSE_MKDIR,
	PAUSE_MKNOD,
	PAUSE_SYMLINK,
	PAUSE_LINK,
};

/* Each stop waits for a page of its own. */
#define PAUSE_PAGE 4096
#define PAUSE_PAGES 4

/**
 * struct pause_control - how the programs are told what to do
 * @pages: PAUSE_PAGES pages of the thread that is stopped; reading one stops it
 * @tid: thread that is stopped
 * @at: enum pause_at
 * @times: how often, from now on
 */
struct pause_control {
	__u64 pages;
	__u32 tid;
	__u32 at;
	__u32 times;
};

#endif /* _PROGS_PAUSE_H */
