// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "idmap.h"
#include "util.h"

static int write_map(pid_t pid, const char *which, const char *map)
{
	char path[64];
	int fd, err = 0;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, which);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, map, strlen(map)) < 0)
		err = -errno;
	close(fd);
	return err;
}

static int write_maps(pid_t pid, unsigned int inside, unsigned int outside, unsigned int nr)
{
	char map[64];
	int err;

	snprintf(map, sizeof(map), "%u %u %u", inside, outside, nr);
	err = write_map(pid, "uid_map", map);
	return err ? err : write_map(pid, "gid_map", map);
}

/* A child that does nothing but be in a new user namespace */
static pid_t sleeper(void)
{
	int pipes[2];
	pid_t pid;
	char byte;

	if (pipe2(pipes, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWUSER) || write(pipes[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(pipes[1]);
	if (pid > 0 && read(pipes[0], &byte, 1) != 1) {
		waitpid(pid, NULL, 0);
		pid = -EPERM;
	}
	close(pipes[0]);
	return pid;
}

int userns_with_map(unsigned int inside, unsigned int outside, unsigned int nr)
{
	pid_t pid = sleeper();
	char path[64];
	int fd, err;

	if (pid < 0)
		return pid;
	err = write_maps(pid, inside, outside, nr);
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	fd = err ? err : RES(open(path, O_RDONLY | O_CLOEXEC));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return fd;
}

int idmapped_tree(const char *path, unsigned int disk, unsigned int seen, unsigned int nr)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP };
	int ns = userns_with_map(disk, seen, nr);
	int fd, err = 0;

	if (ns < 0)
		return ns;
	attr.userns_fd = ns;
	fd = RES(open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
	if (fd >= 0)
		err = RES(mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)));
	close(ns);
	if (!err)
		return fd;
	close(fd);
	return err;
}

struct inside {
	int ns;
	int (*fn)(void *arg);
	void *arg;
};

static int enter(void *arg)
{
	const struct inside *inside = arg;

	if (setns(inside->ns, CLONE_NEWUSER) || unshare(CLONE_NEWNS))
		return 127;
	return inside->fn(inside->arg);
}

int in_userns(int (*fn)(void *arg), const void *arg)
{
	const struct inside inside = { userns_with_map(0, 0, 65536), fn, (void *)arg };
	int res;

	if (inside.ns < 0)
		return inside.ns;
	res = in_child(enter, &inside);
	close(inside.ns);
	return res;
}
