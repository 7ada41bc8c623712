// SPDX-License-Identifier: LGPL-2.1-only
/*
 * What stands between a session of libfuse and the device: requests that libfuse does not
 * know are taken out, and INIT is kept for the next daemon, or given to this one.
 */
#define FUSE_USE_VERSION 317

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "session.h"

/**
 * enum phase - what is to be done about INIT
 * @RUNNING: nothing any more
 * @WAITING: keep the one that will come
 * @REPLAY: give the one that the first daemon got to libfuse
 * @REPLAYED: it has been given, and not been answered
 * @REFUSED: it has been answered otherwise than by the first daemon
 */
enum phase {
	RUNNING,
	WAITING,
	REPLAY,
	REPLAYED,
	REFUSED,
};

/**
 * struct fuse_bpf_session - what is added to a session
 * @asker: who answers FUSE_BPF_ASK, NULL: libfuse, with ENOSYS
 * @phase: enum phase; changed with @lock held, read without
 * @lock: of @phase and @state
 * @changed: @phase is not REPLAYED any more
 * @state: INIT
 * @state_fd: where @state is kept, -1: nowhere
 */
struct fuse_bpf_session {
	struct fuse_bpf_asker *asker;
	atomic_int phase;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct fuse_bpf_state state;
	int state_fd;
};

/*
 * libfuse gives its callbacks a descriptor and the daemon's data, which is not ours, so
 * sessions are found by descriptor. Read without a lock for each request; chunks are never
 * freed, and an entry is cleared when nobody reads from its descriptor any more.
 */
#define CHUNK 1024

typedef _Atomic(struct fuse_bpf_session *) slot_t;
static _Atomic(slot_t *) table[1024];
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;

static struct fuse_bpf_session *session_of(int fd)
{
	slot_t *chunk = (unsigned int)fd < CHUNK * 1024 ? table[fd / CHUNK] : NULL;

	return chunk ? chunk[fd % CHUNK] : NULL;
}

static int table_set(int fd, struct fuse_bpf_session *session)
{
	slot_t *chunk;

	if ((unsigned int)fd >= CHUNK * 1024)
		return -EMFILE;
	pthread_mutex_lock(&table_lock);
	chunk = table[fd / CHUNK];
	if (!chunk) {
		chunk = calloc(CHUNK, sizeof(*chunk));
		table[fd / CHUNK] = chunk;
	}
	if (chunk)
		chunk[fd % CHUNK] = session;
	pthread_mutex_unlock(&table_lock);
	return chunk ? 0 : -ENOMEM;
}

static void table_clear(const struct fuse_bpf_session *session)
{
	slot_t *chunk;
	int i, j;

	pthread_mutex_lock(&table_lock);
	for (i = 0; i < 1024; i++) {
		chunk = table[i];
		for (j = 0; chunk && j < CHUNK; j++) {
			if (chunk[j] == session)
				chunk[j] = NULL;
		}
	}
	pthread_mutex_unlock(&table_lock);
}

static int phase_of(struct fuse_bpf_session *session)
{
	return session ? atomic_load_explicit(&session->phase, memory_order_acquire) : RUNNING;
}

static ssize_t replay(struct fuse_bpf_session *session, void *buf, size_t size)
{
	if (size < session->state.in_len) {
		errno = EINVAL;
		return -1;
	}
	memcpy(buf, session->state.in, session->state.in_len);
	session->phase = REPLAYED;
	return session->state.in_len;
}

/*
 * One thread gets INIT, and libfuse would refuse what another one reads before it has
 * been answered. 0: go on and read.
 */
static ssize_t read_replay(struct fuse_bpf_session *session, void *buf, size_t size)
{
	ssize_t len = 0;

	pthread_mutex_lock(&session->lock);
	while (session->phase == REPLAYED)
		pthread_cond_wait(&session->changed, &session->lock);
	if (session->phase == REPLAY) {
		len = replay(session, buf, size);
	} else if (session->phase == REFUSED) {
		errno = EPROTO;
		len = -1;
	}
	pthread_mutex_unlock(&session->lock);
	return len;
}

/* The first daemon's INIT; its answer will come with the same number. */
static void keep_request(struct fuse_bpf_session *session, const void *buf, size_t len)
{
	if (len > sizeof(session->state.in)) {
		fuse_bpf_log("INIT is too long to be kept: no other daemon can take over");
		return;
	}
	pthread_mutex_lock(&session->lock);
	memcpy(session->state.in, buf, len);
	session->state.in_len = len;
	pthread_mutex_unlock(&session->lock);
}

static ssize_t sort(struct fuse_bpf_session *session, int fd, const void *buf, ssize_t len)
{
	const struct fuse_in_header *head = buf;

	if (len < (ssize_t)sizeof(*head))
		return len;
	if (head->opcode == FUSE_BPF_ASK && session->asker) {
		fuse_bpf_asker_take(session->asker, fd, buf, len);
		/* libfuse looks whether the session has ended, and reads again */
		errno = ENOENT;
		return -1;
	}
	if (head->opcode == FUSE_INIT && session->phase == WAITING)
		keep_request(session, buf, len);
	return len;
}

/* libfuse ends threads by cancelling them when they read; only there. */
static ssize_t session_read(int fd, void *buf, size_t size, void *userdata)
{
	struct fuse_bpf_session *session = session_of(fd);
	int phase = phase_of(session);
	int cancel;
	ssize_t len;

	(void)userdata;
	if (phase == REPLAY || phase == REPLAYED || phase == REFUSED) {
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
		len = read_replay(session, buf, size);
		pthread_setcancelstate(cancel, NULL);
		if (len)
			return len;
	}
	len = read(fd, buf, size);
	if (len < 0 || !session)
		return len;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	len = sort(session, fd, buf, len);
	pthread_setcancelstate(cancel, NULL);
	return len;
}

static size_t iov_length(const struct iovec *iov, int count)
{
	size_t len = 0;

	while (count--)
		len += iov++->iov_len;
	return len;
}

static void gather(void *to, const struct iovec *iov, int count)
{
	for (; count--; iov++) {
		memcpy(to, iov->iov_base, iov->iov_len);
		to = (char *)to + iov->iov_len;
	}
}

static void set_phase(struct fuse_bpf_session *session, enum phase phase)
{
	atomic_store_explicit(&session->phase, phase, memory_order_release);
	pthread_cond_broadcast(&session->changed);
}

/*
 * To be on disk, so to speak, before the kernel has the answer: from then on, a daemon
 * that dies can be followed by another one.
 */
static void keep_answer(struct fuse_bpf_session *session, const struct iovec *iov, int count)
{
	size_t len = iov_length(iov, count);

	if (session->state.in_len && len && len <= sizeof(session->state.out)) {
		gather(session->state.out, iov, count);
		session->state.out_len = len;
		fuse_bpf_state_write(session->state_fd, &session->state);
	}
	set_phase(session, RUNNING);
}

/* Have the kernel send again what the daemon before has read and not answered. */
static void ask_again(int fd)
{
	const struct fuse_out_header head = {
		.len = sizeof(head),
		.error = FUSE_NOTIFY_RESEND,
	};

	if (write(fd, &head, sizeof(head)) < 0)
		fuse_bpf_log("the kernel does not send again what the daemon before has not answered: %s",
			     strerror(errno));
}

/* Does this daemon want what the first one has agreed on with the kernel? */
static void check_answer(struct fuse_bpf_session *session, int fd, const struct iovec *iov,
			 int count)
{
	unsigned char out[FUSE_BPF_INIT_MAX];
	size_t len = iov_length(iov, count);

	if (len == session->state.out_len) {
		gather(out, iov, count);
		if (!memcmp(out, session->state.out, len)) {
			ask_again(fd);
			set_phase(session, RUNNING);
			return;
		}
	}
	fuse_bpf_log("this daemon answers INIT otherwise than the one before it: it must have the same features and limits to take over");
	set_phase(session, REFUSED);
}

static bool is_answer(const struct fuse_bpf_session *session, const struct fuse_out_header *out)
{
	struct fuse_in_header in;

	if (!session->state.in_len)
		return false;
	memcpy(&in, session->state.in, sizeof(in));
	return out->unique == in.unique;
}

/* The answer to INIT, which a daemon that takes over must not send. */
static bool write_init(struct fuse_bpf_session *session, int fd, const struct iovec *iov, int count)
{
	const struct fuse_out_header *head = iov[0].iov_base;
	bool done = false;

	pthread_mutex_lock(&session->lock);
	if (session->phase == WAITING && is_answer(session, head) && !head->error) {
		keep_answer(session, iov + 1, count - 1);
	} else if (session->phase == REPLAYED && is_answer(session, head)) {
		check_answer(session, fd, iov + 1, head->error ? 0 : count - 1);
		done = true;
	}
	pthread_mutex_unlock(&session->lock);
	return done;
}

static ssize_t session_writev(int fd, struct iovec *iov, int count, void *userdata)
{
	struct fuse_bpf_session *session = session_of(fd);

	(void)userdata;
	if (phase_of(session) != RUNNING && write_init(session, fd, iov, count))
		return iov_length(iov, count);
	return writev(fd, iov, count);
}

/* A descriptor of the same device that one thread has for itself */
static int session_clone_fd(int master)
{
	char link[32], path[64];
	uint32_t arg = master;
	ssize_t len;
	int fd;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", master);
	len = readlink(link, path, sizeof(path) - 1);
	if (len < 0)
		return -1;
	path[len] = '\0';
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (!ioctl(fd, FUSE_DEV_IOC_CLONE, &arg) && !table_set(fd, session_of(master)))
		return fd;
	close(fd);
	return -1;
}

static const struct fuse_custom_io session_io = {
	.writev = session_writev,
	.read = session_read,
	.clone_fd = session_clone_fd,
};

static int give_device(struct fuse_bpf_session *session, struct fuse_session *se, int device_fd)
{
	char path[32];
	int err;

	if (!session->asker && session->state_fd < 0) {
		snprintf(path, sizeof(path), "/dev/fd/%d", device_fd);
		return fuse_session_mount(se, path) ? -EINVAL : 0;
	}
	err = table_set(device_fd, session);
	if (!err)
		err = fuse_session_custom_io(se, &session_io, sizeof(session_io), device_fd);
	return err;
}

static int set_up_state(struct fuse_bpf_session *session, const struct fuse_bpf_session_opts *opts)
{
	if (!opts->state_fd)
		return 0;
	session->state_fd = fcntl(opts->state_fd, F_DUPFD_CLOEXEC, 0);
	if (session->state_fd < 0)
		return -errno;
	session->phase = WAITING;
	if (!(opts->flags & FUSE_BPF_SESSION_TAKE_OVER))
		return 0;
	session->phase = REPLAY;
	return fuse_bpf_state_read(session->state_fd, &session->state);
}

static int set_up(struct fuse_bpf_session *session, struct fuse_session *se, int device_fd,
		  const struct fuse_bpf_session_opts *opts)
{
	int err = set_up_state(session, opts);

	if (!err && opts->handlers)
		err = fuse_bpf_asker_new(&session->asker, opts->handlers, opts->arg,
					 opts->ask_threads);
	return err ? err : give_device(session, se, device_fd);
}

static int check_session_opts(const struct fuse_bpf_session_opts *opts)
{
	if (opts->flags & ~FUSE_BPF_SESSION_TAKE_OVER || opts->reserved)
		return -EINVAL;
	if (opts->flags & FUSE_BPF_SESSION_TAKE_OVER && !opts->state_fd) {
		fuse_bpf_log("to take over needs the state that the daemon before has left");
		return -EINVAL;
	}
	return 0;
}

FUSE_BPF_API int fuse_bpf_session_new(struct fuse_bpf_session **out, struct fuse_session *se,
				      int device_fd, const struct fuse_bpf_session_opts *user_opts)
{
	struct fuse_bpf_session_opts opts;
	struct fuse_bpf_session *session;
	int err;

	err = fuse_bpf_copy_opts(&opts, sizeof(opts), user_opts);
	if (!err)
		err = check_session_opts(&opts);
	if (err)
		return err;
	if (fcntl(device_fd, F_GETFD) < 0)
		return -errno;

	session = calloc(1, sizeof(*session));
	if (!session)
		return -ENOMEM;
	session->state_fd = -1;
	pthread_mutex_init(&session->lock, NULL);
	pthread_cond_init(&session->changed, NULL);
	err = set_up(session, se, device_fd, &opts);
	if (err)
		fuse_bpf_session_free(session);
	else
		*out = session;
	return err;
}

void fuse_bpf_session_resolve(struct fuse_bpf_session *session, fuse_bpf_node_fd_fn fn, void *arg)
{
	if (session->asker)
		fuse_bpf_asker_resolve(session->asker, fn, arg);
}

FUSE_BPF_API void fuse_bpf_session_free(struct fuse_bpf_session *session)
{
	if (!session)
		return;
	table_clear(session);
	if (session->asker)
		fuse_bpf_asker_free(session->asker);
	if (session->state_fd >= 0)
		close(session->state_fd);
	pthread_cond_destroy(&session->changed);
	pthread_mutex_destroy(&session->lock);
	free(session);
}
