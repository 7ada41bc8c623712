// SPDX-License-Identifier: GPL-2.0-only
/*
 * Filters that replies bind nodes to: asked about these nodes and what lies below
 * them, and about nothing else; until the inode is evicted or the filter is detached.
 */
#include <bpf/bpf.h>
#include <fcntl.h>
#include <fuse_bpf.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "entry_fixture.h"
#include "harness.h"
#include "scripted.h"

/* Node ids that the server uses */
enum {
	FILE_NODE = 10,
	DIR_NODE = 20,
	NAMES_NODE = 30,
	OTHER_NODE = 40,
	NEW_NODE = 50,
	FIRST_BELOW = 60,
};

/*
 * "f" is a file, "d" a directory whose names are the backing's, "n" one whose names
 * are the daemon's. They are bound to the filter. "o" is a directory that is not.
 */
FIXTURE(bound)
{
	struct backed b;
	struct filter filter;
	struct filter other;
	struct raw_reply *file;
	struct raw_reply *dir;
	struct raw_reply *names;
	int top;
};

FIXTURE_VARIANT(bound)
{
	bool sleepable;
};

FIXTURE_VARIANT_ADD(bound, plain) { };
FIXTURE_VARIANT_ADD(bound, sleepable) { .sleepable = true };

static int make_tree(const char *top)
{
	if (make_dir(top, 0755) || make_dir(in(top, "deep"), 0755) ||
	    make_file(in(top, "file"), "text", 0644) ||
	    make_file(in(top, "secret"), "text", 0644) ||
	    make_file(in(top, "deep/file"), "text", 0644) ||
	    make_file(in(top, "deep/secret"), "text", 0644))
		return -errno;
	return 0;
}

/* A filter that hides "secret" and lets nothing be opened */
static int load(struct filter *filter, bool sleepable)
{
	int err = scripted_load(filter, sleepable, NULL);

	if (!err)
		err = scripted_rule(filter, FUSE_LOOKUP, SCRIPTED_ANY_UID, "secret", -ENOENT);
	if (!err)
		err = scripted_rule(filter, FUSE_FILTER_OP_DIRENT, SCRIPTED_ANY_UID, "secret",
				    -ENOENT);
	if (!err)
		err = scripted_rule(filter, FUSE_OPEN, SCRIPTED_ANY_UID, NULL, -EACCES);
	return err;
}

static struct raw_reply *serve_bound(struct backed *b, const char *name, __u64 nodeid,
				     const char *back, __u32 flags, mode_t mode, __u32 filter)
{
	return serve_entry(b->server, FUSE_ROOT_ID, name, nodeid, mode,
			   BACKING(.backing_id = register_path(b->dev, in(b->back, "%s", back), 0),
				   .flags = flags, .filter_id = filter));
}

FIXTURE_SETUP(bound)
{
	struct backed *b = &self->b;
	__u32 id;

	self->filter = FILTER_NONE;
	self->other = FILTER_NONE;
	ASSERT_EQ(0, entry_make(b));
	ASSERT_EQ(0, make_file(in(b->back, "file"), "text", 0644));
	ASSERT_EQ(0, make_tree(in(b->back, "dir")));
	ASSERT_EQ(0, make_tree(in(b->back, "out")));
	ASSERT_EQ(0, entry_mount(b));
	ASSERT_EQ(0, load(&self->filter, variant->sleepable));
	ASSERT_EQ(0, filter_attach(&self->filter, b->dev, FUSE_FILTER_BY_REPLY, 0));
	id = self->filter.id;
	self->file = serve_bound(b, "f", FILE_NODE, "file", 0, S_IFREG, id);
	self->dir = serve_bound(b, "d", DIR_NODE, "dir", FUSE_BACKING_INHERIT, S_IFDIR, id);
	self->names = serve_bound(b, "n", NAMES_NODE, "dir", 0, S_IFDIR, id);
	serve_bound(b, "o", OTHER_NODE, "out", FUSE_BACKING_INHERIT, S_IFDIR, 0);
	raw_serve_file(b->server, NAMES_NODE, "file", FIRST_BELOW, "daemon's");
	raw_serve_file(b->server, NAMES_NODE, "secret", FIRST_BELOW + 1, "daemon's");
	raw_serve_dir(b->server, NAMES_NODE, "deep", FIRST_BELOW + 2);
	raw_serve_file(b->server, FIRST_BELOW + 2, "secret", FIRST_BELOW + 3, "daemon's");
	self->top = open_dir(b->mnt, 0);
	ASSERT_LE(0, self->top);
}

FIXTURE_TEARDOWN(bound)
{
	EXPECT_EQ(0, self->b.server->kernel_nodes);
	filter_destroy(&self->other);
	filter_destroy(&self->filter);
	if (self->top >= 0)
		close(self->top);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

static int find(const struct backed *b, const char *name)
{
	return RES(access(in(b->mnt, "%s", name), F_OK));
}

static int open_of(const struct backed *b, const char *name)
{
	int fd = RES(open(in(b->mnt, "%s", name), O_RDONLY | O_CLOEXEC));

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static struct fuse_filter_info info_of(const struct backed *b, const struct filter *filter)
{
	struct fuse_filter_info infos[4] = {};
	int i, nr = fuse_bpf_list(b->dev, infos, ARRAY_SIZE(infos));

	for (i = 0; i < nr && i < (int)ARRAY_SIZE(infos); i++) {
		if (infos[i].id == filter->id)
			return infos[i];
	}
	return (struct fuse_filter_info) {};
}

static __u64 nodes(const struct backed *b, const struct filter *filter)
{
	return info_of(b, filter).nodes;
}

static struct fuse_entry_backing_out *said(struct raw_reply *reply)
{
	return &entry_of(reply)->backing;
}

TEST_F(bound, what_replies_name_and_what_lies_below)
{
	struct backed *b = &self->b;

	/* Attached, but not bound to anything */
	EXPECT_EQ(0, find(b, "o/secret"));
	EXPECT_EQ(0, open_of(b, "o/deep/file"));
	EXPECT_EQ(0, info_of(b, &self->filter).runs);
	EXPECT_EQ(0, nodes(b, &self->filter));

	EXPECT_EQ(-ENOENT, find(b, "d/secret"));
	EXPECT_EQ(-ENOENT, find(b, "d/deep/secret"));
	EXPECT_EQ(0, find(b, "d/deep/file"));
	EXPECT_EQ(-EACCES, open_of(b, "d/file"));
	EXPECT_EQ(-EACCES, open_of(b, "d/deep/file"));
	EXPECT_EQ(1, sh("ls %s/d %s/d/deep | grep -q secret", b->mnt, b->mnt));
	EXPECT_EQ(1, nodes(b, &self->filter));
	EXPECT_EQ(-EACCES, open_of(b, "f"));
	EXPECT_EQ(-ENOENT, find(b, "n/secret"));
	EXPECT_EQ(-ENOENT, find(b, "n/deep/secret"));
	EXPECT_EQ(0, find(b, "n/file"));
	EXPECT_EQ(-EACCES, open_of(b, "n/file"));
	EXPECT_EQ(0, asked(b, FUSE_OPEN));
	EXPECT_EQ(3, nodes(b, &self->filter));

	/* And still about nothing else */
	EXPECT_EQ(0, find(b, "o/secret"));
	EXPECT_EQ(0, open_of(b, "o/file"));
	EXPECT_EQ(FUSE_FILTER_BY_REPLY, info_of(b, &self->filter).flags);
	EXPECT_EQ(0, info_of(b, &self->filter).dir);
}

TEST_F(bound, from_within)
{
	struct backed *b = &self->b;
	int fd = open_dir(in(b->mnt, "d/deep"), 0);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-ENOENT, RES(faccessat(fd, "secret", F_OK, 0)));
	EXPECT_EQ(-ENOENT, RES(faccessat(fd, "../secret", F_OK, 0)));
	EXPECT_EQ(-EACCES, RES(openat(fd, "file", O_RDONLY)));
	EXPECT_EQ(-ENOENT, RES(openat(fd, "secret", O_CREAT | O_WRONLY, 0600)));
	EXPECT_EQ(-ENOENT, RES(renameat(fd, "file", fd, "secret")));
	EXPECT_EQ(-ENOENT, RES(linkat(fd, "file", fd, "secret", 0)));
	EXPECT_EQ(-ENOENT, RES(unlinkat(fd, "secret", 0)));
	close(fd);
}

/* What one user may see, another may not, from one cache. */
TEST_F(bound, two_users)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, scripted_forget(&self->filter));
	ASSERT_EQ(0, scripted_rule(&self->filter, FUSE_LOOKUP, USER1, "secret", -ENOENT));
	ASSERT_EQ(0, scripted_rule(&self->filter, FUSE_OPEN, USER2, NULL, -EACCES));
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(-ENOENT, user_stat(USER1, in(b->mnt, "d/secret")));
		EXPECT_EQ(0, user_stat(USER2, in(b->mnt, "d/secret")));
		EXPECT_EQ(0, user_stat(USER1, in(b->mnt, "o/secret")));
		EXPECT_EQ(0, user_open(USER1, in(b->mnt, "f"), O_RDONLY));
		EXPECT_EQ(-EACCES, user_open(USER2, in(b->mnt, "f"), O_RDONLY));
	}
}

/* The file that a reply makes is opened by the kernel: the filter is asked. */
TEST_F(bound, file_that_is_created)
{
	struct create_reply reply = {
		.entry = {
			.nodeid = NEW_NODE,
			.generation = 1,
			.attr = raw_attr(NEW_NODE, S_IFREG, 0),
		},
		.open = { .fh = 77 },
		.backing = *said(self->file),
	};
	struct backed *b = &self->b;
	int fd;

	raw_reply_error(b->server, FUSE_LOOKUP, FUSE_ROOT_ID, "new", -ENOENT);
	raw_reply_add(b->server, FUSE_RELEASE, NEW_NODE, NULL, NULL, 0);
	raw_reply_add(b->server, FUSE_CREATE, FUSE_ROOT_ID, "new", &reply, sizeof(reply));
	EXPECT_EQ(-EACCES, RES(open(in(b->mnt, "new"), O_CREAT | O_RDWR | O_CLOEXEC, 0600)));
	EXPECT_EQ(1, asked(b, FUSE_CREATE));
	EXPECT_EQ(1, asked(b, FUSE_RELEASE));
	EXPECT_EQ(NEW_NODE, scripted_seen(&self->filter, FUSE_OPEN).nodeid);
	ASSERT_EQ(0, scripted_forget(&self->filter));
	fd = RES(open(in(b->mnt, "new"), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
	EXPECT_LE(0, fd);
	close(fd);
}

TEST_F(bound, keep_keeps_it)
{
	struct backed *b = &self->b;
	int fd;

	EXPECT_EQ(-ENOENT, find(b, "d/secret"));
	fd = open_dir(in(b->mnt, "d"), 0);
	ASSERT_LE(0, fd);
	*said(self->dir) = *BACKING(.flags = FUSE_BACKING_KEEP);
	EXPECT_EQ(-ENOENT, find(b, "d/secret"));
	EXPECT_EQ(1, nodes(b, &self->filter));
	EXPECT_EQ(-ENOENT, RES(faccessat(fd, "secret", F_OK, 0)));
	close(fd);
}

/* Drop what is not in use until the filter has at most @max nodes. */
static __u64 shrink_to(const struct backed *b, const struct filter *filter, __u64 max)
{
	for (int i = 0; i < 1000 && nodes(b, filter) > max; i++) {
		sh("echo 2 >/proc/sys/vm/drop_caches");
		usleep(10000);
	}
	return nodes(b, filter);
}

TEST_F(bound, does_not_keep_the_node)
{
	struct backed *b = &self->b;
	int fd;

	EXPECT_EQ(-EACCES, open_of(b, "f"));
	EXPECT_EQ(-EACCES, open_of(b, "d/file"));
	EXPECT_EQ(2, nodes(b, &self->filter));
	fd = open_dir(in(b->mnt, "d/deep"), 0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(1, shrink_to(b, &self->filter, 1));
	EXPECT_EQ(-ENOENT, RES(faccessat(fd, "secret", F_OK, 0)));
	close(fd);
	EXPECT_EQ(0, shrink_to(b, &self->filter, 0));
	EXPECT_EQ(-EACCES, open_of(b, "f"));
	EXPECT_EQ(1, nodes(b, &self->filter));
}

TEST_F(bound, detach_ends_it)
{
	struct backed *b = &self->b;
	int fd = open_dir(in(b->mnt, "d"), 0);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-ENOENT, RES(faccessat(fd, "secret", F_OK, 0)));
	ASSERT_EQ(0, filter_detach(&self->filter));
	EXPECT_EQ(0, RES(faccessat(fd, "secret", F_OK, 0)));
	/* A reply that goes on naming it is wrong, and one without it is right */
	EXPECT_EQ(-EIO, find(b, "d"));
	EXPECT_EQ(-EIO, find(b, "f"));
	said(self->dir)->filter_id = 0;
	EXPECT_EQ(0, find(b, "d/secret"));
	EXPECT_EQ(0, RES(faccessat(fd, "secret", F_OK, 0)));
	/* Attached again, it is another one, and what names it is another node */
	ASSERT_EQ(0, filter_attach(&self->filter, b->dev, FUSE_FILTER_BY_REPLY, 0));
	EXPECT_EQ(0, find(b, "d/secret"));
	said(self->dir)->filter_id = self->filter.id;
	EXPECT_EQ(-ENOENT, find(b, "d/secret"));
	EXPECT_EQ(-EIO, RES(faccessat(fd, "secret", F_OK, 0)));
	EXPECT_EQ(1, nodes(b, &self->filter));
	close(fd);
}

/* Other words about a node are about another node. */
TEST_F(bound, to_another_filter)
{
	struct backed *b = &self->b;
	int fd = open_dir(in(b->mnt, "d"), 0);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, scripted_load(&self->other, !variant->sleepable, NULL));
	ASSERT_EQ(0, scripted_rule(&self->other, FUSE_LOOKUP, SCRIPTED_ANY_UID, "file", -EPERM));
	ASSERT_EQ(0, filter_attach(&self->other, b->dev, FUSE_FILTER_BY_REPLY, 0));
	EXPECT_EQ(-ENOENT, find(b, "d/secret"));
	said(self->dir)->filter_id = self->other.id;
	EXPECT_EQ(-EPERM, find(b, "d/file"));
	EXPECT_EQ(0, find(b, "d/secret"));
	EXPECT_EQ(-EIO, RES(faccessat(fd, "file", F_OK, 0)));
	EXPECT_EQ(1, nodes(b, &self->other));
	said(self->dir)->filter_id = 0;
	EXPECT_EQ(0, find(b, "d/file"));
	EXPECT_EQ(0, find(b, "d/secret"));
	close(fd);
}

/* A filter that a reply has bound comes after those of the directory and the mount. */
TEST_F(bound, with_others)
{
	struct backed *b = &self->b;
	int fd = open_dir(in(b->mnt, "d"), 0);
	struct filter on_dir;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, scripted_load(&self->other, variant->sleepable, NULL));
	ASSERT_EQ(0, scripted_rule(&self->other, FUSE_LOOKUP, SCRIPTED_ANY_UID, "file", -EPERM));
	ASSERT_EQ(0, filter_attach(&self->other, b->dev, 0, 0));
	ASSERT_EQ(0, scripted_load(&on_dir, variant->sleepable, NULL));
	ASSERT_EQ(0, scripted_rule(&on_dir, FUSE_LOOKUP, SCRIPTED_ANY_UID, "secret", -EACCES));
	ASSERT_EQ(0, filter_attach(&on_dir, fd, FUSE_FILTER_DIRECTORY, 0));
	EXPECT_EQ(-EACCES, find(b, "d/secret"));
	EXPECT_EQ(-EPERM, find(b, "d/file"));
	EXPECT_EQ(-ENOENT, find(b, "n/secret"));
	EXPECT_EQ(FUSE_FILTER_DIRECTORY, info_of(b, &on_dir).flags);
	EXPECT_EQ(0, filter_detach(&on_dir));
	EXPECT_EQ(-ENOENT, find(b, "d/secret"));
	/* The same filter for the mount, too */
	ASSERT_EQ(0, fuse_bpf_attach(b->dev, bpf_link__fd(self->filter.link), NULL, NULL));
	EXPECT_EQ(-ENOENT, find(b, "o/secret"));
	filter_destroy(&on_dir);
	close(fd);
}

TEST_F(bound, replies_that_are_wrong)
{
	struct fuse_entry_backing_out *dir = said(self->dir);
	const struct fuse_entry_backing_out good = *dir;
	struct backed *b = &self->b;
	struct filter on_dir;

	ASSERT_EQ(0, scripted_load(&self->other, variant->sleepable, NULL));
	ASSERT_EQ(0, filter_attach(&self->other, b->dev, 0, 0));
	dir->filter_id = self->other.id;
	EXPECT_EQ(-EIO, find(b, "d"));
	ASSERT_EQ(0, scripted_load(&on_dir, variant->sleepable, NULL));
	ASSERT_EQ(0, filter_attach(&on_dir, self->top, FUSE_FILTER_DIRECTORY, 0));
	dir->filter_id = on_dir.id;
	EXPECT_EQ(-EIO, find(b, "d"));
	filter_destroy(&on_dir);
	EXPECT_EQ(-EIO, find(b, "d"));
	dir->filter_id = 9999;
	EXPECT_EQ(-EIO, find(b, "d"));
	dir->filter_id = ~0U;
	EXPECT_EQ(-EIO, find(b, "d"));
	*dir = *BACKING(.flags = FUSE_BACKING_STOP, .filter_id = self->filter.id);
	EXPECT_EQ(-EIO, find(b, "d"));
	*dir = *BACKING(.flags = FUSE_BACKING_KEEP, .filter_id = self->filter.id);
	EXPECT_EQ(-EIO, find(b, "d"));
	*dir = *BACKING(.filter_id = self->filter.id);
	EXPECT_EQ(-EIO, find(b, "d"));
	EXPECT_EQ(0, nodes(b, &self->filter));
	*dir = good;
	EXPECT_EQ(-ENOENT, find(b, "d/secret"));
}

/* The link goes away: what is bound fails closed, and nothing gets bound any more. */
TEST_F(bound, dead_filter_fails_closed)
{
	struct backed *b = &self->b;
	int fd = open_dir(in(b->mnt, "d"), 0);

	ASSERT_LE(0, fd);
	filter_unregister(&self->filter);
	EXPECT_EQ(-EIO, RES(faccessat(fd, "file", F_OK, 0)));
	EXPECT_EQ(-EIO, RES(faccessat(fd, "secret", F_OK, 0)));
	EXPECT_EQ(-EIO, find(b, "d"));
	EXPECT_EQ(-EIO, find(b, "f"));
	EXPECT_EQ(0, find(b, "o/secret"));
	EXPECT_EQ(FUSE_FILTER_BY_REPLY | FUSE_FILTER_DEAD, info_of(b, &self->filter).flags);
	close(fd);
}

TEST_F(bound, dead_filter_fails_open)
{
	const __u32 flags = FUSE_FILTER_BY_REPLY | FUSE_FILTER_FAIL_OPEN;
	struct backed *b = &self->b;
	int fd;

	ASSERT_EQ(0, filter_detach(&self->filter));
	ASSERT_EQ(0, filter_attach(&self->filter, b->dev, flags, 0));
	said(self->dir)->filter_id = self->filter.id;
	said(self->file)->filter_id = self->filter.id;
	EXPECT_EQ(-ENOENT, find(b, "d/secret"));
	fd = open_dir(in(b->mnt, "d"), 0);
	ASSERT_LE(0, fd);
	filter_unregister(&self->filter);
	EXPECT_EQ(0, RES(faccessat(fd, "secret", F_OK, 0)));
	EXPECT_EQ(0, find(b, "d/secret"));
	EXPECT_EQ(0, open_of(b, "f"));
	EXPECT_EQ(flags | FUSE_FILTER_DEAD, info_of(b, &self->filter).flags);
	close(fd);
}

TEST_F(bound, other_callbacks)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, scripted_load(&self->other, !variant->sleepable, NULL));
	ASSERT_EQ(0, scripted_rule(&self->other, FUSE_LOOKUP, SCRIPTED_ANY_UID, "file", -EPERM));
	EXPECT_EQ(-ENOENT, find(b, "d/secret"));
	ASSERT_EQ(0, bpf_link_update(bpf_link__fd(self->filter.link),
				     bpf_map__fd(self->other.map), NULL));
	EXPECT_EQ(0, find(b, "d/secret"));
	EXPECT_EQ(-EPERM, find(b, "d/file"));
	EXPECT_EQ(1, nodes(b, &self->filter));
}

TEST_F(bound, refusals)
{
	const struct {
		__u32 flags;
		__u32 relative;
		int err;
	} tries[] = {
		{ FUSE_FILTER_BY_REPLY | FUSE_FILTER_DIRECTORY, 0, -EINVAL },
		{ FUSE_FILTER_BY_REPLY | FUSE_FILTER_BEFORE, 0, -EINVAL },
		{ FUSE_FILTER_BY_REPLY | FUSE_FILTER_AFTER, self->filter.id, -EINVAL },
		{ FUSE_FILTER_BY_REPLY, self->filter.id, -EINVAL },
		{ FUSE_FILTER_BY_REPLY << 1, 0, -EINVAL },
		{ FUSE_FILTER_BY_REPLY, 0, -EEXIST },
		/* An order refers to a filter of the mount */
		{ FUSE_FILTER_BEFORE, self->filter.id, -ENOENT },
	};
	struct filter again = { .link = self->filter.link };
	struct fuse_bpf_query query;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(tries); i++) {
		EXPECT_EQ(tries[i].err, filter_attach(&again, self->top, tries[i].flags,
						      tries[i].relative)) TH_LOG("%zu", i);
	}
	EXPECT_EQ(0, fuse_bpf_query(self->b.dev, &query));
	EXPECT_TRUE(query.features & FUSE_BPF_FILTER_REPLIES);
}

/* Programs that know an older list go on working. */
TEST_F(bound, list_of_the_first_version)
{
	struct fuse_filter_info infos[2] = { [1].id = 77 };
	struct fuse_filter_list list = {
		.filters = (uintptr_t)infos,
		.nr = 1,
		.info_size = FUSE_FILTER_INFO_SIZE_VER1,
	};

	infos[0].nodes = 55;
	EXPECT_EQ(-ENOENT, find(&self->b, "d/secret"));
	ASSERT_EQ(0, RES(ioctl(self->b.dev, FUSE_IOC_FILTER_LIST, &list)));
	EXPECT_EQ(1, list.nr);
	EXPECT_EQ(self->filter.id, infos[0].id);
	EXPECT_EQ(55, infos[0].nodes);
	EXPECT_EQ(77, infos[1].id);
}

TEST_F(bound, control_file)
{
	struct backed *b = &self->b;
	char path[64];

	EXPECT_EQ(-ENOENT, find(b, "d/secret"));
	ASSERT_EQ(0, control_mount(b, path, sizeof(path)));
	EXPECT_EQ(0, sh("grep -q 'id=%u .* by_reply nodes=1$' %s/filters", self->filter.id, path));
}

/* Unmounting ends what is bound, and nothing of it stays. */
TEST_F(bound, unmount)
{
	struct backed *b = &self->b;

	EXPECT_EQ(-ENOENT, find(b, "d/secret"));
	EXPECT_EQ(-EACCES, open_of(b, "f"));
	close(self->top);
	self->top = -1;
	EXPECT_EQ(0, RES(umount2(b->mnt, 0)));
	b->mounted = false;
	EXPECT_EQ(-ENODEV, filter_attach(&self->filter, b->dev, FUSE_FILTER_BY_REPLY, 0));
	self->filter.fd = -1;
}

/**
 * struct storm - what the threads share
 * @b: the mount
 * @stop: it is over
 * @seen: how often a hidden name was seen
 * @walks: walks that were made
 */
static struct storm {
	const struct backed *b;
	atomic_bool stop;
	atomic_ulong seen;
	atomic_ulong walks;
} storm;

/* Below "d", the secret is hidden whichever filter it is bound to, if it is bound. */
static void *walk(void *arg)
{
	int fd;

	(void)arg;
	while (!storm.stop) {
		storm.seen += !find(storm.b, "d/secret");
		storm.seen += !find(storm.b, "d/deep/secret");
		find(storm.b, "e/secret");
		open_of(storm.b, "e/deep/file");
		fd = open_dir(in(storm.b->mnt, "d/deep"), 0);
		if (fd >= 0) {
			storm.seen += !RES(faccessat(fd, "secret", F_OK, 0));
			close(fd);
		}
		storm.walks++;
	}
	return NULL;
}

static void *evict(void *arg)
{
	(void)arg;
	while (!storm.stop)
		sh("echo 2 >/proc/sys/vm/drop_caches");
	return NULL;
}

TEST_F(bound, storm)
{
	struct backed *b = &self->b;
	pthread_t threads[4];
	struct filter third;
	struct raw_reply *e;

	ASSERT_EQ(0, load(&self->other, !variant->sleepable));
	ASSERT_EQ(0, filter_attach(&self->other, b->dev, FUSE_FILTER_BY_REPLY, 0));
	ASSERT_EQ(0, load(&third, variant->sleepable));
	e = serve_bound(b, "e", NEW_NODE, "out", FUSE_BACKING_INHERIT, S_IFDIR, 0);
	storm.b = b;
	storm.stop = false;
	storm.seen = 0;
	storm.walks = 0;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, i ? walk : evict, NULL));
	for (unsigned int i = 0; i < scale(200); i++) {
		__atomic_store_n(&said(self->dir)->filter_id,
				 i & 1 ? self->filter.id : self->other.id, __ATOMIC_SEQ_CST);
		EXPECT_EQ(0, filter_attach(&third, b->dev, FUSE_FILTER_BY_REPLY, 0));
		__atomic_store_n(&said(e)->filter_id, third.id, __ATOMIC_SEQ_CST);
		find(b, "e/secret");
		EXPECT_EQ(0, filter_detach(&third));
	}
	storm.stop = true;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(0, storm.seen);
	EXPECT_LT(0, storm.walks);
	filter_destroy(&third);
	said(e)->filter_id = 0;
	EXPECT_EQ(0, open_of(b, "e/deep/file"));
	EXPECT_EQ(0, shrink_to(b, &self->filter, 0));
	EXPECT_EQ(0, shrink_to(b, &self->other, 0));
}

TEST_HARNESS_MAIN
