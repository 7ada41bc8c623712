// SPDX-License-Identifier: GPL-2.0-only
/*
 * A backing whose files are the kernel's: they appear and go by themselves, and what is
 * made is shown by the next lookup only. The cgroup file system is one.
 */
#include <fcntl.h>
#include <sys/mount.h>

#include "backed_fixture.h"
#include "harness.h"

FIXTURE(kernfs)
{
	struct backed b;
	char cgroups[64];
};

FIXTURE_SETUP(kernfs)
{
	struct backed *b = &self->b;
	int fd;

	ASSERT_EQ(0, backed_make(b, "tmpfs"));
	strcpy(self->cgroups, in(b->top, "cgroups"));
	ASSERT_EQ(0, make_dir(self->cgroups, 0755));
	ASSERT_EQ(0, RES(mount("cgroups", self->cgroups, "cgroup2", 0, NULL)));
	fd = open_dir(self->cgroups, O_PATH);
	ASSERT_EQ(0, try_mount(TRY_MOUNT(.backing = fd, .daemonless = true, .at = b->mnt)));
	b->mounted = true;
	close(fd);
}

FIXTURE_TEARDOWN(kernfs)
{
	rmdir(in(self->cgroups, "test"));
	EXPECT_EQ(0, backed_umount(&self->b));
	EXPECT_EQ(0, RES(umount(self->cgroups)));
	EXPECT_EQ(0, backed_destroy(&self->b));
}

TEST_F(kernfs, directory_is_made_and_removed)
{
	const char *native = in(self->cgroups, "test"), *ours = in(self->b.mnt, "test");

	EXPECT_EQ(-ENOENT, RES(access(ours, F_OK)));
	EXPECT_EQ(0, RES(mkdir(ours, 0755)));
	EXPECT_EQ(0, diff_stat(native, ours));
	EXPECT_EQ(-EEXIST, RES(mkdir(ours, 0755)));
	EXPECT_EQ(0, diff_text(in(native, "cgroup.type"), in(ours, "cgroup.type")));
	EXPECT_EQ(0, RES(rmdir(ours)));
	EXPECT_EQ(-ENOENT, RES(access(native, F_OK)));
	EXPECT_EQ(-ENOENT, RES(access(ours, F_OK)));
}

TEST_F(kernfs, what_comes_and_goes_directly)
{
	const char *native = in(self->cgroups, "test"), *ours = in(self->b.mnt, "test");

	EXPECT_EQ(-ENOENT, RES(access(ours, F_OK)));
	ASSERT_EQ(0, RES(mkdir(native, 0755)));
	EXPECT_EQ(0, diff_stat(native, ours));
	EXPECT_EQ(0, RES(access(in(ours, "cgroup.procs"), R_OK)));
	ASSERT_EQ(0, RES(rmdir(native)));
	EXPECT_EQ(-ENOENT, RES(access(ours, F_OK)));
}

TEST_F(kernfs, files_are_refused)
{
	const char *ours = in(self->b.mnt, "file");

	EXPECT_EQ(RES(open(in(self->cgroups, "file"), O_CREAT | O_WRONLY, 0644)),
		  RES(open(ours, O_CREAT | O_WRONLY, 0644)));
	EXPECT_EQ(-ENOENT, RES(access(ours, F_OK)));
}

TEST_HARNESS_MAIN
