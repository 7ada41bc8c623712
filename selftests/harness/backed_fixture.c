// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <fuse_bpf.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "backed_fixture.h"
#include "util.h"

static enum fuse_bpf_flavour flavour(void)
{
	const char *name = getenv("FLAVOUR");

	if (name)
		return strcmp(name, "module") ? FUSE_BPF_BUILTIN : FUSE_BPF_MODULE;
	return access("/dev/fuse_bpf", F_OK) ? FUSE_BPF_BUILTIN : FUSE_BPF_MODULE;
}

const char *fs_type(void)
{
	return fuse_bpf_fs_type(flavour());
}

const char *device_path(void)
{
	return fuse_bpf_device_path(flavour());
}

static const struct {
	const char *name;
	const char *size;
	const char *mkfs;
} images[] = {
	{ "ext4", "64M", "mkfs.ext4 -q" },
	{ "xfs", "300M", "mkfs.xfs -q" },
	{ "btrfs", "128M", "mkfs.btrfs -q" },
};

/* Make and mount a file system at @path, and have it there in one piece or not at all. */
static int mount_image(const char *fs, const char *path)
{
	size_t i;

	for (i = 0; i < sizeof(images) / sizeof(images[0]); i++) {
		if (!strcmp(images[i].name, fs))
			return sh("{ [ -e /dev/loop-control ] || modprobe loop; } && "
				  "mkdir -p %s && truncate -s %s %s.img && %s %s.img && "
				  "mount -t %s -o loop %s.img %s && touch %s/ready", path,
				  images[i].size, path, images[i].mkfs, path, fs, path, path,
				  path) ? -EIO : 0;
	}
	return -EINVAL;
}

/*
 * File systems on disks are made once and stay: each test has a folder of one, bound
 * to where it wants to have it, which can be as busy as a whole file system.
 */
static int make_shared(const char *fs, char *dir, size_t size)
{
	char path[32], ready[48];
	int err = 0;

	snprintf(path, sizeof(path), "/var/tmp/fs-%s", fs);
	snprintf(ready, sizeof(ready), "%s/ready", path);
	if (access(ready, F_OK))
		err = mount_image(fs, path);
	snprintf(dir, size, "%s/test-XXXXXX", path);
	if (!err && (!mkdtemp(dir) || chmod(dir, 0755)))
		err = -errno;
	return err;
}

static int make_top(struct backed *b)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -errno;
	strcpy(b->top, "/tmp/test-XXXXXX");
	if (!mkdtemp(b->top) || mount("top", b->top, "tmpfs", 0, "mode=0755"))
		return -errno;
	snprintf(b->back, sizeof(b->back), "%s/back", b->top);
	snprintf(b->mnt, sizeof(b->mnt), "%s/mnt", b->top);
	return mkdir(b->back, 0755) || mkdir(b->mnt, 0755) ? -errno : 0;
}

static int mount_back(const struct backed *b)
{
	if (b->shared[0])
		return RES(mount(b->shared, b->back, NULL, MS_BIND, NULL));
	return RES(mount("backing", b->back, "tmpfs", 0, "mode=0755"));
}

int backed_make(struct backed *b, const char *fs)
{
	int err = 0;

	umask(0);
	*b = (struct backed){ .dev = -1 };
	if (strcmp(fs, "tmpfs"))
		err = make_shared(fs, b->shared, sizeof(b->shared));
	if (!err)
		err = make_top(b);
	if (!err)
		err = mount_back(b);
	if (err)
		say("no %s to test with: %s", fs, strerror(-err));
	return err;
}

int backed_mount(struct backed *b, unsigned int flags)
{
	FUSE_BPF_OPTS(fuse_bpf_mount_opts, opts, .flavour = flavour());
	bool daemon = flags & BACKED_DAEMON;
	int err;

	if (flags & BACKED_ALLOW_OTHER)
		opts.flags |= FUSE_BPF_MOUNT_ALLOW_OTHER;
	if (flags & BACKED_DEFAULT_PERM)
		opts.flags |= FUSE_BPF_MOUNT_DEFAULT_PERMISSIONS;
	if (flags & BACKED_RDONLY)
		opts.mount_attrs |= MOUNT_ATTR_RDONLY;

	err = fuse_bpf_mount(b->back, b->mnt, daemon ? &b->dev : NULL, &opts);
	if (err)
		return err;
	b->mounted = true;
	if (!daemon)
		return 0;
	if (!b->server)
		b->server = raw_server_new();
	return raw_server_start(b->server, b->dev);
}

int backed_setup(struct backed *b, const char *fs, unsigned int flags)
{
	int err = backed_make(b, fs);

	return err ? err : backed_mount(b, flags);
}

static void end_server(struct backed *b)
{
	raw_server_free(b->server);
	b->server = NULL;
	if (b->dev >= 0)
		close(b->dev);
	b->dev = -1;
}

int backed_umount(struct backed *b)
{
	if (umount(b->mnt))
		return -errno;
	b->mounted = false;
	end_server(b);
	return 0;
}

int backed_destroy(struct backed *b)
{
	int err = 0;

	if (!b->top[0])
		return 0;
	if (b->mounted) {
		err = backed_umount(b);
		if (err)
			say("the mount cannot be unmounted: %s", strerror(-err));
	}
	end_server(b);
	if (!err && umount(b->back)) {
		err = -errno;
		say("the backing is held by what is gone: %s", strerror(-err));
	}
	umount2(b->top, MNT_DETACH);
	rmdir(b->top);
	if (b->shared[0])
		sh("rm -rf %s", b->shared);
	return err;
}

int control_mount(const struct backed *b, char *path, size_t size)
{
	const char *type = flavour() == FUSE_BPF_MODULE ? "fusectl_bpf" : "fusectl";
	const char *ctl = in(b->top, "control");
	struct stat st;

	if (mkdir(ctl, 0755) || mount(type, ctl, type, 0, NULL) || stat(b->mnt, &st))
		return -errno;
	/* The kernel's own number of a device without a major is its minor */
	snprintf(path, size, "%s/%u", ctl, minor(st.st_dev));
	return 0;
}

static int set_number(int fs, const char *key, const char *fmt, unsigned int value)
{
	char text[16];

	snprintf(text, sizeof(text), fmt, value);
	return fsconfig(fs, FSCONFIG_SET_STRING, key, text, 0);
}

static int config_dev(int fs, const struct try_mount *what)
{
	if (fsconfig(fs, FSCONFIG_SET_FD, "fd", NULL, what->dev))
		return -1;
	if (what->no_ids)
		return 0;
	if (set_number(fs, "rootmode", "%o", what->rootmode ? what->rootmode : S_IFDIR | 0755))
		return -1;
	return set_number(fs, "user_id", "%u", geteuid()) ||
	       set_number(fs, "group_id", "%u", getegid()) ? -1 : 0;
}

static int config_flags(int fs, const struct try_mount *what)
{
	if (what->daemonless && fsconfig(fs, FSCONFIG_SET_FLAG, "daemonless", NULL, 0))
		return -1;
	if (what->allow_other && fsconfig(fs, FSCONFIG_SET_FLAG, "allow_other", NULL, 0))
		return -1;
	if (!what->default_permissions)
		return 0;
	return fsconfig(fs, FSCONFIG_SET_FLAG, "default_permissions", NULL, 0);
}

static int config_all(int fs, const struct try_mount *what)
{
	if (what->source && fsconfig(fs, FSCONFIG_SET_STRING, "source", what->source, 0))
		return -errno;
	if (what->backing && fsconfig(fs, FSCONFIG_SET_FD, "backing", NULL, what->backing))
		return -errno;
	if (what->backing2 && fsconfig(fs, FSCONFIG_SET_FD, "backing", NULL, what->backing2))
		return -errno;
	if (what->dev && config_dev(fs, what))
		return -errno;
	if (config_flags(fs, what))
		return -errno;
	return RES(fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
}

int try_mount(const struct try_mount *what)
{
	int fs = fsopen(what->type ? what->type : fs_type(), FSOPEN_CLOEXEC);
	int mnt, err;

	if (fs < 0)
		return -errno;
	err = config_all(fs, what);
	mnt = err ? -1 : fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (!err && mnt < 0)
		err = -errno;
	if (!err && what->at)
		err = RES(move_mount(mnt, "", AT_FDCWD, what->at, MOVE_MOUNT_F_EMPTY_PATH));
	close(fs);
	if (mnt >= 0)
		close(mnt);
	return err;
}

int open_dir(const char *path, int flags)
{
	return RES(open(path, flags | O_DIRECTORY | O_RDONLY | O_CLOEXEC));
}

int counts_read(int fd, struct op_counts *counts)
{
	int nr = fuse_bpf_stats(fd, counts->ops, NR_OPS);

	if (nr < 0)
		say("no statistics: %s", strerror(-nr));
	return nr < 0 ? nr : 0;
}

int counts_since(int fd, struct op_counts *old)
{
	struct op_counts now;
	int err = counts_read(fd, &now);
	int op;

	for (op = 0; op < NR_OPS && !err; op++) {
		old->ops[op].backing = now.ops[op].backing - old->ops[op].backing;
		old->ops[op].daemon = now.ops[op].daemon - old->ops[op].daemon;
		old->ops[op].denied = now.ops[op].denied - old->ops[op].denied;
		old->ops[op].errors = now.ops[op].errors - old->ops[op].errors;
	}
	return err;
}

int mount_backed(const char *back, const char *at)
{
	int fd = open_dir(back, O_PATH);
	int err = try_mount(TRY_MOUNT(.backing = fd, .daemonless = true, .allow_other = true,
				      .at = at));

	close(fd);
	return err;
}
