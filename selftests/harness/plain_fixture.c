// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plain_fixture.h"
#include "util.h"

static int exec_mirror(const char *source, int dev)
{
	char self[PATH_MAX] = "", fd[32];
	const char *mirror;

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return -errno;
	mirror = in(dirname(dirname(self)), "fuse/mirror");
	snprintf(fd, sizeof(fd), "/dev/fd/%d", dev);
	execl(mirror, mirror, source, fd, NULL);
	say("%s: %s", mirror, strerror(errno));
	return -errno;
}

/* The kernel's side is mounted first, and the server takes over the device. */
int plain_mount(struct backed *b, pid_t *pid)
{
	int dev = open(device_path(), O_RDWR);
	int err;

	if (dev < 0)
		return -errno;
	err = try_mount(TRY_MOUNT(.dev = dev, .allow_other = true,
				  .default_permissions = true, .at = b->mnt));
	if (!err) {
		b->mounted = true;
		*pid = fork();
		if (!*pid) {
			exec_mirror(b->back, dev);
			_exit(127);
		}
		err = *pid < 0 ? -errno : 0;
	}
	close(dev);
	return err;
}

int plain_umount(struct backed *b, pid_t pid)
{
	int status = 0;
	int err = b->mounted ? backed_umount(b) : 0;

	if (err || pid <= 0)
		return err;
	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	return status ? -EIO : 0;
}
