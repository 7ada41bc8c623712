// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuse-bpf run: a daemon that knows nothing of all this, with filters.
 *
 * libfuse takes "/dev/fd/N" in the place of a mount point, for a mount that somebody
 * else has made. So a daemon needs no change to run on the module's FUSE, and is seen
 * through its filters from the first request on.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "main.h"

/* Asks no daemon, as there is none yet. */
static int mount_dev(int mount_fd, dev_t *dev)
{
	struct statx stx;

	if (statx(mount_fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &stx)) {
		p_err(-errno, "cannot look at the new mount");
		return FAILED;
	}
	*dev = makedev(stx.stx_dev_major, stx.stx_dev_minor);
	return DONE;
}

/* The words after "--", with the device in the place of {}; exits if there is none */
static char **daemon_words(struct args *args, int device)
{
	char **words = calloc(args->argc + 1, sizeof(*words));
	bool found = false;
	char path[32];
	int i;

	snprintf(path, sizeof(path), "/dev/fd/%d", device);
	for (i = 0; words && i < args->argc; i++) {
		words[i] = args->argv[i];
		if (strcmp(words[i], "{}"))
			continue;
		words[i] = strdup(path);
		found = true;
	}
	if (!words || !found) {
		free(words);
		return NULL;
	}
	return words;
}

static int start(const struct plan *plan, struct args *args, int device)
{
	char **words = daemon_words(args, device);

	if (!words) {
		p_err(-ENOMEM, "cannot run the daemon");
		return FAILED;
	}
	if (fcntl(device, F_SETFD, 0)) {
		p_err(-errno, "cannot hand over the device");
		return FAILED;
	}
	execvp(words[0], words);
	p_err(-errno, "cannot run %s", words[0]);
	/* Nobody is there to answer */
	umount2(plan->mountpoint, MNT_DETACH);
	return FAILED;
}

static int mount_and_run(struct plan *plan, struct args *args)
{
	int device, fd, ret;
	dev_t dev = 0;

	fd = fuse_bpf_fsmount(NULL, &device, &plan->opts);
	if (fd < 0) {
		p_err(fd, "cannot make a mount");
		return FAILED;
	}
	ret = mount_dev(fd, &dev);
	if (!ret)
		ret = plan_attach(plan, device, dev);
	if (!ret)
		ret = check_stopped();
	if (!ret)
		ret = plan_place(plan, fd);
	close(fd);
	if (!ret)
		ret = start(plan, args, device);
	plan_undo(plan, dev);
	close(device);
	return ret;
}

/* Everything up to "--" is ours. */
static int parse(struct args *args, struct plan *plan)
{
	int ret = DONE;
	size_t i;

	while (!ret && args->argc && strcmp(args->argv[0], "--"))
		ret = plan_parse(args, plan);
	if (ret)
		return ret;
	if (args->argc < 2)
		return p_usage("run: -- DAEMON is missing");
	args_next(args);
	/* What names directories or is compiled from them needs somebody to answer */
	if (plan->policy)
		return p_usage("run: policy FILE is for when the daemon runs");
	for (i = 0; i < plan->nr; i++)
		if (plan->filters[i].dir)
			return p_usage("run: dir PATH is for \"attach\", when the daemon runs");
	for (i = 0; i < (size_t)args->argc; i++)
		if (!strcmp(args->argv[i], "{}"))
			return DONE;
	return p_usage("run: the daemon needs {} in the place of its mount point");
}

static bool is_ignored(int signal)
{
	struct sigaction action;

	return !sigaction(signal, NULL, &action) && action.sa_handler == SIG_IGN;
}

int do_run(struct args *args)
{
	struct plan plan = { .opts.sz = sizeof(plan.opts) };
	size_t i;
	int ret;

	plan.mountpoint = args_need(args, "MOUNTPOINT");
	if (!plan.mountpoint)
		return USAGE;
	plan.opts.flags = FUSE_BPF_MOUNT_PLAIN;
	ret = parse(args, &plan);
	/* What this process ignores, the daemon that takes its place is to ignore too */
	if (!is_ignored(SIGINT) && !is_ignored(SIGTERM))
		stop_on_signals();
	if (!ret)
		ret = mount_and_run(&plan, args);
	for (i = 0; i < plan.nr; i++)
		free(plan.filters[i].elements);
	return ret;
}
