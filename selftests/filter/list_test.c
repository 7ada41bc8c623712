// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where attached filters can be seen: in the control file system, by the kernel's BPF
 * iterator, and in the trace of what they decide.
 */
#include <bpf/bpf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "backed_fixture.h"
#include "harness.h"
#include "scripted.h"
#include <fuse_bpf.h>

FIXTURE(list)
{
	struct backed b;
	struct filter filter;
	struct filter second;
	char control[64];
	int dir;
};

FIXTURE_SETUP(list)
{
	ASSERT_EQ(0, backed_make(&self->b, "tmpfs"));
	ASSERT_EQ(0, make_file(in(self->b.back, "file"), "text", 0644));
	ASSERT_EQ(0, make_dir(in(self->b.back, "dir"), 0755));
	ASSERT_EQ(0, backed_mount(&self->b, BACKED_ALLOW_OTHER));
	self->dir = open_dir(self->b.mnt, 0);
	ASSERT_LE(0, self->dir);
	ASSERT_EQ(0, control_mount(&self->b, self->control, sizeof(self->control)));
	ASSERT_EQ(0, scripted_load(&self->filter, false, NULL));
	ASSERT_EQ(0, scripted_load(&self->second, false, NULL));
	ASSERT_EQ(0, filter_attach(&self->filter, self->dir, FUSE_FILTER_FAIL_OPEN, 0));
}

FIXTURE_TEARDOWN(list)
{
	filter_destroy(&self->second);
	filter_destroy(&self->filter);
	close(self->dir);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

static int stat_of(const struct backed *b, const char *name)
{
	struct stat st;

	return RES(lstat(in(b->mnt, "%s", name), &st));
}

static const char *listing(const char *control)
{
	static char text[4096];
	ssize_t len = read_file(in(control, "filters"), text, sizeof(text));

	return len < 0 ? "unreadable" : text;
}

TEST_F(list, in_the_control_file_system)
{
	int sub = open_dir(in(self->b.mnt, "dir"), 0);
	struct fuse_filter_info info;
	char want[256];

	ASSERT_LE(0, sub);
	EXPECT_EQ(0, stat_of(&self->b, "file"));
	ASSERT_EQ(1, fuse_bpf_list(self->dir, &info, 1));
	snprintf(want, sizeof(want),
		 "id=%u map=%u link=%u name=scripted dir=0 ops=%llx post=%llx runs=%llu denied=0 fail_open\n",
		 info.id, info.map_id, info.link_id, info.ops[0], info.post_ops[0], info.runs);
	EXPECT_STREQ(want, listing(self->control));

	ASSERT_EQ(0, filter_attach(&self->second, sub, FUSE_FILTER_DIRECTORY, 0));
	snprintf(want, sizeof(want), "dir=%ju ", (uintmax_t)ino_of(in(self->b.mnt, "dir")));
	EXPECT_NE(NULL, strstr(listing(self->control), want));
	filter_unregister(&self->second);
	EXPECT_NE(NULL, strstr(listing(self->control), " dead\n"));
	ASSERT_EQ(0, filter_detach(&self->second));
	ASSERT_EQ(0, filter_detach(&self->filter));
	EXPECT_STREQ("", listing(self->control));
	close(sub);
}

static __u32 link_id(const struct bpf_link *link)
{
	struct bpf_link_info info = {};
	__u32 size = sizeof(info);

	return bpf_obj_get_info_by_fd(bpf_link__fd(link), &info, &size) ? 0 : info.id;
}

/* By whatever it was attached, the link is known, for as long as there is one. */
TEST_F(list, link_id)
{
	int map = bpf_map__fd(self->second.map);
	struct fuse_filter_info infos[2];

	ASSERT_LT(0, link_id(self->filter.link));
	ASSERT_EQ(0, fuse_bpf_attach(self->dir, map, &self->second.id, NULL));
	ASSERT_EQ(2, fuse_bpf_list(self->dir, infos, 2));
	EXPECT_EQ(link_id(self->filter.link), infos[0].link_id);
	EXPECT_EQ(link_id(self->second.link), infos[1].link_id);
	filter_unregister(&self->second);
	ASSERT_EQ(2, fuse_bpf_list(self->dir, infos, 2));
	EXPECT_EQ(0, infos[1].link_id);
	EXPECT_EQ(0, fuse_bpf_detach(self->dir, self->second.id));
}

static int others_read(void *control)
{
	return RES(open(in(control, "filters"), O_RDONLY));
}

TEST_F(list, is_not_for_everybody)
{
	EXPECT_EQ(-EACCES, as_user(USER1, USER1, others_read, self->control));
}

/* Reads all that a BPF iterator shows. */
static int read_iter(struct bpf_program *prog, char *text, size_t size)
{
	struct bpf_link *link = bpf_program__attach_iter(prog, NULL);
	ssize_t n = 0, len = 0;
	int fd;

	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	while (fd >= 0 && (n = read(fd, text + len, size - 1 - len)) > 0)
		len += n;
	text[len] = '\0';
	close(fd);
	bpf_link__destroy(link);
	return fd < 0 ? fd : n;
}

/* Modules cannot have iterators; the program is not loaded then. */
TEST_F(list, by_a_bpf_iterator)
{
	struct filter iter;
	struct fuse_filter_info info;
	char text[4096], want[128];
	struct stat st;
	int err;

	filter_quiet(!flavour_is_debug());
	err = filter_open_object(&iter, "attached");
	ASSERT_EQ(0, err);
	err = bpf_object__load(iter.obj);
	filter_quiet(false);
	if (!flavour_is_debug()) {
		EXPECT_GT(0, err);
		filter_destroy(&iter);
		return;
	}
	ASSERT_EQ(0, err);
	ASSERT_EQ(1, fuse_bpf_list(self->dir, &info, 1));
	ASSERT_EQ(0, stat(self->b.mnt, &st));
	ASSERT_EQ(0, read_iter(bpf_object__next_program(iter.obj, NULL), text, sizeof(text)));
	snprintf(want, sizeof(want), "connection=%u id=%u map=%u name=scripted\n",
		 minor(st.st_dev), info.id, info.map_id);
	EXPECT_NE(NULL, strstr(text, want)) TH_LOG("%s", text);
	filter_destroy(&iter);
}

#define TRACEFS "/sys/kernel/tracing"

TEST_F(list, in_the_trace)
{
	const char *system = flavour_is_debug() ? "fuse" : "fuse_bpf";
	char enable[128], text[65536];
	ssize_t len;

	if (mount("tracefs", TRACEFS, "tracefs", 0, NULL))
		ASSERT_EQ(EBUSY, errno);
	snprintf(enable, sizeof(enable), TRACEFS "/events/%s/fuse_filter/enable", system);
	ASSERT_EQ(0, scripted_rule(&self->filter, FUSE_LOOKUP, SCRIPTED_ANY_UID, "file", -ENOENT));
	ASSERT_EQ(0, sh("echo > " TRACEFS "/trace && echo 1 > %s", enable));
	EXPECT_EQ(-ENOENT, stat_of(&self->b, "file"));
	EXPECT_EQ(0, sh("echo 0 > %s", enable));
	len = read_file(TRACEFS "/trace", text, sizeof(text));
	ASSERT_LT(0, len);
	EXPECT_NE(NULL, strstr(text, "(scripted) pre opcode 1 (FUSE_LOOKUP)")) TH_LOG("%s", text);
	EXPECT_NE(NULL, strstr(text, "ret -2"));
}

TEST_HARNESS_MAIN
