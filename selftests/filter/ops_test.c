// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every callback there is: it is called, knows what it is called for, and what it
 * returns is what becomes of the request.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include "backed_fixture.h"
#include "harness.h"
#include "operations.h"
#include "recorder.h"
#include "uring.h"
#include <fuse_bpf.h>

/* Younger than some versions of <linux/fuse.h> */
#define OP_COPY_FILE_RANGE_64 53

#define PERMISSIONS 07777

FIXTURE(ops)
{
	struct backed b;
	struct filter filter;
	int dir;
};

FIXTURE_VARIANT(ops)
{
	bool sleepable;
};

FIXTURE_VARIANT_ADD(ops, atomic) { .sleepable = false };
FIXTURE_VARIANT_ADD(ops, sleepable) { .sleepable = true };

FIXTURE_SETUP(ops)
{
	ASSERT_EQ(0, backed_setup(&self->b, "tmpfs", BACKED_ALLOW_OTHER));
	self->dir = open_dir(self->b.mnt, 0);
	ASSERT_LE(0, self->dir);
	ASSERT_EQ(0, recorder_load(&self->filter, "recorder", variant->sleepable, NULL));
	ASSERT_EQ(0, filter_attach(&self->filter, self->dir, 0, 0));
}

FIXTURE_TEARDOWN(ops)
{
	filter_destroy(&self->filter);
	close(self->dir);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

/* Which member is called for an opcode, before and after */
static const struct {
	__u32 opcode;
	const char *pre;
	const char *post;
} members[] = {
	{ FUSE_LOOKUP, "lookup", "lookup_post" },
	{ FUSE_GETATTR, "getattr", "getattr_post" },
	{ FUSE_SETATTR, "setattr", "post" },
	{ FUSE_READLINK, "readlink", "readlink_post" },
	{ FUSE_SYMLINK, "symlink", "create_post" },
	{ FUSE_MKNOD, "mknod", "create_post" },
	{ FUSE_MKDIR, "mkdir", "create_post" },
	{ FUSE_UNLINK, "unlink", "post" },
	{ FUSE_RMDIR, "rmdir", "post" },
	{ FUSE_RENAME2, "rename", "post" },
	{ FUSE_LINK, "link", "create_post" },
	{ FUSE_OPEN, "open", "open_post" },
	{ FUSE_OPENDIR, "opendir", "open_post" },
	{ FUSE_CREATE, "create", "create_post" },
	{ FUSE_TMPFILE, "create", "create_post" },
	{ FUSE_READ, "read", "read_post" },
	{ FUSE_WRITE, "write", "write_post" },
	{ FUSE_FILTER_OP_MMAP, "mmap", NULL },
	{ FUSE_STATFS, "statfs", "statfs_post" },
	{ FUSE_SYNCFS, "syncfs", "post" },
	{ FUSE_FSYNC, "fsync", "post" },
	{ FUSE_FSYNCDIR, "fsync", "post" },
	{ FUSE_FLUSH, "flush", "post" },
	{ FUSE_RELEASE, "release", NULL },
	{ FUSE_RELEASEDIR, "release", NULL },
	{ FUSE_SETXATTR, "setxattr", "post" },
	{ FUSE_GETXATTR, "getxattr", "getxattr_post" },
	{ FUSE_LISTXATTR, "listxattr", "listxattr_post" },
	{ FUSE_REMOVEXATTR, "removexattr", "post" },
	{ FUSE_FILTER_OP_XATTR_NAME, "xattr_name", NULL },
	{ FUSE_READDIR, "readdir", "post" },
	{ FUSE_FILTER_OP_DIRENT, "dirent", NULL },
	{ FUSE_GETLK, "lock", "lock_post" },
	{ FUSE_SETLK, "lock", "lock_post" },
	{ FUSE_SETLKW, "lock", "lock_post" },
	{ FUSE_ACCESS, "permission", "post" },
	{ FUSE_IOCTL, "ioctl", "ioctl_post" },
	{ FUSE_FALLOCATE, "fallocate", "post" },
	{ FUSE_LSEEK, "lseek", "lseek_post" },
	{ FUSE_COPY_FILE_RANGE, "copy_file_range", "copy_file_range_post" },
};

/* What filters can be asked about and no backed inode is ever asked */
static const __u32 of_daemons[] = {
	FUSE_POLL, FUSE_BMAP,
	/* Requests of a protocol with variants; the kernel's own calls have one of each */
	FUSE_RENAME, FUSE_READDIRPLUS, OP_COPY_FILE_RANGE_64,
};

static const char *member_of(__u32 opcode, bool post)
{
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		if (members[i].opcode == opcode)
			return post ? members[i].post : members[i].pre;
	}
	return "none";
}

static __u64 node_of(const struct place *p, const char *name)
{
	if (!name)
		return 0;
	if (!strcmp(name, "/"))
		return FUSE_ROOT_ID;
	return FUSE_NODEID_KERNEL | ino_of(*name ? in(p->back, "%s", name) : p->back);
}

/* What the context of a request is to say; taken before things are moved about */
static struct recorder_ctx context_of(const struct operation *op, const struct place *p)
{
	bool in_full = op->opcode == FUSE_FILTER_OP_DIRENT;
	struct recorder_ctx ctx = {
		.nodeid = node_of(p, op->node),
		.parent = op->in_place ? node_of(p, "") : in_full ? node_of(p, "full") : 0,
		.opcode = op->opcode,
		.fsuid = USER1,
		.fsgid = GROUP1,
		.pid = gettid(),
		.name_len = op->name ? strlen(op->name) : 0,
	};

	if (op->opcode == FUSE_RENAME2) {
		ctx.newname_len = strlen("moved");
		ctx.newparent = node_of(p, "sub");
	}
	return ctx;
}

static void check_context(struct __test_metadata *_metadata, const struct recorder_seen *seen,
			  const struct recorder_ctx *want)
{
	EXPECT_EQ(want->nodeid, seen->ctx.nodeid) TH_LOG("%s", seen->member);
	EXPECT_EQ(want->parent, seen->ctx.parent) TH_LOG("%s", seen->member);
	EXPECT_EQ(want->newparent, seen->ctx.newparent) TH_LOG("%s", seen->member);
	EXPECT_EQ(want->result, seen->ctx.result) TH_LOG("%s", seen->member);
	EXPECT_EQ(want->opcode, seen->ctx.opcode) TH_LOG("%s", seen->member);
	EXPECT_EQ(want->fsuid, seen->ctx.fsuid) TH_LOG("%s", seen->member);
	EXPECT_EQ(want->fsgid, seen->ctx.fsgid) TH_LOG("%s", seen->member);
	EXPECT_EQ(want->pid, seen->ctx.pid) TH_LOG("%s", seen->member);
	EXPECT_EQ(want->name_len, seen->ctx.name_len) TH_LOG("%s", seen->member);
	EXPECT_EQ(want->newname_len, seen->ctx.newname_len) TH_LOG("%s", seen->member);
}

static void check_members(struct __test_metadata *_metadata, const struct filter *filter,
			  const struct operation *op, struct recorder_ctx want)
{
	struct recorder_seen pre = recorder_seen(filter, RECORDER_PRE(op->opcode));
	struct recorder_seen post = recorder_seen(filter, RECORDER_POST(op->opcode));

	EXPECT_LE(1, pre.calls) TH_LOG("opcode %u", op->opcode);
	EXPECT_STREQ(member_of(op->opcode, false), pre.member);
	check_context(_metadata, &pre, &want);
	if (op->name && strcmp(pre.member, "xattr_name"))
		EXPECT_STREQ(op->name, pre.name);
	if (op->flags & OPERATION_NO_POST) {
		EXPECT_EQ(0, post.calls) TH_LOG("opcode %u", op->opcode);
		return;
	}
	EXPECT_EQ(pre.calls, post.calls) TH_LOG("opcode %u", op->opcode);
	EXPECT_LT(pre.order, post.order) TH_LOG("opcode %u", op->opcode);
	EXPECT_STREQ(member_of(op->opcode, true), post.member);
	want.result = op->result;
	check_context(_metadata, &post, &want);
}

TEST_F(ops, each_member_is_called_and_knows_what_for)
{
	ASSERT_EQ(0, recorder_return_all(&self->filter, FUSE_FILTER_POST));
	for (size_t i = 0; i < nr_operations; i++) {
		const struct operation *op = &operations[i];
		struct recorder_ctx want;
		struct place p;

		ASSERT_EQ(0, place_make(&p, &self->b));
		want = context_of(op, &p);
		ASSERT_EQ(0, recorder_forget(&self->filter));
		EXPECT_EQ(op->returns, operation_run(op->run, &p)) TH_LOG("opcode %u", op->opcode);
		check_members(_metadata, &self->filter, op, want);
	}
}

static bool is_of_daemons(__u32 opcode)
{
	for (size_t i = 0; i < ARRAY_SIZE(of_daemons); i++) {
		if (of_daemons[i] == opcode)
			return true;
	}
	return false;
}

static bool bit(const __u64 *ops, __u32 opcode)
{
	return ops[opcode / 64] >> (opcode % 64) & 1;
}

/* By all operations together, whatever else each needs on its way */
TEST_F(ops, nothing_that_the_kernel_offers_is_left_out)
{
	struct fuse_bpf_query query = {};

	ASSERT_EQ(0, RES(ioctl(self->dir, FUSE_IOC_QUERY, &query)));
	ASSERT_EQ(0, recorder_return_all(&self->filter, FUSE_FILTER_POST));
	for (size_t i = 0; i < nr_operations; i++) {
		struct place p;

		ASSERT_EQ(0, place_make(&p, &self->b));
		EXPECT_EQ(operations[i].returns, operation_run(operations[i].run, &p));
	}
	for (__u32 op = 0; op < 128; op++) {
		bool pre = op < RECORDER_OPS &&
			   recorder_seen(&self->filter, RECORDER_PRE(op)).calls;
		bool post = op < RECORDER_OPS &&
			    recorder_seen(&self->filter, RECORDER_POST(op)).calls;

		if (is_of_daemons(op)) {
			EXPECT_TRUE(bit(query.prefilter_ops, op)) TH_LOG("opcode %u", op);
			EXPECT_TRUE(bit(query.postfilter_ops, op)) TH_LOG("opcode %u", op);
			EXPECT_FALSE(pre || post) TH_LOG("opcode %u", op);
			continue;
		}
		EXPECT_EQ(bit(query.prefilter_ops, op), pre) TH_LOG("opcode %u", op);
		EXPECT_EQ(bit(query.postfilter_ops, op), post) TH_LOG("opcode %u", op);
	}
}

/* Runs an operation and returns what the recorder was told before it. */
static struct recorder_seen run_in(struct __test_metadata *_metadata,
				   FIXTURE_DATA(ops) *self, __u32 opcode, struct place *p)
{
	EXPECT_EQ(0, place_make(p, &self->b));
	for (size_t i = 0; i < nr_operations; i++) {
		if (operations[i].opcode == opcode)
			EXPECT_EQ(operations[i].returns, operation_run(operations[i].run, p));
	}
	return recorder_seen(&self->filter, RECORDER_PRE(opcode));
}

#define SEEN_IN(opcode) run_in(_metadata, self, opcode, &place)

TEST_F(ops, what_requests_carry)
{
	struct recorder_seen seen;
	struct place place;

	seen = SEEN_IN(FUSE_MKNOD);
	EXPECT_EQ(S_IFIFO | 0640, seen.in[0]);
	EXPECT_EQ(0, seen.in[1]);
	seen = SEEN_IN(FUSE_MKDIR);
	EXPECT_EQ(0750, seen.in[0] & PERMISSIONS);
	seen = SEEN_IN(FUSE_RENAME2);
	EXPECT_EQ(node_of(&place, "sub"), seen.in[0]);
	EXPECT_EQ(RENAME_NOREPLACE, seen.in[1]);
	EXPECT_STREQ("moved", seen.newname);
	seen = SEEN_IN(FUSE_LINK);
	EXPECT_EQ(node_of(&place, "file"), seen.in[0]);
	seen = SEEN_IN(FUSE_OPEN);
	EXPECT_EQ(O_RDWR, seen.in[0] & (O_ACCMODE | O_CREAT | O_APPEND | O_TRUNC));
	seen = SEEN_IN(FUSE_OPENDIR);
	EXPECT_EQ(O_DIRECTORY, seen.in[0] & (O_ACCMODE | O_DIRECTORY));
	seen = SEEN_IN(FUSE_CREATE);
	EXPECT_EQ(0640, seen.in[1] & PERMISSIONS);
	seen = SEEN_IN(FUSE_READ);
	EXPECT_EQ(2, seen.in[0]);
	EXPECT_EQ(5, seen.in[1]);
	EXPECT_EQ(0, seen.in[2]);
	seen = SEEN_IN(FUSE_WRITE);
	EXPECT_EQ(3, seen.in[0]);
	EXPECT_EQ(4, seen.in[1]);
	EXPECT_EQ(0, seen.in[2]);
	seen = SEEN_IN(FUSE_FILTER_OP_MMAP);
	EXPECT_EQ(0, seen.in[0]);
	EXPECT_EQ(4096, seen.in[1]);
	EXPECT_EQ(PROT_READ, seen.in[2]);
	EXPECT_EQ(MAP_PRIVATE, seen.in[3]);
	seen = SEEN_IN(FUSE_FSYNC);
	EXPECT_EQ(FUSE_FSYNC_FDATASYNC, seen.in[0]);
	seen = SEEN_IN(FUSE_FSYNCDIR);
	EXPECT_EQ(0, seen.in[0]);
	seen = SEEN_IN(FUSE_READDIR);
	/* Once from the beginning, and once from where that ended */
	EXPECT_NE(0, seen.in[0]);
	seen = SEEN_IN(FUSE_FILTER_OP_DIRENT);
	EXPECT_EQ(ino_of(in(place.back, "full/in")), seen.in[0]);
	EXPECT_EQ(8, seen.in[1]); /* DT_REG */
	seen = SEEN_IN(FUSE_ACCESS);
	EXPECT_EQ(R_OK | W_OK | FUSE_FILTER_MAY_ACCESS, seen.in[0]);
	seen = SEEN_IN(FUSE_IOCTL);
	EXPECT_EQ(FS_IOC_GETFLAGS, seen.in[0]);
	seen = SEEN_IN(FUSE_FALLOCATE);
	EXPECT_EQ(20, seen.in[0]);
	EXPECT_EQ(100, seen.in[1]);
	EXPECT_EQ(1, seen.in[2]); /* FALLOC_FL_KEEP_SIZE */
	seen = SEEN_IN(FUSE_LSEEK);
	EXPECT_EQ((__u64)-3, seen.in[0]);
	EXPECT_EQ(SEEK_END, seen.in[1]);
	seen = SEEN_IN(FUSE_COPY_FILE_RANGE);
	EXPECT_EQ(2, seen.in[0]);
	EXPECT_EQ(node_of(&place, "other"), seen.in[1]);
	EXPECT_EQ(1, seen.in[2]);
	EXPECT_EQ(5, seen.in[3]);
	EXPECT_EQ(0, seen.in[4]);
	/* A copy is a read and a write, too */
	seen = recorder_seen(&self->filter, RECORDER_PRE(FUSE_READ));
	EXPECT_EQ(node_of(&place, "file"), seen.ctx.nodeid);
	EXPECT_EQ(2, seen.in[0]);
	EXPECT_EQ(5, seen.in[1]);
	seen = recorder_seen(&self->filter, RECORDER_PRE(FUSE_WRITE));
	EXPECT_EQ(node_of(&place, "other"), seen.ctx.nodeid);
	EXPECT_EQ(1, seen.in[0]);
	EXPECT_EQ(5, seen.in[1]);
}

TEST_F(ops, locks_and_attributes_that_requests_carry)
{
	static const __u32 locks[] = { FUSE_GETLK, FUSE_SETLK, FUSE_SETLKW };
	struct recorder_seen seen;
	struct place place;

	for (size_t i = 0; i < ARRAY_SIZE(locks); i++) {
		seen = SEEN_IN(locks[i]);
		/* Closing the file drops locks without asking */
		EXPECT_EQ(2, seen.in[0]);
		EXPECT_EQ(4, seen.in[1]);
		EXPECT_EQ(F_RDLCK, seen.in[2]);
		EXPECT_EQ(0, seen.in[3]);
	}
	seen = SEEN_IN(FUSE_SETXATTR);
	EXPECT_EQ(4, seen.in[0]);
	EXPECT_EQ(1, seen.in[1]); /* XATTR_CREATE */
	EXPECT_STREQ("user.new", seen.text);
	EXPECT_EQ(8, seen.text_len);
	EXPECT_EQ(4, seen.value_len);
	EXPECT_EQ(0, memcmp("1234\0\0", seen.value, 6));
	seen = SEEN_IN(FUSE_GETXATTR);
	EXPECT_EQ(32, seen.in[0]);
	EXPECT_STREQ("user.key", seen.text);
	seen = SEEN_IN(FUSE_LISTXATTR);
	EXPECT_EQ(32, seen.in[0]);
	seen = SEEN_IN(FUSE_REMOVEXATTR);
	EXPECT_STREQ("user.key", seen.text);
	seen = SEEN_IN(FUSE_FILTER_OP_XATTR_NAME);
	EXPECT_STREQ("user.key", seen.text);
	seen = SEEN_IN(FUSE_SYMLINK);
	EXPECT_STREQ("target", seen.text);
	EXPECT_EQ(6, seen.text_len);
	seen = SEEN_IN(FUSE_SETATTR);
	EXPECT_EQ(1, seen.has_attr);
	EXPECT_EQ(FATTR_MODE, seen.attr.valid);
	EXPECT_EQ(0604, seen.attr.mode & PERMISSIONS);
}

/* What answers carry is there afterwards, for those that may look at it. */
TEST_F(ops, what_answers_carry)
{
	struct recorder_seen seen;
	struct place place;
	struct stat st;

	ASSERT_EQ(0, recorder_return_all(&self->filter, FUSE_FILTER_POST));
	seen = SEEN_IN(FUSE_GETATTR);
	ASSERT_EQ(0, lstat(in(place.back, "file"), &st));
	seen = recorder_seen(&self->filter, RECORDER_POST(FUSE_GETATTR));
	EXPECT_EQ(1, seen.has_attr);
	EXPECT_EQ(st.st_ino, seen.attr.ino);
	EXPECT_EQ(10, seen.attr.size);
	EXPECT_EQ(st.st_blocks, seen.attr.blocks);
	EXPECT_EQ(S_IFREG | 0644, seen.attr.mode);
	EXPECT_EQ(1, seen.attr.nlink);
	EXPECT_EQ(USER1, seen.attr.uid);
	EXPECT_EQ(GROUP1, seen.attr.gid);
	EXPECT_EQ(st.st_mtim.tv_sec, seen.attr.mtime);
	EXPECT_EQ(st.st_mtim.tv_nsec, seen.attr.mtimensec);
	EXPECT_EQ(st.st_ctim.tv_sec, seen.attr.ctime);
	EXPECT_EQ(0, seen.attr.valid);
	seen = recorder_seen(&self->filter, RECORDER_POST(FUSE_LOOKUP));
	EXPECT_EQ(st.st_ino, seen.attr.ino);
	EXPECT_EQ(S_IFREG | 0644, seen.attr.mode);
	EXPECT_EQ(USER1, seen.attr.uid);
	SEEN_IN(FUSE_READLINK);
	seen = recorder_seen(&self->filter, RECORDER_POST(FUSE_READLINK));
	EXPECT_EQ(4, seen.value_len);
	EXPECT_STREQ("file", seen.value);
	SEEN_IN(FUSE_GETXATTR);
	seen = recorder_seen(&self->filter, RECORDER_POST(FUSE_GETXATTR));
	EXPECT_EQ(5, seen.value_len);
	EXPECT_STREQ("value", seen.value);
	EXPECT_STREQ("user.key", seen.text);
	SEEN_IN(FUSE_STATFS);
	seen = recorder_seen(&self->filter, RECORDER_POST(FUSE_STATFS));
	EXPECT_EQ(255, seen.statfs.namelen);
	EXPECT_NE(0, seen.statfs.blocks);
}

/* An errno that no file system returns for anything */
#define ODD_ERRNO EBADE
#define ODD_ERRNO2 EBADR

TEST_F(ops, what_is_refused_is_not_done)
{
	for (size_t i = 0; i < nr_operations; i++) {
		const struct operation *op = &operations[i];
		__u32 slot = RECORDER_PRE(op->opcode);
		long want = -ODD_ERRNO;
		unsigned long before;
		struct place p;

		if (op->flags & OPERATION_HIDES)
			want = 0;
		else if (op->flags & OPERATION_NO_ANSWER)
			want = op->returns;
		ASSERT_EQ(0, place_make(&p, &self->b));
		before = tree_digest(p.back);
		ASSERT_EQ(0, recorder_forget(&self->filter));
		ASSERT_EQ(0, recorder_return(&self->filter, slot, -ODD_ERRNO));
		EXPECT_EQ(want, operation_run(op->run, &p)) TH_LOG("opcode %u", op->opcode);
		EXPECT_EQ(before, tree_digest(p.back)) TH_LOG("opcode %u", op->opcode);
		EXPECT_LE(1, recorder_seen(&self->filter, slot).calls);
		EXPECT_EQ(0, recorder_seen(&self->filter, RECORDER_POST(op->opcode)).calls);
		ASSERT_EQ(0, recorder_return(&self->filter, slot, 0));
	}
}

/* What an operation comes to whose request has nowhere to go */
static int without_daemon(const struct operation *op)
{
	if (op->flags & OPERATION_HIDES)
		return 0;
	/* There is no request for a mapping; that for all files is not for any server */
	if (op->opcode == FUSE_FILTER_OP_MMAP || op->opcode == FUSE_SYNCFS)
		return -EIO;
	/* None is sent for a file that the daemon has not open */
	return op->opcode == FUSE_FLUSH ? 0 : -ENOTCONN;
}

TEST_F(ops, a_daemonless_mount_has_no_daemon_to_ask)
{
	for (size_t i = 0; i < nr_operations; i++) {
		const struct operation *op = &operations[i];
		__u32 slot = RECORDER_PRE(op->opcode);
		struct place p;

		/* What becomes of a name that the daemon answers for is another matter */
		if (op->opcode == FUSE_LOOKUP || op->flags & OPERATION_NO_ANSWER)
			continue;
		ASSERT_EQ(0, place_make(&p, &self->b));
		ASSERT_EQ(0, recorder_return(&self->filter, slot, FUSE_FILTER_DAEMON));
		EXPECT_EQ(without_daemon(op), operation_run(op->run, &p))
			TH_LOG("opcode %u", op->opcode);
		ASSERT_EQ(0, recorder_return(&self->filter, slot, FUSE_FILTER_BACKING));
		EXPECT_EQ(op->returns, operation_run(op->run, &p)) TH_LOG("opcode %u", op->opcode);
		ASSERT_EQ(0, recorder_return(&self->filter, slot, 0));
	}
}

TEST_F(ops, an_errno_takes_the_place_of_a_result)
{
	ASSERT_EQ(0, recorder_return_all(&self->filter, FUSE_FILTER_POST));
	for (size_t i = 0; i < nr_operations; i++) {
		const struct operation *op = &operations[i];
		__u32 slot = RECORDER_POST(op->opcode);
		struct place p;

		if (op->flags & OPERATION_NO_POST)
			continue;
		ASSERT_EQ(0, place_make(&p, &self->b));
		ASSERT_EQ(0, recorder_return(&self->filter, slot, -ODD_ERRNO));
		EXPECT_EQ(-ODD_ERRNO, operation_run(op->run, &p)) TH_LOG("opcode %u", op->opcode);
		ASSERT_EQ(0, recorder_return(&self->filter, slot, 0));
	}
}

TEST_F(ops, an_errno_takes_the_place_of_an_errno)
{
	unsigned int nr = 0;

	ASSERT_EQ(0, recorder_return_all(&self->filter, FUSE_FILTER_POST));
	for (size_t i = 0; i < nr_operations; i++) {
		const struct operation *op = &operations[i];
		__u32 slot = RECORDER_POST(op->opcode);
		struct place p;

		if (!op->fail)
			continue;
		ASSERT_EQ(0, place_make(&p, &self->b));
		ASSERT_EQ(0, recorder_forget(&self->filter));
		EXPECT_EQ(-op->error, operation_run(op->fail, &p)) TH_LOG("opcode %u", op->opcode);
		EXPECT_EQ(-op->error, recorder_seen(&self->filter, slot).ctx.result)
			TH_LOG("opcode %u", op->opcode);
		ASSERT_EQ(0, recorder_return(&self->filter, slot, -ODD_ERRNO));
		EXPECT_EQ(-ODD_ERRNO, operation_run(op->fail, &p)) TH_LOG("opcode %u", op->opcode);
		ASSERT_EQ(0, recorder_return(&self->filter, slot, 0));
		nr++;
	}
	EXPECT_LE(12, nr);
}

TEST_F(ops, postfilters_are_called_where_prefilters_ask_for_it)
{
	ASSERT_EQ(0, recorder_return_all(&self->filter, FUSE_FILTER_BACKING));
	for (size_t i = 0; i < nr_operations; i++) {
		struct place p;

		ASSERT_EQ(0, place_make(&p, &self->b));
		EXPECT_EQ(operations[i].returns, operation_run(operations[i].run, &p));
	}
	for (__u32 op = 0; op < RECORDER_OPS; op++) {
		EXPECT_EQ(0, recorder_seen(&self->filter, RECORDER_POST(op)).calls)
			TH_LOG("opcode %u", op);
	}
}

/* A second mount, of a file system that does asynchronous I/O */
static int open_direct(struct backed *b, const char *name, size_t size)
{
	int err = backed_make(b, "ext4");

	err = err ? err : make_big_file(in(b->back, "%s", name), size, 1);
	err = err ? err : backed_mount(b, BACKED_ALLOW_OTHER);
	return err ? err : RES(open(in(b->mnt, "%s", name), O_RDWR | O_DIRECT | O_CLOEXEC));
}

#define BLOCK 4096

/* Their results are known when they end, and postfilters wait for that. */
TEST_F(ops, asynchronous_requests_have_results)
{
	char *buf = aligned_alloc(BLOCK, 4 * BLOCK);
	struct uring *ring = uring_new();
	struct recorder_seen seen;
	struct backed second;
	int fd, dir;

	ASSERT_NE(NULL, buf);
	ASSERT_NE(NULL, ring);
	fd = open_direct(&second, "file", 4 * BLOCK);
	ASSERT_LE(0, fd);
	dir = open_dir(second.mnt, 0);
	ASSERT_EQ(0, filter_detach(&self->filter));
	ASSERT_EQ(0, filter_attach(&self->filter, dir, 0, 0));
	ASSERT_EQ(0, recorder_return_all(&self->filter, FUSE_FILTER_POST));
	EXPECT_EQ(3 * BLOCK, aio_pread(fd, buf, 4 * BLOCK, BLOCK, 0));
	seen = recorder_seen(&self->filter, RECORDER_POST(FUSE_READ));
	EXPECT_EQ(3 * BLOCK, seen.ctx.result);
	EXPECT_EQ(BLOCK, seen.in[0]);
	EXPECT_EQ(4 * BLOCK, seen.in[1]);
	EXPECT_EQ(2 * BLOCK, uring_read(ring, URING_READ, fd, buf, 2 * BLOCK, 0));
	seen = recorder_seen(&self->filter, RECORDER_POST(FUSE_READ));
	EXPECT_EQ(2 * BLOCK, seen.ctx.result);
	memset(buf, 'x', BLOCK);
	EXPECT_EQ(BLOCK, aio_pwrite(fd, buf, BLOCK, 2 * BLOCK));
	seen = recorder_seen(&self->filter, RECORDER_POST(FUSE_WRITE));
	EXPECT_EQ(BLOCK, seen.ctx.result);
	EXPECT_EQ(BLOCK, pread(fd, buf + BLOCK, BLOCK, 2 * BLOCK));
	EXPECT_EQ(0, memcmp(buf, buf + BLOCK, BLOCK));
	/* And can be replaced */
	ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_POST(FUSE_READ), -ODD_ERRNO));
	ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_POST(FUSE_WRITE), -ODD_ERRNO));
	EXPECT_EQ(-ODD_ERRNO, aio_pread(fd, buf, BLOCK, 0, 1));
	EXPECT_EQ(-ODD_ERRNO, uring_read(ring, URING_READ, fd, buf, BLOCK, 0));
	EXPECT_EQ(-ODD_ERRNO, aio_pwrite(fd, buf, BLOCK, 0));
	filter_detach(&self->filter);
	close(fd);
	close(dir);
	EXPECT_EQ(0, backed_destroy(&second));
	uring_free(ring);
	free(buf);
}

/* Lines of the kernel's log with both texts, from where @kmsg stands on */
static int log_lines(int kmsg, const char *a, const char *b)
{
	char line[1024];
	ssize_t len;
	int nr = 0;

	while ((len = read(kmsg, line, sizeof(line) - 1)) > 0 || errno == EPIPE) {
		if (len <= 0)
			continue;
		line[len] = '\0';
		nr += strstr(line, a) && strstr(line, b);
	}
	return nr;
}

TEST_F(ops, nonsense_is_EIO_and_reported_once)
{
	static const int pre[] = { 3, 4, FUSE_FILTER_POST | 3, 0x800, INT_MAX, INT_MIN,
				   -512, -4095, -4096, -ECHILD };
	static const int post[] = { 1, FUSE_FILTER_DAEMON, FUSE_FILTER_POST, INT_MAX, INT_MIN,
				    -512, -4096, -ECHILD };
	int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	ASSERT_LE(0, kmsg);
	ASSERT_LE(0, lseek(kmsg, 0, SEEK_END));
	ASSERT_EQ(0, recorder_return_all(&self->filter, FUSE_FILTER_POST));
	for (size_t i = 0; i < nr_operations; i++) {
		const struct operation *op = &operations[i];
		struct place p;
		size_t n;

		if (op->flags & OPERATION_NO_ANSWER)
			continue;
		ASSERT_EQ(0, place_make(&p, &self->b));
		for (n = 0; n < ARRAY_SIZE(pre); n++) {
			ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_PRE(op->opcode),
						     pre[n]));
			EXPECT_EQ(op->flags & OPERATION_HIDES ? 0 : -EIO,
				  operation_run(op->run, &p))
				TH_LOG("opcode %u, %d", op->opcode, pre[n]);
		}
		ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_PRE(op->opcode),
					     FUSE_FILTER_POST));
		if (op->flags & OPERATION_NO_POST)
			continue;
		for (n = 0; n < ARRAY_SIZE(post); n++) {
			ASSERT_EQ(0, place_make(&p, &self->b));
			ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_POST(op->opcode),
						     post[n]));
			EXPECT_EQ(-EIO, operation_run(op->run, &p))
				TH_LOG("opcode %u, %d", op->opcode, post[n]);
		}
		ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_POST(op->opcode), 0));
	}
	EXPECT_EQ(1, log_lines(kmsg, "filter recorder returned", "which is no verdict"));
	close(kmsg);
}

/* The filter that is asked last is told first, and those before it see what it said. */
TEST_F(ops, postfilters_are_called_in_reverse_order)
{
	struct recorder_seen pre[2], post[2];
	struct filter second;

	ASSERT_EQ(0, recorder_load(&second, "recorder", variant->sleepable, &self->filter));
	ASSERT_EQ(0, filter_attach(&second, self->dir, FUSE_FILTER_AFTER, 0));
	ASSERT_EQ(0, recorder_return_all(&self->filter, FUSE_FILTER_POST));
	ASSERT_EQ(0, recorder_return_all(&second, FUSE_FILTER_POST));
	for (size_t i = 0; i < nr_operations; i++) {
		const struct operation *op = &operations[i];
		struct place p;

		if (op->flags & OPERATION_NO_POST)
			continue;
		ASSERT_EQ(0, place_make(&p, &self->b));
		ASSERT_EQ(0, recorder_return(&second, RECORDER_POST(op->opcode), -ODD_ERRNO));
		ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_POST(op->opcode),
					     -ODD_ERRNO2));
		EXPECT_EQ(-ODD_ERRNO2, operation_run(op->run, &p)) TH_LOG("opcode %u", op->opcode);
		pre[0] = recorder_seen(&self->filter, RECORDER_PRE(op->opcode));
		pre[1] = recorder_seen(&second, RECORDER_PRE(op->opcode));
		post[0] = recorder_seen(&self->filter, RECORDER_POST(op->opcode));
		post[1] = recorder_seen(&second, RECORDER_POST(op->opcode));
		EXPECT_LT(pre[0].order, pre[1].order) TH_LOG("opcode %u", op->opcode);
		EXPECT_LT(pre[1].order, post[1].order) TH_LOG("opcode %u", op->opcode);
		EXPECT_LT(post[1].order, post[0].order) TH_LOG("opcode %u", op->opcode);
		EXPECT_EQ(-ODD_ERRNO, post[0].ctx.result) TH_LOG("opcode %u", op->opcode);
		ASSERT_EQ(0, recorder_return(&second, RECORDER_POST(op->opcode), 0));
		ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_POST(op->opcode), 0));
	}
	filter_destroy(&second);
}

/* The first filter lets pass what the second refuses, and is not told of it. */
TEST_F(ops, no_postfilter_sees_what_was_refused)
{
	struct filter second;

	ASSERT_EQ(0, recorder_load(&second, "recorder", variant->sleepable, NULL));
	ASSERT_EQ(0, filter_attach(&second, self->dir, FUSE_FILTER_AFTER, 0));
	ASSERT_EQ(0, recorder_return_all(&self->filter, FUSE_FILTER_POST));
	for (size_t i = 0; i < nr_operations; i++) {
		const struct operation *op = &operations[i];
		struct place p;

		if (op->flags & (OPERATION_NO_POST | OPERATION_HIDES))
			continue;
		ASSERT_EQ(0, place_make(&p, &self->b));
		ASSERT_EQ(0, recorder_forget(&self->filter));
		ASSERT_EQ(0, recorder_return(&second, RECORDER_PRE(op->opcode), -ODD_ERRNO));
		EXPECT_EQ(-ODD_ERRNO, operation_run(op->run, &p)) TH_LOG("opcode %u", op->opcode);
		EXPECT_LE(1, recorder_seen(&self->filter, RECORDER_PRE(op->opcode)).calls);
		EXPECT_EQ(0, recorder_seen(&self->filter, RECORDER_POST(op->opcode)).calls)
			TH_LOG("opcode %u", op->opcode);
		ASSERT_EQ(0, recorder_return(&second, RECORDER_PRE(op->opcode), 0));
	}
	filter_destroy(&second);
}

TEST_F(ops, dead_filters_refuse)
{
	struct place p;

	ASSERT_EQ(0, place_make(&p, &self->b));
	filter_unregister(&self->filter);
	for (size_t i = 0; i < nr_operations; i++)
		EXPECT_EQ(-EIO, operation_run(operations[i].run, &p));
}

/* There are no attributes to show, but a result: tracefs would have to be mounted. */
TEST_F(ops, a_name_that_cannot_be_looked_up)
{
	static const struct recorder_attr none;
	struct recorder_seen seen;
	struct filter *filter = &self->filter;
	char on[64], debugfs[64];
	int fd, dir;

	strcpy(on, in(self->b.top, "on"));
	strcpy(debugfs, in(self->b.top, "debugfs"));
	ASSERT_EQ(0, make_dir(on, 0755));
	ASSERT_EQ(0, make_dir(debugfs, 0755));
	ASSERT_EQ(0, RES(mount("debugfs", debugfs, "debugfs", 0, NULL)));
	fd = open_dir(debugfs, O_PATH);
	ASSERT_EQ(0, try_mount(TRY_MOUNT(.backing = fd, .daemonless = true, .at = on)));
	close(fd);
	dir = open_dir(on, 0);
	ASSERT_LE(0, dir);
	ASSERT_EQ(0, filter_detach(filter));
	ASSERT_EQ(0, filter_attach(filter, dir, 0, 0));
	ASSERT_EQ(0, recorder_return(filter, RECORDER_PRE(FUSE_LOOKUP), FUSE_FILTER_POST));
	EXPECT_EQ(-EREMOTE, RES(access(in(on, "tracing"), F_OK)));
	seen = recorder_seen(filter, RECORDER_POST(FUSE_LOOKUP));
	EXPECT_STREQ("tracing", seen.name);
	EXPECT_EQ(-EREMOTE, seen.ctx.result);
	EXPECT_EQ(1, seen.has_attr);
	EXPECT_EQ(0, memcmp(&none, &seen.attr, sizeof(none)));
	ASSERT_EQ(0, recorder_return(filter, RECORDER_POST(FUSE_LOOKUP), -ODD_ERRNO));
	EXPECT_EQ(-ODD_ERRNO, RES(access(in(on, "tracing"), F_OK)));
	filter_detach(filter);
	close(dir);
	EXPECT_EQ(0, RES(umount(on)));
	EXPECT_EQ(0, RES(umount(debugfs)));
}

/* A mount with one filter, of another kind than above */
static void replace_filter(struct __test_metadata *_metadata, struct filter *filter, int dir,
			   const char *ops, bool sleepable)
{
	filter_destroy(filter);
	ASSERT_EQ(0, recorder_load(filter, ops, sleepable, NULL));
	ASSERT_EQ(0, filter_attach(filter, dir, 0, 0));
}

TEST_F(ops, generic_members_are_called_for_all_requests)
{
	replace_filter(_metadata, &self->filter, self->dir, "generic", variant->sleepable);
	ASSERT_EQ(0, recorder_return_all(&self->filter, FUSE_FILTER_POST));
	for (size_t i = 0; i < nr_operations; i++) {
		const struct operation *op = &operations[i];
		bool request = op->opcode < FUSE_FILTER_OP_DIRENT;
		struct recorder_seen pre, post;
		struct place p;

		ASSERT_EQ(0, place_make(&p, &self->b));
		ASSERT_EQ(0, recorder_forget(&self->filter));
		EXPECT_EQ(op->returns, operation_run(op->run, &p)) TH_LOG("opcode %u", op->opcode);
		pre = recorder_seen(&self->filter, RECORDER_PRE(op->opcode));
		post = recorder_seen(&self->filter, RECORDER_POST(op->opcode));
		EXPECT_STREQ(request ? "pre" : "", pre.member) TH_LOG("opcode %u", op->opcode);
		EXPECT_STREQ(op->flags & OPERATION_NO_POST ? "" : "post", post.member)
			TH_LOG("opcode %u", op->opcode);
		if (!request || op->flags & OPERATION_NO_ANSWER)
			continue;
		ASSERT_EQ(0, place_make(&p, &self->b));
		ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_PRE(op->opcode), -ODD_ERRNO));
		EXPECT_EQ(-ODD_ERRNO, operation_run(op->run, &p)) TH_LOG("opcode %u", op->opcode);
		ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_PRE(op->opcode),
					     FUSE_FILTER_POST));
		ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_POST(op->opcode),
					     -ODD_ERRNO));
		EXPECT_EQ(-ODD_ERRNO, operation_run(op->run, &p)) TH_LOG("opcode %u", op->opcode);
		ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_POST(op->opcode), 0));
	}
}

/* Without a prefilter, a postfilter is always called; with the flag, for failures. */
TEST_F(ops, postfilters_for_failures_only)
{
	unsigned int nr = 0;

	replace_filter(_metadata, &self->filter, self->dir, "failures", variant->sleepable);
	for (size_t i = 0; i < nr_operations; i++) {
		const struct operation *op = &operations[i];
		__u32 slot = RECORDER_POST(op->opcode);
		struct place p;

		ASSERT_EQ(0, place_make(&p, &self->b));
		ASSERT_EQ(0, recorder_return(&self->filter, slot, -ODD_ERRNO));
		ASSERT_EQ(0, recorder_forget(&self->filter));
		EXPECT_EQ(op->returns, operation_run(op->run, &p)) TH_LOG("opcode %u", op->opcode);
		EXPECT_EQ(0, recorder_seen(&self->filter, slot).calls)
			TH_LOG("opcode %u", op->opcode);
		if (op->fail) {
			EXPECT_EQ(-ODD_ERRNO, operation_run(op->fail, &p))
				TH_LOG("opcode %u", op->opcode);
			EXPECT_EQ(-op->error, recorder_seen(&self->filter, slot).ctx.result);
			nr++;
		}
		ASSERT_EQ(0, recorder_return(&self->filter, slot, 0));
	}
	EXPECT_LE(12, nr);
}

/* The prefilters of one filter do not stand in for those of another. */
TEST_F(ops, each_filter_has_its_own_postfilters)
{
	struct filter second;
	struct place p;

	ASSERT_EQ(0, place_make(&p, &self->b));
	ASSERT_EQ(0, recorder_load(&second, "recorder", !variant->sleepable, NULL));
	ASSERT_EQ(0, filter_attach(&second, self->dir, FUSE_FILTER_AFTER, 0));
	ASSERT_EQ(0, recorder_return(&second, RECORDER_PRE(FUSE_GETATTR), FUSE_FILTER_POST));
	ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_PRE(FUSE_LOOKUP), FUSE_FILTER_POST));
	EXPECT_EQ(0, operation_run(operations[0].run, &p));
	EXPECT_EQ(0, recorder_seen(&self->filter, RECORDER_POST(FUSE_GETATTR)).calls);
	EXPECT_LE(1, recorder_seen(&second, RECORDER_POST(FUSE_GETATTR)).calls);
	EXPECT_LE(1, recorder_seen(&self->filter, RECORDER_POST(FUSE_LOOKUP)).calls);
	EXPECT_EQ(0, recorder_seen(&second, RECORDER_POST(FUSE_LOOKUP)).calls);
	filter_destroy(&second);
}

TEST_HARNESS_MAIN
