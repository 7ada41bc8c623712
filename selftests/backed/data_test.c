// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is in files: reading by every way there is, positions, mappings, execution.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/aio_abi.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "backed_fixture.h"
#include "harness.h"

#define SEED 42
#define SIZE 200001

FIXTURE(data)
{
	struct backed b;
	char back[64];
	char mnt[64];
};

FIXTURE_VARIANT(data)
{
	const char *fs;
};

FIXTURE_VARIANT_ADD(data, tmpfs) { .fs = "tmpfs" };
FIXTURE_VARIANT_ADD(data, ext4) { .fs = "ext4" };
FIXTURE_VARIANT_ADD(data, xfs) { .fs = "xfs" };
FIXTURE_VARIANT_ADD(data, btrfs) { .fs = "btrfs" };

FIXTURE_SETUP(data)
{
	ASSERT_EQ(0, backed_setup(&self->b, variant->fs, BACKED_ALLOW_OTHER));
	strcpy(self->back, in(self->b.back, "file"));
	strcpy(self->mnt, in(self->b.mnt, "file"));
	ASSERT_EQ(0, make_big_file(self->back, SIZE, SEED));
}

FIXTURE_TEARDOWN(data)
{
	EXPECT_EQ(0, backed_destroy(&self->b));
}

/* Are these the bytes that make_big_file() put at an offset? */
static bool right(const void *buf, size_t len, size_t offset)
{
	const unsigned char *bytes = buf;
	size_t i;

	for (i = 0; i < len; i++) {
		if (bytes[i] != byte_at(SEED, offset + i)) {
			say("byte %zu is %#x", offset + i, bytes[i]);
			return false;
		}
	}
	return true;
}

TEST_F(data, read)
{
	char buf[5000];
	size_t done = 0;
	ssize_t len;
	int fd;

	fd = open(self->mnt, O_RDONLY);
	ASSERT_LE(0, fd);
	while ((len = read(fd, buf, sizeof(buf))) > 0) {
		ASSERT_TRUE(right(buf, len, done));
		done += len;
	}
	EXPECT_EQ(0, len);
	EXPECT_EQ(SIZE, done);
	EXPECT_EQ(0, read(fd, buf, sizeof(buf)));
	EXPECT_EQ(SIZE, lseek(fd, 0, SEEK_CUR));
	EXPECT_EQ(0, read(fd, buf, 0));
	EXPECT_EQ(-EFAULT, RES(pread(fd, bad_address(), 100, 0)));
	EXPECT_EQ(-EBADF, RES(write(fd, "x", 1)));
	close(fd);
}

TEST_F(data, pread_around_the_end)
{
	char buf[8192];
	int fd;

	fd = open(self->mnt, O_RDONLY);
	ASSERT_LE(0, fd);
	EXPECT_EQ(1, pread(fd, buf, 100, SIZE - 1));
	EXPECT_TRUE(right(buf, 1, SIZE - 1));
	EXPECT_EQ(0, pread(fd, buf, 100, SIZE));
	EXPECT_EQ(0, pread(fd, buf, 100, SIZE + 1));
	EXPECT_EQ(0, pread(fd, buf, 100, 1ll << 40));
	EXPECT_EQ(-EINVAL, RES(pread(fd, buf, 100, -1)));
	EXPECT_EQ(4097, pread(fd, buf, 4097, 4095));
	EXPECT_TRUE(right(buf, 4097, 4095));
	EXPECT_EQ(0, lseek(fd, 0, SEEK_CUR));
	close(fd);
}

TEST_F(data, readv)
{
	char a[10], b[4096], c[1];
	const struct iovec iov[] = { { a, 10 }, { NULL, 0 }, { b, 4096 }, { c, 1 } };
	ssize_t len;
	int fd;

	fd = open(self->mnt, O_RDONLY);
	ASSERT_LE(0, fd);
	EXPECT_EQ(4107, readv(fd, iov, 4));
	EXPECT_TRUE(right(a, 10, 0) && right(b, 4096, 10) && right(c, 1, 4106));
	EXPECT_EQ(4107, preadv(fd, iov, 4, 5000));
	EXPECT_TRUE(right(a, 10, 5000) && right(b, 4096, 5010) && right(c, 1, 9106));
	EXPECT_EQ(20, preadv(fd, iov, 4, SIZE - 20));
	len = RES(preadv2(fd, iov, 4, 0, RWF_NOWAIT));
	EXPECT_TRUE(len == -EAGAIN || len == -EOPNOTSUPP || len > 0) TH_LOG("%zd", len);
	EXPECT_EQ(-EOPNOTSUPP, RES(preadv2(fd, iov, 4, 0, 0x40000000)));
	close(fd);
}

TEST_F(data, positions_are_independent)
{
	char buf[100];
	int a, b, c;

	a = open(self->mnt, O_RDONLY);
	b = open(self->mnt, O_RDONLY);
	ASSERT_LE(0, a);
	ASSERT_LE(0, b);
	c = dup(a);
	EXPECT_EQ(100, read(a, buf, 100));
	EXPECT_EQ(1000, lseek(b, 1000, SEEK_SET));
	EXPECT_EQ(100, lseek(c, 0, SEEK_CUR));
	EXPECT_EQ(100, read(c, buf, 100));
	EXPECT_TRUE(right(buf, 100, 100));
	EXPECT_EQ(200, lseek(a, 0, SEEK_CUR));
	EXPECT_EQ(100, read(b, buf, 100));
	EXPECT_TRUE(right(buf, 100, 1000));
	close(a);
	close(b);
	close(c);
}

/* Data, a hole, data, a hole up to the end */
static int make_holes(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (pwrite(fd, "one", 3, 0) != 3 || pwrite(fd, "two", 3, 1 << 20) != 3 ||
	    ftruncate(fd, 3 << 20) || fsync(fd))
		err = -errno;
	close(fd);
	return err;
}

TEST_F(data, seek)
{
	const int whences[] = { SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE, 5, -1 };
	const off_t offsets[] = {
		0, 1, 3, 4096, 1 << 16, (1 << 20) - 1, 1 << 20, (1 << 20) + 4096, 2 << 20,
		(3 << 20) - 1, 3 << 20, (3 << 20) + 1, 1ll << 40, -1, -(1 << 20), LLONG_MAX,
		LLONG_MIN,
	};
	size_t i, j;
	int a, b;

	ASSERT_EQ(0, make_holes(in(self->b.back, "holes")));
	a = open(in(self->b.back, "holes"), O_RDONLY);
	b = open(in(self->b.mnt, "holes"), O_RDONLY);
	ASSERT_LE(0, a);
	ASSERT_LE(0, b);
	for (i = 0; i < ARRAY_SIZE(whences); i++) {
		for (j = 0; j < ARRAY_SIZE(offsets); j++) {
			EXPECT_EQ(RES(lseek(a, offsets[j], whences[i])),
				  RES(lseek(b, offsets[j], whences[i])))
				TH_LOG("to %ld by %d", (long)offsets[j], whences[i]);
			EXPECT_EQ(lseek(a, 0, SEEK_CUR), lseek(b, 0, SEEK_CUR));
		}
	}
	close(a);
	close(b);
	EXPECT_EQ(0, diff_text(in(self->b.back, "holes"), in(self->b.mnt, "holes")));
}

TEST_F(data, beyond_4_gib)
{
	const char *back = in(self->b.back, "large");
	char buf[8] = "";
	int fd;

	fd = open(back, O_WRONLY | O_CREAT, 0644);
	ASSERT_LE(0, fd);
	ASSERT_EQ(3, pwrite(fd, "far", 3, 5ll << 30));
	close(fd);
	fd = open(in(self->b.mnt, "large"), O_RDONLY);
	ASSERT_LE(0, fd);
	EXPECT_EQ(3, pread(fd, buf, 8, 5ll << 30));
	EXPECT_STREQ("far", buf);
	EXPECT_EQ((5ll << 30) + 3, lseek(fd, 0, SEEK_END));
	EXPECT_EQ(0, read(fd, buf, 8));
	EXPECT_EQ(1, pread(fd, buf, 1, (5ll << 30) - 1));
	EXPECT_EQ('\0', buf[0]);
	close(fd);
}

TEST_F(data, sendfile)
{
	char *buf = malloc(SIZE);
	size_t done = 0;
	off_t off = 5;
	ssize_t len;
	int fd, out;

	fd = open(self->mnt, O_RDONLY);
	out = open(in(self->b.top, "out"), O_RDWR | O_CREAT, 0600);
	ASSERT_LE(0, fd);
	ASSERT_LE(0, out);
	while ((len = sendfile(out, fd, NULL, 70000)) > 0)
		done += len;
	EXPECT_EQ(0, len);
	EXPECT_EQ(SIZE, done);
	EXPECT_EQ(SIZE, lseek(fd, 0, SEEK_CUR));
	EXPECT_EQ(SIZE, pread(out, buf, SIZE, 0));
	EXPECT_TRUE(right(buf, SIZE, 0));

	EXPECT_EQ(SIZE - 5, sendfile(out, fd, &off, SIZE));
	EXPECT_EQ(SIZE, off);
	EXPECT_EQ(SIZE, lseek(fd, 0, SEEK_CUR));
	close(fd);
	close(out);
	free(buf);
}

TEST_F(data, sendfile_to_a_socket)
{
	int fd, pair[2];
	char buf[5000];
	off_t off = 1234;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	fd = open(self->mnt, O_RDONLY);
	ASSERT_LE(0, fd);
	EXPECT_EQ(5000, sendfile(pair[0], fd, &off, 5000));
	EXPECT_EQ(5000, recv(pair[1], buf, 5000, MSG_WAITALL));
	EXPECT_TRUE(right(buf, 5000, 1234));
	close(fd);
	close(pair[0]);
	close(pair[1]);
}

TEST_F(data, splice)
{
	int fd, pipes[2];
	char buf[4096];
	off_t off = 100;

	ASSERT_EQ(0, pipe(pipes));
	fd = open(self->mnt, O_RDONLY);
	ASSERT_LE(0, fd);
	EXPECT_EQ(4096, splice(fd, &off, pipes[1], NULL, 4096, 0));
	EXPECT_EQ(4196, off);
	EXPECT_EQ(4096, read(pipes[0], buf, 4096));
	EXPECT_TRUE(right(buf, 4096, 100));
	off = SIZE;
	EXPECT_EQ(0, splice(fd, &off, pipes[1], NULL, 4096, 0));
	/* Nothing can be put in */
	EXPECT_EQ(4, write(pipes[1], "data", 4));
	EXPECT_EQ(-EBADF, RES(splice(pipes[0], NULL, fd, NULL, 4, 0)));
	close(fd);
	close(pipes[0]);
	close(pipes[1]);
}

/* As between any two file systems; those that copy files then use read(2). */
TEST_F(data, copy_file_range)
{
	loff_t zero = 0;
	int fd, out;

	fd = open(self->mnt, O_RDONLY);
	out = open(in(self->b.top, "out"), O_RDWR | O_CREAT, 0600);
	ASSERT_LE(0, fd);
	ASSERT_LE(0, out);
	EXPECT_EQ(-EXDEV, RES(copy_file_range(fd, &zero, out, NULL, SIZE, 0)));
	close(out);
	out = open(in(self->b.back, "out"), O_RDWR | O_CREAT, 0600);
	ASSERT_LE(0, out);
	EXPECT_EQ(-EXDEV, RES(copy_file_range(fd, &zero, out, NULL, SIZE, 0)));
	close(fd);
	close(out);
	EXPECT_EQ(0, sh("cp %s %s", self->mnt, in(self->b.top, "copy")));
	EXPECT_EQ(0, diff_text(self->back, in(self->b.top, "copy")));
}

static ssize_t direct_read(int fd, size_t len, off_t off, size_t misalign)
{
	char *buf;
	ssize_t res;

	if (posix_memalign((void **)&buf, 4096, len + 4096))
		return -ENOMEM;
	res = RES(pread(fd, buf + misalign, len, off));
	if (res > 0 && !right(buf + misalign, res, off))
		res = -EIO;
	free(buf);
	return res;
}

TEST_F(data, direct)
{
	const struct { size_t len; off_t off; size_t misalign; } reads[] = {
		{ 4096, 0, 0 }, { 65536, 8192, 0 }, { 4096, 196608, 0 }, { 4096, 200704, 0 },
		{ 4096, 1, 0 }, { 100, 0, 0 }, { 4096, 0, 1 }, { 512, 512, 0 },
	};
	size_t i;
	int a, b;

	a = RES(open(self->back, O_RDONLY | O_DIRECT));
	b = RES(open(self->mnt, O_RDONLY | O_DIRECT));
	ASSERT_EQ(a < 0 ? a : 0, b < 0 ? b : 0);
	for (i = 0; i < ARRAY_SIZE(reads) && a >= 0; i++) {
		EXPECT_EQ(direct_read(a, reads[i].len, reads[i].off, reads[i].misalign),
			  direct_read(b, reads[i].len, reads[i].off, reads[i].misalign))
			TH_LOG("read %zu", i);
	}
	close(a);
	close(b);
}

TEST_F(data, direct_by_fcntl)
{
	int fd = open(self->mnt, O_RDONLY);

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, RES(fcntl(fd, F_SETFL, O_DIRECT)));
	EXPECT_EQ(4096, direct_read(fd, 4096, 4096, 0));
	EXPECT_EQ(0, RES(fcntl(fd, F_SETFL, 0)));
	EXPECT_EQ(100, direct_read(fd, 100, 7, 1));
	close(fd);
}

TEST_F(data, aio)
{
	static char buf[2][4096] __attribute__((aligned(4096)));
	struct io_event events[2];
	struct iocb cbs[2] = {}, *list[2] = { &cbs[0], &cbs[1] };
	aio_context_t aio = 0;
	int i, fds[2];

	ASSERT_EQ(0, syscall(SYS_io_setup, 2, &aio));
	fds[0] = open(self->mnt, O_RDONLY | O_DIRECT);
	fds[1] = open(self->mnt, O_RDONLY);
	for (i = 0; i < 2; i++) {
		ASSERT_LE(0, fds[i]);
		cbs[i].aio_lio_opcode = IOCB_CMD_PREAD;
		cbs[i].aio_fildes = fds[i];
		cbs[i].aio_buf = (__u64)(uintptr_t)buf[i];
		cbs[i].aio_nbytes = 4096;
		cbs[i].aio_offset = 8192;
	}
	ASSERT_EQ(2, syscall(SYS_io_submit, aio, 2, list));
	ASSERT_EQ(2, syscall(SYS_io_getevents, aio, 2, 2, events, NULL));
	EXPECT_EQ(4096, events[0].res);
	EXPECT_EQ(4096, events[1].res);
	EXPECT_TRUE(right(buf[0], 4096, 8192));
	EXPECT_TRUE(right(buf[1], 4096, 8192));
	syscall(SYS_io_destroy, aio);
	close(fds[0]);
	close(fds[1]);
}

static int preadv2_at(int fd, void *buf, size_t len, off_t offset, int flags)
{
	struct iovec iov = { .iov_base = buf, .iov_len = len };

	return RES(preadv2(fd, &iov, 1, offset, flags));
}

static int pwritev2_at(int fd, void *buf, size_t len, off_t offset, int flags)
{
	struct iovec iov = { .iov_base = buf, .iov_len = len };

	return RES(pwritev2(fd, &iov, 1, offset, flags));
}

/*
 * The first write finds out that there are no privileges to take away. If the clock moves
 * on before the second, a file system may wait to write the time: try again then.
 */
static int write_again(int fd)
{
	int i, ret = -EAGAIN;
	char buf[64] = "";

	for (i = 0; i < 100 && ret == -EAGAIN; i++) {
		ret = RES(pwrite(fd, buf, 1, 0));
		if (ret == 1)
			ret = pwritev2_at(fd, buf, sizeof(buf), 0, RWF_NOWAIT);
	}
	return ret;
}

/* What io_uring tries first: where the backing can do it, so can the mount. */
TEST_F(data, without_waiting)
{
	int a = open(self->back, O_RDWR), b = open(self->mnt, O_RDWR);
	char buf[64];
	int native;

	ASSERT_LE(0, a);
	ASSERT_LE(0, b);
	/* In the page cache, which is one */
	ASSERT_EQ(sizeof(buf), pread(b, buf, sizeof(buf), 0));
	native = preadv2_at(a, buf, sizeof(buf), 0, RWF_NOWAIT);
	EXPECT_EQ(native, preadv2_at(b, buf, sizeof(buf), 0, RWF_NOWAIT));
	EXPECT_EQ(write_again(a), write_again(b));
	if (!strcmp(variant->fs, "ext4"))
		EXPECT_EQ(sizeof(buf), preadv2_at(b, buf, sizeof(buf), 0, RWF_NOWAIT));
	close(a);
	close(b);
}

static int write_without_waiting(void *arg)
{
	char byte = 'x';

	return pwritev2_at(*(int *)arg, &byte, 1, 0, RWF_NOWAIT);
}

/* Taking away privileges may wait, and is not left out for that. */
TEST_F(data, without_waiting_and_with_privileges)
{
	/* tmpfs does not write without waiting at all */
	int fd, refusal = strcmp(variant->fs, "tmpfs") ? -EAGAIN : -EOPNOTSUPP;
	struct stat st;

	ASSERT_EQ(0, RES(chmod(self->back, 04755)));
	fd = open(self->mnt, O_RDWR);
	ASSERT_LE(0, fd);
	EXPECT_EQ(refusal, as_user(USER1, USER1, write_without_waiting, &fd));
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(04755, st.st_mode & 07777);
	close(fd);
}

TEST_F(data, mmap_private)
{
	char *map;
	int fd;

	fd = open(self->mnt, O_RDONLY);
	ASSERT_LE(0, fd);
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	close(fd);
	EXPECT_TRUE(right(map, SIZE, 0));
	/* The rest of the last page reads as zero */
	EXPECT_EQ(0, map[SIZE]);
	memset(map, 'w', 10000);
	EXPECT_TRUE(right(map + 12288, 100, 12288));
	fd = open(self->back, O_RDONLY);
	EXPECT_EQ(100, direct_read(fd, 100, 0, 0));
	close(fd);
	munmap(map, SIZE);
}

TEST_F(data, mmap_shared_is_the_backings_cache)
{
	char *map, *native;
	int fd, back;

	fd = open(self->mnt, O_RDONLY);
	back = open(self->back, O_RDWR);
	ASSERT_LE(0, fd);
	ASSERT_LE(0, back);
	map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	native = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, back, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_NE(MAP_FAILED, native);
	EXPECT_TRUE(right(map, SIZE, 0));
	ASSERT_EQ(5, pwrite(back, "hello", 5, 8190));
	EXPECT_EQ(0, memcmp(map + 8190, "hello", 5));
	memcpy(native + 100000, "there", 5);
	EXPECT_EQ(0, memcmp(map + 100000, "there", 5));
	munmap(map, SIZE);
	munmap(native, SIZE);
	close(fd);
	close(back);
}

TEST_F(data, mmap_shared_is_read_only)
{
	char *map;
	int fd;

	fd = open(self->mnt, O_RDONLY);
	ASSERT_LE(0, fd);
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	EXPECT_EQ(MAP_FAILED, map);
	EXPECT_EQ(EACCES, errno);
	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(-EACCES, RES(mprotect(map, 4096, PROT_READ | PROT_WRITE)));
	EXPECT_EQ(0, mprotect(map, 4096, PROT_READ | PROT_EXEC));
	munmap(map, 4096);
	close(fd);
}

static int touch_page(void *arg)
{
	signal(SIGBUS, SIG_DFL);
	return *(volatile char *)arg & 0;
}

TEST_F(data, mmap_of_what_is_cut_off)
{
	const size_t page = 16 * 4096;
	char *map;
	int fd;

	fd = open(self->mnt, O_RDONLY);
	ASSERT_LE(0, fd);
	map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(0, in_child(touch_page, map + page));
	ASSERT_EQ(0, truncate(self->back, 5000));
	EXPECT_EQ(-EINTR, in_child(touch_page, map + page));
	EXPECT_EQ(0, in_child(touch_page, map + 4096));
	ASSERT_EQ(0, truncate(self->back, SIZE));
	EXPECT_EQ(0, in_child(touch_page, map + page));
	munmap(map, SIZE);
	close(fd);
}

/* What a process shows of itself is the path it used, not the backing's. */
TEST_F(data, paths_in_proc)
{
	char link[PATH_MAX] = "", line[PATH_MAX + 128];
	bool found = false;
	FILE *maps;
	char *map;
	int fd;

	fd = open(self->mnt, O_RDONLY);
	ASSERT_LE(0, fd);
	ASSERT_LT(0, readlink(in("/proc/self/fd", "%d", fd), link, sizeof(link) - 1));
	EXPECT_STREQ(self->mnt, link);
	map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	maps = fopen("/proc/self/maps", "r");
	ASSERT_NE(NULL, maps);
	while (fgets(line, sizeof(line), maps)) {
		found |= strstr(line, self->mnt) != NULL;
		EXPECT_EQ(NULL, strstr(line, self->back));
	}
	EXPECT_TRUE(found);
	fclose(maps);
	munmap(map, 4096);
	close(fd);
}

TEST_F(data, exec)
{
	const char *back = self->b.back, *mnt = self->b.mnt;

	ASSERT_EQ(0, sh("cp /bin/busybox %s", back));
	ASSERT_EQ(0, make_file(in(back, "script"), "#!/bin/sh\nexit $((40 + $1))\n", 0755));
	ASSERT_EQ(0, make_file(in(back, "plain"), "#!/bin/sh\nexit 0\n", 0644));

	EXPECT_EQ(7, run((char *[]){ (char *)in(mnt, "busybox"), "sh", "-c", "exit 7", NULL }));
	EXPECT_EQ(42, run((char *[]){ (char *)in(mnt, "script"), "2", NULL }));
	EXPECT_EQ(127, run((char *[]){ (char *)in(mnt, "plain"), NULL }));
	/* An interpreter on the mount */
	ASSERT_EQ(0, symlink("busybox", in(back, "sh")));
	ASSERT_EQ(0, make_file(in(back, "own"), "", 0755));
	ASSERT_EQ(0, append_file(in(back, "own"), "#!"));
	ASSERT_EQ(0, append_file(in(back, "own"), in(mnt, "sh\nexit 5\n")));
	EXPECT_EQ(5, run((char *[]){ (char *)in(mnt, "own"), NULL }));
}

/* One new size must reach everybody who looks, by whatever way. */
TEST_F(data, growth_behind_an_open_file)
{
	struct stat st;
	char buf[64];
	int fd, left = -1;

	fd = open(in(self->b.mnt, "log"), O_RDONLY);
	EXPECT_GT(0, fd);
	ASSERT_EQ(0, make_file(in(self->b.back, "log"), "first ", 0644));
	fd = open(in(self->b.mnt, "log"), O_RDONLY);
	ASSERT_LE(0, fd);
	EXPECT_EQ(6, read(fd, buf, sizeof(buf)));
	EXPECT_EQ(0, read(fd, buf, sizeof(buf)));
	ASSERT_EQ(0, append_file(in(self->b.back, "log"), "second"));
	EXPECT_EQ(6, read(fd, buf, sizeof(buf)));
	EXPECT_EQ(0, ioctl(fd, FIONREAD, &left));
	EXPECT_EQ(0, left);
	EXPECT_EQ(0, memcmp(buf, "second", 6));
	EXPECT_EQ(12, lseek(fd, 0, SEEK_END));
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(12, st.st_size);
	close(fd);
}

TEST_F(data, advice)
{
	const int advice[] = {
		POSIX_FADV_NORMAL, POSIX_FADV_SEQUENTIAL, POSIX_FADV_RANDOM,
		POSIX_FADV_WILLNEED, POSIX_FADV_NOREUSE, POSIX_FADV_DONTNEED,
	};
	char buf[100];
	char *map;
	size_t i;
	int fd;

	fd = open(self->mnt, O_RDONLY);
	ASSERT_LE(0, fd);
	for (i = 0; i < ARRAY_SIZE(advice); i++) {
		EXPECT_EQ(0, posix_fadvise(fd, 0, 0, advice[i]));
		EXPECT_EQ(100, pread(fd, buf, 100, 4096 * i));
		EXPECT_TRUE(right(buf, 100, 4096 * i));
	}
	EXPECT_EQ(EINVAL, posix_fadvise(fd, 0, 0, 99));
	EXPECT_EQ(0, RES(readahead(fd, 0, SIZE)));
	map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(0, madvise(map, SIZE, MADV_WILLNEED));
	EXPECT_EQ(0, RES(madvise(map, SIZE, MADV_POPULATE_READ)));
	EXPECT_TRUE(right(map, SIZE, 0));
	EXPECT_EQ(0, madvise(map, SIZE, MADV_DONTNEED));
	EXPECT_TRUE(right(map, SIZE, 0));
	munmap(map, SIZE);
	close(fd);
}

TEST_F(data, sync)
{
	int fd = open(self->mnt, O_RDONLY);

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, RES(fsync(fd)));
	EXPECT_EQ(0, RES(fdatasync(fd)));
	EXPECT_EQ(0, RES(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE)));
	EXPECT_EQ(0, RES(syncfs(fd)));
	close(fd);
}

TEST_F(data, open_flags)
{
	const int flags[] = {
		O_RDONLY, O_RDONLY | O_NONBLOCK, O_RDONLY | O_NOATIME, O_RDONLY | O_APPEND,
		O_RDONLY | O_SYNC, O_RDONLY | O_CREAT, O_RDONLY | O_NOFOLLOW, O_PATH,
		O_RDONLY | O_NOCTTY | O_CLOEXEC,
	};
	size_t i;
	int a, b;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		a = RES(open(self->back, flags[i]));
		b = RES(open(self->mnt, flags[i]));
		ASSERT_LE(0, a);
		ASSERT_LE(0, b) TH_LOG("flags %#o", flags[i]);
		EXPECT_EQ(fcntl(a, F_GETFL), fcntl(b, F_GETFL));
		close(a);
		close(b);
	}
	EXPECT_EQ(-EEXIST, RES(open(self->mnt, O_RDONLY | O_CREAT | O_EXCL, 0600)));
	EXPECT_EQ(-ENOTDIR, RES(open(self->mnt, O_RDONLY | O_DIRECTORY)));
}

/* Reading by way of the mount is reading: it leaves its mark where it should. */
TEST_F(data, access_time)
{
	const struct timespec old[2] = { { 1000, 0 }, { 2000, 0 } };
	struct stat st, later;
	char buf[16];
	int fd;

	ASSERT_EQ(0, utimensat(AT_FDCWD, self->back, old, 0));
	ASSERT_EQ(0, stat(self->mnt, &st));
	EXPECT_EQ(1000, st.st_atime);
	fd = open(self->mnt, O_RDONLY | O_NOATIME);
	EXPECT_EQ(16, read(fd, buf, 16));
	close(fd);
	ASSERT_EQ(0, stat(self->mnt, &later));
	EXPECT_EQ(1000, later.st_atime);
	fd = open(self->mnt, O_RDONLY);
	EXPECT_EQ(16, read(fd, buf, 16));
	close(fd);
	ASSERT_EQ(0, stat(self->mnt, &later));
	EXPECT_LT(1000, later.st_atime);
	EXPECT_EQ(0, diff_stat(self->back, self->mnt));
}

TEST_F(data, lazy_unmount)
{
	struct backed *b = &self->b;
	char buf[100];
	char *map;
	int fd;

	fd = open(self->mnt, O_RDONLY);
	ASSERT_LE(0, fd);
	map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(-EBUSY, RES(umount(b->mnt)));
	ASSERT_EQ(0, umount2(b->mnt, MNT_DETACH));
	b->mounted = false;
	EXPECT_EQ(100, pread(fd, buf, 100, 500));
	EXPECT_TRUE(right(buf, 100, 500));
	EXPECT_EQ(-EBUSY, RES(umount(b->back)));
	close(fd);
	EXPECT_TRUE(right(map, SIZE, 0));
	EXPECT_EQ(-EBUSY, RES(umount(b->back)));
	munmap(map, SIZE);
	/* The fixture checks that the backing is free now */
}

TEST_HARNESS_MAIN
