// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of the caller that is not there, is there in part, or cannot be written to: the
 * requests of <linux/fuse_bpf.h> leave nothing behind, and calls on files do what they do
 * in a native directory.
 */
#include <dirent.h>
#include <fcntl.h>
#include <fuse_bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "backed_fixture.h"
#include "harness.h"
#include "scripted.h"

#define PAGE 4096

FIXTURE(usercopy)
{
	struct backed b;
	struct filter filter;
	char *page;
	int back;
	int dir;
};

/* A page with another one behind it that nobody may read or write */
FIXTURE_SETUP(usercopy)
{
	struct backed *b = &self->b;

	self->filter = FILTER_NONE;
	self->page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->page);
	ASSERT_EQ(0, mprotect(self->page + PAGE, PAGE, PROT_NONE));
	ASSERT_EQ(0, backed_setup(b, "tmpfs", BACKED_DAEMON));
	self->back = open_dir(b->back, O_PATH);
	self->dir = open_dir(b->mnt, 0);
	ASSERT_LE(0, self->back);
	ASSERT_LE(0, self->dir);
	ASSERT_EQ(0, scripted_load(&self->filter, false, NULL));
}

FIXTURE_TEARDOWN(usercopy)
{
	filter_destroy(&self->filter);
	close(self->dir);
	close(self->back);
	munmap(self->page, 2 * PAGE);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

/* Whether the request writes something back, and what it would do */
struct request {
	const char *name;
	unsigned long cmd;
	union {
		char bytes[256];
		struct fuse_backing_open open;
		struct fuse_backing_close close;
		struct fuse_filter_attach attach;
		struct fuse_filter_detach detach;
		struct fuse_filter_list list;
		struct fuse_bpf_stats stats;
	};
};

static size_t size_of(const struct request *request)
{
	return _IOC_SIZE(request->cmd);
}

#define CALL(arg) RES(ioctl(self->b.dev, request->cmd, arg))

TEST_F(usercopy, of_requests)
{
	const struct request requests[] = {
		{ "query", FUSE_IOC_QUERY },
		{ "stats", FUSE_IOC_STATS },
		{ "register", FUSE_IOC_BACKING_OPEN, .open = { .fd = self->back } },
		{ "close", FUSE_IOC_BACKING_CLOSE, .close = { .id = 1 } },
		{ "attach", FUSE_IOC_FILTER_ATTACH,
		  .attach = { .fd = bpf_link__fd(self->filter.link) } },
		{ "attach to a directory", FUSE_IOC_FILTER_ATTACH,
		  .attach = { .fd = bpf_link__fd(self->filter.link),
			      .flags = FUSE_FILTER_DIRECTORY } },
		{ "detach", FUSE_IOC_FILTER_DETACH, .detach = { .id = 1 } },
		{ "list", FUSE_IOC_FILTER_LIST,
		  .list = { .info_size = sizeof(struct fuse_filter_info) } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		const struct request *request = &requests[i];
		char *end = self->page + PAGE;
		char before[256];

		strcpy(before, text_of(in("/proc/self/fdinfo", "%d", self->b.dev)));
		EXPECT_EQ(-EFAULT, CALL(bad_address())) TH_LOG("%s", request->name);
		EXPECT_EQ(-EFAULT, CALL(NULL)) TH_LOG("%s", request->name);
		/* The last byte is missing */
		memcpy(end - size_of(request) + 1, request->bytes, size_of(request) - 1);
		EXPECT_EQ(-EFAULT, CALL(end - size_of(request) + 1)) TH_LOG("%s", request->name);
		/* It can be read and not written */
		if (_IOC_DIR(request->cmd) & _IOC_READ) {
			memcpy(end - size_of(request), request->bytes, size_of(request));
			ASSERT_EQ(0, mprotect(self->page, PAGE, PROT_READ));
			EXPECT_EQ(-EFAULT, ioctl(self->dir, request->cmd, end - size_of(request)) ?
				  -errno : 0) TH_LOG("%s", request->name);
			ASSERT_EQ(0, mprotect(self->page, PAGE, PROT_READ | PROT_WRITE));
		}
		EXPECT_EQ(0, fuse_bpf_list(self->b.dev, NULL, 0)) TH_LOG("%s", request->name);
		EXPECT_STREQ(before, text_of(in("/proc/self/fdinfo", "%d", self->b.dev)))
			TH_LOG("%s", request->name);
	}
	/* The array that a request points to, with room for one more than is there */
	ASSERT_EQ(0, filter_attach(&self->filter, self->b.dev, 0, 0));
	struct fuse_filter_list list = {
		.filters = (unsigned long)self->page + PAGE - 40,
		.nr = 1,
		.info_size = sizeof(struct fuse_filter_info),
	};
	EXPECT_EQ(-EFAULT, RES(ioctl(self->b.dev, FUSE_IOC_FILTER_LIST, &list)));
	EXPECT_EQ(1, fuse_bpf_list(self->b.dev, NULL, 0));
}

/**
 * struct call - on a file or directory, with memory that ends too soon
 * @name: for people
 * @path: what is opened
 * @flags: how
 * @run: the call, given the last bytes that are there; what it returns is compared
 */
struct call {
	const char *name;
	const char *path;
	int flags;
	long (*run)(int fd, char *end);
};

static long run_read(int fd, char *end)
{
	return RES(pread(fd, end - 100, 300, 10));
}

static long run_read_at_page(int fd, char *end)
{
	return RES(pread(fd, end - PAGE, 2 * PAGE, PAGE - 100));
}

static long run_readv(int fd, char *end)
{
	struct iovec iov[] = { { end - 50, 50 }, { end, 50 } };

	return RES(preadv(fd, iov, 2, 0));
}

static long run_write(int fd, char *end)
{
	return RES(pwrite(fd, end - 100, 300, 5));
}

static long run_write_at_page(int fd, char *end)
{
	return RES(pwrite(fd, end - PAGE, 2 * PAGE, PAGE - 100));
}

static long run_writev(int fd, char *end)
{
	struct iovec iov[] = { { end - 50, 50 }, { end, 50 } };

	return RES(pwritev(fd, iov, 2, 0));
}

static long run_append(int fd, char *end)
{
	long ret = RES(fcntl(fd, F_SETFL, O_APPEND));

	return ret ? ret : RES(write(fd, end - 100, 300));
}

static long run_getxattr(int fd, char *end)
{
	return RES(fgetxattr(fd, "user.key", end - 3, 64));
}

static long run_setxattr(int fd, char *end)
{
	return RES(fsetxattr(fd, "user.key", end - 3, 64, 0));
}

static long run_listxattr(int fd, char *end)
{
	return RES(flistxattr(fd, end - 3, 64));
}

static long run_readlink(int fd, char *end)
{
	return RES(readlinkat(fd, "", end - 3, 64));
}

static long run_list(int fd, char *end)
{
	return RES(getdents64(fd, end - 60, 4096));
}

/* A mapping is longer than its file: behind the page in which it ends, there is nothing */
static int touch(void *arg)
{
	volatile char *map = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, *(int *)arg, 0);
	int sum = 0;

	if (map == MAP_FAILED)
		return -errno;
	for (int i = 0; i < PAGE; i++)
		sum |= map[2 * PAGE + i];
	return sum ? map[3 * PAGE] : -EIO;
}

static long run_touch(int fd, char *end)
{
	(void)end;
	return in_child(touch, &fd);
}

static const struct call calls[] = {
	{ "read", "file", O_RDONLY, run_read },
	{ "read across pages", "file", O_RDONLY, run_read_at_page },
	{ "readv", "file", O_RDONLY, run_readv },
	{ "write", "file", O_RDWR, run_write },
	{ "write across pages", "file", O_RDWR, run_write_at_page },
	{ "writev", "file", O_RDWR, run_writev },
	{ "append", "file", O_RDWR, run_append },
	{ "getxattr", "file", O_RDONLY, run_getxattr },
	{ "setxattr", "file", O_RDONLY, run_setxattr },
	{ "listxattr", "file", O_RDONLY, run_listxattr },
	{ "readlink", "link", O_PATH | O_NOFOLLOW, run_readlink },
	{ "listing", "sub", O_RDONLY | O_DIRECTORY, run_list },
	{ "mapping", "file", O_RDONLY, run_touch },
};

static int fill(const char *dir)
{
	int err = make_dir(dir, 0755);

	err = err ? err : make_big_file(in(dir, "file"), 2 * PAGE + 100, 3);
	err = err ? err : RES(setxattr(in(dir, "file"), "user.key", "value", 5, 0));
	err = err ? err : RES(symlink("a/target/of/some/length", in(dir, "link")));
	err = err ? err : make_dir(in(dir, "sub"), 0755);
	for (int i = 0; i < 8 && !err; i++)
		err = make_file(in(dir, "sub/entry%d", i), "", 0644);
	return err;
}

TEST_F(usercopy, of_calls)
{
	const struct backed *b = &self->b;
	char *end = self->page + PAGE;
	char seen[PAGE];

	ASSERT_EQ(0, fill(in(b->back, "n")));
	ASSERT_EQ(0, fill(in(b->back, "m")));
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		const struct call *call = &calls[i];
		int native = open(in(b->back, "n/%s", call->path), call->flags | O_CLOEXEC);
		int mount = open(in(b->mnt, "m/%s", call->path), call->flags | O_CLOEXEC);
		long want;

		ASSERT_LE(0, native);
		ASSERT_LE(0, mount);
		memset(self->page, 'x', PAGE);
		want = call->run(native, end);
		memcpy(seen, self->page, PAGE);
		memset(self->page, 'x', PAGE);
		EXPECT_EQ(want, call->run(mount, end)) TH_LOG("%s", call->name);
		/* Inode numbers and positions of directories are the backing's and differ */
		if (!(call->flags & O_DIRECTORY))
			EXPECT_EQ(0, memcmp(seen, self->page, PAGE)) TH_LOG("%s", call->name);
		close(native);
		close(mount);
		EXPECT_EQ(0, diff_text(in(b->back, "n/file"), in(b->mnt, "m/file")))
			TH_LOG("%s", call->name);
	}
}

TEST_HARNESS_MAIN
