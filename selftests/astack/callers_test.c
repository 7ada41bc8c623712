// SPDX-License-Identifier: GPL-2.0-only
/*
 * Callers who are not what they seem to be, places that seem to be others, and rules
 * that change or go away meanwhile.
 */
#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "astack_fixture.h"
#include "filter_fixture.h"
#include "harness.h"
#include "uring.h"

#define DATA	"Android/data"
#define APP	DATA "/com.demo.game"
#define PINS	"/sys/fs/bpf/astack"

#define RIGHT_READ_IMG	(1U << 0)
#define RIGHT_LOCATION	(1U << 3)

FIXTURE(callers)
{
};

FIXTURE_SETUP(callers)
{
	ASSERT_EQ(0, astack_start());
}

FIXTURE_TEARDOWN(callers)
{
	EXPECT_EQ(0, astack_stop());
}

static int stat_it(void *arg)
{
	struct stat st;

	return RES(stat(arg, &st));
}

static int open_it(void *arg)
{
	int fd = open(arg, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : 0;
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err = fd < 0 ? -errno : write(fd, text, strlen(text)) < 0 ? -errno : 0;

	close(fd);
	return err;
}

/* Namespaces of one's own, in which one is a user of any number, with all capabilities */
static int own_namespaces(uid_t inside)
{
	uid_t uid = getuid();

	/* Who has been root does not own what is in /proc */
	if (prctl(PR_SET_DUMPABLE, 1) || unshare(CLONE_NEWUSER | CLONE_NEWNS))
		return -errno;
	return write_text("/proc/self/uid_map", in("", "%u %u 1", inside, uid) + 1);
}

static int find_it_in_own_mounts(void *arg)
{
	const char *data = astack_path(DATA);
	struct stat st;
	int fd;

	if (own_namespaces(0) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return 1;
	/* Under another name */
	if (mount(data, "/mnt", NULL, MS_BIND | MS_REC, NULL))
		return 2;
	if (!stat("/mnt/com.demo.game", &st) || errno != ENOENT)
		return 3;
	if (!mount(arg, "/mnt", NULL, MS_BIND, NULL) || errno != ENOENT)
		return 4;
	fd = syscall(SYS_open_tree, AT_FDCWD, data, 1 /* OPEN_TREE_CLONE */ | AT_RECURSIVE);
	if (fd < 0)
		return 5;
	if (!fstatat(fd, "com.demo.game", &st, 0) || errno != ENOENT)
		return 6;
	if (syscall(SYS_open_tree, AT_FDCWD, arg, 1) >= 0 || errno != ENOENT)
		return 7;
	/* As the root of all; a root must be a mount */
	if (chdir("/mnt") || syscall(SYS_pivot_root, ".", "."))
		return 8;
	if (!stat("/com.demo.game", &st) || errno != ENOENT)
		return 9;
	return 0;
}

/* S10 */
TEST_F(callers, mounts_of_their_own)
{
	EXPECT_EQ(0, astack_try(SPY, find_it_in_own_mounts, astack_path(APP)));
}

/* S10: what is mounted on a hidden name, or beside it under another one */
TEST_F(callers, mounts_on_hidden_names)
{
	const char *app = astack_path(APP), *alias = "/run/astack/alias";

	ASSERT_EQ(0, sh("mkdir -p %s && mount --bind %s %s", alias, astack_path("Android"), alias));
	EXPECT_EQ(-ENOENT, astack_try(SPY, stat_it, in(alias, "data/com.demo.game")));
	EXPECT_EQ(0, astack_try(GAME, stat_it, in(alias, "data/com.demo.game")));

	ASSERT_EQ(0, sh("mount -t tmpfs tmpfs %s && touch %s/there", app, app));
	EXPECT_EQ(-ENOENT, astack_try(SPY, stat_it, in(app, "there")));
	EXPECT_EQ(-ENOENT, astack_try(SPY, stat_it, app));
	EXPECT_EQ(-ENOENT, astack_try(SPY, stat_it, in(alias, "data/com.demo.game")));
	/* To be refused has not unmounted it */
	EXPECT_EQ(0, astack_try(GAME, stat_it, in(app, "there")));
	EXPECT_EQ(0, sh("umount %s && umount %s", app, alias));
}

/* By who it is for file systems, whoever it is otherwise */
static int stat_by_fsuid(void *arg)
{
	setfsuid(10105);
	if (stat_it(arg) != -ENOENT)
		return 1;
	setfsuid(10104);
	return stat_it(arg);
}

static int stat_by_number(void *arg)
{
	if (own_namespaces(10104) || getuid() != 10104)
		return 1;
	return stat_it(arg);
}

static int stat_after_chroot(void *arg)
{
	if (chroot(arg) || setresgid(10105, 10105, 10105) || setresuid(10105, 10105, 10105))
		return 1;
	return stat_it("/com.demo.game");
}

/* By a ring, and by a thread of the kernel that works for it */
static int stat_by_rings(void *arg)
{
	struct uring *plain = uring_new(), *polled = uring_new_polled();
	int first = plain ? uring_stat(plain, arg) : 1;
	int second = polled ? uring_stat(polled, arg) : 2;

	return first == second ? first : 3;
}

/* A ring that knows both root and an app: each request is made by who it says */
static int stat_by_personality(void *arg)
{
	struct uring *ring = uring_new();
	int spy, game;

	setfsuid(10105);
	spy = uring_personality(ring);
	setfsuid(10104);
	game = uring_personality(ring);
	setfsuid(0);
	if (spy <= 0 || game <= 0 || uring_stat(ring, arg))
		return 1;
	if (uring_stat_as(ring, spy, arg) != -ENOENT)
		return 2;
	return uring_stat_as(ring, game, arg);
}

/* What mountd does when a client asks for a path: 0, or what the kernel says of the export */
static int export_it(const char *path)
{
	char line[256];
	int fd, err;

	if (sh("modprobe nfsd") || write_text("/proc/net/rpc/auth.unix.ip/channel",
					      "nfsd 127.0.0.1 2147483647 test\n"))
		return 1;
	/* Flags: NFSEXP_FSID; then the user and group of nobody, and the number */
	snprintf(line, sizeof(line), "test %s 2147483647 8192 65534 65534 77\n", path);
	fd = open("/proc/net/rpc/nfsd.export/channel", O_WRONLY | O_CLOEXEC);
	err = fd < 0 ? 2 : write(fd, line, strlen(line)) < 0 ? -errno : 0;
	close(fd);
	return err;
}

/* S12: a server needs handles that can be opened, and there are none */
TEST_F(callers, nfs_server)
{
	ASSERT_EQ(0, sh("mkdir -p /run/astack/export && mount -t tmpfs tmpfs /run/astack/export"));
	EXPECT_EQ(0, export_it("/run/astack/export"));
	EXPECT_EQ(-EINVAL, export_it(ASTACK_MNT));
	EXPECT_EQ(-EINVAL, export_it(astack_path(DATA)));
	EXPECT_EQ(0, sh("date -d '+1 day' +%%s >/proc/net/rpc/nfsd.export/flush"));
	EXPECT_EQ(0, sh("umount -l /run/astack/export"));
}

/* S12 */
TEST_F(callers, identities)
{
	const char *app = astack_path(APP);

	EXPECT_EQ(0, astack_try(ROOT, stat_by_fsuid, app));
	EXPECT_EQ(-ENOENT, astack_try(SPY, stat_by_number, app));
	EXPECT_EQ(0, astack_try(GAME, stat_by_number, app));
	EXPECT_EQ(-ENOENT, astack_try(ROOT, stat_after_chroot, astack_path(DATA)));
	EXPECT_EQ(-ENOENT, astack_try(SPY, stat_by_rings, app));
	EXPECT_EQ(0, astack_try(GAME, stat_by_rings, app));
	EXPECT_EQ(0, astack_try(ROOT, stat_by_personality, app));
}

static int set_xattr(void *arg)
{
	return RES(setxattr(arg, "user.mark", "x", 1, 0));
}

static int set_acl(void *arg)
{
	/* Version 2; owner, group and others: rwx */
	static const char acl[] = "\2\0\0\0" "\1\0\7\0\377\377\377\377" "\4\0\7\0\377\377\377\377"
				  "\40\0\7\0\377\377\377\377";

	return RES(setxattr(arg, "system.posix_acl_access", acl, sizeof(acl) - 1, 0));
}

static int get_ranges(void *arg)
{
	char buf[64];

	return RES(getxattr(arg, "user.astack.redact", buf, sizeof(buf))) > 0 ? 0 : -errno;
}

static int drop_ranges(void *arg)
{
	return RES(removexattr(arg, "user.astack.redact"));
}

static int set_project(void *arg)
{
	int fd = open(arg, O_RDONLY | O_CLOEXEC);
	struct fsxattr attr = { .fsx_projid = 7 };

	return fd < 0 ? 1 : RES(ioctl(fd, FS_IOC_FSSETXATTR, &attr));
}

static int set_flags(void *arg)
{
	int fd = open(arg, O_RDONLY | O_CLOEXEC), flags = FS_NODUMP_FL;

	return fd < 0 ? 1 : RES(ioctl(fd, FS_IOC_SETFLAGS, &flags));
}

static int get_extents(void *arg)
{
	int fd = open(arg, O_RDONLY | O_CLOEXEC);
	struct fiemap map = { .fm_length = ~0ULL };

	return fd < 0 ? 1 : RES(ioctl(fd, FS_IOC_FIEMAP, &map));
}

static int get_quota(void *arg)
{
	struct if_dqblk quota;
	int fd = open(arg, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? 1 : RES(syscall(SYS_quotactl_fd, fd, QCMD(Q_GETQUOTA, USRQUOTA), 10104,
					&quota));
}

/* Where there is data, in 1000 bytes; the file has no holes */
static int seek_data(void *arg)
{
	int fd = open(arg, O_RDONLY | O_CLOEXEC);
	off_t data = lseek(fd, 5100, SEEK_DATA), hole = lseek(fd, 5100, SEEK_HOLE);

	return data == 5100 ? hole / 1000 : -EIO;
}

static int open_to_all(void *arg)
{
	return RES(chmod(arg, 0777)) ?: set_acl(arg);
}

/* S17 */
TEST_F(callers, attributes)
{
	const char *data = astack_path(DATA), *img = astack_path(IMG1), *app = astack_path(APP);
	size_t i;
	int (*const tries[])(void *arg) = { set_xattr, set_acl, set_project, set_flags, get_quota };

	for (i = 0; i < ARRAY_SIZE(tries); i++)
		EXPECT_GT(0, astack_try(SPY, tries[i], data)) TH_LOG("number %zu", i);
	EXPECT_EQ(-EPERM, astack_try(CAM, set_xattr, img));
	EXPECT_EQ(-EPERM, astack_try(CAM, set_acl, img));
	EXPECT_EQ(-EPERM, astack_try(CAM, drop_ranges, img));
	EXPECT_EQ(-EACCES, astack_try(SPY, get_ranges, img));
	EXPECT_EQ(0, astack_try(SHELL, get_ranges, img));

	EXPECT_EQ(-EOPNOTSUPP, astack_try(GAL, get_extents, img));
	EXPECT_EQ(-EOPNOTSUPP, astack_try(MAP, get_extents, img));
	/* What is redacted is no hole */
	EXPECT_EQ(IMG1_SIZE / 1000, astack_try(GAL, seek_data, img));

	/* Modes and ACLs do not show a directory to whom it is hidden from */
	EXPECT_EQ(0, astack_try(GAME, open_to_all, app));
	EXPECT_EQ(-ENOENT, astack_try(SPY, stat_it, app));
	EXPECT_EQ(0, astack_try(GAME, set_xattr, app));
}

static int lease_it(void *arg)
{
	int fd = open(arg, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? 1 : RES(fcntl(fd, F_SETLEASE, F_RDLCK));
}

static int lock_to_write(void *arg)
{
	int fd = open(arg, O_RDONLY | O_CLOEXEC);
	struct flock lock = { .l_type = F_WRLCK };

	return fd < 0 ? 1 : RES(fcntl(fd, F_SETLK, &lock));
}

static int lock_without_opening(void *arg)
{
	int fd = open(arg, O_PATH | O_CLOEXEC);

	return fd < 0 ? 1 : RES(flock(fd, LOCK_EX | LOCK_NB));
}

static int lock_it(void *arg)
{
	int fd = open(arg, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : RES(flock(fd, LOCK_EX | LOCK_NB));
}

/* S18: who may not open a file does not lock it, nor hears of who opens it */
TEST_F(callers, locks_and_leases)
{
	const char *img = astack_path(IMG1), *file = astack_path(APP "/locked");

	EXPECT_GT(0, astack_try(GAL, lease_it, img));
	EXPECT_GT(0, astack_try(CAM, lease_it, img));
	EXPECT_EQ(-EBADF, astack_try(GAL, lock_to_write, img));
	EXPECT_EQ(-EBADF, astack_try(SPY, lock_without_opening, img));
	EXPECT_EQ(-EACCES, astack_try(SPY, lock_it, img));
	EXPECT_EQ(-ENOENT, astack_try(SPY, lock_it, file));
	EXPECT_EQ(0, astack_try(GAME, lock_it, file));
	EXPECT_EQ(0, astack_try(CAM, lock_it, img));
}

/**
 * struct probe - a name that is looked up until the other end of a pipe is closed
 * @path: the name
 * @stop: this end
 * @errnos: that it may end with, 0-terminated
 */
struct probe {
	char path[256];
	int stop;
	int errnos[3];
};

static int probe_often(void *arg)
{
	const struct probe *probe = arg;
	struct pollfd closed = { .fd = probe->stop };
	unsigned int i = 0;
	struct stat st;

	do {
		if (!stat(probe->path, &st) ||
		    (errno != probe->errnos[0] && errno != probe->errnos[1]))
			return 1;
	} while (++i % 64 || !poll(&closed, 1, 0));
	return 0;
}

/* The process, and the end of the pipe to be closed in *@stop; errno 0: none besides ENOENT */
static pid_t start_probing(const char *path, int other, int *stop)
{
	struct probe probe = { .errnos = { ENOENT, other ?: ENOENT } };
	int pipes[2];
	pid_t pid;

	snprintf(probe.path, sizeof(probe.path), "%s", path);
	if (pipe2(pipes, O_CLOEXEC))
		return -1;
	probe.stop = pipes[0];
	*stop = pipes[1];
	pid = fork();
	if (!pid) {
		close(pipes[1]);
		_exit(astack_as(SPY, probe_often, &probe) ? 1 : 0);
	}
	close(pipes[0]);
	return pid;
}

static int stop_probing(pid_t pid, int stop)
{
	int status;

	close(stop);
	return waitpid(pid, &status, 0) == pid ? status : -errno;
}

static int detach_first(void *arg)
{
	int fd = open(arg, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? 1 : fuse_bpf_detach(fd, 1);
}

/* S20: other filters come and go meanwhile; this one does, and all is closed */
TEST_F(callers, filters_come_and_go)
{
	const char *app = astack_path(APP);
	int dir = open(ASTACK_MNT, O_RDONLY | O_DIRECTORY | O_CLOEXEC), stop;
	pid_t pid = start_probing(app, EIO, &stop);
	struct filter filter = FILTER_NONE;
	unsigned int i;

	ASSERT_LT(0, pid);
	ASSERT_LE(0, dir);
	ASSERT_EQ(0, filter_load(&filter, "scripted"));
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, filter_attach(&filter, dir, 0, 0));
		ASSERT_EQ(0, filter_detach(&filter));
	}
	filter_destroy(&filter);
	close(dir);
	EXPECT_EQ(-EPERM, astack_try(FILES, detach_first, astack_path("DCIM")));
	EXPECT_EQ(0, astack_try(GAME, stat_it, app));
	ASSERT_EQ(0, RES(unlink(PINS "/link_astack_priv")));
	for (i = 0; i < 100 && astack_try(GAME, stat_it, app) != -EIO; i++)
		;
	EXPECT_EQ(-EIO, astack_try(GAME, stat_it, app));
	EXPECT_EQ(-EIO, astack_try(SPY, stat_it, app));
	EXPECT_EQ(0, stop_probing(pid, stop));
}

static unsigned char full[IMG1_SIZE], redacted[IMG1_SIZE];

/* All of it or none, and never without the right to read */
static int read_often(void *arg)
{
	struct pollfd closed = { .fd = *(int *)arg };
	static unsigned char buf[IMG1_SIZE];
	unsigned int i = 0;
	ssize_t len;
	int fd;

	do {
		fd = open(astack_path(IMG1), O_RDONLY | O_CLOEXEC);
		if (fd < 0) {
			if (errno != EACCES)
				return 1;
			continue;
		}
		len = pread(fd, buf, sizeof(buf), 0);
		close(fd);
		if (len != IMG1_SIZE || (memcmp(buf, full, len) && memcmp(buf, redacted, len)))
			return 2;
	} while (++i % 8 || !poll(&closed, 1, 0));
	return 0;
}

/* S21 */
TEST_F(callers, rights_come_and_go)
{
	static const __u32 flags[] = { RIGHT_READ_IMG, RIGHT_READ_IMG | RIGHT_LOCATION };
	int map = bpf_obj_get(PINS "/astack_uids"), pipes[2], stop;
	const __u32 gal = 10102, spy = 10105, installer = 1U << 5;
	pid_t prober = start_probing(astack_path(APP), 0, &stop), reader;
	unsigned int i;

	ASSERT_LE(0, map);
	ASSERT_EQ(0, astack_load_image(full, redacted));
	ASSERT_EQ(0, RES(pipe2(pipes, O_CLOEXEC)));
	reader = fork();
	if (!reader) {
		close(pipes[1]);
		close(stop);
		_exit(astack_as(GAL, read_often, &pipes[0]));
	}
	for (i = 0; i < scale(20000); i++) {
		ASSERT_EQ(0, bpf_map_update_elem(map, &gal, &flags[i % 2], BPF_ANY));
		if (i % 5 == 0)
			ASSERT_EQ(0, bpf_map_delete_elem(map, &gal));
		ASSERT_EQ(0, bpf_map_update_elem(map, &spy, &installer, BPF_ANY));
		ASSERT_EQ(0, bpf_map_delete_elem(map, &spy));
	}
	EXPECT_EQ(0, stop_probing(prober, stop));
	EXPECT_EQ(0, stop_probing(reader, pipes[1]));
	ASSERT_EQ(0, bpf_map_delete_elem(map, &gal));
	EXPECT_EQ(-EACCES, astack_try(GAL, open_it, astack_path(IMG1)));
	close(map);
}

TEST_HARNESS_MAIN
