/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Recordings: files of requests that "record" writes and "replay" reads.
 */
#ifndef FUSE_BPF_RECORDING_H
#define FUSE_BPF_RECORDING_H

#include <linux/types.h>

#include "record.h"

#define RECORDING_VERSION 1
#define REPLAY_GUARD "replay"

#ifndef __bpf__
#include "main.h"

/**
 * struct place - a name of a file or directory of the tree that was recorded
 * @dir: the directory, NULL: it is the root
 * @name: in it
 * @mode: its type
 * @same: the file has this name too, besides its first one: that; or NULL
 * @opened: requests are about it as an open file
 * @fd: in a replay: O_PATH descriptor of it on the mount, -1: none
 * @file_fd: likewise, opened to be read and written
 */
struct place {
	struct place *dir;
	const char *name;
	__u32 mode;
	struct place *same;
	bool opened;
	int fd;
	int file_fd;
};

/**
 * struct request - a request that was recorded
 * @op: name of its opcode
 * @opcode: number of it
 * @node_id: node id of @node, or 0
 * @node: what it is about, or NULL
 * @dir: directory of @name, or NULL
 * @newdir: directory of @newname, or NULL
 * @name: what was dealt with by name, or NULL
 * @newname: of a rename, or NULL
 * @found: of a look-up: what was found, NULL: nothing, or that is not known
 * @asked: of a look-up: what was found is known
 * @uid: of the caller
 * @gid: of the caller
 * @flags: see struct record
 * @mode: see struct record
 * @cgroup: path of the caller's cgroup, or NULL
 * @comm: name of the thread
 * @verdict: "pass", "daemon", or the name of an errno
 * @filter: name of the filter that refused it, or sent it to the daemon; or NULL
 */
struct request {
	const char *op;
	__u32 opcode;
	__u64 node_id;
	struct place *node;
	struct place *dir;
	struct place *newdir;
	const char *name;
	const char *newname;
	struct place *found;
	bool asked;
	__u32 uid;
	__u32 gid;
	__u32 flags;
	__u32 mode;
	const char *cgroup;
	const char *comm;
	const char *verdict;
	const char *filter;
};

/**
 * struct recording - what a file says
 * @path: of the file
 * @places: all places, directories before what is in them; the first one is the root
 * @nr_places: number of @places
 * @requests: in their order
 * @nr: number of @requests
 * @lost: requests that there was no room for when it was recorded
 * @ended: it was not cut short
 * @lines: keeps what the others point to
 * @nr_lines: number of @lines
 */
struct recording {
	const char *path;
	struct place **places;
	size_t nr_places;
	struct request *requests;
	size_t nr;
	__u64 lost;
	bool ended;
	struct json_object **lines;
	size_t nr_lines;
};

void add_name(struct json_object *obj, const char *key, const char *name);
int recording_read(const char *path, struct recording *recording);
void recording_free(struct recording *recording);
#endif

#endif
