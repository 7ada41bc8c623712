// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "astack_fixture.h"
#include "util.h"

#define TOP	"/run/astack"
#define PINS	"/sys/fs/bpf/astack"

const struct astack_caller astack_callers[ASTACK_CALLERS] = {
	[CAM] = { "cam", 10101, {}, "READ_IMG LOCATION" },
	[GAL] = { "gal", 10102, {}, "READ_IMG" },
	[MAP] = { "map", 10103, {}, "READ_IMG LOCATION" },
	[GAME] = { "game", 10104 },
	[SPY] = { "spy", 10105 },
	[FILES] = { "files", 10106, { 1015 }, "MANAGE" },
	[INST] = { "inst", 10107, {}, "INSTALLER" },
	[SUITE] = { "suite", 10108 },
	[U10GAME] = { "u10game", 1010104 },
	[SHELL] = { "shell", 2000, { 1015, 1078, 1079 }, "SYSTEM" },
	[ROOT] = { "root", 0 },
};

/* GPS of a small EXIF segment, see make_image(), and what "redact" adds */
const struct astack_hidden astack_hidden[ASTACK_NR_HIDDEN] = {
	{ 12 + 28, 12 + 28 + 24 }, { 12 + 56, 12 + 56 + 24 },
	{ IMG1_EXTRA, IMG1_EXTRA + 777 },
};

static pid_t daemon_pid;

static const char *tool(const char *name)
{
	static char path[PATH_MAX];
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[len < 0 ? 0 : len] = '\0';
	snprintf(path, sizeof(path), "%s/tools/%s", dirname(dirname(dirname(self))), name);
	return path;
}

int astack_ctl(const char *fmt, ...)
{
	char args[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(args, sizeof(args), fmt, ap);
	va_end(ap);
	return sh("%s -v %s %s", tool("astackctl"), ASTACK_VOLUME, args);
}

static void put16(unsigned char *at, unsigned int value)
{
	at[0] = value;
	at[1] = value >> 8;
}

static void put32(unsigned char *at, unsigned int value)
{
	put16(at, value);
	put16(at + 2, value >> 16);
}

static void put_entry(unsigned char *at, unsigned int tag, unsigned int type, unsigned int count,
		      unsigned int value)
{
	put16(at, tag);
	put16(at + 2, type);
	put32(at + 4, count);
	put32(at + 8, value);
}

/* A JPEG file of numbers, with a GPS directory of two entries if @gps, or without */
static int make_image(const char *path, size_t size, bool gps)
{
	unsigned char *image = malloc(size), *tiff = image + 12;
	size_t i;
	int fd;

	if (!image)
		return -ENOMEM;
	for (i = 0; i < size; i++)
		image[i] = byte_at(7, i) | 1;
	memcpy(image, "\xff\xd8\xff\xe1", 4);
	image[4] = 0;
	image[5] = 2 + 6 + 80;
	memcpy(image + 6, "Exif\0\0", 6);
	memcpy(tiff, "II*\0", 4);
	put32(tiff + 4, 8);
	put16(tiff + 8, 1);
	put_entry(tiff + 10, gps ? 0x8825 : 0x0100, 4, 1, 26);
	/* At 22 the next directory, which there is not; at 26 that of GPS */
	put32(tiff + 22, 0);
	put16(tiff + 26, 2);
	put_entry(tiff + 28, 1, 2, 2, 'N');
	put_entry(tiff + 40, 2, 5, 3, 56);
	put32(tiff + 52, 0);
	memcpy(image + 12 + 80, "\xff\xda", 2);

	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0664);
	i = fd < 0 ? 0 : write(fd, image, size);
	if (fd >= 0)
		close(fd);
	free(image);
	return i == size ? 0 : -EIO;
}

int astack_load_image(unsigned char full[IMG1_SIZE], unsigned char redacted[IMG1_SIZE])
{
	int fd = open(astack_lower(IMG1), O_RDONLY | O_CLOEXEC), i;
	ssize_t len = RES(pread(fd, full, IMG1_SIZE, 0));

	close(fd);
	if (len != IMG1_SIZE)
		return -EIO;
	memcpy(redacted, full, IMG1_SIZE);
	for (i = 0; i < ASTACK_NR_HIDDEN; i++)
		memset(redacted + astack_hidden[i].start, 0,
		       astack_hidden[i].end - astack_hidden[i].start);
	return memcmp(full, redacted, IMG1_SIZE) ? 0 : -EIO;
}

static int make_shared(const char *path, uid_t uid)
{
	if (chown(path, uid, 1015) || chmod(path, 0664))
		return -errno;
	return 0;
}

static int fill(void)
{
	const char *img1 = astack_lower(IMG1);
	const char *img2 = astack_lower("DCIM/Camera/IMG_0002.jpg");
	const char *doc = astack_lower("Download/doc.pdf");
	int err = make_image(img1, IMG1_SIZE, true);

	err = err ?: make_image(img2, 20000, false);
	err = err ?: make_file(doc, "a document\n", 0664);
	err = err ?: make_shared(img1, 10101);
	err = err ?: make_shared(img2, 10101);
	err = err ?: make_shared(doc, 10106);
	return err ?: astack_ctl("redact %s %d:777", img1, IMG1_EXTRA);
}

static int setup_apps(void)
{
	const struct astack_caller *c;
	int err = astack_ctl("install com.demo.game 10104");

	err = err ?: astack_ctl("install com.demo.suite.a 10108");
	err = err ?: astack_ctl("install com.demo.suite.b 10108");
	err = err ?: astack_ctl("install com.demo.game 1010104");
	for (c = astack_callers; c < astack_callers + ASTACK_CALLERS && !err; c++) {
		if (c->rights)
			err = astack_ctl("grant %u %s", c->uid, c->rights);
	}
	return err;
}

static int start_daemon(void)
{
	int i;

	daemon_pid = fork();
	if (daemon_pid < 0)
		return -errno;
	if (!daemon_pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(tool("astackd"), "astackd", ASTACK_VOLUME, ASTACK_MNT, NULL);
		_exit(127);
	}
	for (i = 0; i < 6000; i++) {
		if (!sh("mountpoint -q %s", ASTACK_MNT))
			return 0;
		if (waitpid(daemon_pid, NULL, WNOHANG) == daemon_pid)
			return -ECHILD;
		usleep(50000);
	}
	return -ETIMEDOUT;
}

int astack_daemon_again(void)
{
	return sh("timeout 60 %s %s %s 2>/dev/null", tool("astackd"), ASTACK_VOLUME, ASTACK_MNT);
}

/* Nobody but the stack gets to the volume, by its top's mode */
static int mount_media(const char *fs)
{
	if (!strcmp(fs, "tmpfs"))
		return sh("mount -t tmpfs -o mode=770,uid=1023,gid=1023 tmpfs %s/media", TOP);
	return sh("{ [ -e /dev/loop-control ] || modprobe loop; } && rm -f %s/image && "
		  "truncate -s 128M %s/image && mkfs.%s -q %s/image && "
		  "mount -t %s -o loop %s/image %s/media && "
		  "chown 1023:1023 %s/media && chmod 770 %s/media", TOP, TOP, fs, TOP, fs, TOP,
		  TOP, TOP, TOP);
}

int astack_start(void)
{
	return astack_start_on("tmpfs");
}

int astack_start_on(const char *fs)
{
	int err;

	sh("mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf");
	sh("umount -l %s %s/media 2>/dev/null; rm -rf %s; mkdir -p %s %s/media", ASTACK_MNT, TOP,
	   PINS, ASTACK_MNT, TOP);
	err = mount_media(fs) ?: sh("mkdir -m 755 %s", ASTACK_VOLUME);
	err = err ?: astack_ctl("user 0");
	err = err ?: astack_ctl("user 10");
	err = err ?: start_daemon();
	err = err ?: setup_apps();
	err = err ?: fill();
	if (err)
		say("starting astack: %d", err);
	return err;
}

int astack_stop(void)
{
	int status = 0, i;

	kill(daemon_pid, SIGCONT);
	for (i = 0; i < 600 && umount(ASTACK_MNT) && errno == EBUSY; i++)
		usleep(50000);
	if (waitpid(daemon_pid, &status, 0) != daemon_pid)
		status = -errno;
	sh("rm -rf %s; umount %s/media", PINS, TOP);
	return status;
}

pid_t astack_daemon(void)
{
	return daemon_pid;
}

int astack_as(enum astack_caller_id id, int (*fn)(void *arg), const void *arg)
{
	const struct astack_caller *c = &astack_callers[id];
	size_t nr = 0;

	while (nr < 3 && c->groups[nr])
		nr++;
	return c->uid ? as_user_groups(c->uid, c->uid, c->groups, nr, fn, arg) : in_child(fn, arg);
}

int astack_try(enum astack_caller_id id, int (*fn)(void *arg), const char *path)
{
	char copy[PATH_MAX];

	snprintf(copy, sizeof(copy), "%s", path);
	return astack_as(id, fn, copy);
}

int astack_count(struct astack_counts *counts)
{
	struct fuse_filter_info filters[2 * FUSE_FILTER_MAX];
	struct fuse_op_stats ops[128] = {};
	int fd = fuse_bpf_open_mount(ASTACK_MNT), err, nr, i;

	if (fd < 0)
		return fd;
	err = fuse_bpf_stats(fd, ops, 128);
	nr = fuse_bpf_list(fd, filters, 2 * FUSE_FILTER_MAX);
	close(fd);
	memset(counts, 0, sizeof(*counts));
	for (i = 0; i < 128; i++) {
		counts->backing += ops[i].backing;
		counts->daemon += ops[i].daemon;
	}
	/* Those of postfilters too */
	for (i = 0; i < nr; i++)
		counts->denied += filters[i].denied;
	return err < 0 ? err : nr < 0 ? nr : 0;
}
