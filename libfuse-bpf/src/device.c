// SPDX-License-Identifier: LGPL-2.1-only
/*
 * The device, and which FUSE of the kernel has backed inodes.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "internal.h"

static const struct {
	const char *device;
	const char *fs_type;
} flavours[] = {
	[FUSE_BPF_MODULE] = { "/dev/fuse_bpf", "fuse_bpf" },
	[FUSE_BPF_BUILTIN] = { "/dev/fuse", "fuse" },
};

static int is_flavour(enum fuse_bpf_flavour flavour)
{
	return flavour == FUSE_BPF_MODULE || flavour == FUSE_BPF_BUILTIN;
}

FUSE_BPF_API const char *fuse_bpf_fs_type(enum fuse_bpf_flavour flavour)
{
	return is_flavour(flavour) ? flavours[flavour].fs_type : NULL;
}

FUSE_BPF_API const char *fuse_bpf_device_path(enum fuse_bpf_flavour flavour)
{
	return is_flavour(flavour) ? flavours[flavour].device : NULL;
}

FUSE_BPF_API int fuse_bpf_query(int fd, struct fuse_bpf_query *query)
{
	memset(query, 0, sizeof(*query));
	return ioctl(fd, FUSE_IOC_QUERY, query) < 0 ? -errno : 0;
}

static void explain(enum fuse_bpf_flavour flavour, int err)
{
	const char *device = flavours[flavour].device;

	if (err == -ENOENT && flavour == FUSE_BPF_MODULE)
		fuse_bpf_log("%s does not exist: the module fuse_bpf is not loaded", device);
	else if (err == -ENOENT)
		fuse_bpf_log("%s does not exist: the kernel has no FUSE", device);
	else if (err == -ENOTTY)
		fuse_bpf_log("%s is of a FUSE without backed inodes", device);
	else
		fuse_bpf_log("%s: %s", device, strerror(-err));
}

static int open_flavour(enum fuse_bpf_flavour flavour)
{
	struct fuse_bpf_query query;
	int fd, err;

	fd = open(flavours[flavour].device, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = fuse_bpf_query(fd, &query);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

/* Of two failures, the one that says more: a device that is there but will not do */
static int closer(int a, int b)
{
	if (a == -ENOENT || (a == -ENOTTY && b != -ENOENT))
		return b;
	return a;
}

static int open_any(enum fuse_bpf_flavour *found)
{
	int errs[FUSE_BPF_BUILTIN + 1];
	int flavour, fd;

	for (flavour = FUSE_BPF_MODULE; flavour <= FUSE_BPF_BUILTIN; flavour++) {
		fd = open_flavour(flavour);
		if (fd >= 0) {
			*found = flavour;
			return fd;
		}
		errs[flavour] = fd;
	}
	explain(FUSE_BPF_MODULE, errs[FUSE_BPF_MODULE]);
	explain(FUSE_BPF_BUILTIN, errs[FUSE_BPF_BUILTIN]);
	return closer(errs[FUSE_BPF_MODULE], errs[FUSE_BPF_BUILTIN]);
}

FUSE_BPF_API int fuse_bpf_open_device(enum fuse_bpf_flavour flavour, enum fuse_bpf_flavour *found)
{
	enum fuse_bpf_flavour which;
	int fd;

	if (!found)
		found = &which;
	if (flavour == FUSE_BPF_ANY)
		return open_any(found);
	if (!is_flavour(flavour))
		return -EINVAL;

	fd = open_flavour(flavour);
	if (fd < 0)
		explain(flavour, fd);
	else
		*found = flavour;
	return fd;
}
