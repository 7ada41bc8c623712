// SPDX-License-Identifier: GPL-2.0-only
/*
 * Flags that fcntl(2) changes, or a single write overrides, count for the file on the
 * backing: a mount does what a native file does.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "backed_fixture.h"
#include "harness.h"

#ifndef RWF_NOAPPEND
#define RWF_NOAPPEND 0x20
#endif

FIXTURE(setfl)
{
	struct backed b;
	char back[64];
	char mnt[64];
};

FIXTURE_VARIANT(setfl)
{
	const char *fs;
};

FIXTURE_VARIANT_ADD(setfl, tmpfs) { .fs = "tmpfs" };
FIXTURE_VARIANT_ADD(setfl, ext4) { .fs = "ext4" };

FIXTURE_SETUP(setfl)
{
	ASSERT_EQ(0, backed_setup(&self->b, variant->fs, BACKED_ALLOW_OTHER));
	strcpy(self->back, in(self->b.back, "file"));
	strcpy(self->mnt, in(self->b.mnt, "file"));
	ASSERT_EQ(0, make_file(self->back, "0123456789", 0666));
}

FIXTURE_TEARDOWN(setfl)
{
	EXPECT_EQ(0, backed_destroy(&self->b));
}

static ssize_t write_no_append(int fd, const char *text, off_t offset)
{
	struct iovec iov = { (void *)text, strlen(text) };

	return RES(pwritev2(fd, &iov, 1, offset, RWF_NOAPPEND));
}

TEST_F(setfl, append_is_taken_away_and_given)
{
	int fd = open(self->mnt, O_RDWR | O_APPEND);

	ASSERT_LE(0, fd);
	EXPECT_EQ(1, pwrite(fd, "a", 1, 0));
	EXPECT_STREQ("0123456789a", text_of(self->back));
	ASSERT_EQ(0, fcntl(fd, F_SETFL, 0));
	EXPECT_EQ(1, pwrite(fd, "b", 1, 0));
	EXPECT_STREQ("b123456789a", text_of(self->back));
	ASSERT_EQ(0, fcntl(fd, F_SETFL, O_APPEND));
	EXPECT_EQ(1, pwrite(fd, "c", 1, 0));
	EXPECT_STREQ("b123456789ac", text_of(self->back));
	close(fd);
}

TEST_F(setfl, append_is_given_to_a_file_without)
{
	int fd = open(self->mnt, O_RDWR);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, fcntl(fd, F_SETFL, O_APPEND));
	EXPECT_EQ(1, write(fd, "a", 1));
	EXPECT_EQ(1, write_no_append(fd, "b", 1));
	EXPECT_STREQ("0b23456789a", text_of(self->back));
	close(fd);
}

TEST_F(setfl, one_write_does_not_append)
{
	int fd = open(self->mnt, O_RDWR | O_APPEND);

	ASSERT_LE(0, fd);
	EXPECT_EQ(2, write_no_append(fd, "ab", 1));
	EXPECT_STREQ("0ab3456789", text_of(self->back));
	EXPECT_EQ(1, pwrite(fd, "c", 1, 0));
	EXPECT_STREQ("0ab3456789c", text_of(self->back));
	close(fd);
}

/* What was open for appending before the file was made append-only goes on so, only. */
TEST_F(setfl, append_only)
{
	int fd = open(self->mnt, O_RDWR | O_APPEND);
	int other = open(self->mnt, O_RDWR | O_APPEND);
	char byte;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, fcntl(other, F_SETFL, 0));
	ASSERT_EQ(0, set_file_flags(self->back, FS_APPEND_FL));
	EXPECT_EQ(-EPERM, write_no_append(fd, "a", 0));
	/* It was cleared when that was allowed, but nothing was written so before */
	EXPECT_EQ(-EPERM, RES(pwrite(other, "b", 1, 0)));
	EXPECT_EQ(1, pread(other, &byte, 1, 0));
	EXPECT_EQ(1, pwrite(fd, "c", 1, 0));
	EXPECT_STREQ("0123456789c", text_of(self->back));
	EXPECT_EQ(0, set_file_flags(self->back, 0));
	close(other);
	close(fd);
}

TEST_F(setfl, copies_go_where_append_was_taken_away)
{
	int from = open(self->mnt, O_RDONLY), to = open(self->mnt, O_RDWR | O_APPEND);
	off_t from_pos = 0, to_pos = 5;

	ASSERT_LE(0, from);
	ASSERT_LE(0, to);
	EXPECT_EQ(-EBADF, RES(copy_file_range(from, &from_pos, to, &to_pos, 3, 0)));
	ASSERT_EQ(0, fcntl(to, F_SETFL, 0));
	EXPECT_EQ(3, copy_file_range(from, &from_pos, to, &to_pos, 3, 0));
	EXPECT_STREQ("0123401289", text_of(self->back));
	close(from);
	close(to);
}

static long atime_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? -errno : st.st_atim.tv_sec;
}

/* Older than the last change, so that relatime would move it */
static int age(const char *path)
{
	const struct timespec times[2] = { { 1000, 0 }, { 0, UTIME_OMIT } };

	return RES(utimensat(AT_FDCWD, path, times, 0));
}

TEST_F(setfl, access_times)
{
	int fd = open(self->mnt, O_RDONLY);
	char byte;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, age(self->back));
	ASSERT_EQ(0, fcntl(fd, F_SETFL, O_NOATIME));
	EXPECT_EQ(1, pread(fd, &byte, 1, 0));
	EXPECT_EQ(1000, atime_of(self->mnt));
	ASSERT_EQ(0, fcntl(fd, F_SETFL, 0));
	EXPECT_EQ(1, pread(fd, &byte, 1, 0));
	EXPECT_LT(1000, atime_of(self->mnt));
	close(fd);
}

/* Only direct writes mind where they go. */
TEST_F(setfl, direct)
{
	char *page = aligned_alloc(4096, 8192);
	int fd = open(self->mnt, O_RDWR), back = open(self->back, O_RDWR);
	ssize_t expected;

	ASSERT_LE(0, fd);
	ASSERT_LE(0, back);
	memset(page, 'p', 8192);
	ASSERT_EQ(0, fcntl(back, F_SETFL, O_DIRECT));
	ASSERT_EQ(0, fcntl(fd, F_SETFL, O_DIRECT));
	expected = RES(pwrite(back, page + 1, 100, 1));
	EXPECT_EQ(!strcmp(variant->fs, "ext4") ? -EINVAL : 100, expected);
	EXPECT_EQ(expected, RES(pwrite(fd, page + 1, 100, 1)));
	EXPECT_EQ(4096, pwrite(fd, page, 4096, 4096));
	ASSERT_EQ(0, fcntl(fd, F_SETFL, 0));
	EXPECT_EQ(100, pwrite(fd, page + 1, 100, 1));
	free(page);
	close(back);
	close(fd);
}

TEST_HARNESS_MAIN
