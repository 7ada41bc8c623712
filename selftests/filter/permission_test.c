// SPDX-License-Identifier: GPL-2.0-only
/*
 * What "permission" is told of why permission is asked for, on backed inodes and on
 * others: enough to tell who opens, who walks, and who watches.
 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "plain_fixture.h"
#include "recorder.h"

FIXTURE(permission)
{
	struct backed b;
	struct filter filter;
	pid_t pid;
	int dir;
};

FIXTURE_VARIANT(permission)
{
	bool plain;
	bool sleepable;
};

FIXTURE_VARIANT_ADD(permission, backed) { .plain = false };
FIXTURE_VARIANT_ADD(permission, backed_sleepable) { .plain = false, .sleepable = true };
FIXTURE_VARIANT_ADD(permission, plain) { .plain = true };
FIXTURE_VARIANT_ADD(permission, plain_sleepable) { .plain = true, .sleepable = true };

FIXTURE_SETUP(permission)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, backed_make(b, "tmpfs"));
	ASSERT_EQ(0, make_dir(in(b->back, "dir"), 0755));
	ASSERT_EQ(0, make_dir(in(b->back, "dir/sub"), 0755));
	ASSERT_EQ(0, make_file(in(b->back, "dir/file"), "#!/bin/sh\n", 0755));
	ASSERT_EQ(0, variant->plain ? plain_mount(b, &self->pid) :
				      backed_mount(b, BACKED_ALLOW_OTHER));
	self->dir = open_dir(b->mnt, 0);
	ASSERT_LE(0, self->dir);
	ASSERT_EQ(0, recorder_load(&self->filter, "recorder", variant->sleepable, NULL));
	ASSERT_EQ(0, filter_attach(&self->filter, self->dir, 0, 0));
}

FIXTURE_TEARDOWN(permission)
{
	filter_destroy(&self->filter);
	close(self->dir);
	if (variant->plain)
		EXPECT_EQ(0, plain_umount(&self->b, self->pid));
	EXPECT_EQ(0, backed_destroy(&self->b));
}

static int do_open(const char *mnt)
{
	int fd = RES(open(in(mnt, "dir/file"), O_RDWR | O_CLOEXEC));

	return fd < 0 ? fd : RES(close(fd));
}

static int do_append(const char *mnt)
{
	int fd = RES(open(in(mnt, "dir/file"), O_WRONLY | O_APPEND | O_CLOEXEC));

	return fd < 0 ? fd : RES(close(fd));
}

static int do_list(const char *mnt)
{
	int fd = open_dir(in(mnt, "dir"), 0);

	return fd < 0 ? fd : RES(close(fd));
}

static int do_inotify(const char *mnt)
{
	int fd = inotify_init1(IN_CLOEXEC);
	int ret = RES(inotify_add_watch(fd, in(mnt, "dir"), IN_CREATE));

	close(fd);
	return ret < 0 ? ret : 0;
}

static int do_fanotify(const char *mnt)
{
	int fd = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC, O_RDONLY);
	int ret = RES(fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN | FAN_ONDIR, AT_FDCWD,
				    in(mnt, "dir")));

	close(fd);
	return ret;
}

static int do_access(const char *mnt)
{
	return RES(access(in(mnt, "dir"), R_OK | X_OK));
}

static int do_stat(const char *mnt)
{
	struct stat st;

	return RES(stat(in(mnt, "dir/file"), &st));
}

static int child_chdir(void *arg)
{
	return RES(chdir(arg));
}

static int child_fchdir(void *arg)
{
	int fd = open_dir(arg, O_PATH);

	return fd < 0 ? fd : RES(fchdir(fd));
}

static int child_chroot(void *arg)
{
	return RES(chroot(arg));
}

static int in_dir(int (*fn)(void *arg), const char *mnt)
{
	char path[64];

	strcpy(path, in(mnt, "dir"));
	return in_child(fn, path);
}

static int do_chdir(const char *mnt)
{
	return in_dir(child_chdir, mnt);
}

static int do_fchdir(const char *mnt)
{
	return in_dir(child_fchdir, mnt);
}

static int do_chroot(const char *mnt)
{
	return in_dir(child_chroot, mnt);
}

static const struct reason {
	const char *name;
	int (*run)(const char *mnt);
	__u32 mask;
} reasons[] = {
	{ "open", do_open, R_OK | W_OK | FUSE_FILTER_MAY_OPEN },
	{ "append", do_append, W_OK | FUSE_FILTER_MAY_APPEND | FUSE_FILTER_MAY_OPEN },
	{ "list", do_list, R_OK | FUSE_FILTER_MAY_OPEN },
	{ "inotify", do_inotify, R_OK },
	{ "fanotify", do_fanotify, R_OK },
	{ "access", do_access, R_OK | X_OK | FUSE_FILTER_MAY_ACCESS },
	{ "walk", do_stat, X_OK },
	{ "chdir", do_chdir, X_OK | FUSE_FILTER_MAY_CHDIR },
	{ "fchdir", do_fchdir, X_OK | FUSE_FILTER_MAY_CHDIR },
	{ "chroot", do_chroot, X_OK | FUSE_FILTER_MAY_CHDIR },
};

TEST_F(permission, is_told_what_for)
{
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		struct recorder_seen seen;

		/* Twice: names are cached then, and the walk is one under RCU */
		for (int round = 0; round < 2; round++) {
			ASSERT_EQ(0, recorder_forget(&self->filter));
			EXPECT_EQ(0, reasons[i].run(self->b.mnt)) TH_LOG("%s", reasons[i].name);
			seen = recorder_seen(&self->filter, RECORDER_PRE(FUSE_ACCESS));
			EXPECT_LE(1, seen.calls) TH_LOG("%s", reasons[i].name);
			EXPECT_EQ(reasons[i].mask, seen.in[0]) TH_LOG("%s", reasons[i].name);
		}
	}
}

TEST_F(permission, refuses_all_of_it)
{
	ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_PRE(FUSE_ACCESS), -EACCES));
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		EXPECT_EQ(-EACCES, reasons[i].run(self->b.mnt)) TH_LOG("%s", reasons[i].name);
	}
}

TEST_HARNESS_MAIN
