// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings: made, read, written, and what becomes of them when the file changes.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "oracle.h"
#include "util.h"

static sigjmp_buf fault;

static void on_fault(int sig)
{
	siglongjmp(fault, sig);
}

/* The handler stays: nothing else in a worker is to be hit by these signals. */
static void catch_faults(void)
{
	static const struct sigaction action = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };
	static bool done;

	if (done)
		return;
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	done = true;
}

static struct mapping *arg_map(const struct step *s, int i)
{
	return &s->actor->map[s->side][s->op->arg[i]];
}

static void unmap(struct mapping *map)
{
	if (map->addr)
		munmap(map->addr, map->len);
	map->addr = NULL;
}

static long call_mmap(struct step *s)
{
	struct mapping *map = arg_map(s, 0);

	unmap(map);
	map->len = arg(s, 5);
	map->addr = mmap(NULL, map->len, arg(s, 2), arg(s, 3), arg_fd(s, 1), arg(s, 4));
	if (map->addr != MAP_FAILED)
		return 0;
	map->addr = NULL;
	return -errno;
}

static long call_munmap(struct step *s)
{
	unmap(arg_map(s, 0));
	return 0;
}

/* What of the mapping an operation is about; NULL: nothing */
static char *part(const struct step *s, size_t offset, size_t *len)
{
	const struct mapping *map = arg_map(s, 0);

	if (!map->addr || offset >= map->len)
		return NULL;
	if (*len > map->len - offset)
		*len = map->len - offset;
	return map->addr + offset;
}

/* The signal that came, as a negative number that is no errno */
#define TOUCH(expr)							\
({									\
	int ___sig;							\
									\
	catch_faults();							\
	___sig = sigsetjmp(fault, 0);					\
	if (!___sig)							\
		expr;							\
	___sig ? -1000L - ___sig : 0L;					\
})

static long call_map_read(struct step *s)
{
	size_t len = arg(s, 2);
	char *from = part(s, arg(s, 1), &len);
	long ret;

	if (!from)
		return 0;
	ret = TOUCH(memcpy(s->out->data, from, len));
	if (!ret)
		s->out->len = len;
	return ret;
}

static long call_map_write(struct step *s)
{
	size_t len = arg(s, 3);
	char *to = part(s, arg(s, 2), &len);
	const unsigned char *bytes = fill(arg(s, 1), len);

	return to ? TOUCH(memcpy(to, bytes, len)) : 0;
}

static long call_msync(struct step *s)
{
	const struct mapping *map = arg_map(s, 0);

	return map->addr ? RES(msync(map->addr, map->len, MS_SYNC)) : 0;
}

static long call_madvise(struct step *s)
{
	const struct mapping *map = arg_map(s, 0);

	return map->addr ? RES(madvise(map->addr, map->len, arg(s, 1))) : 0;
}

static long call_mprotect(struct step *s)
{
	const struct mapping *map = arg_map(s, 0);

	return map->addr ? RES(mprotect(map->addr, map->len, arg(s, 1))) : 0;
}

const struct call map_calls[] = {
	{ "mmap", "GfPMJd", 30, call_mmap, .keeps = true },
	{ "munmap", "G", 4, call_munmap },
	{ "map_read", "GOn", 20, call_map_read },
	{ "map_write", "GbOn", 25, call_map_write },
	{ "msync", "G", 2, call_msync },
	{ "madvise", "GV", 4, call_madvise },
	{ "mprotect", "GP", 4, call_mprotect },
	{ }
};
