// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes made directly in the backing, while the mount has cached what was there
 * before: the next operation must see them.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/mount.h>

#include "backed_fixture.h"
#include "harness.h"

FIXTURE(coherence)
{
	struct backed b;
};

FIXTURE_VARIANT(coherence)
{
	const char *fs;
};

FIXTURE_VARIANT_ADD(coherence, tmpfs) { .fs = "tmpfs" };
FIXTURE_VARIANT_ADD(coherence, ext4) { .fs = "ext4" };
FIXTURE_VARIANT_ADD(coherence, xfs) { .fs = "xfs" };
FIXTURE_VARIANT_ADD(coherence, btrfs) { .fs = "btrfs" };

FIXTURE_SETUP(coherence)
{
	ASSERT_EQ(0, backed_setup(&self->b, variant->fs, BACKED_ALLOW_OTHER));
}

FIXTURE_TEARDOWN(coherence)
{
	EXPECT_EQ(0, backed_destroy(&self->b));
}

/*
 * Have a name in all caches, also those of RCU-walk, whether it exists or not: the
 * first look finds it, the next ones walk.
 */
static void cache(const char *path)
{
	struct stat st;
	int i;

	for (i = 0; i < 3; i++)
		(void)!lstat(path, &st);
	text_of(path);
}

TEST_F(coherence, create)
{
	const char *back = self->b.back, *mnt = self->b.mnt;

	cache(in(mnt, "new"));
	EXPECT_STREQ("<ENOENT>", text_of(in(mnt, "new")));
	ASSERT_EQ(0, make_file(in(back, "new"), "here now", 0644));
	EXPECT_STREQ("here now", text_of(in(mnt, "new")));
	EXPECT_EQ(0, diff_tree(back, mnt));
}

TEST_F(coherence, create_every_type)
{
	const char *back = self->b.back, *mnt = self->b.mnt;

	cache(in(mnt, "dir"));
	cache(in(mnt, "link"));
	cache(in(mnt, "fifo"));
	cache(in(mnt, "hard"));
	ASSERT_EQ(0, mkdir(in(back, "dir"), 0755));
	ASSERT_EQ(0, symlink("dir", in(back, "link")));
	ASSERT_EQ(0, mkfifo(in(back, "fifo"), 0644));
	ASSERT_EQ(0, link(in(back, "fifo"), in(back, "hard")));
	EXPECT_EQ(0, diff_stat(in(back, "dir"), in(mnt, "dir")));
	EXPECT_EQ(0, diff_stat(in(back, "link"), in(mnt, "link")));
	EXPECT_EQ(0, diff_stat(in(back, "fifo"), in(mnt, "fifo")));
	EXPECT_EQ(0, diff_stat(in(back, "hard"), in(mnt, "hard")));
}

TEST_F(coherence, unlink)
{
	const char *back = self->b.back, *mnt = self->b.mnt;

	ASSERT_EQ(0, make_file(in(back, "file"), "x", 0644));
	cache(in(mnt, "file"));
	ASSERT_EQ(0, unlink(in(back, "file")));
	EXPECT_STREQ("<ENOENT>", text_of(in(mnt, "file")));
	EXPECT_EQ(0, ino_of(in(mnt, "file")));
}

TEST_F(coherence, again_and_again)
{
	const char *back = in(self->b.back, "file"), *mnt = in(self->b.mnt, "file");
	int i, nr = scale(300);
	char path[2][64];
	char text[16];

	strcpy(path[0], back);
	strcpy(path[1], mnt);
	for (i = 0; i < nr; i++) {
		snprintf(text, sizeof(text), "turn %d", i);
		ASSERT_EQ(0, make_file(path[0], text, 0644));
		ASSERT_STREQ(text, text_of(path[1]));
		ASSERT_EQ(ino_of(path[0]), ino_of(path[1]));
		ASSERT_EQ(0, unlink(path[0]));
		ASSERT_STREQ("<ENOENT>", text_of(path[1]));
	}
}

TEST_F(coherence, rename)
{
	const char *back = self->b.back, *mnt = self->b.mnt;
	ino_t ino;

	ASSERT_EQ(0, make_file(in(back, "from"), "moved", 0644));
	ino = ino_of(in(back, "from"));
	cache(in(mnt, "from"));
	cache(in(mnt, "to"));
	ASSERT_EQ(0, rename(in(back, "from"), in(back, "to")));
	EXPECT_STREQ("<ENOENT>", text_of(in(mnt, "from")));
	EXPECT_STREQ("moved", text_of(in(mnt, "to")));
	EXPECT_EQ(ino, ino_of(in(mnt, "to")));
	/* And back */
	ASSERT_EQ(0, rename(in(back, "to"), in(back, "from")));
	EXPECT_STREQ("moved", text_of(in(mnt, "from")));
	EXPECT_STREQ("<ENOENT>", text_of(in(mnt, "to")));
}

TEST_F(coherence, replace)
{
	const char *back = self->b.back, *mnt = self->b.mnt;
	char buf[8] = "";
	struct stat st;
	int fd;

	ASSERT_EQ(0, make_file(in(back, "file"), "old", 0644));
	cache(in(mnt, "file"));
	fd = open(in(mnt, "file"), O_RDONLY);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, replace_file(in(back, "file"), "new"));
	EXPECT_STREQ("new", text_of(in(mnt, "file")));
	EXPECT_EQ(0, diff_stat(in(back, "file"), in(mnt, "file")));
	/* Who had it open reads the old one */
	EXPECT_EQ(3, read(fd, buf, sizeof(buf)));
	EXPECT_STREQ("old", buf);
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(0, st.st_nlink);
	EXPECT_NE(st.st_ino, ino_of(in(mnt, "file")));
	close(fd);
}

TEST_F(coherence, replace_by_another_type)
{
	const char *back = self->b.back, *mnt = self->b.mnt;

	ASSERT_EQ(0, make_file(in(back, "name"), "x", 0644));
	cache(in(mnt, "name"));
	ASSERT_EQ(0, unlink(in(back, "name")));
	ASSERT_EQ(0, mkdir(in(back, "name"), 0755));
	ASSERT_EQ(0, make_file(in(back, "name/file"), "inside", 0644));
	EXPECT_STREQ("inside", text_of(in(mnt, "name/file")));
	cache(in(mnt, "name"));
	ASSERT_EQ(0, unlink(in(back, "name/file")));
	ASSERT_EQ(0, rmdir(in(back, "name")));
	ASSERT_EQ(0, symlink("other", in(back, "name")));
	ASSERT_EQ(0, make_file(in(back, "other"), "by link", 0644));
	EXPECT_STREQ("by link", text_of(in(mnt, "name")));
	EXPECT_EQ(0, diff_tree(back, mnt));
}

TEST_F(coherence, exchange)
{
	const char *back = self->b.back, *mnt = self->b.mnt;

	ASSERT_EQ(0, make_file(in(back, "a"), "was a", 0644));
	ASSERT_EQ(0, mkdir(in(back, "b"), 0755));
	ASSERT_EQ(0, make_file(in(back, "b/file"), "was in b", 0644));
	cache(in(mnt, "a"));
	cache(in(mnt, "b/file"));
	ASSERT_EQ(0, renameat2(AT_FDCWD, in(back, "a"), AT_FDCWD, in(back, "b"),
			       RENAME_EXCHANGE));
	EXPECT_STREQ("was a", text_of(in(mnt, "b")));
	EXPECT_STREQ("was in b", text_of(in(mnt, "a/file")));
	EXPECT_EQ(0, diff_tree(back, mnt));
}

TEST_F(coherence, symlink_target)
{
	const char *back = self->b.back, *mnt = self->b.mnt;

	ASSERT_EQ(0, make_file(in(back, "one"), "1", 0644));
	ASSERT_EQ(0, make_file(in(back, "two"), "2", 0644));
	ASSERT_EQ(0, symlink("one", in(back, "link")));
	cache(in(mnt, "link"));
	ASSERT_EQ(0, symlink("two", in(back, "link2")));
	ASSERT_EQ(0, rename(in(back, "link2"), in(back, "link")));
	EXPECT_STREQ("2", text_of(in(mnt, "link")));
}

TEST_F(coherence, attributes)
{
	const struct timespec times[2] = { { 1, 2 }, { 3, 4 } };
	const char *back = in(self->b.back, "file"), *mnt = in(self->b.mnt, "file");

	ASSERT_EQ(0, make_file(back, "some text", 0644));
	cache(mnt);
	ASSERT_EQ(0, truncate(back, 4));
	EXPECT_STREQ("some", text_of(mnt));
	EXPECT_EQ(0, diff_stat(back, mnt));
	ASSERT_EQ(0, append_file(back, "thing else"));
	EXPECT_STREQ("something else", text_of(mnt));
	EXPECT_EQ(0, diff_stat(back, mnt));
	ASSERT_EQ(0, chmod(back, 0600));
	EXPECT_EQ(0, diff_stat(back, mnt));
	ASSERT_EQ(0, chown(back, USER1, GROUP1));
	EXPECT_EQ(0, diff_stat(back, mnt));
	ASSERT_EQ(0, utimensat(AT_FDCWD, back, times, 0));
	EXPECT_EQ(0, diff_stat(back, mnt));
}

/* Flags by which the VFS refuses, before the backing is asked */
TEST_F(coherence, flags)
{
	const char *back = in(self->b.back, "file"), *mnt = in(self->b.mnt, "file");
	const int flags[] = { FS_IMMUTABLE_FL, FS_APPEND_FL };

	ASSERT_EQ(0, make_file(back, "some text", 0644));
	cache(mnt);
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		ASSERT_EQ(0, set_file_flags(back, flags[i]));
		EXPECT_EQ(-EPERM, RES(utimensat(AT_FDCWD, mnt, (struct timespec[2]){}, 0)));
		EXPECT_EQ(-EPERM, RES(unlink(mnt)));
		ASSERT_EQ(0, set_file_flags(back, 0));
		EXPECT_EQ(0, RES(utimensat(AT_FDCWD, mnt, (struct timespec[2]){}, 0)));
	}
	EXPECT_EQ(0, RES(unlink(mnt)));
}

TEST_F(coherence, attributes_of_an_open_file)
{
	const char *back = in(self->b.back, "file");
	struct stat st, native;
	int fd;

	ASSERT_EQ(0, make_file(back, "some text", 0644));
	fd = open(in(self->b.mnt, "file"), O_RDONLY);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, truncate(back, 100));
	ASSERT_EQ(0, chmod(back, 0));
	ASSERT_EQ(0, chown(back, USER1, GROUP1));
	ASSERT_EQ(0, stat(back, &native));
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(100, st.st_size);
	EXPECT_EQ(native.st_mode, st.st_mode);
	EXPECT_EQ(USER1, st.st_uid);
	EXPECT_EQ(native.st_ctim.tv_nsec, st.st_ctim.tv_nsec);
	ASSERT_EQ(0, unlink(back));
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(0, st.st_nlink);
	close(fd);
}

TEST_F(coherence, links_come_and_go)
{
	const char *back = self->b.back, *mnt = self->b.mnt;
	struct stat st;

	ASSERT_EQ(0, make_file(in(back, "a"), "linked", 0644));
	cache(in(mnt, "a"));
	cache(in(mnt, "b"));
	ASSERT_EQ(0, link(in(back, "a"), in(back, "b")));
	ASSERT_EQ(0, stat(in(mnt, "a"), &st));
	EXPECT_EQ(2, st.st_nlink);
	EXPECT_EQ(ino_of(in(mnt, "a")), ino_of(in(mnt, "b")));
	/* The name under which the mount first met it goes; the file does not */
	ASSERT_EQ(0, unlink(in(back, "a")));
	EXPECT_STREQ("<ENOENT>", text_of(in(mnt, "a")));
	EXPECT_STREQ("linked", text_of(in(mnt, "b")));
	EXPECT_EQ(0, diff_tree(back, mnt));
	ASSERT_EQ(0, link(in(back, "b"), in(back, "c")));
	ASSERT_EQ(0, append_file(in(back, "c"), " anew"));
	EXPECT_STREQ("linked anew", text_of(in(mnt, "b")));
	EXPECT_EQ(0, diff_tree(back, mnt));
}

TEST_F(coherence, directory)
{
	const char *back = self->b.back, *mnt = self->b.mnt;

	cache(in(mnt, "dir/file"));
	ASSERT_EQ(0, mkdir(in(back, "dir"), 0755));
	EXPECT_STREQ("<ENOENT>", text_of(in(mnt, "dir/file")));
	ASSERT_EQ(0, make_file(in(back, "dir/file"), "first", 0644));
	EXPECT_STREQ("first", text_of(in(mnt, "dir/file")));
	ASSERT_EQ(0, unlink(in(back, "dir/file")));
	ASSERT_EQ(0, rmdir(in(back, "dir")));
	EXPECT_STREQ("<ENOENT>", text_of(in(mnt, "dir/file")));
	EXPECT_EQ(0, ino_of(in(mnt, "dir")));
	ASSERT_EQ(0, mkdir(in(back, "dir"), 0700));
	ASSERT_EQ(0, make_file(in(back, "dir/file"), "second", 0644));
	EXPECT_STREQ("second", text_of(in(mnt, "dir/file")));
	EXPECT_EQ(0, diff_tree(back, mnt));
}

/* What is below a directory that moved is not what is below its old name. */
TEST_F(coherence, directory_replaced)
{
	const char *back = self->b.back, *mnt = self->b.mnt;

	ASSERT_EQ(0, mkdir(in(back, "dir"), 0755));
	ASSERT_EQ(0, mkdir(in(back, "dir/sub"), 0755));
	ASSERT_EQ(0, make_file(in(back, "dir/sub/file"), "old", 0644));
	ASSERT_EQ(0, mkdir(in(back, "dir2"), 0755));
	ASSERT_EQ(0, mkdir(in(back, "dir2/sub"), 0755));
	ASSERT_EQ(0, make_file(in(back, "dir2/sub/file"), "new", 0644));
	cache(in(mnt, "dir/sub/file"));
	ASSERT_EQ(0, rename(in(back, "dir"), in(back, "dir0")));
	ASSERT_EQ(0, rename(in(back, "dir2"), in(back, "dir")));
	EXPECT_STREQ("new", text_of(in(mnt, "dir/sub/file")));
	EXPECT_STREQ("old", text_of(in(mnt, "dir0/sub/file")));
	EXPECT_STREQ("<ENOENT>", text_of(in(mnt, "dir2/sub/file")));
}

TEST_F(coherence, directory_moved_across)
{
	const char *back = self->b.back, *mnt = self->b.mnt;
	int fd;

	ASSERT_EQ(0, mkdir(in(back, "x"), 0755));
	ASSERT_EQ(0, mkdir(in(back, "y"), 0755));
	ASSERT_EQ(0, mkdir(in(back, "x/dir"), 0755));
	ASSERT_EQ(0, make_file(in(back, "x/dir/file"), "inside", 0644));
	cache(in(mnt, "x/dir/file"));
	cache(in(mnt, "y/dir/file"));
	fd = open_dir(in(mnt, "x/dir"), 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, rename(in(back, "x/dir"), in(back, "y/dir")));
	EXPECT_STREQ("<ENOENT>", text_of(in(mnt, "x/dir/file")));
	EXPECT_STREQ("inside", text_of(in(mnt, "y/dir/file")));
	EXPECT_EQ(0, RES(faccessat(fd, "file", F_OK, 0)));
	EXPECT_EQ(0, RES(faccessat(fd, "../dir/file", F_OK, 0)));
	EXPECT_EQ(0, diff_tree(back, mnt));
	close(fd);
}

/*
 * The kernel walks ".." by its own tree, without asking anybody: a directory that
 * was moved directly on the backing is where it was until somebody looks it up in
 * the new place.
 */
TEST_F(coherence, parent_of_a_moved_directory)
{
	const char *back = self->b.back, *mnt = self->b.mnt;
	struct stat st;
	int fd;

	ASSERT_EQ(0, mkdir(in(back, "x"), 0755));
	ASSERT_EQ(0, mkdir(in(back, "y"), 0755));
	ASSERT_EQ(0, mkdir(in(back, "x/dir"), 0755));
	fd = open_dir(in(mnt, "x/dir"), 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, rename(in(back, "x/dir"), in(back, "y/dir")));
	ASSERT_EQ(0, fstatat(fd, "..", &st, 0));
	EXPECT_EQ(ino_of(in(back, "x")), st.st_ino);
	EXPECT_EQ(0, RES(access(in(mnt, "y/dir"), F_OK)));
	ASSERT_EQ(0, fstatat(fd, "..", &st, 0));
	EXPECT_EQ(ino_of(in(back, "y")), st.st_ino);
	close(fd);
}

/* What was above is now below, and somebody stands in it. */
TEST_F(coherence, directory_turned_inside_out)
{
	const char *back = self->b.back, *mnt = self->b.mnt;
	struct stat st;
	int fd;

	ASSERT_EQ(0, mkdir(in(back, "a"), 0755));
	ASSERT_EQ(0, mkdir(in(back, "a/b"), 0755));
	cache(in(mnt, "a/b"));
	fd = open_dir(in(mnt, "a/b"), 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, rename(in(back, "a/b"), in(back, "b")));
	ASSERT_EQ(0, rename(in(back, "a"), in(back, "b/a")));
	/* A loop, as long as the kernel has seen only one end of it move */
	EXPECT_EQ(-ELOOP, RES(fstatat(fd, "a", &st, 0)));
	EXPECT_EQ(ino_of(in(back, "b/a")), ino_of(in(mnt, "b/a")));
	EXPECT_EQ(0, RES(fstatat(fd, "a", &st, 0)));
	EXPECT_EQ(-ENOENT, RES(access(in(mnt, "a"), F_OK)));
	EXPECT_EQ(0, diff_tree(back, mnt));
	close(fd);
}

TEST_F(coherence, working_directory_moves)
{
	const char *back = self->b.back, *mnt = self->b.mnt;

	ASSERT_EQ(0, mkdir(in(back, "dir"), 0755));
	ASSERT_EQ(0, make_file(in(back, "dir/file"), "old", 0644));
	ASSERT_EQ(0, chdir(in(mnt, "dir")));
	ASSERT_EQ(0, rename(in(back, "dir"), in(back, "moved")));
	EXPECT_STREQ("old", text_of("file"));
	ASSERT_EQ(0, make_file(in(back, "moved/more"), "more", 0644));
	EXPECT_STREQ("more", text_of("more"));
	EXPECT_STREQ("more", text_of("../moved/more"));
	ASSERT_EQ(0, chdir("/"));
}

TEST_F(coherence, working_directory_goes)
{
	const char *back = self->b.back, *mnt = self->b.mnt;

	ASSERT_EQ(0, mkdir(in(back, "dir"), 0755));
	ASSERT_EQ(0, chdir(in(mnt, "dir")));
	ASSERT_EQ(0, rmdir(in(back, "dir")));
	EXPECT_STREQ("<ENOENT>", text_of("file"));
	ASSERT_EQ(0, mkdir(in(back, "dir"), 0755));
	ASSERT_EQ(0, make_file(in(back, "dir/file"), "not here", 0644));
	EXPECT_STREQ("<ENOENT>", text_of("file"));
	EXPECT_STREQ("not here", text_of(in(mnt, "dir/file")));
	ASSERT_EQ(0, chdir("/"));
}

/* A mount below ours goes where its directory goes, or away with it. */
TEST_F(coherence, mountpoint_on_the_mount)
{
	const char *back = self->b.back, *mnt = self->b.mnt;
	char point[64];

	ASSERT_EQ(0, mkdir(in(back, "dir"), 0755));
	strcpy(point, in(mnt, "dir"));
	ASSERT_EQ(0, mount("over", point, "tmpfs", 0, NULL));
	ASSERT_EQ(0, make_file(in(point, "file"), "on top", 0644));
	EXPECT_STREQ("on top", text_of(in(mnt, "dir/file")));
	EXPECT_EQ(-ENOENT, RES(access(in(back, "dir/file"), F_OK)));
	ASSERT_EQ(0, rmdir(in(back, "dir")));
	EXPECT_STREQ("<ENOENT>", text_of(in(mnt, "dir/file")));
	ASSERT_EQ(0, mkdir(in(back, "dir"), 0755));
	EXPECT_STREQ("<ENOENT>", text_of(in(mnt, "dir/file")));
	EXPECT_EQ(-EINVAL, RES(umount(point)));
}

/* All that was cached is dropped: nothing may depend on it. */
TEST_F(coherence, dropped_caches)
{
	const char *back = self->b.back, *mnt = self->b.mnt;
	int fd, i;

	ASSERT_EQ(0, mkdir(in(back, "dir"), 0755));
	for (i = 0; i < 20; i++)
		ASSERT_EQ(0, make_file(in(back, "dir/file%d", i), in("x", "%d", i), 0644));
	fd = open(in(mnt, "dir/file3"), O_RDONLY);
	ASSERT_LE(0, fd);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, diff_tree(back, mnt));
		ASSERT_EQ(0, sh("echo 3 >/proc/sys/vm/drop_caches"));
		ASSERT_EQ(0, rename(in(back, "dir/file%d", i), in(back, "dir/other%d", i)));
	}
	EXPECT_EQ(0, diff_tree(back, mnt));
	close(fd);
}

TEST_HARNESS_MAIN
