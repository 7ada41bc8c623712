// SPDX-License-Identifier: GPL-2.0-only
/*
 * own_only: of the entries of the root, each user has his own and no other.
 *
 * After Android's view of app data: /data/data looks to each app as if it were alone.
 * own_names says whose an entry of the mount's root is; whoever else looks it up is
 * told that there is none, and does not see it listed. An entry that is not in the map,
 * or whose name is longer than 63 bytes, is for the users in see_all only, and so is
 * the making of new ones. What lies below an entry is not asked about: who cannot find
 * the entry does not come there, unless another process hands him a descriptor.
 *
 * Attach it to a mount, not to a directory: the root is known by its node id.
 *
 * Maps: own_names, name to uid; see_all, uid to anything.
 * Cost: below the root, one comparison for each name; in the root, a hash look-up and
 * the copying of its key, and a second one for names of others. No program sleeps.
 * Tests: selftests/filter/ready_test.c
 */
#include "fuse_filter.bpf.h"

#define ROOT_NODEID 1
#define MAX_NAMES 65536

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_NAMES);
	__type(key, char[FUSE_FILTER_KEY_SIZE]);
	__type(value, __u32);
} own_names SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_NAMES);
	__type(key, __u32);
	__type(value, __u8);
} see_all SEC(".maps");

static __always_inline bool is_own(struct fuse_filter_ctx *fctx)
{
	const char *name = bpf_fuse_ctx_name(fctx, FUSE_FILTER_NAME_SIZE);
	char key[FUSE_FILTER_KEY_SIZE] __attribute__((aligned(8)));
	__u32 *uid;

	if (!name || fctx->name_len >= sizeof(key))
		return false;
	fuse_filter_name_key(key, name);
	uid = bpf_map_lookup_elem(&own_names, key);
	return uid && *uid == fctx->fsuid;
}

static __always_inline int verdict(struct fuse_filter_ctx *fctx)
{
	__u32 uid = fctx->fsuid;

	if (fctx->parent != ROOT_NODEID || is_own(fctx) || bpf_map_lookup_elem(&see_all, &uid))
		return FUSE_FILTER_DEFAULT;
	return -ENOENT;
}

SEC("struct_ops/lookup")
int BPF_PROG(own_lookup, struct fuse_filter_ctx *fctx)
{
	return verdict(fctx);
}

SEC("struct_ops/dirent")
int BPF_PROG(own_dirent, struct fuse_filter_ctx *fctx, const struct fuse_filter_dirent *entry)
{
	return verdict(fctx);
}

SEC(".struct_ops.link")
struct fuse_filter_ops own_only = {
	.lookup = (void *)own_lookup,
	.dirent = (void *)own_dirent,
	.name = "own_only",
};

char LICENSE[] SEC("license") = "GPL";
