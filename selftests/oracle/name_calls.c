// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls that make, remove and move names.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oracle.h"
#include "util.h"

static long call_mkdir(struct step *s)
{
	return RES(mkdirat(arg_base(s, 0), arg_path(s, 1), arg(s, 2)));
}

/* A block device that is there could be opened by one side at a time only, with O_EXCL. */
static long call_mknod(struct step *s)
{
	dev_t dev = arg(s, 2) == S_IFBLK ? 0x12c00 : arg(s, 4);

	return RES(mknodat(arg_base(s, 0), arg_path(s, 1), arg(s, 2) | arg(s, 3), dev));
}

static long call_symlink(struct step *s)
{
	return RES(symlinkat(arg_string(s, 0), arg_base(s, 1), arg_path(s, 2)));
}

static long call_link(struct step *s)
{
	return RES(linkat(s->root, arg_path(s, 0), s->root, arg_path(s, 1), arg(s, 2)));
}

/* An unnamed file gets a name, or one that is open another one. */
static long call_link_fd(struct step *s)
{
	char path[32];

	if (s->actor->is_behind[s->op->arg[0]] != s->op->behind)
		return NOT_DONE;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", arg_fd(s, 0));
	return RES(linkat(AT_FDCWD, path, s->root, arg_path(s, 1), AT_SYMLINK_FOLLOW));
}

static long call_link_empty(struct step *s)
{
	if (s->actor->is_behind[s->op->arg[0]] != s->op->behind)
		return NOT_DONE;
	return RES(linkat(arg_fd(s, 0), "", s->root, arg_path(s, 1), AT_EMPTY_PATH));
}

static long call_unlink(struct step *s)
{
	return RES(unlinkat(arg_base(s, 0), arg_path(s, 1), arg(s, 2)));
}

static long call_rmdir(struct step *s)
{
	return RES(unlinkat(arg_base(s, 0), arg_path(s, 1), AT_REMOVEDIR));
}

/*
 * A directory that was moved on the backing must be found in its new place before a
 * rename can deal with it there: the kernel takes it over from the old one while it looks
 * a name up, and cannot while it holds the lock of all renames.
 */
static long call_rename(struct step *s)
{
	struct stat st;
	long ret = RES(renameat2(s->root, arg_path(s, 0), s->root, arg_path(s, 1), arg(s, 2)));

	if (ret != -ESTALE)
		return ret;
	fstatat(s->root, arg_path(s, 0), &st, AT_SYMLINK_NOFOLLOW);
	fstatat(s->root, arg_path(s, 1), &st, AT_SYMLINK_NOFOLLOW);
	return RES(renameat2(s->root, arg_path(s, 0), s->root, arg_path(s, 1), arg(s, 2)));
}

static long call_readlink(struct step *s)
{
	ssize_t len = readlinkat(arg_base(s, 0), arg_path(s, 1), (char *)s->out->data, PATH_MAX);

	s->out->len = len < 0 ? 0 : len;
	return RES(len);
}

/* The old one is that of the other side, of the same process */
static long call_umask(struct step *s)
{
	umask(arg(s, 0));
	return 0;
}

const struct call name_calls[] = {
	{ "mkdirat", "Bpm", 30, call_mkdir },
	{ "mknodat", "BpNmE", 20, call_mknod },
	{ "symlinkat", "lBp", 20, call_symlink },
	{ "linkat", "ppL", 30, call_link },
	{ "link_proc_fd", "fp", 8, call_link_fd },
	{ "link_empty_path", "fp", 5, call_link_empty },
	{ "unlinkat", "Bpq", 25, call_unlink },
	{ "rmdirat", "Bp", 8, call_rmdir },
	{ "renameat2", "ppr", 45, call_rename },
	{ "readlinkat", "Bp", 10, call_readlink },
	{ "umask", "z", 3, call_umask },
	{ }
};
