/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A plain mount whose daemon attaches backings: a raw server, and replies that name
 * what they are backed by.
 */
#ifndef _HARNESS_ENTRY_FIXTURE_H
#define _HARNESS_ENTRY_FIXTURE_H

#include "backed_fixture.h"

/**
 * struct entry_reply - reply that names a node, and what backs it
 * @entry: the part that is always there
 * @backing: the optional part
 */
struct entry_reply {
	struct fuse_entry_out entry;
	struct fuse_entry_backing_out backing;
};

/* The same for CREATE and TMPFILE */
struct create_reply {
	struct fuse_entry_out entry;
	struct fuse_open_out open;
	struct fuse_entry_backing_out backing;
};

/**
 * entry_make - make a backing and a server that can register from it
 * @b: filled in; the server is not started, and may be changed
 *
 * The server declares a stack depth of 1 and knows the root directory.
 */
int entry_make(struct backed *b);

/**
 * entry_mount - mount plain at @b->mnt, with the server
 * @b: after entry_make()
 */
int entry_mount(struct backed *b);

/* entry_use_uring - have the server take requests by io_uring; before entry_mount() */
int entry_use_uring(struct backed *b);

/**
 * register_fd - register a backing
 * @dev: device of the mount
 * @fd: what is to be registered
 * @ops: opcodes, 0: all
 *
 * Return: an id or a negative errno
 */
int register_fd(int dev, int fd, __u64 ops);

/* register_path - likewise, by the path of what is not followed */
int register_path(int dev, const char *path, __u64 ops);

int close_id(int dev, __u32 id);

/**
 * serve_entry - add an answer to LOOKUP that names a backing
 * @server: server
 * @parent: node id of the directory
 * @name: name there
 * @nodeid: node id of what is found
 * @mode: its type
 * @backing: what it is backed by
 *
 * Return: the answer, for changes
 */
struct raw_reply *serve_entry(struct raw_server *server, __u64 parent, const char *name,
			      __u64 nodeid, mode_t mode,
			      const struct fuse_entry_backing_out *backing);

/* entry_of - the reply that serve_entry() has made, or one for CREATE */
static inline struct entry_reply *entry_of(struct raw_reply *reply)
{
	return (struct entry_reply *)reply->data;
}

#define BACKING(...) (&(struct fuse_entry_backing_out){ __VA_ARGS__ })

/* asked - how often the server has been asked an opcode */
static inline unsigned int asked(const struct backed *b, __u32 opcode)
{
	return __atomic_load_n(&b->server->counts[opcode], __ATOMIC_SEQ_CST);
}

#endif /* _HARNESS_ENTRY_FIXTURE_H */
