// SPDX-License-Identifier: GPL-2.0-only
/*
 * The requests of <linux/fuse_bpf.h> that are no matter of filters: what the kernel
 * can do, and what it has done.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/vfs.h>

#include "backed_fixture.h"
#include "harness.h"

FIXTURE(control)
{
	struct backed b;
	int dir;
};

FIXTURE_VARIANT(control)
{
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(control, daemonless) { .flags = BACKED_ALLOW_OTHER };
FIXTURE_VARIANT_ADD(control, daemon) { .flags = BACKED_ALLOW_OTHER | BACKED_DAEMON };

FIXTURE_SETUP(control)
{
	ASSERT_EQ(0, backed_setup(&self->b, "tmpfs", variant->flags));
	self->dir = open_dir(self->b.mnt, 0);
	ASSERT_LE(0, self->dir);
}

FIXTURE_TEARDOWN(control)
{
	close(self->dir);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

/* A request with an argument of another size than the header's */
#define SIZED(cmd, size) _IOC(_IOC_DIR(cmd), _IOC_TYPE(cmd), _IOC_NR(cmd), size)

static bool has_op(const __u64 ops[2], unsigned int op)
{
	return ops[op / 64] >> (op % 64) & 1;
}

static void check_query(struct __test_metadata *_metadata, int fd)
{
	static const unsigned int served[] = {
		FUSE_LOOKUP, FUSE_GETATTR, FUSE_READLINK, FUSE_OPEN, FUSE_READ, FUSE_STATFS,
		FUSE_OPENDIR, FUSE_READDIR, FUSE_LSEEK, FUSE_WRITE, FUSE_CREATE, FUSE_UNLINK,
		FUSE_SETATTR, FUSE_GETXATTR, FUSE_SETLK, FUSE_COPY_FILE_RANGE, FUSE_TMPFILE,
	};
	static const unsigned int not_served[] = {
		0, 7, 19, FUSE_FORGET, FUSE_INIT, FUSE_DESTROY, FUSE_INTERRUPT, FUSE_BMAP,
		FUSE_POLL, FUSE_SETUPMAPPING, 64, 127,
	};
	struct fuse_bpf_query query;
	size_t i;

	memset(&query, 0xff, sizeof(query));
	ASSERT_EQ(0, RES(ioctl(fd, FUSE_IOC_QUERY, &query)));
	EXPECT_EQ(FUSE_BPF_ABI, query.abi);
	EXPECT_TRUE(query.features & FUSE_BPF_BACKED_ROOT);
	EXPECT_TRUE(query.features & FUSE_BPF_DAEMONLESS);
	EXPECT_EQ(!!(query.features & FUSE_BPF_FILTERS), query.filter_max == FUSE_FILTER_MAX);
	for (i = 0; i < ARRAY_SIZE(served); i++)
		EXPECT_TRUE(has_op(query.backed_ops, served[i])) TH_LOG("%u", served[i]);
	for (i = 0; i < ARRAY_SIZE(not_served); i++)
		EXPECT_FALSE(has_op(query.backed_ops, not_served[i])) TH_LOG("%u", not_served[i]);
}

TEST_F(control, query)
{
	int fd = open(device_path(), O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, fd);
	check_query(_metadata, fd);
	close(fd);
	check_query(_metadata, self->dir);
	if (self->b.dev >= 0)
		check_query(_metadata, self->b.dev);
}

static int query_as_user(void *arg)
{
	struct fuse_bpf_query query;
	const int *fd = arg;

	return RES(ioctl(*fd, FUSE_IOC_QUERY, &query));
}

TEST_F(control, query_needs_no_privilege)
{
	EXPECT_EQ(0, as_user(USER1, USER1, query_as_user, &self->dir));
}

TEST_F(control, query_of_other_sizes)
{
	struct {
		struct fuse_bpf_query query;
		__u64 more[4];
	} larger;

	memset(&larger, 0xff, sizeof(larger));
	EXPECT_EQ(0, RES(ioctl(self->dir, SIZED(FUSE_IOC_QUERY, sizeof(larger)), &larger)));
	EXPECT_EQ(FUSE_BPF_ABI, larger.query.abi);
	EXPECT_EQ(0, larger.more[0] | larger.more[3]);
	EXPECT_EQ(-ENOTTY, RES(ioctl(self->dir, SIZED(FUSE_IOC_QUERY, 0), &larger)));
	EXPECT_EQ(-ENOTTY, RES(ioctl(self->dir, SIZED(FUSE_IOC_QUERY, 4), &larger)));
	EXPECT_EQ(-ENOTTY, RES(ioctl(self->dir, SIZED(FUSE_IOC_QUERY, sizeof(larger.query) - 1),
				     &larger)));
	EXPECT_EQ(-EFAULT, RES(ioctl(self->dir, FUSE_IOC_QUERY, bad_address())));
	EXPECT_EQ(-EFAULT, RES(ioctl(self->dir, FUSE_IOC_QUERY, NULL)));
}

TEST_F(control, unknown_requests)
{
	char arg[256] = {};
	unsigned int nr;

	for (nr = 0x60; nr < 0x100; nr++) {
		if (nr == _IOC_NR(FUSE_IOC_QUERY) || nr == _IOC_NR(FUSE_IOC_STATS) ||
		    (nr >= _IOC_NR(FUSE_IOC_FILTER_ATTACH) &&
		     nr <= _IOC_NR(FUSE_IOC_FILTER_LIST)))
			continue;
		EXPECT_EQ(-ENOTTY, RES(ioctl(self->dir, _IOC(_IOC_READ | _IOC_WRITE,
							     FUSE_BPF_IOC_MAGIC, nr, 16), arg)))
			TH_LOG("%#x", nr);
	}
	/* Right number, wrong direction */
	EXPECT_EQ(-ENOTTY, RES(ioctl(self->dir, _IOW(FUSE_BPF_IOC_MAGIC, 0x60,
						     struct fuse_bpf_query), arg)));
	EXPECT_EQ(-ENOTTY, RES(ioctl(self->dir, _IOR(FUSE_BPF_IOC_MAGIC, 0x61,
						     struct fuse_bpf_stats), arg)));
}

TEST_F(control, unmounted_device)
{
	struct fuse_op_stats ops[NR_OPS];
	struct fuse_bpf_stats stats = { (__u64)(uintptr_t)ops, NR_OPS };
	struct fuse_filter_attach attach = {};
	struct fuse_filter_detach detach = {};
	struct fuse_filter_list list = { .info_size = sizeof(struct fuse_filter_info) };
	int fd = open(device_path(), O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-ENODEV, RES(ioctl(fd, FUSE_IOC_STATS, &stats)));
	EXPECT_EQ(-ENODEV, RES(ioctl(fd, FUSE_IOC_FILTER_ATTACH, &attach)));
	EXPECT_EQ(-ENODEV, RES(ioctl(fd, FUSE_IOC_FILTER_DETACH, &detach)));
	EXPECT_EQ(-ENODEV, RES(ioctl(fd, FUSE_IOC_FILTER_LIST, &list)));
	close(fd);
}

TEST_F(control, plain_mount)
{
	struct fuse_op_stats ops[NR_OPS];
	struct fuse_bpf_stats stats = { (__u64)(uintptr_t)ops, NR_OPS };
	struct fuse_filter_attach attach = { .fd = -1 };
	char mnt[64];
	int fd = open(device_path(), O_RDWR | O_CLOEXEC);

	strcpy(mnt, in(self->b.top, "plain"));
	ASSERT_EQ(0, make_dir(mnt, 0755));
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, try_mount(TRY_MOUNT(.dev = fd, .at = mnt)));
	EXPECT_EQ(-EOPNOTSUPP, RES(ioctl(fd, FUSE_IOC_STATS, &stats)));
	/* Filters need no backing */
	EXPECT_EQ(-EBADF, RES(ioctl(fd, FUSE_IOC_FILTER_ATTACH, &attach)));
	check_query(_metadata, fd);
	EXPECT_EQ(0, umount2(mnt, MNT_DETACH));
	close(fd);
}

TEST_F(control, stats_arguments)
{
	struct fuse_op_stats ops[NR_OPS];
	struct {
		struct fuse_bpf_stats stats;
		__u64 more[2];
	} arg = { .stats = { (__u64)(uintptr_t)ops, NR_OPS } };

	EXPECT_EQ(0, RES(ioctl(self->dir, FUSE_IOC_STATS, &arg.stats)));
	EXPECT_EQ(NR_OPS, arg.stats.nr);
	/* A kernel takes what it does not know if it says nothing */
	EXPECT_EQ(0, RES(ioctl(self->dir, SIZED(FUSE_IOC_STATS, sizeof(arg)), &arg)));
	arg.more[1] = 1;
	EXPECT_EQ(-E2BIG, RES(ioctl(self->dir, SIZED(FUSE_IOC_STATS, sizeof(arg)), &arg)));
	EXPECT_EQ(-ENOTTY, RES(ioctl(self->dir, SIZED(FUSE_IOC_STATS, 8), &arg)));
	arg.stats.reserved = 1;
	EXPECT_EQ(-EINVAL, RES(ioctl(self->dir, FUSE_IOC_STATS, &arg.stats)));
	arg.stats.reserved = 0;
	arg.stats.ops = (__u64)(uintptr_t)bad_address();
	EXPECT_EQ(-EFAULT, RES(ioctl(self->dir, FUSE_IOC_STATS, &arg.stats)));
	arg.stats.ops = ~0ull;
	EXPECT_EQ(-EFAULT, RES(ioctl(self->dir, FUSE_IOC_STATS, &arg.stats)));
	EXPECT_EQ(-EFAULT, RES(ioctl(self->dir, FUSE_IOC_STATS, bad_address())));
}

/* Any number of elements is right, and none too many is written. */
TEST_F(control, stats_of_other_numbers)
{
	struct fuse_op_stats ops[NR_OPS + 2];
	struct fuse_bpf_stats stats = { (__u64)(uintptr_t)ops };
	static const __u32 numbers[] = { 0, 1, 5, NR_OPS, NR_OPS + 1, 0xffffffff };
	size_t i, want;

	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		memset(ops, 0xee, sizeof(ops));
		stats.nr = numbers[i];
		ASSERT_EQ(0, RES(ioctl(self->dir, FUSE_IOC_STATS, &stats)));
		EXPECT_EQ(NR_OPS, stats.nr);
		want = numbers[i] < NR_OPS ? numbers[i] : NR_OPS;
		EXPECT_EQ(0xeeeeeeeeeeeeeeee, ops[want].backing);
		if (want)
			EXPECT_NE(0xeeeeeeeeeeeeeeee, ops[want - 1].errors);
	}
}

static int stats_as_user(void *arg)
{
	struct fuse_bpf_stats stats = {};
	const int *fd = arg;

	return RES(ioctl(*fd, FUSE_IOC_STATS, &stats));
}

static int list_as_user(void *arg)
{
	struct fuse_filter_list list = { .info_size = sizeof(struct fuse_filter_info) };
	const int *fd = arg;

	return RES(ioctl(*fd, FUSE_IOC_FILTER_LIST, &list));
}

static int attach_as_user(void *arg)
{
	struct fuse_filter_attach attach = { .fd = -1 };
	const int *fd = arg;

	return RES(ioctl(*fd, FUSE_IOC_FILTER_ATTACH, &attach));
}

static int detach_as_user(void *arg)
{
	struct fuse_filter_detach detach = { .id = 1 };
	const int *fd = arg;

	return RES(ioctl(*fd, FUSE_IOC_FILTER_DETACH, &detach));
}

TEST_F(control, privilege)
{
	EXPECT_EQ(-EPERM, as_user(USER1, USER1, stats_as_user, &self->dir));
	EXPECT_EQ(-EPERM, as_user(USER1, USER1, list_as_user, &self->dir));
	EXPECT_EQ(-EPERM, as_user(USER1, USER1, attach_as_user, &self->dir));
	EXPECT_EQ(-EPERM, as_user(USER1, USER1, detach_as_user, &self->dir));
	EXPECT_EQ(0, stats_as_user(&self->dir));
	EXPECT_EQ(0, list_as_user(&self->dir));
	EXPECT_EQ(-EBADF, attach_as_user(&self->dir));
	EXPECT_EQ(-ENOENT, detach_as_user(&self->dir));
}

#define COUNT(opcode, n_backing, n_errors)						\
do {											\
	EXPECT_EQ(n_backing, counts.ops[opcode].backing) TH_LOG("%s", #opcode);	\
	EXPECT_EQ(n_errors, counts.ops[opcode].errors) TH_LOG("%s", #opcode);		\
	EXPECT_EQ(0, counts.ops[opcode].daemon) TH_LOG("%s", #opcode);			\
	EXPECT_EQ(0, counts.ops[opcode].denied) TH_LOG("%s", #opcode);			\
} while (0)

TEST_F(control, stats_count_what_was_done)
{
	const char *back = self->b.back, *mnt = self->b.mnt;
	struct op_counts counts;
	struct statfs sfs;
	struct stat st;
	char buf[32];
	off_t off = 0;
	int fd, out, i;

	ASSERT_EQ(0, make_dir(in(back, "dir"), 0755));
	ASSERT_EQ(0, make_file(in(back, "dir/file"), "0123456789", 0644));
	ASSERT_EQ(0, symlink("file", in(back, "dir/link")));
	out = open(in(self->b.top, "out"), O_WRONLY | O_CREAT, 0600);

	/* A name: looked up once, and then at each walk over it */
	ASSERT_EQ(0, counts_read(self->dir, &counts));
	for (i = 0; i < 5; i++)
		ASSERT_EQ(0, fstatat(self->dir, "dir", &st, 0));
	ASSERT_EQ(-ENOENT, RES(fstatat(self->dir, "none", &st, 0)));
	ASSERT_EQ(0, counts_since(self->dir, &counts));
	COUNT(FUSE_LOOKUP, 6, 0);
	COUNT(FUSE_GETATTR, 5, 0);

	ASSERT_EQ(0, counts_read(self->dir, &counts));
	fd = open(in(mnt, "dir/file"), O_RDONLY);
	ASSERT_LE(0, fd);
	ASSERT_EQ(4, read(fd, buf, 4));
	ASSERT_EQ(4, pread(fd, buf, 4, 2));
	ASSERT_EQ(10, lseek(fd, 0, SEEK_END));
	ASSERT_EQ(0, read(fd, buf, 4));
	ASSERT_EQ(10, sendfile(out, fd, &off, 10));
	ASSERT_EQ(0, fstat(fd, &st));
	ASSERT_EQ(0, fstatfs(fd, &sfs));
	close(fd);
	ASSERT_EQ(4, readlink(in(mnt, "dir/link"), buf, sizeof(buf)));
	ASSERT_EQ(0, counts_since(self->dir, &counts));
	COUNT(FUSE_OPEN, 1, 0);
	EXPECT_LE(4, counts.ops[FUSE_READ].backing);
	EXPECT_EQ(0, counts.ops[FUSE_READ].errors);
	COUNT(FUSE_GETATTR, 1, 0);
	COUNT(FUSE_STATFS, 1, 0);
	COUNT(FUSE_READLINK, 1, 0);
	COUNT(FUSE_LSEEK, 1, 0);
	COUNT(FUSE_RELEASE, 1, 0);
	close(out);
}

TEST_F(control, stats_count_directories)
{
	struct op_counts counts;
	DIR *d;
	int nr = 0;

	ASSERT_EQ(0, make_dir(in(self->b.back, "dir"), 0755));
	ASSERT_EQ(0, counts_read(self->dir, &counts));
	d = opendir(in(self->b.mnt, "dir"));
	ASSERT_NE(NULL, d);
	while (readdir(d))
		nr++;
	closedir(d);
	EXPECT_EQ(2, nr);
	ASSERT_EQ(0, counts_since(self->dir, &counts));
	COUNT(FUSE_OPENDIR, 1, 0);
	/* Once with entries, once at the end */
	COUNT(FUSE_READDIR, 2, 0);
	COUNT(FUSE_RELEASEDIR, 1, 0);
	COUNT(FUSE_READDIRPLUS, 0, 0);
}

TEST_F(control, stats_count_errors)
{
	struct op_counts counts;
	char name[300];
	int fd;

	ASSERT_EQ(0, make_file(in(self->b.back, "file"), "x", 0644));
	memset(name, 'n', 299);
	name[299] = '\0';
	fd = open(in(self->b.mnt, "file"), O_RDONLY);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, counts_read(self->dir, &counts));
	EXPECT_EQ(-EFAULT, RES(pread(fd, bad_address(), 1, 0)));
	EXPECT_EQ(-EINVAL, RES(lseek(fd, -1, SEEK_SET)));
	/* Refused before anybody is asked */
	EXPECT_EQ(-ENAMETOOLONG, RES(faccessat(self->dir, name, F_OK, 0)));
	EXPECT_EQ(-ENOENT, RES(mkdirat(self->dir, "none/new", 0755)));
	ASSERT_EQ(0, counts_since(self->dir, &counts));
	COUNT(FUSE_READ, 1, 1);
	COUNT(FUSE_LSEEK, 1, 1);
	COUNT(FUSE_MKDIR, 0, 0);
	close(fd);
}

/* Counters of one mount are no other's. */
TEST_F(control, stats_are_per_mount)
{
	struct op_counts counts;
	char mnt[64];
	int fd;

	strcpy(mnt, in(self->b.top, "mnt2"));
	ASSERT_EQ(0, make_dir(mnt, 0755));
	fd = open_dir(self->b.back, O_PATH);
	ASSERT_EQ(0, try_mount(TRY_MOUNT(.backing = fd, .daemonless = true, .at = mnt)));
	close(fd);
	ASSERT_EQ(0, counts_read(self->dir, &counts));
	EXPECT_EQ(-ENOENT, RES(access(in(mnt, "none"), F_OK)));
	ASSERT_EQ(0, counts_since(self->dir, &counts));
	COUNT(FUSE_LOOKUP, 0, 0);
	EXPECT_EQ(0, umount(mnt));
}

TEST_HARNESS_MAIN
