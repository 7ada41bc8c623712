// SPDX-License-Identifier: GPL-2.0-only
/*
 * worm: files are written once.
 *
 * A file that open(2) makes can be written until the last one who has it open closes it;
 * from then on it stays as it is: it is neither written nor cut short, its attributes are
 * not changed but for the time of the last access, and its name is not removed, replaced or
 * moved (EPERM), by root as little as by others. So are files that were there before. An
 * administrator who lets a file go puts its inode number into worm_release, and whoever has
 * the right to can unlink it.
 *
 * Making directories, links and files goes on, and empty directories are removed; but
 * directories keep their attributes and their names, too, as do files that are being
 * written, unless they are moved with RENAME_NOREPLACE. Files that are made by mknod(2),
 * or without a name, stay empty. Shared mappings that can be written would outlive the
 * closing, and cannot be made; those that are read cannot become such. What is open is
 * known to the filter alone: when it is attached anew, files that are being written are
 * not written any more. If another filter refuses in open_post, the opening is counted and
 * no closing follows: attach such filters after this one. It is about the mount; the
 * backing's own path must be kept from everybody.
 *
 * Maps: worm_release, inode number to anything; worm_open, node ids of files that can be
 * written to the number of descriptions; worm_hits, requests that were refused.
 * Cost: a hash look-up for each request that changes something, for each file closed and
 * for each opened for writing; each component of a path costs a look into the thread. No
 * program sleeps.
 * Tests: selftests/filter/ready_guard_test.c
 */
#include "fuse_filter.bpf.h"
#include "fuse_filter_util.bpf.h"

#define MAX_FILES 65536

#define O_ACCMODE	3
#define O_RDONLY	0
#define O_TRUNC		01000
#define RENAME_NOREPLACE 1
#define WHOLE_FILE	0x7fffffffffffffffULL

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_FILES);
	__type(key, __u64);
	__type(value, __u8);
} worm_release SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_FILES);
	__type(key, __u64);
	__type(value, __u64);
} worm_open SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} worm_hits SEC(".maps");

struct fuse_filter_makings worm_making SEC(".maps");

static __always_inline int refuse(void)
{
	fuse_filter_count(&worm_hits, 0);
	return -EPERM;
}

static __always_inline __u64 *open_count(struct fuse_filter_ctx *fctx)
{
	__u64 nodeid = fctx->nodeid;

	return bpf_map_lookup_elem(&worm_open, &nodeid);
}

static __always_inline int change(struct fuse_filter_ctx *fctx)
{
	return open_count(fctx) ? FUSE_FILTER_DEFAULT : refuse();
}

#define CHANGES(member)							\
	SEC("struct_ops/" #member)					\
	int BPF_PROG(worm_##member, struct fuse_filter_ctx *fctx)	\
	{								\
		return change(fctx);					\
	}

CHANGES(fallocate)
CHANGES(setxattr)
CHANGES(removexattr)

SEC("struct_ops/write")
int BPF_PROG(worm_write, struct fuse_filter_ctx *fctx, const struct fuse_filter_io *in)
{
	/* A mapping, or a clone of a whole file, after which a copy is tried */
	return in->size == WHOLE_FILE ? refuse() : change(fctx);
}

SEC("struct_ops/setattr")
int BPF_PROG(worm_setattr, struct fuse_filter_ctx *fctx)
{
	struct fuse_filter_attr *attr = fuse_filter_ctx_attr(fctx);

	if (attr && !(attr->valid & ~(FATTR_ATIME | FATTR_ATIME_NOW)))
		return FUSE_FILTER_DEFAULT;
	return change(fctx);
}

SEC("struct_ops/ioctl")
int BPF_PROG(worm_ioctl, struct fuse_filter_ctx *fctx, const struct fuse_ioctl_in *in)
{
	return fuse_filter_ioctl_reads(in->cmd) ? FUSE_FILTER_DEFAULT : change(fctx);
}

SEC("struct_ops/unlink")
int BPF_PROG(worm_unlink, struct fuse_filter_ctx *fctx)
{
	__u64 ino = fctx->nodeid & ~FUSE_NODEID_KERNEL;

	return bpf_map_lookup_elem(&worm_release, &ino) ? FUSE_FILTER_DEFAULT : refuse();
}

SEC("struct_ops/rename")
int BPF_PROG(worm_rename, struct fuse_filter_ctx *fctx, const struct fuse_rename2_in *in)
{
	return in->flags == RENAME_NOREPLACE ? change(fctx) : refuse();
}

SEC("struct_ops/permission")
int BPF_PROG(worm_permission, struct fuse_filter_ctx *fctx, const struct fuse_access_in *in)
{
	fuse_filter_made_not(&worm_making, in->mask);
	return FUSE_FILTER_DEFAULT;
}

SEC("struct_ops/create_post")
int BPF_PROG(worm_create_post, struct fuse_filter_ctx *fctx)
{
	if (fctx->opcode == FUSE_CREATE && !fctx->result)
		fuse_filter_made(&worm_making);
	return 0;
}

SEC("struct_ops/open")
int BPF_PROG(worm_file_open, struct fuse_filter_ctx *fctx, const struct fuse_open_in *in)
{
	__u64 nodeid = fctx->nodeid, none = 0;

	/* Without room for it, it stays empty */
	if (fuse_filter_making(&worm_making))
		bpf_map_update_elem(&worm_open, &nodeid, &none, BPF_NOEXIST);
	if (open_count(fctx))
		return FUSE_FILTER_DEFAULT | FUSE_FILTER_POST;
	if ((in->flags & O_ACCMODE) != O_RDONLY || in->flags & O_TRUNC)
		return refuse();
	return FUSE_FILTER_DEFAULT;
}

/* One more who can write, or keeps others from being the last */
SEC("struct_ops/open_post")
int BPF_PROG(worm_open_post, struct fuse_filter_ctx *fctx)
{
	__u64 *count = fctx->result ? NULL : open_count(fctx);

	if (count)
		__sync_fetch_and_add(count, 1);
	return 0;
}

/* Who opens it between the two steps finds it closed: writing fails */
SEC("struct_ops/release")
int BPF_PROG(worm_file_release, struct fuse_filter_ctx *fctx)
{
	__u64 nodeid = fctx->nodeid, *count = open_count(fctx);

	if (count && __sync_fetch_and_add(count, -1) <= 1)
		bpf_map_delete_elem(&worm_open, &nodeid);
	return 0;
}

SEC(".struct_ops.link")
struct fuse_filter_ops worm = {
	.write = (void *)worm_write,
	.fallocate = (void *)worm_fallocate,
	.setattr = (void *)worm_setattr,
	.setxattr = (void *)worm_setxattr,
	.removexattr = (void *)worm_removexattr,
	.ioctl = (void *)worm_ioctl,
	.unlink = (void *)worm_unlink,
	.rename = (void *)worm_rename,
	.permission = (void *)worm_permission,
	.create_post = (void *)worm_create_post,
	.open = (void *)worm_file_open,
	.open_post = (void *)worm_open_post,
	.release = (void *)worm_file_release,
	.name = "worm",
	/* Decides nothing by a name */
	.flags = FUSE_FILTER_FOLDED_NAMES,
};

char LICENSE[] SEC("license") = "GPL";
