/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A daemon's answers to FUSE_BPF_ASK, and what it was asked.
 */
#ifndef _HARNESS_ASK_H
#define _HARNESS_ASK_H

#include <linux/fuse.h>
#include <linux/fuse_bpf.h>

#include "raw_server.h"

#define ASK_TEXT 64

/**
 * struct asked - a question
 * @head: of the request
 * @in: what follows it
 * @bytes: the struct of the opcode, zero padded
 * @attr: attributes, zero if there are none
 * @name: zero padded, as the following
 * @newname: likewise
 * @text: likewise
 */
struct asked {
	struct fuse_in_header head;
	struct fuse_bpf_ask_in in;
	char bytes[128];
	struct fuse_attr attr;
	char name[ASK_TEXT];
	char newname[ASK_TEXT];
	char text[ASK_TEXT];
};

/**
 * struct asks - the questions of one phase, and the answer to them
 * @answer: what to say
 * @error: or the error in the header of the reply, 0 or negative
 * @short_by: bytes that are missing in the reply
 * @silent: never answer
 * @uid: answer only this caller so, and others with 0; 0: all
 * @count: questions that came
 * @wrong: those that were not well formed
 * @last: the last one
 */
struct asks {
	struct fuse_bpf_ask_out answer;
	int error;
	unsigned int short_by;
	bool silent;
	__u32 uid;
	unsigned int count;
	unsigned int wrong;
	struct asked last;
};

/**
 * ask_answer - answer a request
 * @asks: by phase
 * @request: a request FUSE_BPF_ASK
 * @reply: out: the answer
 */
void ask_answer(struct asks asks[2], const struct raw_request *request,
		struct raw_reply *reply);

#endif /* _HARNESS_ASK_H */
