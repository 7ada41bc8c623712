// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuse-bpf inodes: what a mount holds open on its backings, and for whom.
 *
 * Registrations are listed by the kernel. Open files are found in /proc without asking
 * any file system, so that no daemon can hold this up. Which file of the backing one
 * stands for is not told by the kernel: it is looked for by name and known by its inode
 * number, and otherwise left open.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "decisions.h"

/**
 * struct holding - a mount whose holders are listed
 * @mountpoint: absolute path
 * @dev: its device number
 * @backing: path of the root's registration, empty: it has none
 * @list: open files
 */
struct holding {
	char *mountpoint;
	dev_t dev;
	char backing[PATH_MAX];
	struct json_object *list;
};

/* A line is "id=N refs=N inodes=N path=PATH", with blanks in the path as \040 */
static void show_backing(struct holding *holding, char *line, struct json_object *list)
{
	struct json_object *obj;
	unsigned int refs, inodes;
	char text[4 * PATH_MAX];
	int id, at = 0;

	if (sscanf(line, "id=%d refs=%u inodes=%u path=%n", &id, &refs, &inodes, &at) != 3 || !at)
		return;
	unescape(line + at);
	if (!id)
		snprintf(holding->backing, sizeof(holding->backing), "%s", line + at);
	obj = json_object_new_object();
	add_number(obj, "id", id);
	add_number(obj, "inodes", inodes);
	add_bytes(obj, "path", line + at);
	json_object_array_add(list, obj);
	p_text("backing %d: %s, %u inodes\n", id, printable(line + at, text, sizeof(text)), inodes);
}

static int read_backings(struct holding *holding, FILE *file, struct json_object *result)
{
	struct json_object *list = json_object_new_array();
	char *line = NULL;
	size_t size = 0;
	unsigned int files;

	json_object_object_add(result, "backings", list);
	while (getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "files=%u", &files) == 1) {
			add_number(result, "backing_files", files);
			p_text("%u files are open on backings\n", files);
		} else {
			show_backing(holding, line, list);
		}
	}
	free(line);
	return DONE;
}

static int show_backings(struct holding *holding, __u32 flavour, struct json_object *result)
{
	char dir[PATH_MAX - 64], path[PATH_MAX];
	FILE *file;
	int err;

	err = control_path(flavour, dir, sizeof(dir));
	if (err) {
		p_err(0, "the control file system is not mounted; 'fuse-bpf doctor' says how to");
		return FAILED;
	}
	snprintf(path, sizeof(path), "%s/%u/backings", dir, decision_dev(holding->dev));
	file = fopen(path, "re");
	if (!file) {
		p_err(-errno, "cannot read the backings of %s from %s", holding->mountpoint, path);
		return FAILED;
	}
	err = read_backings(holding, file, result);
	fclose(file);
	return err;
}

/* A file of a process, NULL: the process is gone, or not to be looked at */
static FILE *open_proc(const char *pid, const char *name)
{
	char path[384];

	snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
	return fopen(path, "re");
}

/* Is it the mount that is meant, in the mount namespace of the process? */
static bool is_our_mount(const char *pid, dev_t dev, int id)
{
	FILE *file = open_proc(pid, "mountinfo");
	unsigned int maj, min;
	char *line = NULL;
	bool ours = false;
	size_t size = 0;
	int its;

	if (!file)
		return false;
	while (!ours && getline(&line, &size, file) > 0)
		ours = sscanf(line, "%d %*d %u:%u", &its, &maj, &min) == 3 && its == id &&
		       makedev(maj, min) == dev;
	free(line);
	fclose(file);
	return ours;
}

/* Says of an open file what the kernel knows without asking its file system */
static bool read_fdinfo(const char *pid, const char *fd, int *mount_id, __u64 *ino,
			unsigned int *flags)
{
	char name[64], line[256];
	unsigned long long number;
	int found = 0;
	FILE *file;

	snprintf(name, sizeof(name), "fdinfo/%.32s", fd);
	file = open_proc(pid, name);
	if (!file)
		return false;
	while (found < 3 && fgets(line, sizeof(line), file)) {
		found += sscanf(line, "mnt_id: %d", mount_id) == 1 ||
			 sscanf(line, "flags: %o", flags) == 1;
		if (sscanf(line, "ino: %llu", &number) == 1) {
			*ino = number;
			found++;
		}
	}
	fclose(file);
	return found == 3;
}

/* By the name in the mount, if that is the same inode; empty if it is not */
static void find_backing(const struct holding *holding, const char *path, __u64 ino, char *backing,
			 size_t size)
{
	size_t len = strlen(holding->mountpoint);
	struct stat st;

	*backing = '\0';
	if (!*holding->backing || strncmp(path, holding->mountpoint, len) ||
	    (path[len] && path[len] != '/'))
		return;
	if (snprintf(backing, size, "%s%s", holding->backing, path + len) >= (int)size ||
	    lstat(backing, &st) || st.st_ino != ino)
		*backing = '\0';
}

static void show_file(const struct holding *holding, const char *pid, const char *fd,
		      const char *path, __u64 ino, unsigned int flags)
{
	static const char *const modes[] = { "r", "w", "rw", "" };
	struct json_object *obj = json_object_new_object();
	char comm[64] = "", backing[2 * PATH_MAX], text[4 * PATH_MAX], more[4 * PATH_MAX];
	char command[4 * 64];
	FILE *file = open_proc(pid, "comm");

	if (file && fgets(comm, sizeof(comm), file))
		comm[strcspn(comm, "\n")] = '\0';
	if (file)
		fclose(file);
	find_backing(holding, path, ino, backing, sizeof(backing));
	add_number(obj, "pid", strtoul(pid, NULL, 10));
	add_bytes(obj, "comm", comm);
	add_number(obj, "fd", strtoul(fd, NULL, 10));
	add_string(obj, "mode", flags & O_PATH ? "path" : modes[flags & O_ACCMODE]);
	add_number(obj, "inode", ino);
	add_bytes(obj, "path", path);
	if (*backing)
		add_bytes(obj, "backing", backing);
	else
		add_string(obj, "backing", NULL);
	json_object_array_add(holding->list, obj);
	p_text("%-7s %-15s %4s %-4s %10llu %s -> %s\n", pid, printable(comm, command, sizeof(command)), fd,
	       flags & O_PATH ? "path" : modes[flags & O_ACCMODE], (unsigned long long)ino,
	       printable(path, text, sizeof(text)),
	       *backing ? printable(backing, more, sizeof(more)) : "?");
}

static void look_at_file(const struct holding *holding, const char *pid, const char *fd)
{
	char link[64], path[PATH_MAX];
	unsigned int flags;
	ssize_t len;
	int id = -1;
	__u64 ino = 0;

	if (!read_fdinfo(pid, fd, &id, &ino, &flags) || !is_our_mount(pid, holding->dev, id))
		return;
	snprintf(link, sizeof(link), "/proc/%.16s/fd/%.32s", pid, fd);
	len = readlink(link, path, sizeof(path) - 1);
	if (len < 0)
		return;
	path[len] = '\0';
	show_file(holding, pid, fd, path, ino, flags);
}

static void look_at_process(const struct holding *holding, const char *pid)
{
	char path[64];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%.16s/fd", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (isdigit(entry->d_name[0]))
			look_at_file(holding, pid, entry->d_name);
	}
	if (dir)
		closedir(dir);
}

static int look_at_processes(struct holding *holding, struct json_object *result)
{
	struct dirent *entry;
	DIR *dir = opendir("/proc");

	holding->list = json_object_new_array();
	json_object_object_add(result, "files", holding->list);
	if (!dir) {
		p_err(-errno, "cannot list processes");
		return FAILED;
	}
	p_text("%-7s %-15s %4s %-4s %10s %s\n", "pid", "command", "fd", "mode", "inode",
	       "file -> file of the backing");
	while ((entry = readdir(dir))) {
		/* What this one holds, it has from whoever called it */
		if (isdigit(entry->d_name[0]) && strtol(entry->d_name, NULL, 10) != getpid())
			look_at_process(holding, entry->d_name);
	}
	closedir(dir);
	return DONE;
}

static int list(struct holding *holding, const char *mountpoint)
{
	struct json_object *result = json_object_new_object();
	struct mount_facts facts = mount_facts(holding->dev);
	int ret;

	add_string(result, "mountpoint", mountpoint);
	ret = show_backings(holding, facts.flavour, result);
	if (!ret)
		ret = look_at_processes(holding, result);
	if (ret)
		json_object_put(result);
	else
		out_result(result);
	return ret;
}

int do_inodes(struct args *args)
{
	const char *mountpoint = args_need(args, "MOUNTPOINT");
	struct holding holding = {};
	int fd, ret;

	if (!mountpoint || args_end(args))
		return USAGE;
	fd = mount_open(mountpoint, &holding.dev);
	if (fd < 0)
		return FAILED;
	/* It would be among the open files */
	close(fd);
	holding.mountpoint = realpath(mountpoint, NULL);
	if (!holding.mountpoint) {
		p_err(-errno, "cannot use %s", mountpoint);
		return FAILED;
	}
	ret = list(&holding, mountpoint);
	free(holding.mountpoint);
	return ret;
}
