// SPDX-License-Identifier: GPL-2.0-only
/*
 * libfuse-bpf: which device a mount gets and why, what it falls back to, filters from
 * files and pins, and listings.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "backed_fixture.h"
#include "filter_fixture.h"
#include "harness.h"
#include "../progs/scripted.h"
#include <fuse_bpf.h>

static char said[1024];

static void listen_to(const char *line, void *arg)
{
	(void)arg;
	snprintf(said, sizeof(said), "%s", line);
}

FIXTURE(device)
{
	struct backed b;
};

FIXTURE_SETUP(device)
{
	fuse_bpf_set_log(listen_to, NULL);
	ASSERT_EQ(0, backed_setup(&self->b, "tmpfs", BACKED_ALLOW_OTHER));
	ASSERT_EQ(0, make_dir(in(self->b.back, "dir"), 0755));
	ASSERT_EQ(0, make_dir(in(self->b.top, "other"), 0755));
}

FIXTURE_TEARDOWN(device)
{
	EXPECT_EQ(0, backed_destroy(&self->b));
}

TEST_F(device, is_that_of_the_flavour)
{
	FUSE_BPF_OPTS(fuse_bpf_choice, choice);
	enum fuse_bpf_flavour found;
	int fd;

	fd = fuse_bpf_choose_device(FUSE_BPF_ANY, 0, &choice);
	ASSERT_LE(0, fd);
	EXPECT_STREQ(device_path(), choice.path);
	EXPECT_STREQ(fs_type(), choice.fs_type);
	EXPECT_EQ(0, choice.plain);
	EXPECT_EQ(FUSE_BPF_ABI, choice.query.abi);
	EXPECT_EQ(0, strncmp(choice.why, choice.path, strlen(choice.path)));
	close(fd);
	fd = fuse_bpf_open_device(FUSE_BPF_ANY, &found);
	ASSERT_LE(0, fd);
	EXPECT_EQ(choice.flavour, found);
	close(fd);
}

/* Where the other flavour is a FUSE of its own, it has no backed inodes; or it is not there */
TEST_F(device, of_the_other_flavour)
{
	const bool module = !strcmp(fs_type(), "fuse_bpf");
	const enum fuse_bpf_flavour other = module ? FUSE_BPF_BUILTIN : FUSE_BPF_MODULE;
	const int want = module ? -ENOTTY : -ENOENT;
	FUSE_BPF_OPTS(fuse_bpf_choice, choice);
	int fd;

	EXPECT_EQ(want, fuse_bpf_choose_device(other, 0, &choice));
	EXPECT_EQ(want, choice.errs[other]);
	EXPECT_NE(NULL, strstr(choice.why, fuse_bpf_device_path(other)));
	EXPECT_EQ(want, fuse_bpf_open_device(other, NULL));
	EXPECT_NE(NULL, strstr(said, fuse_bpf_device_path(other)));

	fd = fuse_bpf_choose_device(other, 1, &choice);
	EXPECT_EQ(module, fd >= 0);
	EXPECT_EQ(module, choice.plain);
	if (fd >= 0)
		close(fd);
}

/* Undo a mount that is nowhere yet, and a negative errno if there is none. */
static int undo(int mnt, int device)
{
	if (mnt < 0)
		return mnt;
	close(device);
	close(mnt);
	return 0;
}

TEST_F(device, without_the_feature)
{
	FUSE_BPF_OPTS(fuse_bpf_choice, choice);
	FUSE_BPF_OPTS(fuse_bpf_mount_opts, opts, .flavour = FUSE_BPF_BUILTIN, .choice = &choice);
	int device = -1, mnt;

	if (strcmp(fs_type(), "fuse_bpf"))
		return;
	EXPECT_EQ(-ENOTTY, fuse_bpf_fsmount(self->b.back, &device, &opts));
	EXPECT_EQ(-1, device);
	opts.flags = FUSE_BPF_MOUNT_PLAIN;
	EXPECT_EQ(-ENOTTY, fuse_bpf_fsmount(NULL, &device, &opts));
	opts.flags = FUSE_BPF_MOUNT_PLAIN | FUSE_BPF_MOUNT_FALLBACK;
	mnt = fuse_bpf_fsmount(NULL, &device, &opts);
	EXPECT_EQ(0, undo(mnt, device));
	EXPECT_EQ(1, choice.plain);

	opts.flags = FUSE_BPF_MOUNT_FALLBACK;
	mnt = fuse_bpf_fsmount(self->b.back, &device, &opts);
	EXPECT_EQ(0, undo(mnt, device));
	EXPECT_EQ(1, choice.plain);
	EXPECT_EQ(FUSE_BPF_BUILTIN, choice.flavour);
	EXPECT_STREQ("/dev/fuse, of a FUSE without backed inodes", choice.why);
	EXPECT_NE(NULL, strstr(said, "mounted without backing"));
}

/* A backed mount is no backing; a daemon can serve it all the same. */
TEST_F(device, with_a_backing_that_is_refused)
{
	FUSE_BPF_OPTS(fuse_bpf_choice, choice);
	FUSE_BPF_OPTS(fuse_bpf_mount_opts, opts, .choice = &choice);
	int device = -1, mnt;

	EXPECT_EQ(-ELOOP, fuse_bpf_fsmount(self->b.mnt, &device, &opts));
	EXPECT_EQ(-1, device);
	EXPECT_EQ(0, choice.plain);
	opts.flags = FUSE_BPF_MOUNT_FALLBACK;
	mnt = fuse_bpf_fsmount(self->b.mnt, &device, &opts);
	EXPECT_EQ(0, undo(mnt, device));
	EXPECT_EQ(1, choice.plain);
	EXPECT_STREQ(device_path(), choice.path);
	EXPECT_NE(NULL, strstr(choice.why, "refuses the backing"));
	/* What is wrong with the caller's arguments is no reason to fall back */
	EXPECT_EQ(-ENOENT, fuse_bpf_fsmount(in(self->b.back, "none"), &device, &opts));
	mnt = fuse_bpf_fsmount(self->b.back, &device, &opts);
	EXPECT_EQ(0, undo(mnt, device));
	EXPECT_EQ(0, choice.plain);
}

static int mount_unprivileged(void *arg)
{
	FUSE_BPF_OPTS(fuse_bpf_mount_opts, opts, .flags = FUSE_BPF_MOUNT_FALLBACK);
	int device;
	int fd = fuse_bpf_fsmount(arg, &device, &opts);

	return fd < 0 ? fd : 0;
}

TEST_F(device, without_privileges)
{
	int err = as_user(USER1, USER1, mount_unprivileged, self->b.back);

	EXPECT_TRUE(err == -EPERM || err == -EACCES) TH_LOG("%d", err);
}

TEST_F(device, nothing_is_left_when_there_is_no_mount_point)
{
	int device = -1;

	EXPECT_EQ(-ENOENT, fuse_bpf_mount(self->b.back, in(self->b.top, "none"), &device, NULL));
	EXPECT_EQ(-1, device);
	/* move_mount(2) says so of a directory that would cover a file */
	EXPECT_EQ(-EINVAL, fuse_bpf_mount(self->b.back, "/dev/null", NULL, NULL));
}

FIXTURE(filter)
{
	struct backed b;
	char path[PATH_MAX];
	int root;
};

FIXTURE_SETUP(filter)
{
	fuse_bpf_set_log(listen_to, NULL);
	libbpf_set_print(NULL);
	ASSERT_EQ(0, backed_setup(&self->b, "tmpfs", BACKED_ALLOW_OTHER));
	ASSERT_EQ(0, make_file(in(self->b.back, "file"), "text", 0644));
	ASSERT_EQ(0, filter_path(self->path, sizeof(self->path), "scripted"));
	self->root = fuse_bpf_open_mount(self->b.mnt);
	ASSERT_LE(0, self->root);
	ASSERT_EQ(0, make_dir(in(self->b.top, "bpf"), 0700));
	ASSERT_EQ(0, mount("bpf", in(self->b.top, "bpf"), "bpf", 0, NULL));
}

FIXTURE_TEARDOWN(filter)
{
	umount2(in(self->b.top, "bpf"), MNT_DETACH);
	close(self->root);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

/* Have the filter refuse opens of everything. */
static int refuse(struct fuse_bpf_filter *filter, int verdict)
{
	struct scripted_key key = { .opcode = FUSE_OPEN, .uid = SCRIPTED_ANY_UID };
	int fd = bpf_object__find_map_fd_by_name(fuse_bpf_filter_object(filter), "rules");

	return bpf_map_update_elem(fd, &key, &verdict, BPF_ANY);
}

TEST_F(filter, from_a_file)
{
	struct fuse_bpf_filter *filter = fuse_bpf_filter_open(self->path);
	struct fuse_filter_info info;
	__u32 id = 0;
	int fd;

	ASSERT_NE(NULL, filter);
	ASSERT_EQ(0, fuse_bpf_filter_load(filter));
	ASSERT_EQ(0, fuse_bpf_filter_load(filter));
	ASSERT_EQ(0, refuse(filter, -EPIPE));
	EXPECT_STREQ("text", text_of(in(self->b.mnt, "file")));
	fd = fuse_bpf_filter_register(filter);
	ASSERT_LE(0, fd);
	EXPECT_EQ(fd, fuse_bpf_filter_register(filter));
	EXPECT_STREQ("text", text_of(in(self->b.mnt, "file")));
	ASSERT_EQ(0, fuse_bpf_filter_attach(filter, self->root, &id, NULL));
	EXPECT_STREQ("<EPIPE>", text_of(in(self->b.mnt, "file")));
	EXPECT_EQ(-EEXIST, fuse_bpf_filter_attach(filter, self->root, NULL, NULL));
	EXPECT_NE(NULL, strstr(said, "attached to this mount already"));
	ASSERT_EQ(1, fuse_bpf_list(self->root, &info, 1));
	EXPECT_EQ(id, info.id);
	EXPECT_STREQ("scripted", info.name);
	EXPECT_EQ(-ENOENT, fuse_bpf_detach(self->root, id + 1));
	EXPECT_EQ(0, fuse_bpf_detach(self->root, id));
	EXPECT_STREQ("text", text_of(in(self->b.mnt, "file")));
	fuse_bpf_filter_free(filter);
}

/* All steps at once, of an object of the caller's; when it goes, the mount is closed. */
TEST_F(filter, from_an_object)
{
	struct bpf_object *obj = bpf_object__open_file(self->path, NULL);
	struct fuse_bpf_filter *filter;

	ASSERT_NE(NULL, obj);
	filter = fuse_bpf_filter_open_object(obj);
	ASSERT_NE(NULL, filter);
	ASSERT_EQ(0, fuse_bpf_filter_attach(filter, self->root, NULL, NULL));
	EXPECT_STREQ("text", text_of(in(self->b.mnt, "file")));
	fuse_bpf_filter_free(filter);
	EXPECT_STREQ("<EIO>", text_of(in(self->b.mnt, "file")));
	bpf_object__close(obj);
}

TEST_F(filter, replaced_and_pinned)
{
	struct fuse_bpf_filter *old = fuse_bpf_filter_open(self->path);
	struct fuse_bpf_filter *with = fuse_bpf_filter_open(self->path);
	struct fuse_bpf_filter *last = fuse_bpf_filter_open(self->path);
	struct fuse_bpf_filter *pinned;
	char pin[64];

	snprintf(pin, sizeof(pin), "%s", in(self->b.top, "bpf/pin"));
	ASSERT_TRUE(old && with && last);
	ASSERT_EQ(0, fuse_bpf_filter_load(old));
	ASSERT_EQ(0, refuse(old, -EPIPE));
	ASSERT_EQ(0, fuse_bpf_filter_attach(old, self->root, NULL, NULL));
	ASSERT_EQ(0, fuse_bpf_filter_load(with));
	ASSERT_EQ(0, refuse(with, -EXDEV));
	EXPECT_STREQ("<EPIPE>", text_of(in(self->b.mnt, "file")));
	ASSERT_EQ(0, fuse_bpf_filter_replace(old, with));
	fuse_bpf_filter_free(with);
	EXPECT_STREQ("<EXDEV>", text_of(in(self->b.mnt, "file")));
	ASSERT_EQ(0, refuse(old, -EMLINK));
	EXPECT_STREQ("<EMLINK>", text_of(in(self->b.mnt, "file")));

	EXPECT_EQ(-EPERM, fuse_bpf_filter_pin(old, in(self->b.back, "pin")));
	ASSERT_EQ(0, fuse_bpf_filter_pin(old, pin));
	EXPECT_EQ(-EEXIST, fuse_bpf_filter_pin(old, pin));
	fuse_bpf_filter_free(old);
	EXPECT_STREQ("<EMLINK>", text_of(in(self->b.mnt, "file")));

	pinned = fuse_bpf_filter_open_pinned(pin);
	ASSERT_NE(NULL, pinned);
	EXPECT_EQ(NULL, fuse_bpf_filter_object(pinned));
	EXPECT_EQ(-EEXIST, fuse_bpf_filter_attach(pinned, self->root, NULL, NULL));
	EXPECT_EQ(-EINVAL, fuse_bpf_filter_replace(last, pinned));
	ASSERT_EQ(0, fuse_bpf_filter_load(last));
	ASSERT_EQ(0, refuse(last, -ENFILE));
	ASSERT_EQ(0, fuse_bpf_filter_replace(pinned, last));
	EXPECT_STREQ("<ENFILE>", text_of(in(self->b.mnt, "file")));
	fuse_bpf_filter_free(last);
	fuse_bpf_filter_free(pinned);
	EXPECT_STREQ("<ENFILE>", text_of(in(self->b.mnt, "file")));
	ASSERT_EQ(0, unlink(pin));
	EXPECT_STREQ("<EIO>", text_of(in(self->b.mnt, "file")));
}

/* A program that the verifier refuses, with the reason; the old filter stays. */
TEST_F(filter, that_does_not_load)
{
	struct fuse_bpf_filter *good = fuse_bpf_filter_open(self->path);
	struct fuse_bpf_filter *bad = fuse_bpf_filter_open("build/bpf/fail/write_ctx.bpf.o");

	ASSERT_NE(NULL, good);
	ASSERT_NE(NULL, bad);
	EXPECT_GT(0, fuse_bpf_filter_load(bad));
	EXPECT_NE(NULL, strstr(said, "cannot load"));
	EXPECT_GT(0, fuse_bpf_filter_attach(bad, self->root, NULL, NULL));
	EXPECT_EQ(0, fuse_bpf_list(self->root, NULL, 0));
	ASSERT_EQ(0, fuse_bpf_filter_attach(good, self->root, NULL, NULL));
	EXPECT_GT(0, fuse_bpf_filter_replace(good, bad));
	EXPECT_STREQ("text", text_of(in(self->b.mnt, "file")));
	fuse_bpf_filter_free(bad);
	fuse_bpf_filter_free(good);
}

static int load_unprivileged(void *arg)
{
	struct fuse_bpf_filter *filter = fuse_bpf_filter_open(arg);
	int err = filter ? fuse_bpf_filter_load(filter) : -errno;

	fuse_bpf_filter_free(filter);
	return err;
}

TEST_F(filter, without_privileges)
{
	EXPECT_EQ(-EPERM, as_user(USER1, USER1, load_unprivileged, self->path));
}

FIXTURE(listing)
{
	struct backed b;
	char control[64];
};

FIXTURE_SETUP(listing)
{
	struct backed *b = &self->b;

	fuse_bpf_set_log(NULL, NULL);
	ASSERT_EQ(0, backed_make(b, "tmpfs"));
	b->server = raw_server_new();
	ASSERT_NE(NULL, b->server);
	b->server->init_out.flags = FUSE_INIT_EXT;
	b->server->init_out.flags2 = FUSE_PASSTHROUGH >> 32;
	b->server->init_out.max_stack_depth = 1;
	ASSERT_EQ(0, backed_mount(b, BACKED_DAEMON | BACKED_ALLOW_OTHER));
	ASSERT_EQ(0, make_dir(in(b->back, "a dir\\x"), 0755));
	ASSERT_EQ(0, make_file(in(b->back, "file"), "text", 0644));
	ASSERT_EQ(0, control_mount(b, self->control, sizeof(self->control)));
}

FIXTURE_TEARDOWN(listing)
{
	EXPECT_EQ(0, backed_destroy(&self->b));
}

struct found {
	int nr;
	int ids[4];
	char paths[4][64];
	int stop_at;
};

static int add_backing(const struct fuse_bpf_backing_info *info, void *arg)
{
	struct found *found = arg;

	if (info->sz != sizeof(*info) || found->nr >= 4)
		return -EXDEV;
	found->ids[found->nr] = info->id;
	snprintf(found->paths[found->nr], 64, "%s", info->path);
	found->nr++;
	return found->nr == found->stop_at ? 77 : 0;
}

TEST_F(listing, backings)
{
	struct backed *b = &self->b;
	int fds[2] = { open_dir(b->mnt, 0), b->dev };
	int dir = open_dir(in(b->back, "a dir\\x"), O_PATH);
	int id = fuse_bpf_backing_open(b->dev, dir, NULL);
	struct found found;
	int i;

	ASSERT_LT(0, id);
	for (i = 0; i < 2; i++) {
		found = (struct found) { };
		EXPECT_EQ(0, fuse_bpf_for_each_backing(fds[i], add_backing, &found));
		EXPECT_EQ(2, found.nr);
		EXPECT_EQ(0, found.ids[0]);
		EXPECT_STREQ(b->back, found.paths[0]);
		EXPECT_EQ(id, found.ids[1]);
		EXPECT_STREQ(in(b->back, "a dir\\x"), found.paths[1]);
		found = (struct found) { .stop_at = 1 };
		EXPECT_EQ(77, fuse_bpf_for_each_backing(fds[i], add_backing, &found));
		EXPECT_EQ(1, found.nr);
	}
	EXPECT_EQ(0, fuse_bpf_backing_close(b->dev, id));
	EXPECT_EQ(-ENOENT, fuse_bpf_backing_close(b->dev, id));
	found = (struct found) { };
	EXPECT_EQ(0, fuse_bpf_for_each_backing(fds[1], add_backing, &found));
	EXPECT_EQ(1, found.nr);
	close(dir);
	close(fds[0]);
}

static __u64 refused(int fd)
{
	struct fuse_bpf_refusal all[64];
	int nr = fuse_bpf_refusals(fd, all, 64), i;
	__u64 sum = 0;

	if (nr <= 0 || nr > 64)
		return -1;
	for (i = 0; i < nr; i++) {
		if (!all[i].name[0])
			return -1;
		sum += all[i].count;
	}
	return sum;
}

TEST_F(listing, refusals)
{
	struct backed *b = &self->b;
	struct fuse_bpf_refusal one[2] = { };
	int root = open_dir(b->mnt, 0);

	EXPECT_EQ(0, refused(root));
	EXPECT_EQ(fuse_bpf_refusals(root, NULL, 0), fuse_bpf_refusals(b->dev, one, 1));
	EXPECT_NE('\0', one[0].name[0]);
	EXPECT_EQ('\0', one[1].name[0]);
	ASSERT_EQ(0, make_file(in(self->control, "max_backing_files"), "1", 0));
	EXPECT_STREQ("<ENFILE>", text_of(in(b->mnt, "file")));
	EXPECT_EQ(1, refused(root));
	EXPECT_EQ(1, refused(b->dev));
	close(root);
}

static int list_unprivileged(void *arg)
{
	struct found found = { };
	int root = open_dir(arg, 0);

	return fuse_bpf_for_each_backing(root, add_backing, &found);
}

TEST_F(listing, for_the_owner_only)
{
	EXPECT_EQ(-EACCES, as_user(USER1, USER1, list_unprivileged, self->b.mnt));
}

TEST_HARNESS_MAIN
