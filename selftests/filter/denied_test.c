// SPDX-License-Identifier: GPL-2.0-only
/*
 * The column "denied" of the counters: a refusal counts whether it comes before the
 * request is answered or after it.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "entry_fixture.h"
#include "harness.h"
#include "operations.h"
#include "recorder.h"

/* An errno that nobody else returns here */
#define ODD_ERRNO 71
#define NODE 10

FIXTURE(denied)
{
	struct backed b;
	struct filter filter;
	int dir;
};

FIXTURE_VARIANT(denied)
{
	bool sleepable;
};

FIXTURE_VARIANT_ADD(denied, atomic) { .sleepable = false };
FIXTURE_VARIANT_ADD(denied, sleepable) { .sleepable = true };

FIXTURE_SETUP(denied)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, backed_make(b, "tmpfs"));
	ASSERT_EQ(0, make_file(in(b->back, "file"), "text", 0644));
	ASSERT_EQ(0, backed_mount(b, BACKED_ALLOW_OTHER));
	self->dir = open_dir(b->mnt, 0);
	ASSERT_LE(0, self->dir);
	ASSERT_EQ(0, recorder_load(&self->filter, "recorder", variant->sleepable, NULL));
	ASSERT_EQ(0, filter_attach(&self->filter, self->dir, 0, 0));
}

FIXTURE_TEARDOWN(denied)
{
	filter_destroy(&self->filter);
	close(self->dir);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

/* How often the kernel says that an opcode was denied during an operation */
static __u64 denied_by(FIXTURE_DATA(denied) *self, const struct operation *op, int pre, int post)
{
	struct op_counts counts;
	struct place p;

	if (place_make(&p, &self->b) ||
	    recorder_return(&self->filter, RECORDER_PRE(op->opcode), pre) ||
	    recorder_return(&self->filter, RECORDER_POST(op->opcode), post) ||
	    counts_read(self->dir, &counts))
		return -1;
	operation_run(op->run, &p);
	if (counts_since(self->dir, &counts) ||
	    recorder_return(&self->filter, RECORDER_PRE(op->opcode), 0) ||
	    recorder_return(&self->filter, RECORDER_POST(op->opcode), 0))
		return -1;
	return counts.ops[op->opcode].denied;
}

TEST_F(denied, afterwards)
{
	for (size_t i = 0; i < nr_operations; i++) {
		const struct operation *op = &operations[i];

		if (op->flags & OPERATION_NO_POST)
			continue;
		EXPECT_EQ(0, denied_by(self, op, FUSE_FILTER_POST, 0))
			TH_LOG("opcode %u", op->opcode);
		EXPECT_LE(1, denied_by(self, op, FUSE_FILTER_POST, -ODD_ERRNO))
			TH_LOG("opcode %u", op->opcode);
	}
}

static int stat_err(const char *path)
{
	struct stat st;

	return RES(stat(path, &st));
}

/* Names that are there and names that are not, found anew and in the cache */
TEST_F(denied, lookups)
{
	static const char *const names[] = { "file", "missing" };
	struct op_counts counts;

	ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_PRE(FUSE_LOOKUP), FUSE_FILTER_POST));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *path = in(self->b.mnt, "%s", names[i]);

		stat_err(path);
		ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_POST(FUSE_LOOKUP),
					     -ODD_ERRNO));
		ASSERT_EQ(0, counts_read(self->dir, &counts));
		for (int round = 0; round < 5; round++)
			EXPECT_EQ(-ODD_ERRNO, stat_err(path));
		ASSERT_EQ(0, counts_since(self->dir, &counts));
		EXPECT_LE(5, counts.ops[FUSE_LOOKUP].denied) TH_LOG("%s", names[i]);
		EXPECT_LE(counts.ops[FUSE_LOOKUP].denied, counts.ops[FUSE_LOOKUP].backing);
		EXPECT_EQ(0, counts.ops[FUSE_LOOKUP].errors);
		ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_POST(FUSE_LOOKUP), 0));
	}
	/* To leave the result as it is refuses nothing */
	ASSERT_EQ(0, counts_read(self->dir, &counts));
	EXPECT_EQ(0, stat_err(in(self->b.mnt, "file")));
	EXPECT_EQ(-ENOENT, stat_err(in(self->b.mnt, "missing")));
	ASSERT_EQ(0, counts_since(self->dir, &counts));
	EXPECT_EQ(0, counts.ops[FUSE_LOOKUP].denied);
}

FIXTURE(plain)
{
};

FIXTURE_SETUP(plain)
{
}

FIXTURE_TEARDOWN(plain)
{
}

/* What is not backed is counted on a mount that can have backed inodes. */
TEST_F(plain, on_a_mount_with_backings)
{
	struct filter filter = FILTER_NONE;
	struct op_counts counts;
	struct backed b;

	ASSERT_EQ(0, entry_make(&b));
	raw_serve_file(b.server, FUSE_ROOT_ID, "plain", NODE, "text");
	ASSERT_EQ(0, entry_mount(&b));
	ASSERT_LT(0, register_path(b.dev, b.back, 0));
	ASSERT_EQ(0, recorder_load(&filter, "recorder", false, NULL));
	ASSERT_EQ(0, filter_attach(&filter, b.dev, 0, 0));
	EXPECT_EQ(0, stat_err(in(b.mnt, "plain")));
	ASSERT_EQ(0, counts_read(b.dev, &counts));
	ASSERT_EQ(0, recorder_return(&filter, RECORDER_PRE(FUSE_LOOKUP), -ODD_ERRNO));
	EXPECT_EQ(-ODD_ERRNO, stat_err(in(b.mnt, "plain")));
	ASSERT_EQ(0, recorder_return(&filter, RECORDER_PRE(FUSE_LOOKUP), FUSE_FILTER_POST));
	ASSERT_EQ(0, recorder_return(&filter, RECORDER_POST(FUSE_LOOKUP), -ODD_ERRNO));
	EXPECT_EQ(-ODD_ERRNO, stat_err(in(b.mnt, "plain")));
	ASSERT_EQ(0, recorder_return(&filter, RECORDER_POST(FUSE_LOOKUP), 0));
	ASSERT_EQ(0, recorder_return(&filter, RECORDER_PRE(FUSE_OPEN), -ODD_ERRNO));
	EXPECT_EQ(-ODD_ERRNO, RES(open(in(b.mnt, "plain"), O_RDONLY)));
	ASSERT_EQ(0, counts_since(b.dev, &counts));
	EXPECT_LE(2, counts.ops[FUSE_LOOKUP].denied);
	EXPECT_EQ(1, counts.ops[FUSE_OPEN].denied);
	EXPECT_EQ(0, asked(&b, FUSE_OPEN));
	filter_destroy(&filter);
	EXPECT_EQ(0, backed_destroy(&b));
}

TEST_HARNESS_MAIN
