// SPDX-License-Identifier: GPL-2.0-only
/*
 * A struct_ops map that is no filter: congestion control for TCP, as every kernel has.
 */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct sock;

struct tcp_congestion_ops {
	__u32 (*ssthresh)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
	__u32 (*undo_cwnd)(struct sock *sk);
	char name[16];
};

SEC("struct_ops/ssthresh")
__u32 BPF_PROG(other_ssthresh, struct sock *sk)
{
	return 2;
}

SEC("struct_ops/cong_avoid")
void BPF_PROG(other_cong_avoid, struct sock *sk, __u32 ack, __u32 acked)
{
}

SEC("struct_ops/undo_cwnd")
__u32 BPF_PROG(other_undo_cwnd, struct sock *sk)
{
	return 2;
}

SEC(".struct_ops.link")
struct tcp_congestion_ops other_type = {
	.ssthresh = (void *)other_ssthresh,
	.cong_avoid = (void *)other_cong_avoid,
	.undo_cwnd = (void *)other_undo_cwnd,
	.name = "fuse_bpf_other",
};

char LICENSE[] SEC("license") = "GPL";
