// SPDX-License-Identifier: GPL-2.0-only
/*
 * Filters on a mount of a daemon that knows nothing of them, and on inodes that are
 * not backed: what the kernel answers from its caches is asked about too.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "harness.h"
#include "operations.h"
#include "plain_fixture.h"
#include "recorder.h"
#include <fuse_bpf.h>

/* An errno that nobody else returns here */
#define ODD_ERRNO 71

FIXTURE(plain)
{
	struct backed b;
	struct filter filter;
	pid_t pid;
	int dir;
};

FIXTURE_VARIANT(plain)
{
	bool sleepable;
};

FIXTURE_VARIANT_ADD(plain, atomic) { .sleepable = false };
FIXTURE_VARIANT_ADD(plain, sleepable) { .sleepable = true };

FIXTURE_SETUP(plain)
{
	ASSERT_EQ(0, backed_make(&self->b, "tmpfs"));
	ASSERT_EQ(0, make_file(in(self->b.back, "file"), "0123456789", 0644));
	ASSERT_EQ(0, RES(setxattr(in(self->b.back, "file"), "user.key", "value", 5, 0)));
	ASSERT_EQ(0, plain_mount(&self->b, &self->pid));
	self->dir = open_dir(self->b.mnt, 0);
	ASSERT_LE(0, self->dir);
	ASSERT_EQ(0, recorder_load(&self->filter, "recorder", variant->sleepable, NULL));
	ASSERT_EQ(0, filter_attach(&self->filter, self->dir, 0, 0));
}

FIXTURE_TEARDOWN(plain)
{
	filter_destroy(&self->filter);
	close(self->dir);
	EXPECT_EQ(0, plain_umount(&self->b, self->pid));
	EXPECT_EQ(0, backed_destroy(&self->b));
}

/* What this daemon does not serve, or the kernel does not send it */
static bool is_served(__u32 opcode)
{
	switch (opcode) {
	case FUSE_TMPFILE:
	case FUSE_SYNCFS:
	case FUSE_IOCTL:
		return false;
	/* Found without the daemon, but for holes */
	case FUSE_LSEEK:
		return false;
	/* Kept by the kernel for a daemon that has no locks of its own */
	case FUSE_GETLK:
	case FUSE_SETLK:
	case FUSE_SETLKW:
		return false;
	}
	return true;
}

TEST_F(plain, is_asked_and_told)
{
	ASSERT_EQ(0, recorder_return_all(&self->filter, FUSE_FILTER_POST));
	for (size_t i = 0; i < nr_operations; i++) {
		const struct operation *op = &operations[i];
		struct recorder_seen pre, post;
		struct place p;

		if (!is_served(op->opcode))
			continue;
		ASSERT_EQ(0, place_make(&p, &self->b));
		ASSERT_EQ(0, recorder_forget(&self->filter));
		EXPECT_EQ(op->returns, operation_run(op->run, &p)) TH_LOG("opcode %u", op->opcode);
		pre = recorder_seen(&self->filter, RECORDER_PRE(op->opcode));
		post = recorder_seen(&self->filter, RECORDER_POST(op->opcode));
		EXPECT_LE(1, pre.calls) TH_LOG("opcode %u", op->opcode);
		EXPECT_EQ(USER1, pre.ctx.fsuid) TH_LOG("opcode %u", op->opcode);
		EXPECT_EQ(GROUP1, pre.ctx.fsgid) TH_LOG("opcode %u", op->opcode);
		if (op->name && op->opcode != FUSE_FILTER_OP_XATTR_NAME)
			EXPECT_STREQ(op->name, pre.name) TH_LOG("opcode %u", op->opcode);
		EXPECT_EQ(!(op->flags & OPERATION_NO_POST), post.calls > 0)
			TH_LOG("opcode %u", op->opcode);
	}
}

/* What this daemon does not know, the kernel asks it once */
static bool is_known(__u32 opcode)
{
	return opcode != FUSE_FSYNCDIR && opcode != FUSE_COPY_FILE_RANGE;
}

/* From a daemon, ENOSYS would end that kind of request, for everybody and for good. */
TEST_F(plain, a_filter_does_not_speak_for_the_daemon)
{
	for (size_t i = 0; i < nr_operations; i++) {
		const struct operation *op = &operations[i];
		const __u32 pre = RECORDER_PRE(op->opcode), post = RECORDER_POST(op->opcode);
		struct place p;
		long ret;

		if (!is_served(op->opcode) || !is_known(op->opcode))
			continue;
		ASSERT_EQ(0, place_make(&p, &self->b));
		ASSERT_EQ(0, recorder_return(&self->filter, pre, -ENOSYS));
		ret = operation_run(op->run, &p);
		if (!(op->flags & (OPERATION_HIDES | OPERATION_NO_ANSWER)))
			EXPECT_GT(0, ret) TH_LOG("opcode %u", op->opcode);
		ASSERT_EQ(0, recorder_return(&self->filter, pre, FUSE_FILTER_POST));
		ASSERT_EQ(0, recorder_return(&self->filter, post, -ENOSYS));
		operation_run(op->run, &p);
		ASSERT_EQ(0, recorder_return(&self->filter, post, 0));

		ASSERT_EQ(0, place_make(&p, &self->b));
		ASSERT_EQ(0, recorder_forget(&self->filter));
		EXPECT_EQ(op->returns, operation_run(op->run, &p)) TH_LOG("opcode %u", op->opcode);
		EXPECT_LE(1, recorder_seen(&self->filter, pre).calls)
			TH_LOG("opcode %u", op->opcode);
	}
}

TEST_F(plain, can_refuse_before_and_after)
{
	for (size_t i = 0; i < nr_operations; i++) {
		const struct operation *op = &operations[i];
		struct place p;

		if (!is_served(op->opcode) ||
		    op->flags & (OPERATION_NO_ANSWER | OPERATION_HIDES))
			continue;
		ASSERT_EQ(0, place_make(&p, &self->b));
		ASSERT_EQ(0, recorder_return_all(&self->filter, 0));
		ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_PRE(op->opcode), -ODD_ERRNO));
		EXPECT_EQ(-ODD_ERRNO, operation_run(op->run, &p)) TH_LOG("opcode %u", op->opcode);
		/* There is no backing that could answer */
		ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_PRE(op->opcode),
					     FUSE_FILTER_BACKING));
		EXPECT_EQ(-EIO, operation_run(op->run, &p)) TH_LOG("opcode %u", op->opcode);
		if (op->flags & OPERATION_NO_POST)
			continue;
		ASSERT_EQ(0, place_make(&p, &self->b));
		ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_PRE(op->opcode),
					     FUSE_FILTER_POST));
		ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_POST(op->opcode),
					     -ODD_ERRNO));
		EXPECT_EQ(-ODD_ERRNO, operation_run(op->run, &p)) TH_LOG("opcode %u", op->opcode);
		ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_POST(op->opcode), 0));
	}
}

#define PRE(opcode, ret) \
	ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_PRE(opcode), ret))

/* All that was once answered, and could be answered without the daemon */
TEST_F(plain, caches_hide_nothing)
{
	const char *file = in(self->b.mnt, "file");
	char path[64], buf[16];
	struct stat st;
	int fd;

	strcpy(path, file);
	fd = open(path, O_RDWR);
	ASSERT_LE(0, fd);
	ASSERT_EQ(10, pread(fd, buf, sizeof(buf), 0));
	ASSERT_EQ(0, stat(path, &st));
	PRE(FUSE_READ, -ODD_ERRNO);
	EXPECT_EQ(-ODD_ERRNO, RES(pread(fd, buf, sizeof(buf), 0)));
	EXPECT_EQ(-ODD_ERRNO, RES(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED ?
				  -1 : 0));
	PRE(FUSE_READ, 0);
	PRE(FUSE_WRITE, -ODD_ERRNO);
	EXPECT_EQ(-ODD_ERRNO, RES(pwrite(fd, "x", 1, 0)));
	EXPECT_EQ(-ODD_ERRNO, RES(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ?
				  -1 : 0));
	PRE(FUSE_WRITE, 0);
	PRE(FUSE_GETATTR, -ODD_ERRNO);
	EXPECT_EQ(-ODD_ERRNO, RES(stat(path, &st)));
	PRE(FUSE_GETATTR, 0);
	PRE(FUSE_LOOKUP, -ENOENT);
	EXPECT_EQ(-ENOENT, RES(stat(path, &st)));
	EXPECT_EQ(-ENOENT, RES(open(path, O_RDONLY)));
	EXPECT_EQ(-ENOENT, RES(open(path, O_CREAT | O_WRONLY, 0600)));
	EXPECT_EQ(-ENOENT, RES(open(in(self->b.mnt, "nothing"), O_CREAT | O_WRONLY, 0600)));
	EXPECT_EQ(-ENOENT, RES(mkdir(in(self->b.mnt, "nothing"), 0700)));
	PRE(FUSE_LOOKUP, 0);
	EXPECT_EQ(0, RES(stat(path, &st)));
	close(fd);
}

TEST_F(plain, replies_are_edited)
{
	struct recorder_rule attr = {
		.edit = RECORDER_MODE | RECORDER_UID | RECORDER_GID | RECORDER_SIZE,
		.attr = { .mode = S_IFREG | 0604, .uid = USER2, .gid = GROUP1, .size = 77 },
	};
	struct recorder_rule value = {
		.edit = RECORDER_VALUE, .value_len = 3, .value = "new",
	};
	struct recorder_rule statfs = {
		.edit = RECORDER_STATFS,
		.statfs = { .blocks = 100, .bfree = 50, .bavail = 25, .bsize = 512,
			    .frsize = 512, .namelen = 255 },
	};
	struct recorder_rule change = {
		.edit = RECORDER_MODE, .attr = { .mode = S_IFREG | 0611 },
	};
	struct statvfs vfs;
	struct stat st;
	char buf[16];

	ASSERT_EQ(0, recorder_return_all(&self->filter, FUSE_FILTER_POST));
	ASSERT_EQ(0, recorder_rule(&self->filter, RECORDER_POST(FUSE_GETATTR), &attr));
	ASSERT_EQ(0, stat(in(self->b.mnt, "file"), &st));
	EXPECT_EQ(S_IFREG | 0604, st.st_mode);
	EXPECT_EQ(USER2, st.st_uid);
	EXPECT_EQ(GROUP1, st.st_gid);
	EXPECT_EQ(77, st.st_size);
	ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_POST(FUSE_GETATTR), 0));

	ASSERT_EQ(0, recorder_rule(&self->filter, RECORDER_POST(FUSE_GETXATTR), &value));
	EXPECT_EQ(3, getxattr(in(self->b.mnt, "file"), "user.key", buf, sizeof(buf)));
	EXPECT_EQ(0, memcmp(buf, "new", 3));
	EXPECT_EQ(3, getxattr(in(self->b.mnt, "file"), "user.key", NULL, 0));
	/* Also one that is not there */
	EXPECT_EQ(3, getxattr(in(self->b.mnt, "file"), "user.none", buf, sizeof(buf)));

	ASSERT_EQ(0, recorder_rule(&self->filter, RECORDER_POST(FUSE_STATFS), &statfs));
	ASSERT_EQ(0, statvfs(self->b.mnt, &vfs));
	EXPECT_EQ(100, vfs.f_blocks);
	EXPECT_EQ(25, vfs.f_bavail);

	/* And requests */
	ASSERT_EQ(0, recorder_rule(&self->filter, RECORDER_PRE(FUSE_SETATTR), &change));
	ASSERT_EQ(0, chmod(in(self->b.mnt, "file"), 0777));
	ASSERT_EQ(0, stat(in(self->b.back, "file"), &st));
	EXPECT_EQ(S_IFREG | 0611, st.st_mode);
}

/* A user of the daemon's own files: what cannot be refused reaches the daemon. */
TEST_F(plain, what_is_over_is_over)
{
	int fd;

	PRE(FUSE_FLUSH, -ODD_ERRNO);
	PRE(FUSE_RELEASE, -ODD_ERRNO);
	for (int i = 0; i < 3; i++) {
		fd = open(in(self->b.mnt, "file"), O_RDONLY);
		ASSERT_LE(0, fd);
		EXPECT_EQ(-ODD_ERRNO, RES(close(fd)));
	}
	/* The daemon has nothing open: its source can be unmounted, see the teardown */
}

TEST_HARNESS_MAIN
