// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ready filters of bpf/filters own_only, readonly_for, ratelimit and chaos: what
 * they do to whom they are for, that they leave others alone, and ways around them.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "harness.h"
#include "ready_fixture.h"

#define MINUTE 60000000000ULL

FIXTURE(ready)
{
	struct ready r;
};

FIXTURE_SETUP(ready)
{
	ASSERT_EQ(0, ready_begin(&self->r, 0));
}

FIXTURE_TEARDOWN(ready)
{
	EXPECT_EQ(0, ready_end(&self->r));
}

static int move_onto(void *arg)
{
	return RES(rename(in(arg, "sub/below"), in(arg, "file")));
}

TEST_F(ready, own_only)
{
	char *below = strdup(in(self->r.b.mnt, "sub/below"));

	/* In the dcache, so that what follows is not answered from there */
	ASSERT_EQ(0, user_stat(USER2, self->r.file));
	ASSERT_EQ(0, user_stat(USER2, below));
	ASSERT_EQ(0, ready_use(&self->r, "own_only"));
	EXPECT_EQ(-ENOENT, user_stat(USER1, self->r.file));
	EXPECT_EQ(-ENOENT, user_stat(0, self->r.file));
	ASSERT_EQ(0, ready_set_name(&self->r, "own_names", "file", USER1));
	ASSERT_EQ(0, ready_set_name(&self->r, "own_names", "sub", USER2));

	EXPECT_EQ(0, user_stat(USER1, self->r.file));
	EXPECT_EQ(-ENOENT, user_stat(USER2, self->r.file));
	EXPECT_EQ(-ENOENT, user_open(USER2, self->r.file, O_RDWR | O_CREAT));
	EXPECT_EQ(-ENOENT, user_stat(USER2, in(self->r.b.mnt, "none")));
	EXPECT_EQ(0, user_stat(USER2, below));
	EXPECT_EQ(-ENOENT, user_stat(USER1, below));
	EXPECT_EQ(1, as_user(USER1, USER1, names_in, self->r.b.mnt));
	EXPECT_EQ(1, as_user(USER2, USER2, names_in, self->r.b.mnt));
	EXPECT_EQ(1, as_user(USER2, USER2, names_in, self->r.sub));
	/* Neither onto another's name nor beside it, and the file is as it was */
	EXPECT_EQ(-ENOENT, as_user(USER2, USER2, move_onto, self->r.b.mnt));
	EXPECT_EQ(-ENOENT, as_user(USER2, USER2, make_in, in(self->r.b.mnt, "new")));
	EXPECT_STREQ("0123456789", text_of(in(self->r.b.back, "file")));

	ASSERT_EQ(0, ready_set_id(&self->r, "see_all", 0));
	EXPECT_EQ(0, user_stat(0, self->r.file));
	EXPECT_EQ(2, names_in(self->r.b.mnt));
	free(below);
}

/* All the ways of changing something; how many did not fail with EROFS */
static int change_all(void *arg)
{
	const char *mnt = arg;
	char *file = strdup(in(mnt, "file"));
	int fd = open(file, O_RDONLY | O_CLOEXEC), flags, wrong = 0;
	char value[4];

	if (fd < 0 || RES(fgetxattr(fd, "user.none", value, sizeof(value))) == -EROFS)
		return -EIO;
#define REFUSED(call)							\
	do {								\
		int ret = RES(call);					\
									\
		if (ret != -EROFS) {					\
			fprintf(stderr, "# %s: %d\n", #call, ret);			\
			wrong++;					\
		}							\
	} while (0)
	REFUSED(open(file, O_WRONLY));
	REFUSED(open(file, O_RDWR));
	REFUSED(open(file, O_RDONLY | O_TRUNC));
	REFUSED(open(in(mnt, "new"), O_WRONLY | O_CREAT, 0600));
	REFUSED(open(mnt, O_RDWR | O_TMPFILE, 0600));
	REFUSED(truncate(file, 0));
	REFUSED(chmod(file, 0600));
	REFUSED(utimensat(AT_FDCWD, file, NULL, 0));
	REFUSED(mkdir(in(mnt, "new"), 0700));
	REFUSED(mknod(in(mnt, "new"), S_IFIFO | 0600, 0));
	REFUSED(symlink("x", in(mnt, "new")));
	REFUSED(link(file, in(mnt, "new")));
	REFUSED(unlink(file));
	REFUSED(rmdir(in(mnt, "empty")));
	REFUSED(rename(file, in(mnt, "new")));
	REFUSED(setxattr(file, "user.x", "y", 1, 0));
	REFUSED(removexattr(file, "user.x"));
	REFUSED(access(file, W_OK));
	flags = 0;
	REFUSED(ioctl(fd, FS_IOC_SETFLAGS, &flags));
#undef REFUSED
	close(fd);
	free(file);
	return wrong;
}

static int read_all(void *arg)
{
	return strcmp(text_of(arg), "0123456789") || RES(access(arg, R_OK)) ? -EIO : 0;
}

/* With a descriptor that somebody else has opened for writing */
static int write_inherited(void *arg)
{
	int fd = *(int *)arg;

	if (RES(pwrite(fd, "x", 1, 0)) != -EROFS || RES(ftruncate(fd, 0)) != -EROFS ||
	    RES(fallocate(fd, 0, 0, 100)) != -EROFS)
		return 1;
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ? 0 : 2;
}

TEST_F(ready, readonly_for)
{
	int fd;

	ASSERT_EQ(0, make_dir(in(self->r.b.back, "empty"), 0777));
	ASSERT_EQ(0, ready_use(&self->r, "readonly_for"));
	EXPECT_EQ(1, as_user(USER1, USER1, write_one, self->r.file));
	ASSERT_EQ(0, ready_set_id(&self->r, "readonly_uids", USER1));
	EXPECT_EQ(0, as_user(USER1, USER1, read_all, self->r.file));
	EXPECT_EQ(0, as_user(USER1, USER1, change_all, self->r.b.mnt));
	fd = open(self->r.file, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, as_user(USER1, USER1, write_inherited, &fd));
	close(fd);
	EXPECT_STREQ("0123456789", text_of(in(self->r.b.back, "file")));
	EXPECT_EQ(1, as_user(USER2, USER2, write_one, self->r.file));
	EXPECT_EQ(0, as_user(USER2, USER2, make_in, in(self->r.b.mnt, "new")));
}

struct rate_limit {
	__u64 interval;
	__u64 burst;
	__u64 full_at;
};

/* All that is limited; how many did not fail with EDQUOT */
static int change_names(void *arg)
{
	const char *mnt = arg;
	char *file = strdup(in(mnt, "file"));
	int wrong = 0;

#define LIMITED(call)							\
	do {								\
		int ret = RES(call);					\
									\
		if (ret != -EDQUOT) {					\
			fprintf(stderr, "# %s: %d\n", #call, ret);			\
			wrong++;					\
		}							\
	} while (0)
	LIMITED(open(in(mnt, "new"), O_WRONLY | O_CREAT, 0600));
	LIMITED(open(mnt, O_RDWR | O_TMPFILE, 0600));
	LIMITED(mkdir(in(mnt, "new"), 0700));
	LIMITED(mknod(in(mnt, "new"), S_IFIFO | 0600, 0));
	LIMITED(symlink("x", in(mnt, "new")));
	LIMITED(link(file, in(mnt, "new")));
	LIMITED(unlink(file));
	LIMITED(rmdir(in(mnt, "empty")));
	LIMITED(rename(file, in(mnt, "new")));
#undef LIMITED
	free(file);
	return wrong;
}

TEST_F(ready, ratelimit)
{
	struct rate_limit limit = { .interval = 10 * MINUTE, .burst = 3 };
	int tries, ret = -EDQUOT;
	__u32 uid = USER1;

	ASSERT_EQ(0, make_dir(in(self->r.b.back, "empty"), 0777));
	ASSERT_EQ(0, ready_use(&self->r, "ratelimit"));
	EXPECT_EQ(0, as_user(USER1, USER1, make_in, in(self->r.b.mnt, "before")));
	ASSERT_EQ(0, ready_set(&self->r, "rate_limits", &uid, &limit));
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(0, as_user(USER1, USER1, make_in, in(self->r.b.mnt, "d%d", i)));
	EXPECT_EQ(0, as_user(USER1, USER1, change_names, self->r.b.mnt));
	/* Neither what makes no name nor other users */
	EXPECT_EQ(1, as_user(USER1, USER1, write_one, self->r.file));
	for (int i = 0; i < 10; i++)
		EXPECT_EQ(0, as_user(USER2, USER2, make_in, in(self->r.b.mnt, "e%d", i)));

	/* Time fills it up again */
	limit.interval = 1000000;
	ASSERT_EQ(0, ready_set(&self->r, "rate_limits", &uid, &limit));
	for (int i = 0; i < 3; i++)
		as_user(USER1, USER1, make_in, in(self->r.b.mnt, "f%d", i));
	for (tries = 0; ret == -EDQUOT && tries < 1000; tries++)
		ret = as_user(USER1, USER1, make_in, in(self->r.b.mnt, "g"));
	EXPECT_EQ(0, ret);
}

struct chaos_rule {
	__u32 error;
	__u32 per_million;
};

/* How many of 100 opens fail with EBUSY; a negative errno of another failure */
static int open_often(void *arg)
{
	int failed = 0;

	for (int i = 0; i < 100; i++) {
		int fd = open(arg, O_RDONLY | O_CLOEXEC);

		if (fd < 0 && errno != EBUSY)
			return -errno;
		failed += fd < 0;
		if (fd >= 0)
			close(fd);
	}
	return failed;
}

TEST_F(ready, chaos)
{
	struct chaos_rule rule = { .error = ENOSPC, .per_million = 1000000 };
	__u32 opcode = FUSE_MKDIR;
	int failed;

	ASSERT_EQ(0, ready_use(&self->r, "chaos"));
	ASSERT_EQ(0, ready_set(&self->r, "chaos_rules", &opcode, &rule));
	EXPECT_EQ(0, as_user(USER1, USER1, make_in, in(self->r.b.mnt, "a")));
	ASSERT_EQ(0, ready_set_id(&self->r, "chaos_uids", USER1));
	EXPECT_EQ(-ENOSPC, as_user(USER1, USER1, make_in, in(self->r.b.mnt, "b")));
	EXPECT_EQ(-ENOENT, user_stat(0, in(self->r.b.back, "b")));
	EXPECT_EQ(0, as_user(USER2, USER2, make_in, in(self->r.b.mnt, "b")));
	EXPECT_EQ(1, ready_sum(&self->r, "chaos_hits", FUSE_MKDIR));
	/* What is no errno of a request */
	rule.error = 100000;
	ASSERT_EQ(0, ready_set(&self->r, "chaos_rules", &opcode, &rule));
	EXPECT_EQ(-EIO, as_user(USER1, USER1, make_in, in(self->r.b.mnt, "c")));

	/* Half of the time: fewer than 10 or more than 90 of 100 do not happen by chance */
	opcode = FUSE_OPEN;
	rule = (struct chaos_rule){ .error = EBUSY, .per_million = 500000 };
	ASSERT_EQ(0, ready_set(&self->r, "chaos_rules", &opcode, &rule));
	failed = as_user(USER1, USER1, open_often, self->r.file);
	EXPECT_LT(9, failed);
	EXPECT_GT(91, failed);
	EXPECT_EQ(0, as_user(USER2, USER2, open_often, self->r.file));
}

TEST_HARNESS_MAIN
