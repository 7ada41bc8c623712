// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "calls.h"
#include "util.h"

/* Errnos from here on are the kernel's own. */
#define FIRST_INTERNAL_ERRNO 512

/* Positions and sizes of files stay below this, whoever keeps the bytes. */
#define CALLS_SIZE (1 << 18)

static const char *const files[] = { "f0", "f1", "f2", "f3", "l0", "p0", "n0", "n1", "n2", "d0" };
static const char *const dirs[] = { "d0", "d1", "d2" };
static const char *const xattrs[] = {
	"user.a", "user.b", "security.capability", "trusted.x", "system.posix_acl_access",
	"system.posix_acl_default", "system.none",
};

static sigjmp_buf fault;

/* A mapping can have less behind it than its file said. */
static void on_fault(int sig)
{
	siglongjmp(fault, sig);
}

void calls_path(struct calls *c, char path[CALLS_PATH])
{
	int len = snprintf(path, CALLS_PATH, "%s", c->top);

	while (fuzz_chance(&c->rng, 35) && len < CALLS_PATH - 16)
		len += snprintf(path + len, CALLS_PATH - len, "/%s", FUZZ_ANY(&c->rng, dirs));
	if (fuzz_chance(&c->rng, 90))
		snprintf(path + len, CALLS_PATH - len, "/%s", FUZZ_ANY(&c->rng, files));
}

static int any_fd(struct calls *c)
{
	return c->fds[fuzz_below(&c->rng, CALLS_FDS)];
}

static size_t any_len(struct calls *c)
{
	static const size_t sizes[] = { 0, 1, 7, 512, 4095, 4096, 4097, 16384, CALLS_BUF };
	size_t len = FUZZ_ANY(&c->rng, sizes);

	c->max = len;
	return len;
}

static off_t any_off(struct calls *c)
{
	return fuzz_below(&c->rng, CALLS_SIZE) & (fuzz_chance(&c->rng, 50) ? ~4095 : ~0);
}

static long keep_fd(struct calls *c, int fd)
{
	int *slot = &c->fds[fuzz_below(&c->rng, CALLS_FDS)];

	if (fd < 0)
		return -errno;
	if (*slot >= 0)
		close(*slot);
	*slot = fd;
	return 0;
}

static long call_open(struct calls *c, const char *path)
{
	static const int flags[] = {
		O_RDONLY, O_WRONLY, O_RDWR, O_RDWR | O_CREAT, O_RDWR | O_CREAT | O_EXCL,
		O_WRONLY | O_TRUNC, O_RDWR | O_APPEND, O_RDONLY | O_DIRECTORY, O_PATH,
		O_RDONLY | O_NOFOLLOW, O_RDWR | O_DIRECT, O_RDWR | O_TMPFILE, O_RDWR | O_SYNC,
		O_RDONLY | O_NOATIME,
	};

	return keep_fd(c, open(path, FUZZ_ANY(&c->rng, flags) | O_NONBLOCK | O_CLOEXEC, 0644));
}

static long call_close(struct calls *c, const char *path)
{
	int *slot = &c->fds[fuzz_below(&c->rng, CALLS_FDS)];
	int fd = *slot;

	(void)path;
	*slot = -1;
	return fd < 0 ? 0 : RES(close(fd));
}

static long call_stat(struct calls *c, const char *path)
{
	struct stat st;

	return RES(fuzz_chance(&c->rng, 50) ? stat(path, &st) : lstat(path, &st));
}

static long call_statx(struct calls *c, const char *path)
{
	static const int flags[] = {
		0, AT_SYMLINK_NOFOLLOW, AT_STATX_FORCE_SYNC, AT_STATX_DONT_SYNC,
	};
	struct statx st;

	return RES(statx(AT_FDCWD, path, FUZZ_ANY(&c->rng, flags), STATX_ALL, &st));
}

static long call_fstat(struct calls *c, const char *path)
{
	struct stat st;

	(void)path;
	return RES(fstat(any_fd(c), &st));
}

static long call_read(struct calls *c, const char *path)
{
	int fd = any_fd(c);

	(void)path;
	if (fuzz_chance(&c->rng, 30))
		return RES(read(fd, c->buf, any_len(c)));
	return RES(pread(fd, c->buf, any_len(c), any_off(c)));
}

static long call_write(struct calls *c, const char *path)
{
	int fd = any_fd(c);

	(void)path;
	return RES(pwrite(fd, c->buf, any_len(c), any_off(c)));
}

static long call_map(struct calls *c, const char *path)
{
	bool shared = fuzz_chance(&c->rng, 50), write = fuzz_chance(&c->rng, 30);
	volatile char *at;

	(void)path;
	at = mmap(NULL, 8192, PROT_READ | (write ? PROT_WRITE : 0),
		  shared ? MAP_SHARED : MAP_PRIVATE, any_fd(c), any_off(c) & ~4095);
	if (at == MAP_FAILED)
		return -errno;
	if (!sigsetjmp(fault, 1)) {
		(void)at[0];
		(void)at[5000];
		if (write)
			at[100] = 'm';
	}
	return RES(munmap((void *)at, 8192));
}

static long call_list(struct calls *c, const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
	long res = fd < 0 ? -errno : 1;
	int i;

	c->max = CALLS_BUF;
	/* What is listed may have no end */
	for (i = 0; i < 8 && res > 0; i++)
		res = RES(syscall(SYS_getdents64, fd, c->buf, 256 << i));
	if (fd >= 0)
		close(fd);
	return res;
}

static long call_make(struct calls *c, const char *path)
{
	switch (fuzz_below(&c->rng, 4)) {
	case 0:
		return RES(mkdir(path, 0755));
	case 1:
		return RES(mknod(path, S_IFREG | 0644, 0));
	case 2:
		return RES(mknod(path, fuzz_chance(&c->rng, 50) ? S_IFIFO | 0600 : S_IFCHR, 0));
	default:
		return RES(symlink("f1", path));
	}
}

static long call_remove(struct calls *c, const char *path)
{
	return RES(fuzz_chance(&c->rng, 50) ? unlink(path) : rmdir(path));
}

static long call_rename(struct calls *c, const char *path)
{
	static const unsigned int flags[] = { 0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT };
	char to[CALLS_PATH];

	calls_path(c, to);
	return RES(renameat2(AT_FDCWD, path, AT_FDCWD, to, FUZZ_ANY(&c->rng, flags)));
}

static long call_link(struct calls *c, const char *path)
{
	char to[CALLS_PATH];

	calls_path(c, to);
	return RES(link(path, to));
}

static long call_attr(struct calls *c, const char *path)
{
	static const struct timespec times[2] = { { 5, 6 }, { .tv_nsec = UTIME_NOW } };

	switch (fuzz_below(&c->rng, 5)) {
	case 0:
		return RES(chmod(path, fuzz_chance(&c->rng, 20) ? 06755 : 0644));
	case 1:
		return RES(lchown(path, fuzz_below(&c->rng, 3), -1));
	case 2:
		return RES(truncate(path, any_off(c)));
	case 3:
		return RES(ftruncate(any_fd(c), any_off(c)));
	default:
		return RES(utimensat(AT_FDCWD, path, times, 0));
	}
}

static long call_readlink(struct calls *c, const char *path)
{
	return RES(readlink(path, c->buf, any_len(c)));
}

/* Without a buffer, the size is told, which has no bound but the kernel's. */
static void size_only(struct calls *c, size_t len)
{
	if (!len)
		c->max = XATTR_SIZE_MAX;
}

static long call_getxattr(struct calls *c, const char *path)
{
	size_t len = any_len(c);

	size_only(c, len);
	return RES(lgetxattr(path, FUZZ_ANY(&c->rng, xattrs), c->buf, len));
}

static long call_listxattr(struct calls *c, const char *path)
{
	size_t len = any_len(c);

	size_only(c, len);
	return RES(llistxattr(path, c->buf, len));
}

static long call_setxattr(struct calls *c, const char *path)
{
	/* Version 2, and an entry each for owner, group and others */
	static const char acl[] = "\2\0\0\0\1\0\6\0\377\377\377\377\4\0\4\0\377\377\377\377"
				  " \0\4\0\377\377\377\377";
	const char *name = FUZZ_ANY(&c->rng, xattrs);

	if (fuzz_chance(&c->rng, 25))
		return RES(lremovexattr(path, name));
	if (fuzz_chance(&c->rng, 25))
		return RES(lsetxattr(path, name, acl, sizeof(acl) - 1, 0));
	return RES(lsetxattr(path, name, c->buf, fuzz_below(&c->rng, 64), fuzz_below(&c->rng, 3)));
}

static long call_lock(struct calls *c, const char *path)
{
	struct flock lock = {
		.l_type = fuzz_chance(&c->rng, 50) ? F_RDLCK : F_WRLCK,
		.l_start = any_off(c),
		.l_len = fuzz_below(&c->rng, 2) * 100,
	};

	(void)path;
	switch (fuzz_below(&c->rng, 4)) {
	case 0:
		return RES(flock(any_fd(c), LOCK_NB | (fuzz_chance(&c->rng, 50) ? LOCK_EX : LOCK_UN)));
	case 1:
		return RES(fcntl(any_fd(c), F_GETLK, &lock));
	case 2:
		lock.l_type = F_UNLCK;
		return RES(fcntl(any_fd(c), F_SETLK, &lock));
	default:
		return RES(fcntl(any_fd(c), fuzz_chance(&c->rng, 50) ? F_SETLK : F_OFD_SETLK, &lock));
	}
}

static long call_space(struct calls *c, const char *path)
{
	static const int modes[] = {
		0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_ZERO_RANGE,
	};
	static const int whences[] = { SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE };
	int fd = any_fd(c);

	(void)path;
	if (fuzz_chance(&c->rng, 50))
		return RES(fallocate(fd, FUZZ_ANY(&c->rng, modes), any_off(c),
				     fuzz_below(&c->rng, CALLS_BUF)));
	return RES(lseek(fd, any_off(c), FUZZ_ANY(&c->rng, whences)));
}

static long call_copy(struct calls *c, const char *path)
{
	int from = any_fd(c), to = any_fd(c);
	loff_t in = any_off(c), out = any_off(c);
	size_t len = any_len(c);

	(void)path;
	switch (fuzz_below(&c->rng, 3)) {
	case 0:
		return RES(copy_file_range(from, &in, to, &out, len, 0));
	case 1:
		return RES(sendfile(to, from, &in, len));
	default:
		return RES(ioctl(to, FICLONE, from));
	}
}

static long call_sync(struct calls *c, const char *path)
{
	struct statvfs st;

	switch (fuzz_below(&c->rng, 4)) {
	case 0:
		return RES(fsync(any_fd(c)));
	case 1:
		return RES(syncfs(any_fd(c)));
	case 2:
		return RES(posix_fadvise(any_fd(c), 0, 0, POSIX_FADV_DONTNEED));
	default:
		return RES(statvfs(path, &st));
	}
}

static long call_ioctl(struct calls *c, const char *path)
{
	static const unsigned long commands[] = {
		FS_IOC_GETFLAGS, FS_IOC_FSGETXATTR, FS_IOC_GETVERSION, FIBMAP, FIONREAD,
		FS_IOC_FIEMAP,
	};
	struct pollfd poll_fd = { .fd = any_fd(c), .events = POLLIN | POLLOUT };
	long arg[32] = {};

	(void)path;
	if (fuzz_chance(&c->rng, 30))
		return RES(poll(&poll_fd, 1, 0));
	/* The result is the daemon's to say, errno or not */
	ioctl(any_fd(c), FUZZ_ANY(&c->rng, commands), arg);
	return 0;
}

static long call_access(struct calls *c, const char *path)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + 128];
	} u = { .handle.handle_bytes = 128 };
	int mount_id;

	if (fuzz_chance(&c->rng, 60))
		return RES(access(path, fuzz_below(&c->rng, 8)));
	return RES(name_to_handle_at(AT_FDCWD, path, &u.handle, &mount_id, 0));
}

static const struct {
	const char *name;
	long (*call)(struct calls *c, const char *path);
	unsigned int weight;
} table[] = {
	{ "open", call_open, 6 },
	{ "close", call_close, 2 },
	{ "stat", call_stat, 4 },
	{ "statx", call_statx, 2 },
	{ "fstat", call_fstat, 1 },
	{ "read", call_read, 4 },
	{ "write", call_write, 4 },
	{ "mmap", call_map, 2 },
	{ "getdents", call_list, 3 },
	{ "make", call_make, 3 },
	{ "remove", call_remove, 2 },
	{ "rename", call_rename, 2 },
	{ "link", call_link, 1 },
	{ "setattr", call_attr, 3 },
	{ "readlink", call_readlink, 1 },
	{ "getxattr", call_getxattr, 2 },
	{ "listxattr", call_listxattr, 1 },
	{ "setxattr", call_setxattr, 2 },
	{ "lock", call_lock, 2 },
	{ "space", call_space, 2 },
	{ "copy", call_copy, 2 },
	{ "sync", call_sync, 1 },
	{ "ioctl", call_ioctl, 1 },
	{ "access", call_access, 1 },
};

#define NR_CALLS (sizeof(table) / sizeof(table[0]))

static size_t any_call(struct calls *c)
{
	unsigned int total = 0, at;
	size_t i;

	for (i = 0; i < NR_CALLS; i++)
		total += table[i].weight;
	at = fuzz_below(&c->rng, total);
	for (i = 0; at >= table[i].weight; i++)
		at -= table[i].weight;
	return i;
}

void calls_one(struct calls *c)
{
	size_t i = any_call(c);
	char path[CALLS_PATH];
	long res;

	calls_path(c, path);
	c->max = LONG_MAX;
	fuzz_doing(c->worker, table[i].name);
	res = table[i].call(c, path);
	if (res <= -FIRST_INTERNAL_ERRNO)
		fuzz_unexpected("%s %s: errno %ld", table[i].name, path, -res);
	else if (res > c->max)
		fuzz_unexpected("%s %s: %ld where %ld were asked for", table[i].name, path, res,
				c->max);
}

void calls_begin(struct calls *c, struct fuzz_rng rng, const char *top, unsigned int worker)
{
	int i;

	*c = (struct calls){ .rng = rng, .top = top, .worker = worker };
	for (i = 0; i < CALLS_FDS; i++)
		c->fds[i] = -1;
	fuzz_fill(&c->rng, c->buf, sizeof(c->buf));
	signal(SIGBUS, on_fault);
	signal(SIGSEGV, on_fault);
	signal(SIGPIPE, SIG_IGN);
}

void calls_end(struct calls *c)
{
	int i;

	for (i = 0; i < CALLS_FDS; i++) {
		if (c->fds[i] >= 0)
			close(c->fds[i]);
		c->fds[i] = -1;
	}
}

static int make_level(const char *dir)
{
	return make_file(in(dir, "f0"), "text of f0", 0644) ||
	       make_big_file(in(dir, "f1"), 20000, 1) ||
	       make_file(in(dir, "f2"), "", 0600) || make_file(in(dir, "f3"), "x", 04755) ||
	       symlink("f0", in(dir, "l0")) || mkfifo(in(dir, "p0"), 0600) ? -EIO : 0;
}

int calls_tree(const char *top)
{
	size_t i;
	int err = make_level(top);

	for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]) && !err; i++)
		err = make_dir(in(top, "%s", dirs[i]), 0755) ?: make_level(in(top, "%s", dirs[i]));
	if (!err)
		err = make_dir(in(top, "d0/d1"), 0755) ?: make_level(in(top, "d0/d1"));
	return err;
}
