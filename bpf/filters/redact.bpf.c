// SPDX-License-Identifier: GPL-2.0-only
/*
 * redact: byte ranges of files that read as zero, but for chosen users.
 *
 * redact_ranges has a rule for a file under its inode number on the backing (which
 * is what stat(1) shows on the mount too): up to 16 ranges, each of the first byte
 * that reads as zero and the first one after it that does not; an end of ~0 is that
 * of the file, and one of 0 ends the rule. The users in allow_uids read everything.
 * Rules can be changed while the filter runs, and hold for files that are open.
 *
 *	fuse-bpf attach /view obj redact.bpf.o set allow_uids 1000 \
 *		set redact_ranges $(stat -c %i /view/db)=0,16,4096,0xffffffffffffffff
 *
 * A rule holds for the inode by all of its names, wherever it is moved. It is not
 * for a copy, and not for what a program writes to a new file and renames to the
 * old name. If the file is deleted, remove the rule, as the number can be used again.
 *
 * The kernel refuses to map a file that has ranges for the caller, and reads it with
 * the page cache if direct I/O is asked for. Whoever may write to the file can; its
 * size and its holes can be seen. Inodes that are not backed are left alone: their
 * numbers are the daemon's own.
 *
 * Cost, for each read: one hash look-up, and for a file with a rule a second one and
 * a call for each range. No program sleeps.
 */
#include "fuse_filter.bpf.h"

#define MAX_RULES 65536

struct redact_range {
	__u64 start;
	__u64 end;
};

struct redact_rule {
	struct redact_range ranges[FUSE_FILTER_MAX_RANGES];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_RULES);
	__type(key, __u64);
	__type(value, struct redact_rule);
} redact_ranges SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_RULES);
	__type(key, __u32);
	__type(value, __u8);
} allow_uids SEC(".maps");

/* Reads for which a rule was carried out, so that a rule set can be seen to work */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} redact_hits SEC(".maps");

static __always_inline void count(void)
{
	__u32 zero = 0;
	__u64 *hits = bpf_map_lookup_elem(&redact_hits, &zero);

	if (hits)
		__sync_fetch_and_add(hits, 1);
}

SEC("struct_ops/read")
int BPF_PROG(redact_read, struct fuse_filter_ctx *fctx, const struct fuse_filter_io *io)
{
	__u64 ino = fctx->nodeid & ~FUSE_NODEID_KERNEL;
	__u32 uid = fctx->fsuid;
	struct redact_rule *rule;

	if (!(fctx->nodeid & FUSE_NODEID_KERNEL))
		return FUSE_FILTER_DEFAULT;
	rule = bpf_map_lookup_elem(&redact_ranges, &ino);
	if (!rule || bpf_map_lookup_elem(&allow_uids, &uid))
		return FUSE_FILTER_DEFAULT;

	count();
	for (int i = 0; i < FUSE_FILTER_MAX_RANGES; i++) {
		/* Once, as a rule may be changed between two looks at it */
		__u64 start = *(volatile __u64 *)&rule->ranges[i].start;
		__u64 end = *(volatile __u64 *)&rule->ranges[i].end;

		if (!end)
			break;
		/* A rule that makes no sense, or is being changed, must not be skipped */
		if (bpf_fuse_ctx_redact(fctx, start, end))
			return -EIO;
	}
	return FUSE_FILTER_DEFAULT;
}

SEC(".struct_ops.link")
struct fuse_filter_ops redact = {
	.read = (void *)redact_read,
	.name = "redact",
};

char LICENSE[] SEC("license") = "GPL";
