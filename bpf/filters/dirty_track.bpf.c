// SPDX-License-Identifier: GPL-2.0-only
/*
 * dirty_track: which files and directories were changed, for backups and synchronisation.
 *
 * dirty_nodes has an element for each node that was changed through the mount, with what
 * was changed and in which epoch that was last: data of a file (1), its attributes (2), the
 * names in a directory (4). 8 says that a file was mapped so that it can be written, which
 * is not told of and goes on after it was closed: such a file must always be looked at. A
 * node is a backing's inode number with the highest bit set.
 *
 * Whoever wants to know what was changed since the last time adds 1 to dirty_epoch, and
 * then takes all elements that are not of an earlier epoch than the one that has ended.
 * Changes are noted when they have been made, and one that was noted in an epoch is in the
 * map before the next one has begun for the reader: what he reads after that is what the
 * change made, or is noted again. If dirty_lost is not zero, there was no room for
 * something, and everything must be looked at. Old elements may be deleted while nothing is
 * being changed. What is changed on the backing directly is not noted.
 *
 * Maps: dirty_nodes, node id to { epoch, nanoseconds since boot, what }; dirty_epoch;
 * dirty_lost.
 * Cost: a test of the opcode for each request; for each that changed something, a hash
 * look-up for each node. Asynchronous writes are waited for. No program sleeps.
 * Tests: selftests/filter/ready_watch_test.c
 */
#include "fuse_filter.bpf.h"
#include "fuse_filter_util.bpf.h"
#include "watch.h"

#define MAX_NODES 1048576
#define MAX_TRIES 8
#define WHOLE_FILE 0x7fffffffffffffffULL

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_NODES);
	__type(key, __u64);
	__type(value, struct dirty_node);
} dirty_nodes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} dirty_epoch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} dirty_lost SEC(".maps");

static __always_inline struct dirty_node *node_of(__u64 nodeid)
{
	struct dirty_node *node = bpf_map_lookup_elem(&dirty_nodes, &nodeid);
	struct dirty_node none = {};

	if (node)
		return node;
	/* If somebody else was faster, theirs is as good */
	bpf_map_update_elem(&dirty_nodes, &nodeid, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&dirty_nodes, &nodeid);
}

/*
 * The epoch is looked at again after it was noted, with a barrier in between: if it is the
 * same still, a reader who ends it then finds what was noted.
 */
static __always_inline void note(__u64 nodeid, __u32 what)
{
	struct dirty_node *node;
	__u64 *epoch, now;
	__u32 zero = 0;

	if (!nodeid)
		return;
	epoch = bpf_map_lookup_elem(&dirty_epoch, &zero);
	node = epoch ? node_of(nodeid) : NULL;
	if (!node) {
		fuse_filter_count(&dirty_lost, 0);
		return;
	}
	node->time = bpf_ktime_get_boot_ns();
	__sync_fetch_and_or(&node->what, what);
	for (int i = 0; i < MAX_TRIES; i++) {
		now = *(volatile __u64 *)epoch;
		__sync_lock_test_and_set(&node->epoch, now);
		if (now == *(volatile __u64 *)epoch)
			return;
	}
	fuse_filter_count(&dirty_lost, 0);
}

/* Postfilters are wanted for what changes something, and cost the other requests nothing */
SEC("struct_ops/pre")
int BPF_PROG(dirty_pre, struct fuse_filter_ctx *fctx)
{
	switch (fctx->opcode) {
	case FUSE_SETATTR:
	case FUSE_SETXATTR:
	case FUSE_REMOVEXATTR:
	case FUSE_FALLOCATE:
	case FUSE_SYMLINK:
	case FUSE_MKNOD:
	case FUSE_MKDIR:
	case FUSE_CREATE:
	case FUSE_LINK:
	case FUSE_UNLINK:
	case FUSE_RMDIR:
	case FUSE_RENAME:
	case FUSE_RENAME2:
	case FUSE_COPY_FILE_RANGE:
	case FUSE_COPY_FILE_RANGE_64:
	case FUSE_IOCTL:
		return FUSE_FILTER_DEFAULT | FUSE_FILTER_POST;
	default:
		return FUSE_FILTER_DEFAULT;
	}
}

SEC("struct_ops/write")
int BPF_PROG(dirty_write, struct fuse_filter_ctx *fctx, const struct fuse_filter_io *in)
{
	/* What is done by a mapping is not told of when it is done */
	if (in->size == WHOLE_FILE)
		note(fctx->nodeid, DIRTY_DATA | DIRTY_MAPPED);
	return FUSE_FILTER_DEFAULT | FUSE_FILTER_POST;
}

SEC("struct_ops/write_post")
int BPF_PROG(dirty_write_post, struct fuse_filter_ctx *fctx, const struct fuse_filter_io *in)
{
	if (fctx->result > 0)
		note(fctx->nodeid, DIRTY_DATA);
	return 0;
}

SEC("struct_ops/copy_file_range_post")
int BPF_PROG(dirty_copy_post, struct fuse_filter_ctx *fctx,
	     const struct fuse_copy_file_range_in *in)
{
	if (fctx->result >= 0)
		note(in->nodeid_out, DIRTY_DATA);
	return 0;
}

SEC("struct_ops/ioctl_post")
int BPF_PROG(dirty_ioctl_post, struct fuse_filter_ctx *fctx, const struct fuse_ioctl_in *in)
{
	if (fctx->result >= 0 && !fuse_filter_ioctl_reads(in->cmd))
		note(fctx->nodeid, DIRTY_ATTR);
	return 0;
}

static __always_inline int made(struct fuse_filter_ctx *fctx)
{
	if (fctx->result)
		return 0;
	note(fctx->parent, DIRTY_NAMES);
	/* Of a link, the inode has one name more; what is new has no node id yet */
	note(fctx->nodeid, DIRTY_ATTR);
	return 0;
}

SEC("struct_ops/create_post")
int BPF_PROG(dirty_create_post, struct fuse_filter_ctx *fctx)
{
	return fctx->opcode == FUSE_TMPFILE ? 0 : made(fctx);
}

SEC("struct_ops/post")
int BPF_PROG(dirty_post, struct fuse_filter_ctx *fctx)
{
	if (fctx->result < 0)
		return 0;
	switch (fctx->opcode) {
	case FUSE_SETATTR:
	case FUSE_FALLOCATE:
		/* Of both, the size may be what was changed */
		note(fctx->nodeid, DIRTY_DATA | DIRTY_ATTR);
		break;
	case FUSE_SETXATTR:
	case FUSE_REMOVEXATTR:
		note(fctx->nodeid, DIRTY_ATTR);
		break;
	case FUSE_RENAME:
	case FUSE_RENAME2:
		note(fctx->newparent, DIRTY_NAMES);
		made(fctx);
		break;
	case FUSE_UNLINK:
	case FUSE_RMDIR:
		made(fctx);
		break;
	}
	return 0;
}

SEC(".struct_ops.link")
struct fuse_filter_ops dirty_track = {
	.pre = (void *)dirty_pre,
	.write = (void *)dirty_write,
	.write_post = (void *)dirty_write_post,
	.copy_file_range_post = (void *)dirty_copy_post,
	.ioctl_post = (void *)dirty_ioctl_post,
	.create_post = (void *)dirty_create_post,
	.post = (void *)dirty_post,
	.name = "dirty_track",
	/* Decides nothing by a name */
	.flags = FUSE_FILTER_FOLDED_NAMES,
};

char LICENSE[] SEC("license") = "GPL";
