// SPDX-License-Identifier: GPL-2.0-only
/*
 * Filters and those requests of the protocol that exist in two forms, in the form that
 * is never used for a backed inode: only a daemon is sent it.
 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "entry_fixture.h"
#include "harness.h"
#include "recorder.h"

#define NODE 10
#define OTHER 11
#define COPIED 3

FIXTURE(variants)
{
	struct backed b;
	struct filter filter;
	struct raw_reply *copy;
};

FIXTURE_VARIANT(variants)
{
	bool sleepable;
};

FIXTURE_VARIANT_ADD(variants, atomic) { };
FIXTURE_VARIANT_ADD(variants, sleepable) { .sleepable = true };

/* One entry, and the end of the directory behind it */
static bool list_once(struct raw_server *server __attribute__((unused)),
		      const struct raw_request *request, struct raw_reply *reply)
{
	const struct fuse_read_in *in = request->arg;
	struct {
		struct fuse_direntplus plus;
		char name[8];
	} entry = {
		.plus.entry_out = {
			.nodeid = NODE, .generation = 1, .attr = raw_attr(NODE, S_IFREG | 0644, 4),
		},
		.plus.dirent = { .ino = NODE, .off = 1, .namelen = 1, .type = DT_REG },
		.name = "f",
	};

	if (request->head.opcode == FUSE_READDIRPLUS && !in->offset) {
		*reply = (struct raw_reply){ .len = sizeof(entry) };
		memcpy(reply->data, &entry, sizeof(entry));
	}
	return false;
}

FIXTURE_SETUP(variants)
{
	const struct fuse_copy_file_range_out copied = { .bytes_copied = COPIED };
	const struct fuse_write_out written = { .size = COPIED };
	struct backed *b = &self->b;

	self->filter = FILTER_NONE;
	ASSERT_EQ(0, entry_make(b));
	b->server->init_out.flags |= FUSE_DO_READDIRPLUS;
	b->server->hook = list_once;
	raw_serve_file(b->server, FUSE_ROOT_ID, "f", NODE, "text");
	raw_serve_file(b->server, FUSE_ROOT_ID, "g", OTHER, "else");
	raw_reply_error(b->server, FUSE_LOOKUP, FUSE_ROOT_ID, "moved", -ENOENT);
	raw_reply_add(b->server, FUSE_RENAME, FUSE_ROOT_ID, NULL, NULL, 0);
	raw_reply_add(b->server, FUSE_READDIRPLUS, FUSE_ROOT_ID, NULL, NULL, 0);
	self->copy = raw_reply_add(b->server, FUSE_COPY_FILE_RANGE_64, NODE, NULL, &copied,
				   sizeof(copied));
	raw_reply_add(b->server, FUSE_COPY_FILE_RANGE, NODE, NULL, &written, sizeof(written));
	ASSERT_EQ(0, entry_mount(b));
	ASSERT_EQ(0, recorder_load(&self->filter, "recorder", variant->sleepable, NULL));
	ASSERT_EQ(0, filter_attach(&self->filter, b->dev, 0, 0));
}

FIXTURE_TEARDOWN(variants)
{
	filter_destroy(&self->filter);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

static long rename_file(const char *mnt)
{
	char old[64];

	strcpy(old, in(mnt, "f"));
	return RES(rename(old, in(mnt, "moved")));
}

/* Names that are listed, besides "." and ".." */
static long list_root(const char *mnt)
{
	char buf[1024] __attribute__((aligned(8)));
	long len, at, names = 0;
	int fd = open(mnt, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	while ((len = RES(syscall(SYS_getdents64, fd, buf, sizeof(buf)))) > 0) {
		for (at = 0; at < len; at += ((struct dirent64 *)(buf + at))->d_reclen)
			names += ((struct dirent64 *)(buf + at))->d_name[0] != '.';
	}
	close(fd);
	return len < 0 ? len : names;
}

static long copy_bytes(const char *mnt)
{
	int from = open(in(mnt, "f"), O_RDONLY | O_CLOEXEC);
	int to = open(in(mnt, "g"), O_WRONLY | O_CLOEXEC);
	loff_t off_from = 1, off_to = 0;
	long ret = RES(copy_file_range(from, &off_from, to, &off_to, COPIED, 0));

	close(from);
	close(to);
	return ret;
}

static const struct variant {
	__u32 opcode;
	__u64 node;
	const char *pre;
	const char *post;
	long returns;
	long (*run)(const char *mnt);
} variants[] = {
	{ FUSE_RENAME, FUSE_ROOT_ID, "rename", "post", 0, rename_file },
	{ FUSE_READDIRPLUS, FUSE_ROOT_ID, "readdir", "post", 1, list_root },
	{ FUSE_COPY_FILE_RANGE_64, NODE, "copy_file_range", "copy_file_range_post", COPIED,
	  copy_bytes },
};

#define PRE(opcode, ret) \
	ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_PRE(opcode), ret))
#define POST(opcode, ret) \
	ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_POST(opcode), ret))

TEST_F(variants, are_asked_and_told)
{
	ASSERT_EQ(0, recorder_return_all(&self->filter, FUSE_FILTER_POST));
	for (const struct variant *v = variants; v < variants + ARRAY_SIZE(variants); v++) {
		struct recorder_seen pre, post;

		EXPECT_EQ(v->returns, v->run(self->b.mnt)) TH_LOG("opcode %u", v->opcode);
		EXPECT_LE(1, asked(&self->b, v->opcode)) TH_LOG("opcode %u", v->opcode);
		pre = recorder_seen(&self->filter, RECORDER_PRE(v->opcode));
		post = recorder_seen(&self->filter, RECORDER_POST(v->opcode));
		EXPECT_EQ(asked(&self->b, v->opcode), pre.calls) TH_LOG("opcode %u", v->opcode);
		EXPECT_EQ(pre.calls, post.calls) TH_LOG("opcode %u", v->opcode);
		EXPECT_STREQ(v->pre, pre.member);
		EXPECT_STREQ(v->post, post.member);
		EXPECT_EQ(v->opcode, pre.ctx.opcode);
		EXPECT_EQ(v->node, v->opcode == FUSE_RENAME ? pre.ctx.parent : pre.ctx.nodeid)
			TH_LOG("opcode %u", v->opcode);
	}
}

/* The older form has no flags, and must not be read past its end for them. */
TEST_F(variants, say_what_for)
{
	struct recorder_seen seen;

	EXPECT_EQ(0, rename_file(self->b.mnt));
	seen = recorder_seen(&self->filter, RECORDER_PRE(FUSE_RENAME));
	EXPECT_EQ(FUSE_ROOT_ID, seen.in[0]);
	EXPECT_EQ(0, seen.in[1]);
	EXPECT_STREQ("f", seen.name);
	EXPECT_STREQ("moved", seen.newname);
	EXPECT_EQ(COPIED, copy_bytes(self->b.mnt));
	seen = recorder_seen(&self->filter, RECORDER_PRE(FUSE_COPY_FILE_RANGE_64));
	EXPECT_EQ(1, seen.in[0]);
	EXPECT_EQ(OTHER, seen.in[1]);
	EXPECT_EQ(0, seen.in[2]);
	EXPECT_EQ(COPIED, seen.in[3]);
	EXPECT_EQ(0, seen.in[4]);
}

TEST_F(variants, can_be_refused_before_and_after)
{
	for (const struct variant *v = variants; v < variants + ARRAY_SIZE(variants); v++) {
		PRE(v->opcode, -EACCES);
		EXPECT_EQ(-EACCES, v->run(self->b.mnt)) TH_LOG("opcode %u", v->opcode);
		EXPECT_EQ(0, asked(&self->b, v->opcode)) TH_LOG("opcode %u", v->opcode);
		PRE(v->opcode, FUSE_FILTER_POST);
		POST(v->opcode, -EPERM);
		EXPECT_EQ(-EPERM, v->run(self->b.mnt)) TH_LOG("opcode %u", v->opcode);
		EXPECT_EQ(1, asked(&self->b, v->opcode)) TH_LOG("opcode %u", v->opcode);
		PRE(v->opcode, 0);
		POST(v->opcode, 0);
	}
}

TEST_F(variants, hidden_names_are_not_listed)
{
	EXPECT_EQ(1, list_root(self->b.mnt));
	PRE(FUSE_FILTER_OP_DIRENT, -ENOENT);
	EXPECT_EQ(0, list_root(self->b.mnt));
	EXPECT_EQ(0, asked(&self->b, FUSE_READDIR));
}

/* A daemon that knows only the old form is asked again, and so is the filter. */
TEST_F(variants, falls_back_to_what_is_filtered)
{
	self->copy->error = -ENOSYS;
	EXPECT_EQ(COPIED, copy_bytes(self->b.mnt));
	EXPECT_EQ(1, asked(&self->b, FUSE_COPY_FILE_RANGE));
	EXPECT_EQ(1, recorder_seen(&self->filter, RECORDER_PRE(FUSE_COPY_FILE_RANGE)).calls);
	PRE(FUSE_COPY_FILE_RANGE, -EACCES);
	EXPECT_EQ(-EACCES, copy_bytes(self->b.mnt));
	EXPECT_EQ(1, asked(&self->b, FUSE_COPY_FILE_RANGE));
}

TEST_HARNESS_MAIN
