// SPDX-License-Identifier: GPL-2.0-only
/*
 * oracle: run random programs of system calls in a native directory and in a backed
 * mount of another, and say where they differ.
 *
 *	oracle [--fs TYPE] [--seed N] [--ops N] [--programs N] [--time SECONDS]
 *	       [--workers N] [--behind PERCENT] [--free] [--self] [--hide NAME]
 *	       [--daemon] [--keep-going] [--replay FILE]
 *
 * Programs are made from the seeds N, N + 1 and so on, until the time is over or as
 * many have run as wanted. The first difference is minimised, printed as a program
 * that --replay reads, and ends the run, unless it is to be kept going. --self compares
 * native directories with each other, which must be alike in every respect; --hide
 * attaches a filter, so that there is a difference to be found. --free runs the workers
 * at the same time, on the mount only. --daemon gives the mount a daemon, which must
 * not be asked anything.
 *
 * Exit status: 0 no difference, 1 differences, 2 it could not be run
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "backed_fixture.h"
#include "filter_fixture.h"
#include "oracle.h"
#include "util.h"

struct options {
	const char *fs;
	const char *replay;
	const char *hide;
	uint64_t seed;
	unsigned int ops;
	unsigned long programs;
	double seconds;
	struct mix mix;
	bool free;
	bool self;
	bool daemon;
	bool keep_going;
};

static struct options options = {
	.fs = "tmpfs", .seed = 1, .ops = 1000, .programs = 1, .mix = { 4, 10 },
};

static const struct option long_options[] = {
	{ "fs", 1, NULL, 'F' },
	{ "seed", 1, NULL, 's' },
	{ "ops", 1, NULL, 'o' },
	{ "programs", 1, NULL, 'p' },
	{ "time", 1, NULL, 't' },
	{ "workers", 1, NULL, 'w' },
	{ "behind", 1, NULL, 'b' },
	{ "free", 0, NULL, 'f' },
	{ "self", 0, NULL, 'S' },
	{ "hide", 1, NULL, 'h' },
	{ "daemon", 0, NULL, 'd' },
	{ "keep-going", 0, NULL, 'k' },
	{ "replay", 1, NULL, 'r' },
	{ }
};

static bool take_option(int option)
{
	switch (option) {
	case 'F':
		options.fs = optarg;
		break;
	case 's':
		options.seed = strtoull(optarg, NULL, 0);
		break;
	case 'o':
		options.ops = atoi(optarg);
		break;
	case 'p':
		options.programs = atol(optarg);
		break;
	case 't':
		options.seconds = atof(optarg);
		break;
	case 'w':
		options.mix.workers = atoi(optarg);
		break;
	case 'b':
		options.mix.behind = atoi(optarg);
		break;
	case 'f':
		options.free = true;
		break;
	case 'S':
		options.self = true;
		break;
	case 'h':
		options.hide = optarg;
		break;
	case 'd':
		options.daemon = true;
		break;
	case 'k':
		options.keep_going = true;
		break;
	case 'r':
		options.replay = optarg;
		break;
	default:
		return false;
	}
	return true;
}

static int parse(int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) >= 0) {
		if (!take_option(option))
			return -EINVAL;
	}
	if (options.ops < 1 || options.ops > MAX_OPS || options.mix.workers < 1 ||
	    options.mix.workers > MAX_WORKERS || options.mix.behind > 100 || optind < argc)
		return -EINVAL;
	return 0;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/**
 * struct run - totals
 * @programs: that were run
 * @ops: operations, each on both sides, without those of minimising
 * @succeeded: those of them that did
 * @differences: programs that had one
 */
static struct run {
	unsigned long programs;
	unsigned long ops;
	unsigned long succeeded;
	unsigned long differences;
} total;

static void print_program(const struct op *ops, unsigned int nr, const struct difference *diff)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		op_write(&ops[i], stdout);
	printf("# %s\n", diff->why);
	fflush(stdout);
}

/* Run a program, and take it apart if it shows a difference. */
static int try_program(struct op *ops, unsigned int nr, const char *what)
{
	struct difference diff = { 0 };
	int ret = workers_run(ops, nr, &diff);

	total.programs++;
	total.ops += nr;
	total.succeeded += diff.succeeded;
	if (!ret)
		return 0;
	if (ret < 0) {
		printf("# %s: step %u: %s (%s)\n", what, diff.step, diff.why, strerror(-ret));
		print_program(ops, diff.step < nr ? diff.step + 1 : nr, &diff);
		return ret;
	}
	total.differences++;
	printf("# %s: step %u of %u: %s\n", what, diff.step, nr, diff.why);
	if (diff.step < nr) {
		fputs("# ", stdout);
		op_write(&ops[diff.step], stdout);
	}
	nr = minimise(ops, nr, &diff);
	printf("# minimised to %u calls:\n", nr);
	print_program(ops, nr, &diff);
	return 0;
}

static int run_seeds(void)
{
	static struct op ops[MAX_OPS];
	double end = now() + options.seconds;
	char what[32];
	int err;

	for (uint64_t seed = options.seed;; seed++) {
		if (options.seconds ? now() >= end : total.programs >= options.programs)
			return 0;
		program_make(ops, options.ops, &options.mix, seed);
		snprintf(what, sizeof(what), "seed %llu", (unsigned long long)seed);
		err = try_program(ops, options.ops, what);
		if (err || (total.differences && !options.keep_going))
			return err;
	}
}

static int run_replay(void)
{
	static struct op ops[MAX_OPS];
	FILE *in = fopen(options.replay, "r");
	int nr;

	if (!in)
		return -errno;
	nr = program_read(in, ops, MAX_OPS);
	fclose(in);
	if (nr <= 0)
		return nr ? nr : -ENODATA;
	return try_program(ops, nr, options.replay);
}

static int run_in_turns(const struct world *world)
{
	double begin = now(), took;
	int err = workers_start(world, options.mix.workers);

	err = err ? err : options.replay ? run_replay() : run_seeds();
	workers_end();
	took = now() - begin;
	printf("# %s, %u workers: %lu programs, %lu operations, %.0f a second, %lu%% successful, "
	       "%lu differences\n", options.fs, options.mix.workers, total.programs, total.ops,
	       total.ops / took, total.ops ? total.succeeded * 100 / total.ops : 0,
	       total.differences);
	return err;
}

static int run_free(const struct world *world)
{
	struct free_result result = { 0 };
	int faults = free_run(world, &options.mix, options.seed,
			      options.seconds ? options.seconds : 5, &result);

	printf("# %s, %u workers at once: %lu operations, %lu of them ESTALE, %lu comparisons, "
	       "%d faults\n", options.fs, options.mix.workers, result.ops, result.stale,
	       result.rounds, faults);
	if (faults > 0)
		total.differences = faults;
	return faults < 0 ? faults : 0;
}

static int make_world(const struct backed *b, struct world *world)
{
	snprintf(world->native, sizeof(world->native), "%s/native", b->back);
	snprintf(world->backing, sizeof(world->backing), "%s/twin", b->back);
	snprintf(world->mount, sizeof(world->mount), "%s/twin", options.self ? b->back : b->mnt);
	return mkdir(world->native, 0755) || mkdir(world->backing, 0755) ? -errno : 0;
}

/* Have a name hidden on the mount, for all users. */
static int hide(struct filter *filter, const struct backed *b)
{
	char key[64] = "";
	int map = -1, err = filter_load(filter, "../bpf/hide");

	strncpy(key, options.hide, sizeof(key) - 1);
	if (!err)
		map = bpf_object__find_map_fd_by_name(filter->obj, "hide_names");
	if (!err)
		err = bpf_map_update_elem(map, key, &(__u8){ 1 }, BPF_ANY);
	return err ? err : filter_attach(filter, open_dir(b->mnt, 0), 0, 0);
}

/* Nothing that the backing can answer is for the daemon. */
static void check_daemon(const struct backed *b)
{
	unsigned int nr = b->server ? raw_server_total(b->server) : 0;

	if (nr) {
		printf("# the daemon was sent %u requests\n", nr);
		total.differences++;
	}
}

static int run_all(const struct backed *b)
{
	struct filter filter = FILTER_NONE;
	struct world world;
	int err = make_world(b, &world);

	if (!err && options.hide)
		err = hide(&filter, b);
	if (!err)
		err = options.free ? run_free(&world) : run_in_turns(&world);
	check_daemon(b);
	if (filter.obj) {
		close(filter.fd);
		filter_destroy(&filter);
	}
	return err;
}

int main(int argc, char **argv)
{
	struct backed b;
	int err = parse(argc, argv), undo;

	if (err) {
		fprintf(stderr, "usage: see selftests/oracle/oracle.c\n");
		return 2;
	}
	err = backed_make(&b, options.fs);
	if (!err && !options.self)
		err = backed_mount(&b, BACKED_ALLOW_OTHER |
				   (options.daemon ? BACKED_DAEMON : 0));
	if (!err)
		err = run_all(&b);
	undo = backed_destroy(&b);
	if (err || undo) {
		fprintf(stderr, "# oracle: %s\n", strerror(err ? -err : -undo));
		return 2;
	}
	return total.differences ? 1 : 0;
}
