// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "uring.h"
#include "util.h"

/**
 * struct uring - a ring with room for one request
 * @fd: its descriptor
 * @params: as the kernel filled them in
 * @rings: both rings, in one mapping
 * @rings_size: bytes of that
 * @sqes: requests
 */
struct uring {
	int fd;
	struct io_uring_params params;
	char *rings;
	size_t rings_size;
	struct io_uring_sqe *sqes;
};

static int map_rings(struct uring *ring)
{
	const struct io_uring_params *p = &ring->params;
	size_t sq = p->sq_off.array + p->sq_entries * sizeof(__u32);
	size_t cq = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);

	ring->rings_size = sq > cq ? sq : cq;
	ring->rings = mmap(NULL, ring->rings_size, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_POPULATE, ring->fd, IORING_OFF_SQ_RING);
	if (ring->rings == MAP_FAILED)
		return -1;
	ring->sqes = mmap(NULL, p->sq_entries * sizeof(*ring->sqes), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_POPULATE, ring->fd, IORING_OFF_SQES);
	return ring->sqes == MAP_FAILED ? -1 : 0;
}

static struct uring *new_ring(__u32 flags)
{
	struct uring *ring = calloc(1, sizeof(*ring));

	if (!ring)
		return NULL;
	ring->params.flags = flags;
	ring->fd = syscall(SYS_io_uring_setup, 1, &ring->params);
	/* Kernels with our operations have both rings in one mapping */
	if (ring->fd >= 0 && !map_rings(ring))
		return ring;
	if (ring->fd >= 0)
		close(ring->fd);
	free(ring);
	return NULL;
}

struct uring *uring_new(void)
{
	return new_ring(0);
}

struct uring *uring_new_polled(void)
{
	return new_ring(IORING_SETUP_SQPOLL);
}

void uring_free(struct uring *ring)
{
	if (!ring)
		return;
	munmap(ring->sqes, ring->params.sq_entries * sizeof(*ring->sqes));
	munmap(ring->rings, ring->rings_size);
	close(ring->fd);
	free(ring);
}

static __u32 *word(const struct uring *ring, __u32 offset)
{
	return (__u32 *)(ring->rings + offset);
}

static int submit(struct uring *ring, const struct io_uring_sqe *sqe)
{
	const struct io_uring_params *p = &ring->params;
	__u32 *tail = word(ring, p->sq_off.tail);
	__u32 *head = word(ring, p->cq_off.head);
	__u32 slot = *tail & (p->sq_entries - 1);
	const struct io_uring_cqe *cqes;
	unsigned int flags = IORING_ENTER_GETEVENTS;
	int res;

	if (p->flags & IORING_SETUP_SQPOLL)
		flags |= IORING_ENTER_SQ_WAKEUP;

	ring->sqes[slot] = *sqe;
	word(ring, p->sq_off.array)[slot] = slot;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring->fd, 1, 1, flags, NULL, 0) < 0)
		return -errno;
	if (__atomic_load_n(word(ring, p->cq_off.tail), __ATOMIC_ACQUIRE) == *head)
		return -EBUSY;
	cqes = (const struct io_uring_cqe *)(ring->rings + p->cq_off.cqes);
	res = cqes[*head & (p->cq_entries - 1)].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return res;
}

ssize_t uring_read(struct uring *ring, enum uring_read how, int fd, void *buf, size_t size,
		   off_t offset)
{
	struct iovec iov = { buf, size };
	struct io_uring_sqe sqe = { .fd = fd, .off = offset };
	ssize_t ret;

	switch (how) {
	case URING_READ:
		sqe.opcode = IORING_OP_READ;
		sqe.addr = (uintptr_t)buf;
		sqe.len = size;
		return submit(ring, &sqe);
	case URING_READV:
		sqe.opcode = IORING_OP_READV;
		sqe.addr = (uintptr_t)&iov;
		sqe.len = 1;
		return submit(ring, &sqe);
	case URING_READ_FIXED:
		if (syscall(SYS_io_uring_register, ring->fd, IORING_REGISTER_BUFFERS, &iov, 1))
			return -errno;
		sqe.opcode = IORING_OP_READ_FIXED;
		sqe.addr = (uintptr_t)buf;
		sqe.len = size;
		ret = submit(ring, &sqe);
		syscall(SYS_io_uring_register, ring->fd, IORING_UNREGISTER_BUFFERS, NULL, 0);
		return ret;
	case URING_READ_REGISTERED:
		if (syscall(SYS_io_uring_register, ring->fd, IORING_REGISTER_FILES, &fd, 1))
			return -errno;
		sqe.opcode = IORING_OP_READ;
		sqe.flags = IOSQE_FIXED_FILE;
		sqe.fd = 0;
		sqe.addr = (uintptr_t)buf;
		sqe.len = size;
		ret = submit(ring, &sqe);
		syscall(SYS_io_uring_register, ring->fd, IORING_UNREGISTER_FILES, NULL, 0);
		return ret;
	case URING_READ_ASYNC:
		sqe.opcode = IORING_OP_READ;
		sqe.flags = IOSQE_ASYNC;
		sqe.addr = (uintptr_t)buf;
		sqe.len = size;
		return submit(ring, &sqe);
	}
	return -EINVAL;
}

int uring_open(struct uring *ring, const char *path, int flags)
{
	const struct io_uring_sqe sqe = {
		.opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .addr = (uintptr_t)path,
		.open_flags = flags,
	};
	int fd = submit(ring, &sqe);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

int uring_stat(struct uring *ring, const char *path)
{
	return uring_stat_as(ring, 0, path);
}

int uring_personality(struct uring *ring)
{
	int id = syscall(SYS_io_uring_register, ring->fd, IORING_REGISTER_PERSONALITY, NULL, 0);

	return id < 0 ? -errno : id;
}

int uring_stat_as(struct uring *ring, int personality, const char *path)
{
	struct statx st;
	const struct io_uring_sqe sqe = {
		.opcode = IORING_OP_STATX, .fd = AT_FDCWD, .addr = (uintptr_t)path,
		.len = STATX_BASIC_STATS, .off = (uintptr_t)&st, .personality = personality,
	};

	return submit(ring, &sqe);
}

static ssize_t aio(struct iocb *cb)
{
	struct io_event event = {};
	aio_context_t ctx = 0;
	ssize_t ret;

	if (syscall(SYS_io_setup, 1, &ctx))
		return -errno;
	if (syscall(SYS_io_submit, ctx, 1, &cb) != 1)
		ret = -errno;
	else if (syscall(SYS_io_getevents, ctx, 1, 1, &event, NULL) != 1)
		ret = -EIO;
	else
		ret = event.res;
	syscall(SYS_io_destroy, ctx);
	return ret;
}

ssize_t aio_pread(int fd, void *buf, size_t size, off_t offset, int vector)
{
	struct iovec iov[2] = { { buf, size / 2 }, { (char *)buf + size / 2, size - size / 2 } };
	struct iocb cb = {
		.aio_fildes = fd,
		.aio_offset = offset,
		.aio_lio_opcode = vector ? IOCB_CMD_PREADV : IOCB_CMD_PREAD,
		.aio_buf = (uintptr_t)(vector ? (void *)iov : buf),
		.aio_nbytes = vector ? 2 : size,
	};

	return aio(&cb);
}

ssize_t aio_pwrite(int fd, const void *buf, size_t size, off_t offset)
{
	struct iocb cb = {
		.aio_fildes = fd,
		.aio_offset = offset,
		.aio_lio_opcode = IOCB_CMD_PWRITE,
		.aio_buf = (uintptr_t)buf,
		.aio_nbytes = size,
	};

	return aio(&cb);
}
