// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <linux/fuse_bpf.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "probes.h"
#include "util.h"

#define AT(f, name) in((f)->top, name)

static int keep(int res)
{
	return res > 0 ? 0 : res;
}

static int open_and_close(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0644);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int do_lookup(const struct probe_files *f)
{
	struct stat st;

	return RES(fstatat(f->dir, "f0", &st, AT_SYMLINK_NOFOLLOW));
}

static int do_getattr(const struct probe_files *f)
{
	struct stat st;

	return RES(fstat(f->file, &st));
}

static int do_setattr(const struct probe_files *f)
{
	return RES(fchmod(f->file, 0644));
}

static int do_readlink(const struct probe_files *f)
{
	char buf[16];

	return keep(RES(readlink(AT(f, "l0"), buf, sizeof(buf))));
}

static int do_symlink(const struct probe_files *f)
{
	return RES(symlink("f0", AT(f, "new")));
}

static int do_mknod(const struct probe_files *f)
{
	return RES(mkfifo(AT(f, "new"), 0600));
}

static int do_mkdir(const struct probe_files *f)
{
	return RES(mkdir(AT(f, "new"), 0700));
}

static int do_link(const struct probe_files *f)
{
	return RES(link(AT(f, "f2"), AT(f, "new")));
}

static int do_create(const struct probe_files *f)
{
	return open_and_close(AT(f, "new"), O_RDWR | O_CREAT | O_EXCL);
}

static int do_tmpfile(const struct probe_files *f)
{
	return open_and_close(f->top, O_RDWR | O_TMPFILE);
}

static void remove_new(const struct probe_files *f)
{
	unlink(AT(f, "new"));
	rmdir(AT(f, "new"));
}

static int do_unlink(const struct probe_files *f)
{
	return RES(unlink(AT(f, "f3")));
}

static void make_f3(const struct probe_files *f)
{
	make_file(AT(f, "f3"), "x", 0644);
}

static int do_rmdir(const struct probe_files *f)
{
	return RES(rmdir(AT(f, "empty")));
}

static void make_empty(const struct probe_files *f)
{
	mkdir(AT(f, "empty"), 0755);
}

static int do_rename(const struct probe_files *f)
{
	return RES(rename(AT(f, "f3"), AT(f, "f4")));
}

static void rename_back(const struct probe_files *f)
{
	rename(AT(f, "f4"), AT(f, "f3"));
}

static int do_open(const struct probe_files *f)
{
	return open_and_close(AT(f, "f0"), O_RDONLY);
}

static int do_opendir(const struct probe_files *f)
{
	return open_and_close(AT(f, "d0"), O_RDONLY | O_DIRECTORY);
}

static int do_read(const struct probe_files *f)
{
	char buf[64];

	return keep(RES(pread(f->file, buf, sizeof(buf), 100)));
}

static int do_write(const struct probe_files *f)
{
	return keep(RES(pwrite(f->file, "w", 1, 100)));
}

static int do_mmap(const struct probe_files *f)
{
	void *at = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, f->file, 0);

	return at == MAP_FAILED ? -errno : RES(munmap(at, 4096));
}

static int do_statfs(const struct probe_files *f)
{
	struct statvfs st;

	return RES(fstatvfs(f->file, &st));
}

static int do_syncfs(const struct probe_files *f)
{
	return RES(syncfs(f->file));
}

static int do_fsync(const struct probe_files *f)
{
	return RES(fsync(f->file));
}

static int do_fsyncdir(const struct probe_files *f)
{
	return RES(fsync(f->dir));
}

static int do_flush(const struct probe_files *f)
{
	int fd = dup(f->file);

	return fd < 0 ? -errno : RES(close(fd));
}

static int do_setxattr(const struct probe_files *f)
{
	return RES(fsetxattr(f->file, "user.p", "v", 1, 0));
}

static int do_getxattr(const struct probe_files *f)
{
	char buf[16];

	return keep(RES(fgetxattr(f->file, "user.p", buf, sizeof(buf))));
}

static int do_listxattr(const struct probe_files *f)
{
	char buf[256];

	return keep(RES(flistxattr(f->file, buf, sizeof(buf))));
}

static int do_removexattr(const struct probe_files *f)
{
	return RES(fremovexattr(f->file, "user.p"));
}

static void set_p(const struct probe_files *f)
{
	fsetxattr(f->file, "user.p", "v", 1, 0);
}

static int do_readdir(const struct probe_files *f)
{
	char buf[256];

	lseek(f->dir, 0, SEEK_SET);
	return keep(RES(syscall(SYS_getdents64, f->dir, buf, sizeof(buf))));
}

static int do_setlk(const struct probe_files *f)
{
	struct flock lock = { .l_type = F_RDLCK, .l_len = 1 };

	return RES(fcntl(f->file, F_SETLK, &lock));
}

static void unlock(const struct probe_files *f)
{
	struct flock lock = { .l_type = F_UNLCK };

	fcntl(f->file, F_SETLK, &lock);
}

static int do_getlk(const struct probe_files *f)
{
	struct flock lock = { .l_type = F_RDLCK, .l_len = 1 };

	return RES(fcntl(f->file, F_GETLK, &lock));
}

static int do_access(const struct probe_files *f)
{
	return RES(access(AT(f, "f0"), R_OK));
}

static int do_fallocate(const struct probe_files *f)
{
	return RES(fallocate(f->file, FALLOC_FL_KEEP_SIZE, 0, 4096));
}

static int do_lseek(const struct probe_files *f)
{
	return keep(RES(lseek(f->file, 0, SEEK_DATA)));
}

static int do_copy(const struct probe_files *f)
{
	loff_t from = 0, to = 0;

	return keep(RES(copy_file_range(f->file, &from, f->other, &to, 10, 0)));
}

const struct probe probes[] = {
	{ "lookup", FUSE_LOOKUP, do_lookup },
	{ "getattr", FUSE_GETATTR, do_getattr },
	{ "setattr", FUSE_SETATTR, do_setattr },
	{ "readlink", FUSE_READLINK, do_readlink },
	{ "symlink", FUSE_SYMLINK, do_symlink, remove_new },
	{ "mknod", FUSE_MKNOD, do_mknod, remove_new },
	{ "mkdir", FUSE_MKDIR, do_mkdir, remove_new },
	{ "link", FUSE_LINK, do_link, remove_new },
	{ "create", FUSE_CREATE, do_create, remove_new },
	{ "tmpfile", FUSE_TMPFILE, do_tmpfile },
	{ "unlink", FUSE_UNLINK, do_unlink, make_f3 },
	{ "rmdir", FUSE_RMDIR, do_rmdir, make_empty },
	{ "rename", FUSE_RENAME2, do_rename, rename_back },
	{ "open", FUSE_OPEN, do_open },
	{ "opendir", FUSE_OPENDIR, do_opendir },
	{ "read", FUSE_READ, do_read },
	{ "write", FUSE_WRITE, do_write },
	{ "mmap", FUSE_FILTER_OP_MMAP, do_mmap },
	{ "statfs", FUSE_STATFS, do_statfs },
	{ "syncfs", FUSE_SYNCFS, do_syncfs },
	{ "fsync", FUSE_FSYNC, do_fsync },
	{ "fsync of a directory", FUSE_FSYNCDIR, do_fsyncdir },
	{ "flush", FUSE_FLUSH, do_flush, .daemon_absent = true },
	{ "setxattr", FUSE_SETXATTR, do_setxattr },
	{ "getxattr", FUSE_GETXATTR, do_getxattr },
	{ "listxattr", FUSE_LISTXATTR, do_listxattr },
	{ "removexattr", FUSE_REMOVEXATTR, do_removexattr, set_p },
	{ "readdir", FUSE_READDIR, do_readdir, .loose_post = true },
	{ "setlk", FUSE_SETLK, do_setlk, unlock },
	{ "getlk", FUSE_GETLK, do_getlk },
	{ "access", FUSE_ACCESS, do_access },
	{ "fallocate", FUSE_FALLOCATE, do_fallocate },
	{ "lseek", FUSE_LSEEK, do_lseek },
	{ "copy", FUSE_COPY_FILE_RANGE, do_copy, .fallback = { EOPNOTSUPP, EXDEV } },
};

const size_t nr_probes = sizeof(probes) / sizeof(probes[0]);
