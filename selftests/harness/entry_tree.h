/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What tests of attached inodes share: a tree to attach from, the node ids that the
 * server gives out, and what it tells of what the kernel told it.
 */
#ifndef _HARNESS_ENTRY_TREE_H
#define _HARNESS_ENTRY_TREE_H

#include "entry_fixture.h"

/* Node ids that the server uses */
enum {
	FILE_NODE = 10,
	DIR_NODE = 20,
	OTHER_NODE = 30,
	NEW_NODE = 40,
};

/**
 * struct told - what the server's process tells the test, in memory that they share
 * @forgotten: lookups that the kernel has forgotten
 * @id: a backing that the server has registered
 * @res: result of what it did
 * @path: what it is to register
 */
struct told {
	unsigned long long forgotten;
	int id;
	int res;
	char path[64];
};

extern struct told *told;

/* told_make - make @told, before the server is started; told_free - undo it */
int told_make(void);
void told_free(void);

/**
 * note_forget - hook of a server: add up the lookups that the kernel forgets
 * @server: server
 * @request: request
 * @reply: not used
 *
 * Return: false
 */
bool note_forget(struct raw_server *server, const struct raw_request *request,
		 struct raw_reply *reply);

/* forgotten - wait for so many, which the kernel tells without being asked, for a time */
unsigned long long forgotten(unsigned long long want);

/* entry_tree_backing - fill the backing */
int entry_tree_backing(const struct backed *b);

/**
 * entry_tree_make - a filled backing, a server that notes what is forgotten, a mount
 * @b: filled in
 * @uring: let the server take requests by io_uring
 */
int entry_tree_make(struct backed *b, bool uring);

/* asked_more - all requests but LOOKUP and what forgets */
unsigned int asked_more(const struct backed *b);

/**
 * serve_create - answer CREATE or TMPFILE in the root directory with NEW_NODE
 * @server: server
 * @opcode: which
 * @name: name, or NULL; it is not there before
 * @backing: what backs the node
 *
 * Return: the answer, a struct create_reply, for changes
 */
struct raw_reply *serve_create(struct raw_server *server, __u32 opcode, const char *name,
			       const struct fuse_entry_backing_out *backing);

/* bad_size - what mainline has for a reply whose size is wrong; the server is told too */
static inline const char *bad_size(bool uring)
{
	return uring ? "<EINVAL>" : "<EIO>";
}

#endif /* _HARNESS_ENTRY_TREE_H */
