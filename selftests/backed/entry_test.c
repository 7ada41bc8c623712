// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inodes that a reply attaches to a backing: that they are served from it from the
 * first moment on, and that the daemon is asked for what is left to it and for nothing
 * else.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/xattr.h>

#include "entry.h"

TEST_F(entry, file)
{
	struct backed *b = &self->b;
	const char *path = in(b->mnt, "f");

	serve_entry(b->server, FUSE_ROOT_ID, "f", FILE_NODE, S_IFREG,
		    BACKING(.backing_id = self->file));
	EXPECT_STREQ("text of the backing", text_of(path));
	EXPECT_EQ(0, diff_stat(in(b->back, "file"), path));
	ASSERT_EQ(0, append_file(path, ", longer"));
	EXPECT_STREQ("text of the backing, longer", text_of(in(b->back, "file")));
	ASSERT_EQ(0, append_file(in(b->back, "file"), " still"));
	EXPECT_STREQ("text of the backing, longer still", text_of(path));
	ASSERT_EQ(0, chmod(path, 0600));
	EXPECT_EQ(0, diff_stat(in(b->back, "file"), path));
	ASSERT_EQ(0, setxattr(path, "trusted.x", "y", 1, 0));
	EXPECT_EQ(1, getxattr(in(b->back, "file"), "trusted.x", NULL, 0));
	EXPECT_EQ(0, asked_more(b));
	EXPECT_LT(0, asked(b, FUSE_LOOKUP));
}

TEST_F(entry, caller_is_checked_on_the_backing)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, chmod(in(b->back, "file"), 0600));
	serve_entry(b->server, FUSE_ROOT_ID, "f", FILE_NODE, S_IFREG | 0777,
		    BACKING(.backing_id = self->file));
	EXPECT_EQ(-EACCES, user_open(USER1, in(b->mnt, "f"), O_RDONLY));
	ASSERT_EQ(0, chmod(in(b->back, "file"), 0644));
	EXPECT_EQ(0, user_open(USER1, in(b->mnt, "f"), O_RDONLY));
	EXPECT_EQ(-EACCES, user_open(USER1, in(b->mnt, "f"), O_WRONLY));
}

TEST_F(entry, directory_that_is_inherited)
{
	struct backed *b = &self->b;
	unsigned int lookups;

	serve_entry(b->server, FUSE_ROOT_ID, "d", DIR_NODE, S_IFDIR,
		    BACKING(.backing_id = self->dir, .flags = FUSE_BACKING_INHERIT));
	EXPECT_EQ(0, diff_tree(in(b->back, "dir"), in(b->mnt, "d")));
	ASSERT_EQ(0, make_file(in(b->mnt, "d/new"), "new", 0644));
	ASSERT_EQ(0, mkdir(in(b->mnt, "d/sub/dir"), 0755));
	ASSERT_EQ(0, rename(in(b->mnt, "d/new"), in(b->mnt, "d/sub/dir/new")));
	ASSERT_EQ(0, link(in(b->mnt, "d/a"), in(b->mnt, "d/sub/a")));
	EXPECT_EQ(ino_of(in(b->mnt, "d/a")), ino_of(in(b->mnt, "d/sub/a")));
	ASSERT_EQ(0, unlink(in(b->mnt, "d/sub/b")));
	EXPECT_STREQ("new", text_of(in(b->back, "dir/sub/dir/new")));
	EXPECT_EQ(0, diff_tree(in(b->back, "dir"), in(b->mnt, "d")));
	EXPECT_EQ(0, asked_more(b));
	/* One for each walk through "d", none for what is below */
	lookups = asked(b, FUSE_LOOKUP);
	EXPECT_STREQ("new", text_of(in(b->mnt, "d/sub/dir/new")));
	EXPECT_EQ(lookups + 1, asked(b, FUSE_LOOKUP));
}

TEST_F(entry, directory_whose_names_are_the_daemons)
{
	const struct fuse_entry_out made = {
		.nodeid = NEW_NODE, .generation = 1, .attr = raw_attr(NEW_NODE, S_IFDIR | 0700, 0),
	};
	struct backed *b = &self->b;

	serve_entry(b->server, FUSE_ROOT_ID, "d", DIR_NODE, S_IFDIR,
		    BACKING(.backing_id = self->dir));
	raw_serve_file(b->server, DIR_NODE, "x", OTHER_NODE, "the daemon's");
	raw_reply_error(b->server, FUSE_LOOKUP, DIR_NODE, NULL, -ENOENT);
	raw_reply_add(b->server, FUSE_MKDIR, DIR_NODE, "made", &made, sizeof(made));
	raw_reply_add(b->server, FUSE_UNLINK, DIR_NODE, "x", NULL, 0);

	EXPECT_EQ(0, diff_stat(in(b->back, "dir"), in(b->mnt, "d")));
	EXPECT_STREQ("the daemon's", text_of(in(b->mnt, "d/x")));
	EXPECT_STREQ("<ENOENT>", text_of(in(b->mnt, "d/a")));
	EXPECT_EQ(0, mkdir(in(b->mnt, "d/made"), 0700));
	EXPECT_EQ(-ENOENT, RES(access(in(b->back, "dir/made"), F_OK)));
	EXPECT_EQ(0, unlink(in(b->mnt, "d/x")));
	EXPECT_EQ(1, asked(b, FUSE_MKDIR));
	EXPECT_EQ(1, asked(b, FUSE_UNLINK));
	EXPECT_EQ(0, asked(b, FUSE_SETATTR));
	ASSERT_EQ(0, chmod(in(b->mnt, "d"), 0711));
	EXPECT_EQ(0, diff_stat(in(b->back, "dir"), in(b->mnt, "d")));
	EXPECT_EQ(0, asked(b, FUSE_SETATTR));
}

/* What the daemon lists is not cached where the backing's attributes are. */
TEST_F(entry, listing_of_the_daemons_names)
{
	const struct fuse_open_out open = { .open_flags = FOPEN_CACHE_DIR | FOPEN_KEEP_CACHE };
	struct {
		struct fuse_dirent head;
		char name[8];
	} dirent = { { .ino = 1, .off = 1, .namelen = 4, .type = DT_REG }, "name" };
	struct backed *b = &self->b;
	int i;

	serve_entry(b->server, FUSE_ROOT_ID, "d", DIR_NODE, S_IFDIR,
		    BACKING(.backing_id = self->dir));
	raw_reply_add(b->server, FUSE_OPENDIR, DIR_NODE, NULL, &open, sizeof(open));
	for (i = 0; i < 2; i++) {
		raw_reply_add(b->server, FUSE_READDIR, DIR_NODE, NULL, &dirent, sizeof(dirent))
			->uses = 1;
		raw_reply_add(b->server, FUSE_READDIR, DIR_NODE, NULL, NULL, 0)->uses = 1;
	}
	raw_reply_add(b->server, FUSE_RELEASEDIR, DIR_NODE, NULL, NULL, 0);
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, sh("[ \"$(ls -U %s/d)\" = name ]", b->mnt));
	EXPECT_EQ(4, asked(b, FUSE_READDIR));
	EXPECT_EQ(0, asked(b, FUSE_GETATTR));
}

TEST_F(entry, symlink_and_fifo)
{
	struct backed *b = &self->b;
	char target[16] = "";
	int fd;

	serve_entry(b->server, FUSE_ROOT_ID, "l", FILE_NODE, S_IFLNK,
		    BACKING(.backing_id = register_path(b->dev, in(b->back, "link"), 0)));
	serve_entry(b->server, FUSE_ROOT_ID, "p", OTHER_NODE, S_IFIFO,
		    BACKING(.backing_id = register_path(b->dev, in(b->back, "fifo"), 0)));
	EXPECT_EQ(4, readlink(in(b->mnt, "l"), target, sizeof(target)));
	EXPECT_STREQ("file", target);
	EXPECT_EQ(0, diff_stat(in(b->back, "fifo"), in(b->mnt, "p")));
	fd = open(in(b->mnt, "p"), O_RDWR | O_NONBLOCK | O_CLOEXEC);
	EXPECT_LE(0, fd);
	close(fd);
	EXPECT_EQ(0, asked_more(b));
}

/* An unlinked file and one in memory have nothing but the id to be found by. */
TEST_F(entry, files_without_a_name)
{
	struct backed *b = &self->b;
	int mem = memfd_create("memory", MFD_CLOEXEC);

	ASSERT_EQ(9, write(mem, "in memory", 9));
	serve_entry(b->server, FUSE_ROOT_ID, "m", FILE_NODE, S_IFREG,
		    BACKING(.backing_id = register_fd(b->dev, mem, 0)));
	serve_entry(b->server, FUSE_ROOT_ID, "u", OTHER_NODE, S_IFREG,
		    BACKING(.backing_id = self->file));
	ASSERT_EQ(0, unlink(in(b->back, "file")));
	EXPECT_STREQ("in memory", text_of(in(b->mnt, "m")));
	EXPECT_STREQ("text of the backing", text_of(in(b->mnt, "u")));
	close(mem);
}

static void add_reply(struct raw_server *server, __u32 opcode, const char *name, mode_t mode,
		      const struct fuse_entry_backing_out *backing)
{
	const struct entry_reply reply = {
		.entry = {
			.nodeid = NEW_NODE,
			.generation = 1,
			.attr = raw_attr(NEW_NODE, mode, 0),
		},
		.backing = *backing,
	};

	raw_reply_error(server, FUSE_LOOKUP, FUSE_ROOT_ID, name, -ENOENT)->uses = 1;
	raw_reply_add(server, opcode, FUSE_ROOT_ID, opcode == FUSE_SYMLINK ? NULL : name, &reply,
		      sizeof(reply));
	raw_reply_add(server, FUSE_LOOKUP, FUSE_ROOT_ID, name, &reply, sizeof(reply));
}

TEST_F(entry, mknod_reply)
{
	struct backed *b = &self->b;

	add_reply(b->server, FUSE_MKNOD, "new", S_IFREG, BACKING(.backing_id = self->file));
	ASSERT_EQ(0, mknod(in(b->mnt, "new"), S_IFREG | 0600, 0));
	EXPECT_STREQ("text of the backing", text_of(in(b->mnt, "new")));
	EXPECT_EQ(1, asked_more(b));
}

TEST_F(entry, mkdir_reply)
{
	struct backed *b = &self->b;

	add_reply(b->server, FUSE_MKDIR, "new", S_IFDIR,
		  BACKING(.backing_id = self->dir, .flags = FUSE_BACKING_INHERIT));
	ASSERT_EQ(0, mkdir(in(b->mnt, "new"), 0700));
	EXPECT_EQ(0, diff_tree(in(b->back, "dir"), in(b->mnt, "new")));
	EXPECT_EQ(1, asked_more(b));
}

TEST_F(entry, symlink_reply)
{
	struct backed *b = &self->b;
	char target[16] = "";

	add_reply(b->server, FUSE_SYMLINK, "new", S_IFLNK,
		  BACKING(.backing_id = register_path(b->dev, in(b->back, "link"), 0)));
	ASSERT_EQ(0, symlink("elsewhere", in(b->mnt, "new")));
	EXPECT_EQ(4, readlink(in(b->mnt, "new"), target, sizeof(target)));
	EXPECT_STREQ("file", target);
	EXPECT_EQ(1, asked_more(b));
}

TEST_F(entry, link_reply)
{
	struct backed *b = &self->b;

	serve_entry(b->server, FUSE_ROOT_ID, "f", NEW_NODE, S_IFREG,
		    BACKING(.backing_id = self->file));
	add_reply(b->server, FUSE_LINK, "new", S_IFREG, BACKING(.backing_id = self->file));
	ASSERT_EQ(0, link(in(b->mnt, "f"), in(b->mnt, "new")));
	EXPECT_STREQ("text of the backing", text_of(in(b->mnt, "new")));
	EXPECT_EQ(ino_of(in(b->mnt, "f")), ino_of(in(b->mnt, "new")));
	EXPECT_EQ(1, asked_more(b));
}

/* The kernel opens the backing, and lets go of the daemon's handle at once. */
TEST_F(entry, create_reply)
{
	struct backed *b = &self->b;
	char buf[8] = "";
	int fd;

	serve_create(b->server, FUSE_CREATE, "new", BACKING(.backing_id = self->file));
	fd = open(in(b->mnt, "new"), O_CREAT | O_RDWR | O_CLOEXEC, 0400);
	ASSERT_LE(0, fd);
	EXPECT_EQ(1, asked(b, FUSE_RELEASE));
	EXPECT_EQ(4, pread(fd, buf, 4, 0));
	EXPECT_STREQ("text", buf);
	EXPECT_EQ(4, pwrite(fd, "TEXT", 4, 0));
	close(fd);
	EXPECT_STREQ("TEXT of the backing", text_of(in(b->back, "file")));
	EXPECT_EQ(1, asked(b, FUSE_CREATE));
	EXPECT_EQ(1, asked(b, FUSE_RELEASE));
	EXPECT_EQ(2, asked_more(b));
}

TEST_F(entry, tmpfile_reply)
{
	struct backed *b = &self->b;
	char buf[8] = "";
	int fd;

	serve_create(b->server, FUSE_TMPFILE, NULL, BACKING(.backing_id = self->file));
	fd = open(b->mnt, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	EXPECT_EQ(4, pread(fd, buf, 4, 0));
	EXPECT_STREQ("text", buf);
	close(fd);
	EXPECT_EQ(1, asked(b, FUSE_RELEASE));
	EXPECT_EQ(2, asked_more(b));
}

/* For what the kernel does not wait for an answer to */
static unsigned int asked_soon(const struct backed *b, __u32 opcode, unsigned int want)
{
	int i;

	for (i = 0; i < 1000 && asked(b, opcode) < want; i++)
		usleep(1000);
	return asked(b, opcode);
}

static int ids_without_file_ops(const struct backed *b, const char *name)
{
	struct fuse_bpf_query query;

	if (ioctl(b->dev, FUSE_IOC_QUERY, &query))
		return -errno;
	return register_path(b->dev, in(b->back, "%s", name),
			     query.backed_ops[0] & ~FUSE_BACKING_FILE_OPS);
}

/* The daemon opens, reads and writes; all else is the backing's. */
TEST_F(entry, files_are_the_daemons)
{
	const struct fuse_write_out written = { .size = 3 };
	struct backed *b = &self->b;
	struct fuse_open_out *open_out;
	int id = ids_without_file_ops(b, "file");
	char buf[32] = "";
	char *map;
	int fd;

	ASSERT_LT(0, id);
	raw_serve_file(b->server, DIR_NODE, "none", FILE_NODE, "text of the daemon");
	open_out = (void *)b->server->replies[b->server->nr - 4].data;
	open_out->open_flags = FOPEN_KEEP_CACHE;
	raw_reply_add(b->server, FUSE_WRITE, FILE_NODE, NULL, &written, sizeof(written));
	serve_entry(b->server, FUSE_ROOT_ID, "f", FILE_NODE, S_IFREG, BACKING(.backing_id = id));

	EXPECT_EQ(0, diff_stat(in(b->back, "file"), in(b->mnt, "f")));
	fd = open(in(b->mnt, "f"), O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(18, pread(fd, buf, sizeof(buf), 0));
	EXPECT_STREQ("text of the daemon", buf);
	EXPECT_EQ(18, pread(fd, buf, sizeof(buf), 0));
	EXPECT_LE(2, asked(b, FUSE_READ));
	EXPECT_EQ(3, pwrite(fd, "abc", 3, 0));
	EXPECT_EQ(1, asked(b, FUSE_WRITE));
	EXPECT_EQ(19, RES(lseek(fd, 0, SEEK_END)));
	map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(0, memcmp(map, "text of the daemon", 18));
	munmap(map, 4096);
	EXPECT_EQ(0, fchmod(fd, 0600));
	EXPECT_EQ(0, diff_stat(in(b->back, "file"), in(b->mnt, "f")));
	close(fd);
	EXPECT_STREQ("text of the backing", text_of(in(b->back, "file")));
	EXPECT_EQ(1, asked(b, FUSE_OPEN));
	EXPECT_EQ(1, asked_soon(b, FUSE_RELEASE, 1));
	EXPECT_EQ(0, asked(b, FUSE_GETATTR));
	EXPECT_EQ(0, asked(b, FUSE_SETATTR));
}

/* What was created is the daemon's as well, and what passes through still does. */
TEST_F(entry, created_files_are_the_daemons)
{
	const struct fuse_write_out written = { .size = 3 };
	struct backed *b = &self->b;
	int id = ids_without_file_ops(b, "file");
	struct raw_reply *reply;
	char buf[8] = "";
	int fd;

	ASSERT_LT(0, id);
	reply = serve_create(b->server, FUSE_CREATE, "new", BACKING(.backing_id = id));
	raw_reply_add(b->server, FUSE_WRITE, NEW_NODE, NULL, &written, sizeof(written));
	raw_reply_error(b->server, FUSE_LOOKUP, FUSE_ROOT_ID, "new", -ENOENT);
	fd = open(in(b->mnt, "new"), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	EXPECT_EQ(3, write(fd, "abc", 3));
	EXPECT_EQ(1, asked(b, FUSE_WRITE));
	EXPECT_EQ(0, asked(b, FUSE_RELEASE));
	close(fd);

	((struct create_reply *)reply->data)->open.open_flags = FOPEN_PASSTHROUGH;
	((struct create_reply *)reply->data)->open.backing_id = self->file;
	fd = open(in(b->mnt, "new"), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	EXPECT_EQ(4, pread(fd, buf, 4, 0));
	EXPECT_STREQ("text", buf);
	close(fd);
	EXPECT_EQ(0, asked(b, FUSE_READ));
	EXPECT_STREQ("text of the backing", text_of(in(b->back, "file")));
}

/* The kernel has made the inode; the daemon cannot be asked to open it. */
TEST_F(entry, files_below_are_the_daemons)
{
	struct backed *b = &self->b;
	int id = ids_without_file_ops(b, "dir");
	int fd;

	ASSERT_LT(0, id);
	serve_entry(b->server, FUSE_ROOT_ID, "d", DIR_NODE, S_IFDIR,
		    BACKING(.backing_id = id, .flags = FUSE_BACKING_INHERIT));
	EXPECT_EQ(0, diff_stat(in(b->back, "dir/a"), in(b->mnt, "d/a")));
	/* The daemon is asked for its name first, and does not serve that */
	EXPECT_STREQ("<ENOSYS>", text_of(in(b->mnt, "d/a")));
	/* The kernel has opened this one, so its locks are the backing's */
	fd = open_dir(in(b->mnt, "d"), 0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, flock(fd, LOCK_EX));
	EXPECT_EQ(0, fsync(fd));
	close(fd);
	EXPECT_EQ(0, asked(b, FUSE_OPEN));
}

TEST_HARNESS_MAIN
