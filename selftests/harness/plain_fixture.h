/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A plain FUSE mount: a mirror of a directory, served by a daemon on stock libfuse
 * that knows nothing of backed inodes and of filters.
 */
#ifndef _HARNESS_PLAIN_FIXTURE_H
#define _HARNESS_PLAIN_FIXTURE_H

#include "backed_fixture.h"
#include <sys/types.h>

/**
 * plain_mount - mount a mirror of @b->back at @b->mnt
 * @b: with a backing, which is the directory that the daemon mirrors
 * @pid: out: the daemon
 */
int plain_mount(struct backed *b, pid_t *pid);

/**
 * plain_umount - unmount, and wait for the daemon
 * @b: mounted or not
 * @pid: the daemon
 *
 * Return: 0, -EBUSY the mount is in use, -EIO the daemon did not end well
 */
int plain_umount(struct backed *b, pid_t pid);

#endif /* _HARNESS_PLAIN_FIXTURE_H */
