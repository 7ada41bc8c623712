// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ready filters that refuse or change something: agent_guard, suffix_mask, mapids,
 * strip_bits, ransom_brake, worm and ns_view. What they do to whom they are for, that they
 * leave others alone, and ways around them.
 */
#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/fuse.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "harness.h"
#include "ready_fixture.h"

#define MINUTE 60000000000ULL

FIXTURE(guard)
{
	struct ready r;
};

FIXTURE_SETUP(guard)
{
	ASSERT_EQ(0, ready_begin(&self->r, 0));
}

FIXTURE_TEARDOWN(guard)
{
	EXPECT_EQ(0, ready_end(&self->r));
}

/* struct wrong - calls that did not end as they should */
struct wrong {
	int err;
	int nr;
};

static void expect(struct wrong *wrong, const char *what, int ret)
{
	if (ret == wrong->err)
		return;
	fprintf(stderr, "# %s: %d, not %d\n", what, ret, wrong->err);
	wrong->nr++;
}

#define WANT(wrong, call) expect(wrong, #call, RES(call))

/* All the ways of giving a name to something; @dir has a file "file" */
static int make_name(const char *dir, const char *name, int err)
{
	char path[128], file[128];
	struct wrong wrong = { .err = err };
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	snprintf(file, sizeof(file), "%s/file", dir);
	WANT(&wrong, open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	WANT(&wrong, mkdir(path, 0700));
	WANT(&wrong, mknod(path, S_IFIFO | 0600, 0));
	WANT(&wrong, symlink("x", path));
	WANT(&wrong, link(file, path));
	WANT(&wrong, rename(file, path));
	WANT(&wrong, renameat2(AT_FDCWD, file, AT_FDCWD, path, RENAME_NOREPLACE));
	fd = open(dir, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	WANT(&wrong, linkat(fd, "", AT_FDCWD, path, AT_EMPTY_PATH));
	close(fd);
	return wrong.nr;
}

static int make_hidden(void *mnt)
{
	return make_name(mnt, ".env", -ENOENT) + make_name(mnt, "new.pem", -ENOENT) +
	       make_name(in(mnt, "sub"), "..pem", -ENOENT);
}

static int make_kept(void *mnt)
{
	return make_name(mnt, "kept", -EROFS);
}

/* What is there and hidden, or there and kept */
static int use_existing(void *mnt)
{
	struct wrong hidden = { .err = -ENOENT }, kept = { .err = -EROFS }, fine = {};
	const char *pem = in(mnt, "a.pem"), *config = in(mnt, ".git");

	WANT(&hidden, open(pem, O_RDONLY));
	WANT(&hidden, access(pem, F_OK));
	WANT(&hidden, unlink(pem));
	WANT(&hidden, rename(pem, in(mnt, "moved")));
	WANT(&hidden, link(pem, in(mnt, "linked")));
	WANT(&hidden, renameat2(AT_FDCWD, in(mnt, "file"), AT_FDCWD, pem, RENAME_EXCHANGE));
	WANT(&kept, rmdir(config));
	WANT(&kept, rename(config, in(mnt, "moved")));
	WANT(&kept, renameat2(AT_FDCWD, in(mnt, "sub"), AT_FDCWD, config, RENAME_EXCHANGE));
	WANT(&kept, renameat2(AT_FDCWD, config, AT_FDCWD, in(mnt, "sub"), RENAME_EXCHANGE));
	WANT(&fine, access(config, R_OK));
	/* file, sub and .git */
	if (names_in(mnt) != 3)
		hidden.nr++;
	return hidden.nr + kept.nr + fine.nr;
}

TEST_F(guard, agent_guard)
{
	const struct ready *r = &self->r;
	struct ready_group group, below;
	char suffix[32] = ".pem";
	__u32 hide = 1;

	ASSERT_EQ(0, make_dir(in(r->b.back, ".git"), 0777));
	ASSERT_EQ(0, make_file(in(r->b.back, "a.pem"), "secret", 0666));
	ASSERT_EQ(0, make_file(in(r->b.back, "sub/file"), "", 0666));
	ASSERT_EQ(0, ready_use(&self->r, "agent_guard"));
	ASSERT_EQ(0, ready_group_make(r, "guard_cgroups", &group));
	ASSERT_EQ(0, ready_set_name(r, "guard_names", ".env", 1));
	ASSERT_EQ(0, ready_set_name(r, "guard_names", ".git", 2));
	ASSERT_EQ(0, ready_set_name(r, "guard_names", "kept", 2));
	ASSERT_EQ(0, ready_set(r, "guard_suffixes", suffix, &hide));

	/* In the cache, and not for the agent */
	EXPECT_STREQ("secret", text_of(in(r->b.mnt, "a.pem")));
	EXPECT_EQ(0, in_group(&group, make_hidden, r->b.mnt));
	EXPECT_EQ(0, in_group(&group, make_kept, r->b.mnt));
	EXPECT_EQ(0, in_group(&group, use_existing, r->b.mnt));
	EXPECT_EQ(0, in_group(&group, make_in, in(r->b.mnt, "env")));
	EXPECT_EQ(0, in_group(&group, make_in, in(r->b.mnt, "pem")));
	EXPECT_STREQ("secret", text_of(in(r->b.back, "a.pem")));
	EXPECT_EQ(6, names_in((char *)r->b.mnt));
	EXPECT_LT(0, ready_sum(r, "guard_hits", 0));
	EXPECT_LT(0, ready_sum(r, "guard_hits", 1));
	EXPECT_LT(0, ready_sum(r, "guard_hits", 2));

	/* Nor for who is in a group below; others do as they like */
	snprintf(below.path, sizeof(below.path), "%.64s/below", group.path);
	ASSERT_EQ(0, RES(mkdir(below.path, 0755)));
	EXPECT_EQ(0, in_group(&below, make_hidden, r->b.mnt));
	EXPECT_EQ(0, ready_group_remove(&below));
	EXPECT_EQ(0, make_in((char *)in(r->b.mnt, ".env")));
	EXPECT_EQ(0, RES(rename(in(r->b.mnt, ".git"), in(r->b.mnt, "kept"))));
	EXPECT_EQ(0, ready_group_remove(&group));
}

TEST_F(guard, suffix_mask_without_a_daemon)
{
	char suffix[32] = ".csv";

	ASSERT_EQ(0, make_file(in(self->r.b.back, "a.csv"), "names", 0666));
	ASSERT_EQ(0, ready_use(&self->r, "suffix_mask"));
	EXPECT_STREQ("names", text_of(in(self->r.b.mnt, "a.csv")));
	ASSERT_EQ(0, ready_set(&self->r, "mask_suffixes", suffix, &(__u8){ 1 }));
	EXPECT_EQ(-ENOTCONN, user_open(USER1, in(self->r.b.mnt, "a.csv"), O_RDONLY));
	EXPECT_EQ(-ENOTCONN, user_open(USER1, in(self->r.b.mnt, "new.csv"), O_RDONLY));
	EXPECT_EQ(-ENOENT, user_open(USER1, in(self->r.b.mnt, "a.csv.gz"), O_RDONLY));
	EXPECT_STREQ("0123456789", text_of(self->r.file));
}

FIXTURE(mask)
{
	struct ready r;
};

FIXTURE_SETUP(mask)
{
	ASSERT_EQ(0, ready_begin(&self->r, BACKED_DAEMON));
}

FIXTURE_TEARDOWN(mask)
{
	EXPECT_EQ(0, ready_end(&self->r));
}

TEST_F(mask, suffix_mask)
{
	struct raw_server *server = self->r.b.server;
	char suffix[32] = ".csv";
	unsigned int lookups;

	ASSERT_EQ(0, make_file(in(self->r.b.back, "a.csv"), "names", 0666));
	raw_serve_file(server, FUSE_ROOT_ID, "a.csv", 7, "masked");
	raw_reply_error(server, FUSE_LOOKUP, FUSE_ROOT_ID, NULL, -ENOENT);
	ASSERT_EQ(0, ready_use(&self->r, "suffix_mask"));
	ASSERT_EQ(0, ready_set(&self->r, "mask_suffixes", suffix, &(__u8){ 1 }));

	EXPECT_STREQ("masked", text_of(in(self->r.b.mnt, "a.csv")));
	EXPECT_STREQ("0123456789", text_of(self->r.file));
	lookups = server->counts[FUSE_LOOKUP];
	EXPECT_LT(0, lookups);
	EXPECT_STREQ("below", text_of(in(self->r.sub, "below")));
	EXPECT_EQ(lookups, server->counts[FUSE_LOOKUP]);
	/* What is made is the daemon's, too, which does not know how here */
	EXPECT_GT(0, RES(open(in(self->r.b.mnt, "new.csv"), O_WRONLY | O_CREAT, 0600)));
	EXPECT_EQ(-ENOENT, user_stat(0, in(self->r.b.back, "new.csv")));
	EXPECT_EQ(0, RES(mkdir(in(self->r.b.mnt, "new.txt"), 0700)));
}

static int owner(const char *path, gid_t *gid)
{
	struct stat st = {};
	int err = RES(lstat(path, &st));

	*gid = st.st_gid;
	return err ? err : (int)st.st_uid;
}

static int make_file_and_link(void *mnt)
{
	int fd = open(in(mnt, "made"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	close(fd);
	return RES(symlink("x", in(mnt, "link")));
}

TEST_F(guard, mapids)
{
	const struct ready *r = &self->r;
	__u32 uid = USER1, uid2 = USER2, gid = GROUP1, gid2 = GROUP2;
	gid_t group;

	ASSERT_EQ(0, ready_use(&self->r, "mapids"));
	ASSERT_EQ(0, RES(chown(in(r->b.back, "file"), USER1, GROUP1)));
	EXPECT_EQ(USER1, owner(r->file, &group));
	ASSERT_EQ(0, ready_set(r, "shown_uids", &uid, &uid2));
	ASSERT_EQ(0, ready_set(r, "stored_uids", &uid2, &uid));
	ASSERT_EQ(0, ready_set(r, "shown_gids", &gid, &gid2));
	ASSERT_EQ(0, ready_set(r, "stored_gids", &gid2, &gid));
	EXPECT_EQ(USER2, owner(r->file, &group));
	EXPECT_EQ(GROUP2, group);
	EXPECT_EQ(0, owner(r->sub, &group));

	ASSERT_EQ(0, RES(chown(r->sub, USER2, -1)));
	EXPECT_EQ(USER1, owner(in(r->b.back, "sub"), &group));
	EXPECT_EQ(0, group);
	ASSERT_EQ(0, RES(chmod(r->file, 0600)));
	EXPECT_EQ(USER1, owner(in(r->b.back, "file"), &group));
	EXPECT_EQ(GROUP1, group);

	/* What is made belongs to whom it is shown for */
	ASSERT_EQ(0, as_user(USER2, GROUP2, make_file_and_link, r->b.mnt));
	EXPECT_EQ(USER1, owner(in(r->b.back, "made"), &group));
	EXPECT_EQ(GROUP1, group);
	EXPECT_EQ(USER2, owner(in(r->b.mnt, "made"), &group));
	EXPECT_EQ(GROUP2, group);
	EXPECT_EQ(USER1, owner(in(r->b.back, "link"), &group));
}

static int mode(const char *path)
{
	struct stat st;
	int err = RES(lstat(path, &st));

	return err ? err : (int)(st.st_mode & 07777);
}

TEST_F(guard, strip_bits)
{
	const struct ready *r = &self->r;
	__u32 zero = 0, mask = 06111;
	int fd;

	ASSERT_EQ(0, RES(chmod(in(r->b.back, "file"), 04755)));
	EXPECT_EQ(04755, mode(r->file));
	ASSERT_EQ(0, ready_use(&self->r, "strip_bits"));
	EXPECT_EQ(0755, mode(r->file));
	EXPECT_EQ(04755, mode(in(r->b.back, "file")));

	ASSERT_EQ(0, RES(chmod(r->file, 06775)));
	EXPECT_EQ(0775, mode(in(r->b.back, "file")));
	umask(0);
	fd = open(in(r->b.mnt, "made"), O_WRONLY | O_CREAT | O_CLOEXEC, 06777);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0777, mode(in(r->b.back, "made")));
	EXPECT_EQ(0, RES(fchmod(fd, 04700)));
	EXPECT_EQ(0700, mode(in(r->b.back, "made")));
	close(fd);
	EXPECT_EQ(0, RES(mknod(in(r->b.mnt, "regular"), S_IFREG | 06644, 0)));
	EXPECT_EQ(0644, mode(in(r->b.back, "regular")));
	EXPECT_EQ(-EPERM, RES(mknod(in(r->b.mnt, "null"), S_IFCHR | 0666, makedev(1, 3))));
	EXPECT_EQ(0, RES(mknod(in(r->b.mnt, "fifo"), S_IFIFO | 0666, 0)));

	ASSERT_EQ(0, ready_set(r, "strip_mask", &zero, &mask));
	EXPECT_EQ(0664, mode(r->file));
	ASSERT_EQ(0, RES(chmod(r->file, 04777)));
	EXPECT_EQ(0666, mode(in(r->b.back, "file")));
}

struct brake_config {
	__u64 limit;
	__u64 window;
	__u32 by_group;
};

static int brake(const struct ready *r, __u64 limit, __u64 window, __u32 by_group)
{
	struct brake_config config = { limit, window, by_group };
	__u32 zero = 0;

	return ready_set(r, "brake_config", &zero, &config);
}

static int write_new_files(void *mnt)
{
	for (int i = 0; i < 10; i++) {
		int fd = open(in(mnt, "new-%d-%d", getuid(), i),
			      O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		int ret = fd < 0 ? -errno : RES(write(fd, "x", 1));

		close(fd);
		if (ret != 1)
			return ret;
	}
	return 0;
}

/* All that the brake holds up */
static int change_all(void *mnt)
{
	struct wrong wrong = { .err = -EPERM };
	const char *file = in(mnt, "file");

	WANT(&wrong, open(file, O_WRONLY));
	WANT(&wrong, open(file, O_RDONLY | O_TRUNC));
	WANT(&wrong, truncate(file, 1));
	WANT(&wrong, chmod(file, 0600));
	WANT(&wrong, rename(file, in(mnt, "moved")));
	WANT(&wrong, unlink(file));
	WANT(&wrong, rmdir(in(mnt, "empty")));
	WANT(&wrong, open(in(mnt, "new"), O_WRONLY | O_CREAT, 0600));
	WANT(&wrong, mkdir(in(mnt, "new"), 0700));
	WANT(&wrong, mknod(in(mnt, "new"), S_IFIFO | 0600, 0));
	WANT(&wrong, symlink("x", in(mnt, "new")));
	WANT(&wrong, link(file, in(mnt, "new")));
	WANT(&wrong, setxattr(file, "user.x", "y", 1, 0));
	WANT(&wrong, removexattr(file, "user.x"));
	return wrong.nr + (strcmp(text_of(file), "0123456789") != 0);
}

static int write_inherited(void *fd)
{
	return RES(pwrite(*(int *)fd, "0", 1, 0));
}

TEST_F(guard, ransom_brake)
{
	const struct ready *r = &self->r;
	__u64 id = USER1;
	int fd;

	ASSERT_EQ(0, make_dir(in(r->b.back, "empty"), 0777));
	ASSERT_EQ(0, ready_use(&self->r, "ransom_brake"));
	for (int i = 0; i < 10; i++)
		EXPECT_EQ(1, as_user(USER1, USER1, write_one, r->file));
	ASSERT_EQ(0, brake(r, 3, 10 * MINUTE, 0));
	fd = open(r->file, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);

	/* New files are no damage */
	EXPECT_EQ(0, as_user(USER1, USER1, write_new_files, r->b.mnt));
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(1, as_user(USER1, USER1, write_one, r->file));
	EXPECT_EQ(1, as_user(USER1, USER1, write_inherited, &fd));
	EXPECT_EQ(-EPERM, as_user(USER1, USER1, write_one, in(r->sub, "below")));
	EXPECT_EQ(0, as_user(USER1, USER1, change_all, r->b.mnt));
	EXPECT_EQ(-EPERM, as_user(USER1, USER1, write_inherited, &fd));
	EXPECT_LT(0, ready_sum(r, "brake_hits", 0));
	EXPECT_EQ(1, as_user(USER2, USER2, write_one, r->file));

	/* Until somebody has looked at it */
	ASSERT_EQ(0, bpf_map_delete_elem(ready_map(r, "brake_state"), &id));
	EXPECT_EQ(1, as_user(USER1, USER1, write_inherited, &fd));
	close(fd);
	ASSERT_EQ(0, ready_set_id(r, "brake_exempt", USER1));
	for (int i = 0; i < 10; i++)
		EXPECT_EQ(1, as_user(USER1, USER1, write_one, r->file));
}

/* After a file without a name, which is made and not opened, a change is a change */
static int make_unnamed_first(void *file)
{
	int fd = open(in(file, ".."), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);

	close(fd);
	return write_one(file);
}

TEST_F(guard, ransom_brake_by_group_and_window)
{
	const struct ready *r = &self->r;
	struct ready_group group;
	__u64 id;

	ASSERT_EQ(0, ready_use(&self->r, "ransom_brake"));
	snprintf(group.path, sizeof(group.path), "/sys/fs/cgroup/ready-%d", getpid());
	ASSERT_EQ(0, RES(mkdir(group.path, 0755)));
	ASSERT_EQ(0, brake(r, 2, 10 * MINUTE, 1));
	EXPECT_EQ(1, in_group(&group, write_one, r->file));
	EXPECT_EQ(1, in_group(&group, write_one, r->file));
	EXPECT_EQ(-EPERM, in_group(&group, write_one, r->file));
	EXPECT_EQ(-EPERM, in_group(&group, make_unnamed_first, r->file));
	EXPECT_EQ(1, write_one((char *)r->file));

	/* A window that is over with each change */
	id = ino_of(group.path);
	ASSERT_EQ(0, bpf_map_delete_elem(ready_map(r, "brake_state"), &id));
	ASSERT_EQ(0, brake(r, 2, 1, 1));
	for (int i = 0; i < 10; i++)
		EXPECT_EQ(1, in_group(&group, write_one, r->file));
	EXPECT_EQ(0, ready_group_remove(&group));
}

/* Whatever changes a file that is written, or its name; how much did not fail */
static int change_sealed(const char *mnt, const char *name)
{
	struct wrong wrong = { .err = -EPERM };
	const char *file = in(mnt, "%s", name);
	int fd = open(file, O_RDONLY | O_CLOEXEC), flags = 0;

	WANT(&wrong, open(file, O_WRONLY));
	WANT(&wrong, open(file, O_RDWR));
	WANT(&wrong, open(file, O_RDONLY | O_TRUNC));
	WANT(&wrong, open(file, O_WRONLY | O_CREAT | O_APPEND, 0600));
	WANT(&wrong, truncate(file, 0));
	WANT(&wrong, chmod(file, 0600));
	WANT(&wrong, chown(file, 0, 0));
	WANT(&wrong, setxattr(file, "user.x", "y", 1, 0));
	WANT(&wrong, removexattr(file, "user.x"));
	WANT(&wrong, ioctl(fd, FS_IOC_SETFLAGS, &flags));
	WANT(&wrong, unlink(file));
	WANT(&wrong, rename(file, in(mnt, "moved")));
	WANT(&wrong, renameat2(AT_FDCWD, file, AT_FDCWD, in(mnt, "moved"), RENAME_NOREPLACE));
	WANT(&wrong, renameat2(AT_FDCWD, file, AT_FDCWD, in(mnt, "sub"), RENAME_EXCHANGE));
	WANT(&wrong, rename(in(mnt, "sub"), in(mnt, "moved")));
	close(fd);
	return wrong.nr;
}

TEST_F(guard, worm)
{
	struct timespec times[2] = { { .tv_sec = 1 }, { .tv_nsec = UTIME_OMIT } };
	const struct ready *r = &self->r;
	int before, fd, other, reader;
	char path[64];
	void *area;
	__u64 ino;

	before = open(r->file, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, before);
	ASSERT_EQ(0, ready_use(&self->r, "worm"));
	/* What was there is as it is, for all who had it open */
	EXPECT_EQ(0, change_sealed(r->b.mnt, "file"));
	EXPECT_EQ(-EPERM, RES(pwrite(before, "x", 1, 0)));
	EXPECT_EQ(-EPERM, RES(ftruncate(before, 0)));
	EXPECT_EQ(-EPERM, RES(fallocate(before, 0, 0, 100)));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, before, 0));
	close(before);
	EXPECT_STREQ("0123456789", text_of(r->file));
	EXPECT_EQ(0, RES(utimensat(AT_FDCWD, r->file, times, 0)));

	/* A new one is written by all who have it open, until the last has closed it */
	snprintf(path, sizeof(path), "%s/new", r->b.mnt);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	ASSERT_LE(0, fd);
	EXPECT_EQ(3, pwrite(fd, "abc", 3, 0));
	reader = open(path, O_RDONLY | O_CLOEXEC);
	close(reader);
	EXPECT_EQ(3, pwrite(fd, "ABC", 3, 0));
	EXPECT_EQ(0, RES(fchmod(fd, 0644)));
	other = open(path, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, other);
	close(fd);
	EXPECT_EQ(1, pwrite(other, "d", 1, 3));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, other, 0));
	area = mmap(NULL, 4096, PROT_READ, MAP_SHARED, other, 0);
	ASSERT_NE(MAP_FAILED, area);
	EXPECT_EQ(-EACCES, RES(mprotect(area, 4096, PROT_READ | PROT_WRITE)));
	munmap(area, 4096);
	/* Not in the place of another */
	EXPECT_EQ(-EPERM, RES(rename(path, r->file)));
	close(other);
	EXPECT_EQ(0, change_sealed(r->b.mnt, "new"));
	EXPECT_STREQ("ABCd", text_of(path));

	ino = ino_of(in(r->b.back, "new"));
	ASSERT_EQ(0, ready_set(r, "worm_release", &ino, &(__u8){ 1 }));
	EXPECT_EQ(0, RES(unlink(path)));
	EXPECT_LT(0, ready_sum(r, "worm_hits", 0));
}

TEST_F(guard, worm_what_is_made_in_other_ways)
{
	const struct ready *r = &self->r;
	int fd;

	ASSERT_EQ(0, ready_use(&self->r, "worm"));
	ASSERT_EQ(0, RES(mknod(in(r->b.mnt, "node"), S_IFREG | 0666, 0)));
	EXPECT_EQ(-EPERM, write_one((char *)in(r->b.mnt, "node")));
	fd = open(r->b.mnt, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EPERM, RES(write(fd, "x", 1)));
	/* Which does not make the next file a new one */
	EXPECT_EQ(-EPERM, write_one((char *)r->file));
	EXPECT_EQ(-EPERM, RES(open(in("/proc/self/fd", "%d", fd), O_RDWR)));
	close(fd);
	/* Made under another name, and moved where there is none */
	fd = open(in(r->b.mnt, "temporary"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, RES(renameat2(AT_FDCWD, in(r->b.mnt, "temporary"), AT_FDCWD,
				   in(r->b.mnt, "final"), RENAME_NOREPLACE)));
	EXPECT_EQ(1, RES(write(fd, "x", 1)));
	close(fd);
	EXPECT_EQ(-EPERM, write_one((char *)in(r->b.mnt, "final")));
	EXPECT_EQ(0, make_in((char *)in(r->b.mnt, "dir")));
	EXPECT_EQ(0, RES(rmdir(in(r->b.mnt, "dir"))));
}

/* A file that was made, and whose open another filter refused */
TEST_F(guard, worm_after_an_open_that_did_not_come)
{
	struct { __u32 error, per_million; } rule = { EBUSY, 1000000 };
	const struct ready *r = &self->r;
	struct filter refuses = FILTER_NONE;
	__u32 opcode = FUSE_OPEN, uid = 0;
	int rules, uids;

	ASSERT_EQ(0, filter_load(&refuses, "../bpf/chaos"));
	ASSERT_EQ(0, filter_attach(&refuses, r->dir, 0, 0));
	ASSERT_EQ(0, ready_use(&self->r, "worm"));
	rules = bpf_object__find_map_fd_by_name(refuses.obj, "chaos_rules");
	uids = bpf_object__find_map_fd_by_name(refuses.obj, "chaos_uids");
	ASSERT_EQ(0, bpf_map_update_elem(rules, &opcode, &rule, BPF_ANY));
	ASSERT_EQ(0, bpf_map_update_elem(uids, &uid, &(__u8){ 1 }, BPF_ANY));
	EXPECT_EQ(-EBUSY, RES(open(in(r->b.mnt, "new"), O_WRONLY | O_CREAT, 0600)));
	EXPECT_EQ(0, user_stat(0, in(r->b.back, "new")));
	filter_destroy(&refuses);
	EXPECT_EQ(-EPERM, write_one((char *)r->file));
	EXPECT_STREQ("0123456789", text_of(r->file));
}

struct view_name {
	__u32 view;
	char name[60];
};

static int set_view(const struct ready *r, __u32 inum, __u32 view)
{
	return ready_set(r, "view_of", &inum, &view);
}

static __u32 namespace(const char *kind)
{
	struct stat st;

	return stat(in("/proc/self/ns", "%s", kind), &st) ? 0 : st.st_ino;
}

/* Sees "file", and nothing else of the root */
static int sees_file_only(const struct ready *r)
{
	struct wrong hidden = { .err = -ENOENT }, fine = {};

	WANT(&fine, access(r->file, F_OK));
	WANT(&hidden, access(r->sub, F_OK));
	WANT(&hidden, access(in(r->sub, "below"), F_OK));
	WANT(&hidden, mkdir(in(r->b.mnt, "new"), 0700));
	WANT(&hidden, rename(r->file, in(r->b.mnt, "moved")));
	return hidden.nr + fine.nr + (names_in((char *)r->b.mnt) != 1);
}

static int with_mount_ns(void *arg)
{
	const struct ready *r = arg;

	if (RES(unshare(CLONE_NEWNS)))
		return -errno;
	/* In no namespace that has a view */
	if (RES(access(r->file, F_OK)) != -ENOENT || names_in((char *)r->b.mnt))
		return 100;
	if (set_view(r, namespace("mnt"), 7))
		return 101;
	return sees_file_only(r);
}

static int in_nested_pid_ns(void *arg)
{
	return sees_file_only(arg);
}

static int unshare_pid_and_look(void *arg)
{
	if (RES(unshare(CLONE_NEWPID)))
		return -errno;
	return in_child(in_nested_pid_ns, arg);
}

static int in_pid_ns(void *arg)
{
	int wrong = sees_file_only(arg);

	/* One who makes namespaces of his own does not see more */
	return wrong ? wrong : in_child(unshare_pid_and_look, arg);
}

static int with_pid_ns(void *arg)
{
	const struct ready *r = arg;
	int pipes[2], ret;
	char byte;
	pid_t pid;

	if (RES(unshare(CLONE_NEWPID)) || pipe(pipes))
		return -errno;
	/* The first one in there waits for its view */
	pid = fork();
	if (!pid) {
		ret = read(pipes[0], &byte, 1) == 1 ? in_pid_ns(arg) : 99;
		_exit(ret < 0 ? 98 : ret);
	}
	ret = set_view(r, namespace("pid_for_children"), 7) ? 97 : 0;
	if (write(pipes[1], "", 1) != 1 || waitpid(pid, &ret, 0) != pid)
		return 96;
	return WIFEXITED(ret) ? WEXITSTATUS(ret) : 95;
}

TEST_F(guard, ns_view)
{
	struct view_name name = { .view = 7, .name = "file" };
	const struct ready *r = &self->r;

	EXPECT_EQ(0, user_stat(0, r->sub));
	ASSERT_EQ(0, ready_use(&self->r, "ns_view"));
	/* Whoever has no view sees nothing */
	EXPECT_EQ(-ENOENT, user_stat(0, r->file));
	EXPECT_EQ(0, names_in((char *)r->b.mnt));
	ASSERT_EQ(0, ready_set(r, "view_names", &name, &(__u8){ 1 }));
	EXPECT_EQ(-ENOENT, user_stat(0, r->file));

	EXPECT_EQ(0, in_child(with_mount_ns, r));
	ASSERT_EQ(0, set_view(r, 0, 0));
	EXPECT_EQ(0, user_stat(0, r->sub));
	EXPECT_EQ(2, names_in((char *)r->b.mnt));
	EXPECT_EQ(0, in_child(with_pid_ns, r));
	EXPECT_EQ(2, names_in((char *)r->b.mnt));
}

TEST_HARNESS_MAIN
