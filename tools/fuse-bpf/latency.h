/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How long operations take: what "stat" and its Prometheus output share.
 */
#ifndef FUSE_BPF_LATENCY_H
#define FUSE_BPF_LATENCY_H

#include <linux/types.h>

#include "latency.bpf.h"
#include "main.h"

struct latencies;

/* struct latency_sum - of one opcode, all CPUs together */
struct latency_sum {
	__u64 slots[LATENCY_SLOTS];
	__u64 ns;
	__u64 count;
};

struct latencies *latencies_open(const char *mountpoint);
int latencies_read(const struct latencies *latencies, __u32 opcode, struct latency_sum *sum);
int latencies_show(const struct latencies *latencies, struct json_object *result);
void latencies_close(struct latencies *latencies);

#endif
