// SPDX-License-Identifier: GPL-2.0-only
/*
 * ransom_brake: stops whoever changes many files in a short time, and keeps him stopped.
 *
 * Counted are, for each user, or for each control group if brake_config says so: opening a
 * file for writing that was there before, cutting it short, renaming and removing. More
 * than limit of these within the window, and the brake is on: all that changes something
 * fails with EPERM for that user or group, also through files that are open, until somebody
 * deletes the element of brake_state:
 *
 *	fuse-bpf attach /view obj ransom_brake.bpf.o set brake_config 0=100,10000000000,0
 *	bpftool map delete name brake_state key ...
 *
 * Making and writing new files is not counted, so that builds and downloads run freely.
 * The first limit changes do happen: this is for keeping the damage small, beside backups.
 * A shared mapping that was made before goes on being written. The users in brake_exempt
 * are not counted; one who can become many users, or groups, has as many counts, so that
 * what is counted should be the group of a service that cannot leave it.
 *
 * Maps: brake_config, 0 to { limit, window in nanoseconds, 0 by user or 1 by group }, a
 * limit of 0 turning everything off; brake_exempt, uid to anything; brake_state, uid or id
 * of the group to { begin of the window, changes in it, 1 if the brake is on }.
 * brake_hits: requests that were refused.
 * Cost, for each request that changes something: an array and two hash look-ups; each
 * opening costs a test of its flags, and each component of a path a look into the thread.
 * No program sleeps.
 * Tests: selftests/filter/ready_guard_test.c
 */
#include "fuse_filter.bpf.h"
#include "fuse_filter_util.bpf.h"

#define MAX_USERS 65536

#define O_ACCMODE	3
#define O_RDONLY	0
#define O_TRUNC		01000

struct brake_config {
	__u64 limit;
	__u64 window;
	__u32 by_group;
};

struct brake_state {
	__u64 begin;
	__u64 changes;
	__u32 on;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct brake_config);
} brake_config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_USERS);
	__type(key, __u32);
	__type(value, __u8);
} brake_exempt SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_USERS);
	__type(key, __u64);
	__type(value, struct brake_state);
} brake_state SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} brake_hits SEC(".maps");

struct fuse_filter_makings brake_making SEC(".maps");

/* The configuration; NULL if the caller is not counted */
static __always_inline struct brake_config *config_for(struct fuse_filter_ctx *fctx)
{
	__u32 zero = 0, uid = fctx->fsuid;
	struct brake_config *config = bpf_map_lookup_elem(&brake_config, &zero);

	if (!config || !config->limit || bpf_map_lookup_elem(&brake_exempt, &uid))
		return NULL;
	return config;
}

static __always_inline __u64 id_of(struct fuse_filter_ctx *fctx, const struct brake_config *config)
{
	return config->by_group ? bpf_get_current_cgroup_id() : fctx->fsuid;
}

static __always_inline int refuse(void)
{
	fuse_filter_count(&brake_hits, 0);
	return -EPERM;
}

/* A change that is not counted, but refused when the brake is on */
static __always_inline int small_change(struct fuse_filter_ctx *fctx)
{
	struct brake_config *config = config_for(fctx);
	struct brake_state *state;
	__u64 id;

	if (!config)
		return FUSE_FILTER_DEFAULT;
	id = id_of(fctx, config);
	state = bpf_map_lookup_elem(&brake_state, &id);
	return state && state->on ? refuse() : FUSE_FILTER_DEFAULT;
}

/*
 * Of several at once that find the window over, each begins a new one and some counts are
 * lost: less than there are processors, once a window.
 */
static __always_inline int change(struct fuse_filter_ctx *fctx)
{
	struct brake_config *config = config_for(fctx);
	__u64 id, now = bpf_ktime_get_ns();
	struct brake_state none = { .begin = now }, *state;

	if (!config)
		return FUSE_FILTER_DEFAULT;
	id = id_of(fctx, config);
	state = bpf_map_lookup_elem(&brake_state, &id);
	if (!state) {
		bpf_map_update_elem(&brake_state, &id, &none, BPF_NOEXIST);
		state = bpf_map_lookup_elem(&brake_state, &id);
	}
	/* Who cannot be counted could do anything */
	if (!state || state->on)
		return refuse();
	if (now - state->begin > config->window) {
		state->begin = now;
		state->changes = 0;
	}
	if (__sync_fetch_and_add(&state->changes, 1) < config->limit)
		return FUSE_FILTER_DEFAULT;
	state->on = 1;
	return refuse();
}

#define COUNTED(member)							\
	SEC("struct_ops/" #member)					\
	int BPF_PROG(brake_##member, struct fuse_filter_ctx *fctx)	\
	{								\
		return change(fctx);					\
	}

#define NOT_COUNTED(member)						\
	SEC("struct_ops/" #member)					\
	int BPF_PROG(brake_##member, struct fuse_filter_ctx *fctx)	\
	{								\
		return small_change(fctx);				\
	}

COUNTED(rename)
COUNTED(unlink)
COUNTED(rmdir)
NOT_COUNTED(mknod)
NOT_COUNTED(mkdir)
NOT_COUNTED(symlink)
NOT_COUNTED(link)
NOT_COUNTED(write)
NOT_COUNTED(fallocate)
NOT_COUNTED(setxattr)
NOT_COUNTED(removexattr)

SEC("struct_ops/create")
int BPF_PROG(brake_create, struct fuse_filter_ctx *fctx)
{
	return small_change(fctx) ?: FUSE_FILTER_DEFAULT | FUSE_FILTER_POST;
}

SEC("struct_ops/setattr")
int BPF_PROG(brake_setattr, struct fuse_filter_ctx *fctx)
{
	struct fuse_filter_attr *attr = fuse_filter_ctx_attr(fctx);

	return !attr || attr->valid & FATTR_SIZE ? change(fctx) : small_change(fctx);
}

SEC("struct_ops/create_post")
int BPF_PROG(brake_create_post, struct fuse_filter_ctx *fctx)
{
	if (fctx->opcode == FUSE_CREATE && !fctx->result)
		fuse_filter_made(&brake_making);
	return 0;
}

SEC("struct_ops/permission")
int BPF_PROG(brake_permission, struct fuse_filter_ctx *fctx, const struct fuse_access_in *in)
{
	fuse_filter_made_not(&brake_making, in->mask);
	return FUSE_FILTER_DEFAULT;
}

SEC("struct_ops/open")
int BPF_PROG(brake_open, struct fuse_filter_ctx *fctx, const struct fuse_open_in *in)
{
	bool made = fuse_filter_making(&brake_making);

	if ((in->flags & O_ACCMODE) == O_RDONLY && !(in->flags & O_TRUNC))
		return FUSE_FILTER_DEFAULT;
	return made ? small_change(fctx) : change(fctx);
}

SEC(".struct_ops.link")
struct fuse_filter_ops ransom_brake = {
	.rename = (void *)brake_rename,
	.unlink = (void *)brake_unlink,
	.rmdir = (void *)brake_rmdir,
	.create = (void *)brake_create,
	.mknod = (void *)brake_mknod,
	.mkdir = (void *)brake_mkdir,
	.symlink = (void *)brake_symlink,
	.link = (void *)brake_link,
	.write = (void *)brake_write,
	.fallocate = (void *)brake_fallocate,
	.setxattr = (void *)brake_setxattr,
	.removexattr = (void *)brake_removexattr,
	.setattr = (void *)brake_setattr,
	.create_post = (void *)brake_create_post,
	.permission = (void *)brake_permission,
	.open = (void *)brake_open,
	.name = "ransom_brake",
	/* Decides nothing by a name */
	.flags = FUSE_FILTER_FOLDED_NAMES,
};

char LICENSE[] SEC("license") = "GPL";
