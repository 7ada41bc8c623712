// SPDX-License-Identifier: GPL-2.0-only
/*
 * The FUSE mounts of this process's mount namespace, and opening their directories.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "main.h"

/* unescape - undo the kernel's writing of blanks and the like as \040, in place */
char *unescape(char *text)
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

static bool is_there(enum fuse_bpf_flavour flavour)
{
	int fd = fuse_bpf_open_device(flavour, NULL);

	reason_clear();
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/*
 * A mount of a FUSE that takes requests, which its device tells. To ask the mount
 * would be to ask its daemon, which may not answer.
 */
static bool takes_requests(const char *type)
{
	static int there[FUSE_BPF_BUILTIN + 1];
	int flavour;

	for (flavour = FUSE_BPF_MODULE; flavour <= FUSE_BPF_BUILTIN; flavour++) {
		if (!is_type(type, fuse_bpf_fs_type(flavour)))
			continue;
		if (!there[flavour])
			there[flavour] = is_there(flavour) ? 1 : -1;
		return there[flavour] > 0;
	}
	return false;
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
	if (!options || !takes_requests(type) ||
	    sscanf(fields[2], "%u:%u", &maj, &min) != 2)
		return false;

	mount->dev = makedev(maj, min);
	/* The kernel shows the backing among the options */
	mount->backed = strstr(options, ",backing=");
	mount->others = strstr(options, ",allow_other");
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
 * mounts_read - find the mounts that can have filters, backed or not
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
 * mount_facts - what the list of mounts says of one that is known by its device number
 * @dev: device number
 *
 * Return: that; of a mount that is not there any more, all zero
 */
struct mount_facts mount_facts(dev_t dev)
{
	struct mount_facts facts = {};
	struct mounts mounts;
	size_t i;

	if (mounts_read(&mounts))
		return facts;
	for (i = 0; i < mounts.nr; i++) {
		const struct mount *mount = &mounts.all[i];

		if (mount->dev != dev)
			continue;
		facts.backed = mount->backed;
		facts.others = mount->others;
		facts.flavour = is_type(mount->type, fuse_bpf_fs_type(FUSE_BPF_MODULE)) ?
				FUSE_BPF_MODULE : FUSE_BPF_BUILTIN;
	}
	mounts_free(&mounts);
	return facts;
}

/**
 * mount_check_backed - is the mount a backed one?
 * @mountpoint: of the mount
 * @dev: device number
 * @what: what else cannot be
 *
 * Return: DONE, also if that cannot be told; FAILED after reporting that it is not
 */
int mount_check_backed(const char *mountpoint, dev_t dev, const char *what)
{
	struct mount_facts facts = mount_facts(dev);

	if (facts.backed || facts.flavour == FUSE_BPF_ANY)
		return DONE;
	p_err(0, "%s is not backed, and %s of backed mounts only", mountpoint, what);
	return FAILED;
}

static bool check_dev(int fd, dev_t dev)
{
	struct stat st;

	return !fstat(fd, &st) && st.st_dev == dev;
}

/**
 * mounts_open - open the root of a listed mount
 * @mount: from mounts_read()
 *
 * Return: a descriptor, or a negative errno that is not reported: another mount may
 * have covered this one, or its daemon does not answer
 */
int mounts_open(const struct mount *mount)
{
	int fd;

	fd = mount->backed ? fuse_bpf_open_dir(mount->point) : open_patiently(mount->point);
	reason_clear();
	if (fd >= 0 && !check_dev(fd, mount->dev)) {
		close(fd);
		return -ENOENT;
	}
	return fd;
}

static bool is_root(int fd)
{
	struct statx stx;

	return !statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &stx) &&
	       stx.stx_attributes & STATX_ATTR_MOUNT_ROOT;
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
	struct stat st = {};
	int fd, err;

	fd = fuse_bpf_open_dir(mountpoint);
	if (fd < 0) {
		p_err(fd, "cannot use %s as a FUSE mount with filters", mountpoint);
		return fd;
	}
	if (fstat(fd, &st)) {
		err = -errno;
		p_err(err, "cannot stat %s", mountpoint);
	} else if (!is_root(fd)) {
		err = -EINVAL;
		p_err(0, "%s is a directory inside a mount: name the mount point, and the directory with 'dir PATH'",
		      mountpoint);
	} else {
		if (dev)
			*dev = st.st_dev;
		return fd;
	}
	close(fd);
	return err;
}

/* A relative path cannot lead out of the mount, whatever links are in it. */
static int open_below(int mount_fd, const char *path)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = *path == '/' ? 0 : RESOLVE_BENEATH | RESOLVE_NO_XDEV,
	};
	int fd = syscall(SYS_openat2, mount_fd, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

/**
 * dir_open - open a directory of a mount
 * @mount_fd: root of the mount
 * @dev: device number of the mount
 * @path: absolute, or relative to the root of the mount
 * @ino: out: inode number
 *
 * Return: a descriptor, or a negative errno that has been reported
 */
int dir_open(int mount_fd, dev_t dev, const char *path, __u64 *ino)
{
	int fd = open_below(mount_fd, path);
	int err = fd < 0 ? fd : 0;
	struct stat st;

	if (!err && fstat(fd, &st))
		err = -errno;
	else if (!err && st.st_dev != dev)
		err = -EXDEV;
	if (!err) {
		*ino = st.st_ino;
		return fd;
	}
	if (fd >= 0)
		close(fd);
	if (err == -EXDEV)
		p_err(0, "%s is no directory of this mount: a relative path begins at the mount point",
		      path);
	else
		p_err(err, "cannot use %s as a directory of the mount", path);
	return err;
}

void add_dev(struct json_object *obj, dev_t dev)
{
	char text[32];

	snprintf(text, sizeof(text), "%u:%u", major(dev), minor(dev));
	add_string(obj, "dev", text);
}
