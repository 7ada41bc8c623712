// SPDX-License-Identifier: GPL-2.0-only
/*
 * What filters change: attributes that are given or returned, statistics, values,
 * names in a list, open flags. And that the rest is not theirs to change.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "backed_fixture.h"
#include "harness.h"
#include "recorder.h"
#include <fuse_bpf.h>

FIXTURE(edit)
{
	struct backed b;
	struct filter filter;
	int dir;
	char back[64];
	char file[64];
};

FIXTURE_VARIANT(edit)
{
	bool sleepable;
};

FIXTURE_VARIANT_ADD(edit, atomic) { .sleepable = false };
FIXTURE_VARIANT_ADD(edit, sleepable) { .sleepable = true };

FIXTURE_SETUP(edit)
{
	ASSERT_EQ(0, backed_setup(&self->b, "tmpfs", BACKED_ALLOW_OTHER));
	self->dir = open_dir(self->b.mnt, 0);
	ASSERT_LE(0, self->dir);
	strcpy(self->back, in(self->b.back, "file"));
	strcpy(self->file, in(self->b.mnt, "file"));
	ASSERT_EQ(0, make_file(self->back, "0123456789", 0644));
	ASSERT_EQ(0, recorder_load(&self->filter, "recorder", variant->sleepable, NULL));
	ASSERT_EQ(0, filter_attach(&self->filter, self->dir, 0, 0));
	ASSERT_EQ(0, recorder_return_all(&self->filter, FUSE_FILTER_POST));
}

FIXTURE_TEARDOWN(edit)
{
	filter_destroy(&self->filter);
	close(self->dir);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

#define RULE(slot, ...) \
	ASSERT_EQ(0, recorder_rule(&self->filter, slot, &(struct recorder_rule){ __VA_ARGS__ }))

#define PRE_RULE(opcode, edits, ...) \
	RULE(RECORDER_PRE(opcode), .edit = edits, .attr = { __VA_ARGS__ })

#define POST_RULE(opcode, edits, ...) \
	RULE(RECORDER_POST(opcode), .edit = edits, .attr = { __VA_ARGS__ })

static struct stat stat_of(const char *path)
{
	struct stat st = {};

	lstat(path, &st);
	return st;
}

/* Attributes that are another's to change; 0 if all are the same */
static int changed(const struct stat *old, const char *path)
{
	struct stat st = stat_of(path);

	return (old->st_mode != st.st_mode) | (old->st_uid != st.st_uid) << 1 |
	       (old->st_gid != st.st_gid) << 2 | (old->st_size != st.st_size) << 3 |
	       (old->st_nlink != st.st_nlink) << 4 |
	       (old->st_mtim.tv_sec != st.st_mtim.tv_sec) << 5 |
	       (old->st_atim.tv_sec != st.st_atim.tv_sec) << 6 |
	       (old->st_ctim.tv_sec != st.st_ctim.tv_sec ||
		old->st_ctim.tv_nsec != st.st_ctim.tv_nsec) << 7;
}

TEST_F(edit, setattr_gets_another_mode)
{
	PRE_RULE(FUSE_SETATTR, RECORDER_MODE, .mode = S_IFREG | 0600);
	EXPECT_EQ(0, RES(chmod(self->file, 0777)));
	EXPECT_EQ(S_IFREG | 0600, stat_of(self->back).st_mode);
	EXPECT_EQ(S_IFREG | 0600, stat_of(self->file).st_mode);
}

TEST_F(edit, setattr_gets_another_owner)
{
	PRE_RULE(FUSE_SETATTR, RECORDER_UID | RECORDER_GID, .uid = USER2, .gid = GROUP2);
	EXPECT_EQ(0, RES(chown(self->file, USER1, GROUP1)));
	EXPECT_EQ(USER2, stat_of(self->back).st_uid);
	EXPECT_EQ(GROUP2, stat_of(self->back).st_gid);
	EXPECT_EQ(USER2, stat_of(self->file).st_uid);
}

static int set_times(const char *path, time_t atime, long ansec, time_t mtime, long mnsec)
{
	struct timespec times[2] = { { atime, ansec }, { mtime, mnsec } };

	return RES(utimensat(AT_FDCWD, path, times, 0));
}

TEST_F(edit, setattr_gets_other_times)
{
	struct stat st;

	PRE_RULE(FUSE_SETATTR, RECORDER_ATIME | RECORDER_MTIME, .atime = 3000,
		 .atimensec = 999999999, .mtime = -5, .mtimensec = 7);
	EXPECT_EQ(0, set_times(self->file, 1000, 1, 2000, 2));
	st = stat_of(self->back);
	EXPECT_EQ(3000, st.st_atim.tv_sec);
	EXPECT_EQ(999999999, st.st_atim.tv_nsec);
	EXPECT_EQ(-5, st.st_mtim.tv_sec);
	EXPECT_EQ(7, st.st_mtim.tv_nsec);
}

TEST_F(edit, setattr_does_not_do_what_was_taken_out)
{
	struct stat old = stat_of(self->back), st;

	PRE_RULE(FUSE_SETATTR, RECORDER_VALID, .valid = FATTR_MTIME);
	EXPECT_EQ(0, set_times(self->file, 1000, 1, 2000, 2));
	st = stat_of(self->back);
	EXPECT_EQ(1000, st.st_atim.tv_sec);
	EXPECT_EQ(old.st_mtim.tv_sec, st.st_mtim.tv_sec);
	PRE_RULE(FUSE_SETATTR, RECORDER_VALID, .valid = FATTR_UID);
	EXPECT_EQ(0, RES(chown(self->file, USER1, GROUP1)));
	EXPECT_EQ(0, stat_of(self->back).st_uid);
	EXPECT_EQ(GROUP1, stat_of(self->back).st_gid);
	PRE_RULE(FUSE_SETATTR, RECORDER_VALID, .valid = FATTR_MODE);
	EXPECT_EQ(0, RES(chmod(self->file, 0)));
	EXPECT_EQ(S_IFREG | 0644, stat_of(self->back).st_mode);
}

/* A request, and an edit of it that is not for filters */
struct bad_setattr {
	enum { CHMOD, CHOWN, UTIMES, UTIMES_NOW, TRUNCATE } request;
	__u32 edit;
	struct recorder_attr attr;
};

static int request_setattr(int request, const char *path)
{
	switch (request) {
	case CHMOD:
		return RES(chmod(path, 0600));
	case CHOWN:
		return RES(chown(path, USER1, -1));
	case UTIMES:
		return set_times(path, 1000, 0, 2000, 0);
	case UTIMES_NOW:
		return RES(utimensat(AT_FDCWD, path, NULL, 0));
	default:
		return RES(truncate(path, 5));
	}
}

static const struct bad_setattr bad_setattrs[] = {
	{ CHMOD, RECORDER_MODE, { .mode = S_IFDIR | 0600 } },
	{ CHMOD, RECORDER_MODE, { .mode = 0600 } },
	{ CHMOD, RECORDER_UID, { .uid = USER2 } },
	{ CHMOD, RECORDER_SIZE, { .size = 3 } },
	{ CHMOD, RECORDER_ATIME, { .atime = 3000 } },
	{ CHMOD, RECORDER_CTIME, { .ctime = 3000 } },
	{ CHMOD, RECORDER_INO, { .ino = 3 } },
	{ CHMOD, RECORDER_NLINK, { .nlink = 3 } },
	{ CHMOD, RECORDER_BLOCKS, { .blocks = 3 } },
	{ CHMOD, RECORDER_RDEV, { .rdev = 3 } },
	{ CHMOD, RECORDER_RESERVED, { .reserved = 3 } },
	{ CHOWN, RECORDER_GID, { .gid = GROUP2 } },
	{ CHOWN, RECORDER_MODE, { .mode = 0777 } },
	{ CHOWN, RECORDER_UID, { .uid = -1 } },
	{ UTIMES, RECORDER_MTIME, { .mtime = 1, .mtimensec = 1000000000 } },
	{ UTIMES, RECORDER_ATIME, { .atime = 1, .atimensec = 0xffffffff } },
	{ UTIMES_NOW, RECORDER_MTIME, { .mtime = 1 } },
	{ UTIMES_NOW, RECORDER_ATIME, { .atime = 1 } },
	{ TRUNCATE, RECORDER_SIZE, { .size = 3 } },
	{ TRUNCATE, RECORDER_VALID, { .valid = FATTR_SIZE } },
};

TEST_F(edit, setattr_is_not_for_everything)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad_setattrs); i++) {
		const struct bad_setattr *bad = &bad_setattrs[i];
		struct stat old = stat_of(self->back);

		RULE(RECORDER_PRE(FUSE_SETATTR), .edit = bad->edit, .attr = bad->attr);
		EXPECT_EQ(-EIO, request_setattr(bad->request, self->file)) TH_LOG("%zu", i);
		EXPECT_EQ(0, changed(&old, self->back)) TH_LOG("%zu", i);
		RULE(RECORDER_PRE(FUSE_SETATTR), .ret = 0);
	}
}

TEST_F(edit, setattr_cannot_keep_a_privilege)
{
	ASSERT_EQ(0, RES(chmod(self->back, 04755)));
	PRE_RULE(FUSE_SETATTR, RECORDER_VALID, .valid = FATTR_KILL_SUIDGID);
	EXPECT_EQ(-EIO, RES(chown(self->file, USER1, GROUP1)));
	EXPECT_EQ(0, stat_of(self->back).st_uid);
	RULE(RECORDER_PRE(FUSE_SETATTR), .ret = 0);
	EXPECT_EQ(0, RES(chown(self->file, USER1, GROUP1)));
	EXPECT_EQ(S_IFREG | 0755, stat_of(self->back).st_mode);
}

/* Ways of making something called "new" */
static int make_node(const char *dir)
{
	return RES(mknod(in(dir, "new"), S_IFIFO | 0644, 0));
}

static int make_directory(const char *dir)
{
	return RES(mkdir(in(dir, "new"), 0755));
}

static int make_link(const char *dir)
{
	return RES(symlink("target", in(dir, "new")));
}

static int make_by_open(const char *dir)
{
	int fd = open(in(dir, "new"), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	return fd < 0 ? -errno : RES(close(fd));
}

static int make_by_tmpfile(const char *dir)
{
	int fd = open(dir, O_WRONLY | O_TMPFILE | O_CLOEXEC, 0644);
	int err;

	if (fd < 0)
		return -errno;
	err = RES(linkat(AT_FDCWD, in("/proc/self/fd", "%d", fd), AT_FDCWD, in(dir, "new"),
			 AT_SYMLINK_FOLLOW));
	close(fd);
	return err;
}

static const struct maker {
	__u32 opcode;
	mode_t type;
	int (*make)(const char *dir);
	bool no_mode;
} makers[] = {
	{ FUSE_MKNOD, S_IFIFO, make_node },
	{ FUSE_MKDIR, S_IFDIR, make_directory },
	{ FUSE_SYMLINK, S_IFLNK, make_link, .no_mode = true },
	{ FUSE_CREATE, S_IFREG, make_by_open },
	{ FUSE_TMPFILE, S_IFREG, make_by_tmpfile },
};

TEST_F(edit, what_is_made_gets_another_owner_and_mode)
{
	const char *back;
	char dir[64];

	ASSERT_EQ(0, make_dir(in(self->b.back, "dir"), 0777));
	strcpy(dir, in(self->b.mnt, "dir"));
	for (size_t i = 0; i < ARRAY_SIZE(makers); i++) {
		const struct maker *m = &makers[i];
		__u32 edit = RECORDER_UID | RECORDER_GID | (m->no_mode ? 0 : RECORDER_MODE);
		struct recorder_seen seen;
		struct stat st;

		PRE_RULE(m->opcode, edit, .mode = m->type | 0710, .uid = USER2, .gid = GROUP2);
		EXPECT_EQ(0, m->make(dir)) TH_LOG("opcode %u", m->opcode);
		back = in(self->b.back, "dir/new");
		st = stat_of(back);
		EXPECT_EQ(USER2, st.st_uid) TH_LOG("opcode %u", m->opcode);
		EXPECT_EQ(GROUP2, st.st_gid) TH_LOG("opcode %u", m->opcode);
		EXPECT_EQ(m->type | (m->no_mode ? 0777 : 0710), st.st_mode)
			TH_LOG("opcode %u", m->opcode);
		st = stat_of(in(dir, "new"));
		EXPECT_EQ(USER2, st.st_uid) TH_LOG("opcode %u", m->opcode);
		seen = recorder_seen(&self->filter, RECORDER_PRE(m->opcode));
		EXPECT_EQ(m->type | (m->no_mode ? 0777 : m->opcode == FUSE_MKDIR ? 0755 : 0644),
			  seen.attr.mode) TH_LOG("opcode %u", m->opcode);
		EXPECT_EQ(0, seen.attr.uid);
		EXPECT_EQ(FATTR_MODE | FATTR_UID | FATTR_GID, seen.attr.valid);
		EXPECT_EQ(0, RES(remove(back)));
	}
}

TEST_F(edit, what_is_made_cannot_be_something_else)
{
	static const struct {
		__u32 edit;
		struct recorder_attr attr;
	} bad[] = {
		{ RECORDER_MODE, { .mode = S_IFSOCK | 0644 } },
		{ RECORDER_MODE, { .mode = 0644 } },
		{ RECORDER_UID, { .uid = -1 } },
		{ RECORDER_GID, { .gid = -1 } },
		{ RECORDER_SIZE, { .size = 3 } },
		{ RECORDER_MTIME, { .mtime = 3 } },
		{ RECORDER_RDEV, { .rdev = 0x103 } },
		{ RECORDER_VALID, { .valid = FATTR_UID } },
		{ RECORDER_INO, { .ino = 3 } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(makers); i++) {
		for (size_t n = 0; n < ARRAY_SIZE(bad); n++) {
			RULE(RECORDER_PRE(makers[i].opcode), .edit = bad[n].edit,
			     .attr = bad[n].attr);
			EXPECT_EQ(-EIO, makers[i].make(self->b.mnt))
				TH_LOG("opcode %u, %zu", makers[i].opcode, n);
			EXPECT_EQ(0, ino_of(in(self->b.back, "new")));
		}
		RULE(RECORDER_PRE(makers[i].opcode), .ret = 0);
	}
	/* All links have one mode */
	PRE_RULE(FUSE_SYMLINK, RECORDER_MODE, .mode = S_IFLNK | 0700);
	EXPECT_EQ(-EIO, make_link(self->b.mnt));
}

TEST_F(edit, getattr_shows_something_else)
{
	struct stat old = stat_of(self->back), st;

	POST_RULE(FUSE_GETATTR,
		  RECORDER_MODE | RECORDER_UID | RECORDER_GID | RECORDER_ATIME | RECORDER_MTIME |
		  RECORDER_CTIME | RECORDER_SIZE | RECORDER_BLOCKS | RECORDER_NLINK,
		  .mode = S_IFREG | 04711, .uid = USER1, .gid = GROUP1, .atime = 11,
		  .atimensec = 12, .mtime = 13, .mtimensec = 14, .ctime = 15, .ctimensec = 16,
		  .size = 17, .blocks = 18, .nlink = 19);
	st = stat_of(self->file);
	EXPECT_EQ(S_IFREG | 04711, st.st_mode);
	EXPECT_EQ(USER1, st.st_uid);
	EXPECT_EQ(GROUP1, st.st_gid);
	EXPECT_EQ(11, st.st_atim.tv_sec);
	EXPECT_EQ(12, st.st_atim.tv_nsec);
	EXPECT_EQ(13, st.st_mtim.tv_sec);
	EXPECT_EQ(14, st.st_mtim.tv_nsec);
	EXPECT_EQ(15, st.st_ctim.tv_sec);
	EXPECT_EQ(16, st.st_ctim.tv_nsec);
	EXPECT_EQ(17, st.st_size);
	EXPECT_EQ(18, st.st_blocks);
	EXPECT_EQ(19, st.st_nlink);
	EXPECT_EQ(old.st_ino, st.st_ino);
	EXPECT_EQ(0, changed(&old, self->back));
	EXPECT_STREQ("0123456789", text_of(self->file));
}

/* Who is shown as the owner is not by that the owner. */
TEST_F(edit, what_is_shown_gives_no_permission)
{
	ASSERT_EQ(0, RES(chmod(self->back, 0600)));
	POST_RULE(FUSE_GETATTR, RECORDER_MODE | RECORDER_UID, .mode = S_IFREG | 0777,
		  .uid = USER1);
	EXPECT_EQ(S_IFREG | 0777, stat_of(self->file).st_mode);
	EXPECT_EQ(-EACCES, user_open(USER1, self->file, O_RDONLY));
	EXPECT_EQ(-EACCES, user_access(USER1, self->file, R_OK));
	RULE(RECORDER_POST(FUSE_GETATTR), .ret = 0);
	EXPECT_EQ(S_IFREG | 0600, stat_of(self->file).st_mode);
	EXPECT_EQ(0, stat_of(self->file).st_uid);
}

TEST_F(edit, getattr_cannot_show_another_inode)
{
	static const struct {
		__u32 edit;
		struct recorder_attr attr;
	} bad[] = {
		{ RECORDER_INO, { .ino = 3 } },
		{ RECORDER_MODE, { .mode = S_IFDIR | 0644 } },
		{ RECORDER_RDEV, { .rdev = 3 } },
		{ RECORDER_RESERVED, { .reserved = 1 } },
		{ RECORDER_UID, { .uid = -1 } },
		{ RECORDER_GID, { .gid = -1 } },
		{ RECORDER_ATIME, { .atimensec = 1000000000 } },
		{ RECORDER_MTIME, { .mtimensec = 1000000000 } },
		{ RECORDER_CTIME, { .ctimensec = 1000000000 } },
	};
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		RULE(RECORDER_POST(FUSE_GETATTR), .edit = bad[i].edit, .attr = bad[i].attr);
		EXPECT_EQ(-EIO, RES(lstat(self->file, &st))) TH_LOG("%zu", i);
	}
}

/* Postfilters see what those after them in the chain have made of it. */
TEST_F(edit, edits_add_up_along_the_chain)
{
	struct filter second;
	struct stat st;

	ASSERT_EQ(0, recorder_load(&second, "recorder", variant->sleepable, NULL));
	ASSERT_EQ(0, filter_attach(&second, self->dir, FUSE_FILTER_AFTER, 0));
	ASSERT_EQ(0, recorder_return_all(&second, FUSE_FILTER_POST));
	ASSERT_EQ(0, recorder_rule(&second, RECORDER_POST(FUSE_GETATTR),
				   &(struct recorder_rule){
					   .edit = RECORDER_UID | RECORDER_GID,
					   .attr = { .uid = USER2, .gid = GROUP2 } }));
	POST_RULE(FUSE_GETATTR, RECORDER_UID, .uid = USER1);
	st = stat_of(self->file);
	EXPECT_EQ(USER1, st.st_uid);
	EXPECT_EQ(GROUP2, st.st_gid);
	EXPECT_EQ(USER2, recorder_seen(&self->filter, RECORDER_POST(FUSE_GETATTR)).attr.uid);
	EXPECT_EQ(0, recorder_seen(&second, RECORDER_POST(FUSE_GETATTR)).attr.uid);
	filter_destroy(&second);
}

TEST_F(edit, statfs_shows_something_else)
{
	struct statfs sfs, back;

	ASSERT_EQ(0, RES(statfs(self->back, &back)));
	RULE(RECORDER_POST(FUSE_STATFS), .edit = RECORDER_STATFS,
	     .statfs = { .blocks = 11, .bfree = 12, .bavail = 13, .files = 14, .ffree = 15,
			 .bsize = 512, .namelen = 17, .frsize = 1024 });
	ASSERT_EQ(0, RES(statfs(self->file, &sfs)));
	EXPECT_EQ(11, sfs.f_blocks);
	EXPECT_EQ(12, sfs.f_bfree);
	EXPECT_EQ(13, sfs.f_bavail);
	EXPECT_EQ(14, sfs.f_files);
	EXPECT_EQ(15, sfs.f_ffree);
	EXPECT_EQ(512, sfs.f_bsize);
	EXPECT_EQ(17, sfs.f_namelen);
	EXPECT_EQ(1024, sfs.f_frsize);
	RULE(RECORDER_POST(FUSE_STATFS), .ret = 0);
	ASSERT_EQ(0, RES(statfs(self->file, &sfs)));
	EXPECT_EQ(back.f_blocks, sfs.f_blocks);
	EXPECT_EQ(back.f_bsize, sfs.f_bsize);
}

#define VALUE_RULE(opcode, returns, text)						\
	RULE(RECORDER_POST(opcode), .ret = returns, .edit = RECORDER_VALUE,		\
	     .value_len = sizeof(text) - 1, .value = text)

static int get(const char *path, const char *name, size_t size, char *buf)
{
	memset(buf, 0, 64);
	return RES(getxattr(path, name, size ? buf : NULL, size));
}

TEST_F(edit, getxattr_answers_something_else)
{
	char buf[64];

	ASSERT_EQ(0, RES(setxattr(self->back, "user.key", "value", 5, 0)));
	VALUE_RULE(FUSE_GETXATTR, 0, "another value");
	EXPECT_EQ(13, get(self->file, "user.key", sizeof(buf), buf));
	EXPECT_STREQ("another value", buf);
	/* By the exact size, and by no size */
	EXPECT_EQ(13, get(self->file, "user.key", 13, buf));
	EXPECT_STREQ("another value", buf);
	EXPECT_EQ(13, get(self->file, "user.key", 0, buf));
	/* A program that gives the value, and refuses, refuses */
	VALUE_RULE(FUSE_GETXATTR, -EACCES, "secret");
	EXPECT_EQ(-EACCES, get(self->file, "user.key", sizeof(buf), buf));
	VALUE_RULE(FUSE_GETXATTR, 0, "");
	EXPECT_EQ(0, get(self->file, "user.key", sizeof(buf), buf));
	EXPECT_EQ(5, get(self->back, "user.key", sizeof(buf), buf));
	EXPECT_STREQ("value", buf);
}

TEST_F(edit, getxattr_answers_for_what_is_not_there)
{
	char buf[64];

	EXPECT_EQ(-ENODATA, get(self->file, "user.none", sizeof(buf), buf));
	VALUE_RULE(FUSE_GETXATTR, 0, "made up");
	EXPECT_EQ(7, get(self->file, "user.none", sizeof(buf), buf));
	EXPECT_STREQ("made up", buf);
	EXPECT_EQ(7, get(self->file, "user.none", 0, buf));
	EXPECT_EQ(-ENODATA, recorder_seen(&self->filter, RECORDER_POST(FUSE_GETXATTR)).value_len);
	EXPECT_EQ(-ENODATA, get(self->back, "user.none", sizeof(buf), buf));
}

TEST_F(edit, getxattr_answers_that_do_not_fit)
{
	char buf[64];

	ASSERT_EQ(0, RES(setxattr(self->back, "user.key", "value", 5, 0)));
	VALUE_RULE(FUSE_GETXATTR, -ERANGE, "another value");
	EXPECT_EQ(-ERANGE, get(self->file, "user.key", 12, buf));
	EXPECT_EQ(-ERANGE, recorder_seen(&self->filter, RECORDER_POST(FUSE_GETXATTR)).kfunc);
	/* It is for the program to say so; the answer is what it was before */
	VALUE_RULE(FUSE_GETXATTR, 0, "another value");
	EXPECT_EQ(5, get(self->file, "user.key", 12, buf));
	EXPECT_STREQ("value", buf);
	/* The backing's answer does not fit, and that of the program does */
	VALUE_RULE(FUSE_GETXATTR, 0, "abc");
	EXPECT_EQ(3, get(self->file, "user.key", 3, buf));
	EXPECT_STREQ("abc", buf);
}

/* A filter's errno is not undone by what it had said before, nor by the next filter. */
TEST_F(edit, a_value_does_not_outlive_an_errno)
{
	struct filter second;
	char buf[64];

	ASSERT_EQ(0, RES(setxattr(self->back, "user.key", "value", 5, 0)));
	ASSERT_EQ(0, recorder_load(&second, "recorder", variant->sleepable, NULL));
	ASSERT_EQ(0, filter_attach(&second, self->dir, FUSE_FILTER_AFTER, 0));
	ASSERT_EQ(0, recorder_return_all(&second, FUSE_FILTER_POST));
	ASSERT_EQ(0, recorder_rule(&second, RECORDER_POST(FUSE_GETXATTR),
				   &(struct recorder_rule){ .ret = -EACCES,
					   .edit = RECORDER_VALUE, .value_len = 3,
					   .value = "abc" }));
	EXPECT_EQ(-EACCES, get(self->file, "user.key", sizeof(buf), buf));
	EXPECT_EQ(-EACCES,
		  recorder_seen(&self->filter, RECORDER_POST(FUSE_GETXATTR)).ctx.result);
	/* The next one can give an answer, though */
	VALUE_RULE(FUSE_GETXATTR, 0, "answer");
	EXPECT_EQ(6, get(self->file, "user.key", sizeof(buf), buf));
	EXPECT_STREQ("answer", buf);
	filter_destroy(&second);
}

TEST_F(edit, readlink_answers_something_else)
{
	const char *link = in(self->b.mnt, "link");
	char buf[64] = {};

	ASSERT_EQ(0, RES(symlink("none", in(self->b.back, "link"))));
	EXPECT_STREQ("<ENOENT>", text_of(link));
	VALUE_RULE(FUSE_READLINK, 0, "file");
	EXPECT_EQ(4, RES(readlink(link, buf, sizeof(buf))));
	EXPECT_STREQ("file", buf);
	EXPECT_STREQ("0123456789", text_of(link));
	VALUE_RULE(FUSE_READLINK, 0, "a longer target");
	EXPECT_EQ(15, RES(readlink(link, buf, sizeof(buf))));
	EXPECT_STREQ("a longer target", buf);
	EXPECT_STREQ("<ENOENT>", text_of(link));
	memset(buf, 0, sizeof(buf));
	EXPECT_EQ(4, RES(readlink(in(self->b.back, "link"), buf, sizeof(buf))));
	EXPECT_STREQ("none", buf);
}

TEST_F(edit, targets_that_are_none)
{
	const char *link = in(self->b.mnt, "link");
	char buf[64] = {};

	ASSERT_EQ(0, RES(symlink("file", in(self->b.back, "link"))));
	VALUE_RULE(FUSE_READLINK, 0, "");
	EXPECT_EQ(4, RES(readlink(link, buf, sizeof(buf))));
	EXPECT_EQ(-EINVAL, recorder_seen(&self->filter, RECORDER_POST(FUSE_READLINK)).kfunc);
	VALUE_RULE(FUSE_READLINK, 0, "fi\0le");
	EXPECT_EQ(4, RES(readlink(link, buf, sizeof(buf))));
	EXPECT_STREQ("file", buf);
	EXPECT_EQ(-EINVAL, recorder_seen(&self->filter, RECORDER_POST(FUSE_READLINK)).kfunc);
}

static int list(const char *path, size_t size, char *buf)
{
	memset(buf, 0, 64);
	return RES(listxattr(path, size ? buf : NULL, size));
}

static bool lists(const char *buf, int len, const char *name)
{
	return len > 0 && memmem(buf, len, name, strlen(name) + 1);
}

TEST_F(edit, names_left_out_of_a_list)
{
	static const char *const names[] = { "user.a", "user.longer", "user.c" };
	char buf[64];
	int all, len;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		ASSERT_EQ(0, RES(setxattr(self->back, names[i], "value", 5, 0)));
	all = list(self->file, 0, buf);
	EXPECT_EQ(list(self->back, 0, buf), all);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct recorder_rule rule = { .ret = -ENODATA };

		strcpy(rule.match, names[i]);
		ASSERT_EQ(0, recorder_rule(&self->filter,
					   RECORDER_PRE(FUSE_FILTER_OP_XATTR_NAME), &rule));
		len = all - (int)strlen(names[i]) - 1;
		EXPECT_EQ(len, list(self->file, 0, buf));
		/* Larger than needed, as large as needed, smaller */
		EXPECT_EQ(len, list(self->file, sizeof(buf), buf));
		for (size_t n = 0; n < ARRAY_SIZE(names); n++)
			EXPECT_EQ(n != i, lists(buf, len, names[n]));
		EXPECT_EQ(len, list(self->file, len, buf));
		EXPECT_EQ(-ERANGE, list(self->file, len - 1, buf));
		EXPECT_EQ(-ERANGE, list(self->file, 1, buf));
		/* To leave a name out is not to refuse it */
		EXPECT_EQ(5, get(self->file, names[i], sizeof(buf), buf));
	}
	RULE(RECORDER_PRE(FUSE_FILTER_OP_XATTR_NAME), .ret = -ENODATA);
	EXPECT_EQ(0, list(self->file, 0, buf));
	EXPECT_EQ(0, list(self->file, 1, buf));
	EXPECT_EQ(all, list(self->back, 0, buf));
}

TEST_F(edit, a_file_that_is_opened_for_appending)
{
	int fd;

	RULE(RECORDER_PRE(FUSE_OPEN), .open_flags = O_APPEND);
	fd = open(self->file, O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, recorder_seen(&self->filter, RECORDER_PRE(FUSE_OPEN)).kfunc);
	EXPECT_EQ(O_APPEND, fcntl(fd, F_GETFL) & O_APPEND);
	EXPECT_EQ(3, pwrite(fd, "end", 3, 0));
	EXPECT_STREQ("0123456789end", text_of(self->back));
	EXPECT_EQ(1, recorder_seen(&self->filter, RECORDER_PRE(FUSE_WRITE)).in[2]);
	EXPECT_EQ(10, recorder_seen(&self->filter, RECORDER_PRE(FUSE_WRITE)).in[0]);
	close(fd);
}

TEST_F(edit, flags_that_can_be_added_and_those_that_cannot)
{
	static const int good[] = { O_APPEND, O_DSYNC, O_SYNC, O_NOATIME, O_APPEND | O_SYNC };
	static const int bad[] = { O_RDWR, O_TRUNC, O_DIRECT, O_PATH, O_CREAT, O_NONBLOCK,
				   O_APPEND | O_TRUNC, INT_MIN };
	int fd;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		RULE(RECORDER_PRE(FUSE_OPEN), .open_flags = good[i]);
		fd = open(self->file, O_RDONLY | O_CLOEXEC);
		ASSERT_LE(0, fd);
		EXPECT_EQ(good[i], fcntl(fd, F_GETFL) & (O_APPEND | O_SYNC | O_NOATIME));
		close(fd);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		RULE(RECORDER_PRE(FUSE_OPEN), .open_flags = bad[i]);
		fd = open(self->file, O_RDONLY | O_CLOEXEC);
		ASSERT_LE(0, fd);
		EXPECT_EQ(-EINVAL, recorder_seen(&self->filter, RECORDER_PRE(FUSE_OPEN)).kfunc);
		EXPECT_EQ(O_RDONLY, fcntl(fd, F_GETFL) & ~0100000 /* O_LARGEFILE */);
		close(fd);
	}
	EXPECT_STREQ("0123456789", text_of(self->back));
}

TEST_HARNESS_MAIN
