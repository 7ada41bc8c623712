// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls that open files and deal with what they hold.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "oracle.h"
#include "util.h"

static bool is_fifo(int fd, const char *path, int flags)
{
	struct stat st;

	return !fstatat(fd, path, &st, flags) && S_ISFIFO(st.st_mode);
}

/* A FIFO of the mount and that of the backing are two: only one of them is used here. */
static long call_open(struct step *s)
{
	unsigned int base = s->op->arg[1];
	bool behind = base ? s->actor->is_behind[base - 1] : s->op->behind;
	const char *path = arg_path(s, 2);
	int dir = arg_base(s, 1);

	if (behind && is_fifo(dir, path, 0))
		return NOT_DONE;
	return set_slot(s, s->op->arg[0], openat(dir, path, arg(s, 3), arg(s, 4)), behind);
}

/* What is known by a descriptor is opened once more, not the link that leads to it. */
static long call_reopen(struct step *s)
{
	bool behind = s->actor->is_behind[s->op->arg[1]];
	char path[32];

	if (behind && is_fifo(arg_fd(s, 1), "", AT_EMPTY_PATH))
		return NOT_DONE;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", arg_fd(s, 1));
	return set_slot(s, s->op->arg[0], open(path, arg(s, 2) & ~O_NOFOLLOW, 0600), behind);
}

static long call_dup(struct step *s)
{
	bool behind = s->actor->is_behind[s->op->arg[1]];

	return set_slot(s, s->op->arg[0], fcntl(arg_fd(s, 1), F_DUPFD_CLOEXEC, 0), behind);
}

static long call_close(struct step *s)
{
	int *fd = &s->actor->fd[s->side][s->op->arg[0]];
	long ret = RES(close(*fd));

	*fd = -1;
	return ret;
}

/* The data of a read, as far as there are any */
static long got(struct step *s, ssize_t len)
{
	s->out->len = len < 0 ? 0 : len;
	return RES(len);
}

static long call_read(struct step *s)
{
	return got(s, read(arg_fd(s, 0), s->out->data, arg(s, 1)));
}

static long call_pread(struct step *s)
{
	return got(s, pread(arg_fd(s, 0), s->out->data, arg(s, 1), arg(s, 2)));
}

/* Where some file systems end */
#define TOO_FAR ((1L << 44) - 4096)

/*
 * A file loses set-id bits and capabilities on the mount before the backing is asked for a
 * change, and so also if that refuses it. Natively it is the other way round: what is
 * known to be refused is therefore not tried with a file that has any.
 */
static bool loses_in_vain(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && ((st.st_mode & (S_ISUID | S_ISGID)) ||
	       fgetxattr(fd, "security.capability", NULL, 0) > 0);
}

/* Too far, or direct, which minds where it goes */
static bool may_not_write(int fd, long offset)
{
	struct stat st;

	if (offset < TOO_FAR && !fstat(fd, &st) && st.st_size < TOO_FAR &&
	    !(fcntl(fd, F_GETFL) & O_DIRECT))
		return false;
	return loses_in_vain(fd);
}

static long call_write(struct step *s)
{
	if (may_not_write(arg_fd(s, 0), lseek(arg_fd(s, 0), 0, SEEK_CUR)))
		return NOT_DONE;
	return RES(write(arg_fd(s, 0), fill(arg(s, 1), arg(s, 2)), arg(s, 2)));
}

static long call_pwrite(struct step *s)
{
	if (may_not_write(arg_fd(s, 0), arg(s, 3)))
		return NOT_DONE;
	return RES(pwrite(arg_fd(s, 0), fill(arg(s, 1), arg(s, 2)), arg(s, 2), arg(s, 3)));
}

/* Three parts, the second of which is empty */
static void split(struct iovec iov[3], unsigned char *buf, size_t len)
{
	iov[0] = (struct iovec){ buf, len / 3 };
	iov[1] = (struct iovec){ buf + len / 3, 0 };
	iov[2] = (struct iovec){ buf + len / 3, len - len / 3 };
}

static long call_preadv2(struct step *s)
{
	struct iovec iov[3];

	split(iov, s->out->data, arg(s, 1));
	return got(s, preadv2(arg_fd(s, 0), iov, 3, arg(s, 2), arg(s, 3)));
}

static long call_pwritev2(struct step *s)
{
	long offset = arg(s, 3) < 0 ? lseek(arg_fd(s, 0), 0, SEEK_CUR) : arg(s, 3);
	struct iovec iov[3];

	if (may_not_write(arg_fd(s, 0), offset))
		return NOT_DONE;
	split(iov, (unsigned char *)fill(arg(s, 1), arg(s, 2)), arg(s, 2));
	return RES(pwritev2(arg_fd(s, 0), iov, 3, arg(s, 3), arg(s, 4)));
}

static long call_lseek(struct step *s)
{
	return RES(lseek(arg_fd(s, 0), arg(s, 1), arg(s, 2)));
}

static long call_truncate(struct step *s)
{
	char path[64];
	int fd = openat(s->root, arg_path(s, 0), O_PATH | O_CLOEXEC);
	long ret;

	if (fd < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ret = RES(truncate(path, arg(s, 1)));
	close(fd);
	return ret;
}

static long call_ftruncate(struct step *s)
{
	return RES(ftruncate(arg_fd(s, 0), arg(s, 1)));
}

/* Not beyond what the file system of a test can hold */
static long call_fallocate(struct step *s)
{
	long mode = arg(s, 1), offset = arg(s, 2);

	if (offset > 1 << 20 && offset < TOO_FAR)
		return NOT_DONE;
	if (((mode & ~FALLOC_FL_KEEP_SIZE) || offset >= TOO_FAR) && loses_in_vain(arg_fd(s, 0)))
		return NOT_DONE;
	return RES(fallocate(arg_fd(s, 0), mode, offset, arg(s, 3)));
}

static long call_copy_range(struct step *s)
{
	off_t from = arg(s, 2), to = arg(s, 3);

	if (!one_origin(s, 0, 1) || may_not_write(arg_fd(s, 1), to))
		return NOT_DONE;
	return RES(copy_file_range(arg_fd(s, 0), &from, arg_fd(s, 1), &to, arg(s, 4), 0));
}

static bool is_dir(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISDIR(st.st_mode);
}

/*
 * Natively, a directory's time of access moves though nothing can be read from it. And the
 * VFS looks at the largest offset that the file system can have, which is larger by a mount.
 */
static long call_sendfile(struct step *s)
{
	off_t from = arg(s, 2);

	if (is_dir(arg_fd(s, 1)) || from >= TOO_FAR)
		return NOT_DONE;
	if (may_not_write(arg_fd(s, 0), lseek(arg_fd(s, 0), 0, SEEK_CUR)))
		return NOT_DONE;
	return RES(sendfile(arg_fd(s, 0), arg_fd(s, 1), &from, arg(s, 3)));
}

/* Through a pipe that holds less than some files */
static long call_splice(struct step *s)
{
	loff_t from = arg(s, 1), *at = from < 0 ? NULL : &from;
	int pipe[2];
	long ret;

	if (pipe2(pipe, O_NONBLOCK | O_CLOEXEC))
		return -errno;
	ret = RES(splice(arg_fd(s, 0), at, pipe[1], NULL, arg(s, 2), SPLICE_F_NONBLOCK));
	if (ret > 0)
		got(s, read(pipe[0], s->out->data, ret));
	close(pipe[0]);
	close(pipe[1]);
	return ret;
}

static long call_splice_to(struct step *s)
{
	loff_t to = arg(s, 2), *at = to < 0 ? NULL : &to;
	int pipe[2];
	long ret;

	if (may_not_write(arg_fd(s, 0), at ? to : lseek(arg_fd(s, 0), 0, SEEK_CUR)))
		return NOT_DONE;
	if (pipe2(pipe, O_NONBLOCK | O_CLOEXEC))
		return -errno;
	ret = RES(write(pipe[1], fill(arg(s, 1), 5000), 5000));
	if (ret > 0)
		ret = RES(splice(pipe[0], NULL, arg_fd(s, 0), at, ret, SPLICE_F_NONBLOCK));
	close(pipe[0]);
	close(pipe[1]);
	return ret;
}

static long call_clone(struct step *s)
{
	struct file_clone_range range = {
		.src_fd = arg_fd(s, 1), .src_offset = arg(s, 2), .src_length = arg(s, 3),
		.dest_offset = arg(s, 4),
	};

	if (!one_origin(s, 0, 1) || loses_in_vain(arg_fd(s, 0)))
		return NOT_DONE;
	return RES(ioctl(arg_fd(s, 0), FICLONERANGE, &range));
}

static long call_dedupe(struct step *s)
{
	char buf[sizeof(struct file_dedupe_range) + sizeof(struct file_dedupe_range_info)] = "";
	struct file_dedupe_range *range = (void *)buf;
	long ret;

	if (!one_origin(s, 0, 1))
		return NOT_DONE;
	range->src_offset = arg(s, 2);
	range->src_length = arg(s, 3);
	range->dest_count = 1;
	range->info[0].dest_fd = arg_fd(s, 1);
	range->info[0].dest_offset = arg(s, 2);
	ret = RES(ioctl(arg_fd(s, 0), FIDEDUPERANGE, range));
	return ret ? ret : range->info[0].status;
}

static long call_fsync(struct step *s)
{
	return RES(fsync(arg_fd(s, 0)));
}

static long call_fdatasync(struct step *s)
{
	return RES(fdatasync(arg_fd(s, 0)));
}

static long call_sync_range(struct step *s)
{
	return RES(sync_file_range(arg_fd(s, 0), arg(s, 1), arg(s, 2), arg(s, 3)));
}

static long call_fadvise(struct step *s)
{
	return -posix_fadvise(arg_fd(s, 0), arg(s, 1), arg(s, 2), arg(s, 3));
}

static long call_readahead(struct step *s)
{
	return RES(readahead(arg_fd(s, 0), arg(s, 1), arg(s, 2)));
}

static long call_getfl(struct step *s)
{
	return RES(fcntl(arg_fd(s, 0), F_GETFL));
}

static long call_setfl(struct step *s)
{
	return RES(fcntl(arg_fd(s, 0), F_SETFL, arg(s, 1) | O_NONBLOCK));
}

/* The VFS answers from the mount's copy of the size, and asks nobody how old that is. */
static long call_fionread(struct step *s)
{
	int bytes = 0;
	long ret = RES(ioctl(arg_fd(s, 0), FIONREAD, &bytes));

	return ret ? ret : bytes;
}

const struct call file_calls[] = {
	{ "openat", "fBpom", 150, call_open },
	{ "reopen", "ffo", 10, call_reopen },
	{ "dup", "ff", 5, call_dup },
	{ "close", "f", 20, call_close },
	{ "read", "fd", 30, call_read },
	{ "pread", "fdO", 40, call_pread },
	{ "write", "fbd", 40, call_write },
	{ "pwrite", "fbdO", 50, call_pwrite },
	{ "preadv2", "fdOR", 12, call_preadv2 },
	{ "pwritev2", "fbdOR", 15, call_pwritev2 },
	{ "lseek", "fOw", 30, call_lseek },
	{ "truncate", "pS", 15, call_truncate },
	{ "ftruncate", "fS", 20, call_ftruncate },
	{ "fallocate", "fFOn", 20, call_fallocate },
	{ "copy_file_range", "ffOOd", 12, call_copy_range },
	{ "sendfile", "ffOd", 8, call_sendfile },
	{ "splice_from", "fOd", 8, call_splice },
	{ "splice_to", "fbO", 8, call_splice_to },
	{ "ficlonerange", "ffOnO", 6, call_clone },
	{ "fideduperange", "ffOd", 4, call_dedupe },
	{ "fsync", "f", 2, call_fsync },
	{ "fdatasync", "f", 2, call_fdatasync },
	{ "sync_file_range", "fOnY", 1, call_sync_range },
	{ "posix_fadvise", "fOnD", 4, call_fadvise },
	{ "readahead", "fOn", 3, call_readahead },
	{ "fcntl_getfl", "f", 5, call_getfl },
	{ "fcntl_setfl", "fs", 5, call_setfl },
	{ "fionread", "f", 3, call_fionread, .alone = true },
	{ }
};
