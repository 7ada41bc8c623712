// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plain FUSE of our build: a server that knows nothing of backed inodes, on stock
 * libfuse, must work as it does anywhere else.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include "harness.h"
#include "plain_fixture.h"

#define SEED 7

FIXTURE(plain)
{
	struct backed b;
	pid_t pid;
};

FIXTURE_SETUP(plain)
{
	ASSERT_EQ(0, backed_make(&self->b, "tmpfs"));
	ASSERT_EQ(0, plain_mount(&self->b, &self->pid));
}

FIXTURE_TEARDOWN(plain)
{
	EXPECT_EQ(0, plain_umount(&self->b, self->pid));
	EXPECT_EQ(0, backed_destroy(&self->b));
}

TEST_F(plain, create_read_write_append)
{
	const char *back = self->b.back, *mnt = self->b.mnt;
	char buf[32] = "";
	int fd;

	ASSERT_EQ(0, make_file(in(mnt, "file"), "begin", 0640));
	EXPECT_STREQ("begin", text_of(in(back, "file")));
	EXPECT_STREQ("begin", text_of(in(mnt, "file")));
	ASSERT_EQ(0, append_file(in(mnt, "file"), " and end"));
	EXPECT_STREQ("begin and end", text_of(in(back, "file")));
	fd = open(in(mnt, "file"), O_RDWR);
	ASSERT_LE(0, fd);
	EXPECT_EQ(3, pwrite(fd, "AND", 3, 6));
	EXPECT_EQ(13, pread(fd, buf, sizeof(buf), 0));
	EXPECT_STREQ("begin AND end", buf);
	EXPECT_EQ(0, fsync(fd));
	EXPECT_EQ(0, fdatasync(fd));
	EXPECT_EQ(13, lseek(fd, 0, SEEK_END));
	EXPECT_EQ(13, lseek(fd, 0, SEEK_HOLE));
	EXPECT_EQ(0, RES(fallocate(fd, 0, 0, 100)));
	close(fd);
	EXPECT_EQ(-EEXIST, RES(open(in(mnt, "file"), O_CREAT | O_EXCL, 0600)));
	EXPECT_EQ(0, RES(truncate(in(mnt, "file"), 13)));
	EXPECT_EQ(0, diff_text(in(back, "file"), in(mnt, "file")));
}

TEST_F(plain, large_files)
{
	const size_t size = 2 << 20;

	ASSERT_EQ(0, make_big_file(in(self->b.mnt, "a"), size, SEED));
	EXPECT_EQ(0, sh("cmp %s/a %s/a", self->b.back, self->b.mnt));
	ASSERT_EQ(0, make_big_file(in(self->b.back, "b"), size, SEED));
	EXPECT_EQ(0, sh("cmp %s/a %s/b", self->b.back, self->b.mnt));
	EXPECT_EQ(0, sh("cp %s/b %s/c && cmp %s/a %s/c", self->b.mnt, self->b.mnt, self->b.back,
			self->b.back));
}

TEST_F(plain, names)
{
	const char *back = self->b.back, *mnt = self->b.mnt;
	char target[16] = "";

	ASSERT_EQ(0, RES(mkdir(in(mnt, "dir"), 0750)));
	ASSERT_EQ(0, make_file(in(mnt, "dir/a"), "a", 0644));
	ASSERT_EQ(0, RES(rename(in(mnt, "dir/a"), in(mnt, "b"))));
	EXPECT_STREQ("<ENOENT>", text_of(in(mnt, "dir/a")));
	EXPECT_STREQ("a", text_of(in(mnt, "b")));
	EXPECT_STREQ("a", text_of(in(back, "b")));
	ASSERT_EQ(0, RES(link(in(mnt, "b"), in(mnt, "c"))));
	EXPECT_EQ(ino_of(in(mnt, "b")), ino_of(in(mnt, "c")));
	ASSERT_EQ(0, RES(symlink("b", in(mnt, "l"))));
	EXPECT_EQ(1, readlink(in(mnt, "l"), target, sizeof(target)));
	EXPECT_STREQ("a", text_of(in(mnt, "l")));
	ASSERT_EQ(0, RES(mkfifo(in(mnt, "fifo"), 0600)));
	ASSERT_EQ(0, RES(renameat2(AT_FDCWD, in(mnt, "b"), AT_FDCWD, in(mnt, "fifo"),
				   RENAME_EXCHANGE)));
	EXPECT_EQ(-EEXIST, RES(renameat2(AT_FDCWD, in(mnt, "c"), AT_FDCWD, in(mnt, "l"),
					 RENAME_NOREPLACE)));
	ASSERT_EQ(0, make_file(in(mnt, "dir/x"), "", 0600));
	EXPECT_EQ(-ENOTEMPTY, RES(rmdir(in(mnt, "dir"))));
	ASSERT_EQ(0, RES(unlink(in(mnt, "dir/x"))));
	ASSERT_EQ(0, RES(rmdir(in(mnt, "dir"))));
	ASSERT_EQ(0, RES(unlink(in(mnt, "c"))));
	EXPECT_EQ(-ENOENT, RES(unlink(in(mnt, "c"))));
	EXPECT_EQ(0, sh("[ \"$(ls -i %s)\" = \"$(ls -i %s)\" ]", back, mnt));
}

TEST_F(plain, attributes)
{
	const struct timespec times[2] = { { 1, 2 }, { 3, 4 } };
	const char *file = in(self->b.mnt, "file");
	struct stat st;

	ASSERT_EQ(0, make_file(file, "0123456789", 0644));
	ASSERT_EQ(0, RES(chmod(file, 0604)));
	ASSERT_EQ(0, RES(chown(file, USER1, GROUP1)));
	ASSERT_EQ(0, RES(truncate(file, 4)));
	ASSERT_EQ(0, RES(utimensat(AT_FDCWD, file, times, 0)));
	ASSERT_EQ(0, stat(file, &st));
	EXPECT_EQ(0604, st.st_mode & 07777);
	EXPECT_EQ(USER1, st.st_uid);
	EXPECT_EQ(GROUP1, st.st_gid);
	EXPECT_EQ(4, st.st_size);
	EXPECT_EQ(3, st.st_mtim.tv_sec);
	EXPECT_EQ(4, st.st_mtim.tv_nsec);
	EXPECT_STREQ("0123", text_of(file));
	EXPECT_EQ(-EACCES, user_open(USER2, file, O_RDWR));
	EXPECT_EQ(0, user_open(USER1, file, O_RDWR));
}

TEST_F(plain, extended_attributes)
{
	const char *file = in(self->b.mnt, "file");
	char buf[64] = "";

	ASSERT_EQ(0, make_file(file, "x", 0644));
	ASSERT_EQ(0, RES(setxattr(file, "user.color", "blue", 4, 0)));
	EXPECT_EQ(4, RES(getxattr(file, "user.color", buf, sizeof(buf))));
	EXPECT_EQ(0, memcmp(buf, "blue", 4));
	EXPECT_EQ(-EEXIST, RES(setxattr(file, "user.color", "red", 3, XATTR_CREATE)));
	EXPECT_EQ(sizeof("user.color"), listxattr(file, buf, sizeof(buf)));
	EXPECT_EQ(-ERANGE, RES(getxattr(file, "user.color", buf, 2)));
	ASSERT_EQ(0, RES(removexattr(file, "user.color")));
	EXPECT_EQ(-ENODATA, RES(getxattr(file, "user.color", buf, sizeof(buf))));
}

TEST_F(plain, listing)
{
	const int nr = flavour_is_debug() ? 100 : 500;
	int i;

	for (i = 0; i < nr; i++)
		ASSERT_EQ(0, make_file(in(self->b.back, "file-%d", i), "x", 0644));
	EXPECT_EQ(0, sh("[ $(ls -l %s | grep -c ' file-') = %d ]", self->b.mnt, nr));
	EXPECT_EQ(0, sh("ls -lR %s >/dev/null && [ $(ls %s | wc -l) = %d ]", self->b.mnt,
			self->b.mnt, nr));
	ASSERT_EQ(0, RES(unlink(in(self->b.mnt, "file-7"))));
	EXPECT_EQ(0, sh("[ $(ls %s | wc -l) = %d ]", self->b.mnt, nr - 1));
}

TEST_F(plain, shared_mapping)
{
	const char *file = in(self->b.mnt, "file");
	const size_t size = 50000;
	char *map;
	int fd;

	ASSERT_EQ(0, make_big_file(file, size, SEED));
	fd = open(file, O_RDWR);
	ASSERT_LE(0, fd);
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(byte_at(SEED, 40000), (unsigned char)map[40000]);
	memcpy(map + 4090, "across the pages", 16);
	EXPECT_EQ(0, msync(map, size, MS_SYNC));
	munmap(map, size);
	close(fd);
	EXPECT_EQ(0, sh("grep -q 'across the pages' %s/file", self->b.back));
	EXPECT_EQ(0, diff_text(in(self->b.back, "file"), file));
}

TEST_F(plain, statfs)
{
	struct statfs native, sfs;

	ASSERT_EQ(0, statfs(self->b.back, &native));
	ASSERT_EQ(0, statfs(self->b.mnt, &sfs));
	EXPECT_EQ(FUSE_SUPER_MAGIC, sfs.f_type);
	EXPECT_EQ(native.f_blocks, sfs.f_blocks);
	EXPECT_EQ(native.f_files, sfs.f_files);
}

TEST_F(plain, locks)
{
	const char *file = in(self->b.mnt, "file");
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int a, b, native;

	ASSERT_EQ(0, make_file(file, "x", 0644));
	a = open(file, O_RDWR);
	b = open(file, O_RDWR);
	native = open(in(self->b.back, "file"), O_RDWR);
	ASSERT_LE(0, a);
	ASSERT_LE(0, b);
	ASSERT_LE(0, native);
	EXPECT_EQ(0, RES(flock(a, LOCK_EX)));
	EXPECT_EQ(-EWOULDBLOCK, RES(flock(b, LOCK_EX | LOCK_NB)));
	/* The server locks its own file */
	EXPECT_EQ(-EWOULDBLOCK, RES(flock(native, LOCK_EX | LOCK_NB)));
	EXPECT_EQ(0, RES(flock(a, LOCK_UN)));
	EXPECT_EQ(0, RES(flock(b, LOCK_EX | LOCK_NB)));
	EXPECT_EQ(0, RES(fcntl(a, F_OFD_SETLK, &lock)));
	EXPECT_EQ(-EAGAIN, RES(fcntl(b, F_OFD_SETLK, &lock)));
	close(a);
	close(b);
	close(native);
}

TEST_F(plain, open_and_removed)
{
	const char *file = in(self->b.mnt, "file");
	char buf[8] = "";
	int fd;

	ASSERT_EQ(0, make_file(file, "gone", 0644));
	fd = open(file, O_RDWR);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, RES(unlink(file)));
	EXPECT_EQ(4, RES(pread(fd, buf, 8, 0)));
	EXPECT_STREQ("gone", buf);
	EXPECT_EQ(4, RES(pwrite(fd, "more", 4, 4)));
	close(fd);
}

TEST_F(plain, killed)
{
	const char *mnt = self->b.mnt;
	struct stat st;
	int fd;

	ASSERT_EQ(0, make_file(in(mnt, "file"), "x", 0644));
	fd = open(in(mnt, "file"), O_RDONLY);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, kill(self->pid, SIGKILL));
	ASSERT_EQ(self->pid, waitpid(self->pid, NULL, 0));
	self->pid = 0;
	EXPECT_EQ(-ENOTCONN, RES(stat(in(mnt, "file"), &st)));
	EXPECT_STREQ("<ENOTCONN>", text_of(in(mnt, "file")));
	EXPECT_EQ(-ENOTCONN, RES(mkdir(in(mnt, "dir"), 0755)));
	EXPECT_EQ(-ENOTCONN, RES(fstat(fd, &st)));
	close(fd);
}

TEST_HARNESS_MAIN
