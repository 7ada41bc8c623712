// SPDX-License-Identifier: GPL-2.0-only
/*
 * trace: requests, one by one, and what they ended with.
 *
 * trace_ops has an element for each opcode, of FUSE and of fuse_filter.bpf.h: 1 to be
 * told of a request when it comes, 2 when it has been answered, 3 for both, and 0, which
 * is what all are in the beginning, for neither. Events are struct trace_event in the ring
 * trace_events, which a program reads by libbpf's ring_buffer__new(). Decides nothing.
 *
 * Attached first, it is told of what later filters refuse when it comes, but not of an
 * answer; attached last, it is not told of it at all. Entries of directories and mappings
 * have no answer. Of a name, the first 63 bytes are told.
 *
 * Maps: trace_ops; trace_events; trace_lost, events that there was no room for.
 * Cost: an array look-up for each request and each entry listed; for those that are told
 * of, an event of 128 bytes. Asynchronous reads that are to be told of when they have
 * been answered are waited for. No program sleeps.
 * Tests: selftests/filter/ready_watch_test.c
 */
#include "fuse_filter.bpf.h"
#include "fuse_filter_util.bpf.h"
#include "watch.h"

#define NR_OPS 64

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NR_OPS);
	__type(key, __u32);
	__type(value, __u32);
} trace_ops SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} trace_events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} trace_lost SEC(".maps");

/* What is to be told of requests of this kind */
static __always_inline __u32 wanted(struct fuse_filter_ctx *fctx)
{
	__u32 opcode = fctx->opcode;
	__u32 *what = bpf_map_lookup_elem(&trace_ops, &opcode);

	return what ? *what : 0;
}

/* An event without a name, still to be submitted; NULL if there is no room */
static __always_inline struct trace_event *begin(struct fuse_filter_ctx *fctx, __u32 kind)
{
	struct trace_event *event = bpf_ringbuf_reserve(&trace_events, sizeof(*event), 0);

	if (!event) {
		fuse_filter_count(&trace_lost, 0);
		return NULL;
	}
	event->time = bpf_ktime_get_boot_ns();
	event->nodeid = fctx->nodeid;
	event->parent = fctx->parent;
	event->result = kind == TRACE_ANSWERED ? fctx->result : 0;
	event->kind = kind;
	event->opcode = fctx->opcode;
	event->uid = fctx->fsuid;
	event->gid = fctx->fsgid;
	event->pid = fctx->pid;
	event->name_len = fctx->name_len;
	event->reserved[0] = 0;
	event->reserved[1] = 0;
	for (int i = 0; i < TRACE_NAME_SIZE / 8; i++)
		((__u64 *)event->name)[i] = 0;
	return event;
}

/* For callbacks that can be asked for a name; the last byte stays zero */
static __always_inline void tell_named(struct fuse_filter_ctx *fctx, __u32 kind)
{
	struct trace_event *event = begin(fctx, kind);

	if (!event)
		return;
	if (fctx->name_len)
		bpf_fuse_ctx_read(fctx, FUSE_FILTER_NAME, 0, event->name, TRACE_NAME_SIZE - 1);
	bpf_ringbuf_submit(event, 0);
}

SEC("struct_ops/pre")
int BPF_PROG(trace_pre, struct fuse_filter_ctx *fctx)
{
	__u32 what = wanted(fctx);

	if (what & TRACE_ASKED)
		tell_named(fctx, TRACE_ASKED);
	return what & TRACE_ANSWERED ? FUSE_FILTER_DEFAULT | FUSE_FILTER_POST : FUSE_FILTER_DEFAULT;
}

SEC("struct_ops/dirent")
int BPF_PROG(trace_dirent, struct fuse_filter_ctx *fctx, const struct fuse_filter_dirent *entry)
{
	if (wanted(fctx) & TRACE_ASKED)
		tell_named(fctx, TRACE_ASKED);
	return FUSE_FILTER_DEFAULT;
}

SEC("struct_ops/mmap")
int BPF_PROG(trace_mmap, struct fuse_filter_ctx *fctx, const struct fuse_filter_mmap *in)
{
	struct trace_event *event;

	event = wanted(fctx) & TRACE_ASKED ? begin(fctx, TRACE_ASKED) : NULL;
	if (event)
		bpf_ringbuf_submit(event, 0);
	return FUSE_FILTER_DEFAULT;
}

/* Also called unasked, if the filters of the mount changed meanwhile */
SEC("struct_ops/post")
int BPF_PROG(trace_post, struct fuse_filter_ctx *fctx)
{
	if (wanted(fctx) & TRACE_ANSWERED)
		tell_named(fctx, TRACE_ANSWERED);
	return 0;
}

SEC(".struct_ops.link")
struct fuse_filter_ops trace = {
	.pre = (void *)trace_pre,
	.dirent = (void *)trace_dirent,
	.mmap = (void *)trace_mmap,
	.post = (void *)trace_post,
	.name = "trace",
	/* Decides nothing by a name */
	.flags = FUSE_FILTER_FOLDED_NAMES,
};

char LICENSE[] SEC("license") = "GPL";
