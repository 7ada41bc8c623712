/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All ways to reach a name, for those who are not to.
 */
#ifndef _HARNESS_REACH_H
#define _HARNESS_REACH_H

#include <stddef.h>

/**
 * struct reach - a way
 * @name: for people
 * @cached: it asks what is in the dcache only, and says EAGAIN if that does not do
 * @run: try it; a negative errno, or 0 and more: it was reached
 *
 * @run gets the name, relative to the working directory, and the name of a file there
 * that the caller may write to.
 */
struct reach {
	const char *name;
	int cached;
	long (*run)(const char *name, const char *own);
};

extern const struct reach reaches[];
extern const size_t nr_reaches;

#endif /* _HARNESS_REACH_H */
