/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One system call or two for each opcode, to see what becomes of it.
 */
#ifndef _HARNESS_OPERATIONS_H
#define _HARNESS_OPERATIONS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "backed_fixture.h"

/**
 * struct place - a directory for one operation, made anew for each
 * @back: its path on the backing
 * @mnt: its path on the mount
 *
 * In it: "file" with ten bytes and the attribute user.key=value, "other" with four
 * bytes, "link" to "file", the directory "sub" that is empty, and "full" that is
 * not. All belongs to USER1 and GROUP1.
 */
struct place {
	char back[64];
	char mnt[64];
};

/* What operation.run does besides */
#define OPERATION_HIDES		(1U << 0) /* refusal hides: then it returns 0 */
#define OPERATION_NO_ANSWER	(1U << 1) /* refusal is ignored */
#define OPERATION_NO_POST	(1U << 2) /* is not told of its result */

/**
 * struct operation - what makes the kernel answer an opcode
 * @opcode: enum fuse_opcode, or FUSE_FILTER_OP_*
 * @flags: OPERATION_*
 * @run: does it; returns a negative errno, or @returns
 * @returns: result of @run if nobody refuses
 * @result: of the request, as the kernel knows it
 * @fail: does it so that it fails with @error, or NULL
 * @error: errno of that
 * @node: what the request is for, in the place: "" is the place itself, NULL: none,
 *	"/": the root of the mount
 * @in_place: the request deals with a name in the place
 * @name: which
 */
struct operation {
	__u32 opcode;
	unsigned int flags;
	long (*run)(const struct place *p);
	long returns;
	long result;
	long (*fail)(const struct place *p);
	int error;
	const char *node;
	bool in_place;
	const char *name;
};

extern const struct operation operations[];
extern const size_t nr_operations;

/**
 * place_make - make a place
 * @p: filled in
 * @b: whose backing it is on; the root of the mount must be open to all
 */
int place_make(struct place *p, const struct backed *b);

/**
 * operation_run - run a function as USER1, GROUP1, by this thread
 * @run: the function
 * @p: where
 */
long operation_run(long (*run)(const struct place *p), const struct place *p);

#endif /* _HARNESS_OPERATIONS_H */
