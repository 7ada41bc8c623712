// SPDX-License-Identifier: GPL-2.0-only
/*
 * syncfs(2) writes out every file system that backs something of the mount, once. What
 * has been written out is seen by what ext4 has yet to give a place on the disk.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "entry_fixture.h"
#include "harness.h"

#define FILE_NODE 10
#define SIZE (256 * 1024)
#define WRITEBACK "/proc/sys/vm/dirty_writeback_centisecs"

FIXTURE(syncfs)
{
	struct backed b;
	char ext4[64];
	char pending[64];
	dev_t dev;
	int writeback;
};

/*
 * A tmpfs in @b->back, and beside it an ext4 of the test's own, which must not find the
 * place for a file when that is closed.
 */
FIXTURE_SETUP(syncfs)
{
	struct backed *b = &self->b;
	struct stat st;

	self->writeback = atoi(text_of(WRITEBACK));
	ASSERT_EQ(0, entry_make(b));
	strcpy(self->ext4, in(b->top, "ext4"));
	ASSERT_EQ(0, sh("{ [ -e /dev/loop-control ] || modprobe loop; } && mkdir %s && "
			"truncate -s 16M %s.img && mkfs.ext4 -q %s.img && "
			"mount -t ext4 -o loop,noauto_da_alloc %s.img %s", self->ext4, self->ext4, self->ext4,
			self->ext4, self->ext4));
	ASSERT_EQ(0, make_file(in(self->ext4, "file"), "", 0644));
	ASSERT_EQ(0, stat(self->ext4, &st));
	self->dev = st.st_dev;
	ASSERT_EQ(0, sh("ln -s /sys/fs/ext4/$(basename $(readlink /sys/dev/block/%u:%u)) %s/sys",
			major(st.st_dev), minor(st.st_dev), b->top));
	strcpy(self->pending, in(b->top, "sys/delayed_allocation_blocks"));
	/* Nothing is written out by itself */
	ASSERT_EQ(0, sh("echo 0 >" WRITEBACK));
}

FIXTURE_TEARDOWN(syncfs)
{
	EXPECT_EQ(0, sh("echo %d >" WRITEBACK, self->writeback));
	EXPECT_EQ(0, backed_umount(&self->b));
	EXPECT_EQ(0, RES(umount(self->ext4)));
	EXPECT_EQ(0, backed_destroy(&self->b));
}

static int sync_mount(const struct backed *b)
{
	int fd = open_dir(b->mnt, 0);
	int err = fd < 0 ? fd : RES(syncfs(fd));

	close(fd);
	return err;
}

static long pending(const char *path)
{
	return strtol(text_of(path), NULL, 10);
}

TEST_F(syncfs, reaches_the_root)
{
	struct backed *b = &self->b;
	int fd = open_dir(self->ext4, O_PATH);

	raw_server_free(b->server);
	b->server = NULL;
	ASSERT_EQ(0, try_mount(TRY_MOUNT(.backing = fd, .daemonless = true, .at = b->mnt)));
	b->mounted = true;
	close(fd);
	ASSERT_EQ(0, make_big_file(in(b->mnt, "file"), SIZE, 1));
	EXPECT_LT(0, pending(self->pending));
	EXPECT_EQ(0, sync_mount(b));
	EXPECT_EQ(0, pending(self->pending));
}

/* Below a root of the daemon's; neither the id nor a name is needed for it. */
TEST_F(syncfs, reaches_what_was_attached)
{
	struct backed *b = &self->b;
	char path[64];
	int id, fd;

	ASSERT_EQ(0, entry_mount(b));
	id = register_path(b->dev, in(self->ext4, "file"), 0);
	ASSERT_LT(0, id);
	serve_entry(b->server, FUSE_ROOT_ID, "file", FILE_NODE, S_IFREG,
		    BACKING(.backing_id = id));
	strcpy(path, in(b->mnt, "file"));
	ASSERT_EQ(0, make_big_file(path, SIZE, 1));
	EXPECT_LT(0, pending(self->pending));
	EXPECT_EQ(0, sync_mount(b));
	EXPECT_EQ(0, pending(self->pending));

	fd = open(path, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, close_id(b->dev, id));
	ASSERT_EQ(0, RES(unlink(in(self->ext4, "file"))));
	EXPECT_EQ(1, RES(pwrite(fd, "x", 1, 2 * SIZE)));
	EXPECT_LT(0, pending(self->pending));
	EXPECT_EQ(0, sync_mount(b));
	EXPECT_EQ(0, pending(self->pending));
	close(fd);
	EXPECT_EQ(0, asked(b, FUSE_SYNCFS));
}

TEST_F(syncfs, reaches_what_is_registered_beside_the_root)
{
	struct backed *b = &self->b;
	int id;

	raw_server_free(b->server);
	b->server = NULL;
	ASSERT_EQ(0, backed_mount(b, BACKED_ALLOW_OTHER | BACKED_DAEMON));
	ASSERT_EQ(0, make_big_file(in(self->ext4, "file"), SIZE, 1));
	EXPECT_EQ(0, sync_mount(b));
	EXPECT_LT(0, pending(self->pending));

	id = register_path(b->dev, self->ext4, 0);
	ASSERT_LT(0, id);
	EXPECT_EQ(0, sync_mount(b));
	EXPECT_EQ(0, pending(self->pending));

	/* What nothing is backed by any more is none of ours */
	ASSERT_EQ(0, close_id(b->dev, id));
	ASSERT_EQ(0, make_big_file(in(self->ext4, "file2"), SIZE, 1));
	EXPECT_EQ(0, sync_mount(b));
	EXPECT_LT(0, pending(self->pending));
}

/* However many registrations it has: once without and once with waiting */
TEST_F(syncfs, reaches_each_file_system_once)
{
	struct backed *b = &self->b;
	const char *tracing = in(b->top, "tracing");
	char expected[64], text[8192] = "", *line;
	int i, nr = 0;

	ASSERT_EQ(0, entry_mount(b));
	for (i = 0; i < 3; i++)
		ASSERT_LT(0, register_path(b->dev, in(self->ext4, "file"), 0));
	ASSERT_LT(0, register_path(b->dev, b->back, 0));
	ASSERT_LT(0, register_path(b->dev, self->ext4, 0));

	ASSERT_EQ(0, make_dir(tracing, 0755));
	ASSERT_EQ(0, RES(mount("tracefs", tracing, "tracefs", 0, NULL)));
	ASSERT_EQ(0, sh("echo >%s/trace; echo 1 >%s/events/ext4/ext4_sync_fs/enable", tracing,
			tracing));
	EXPECT_EQ(0, sync_mount(b));
	ASSERT_EQ(0, sh("echo 0 >%s/events/ext4/ext4_sync_fs/enable", tracing));
	ASSERT_LT(0, read_file(in(tracing, "trace"), text, sizeof(text)));
	snprintf(expected, sizeof(expected), "ext4_sync_fs: dev %u,%u ", major(self->dev),
		 minor(self->dev));
	for (line = text; (line = strstr(line, expected)); line++)
		nr++;
	EXPECT_EQ(2, nr) TH_LOG("%s", text);
	ASSERT_EQ(0, RES(umount(tracing)));
}

TEST_HARNESS_MAIN
