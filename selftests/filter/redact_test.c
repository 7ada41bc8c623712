// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bytes that some users must not see: they read as zero by every way there is of
 * reading, and there is no other. Bytes that some must not write.
 */
#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../progs/redact.h"
#include "backed_fixture.h"
#include "filter_fixture.h"
#include "harness.h"
#include "uring.h"
#include <fuse_bpf.h>

#define SIZE 200001
#define SEED 77
#define PAGE 4096
#define TO_END (~0ULL)

FIXTURE(redact)
{
	struct backed b;
	struct filter filter;
	char file[64];
	char back[64];
	char *buf;
	char *want;
	int dir;
	int fd;
};

FIXTURE_VARIANT(redact)
{
	const char *fs;
};

FIXTURE_VARIANT_ADD(redact, tmpfs) { .fs = "tmpfs" };
FIXTURE_VARIANT_ADD(redact, btrfs) { .fs = "btrfs" };

/* At odd places: within a page, across two, a page, a byte on each side, at the end */
static const struct redact_set usual = {
	.nr = 5,
	.range = { { 10, 20 }, { PAGE - 6, PAGE + 4 }, { 2 * PAGE, 3 * PAGE },
		   { 65535, 65537 }, { SIZE - 11, TO_END } },
};

static int set_for(const struct filter *filter, __u32 uid, const struct redact_set *set)
{
	int fd = bpf_map__fd(bpf_object__find_map_by_name(filter->obj, "sets"));

	return bpf_map_update_elem(fd, &uid, set, BPF_ANY);
}

/* What a user with a set of ranges is to see of a file made by make_big_file() */
static void make_image(char *image, size_t size, const struct redact_set *set)
{
	size_t i;

	for (i = 0; i < size; i++)
		image[i] = byte_at(SEED, i);
	for (__u32 n = 0; set && n < set->nr; n++) {
		for (i = set->range[n].start; i < size && i < set->range[n].end; i++)
			image[i] = 0;
	}
}

FIXTURE_SETUP(redact)
{
	ASSERT_EQ(0, backed_make(&self->b, variant->fs));
	strcpy(self->back, in(self->b.back, "file"));
	strcpy(self->file, in(self->b.mnt, "file"));
	ASSERT_EQ(0, make_big_file(self->back, SIZE, SEED));
	ASSERT_EQ(0, RES(chmod(self->back, 0666)));
	ASSERT_EQ(0, RES(chmod(self->b.back, 0777)));
	ASSERT_EQ(0, backed_mount(&self->b, BACKED_ALLOW_OTHER));
	self->dir = open_dir(self->b.mnt, 0);
	ASSERT_LE(0, self->dir);
	/* Open before there is a filter */
	self->fd = open(self->file, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, filter_load(&self->filter, "redact"));
	ASSERT_EQ(0, filter_attach(&self->filter, self->dir, 0, 0));
	ASSERT_EQ(0, set_for(&self->filter, USER1, &usual));
	self->buf = mmap(NULL, 2 * SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	self->want = malloc(2 * SIZE);
	ASSERT_NE(MAP_FAILED, self->buf);
	ASSERT_NE(NULL, self->want);
	make_image(self->want, SIZE, &usual);
	setfsuid(USER1);
}

FIXTURE_TEARDOWN(redact)
{
	setfsuid(0);
	filter_destroy(&self->filter);
	close(self->fd);
	close(self->dir);
	EXPECT_EQ(0, backed_destroy(&self->b));
	munmap(self->buf, 2 * SIZE);
	free(self->want);
}

static ssize_t by_read(int fd, char *buf, size_t size, off_t offset)
{
	if (lseek(fd, offset, SEEK_SET) < 0)
		return -errno;
	return RES(read(fd, buf, size));
}

static ssize_t by_pread(int fd, char *buf, size_t size, off_t offset)
{
	return RES(pread(fd, buf, size, offset));
}

/* A vector whose parts are in reverse order of what they are for, but the last */
static size_t make_vector(struct iovec iov[4], char *buf, size_t size)
{
	size_t part = size / 4;

	for (int i = 0; i < 4; i++)
		iov[i] = (struct iovec){ buf + i * part, i < 3 ? part : size - 3 * part };
	return 4;
}

static ssize_t by_readv(int fd, char *buf, size_t size, off_t offset)
{
	struct iovec iov[4];

	if (lseek(fd, offset, SEEK_SET) < 0)
		return -errno;
	return RES(readv(fd, iov, make_vector(iov, buf, size)));
}

static ssize_t by_preadv2(int fd, char *buf, size_t size, off_t offset)
{
	struct iovec iov[4];

	return RES(preadv2(fd, iov, make_vector(iov, buf, size), offset, 0));
}

static ssize_t by_aio(int fd, char *buf, size_t size, off_t offset)
{
	return aio_pread(fd, buf, size, offset, 0);
}

static ssize_t by_aio_vector(int fd, char *buf, size_t size, off_t offset)
{
	return aio_pread(fd, buf, size, offset, 1);
}

/* For one read; that a ring was made says nothing about the user it reads as */
static ssize_t by_uring(int fd, char *buf, size_t size, off_t offset, enum uring_read how)
{
	struct uring *ring = uring_new();
	ssize_t ret = ring ? uring_read(ring, how, fd, buf, size, offset) : -errno;

	uring_free(ring);
	return ret;
}

static ssize_t by_uring_read(int fd, char *buf, size_t size, off_t offset)
{
	return by_uring(fd, buf, size, offset, URING_READ);
}

static ssize_t by_uring_readv(int fd, char *buf, size_t size, off_t offset)
{
	return by_uring(fd, buf, size, offset, URING_READV);
}

static ssize_t by_uring_fixed(int fd, char *buf, size_t size, off_t offset)
{
	return by_uring(fd, buf, size, offset, URING_READ_FIXED);
}

/* As much as a pipe takes at once; read from there by read(2) or by vmsplice(2) */
static ssize_t through_pipe(int fd, char *buf, size_t size, off_t offset, bool by_vmsplice)
{
	struct iovec iov = { buf };
	int pipes[2];
	ssize_t len;

	if (pipe2(pipes, O_CLOEXEC))
		return -errno;
	len = RES(splice(fd, &offset, pipes[1], NULL, size < 32768 ? size : 32768, 0));
	iov.iov_len = len < 0 ? 0 : len;
	if (len > 0)
		len = by_vmsplice ? RES(vmsplice(pipes[0], &iov, 1, 0)) :
				    RES(read(pipes[0], buf, len));
	close(pipes[0]);
	close(pipes[1]);
	return len;
}

static ssize_t by_splice(int fd, char *buf, size_t size, off_t offset)
{
	return through_pipe(fd, buf, size, offset, false);
}

static ssize_t by_vmsplice(int fd, char *buf, size_t size, off_t offset)
{
	return through_pipe(fd, buf, size, offset, true);
}

static ssize_t read_back(int out, char *buf, ssize_t len)
{
	ssize_t ret = len > 0 ? RES(pread(out, buf, len, 0)) : len;

	close(out);
	return ret;
}

static ssize_t by_sendfile(int fd, char *buf, size_t size, off_t offset)
{
	int out = memfd_create("out", MFD_CLOEXEC);
	ssize_t len, done = 0;

	if (out < 0)
		return -errno;
	do {
		len = RES(sendfile(out, fd, &offset, size - done));
		done += len > 0 ? len : 0;
	} while (len > 0 && (size_t)done < size);
	return read_back(out, buf, len < 0 ? len : done);
}

static const struct way {
	const char *name;
	ssize_t (*get)(int fd, char *buf, size_t size, off_t offset);
} ways[] = {
	{ "read", by_read },
	{ "pread", by_pread },
	{ "readv", by_readv },
	{ "preadv2", by_preadv2 },
	{ "io_submit", by_aio },
	{ "io_submit with a vector", by_aio_vector },
	{ "io_uring READ", by_uring_read },
	{ "io_uring READV", by_uring_readv },
	{ "io_uring READ_FIXED", by_uring_fixed },
	{ "splice", by_splice },
	{ "splice and vmsplice", by_vmsplice },
	{ "sendfile", by_sendfile },
};

/*
 * Compares what a read gave with an image of @size bytes. A short read is one at the
 * end, but for pipes, which give something.
 */
static bool matches(const char *buf, ssize_t len, const char *image, size_t size,
		    size_t asked, off_t offset, bool may_be_short)
{
	size_t left = (size_t)offset < size ? size - offset : 0;
	size_t want = asked < left ? asked : left;

	if (len < 0 || (size_t)len > want || (!may_be_short && (size_t)len != want) ||
	    (want && !len)) {
		say("%zd bytes at %ld in place of %zu", len, (long)offset, want);
		return false;
	}
	for (ssize_t i = 0; i < len; i++) {
		if (buf[i] != image[offset + i]) {
			say("byte %ld is %#x and not %#x", (long)offset + i,
			    (unsigned char)buf[i], (unsigned char)image[offset + i]);
			return false;
		}
	}
	return true;
}

static bool is_short(const struct way *way)
{
	return way->get == by_splice || way->get == by_vmsplice;
}

TEST_F(redact, every_way_of_reading)
{
	static const struct {
		off_t offset;
		size_t size;
	} reads[] = {
		{ 0, SIZE }, { 0, SIZE + 100 }, { 9, 1 }, { 10, 1 }, { 12, 5 }, { 5, 30 },
		{ 15, 10 }, { 19, 2 }, { 20, 10 }, { PAGE - 8, 4 }, { PAGE - 1, 2 },
		{ PAGE, PAGE }, { 2 * PAGE, PAGE }, { 2 * PAGE - 1, PAGE + 2 }, { 65536, 1 },
		{ SIZE - 20, 9 }, { SIZE - 20, 100 }, { SIZE - 5, 5 }, { SIZE, 10 },
		{ SIZE + 100, 10 },
	};

	for (size_t w = 0; w < ARRAY_SIZE(ways); w++) {
		for (size_t i = 0; i < ARRAY_SIZE(reads); i++) {
			size_t size = reads[i].size;
			off_t offset = reads[i].offset;
			ssize_t len;

			memset(self->buf, 0xee, size);
			len = ways[w].get(self->fd, self->buf, size, offset);
			EXPECT_TRUE(matches(self->buf, len, self->want, SIZE, size, offset,
					    is_short(&ways[w])))
				TH_LOG("%s, %zu at %ld", ways[w].name, size, (long)offset);
		}
	}
}

TEST_F(redact, others_see_all)
{
	ssize_t len;

	setfsuid(USER2);
	make_image(self->want, SIZE, NULL);
	for (size_t w = 0; w < ARRAY_SIZE(ways); w++) {
		memset(self->buf, 0xee, SIZE);
		len = ways[w].get(self->fd, self->buf, SIZE, 0);
		EXPECT_TRUE(matches(self->buf, len, self->want, SIZE, SIZE, 0,
				    is_short(&ways[w]))) TH_LOG("%s", ways[w].name);
	}
}

TEST_F(redact, direct_io)
{
	int fd = open(self->file, O_RDONLY | O_DIRECT | O_CLOEXEC);
	static const struct way direct[] = {
		{ "pread", by_pread }, { "io_submit", by_aio }, { "io_uring", by_uring_read },
	};
	ssize_t len;

	ASSERT_LE(0, fd);
	for (size_t w = 0; w < ARRAY_SIZE(direct); w++) {
		for (off_t offset = 0; offset < SIZE; offset += 3 * PAGE) {
			memset(self->buf, 0xee, 4 * PAGE);
			len = direct[w].get(fd, self->buf, 4 * PAGE, offset);
			EXPECT_TRUE(matches(self->buf, len, self->want, SIZE, 4 * PAGE, offset,
					    false)) TH_LOG("%s at %ld", direct[w].name, offset);
		}
	}
	close(fd);
}

/* Nothing is read without waiting, and nothing by half. */
TEST_F(redact, reading_without_waiting)
{
	struct iovec iov = { self->buf, 100 };

	memset(self->buf, 0xee, 100);
	/* tmpfs never promises not to wait */
	EXPECT_EQ(strcmp(variant->fs, "tmpfs") ? -EAGAIN : -EOPNOTSUPP,
		  RES(preadv2(self->fd, &iov, 1, 0, RWF_NOWAIT)));
	EXPECT_EQ((char)0xee, self->buf[0]);
}

TEST_F(redact, random_reads)
{
	unsigned int state = 1;

	for (unsigned int i = 0; i < scale(20000); i++) {
		/* Rings and contexts are made for each read: those are for the other tests */
		const struct way *way = &ways[rand_r(&state) % 4];
		off_t offset = rand_r(&state) % (SIZE + 100);
		size_t size = 1 + rand_r(&state) % (i % 10 ? 300 : 20000);
		ssize_t len;

		memset(self->buf, 0xee, size);
		len = way->get(self->fd, self->buf, size, offset);
		ASSERT_TRUE(matches(self->buf, len, self->want, SIZE, size, offset, false))
			TH_LOG("%s, %zu at %ld, number %u", way->name, size, (long)offset, i);
	}
}

TEST_F(redact, copies)
{
	off_t from = 5, to = 0;
	int out, other;
	ssize_t len;

	setfsuid(0);
	out = open(in(self->b.mnt, "copy"), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	other = open(in(self->b.top, "copy"), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	ASSERT_LE(0, out);
	ASSERT_LE(0, other);
	setfsuid(USER1);
	EXPECT_EQ(-EXDEV, RES(copy_file_range(self->fd, &from, other, &to, 100, 0)));
	while (from < SIZE) {
		len = RES(copy_file_range(self->fd, &from, out, &to, SIZE - from, 0));
		ASSERT_LT(0, len);
	}
	setfsuid(0);
	EXPECT_EQ(SIZE - 5, pread(out, self->buf, SIZE, 0));
	EXPECT_EQ(0, memcmp(self->buf, self->want + 5, SIZE - 5));
	close(other);
	close(out);
}

static int dedupe(int fd, off_t offset, size_t len, int out)
{
	union {
		struct file_dedupe_range range;
		char room[sizeof(struct file_dedupe_range) +
			  sizeof(struct file_dedupe_range_info)];
	} arg = {
		.range = { .src_offset = offset, .src_length = len, .dest_count = 1 },
	};

	arg.range.info[0].dest_fd = out;
	arg.range.info[0].dest_offset = offset;
	if (ioctl(fd, FIDEDUPERANGE, &arg))
		return -errno;
	return arg.range.info[0].status;
}

static int clone_range(int fd, off_t offset, size_t len, int out)
{
	struct file_clone_range range = {
		.src_fd = fd, .src_offset = offset, .src_length = len, .dest_offset = offset,
	};

	return RES(ioctl(out, FICLONERANGE, &range));
}

/* To share bytes is to read them: not those that are redacted. */
TEST_F(redact, clones)
{
	bool shares = !strcmp(variant->fs, "btrfs");
	int out, same;

	setfsuid(0);
	out = open(in(self->b.mnt, "clone"), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	ASSERT_LE(0, out);
	setfsuid(USER1);
	EXPECT_EQ(-EACCES, RES(ioctl(out, FICLONE, self->fd)));
	EXPECT_EQ(-EACCES, clone_range(self->fd, 0, PAGE, out));
	EXPECT_EQ(-EACCES, clone_range(self->fd, 2 * PAGE, PAGE, out));
	EXPECT_EQ(0, lseek(out, 0, SEEK_END));
	/* A page without a redacted byte */
	EXPECT_EQ(shares ? 0 : -EOPNOTSUPP, clone_range(self->fd, 4 * PAGE, PAGE, out));
	setfsuid(USER2);
	EXPECT_EQ(shares ? 0 : -EOPNOTSUPP, RES(ioctl(out, FICLONE, self->fd)));
	setfsuid(0);
	close(out);

	ASSERT_EQ(0, make_big_file(in(self->b.back, "same"), SIZE, SEED));
	ASSERT_EQ(0, RES(chmod(in(self->b.back, "same"), 0666)));
	same = open(in(self->b.mnt, "same"), O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, same);
	setfsuid(USER1);
	EXPECT_EQ(-EACCES, dedupe(self->fd, 0, 8 * PAGE, same));
	EXPECT_EQ(-EACCES, dedupe(self->fd, 2 * PAGE, PAGE, same));
	EXPECT_EQ(shares ? FILE_DEDUPE_RANGE_SAME : -EINVAL,
		  dedupe(self->fd, 4 * PAGE, PAGE, same));
	setfsuid(USER2);
	EXPECT_EQ(shares ? FILE_DEDUPE_RANGE_SAME : -EINVAL,
		  dedupe(self->fd, 0, 8 * PAGE, same));
	setfsuid(0);
	close(same);
}

/* That two ranges are the same would tell what is in the redacted one. */
TEST_F(redact, comparing_with_what_is_redacted)
{
	struct redact_set set = usual;
	int known;

	setfsuid(0);
	ASSERT_EQ(0, make_big_file(in(self->b.back, "known"), SIZE, SEED));
	known = open(in(self->b.mnt, "known"), O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, known);
	set.nodeid = FUSE_NODEID_KERNEL | ino_of(self->back);
	ASSERT_EQ(0, set_for(&self->filter, USER1, &set));
	setfsuid(USER1);
	EXPECT_EQ(-EACCES, dedupe(known, 2 * PAGE, PAGE, self->fd));
	EXPECT_EQ(!strcmp(variant->fs, "btrfs") ? FILE_DEDUPE_RANGE_SAME : -EINVAL,
		  dedupe(known, 4 * PAGE, PAGE, self->fd));
	close(known);
}

static int try_map(int fd, int prot, int flags)
{
	void *map = mmap(NULL, PAGE, prot, flags, fd, 4 * PAGE);

	return map == MAP_FAILED ? -errno : RES(munmap(map, PAGE));
}

/* A mapping could be had of other pages later: not even of those that are not redacted */
TEST_F(redact, mappings)
{
	static const int prots[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_EXEC };

	for (size_t i = 0; i < ARRAY_SIZE(prots); i++) {
		EXPECT_EQ(-EACCES, try_map(self->fd, prots[i], MAP_PRIVATE));
		EXPECT_EQ(-EACCES, try_map(self->fd, prots[i], MAP_SHARED));
	}
	setfsuid(USER2);
	for (size_t i = 0; i < ARRAY_SIZE(prots); i++) {
		EXPECT_EQ(0, try_map(self->fd, prots[i], MAP_PRIVATE));
		EXPECT_EQ(0, try_map(self->fd, prots[i], MAP_SHARED));
	}
}

static int run_program(void *arg)
{
	execl(arg, arg, NULL);
	return -errno;
}

TEST_F(redact, programs)
{
	char program[64];

	setfsuid(0);
	strcpy(program, in(self->b.mnt, "true"));
	ASSERT_EQ(0, sh("cp /bin/true %s/true", self->b.back));
	EXPECT_EQ(0, as_user(USER2, USER2, run_program, program));
	EXPECT_NE(0, as_user(USER1, USER1, run_program, program));
	/* Where there is nothing to hide, it runs */
	ASSERT_EQ(0, set_for(&self->filter, USER1, &(struct redact_set){}));
	EXPECT_EQ(0, as_user(USER1, USER1, run_program, program));
}

TEST_F(redact, a_file_that_grew)
{
	struct redact_set set = { .nr = 1, .range = { { SIZE, TO_END } } };
	ssize_t len;

	setfsuid(0);
	ASSERT_EQ(0, set_for(&self->filter, USER1, &set));
	ASSERT_EQ(0, append_file(self->back, "what came later"));
	setfsuid(USER1);
	make_image(self->want, SIZE, NULL);
	memset(self->want + SIZE, 0, 15);
	len = pread(self->fd, self->buf, SIZE + 100, 0);
	EXPECT_TRUE(matches(self->buf, len, self->want, SIZE + 15, SIZE + 100, 0, false));
	EXPECT_EQ(15, pread(self->fd, self->buf, 100, SIZE));
	EXPECT_EQ(0, memcmp(self->buf, self->want + SIZE, 15));
	setfsuid(USER2);
	EXPECT_EQ(15, pread(self->fd, self->buf, 100, SIZE));
	EXPECT_EQ(0, memcmp(self->buf, "what came later", 15));
}

static int last_answer(const struct filter *filter)
{
	int fd = bpf_map__fd(bpf_object__find_map_by_name(filter->obj, "sets"));
	struct redact_set set = {};
	__u32 uid = USER1;

	bpf_map_lookup_elem(fd, &uid, &set);
	return set.ret;
}

TEST_F(redact, as_many_ranges_as_there_can_be)
{
	struct redact_set set = {};
	ssize_t len;

	for (set.nr = 0; set.nr < FUSE_FILTER_MAX_RANGES; set.nr++) {
		set.range[set.nr].start = 1000 * (set.nr + 1);
		set.range[set.nr].end = 1000 * (set.nr + 1) + 100;
	}
	ASSERT_EQ(0, set_for(&self->filter, USER1, &set));
	make_image(self->want, SIZE, &set);
	len = pread(self->fd, self->buf, SIZE, 0);
	EXPECT_TRUE(matches(self->buf, len, self->want, SIZE, SIZE, 0, false));
	/* One more is one too many, but not if it is not being read */
	set.range[set.nr].start = 100000;
	set.range[set.nr++].end = 100001;
	ASSERT_EQ(0, set_for(&self->filter, USER1, &set));
	EXPECT_EQ(-EIO, RES(pread(self->fd, self->buf, SIZE, 0)));
	EXPECT_EQ(-ENOSPC, last_answer(&self->filter));
	EXPECT_EQ(-EIO, try_map(self->fd, PROT_READ, MAP_PRIVATE));
	len = pread(self->fd, self->buf, 50000, 0);
	EXPECT_TRUE(matches(self->buf, len, self->want, SIZE, 50000, 0, false));
}

/* In any order, one in the other, end to end: what is next to each other is one. */
TEST_F(redact, ranges_that_touch)
{
	struct redact_set set = { .nr = REDACT_RANGES };
	ssize_t len;

	for (__u32 i = 0; i < REDACT_RANGES; i++) {
		/* Even ones apart from each other in descending order, odd ones between */
		__u32 at = i < REDACT_RANGES / 2 ? 2 * (REDACT_RANGES / 2 - 1 - i) :
						   2 * (i - REDACT_RANGES / 2) + 1;

		set.range[i].start = 5000 + 333 * at;
		set.range[i].end = 5000 + 333 * (at + 1);
	}
	ASSERT_EQ(0, set_for(&self->filter, USER1, &set));
	make_image(self->want, SIZE, &set);
	len = pread(self->fd, self->buf, SIZE, 0);
	EXPECT_TRUE(matches(self->buf, len, self->want, SIZE, SIZE, 0, false));
	EXPECT_EQ(0, last_answer(&self->filter));

	set = (struct redact_set){ .nr = 4, .range = { { 100, 200 }, { 120, 130 }, { 90, 210 },
						       { 210, 220 } } };
	ASSERT_EQ(0, set_for(&self->filter, USER1, &set));
	make_image(self->want, SIZE, &set);
	len = pread(self->fd, self->buf, SIZE, 0);
	EXPECT_TRUE(matches(self->buf, len, self->want, SIZE, SIZE, 0, false));
}

TEST_F(redact, ranges_that_are_none)
{
	struct redact_set set = { .nr = 1, .range = { { 100, 100 } } };

	ASSERT_EQ(0, set_for(&self->filter, USER1, &set));
	make_image(self->want, SIZE, NULL);
	EXPECT_EQ(SIZE, pread(self->fd, self->buf, SIZE, 0));
	EXPECT_EQ(-EINVAL, last_answer(&self->filter));
	EXPECT_EQ(0, memcmp(self->buf, self->want, SIZE));
	set.range[0].end = 99;
	ASSERT_EQ(0, set_for(&self->filter, USER1, &set));
	EXPECT_EQ(SIZE, pread(self->fd, self->buf, SIZE, 0));
	EXPECT_EQ(-EINVAL, last_answer(&self->filter));
	set.range[0].start = 0;
	set.range[0].end = TO_END;
	ASSERT_EQ(0, set_for(&self->filter, USER1, &set));
	EXPECT_EQ(SIZE, pread(self->fd, self->buf, SIZE + 5, 0));
	memset(self->want, 0, SIZE);
	EXPECT_EQ(0, memcmp(self->buf, self->want, SIZE));
}

/**
 * struct reader - a thread that reads as a user and compares
 * @file: path
 * @uid: user
 * @set: what is redacted for it, or NULL
 * @wrong: how many reads were not as they should be
 */
struct reader {
	const char *file;
	uid_t uid;
	const struct redact_set *set;
	unsigned int wrong;
};

static void *read_as(void *arg)
{
	struct reader *reader = arg;
	char *image = malloc(SIZE), *buf = malloc(SIZE);
	unsigned int state = reader->uid;
	int fd;

	make_image(image, SIZE, reader->set);
	setfsuid(reader->uid);
	fd = open(reader->file, O_RDONLY | O_CLOEXEC);
	reader->wrong += fd < 0;
	for (unsigned int i = 0; i < scale(2000); i++) {
		off_t offset = rand_r(&state) % SIZE;
		size_t size = 1 + rand_r(&state) % (i % 10 ? 5000 : SIZE);
		ssize_t len = pread(fd, buf, size < SIZE ? size : SIZE, offset);

		reader->wrong += !matches(buf, len, image, SIZE, size, offset, false);
	}
	close(fd);
	free(image);
	free(buf);
	return NULL;
}

/* The pages are the same, and there is only one of each */
TEST_F(redact, two_users_of_one_page_cache)
{
	static const struct redact_set other = {
		.nr = 2, .range = { { 15, 5000 }, { 100000, 150000 } },
	};
	struct reader readers[] = {
		{ self->file, USER1, &usual }, { self->file, USER2, &other },
		{ self->file, 0, NULL },
	};
	pthread_t threads[ARRAY_SIZE(readers)];

	ASSERT_EQ(0, set_for(&self->filter, USER2, &other));
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, read_as, &readers[i]));
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
		pthread_join(threads[i], NULL);
		EXPECT_EQ(0, readers[i].wrong);
	}
}

/* Only bytes 1000 to 1999 are for USER1 to write */
static const struct redact_set some_writable = { .write_start = 1000, .write_end = 2000 };

TEST_F(redact, writes)
{
	char *buf = self->buf;
	int out;

	memset(buf, 0x55, SIZE);
	ASSERT_EQ(0, set_for(&self->filter, USER1, &some_writable));
	EXPECT_EQ(-EPERM, RES(pwrite(self->fd, buf, 1, 999)));
	EXPECT_EQ(-EPERM, RES(pwrite(self->fd, buf, 2, 999)));
	EXPECT_EQ(-EPERM, RES(pwrite(self->fd, buf, 2, 1999)));
	EXPECT_EQ(-EPERM, RES(pwrite(self->fd, buf, 1001, 1000)));
	EXPECT_EQ(-EPERM, RES(pwrite(self->fd, buf, 1, 2000)));
	EXPECT_EQ(1000, pwrite(self->fd, buf, 1000, 1000));
	EXPECT_EQ(1, pwrite(self->fd, buf, 1, 1999));
	/* At the end, wherever the position is */
	out = open(self->file, O_WRONLY | O_APPEND | O_CLOEXEC);
	ASSERT_LE(0, out);
	EXPECT_EQ(-EPERM, RES(pwrite(out, buf, 1, 1500)));
	close(out);
	setfsuid(USER2);
	EXPECT_EQ(1, pwrite(self->fd, buf, 1, 5000));
	setfsuid(0);
	make_image(self->want, SIZE, NULL);
	memset(self->want + 1000, 0x55, 1000);
	self->want[5000] = 0x55;
	EXPECT_EQ(SIZE, pread(self->fd, buf, SIZE + 1, 0));
	EXPECT_EQ(0, memcmp(buf, self->want, SIZE));
}

TEST_F(redact, writes_by_other_ways)
{
	loff_t from = 0, to = 0;
	int pipes[2], source;

	setfsuid(0);
	ASSERT_EQ(0, make_file(in(self->b.back, "source"), "other bytes", 0644));
	source = open(in(self->b.mnt, "source"), O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, source);
	ASSERT_EQ(0, RES(pipe2(pipes, O_CLOEXEC)));
	ASSERT_EQ(0, set_for(&self->filter, USER1, &some_writable));
	setfsuid(USER1);
	ASSERT_EQ(5, write(pipes[1], "bytes", 5));
	EXPECT_EQ(-EPERM, RES(splice(pipes[0], NULL, self->fd, &to, 5, 0)));
	EXPECT_EQ(-EPERM, RES(copy_file_range(source, &from, self->fd, &to, 5, 0)));
	EXPECT_EQ(-EPERM, RES(ioctl(self->fd, FICLONE, source)));
	ASSERT_EQ(0, lseek(self->fd, 0, SEEK_SET));
	EXPECT_EQ(-EPERM, RES(sendfile(self->fd, source, &from, 5)));
	to = 1990;
	EXPECT_EQ(-EPERM, RES(copy_file_range(source, &from, self->fd, &to, 11, 0)));
	EXPECT_EQ(5, RES(splice(pipes[0], NULL, self->fd, &to, 5, 0)));
	EXPECT_EQ(5, RES(copy_file_range(source, &from, self->fd, &to, 5, 0)));
	make_image(self->want, SIZE, NULL);
	memcpy(self->want + 1990, "bytesother", 10);
	setfsuid(0);
	EXPECT_EQ(SIZE, pread(self->fd, self->buf, SIZE, 0));
	EXPECT_EQ(0, memcmp(self->buf, self->want, SIZE));
	close(source);
	close(pipes[0]);
	close(pipes[1]);
}

/* What cannot be written in any place cannot be mapped for writing either */
TEST_F(redact, mappings_that_can_be_written_to)
{
	char *map;

	ASSERT_EQ(0, set_for(&self->filter, USER1, &some_writable));
	EXPECT_EQ(-EPERM, try_map(self->fd, PROT_READ | PROT_WRITE, MAP_SHARED));
	EXPECT_EQ(-EPERM, try_map(self->fd, PROT_WRITE, MAP_SHARED));
	map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ((char)byte_at(SEED, 5), map[5]);
	EXPECT_EQ(-EACCES, RES(mprotect(map, PAGE, PROT_READ | PROT_WRITE)));
	munmap(map, PAGE);
	/* Its own copy is the caller's */
	EXPECT_EQ(0, try_map(self->fd, PROT_READ | PROT_WRITE, MAP_PRIVATE));
	setfsuid(USER2);
	map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(0, RES(mprotect(map, PAGE, PROT_READ | PROT_WRITE)));
	map[5] = 'x';
	munmap(map, PAGE);
	EXPECT_EQ(1, pread(self->fd, self->buf, 1, 5));
	EXPECT_EQ('x', self->buf[0]);
}

TEST_HARNESS_MAIN
