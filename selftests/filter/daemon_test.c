// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names that a filter sends to the daemon of a backed mount.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "backed_fixture.h"
#include "harness.h"
#include "scripted.h"

#define REMOTE_NODE 42

FIXTURE(daemon)
{
	struct backed b;
	struct filter filter;
	int dir;
};

FIXTURE_SETUP(daemon)
{
	ASSERT_EQ(0, backed_make(&self->b, "tmpfs"));
	ASSERT_EQ(0, make_file(in(self->b.back, "local"), "local\n", 0644));
	ASSERT_EQ(0, make_file(in(self->b.back, "both"), "backing\n", 0644));
	ASSERT_EQ(0, make_dir(in(self->b.back, "dir"), 0755));
	ASSERT_EQ(0, backed_mount(&self->b, BACKED_ALLOW_OTHER | BACKED_DAEMON));
	raw_serve_file(self->b.server, FUSE_ROOT_ID, "remote", REMOTE_NODE, "remote\n");
	raw_serve_file(self->b.server, FUSE_ROOT_ID, "both", REMOTE_NODE + 1, "daemon\n");
	self->dir = open_dir(self->b.mnt, 0);
	ASSERT_LE(0, self->dir);
	ASSERT_EQ(0, scripted_load(&self->filter, false, NULL));
	ASSERT_EQ(0, filter_attach(&self->filter, self->dir, 0, 0));
}

FIXTURE_TEARDOWN(daemon)
{
	/* Whatever happened, the daemon never hears of nodes it did not name */
	EXPECT_EQ(0, self->b.server->kernel_nodes);
	filter_destroy(&self->filter);
	close(self->dir);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

static int stat_err(const char *path)
{
	struct stat st;

	return RES(lstat(path, &st));
}

static int send_to_daemon(const struct filter *filter, __u32 uid, const char *name)
{
	return scripted_rule(filter, FUSE_LOOKUP, uid, name, FUSE_FILTER_DAEMON);
}

TEST_F(daemon, is_not_asked_without_need)
{
	EXPECT_STREQ("local\n", text_of(in(self->b.mnt, "local")));
	EXPECT_EQ(-ENOENT, stat_err(in(self->b.mnt, "remote")));
	EXPECT_EQ(0, sh("ls -lR %s >/dev/null", self->b.mnt));
	EXPECT_EQ(0, raw_server_total(self->b.server));
}

TEST_F(daemon, serves_its_name)
{
	struct op_counts counts;

	ASSERT_EQ(0, send_to_daemon(&self->filter, SCRIPTED_ANY_UID, "remote"));
	ASSERT_EQ(0, counts_read(self->dir, &counts));
	EXPECT_STREQ("remote\n", text_of(in(self->b.mnt, "remote")));
	ASSERT_EQ(0, counts_since(self->dir, &counts));
	EXPECT_LE(1, counts.ops[FUSE_LOOKUP].daemon);
	EXPECT_EQ(1, counts.ops[FUSE_OPEN].daemon);
	EXPECT_LE(1, counts.ops[FUSE_READ].daemon);
	EXPECT_EQ(self->b.server->counts[FUSE_OPEN], counts.ops[FUSE_OPEN].daemon);
	EXPECT_STREQ("local\n", text_of(in(self->b.mnt, "local")));
	/* A name that the daemon does not know either */
	ASSERT_EQ(0, send_to_daemon(&self->filter, SCRIPTED_ANY_UID, "nowhere"));
	raw_reply_error(self->b.server, FUSE_LOOKUP, FUSE_ROOT_ID, "nowhere", -ENOENT);
	EXPECT_EQ(-ENOENT, stat_err(in(self->b.mnt, "nowhere")));
}

TEST_F(daemon, a_name_can_be_had_from_either)
{
	const char *both = in(self->b.mnt, "both");

	for (int i = 0; i < 5; i++) {
		ASSERT_EQ(0, scripted_forget(&self->filter));
		EXPECT_STREQ("backing\n", text_of(both));
		ASSERT_EQ(0, send_to_daemon(&self->filter, SCRIPTED_ANY_UID, "both"));
		EXPECT_STREQ("daemon\n", text_of(both));
	}
}

TEST_F(daemon, each_user_has_the_own_answer)
{
	struct stat backing, daemon;
	const char *both = in(self->b.mnt, "both");

	ASSERT_EQ(0, send_to_daemon(&self->filter, USER1, "both"));
	ASSERT_EQ(0, lstat(both, &backing));
	EXPECT_EQ(ino_of(in(self->b.back, "both")), backing.st_ino);
	EXPECT_EQ(0, user_stat(USER1, both));
	EXPECT_LE(1, self->b.server->counts[FUSE_LOOKUP]);
	ASSERT_EQ(0, lstat(both, &daemon));
	EXPECT_EQ(backing.st_ino, daemon.st_ino);
}

TEST_F(daemon, an_open_file_stays_where_it_was_opened)
{
	const char *both = in(self->b.mnt, "both");
	char buf[16] = {};
	int fd;

	fd = open(both, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, send_to_daemon(&self->filter, SCRIPTED_ANY_UID, "both"));
	EXPECT_STREQ("daemon\n", text_of(both));
	EXPECT_EQ(8, read(fd, buf, sizeof(buf)));
	EXPECT_STREQ("backing\n", buf);
	close(fd);
}

TEST_F(daemon, cannot_be_asked_about_what_it_has_no_name_for)
{
	raw_reply_error(self->b.server, FUSE_LOOKUP, FUSE_ROOT_ID, NULL, -ENOENT);
	ASSERT_EQ(0, send_to_daemon(&self->filter, SCRIPTED_ANY_UID, "below"));
	EXPECT_EQ(-EIO, stat_err(in(self->b.mnt, "dir/below")));
	ASSERT_EQ(0, scripted_rule(&self->filter, FUSE_OPEN, SCRIPTED_ANY_UID, NULL,
				   FUSE_FILTER_DAEMON));
	EXPECT_EQ(-EIO, RES(open(in(self->b.mnt, "local"), O_RDONLY)));
	/* It was asked for the names, and for nothing else */
	EXPECT_EQ(2, self->b.server->counts[FUSE_LOOKUP]);
	EXPECT_EQ(2, raw_server_total(self->b.server));
}

TEST_F(daemon, cannot_name_a_kernel_made_node)
{
	__u64 stolen = FUSE_NODEID_KERNEL | ino_of(in(self->b.back, "local"));

	/* It knows the inode number of a file and claims that node for a name */
	EXPECT_EQ(0, stat_err(in(self->b.mnt, "local")));
	raw_serve_file(self->b.server, FUSE_ROOT_ID, "thief", stolen, "mine\n");
	ASSERT_EQ(0, send_to_daemon(&self->filter, SCRIPTED_ANY_UID, "thief"));
	EXPECT_STREQ("mine\n", text_of(in(self->b.mnt, "thief")));
	EXPECT_STREQ("local\n", text_of(in(self->b.mnt, "local")));
	EXPECT_NE(ino_of(in(self->b.mnt, "local")), ino_of(in(self->b.mnt, "thief")));
	/* These were for its own node of that number */
	self->b.server->kernel_nodes = 0;
}

TEST_F(daemon, cannot_be_made_to_link_to_a_kernel_made_node)
{
	ASSERT_EQ(0, send_to_daemon(&self->filter, SCRIPTED_ANY_UID, "remote-dir"));
	raw_serve_dir(self->b.server, FUSE_ROOT_ID, "remote-dir", REMOTE_NODE + 2);
	raw_reply_error(self->b.server, FUSE_LOOKUP, REMOTE_NODE + 2, NULL, -ENOENT);
	EXPECT_EQ(-EXDEV, RES(link(in(self->b.mnt, "local"), in(self->b.mnt, "remote-dir/new"))));
	EXPECT_EQ(0, self->b.server->counts[FUSE_LINK]);
}

TEST_F(daemon, its_names_and_those_of_the_backing_do_not_mix)
{
	struct raw_server *server = self->b.server;
	const char *remote = in(self->b.mnt, "remote"), *local = in(self->b.mnt, "local");

	ASSERT_EQ(0, send_to_daemon(&self->filter, SCRIPTED_ANY_UID, "remote"));
	ASSERT_EQ(0, send_to_daemon(&self->filter, SCRIPTED_ANY_UID, "remote-dir"));
	raw_serve_dir(server, FUSE_ROOT_ID, "remote-dir", REMOTE_NODE + 2);
	raw_serve_file(server, REMOTE_NODE + 2, "inner", REMOTE_NODE + 3, "inner\n");
	raw_reply_error(server, FUSE_LOOKUP, REMOTE_NODE + 2, NULL, -ENOENT);
	EXPECT_STREQ("inner\n", text_of(in(self->b.mnt, "remote-dir/inner")));

	EXPECT_EQ(-EOPNOTSUPP, RES(unlink(remote)));
	EXPECT_EQ(-EOPNOTSUPP, RES(rename(remote, in(self->b.mnt, "new"))));
	EXPECT_EQ(-EOPNOTSUPP, RES(rename(local, remote)));
	EXPECT_EQ(-EXDEV, RES(link(remote, in(self->b.mnt, "new"))));
	EXPECT_EQ(-EXDEV, RES(rename(local, in(self->b.mnt, "remote-dir/new"))));
	EXPECT_EQ(-EXDEV, RES(rename(in(self->b.mnt, "remote-dir/inner"),
				     in(self->b.mnt, "new"))));
	EXPECT_EQ(0, server->counts[FUSE_UNLINK]);
	EXPECT_EQ(0, server->counts[FUSE_RENAME] + server->counts[FUSE_RENAME2]);
	EXPECT_EQ(0, server->counts[FUSE_LINK]);
	EXPECT_STREQ("local\n", text_of(local));
	EXPECT_STREQ("remote\n", text_of(remote));
}

TEST_F(daemon, changes_go_to_the_backing_without_it)
{
	const char *made = in(self->b.mnt, "dir/made");

	ASSERT_EQ(0, make_file(made, "made\n", 0640));
	ASSERT_EQ(0, append_file(made, "more\n"));
	EXPECT_EQ(0, RES(rename(made, in(self->b.mnt, "moved"))));
	EXPECT_STREQ("made\nmore\n", text_of(in(self->b.back, "moved")));
	EXPECT_EQ(0, RES(unlink(in(self->b.mnt, "moved"))));
	EXPECT_EQ(-ENOENT, stat_err(in(self->b.back, "moved")));
	EXPECT_EQ(0, raw_server_total(self->b.server));
}

TEST_F(daemon, may_die)
{
	ASSERT_EQ(0, send_to_daemon(&self->filter, SCRIPTED_ANY_UID, "remote"));
	EXPECT_STREQ("remote\n", text_of(in(self->b.mnt, "remote")));
	raw_server_kill(self->b.server);
	close(self->b.dev);
	self->b.dev = -1;
	EXPECT_EQ(-ENOTCONN, RES(open(in(self->b.mnt, "remote"), O_RDONLY)));
	ASSERT_EQ(0, send_to_daemon(&self->filter, SCRIPTED_ANY_UID, "another"));
	EXPECT_EQ(-ENOTCONN, stat_err(in(self->b.mnt, "another")));
	EXPECT_STREQ("local\n", text_of(in(self->b.mnt, "local")));
	ASSERT_EQ(0, scripted_rule(&self->filter, FUSE_LOOKUP, SCRIPTED_ANY_UID, "local", -EACCES));
	EXPECT_EQ(-EACCES, stat_err(in(self->b.mnt, "local")));
}

TEST_HARNESS_MAIN
