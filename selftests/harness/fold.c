// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "fold.h"
#include "util.h"

static int mount_image(const char *mkfs, const char *options, const char *top, const char *at)
{
	return sh("truncate -s 32M %s/image && %s %s/image >/dev/null && "
		  "{ [ -e /dev/loop-control ] || modprobe loop; } && "
		  "mount -o loop%s %s/image %s", top, mkfs, top, options, top, at);
}

int fold_mount(const char *fs, const char *top, const char *at)
{
	if (!strcmp(fs, "tmpfs"))
		return sh("mount -t tmpfs -o casefold none %s", at);
	return mount_image("mkfs.ext4 -q -O casefold", "", top, at);
}

int own_rules_mount(const char *top, const char *at)
{
	return mount_image("mkfs.vfat", ",iocharset=iso8859-1,codepage=437", top, at);
}

int fold_dir(const char *path)
{
	int err = make_dir(path, 0777);

	return err ? err : sh("chattr +F %s", path);
}
