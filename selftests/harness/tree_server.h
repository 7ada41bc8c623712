/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A server that knows the names of a backing, and answers everything else in a way
 * that cannot be taken for the backing's: it writes down what it is asked, keeps
 * count of its lookups, and can be made to lie about a name.
 */
#ifndef _HARNESS_TREE_SERVER_H
#define _HARNESS_TREE_SERVER_H

#include "ask.h"
#include "backed_fixture.h"
#include "raw_server.h"

#define TREE_NODES 512
#define TREE_LOG 512
#define TREE_NAME 32

/* Node ids of names that were looked up begin here */
#define TREE_FIRST_NODE 1000
/* Answers by which the server is known */
#define TREE_SIZE 4242
#define TREE_BYTE 'D'
#define TREE_OFFSET 777
#define TREE_TARGET "of-the-server"

/**
 * struct tree_entry - a request that came
 * @opcode: the request
 * @nodeid: likewise
 * @fh: handle that it was for, where it has one; of a FORGET, the count
 * @name: first name in it
 */
struct tree_entry {
	__u32 opcode;
	__u64 nodeid;
	__u64 fh;
	char name[TREE_NAME];
};

/**
 * struct tree_node - a node that has a name
 * @parent: node id of its directory
 * @name: its name there
 * @mode: what the server says it is
 * @lookups: lookups less those forgotten
 */
struct tree_node {
	__u64 parent;
	char name[TREE_NAME];
	mode_t mode;
	long lookups;
};

/**
 * struct tree_server - what the test and the server's process share
 * @back: root of the backing
 * @nr_nodes: nodes in @nodes
 * @nodes: that of id TREE_FIRST_NODE comes first
 * @foreign: lookups of ids that are none of the above, less those forgotten
 * @nr_log: requests that came, those without room in @log too
 * @log: the requests
 * @nr_open: files and directories that were opened, less those released
 * @lie_name: name whose lookup is answered with @lie
 * @lie: the answer
 * @lie_error: or an errno in its place
 * @same_links: a link is the node that it is a link to, as it should be
 * @during_name: name before whose next lookup is answered the following happens
 * @during_usec: that much time passes
 * @during_from: what has this path is renamed
 * @during_to: to this one
 * @asks: what the kernel asks about requests, by phase
 */
struct tree_server {
	char back[64];
	unsigned int nr_nodes;
	struct tree_node nodes[TREE_NODES];
	long foreign;
	unsigned int nr_log;
	struct tree_entry log[TREE_LOG];
	long nr_open;
	char lie_name[TREE_NAME];
	struct fuse_entry_out lie;
	int lie_error;
	bool same_links;
	char during_name[TREE_NAME];
	unsigned int during_usec;
	char during_from[128];
	char during_to[128];
	struct asks asks[2];
};

/**
 * tree_server_setup - make a backed mount with such a server
 * @b: with a backing, not mounted
 * @flags: BACKED_*, besides BACKED_DAEMON
 *
 * Return: the server, NULL if there is no mount
 */
struct tree_server *tree_server_setup(struct backed *b, unsigned int flags);

/* tree_server_free - after backed_destroy() */
void tree_server_free(struct tree_server *tree);

/* tree_server_id - node id of a path relative to the root, 0 if it has none */
__u64 tree_server_id(const struct tree_server *tree, const char *path);

/* tree_server_count - requests of an opcode for a node, 0: any */
unsigned int tree_server_count(const struct tree_server *tree, __u32 opcode, __u64 nodeid);

/* tree_server_clear - forget what came; not while a request is on its way */
void tree_server_clear(struct tree_server *tree);

/* tree_server_lookups - lookups that were not forgotten */
long tree_server_lookups(const struct tree_server *tree);

/**
 * tree_server_wait_forgotten - wait until the server has got back what it has counted
 * @tree: the server, of whose mount nothing is open
 *
 * Drops the system's caches. Return: 0, -ETIMEDOUT
 */
int tree_server_wait_forgotten(const struct tree_server *tree);

#endif /* _HARNESS_TREE_SERVER_H */
