// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: what filters may call is for filters, not for congestion control.
 *
 * Expect: verifier: calling kernel function bpf_fuse_ctx_redact is not allowed
 */
#include "fuse_filter.bpf.h"

struct sock;

struct tcp_congestion_ops {
	__u32 (*ssthresh)(struct sock *sk);
	__u32 (*undo_cwnd)(struct sock *sk);
	char name[16];
};

SEC("struct_ops/ssthresh")
__u32 BPF_PROG(other_ssthresh, struct sock *sk)
{
	return bpf_fuse_ctx_redact((void *)sk, 0, 1);
}

SEC(".struct_ops.link")
struct tcp_congestion_ops other_struct_ops = {
	.ssthresh = (void *)other_ssthresh,
	.name = "other_struct_op",
};

char LICENSE[] SEC("license") = "GPL";
