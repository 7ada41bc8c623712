// SPDX-License-Identifier: GPL-2.0-only
/*
 * count_ops: how many requests of each kind each user makes, and how many fail.
 *
 * Idea: "pre" and "post" are called for every request that has no callback of its own,
 * here all. The counters are per CPU, so that counting does not make one user wait for
 * another. A "pre" asks for "post" by adding FUSE_FILTER_POST to its verdict; this one
 * has an opinion of its own in neither.
 *
 *	bpftool map dump name op_counts
 */
#include "fuse_filter.bpf.h"

struct op_key {
	__u32 uid;
	__u32 opcode;
};

struct op_count {
	__u64 requests;
	__u64 failures;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct op_key);
	__type(value, struct op_count);
} op_counts SEC(".maps");

static __always_inline struct op_count *count_of(struct fuse_filter_ctx *fctx)
{
	struct op_key key = { .uid = fctx->fsuid, .opcode = fctx->opcode };
	struct op_count *count = bpf_map_lookup_elem(&op_counts, &key);
	struct op_count zero = {};

	if (count)
		return count;
	bpf_map_update_elem(&op_counts, &key, &zero, BPF_NOEXIST);
	return bpf_map_lookup_elem(&op_counts, &key);
}

SEC("struct_ops/pre")
int BPF_PROG(count_pre, struct fuse_filter_ctx *fctx)
{
	struct op_count *count = count_of(fctx);

	if (count)
		count->requests++;
	return FUSE_FILTER_DEFAULT | FUSE_FILTER_POST;
}

SEC("struct_ops/post")
int BPF_PROG(count_post, struct fuse_filter_ctx *fctx)
{
	struct op_count *count = fctx->result < 0 ? count_of(fctx) : NULL;

	if (count)
		count->failures++;
	return 0;
}

SEC(".struct_ops.link")
struct fuse_filter_ops count_ops = {
	.pre = (void *)count_pre,
	.post = (void *)count_post,
	.name = "count_ops",
};

char LICENSE[] SEC("license") = "GPL";
