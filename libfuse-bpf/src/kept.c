// SPDX-License-Identifier: LGPL-2.1-only
/*
 * A connection that the next daemon finds: its descriptors are in the service manager's
 * store, and a lock on one of them shows whether the daemon before is still there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "internal.h"
#include "kept.h"

/* Of what there is, under the name with this behind it */
static const char *const parts[] = { "device", "state", "nodes" };

#define NAME_SIZE 256

static int name_of(char *to, const char *name, const char *part)
{
	int len = snprintf(to, NAME_SIZE, "%s.%s", name, part);

	return len < 0 || len >= NAME_SIZE ? -EINVAL : 0;
}

static int *fd_of(struct fuse_bpf_kept *kept, unsigned int part)
{
	int *const fds[] = { &kept->device, &kept->state, &kept->nodes };

	return fds[part];
}

/*
 * The lock is of the process, so that it goes when that ends, although the manager holds on
 * to the file.
 */
static int lock(int fd)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (!fcntl(fd, F_SETLK, &whole))
		return 0;
	if (errno != EAGAIN && errno != EACCES)
		return -errno;
	fuse_bpf_log("the daemon before is still there");
	return -EBUSY;
}

static int get_all(struct fuse_bpf_kept *kept, const char *name)
{
	char full[NAME_SIZE];
	unsigned int i;
	int err;

	for (i = 0; i < 3; i++) {
		err = name_of(full, name, parts[i]);
		if (err)
			return err;
		err = fuse_bpf_fdstore_get(full);
		*fd_of(kept, i) = err < 0 ? -1 : err;
	}
	return 0;
}

int fuse_bpf_kept_get(struct fuse_bpf_kept *kept, const char *name)
{
	struct fuse_bpf_query query;
	int err = get_all(kept, name);

	if (err)
		return err;
	/* Without a mount, there is nothing to take over; the manager may not know yet */
	if (kept->device < 0 || fuse_bpf_query(kept->device, &query)) {
		fuse_bpf_kept_close(kept);
		return 0;
	}
	err = kept->state < 0 ? -ENODATA : lock(kept->state);
	kept->taken = !err;
	if (err)
		fuse_bpf_kept_close(kept);
	return err;
}

int fuse_bpf_kept_new(struct fuse_bpf_kept *kept)
{
	kept->state = fuse_bpf_state_new();
	return kept->state < 0 ? kept->state : lock(kept->state);
}

int fuse_bpf_kept_put(const struct fuse_bpf_kept *kept, const char *name, int device)
{
	const int fds[] = { device, kept->state, kept->nodes };
	char full[NAME_SIZE];
	unsigned int i;
	int err = 0;

	/* Who finds a device finds the rest */
	for (i = 3; !err && i--;) {
		if (fds[i] < 0)
			continue;
		err = name_of(full, name, parts[i]);
		if (!err)
			err = fuse_bpf_fdstore_put(full, fds[i]);
	}
	return err;
}

void fuse_bpf_kept_remove(const char *name)
{
	char full[NAME_SIZE];
	unsigned int i;

	for (i = 0; i < 3; i++) {
		if (!name_of(full, name, parts[i]))
			fuse_bpf_fdstore_remove(full);
	}
}

void fuse_bpf_kept_close(struct fuse_bpf_kept *kept)
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		if (*fd_of(kept, i) >= 0)
			close(*fd_of(kept, i));
		*fd_of(kept, i) = -1;
	}
}
