// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every operation on a backed inode, sent to the daemon: that it arrives, that its
 * answer is the result, that the backing is not touched, and that the backing's
 * answers are right afterwards.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "backed_fixture.h"
#include "harness.h"
#include "route_all.h"
#include "tree_server.h"

FIXTURE(route)
{
	struct backed b;
	struct tree_server *tree;
	struct filter filter;
	int dir;
	unsigned long digest;
};

FIXTURE_SETUP(route)
{
	ASSERT_EQ(0, backed_make(&self->b, "tmpfs"));
	ASSERT_EQ(0, make_dir(in(self->b.back, "d"), 0777));
	ASSERT_EQ(0, make_dir(in(self->b.back, "d/empty"), 0777));
	ASSERT_EQ(0, make_dir(in(self->b.back, "e"), 0777));
	ASSERT_EQ(0, make_file(in(self->b.back, "d/file"), "of the backing\n", 0640));
	ASSERT_EQ(0, make_file(in(self->b.back, "d/other"), "other\n", 0644));
	ASSERT_EQ(0, RES(symlink("of-the-backing", in(self->b.back, "d/link"))));
	ASSERT_EQ(0, RES(setxattr(in(self->b.back, "d/file"), "user.backing", "b", 1, 0)));
	self->tree = tree_server_setup(&self->b, BACKED_ALLOW_OTHER);
	ASSERT_NE(NULL, self->tree);
	self->dir = open_dir(self->b.mnt, 0);
	ASSERT_LE(0, self->dir);
	ASSERT_EQ(0, route_load(&self->filter, self->dir));
	self->digest = tree_digest(self->b.back);
}

FIXTURE_TEARDOWN(route)
{
	filter_destroy(&self->filter);
	EXPECT_EQ(0, diff_tree(self->b.back, self->b.mnt));
	close(self->dir);
	EXPECT_EQ(0, tree_server_wait_forgotten(self->tree));
	EXPECT_EQ(0, self->b.server->kernel_nodes);
	EXPECT_EQ(0, backed_destroy(&self->b));
	tree_server_free(self->tree);
}

/* Send an opcode to the daemon, and have its result seen by the postfilter. */
#define TO_DAEMON(opcode)							\
	ASSERT_EQ(0, route(&self->filter, opcode, FUSE_FILTER_DAEMON | FUSE_FILTER_POST))

#define TO_BACKING(opcode) ASSERT_EQ(0, route(&self->filter, opcode, FUSE_FILTER_DEFAULT))

/* The daemon was asked once, the filter before and after it, and it counts as such. */
#define EXPECT_ASKED(opcode)							\
	do {									\
		EXPECT_EQ(1, tree_server_count(self->tree, opcode, 0));		\
		EXPECT_EQ(1, route_seen(&self->filter, opcode).posts);		\
	} while (0)

#define EXPECT_BACKING_KEPT() EXPECT_EQ(self->digest, tree_digest(self->b.back))

TEST_F(route, getattr)
{
	const char *file = in(self->b.mnt, "d/file");
	struct op_counts counts;
	struct stat st;

	ASSERT_EQ(0, counts_read(self->dir, &counts));
	TO_DAEMON(FUSE_GETATTR);
	ASSERT_EQ(0, RES(lstat(file, &st)));
	EXPECT_EQ(TREE_SIZE, st.st_size);
	EXPECT_EQ(tree_server_id(self->tree, "d/file"), st.st_ino);
	EXPECT_ASKED(FUSE_GETATTR);
	ASSERT_EQ(0, counts_since(self->dir, &counts));
	EXPECT_EQ(0, counts.ops[FUSE_GETATTR].backing);
	EXPECT_EQ(1, counts.ops[FUSE_GETATTR].daemon);

	/* The daemon said that its attributes are good for an hour: not for ours */
	TO_BACKING(FUSE_GETATTR);
	EXPECT_EQ(0, diff_stat(in(self->b.back, "d/file"), file));
	TO_DAEMON(FUSE_GETATTR);
	ASSERT_EQ(0, RES(lstat(file, &st)));
	EXPECT_EQ(TREE_SIZE, st.st_size);
}

static int statx_size(const char *path, int flags, unsigned int mask)
{
	struct statx stx = {};
	int err = RES(statx(AT_FDCWD, path, flags, mask, &stx));

	return err ? err : (int)stx.stx_size;
}

TEST_F(route, statx)
{
	const char *file = in(self->b.mnt, "d/file");

	TO_DAEMON(FUSE_GETATTR);
	EXPECT_EQ(TREE_SIZE, statx_size(file, AT_STATX_DONT_SYNC, STATX_SIZE));
	EXPECT_EQ(TREE_SIZE, statx_size(file, AT_STATX_DONT_SYNC, 0));
	EXPECT_EQ(TREE_SIZE, statx_size(file, 0, STATX_BTIME));
	EXPECT_EQ(1, tree_server_count(self->tree, FUSE_STATX, 0));
	TO_BACKING(FUSE_GETATTR);
	EXPECT_EQ(15, statx_size(file, AT_STATX_DONT_SYNC, STATX_SIZE));
}

TEST_F(route, a_wrong_answer_does_not_make_the_inode_bad)
{
	const struct fuse_attr_out out = { .attr = raw_attr(5, S_IFDIR | 0755, 1) };
	const char *file = in(self->b.mnt, "d/file");

	raw_reply_add(self->b.server, FUSE_GETATTR, 0, NULL, &out, sizeof(out));
	TO_DAEMON(FUSE_GETATTR);
	EXPECT_EQ(-EIO, statx_size(file, 0, STATX_SIZE));
	TO_BACKING(FUSE_GETATTR);
	EXPECT_EQ(15, statx_size(file, 0, STATX_SIZE));
	EXPECT_STREQ("of the backing\n", text_of(file));
}

TEST_F(route, setattr)
{
	const char *file = in(self->b.mnt, "d/file");

	TO_DAEMON(FUSE_SETATTR);
	EXPECT_EQ(0, RES(chmod(file, 0600)));
	EXPECT_ASKED(FUSE_SETATTR);
	EXPECT_EQ(0, RES(truncate(file, 3)));
	EXPECT_EQ(0, RES(utimensat(AT_FDCWD, file, NULL, 0)));
	EXPECT_EQ(3, tree_server_count(self->tree, FUSE_SETATTR, 0));
	EXPECT_BACKING_KEPT();
	EXPECT_EQ(0, diff_stat(in(self->b.back, "d/file"), file));
}

TEST_F(route, truncating_open)
{
	int fd;

	TO_DAEMON(FUSE_SETATTR);
	fd = open(in(self->b.mnt, "d/file"), O_WRONLY | O_TRUNC | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_ASKED(FUSE_SETATTR);
	EXPECT_EQ(0, tree_server_count(self->tree, FUSE_OPEN, 0));
	EXPECT_BACKING_KEPT();
	close(fd);
}

TEST_F(route, readlink)
{
	char buf[64] = {};
	const char *link = in(self->b.mnt, "d/link");

	TO_DAEMON(FUSE_READLINK);
	EXPECT_EQ((ssize_t)strlen(TREE_TARGET), readlink(link, buf, sizeof(buf)));
	EXPECT_STREQ(TREE_TARGET, buf);
	EXPECT_ASKED(FUSE_READLINK);
	TO_BACKING(FUSE_READLINK);
	memset(buf, 0, sizeof(buf));
	EXPECT_EQ(14, readlink(link, buf, sizeof(buf)));
	EXPECT_STREQ("of-the-backing", buf);
}

TEST_F(route, access)
{
	const char *file = in(self->b.mnt, "d/file");

	TO_DAEMON(FUSE_ACCESS);
	EXPECT_EQ(0, RES(access(file, R_OK)));
	EXPECT_LE(1, tree_server_count(self->tree, FUSE_ACCESS,
				       tree_server_id(self->tree, "d/file")));
	/* Its refusal counts, and what the backing refuses it cannot grant */
	EXPECT_EQ(-EACCES, user_access(USER1, file, R_OK));
	raw_reply_error(self->b.server, FUSE_ACCESS, tree_server_id(self->tree, "d/file"), NULL,
			-EPERM);
	EXPECT_EQ(-EPERM, RES(open(file, O_RDONLY)));
	EXPECT_EQ(-EACCES, user_access(USER1, file, R_OK));
}

/* Makes something at d/new; returns an errno */
static int make_new(const struct backed *b, __u32 opcode)
{
	const char *new = in(b->mnt, "d/new");

	switch (opcode) {
	case FUSE_MKNOD:
		return RES(mknod(new, S_IFIFO | 0644, 0));
	case FUSE_MKDIR:
		return RES(mkdir(new, 0755));
	case FUSE_SYMLINK:
		return RES(symlink("x", new));
	case FUSE_LINK:
		return RES(link(in(b->mnt, "d/file"), new));
	}
	return -EINVAL;
}

#define MAKE_TEST(name, opcode)							\
TEST_F(route, name)								\
{										\
	const char *new = in(self->b.mnt, "d/new");				\
	struct stat st;								\
										\
	TO_DAEMON(opcode);							\
	EXPECT_EQ(0, make_new(&self->b, opcode));				\
	EXPECT_ASKED(opcode);							\
	EXPECT_NE(0, tree_server_id(self->tree, "d/new"));			\
	EXPECT_BACKING_KEPT();							\
	/* It is there for whoever looks for it where it is */			\
	EXPECT_EQ(-ENOENT, RES(lstat(new, &st)));				\
	ASSERT_EQ(0, route_name(&self->filter, "new", FUSE_FILTER_DAEMON));	\
	EXPECT_EQ(0, RES(lstat(new, &st)));					\
	EXPECT_EQ(tree_server_id(self->tree, "d/new"), st.st_ino);		\
	/* A postfilter can keep it from the caller */				\
	ASSERT_EQ(0, route_name(&self->filter, "new", FUSE_FILTER_DEFAULT));	\
	ASSERT_EQ(0, route_rule(&self->filter, opcode, (struct route_rule){	\
		.verdict = FUSE_FILTER_DAEMON | FUSE_FILTER_POST, .post = -EDOM }));	\
	EXPECT_EQ(-EDOM, make_new(&self->b, opcode));				\
}

MAKE_TEST(mknod, FUSE_MKNOD)
MAKE_TEST(mkdir, FUSE_MKDIR)
MAKE_TEST(symlink, FUSE_SYMLINK)
MAKE_TEST(link, FUSE_LINK)

TEST_F(route, a_link_is_the_node_it_was)
{
	const char *new = in(self->b.mnt, "d/new");
	struct stat st;

	self->tree->same_links = true;
	TO_DAEMON(FUSE_LINK);
	EXPECT_EQ(0, make_new(&self->b, FUSE_LINK));
	EXPECT_ASKED(FUSE_LINK);
	EXPECT_BACKING_KEPT();
	EXPECT_EQ(-ENOENT, RES(lstat(new, &st)));
	/* That of the answer was given back: one for the directory and the file each */
	for (int i = 0; i < 100 && tree_server_lookups(self->tree) != 2; i++)
		usleep(10000);
	EXPECT_EQ(2, tree_server_lookups(self->tree));
}

TEST_F(route, create)
{
	const char *new = in(self->b.mnt, "d/new");
	char byte = 0;
	int fd;

	TO_DAEMON(FUSE_CREATE);
	fd = open(new, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	/* It is made, and then opened as any of the daemon's files is */
	EXPECT_EQ(1, tree_server_count(self->tree, FUSE_MKNOD, tree_server_id(self->tree, "d")));
	EXPECT_EQ(1, tree_server_count(self->tree, FUSE_OPEN,
				       tree_server_id(self->tree, "d/new")));
	EXPECT_EQ(1, read(fd, &byte, 1));
	EXPECT_EQ(TREE_BYTE, byte);
	EXPECT_BACKING_KEPT();
	close(fd);
	/* It is the daemon's as long as its name is looked up there */
	EXPECT_EQ(-ENOENT, RES(open(new, O_RDONLY)));
	ASSERT_EQ(0, route_name(&self->filter, "new", FUSE_FILTER_DAEMON));
	fd = open(new, O_RDONLY | O_CLOEXEC);
	EXPECT_LE(0, fd);
	close(fd);
	/* Nothing keeps the backing from having that name too */
	ASSERT_EQ(0, route_name(&self->filter, "new", FUSE_FILTER_DEFAULT));
	TO_BACKING(FUSE_CREATE);
	EXPECT_EQ(0, make_file(new, "backing\n", 0644));
	EXPECT_STREQ("backing\n", text_of(in(self->b.back, "d/new")));
}

TEST_F(route, tmpfile)
{
	char byte = 0;
	int fd;

	TO_DAEMON(FUSE_TMPFILE);
	fd = open(in(self->b.mnt, "d"), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	EXPECT_ASKED(FUSE_TMPFILE);
	EXPECT_EQ(1, read(fd, &byte, 1));
	EXPECT_EQ(TREE_BYTE, byte);
	close(fd);
}

TEST_F(route, unlink)
{
	const char *file = in(self->b.mnt, "d/file");

	TO_DAEMON(FUSE_UNLINK);
	EXPECT_EQ(0, RES(unlink(file)));
	EXPECT_ASKED(FUSE_UNLINK);
	EXPECT_BACKING_KEPT();
	/* Only the directory had to be known for it */
	EXPECT_EQ(1, tree_server_count(self->tree, FUSE_LOOKUP, 0));
	/* What the daemon has removed of its own, the backing still has */
	EXPECT_STREQ("of the backing\n", text_of(file));
	EXPECT_EQ(0, diff_stat(in(self->b.back, "d/file"), file));
	/* And its refusal is the result */
	raw_reply_error(self->b.server, FUSE_UNLINK, 0, NULL, -EDQUOT);
	EXPECT_EQ(-EDQUOT, RES(unlink(file)));
}

TEST_F(route, rmdir)
{
	struct stat st;

	TO_DAEMON(FUSE_RMDIR);
	EXPECT_EQ(0, RES(rmdir(in(self->b.mnt, "d/empty"))));
	EXPECT_ASKED(FUSE_RMDIR);
	EXPECT_BACKING_KEPT();
	EXPECT_EQ(0, RES(lstat(in(self->b.mnt, "d/empty"), &st)));
}

TEST_F(route, removing_what_the_daemon_serves)
{
	const char *name = in(self->b.mnt, "d/server-file");

	ASSERT_EQ(0, route_name(&self->filter, "server-file", FUSE_FILTER_DAEMON));
	EXPECT_EQ(-EOPNOTSUPP, RES(unlink(name)));
	TO_DAEMON(FUSE_UNLINK);
	EXPECT_EQ(0, RES(unlink(name)));
	EXPECT_ASKED(FUSE_UNLINK);
}

TEST_F(route, rename)
{
	const char *file = in(self->b.mnt, "d/file"), *new = in(self->b.mnt, "e/new");
	struct stat st;

	TO_DAEMON(FUSE_RENAME2);
	EXPECT_EQ(0, RES(rename(file, new)));
	EXPECT_EQ(1, tree_server_count(self->tree, FUSE_RENAME, tree_server_id(self->tree, "d")));
	EXPECT_NE(0, tree_server_id(self->tree, "e"));
	EXPECT_BACKING_KEPT();
	/* For the backing nothing has moved */
	EXPECT_STREQ("of the backing\n", text_of(file));
	EXPECT_EQ(-ENOENT, RES(lstat(new, &st)));
	EXPECT_EQ(0, RES(renameat2(AT_FDCWD, file, AT_FDCWD, in(self->b.mnt, "d/other"),
				   RENAME_EXCHANGE)));
	EXPECT_EQ(1, tree_server_count(self->tree, FUSE_RENAME2, 0));
	EXPECT_STREQ("of the backing\n", text_of(file));
	EXPECT_STREQ("other\n", text_of(in(self->b.mnt, "d/other")));
}

TEST_F(route, xattrs)
{
	const char *file = in(self->b.mnt, "d/file");
	char buf[64] = {};

	TO_DAEMON(FUSE_GETXATTR);
	EXPECT_EQ(6, RES(getxattr(file, "user.backing", buf, sizeof(buf))));
	EXPECT_STREQ("server", buf);
	EXPECT_ASKED(FUSE_GETXATTR);
	EXPECT_EQ(6, RES(getxattr(file, "user.backing", NULL, 0)));
	TO_DAEMON(FUSE_SETXATTR);
	EXPECT_EQ(0, RES(setxattr(file, "user.new", "x", 1, 0)));
	EXPECT_ASKED(FUSE_SETXATTR);
	TO_DAEMON(FUSE_REMOVEXATTR);
	EXPECT_EQ(0, RES(removexattr(file, "user.backing")));
	EXPECT_ASKED(FUSE_REMOVEXATTR);
	TO_DAEMON(FUSE_LISTXATTR);
	EXPECT_EQ(12, RES(listxattr(file, buf, sizeof(buf))));
	EXPECT_STREQ("user.server", buf);
	EXPECT_EQ(1, tree_server_count(self->tree, FUSE_SETXATTR, 0));
	TO_BACKING(FUSE_GETXATTR);
	EXPECT_EQ(1, RES(getxattr(file, "user.backing", buf, sizeof(buf))));
	EXPECT_EQ(-ENODATA, RES(getxattr(file, "user.new", buf, sizeof(buf))));
	EXPECT_BACKING_KEPT();
}

/* A list of xattrs is filtered whoever it is from */
TEST_F(route, xattr_names_can_be_hidden)
{
	const char *file = in(self->b.mnt, "d/file");
	struct route_seen before = route_seen(&self->filter, FUSE_LISTXATTR);
	char buf[64];

	TO_DAEMON(FUSE_LISTXATTR);
	EXPECT_EQ(12, RES(listxattr(file, NULL, 0)));
	EXPECT_EQ(-ERANGE, RES(listxattr(file, buf, 3)));
	EXPECT_EQ(before.calls + 2, route_seen(&self->filter, FUSE_LISTXATTR).calls);
}

TEST_F(route, acls)
{
	/* One entry each for the owner, the group and the others, rwx */
	static const unsigned char acl[] = {
		2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 4, 0, 7, 0, 255, 255, 255, 255,
		32, 0, 7, 0, 255, 255, 255, 255,
	};
	const char *file = in(self->b.mnt, "d/file");
	char buf[64];

	TO_DAEMON(FUSE_SETXATTR);
	EXPECT_EQ(0, RES(setxattr(file, "system.posix_acl_access", acl, sizeof(acl), 0)));
	EXPECT_ASKED(FUSE_SETXATTR);
	EXPECT_BACKING_KEPT();
	TO_DAEMON(FUSE_GETXATTR);
	/* "server" is no ACL */
	EXPECT_GT(0, RES(getxattr(file, "system.posix_acl_access", buf, sizeof(buf))));
	EXPECT_EQ(1, tree_server_count(self->tree, FUSE_GETXATTR, 0));
	EXPECT_EQ(-EACCES, user_access(USER1, file, R_OK));
}

TEST_F(route, statfs)
{
	struct statfs stf;

	TO_DAEMON(FUSE_STATFS);
	ASSERT_EQ(0, RES(statfs(in(self->b.mnt, "d"), &stf)));
	EXPECT_EQ(TREE_OFFSET, stf.f_namelen);
	EXPECT_ASKED(FUSE_STATFS);
}

static int names_in(const char *path, char *names, size_t size)
{
	struct dirent *entry;
	DIR *dir = opendir(path);

	names[0] = '\0';
	if (!dir)
		return -errno;
	errno = 0;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		strncat(names, entry->d_name, size - strlen(names) - 1);
		strncat(names, " ", size - strlen(names) - 1);
	}
	closedir(dir);
	return -errno;
}

TEST_F(route, readdir)
{
	const char *dir = in(self->b.mnt, "d");
	char names[256];
	struct stat st;

	TO_DAEMON(FUSE_READDIR);
	EXPECT_EQ(0, names_in(dir, names, sizeof(names)));
	EXPECT_STREQ("server ", names);
	EXPECT_EQ(1, tree_server_count(self->tree, FUSE_OPENDIR, 0));
	EXPECT_EQ(0, tree_server_count(self->tree, FUSE_READDIRPLUS, 0));
	/* The daemon lists it, and the name is looked up where its rule says */
	EXPECT_EQ(-ENOENT, RES(lstat(in(dir, "server"), &st)));
	ASSERT_EQ(0, route_name(&self->filter, "server", FUSE_FILTER_DAEMON));
	EXPECT_EQ(0, RES(lstat(in(dir, "server"), &st)));
	EXPECT_STREQ("other\n", text_of(in(dir, "other")));
	/* Entries are shown or not whoever lists them */
	ASSERT_EQ(0, tree_server_wait_forgotten(self->tree));
	TO_BACKING(FUSE_READDIR);
	EXPECT_EQ(0, names_in(dir, names, sizeof(names)));
	EXPECT_NE(NULL, strstr(names, "file "));
	EXPECT_EQ(NULL, strstr(names, "server"));
}

TEST_F(route, opendir)
{
	const char *dir = in(self->b.mnt, "d");
	char names[256];

	TO_DAEMON(FUSE_OPENDIR);
	EXPECT_EQ(0, names_in(dir, names, sizeof(names)));
	EXPECT_STREQ("server ", names);
	EXPECT_ASKED(FUSE_OPENDIR);
	ASSERT_EQ(0, tree_server_wait_forgotten(self->tree));
	EXPECT_EQ(1, tree_server_count(self->tree, FUSE_RELEASEDIR, 0));
	raw_reply_error(self->b.server, FUSE_OPENDIR, 0, NULL, -EPERM);
	EXPECT_EQ(-EPERM, names_in(dir, names, sizeof(names)));
}

TEST_F(route, changes_of_an_open_file)
{
	int fd = open(in(self->b.mnt, "d/file"), O_RDWR | O_CLOEXEC);
	int dir = open_dir(in(self->b.mnt, "d"), 0);

	ASSERT_LE(0, fd);
	ASSERT_LE(0, dir);
	TO_DAEMON(FUSE_FSYNC);
	EXPECT_EQ(0, RES(fsync(fd)));
	EXPECT_ASKED(FUSE_FSYNC);
	TO_DAEMON(FUSE_FSYNCDIR);
	EXPECT_EQ(0, RES(fsync(dir)));
	EXPECT_ASKED(FUSE_FSYNCDIR);
	TO_DAEMON(FUSE_FALLOCATE);
	EXPECT_EQ(0, RES(fallocate(fd, 0, 0, 1 << 20)));
	EXPECT_ASKED(FUSE_FALLOCATE);
	TO_DAEMON(FUSE_LSEEK);
	EXPECT_EQ(TREE_OFFSET, lseek(fd, 0, SEEK_DATA));
	EXPECT_ASKED(FUSE_LSEEK);
	EXPECT_EQ(5, lseek(fd, 5, SEEK_SET));
	EXPECT_EQ(TREE_OFFSET, lseek(fd, 0, SEEK_END));
	EXPECT_EQ(1, tree_server_count(self->tree, FUSE_OPEN, 0));
	EXPECT_EQ(1, tree_server_count(self->tree, FUSE_OPENDIR, 0));
	EXPECT_BACKING_KEPT();
	EXPECT_EQ(0, diff_stat(in(self->b.back, "d/file"), in(self->b.mnt, "d/file")));
	close(dir);
	close(fd);
}

TEST_F(route, appending)
{
	const char *file = in(self->b.mnt, "d/file");
	int fd = open(file, O_WRONLY | O_APPEND | O_CLOEXEC);

	ASSERT_LE(0, fd);
	TO_DAEMON(FUSE_WRITE);
	EXPECT_EQ(4, write(fd, "more", 4));
	EXPECT_ASKED(FUSE_WRITE);
	TO_BACKING(FUSE_WRITE);
	EXPECT_EQ(4, write(fd, "here", 4));
	EXPECT_STREQ("of the backing\nhere", text_of(in(self->b.back, "d/file")));
	close(fd);
}

TEST_F(route, copying)
{
	int from = open(in(self->b.mnt, "d/file"), O_RDONLY | O_CLOEXEC);
	int to = open(in(self->b.mnt, "d/other"), O_RDWR | O_CLOEXEC);
	char buf[16] = {};

	ASSERT_LE(0, from);
	ASSERT_LE(0, to);
	TO_DAEMON(FUSE_COPY_FILE_RANGE);
	EXPECT_EQ(8, RES(copy_file_range(from, NULL, to, NULL, 8, 0)));
	EXPECT_EQ(1, tree_server_count(self->tree, FUSE_COPY_FILE_RANGE,
				       tree_server_id(self->tree, "d/file")));
	EXPECT_EQ(2, tree_server_count(self->tree, FUSE_OPEN, 0));
	EXPECT_EQ(-EOPNOTSUPP, RES(ioctl(to, FICLONE, from)));
	EXPECT_BACKING_KEPT();
	/* Who copies what the daemon would read copies what it reads */
	TO_BACKING(FUSE_COPY_FILE_RANGE);
	TO_DAEMON(FUSE_READ);
	EXPECT_EQ(-EACCES, RES(ioctl(to, FICLONE, from)));
	EXPECT_EQ(4, RES(copy_file_range(from, (off_t[]){ 0 }, to, (off_t[]){ 0 }, 4, 0)));
	TO_BACKING(FUSE_READ);
	EXPECT_EQ(6, pread(to, buf, sizeof(buf), 0));
	EXPECT_STREQ("DDDDr\n", buf);
	close(from);
	close(to);
}

TEST_F(route, locks)
{
	struct flock lock = { .l_type = F_WRLCK };
	int fd = open(in(self->b.mnt, "d/file"), O_RDWR | O_CLOEXEC);
	int back = open(in(self->b.back, "d/file"), O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, fd);
	ASSERT_LE(0, back);
	TO_DAEMON(FUSE_SETLK);
	TO_DAEMON(FUSE_GETLK);
	EXPECT_EQ(0, RES(fcntl(fd, F_SETLK, &lock)));
	EXPECT_EQ(0, RES(flock(fd, LOCK_EX | LOCK_NB)));
	EXPECT_EQ(2, tree_server_count(self->tree, FUSE_SETLK, 0));
	EXPECT_EQ(2, route_seen(&self->filter, FUSE_SETLK).posts);
	EXPECT_EQ(0, RES(fcntl(fd, F_GETLK, &lock)));
	EXPECT_EQ(F_UNLCK, lock.l_type);
	EXPECT_ASKED(FUSE_GETLK);
	/* The backing knows nothing of them */
	lock = (struct flock){ .l_type = F_WRLCK };
	EXPECT_EQ(0, RES(fcntl(back, F_OFD_SETLK, &lock)));
	EXPECT_EQ(0, RES(flock(back, LOCK_EX | LOCK_NB)));
	/* To let go without LOCK_NB is a request that may wait */
	TO_DAEMON(FUSE_SETLKW);
	EXPECT_EQ(0, RES(flock(fd, LOCK_UN)));
	EXPECT_ASKED(FUSE_SETLKW);
	close(back);
	close(fd);
	/* Files that the daemon has open are flushed there */
	EXPECT_EQ(1, tree_server_count(self->tree, FUSE_FLUSH, 0));
}

/* By its number, or as what chattr(1) uses */
TEST_F(route, ioctls)
{
	int fd = open(in(self->b.mnt, "d/file"), O_RDWR | O_CLOEXEC), value = 0;
	const unsigned int *asked = &self->b.server->counts[FUSE_IOCTL];

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, RES(ioctl(fd, FS_IOC_GETFLAGS, &value)));
	raw_reply_error(self->b.server, FUSE_IOCTL, 0, NULL, -EXFULL);
	TO_DAEMON(FUSE_IOCTL);
	EXPECT_EQ(-EXFULL, RES(ioctl(fd, FS_IOC_GETVERSION, &value)));
	EXPECT_EQ(1, *asked);
	EXPECT_EQ(-EXFULL, RES(ioctl(fd, FS_IOC_GETFLAGS, &value)));
	EXPECT_EQ(2, *asked);
	value = FS_NODUMP_FL;
	EXPECT_EQ(-EXFULL, RES(ioctl(fd, FS_IOC_SETFLAGS, &value)));
	EXPECT_LT(2, *asked);
	EXPECT_EQ(*asked, route_seen(&self->filter, FUSE_IOCTL).posts);
	TO_BACKING(FUSE_IOCTL);
	EXPECT_EQ(0, RES(ioctl(fd, FS_IOC_GETFLAGS, &value)));
	EXPECT_EQ(0, value & FS_NODUMP_FL);
	EXPECT_BACKING_KEPT();
	close(fd);
}

/* A file that the server has open: what is changed by its descriptor is changed there. */
TEST_F(route, setattr_of_an_open_file)
{
	int fd;

	TO_DAEMON(FUSE_OPEN);
	fd = open(in(self->b.mnt, "d/file"), O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	TO_DAEMON(FUSE_SETATTR);
	EXPECT_EQ(0, RES(ftruncate(fd, 3)));
	EXPECT_ASKED(FUSE_SETATTR);
	EXPECT_BACKING_KEPT();
	close(fd);
}

/* What the server makes has handles of another kind, which can be opened as little. */
TEST_F(route, handles)
{
	struct {
		struct file_handle head;
		unsigned char room[64];
	} ours = { .head.handle_bytes = 64 }, servers = { .head.handle_bytes = 64 };
	const char *made = in(self->b.mnt, "d/made");
	int mount_id;

	ASSERT_EQ(0, route_name(&self->filter, "made", FUSE_FILTER_DAEMON));
	TO_DAEMON(FUSE_MKDIR);
	EXPECT_EQ(0, RES(mkdir(made, 0755)));
	EXPECT_EQ(0, RES(name_to_handle_at(AT_FDCWD, made, &servers.head, &mount_id, AT_HANDLE_FID)));
	EXPECT_EQ(0, RES(name_to_handle_at(AT_FDCWD, in(self->b.mnt, "d/file"), &ours.head, &mount_id,
					   AT_HANDLE_FID)));
	EXPECT_NE(ours.head.handle_type, servers.head.handle_type);
	EXPECT_EQ(12, servers.head.handle_bytes);
	EXPECT_GT(0, open_by_handle_at(self->dir, &servers.head, O_PATH));
	servers.head.handle_bytes = 8;
	EXPECT_EQ(-EOVERFLOW, RES(name_to_handle_at(AT_FDCWD, made, &servers.head, &mount_id,
						    AT_HANDLE_FID)));
	EXPECT_BACKING_KEPT();
}

/* Nobody is kept from letting go of a lock. */
TEST_F(route, unlocking_cannot_be_refused)
{
	struct flock lock = { .l_type = F_WRLCK };
	int fd = open(in(self->b.mnt, "d/file"), O_RDWR | O_CLOEXEC);
	int back = open(in(self->b.back, "d/file"), O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, fd);
	ASSERT_LE(0, back);
	EXPECT_EQ(0, RES(fcntl(fd, F_SETLK, &lock)));
	EXPECT_EQ(0, RES(flock(fd, LOCK_EX | LOCK_NB)));
	EXPECT_EQ(-EAGAIN, RES(fcntl(back, F_OFD_SETLK, &lock)));
	EXPECT_EQ(-EAGAIN, RES(flock(back, LOCK_EX | LOCK_NB)));
	ASSERT_EQ(0, route(&self->filter, FUSE_SETLK, -EACCES));
	ASSERT_EQ(0, route(&self->filter, FUSE_SETLKW, -EACCES));
	EXPECT_EQ(-EACCES, RES(fcntl(fd, F_SETLK, &lock)));
	EXPECT_EQ(-EACCES, RES(flock(fd, LOCK_SH | LOCK_NB)));
	lock.l_type = F_UNLCK;
	EXPECT_EQ(0, RES(fcntl(fd, F_SETLK, &lock)));
	EXPECT_EQ(0, RES(flock(fd, LOCK_UN)));
	lock.l_type = F_WRLCK;
	EXPECT_EQ(0, RES(fcntl(back, F_OFD_SETLK, &lock)));
	EXPECT_EQ(0, RES(flock(back, LOCK_EX | LOCK_NB)));
	close(back);
	close(fd);
}

TEST_F(route, everything)
{
	char buf[64];
	int op, fd;

	for (op = 1; op < ROUTE_OPS; op++) {
		if (op != FUSE_LOOKUP && op < 60)
			TO_DAEMON(op);
	}
	fd = open(in(self->b.mnt, "d/file"), O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(4, read(fd, buf, 4));
	EXPECT_EQ(4, write(fd, buf, 4));
	EXPECT_EQ(0, RES(fsync(fd)));
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(0, sh("ls %s >/dev/null", self->b.mnt));
	EXPECT_BACKING_KEPT();
	for (op = 1; op < ROUTE_OPS; op++)
		TO_BACKING(op);
}

TEST_HARNESS_MAIN
