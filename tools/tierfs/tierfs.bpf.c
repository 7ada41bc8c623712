// SPDX-License-Identifier: GPL-2.0-only
/*
 * tierfs: which requests need the daemon.
 *
 * Bytes that are on the backing are read there. All others, and whatever would change
 * a file that is not yet said to be dirty on disk, go to the daemon, which fetches or
 * marks first. What this filter does not know goes to the daemon too.
 *
 * A file that the daemon opened is answered by it unless a filter says otherwise: hence
 * the many callbacks that say BACKING and nothing else.
 *
 * Cost: one hash look-up for each open, read, write and stat of a file that is whole.
 */
#include "fuse_filter.bpf.h"
#include "shared.h"

#define O_ACCMODE	3
#define O_TRUNC		01000
#define MAP_SHARED	1
#define SEEK_DATA	3
#define SEEK_HOLE	4
#define FUSE_ROOT_ID	1
#define WHOLE_FILE	0x7fffffffffffffffULL

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 20);
	__type(key, __u64);
	__type(value, __u32);
} tier_whole SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 16);
	__type(key, __u64);
	__type(value, struct tier_partial);
} tier_partial SEC(".maps");

/* struct tier_wanted of what somebody wanted to map and must not yet */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
} tier_wanted SEC(".maps");

static __always_inline __u32 *find_whole(__u64 nodeid)
{
	__u64 ino = nodeid & ~FUSE_NODEID_KERNEL;

	return bpf_map_lookup_elem(&tier_whole, &ino);
}

static __always_inline struct tier_partial *find_partial(__u64 nodeid)
{
	__u64 ino = nodeid & ~FUSE_NODEID_KERNEL;

	return bpf_map_lookup_elem(&tier_partial, &ino);
}

/* Has a change been seen since the last time that somebody wanted to know? */
static __always_inline bool is_noted(__u32 flags)
{
	return (flags & (TIER_WRITTEN | TIER_WATCHED)) == TIER_WRITTEN;
}

/* Only for a file that the disk says is dirty: with a note, it stays so. */
static __always_inline void note(__u32 *flags)
{
	if (is_noted(*flags))
		return;
	__sync_fetch_and_or(flags, TIER_WRITTEN);
	__sync_fetch_and_and(flags, ~TIER_WATCHED);
}

static __always_inline void note_written(__u64 nodeid)
{
	__u32 *flags = find_whole(nodeid);

	if (flags)
		note(flags);
}

/* Are all chunks of a range there? No is an answer that is always right. */
static __always_inline bool range_present(const struct tier_partial *part, __u64 start,
					  __u64 size)
{
	__u64 end = start + size;
	__u64 chunk, last;
	int i;

	if (end < start || end > part->size)
		end = part->size;
	if (start >= end)
		return true;
	chunk = start >> (part->shift & 63);
	last = (end - 1) >> (part->shift & 63);
	for (i = 0; i < 64 && chunk <= last; i++, chunk++) {
		__u64 word = chunk / 64;

		if (word >= TIER_MAX_CHUNKS / 64 ||
		    !(part->present[word] & (1ULL << (chunk % 64))))
			return false;
	}
	return chunk > last;
}

static __always_inline bool may_read(__u64 nodeid, __u64 start, __u64 size)
{
	struct tier_partial *part;

	if (find_whole(nodeid))
		return true;
	part = find_partial(nodeid);
	return part && range_present(part, start, size);
}

/*
 * Who opens for writing has the file made whole, and said to be dirty on disk before a
 * byte can change. Truncation is a SETATTR that follows, so that nothing is fetched for
 * it.
 */
SEC("struct_ops/open")
int BPF_PROG(tier_open, struct fuse_filter_ctx *fctx, const struct fuse_open_in *in)
{
	bool writes = in->flags & O_ACCMODE;
	__u32 *flags = find_whole(fctx->nodeid);

	if (flags && (!writes || *flags & TIER_DIRTY))
		return FUSE_FILTER_BACKING;
	return writes && in->flags & O_TRUNC ? FUSE_FILTER_BACKING : FUSE_FILTER_DAEMON;
}

/* An unnamed file could not be shown to the daemon. */
SEC("struct_ops/create")
int BPF_PROG(tier_create, struct fuse_filter_ctx *fctx, const struct fuse_create_in *in)
{
	return fctx->opcode == FUSE_TMPFILE ? -EOPNOTSUPP : FUSE_FILTER_DEFAULT;
}

SEC("struct_ops/read")
int BPF_PROG(tier_read, struct fuse_filter_ctx *fctx, const struct fuse_filter_io *in)
{
	return may_read(fctx->nodeid, in->offset, in->size) ? FUSE_FILTER_BACKING :
							       FUSE_FILTER_DAEMON;
}

/* Nobody can wait for the daemon here; it sees to the file for the next attempt. */
static __always_inline int try_again(__u64 nodeid, bool change)
{
	struct tier_wanted wanted = {
		.ino = nodeid & ~FUSE_NODEID_KERNEL,
		.change = change,
	};

	bpf_ringbuf_output(&tier_wanted, &wanted, sizeof(wanted), 0);
	return -EAGAIN;
}

SEC("struct_ops/write")
int BPF_PROG(tier_write, struct fuse_filter_ctx *fctx, const struct fuse_filter_io *in)
{
	__u32 *flags = find_whole(fctx->nodeid);

	if (!flags || !(*flags & TIER_DIRTY))
		return in->size == WHOLE_FILE ? try_again(fctx->nodeid, true) :
						FUSE_FILTER_DAEMON;
	if (is_noted(*flags))
		return FUSE_FILTER_BACKING;
	/* A mapping writes when nobody is asked any more */
	if (in->size == WHOLE_FILE)
		note(flags);
	return FUSE_FILTER_BACKING | FUSE_FILTER_POST;
}

SEC("struct_ops/write_post")
int BPF_PROG(tier_write_post, struct fuse_filter_ctx *fctx, const struct fuse_filter_io *in)
{
	if (fctx->result > 0)
		note_written(fctx->nodeid);
	return 0;
}

SEC("struct_ops/mmap")
int BPF_PROG(tier_mmap, struct fuse_filter_ctx *fctx, const struct fuse_filter_mmap *in)
{
	return may_read(fctx->nodeid, 0, WHOLE_FILE) ? FUSE_FILTER_BACKING :
						       try_again(fctx->nodeid, false);
}

SEC("struct_ops/setattr")
int BPF_PROG(tier_setattr, struct fuse_filter_ctx *fctx)
{
	const struct fuse_filter_attr *attr = fuse_filter_ctx_attr(fctx);

	if (!attr)
		return FUSE_FILTER_DEFAULT;
	/*
	 * Who truncates by a name has no file open, by which the daemon could tell that
	 * somebody is about to: it does it itself, with its lock held.
	 */
	if (attr->valid & FATTR_SIZE)
		return FUSE_FILTER_DAEMON;
	/* The daemon puts times back when it has fetched; it must know of new ones */
	if (attr->valid & (FATTR_MTIME | FATTR_ATIME) && find_partial(fctx->nodeid))
		return FUSE_FILTER_DAEMON;
	return FUSE_FILTER_DEFAULT;
}

SEC("struct_ops/fallocate")
int BPF_PROG(tier_fallocate, struct fuse_filter_ctx *fctx, const struct fuse_fallocate_in *in)
{
	__u32 *flags = find_whole(fctx->nodeid);

	if (!flags || !(*flags & TIER_DIRTY))
		return FUSE_FILTER_DAEMON;
	note(flags);
	return FUSE_FILTER_BACKING;
}

/* The holes of a stub are not those of the file. */
SEC("struct_ops/lseek")
int BPF_PROG(tier_lseek, struct fuse_filter_ctx *fctx, const struct fuse_lseek_in *in)
{
	bool holes = in->whence == SEEK_DATA || in->whence == SEEK_HOLE;

	return holes && !find_whole(fctx->nodeid) ? FUSE_FILTER_DAEMON : FUSE_FILTER_BACKING;
}

/* Reads and writes are asked about too, and what is not there is read by reading. */
SEC("struct_ops/copy_file_range")
int BPF_PROG(tier_copy, struct fuse_filter_ctx *fctx, const struct fuse_copy_file_range_in *in)
{
	return FUSE_FILTER_BACKING | FUSE_FILTER_POST;
}

SEC("struct_ops/copy_file_range_post")
int BPF_PROG(tier_copy_post, struct fuse_filter_ctx *fctx,
	     const struct fuse_copy_file_range_in *in)
{
	if (fctx->result > 0)
		note_written(in->nodeid_out);
	return 0;
}

/*
 * Without blocks, archivers would take a stub for one large hole. While a chunk is
 * being written, the time that counts is the one from before.
 */
SEC("struct_ops/getattr_post")
int BPF_PROG(tier_getattr_post, struct fuse_filter_ctx *fctx)
{
	struct fuse_filter_attr *attr = fuse_filter_ctx_attr(fctx);
	struct tier_partial *part;
	__u64 blocks;

	if (!attr || fctx->result < 0 || (attr->mode & S_IFMT) != S_IFREG ||
	    find_whole(fctx->nodeid))
		return 0;
	blocks = (attr->size + 511) / 512;
	if (attr->blocks < blocks)
		attr->blocks = blocks;
	part = find_partial(fctx->nodeid);
	if (part && part->busy) {
		attr->mtime = part->mtime;
		attr->mtimensec = part->mtimensec;
	}
	return 0;
}

/* Of names that begin with TIER_XATTR: 1 the attribute itself, 2 one below it, else 0 */
static __always_inline int our_name(struct fuse_filter_ctx *fctx)
{
	char name[sizeof(TIER_XATTR) + 1] = {};

	if (bpf_fuse_ctx_read(fctx, FUSE_FILTER_TEXT, 0, name, sizeof(name)) < 0)
		return 0;
	if (__builtin_memcmp(name, TIER_XATTR, sizeof(TIER_XATTR) - 1))
		return 0;
	if (!name[sizeof(TIER_XATTR) - 1])
		return 1;
	return name[sizeof(TIER_XATTR) - 1] == '.' ? 2 : 0;
}

/*
 * What the disk says of a file is nobody's to write, and nobody's to copy along with a
 * file. Names below are requests to the daemon, for those who may use trusted names.
 */
SEC("struct_ops/setxattr")
int BPF_PROG(tier_setxattr, struct fuse_filter_ctx *fctx, const struct fuse_setxattr_in *in)
{
	switch (our_name(fctx)) {
	case 1:
		return -EPERM;
	case 2:
		return FUSE_FILTER_DAEMON;
	default:
		return FUSE_FILTER_DEFAULT;
	}
}

SEC("struct_ops/getxattr")
int BPF_PROG(tier_getxattr, struct fuse_filter_ctx *fctx, const struct fuse_getxattr_in *in)
{
	switch (our_name(fctx)) {
	case 1:
		return -ENODATA;
	case 2:
		return FUSE_FILTER_DAEMON;
	default:
		return FUSE_FILTER_DEFAULT;
	}
}

SEC("struct_ops/removexattr")
int BPF_PROG(tier_removexattr, struct fuse_filter_ctx *fctx)
{
	return our_name(fctx) ? -EPERM : FUSE_FILTER_DEFAULT;
}

SEC("struct_ops/xattr_name")
int BPF_PROG(tier_xattr_name, struct fuse_filter_ctx *fctx)
{
	return our_name(fctx) ? -ENODATA : FUSE_FILTER_DEFAULT;
}

SEC("struct_ops/fsync")
int BPF_PROG(tier_fsync, struct fuse_filter_ctx *fctx, const struct fuse_fsync_in *in)
{
	return FUSE_FILTER_BACKING;
}

SEC("struct_ops/flush")
int BPF_PROG(tier_flush, struct fuse_filter_ctx *fctx)
{
	return FUSE_FILTER_BACKING;
}

SEC("struct_ops/lock")
int BPF_PROG(tier_lock, struct fuse_filter_ctx *fctx, const struct fuse_lk_in *in)
{
	return FUSE_FILTER_BACKING;
}

SEC("struct_ops/ioctl")
int BPF_PROG(tier_ioctl, struct fuse_filter_ctx *fctx, const struct fuse_ioctl_in *in)
{
	return FUSE_FILTER_BACKING;
}

/* The daemon's own directory; nobody finds it, whoever he is */
static __always_inline int keep_graves(struct fuse_filter_ctx *fctx)
{
	const char *name;

	if (fctx->parent != FUSE_ROOT_ID)
		return FUSE_FILTER_DEFAULT;
	name = bpf_fuse_ctx_name(fctx, FUSE_FILTER_NAME_SIZE);
	return name && !fuse_filter_name_is(name, TIER_GRAVES) ? FUSE_FILTER_DEFAULT : -ENOENT;
}

SEC("struct_ops/lookup")
int BPF_PROG(tier_lookup, struct fuse_filter_ctx *fctx)
{
	return keep_graves(fctx);
}

SEC("struct_ops/dirent")
int BPF_PROG(tier_dirent, struct fuse_filter_ctx *fctx, const struct fuse_filter_dirent *entry)
{
	return keep_graves(fctx);
}

/* Whose name is taken away, only the daemon can tell; its object is to go, or to follow. */
SEC("struct_ops/unlink")
int BPF_PROG(tier_unlink, struct fuse_filter_ctx *fctx)
{
	return FUSE_FILTER_DAEMON;
}

SEC("struct_ops/rename")
int BPF_PROG(tier_rename, struct fuse_filter_ctx *fctx, const struct fuse_rename2_in *in)
{
	return FUSE_FILTER_DAEMON;
}

SEC(".struct_ops.link")
struct fuse_filter_ops tierfs = {
	.lookup = (void *)tier_lookup,
	.dirent = (void *)tier_dirent,
	.unlink = (void *)tier_unlink,
	.rename = (void *)tier_rename,
	.open = (void *)tier_open,
	.create = (void *)tier_create,
	.read = (void *)tier_read,
	.write = (void *)tier_write,
	.write_post = (void *)tier_write_post,
	.mmap = (void *)tier_mmap,
	.setattr = (void *)tier_setattr,
	.fallocate = (void *)tier_fallocate,
	.lseek = (void *)tier_lseek,
	.copy_file_range = (void *)tier_copy,
	.copy_file_range_post = (void *)tier_copy_post,
	.getattr_post = (void *)tier_getattr_post,
	.setxattr = (void *)tier_setxattr,
	.getxattr = (void *)tier_getxattr,
	.removexattr = (void *)tier_removexattr,
	.xattr_name = (void *)tier_xattr_name,
	.fsync = (void *)tier_fsync,
	.flush = (void *)tier_flush,
	.lock = (void *)tier_lock,
	.ioctl = (void *)tier_ioctl,
	.name = "tierfs",
};

char LICENSE[] SEC("license") = "GPL";
