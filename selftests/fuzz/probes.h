/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calls that succeed, one for each opcode that filters are asked about.
 */
#ifndef _FUZZ_PROBES_H
#define _FUZZ_PROBES_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/**
 * struct probe_files - what the calls are about
 * @top: directory of a tree that calls_tree() has made
 * @file: "f1" there, for reading and writing
 * @other: "f2"
 * @dir: @top
 */
struct probe_files {
	const char *top;
	int file;
	int other;
	int dir;
};

/**
 * struct probe - a call
 * @name: for people
 * @opcode: what filters are asked about
 * @call: make it; 0 or a negative errno
 * @undo: have things as they were, whether it succeeded or not; may be NULL
 * @fallback: errnos with which the VFS does the same in another way
 * @loose_post: a postfilter's errno may be lost
 * @daemon_absent: a daemon that has not opened the file has no part in it
 */
struct probe {
	const char *name;
	__u32 opcode;
	int (*call)(const struct probe_files *files);
	void (*undo)(const struct probe_files *files);
	int fallback[2];
	bool loose_post;
	bool daemon_absent;
};

extern const struct probe probes[];
extern const size_t nr_probes;

#endif /* _FUZZ_PROBES_H */
