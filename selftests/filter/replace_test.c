// SPDX-License-Identifier: GPL-2.0-only
/*
 * Other callbacks in the place of a filter's, by an update of its link: at once, for
 * all mounts, and with no moment at which nobody is asked.
 */
#include <bpf/bpf.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "backed_fixture.h"
#include "harness.h"
#include "recorder.h"
#include "scripted.h"
#include <fuse_bpf.h>

FIXTURE(replace)
{
	struct backed b;
	struct filter old;
	struct filter new;
	int dir;
};

FIXTURE_VARIANT(replace)
{
	bool old_sleeps;
	bool new_sleeps;
};

FIXTURE_VARIANT_ADD(replace, atomic) { .old_sleeps = false, .new_sleeps = false };
FIXTURE_VARIANT_ADD(replace, atomic_by_sleepable) { .old_sleeps = false, .new_sleeps = true };
FIXTURE_VARIANT_ADD(replace, sleepable_by_atomic) { .old_sleeps = true, .new_sleeps = false };

FIXTURE_SETUP(replace)
{
	ASSERT_EQ(0, backed_make(&self->b, "tmpfs"));
	ASSERT_EQ(0, make_dir(in(self->b.back, "dir"), 0755));
	ASSERT_EQ(0, make_file(in(self->b.back, "dir/file"), "text\n", 0644));
	ASSERT_EQ(0, make_file(in(self->b.back, "dir/other"), "text\n", 0644));
	ASSERT_EQ(0, backed_mount(&self->b, BACKED_ALLOW_OTHER));
	self->dir = open_dir(self->b.mnt, 0);
	ASSERT_LE(0, self->dir);
	ASSERT_EQ(0, scripted_load(&self->old, variant->old_sleeps, NULL));
	ASSERT_EQ(0, scripted_load(&self->new, variant->new_sleeps, NULL));
	/* What is to be put in another's place is not a filter of its own */
	filter_unregister(&self->new);
	ASSERT_EQ(0, filter_attach(&self->old, self->dir, 0, 0));
}

FIXTURE_TEARDOWN(replace)
{
	filter_destroy(&self->old);
	filter_destroy(&self->new);
	close(self->dir);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

static int map_of(const struct filter *filter)
{
	return bpf_map__fd(filter->map);
}

static int update(const struct filter *filter, int map)
{
	return bpf_link_update(bpf_link__fd(filter->link), map, NULL);
}

static int stat_in(const struct backed *b, const char *name)
{
	struct stat st;

	return RES(lstat(in(b->mnt, "dir/%s", name), &st));
}

static __u64 calls(const struct filter *filter)
{
	return scripted_seen(filter, FUSE_LOOKUP).calls;
}

static int hide(const struct filter *filter, const char *name)
{
	int err = scripted_rule(filter, FUSE_LOOKUP, SCRIPTED_ANY_UID, name, -ENOENT);

	return err ? err : scripted_rule(filter, FUSE_FILTER_OP_DIRENT, SCRIPTED_ANY_UID, name,
					 -ENOENT);
}

static __u32 map_id(const struct filter *filter)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);

	return bpf_obj_get_info_by_fd(map_of(filter), &info, &size) ? 0 : info.id;
}

TEST_F(replace, at_once_and_altogether)
{
	struct fuse_filter_info info;
	__u64 before;

	ASSERT_EQ(0, hide(&self->old, "file"));
	ASSERT_EQ(0, hide(&self->new, "other"));
	EXPECT_EQ(-ENOENT, stat_in(&self->b, "file"));
	EXPECT_EQ(0, stat_in(&self->b, "other"));
	ASSERT_EQ(1, fuse_bpf_list(self->dir, &info, 1));
	EXPECT_EQ(map_id(&self->old), info.map_id);
	ASSERT_EQ(0, update(&self->old, map_of(&self->new)));
	before = calls(&self->old);
	EXPECT_EQ(0, stat_in(&self->b, "file"));
	EXPECT_EQ(-ENOENT, stat_in(&self->b, "other"));
	EXPECT_EQ(before, calls(&self->old));
	EXPECT_LT(0, calls(&self->new));
	/* It is the same attachment, with another map */
	ASSERT_EQ(1, fuse_bpf_list(self->dir, &info, 1));
	EXPECT_EQ(map_id(&self->new), info.map_id);
	EXPECT_EQ(self->old.id, info.id);
	EXPECT_EQ(0, info.flags);
}

TEST_F(replace, back_and_forth)
{
	ASSERT_EQ(0, hide(&self->old, "file"));
	ASSERT_EQ(0, hide(&self->new, "other"));
	for (int i = 0; i < 10; i++) {
		EXPECT_EQ(0, update(&self->old, map_of(&self->new)));
		EXPECT_EQ(0, stat_in(&self->b, "file"));
		EXPECT_EQ(-ENOENT, stat_in(&self->b, "other"));
		EXPECT_EQ(0, update(&self->old, map_of(&self->old)));
		EXPECT_EQ(-ENOENT, stat_in(&self->b, "file"));
		EXPECT_EQ(0, stat_in(&self->b, "other"));
	}
	/* By itself */
	EXPECT_EQ(0, update(&self->old, map_of(&self->old)));
	EXPECT_EQ(-ENOENT, stat_in(&self->b, "file"));
}

static atomic_bool stop;
static atomic_ulong unfiltered;
static atomic_ulong accesses;

/* Both filters hide "file": nobody ever sees it, by its name or in a listing. */
static void *look_for_it(void *arg)
{
	const struct backed *b = arg;
	struct dirent *entry;
	DIR *dir;

	while (!stop) {
		unfiltered += stat_in(b, "file") != -ENOENT;
		unfiltered += stat_in(b, "other") != 0;
		dir = opendir(in(b->mnt, "dir"));
		while (dir && (entry = readdir(dir)))
			unfiltered += !strcmp(entry->d_name, "file");
		unfiltered += !dir;
		if (dir)
			closedir(dir);
		accesses++;
	}
	return NULL;
}

TEST_F(replace, without_a_gap)
{
	pthread_t threads[3];

	ASSERT_EQ(0, hide(&self->old, "file"));
	ASSERT_EQ(0, hide(&self->new, "file"));
	stop = false;
	unfiltered = 0;
	accesses = 0;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, look_for_it, &self->b));
	for (unsigned int i = 0; i < scale(100); i++) {
		EXPECT_EQ(0, update(&self->old, map_of(&self->new)));
		EXPECT_EQ(0, update(&self->old, map_of(&self->old)));
	}
	stop = true;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(0, unfiltered);
	EXPECT_LT(0, accesses);
	EXPECT_LT(0, calls(&self->old));
	EXPECT_LT(0, calls(&self->new));
}

static int update_from(const struct filter *filter, int map, __u32 flags, int old_map)
{
	LIBBPF_OPTS(bpf_link_update_opts, opts, .flags = flags, .old_map_fd = old_map);

	return bpf_link_update(bpf_link__fd(filter->link), map, &opts);
}

TEST_F(replace, only_what_is_expected)
{
	struct filter *old = &self->old, *new = &self->new;

	ASSERT_EQ(0, hide(old, "file"));
	ASSERT_EQ(0, hide(new, "other"));
	EXPECT_EQ(-EPERM, update_from(old, map_of(new), BPF_F_REPLACE, map_of(new)));
	EXPECT_EQ(-EINVAL, update_from(old, map_of(new), 0, map_of(old)));
	EXPECT_EQ(-EBADF, update_from(old, map_of(new), BPF_F_REPLACE, -1));
	EXPECT_EQ(-EINVAL, update_from(old, map_of(new), BPF_F_REPLACE, self->dir));
	EXPECT_EQ(-EINVAL, update_from(old, map_of(new), 1U << 9, 0));
	EXPECT_EQ(-EBADF, update(old, -1));
	EXPECT_EQ(-EINVAL, update(old, self->dir));
	EXPECT_EQ(-ENOENT, stat_in(&self->b, "file"));
	EXPECT_EQ(0, stat_in(&self->b, "other"));
	EXPECT_EQ(0, update_from(old, map_of(new), BPF_F_REPLACE, map_of(old)));
	EXPECT_EQ(-ENOENT, stat_in(&self->b, "other"));
	EXPECT_EQ(-EPERM, update_from(old, map_of(old), BPF_F_REPLACE, map_of(old)));
	EXPECT_EQ(-ENOENT, stat_in(&self->b, "other"));
}

TEST_F(replace, by_a_filter_only)
{
	int hash = bpf_map_create(BPF_MAP_TYPE_HASH, "hash", 4, 4, 1, NULL);
	struct filter other, raw;

	ASSERT_EQ(0, hide(&self->old, "file"));
	ASSERT_EQ(0, filter_load(&other, "other_type"));
	filter_unregister(&other);
	EXPECT_EQ(-EINVAL, update(&self->old, map_of(&other)));
	EXPECT_EQ(-EINVAL, update(&self->old, hash));
	/* Loaded, but not filled in */
	ASSERT_EQ(0, filter_open(&raw, "scripted", NULL));
	ASSERT_EQ(0, bpf_object__load(raw.obj));
	EXPECT_EQ(-EINVAL, update(&self->old, map_of(&raw)));
	EXPECT_EQ(-ENOENT, stat_in(&self->b, "file"));
	filter_destroy(&raw);
	filter_destroy(&other);
	close(hash);
}

TEST_F(replace, on_all_mounts)
{
	struct fuse_filter_info info;
	struct backed second;
	__u32 id;
	int dir;

	ASSERT_EQ(0, backed_make(&second, "tmpfs"));
	ASSERT_EQ(0, make_dir(in(second.back, "dir"), 0755));
	ASSERT_EQ(0, make_file(in(second.back, "dir/file"), "text\n", 0644));
	ASSERT_EQ(0, make_file(in(second.back, "dir/other"), "text\n", 0644));
	ASSERT_EQ(0, backed_mount(&second, BACKED_ALLOW_OTHER));
	dir = open_dir(second.mnt, 0);
	ASSERT_LE(0, dir);
	ASSERT_EQ(0, fuse_bpf_attach(dir, bpf_link__fd(self->old.link), &id, NULL));
	ASSERT_EQ(0, hide(&self->old, "file"));
	ASSERT_EQ(0, hide(&self->new, "other"));
	EXPECT_EQ(-ENOENT, stat_in(&second, "file"));
	ASSERT_EQ(0, update(&self->old, map_of(&self->new)));
	EXPECT_EQ(0, stat_in(&self->b, "file"));
	EXPECT_EQ(-ENOENT, stat_in(&self->b, "other"));
	EXPECT_EQ(0, stat_in(&second, "file"));
	EXPECT_EQ(-ENOENT, stat_in(&second, "other"));
	ASSERT_EQ(1, fuse_bpf_list(dir, &info, 1));
	EXPECT_EQ(map_id(&self->new), info.map_id);
	/* What is attached from now on has the new ones too */
	ASSERT_EQ(0, fuse_bpf_detach(dir, id));
	EXPECT_EQ(0, stat_in(&second, "other"));
	ASSERT_EQ(0, fuse_bpf_attach(dir, bpf_link__fd(self->old.link), &id, NULL));
	EXPECT_EQ(-ENOENT, stat_in(&second, "other"));
	close(dir);
	EXPECT_EQ(0, backed_destroy(&second));
}

/* From three callbacks to all there are, and back. */
TEST_F(replace, what_is_asked_about_changes_too)
{
	const __u64 scripted = 1ULL << FUSE_LOOKUP | 1ULL << FUSE_OPEN |
			       1ULL << FUSE_FILTER_OP_DIRENT;
	struct fuse_filter_info info;
	struct filter recorder;

	ASSERT_EQ(0, recorder_load(&recorder, "recorder", variant->new_sleeps, NULL));
	filter_unregister(&recorder);
	ASSERT_EQ(1, fuse_bpf_list(self->dir, &info, 1));
	EXPECT_EQ(scripted, info.ops[0]);
	EXPECT_EQ(0, info.post_ops[0]);
	EXPECT_STREQ("scripted", info.name);
	EXPECT_EQ(0, stat_in(&self->b, "file"));
	ASSERT_EQ(0, update(&self->old, map_of(&recorder)));
	ASSERT_EQ(1, fuse_bpf_list(self->dir, &info, 1));
	EXPECT_TRUE(info.ops[0] & 1ULL << FUSE_GETATTR);
	EXPECT_TRUE(info.post_ops[0] & 1ULL << FUSE_GETATTR);
	EXPECT_STREQ("recorder", info.name);
	ASSERT_EQ(0, recorder_return(&recorder, RECORDER_PRE(FUSE_GETATTR), FUSE_FILTER_POST));
	EXPECT_EQ(0, stat_in(&self->b, "file"));
	EXPECT_EQ(1, recorder_seen(&recorder, RECORDER_PRE(FUSE_GETATTR)).calls);
	EXPECT_EQ(1, recorder_seen(&recorder, RECORDER_POST(FUSE_GETATTR)).calls);
	ASSERT_EQ(0, update(&self->old, map_of(&self->new)));
	ASSERT_EQ(1, fuse_bpf_list(self->dir, &info, 1));
	EXPECT_EQ(scripted, info.ops[0]);
	EXPECT_EQ(0, info.post_ops[0]);
	EXPECT_EQ(0, stat_in(&self->b, "file"));
	EXPECT_EQ(1, recorder_seen(&recorder, RECORDER_PRE(FUSE_GETATTR)).calls);
	filter_destroy(&recorder);
}

TEST_F(replace, a_link_that_dies_after_it)
{
	struct fuse_filter_info info;

	ASSERT_EQ(0, update(&self->old, map_of(&self->new)));
	EXPECT_EQ(0, stat_in(&self->b, "file"));
	filter_unregister(&self->old);
	EXPECT_EQ(-EIO, stat_in(&self->b, "file"));
	ASSERT_EQ(1, fuse_bpf_list(self->dir, &info, 1));
	EXPECT_EQ(FUSE_FILTER_DEAD, info.flags);
	EXPECT_EQ(map_id(&self->new), info.map_id);
}

static bool exists(__u32 id)
{
	int fd = bpf_map_get_fd_by_id(id);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/* The mount holds the new callbacks, and not the old ones any more. */
TEST_F(replace, what_was_replaced_goes_away)
{
	__u32 old_id = map_id(&self->old), new_id = map_id(&self->new);
	struct bpf_link *link = self->old.link;
	bool gone = false;

	ASSERT_EQ(0, update(&self->old, map_of(&self->new)));
	/* The objects hold their maps; the link is all that is to stay */
	bpf_object__close(self->old.obj);
	bpf_object__close(self->new.obj);
	self->old.obj = NULL;
	self->new.obj = NULL;
	for (int i = 0; i < 1000 && !gone; i++) {
		gone = !exists(old_id);
		usleep(20000);
	}
	EXPECT_TRUE(gone);
	EXPECT_TRUE(exists(new_id));
	EXPECT_EQ(0, stat_in(&self->b, "file"));
	EXPECT_EQ(0, filter_detach(&self->old));
	bpf_link__destroy(link);
	self->old.link = NULL;
}

TEST_HARNESS_MAIN
