// SPDX-License-Identifier: LGPL-2.1-only
/*
 * Backings by id, and the replies that name them.
 */
#include <errno.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "internal.h"

static void explain_open(int err)
{
	switch (err) {
	case -EPERM:
		fuse_bpf_log("registering a backing needs CAP_SYS_ADMIN, and a mount whose daemon "
			     "has chosen FUSE_PASSTHROUGH and a stack depth");
		break;
	case -ELOOP:
		fuse_bpf_log("the backing is on a backed mount, or stacked too deep");
		break;
	case -EOPNOTSUPP:
		fuse_bpf_log("the backing compares names by rules of its own, or the daemon has "
			     "chosen FUSE_WRITEBACK_CACHE");
		break;
	case -ENOTTY:
		fuse_bpf_log("this is no device of a FUSE that has backings by id");
		break;
	}
}

FUSE_BPF_API int fuse_bpf_backing_open(int fd, int backing_fd,
				       const struct fuse_bpf_backing_opts *user_opts)
{
	struct fuse_backing_open arg = { .fd = backing_fd };
	struct fuse_bpf_backing_opts opts;
	int err;

	err = fuse_bpf_copy_opts(&opts, sizeof(opts), user_opts);
	if (err)
		return err;

	arg.flags = opts.flags;
	memcpy(arg.ops, opts.ops, sizeof(arg.ops));
	if (ioctl(fd, FUSE_IOC_BACKING_OPEN, &arg) < 0) {
		err = -errno;
		explain_open(err);
		return err;
	}
	return (int)arg.id;
}

FUSE_BPF_API int fuse_bpf_backing_close(int fd, __u32 id)
{
	struct fuse_backing_close arg = { .id = id };

	return ioctl(fd, FUSE_IOC_BACKING_CLOSE, &arg) < 0 ? -errno : 0;
}

/* Seconds that the kernel can be told; what is no positive number is none */
static __u64 seconds(double t)
{
	if (!(t > 0))
		return 0;
	return t < (double)(1ULL << 62) ? (__u64)t : 1ULL << 62;
}

static __u32 nanoseconds(double t)
{
	double rest;

	if (!(t > 0) || t >= (double)(1ULL << 62))
		return 0;
	rest = t - (double)seconds(t);
	return rest * 1e9 < 999999999.0 ? (__u32)(rest * 1e9) : 999999999;
}

static struct fuse_attr wire_attr(const struct stat *st)
{
	return (struct fuse_attr) {
		.ino = st->st_ino,
		.size = st->st_size,
		.blocks = st->st_blocks,
		.atime = st->st_atim.tv_sec,
		.mtime = st->st_mtim.tv_sec,
		.ctime = st->st_ctim.tv_sec,
		.atimensec = st->st_atim.tv_nsec,
		.mtimensec = st->st_mtim.tv_nsec,
		.ctimensec = st->st_ctim.tv_nsec,
		.mode = st->st_mode,
		.nlink = st->st_nlink,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.rdev = st->st_rdev,
		.blksize = st->st_blksize,
	};
}

static struct fuse_entry_out wire_entry(const struct fuse_bpf_entry *entry)
{
	return (struct fuse_entry_out) {
		.nodeid = entry->nodeid,
		.generation = entry->generation,
		.entry_valid = seconds(entry->entry_timeout),
		.entry_valid_nsec = nanoseconds(entry->entry_timeout),
		.attr_valid = seconds(entry->attr_timeout),
		.attr_valid_nsec = nanoseconds(entry->attr_timeout),
		.attr = wire_attr(entry->attr),
	};
}

/* Append a part to a reply of which @len bytes are there. */
static size_t add_part(char *buf, size_t len, const void *part, size_t size)
{
	memcpy(buf + len, part, size);
	return len + size;
}

FUSE_BPF_API int fuse_bpf_build_reply(void *buf, size_t size,
				      const struct fuse_bpf_entry *user_entry,
				      const struct fuse_entry_backing_out *backing)
{
	struct fuse_bpf_entry entry;
	struct fuse_entry_out out;
	size_t len = 0;
	int err;

	err = fuse_bpf_copy_opts(&entry, sizeof(entry), user_entry);
	if (err)
		return err;
	if (!entry.attr || size < FUSE_BPF_REPLY_SIZE)
		return -EINVAL;

	out = wire_entry(&entry);
	len = add_part(buf, len, &out, sizeof(out));
	if (entry.is_open) {
		const struct fuse_open_out open = {
			.fh = entry.fh,
			.open_flags = entry.open_flags,
			.backing_id = entry.open_backing_id,
		};

		len = add_part(buf, len, &open, sizeof(open));
	}
	if (backing)
		len = add_part(buf, len, backing, sizeof(*backing));
	return (int)len;
}
