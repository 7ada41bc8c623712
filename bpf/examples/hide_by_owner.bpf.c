// SPDX-License-Identifier: GPL-2.0-only
/*
 * hide_by_owner: each user finds only what is his own, or root's.
 *
 * Idea: "lookup" knows names and nothing else; "lookup_post" is told what was found,
 * each time anew for each caller, and can say that there is nothing.
 *
 * Listings show the names all the same: an entry of a directory carries no owner. To
 * keep names secret, hide them by name, as filters/hide.bpf.c does.
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops/lookup_post")
int BPF_PROG(hide_found, struct fuse_filter_ctx *fctx, const struct fuse_filter_attr *attr)
{
	/* Nothing was found, which is what the caller is told anyway */
	if (fctx->result < 0)
		return 0;
	if (!fctx->fsuid || !attr->uid || attr->uid == fctx->fsuid)
		return 0;
	return -ENOENT;
}

SEC(".struct_ops.link")
struct fuse_filter_ops hide_by_owner = {
	.lookup_post = (void *)hide_found,
	.name = "hide_by_owner",
};

char LICENSE[] SEC("license") = "GPL";
