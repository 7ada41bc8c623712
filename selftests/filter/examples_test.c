// SPDX-License-Identifier: GPL-2.0-only
/*
 * The examples in bpf/examples do what they say.
 */
#include <bpf/bpf.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "backed_fixture.h"
#include "filter_fixture.h"
#include "harness.h"

#ifndef RWF_NOAPPEND
#define RWF_NOAPPEND 0x20
#endif

FIXTURE(examples)
{
	struct backed b;
	struct filter filter;
	char file[64];
	char back[64];
	int dir;
};

FIXTURE_SETUP(examples)
{
	self->filter = FILTER_NONE;
	ASSERT_EQ(0, backed_make(&self->b, "tmpfs"));
	strcpy(self->back, in(self->b.back, "file"));
	strcpy(self->file, in(self->b.mnt, "file"));
	ASSERT_EQ(0, make_file(self->back, "0123456789abcdefghij", 0644));
	ASSERT_EQ(0, backed_mount(&self->b, BACKED_ALLOW_OTHER));
	self->dir = open_dir(self->b.mnt, 0);
	ASSERT_LE(0, self->dir);
}

FIXTURE_TEARDOWN(examples)
{
	filter_destroy(&self->filter);
	close(self->dir);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

static int use(struct filter *filter, const char *name, int dir)
{
	int err = filter_load(filter, in("../bpf/examples", "%s", name));

	return err ? err : filter_attach(filter, dir, 0, 0);
}

static int set(const struct filter *filter, const char *map, const void *key, const void *value)
{
	return bpf_map_update_elem(bpf_map__fd(bpf_object__find_map_by_name(filter->obj, map)),
				   key, value, BPF_ANY);
}

TEST_F(examples, deny_uid)
{
	__u32 uid = USER1;
	__u8 one = 1;

	ASSERT_EQ(0, use(&self->filter, "deny_uid", self->dir));
	EXPECT_EQ(0, user_open(USER1, self->file, O_RDONLY));
	ASSERT_EQ(0, set(&self->filter, "denied_uids", &uid, &one));
	EXPECT_EQ(-EACCES, user_open(USER1, self->file, O_RDONLY));
	EXPECT_EQ(-EACCES, user_stat(USER1, self->file));
	EXPECT_EQ(-EACCES, user_open(USER1, self->b.mnt, O_RDONLY | O_DIRECTORY));
	EXPECT_EQ(0, user_open(USER2, self->file, O_RDONLY));
}

TEST_F(examples, hide_by_owner)
{
	ASSERT_EQ(0, make_file(in(self->b.back, "his"), "his", 0666));
	ASSERT_EQ(0, RES(chown(in(self->b.back, "his"), USER1, USER1)));
	ASSERT_EQ(0, use(&self->filter, "hide_by_owner", self->dir));
	EXPECT_EQ(0, user_stat(USER1, in(self->b.mnt, "his")));
	EXPECT_EQ(-ENOENT, user_stat(USER2, in(self->b.mnt, "his")));
	EXPECT_EQ(-ENOENT, user_open(USER2, in(self->b.mnt, "his"), O_RDONLY));
	EXPECT_EQ(0, user_stat(0, in(self->b.mnt, "his")));
	EXPECT_EQ(0, user_stat(USER2, self->file));
	EXPECT_EQ(-ENOENT, user_stat(USER2, in(self->b.mnt, "none")));
}

static int read_redacted(void *arg)
{
	char buf[32];
	ssize_t len = read_file(arg, buf, sizeof(buf));

	if (len != 20)
		return -EIO;
	for (int i = 0; i < 16; i++) {
		if (buf[i])
			return 1 + i;
	}
	return memcmp(buf + 16, "ghij", 4) ? 17 : 0;
}

TEST_F(examples, redact)
{
	ASSERT_EQ(0, use(&self->filter, "redact", self->dir));
	EXPECT_EQ(0, as_user(USER1, USER1, read_redacted, self->file));
	EXPECT_STREQ("0123456789abcdefghij", text_of(self->file));
	EXPECT_EQ(1, as_user(0, 0, read_redacted, self->file));
}

static uid_t owner(const char *path)
{
	struct stat st;

	return lstat(path, &st) ? (uid_t)-1 : st.st_uid;
}

TEST_F(examples, map_owners)
{
	__u32 stored = USER1, shown = USER2;

	ASSERT_EQ(0, use(&self->filter, "map_owners", self->dir));
	ASSERT_EQ(0, set(&self->filter, "shown_as", &stored, &shown));
	ASSERT_EQ(0, set(&self->filter, "stored_as", &shown, &stored));
	EXPECT_EQ(0, owner(self->file));
	ASSERT_EQ(0, RES(chown(self->back, USER1, USER1)));
	EXPECT_EQ(USER2, owner(self->file));
	ASSERT_EQ(0, RES(chown(self->file, 0, 0)));
	EXPECT_EQ(0, owner(self->back));
	ASSERT_EQ(0, RES(chown(self->file, USER2, USER2)));
	EXPECT_EQ(USER1, owner(self->back));
	EXPECT_EQ(USER2, owner(self->file));
	/* Who is not given away by a change of something else */
	ASSERT_EQ(0, RES(chmod(self->file, 0600)));
	EXPECT_EQ(USER1, owner(self->back));
}

TEST_F(examples, append_only)
{
	struct iovec iov = { "new", 3 };
	int fd;

	ASSERT_EQ(0, use(&self->filter, "append_only", self->dir));
	fd = open(self->file, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(3, pwrite(fd, "end", 3, 0));
	EXPECT_STREQ("0123456789abcdefghijend", text_of(self->back));
	EXPECT_EQ(-EPERM, RES(pwritev2(fd, &iov, 1, 0, RWF_NOAPPEND)));
	EXPECT_EQ(-EPERM, RES(ftruncate(fd, 3)));
	EXPECT_EQ(-EPERM, RES(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 10)));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd, 0));
	EXPECT_EQ(-EPERM, RES(open(self->file, O_WRONLY | O_TRUNC | O_CLOEXEC)));
	ASSERT_EQ(0, fcntl(fd, F_SETFL, 0));
	EXPECT_EQ(-EPERM, RES(pwrite(fd, "new", 3, 0)));
	EXPECT_STREQ("0123456789abcdefghijend", text_of(self->back));
	close(fd);
}

struct op_key {
	__u32 uid;
	__u32 opcode;
};

struct op_count {
	__u64 requests;
	__u64 failures;
};

static struct op_count count_of(const struct filter *filter, __u32 uid, __u32 opcode)
{
	int map = bpf_map__fd(bpf_object__find_map_by_name(filter->obj, "op_counts"));
	struct op_count per_cpu[64] = {}, sum = {};
	struct op_key key = { uid, opcode };
	int cpus = libbpf_num_possible_cpus();

	if (cpus > 64 || bpf_map_lookup_elem(map, &key, per_cpu))
		return sum;
	for (int i = 0; i < cpus; i++) {
		sum.requests += per_cpu[i].requests;
		sum.failures += per_cpu[i].failures;
	}
	return sum;
}

TEST_F(examples, count_ops)
{
	struct op_count count;

	ASSERT_EQ(0, use(&self->filter, "count_ops", self->dir));
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(0, user_stat(USER1, self->file));
	EXPECT_EQ(-ENOENT, user_stat(USER1, in(self->b.mnt, "none")));
	EXPECT_EQ(0, user_open(USER2, self->file, O_RDONLY));
	count = count_of(&self->filter, USER1, FUSE_GETATTR);
	EXPECT_EQ(3, count.requests);
	EXPECT_EQ(0, count.failures);
	count = count_of(&self->filter, USER1, FUSE_LOOKUP);
	EXPECT_LE(4, count.requests);
	EXPECT_EQ(1, count.failures);
	EXPECT_EQ(0, count_of(&self->filter, USER1, FUSE_OPEN).requests);
	EXPECT_EQ(1, count_of(&self->filter, USER2, FUSE_OPEN).requests);
	EXPECT_EQ(0, count_of(&self->filter, 0, FUSE_OPEN).requests);
}

/* Whatever is in the folder has a test above. */
TEST_F(examples, all_of_them)
{
	static const char *const tested[] = {
		"deny_uid", "hide_by_owner", "redact", "map_owners", "append_only", "count_ops",
	};
	DIR *dir = opendir("/src/bpf/examples");
	struct dirent *entry;
	unsigned int nr = 0;

	ASSERT_NE(NULL, dir);
	while ((entry = readdir(dir))) {
		bool known = entry->d_name[0] == '.';

		for (size_t i = 0; i < ARRAY_SIZE(tested); i++) {
			if (!strncmp(entry->d_name, tested[i], strlen(tested[i])))
				known = true;
		}
		EXPECT_TRUE(known) TH_LOG("%s", entry->d_name);
		nr += entry->d_name[0] != '.';
	}
	closedir(dir);
	EXPECT_EQ(ARRAY_SIZE(tested), nr);
}

TEST_HARNESS_MAIN
