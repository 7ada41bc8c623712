// SPDX-License-Identifier: GPL-2.0-only
/*
 * route: names that the daemon answers for.
 *
 * A name that is in daemon_names is looked up by the daemon, whether the backing
 * directory has it or not; everything else is left to the backing. A name has at
 * most 63 bytes. Rules can be changed while the filter runs.
 *
 * Cost, for each name looked up: one hash look-up and the copying of its key,
 * whatever the number of rules. The program does not sleep.
 */
#include "fuse_filter.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, char[FUSE_FILTER_KEY_SIZE]);
	__type(value, __u8);
} daemon_names SEC(".maps");

SEC("struct_ops/lookup")
int BPF_PROG(route_lookup, struct fuse_filter_ctx *fctx)
{
	char key[FUSE_FILTER_KEY_SIZE] __attribute__((aligned(8)));
	const char *name;

	if (fctx->name_len >= sizeof(key))
		return FUSE_FILTER_DEFAULT;
	name = bpf_fuse_ctx_name(fctx, FUSE_FILTER_NAME_SIZE);
	if (!name)
		return FUSE_FILTER_DEFAULT;

	fuse_filter_name_key(key, name);
	return bpf_map_lookup_elem(&daemon_names, key) ? FUSE_FILTER_DAEMON : FUSE_FILTER_DEFAULT;
}

SEC(".struct_ops.link")
struct fuse_filter_ops route = {
	.lookup = (void *)route_lookup,
	.name = "route",
};

char LICENSE[] SEC("license") = "GPL";
