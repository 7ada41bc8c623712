// SPDX-License-Identifier: GPL-2.0-only
/*
 * File handles that tell files apart, and who watches the mount: inotify, fanotify.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "backed_fixture.h"
#include "harness.h"

#ifndef AT_HANDLE_FID
#define AT_HANDLE_FID 0x200
#endif

struct handle {
	struct file_handle h;
	unsigned char bytes[MAX_HANDLE_SZ];
};

FIXTURE(watch)
{
	struct backed b;
};

FIXTURE_VARIANT(watch)
{
	const char *fs;
};

FIXTURE_VARIANT_ADD(watch, tmpfs) { .fs = "tmpfs" };
FIXTURE_VARIANT_ADD(watch, ext4) { .fs = "ext4" };
FIXTURE_VARIANT_ADD(watch, xfs) { .fs = "xfs" };
FIXTURE_VARIANT_ADD(watch, btrfs) { .fs = "btrfs" };

FIXTURE_SETUP(watch)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, backed_setup(b, variant->fs, BACKED_ALLOW_OTHER));
	ASSERT_EQ(0, make_dir(in(b->back, "dir"), 0755));
	ASSERT_EQ(0, make_file(in(b->back, "dir/file"), "text", 0644));
	ASSERT_EQ(0, link(in(b->back, "dir/file"), in(b->back, "dir/twin")));
	ASSERT_EQ(0, make_file(in(b->back, "dir/other"), "text", 0644));
}

FIXTURE_TEARDOWN(watch)
{
	EXPECT_EQ(0, backed_destroy(&self->b));
}

static int handle_of(const char *path, struct handle *handle, int flags)
{
	int mnt_id;

	memset(handle, 0, sizeof(*handle));
	handle->h.handle_bytes = MAX_HANDLE_SZ;
	return RES(name_to_handle_at(AT_FDCWD, path, &handle->h, &mnt_id, flags));
}

static bool same(const struct file_handle *a, const struct file_handle *b)
{
	return a->handle_type == b->handle_type && a->handle_bytes == b->handle_bytes &&
	       !memcmp(a->f_handle, b->f_handle, a->handle_bytes);
}

/* 1: the handles of two paths are one, 0: they differ */
static int same_handle(const char *a, const char *b)
{
	struct handle ha, hb;
	int err = handle_of(a, &ha, AT_HANDLE_FID);

	if (!err)
		err = handle_of(b, &hb, AT_HANDLE_FID);
	return err ? err : same(&ha.h, &hb.h);
}

TEST_F(watch, handles_are_one_for_one_file)
{
	const char *mnt = self->b.mnt;
	struct handle before, after;

	EXPECT_EQ(1, same_handle(in(mnt, "dir/file"), in(mnt, "dir/twin")));
	EXPECT_EQ(0, same_handle(in(mnt, "dir/file"), in(mnt, "dir/other")));
	EXPECT_EQ(0, same_handle(in(mnt, "dir"), mnt));
	/* Not that of the backing: it could be taken for one that can be opened */
	EXPECT_EQ(0, same_handle(in(mnt, "dir/file"), in(self->b.back, "dir/file")));

	ASSERT_EQ(0, handle_of(in(mnt, "dir/file"), &before, AT_HANDLE_FID));
	ASSERT_EQ(0, backed_umount(&self->b));
	ASSERT_EQ(0, backed_mount(&self->b, 0));
	ASSERT_EQ(0, handle_of(in(mnt, "dir/twin"), &after, AT_HANDLE_FID));
	EXPECT_TRUE(same(&before.h, &after.h));
}

/* Inode numbers begin anew in each subvolume. */
TEST_F(watch, handles_of_subvolumes_differ)
{
	const char *back = self->b.back, *mnt = self->b.mnt;
	int i;

	if (strcmp(variant->fs, "btrfs"))
		return;
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, sh("btrfs -q subvolume create %s/sub%d", back, i));
		ASSERT_EQ(0, make_file(in(back, "sub%d/file", i), "text", 0644));
	}
	ASSERT_EQ(ino_of(in(mnt, "sub0/file")), ino_of(in(mnt, "sub1/file")));
	EXPECT_EQ(0, same_handle(in(mnt, "sub0/file"), in(mnt, "sub1/file")));
	EXPECT_EQ(0, same_handle(in(mnt, "sub0"), in(mnt, "sub1")));
	EXPECT_EQ(0, sh("btrfs -q subvolume delete %s/sub0 %s/sub1", back, back));
}

TEST_F(watch, handles_are_not_opened)
{
	const char *file = in(self->b.mnt, "dir/file");
	int dir = open_dir(self->b.mnt, 0);
	struct handle handle;
	unsigned int size;
	int mnt_id;

	EXPECT_EQ(-EOPNOTSUPP, handle_of(file, &handle, 0));
	EXPECT_EQ(0, handle_of(file, &handle, AT_HANDLE_FID));
	EXPECT_EQ(-ESTALE, RES(open_by_handle_at(dir, &handle.h, O_RDONLY)));
	/* Nor those that the backing gives out */
	EXPECT_EQ(0, handle_of(in(self->b.back, "dir/file"), &handle, AT_HANDLE_FID));
	EXPECT_EQ(-ESTALE, RES(open_by_handle_at(dir, &handle.h, O_RDONLY)));

	EXPECT_EQ(0, handle_of(file, &handle, AT_HANDLE_FID));
	for (size = handle.h.handle_bytes; size;) {
		size -= 4;
		handle.h.handle_bytes = size;
		EXPECT_EQ(-EOVERFLOW, RES(name_to_handle_at(AT_FDCWD, file, &handle.h, &mnt_id,
							    AT_HANDLE_FID))) TH_LOG("%u", size);
		EXPECT_LT(size, handle.h.handle_bytes);
	}
	close(dir);
}

/* What one sees of a file's life by its directory */
static void change(const char *dir)
{
	int fd = open(in(dir, "new"), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	(void)!write(fd, "x", 1);
	close(fd);
	(void)!rename(in(dir, "new"), in(dir, "newer"));
	(void)!chmod(in(dir, "newer"), 0600);
	(void)!unlink(in(dir, "newer"));
}

TEST_F(watch, inotify)
{
	static const struct {
		unsigned int mask;
		const char *name;
	} expected[] = {
		{ IN_CREATE, "new" }, { IN_OPEN, "new" }, { IN_MODIFY, "new" },
		{ IN_CLOSE_WRITE, "new" }, { IN_MOVED_FROM, "new" }, { IN_MOVED_TO, "newer" },
		{ IN_ATTRIB, "newer" }, { IN_DELETE, "newer" },
	};
	char buf[4096] __attribute__((aligned(8)));
	struct inotify_event *event;
	ssize_t len, at = 0;
	size_t i;
	int fd;

	fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	ASSERT_LE(0, inotify_add_watch(fd, in(self->b.mnt, "dir"), IN_ALL_EVENTS));
	change(in(self->b.mnt, "dir"));
	len = read(fd, buf, sizeof(buf));
	for (i = 0; i < ARRAY_SIZE(expected) && at < len; i++) {
		event = (void *)(buf + at);
		EXPECT_EQ(expected[i].mask, event->mask) TH_LOG("event %zu", i);
		EXPECT_STREQ(expected[i].name, event->name);
		at += sizeof(*event) + event->len;
	}
	EXPECT_EQ(ARRAY_SIZE(expected), i);
	EXPECT_EQ(len, at);
	close(fd);
}

/* A mark that reports names; returns the group's descriptor. */
static int fanotify_names(const char *dir, unsigned int mark)
{
	int fd = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK |
			       FAN_REPORT_DFID_NAME, O_RDONLY);
	int err;

	if (fd < 0)
		return -errno;
	err = RES(fanotify_mark(fd, FAN_MARK_ADD | mark, FAN_CREATE | FAN_DELETE | FAN_MODIFY |
				FAN_MOVE | FAN_EVENT_ON_CHILD | FAN_ONDIR, AT_FDCWD, dir));
	if (!err)
		return fd;
	close(fd);
	return err;
}

struct named_event {
	unsigned long long mask;
	const char *name;
};

/* Take the events one by one, and compare each with the directory's handle and a name. */
static int check_names(int fd, const struct handle *dir, const struct named_event *expected,
		       size_t nr)
{
	char buf[8192] __attribute__((aligned(8)));
	const struct fanotify_event_metadata *event = (void *)buf;
	const struct fanotify_event_info_fid *info;
	const struct file_handle *handle;
	ssize_t len = read(fd, buf, sizeof(buf));
	const char *name;
	size_t i;

	for (i = 0; FAN_EVENT_OK(event, len); i++, event = FAN_EVENT_NEXT(event, len)) {
		info = (const void *)(event + 1);
		handle = (const void *)info->handle;
		name = (const char *)handle->f_handle + handle->handle_bytes;
		if (info->hdr.info_type != FAN_EVENT_INFO_TYPE_DFID_NAME || event->fd != FAN_NOFD)
			return 1;
		if (!same(handle, &dir->h))
			return 2;
		if (i >= nr || !(event->mask & expected[i].mask) || strcmp(name, expected[i].name))
			return 3;
	}
	return i == nr ? 0 : 4;
}

TEST_F(watch, fanotify_names)
{
	/* Events of one name are merged where nothing comes between */
	static const struct named_event expected[] = {
		{ FAN_CREATE, "new" }, { FAN_MOVED_TO, "newer" },
	};
	const char *dir = in(self->b.mnt, "dir");
	struct handle handle;
	int fd;

	ASSERT_EQ(0, handle_of(dir, &handle, AT_HANDLE_FID));
	fd = fanotify_names(dir, FAN_MARK_INODE);
	ASSERT_LE(0, fd);
	change(dir);
	EXPECT_EQ(0, check_names(fd, &handle, expected, ARRAY_SIZE(expected)));
	close(fd);
	/* For more than an inode, a handle must be one to open */
	EXPECT_EQ(-EOPNOTSUPP, fanotify_names(dir, FAN_MARK_FILESYSTEM));
}

TEST_F(watch, fanotify_descriptors)
{
	struct fanotify_event_metadata event;
	const char *file = in(self->b.mnt, "dir/file");
	struct stat st, seen;
	int fd, reader;

	fd = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, RES(fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN, AT_FDCWD,
				       self->b.mnt)));
	reader = open(file, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, reader);
	ASSERT_EQ(sizeof(event), read(fd, &event, sizeof(event)));
	EXPECT_EQ(FAN_OPEN, event.mask);
	EXPECT_EQ(getpid(), event.pid);
	ASSERT_EQ(0, fstat(event.fd, &st));
	ASSERT_EQ(0, stat(file, &seen));
	EXPECT_EQ(seen.st_ino, st.st_ino);
	EXPECT_EQ(seen.st_dev, st.st_dev);
	close(event.fd);
	/* One open is one event, and fanotify's own are none */
	EXPECT_EQ(-EAGAIN, RES(read(fd, &event, sizeof(event))));
	close(reader);
	close(fd);
}

/* Ends with 0 when it was refused to open the file once, and then allowed. */
static int open_twice(void *arg)
{
	if (user_open(0, arg, O_RDONLY) != -EPERM)
		return 1;
	return user_open(0, arg, O_RDONLY) ? 2 : 0;
}

TEST_F(watch, fanotify_permission)
{
	const unsigned int answers[] = { FAN_DENY, FAN_ALLOW };
	const char *file = in(self->b.mnt, "dir/file");
	struct fanotify_event_metadata event;
	struct fanotify_response response;
	int fd, status;
	size_t i;
	pid_t pid;

	fd = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, RES(fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, file)));
	pid = fork();
	if (!pid)
		_exit(open_twice((void *)file));
	for (i = 0; i < ARRAY_SIZE(answers); i++) {
		ASSERT_EQ(sizeof(event), read(fd, &event, sizeof(event)));
		response = (struct fanotify_response){ event.fd, answers[i] };
		EXPECT_EQ(sizeof(response), write(fd, &response, sizeof(response)));
		close(event.fd);
	}
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	close(fd);
}

TEST_HARNESS_MAIN
