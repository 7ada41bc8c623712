// SPDX-License-Identifier: GPL-2.0-only
/*
 * hermetic: what a build uses, and nothing but what it says it uses.
 *
 * For callers in the control groups of hermetic_cgroups, or below, it is noted which files
 * they open or read (hermetic_files), which directories they list (hermetic_lists), and
 * which names they looked for and did not find (hermetic_missing): a build is up to date if
 * none of these changed. Symbolic links that were read or followed are files here. With
 * hermetic_mode 1, opening, reading, following or executing what is not in hermetic_inputs
 * fails with EACCES, and is noted in hermetic_refused; what the build makes itself may be
 * used if it was made by open(2). Files are known by their node ids, which on a backed
 * inode are the backing's inode numbers with the highest bit set, and of a file that was
 * removed may come again: clear the maps between builds. A file without a name (O_TMPFILE)
 * is noted when it is read. Directories are not refused.
 *
 *	fuse-bpf attach /view obj hermetic.bpf.o \
 *		set hermetic_cgroups 0=$(stat -c %i /sys/fs/cgroup/build),1
 *	bpftool map dump name hermetic_files
 *
 * Maps: hermetic_cgroups, 0 to { inode of the directory, levels below the root }, up to
 * four times; hermetic_mode; hermetic_inputs, inode number to anything; hermetic_files,
 * node id to { opens, reads }; hermetic_lists and hermetic_refused, node id to a count;
 * hermetic_missing, { node id of the directory, name } to a count, with names of at most 63
 * bytes; hermetic_lost, what there was no room for, or whose name was longer: unless it is
 * zero, the build may depend on more.
 * Cost, for each such request: the caller's group is compared with up to four; for one in
 * them, a hash look-up, or two with hermetic_mode 1. No program sleeps.
 * Tests: selftests/filter/ready_watch_test.c
 */
#include "fuse_filter.bpf.h"
#include "fuse_filter_util.bpf.h"

#define MAX_NODES 262144
#define HERMETIC_REFUSE 1

struct hermetic_use {
	__u64 opens;
	__u64 reads;
};

struct hermetic_name {
	__u64 parent;
	char name[FUSE_FILTER_KEY_SIZE];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fuse_filter_cgroups);
} hermetic_cgroups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} hermetic_mode SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_NODES);
	__type(key, __u64);
	__type(value, __u8);
} hermetic_inputs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_NODES);
	__type(key, __u64);
	__type(value, struct hermetic_use);
} hermetic_files SEC(".maps");

struct hermetic_nodes {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_NODES);
	__type(key, __u64);
	__type(value, __u64);
};

struct hermetic_nodes hermetic_lists SEC(".maps");
struct hermetic_nodes hermetic_refused SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_NODES);
	__type(key, struct hermetic_name);
	__type(value, __u64);
} hermetic_missing SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} hermetic_lost SEC(".maps");

struct fuse_filter_makings hermetic_making SEC(".maps");

static __always_inline void *value_of(void *map, const void *key, const void *none)
{
	void *value = bpf_map_lookup_elem(map, key);

	if (value)
		return value;
	/* If somebody else was faster, theirs is as good */
	bpf_map_update_elem(map, key, none, BPF_NOEXIST);
	value = bpf_map_lookup_elem(map, key);
	if (!value)
		fuse_filter_count(&hermetic_lost, 0);
	return value;
}

static __always_inline void note_in(void *map, const void *key)
{
	__u64 none = 0;
	__u64 *number = value_of(map, key, &none);

	if (number)
		__sync_fetch_and_add(number, 1);
}

static __always_inline void note_use(__u64 nodeid, bool opened)
{
	struct hermetic_use none = {};
	struct hermetic_use *use = value_of(&hermetic_files, &nodeid, &none);

	if (use)
		__sync_fetch_and_add(opened ? &use->opens : &use->reads, 1);
}

static __always_inline bool refuses(void)
{
	__u32 zero = 0;
	__u32 *mode = bpf_map_lookup_elem(&hermetic_mode, &zero);

	return mode && *mode == HERMETIC_REFUSE;
}

static __always_inline int use_of(struct fuse_filter_ctx *fctx, bool opened)
{
	__u64 nodeid = fctx->nodeid, ino = nodeid & ~FUSE_NODEID_KERNEL;

	if (refuses() && !bpf_map_lookup_elem(&hermetic_inputs, &ino)) {
		note_in(&hermetic_refused, &nodeid);
		return -EACCES;
	}
	note_use(nodeid, opened);
	return FUSE_FILTER_DEFAULT;
}

SEC("struct_ops/create_post")
int BPF_PROG(hermetic_create_post, struct fuse_filter_ctx *fctx)
{
	if (fctx->opcode == FUSE_CREATE && !fctx->result &&
	    fuse_filter_in_cgroups(&hermetic_cgroups))
		fuse_filter_made(&hermetic_making);
	return 0;
}

SEC("struct_ops/permission")
int BPF_PROG(hermetic_permission, struct fuse_filter_ctx *fctx, const struct fuse_access_in *in)
{
	fuse_filter_made_not(&hermetic_making, in->mask);
	return FUSE_FILTER_DEFAULT;
}

SEC("struct_ops/open")
int BPF_PROG(hermetic_open, struct fuse_filter_ctx *fctx)
{
	__u64 ino = fctx->nodeid & ~FUSE_NODEID_KERNEL;
	__u8 one = 1;

	if (!fuse_filter_in_cgroups(&hermetic_cgroups))
		return FUSE_FILTER_DEFAULT;
	if (fuse_filter_making(&hermetic_making) &&
	    bpf_map_update_elem(&hermetic_inputs, &ino, &one, BPF_ANY))
		fuse_filter_count(&hermetic_lost, 0);
	return use_of(fctx, true);
}

/* Also of files that somebody else has opened */
SEC("struct_ops/read")
int BPF_PROG(hermetic_read, struct fuse_filter_ctx *fctx, const struct fuse_filter_io *in)
{
	return fuse_filter_in_cgroups(&hermetic_cgroups) ? use_of(fctx, false) :
							   FUSE_FILTER_DEFAULT;
}

SEC("struct_ops/readlink")
int BPF_PROG(hermetic_readlink, struct fuse_filter_ctx *fctx)
{
	return fuse_filter_in_cgroups(&hermetic_cgroups) ? use_of(fctx, false) :
							   FUSE_FILTER_DEFAULT;
}

SEC("struct_ops/readdir")
int BPF_PROG(hermetic_readdir, struct fuse_filter_ctx *fctx, const struct fuse_filter_io *in)
{
	__u64 nodeid = fctx->nodeid;

	if (fuse_filter_in_cgroups(&hermetic_cgroups))
		note_in(&hermetic_lists, &nodeid);
	return FUSE_FILTER_DEFAULT;
}

static __always_inline void note_missing(struct fuse_filter_ctx *fctx)
{
	const char *name = bpf_fuse_ctx_name(fctx, FUSE_FILTER_NAME_SIZE);
	struct hermetic_name key = { .parent = fctx->parent };

	if (!name || fctx->name_len >= sizeof(key.name)) {
		fuse_filter_count(&hermetic_lost, 0);
		return;
	}
	fuse_filter_name_key(key.name, name);
	note_in(&hermetic_missing, &key);
}

SEC("struct_ops/lookup_post")
int BPF_PROG(hermetic_lookup_post, struct fuse_filter_ctx *fctx,
	     const struct fuse_filter_attr *attr)
{
	if (!attr->ino && fuse_filter_in_cgroups(&hermetic_cgroups))
		note_missing(fctx);
	return 0;
}

SEC(".struct_ops.link")
struct fuse_filter_ops hermetic = {
	.create_post = (void *)hermetic_create_post,
	.permission = (void *)hermetic_permission,
	.open = (void *)hermetic_open,
	.read = (void *)hermetic_read,
	.readlink = (void *)hermetic_readlink,
	.readdir = (void *)hermetic_readdir,
	.lookup_post = (void *)hermetic_lookup_post,
	.name = "hermetic",
	/* Notes names as they fold, where spellings make no difference */
	.flags = FUSE_FILTER_FOLDED_NAMES,
};

char LICENSE[] SEC("license") = "GPL";
