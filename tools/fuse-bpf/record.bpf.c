// SPDX-License-Identifier: GPL-2.0-only
/*
 * recorder: a filter without an opinion that tells of each request, and beside it, from
 * the kernel's trace event, what the other filters say of that.
 *
 * It is asked first, so that it sees also what others refuse, and what they have no
 * callback for. A request is what a thread is told of until the next one of that thread.
 */
#include "fuse_filter.bpf.h"
#include <bpf/bpf_core_read.h>

#include "record.h"

/* Set before the filter is loaded; the recording process is not recorded */
const volatile __u32 recorded_dev = 0;
const volatile __u32 recording_pid = 0;

/* Mapped by the command */
__u64 lost = 0;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 22);
} records SEC(".maps");

static __always_inline struct record *begin(struct fuse_filter_ctx *fctx, __u32 kind)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct record *r;

	if (id >> 32 == recording_pid)
		return NULL;
	r = bpf_ringbuf_reserve(&records, sizeof(*r), 0);
	if (!r) {
		__sync_fetch_and_add(&lost, 1);
		return NULL;
	}
	__builtin_memset(r, 0, sizeof(*r));
	r->nodeid = fctx->nodeid;
	r->parent = fctx->parent;
	r->newparent = fctx->newparent;
	r->cgroup = bpf_get_current_cgroup_id();
	r->kind = kind;
	r->opcode = fctx->opcode;
	r->fsuid = fctx->fsuid;
	r->fsgid = fctx->fsgid;
	r->tid = id;
	bpf_get_current_comm(r->comm, sizeof(r->comm));
	return r;
}

static __always_inline void take_name(struct fuse_filter_ctx *fctx, struct record *r)
{
	const __u64 *name = (const __u64 *)bpf_fuse_ctx_name(fctx, FUSE_FILTER_NAME_SIZE);

	if (!name)
		return;
	for (int i = 0; i < RECORD_NAME / 8; i++)
		((__u64 *)r->name)[i] = name[i];
}

static __always_inline int request(struct fuse_filter_ctx *fctx, __u32 flags, __u32 mode)
{
	struct record *r = begin(fctx, RECORD_REQUEST);

	if (!r)
		return FUSE_FILTER_DEFAULT;
	r->flags = flags;
	r->mode = mode;
	take_name(fctx, r);
	bpf_ringbuf_submit(r, 0);
	return FUSE_FILTER_DEFAULT;
}

SEC("struct_ops/lookup")
int BPF_PROG(record_lookup, struct fuse_filter_ctx *fctx)
{
	return request(fctx, 0, 0) | FUSE_FILTER_POST;
}

SEC("struct_ops/lookup_post")
int BPF_PROG(record_lookup_post, struct fuse_filter_ctx *fctx, const struct fuse_filter_attr *attr)
{
	struct record *r = attr->ino ? begin(fctx, RECORD_NODE) : NULL;

	if (!r)
		return 0;
	r->nodeid = attr->ino | FUSE_NODEID_KERNEL;
	r->mode = attr->mode;
	take_name(fctx, r);
	bpf_ringbuf_submit(r, 0);
	return 0;
}

SEC("struct_ops/open")
int BPF_PROG(record_open, struct fuse_filter_ctx *fctx, const struct fuse_open_in *in)
{
	struct record *r = begin(fctx, RECORD_REQUEST);

	if (!r)
		return FUSE_FILTER_DEFAULT;
	r->flags = in->flags;
	bpf_ringbuf_submit(r, 0);
	return FUSE_FILTER_DEFAULT;
}

SEC("struct_ops/create")
int BPF_PROG(record_create, struct fuse_filter_ctx *fctx, const struct fuse_create_in *in)
{
	return request(fctx, in->flags, in->mode) | FUSE_FILTER_POST;
}

SEC("struct_ops/create_post")
int BPF_PROG(record_create_post, struct fuse_filter_ctx *fctx)
{
	struct record *r;

	if (fctx->opcode != FUSE_CREATE || fctx->result < 0)
		return 0;
	r = begin(fctx, RECORD_MADE);
	if (r)
		bpf_ringbuf_submit(r, 0);
	return 0;
}

SEC("struct_ops/mknod")
int BPF_PROG(record_mknod, struct fuse_filter_ctx *fctx, const struct fuse_mknod_in *in)
{
	return request(fctx, 0, in->mode);
}

SEC("struct_ops/rename")
int BPF_PROG(record_rename, struct fuse_filter_ctx *fctx, const struct fuse_rename2_in *in)
{
	struct record *r = begin(fctx, RECORD_REQUEST);

	if (!r)
		return FUSE_FILTER_DEFAULT;
	r->flags = in->flags;
	take_name(fctx, r);
	bpf_fuse_ctx_read(fctx, FUSE_FILTER_NEWNAME, 0, r->newname, RECORD_NAME);
	bpf_ringbuf_submit(r, 0);
	return FUSE_FILTER_DEFAULT;
}

SEC("struct_ops/dirent")
int BPF_PROG(record_dirent, struct fuse_filter_ctx *fctx, const struct fuse_filter_dirent *entry)
{
	return request(fctx, 0, entry->type << 12);
}

SEC("struct_ops/mmap")
int BPF_PROG(record_mmap, struct fuse_filter_ctx *fctx, const struct fuse_filter_mmap *in)
{
	struct record *r = begin(fctx, RECORD_REQUEST);

	if (!r)
		return FUSE_FILTER_DEFAULT;
	r->flags = in->prot;
	bpf_ringbuf_submit(r, 0);
	return FUSE_FILTER_DEFAULT;
}

SEC("struct_ops/permission")
int BPF_PROG(record_permission, struct fuse_filter_ctx *fctx, const struct fuse_access_in *in)
{
	struct record *r = begin(fctx, RECORD_REQUEST);

	if (!r)
		return FUSE_FILTER_DEFAULT;
	r->flags = in->mask;
	bpf_ringbuf_submit(r, 0);
	return FUSE_FILTER_DEFAULT;
}

SEC("struct_ops/pre")
int BPF_PROG(record_pre, struct fuse_filter_ctx *fctx)
{
	return request(fctx, 0, 0);
}

SEC(".struct_ops.link")
struct fuse_filter_ops recorder = {
	.lookup = (void *)record_lookup,
	.lookup_post = (void *)record_lookup_post,
	.open = (void *)record_open,
	.create = (void *)record_create,
	.create_post = (void *)record_create_post,
	.mknod = (void *)record_mknod,
	.rename = (void *)record_rename,
	.dirent = (void *)record_dirent,
	.mmap = (void *)record_mmap,
	.permission = (void *)record_permission,
	.pre = (void *)record_pre,
	.name = RECORDER,
	/* What is given as it folds is recorded so */
	.flags = FUSE_FILTER_FOLDED_NAMES,
};

SEC("tp_btf/fuse_filter")
int BPF_PROG(record_verdict, __u32 dev, __u32 id, const char *filter,
	     struct fuse_filter_ctx *fctx, int ret, bool post)
{
	char own[RECORD_WORD];
	struct record *r;

	/* The verifier cannot know that it never is */
	if (!fctx || dev != recorded_dev)
		return 0;
	bpf_probe_read_kernel_str(own, sizeof(own), filter);
	if (!__builtin_memcmp(own, RECORDER, sizeof(RECORDER)))
		return 0;
	r = begin(fctx, RECORD_VERDICT);
	if (!r)
		return 0;
	r->ret = ret;
	r->post = post;
	r->filter_id = id;
	__builtin_memcpy(r->filter, own, sizeof(own));
	bpf_ringbuf_submit(r, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
