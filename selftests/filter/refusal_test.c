// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the kernel refuses by itself what the backing could have answered, it says
 * why: in a counter of the connection, and by a tracepoint.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#include "backed_fixture.h"
#include "fold.h"
#include "harness.h"
#include "pause.h"
#include "scripted.h"

#define REMOTE_NODE 42

/* Once for all tests, which are children of this process */
static void __attribute__((constructor)) load_programs(void)
{
	pauser_load();
}

FIXTURE(refusal)
{
	struct backed b;
	struct filter filter;
	char control[64];
	int dir;
};

FIXTURE_SETUP(refusal)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, backed_make(b, "tmpfs"));
	ASSERT_EQ(0, make_file(in(b->back, "local"), "local\n", 0755));
	ASSERT_EQ(0, make_dir(in(b->back, "dir"), 0755));
	ASSERT_EQ(0, symlink("local", in(b->back, "link")));
	ASSERT_EQ(0, backed_mount(b, BACKED_ALLOW_OTHER | BACKED_DAEMON));
	raw_serve_file(b->server, FUSE_ROOT_ID, "remote", REMOTE_NODE, "remote\n");
	self->dir = open_dir(b->mnt, 0);
	ASSERT_LE(0, self->dir);
	ASSERT_EQ(0, control_mount(b, self->control, sizeof(self->control)));
	ASSERT_EQ(0, scripted_load(&self->filter, false, NULL));
	ASSERT_EQ(0, filter_attach(&self->filter, self->dir, 0, 0));
	ASSERT_EQ(0, scripted_rule(&self->filter, FUSE_LOOKUP, SCRIPTED_ANY_UID, "remote",
				   FUSE_FILTER_DAEMON));
}

FIXTURE_TEARDOWN(refusal)
{
	filter_destroy(&self->filter);
	close(self->dir);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

/* How often a reason was given */
static long refused(const char *control, const char *why)
{
	char text[1024], line[64];
	const char *found;
	ssize_t len = read_file(in(control, "refusals"), text, sizeof(text));

	if (len < 0)
		return len;
	snprintf(line, sizeof(line), "\n%s=", why);
	memmove(text + 1, text, len < (ssize_t)sizeof(text) - 1 ? len + 1 : len);
	text[0] = '\n';
	found = strstr(text, line);
	return found ? strtol(found + strlen(line), NULL, 10) : -ENOENT;
}

/* The expression ends with an errno, for this reason and no other. */
#define EXPECT_REFUSED(why, err, expr)							\
do {											\
	long before = refused(self->control, why);					\
											\
	EXPECT_LE(0, before);								\
	EXPECT_EQ(err, RES(expr));							\
	EXPECT_LT(before, refused(self->control, why)) TH_LOG("%s: %s", why, #expr);	\
} while (0)

static int stat_err(const char *path)
{
	struct stat st;

	return stat(path, &st);
}

TEST_F(refusal, nothing_is_counted_for_nothing)
{
	char text[1024];

	EXPECT_EQ(0, RES(stat_err(in(self->b.mnt, "local"))));
	EXPECT_EQ(0, RES(stat_err(in(self->b.mnt, "remote"))));
	EXPECT_EQ(-ENOENT, RES(stat_err(in(self->b.mnt, "missing"))));
	EXPECT_EQ(-ENOTEMPTY, RES(rmdir(in(self->b.mnt, "dir/.."))));
	ASSERT_LT(0, read_file(in(self->control, "refusals"), text, sizeof(text)));
	EXPECT_EQ(NULL, strpbrk(text, "123456789")) TH_LOG("%s", text);
	EXPECT_EQ(-EACCES, user_open(USER1, in(self->control, "refusals"), O_RDONLY));
}

/* The daemon has other files by these names than the backing. */
TEST_F(refusal, unnamed)
{
	raw_serve_file(self->b.server, FUSE_ROOT_ID, "dir", REMOTE_NODE + 1, "");
	raw_serve_file(self->b.server, FUSE_ROOT_ID, "local", FUSE_NODEID_KERNEL | 5, "");
	ASSERT_EQ(0, scripted_rule(&self->filter, FUSE_LOOKUP, SCRIPTED_ANY_UID, "below",
				   FUSE_FILTER_DAEMON));
	EXPECT_REFUSED("unnamed", -EIO, stat_err(in(self->b.mnt, "dir/below")));
	ASSERT_EQ(0, scripted_rule(&self->filter, FUSE_OPEN, SCRIPTED_ANY_UID, NULL,
				   FUSE_FILTER_DAEMON));
	EXPECT_REFUSED("unnamed", -EIO, open(in(self->b.mnt, "local"), O_RDONLY));
}

TEST_F(refusal, daemons)
{
	EXPECT_REFUSED("daemons", -EOPNOTSUPP, unlink(in(self->b.mnt, "remote")));
	EXPECT_REFUSED("daemons", -EOPNOTSUPP,
		       rename(in(self->b.mnt, "remote"), in(self->b.mnt, "other")));
	EXPECT_REFUSED("daemons", -EOPNOTSUPP,
		       rename(in(self->b.mnt, "local"), in(self->b.mnt, "remote")));
}

TEST_F(refusal, across)
{
	EXPECT_REFUSED("across", -EXDEV, link(in(self->b.mnt, "remote"), in(self->b.mnt, "new")));
}

static int unlink_local(void *arg)
{
	return RES(unlink(in(arg, "mnt/local")));
}

static int move_local(void *arg)
{
	return RES(rename(in(arg, "mnt/local"), in(arg, "mnt/moved")));
}

static int create_new(void *arg)
{
	int fd = RES(open(in(arg, "mnt/new"), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));

	return fd < 0 ? fd : RES(close(fd));
}

static void replace_local(void *arg)
{
	if (replace_file(in(arg, "back/local"), "another"))
		say("the file cannot be replaced: %s", strerror(errno));
}

static void make_new(void *arg)
{
	if (make_file(in(arg, "back/new"), "made meanwhile", 0644))
		say("the file cannot be made: %s", strerror(errno));
}

/* The VFS walks again after that, and root may do it to what is there by then. */
TEST_F(refusal, changed)
{
	char *top = self->b.top;
	struct pauser p;

	ASSERT_EQ(0, pauser_setup(&p));
	EXPECT_REFUSED("changed", 0,
		       paused_call(&p, PAUSE_RENAME, 1, 0, move_local, replace_local, top));
	EXPECT_STREQ("another", text_of(in(self->b.back, "moved")));
	/* Or else open(2) is stopped before it looks up the name */
	EXPECT_EQ(-ENOENT, RES(access(in(self->b.mnt, "new"), F_OK)));
	EXPECT_REFUSED("changed", 0,
		       paused_call(&p, PAUSE_CREATE, 1, 0, create_new, make_new, top));
	EXPECT_STREQ("made meanwhile", text_of(in(self->b.back, "new")));
	ASSERT_EQ(0, make_file(in(self->b.back, "local"), "again", 0644));
	EXPECT_REFUSED("changed", 0,
		       paused_call(&p, PAUSE_UNLINK, 1, 0, unlink_local, replace_local, top));
	EXPECT_STREQ("<ENOENT>", text_of(in(self->b.back, "local")));
	pauser_destroy(&p);
}

TEST_F(refusal, loop)
{
	const char *back = self->b.back;
	int fd;

	ASSERT_EQ(0, make_dir(in(back, "dir/a"), 0755));
	ASSERT_EQ(0, make_dir(in(back, "dir/a/b"), 0755));
	fd = open_dir(in(self->b.mnt, "dir/a/b"), 0);
	ASSERT_LE(0, fd);
	/* What was below is above now, and nobody has looked */
	ASSERT_EQ(0, rename(in(back, "dir/a/b"), in(back, "b")));
	ASSERT_EQ(0, rename(in(back, "dir/a"), in(back, "b/a")));
	EXPECT_REFUSED("loop", -ELOOP, faccessat(fd, "a", F_OK, 0));
	close(fd);
}

static int map_exec(int fd)
{
	return mmap(NULL, 4096, PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0;
}

TEST_F(refusal, mount_flags)
{
	const char *local = in(self->b.mnt, "local");
	int fd = open(local, O_RDONLY | O_CLOEXEC);

	ASSERT_EQ(0, mount(NULL, self->b.back, NULL, MS_REMOUNT | MS_BIND | MS_NOEXEC |
			   MS_NOSYMFOLLOW, NULL));
	EXPECT_REFUSED("mount_flags", -EACCES, access(local, X_OK));
	EXPECT_REFUSED("mount_flags", -EACCES, execl(local, local, NULL));
	EXPECT_REFUSED("mount_flags", -ELOOP, stat_err(in(self->b.mnt, "link")));
	EXPECT_REFUSED("mount_flags", -EPERM, map_exec(fd));
	close(fd);
}

TEST_F(refusal, files)
{
	/* One is the directory of the fixture */
	ASSERT_EQ(0, sh("echo 1 >%s/max_backing_files", self->control));
	EXPECT_REFUSED("files", -ENFILE, open(in(self->b.mnt, "local"), O_RDONLY));
}

/* Put a mount of something else, without a daemon, in the place of the fixture's. */
static int mount_other(struct backed *b, struct filter *filter, int *dir, const char *path,
		       char *control, size_t size)
{
	int fd, err;

	filter_destroy(filter);
	*filter = FILTER_NONE;
	close(*dir);
	*dir = -1;
	err = backed_umount(b);
	if (err || sh("umount %s/control && rmdir %s/control", b->top, b->top))
		return -EBUSY;
	fd = open_dir(path, O_PATH);
	err = try_mount(TRY_MOUNT(.backing = fd, .daemonless = true, .at = b->mnt));
	close(fd);
	b->mounted = !err;
	return err ? err : control_mount(b, control, size);
}

/* A filter that takes names as they are given has no rule for all spellings of one. */
TEST_F(refusal, spellings)
{
	struct backed *b = &self->b;
	char ext4[64];

	strcpy(ext4, in(b->top, "ext4"));
	ASSERT_EQ(0, make_dir(ext4, 0755));
	ASSERT_EQ(0, fold_mount("ext4", b->top, ext4));
	ASSERT_EQ(0, fold_dir(in(ext4, "fold")));
	ASSERT_EQ(0, mount_other(b, &self->filter, &self->dir, ext4, self->control,
				 sizeof(self->control)));
	EXPECT_EQ(-ENOENT, RES(stat_err(in(b->mnt, "fold/name"))));
	self->dir = open_dir(b->mnt, 0);
	ASSERT_LE(0, self->dir);
	ASSERT_EQ(0, scripted_load(&self->filter, false, NULL));
	ASSERT_EQ(0, filter_attach(&self->filter, self->dir, 0, 0));
	EXPECT_REFUSED("spellings", -EOPNOTSUPP, stat_err(in(b->mnt, "fold/name")));
	EXPECT_REFUSED("spellings", -EOPNOTSUPP, stat_err(in(b->mnt, "fold/NAME")));
	filter_destroy(&self->filter);
	close(self->dir);
	self->dir = -1;
	ASSERT_EQ(0, backed_umount(b));
	EXPECT_EQ(0, RES(umount(ext4)));
}

/* tracefs mounts itself below debugfs. */
TEST_F(refusal, automount)
{
	struct backed *b = &self->b;
	const char *debugfs = in(b->back, "dir");

	ASSERT_EQ(0, RES(mount("debugfs", debugfs, "debugfs", 0, NULL)));
	ASSERT_EQ(0, mount_other(b, &self->filter, &self->dir, debugfs, self->control,
				 sizeof(self->control)));
	EXPECT_REFUSED("automount", -EREMOTE, stat_err(in(b->mnt, "tracing")));
	ASSERT_EQ(0, backed_umount(b));
	EXPECT_EQ(0, RES(umount(debugfs)));
}

TEST_F(refusal, tracepoint)
{
	const char *system = strcmp(fs_type(), "fuse_bpf") ? "fuse" : "fuse_bpf";
	const char *tracing = in(self->b.top, "tracing"), *enable;
	char expected[160], text[4096] = "";
	struct stat st;

	ASSERT_EQ(0, make_dir(tracing, 0755));
	ASSERT_EQ(0, RES(mount("tracefs", tracing, "tracefs", 0, NULL)));
	enable = in(tracing, "events/%s/fuse_backed_refused/enable", system);
	ASSERT_EQ(0, stat(in(self->b.mnt, "."), &st));
	ASSERT_EQ(0, sh("echo >%s/trace; echo 1 >%s", tracing, enable));
	EXPECT_EQ(-EOPNOTSUPP, RES(unlink(in(self->b.mnt, "remote"))));
	ASSERT_EQ(0, sh("echo 0 >%s", enable));
	ASSERT_LT(0, read_file(in(tracing, "trace"), text, sizeof(text)));
	snprintf(expected, sizeof(expected),
		 "fuse_backed_refused: connection %u ino %lu opcode %d reason daemons error %d\n",
		 minor(st.st_dev), (unsigned long)st.st_ino, FUSE_UNLINK, -EOPNOTSUPP);
	EXPECT_NE(NULL, strstr(text, expected)) TH_LOG("%s", text);
	ASSERT_EQ(0, RES(umount(tracing)));
}

TEST_HARNESS_MAIN
