// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "flaky.h"
#include "util.h"

/* A request with the description of one target */
struct request {
	struct dm_ioctl head;
	struct dm_target_spec target;
	char args[128];
};

static int request(const struct flaky *disk, unsigned long cmd, struct request *request)
{
	request->head.version[0] = DM_VERSION_MAJOR;
	request->head.data_size = sizeof(*request);
	request->head.data_start = sizeof(request->head);
	strcpy(request->head.name, disk->name);
	return RES(ioctl(disk->control, cmd, request));
}

static int make_loop(struct flaky *disk, const char *file)
{
	int control, fd, nr, err;
	struct stat st;

	if (sh("{ [ -e /dev/loop-control ] || modprobe loop; } && "
	       "{ [ -e /dev/mapper/control ] || modprobe dm-mod; } && "
	       "{ ! modinfo dm-flakey >/dev/null 2>&1 || modprobe dm-flakey; }"))
		return -ENODEV;
	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	nr = control < 0 ? -errno : RES(ioctl(control, LOOP_CTL_GET_FREE));
	close(control);
	if (nr < 0)
		return nr;
	snprintf(disk->loop, sizeof(disk->loop), "/dev/loop%d", nr);
	control = open(disk->loop, O_RDWR | O_CLOEXEC);
	fd = open(file, O_RDWR | O_CLOEXEC);
	err = control < 0 || fd < 0 ? -errno : RES(ioctl(control, LOOP_SET_FD, fd));
	if (!err)
		err = RES(fstat(fd, &st));
	disk->sectors = st.st_size / 512;
	close(fd);
	close(control);
	return err;
}

int flaky_make(struct flaky *disk, const char *file)
{
	struct request make = {};
	int err = make_loop(disk, file);

	disk->control = err ? -1 : RES(open("/dev/mapper/control", O_RDWR | O_CLOEXEC));
	if (err || disk->control < 0)
		return err ? err : disk->control;
	snprintf(disk->name, sizeof(disk->name), "flaky-%d", getpid());
	err = request(disk, DM_DEV_CREATE, &make);
	if (err)
		return err;
	snprintf(disk->path, sizeof(disk->path), "/dev/dm-%u", minor(make.head.dev));
	return flaky_set(disk, FLAKY_WORKS);
}

int flaky_set(struct flaky *disk, enum flaky_mood mood)
{
	struct request load = {
		.head = { .target_count = 1 },
		.target = { .length = disk->sectors },
	};
	/* What is on its way is not waited for, and the file system need not be quiet */
	struct request resume = { .head = { .flags = DM_NOFLUSH_FLAG | DM_SKIP_LOCKFS_FLAG } };
	int err;

	strcpy(load.target.target_type, mood == FLAKY_WORKS ? "linear" : "flakey");
	snprintf(load.args, sizeof(load.args), "%s 0%s", disk->loop,
		 mood == FLAKY_WORKS ? "" :
		 mood == FLAKY_NO_READS ? " 0 1000000 1 error_reads" : " 0 1000000 1 error_writes");
	err = request(disk, DM_TABLE_LOAD, &load);
	return err ? err : request(disk, DM_DEV_SUSPEND, &resume);
}

int flaky_destroy(struct flaky *disk)
{
	struct request remove = {};
	int err = disk->name[0] ? request(disk, DM_DEV_REMOVE, &remove) : 0;
	int fd = disk->loop[0] ? open(disk->loop, O_RDWR | O_CLOEXEC) : -1;

	if (fd >= 0 && !err)
		err = RES(ioctl(fd, LOOP_CLR_FD, 0));
	close(fd);
	close(disk->control);
	return err;
}
