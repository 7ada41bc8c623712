// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <unistd.h>

#include "raw_uring.h"
#include "util.h"

#define PAYLOAD_SIZE (1 << 20)

/**
 * struct entry - a place for one request and its answer
 * @head: headers
 * @payload: all that follows the first argument
 * @iov: both, as the kernel wants to be told
 */
struct entry {
	struct fuse_uring_req_header head;
	char *payload;
	struct iovec iov[2];
};

/**
 * struct ring - an io_uring with entries of 128 bytes
 * @fd: its descriptor
 * @server: server it belongs to
 * @decide: finds answers
 * @entries: one for each CPU
 * @sqes: submission entries, as many as @entries
 * @sq_tail: kernel's view of the submission queue, and so on
 */
struct ring {
	int fd;
	struct raw_server *server;
	raw_decide decide;
	struct entry *entries;
	char *sqes;
	unsigned int *sq_tail;
	unsigned int *sq_mask;
	unsigned int *sq_array;
	unsigned int *cq_head;
	unsigned int *cq_tail;
	unsigned int *cq_mask;
	struct io_uring_cqe *cqes;
};

#define SQE_SIZE 128

static int map_ring(struct ring *ring, const struct io_uring_params *p)
{
	size_t size = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
	size_t sq_size = p->sq_off.array + p->sq_entries * sizeof(unsigned int);
	char *queues;

	if (!(p->features & IORING_FEAT_SINGLE_MMAP))
		return -EOPNOTSUPP;
	queues = mmap(NULL, size > sq_size ? size : sq_size, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_POPULATE, ring->fd, IORING_OFF_SQ_RING);
	ring->sqes = mmap(NULL, p->sq_entries * SQE_SIZE, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_POPULATE, ring->fd, IORING_OFF_SQES);
	if (queues == MAP_FAILED || ring->sqes == MAP_FAILED)
		return -errno;

	ring->sq_tail = (void *)(queues + p->sq_off.tail);
	ring->sq_mask = (void *)(queues + p->sq_off.ring_mask);
	ring->sq_array = (void *)(queues + p->sq_off.array);
	ring->cq_head = (void *)(queues + p->cq_off.head);
	ring->cq_tail = (void *)(queues + p->cq_off.tail);
	ring->cq_mask = (void *)(queues + p->cq_off.ring_mask);
	ring->cqes = (void *)(queues + p->cq_off.cqes);
	return 0;
}

static int make_entries(struct ring *ring, int nr)
{
	int i;

	ring->entries = calloc(nr, sizeof(*ring->entries));
	if (!ring->entries)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		struct entry *entry = &ring->entries[i];

		entry->payload = malloc(PAYLOAD_SIZE);
		if (!entry->payload)
			return -ENOMEM;
		entry->iov[0] = (struct iovec){ &entry->head, sizeof(entry->head) };
		entry->iov[1] = (struct iovec){ entry->payload, PAYLOAD_SIZE };
	}
	return 0;
}

/* Queue a command for an entry; io_uring_enter() hands it over. */
static void queue_command(struct ring *ring, int qid, enum fuse_uring_cmd cmd)
{
	struct entry *entry = &ring->entries[qid];
	unsigned int tail = *ring->sq_tail;
	unsigned int index = tail & *ring->sq_mask;
	struct io_uring_sqe *sqe = (void *)(ring->sqes + index * SQE_SIZE);
	struct fuse_uring_cmd_req *req = (void *)sqe->cmd;

	memset(sqe, 0, SQE_SIZE);
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = ring->server->dev;
	sqe->cmd_op = cmd;
	sqe->user_data = qid;
	if (cmd == FUSE_IO_URING_CMD_REGISTER) {
		sqe->addr = (unsigned long)entry->iov;
		sqe->len = 2;
	}
	req->qid = qid;
	req->commit_id = entry->head.ring_ent_in_out.commit_id;
	ring->sq_array[index] = index;
	__atomic_store_n(ring->sq_tail, tail + 1, __ATOMIC_RELEASE);
}

static int enter(struct ring *ring, unsigned int submit, unsigned int wait)
{
	int res = syscall(SYS_io_uring_enter, ring->fd, submit, wait,
			  wait ? IORING_ENTER_GETEVENTS : 0, NULL, 0);

	return res < 0 ? -errno : res;
}

/* The first argument lies apart from the others; the server wants them in one piece. */
static size_t join_args(const struct entry *entry, char *buf)
{
	size_t len = entry->head.ring_ent_in_out.payload_sz;

	memcpy(buf, entry->head.op_in, sizeof(entry->head.op_in));
	memcpy(buf + sizeof(entry->head.op_in), entry->payload, len);
	return sizeof(entry->head.op_in) + len;
}

static void answer_entry(struct ring *ring, int qid)
{
	static char buf[PAYLOAD_SIZE + FUSE_URING_OP_IN_OUT_SZ] __attribute__((aligned(8)));
	struct entry *entry = &ring->entries[qid];
	struct raw_request request = { .arg = buf, .len = join_args(entry, buf) };
	struct fuse_out_header head;
	struct raw_reply reply;
	bool send;

	memcpy(&request.head, entry->head.in_out, sizeof(request.head));
	send = ring->decide(ring->server, &request, &reply);
	/* Whatever comes this way must be given back, also a FORGET */
	if (!send)
		reply = (struct raw_reply){};
	if (reply.raw || reply.silent) {
		say("there is no silence on io_uring, and no answer of one piece");
		abort();
	}
	head = (struct fuse_out_header){
		.len = sizeof(head),
		.error = reply.error,
		.unique = request.head.unique,
	};
	memcpy(entry->head.in_out, &head, sizeof(head));
	memcpy(entry->payload, reply.data, reply.error ? 0 : reply.len);
	entry->head.ring_ent_in_out.payload_sz = reply.error ? 0 : reply.len;
	queue_command(ring, qid, FUSE_IO_URING_CMD_COMMIT_AND_FETCH);
}

static void *serve_ring(void *arg)
{
	struct ring *ring = arg;
	unsigned int head, answered = get_nprocs_conf();

	for (;;) {
		if (enter(ring, answered, 1) < 0 && errno != EINTR)
			return NULL;
		answered = 0;
		head = *ring->cq_head;
		while (head != __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE)) {
			const struct io_uring_cqe *cqe = &ring->cqes[head & *ring->cq_mask];

			/* ENOTCONN: the end of the connection */
			if (cqe->res < 0)
				return NULL;
			answer_entry(ring, cqe->user_data);
			answered++;
			__atomic_store_n(ring->cq_head, ++head, __ATOMIC_RELEASE);
		}
	}
}

int raw_uring_start(struct raw_server *server, raw_decide decide)
{
	struct io_uring_params params = { .flags = IORING_SETUP_SQE128 };
	struct ring *ring = calloc(1, sizeof(*ring));
	int qid, err, nr = get_nprocs_conf();
	pthread_t thread;

	if (!ring)
		return -ENOMEM;
	ring->server = server;
	ring->decide = decide;
	ring->fd = syscall(SYS_io_uring_setup, nr, &params);
	if (ring->fd < 0)
		return -errno;
	err = map_ring(ring, &params);
	if (!err)
		err = make_entries(ring, nr);
	if (err)
		return err;
	for (qid = 0; qid < nr; qid++)
		queue_command(ring, qid, FUSE_IO_URING_CMD_REGISTER);
	return -pthread_create(&thread, NULL, serve_ring, ring);
}
