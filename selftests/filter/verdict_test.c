// SPDX-License-Identifier: GPL-2.0-only
/*
 * What callbacks are told, and what becomes of what they return.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backed_fixture.h"
#include "harness.h"
#include "scripted.h"
#include <fuse_bpf.h>

FIXTURE(verdict)
{
	struct backed b;
	struct filter filter;
	int dir;
};

FIXTURE_VARIANT(verdict)
{
	bool sleepable;
};

FIXTURE_VARIANT_ADD(verdict, atomic) { .sleepable = false };
FIXTURE_VARIANT_ADD(verdict, sleepable) { .sleepable = true };

FIXTURE_SETUP(verdict)
{
	ASSERT_EQ(0, backed_make(&self->b, "tmpfs"));
	ASSERT_EQ(0, make_file(in(self->b.back, "file"), "text\n", 0644));
	ASSERT_EQ(0, make_file(in(self->b.back, "other"), "other\n", 0644));
	ASSERT_EQ(0, make_dir(in(self->b.back, "dir"), 0755));
	ASSERT_EQ(0, make_file(in(self->b.back, "dir/inner"), "inner\n", 0644));
	ASSERT_EQ(0, backed_mount(&self->b, BACKED_ALLOW_OTHER));
	self->dir = open_dir(self->b.mnt, 0);
	ASSERT_LE(0, self->dir);
	ASSERT_EQ(0, scripted_load(&self->filter, variant->sleepable, NULL));
	ASSERT_EQ(0, filter_attach(&self->filter, self->dir, 0, 0));
}

FIXTURE_TEARDOWN(verdict)
{
	filter_destroy(&self->filter);
	close(self->dir);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

#define RULE(opcode, name, verdict) \
	ASSERT_EQ(0, scripted_rule(&self->filter, opcode, SCRIPTED_ANY_UID, name, verdict))

static int stat_err(const char *path)
{
	struct stat st;

	return RES(lstat(path, &st));
}

static int open_err(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* Entries of a directory but for the dots; of @name only, if that is given. */
static int entries(const char *path, const char *name)
{
	struct dirent *entry;
	DIR *dir = opendir(path);
	int nr = 0;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		nr += !name || !strcmp(entry->d_name, name);
	}
	closedir(dir);
	return nr;
}

static int stat_file_in(void *mnt)
{
	struct stat st;

	return RES(lstat(in(mnt, "file"), &st));
}

static int open_file_in(void *mnt)
{
	return open_err(in(mnt, "file"), O_RDONLY | O_NONBLOCK);
}

static int list_in(void *mnt)
{
	return entries(mnt, NULL) < 0 ? -EIO : 0;
}

TEST_F(verdict, without_rules_nothing_changes)
{
	EXPECT_STREQ("text\n", text_of(in(self->b.mnt, "file")));
	EXPECT_EQ(3, entries(self->b.mnt, NULL));
	EXPECT_EQ(-ENOENT, stat_err(in(self->b.mnt, "nothing")));
	EXPECT_LT(0, scripted_seen(&self->filter, FUSE_LOOKUP).calls);
	EXPECT_LT(0, scripted_seen(&self->filter, FUSE_OPEN).calls);
	EXPECT_LT(0, scripted_seen(&self->filter, FUSE_FILTER_OP_DIRENT).calls);
}

TEST_F(verdict, lookup_is_told_who_asks_for_what)
{
	struct scripted_seen seen;

	ASSERT_EQ(0, as_user(USER1, GROUP1, stat_file_in, self->b.mnt));
	seen = scripted_seen(&self->filter, FUSE_LOOKUP);
	EXPECT_EQ(FUSE_LOOKUP, seen.opcode);
	EXPECT_EQ(0, seen.nodeid);
	EXPECT_EQ(FUSE_ROOT_ID, seen.parent);
	EXPECT_EQ(USER1, seen.fsuid);
	EXPECT_EQ(GROUP1, seen.fsgid);
	EXPECT_NE(getpid(), seen.pid);
	EXPECT_NE(0, seen.pid);
	EXPECT_EQ(4, seen.name_len);
	EXPECT_STREQ("file", seen.name);

	ASSERT_EQ(0, stat_err(in(self->b.mnt, "dir/inner")));
	seen = scripted_seen(&self->filter, FUSE_LOOKUP);
	EXPECT_EQ(FUSE_NODEID_KERNEL | ino_of(in(self->b.back, "dir")), seen.parent);
	EXPECT_EQ(0, seen.fsuid);
	EXPECT_EQ(getpid(), seen.pid);
	EXPECT_STREQ("inner", seen.name);
}

TEST_F(verdict, lookup_is_told_of_names_that_do_not_exist)
{
	struct scripted_seen seen;

	EXPECT_EQ(-ENOENT, stat_err(in(self->b.mnt, "no-such-name")));
	seen = scripted_seen(&self->filter, FUSE_LOOKUP);
	EXPECT_STREQ("no-such-name", seen.name);
}

TEST_F(verdict, lookup_takes_the_longest_name)
{
	char name[257];

	memset(name, 'n', 256);
	name[256] = '\0';
	EXPECT_EQ(-ENAMETOOLONG, stat_err(in(self->b.mnt, "%s", name)));
	name[255] = '\0';
	EXPECT_EQ(-ENOENT, stat_err(in(self->b.mnt, "%s", name)));
	EXPECT_EQ(255, scripted_seen(&self->filter, FUSE_LOOKUP).name_len);
}

TEST_F(verdict, open_is_told_the_flags)
{
	struct scripted_seen seen;

	ASSERT_EQ(0, as_user(USER1, GROUP1, open_file_in, self->b.mnt));
	seen = scripted_seen(&self->filter, FUSE_OPEN);
	EXPECT_EQ(FUSE_OPEN, seen.opcode);
	EXPECT_EQ(FUSE_NODEID_KERNEL | ino_of(in(self->b.back, "file")), seen.nodeid);
	EXPECT_EQ(0, seen.parent);
	EXPECT_EQ(USER1, seen.fsuid);
	EXPECT_EQ(GROUP1, seen.fsgid);
	EXPECT_EQ(0, seen.name_len);
	EXPECT_EQ(O_NONBLOCK, seen.flags & (O_ACCMODE | O_NONBLOCK | O_CREAT));
}

TEST_F(verdict, dirent_is_told_of_the_caller_and_the_entry)
{
	struct scripted_seen seen;

	ASSERT_EQ(0, as_user(USER1, GROUP1, list_in, in(self->b.mnt, "dir")));
	seen = scripted_seen(&self->filter, FUSE_FILTER_OP_DIRENT);
	EXPECT_EQ(1, seen.calls);
	EXPECT_EQ(FUSE_FILTER_OP_DIRENT, seen.opcode);
	EXPECT_EQ(0, seen.nodeid);
	EXPECT_EQ(FUSE_NODEID_KERNEL | ino_of(in(self->b.back, "dir")), seen.parent);
	/* Not the credentials that the backing is read with */
	EXPECT_EQ(USER1, seen.fsuid);
	EXPECT_EQ(GROUP1, seen.fsgid);
	EXPECT_EQ(ino_of(in(self->b.back, "dir/inner")), seen.ino);
	EXPECT_EQ(DT_REG, seen.type);
	EXPECT_STREQ("inner", seen.name);
}

TEST_F(verdict, an_errno_is_the_result)
{
	RULE(FUSE_LOOKUP, "file", -EACCES);
	EXPECT_EQ(-EACCES, stat_err(in(self->b.mnt, "file")));
	EXPECT_EQ(0, stat_err(in(self->b.mnt, "other")));
	RULE(FUSE_LOOKUP, "file", -511);
	EXPECT_EQ(-511, stat_err(in(self->b.mnt, "file")));
	RULE(FUSE_LOOKUP, "file", FUSE_FILTER_BACKING);
	EXPECT_EQ(0, stat_err(in(self->b.mnt, "file")));
	RULE(FUSE_OPEN, NULL, -EPERM);
	EXPECT_EQ(-EPERM, open_err(in(self->b.mnt, "file"), O_RDONLY));
	EXPECT_EQ(0, stat_err(in(self->b.mnt, "file")));
}

TEST_F(verdict, nonsense_is_EIO)
{
	/* ECHILD and what is above 511 steer the kernel and are not for callers */
	static const int nonsense[] = {
		3, 4, 255, 1 << 30, INT_MAX, INT_MIN, -512, -513, -516, -529, -4095, -4096, -ECHILD,
	};

	for (size_t i = 0; i < ARRAY_SIZE(nonsense); i++) {
		RULE(FUSE_LOOKUP, "file", nonsense[i]);
		EXPECT_EQ(-EIO, stat_err(in(self->b.mnt, "file")))
			TH_LOG("lookup returned %d", nonsense[i]);
		RULE(FUSE_OPEN, NULL, nonsense[i]);
		EXPECT_EQ(-EIO, open_err(in(self->b.mnt, "other"), O_RDONLY))
			TH_LOG("open returned %d", nonsense[i]);
		RULE(FUSE_FILTER_OP_DIRENT, "file", nonsense[i]);
		EXPECT_EQ(0, entries(self->b.mnt, "file"))
			TH_LOG("dirent returned %d", nonsense[i]);
	}
}

TEST_F(verdict, dirent_leaves_entries_out)
{
	RULE(FUSE_FILTER_OP_DIRENT, "file", -ENOENT);
	EXPECT_EQ(2, entries(self->b.mnt, NULL));
	EXPECT_EQ(0, entries(self->b.mnt, "file"));
	/* The daemon cannot stand in for an entry */
	RULE(FUSE_FILTER_OP_DIRENT, "other", FUSE_FILTER_DAEMON);
	EXPECT_EQ(1, entries(self->b.mnt, NULL));
	RULE(FUSE_FILTER_OP_DIRENT, "dir", -EACCES);
	EXPECT_EQ(0, entries(self->b.mnt, NULL));
	/* The dots are not a filter's to hide */
	RULE(FUSE_FILTER_OP_DIRENT, NULL, -ENOENT);
	EXPECT_EQ(0, sh("test $(ls -a %s | wc -l) = 2", self->b.mnt));
}

TEST_F(verdict, the_daemon_cannot_answer_where_there_is_none)
{
	RULE(FUSE_LOOKUP, "file", FUSE_FILTER_DAEMON);
	EXPECT_EQ(-ENOTCONN, stat_err(in(self->b.mnt, "file")));
	/* Nor can it be told of a directory, or of a file */
	RULE(FUSE_LOOKUP, "inner", FUSE_FILTER_DAEMON);
	EXPECT_EQ(-ENOTCONN, stat_err(in(self->b.mnt, "dir/inner")));
	RULE(FUSE_OPEN, NULL, FUSE_FILTER_DAEMON);
	EXPECT_EQ(-ENOTCONN, open_err(in(self->b.mnt, "other"), O_RDONLY));
}

TEST_F(verdict, what_is_open_stays_open)
{
	int fd = open(in(self->b.mnt, "file"), O_RDONLY | O_CLOEXEC);
	int path_fd = open(in(self->b.mnt, "file"), O_PATH | O_CLOEXEC);
	char buf[8] = {};

	ASSERT_LE(0, fd);
	ASSERT_LE(0, path_fd);
	RULE(FUSE_LOOKUP, "file", -ENOENT);
	RULE(FUSE_OPEN, NULL, -EACCES);
	EXPECT_EQ(5, read(fd, buf, sizeof(buf)));
	EXPECT_STREQ("text\n", buf);
	/* Opening it again is another open */
	EXPECT_EQ(-EACCES, open_err(in("/proc/self/fd", "%d", path_fd), O_RDONLY));
	EXPECT_EQ(-EACCES, open_err(in("/proc/self/fd", "%d", fd), O_RDONLY));
	close(path_fd);
	close(fd);
}

TEST_F(verdict, a_hidden_name_has_no_way_in)
{
	const char *hidden = in(self->b.mnt, "dir");

	/* Somebody has it in the dentry cache, and somebody works in it */
	ASSERT_EQ(0, stat_err(in(self->b.mnt, "dir/inner")));
	RULE(FUSE_LOOKUP, "dir", -ENOENT);
	EXPECT_EQ(-ENOENT, stat_err(hidden));
	EXPECT_EQ(-ENOENT, stat_err(in(self->b.mnt, "dir/inner")));
	EXPECT_EQ(-ENOENT, stat_err(in(self->b.mnt, "dir/../file")));
	EXPECT_EQ(-ENOENT, open_err(hidden, O_RDONLY | O_DIRECTORY));
	EXPECT_EQ(-ENOENT, open_err(hidden, O_PATH));
	EXPECT_EQ(-ENOENT, RES(access(hidden, F_OK)));
	EXPECT_EQ(-ENOENT, RES(chdir(hidden)));
	EXPECT_EQ(-ENOENT, RES(truncate(hidden, 0)));
	EXPECT_EQ(-ENOENT, RES(rmdir(hidden)));
	EXPECT_EQ(-ENOENT, RES(unlink(hidden)));
	EXPECT_EQ(-ENOENT, RES(rename(hidden, in(self->b.mnt, "new"))));
	/* Whether it exists does not show in what making it says */
	RULE(FUSE_LOOKUP, "absent", -ENOENT);
	EXPECT_EQ(RES(mkdir(in(self->b.mnt, "absent"), 0755)), RES(mkdir(hidden, 0755)));
	EXPECT_EQ(RES(symlink("x", in(self->b.mnt, "absent"))), RES(symlink("x", hidden)));
	EXPECT_EQ(RES(mknod(in(self->b.mnt, "absent"), S_IFIFO, 0)),
		  RES(mknod(hidden, S_IFIFO, 0)));
	EXPECT_EQ(open_err(in(self->b.mnt, "absent"), O_CREAT | O_WRONLY),
		  open_err(hidden, O_CREAT | O_WRONLY));
	EXPECT_EQ(open_err(in(self->b.mnt, "absent"), O_CREAT | O_EXCL | O_WRONLY),
		  open_err(hidden, O_CREAT | O_EXCL | O_WRONLY));
	EXPECT_EQ(RES(link(in(self->b.mnt, "file"), in(self->b.mnt, "absent"))),
		  RES(link(in(self->b.mnt, "file"), hidden)));
	EXPECT_EQ(RES(rename(in(self->b.mnt, "file"), in(self->b.mnt, "absent"))),
		  RES(rename(in(self->b.mnt, "file"), hidden)));
}

TEST_F(verdict, the_cache_does_not_answer_for_another_user)
{
	ASSERT_EQ(0, scripted_rule(&self->filter, FUSE_LOOKUP, USER1, "file", -ENOENT));
	for (int i = 0; i < 10; i++) {
		EXPECT_EQ(0, user_stat(USER2, in(self->b.mnt, "file")));
		EXPECT_EQ(-ENOENT, user_stat(USER1, in(self->b.mnt, "file")));
		EXPECT_EQ(0, stat_err(in(self->b.mnt, "file")));
	}
	ASSERT_EQ(0, scripted_forget(&self->filter));
	EXPECT_EQ(0, user_stat(USER1, in(self->b.mnt, "file")));
}

struct racer {
	const char *path;
	uid_t uid;
	int wanted;
	unsigned int wrong;
};

/* Credentials of one thread only, which the C library would change for all. */
static void *race(void *arg)
{
	struct racer *racer = arg;

	syscall(SYS_setresuid, racer->uid, racer->uid, racer->uid);
	for (unsigned int i = 0; i < scale(20000); i++)
		racer->wrong += stat_err(racer->path) != racer->wanted;
	return NULL;
}

TEST_F(verdict, two_users_race_on_one_dentry)
{
	char path[64];
	struct racer racers[] = {
		{ .path = path, .uid = USER1, .wanted = -ENOENT },
		{ .path = path, .uid = USER2, .wanted = 0 },
		{ .path = path, .uid = USER1, .wanted = -ENOENT },
		{ .path = path, .uid = USER2, .wanted = 0 },
	};
	pthread_t threads[ARRAY_SIZE(racers)];

	snprintf(path, sizeof(path), "%s/file", self->b.mnt);
	ASSERT_EQ(0, scripted_rule(&self->filter, FUSE_LOOKUP, USER1, "file", -ENOENT));
	for (size_t i = 0; i < ARRAY_SIZE(racers); i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, race, &racers[i]));
	/* Pull the dentry out from under them now and then */
	for (int i = 0; i < 20; i++)
		ASSERT_EQ(0, replace_file(in(self->b.back, "file"), "text\n"));
	for (size_t i = 0; i < ARRAY_SIZE(racers); i++) {
		pthread_join(threads[i], NULL);
		EXPECT_EQ(0, racers[i].wrong);
	}
}

TEST_F(verdict, everything_is_counted)
{
	struct fuse_op_stats before[64], after[64];
	struct fuse_filter_info info;

	ASSERT_EQ(0, stat_err(in(self->b.mnt, "file")));
	ASSERT_LE(0, fuse_bpf_stats(self->dir, before, 64));
	RULE(FUSE_LOOKUP, "other", -EACCES);
	for (int i = 0; i < 5; i++) {
		EXPECT_EQ(-EACCES, stat_err(in(self->b.mnt, "other")));
		EXPECT_EQ(0, stat_err(in(self->b.mnt, "file")));
	}
	ASSERT_LE(0, fuse_bpf_stats(self->dir, after, 64));
	EXPECT_EQ(5, after[FUSE_GETATTR].backing - before[FUSE_GETATTR].backing);
	EXPECT_LE(5, after[FUSE_LOOKUP].denied - before[FUSE_LOOKUP].denied);
	EXPECT_LE(5, after[FUSE_LOOKUP].backing - before[FUSE_LOOKUP].backing);
	for (int op = 0; op < 64; op++)
		EXPECT_EQ(0, after[op].daemon);

	ASSERT_EQ(1, fuse_bpf_list(self->dir, &info, 1));
	EXPECT_EQ(after[FUSE_LOOKUP].denied, info.denied);
	EXPECT_LE(after[FUSE_LOOKUP].denied + after[FUSE_LOOKUP].backing, info.runs);
}

TEST_HARNESS_MAIN
