// SPDX-License-Identifier: GPL-2.0-only
/*
 * map_owners: owners that are shown as others.
 *
 * Idea: answers can be changed on their way. "getattr_post" shows the owner that
 * shown_as has in the place of that on the backing; "setattr" turns it around with
 * stored_as, so that chown(2) to what is shown does what one expects. What is shown is
 * for the eye: permission is checked with what the backing has.
 */
#include "fuse_filter.bpf.h"

struct owners {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u32);
};

struct owners shown_as SEC(".maps");
struct owners stored_as SEC(".maps");

static __always_inline void map_owner(struct fuse_filter_attr *attr, void *owners)
{
	__u32 uid = attr->uid;
	__u32 *new = bpf_map_lookup_elem(owners, &uid);

	if (new)
		attr->uid = *new;
}

SEC("struct_ops/getattr_post")
int BPF_PROG(owners_shown, struct fuse_filter_ctx *fctx)
{
	struct fuse_filter_attr *attr = fuse_filter_ctx_attr(fctx);

	if (attr)
		map_owner(attr, &shown_as);
	return 0;
}

SEC("struct_ops/setattr")
int BPF_PROG(owners_stored, struct fuse_filter_ctx *fctx)
{
	struct fuse_filter_attr *attr = fuse_filter_ctx_attr(fctx);

	/* What the request does not give is not there to be changed */
	if (attr && attr->valid & FATTR_UID)
		map_owner(attr, &stored_as);
	return FUSE_FILTER_DEFAULT;
}

SEC(".struct_ops.link")
struct fuse_filter_ops map_owners = {
	.getattr_post = (void *)owners_shown,
	.setattr = (void *)owners_stored,
	.name = "map_owners",
};

char LICENSE[] SEC("license") = "GPL";
