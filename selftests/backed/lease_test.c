// SPDX-License-Identifier: GPL-2.0-only
/*
 * Leases and delegations on the backing are broken by what is done through the
 * mount. There are none on the mount itself, see refuse_test; for what changes names,
 * see delegation_test.
 */
#include <fcntl.h>
#include <signal.h>

#include "backed_fixture.h"
#include "delegation.h"
#include "harness.h"

/* What the holder of a lease does when it is broken, in a signal handler */
static volatile int broken_fd = -1;
static volatile sig_atomic_t broken;

FIXTURE(lease)
{
	struct backed b;
	char mnt[64];
	int back;
};

static void give_up(int sig)
{
	broken += sig == SIGIO;
	if (fcntl(broken_fd, F_SETLEASE, F_UNLCK))
		set_deleg(broken_fd, F_UNLCK);
}

FIXTURE_SETUP(lease)
{
	const struct sigaction action = { .sa_handler = give_up, .sa_flags = SA_RESTART };
	struct backed *b = &self->b;

	ASSERT_EQ(0, backed_setup(b, "tmpfs", BACKED_ALLOW_OTHER));
	ASSERT_EQ(0, make_file(in(b->back, "file"), "text", 0644));
	strcpy(self->mnt, in(b->mnt, "file"));
	self->back = open(in(b->back, "file"), O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->back);
	broken_fd = self->back;
	broken = 0;
	ASSERT_EQ(0, sigaction(SIGIO, &action, NULL));
}

FIXTURE_TEARDOWN(lease)
{
	signal(SIGIO, SIG_DFL);
	close(self->back);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

static int do_open_write(void *arg)
{
	return user_open(0, arg, O_WRONLY);
}

static int do_open_read(void *arg)
{
	return user_open(0, arg, O_RDONLY);
}

static int do_truncate(void *arg)
{
	return RES(truncate(arg, 1));
}

static int do_chmod(void *arg)
{
	return RES(chmod(arg, 0600));
}

TEST_F(lease, read_lease_is_broken_by_writers)
{
	ASSERT_EQ(0, RES(fcntl(self->back, F_SETLEASE, F_RDLCK)));
	EXPECT_EQ(0, in_child(do_open_read, self->mnt));
	EXPECT_EQ(0, broken);
	EXPECT_EQ(0, in_child(do_open_write, self->mnt));
	EXPECT_EQ(1, broken);
	EXPECT_EQ(F_UNLCK, fcntl(self->back, F_GETLEASE));
}

TEST_F(lease, truncation_waits)
{
	struct stat st;

	ASSERT_EQ(0, RES(fcntl(self->back, F_SETLEASE, F_RDLCK)));
	EXPECT_EQ(0, in_child(do_truncate, self->mnt));
	EXPECT_EQ(1, broken);
	ASSERT_EQ(0, stat(self->mnt, &st));
	EXPECT_EQ(1, st.st_size);
}

TEST_F(lease, write_lease_is_broken_by_readers)
{
	ASSERT_EQ(0, RES(fcntl(self->back, F_SETLEASE, F_WRLCK)));
	EXPECT_EQ(-EWOULDBLOCK, user_open(0, self->mnt, O_RDONLY | O_NONBLOCK));
	EXPECT_EQ(0, in_child(do_open_read, self->mnt));
	EXPECT_LE(1, broken);
}

/* A file that is open through the mount is open on the backing. */
TEST_F(lease, none_for_files_that_are_in_use)
{
	int fd = open(self->mnt, O_RDONLY | O_CLOEXEC);

	EXPECT_EQ(-EAGAIN, RES(fcntl(self->back, F_SETLEASE, F_WRLCK)));
	EXPECT_EQ(0, RES(fcntl(self->back, F_SETLEASE, F_RDLCK)));
	EXPECT_EQ(0, RES(fcntl(self->back, F_SETLEASE, F_UNLCK)));
	close(fd);
	fd = open(self->mnt, O_WRONLY | O_CLOEXEC);
	EXPECT_EQ(-EAGAIN, RES(fcntl(self->back, F_SETLEASE, F_RDLCK)));
	close(fd);
	EXPECT_EQ(0, RES(fcntl(self->back, F_SETLEASE, F_WRLCK)));
}

TEST_F(lease, delegation_is_broken_by_chmod)
{
	struct stat st;

	ASSERT_EQ(0, set_deleg(self->back, F_RDLCK));
	EXPECT_EQ(0, in_child(do_chmod, self->mnt));
	EXPECT_EQ(1, broken);
	ASSERT_EQ(0, stat(self->mnt, &st));
	EXPECT_EQ(0600, st.st_mode & 0777);
}

TEST_F(lease, no_delegations_of_the_mount)
{
	int dir = open_dir(self->b.mnt, 0);
	int fd = open(self->mnt, O_RDONLY | O_CLOEXEC);

	EXPECT_EQ(-EINVAL, set_deleg(fd, F_RDLCK));
	EXPECT_EQ(-EINVAL, set_deleg(dir, F_RDLCK));
	EXPECT_EQ(-EINVAL, RES(fcntl(fd, F_SETLEASE, F_WRLCK)));
	close(fd);
	close(dir);
}

TEST_HARNESS_MAIN
