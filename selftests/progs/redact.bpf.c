// SPDX-License-Identifier: GPL-2.0-only
/*
 * A filter that makes bytes of files read as zero, and lets only some be written, by
 * user.
 */
#include "fuse_filter.bpf.h"
#include "redact.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct redact_set);
} sets SEC(".maps");

static __always_inline struct redact_set *set_for(struct fuse_filter_ctx *fctx)
{
	__u32 uid = fctx->fsuid;
	struct redact_set *set = bpf_map_lookup_elem(&sets, &uid);

	return set && set->nodeid && set->nodeid != fctx->nodeid ? NULL : set;
}

SEC("struct_ops/read")
int BPF_PROG(redact_read, struct fuse_filter_ctx *fctx, const struct fuse_filter_io *in)
{
	struct redact_set *set = set_for(fctx);

	if (!set)
		return FUSE_FILTER_DEFAULT;
	for (__u32 i = 0; i < REDACT_RANGES; i++) {
		if (i >= set->nr)
			break;
		set->ret = bpf_fuse_ctx_redact(fctx, set->range[i].start, set->range[i].end);
	}
	return FUSE_FILTER_DEFAULT;
}

SEC("struct_ops/write")
int BPF_PROG(redact_write, struct fuse_filter_ctx *fctx, const struct fuse_filter_io *in)
{
	struct redact_set *set = set_for(fctx);

	if (!set || !set->write_end)
		return FUSE_FILTER_DEFAULT;
	if (in->offset < set->write_start || in->offset > set->write_end)
		return -EPERM;
	return in->size > set->write_end - in->offset ? -EPERM : FUSE_FILTER_DEFAULT;
}

SEC(".struct_ops.link")
struct fuse_filter_ops redact = {
	.read = (void *)redact_read,
	.write = (void *)redact_write,
	.name = "redact",
};

char LICENSE[] SEC("license") = "GPL";
