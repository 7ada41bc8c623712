// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel holds open on the backing for a mount can be seen, in the control
 * file system and in the fdinfo of the device, and can be limited.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mount.h>

#include "backed_fixture.h"
#include "harness.h"

#define MANY 40

FIXTURE(list)
{
	struct backed b;
	char control[64];
};

FIXTURE_VARIANT(list)
{
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(list, daemonless) { .flags = BACKED_ALLOW_OTHER };
FIXTURE_VARIANT_ADD(list, daemon) { .flags = BACKED_ALLOW_OTHER | BACKED_DAEMON };

FIXTURE_SETUP(list)
{
	struct backed *b = &self->b;
	int i;

	ASSERT_EQ(0, backed_setup(b, "tmpfs", variant->flags));
	ASSERT_EQ(0, make_dir(in(b->back, "dir"), 0755));
	for (i = 0; i < MANY; i++)
		ASSERT_EQ(0, make_file(in(b->back, "dir/file%d", i), "text", 0666));
	ASSERT_EQ(0, control_mount(b, self->control, sizeof(self->control)));
}

FIXTURE_TEARDOWN(list)
{
	EXPECT_EQ(0, backed_destroy(&self->b));
}

struct listing {
	unsigned int files;
	int id;
	unsigned int refs;
	unsigned int inodes;
	char path[64];
};

static int read_listing(const char *control, struct listing *list)
{
	char text[1024];
	ssize_t len = read_file(in(control, "backings"), text, sizeof(text));

	if (len < 0)
		return len;
	return sscanf(text, "files=%u\nid=%d refs=%u inodes=%u path=%63s\n", &list->files, &list->id,
		      &list->refs, &list->inodes, list->path);
}

TEST_F(list, root)
{
	struct listing list;

	ASSERT_EQ(5, read_listing(self->control, &list));
	EXPECT_EQ(0, list.files);
	EXPECT_EQ(0, list.id);
	EXPECT_EQ(1, list.inodes);
	EXPECT_STREQ(self->b.back, list.path);
}

TEST_F(list, open_files_and_inodes_in_use)
{
	int fds[MANY], dir, tmp, i;
	struct listing list;
	char *map;

	for (i = 0; i < MANY; i++) {
		fds[i] = open(in(self->b.mnt, "dir/file%d", i), O_RDWR | O_CLOEXEC);
		ASSERT_LE(0, fds[i]);
	}
	dir = open_dir(in(self->b.mnt, "dir"), 0);
	tmp = open(self->b.mnt, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	ASSERT_LE(0, tmp);
	ASSERT_EQ(5, read_listing(self->control, &list));
	EXPECT_EQ(MANY + 2, list.files);
	/* The root and the directory are in use too */
	EXPECT_EQ(MANY + 3, list.inodes);
	EXPECT_LT(list.inodes, list.refs + 1);

	/* O_PATH opens nothing; dup() opens nothing anew; a mapping keeps it open */
	close(dup(fds[0]));
	close(open(in(self->b.mnt, "dir/file0"), O_PATH));
	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fds[1], 0);
	ASSERT_NE(MAP_FAILED, map);
	for (i = 0; i < MANY; i++)
		close(fds[i]);
	close(dir);
	close(tmp);
	ASSERT_EQ(5, read_listing(self->control, &list));
	/* It is the backing's file that is mapped, by itself */
	EXPECT_EQ(0, list.files);
	munmap(map, 4096);
}

/* Whoever opened it is found by the file on the mount, as ever. */
TEST_F(list, the_opener_has_the_file_of_the_mount)
{
	int fd = open(in(self->b.mnt, "dir/file1"), O_RDONLY | O_CLOEXEC);
	char path[64] = "";

	ASSERT_LE(0, fd);
	EXPECT_LT(0, readlink(in("/proc/self/fd", "%d", fd), path, sizeof(path) - 1));
	EXPECT_STREQ(in(self->b.mnt, "dir/file1"), path);
	close(fd);
}

TEST_F(list, fdinfo_of_the_device)
{
	char text[1024], expected[96];

	if (!(variant->flags & BACKED_DAEMON))
		return;
	ASSERT_LT(0, read_file(in("/proc/self/fdinfo", "%d", self->b.dev), text, sizeof(text)));
	EXPECT_NE(NULL, strstr(text, "fuse_connection:"));
	EXPECT_NE(NULL, strstr(text, "fuse_backing:\tid=0 "));
	snprintf(expected, sizeof(expected), " path=%s\n", self->b.back);
	EXPECT_NE(NULL, strstr(text, expected));
	/* The daemon may keep the device for longer than there is a mount */
	ASSERT_EQ(0, umount(self->b.mnt));
	self->b.mounted = false;
	EXPECT_EQ(-ENOENT, RES(access(self->control, F_OK)));
	read_file(in("/proc/self/fdinfo", "%d", self->b.dev), text, sizeof(text));
	EXPECT_EQ(NULL, strstr(text, "fuse_backing:"));
}

static int set_limit(const char *control, const char *text)
{
	int fd = open(in(control, "max_backing_files"), O_WRONLY | O_CLOEXEC);
	int err = fd < 0 ? -errno : RES(write(fd, text, strlen(text)));

	close(fd);
	return err < 0 ? err : 0;
}

TEST_F(list, limit)
{
	const char *max = in(self->control, "max_backing_files");
	struct listing list;
	int fds[8], i;
	char byte;

	EXPECT_STREQ("0\n", text_of(max));
	ASSERT_EQ(0, set_limit(self->control, "5"));
	EXPECT_STREQ("5\n", text_of(max));
	for (i = 0; i < 8; i++) {
		fds[i] = RES(open(in(self->b.mnt, "dir/file%d", i), O_RDONLY | O_CLOEXEC));
		EXPECT_EQ(i < 5 ? 0 : -ENFILE, fds[i] < 0 ? fds[i] : 0) TH_LOG("file %d", i);
	}
	EXPECT_EQ(-ENFILE, open_dir(self->b.mnt, 0));
	EXPECT_EQ(-ENFILE, RES(open(self->b.mnt, O_TMPFILE | O_RDWR, 0600)));
	EXPECT_EQ(0, RES(access(in(self->b.mnt, "dir/file7"), R_OK)));
	ASSERT_EQ(5, read_listing(self->control, &list));
	EXPECT_EQ(5, list.files);
	close(fds[0]);
	EXPECT_EQ(0, user_open(USER1, in(self->b.mnt, "dir/file7"), O_RDONLY));
	/* What is open stays open under a lower limit */
	ASSERT_EQ(0, set_limit(self->control, "1"));
	EXPECT_EQ(-ENFILE, user_open(USER1, in(self->b.mnt, "dir/file7"), O_RDONLY));
	EXPECT_EQ(1, pread(fds[1], &byte, 1, 0));
	ASSERT_EQ(0, set_limit(self->control, "0"));
	EXPECT_EQ(0, user_open(USER1, in(self->b.mnt, "dir/file7"), O_RDONLY));
	for (i = 1; i < 5; i++)
		close(fds[i]);
}

static int user_sets_limit(void *arg)
{
	int fd = open(arg, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : RES(write(fd, "0", 1));
}

TEST_F(list, who_may)
{
	const char *max = in(self->control, "max_backing_files");
	int fd;

	/* The mount is root's, and so are the files */
	EXPECT_EQ(-EACCES, as_user(USER1, USER1, user_sets_limit, max));
	EXPECT_EQ(-EACCES, user_open(USER1, in(self->control, "backings"), O_RDONLY));
	/* Whoever owns the files sees them, and does not set the limit */
	ASSERT_EQ(0, chown(self->control, USER1, USER1));
	ASSERT_EQ(0, chown(max, USER1, USER1));
	EXPECT_EQ(-EPERM, as_user(USER1, USER1, user_sets_limit, max));

	fd = open(max, O_WRONLY | O_CLOEXEC);
	EXPECT_EQ(-EINVAL, RES(write(fd, "x", 1)));
	EXPECT_EQ(-ERANGE, RES(write(fd, "4294967296", 10)));
	EXPECT_EQ(-EFAULT, RES(write(fd, bad_address(), 1)));
	close(fd);
}

/**
 * struct storm - openers and readers of the listing
 * @self: fixture
 * @stop: the time is over
 * @bad: what must not be
 */
struct storm {
	const char *mnt;
	const char *control;
	volatile bool stop;
	unsigned int bad;
};

static void *opener(void *arg)
{
	struct storm *storm = arg;
	unsigned int seed = (unsigned int)(uintptr_t)pthread_self();
	int fd;

	while (!storm->stop) {
		fd = RES(open(in(storm->mnt, "dir/file%d", rand_r(&seed) % MANY), O_RDONLY));
		if (fd < 0 && fd != -ENFILE)
			__atomic_fetch_add(&storm->bad, 1, __ATOMIC_SEQ_CST);
		if (fd >= 0)
			close(fd);
	}
	return NULL;
}

static void *lister(void *arg)
{
	struct storm *storm = arg;
	struct listing list;

	while (!storm->stop) {
		if (read_listing(storm->control, &list) != 5 || list.files > 3)
			__atomic_fetch_add(&storm->bad, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

/* Three openers at a limit of two, and whoever looks at that */
TEST_F(list, storm)
{
	struct storm storm = { .mnt = self->b.mnt, .control = self->control };
	pthread_t threads[4];
	struct listing list;
	int i;

	ASSERT_EQ(0, set_limit(self->control, "2"));
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, i ? opener : lister, &storm));
	sleep(2);
	storm.stop = true;
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(0, storm.bad);
	ASSERT_EQ(5, read_listing(self->control, &list));
	EXPECT_EQ(0, list.files);
}

/* A listing that is open holds neither the mount nor the backing. */
TEST_F(list, open_while_unmounted)
{
	int fd = open(in(self->control, "backings"), O_RDONLY | O_CLOEXEC);
	char text[256];

	ASSERT_LE(0, fd);
	EXPECT_LT(0, read(fd, text, 20));
	ASSERT_EQ(0, backed_umount(&self->b));
	EXPECT_EQ(0, RES(umount(self->b.back)));
	lseek(fd, 0, SEEK_SET);
	memset(text, 0, sizeof(text));
	EXPECT_LE(0, read(fd, text, sizeof(text) - 1));
	EXPECT_EQ(NULL, strstr(text, "id="));
	close(fd);
	ASSERT_EQ(0, mount("backing", self->b.back, "tmpfs", 0, NULL));
}

TEST_HARNESS_MAIN
