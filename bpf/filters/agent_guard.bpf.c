// SPDX-License-Identifier: GPL-2.0-only
/*
 * agent_guard: names that the processes of chosen control groups must not have.
 *
 * For coding agents, build jobs and their like, which run as the user whose files they
 * work on. A name in guard_names, or whose part from the last dot on is in
 * guard_suffixes, is for a caller in one of the groups of guard_cgroups, or below:
 *
 *	1	hidden: not found, not listed, and not to be made (ENOENT)
 *	2	kept: as it is; not to be made, removed, moved or linked (EROFS)
 *
 * It makes no difference whether the name exists. An exact name has at most 63 bytes, a
 * suffix 31; what other value an element has, it is taken as 1. A kept name says nothing
 * of what is in the file or below the directory: a policy can, and has patterns, too; see
 * docs/policies.md.
 *
 *	fuse-bpf attach /view obj agent_guard.bpf.o set guard_names .env set guard_suffixes .pem \
 *		set guard_names .git=2 set guard_cgroups 0=$(stat -c %i /sys/fs/cgroup/agent),1
 *
 * Maps: guard_names; guard_suffixes; guard_cgroups, 0 to { inode of the directory, levels
 * below the root }, up to four times; guard_hits, how often a rule refused a look-up, left
 * out an entry, and refused a change.
 * Cost, for each name looked up or listed: the caller's group is compared with up to four;
 * for a caller in one of them, two hash look-ups and the copying of their keys. No program
 * sleeps.
 * Tests: selftests/filter/ready_guard_test.c
 */
#include "fuse_filter.bpf.h"
#include "fuse_filter_util.bpf.h"

#define MAX_RULES 65536

enum guard_action {
	GUARD_NONE,
	GUARD_HIDE,
	GUARD_KEEP,
};

enum guard_hit {
	GUARD_HIT_LOOKUP,
	GUARD_HIT_DIRENT,
	GUARD_HIT_CHANGE,
	GUARD_HITS,
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_RULES);
	__type(key, char[FUSE_FILTER_KEY_SIZE]);
	__type(value, __u32);
} guard_names SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_RULES);
	__type(key, char[FUSE_FILTER_SUFFIX_SIZE]);
	__type(value, __u32);
} guard_suffixes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fuse_filter_cgroups);
} guard_cgroups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, GUARD_HITS);
	__type(key, __u32);
	__type(value, __u64);
} guard_hits SEC(".maps");

static __always_inline __u32 action_of(const __u32 *rule)
{
	if (!rule)
		return GUARD_NONE;
	return *rule == GUARD_KEEP ? GUARD_KEEP : GUARD_HIDE;
}

/* The stricter of the two rules that there can be for a name */
static __always_inline __u32 rule_for(const char *name, __u32 len)
{
	char key[FUSE_FILTER_KEY_SIZE] __attribute__((aligned(8)));
	__u32 by_name = GUARD_NONE, by_suffix = GUARD_NONE;

	if (len < sizeof(key)) {
		fuse_filter_name_key(key, name);
		by_name = action_of(bpf_map_lookup_elem(&guard_names, key));
	}
	if (!fuse_filter_suffix_key(key, name, len))
		by_suffix = action_of(bpf_map_lookup_elem(&guard_suffixes, key));
	if (by_name == GUARD_HIDE || by_suffix == GUARD_HIDE)
		return GUARD_HIDE;
	return by_name ?: by_suffix;
}

/* What cannot be read cannot be cleared either */
static __always_inline __u32 rule_for_request(struct fuse_filter_ctx *fctx)
{
	const char *name = bpf_fuse_ctx_name(fctx, FUSE_FILTER_NAME_SIZE);

	return name ? rule_for(name, fctx->name_len) : GUARD_HIDE;
}

static __always_inline int refuse_hidden(struct fuse_filter_ctx *fctx, enum guard_hit hit)
{
	if (!fuse_filter_in_cgroups(&guard_cgroups) || rule_for_request(fctx) != GUARD_HIDE)
		return FUSE_FILTER_DEFAULT;
	fuse_filter_count(&guard_hits, hit);
	return -ENOENT;
}

static __always_inline int refuse_change(__u32 rule)
{
	if (rule == GUARD_NONE)
		return FUSE_FILTER_DEFAULT;
	fuse_filter_count(&guard_hits, GUARD_HIT_CHANGE);
	return rule == GUARD_KEEP ? -EROFS : -ENOENT;
}

SEC("struct_ops/lookup")
int BPF_PROG(guard_lookup, struct fuse_filter_ctx *fctx)
{
	return refuse_hidden(fctx, GUARD_HIT_LOOKUP);
}

SEC("struct_ops/dirent")
int BPF_PROG(guard_dirent, struct fuse_filter_ctx *fctx, const struct fuse_filter_dirent *entry)
{
	return refuse_hidden(fctx, GUARD_HIT_DIRENT);
}

#define CHANGES(member)							\
	SEC("struct_ops/" #member)					\
	int BPF_PROG(guard_##member, struct fuse_filter_ctx *fctx)	\
	{								\
		if (!fuse_filter_in_cgroups(&guard_cgroups))		\
			return FUSE_FILTER_DEFAULT;			\
		return refuse_change(rule_for_request(fctx));		\
	}

CHANGES(mknod)
CHANGES(mkdir)
CHANGES(symlink)
CHANGES(link)
CHANGES(unlink)
CHANGES(rmdir)

/* A file without a name gets one by a link, which is asked about as such */
SEC("struct_ops/create")
int BPF_PROG(guard_create, struct fuse_filter_ctx *fctx)
{
	if (fctx->opcode == FUSE_TMPFILE || !fuse_filter_in_cgroups(&guard_cgroups))
		return FUSE_FILTER_DEFAULT;
	return refuse_change(rule_for_request(fctx));
}

SEC("struct_ops/rename")
int BPF_PROG(guard_rename, struct fuse_filter_ctx *fctx)
{
	char name[FUSE_FILTER_NAME_SIZE] __attribute__((aligned(8)));
	int err;

	if (!fuse_filter_in_cgroups(&guard_cgroups))
		return FUSE_FILTER_DEFAULT;
	err = refuse_change(rule_for_request(fctx));
	if (err)
		return err;
	if (bpf_fuse_ctx_read(fctx, FUSE_FILTER_NEWNAME, 0, name, sizeof(name)) < 0)
		return -EIO;
	return refuse_change(rule_for(name, fctx->newname_len));
}

SEC(".struct_ops.link")
struct fuse_filter_ops agent_guard = {
	.lookup = (void *)guard_lookup,
	.dirent = (void *)guard_dirent,
	.create = (void *)guard_create,
	.mknod = (void *)guard_mknod,
	.mkdir = (void *)guard_mkdir,
	.symlink = (void *)guard_symlink,
	.link = (void *)guard_link,
	.unlink = (void *)guard_unlink,
	.rmdir = (void *)guard_rmdir,
	.rename = (void *)guard_rename,
	.name = "agent_guard",
};

char LICENSE[] SEC("license") = "GPL";
