// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inodes that a reply attaches to a backing: that they are served from it from the
 * first moment on, that the daemon is asked for what is left to it and for nothing
 * else, and that no reply, however wrong, does more harm than an EIO.
 */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/uio.h>
#include <sys/xattr.h>

#include "entry_fixture.h"
#include "harness.h"

/* Node ids that the server uses */
enum {
	FILE_NODE = 10,
	DIR_NODE = 20,
	OTHER_NODE = 30,
	NEW_NODE = 40,
};

/* What the server's process tells the test; in memory that they share */
struct told {
	unsigned long long forgotten;
	int id;
	int res;
	char path[64];
};

static struct told *told;

FIXTURE(entry)
{
	struct backed b;
	int file;
	int dir;
};

FIXTURE_VARIANT(entry)
{
	bool uring;
};

FIXTURE_VARIANT_ADD(entry, dev) { };
FIXTURE_VARIANT_ADD(entry, uring) { .uring = true };

/* Adds up the lookups that the kernel forgets. */
static bool note_forget(struct raw_server *server, const struct raw_request *request,
			struct raw_reply *reply)
{
	const struct fuse_batch_forget_in *batch = request->arg;
	const struct fuse_forget_one *one = (const void *)(batch + 1);
	const struct fuse_forget_in *in = request->arg;
	__u32 i;

	(void)server;
	(void)reply;
	if (request->head.opcode == FUSE_FORGET)
		__atomic_add_fetch(&told->forgotten, in->nlookup, __ATOMIC_SEQ_CST);
	if (request->head.opcode == FUSE_BATCH_FORGET)
		for (i = 0; i < batch->count; i++)
			__atomic_add_fetch(&told->forgotten, one[i].nlookup, __ATOMIC_SEQ_CST);
	return false;
}

static int make_backing(const struct backed *b)
{
	if (make_file(in(b->back, "file"), "text of the backing", 0640) ||
	    make_file(in(b->back, "other"), "text of another", 0644) ||
	    make_dir(in(b->back, "dir"), 0750) || make_dir(in(b->back, "dir/sub"), 0755) ||
	    make_file(in(b->back, "dir/a"), "a", 0644) ||
	    make_file(in(b->back, "dir/sub/b"), "b", 0600) ||
	    make_dir(in(b->back, "dir2"), 0755) || symlink("file", in(b->back, "link")) ||
	    mkfifo(in(b->back, "fifo"), 0600))
		return -errno;
	return 0;
}

static int make_entry(struct backed *b, bool uring)
{
	int err = entry_make(b);

	told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		    0);
	if (told == MAP_FAILED)
		return -errno;
	b->server->hook = note_forget;
	if (!err && uring)
		err = entry_use_uring(b);
	if (!err)
		err = make_backing(b);
	return err ? err : entry_mount(b);
}

FIXTURE_SETUP(entry)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, make_entry(b, variant->uring));
	self->file = register_path(b->dev, in(b->back, "file"), 0);
	ASSERT_LT(0, self->file);
	self->dir = register_path(b->dev, in(b->back, "dir"), 0);
	ASSERT_LT(0, self->dir);
}

FIXTURE_TEARDOWN(entry)
{
	if (self->b.server)
		EXPECT_EQ(0, self->b.server->kernel_nodes);
	EXPECT_EQ(0, backed_destroy(&self->b));
	munmap(told, sizeof(*told));
}

/* All requests but LOOKUP and what forgets */
static unsigned int asked_more(const struct backed *b)
{
	return raw_server_total(b->server) - asked(b, FUSE_LOOKUP) - asked(b, FUSE_FORGET) -
	       asked(b, FUSE_BATCH_FORGET);
}

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

static struct raw_reply *add_create(struct raw_server *server, __u32 opcode, const char *name,
				    const struct fuse_entry_backing_out *backing)
{
	const struct create_reply reply = {
		.entry = {
			.nodeid = NEW_NODE,
			.generation = 1,
			.attr = raw_attr(NEW_NODE, S_IFREG, 0),
		},
		.open = { .fh = 77 },
		.backing = *backing,
	};

	raw_reply_error(server, FUSE_LOOKUP, FUSE_ROOT_ID, name, -ENOENT)->uses = 1;
	raw_reply_add(server, FUSE_RELEASE, NEW_NODE, NULL, NULL, 0);
	return raw_reply_add(server, opcode, FUSE_ROOT_ID, name, &reply, sizeof(reply));
}

/* The kernel opens the backing, and lets go of the daemon's handle at once. */
TEST_F(entry, create_reply)
{
	struct backed *b = &self->b;
	char buf[8] = "";
	int fd;

	add_create(b->server, FUSE_CREATE, "new", BACKING(.backing_id = self->file));
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

	add_create(b->server, FUSE_TMPFILE, NULL, BACKING(.backing_id = self->file));
	fd = open(b->mnt, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	EXPECT_EQ(4, pread(fd, buf, 4, 0));
	EXPECT_STREQ("text", buf);
	close(fd);
	EXPECT_EQ(1, asked(b, FUSE_RELEASE));
	EXPECT_EQ(2, asked_more(b));
}

/* Wait for what the kernel tells the daemon without being asked. */
static unsigned long long forgotten(unsigned long long want)
{
	int i;

	for (i = 0; i < 1000 && __atomic_load_n(&told->forgotten, __ATOMIC_SEQ_CST) < want; i++)
		usleep(1000);
	return __atomic_load_n(&told->forgotten, __ATOMIC_SEQ_CST);
}

/**
 * struct bad - a reply that must not be accepted
 * @what: is wrong with it
 * @backing: the part, but for its id
 * @mode: type of the node, 0: a regular file
 * @nodeid: of the node, 0: NEW_NODE
 * @missing: bytes that are cut off
 * @dir_id: the id is of a directory, and so on
 */
struct bad {
	const char *what;
	struct fuse_entry_backing_out backing;
	mode_t mode;
	__u64 nodeid;
	size_t missing;
	bool dir_id;
	bool file_id;
	bool mainline_id;
	bool other_ops;
};

#define PART sizeof(struct fuse_entry_backing_out)
#define BAD(_what, ...) { .what = _what, __VA_ARGS__ }

static const struct bad bad_replies[] = {
	BAD("cut to one byte", .file_id = true, .missing = PART - 1),
	BAD("cut by one byte", .file_id = true, .missing = 1),
	BAD("all zero"),
	BAD("unknown id", .backing = { .backing_id = 9999 }),
	BAD("negative id", .backing = { .backing_id = -1 }),
	BAD("least id", .backing = { .backing_id = 1 << 31 }),
	BAD("unknown flag", .file_id = true, .backing = { .flags = 1U << 3 }),
	BAD("last flag", .file_id = true, .backing = { .flags = 1U << 31 }),
	BAD("filter", .file_id = true, .backing = { .filter_id = 1 }),
	BAD("reserved", .file_id = true, .backing = { .reserved = 1 }),
	BAD("stop with an id", .file_id = true, .backing = { .flags = FUSE_BACKING_STOP }),
	BAD("keep with an id", .file_id = true, .backing = { .flags = FUSE_BACKING_KEEP }),
	BAD("stop with a tag", .backing = { .flags = FUSE_BACKING_STOP, .tag = 1 }),
	BAD("keep with a tag", .backing = { .flags = FUSE_BACKING_KEEP, .tag = 1 }),
	BAD("stop and keep", .backing = { .flags = FUSE_BACKING_STOP | FUSE_BACKING_KEEP }),
	BAD("inherit alone", .backing = { .flags = FUSE_BACKING_INHERIT }, .mode = S_IFDIR),
	BAD("inherit a file", .file_id = true, .backing = { .flags = FUSE_BACKING_INHERIT }),
	BAD("a directory's id for a file", .dir_id = true),
	BAD("a file's id for a directory", .file_id = true, .mode = S_IFDIR),
	BAD("inherit without the opcodes", .other_ops = true, .mode = S_IFDIR,
	    .backing = { .flags = FUSE_BACKING_INHERIT }),
	BAD("mainline's id", .mainline_id = true),
	BAD("kernel-made node", .file_id = true, .nodeid = FUSE_NODEID_KERNEL | 5),
	BAD("kernel-made node, plain", .missing = PART, .nodeid = FUSE_NODEID_KERNEL | 5),
};

static int mainline_open(int dev, const char *path)
{
	struct fuse_backing_map map = { .fd = open(path, O_RDWR | O_CLOEXEC) };
	int id = RES(ioctl(dev, FUSE_DEV_IOC_BACKING_OPEN, &map));

	close(map.fd);
	return id;
}

static int id_for(const struct backed *b, const struct bad *bad)
{
	struct fuse_bpf_query query;

	if (bad->file_id)
		return register_path(b->dev, in(b->back, "file"), 0);
	if (bad->dir_id)
		return register_path(b->dev, in(b->back, "dir"), 0);
	if (bad->mainline_id)
		return mainline_open(b->dev, in(b->back, "file"));
	if (!bad->other_ops)
		return bad->backing.backing_id;
	if (ioctl(b->dev, FUSE_IOC_QUERY, &query))
		return -errno;
	return register_path(b->dev, in(b->back, "dir"),
			     query.backed_ops[0] & ~FUSE_BACKING_NAME_OPS);
}

TEST_F(entry, bad_replies_to_lookup)
{
	struct backed *b = &self->b;
	struct raw_reply *reply = serve_entry(b->server, FUSE_ROOT_ID, "f", 0, 0, BACKING());
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad_replies); i++) {
		const struct bad *bad = &bad_replies[i];
		struct entry_reply *r = entry_of(reply);

		told->forgotten = 0;
		r->entry.nodeid = bad->nodeid ? bad->nodeid : NEW_NODE;
		r->entry.attr.mode = bad->mode ? bad->mode : S_IFREG;
		r->backing = bad->backing;
		r->backing.backing_id = id_for(b, bad);
		reply->len = sizeof(*r) - bad->missing;
		EXPECT_EQ(-EIO, RES(access(in(b->mnt, "f"), F_OK))) TH_LOG("%s", bad->what);
		EXPECT_EQ(1, forgotten(1)) TH_LOG("%s", bad->what);
	}
	/* The server has been told of nodes that it has made up */
	b->server->kernel_nodes = 0;
	/* And the node is as good as new */
	reply->len = sizeof(struct entry_reply);
	entry_of(reply)->entry.nodeid = NEW_NODE;
	entry_of(reply)->entry.attr.mode = S_IFREG;
	entry_of(reply)->backing = *BACKING(.backing_id = self->file);
	EXPECT_STREQ("text of the backing", text_of(in(b->mnt, "f")));
}

TEST_F(entry, bad_replies_to_create)
{
	struct backed *b = &self->b;
	struct raw_reply *reply = add_create(b->server, FUSE_CREATE, "f", BACKING());
	struct create_reply *r = (struct create_reply *)reply->data;
	unsigned int released;
	size_t i;

	raw_reply_error(b->server, FUSE_LOOKUP, FUSE_ROOT_ID, "f", -ENOENT);
	for (i = 0; i < ARRAY_SIZE(bad_replies); i++) {
		const struct bad *bad = &bad_replies[i];

		if (bad->mode)
			continue;
		told->forgotten = 0;
		released = asked(b, FUSE_RELEASE);
		r->entry.nodeid = bad->nodeid ? bad->nodeid : NEW_NODE;
		r->backing = bad->backing;
		r->backing.backing_id = id_for(b, bad);
		reply->len = sizeof(*r) - bad->missing;
		/* RELEASE names the node, which the server must not object to here */
		EXPECT_EQ(-EIO, RES(open(in(b->mnt, "f"), O_CREAT | O_RDWR, 0600)))
			TH_LOG("%s", bad->what);
		EXPECT_EQ(1, forgotten(1)) TH_LOG("%s", bad->what);
		EXPECT_EQ(released + 1, asked(b, FUSE_RELEASE)) TH_LOG("%s", bad->what);
	}
	/* The server has been told of nodes that it has made up */
	b->server->kernel_nodes = 0;
}

/* What mainline has for a reply whose size is wrong, which the server is told too */
static const char *bad_size(bool uring)
{
	return uring ? "<EINVAL>" : "<EIO>";
}

/* Sizes that no reply can have are refused when they are written. */
TEST_F(entry, sizes)
{
	const size_t sizes[] = {
		0, 1, sizeof(struct fuse_entry_out) - 1, sizeof(struct entry_reply) + 1,
		2 * sizeof(struct entry_reply),
	};
	struct backed *b = &self->b;
	struct raw_reply *reply = serve_entry(b->server, FUSE_ROOT_ID, "f", FILE_NODE, S_IFREG,
					      BACKING(.backing_id = self->file));
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		reply->len = sizes[i];
		EXPECT_STREQ(bad_size(variant->uring), text_of(in(b->mnt, "f")))
			TH_LOG("%zu", sizes[i]);
	}
	reply->len = sizeof(struct entry_reply);
	EXPECT_STREQ("text of the backing", text_of(in(b->mnt, "f")));
}

/* Only replies that name a node have the part. */
TEST_F(entry, on_other_replies)
{
	const struct {
		struct fuse_attr_out attr;
		struct fuse_entry_backing_out backing;
	} getattr = {
		{ .attr = raw_attr(OTHER_NODE, S_IFREG | 0644, 0) }, { .backing_id = self->file },
	};
	const struct {
		struct fuse_open_out open;
		struct fuse_entry_backing_out backing;
	} open_reply = { {}, { .backing_id = self->file } };
	struct backed *b = &self->b;
	struct stat st;

	raw_reply_add(b->server, FUSE_GETATTR, OTHER_NODE, NULL, &getattr, sizeof(getattr));
	raw_reply_add(b->server, FUSE_OPEN, OTHER_NODE, NULL, &open_reply, sizeof(open_reply));
	raw_serve_file(b->server, FUSE_ROOT_ID, "p", OTHER_NODE, "plain");
	EXPECT_STREQ(bad_size(variant->uring), text_of(in(b->mnt, "p")));
	EXPECT_EQ(1, asked(b, FUSE_OPEN));
	EXPECT_EQ(variant->uring ? -EINVAL : -EIO, RES(stat(in(b->mnt, "p"), &st)));
	EXPECT_EQ(1, asked(b, FUSE_GETATTR));
}

TEST_F(entry, no_node_and_root)
{
	struct backed *b = &self->b;
	struct raw_reply *reply = serve_entry(b->server, FUSE_ROOT_ID, "f", 0, S_IFREG,
					      BACKING(.backing_id = self->file));

	EXPECT_STREQ("<EIO>", text_of(in(b->mnt, "f")));
	entry_of(reply)->entry.nodeid = FUSE_ROOT_ID;
	entry_of(reply)->entry.generation = 0;
	entry_of(reply)->entry.attr.mode = S_IFDIR;
	entry_of(reply)->backing = *BACKING(.backing_id = self->dir);
	EXPECT_STREQ("<EIO>", text_of(in(b->mnt, "f")));
	reply->len = sizeof(struct fuse_entry_out);
	entry_of(reply)->entry.nodeid = 0;
	EXPECT_STREQ("<ENOENT>", text_of(in(b->mnt, "f")));
	EXPECT_EQ(0, access(b->mnt, F_OK));
}

/* A reply without the part, and one that says "stop", make plain nodes. */
TEST_F(entry, plain)
{
	struct backed *b = &self->b;
	struct raw_reply *reply;

	raw_serve_file(b->server, FUSE_ROOT_ID, "p", OTHER_NODE, "plain");
	EXPECT_STREQ("plain", text_of(in(b->mnt, "p")));
	reply = serve_entry(b->server, FUSE_ROOT_ID, "s", FILE_NODE, S_IFREG | 0644,
			    BACKING(.flags = FUSE_BACKING_STOP));
	raw_serve_file(b->server, DIR_NODE, "none", FILE_NODE, "stop");
	entry_of(reply)->entry.attr.size = 4;
	EXPECT_STREQ("stop", text_of(in(b->mnt, "s")));
	EXPECT_EQ(2, asked(b, FUSE_OPEN));
}

/* The entry's timeout holds as for any other, and a reply that agrees renews it. */
TEST_F(entry, is_looked_up_again)
{
	struct backed *b = &self->b;
	struct raw_reply *reply = serve_entry(b->server, FUSE_ROOT_ID, "f", FILE_NODE, S_IFREG,
					      BACKING(.backing_id = self->file, .tag = 5));
	int fd = open(in(b->mnt, "f"), O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, fd);
	EXPECT_EQ(1, asked(b, FUSE_LOOKUP));
	entry_of(reply)->entry.entry_valid = 1000;
	EXPECT_EQ(0, access(in(b->mnt, "f"), R_OK));
	EXPECT_EQ(2, asked(b, FUSE_LOOKUP));
	EXPECT_EQ(0, access(in(b->mnt, "f"), R_OK));
	EXPECT_EQ(2, asked(b, FUSE_LOOKUP));
	EXPECT_EQ(0, fchmod(fd, 0600));
	close(fd);
	ASSERT_EQ(0, umount(b->mnt));
	b->mounted = false;
	/* At umount nothing is forgotten node by node, so nothing is sent */
	EXPECT_EQ(0, asked_more(b));
}

TEST_F(entry, lookups_are_counted)
{
	struct backed *b = &self->b;
	int i;

	serve_entry(b->server, FUSE_ROOT_ID, "f", FILE_NODE, S_IFREG,
		    BACKING(.backing_id = self->file));
	serve_entry(b->server, FUSE_ROOT_ID, "d", DIR_NODE, S_IFDIR,
		    BACKING(.backing_id = self->dir, .flags = FUSE_BACKING_INHERIT));
	for (i = 0; i < 5; i++) {
		EXPECT_EQ(0, access(in(b->mnt, "f"), F_OK));
		EXPECT_EQ(0, access(in(b->mnt, "d/sub/b"), F_OK));
	}
	EXPECT_EQ(10, asked(b, FUSE_LOOKUP));
	ASSERT_EQ(0, sh("echo 2 >/proc/sys/vm/drop_caches"));
	EXPECT_EQ(10, forgotten(10));
}

struct change {
	const char *what;
	struct fuse_entry_backing_out before, after;
	bool dir;
	bool plain;
};

static int contradict(struct backed *b, const char *name, struct raw_reply *reply,
		      const struct fuse_entry_backing_out *after)
{
	int fd = open(in(b->mnt, "%s", name), O_RDONLY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	entry_of(reply)->backing = *after;
	if (access(in(b->mnt, "%s", name), F_OK))
		say("the changed node: %s", strerror(errno));
	err = RES(fchmod(fd, 0755));
	close(fd);
	return err;
}

/* The old inode is not what its node id stands for any more, and must not be used. */
TEST_F(entry, contradiction)
{
	struct backed *b = &self->b;
	int other = register_path(b->dev, in(b->back, "other"), 0);
	int again = register_path(b->dev, in(b->back, "file"), 0);
	struct raw_reply *reply = serve_entry(b->server, FUSE_ROOT_ID, "f", FILE_NODE,
					      S_IFREG | 0644, BACKING());
	struct fuse_entry_backing_out file = { .backing_id = self->file };

	entry_of(reply)->backing = file;
	EXPECT_EQ(-EIO, contradict(b, "f", reply, BACKING(.backing_id = other)));
	EXPECT_STREQ("text of another", text_of(in(b->mnt, "f")));

	entry_of(reply)->backing = file;
	EXPECT_EQ(-EIO, contradict(b, "f", reply, BACKING(.backing_id = again)));
	EXPECT_STREQ("text of the backing", text_of(in(b->mnt, "f")));

	entry_of(reply)->backing = file;
	EXPECT_EQ(-EIO, contradict(b, "f", reply, BACKING(.backing_id = self->file, .tag = 1)));
	EXPECT_STREQ("text of the backing", text_of(in(b->mnt, "f")));

	entry_of(reply)->backing = file;
	EXPECT_EQ(-EIO, contradict(b, "f", reply, BACKING(.flags = FUSE_BACKING_STOP)));
	raw_serve_file(b->server, DIR_NODE, "none", FILE_NODE, "plain");
	entry_of(reply)->entry.attr.size = 5;
	EXPECT_STREQ("plain", text_of(in(b->mnt, "f")));

	/* From plain to backed */
	EXPECT_EQ(-EIO, contradict(b, "f", reply, BACKING(.backing_id = self->file)));
	EXPECT_STREQ("text of the backing", text_of(in(b->mnt, "f")));

	/* The part is not there at all any more */
	reply->len = sizeof(struct fuse_entry_out);
	EXPECT_STREQ("plain", text_of(in(b->mnt, "f")));
	EXPECT_EQ(0, asked(b, FUSE_SETATTR));
}

TEST_F(entry, contradiction_of_a_directory)
{
	struct backed *b = &self->b;
	struct raw_reply *reply = serve_entry(b->server, FUSE_ROOT_ID, "d", DIR_NODE, S_IFDIR,
					      BACKING(.backing_id = self->dir,
						      .flags = FUSE_BACKING_INHERIT));
	int fd = open_dir(in(b->mnt, "d"), 0);

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, faccessat(fd, "a", F_OK, 0));
	entry_of(reply)->backing.flags = 0;
	raw_reply_error(b->server, FUSE_LOOKUP, DIR_NODE, NULL, -ENOENT);
	EXPECT_EQ(-ENOENT, RES(access(in(b->mnt, "d/a"), F_OK)));
	EXPECT_EQ(-EIO, RES(faccessat(fd, "a", F_OK, 0)));
	EXPECT_EQ(-EIO, RES(openat(fd, "new", O_CREAT | O_RDWR, 0600)));
	EXPECT_EQ(-ENOENT, RES(access(in(b->back, "dir/new"), F_OK)));
	close(fd);
}

/* Another generation, another type: as for plain nodes */
TEST_F(entry, node_id_is_reused)
{
	struct backed *b = &self->b;
	struct raw_reply *reply = serve_entry(b->server, FUSE_ROOT_ID, "f", FILE_NODE, S_IFREG,
					      BACKING(.backing_id = self->file));
	int fd = open(in(b->mnt, "f"), O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, fd);
	entry_of(reply)->entry.generation = 2;
	EXPECT_EQ(0, access(in(b->mnt, "f"), F_OK));
	EXPECT_EQ(-EIO, RES(fchmod(fd, 0600)));
	close(fd);
	entry_of(reply)->entry.attr.mode = S_IFDIR;
	entry_of(reply)->backing = *BACKING(.backing_id = self->dir,
					    .flags = FUSE_BACKING_INHERIT);
	EXPECT_STREQ("a", text_of(in(b->mnt, "f/a")));
}

TEST_F(entry, keep)
{
	struct backed *b = &self->b;
	struct raw_reply *reply = serve_entry(b->server, FUSE_ROOT_ID, "f", FILE_NODE,
					      S_IFREG | 0644, BACKING(.backing_id = self->file));

	EXPECT_STREQ("text of the backing", text_of(in(b->mnt, "f")));
	entry_of(reply)->backing = *BACKING(.flags = FUSE_BACKING_KEEP);
	ASSERT_EQ(0, close_id(b->dev, self->file));
	EXPECT_STREQ("text of the backing", text_of(in(b->mnt, "f")));
	/* By another name, for which no dentry vouches */
	serve_entry(b->server, FUSE_ROOT_ID, "g", FILE_NODE, S_IFREG | 0644,
		    BACKING(.flags = FUSE_BACKING_KEEP));
	EXPECT_STREQ("text of the backing", text_of(in(b->mnt, "g")));
	/* Nothing to keep */
	raw_serve_file(b->server, DIR_NODE, "none", OTHER_NODE, "plain");
	reply = serve_entry(b->server, FUSE_ROOT_ID, "p", OTHER_NODE, S_IFREG | 0644,
			    BACKING(.flags = FUSE_BACKING_KEEP));
	entry_of(reply)->entry.attr.size = 5;
	EXPECT_STREQ("plain", text_of(in(b->mnt, "p")));
}

/* One directory under two tags: what is found is not mixed up. */
TEST_F(entry, two_attachments_of_one_directory)
{
	struct backed *b = &self->b;

	serve_entry(b->server, FUSE_ROOT_ID, "d", DIR_NODE, S_IFDIR,
		    BACKING(.backing_id = self->dir, .flags = FUSE_BACKING_INHERIT, .tag = 1));
	serve_entry(b->server, FUSE_ROOT_ID, "e", OTHER_NODE, S_IFDIR,
		    BACKING(.backing_id = self->dir, .flags = FUSE_BACKING_INHERIT, .tag = 2));
	EXPECT_EQ(0, diff_tree(in(b->mnt, "d"), in(b->mnt, "e")));
	EXPECT_EQ(-EXDEV, RES(rename(in(b->mnt, "d/a"), in(b->mnt, "e/sub/a"))));
	EXPECT_EQ(-EXDEV, RES(link(in(b->mnt, "d/a"), in(b->mnt, "e/sub/a"))));
	ASSERT_EQ(0, rename(in(b->mnt, "d/a"), in(b->mnt, "d/sub/a")));
	EXPECT_STREQ("a", text_of(in(b->mnt, "e/sub/a")));
	EXPECT_STREQ("<ENOENT>", text_of(in(b->mnt, "e/a")));
}

TEST_F(entry, names_do_not_cross)
{
	struct backed *b = &self->b;

	serve_entry(b->server, FUSE_ROOT_ID, "d", DIR_NODE, S_IFDIR,
		    BACKING(.backing_id = self->dir, .flags = FUSE_BACKING_INHERIT));
	serve_entry(b->server, FUSE_ROOT_ID, "f", FILE_NODE, S_IFREG,
		    BACKING(.backing_id = self->file));
	raw_reply_error(b->server, FUSE_LOOKUP, FUSE_ROOT_ID, NULL, -ENOENT);
	EXPECT_EQ(-EXDEV, RES(rename(in(b->mnt, "f"), in(b->mnt, "d/f"))));
	EXPECT_EQ(-EXDEV, RES(rename(in(b->mnt, "d/a"), in(b->mnt, "a"))));
	EXPECT_EQ(-EXDEV, RES(link(in(b->mnt, "f"), in(b->mnt, "d/f"))));
	EXPECT_EQ(-EXDEV, RES(link(in(b->mnt, "d/a"), in(b->mnt, "a"))));
	EXPECT_EQ(0, asked_more(b));
	EXPECT_EQ(-ENOENT, RES(access(in(b->back, "dir/f"), F_OK)));
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
	reply = add_create(b->server, FUSE_CREATE, "new", BACKING(.backing_id = id));
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

/* Notifications about a backed inode */
static int notify(int dev, int code, const void *arg, size_t len, const char *name)
{
	struct fuse_out_header head = { sizeof(head) + len, code, 0 };
	struct iovec iov[] = {
		{ &head, sizeof(head) }, { (void *)arg, len }, { (void *)name, 0 },
	};

	if (name) {
		iov[2].iov_len = strlen(name) + 1;
		head.len += iov[2].iov_len;
	}
	return writev(dev, iov, 3) < 0 ? -errno : 0;
}

TEST_F(entry, notifications)
{
	struct {
		struct fuse_notify_store_out out;
		char data[4];
	} store = { { .nodeid = FILE_NODE, .size = 4 }, "evil" };
	struct fuse_notify_inval_inode_out inode = { .ino = FILE_NODE };
	struct fuse_notify_inval_entry_out entry = { .parent = FUSE_ROOT_ID, .namelen = 1 };
	struct fuse_notify_delete_out del = {
		.parent = DIR_NODE, .child = FILE_NODE, .namelen = 1,
	};
	struct backed *b = &self->b;
	struct raw_reply *reply = serve_entry(b->server, FUSE_ROOT_ID, "f", FILE_NODE, S_IFREG,
					      BACKING(.backing_id = self->file));

	entry_of(reply)->entry.entry_valid = 1000;
	serve_entry(b->server, FUSE_ROOT_ID, "d", DIR_NODE, S_IFDIR,
		    BACKING(.backing_id = self->dir, .flags = FUSE_BACKING_INHERIT));
	EXPECT_STREQ("text of the backing", text_of(in(b->mnt, "f")));
	EXPECT_EQ(0, diff_tree(in(b->back, "dir"), in(b->mnt, "d")));
	EXPECT_EQ(-EINVAL, notify(b->dev, FUSE_NOTIFY_STORE, &store, sizeof(store), NULL));
	EXPECT_EQ(0, notify(b->dev, FUSE_NOTIFY_INVAL_INODE, &inode, sizeof(inode), NULL));
	EXPECT_EQ(0, diff_stat(in(b->back, "file"), in(b->mnt, "f")));
	EXPECT_STREQ("text of the backing", text_of(in(b->mnt, "f")));
	EXPECT_EQ(0, notify(b->dev, FUSE_NOTIFY_INVAL_ENTRY, &entry, sizeof(entry), "f"));
	/* A name that the backing has cannot be deleted by the daemon's word */
	EXPECT_NE(0, notify(b->dev, FUSE_NOTIFY_DELETE, &del, sizeof(del), "a"));
	EXPECT_EQ(0, diff_tree(in(b->back, "dir"), in(b->mnt, "d")));
	EXPECT_STREQ("text of the backing", text_of(in(b->mnt, "f")));
	EXPECT_EQ(0, asked(b, FUSE_GETATTR));
}

/* The daemon dies: what is held goes on, what is not cannot be found. */
TEST_F(entry, daemon_dies)
{
	struct backed *b = &self->b;
	struct stat st;
	int fd, dir;

	serve_entry(b->server, FUSE_ROOT_ID, "f", FILE_NODE, S_IFREG,
		    BACKING(.backing_id = self->file));
	serve_entry(b->server, FUSE_ROOT_ID, "d", DIR_NODE, S_IFDIR,
		    BACKING(.backing_id = self->dir, .flags = FUSE_BACKING_INHERIT));
	fd = open(in(b->mnt, "f"), O_RDWR | O_CLOEXEC);
	dir = open_dir(in(b->mnt, "d"), 0);
	ASSERT_LE(0, fd);
	ASSERT_LE(0, dir);
	raw_server_kill(b->server);
	close(b->dev);
	b->dev = -1;
	EXPECT_EQ(4, pwrite(fd, "TEXT", 4, 0));
	EXPECT_EQ(0, fchmod(fd, 0600));
	EXPECT_EQ(0, fstatat(dir, "sub/b", &st, 0));
	EXPECT_EQ(0, mkdirat(dir, "made", 0700));
	EXPECT_EQ(-ENOTCONN, RES(access(in(b->mnt, "f"), F_OK)));
	close(fd);
	close(dir);
	EXPECT_STREQ("TEXT of the backing", text_of(in(b->back, "file")));
}

/* A node for each name that is asked for, all backed by one file */
static bool node_for_each_name(struct raw_server *server, const struct raw_request *request,
			       struct raw_reply *reply)
{
	const char *name = (const char *)request->arg +
			   (server->uring ? FUSE_URING_OP_IN_OUT_SZ : 0);

	if (request->head.opcode == FUSE_LOOKUP)
		entry_of(reply)->entry.nodeid = 1000 + atoi(name);
	return note_forget(server, request, reply);
}

TEST_F(entry, many_nodes)
{
	const unsigned int nr = scale(3000);
	struct backed *b = &self->b;
	unsigned int i;

	serve_entry(b->server, FUSE_ROOT_ID, NULL, 0, S_IFREG,
		    BACKING(.backing_id = self->file));
	b->server->hook = node_for_each_name;
	for (i = 0; i < nr; i++)
		ASSERT_EQ(0, access(in(b->mnt, "%u", i), R_OK));
	ASSERT_EQ(0, sh("echo 2 >/proc/sys/vm/drop_caches"));
	EXPECT_EQ(nr, forgotten(nr));
	for (i = 0; i < nr; i++)
		ASSERT_EQ(0, access(in(b->mnt, "%u", i), R_OK));
	ASSERT_EQ(0, close_id(b->dev, self->file));
	raw_server_kill(b->server);
	close(b->dev);
	b->dev = -1;
	/* Neither the daemon nor its ids hold on to anything any more, the inodes do */
	EXPECT_EQ(-EBUSY, RES(umount(b->back)));
}

/* Random replies to many walks: nothing but what some reply says may be seen. */
struct chaos {
	struct backed *b;
	bool stop;
	int wrong;
};

static bool allowed(const char *text)
{
	return !strcmp(text, "text of the backing") || !strcmp(text, "text of another") ||
	       !strcmp(text, "plain") || !strcmp(text, "a") || !strcmp(text, "<EIO>") ||
	       !strcmp(text, "<ENOTDIR>") || !strcmp(text, "<EISDIR>") ||
	       !strcmp(text, "<ENOENT>") || !strcmp(text, "<ESTALE>") || !strcmp(text, "");
}

static void *walk(void *arg)
{
	struct chaos *chaos = arg;
	const char *text;
	int i = 0;

	while (!__atomic_load_n(&chaos->stop, __ATOMIC_RELAXED)) {
		text = text_of(in(chaos->b->mnt, i++ % 3 ? "f" : "f/a"));
		if (!allowed(text)) {
			say("seen: %s", text);
			chaos->wrong++;
		}
	}
	return NULL;
}

TEST_F(entry, changing_minds)
{
	struct backed *b = &self->b;
	const struct fuse_entry_backing_out says[] = {
		{ .backing_id = self->file },
		{ .backing_id = register_path(b->dev, in(b->back, "other"), 0) },
		{ .backing_id = self->dir, .flags = FUSE_BACKING_INHERIT },
		{ .backing_id = self->dir },
		{ .flags = FUSE_BACKING_STOP },
		{ .flags = FUSE_BACKING_KEEP },
		{ .backing_id = 12345 },
		{ .backing_id = self->file, .flags = 1U << 9 },
	};
	struct chaos chaos = { .b = b };
	struct raw_reply *reply = serve_entry(b->server, FUSE_ROOT_ID, "f", FILE_NODE,
					      S_IFREG | 0644, &says[0]);
	pthread_t threads[3];
	unsigned int seed = 1;
	size_t i;

	raw_serve_file(b->server, DIR_NODE, "none", FILE_NODE, "plain");
	raw_reply_error(b->server, FUSE_LOOKUP, FILE_NODE, NULL, -ENOENT);
	entry_of(reply)->entry.attr.size = 5;
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, walk, &chaos));
	for (i = 0; i < scale(2000); i++) {
		size_t n = rand_r(&seed) % ARRAY_SIZE(says);

		entry_of(reply)->entry.attr.mode = (n == 2 || n == 3 ? S_IFDIR : S_IFREG) | 0644;
		entry_of(reply)->backing = says[n];
		usleep(200);
	}
	chaos.stop = true;
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(0, chaos.wrong);
}

FIXTURE(first)
{
	struct backed b;
};

FIXTURE_VARIANT(first)
{
	bool uring;
};

FIXTURE_VARIANT_ADD(first, dev) { };
FIXTURE_VARIANT_ADD(first, uring) { .uring = true };

/* A mount on which nothing has been registered */
FIXTURE_SETUP(first)
{
	ASSERT_EQ(0, entry_make(&self->b));
	told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		    0);
	ASSERT_NE(MAP_FAILED, told);
	strcpy(told->path, in(self->b.back, "file"));
	ASSERT_EQ(0, make_backing(&self->b));
	ASSERT_EQ(0, variant->uring ? entry_use_uring(&self->b) : 0);
}

FIXTURE_TEARDOWN(first)
{
	EXPECT_EQ(0, backed_destroy(&self->b));
	munmap(told, sizeof(*told));
}

/* Sizes are those of the standard, to the byte. */
TEST_F(first, sizes_are_exact)
{
	struct backed *b = &self->b;
	struct raw_reply *reply;
	size_t len;

	ASSERT_EQ(0, entry_mount(b));
	raw_serve_file(b->server, FUSE_ROOT_ID, "p", OTHER_NODE, "plain");
	reply = serve_entry(b->server, FUSE_ROOT_ID, "f", FILE_NODE, S_IFREG,
			    BACKING(.flags = FUSE_BACKING_STOP));
	for (len = sizeof(struct fuse_entry_out) + 1; len <= reply->len; len++) {
		size_t all = reply->len;

		reply->len = len;
		EXPECT_STREQ(bad_size(variant->uring), text_of(in(b->mnt, "f")))
			TH_LOG("%zu", len);
		reply->len = all;
	}
	reply->len = sizeof(struct fuse_entry_out) - 1;
	EXPECT_STREQ(bad_size(variant->uring), text_of(in(b->mnt, "f")));
	EXPECT_STREQ("plain", text_of(in(b->mnt, "p")));
}

/* The daemon learns only from the request that there is something to register. */
static bool register_first(struct raw_server *server, const struct raw_request *request,
			   struct raw_reply *reply)
{
	if (request->head.opcode != FUSE_LOOKUP)
		return false;
	if (!told->id)
		told->id = register_path(server->dev, told->path, 0);
	entry_of(reply)->backing.backing_id = told->id;
	return false;
}

TEST_F(first, while_a_request_waits)
{
	struct backed *b = &self->b;

	serve_entry(b->server, FUSE_ROOT_ID, "f", FILE_NODE, S_IFREG, BACKING());
	b->server->hook = register_first;
	ASSERT_EQ(0, entry_mount(b));
	EXPECT_STREQ("text of the backing", text_of(in(b->mnt, "f")));
	EXPECT_LT(0, told->id);
}

struct plus {
	struct fuse_direntplus head;
	char name[8];
};

static struct plus plus_for(const char *name, __u64 nodeid)
{
	struct plus plus = {
		.head = {
			.entry_out = {
				.nodeid = nodeid,
				.generation = 1,
				.entry_valid = 1000,
				.attr_valid = 1000,
				.attr = raw_attr(nodeid, S_IFREG | 0644, 3),
			},
			.dirent = {
				.ino = nodeid, .off = nodeid, .type = DT_REG,
				.namelen = strlen(name),
			},
		},
	};

	strcpy(plus.head.dirent.name, name);
	return plus;
}

/* A server that would answer READDIRPLUS with a file that is to be backed */
static void serve_listing(struct raw_server *server)
{
	const struct plus plus = plus_for("f", FILE_NODE);

	server->init_out.flags |= FUSE_DO_READDIRPLUS;
	raw_reply_add(server, FUSE_READDIRPLUS, FUSE_ROOT_ID, NULL, &plus,
		      FUSE_DIRENTPLUS_SIZE(&plus.head))->uses = 1;
	raw_reply_add(server, FUSE_READDIRPLUS, FUSE_ROOT_ID, NULL, NULL, 0);
	serve_entry(server, FUSE_ROOT_ID, "f", FILE_NODE, S_IFREG, BACKING());
}

static bool name_the_id(struct raw_server *server, const struct raw_request *request,
			struct raw_reply *reply)
{
	(void)server;
	if (request->head.opcode == FUSE_LOOKUP)
		entry_of(reply)->backing.backing_id = told->id;
	return note_forget(server, request, reply);
}

/* `ls -l` leaves nothing behind that would not be backed. */
TEST_F(first, readdirplus_is_not_used)
{
	struct backed *b = &self->b;

	serve_listing(b->server);
	b->server->hook = name_the_id;
	ASSERT_EQ(0, entry_mount(b));
	told->id = register_path(b->dev, told->path, 0);
	ASSERT_LT(0, told->id);
	sh("ls -l %s >/dev/null", b->mnt);
	EXPECT_EQ(0, asked(b, FUSE_READDIRPLUS));
	EXPECT_LT(0, asked(b, FUSE_READDIR));
	EXPECT_STREQ("text of the backing", text_of(in(b->mnt, "f")));
}

/* The first registration comes between the request and its answer. */
static bool register_while_listing(struct raw_server *server, const struct raw_request *request,
				   struct raw_reply *reply)
{
	if (request->head.opcode == FUSE_READDIRPLUS && !told->id)
		told->id = register_path(server->dev, told->path, 0);
	return name_the_id(server, request, reply);
}

TEST_F(first, readdirplus_on_its_way)
{
	struct backed *b = &self->b;
	DIR *d;

	serve_listing(b->server);
	b->server->hook = register_while_listing;
	ASSERT_EQ(0, entry_mount(b));
	d = opendir(b->mnt);
	ASSERT_NE(NULL, d);
	ASSERT_NE(NULL, readdir(d));
	EXPECT_EQ(1, asked(b, FUSE_READDIRPLUS));
	EXPECT_EQ(1, forgotten(1));
	EXPECT_STREQ("text of the backing", text_of(in(b->mnt, "f")));
	EXPECT_EQ(1, asked(b, FUSE_READDIRPLUS));
	closedir(d);
}

/* Nodes of the daemon can be found by handle, what the kernel has made cannot. */
union handle {
	struct file_handle handle;
	char bytes[sizeof(struct file_handle) + MAX_HANDLE_SZ];
};

TEST_F(first, file_handles)
{
	union handle h = { .handle.handle_bytes = MAX_HANDLE_SZ };
	struct backed *b = &self->b;
	char buf[8] = "";
	int mnt_id, dir, fd;
	__u32 *fh;

	b->server->init_out.flags |= FUSE_EXPORT_SUPPORT;
	ASSERT_EQ(0, entry_mount(b));
	serve_entry(b->server, FUSE_ROOT_ID, "f", FILE_NODE, S_IFREG,
		    BACKING(.backing_id = register_path(b->dev, told->path, 0)));
	serve_entry(b->server, FILE_NODE, ".", FILE_NODE, S_IFREG,
		    BACKING(.backing_id = 1));
	serve_entry(b->server, FUSE_ROOT_ID, "d", DIR_NODE, S_IFDIR,
		    BACKING(.backing_id = register_path(b->dev, in(b->back, "dir"), 0),
			    .flags = FUSE_BACKING_INHERIT));
	dir = open_dir(b->mnt, 0);
	ASSERT_LE(0, dir);
	ASSERT_EQ(0, RES(name_to_handle_at(dir, "f", &h.handle, &mnt_id, 0)));
	ASSERT_EQ(0, sh("echo 2 >/proc/sys/vm/drop_caches"));
	fd = open_by_handle_at(dir, &h.handle, O_RDONLY);
	EXPECT_LE(0, fd);
	EXPECT_EQ(4, read(fd, buf, 4));
	EXPECT_STREQ("text", buf);
	close(fd);

	fh = (__u32 *)h.handle.f_handle;
	fh[0] = FUSE_NODEID_KERNEL >> 32;
	fh[1] = ino_of(in(b->back, "dir/a"));
	EXPECT_EQ(-ESTALE, RES(open_by_handle_at(dir, &h.handle, O_PATH)));
	h.handle.handle_bytes = MAX_HANDLE_SZ;
	EXPECT_GT(0, RES(name_to_handle_at(dir, "d/a", &h.handle, &mnt_id, 0)));
	close(dir);
	EXPECT_EQ(0, b->server->kernel_nodes);
}

FIXTURE(written)
{
	struct backed b;
};

/* What can go wrong only with write(2): on io_uring, nothing follows an errno */
FIXTURE_SETUP(written)
{
	ASSERT_EQ(0, make_entry(&self->b, false));
	ASSERT_LT(0, register_path(self->b.dev, in(self->b.back, "file"), 0));
}

FIXTURE_TEARDOWN(written)
{
	EXPECT_EQ(0, backed_destroy(&self->b));
	munmap(told, sizeof(*told));
}

/* Answers to LOOKUP with an errno, and the part behind it */
static bool say_error_with_part(struct raw_server *server, const struct raw_request *request,
				struct raw_reply *reply)
{
	struct {
		struct fuse_out_header head;
		struct fuse_entry_backing_out backing;
	} out = {
		{ sizeof(out), -EACCES, request->head.unique }, { .backing_id = 1 },
	};

	(void)reply;
	if (request->head.opcode != FUSE_LOOKUP)
		return false;
	told->res = RES(write(server->dev, &out, sizeof(out)));
	return true;
}

TEST_F(written, error_with_part)
{
	struct backed *b = &self->b;

	b->server->hook = say_error_with_part;
	EXPECT_EQ(-EIO, RES(access(in(b->mnt, "f"), F_OK)));
	EXPECT_EQ(-EINVAL, told->res);
}

TEST_HARNESS_MAIN
