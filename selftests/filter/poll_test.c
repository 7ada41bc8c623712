// SPDX-License-Identifier: GPL-2.0-only
/*
 * Filters and the requests that only a daemon answers, and the mirror of the other
 * tests does not: FUSE_POLL, FUSE_STATX, locks.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "entry_fixture.h"
#include "harness.h"
#include "recorder.h"

#define NODE 10

FIXTURE(poll)
{
	struct backed b;
	struct filter filter;
	int fd;
};

FIXTURE_VARIANT(poll)
{
	bool sleepable;
};

FIXTURE_VARIANT_ADD(poll, atomic) { };
FIXTURE_VARIANT_ADD(poll, sleepable) { .sleepable = true };

FIXTURE_SETUP(poll)
{
	const struct fuse_poll_out out = { .revents = POLLPRI };
	const struct fuse_statx_out statx_out = {
		.attr_valid = 1000,
		.stat = {
			.mask = STATX_BASIC_STATS | STATX_BTIME, .mode = S_IFREG | 0644,
			.nlink = 1, .ino = NODE, .btime = { .tv_sec = 77 },
		},
	};
	struct backed *b = &self->b;

	self->filter = FILTER_NONE;
	ASSERT_EQ(0, entry_make(b));
	b->server->init_out.flags |= FUSE_POSIX_LOCKS | FUSE_FLOCK_LOCKS;
	raw_reply_add(b->server, FUSE_SETLK, NODE, NULL, NULL, 0);
	raw_reply_add(b->server, FUSE_SETLKW, NODE, NULL, NULL, 0);
	raw_reply_add(b->server, FUSE_POLL, NODE, NULL, &out, sizeof(out));
	raw_reply_add(b->server, FUSE_STATX, NODE, NULL, &statx_out, sizeof(statx_out));
	raw_serve_file(b->server, FUSE_ROOT_ID, "f", NODE, "text");
	ASSERT_EQ(0, entry_mount(b));
	ASSERT_EQ(0, recorder_load(&self->filter, "recorder", variant->sleepable, NULL));
	ASSERT_EQ(0, filter_attach(&self->filter, b->dev, 0, 0));
	self->fd = open(in(b->mnt, "f"), O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(poll)
{
	close(self->fd);
	filter_destroy(&self->filter);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

static int poll_file(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLPRI };
	int ret = RES(poll(&pfd, 1, 0));

	return ret < 0 ? ret : pfd.revents;
}

TEST_F(poll, is_asked_and_told)
{
	struct recorder_seen seen;

	ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_PRE(FUSE_POLL), FUSE_FILTER_POST));
	EXPECT_EQ(POLLPRI, poll_file(self->fd));
	EXPECT_EQ(1, asked(&self->b, FUSE_POLL));
	seen = recorder_seen(&self->filter, RECORDER_PRE(FUSE_POLL));
	EXPECT_EQ(1, seen.calls);
	EXPECT_STREQ("poll", seen.member);
	EXPECT_EQ(NODE, seen.ctx.nodeid);
	EXPECT_EQ(POLLPRI, seen.in[0] & POLLPRI);
	seen = recorder_seen(&self->filter, RECORDER_POST(FUSE_POLL));
	EXPECT_EQ(1, seen.calls);
	EXPECT_STREQ("post", seen.member);
	EXPECT_EQ(0, seen.ctx.result);
}

/* The caller learns of an error, and the daemon of nothing. */
TEST_F(poll, can_refuse_before_and_after)
{
	ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_PRE(FUSE_POLL), -EACCES));
	EXPECT_EQ(POLLERR, poll_file(self->fd));
	EXPECT_EQ(0, asked(&self->b, FUSE_POLL));
	ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_PRE(FUSE_POLL), FUSE_FILTER_POST));
	ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_POST(FUSE_POLL), -EPERM));
	EXPECT_EQ(POLLERR, poll_file(self->fd));
	EXPECT_EQ(1, asked(&self->b, FUSE_POLL));
}

static int stat_more(int fd)
{
	struct statx stx;
	int ret = RES(statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_BTIME, &stx));

	return ret < 0 ? ret : (int)stx.stx_btime.tv_sec;
}

/* By whichever of its two requests attributes are asked for */
TEST_F(poll, times_of_birth)
{
	EXPECT_EQ(77, stat_more(self->fd));
	EXPECT_EQ(1, asked(&self->b, FUSE_STATX));
	ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_PRE(FUSE_GETATTR), -EACCES));
	EXPECT_EQ(-EACCES, stat_more(self->fd));
	EXPECT_EQ(1, asked(&self->b, FUSE_STATX));
}

/* The daemon would keep for ever what it is not told of. */
TEST_F(poll, unlocking_cannot_be_refused)
{
	struct flock lock = { .l_type = F_RDLCK };

	EXPECT_EQ(0, RES(fcntl(self->fd, F_SETLK, &lock)));
	EXPECT_EQ(0, RES(flock(self->fd, LOCK_SH | LOCK_NB)));
	EXPECT_EQ(2, asked(&self->b, FUSE_SETLK));
	ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_PRE(FUSE_SETLK), -EACCES));
	ASSERT_EQ(0, recorder_return(&self->filter, RECORDER_PRE(FUSE_SETLKW), -EACCES));
	EXPECT_EQ(-EACCES, RES(fcntl(self->fd, F_SETLK, &lock)));
	EXPECT_EQ(-EACCES, RES(flock(self->fd, LOCK_EX | LOCK_NB)));
	EXPECT_EQ(-EACCES, RES(fcntl(self->fd, F_SETLKW, &lock)));
	EXPECT_EQ(2, asked(&self->b, FUSE_SETLK));
	EXPECT_EQ(0, asked(&self->b, FUSE_SETLKW));
	lock.l_type = F_UNLCK;
	EXPECT_EQ(0, RES(fcntl(self->fd, F_SETLK, &lock)));
	EXPECT_EQ(0, RES(flock(self->fd, LOCK_UN)));
	EXPECT_EQ(4, asked(&self->b, FUSE_SETLK) + asked(&self->b, FUSE_SETLKW));
}

TEST_HARNESS_MAIN
