// SPDX-License-Identifier: GPL-2.0-only
/*
 * tierfs: a tree whose files are fetched from an object store when they are read.
 */
#include <errno.h>
#include <fcntl.h>
#include <fuse_bpf.h>
#include <getopt.h>
#include <mntent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tierfs.h"

#define SOURCE "tierfs"

static const char usage_text[] =
	"Usage: tierfs mount [-w BYTES] [-u SECONDS] URL DIRECTORY MOUNTPOINT\n"
	"       tierfs add [-o] OBJECT FILE\n"
	"       tierfs fetch FILE...\n"
	"       tierfs evict FILE...\n"
	"       tierfs sync FILE...\n"
	"       tierfs state FILE...\n"
	"\n"
	"mount serves DIRECTORY, whose stubs are filled from objects behind URL, and runs\n"
	"until it is unmounted. Files of up to BYTES (64 MiB) are fetched as a whole when\n"
	"they are opened, others chunk by chunk when they are read. With -u, what was changed\n"
	"goes to the store, so many seconds later, when nobody has it open for writing, and\n"
	"objects are renamed and removed as their files are. The other commands are about\n"
	"files on the mount: add makes an empty one a stub, whose object is its own with -o;\n"
	"sync sends it to the store now.\n";

static int usage(void)
{
	fputs(usage_text, stderr);
	return 2;
}

static int fail(int err, const char *what)
{
	fprintf(stderr, "tierfs: %s: %s\n", what, strerror(-err));
	return 1;
}

/* What another daemon left when it died answers with EIO; its place is ours. */
static int unmount_old(const char *mountpoint)
{
	char *path = realpath(mountpoint, NULL);
	struct mntent *entry;
	bool ours = false;
	FILE *mounts;

	if (!path)
		return -errno;
	mounts = setmntent("/proc/self/mounts", "re");
	if (!mounts) {
		free(path);
		return -EIO;
	}
	/* The last is on top */
	while ((entry = getmntent(mounts)))
		if (!strcmp(entry->mnt_dir, path))
			ours = !strcmp(entry->mnt_fsname, SOURCE);
	endmntent(mounts);
	free(path);
	return ours && umount2(mountpoint, MNT_DETACH) ? -errno : 0;
}

/* A descriptor for each inode that was asked about */
static void allow_many_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int prepare(const struct options *opts)
{
	int fd, err;

	allow_many_files();
	/* What is made belongs to the caller as it is, and leases send this signal */
	umask(0);
	signal(SIGIO, SIG_IGN);
	err = unmount_old(opts->mountpoint);
	if (err)
		return err;
	fd = open(opts->backing, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = node_init(fd);
	if (!err)
		err = store_init(opts->store);
	if (!err && opts->uploads)
		err = bury_init();
	return err ? err : filter_load(opts->uploads);
}

/* The filter is there before anybody can see the mount. */
static int mount_filtered(const struct options *opts, int *device)
{
	FUSE_BPF_OPTS(fuse_bpf_mount_opts, mount_opts, .source = SOURCE,
		      .flags = FUSE_BPF_MOUNT_ALLOW_OTHER);
	int fd, err;

	fd = fuse_bpf_fsmount(opts->backing, device, &mount_opts);
	if (fd < 0)
		return fd;
	err = filter_attach(fd);
	if (!err && move_mount(fd, "", AT_FDCWD, opts->mountpoint, MOVE_MOUNT_F_EMPTY_PATH))
		err = -errno;
	close(fd);
	return err;
}

static int run_mount(const struct options *opts)
{
	int device, err;

	err = prepare(opts);
	if (!err)
		err = mount_filtered(opts, &device);
	if (err)
		return fail(err, opts->mountpoint);
	err = serve(device, opts);
	/* After a signal, nobody would answer on what is left */
	if (err > 0)
		err = unmount_old(opts->mountpoint);
	filter_unload();
	return err ? fail(err, opts->mountpoint) : 0;
}

/* false: this is no number */
static bool number(const char *text, uint64_t max, uint64_t *value)
{
	char *rest;

	errno = 0;
	*value = strtoull(text, &rest, 0);
	return !errno && !*rest && rest != text && *text != '-' && *value <= max;
}

static int do_mount(int argc, char **argv)
{
	struct options opts = { .whole = 64ULL << 20 };
	uint64_t seconds;
	int opt;

	while ((opt = getopt(argc, argv, "w:u:")) != -1) {
		switch (opt) {
		case 'w':
			if (!number(optarg, UINT64_MAX, &opts.whole))
				return usage();
			break;
		case 'u':
			if (!number(optarg, 86400, &seconds))
				return usage();
			opts.uploads = true;
			opts.delay = seconds * 1000;
			break;
		default:
			return usage();
		}
	}
	if (argc - optind != 3)
		return usage();
	opts.store = argv[optind];
	opts.backing = argv[optind + 1];
	opts.mountpoint = argv[optind + 2];
	return run_mount(&opts);
}

static int do_add(int argc, char **argv)
{
	const char *name = TIER_XATTR ".object";

	if (argc == 4 && !strcmp(argv[1], "-o")) {
		name = TIER_XATTR ".own";
		argc--;
		argv++;
	}
	if (argc != 3)
		return usage();
	if (lsetxattr(argv[2], name, argv[1], strlen(argv[1]), 0))
		return fail(-errno, argv[2]);
	return 0;
}

static int request_all(int argc, char **argv, const char *name)
{
	int i, ret = 0;

	if (argc < 2)
		return usage();
	for (i = 1; i < argc; i++)
		if (lsetxattr(argv[i], name, "", 0, 0))
			ret = fail(-errno, argv[i]);
	return ret;
}

static int do_fetch(int argc, char **argv)
{
	return request_all(argc, argv, TIER_XATTR ".fetch");
}

static int do_evict(int argc, char **argv)
{
	return request_all(argc, argv, TIER_XATTR ".evict");
}

static int do_sync(int argc, char **argv)
{
	int i, ret = 0;

	if (argc < 2)
		return usage();
	for (i = 1; i < argc; i++)
		if (lgetxattr(argv[i], TIER_XATTR ".sync", NULL, 0) < 0)
			ret = fail(-errno, argv[i]);
	return ret;
}

static int do_state(int argc, char **argv)
{
	char text[TIER_TEXT_MAX + 64];
	int i, ret = 0;
	ssize_t len;

	if (argc < 2)
		return usage();
	for (i = 1; i < argc; i++) {
		len = lgetxattr(argv[i], TIER_XATTR ".state", text, sizeof(text));
		if (len < 0)
			ret = fail(-errno, argv[i]);
		else
			printf("%s: %.*s\n", argv[i], (int)len, text);
	}
	return ret;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} commands[] = {
		{ "mount", do_mount }, { "add", do_add },     { "fetch", do_fetch },
		{ "evict", do_evict }, { "sync", do_sync },   { "state", do_state },
	};
	size_t i;

	for (i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	return usage();
}
