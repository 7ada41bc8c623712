// SPDX-License-Identifier: GPL-2.0-only
/*
 * Making a recorded request again, as its caller, so that the kernel asks the filters of
 * the replay the same. What is there and what is not is for each request as it was; and
 * nothing changes, see replay.bpf.c.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "replay.h"

/* What the kernel adds to the flags of a file that is opened to be executed */
#define OPENED_TO_EXECUTE 040
#define XATTR "user.fuse_bpf_replay"

/* What a request needs */
enum need {
	NEED_NODE = 1 << 0,	/* the file that it is about */
	NEED_FILE = 1 << 1,	/* the same, open */
	NEED_NAME = 1 << 2,	/* a name in a directory */
	NEED_GONE = 1 << 3,	/* with nothing there */
	NEED_THERE = 1 << 4,	/* with something there */
};

/**
 * struct operation - how a request is made again
 * @need: enum need
 * @mode: type of what is there, 0: of the request
 * @run: makes it; negative errno or 0
 */
struct operation {
	unsigned int need;
	__u32 mode;
	int (*run)(const struct request *request);
};

static const char *self(const struct place *place)
{
	static char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", place->fd);
	return path;
}

static int result(long ret)
{
	return ret < 0 ? -errno : 0;
}

/* What should have been refused and was not must not stay open either */
static int close_result(int fd)
{
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int run_lookup(const struct request *request)
{
	struct stat st;

	return result(fstatat(request->dir->fd, request->name, &st, AT_SYMLINK_NOFOLLOW));
}

static int run_getattr(const struct request *request)
{
	struct stat st;

	return result(fstatat(request->node->fd, "", &st, AT_EMPTY_PATH));
}

static int run_setattr(const struct request *request)
{
	return result(utimensat(AT_FDCWD, self(request->node), NULL, 0));
}

static int run_readlink(const struct request *request)
{
	char target[64];

	return result(readlinkat(request->node->fd, "", target, sizeof(target)));
}

static int run_symlink(const struct request *request)
{
	return result(symlinkat("replay", request->dir->fd, request->name));
}

static int run_mknod(const struct request *request)
{
	return result(mknodat(request->dir->fd, request->name, request->mode, 0));
}

static int run_mkdir(const struct request *request)
{
	return result(mkdirat(request->dir->fd, request->name, 0777));
}

static int run_unlink(const struct request *request)
{
	return result(unlinkat(request->dir->fd, request->name, 0));
}

static int run_rmdir(const struct request *request)
{
	return result(unlinkat(request->dir->fd, request->name, AT_REMOVEDIR));
}

static int run_rename(const struct request *request)
{
	return result(renameat2(request->dir->fd, request->name, request->newdir->fd,
				request->newname, request->flags));
}

static int run_link(const struct request *request)
{
	if (!request->node)
		return -EOPNOTSUPP;
	return result(linkat(AT_FDCWD, self(request->node), request->dir->fd, request->name,
			     AT_SYMLINK_FOLLOW));
}

/* The file is empty, and so no program that could take the place of this one. */
static int run_exec(const struct request *request)
{
	char *const none[] = { NULL };

	syscall(SYS_execveat, request->node->fd, "", none, none, AT_EMPTY_PATH);
	return -errno;
}

static int run_open(const struct request *request)
{
	int flags = request->flags & (O_ACCMODE | O_APPEND | O_TRUNC);

	/* Opening anything else might do something */
	if (!S_ISREG(request->node->mode))
		return -EOPNOTSUPP;
	if (request->flags & OPENED_TO_EXECUTE)
		return run_exec(request);
	return close_result(open(self(request->node), flags | O_CLOEXEC));
}

static int run_opendir(const struct request *request)
{
	return close_result(open(self(request->node), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int run_create(const struct request *request)
{
	int flags = request->flags & (O_ACCMODE | O_APPEND | O_TRUNC);

	return close_result(openat(request->dir->fd, request->name,
				   flags | O_CREAT | O_EXCL | O_CLOEXEC, 0777));
}

/* A file without a name is made in a directory, and that is all that is known of it. */
static const struct place *directory_of(const struct request *request)
{
	return request->dir ?: request->node;
}

static int run_tmpfile(const struct request *request)
{
	return close_result(openat(directory_of(request)->fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0777));
}

static int run_read(const struct request *request)
{
	char byte;

	return result(pread(request->node->file_fd, &byte, 1, 0));
}

static int run_write(const struct request *request)
{
	return result(pwrite(request->node->file_fd, "", 1, 0));
}

static int run_mmap(const struct request *request)
{
	void *at = mmap(NULL, 1, request->flags & (PROT_READ | PROT_WRITE | PROT_EXEC),
			MAP_PRIVATE, request->node->file_fd, 0);

	if (at == MAP_FAILED)
		return -errno;
	munmap(at, 1);
	return 0;
}

static int list(const struct place *dir)
{
	char entries[32768];
	long nr;

	if (lseek(dir->file_fd, 0, SEEK_SET) < 0)
		return -errno;
	do {
		nr = syscall(SYS_getdents64, dir->file_fd, entries, sizeof(entries));
	} while (nr > 0);
	return result(nr);
}

static int run_readdir(const struct request *request)
{
	return list(request->node);
}

static int run_dirent(const struct request *request)
{
	return list(request->dir);
}

static int run_statfs(const struct request *request)
{
	struct statfs sfs;

	return result(fstatfs(request->node->fd, &sfs));
}

static int run_fsync(const struct request *request)
{
	return result(fsync(request->node->file_fd));
}

static int run_setxattr(const struct request *request)
{
	return result(setxattr(self(request->node), XATTR, "", 0, 0));
}

static int run_getxattr(const struct request *request)
{
	return result(getxattr(self(request->node), XATTR, NULL, 0));
}

static int run_listxattr(const struct request *request)
{
	return result(listxattr(self(request->node), NULL, 0));
}

static int run_removexattr(const struct request *request)
{
	return result(removexattr(self(request->node), XATTR));
}

static int run_access(const struct request *request)
{
	return result(syscall(SYS_faccessat2, request->node->fd, "", request->flags & 7,
			      AT_EMPTY_PATH | AT_EACCESS));
}

static int run_fallocate(const struct request *request)
{
	return result(fallocate(request->node->file_fd, 0, 0, 1));
}

static int run_ioctl(const struct request *request)
{
	long version;

	return result(ioctl(request->node->file_fd, FS_IOC_GETVERSION, &version));
}

static int run_lseek(const struct request *request)
{
	return result(lseek(request->node->file_fd, 0, SEEK_DATA));
}

static const struct operation operations[] = {
	[FUSE_LOOKUP] = { NEED_NAME, 0, run_lookup },
	[FUSE_GETATTR] = { NEED_NODE, 0, run_getattr },
	[FUSE_SETATTR] = { NEED_NODE, 0, run_setattr },
	[FUSE_READLINK] = { NEED_NODE, 0, run_readlink },
	[FUSE_SYMLINK] = { NEED_NAME | NEED_GONE, 0, run_symlink },
	[FUSE_MKNOD] = { NEED_NAME | NEED_GONE, 0, run_mknod },
	[FUSE_MKDIR] = { NEED_NAME | NEED_GONE, 0, run_mkdir },
	[FUSE_UNLINK] = { NEED_NAME | NEED_THERE, S_IFREG, run_unlink },
	[FUSE_RMDIR] = { NEED_NAME | NEED_THERE, S_IFDIR, run_rmdir },
	[FUSE_LINK] = { NEED_NAME | NEED_GONE, 0, run_link },
	[FUSE_OPEN] = { NEED_NODE, 0, run_open },
	[FUSE_READ] = { NEED_FILE, 0, run_read },
	[FUSE_WRITE] = { NEED_FILE, 0, run_write },
	[FUSE_STATFS] = { NEED_NODE, 0, run_statfs },
	[FUSE_FSYNC] = { NEED_FILE, 0, run_fsync },
	[FUSE_SETXATTR] = { NEED_NODE, 0, run_setxattr },
	[FUSE_GETXATTR] = { NEED_NODE, 0, run_getxattr },
	[FUSE_LISTXATTR] = { NEED_NODE, 0, run_listxattr },
	[FUSE_REMOVEXATTR] = { NEED_NODE, 0, run_removexattr },
	[FUSE_OPENDIR] = { NEED_NODE, 0, run_opendir },
	[FUSE_READDIR] = { NEED_FILE, 0, run_readdir },
	[FUSE_FSYNCDIR] = { NEED_FILE, 0, run_fsync },
	[FUSE_ACCESS] = { NEED_NODE, 0, run_access },
	[FUSE_CREATE] = { NEED_NAME | NEED_GONE, 0, run_create },
	[FUSE_IOCTL] = { NEED_FILE, 0, run_ioctl },
	[FUSE_FALLOCATE] = { NEED_FILE, 0, run_fallocate },
	[FUSE_RENAME2] = { NEED_NAME | NEED_THERE, S_IFREG, run_rename },
	[FUSE_LSEEK] = { NEED_FILE, 0, run_lseek },
	[FUSE_TMPFILE] = { 0, 0, run_tmpfile },
	[FUSE_FILTER_OP_DIRENT] = { NEED_NAME | NEED_THERE, 0, run_dirent },
	[FUSE_FILTER_OP_MMAP] = { NEED_FILE, 0, run_mmap },
};

static const struct operation *operation_of(const struct request *request)
{
	const struct operation *operation = &operations[request->opcode];

	return request->opcode < ARRAY_SIZE(operations) && operation->run ? operation : NULL;
}

/* replay_needs_file - must what the request is about be open? */
bool replay_needs_file(const struct request *request)
{
	const struct operation *operation = operation_of(request);

	return operation && (operation->need & NEED_FILE ||
			     request->opcode == FUSE_FILTER_OP_DIRENT);
}

/* replay_can - is all there that is needed to make the request again? */
bool replay_can(const struct request *request)
{
	const struct operation *operation = operation_of(request);

	if (!operation)
		return false;
	if (operation->need & NEED_NAME &&
	    !(request->name && request->dir && request->dir->fd >= 0))
		return false;
	if (request->opcode == FUSE_RENAME2)
		return request->newname && request->newdir && request->newdir->fd >= 0;
	if (request->opcode == FUSE_FILTER_OP_DIRENT)
		return request->dir->file_fd >= 0;
	if (operation->need & NEED_FILE)
		return request->node && request->node->file_fd >= 0;
	if (operation->need & NEED_NODE)
		return request->node && request->node->fd >= 0;
	return operation->need || (directory_of(request) && directory_of(request)->fd >= 0);
}

/* struct wanted - what is to be at a name: nothing, a certain file, or one of a type */
struct wanted {
	bool there;
	const struct place *file;
	__u32 mode;
};

static int make(const struct replay *replay, const char *path, const struct wanted *wanted)
{
	char file[4096];

	if (wanted->file && S_ISREG(wanted->file->mode))
		return replay_place_path(wanted->file, NULL, file, sizeof(file)) ?:
		       result(linkat(replay->tree_fd, file, replay->tree_fd, path, 0));
	if (S_ISDIR(wanted->mode))
		return result(mkdirat(replay->tree_fd, path, 0777));
	if (S_ISLNK(wanted->mode))
		return result(symlinkat("replay", replay->tree_fd, path));
	return result(mknodat(replay->tree_fd, path, (wanted->mode ?: S_IFREG) | 0777, 0));
}

static const char *away_name(const struct replay *replay, const struct shifted *shifted)
{
	return shifted == &replay->shifted[0] ? "0" : "1";
}

static int shift(struct replay *replay, struct shifted *shifted, const struct place *dir,
		 const char *name, const struct wanted *wanted)
{
	int err = replay_place_path(dir, name, shifted->path, sizeof(shifted->path));
	bool is;

	if (err)
		return err;
	shifted->dir = dir;
	shifted->name = name;
	is = !faccessat(replay->tree_fd, shifted->path, F_OK, AT_SYMLINK_NOFOLLOW);
	if (is == wanted->there)
		return 0;
	if (is) {
		err = result(renameat(replay->tree_fd, shifted->path, replay->away_fd,
				      away_name(replay, shifted)));
		shifted->away = !err;
	} else {
		err = make(replay, shifted->path, wanted);
		shifted->made = !err;
	}
	return err;
}

/* The mount must not go on knowing the name: it would be one of the file's for filters. */
static void shift_back(struct replay *replay, struct shifted *shifted)
{
	struct stat st;

	if (shifted->away)
		renameat(replay->away_fd, away_name(replay, shifted), replay->tree_fd,
			 shifted->path);
	if (shifted->made && unlinkat(replay->tree_fd, shifted->path, 0) && errno == EISDIR)
		unlinkat(replay->tree_fd, shifted->path, AT_REMOVEDIR);
	if (shifted->made)
		fstatat(shifted->dir->fd, shifted->name, &st, AT_SYMLINK_NOFOLLOW);
	shifted->away = false;
	shifted->made = false;
}

/* Let the names be there, or not, that were when it was recorded. */
static int arrange(struct replay *replay, const struct request *request,
		   const struct operation *operation)
{
	struct wanted wanted = {
		.there = operation->need & NEED_THERE,
		.file = request->node,
		.mode = operation->mode ?: request->mode & S_IFMT,
	};
	int err;

	if (request->opcode == FUSE_LOOKUP) {
		wanted.there = request->found;
		wanted.file = request->found;
		if (!request->asked)
			return 0;
	} else if (!(operation->need & (NEED_GONE | NEED_THERE))) {
		return 0;
	}
	if (wanted.there && wanted.file)
		wanted.mode = wanted.file->mode;
	err = shift(replay, &replay->shifted[0], request->dir, request->name, &wanted);
	if (err || request->opcode != FUSE_RENAME2)
		return err;
	wanted.there = request->flags & RENAME_EXCHANGE;
	wanted.file = NULL;
	return shift(replay, &replay->shifted[1], request->newdir, request->newname, &wanted);
}

/*
 * File system ids are what filters see. With its capabilities again, this thread is
 * refused by nobody else.
 */
static int become(__u32 uid, __u32 gid)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	int i;

	syscall(SYS_setfsgid, gid);
	syscall(SYS_setfsuid, uid);
	/* Neither says whether it did anything */
	if (syscall(SYS_setfsgid, -1) != (long)gid || syscall(SYS_setfsuid, -1) != (long)uid)
		return -EPERM;
	if (syscall(SYS_capget, &header, data))
		return -errno;
	for (i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		data[i].effective = data[i].permitted;
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

/**
 * replay_do - make a request again
 * @replay: the replay
 * @request: one for which replay_can() returned true
 *
 * Afterwards this thread is the caller until replay_undo(), which must follow.
 *
 * Return: 0 or a negative errno; what it says of the request, the filters decide
 */
int replay_do(struct replay *replay, const struct request *request)
{
	const struct operation *operation = operation_of(request);
	int err = arrange(replay, request, operation);

	if (!err)
		err = become(request->uid, request->gid);
	return err ?: operation->run(request);
}

/* replay_undo - let the tree be as it was before replay_do() */
void replay_undo(struct replay *replay)
{
	/* Still as who asked, to whom the filters say the same of the name */
	shift_back(replay, &replay->shifted[1]);
	shift_back(replay, &replay->shifted[0]);
	become(0, 0);
}
