// SPDX-License-Identifier: GPL-2.0-only
/*
 * Making a mount, and what it holds on to: options that do not go together, stacks
 * of file systems, and the backing while it is mounted and after.
 */
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/mount.h>

#include "backed_fixture.h"
#include "harness.h"
#include "idmap.h"

FIXTURE(mount)
{
	struct backed b;
	int back;
	int dev;
};

FIXTURE_SETUP(mount)
{
	ASSERT_EQ(0, backed_make(&self->b, "tmpfs"));
	ASSERT_EQ(0, make_file(in(self->b.back, "file"), "text", 0644));
	self->back = open_dir(self->b.back, O_PATH);
	self->dev = open(device_path(), O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->back);
	ASSERT_LE(0, self->dev);
}

FIXTURE_TEARDOWN(mount)
{
	close(self->back);
	close(self->dev);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

TEST_F(mount, works)
{
	struct backed *b = &self->b;

	EXPECT_EQ(0, try_mount(TRY_MOUNT(.backing = self->back, .daemonless = true)));
	EXPECT_EQ(0, try_mount(TRY_MOUNT(.backing = self->back, .daemonless = true, .at = b->mnt)));
	EXPECT_STREQ("text", text_of(in(b->mnt, "file")));
	EXPECT_EQ(0, umount(b->mnt));
	EXPECT_EQ(-ENOENT, RES(access(in(b->mnt, "file"), F_OK)));
}

TEST_F(mount, by_an_open_directory)
{
	struct backed *b = &self->b;
	int fd = open_dir(b->back, 0);

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, try_mount(TRY_MOUNT(.backing = fd, .daemonless = true, .at = b->mnt)));
	close(fd);
	EXPECT_STREQ("text", text_of(in(b->mnt, "file")));
	EXPECT_EQ(0, umount(b->mnt));
}

TEST_F(mount, by_mount_2)
{
	struct backed *b = &self->b;
	char options[64];

	snprintf(options, sizeof(options), "daemonless,backing=%d", self->back);
	ASSERT_EQ(0, RES(mount("source", b->mnt, fs_type(), MS_NOSUID | MS_RDONLY, options)));
	EXPECT_STREQ("text", text_of(in(b->mnt, "file")));
	/* This call has always ignored what it cannot change */
	EXPECT_EQ(0, RES(mount("source", b->mnt, fs_type(), MS_REMOUNT, options)));
	EXPECT_STREQ("text", text_of(in(b->mnt, "file")));
	EXPECT_EQ(0, umount(b->mnt));
}

TEST_F(mount, options_that_contradict)
{
	struct backed *b = &self->b;
	int fds[2] = { open(in(b->back, "file"), O_RDONLY), open("/dev/null", O_RDONLY) };

	ASSERT_LE(0, fds[0]);
	ASSERT_LE(0, fds[1]);
	EXPECT_EQ(-EINVAL, try_mount(TRY_MOUNT(.daemonless = true)));
	EXPECT_EQ(-EINVAL, try_mount(TRY_MOUNT(.backing = self->back)));
	EXPECT_EQ(-EINVAL, try_mount(TRY_MOUNT(.backing = self->back, .backing2 = self->back,
					       .daemonless = true)));
	EXPECT_EQ(-EINVAL, try_mount(TRY_MOUNT(.backing = self->back, .dev = self->dev,
					       .daemonless = true)));
	EXPECT_EQ(-EINVAL, try_mount(TRY_MOUNT(.backing = self->back, .dev = self->dev,
					       .rootmode = S_IFREG | 0644)));
	EXPECT_EQ(-EINVAL, try_mount(TRY_MOUNT(.backing = self->back, .dev = self->dev,
					       .no_ids = true)));
	EXPECT_EQ(-ENOTDIR, try_mount(TRY_MOUNT(.backing = fds[0], .daemonless = true)));
	EXPECT_EQ(-ENOTDIR, try_mount(TRY_MOUNT(.backing = fds[1], .daemonless = true)));
	EXPECT_EQ(-ENOTDIR, try_mount(TRY_MOUNT(.backing = self->dev, .daemonless = true)));
	EXPECT_EQ(-EBADF, try_mount(TRY_MOUNT(.backing = 999, .daemonless = true)));
	close(fds[0]);
	close(fds[1]);
}

TEST_F(mount, nothing_else_that_is_no_directory)
{
	struct backed *b = &self->b;
	int pipes[2], fd;

	ASSERT_EQ(0, pipe(pipes));
	EXPECT_EQ(-ENOTDIR, try_mount(TRY_MOUNT(.backing = pipes[0], .daemonless = true)));
	close(pipes[0]);
	close(pipes[1]);
	ASSERT_EQ(0, symlink(".", in(b->back, "link")));
	fd = open(in(b->back, "link"), O_PATH | O_NOFOLLOW);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-ENOTDIR, try_mount(TRY_MOUNT(.backing = fd, .daemonless = true)));
	close(fd);
}

/* The device of a mount that exists is not for another. */
TEST_F(mount, device_in_use)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, try_mount(TRY_MOUNT(.backing = self->back, .dev = self->dev, .at = b->mnt)));
	EXPECT_EQ(-EINVAL, try_mount(TRY_MOUNT(.backing = self->back, .dev = self->dev)));
	EXPECT_EQ(0, umount(b->mnt));
	EXPECT_GT(0, try_mount(TRY_MOUNT(.backing = self->back, .dev = self->dev)));
}

TEST_F(mount, device_of_a_plain_mount)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, try_mount(TRY_MOUNT(.dev = self->dev, .at = b->mnt)));
	EXPECT_EQ(-EINVAL, try_mount(TRY_MOUNT(.backing = self->back, .dev = self->dev)));
	EXPECT_EQ(0, umount(b->mnt));
}

static int mount_as_user(void *arg)
{
	const int *back = arg;

	return try_mount(TRY_MOUNT(.backing = *back, .daemonless = true));
}

TEST_F(mount, needs_privilege)
{
	EXPECT_EQ(-EPERM, as_user(USER1, USER1, mount_as_user, &self->back));
	EXPECT_EQ(-EPERM, in_userns(mount_as_user, &self->back));
}

static int plain_mount(void *arg)
{
	/* The device must be opened in the namespace */
	return try_mount(TRY_MOUNT(.dev = open(arg, O_RDWR | O_CLOEXEC)));
}

/* A plain mount in a user namespace is what FUSE allows, and still does. */
TEST_F(mount, user_namespace_can_mount_without_backing)
{
	EXPECT_EQ(0, in_userns(plain_mount, device_path()));
}

TEST_F(mount, of_itself)
{
	struct backed *b = &self->b;
	int fd;

	ASSERT_EQ(0, make_dir(in(b->back, "dir"), 0755));
	ASSERT_EQ(0, backed_mount(b, 0));
	fd = open_dir(b->mnt, O_PATH);
	EXPECT_EQ(-ELOOP, try_mount(TRY_MOUNT(.backing = fd, .daemonless = true)));
	close(fd);
	fd = open_dir(in(b->mnt, "dir"), O_PATH);
	EXPECT_EQ(-ELOOP, try_mount(TRY_MOUNT(.backing = fd, .daemonless = true)));
	close(fd);
}

static int mount_overlay(const char *lower1, const char *lower2, const char *at)
{
	char options[256];

	snprintf(options, sizeof(options), "lowerdir=%s:%s", lower1, lower2);
	return RES(mount("overlay", at, "overlay", 0, options));
}

static int make_dirs(const char *top, const char *const *names, int nr)
{
	int i, err = 0;

	for (i = 0; i < nr && !err; i++)
		err = make_dir(in(top, "%s", names[i]), 0755);
	return err;
}

TEST_F(mount, overlay_below)
{
	static const char *const dirs[] = { "lower", "over1", "over2" };
	struct backed *b = &self->b;
	char over1[64], over2[64];
	int fd;

	strcpy(over1, in(b->top, "over1"));
	strcpy(over2, in(b->top, "over2"));
	ASSERT_EQ(0, make_dirs(b->top, dirs, 3));
	ASSERT_EQ(0, make_file(in(b->top, "lower/low"), "lower", 0644));
	ASSERT_EQ(0, mount_overlay(b->back, in(b->top, "lower"), over1));
	fd = open_dir(over1, O_PATH);
	ASSERT_EQ(0, try_mount(TRY_MOUNT(.backing = fd, .daemonless = true, .at = b->mnt)));
	close(fd);
	EXPECT_STREQ("text", text_of(in(b->mnt, "file")));
	EXPECT_STREQ("lower", text_of(in(b->mnt, "low")));
	EXPECT_EQ(0, diff_tree(over1, b->mnt));
	EXPECT_EQ(0, umount(b->mnt));

	/* Two levels are below already: that is all the kernel allows */
	ASSERT_EQ(0, mount_overlay(over1, in(b->top, "lower"), over2));
	fd = open_dir(over2, O_PATH);
	EXPECT_EQ(-ELOOP, try_mount(TRY_MOUNT(.backing = fd, .daemonless = true)));
	close(fd);
	EXPECT_EQ(0, umount(over2));
	EXPECT_EQ(0, umount(over1));
}

/* Files that the overlay copies up while the mount knows them */
TEST_F(mount, overlay_below_copies_up)
{
	static const char *const dirs[] = { "upper", "work", "over" };
	struct backed *b = &self->b;
	char over[64];
	int fd;

	strcpy(over, in(b->top, "over"));
	ASSERT_EQ(0, make_dirs(b->top, dirs, 3));
	ASSERT_EQ(0, make_dir(in(b->back, "dir"), 0755));
	ASSERT_EQ(0, make_file(in(b->back, "dir/sub"), "low", 0644));
	ASSERT_EQ(0, sh("mount -t overlay -o lowerdir=%s,upperdir=%s/upper,workdir=%s/work o %s",
			b->back, b->top, b->top, over));
	fd = open_dir(over, O_PATH);
	ASSERT_EQ(0, try_mount(TRY_MOUNT(.backing = fd, .daemonless = true, .at = b->mnt)));
	close(fd);
	EXPECT_STREQ("low", text_of(in(b->mnt, "dir/sub")));
	EXPECT_STREQ("text", text_of(in(b->mnt, "file")));
	ASSERT_EQ(0, append_file(in(over, "dir/sub"), " and up"));
	EXPECT_STREQ("low and up", text_of(in(b->mnt, "dir/sub")));
	ASSERT_EQ(0, unlink(in(over, "file")));
	EXPECT_STREQ("<ENOENT>", text_of(in(b->mnt, "file")));
	ASSERT_EQ(0, rename(in(over, "dir/sub"), in(over, "out")));
	EXPECT_STREQ("low and up", text_of(in(b->mnt, "out")));
	EXPECT_EQ(0, diff_tree(over, b->mnt));
	EXPECT_EQ(0, umount(b->mnt));
	EXPECT_EQ(0, umount(over));
}

TEST_F(mount, overlay_above)
{
	static const char *const dirs[] = { "lower", "upper", "work", "over" };
	struct backed *b = &self->b;
	char over[64];

	strcpy(over, in(b->top, "over"));
	ASSERT_EQ(0, make_dirs(b->top, dirs, 4));
	ASSERT_EQ(0, make_dir(in(b->back, "dir"), 0755));
	ASSERT_EQ(0, make_file(in(b->back, "dir/file"), "below", 0644));
	ASSERT_EQ(0, symlink("dir/file", in(b->back, "link")));
	ASSERT_EQ(0, backed_mount(b, BACKED_ALLOW_OTHER));
	ASSERT_EQ(0, sh("mount -t overlay -o lowerdir=%s,upperdir=%s/upper,workdir=%s/work o %s",
			b->mnt, b->top, b->top, over));
	EXPECT_STREQ("text", text_of(in(over, "file")));
	EXPECT_STREQ("below", text_of(in(over, "link")));
	EXPECT_EQ(0, diff_text(in(b->back, "dir/file"), in(over, "dir/file")));
	EXPECT_EQ(0, append_file(in(over, "dir/file"), " and above"));
	EXPECT_STREQ("below and above", text_of(in(over, "dir/file")));
	EXPECT_STREQ("below", text_of(in(b->back, "dir/file")));
	EXPECT_EQ(0, RES(unlink(in(over, "file"))));
	EXPECT_STREQ("<ENOENT>", text_of(in(over, "file")));
	EXPECT_STREQ("text", text_of(in(b->mnt, "file")));
	EXPECT_EQ(0, umount(over));
}

/* An overlay checks permission by itself, from what we tell it. */
TEST_F(mount, overlay_above_keeps_acls)
{
	static const char *const dirs[] = { "lower", "over" };
	struct backed *b = &self->b;
	char over[64];

	strcpy(over, in(b->top, "over"));
	ASSERT_EQ(0, make_dirs(b->top, dirs, 2));
	ASSERT_EQ(0, make_file(in(b->back, "acl"), "x", 0644));
	ASSERT_EQ(0, sh("setfacl -m u:%d:- %s/acl", USER1, b->back));
	ASSERT_EQ(0, backed_mount(b, BACKED_ALLOW_OTHER));
	ASSERT_EQ(0, mount_overlay(b->mnt, in(b->top, "lower"), over));
	EXPECT_EQ(-EACCES, user_open(USER1, in(b->mnt, "acl"), O_RDONLY));
	EXPECT_EQ(-EACCES, user_open(USER1, in(over, "acl"), O_RDONLY));
	EXPECT_EQ(0, user_open(USER2, in(over, "acl"), O_RDONLY));
	EXPECT_EQ(0, umount(over));
}

TEST_F(mount, backing_is_pinned)
{
	struct backed *b = &self->b;

	close(self->back);
	ASSERT_EQ(0, backed_mount(b, 0));
	EXPECT_EQ(-EBUSY, RES(umount(b->back)));
	EXPECT_STREQ("text", text_of(in(b->mnt, "file")));
	EXPECT_EQ(-EBUSY, RES(umount(b->back)));
	EXPECT_EQ(0, backed_umount(b));
	ASSERT_EQ(0, umount(b->back));
	ASSERT_EQ(0, mount("again", b->back, "tmpfs", 0, NULL));
}

/* A failed attempt holds on to nothing. */
TEST_F(mount, failure_pins_nothing)
{
	struct backed *b = &self->b;

	EXPECT_EQ(-EINVAL, try_mount(TRY_MOUNT(.backing = self->back, .dev = self->dev,
					       .daemonless = true)));
	EXPECT_EQ(-EINVAL, try_mount(TRY_MOUNT(.backing = self->back)));
	EXPECT_EQ(-EBADF, try_mount(TRY_MOUNT(.backing = self->back, .backing2 = 999)));
	close(self->back);
	ASSERT_EQ(0, umount(b->back));
	ASSERT_EQ(0, mount("again", b->back, "tmpfs", 0, NULL));
}

TEST_F(mount, backing_unmounted_lazily)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, backed_mount(b, 0));
	ASSERT_EQ(0, umount2(b->back, MNT_DETACH));
	EXPECT_STREQ("text", text_of(in(b->mnt, "file")));
	ASSERT_EQ(0, mount("again", b->back, "tmpfs", 0, NULL));
	EXPECT_STREQ("text", text_of(in(b->mnt, "file")));
}

TEST_F(mount, detached_backing)
{
	struct backed *b = &self->b;
	int tree = open_tree(AT_FDCWD, b->back, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	ASSERT_LE(0, tree);
	ASSERT_EQ(0, try_mount(TRY_MOUNT(.backing = tree, .daemonless = true, .at = b->mnt)));
	close(tree);
	EXPECT_STREQ("text", text_of(in(b->mnt, "file")));
	EXPECT_EQ(0, umount(b->mnt));
}

TEST_F(mount, removed_backing)
{
	struct backed *b = &self->b;
	int fd;

	ASSERT_EQ(0, make_dir(in(b->back, "dir"), 0755));
	fd = open_dir(in(b->back, "dir"), O_PATH);
	ASSERT_EQ(0, try_mount(TRY_MOUNT(.backing = fd, .daemonless = true, .at = b->mnt)));
	ASSERT_EQ(0, rmdir(in(b->back, "dir")));
	EXPECT_STREQ("<ENOENT>", text_of(in(b->mnt, "file")));
	EXPECT_EQ(0, RES(access(b->mnt, F_OK)));
	EXPECT_EQ(0, umount(b->mnt));
	EXPECT_EQ(0, try_mount(TRY_MOUNT(.backing = fd, .daemonless = true)));
	close(fd);
}

TEST_F(mount, read_only_backing)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, mount(NULL, b->back, NULL, MS_REMOUNT | MS_RDONLY, NULL));
	ASSERT_EQ(0, backed_mount(b, 0));
	EXPECT_STREQ("text", text_of(in(b->mnt, "file")));
	EXPECT_EQ(0, diff_tree(b->back, b->mnt));
}

/* Many mounts of one backing do not get in each other's way. */
TEST_F(mount, many)
{
	const int nr = scale(50);
	struct backed *b = &self->b;
	char path[64];
	int i;

	for (i = 0; i < nr; i++) {
		strcpy(path, in(b->top, "mnt-%d", i));
		ASSERT_EQ(0, make_dir(path, 0755));
		ASSERT_EQ(0, try_mount(TRY_MOUNT(.backing = self->back, .daemonless = true,
						 .at = path)));
		ASSERT_STREQ("text", text_of(in(path, "file")));
	}
	for (i = 0; i < nr; i++)
		EXPECT_EQ(0, umount(in(b->top, "mnt-%d", i)));
}

static bool mounts_say(const char *mnt, const char *what)
{
	char line[1024];
	bool found = false;
	FILE *mounts = fopen("/proc/self/mounts", "r");

	while (mounts && fgets(line, sizeof(line), mounts))
		found |= strstr(line, mnt) && strstr(line, what);
	if (mounts)
		fclose(mounts);
	return found;
}

TEST_F(mount, shown_options)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, backed_mount(b, BACKED_ALLOW_OTHER));
	EXPECT_TRUE(mounts_say(b->mnt, fs_type()));
	EXPECT_TRUE(mounts_say(b->mnt, "allow_other"));
	EXPECT_TRUE(mounts_say(b->mnt, "user_id=0"));
}

/* There is nothing in a mount that can be changed once it is made. */
TEST_F(mount, reconfigure)
{
	struct backed *b = &self->b;
	int fs;

	ASSERT_EQ(0, backed_mount(b, 0));
	fs = fspick(AT_FDCWD, b->mnt, FSPICK_CLOEXEC);
	ASSERT_LE(0, fs);
	EXPECT_EQ(-EINVAL, RES(fsconfig(fs, FSCONFIG_SET_FD, "backing", NULL, self->back)));
	EXPECT_EQ(-EINVAL, RES(fsconfig(fs, FSCONFIG_SET_FLAG, "daemonless", NULL, 0)));
	close(fs);
	EXPECT_STREQ("text", text_of(in(b->mnt, "file")));
	ASSERT_EQ(0, mount(NULL, b->mnt, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	EXPECT_STREQ("text", text_of(in(b->mnt, "file")));
}

/* umount -f aborts the connection, which a backed mount does not need. */
TEST_F(mount, forced_umount)
{
	struct backed *b = &self->b;
	char text[8] = "";
	int fd;

	ASSERT_EQ(0, backed_mount(b, 0));
	fd = open(in(b->mnt, "file"), O_RDONLY);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EBUSY, RES(umount2(b->mnt, MNT_FORCE)));
	EXPECT_STREQ("text", text_of(in(b->mnt, "file")));
	EXPECT_EQ(4, read(fd, text, 4));
	EXPECT_STREQ("text", text);
	close(fd);
}

TEST_F(mount, idmapped_mount_is_refused)
{
	struct backed *b = &self->b;
	int tree;

	ASSERT_EQ(0, backed_mount(b, BACKED_ALLOW_OTHER));
	tree = idmapped_tree(b->mnt, 0, USER1, 1);
	EXPECT_EQ(-EINVAL, tree);
}

TEST_HARNESS_MAIN
