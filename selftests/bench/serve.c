// SPDX-License-Identifier: GPL-2.0-only
/*
 * serve: mount, with the FUSE of this project, and become a daemon that was written
 * for the FUSE of the kernel.
 *
 *	serve [-b BACKING] MOUNTPOINT PROGRAM ARGUMENT...
 *
 * With -b the root is backed. "{}" among the arguments stands for the mount point that
 * the daemon is given, /dev/fd/N.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse_bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static int mount_plain(const char *mountpoint)
{
	enum fuse_bpf_flavour flavour;
	char options[128];
	int device;

	device = fuse_bpf_open_device(FUSE_BPF_ANY, &flavour);
	if (device < 0)
		errx(1, "no FUSE with backed inodes: %s", strerror(-device));
	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions",
		 device);
	if (mount("serve", mountpoint, fuse_bpf_fs_type(flavour), MS_NODEV | MS_NOSUID, options))
		err(1, "cannot mount %s", mountpoint);
	return device;
}

static int mount_backed(const char *backing, const char *mountpoint)
{
	FUSE_BPF_OPTS(fuse_bpf_mount_opts, opts, .flags = FUSE_BPF_MOUNT_ALLOW_OTHER);
	int device, error;

	error = fuse_bpf_mount(backing, mountpoint, &device, &opts);
	if (error)
		errx(1, "cannot mount %s: %s", mountpoint, strerror(-error));
	return device;
}

int main(int argc, char **argv)
{
	const char *backing = NULL;
	char path[32];
	int device, i;

	while ((i = getopt(argc, argv, "+b:")) != -1) {
		if (i != 'b')
			return 2;
		backing = optarg;
	}
	argv += optind;
	argc -= optind;
	if (argc < 2)
		errx(2, "usage: serve [-b BACKING] MOUNTPOINT PROGRAM ARGUMENT...");

	device = backing ? mount_backed(backing, argv[0]) : mount_plain(argv[0]);
	snprintf(path, sizeof(path), "/dev/fd/%d", device);
	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], "{}"))
			argv[i] = path;
	if (fcntl(device, F_SETFD, 0))
		err(1, "fcntl");
	execvp(argv[1], argv + 1);
	err(1, "%s", argv[1]);
}
