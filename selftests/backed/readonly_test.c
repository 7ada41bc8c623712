// SPDX-License-Identifier: GPL-2.0-only
/*
 * A backing that is mounted read-only cannot be changed through a backed mount of
 * it: every call that would ends with EROFS, for root and for a user who owns
 * everything, and changes nothing.
 */
#include <fcntl.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "backed_fixture.h"
#include "harness.h"

#define OWNER USER1

FIXTURE(readonly)
{
	struct backed b;
};

FIXTURE_VARIANT(readonly)
{
	uid_t uid;
};

FIXTURE_VARIANT_ADD(readonly, root) { .uid = 0 };
FIXTURE_VARIANT_ADD(readonly, owner) { .uid = OWNER };

FIXTURE_SETUP(readonly)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, backed_make(b, "tmpfs"));
	ASSERT_EQ(0, make_file(in(b->back, "file"), "contents", 0644));
	ASSERT_EQ(0, make_file(in(b->back, "other"), "other contents", 0644));
	ASSERT_EQ(0, make_dir(in(b->back, "dir"), 0755));
	ASSERT_EQ(0, make_dir(in(b->back, "dir/empty"), 0755));
	ASSERT_EQ(0, make_file(in(b->back, "dir/sub"), "sub", 0644));
	ASSERT_EQ(0, symlink("file", in(b->back, "link")));
	ASSERT_EQ(0, mkfifo(in(b->back, "fifo"), 0644));
	ASSERT_EQ(0, setxattr(in(b->back, "file"), "user.mark", "set", 3, 0));
	ASSERT_EQ(0, sh("chown -R %d:%d %s", OWNER, OWNER, b->back));
	ASSERT_EQ(0, sh("mount -o remount,bind,ro %s", b->back));
	ASSERT_EQ(0, backed_mount(b, BACKED_ALLOW_OTHER));
}

FIXTURE_TEARDOWN(readonly)
{
	EXPECT_EQ(0, backed_destroy(&self->b));
}

static int do_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int do_bind(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	int err;

	strncpy(addr.sun_path, path, sizeof(addr.sun_path) - 1);
	err = RES(bind(fd, (struct sockaddr *)&addr, sizeof(addr)));
	close(fd);
	return err;
}

static int do_link_fd(const char *path, const char *to)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err = RES(linkat(AT_FDCWD, in("/proc/self/fd", "%d", fd), AT_FDCWD, to,
			     AT_SYMLINK_FOLLOW));

	close(fd);
	return err;
}

static int do_fchmod(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err = RES(fchmod(fd, 0600));

	close(fd);
	return err;
}

static int do_fchown(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err = RES(fchown(fd, OWNER, OWNER));

	close(fd);
	return err;
}

static int do_times(const char *path, long nsec)
{
	const struct timespec times[2] = { { 1, nsec }, { 2, nsec } };

	return RES(utimensat(AT_FDCWD, path, nsec < 0 ? NULL : times, AT_SYMLINK_NOFOLLOW));
}

static int do_fsetxattr(const char *path, const char *name)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err = RES(fsetxattr(fd, name, "new", 3, 0));

	close(fd);
	return err;
}

static int do_set_acl(const char *path, const char *name)
{
	const struct {
		struct posix_acl_xattr_header head;
		struct posix_acl_xattr_entry entries[3];
	} acl = {
		.head = { POSIX_ACL_XATTR_VERSION },
		.entries = {
			{ ACL_USER_OBJ, 6, ACL_UNDEFINED_ID },
			{ ACL_GROUP_OBJ, 4, ACL_UNDEFINED_ID },
			{ ACL_OTHER, 0, ACL_UNDEFINED_ID },
		},
	};

	return RES(setxattr(path, name, &acl, sizeof(acl), 0));
}

enum call {
	OPEN, MKDIR, MKNOD, SYMLINK, BIND, UNLINK, RMDIR, LINK, LINK_FD, RENAME,
	CHMOD, FCHMOD, CHOWN, FCHOWN, TRUNCATE, TIMES, SETXATTR, FSETXATTR, REMOVEXATTR,
	SETACL, ACCESS,
};

/**
 * struct attempt - a call that would change something
 * @call: which
 * @path: path below the mount
 * @with: second path, or the name of an attribute
 * @arg: flags, mode, size and the like
 * @mnt: the mount
 */
struct attempt {
	enum call call;
	const char *path;
	const char *with;
	long arg;
	const char *mnt;
};

static int make_attempt(void *arg)
{
	const struct attempt *at = arg;
	const char *path = in(at->mnt, "%s", at->path);
	const char *to = in(at->mnt, "%s", at->with ? at->with : "");

	switch (at->call) {
	case OPEN:
		return do_open(path, at->arg);
	case MKDIR:
		return RES(mkdir(path, at->arg));
	case MKNOD:
		return RES(mknod(path, at->arg, 0));
	case SYMLINK:
		return RES(symlink(at->with, path));
	case BIND:
		return do_bind(path);
	case UNLINK:
		return RES(unlink(path));
	case RMDIR:
		return RES(rmdir(path));
	case LINK:
		return RES(link(path, to));
	case LINK_FD:
		return do_link_fd(path, to);
	case RENAME:
		return RES(renameat2(AT_FDCWD, path, AT_FDCWD, to, at->arg));
	case CHMOD:
		return RES(chmod(path, at->arg));
	case FCHMOD:
		return do_fchmod(path);
	case CHOWN:
		return RES(lchown(path, -1, at->arg));
	case FCHOWN:
		return do_fchown(path);
	case TRUNCATE:
		return RES(truncate(path, at->arg));
	case TIMES:
		return do_times(path, at->arg);
	case SETXATTR:
		return RES(setxattr(path, at->with, "new", 3, at->arg));
	case FSETXATTR:
		return do_fsetxattr(path, at->with);
	case REMOVEXATTR:
		return RES(removexattr(path, at->with));
	case SETACL:
		return do_set_acl(path, at->with);
	case ACCESS:
		return RES(access(path, at->arg));
	}
	return 0;
}

static const struct attempt attempts[] = {
	{ OPEN, "file", .arg = O_WRONLY },
	{ OPEN, "file", .arg = O_RDWR },
	{ OPEN, "file", .arg = O_WRONLY | O_APPEND },
	{ OPEN, "file", .arg = O_RDONLY | O_TRUNC },
	{ OPEN, "file", .arg = O_RDWR | O_CREAT },
	{ OPEN, "link", .arg = O_WRONLY },
	{ OPEN, "new", .arg = O_RDONLY | O_CREAT },
	{ OPEN, "new", .arg = O_RDWR | O_CREAT },
	{ OPEN, "new", .arg = O_RDONLY | O_CREAT | O_EXCL },
	{ OPEN, "dir/new", .arg = O_RDONLY | O_CREAT },
	{ OPEN, ".", .arg = O_TMPFILE | O_RDWR },
	{ OPEN, "dir", .arg = O_TMPFILE | O_WRONLY },
	{ MKDIR, "new", .arg = 0755 },
	{ MKDIR, "dir/new", .arg = 0755 },
	{ MKNOD, "new", .arg = S_IFREG | 0600 },
	{ MKNOD, "new", .arg = S_IFIFO | 0600 },
	{ MKNOD, "new", .arg = S_IFSOCK | 0600 },
	{ SYMLINK, "new", "target" },
	{ BIND, "new" },
	{ UNLINK, "file" },
	{ UNLINK, "link" },
	{ UNLINK, "dir/sub" },
	{ RMDIR, "dir/empty" },
	{ RMDIR, "dir" },
	{ LINK, "file", "new" },
	{ LINK, "file", "dir/new" },
	{ LINK_FD, "file", "new" },
	{ RENAME, "file", "new" },
	{ RENAME, "file", "other" },
	{ RENAME, "dir/sub", "sub" },
	{ RENAME, "dir", "new" },
	{ RENAME, "file", "new", RENAME_NOREPLACE },
	{ RENAME, "file", "other", RENAME_EXCHANGE },
	{ RENAME, "dir", "file", RENAME_EXCHANGE },
	{ CHMOD, "file", .arg = 0600 },
	{ CHMOD, "dir", .arg = 0700 },
	{ CHMOD, ".", .arg = 0700 },
	{ CHMOD, "fifo", .arg = 0600 },
	{ FCHMOD, "file" },
	{ FCHMOD, "dir" },
	{ CHOWN, "file", .arg = OWNER },
	{ CHOWN, "link", .arg = OWNER },
	{ FCHOWN, "dir" },
	{ TRUNCATE, "file", .arg = 0 },
	{ TRUNCATE, "file", .arg = 8 },
	{ TRUNCATE, "file", .arg = 1 << 20 },
	{ TIMES, "file", .arg = 0 },
	{ TIMES, "file", .arg = UTIME_NOW },
	{ TIMES, "file", .arg = -1 },
	{ TIMES, "link", .arg = -1 },
	{ TIMES, "dir", .arg = -1 },
	{ SETXATTR, "file", "user.mark" },
	{ SETXATTR, "file", "user.mark", XATTR_REPLACE },
	{ SETXATTR, "dir", "user.new", XATTR_CREATE },
	{ FSETXATTR, "file", "user.mark" },
	{ REMOVEXATTR, "file", "user.mark" },
	{ SETACL, "file", "system.posix_acl_access" },
	{ SETACL, "dir", "system.posix_acl_default" },
	{ REMOVEXATTR, "dir", "system.posix_acl_default" },
	{ ACCESS, "file", .arg = W_OK },
	{ ACCESS, "dir", .arg = W_OK | X_OK },
};

TEST_F(readonly, every_change_is_refused)
{
	unsigned long before = tree_digest(self->b.back);
	struct attempt attempt;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(attempts); i++) {
		attempt = attempts[i];
		attempt.mnt = self->b.mnt;
		EXPECT_EQ(-EROFS, as_user(variant->uid, variant->uid, make_attempt, &attempt))
			TH_LOG("attempt %zu at %s", i, attempt.path);
		ASSERT_EQ(before, tree_digest(self->b.back))
			TH_LOG("attempt %zu at %s", i, attempt.path);
	}
	EXPECT_EQ(0, diff_tree(self->b.back, self->b.mnt));
}

/* What exists goes before what may be done, as on any read-only file system. */
static int named(void *arg)
{
	const char *mnt = arg;

	if (mkdir(in(mnt, "dir"), 0755) != -1 || errno != EEXIST)
		return 1;
	if (symlink("x", in(mnt, "file")) != -1 || errno != EEXIST)
		return 2;
	if (link(in(mnt, "other"), in(mnt, "file")) != -1 || errno != EEXIST)
		return 3;
	if (unlink(in(mnt, "none")) != -1 || errno != ENOENT)
		return 4;
	if (rmdir(in(mnt, "none")) != -1 || errno != ENOENT)
		return 5;
	if (rename(in(mnt, "none"), in(mnt, "other")) != -1 || errno != ENOENT)
		return 6;
	if (open(in(mnt, "file"), O_CREAT | O_EXCL | O_RDWR, 0600) != -1 || errno != EEXIST)
		return 7;
	if (mkdir(in(mnt, "none/new"), 0755) != -1 || errno != ENOENT)
		return 8;
	if (open(in(mnt, "dir"), O_RDWR) != -1 || errno != EISDIR)
		return 9;
	return 0;
}

TEST_F(readonly, errors_that_come_first)
{
	EXPECT_EQ(0, as_user(variant->uid, variant->uid, named, self->b.mnt));
}

static int across(void *arg)
{
	const struct backed *b = arg;

	if (rename(in(b->mnt, "file"), in(b->back, "new")) != -1 || errno != EXDEV)
		return 1;
	if (rename(in(b->back, "file"), in(b->mnt, "new")) != -1 || errno != EXDEV)
		return 2;
	if (link(in(b->back, "file"), in(b->mnt, "new")) != -1 || errno != EXDEV)
		return 3;
	/* That the target is read-only comes before that it is elsewhere */
	if (link(in(b->mnt, "file"), in(b->back, "new")) != -1 || errno != EROFS)
		return 4;
	return 0;
}

TEST_F(readonly, across_the_mount)
{
	EXPECT_EQ(0, as_user(variant->uid, variant->uid, across, &self->b));
}

/* Only root may set these; nobody can here. */
TEST_F(readonly, privileged_attributes)
{
	const char *file = in(self->b.mnt, "file");
	unsigned long before = tree_digest(self->b.back);

	EXPECT_EQ(-EROFS, RES(setxattr(file, "trusted.mark", "x", 1, 0)));
	EXPECT_EQ(-EROFS, RES(removexattr(file, "trusted.mark")));
	EXPECT_EQ(-EROFS, RES(setxattr(file, "security.mark", "x", 1, 0)));
	EXPECT_EQ(-EROFS, RES(mknod(in(self->b.mnt, "new"), S_IFCHR | 0600, makedev(1, 3))));
	EXPECT_EQ(-EROFS, RES(renameat2(AT_FDCWD, file, AT_FDCWD, in(self->b.mnt, "new"),
					RENAME_WHITEOUT)));
	EXPECT_EQ(-EROFS, RES(chown(file, USER2, USER2)));
	EXPECT_EQ(before, tree_digest(self->b.back));
}

TEST_F(readonly, open_descriptors)
{
	int fd = open(in(self->b.mnt, "file"), O_RDONLY);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EINVAL, RES(ftruncate(fd, 0)));
	EXPECT_EQ(-EBADF, RES(fallocate(fd, 0, 0, 100)));
	EXPECT_EQ(-EBADF, RES(pwrite(fd, "x", 1, 0)));
	close(fd);
}

TEST_HARNESS_MAIN
