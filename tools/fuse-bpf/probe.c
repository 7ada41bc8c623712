// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trying what somebody may do, by doing it.
 *
 * A process of its own becomes that somebody, walks the path name by name and does what
 * is to be tried, so that the kernel is asked as anybody would ask it, and nothing
 * here has an idea of its own of who may do what. After each step it waits until its
 * parent has looked at what was found: it must not look itself, as this would be
 * another request to decide about.
 *
 * Only what changes nothing can be tried.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "probe.h"

#define MAX_LINKS 40

/**
 * struct walk - where the process is
 * @probe: what it tries
 * @sock: its end of the line to its parent
 * @fd: where it stands
 * @depth: components between the root of the mount and @fd
 * @links: links that it followed
 * @rest: what is left of the path, as @buf has room for it
 */
struct walk {
	const struct probe *probe;
	int sock;
	int fd;
	size_t depth;
	int links;
	char *rest;
	char buf[2 * PATH_MAX];
};

enum probe_flag {
	PROBE_NOFOLLOW	= 1 << 0,	/* of a link: about the link */
	PROBE_PARENT	= 1 << 1,	/* about the name, in its directory */
	PROBE_OPENS	= 1 << 2,	/* not of devices and the like */
	PROBE_MODES	= 1 << 3,	/* takes r, w, x */
};

/**
 * struct probe_op - something that can be done without changing anything
 * @name: as users see it
 * @flags: enum probe_flag
 * @run: does it, where the process stands; @name is the last one with %PROBE_PARENT.
 *	Returns 0 or a negative errno
 */
struct probe_op {
	const char *name;
	unsigned int flags;
	int (*run)(struct walk *walk, const char *name);
};

/* Let the parent look; without it there is nobody to do this for. */
static void wait_for_parent(const struct walk *walk, int fd)
{
	char byte = 0;

	walk->probe->trail->fd = fd;
	if (write(walk->sock, &byte, 1) != 1 || read(walk->sock, &byte, 1) != 1)
		_exit(1);
}

static struct probe_step *begin_step(const struct walk *walk, const char *name)
{
	struct probe_trail *trail = walk->probe->trail;
	struct probe_step *step;

	if (trail->steps_nr == PROBE_STEPS) {
		trail->steps[PROBE_STEPS - 1].err = -ENAMETOOLONG;
		return NULL;
	}
	step = &trail->steps[trail->steps_nr];
	snprintf(step->name, sizeof(step->name), "%s", name);
	if (walk->probe->step)
		*walk->probe->step = trail->steps_nr;
	trail->steps_nr++;
	return step;
}

/* 0 or the step's negative errno */
static int end_step(const struct walk *walk, struct probe_step *step, int err, int fd)
{
	step->err = err;
	wait_for_parent(walk, err ? -1 : fd);
	return err;
}

static int leads_out(const struct walk *walk)
{
	walk->probe->trail->out = true;
	return -EXDEV;
}

static int open_name(const struct walk *walk, const char *name)
{
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC, .resolve = RESOLVE_NO_XDEV,
	};
	int fd;

	if (!strcmp(name, "..") && !walk->depth)
		return leads_out(walk);
	fd = syscall(SYS_openat2, walk->fd, name, &how, sizeof(how));
	if (fd < 0)
		return errno == EXDEV ? leads_out(walk) : -errno;
	return fd;
}

/* What a link says comes before the rest of the path. */
static int push_target(struct walk *walk, const char *target)
{
	char joined[sizeof(walk->buf)];
	size_t len;

	len = snprintf(joined, sizeof(joined), "%s/%s", target, walk->rest);
	if (len >= sizeof(joined))
		return -ENAMETOOLONG;
	memcpy(walk->buf, joined, len + 1);
	walk->rest = walk->buf;
	return 0;
}

/* 1: it is a link, and the walk goes on where that leads; 0: it is none */
static int follow(struct walk *walk, int fd, const char *name)
{
	struct probe_trail *trail = walk->probe->trail;
	struct probe_step *step;
	char text[256], target[PATH_MAX];
	ssize_t len;

	snprintf(text, sizeof(text), "%.250s ->", name);
	step = begin_step(walk, text);
	if (!step)
		return -ENAMETOOLONG;
	len = readlinkat(fd, "", target, sizeof(target) - 1);
	/* Nothing but a link can be read so, and nothing has been asked for else */
	if (len < 0 && errno == ENOENT) {
		trail->steps_nr--;
		return 0;
	}
	if (len < 0)
		return end_step(walk, step, -errno, -1);
	target[len] = '\0';
	snprintf(trail->target, sizeof(trail->target), "%s", target);
	if (++walk->links > MAX_LINKS)
		return end_step(walk, step, -ELOOP, -1);
	if (*target == '/')
		return end_step(walk, step, leads_out(walk), -1);
	return end_step(walk, step, push_target(walk, target), fd) ?: 1;
}

static void move_to(struct walk *walk, int fd, const char *name)
{
	if (walk->fd != walk->probe->root_fd)
		close(walk->fd);
	walk->fd = fd;
	walk->depth += !strcmp(name, "..") ? -1 : 1;
}

static int walk_name(struct walk *walk, const char *name, bool stay)
{
	struct probe_step *step = begin_step(walk, name);
	int fd, ret;

	if (!step)
		return -ENAMETOOLONG;
	fd = open_name(walk, name);
	ret = end_step(walk, step, fd < 0 ? fd : 0, fd);
	if (ret)
		return ret;
	ret = stay ? 0 : follow(walk, fd, name);
	if (!ret)
		move_to(walk, fd, name);
	else
		close(fd);
	return ret < 0 ? ret : 0;
}

/* The next name of the path; false at its end */
static bool next_name(struct walk *walk, char *name, size_t size)
{
	size_t len;

	do {
		walk->rest += strspn(walk->rest, "/");
		len = strcspn(walk->rest, "/");
		snprintf(name, size, "%.*s", (int)len, walk->rest);
		walk->rest += len;
	} while (!strcmp(name, "."));
	return len;
}

static bool is_last(const struct walk *walk)
{
	const char *rest = walk->rest;

	while (*rest == '/' || (*rest == '.' && (rest[1] == '/' || !rest[1])))
		rest++;
	return !*rest;
}

/* To where the operation is to be done; with %PROBE_PARENT, @name is then the last name. */
static int walk_path(struct walk *walk, unsigned int flags, char *name, size_t size)
{
	int err;

	while (next_name(walk, name, size)) {
		if (flags & PROBE_PARENT && is_last(walk))
			return 0;
		err = walk_name(walk, name, flags & PROBE_NOFOLLOW && is_last(walk));
		if (err)
			return err;
	}
	strcpy(name, ".");
	return 0;
}

static int do_lookup(struct walk *walk, const char *name)
{
	(void)walk;
	(void)name;
	return 0;
}

static int do_getattr(struct walk *walk, const char *name)
{
	struct statx stx;

	(void)name;
	return statx(walk->fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &stx) ?
	       -errno : 0;
}

static int do_readlink(struct walk *walk, const char *name)
{
	char target[PATH_MAX];

	(void)name;
	if (readlinkat(walk->fd, "", target, sizeof(target)) >= 0)
		return 0;
	return errno == ENOENT ? -EINVAL : -errno;
}

static int do_access(struct walk *walk, const char *name)
{
	(void)name;
	return syscall(SYS_faccessat2, walk->fd, "", walk->probe->mode,
		       AT_EMPTY_PATH | AT_EACCESS) ? -errno : 0;
}

/* Where the process stands, by a path: what cannot be had by a descriptor alone */
static const char *own_path(const struct walk *walk, char *path, size_t size)
{
	snprintf(path, size, "/proc/self/fd/%d", walk->fd);
	return path;
}

/* A descriptor or a negative errno */
static int open_here(const struct walk *walk, int flags)
{
	char path[32];
	int fd = open(own_path(walk, path, sizeof(path)),
		      flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int open_and_close(const struct walk *walk, int flags)
{
	int fd = open_here(walk, flags);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* Nothing is written, and nothing truncated. */
static int do_open(struct walk *walk, const char *name)
{
	static const int flags[] = {
		[0] = O_RDONLY, [R_OK] = O_RDONLY, [W_OK] = O_WRONLY, [R_OK | W_OK] = O_RDWR,
	};

	(void)name;
	return open_and_close(walk, flags[walk->probe->mode & (R_OK | W_OK)]);
}

static int do_opendir(struct walk *walk, const char *name)
{
	(void)name;
	return open_and_close(walk, O_RDONLY | O_DIRECTORY);
}

static int do_read(struct walk *walk, const char *name)
{
	int fd = open_here(walk, O_RDONLY), err;
	char byte;

	(void)name;
	if (fd < 0)
		return fd;
	err = pread(fd, &byte, 1, 0) < 0 ? -errno : 0;
	close(fd);
	return err;
}

struct linux_dirent64 {
	__u64 ino;
	__s64 off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};

static bool is_listed(const char *buf, long len, const char *name)
{
	const struct linux_dirent64 *entry;
	long at;

	for (at = 0; at < len; at += entry->reclen) {
		entry = (const void *)(buf + at);
		if (!strcmp(entry->name, name))
			return true;
	}
	return false;
}

/* In small parts, so that the parent can take what is decided about all the others. */
static int list(const struct walk *walk, int fd, const char *name)
{
	char buf[4096] __attribute__((aligned(8)));
	long len;

	while ((len = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0) {
		if (is_listed(buf, len, name))
			return 0;
		wait_for_parent(walk, -1);
	}
	return len < 0 ? -errno : -ENOENT;
}

static int do_dirent(struct walk *walk, const char *name)
{
	int fd = open_here(walk, O_RDONLY | O_DIRECTORY), err;

	if (fd < 0)
		return fd;
	err = list(walk, fd, name);
	close(fd);
	return err;
}

static int do_listxattr(struct walk *walk, const char *name)
{
	static char names[XATTR_LIST_MAX];
	char path[32];

	(void)name;
	return listxattr(own_path(walk, path, sizeof(path)), names, sizeof(names)) < 0 ? -errno : 0;
}

static int do_statfs(struct walk *walk, const char *name)
{
	struct statfs fs;

	(void)name;
	return fstatfs(walk->fd, &fs) ? -errno : 0;
}

static const struct probe_op ops[] = {
	{ "LOOKUP", PROBE_NOFOLLOW, do_lookup },
	{ "GETATTR", 0, do_getattr },
	{ "READLINK", PROBE_NOFOLLOW, do_readlink },
	{ "ACCESS", PROBE_MODES, do_access },
	{ "OPEN", PROBE_MODES | PROBE_OPENS, do_open },
	{ "OPENDIR", 0, do_opendir },
	{ "READ", PROBE_OPENS, do_read },
	{ "DIRENT", PROBE_PARENT, do_dirent },
	{ "LISTXATTR", 0, do_listxattr },
	{ "STATFS", 0, do_statfs },
};

const char *probe_op_name(const struct probe_op *op)
{
	return op->name;
}

static bool parse_modes(const char *text, int *mode)
{
	*mode = 0;
	for (; *text; text++) {
		if (*text == 'r')
			*mode |= R_OK;
		else if (*text == 'w')
			*mode |= W_OK;
		else if (*text == 'x')
			*mode |= X_OK;
		else
			return false;
	}
	return *mode;
}

static int refuse_op(const char *word, size_t len)
{
	unsigned int op;

	for (op = 0; op < 64; op++) {
		const char *known = fuse_bpf_opcode_name(op);

		if (known && strlen(known) == len && !strncasecmp(known, word, len))
			return p_usage("%s is not tried, as that would be to do it: ACCESS:w of the file, or ACCESS:wx of its directory, asks for the permission, and LOOKUP for the name",
				       known);
	}
	return p_usage("'%s' is no operation; LOOKUP, GETATTR, READLINK, ACCESS:rwx, OPEN:rw, OPENDIR, READ, DIRENT, LISTXATTR and STATFS are",
		       word);
}

/**
 * probe_op_parse - find an operation
 * @word: name of an opcode in any case, for some with a colon and letters of "rwx"
 * @op: out: the operation
 * @mode: out: the letters, as R_OK, W_OK and X_OK
 *
 * Return: DONE, or USAGE after reporting what is wrong, also with an operation that
 * would change something
 */
int probe_op_parse(const char *word, const struct probe_op **op, int *mode)
{
	size_t len = strcspn(word, ":"), i;

	*mode = R_OK;
	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		if (strlen(ops[i].name) != len || strncasecmp(ops[i].name, word, len))
			continue;
		*op = &ops[i];
		if (!word[len])
			return DONE;
		if (!(ops[i].flags & PROBE_MODES) || !parse_modes(word + len + 1, mode) ||
		    (ops[i].flags & PROBE_OPENS && *mode & X_OK))
			return p_usage("'%s': what follows %s cannot be '%s'", word, ops[i].name,
				       word + len);
		return DONE;
	}
	return refuse_op(word, len);
}

/**
 * probe_path - make a path relative to its mount
 * @mountpoint: of the mount
 * @path: relative to it, or absolute and below it
 * @relative: out: part of @path
 *
 * Return: DONE, or USAGE after reporting that it is not below it, or too long
 */
int probe_path(const char *mountpoint, const char *path, const char **relative)
{
	char *real = realpath(mountpoint, NULL);
	const char *points[] = { mountpoint, real };
	size_t len, i;

	*relative = *path == '/' ? NULL : path;
	for (i = 0; !*relative && i < ARRAY_SIZE(points); i++) {
		len = points[i] ? strlen(points[i]) : 0;
		while (len && points[i][len - 1] == '/')
			len--;
		if (points[i] && !strncmp(path, points[i], len) && (!path[len] || path[len] == '/'))
			*relative = path + len;
	}
	free(real);
	if (!*relative)
		return p_usage("%s is not below %s", path, mountpoint);
	return strlen(path) < PATH_MAX ? DONE : p_usage("the path is too long");
}

static bool may_open(const struct probe_trail *trail)
{
	__u32 mode = trail->steps_nr ? trail->steps[trail->steps_nr - 1].mode : S_IFDIR;

	return S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode);
}

static void do_op(struct walk *walk, const char *name)
{
	const struct probe_op *op = walk->probe->op;
	struct probe_trail *trail = walk->probe->trail;
	struct probe_step *step;

	if (op->run == do_lookup && trail->steps_nr)
		return;
	if (op->flags & PROBE_OPENS && !may_open(trail)) {
		trail->unsafe = true;
		return;
	}
	step = begin_step(walk, op->name);
	if (step)
		end_step(walk, step, op->run(walk, name), walk->fd);
}

static void __attribute__((noreturn)) be_it(const struct probe *probe, int sock)
{
	struct walk walk = { .probe = probe, .sock = sock, .fd = probe->root_fd };
	char name[PATH_MAX];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGINT, SIG_DFL);
	wait_for_parent(&walk, -1);
	probe->trail->setup = identity_assume(probe->identity);
	if (probe->trail->setup)
		_exit(1);
	/* A change of user has taken this away */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	strcpy(walk.buf, probe->path);
	walk.rest = walk.buf;
	if (!walk_path(&walk, probe->op->flags, name, sizeof(name)))
		do_op(&walk, name);
	probe->trail->finished = true;
	_exit(0);
}

/* What the process has found, seen by one whom the rules do not concern */
static void look(const struct probe *probe, pid_t pid)
{
	struct probe_trail *trail = probe->trail;
	char path[64];
	struct stat st;

	if (trail->fd < 0 || !trail->steps_nr)
		return;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, trail->fd);
	if (stat(path, &st))
		return;
	trail->steps[trail->steps_nr - 1].ino = st.st_ino;
	trail->steps[trail->steps_nr - 1].mode = st.st_mode;
}

static void attend(struct probe *probe, pid_t pid, int sock)
{
	char byte;

	if (read(sock, &byte, 1) == 1 && probe->begin)
		probe->begin(pid, probe->arg);
	while (write(sock, &byte, 1) == 1 && read(sock, &byte, 1) == 1) {
		look(probe, pid);
		if (probe->pause)
			probe->pause(probe->arg);
	}
	waitpid(pid, NULL, 0);
	if (probe->pause)
		probe->pause(probe->arg);
}

static int share_trail(struct probe *probe)
{
	probe->trail = mmap(NULL, sizeof(*probe->trail), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (probe->trail != MAP_FAILED)
		return 0;
	probe->trail = NULL;
	return -errno;
}

/* The namespace is that of children from now on. */
static pid_t fork_into(const struct identity *identity)
{
	pid_t pid;

	if (identity->pidns_fd >= 0 && setns(identity->pidns_fd, CLONE_NEWPID))
		return -errno;
	fflush(stdout);
	pid = fork();
	return pid < 0 ? -errno : pid;
}

static int start(struct probe *probe)
{
	int sock[2], err;
	pid_t pid;

	err = share_trail(probe);
	if (err)
		return err;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock))
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	pid = fork_into(probe->identity);
	if (!pid) {
		close(sock[0]);
		be_it(probe, sock[1]);
	}
	close(sock[1]);
	if (pid > 0)
		attend(probe, pid, sock[0]);
	close(sock[0]);
	return pid < 0 ? pid : 0;
}

/**
 * probe_run - try it
 * @probe: what; @probe->trail says what came of it, see also probe_result()
 *
 * Return: DONE, whatever came of it, or FAILED after reporting why it was not tried
 */
int probe_run(struct probe *probe)
{
	int err = start(probe);

	if (!err)
		err = probe->trail->setup;
	if (err == -EPERM) {
		p_err(0, "cannot be another user, or in another cgroup or namespace, here: that needs CAP_SETUID, CAP_SETGID and CAP_SYS_ADMIN; run as root");
	} else if (err) {
		p_err(err, "cannot be who was asked for");
	} else if (probe->trail->unsafe) {
		p_err(0, "%s cannot be seen to be a file or a directory, and opening anything else might do something: LOOKUP, GETATTR and ACCESS do not",
		      probe->path);
	} else if (!probe->trail->finished) {
		p_err(0, "the process that tried %s was killed", probe->path);
	} else {
		return DONE;
	}
	return FAILED;
}

/* probe_result - 0, or the negative errno that it ended with */
int probe_result(const struct probe *probe)
{
	const struct probe_trail *trail = probe->trail;

	return trail->steps_nr ? trail->steps[trail->steps_nr - 1].err : 0;
}

void probe_free(struct probe *probe)
{
	if (probe->trail)
		munmap(probe->trail, sizeof(*probe->trail));
	probe->trail = NULL;
}
