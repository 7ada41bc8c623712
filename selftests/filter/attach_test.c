// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attaching and detaching: order, errors, limits, links that go away, load.
 */
#include <bpf/bpf.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "backed_fixture.h"
#include "harness.h"
#include "scripted.h"
#include <fuse_bpf.h>

#define NR_FILTERS 3

FIXTURE(attach)
{
	struct backed b;
	struct filter filters[NR_FILTERS];
	int dir;
};

FIXTURE_SETUP(attach)
{
	ASSERT_EQ(0, backed_make(&self->b, "tmpfs"));
	ASSERT_EQ(0, make_file(in(self->b.back, "file"), "text\n", 0644));
	ASSERT_EQ(0, backed_mount(&self->b, BACKED_ALLOW_OTHER));
	self->dir = open_dir(self->b.mnt, 0);
	ASSERT_LE(0, self->dir);
	for (int i = 0; i < NR_FILTERS; i++)
		ASSERT_EQ(0, scripted_load(&self->filters[i], false,
					   i ? &self->filters[0] : NULL));
}

FIXTURE_TEARDOWN(attach)
{
	for (int i = 0; i < NR_FILTERS; i++)
		filter_destroy(&self->filters[i]);
	close(self->dir);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

static int stat_file(const struct backed *b)
{
	struct stat st;

	return RES(lstat(in(b->mnt, "file"), &st));
}

static int hide(const struct filter *filter)
{
	return scripted_rule(filter, FUSE_LOOKUP, SCRIPTED_ANY_UID, "file", -ENOENT);
}

TEST_F(attach, acts_at_once_and_ends_at_once)
{
	struct filter *filter = &self->filters[0];

	ASSERT_EQ(0, hide(filter));
	for (int i = 0; i < 5; i++) {
		EXPECT_EQ(0, stat_file(&self->b));
		ASSERT_EQ(0, filter_attach(filter, self->dir, 0, 0));
		EXPECT_EQ(-ENOENT, stat_file(&self->b));
		ASSERT_EQ(0, fuse_bpf_detach(self->dir, filter->id));
	}
	EXPECT_EQ(0, stat_file(&self->b));
	EXPECT_EQ(0, fuse_bpf_list(self->dir, NULL, 0));
}

static bool lists(DIR *stream, const char *name)
{
	struct dirent *entry;
	bool found = false;

	rewinddir(stream);
	while ((entry = readdir(stream)))
		found |= !strcmp(entry->d_name, name);
	return found;
}

/* Not the root, which is listed in another way */
TEST_F(attach, an_open_directory_is_asked_about)
{
	struct filter *filter = &self->filters[0];
	DIR *stream;

	ASSERT_EQ(0, make_dir(in(self->b.back, "sub"), 0755));
	ASSERT_EQ(0, make_file(in(self->b.back, "sub/file"), "text\n", 0644));
	ASSERT_EQ(0, scripted_rule(filter, FUSE_FILTER_OP_DIRENT, SCRIPTED_ANY_UID, "file",
				   -ENOENT));
	stream = opendir(in(self->b.mnt, "sub"));
	ASSERT_NE(NULL, stream);
	EXPECT_TRUE(lists(stream, "file"));
	ASSERT_EQ(0, filter_attach(filter, self->dir, 0, 0));
	EXPECT_FALSE(lists(stream, "file"));
	EXPECT_TRUE(lists(stream, ".."));
	ASSERT_EQ(0, fuse_bpf_detach(self->dir, filter->id));
	EXPECT_TRUE(lists(stream, "file"));
	closedir(stream);
}

TEST_F(attach, by_map_and_by_link)
{
	struct filter *filter = &self->filters[0];
	struct fuse_filter_info info = {};
	struct bpf_map_info map = {};
	__u32 size = sizeof(map);
	__u32 id;

	ASSERT_EQ(0, fuse_bpf_attach(self->dir, bpf_map__fd(filter->map), &id, NULL));
	EXPECT_EQ(-EEXIST, filter_attach(filter, self->dir, 0, 0));
	ASSERT_EQ(1, fuse_bpf_list(self->dir, &info, 1));
	ASSERT_EQ(0, bpf_obj_get_info_by_fd(bpf_map__fd(filter->map), &map, &size));
	EXPECT_EQ(id, info.id);
	EXPECT_EQ(map.id, info.map_id);
	EXPECT_EQ(0, info.flags);
	EXPECT_STREQ("scripted", info.name);
	EXPECT_EQ(1ULL << FUSE_LOOKUP | 1ULL << FUSE_OPEN | 1ULL << FUSE_FILTER_OP_DIRENT, info.ops[0]);
	EXPECT_EQ(0, info.ops[1]);
	EXPECT_EQ(0, fuse_bpf_detach(self->dir, id));
}

/* Which filter was asked in which place, as a number: 213 is second, first, third */
static int asked(FIXTURE_DATA(attach) *self)
{
	__u64 order[NR_FILTERS], least = ~0ULL;
	int digits = 0;

	stat_file(&self->b);
	for (int i = 0; i < NR_FILTERS; i++) {
		order[i] = scripted_seen(&self->filters[i], FUSE_LOOKUP).order;
		least = order[i] < least ? order[i] : least;
	}
	for (int place = 0; place < NR_FILTERS; place++)
		for (int i = 0; i < NR_FILTERS; i++)
			if (order[i] - least == (__u64)place)
				digits = digits * 10 + i + 1;
	return digits;
}

TEST_F(attach, order)
{
	struct filter *f = self->filters;
	struct fuse_filter_info info[NR_FILTERS];

	ASSERT_EQ(0, filter_attach(&f[0], self->dir, 0, 0));
	ASSERT_EQ(0, filter_attach(&f[1], self->dir, 0, 0));
	ASSERT_EQ(0, filter_attach(&f[2], self->dir, FUSE_FILTER_BEFORE, 0));
	EXPECT_EQ(312, asked(self));
	ASSERT_EQ(3, fuse_bpf_list(self->dir, info, 3));
	EXPECT_EQ(f[2].id, info[0].id);
	EXPECT_EQ(f[0].id, info[1].id);
	EXPECT_EQ(f[1].id, info[2].id);

	ASSERT_EQ(0, fuse_bpf_detach(self->dir, f[0].id));
	ASSERT_EQ(0, filter_attach(&f[0], self->dir, FUSE_FILTER_AFTER, f[1].id));
	EXPECT_EQ(321, asked(self));
	ASSERT_EQ(0, fuse_bpf_detach(self->dir, f[2].id));
	ASSERT_EQ(0, filter_attach(&f[2], self->dir, FUSE_FILTER_BEFORE, f[0].id));
	EXPECT_EQ(231, asked(self));
	ASSERT_EQ(0, fuse_bpf_detach(self->dir, f[1].id));
	ASSERT_EQ(0, filter_attach(&f[1], self->dir, FUSE_FILTER_AFTER, 0));
	EXPECT_EQ(312, asked(self));
}

TEST_F(attach, the_first_errno_wins_and_the_daemon_beats_the_backing)
{
	struct filter *f = self->filters;

	for (int i = 0; i < NR_FILTERS; i++)
		ASSERT_EQ(0, filter_attach(&f[i], self->dir, 0, 0));
	scripted_rule(&f[0], FUSE_LOOKUP, SCRIPTED_ANY_UID, "file", FUSE_FILTER_BACKING);
	scripted_rule(&f[1], FUSE_LOOKUP, SCRIPTED_ANY_UID, "file", FUSE_FILTER_DAEMON);
	EXPECT_EQ(-ENOTCONN, stat_file(&self->b));
	scripted_rule(&f[1], FUSE_LOOKUP, SCRIPTED_ANY_UID, "file", -EPERM);
	scripted_rule(&f[2], FUSE_LOOKUP, SCRIPTED_ANY_UID, "file", -EACCES);
	EXPECT_EQ(-EPERM, stat_file(&self->b));
	scripted_rule(&f[0], FUSE_LOOKUP, SCRIPTED_ANY_UID, "file", -ENOENT);
	EXPECT_EQ(-ENOENT, stat_file(&self->b));
}

TEST_F(attach, errors)
{
	struct filter *filter = &self->filters[0];
	int hash = bpf_map_create(BPF_MAP_TYPE_HASH, "hash", 4, 4, 1, NULL);
	struct fuse_bpf_attach_opts opts = { .sz = sizeof(opts) };
	__u32 id;

	ASSERT_LE(0, hash);
	EXPECT_EQ(-EBADF, fuse_bpf_attach(self->dir, -1, &id, NULL));
	EXPECT_EQ(-EBADF, fuse_bpf_attach(self->dir, self->dir, &id, NULL));
	EXPECT_EQ(-EINVAL, fuse_bpf_attach(self->dir, hash, &id, NULL));
	opts.flags = FUSE_FILTER_BEFORE | FUSE_FILTER_AFTER;
	EXPECT_EQ(-EINVAL, fuse_bpf_attach(self->dir, bpf_map__fd(filter->map), &id, &opts));
	opts.flags = 1 << 7;
	EXPECT_EQ(-EINVAL, fuse_bpf_attach(self->dir, bpf_map__fd(filter->map), &id, &opts));
	opts.flags = FUSE_FILTER_BEFORE;
	opts.relative_id = 77;
	EXPECT_EQ(-ENOENT, fuse_bpf_attach(self->dir, bpf_map__fd(filter->map), &id, &opts));
	opts.flags = 0;
	EXPECT_EQ(-EINVAL, fuse_bpf_attach(self->dir, bpf_map__fd(filter->map), &id, &opts));
	EXPECT_EQ(-ENOENT, fuse_bpf_detach(self->dir, 0));
	EXPECT_EQ(-ENOENT, fuse_bpf_detach(self->dir, 77));
	/* A filter whose link is gone is not registered */
	filter_unregister(filter);
	EXPECT_EQ(-ENOENT, fuse_bpf_attach(self->dir, bpf_map__fd(filter->map), &id, NULL));
	EXPECT_EQ(0, fuse_bpf_list(self->dir, NULL, 0));
	close(hash);
}

struct attach_as {
	int dir;
	int fd;
};

static int attach_unprivileged(void *arg)
{
	struct attach_as *as = arg;
	__u32 id;

	return fuse_bpf_attach(as->dir, as->fd, &id, NULL);
}

static int detach_unprivileged(void *arg)
{
	struct attach_as *as = arg;

	return fuse_bpf_detach(as->dir, 1);
}

static int list_unprivileged(void *arg)
{
	struct attach_as *as = arg;
	struct fuse_filter_info info;

	return fuse_bpf_list(as->dir, &info, 1);
}

static int attach_in_userns(void *arg)
{
	if (unshare(CLONE_NEWUSER))
		return -errno;
	return attach_unprivileged(arg);
}

TEST_F(attach, needs_privilege)
{
	struct attach_as as = { self->dir, bpf_map__fd(self->filters[0].map) };

	ASSERT_EQ(0, filter_attach(&self->filters[1], self->dir, 0, 0));
	EXPECT_EQ(-EPERM, as_user(USER1, GROUP1, attach_unprivileged, &as));
	EXPECT_EQ(-EPERM, as_user(USER1, GROUP1, attach_in_userns, &as));
	EXPECT_EQ(-EPERM, as_user(USER1, GROUP1, detach_unprivileged, &as));
	EXPECT_EQ(-EPERM, as_user(USER1, GROUP1, list_unprivileged, &as));
	EXPECT_EQ(1, fuse_bpf_list(self->dir, NULL, 0));
}

TEST_F(attach, a_dead_link_fails_closed)
{
	struct filter *filter = &self->filters[0];
	struct fuse_filter_info info;

	ASSERT_EQ(0, filter_attach(filter, self->dir, 0, 0));
	EXPECT_EQ(0, stat_file(&self->b));
	filter_unregister(filter);
	EXPECT_EQ(-EIO, stat_file(&self->b));
	ASSERT_EQ(1, fuse_bpf_list(self->dir, &info, 1));
	EXPECT_EQ(FUSE_FILTER_DEAD, info.flags);
	ASSERT_EQ(0, fuse_bpf_detach(self->dir, filter->id));
	EXPECT_EQ(0, stat_file(&self->b));
}

TEST_F(attach, a_dead_link_fails_open_if_asked_to)
{
	struct filter *filter = &self->filters[0];
	struct fuse_filter_info info;

	ASSERT_EQ(0, hide(filter));
	ASSERT_EQ(0, filter_attach(filter, self->dir, FUSE_FILTER_FAIL_OPEN, 0));
	EXPECT_EQ(-ENOENT, stat_file(&self->b));
	filter_unregister(filter);
	EXPECT_EQ(0, stat_file(&self->b));
	ASSERT_EQ(1, fuse_bpf_list(self->dir, &info, 1));
	EXPECT_EQ(FUSE_FILTER_DEAD | FUSE_FILTER_FAIL_OPEN, info.flags);
}

TEST_F(attach, one_filter_on_two_mounts)
{
	struct filter *filter = &self->filters[0];
	struct backed second;
	int dir;
	__u32 id;

	ASSERT_EQ(0, backed_make(&second, "tmpfs"));
	ASSERT_EQ(0, make_file(in(second.back, "file"), "second\n", 0644));
	ASSERT_EQ(0, backed_mount(&second, BACKED_ALLOW_OTHER));
	dir = open_dir(second.mnt, 0);
	ASSERT_EQ(0, hide(filter));
	ASSERT_EQ(0, filter_attach(filter, self->dir, 0, 0));
	EXPECT_EQ(0, stat_file(&second));
	ASSERT_EQ(0, fuse_bpf_attach(dir, bpf_map__fd(filter->map), &id, NULL));
	EXPECT_EQ(-ENOENT, stat_file(&second));
	ASSERT_EQ(0, fuse_bpf_detach(self->dir, filter->id));
	filter->fd = -1;
	EXPECT_EQ(0, stat_file(&self->b));
	EXPECT_EQ(-ENOENT, stat_file(&second));
	close(dir);
	EXPECT_EQ(0, backed_destroy(&second));
}

/* As if its loader had exited: what the mount holds is all that is left of it */
static void leave_to_mount(struct filter *filter)
{
	filter_unregister(filter);
	bpf_object__close(filter->obj);
	*filter = FILTER_NONE;
}

/* Another thread that forks holds the link for a moment longer than we do */
static int wait_for_death(const struct backed *b)
{
	int err = 0;

	for (int i = 0; i < 1000 && err != -EIO; i++) {
		err = stat_file(b);
		usleep(err == -EIO ? 0 : 10000);
	}
	return err;
}

static bool map_exists(__u32 id)
{
	int fd = bpf_map_get_fd_by_id(id);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

TEST_F(attach, a_mount_that_ends_lets_go_of_its_filters)
{
	struct filter *filter = &self->filters[0];
	struct fuse_filter_info info;
	bool gone = false;

	ASSERT_EQ(0, filter_attach(filter, self->dir, 0, 0));
	ASSERT_EQ(1, fuse_bpf_list(self->dir, &info, 1));
	leave_to_mount(filter);
	EXPECT_TRUE(map_exists(info.map_id));
	close(self->dir);
	ASSERT_EQ(0, backed_destroy(&self->b));
	/* Freed after grace periods of several kinds */
	for (int i = 0; i < 1000 && !gone; i++) {
		gone = !map_exists(info.map_id);
		usleep(20000);
	}
	EXPECT_TRUE(gone);
	/* For the teardown */
	ASSERT_EQ(0, backed_setup(&self->b, "tmpfs", BACKED_ALLOW_OTHER));
	self->dir = open_dir(self->b.mnt, 0);
}

/* A filter is what a link has registered: 63 of one map, and the last of another. */
TEST_F(attach, at_most_64)
{
	struct bpf_link *links[FUSE_FILTER_MAX - 1];
	struct filter *f = self->filters;

	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		links[i] = bpf_map__attach_struct_ops(f[0].map);
		ASSERT_NE(NULL, links[i]);
		ASSERT_EQ(0, fuse_bpf_attach(self->dir, bpf_link__fd(links[i]), NULL, NULL));
	}
	ASSERT_EQ(0, filter_attach(&f[1], self->dir, 0, 0));
	EXPECT_EQ(-ENOSPC, filter_attach(&f[2], self->dir, 0, 0));
	EXPECT_EQ(FUSE_FILTER_MAX, fuse_bpf_list(self->dir, NULL, 0));
	EXPECT_EQ(0, stat_file(&self->b));
	/* Those before have no rules, and let through what the last one refuses */
	ASSERT_EQ(0, hide(&f[1]));
	EXPECT_EQ(-ENOENT, stat_file(&self->b));
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		bpf_link__destroy(links[i]);
}

static atomic_bool stop;

static void *load(void *arg)
{
	const struct backed *b = arg;
	unsigned long wrong = 0;
	int err;

	while (!stop) {
		err = stat_file(b);
		wrong += err != 0 && err != -ENOENT;
		sh("ls %s >/dev/null", b->mnt);
	}
	return (void *)wrong;
}

TEST_F(attach, storm_under_load)
{
	struct filter *f = self->filters;
	pthread_t threads[2];
	void *wrong;

	for (int i = 0; i < NR_FILTERS; i++)
		ASSERT_EQ(0, hide(&f[i]));
	stop = false;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, load, &self->b));
	for (unsigned int i = 0; i < scale(100); i++) {
		for (int n = 0; n < NR_FILTERS; n++)
			ASSERT_EQ(0, filter_attach(&f[n], self->dir,
						     i & 1 ? FUSE_FILTER_BEFORE : 0, 0));
		ASSERT_EQ(-ENOENT, stat_file(&self->b));
		for (int n = 0; n < NR_FILTERS; n++)
			ASSERT_EQ(0, fuse_bpf_detach(self->dir, f[n].id));
		ASSERT_EQ(0, stat_file(&self->b));
	}
	stop = true;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		pthread_join(threads[i], &wrong);
		EXPECT_EQ(NULL, wrong);
	}
}

TEST_F(attach, links_die_under_load)
{
	struct filter filter;
	pthread_t thread;
	__u32 id;

	stop = false;
	ASSERT_EQ(0, pthread_create(&thread, NULL, load, &self->b));
	for (unsigned int i = 0; i < scale(30); i++) {
		ASSERT_EQ(0, scripted_load(&filter, i & 1, NULL));
		ASSERT_EQ(0, filter_attach(&filter, self->dir, 0, 0));
		id = filter.id;
		leave_to_mount(&filter);
		ASSERT_EQ(-EIO, wait_for_death(&self->b));
		ASSERT_EQ(0, fuse_bpf_detach(self->dir, id));
	}
	stop = true;
	pthread_join(thread, NULL);
	EXPECT_EQ(0, stat_file(&self->b));
}

TEST_HARNESS_MAIN
