// SPDX-License-Identifier: GPL-2.0-only
/*
 * mapids: owners and groups that are shown as others, and stored as others.
 *
 * shown_uids and shown_gids say what an id of the backing is shown as; stored_uids and
 * stored_gids turn it around for chown(2) and for what is made. An id that is not in a map
 * stays as it is. For a map between two ids, set both directions:
 *
 *	fuse-bpf attach /view obj mapids.bpf.o set shown_uids 5000=1000 set stored_uids 1000=5000
 *
 * This is for the eye: permission is checked with what the backing has. The user 1000 of
 * the example has with a file of 5000's the rights of its group or of others, and no more;
 * an idmapped mount as the backing maps those as well. Entries of ACLs are not mapped.
 *
 * Maps: shown_uids, shown_gids, stored_uids, stored_gids, id to id.
 * Cost: two hash look-ups for attributes that are asked for, changed or given to what is
 * made. Looking up, opening, reading and writing cost nothing. No program sleeps.
 * Tests: selftests/filter/ready_guard_test.c
 */
#include "fuse_filter.bpf.h"
#include "fuse_filter_util.bpf.h"

#define MAX_IDS 65536

struct ids {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_IDS);
	__type(key, __u32);
	__type(value, __u32);
};

struct ids shown_uids SEC(".maps");
struct ids shown_gids SEC(".maps");
struct ids stored_uids SEC(".maps");
struct ids stored_gids SEC(".maps");

static __always_inline __u32 mapped(void *ids, __u32 id)
{
	__u32 *other = bpf_map_lookup_elem(ids, &id);

	return other ? *other : id;
}

SEC("struct_ops/getattr_post")
int BPF_PROG(mapids_getattr_post, struct fuse_filter_ctx *fctx)
{
	struct fuse_filter_attr *attr;
	int err = fuse_filter_shown(fctx, &attr);

	if (!attr)
		return err;
	attr->uid = mapped(&shown_uids, attr->uid);
	attr->gid = mapped(&shown_gids, attr->gid);
	return 0;
}

/* What a request does not give is not there to be changed */
static __always_inline int store(struct fuse_filter_ctx *fctx)
{
	struct fuse_filter_attr *attr = fuse_filter_ctx_attr(fctx);

	if (!attr)
		return -EIO;
	if (attr->valid & FATTR_UID)
		attr->uid = mapped(&stored_uids, attr->uid);
	if (attr->valid & FATTR_GID)
		attr->gid = mapped(&stored_gids, attr->gid);
	return FUSE_FILTER_DEFAULT;
}

#define STORE(member)							\
	SEC("struct_ops/" #member)					\
	int BPF_PROG(mapids_##member, struct fuse_filter_ctx *fctx)	\
	{								\
		return store(fctx);					\
	}

STORE(setattr)
STORE(create)
STORE(mknod)
STORE(mkdir)
STORE(symlink)

SEC(".struct_ops.link")
struct fuse_filter_ops mapids = {
	.getattr_post = (void *)mapids_getattr_post,
	.setattr = (void *)mapids_setattr,
	.create = (void *)mapids_create,
	.mknod = (void *)mapids_mknod,
	.mkdir = (void *)mapids_mkdir,
	.symlink = (void *)mapids_symlink,
	.name = "mapids",
	/* Decides nothing by a name */
	.flags = FUSE_FILTER_FOLDED_NAMES,
};

char LICENSE[] SEC("license") = "GPL";
