// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pins: names in the BPF file system that keep a filter's link when this tool has
 * ended. Unless the user says where, a pin is called after the filter, the inode
 * number of the directory if it is attached to one, and the device number of the
 * mount, so that it can be found when the filter or the mount goes.
 */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "main.h"

#define PIN_DIR BPF_FS "/fuse-bpf"

/* BPF_FS_MAGIC */
#define BPF_MAGIC 0xcafe4a11

/* link_map_id - id of the struct_ops map of a link; -EINVAL it is of another type */
int link_map_id(int link_fd, __u32 *map_id)
{
	struct bpf_link_info info = {};
	__u32 size = sizeof(info);
	int err;

	err = bpf_link_get_info_by_fd(link_fd, &info, &size);
	if (err)
		return err;
	if (info.type != BPF_LINK_TYPE_STRUCT_OPS)
		return -EINVAL;
	*map_id = info.struct_ops.map_id;
	return 0;
}

static int pinned_map_id(const char *path, __u32 *map_id)
{
	int fd = bpf_obj_get(path);
	int err;

	*map_id = 0;
	if (fd < 0)
		return -errno;
	err = link_map_id(fd, map_id);
	close(fd);
	return err;
}

static bool is_attached(int mount_fd, __u32 map_id)
{
	struct fuse_filter_info *infos;
	int nr = filters_read(mount_fd, &infos);
	/* Not to be told is no reason to think that it is not */
	bool found = nr < 0;
	int i;

	for (i = 0; i < nr; i++)
		found |= infos[i].map_id == map_id;
	free(infos);
	return found;
}

/*
 * Is the filter attached to some mount, or may it be, because the daemon does not
 * answer? Then that one still needs it.
 */
static bool is_needed(__u32 map_id, char *where, size_t size)
{
	struct mounts mounts;
	bool found = false;
	size_t i;
	int fd;

	if (mounts_read(&mounts))
		return false;
	for (i = 0; !found && i < mounts.nr; i++) {
		fd = mounts_open(&mounts.all[i]);
		found = fd < 0 ? fd == -ETIMEDOUT : is_attached(fd, map_id);
		if (found)
			snprintf(where, size, "%s", mounts.all[i].point);
		if (fd >= 0)
			close(fd);
	}
	mounts_free(&mounts);
	return found;
}

bool bpf_fs_is_mounted(void)
{
	struct statfs sfs;

	return !statfs(BPF_FS, &sfs) && sfs.f_type == BPF_MAGIC;
}

static int make_pin_dir(void)
{
	if (!bpf_fs_is_mounted() && mount("bpf", BPF_FS, "bpf", 0, "mode=0700"))
		return -errno;
	if (mkdir(PIN_DIR, 0700) && errno != EEXIST)
		return -errno;
	return 0;
}

static void pin_suffix(dev_t dev, char *suffix, size_t size)
{
	snprintf(suffix, size, "-%u:%u", major(dev), minor(dev));
}

/* The BPF file system takes no dots in names. */
static void usual_path(struct filter *filter, dev_t dev)
{
	char suffix[32], dir[32] = "", *dot;

	pin_suffix(dev, suffix, sizeof(suffix));
	if (filter->dir)
		snprintf(dir, sizeof(dir), "-%llu", (unsigned long long)filter->dir_ino);
	snprintf(filter->pinned, sizeof(filter->pinned), PIN_DIR "/%s%s%s", filter->name, dir,
		 suffix);
	while ((dot = strrchr(filter->pinned, '.')))
		*dot = '_';
}

/* A pin of a mount that had the same device number and is no more. */
static bool is_stale(const char *path, int mount_fd)
{
	__u32 map_id;

	return !pinned_map_id(path, &map_id) && !is_attached(mount_fd, map_id);
}

/**
 * pin_link - pin the link of a filter
 * @filter: the filter, of which @filter->pinned is filled in
 * @link_fd: its link
 * @mount_fd: mount that the filter will be attached to
 * @dev: device number of that mount
 *
 * Return: DONE, or FAILED after reporting it
 */
int pin_link(struct filter *filter, int link_fd, int mount_fd, dev_t dev)
{
	int err = 0;

	if (filter->pin) {
		snprintf(filter->pinned, sizeof(filter->pinned), "%s", filter->pin);
	} else {
		err = make_pin_dir();
		usual_path(filter, dev);
	}
	if (!err)
		err = bpf_obj_pin(link_fd, filter->pinned) ? -errno : 0;
	if (err == -EEXIST && !filter->pin && is_stale(filter->pinned, mount_fd) &&
	    !unlink(filter->pinned))
		err = bpf_obj_pin(link_fd, filter->pinned) ? -errno : 0;
	if (!err)
		return DONE;

	if (err == -EEXIST)
		p_err(0, "%s exists: a filter of this name is attached; give another place with 'pin PATH'",
		      filter->pinned);
	else if (err == -EPERM && filter->pin)
		p_err(0, "cannot pin at %s: that must be on a BPF file system, such as " BPF_FS,
		      filter->pinned);
	else
		p_err(err, "cannot pin the filter's link at %s", filter->pinned);
	filter->pinned[0] = '\0';
	return FAILED;
}

/* Is this the pin of a filter that has gone, or of a mount that has? */
static bool is_of(const char *name, __u32 map_id, const struct fuse_filter_info *gone, int nr,
		  const char *suffix)
{
	size_t len = strlen(name), suffix_len = suffix ? strlen(suffix) : 0;
	int i;

	for (i = 0; i < nr; i++) {
		if (gone[i].map_id == map_id)
			return true;
	}
	return suffix && len > suffix_len && !strcmp(name + len - suffix_len, suffix);
}

static void pin_remove(const char *path, __u32 map_id, struct json_object *removed)
{
	char where[PATH_MAX];

	if (is_needed(map_id, where, sizeof(where))) {
		p_text("kept %s: the filter is attached to %s\n", path, where);
	} else if (!unlink(path)) {
		p_text("removed %s\n", path);
		json_object_array_add(removed, json_object_new_string(path));
	}
}

/**
 * pins_remove - remove pins in the usual place that nobody needs any more
 * @gone: filters that are attached no more
 * @nr: number of @gone
 * @dev: device number of the mount that they were attached to
 * @unmounted: it is gone too, and with it whatever is named after it
 *
 * Return: a JSON array of the paths removed
 */
struct json_object *pins_remove(const struct fuse_filter_info *gone, int nr, dev_t dev,
				bool unmounted)
{
	struct json_object *removed = json_object_new_array();
	char path[PATH_MAX], suffix[32];
	struct dirent *entry;
	__u32 map_id;
	DIR *dir;

	dir = opendir(PIN_DIR);
	if (!dir)
		return removed;
	pin_suffix(dev, suffix, sizeof(suffix));
	while ((entry = readdir(dir))) {
		snprintf(path, sizeof(path), PIN_DIR "/%s", entry->d_name);
		if (entry->d_name[0] != '.' && !pinned_map_id(path, &map_id) &&
		    is_of(entry->d_name, map_id, gone, nr, unmounted ? suffix : NULL))
			pin_remove(path, map_id, removed);
	}
	closedir(dir);
	return removed;
}

/**
 * pins_forget - remove the pins of a mount that did not come to be, and say nothing
 * @dev: its device number
 */
void pins_forget(dev_t dev)
{
	bool quiet = settings.quiet;

	settings.quiet = true;
	json_object_put(pins_remove(NULL, 0, dev, true));
	settings.quiet = quiet;
}
