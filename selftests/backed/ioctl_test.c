// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls that reach the backing give what they give there, for files and for
 * directories, and to 32-bit processes too. For those that do not, see refuse_test.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/fscrypt.h>
#include <linux/fsverity.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "backed_fixture.h"
#include "harness.h"

#define ARG_SIZE 4096

static const struct {
	const char *name;
	unsigned int cmd;
} passed[] = {
	{ "GETVERSION", FS_IOC_GETVERSION },
	{ "GETFSLABEL", FS_IOC_GETFSLABEL },
	{ "GET_ENCRYPTION_POLICY", FS_IOC_GET_ENCRYPTION_POLICY },
	{ "GET_ENCRYPTION_POLICY_EX", FS_IOC_GET_ENCRYPTION_POLICY_EX },
	{ "MEASURE_VERITY", FS_IOC_MEASURE_VERITY },
	{ "READ_VERITY_METADATA", FS_IOC_READ_VERITY_METADATA },
};

/* Things a file system would do, or tell, and that are not for users of the mount */
static const unsigned int kept[] = {
	FS_IOC_SETVERSION, FS_IOC_SETFSLABEL, FITRIM, FS_IOC_ENABLE_VERITY,
	_IOR('X', 125, __u32) /* FS_IOC_SHUTDOWN */,
	FS_IOC_SET_ENCRYPTION_POLICY, FS_IOC_GET_ENCRYPTION_PWSALT, FS_IOC_ADD_ENCRYPTION_KEY,
	_IO('f', 7) /* EXT4_IOC_GROUP_EXTEND */, _IO('f', 12) /* EXT4_IOC_ALLOC_DA_BLKS */,
};

FIXTURE(ioctls)
{
	struct backed b;
	int back[2];
	int mnt[2];
	unsigned char *arg;
};

FIXTURE_VARIANT(ioctls)
{
	const char *fs;
	bool has_version;
	bool has_label;
};

FIXTURE_VARIANT_ADD(ioctls, tmpfs) { .fs = "tmpfs" };
FIXTURE_VARIANT_ADD(ioctls, ext4) { .fs = "ext4", .has_version = true, .has_label = true };
FIXTURE_VARIANT_ADD(ioctls, xfs) { .fs = "xfs", .has_version = true, .has_label = true };
FIXTURE_VARIANT_ADD(ioctls, btrfs) { .fs = "btrfs", .has_version = true, .has_label = true };

FIXTURE_SETUP(ioctls)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, backed_setup(b, variant->fs, BACKED_ALLOW_OTHER));
	ASSERT_EQ(0, make_file(in(b->back, "file"), "text", 0644));
	ASSERT_EQ(0, make_dir(in(b->back, "dir"), 0755));
	self->back[0] = open(in(b->back, "file"), O_RDONLY | O_CLOEXEC);
	self->back[1] = open_dir(in(b->back, "dir"), 0);
	self->mnt[0] = open(in(b->mnt, "file"), O_RDONLY | O_CLOEXEC);
	self->mnt[1] = open_dir(in(b->mnt, "dir"), 0);
	ASSERT_LE(0, self->mnt[0]);
	ASSERT_LE(0, self->mnt[1]);
	/* Where 32-bit processes can have something too */
	self->arg = mmap(NULL, ARG_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	ASSERT_NE(MAP_FAILED, self->arg);
}

FIXTURE_TEARDOWN(ioctls)
{
	int i;

	munmap(self->arg, ARG_SIZE);
	for (i = 0; i < 2; i++) {
		close(self->back[i]);
		close(self->mnt[i]);
	}
	EXPECT_EQ(0, backed_destroy(&self->b));
}

static long do_ioctl(int fd, unsigned int cmd, void *arg)
{
	return RES(ioctl(fd, cmd, arg));
}

/* The ioctl of a 32-bit process */
static long do_compat_ioctl(int fd, unsigned int cmd, void *arg)
{
	long ret = 54;

	asm volatile("int $0x80" : "+a"(ret)
		     : "b"((long)fd), "c"((long)cmd), "d"(arg) : "memory", "r8", "r9", "r10", "r11");
	return (int)ret;
}

/* Result of an ioctl, and a sum over what it wrote */
static long result_of(long (*call)(int, unsigned int, void *), int fd, unsigned int cmd,
		      unsigned char *arg, unsigned long *sum)
{
	long ret;
	int i;

	memset(arg, 0, ARG_SIZE);
	ret = call(fd, cmd, arg);
	for (*sum = 0, i = 0; i < ARG_SIZE; i++)
		*sum = *sum * 31 + arg[i];
	return ret;
}

TEST_F(ioctls, same_as_on_the_backing)
{
	unsigned long sum, expected;
	size_t i;
	int f;

	for (f = 0; f < 2; f++) {
		for (i = 0; i < ARRAY_SIZE(passed); i++) {
			EXPECT_EQ(result_of(do_ioctl, self->back[f], passed[i].cmd, self->arg,
					    &expected),
				  result_of(do_ioctl, self->mnt[f], passed[i].cmd, self->arg, &sum))
				TH_LOG("%s", passed[i].name);
			EXPECT_EQ(expected, sum) TH_LOG("%s", passed[i].name);
		}
	}
}

TEST_F(ioctls, compat_same_as_on_the_backing)
{
	unsigned long sum, expected;
	unsigned int cmd;
	size_t i;
	int f;

	for (f = 0; f < 2; f++) {
		for (i = 0; i < ARRAY_SIZE(passed); i++) {
			cmd = passed[i].cmd == FS_IOC_GETVERSION ? FS_IOC32_GETVERSION :
								  passed[i].cmd;
			EXPECT_EQ(result_of(do_compat_ioctl, self->back[f], cmd, self->arg,
					    &expected),
				  result_of(do_compat_ioctl, self->mnt[f], cmd, self->arg, &sum))
				TH_LOG("%s", passed[i].name);
			EXPECT_EQ(expected, sum) TH_LOG("%s", passed[i].name);
		}
	}
}

/* That both fail alike would prove nothing. */
TEST_F(ioctls, something_comes_back)
{
	unsigned long sum;
	long found;

	found = variant->has_version ? 0 : -ENOTTY;
	EXPECT_EQ(found, result_of(do_ioctl, self->mnt[0], FS_IOC_GETVERSION, self->arg, &sum));
	EXPECT_EQ(found, result_of(do_compat_ioctl, self->mnt[0], FS_IOC32_GETVERSION, self->arg,
				   &sum));
	found = variant->has_label ? 0 : -ENOTTY;
	EXPECT_EQ(found, result_of(do_ioctl, self->mnt[0], FS_IOC_GETFSLABEL, self->arg, &sum));
	EXPECT_EQ(found, result_of(do_ioctl, self->mnt[1], FS_IOC_GETFSLABEL, self->arg, &sum));
	if (variant->has_version)
		EXPECT_EQ(-EFAULT, do_ioctl(self->mnt[0], FS_IOC_GETVERSION, bad_address()));
}

TEST_F(ioctls, all_others_stay_here)
{
	size_t i;
	int f;

	for (f = 0; f < 2; f++) {
		for (i = 0; i < ARRAY_SIZE(kept); i++) {
			EXPECT_EQ(-ENOTTY, do_ioctl(self->mnt[f], kept[i], self->arg))
				TH_LOG("%#x", kept[i]);
			EXPECT_EQ(-ENOTTY, do_compat_ioctl(self->mnt[f], kept[i], self->arg))
				TH_LOG("%#x", kept[i]);
		}
	}
}

TEST_F(ioctls, are_counted)
{
	struct op_counts counts;

	ASSERT_EQ(0, counts_read(self->mnt[1], &counts));
	do_ioctl(self->mnt[0], FS_IOC_GETVERSION, self->arg);
	do_ioctl(self->mnt[0], FITRIM, self->arg);
	ASSERT_EQ(0, counts_since(self->mnt[1], &counts));
	EXPECT_EQ(variant->has_version, counts.ops[FUSE_IOCTL].backing);
	EXPECT_EQ(0, counts.ops[FUSE_IOCTL].errors);
}

TEST_F(ioctls, control_is_for_directories_in_compat_too)
{
	struct fuse_bpf_query *query = (void *)self->arg;

	EXPECT_EQ(0, do_compat_ioctl(self->mnt[1], FUSE_IOC_QUERY, query));
	EXPECT_EQ(FUSE_BPF_ABI, query->abi);
	EXPECT_EQ(-ENOTTY, do_compat_ioctl(self->mnt[0], FUSE_IOC_QUERY, query));
}

/* The VFS answers this from what the last operation has left. */
TEST_F(ioctls, bytes_to_read)
{
	struct stat st;
	int bytes = 0;

	EXPECT_EQ(0, do_ioctl(self->mnt[0], FIONREAD, &bytes));
	EXPECT_EQ(4, bytes);
	ASSERT_EQ(0, append_file(in(self->b.back, "file"), "more"));
	ASSERT_EQ(0, fstat(self->mnt[0], &st));
	EXPECT_EQ(0, do_ioctl(self->mnt[0], FIONREAD, &bytes));
	EXPECT_EQ(8, bytes);
}

TEST_HARNESS_MAIN
