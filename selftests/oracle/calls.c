// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls of all families together, and what the functions that make them share:
 * arguments, descriptors, and who the worker is.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backed_fixture.h"
#include "oracle.h"
#include "util.h"

static const struct call *const families[] = {
	name_calls, file_calls, attr_calls, dir_calls, lock_calls, map_calls,
	watch_calls,
};

#define MAX_CALLS 128

static struct {
	const struct call *call[MAX_CALLS];
	unsigned int nr;
	unsigned int weight;
} all;

static void collect(void)
{
	const struct call *call;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(families); i++) {
		for (call = families[i]; call->name; call++) {
			all.call[all.nr++] = call;
			all.weight += call->weight;
		}
	}
}

unsigned int nr_calls(void)
{
	if (!all.nr)
		collect();
	return all.nr;
}

const struct call *call_at(unsigned int index)
{
	return index < nr_calls() ? all.call[index] : NULL;
}

unsigned int call_pick(struct rng *rng)
{
	unsigned int i = 0, left;

	nr_calls();
	left = rng_below(rng, all.weight);
	while (left >= all.call[i]->weight)
		left -= all.call[i++]->weight;
	return i;
}

int call_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < nr_calls(); i++) {
		if (!strcmp(all.call[i]->name, name))
			return i;
	}
	return -1;
}

static char kind_of(const struct step *s, int i)
{
	return call_at(s->op->call)->args[i];
}

long arg(const struct step *s, int i)
{
	return kind_value(kind_of(s, i), s->op->arg[i]);
}

const char *arg_string(const struct step *s, int i)
{
	return kind_string(kind_of(s, i), s->op->arg[i]);
}

const char *arg_path(const struct step *s, int i)
{
	static char paths[OP_ARGS][PATH_MAX];

	return kind_path(s->op->arg[i], paths[i]);
}

int arg_fd(const struct step *s, int i)
{
	return s->actor->fd[s->side][s->op->arg[i]];
}

int arg_base(const struct step *s, int i)
{
	unsigned int base = s->op->arg[i];

	return base ? s->actor->fd[s->side][base - 1] : s->root;
}

bool one_origin(const struct step *s, int i, int j)
{
	const bool *behind = s->actor->is_behind;

	return behind[s->op->arg[i]] == behind[s->op->arg[j]];
}

/* The old one stays if there is no new one, so that most slots are in use. */
long set_slot(struct step *s, int slot, int fd, bool behind)
{
	int *old = &s->actor->fd[s->side][slot];
	long err = 0;

	if (fd < 0)
		return -errno;
	if (*old >= 0 && close(*old))
		err = -errno;
	*old = fd;
	if (s->side == MOUNT)
		s->actor->is_behind[slot] = behind;
	return err;
}

const unsigned char *fill(unsigned int seed, size_t len)
{
	static unsigned char buf[MAX_DATA] __attribute__((aligned(4096)));
	size_t i, first = len < 256 ? len : 256;

	for (i = 0; i < first; i++)
		buf[i] = seed * 17 + i;
	for (; i < len; i += 256)
		memcpy(buf + i, buf, len - i < 256 ? len - i : 256);
	return buf;
}

static const struct identity {
	const char *name;
	uid_t uid;
	gid_t gid;
	gid_t groups[2];
	int nr_groups;
} identities[] = {
	{ "root", 0, 0, { 0 }, 0 },
	{ "user1", USER1, GROUP1, { 0 }, 0 },
	{ "user2", USER2, GROUP2, { GROUP1 }, 1 },
	{ "root, no groups", 0, 0, { 0 }, 0 },
};

const char *actor_name(unsigned int worker)
{
	return identities[worker % ARRAY_SIZE(identities)].name;
}

int actor_become(unsigned int worker)
{
	const struct identity *id = &identities[worker % ARRAY_SIZE(identities)];

	if (setgroups(id->nr_groups, id->groups) || setresgid(id->gid, id->gid, id->gid) ||
	    setresuid(id->uid, id->uid, id->uid))
		return -errno;
	return 0;
}

/* A pipe without readers is to be an errno. */
void actor_init(struct actor *actor)
{
	signal(SIGPIPE, SIG_IGN);
	umask(0);
	memset(actor, 0, sizeof(*actor));
	memset(actor->fd, -1, sizeof(actor->fd));
	memset(actor->root, -1, sizeof(actor->root));
	actor->behind = -1;
}

/* What each worker has open in a new directory, as far as it may and the names are there */
static const struct {
	const char *path;
	int flags;
} first[NR_SLOTS] = {
	{ "a", O_RDWR },
	{ "p/a", O_RDWR },
	{ "p/r/a", O_RDWR | O_APPEND },
	{ "p", O_RDONLY | O_DIRECTORY },
	{ "q/b", O_RDONLY },
	{ "p/r", O_RDONLY | O_DIRECTORY },
};

static void open_first(struct actor *actor, enum side side)
{
	int i;

	for (i = 0; i < NR_SLOTS; i++)
		actor->fd[side][i] = openat(actor->root[side], first[i].path,
					    first[i].flags | O_NONBLOCK | O_CLOEXEC);
}

/* By O_PATH: another worker may have taken away the permission to open them. */
int actor_enter(struct actor *actor, const char *const dirs[3])
{
	actor->root[NATIVE] = open_dir(dirs[0], O_PATH);
	actor->root[MOUNT] = open_dir(dirs[1], O_PATH);
	actor->behind = open_dir(dirs[2], O_PATH);
	if (actor->root[NATIVE] < 0 || actor->root[MOUNT] < 0 || actor->behind < 0)
		return -ENOENT;
	open_first(actor, NATIVE);
	open_first(actor, MOUNT);
	return 0;
}

static void leave_side(struct actor *actor, enum side side)
{
	int i;

	for (i = 0; i < NR_MAPS; i++) {
		if (actor->map[side][i].addr)
			munmap(actor->map[side][i].addr, actor->map[side][i].len);
	}
	for (i = 0; i < NR_SLOTS; i++) {
		if (actor->fd[side][i] >= 0)
			close(actor->fd[side][i]);
	}
	if (actor->root[side] >= 0)
		close(actor->root[side]);
}

void actor_leave(struct actor *actor)
{
	setfsuid(geteuid());
	setfsgid(getegid());
	leave_side(actor, NATIVE);
	leave_side(actor, MOUNT);
	watch_reset();
	if (actor->behind >= 0)
		close(actor->behind);
	actor_init(actor);
}

void actor_run(struct actor *actor, const struct op *op, enum side side, struct result *out)
{
	bool behind = op->behind && side == MOUNT;
	struct step step = {
		.actor = actor, .op = op, .side = side, .out = out,
		.root = behind ? actor->behind : actor->root[side],
	};

	out->len = 0;
	out->fields = NULL;
	out->text = false;
	out->fault[0] = '\0';
	out->ret = call_at(op->call)->run(&step);
}
