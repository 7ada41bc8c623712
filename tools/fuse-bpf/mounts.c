// SPDX-License-Identifier: GPL-2.0-only
/*
 * The backed mounts of this process's mount namespace.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "main.h"

/* Undo the kernel's writing of blanks and the like as \040, in place. */
static char *unescape(char *text)
{
	char *from = text, *to = text;

	while (*from) {
		if (from[0] == '\\' && from[1] && from[2] && from[3]) {
			*to++ = (from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0');
			from += 4;
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
	return text;
}

/* Also of a type with a subtype, as in "fuse.sshfs". */
static bool is_type(const char *type, const char *wanted)
{
	size_t len = strlen(wanted);

	return !strncmp(type, wanted, len) && (!type[len] || type[len] == '.');
}

/*
 * The kernel shows the backing among the options. To ask the mount itself would be
 * to ask its daemon if it is a plain one, and that may hang.
 */
static bool is_backed(const char *type, const char *options)
{
	return (is_type(type, fuse_bpf_fs_type(FUSE_BPF_MODULE)) ||
		is_type(type, fuse_bpf_fs_type(FUSE_BPF_BUILTIN))) &&
	       strstr(options, ",backing=");
}

/*
 * A line is: id, parent, major:minor, root, mount point, options, any number of
 * optional fields, "-", type, source, options of the super block.
 */
static bool parse_line(char *line, struct mount *mount)
{
	unsigned int maj, min;
	char *fields[6], *rest, *type, *source, *options;
	int i;

	rest = strstr(line, " - ");
	if (!rest)
		return false;
	*rest = '\0';
	rest += 3;
	for (i = 0; i < 6; i++) {
		fields[i] = strsep(&line, " ");
		if (!fields[i])
			return false;
	}
	type = strsep(&rest, " ");
	source = strsep(&rest, " ");
	options = strsep(&rest, " ");
	if (!options || !is_backed(type, options) ||
	    sscanf(fields[2], "%u:%u", &maj, &min) != 2)
		return false;

	mount->dev = makedev(maj, min);
	mount->point = strdup(unescape(fields[4]));
	mount->type = strdup(unescape(type));
	mount->source = strdup(unescape(source));
	return mount->point && mount->type && mount->source;
}

static void mount_free(struct mount *mount)
{
	free(mount->point);
	free(mount->type);
	free(mount->source);
	memset(mount, 0, sizeof(*mount));
}

static int mounts_add(struct mounts *mounts, const struct mount *mount)
{
	struct mount *all = reallocarray(mounts->all, mounts->nr + 1, sizeof(*all));

	if (!all)
		return -ENOMEM;
	all[mounts->nr++] = *mount;
	mounts->all = all;
	return 0;
}

/**
 * mounts_read - find the backed mounts
 * @mounts: out: to be freed with mounts_free()
 *
 * Return: 0 or a negative errno
 */
int mounts_read(struct mounts *mounts)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t size = 0;
	int err = 0;

	memset(mounts, 0, sizeof(*mounts));
	if (!file)
		return -errno;
	while (!err && getline(&line, &size, file) > 0) {
		struct mount mount = {};

		line[strcspn(line, "\n")] = '\0';
		if (parse_line(line, &mount))
			err = mounts_add(mounts, &mount);
		else
			mount_free(&mount);
	}
	free(line);
	fclose(file);
	if (err)
		mounts_free(mounts);
	return err;
}

void mounts_free(struct mounts *mounts)
{
	size_t i;

	for (i = 0; i < mounts->nr; i++)
		mount_free(&mounts->all[i]);
	free(mounts->all);
	memset(mounts, 0, sizeof(*mounts));
}

/**
 * mounts_open - open the root of a listed mount
 * @mount: from mounts_read()
 *
 * Return: a descriptor, or a negative errno that is not reported: another mount
 * may have covered this one
 */
int mounts_open(const struct mount *mount)
{
	struct stat st;
	int fd;

	fd = fuse_bpf_open_mount(mount->point);
	reason_clear();
	if (fd >= 0 && (fstat(fd, &st) || st.st_dev != mount->dev)) {
		close(fd);
		return -ENOENT;
	}
	return fd;
}

/**
 * mount_open - open the root of a mount that the user named
 * @mountpoint: its path
 * @dev: out: device number of the mount, may be NULL
 *
 * Return: a descriptor, or a negative errno that has been reported
 */
int mount_open(const char *mountpoint, dev_t *dev)
{
	struct stat st;
	int fd, err;

	fd = fuse_bpf_open_mount(mountpoint);
	if (fd < 0) {
		p_err(fd, "cannot use %s as a backed mount", mountpoint);
		return fd;
	}
	if (fstat(fd, &st)) {
		err = -errno;
		close(fd);
		p_err(err, "cannot stat %s", mountpoint);
		return err;
	}
	if (dev)
		*dev = st.st_dev;
	return fd;
}
