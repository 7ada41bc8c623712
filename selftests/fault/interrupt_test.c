// SPDX-License-Identifier: GPL-2.0-only
/*
 * Callers that are killed while somebody else holds up their call: a daemon that is asked
 * about it and has stopped, or a backing that is frozen. Nothing is half done, and nothing
 * is held by who is gone.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backed_fixture.h"
#include "harness.h"
#include "operations.h"
#include "route_all.h"
#include "shape.h"
#include "tree_server.h"

#define MOST_TRIES 3000
#define SHAPE_SIZE 4096

static void nothing(int sig)
{
	(void)sig;
}

/* Run an operation in a process that a signal interrupts, and that says how it went */
static pid_t start(long (*run)(const struct place *p), const struct place *p)
{
	const struct sigaction action = { .sa_handler = nothing };
	pid_t pid = fork();

	if (pid)
		return pid;
	sigaction(SIGUSR1, &action, NULL);
	_exit(operation_run(run, p) < 0);
}

/* The signal that ended it, 0: it ended by itself */
static int ended_by(pid_t pid)
{
	int status;

	for (int i = 0; i < MOST_TRIES; i++) {
		pid_t got = waitpid(pid, &status, WNOHANG);

		if (got == pid)
			return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
		usleep(10000);
	}
	return -ETIMEDOUT;
}

/* Wait until a process is as ps(1) says: D is what no signal ends, T stopped */
static int wait_state(pid_t pid, char state)
{
	for (int i = 0; i < MOST_TRIES; i++) {
		const char *stat = text_of(in("/proc", "%d/stat", pid)), *name = strrchr(stat, ')');

		if (name && name[2] == state)
			return 0;
		usleep(10000);
	}
	return -ETIMEDOUT;
}

FIXTURE(daemon)
{
	struct backed b;
	struct tree_server *tree;
	struct filter filter;
	char control[64];
	int dir;
};

FIXTURE_SETUP(daemon)
{
	struct backed *b = &self->b;

	self->filter = FILTER_NONE;
	ASSERT_EQ(0, backed_make(b, "tmpfs"));
	ASSERT_EQ(0, chmod(b->back, 0777));
	self->tree = tree_server_setup(b, BACKED_ALLOW_OTHER);
	ASSERT_NE(NULL, self->tree);
	ASSERT_EQ(0, control_mount(b, self->control, sizeof(self->control)));
	self->dir = open_dir(b->mnt, 0);
	ASSERT_LE(0, self->dir);
	ASSERT_EQ(0, route_load(&self->filter, self->dir));
}

FIXTURE_TEARDOWN(daemon)
{
	filter_destroy(&self->filter);
	close(self->dir);
	EXPECT_EQ(0, RES(umount(in(self->b.top, "control"))));
	EXPECT_EQ(0, tree_server_wait_forgotten(self->tree));
	EXPECT_EQ(0, backed_destroy(&self->b));
	tree_server_free(self->tree);
}

/*
 * Make a place for @op, and find out from another one like it what it is like before
 * and after the operation: texts of SHAPE_SIZE.
 */
static int make_place(const struct backed *b, const struct operation *op, struct place *p,
		      char *before, char *after)
{
	struct place like;
	int err;

	err = place_make(&like, b);
	if (!err)
		err = place_make(p, b);
	if (!err)
		err = shape_of(like.back, before, SHAPE_SIZE);
	if (err)
		return err;
	if (operation_run(op->run, &like) != op->returns)
		return -EPROTO;
	return shape_of(like.back, after, SHAPE_SIZE);
}

/*
 * What the daemon can be asked about; but for FLUSH, whose answer is waited for to the end, as
 * with any daemon.
 */
static bool is_asked(const struct operation *op)
{
	switch (op->opcode) {
	case FUSE_READ:
	case FUSE_WRITE:
	case FUSE_FLUSH:
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
	case FUSE_FILTER_OP_DIRENT:
	case FUSE_FILTER_OP_MMAP:
	case FUSE_FILTER_OP_XATTR_NAME:
		return false;
	}
	return true;
}

FIXTURE_VARIANT(daemon)
{
	int flag;
};

FIXTURE_VARIANT_ADD(daemon, before) { .flag = FUSE_FILTER_ASK_PRE };
FIXTURE_VARIANT_ADD(daemon, after) { .flag = FUSE_FILTER_ASK_POST };

/* Is a request on its way to the daemon, which does not take it? */
static int wait_waiting(const char *control)
{
	for (int i = 0; i < MOST_TRIES; i++) {
		if (atoi(text_of(in(control, "waiting"))) > 0)
			return 0;
		usleep(10000);
	}
	return -ETIMEDOUT;
}

/* Whoever waits for a daemon that is stopped can be killed. */
TEST_F(daemon, holds_each_operation)
{
	for (size_t i = 0; i < nr_operations; i++) {
		const struct operation *op = &operations[i];
		char before[SHAPE_SIZE], after[SHAPE_SIZE], now[SHAPE_SIZE];
		struct place p;
		pid_t pid;

		if (!is_asked(op))
			continue;
		ASSERT_EQ(0, make_place(&self->b, op, &p, before, after)) TH_LOG("opcode %u", op->opcode);

		ASSERT_EQ(0, route(&self->filter, op->opcode, variant->flag));
		ASSERT_EQ(0, kill(self->b.server->pid, SIGSTOP));
		ASSERT_EQ(0, wait_state(self->b.server->pid, 'T'));
		pid = start(op->run, &p);
		ASSERT_LT(0, pid);
		EXPECT_EQ(0, wait_waiting(self->control)) TH_LOG("opcode %u", op->opcode);
		EXPECT_EQ(0, kill(pid, SIGUSR1));
		EXPECT_EQ(0, kill(pid, SIGKILL));
		EXPECT_EQ(SIGKILL, ended_by(pid)) TH_LOG("opcode %u", op->opcode);
		ASSERT_EQ(0, route(&self->filter, op->opcode, FUSE_FILTER_DEFAULT));
		ASSERT_EQ(0, kill(self->b.server->pid, SIGCONT));

		/* It is told a name before it is asked, so that after may be before */
		ASSERT_EQ(0, shape_of(p.back, now, sizeof(now)));
		EXPECT_TRUE(!strcmp(before, now) || (variant->flag == FUSE_FILTER_ASK_POST &&
						     !strcmp(after, now)))
			TH_LOG("opcode %u:\n%s", op->opcode, now);
		EXPECT_EQ(0, shape_idle(p.back)) TH_LOG("opcode %u", op->opcode);
		ASSERT_EQ(0, shape_of(p.mnt, before, sizeof(before)));
		EXPECT_STREQ(before, now) TH_LOG("opcode %u", op->opcode);
	}
}

FIXTURE(frozen)
{
	struct backed b;
	int back;
};

FIXTURE_SETUP(frozen)
{
	ASSERT_EQ(0, backed_setup(&self->b, "ext4", BACKED_ALLOW_OTHER));
	ASSERT_EQ(0, chmod(self->b.back, 0777));
	self->back = open_dir(self->b.back, 0);
	ASSERT_LE(0, self->back);
}

FIXTURE_TEARDOWN(frozen)
{
	close(self->back);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

static bool changes(const struct operation *op)
{
	switch (op->opcode) {
	case FUSE_SETATTR:
	case FUSE_SYMLINK:
	case FUSE_MKNOD:
	case FUSE_MKDIR:
	case FUSE_UNLINK:
	case FUSE_RMDIR:
	case FUSE_RENAME2:
	case FUSE_LINK:
	case FUSE_CREATE:
	case FUSE_TMPFILE:
	case FUSE_WRITE:
	case FUSE_SETXATTR:
	case FUSE_REMOVEXATTR:
	case FUSE_FALLOCATE:
	case FUSE_COPY_FILE_RANGE:
		return true;
	}
	return false;
}

/* As on the backing: what changes something waits, killed or not, and the rest goes on. */
TEST_F(frozen, backing)
{
	for (size_t i = 0; i < nr_operations; i++) {
		const struct operation *op = &operations[i];
		char before[SHAPE_SIZE], after[SHAPE_SIZE], now[SHAPE_SIZE];
		struct place p;
		int stuck, signal;
		pid_t pid;

		if (!changes(op))
			continue;
		ASSERT_EQ(0, make_place(&self->b, op, &p, before, after)) TH_LOG("opcode %u", op->opcode);

		/* Who is stuck has our directory locked: others find there what is cached */
		EXPECT_STREQ("text", text_of(in(p.mnt, "other")));
		EXPECT_EQ(0, RES(access(in(p.mnt, "full/in"), F_OK)));
		ASSERT_EQ(0, RES(ioctl(self->back, FIFREEZE, 0)));
		pid = start(op->run, &p);
		stuck = wait_state(pid, 'D');
		EXPECT_STREQ("text", text_of(in(p.mnt, "other"))) TH_LOG("opcode %u", op->opcode);
		kill(pid, SIGKILL);
		EXPECT_EQ(0, RES(access(in(p.mnt, "full/in"), F_OK)));
		ASSERT_EQ(0, RES(ioctl(self->back, FITHAW, 0)));
		signal = ended_by(pid);
		EXPECT_EQ(0, stuck) TH_LOG("opcode %u", op->opcode);
		EXPECT_TRUE(signal == SIGKILL || !signal) TH_LOG("opcode %u: %d", op->opcode, signal);

		ASSERT_EQ(0, shape_of(p.back, now, sizeof(now)));
		EXPECT_TRUE(!strcmp(before, now) || !strcmp(after, now))
			TH_LOG("opcode %u:\n%s", op->opcode, now);
		EXPECT_EQ(0, shape_idle(p.back)) TH_LOG("opcode %u", op->opcode);
		ASSERT_EQ(0, shape_of(p.mnt, before, sizeof(before)));
		EXPECT_STREQ(before, now) TH_LOG("opcode %u", op->opcode);
	}
}

TEST_HARNESS_MAIN
