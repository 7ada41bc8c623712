// SPDX-License-Identifier: LGPL-2.1-only
/*
 * The device, and which FUSE of the kernel has backed inodes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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

/* Why a device will not do, in words. */
static void reason(char *text, size_t size, enum fuse_bpf_flavour flavour, int err)
{
	const char *device = flavours[flavour].device;

	if (err == -ENOENT && flavour == FUSE_BPF_MODULE)
		snprintf(text, size, "%s does not exist: the module fuse_bpf is not loaded", device);
	else if (err == -ENOENT)
		snprintf(text, size, "%s does not exist: the kernel has no FUSE", device);
	else if (err == -ENOTTY)
		snprintf(text, size, "%s is of a FUSE without backed inodes", device);
	else
		snprintf(text, size, "%s: %s", device, strerror(-err));
}

static int open_flavour(enum fuse_bpf_flavour flavour, struct fuse_bpf_query *query)
{
	int fd, err;

	fd = open(flavours[flavour].device, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = fuse_bpf_query(fd, query);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

/* Of two failures, the one that says more: a device that is there but will not do */
static int closer(int a, int b)
{
	if (!a || a == -ENOENT || (a == -ENOTTY && b && b != -ENOENT))
		return b;
	return a;
}

static void choose(struct fuse_bpf_choice *choice, enum fuse_bpf_flavour flavour)
{
	choice->flavour = flavour;
	choice->path = flavours[flavour].device;
	choice->fs_type = flavours[flavour].fs_type;
}

static void say_why(struct fuse_bpf_choice *choice)
{
	char texts[FUSE_BPF_BUILTIN + 1][100] = { "", "", "" };
	int flavour;

	for (flavour = FUSE_BPF_MODULE; flavour <= FUSE_BPF_BUILTIN; flavour++) {
		if (choice->errs[flavour])
			reason(texts[flavour], sizeof(texts[0]), flavour, choice->errs[flavour]);
	}
	if (choice->flavour == FUSE_BPF_ANY)
		snprintf(choice->why, sizeof(choice->why), "%s%s%s", texts[FUSE_BPF_MODULE],
			 *texts[FUSE_BPF_MODULE] && *texts[FUSE_BPF_BUILTIN] ? "; " : "",
			 texts[FUSE_BPF_BUILTIN]);
	else
		snprintf(choice->why, sizeof(choice->why), "%s, of %s%s%s", choice->path,
			 choice->plain ? "a FUSE without backed inodes" :
			 choice->flavour == FUSE_BPF_MODULE ? "the module fuse_bpf" :
							      "the kernel itself",
			 *texts[FUSE_BPF_MODULE] ? "; " : "", texts[FUSE_BPF_MODULE]);
}

static int try_flavours(enum fuse_bpf_flavour wanted, struct fuse_bpf_choice *choice)
{
	int flavour, fd;

	for (flavour = FUSE_BPF_MODULE; flavour <= FUSE_BPF_BUILTIN; flavour++) {
		if (wanted != FUSE_BPF_ANY && wanted != (enum fuse_bpf_flavour)flavour)
			continue;
		fd = open_flavour(flavour, &choice->query);
		if (fd >= 0) {
			choose(choice, flavour);
			return fd;
		}
		choice->errs[flavour] = fd;
	}
	return closer(choice->errs[FUSE_BPF_MODULE], choice->errs[FUSE_BPF_BUILTIN]);
}

/* Every FUSE has plain mounts: the kernel's own before one that was added. */
static int try_plain(enum fuse_bpf_flavour wanted, struct fuse_bpf_choice *choice)
{
	int flavour, fd;

	for (flavour = FUSE_BPF_BUILTIN; flavour >= FUSE_BPF_MODULE; flavour--) {
		if (wanted != FUSE_BPF_ANY && wanted != (enum fuse_bpf_flavour)flavour)
			continue;
		fd = open(flavours[flavour].device, O_RDWR | O_CLOEXEC);
		if (fd >= 0) {
			choose(choice, flavour);
			choice->plain = 1;
			return fd;
		}
	}
	return -ENOENT;
}

int fuse_bpf_choose(enum fuse_bpf_flavour flavour, int plain, struct fuse_bpf_choice *choice)
{
	int fd, plain_fd;

	memset(choice, 0, sizeof(*choice));
	if (flavour != FUSE_BPF_ANY && !is_flavour(flavour)) {
		snprintf(choice->why, sizeof(choice->why), "there is no such flavour of FUSE");
		return -EINVAL;
	}
	fd = try_flavours(flavour, choice);
	if (fd < 0 && plain) {
		plain_fd = try_plain(flavour, choice);
		if (plain_fd >= 0)
			fd = plain_fd;
	}
	say_why(choice);
	return fd;
}

FUSE_BPF_API int fuse_bpf_choose_device(enum fuse_bpf_flavour flavour, int plain,
					struct fuse_bpf_choice *user_choice)
{
	struct fuse_bpf_choice choice;
	int fd;

	if (user_choice && user_choice->sz < sizeof(user_choice->sz))
		return -EINVAL;
	fd = fuse_bpf_choose(flavour, plain, &choice);
	if (user_choice)
		fuse_bpf_copy_out(user_choice, &choice, sizeof(choice));
	return fd;
}

static void log_reasons(const struct fuse_bpf_choice *choice)
{
	char text[128];
	int flavour;

	for (flavour = FUSE_BPF_MODULE; flavour <= FUSE_BPF_BUILTIN; flavour++) {
		if (!choice->errs[flavour])
			continue;
		reason(text, sizeof(text), flavour, choice->errs[flavour]);
		fuse_bpf_log("%s", text);
	}
}

FUSE_BPF_API int fuse_bpf_open_device(enum fuse_bpf_flavour flavour, enum fuse_bpf_flavour *found)
{
	struct fuse_bpf_choice choice;
	int fd;

	fd = fuse_bpf_choose(flavour, 0, &choice);
	if (fd < 0)
		log_reasons(&choice);
	else if (found)
		*found = choice.flavour;
	return fd;
}
