// SPDX-License-Identifier: GPL-2.0-only
/*
 * Workers: processes of several users that execute a program together, one at a time.
 * All of them know the whole program, and whoever has done his part of it up to an
 * operation of another wakes that one. So what happens is the same each time, and a
 * turn costs one switch of processes.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "oracle.h"
#include "util.h"

/* How long one operation may take, for a file system that waits for its disk */
#define PATIENCE (5 * (unsigned int)test_time_limit())

/**
 * struct shared - what workers and their parent share
 * @turn: whose turn it is; the parent's is @nr_workers
 * @at: operation that is next
 * @nr: of operations in the program
 * @left: workers that have not put away what they had yet
 * @dirs: directories of the program
 * @diff: found so far
 * @ops: program
 */
static struct shared {
	_Atomic uint32_t turn;
	_Atomic uint32_t at;
	uint32_t nr;
	uint32_t left;
	char dirs[3][128];
	struct difference diff;
	struct op ops[MAX_OPS];
} *shared;

static const struct world *the_world;
static unsigned int nr_workers;
static pid_t pids[MAX_WORKERS];

static void futex_wait(uint32_t value, unsigned int seconds)
{
	const struct timespec time = { .tv_sec = seconds };

	syscall(SYS_futex, &shared->turn, FUTEX_WAIT, value, &time, NULL, 0);
}

static void give_turn(uint32_t to)
{
	atomic_store(&shared->turn, to);
	syscall(SYS_futex, &shared->turn, FUTEX_WAKE, MAX_WORKERS + 1, NULL, NULL, 0);
}

static void wait_turn(unsigned int me)
{
	uint32_t turn;

	while ((turn = atomic_load(&shared->turn)) != me)
		futex_wait(turn, 10);
}

/* One operation on both sides */
static void step_both(struct actor *actor, const struct op *op)
{
	static struct result results[SIDES];

	actor_run(actor, op, NATIVE, &results[NATIVE]);
	actor_run(actor, op, MOUNT, &results[MOUNT]);
	shared->diff.succeeded += results[NATIVE].ret >= 0;
	if (compare(op, &results[NATIVE], &results[MOUNT], shared->diff.why,
		    sizeof(shared->diff.why)))
		shared->diff.step = shared->at;
}

/* Who is next when @me has done what is next: somebody else */
static uint32_t do_turn(struct actor *actor, unsigned int me)
{
	const char *const dirs[3] = { shared->dirs[0], shared->dirs[1], shared->dirs[2] };

	if (actor->behind < 0 && actor_enter(actor, dirs)) {
		strcpy(shared->diff.why, "a worker cannot open the directories");
		shared->diff.step = shared->at;
	}
	for (; !shared->diff.why[0] && shared->at < shared->nr; shared->at++) {
		if (shared->ops[shared->at].worker != me)
			return shared->ops[shared->at].worker;
		step_both(actor, &shared->ops[shared->at]);
	}
	/* The end: all put away what they have, the parent compares. */
	actor_leave(actor);
	shared->left--;
	return shared->left ? (me + 1) % nr_workers : nr_workers;
}

static void __attribute__((noreturn)) work(unsigned int me)
{
	struct actor actor;
	int err = actor_become(me);

	actor_init(&actor);
	if (err) {
		say("worker %u cannot be %s: %s", me, actor_name(me), strerror(-err));
		_exit(1);
	}
	/* Changing users clears what was asked for before */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (1) {
		wait_turn(me);
		give_turn(do_turn(&actor, me));
	}
}

/* Who takes turns need not be on several processors, and to wake another one takes long. */
static void stay_here(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(sched_getcpu(), &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
}

int workers_start(const struct world *world, unsigned int nr)
{
	unsigned int i;

	the_world = world;
	nr_workers = nr;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (shared == MAP_FAILED)
		return -errno;
	stay_here();
	atomic_store(&shared->turn, nr);
	for (i = 0; i < nr; i++) {
		pids[i] = fork();
		if (!pids[i])
			work(i);
		if (pids[i] < 0)
			return -errno;
	}
	return 0;
}

void workers_end(void)
{
	unsigned int i;

	for (i = 0; i < nr_workers; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	munmap(shared, sizeof(*shared));
	nr_workers = 0;
}

/* Wait until the workers are done; a worker that hangs or dies ends the run. */
static int wait_workers(void)
{
	uint32_t turn, at = 0;
	unsigned int waited = 0;
	int status;

	while ((turn = atomic_load(&shared->turn)) != nr_workers) {
		futex_wait(turn, 1);
		waited = at == shared->at ? waited + 1 : 0;
		at = shared->at;
		if (waitpid(-1, &status, WNOHANG) > 0) {
			snprintf(shared->diff.why, sizeof(shared->diff.why),
				 "a worker died, status %#x", status);
			shared->diff.step = at;
			return -EPIPE;
		}
		if (waited > PATIENCE) {
			strcpy(shared->diff.why, "it does not end");
			shared->diff.step = at;
			return -ETIMEDOUT;
		}
	}
	return 0;
}

int workers_run(const struct op *ops, unsigned int nr, struct difference *diff)
{
	static unsigned int number;
	int err = world_make(the_world, number++, shared->dirs);

	if (err)
		return err;
	memcpy(shared->ops, ops, nr * sizeof(*ops));
	shared->nr = nr;
	shared->at = 0;
	shared->left = nr_workers;
	memset(&shared->diff, 0, sizeof(shared->diff));
	give_turn(0);
	err = wait_workers();
	if (!err && !shared->diff.why[0] &&
	    world_compare(shared->dirs, shared->diff.why, sizeof(shared->diff.why)))
		shared->diff.step = nr;
	*diff = shared->diff;
	if (!err)
		err = world_remove(shared->dirs);
	return err ? err : diff->why[0] != '\0';
}
