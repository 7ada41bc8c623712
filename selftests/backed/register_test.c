// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registration of backings by id: what can be registered, by whom, on which mounts,
 * and that an id is as safe in an OPEN reply as one of FUSE_DEV_IOC_BACKING_OPEN.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "entry_fixture.h"
#include "harness.h"
#include "idmap.h"

FIXTURE(reg)
{
	struct backed b;
};

FIXTURE_SETUP(reg)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, entry_make(b));
	ASSERT_EQ(0, make_file(in(b->back, "file"), "text of the backing", 0644));
	ASSERT_EQ(0, make_dir(in(b->back, "dir"), 0755));
	ASSERT_EQ(0, symlink("file", in(b->back, "link")));
	ASSERT_EQ(0, mkfifo(in(b->back, "fifo"), 0644));
	ASSERT_EQ(0, entry_mount(b));
}

FIXTURE_TEARDOWN(reg)
{
	EXPECT_EQ(0, backed_destroy(&self->b));
}

TEST_F(reg, is_a_feature)
{
	struct fuse_bpf_query query;

	ASSERT_EQ(0, RES(ioctl(self->b.dev, FUSE_IOC_QUERY, &query)));
	EXPECT_TRUE(query.features & FUSE_BPF_BACKING_IDS);
}

TEST_F(reg, whatever_has_a_path)
{
	static const char *const names[] = { "file", "dir", "link", "fifo" };
	struct backed *b = &self->b;
	size_t i;
	int id;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		id = register_path(b->dev, in(b->back, "%s", names[i]), 0);
		EXPECT_LT(0, id) TH_LOG("%s", names[i]);
		EXPECT_EQ(0, close_id(b->dev, id));
	}
	EXPECT_LT(0, register_path(b->dev, "/dev/null", 0));
}

TEST_F(reg, read_only_and_write_only_descriptors)
{
	struct backed *b = &self->b;
	int rd = open(in(b->back, "file"), O_RDONLY | O_CLOEXEC);
	int wr = open(in(b->back, "file"), O_WRONLY | O_CLOEXEC);

	EXPECT_LT(0, register_fd(b->dev, rd, 0));
	EXPECT_LT(0, register_fd(b->dev, wr, 0));
	close(rd);
	close(wr);
}

TEST_F(reg, files_without_a_path)
{
	struct backed *b = &self->b;
	int unlinked = open(b->back, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	int mem = memfd_create("memory", MFD_CLOEXEC);
	int pair[2], fds[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	EXPECT_LT(0, register_fd(b->dev, unlinked, 0));
	EXPECT_LT(0, register_fd(b->dev, mem, 0));
	EXPECT_EQ(-EINVAL, register_fd(b->dev, pair[0], 0));
	EXPECT_EQ(-EINVAL, register_fd(b->dev, fds[0], 0));
	close(unlinked);
	close(mem);
	close(pair[0]);
	close(pair[1]);
	close(fds[0]);
	close(fds[1]);
}

TEST_F(reg, bad_descriptors)
{
	struct backed *b = &self->b;
	int fd = open(in(b->back, "file"), O_RDONLY | O_CLOEXEC);

	ASSERT_LE(0, fd);
	close(fd);
	EXPECT_EQ(-EBADF, register_fd(b->dev, fd, 0));
	EXPECT_EQ(-EBADF, register_fd(b->dev, -1, 0));
	EXPECT_EQ(-EBADF, register_fd(b->dev, AT_FDCWD, 0));
	EXPECT_EQ(-EBADF, register_fd(b->dev, 0x7fffffff, 0));
}

/* There is too much magic in them to have anything on top. */
TEST_F(reg, procfs)
{
	EXPECT_EQ(-ELOOP, register_path(self->b.dev, "/proc/self/exe", 0));
	EXPECT_EQ(-ELOOP, register_path(self->b.dev, "/proc/self/status", 0));
	EXPECT_EQ(-ELOOP, register_path(self->b.dev, "/proc", 0));
}

TEST_F(reg, itself)
{
	struct backed *b = &self->b;

	EXPECT_EQ(-ELOOP, register_path(b->dev, b->mnt, 0));
}

TEST_F(reg, another_backed_mount)
{
	struct backed *b = &self->b;
	int back = open_dir(b->back, O_PATH);
	const char *at = in(b->top, "other");

	ASSERT_EQ(0, make_dir(at, 0755));
	ASSERT_EQ(0, try_mount(TRY_MOUNT(.backing = back, .daemonless = true, .at = at)));
	close(back);
	EXPECT_EQ(-ELOOP, register_path(b->dev, in(at, "dir"), 0));
	EXPECT_EQ(-ELOOP, register_path(b->dev, in(at, "file"), 0));
	EXPECT_EQ(0, umount(at));
}

static int overlay(const struct backed *b, const char *at)
{
	return sh("mkdir %s/upper %s/work %s && mount -t overlay overlay -o "
		  "lowerdir=%s,upperdir=%s/upper,workdir=%s/work %s", b->top, b->top, at, b->back,
		  b->top, b->top, at);
}

TEST_F(reg, deeper_than_declared)
{
	struct backed *b = &self->b;
	char at[64];

	strcpy(at, in(b->top, "overlay"));
	ASSERT_EQ(0, overlay(b, at));
	EXPECT_EQ(-ELOOP, register_path(b->dev, at, 0));
	EXPECT_EQ(-ELOOP, register_path(b->dev, in(at, "file"), 0));
	EXPECT_EQ(0, umount(at));
}

/* Over us there is room for one more, on a mount that has declared to be stacked. */
TEST_F(reg, overlay_on_top)
{
	const struct fuse_statfs_out statfs = { .st = { .namelen = 255 } };
	struct backed *b = &self->b;
	char at[64];

	raw_reply_add(b->server, FUSE_STATFS, 0, NULL, &statfs, sizeof(statfs));
	strcpy(at, in(b->top, "overlay"));
	ASSERT_EQ(0, sh("mkdir %s/upper %s/work %s", b->top, b->top, at));
	EXPECT_EQ(0, sh("mount -t overlay overlay -o lowerdir=%s,upperdir=%s/upper,"
			"workdir=%s/work %s && umount %s", b->mnt, b->top, b->top, at, at));
}

struct fds {
	int dev;
	int fd;
};

static int try_register(void *arg)
{
	const struct fds *fds = arg;
	int id = register_fd(fds->dev, fds->fd, 0);

	return id < 0 ? id : 0;
}

static int try_register_in_userns(void *arg)
{
	return unshare(CLONE_NEWUSER) ? -errno : try_register(arg);
}

static int try_close(void *arg)
{
	const struct fds *fds = arg;

	return close_id(fds->dev, 1);
}

TEST_F(reg, needs_privilege)
{
	const int fd = open(in(self->b.back, "file"), O_RDONLY | O_CLOEXEC);
	const struct fds fds = { self->b.dev, fd };

	EXPECT_EQ(-EPERM, as_user(USER1, USER1, try_register, &fds));
	EXPECT_EQ(-EPERM, as_user(USER1, USER1, try_register_in_userns, &fds));
	ASSERT_LT(0, register_fd(fds.dev, fds.fd, 0));
	EXPECT_EQ(-EPERM, as_user(USER1, USER1, try_close, &fds));
	close(fd);
}

TEST_F(reg, arguments)
{
	struct backed *b = &self->b;
	int fd = open(in(b->back, "file"), O_RDONLY | O_CLOEXEC);
	struct fuse_backing_open flags = { .fd = fd, .flags = 1 };
	struct fuse_backing_open reserved = { .fd = fd, .reserved = 1 };
	struct fuse_backing_close closing = { .id = 1, .flags = 1 };

	EXPECT_EQ(-EINVAL, RES(ioctl(b->dev, FUSE_IOC_BACKING_OPEN, &flags)));
	EXPECT_EQ(-EINVAL, RES(ioctl(b->dev, FUSE_IOC_BACKING_OPEN, &reserved)));
	EXPECT_EQ(-EFAULT, RES(ioctl(b->dev, FUSE_IOC_BACKING_OPEN, bad_address())));
	EXPECT_EQ(-EFAULT, RES(ioctl(b->dev, FUSE_IOC_BACKING_CLOSE, bad_address())));
	EXPECT_EQ(-EINVAL, RES(ioctl(b->dev, FUSE_IOC_BACKING_CLOSE, &closing)));
	EXPECT_EQ(-ENOENT, close_id(b->dev, 0));
	EXPECT_EQ(-ENOENT, close_id(b->dev, 1));
	EXPECT_EQ(-ENOENT, close_id(b->dev, 0x80000000));
	EXPECT_EQ(-ENOENT, close_id(b->dev, ~0));
	close(fd);
}

TEST_F(reg, sets_of_opcodes)
{
	const __u64 file = FUSE_BACKING_FILE_OPS, names = FUSE_BACKING_NAME_OPS;
	struct fuse_backing_open high = { .ops = { 0, 1 } };
	struct backed *b = &self->b;
	struct fuse_bpf_query query;
	const char *path = in(b->back, "file");
	__u64 all;

	ASSERT_EQ(0, RES(ioctl(b->dev, FUSE_IOC_QUERY, &query)));
	all = query.backed_ops[0];
	EXPECT_LT(0, register_path(b->dev, path, all));
	EXPECT_LT(0, register_path(b->dev, path, all & ~file));
	EXPECT_LT(0, register_path(b->dev, path, all & ~names));
	EXPECT_LT(0, register_path(b->dev, path, all & ~names & ~file));
	EXPECT_EQ(-EINVAL, register_path(b->dev, path, file));
	EXPECT_EQ(-EINVAL, register_path(b->dev, path, all & ~(1ULL << FUSE_READ)));
	EXPECT_EQ(-EINVAL, register_path(b->dev, path, all & ~(1ULL << FUSE_OPEN)));
	EXPECT_EQ(-EINVAL, register_path(b->dev, path, all & ~(1ULL << FUSE_READDIR)));
	EXPECT_EQ(-EINVAL, register_path(b->dev, path, all & ~(1ULL << FUSE_GETATTR)));
	EXPECT_EQ(-EINVAL, register_path(b->dev, path, all & ~(1ULL << FUSE_GETXATTR)));
	EXPECT_EQ(-EINVAL, register_path(b->dev, path, all | 1ULL << FUSE_INIT));
	EXPECT_EQ(-EINVAL, register_path(b->dev, path, all | 1ULL << 63));
	EXPECT_EQ(-EINVAL, RES(ioctl(b->dev, FUSE_IOC_BACKING_OPEN, &high)));
}

/* An id that its owner never learns must not stay. */
TEST_F(reg, answer_cannot_be_written)
{
	struct backed *b = &self->b;
	struct fuse_backing_open *arg = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, arg);
	arg->fd = open(in(b->back, "file"), O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(0, mprotect(arg, 4096, PROT_READ));
	EXPECT_EQ(-EFAULT, RES(ioctl(b->dev, FUSE_IOC_BACKING_OPEN, arg)));
	close(arg->fd);
	munmap(arg, 4096);
	ASSERT_EQ(0, umount(b->back));
	ASSERT_EQ(0, mount("again", b->back, "tmpfs", 0, NULL));
}

TEST_F(reg, an_id_holds_the_backing)
{
	struct backed *b = &self->b;
	int id = register_path(b->dev, in(b->back, "dir"), 0);

	ASSERT_LT(0, id);
	EXPECT_EQ(-EBUSY, RES(umount(b->back)));
	EXPECT_EQ(0, close_id(b->dev, id));
	EXPECT_EQ(-ENOENT, close_id(b->dev, id));
	ASSERT_EQ(0, umount(b->back));
	ASSERT_EQ(0, mount("again", b->back, "tmpfs", 0, NULL));
}

static int mainline_open(int dev, const char *path)
{
	struct fuse_backing_map map = { .fd = open(path, O_RDWR | O_CLOEXEC) };
	int id = RES(ioctl(dev, FUSE_DEV_IOC_BACKING_OPEN, &map));

	close(map.fd);
	return id;
}

static int mainline_close(int dev, __u32 id)
{
	return RES(ioctl(dev, FUSE_DEV_IOC_BACKING_CLOSE, &id));
}

TEST_F(reg, one_space_of_ids)
{
	struct backed *b = &self->b;
	const char *path = in(b->back, "file");
	int ours = register_path(b->dev, path, 0);
	int theirs = mainline_open(b->dev, path);

	ASSERT_LT(0, ours);
	ASSERT_LT(0, theirs);
	EXPECT_NE(ours, theirs);
	EXPECT_EQ(0, mainline_close(b->dev, ours));
	EXPECT_EQ(0, close_id(b->dev, theirs));
	EXPECT_EQ(-ENOENT, mainline_close(b->dev, ours));
	EXPECT_EQ(-ENOENT, close_id(b->dev, theirs));
}

/* Device of a mount that is gone, with ids that are open */
TEST_F(reg, last_umount_closes_ids)
{
	struct backed *b = &self->b;

	ASSERT_LT(0, register_path(b->dev, in(b->back, "dir"), 0));
	ASSERT_LT(0, register_path(b->dev, in(b->back, "file"), 0));
	ASSERT_EQ(0, umount(b->mnt));
	b->mounted = false;
	EXPECT_EQ(-ENODEV, register_path(b->dev, in(b->back, "file"), 0));
	EXPECT_EQ(0, umount(b->back));
	ASSERT_EQ(0, mount("again", b->back, "tmpfs", 0, NULL));
}

TEST_F(reg, device_without_a_mount)
{
	int dev = open(device_path(), O_RDWR | O_CLOEXEC);

	EXPECT_EQ(-ENODEV, register_path(dev, in(self->b.back, "file"), 0));
	EXPECT_EQ(-ENODEV, close_id(dev, 1));
	close(dev);
}

/* A child with a mount in a user namespace of its own, which says what @dev it has */
static void __attribute__((noreturn)) mount_in_userns(struct backed *b, int ns, int say_to)
{
	int dev = -1, err;

	err = setns(ns, CLONE_NEWUSER) || unshare(CLONE_NEWNS) ? -errno : 0;
	if (!err)
		dev = RES(open(device_path(), O_RDWR | O_CLOEXEC));
	if (!err && dev < 0)
		err = dev;
	if (!err)
		err = try_mount(TRY_MOUNT(.dev = dev, .at = b->mnt));
	if (!err)
		err = raw_server_start(b->server, dev);
	if (!err)
		err = dev;
	if (write(say_to, &err, sizeof(err)) == sizeof(err))
		pause();
	_exit(1);
}

/* Whoever has made the mount decides what is in it, and may not know the backing. */
TEST_F(reg, mount_of_a_user_namespace)
{
	struct backed *b = &self->b;
	int ns = userns_with_map(0, 0, 1);
	struct backed inner = *b;
	int told[2], theirs, dev;
	pid_t pid;

	ASSERT_LE(0, ns);
	ASSERT_EQ(0, pipe2(told, O_CLOEXEC));
	inner.server = raw_server_new();
	ASSERT_NE(NULL, inner.server);
	inner.server->init_out = b->server->init_out;
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		mount_in_userns(&inner, ns, told[1]);
	ASSERT_EQ(sizeof(theirs), read(told[0], &theirs, sizeof(theirs)));
	EXPECT_LE(0, theirs);
	dev = syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, pid, 0), theirs, 0);
	EXPECT_LE(0, dev);
	EXPECT_EQ(-EPERM, register_path(dev, in(b->back, "file"), 0));
	close(dev);
	kill(pid, SIGKILL);
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
	/* Its server ends with it, or with the mount */
	raw_server_free(inner.server);
	close(ns);
}

static void serve_passthrough(struct raw_server *server, const char *name, __u64 nodeid, int id)
{
	const struct fuse_open_out open = {
		.open_flags = FOPEN_PASSTHROUGH,
		.backing_id = id,
	};

	raw_serve_file(server, FUSE_ROOT_ID, name, nodeid, "text of the daemon");
	server->replies[server->nr - 4] = (struct raw_reply){
		.opcode = FUSE_OPEN, .nodeid = nodeid, .len = sizeof(open),
	};
	memcpy(server->replies[server->nr - 4].data, &open, sizeof(open));
}

TEST_F(reg, in_an_open_reply)
{
	struct backed *b = &self->b;
	const char *const bad[] = { "dir", "link", "fifo" };
	size_t i;

	serve_passthrough(b->server, "good", 10, register_path(b->dev, in(b->back, "file"), 0));
	EXPECT_STREQ("text of the backing", text_of(in(b->mnt, "good")));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		serve_passthrough(b->server, bad[i], 11 + i,
				  register_path(b->dev, in(b->back, "%s", bad[i]), 0));
		EXPECT_STREQ("<EIO>", text_of(in(b->mnt, "%s", bad[i])));
	}
	EXPECT_EQ(0, asked(b, FUSE_READ));
	EXPECT_EQ(4, asked(b, FUSE_OPEN));
	EXPECT_EQ(4, asked(b, FUSE_RELEASE));
}

struct storm {
	struct backed *b;
	bool stop;
	int worst;
};

static void *register_and_close(void *arg)
{
	struct storm *storm = arg;
	const char *path = storm->b->back;
	int id;

	while (!__atomic_load_n(&storm->stop, __ATOMIC_RELAXED)) {
		id = register_path(storm->b->dev, path, 0);
		if (id > 0)
			id = close_id(storm->b->dev, id);
		/* Another thread may guess and close the id; the mount may go away */
		if (id < 0 && id != -ENODEV && id != -ENOENT)
			storm->worst = id;
	}
	return NULL;
}

static void *close_any(void *arg)
{
	struct storm *storm = arg;
	__u32 id = 1;

	while (!__atomic_load_n(&storm->stop, __ATOMIC_RELAXED))
		close_id(storm->b->dev, id++ % 64 + 1);
	return NULL;
}

TEST_F(reg, while_unmounting)
{
	struct storm storm = { .b = &self->b };
	pthread_t threads[3];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(threads); i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL,
					    i ? register_and_close : close_any, &storm));
	usleep(scale(200000));
	EXPECT_EQ(0, umount(self->b.mnt));
	self->b.mounted = false;
	usleep(10000);
	storm.stop = true;
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(0, storm.worst);
	EXPECT_EQ(0, umount(self->b.back));
	ASSERT_EQ(0, mount("again", self->b.back, "tmpfs", 0, NULL));
}

FIXTURE(declared)
{
	struct backed b;
};

FIXTURE_VARIANT(declared)
{
	__u64 flags;
	__u32 depth;
	int on_disk;
	int on_overlay;
	bool root;
};

FIXTURE_VARIANT_ADD(declared, nothing) { .on_disk = -EPERM, .on_overlay = -EPERM };
FIXTURE_VARIANT_ADD(declared, no_depth) {
	.flags = FUSE_INIT_EXT | FUSE_PASSTHROUGH, .on_disk = -EPERM, .on_overlay = -EPERM,
};
FIXTURE_VARIANT_ADD(declared, depth_1) {
	.flags = FUSE_INIT_EXT | FUSE_PASSTHROUGH, .depth = 1, .on_overlay = -ELOOP,
};
FIXTURE_VARIANT_ADD(declared, depth_2) {
	.flags = FUSE_INIT_EXT | FUSE_PASSTHROUGH, .depth = 2,
};
FIXTURE_VARIANT_ADD(declared, depth_3) {
	.flags = FUSE_INIT_EXT | FUSE_PASSTHROUGH, .depth = 3, .on_disk = -EPERM,
	.on_overlay = -EPERM,
};
FIXTURE_VARIANT_ADD(declared, writeback_cache) {
	.flags = FUSE_INIT_EXT | FUSE_PASSTHROUGH | FUSE_WRITEBACK_CACHE, .depth = 1,
	.on_disk = -EOPNOTSUPP, .on_overlay = -EOPNOTSUPP,
};
FIXTURE_VARIANT_ADD(declared, backed_root) { .root = true, .on_overlay = -ELOOP };
FIXTURE_VARIANT_ADD(declared, backed_root_writeback_cache) {
	.root = true, .flags = FUSE_WRITEBACK_CACHE, .on_disk = -EOPNOTSUPP,
	.on_overlay = -EOPNOTSUPP,
};

FIXTURE_SETUP(declared)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, entry_make(b));
	b->server->init_out.flags = variant->flags;
	b->server->init_out.flags2 = variant->flags >> 32;
	b->server->init_out.max_stack_depth = variant->depth;
	ASSERT_EQ(0, make_file(in(b->back, "file"), "text", 0644));
	ASSERT_EQ(0, variant->root ? backed_mount(b, BACKED_DAEMON) : entry_mount(b));
}

FIXTURE_TEARDOWN(declared)
{
	EXPECT_EQ(0, backed_destroy(&self->b));
}

TEST_F(declared, decides)
{
	struct backed *b = &self->b;
	char at[64];
	int res;

	strcpy(at, in(b->top, "overlay"));
	ASSERT_EQ(0, overlay(b, at));
	res = register_path(b->dev, b->back, 0);
	EXPECT_EQ(variant->on_disk, res < 0 ? res : 0);
	res = register_path(b->dev, in(at, "file"), 0);
	EXPECT_EQ(variant->on_overlay, res < 0 ? res : 0);
	if (b->mounted)
		EXPECT_EQ(0, umount(b->mnt));
	b->mounted = false;
	EXPECT_EQ(0, umount(at));
}

TEST_HARNESS_MAIN
