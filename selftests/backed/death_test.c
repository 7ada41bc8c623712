// SPDX-License-Identifier: GPL-2.0-only
/*
 * A mount, its connection or its daemon dies while it is in full use, again and
 * again: what is open works on, nothing hangs, and in the end nothing is held.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "backed_fixture.h"
#include "harness.h"

#define WORKERS 6
#define FILE_SIZE (64 << 10)

enum death {
	DETACH,		/* umount -l */
	FORCE,		/* umount -f, while in use and after */
	ABORT,		/* by the control file system */
	KILL,		/* kill -9 for the daemon */
	KILL_DETACH,	/* both, one after the other */
};

FIXTURE(death)
{
	struct backed b;
	char control[64];
};

FIXTURE_VARIANT(death)
{
	enum death how;
	unsigned int flags;
};

#define DAEMON (BACKED_DAEMON | BACKED_ALLOW_OTHER)

FIXTURE_VARIANT_ADD(death, detach) { DETACH, BACKED_ALLOW_OTHER };
FIXTURE_VARIANT_ADD(death, detach_with_daemon) { DETACH, DAEMON };
FIXTURE_VARIANT_ADD(death, force) { FORCE, BACKED_ALLOW_OTHER };
FIXTURE_VARIANT_ADD(death, force_with_daemon) { FORCE, DAEMON };
FIXTURE_VARIANT_ADD(death, abort) { ABORT, BACKED_ALLOW_OTHER };
FIXTURE_VARIANT_ADD(death, abort_with_daemon) { ABORT, DAEMON };
FIXTURE_VARIANT_ADD(death, kill_daemon) { KILL, DAEMON };
FIXTURE_VARIANT_ADD(death, kill_daemon_and_detach) { KILL_DETACH, DAEMON };

FIXTURE_SETUP(death)
{
	int i;

	ASSERT_EQ(0, backed_make(&self->b, "ext4"));
	for (i = 0; i < WORKERS; i++) {
		ASSERT_EQ(0, make_dir(in(self->b.back, "dir%d", i), 0755));
		ASSERT_EQ(0, make_big_file(in(self->b.back, "dir%d/file", i), FILE_SIZE, i));
	}
}

FIXTURE_TEARDOWN(death)
{
	umount2(in(self->b.top, "control"), MNT_DETACH);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

/* Each of these returns 0 for as long as all is well. What is open must stay usable. */
static int reads_and_writes(int fd, const char *dir)
{
	char buf[4096];
	off_t at = rand() % FILE_SIZE & ~4095;

	(void)dir;
	return pread(fd, buf, sizeof(buf), at) != sizeof(buf) ||
	       pwrite(fd, buf, sizeof(buf), at) != sizeof(buf) || (rand() % 8 == 0 && fsync(fd));
}

static int maps(int fd, const char *dir)
{
	volatile char *map = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	int i;

	(void)dir;
	if (map == MAP_FAILED)
		return 1;
	for (i = 0; i < FILE_SIZE; i += 4096)
		map[i] = map[i];
	return munmap((void *)map, FILE_SIZE);
}

/* Below the working directory, which is in the mount */
static int makes_and_removes(int fd, const char *dir)
{
	(void)dir;
	fd = open("new", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, "x", 1) != 1 || close(fd))
		return 1;
	return rename("new", "old") || unlink("old");
}

static int locks(int fd, const char *dir)
{
	(void)dir;
	return flock(fd, LOCK_EX) || flock(fd, LOCK_UN);
}

/* By path, which may lead to the mount or to the empty directory below it */
static int walks(int fd, const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	struct stat st;

	(void)fd;
	while (d && (entry = readdir(d)))
		fstatat(dirfd(d), entry->d_name, &st, 0);
	if (d)
		closedir(d);
	close(open(in(dir, "file"), O_RDONLY | O_CLOEXEC));
	return 0;
}

static int (*const work[WORKERS])(int fd, const char *dir) = {
	reads_and_writes, maps, makes_and_removes, locks, walks, reads_and_writes,
};

static pid_t start_worker(const char *mnt, int which, int ready)
{
	const char *dir = in(mnt, "dir%d", which);
	pid_t pid = fork();
	int fd;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	srand(getpid());
	fd = open(in(dir, "file"), O_RDWR | O_CLOEXEC);
	if (fd < 0 || chdir(dir) || write(ready, "x", 1) != 1)
		_exit(2);
	while (!work[which](fd, dir))
		;
	_exit(1);
}

/* Returns when all are at work. */
static int start_workers(const char *mnt, pid_t *pids)
{
	int pipes[2], i, err = 0;
	char byte;

	if (pipe2(pipes, O_CLOEXEC))
		return -errno;
	for (i = 0; i < WORKERS; i++)
		pids[i] = start_worker(mnt, i, pipes[1]);
	close(pipes[1]);
	for (i = 0; i < WORKERS && !err; i++)
		err = read(pipes[0], &byte, 1) == 1 ? 0 : -EPIPE;
	close(pipes[0]);
	return err;
}

/* Number of workers that had ended by themselves */
static int stop_workers(const pid_t *pids)
{
	int i, status, bad = 0;

	for (i = 0; i < WORKERS; i++)
		kill(pids[i], SIGKILL);
	for (i = 0; i < WORKERS; i++) {
		waitpid(pids[i], &status, 0);
		if (!WIFSIGNALED(status)) {
			say("worker %d ended with %d", i, WEXITSTATUS(status));
			bad++;
		}
	}
	return bad;
}

static int die(struct backed *b, const char *control, enum death how)
{
	int err = 0;

	if (how == KILL || how == KILL_DETACH) {
		raw_server_kill(b->server);
		close(b->dev);
		b->dev = -1;
	}
	if (how == ABORT)
		err = sh("echo 1 >%s/abort", control) ? -EIO : 0;
	if (how == FORCE && umount2(b->mnt, MNT_FORCE) != -1)
		return -EEXIST;
	if (how == DETACH || how == KILL_DETACH) {
		err = RES(umount2(b->mnt, MNT_DETACH));
		b->mounted = false;
	}
	return err;
}

/* What the last close of a file lets go of may take a moment. */
static int umount_soon(const char *path, int flags)
{
	int i, err;

	for (i = 0; i < 500; i++) {
		err = RES(umount2(path, flags));
		if (err != -EBUSY)
			break;
		usleep(10000);
	}
	return err;
}

static int end_mount(struct backed *b, enum death how)
{
	int err = 0;

	if (b->mounted)
		err = umount_soon(b->mnt, how == FORCE ? MNT_FORCE : 0);
	b->mounted = false;
	raw_server_free(b->server);
	b->server = NULL;
	if (b->dev >= 0)
		close(b->dev);
	b->dev = -1;
	return err;
}

static int module_users(void)
{
	char text[16];

	if (read_file("/sys/module/fuse_bpf/refcnt", text, sizeof(text)) <= 0)
		return 0;
	return atoi(text);
}

TEST_F(death, in_full_use)
{
	struct backed *b = &self->b;
	pid_t pids[WORKERS];
	int i, before = 0;

	for (i = 0; i < (int)scale(15); i++) {
		ASSERT_EQ(0, backed_mount(b, variant->flags));
		ASSERT_EQ(0, control_mount(b, self->control, sizeof(self->control)));
		ASSERT_EQ(0, start_workers(b->mnt, pids));
		usleep(rand() % 30000);
		EXPECT_EQ(0, die(b, self->control, variant->how)) TH_LOG("death %d", i);
		usleep(rand() % 30000);
		EXPECT_EQ(0, stop_workers(pids)) TH_LOG("death %d", i);
		ASSERT_EQ(0, end_mount(b, variant->how)) TH_LOG("death %d", i);
		/* The last is gone when its files are, and then so is its connection */
		ASSERT_EQ(0, umount_soon(b->back, 0)) TH_LOG("death %d", i);
		EXPECT_EQ(-ENOENT, RES(access(self->control, F_OK)));
		ASSERT_EQ(0, RES(umount(in(b->top, "control"))));
		ASSERT_EQ(0, RES(rmdir(in(b->top, "control"))));
		ASSERT_EQ(0, RES(mount(b->shared, b->back, NULL, MS_BIND, NULL)));
		if (!i)
			before = module_users();
		else
			EXPECT_EQ(before, module_users()) TH_LOG("death %d", i);
	}
}

/* A file that is open, alone, keeps all that it needs until it is closed. */
TEST_F(death, one_file_left)
{
	struct backed *b = &self->b;
	char byte;
	int fd;

	ASSERT_EQ(0, backed_mount(b, variant->flags));
	ASSERT_EQ(0, control_mount(b, self->control, sizeof(self->control)));
	fd = open(in(b->mnt, "dir1/file"), O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, die(b, self->control, variant->how));
	EXPECT_EQ(1, pread(fd, &byte, 1, 4000));
	EXPECT_EQ(byte_at(1, 4000), (unsigned char)byte);
	EXPECT_EQ(-EBUSY, RES(umount(b->back)));
	if (b->mounted)
		EXPECT_EQ(-EBUSY, RES(umount(b->mnt)));
	close(fd);
	EXPECT_EQ(0, end_mount(b, variant->how));
}

/* The mapping alone: neither the file nor the mount is there any more. */
TEST_F(death, one_mapping_left)
{
	struct backed *b = &self->b;
	unsigned char *map;
	int fd;

	ASSERT_EQ(0, backed_mount(b, variant->flags));
	ASSERT_EQ(0, control_mount(b, self->control, sizeof(self->control)));
	fd = open(in(b->mnt, "dir1/file"), O_RDONLY | O_CLOEXEC);
	map = mmap(NULL, FILE_SIZE, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	close(fd);
	ASSERT_EQ(0, die(b, self->control, variant->how == FORCE ? DETACH : variant->how));
	EXPECT_EQ(byte_at(1, 5000), map[5000]);
	EXPECT_EQ(-EBUSY, RES(umount(b->back)));
	munmap(map, FILE_SIZE);
	EXPECT_EQ(0, end_mount(b, variant->how));
}

TEST_HARNESS_MAIN
