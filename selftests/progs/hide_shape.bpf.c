// SPDX-License-Identifier: GPL-2.0-only
/*
 * A filter that is called hide and has a map hide_names, but one of another shape
 * than that of the filter hide, whose place it cannot take with its rules.
 */
#include "fuse_filter.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, char[16]);
	__type(value, __u32);
} hide_names SEC(".maps");

SEC("struct_ops/lookup")
int BPF_PROG(hide_shape_lookup, struct fuse_filter_ctx *fctx)
{
	char key[16];
	int len = bpf_fuse_ctx_read(fctx, FUSE_FILTER_NAME, 0, key, sizeof(key));

	if (len < 0 || len > 15)
		return FUSE_FILTER_DEFAULT;
	return bpf_map_lookup_elem(&hide_names, key) ? -ENOENT : FUSE_FILTER_DEFAULT;
}

SEC(".struct_ops.link")
struct fuse_filter_ops hide_shape = {
	.lookup = (void *)hide_shape_lookup,
	.name = "hide",
};

char LICENSE[] SEC("license") = "GPL";
