// SPDX-License-Identifier: GPL-2.0-only
/*
 * A filter that sends each request where a test wants it: by opcode, lookups also by
 * name, reads and writes also by offset.
 */
#include "fuse_filter.bpf.h"
#include "route_all.h"

#define FUSE_LOOKUP 1

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* The header has what most filters need; libbpf fits these to the kernel's */
struct fuse_filter_ctx___route {
	__u64 nodeid;
	__u64 parent;
	__u32 opcode;
	__u32 name_len;
	__s64 result;
};

struct fuse_filter_io___route {
	__u64 offset;
};

#pragma clang attribute pop

struct fuse_filter_ops___route {
	int (*lookup)(struct fuse_filter_ctx *ctx);
	int (*read)(struct fuse_filter_ctx *ctx, const struct fuse_filter_io___route *in);
	int (*write)(struct fuse_filter_ctx *ctx, const struct fuse_filter_io___route *in);
	int (*pre)(struct fuse_filter_ctx *ctx);
	int (*post)(struct fuse_filter_ctx *ctx);
	char name[FUSE_FILTER_NAME_LEN];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ROUTE_OPS);
	__type(key, __u32);
	__type(value, struct route_rule);
} rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, char[ROUTE_NAME]);
	__type(value, __s32);
} names SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ROUTE_OPS);
	__type(key, __u32);
	__type(value, struct route_seen);
} seen SEC(".maps");

static __always_inline struct route_rule *note(struct fuse_filter_ctx *fctx)
{
	__u32 opcode = fctx->opcode;
	struct route_seen *s = bpf_map_lookup_elem(&seen, &opcode);

	if (s) {
		__sync_fetch_and_add(&s->calls, 1);
		s->nodeid = fctx->nodeid;
		s->parent = fctx->parent;
	}
	return bpf_map_lookup_elem(&rules, &opcode);
}

SEC("struct_ops/pre")
int BPF_PROG(route_pre, struct fuse_filter_ctx *fctx)
{
	struct route_rule *rule = note(fctx);

	return rule ? rule->verdict : -EIO;
}

SEC("struct_ops/lookup")
int BPF_PROG(route_lookup, struct fuse_filter_ctx *fctx)
{
	const char *name = bpf_fuse_ctx_name(fctx, FUSE_FILTER_NAME_SIZE);
	struct route_rule *rule = note(fctx);
	char key[ROUTE_NAME] = {};
	__s32 *verdict;

	if (!name || !rule)
		return -EIO;
	if (fctx->name_len < sizeof(key))
		__builtin_memcpy(key, name, sizeof(key));
	verdict = bpf_map_lookup_elem(&names, key);
	return verdict ? *verdict : rule->verdict;
}

static __always_inline int by_range(struct fuse_filter_ctx *fctx, __u64 offset)
{
	struct route_rule *rule = note(fctx);

	if (!rule)
		return -EIO;
	if (rule->ranged && (offset < rule->start || offset >= rule->end))
		return FUSE_FILTER_DEFAULT;
	return rule->verdict;
}

SEC("struct_ops/read")
int BPF_PROG(route_read, struct fuse_filter_ctx *fctx, const struct fuse_filter_io___route *in)
{
	return by_range(fctx, in->offset);
}

SEC("struct_ops/write")
int BPF_PROG(route_write, struct fuse_filter_ctx *fctx, const struct fuse_filter_io___route *in)
{
	return by_range(fctx, in->offset);
}

SEC("struct_ops/post")
int BPF_PROG(route_post, struct fuse_filter_ctx *fctx)
{
	struct fuse_filter_ctx___route *full = (void *)fctx;
	__u32 opcode = fctx->opcode;
	struct route_rule *rule = bpf_map_lookup_elem(&rules, &opcode);
	struct route_seen *s = bpf_map_lookup_elem(&seen, &opcode);

	if (!rule || !s)
		return -EIO;
	__sync_fetch_and_add(&s->posts, 1);
	s->result = full->result;
	return rule->post;
}

SEC(".struct_ops.link")
struct fuse_filter_ops___route route_all = {
	.lookup = (void *)route_lookup,
	.read = (void *)route_read,
	.write = (void *)route_write,
	.pre = (void *)route_pre,
	.post = (void *)route_post,
	.name = "route_all",
};

char LICENSE[] SEC("license") = "GPL";
