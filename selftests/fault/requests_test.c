// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mounting, registering, attaching, listing, and taking over what a daemon attaches, while
 * the kernel runs out of memory: each allocation, and each copy from and to the caller,
 * fails once. Nothing is there afterwards of what has failed, and the same works then.
 */
#include <bpf/bpf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include "backed_fixture.h"
#include "entry_fixture.h"
#include "harness.h"
#include "inject.h"
#include "scripted.h"

/* More than any request makes */
#define MOST_FAULTS 400
#define MOST_TRIES 1000

FIXTURE(requests)
{
	struct backed b;
	char control[64];
	char other[64];
	struct filter filter;
	struct filter second;
	int back;
	int dir;
	int faults;
};

/* A backed mount with a daemon, and two filters that are registered and not attached */
FIXTURE_SETUP(requests)
{
	struct backed *b = &self->b;

	self->filter = self->second = FILTER_NONE;
	self->faults = inject_setup();
	if (self->faults == -ENOENT)
		SKIP(return, "this kernel cannot inject faults");
	ASSERT_LE(0, self->faults);
	ASSERT_EQ(0, backed_setup(b, "tmpfs", BACKED_DAEMON));
	ASSERT_EQ(0, make_file(in(b->back, "file"), "text", 0644));
	ASSERT_EQ(0, control_mount(b, self->control, sizeof(self->control)));
	snprintf(self->other, sizeof(self->other), "%s/other", b->top);
	ASSERT_EQ(0, make_dir(self->other, 0755));
	self->back = open_dir(b->back, O_PATH);
	self->dir = open_dir(b->mnt, 0);
	ASSERT_LE(0, self->back);
	ASSERT_LE(0, self->dir);
	ASSERT_EQ(0, scripted_load(&self->filter, false, NULL));
	ASSERT_EQ(0, scripted_load(&self->second, true, NULL));
}

FIXTURE_TEARDOWN(requests)
{
	if (self->faults < 0)
		return;
	close(self->faults);
	filter_destroy(&self->filter);
	filter_destroy(&self->second);
	close(self->dir);
	close(self->back);
	EXPECT_EQ(0, RES(umount(in(self->b.top, "control"))));
	EXPECT_EQ(0, backed_destroy(&self->b));
}

typedef FIXTURE_DATA(requests) state;

/**
 * struct request - what is tried
 * @name: for people
 * @prepare: what has to be there, made anew for each try; or NULL
 * @run: the request; 0 or more: it worked
 * @undo: undoes what has worked, given what @run returned; or NULL
 * @error: errno that it may end with besides ENOMEM and EFAULT
 *
 * After a failure, @run is called again, without what @prepare does.
 */
struct request {
	const char *name;
	int (*prepare)(state *self);
	long (*run)(state *self);
	int (*undo)(state *self, long ret);
	int error;
};

static long run_query(state *self)
{
	struct fuse_bpf_query query;

	return RES(ioctl(self->b.dev, FUSE_IOC_QUERY, &query));
}

static long run_stats(state *self)
{
	static struct fuse_op_stats ops[NR_OPS];
	struct fuse_bpf_stats stats = { .ops = (unsigned long)ops, .nr = NR_OPS };

	return RES(ioctl(self->b.dev, FUSE_IOC_STATS, &stats));
}

/* An id that nobody was told of can be closed by nobody */
static long run_register(state *self)
{
	struct fuse_backing_open arg = { .fd = self->back };

	return ioctl(self->b.dev, FUSE_IOC_BACKING_OPEN, &arg) ? -errno : (long)arg.id;
}

static int undo_register(state *self, long id)
{
	return close_id(self->b.dev, id);
}

static __u32 the_id;

static int prepare_close(state *self)
{
	int id = register_fd(self->b.dev, self->back, 0);

	the_id = id;
	return id < 0 ? id : 0;
}

static long run_close(state *self)
{
	return close_id(self->b.dev, the_id);
}

static long attach(state *self, int fd, __u32 flags)
{
	struct fuse_filter_attach arg = {
		.fd = bpf_link__fd(self->filter.link),
		.flags = flags,
	};

	return ioctl(fd, FUSE_IOC_FILTER_ATTACH, &arg) ? -errno : (long)arg.id;
}

static long run_attach(state *self)
{
	return attach(self, self->b.dev, 0);
}

static long run_attach_dir(state *self)
{
	return attach(self, self->dir, FUSE_FILTER_DIRECTORY);
}

static long run_attach_by_reply(state *self)
{
	return attach(self, self->b.dev, FUSE_FILTER_BY_REPLY);
}

static int detach(state *self, __u32 id)
{
	struct fuse_filter_detach arg = { .id = id };

	return RES(ioctl(self->b.dev, FUSE_IOC_FILTER_DETACH, &arg));
}

static int undo_attach(state *self, long id)
{
	return detach(self, id);
}

/* The second one stays, so that a shorter chain has to be made */
static int prepare_detach(state *self)
{
	long id = attach(self, self->b.dev, 0);

	the_id = id;
	return id < 0 ? id : filter_attach(&self->second, self->b.dev, 0, 0);
}

static long run_detach(state *self)
{
	return detach(self, the_id);
}

static int undo_detach(state *self, long ret)
{
	(void)ret;
	return filter_detach(&self->second);
}

static int prepare_list(state *self)
{
	return filter_attach(&self->filter, self->b.dev, 0, 0);
}

static int undo_list(state *self, long ret)
{
	(void)ret;
	return filter_detach(&self->filter);
}

static long run_list(state *self)
{
	struct fuse_filter_info info;
	struct fuse_filter_list list = {
		.filters = (unsigned long)&info,
		.nr = 1,
		.info_size = sizeof(info),
	};

	return RES(ioctl(self->b.dev, FUSE_IOC_FILTER_LIST, &list));
}

static long read_all(const char *path)
{
	char buf[1024];
	ssize_t ret;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	do
		ret = RES(read(fd, buf, sizeof(buf)));
	while (ret > 0);
	close(fd);
	return ret;
}

static long run_read_backings(state *self)
{
	return read_all(in(self->control, "backings"));
}

static long run_read_filters(state *self)
{
	return read_all(in(self->control, "filters"));
}

static long run_read_refusals(state *self)
{
	return read_all(in(self->control, "refusals"));
}

static long run_limit(state *self)
{
	int fd = open(in(self->control, "max_backing_files"), O_WRONLY | O_CLOEXEC);
	long ret = fd < 0 ? -errno : RES(write(fd, "100\n", 4));

	if (fd >= 0)
		close(fd);
	return ret;
}

static int undo_limit(state *self, long ret)
{
	int fd = open(in(self->control, "max_backing_files"), O_WRONLY | O_CLOEXEC);

	(void)ret;
	ret = fd < 0 ? -errno : RES(write(fd, "0\n", 2));
	close(fd);
	return ret < 0 ? ret : 0;
}

static long run_fdinfo(state *self)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->b.dev);
	return read_all(path);
}

/* Of the map of the first filter, which has one link already; a map may have many */
static long run_link(state *self)
{
	return RES(bpf_link_create(bpf_map__fd(self->filter.map), 0, BPF_STRUCT_OPS, NULL));
}

static int undo_link(state *self, long fd)
{
	(void)self;
	return RES(close(fd));
}

static int prepare_update(state *self)
{
	return filter_attach(&self->filter, self->b.dev, 0, 0);
}

/* From its own map to its own map: nothing has to be undone */
static long run_update(state *self)
{
	return bpf_link_update(bpf_link__fd(self->filter.link), bpf_map__fd(self->filter.map), NULL);
}

static long run_mount(state *self)
{
	return try_mount(TRY_MOUNT(.backing = self->back, .daemonless = true, .at = self->other));
}

static int undo_mount(state *self, long ret)
{
	(void)ret;
	return RES(umount(self->other));
}

/* With a device of its own, which is closed while the mount is there */
static long run_mount_dev(state *self)
{
	int dev = open(device_path(), O_RDWR | O_CLOEXEC);
	long ret = dev < 0 ? -errno : try_mount(TRY_MOUNT(.backing = self->back, .dev = dev,
							  .at = self->other));

	if (dev >= 0)
		close(dev);
	return ret;
}

static long run_mount_plain(state *self)
{
	int dev = open(device_path(), O_RDWR | O_CLOEXEC);
	long ret = dev < 0 ? -errno : try_mount(TRY_MOUNT(.dev = dev, .at = self->other));

	(void)self;
	if (dev >= 0)
		close(dev);
	return ret;
}

static int prepare_umount(state *self)
{
	return run_mount(self);
}

static long run_umount(state *self)
{
	return RES(umount(self->other));
}

static const struct request all_requests[] = {
	{ "query", NULL, run_query, NULL },
	{ "stats", NULL, run_stats, NULL },
	{ "register", NULL, run_register, undo_register },
	{ "close", prepare_close, run_close, NULL },
	{ "attach", NULL, run_attach, undo_attach },
	{ "attach to a directory", NULL, run_attach_dir, undo_attach },
	{ "attach for replies", NULL, run_attach_by_reply, undo_attach },
	{ "detach", prepare_detach, run_detach, undo_detach },
	{ "list", prepare_list, run_list, undo_list },
	{ "backings", NULL, run_read_backings, NULL },
	{ "filters", prepare_list, run_read_filters, undo_list },
	{ "refusals", NULL, run_read_refusals, NULL },
	{ "max_backing_files", NULL, run_limit, undo_limit },
	{ "fdinfo", NULL, run_fdinfo, NULL },
	{ "link", NULL, run_link, undo_link },
	{ "update of a link", prepare_update, run_update, undo_list },
	{ "mount", NULL, run_mount, undo_mount },
	/* INIT cannot be sent */
	{ "mount with a daemon", NULL, run_mount_dev, undo_mount, ENOTCONN },
	{ "mount without a backing", NULL, run_mount_plain, undo_mount, ENOTCONN },
	{ "umount", prepare_umount, run_umount, NULL },
};

/**
 * struct held - what there is
 * @backings: registrations of the mount, and files that are open
 * @filters: that are attached
 * @links: of BPF, in the whole system
 * @mounted: is there something on @other?
 */
struct held {
	char backings[512];
	unsigned int filters;
	unsigned int links;
	bool mounted;
};

static unsigned int count_links(void)
{
	unsigned int nr = 0;
	__u32 id = 0;

	while (!bpf_link_get_next_id(id, &id))
		nr++;
	return nr;
}

static unsigned int count_lines(const char *text)
{
	unsigned int nr = 0;

	for (; *text; text++)
		nr += *text == '\n';
	return nr;
}

static struct held held_now(const state *self)
{
	struct held held = { .links = count_links() };
	struct stat at, below;

	snprintf(held.backings, sizeof(held.backings), "%s", text_of(in(self->control, "backings")));
	held.filters = count_lines(text_of(in(self->control, "filters")));
	held.mounted = stat(self->other, &at) || stat(self->b.top, &below) ||
		       at.st_dev != below.st_dev;
	return held;
}

static bool same_held(const struct held *a, const struct held *b)
{
	return !strcmp(a->backings, b->backings) && a->filters == b->filters &&
	       a->links == b->links && a->mounted == b->mounted;
}

/* What the kernel gives up, it may do a moment later. */
static int expect_held(const state *self, const struct held *want)
{
	struct held now;

	for (int i = 0; i < MOST_TRIES; i++) {
		now = held_now(self);
		if (same_held(&now, want))
			return 0;
		usleep(10000);
	}
	say("there are %u filters, %u links, %s mount, and\n%sbefore: %u, %u, %s,\n%s", now.filters,
	    now.links, now.mounted ? "a" : "no", now.backings, want->filters, want->links,
	    want->mounted ? "a" : "no", want->backings);
	return -EBUSY;
}

static int finish(state *self, const struct request *request, long ret)
{
	return request->undo ? request->undo(self, ret) : 0;
}

/* The @nth fault: 1 it has happened and all is well, 0 there are not so many */
static int fail_nth(state *self, const struct request *request, unsigned int nth)
{
	int err = request->prepare ? request->prepare(self) : 0;
	struct held before = held_now(self);
	bool happened;
	long ret;

	if (err)
		return err;
	inject_arm(self->faults, nth);
	ret = request->run(self);
	happened = inject_disarm(self->faults);
	if (ret < 0) {
		if (ret != -ENOMEM && ret != -EFAULT && ret != -request->error) {
			say("%s: fault %u: %ld", request->name, nth, ret);
			return -EIO;
		}
		err = expect_held(self, &before);
		if (!err) {
			ret = request->run(self);
			err = ret < 0 ? ret : 0;
		}
	}
	if (!err)
		err = finish(self, request, ret);
	if (err)
		say("%s: fault %u: %s", request->name, nth, strerror(-err));
	return err ? err : happened;
}

static int fail_each(state *self, const struct request *request)
{
	struct held before = held_now(self);
	unsigned int nth = 0;
	int ret;

	do
		ret = fail_nth(self, request, ++nth);
	while (ret > 0 && nth < MOST_FAULTS);
	if (!ret)
		ret = expect_held(self, &before);
	return ret ? -EIO : (int)nth - 1;
}

TEST_F(requests, each)
{
	for (size_t i = 0; i < ARRAY_SIZE(all_requests); i++) {
		int nr = fail_each(self, &all_requests[i]);

		say("%s: %d faults", all_requests[i].name, nr);
		EXPECT_LT(0, nr) TH_LOG("%s", all_requests[i].name);
	}
}

/* Node ids of what the daemon names: that many, and the number in the name */
#define FIRST_NODE 1000

/* What the test and the server's process share */
struct shared {
	long known;
	__u32 backing_id;
	__u32 filter_id;
};

static struct shared *shared;

FIXTURE(entries)
{
	struct backed b;
	struct filter filter;
	int faults;
	unsigned int serial;
};

static void name_node(struct raw_reply *reply, const char *name, mode_t mode)
{
	const __u64 node = FIRST_NODE + strtoul(name, NULL, 10);
	const struct entry_reply entry = {
		.entry = { .nodeid = node, .attr = raw_attr(node, mode, 0) },
		.backing = {
			.backing_id = shared->backing_id,
			.filter_id = shared->filter_id,
		},
	};

	memcpy(reply->data, &entry, sizeof(entry));
	reply->len = sizeof(entry);
	reply->error = 0;
	shared->known++;
}

static void create_node(struct raw_reply *reply, const char *name)
{
	const struct create_reply create = {
		.entry = { .nodeid = FIRST_NODE + strtoul(name, NULL, 10) },
		.backing = { .backing_id = shared->backing_id },
	};

	memcpy(reply->data, &create, sizeof(create));
	((struct create_reply *)reply->data)->entry.attr =
		raw_attr(create.entry.nodeid, S_IFREG | 0644, 0);
	reply->len = sizeof(create);
	reply->error = 0;
	shared->known++;
}

/* Every name is a node with the backing; names with an "n" are there once they are made */
static bool name_all(struct raw_server *server, const struct raw_request *request,
		     struct raw_reply *reply)
{
	const struct fuse_batch_forget_in *batch = request->arg;
	const struct fuse_forget_one *one = (const void *)(batch + 1);

	(void)server;
	switch (request->head.opcode) {
	case FUSE_LOOKUP:
		if (strchr(request->arg, 'n'))
			reply->error = -ENOENT;
		else
			name_node(reply, request->arg, S_IFREG | 0644);
		break;
	case FUSE_CREATE:
		create_node(reply, (const char *)request->arg + sizeof(struct fuse_create_in));
		break;
	case FUSE_MKNOD:
		name_node(reply, (const char *)request->arg + sizeof(struct fuse_mknod_in),
			  S_IFREG | 0644);
		break;
	case FUSE_FORGET:
		shared->known -= ((const struct fuse_forget_in *)request->arg)->nlookup;
		break;
	case FUSE_BATCH_FORGET:
		for (__u32 i = 0; i < batch->count; i++)
			shared->known -= one[i].nlookup;
		break;
	}
	return false;
}

/* A daemon that attaches one file, and binds a filter, as often as it is asked */
FIXTURE_SETUP(entries)
{
	struct backed *b = &self->b;

	self->filter = FILTER_NONE;
	self->faults = inject_setup();
	if (self->faults == -ENOENT)
		SKIP(return, "this kernel cannot inject faults");
	ASSERT_LE(0, self->faults);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	ASSERT_NE(MAP_FAILED, shared);
	ASSERT_EQ(0, entry_make(b));
	ASSERT_EQ(0, make_file(in(b->back, "file"), "text", 0644));
	b->server->hook = name_all;
	ASSERT_EQ(0, entry_mount(b));
	ASSERT_EQ(0, scripted_load(&self->filter, false, NULL));
	ASSERT_EQ(0, filter_attach(&self->filter, b->dev, FUSE_FILTER_BY_REPLY, 0));
	shared->filter_id = self->filter.id;
	shared->backing_id = register_path(b->dev, in(b->back, "file"), 0);
	ASSERT_LT(0, (int)shared->backing_id);
}

/* The daemon gets back each node that it has named, and the files that it has opened. */
FIXTURE_TEARDOWN(entries)
{
	int i;

	if (self->faults < 0)
		return;
	close(self->faults);
	for (i = 0; i < MOST_TRIES && __atomic_load_n(&shared->known, __ATOMIC_SEQ_CST); i++) {
		EXPECT_EQ(0, sh("echo 2 >/proc/sys/vm/drop_caches"));
		usleep(10000);
	}
	EXPECT_EQ(0, shared->known);
	filter_destroy(&self->filter);
	EXPECT_EQ(0, backed_destroy(&self->b));
	munmap(shared, sizeof(*shared));
}

static long entry_stat(const char *path)
{
	struct stat st;

	return RES(stat(path, &st));
}

static long entry_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : RES(close(fd));
}

static long entry_create(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	return fd < 0 ? -errno : RES(close(fd));
}

static long entry_mknod(const char *path)
{
	return RES(mknod(path, S_IFREG | 0644, 0));
}

static const struct {
	const char *name;
	const char *suffix;
	long (*run)(const char *path);
} all_entries[] = {
	{ "look-up", "", entry_stat },
	{ "open", "", entry_open },
	{ "create", "n", entry_create },
	{ "mknod", "n", entry_mknod },
};

TEST_F(entries, each)
{
	for (size_t i = 0; i < ARRAY_SIZE(all_entries); i++) {
		unsigned int nth = 0;
		bool happened = true;

		while (happened && ++nth < MOST_FAULTS) {
			const char *path = in(self->b.mnt, "%u%s", ++self->serial, all_entries[i].suffix);
			long ret;

			inject_arm(self->faults, nth);
			ret = all_entries[i].run(path);
			happened = inject_disarm(self->faults);
			EXPECT_TRUE(!ret || ret == -ENOMEM || ret == -EFAULT)
				TH_LOG("%s: fault %u: %ld", all_entries[i].name, nth, ret);
			if (ret)
				EXPECT_EQ(0, all_entries[i].run(path)) TH_LOG("%s: after fault %u",
									all_entries[i].name, nth);
		}
		say("%s: %u faults", all_entries[i].name, nth - 1);
		EXPECT_LT(1, nth);
		EXPECT_FALSE(happened);
	}
}

TEST_HARNESS_MAIN
