// SPDX-License-Identifier: GPL-2.0-only
/*
 * What operations do besides what they are for: times that move or stay, privileges
 * that a file loses, pages and direct I/O that must agree. Each is done to a file on
 * the backing itself and to one by way of the mount, and the effects compared: what
 * they should be is for the file system below to say.
 */
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/aio_abi.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "backed_fixture.h"
#include "harness.h"

#define PAGE 4096
#define SIZE (16 * PAGE)

/* A time that nothing leaves behind by itself */
#define LONG_AGO 1000000000

FIXTURE(effects)
{
	struct backed b;
	char native[64];
	char back[64];
	char mnt[64];
};

/* How many of @modes: file systems differ in what they do, less in how modes change. */
FIXTURE_VARIANT(effects)
{
	const char *fs;
	unsigned int modes;
};

FIXTURE_VARIANT_ADD(effects, tmpfs) { .fs = "tmpfs", .modes = 4 };
FIXTURE_VARIANT_ADD(effects, ext4) { .fs = "ext4", .modes = 1 };
FIXTURE_VARIANT_ADD(effects, xfs) { .fs = "xfs", .modes = 1 };
FIXTURE_VARIANT_ADD(effects, btrfs) { .fs = "btrfs", .modes = 1 };

FIXTURE_SETUP(effects)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, backed_setup(b, variant->fs, BACKED_ALLOW_OTHER));
	strcpy(self->native, in(b->back, "native"));
	strcpy(self->back, in(b->back, "ours"));
	strcpy(self->mnt, in(b->mnt, "ours"));
	ASSERT_EQ(0, make_dir(self->native, 0777));
	ASSERT_EQ(0, make_dir(self->back, 0777));
}

FIXTURE_TEARDOWN(effects)
{
	EXPECT_EQ(0, backed_destroy(&self->b));
}

/**
 * struct effect - what an operation did to a file
 * @res: its result
 * @mode: of the file after it
 * @uid: likewise
 * @gid: likewise
 * @size: likewise
 * @times: which of the times moved: "amc", or '-' in their places
 */
struct effect {
	int res;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	off_t size;
	char times[4];
};

/**
 * struct action - something that is done to a file
 * @name: what it is called
 * @run: does it; 0 or a negative errno
 */
struct action {
	const char *name;
	int (*run)(const char *path);
};

static char page[PAGE] __attribute__((aligned(PAGE)));

/* Opens, does, closes: EXPR has "fd", and is what the action is about. */
#define WITH_FD(path, flags, expr)						\
({										\
	int fd = open(path, (flags) | O_CLOEXEC, 0600);				\
	ssize_t ___ret = fd < 0 ? -errno : (ssize_t)RES(expr);			\
										\
	if (fd >= 0)								\
		close(fd);							\
	(int)(___ret < 0 ? ___ret : 0);						\
})

static const char *beside(const char *path, const char *suffix)
{
	return in("", "%s.%s", path + 1, suffix);
}

static int do_open(const char *path)
{
	return WITH_FD(path, O_RDWR, 0);
}

static int do_write(const char *path)
{
	return WITH_FD(path, O_WRONLY, write(fd, page, 10));
}

static int do_write_nothing(const char *path)
{
	return WITH_FD(path, O_WRONLY, write(fd, page, 0));
}

static int do_append(const char *path)
{
	return WITH_FD(path, O_WRONLY | O_APPEND, write(fd, page, 10));
}

static int do_write_direct(const char *path)
{
	return WITH_FD(path, O_WRONLY | O_DIRECT, pwrite(fd, page, PAGE, PAGE));
}

static int do_write_direct_beyond(const char *path)
{
	return WITH_FD(path, O_WRONLY | O_DIRECT, pwrite(fd, page, PAGE, SIZE));
}

static int do_write_sync(const char *path)
{
	return WITH_FD(path, O_WRONLY | O_SYNC, write(fd, page, PAGE));
}

static int do_splice(const char *path)
{
	int pipes[2], res;

	if (pipe(pipes))
		return -errno;
	(void)!write(pipes[1], page, 100);
	res = WITH_FD(path, O_WRONLY, splice(pipes[0], NULL, fd, NULL, 100, 0));
	close(pipes[0]);
	close(pipes[1]);
	return res;
}

static int do_truncate(const char *path)
{
	return RES(truncate(path, PAGE + 1));
}

static int do_truncate_same(const char *path)
{
	return RES(truncate(path, SIZE));
}

static int do_ftruncate_longer(const char *path)
{
	return WITH_FD(path, O_RDWR, ftruncate(fd, 2 * SIZE));
}

static int do_open_trunc(const char *path)
{
	return WITH_FD(path, O_WRONLY | O_TRUNC, 0);
}

#define DO_FALLOCATE(name, mode, offset, len)					\
static int do_##name(const char *path)						\
{										\
	return WITH_FD(path, O_RDWR, fallocate(fd, mode, offset, len));		\
}

DO_FALLOCATE(allocate, 0, 0, SIZE)
DO_FALLOCATE(allocate_beyond, 0, SIZE, SIZE)
DO_FALLOCATE(allocate_keep, FALLOC_FL_KEEP_SIZE, SIZE, SIZE)
DO_FALLOCATE(punch, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE, PAGE)
DO_FALLOCATE(zero, FALLOC_FL_ZERO_RANGE, PAGE, PAGE)
DO_FALLOCATE(zero_keep, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, PAGE, 2 * SIZE)
DO_FALLOCATE(collapse, FALLOC_FL_COLLAPSE_RANGE, PAGE, PAGE)
DO_FALLOCATE(insert, FALLOC_FL_INSERT_RANGE, PAGE, PAGE)
DO_FALLOCATE(unshare, FALLOC_FL_UNSHARE_RANGE, 0, SIZE)

/* Stores to a shared mapping, and what it takes to have the time of that known */
static int store(const char *path, bool sync)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	int err = fd < 0 ? -errno : 0;
	char *map;

	if (err)
		return err;
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		err = -errno;
	if (!err) {
		map[PAGE] = 'x';
		err = sync ? RES(msync(map, SIZE, MS_SYNC)) : 0;
		munmap(map, SIZE);
	}
	if (!sync && !err)
		err = RES(fsync(fd));
	close(fd);
	return err;
}

static int do_map_write(const char *path)
{
	return store(path, true);
}

static int do_map_write_fsync(const char *path)
{
	return store(path, false);
}

static int load(int fd)
{
	const volatile char *map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		return -1;
	(void)map[1];
	return munmap((void *)map, PAGE);
}

static int do_map_read(const char *path)
{
	return WITH_FD(path, O_RDONLY, load(fd));
}

static int do_read(const char *path)
{
	char buf[10];

	return WITH_FD(path, O_RDONLY, read(fd, buf, 10));
}

static int do_read_direct(const char *path)
{
	return WITH_FD(path, O_RDONLY | O_DIRECT, read(fd, page, PAGE));
}

static int do_read_noatime(const char *path)
{
	char buf[10];

	return WITH_FD(path, O_RDONLY | O_NOATIME, read(fd, buf, 10));
}

static int do_sendfile(const char *path)
{
	int out = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int res = WITH_FD(path, O_RDONLY, sendfile(out, fd, NULL, 100));

	close(out);
	return res;
}

static int do_seek(const char *path)
{
	return WITH_FD(path, O_RDONLY, lseek(fd, 0, SEEK_HOLE));
}

static int do_sync(const char *path)
{
	return WITH_FD(path, O_RDWR, fsync(fd));
}

static int do_chmod(const char *path)
{
	return RES(chmod(path, 06755));
}

static int do_chown_same(const char *path)
{
	return RES(chown(path, -1, -1));
}

static int do_chown_user(const char *path)
{
	return RES(chown(path, USER2, -1));
}

static int do_chown_group(const char *path)
{
	return RES(chown(path, -1, GROUP2));
}

static int do_chown_self(const char *path)
{
	return RES(chown(path, geteuid(), -1));
}

static int do_utimes_now(const char *path)
{
	return RES(utimensat(AT_FDCWD, path, NULL, 0));
}

static int do_utimes_omit(const char *path)
{
	const struct timespec times[2] = { { 0, UTIME_OMIT }, { 5, 0 } };

	return RES(utimensat(AT_FDCWD, path, times, 0));
}

static int do_setxattr(const char *path)
{
	return RES(setxattr(path, "user.x", "y", 1, 0));
}

static int do_rename(const char *path)
{
	const char *other = beside(path, "renamed");

	if (rename(path, other))
		return -errno;
	return RES(rename(other, path));
}

static int do_link(const char *path)
{
	const char *other = beside(path, "link");

	if (link(path, other))
		return -errno;
	return RES(unlink(other));
}

/* From and to a copy beside it, which the test has made */
static int do_copy_from(const char *path)
{
	int out = open(beside(path, "copy"), O_WRONLY | O_CLOEXEC);
	int res = WITH_FD(path, O_RDONLY, copy_file_range(fd, NULL, out, NULL, PAGE, 0));

	close(out);
	return res;
}

static int do_copy_to(const char *path)
{
	int from = open(beside(path, "copy"), O_RDONLY | O_CLOEXEC);
	int res = WITH_FD(path, O_WRONLY, copy_file_range(from, NULL, fd, NULL, PAGE, 0));

	close(from);
	return res;
}

static int do_clone(const char *path)
{
	int from = open(beside(path, "copy"), O_RDONLY | O_CLOEXEC);
	int res = WITH_FD(path, O_WRONLY, ioctl(fd, FICLONE, from));

	close(from);
	return res;
}

#define ACTION(name) { #name, do_##name }

static const struct action actions[] = {
	ACTION(open), ACTION(write), ACTION(write_nothing), ACTION(append), ACTION(write_direct),
	ACTION(write_direct_beyond), ACTION(write_sync), ACTION(splice), ACTION(truncate),
	ACTION(truncate_same), ACTION(ftruncate_longer), ACTION(open_trunc), ACTION(allocate),
	ACTION(allocate_beyond), ACTION(allocate_keep), ACTION(punch), ACTION(zero),
	ACTION(zero_keep), ACTION(collapse), ACTION(insert), ACTION(unshare), ACTION(map_write),
	ACTION(map_write_fsync), ACTION(map_read), ACTION(read), ACTION(read_direct),
	ACTION(read_noatime), ACTION(sendfile), ACTION(seek), ACTION(sync), ACTION(chmod),
	ACTION(chown_same), ACTION(chown_user), ACTION(chown_group), ACTION(chown_self),
	ACTION(utimes_now), ACTION(utimes_omit), ACTION(setxattr), ACTION(rename), ACTION(link),
	ACTION(copy_from), ACTION(copy_to), ACTION(clone),
};

/* Who does it: the threads of a test share nobody's credentials but these. */
struct caller {
	const char *name;
	uid_t uid;
	gid_t gid;
	gid_t group;
};

static int become(const struct caller *caller)
{
	if (seteuid(0) || setegid(0) || setgroups(0, NULL))
		return -errno;
	if (setgroups(!!caller->group, &caller->group) || setegid(caller->gid))
		return -errno;
	return RES(seteuid(caller->uid));
}

static const struct caller root = { "root", 0, 0, 0 };

static const struct caller callers[] = {
	{ "root", 0, 0, 0 },
	{ "the owner", USER1, GROUP1, GROUP2 },
	{ "an owner who is not in the group", USER1, USER1, 0 },
	{ "another user", USER2, USER2, 0 },
	{ "another user of the group", USER2, GROUP1, 0 },
};

static const mode_t modes[] = { 06777, 06767, 04755, 02755 };

static int prepare(const char *path, mode_t mode)
{
	const struct timespec times[2] = { { LONG_AGO, 0 }, { LONG_AGO + 1, 0 } };
	int err = make_big_file(path, SIZE, 1);

	if (!err)
		err = RES(chown(path, USER1, GROUP1));
	if (!err)
		err = RES(chmod(path, mode));
	return err ? err : RES(utimensat(AT_FDCWD, path, times, 0));
}

static bool moved(struct timespec a, struct timespec b)
{
	return a.tv_sec != b.tv_sec || a.tv_nsec != b.tv_nsec;
}

/* @direct is where the effects are looked at; by way of the mount they must be the same. */
static int observe(const struct action *action, const struct caller *caller, mode_t mode,
		   const char *direct, const char *path, struct effect *effect)
{
	struct stat before, after;
	int err = prepare(direct, mode);

	memset(effect, 0, sizeof(*effect));
	if (err || stat(direct, &before))
		return err ? err : -errno;
	pass_time(before.st_ctim);
	err = become(caller);
	if (!err)
		effect->res = action->run(path);
	if (err || become(&root) || stat(direct, &after))
		return err ? err : -errno;
	effect->mode = after.st_mode;
	effect->uid = after.st_uid;
	effect->gid = after.st_gid;
	effect->size = after.st_size;
	effect->times[0] = moved(before.st_atim, after.st_atim) ? 'a' : '-';
	effect->times[1] = moved(before.st_mtim, after.st_mtim) ? 'm' : '-';
	effect->times[2] = moved(before.st_ctim, after.st_ctim) ? 'c' : '-';
	return 0;
}

/*
 * An operation that the backing refuses may have cost the file its privileges by way
 * of the mount: they go before the backing is asked.
 */
static void excuse(const struct effect *native, struct effect *ours)
{
	const mode_t set_id = native->mode & (S_ISUID | S_ISGID);

	if (!native->res || ours->res != native->res || !set_id ||
	    (native->mode & ~set_id) != (ours->mode & ~set_id))
		return;
	if (ours->mode != native->mode)
		ours->times[2] = native->times[2];
	ours->mode = native->mode;
}

static void tell(const char *which, const struct effect *effect)
{
	say("  %s: %s, mode %o, owner %u:%u, size %lld, times %s", which,
	    effect->res ? strerrorname_np(-effect->res) : "done", effect->mode, effect->uid,
	    effect->gid, (long long)effect->size, effect->times);
}

/* The number of ways in which the mount differs: 0 or 1, or an errno */
static int compare(const char *native_dir, const char *back_dir, const char *mnt_dir,
		   const struct action *action, const struct caller *caller, mode_t mode)
{
	char native_path[64], back_path[64], mnt_path[64];
	struct effect native, ours;
	int err, differ = 0;

	strcpy(native_path, in(native_dir, "file"));
	strcpy(back_path, in(back_dir, "file"));
	strcpy(mnt_path, in(mnt_dir, "file"));
	err = observe(action, caller, mode, native_path, native_path, &native);
	if (!err)
		err = observe(action, caller, mode, back_path, mnt_path, &ours);
	if (err) {
		say("%s by %s: %s", action->name, caller->name, strerror(-err));
		return err;
	}
	excuse(&native, &ours);
	/* btrfs marks a direct read only if it has to read by way of its pages. */
	if (action->run == do_read_direct)
		ours.times[0] = native.times[0];
	if (memcmp(&native, &ours, sizeof(native))) {
		say("%s of a file of mode %o by %s:", action->name, mode, caller->name);
		tell("natively", &native);
		tell("by the mount", &ours);
		differ = 1;
	}
	if (diff_stat(back_path, mnt_path) || diff_text(back_path, mnt_path))
		differ = 1;
	unlink(native_path);
	unlink(back_path);
	return differ;
}

static int compare_all(const char *native, const char *back, const char *mnt,
		       const struct caller *caller, mode_t mode)
{
	size_t i;
	int differ = 0, res;

	if (make_big_file(in(native, "file.copy"), SIZE, 2) ||
	    make_big_file(in(back, "file.copy"), SIZE, 2) ||
	    chmod(in(native, "file.copy"), 0666) || chmod(in(back, "file.copy"), 0666))
		return -EIO;
	for (i = 0; i < ARRAY_SIZE(actions); i++) {
		res = compare(native, back, mnt, &actions[i], caller, mode);
		if (res < 0)
			return res;
		differ += res;
	}
	return differ;
}

static int compare_modes(const char *native, const char *back, const char *mnt,
			 const struct caller *caller, unsigned int nr)
{
	int differ = 0, res;
	unsigned int i;

	for (i = 0; i < (flavour_is_debug() ? 1 : nr); i++) {
		res = compare_all(native, back, mnt, caller, modes[i]);
		if (res < 0)
			return res;
		differ += res;
	}
	return differ;
}

#define COMPARE(caller)									\
	EXPECT_EQ(0, compare_modes(self->native, self->back, self->mnt, caller, variant->modes))

TEST_F(effects, of_root)
{
	COMPARE(&callers[0]);
}

TEST_F(effects, of_the_owner)
{
	COMPARE(&callers[1]);
}

TEST_F(effects, of_an_owner_outside_the_group)
{
	COMPARE(&callers[2]);
}

TEST_F(effects, of_another_user)
{
	COMPARE(&callers[3]);
}

TEST_F(effects, of_another_user_of_the_group)
{
	COMPARE(&callers[4]);
}

/* The file was opened by one who is allowed to keep what another's write drops. */
TEST_F(effects, privileges_go_by_who_writes)
{
	const char *paths[2] = { in(self->native, "x"), in(self->mnt, "x") };
	struct stat st[2];
	int i, fd;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, make_file(paths[i], "text", 06777));
		fd = open(paths[i], O_WRONLY);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, become(&callers[3]));
		EXPECT_EQ(1, write(fd, "x", 1));
		ASSERT_EQ(0, become(&root));
		ASSERT_EQ(0, fstat(fd, &st[i]));
		close(fd);
	}
	EXPECT_EQ(st[0].st_mode, st[1].st_mode);
	EXPECT_EQ(0, st[1].st_mode & 06000);
}

/* The file has got them on the backing, after it was opened by the mount. */
TEST_F(effects, privileges_of_now_go_by_a_truncation)
{
	const char *paths[2] = { in(self->native, "x"), in(self->mnt, "x") };
	const char *changed[2] = { paths[0], in(self->back, "x") };
	struct stat st[2];
	int i, fd;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, make_file(paths[i], "text", 0777));
		fd = open(paths[i], O_WRONLY);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, chmod(changed[i], 06777));
		ASSERT_EQ(0, become(&callers[3]));
		EXPECT_EQ(0, ftruncate(fd, 1));
		ASSERT_EQ(0, become(&root));
		ASSERT_EQ(0, fstat(fd, &st[i]));
		close(fd);
	}
	EXPECT_EQ(st[0].st_mode, st[1].st_mode);
	EXPECT_EQ(0, st[1].st_mode & 06000);
}

/* XFS drops them from a file that is moved to another project. */
TEST_F(effects, privileges_go_with_the_project)
{
	const char *paths[2] = { in(self->native, "x"), in(self->mnt, "x") };
	struct fsxattr attr = { .fsx_projid = 5 };
	struct stat st[2];
	int i, fd, res[2];

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, make_file(paths[i], "text", 02775));
		ASSERT_EQ(0, chown(paths[i], callers[1].uid, callers[1].gid));
		ASSERT_EQ(0, chmod(paths[i], 06775));
		ASSERT_EQ(0, become(&callers[1]));
		fd = open(paths[i], O_RDONLY);
		res[i] = RES(ioctl(fd, FS_IOC_FSSETXATTR, &attr));
		ASSERT_EQ(0, become(&root));
		ASSERT_EQ(0, fstat(fd, &st[i]));
		close(fd);
	}
	EXPECT_EQ(res[0], res[1]);
	EXPECT_EQ(st[0].st_mode, st[1].st_mode);
	if (!strcmp(variant->fs, "xfs"))
		EXPECT_EQ(0, st[1].st_mode & 06000);
}

/* Capabilities are an extended attribute, and go as set-id bits do. */
static int capable_after(const char *path, int (*run)(const char *path), int *res)
{
	static const __u32 cap[5] = { VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE };
	char value[64];

	if (make_big_file(path, SIZE, 1) || chmod(path, 0777) ||
	    setxattr(path, "security.capability", cap, sizeof(cap), 0))
		return -errno;
	if (become(&callers[3]))
		return -EPERM;
	*res = run(path);
	if (become(&root))
		return -EPERM;
	return RES(getxattr(path, "security.capability", value, sizeof(value)));
}

TEST_F(effects, capabilities_are_dropped)
{
	int native, ours, res[2];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(actions); i++) {
		native = capable_after(in(self->native, "cap"), actions[i].run, &res[0]);
		ours = capable_after(in(self->mnt, "cap"), actions[i].run, &res[1]);
		EXPECT_EQ(res[0], res[1]) TH_LOG("%s", actions[i].name);
		/* See excuse() */
		if (!res[0] || native < 0)
			EXPECT_EQ(native, ours) TH_LOG("%s", actions[i].name);
		ASSERT_EQ(0, unlink(in(self->native, "cap")));
		ASSERT_EQ(0, unlink(in(self->mnt, "cap")));
	}
}

/* Does reading move the time of last access? By what a mount's flags say of files. */
struct reads {
	bool file;
	bool exec;
	bool dir;
	bool link;
};

static bool access_moves(const char *path, int (*run)(const char *path))
{
	const struct timespec times[2] = { { LONG_AGO, 0 }, { LONG_AGO + 1, 0 } };
	struct stat before, after;

	utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW);
	lstat(path, &before);
	pass_time(before.st_ctim);
	if (run(path) < 0)
		say("%s: %s", path, strerror(errno));
	lstat(path, &after);
	return moved(before.st_atim, after.st_atim);
}

static int do_exec(const char *path)
{
	return run((char *[]){ (char *)path, NULL }) ? -1 : 0;
}

static int do_list(const char *path)
{
	DIR *dir = opendir(path);
	int nr = 0;

	while (dir && readdir(dir))
		nr++;
	if (dir)
		closedir(dir);
	return nr ? 0 : -1;
}

static int do_readlink(const char *path)
{
	char buf[16];

	return readlink(path, buf, sizeof(buf));
}

static struct reads reads_of(const char *dir)
{
	return (struct reads){
		access_moves(in(dir, "file"), do_read),
		access_moves(in(dir, "exec"), do_exec),
		access_moves(in(dir, "dir"), do_list),
		access_moves(in(dir, "link"), do_readlink),
	};
}

static int make_read_files(const char *dir)
{
	int err = make_file(in(dir, "file"), "text", 0644);

	if (!err)
		err = make_dir(in(dir, "dir"), 0755);
	if (!err)
		err = RES(symlink("file", in(dir, "link")));
	return err || sh("cp /bin/true %s/exec", dir) ? -EIO : 0;
}

static const struct {
	const char *name;
	unsigned long flags;
} atime_flags[] = {
	{ "strictatime", MS_STRICTATIME },
	{ "relatime", MS_RELATIME },
	{ "noatime", MS_NOATIME },
	{ "nodiratime", MS_STRICTATIME | MS_NODIRATIME },
};

static int set_atime(const char *mnt, unsigned long flags)
{
	return RES(mount(NULL, mnt, NULL, MS_REMOUNT | MS_BIND | flags, NULL));
}

#define EXPECT_READS(native, ours, what)						\
do {											\
	EXPECT_EQ(native.file, ours.file) TH_LOG("read(), %s", what);			\
	EXPECT_EQ(native.exec, ours.exec) TH_LOG("execve(), %s", what);			\
	EXPECT_EQ(native.dir, ours.dir) TH_LOG("readdir(), %s", what);			\
	EXPECT_EQ(native.link, ours.link) TH_LOG("readlink(), %s", what);		\
} while (0)

/* The backing's mount may have them kept or not. */
TEST_F(effects, access_times_by_the_flags_of_the_backing)
{
	struct reads native, ours;
	size_t i;

	ASSERT_EQ(0, make_read_files(self->native));
	ASSERT_EQ(0, make_read_files(self->back));
	for (i = 0; i < ARRAY_SIZE(atime_flags); i++) {
		ASSERT_EQ(0, set_atime(self->b.back, atime_flags[i].flags));
		native = reads_of(self->native);
		ours = reads_of(self->mnt);
		EXPECT_READS(native, ours, atime_flags[i].name);
		EXPECT_EQ(!(atime_flags[i].flags & MS_NOATIME), ours.file);
	}
}

/* So may the mount itself, which is to the backing what a bind mount would be. */
TEST_F(effects, access_times_by_the_flags_of_the_mount)
{
	struct reads native, ours;
	char bind[64];
	size_t i;

	ASSERT_EQ(0, set_atime(self->b.back, MS_STRICTATIME));
	strcpy(bind, in(self->b.top, "bind"));
	ASSERT_EQ(0, make_dir(bind, 0755));
	ASSERT_EQ(0, RES(mount(self->native, bind, NULL, MS_BIND, NULL)));
	ASSERT_EQ(0, make_read_files(self->native));
	ASSERT_EQ(0, make_read_files(self->back));
	for (i = 0; i < ARRAY_SIZE(atime_flags); i++) {
		ASSERT_EQ(0, set_atime(bind, atime_flags[i].flags));
		ASSERT_EQ(0, set_atime(self->b.mnt, atime_flags[i].flags));
		native = reads_of(bind);
		ours = reads_of(self->mnt);
		EXPECT_READS(native, ours, atime_flags[i].name);
	}
	EXPECT_EQ(0, umount(bind));
}

/* A store after msync() is a new one: the time moves again. */
static int stores_that_move_the_time(const char *path)
{
	int i, res = 0, fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat before, after;
	char *map;

	if (fd < 0)
		return -errno;
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	for (i = 0; i < 5 && map != MAP_FAILED; i++) {
		if (fstat(fd, &before))
			break;
		pass_time(before.st_ctim);
		map[i * PAGE] = 'x';
		if (msync(map, SIZE, MS_SYNC) || fstat(fd, &after))
			break;
		res += moved(before.st_mtim, after.st_mtim) && moved(before.st_ctim, after.st_ctim);
	}
	munmap(map, SIZE);
	close(fd);
	return res;
}

TEST_F(effects, each_store_after_a_sync_moves_the_time)
{
	int native;

	ASSERT_EQ(0, make_big_file(in(self->native, "map"), SIZE, 1));
	ASSERT_EQ(0, make_big_file(in(self->back, "map"), SIZE, 1));
	native = stores_that_move_the_time(in(self->native, "map"));
	EXPECT_LT(0, native);
	EXPECT_EQ(native, stores_that_move_the_time(in(self->mnt, "map")));
	EXPECT_EQ(0, diff_stat(in(self->back, "map"), in(self->mnt, "map")));
}

/**
 * struct mixed - direct writes while others read by way of the page cache
 * @paths: the file, by the mount and directly
 * @stop: the time is over
 * @bad: pages that were half one write and half another
 */
struct mixed {
	char paths[2][64];
	volatile bool stop;
	unsigned int bad;
};

#define MIXED_PAGES 64

/* Pages as a write leaves them hold one byte throughout. */
static bool is_whole(const char *buf)
{
	return !memcmp(buf, buf + 1, PAGE - 1);
}

static void *mixed_reader(void *arg)
{
	char *buf = malloc(PAGE);
	struct mixed *m = arg;
	int fds[2] = { open(m->paths[0], O_RDONLY), open(m->paths[1], O_RDONLY) };
	unsigned int i;

	for (i = 0; !m->stop; i++)
		(void)!pread(fds[i & 1], buf, PAGE, (i % MIXED_PAGES) * PAGE);
	close(fds[0]);
	close(fds[1]);
	free(buf);
	return NULL;
}

static int write_direct_aio(aio_context_t aio, int fd, void *buf, off_t offset)
{
	struct iocb cb = {
		.aio_lio_opcode = IOCB_CMD_PWRITE,
		.aio_fildes = fd,
		.aio_buf = (__u64)(uintptr_t)buf,
		.aio_nbytes = PAGE,
		.aio_offset = offset,
	}, *list = &cb;
	struct io_event event;

	if (syscall(SYS_io_submit, aio, 1, &list) != 1 ||
	    syscall(SYS_io_getevents, aio, 1, 1, &event, NULL) != 1)
		return -errno;
	return event.res == PAGE ? 0 : -EIO;
}

/* What has been written must be what is read from then on, whichever way. */
static int write_and_read(struct mixed *m, aio_context_t aio, int fd, int by, unsigned int turn)
{
	static char wrote[PAGE] __attribute__((aligned(PAGE)));
	off_t offset = turn * 7 % MIXED_PAGES * PAGE;
	char got[PAGE];
	int i, err, in_fd;

	memset(wrote, 'a' + turn % 26, PAGE);
	err = by ? write_direct_aio(aio, fd, wrote, offset) :
		   RES(pwrite(fd, wrote, PAGE, offset)) == PAGE ? 0 : -EIO;
	for (i = 0; i < 2 && !err; i++) {
		in_fd = open(m->paths[i], O_RDONLY | O_CLOEXEC);
		if (pread(in_fd, got, PAGE, offset) != PAGE)
			err = -EIO;
		else if (memcmp(got, wrote, PAGE))
			m->bad += is_whole(got) ? 1 : 1000;
		close(in_fd);
	}
	return err;
}

TEST_F(effects, direct_writes_and_buffered_reads)
{
	const int turns = scale(400);
	struct mixed m = {};
	pthread_t threads[2];
	aio_context_t aio = 0;
	int i, fd;

	strcpy(m.paths[0], in(self->mnt, "mixed"));
	strcpy(m.paths[1], in(self->back, "mixed"));
	ASSERT_EQ(0, make_big_file(m.paths[1], MIXED_PAGES * PAGE, 1));
	ASSERT_EQ(0, syscall(SYS_io_setup, 1, &aio));
	fd = open(m.paths[0], O_RDWR | O_DIRECT);
	ASSERT_LE(0, fd);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, mixed_reader, &m));
	for (i = 0; i < turns; i++)
		ASSERT_EQ(0, write_and_read(&m, aio, fd, i & 1, i));
	m.stop = true;
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(0, m.bad);
	syscall(SYS_io_destroy, aio);
	close(fd);
}

/* A direct write beyond the end that ends later than the call: the size follows. */
TEST_F(effects, direct_asynchronous_growth)
{
	const char *mnt = in(self->mnt, "grow"), *back = in(self->back, "grow");
	aio_context_t aio = 0;
	struct stat st;
	int i, fd, left;

	ASSERT_EQ(0, syscall(SYS_io_setup, 1, &aio));
	fd = open(mnt, O_RDWR | O_CREAT | O_DIRECT, 0644);
	ASSERT_LE(0, fd);
	for (i = 1; i <= 10; i++) {
		ASSERT_EQ(0, write_direct_aio(aio, fd, page, (i - 1) * PAGE));
		ASSERT_EQ(0, fstat(fd, &st));
		EXPECT_EQ(i * PAGE, st.st_size);
		EXPECT_EQ(i * PAGE, lseek(fd, 0, SEEK_END));
		ASSERT_EQ(0, lseek(fd, 0, SEEK_SET));
		EXPECT_EQ(0, RES(ioctl(fd, FIONREAD, &left)));
		EXPECT_EQ(i * PAGE, left);
	}
	EXPECT_EQ(0, diff_stat(back, mnt));
	syscall(SYS_io_destroy, aio);
	close(fd);
}

TEST_HARNESS_MAIN
