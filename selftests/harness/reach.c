// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "reach.h"
#include "uring.h"
#include "util.h"

#ifndef AT_EXECVE_CHECK
#define AT_EXECVE_CHECK 0x10000
#endif

/* Each function has both names, whether it needs them or not. */
#define WAY(way, expr)								\
static long reach_##way(const char *name, const char *own)			\
{										\
	(void)own;								\
	return (expr);								\
}

/* A descriptor, or 0, as a result; it is not kept */
static long closed(long fd)
{
	long ret = fd < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return ret;
}

#define OPEN(way, flags) WAY(way, closed(open(name, (flags) | O_CLOEXEC | O_NONBLOCK, 0600)))

OPEN(open_read, O_RDONLY)
OPEN(open_write, O_WRONLY)
OPEN(open_truncate, O_RDWR | O_TRUNC)
OPEN(open_append, O_WRONLY | O_APPEND)
OPEN(open_create, O_RDWR | O_CREAT)
OPEN(open_exclusive, O_RDWR | O_CREAT | O_EXCL)
OPEN(open_path, O_PATH)
OPEN(open_path_nofollow, O_PATH | O_NOFOLLOW)
OPEN(open_directory, O_RDONLY | O_DIRECTORY)
OPEN(open_unnamed, O_RDWR | O_TMPFILE)

static long by_openat2(const char *name, __u64 resolve)
{
	struct open_how how = { .flags = O_RDONLY | O_NONBLOCK, .resolve = resolve };

	return closed(syscall(SYS_openat2, AT_FDCWD, name, &how, sizeof(how)));
}

WAY(beneath, by_openat2(name, RESOLVE_BENEATH))
WAY(in_root, by_openat2(name, RESOLVE_IN_ROOT))
WAY(cached, by_openat2(name, RESOLVE_CACHED))

static struct stat st;
static struct statx stx;
static struct statfs stf;
static char bytes[4096];

WAY(stat, RES(stat(name, &st)))
WAY(lstat, RES(lstat(name, &st)))
WAY(statx, RES(statx(AT_FDCWD, name, AT_STATX_FORCE_SYNC, STATX_ALL, &stx)))
WAY(statx_no_sync, RES(statx(AT_FDCWD, name, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, 0, &stx)))
WAY(statfs, RES(statfs(name, &stf)))
WAY(access, RES(access(name, F_OK)))
WAY(eaccess, RES(faccessat(AT_FDCWD, name, R_OK, AT_EACCESS)))
WAY(readlink, RES(readlink(name, bytes, sizeof(bytes))))
WAY(truncate, RES(truncate(name, 0)))
WAY(chmod, RES(chmod(name, 0600)))
WAY(chown, RES(lchown(name, -1, -1)))
WAY(utimens, RES(utimensat(AT_FDCWD, name, NULL, AT_SYMLINK_NOFOLLOW)))
WAY(getxattr, RES(getxattr(name, "user.mark", bytes, sizeof(bytes))))
WAY(lgetxattr, RES(lgetxattr(name, "system.posix_acl_access", bytes, sizeof(bytes))))
WAY(setxattr, RES(setxattr(name, "user.other", "x", 1, 0)))
WAY(listxattr, RES(llistxattr(name, bytes, sizeof(bytes))))
WAY(removexattr, RES(removexattr(name, "user.mark")))
WAY(mkdir, RES(mkdir(name, 0700)))
WAY(mknod, RES(mknod(name, S_IFIFO | 0600, 0)))
WAY(symlink, RES(symlink("target", name)))
WAY(link_from, RES(link(name, "made-by-link")))
WAY(link_to, RES(link(own, name)))
WAY(link_follow, RES(linkat(AT_FDCWD, name, AT_FDCWD, "made-by-link", AT_SYMLINK_FOLLOW)))
WAY(rename_from, RES(rename(name, "made-by-rename")))
WAY(rename_to, RES(rename(own, name)))
WAY(no_replace, RES(renameat2(AT_FDCWD, own, AT_FDCWD, name, RENAME_NOREPLACE)))
WAY(exchange, RES(renameat2(AT_FDCWD, own, AT_FDCWD, name, RENAME_EXCHANGE)))
WAY(exchange_back, RES(renameat2(AT_FDCWD, name, AT_FDCWD, own, RENAME_EXCHANGE)))
WAY(unlink, RES(unlink(name)))
WAY(rmdir, RES(rmdir(name)))
WAY(may_execute, RES(syscall(SYS_execveat, AT_FDCWD, name, NULL, NULL, AT_EXECVE_CHECK)))
WAY(open_tree, closed(syscall(SYS_open_tree, AT_FDCWD, name, O_CLOEXEC)))

static long reach_chdir(const char *name, const char *own)
{
	int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	long ret = RES(chdir(name));

	(void)own;
	if (!ret && fchdir(here))
		ret = -errno;
	close(here);
	return ret;
}

/* By the directory's descriptor, as a path of its own */
static long reach_proc_fd(const char *name, const char *own)
{
	int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char path[PATH_MAX];
	long ret;

	(void)own;
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", here, name);
	ret = closed(open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
	close(here);
	return ret;
}

static long reach_handle(const char *name, const char *own)
{
	struct {
		struct file_handle head;
		unsigned char bytes[MAX_HANDLE_SZ];
	} handle = { .head.handle_bytes = MAX_HANDLE_SZ };
	int mount;

	(void)own;
	return RES(name_to_handle_at(AT_FDCWD, name, &handle.head, &mount, 0x200));
}

static long reach_inotify(const char *name, const char *own)
{
	int fd = inotify_init1(IN_CLOEXEC);
	long ret = RES(inotify_add_watch(fd, name, IN_ALL_EVENTS));

	(void)own;
	close(fd);
	return ret;
}

static long reach_fanotify(const char *name, const char *own)
{
	int fd = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_FID | FAN_CLOEXEC, O_RDONLY);
	long ret = RES(fanotify_mark(fd, FAN_MARK_ADD, FAN_MODIFY, AT_FDCWD, name));

	(void)own;
	close(fd);
	return ret;
}

static struct sockaddr_un address(const char *name)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	strncpy(addr.sun_path, name, sizeof(addr.sun_path) - 1);
	return addr;
}

static long reach_bind(const char *name, const char *own)
{
	struct sockaddr_un addr = address(name);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	long ret = RES(bind(fd, (struct sockaddr *)&addr, sizeof(addr)));

	(void)own;
	close(fd);
	/* What it says of a name that is taken is about the name */
	return ret == -EADDRINUSE ? 0 : ret;
}

static long reach_connect(const char *name, const char *own)
{
	struct sockaddr_un addr = address(name);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	long ret = RES(connect(fd, (struct sockaddr *)&addr, sizeof(addr)));

	(void)own;
	close(fd);
	return ret;
}

static struct uring *ring(void)
{
	static struct uring *ring;

	if (!ring)
		ring = uring_new();
	return ring;
}

WAY(uring_open, uring_open(ring(), name, O_RDONLY | O_NONBLOCK))
WAY(uring_stat, uring_stat(ring(), name))

#define REACH(way) { .name = #way, .run = reach_##way }

const struct reach reaches[] = {
	REACH(open_read), REACH(open_write), REACH(open_truncate), REACH(open_append),
	REACH(open_create), REACH(open_exclusive), REACH(open_path), REACH(open_path_nofollow),
	REACH(open_directory), REACH(open_unnamed), REACH(beneath), REACH(in_root), REACH(stat),
	REACH(lstat), REACH(statx), REACH(statx_no_sync), REACH(statfs), REACH(access),
	REACH(eaccess), REACH(readlink), REACH(truncate), REACH(chmod), REACH(chown),
	REACH(utimens), REACH(getxattr), REACH(lgetxattr), REACH(setxattr), REACH(listxattr),
	REACH(removexattr), REACH(mkdir), REACH(mknod), REACH(symlink), REACH(link_from),
	REACH(link_to), REACH(link_follow), REACH(rename_from), REACH(rename_to),
	REACH(no_replace), REACH(exchange), REACH(exchange_back), REACH(unlink), REACH(rmdir),
	REACH(may_execute), REACH(open_tree), REACH(chdir), REACH(proc_fd), REACH(handle),
	REACH(inotify), REACH(fanotify), REACH(bind), REACH(connect), REACH(uring_open),
	REACH(uring_stat), { .name = "cached", .run = reach_cached, .cached = 1 },
};

const size_t nr_reaches = sizeof(reaches) / sizeof(reaches[0]);
