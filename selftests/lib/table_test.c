// SPDX-License-Identifier: GPL-2.0-only
/*
 * libfuse-bpf: the table of nodes, which needs no kernel of ours: what is counted, opened and
 * taken over, and a million nodes.
 */
#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness.h"
#include "../../libfuse-bpf/src/table.h"
#include <fuse_bpf.h>

FIXTURE(table)
{
	char top[64];
	int dir;
	struct fuse_bpf_table *table;
};

FIXTURE_SETUP(table)
{
	fuse_bpf_set_log(NULL, NULL);
	strcpy(self->top, "/tmp/table-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->top));
	self->dir = open(self->top, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ASSERT_LE(0, self->dir);
	ASSERT_EQ(0, make_file(in(self->top, "file"), "text", 0644));
	ASSERT_EQ(0, make_file(in(self->top, "other"), "text", 0644));
	ASSERT_EQ(0, fuse_bpf_table_new(&self->table, self->dir, -1));
}

FIXTURE_TEARDOWN(table)
{
	fuse_bpf_table_free(self->table);
	close(self->dir);
	EXPECT_EQ(0, sh("rm -r %s", self->top));
}

static uint64_t get(struct fuse_bpf_table *table, const char *path)
{
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	return fstat(fd, &st) ? 0 : fuse_bpf_table_get(table, fd, &st);
}

/* The inode number of what a node is, or an errno */
static long node_ino(struct fuse_bpf_table *table, uint64_t id)
{
	int fd = fuse_bpf_table_open(table, id);
	struct stat st;
	long ret;

	if (fd < 0)
		return fd;
	ret = fstat(fd, &st) ? -errno : (long)st.st_ino;
	close(fd);
	return ret;
}

static int open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int nr = 0;

	while (readdir(dir))
		nr++;
	closedir(dir);
	return nr;
}

TEST_F(table, counts_lookups)
{
	const char *file = in(self->top, "file");
	uint64_t id = get(self->table, file), other = get(self->table, in(self->top, "other"));

	ASSERT_LT(1, id);
	ASSERT_LT(1, other);
	EXPECT_NE(id, other);
	EXPECT_EQ(id, get(self->table, file));
	EXPECT_EQ((long)ino_of(file), node_ino(self->table, id));
	EXPECT_EQ((long)ino_of(self->top), node_ino(self->table, 1));
	fuse_bpf_table_put(self->table, id, 1);
	EXPECT_EQ((long)ino_of(file), node_ino(self->table, id));
	fuse_bpf_table_put(self->table, id, 1);
	EXPECT_EQ(-ESTALE, node_ino(self->table, id));
	EXPECT_EQ((long)ino_of(in(self->top, "other")), node_ino(self->table, other));
	/* The number is used again, for what comes next */
	EXPECT_EQ(id, get(self->table, in(self->top, ".")));
}

/* What a kernel never says does no harm */
TEST_F(table, numbers_that_are_none)
{
	static const uint64_t numbers[] = { 0, 3, 1023, 1024, 1025, 1ULL << 32, ~0ULL, 1ULL << 63 };
	uint64_t id = get(self->table, in(self->top, "file"));
	size_t i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		EXPECT_EQ(-ESTALE, node_ino(self->table, numbers[i]));
		fuse_bpf_table_put(self->table, numbers[i], 1);
	}
	fuse_bpf_table_put(self->table, id, ~0ULL);
	EXPECT_EQ(-ESTALE, node_ino(self->table, id));
	fuse_bpf_table_put(self->table, 1, 1);
	EXPECT_EQ((long)ino_of(self->top), node_ino(self->table, 1));
}

TEST_F(table, holds_no_descriptors)
{
	int before = open_files();
	uint64_t id = get(self->table, in(self->top, "file"));

	EXPECT_EQ(before, open_files());
	ASSERT_EQ(0, RES(rename(in(self->top, "file"), in(self->top, "renamed"))));
	EXPECT_EQ((long)ino_of(in(self->top, "renamed")), node_ino(self->table, id));
	EXPECT_EQ(before, open_files());
}

/* Without the capability, a node has a descriptor, and loses it with its last look-up */
TEST_F(table, without_handles)
{
	struct fuse_bpf_table *table;
	int before = open_files();
	uint64_t id;

	ASSERT_EQ(0, RES(seteuid(USER1)));
	ASSERT_EQ(0, RES(seteuid(0)));
	ASSERT_EQ(0, RES(chmod(self->top, 0755)));
	ASSERT_EQ(0, RES(seteuid(USER1)));
	ASSERT_EQ(0, fuse_bpf_table_new(&table, self->dir, -1));
	id = get(table, in(self->top, "file"));
	EXPECT_EQ(id, get(table, in(self->top, "file")));
	EXPECT_EQ((long)ino_of(in(self->top, "file")), node_ino(table, id));
	EXPECT_LT(before, open_files());
	fuse_bpf_table_put(table, id, 2);
	EXPECT_EQ(-ESTALE, node_ino(table, id));
	get(table, in(self->top, "other"));
	fuse_bpf_table_free(table);
	EXPECT_EQ(0, RES(seteuid(0)));
	EXPECT_EQ(before, open_files());
}

TEST_F(table, taken_over)
{
	uint64_t id = get(self->table, in(self->top, "file")), other = get(self->table, in(self->top, "other"));
	struct fuse_bpf_table *next;

	get(self->table, in(self->top, "file"));
	fuse_bpf_table_put(self->table, other, 1);
	ASSERT_EQ(0, fuse_bpf_table_new(&next, self->dir, fuse_bpf_table_fd(self->table)));
	EXPECT_EQ((long)ino_of(in(self->top, "file")), node_ino(next, id));
	EXPECT_EQ(-ESTALE, node_ino(next, other));
	EXPECT_EQ(id, get(next, in(self->top, "file")));
	EXPECT_EQ(other, get(next, in(self->top, "other")));
	fuse_bpf_table_put(next, id, 2);
	EXPECT_EQ((long)ino_of(in(self->top, "file")), node_ino(next, id));
	fuse_bpf_table_put(next, id, 1);
	EXPECT_EQ(-ESTALE, node_ino(next, id));
	fuse_bpf_table_free(next);
}

TEST_F(table, not_of_another_directory)
{
	struct fuse_bpf_table *next;
	int dir = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);

	EXPECT_EQ(-EINVAL, fuse_bpf_table_new(&next, dir, fuse_bpf_table_fd(self->table)));
	close(dir);
}

/* Whatever is in the file, it leads nowhere outside */
TEST_F(table, files_that_are_none)
{
	struct fuse_bpf_table *next;
	int fd = fuse_bpf_table_fd(self->table), empty = memfd_create("empty", MFD_CLOEXEC);
	uint64_t id = get(self->table, in(self->top, "file"));
	/* In struct record: how many bytes the handle has; in the header: records in use */
	const off_t bytes_at = id * 88 + 36, used_at = 24;
	const uint32_t many = ~0U, some = 3;

	EXPECT_EQ(-EPROTO, fuse_bpf_table_new(&next, self->dir, empty));
	ASSERT_EQ(0, ftruncate(empty, 88 * 1024));
	EXPECT_EQ(-EPROTO, fuse_bpf_table_new(&next, self->dir, empty));
	close(empty);
	ASSERT_EQ(4, pwrite(fd, &many, 4, bytes_at));
	EXPECT_EQ(-EPROTO, fuse_bpf_table_new(&next, self->dir, fd));
	ASSERT_EQ(4, pwrite(fd, &some, 4, bytes_at));
	EXPECT_EQ(0, fuse_bpf_table_new(&next, self->dir, fd));
	EXPECT_GT(0, node_ino(next, id));
	fuse_bpf_table_free(next);
	ASSERT_EQ(4, pwrite(fd, &many, 4, used_at));
	EXPECT_EQ(-EPROTO, fuse_bpf_table_new(&next, self->dir, fd));
	ASSERT_EQ(4, pwrite(fd, &some, 4, used_at));
}

/* Of an inode number that is made up: a node is found by that */
static uint64_t get_number(struct fuse_bpf_table *table, int file, ino_t ino)
{
	const struct stat st = { .st_dev = 1, .st_ino = ino };

	return fuse_bpf_table_get(table, dup(file), &st);
}

static size_t memory_of(struct fuse_bpf_table *table)
{
	struct stat st;

	return fstat(fuse_bpf_table_fd(table), &st) ? 0 : st.st_blocks * 512 + mallinfo2().hblkhd;
}

/* A million, with TEST_SCALE=1000; and then the kernel forgets them all, in another order */
TEST_F(table, a_million_nodes)
{
	const unsigned int nr = scale(100000), step = 7919;
	int file = open(in(self->top, "file"), O_PATH | O_CLOEXEC), before = open_files();
	size_t memory = memory_of(self->table);
	uint64_t *ids = calloc(nr, sizeof(*ids));
	unsigned int i, round;

	ASSERT_NE(NULL, ids);
	memory = memory_of(self->table);
	for (round = 0; round < 2; round++) {
		for (i = 0; i < nr; i++) {
			ids[i] = get_number(self->table, file, 1000 + i);
			ASSERT_LT(1, ids[i]);
		}
		for (i = 0; i < nr; i += 97)
			ASSERT_EQ(ids[i], get_number(self->table, file, 1000 + i));
		say("%zu bytes for a node of %u", (memory_of(self->table) - memory) / nr, nr);
		EXPECT_GT(200, (memory_of(self->table) - memory) / nr);
		EXPECT_EQ(before, open_files());
		for (i = 0; i < nr; i++) {
			const unsigned int at = (unsigned long)i * step % nr;

			fuse_bpf_table_put(self->table, ids[at], 1 + !(at % 97));
		}
		for (i = 0; i < nr; i++)
			ASSERT_EQ(-ESTALE, fuse_bpf_table_open(self->table, ids[i]));
	}
	free(ids);
	close(file);
}

TEST_HARNESS_MAIN
