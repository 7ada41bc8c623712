/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A FUSE server on the bare protocol, in a child process: it counts what it is
 * asked, answers from a table, and can be made to answer anything at all.
 *
 * Table and counters are shared with the child and may be used at any time. What
 * is in no table gets ENOSYS; FORGET and its like get nothing.
 */
#ifndef _HARNESS_RAW_SERVER_H
#define _HARNESS_RAW_SERVER_H

#include <linux/fuse.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define RAW_MAX_OPS	  64
#define RAW_MAX_REPLIES	  128
#define RAW_MAX_DATA	  4096
#define RAW_MAX_REQUEST	  (FUSE_MIN_READ_BUFFER + (1 << 17))

/**
 * struct raw_request - a request as it came
 * @head: header
 * @arg: what follows it
 * @len: bytes in @arg
 */
struct raw_request {
	struct fuse_in_header head;
	const void *arg;
	size_t len;
};

/**
 * struct raw_reply - an answer
 * @opcode: request that it answers
 * @nodeid: likewise, 0: any
 * @name: for requests with one name: the name, "": any
 * @uses: how often it is given before it is passed over, 0: always
 * @used: how often it was given
 * @error: 0 or a negative errno
 * @silent: no answer is sent at all
 * @raw: @data is the whole answer, header and all
 * @len: bytes in @data
 * @data: what follows the header
 */
struct raw_reply {
	__u32 opcode;
	__u64 nodeid;
	char name[64];
	unsigned int uses;
	unsigned int used;
	int error;
	bool silent;
	bool raw;
	size_t len;
	char data[RAW_MAX_DATA] __attribute__((aligned(8)));
};

struct raw_server;

/**
 * raw_hook - looks at each request in the server's process
 * @server: the server
 * @request: the request
 * @reply: in: the answer that it would get; may be changed
 *
 * Return: true if the hook has answered by itself
 */
typedef bool (*raw_hook)(struct raw_server *server, const struct raw_request *request,
			 struct raw_reply *reply);

/**
 * struct raw_server - a server, shared by the test and the server's process
 * @pid: the server's process
 * @dev: device it reads
 * @counts: requests by opcode
 * @kernel_nodes: requests for nodes that a server must never hear of
 * @lies: it names such nodes itself, so that these requests say nothing
 * @init: what the kernel said at INIT
 * @init_out: answer to INIT; set up by raw_server_new()
 * @uring: take requests by io_uring, once INIT is answered with that flag
 * @ready: INIT was answered
 * @hook: called for each request, may be NULL
 * @nr: answers in @replies
 * @replies: the table, first match first
 */
struct raw_server {
	pid_t pid;
	int dev;
	unsigned int counts[RAW_MAX_OPS];
	unsigned int kernel_nodes;
	bool lies;
	struct fuse_init_in init;
	struct fuse_init_out init_out;
	bool uring;
	bool ready;
	raw_hook hook;
	unsigned int nr;
	struct raw_reply replies[RAW_MAX_REPLIES];
};

/* raw_server_new - a server that has not started; NULL if out of memory */
struct raw_server *raw_server_new(void);

/**
 * raw_server_start - start serving
 * @server: not started
 * @dev: descriptor of a mounted device
 *
 * Return: 0 when INIT was answered, or had been before; -ETIMEDOUT
 */
int raw_server_start(struct raw_server *server, int dev);

/* raw_server_kill - kill the server's process and wait for its end */
void raw_server_kill(struct raw_server *server);

/* raw_server_free - end and free a server, which may be NULL */
void raw_server_free(struct raw_server *server);

/* raw_server_total - requests so far, besides INIT */
unsigned int raw_server_total(const struct raw_server *server);

/**
 * raw_reply_add - add an answer to the end of the table
 * @server: server
 * @opcode: request that is answered
 * @nodeid: likewise, 0: any
 * @name: likewise, NULL: any
 * @data: what follows the header
 * @len: bytes in @data
 *
 * Return: the answer, for changes
 */
struct raw_reply *raw_reply_add(struct raw_server *server, __u32 opcode, __u64 nodeid,
				const char *name, const void *data, size_t len);

/* raw_reply_error - as raw_reply_add(), with an errno for an answer */
struct raw_reply *raw_reply_error(struct raw_server *server, __u32 opcode, __u64 nodeid,
				  const char *name, int error);

/**
 * raw_serve_file - add what it takes to find, stat, open and read a file
 * @server: server
 * @parent: node id of its directory
 * @name: its name there
 * @nodeid: its node id
 * @text: what it holds, less than RAW_MAX_DATA bytes
 */
void raw_serve_file(struct raw_server *server, __u64 parent, const char *name, __u64 nodeid,
		    const char *text);

/* raw_serve_dir - add what it takes to find and stat a directory, and to list it as empty */
void raw_serve_dir(struct raw_server *server, __u64 parent, const char *name, __u64 nodeid);

/* raw_attr - attributes of a node with a mode and a size; of root, one link */
struct fuse_attr raw_attr(__u64 nodeid, mode_t mode, size_t size);

#endif /* _HARNESS_RAW_SERVER_H */
