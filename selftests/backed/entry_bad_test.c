// SPDX-License-Identifier: GPL-2.0-only
/*
 * Replies that name a backing and are wrong: that they do no more harm than an EIO, and
 * that nothing is kept of them.
 */
#include <fcntl.h>
#include <sys/ioctl.h>

#include "entry.h"

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
	struct raw_reply *reply = serve_create(b->server, FUSE_CREATE, "f", BACKING());
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

FIXTURE(written)
{
	struct backed b;
};

/* What can go wrong only with write(2): on io_uring, nothing follows an errno */
FIXTURE_SETUP(written)
{
	ASSERT_EQ(0, entry_tree_make(&self->b, false));
	ASSERT_LT(0, register_path(self->b.dev, in(self->b.back, "file"), 0));
}

FIXTURE_TEARDOWN(written)
{
	EXPECT_EQ(0, backed_destroy(&self->b));
	told_free();
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
