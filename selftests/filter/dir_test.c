// SPDX-License-Identifier: GPL-2.0-only
/*
 * Filters of directories: what they are asked about, wherever things are moved.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"
#include "plain_fixture.h"
#include "scripted.h"
#include <fuse_bpf.h>

FIXTURE(dir)
{
	struct backed b;
	struct filter filter;
	struct filter inner;
	pid_t pid;
	int top;
	int dir;
};

FIXTURE_VARIANT(dir)
{
	bool plain;
	bool sleepable;
};

FIXTURE_VARIANT_ADD(dir, backed) { .plain = false };
FIXTURE_VARIANT_ADD(dir, backed_sleepable) { .sleepable = true };
FIXTURE_VARIANT_ADD(dir, plain) { .plain = true };

/*
 * /in is the directory with the filter. The filter refuses the name "secret", and
 * to open anything.
 */
FIXTURE_SETUP(dir)
{
	const char *back = self->b.back;

	ASSERT_EQ(0, backed_make(&self->b, "tmpfs"));
	ASSERT_EQ(0, make_dir(in(back, "in"), 0755));
	ASSERT_EQ(0, make_dir(in(back, "in/deep"), 0755));
	ASSERT_EQ(0, make_dir(in(back, "out"), 0755));
	ASSERT_EQ(0, make_file(in(back, "in/secret"), "s", 0644));
	ASSERT_EQ(0, make_file(in(back, "in/file"), "f", 0644));
	ASSERT_EQ(0, make_file(in(back, "in/deep/secret"), "s", 0644));
	ASSERT_EQ(0, make_file(in(back, "in/deep/file"), "f", 0644));
	ASSERT_EQ(0, make_file(in(back, "out/secret"), "s", 0644));
	ASSERT_EQ(0, make_file(in(back, "out/file"), "f", 0644));

	ASSERT_EQ(0, variant->plain ? plain_mount(&self->b, &self->pid) :
				      backed_mount(&self->b, BACKED_ALLOW_OTHER));
	self->top = open_dir(self->b.mnt, 0);
	ASSERT_LE(0, self->top);
	self->dir = open_dir(in(self->b.mnt, "in"), 0);
	ASSERT_LE(0, self->dir);
	self->filter = FILTER_NONE;
	self->inner = FILTER_NONE;
	ASSERT_EQ(0, scripted_load(&self->filter, variant->sleepable, NULL));
	ASSERT_EQ(0, scripted_rule(&self->filter, FUSE_LOOKUP, SCRIPTED_ANY_UID, "secret",
				   -ENOENT));
	ASSERT_EQ(0, scripted_rule(&self->filter, FUSE_FILTER_OP_DIRENT, SCRIPTED_ANY_UID,
				   "secret", -ENOENT));
	ASSERT_EQ(0, scripted_rule(&self->filter, FUSE_OPEN, SCRIPTED_ANY_UID, NULL, -EACCES));
}

FIXTURE_TEARDOWN(dir)
{
	filter_destroy(&self->inner);
	filter_destroy(&self->filter);
	close(self->dir);
	close(self->top);
	EXPECT_EQ(0, plain_umount(&self->b, self->pid));
	EXPECT_EQ(0, backed_destroy(&self->b));
}

#define ATTACH() \
	ASSERT_EQ(0, filter_attach(&self->filter, self->dir, FUSE_FILTER_DIRECTORY, 0))

static int stat_of(const struct backed *b, const char *name)
{
	struct stat st;

	return RES(lstat(in(b->mnt, "%s", name), &st));
}

static int open_of(const struct backed *b, const char *name)
{
	int fd = open(in(b->mnt, "%s", name), O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

TEST_F(dir, what_lies_below_and_nothing_else)
{
	/* In the dcache before the filter comes */
	EXPECT_EQ(0, stat_of(&self->b, "in/secret"));
	EXPECT_EQ(0, stat_of(&self->b, "in/deep/secret"));
	ATTACH();
	EXPECT_EQ(-ENOENT, stat_of(&self->b, "in/secret"));
	EXPECT_EQ(-ENOENT, stat_of(&self->b, "in/deep/secret"));
	EXPECT_EQ(-EACCES, open_of(&self->b, "in/file"));
	EXPECT_EQ(-EACCES, open_of(&self->b, "in/deep/file"));
	EXPECT_EQ(1, sh("ls %s/in %s/in/deep | grep -q secret", self->b.mnt, self->b.mnt));
	EXPECT_EQ(0, stat_of(&self->b, "in/file"));
	EXPECT_EQ(0, stat_of(&self->b, "out/secret"));
	EXPECT_EQ(0, open_of(&self->b, "out/secret"));
	ASSERT_EQ(0, filter_detach(&self->filter));
	EXPECT_EQ(0, open_of(&self->b, "in/secret"));
	EXPECT_EQ(0, open_of(&self->b, "in/deep/secret"));
}

TEST_F(dir, follows_what_is_moved)
{
	ATTACH();
	ASSERT_EQ(0, RES(renameat(self->top, "in/deep", self->top, "out/deep")));
	EXPECT_EQ(0, open_of(&self->b, "out/deep/secret"));
	ASSERT_EQ(0, RES(renameat(self->top, "out/deep", self->top, "in/deep")));
	EXPECT_EQ(-ENOENT, stat_of(&self->b, "in/deep/secret"));
	/* The directory itself, and what is above it */
	ASSERT_EQ(0, RES(renameat(self->top, "in", self->top, "out/in")));
	EXPECT_EQ(-ENOENT, stat_of(&self->b, "out/in/secret"));
	ASSERT_EQ(0, RES(renameat(self->top, "out", self->top, "new")));
	EXPECT_EQ(-EACCES, open_of(&self->b, "new/in/deep/file"));
	EXPECT_EQ(0, open_of(&self->b, "new/secret"));
}

TEST_F(dir, by_any_name_of_a_file)
{
	ASSERT_EQ(0, RES(linkat(self->top, "in/file", self->top, "out/link", 0)));
	EXPECT_EQ(0, open_of(&self->b, "out/link"));
	ATTACH();
	EXPECT_EQ(-EACCES, open_of(&self->b, "in/file"));
	/* One inode, whose other name is in the dcache; libfuse makes two of it */
	EXPECT_EQ(variant->plain ? 0 : -EACCES, open_of(&self->b, "out/link"));
}

TEST_F(dir, from_within)
{
	int fd;

	ATTACH();
	fd = openat(self->dir, "deep", O_RDONLY | O_DIRECTORY);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-ENOENT, RES(faccessat(fd, "secret", F_OK, 0)));
	EXPECT_EQ(-EACCES, RES(openat(fd, "file", O_RDONLY)));
	EXPECT_EQ(-EACCES, RES(openat(fd, "../file", O_RDONLY)));
	EXPECT_EQ(-ENOENT, RES(openat(fd, "secret", O_CREAT | O_WRONLY, 0600)));
	EXPECT_EQ(-ENOENT, RES(renameat(fd, "file", fd, "secret")));
	EXPECT_EQ(-ENOENT, RES(linkat(fd, "file", fd, "secret", 0)));
	EXPECT_EQ(-ENOENT, RES(unlinkat(fd, "secret", 0)));
	EXPECT_EQ(0, RES(faccessat(fd, "../../out/secret", F_OK, 0)));
	close(fd);
}

TEST_F(dir, several_directories_and_the_mount)
{
	int deep = open_dir(in(self->b.mnt, "in/deep"), 0);
	struct fuse_filter_info infos[4];

	ASSERT_LE(0, deep);
	ATTACH();
	ASSERT_EQ(0, scripted_load(&self->inner, variant->sleepable, NULL));
	ASSERT_EQ(0, scripted_rule(&self->inner, FUSE_LOOKUP, SCRIPTED_ANY_UID, "file", -EPERM));
	ASSERT_EQ(0, filter_attach(&self->inner, deep, FUSE_FILTER_DIRECTORY, 0));
	EXPECT_EQ(0, stat_of(&self->b, "in/file"));
	EXPECT_EQ(-EPERM, stat_of(&self->b, "in/deep/file"));
	EXPECT_EQ(-ENOENT, stat_of(&self->b, "in/deep/secret"));

	ASSERT_EQ(2, fuse_bpf_list(self->top, infos, 4));
	EXPECT_EQ(FUSE_FILTER_DIRECTORY, infos[0].flags);
	EXPECT_EQ(ino_of(in(self->b.mnt, "in")), infos[0].dir);
	EXPECT_EQ(ino_of(in(self->b.mnt, "in/deep")), infos[1].dir);

	/* One filter can be attached in several places */
	ASSERT_EQ(0, filter_detach(&self->inner));
	ASSERT_EQ(0, filter_attach(&self->inner, self->top, 0, 0));
	EXPECT_EQ(-EPERM, stat_of(&self->b, "out/file"));
	ASSERT_EQ(2, fuse_bpf_list(self->top, infos, 4));
	EXPECT_EQ(0, infos[0].flags);
	EXPECT_EQ(0, infos[0].dir);
	EXPECT_EQ(0, filter_detach(&self->inner));
	close(deep);
}

TEST_F(dir, too_many_fail_closed)
{
	struct filter filters[9];
	char path[64] = "out";
	int fd;

	/* Eight directories, besides the mount */
	ASSERT_EQ(0, filter_attach(&self->filter, self->top, 0, 0));
	for (int i = 0; i < 9; i++) {
		ASSERT_EQ(0, scripted_load(&filters[i], false, NULL));
		fd = open_dir(in(self->b.mnt, "%s", path), 0);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, filter_attach(&filters[i], fd, FUSE_FILTER_DIRECTORY, 0));
		EXPECT_EQ(i < 8 ? 0 : -EIO, stat_of(&self->b, path));
		strcat(path, "/d");
		EXPECT_EQ(i < 8 ? 0 : -EIO, RES(mkdirat(self->top, path, 0755)));
		filters[i].fd = -1;
		close(fd);
	}
	for (int i = 0; i < 9; i++) {
		EXPECT_EQ(0, fuse_bpf_detach(self->top, filters[i].id));
		filter_destroy(&filters[i]);
	}
	EXPECT_EQ(0, RES(mkdirat(self->top, path, 0755)));
}

TEST_F(dir, refusals)
{
	int dev = open(device_path(), O_RDWR);
	struct stat st;

	ATTACH();
	ASSERT_LE(0, dev);
	EXPECT_EQ(-EEXIST, filter_attach(&(struct filter){ .link = self->filter.link }, self->dir,
					 FUSE_FILTER_DIRECTORY, 0));
	/* An order refers to a filter of the same directory */
	EXPECT_EQ(-ENOENT, filter_attach(&(struct filter){ .link = self->filter.link }, self->top,
					 FUSE_FILTER_DIRECTORY | FUSE_FILTER_BEFORE,
					 self->filter.id));
	EXPECT_EQ(-ENODEV, filter_attach(&(struct filter){ .link = self->filter.link }, dev,
					 FUSE_FILTER_DIRECTORY, 0));
	close(dev);

	/* A directory that is gone keeps its filter until that is detached */
	ASSERT_EQ(0, RES(renameat(self->top, "in/deep", self->top, "out/deep")));
	ASSERT_EQ(0, sh("rm -r %s/in", self->b.back));
	EXPECT_EQ(0, fstat(self->top, &st));
	EXPECT_EQ(0, filter_detach(&self->filter));
}

/* Unmounting ends what is attached, and nothing of it stays. */
TEST_F(dir, unmount)
{
	ATTACH();
	self->filter.fd = -1;
	close(self->dir);
	close(self->top);
	self->dir = self->top = -1;
	EXPECT_EQ(0, plain_umount(&self->b, self->pid));
	self->pid = 0;
}

TEST_HARNESS_MAIN
