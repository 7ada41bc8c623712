// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locks on a backed mount are locks on the backing: whoever uses either is kept out
 * by whoever uses the other.
 */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backed_fixture.h"
#include "harness.h"

FIXTURE(lock)
{
	struct backed b;
	int back;
	int mnt;
	int mnt2;
};

FIXTURE_VARIANT(lock)
{
	const char *name;
	int flags;
};

FIXTURE_VARIANT_ADD(lock, file) { .name = "file", .flags = O_RDWR };
FIXTURE_VARIANT_ADD(lock, directory) { .name = "dir", .flags = O_RDONLY | O_DIRECTORY };

FIXTURE_SETUP(lock)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, backed_setup(b, "tmpfs", BACKED_ALLOW_OTHER));
	ASSERT_EQ(0, make_file(in(b->back, "file"), "text", 0644));
	ASSERT_EQ(0, make_dir(in(b->back, "dir"), 0755));
	self->back = open(in(b->back, "%s", variant->name), variant->flags | O_CLOEXEC);
	self->mnt = open(in(b->mnt, "%s", variant->name), variant->flags | O_CLOEXEC);
	self->mnt2 = open(in(b->mnt, "%s", variant->name), variant->flags | O_CLOEXEC);
	ASSERT_LE(0, self->back);
	ASSERT_LE(0, self->mnt);
	ASSERT_LE(0, self->mnt2);
}

FIXTURE_TEARDOWN(lock)
{
	close(self->back);
	close(self->mnt);
	close(self->mnt2);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

TEST_F(lock, flock_holds_both_ways)
{
	EXPECT_EQ(0, RES(flock(self->mnt, LOCK_EX)));
	EXPECT_EQ(-EWOULDBLOCK, RES(flock(self->back, LOCK_SH | LOCK_NB)));
	EXPECT_EQ(-EWOULDBLOCK, RES(flock(self->mnt2, LOCK_SH | LOCK_NB)));
	EXPECT_EQ(0, RES(flock(self->mnt, LOCK_SH)));
	EXPECT_EQ(0, RES(flock(self->mnt2, LOCK_SH | LOCK_NB)));
	EXPECT_EQ(0, RES(flock(self->back, LOCK_SH | LOCK_NB)));
	EXPECT_EQ(-EWOULDBLOCK, RES(flock(self->mnt, LOCK_EX | LOCK_NB)));
	EXPECT_EQ(0, RES(flock(self->mnt, LOCK_UN)));
	EXPECT_EQ(0, RES(flock(self->mnt2, LOCK_UN)));
	EXPECT_EQ(0, RES(flock(self->back, LOCK_EX | LOCK_NB)));
	EXPECT_EQ(-EWOULDBLOCK, RES(flock(self->mnt, LOCK_EX | LOCK_NB)));
}

TEST_F(lock, flock_ends_with_the_file)
{
	int fd = dup(self->mnt);

	EXPECT_EQ(0, RES(flock(self->mnt, LOCK_EX)));
	close(self->mnt);
	EXPECT_EQ(-EWOULDBLOCK, RES(flock(self->back, LOCK_EX | LOCK_NB)));
	close(fd);
	EXPECT_EQ(0, RES(flock(self->back, LOCK_EX | LOCK_NB)));
	self->mnt = -1;
}

/* Another process, whose POSIX locks conflict with ours */
static int other_try(void *arg)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = 10 };

	return RES(fcntl(*(int *)arg, F_SETLK, &lock));
}

static int other_get(void *arg)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = 100 };
	int err = RES(fcntl(*(int *)arg, F_GETLK, &lock));

	if (err)
		return err;
	return lock.l_type == F_UNLCK ? 0 : lock.l_type == F_WRLCK && lock.l_pid == getppid() &&
	       lock.l_start == 5 && lock.l_len == 10 ? 1 : 2;
}

TEST_F(lock, posix_holds_both_ways)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 5, .l_len = 10 };

	if (variant->flags & O_DIRECTORY) {
		/* Write locks are for files that are open for writing */
		EXPECT_EQ(-EBADF, RES(fcntl(self->mnt, F_SETLK, &lock)));
		lock.l_type = F_RDLCK;
		EXPECT_EQ(0, RES(fcntl(self->mnt, F_SETLK, &lock)));
		return;
	}
	EXPECT_EQ(0, RES(fcntl(self->mnt, F_SETLK, &lock)));
	EXPECT_EQ(-EAGAIN, in_child(other_try, &self->back));
	EXPECT_EQ(-EAGAIN, in_child(other_try, &self->mnt2));
	EXPECT_EQ(1, in_child(other_get, &self->back));
	/* Closing any of the process's files on the inode drops its locks */
	close(self->mnt2);
	EXPECT_EQ(0, in_child(other_try, &self->back));
	EXPECT_EQ(0, RES(fcntl(self->back, F_SETLK, &lock)));
	EXPECT_EQ(-EAGAIN, in_child(other_try, &self->mnt));
	lock.l_type = F_UNLCK;
	EXPECT_EQ(0, RES(fcntl(self->back, F_SETLK, &lock)));
	EXPECT_EQ(0, in_child(other_try, &self->mnt));
	self->mnt2 = -1;
}

TEST_F(lock, posix_reports_the_holder)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 5, .l_len = 10 };
	struct flock found;

	if (variant->flags & O_DIRECTORY)
		return;
	EXPECT_EQ(0, RES(fcntl(self->back, F_OFD_SETLK, &lock)));
	found = (struct flock){ .l_type = F_RDLCK, .l_whence = SEEK_SET };
	EXPECT_EQ(0, RES(fcntl(self->mnt, F_GETLK, &found)));
	EXPECT_EQ(F_WRLCK, found.l_type);
	EXPECT_EQ(5, found.l_start);
	EXPECT_EQ(10, found.l_len);
	EXPECT_EQ(-1, found.l_pid);
}

TEST_F(lock, ofd_locks_belong_to_the_file)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10 };

	if (variant->flags & O_DIRECTORY)
		return;
	EXPECT_EQ(0, RES(fcntl(self->mnt, F_OFD_SETLK, &lock)));
	EXPECT_EQ(0, RES(fcntl(self->mnt, F_OFD_SETLK, &lock)));
	EXPECT_EQ(-EAGAIN, RES(fcntl(self->mnt2, F_OFD_SETLK, &lock)));
	EXPECT_EQ(-EAGAIN, RES(fcntl(self->back, F_OFD_SETLK, &lock)));
	close(self->mnt);
	EXPECT_EQ(0, RES(fcntl(self->mnt2, F_OFD_SETLK, &lock)));
	lock.l_type = F_UNLCK;
	EXPECT_EQ(0, RES(fcntl(self->mnt2, F_OFD_SETLK, &lock)));
	lock.l_type = F_WRLCK;
	EXPECT_EQ(0, RES(fcntl(self->back, F_OFD_SETLK, &lock)));
	self->mnt = -1;
}

/* Waits for the lock on the mount; ends when it has it. */
static int wait_for_lock(void *arg)
{
	return RES(flock(*(int *)arg, LOCK_EX));
}

TEST_F(lock, a_waiter_is_woken)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = 10 };
	pid_t pid;
	int status;

	EXPECT_EQ(0, RES(flock(self->back, LOCK_EX)));
	pid = fork();
	if (!pid)
		_exit(wait_for_lock(&self->mnt) ? 1 : 0);
	usleep(200000);
	EXPECT_EQ(0, waitpid(pid, &status, WNOHANG));
	EXPECT_EQ(0, RES(flock(self->back, LOCK_UN)));
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);

	EXPECT_EQ(0, RES(fcntl(self->back, F_OFD_SETLK, &lock)));
	if (variant->flags & O_DIRECTORY)
		return;
	pid = fork();
	if (!pid) {
		lock.l_type = F_WRLCK;
		_exit(RES(fcntl(self->mnt, F_OFD_SETLKW, &lock)) ? 1 : 0);
	}
	usleep(200000);
	EXPECT_EQ(0, waitpid(pid, &status, WNOHANG));
	lock.l_type = F_UNLCK;
	EXPECT_EQ(0, RES(fcntl(self->back, F_OFD_SETLK, &lock)));
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_HARNESS_MAIN
