// SPDX-License-Identifier: GPL-2.0-only
/*
 * A filter that sleeps when a file is opened, until user space lets it go on: it reads
 * memory that is not there yet, and the fault is answered through a userfaultfd.
 */
#include "fuse_filter.bpf.h"
#include "sleeper.h"

struct sleeper_control control;

SEC("struct_ops.s/open")
int BPF_PROG(sleeper_open, struct fuse_filter_ctx *fctx, const struct fuse_open_in *in)
{
	char byte;

	__sync_fetch_and_add(&control.asked, 1);
	if ((__u32)bpf_get_current_pid_tgid() != control.tid)
		return FUSE_FILTER_DEFAULT;
	bpf_copy_from_user(&byte, sizeof(byte), (void *)(unsigned long)control.page);
	__sync_fetch_and_add(&control.woke, 1);
	return control.ret;
}

SEC(".struct_ops.link")
struct fuse_filter_ops sleeper = {
	.open = (void *)sleeper_open,
	.name = "sleeper",
};

char LICENSE[] SEC("license") = "GPL";
