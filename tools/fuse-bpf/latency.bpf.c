// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measures how long the operations of a backed mount take, from where the VFS hands
 * them over until they return: filters, daemon and backing included.
 *
 * One program for all functions, at their beginning and at their end; which one it is,
 * a cookie says. Nothing is shared between CPUs.
 */
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <linux/types.h>
#include <stdbool.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "latency.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct super_block {
	__u32 s_dev;
};

struct inode {
	struct super_block *i_sb;
};

struct dentry {
	struct inode *d_inode;
};

struct path {
	struct dentry *dentry;
};

struct file {
	struct inode *f_inode;
};

struct kiocb {
	struct file *ki_filp;
};

#pragma clang attribute pop

extern bool bpf_session_is_return(void *ctx) __ksym;
extern __u64 *bpf_session_cookie(void *ctx) __ksym;

/* Set before the program is loaded */
const volatile __u32 latency_dev = 0;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LATENCY_OPS);
	__type(key, __u32);
	__type(value, struct latency);
} latencies SEC(".maps");

static __always_inline struct inode *inode_of(__u64 cookie, void *arg)
{
	switch (LATENCY_BY(cookie)) {
	case LATENCY_BY_DENTRY:
		return BPF_CORE_READ((struct dentry *)arg, d_inode);
	case LATENCY_BY_PATH:
		return BPF_CORE_READ((struct path *)arg, dentry, d_inode);
	case LATENCY_BY_FILE:
		return BPF_CORE_READ((struct file *)arg, f_inode);
	case LATENCY_BY_KIOCB:
		return BPF_CORE_READ((struct kiocb *)arg, ki_filp, f_inode);
	default:
		return arg;
	}
}

static __always_inline __u32 slot_of(__u64 ns)
{
	__u32 slot = 0;

	for (int shift = 32; shift; shift >>= 1) {
		if (ns >> shift) {
			ns >>= shift;
			slot += shift;
		}
	}
	return slot < LATENCY_SLOTS ? slot : LATENCY_SLOTS - 1;
}

static __always_inline void count(__u32 opcode, __u64 ns)
{
	struct latency *latency = bpf_map_lookup_elem(&latencies, &opcode);
	__u32 slot = slot_of(ns);

	if (!latency || slot >= LATENCY_SLOTS)
		return;
	latency->slots[slot]++;
	latency->ns += ns;
}

SEC("kprobe.session")
int operation(struct pt_regs *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx);
	__u64 *begin = bpf_session_cookie(ctx);
	struct inode *inode;
	void *arg;

	if (bpf_session_is_return(ctx)) {
		count(LATENCY_OPCODE(cookie), bpf_ktime_get_ns() - *begin);
		return 0;
	}
	arg = LATENCY_SECOND(cookie) ? (void *)PT_REGS_PARM2(ctx) : (void *)PT_REGS_PARM1(ctx);
	inode = inode_of(cookie, arg);
	/* Of another mount, the end is of no interest */
	if (BPF_CORE_READ(inode, i_sb, s_dev) != latency_dev)
		return 1;
	*begin = bpf_ktime_get_ns();
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
