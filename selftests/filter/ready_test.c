// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ready filters of bpf/filters own_only, readonly_for, ratelimit and chaos: what
 * they do to whom they are for, that they leave others alone, and ways around them.
 */
#include <bpf/bpf.h>
#include <dirent.h>
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

#include "backed_fixture.h"
#include "filter_fixture.h"
#include "harness.h"

#define MINUTE 60000000000ULL

FIXTURE(ready)
{
	struct backed b;
	struct filter filter;
	char file[64];
	char sub[64];
	int dir;
};

/* Everybody may write everywhere, so that only the filter says no */
FIXTURE_SETUP(ready)
{
	self->filter = FILTER_NONE;
	ASSERT_EQ(0, backed_make(&self->b, "tmpfs"));
	ASSERT_EQ(0, RES(chmod(self->b.back, 0777)));
	ASSERT_EQ(0, make_file(in(self->b.back, "file"), "0123456789", 0666));
	ASSERT_EQ(0, RES(chmod(in(self->b.back, "file"), 0666)));
	ASSERT_EQ(0, make_dir(in(self->b.back, "sub"), 0777));
	ASSERT_EQ(0, RES(chmod(in(self->b.back, "sub"), 0777)));
	ASSERT_EQ(0, make_file(in(self->b.back, "sub/below"), "below", 0666));
	ASSERT_EQ(0, RES(chown(in(self->b.back, "file"), USER1, USER1)));
	strcpy(self->file, in(self->b.mnt, "file"));
	strcpy(self->sub, in(self->b.mnt, "sub"));
	ASSERT_EQ(0, backed_mount(&self->b, BACKED_ALLOW_OTHER));
	self->dir = open_dir(self->b.mnt, 0);
	ASSERT_LE(0, self->dir);
}

FIXTURE_TEARDOWN(ready)
{
	filter_destroy(&self->filter);
	close(self->dir);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

static int use(struct filter *filter, const char *name, int dir)
{
	int err = filter_load(filter, in("../bpf", "%s", name));

	return err ? err : filter_attach(filter, dir, 0, 0);
}

static int map_of(const struct filter *filter, const char *map)
{
	return bpf_map__fd(bpf_object__find_map_by_name(filter->obj, map));
}

static int set(const struct filter *filter, const char *map, const void *key, const void *value)
{
	return bpf_map_update_elem(map_of(filter, map), key, value, BPF_ANY);
}

static int set_uid(const struct filter *filter, const char *map, __u32 uid)
{
	return set(filter, map, &uid, &(__u8){ 1 });
}

/* Names in a directory, without "." and ".."; a negative errno */
static int names_in(void *arg)
{
	DIR *dir = opendir(arg);
	int nr = 0;

	if (!dir)
		return -errno;
	while (readdir(dir))
		nr++;
	closedir(dir);
	return nr - 2;
}

static int make_in(void *arg)
{
	return RES(mkdir(arg, 0700));
}

static int move_onto(void *arg)
{
	return RES(rename(in(arg, "sub/below"), in(arg, "file")));
}

static int set_owner(const struct filter *filter, const char *name, __u32 uid)
{
	char key[64] = "";

	strcpy(key, name);
	return set(filter, "own_names", key, &uid);
}

TEST_F(ready, own_only)
{
	char *below = strdup(in(self->b.mnt, "sub/below"));

	/* In the dcache, so that what follows is not answered from there */
	ASSERT_EQ(0, user_stat(USER2, self->file));
	ASSERT_EQ(0, user_stat(USER2, below));
	ASSERT_EQ(0, use(&self->filter, "own_only", self->dir));
	EXPECT_EQ(-ENOENT, user_stat(USER1, self->file));
	EXPECT_EQ(-ENOENT, user_stat(0, self->file));
	ASSERT_EQ(0, set_owner(&self->filter, "file", USER1));
	ASSERT_EQ(0, set_owner(&self->filter, "sub", USER2));

	EXPECT_EQ(0, user_stat(USER1, self->file));
	EXPECT_EQ(-ENOENT, user_stat(USER2, self->file));
	EXPECT_EQ(-ENOENT, user_open(USER2, self->file, O_RDWR | O_CREAT));
	EXPECT_EQ(-ENOENT, user_stat(USER2, in(self->b.mnt, "none")));
	EXPECT_EQ(0, user_stat(USER2, below));
	EXPECT_EQ(-ENOENT, user_stat(USER1, below));
	EXPECT_EQ(1, as_user(USER1, USER1, names_in, self->b.mnt));
	EXPECT_EQ(1, as_user(USER2, USER2, names_in, self->b.mnt));
	EXPECT_EQ(1, as_user(USER2, USER2, names_in, self->sub));
	/* Neither onto another's name nor beside it, and the file is as it was */
	EXPECT_EQ(-ENOENT, as_user(USER2, USER2, move_onto, self->b.mnt));
	EXPECT_EQ(-ENOENT, as_user(USER2, USER2, make_in, in(self->b.mnt, "new")));
	EXPECT_STREQ("0123456789", text_of(in(self->b.back, "file")));

	ASSERT_EQ(0, set_uid(&self->filter, "see_all", 0));
	EXPECT_EQ(0, user_stat(0, self->file));
	EXPECT_EQ(2, names_in(self->b.mnt));
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

static int write_one(void *arg)
{
	int fd = open(arg, O_WRONLY | O_CLOEXEC);
	int ret = fd < 0 ? -errno : RES(pwrite(fd, "0", 1, 0));

	close(fd);
	return ret;
}

TEST_F(ready, readonly_for)
{
	int fd;

	ASSERT_EQ(0, make_dir(in(self->b.back, "empty"), 0777));
	ASSERT_EQ(0, use(&self->filter, "readonly_for", self->dir));
	EXPECT_EQ(1, as_user(USER1, USER1, write_one, self->file));
	ASSERT_EQ(0, set_uid(&self->filter, "readonly_uids", USER1));
	EXPECT_EQ(0, as_user(USER1, USER1, read_all, self->file));
	EXPECT_EQ(0, as_user(USER1, USER1, change_all, self->b.mnt));
	fd = open(self->file, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, as_user(USER1, USER1, write_inherited, &fd));
	close(fd);
	EXPECT_STREQ("0123456789", text_of(in(self->b.back, "file")));
	EXPECT_EQ(1, as_user(USER2, USER2, write_one, self->file));
	EXPECT_EQ(0, as_user(USER2, USER2, make_in, in(self->b.mnt, "new")));
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

	ASSERT_EQ(0, make_dir(in(self->b.back, "empty"), 0777));
	ASSERT_EQ(0, use(&self->filter, "ratelimit", self->dir));
	EXPECT_EQ(0, as_user(USER1, USER1, make_in, in(self->b.mnt, "before")));
	ASSERT_EQ(0, set(&self->filter, "rate_limits", &uid, &limit));
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(0, as_user(USER1, USER1, make_in, in(self->b.mnt, "d%d", i)));
	EXPECT_EQ(0, as_user(USER1, USER1, change_names, self->b.mnt));
	/* Neither what makes no name nor other users */
	EXPECT_EQ(1, as_user(USER1, USER1, write_one, self->file));
	for (int i = 0; i < 10; i++)
		EXPECT_EQ(0, as_user(USER2, USER2, make_in, in(self->b.mnt, "e%d", i)));

	/* Time fills it up again */
	limit.interval = 1000000;
	ASSERT_EQ(0, set(&self->filter, "rate_limits", &uid, &limit));
	for (int i = 0; i < 3; i++)
		as_user(USER1, USER1, make_in, in(self->b.mnt, "f%d", i));
	for (tries = 0; ret == -EDQUOT && tries < 1000; tries++)
		ret = as_user(USER1, USER1, make_in, in(self->b.mnt, "g"));
	EXPECT_EQ(0, ret);
}

struct chaos_rule {
	__u32 error;
	__u32 per_million;
};

static __u64 hits_of(const struct filter *filter, __u32 opcode)
{
	int cpus = libbpf_num_possible_cpus();
	__u64 per_cpu[64] = {}, sum = 0;

	if (cpus > 64 || bpf_map_lookup_elem(map_of(filter, "chaos_hits"), &opcode, per_cpu))
		return 0;
	for (int i = 0; i < cpus; i++)
		sum += per_cpu[i];
	return sum;
}

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

	ASSERT_EQ(0, use(&self->filter, "chaos", self->dir));
	ASSERT_EQ(0, set(&self->filter, "chaos_rules", &opcode, &rule));
	EXPECT_EQ(0, as_user(USER1, USER1, make_in, in(self->b.mnt, "a")));
	ASSERT_EQ(0, set_uid(&self->filter, "chaos_uids", USER1));
	EXPECT_EQ(-ENOSPC, as_user(USER1, USER1, make_in, in(self->b.mnt, "b")));
	EXPECT_EQ(-ENOENT, user_stat(0, in(self->b.back, "b")));
	EXPECT_EQ(0, as_user(USER2, USER2, make_in, in(self->b.mnt, "b")));
	EXPECT_EQ(1, hits_of(&self->filter, FUSE_MKDIR));
	/* What is no errno of a request */
	rule.error = 100000;
	ASSERT_EQ(0, set(&self->filter, "chaos_rules", &opcode, &rule));
	EXPECT_EQ(-EIO, as_user(USER1, USER1, make_in, in(self->b.mnt, "c")));

	/* Half of the time: fewer than 10 or more than 90 of 100 do not happen by chance */
	opcode = FUSE_OPEN;
	rule = (struct chaos_rule){ .error = EBUSY, .per_million = 500000 };
	ASSERT_EQ(0, set(&self->filter, "chaos_rules", &opcode, &rule));
	failed = as_user(USER1, USER1, open_often, self->file);
	EXPECT_LT(9, failed);
	EXPECT_GT(91, failed);
	EXPECT_EQ(0, as_user(USER2, USER2, open_often, self->file));
}

TEST_HARNESS_MAIN
