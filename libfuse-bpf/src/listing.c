// SPDX-License-Identifier: LGPL-2.1-only
/*
 * What a mount holds open on its backings, and what the kernel refused: read from the
 * control file system, or from the fdinfo of the device.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "internal.h"

static const char *const control_dirs[] = {
	"/sys/fs/fuse_bpf/connections",
	"/sys/fs/fuse/connections",
};

static FILE *open_fdinfo(int fd)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	return fopen(path, "re");
}

/* The connection of a device, which is the minor number of its mount */
static int device_connection(int fd, unsigned int *id)
{
	FILE *file = open_fdinfo(fd);
	char *line = NULL;
	size_t size = 0;
	int err = -ENOTTY;

	if (!file)
		return -errno;
	while (err && getline(&line, &size, file) > 0) {
		if (sscanf(line, "fuse_connection: %u", id) == 1)
			err = 0;
	}
	free(line);
	fclose(file);
	return err;
}

/*
 * 0: the device is that of the connection; 1: it is a directory of the mount. A device that
 * is not mounted is -ENOTTY too: its fdinfo has no connection.
 */
static int connection_of(int fd, unsigned int *id)
{
	struct statfs sfs;
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (S_ISCHR(st.st_mode))
		return device_connection(fd, id);
	if (fstatfs(fd, &sfs))
		return -errno;
	if (sfs.f_type != FUSE_MAGIC)
		return -ENOTTY;
	*id = minor(st.st_dev);
	return 1;
}

/* Connections of both flavours are numbered by the same counter. */
static FILE *open_control(unsigned int id, const char *name)
{
	char path[80];
	FILE *file;
	size_t i;

	for (i = 0; i < sizeof(control_dirs) / sizeof(control_dirs[0]); i++) {
		snprintf(path, sizeof(path), "%s/%u/%s", control_dirs[i], id, name);
		file = fopen(path, "re");
		if (file || errno != ENOENT)
			return file;
	}
	return NULL;
}

static bool is_octal(const char *text)
{
	return text[0] >= '0' && text[0] <= '3' && text[1] >= '0' && text[1] <= '7' &&
	       text[2] >= '0' && text[2] <= '7';
}

/* The kernel writes blanks and backslashes as three octal digits. */
static void unescape(char *text)
{
	char *to = text;

	for (; *text; to++) {
		if (*text == '\\' && is_octal(text + 1)) {
			*to = (text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0');
			text += 4;
		} else {
			*to = *text++;
		}
	}
	*to = '\0';
}

static int take_line(char *line, fuse_bpf_backing_fn fn, void *arg)
{
	struct fuse_bpf_backing_info info = { .sz = sizeof(info) };
	int path = 0;

	if (!strncmp(line, "fuse_backing:", 13))
		line += 13;
	line += strspn(line, " \t");
	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "id=%d refs=%u inodes=%u path=%n", &info.id, &info.refs, &info.inodes,
		   &path) != 3 || !path)
		return 0;
	unescape(line + path);
	info.path = line + path;
	return fn(&info, arg);
}

FUSE_BPF_API int fuse_bpf_for_each_backing(int fd, fuse_bpf_backing_fn fn, void *arg)
{
	unsigned int id;
	char *line = NULL;
	size_t size = 0;
	int ret = connection_of(fd, &id);
	FILE *file;

	if (ret < 0)
		return ret;
	file = ret ? open_control(id, "backings") : open_fdinfo(fd);
	if (!file)
		return -errno;
	ret = 0;
	while (!ret && getline(&line, &size, file) > 0)
		ret = take_line(line, fn, arg);
	free(line);
	fclose(file);
	return ret;
}

FUSE_BPF_API int fuse_bpf_refusals(int fd, struct fuse_bpf_refusal *refusals, __u32 nr)
{
	struct fuse_bpf_refusal one;
	unsigned long long count;
	unsigned int id;
	__u32 found = 0;
	int err = connection_of(fd, &id);
	FILE *file;

	if (err < 0)
		return err;
	file = open_control(id, "refusals");
	if (!file)
		return -errno;
	memset(&one, 0, sizeof(one));
	while (fscanf(file, "%31[^=]=%llu\n", one.name, &count) == 2) {
		one.count = count;
		if (found < nr)
			refusals[found] = one;
		found++;
		memset(&one, 0, sizeof(one));
	}
	fclose(file);
	return found;
}
