// SPDX-License-Identifier: GPL-2.0-only
/*
 * A backing whose disk fails, or is full: each call through the mount ends as the same one
 * in a native directory of that file system does, whoever reports the error first; and
 * when the disk works again, all is there that was written before.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "backed_fixture.h"
#include "flaky.h"
#include "harness.h"
#include "shape.h"

#define PAGE 4096
#define SIZE (16 * PAGE)
#define SEED 5
FIXTURE(disk)
{
	struct backed b;
	struct flaky disk;
};

#define HEAL() ASSERT_EQ(0, flaky_set(&self->disk, FLAKY_WORKS))
#define FAIL_READS() ASSERT_EQ(0, flaky_set(&self->disk, FLAKY_NO_READS))
#define FAIL_WRITES() ASSERT_EQ(0, flaky_set(&self->disk, FLAKY_NO_WRITES))

/* Without a journal, which would make one error that of all files */
FIXTURE_SETUP(disk)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, backed_make(b, "tmpfs"));
	ASSERT_EQ(0, RES(umount(b->back)));
	ASSERT_EQ(0, sh("truncate -s 16M %s/disk", b->top));
	ASSERT_EQ(0, flaky_make(&self->disk, in(b->top, "disk")));
	ASSERT_EQ(0, sh("mkfs.ext4 -q -b 4096 -O ^has_journal %s && mount -t ext4 %s %s",
			self->disk.path, self->disk.path, b->back));
	ASSERT_EQ(0, make_dir(in(b->back, "n"), 0755));
	ASSERT_EQ(0, make_dir(in(b->back, "m"), 0755));
	ASSERT_EQ(0, backed_mount(b, 0));
}

FIXTURE_TEARDOWN(disk)
{
	EXPECT_EQ(0, backed_umount(&self->b));
	EXPECT_EQ(0, RES(umount(self->b.back)));
	EXPECT_EQ(0, flaky_destroy(&self->disk));
	/* For the check of the fixture below, which wants to unmount something */
	EXPECT_EQ(0, RES(mount("none", self->b.back, "tmpfs", 0, NULL)));
	EXPECT_EQ(0, backed_destroy(&self->b));
}

/* What the mount keeps is dropped first, and then what that has kept */
static int drop_caches(void)
{
	int err;

	sync();
	err = append_file("/proc/sys/vm/drop_caches", "3");
	return err ? err : append_file("/proc/sys/vm/drop_caches", "3");
}

/* In both directories: a file, a long link, a directory, a large attribute */
static int fill(const char *dir)
{
	char target[200], value[1000];
	int err = make_big_file(in(dir, "file"), SIZE, SEED);

	memset(target, 't', sizeof(target));
	target[sizeof(target) - 1] = 0;
	memset(value, 'v', sizeof(value));
	err = err ? err : RES(symlink(target, in(dir, "link")));
	err = err ? err : make_dir(in(dir, "sub"), 0755);
	err = err ? err : make_file(in(dir, "sub/in"), "in", 0644);
	err = err ? err : make_file(in(dir, "attr"), "", 0644);
	return err ? err : RES(setxattr(in(dir, "attr"), "user.large", value, sizeof(value), 0));
}

/**
 * struct call - one that fails
 * @name: for people
 * @path: what is open when the disk begins to fail, in the directory
 * @flags: how
 * @run: the call
 * @want: what it returns
 */
struct call {
	const char *name;
	const char *path;
	int flags;
	long (*run)(int fd);
	long want;
};

static long run_read(int fd)
{
	char buf[PAGE];

	return RES(pread(fd, buf, sizeof(buf), PAGE));
}

static long run_read_direct(int fd)
{
	static char buf[PAGE] __attribute__((aligned(PAGE)));

	return RES(pread(fd, buf, sizeof(buf), PAGE));
}

static long run_sendfile(int fd)
{
	int out = open("/dev/null", O_WRONLY | O_CLOEXEC);
	long ret = RES(sendfile(out, fd, NULL, PAGE));

	close(out);
	return ret;
}

static int touch(void *arg)
{
	volatile char *map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, *(int *)arg, 0);

	return map == MAP_FAILED ? -errno : map[0] & 1;
}

/* Killed by SIGBUS */
static long run_touch(int fd)
{
	return in_child(touch, &fd);
}

static long run_write_part(int fd)
{
	return RES(pwrite(fd, "part", 4, 5 * PAGE + 100));
}

static long run_lookup(int fd)
{
	struct stat st;

	return RES(fstatat(fd, "in", &st, 0));
}

static long run_list(int fd)
{
	char buf[PAGE];

	return RES(getdents64(fd, buf, sizeof(buf)));
}

static long run_readlink(int fd)
{
	char buf[256];

	return RES(readlinkat(fd, "", buf, sizeof(buf)));
}

static long run_getxattr(int fd)
{
	char value[1000];

	return RES(fgetxattr(fd, "user.large", value, sizeof(value)));
}

static long run_truncate(int fd)
{
	return RES(ftruncate(fd, PAGE + 100));
}

static const struct call reads[] = {
	{ "read", "file", O_RDONLY, run_read, -EIO },
	{ "direct read", "file", O_RDONLY | O_DIRECT, run_read_direct, -EIO },
	{ "sendfile", "file", O_RDONLY, run_sendfile, -EIO },
	{ "mapping", "file", O_RDONLY, run_touch, -EINTR },
	{ "write of a part", "file", O_RDWR, run_write_part, -EIO },
	{ "truncate", "file", O_RDWR, run_truncate, -EIO },
	{ "look-up", "sub", O_PATH | O_DIRECTORY, run_lookup, -EIO },
	{ "listing", "sub", O_RDONLY | O_DIRECTORY, run_list, -EIO },
	{ "readlink", "link", O_PATH | O_NOFOLLOW, run_readlink, -EIO },
	{ "getxattr", "attr", O_RDONLY, run_getxattr, -EIO },
};

static long run_fsync(int fd)
{
	long ret = RES(pwrite(fd, "new", 3, 0));

	return ret < 0 ? ret : RES(fsync(fd));
}

static long run_fdatasync(int fd)
{
	long ret = RES(pwrite(fd, "new", 3, 0));

	return ret < 0 ? ret : RES(fdatasync(fd));
}

static long run_write(int fd)
{
	return RES(pwrite(fd, "new", 3, 0));
}

static long run_write_direct(int fd)
{
	static char buf[PAGE] __attribute__((aligned(PAGE)));

	return RES(pwrite(fd, buf, sizeof(buf), 0));
}

static long run_msync(int fd)
{
	char *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	long ret;

	if (map == MAP_FAILED)
		return -errno;
	map[0] ^= 1;
	ret = RES(msync(map, PAGE, MS_SYNC));
	munmap(map, PAGE);
	return ret;
}

static long run_syncfs(int fd)
{
	long ret = RES(pwrite(fd, "new", 3, 0));

	return ret < 0 ? ret : RES(syncfs(fd));
}

static const struct call writes[] = {
	{ "fsync", "file", O_RDWR, run_fsync, -EIO },
	{ "fdatasync", "file", O_RDWR, run_fdatasync, -EIO },
	{ "O_DSYNC", "file", O_RDWR | O_DSYNC, run_write, -EIO },
	{ "direct write", "file", O_RDWR | O_DIRECT, run_write_direct, -EIO },
	{ "msync", "file", O_RDWR, run_msync, -EIO },
	{ "syncfs", "file", O_RDWR, run_syncfs, -EIO },
};

static void open_both(struct __test_metadata *_metadata, const struct backed *b,
		      const struct call *call, int fds[2])
{
	const char *native = in(b->back, "n/%s", call->path), *mount = in(b->mnt, "m/%s", call->path);

	fds[0] = open(native, call->flags | O_CLOEXEC);
	fds[1] = open(mount, call->flags | O_CLOEXEC);
	ASSERT_LE(0, fds[0]);
	ASSERT_LE(0, fds[1]);
}

static void close_both(int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

TEST_F(disk, reads_fail)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, fill(in(b->back, "n")));
	ASSERT_EQ(0, fill(in(b->back, "m")));
	for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
		const struct call *call = &reads[i];
		int fds[2];

		open_both(_metadata, b, call, fds);
		ASSERT_EQ(0, drop_caches());
		FAIL_READS();
		EXPECT_EQ(call->want, call->run(fds[0])) TH_LOG("%s: native", call->name);
		EXPECT_EQ(call->want, call->run(fds[1])) TH_LOG("%s: mount", call->name);
		HEAL();
		/* And now the same on a disk that works, through what is open still */
		EXPECT_EQ(call->run(fds[0]), call->run(fds[1])) TH_LOG("%s", call->name);
		close_both(fds);
	}
	EXPECT_EQ(0, diff_tree(in(b->back, "m"), in(b->mnt, "m")));
	EXPECT_STREQ("in", text_of(in(b->mnt, "m/sub/in")));
}

TEST_F(disk, writes_fail)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, fill(in(b->back, "n")));
	ASSERT_EQ(0, fill(in(b->back, "m")));
	for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
		const struct call *call = &writes[i];
		int fds[2];

		/* Errors of before are told to nobody who opens the file now */
		ASSERT_EQ(0, drop_caches());
		open_both(_metadata, b, call, fds);
		FAIL_WRITES();
		EXPECT_EQ(call->want, call->run(fds[0])) TH_LOG("%s: native", call->name);
		EXPECT_EQ(call->want, call->run(fds[1])) TH_LOG("%s: mount", call->name);
		HEAL();
		/* What nobody was told yet is told now, and once */
		for (int j = 0; j < 3; j++)
			EXPECT_EQ(RES(fsync(fds[0])), RES(fsync(fds[1]))) TH_LOG("%s", call->name);
		close_both(fds);
	}
	EXPECT_EQ(0, drop_caches());
	EXPECT_EQ(0, diff_text(in(b->back, "n/file"), in(b->mnt, "m/file")));
}

/* Have a page written out on the backing, without asking for more than that. */
static int write_out(const char *path)
{
	const unsigned int flags = SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	int err = fd < 0 ? -errno : RES(sync_file_range(fd, 0, PAGE, flags));

	if (fd >= 0)
		close(fd);
	return err;
}

/*
 * What could not be written at some time before is an error of syncfs(2) once for each file
 * that was open then, though all can be written now.
 */
TEST_F(disk, syncfs_tells_of_errors_before)
{
	static const struct call call = { "syncfs", "file", O_RDWR };
	struct backed *b = &self->b;
	int fds[2], more[2];

	ASSERT_EQ(0, fill(in(b->back, "n")));
	ASSERT_EQ(0, fill(in(b->back, "m")));
	ASSERT_EQ(0, drop_caches());
	open_both(_metadata, b, &call, fds);
	open_both(_metadata, b, &call, more);
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(3, pwrite(fds[i], "new", 3, 0));
		FAIL_WRITES();
		EXPECT_EQ(-EIO, write_out(in(b->back, i ? "m/file" : "n/file")));
		HEAL();
		EXPECT_EQ(-EIO, RES(syncfs(fds[i]))) TH_LOG("%s", i ? "mount" : "native");
		EXPECT_EQ(0, RES(syncfs(fds[i]))) TH_LOG("%s", i ? "mount" : "native");
		EXPECT_EQ(-EIO, RES(syncfs(more[i]))) TH_LOG("%s", i ? "mount" : "native");
		EXPECT_EQ(0, RES(syncfs(more[i]))) TH_LOG("%s", i ? "mount" : "native");
	}
	close_both(fds);
	close_both(more);
}

FIXTURE(full)
{
	struct backed b;
};

/* A file system with room for 64 pages and 40 inodes */
FIXTURE_SETUP(full)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, backed_make(b, "tmpfs"));
	ASSERT_EQ(0, RES(mount(NULL, b->back, NULL, MS_REMOUNT, "size=256k,nr_inodes=40")));
	ASSERT_EQ(0, make_dir(in(b->back, "n"), 0755));
	ASSERT_EQ(0, make_dir(in(b->back, "m"), 0755));
	ASSERT_EQ(0, backed_mount(b, 0));
}

FIXTURE_TEARDOWN(full)
{
	EXPECT_EQ(0, backed_destroy(&self->b));
}

/* Each of these fills what there is, in a directory that is emptied afterwards. */
static long fill_by_write(const char *dir)
{
	static char buf[8 * PAGE];
	int fd = open(in(dir, "file"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	long ret, sum = 0;

	if (fd < 0)
		return -errno;
	while ((ret = RES(write(fd, buf, sizeof(buf) - 100))) > 0)
		sum += ret;
	close(fd);
	return ret == -ENOSPC ? sum : ret;
}

static long fill_by_fallocate(const char *dir)
{
	int fd = open(in(dir, "file"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	long ret = fd < 0 ? -errno : RES(fallocate(fd, 0, 0, 80 * PAGE));

	close(fd);
	return ret;
}

static int touch_all(void *arg)
{
	int fd = open(arg, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	volatile char *map;

	if (fd < 0 || ftruncate(fd, 80 * PAGE))
		return -errno;
	map = mmap(NULL, 80 * PAGE, PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	for (int i = 0; i < 80; i++)
		map[i * PAGE] = 1;
	return 0;
}

static long fill_by_mapping(const char *dir)
{
	return in_child(touch_all, in(dir, "file"));
}

static long fill_by_copy(const char *dir)
{
	int from = open(in(dir, "from"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int to = open(in(dir, "to"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	long ret, sum = 0;

	if (from < 0 || to < 0 || ftruncate(from, 100 * PAGE))
		return -errno;
	while ((ret = RES(copy_file_range(from, NULL, to, NULL, 8 * PAGE, 0))) > 0)
		sum += ret;
	close(from);
	close(to);
	return ret == -ENOSPC ? sum : ret;
}

static long make_files(const char *dir)
{
	long nr = 0, ret;

	while (!(ret = make_file(in(dir, "f%ld", nr), "", 0600)))
		nr++;
	return ret == -ENOSPC ? nr : ret;
}

static long make_dirs(const char *dir)
{
	long nr = 0, ret;

	while (!(ret = RES(mkdir(in(dir, "d%ld", nr), 0700))))
		nr++;
	return ret == -ENOSPC ? nr : ret;
}

static long make_links(const char *dir)
{
	long nr = 0, ret = make_file(in(dir, "file"), "", 0600);

	while (!ret && !(ret = RES(link(in(dir, "file"), in(dir, "l%ld", nr)))))
		nr++;
	return ret == -ENOSPC ? nr : ret;
}

static long make_symlinks(const char *dir)
{
	long nr = 0, ret;

	while (!(ret = RES(symlink("target", in(dir, "s%ld", nr)))))
		nr++;
	return ret == -ENOSPC ? nr : ret;
}

static long make_nodes(const char *dir)
{
	long nr = 0, ret;

	while (!(ret = RES(mknod(in(dir, "p%ld", nr), S_IFIFO | 0600, 0))))
		nr++;
	return ret == -ENOSPC ? nr : ret;
}

/* Inodes without a name, all of them open */
static long make_unnamed(const char *dir)
{
	int fds[64];
	long nr = 0, ret;

	while ((ret = RES(open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600))) >= 0)
		fds[nr++] = ret;
	for (long i = 0; i < nr; i++)
		close(fds[i]);
	return ret == -ENOSPC ? nr : ret;
}

static const struct {
	const char *name;
	long (*run)(const char *dir);
	long want;
} fillers[] = {
	{ "write", fill_by_write, 64 * PAGE },
	{ "fallocate", fill_by_fallocate, -ENOSPC },
	{ "mapping", fill_by_mapping, -EINTR },
	{ "copy", fill_by_copy, 64 * PAGE },
	{ "files", make_files, 37 },
	{ "directories", make_dirs, 37 },
	{ "links", make_links, 36 },
	{ "symbolic links", make_symlinks, 37 },
	{ "special files", make_nodes, 37 },
	{ "files without a name", make_unnamed, 37 },
};

static int shape_without(const char *dir, char *text, size_t size)
{
	int err = shape_of(dir, text, size);

	return err ? err : sh("rm -rf %s/*", dir);
}

TEST_F(full, nothing_goes_in)
{
	const char *native = strdup(in(self->b.back, "n")), *mount = strdup(in(self->b.mnt, "m"));
	static char shapes[3][8192];

	for (size_t i = 0; i < sizeof(fillers) / sizeof(fillers[0]); i++) {
		EXPECT_EQ(fillers[i].want, fillers[i].run(native)) TH_LOG("%s: native", fillers[i].name);
		ASSERT_EQ(0, shape_without(native, shapes[0], sizeof(shapes[0])));
		EXPECT_EQ(fillers[i].want, fillers[i].run(mount)) TH_LOG("%s: mount", fillers[i].name);
		ASSERT_EQ(0, shape_of(in(self->b.back, "m"), shapes[1], sizeof(shapes[1])));
		ASSERT_EQ(0, shape_without(mount, shapes[2], sizeof(shapes[2])));
		EXPECT_STREQ(shapes[0], shapes[1]) TH_LOG("%s", fillers[i].name);
		EXPECT_STREQ(shapes[0], shapes[2]) TH_LOG("%s", fillers[i].name);
	}
}

/* Free pages, or free inodes */
static long free_now(const char *dir, bool inodes)
{
	struct statfs sfs;

	if (statfs(dir, &sfs))
		return -errno;
	return inodes ? sfs.f_ffree : sfs.f_bfree;
}

/*
 * What is removed through the mount gives back its pages and its inode at once, and if it is
 * open, when it is closed; also where the name was looked up before and after.
 */
TEST_F(full, what_is_removed_gives_room)
{
	const char *back = strdup(self->b.back), *mount = strdup(in(self->b.mnt, "m"));
	const long pages = free_now(back, false), inodes = free_now(back, true);
	int fd;

	for (int round = 0; round < 3; round++) {
		ASSERT_EQ(0, make_big_file(in(mount, "file"), 8 * PAGE, SEED));
		EXPECT_EQ(pages - 8, free_now(back, false));
		EXPECT_EQ(0, RES(unlink(in(mount, "file"))));
		/* Who looks for it makes the mount forget what it knew of the name */
		if (round == 1)
			EXPECT_EQ(-ENOENT, RES(access(in(mount, "file"), F_OK)));
		EXPECT_EQ(pages, free_now(back, false)) TH_LOG("unlink");
		EXPECT_EQ(inodes, free_now(back, true)) TH_LOG("unlink");

		ASSERT_EQ(0, make_dir(in(mount, "dir"), 0755));
		EXPECT_EQ(inodes - 1, free_now(back, true));
		EXPECT_EQ(0, RES(rmdir(in(mount, "dir"))));
		EXPECT_EQ(inodes, free_now(back, true)) TH_LOG("rmdir");

		ASSERT_EQ(0, make_big_file(in(mount, "file"), 8 * PAGE, SEED));
		ASSERT_EQ(0, make_big_file(in(mount, "other"), 4 * PAGE, SEED));
		EXPECT_EQ(0, RES(rename(in(mount, "other"), in(mount, "file"))));
		EXPECT_EQ(pages - 4, free_now(back, false)) TH_LOG("rename");

		fd = open(in(mount, "file"), O_RDONLY | O_CLOEXEC);
		ASSERT_LE(0, fd);
		EXPECT_EQ(0, RES(unlink(in(mount, "file"))));
		EXPECT_EQ(pages - 4, free_now(back, false));
		close(fd);
		EXPECT_EQ(pages, free_now(back, false)) TH_LOG("close");
		EXPECT_EQ(inodes, free_now(back, true)) TH_LOG("close");

		fd = open(mount, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
		ASSERT_LE(0, fd);
		close(fd);
		EXPECT_EQ(inodes, free_now(back, true)) TH_LOG("file without a name");
	}
}

TEST_HARNESS_MAIN
