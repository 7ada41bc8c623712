// SPDX-License-Identifier: GPL-2.0-only
/*
 * The workers: do what the model says, each as a user of its own, and tell how far they
 * have come whenever something was promised.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "crash.h"
#include "util.h"

/**
 * struct worker - a worker
 * @m: its tree as it is
 * @dir: its directory
 * @how: WORK_*
 * @buf: aligned as for O_DIRECT
 */
struct worker {
	struct model m;
	int dir;
	unsigned int how;
	char *buf;
};

/* How many operations each worker has done; all of them read it. */
static uint32_t *progress;

static int open_at(const struct worker *w, const char *path, int flags, mode_t mode)
{
	return RES(openat(w->dir, path, flags | O_CLOEXEC, mode));
}

static int open_file(const struct worker *w, const struct op *op, int flags)
{
	return open_at(w, model_name(op->name), flags, op->mode);
}

static int finish(int fd, long err)
{
	close(fd);
	return err < 0 ? (int)err : 0;
}

/* What the operation that comes next is to write */
static struct iovec data_of(const struct worker *w, const struct op *op)
{
	unsigned int i;

	for (i = 0; i < op->nr; i++)
		fill_block(w->buf + i * BLOCK, &w->m, w->m.done + 1, op->first + i);
	return (struct iovec){ w->buf, op->nr * BLOCK };
}

static int write_blocks(const struct worker *w, const struct op *op, int fd, int flags)
{
	struct iovec iov = data_of(w, op);
	ssize_t len = RES(pwritev2(fd, &iov, 1, op->first * BLOCK, flags));

	return len < 0 ? (int)len : len == (ssize_t)iov.iov_len ? 0 : -EIO;
}

static int do_write(const struct worker *w, const struct op *op)
{
	static const int open_flags[NR_SYNC_WAYS] = {
		[BY_O_SYNC] = O_SYNC,
		[BY_O_DSYNC] = O_DSYNC,
		/*
		 * With O_DSYNC it would be a FUA write, which the log-writes target logs
		 * at once, before older writes that a flush on its way takes along.
		 */
		[BY_O_DIRECT] = O_DIRECT | O_SYNC,
	};
	static const int write_flags[NR_SYNC_WAYS] = {
		[BY_RWF_SYNC] = RWF_SYNC,
		[BY_RWF_DSYNC] = RWF_DSYNC,
	};
	bool sync = op->kind == OP_WRITE_SYNC && !(w->how & WORK_LIE);
	int fd = open_file(w, op, O_WRONLY | (sync ? open_flags[op->way] : 0));

	if (fd < 0)
		return fd;
	return finish(fd, write_blocks(w, op, fd, sync ? write_flags[op->way] : 0));
}

static int do_mapped(const struct worker *w, const struct op *op)
{
	struct iovec iov = data_of(w, op);
	int fd = open_file(w, op, O_RDWR);
	char *map;
	int err = 0;

	if (fd < 0)
		return fd;
	map = mmap(NULL, NR_BLOCKS * BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return finish(fd, -errno);
	memcpy(map + op->first * BLOCK, iov.iov_base, iov.iov_len);
	if (op->kind == OP_MSYNC && !(w->how & WORK_LIE))
		err = RES(msync(map, NR_BLOCKS * BLOCK, MS_SYNC));
	munmap(map, NR_BLOCKS * BLOCK);
	return finish(fd, err);
}

static int do_unnamed(const struct worker *w, const struct op *op)
{
	const char *path = model_name(op->name);
	char dir[2] = { path[0] }, self[32];
	int fd = open_at(w, dir, O_TMPFILE | O_RDWR, op->mode);
	int err;

	if (fd < 0)
		return fd;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	err = write_blocks(w, op, fd, 0);
	if (!err)
		err = RES(linkat(AT_FDCWD, self, w->dir, path, AT_SYMLINK_FOLLOW));
	return finish(fd, err);
}

/* On a file, a directory or the file system */
static int do_sync(const struct worker *w, const struct op *op)
{
	char dir[2] = { 'a' + dir_of(op->name) };
	int fd, err;

	if (w->how & WORK_LIE)
		return 0;
	if (op->kind == OP_FSYNC_DIR || op->kind == OP_SYNCFS)
		fd = open_at(w, dir, O_RDONLY | O_DIRECTORY, 0);
	else
		fd = open_file(w, op, O_RDONLY);
	if (fd < 0)
		return fd;
	if (op->kind == OP_SYNCFS)
		err = RES(syncfs(fd));
	else
		err = op->kind == OP_FDATASYNC ? RES(fdatasync(fd)) : RES(fsync(fd));
	return finish(fd, err);
}

static int do_attr(const struct worker *w, const struct op *op)
{
	uint32_t value = w->m.done + 1;
	int fd = open_file(w, op, O_RDONLY);

	if (fd < 0)
		return fd;
	if (op->kind == OP_CHMOD)
		return finish(fd, RES(fchmod(fd, op->mode)));
	return finish(fd, RES(fsetxattr(fd, "user.op", &value, sizeof(value), 0)));
}

static int do_truncate(const struct worker *w, const struct op *op)
{
	int fd = open_file(w, op, O_RDWR);

	if (fd < 0)
		return fd;
	if (op->kind == OP_TRUNCATE)
		return finish(fd, RES(ftruncate(fd, op->nr * BLOCK)));
	return finish(fd, RES(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					op->first * BLOCK, op->nr * BLOCK)));
}

static int do_names(struct worker *w, const struct op *op)
{
	const char *path = model_name(op->name), *path2 = model_name(op->name2);
	char target[16];
	int fd;

	switch (op->kind) {
	case OP_CREATE:
		fd = open_file(w, op, O_WRONLY | O_CREAT | O_EXCL);
		return fd < 0 ? fd : finish(fd, 0);
	case OP_UNNAMED:
		return do_unnamed(w, op);
	case OP_SYMLINK:
		snprintf(target, sizeof(target), "%u", w->m.done + 1);
		return RES(symlinkat(target, w->dir, path));
	case OP_MKDIR:
		return RES(mkdirat(w->dir, path, 0755));
	case OP_LINK:
		return RES(linkat(w->dir, path, w->dir, path2, 0));
	case OP_RENAME:
		return RES(renameat(w->dir, path, w->dir, path2));
	case OP_EXCHANGE:
		return RES(renameat2(w->dir, path, w->dir, path2, RENAME_EXCHANGE));
	default:
		return RES(unlinkat(w->dir, path, w->m.names[op->name].type == S_IFDIR ?
				    AT_REMOVEDIR : 0));
	}
}

static int do_op(struct worker *w, const struct op *op)
{
	switch (op->kind) {
	case OP_CHMOD:
	case OP_SETXATTR:
		return do_attr(w, op);
	case OP_WRITE:
	case OP_WRITE_SYNC:
		return do_write(w, op);
	case OP_MAPPED:
	case OP_MSYNC:
		return do_mapped(w, op);
	case OP_TRUNCATE:
	case OP_PUNCH:
		return do_truncate(w, op);
	case OP_FSYNC:
	case OP_FDATASYNC:
	case OP_FSYNC_DIR:
	case OP_SYNCFS:
		return do_sync(w, op);
	default:
		return do_names(w, op);
	}
}

/* For syncfs(2), with what the others had done when it began */
static void tell(const struct worker *w, const struct op *op, const uint32_t *before,
		 void (*report)(const char *line))
{
	char line[96];
	int i, len = snprintf(line, sizeof(line), "did:%u:%u", w->m.worker, w->m.done);

	for (i = 0; op->kind == OP_SYNCFS && i < NR_WORKERS; i++)
		len += snprintf(line + len, sizeof(line) - len, ":%u", before[i]);
	report(line);
}

static int run_worker(struct worker *w, unsigned int ops, void (*report)(const char *line))
{
	uint32_t before[NR_WORKERS];
	struct op op;
	int i, err;

	while (!ops || w->m.done < ops) {
		op = model_next(&w->m);
		for (i = 0; i < NR_WORKERS; i++)
			before[i] = __atomic_load_n(&progress[i], __ATOMIC_ACQUIRE);
		err = do_op(w, &op);
		if (err) {
			say("worker %u, operation %u, %s of %s: %s", w->m.worker, w->m.done + 1,
			    op_name(op.kind), model_name(op.name), strerror(-err));
			return err;
		}
		model_apply(&w->m, &op);
		__atomic_store_n(&progress[w->m.worker], w->m.done, __ATOMIC_RELEASE);
		if (op_promises(op.kind))
			tell(w, &op, before, report);
	}
	return 0;
}

/* Files are the user's; the privileges that reporting may need stay. */
static pid_t start_worker(const char *at, uint64_t seed, unsigned int which, unsigned int ops,
			  unsigned int how, void (*report)(const char *line))
{
	struct worker w = { .how = how };
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	model_init(&w.m, seed, which);
	w.buf = aligned_alloc(4096, NR_BLOCKS * BLOCK);
	w.dir = RES(open(in(at, "w%u", which), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (!w.buf || w.dir < 0)
		_exit(1);
	setfsgid(worker_uid(which));
	setfsuid(worker_uid(which));
	_exit(run_worker(&w, ops, report) ? 1 : 0);
}

/* On the disk before anything else begins */
static int make_trees(const char *back)
{
	int fd = RES(open(back, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	unsigned int i, dir;
	int err = fd < 0 ? fd : 0;
	uid_t uid;

	for (i = 0; i < NR_WORKERS && !err; i++) {
		uid = worker_uid(i);
		err = make_dir(in(back, "w%u", i), 0755);
		for (dir = 0; dir < NR_DIRS && !err; dir++) {
			err = make_dir(in(back, "w%u/%c", i, 'a' + dir), 0755);
			if (!err)
				err = RES(chown(in(back, "w%u/%c", i, 'a' + dir), uid, uid));
		}
	}
	if (!err)
		err = RES(syncfs(fd));
	if (fd >= 0)
		close(fd);
	return err;
}

int work(const char *at, const char *back, uint64_t seed, unsigned int ops,
	 unsigned int how, void (*report)(const char *line))
{
	pid_t pids[NR_WORKERS];
	int i, status, err;

	umask(0);
	progress = mmap(NULL, NR_WORKERS * sizeof(*progress), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (progress == MAP_FAILED)
		return -ENOMEM;
	err = make_trees(back);
	if (err) {
		say("the trees cannot be made: %s", strerror(-err));
		return err;
	}
	report("working");
	for (i = 0; i < NR_WORKERS; i++)
		pids[i] = start_worker(at, seed, i, ops, how, report);
	for (i = 0; i < NR_WORKERS; i++) {
		if (waitpid(pids[i], &status, 0) < 0 || status)
			err = -EIO;
	}
	return err;
}
