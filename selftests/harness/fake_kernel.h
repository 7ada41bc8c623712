/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The other end of a FUSE device, for tests of a library without a mount: a socket, of
 * which the daemon has one end. What a test sends there arrives as one request, and what
 * the daemon writes is one answer.
 */
#ifndef _HARNESS_FAKE_KERNEL_H
#define _HARNESS_FAKE_KERNEL_H

#include <linux/fuse.h>
#include <linux/fuse_bpf.h>
#include <stddef.h>

#define FAKE_MAX 4096

/**
 * struct fake_answer - what the daemon wrote
 * @head: header
 * @data: what follows it
 * @len: bytes in @data
 */
struct fake_answer {
	struct fuse_out_header head;
	char data[FAKE_MAX];
	size_t len;
};

/**
 * fake_device - make a device
 * @kernel: out: the test's end
 * @device: out: the daemon's end
 */
int fake_device(int *kernel, int *device);

/**
 * fake_send - send a request
 * @kernel: the test's end
 * @opcode: request
 * @unique: its number
 * @nodeid: node
 * @arg: what follows the header
 * @len: bytes in @arg
 */
int fake_send(int kernel, __u32 opcode, __u64 unique, __u64 nodeid, const void *arg, size_t len);

/* fake_recv - wait for an answer; -ETIMEDOUT when there is none for a long time */
int fake_recv(int kernel, struct fake_answer *answer);

/* fake_silent - is there no answer waiting to be read? */
int fake_silent(int kernel);

/* fake_init - send INIT as number 1, as a kernel with all features does */
int fake_init(int kernel);

/**
 * struct fake_ask - a request that asks about another one
 * @in: the fixed part; its lengths are filled in by fake_ask()
 * @arg: struct of the opcode, NULL: none
 * @attr: attributes, NULL: none
 * @name: name, NULL: none
 * @newname: likewise
 * @text: likewise
 */
struct fake_ask {
	struct fuse_bpf_ask_in in;
	const void *arg;
	const struct fuse_attr *attr;
	const char *name;
	const char *newname;
	const char *text;
};

/**
 * fake_ask_build - put such a request together, without its header
 * @ask: what it says, of which lengths are filled in
 * @buf: out
 *
 * Return: bytes in @buf
 */
size_t fake_ask_build(struct fake_ask *ask, char buf[FAKE_MAX]);

/**
 * fake_ask - ask, and wait for the answer
 * @kernel: the test's end
 * @ask: what about
 *
 * Return: the verdict; -EBADMSG the answer is no answer to this
 */
int fake_ask(int kernel, struct fake_ask *ask);

#endif
