// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the mount of the backing forbids is forbidden through the backed mount, which
 * itself forbids nothing: from the moment on that it is, and as long as it is.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "backed_fixture.h"
#include "harness.h"
#include "idmap.h"

/* Readable for root and one group only */
#define SECRET "/etc/shadow"

FIXTURE(restrict)
{
	struct backed b;
	char back[64];
	char mnt[64];
};

FIXTURE_SETUP(restrict)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, backed_setup(b, "tmpfs", BACKED_ALLOW_OTHER));
	strcpy(self->back, in(b->back, "grep"));
	strcpy(self->mnt, in(b->mnt, "grep"));
	ASSERT_EQ(0, sh("cp /usr/bin/grep %s", self->back));
	ASSERT_EQ(0, chmod(self->back, 0755));
}

FIXTURE_TEARDOWN(restrict)
{
	EXPECT_EQ(0, backed_destroy(&self->b));
}

/* Give the mount of the backing these flags, and no others. */
static int back_flags(const struct backed *b, unsigned long flags)
{
	return RES(mount(NULL, b->back, NULL, MS_REMOUNT | MS_BIND | flags, NULL));
}

/* 0: the program could read the secret, 2: it could not, or why it did not run */
static int greps_secret(void *arg)
{
	execl(arg, arg, "-qs", ".", SECRET, NULL);
	return -errno;
}

static int user_greps(const char *program)
{
	return as_user(USER1, USER1, greps_secret, program);
}

static int set_caps(const char *path)
{
	const struct vfs_cap_data caps = {
		.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
		.data[0].permitted = 1 << CAP_DAC_READ_SEARCH,
	};

	return RES(setxattr(path, "security.capability", &caps, sizeof(caps), 0));
}

/* Put a group's set-id bit on a program, for the group that may read the secret. */
static int set_gid(const char *path)
{
	struct stat st;

	if (stat(SECRET, &st) || chown(path, 0, st.st_gid) || chmod(path, 02755))
		return -errno;
	return (st.st_mode & 0777) == 0640 && st.st_gid ? 0 : -EINVAL;
}

/* 0: what it gives is lost with nosuid only, and back without */
static int lost_with_nosuid(const struct backed *b, const char *program)
{
	if (user_greps(program))
		return 1;
	if (back_flags(b, MS_NOSUID) || user_greps(program) != 2)
		return 2;
	return back_flags(b, 0) || user_greps(program) ? 3 : 0;
}

TEST_F(restrict, nosuid_takes_the_user)
{
	EXPECT_EQ(2, user_greps(self->mnt));
	ASSERT_EQ(0, chmod(self->back, 04755));
	EXPECT_EQ(0, lost_with_nosuid(&self->b, self->mnt));
}

TEST_F(restrict, nosuid_takes_the_group)
{
	ASSERT_EQ(0, set_gid(self->back));
	EXPECT_EQ(0, lost_with_nosuid(&self->b, self->mnt));
}

TEST_F(restrict, nosuid_takes_capabilities)
{
	char caps[64];

	ASSERT_EQ(0, set_caps(self->back));
	EXPECT_EQ(0, lost_with_nosuid(&self->b, self->mnt));
	/* They are there for whoever looks */
	ASSERT_EQ(0, back_flags(&self->b, MS_NOSUID));
	EXPECT_LT(0, RES(getxattr(self->mnt, "security.capability", caps, sizeof(caps))));
}

/* Through a symbolic link, as an interpreter, by descriptor: the same file */
static int greps_by_fd(void *arg)
{
	char *const argv[] = { "grep", "-qs", ".", SECRET, NULL };
	char *const envp[] = { NULL };

	syscall(SYS_execveat, *(int *)arg, "", argv, envp, AT_EMPTY_PATH);
	return -errno;
}

TEST_F(restrict, nosuid_whatever_the_way)
{
	struct backed *b = &self->b;
	const char *script = in(b->mnt, "script");
	int fd = open(self->mnt, O_PATH | O_CLOEXEC);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, chmod(self->back, 04755));
	ASSERT_EQ(0, symlink("grep", in(b->back, "link")));
	ASSERT_EQ(0, make_file(script, "", 0755));
	/* Takes what it looks for from the script, where a dot is for anything */
	ASSERT_EQ(0, sh("printf '#!%s -qsf\\n.\\n' > %s", self->mnt, script));
	EXPECT_EQ(0, user_greps(script));
	EXPECT_EQ(0, user_greps(in(b->mnt, "link")));
	EXPECT_EQ(0, as_user(USER1, USER1, greps_by_fd, &fd));

	ASSERT_EQ(0, back_flags(b, MS_NOSUID));
	EXPECT_EQ(2, user_greps(in(b->mnt, "link")));
	EXPECT_EQ(2, as_user(USER1, USER1, greps_by_fd, &fd));
	EXPECT_EQ(2, user_greps(script));
	close(fd);
}

/* What is not honoured must be removed by a writer all the same. */
static int write_a_byte(void *arg)
{
	int fd = open(arg, O_WRONLY | O_CLOEXEC);
	int err = RES(write(fd, "x", 1));

	close(fd);
	return err;
}

TEST_F(restrict, nosuid_or_not_a_write_takes_privileges)
{
	struct stat st;
	char caps[64];

	ASSERT_EQ(0, chmod(self->back, 04777));
	ASSERT_EQ(0, set_caps(self->back));
	ASSERT_EQ(0, back_flags(&self->b, MS_NOSUID));
	EXPECT_EQ(1, as_user(USER1, USER1, write_a_byte, self->mnt));
	ASSERT_EQ(0, stat(self->back, &st));
	EXPECT_EQ(0777, st.st_mode & 07777);
	EXPECT_EQ(-ENODATA, RES(getxattr(self->back, "security.capability", caps, sizeof(caps))));

	ASSERT_EQ(0, set_caps(self->back));
	EXPECT_EQ(0, RES(chown(self->mnt, 0, 1)));
	EXPECT_EQ(-ENODATA, RES(getxattr(self->back, "security.capability", caps, sizeof(caps))));
}

/* A process with a file system of its own in a user namespace, whose root is root */
static pid_t owner_of_a_tmpfs(const char *path)
{
	int ns = userns_with_map(0, 0, 65536);
	int pipes[2];
	pid_t pid;
	char byte;

	if (ns < 0 || pipe2(pipes, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (setns(ns, CLONE_NEWUSER) || unshare(CLONE_NEWNS) ||
		    mount("user", path, "tmpfs", 0, "mode=0755") || write(pipes[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ns);
	close(pipes[1]);
	if (pid > 0 && read(pipes[0], &byte, 1) != 1) {
		waitpid(pid, NULL, 0);
		pid = -EPERM;
	}
	close(pipes[0]);
	return pid;
}

TEST_F(restrict, a_user_namespace_gives_nothing_to_those_outside)
{
	struct backed *b = &self->b;
	const char *dir = in(b->top, "user");
	char program[96];
	pid_t pid;
	int fd;

	ASSERT_EQ(0, backed_umount(b));
	ASSERT_EQ(0, mkdir(dir, 0755));
	pid = owner_of_a_tmpfs(dir);
	ASSERT_LT(0, pid);
	snprintf(program, sizeof(program), "/proc/%d/root%s/grep", pid, dir);
	EXPECT_EQ(0, sh("cp /usr/bin/grep %s && chmod 4755 %s", program, program));
	fd = open_dir(in("/proc", "%d/root%s", pid, dir), O_PATH);
	EXPECT_EQ(0, try_mount(TRY_MOUNT(.backing = fd, .daemonless = true, .allow_other = true,
					 .at = b->mnt)));
	b->mounted = true;
	EXPECT_EQ(2, user_greps(self->mnt));
	EXPECT_EQ(0, chmod(program, 0755));
	EXPECT_EQ(0, set_caps(program));
	EXPECT_EQ(2, user_greps(self->mnt));
	close(fd);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int map_as(const char *path, int prot)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *map = mmap(NULL, 4096, prot, MAP_PRIVATE, fd, 0);
	int err = map == MAP_FAILED ? -errno : 0;

	close(fd);
	if (err)
		return err;
	err = prot & PROT_EXEC ? 0 : RES(mprotect(map, 4096, prot | PROT_EXEC));
	munmap(map, 4096);
	return err;
}

static int run_by_linker(const char *program)
{
	return sh("/lib64/ld-linux-x86-64.so.2 %s -qs . " SECRET " 2>/dev/null", program);
}

TEST_F(restrict, noexec)
{
	int fd = open(self->mnt, O_PATH | O_CLOEXEC);

	ASSERT_LE(0, fd);
	EXPECT_EQ(2, user_greps(self->mnt));
	EXPECT_EQ(0, run_by_linker(self->mnt));
	ASSERT_EQ(0, back_flags(&self->b, MS_NOEXEC));
	EXPECT_EQ(-EACCES, user_greps(self->mnt));
	EXPECT_EQ(-EACCES, as_user(USER1, USER1, greps_by_fd, &fd));
	EXPECT_EQ(-EACCES, in_child(greps_secret, self->mnt));
	EXPECT_EQ(-EACCES, RES(access(self->mnt, X_OK)));
	EXPECT_EQ(0, RES(access(self->mnt, R_OK | W_OK)));
	EXPECT_EQ(0, RES(access(self->b.mnt, X_OK)));
	EXPECT_NE(0, run_by_linker(self->mnt));
	EXPECT_EQ(-EPERM, map_as(self->mnt, PROT_READ | PROT_EXEC));
	EXPECT_EQ(-EACCES, map_as(self->mnt, PROT_READ));
	ASSERT_EQ(0, back_flags(&self->b, 0));
	EXPECT_EQ(2, user_greps(self->mnt));
	EXPECT_EQ(0, map_as(self->mnt, PROT_READ | PROT_EXEC));
	EXPECT_EQ(0, map_as(self->mnt, PROT_READ));
	close(fd);
}

TEST_F(restrict, nodev)
{
	const char *back = in(self->b.back, "null"), *mnt = in(self->b.mnt, "null");
	struct stat st;
	int fd;

	ASSERT_EQ(0, mknod(back, S_IFCHR | 0666, makedev(1, 3)));
	ASSERT_EQ(0, mkfifo(in(self->b.back, "fifo"), 0666));
	EXPECT_EQ(0, user_open(USER1, mnt, O_RDWR));
	ASSERT_EQ(0, back_flags(&self->b, MS_NODEV));
	EXPECT_EQ(-EACCES, user_open(USER1, mnt, O_RDONLY));
	EXPECT_EQ(-EACCES, user_open(0, mnt, O_RDWR));
	fd = open(mnt, O_PATH | O_CLOEXEC);
	EXPECT_LE(0, fd);
	EXPECT_EQ(-EACCES, user_open(0, in("/proc/self/fd", "%d", fd), O_RDONLY));
	EXPECT_EQ(0, RES(stat(mnt, &st)));
	EXPECT_EQ(0, RES(access(mnt, R_OK | W_OK)));
	EXPECT_EQ(0, user_open(0, in(self->b.mnt, "fifo"), O_RDWR));
	ASSERT_EQ(0, back_flags(&self->b, 0));
	EXPECT_EQ(0, user_open(USER1, mnt, O_RDWR));
	close(fd);
}

/* mount(2) takes a block device by its path and never opens that. */
TEST_F(restrict, nodev_when_the_mount_is_made)
{
	struct backed *b = &self->b;
	const char *dev = in(b->mnt, "loop"), *at = in(b->top, "at");

	ASSERT_EQ(0, mkdir(at, 0755));
	ASSERT_EQ(0, mknod(in(b->back, "loop"), S_IFBLK | 0600, makedev(7, 0)));
	EXPECT_NE(-EACCES, RES(mount(dev, at, "ext4", 0, NULL)));
	ASSERT_EQ(0, backed_umount(b));
	ASSERT_EQ(0, back_flags(b, MS_NODEV));
	ASSERT_EQ(0, backed_mount(b, 0));
	EXPECT_EQ(-EACCES, RES(mount(dev, at, "ext4", 0, NULL)));
	ASSERT_EQ(0, back_flags(b, 0));
	EXPECT_EQ(-EACCES, RES(mount(dev, at, "ext4", 0, NULL)));
	EXPECT_EQ(-EACCES, user_open(0, dev, O_RDONLY));
}

TEST_F(restrict, nosymfollow)
{
	const char *link = in(self->b.mnt, "link");
	struct stat st;
	char text[8] = "";

	ASSERT_EQ(0, symlink("grep", in(self->b.back, "link")));
	EXPECT_EQ(0, RES(stat(link, &st)));
	ASSERT_EQ(0, back_flags(&self->b, MS_NOSYMFOLLOW));
	EXPECT_EQ(-ELOOP, RES(stat(link, &st)));
	EXPECT_EQ(-ELOOP, RES(open(link, O_RDONLY)));
	EXPECT_EQ(0, RES(lstat(link, &st)));
	EXPECT_EQ(4, RES(readlink(link, text, sizeof(text))));
	EXPECT_STREQ("grep", text);
	EXPECT_EQ(2, RES(readlink(link, text, 2)));
	EXPECT_EQ(-EFAULT, RES(readlink(link, bad_address(), 8)));
	ASSERT_EQ(0, back_flags(&self->b, 0));
	EXPECT_EQ(0, RES(stat(link, &st)));
}

/* Does reading a file or a directory through the mount leave a mark? */
static int read_moves_atime(const char *mnt, const char *back)
{
	const struct timespec old[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	struct stat st;
	char text[8];

	if (utimensat(AT_FDCWD, back, old, 0) || stat(back, &st))
		return -errno;
	if (S_ISDIR(st.st_mode) ? sh("ls %s >/dev/null", mnt) :
				  read_file(mnt, text, sizeof(text)) <= 0)
		return -EIO;
	return stat(back, &st) ? -errno : st.st_atim.tv_sec != 1;
}

TEST_F(restrict, access_times)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, back_flags(b, MS_STRICTATIME));
	EXPECT_EQ(1, read_moves_atime(self->mnt, self->back));
	EXPECT_EQ(1, read_moves_atime(b->mnt, b->back));
	ASSERT_EQ(0, back_flags(b, MS_NODIRATIME | MS_STRICTATIME));
	EXPECT_EQ(1, read_moves_atime(self->mnt, self->back));
	EXPECT_EQ(0, read_moves_atime(b->mnt, b->back));
	ASSERT_EQ(0, back_flags(b, MS_NOATIME));
	EXPECT_EQ(0, read_moves_atime(self->mnt, self->back));
	EXPECT_EQ(0, read_moves_atime(b->mnt, b->back));
}

TEST_HARNESS_MAIN
