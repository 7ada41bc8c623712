// SPDX-License-Identifier: GPL-2.0-only
/*
 * Filters and FUSE_BMAP, which only the daemon of a file system on a block device is
 * asked.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "entry_fixture.h"
#include "harness.h"
#include "recorder.h"

#define NODE 10
#define BLOCK 3		/* what is asked for */
#define PLACE 42	/* and where the daemon says it is */
#define BLOCK_SIZE_OF_MOUNT 512

FIXTURE(bmap)
{
	struct backed b;
	struct filter filter;
	int fd;
};

FIXTURE_VARIANT(bmap)
{
	bool sleepable;
};

FIXTURE_VARIANT_ADD(bmap, atomic) { };
FIXTURE_VARIANT_ADD(bmap, sleepable) { .sleepable = true };

/* The mount keeps the loop device, which goes with it. */
static int mount_block(struct backed *b)
{
	const char *type = strcmp(fs_type(), "fuse") ? "fuseblk_bpf" : "fuseblk";
	char disk[32] = "";
	int err;

	b->dev = open(device_path(), O_RDWR | O_CLOEXEC);
	if (b->dev < 0)
		return -errno;
	if (sh("{ [ -e /dev/loop-control ] || modprobe loop; } && truncate -s 1M %s/image && "
	       "losetup -f --show %s/image >%s/disk", b->top, b->top, b->top))
		return -ENODEV;
	if (read_file(in(b->top, "disk"), disk, sizeof(disk)) <= 0)
		return -EIO;
	disk[strcspn(disk, "\n")] = '\0';
	err = try_mount(TRY_MOUNT(.type = type, .source = disk, .dev = b->dev, .at = b->mnt));
	b->mounted = !err;
	if (sh("losetup -d %s", disk) && !err)
		err = -EBUSY;
	return err ?: raw_server_start(b->server, b->dev);
}

FIXTURE_SETUP(bmap)
{
	const struct fuse_bmap_out out = { .block = PLACE };
	struct backed *b = &self->b;

	self->filter = FILTER_NONE;
	ASSERT_EQ(0, entry_make(b));
	raw_reply_add(b->server, FUSE_BMAP, NODE, NULL, &out, sizeof(out));
	raw_serve_file(b->server, FUSE_ROOT_ID, "f", NODE, "text");
	ASSERT_EQ(0, mount_block(b));
	ASSERT_EQ(0, recorder_load(&self->filter, "recorder", variant->sleepable, NULL));
	ASSERT_EQ(0, filter_attach(&self->filter, b->dev, 0, 0));
	self->fd = open(in(b->mnt, "f"), O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(bmap)
{
	close(self->fd);
	filter_destroy(&self->filter);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

static int place_of_block(int fd)
{
	int block = BLOCK;
	int err = RES(ioctl(fd, FIBMAP, &block));

	return err ?: block;
}

TEST_F(bmap, is_asked_and_told)
{
	struct recorder_seen seen;

	ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_PRE(FUSE_BMAP), FUSE_FILTER_POST));
	EXPECT_EQ(PLACE, place_of_block(self->fd));
	EXPECT_EQ(1, asked(&self->b, FUSE_BMAP));
	seen = recorder_seen(&self->filter, RECORDER_PRE(FUSE_BMAP));
	EXPECT_EQ(1, seen.calls);
	EXPECT_STREQ("bmap", seen.member);
	EXPECT_EQ(NODE, seen.ctx.nodeid);
	EXPECT_EQ(BLOCK, seen.in[0]);
	EXPECT_EQ(BLOCK_SIZE_OF_MOUNT, seen.in[1]);
	seen = recorder_seen(&self->filter, RECORDER_POST(FUSE_BMAP));
	EXPECT_EQ(1, seen.calls);
	EXPECT_STREQ("post", seen.member);
	EXPECT_EQ(NODE, seen.ctx.nodeid);
	EXPECT_EQ(0, seen.ctx.result);
}

/* No errno reaches the caller, whoever fails: a block that is nowhere is block 0. */
TEST_F(bmap, can_refuse_before_and_after)
{
	ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_PRE(FUSE_BMAP), -EACCES));
	EXPECT_EQ(0, place_of_block(self->fd));
	EXPECT_EQ(0, asked(&self->b, FUSE_BMAP));
	ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_PRE(FUSE_BMAP), FUSE_FILTER_POST));
	ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_POST(FUSE_BMAP), -EPERM));
	EXPECT_EQ(0, place_of_block(self->fd));
	EXPECT_EQ(1, asked(&self->b, FUSE_BMAP));
	ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_POST(FUSE_BMAP), 0));
	EXPECT_EQ(PLACE, place_of_block(self->fd));
}

TEST_HARNESS_MAIN
