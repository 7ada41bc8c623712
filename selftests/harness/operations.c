// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "operations.h"
#include "util.h"

#define KEY "user.key"

int place_make(struct place *p, const struct backed *b)
{
	static unsigned int nr;
	static const char *const all[] = { "file", "other", "link", "sub", "full", "full/in" };
	int err;

	snprintf(p->back, sizeof(p->back), "%s/p%u", b->back, ++nr);
	snprintf(p->mnt, sizeof(p->mnt), "%s/p%u", b->mnt, nr);
	err = make_dir(p->back, 0777);
	err = err ? err : make_file(in(p->back, "file"), "0123456789", 0644);
	err = err ? err : make_file(in(p->back, "other"), "text", 0644);
	err = err ? err : RES(symlink("file", in(p->back, "link")));
	err = err ? err : make_dir(in(p->back, "sub"), 0755);
	err = err ? err : make_dir(in(p->back, "full"), 0755);
	err = err ? err : make_file(in(p->back, "full/in"), "in", 0644);
	err = err ? err : RES(setxattr(in(p->back, "file"), KEY, "value", 5, 0));
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && !err; i++)
		err = RES(lchown(in(p->back, "%s", all[i]), USER1, GROUP1));
	return err ? err : RES(chown(p->back, USER1, GROUP1));
}

long operation_run(long (*run)(const struct place *p), const struct place *p)
{
	long ret;

	setfsgid(GROUP1);
	setfsuid(USER1);
	ret = run(p);
	setfsuid(0);
	setfsgid(0);
	return ret;
}

static const char *at(const struct place *p, const char *name)
{
	return in(p->mnt, "%s", name);
}

/* Runs "expr" with "fd" open, and closes it; the result is that of "expr" */
#define WITH(path, flags, expr)							\
({										\
	int fd = open(path, (flags) | O_CLOEXEC);				\
	long ___ret = fd < 0 ? -errno : RES((long)(expr));			\
										\
	if (fd >= 0)								\
		close(fd);							\
	___ret;									\
})

static long do_stat(const struct place *p)
{
	struct stat st;

	return RES(lstat(at(p, "file"), &st));
}

static long do_stat_missing(const struct place *p)
{
	struct stat st;

	return RES(lstat(at(p, "none"), &st));
}

static long do_chmod(const struct place *p)
{
	return RES(chmod(at(p, "file"), 0604));
}

static long do_readlink(const struct place *p)
{
	char buf[16];

	return RES(readlink(at(p, "link"), buf, sizeof(buf)));
}

static long do_symlink(const struct place *p)
{
	return RES(symlink("target", at(p, "new")));
}

static long do_mknod(const struct place *p)
{
	return RES(mknod(at(p, "new"), S_IFIFO | 0640, 0));
}

static long do_mkdir(const struct place *p)
{
	return RES(mkdir(at(p, "new"), 0750));
}

static long do_unlink(const struct place *p)
{
	return RES(unlink(at(p, "file")));
}

static long do_rmdir(const struct place *p)
{
	return RES(rmdir(at(p, "sub")));
}

static long do_rmdir_full(const struct place *p)
{
	return RES(rmdir(at(p, "full")));
}

static long do_rename(const struct place *p)
{
	return RES(renameat2(AT_FDCWD, at(p, "file"), AT_FDCWD, at(p, "sub/moved"),
			     RENAME_NOREPLACE));
}

static long do_rename_over_full(const struct place *p)
{
	return RES(rename(at(p, "sub"), at(p, "full")));
}

static long do_link(const struct place *p)
{
	return RES(link(at(p, "file"), at(p, "new")));
}

static long do_open(const struct place *p)
{
	return WITH(at(p, "file"), O_RDWR, 0);
}

static long do_opendir(const struct place *p)
{
	return WITH(at(p, "sub"), O_RDONLY | O_DIRECTORY, 0);
}

static long do_create(const struct place *p)
{
	int fd = open(at(p, "new"), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);

	return fd < 0 ? -errno : RES(close(fd));
}

static long do_tmpfile(const struct place *p)
{
	int fd = open(p->mnt, O_RDWR | O_TMPFILE | O_CLOEXEC, 0640);

	return fd < 0 ? -errno : RES(close(fd));
}

static long do_read(const struct place *p)
{
	char buf[5];

	return WITH(at(p, "file"), O_RDONLY, pread(fd, buf, sizeof(buf), 2));
}

static long do_read_fault(const struct place *p)
{
	return WITH(at(p, "file"), O_RDONLY, pread(fd, bad_address(), 5, 2));
}

static long do_write(const struct place *p)
{
	return WITH(at(p, "file"), O_WRONLY, pwrite(fd, "abcd", 4, 3));
}

static long do_write_fault(const struct place *p)
{
	return WITH(at(p, "file"), O_WRONLY, pwrite(fd, bad_address(), 4, 3));
}

static long do_mmap(const struct place *p)
{
	int fd = open(at(p, "file"), O_RDONLY | O_CLOEXEC);
	void *map;
	long ret;

	if (fd < 0)
		return -errno;
	map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	ret = map == MAP_FAILED ? -errno : RES(munmap(map, 4096));
	close(fd);
	return ret;
}

static long do_statfs(const struct place *p)
{
	struct statfs sfs;

	return RES(statfs(at(p, "file"), &sfs));
}

static long do_syncfs(const struct place *p)
{
	return WITH(at(p, "file"), O_RDONLY, syncfs(fd));
}

static long do_fsync(const struct place *p)
{
	return WITH(at(p, "file"), O_WRONLY, fdatasync(fd));
}

static long do_fsyncdir(const struct place *p)
{
	return WITH(at(p, "sub"), O_RDONLY, fsync(fd));
}

static long do_flush(const struct place *p)
{
	int fd = open(at(p, "file"), O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : RES(close(fd));
}

static long do_releasedir(const struct place *p)
{
	int fd = open(at(p, "sub"), O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : RES(close(fd));
}

static long do_setxattr(const struct place *p)
{
	return RES(setxattr(at(p, "file"), "user.new", "1234", 4, XATTR_CREATE));
}

static long do_setxattr_missing(const struct place *p)
{
	return RES(setxattr(at(p, "file"), "user.none", "1234", 4, XATTR_REPLACE));
}

static long do_getxattr(const struct place *p)
{
	char buf[32];

	return RES(getxattr(at(p, "file"), KEY, buf, sizeof(buf)));
}

static long do_getxattr_missing(const struct place *p)
{
	char buf[32];

	return RES(getxattr(at(p, "file"), "user.none", buf, sizeof(buf)));
}

static long do_listxattr(const struct place *p)
{
	char buf[32];

	return RES(listxattr(at(p, "file"), buf, sizeof(buf)));
}

static long do_listxattr_small(const struct place *p)
{
	char buf[2];

	return RES(listxattr(at(p, "file"), buf, sizeof(buf)));
}

static long do_removexattr(const struct place *p)
{
	return RES(removexattr(at(p, "file"), KEY));
}

static long do_removexattr_missing(const struct place *p)
{
	return RES(removexattr(at(p, "file"), "user.none"));
}

/* To its end: entries that were shown already count for more than an error */
static long do_readdir(const struct place *p)
{
	int fd = open(at(p, "full"), O_RDONLY | O_CLOEXEC);
	char buf[1024];
	long ret;

	if (fd < 0)
		return -errno;
	do
		ret = RES(getdents64(fd, buf, sizeof(buf)));
	while (ret > 0);
	close(fd);
	return ret;
}

static long do_dirent(const struct place *p)
{
	DIR *dir = opendir(at(p, "full"));
	struct dirent *entry;
	int nr = 0;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir)))
		nr += !strcmp(entry->d_name, "in");
	closedir(dir);
	return nr;
}

static long lock_file(const struct place *p, int cmd)
{
	struct flock lock = { .l_type = F_RDLCK, .l_start = 2, .l_len = 3 };

	return WITH(at(p, "file"), O_RDONLY, fcntl(fd, cmd, &lock));
}

static long do_getlk(const struct place *p)
{
	return lock_file(p, F_GETLK);
}

static long do_setlk(const struct place *p)
{
	return lock_file(p, F_SETLK);
}

static long do_setlk_held(const struct place *p)
{
	int other = open(in(p->back, "file"), O_RDONLY | O_CLOEXEC);
	long ret;

	if (other < 0 || flock(other, LOCK_EX))
		return -errno;
	ret = WITH(at(p, "file"), O_RDONLY, flock(fd, LOCK_SH | LOCK_NB));
	close(other);
	return ret;
}

static long do_setlkw(const struct place *p)
{
	return lock_file(p, F_SETLKW);
}

static long do_access(const struct place *p)
{
	return RES(faccessat(AT_FDCWD, at(p, "file"), R_OK | W_OK, AT_EACCESS));
}

static long do_ioctl(const struct place *p)
{
	int flags;

	return WITH(at(p, "file"), O_RDONLY, ioctl(fd, FS_IOC_GETFLAGS, &flags));
}

static long do_fallocate(const struct place *p)
{
	return WITH(at(p, "file"), O_WRONLY, fallocate(fd, FALLOC_FL_KEEP_SIZE, 20, 100));
}

static long do_fallocate_refused(const struct place *p)
{
	return WITH(at(p, "file"), O_WRONLY,
		    fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 4096));
}

static long do_lseek(const struct place *p)
{
	return WITH(at(p, "file"), O_RDONLY, lseek(fd, -3, SEEK_END));
}

static long do_lseek_before(const struct place *p)
{
	return WITH(at(p, "file"), O_RDONLY, lseek(fd, -30, SEEK_END));
}

static long do_copy(const struct place *p)
{
	off_t from = 2, to = 1;
	int out = open(at(p, "other"), O_WRONLY | O_CLOEXEC);
	long ret;

	if (out < 0)
		return -errno;
	ret = WITH(at(p, "file"), O_RDONLY, copy_file_range(fd, &from, out, &to, 5, 0));
	close(out);
	return ret;
}

#define NODE(path) .node = path
#define NAME(text) .in_place = true, .name = text

const struct operation operations[] = {
	{ FUSE_LOOKUP, .run = do_stat, NAME("file"),
	  .fail = do_stat_missing, .error = ENOENT },
	{ FUSE_GETATTR, .run = do_stat, NODE("file") },
	{ FUSE_SETATTR, .run = do_chmod, NODE("file") },
	{ FUSE_READLINK, .run = do_readlink, .returns = 4, NODE("link") },
	{ FUSE_SYMLINK, .run = do_symlink, NAME("new") },
	{ FUSE_MKNOD, .run = do_mknod, NAME("new") },
	{ FUSE_MKDIR, .run = do_mkdir, NAME("new") },
	{ FUSE_UNLINK, .run = do_unlink, NODE("file"), NAME("file") },
	{ FUSE_RMDIR, .run = do_rmdir, NODE("sub"), NAME("sub"),
	  .fail = do_rmdir_full, .error = ENOTEMPTY },
	{ FUSE_RENAME2, .run = do_rename, NODE("file"), NAME("file"),
	  .fail = do_rename_over_full, .error = ENOTEMPTY },
	{ FUSE_LINK, .run = do_link, NODE("file"), NAME("new") },
	{ FUSE_OPEN, .run = do_open, NODE("file") },
	{ FUSE_OPENDIR, .run = do_opendir, NODE("sub") },
	{ FUSE_CREATE, .run = do_create, NAME("new") },
	{ FUSE_TMPFILE, .run = do_tmpfile, NAME("") },
	{ FUSE_READ, .run = do_read, .returns = 5, .result = 5, NODE("file"),
	  .fail = do_read_fault, .error = EFAULT },
	{ FUSE_WRITE, .run = do_write, .returns = 4, .result = 4, NODE("file"),
	  .fail = do_write_fault, .error = EFAULT },
	{ FUSE_FILTER_OP_MMAP, OPERATION_NO_POST, .run = do_mmap, NODE("file") },
	{ FUSE_STATFS, .run = do_statfs, NODE("file") },
	{ FUSE_SYNCFS, .run = do_syncfs, NODE("/") },
	{ FUSE_FSYNC, .run = do_fsync, NODE("file") },
	{ FUSE_FSYNCDIR, .run = do_fsyncdir, NODE("sub") },
	{ FUSE_FLUSH, .run = do_flush, NODE("file") },
	{ FUSE_RELEASE, OPERATION_NO_ANSWER | OPERATION_NO_POST, .run = do_flush,
	  NODE("file") },
	{ FUSE_RELEASEDIR, OPERATION_NO_ANSWER | OPERATION_NO_POST, .run = do_releasedir,
	  NODE("sub") },
	{ FUSE_SETXATTR, .run = do_setxattr, NODE("file"),
	  .fail = do_setxattr_missing, .error = ENODATA },
	{ FUSE_GETXATTR, .run = do_getxattr, .returns = 5, .result = 5, NODE("file"),
	  .fail = do_getxattr_missing, .error = ENODATA },
	{ FUSE_LISTXATTR, .run = do_listxattr, .returns = sizeof(KEY), .result = sizeof(KEY),
	  NODE("file"), .fail = do_listxattr_small, .error = ERANGE },
	{ FUSE_REMOVEXATTR, .run = do_removexattr, NODE("file"),
	  .fail = do_removexattr_missing, .error = ENODATA },
	{ FUSE_FILTER_OP_XATTR_NAME, OPERATION_HIDES | OPERATION_NO_POST,
	  .run = do_listxattr, .returns = sizeof(KEY), NODE("file") },
	{ FUSE_READDIR, .run = do_readdir, NODE("full") },
	{ FUSE_FILTER_OP_DIRENT, OPERATION_HIDES | OPERATION_NO_POST, .run = do_dirent,
	  .returns = 1, .name = "in" },
	{ FUSE_GETLK, .run = do_getlk, NODE("file") },
	{ FUSE_SETLK, .run = do_setlk, NODE("file"), .fail = do_setlk_held, .error = EAGAIN },
	{ FUSE_SETLKW, .run = do_setlkw, NODE("file") },
	{ FUSE_ACCESS, .run = do_access, NODE("file") },
	{ FUSE_IOCTL, .run = do_ioctl, NODE("file") },
	{ FUSE_FALLOCATE, .run = do_fallocate, NODE("file"),
	  .fail = do_fallocate_refused, .error = EOPNOTSUPP },
	{ FUSE_LSEEK, .run = do_lseek, .returns = 7, .result = 7, NODE("file"),
	  .fail = do_lseek_before, .error = EINVAL },
	{ FUSE_COPY_FILE_RANGE, .run = do_copy, .returns = 5, .result = 5, NODE("file") },
};

const size_t nr_operations = sizeof(operations) / sizeof(operations[0]);
