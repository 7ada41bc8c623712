// SPDX-License-Identifier: GPL-2.0-only
/*
 * mirror: a server that mirrors a directory, written as people write them, for
 * libfuse's high-level interface. The kernel's side of the mount exists already:
 *
 *	mirror SOURCE /dev/fd/N
 *
 * with N an open FUSE device that is mounted. No page is written back later than
 * the call that wrote it.
 */
#define FUSE_USE_VERSION 317

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Directory that is mirrored, opened */
static int source;

/* libfuse's paths begin with a slash; ours are relative to the source. */
static const char *relative(const char *path)
{
	return path[1] ? path + 1 : ".";
}

/* Calls that have no form relative to a descriptor */
static const char *by_proc(char *buf, const char *path)
{
	snprintf(buf, PATH_MAX, "/proc/self/fd/%d/%s", source, relative(path));
	return buf;
}

static int result(int res)
{
	return res < 0 ? -errno : 0;
}

static void *mirror_init(struct fuse_conn_info *conn, struct fuse_config *cfg)
{
	conn->want &= ~FUSE_CAP_WRITEBACK_CACHE;
	cfg->use_ino = 1;
	cfg->entry_timeout = 1;
	cfg->attr_timeout = 0;
	return NULL;
}

static int mirror_getattr(const char *path, struct stat *st, struct fuse_file_info *fi)
{
	if (fi)
		return result(fstat(fi->fh, st));
	return result(fstatat(source, relative(path), st, AT_SYMLINK_NOFOLLOW));
}

static int mirror_readlink(const char *path, char *buf, size_t size)
{
	ssize_t len = readlinkat(source, relative(path), buf, size - 1);

	if (len < 0)
		return -errno;
	buf[len] = '\0';
	return 0;
}

static int mirror_mknod(const char *path, mode_t mode, dev_t rdev)
{
	return result(mknodat(source, relative(path), mode, rdev));
}

static int mirror_mkdir(const char *path, mode_t mode)
{
	return result(mkdirat(source, relative(path), mode));
}

static int mirror_unlink(const char *path)
{
	return result(unlinkat(source, relative(path), 0));
}

static int mirror_rmdir(const char *path)
{
	return result(unlinkat(source, relative(path), AT_REMOVEDIR));
}

static int mirror_symlink(const char *target, const char *path)
{
	return result(symlinkat(target, source, relative(path)));
}

static int mirror_rename(const char *from, const char *to, unsigned int flags)
{
	return result(renameat2(source, relative(from), source, relative(to), flags));
}

static int mirror_link(const char *from, const char *to)
{
	return result(linkat(source, relative(from), source, relative(to), 0));
}

static int mirror_chmod(const char *path, mode_t mode, struct fuse_file_info *fi)
{
	if (fi)
		return result(fchmod(fi->fh, mode));
	return result(fchmodat(source, relative(path), mode, 0));
}

static int mirror_chown(const char *path, uid_t uid, gid_t gid, struct fuse_file_info *fi)
{
	if (fi)
		return result(fchown(fi->fh, uid, gid));
	return result(fchownat(source, relative(path), uid, gid, AT_SYMLINK_NOFOLLOW));
}

static int mirror_truncate(const char *path, off_t size, struct fuse_file_info *fi)
{
	char buf[PATH_MAX];

	if (fi)
		return result(ftruncate(fi->fh, size));
	return result(truncate(by_proc(buf, path), size));
}

static int mirror_utimens(const char *path, const struct timespec times[2],
			  struct fuse_file_info *fi)
{
	if (fi)
		return result(futimens(fi->fh, times));
	return result(utimensat(source, relative(path), times, AT_SYMLINK_NOFOLLOW));
}

static int open_any(const char *path, int flags, mode_t mode, struct fuse_file_info *fi)
{
	int fd = openat(source, relative(path), flags | O_CLOEXEC, mode);

	if (fd < 0)
		return -errno;
	fi->fh = fd;
	return 0;
}

static int mirror_open(const char *path, struct fuse_file_info *fi)
{
	return open_any(path, fi->flags & ~O_NOFOLLOW, 0, fi);
}

static int mirror_create(const char *path, mode_t mode, struct fuse_file_info *fi)
{
	return open_any(path, fi->flags, mode, fi);
}

static int mirror_read(const char *path, char *buf, size_t size, off_t off,
		       struct fuse_file_info *fi)
{
	ssize_t len = pread(fi->fh, buf, size, off);

	(void)path;
	return len < 0 ? -errno : len;
}

static int mirror_write(const char *path, const char *buf, size_t size, off_t off,
			struct fuse_file_info *fi)
{
	ssize_t len = pwrite(fi->fh, buf, size, off);

	(void)path;
	return len < 0 ? -errno : len;
}

static int mirror_statfs(const char *path, struct statvfs *st)
{
	(void)path;
	return result(fstatvfs(source, st));
}

static int mirror_flush(const char *path, struct fuse_file_info *fi)
{
	(void)path;
	return result(close(dup(fi->fh)));
}

static int mirror_release(const char *path, struct fuse_file_info *fi)
{
	(void)path;
	return result(close(fi->fh));
}

static int mirror_fsync(const char *path, int datasync, struct fuse_file_info *fi)
{
	(void)path;
	return result(datasync ? fdatasync(fi->fh) : fsync(fi->fh));
}

static int mirror_setxattr(const char *path, const char *name, const char *value, size_t size,
			   int flags)
{
	char buf[PATH_MAX];

	return result(lsetxattr(by_proc(buf, path), name, value, size, flags));
}

static int mirror_getxattr(const char *path, const char *name, char *value, size_t size)
{
	char buf[PATH_MAX];
	ssize_t len = lgetxattr(by_proc(buf, path), name, value, size);

	return len < 0 ? -errno : len;
}

static int mirror_listxattr(const char *path, char *list, size_t size)
{
	char buf[PATH_MAX];
	ssize_t len = llistxattr(by_proc(buf, path), list, size);

	return len < 0 ? -errno : len;
}

static int mirror_removexattr(const char *path, const char *name)
{
	char buf[PATH_MAX];

	return result(lremovexattr(by_proc(buf, path), name));
}

static int mirror_opendir(const char *path, struct fuse_file_info *fi)
{
	int fd = openat(source, relative(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir)
		return -errno;
	fi->fh = (unsigned long)dir;
	return 0;
}

static int mirror_readdir(const char *path, void *buf, fuse_fill_dir_t fill, off_t off,
			  struct fuse_file_info *fi, enum fuse_readdir_flags flags)
{
	DIR *dir = (DIR *)(unsigned long)fi->fh;
	enum fuse_fill_dir_flags plus = 0;
	struct dirent *entry;
	struct stat st;

	(void)path;
	(void)off;
	rewinddir(dir);
	while ((entry = readdir(dir))) {
		memset(&st, 0, sizeof(st));
		st.st_ino = entry->d_ino;
		st.st_mode = DTTOIF(entry->d_type);
		plus = 0;
		if (flags & FUSE_READDIR_PLUS &&
		    !fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW))
			plus = FUSE_FILL_DIR_PLUS;
		if (fill(buf, entry->d_name, &st, 0, plus))
			break;
	}
	return 0;
}

static int mirror_releasedir(const char *path, struct fuse_file_info *fi)
{
	(void)path;
	return result(closedir((DIR *)(unsigned long)fi->fh));
}

static int mirror_flock(const char *path, struct fuse_file_info *fi, int op)
{
	(void)path;
	return result(flock(fi->fh, op));
}

static int mirror_fallocate(const char *path, int mode, off_t off, off_t len,
			    struct fuse_file_info *fi)
{
	(void)path;
	return result(fallocate(fi->fh, mode, off, len));
}

static off_t mirror_lseek(const char *path, off_t off, int whence, struct fuse_file_info *fi)
{
	off_t res = lseek(fi->fh, off, whence);

	(void)path;
	return res < 0 ? -errno : res;
}

static const struct fuse_operations operations = {
	.init = mirror_init,
	.getattr = mirror_getattr,
	.readlink = mirror_readlink,
	.mknod = mirror_mknod,
	.mkdir = mirror_mkdir,
	.unlink = mirror_unlink,
	.rmdir = mirror_rmdir,
	.symlink = mirror_symlink,
	.rename = mirror_rename,
	.link = mirror_link,
	.chmod = mirror_chmod,
	.chown = mirror_chown,
	.truncate = mirror_truncate,
	.utimens = mirror_utimens,
	.open = mirror_open,
	.create = mirror_create,
	.read = mirror_read,
	.write = mirror_write,
	.statfs = mirror_statfs,
	.flush = mirror_flush,
	.release = mirror_release,
	.fsync = mirror_fsync,
	.setxattr = mirror_setxattr,
	.getxattr = mirror_getxattr,
	.listxattr = mirror_listxattr,
	.removexattr = mirror_removexattr,
	.opendir = mirror_opendir,
	.readdir = mirror_readdir,
	.releasedir = mirror_releasedir,
	.flock = mirror_flock,
	.fallocate = mirror_fallocate,
	.lseek = mirror_lseek,
};

int main(int argc, char *argv[])
{
	char *args[] = { argv[0], NULL };
	struct fuse_args fargs = FUSE_ARGS_INIT(1, args);
	struct fuse *fuse;
	int res = -1;

	if (argc != 3) {
		fprintf(stderr, "usage: mirror SOURCE /dev/fd/N\n");
		return 2;
	}
	umask(0);
	source = open(argv[1], O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (source < 0) {
		perror(argv[1]);
		return 1;
	}
	fuse = fuse_new(&fargs, &operations, sizeof(operations), NULL);
	if (fuse && !fuse_mount(fuse, argv[2]))
		res = fuse_loop(fuse);
	/* What an unmount ends while a request is read, a close in the background say */
	return res && res != -ECONNABORTED;
}
