// SPDX-License-Identifier: GPL-2.0-only
/*
 * hide: names that only chosen users can see.
 *
 * A name that is in hide_names, or whose part from the last dot on is in
 * hide_suffixes, is not found and not listed, but for the users in allow_uids.
 * An exact name has at most 63 bytes, a suffix 31 (".pem"; ".env" also hides the
 * file that is called just that). Rules can be changed while the filter runs.
 *
 * Cost, for each name looked up or listed: two hash look-ups and the copying of
 * their keys, and a third look-up for a name that a rule matches. It depends
 * neither on the number of rules nor on the length of the name, and no program
 * sleeps, so that path walks stay in RCU-walk.
 */
#include "fuse_filter.bpf.h"

#define MAX_RULES 65536

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_RULES);
	__type(key, char[FUSE_FILTER_KEY_SIZE]);
	__type(value, __u8);
} hide_names SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_RULES);
	__type(key, char[FUSE_FILTER_SUFFIX_SIZE]);
	__type(value, __u8);
} hide_suffixes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_RULES);
	__type(key, __u32);
	__type(value, __u8);
} allow_uids SEC(".maps");

/* What was hidden, so that a rule set can be seen to work */
enum hide_hit {
	HIDE_HIT_LOOKUP,
	HIDE_HIT_DIRENT,
	HIDE_HITS,
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, HIDE_HITS);
	__type(key, __u32);
	__type(value, __u64);
} hide_hits SEC(".maps");

static __always_inline void count(__u32 what)
{
	__u64 *hits = bpf_map_lookup_elem(&hide_hits, &what);

	if (hits)
		__sync_fetch_and_add(hits, 1);
}

static __always_inline bool rule_matches(const char *name, __u32 len)
{
	char key[FUSE_FILTER_KEY_SIZE] __attribute__((aligned(8)));

	if (len < sizeof(key)) {
		fuse_filter_name_key(key, name);
		if (bpf_map_lookup_elem(&hide_names, key))
			return true;
	}
	return !fuse_filter_suffix_key(key, name, len) &&
	       bpf_map_lookup_elem(&hide_suffixes, key);
}

static __always_inline int verdict(struct fuse_filter_ctx *fctx, enum hide_hit what)
{
	const char *name = bpf_fuse_ctx_name(fctx, FUSE_FILTER_NAME_SIZE);
	__u32 uid = fctx->fsuid;

	/* A name that cannot be read cannot be cleared either */
	if (name && !rule_matches(name, fctx->name_len))
		return FUSE_FILTER_DEFAULT;
	if (bpf_map_lookup_elem(&allow_uids, &uid))
		return FUSE_FILTER_DEFAULT;

	count(what);
	return -ENOENT;
}

SEC("struct_ops/lookup")
int BPF_PROG(hide_lookup, struct fuse_filter_ctx *fctx)
{
	return verdict(fctx, HIDE_HIT_LOOKUP);
}

SEC("struct_ops/dirent")
int BPF_PROG(hide_dirent, struct fuse_filter_ctx *fctx, const struct fuse_filter_dirent *entry)
{
	return verdict(fctx, HIDE_HIT_DIRENT);
}

SEC(".struct_ops.link")
struct fuse_filter_ops hide = {
	.lookup = (void *)hide_lookup,
	.dirent = (void *)hide_dirent,
	.name = "hide",
};

char LICENSE[] SEC("license") = "GPL";
