/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Any system calls on a tree, as a program would make them that knows nothing of who
 * answers. None of them waits for another process but the daemon.
 */
#ifndef _FUZZ_CALLS_H
#define _FUZZ_CALLS_H

#include "fuzz.h"

#define CALLS_FDS 8
#define CALLS_BUF (1 << 16)
#define CALLS_PATH 128

/**
 * struct calls - one who makes calls
 * @rng: numbers
 * @top: directory of the tree
 * @worker: number of the process, for fuzz_doing()
 * @fds: what is open, -1: nothing
 * @max: the most that the call at hand may return
 * @buf: bytes to read into and to write
 */
struct calls {
	struct fuzz_rng rng;
	const char *top;
	unsigned int worker;
	int fds[CALLS_FDS];
	long max;
	char buf[CALLS_BUF];
};

/* calls_begin - nothing is open */
void calls_begin(struct calls *c, struct fuzz_rng rng, const char *top, unsigned int worker);

/* calls_path - any path below the top, of what may be there or not */
void calls_path(struct calls *c, char path[CALLS_PATH]);

/**
 * calls_one - make one call, and see whether what it returns can be
 * @c: who
 *
 * An errno that user space must not see and more bytes than were asked for are told by
 * fuzz_unexpected().
 */
void calls_one(struct calls *c);

/* calls_end - close what is open */
void calls_end(struct calls *c);

/**
 * calls_tree - make a tree that the paths are about
 * @top: where
 *
 * Names that begin with f are files, d directories, l links, p pipes.
 */
int calls_tree(const char *top);

#endif /* _FUZZ_CALLS_H */
