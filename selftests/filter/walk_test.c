// SPDX-License-Identifier: GPL-2.0-only
/*
 * Path walks without locks and references (RCU-walk): kept by filters that do not
 * sleep, of which the kernel's own walk is the witness: it calls try_to_unlazy_next()
 * for a name that cannot be revalidated so.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backed_fixture.h"
#include "harness.h"
#include "scripted.h"

#define DEPTH 8
#define WALKS 50

FIXTURE(walk)
{
	struct backed b;
	struct filter filter;
	char tracing[64];
	char path[128];
	int dir;
};

FIXTURE_SETUP(walk)
{
	char probe[128];

	self->filter = FILTER_NONE;
	ASSERT_EQ(0, backed_setup(&self->b, "tmpfs", BACKED_ALLOW_OTHER));
	strcpy(self->tracing, in(self->b.top, "tracing"));
	ASSERT_EQ(0, make_dir(self->tracing, 0755));
	ASSERT_EQ(0, RES(mount("tracefs", self->tracing, "tracefs", 0, NULL)));
	strcpy(self->path, self->b.mnt);
	for (int i = 0; i < DEPTH; i++) {
		strcat(self->path, "/d");
		ASSERT_EQ(0, make_dir(self->path, 0755));
	}
	self->dir = open_dir(self->b.mnt, 0);
	ASSERT_LE(0, self->dir);
	snprintf(probe, sizeof(probe), "p:walk_test/unlazy try_to_unlazy_next");
	ASSERT_EQ(0, sh("cd %s && echo '%s' >>kprobe_events && "
			"echo 'common_pid == %d' >events/walk_test/unlazy/filter && "
			"echo 1 >events/walk_test/unlazy/enable", self->tracing, probe, getpid()));
}

FIXTURE_TEARDOWN(walk)
{
	EXPECT_EQ(0, sh("cd %s && echo 0 >events/walk_test/unlazy/enable && "
			"echo '-:walk_test/unlazy' >>kprobe_events && echo >trace", self->tracing));
	EXPECT_EQ(0, RES(umount(self->tracing)));
	filter_destroy(&self->filter);
	close(self->dir);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

/* Walks the path when it is warm; returns how often a walk had to be given up. */
static long given_up(const char *tracing, const char *path)
{
	char text[1 << 16] = "", *line = text;
	struct stat st;
	long n = 0;

	if (stat(path, &st) || stat(path, &st) || sh("echo >%s/trace", tracing))
		return -EIO;
	for (int i = 0; i < WALKS; i++) {
		if (stat(path, &st))
			return -errno;
	}
	if (read_file(in(tracing, "trace"), text, sizeof(text)) < 0)
		return -EIO;
	while ((line = strstr(line, " unlazy: "))) {
		line++;
		n++;
	}
	return n;
}

TEST_F(walk, kept_without_filters)
{
	EXPECT_EQ(0, given_up(self->tracing, self->path));
}

/* A filter that looks up each caller and name in a map */
TEST_F(walk, kept_by_a_filter_that_does_not_sleep)
{
	ASSERT_EQ(0, scripted_load(&self->filter, false, NULL));
	ASSERT_EQ(0, filter_attach(&self->filter, self->dir, 0, 0));
	EXPECT_EQ(0, given_up(self->tracing, self->path));
	/* Each name of each walk was asked about, and none a second time */
	EXPECT_EQ((WALKS + 2) * DEPTH, scripted_seen(&self->filter, FUSE_LOOKUP).calls);
}

TEST_F(walk, given_up_for_a_filter_that_may_sleep)
{
	ASSERT_EQ(0, scripted_load(&self->filter, true, NULL));
	ASSERT_EQ(0, filter_attach(&self->filter, self->dir, 0, 0));
	EXPECT_LE(WALKS, given_up(self->tracing, self->path));
}

TEST_HARNESS_MAIN
