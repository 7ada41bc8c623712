// SPDX-License-Identifier: GPL-2.0-only
/*
 * What very many inodes, directories with filters, and filters cost, and that all of it
 * comes back: the kernel's memory, unmounted, is what it was before.
 *
 * SCALE_INODES and SCALE_DIRS in the environment say how many; the figures are printed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

#include "backed_fixture.h"
#include "harness.h"
#include "scripted.h"
#include <fuse_bpf.h>

#define PER_DIR 1000
#define KIB 1024ull

static unsigned int from_env(const char *name, unsigned int otherwise)
{
	const char *value = getenv(name);

	return value ? strtoul(value, NULL, 10) : scale(otherwise);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec * 1e-9;
}

/**
 * struct memory - what the kernel uses, in bytes
 * @slab: of all caches, and percpu memory
 * @available: what MemAvailable says
 */
struct memory {
	unsigned long long slab;
	unsigned long long available;
};

static struct memory memory(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	struct memory m = {};
	unsigned long long kib;
	char line[128];

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Slab: %llu", &kib) == 1 || sscanf(line, "Percpu: %llu", &kib) == 1)
			m.slab += kib * KIB;
		if (sscanf(line, "MemAvailable: %llu", &kib) == 1)
			m.available = kib * KIB;
	}
	if (file)
		fclose(file);
	return m;
}

/* What is unused goes, and with it the names that others hold. */
static struct memory memory_at_rest(void)
{
	sh("sync; echo 3 >/proc/sys/vm/drop_caches");
	return memory();
}

/**
 * struct cache - a line of /proc/slabinfo
 * @objects: that are in use
 * @size: of one
 */
struct cache {
	unsigned long objects;
	unsigned long size;
};

static struct cache cache(const char *name)
{
	FILE *file = fopen("/proc/slabinfo", "r");
	struct cache res = {};
	char line[256], found[64];
	unsigned long objects, all, size;

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%63s %lu %lu %lu", found, &objects, &all, &size) == 4 &&
		    !strcmp(found, name))
			res = (struct cache){ objects, size };
	}
	if (file)
		fclose(file);
	return res;
}

static const char *inode_cache(void)
{
	return strcmp(fs_type(), "fuse") ? "fuse_bpf_inode" : "fuse_inode";
}

/* What caches keep of freed objects, and what the rest of the system does */
static unsigned long long slab_noise(unsigned long long peak)
{
	return (8 << 20) + peak / 50;
}

/* And each processor keeps some MiB of free pages to itself, which count as used */
static unsigned long long available_noise(unsigned long long peak)
{
	return (32 << 20) + peak / 50;
}

/* Does the kernel have again what it had? What waits for a grace period is no leak. */
static bool comes_back(const struct memory *before, unsigned long long peak)
{
	struct memory m;
	int i;

	for (i = 0; i < 60; i++) {
		m = memory_at_rest();
		if (m.slab < before->slab + slab_noise(peak) &&
		    m.available + available_noise(peak) > before->available)
			break;
		usleep(500000);
	}
	say("slab: %llu KiB before, %llu KiB more at most, %lld KiB more afterwards",
	    before->slab / KIB, peak / KIB, (long long)(m.slab - before->slab) / (long long)KIB);
	say("available: %llu KiB before, %lld KiB less afterwards", before->available / KIB,
	    (long long)(before->available - m.available) / (long long)KIB);
	return i < 60;
}

/* Are there no more than that before long? They are freed after a grace period. */
static bool inodes_go(unsigned int nr)
{
	int i;

	for (i = 0; i < 60; i++) {
		memory_at_rest();
		if (cache(inode_cache()).objects <= nr)
			return true;
		usleep(500000);
	}
	say("%lu inodes stay", cache(inode_cache()).objects);
	return false;
}

/* @nr files or directories, by a thousand in each directory */
static int make_all(const char *top, const char *kind, mode_t mode, unsigned int nr)
{
	unsigned int i, dir;
	char name[16];
	int fd, err = 0;

	for (dir = 0; dir * PER_DIR < nr && !err; dir++) {
		err = make_dir(in(top, "%s%u", kind, dir), 0755);
		fd = open_dir(in(top, "%s%u", kind, dir), 0);
		for (i = dir * PER_DIR; i < nr && i < (dir + 1) * PER_DIR && !err; i++) {
			snprintf(name, sizeof(name), "n%u", i);
			err = S_ISDIR(mode) ? RES(mkdirat(fd, name, 0755)) :
					      RES(mknodat(fd, name, mode, 0));
		}
		close(fd);
	}
	return err;
}

static int stat_all(const char *top, const char *kind, unsigned int nr)
{
	struct stat st;
	unsigned int i, dir;
	char name[16];
	int fd, err = 0;

	for (dir = 0; dir * PER_DIR < nr && !err; dir++) {
		fd = open_dir(in(top, "%s%u", kind, dir), 0);
		for (i = dir * PER_DIR; i < nr && i < (dir + 1) * PER_DIR && !err; i++) {
			snprintf(name, sizeof(name), "n%u", i);
			err = RES(fstatat(fd, name, &st, 0));
		}
		close(fd);
	}
	return err;
}

FIXTURE(many)
{
	struct backed b;
	struct filter filter;
	int dir;
};

FIXTURE_SETUP(many)
{
	self->filter = FILTER_NONE;
	self->dir = -1;
	ASSERT_EQ(0, backed_make(&self->b, "tmpfs"));
	ASSERT_EQ(0, sh("mount -o remount,nr_inodes=0,size=90%% %s", self->b.back));
	/* The caches that are made at the first use of something stay */
	ASSERT_EQ(0, backed_mount(&self->b, BACKED_ALLOW_OTHER));
	ASSERT_EQ(0, scripted_load(&self->filter, false, NULL));
	ASSERT_EQ(0, make_all(self->b.back, "warm", S_IFREG | 0644, PER_DIR));
	ASSERT_EQ(0, stat_all(self->b.mnt, "warm", PER_DIR));
	ASSERT_EQ(0, backed_umount(&self->b));
}

FIXTURE_TEARDOWN(many)
{
	filter_destroy(&self->filter);
	if (self->dir >= 0)
		close(self->dir);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

/* The limit is that of the default sizes; longer runs have a time limit of their own. */
#define LONG_TEST 3000

TEST_F_TIMEOUT(many, inodes, LONG_TEST)
{
	unsigned int nr = from_env("SCALE_INODES", 20000);
	struct memory before, made, most, start = memory_at_rest();
	struct cache inodes;
	double begin;

	ASSERT_EQ(0, make_all(self->b.back, "dir", S_IFREG | 0644, nr));
	made = memory();
	before = memory_at_rest();
	ASSERT_EQ(0, backed_mount(&self->b, BACKED_ALLOW_OTHER));
	begin = now();
	ASSERT_EQ(0, stat_all(self->b.mnt, "dir", nr));
	say("%u inodes looked up, %.1f us each", nr, (now() - begin) * 1e6 / nr);
	most = memory();
	inodes = cache(inode_cache());
	say("%lu inodes of %lu bytes, dentries of %lu bytes", inodes.objects, inodes.size,
	    cache("dentry").size);
	say("%.0f bytes for each name, %.2f times what tmpfs has for it",
	    (double)(most.slab - before.slab) / nr,
	    (double)(most.slab - before.slab) / (made.slab - start.slab));
	EXPECT_LE(nr, inodes.objects);

	/* All of them can go while it is mounted, ... */
	EXPECT_TRUE(inodes_go(nr / 10 + 100));
	begin = now();
	ASSERT_EQ(0, stat_all(self->b.mnt, "dir", nr));
	say("and once more, %.1f us each", (now() - begin) * 1e6 / nr);
	/* ... and do when it is not. */
	begin = now();
	ASSERT_EQ(0, backed_umount(&self->b));
	say("unmounted in %.2f s", now() - begin);
	EXPECT_TRUE(comes_back(&before, most.slab - before.slab));
}

/* How many of those with a filter do what it says, of each hundredth */
static unsigned int count_hidden(const struct backed *b, unsigned int nr)
{
	unsigned int i, hidden = 0;
	struct stat st;

	for (i = 0; i < nr; i += 100) {
		hidden += RES(stat(in(b->mnt, "dir%u/n%u/secret", i / PER_DIR, i), &st)) == -EACCES &&
			  RES(stat(in(b->mnt, "dir%u/n%u/other", i / PER_DIR, i), &st)) == -ENOENT;
	}
	return hidden;
}

static int attach_all(const struct backed *b, struct filter *filter, unsigned int first,
		      unsigned int end)
{
	unsigned int i;
	int fd, err = 0;

	for (i = first; i < end && !err; i++) {
		fd = open_dir(in(b->mnt, "dir%u/n%u", i / PER_DIR, i), 0);
		err = fd < 0 ? fd : filter_attach(filter, fd, FUSE_FILTER_DIRECTORY, 0);
		close(fd);
	}
	return err;
}

TEST_F_TIMEOUT(many, directories_with_filters, LONG_TEST)
{
	unsigned int nr = from_env("SCALE_DIRS", 2000), tenth = nr / 10, i;
	struct memory before, most, looked_up;
	double begin, first, last;

	ASSERT_EQ(0, make_all(self->b.back, "dir", S_IFDIR, nr));
	ASSERT_EQ(0, scripted_rule(&self->filter, FUSE_LOOKUP, SCRIPTED_ANY_UID, "secret",
				   -EACCES));
	before = memory_at_rest();
	ASSERT_EQ(0, backed_mount(&self->b, BACKED_ALLOW_OTHER));
	self->dir = open_dir(self->b.mnt, 0);
	ASSERT_EQ(0, stat_all(self->b.mnt, "dir", nr));
	looked_up = memory();

	begin = now();
	ASSERT_EQ(0, attach_all(&self->b, &self->filter, 0, tenth));
	first = now() - begin;
	ASSERT_EQ(0, attach_all(&self->b, &self->filter, tenth, nr - tenth));
	begin = now();
	ASSERT_EQ(0, attach_all(&self->b, &self->filter, nr - tenth, nr));
	last = now() - begin;
	most = memory();
	say("%u directories with a filter, %.1f us for each of the first tenth, %.1f us of the last",
	    nr, first * 1e6 / tenth, last * 1e6 / tenth);
	say("%.0f bytes for each, beside its inode and name",
	    (double)(most.slab - looked_up.slab) / nr);
	EXPECT_EQ((int)nr, fuse_bpf_list(self->dir, NULL, 0));
	EXPECT_EQ((nr + 99) / 100, count_hidden(&self->b, nr));

	/* Some are detached, the last by its id, and the rest unmounted */
	begin = now();
	for (i = 0; i < 100; i++)
		ASSERT_EQ(0, fuse_bpf_detach(self->dir, self->filter.id - i));
	say("detached in %.1f us each", (now() - begin) * 1e6 / 100);
	EXPECT_EQ((int)nr - 100, fuse_bpf_list(self->dir, NULL, 0));
	close(self->dir);
	self->dir = -1;
	self->filter.fd = -1;
	begin = now();
	ASSERT_EQ(0, backed_umount(&self->b));
	say("unmounted in %.2f s", now() - begin);
	EXPECT_TRUE(comes_back(&before, most.slab - before.slab));
}

/* Nanoseconds of a stat of a cached name */
static double cost(const char *path)
{
	unsigned int i, nr = scale(2000);
	double begin = now();
	struct stat st;

	for (i = 0; i < nr; i++) {
		if (stat(path, &st))
			return -1;
	}
	return (now() - begin) * 1e9 / nr;
}

/* Of one map, as a filter is what a link registers */
static unsigned int attach_links(struct filter *filter, int dir, __u32 flags, struct bpf_link **links,
				 unsigned int nr)
{
	FUSE_BPF_OPTS(fuse_bpf_attach_opts, opts, .flags = flags);
	unsigned int i;

	for (i = 0; i < nr; i++) {
		links[i] = bpf_map__attach_struct_ops(filter->map);
		if (!links[i] || fuse_bpf_attach(dir, bpf_link__fd(links[i]), NULL, &opts))
			break;
	}
	return i;
}

TEST_F(many, filters_in_a_chain)
{
	struct bpf_link *links[FUSE_FILTER_MAX], *deep[FUSE_FILTER_MAX];
	struct memory before = memory_at_rest();
	double none, one, all, spread;
	char path[128] = "", file[160];
	struct stat st;
	unsigned int i;
	int dirs[8];

	for (i = 0; i < ARRAY_SIZE(dirs); i++) {
		strcat(path, "/d");
		ASSERT_EQ(0, make_dir(in(self->b.back, "%s", path), 0755));
	}
	ASSERT_EQ(0, make_file(in(self->b.back, "%s/file", path), "x", 0644));
	ASSERT_EQ(0, backed_mount(&self->b, BACKED_ALLOW_OTHER));
	self->dir = open_dir(self->b.mnt, 0);
	strcpy(file, in(self->b.mnt, "%s/file", path));
	cost(file);
	none = cost(file);
	ASSERT_EQ(1, attach_links(&self->filter, self->dir, 0, links, 1));
	one = cost(file);
	ASSERT_EQ(FUSE_FILTER_MAX - 1, attach_links(&self->filter, self->dir, 0, links + 1,
						    FUSE_FILTER_MAX - 1));
	all = cost(file);
	EXPECT_EQ(FUSE_FILTER_MAX, fuse_bpf_list(self->dir, NULL, 0));
	for (i = 0; i < FUSE_FILTER_MAX; i++)
		bpf_link__destroy(links[i]);
	/* The links were all that the filters had */
	EXPECT_EQ(-EIO, RES(stat(file, &st)));
	close(self->dir);
	self->dir = -1;
	ASSERT_EQ(0, backed_umount(&self->b));

	/* As many, eight on each of eight directories, is the longest that a walk finds */
	ASSERT_EQ(0, backed_mount(&self->b, BACKED_ALLOW_OTHER));
	for (i = 0; i < ARRAY_SIZE(dirs); i++) {
		dirs[i] = open_dir(in(self->b.mnt, "%.*s", 2 * (i + 1), path), 0);
		ASSERT_EQ(8, attach_links(&self->filter, dirs[i], FUSE_FILTER_DIRECTORY,
					  deep + 8 * i, 8));
	}
	spread = cost(file);
	ASSERT_LT(0, spread);
	self->dir = open_dir(self->b.mnt, 0);
	ASSERT_EQ(1, attach_links(&self->filter, self->dir, 0, links, 1));
	EXPECT_EQ(-EIO, RES(stat(file, &st)));
	bpf_link__destroy(links[0]);
	say("stat with 9 components: %.0f ns, with one filter %.2f, with 64 %.2f, with 8 on each of 8 directories %.2f times as much",
	    none, one / none, all / none, spread / none);
	for (i = 0; i < FUSE_FILTER_MAX; i++)
		bpf_link__destroy(deep[i]);
	for (i = 0; i < ARRAY_SIZE(dirs); i++)
		close(dirs[i]);
	close(self->dir);
	self->dir = -1;
	ASSERT_EQ(0, backed_umount(&self->b));
	EXPECT_TRUE(comes_back(&before, 0));
}

TEST_HARNESS_MAIN
