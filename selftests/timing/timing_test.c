// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does time tell what a filter hides? A hidden name is tried in all ways that there are, with
 * something of that name and with nothing, and it must take as long. For a guest whose
 * clock is the number of instructions (make timing): there, each try takes what it takes, and
 * a difference of one branch can be seen.
 */
#include <bpf/bpf.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "backed_fixture.h"
#include "filter_fixture.h"
#include "harness.h"
#include "reach.h"

#define SAMPLES 9
#define NAME "secret"

/**
 * struct shared - what the walker and the test tell each other
 * @way: to be tried
 * @ns: it took
 * @ret: it returned
 */
struct shared {
	unsigned int way;
	unsigned int ns;
	long ret;
};

FIXTURE(timing)
{
	struct backed b;
	struct filter filter;
	int dir;
	struct shared *shared;
	int ask[2], answer[2];
	pid_t walker;
};

/* @filter hides it; @promised: nobody learns by time whether there is something */
FIXTURE_VARIANT(timing)
{
	const char *filter;
	bool promised;
};

FIXTURE_VARIANT_ADD(timing, by_name) { "../bpf/hide", true };
FIXTURE_VARIANT_ADD(timing, by_owner_of_names) { "../bpf/own_only", true };
FIXTURE_VARIANT_ADD(timing, by_what_is_found) { "../bpf/examples/hide_by_owner", false };

static unsigned int now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return ts.tv_sec * 1000000000u + ts.tv_nsec;
}

/* In a process of its own, as a user from whom it is hidden */
static void __attribute__((noreturn)) walk(FIXTURE_DATA(timing) *self)
{
	const struct reach *way;
	unsigned int begin;
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (setgroups(0, NULL) || setresgid(USER1, USER1, USER1) ||
	    setresuid(USER1, USER1, USER1) || chdir(self->b.mnt))
		_exit(1);
	while (read(self->ask[0], &byte, 1) == 1) {
		way = &reaches[self->shared->way];
		begin = now();
		self->shared->ret = way->run(NAME, "mine");
		self->shared->ns = now() - begin;
		if (write(self->answer[1], "x", 1) != 1)
			break;
	}
	_exit(1);
}

static int set(const struct filter *filter, const char *map, const char *name, __u32 value)
{
	char key[64] = "";

	strcpy(key, name);
	return bpf_map_update_elem(bpf_object__find_map_fd_by_name(filter->obj, map), key,
				   &value, BPF_ANY);
}

static int configure(const struct filter *filter, const char *name)
{
	__u32 uid = USER2;

	if (strstr(name, "own_only"))
		return set(filter, "own_names", "mine", USER1) ?: set(filter, "own_names", NAME, USER2);
	if (strstr(name, "by_owner"))
		return 0;
	return set(filter, "hide_names", NAME, 1) ?:
	       bpf_map_update_elem(bpf_object__find_map_fd_by_name(filter->obj, "allow_uids"), &uid,
				   &(__u8){ 1 }, BPF_ANY);
}

FIXTURE_SETUP(timing)
{
	ASSERT_NE(NULL, getenv("TIMING")) TH_LOG("for a guest that counts: make timing");
	self->shared = mmap(NULL, sizeof(*self->shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->shared);
	ASSERT_EQ(0, backed_make(&self->b, "tmpfs"));
	ASSERT_EQ(0, RES(chmod(self->b.back, 0777)));
	ASSERT_EQ(0, make_file(in(self->b.back, "mine"), "mine", 0666));
	ASSERT_EQ(0, RES(chown(in(self->b.back, "mine"), USER1, USER1)));
	ASSERT_EQ(0, backed_mount(&self->b, BACKED_ALLOW_OTHER));
	self->dir = open_dir(self->b.mnt, 0);
	ASSERT_LE(0, self->dir);
	ASSERT_EQ(0, filter_load(&self->filter, variant->filter));
	ASSERT_EQ(0, configure(&self->filter, variant->filter));
	ASSERT_EQ(0, filter_attach(&self->filter, self->dir, 0, 0));
	ASSERT_EQ(0, RES(pipe2(self->ask, O_CLOEXEC)));
	ASSERT_EQ(0, RES(pipe2(self->answer, O_CLOEXEC)));
	self->walker = fork();
	if (!self->walker)
		walk(self);
}

FIXTURE_TEARDOWN(timing)
{
	kill(self->walker, SIGKILL);
	waitpid(self->walker, NULL, 0);
	filter_destroy(&self->filter);
	close(self->dir);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

/* Have it there or not, and in the dcache of the mount or not, by one who may see it */
static int prepare(FIXTURE_DATA(timing) *self, bool exists, bool cached)
{
	const char *back = in(self->b.back, NAME);
	int err;

	unlink(back);
	err = exists ? make_file(back, "secret", 0666) ?: RES(chown(back, USER2, USER2)) : 0;
	if (err || !cached)
		return err;
	user_stat(USER2, in(self->b.mnt, NAME));
	return user_stat(USER2, in(self->b.mnt, NAME)) == (exists ? 0 : -ENOENT) ? 0 : -EIO;
}

/* How long a way takes; 0 if it fails in another way than that there is no such name */
static unsigned int try(FIXTURE_DATA(timing) *self, unsigned int way)
{
	char byte;

	self->shared->way = way;
	if (write(self->ask[1], "x", 1) != 1 || read(self->answer[0], &byte, 1) != 1)
		return 0;
	return self->shared->ret == (reaches[way].cached ? -EAGAIN : -ENOENT) ?
	       self->shared->ns : 0;
}

static int by_size(const void *a, const void *b)
{
	unsigned int x = *(const unsigned int *)a, y = *(const unsigned int *)b;

	return x < y ? -1 : x > y;
}

/**
 * struct cost - what a way costs, in instructions
 * @median: of some tries
 * @spread: by which the half of them in the middle differ from each other
 */
struct cost {
	int median;
	int spread;
};

static struct cost cost_of(unsigned int *samples)
{
	qsort(samples, SAMPLES, sizeof(*samples), by_size);
	return (struct cost){
		.median = samples[SAMPLES / 2],
		.spread = samples[SAMPLES - 1 - SAMPLES / 4] - samples[SAMPLES / 4],
	};
}

/* With nothing of that name, and with something; false if it was reached, or made */
static bool measure(FIXTURE_DATA(timing) *self, unsigned int way, bool cached, struct cost *costs)
{
	unsigned int samples[2][SAMPLES], i, exists;

	for (i = 0; i < SAMPLES; i++) {
		for (exists = 0; exists < 2; exists++) {
			if (prepare(self, exists, cached))
				return false;
			samples[exists][i] = try(self, way);
			if (!samples[exists][i])
				return false;
		}
	}
	costs[0] = cost_of(samples[0]);
	costs[1] = cost_of(samples[1]);
	return true;
}

/* Of some 10,000 that a try takes; an interrupt costs as much. */
#define LIMIT 100

/* More than the same try differs from itself, as it does if another thread has a part in it */
static bool is_different(const struct cost *costs)
{
	int spread = costs[0].spread > costs[1].spread ? costs[0].spread : costs[1].spread;

	return abs(costs[1].median - costs[0].median) > LIMIT + 2 * spread;
}

/**
 * struct result - what came of all ways
 * @differ: ways that take a different time if there is something
 * @untold: ways that did not say that there is nothing
 */
struct result {
	unsigned int differ;
	unsigned int untold;
};

static struct result compare_all(FIXTURE_DATA(timing) *self, bool cached)
{
	struct result result = {};
	unsigned long sum = 0;
	struct cost costs[2];
	unsigned int way;

	for (way = 0; way < nr_reaches; way++) {
		if (!measure(self, way, cached, costs)) {
			result.untold++;
			continue;
		}
		sum += costs[0].median;
		if (!is_different(costs))
			continue;
		if (result.differ++ < 5)
			say("%s: %d instructions without, %d more with it", reaches[way].name,
			    costs[0].median, costs[1].median - costs[0].median);
	}
	say("%s: %u of %zu ways differ, %lu instructions on average",
	    cached ? "cached" : "not cached", result.differ, nr_reaches - result.untold,
	    sum / (nr_reaches - result.untold));
	return result;
}

/*
 * Where a name is refused because of what was found, nothing hides that there is nothing.
 * This shows that a difference is seen, too.
 */
static bool is_as_promised(const struct result *result, bool promised)
{
	return promised ? !result->differ && !result->untold : result->differ;
}

TEST_F_TIMEOUT(timing, nobody_has_it_cached, 600)
{
	struct result result = compare_all(self, false);

	EXPECT_TRUE(is_as_promised(&result, variant->promised));
}

TEST_F_TIMEOUT(timing, another_has_it_cached, 600)
{
	struct result result = compare_all(self, true);

	EXPECT_TRUE(is_as_promised(&result, variant->promised));
}

TEST_HARNESS_MAIN
