// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ways to learn of names that are hidden, or to take them, without looking them up; and
 * the same for what may not be made in a shared collection.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "astack_fixture.h"
#include "harness.h"

#define APP	"Android/data/com.demo.game"
#define MISSING	"Android/data/com.demo.none"
#define OWN	"Android/data/com.demo.suite.a"

FIXTURE(names)
{
};

FIXTURE_SETUP(names)
{
	ASSERT_EQ(0, astack_start());
	ASSERT_EQ(0, make_file(astack_lower(OWN "/file"), "own", 0666));
	ASSERT_EQ(0, make_file(astack_lower(APP "/file"), "other", 0666));
}

FIXTURE_TEARDOWN(names)
{
	EXPECT_EQ(0, astack_stop());
}

static int rename_by(const char *from, const char *to, unsigned int flags)
{
	return RES(renameat2(AT_FDCWD, from, AT_FDCWD, to, flags));
}

static const unsigned int rename_flags[] = {
	0, RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT,
};

/* All that can be done with one's own file or directory and another name: ENOENT */
static int rename_all_ways(void *arg)
{
	const char *own = astack_path(OWN "/file");
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rename_flags); i++) {
		int there = rename_by(own, arg, rename_flags[i]);
		int back = rename_by(arg, own, rename_flags[i]);
		int dir = rename_by(astack_path(OWN), arg, rename_flags[i]);

		if (there != -ENOENT || back != -ENOENT || dir != -ENOENT) {
			say("flags %u, %s: %d, %d, %d", rename_flags[i], (char *)arg, there, back,
			    dir);
			return 1;
		}
	}
	return 0;
}

static int swap_shared(void *arg)
{
	const char *own = astack_path("DCIM/own.jpg");
	int fd = open(own, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	size_t i;

	if (fd < 0)
		return -errno;
	for (i = 0; i < ARRAY_SIZE(rename_flags); i++) {
		if (!rename_by(own, arg, rename_flags[i]) || !rename_by(arg, own, rename_flags[i]))
			return 1 + i;
	}
	return rename_by(own, astack_path(OWN "/file"), RENAME_EXCHANGE);
}

/* S7 */
TEST_F(names, renames)
{
	static const char *const others[] = { APP, APP "/file", MISSING, MISSING "/file" };
	struct stat before, after;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(others); i++)
		EXPECT_EQ(0, astack_try(SUITE, rename_all_ways, astack_path("%s", others[i])));
	EXPECT_STREQ("own", text_of(astack_lower(OWN "/file")));
	EXPECT_STREQ("other", text_of(astack_lower(APP "/file")));

	ASSERT_EQ(0, RES(stat(astack_lower(IMG1), &before)));
	EXPECT_EQ(-EXDEV, astack_try(SUITE, swap_shared, astack_path(IMG1)));
	ASSERT_EQ(0, RES(stat(astack_lower(IMG1), &after)));
	EXPECT_EQ(before.st_ino, after.st_ino);
}

static int move_dir(void *arg)
{
	const char *from = astack_path("Download/d"), *file = in(from, "evil.sh");
	int fd;

	/* It is shared all the same: the daemon could not move it otherwise */
	umask(077);
	if (mkdir(from, 0700))
		return -errno;
	fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	return RES(rename(from, arg));
}

/* S7: with a directory goes what is in it */
TEST_F(names, renames_of_directories)
{
	EXPECT_EQ(-EXDEV, astack_try(SPY, move_dir, astack_path("DCIM/d")));
	ASSERT_EQ(0, sh("rm -r %s", astack_lower("Download/d")));
	EXPECT_EQ(0, astack_try(SPY, move_dir, astack_path("Documents/d")));
	ASSERT_EQ(0, sh("rm -r %s", astack_lower("Documents/d")));
	/* Who may put anything anywhere */
	EXPECT_EQ(0, astack_try(FILES, move_dir, astack_path("DCIM/d")));
}

static int open_unnamed(void *arg)
{
	int fd = open(arg, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : 0;
}

/* An own file without a name gets one */
static int link_unnamed(void *arg)
{
	int fd = open(astack_path(OWN), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);

	if (fd < 0)
		return 1;
	return RES(linkat(AT_FDCWD, in("/proc/self/fd", "%d", fd), AT_FDCWD, arg,
			  AT_SYMLINK_FOLLOW));
}

/* S8 */
TEST_F(names, files_without_names)
{
	EXPECT_EQ(0, astack_try(SUITE, open_unnamed, astack_path(OWN)));
	EXPECT_EQ(-ENOENT, astack_try(SUITE, open_unnamed, astack_path(APP)));
	EXPECT_EQ(-ENOENT, astack_try(SUITE, open_unnamed, astack_path(MISSING)));
	EXPECT_EQ(-EACCES, astack_try(SUITE, open_unnamed, astack_path("Android/data")));
	EXPECT_EQ(-EPERM, astack_try(SUITE, open_unnamed, astack_path("DCIM")));
	EXPECT_EQ(-EPERM, astack_try(SUITE, open_unnamed, astack_path(".")));

	EXPECT_EQ(0, astack_try(SUITE, link_unnamed, astack_path(OWN "/named")));
	EXPECT_EQ(-ENOENT, astack_try(SUITE, link_unnamed, astack_path(APP "/named")));
	EXPECT_EQ(-ENOENT, astack_try(SUITE, link_unnamed, astack_path(APP)));
	EXPECT_EQ(-ENOENT, astack_try(SUITE, link_unnamed, astack_path(MISSING)));
	EXPECT_EQ(-EPERM, astack_try(SUITE, link_unnamed, astack_path("DCIM/named.jpg")));
	EXPECT_EQ(-EPERM, astack_try(SUITE, link_unnamed, astack_path("named.jpg")));
}

/* What somebody is shown, by bit */
static const char *const listed[] = {
	".", "..", ".nomedia", "com.demo.game", "com.demo.suite.a", "com.demo.suite.b",
};

/* The entries from here on, in a bitmap; -1: one that is in no list, or twice, or an error */
static int list_by(int fd, size_t size)
{
	struct entry {
		__u64 ino;
		__s64 off;
		__u16 len;
		__u8 type;
		char name[];
	} *entry;
	char buf[4096] __attribute__((aligned(8)));
	long len, at;
	int seen = 0;
	size_t i;

	while ((len = syscall(SYS_getdents64, fd, buf, size)) > 0) {
		for (at = 0; at < len; at += entry->len) {
			entry = (struct entry *)(buf + at);
			for (i = 0; i < ARRAY_SIZE(listed) && strcmp(entry->name, listed[i]); i++)
				;
			if (i == ARRAY_SIZE(listed) || seen & 1 << i)
				return -1;
			seen |= 1 << i;
		}
	}
	return len ? -1 : seen;
}

#define ALL_SEE	7

/* In buffers of all sizes, and from each place on */
static int list_all_ways(void *arg)
{
	int fd = open(astack_path("Android/data"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int wanted = *(int *)arg, seen, rounds = scale(50);
	off_t at;
	size_t size;

	if (fd < 0)
		return -errno;
	for (size = 48; size < 600; size += 8) {
		seen = lseek(fd, 0, SEEK_SET) ? -1 : list_by(fd, size);
		if (seen != wanted) {
			say("%zu bytes at a time: %#x, not %#x", size, seen, wanted);
			return 1;
		}
	}
	for (at = 0; at < 2000; at += at < 30 ? 1 : 97) {
		if (lseek(fd, at, SEEK_SET) < 0)
			continue;
		seen = list_by(fd, 4096);
		if (seen < 0 || seen & ~wanted) {
			say("from %ld on: %#x, not in %#x", (long)at, seen, wanted);
			return 2;
		}
	}
	while (rounds--) {
		if (lseek(fd, 0, SEEK_SET) || list_by(fd, 4096) != wanted)
			return 3;
	}
	return 0;
}

/* Until the other end of a pipe is closed */
static int churn(int stop)
{
	struct pollfd closed = { .fd = stop };
	unsigned int i;
	int err = 0;

	for (i = 0; !err && !poll(&closed, 1, 0); i++) {
		err = astack_ctl("install com.demo.churn%u 10130", i);
		err = err ?: astack_ctl("uninstall com.demo.churn%u", i);
	}
	return err || !i;
}

/* S15: of entries that are not shown, there is no trace in a listing, whoever makes some */
TEST_F(names, listings)
{
	int spy = ALL_SEE, game = ALL_SEE | 8, suite = ALL_SEE | 48;
	int pipes[2], status;
	pid_t pid;

	ASSERT_EQ(0, RES(pipe2(pipes, O_CLOEXEC)));
	pid = fork();
	if (!pid) {
		close(pipes[1]);
		_exit(churn(pipes[0]));
	}
	ASSERT_LT(0, pid);
	EXPECT_EQ(0, astack_as(SPY, list_all_ways, &spy));
	EXPECT_EQ(0, astack_as(GAME, list_all_ways, &game));
	EXPECT_EQ(0, astack_as(SUITE, list_all_ways, &suite));
	close(pipes[1]);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	close(pipes[0]);
}

/* What is said of the directory itself, in shared memory */
struct shape {
	struct stat st;
	struct statx stx;
	off_t end;
	fsfilcnt_t files, free;
};

static int measure(void *arg)
{
	struct shape *shape = *(struct shape **)arg;
	const char *data = astack_path("Android/data");
	int fd = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statvfs fs;

	if (fd < 0 || stat(data, &shape->st) || fstatvfs(fd, &fs) ||
	    statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_ALL, &shape->stx))
		return -errno;
	shape->end = lseek(fd, 0, SEEK_END);
	shape->files = fs.f_files;
	shape->free = fs.f_ffree;
	return 0;
}

/* S15: nor in what is said of the directory and of the file system */
TEST_F(names, shape_of_the_directory)
{
	struct shape *shapes = mmap(NULL, 3 * sizeof(*shapes), PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0), *at = shapes;
	int i;

	ASSERT_NE(MAP_FAILED, shapes);
	ASSERT_EQ(0, astack_as(SPY, measure, &at));
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, astack_ctl("install com.demo.more%d 10130", i));
	at++;
	ASSERT_EQ(0, astack_as(SPY, measure, &at));
	EXPECT_EQ(0, memcmp(shapes, at, sizeof(*at)));
	EXPECT_EQ(shapes[0].st.st_nlink, at->st.st_nlink);
	EXPECT_EQ(shapes[0].st.st_size, at->st.st_size);
	EXPECT_EQ(shapes[0].end, at->end);
	at++;
	ASSERT_EQ(0, astack_as(SHELL, measure, &at));
	EXPECT_NE(shapes[0].st.st_nlink, at->st.st_nlink);
	EXPECT_LT(shapes[0].files, at->files);
	munmap(shapes, 3 * sizeof(*shapes));
}

static int watch(void *arg)
{
	int fd = inotify_init1(IN_CLOEXEC), watch;

	if (fd < 0)
		return 1;
	watch = inotify_add_watch(fd, arg, IN_ALL_EVENTS);
	return watch < 0 ? -errno : 0;
}

static int watch_by_fanotify(void *arg)
{
	int fd = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_DFID_NAME | FAN_CLOEXEC, O_RDONLY);

	return fd < 0 ? 1 : RES(fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN | FAN_CREATE |
					      FAN_ONDIR | FAN_EVENT_ON_CHILD, AT_FDCWD, arg));
}

/* By a descriptor that was had by opening it to list it */
static int watch_what_is_open(void *arg)
{
	int fd = open(arg, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? 1 : watch((void *)in("/proc/self/fd", "%d", fd));
}

/* That something happens in it, but no names */
static int watch_by_signal(void *arg)
{
	int fd = open(arg, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : RES(fcntl(fd, F_NOTIFY, DN_CREATE | DN_DELETE));
}

/* S16: the one kind of watch that no file system is asked about can be turned off */
TEST_F(names, watches_by_signal)
{
	ASSERT_EQ(0, sh("echo 0 >/proc/sys/fs/dir-notify-enable"));
	EXPECT_EQ(-EINVAL, astack_try(SPY, watch_by_signal, astack_path("Android/data")));
	EXPECT_EQ(0, sh("echo 1 >/proc/sys/fs/dir-notify-enable"));
	EXPECT_EQ(-ENOENT, astack_try(SPY, watch_by_signal, astack_path(APP)));
}

/* S16 */
TEST_F(names, watches)
{
	static const struct {
		const char *path;
		enum astack_caller_id who;
		int wanted;
	} rows[] = {
		{ "Android/data", SPY, -EACCES }, { "Android/data", GAME, -EACCES },
		{ "Android/data", INST, -EACCES }, { "Android/data", FILES, -EACCES },
		{ "Android/data", SHELL, 0 }, { "Android/data", U10GAME, -EACCES },
		{ "Android/obb", SPY, -EACCES }, { "Android/obb", INST, 0 },
		{ APP, SPY, -ENOENT }, { APP, GAME, 0 }, { MISSING, SPY, -ENOENT },
		{ "DCIM/Camera", SPY, -EACCES }, { "DCIM/Camera", GAL, -EACCES },
		{ "DCIM/Camera", FILES, 0 }, { ".", SPY, -EACCES }, { "..", SPY, -EACCES },
		{ IMG1, SPY, -EACCES }, { IMG1, GAL, 0 }, { IMG1, CAM, 0 }, { "Android", SPY, 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *path = astack_path("%s", rows[i].path);

		EXPECT_EQ(rows[i].wanted, astack_try(rows[i].who, watch, path))
			TH_LOG("%s by %s", path, astack_callers[rows[i].who].name);
		EXPECT_EQ(rows[i].wanted, astack_try(rows[i].who, watch_by_fanotify, path))
			TH_LOG("%s by %s", path, astack_callers[rows[i].who].name);
	}
	EXPECT_EQ(-EACCES, astack_try(SPY, watch_what_is_open, astack_path("Android/data")));
	EXPECT_EQ(-EACCES, astack_try(SPY, watch_what_is_open, astack_path("DCIM/Camera")));
	EXPECT_EQ(0, astack_try(SPY, watch_what_is_open, astack_path("Android")));
}

static int open_it(void *arg)
{
	int fd = open(arg, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : 0;
}

static int open_cached(void *arg)
{
	struct open_how how = { .flags = O_PATH, .resolve = RESOLVE_CACHED };
	long fd = syscall(SYS_openat2, AT_FDCWD, arg, &how, sizeof(how));

	return fd < 0 ? -errno : 0;
}

/* S22: in the cache by a listing, and by nobody's look-up */
TEST_F(names, listed_and_then_opened)
{
	const char *lower = astack_lower("DCIM/Camera/IMG_0003.jpg");
	const char *data = astack_path("Android/data"), *camera = astack_path("DCIM/Camera");

	ASSERT_EQ(0, make_file(lower, "not known yet", 0664));
	ASSERT_EQ(0, RES(chown(lower, 10101, 1015)));
	ASSERT_EQ(0, sh("ls -lR %s %s >/dev/null", data, camera));
	/* That the cache does not do, whatever is in it */
	EXPECT_EQ(-EAGAIN, astack_try(SPY, open_cached, astack_path(APP)));
	EXPECT_EQ(-EAGAIN, astack_try(SPY, open_cached, astack_path(MISSING)));
	EXPECT_EQ(-ENOENT, astack_try(SPY, open_it, astack_path(APP)));
	EXPECT_EQ(-ENOENT, astack_try(SPY, open_it, astack_path(APP "/file")));
	EXPECT_EQ(0, astack_try(GAME, open_it, astack_path(APP "/file")));

	/* Listed only, with nothing known of it */
	ASSERT_EQ(0, make_file(astack_lower("DCIM/Camera/IMG_0004.jpg"), "nor this", 0664));
	ASSERT_EQ(0, RES(chown(astack_lower("DCIM/Camera/IMG_0004.jpg"), 10101, 1015)));
	ASSERT_EQ(0, sh("ls -U %s >/dev/null", camera));
	EXPECT_EQ(-EACCES, astack_try(SPY, open_it, astack_path("DCIM/Camera/IMG_0003.jpg")));
	EXPECT_EQ(-EACCES, astack_try(SPY, open_it, astack_path("DCIM/Camera/IMG_0004.jpg")));
	EXPECT_EQ(0, astack_try(GAL, open_it, astack_path("DCIM/Camera/IMG_0004.jpg")));
}

TEST_HARNESS_MAIN
