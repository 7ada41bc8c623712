// SPDX-License-Identifier: GPL-2.0-only
/*
 * crash work: have workers change trees, natively or by a mount of theirs.
 * crash check: after a crash, are the trees what they may be?
 * crash power: cut the power of a disk that was logged, and check each time.
 */
#include <err.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "backed_fixture.h"
#include "crash.h"
#include "recorder.h"
#include "util.h"

#define MOUNTED "/tmp/crash-mount"

static struct options {
	const char *kind;
	const char *back;
	const char *mark;
	const char *log;
	unsigned int ops;
	unsigned long long seed;
	unsigned int how;
	struct power power;
} opt = { .kind = "native", .ops = 300, .power = { .tree = "tree", .points = 10 } };

static const struct option options[] = {
	{ "kind", required_argument, NULL, 'k' },	/* native, backed or filter */
	{ "back", required_argument, NULL, 'b' },	/* directory of the trees */
	{ "seed", required_argument, NULL, 's' },
	{ "ops", required_argument, NULL, 'n' },	/* of each worker, 0: for ever */
	{ "lie", no_argument, NULL, 'l' },		/* do not sync, and say one did */
	{ "mark", required_argument, NULL, 'm' },	/* report to this log-writes device */
	{ "log", required_argument, NULL, 'L' },	/* of reports, or of the device */
	{ "image", required_argument, NULL, 'i' },
	{ "scratch", required_argument, NULL, 'S' },
	{ "device", required_argument, NULL, 'd' },
	{ "at", required_argument, NULL, 'a' },
	{ "points", required_argument, NULL, 'p' },
	{}
};

static unsigned long long number(const char *text)
{
	unsigned long long res;
	char *end;

	errno = 0;
	res = strtoull(text, &end, 0);
	if (errno || !*text || *end)
		errx(2, "%s is no number", text);
	return res;
}

static void option(int which)
{
	switch (which) {
	case 'k': opt.kind = optarg; break;
	case 'b': opt.back = optarg; break;
	case 's': opt.seed = number(optarg); break;
	case 'n': opt.ops = number(optarg); break;
	case 'l': opt.how |= WORK_LIE; break;
	case 'm': opt.mark = optarg; break;
	case 'L': opt.log = optarg; break;
	case 'i': opt.power.image = optarg; break;
	case 'S': opt.power.scratch = optarg; break;
	case 'd': opt.power.device = optarg; break;
	case 'a': opt.power.at = optarg; break;
	case 'p': opt.power.points = number(optarg); break;
	default: exit(2);
	}
}

/* In one piece, however many tell at once */
static void print(const char *line)
{
	char text[128];
	int len = snprintf(text, sizeof(text), "%s\n", line);

	if (write(STDOUT_FILENO, text, len) != len)
		_exit(1);
}

static void mark(const char *line)
{
	int err = power_mark(opt.mark, line);

	if (err) {
		say("the log takes no mark: %s", strerror(-err));
		_exit(1);
	}
}

/* A filter that is asked before and after everything, and lets the backing answer */
static int attach_filter(struct filter *filter, int dir)
{
	int err = recorder_load(filter, "recorder", opt.seed & 1, NULL);

	err = err ? err : recorder_return_all(filter, FUSE_FILTER_POST);
	return err ? err : filter_attach(filter, dir, 0, 0);
}

static int mount_kind(struct filter *filter, int *dir)
{
	int err;

	if (strcmp(opt.kind, "backed") && strcmp(opt.kind, "filter"))
		errx(2, "--kind is native, backed or filter");
	mkdir(MOUNTED, 0755);
	err = mount_backed(opt.back, MOUNTED);
	if (err)
		return err;
	*dir = open_dir(MOUNTED, 0);
	return strcmp(opt.kind, "filter") ? 0 : attach_filter(filter, *dir);
}

/* Without a crash, all is as it was left; natively too, as the caches are the backing's. */
static int check_end(const char *at)
{
	struct promises promises[NR_WORKERS];
	int i;

	for (i = 0; i < NR_WORKERS; i++)
		promises[i] = (struct promises){ .done = opt.ops, .all = opt.ops };
	return check(at, opt.seed, promises) || check(opt.back, opt.seed, promises) ? -EIO : 0;
}

static int do_work(void)
{
	bool native = !strcmp(opt.kind, "native");
	struct filter filter = FILTER_NONE;
	int dir = -1, err = 0;

	if (!native)
		err = mount_kind(&filter, &dir);
	if (err)
		errx(1, "no mount to crash: %s", strerror(-err));
	err = work(native ? opt.back : MOUNTED, opt.back, opt.seed, opt.ops, opt.how,
		   opt.mark ? mark : print);
	if (!err && opt.ops)
		err = check_end(native ? opt.back : MOUNTED);
	if (native)
		return err;
	filter_destroy(&filter);
	close(dir);
	return umount(MOUNTED) ? -errno : err;
}

static int do_check(void)
{
	struct promises promises[NR_WORKERS] = {};
	FILE *file = fopen(opt.log, "r");
	char line[128];
	int i, bad;

	if (!file)
		err(2, "%s", opt.log);
	while (fgets(line, sizeof(line), file))
		promises_read(promises, line);
	fclose(file);
	bad = check(opt.back, opt.seed, promises);
	for (i = 0; i < NR_WORKERS; i++)
		printf("# worker %d: at least %u operations\n", i, promises[i].done);
	return bad;
}

static int do_power(void)
{
	int bad;

	opt.power.log = opt.log;
	opt.power.seed = opt.seed;
	bad = power_cuts(&opt.power);
	if (bad < 0)
		errx(2, "the disk cannot be played back: %s", strerror(-bad));
	printf("%u cuts, %d bad\n", opt.power.points, bad);
	return bad;
}

int main(int argc, char **argv)
{
	const char *what = argv[1];
	int which;

	if (argc < 2)
		errx(2, "work, check or power?");
	optind = 2;
	while ((which = getopt_long(argc, argv, "", options, NULL)) != -1)
		option(which);
	if (!strcmp(what, "work") && opt.back)
		return do_work() ? 1 : 0;
	if (!strcmp(what, "check") && opt.back && opt.log)
		return do_check() ? 1 : 0;
	if (!strcmp(what, "power") && opt.log && opt.power.image && opt.power.scratch &&
	    opt.power.device && opt.power.at)
		return do_power() ? 1 : 0;
	errx(2, "%s: not with these options", what);
}
