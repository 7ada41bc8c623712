// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tree of a replay: names and types of all that was recorded, and of what a policy
 * speaks of, without any contents. It is in a mount namespace of its own, with the pins of
 * the filters, so that nothing is left of it however this process ends, but for an empty
 * directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "replay.h"

static int failed(int err, const char *what)
{
	p_err(err, "cannot make a tree for the replay: %s", what);
	return FAILED;
}

static int enter_namespace(struct replay *replay)
{
	if (unshare(CLONE_NEWNS)) {
		if (errno == EPERM) {
			p_err(0, "replaying needs CAP_SYS_ADMIN, CAP_BPF and CAP_PERFMON; run as root");
			return FAILED;
		}
		return failed(-errno, "unshare");
	}
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return failed(-errno, "making mounts private");
	if (mount("bpf", BPF_FS, "bpf", 0, "mode=0700"))
		return failed(-errno, "mounting a BPF file system");
	strcpy(replay->dir, "/tmp/fuse-bpf-replay-XXXXXX");
	if (!mkdtemp(replay->dir)) {
		replay->dir[0] = '\0';
		return failed(-errno, "making a directory in /tmp");
	}
	if (mount("replay", replay->dir, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,nr_inodes=0"))
		return failed(-errno, "mounting a tmpfs");
	return DONE;
}

static int make_dir(const char *parent, const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", parent, name);
	/* The mask of this process says nothing of who asks */
	if (mkdir(path, 0777) || chmod(path, 0777))
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Everybody may do everything there: only filters are asked. */
static int make_one(int dir_fd, const char *path, __u32 mode)
{
	int err;

	if (S_ISDIR(mode))
		err = mkdirat(dir_fd, path, 0777);
	else if (S_ISLNK(mode))
		err = symlinkat("replay", dir_fd, path);
	else
		err = mknodat(dir_fd, path, mode | 0777, 0);
	if (err)
		return -errno;
	return S_ISLNK(mode) || !fchmodat(dir_fd, path, 0777, 0) ? 0 : -errno;
}

/**
 * replay_place_path - where a name is in the tree
 * @place: its directory, or with @name of NULL, the place itself
 * @name: the name, or NULL
 * @path: out: relative to the tree
 * @size: of @path
 *
 * Return: 0, or -ENAMETOOLONG
 */
int replay_place_path(const struct place *place, const char *name, char *path, size_t size)
{
	char *at = path + size - 1;
	size_t len;

	*at = '\0';
	while (place) {
		if (!name) {
			if (!place->dir)
				break;
			name = place->name;
			place = place->dir;
		}
		len = strlen(name);
		if (at - path < (ssize_t)len + 1)
			return -ENAMETOOLONG;
		if (*at)
			*--at = '/';
		at -= len;
		memcpy(at, name, len);
		name = NULL;
	}
	memmove(path, *at ? at : ".", *at ? strlen(at) + 1 : 2);
	return 0;
}

/*
 * Where something else was at that name before, it is that for the whole replay. More
 * names of a file are there only while they are asked about: the filters of all of them
 * would be asked.
 */
static int make_place(const struct replay *replay, const struct place *place)
{
	char path[4096];
	int err = replay_place_path(place, NULL, path, sizeof(path));

	if (!err && !place->same)
		err = make_one(replay->tree_fd, path, place->mode);
	return err == -EEXIST || err == -ENOTDIR || err == -ENOENT ? 0 : err;
}

static int make_places(const struct replay *replay)
{
	int err = 0;
	size_t i;

	/* The first one is the root */
	for (i = 1; !err && i < replay->recording.nr_places; i++)
		err = make_place(replay, replay->recording.places[i]);
	return err ? failed(err, "the names of the recording") : DONE;
}

/* What a policy speaks of and nobody has used is there too, as it would not load else. */
static int make_path(const struct replay *replay, const char *path, __u32 mode)
{
	char part[4096];
	const char *slash;
	int err = 0;

	for (slash = strchr(path, '/'); !err && slash; slash = strchr(slash + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
		if (*part)
			err = make_one(replay->tree_fd, part, S_IFDIR);
		err = err == -EEXIST ? 0 : err;
	}
	if (!err)
		err = make_one(replay->tree_fd, path, mode);
	return err == -EEXIST ? 0 : err;
}

/* A rule for a file may call it by any of its names. */
static int make_file(const struct replay *replay, const char *file)
{
	char path[4096], same[4096];
	size_t i;

	for (i = 0; i < replay->recording.nr_places; i++) {
		const struct place *place = replay->recording.places[i];

		if (!place->same || replay_place_path(place, NULL, path, sizeof(path)) ||
		    strcmp(path, file) || replay_place_path(place->same, NULL, same, sizeof(same)))
			continue;
		if (!linkat(replay->tree_fd, same, replay->tree_fd, path, 0))
			return 0;
	}
	return make_path(replay, file, S_IFREG);
}

static int make_policy_paths(const struct replay *replay)
{
	struct policy policy;
	int err = 0;
	size_t i;

	if (policy_read(replay->plan.policy, true, &policy))
		return FAILED;
	for (i = 1; !err && i < policy.nr_scopes; i++)
		err = make_path(replay, policy.scopes[i], S_IFDIR);
	for (i = 0; !err && i < policy.nr; i++) {
		if (policy.rules[i].target == TARGET_FILE)
			err = make_file(replay, policy.rules[i].file);
	}
	policy_free(&policy);
	return err ? failed(err, "what the policy speaks of") : DONE;
}

static int make_filter_paths(const struct replay *replay)
{
	const char *dir;
	int err = 0;
	size_t i;

	for (i = 0; !err && i < replay->plan.nr; i++) {
		dir = replay->plan.filters[i].dir;
		err = dir ? make_path(replay, dir, S_IFDIR) : 0;
	}
	return err ? failed(err, "a directory of a filter") : DONE;
}

/**
 * replay_tree_make - make the tree
 * @replay: the replay; tree_fd and away_fd are set
 *
 * Return: DONE, or FAILED after reporting it
 */
int replay_tree_make(struct replay *replay)
{
	int ret = enter_namespace(replay);

	if (ret)
		return ret;
	replay->tree_fd = make_dir(replay->dir, "tree");
	replay->away_fd = make_dir(replay->dir, "away");
	if (replay->tree_fd < 0 || replay->away_fd < 0)
		return failed(replay->tree_fd < 0 ? replay->tree_fd : replay->away_fd, replay->dir);
	ret = make_places(replay);
	if (!ret && replay->plan.policy)
		ret = make_policy_paths(replay);
	return ret ?: make_filter_paths(replay);
}

static void open_place(const struct replay *replay, struct place *place)
{
	char self[64];
	int flags = S_ISDIR(place->mode) ? O_RDONLY | O_DIRECTORY : O_RDWR;

	if (!place->dir)
		place->fd = openat(replay->root_fd, ".", O_PATH | O_CLOEXEC);
	else if (place->dir->fd >= 0)
		place->fd = openat(place->dir->fd, place->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (place->fd < 0 || !place->opened || !(S_ISDIR(place->mode) || S_ISREG(place->mode)))
		return;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", place->fd);
	place->file_fd = open(self, flags | O_CLOEXEC);
}

/**
 * replay_tree_open - open all places, as long as there are no filters
 * @replay: the replay, mounted
 *
 * Return: DONE, or FAILED after reporting it
 */
int replay_tree_open(struct replay *replay)
{
	rlim_t needed = 2 * replay->recording.nr_places + 256;
	struct rlimit limit;
	size_t i;

	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < needed)
		limit.rlim_cur = needed;
	if (limit.rlim_max < needed)
		limit.rlim_max = needed;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		return failed(-errno, "as many open files as there are names");
	for (i = 0; i < replay->recording.nr_places; i++) {
		errno = 0;
		open_place(replay, replay->recording.places[i]);
		if (errno == EMFILE || errno == ENFILE)
			return failed(-errno, "opening its files");
	}
	return DONE;
}

void replay_tree_remove(struct replay *replay)
{
	if (replay->tree_fd >= 0)
		close(replay->tree_fd);
	if (replay->away_fd >= 0)
		close(replay->away_fd);
	if (!replay->dir[0])
		return;
	umount2(replay->dir, MNT_DETACH);
	rmdir(replay->dir);
}
