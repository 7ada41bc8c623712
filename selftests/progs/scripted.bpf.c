// SPDX-License-Identifier: GPL-2.0-only
/*
 * A filter that does what a test tells it to: it returns what the rule for the
 * callback, the caller and the name says, and writes down what it was asked.
 */
#include "fuse_filter.bpf.h"
#include "scripted.h"

/* The other build of this file, whose programs may sleep, sets this to ".s" */
#ifndef SLEEP
#define SLEEP ""
#endif
/* And another one this, to FUSE_FILTER_FOLDED_NAMES */
#ifndef FLAGS
#define FLAGS 0
#endif

#define FUSE_LOOKUP 1
#define FUSE_OPEN 14
#define FUSE_FILTER_OP_DIRENT 60

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct scripted_key);
	__type(value, __s32);
} rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct scripted_seen);
} seen SEC(".maps");

/* Tests make several filters use one of these, to see who was asked first */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} counter SEC(".maps");

static __always_inline struct scripted_seen *note(struct fuse_filter_ctx *fctx, __u32 opcode)
{
	struct scripted_seen *s = bpf_map_lookup_elem(&seen, &opcode);
	__u32 zero = 0;
	__u64 *count;

	if (!s)
		return NULL;
	__sync_fetch_and_add(&s->calls, 1);
	s->nodeid = fctx->nodeid;
	s->parent = fctx->parent;
	s->opcode = fctx->opcode;
	s->fsuid = fctx->fsuid;
	s->fsgid = fctx->fsgid;
	s->pid = fctx->pid;
	s->name_len = fctx->name_len;
	count = bpf_map_lookup_elem(&counter, &zero);
	if (count)
		s->order = __sync_fetch_and_add(count, 1) + 1;
	return s;
}

/* The most special rule first: this caller and this name, any caller, any name */
static __always_inline int obey(struct scripted_key *key)
{
	__s32 *rule = bpf_map_lookup_elem(&rules, key);

	if (!rule) {
		key->uid = SCRIPTED_ANY_UID;
		rule = bpf_map_lookup_elem(&rules, key);
	}
	if (!rule) {
		__builtin_memset(key->name, 0, sizeof(key->name));
		rule = bpf_map_lookup_elem(&rules, key);
	}
	return rule ? *rule : FUSE_FILTER_DEFAULT;
}

static __always_inline int obey_name(struct fuse_filter_ctx *fctx, struct scripted_seen *s,
				     __u32 opcode)
{
	const char *name = bpf_fuse_ctx_name(fctx, FUSE_FILTER_NAME_SIZE);
	struct scripted_key key = { .opcode = opcode, .uid = fctx->fsuid };

	if (!name)
		return -EIO;
	if (s)
		__builtin_memcpy(s->name, name, sizeof(s->name));
	if (fctx->name_len < sizeof(key.name))
		__builtin_memcpy(key.name, name, sizeof(key.name));
	return obey(&key);
}

SEC("struct_ops" SLEEP "/lookup")
int BPF_PROG(scripted_lookup, struct fuse_filter_ctx *fctx)
{
	return obey_name(fctx, note(fctx, FUSE_LOOKUP), FUSE_LOOKUP);
}

SEC("struct_ops" SLEEP "/open")
int BPF_PROG(scripted_open, struct fuse_filter_ctx *fctx, const struct fuse_open_in *in)
{
	struct scripted_key key = { .opcode = FUSE_OPEN, .uid = fctx->fsuid };
	struct scripted_seen *s = note(fctx, FUSE_OPEN);

	if (s)
		s->flags = in->flags;
	return obey(&key);
}

SEC("struct_ops/dirent")
int BPF_PROG(scripted_dirent, struct fuse_filter_ctx *fctx, const struct fuse_filter_dirent *entry)
{
	struct scripted_seen *s = note(fctx, FUSE_FILTER_OP_DIRENT);

	if (s) {
		s->ino = entry->ino;
		s->type = entry->type;
	}
	return obey_name(fctx, s, FUSE_FILTER_OP_DIRENT);
}

SEC(".struct_ops.link")
struct fuse_filter_ops scripted = {
	.lookup = (void *)scripted_lookup,
	.open = (void *)scripted_open,
	.dirent = (void *)scripted_dirent,
	.name = "scripted",
	.flags = FLAGS,
};

char LICENSE[] SEC("license") = "GPL";
