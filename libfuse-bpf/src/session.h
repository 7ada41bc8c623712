/* SPDX-License-Identifier: LGPL-2.1-only */
#ifndef _FUSE_BPF_SESSION_H
#define _FUSE_BPF_SESSION_H

#include <linux/fuse.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "internal.h"

struct fuse_session;
struct fuse_bpf_asker;

/* ask.c: requests FUSE_BPF_ASK, and who answers them */

/*
 * Check a table of handlers and start the threads that will run them. NULL in the place
 * of the table is one without handlers.
 */
int fuse_bpf_asker_new(struct fuse_bpf_asker **asker, const struct fuse_bpf_handler *handlers,
		       void *arg, unsigned int threads);

/*
 * Who opens a node, as a descriptor that is closed when the handler has returned, -1: nobody
 * does. To be set before there are requests. It may be called by several threads.
 */
typedef int (*fuse_bpf_node_fd_fn)(void *arg, uint64_t nodeid);
void fuse_bpf_asker_resolve(struct fuse_bpf_asker *asker, fuse_bpf_node_fd_fn fn, void *arg);
void fuse_bpf_session_resolve(struct fuse_bpf_session *session, fuse_bpf_node_fd_fn fn, void *arg);

/* Answer a request that was read from @fd, now or in a thread that does so later. */
void fuse_bpf_asker_take(struct fuse_bpf_asker *asker, int fd, const void *request, size_t len);

/* Wait until all requests are answered, and end the threads. */
void fuse_bpf_asker_free(struct fuse_bpf_asker *asker);

/* state.c: what the next daemon must know */

#define FUSE_BPF_INIT_MAX 256

/**
 * struct fuse_bpf_state - INIT as the first daemon got and answered it
 * @magic: says what this is
 * @version: of this structure
 * @in_len: bytes in @in: the request with its header
 * @out_len: bytes in @out: the answer without its header
 * @in: request
 * @out: answer
 */
struct fuse_bpf_state {
	char magic[8];
	uint32_t version;
	uint32_t in_len;
	uint32_t out_len;
	uint32_t reserved;
	unsigned char in[FUSE_BPF_INIT_MAX];
	unsigned char out[FUSE_BPF_INIT_MAX];
};

/* The attachment of a filter that a daemon has made, for the next one to undo; 0: none */
int fuse_bpf_state_set_filter(int fd, uint32_t id);
int fuse_bpf_state_get_filter(int fd, uint32_t *id);

int fuse_bpf_state_read(int fd, struct fuse_bpf_state *state);
int fuse_bpf_state_write(int fd, struct fuse_bpf_state *state);

#endif
