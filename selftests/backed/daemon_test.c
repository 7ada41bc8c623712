// SPDX-License-Identifier: GPL-2.0-only
/*
 * A backed mount with a daemon: the daemon hears of nothing that the kernel serves,
 * whatever it said of itself at INIT, and is not missed when it is gone.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "backed_fixture.h"
#include "harness.h"
#include "idmap.h"

FIXTURE(daemon)
{
	struct backed b;
};

FIXTURE_VARIANT(daemon)
{
	__u64 init_flags;
	__u32 stack_depth;
};

FIXTURE_VARIANT_ADD(daemon, simple) { };

/* All that a server can say that would have the kernel ask it more, or otherwise */
FIXTURE_VARIANT_ADD(daemon, able) {
	.init_flags = FUSE_ASYNC_READ | FUSE_POSIX_LOCKS | FUSE_ATOMIC_O_TRUNC |
		      FUSE_EXPORT_SUPPORT | FUSE_BIG_WRITES | FUSE_DONT_MASK |
		      FUSE_SPLICE_READ | FUSE_FLOCK_LOCKS | FUSE_HAS_IOCTL_DIR |
		      FUSE_AUTO_INVAL_DATA | FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO |
		      FUSE_ASYNC_DIO | FUSE_WRITEBACK_CACHE | FUSE_PARALLEL_DIROPS |
		      FUSE_HANDLE_KILLPRIV | FUSE_POSIX_ACL | FUSE_CACHE_SYMLINKS |
		      FUSE_EXPLICIT_INVAL_DATA,
};

FIXTURE_VARIANT_ADD(daemon, passthrough) {
	.init_flags = FUSE_INIT_EXT | FUSE_PASSTHROUGH,
	.stack_depth = 1,
};

FIXTURE_SETUP(daemon)
{
	struct backed *b = &self->b;
	int i;

	ASSERT_EQ(0, backed_make(b, "tmpfs"));
	b->server = raw_server_new();
	ASSERT_NE(NULL, b->server);
	b->server->init_out.flags = variant->init_flags;
	b->server->init_out.flags2 = variant->init_flags >> 32;
	b->server->init_out.max_stack_depth = variant->stack_depth;
	ASSERT_EQ(0, backed_mount(b, BACKED_DAEMON | BACKED_ALLOW_OTHER));
	ASSERT_EQ(0, make_dir(in(b->back, "dir"), 0755));
	ASSERT_EQ(0, symlink("dir/file0", in(b->back, "link")));
	for (i = 0; i < 20; i++)
		ASSERT_EQ(0, make_big_file(in(b->back, "dir/file%d", i), 10000 + i, i));
}

FIXTURE_TEARDOWN(daemon)
{
	EXPECT_EQ(0, backed_destroy(&self->b));
}

/* The server has had time to be asked: what is asked, is asked while we wait. */
#define NOT_ASKED(what)								\
	EXPECT_EQ(0, raw_server_total(self->b.server)) TH_LOG("after %s", what)

static void read_everything(const char *mnt)
{
	char buf[64];
	int fd = open(in(mnt, "dir/file3"), O_RDONLY | O_CLOEXEC);
	char *map = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);

	(void)!pread(fd, buf, sizeof(buf), 4000);
	lseek(fd, 0, SEEK_DATA);
	posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED);
	readahead(fd, 0, 8192);
	madvise(map, 8192, MADV_WILLNEED);
	*(volatile char *)map;
	sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	munmap(map, 8192);
	close(fd);
	usleep(10000);
}

static void list_everything(const char *mnt)
{
	DIR *d = opendir(in(mnt, "dir"));
	struct dirent *entry;

	while ((entry = readdir(d)))
		ino_of(in(mnt, "dir/%s", entry->d_name));
	rewinddir(d);
	readdir(d);
	closedir(d);
}

static void write_one(const char *path, int flags)
{
	int fd = open(path, flags | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		return;
	(void)!write(fd, "x", 1);
	(void)!fallocate(fd, 0, 0, 4096);
	(void)!ftruncate(fd, 1);
	close(fd);
}

static void change_everything(const char *mnt)
{
	const char *file = in(mnt, "dir/file0");

	write_one(in(mnt, "new"), O_CREAT);
	write_one(file, O_TRUNC);
	write_one(mnt, O_TMPFILE);
	(void)!mkdir(in(mnt, "new"), 0700);
	(void)!mknod(in(mnt, "new"), S_IFIFO | 0600, 0);
	(void)!symlink("x", in(mnt, "new"));
	(void)!link(file, in(mnt, "new"));
	(void)!unlink(file);
	(void)!rmdir(in(mnt, "dir"));
	(void)!rename(file, in(mnt, "new"));
	(void)!renameat2(AT_FDCWD, file, AT_FDCWD, in(mnt, "dir/file1"), RENAME_EXCHANGE);
	(void)!chmod(file, 0600);
	(void)!chown(file, 1, 1);
	(void)!truncate(file, 0);
	(void)!utimensat(AT_FDCWD, file, NULL, 0);
	(void)!setxattr(file, "user.x", "x", 1, 0);
	(void)!removexattr(file, "user.x");
}

static void ask_everything(const char *mnt)
{
	int fd = open(in(mnt, "dir/file0"), O_RDONLY | O_CLOEXEC);
	int dir = open(in(mnt, "dir"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct flock lock = { .l_type = F_RDLCK };
	struct statfs sfs;
	char buf[64];
	int arg = 0;

	statfs(mnt, &sfs);
	getxattr(in(mnt, "dir"), "user.x", buf, sizeof(buf));
	getxattr(in(mnt, "dir"), "system.posix_acl_default", buf, sizeof(buf));
	listxattr(in(mnt, "dir"), buf, sizeof(buf));
	flock(fd, LOCK_SH);
	flock(dir, LOCK_SH);
	fcntl(fd, F_SETLK, &lock);
	fcntl(fd, F_OFD_SETLK, &lock);
	fcntl(dir, F_SETLK, &lock);
	ioctl(fd, FS_IOC_GETFLAGS, &arg);
	ioctl(dir, FS_IOC_GETFLAGS, &arg);
	ioctl(fd, 0x1234, &arg);
	ioctl(dir, 0x1234, &arg);
	fsync(fd);
	fdatasync(fd);
	fsync(dir);
	syncfs(fd);
	close(fd);
	close(dir);
}

TEST_F(daemon, hears_of_nothing)
{
	struct backed *b = &self->b;

	EXPECT_EQ(1, b->server->counts[FUSE_INIT]);
	EXPECT_EQ(0, diff_tree(b->back, b->mnt));
	NOT_ASKED("stat, read, readdir, readlink");
	list_everything(b->mnt);
	NOT_ASKED("listing");
	read_everything(b->mnt);
	NOT_ASKED("reading");
	change_everything(b->mnt);
	NOT_ASKED("changes");
	ask_everything(b->mnt);
	NOT_ASKED("locks, attributes, ioctl, sync");
	sh("[ -x %s/dir ] && cd %s/dir && pwd -P >/dev/null && ls -lR %s >/dev/null", b->mnt,
	   b->mnt, b->mnt);
	NOT_ASKED("a shell");
	ASSERT_EQ(0, sh("echo 3 >/proc/sys/vm/drop_caches"));
	EXPECT_EQ(0, diff_tree(b->back, b->mnt));
	ASSERT_EQ(0, unlink(in(b->back, "dir/file1")));
	EXPECT_EQ(0, diff_tree(b->back, b->mnt));
	NOT_ASKED("the end of inodes");
	ASSERT_EQ(0, umount(b->mnt));
	b->mounted = false;
	usleep(50000);
	NOT_ASKED("unmounting");
	EXPECT_EQ(0, b->server->kernel_nodes);
}

union handle {
	struct file_handle handle;
	char bytes[sizeof(struct file_handle) + MAX_HANDLE_SZ];
};

/* There are no file handles; one made up must not reach the server either. */
TEST_F(daemon, file_handles)
{
	union handle h = { .handle.handle_bytes = MAX_HANDLE_SZ };
	__u32 *fh = (__u32 *)h.handle.f_handle;
	struct backed *b = &self->b;
	int mnt_id, dir;

	dir = open_dir(b->mnt, 0);
	ASSERT_LE(0, dir);
	EXPECT_EQ(-EOPNOTSUPP, RES(name_to_handle_at(dir, "link", &h.handle, &mnt_id, 0)));
	h.handle.handle_type = 0x81;
	h.handle.handle_bytes = 12;
	fh[0] = FUSE_NODEID_KERNEL >> 32;
	fh[1] = ino_of(in(b->back, "link"));
	fh[2] = 0;
	EXPECT_EQ(-ESTALE, RES(open_by_handle_at(dir, &h.handle, O_PATH)));
	close(dir);
	NOT_ASKED("open_by_handle_at");
	EXPECT_EQ(0, b->server->kernel_nodes);
}

static int notify(int dev, int code, const void *arg, size_t len, const char *name)
{
	char buf[256];
	struct fuse_out_header head = { sizeof(head) + len, code, 0 };
	size_t name_len = name ? strlen(name) + 1 : 0;

	head.len += name_len;
	memcpy(buf, &head, sizeof(head));
	memcpy(buf + sizeof(head), arg, len);
	if (name)
		memcpy(buf + sizeof(head) + len, name, name_len);
	return write(dev, buf, head.len) < 0 ? -errno : 0;
}

/* The daemon has no say over what the kernel made. */
TEST_F(daemon, notifications)
{
	struct backed *b = &self->b;
	const __u64 node = FUSE_NODEID_KERNEL | ino_of(in(b->back, "dir"));
	struct fuse_notify_delete_out del = { .parent = 1, .child = node, .namelen = 3 };
	struct fuse_notify_inval_entry_out entry = { .parent = 1, .namelen = 3 };
	struct fuse_notify_inval_inode_out inode = { .ino = node };

	EXPECT_EQ(0, diff_tree(b->back, b->mnt));
	EXPECT_EQ(-ENOENT, notify(b->dev, FUSE_NOTIFY_INVAL_INODE, &inode, sizeof(inode), NULL));
	notify(b->dev, FUSE_NOTIFY_INVAL_ENTRY, &entry, sizeof(entry), "dir");
	EXPECT_EQ(0, diff_tree(b->back, b->mnt));
	notify(b->dev, FUSE_NOTIFY_DELETE, &del, sizeof(del), "dir");
	EXPECT_EQ(0, diff_tree(b->back, b->mnt));
	entry.parent = node;
	entry.namelen = 5;
	notify(b->dev, FUSE_NOTIFY_INVAL_ENTRY, &entry, sizeof(entry), "file1");
	EXPECT_EQ(0, diff_tree(b->back, b->mnt));
	NOT_ASKED("notifications");
}

static void abandon(struct backed *b)
{
	raw_server_kill(b->server);
	close(b->dev);
	b->dev = -1;
}

TEST_F(daemon, killed)
{
	struct backed *b = &self->b;
	struct op_counts counts;
	int fd, dir;

	fd = open(in(b->mnt, "dir/file1"), O_RDONLY);
	ASSERT_LE(0, fd);
	abandon(b);
	EXPECT_EQ(0, diff_tree(b->back, b->mnt));
	ASSERT_EQ(0, make_file(in(b->back, "after"), "the end", 0644));
	EXPECT_STREQ("the end", text_of(in(b->mnt, "after")));
	EXPECT_EQ(0, RES(lseek(fd, 0, SEEK_CUR)));
	EXPECT_LT(0, read(fd, &counts, 100));
	close(fd);
	dir = open_dir(b->mnt, 0);
	ASSERT_LE(0, dir);
	EXPECT_EQ(0, counts_read(dir, &counts));
	close(dir);
}

static int abort_connection(const char *mnt)
{
	const char *fs = strcmp(fs_type(), "fuse") ? "fuse_bpf" : "fuse";
	struct stat st;

	if (stat(mnt, &st))
		return -errno;
	return sh("echo 1 >/sys/fs/%s/connections/%u/abort", fs, minor(st.st_dev));
}

TEST_F(daemon, aborted)
{
	struct backed *b = &self->b;

	EXPECT_EQ(0, abort_connection(b->mnt));
	EXPECT_EQ(0, diff_tree(b->back, b->mnt));
}

TEST_F(daemon, forced_umount)
{
	struct backed *b = &self->b;
	int fd = open(in(b->mnt, "dir/file1"), O_RDONLY);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EBUSY, RES(umount2(b->mnt, MNT_FORCE)));
	EXPECT_EQ(0, diff_tree(b->back, b->mnt));
	close(fd);
}

FIXTURE(beside)
{
	struct backed b;
	struct raw_server *server;
	char plain[64];
	int dev;
};

/* A plain mount of the same type, with a server of its own */
FIXTURE_SETUP(beside)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, backed_setup(b, "tmpfs", BACKED_DAEMON));
	ASSERT_EQ(0, make_file(in(b->back, "file"), "backed", 0644));
	strcpy(self->plain, in(b->top, "plain"));
	ASSERT_EQ(0, make_dir(self->plain, 0755));
	self->dev = open(device_path(), O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, try_mount(TRY_MOUNT(.dev = self->dev, .at = self->plain)));
	self->server = raw_server_new();
	raw_serve_dir(self->server, FUSE_ROOT_ID, ".", FUSE_ROOT_ID);
	raw_serve_file(self->server, FUSE_ROOT_ID, "file", 2, "plain");
	ASSERT_EQ(0, raw_server_start(self->server, self->dev));
}

FIXTURE_TEARDOWN(beside)
{
	umount2(self->plain, MNT_DETACH);
	raw_server_free(self->server);
	close(self->dev);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

TEST_F(beside, each_has_its_own)
{
	EXPECT_STREQ("plain", text_of(in(self->plain, "file")));
	EXPECT_STREQ("backed", text_of(in(self->b.mnt, "file")));
	EXPECT_STREQ("<ENOSYS>", text_of(in(self->plain, "none")));
	EXPECT_EQ(1, self->server->counts[FUSE_OPEN]);
	EXPECT_EQ(1, self->server->counts[FUSE_READ]);
	EXPECT_EQ(0, raw_server_total(self->b.server));
}

TEST_F(beside, other_daemon_dies)
{
	abandon(&self->b);
	EXPECT_STREQ("plain", text_of(in(self->plain, "file")));
	EXPECT_STREQ("backed", text_of(in(self->b.mnt, "file")));
}

TEST_F(beside, own_daemon_dies)
{
	raw_server_kill(self->server);
	close(self->dev);
	self->dev = -1;
	EXPECT_STREQ("<ENOTCONN>", text_of(in(self->plain, "file")));
	EXPECT_STREQ("backed", text_of(in(self->b.mnt, "file")));
}

/* A plain mount can pass through to the same file systems, as ever. */
TEST_F(beside, plain_mount_on_a_backed_one)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, make_dir(in(b->back, "point"), 0755));
	ASSERT_EQ(0, mount(self->plain, in(b->mnt, "point"), NULL, MS_BIND, NULL));
	EXPECT_STREQ("plain", text_of(in(b->mnt, "point/file")));
	ASSERT_EQ(0, umount(in(b->mnt, "point")));
}

FIXTURE(unanswered)
{
	struct backed b;
	int dev;
};

/* Nobody reads the device: INIT is never answered. */
FIXTURE_SETUP(unanswered)
{
	struct backed *b = &self->b;
	int back;

	ASSERT_EQ(0, backed_make(b, "tmpfs"));
	ASSERT_EQ(0, make_file(in(b->back, "file"), "text", 0644));
	self->dev = open(device_path(), O_RDWR | O_CLOEXEC);
	back = open_dir(b->back, O_PATH);
	ASSERT_EQ(0, try_mount(TRY_MOUNT(.backing = back, .dev = self->dev, .allow_other = true,
					 .default_permissions = true, .at = b->mnt)));
	b->mounted = true;
	close(back);
}

FIXTURE_TEARDOWN(unanswered)
{
	if (self->b.mounted)
		EXPECT_EQ(0, umount(self->b.mnt));
	self->b.mounted = false;
	close(self->dev);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

TEST_F(unanswered, works)
{
	struct statfs sfs;

	EXPECT_EQ(0, diff_tree(self->b.back, self->b.mnt));
	EXPECT_EQ(0, statfs(self->b.mnt, &sfs));
	EXPECT_STREQ("<ENOENT>", text_of(in(self->b.mnt, "none")));
}

/* The device keeps the connection, and that the backing. */
TEST_F(unanswered, device_outlives_the_mount)
{
	struct backed *b = &self->b;

	EXPECT_EQ(0, umount(b->mnt));
	b->mounted = false;
	close(self->dev);
	self->dev = -1;
	EXPECT_EQ(0, umount(b->back));
	ASSERT_EQ(0, mount("again", b->back, "tmpfs", 0, NULL));
}

FIXTURE(mapped)
{
	struct backed b;
};

/* A daemon that allows its mount to be idmapped */
FIXTURE_SETUP(mapped)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, backed_make(b, "tmpfs"));
	b->server = raw_server_new();
	b->server->init_out.flags = FUSE_INIT_EXT;
	b->server->init_out.flags2 = FUSE_ALLOW_IDMAP >> 32;
	ASSERT_EQ(0, backed_mount(b, BACKED_DAEMON | BACKED_ALLOW_OTHER | BACKED_DEFAULT_PERM));
	ASSERT_EQ(0, make_file(in(b->back, "file"), "x", 0600));
}

FIXTURE_TEARDOWN(mapped)
{
	EXPECT_EQ(0, backed_destroy(&self->b));
}

/* Either there is no such mount, or it does what such mounts do. */
TEST_F(mapped, idmapped_mount)
{
	struct backed *b = &self->b;
	char seen[64];
	struct stat st;
	int tree;

	strcpy(seen, in(b->top, "seen"));
	ASSERT_EQ(0, make_dir(seen, 0755));
	tree = idmapped_tree(b->mnt, 0, USER1, 1);
	if (tree == -EINVAL)
		return;
	ASSERT_LE(0, tree);
	ASSERT_EQ(0, move_mount(tree, "", AT_FDCWD, seen, MOVE_MOUNT_F_EMPTY_PATH));
	close(tree);
	EXPECT_EQ(0, stat(in(seen, "file"), &st));
	EXPECT_EQ(USER1, st.st_uid);
	EXPECT_EQ(0, user_open(USER1, in(seen, "file"), O_RDONLY));
	EXPECT_EQ(-EACCES, user_open(USER2, in(seen, "file"), O_RDONLY));
	EXPECT_EQ(0, umount(seen));
}

TEST_HARNESS_MAIN
