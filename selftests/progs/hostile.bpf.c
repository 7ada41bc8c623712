// SPDX-License-Identifier: GPL-2.0-only
/*
 * A filter that calls each function there is wherever it may be called, with the
 * arguments that a fuzzer has put into a map.
 */
#include "fuse_filter.bpf.h"
#include "hostile.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hostile_args);
} args SEC(".maps");

static __always_inline struct hostile_args *get_args(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&args, &zero);
}

static __always_inline int read_data(struct fuse_filter_ctx *fctx, const struct hostile_args *a)
{
	char buf[HOSTILE_BYTES];
	__u32 size = a->size;

	if (size <= sizeof(buf))
		bpf_fuse_ctx_read(fctx, a->what, a->off, buf, size);
	return a->ret;
}

static __always_inline int set_value(struct fuse_filter_ctx *fctx, struct hostile_args *a)
{
	__u32 size = a->size;

	if (size <= sizeof(a->value))
		bpf_fuse_ctx_set_value(fctx, a->value, size);
	return 0;
}

#define MEMBER(what, DO, otherwise, ...)						\
SEC("struct_ops/" #what)								\
int BPF_PROG(hostile_##what, struct fuse_filter_ctx *fctx, ##__VA_ARGS__)		\
{											\
	struct hostile_args *a = get_args();						\
											\
	return a ? DO(fctx, a) : otherwise;						\
}

MEMBER(lookup, read_data, -EIO)
MEMBER(mkdir, read_data, -EIO, const struct fuse_mkdir_in *in)
MEMBER(unlink, read_data, -EIO)
MEMBER(rename, read_data, -EIO, const struct fuse_rename2_in *in)
MEMBER(setxattr, read_data, -EIO, const struct fuse_setxattr_in *in)
MEMBER(getxattr, read_data, -EIO, const struct fuse_getxattr_in *in)
MEMBER(xattr_name, read_data, -EIO)
MEMBER(dirent, read_data, -EIO, const struct fuse_filter_dirent *in)
MEMBER(pre, read_data, -EIO)
MEMBER(getxattr_post, set_value, -EIO)
MEMBER(readlink_post, set_value, -EIO)

static __always_inline int redact(struct fuse_filter_ctx *fctx, const struct hostile_args *a)
{
	__u32 i;

	for (i = 0; i < HOSTILE_RANGES; i++) {
		if (i >= a->nr)
			break;
		bpf_fuse_ctx_redact(fctx, a->range[i].start, a->range[i].end);
	}
	return a->ret;
}

static __always_inline int add_flags(struct fuse_filter_ctx *fctx, const struct hostile_args *a)
{
	bpf_fuse_ctx_add_open_flags(fctx, a->open_flags);
	return a->ret;
}

MEMBER(read, redact, -EIO, const struct fuse_filter_io *in)
MEMBER(open, add_flags, -EIO, const struct fuse_open_in *in)

#define M(what) .what = (void *)hostile_##what,

SEC(".struct_ops.link")
struct fuse_filter_ops hostile = {
	M(lookup) M(mkdir) M(unlink) M(rename) M(setxattr) M(getxattr) M(xattr_name)
	M(dirent) M(read) M(open) M(pre) M(getxattr_post) M(readlink_post)
	.name = "hostile",
};

char LICENSE[] SEC("license") = "GPL";
