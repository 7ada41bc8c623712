// SPDX-License-Identifier: GPL-2.0-only
/*
 * Records what filters, and the kernel by itself, say of requests: at the trace events
 * fuse_filter and fuse_backed_refused.
 *
 * Names of files are in no trace event. They are read from what the first argument of
 * the first event is a part of; a kernel where that is not so has no names to tell.
 */
#include "fuse_filter.bpf.h"
#include <bpf/bpf_core_read.h>

#include "decision.h"

struct qstr {
	__u32 len;
	const unsigned char *name;
} __attribute__((preserve_access_index));

struct fuse_filter_ctx_kern {
	struct fuse_filter_ctx ctx;
	const struct qstr *name;
} __attribute__((preserve_access_index));

struct inode {
	unsigned long i_ino;
} __attribute__((preserve_access_index));

/* Mapped by the command, and by the process that "explain" watches */
struct decision_want want = {};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} decisions SEC(".maps");

static __always_inline __u32 verdict_of(int ret)
{
	if (ret < 0)
		return VERDICT_REFUSED;
	switch (ret & 0xff) {
	case FUSE_FILTER_BACKING:
		return VERDICT_BACKING;
	case FUSE_FILTER_DAEMON:
		return VERDICT_DAEMON;
	default:
		return VERDICT_NONE;
	}
}

static __always_inline bool is_wanted(__u32 dev, __u32 opcode, int ret)
{
	if (want.dev && dev != want.dev)
		return false;
	if (want.tid && want.tid != (__u32)bpf_get_current_pid_tgid())
		return false;
	if (want.opcode && want.opcode != opcode)
		return false;
	return want.verdicts & verdict_of(ret);
}

static __always_inline bool is_named(__u32 opcode)
{
	return opcode < 64 && want.named_ops & (1ULL << opcode);
}

static __always_inline struct decision *begin(__u32 dev, __u32 opcode, int ret)
{
	struct decision *d = bpf_ringbuf_reserve(&decisions, sizeof(*d), 0);

	if (!d) {
		__sync_fetch_and_add(&want.lost, 1);
		return NULL;
	}
	d->time = bpf_ktime_get_boot_ns();
	d->dev = dev;
	d->opcode = opcode;
	d->ret = ret;
	d->tid = bpf_get_current_pid_tgid();
	d->step = want.step;
	d->why = 0;
	d->filter_id = 0;
	d->filter[0] = '\0';
	d->nodeid = 0;
	d->parent = 0;
	bpf_get_current_comm(d->comm, sizeof(d->comm));
	return d;
}

static __always_inline void read_name(struct decision *d, const struct fuse_filter_ctx *fctx)
{
	const struct fuse_filter_ctx_kern *kctx = (const void *)fctx;
	const struct qstr *name;
	__u32 len;

	__builtin_memset(d->name, 0, sizeof(d->name));
	if (!bpf_core_field_exists(kctx->name))
		return;
	name = BPF_CORE_READ(kctx, name);
	if (!name)
		return;
	len = BPF_CORE_READ(name, len);
	if (len < sizeof(d->name))
		bpf_probe_read_kernel(d->name, len, BPF_CORE_READ(name, name));
}

static __always_inline bool is_name(const struct decision *d)
{
	for (int i = 0; i < DECISION_NAME / 8; i++) {
		if (((const __u64 *)d->name)[i] != ((const __u64 *)want.name)[i])
			return false;
	}
	return true;
}

SEC("tp_btf/fuse_filter")
int BPF_PROG(filter_decided, __u32 dev, __u32 id, const char *filter,
	     const struct fuse_filter_ctx *fctx, int ret, bool post)
{
	struct decision *d;

	/* The verifier cannot know that it never is */
	if (!fctx)
		return 0;
	if (!is_wanted(dev, fctx->opcode, ret) || (want.has_uid && want.uid != fctx->fsuid))
		return 0;
	d = begin(dev, fctx->opcode, ret);
	if (!d)
		return 0;
	d->kind = post ? DECISION_POST : DECISION_PRE;
	d->filter_id = id;
	d->nodeid = fctx->nodeid;
	d->parent = fctx->parent;
	d->fsuid = fctx->fsuid;
	d->fsgid = fctx->fsgid;
	bpf_probe_read_kernel_str(d->filter, sizeof(d->filter), filter);
	read_name(d, fctx);
	if (is_named(d->opcode) && !is_name(d))
		bpf_ringbuf_discard(d, 0);
	else
		bpf_ringbuf_submit(d, 0);
	return 0;
}

SEC("tp_btf/fuse_backed_refused")
int BPF_PROG(kernel_refused, __u32 dev, const struct inode *inode, __u32 opcode, __u32 why,
	     int error)
{
	__u64 ids = bpf_get_current_uid_gid();
	struct decision *d;

	if (!inode)
		return 0;
	if (!is_wanted(dev, opcode, error) || is_named(opcode) ||
	    (want.has_uid && want.uid != (__u32)ids))
		return 0;
	d = begin(dev, opcode, error);
	if (!d)
		return 0;
	d->kind = DECISION_REFUSED;
	d->why = why;
	d->nodeid = BPF_CORE_READ(inode, i_ino);
	d->fsuid = ids;
	d->fsgid = ids >> 32;
	__builtin_memset(d->name, 0, sizeof(d->name));
	bpf_ringbuf_submit(d, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
