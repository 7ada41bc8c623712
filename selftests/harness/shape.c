// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "shape.h"
#include "util.h"

struct text {
	char *at;
	size_t room;
};

static void __attribute__((format(printf, 2, 3))) put(struct text *text, const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(text->at, text->room, fmt, args);
	va_end(args);
	if ((size_t)len >= text->room)
		len = text->room;
	text->at += len;
	text->room -= len;
}

static void put_xattrs(struct text *text, const char *path)
{
	char names[256], value[64];
	ssize_t len = RES(llistxattr(path, names, sizeof(names)));

	if (len < 0)
		put(text, " xattrs:%zd", len);
	for (char *name = names; name < names + len; name += strlen(name) + 1) {
		ssize_t size = RES(lgetxattr(path, name, value, sizeof(value)));

		put(text, " %s:%zd:", name, size);
		for (ssize_t i = 0; i < size; i++)
			put(text, "%02x", (unsigned char)value[i]);
	}
}

static void put_contents(struct text *text, const char *path, mode_t mode)
{
	char buf[64] = "";
	ssize_t len;

	if (S_ISLNK(mode))
		len = RES(readlink(path, buf, sizeof(buf) - 1));
	else if (S_ISREG(mode))
		len = read_file(path, buf, sizeof(buf));
	else
		return;
	put(text, " %zd", len);
	for (ssize_t i = 0; i < len; i++)
		put(text, "%02x", (unsigned char)buf[i]);
}

static void put_dir(struct text *text, const char *path);

static void put_one(struct text *text, const char *dir, const char *name)
{
	char path[256];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (lstat(path, &st)) {
		put(text, "%s: %d\n", name, -errno);
		return;
	}
	put(text, "%s %o %u %u", name, st.st_mode, st.st_uid, st.st_gid);
	if (!S_ISDIR(st.st_mode))
		put(text, " %lu %ld", (unsigned long)st.st_nlink, (long)st.st_size);
	put_xattrs(text, path);
	put_contents(text, path, st.st_mode);
	put(text, "\n");
	if (S_ISDIR(st.st_mode))
		put_dir(text, path);
}

static void put_dir(struct text *text, const char *path)
{
	struct dirent **entries;
	int nr = scandir(path, &entries, NULL, alphasort);

	if (nr < 0) {
		put(text, ": %d\n", -errno);
		return;
	}
	for (int i = 0; i < nr; i++) {
		const char *name = entries[i]->d_name;

		if (strcmp(name, ".") && strcmp(name, ".."))
			put_one(text, path, name);
		free(entries[i]);
	}
	free(entries);
}

int shape_of(const char *path, char *text, size_t size)
{
	struct text out = { .at = text, .room = size };

	/* An empty directory is an empty text */
	put(&out, "%s", "");
	put_dir(&out, path);
	return out.room ? 0 : -E2BIG;
}

/* Nobody else may have the file open for a lease to write, nor have a lock for one. */
static int file_idle(int dir, const char *name)
{
	struct flock lock = { .l_type = F_WRLCK };
	int fd = openat(dir, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	err = RES(fcntl(fd, F_OFD_SETLK, &lock));
	if (!err)
		err = RES(flock(fd, LOCK_EX | LOCK_NB));
	if (!err)
		err = RES(fcntl(fd, F_SETLEASE, F_WRLCK));
	close(fd);
	return err;
}

int shape_idle(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int err = dir ? 0 : -errno;

	while (!err && (entry = readdir(dir))) {
		if (entry->d_type == DT_REG)
			err = file_idle(dirfd(dir), entry->d_name);
	}
	if (dir)
		closedir(dir);
	return err;
}
