// SPDX-License-Identifier: LGPL-2.1-only
/*
 * Making backed mounts, with the mount calls that take file descriptors and give
 * reasons: fsopen(2), fsconfig(2), fsmount(2), move_mount(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

#define KNOWN_FLAGS \
	(FUSE_BPF_MOUNT_ALLOW_OTHER | FUSE_BPF_MOUNT_DEFAULT_PERMISSIONS | FUSE_BPF_MOUNT_PLAIN | \
	 FUSE_BPF_MOUNT_FALLBACK)

/**
 * struct plan - a mount in the making
 * @fs_fd: file system context
 * @backing_fd: backing directory
 * @device_fd: device for the daemon, -1 without one
 * @source: first column of /proc/mounts
 * @flags: FUSE_BPF_MOUNT_*
 */
struct plan {
	int fs_fd;
	int backing_fd;
	int device_fd;
	const char *source;
	__u32 flags;
};

/* Pass on what the kernel wrote about a refusal: "e fuse: reason" and the like. */
static void log_kernel(int fs_fd)
{
	char line[512];
	ssize_t len;

	while ((len = read(fs_fd, line, sizeof(line) - 1)) > 0) {
		while (len && line[len - 1] == '\n')
			len--;
		line[len] = '\0';
		fuse_bpf_log("kernel: %s", len > 2 && line[1] == ' ' ? line + 2 : line);
	}
}

static int config(const struct plan *plan, unsigned int cmd, const char *key, const void *value,
		  int aux)
{
	int err;

	if (!fsconfig(plan->fs_fd, cmd, key, value, aux))
		return 0;
	err = -errno;
	log_kernel(plan->fs_fd);
	return err;
}

static int config_flag(const struct plan *plan, const char *key)
{
	return config(plan, FSCONFIG_SET_FLAG, key, NULL, 0);
}

static int config_number(const struct plan *plan, const char *key, const char *fmt,
			 unsigned int number)
{
	char text[16];

	snprintf(text, sizeof(text), fmt, number);
	return config(plan, FSCONFIG_SET_STRING, key, text, 0);
}

/* What the kernel must be told of a mount that a daemon serves. */
static int config_daemon(const struct plan *plan)
{
	struct stat st;
	int err;

	st.st_mode = S_IFDIR | 0755;
	if (plan->backing_fd >= 0 && fstat(plan->backing_fd, &st))
		return -errno;
	err = config(plan, FSCONFIG_SET_FD, "fd", NULL, plan->device_fd);
	if (!err)
		err = config_number(plan, "rootmode", "%o", st.st_mode);
	if (!err)
		err = config_number(plan, "user_id", "%u", geteuid());
	if (!err)
		err = config_number(plan, "group_id", "%u", getegid());
	return err;
}

static int config_all(const struct plan *plan)
{
	int err;

	err = config(plan, FSCONFIG_SET_STRING, "source", plan->source, 0);
	if (!err && plan->backing_fd >= 0)
		err = config(plan, FSCONFIG_SET_FD, "backing", NULL, plan->backing_fd);
	if (!err)
		err = plan->device_fd < 0 ? config_flag(plan, "daemonless") : config_daemon(plan);
	if (!err && plan->flags & FUSE_BPF_MOUNT_ALLOW_OTHER)
		err = config_flag(plan, "allow_other");
	if (!err && plan->flags & FUSE_BPF_MOUNT_DEFAULT_PERMISSIONS)
		err = config_flag(plan, "default_permissions");
	if (!err)
		err = config(plan, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	return err;
}

static int fsmount_plan(struct plan *plan, enum fuse_bpf_flavour flavour, __u32 attrs)
{
	int fd;

	plan->fs_fd = fsopen(fuse_bpf_fs_type(flavour), FSOPEN_CLOEXEC);
	if (plan->fs_fd < 0)
		return -errno;

	fd = config_all(plan);
	if (!fd) {
		fd = fsmount(plan->fs_fd, FSMOUNT_CLOEXEC, attrs);
		if (fd < 0)
			fd = -errno;
	}
	close(plan->fs_fd);
	return fd;
}

static int open_backing(const char *backing, const struct fuse_bpf_mount_opts *opts)
{
	int fd;

	if (!backing)
		return opts->backing_fd;
	fd = open(backing, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		fd = -errno;
		fuse_bpf_log("%s: %s", backing, strerror(-fd));
	}
	return fd;
}

/* Has the device open, if only to learn which flavour it is. */
static int mount_on(int dev, const struct fuse_bpf_choice *choice, const char *backing,
		    int backing_fd, int *device_fd, const struct fuse_bpf_mount_opts *opts)
{
	struct plan plan = {
		.backing_fd = backing_fd,
		.device_fd = device_fd ? dev : -1,
		.source = opts->source ? opts->source : backing ? backing : "fuse-bpf",
		.flags = opts->flags,
	};
	int fd;

	fd = fsmount_plan(&plan, choice->flavour, opts->mount_attrs);
	if (fd >= 0 && device_fd)
		*device_fd = dev;
	else
		close(dev);
	return fd;
}

static int choose_device(const struct fuse_bpf_mount_opts *opts, int plain,
			 struct fuse_bpf_choice *choice)
{
	int dev = fuse_bpf_choose(opts->flavour, plain, choice);

	if (dev < 0)
		fuse_bpf_log("%s", choice->why);
	return dev;
}

static int mount_plainly(const char *source, int *device_fd, const struct fuse_bpf_mount_opts *opts,
			 struct fuse_bpf_choice *choice)
{
	int dev = choose_device(opts, opts->flags & FUSE_BPF_MOUNT_FALLBACK, choice);

	return dev < 0 ? dev : mount_on(dev, choice, source, -1, device_fd, opts);
}

static int mount_backed(const char *backing, int backing_fd, int *device_fd,
			const struct fuse_bpf_mount_opts *opts, struct fuse_bpf_choice *choice)
{
	int dev = choose_device(opts, 0, choice);

	return dev < 0 ? dev : mount_on(dev, choice, backing, backing_fd, device_fd, opts);
}

/*
 * Errnos that say that the kernel will not do it, and not that the caller is wrong. The
 * backing has been found before, so ENOENT is about the device.
 */
static bool may_fall_back(int err)
{
	switch (err) {
	case -ENOENT:
	case -ENOTTY:
	case -ENODEV:
	case -ENXIO:
	case -ELOOP:
	case -EOPNOTSUPP:
	case -EACCES:
		return true;
	}
	return false;
}

static int mount_or_fall_back(const char *backing, int backing_fd, int *device_fd,
			      const struct fuse_bpf_mount_opts *opts,
			      struct fuse_bpf_choice *choice)
{
	char why[sizeof(choice->why)];
	int fd, err;

	err = mount_backed(backing, backing_fd, device_fd, opts, choice);
	if (err >= 0 || !(opts->flags & FUSE_BPF_MOUNT_FALLBACK) || !may_fall_back(err))
		return err;

	fd = mount_plainly(backing, device_fd, opts, choice);
	if (fd >= 0 && !choice->plain) {
		choice->plain = 1;
		snprintf(why, sizeof(why), "%s; but it refuses the backing: %s", choice->path,
			 strerror(-err));
		memcpy(choice->why, why, sizeof(why));
	}
	if (fd >= 0)
		fuse_bpf_log("mounted without backing: %s", choice->why);
	return fd;
}

static int mount_with(const char *backing, int *device_fd, const struct fuse_bpf_mount_opts *opts,
		      struct fuse_bpf_choice *choice)
{
	int backing_fd, fd;

	if (opts->flags & FUSE_BPF_MOUNT_PLAIN)
		return mount_plainly(NULL, device_fd, opts, choice);

	backing_fd = open_backing(backing, opts);
	if (backing_fd < 0)
		return backing_fd;
	fd = mount_or_fall_back(backing, backing_fd, device_fd, opts, choice);
	if (backing)
		close(backing_fd);
	return fd;
}

static int check_mount_opts(const char *backing, const int *device_fd,
			    const struct fuse_bpf_mount_opts *opts)
{
	if (opts->flags & ~KNOWN_FLAGS) {
		fuse_bpf_log("unknown mount flags %#x", opts->flags & ~KNOWN_FLAGS);
		return -EINVAL;
	}
	if (opts->flags & FUSE_BPF_MOUNT_PLAIN && (backing || !device_fd)) {
		fuse_bpf_log("a plain mount has a daemon and no backing");
		return -EINVAL;
	}
	if (opts->flags & FUSE_BPF_MOUNT_FALLBACK && !device_fd) {
		fuse_bpf_log("a mount without a daemon cannot fall back to one");
		return -EINVAL;
	}
	if (opts->choice && opts->choice->sz < sizeof(opts->choice->sz)) {
		fuse_bpf_log("the size of struct fuse_bpf_choice is not set");
		return -EINVAL;
	}
	return 0;
}

FUSE_BPF_API int fuse_bpf_fsmount(const char *backing, int *device_fd,
				  const struct fuse_bpf_mount_opts *user_opts)
{
	struct fuse_bpf_choice choice = {};
	struct fuse_bpf_mount_opts opts;
	int fd;

	fd = fuse_bpf_copy_opts(&opts, sizeof(opts), user_opts);
	if (!fd)
		fd = check_mount_opts(backing, device_fd, &opts);
	if (fd)
		return fd;

	fd = mount_with(backing, device_fd, &opts, &choice);
	if (opts.choice)
		fuse_bpf_copy_out(opts.choice, &choice, sizeof(choice));
	return fd;
}

FUSE_BPF_API int fuse_bpf_mount(const char *backing, const char *mountpoint, int *device_fd,
				const struct fuse_bpf_mount_opts *opts)
{
	int dev = -1;
	int fd, err = 0;

	fd = fuse_bpf_fsmount(backing, device_fd ? &dev : NULL, opts);
	if (fd < 0)
		return fd;
	if (move_mount(fd, "", AT_FDCWD, mountpoint, MOVE_MOUNT_F_EMPTY_PATH)) {
		err = -errno;
		fuse_bpf_log("%s: %s", mountpoint, strerror(-err));
	}
	close(fd);
	if (!device_fd)
		return err;
	if (err)
		close(dev);
	else
		*device_fd = dev;
	return err;
}

/* Is this the root of a FUSE mount? Asks no daemon. */
static int check_fuse_root(int path_fd, const char *mountpoint)
{
	struct statx stx;
	int err;

	err = fuse_bpf_check_fuse(path_fd, mountpoint);
	if (err)
		return err;
	if (statx(path_fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &stx))
		return -errno;
	if (!(stx.stx_attributes & STATX_ATTR_MOUNT_ROOT)) {
		fuse_bpf_log("%s is inside a mount and not its root", mountpoint);
		return -EINVAL;
	}
	return 0;
}

/* Only a backed mount has counters, which it says to all who ask. */
static bool is_backed(int fd)
{
	int nr = fuse_bpf_stats(fd, NULL, 0);

	return nr >= 0 || nr == -EPERM;
}

static int open_checked(int path_fd, const char *mountpoint)
{
	int fd, err;

	err = check_fuse_root(path_fd, mountpoint);
	if (err)
		return err;
	fd = openat(path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (is_backed(fd))
		return fd;

	fuse_bpf_log("%s is a FUSE mount that is not backed", mountpoint);
	close(fd);
	return -ENOTTY;
}

FUSE_BPF_API int fuse_bpf_open_mount(const char *mountpoint)
{
	int path_fd, fd;

	path_fd = open(mountpoint, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (path_fd < 0)
		return -errno;
	fd = open_checked(path_fd, mountpoint);
	close(path_fd);
	return fd;
}
