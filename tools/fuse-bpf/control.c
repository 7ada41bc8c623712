// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control file system of FUSE, where connections are listed.
 */
#include <errno.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>

#include "main.h"

/**
 * control_path - find where the control file system of a flavour is mounted
 * @flavour: enum fuse_bpf_flavour; %FUSE_BPF_ANY: the module's
 * @path: out: the directory
 * @size: of @path
 *
 * Return: 0, -ENOENT it is not mounted
 */
int control_path(__u32 flavour, char *path, size_t size)
{
	const char *type = flavour == FUSE_BPF_BUILTIN ? "fusectl" : "fusectl_bpf";
	FILE *file = setmntent("/proc/self/mounts", "re");
	struct mntent *entry;
	int err = -ENOENT;

	if (!file)
		return -errno;
	while (err && (entry = getmntent(file))) {
		if (strcmp(entry->mnt_type, type))
			continue;
		snprintf(path, size, "%s", entry->mnt_dir);
		err = 0;
	}
	endmntent(file);
	return err;
}
