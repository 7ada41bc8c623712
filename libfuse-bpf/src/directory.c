// SPDX-License-Identifier: LGPL-2.1-only
/*
 * Directories of FUSE mounts, backed or not, as that on which requests are made.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "internal.h"

int fuse_bpf_check_fuse(int path_fd, const char *path)
{
	struct statfs sfs;

	if (fstatfs(path_fd, &sfs))
		return -errno;
	if (sfs.f_type == FUSE_MAGIC)
		return 0;
	fuse_bpf_log("%s is on no FUSE mount", path);
	return -ENOTTY;
}

/*
 * A FUSE without filters sends the query to its daemon, which may answer with any
 * errno, and has no structure to fill in.
 */
static int check_filters(int fd, const char *path)
{
	struct fuse_bpf_query query;
	int err = fuse_bpf_query(fd, &query);

	if (!err && query.features & FUSE_BPF_FILTERS)
		return 0;
	fuse_bpf_log(err ? "%s is on a mount of a FUSE without filters" :
			   "%s: the kernel's FUSE was built without filters, or has no BTF for them",
		     path);
	return err ? -ENOTTY : -EOPNOTSUPP;
}

static int open_checked(int path_fd, const char *path)
{
	int fd, err;

	err = fuse_bpf_check_fuse(path_fd, path);
	if (err)
		return err;
	fd = openat(path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = check_filters(fd, path);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

FUSE_BPF_API int fuse_bpf_open_dir(const char *path)
{
	int path_fd, fd;

	path_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (path_fd < 0)
		return -errno;
	fd = open_checked(path_fd, path);
	close(path_fd);
	return fd;
}
