// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ready filters that watch: trace, count, hermetic and dirty_track. What they note, of
 * whom, and what they do not note.
 */
#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "harness.h"
#include "ready_fixture.h"
#include "../../bpf/filters/watch.h"

FIXTURE(watch)
{
	struct ready r;
};

FIXTURE_SETUP(watch)
{
	ASSERT_EQ(0, ready_begin(&self->r, 0));
}

FIXTURE_TEARDOWN(watch)
{
	EXPECT_EQ(0, ready_end(&self->r));
}

#define MAX_EVENTS 64

struct events {
	struct trace_event all[MAX_EVENTS];
	unsigned int nr;
};

static int keep_event(void *arg, void *data, size_t size)
{
	struct events *events = arg;

	if (size != sizeof(struct trace_event) || events->nr == MAX_EVENTS)
		return -E2BIG;
	memcpy(&events->all[events->nr++], data, size);
	return 0;
}

/* Replace @events by what was told since the last time */
static int take_events(const struct ready *r, struct events *events)
{
	struct ring_buffer *ring = ring_buffer__new(ready_map(r, "trace_events"), keep_event,
						    events, NULL);
	int nr;

	events->nr = 0;
	if (!ring)
		return -errno;
	nr = ring_buffer__consume(ring);
	ring_buffer__free(ring);
	return nr;
}

static const struct trace_event *find_event(const struct events *events, __u32 opcode, __u32 kind,
					    const char *name)
{
	for (unsigned int i = 0; i < events->nr; i++) {
		const struct trace_event *event = &events->all[i];

		if (event->opcode == opcode && event->kind == kind && !strcmp(event->name, name))
			return event;
	}
	return NULL;
}

static int trace_op(const struct ready *r, __u32 opcode, __u32 what)
{
	return ready_set(r, "trace_ops", &opcode, &what);
}

static int get_missing(void *path)
{
	char value[4];

	return RES(getxattr(path, "user.none", value, sizeof(value)));
}

TEST_F(watch, trace)
{
	const struct trace_event *event;
	struct events events;
	char longest[256];

	ASSERT_EQ(0, ready_use(&self->r, "trace"));
	/* Nothing is told of before somebody wants it */
	EXPECT_EQ(0, user_open(USER1, self->r.file, O_RDONLY));
	EXPECT_EQ(2, names_in(self->r.b.mnt));
	ASSERT_EQ(0, take_events(&self->r, &events));

	ASSERT_EQ(0, trace_op(&self->r, FUSE_OPEN, TRACE_ASKED | TRACE_ANSWERED));
	ASSERT_EQ(0, trace_op(&self->r, FUSE_MKDIR, TRACE_ASKED));
	ASSERT_EQ(0, trace_op(&self->r, FUSE_GETXATTR, TRACE_ANSWERED));
	ASSERT_EQ(0, trace_op(&self->r, 60, TRACE_ASKED));
	ASSERT_EQ(0, trace_op(&self->r, 61, TRACE_ASKED));
	EXPECT_EQ(0, user_open(USER1, self->r.file, O_RDONLY));
	EXPECT_EQ(0, as_user(USER2, GROUP2, make_in, in(self->r.b.mnt, "made")));
	EXPECT_EQ(-ENODATA, as_user(USER1, USER1, get_missing, self->r.file));
	EXPECT_EQ(3, names_in(self->r.b.mnt));
	ASSERT_LT(0, take_events(&self->r, &events));

	event = find_event(&events, FUSE_OPEN, TRACE_ASKED, "");
	ASSERT_NE(NULL, event);
	EXPECT_EQ(ready_node(in(self->r.b.back, "file")), event->nodeid);
	EXPECT_EQ(USER1, event->uid);
	event = find_event(&events, FUSE_OPEN, TRACE_ANSWERED, "");
	ASSERT_NE(NULL, event);
	EXPECT_EQ(0, event->result);
	event = find_event(&events, FUSE_MKDIR, TRACE_ASKED, "made");
	ASSERT_NE(NULL, event);
	EXPECT_EQ(USER2, event->uid);
	EXPECT_EQ(GROUP2, event->gid);
	EXPECT_EQ(FUSE_ROOT_ID, event->parent);
	EXPECT_EQ(NULL, find_event(&events, FUSE_MKDIR, TRACE_ANSWERED, "made"));
	event = find_event(&events, FUSE_GETXATTR, TRACE_ANSWERED, "");
	ASSERT_NE(NULL, event);
	EXPECT_EQ(-ENODATA, event->result);
	EXPECT_NE(NULL, find_event(&events, 60, TRACE_ASKED, "sub"));
	EXPECT_EQ(NULL, find_event(&events, FUSE_LOOKUP, TRACE_ASKED, "file"));

	/* Of a long name, what fits; and the mapping */
	memset(longest, 'n', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	EXPECT_EQ(0, make_in((char *)in(self->r.b.mnt, "%s", longest)));
	ASSERT_EQ(0, sh("/usr/bin/python3 -c 'import mmap; f = open(\"%s\"); "
			"mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)'", self->r.file));
	ASSERT_LT(0, take_events(&self->r, &events));
	longest[63] = '\0';
	event = find_event(&events, FUSE_MKDIR, TRACE_ASKED, longest);
	ASSERT_NE(NULL, event);
	EXPECT_EQ(255, event->name_len);
	EXPECT_NE(NULL, find_event(&events, 61, TRACE_ASKED, ""));
	EXPECT_EQ(0, ready_sum(&self->r, "trace_lost", 0));
}

TEST_F(watch, trace_says_what_is_lost)
{
	struct events events;

	ASSERT_EQ(0, ready_use(&self->r, "trace"));
	ASSERT_EQ(0, trace_op(&self->r, FUSE_GETXATTR, TRACE_ANSWERED));
	/* A MiB of events of 128 bytes, with 8 bytes in front of each */
	for (int i = 0; i < 8000; i++)
		get_missing(self->r.file);
	EXPECT_LT(0, ready_sum(&self->r, "trace_lost", 0));
	EXPECT_GT(8000, ready_sum(&self->r, "trace_lost", 0));
	/* More than fits into the table here: what came is as it should be */
	EXPECT_EQ(-E2BIG, take_events(&self->r, &events));
	EXPECT_EQ(-ENODATA, events.all[MAX_EVENTS - 1].result);
}

struct count_value {
	__u64 requests;
	__u64 failed;
	__u64 bytes;
};

#define MAX_CPUS 64

/* Sums over the processors; all ones: there are no counts */
static struct count_value counted(const struct ready *r, __u32 uid, __u32 opcode)
{
	struct count_value values[MAX_CPUS] = {}, sum = {};
	__u32 key[2] = { uid, opcode };
	int cpus = libbpf_num_possible_cpus();

	if (cpus > MAX_CPUS || ready_get(r, "count_ops", key, values))
		return (struct count_value){ ~0ULL, ~0ULL, ~0ULL };
	for (int i = 0; i < cpus; i++) {
		sum.requests += values[i].requests;
		sum.failed += values[i].failed;
		sum.bytes += values[i].bytes;
	}
	return sum;
}

static int read_twice(void *path)
{
	char buf[20];
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = RES(read(fd, buf, sizeof(buf)));
	if (ret >= 0)
		ret += RES(read(fd, buf, sizeof(buf)));
	close(fd);
	return ret;
}

TEST_F(watch, count)
{
	struct count_value value;

	ASSERT_EQ(0, ready_use(&self->r, "count"));
	EXPECT_EQ(10, as_user(USER1, USER1, read_twice, self->r.file));
	EXPECT_EQ(1, as_user(USER1, USER1, write_one, self->r.file));
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(-ENODATA, as_user(USER2, USER2, get_missing, self->r.file));

	value = counted(&self->r, USER1, FUSE_READ);
	EXPECT_EQ(2, value.requests);
	EXPECT_EQ(0, value.failed);
	EXPECT_EQ(10, value.bytes);
	value = counted(&self->r, USER1, FUSE_WRITE);
	EXPECT_EQ(1, value.requests);
	EXPECT_EQ(1, value.bytes);
	EXPECT_EQ(2, counted(&self->r, USER1, FUSE_OPEN).requests);
	EXPECT_EQ(~0ULL, counted(&self->r, USER2, FUSE_OPEN).requests);
	value = counted(&self->r, USER2, FUSE_GETXATTR);
	EXPECT_EQ(3, value.requests);
	EXPECT_EQ(3, value.failed);
	EXPECT_EQ(0, value.bytes);
	EXPECT_EQ(0, ready_sum(&self->r, "count_lost", 0));
}

struct hermetic_use {
	__u64 opens;
	__u64 reads;
};

static int missing(const struct ready *r, const char *name)
{
	struct {
		__u64 parent;
		char name[64];
	} key = { .parent = FUSE_ROOT_ID };
	__u64 count;

	strcpy(key.name, name);
	return ready_get(r, "hermetic_missing", &key, &count) ? 0 : count;
}

static int read_inherited(void *arg)
{
	char buf[20];

	return RES(pread(*(int *)arg, buf, sizeof(buf), 0));
}

static int stat_path(void *path)
{
	struct stat st;

	return RES(stat(path, &st));
}

static int make_and_read(void *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600), ret;
	char buf[8];

	if (fd < 0)
		return -errno;
	ret = RES(write(fd, "made", 4));
	if (ret > 0)
		ret = RES(pread(fd, buf, sizeof(buf), 0));
	close(fd);
	return ret > 0 ? read_twice(path) : ret;
}

TEST_F(watch, hermetic_notes_what_a_build_uses)
{
	__u64 file, sub, root = FUSE_ROOT_ID, count;
	struct ready_group group;
	struct hermetic_use use;
	int fd;

	ASSERT_EQ(0, ready_use(&self->r, "hermetic"));
	ASSERT_EQ(0, ready_group_make(&self->r, "hermetic_cgroups", &group));
	file = ready_node(in(self->r.b.back, "file"));
	sub = ready_node(in(self->r.b.back, "sub"));

	/* Who is not in the group is no build */
	EXPECT_EQ(10, read_twice(self->r.file));
	EXPECT_EQ(2, names_in(self->r.b.mnt));
	EXPECT_EQ(-ENOENT, stat_path((char *)in(self->r.b.mnt, "none")));
	EXPECT_NE(0, ready_get(&self->r, "hermetic_files", &file, &use));
	EXPECT_NE(0, ready_get(&self->r, "hermetic_lists", &root, &count));
	EXPECT_EQ(0, missing(&self->r, "none"));

	EXPECT_EQ(10, in_group(&group, read_twice, self->r.file));
	ASSERT_EQ(0, ready_get(&self->r, "hermetic_files", &file, &use));
	EXPECT_EQ(1, use.opens);
	EXPECT_EQ(2, use.reads);
	fd = open(self->r.file, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(10, in_group(&group, read_inherited, &fd));
	close(fd);
	ASSERT_EQ(0, ready_get(&self->r, "hermetic_files", &file, &use));
	EXPECT_EQ(1, use.opens);
	EXPECT_EQ(3, use.reads);

	EXPECT_EQ(1, in_group(&group, names_in, self->r.sub));
	EXPECT_EQ(0, ready_get(&self->r, "hermetic_lists", &sub, &count));
	EXPECT_NE(0, ready_get(&self->r, "hermetic_lists", &root, &count));
	EXPECT_EQ(-ENOENT, in_group(&group, stat_path, in(self->r.b.mnt, "none")));
	EXPECT_LT(0, missing(&self->r, "none"));
	EXPECT_EQ(0, missing(&self->r, "file"));
	EXPECT_EQ(0, ready_sum(&self->r, "hermetic_lost", 0));
	EXPECT_EQ(0, ready_group_remove(&group));
}

TEST_F(watch, hermetic_refuses_the_rest)
{
	__u64 file, ino, count;
	struct ready_group group;
	__u32 zero = 0, one = 1;
	int fd;

	ASSERT_EQ(0, ready_use(&self->r, "hermetic"));
	ASSERT_EQ(0, ready_group_make(&self->r, "hermetic_cgroups", &group));
	ASSERT_EQ(0, ready_set(&self->r, "hermetic_mode", &zero, &one));
	file = ready_node(in(self->r.b.back, "file"));
	fd = open(self->r.file, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);

	EXPECT_EQ(-EACCES, in_group(&group, read_twice, self->r.file));
	EXPECT_EQ(-EACCES, in_group(&group, read_inherited, &fd));
	EXPECT_EQ(0, ready_get(&self->r, "hermetic_refused", &file, &count));
	EXPECT_EQ(2, count);
	EXPECT_EQ(10, read_twice(self->r.file));
	ino = file & ~FUSE_NODEID_KERNEL;
	ASSERT_EQ(0, ready_set(&self->r, "hermetic_inputs", &ino, &(__u8){ 1 }));
	EXPECT_EQ(10, in_group(&group, read_twice, self->r.file));
	EXPECT_EQ(10, in_group(&group, read_inherited, &fd));
	close(fd);

	/* What it makes is its own; what was there is not, for all that it asks to make it */
	EXPECT_EQ(4, in_group(&group, make_and_read, in(self->r.b.mnt, "object")));
	EXPECT_EQ(4, in_group(&group, read_twice, in(self->r.b.mnt, "object")));
	EXPECT_EQ(-EEXIST, in_group(&group, make_and_read, in(self->r.sub, "below")));
	EXPECT_EQ(-EACCES, in_group(&group, read_twice, in(self->r.sub, "below")));
	EXPECT_EQ(0, ready_group_remove(&group));
}

/* What is noted of a node, 0: nothing */
static int dirty(const struct ready *r, __u64 node)
{
	struct dirty_node found;

	return ready_get(r, "dirty_nodes", &node, &found) ? 0 : found.what;
}

static int forget(const struct ready *r, __u64 node)
{
	return bpf_map_delete_elem(ready_map(r, "dirty_nodes"), &node);
}

TEST_F(watch, dirty_track)
{
	__u64 file, below, sub, root = FUSE_ROOT_ID;

	ASSERT_EQ(0, ready_use(&self->r, "dirty_track"));
	file = ready_node(in(self->r.b.back, "file"));
	below = ready_node(in(self->r.b.back, "sub/below"));
	sub = ready_node(in(self->r.b.back, "sub"));

	/* Looking at it, or failing to change it, is no change */
	EXPECT_EQ(10, read_twice(self->r.file));
	EXPECT_EQ(2, names_in(self->r.b.mnt));
	EXPECT_EQ(-ENODATA, RES(removexattr(self->r.file, "user.none")));
	EXPECT_EQ(-EEXIST, make_in(self->r.sub));
	EXPECT_EQ(0, dirty(&self->r, file));
	EXPECT_EQ(0, dirty(&self->r, root));

	EXPECT_EQ(1, write_one(self->r.file));
	EXPECT_EQ(DIRTY_DATA, dirty(&self->r, file));
	EXPECT_EQ(0, dirty(&self->r, below));
	EXPECT_EQ(0, dirty(&self->r, root));
	ASSERT_EQ(0, RES(setxattr(self->r.file, "user.x", "y", 1, 0)));
	EXPECT_EQ(DIRTY_DATA | DIRTY_ATTR, dirty(&self->r, file));

	ASSERT_EQ(0, RES(rename(in(self->r.sub, "below"), in(self->r.b.mnt, "above"))));
	EXPECT_EQ(DIRTY_NAMES, dirty(&self->r, sub));
	EXPECT_EQ(DIRTY_NAMES, dirty(&self->r, root));
	EXPECT_EQ(DIRTY_ATTR, dirty(&self->r, below));
	ASSERT_EQ(0, forget(&self->r, root));
	ASSERT_EQ(0, RES(mkdir(in(self->r.b.mnt, "dir"), 0700)));
	EXPECT_EQ(DIRTY_NAMES, dirty(&self->r, root));
	ASSERT_EQ(0, forget(&self->r, root));
	ASSERT_EQ(0, RES(unlink(in(self->r.b.mnt, "above"))));
	EXPECT_EQ(DIRTY_NAMES, dirty(&self->r, root));
	EXPECT_EQ(0, ready_sum(&self->r, "dirty_lost", 0));
}

TEST_F(watch, dirty_track_copies_and_mappings)
{
	__u64 file, below;
	int from, to;
	char *area;

	ASSERT_EQ(0, ready_use(&self->r, "dirty_track"));
	file = ready_node(in(self->r.b.back, "file"));
	below = ready_node(in(self->r.b.back, "sub/below"));
	from = open(self->r.file, O_RDONLY | O_CLOEXEC);
	to = open(in(self->r.sub, "below"), O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, from);
	ASSERT_LE(0, to);
	EXPECT_EQ(5, copy_file_range(from, NULL, to, NULL, 5, 0));
	EXPECT_EQ(0, dirty(&self->r, file));
	EXPECT_EQ(DIRTY_DATA, dirty(&self->r, below));

	area = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, to, 0);
	ASSERT_NE(MAP_FAILED, area);
	munmap(area, 4096);
	EXPECT_EQ(DIRTY_DATA, dirty(&self->r, below));
	/* That can be written to later */
	area = mmap(NULL, 4096, PROT_READ, MAP_SHARED, to, 0);
	ASSERT_NE(MAP_FAILED, area);
	EXPECT_EQ(DIRTY_DATA | DIRTY_MAPPED, dirty(&self->r, below));
	munmap(area, 4096);
	close(from);
	close(to);
}

static __u64 epoch_of(const struct ready *r, __u64 node)
{
	struct dirty_node found;

	return ready_get(r, "dirty_nodes", &node, &found) ? ~0ULL : found.epoch;
}

TEST_F(watch, dirty_track_epochs)
{
	__u64 file, below, epoch = 1;
	__u32 zero = 0;

	ASSERT_EQ(0, ready_use(&self->r, "dirty_track"));
	file = ready_node(in(self->r.b.back, "file"));
	below = ready_node(in(self->r.b.back, "sub/below"));
	EXPECT_EQ(1, write_one(self->r.file));
	EXPECT_EQ(1, write_one((char *)in(self->r.sub, "below")));
	ASSERT_EQ(0, ready_set(&self->r, "dirty_epoch", &zero, &epoch));
	EXPECT_EQ(1, write_one(self->r.file));
	EXPECT_EQ(1, epoch_of(&self->r, file));
	EXPECT_EQ(0, epoch_of(&self->r, below));
}

TEST_HARNESS_MAIN
