// SPDX-License-Identifier: GPL-2.0-only
/*
 * strip_bits: bits of the mode that nobody gives to a file through this mount.
 *
 * By itself the set-user-id and set-group-id bits; strip_mask has others in its only
 * element, such as 0111 for programs as well. They are taken out of the mode of what is
 * made and of chmod(2), which goes on without them, and are not shown. Device nodes
 * cannot be made (EPERM).
 *
 * Bits that the backing has already are not shown, and yet count when permission is
 * checked and when a program is executed: the mount flags nosuid, nodev and noexec, of the
 * mount or of the backing, are against these. An ACL can still say who may execute.
 *
 * Maps: strip_mask, 0 to bits in octal, as "set strip_mask 0=06111" has them; 0 is 06000.
 * Cost: an array look-up for attributes that are asked for or changed, and for what is
 * made; nothing for anything else. No program sleeps.
 * Tests: selftests/filter/ready_guard_test.c
 */
#include "fuse_filter.bpf.h"
#include "fuse_filter_util.bpf.h"

#define SET_ID_BITS 06000
#define MODE_BITS 07777

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} strip_mask SEC(".maps");

static __always_inline __u32 kept_bits(void)
{
	__u32 zero = 0, bits = 0;
	__u32 *mask = bpf_map_lookup_elem(&strip_mask, &zero);

	if (mask)
		bits = *mask & MODE_BITS;
	return ~(bits ?: SET_ID_BITS);
}

static __always_inline int strip(struct fuse_filter_ctx *fctx)
{
	struct fuse_filter_attr *attr = fuse_filter_ctx_attr(fctx);

	if (!attr)
		return -EIO;
	if (attr->valid & FATTR_MODE)
		attr->mode &= kept_bits();
	return FUSE_FILTER_DEFAULT;
}

SEC("struct_ops/setattr")
int BPF_PROG(strip_setattr, struct fuse_filter_ctx *fctx)
{
	return strip(fctx);
}

SEC("struct_ops/create")
int BPF_PROG(strip_create, struct fuse_filter_ctx *fctx)
{
	return strip(fctx);
}

SEC("struct_ops/mkdir")
int BPF_PROG(strip_mkdir, struct fuse_filter_ctx *fctx)
{
	return strip(fctx);
}

SEC("struct_ops/mknod")
int BPF_PROG(strip_mknod, struct fuse_filter_ctx *fctx, const struct fuse_mknod_in *in)
{
	__u32 type = in->mode & S_IFMT;

	return type == S_IFCHR || type == S_IFBLK ? -EPERM : strip(fctx);
}

SEC("struct_ops/getattr_post")
int BPF_PROG(strip_getattr_post, struct fuse_filter_ctx *fctx)
{
	struct fuse_filter_attr *attr;
	int err = fuse_filter_shown(fctx, &attr);

	if (!attr)
		return err;
	attr->mode &= kept_bits();
	return 0;
}

SEC(".struct_ops.link")
struct fuse_filter_ops strip_bits = {
	.setattr = (void *)strip_setattr,
	.create = (void *)strip_create,
	.mkdir = (void *)strip_mkdir,
	.mknod = (void *)strip_mknod,
	.getattr_post = (void *)strip_getattr_post,
	.name = "strip_bits",
	/* Decides nothing by a name */
	.flags = FUSE_FILTER_FOLDED_NAMES,
};

char LICENSE[] SEC("license") = "GPL";
