// SPDX-License-Identifier: GPL-2.0-only
/*
 * libfuse-bpf: which directories can be opened to control a mount.
 */
#include <fcntl.h>
#include <unistd.h>

#include "harness.h"
#include "plain_fixture.h"
#include <fuse_bpf.h>

FIXTURE(library)
{
	struct backed b;
	pid_t pid;
};

FIXTURE_VARIANT(library)
{
	bool plain;
};

FIXTURE_VARIANT_ADD(library, backed) { .plain = false };
FIXTURE_VARIANT_ADD(library, plain) { .plain = true };

FIXTURE_SETUP(library)
{
	fuse_bpf_set_log(NULL, NULL);
	ASSERT_EQ(0, backed_make(&self->b, "tmpfs"));
	ASSERT_EQ(0, make_dir(in(self->b.back, "dir"), 0755));
	ASSERT_EQ(0, make_file(in(self->b.back, "file"), "x", 0644));
	ASSERT_EQ(0, variant->plain ? plain_mount(&self->b, &self->pid) :
				      backed_mount(&self->b, BACKED_ALLOW_OTHER));
}

FIXTURE_TEARDOWN(library)
{
	EXPECT_EQ(0, plain_umount(&self->b, self->pid));
	EXPECT_EQ(0, backed_destroy(&self->b));
}

/* 0, or the errno; the descriptor must be one that requests can be made on */
static int open_result(int fd)
{
	struct fuse_filter_info infos[1];
	int nr;

	if (fd < 0)
		return fd;
	nr = fuse_bpf_list(fd, infos, 1);
	if (!(fcntl(fd, F_GETFD) & FD_CLOEXEC))
		nr = -EBADF;
	close(fd);
	return nr;
}

TEST_F(library, open_mount)
{
	int want = variant->plain ? -ENOTTY : 0;

	EXPECT_EQ(want, open_result(fuse_bpf_open_mount(self->b.mnt)));
	EXPECT_EQ(-EINVAL, open_result(fuse_bpf_open_mount(in(self->b.mnt, "dir"))));
	EXPECT_EQ(-ENOTDIR, open_result(fuse_bpf_open_mount(in(self->b.mnt, "file"))));
	EXPECT_EQ(-ENOENT, open_result(fuse_bpf_open_mount(in(self->b.mnt, "none"))));
	EXPECT_EQ(-ENOTTY, open_result(fuse_bpf_open_mount(self->b.back)));
}

TEST_F(library, open_dir)
{
	EXPECT_EQ(0, open_result(fuse_bpf_open_dir(self->b.mnt)));
	EXPECT_EQ(0, open_result(fuse_bpf_open_dir(in(self->b.mnt, "dir"))));
	EXPECT_EQ(-ENOTDIR, open_result(fuse_bpf_open_dir(in(self->b.mnt, "file"))));
	EXPECT_EQ(-ENOENT, open_result(fuse_bpf_open_dir(in(self->b.mnt, "none"))));
	EXPECT_EQ(-ENOTTY, open_result(fuse_bpf_open_dir(self->b.back)));
}

/* A mount is known to be backed also to those who may not see its counters. */
TEST_F(library, open_mount_as_another_user)
{
	int want = variant->plain ? -ENOTTY : -EPERM;

	EXPECT_EQ(0, RES(seteuid(USER1)));
	EXPECT_EQ(want, open_result(fuse_bpf_open_mount(self->b.mnt)));
	EXPECT_EQ(-EPERM, open_result(fuse_bpf_open_dir(self->b.mnt)));
	EXPECT_EQ(0, RES(seteuid(0)));
}

TEST_HARNESS_MAIN
