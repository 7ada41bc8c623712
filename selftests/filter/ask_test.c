// SPDX-License-Identifier: GPL-2.0-only
/*
 * The daemon as a filter: what it is asked before and after the backing answers, what
 * its answers do, and what becomes of those that are none.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "backed_fixture.h"
#include "harness.h"
#include "operations.h"
#include "recorder.h"
#include "route_all.h"
#include "scripted.h"
#include "tree_server.h"

#define ASK (FUSE_FILTER_ASK_PRE | FUSE_FILTER_ASK_POST)

FIXTURE(ask)
{
	struct backed b;
	struct tree_server *tree;
	struct asks *pre;
	struct asks *post;
	struct filter filter;
	int dir;
};

FIXTURE_SETUP(ask)
{
	ASSERT_EQ(0, backed_make(&self->b, "tmpfs"));
	ASSERT_EQ(0, make_dir(in(self->b.back, "d"), 0777));
	ASSERT_EQ(0, make_file(in(self->b.back, "d/file"), "of the backing\n", 0666));
	ASSERT_EQ(0, make_file(in(self->b.back, "d/other"), "other\n", 0666));
	self->tree = tree_server_setup(&self->b, BACKED_ALLOW_OTHER);
	ASSERT_NE(NULL, self->tree);
	self->pre = &self->tree->asks[FUSE_BPF_ASK_PRE];
	self->post = &self->tree->asks[FUSE_BPF_ASK_POST];
	self->dir = open_dir(self->b.mnt, 0);
	ASSERT_LE(0, self->dir);
	ASSERT_EQ(0, route_load(&self->filter, self->dir));
}

FIXTURE_TEARDOWN(ask)
{
	filter_destroy(&self->filter);
	close(self->dir);
	EXPECT_EQ(0, self->pre->wrong);
	EXPECT_EQ(0, self->b.server->kernel_nodes);
	if (self->b.server->pid)
		EXPECT_EQ(0, tree_server_wait_forgotten(self->tree));
	EXPECT_EQ(0, backed_destroy(&self->b));
	tree_server_free(self->tree);
}

/* What nobody can be asked about */
static bool is_never_asked(__u32 opcode)
{
	switch (opcode) {
	case FUSE_READ:
	case FUSE_WRITE:
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
	case FUSE_FILTER_OP_DIRENT:
	case FUSE_FILTER_OP_MMAP:
	case FUSE_FILTER_OP_XATTR_NAME:
		return true;
	}
	return false;
}

/* Node id, as the server has it, that a question about an operation is for */
static __u64 node_asked(const struct tree_server *tree, const struct operation *op,
			const struct place *p)
{
	const char *place = strrchr(p->mnt, '/') + 1;
	char path[96];

	if (op->node && !strcmp(op->node, "/"))
		return FUSE_ROOT_ID;
	snprintf(path, sizeof(path), "%s/%s", place, op->in_place ? "" : op->node);
	return tree_server_id(tree, path);
}

static void forget_asked(struct asks *asks)
{
	*asks = (struct asks){};
}

#define EXPECT_WELL_ASKED(asks, op, node, res)						\
	do {										\
		EXPECT_LT(0, (asks)->count) TH_LOG("opcode %u", (op)->opcode);		\
		EXPECT_EQ((op)->opcode, (asks)->last.in.opcode);			\
		EXPECT_EQ(node, (asks)->last.head.nodeid) TH_LOG("opcode %u", (op)->opcode); \
		EXPECT_EQ(USER1, (asks)->last.head.uid) TH_LOG("opcode %u", (op)->opcode); \
		EXPECT_EQ(GROUP1, (asks)->last.head.gid);				\
		EXPECT_STREQ((op)->in_place ? (op)->name : "", (asks)->last.name)	\
			TH_LOG("opcode %u", (op)->opcode);				\
		EXPECT_EQ(res, (asks)->last.in.result) TH_LOG("opcode %u", (op)->opcode); \
	} while (0)

TEST_F(ask, about_each_operation)
{
	for (size_t i = 0; i < nr_operations; i++) {
		const struct operation *op = &operations[i];
		struct place p;
		__u64 node;

		if (is_never_asked(op->opcode))
			continue;
		ASSERT_EQ(0, place_make(&p, &self->b));
		forget_asked(self->pre);
		forget_asked(self->post);
		ASSERT_EQ(0, route(&self->filter, op->opcode, ASK));
		EXPECT_EQ(op->returns, operation_run(op->run, &p)) TH_LOG("opcode %u", op->opcode);
		ASSERT_EQ(0, route(&self->filter, op->opcode, FUSE_FILTER_DEFAULT));
		node = node_asked(self->tree, op, &p);
		EXPECT_NE(0, node);
		EXPECT_WELL_ASKED(self->pre, op, node, 0);
		EXPECT_WELL_ASKED(self->post, op, node, op->result);
	}
}

TEST_F(ask, about_each_failure)
{
	for (size_t i = 0; i < nr_operations; i++) {
		const struct operation *op = &operations[i];
		struct place p;

		if (is_never_asked(op->opcode) || !op->fail)
			continue;
		ASSERT_EQ(0, place_make(&p, &self->b));
		forget_asked(self->post);
		ASSERT_EQ(0, route(&self->filter, op->opcode, FUSE_FILTER_ASK_POST));
		EXPECT_EQ(-op->error, operation_run(op->fail, &p)) TH_LOG("opcode %u", op->opcode);
		ASSERT_EQ(0, route(&self->filter, op->opcode, FUSE_FILTER_DEFAULT));
		EXPECT_EQ(-op->error, self->post->last.in.result)
			TH_LOG("opcode %u", op->opcode);
		EXPECT_EQ(op->opcode, self->post->last.in.opcode);
	}
	EXPECT_EQ(0, self->pre->count);
}

/* Returns what the operation did when the server refused it in one phase. */
static long run_refused(struct __test_metadata *_metadata, FIXTURE_DATA(ask) *self,
			const struct operation *op, struct asks *asks)
{
	struct place p;
	long ret;

	EXPECT_EQ(0, place_make(&p, &self->b));
	forget_asked(self->pre);
	forget_asked(self->post);
	asks->answer.verdict = -EDOM;
	EXPECT_EQ(0, route(&self->filter, op->opcode, ASK));
	ret = operation_run(op->run, &p);
	EXPECT_EQ(0, route(&self->filter, op->opcode, FUSE_FILTER_DEFAULT));
	return ret;
}

TEST_F(ask, refuses_each_operation)
{
	for (size_t i = 0; i < nr_operations; i++) {
		const struct operation *op = &operations[i];

		if (is_never_asked(op->opcode))
			continue;
		EXPECT_EQ(-EDOM, run_refused(_metadata, self, op, self->pre))
			TH_LOG("opcode %u", op->opcode);
		/* What did not happen has no result */
		EXPECT_EQ(0, self->post->count) TH_LOG("opcode %u", op->opcode);
		EXPECT_EQ(-EDOM, run_refused(_metadata, self, op, self->post))
			TH_LOG("opcode %u", op->opcode);
	}
}

TEST_F(ask, not_where_nothing_may_sleep)
{
	struct filter all = FILTER_NONE;

	/* One that has a callback for each of these */
	ASSERT_EQ(0, recorder_load(&all, "recorder", false, NULL));
	ASSERT_EQ(0, filter_attach(&all, self->dir, 0, 0));
	for (size_t i = 0; i < nr_operations; i++) {
		const struct operation *op = &operations[i];
		struct place p;
		long ret;

		if (!is_never_asked(op->opcode))
			continue;
		for (int flag = FUSE_FILTER_ASK_PRE; flag <= FUSE_FILTER_ASK_POST; flag <<= 1) {
			ASSERT_EQ(0, place_make(&p, &self->b));
			ASSERT_EQ(0, recorder_return(&all, RECORDER_PRE(op->opcode), flag));
			ret = operation_run(op->run, &p);
			ASSERT_EQ(0, recorder_return(&all, RECORDER_PRE(op->opcode), 0));
			if (op->flags & OPERATION_NO_ANSWER)
				continue;
			EXPECT_EQ(op->flags & OPERATION_HIDES ? 0 : -EIO, ret)
				TH_LOG("opcode %u", op->opcode);
		}
	}
	EXPECT_EQ(0, self->pre->count + self->post->count);
	filter_destroy(&all);
}

static long size_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) ? -errno : st.st_size;
}

TEST_F(ask, answers_count_as_those_of_filters)
{
	static const struct {
		int program;
		int server;
		long size;
	} cases[] = {
		{ FUSE_FILTER_DEFAULT, FUSE_FILTER_DEFAULT, 15 },
		{ FUSE_FILTER_DEFAULT, FUSE_FILTER_BACKING, 15 },
		{ FUSE_FILTER_DEFAULT, FUSE_FILTER_DAEMON, TREE_SIZE },
		{ FUSE_FILTER_BACKING, FUSE_FILTER_DEFAULT, 15 },
		{ FUSE_FILTER_BACKING, FUSE_FILTER_DAEMON, TREE_SIZE },
		{ FUSE_FILTER_BACKING, -ENOSPC, -ENOSPC },
		/* None of these is a verdict */
		{ FUSE_FILTER_DEFAULT, 3, -EIO },
		{ FUSE_FILTER_DEFAULT, FUSE_FILTER_POST, -EIO },
		{ FUSE_FILTER_DEFAULT, FUSE_FILTER_ASK_PRE, -EIO },
		{ FUSE_FILTER_DEFAULT, -10 /* ECHILD */, -EIO },
		{ FUSE_FILTER_DEFAULT, -512 /* ERESTARTSYS */, -EIO },
		{ FUSE_FILTER_DEFAULT, -4096, -EIO },
		{ FUSE_FILTER_DEFAULT, 0x7fffffff, -EIO },
	};
	const char *file = in(self->b.mnt, "d/file");

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		forget_asked(self->pre);
		self->pre->answer.verdict = cases[i].server;
		ASSERT_EQ(0, route(&self->filter, FUSE_GETATTR,
				   cases[i].program | FUSE_FILTER_ASK_PRE));
		EXPECT_EQ(cases[i].size, size_of(file)) TH_LOG("case %zu", i);
		EXPECT_EQ(1, self->pre->count);
	}
}

TEST_F(ask, answers_that_are_none)
{
	const char *file = in(self->b.mnt, "d/file");

	ASSERT_EQ(0, route(&self->filter, FUSE_GETATTR, FUSE_FILTER_ASK_PRE));
	self->pre->answer.reserved = 1;
	EXPECT_EQ(-EIO, size_of(file));
	forget_asked(self->pre);
	self->pre->short_by = 1;
	EXPECT_EQ(-EIO, size_of(file));
	forget_asked(self->pre);
	/* As a libfuse that has never heard of it */
	self->pre->error = -ENOSYS;
	EXPECT_EQ(-EIO, size_of(file));
	self->pre->error = -ECHILD;
	EXPECT_EQ(-EIO, size_of(file));
	self->pre->error = -EACCES;
	EXPECT_EQ(-EACCES, size_of(file));

	ASSERT_EQ(0, route(&self->filter, FUSE_GETATTR, FUSE_FILTER_ASK_POST));
	self->post->answer.verdict = FUSE_FILTER_BACKING;
	EXPECT_EQ(-EIO, size_of(file));
	self->post->answer.verdict = -EACCES;
	EXPECT_EQ(-EACCES, size_of(file));
	self->post->answer.verdict = 0;
	self->post->error = -ENOSYS;
	EXPECT_EQ(-EIO, size_of(file));
	self->post->error = 0;
	EXPECT_EQ(15, size_of(file));
}

/* A name that is refused is not found; that it was asked for shows nothing more. */
TEST_F(ask, hides_what_the_daemon_hides)
{
	ASSERT_EQ(0, route_name(&self->filter, "file", FUSE_FILTER_ASK_PRE));
	self->pre->uid = USER1;
	self->pre->answer.verdict = -ENOENT;
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(-ENOENT, user_stat(USER1, in(self->b.mnt, "d/file")));
		EXPECT_EQ(0, user_stat(USER2, in(self->b.mnt, "d/file")));
	}
	EXPECT_EQ(0, user_stat(USER1, in(self->b.mnt, "d/other")));
	EXPECT_LE(6, self->pre->count);
	EXPECT_STREQ("file", self->pre->last.name);
	EXPECT_EQ(tree_server_id(self->tree, "d"), self->pre->last.head.nodeid);
	/* The daemon was asked about the name, and has not been told it */
	EXPECT_EQ(0, tree_server_id(self->tree, "d/file"));
}

TEST_F(ask, what_questions_carry)
{
	const struct asked *q = &self->pre->last;
	const struct fuse_rename2_in *rename2 = (const void *)q->bytes;
	const struct fuse_setxattr_in *set = (const void *)q->bytes;
	const struct fuse_link_in *link_in = (const void *)q->bytes;
	const struct fuse_mkdir_in *mkdir_in = (const void *)q->bytes;
	const struct fuse_open_in *open_in = (const void *)q->bytes;
	char file[64];
	int fd;

	snprintf(file, sizeof(file), "%s", in(self->b.mnt, "d/file"));
	for (__u32 op = FUSE_LOOKUP; op <= FUSE_STATX; op++)
		ASSERT_EQ(0, route(&self->filter, op, is_never_asked(op) ||
				   op == FUSE_LOOKUP || op == FUSE_ACCESS ? 0 : ASK));

	ASSERT_EQ(0, RES(chmod(file, 0640)));
	EXPECT_EQ(FUSE_SETATTR, q->in.opcode);
	EXPECT_EQ(FATTR_MODE, q->in.attr_valid & (FATTR_MODE | FATTR_SIZE | FATTR_UID));
	EXPECT_EQ(S_IFREG | 0640, q->attr.mode);

	ASSERT_EQ(0, RES(renameat2(AT_FDCWD, file, AT_FDCWD, in(self->b.mnt, "moved"),
				   RENAME_NOREPLACE)));
	EXPECT_EQ(FUSE_RENAME2, q->in.opcode);
	EXPECT_EQ(FUSE_ROOT_ID, rename2->newdir);
	EXPECT_EQ(RENAME_NOREPLACE, rename2->flags);
	EXPECT_EQ(tree_server_id(self->tree, "d"), q->head.nodeid);
	EXPECT_STREQ("file", q->name);
	EXPECT_STREQ("moved", q->newname);

	ASSERT_EQ(0, RES(link(in(self->b.mnt, "moved"), file)));
	EXPECT_EQ(FUSE_LINK, q->in.opcode);
	/* The server has not seen it move */
	EXPECT_EQ(tree_server_id(self->tree, "d/file"), link_in->oldnodeid);
	EXPECT_EQ(tree_server_id(self->tree, "d"), q->head.nodeid);

	ASSERT_EQ(0, RES(setxattr(file, "user.key", "v", 1, XATTR_CREATE)));
	EXPECT_EQ(FUSE_SETXATTR, q->in.opcode);
	EXPECT_STREQ("user.key", q->text);
	EXPECT_EQ(1, set->size);
	EXPECT_EQ(XATTR_CREATE, set->flags);

	ASSERT_EQ(0, RES(symlink("the-target", in(self->b.mnt, "d/sym"))));
	EXPECT_EQ(FUSE_SYMLINK, q->in.opcode);
	EXPECT_STREQ("sym", q->name);
	EXPECT_STREQ("the-target", q->text);

	ASSERT_EQ(0, RES(mkdir(in(self->b.mnt, "d/new"), 0711)));
	EXPECT_EQ(FUSE_MKDIR, q->in.opcode);
	EXPECT_EQ(0711, mkdir_in->mode & 07777);

	fd = open(file, O_RDWR | O_APPEND);
	ASSERT_LE(0, fd);
	EXPECT_EQ(FUSE_OPEN, q->in.opcode);
	EXPECT_EQ(O_RDWR | O_APPEND, open_in->flags & (O_ACCMODE | O_APPEND));
	close(fd);
	EXPECT_EQ(0, diff_tree(self->b.back, self->b.mnt));
}

/* Afterwards, what was found and what is shown */
TEST_F(ask, what_results_carry)
{
	const struct asked *q = &self->post->last;

	ASSERT_EQ(0, route(&self->filter, FUSE_GETATTR, FUSE_FILTER_ASK_POST));
	ASSERT_EQ(15, size_of(in(self->b.mnt, "d/file")));
	EXPECT_EQ(15, q->attr.size);
	EXPECT_EQ(ino_of(in(self->b.back, "d/file")), q->attr.ino);
	EXPECT_EQ(0, q->in.attr_valid);

	ASSERT_EQ(0, route(&self->filter, FUSE_GETATTR, 0));
	ASSERT_EQ(0, route_name(&self->filter, "other", FUSE_FILTER_ASK_POST));
	ASSERT_EQ(6, size_of(in(self->b.mnt, "d/other")));
	EXPECT_EQ(FUSE_LOOKUP, q->in.opcode);
	EXPECT_EQ(6, q->attr.size);
	EXPECT_EQ(0, q->in.result);
	ASSERT_EQ(0, route_name(&self->filter, "none", FUSE_FILTER_ASK_POST));
	ASSERT_EQ(-ENOENT, size_of(in(self->b.mnt, "d/none")));
	EXPECT_EQ(-ENOENT, q->in.result);
	EXPECT_EQ(0, self->pre->count);
}

/* What the daemon answers by itself it is not asked about, nor what is refused. */
TEST_F(ask, not_about_what_the_daemon_answers)
{
	const char *file = in(self->b.mnt, "d/file");

	ASSERT_EQ(0, route(&self->filter, FUSE_GETATTR, FUSE_FILTER_DAEMON | ASK));
	EXPECT_EQ(TREE_SIZE, size_of(file));
	ASSERT_EQ(0, route(&self->filter, FUSE_GETATTR, -EXDEV));
	EXPECT_EQ(-EXDEV, size_of(file));
	/* And if it is the daemon that wants to answer, it has its result already */
	ASSERT_EQ(0, route(&self->filter, FUSE_GETATTR, ASK));
	self->pre->answer.verdict = FUSE_FILTER_DAEMON;
	EXPECT_EQ(TREE_SIZE, size_of(file));
	EXPECT_EQ(1, self->pre->count);
	EXPECT_EQ(0, self->post->count);
}

/* The daemon is the last to be asked and the first to be told. */
TEST_F(ask, with_other_filters)
{
	const char *file = in(self->b.mnt, "d/file");
	struct filter other = FILTER_NONE;

	ASSERT_EQ(0, scripted_load(&other, false, NULL));
	ASSERT_EQ(0, filter_attach(&other, self->dir, 0, 0));
	ASSERT_EQ(0, route_name(&self->filter, "file", ASK));
	ASSERT_EQ(0, scripted_rule(&other, FUSE_LOOKUP, SCRIPTED_ANY_UID, "file", -EXDEV));
	EXPECT_EQ(-EXDEV, size_of(file));
	EXPECT_EQ(0, self->pre->count);
	ASSERT_EQ(0, scripted_forget(&other));
	EXPECT_EQ(15, size_of(file));
	EXPECT_EQ(1, self->pre->count);

	/* Its result is what the postfilters are told of */
	ASSERT_EQ(0, route(&self->filter, FUSE_GETATTR, FUSE_FILTER_POST | FUSE_FILTER_ASK_POST));
	self->post->answer.verdict = -ENOLINK;
	ASSERT_EQ(0, route_name(&self->filter, "file", FUSE_FILTER_DEFAULT));
	EXPECT_EQ(-ENOLINK, size_of(file));
	EXPECT_EQ(-ENOLINK, route_seen(&self->filter, FUSE_GETATTR).result);
	filter_destroy(&other);
}

TEST_F(ask, counts_as_requests)
{
	struct op_counts counts;

	ASSERT_EQ(0, counts_read(self->dir, &counts));
	ASSERT_EQ(0, route(&self->filter, FUSE_GETATTR, ASK));
	EXPECT_EQ(15, size_of(in(self->b.mnt, "d/file")));
	self->pre->answer.verdict = -EPERM;
	EXPECT_EQ(-EPERM, size_of(in(self->b.mnt, "d/file")));
	ASSERT_EQ(0, counts_since(self->dir, &counts));
	EXPECT_EQ(3, counts.ops[FUSE_FILTER_OP_ASK].daemon);
	EXPECT_EQ(1, counts.ops[FUSE_GETATTR].backing);
	EXPECT_EQ(1, counts.ops[FUSE_GETATTR].denied);
	EXPECT_EQ(0, counts.ops[FUSE_GETATTR].daemon);
}

/* Names that the daemon denies leave nothing that could be asked about. */
TEST_F(ask, daemon_that_does_not_know_the_name)
{
	strcpy(self->tree->lie_name, "file");
	self->tree->lie_error = -ENOENT;
	ASSERT_EQ(0, route(&self->filter, FUSE_GETATTR, FUSE_FILTER_ASK_PRE));
	EXPECT_EQ(-EIO, size_of(in(self->b.mnt, "d/file")));
	EXPECT_EQ(6, size_of(in(self->b.mnt, "d/other")));
	EXPECT_EQ(1, self->pre->count);
}

static void end_server(struct backed *b)
{
	raw_server_kill(b->server);
	close(b->dev);
	b->dev = -1;
}

TEST_F(ask, daemon_that_is_dead)
{
	const char *file = in(self->b.mnt, "d/file");

	ASSERT_EQ(0, route(&self->filter, FUSE_GETATTR, FUSE_FILTER_ASK_PRE));
	ASSERT_EQ(15, size_of(file));
	end_server(&self->b);
	EXPECT_EQ(-ENOTCONN, size_of(file));
	ASSERT_EQ(0, route(&self->filter, FUSE_GETATTR, FUSE_FILTER_DEFAULT));
	EXPECT_EQ(15, size_of(file));
}

static void *stat_thread(void *path)
{
	return (void *)size_of(path);
}

static void wait_asked(const struct asks *asks)
{
	while (!*(volatile unsigned int *)&asks->count)
		usleep(1000);
}

/* A thread waits for an answer about @file that will not come. */
#define BEGIN_WAITING(thread, file)							\
	do {										\
		snprintf(file, sizeof(file), "%s", in(self->b.mnt, "d/file"));		\
		self->pre->silent = true;						\
		ASSERT_EQ(0, route(&self->filter, FUSE_GETATTR, FUSE_FILTER_ASK_PRE));	\
		ASSERT_EQ(0, pthread_create(&thread, NULL, stat_thread, file));		\
		wait_asked(self->pre);							\
	} while (0)

#define END_WAITING(thread)								\
	do {										\
		void *ret;								\
											\
		end_server(&self->b);							\
		ASSERT_EQ(0, pthread_join(thread, &ret));				\
		EXPECT_EQ(-ECONNABORTED, (long)ret);					\
	} while (0)

TEST_F(ask, daemon_that_dies_when_it_is_asked)
{
	char file[64];
	pthread_t thread;

	BEGIN_WAITING(thread, file);
	END_WAITING(thread);
}

/* Who waits for an answer is interrupted: the daemon hears of it, as of any request. */
TEST_F(ask, caller_that_is_killed)
{
	const char *file = in(self->b.mnt, "d/file");
	volatile unsigned int *interrupts = &self->b.server->counts[FUSE_INTERRUPT];
	int status;
	pid_t pid;

	self->pre->silent = true;
	ASSERT_EQ(0, route(&self->filter, FUSE_GETATTR, FUSE_FILTER_ASK_PRE));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		/* Or the connection lives as long as this waits */
		close(self->b.dev);
		_exit(!size_of(file));
	}
	wait_asked(self->pre);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	while (!*interrupts)
		usleep(1000);
	end_server(&self->b);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
}

/* Detaching does not wait for the daemon: no callback runs meanwhile. */
TEST_F(ask, detach_while_the_daemon_is_asked)
{
	char file[64];
	pthread_t thread;

	BEGIN_WAITING(thread, file);
	EXPECT_EQ(0, filter_detach(&self->filter));
	EXPECT_EQ(15, size_of(file));
	END_WAITING(thread);
}

/* There is no daemon, and there was none. */
FIXTURE(no_daemon)
{
	struct backed b;
	struct filter filter;
	int dir;
};

FIXTURE_SETUP(no_daemon)
{
	ASSERT_EQ(0, backed_setup(&self->b, "tmpfs", BACKED_ALLOW_OTHER));
	ASSERT_EQ(0, make_file(in(self->b.back, "file"), "of the backing\n", 0666));
	self->dir = open_dir(self->b.mnt, 0);
	ASSERT_LE(0, self->dir);
	ASSERT_EQ(0, route_load(&self->filter, self->dir));
}

FIXTURE_TEARDOWN(no_daemon)
{
	filter_destroy(&self->filter);
	close(self->dir);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

TEST_F(no_daemon, nobody_to_ask)
{
	for (int flag = FUSE_FILTER_ASK_PRE; flag <= FUSE_FILTER_ASK_POST; flag <<= 1) {
		ASSERT_EQ(0, route(&self->filter, FUSE_GETATTR, flag));
		EXPECT_EQ(-ENOTCONN, size_of(in(self->b.mnt, "file")));
	}
}

TEST_HARNESS_MAIN
