// SPDX-License-Identifier: GPL-2.0-only
/*
 * chaos: requests of chosen users fail now and then, to see what their programs do.
 *
 * chaos_rules says with what errno, and how often in a million, a request of an opcode
 * fails; only for users in chaos_uids. An errno that no request can fail with is EIO
 * instead. Nothing has been done when a request fails so. Opcodes are those of enum
 * fuse_opcode. Closing a file cannot be refused, whatever a rule says.
 *
 * Maps: chaos_rules, opcode to { errno, times in a million }; chaos_uids, uid to
 * anything; chaos_hits, by opcode, how many requests it made fail.
 * Cost: a hash look-up for each request; of a chosen user, an array look-up and a random
 * number. No program sleeps.
 * Tests: selftests/filter/ready_test.c
 */
#include "fuse_filter.bpf.h"

#define MAX_USERS 65536
#define MAX_OPS 128
#define MAX_ERROR 511
#define MILLION 1000000

struct chaos_rule {
	__u32 error;
	__u32 per_million;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_OPS);
	__type(key, __u32);
	__type(value, struct chaos_rule);
} chaos_rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_USERS);
	__type(key, __u32);
	__type(value, __u8);
} chaos_uids SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAX_OPS);
	__type(key, __u32);
	__type(value, __u64);
} chaos_hits SEC(".maps");

static __always_inline int fail(__u32 opcode, __u32 error)
{
	__u64 *hits = bpf_map_lookup_elem(&chaos_hits, &opcode);

	if (hits)
		__sync_fetch_and_add(hits, 1);
	if (!error || error > MAX_ERROR || error == ECHILD)
		return -EIO;
	return -(int)error;
}

SEC("struct_ops/pre")
int BPF_PROG(chaos_pre, struct fuse_filter_ctx *fctx)
{
	__u32 uid = fctx->fsuid, opcode = fctx->opcode;
	struct chaos_rule *rule;

	if (!bpf_map_lookup_elem(&chaos_uids, &uid))
		return FUSE_FILTER_DEFAULT;
	rule = bpf_map_lookup_elem(&chaos_rules, &opcode);
	if (!rule || !rule->per_million ||
	    bpf_get_prandom_u32() % MILLION >= rule->per_million)
		return FUSE_FILTER_DEFAULT;
	return fail(opcode, rule->error);
}

SEC(".struct_ops.link")
struct fuse_filter_ops chaos = {
	.pre = (void *)chaos_pre,
	.name = "chaos",
};

char LICENSE[] SEC("license") = "GPL";
