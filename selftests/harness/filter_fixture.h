/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Filters under test: load an object from build/selftests, register it, attach it
 * to a mount; and undo it, whatever state it is in.
 */
#ifndef _HARNESS_FILTER_FIXTURE_H
#define _HARNESS_FILTER_FIXTURE_H

#include <bpf/libbpf.h>
#include <linux/fuse_bpf.h>

/**
 * struct filter - a filter
 * @obj: its object, NULL: not loaded
 * @map: its struct fuse_filter_ops
 * @link: registration, NULL: none
 * @fd: device or directory of the mount that it is attached to, -1: none
 * @id: of the attachment
 */
struct filter {
	struct bpf_object *obj;
	struct bpf_map *map;
	struct bpf_link *link;
	int fd;
	__u32 id;
};

#define FILTER_NONE ((struct filter){ .fd = -1 })

/**
 * filter_path - where an object file is
 * @path: filled in
 * @size: of @path
 * @name: file name in build/selftests without ".bpf.o"
 */
int filter_path(char *path, size_t size, const char *name);

/**
 * filter_open_object - open an object file that holds no filter
 * @filter: filled in
 * @name: file name in build/selftests without ".bpf.o"
 */
int filter_open_object(struct filter *filter, const char *name);

/**
 * filter_open - open an object file
 * @filter: filled in
 * @name: file name in build/selftests without ".bpf.o"
 * @ops: name of the struct fuse_filter_ops, NULL: the only one
 *
 * Between this and filter_register(), a test can change the object.
 */
int filter_open(struct filter *filter, const char *name, const char *ops);

/* filter_register - load the programs and make the filter known to the kernel */
int filter_register(struct filter *filter);

/* filter_load - filter_open() and filter_register() */
int filter_load(struct filter *filter, const char *name);

/**
 * filter_attach - attach a registered filter to a mount
 * @filter: the filter
 * @fd: device or directory of the mount, which must stay open
 * @flags: FUSE_FILTER_*
 * @relative_id: as in struct fuse_filter_attach
 */
int filter_attach(struct filter *filter, int fd, __u32 flags, __u32 relative_id);

/* filter_detach - undo filter_attach() */
int filter_detach(struct filter *filter);

/* filter_unregister - take the link away, and leave the attachment */
void filter_unregister(struct filter *filter);

/* filter_destroy - undo everything */
void filter_destroy(struct filter *filter);

/**
 * filter_global - variables of an object
 * @filter: opened or loaded
 * @section: ".bss", ".data" or ".rodata"
 * @size: out: bytes in the section
 *
 * Before loading, what is written there is what the program starts with; after, it
 * is shared with the program.
 *
 * Return: the section, NULL if there is none
 */
void *filter_global(struct filter *filter, const char *section, size_t *size);

/* filter_log - what libbpf and the verifier said last; for programs that must not load */
const char *filter_log(void);

/* filter_quiet - keep libbpf's messages out of the output, as for expected failures */
void filter_quiet(bool quiet);

#endif /* _HARNESS_FILTER_FIXTURE_H */
