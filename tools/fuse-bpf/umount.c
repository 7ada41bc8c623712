// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuse-bpf umount: take a mount away, and the pins of its filters.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "main.h"

/* How long those who waited for the daemon are given to leave, in steps of 100 ms */
#define LEAVE_STEPS 50

/**
 * struct leaving - a mount to take away
 * @mountpoint: its path
 * @lazy: take it away from the tree, and leave it to those who use it
 * @force: end what waits for the daemon
 * @dev: its device number
 * @infos: its filters, NULL if the mount was not asked
 * @nr: number of @infos
 * @in_use: somebody goes on using it
 */
struct leaving {
	const char *mountpoint;
	bool lazy;
	bool force;
	dev_t dev;
	struct fuse_filter_info *infos;
	int nr;
	bool in_use;
};

static int parse(struct args *args, struct leaving *leaving)
{
	enum { LAZY, FORCE };
	static const char *const words[] = { [LAZY] = "lazy", [FORCE] = "force", NULL };

	leaving->mountpoint = args_need(args, "MOUNTPOINT");
	if (!leaving->mountpoint)
		return USAGE;
	while (args->argc) {
		switch (args_keyword(args, words)) {
		case LAZY:
			leaving->lazy = true;
			break;
		case FORCE:
			leaving->force = true;
			break;
		default:
			return USAGE;
		}
	}
	return DONE;
}

/* Is the file system mounted in some place? @point: in this one; NULL: in any */
static bool find_mount(const char *point, dev_t *dev)
{
	struct mounts mounts;
	bool found = false;
	size_t i;

	/* Where nobody can tell, pins stay */
	if (mounts_read(&mounts))
		return !point;
	for (i = 0; i < mounts.nr; i++) {
		if (point ? strcmp(mounts.all[i].point, point) : mounts.all[i].dev != *dev)
			continue;
		/* The last one covers the others */
		*dev = mounts.all[i].dev;
		found = true;
	}
	mounts_free(&mounts);
	return found;
}

/*
 * A daemon that hangs would hold whoever opens its root, and with that the mount. So
 * a mount that is to go by force is found without asking it; pins are then known by
 * their names only.
 */
static int find_unasked(struct leaving *leaving)
{
	char *point = realpath(leaving->mountpoint, NULL);
	int ret = DONE;

	if (!point) {
		p_err(-errno, "cannot use %s as a mount point", leaving->mountpoint);
		return FAILED;
	}
	if (!find_mount(point, &leaving->dev)) {
		p_err(0, "%s is no mount point of a FUSE with filters", leaving->mountpoint);
		ret = FAILED;
	}
	free(point);
	return ret;
}

static int find_asking(struct leaving *leaving)
{
	int fd = mount_open(leaving->mountpoint, &leaving->dev);

	if (fd < 0)
		return FAILED;
	leaving->nr = filters_read(fd, &leaving->infos);
	close(fd);
	if (leaving->nr < 0)
		leaving->nr = 0;
	return DONE;
}

/* A negative errno; those who were waiting for a daemon need a moment to leave. */
static int take_away(const struct leaving *leaving)
{
	int flags = UMOUNT_NOFOLLOW | (leaving->force ? MNT_FORCE : 0);
	int steps = leaving->force ? LEAVE_STEPS : 0;

	while (umount2(leaving->mountpoint, flags)) {
		if (errno != EBUSY || !steps--)
			return -errno;
		usleep(100000);
	}
	return 0;
}

static int unmount(struct leaving *leaving)
{
	int err = take_away(leaving);

	if (err == -EBUSY && leaving->lazy) {
		leaving->in_use = true;
		err = umount2(leaving->mountpoint, MNT_DETACH | UMOUNT_NOFOLLOW) ? -errno : 0;
	}
	if (!err)
		return DONE;
	if (err == -EBUSY)
		p_err(err, "cannot unmount %s, which is in use ('fuser -vm %s' shows by whom, 'lazy' takes it away all the same)",
		      leaving->mountpoint, leaving->mountpoint);
	else if (err == -EPERM)
		p_err(0, "cannot unmount %s: that needs CAP_SYS_ADMIN; run as root",
		      leaving->mountpoint);
	else
		p_err(err, "cannot unmount %s", leaving->mountpoint);
	return FAILED;
}

/*
 * Pins stay as long as somebody uses the mount, here or in another place: a filter that
 * fails open would let go of what it hides.
 */
static void unmounted(struct leaving *leaving)
{
	struct json_object *result = json_object_new_object();
	struct json_object *pins;

	if (leaving->in_use || find_mount(NULL, &leaving->dev))
		pins = json_object_new_array();
	else
		pins = pins_remove(leaving->infos, leaving->nr, leaving->dev, true);
	add_string(result, "mountpoint", leaving->mountpoint);
	add_bool(result, "in_use", leaving->in_use);
	json_object_object_add(result, "pins_removed", pins);
	out_result(result);
	if (leaving->in_use)
		p_text("%s is still in use; its filters stay pinned\n", leaving->mountpoint);
}

int do_umount(struct args *args)
{
	struct leaving leaving = {};
	int ret = parse(args, &leaving);

	if (!ret)
		ret = leaving.force ? find_unasked(&leaving) : find_asking(&leaving);
	if (!ret)
		ret = unmount(&leaving);
	if (!ret)
		unmounted(&leaving);
	free(leaving.infos);
	return ret;
}
