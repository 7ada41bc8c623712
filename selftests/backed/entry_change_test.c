// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attached inodes over time: what a later reply says of the same node, what the kernel
 * forgets, and what is left when the daemon is not.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/uio.h>

#include "entry.h"

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

TEST_HARNESS_MAIN
