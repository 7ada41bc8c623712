// SPDX-License-Identifier: GPL-2.0-only
/*
 * deny_uid: users who may not do anything here.
 *
 * Idea: one callback guards all doors. Whatever has a path goes through "permission"
 * for each directory on its way, in the kernel's fastest kind of path walk too, since
 * this program does not sleep. What a denied user has open already stays open.
 *
 *	fuse-bpf mount DIR MNT allow_other filter deny_uid.bpf.o set denied_uids 1002
 */
#include "fuse_filter.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u8);
} denied_uids SEC(".maps");

SEC("struct_ops/permission")
int BPF_PROG(deny_permission, struct fuse_filter_ctx *fctx, const struct fuse_access_in *in)
{
	__u32 uid = fctx->fsuid;

	return bpf_map_lookup_elem(&denied_uids, &uid) ? -EACCES : FUSE_FILTER_DEFAULT;
}

SEC(".struct_ops.link")
struct fuse_filter_ops deny_uid = {
	.permission = (void *)deny_permission,
	.name = "deny_uid",
};

char LICENSE[] SEC("license") = "GPL";
