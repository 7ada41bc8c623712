// SPDX-License-Identifier: GPL-2.0-only
/*
 * A filter sends OPEN of a backed file to the daemon, and the daemon passes the file
 * through. What goes with that is mainline's to say; besides, the file that is passed
 * through must be the one that backs the inode.
 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "entry_fixture.h"
#include "harness.h"
#include "route_all.h"

#define NODE 10
#define OF_BACKING "of the backing\n"
#define OF_DAEMON "of the daemon\n"
/* An id that was never given out */
#define UNKNOWN_ID 9999

FIXTURE(passthrough)
{
	struct backed b;
	struct filter filter;
	struct fuse_open_out *answer;
	int dir;
	int id;
};

FIXTURE_VARIANT(passthrough)
{
	bool declared;
};

FIXTURE_VARIANT_ADD(passthrough, declared) { .declared = true };
FIXTURE_VARIANT_ADD(passthrough, undeclared) { .declared = false };

static struct fuse_open_out *add_answer(struct raw_server *server, __u32 opcode, __u64 nodeid)
{
	const struct fuse_open_out out = { .fh = nodeid };
	struct raw_reply *reply = raw_reply_add(server, opcode, nodeid, NULL, &out, sizeof(out));

	return (struct fuse_open_out *)reply->data;
}

FIXTURE_SETUP(passthrough)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, backed_make(b, "tmpfs"));
	ASSERT_EQ(0, make_file(in(b->back, "file"), OF_BACKING, 0644));
	ASSERT_EQ(0, make_file(in(b->back, "other"), "other\n", 0644));
	ASSERT_EQ(0, make_dir(in(b->back, "dir"), 0755));
	b->server = raw_server_new();
	ASSERT_NE(NULL, b->server);
	if (variant->declared) {
		b->server->init_out.flags = FUSE_INIT_EXT;
		b->server->init_out.flags2 = FUSE_PASSTHROUGH >> 32;
		b->server->init_out.max_stack_depth = 1;
	}
	/* The first answer that fits is given */
	self->answer = add_answer(b->server, FUSE_OPEN, NODE);
	raw_serve_file(b->server, FUSE_ROOT_ID, "file", NODE, OF_DAEMON);
	ASSERT_EQ(0, backed_mount(b, BACKED_ALLOW_OTHER | BACKED_DAEMON));
	self->id = register_path(b->dev, in(b->back, "file"), 0);
	ASSERT_LT(0, self->id);
	self->dir = open_dir(b->mnt, 0);
	ASSERT_LE(0, self->dir);
	ASSERT_EQ(0, route_load(&self->filter, self->dir));
	ASSERT_EQ(0, route(&self->filter, FUSE_OPEN, FUSE_FILTER_DAEMON));
}

FIXTURE_TEARDOWN(passthrough)
{
	filter_destroy(&self->filter);
	close(self->dir);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

/* Have the daemon open the file, and say this of it */
static int open_as(FIXTURE_DATA(passthrough) *self, __u32 open_flags, int id)
{
	self->answer->open_flags = open_flags;
	self->answer->backing_id = id;
	return RES(open(in(self->b.mnt, "file"), O_RDWR | O_CLOEXEC));
}

static const char *read_fd(int fd)
{
	static char buf[64];
	ssize_t len = pread(fd, buf, sizeof(buf) - 1, 0);

	buf[len < 0 ? 0 : len] = '\0';
	return len < 0 ? strerrorname_np(errno) : buf;
}

/* RELEASE is sent when nobody waits for it */
static bool wait_asked(const struct backed *b, __u32 opcode, unsigned int times)
{
	for (int i = 0; i < 6000 && asked(b, opcode) < times; i++)
		usleep(10000);
	return asked(b, opcode) == times;
}

static long refused(FIXTURE_DATA(passthrough) *self)
{
	char control[64], text[1024] = {};
	const char *line;

	if (control_mount(&self->b, control, sizeof(control)) ||
	    read_file(in(control, "refusals"), text, sizeof(text)) < 0)
		return -1;
	line = strstr(text, "passthrough=");
	return line ? strtol(line + strlen("passthrough="), NULL, 10) : -1;
}

TEST_F(passthrough, bytes_are_the_backings)
{
	const char *file = in(self->b.back, "file");
	struct stat st;
	char *map;
	int fd;

	if (!variant->declared)
		return;
	fd = open_as(self, FOPEN_PASSTHROUGH, self->id);
	ASSERT_LE(0, fd);
	EXPECT_STREQ(OF_BACKING, read_fd(fd));
	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(0, memcmp(map, OF_BACKING, strlen(OF_BACKING)));
	EXPECT_EQ(0, munmap(map, 4096));
	EXPECT_EQ(4, pwrite(fd, "over", 4, 0));
	EXPECT_STREQ("overhe backing\n", text_of(file));
	EXPECT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(strlen(OF_BACKING), st.st_size);
	EXPECT_EQ(0, asked(&self->b, FUSE_READ));
	EXPECT_EQ(0, asked(&self->b, FUSE_WRITE));
	EXPECT_EQ(1, asked(&self->b, FUSE_OPEN));
	/* Its id is not needed any more */
	EXPECT_EQ(0, close_id(self->b.dev, self->id));
	EXPECT_STREQ("overhe backing\n", read_fd(fd));
	close(fd);
	EXPECT_TRUE(wait_asked(&self->b, FUSE_RELEASE, 1));
	EXPECT_EQ(0, refused(self));
}

static ssize_t send_from(int fd, char *buf, size_t size)
{
	int mem = memfd_create("sent", MFD_CLOEXEC);
	off_t at = 0;
	ssize_t len = sendfile(mem, fd, &at, size);

	if (len > 0)
		len = pread(mem, buf, len, 0);
	close(mem);
	return len;
}

TEST_F(passthrough, splices_are_too)
{
	char buf[64] = {};
	int fd;

	if (!variant->declared)
		return;
	fd = open_as(self, FOPEN_PASSTHROUGH, self->id);
	ASSERT_LE(0, fd);
	EXPECT_EQ(strlen(OF_BACKING), send_from(fd, buf, sizeof(buf)));
	EXPECT_STREQ(OF_BACKING, buf);
	EXPECT_EQ(0, asked(&self->b, FUSE_READ));
	close(fd);
}

/* A filter's word is worth more than what the daemon has said of all of a file. */
TEST_F(passthrough, a_filter_has_the_last_word)
{
	int fd;

	if (!variant->declared)
		return;
	fd = open_as(self, FOPEN_PASSTHROUGH, self->id);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, route(&self->filter, FUSE_READ, FUSE_FILTER_DAEMON));
	EXPECT_STREQ(OF_DAEMON, read_fd(fd));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0));
	EXPECT_EQ(EIO, errno);
	ASSERT_EQ(0, route(&self->filter, FUSE_READ, -EACCES));
	EXPECT_STREQ("EACCES", read_fd(fd));
	ASSERT_EQ(0, route(&self->filter, FUSE_READ, FUSE_FILTER_DEFAULT));
	EXPECT_STREQ(OF_BACKING, read_fd(fd));
	close(fd);
}

/* Reads and writes are the daemon's, and mappings the backing's, as in mainline. */
TEST_F(passthrough, with_direct_io)
{
	char *map;
	int fd;

	if (!variant->declared)
		return;
	fd = open_as(self, FOPEN_PASSTHROUGH | FOPEN_DIRECT_IO, self->id);
	ASSERT_LE(0, fd);
	EXPECT_STREQ(OF_DAEMON, read_fd(fd));
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(0, memcmp(map, OF_BACKING, strlen(OF_BACKING)));
	map[0] = 'O';
	EXPECT_EQ(0, munmap(map, 4096));
	EXPECT_STREQ("Of the backing\n", text_of(in(self->b.back, "file")));
	close(fd);
}

TEST_F(passthrough, direct_io_alone_is_not_mapped)
{
	int fd = open_as(self, FOPEN_DIRECT_IO, 0);

	ASSERT_LE(0, fd);
	EXPECT_STREQ(OF_DAEMON, read_fd(fd));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0));
	EXPECT_EQ(EIO, errno);
	close(fd);
}

/* There is no page cache that two kinds of files could disagree about. */
TEST_F(passthrough, files_of_one_inode_can_differ)
{
	int first, second, third;

	if (!variant->declared)
		return;
	first = open_as(self, FOPEN_PASSTHROUGH, self->id);
	second = open_as(self, FOPEN_KEEP_CACHE, 0);
	third = open_as(self, FOPEN_PASSTHROUGH, self->id);
	ASSERT_LE(0, first);
	ASSERT_LE(0, second);
	ASSERT_LE(0, third);
	EXPECT_STREQ(OF_BACKING, read_fd(first));
	EXPECT_STREQ(OF_DAEMON, read_fd(second));
	close(first);
	EXPECT_STREQ(OF_DAEMON, read_fd(second));
	EXPECT_STREQ(OF_BACKING, read_fd(third));
	close(second);
	EXPECT_STREQ(OF_BACKING, read_fd(third));
	close(third);
	EXPECT_TRUE(wait_asked(&self->b, FUSE_RELEASE, 3));
}

/* The daemon has opened the file all the same, and learns that it is not used. */
TEST_F(passthrough, what_cannot_be_is_refused)
{
	const int other = register_path(self->b.dev, in(self->b.back, "other"), 0);
	const int dir = register_path(self->b.dev, in(self->b.back, "dir"), 0);
	const int closed = register_path(self->b.dev, in(self->b.back, "file"), 0);
	const struct {
		__u32 flags;
		int id;
	} bad[] = {
		{ FOPEN_PASSTHROUGH, 0 },
		{ FOPEN_PASSTHROUGH, -1 },
		{ FOPEN_PASSTHROUGH, UNKNOWN_ID },
		{ FOPEN_PASSTHROUGH, closed },
		{ FOPEN_PASSTHROUGH, other },
		{ FOPEN_PASSTHROUGH, dir },
		{ FOPEN_PASSTHROUGH | FOPEN_DIRECT_IO, other },
		{ FOPEN_PASSTHROUGH | FOPEN_KEEP_CACHE, self->id },
		{ FOPEN_PASSTHROUGH | FOPEN_STREAM, self->id },
		{ FOPEN_PASSTHROUGH | 1U << 31, self->id },
	};
	unsigned int i;

	ASSERT_LT(0, other);
	ASSERT_LT(0, dir);
	ASSERT_EQ(0, close_id(self->b.dev, closed));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EIO, open_as(self, bad[i].flags, bad[i].id)) TH_LOG("case %u", i);
	}
	EXPECT_EQ(i, asked(&self->b, FUSE_OPEN));
	EXPECT_TRUE(wait_asked(&self->b, FUSE_RELEASE, i));
	EXPECT_EQ(0, asked(&self->b, FUSE_READ));
	EXPECT_EQ(i, refused(self));
}

TEST_F(passthrough, has_to_be_declared)
{
	int fd = open_as(self, FOPEN_PASSTHROUGH, self->id);

	EXPECT_EQ(variant->declared ? 0 : -EIO, fd < 0 ? fd : 0);
	close(fd);
}

/* What was open already is opened there when the first request goes there. */
TEST_F(passthrough, after_the_file_was_opened)
{
	int fd;

	ASSERT_EQ(0, route(&self->filter, FUSE_OPEN, FUSE_FILTER_BACKING));
	fd = open_as(self, FOPEN_PASSTHROUGH, UNKNOWN_ID);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, asked(&self->b, FUSE_OPEN));
	ASSERT_EQ(0, route(&self->filter, FUSE_READ, FUSE_FILTER_DAEMON));
	EXPECT_STREQ("EIO", read_fd(fd));
	/* It is not asked again what it has answered */
	self->answer->open_flags = 0;
	EXPECT_STREQ("EIO", read_fd(fd));
	EXPECT_EQ(1, asked(&self->b, FUSE_OPEN));
	ASSERT_EQ(0, route(&self->filter, FUSE_READ, FUSE_FILTER_DEFAULT));
	EXPECT_STREQ(OF_BACKING, read_fd(fd));
	close(fd);
	EXPECT_TRUE(wait_asked(&self->b, FUSE_RELEASE, 1));
	EXPECT_EQ(0, asked(&self->b, FUSE_READ));
}

TEST_F(passthrough, no_flush_is_heeded)
{
	int fd = open_as(self, FOPEN_NOFLUSH, 0);

	ASSERT_LE(0, fd);
	close(fd);
	EXPECT_EQ(0, asked(&self->b, FUSE_FLUSH));
	fd = open_as(self, 0, 0);
	ASSERT_LE(0, fd);
	close(fd);
	EXPECT_EQ(1, asked(&self->b, FUSE_FLUSH));
}

/* Mainline makes nothing of it for a directory. */
TEST_F(passthrough, directories_have_none)
{
	struct fuse_open_out *answer = add_answer(self->b.server, FUSE_OPENDIR, FUSE_ROOT_ID);
	int fd;

	answer->open_flags = FOPEN_PASSTHROUGH;
	answer->backing_id = UNKNOWN_ID;
	ASSERT_EQ(0, route(&self->filter, FUSE_OPENDIR, FUSE_FILTER_DAEMON));
	fd = RES(open(self->b.mnt, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	EXPECT_LE(0, fd);
	EXPECT_EQ(1, asked(&self->b, FUSE_OPENDIR));
	close(fd);
}

TEST_HARNESS_MAIN
