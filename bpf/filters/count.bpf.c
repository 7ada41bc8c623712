// SPDX-License-Identifier: GPL-2.0-only
/*
 * count: how much each user does: requests, failures and bytes, by opcode.
 *
 * Of reads, writes and copies, the bytes are counted that there were. What another filter
 * refuses is not counted here: "fuse-bpf ls" shows it with that filter. Entries of
 * directories, mappings and the end of open files have no counts. To be read with
 *
 *	bpftool map dump name count_ops
 *
 * which shows a value for each processor. Decides nothing.
 *
 * Maps: count_ops, { uid, opcode } to { requests, failed, bytes }, of which there is room
 * for 16384; count_lost, requests beyond them.
 * Cost: a hash look-up for each request, when it has been answered. Asynchronous reads are
 * waited for. No program sleeps, and no processor waits for another.
 * Tests: selftests/filter/ready_watch_test.c
 */
#include "fuse_filter.bpf.h"
#include "fuse_filter_util.bpf.h"

#define MAX_COUNTS 16384

struct count_key {
	__u32 uid;
	__u32 opcode;
};

struct count_value {
	__u64 requests;
	__u64 failed;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, MAX_COUNTS);
	__type(key, struct count_key);
	__type(value, struct count_value);
} count_ops SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} count_lost SEC(".maps");

static __always_inline struct count_value *value_of(struct fuse_filter_ctx *fctx)
{
	struct count_key key = { .uid = fctx->fsuid, .opcode = fctx->opcode };
	struct count_value *value = bpf_map_lookup_elem(&count_ops, &key);
	struct count_value none = {};

	if (value)
		return value;
	/* If somebody else was faster, theirs is as good */
	bpf_map_update_elem(&count_ops, &key, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&count_ops, &key);
}

static __always_inline bool moves_bytes(__u32 opcode)
{
	return opcode == FUSE_READ || opcode == FUSE_WRITE || opcode == FUSE_COPY_FILE_RANGE ||
	       opcode == FUSE_COPY_FILE_RANGE_64;
}

SEC("struct_ops/post")
int BPF_PROG(count_post, struct fuse_filter_ctx *fctx)
{
	struct count_value *value = value_of(fctx);

	if (!value) {
		fuse_filter_count(&count_lost, 0);
		return 0;
	}
	/* Another task may come in between on the same processor */
	__sync_fetch_and_add(&value->requests, 1);
	if (fctx->result < 0)
		__sync_fetch_and_add(&value->failed, 1);
	else if (moves_bytes(fctx->opcode))
		__sync_fetch_and_add(&value->bytes, fctx->result);
	return 0;
}

SEC(".struct_ops.link")
struct fuse_filter_ops count = {
	.post = (void *)count_post,
	.name = "count",
	/* Decides nothing by a name */
	.flags = FUSE_FILTER_FOLDED_NAMES,
};

char LICENSE[] SEC("license") = "GPL";
