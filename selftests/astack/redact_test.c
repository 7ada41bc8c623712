// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locations in shared files: whoever may not know them sees zeroes by every way there is
 * of reading, whether the kernel answers or the daemon that still has to find them.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "astack_fixture.h"
#include "harness.h"
#include "uring.h"

#define PAGE	4096

#ifndef RWF_DONTCACHE
#define RWF_DONTCACHE 0x80
#endif

FIXTURE(redact)
{
};

FIXTURE_VARIANT(redact)
{
	const char *fs;
};

FIXTURE_VARIANT_ADD(redact, tmpfs) { .fs = "tmpfs" };
FIXTURE_VARIANT_ADD(redact, btrfs) { .fs = "btrfs" };

/* The file, and what those without the right are to see of it */
static unsigned char full[IMG1_SIZE], redacted[IMG1_SIZE];

FIXTURE_SETUP(redact)
{
	ASSERT_EQ(0, astack_start_on(variant->fs));
	ASSERT_EQ(0, astack_load_image(full, redacted));
}

FIXTURE_TEARDOWN(redact)
{
	EXPECT_EQ(0, astack_stop());
}

/* A file of the caller's own in a shared collection */
static int open_copy(int flags)
{
	return open(astack_path("DCIM/copy-%u.jpg", getuid()), O_RDWR | O_CREAT | O_CLOEXEC | flags,
		    0600);
}

static ssize_t by_pread(int fd, void *buf, size_t size, off_t at)
{
	return RES(pread(fd, buf, size, at));
}

static ssize_t by_readv(int fd, void *buf, size_t size, off_t at)
{
	struct iovec iov[2] = { { buf, size / 2 }, { (char *)buf + size / 2, size - size / 2 } };

	return lseek(fd, at, SEEK_SET) < 0 ? -errno : RES(readv(fd, iov, 2));
}

static ssize_t by_preadv2(int fd, void *buf, size_t size, off_t at)
{
	struct iovec iov[2] = { { buf, size / 2 }, { (char *)buf + size / 2, size - size / 2 } };

	return RES(preadv2(fd, iov, 2, at, RWF_HIPRI));
}

static ssize_t by_preadv2_uncached(int fd, void *buf, size_t size, off_t at)
{
	struct iovec iov = { buf, size };

	return RES(preadv2(fd, &iov, 1, at, RWF_DONTCACHE));
}

static ssize_t by_preadv2_nowait(int fd, void *buf, size_t size, off_t at)
{
	struct iovec iov = { buf, size };

	return RES(preadv2(fd, &iov, 1, at, RWF_NOWAIT));
}

static ssize_t by_aio(int fd, void *buf, size_t size, off_t at)
{
	return aio_pread(fd, buf, size, at, 0);
}

static ssize_t by_uring(enum uring_read how, int fd, void *buf, size_t size, off_t at)
{
	static struct uring *ring;

	if (!ring)
		ring = uring_new();
	return ring ? uring_read(ring, how, fd, buf, size, at) : -errno;
}

#define BY_URING(name, how)							\
static ssize_t by_uring_##name(int fd, void *buf, size_t size, off_t at)	\
{										\
	return by_uring(how, fd, buf, size, at);				\
}

BY_URING(read, URING_READ)
BY_URING(readv, URING_READV)
BY_URING(fixed, URING_READ_FIXED)
BY_URING(registered, URING_READ_REGISTERED)
BY_URING(async, URING_READ_ASYNC)

static ssize_t by_splice(int fd, void *buf, size_t size, off_t at)
{
	ssize_t len;
	int p[2];

	if (pipe2(p, O_CLOEXEC))
		return -errno;
	len = RES(splice(fd, &at, p[1], NULL, size, 0));
	if (len > 0)
		len = RES(read(p[0], buf, len));
	close(p[0]);
	close(p[1]);
	return len;
}

static ssize_t by_sendfile(int fd, void *buf, size_t size, off_t at)
{
	int mem = memfd_create("copy", MFD_CLOEXEC);
	ssize_t len = RES(sendfile(mem, fd, &at, size));

	if (len > 0)
		len = RES(pread(mem, buf, len, 0));
	close(mem);
	return len;
}

/* Into a file that the reader sees all of */
static ssize_t by_copy(int fd, void *buf, size_t size, off_t at)
{
	int copy = open_copy(O_TRUNC);
	ssize_t len = copy < 0 ? -errno : RES(copy_file_range(fd, &at, copy, NULL, size, 0));

	if (len > 0)
		len = RES(pread(copy, buf, len, 0));
	close(copy);
	return len;
}

/**
 * struct way - a way of reading
 * @name: for people
 * @get: read; bytes or a negative errno
 * @flags: to open(2) the file with
 * @align: of offset and size
 * @refusal: an errno that it may end with as well: nothing is seen then
 */
static const struct way {
	const char *name;
	ssize_t (*get)(int fd, void *buf, size_t size, off_t at);
	int flags;
	size_t align;
	int refusal;
} ways[] = {
	{ "pread", by_pread },
	{ "readv", by_readv },
	{ "preadv2", by_preadv2 },
	{ "preadv2, uncached", by_preadv2_uncached, .refusal = -EOPNOTSUPP },
	{ "preadv2, without waiting", by_preadv2_nowait, .refusal = -EAGAIN },
	{ "io_submit", by_aio },
	{ "io_uring READ", by_uring_read },
	{ "io_uring READV", by_uring_readv },
	{ "io_uring READ_FIXED", by_uring_fixed },
	{ "io_uring, registered file", by_uring_registered },
	{ "io_uring, in a thread", by_uring_async },
	{ "splice", by_splice },
	{ "sendfile", by_sendfile },
	{ "copy_file_range", by_copy },
	{ "O_DIRECT", by_pread, O_DIRECT, PAGE },
	{ "O_DIRECT, io_submit", by_aio, O_DIRECT, PAGE },
	{ "O_DIRECT, io_uring", by_uring_read, O_DIRECT, PAGE },
	{ "O_DIRECT, io_uring READ_FIXED", by_uring_fixed, O_DIRECT, PAGE },
	{ "O_DIRECT, splice", by_splice, O_DIRECT, PAGE },
};

/**
 * struct reader - who reads in which way
 * @way: it
 * @wanted: what is to be seen
 */
struct reader {
	const struct way *way;
	const unsigned char *wanted;
};

static bool is_refusal(const struct way *way, ssize_t len)
{
	return way->refusal && (len == way->refusal || len == -EOPNOTSUPP);
}

static int read_one(const struct reader *reader, int fd, off_t at, size_t size)
{
	static unsigned char buf[16 * PAGE] __attribute__((aligned(PAGE)));
	const struct way *way = reader->way;
	ssize_t len;

	if (way->align) {
		at &= -(off_t)way->align;
		size = (size + 2 * way->align - 1) & -way->align;
	}
	memset(buf, 0xee, sizeof(buf));
	len = way->get(fd, buf, size, at);
	if (is_refusal(way, len))
		return 0;
	if (len > 0 && len <= IMG1_SIZE - at && !memcmp(buf, reader->wanted + at, len))
		return 0;
	say("%s: %zd of %zu bytes at %ld", way->name, len, size, (long)at);
	return 1;
}

/* Around each edge of what is hidden, and all of it */
static int read_in_a_way(void *arg)
{
	const struct reader *reader = arg;
	int fd = open(astack_path(IMG1), O_RDONLY | reader->way->flags | O_CLOEXEC), i;
	int wrong = 0;

	if (fd < 0)
		return 1;
	wrong = read_one(reader, fd, 0, 15 * PAGE);
	for (i = 0; i < ASTACK_NR_HIDDEN; i++) {
		const struct astack_hidden *h = &astack_hidden[i];

		wrong += read_one(reader, fd, h->start - 1, 2);
		wrong += read_one(reader, fd, h->start, h->end - h->start);
		wrong += read_one(reader, fd, h->start + 3, 5);
		wrong += read_one(reader, fd, h->end - 1, 2);
		wrong += read_one(reader, fd, h->start - 7, h->end - h->start + 14);
	}
	return wrong;
}

/* What was found in the file is void from here on: the daemon has to look again */
static int forget_locations(void)
{
	return RES(chmod(astack_lower(IMG1), 0664));
}

TEST_F(redact, every_way_of_reading)
{
	struct astack_counts before, between, after;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		struct reader gal = { &ways[i], redacted }, map = { &ways[i], full };

		ASSERT_EQ(0, forget_locations());
		ASSERT_EQ(0, astack_count(&before));
		EXPECT_EQ(0, astack_as(GAL, read_in_a_way, &gal)) TH_LOG("%s", ways[i].name);
		ASSERT_EQ(0, astack_count(&between));
		if (!ways[i].refusal)
			EXPECT_LT(before.daemon, between.daemon) TH_LOG("%s", ways[i].name);
		EXPECT_EQ(0, astack_as(MAP, read_in_a_way, &map)) TH_LOG("%s", ways[i].name);
		/* Now they are known, and the daemon has no part in it */
		if (ways[i].refusal)
			continue;
		ASSERT_EQ(0, astack_count(&between));
		EXPECT_EQ(0, astack_as(GAL, read_in_a_way, &gal)) TH_LOG("%s", ways[i].name);
		ASSERT_EQ(0, astack_count(&after));
		EXPECT_EQ(between.daemon, after.daemon) TH_LOG("%s", ways[i].name);
	}
}

static int clone_it(void *arg)
{
	int fd = open(arg, O_RDONLY | O_CLOEXEC), copy = open_copy(O_TRUNC);
	struct file_clone_range range = { .src_fd = fd, .src_length = PAGE };
	struct stat st;
	int err;

	err = RES(ioctl(copy, FICLONERANGE, &range));
	if (!err)
		return 1;
	err = RES(ioctl(copy, FICLONE, fd));
	return fstat(copy, &st) || (err && st.st_size) ? 2 : err;
}

/* Is the file's first page what the caller has? That would be a way to guess it. */
static int dedupe_it(void *arg)
{
	static const char zeroes[PAGE];
	int fd = open(arg, O_RDONLY | O_CLOEXEC), copy = open_copy(O_TRUNC);
	union {
		struct file_dedupe_range range;
		char room[sizeof(struct file_dedupe_range) +
			  sizeof(struct file_dedupe_range_info)];
	} to = { .range = { .src_length = PAGE, .dest_count = 1 } };

	if (pwrite(copy, zeroes, PAGE, 0) != PAGE)
		return 1;
	to.range.info[0].dest_fd = copy;
	return RES(ioctl(fd, FIDEDUPERANGE, &to)) ?: to.range.info[0].status;
}

static int map_it(void *arg)
{
	static const int prots[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE };
	static const int flags[] = { MAP_SHARED, MAP_PRIVATE, MAP_PRIVATE | MAP_POPULATE };
	int fd = open(arg, O_RDONLY | O_CLOEXEC), mapped = 0;
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(prots); i++) {
		for (j = 0; j < ARRAY_SIZE(flags); j++)
			mapped += mmap(NULL, PAGE, prots[i], flags[j], fd, 0) != MAP_FAILED;
	}
	return mapped;
}

/* To share bytes is to have them: there is none of it, before or after they are found */
TEST_F(redact, sharing)
{
	bool shares = !strcmp(variant->fs, "btrfs");
	struct reader gal = { &ways[0], redacted };
	int round;

	for (round = 0; round < 2; round++) {
		ASSERT_EQ(0, round ? astack_as(GAL, read_in_a_way, &gal) : forget_locations());
		EXPECT_GT(0, astack_try(GAL, clone_it, astack_path(IMG1)));
		EXPECT_GT(0, astack_try(GAL, dedupe_it, astack_path(IMG1)));
		EXPECT_EQ(0, astack_try(GAL, map_it, astack_path(IMG1)));
	}
	/* Writable shared ones need the file to be open for writing */
	EXPECT_EQ(8, astack_try(MAP, map_it, astack_path(IMG1)));
	EXPECT_EQ(shares ? FILE_DEDUPE_RANGE_DIFFERS : -EINVAL,
		  astack_try(MAP, dedupe_it, astack_path(IMG1)));
	EXPECT_EQ(shares ? 1 : -EOPNOTSUPP, astack_try(MAP, clone_it, astack_path(IMG1)));
}

TEST_HARNESS_MAIN
