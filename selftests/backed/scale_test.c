// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is large: directories of many entries, files beyond 4 GiB, names and paths as
 * long as they come, inode numbers above 2^32, directory positions that collide.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "backed_fixture.h"
#include "harness.h"

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

/* Where an entry stands in the listing of a directory: after how many, and at what */
struct place {
	off64_t off;
	unsigned int which;
};

#define NO_ENTRY UINT_MAX

/* The number in a name that make_many() made */
static unsigned int which_entry(const struct linux_dirent *entry)
{
	unsigned int which;

	return sscanf(entry->name, "entry-%u", &which) == 1 ? which : NO_ENTRY;
}

static int make_many(const char *path, unsigned int nr)
{
	int dir = open_dir(path, O_PATH);
	char name[32];
	unsigned int i;
	int err = dir < 0 ? dir : 0;

	for (i = 0; i < nr && !err; i++) {
		snprintf(name, sizeof(name), "entry-%u", i);
		err = RES(mknodat(dir, name, S_IFREG | 0644, 0));
	}
	close(dir);
	return err;
}

/* Calls @each for all entries from here to the end; the number of them, or an errno. */
static int each_entry(int fd, size_t size, int (*each)(const struct linux_dirent *, void *),
		      void *arg)
{
	char *buf = malloc(size);
	struct linux_dirent *entry;
	ssize_t len, pos;
	int nr = 0, err = 0;

	while (!err && (len = getdents(fd, buf, size)) > 0) {
		for (pos = 0; pos < len && !err; pos += entry->reclen, nr++) {
			entry = (void *)(buf + pos);
			err = each(entry, arg);
		}
	}
	free(buf);
	return err ? err : len < 0 ? (int)len : nr;
}

FIXTURE(large_dir)
{
	struct backed b;
	char back[64];
	char mnt[64];
	unsigned int nr;
	unsigned char *seen;
};

FIXTURE_SETUP(large_dir)
{
	struct backed *b = &self->b;

	self->nr = scale(100000);
	self->seen = calloc(self->nr, 1);
	ASSERT_NE(NULL, self->seen);
	ASSERT_EQ(0, backed_setup(b, "tmpfs", BACKED_ALLOW_OTHER));
	strcpy(self->back, in(b->back, "dir"));
	strcpy(self->mnt, in(b->mnt, "dir"));
	ASSERT_EQ(0, make_dir(self->back, 0755));
	ASSERT_EQ(0, make_many(self->back, self->nr));
}

FIXTURE_TEARDOWN(large_dir)
{
	free(self->seen);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

static int count_entry(const struct linux_dirent *entry, void *seen)
{
	unsigned int which = which_entry(entry);

	if (which != NO_ENTRY)
		((unsigned char *)seen)[which]++;
	return 0;
}

/* How many of each @step entries were not seen once; none may be seen twice */
static unsigned int missed(const unsigned char *seen, unsigned int nr, unsigned int step)
{
	unsigned int i, res = 0;

	for (i = 0; i < nr; i++) {
		if ((seen[i] > 1 || (i % step == 0 && !seen[i])) && !res++)
			say("entry-%u was seen %u times", i, seen[i]);
	}
	return res;
}

struct sampler {
	unsigned char *seen;
	struct place places[64];
	unsigned int every;
	unsigned int nr;
	unsigned int passed;
};

/* An entry's position is where the one before it ends. */
static int sample(const struct linux_dirent *entry, void *arg)
{
	struct sampler *sampler = arg;
	struct place *place = &sampler->places[sampler->nr];

	count_entry(entry, sampler->seen);
	if (place->off && sampler->nr < ARRAY_SIZE(sampler->places) - 1) {
		place->which = which_entry(entry);
		sampler->nr++;
	}
	if (++sampler->passed % sampler->every == 0)
		sampler->places[sampler->nr].off = entry->off;
	return 0;
}

static unsigned int entry_at(int fd, off64_t off)
{
	char buf[64];

	if (lseek(fd, off, SEEK_SET) != off || getdents(fd, buf, sizeof(buf)) <= 0)
		return NO_ENTRY;
	return which_entry((void *)buf);
}

/* Each entry once; and a position is good for another descriptor and on the backing. */
TEST_F(large_dir, complete_and_resumed_anywhere)
{
	int fd = open_dir(self->mnt, 0), other = open_dir(self->mnt, 0);
	int native = open_dir(self->back, 0);
	struct sampler sampler = { .seen = self->seen, .every = self->nr / 40 };
	unsigned int i;

	ASSERT_LE(0, fd);
	ASSERT_LE(0, other);
	ASSERT_LE(0, native);
	ASSERT_EQ((int)self->nr + 2, each_entry(fd, 4096, sample, &sampler));
	EXPECT_EQ(0, missed(self->seen, self->nr, 1));
	ASSERT_LT(30, sampler.nr);
	for (i = sampler.nr; i-- > 0;) {
		EXPECT_EQ(sampler.places[i].which, entry_at(other, sampler.places[i].off));
		EXPECT_EQ(sampler.places[i].which, entry_at(native, sampler.places[i].off));
	}
	close(fd);
	close(other);
	close(native);
}

struct remover {
	const char *dirs[2];
	unsigned char *seen;
	unsigned int nr;
	unsigned int next;
	unsigned int calls;
};

/* For each two entries that are listed, one with an odd number goes, anywhere. */
static int remove_another(const struct linux_dirent *entry, void *arg)
{
	struct remover *r = arg;

	count_entry(entry, r->seen);
	if (++r->calls % 2 || r->next >= r->nr)
		return 0;
	r->next += 2;
	/* 7919 is prime to any number of entries here */
	return RES(unlink(in(r->dirs[r->next / 2 % 2], "entry-%u",
			     (unsigned int)(r->next / 2 * 7919ull % (r->nr / 2)) * 2 + 1)));
}

TEST_F(large_dir, entries_go_on_the_way)
{
	struct remover r = { { self->back, self->mnt }, self->seen, self->nr };
	int fd = open_dir(self->mnt, 0);

	ASSERT_LE(0, fd);
	EXPECT_LE((int)self->nr / 2, each_entry(fd, 8192, remove_another, &r));
	EXPECT_EQ(0, missed(self->seen, self->nr, 2));
	memset(self->seen, 0, self->nr);
	/* What is left is what was not removed. */
	ASSERT_EQ(0, lseek(fd, 0, SEEK_SET));
	EXPECT_EQ((int)(self->nr - r.next / 2) + 2, each_entry(fd, 8192, count_entry, self->seen));
	EXPECT_EQ(0, missed(self->seen, self->nr, 2));
	close(fd);
}

FIXTURE(scale)
{
	struct backed b;
};

FIXTURE_VARIANT(scale)
{
	const char *fs;
};

FIXTURE_VARIANT_ADD(scale, tmpfs) { .fs = "tmpfs" };
FIXTURE_VARIANT_ADD(scale, ext4) { .fs = "ext4" };
FIXTURE_VARIANT_ADD(scale, xfs) { .fs = "xfs" };
FIXTURE_VARIANT_ADD(scale, btrfs) { .fs = "btrfs" };

FIXTURE_SETUP(scale)
{
	ASSERT_EQ(0, backed_setup(&self->b, variant->fs, BACKED_ALLOW_OTHER));
}

FIXTURE_TEARDOWN(scale)
{
	EXPECT_EQ(0, backed_destroy(&self->b));
}

#define GIB (1ll << 30)
#define PAGE 4096

static const off_t far[] = {
	2 * GIB - 1, 2 * GIB, 4 * GIB - 2, 4 * GIB, 4 * GIB + 1, 5 * GIB + 12345, 9 * GIB,
};

/* Written through one path, read through the other, at each side of each boundary */
static int write_and_check(int to, int from)
{
	char buf[8];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(far); i++) {
		if (pwrite(to, &far[i], sizeof(far[i]), far[i] * 2) != sizeof(far[i]))
			return -errno;
		if (pread(from, buf, sizeof(buf), far[i] * 2) != sizeof(buf) ||
		    memcmp(buf, &far[i], sizeof(buf))) {
			say("not what was written at %lld", (long long)far[i] * 2);
			return -EIO;
		}
	}
	return 0;
}

TEST_F(scale, files_beyond_4_gib)
{
	const char *back = in(self->b.back, "file"), *mnt = in(self->b.mnt, "file");
	int native, fd = open(mnt, O_RDWR | O_CREAT, 0644);

	ASSERT_LE(0, fd);
	native = open(back, O_RDWR);
	ASSERT_LE(0, native);
	EXPECT_EQ(0, write_and_check(fd, native));
	EXPECT_EQ(0, diff_stat(back, mnt));
	EXPECT_EQ(18 * GIB + 8, lseek(fd, 0, SEEK_END));
	ASSERT_EQ(0, ftruncate(fd, 0));
	EXPECT_EQ(0, write_and_check(native, fd));
	EXPECT_EQ(0, diff_stat(back, mnt));

	/* The end of the file is far off for O_APPEND, too */
	ASSERT_EQ(0, RES(fcntl(fd, F_SETFL, O_APPEND)));
	EXPECT_EQ(3, write(fd, "end", 3));
	EXPECT_EQ(18 * GIB + 11, lseek(native, 0, SEEK_END));
	EXPECT_EQ(18 * GIB + 11, lseek(fd, 0, SEEK_CUR));
	EXPECT_EQ(0, RES(ftruncate(fd, 4 * GIB + 1)));
	EXPECT_EQ(0, diff_stat(back, mnt));
	EXPECT_EQ(0, RES(truncate(mnt, 4 * GIB - 1)));
	EXPECT_EQ(0, diff_stat(back, mnt));
	close(native);
	close(fd);
}

TEST_F(scale, holes_beyond_4_gib)
{
	const char *mnt = in(self->b.mnt, "file");
	int fd = open(mnt, O_RDWR | O_CREAT, 0644), native;
	off_t pos;
	int which;

	ASSERT_LE(0, fd);
	native = open(in(self->b.back, "file"), O_RDWR);
	ASSERT_LE(0, native);
	EXPECT_EQ(0, write_and_check(fd, fd));
	for (pos = 0; pos < 20 * GIB; pos += GIB / 2) {
		for (which = 0; which < 2; which++) {
			EXPECT_EQ(RES(lseek(native, pos, which ? SEEK_HOLE : SEEK_DATA)),
				  RES(lseek(fd, pos, which ? SEEK_HOLE : SEEK_DATA)))
				TH_LOG("from %lld", (long long)pos);
		}
	}
	ASSERT_EQ(0, RES(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4 * GIB,
				   6 * GIB)));
	EXPECT_EQ(RES(lseek(native, 4 * GIB, SEEK_DATA)), RES(lseek(fd, 4 * GIB, SEEK_DATA)));
	EXPECT_LE(10 * GIB, lseek(fd, 4 * GIB, SEEK_DATA));
	EXPECT_EQ(0, diff_stat(in(self->b.back, "file"), mnt));
	close(native);
	close(fd);
}

TEST_F(scale, mappings_beyond_4_gib)
{
	const off_t at = 6 * GIB + 3 * PAGE;
	int fd = open(in(self->b.mnt, "file"), O_RDWR | O_CREAT, 0644), native;
	char *ours, *theirs;

	ASSERT_LE(0, fd);
	native = open(in(self->b.back, "file"), O_RDWR);
	ASSERT_LE(0, native);
	ASSERT_EQ(0, ftruncate(fd, 7 * GIB));
	ours = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, at);
	theirs = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, native, at);
	ASSERT_NE(MAP_FAILED, ours);
	ASSERT_NE(MAP_FAILED, theirs);
	strcpy(ours + PAGE, "by the mount");
	EXPECT_STREQ("by the mount", theirs + PAGE);
	strcpy(theirs, "by the backing");
	EXPECT_STREQ("by the backing", ours);
	EXPECT_EQ(0, RES(msync(ours, 2 * PAGE, MS_SYNC)));
	munmap(theirs, 2 * PAGE);
	theirs = malloc(PAGE);
	EXPECT_EQ(PAGE, pread(native, theirs, PAGE, at + PAGE));
	EXPECT_STREQ("by the mount", theirs);
	EXPECT_EQ(PAGE, pread(fd, theirs, PAGE, at - 4 * GIB + PAGE));
	EXPECT_EQ(0, theirs[0]);
	free(theirs);
	munmap(ours, 2 * PAGE);
	close(native);
	close(fd);
}

TEST_F(scale, copies_beyond_4_gib)
{
	int fd = open(in(self->b.mnt, "from"), O_RDWR | O_CREAT, 0644);
	int out = open(in(self->b.mnt, "to"), O_RDWR | O_CREAT, 0644);
	off64_t from = 5 * GIB + 1, to = 8 * GIB + 7;
	char buf[8] = "";

	ASSERT_LE(0, fd);
	ASSERT_LE(0, out);
	ASSERT_EQ(6, pwrite(fd, "abcdef", 6, from));
	EXPECT_EQ(6, copy_file_range(fd, &from, out, &to, 6, 0));
	EXPECT_EQ(5 * GIB + 7, from);
	EXPECT_EQ(8 * GIB + 13, to);
	from = 5 * GIB + 3;
	ASSERT_EQ(9 * GIB, lseek(out, 9 * GIB, SEEK_SET));
	EXPECT_EQ(4, sendfile(out, fd, &from, 10));
	EXPECT_EQ(6, pread(out, buf, 6, 8 * GIB + 7));
	EXPECT_STREQ("abcdef", buf);
	EXPECT_EQ(4, pread(out, buf, 6, 9 * GIB));
	EXPECT_STREQ("cdefef", buf);
	EXPECT_EQ(0, diff_stat(in(self->b.back, "to"), in(self->b.mnt, "to")));
	close(fd);
	close(out);
}

/* What takes a name, with one; @dir has "file", "dir" and "empty" */
static int use_name(int op, const char *dir, const char *name)
{
	const char *path = in(dir, "%s", name);
	struct stat st;

	switch (op) {
	case 0:
		return RES(lstat(path, &st));
	case 1:
		return make_file(path, "x", 0644);
	case 2:
		return RES(unlink(path));
	case 3:
		return RES(mkdir(path, 0755));
	case 4:
		return RES(rmdir(path));
	case 5:
		return RES(symlink("x", path));
	case 6:
		return RES(rename(path, in(dir, "short")));
	case 7:
		return RES(rename(in(dir, "short"), path));
	case 8:
		return RES(renameat2(AT_FDCWD, path, AT_FDCWD, in(dir, "file"), RENAME_EXCHANGE));
	case 9:
		return RES(unlink(path));
	case 10:
		return RES(link(in(dir, "file"), path));
	case 11:
		return RES(truncate(path, 5));
	case 12:
		return RES(unlink(path));
	case 13:
		return RES(mkfifo(path, 0644));
	case 14:
		return RES(chmod(path, 0600));
	case 15:
		return RES(unlink(path));
	}
	return 1;
}

/* Each operation in turn, with the same result on the backing as by the mount */
static int compare_names(const struct backed *b, const char *name)
{
	int op, native, res, differ = 0;
	char dirs[2][64];

	strcpy(dirs[0], in(b->back, "native"));
	strcpy(dirs[1], in(b->mnt, "ours"));
	for (op = 0; (native = use_name(op, dirs[0], name)) <= 0; op++) {
		res = use_name(op, dirs[1], name);
		if (res == native)
			continue;
		say("a name of %zu bytes, operation %d: %s, natively %s", strlen(name), op,
		    strerror(-res), strerror(-native));
		differ++;
	}
	return differ;
}

TEST_F(scale, names_at_the_limit)
{
	char name[NAME_MAX + 2], wide[NAME_MAX + 1];
	size_t i;

	ASSERT_EQ(0, make_dir(in(self->b.back, "native"), 0755));
	ASSERT_EQ(0, make_dir(in(self->b.back, "ours"), 0755));
	ASSERT_EQ(0, make_file(in(self->b.back, "native/file"), "x", 0644));
	ASSERT_EQ(0, make_file(in(self->b.back, "ours/file"), "x", 0644));
	memset(name, 'n', sizeof(name));
	for (i = 0; i < NAME_MAX; i += 3)
		memcpy(wide + i, "\xe2\x82\xac", 3);
	wide[NAME_MAX] = '\0';
	name[NAME_MAX + 1] = '\0';
	EXPECT_EQ(0, compare_names(&self->b, name));
	EXPECT_EQ(-ENAMETOOLONG, use_name(1, in(self->b.mnt, "ours"), name));
	name[NAME_MAX] = '\0';
	EXPECT_EQ(0, compare_names(&self->b, name));
	EXPECT_EQ(0, compare_names(&self->b, wide));
	EXPECT_EQ(0, use_name(1, in(self->b.mnt, "ours"), wide));
	EXPECT_EQ(0, use_name(0, in(self->b.back, "ours"), wide));
}

/* Steps down by @name, making each; the last directory, or an errno */
static int descend(const char *top, const char *name, unsigned int depth, ino_t *inos)
{
	int next, dir = open_dir(top, 0);
	struct stat st;
	unsigned int i;

	for (i = 0; i < depth && dir >= 0; i++) {
		if (fstat(dir, &st) || mkdirat(dir, name, 0755)) {
			next = -errno;
		} else {
			inos[i] = st.st_ino;
			next = RES(openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
		}
		close(dir);
		dir = next;
	}
	return dir;
}

/* Steps up by "..", removing what it leaves; how many steps were right */
static unsigned int ascend(int dir, const char *name, unsigned int depth, const ino_t *inos)
{
	unsigned int i = depth;
	struct stat st;
	int next;

	while (i > 0) {
		next = openat(dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(dir);
		dir = next;
		if (fstat(dir, &st) || st.st_ino != inos[i - 1] ||
		    unlinkat(dir, name, AT_REMOVEDIR)) {
			say("at level %u: %s", i, strerror(errno));
			break;
		}
		i--;
	}
	close(dir);
	return depth - i;
}

TEST_F(scale, paths_of_2000_levels)
{
	const unsigned int depth = scale(2000);
	ino_t *inos = calloc(depth, sizeof(*inos));
	char *cwd;
	int dir;

	dir = descend(self->b.mnt, "name", depth, inos);
	ASSERT_LE(0, dir);
	ASSERT_EQ(0, RES(fchdir(dir)));
	/* Longer than any path that the kernel gives: the C library walks up */
	cwd = getcwd(NULL, 0);
	ASSERT_NE(NULL, cwd);
	EXPECT_EQ(strlen(self->b.mnt) + depth * strlen("/name"), strlen(cwd));
	EXPECT_EQ(0, strncmp(cwd, self->b.mnt, strlen(self->b.mnt)));
	free(cwd);
	/* Without the cache of names that was filled on the way down */
	ASSERT_EQ(0, chdir("/"));
	ASSERT_EQ(0, sh("echo 2 >/proc/sys/vm/drop_caches"));
	EXPECT_EQ(depth, ascend(dir, "name", depth, inos));
	EXPECT_EQ(-ENOENT, RES(access(in(self->b.back, "name"), F_OK)));
	free(inos);
}

FIXTURE(image)
{
	struct backed b;
	char fs[64];
};

FIXTURE_SETUP(image)
{
	ASSERT_EQ(0, backed_make(&self->b, "tmpfs"));
	strcpy(self->fs, in(self->b.top, "fs"));
	ASSERT_EQ(0, make_dir(self->fs, 0755));
}

FIXTURE_TEARDOWN(image)
{
	EXPECT_EQ(0, backed_destroy(&self->b));
}

/* Make a file system on a sparse image, mount it, and mount it backed. */
static int mount_image(const struct backed *b, const char *fs, const char *size, const char *mkfs)
{
	int fd, err;

	if (sh("{ [ -e /dev/loop-control ] || modprobe loop; } && cd %s && truncate -s %s image && "
	       "%s && mount -o loop image %s", b->top, size, mkfs, fs))
		return -EIO;
	fd = open_dir(fs, O_PATH);
	err = try_mount(TRY_MOUNT(.backing = fd, .daemonless = true, .at = b->mnt));
	close(fd);
	return err;
}

static bool is_beyond_32_bits(const char *path)
{
	return (unsigned long long)ino_of(path) >> 32;
}

/* xfs puts directories into one part of the disk after the other. */
TEST_F(image, inode_numbers_above_32_bits)
{
	struct backed *b = &self->b;
	int i, large = 0;

	ASSERT_EQ(0, mount_image(b, self->fs, "3900G",
				 "mkfs.xfs -q -d agcount=4 -l size=64m image"));
	for (i = 0; i < 8; i++) {
		ASSERT_EQ(0, RES(mkdir(in(b->mnt, "dir%d", i), 0755)));
		ASSERT_EQ(0, make_file(in(b->mnt, "dir%d/file", i), "text", 0644));
		ASSERT_EQ(0, RES(link(in(b->mnt, "dir%d/file", i), in(b->mnt, "dir%d/link", i))));
		ASSERT_EQ(0, RES(symlink("file", in(b->mnt, "dir%d/soft", i))));
		EXPECT_EQ(ino_of(in(self->fs, "dir%d/file", i)),
			  ino_of(in(b->mnt, "dir%d/link", i)));
		large += is_beyond_32_bits(in(b->mnt, "dir%d/file", i));
	}
	EXPECT_LT(2, large);
	EXPECT_EQ(0, diff_tree(self->fs, b->mnt));
	ASSERT_EQ(0, sh("echo 2 >/proc/sys/vm/drop_caches"));
	EXPECT_EQ(0, diff_tree(self->fs, b->mnt));
	EXPECT_EQ(0, umount(b->mnt));
	EXPECT_EQ(0, umount(self->fs));
}

/* The oldest of the hashes of ext4, which has 32 bits and is not meant to be strong */
static unsigned int ext4_legacy_hash(const char *name)
{
	unsigned int now = 0x12a3fe2d, before = 0x37abe8f9, next;

	for (; *name; name++) {
		next = before + (now ^ (*name * 7152373));
		if (next & 0x80000000)
			next -= 0x7fffffff;
		before = now;
		now = next;
	}
	return now << 1;
}

struct hashed {
	unsigned int hash;
	unsigned int which;
};

static int by_hash(const void *a, const void *b)
{
	const struct hashed *ha = a, *hb = b;

	return ha->hash < hb->hash ? -1 : ha->hash > hb->hash;
}

/* Makes pairs of files whose names have one hash, and others; the number of pairs */
static int make_collisions(const char *dir, unsigned int nr)
{
	struct hashed *names = calloc(nr, sizeof(*names));
	char name[32];
	unsigned int i;
	int pairs = 0, err = 0;

	for (i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), "entry-%u", i);
		names[i] = (struct hashed){ ext4_legacy_hash(name), i };
	}
	qsort(names, nr, sizeof(*names), by_hash);
	for (i = 1; i < nr && !err; i++) {
		if (names[i].hash != names[i - 1].hash && i % 1000)
			continue;
		pairs += names[i].hash == names[i - 1].hash;
		err = make_file(in(dir, "entry-%u", names[i].which), "x", 0644);
		if (!err)
			err = make_file(in(dir, "entry-%u", names[i - 1].which), "x", 0644);
	}
	free(names);
	return err ? err : pairs;
}

struct offsets {
	off64_t last;
	unsigned int same;
};

static int count_same(const struct linux_dirent *entry, void *arg)
{
	struct offsets *offsets = arg;

	offsets->same += entry->off == offsets->last;
	offsets->last = entry->off;
	return 0;
}

/*
 * Entries that share a position: a listing that stops between them goes on with the
 * second, which only the open file of the backing knows.
 */
TEST_F(image, positions_that_collide)
{
	struct backed *b = &self->b;
	struct offsets native = {}, ours = {};
	int fd, back, pairs, nr;
	char dir[64];

	ASSERT_EQ(0, mount_image(b, self->fs, "32M", "mkfs.ext4 -q -O dir_index image && "
				 "tune2fs -E hash_alg=legacy image >/dev/null"));
	strcpy(dir, in(self->fs, "dir"));
	ASSERT_EQ(0, make_dir(dir, 0755));
	pairs = make_collisions(dir, 200000);
	ASSERT_LT(2, pairs);

	back = open_dir(dir, 0);
	fd = open_dir(in(b->mnt, "dir"), 0);
	ASSERT_LE(0, back);
	ASSERT_LE(0, fd);
	/* Room for one entry at a time */
	nr = each_entry(back, 48, count_same, &native);
	EXPECT_LE(pairs, (int)native.same) TH_LOG("the names do not collide");
	EXPECT_EQ(nr, each_entry(fd, 48, count_same, &ours));
	EXPECT_EQ(native.same, ours.same);
	EXPECT_EQ(0, diff_dir(dir, in(b->mnt, "dir")));
	close(back);
	close(fd);
	EXPECT_EQ(0, umount(b->mnt));
	EXPECT_EQ(0, umount(self->fs));
}

TEST_HARNESS_MAIN
