// SPDX-License-Identifier: GPL-2.0-only
/*
 * Filters and inodes that the daemon has attached to a backing: the filter decides
 * there as elsewhere, and what it sends to the daemon can be answered, as the daemon
 * knows the node.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "entry_fixture.h"
#include "harness.h"
#include "scripted.h"

#define FILE_NODE 10
#define DIR_NODE 20

FIXTURE(entry)
{
	struct backed b;
	struct filter filter;
};

FIXTURE_SETUP(entry)
{
	struct backed *b = &self->b;

	self->filter = FILTER_NONE;
	ASSERT_EQ(0, entry_make(b));
	ASSERT_EQ(0, make_file(in(b->back, "file"), "backing", 0644));
	ASSERT_EQ(0, make_dir(in(b->back, "dir"), 0755));
	ASSERT_EQ(0, make_file(in(b->back, "dir/seen"), "seen", 0644));
	ASSERT_EQ(0, make_file(in(b->back, "dir/secret"), "secret", 0644));
	ASSERT_EQ(0, entry_mount(b));
	serve_entry(b->server, FUSE_ROOT_ID, "f", FILE_NODE, S_IFREG,
		    BACKING(.backing_id = register_path(b->dev, in(b->back, "file"), 0)));
	serve_entry(b->server, FUSE_ROOT_ID, "d", DIR_NODE, S_IFDIR,
		    BACKING(.backing_id = register_path(b->dev, in(b->back, "dir"), 0),
			    .flags = FUSE_BACKING_INHERIT));
	raw_serve_file(b->server, DIR_NODE, "remote", FILE_NODE, "daemon!");
	ASSERT_EQ(0, scripted_load(&self->filter, false, NULL));
	ASSERT_EQ(0, filter_attach(&self->filter, b->dev, 0, 0));
}

FIXTURE_TEARDOWN(entry)
{
	EXPECT_EQ(0, self->b.server->kernel_nodes);
	filter_destroy(&self->filter);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

TEST_F(entry, hides_names)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, scripted_rule(&self->filter, FUSE_LOOKUP, SCRIPTED_ANY_UID, "secret",
				   -ENOENT));
	EXPECT_STREQ("seen", text_of(in(b->mnt, "d/seen")));
	EXPECT_STREQ("<ENOENT>", text_of(in(b->mnt, "d/secret")));
	EXPECT_EQ(DIR_NODE, scripted_seen(&self->filter, FUSE_LOOKUP).parent);
}

TEST_F(entry, refuses_to_open)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, scripted_rule(&self->filter, FUSE_OPEN, SCRIPTED_ANY_UID, NULL, -EPERM));
	EXPECT_STREQ("<EPERM>", text_of(in(b->mnt, "f")));
	ASSERT_EQ(0, scripted_forget(&self->filter));
	EXPECT_STREQ("backing", text_of(in(b->mnt, "f")));
	EXPECT_EQ(0, asked(b, FUSE_OPEN));
}

/* File by file: what one has open is not what another gets. */
TEST_F(entry, sends_opens_to_the_daemon)
{
	struct backed *b = &self->b;
	char buf[16] = "";
	int fd = open(in(b->mnt, "f"), O_RDONLY | O_CLOEXEC);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, scripted_rule(&self->filter, FUSE_OPEN, SCRIPTED_ANY_UID, NULL,
				   FUSE_FILTER_DAEMON));
	EXPECT_STREQ("daemon!", text_of(in(b->mnt, "f")));
	EXPECT_EQ(1, asked(b, FUSE_OPEN));
	EXPECT_EQ(7, pread(fd, buf, sizeof(buf), 0));
	EXPECT_STREQ("backing", buf);
	close(fd);
	/* The kernel has made this one, and the daemon does not serve its name */
	EXPECT_STREQ("<ENOSYS>", text_of(in(b->mnt, "d/seen")));
	EXPECT_EQ(1, asked(b, FUSE_OPEN));
}

/* A name of the daemon's below a directory that the kernel looks into */
TEST_F(entry, sends_names_to_the_daemon)
{
	struct backed *b = &self->b;

	EXPECT_STREQ("<ENOENT>", text_of(in(b->mnt, "d/remote")));
	ASSERT_EQ(0, scripted_rule(&self->filter, FUSE_LOOKUP, SCRIPTED_ANY_UID, "remote",
				   FUSE_FILTER_DAEMON));
	EXPECT_STREQ("daemon!", text_of(in(b->mnt, "d/remote")));
	EXPECT_EQ(-EOPNOTSUPP, RES(unlink(in(b->mnt, "d/remote"))));
	EXPECT_EQ(-EOPNOTSUPP, RES(rename(in(b->mnt, "d/remote"), in(b->mnt, "d/new"))));
	ASSERT_EQ(0, scripted_forget(&self->filter));
	EXPECT_STREQ("<ENOENT>", text_of(in(b->mnt, "d/remote")));
}

TEST_HARNESS_MAIN
