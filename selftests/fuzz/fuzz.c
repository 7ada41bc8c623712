// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"
#include "util.h"

struct fuzz_shared *fuzz;

/* Splitmix64: any state will do, and neighbours have nothing in common. */
__u64 fuzz_next(struct fuzz_rng *rng)
{
	__u64 z = rng->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

struct fuzz_rng fuzz_rng(__u64 seed, __u64 which)
{
	struct fuzz_rng rng = { seed };

	rng.state = fuzz_next(&rng) + which;
	fuzz_next(&rng);
	return rng;
}

__u32 fuzz_below(struct fuzz_rng *rng, __u32 n)
{
	return fuzz_next(rng) % n;
}

bool fuzz_chance(struct fuzz_rng *rng, unsigned int percent)
{
	return fuzz_below(rng, 100) < percent;
}

__u64 fuzz_hostile(struct fuzz_rng *rng)
{
	static const __u64 bounds[] = {
		0, 1, 2, 3, 0x7f, 0x80, 0xff, 0x100, 0xfff, 0x1000, 0x7fff, 0x8000, 0xffff,
		0x10000, 0x20000, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000,
		0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff,
	};

	switch (fuzz_below(rng, 4)) {
	case 0:
		return 1ULL << fuzz_below(rng, 64);
	case 1:
		return fuzz_next(rng);
	case 2:
		return FUZZ_ANY(rng, bounds) + fuzz_below(rng, 3) - 1;
	default:
		return FUZZ_ANY(rng, bounds);
	}
}

void fuzz_fill(struct fuzz_rng *rng, void *mem, size_t len)
{
	char *at = mem;
	__u64 word;
	size_t n;

	while (len) {
		word = fuzz_next(rng);
		n = len < sizeof(word) ? len : sizeof(word);
		memcpy(at, &word, n);
		at += n;
		len -= n;
	}
}

void fuzz_words(struct fuzz_rng *rng, void *mem, size_t len)
{
	static const size_t sizes[] = { 2, 4, 4, 4, 8, 8, 8 };
	unsigned int n = 1 + fuzz_below(rng, 3);
	size_t size, at;
	__u64 word = 0;

	while (n--) {
		size = FUZZ_ANY(rng, sizes);
		if (len < size)
			continue;
		at = fuzz_below(rng, len / size) * size;
		memcpy(&word, (char *)mem + at, size);
		if (fuzz_chance(rng, 30))
			word ^= 1ULL << fuzz_below(rng, 8 * size);
		else
			word = fuzz_hostile(rng);
		memcpy((char *)mem + at, &word, size);
	}
}

void fuzz_doing(unsigned int worker, const char *what)
{
	__atomic_add_fetch(&fuzz->progress, 1, __ATOMIC_RELAXED);
	snprintf(fuzz->doing[worker % 8], sizeof(fuzz->doing[0]), "%s", what);
}

void fuzz_unexpected(const char *fmt, ...)
{
	char line[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	say("unexpected: %s", line);
	__atomic_add_fetch(&fuzz->unexpected, 1, __ATOMIC_SEQ_CST);
}

int fuzz_wait(int pid)
{
	struct pollfd end = { .fd = syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	unsigned long seen = 0, now;
	int still = 0, status = -1;

	if (end.fd < 0)
		return -1;
	while (still < test_time_limit()) {
		if (poll(&end, 1, 1000) == 1) {
			if (waitpid(pid, &status, 0) != pid)
				status = -1;
			break;
		}
		now = __atomic_load_n(&fuzz->progress, __ATOMIC_RELAXED);
		still = now == seen ? still + 1 : 0;
		seen = now;
	}
	close(end.fd);
	return status;
}

/* What the kernel was at when a round hung, for those who look for the reason */
static void show_hang(void)
{
	unsigned int i;

	for (i = 0; i < 8; i++) {
		if (fuzz->doing[i][0])
			say("worker %u: %s", i, fuzz->doing[i]);
	}
	sh("for t in /proc/[0-9]*/task/*; do"
	   "	grep -q '^State:.D' $t/status || continue;"
	   "	echo \"# $t $(cat $t/comm)\"; sed 's/^/# /' $t/stack; done >&2");
}

struct limits {
	__u64 seed;
	unsigned long inputs;
	unsigned long seconds;
};

static int parse(int argc, char **argv, struct limits *limits)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "inputs", required_argument, NULL, 'i' },
		{ "time", required_argument, NULL, 't' },
		{},
	};
	struct timespec now;
	char *end = "";
	int opt;

	clock_gettime(CLOCK_REALTIME, &now);
	limits->seed = now.tv_sec * 1000000ULL + now.tv_nsec / 1000;
	while (!*end && (opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 's':
			limits->seed = strtoull(optarg, &end, 0);
			break;
		case 'i':
			limits->inputs = strtoul(optarg, &end, 0);
			break;
		case 't':
			limits->seconds = strtoul(optarg, &end, 0);
			break;
		default:
			return -EINVAL;
		}
	}
	if (!limits->inputs && !limits->seconds)
		limits->inputs = 1000;
	return *end || optind < argc ? -EINVAL : 0;
}

static bool over(const struct limits *limits, time_t begin)
{
	if (limits->inputs && fuzz->inputs >= limits->inputs)
		return true;
	return limits->seconds && time(NULL) - begin >= (time_t)limits->seconds;
}

/* Run one round; true if it hung. */
static bool run_round(__u64 seed, int (*round)(__u64 seed))
{
	unsigned long unexpected = fuzz->unexpected;
	int status, err;
	pid_t pid;

	memset(fuzz->doing, 0, sizeof(fuzz->doing));
	fflush(NULL);
	pid = fork();
	if (!pid) {
		/* So that whatever is left when a round hangs can be ended with it */
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		err = round(seed);
		if (err)
			fuzz_unexpected("the round ended with %s", strerror(-err));
		fflush(NULL);
		_exit(0);
	}
	status = fuzz_wait(pid);
	if (status < 0) {
		show_hang();
		kill(-pid, SIGKILL);
	} else if (status) {
		fuzz_unexpected("the round ended with wait status %#x", status);
	}
	if (status < 0 || fuzz->unexpected != unexpected)
		say("to see it again: --seed %llu --inputs 1", (unsigned long long)seed);
	return status < 0;
}

int fuzz_main(int argc, char **argv, int (*round)(__u64 seed))
{
	struct limits limits = {};
	time_t begin = time(NULL);
	unsigned long hangs = 0;
	__u64 seed;

	if (parse(argc, argv, &limits)) {
		fprintf(stderr, "Usage: %s [--seed N] [--inputs N] [--time SECONDS]\n", argv[0]);
		return 2;
	}
	fuzz = mmap(NULL, sizeof(*fuzz), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		    0);
	if (fuzz == MAP_FAILED)
		return 1;
	printf("seed %llu\n", (unsigned long long)limits.seed);
	/* What hangs keeps what it holds: nothing that came after it would mean much */
	for (seed = limits.seed; !hangs && !over(&limits, begin); seed++)
		hangs += run_round(seed, round);
	printf("%lu inputs, %lu hangs, %lu unexpected\n", fuzz->inputs, hangs, fuzz->unexpected);
	return hangs || fuzz->unexpected || !fuzz->inputs;
}
