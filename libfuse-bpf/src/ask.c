// SPDX-License-Identifier: LGPL-2.1-only
/*
 * Requests by which the kernel asks the daemon about other requests, because a filter
 * has said FUSE_FILTER_ASK_PRE or FUSE_FILTER_ASK_POST.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "session.h"

/* Requests that wait for a thread; more are refused, as the kernel's are not limited */
#define MAX_WAITING 4096

/* An errno that may come from a filter */
#define MAX_REFUSAL 511

/**
 * struct job - a request that waits for a thread
 * @next: in the queue
 * @fd: device to answer to, a descriptor of its own: the one that it was read from may be
 *	closed meanwhile
 * @len: bytes in @request
 * @request: as it was read
 */
struct job {
	struct job *next;
	int fd;
	size_t len;
	unsigned char request[];
};

/**
 * struct fuse_bpf_asker - who answers
 * @handlers: table
 * @arg: for handlers
 * @node_fd: opens nodes, NULL: nobody does
 * @node_arg: for @node_fd
 * @nr_threads: elements in @threads, 0: whoever reads the device
 * @lock: of what follows
 * @wake: something is in the queue, or @ending
 * @first: the queue
 * @last: where the next one goes
 * @waiting: jobs in the queue
 * @ending: threads end when the queue is empty
 * @threads: those who run handlers
 */
struct fuse_bpf_asker {
	const struct fuse_bpf_handler *handlers;
	void *arg;
	fuse_bpf_node_fd_fn node_fd;
	void *node_arg;
	unsigned int nr_threads;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct job *first;
	struct job **last;
	unsigned int waiting;
	bool ending;
	pthread_t threads[];
};

static void answer(int fd, uint64_t unique, int verdict)
{
	const struct fuse_out_header head = {
		.len = sizeof(head) + sizeof(struct fuse_bpf_ask_out),
		.unique = unique,
	};
	const struct fuse_bpf_ask_out out = { .verdict = verdict };
	const struct iovec iov[] = {
		{ (void *)&head, sizeof(head) },
		{ (void *)&out, sizeof(out) },
	};

	/* ENOENT: the caller was killed and waits no more. ENODEV: unmounted. */
	if (writev(fd, iov, 2) < 0 && errno != ENOENT && errno != ENODEV)
		fuse_bpf_log("cannot answer what the kernel asks: %s", strerror(errno));
}

/* A part of a request: the next @len bytes, and their end moved on; NULL: too few */
static const unsigned char *part(const unsigned char **at, const unsigned char *end, size_t len)
{
	const unsigned char *found = *at;

	if ((size_t)(end - found) < len)
		return NULL;
	*at += len;
	return found;
}

/* Likewise a string of @len bytes and its NUL, none if @len is 0 */
static int string_part(const unsigned char **at, const unsigned char *end, __u32 len,
		       const char **text)
{
	*text = NULL;
	if (!len)
		return 0;
	*text = (const char *)part(at, end, (size_t)len + 1);
	return *text && strnlen(*text, (size_t)len + 1) == len ? 0 : -EIO;
}

static int parts(const struct fuse_bpf_ask_in *in, const unsigned char *at,
		 const unsigned char *end, struct fuse_bpf_ask *ask)
{
	if (in->in_size)
		ask->in = part(&at, end, in->in_size);
	if (in->attr_size)
		ask->attr = part(&at, end, in->attr_size);
	if (!ask->in != !in->in_size || !ask->attr != !in->attr_size ||
	    string_part(&at, end, in->name_len, &ask->name) ||
	    string_part(&at, end, in->newname_len, &ask->newname) ||
	    string_part(&at, end, in->text_len, &ask->text))
		return -EIO;
	return 0;
}

/* -EIO: the request is not what the kernel says that it sends */
static int parse(const unsigned char *request, size_t len, struct fuse_bpf_ask *ask)
{
	const unsigned char *at = request, *end = request + len;
	const struct fuse_in_header *head = (const void *)part(&at, end, sizeof(*head));
	const struct fuse_bpf_ask_in *in;

	if (head && head->total_extlen)
		end -= head->total_extlen * 8 <= end - at ? head->total_extlen * 8 : end - at;
	in = (const void *)part(&at, end, sizeof(*in));
	if (!head || !in)
		return -EIO;
	*ask = (struct fuse_bpf_ask) {
		.sz = sizeof(*ask),
		.nodeid = head->nodeid,
		.opcode = in->opcode,
		.phase = in->phase,
		.result = in->result,
		.uid = head->uid,
		.gid = head->gid,
		.pid = head->pid,
		.attr_valid = in->attr_valid,
		.in_size = in->in_size,
		.attr_size = in->attr_size,
		.unique = head->unique,
		.node_fd = -1,
	};
	return parts(in, at, end, ask);
}

static const struct fuse_bpf_handler *find_handler(const struct fuse_bpf_handler *handlers,
						   __u32 opcode)
{
	const struct fuse_bpf_handler *all = NULL;

	for (; handlers && handlers->opcode; handlers++) {
		if (handlers->opcode == opcode)
			return handlers;
		if (handlers->opcode == FUSE_BPF_ALL_OPS)
			all = handlers;
	}
	return all;
}

static int check_verdict(int verdict, __u32 phase)
{
	int max = phase == FUSE_BPF_ASK_PRE ? FUSE_FILTER_DAEMON : 0;

	return verdict <= max && verdict >= -MAX_REFUSAL ? verdict : -EIO;
}

static int decide(const struct fuse_bpf_asker *asker, const unsigned char *request, size_t len)
{
	const struct fuse_bpf_handler *handler;
	struct fuse_bpf_ask ask;
	fuse_bpf_ask_fn fn;
	int verdict;

	if (parse(request, len, &ask)) {
		fuse_bpf_log("the kernel asks in a way that this library does not know");
		return -EIO;
	}
	handler = find_handler(asker->handlers, ask.opcode);
	if (!handler || ask.phase > FUSE_BPF_ASK_POST)
		return -EIO;
	fn = ask.phase == FUSE_BPF_ASK_PRE ? handler->pre : handler->post;
	if (!fn)
		return -EIO;
	if (asker->node_fd)
		ask.node_fd = asker->node_fd(asker->node_arg, ask.nodeid);
	verdict = fn(&ask, asker->arg);
	if (asker->node_fd && ask.node_fd >= 0)
		close(ask.node_fd);
	return check_verdict(verdict, ask.phase);
}

static uint64_t unique_of(const void *request)
{
	return ((const struct fuse_in_header *)request)->unique;
}

static void free_job(struct job *job)
{
	close(job->fd);
	free(job);
}

static struct job *make_job(int fd, const void *request, size_t len)
{
	struct job *job = malloc(sizeof(*job) + len);

	if (!job)
		return NULL;
	job->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (job->fd < 0) {
		free(job);
		return NULL;
	}
	job->next = NULL;
	job->len = len;
	memcpy(job->request, request, len);
	return job;
}

static void run_job(const struct fuse_bpf_asker *asker, struct job *job)
{
	answer(job->fd, unique_of(job->request), decide(asker, job->request, job->len));
	free_job(job);
}

/* The next job, or NULL when it is time to end. Called with the lock held. */
static struct job *next_job(struct fuse_bpf_asker *asker)
{
	struct job *job;

	while (!asker->first && !asker->ending)
		pthread_cond_wait(&asker->wake, &asker->lock);
	job = asker->first;
	if (!job)
		return NULL;
	asker->first = job->next;
	if (!asker->first)
		asker->last = &asker->first;
	asker->waiting--;
	return job;
}

static void *work(void *data)
{
	struct fuse_bpf_asker *asker = data;
	struct job *job;

	pthread_mutex_lock(&asker->lock);
	while ((job = next_job(asker))) {
		pthread_mutex_unlock(&asker->lock);
		run_job(asker, job);
		pthread_mutex_lock(&asker->lock);
	}
	pthread_mutex_unlock(&asker->lock);
	return NULL;
}

/* Is there room for one more? */
static bool queue_job(struct fuse_bpf_asker *asker, struct job *job)
{
	bool room;

	pthread_mutex_lock(&asker->lock);
	room = asker->waiting < MAX_WAITING;
	if (room) {
		*asker->last = job;
		asker->last = &job->next;
		asker->waiting++;
		pthread_cond_signal(&asker->wake);
	}
	pthread_mutex_unlock(&asker->lock);
	return room;
}

static bool hand_on(struct fuse_bpf_asker *asker, int fd, const void *request, size_t len)
{
	struct job *job = make_job(fd, request, len);

	if (!job)
		return false;
	if (queue_job(asker, job))
		return true;
	free_job(job);
	return false;
}

void fuse_bpf_asker_take(struct fuse_bpf_asker *asker, int fd, const void *request, size_t len)
{
	if (!asker->nr_threads)
		answer(fd, unique_of(request), decide(asker, request, len));
	else if (!hand_on(asker, fd, request, len))
		answer(fd, unique_of(request), -ENOMEM);
}

static int check_handlers(const struct fuse_bpf_handler *handlers)
{
	for (; handlers && handlers->opcode; handlers++) {
		if (!handlers->reserved && (handlers->pre || handlers->post))
			continue;
		fuse_bpf_log("the handler of opcode %u has no function, or something reserved is set",
			     handlers->opcode);
		return -EINVAL;
	}
	return 0;
}

/* Threads do not take the signals of the program, which its session waits for. */
static int start_threads(struct fuse_bpf_asker *asker, unsigned int nr)
{
	sigset_t all, old;
	int err = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (!err && asker->nr_threads < nr) {
		err = -pthread_create(&asker->threads[asker->nr_threads], NULL, work, asker);
		if (!err)
			asker->nr_threads++;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return err;
}

int fuse_bpf_asker_new(struct fuse_bpf_asker **asker, const struct fuse_bpf_handler *handlers,
		       void *arg, unsigned int threads)
{
	int err = check_handlers(handlers);

	if (err)
		return err;
	if (threads > 1024)
		return -EINVAL;
	*asker = calloc(1, sizeof(**asker) + threads * sizeof((*asker)->threads[0]));
	if (!*asker)
		return -ENOMEM;
	(*asker)->handlers = handlers;
	(*asker)->arg = arg;
	(*asker)->last = &(*asker)->first;
	pthread_mutex_init(&(*asker)->lock, NULL);
	pthread_cond_init(&(*asker)->wake, NULL);
	err = start_threads(*asker, threads);
	if (err)
		fuse_bpf_asker_free(*asker);
	return err;
}

void fuse_bpf_asker_resolve(struct fuse_bpf_asker *asker, fuse_bpf_node_fd_fn fn, void *arg)
{
	asker->node_fd = fn;
	asker->node_arg = arg;
}

void fuse_bpf_asker_free(struct fuse_bpf_asker *asker)
{
	unsigned int i;

	pthread_mutex_lock(&asker->lock);
	asker->ending = true;
	pthread_cond_broadcast(&asker->wake);
	pthread_mutex_unlock(&asker->lock);
	for (i = 0; i < asker->nr_threads; i++)
		pthread_join(asker->threads[i], NULL);
	pthread_cond_destroy(&asker->wake);
	pthread_mutex_destroy(&asker->lock);
	free(asker);
}
