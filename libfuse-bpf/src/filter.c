// SPDX-License-Identifier: LGPL-2.1-only
/*
 * Filters and statistics of a mount.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>

#include "internal.h"

static void explain_attach(int err, __u32 flags, __u32 relative_id)
{
	const char *where = flags & FUSE_FILTER_DIRECTORY ? "directory" :
			    flags & FUSE_FILTER_BY_REPLY ? "mount's replies" : "mount";

	switch (err) {
	case -EPERM:
		fuse_bpf_log("attaching a filter needs CAP_SYS_ADMIN");
		break;
	case -EBADF:
		fuse_bpf_log("the filter is given by neither a BPF link nor a BPF map");
		break;
	case -EINVAL:
		fuse_bpf_log("the BPF link or map is not of a struct fuse_filter_ops, or the "
			     "flags do not go together or are not known to the kernel");
		break;
	case -ENOENT:
		if (relative_id)
			fuse_bpf_log("the filter's link is gone, or no filter %u is attached",
				     relative_id);
		else
			fuse_bpf_log("the filter is not registered, or its link is gone");
		break;
	case -EEXIST:
		fuse_bpf_log("the filter is attached to this %s already", where);
		break;
	case -ENOSPC:
		fuse_bpf_log("the %s has %d filters, which is the limit", where, FUSE_FILTER_MAX);
		break;
	case -EOPNOTSUPP:
		fuse_bpf_log(flags & FUSE_FILTER_DIRECTORY ?
			     "the kernel has no filters, or the directory is on a mount that the daemon made within its own" :
			     "the kernel has no filters");
		break;
	}
}

FUSE_BPF_API int fuse_bpf_attach(int fd, int filter_fd, __u32 *id,
				 const struct fuse_bpf_attach_opts *user_opts)
{
	struct fuse_filter_attach attach = { .fd = filter_fd };
	struct fuse_bpf_attach_opts opts;
	int err;

	err = fuse_bpf_copy_opts(&opts, sizeof(opts), user_opts);
	if (err)
		return err;

	attach.flags = opts.flags;
	attach.relative_id = opts.relative_id;
	if (ioctl(fd, FUSE_IOC_FILTER_ATTACH, &attach) < 0) {
		err = -errno;
		explain_attach(err, opts.flags, opts.relative_id);
		return err;
	}
	if (id)
		*id = attach.id;
	return 0;
}

FUSE_BPF_API int fuse_bpf_detach(int fd, __u32 id)
{
	struct fuse_filter_detach detach = { .id = id };

	return ioctl(fd, FUSE_IOC_FILTER_DETACH, &detach) < 0 ? -errno : 0;
}

FUSE_BPF_API int fuse_bpf_list(int fd, struct fuse_filter_info *filters, __u32 nr)
{
	struct fuse_filter_list list = {
		.filters = (uintptr_t)filters,
		.nr = nr,
		.info_size = sizeof(*filters),
	};

	return ioctl(fd, FUSE_IOC_FILTER_LIST, &list) < 0 ? -errno : (int)list.nr;
}

FUSE_BPF_API int fuse_bpf_stats(int fd, struct fuse_op_stats *ops, __u32 nr)
{
	struct fuse_bpf_stats stats = {
		.ops = (uintptr_t)ops,
		.nr = nr,
	};

	if (nr)
		memset(ops, 0, nr * sizeof(*ops));
	return ioctl(fd, FUSE_IOC_STATS, &stats) < 0 ? -errno : (int)stats.nr;
}
