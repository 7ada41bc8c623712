// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mounts on which nothing was registered when the server was started: what changes with
 * the first registration, and what was on its way then.
 */
#include <dirent.h>
#include <fcntl.h>

#include "entry_tree.h"
#include "harness.h"

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
	ASSERT_EQ(0, told_make());
	strcpy(told->path, in(self->b.back, "file"));
	ASSERT_EQ(0, entry_tree_backing(&self->b));
	ASSERT_EQ(0, variant->uring ? entry_use_uring(&self->b) : 0);
}

FIXTURE_TEARDOWN(first)
{
	EXPECT_EQ(0, backed_destroy(&self->b));
	told_free();
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

TEST_HARNESS_MAIN
