// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a backed mount does not have must be refused, with the errno that programs
 * know how to live with, and must reach neither a daemon nor the backing.
 */
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "backed_fixture.h"
#include "harness.h"

FIXTURE(refuse)
{
	struct backed b;
	char mnt[64];
	int fd;
	int dir;
};

FIXTURE_SETUP(refuse)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, backed_setup(b, "tmpfs", BACKED_ALLOW_OTHER));
	ASSERT_EQ(0, make_file(in(b->back, "file"), "text", 0644));
	ASSERT_EQ(0, make_dir(in(b->back, "dir"), 0755));
	strcpy(self->mnt, in(b->mnt, "file"));
	self->fd = open(self->mnt, O_RDONLY);
	self->dir = open(in(b->mnt, "dir"), O_RDONLY | O_DIRECTORY);
	ASSERT_LE(0, self->fd);
	ASSERT_LE(0, self->dir);
}

FIXTURE_TEARDOWN(refuse)
{
	close(self->fd);
	close(self->dir);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

/* A lease that a writer of the backing does not break would be a lie. */
TEST_F(refuse, leases)
{
	EXPECT_EQ(-EINVAL, RES(fcntl(self->fd, F_SETLEASE, F_RDLCK)));
	EXPECT_EQ(-EINVAL, RES(fcntl(self->dir, F_SETLEASE, F_RDLCK)));
	EXPECT_GE(F_UNLCK, fcntl(self->fd, F_GETLEASE));
}

TEST_F(refuse, ioctls)
{
	static const unsigned long cmds[] = {
		FS_IOC_GETVERSION, FITRIM, FS_IOC_GETFSLABEL, 0x5401 /* TCGETS */, 0, 0xffffffff,
		_IOR('u', 1, int), _IO(FUSE_BPF_IOC_MAGIC, 0),
	};
	char arg[4096] = {};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		EXPECT_EQ(-ENOTTY, RES(ioctl(self->fd, cmds[i], arg))) TH_LOG("%#lx", cmds[i]);
		EXPECT_EQ(-ENOTTY, RES(ioctl(self->dir, cmds[i], arg)))
			TH_LOG("%#lx on a directory", cmds[i]);
	}
}

/* What the file system below does not have, as it says itself */
TEST_F(refuse, file_attributes_that_the_backing_lacks)
{
	int native = open(in(self->b.back, "file"), O_RDONLY);
	int flags = 0, native_flags = 0;

	ASSERT_LE(0, native);
	EXPECT_EQ(RES(ioctl(native, FS_IOC_GETFLAGS, &native_flags)),
		  RES(ioctl(self->fd, FS_IOC_GETFLAGS, &flags)));
	EXPECT_EQ(native_flags, flags);
	close(native);
}

TEST_F(refuse, clones_between_the_mount_and_other_files)
{
	int native = open(in(self->b.back, "file"), O_RDWR);

	ASSERT_LE(0, native);
	EXPECT_EQ(-EXDEV, RES(ioctl(native, FICLONE, self->fd)));
	EXPECT_EQ(-EBADF, RES(ioctl(self->fd, FICLONE, self->fd)));
	close(native);
}

TEST_F(refuse, maps_of_blocks)
{
	struct fiemap map = { .fm_length = ~0ull };
	int block = 0;

	EXPECT_EQ(-EOPNOTSUPP, RES(ioctl(self->fd, FS_IOC_FIEMAP, &map)));
	EXPECT_GE(0, RES(ioctl(self->fd, FIBMAP, &block)));
	EXPECT_EQ(0, block);
	EXPECT_EQ(-EOPNOTSUPP, RES(ioctl(self->dir, FIFREEZE, 0)));
}

TEST_F(refuse, control_is_for_directories)
{
	struct fuse_bpf_query query;

	EXPECT_EQ(-ENOTTY, RES(ioctl(self->fd, FUSE_IOC_QUERY, &query)));
	EXPECT_EQ(0, RES(ioctl(self->dir, FUSE_IOC_QUERY, &query)));
}

TEST_HARNESS_MAIN
