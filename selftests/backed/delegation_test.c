// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whoever has a delegation of a file or of a directory on the backing is told before
 * names are changed through the mount, and waited for, as on the backing itself.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "backed_fixture.h"
#include "delegation.h"
#include "harness.h"

#define BREAK_TIME "/proc/sys/fs/lease-break-time"

static volatile sig_atomic_t broken;

static void told(int sig)
{
	broken += sig == SIGIO;
}

FIXTURE(delegation)
{
	struct backed b;
	int break_time;
};

FIXTURE_SETUP(delegation)
{
	const struct sigaction action = { .sa_handler = told, .sa_flags = SA_RESTART };

	self->break_time = atoi(text_of(BREAK_TIME));
	ASSERT_LT(0, self->break_time);
	ASSERT_EQ(0, backed_setup(&self->b, "tmpfs", BACKED_ALLOW_OTHER));
	ASSERT_EQ(0, sigaction(SIGIO, &action, NULL));
}

FIXTURE_TEARDOWN(delegation)
{
	EXPECT_EQ(0, sh("echo %d >" BREAK_TIME, self->break_time));
	signal(SIGIO, SIG_DFL);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

/* What one operation needs, at the top of the tree; @held is what is delegated. */
static int make_tree(const char *top)
{
	return make_dir(top, 0777) ?: make_dir(in(top, "dir"), 0777) ?:
	       make_dir(in(top, "dir/sub"), 0777) ?: make_dir(in(top, "dir2"), 0777) ?:
	       make_file(in(top, "dir/file"), "text", 0644) ?:
	       make_file(in(top, "dir/victim"), "old", 0644);
}

static int do_unlink(void *top)
{
	return RES(unlink(in(top, "dir/file")));
}

static int do_rmdir(void *top)
{
	return RES(rmdir(in(top, "dir/sub")));
}

static int do_rename(void *top)
{
	return RES(rename(in(top, "dir/file"), in(top, "dir/new")));
}

static int do_replace(void *top)
{
	return RES(rename(in(top, "dir/file"), in(top, "dir/victim")));
}

static int do_exchange(void *top)
{
	return RES(renameat2(AT_FDCWD, in(top, "dir/file"), AT_FDCWD, in(top, "dir/victim"),
			     RENAME_EXCHANGE));
}

static int do_move(void *top)
{
	return RES(rename(in(top, "dir/file"), in(top, "dir2/new")));
}

static int do_link(void *top)
{
	return RES(link(in(top, "dir/file"), in(top, "dir2/new")));
}

static int do_create(void *top)
{
	int fd = RES(open(in(top, "dir/new"), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644));

	return fd < 0 ? fd : RES(close(fd));
}

static int do_mkdir(void *top)
{
	return RES(mkdir(in(top, "dir/new"), 0755));
}

static int do_mknod(void *top)
{
	return RES(mknod(in(top, "dir/new"), S_IFIFO | 0644, 0));
}

static int do_symlink(void *top)
{
	return RES(symlink("target", in(top, "dir/new")));
}

/**
 * struct change - a change of names
 * @name: for messages
 * @call: makes it, below a directory of the mount
 * @opcode: what it is counted as
 * @held: of what somebody has a delegation
 * @there: a name that is there afterwards, and perhaps before
 * @gone: one that is there before and not afterwards, or NULL
 */
static const struct change {
	const char *name;
	int (*call)(void *top);
	__u32 opcode;
	const char *held;
	const char *there;
	const char *gone;
} changes[] = {
	{ "unlink", do_unlink, FUSE_UNLINK, "dir/file", "dir", "dir/file" },
	{ "unlink", do_unlink, FUSE_UNLINK, "dir", "dir", "dir/file" },
	{ "rmdir", do_rmdir, FUSE_RMDIR, "dir", "dir", "dir/sub" },
	{ "rename", do_rename, FUSE_RENAME2, "dir/file", "dir/new", "dir/file" },
	{ "rename", do_rename, FUSE_RENAME2, "dir", "dir/new", "dir/file" },
	{ "replace", do_replace, FUSE_RENAME2, "dir/victim", "dir/victim", "dir/file" },
	{ "exchange", do_exchange, FUSE_RENAME2, "dir/victim", "dir/victim", NULL },
	{ "move", do_move, FUSE_RENAME2, "dir", "dir2/new", "dir/file" },
	{ "move", do_move, FUSE_RENAME2, "dir2", "dir2/new", "dir/file" },
	{ "link", do_link, FUSE_LINK, "dir/file", "dir2/new", NULL },
	{ "link", do_link, FUSE_LINK, "dir2", "dir2/new", NULL },
	{ "create", do_create, FUSE_CREATE, "dir", "dir/new", NULL },
	{ "mkdir", do_mkdir, FUSE_MKDIR, "dir", "dir/new", NULL },
	{ "mknod", do_mknod, FUSE_MKNOD, "dir", "dir/new", NULL },
	{ "symlink", do_symlink, FUSE_SYMLINK, "dir", "dir/new", NULL },
};

static int hold(const char *path)
{
	int fd = RES(open(path, O_RDONLY | O_CLOEXEC));
	int err;

	if (fd < 0)
		return fd;
	broken = 0;
	err = set_deleg(fd, F_RDLCK);
	if (!err)
		return fd;
	close(fd);
	return err;
}

/* Start an operation in a child, which returns its errno. */
static pid_t start(int (*call)(void *top), const char *top)
{
	pid_t pid = fork();

	if (!pid)
		_exit(-call((void *)top));
	return RES(pid);
}

static int finish(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

/* Wait until the holder was told. It is not, if the operation ends without that. */
static int wait_until_told(pid_t pid)
{
	siginfo_t info = {};

	while (!broken) {
		if (waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT))
			return -errno;
		if (info.si_pid)
			return broken ? 0 : -ENOMSG;
		usleep(1000);
	}
	return 0;
}

static bool exists(const char *path)
{
	return !faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW);
}

TEST_F(delegation, is_waited_for)
{
	struct backed *b = &self->b;
	struct op_counts counts;
	int root = open_dir(b->mnt, 0);
	size_t i;

	ASSERT_LE(0, root);
	for (i = 0; i < ARRAY_SIZE(changes); i++) {
		const struct change *c = &changes[i];
		char top[64], back[64];
		pid_t pid;
		int fd;

		snprintf(top, sizeof(top), "%s/%zu", b->mnt, i);
		snprintf(back, sizeof(back), "%s/%zu", b->back, i);
		ASSERT_EQ(0, make_tree(back));
		fd = hold(in(back, "%s", c->held));
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, counts_read(root, &counts));

		pid = start(c->call, top);
		EXPECT_EQ(0, wait_until_told(pid))
			TH_LOG("%s, delegation of %s", c->name, c->held);
		/* Nothing is changed before the holder gives it up */
		if (c->gone)
			EXPECT_TRUE(exists(in(back, "%s", c->gone)));
		EXPECT_EQ(F_UNLCK, get_deleg(fd));
		EXPECT_EQ(0, set_deleg(fd, F_UNLCK));
		EXPECT_EQ(0, finish(pid)) TH_LOG("%s, delegation of %s", c->name, c->held);

		EXPECT_EQ(1, broken);
		EXPECT_TRUE(exists(in(top, "%s", c->there))) TH_LOG("%s: %s", c->name, c->there);
		if (c->gone)
			EXPECT_FALSE(exists(in(top, "%s", c->gone)));
		EXPECT_EQ(0, diff_tree(back, top));
		ASSERT_EQ(0, counts_since(root, &counts));
		EXPECT_EQ(1, counts.ops[c->opcode].backing);
		EXPECT_EQ(0, counts.ops[c->opcode].errors);
		close(fd);
	}
	close(root);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

TEST_F(delegation, that_is_not_given_up_is_taken)
{
	struct backed *b = &self->b;
	double before;
	int fd;

	ASSERT_EQ(0, make_tree(in(b->back, "t")));
	ASSERT_EQ(0, sh("echo 1 >" BREAK_TIME));
	fd = hold(in(b->back, "t/dir/file"));
	ASSERT_LE(0, fd);

	before = seconds();
	EXPECT_EQ(0, finish(start(do_unlink, in(b->mnt, "t"))));
	EXPECT_LE(0.9, seconds() - before);
	EXPECT_EQ(1, broken);
	EXPECT_EQ(F_UNLCK, get_deleg(fd));
	EXPECT_FALSE(exists(in(b->back, "t/dir/file")));
	close(fd);
}

TEST_F(delegation, waiting_can_be_killed)
{
	struct backed *b = &self->b;
	int fd;
	pid_t pid;

	ASSERT_EQ(0, make_tree(in(b->back, "t")));
	fd = hold(in(b->back, "t/dir"));
	ASSERT_LE(0, fd);

	pid = start(do_create, in(b->mnt, "t"));
	EXPECT_EQ(0, wait_until_told(pid));
	EXPECT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(-EINTR, finish(pid));
	EXPECT_FALSE(exists(in(b->back, "t/dir/new")));

	EXPECT_EQ(0, set_deleg(fd, F_UNLCK));
	EXPECT_EQ(0, do_create((void *)in(b->mnt, "t")));
	close(fd);
}

/* Who may not change a name must not be able to take a delegation from its holder. */
TEST_F(delegation, is_not_broken_by_who_may_not)
{
	struct backed *b = &self->b;
	int fd;

	ASSERT_EQ(0, make_tree(in(b->back, "t")));
	ASSERT_EQ(0, chmod(in(b->back, "t/dir"), 01777));
	ASSERT_EQ(0, chown(in(b->back, "t/dir/file"), USER1, USER1));
	fd = hold(in(b->back, "t/dir/file"));
	ASSERT_LE(0, fd);

	EXPECT_EQ(-EPERM, as_user(USER2, USER2, do_unlink, in(b->mnt, "t")));
	EXPECT_EQ(0, broken);
	EXPECT_EQ(F_RDLCK, get_deleg(fd));
	EXPECT_TRUE(exists(in(b->back, "t/dir/file")));
	close(fd);
}

/* A lease is about what is in a file, a name is not. */
TEST_F(delegation, a_lease_is_none)
{
	struct backed *b = &self->b;
	int fd;

	ASSERT_EQ(0, make_tree(in(b->back, "t")));
	fd = open(in(b->back, "t/dir/file"), O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, RES(fcntl(fd, F_SETLEASE, F_RDLCK)));
	broken = 0;
	EXPECT_EQ(0, do_link((void *)in(b->mnt, "t")));
	EXPECT_EQ(0, do_rename((void *)in(b->mnt, "t")));
	EXPECT_EQ(0, broken);
	close(fd);
}

TEST_HARNESS_MAIN
