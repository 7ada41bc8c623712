// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading directories: names, inode numbers and types, positions, and what happens
 * while the backing directory changes.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "backed_fixture.h"
#include "harness.h"

FIXTURE(readdir)
{
	struct backed b;
};

FIXTURE_VARIANT(readdir)
{
	const char *fs;
};

FIXTURE_VARIANT_ADD(readdir, tmpfs) { .fs = "tmpfs" };
FIXTURE_VARIANT_ADD(readdir, ext4) { .fs = "ext4" };
FIXTURE_VARIANT_ADD(readdir, xfs) { .fs = "xfs" };
FIXTURE_VARIANT_ADD(readdir, btrfs) { .fs = "btrfs" };

FIXTURE_SETUP(readdir)
{
	ASSERT_EQ(0, backed_setup(&self->b, variant->fs, 0));
}

FIXTURE_TEARDOWN(readdir)
{
	EXPECT_EQ(0, backed_destroy(&self->b));
}

/* Hard links to one file cost less to make than files. */
static int make_entries(const char *path, int nr)
{
	char *dir = strdup(path);
	int i, err = 0;

	for (i = 0; i < nr && !err; i++) {
		if (i % 50)
			err = RES(link(in(dir, "entry-%05d", i - i % 50), in(dir, "entry-%05d", i)));
		else
			err = make_file(in(dir, "entry-%05d", i), "x", 0644);
	}
	free(dir);
	return err;
}

struct linux_dirent {
	ino64_t ino;
	off64_t off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};

static ssize_t getdents(int fd, void *buf, size_t size)
{
	return RES(syscall(SYS_getdents64, fd, buf, size));
}

/* Two descriptors of the same directory must give the same bytes all along. */
static int same_stream(int a, int b, size_t size)
{
	char *ba = malloc(size), *bb = malloc(size);
	ssize_t la, lb;
	int calls = 0;

	do {
		memset(ba, 0, size);
		memset(bb, 0, size);
		la = getdents(a, ba, size);
		lb = getdents(b, bb, size);
		calls++;
	} while (la > 0 && la == lb && !memcmp(ba, bb, la));

	if (la || lb) {
		say("call %d: %zd and %zd bytes", calls, la, lb);
		calls = -EIO;
	}
	free(ba);
	free(bb);
	return calls;
}

TEST_F(readdir, many_entries)
{
	const int nr = scale(3000);
	char back[64], mnt[64];
	int a, b;

	/* Not in the root, whose ".." is not the backing's */
	strcpy(back, in(self->b.back, "dir"));
	strcpy(mnt, in(self->b.mnt, "dir"));
	ASSERT_EQ(0, make_dir(back, 0755));
	ASSERT_EQ(0, make_entries(back, nr));
	EXPECT_EQ(0, diff_dir(back, mnt));

	a = open_dir(back, 0);
	b = open_dir(mnt, 0);
	ASSERT_LE(0, a);
	ASSERT_LE(0, b);
	EXPECT_LT(1, same_stream(a, b, 4096));
	ASSERT_EQ(0, lseek(a, 0, SEEK_SET));
	ASSERT_EQ(0, lseek(b, 0, SEEK_SET));
	EXPECT_LT(1, same_stream(a, b, 333));
	close(a);
	close(b);
}

static int type_of(const char *dir, const char *name)
{
	struct dirent *entry;
	DIR *d = opendir(dir);
	int type = -ENOENT;

	if (!d)
		return -errno;
	while ((entry = readdir(d))) {
		if (!strcmp(entry->d_name, name))
			type = entry->d_type;
	}
	closedir(d);
	return type;
}

TEST_F(readdir, types)
{
	const char *back = self->b.back, *mnt = self->b.mnt;

	ASSERT_EQ(0, make_file(in(back, "reg"), "x", 0644));
	ASSERT_EQ(0, make_dir(in(back, "dir"), 0755));
	ASSERT_EQ(0, symlink("x", in(back, "lnk")));
	ASSERT_EQ(0, mkfifo(in(back, "fifo"), 0600));
	ASSERT_EQ(0, mknod(in(back, "chr"), S_IFCHR | 0600, makedev(1, 3)));
	ASSERT_EQ(0, mknod(in(back, "blk"), S_IFBLK | 0600, makedev(7, 1)));
	ASSERT_EQ(0, mknod(in(back, "sock"), S_IFSOCK | 0600, 0));

	EXPECT_EQ(DT_REG, type_of(mnt, "reg"));
	EXPECT_EQ(DT_DIR, type_of(mnt, "dir"));
	EXPECT_EQ(DT_LNK, type_of(mnt, "lnk"));
	EXPECT_EQ(DT_FIFO, type_of(mnt, "fifo"));
	EXPECT_EQ(DT_CHR, type_of(mnt, "chr"));
	EXPECT_EQ(DT_BLK, type_of(mnt, "blk"));
	EXPECT_EQ(DT_SOCK, type_of(mnt, "sock"));
	EXPECT_EQ(DT_DIR, type_of(mnt, "."));
	EXPECT_EQ(DT_DIR, type_of(mnt, ".."));
}

static ino_t listed_ino(const char *dir, const char *name)
{
	struct dirent *entry;
	DIR *d = opendir(dir);
	ino_t ino = 0;

	while (d && (entry = readdir(d))) {
		if (!strcmp(entry->d_name, name))
			ino = entry->d_ino;
	}
	if (d)
		closedir(d);
	return ino;
}

/* The root of a mount of a subtree, so that ".." has something to betray */
TEST_F(readdir, dots)
{
	struct backed *b = &self->b;
	char mnt[64];
	int fd;

	ASSERT_EQ(0, make_dir(in(b->back, "dir"), 0755));
	ASSERT_EQ(0, make_dir(in(b->back, "dir/sub"), 0755));
	EXPECT_EQ(ino_of(b->mnt), listed_ino(b->mnt, "."));
	EXPECT_EQ(ino_of(b->mnt), listed_ino(b->mnt, ".."));
	EXPECT_EQ(ino_of(b->mnt), listed_ino(in(b->mnt, "dir"), ".."));

	strcpy(mnt, in(b->top, "mnt2"));
	ASSERT_EQ(0, make_dir(mnt, 0755));
	fd = open_dir(in(b->back, "dir"), O_PATH);
	ASSERT_EQ(0, try_mount(TRY_MOUNT(.backing = fd, .daemonless = true, .at = mnt)));
	close(fd);
	EXPECT_EQ(ino_of(in(b->back, "dir")), listed_ino(mnt, "."));
	EXPECT_EQ(ino_of(in(b->back, "dir")), listed_ino(mnt, ".."));
	EXPECT_EQ(ino_of(in(b->back, "dir/sub")), listed_ino(in(mnt, "sub"), "."));
	EXPECT_EQ(ino_of(in(b->back, "dir")), listed_ino(in(mnt, "sub"), ".."));
	EXPECT_EQ(0, umount(mnt));
}

TEST_F(readdir, seekdir)
{
	const int nr = scale(500);
	long *positions = calloc(nr + 3, sizeof(*positions));
	char (*names)[32] = calloc(nr + 3, sizeof(*names));
	struct dirent *entry;
	int i, j, count = 0;
	DIR *d;

	ASSERT_EQ(0, make_entries(self->b.back, nr));
	d = opendir(self->b.mnt);
	ASSERT_NE(NULL, d);
	for (;;) {
		positions[count] = telldir(d);
		entry = readdir(d);
		if (!entry || count == nr + 2)
			break;
		strcpy(names[count++], entry->d_name);
	}
	ASSERT_EQ(nr + 2, count);

	srand(1);
	for (i = 0; i < 200; i++) {
		j = rand() % count;
		seekdir(d, positions[j]);
		entry = readdir(d);
		ASSERT_NE(NULL, entry);
		ASSERT_STREQ(names[j], entry->d_name);
	}
	seekdir(d, positions[count - 1]);
	ASSERT_NE(NULL, readdir(d));
	EXPECT_EQ(NULL, readdir(d));
	closedir(d);
	free(positions);
	free(names);
}

TEST_F(readdir, positions_are_the_backings)
{
	int a, b, i;
	const struct { off_t off; int whence; } seeks[] = {
		{ 0, SEEK_SET }, { 1, SEEK_SET }, { 2, SEEK_SET }, { 0, SEEK_CUR },
		{ -1, SEEK_SET }, { 1 << 20, SEEK_SET }, { 0, SEEK_END }, { 0, SEEK_DATA },
		{ 0, SEEK_HOLE }, { 0, 77 },
	};

	ASSERT_EQ(0, make_dir(in(self->b.back, "dir"), 0755));
	ASSERT_EQ(0, make_entries(in(self->b.back, "dir"), 20));
	a = open_dir(in(self->b.back, "dir"), 0);
	b = open_dir(in(self->b.mnt, "dir"), 0);
	ASSERT_LE(0, a);
	ASSERT_LE(0, b);
	for (i = 0; i < (int)ARRAY_SIZE(seeks); i++) {
		EXPECT_EQ(RES(lseek(a, seeks[i].off, seeks[i].whence)),
			  RES(lseek(b, seeks[i].off, seeks[i].whence)))
			TH_LOG("lseek %ld, %d", (long)seeks[i].off, seeks[i].whence);
	}
	close(a);
	close(b);
}

TEST_F(readdir, buffer_too_small)
{
	char buf[4096];
	int fd;

	ASSERT_EQ(0, make_file(in(self->b.back, "a-name-of-some-length"), "x", 0644));
	fd = open_dir(self->b.mnt, 0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EISDIR, RES(read(fd, buf, sizeof(buf))));
	EXPECT_EQ(-EINVAL, getdents(fd, buf, 8));
	EXPECT_EQ(-EFAULT, getdents(fd, bad_address(), 4096));
	EXPECT_LT(0, getdents(fd, buf, sizeof(buf)));
	EXPECT_EQ(0, getdents(fd, buf, sizeof(buf)));
	close(fd);
}

static int count_entries(DIR *d)
{
	int nr = 0;

	while (readdir(d))
		nr++;
	return nr;
}

TEST_F(readdir, rewind_sees_what_is_new)
{
	const char *back = self->b.back;
	DIR *d, *e, *native;

	ASSERT_EQ(0, make_entries(back, 10));
	d = opendir(self->b.mnt);
	e = opendir(self->b.mnt);
	native = opendir(back);
	ASSERT_NE(NULL, d);
	ASSERT_NE(NULL, e);
	ASSERT_NE(NULL, native);
	EXPECT_EQ(12, count_entries(d));
	ASSERT_EQ(0, make_file(in(back, "more"), "x", 0644));
	ASSERT_EQ(0, unlink(in(back, "entry-00003")));
	ASSERT_EQ(0, unlink(in(back, "entry-00004")));
	rewinddir(d);
	EXPECT_EQ(11, count_entries(d));
	/* A position is one descriptor's own; what is new to it is up to the backing */
	EXPECT_EQ(count_entries(native), count_entries(e));
	closedir(d);
	closedir(e);
	closedir(native);
}

/*
 * What is there all the time must be seen, and once; what comes and goes may be
 * seen or not, but not twice.
 */
TEST_F(readdir, changes_on_the_way)
{
	const int nr = scale(400);
	int *seen = calloc(nr, sizeof(*seen));
	int fd, i, which, step = 0;
	struct linux_dirent *entry;
	char buf[512];
	ssize_t len, pos;

	ASSERT_EQ(0, make_entries(self->b.back, nr));
	fd = open_dir(self->b.mnt, 0);
	ASSERT_LE(0, fd);
	while ((len = getdents(fd, buf, sizeof(buf))) > 0) {
		for (pos = 0; pos < len; pos += entry->reclen) {
			entry = (void *)(buf + pos);
			if (sscanf(entry->name, "entry-%d", &which) == 1)
				seen[which]++;
		}
		/* Odd entries go, and others come */
		i = step++ * 2 + 1;
		if (i < nr)
			ASSERT_EQ(0, unlink(in(self->b.back, "entry-%05d", i)));
		ASSERT_EQ(0, make_file(in(self->b.back, "new-%d", i), "x", 0644));
		ASSERT_GT(10000, step);
	}
	EXPECT_EQ(0, len);
	for (i = 0; i < nr; i++) {
		EXPECT_GE(1, seen[i]) TH_LOG("entry %d was seen %d times", i, seen[i]);
		if (i % 2 == 0)
			EXPECT_EQ(1, seen[i]) TH_LOG("entry %d was not seen", i);
	}
	close(fd);
	free(seen);
}

TEST_F(readdir, removed_directory)
{
	char buf[512];
	int a, b;

	ASSERT_EQ(0, make_dir(in(self->b.back, "dir"), 0755));
	a = open_dir(in(self->b.back, "dir"), 0);
	b = open_dir(in(self->b.mnt, "dir"), 0);
	ASSERT_LE(0, a);
	ASSERT_LE(0, b);
	ASSERT_EQ(0, rmdir(in(self->b.back, "dir")));
	EXPECT_EQ(getdents(a, buf, sizeof(buf)), getdents(b, buf, sizeof(buf)));
	EXPECT_EQ(-ENOENT, RES(faccessat(b, "none", F_OK, 0)));
	close(a);
	close(b);
}

TEST_F(readdir, sync_of_a_directory)
{
	int fd = open_dir(self->b.mnt, 0);

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, RES(fsync(fd)));
	EXPECT_EQ(0, RES(fdatasync(fd)));
	EXPECT_EQ(0, RES(syncfs(fd)));
	close(fd);
}

TEST_F(readdir, through_a_moved_descriptor)
{
	const char *back = self->b.back;
	DIR *d;

	ASSERT_EQ(0, make_dir(in(back, "dir"), 0755));
	ASSERT_EQ(0, make_entries(in(back, "dir"), 5));
	d = opendir(in(self->b.mnt, "dir"));
	ASSERT_NE(NULL, d);
	ASSERT_EQ(0, rename(in(back, "dir"), in(back, "moved")));
	EXPECT_EQ(7, count_entries(d));
	EXPECT_EQ(0, diff_dir(in(back, "moved"), in(self->b.mnt, "moved")));
	closedir(d);
}

TEST_HARNESS_MAIN
