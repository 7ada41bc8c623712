// SPDX-License-Identifier: GPL-2.0-only
/*
 * A line for each filter that is attached anywhere, by the kernel's iterator. Only
 * where FUSE is built into the kernel.
 */
#include <linux/fuse_bpf.h>
#include "fuse_filter.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct fuse_filter_attached {
	__u32 connection;
	struct fuse_filter_info info;
};

struct bpf_iter__fuse_filter {
	struct bpf_iter_meta *meta;
	struct fuse_filter_attached *attached;
};

#pragma clang attribute pop

SEC("iter/fuse_filter")
int show_attached(struct bpf_iter__fuse_filter *ctx)
{
	struct fuse_filter_attached *attached = ctx->attached;

	if (attached)
		BPF_SEQ_PRINTF(ctx->meta->seq, "connection=%u id=%u map=%u name=%s\n",
			       attached->connection, attached->info.id,
			       attached->info.map_id, attached->info.name);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
