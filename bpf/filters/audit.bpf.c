// SPDX-License-Identifier: GPL-2.0-only
/*
 * audit: who opens and makes how many files and directories.
 *
 * audit_counts has, for each user and opcode, how many requests there were and how
 * many of them the backing or the daemon refused. What another filter refuses ends
 * before this one is asked, and is in the counts of that one. Decides nothing itself.
 * To be read with
 *
 *	bpftool map dump name audit_counts
 *
 * where no more than 65536 pairs are kept; audit_lost counts requests beyond them.
 *
 * Cost, for each such request: one hash look-up afterwards. No program sleeps, and
 * no other request is concerned.
 */
#include "fuse_filter.bpf.h"

#define MAX_COUNTS 65536

struct audit_key {
	__u32 uid;
	__u32 opcode;
};

struct audit_count {
	__u64 requests;
	__u64 failed;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_COUNTS);
	__type(key, struct audit_key);
	__type(value, struct audit_count);
} audit_counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} audit_lost SEC(".maps");

static __always_inline void lost(void)
{
	__u32 zero = 0;
	__u64 *number = bpf_map_lookup_elem(&audit_lost, &zero);

	if (number)
		__sync_fetch_and_add(number, 1);
}

static __always_inline void note(struct fuse_filter_ctx *fctx)
{
	struct audit_key key = { .uid = fctx->fsuid, .opcode = fctx->opcode };
	struct audit_count *count = bpf_map_lookup_elem(&audit_counts, &key);
	struct audit_count none = {};

	if (!count) {
		/* If somebody else was faster, theirs is as good */
		bpf_map_update_elem(&audit_counts, &key, &none, BPF_NOEXIST);
		count = bpf_map_lookup_elem(&audit_counts, &key);
	}
	if (!count) {
		lost();
		return;
	}
	__sync_fetch_and_add(&count->requests, 1);
	if (fctx->result < 0)
		__sync_fetch_and_add(&count->failed, 1);
}

SEC("struct_ops/open_post")
int BPF_PROG(audit_open_post, struct fuse_filter_ctx *fctx)
{
	note(fctx);
	return 0;
}

SEC("struct_ops/create_post")
int BPF_PROG(audit_create_post, struct fuse_filter_ctx *fctx)
{
	note(fctx);
	return 0;
}

SEC(".struct_ops.link")
struct fuse_filter_ops audit = {
	.open_post = (void *)audit_open_post,
	.create_post = (void *)audit_create_post,
	.name = "audit",
};

char LICENSE[] SEC("license") = "GPL";
