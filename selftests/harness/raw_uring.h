/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The raw server's other way to the kernel: FUSE over io_uring. One entry for each
 * CPU, in one ring that a thread of the server's process serves.
 */
#ifndef _HARNESS_RAW_URING_H
#define _HARNESS_RAW_URING_H

#include "raw_server.h"

/**
 * raw_decide - find the answer to a request
 * @server: server
 * @request: the request
 * @reply: filled in
 *
 * Return: false if there is nothing to send
 */
typedef bool (*raw_decide)(struct raw_server *server, const struct raw_request *request,
			   struct raw_reply *reply);

/**
 * raw_uring_start - register all entries and serve them in a thread
 * @server: server whose device has been initialized with FUSE_OVER_IO_URING
 * @decide: called for each request
 *
 * Return: 0 or a negative errno
 */
int raw_uring_start(struct raw_server *server, raw_decide decide);

#endif /* _HARNESS_RAW_URING_H */
