/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Asynchronous I/O by system calls, one request at a time.
 */
#ifndef _HARNESS_URING_H
#define _HARNESS_URING_H

#include <stddef.h>
#include <sys/types.h>

struct uring;

/* uring_new - a ring; NULL with errno set if there can be none */
struct uring *uring_new(void);

/* uring_new_polled - one that a thread of the kernel works for, as who made it */
struct uring *uring_new_polled(void);

void uring_free(struct uring *ring);

enum uring_read {
	URING_READ,
	URING_READV,
	URING_READ_FIXED,
	URING_READ_REGISTERED,	/* a file that is registered */
	URING_READ_ASYNC,	/* in a thread of its own */
};

/**
 * uring_read - read a range of a file
 * @ring: the ring
 * @how: by which operation
 * @fd: the file
 * @buf: where to
 * @size: bytes
 * @offset: first byte
 *
 * Return: bytes read or a negative errno
 */
ssize_t uring_read(struct uring *ring, enum uring_read how, int fd, void *buf, size_t size,
		   off_t offset);

/* uring_open - open a file and close it again; 0 or a negative errno */
int uring_open(struct uring *ring, const char *path, int flags);

/* uring_stat - ask for attributes; 0 or a negative errno */
int uring_stat(struct uring *ring, const char *path);

/**
 * uring_personality - register who the caller is
 * @ring: the ring
 *
 * Return: what uring_stat_as() takes, or a negative errno
 */
int uring_personality(struct uring *ring);

/* uring_stat_as - uring_stat() as somebody who has registered with the ring */
int uring_stat_as(struct uring *ring, int personality, const char *path);

/**
 * aio_pread - as uring_read(), by io_submit(2)
 * @fd: the file
 * @buf: where to
 * @size: bytes
 * @offset: first byte
 * @vector: by a vector of two parts
 */
ssize_t aio_pread(int fd, void *buf, size_t size, off_t offset, int vector);

/* aio_pwrite - the same for a write */
ssize_t aio_pwrite(int fd, const void *buf, size_t size, off_t offset);

#endif /* _HARNESS_URING_H */
