/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A ready filter of bpf/filters on a mount, on which everybody may write everywhere, so
 * that only the filter says no.
 */
#ifndef _HARNESS_READY_FIXTURE_H
#define _HARNESS_READY_FIXTURE_H

#include "backed_fixture.h"
#include "filter_fixture.h"

/**
 * struct ready - a mount, and perhaps a filter
 * @b: the mount; its backing has a file "file" with ten digits, of USER1, and a directory
 *	"sub" with a file "below"
 * @filter: the filter
 * @file: path of the file on the mount
 * @sub: path of the directory on the mount
 * @dir: the root of the mount, open
 */
struct ready {
	struct backed b;
	struct filter filter;
	char file[64];
	char sub[64];
	int dir;
};

/* ready_begin - make all but the filter; @flags for backed_mount() */
int ready_begin(struct ready *r, unsigned int flags);

/* ready_end - undo everything; the first error */
int ready_end(struct ready *r);

/* ready_use - load and attach the filter with that name */
int ready_use(struct ready *r, const char *name);

/* ready_map - descriptor of a map of the filter */
int ready_map(const struct ready *r, const char *map);

/* ready_set, ready_get - write or read an element of a map */
int ready_set(const struct ready *r, const char *map, const void *key, const void *value);
int ready_get(const struct ready *r, const char *map, const void *key, void *value);

/* ready_set_id - put 1, as a byte, for a 32 bit key */
int ready_set_id(const struct ready *r, const char *map, __u32 id);

/* ready_set_name - put a value of 32 bits for a name of at most 63 bytes */
int ready_set_name(const struct ready *r, const char *map, const char *name, __u32 value);

/* ready_sum - sum over the processors, of a counter in an array */
__u64 ready_sum(const struct ready *r, const char *map, __u32 index);

/* ready_node - node id of a path of the backing */
__u64 ready_node(const char *path);

/**
 * struct ready_group - a control group of the test
 * @path: its directory
 */
struct ready_group {
	char path[96];
};

/**
 * ready_group_make - make a control group, and tell a filter of it
 * @r: with a filter
 * @map: array of struct fuse_filter_cgroups, of which element 0 is set
 * @group: filled in
 */
int ready_group_make(const struct ready *r, const char *map, struct ready_group *group);

/* ready_group_remove - remove it; nobody must be in it */
int ready_group_remove(const struct ready_group *group);

/* in_group - as in_child(), with the child in the group */
int in_group(const struct ready_group *group, int (*fn)(void *arg), const void *arg);

/* names_in - how many entries a directory has, by its path; or a negative errno */
int names_in(void *path);

/* make_in - make a directory, by its path */
int make_in(void *path);

/* write_one - open a file, write a byte at its beginning and close it */
int write_one(void *path);

#endif /* _HARNESS_READY_FIXTURE_H */
