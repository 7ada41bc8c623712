// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every type of file, its attributes and its name, as seen through a backed mount
 * and as seen in the backing.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/vfs.h>

#include "backed_fixture.h"
#include "harness.h"

FIXTURE(types)
{
	struct backed b;
};

FIXTURE_VARIANT(types)
{
	const char *fs;
};

FIXTURE_VARIANT_ADD(types, tmpfs) { .fs = "tmpfs" };
FIXTURE_VARIANT_ADD(types, ext4) { .fs = "ext4" };
FIXTURE_VARIANT_ADD(types, xfs) { .fs = "xfs" };
FIXTURE_VARIANT_ADD(types, btrfs) { .fs = "btrfs" };

FIXTURE_SETUP(types)
{
	ASSERT_EQ(0, backed_setup(&self->b, variant->fs, BACKED_ALLOW_OTHER));
}

FIXTURE_TEARDOWN(types)
{
	EXPECT_EQ(0, backed_destroy(&self->b));
}

static int make_socket(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	strncpy(addr.sun_path, path, sizeof(addr.sun_path) - 1);
	err = RES(bind(fd, (struct sockaddr *)&addr, sizeof(addr)));
	close(fd);
	return err;
}

static int make_hole(const char *path, off_t size)
{
	int err = make_file(path, "begin", 0644);

	return err ? err : RES(truncate(path, size));
}

static int set_times(const char *path, time_t atime, time_t mtime)
{
	const struct timespec times[2] = { { atime, 123456789 }, { mtime, 987654321 } };

	return RES(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW));
}

TEST_F(types, regular)
{
	const char *back = self->b.back;

	ASSERT_EQ(0, make_file(in(back, "empty"), "", 0644));
	ASSERT_EQ(0, make_file(in(back, "text"), "some text", 0640));
	ASSERT_EQ(0, make_file(in(back, "none"), "nobody reads it", 0000));
	ASSERT_EQ(0, make_file(in(back, "setuid"), "x", 06755));
	ASSERT_EQ(0, make_hole(in(back, "sparse"), 3 << 20));
	ASSERT_EQ(0, make_hole(in(back, "large"), 5ll << 30));
	ASSERT_EQ(0, make_file(in(back, "owned"), "x", 0600));
	ASSERT_EQ(0, chown(in(back, "owned"), USER1, GROUP1));
	ASSERT_EQ(0, make_file(in(back, "old"), "x", 0600));
	ASSERT_EQ(0, set_times(in(back, "old"), 1000000000, -86400));
	ASSERT_EQ(0, make_file(in(back, "new"), "x", 0600));
	ASSERT_EQ(0, set_times(in(back, "new"), 4000000000, 4000000001));
	EXPECT_EQ(0, diff_stat(in(back, "large"), in(self->b.mnt, "large")));
	ASSERT_EQ(0, unlink(in(back, "large")));

	EXPECT_EQ(0, diff_tree(back, self->b.mnt));
}

TEST_F(types, directories)
{
	const char *back = self->b.back;

	ASSERT_EQ(0, make_dir(in(back, "dir"), 0755));
	ASSERT_EQ(0, make_dir(in(back, "dir/sub"), 0700));
	ASSERT_EQ(0, make_dir(in(back, "dir/sub/sub"), 0711));
	ASSERT_EQ(0, make_dir(in(back, "sticky"), 01777));
	ASSERT_EQ(0, make_dir(in(back, "setgid"), 02775));
	ASSERT_EQ(0, make_dir(in(back, "owned"), 0750));
	ASSERT_EQ(0, chown(in(back, "owned"), USER1, GROUP1));
	ASSERT_EQ(0, make_file(in(back, "owned/file"), "x", 0600));

	EXPECT_EQ(0, diff_tree(back, self->b.mnt));
	/* By a trailing slash, and by a way round */
	EXPECT_EQ(0, diff_stat(in(back, "dir/"), in(self->b.mnt, "dir/")));
	EXPECT_EQ(0, diff_stat(in(back, "dir"), in(self->b.mnt, "dir/sub/../../dir/.")));
}

TEST_F(types, special)
{
	const char *back = self->b.back, *mnt = self->b.mnt;

	ASSERT_EQ(0, mkfifo(in(back, "fifo"), 0640));
	ASSERT_EQ(0, make_socket(in(back, "socket")));
	ASSERT_EQ(0, mknod(in(back, "zero"), S_IFCHR | 0600, makedev(1, 5)));
	ASSERT_EQ(0, mknod(in(back, "block"), S_IFBLK | 0600, makedev(7, 200)));
	ASSERT_EQ(0, mknod(in(back, "big"), S_IFCHR | 0600, makedev(500, 200000)));

	EXPECT_EQ(0, diff_tree(back, mnt));
	EXPECT_EQ(-ENXIO, RES(open(in(mnt, "fifo"), O_WRONLY | O_NONBLOCK)));
	EXPECT_EQ(-ENXIO, RES(open(in(mnt, "socket"), O_RDONLY)));
}

/* Devices and pipes are the kernel's own, and no matter of a read-only tree. */
TEST_F(types, special_files_work)
{
	const char *back = self->b.back, *mnt = self->b.mnt;
	char buf[4] = "abc";
	int fd, out;

	ASSERT_EQ(0, mknod(in(back, "zero"), S_IFCHR | 0600, makedev(1, 5)));
	fd = open(in(mnt, "zero"), O_RDWR);
	ASSERT_LE(0, fd);
	EXPECT_EQ(3, write(fd, "abc", 3));
	EXPECT_EQ(3, read(fd, buf, 3));
	EXPECT_EQ(0, memcmp(buf, "\0\0\0", 3));
	close(fd);

	ASSERT_EQ(0, mkfifo(in(back, "fifo"), 0640));
	fd = open(in(mnt, "fifo"), O_RDONLY | O_NONBLOCK);
	ASSERT_LE(0, fd);
	out = open(in(mnt, "fifo"), O_WRONLY | O_NONBLOCK);
	ASSERT_LE(0, out);
	EXPECT_EQ(3, write(out, "def", 3));
	EXPECT_EQ(3, read(fd, buf, 3));
	EXPECT_STREQ("def", buf);
	close(out);
	close(fd);
}

static int make_symlink(const char *path, size_t len)
{
	char target[PATH_MAX];

	memset(target, 'x', len);
	target[len] = '\0';
	return RES(symlink(target, path));
}

TEST_F(types, symlinks)
{
	const char *back = self->b.back, *mnt = self->b.mnt;
	char buf[16];

	ASSERT_EQ(0, make_dir(in(back, "dir"), 0755));
	ASSERT_EQ(0, make_file(in(back, "dir/file"), "followed", 0644));
	ASSERT_EQ(0, symlink("dir/file", in(back, "link")));
	ASSERT_EQ(0, symlink("../dir", in(back, "dir/up")));
	ASSERT_EQ(0, symlink("nowhere", in(back, "dangling")));
	ASSERT_EQ(0, symlink("round", in(back, "round")));
	ASSERT_EQ(0, symlink("/proc/self/comm", in(back, "absolute")));
	ASSERT_EQ(0, make_symlink(in(back, "short"), 1));
	ASSERT_EQ(0, make_symlink(in(back, "long"), 1000));
	ASSERT_EQ(0, lchown(in(back, "short"), USER1, GROUP1));

	EXPECT_EQ(0, diff_tree(back, mnt));
	EXPECT_STREQ("followed", text_of(in(mnt, "link")));
	EXPECT_STREQ("followed", text_of(in(mnt, "dir/up/up/file")));
	EXPECT_STREQ("<ENOENT>", text_of(in(mnt, "dangling")));
	EXPECT_STREQ("<ELOOP>", text_of(in(mnt, "round")));
	EXPECT_STREQ(text_of("/proc/self/comm"), text_of(in(mnt, "absolute")));
	EXPECT_EQ(-ELOOP, RES(open(in(mnt, "link"), O_RDONLY | O_NOFOLLOW)));
	EXPECT_EQ(3, readlink(in(mnt, "link"), buf, 3));
	EXPECT_EQ(-EINVAL, RES(readlink(in(mnt, "dir/file"), buf, 3)));
	EXPECT_EQ(-EINVAL, RES(readlink(in(mnt, "dir"), buf, 3)));
}

/* One inode watched twice has one watch. */
static bool same_inode(const char *a, const char *b)
{
	int fd = inotify_init1(IN_CLOEXEC);
	int wa = inotify_add_watch(fd, a, IN_ATTRIB);
	int wb = inotify_add_watch(fd, b, IN_ATTRIB);

	close(fd);
	return wa >= 0 && wa == wb;
}

TEST_F(types, hard_links_are_one_inode)
{
	const char *back = self->b.back, *mnt = self->b.mnt;
	struct stat st;

	ASSERT_EQ(0, make_dir(in(back, "dir"), 0755));
	ASSERT_EQ(0, make_file(in(back, "a"), "shared", 0644));
	ASSERT_EQ(0, link(in(back, "a"), in(back, "b")));
	ASSERT_EQ(0, link(in(back, "a"), in(back, "dir/c")));
	ASSERT_EQ(0, make_file(in(back, "d"), "shared", 0644));

	EXPECT_EQ(0, diff_tree(back, mnt));
	ASSERT_EQ(0, stat(in(mnt, "a"), &st));
	EXPECT_EQ(3, st.st_nlink);
	EXPECT_EQ(ino_of(in(mnt, "a")), ino_of(in(mnt, "dir/c")));
	EXPECT_TRUE(same_inode(in(mnt, "a"), in(mnt, "b")));
	EXPECT_TRUE(same_inode(in(mnt, "a"), in(mnt, "dir/c")));
	EXPECT_FALSE(same_inode(in(mnt, "a"), in(mnt, "d")));
	EXPECT_FALSE(same_inode(in(mnt, "a"), in(back, "a")));
}

TEST_F(types, device_number_is_of_the_mount)
{
	const char *back = self->b.back, *mnt = self->b.mnt;
	struct stat root, native, st;

	ASSERT_EQ(0, make_dir(in(back, "dir"), 0755));
	ASSERT_EQ(0, make_file(in(back, "dir/file"), "x", 0644));
	ASSERT_EQ(0, symlink("x", in(back, "link")));
	ASSERT_EQ(0, stat(mnt, &root));
	ASSERT_EQ(0, stat(back, &native));
	EXPECT_NE(native.st_dev, root.st_dev);
	ASSERT_EQ(0, stat(in(mnt, "dir"), &st));
	EXPECT_EQ(root.st_dev, st.st_dev);
	ASSERT_EQ(0, stat(in(mnt, "dir/file"), &st));
	EXPECT_EQ(root.st_dev, st.st_dev);
	ASSERT_EQ(0, lstat(in(mnt, "link"), &st));
	EXPECT_EQ(root.st_dev, st.st_dev);
}

TEST_F(types, root)
{
	const char *back = self->b.back, *mnt = self->b.mnt;
	struct statx stx;

	EXPECT_EQ(0, diff_stat(back, mnt));
	ASSERT_EQ(0, chmod(back, 01711));
	ASSERT_EQ(0, chown(back, USER1, GROUP1));
	EXPECT_EQ(0, diff_stat(back, mnt));
	EXPECT_EQ(ino_of(back), ino_of(in(mnt, ".")));
	ASSERT_EQ(0, statx(AT_FDCWD, mnt, 0, STATX_BASIC_STATS, &stx));
	EXPECT_TRUE(stx.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

/* What the daemon's cache policy is for: nothing here may ask for it. */
TEST_F(types, sync_types)
{
	const char *back = self->b.back, *mnt = self->b.mnt;
	struct statx stx;

	ASSERT_EQ(0, make_file(in(back, "file"), "12345", 0644));
	ASSERT_EQ(0, statx(AT_FDCWD, in(mnt, "file"), AT_STATX_FORCE_SYNC, STATX_SIZE, &stx));
	EXPECT_EQ(5, stx.stx_size);
	ASSERT_EQ(0, append_file(in(back, "file"), "678"));
	ASSERT_EQ(0, statx(AT_FDCWD, in(mnt, "file"), AT_STATX_DONT_SYNC, STATX_SIZE, &stx));
	EXPECT_EQ(8, stx.stx_size);
}

static const char *const odd_names[] = {
	".hidden", "...", " ", "two words", "line\nbreak", "tab\t", "-rf", "*", "a:b", "\\",
	"caf\xc3\xa9", "\xff\xfe not utf-8", "\x01", "CON", "UPPER", "upper",
};

TEST_F(types, odd_names)
{
	const char *back = self->b.back, *mnt = self->b.mnt;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(odd_names); i++)
		ASSERT_EQ(0, make_file(in(back, "%s", odd_names[i]), odd_names[i], 0644));
	for (i = 0; i < ARRAY_SIZE(odd_names); i++)
		EXPECT_STREQ(odd_names[i], text_of(in(mnt, "%s", odd_names[i])));
	EXPECT_EQ(0, diff_tree(back, mnt));
	EXPECT_STREQ("<ENOENT>", text_of(in(mnt, "Upper")));
}

TEST_F(types, long_names)
{
	const char *back = self->b.back, *mnt = self->b.mnt;
	char name[NAME_MAX + 2];

	memset(name, 'n', sizeof(name));
	name[NAME_MAX] = '\0';
	EXPECT_EQ(-ENOENT, RES(access(in(mnt, "%s", name), F_OK)));
	ASSERT_EQ(0, make_file(in(back, "%s", name), "longest", 0644));
	EXPECT_STREQ("longest", text_of(in(mnt, "%s", name)));
	EXPECT_EQ(0, diff_tree(back, mnt));

	name[NAME_MAX] = 'n';
	name[NAME_MAX + 1] = '\0';
	EXPECT_STREQ("<ENAMETOOLONG>", text_of(in(mnt, "%s", name)));
	EXPECT_EQ(-ENAMETOOLONG, RES(access(in(mnt, "%s/x", name), F_OK)));
	EXPECT_EQ(-ENAMETOOLONG, RES(open(in(mnt, "%s", name), O_CREAT | O_RDONLY, 0600)));
}

static int chdir_deep(const char *top, int depth, bool make)
{
	int i;

	if (chdir(top))
		return -errno;
	for (i = 0; i < depth; i++) {
		if (make && mkdir("deep", 0755))
			return -errno;
		if (chdir("deep"))
			return -errno;
	}
	return 0;
}

TEST_F(types, deep_paths)
{
	const int depth = scale(2000);
	struct stat native, st;
	int i;

	ASSERT_EQ(0, chdir_deep(self->b.back, depth, true));
	ASSERT_EQ(0, make_file("bottom", "of the sea", 0644));
	ASSERT_EQ(0, stat("bottom", &native));
	ASSERT_EQ(0, chdir_deep(self->b.mnt, depth, false));
	ASSERT_EQ(0, stat("bottom", &st));
	EXPECT_EQ(native.st_ino, st.st_ino);
	EXPECT_STREQ("of the sea", text_of("bottom"));
	for (i = 0; i < depth; i++)
		ASSERT_EQ(0, chdir(".."));
	EXPECT_EQ(ino_of(self->b.mnt), ino_of("."));
	ASSERT_EQ(0, chdir("/"));
}

/* As one path, as long as a path can be */
TEST_F(types, long_paths)
{
	char back[PATH_MAX], mnt[PATH_MAX];
	int i, depth = (PATH_MAX - 64) / 10;

	strcpy(back, self->b.back);
	strcpy(mnt, self->b.mnt);
	for (i = 0; i < depth; i++) {
		strcat(back, "/component");
		strcat(mnt, "/component");
		ASSERT_EQ(0, mkdir(back, 0755));
	}
	EXPECT_EQ(0, diff_stat(back, mnt));
	EXPECT_EQ(-ENOENT, RES(access(in(mnt, "no"), F_OK)));
}

TEST_F(types, not_there)
{
	const char *mnt = self->b.mnt;
	struct stat st;

	ASSERT_EQ(0, make_file(in(self->b.back, "file"), "x", 0644));
	EXPECT_EQ(-ENOENT, RES(stat(in(mnt, "none"), &st)));
	EXPECT_EQ(-ENOENT, RES(stat(in(mnt, "none/none"), &st)));
	EXPECT_EQ(-ENOTDIR, RES(stat(in(mnt, "file/none"), &st)));
	EXPECT_EQ(-ENOTDIR, RES(stat(in(mnt, "file/"), &st)));
	EXPECT_EQ(-ENOTDIR, RES(open(in(mnt, "file"), O_RDONLY | O_DIRECTORY)));
	EXPECT_EQ(-EISDIR, RES(open(mnt, O_RDWR)));
	EXPECT_EQ(-ENOENT, RES(open(in(mnt, "none"), O_RDONLY)));
}

TEST_F(types, statfs)
{
	const char *back = self->b.back, *mnt = self->b.mnt;
	struct statfs native, sfs;
	int fd;

	ASSERT_EQ(0, make_file(in(back, "file"), "x", 0644));
	ASSERT_EQ(0, statfs(back, &native));
	ASSERT_EQ(0, statfs(in(mnt, "file"), &sfs));
	EXPECT_EQ(FUSE_SUPER_MAGIC, sfs.f_type);
	EXPECT_EQ(native.f_bsize, sfs.f_bsize);
	EXPECT_EQ(native.f_frsize, sfs.f_frsize);
	EXPECT_EQ(native.f_blocks, sfs.f_blocks);
	EXPECT_EQ(native.f_bfree, sfs.f_bfree);
	EXPECT_EQ(native.f_bavail, sfs.f_bavail);
	EXPECT_EQ(native.f_files, sfs.f_files);
	EXPECT_EQ(native.f_ffree, sfs.f_ffree);
	EXPECT_EQ(native.f_namelen, sfs.f_namelen);

	fd = open(mnt, O_RDONLY | O_DIRECTORY);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, fstatfs(fd, &sfs));
	EXPECT_EQ(FUSE_SUPER_MAGIC, sfs.f_type);
	close(fd);
}

TEST_HARNESS_MAIN
