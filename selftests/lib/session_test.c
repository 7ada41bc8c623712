// SPDX-License-Identifier: GPL-2.0-only
/*
 * libfuse-bpf: sessions of libfuse on a device whose other end is the test: who is asked,
 * what is passed on, what another daemon takes over. Needs no kernel of ours, and no
 * privileges, so that it runs with sanitizers too.
 */
#define FUSE_USE_VERSION 317

#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <limits.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake_kernel.h"
#include "harness.h"
#include <fuse_bpf.h>

#define NODE 7
#define THREADS 4

/**
 * struct seen - what handlers and operations saw
 * @pre: calls of pre()
 * @post: calls of post()
 * @getattr: calls of getattr
 * @verdict: what to answer
 * @ask: the last one; its pointers are not good any more
 * @name: copies
 * @newname: likewise
 * @text: likewise
 * @umask: of the struct that MKDIR has
 * @size: of the attributes
 * @gate: if it is set, handlers meet here
 * @writeback: what the daemon wants at INIT
 */
struct seen {
	int pre;
	int post;
	int getattr;
	int verdict;
	struct fuse_bpf_ask ask;
	char name[32];
	char newname[32];
	char text[32];
	__u32 umask;
	__u64 size;
	pthread_barrier_t *gate;
	bool writeback;
};

static struct seen seen;

static void copy(char to[32], const char *text)
{
	snprintf(to, 32, "%s", text ? text : "<none>");
}

static void look(const struct fuse_bpf_ask *ask)
{
	seen.ask = *ask;
	copy(seen.name, ask->name);
	copy(seen.newname, ask->newname);
	copy(seen.text, ask->text);
	if (ask->opcode == FUSE_MKDIR && ask->in_size == sizeof(struct fuse_mkdir_in))
		seen.umask = ((const struct fuse_mkdir_in *)ask->in)->umask;
	if (ask->attr_size == sizeof(struct fuse_attr))
		seen.size = ((const struct fuse_attr *)ask->attr)->size;
}

static int pre(const struct fuse_bpf_ask *ask, void *arg)
{
	if (arg != &seen)
		return -EXDEV;
	if (seen.gate)
		pthread_barrier_wait(seen.gate);
	else
		look(ask);
	__atomic_add_fetch(&seen.pre, 1, __ATOMIC_SEQ_CST);
	return seen.verdict;
}

static int post(const struct fuse_bpf_ask *ask, void *arg)
{
	if (arg != &seen)
		return -EXDEV;
	look(ask);
	seen.post++;
	return seen.verdict;
}

static int other(const struct fuse_bpf_ask *ask, void *arg)
{
	(void)ask;
	(void)arg;
	return -EPIPE;
}

static const struct fuse_bpf_handler handlers[] = {
	{ .opcode = FUSE_LOOKUP, .pre = pre, .post = post },
	{ .opcode = FUSE_MKDIR, .pre = pre },
	{ .opcode = FUSE_RENAME2, .pre = pre, .post = post },
	{ .opcode = FUSE_SETXATTR, .pre = pre },
	{ .opcode = FUSE_GETATTR, .post = post },
	{ }
};

static const struct fuse_bpf_handler all_handlers[] = {
	{ .opcode = FUSE_BPF_ALL_OPS, .pre = other },
	{ .opcode = FUSE_LOOKUP, .pre = pre },
	{ }
};

static void init(void *arg, struct fuse_conn_info *conn)
{
	(void)arg;
	fuse_unset_feature_flag(conn, FUSE_CAP_WRITEBACK_CACHE);
	if (seen.writeback)
		fuse_set_feature_flag(conn, FUSE_CAP_WRITEBACK_CACHE);
}

static void get_attr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct stat st = { .st_ino = ino, .st_mode = S_IFREG | 0600, .st_size = 4711 };

	(void)fi;
	__atomic_add_fetch(&seen.getattr, 1, __ATOMIC_SEQ_CST);
	fuse_reply_attr(req, &st, 0);
}

static const struct fuse_lowlevel_ops ops = {
	.init = init,
	.getattr = get_attr,
};

/**
 * struct daemon - a session, and the thread that runs its loop
 * @se: of libfuse
 * @session: of ours
 * @thread: runs the loop
 * @running: is it to be waited for?
 * @mt: with several threads
 * @result: of the loop
 */
struct daemon {
	struct fuse_session *se;
	struct fuse_bpf_session *session;
	pthread_t thread;
	bool running;
	bool mt;
	int result;
};

static struct fuse_session *make_session(void)
{
	char *argv[] = { "session_test", NULL };
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fuse_session *se = fuse_session_new(&args, &ops, sizeof(ops), NULL);

	fuse_opt_free_args(&args);
	return se;
}

/* libfuse tells what the tests do to it */
static void no_log(enum fuse_log_level level, const char *fmt, va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
}

static int daemon_make(struct daemon *d, int device, const struct fuse_bpf_session_opts *opts)
{
	fuse_set_log_func(no_log);
	*d = (struct daemon) { .se = make_session() };
	return d->se ? fuse_bpf_session_new(&d->session, d->se, device, opts) : -ENOMEM;
}

static void *run_loop(void *arg)
{
	struct fuse_loop_config *config;
	struct daemon *d = arg;

	if (!d->mt) {
		d->result = fuse_session_loop(d->se);
		return NULL;
	}
	config = fuse_loop_cfg_create();
	fuse_loop_cfg_set_clone_fd(config, 1);
	d->result = fuse_session_loop_mt(d->se, config);
	fuse_loop_cfg_destroy(config);
	return NULL;
}

static int daemon_start(struct daemon *d, bool mt)
{
	d->mt = mt;
	if (pthread_create(&d->thread, NULL, run_loop, d))
		return -EAGAIN;
	d->running = true;
	return 0;
}

/* A request of no length ends the loop, as a device that is gone would. */
static int daemon_end(struct daemon *d, int kernel)
{
	if (d->running) {
		shutdown(kernel, SHUT_RDWR);
		pthread_join(d->thread, NULL);
	}
	d->running = false;
	fuse_bpf_session_free(d->session);
	if (d->se)
		fuse_session_destroy(d->se);
	d->session = NULL;
	d->se = NULL;
	return d->result;
}

static int answered_getattr(int kernel, __u64 unique)
{
	const struct fuse_getattr_in in = { };
	struct fake_answer answer;
	int err;

	err = fake_send(kernel, FUSE_GETATTR, unique, NODE, &in, sizeof(in));
	if (!err)
		err = fake_recv(kernel, &answer);
	if (err)
		return err;
	if (answer.head.unique != unique || answer.head.error)
		return -EBADMSG;
	return ((struct fuse_attr_out *)answer.data)->attr.size == 4711 ? 0 : -EBADMSG;
}

FIXTURE(session)
{
	struct daemon d;
	int kernel;
};

FIXTURE_VARIANT(session)
{
	bool mt;
	unsigned int ask_threads;
};

FIXTURE_VARIANT_ADD(session, one_thread) { };
FIXTURE_VARIANT_ADD(session, many_threads) { .mt = true };
FIXTURE_VARIANT_ADD(session, threads_that_are_asked) { .ask_threads = THREADS };
FIXTURE_VARIANT_ADD(session, many_of_both) { .mt = true, .ask_threads = THREADS };

FIXTURE_SETUP(session)
{
	FUSE_BPF_OPTS(fuse_bpf_session_opts, opts, .handlers = handlers, .arg = &seen,
		      .ask_threads = variant->ask_threads);
	struct fake_answer answer;
	int device;

	seen = (struct seen) { };
	fuse_bpf_set_log(NULL, NULL);
	ASSERT_EQ(0, fake_device(&self->kernel, &device));
	ASSERT_EQ(0, daemon_make(&self->d, device, &opts));
	ASSERT_EQ(0, daemon_start(&self->d, variant->mt));
	ASSERT_EQ(0, fake_init(self->kernel));
	ASSERT_EQ(0, fake_recv(self->kernel, &answer));
	ASSERT_EQ(0, answer.head.error);
}

FIXTURE_TEARDOWN(session)
{
	daemon_end(&self->d, self->kernel);
	close(self->kernel);
}

TEST_F(session, passes_on_what_is_not_asked)
{
	struct fake_answer answer;

	EXPECT_EQ(0, answered_getattr(self->kernel, 5));
	EXPECT_EQ(1, seen.getattr);
	EXPECT_EQ(0, fake_send(self->kernel, FUSE_LOOKUP, 6, 1, "name", 5));
	ASSERT_EQ(0, fake_recv(self->kernel, &answer));
	EXPECT_EQ(-ENOSYS, answer.head.error);
	EXPECT_EQ(0, seen.pre);
}

TEST_F(session, asks_before)
{
	struct fake_ask ask = { .in.opcode = FUSE_LOOKUP, .name = "name" };

	EXPECT_EQ(FUSE_FILTER_DEFAULT, fake_ask(self->kernel, &ask));
	seen.verdict = FUSE_FILTER_BACKING;
	EXPECT_EQ(FUSE_FILTER_BACKING, fake_ask(self->kernel, &ask));
	seen.verdict = FUSE_FILTER_DAEMON;
	EXPECT_EQ(FUSE_FILTER_DAEMON, fake_ask(self->kernel, &ask));
	seen.verdict = -EACCES;
	EXPECT_EQ(-EACCES, fake_ask(self->kernel, &ask));
	EXPECT_EQ(4, seen.pre);
	EXPECT_EQ(0, seen.post);
	EXPECT_EQ(0, answered_getattr(self->kernel, 5));
}

TEST_F(session, asks_afterwards)
{
	struct fake_ask ask = {
		.in.opcode = FUSE_LOOKUP,
		.in.phase = FUSE_BPF_ASK_POST,
		.in.result = -ENOENT,
		.name = "name",
	};

	EXPECT_EQ(0, fake_ask(self->kernel, &ask));
	EXPECT_EQ(-ENOENT, seen.ask.result);
	seen.verdict = -EACCES;
	EXPECT_EQ(-EACCES, fake_ask(self->kernel, &ask));
	/* Who answers has been decided before */
	seen.verdict = FUSE_FILTER_BACKING;
	EXPECT_EQ(-EIO, fake_ask(self->kernel, &ask));
	EXPECT_EQ(3, seen.post);
	EXPECT_EQ(0, seen.pre);
}

TEST_F(session, says_what_it_is_about)
{
	const struct fuse_mkdir_in mkdir_in = { .mode = 0755, .umask = 0123 };
	const struct fuse_attr attr = { .size = 99 };
	struct fake_ask mkdir_ask = {
		.in = { .opcode = FUSE_MKDIR, .in_size = sizeof(mkdir_in) },
		.arg = &mkdir_in,
		.name = "dir",
	};
	struct fake_ask rename_ask = {
		.in = { .opcode = FUSE_RENAME2, .attr_valid = FATTR_SIZE },
		.attr = &attr,
		.name = "old",
		.newname = "new one",
	};
	struct fake_ask xattr_ask = { .in.opcode = FUSE_SETXATTR, .text = "user.x" };

	EXPECT_EQ(0, fake_ask(self->kernel, &mkdir_ask));
	EXPECT_STREQ("dir", seen.name);
	EXPECT_STREQ("<none>", seen.newname);
	EXPECT_EQ(0123, seen.umask);
	EXPECT_EQ(NULL, seen.ask.attr);
	EXPECT_EQ(FUSE_MKDIR, seen.ask.opcode);
	EXPECT_EQ(NODE, seen.ask.nodeid);
	EXPECT_EQ(USER1, seen.ask.uid);
	EXPECT_EQ(GROUP1, seen.ask.gid);
	EXPECT_EQ(77, seen.ask.pid);
	EXPECT_EQ(-1, seen.ask.node_fd);
	EXPECT_EQ(sizeof(seen.ask), seen.ask.sz);

	EXPECT_EQ(0, fake_ask(self->kernel, &rename_ask));
	EXPECT_STREQ("old", seen.name);
	EXPECT_STREQ("new one", seen.newname);
	EXPECT_EQ(99, seen.size);
	EXPECT_EQ(FATTR_SIZE, seen.ask.attr_valid);
	EXPECT_EQ(NULL, seen.ask.in);

	EXPECT_EQ(0, fake_ask(self->kernel, &xattr_ask));
	EXPECT_STREQ("user.x", seen.text);
	EXPECT_STREQ("<none>", seen.name);
}

TEST_F(session, refuses_what_nobody_knows)
{
	struct fake_ask no_handler = { .in.opcode = FUSE_UNLINK, .name = "x" };
	struct fake_ask no_pre = { .in.opcode = FUSE_GETATTR };
	struct fake_ask no_post = {
		.in.opcode = FUSE_MKDIR, .in.phase = FUSE_BPF_ASK_POST, .name = "x",
	};
	struct fake_ask no_phase = { .in.opcode = FUSE_LOOKUP, .in.phase = 2, .name = "x" };

	EXPECT_EQ(-EIO, fake_ask(self->kernel, &no_handler));
	EXPECT_EQ(-EIO, fake_ask(self->kernel, &no_pre));
	EXPECT_EQ(-EIO, fake_ask(self->kernel, &no_post));
	EXPECT_EQ(-EIO, fake_ask(self->kernel, &no_phase));
	EXPECT_EQ(0, seen.pre + seen.post);
}

TEST_F(session, refuses_verdicts_that_are_none)
{
	const int bad[] = { 3, FUSE_FILTER_POST, FUSE_FILTER_ASK_PRE, INT_MAX, INT_MIN, -512, -4096 };
	struct fake_ask ask = { .in.opcode = FUSE_LOOKUP, .name = "name" };
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		seen.verdict = bad[i];
		EXPECT_EQ(-EIO, fake_ask(self->kernel, &ask)) TH_LOG("verdict %d", bad[i]);
	}
	seen.verdict = -511;
	EXPECT_EQ(-511, fake_ask(self->kernel, &ask));
}

/* What is sent as ASK, whatever it is; the verdict */
static int ask_bytes(int kernel, const char *buf, size_t len)
{
	struct fake_answer answer;
	int err;

	err = fake_send(kernel, FUSE_BPF_ASK, 9, NODE, buf, len);
	if (!err)
		err = fake_recv(kernel, &answer);
	if (err)
		return err;
	return ((struct fuse_bpf_ask_out *)answer.data)->verdict;
}

TEST_F(session, refuses_what_is_cut_short)
{
	const struct fuse_attr attr = { .size = 1 };
	struct fake_ask ask = {
		.in.opcode = FUSE_RENAME2, .attr = &attr, .name = "a", .newname = "bb", .text = "c",
	};
	char buf[FAKE_MAX];
	size_t len = fake_ask_build(&ask, buf), i;

	EXPECT_EQ(0, ask_bytes(self->kernel, buf, len));
	for (i = 0; i < len; i++)
		EXPECT_EQ(-EIO, ask_bytes(self->kernel, buf, i)) TH_LOG("%zu bytes", i);
	EXPECT_EQ(1, seen.pre);
}

TEST_F(session, refuses_lengths_that_lie)
{
	struct fake_ask ask = { .in.opcode = FUSE_RENAME2, .name = "name", .newname = "new" };
	struct fuse_bpf_ask_in *in;
	char buf[FAKE_MAX];
	size_t len = fake_ask_build(&ask, buf), i;
	__u32 *lengths[4];

	in = (struct fuse_bpf_ask_in *)buf;
	lengths[0] = &in->in_size;
	lengths[1] = &in->attr_size;
	lengths[2] = &in->name_len;
	lengths[3] = &in->text_len;
	for (i = 0; i < 4; i++) {
		const __u32 before = *lengths[i];

		*lengths[i] = ~0U;
		EXPECT_EQ(-EIO, ask_bytes(self->kernel, buf, len));
		*lengths[i] = len;
		EXPECT_EQ(-EIO, ask_bytes(self->kernel, buf, len));
		*lengths[i] = before;
	}
	/* A name that ends before its length, and one that does not end there */
	buf[sizeof(*in) + 2] = '\0';
	EXPECT_EQ(-EIO, ask_bytes(self->kernel, buf, len));
	buf[sizeof(*in) + 2] = 'm';
	buf[sizeof(*in) + 4] = 'x';
	EXPECT_EQ(-EIO, ask_bytes(self->kernel, buf, len));
	EXPECT_EQ(0, seen.pre);
}

/* For sanitizers: no request makes the library look outside it. */
TEST_F(session, survives_garbage)
{
	struct fake_ask ask = { .in.opcode = FUSE_LOOKUP, .name = "name", .text = "text" };
	char buf[FAKE_MAX], bad[FAKE_MAX];
	size_t len = fake_ask_build(&ask, buf);
	unsigned int i, seed = 1;

	for (i = 0; i < scale(4000); i++) {
		memcpy(bad, buf, len);
		bad[rand_r(&seed) % len] = rand_r(&seed);
		bad[rand_r(&seed) % len] = rand_r(&seed);
		ASSERT_NE(-ETIMEDOUT, ask_bytes(self->kernel, bad, len - rand_r(&seed) % 3));
	}
	EXPECT_EQ(0, answered_getattr(self->kernel, 5));
}

/* Handlers that wait for each other, and requests that do not wait for them */
TEST_F(session, asks_several_at_a_time)
{
	struct fake_ask ask = { .in.opcode = FUSE_LOOKUP, .name = "name" };
	pthread_barrier_t gate;
	struct fake_answer answer;
	char buf[FAKE_MAX];
	size_t len = fake_ask_build(&ask, buf);
	int i;

	if (!variant->ask_threads)
		return;
	pthread_barrier_init(&gate, NULL, THREADS);
	seen.gate = &gate;
	for (i = 0; i < THREADS - 1; i++)
		ASSERT_EQ(0, fake_send(self->kernel, FUSE_BPF_ASK, 50 + i, NODE, buf, len));
	EXPECT_EQ(0, answered_getattr(self->kernel, 5));
	EXPECT_EQ(1, fake_silent(self->kernel));
	ASSERT_EQ(0, fake_send(self->kernel, FUSE_BPF_ASK, 50 + i, NODE, buf, len));
	for (i = 0; i < THREADS; i++) {
		ASSERT_EQ(0, fake_recv(self->kernel, &answer));
		EXPECT_LE(50, answer.head.unique);
	}
	EXPECT_EQ(THREADS, seen.pre);
	pthread_barrier_destroy(&gate);
}

FIXTURE(options)
{
	struct fuse_session *se;
	int kernel;
	int device;
};

FIXTURE_SETUP(options)
{
	seen = (struct seen) { };
	fuse_bpf_set_log(NULL, NULL);
	self->se = make_session();
	ASSERT_NE(NULL, self->se);
	ASSERT_EQ(0, fake_device(&self->kernel, &self->device));
}

FIXTURE_TEARDOWN(options)
{
	fuse_session_destroy(self->se);
	close(self->device);
	close(self->kernel);
}

TEST_F(options, bad_ones)
{
	static const struct fuse_bpf_handler empty[] = { { .opcode = FUSE_LOOKUP }, { } };
	static const struct fuse_bpf_handler odd[] = {
		{ .opcode = FUSE_LOOKUP, .reserved = 1, .pre = pre }, { }
	};
	FUSE_BPF_OPTS(fuse_bpf_session_opts, flags, .flags = 1U << 31);
	FUSE_BPF_OPTS(fuse_bpf_session_opts, reserved, .reserved = 1);
	FUSE_BPF_OPTS(fuse_bpf_session_opts, no_state, .flags = FUSE_BPF_SESSION_TAKE_OVER);
	FUSE_BPF_OPTS(fuse_bpf_session_opts, no_fn, .handlers = empty);
	FUSE_BPF_OPTS(fuse_bpf_session_opts, odd_one, .handlers = odd);
	FUSE_BPF_OPTS(fuse_bpf_session_opts, many, .handlers = handlers, .ask_threads = 1U << 20);
	FUSE_BPF_OPTS(fuse_bpf_session_opts, bad_state, .state_fd = 9999);
	struct fuse_bpf_session_opts no_size = { };
	struct fuse_bpf_session *session;

	EXPECT_EQ(-EINVAL, fuse_bpf_session_new(&session, self->se, self->device, &flags));
	EXPECT_EQ(-EINVAL, fuse_bpf_session_new(&session, self->se, self->device, &reserved));
	EXPECT_EQ(-EINVAL, fuse_bpf_session_new(&session, self->se, self->device, &no_state));
	EXPECT_EQ(-EINVAL, fuse_bpf_session_new(&session, self->se, self->device, &no_fn));
	EXPECT_EQ(-EINVAL, fuse_bpf_session_new(&session, self->se, self->device, &odd_one));
	EXPECT_EQ(-EINVAL, fuse_bpf_session_new(&session, self->se, self->device, &many));
	EXPECT_EQ(-EBADF, fuse_bpf_session_new(&session, self->se, self->device, &bad_state));
	EXPECT_EQ(-EINVAL, fuse_bpf_session_new(&session, self->se, self->device, &no_size));
	EXPECT_EQ(-EBADF, fuse_bpf_session_new(&session, self->se, -1, NULL));
	EXPECT_EQ(-EBADF, fuse_bpf_session_new(&session, self->se, 9999, NULL));
}

/* Nothing is asked for, so the session has the device for itself. */
TEST_F(options, none)
{
	struct fuse_bpf_session *session = NULL;

	ASSERT_EQ(0, fuse_bpf_session_new(&session, self->se, self->device, NULL));
	EXPECT_EQ(self->device, fuse_session_fd(self->se));
	fuse_bpf_session_free(session);
	fuse_bpf_session_free(NULL);
	/* Closed with the session */
	self->device = dup(self->device);
}

FIXTURE(alone)
{
	int kernel;
	int device;
};

FIXTURE_SETUP(alone)
{
	seen = (struct seen) { };
	fuse_set_log_func(no_log);
	ASSERT_EQ(0, fake_device(&self->kernel, &self->device));
}

FIXTURE_TEARDOWN(alone)
{
	close(self->kernel);
}

static void *run_alone(void *arg)
{
	int *device = arg;

	*device = fuse_bpf_session_run(*device, &ops, sizeof(ops), NULL);
	return NULL;
}

/* The device is closed then, and a descriptor that is none is refused */
TEST_F(alone, serves_until_the_end)
{
	int result = self->device;
	struct fake_answer answer;
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, run_alone, &result));
	ASSERT_EQ(0, fake_init(self->kernel));
	ASSERT_EQ(0, fake_recv(self->kernel, &answer));
	EXPECT_EQ(0, answer.head.error);
	EXPECT_EQ(0, answered_getattr(self->kernel, 5));
	EXPECT_EQ(1, seen.getattr);
	shutdown(self->kernel, SHUT_RDWR);
	pthread_join(thread, NULL);
	/* A socket that has ended is not what a device is that was unmounted */
	EXPECT_EQ(-EIO, result);
	EXPECT_EQ(-1, fcntl(self->device, F_GETFD));
	EXPECT_EQ(-EINVAL, fuse_bpf_session_run(self->device, &ops, sizeof(ops), NULL));
}

FIXTURE(all_ops)
{
	struct daemon d;
	int kernel;
};

FIXTURE_SETUP(all_ops)
{
	FUSE_BPF_OPTS(fuse_bpf_session_opts, opts, .handlers = all_handlers, .arg = &seen);
	struct fake_answer answer;
	int device;

	seen = (struct seen) { };
	fuse_bpf_set_log(NULL, NULL);
	ASSERT_EQ(0, fake_device(&self->kernel, &device));
	ASSERT_EQ(0, daemon_make(&self->d, device, &opts));
	ASSERT_EQ(0, daemon_start(&self->d, false));
	ASSERT_EQ(0, fake_init(self->kernel));
	ASSERT_EQ(0, fake_recv(self->kernel, &answer));
}

FIXTURE_TEARDOWN(all_ops)
{
	daemon_end(&self->d, self->kernel);
	close(self->kernel);
}

TEST_F(all_ops, are_asked_unless_one_has_its_own)
{
	struct fake_ask lookup = { .in.opcode = FUSE_LOOKUP, .name = "x" };
	struct fake_ask unlink = { .in.opcode = FUSE_UNLINK, .name = "x" };

	EXPECT_EQ(0, fake_ask(self->kernel, &lookup));
	EXPECT_EQ(-EPIPE, fake_ask(self->kernel, &unlink));
}

FIXTURE(take_over)
{
	int kernel;
	int device;
	int state;
};

/* A daemon has been there, and has left a device and a state. */
FIXTURE_SETUP(take_over)
{
	seen = (struct seen) { };
	fuse_bpf_set_log(NULL, NULL);
	ASSERT_EQ(0, fake_device(&self->kernel, &self->device));
	self->state = fuse_bpf_state_new();
	ASSERT_LE(0, self->state);
}

FIXTURE_TEARDOWN(take_over)
{
	close(self->state);
	close(self->device);
	close(self->kernel);
}

/* Runs a first daemon as far as its answer to INIT; it dies with a request unanswered. */
static int first_daemon(int kernel, int device, int state)
{
	FUSE_BPF_OPTS(fuse_bpf_session_opts, opts, .state_fd = state);
	struct fuse_buf buf = { };
	struct fake_answer answer;
	struct daemon d;
	int err;

	err = daemon_make(&d, dup(device), &opts);
	if (!err)
		err = fake_init(kernel);
	if (!err)
		err = fuse_session_receive_buf(d.se, &buf) > 0 ? 0 : -EIO;
	if (!err) {
		fuse_session_process_buf(d.se, &buf);
		err = fake_recv(kernel, &answer);
	}
	free(buf.mem);
	daemon_end(&d, kernel);
	return err ? err : answer.head.error;
}

static int next_daemon(struct daemon *d, int device, int state)
{
	FUSE_BPF_OPTS(fuse_bpf_session_opts, opts, .state_fd = state,
		      .flags = FUSE_BPF_SESSION_TAKE_OVER);

	return daemon_make(d, dup(device), &opts);
}

TEST_F(take_over, serves_on)
{
	struct fake_answer answer;
	struct daemon d;
	int i;

	ASSERT_EQ(0, first_daemon(self->kernel, self->device, self->state));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, next_daemon(&d, self->device, self->state));
		/* Before its first read there is a request that only waits for INIT */
		ASSERT_EQ(0, fake_send(self->kernel, FUSE_GETATTR, 8, NODE,
				       &(struct fuse_getattr_in){ }, sizeof(struct fuse_getattr_in)));
		ASSERT_EQ(0, daemon_start(&d, i == 2));
		/* The kernel is told to send again, and not what INIT is answered with */
		ASSERT_EQ(0, fake_recv(self->kernel, &answer));
		EXPECT_EQ(0, answer.head.unique);
		EXPECT_EQ(FUSE_NOTIFY_RESEND, answer.head.error);
		EXPECT_EQ(0, answer.len);
		ASSERT_EQ(0, fake_recv(self->kernel, &answer));
		EXPECT_EQ(8, answer.head.unique);
		EXPECT_EQ(0, answer.head.error);
		EXPECT_EQ(0, answered_getattr(self->kernel, 9));
		EXPECT_EQ(1, fake_silent(self->kernel));
		fuse_session_exit(d.se);
		EXPECT_EQ(0, fake_send(self->kernel, FUSE_FORGET, 10, NODE,
				       &(struct fuse_forget_in){ }, sizeof(struct fuse_forget_in)));
		pthread_join(d.thread, NULL);
		d.running = false;
		daemon_end(&d, self->kernel);
	}
}

TEST_F(take_over, other_features)
{
	struct daemon d;

	ASSERT_EQ(0, first_daemon(self->kernel, self->device, self->state));
	seen.writeback = true;
	ASSERT_EQ(0, next_daemon(&d, self->device, self->state));
	ASSERT_EQ(0, daemon_start(&d, false));
	pthread_join(d.thread, NULL);
	d.running = false;
	EXPECT_EQ(-EPROTO, d.result);
	EXPECT_EQ(1, fake_silent(self->kernel));
	daemon_end(&d, self->kernel);
}

TEST_F(take_over, no_state)
{
	struct daemon d;

	EXPECT_EQ(-ENODATA, next_daemon(&d, self->device, self->state));
	daemon_end(&d, self->kernel);
}

TEST_F(take_over, other_states)
{
	struct daemon d;
	char byte = 'x';

	ASSERT_EQ(0, first_daemon(self->kernel, self->device, self->state));
	ASSERT_EQ(1, pwrite(self->state, &byte, 1, 0));
	EXPECT_EQ(-EPROTO, next_daemon(&d, self->device, self->state));
	daemon_end(&d, self->kernel);
	ASSERT_EQ(0, ftruncate(self->state, 20));
	EXPECT_EQ(-EPROTO, next_daemon(&d, self->device, self->state));
	daemon_end(&d, self->kernel);
	ASSERT_EQ(0, ftruncate(self->state, 0));
	EXPECT_EQ(-ENODATA, next_daemon(&d, self->device, self->state));
	daemon_end(&d, self->kernel);
}

/* Lengths in a state that somebody else has written do not lead outside it. */
TEST_F(take_over, lengths_that_lie)
{
	struct daemon d;
	__u32 len = ~0U;

	ASSERT_EQ(0, first_daemon(self->kernel, self->device, self->state));
	ASSERT_EQ(4, pwrite(self->state, &len, sizeof(len), 12));
	EXPECT_EQ(-EPROTO, next_daemon(&d, self->device, self->state));
	daemon_end(&d, self->kernel);
	/* Also when the request says the same of itself */
	ASSERT_EQ(4, pwrite(self->state, &len, sizeof(len), 24));
	EXPECT_EQ(-EPROTO, next_daemon(&d, self->device, self->state));
	daemon_end(&d, self->kernel);
}

TEST_HARNESS_MAIN
