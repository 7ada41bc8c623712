// SPDX-License-Identifier: GPL-2.0-only
/*
 * The other way to run: workers at the same time, through the mount and behind it.
 * What a single operation does cannot be foretold then, but which errors there must
 * not be, and that mount and backing are one in the end.
 */
#include <errno.h>
#include <linux/falloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "backed_fixture.h"
#include "oracle.h"
#include "util.h"

/* Seconds until the workers stop and the trees are compared */
#define ROUND 3

/**
 * struct tally - what the workers of a round have done
 * @ops: operations
 * @stale: those that ended with ESTALE
 * @bad: those that ended with what must not be
 */
struct tally {
	_Atomic unsigned long ops;
	_Atomic unsigned long stale;
	_Atomic unsigned long bad;
};

static struct tally *tally;

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* Errors that no backing gives, whatever others do at the same time */
static bool impossible(long ret)
{
	return ret == -EIO || ret == -ENOTCONN || ret == -ENOSYS || ret == -EUCLEAN ||
	       ret == -EBADMSG || ret == -EREMOTEIO || ret == -EPROTO;
}

static void judge(const struct op *op, long ret)
{
	atomic_fetch_add(&tally->ops, 1);
	if (ret == -ESTALE)
		atomic_fetch_add(&tally->stale, 1);
	if (!impossible(ret) || atomic_fetch_add(&tally->bad, 1) > 5)
		return;
	fprintf(stderr, "# %s: ", strerrorname_np(-ret));
	op_print(op, stderr);
}

/*
 * XFS, of 7.3.4 at least, takes itself for corrupted when the range that is collapsed
 * is written at the same time, natively as well.
 */
static bool breaks_file_systems(const struct op *op)
{
	const struct call *call = call_at(op->call);

	return !strcmp(call->name, "fallocate") &&
	       kind_value(call->args[1], op->arg[1]) == FALLOC_FL_COLLAPSE_RANGE;
}

static void __attribute__((noreturn)) work(char dirs[3][128], const struct mix *mix,
					   unsigned int me, uint64_t seed, double end)
{
	const char *const paths[3] = { dirs[2], dirs[1], dirs[2] };
	struct rng rng = { seed };
	struct actor actor;
	struct op op;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	actor_init(&actor);
	if (actor_become(me) || actor_enter(&actor, paths))
		_exit(1);
	while (now() < end) {
		static struct result result;

		op_make(&op, mix, me, &rng);
		if (breaks_file_systems(&op))
			continue;
		actor_run(&actor, &op, MOUNT, &result);
		judge(&op, result.ret);
	}
	actor_leave(&actor);
	_exit(0);
}

static int run_round(char dirs[3][128], const struct mix *mix, uint64_t seed, double end)
{
	unsigned int i;
	int status, err = 0;
	pid_t pid;

	for (i = 0; i < mix->workers; i++) {
		pid = fork();
		if (!pid)
			work(dirs, mix, i, seed * MAX_WORKERS + i, end);
		if (pid < 0)
			err = -errno;
	}
	while (wait(&status) > 0) {
		if (!WIFEXITED(status) || WEXITSTATUS(status)) {
			say("a worker ended with status %#x", status);
			err = -EPIPE;
		}
	}
	return err;
}

/* One round; the number of faults found */
static int free_round(const struct world *world, const struct mix *mix, uint64_t seed, double end)
{
	static unsigned int number = 1000000;
	char dirs[3][128];
	int err = world_make(world, number++, dirs), faults;

	if (err)
		return err;
	err = run_round(dirs, mix, seed, end);
	if (err)
		return err;
	faults = diff_tree(dirs[2], dirs[1]);
	err = world_remove(dirs);
	return err ? err : faults;
}

int free_run(const struct world *world, const struct mix *mix, uint64_t seed, double seconds,
	     struct free_result *result)
{
	double end = now() + seconds, stop;
	int faults = 0, found = 0;

	tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (tally == MAP_FAILED)
		return -errno;
	for (; now() < end && found >= 0; result->rounds++) {
		stop = now() + ROUND;
		found = free_round(world, mix, seed + result->rounds, stop < end ? stop : end);
		faults += found;
	}
	result->ops = tally->ops;
	result->stale = tally->stale;
	faults += tally->bad;
	munmap(tally, sizeof(*tally));
	return found < 0 ? found : faults;
}
