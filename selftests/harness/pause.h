/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stopping a system call after its path walk and before the file system does what was
 * asked for, so that something else can be done in between, at a known place.
 */
#ifndef _HARNESS_PAUSE_H
#define _HARNESS_PAUSE_H

#include "../progs/pause.h"
#include <sys/types.h>

/**
 * struct pauser - the means to stop system calls of this process
 * @uffd: where the programs' faults arrive
 * @pages: memory that is not there
 * @paused: how often the last call was stopped
 */
struct pauser {
	int uffd;
	void *pages;
	unsigned int paused;
};

/**
 * pauser_load - load the programs of progs/pause.bpf.c and attach them
 *
 * Takes most of a second, and lasts as long as the process and its children do, which
 * take turns in using them. Errors are reported by pauser_setup().
 */
void pauser_load(void);

/* pauser_setup - make ready; after pauser_load(), in the process that is stopped */
int pauser_setup(struct pauser *p);

/* pauser_destroy - undo it; @p may be zero */
void pauser_destroy(struct pauser *p);

/**
 * paused_call - stop a system call on its way
 * @p: set up
 * @at: where to stop it
 * @times: how often, at most PAUSE_PAGES: the VFS may begin again
 * @uid: caller; other threads, and @between, are root
 * @call: the system call; returns 0 or a negative errno
 * @between: what is done while it is stopped
 * @arg: for both
 *
 * Return: what @call returned
 */
int paused_call(struct pauser *p, enum pause_at at, unsigned int times, uid_t uid,
		int (*call)(void *arg), void (*between)(void *arg), void *arg);

#endif /* _HARNESS_PAUSE_H */
