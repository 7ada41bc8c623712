// SPDX-License-Identifier: LGPL-2.1-only
/*
 * A session of libfuse with nothing added, for daemons that need no more.
 */
#define FUSE_USE_VERSION 317

#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <unistd.h>

#include "internal.h"

/* Through the path by which libfuse is given a device that is mounted already */
static int run(struct fuse_session *se, int device_fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/fd/%d", device_fd);
	if (fuse_session_mount(se, path)) {
		close(device_fd);
		return -EINVAL;
	}
	return fuse_session_loop(se);
}

FUSE_BPF_API int fuse_bpf_session_run(int device_fd, const struct fuse_lowlevel_ops *ops,
				      size_t ops_size, void *arg)
{
	char *argv[] = { "fuse_bpf_session_run", NULL };
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fuse_session *se = fuse_session_new(&args, ops, ops_size, arg);
	int err;

	fuse_opt_free_args(&args);
	if (!se) {
		close(device_fd);
		return -ENOMEM;
	}
	err = run(se, device_fd);
	fuse_session_destroy(se);
	return err;
}
