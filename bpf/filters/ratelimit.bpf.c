// SPDX-License-Identifier: GPL-2.0-only
/*
 * ratelimit: chosen users make, remove and rename names at a limited rate.
 *
 * Stops a runaway "rm -rf" or a program that floods a directory before much has
 * happened. For a user in rate_limits, requests beyond the rate fail with EDQUOT: burst
 * of them may come at once, and one more for each interval that passes. Making a file
 * without a name counts too. Writes and changes of attributes are not limited.
 *
 * Instead of counting tokens, the time is kept at which the bucket would be full again,
 * so that one comparison and exchange does it all, and neither a lock nor a timer is
 * needed.
 *
 * Maps: rate_limits, uid to { interval in nanoseconds, burst, 0 }; the third is the
 * filter's own.
 * Cost: a hash look-up for each such request; of a limited user, the clock and one
 * atomic operation. No program sleeps.
 * Tests: selftests/filter/ready_test.c
 */
#include "fuse_filter.bpf.h"

#define MAX_USERS 65536
/* Others may have exchanged it in between, as often as there are processors */
#define MAX_TRIES 64

struct rate_limit {
	__u64 interval;
	__u64 burst;
	__u64 full_at;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_USERS);
	__type(key, __u32);
	__type(value, struct rate_limit);
} rate_limits SEC(".maps");

static __always_inline int take(struct rate_limit *limit)
{
	__u64 now = bpf_ktime_get_ns();
	__u64 seen, next;

	for (int i = 0; i < MAX_TRIES; i++) {
		seen = *(volatile __u64 *)&limit->full_at;
		next = (seen > now ? seen : now) + limit->interval;
		if (next - now > limit->interval * limit->burst)
			return -EDQUOT;
		if (__sync_val_compare_and_swap(&limit->full_at, seen, next) == seen)
			return FUSE_FILTER_DEFAULT;
	}
	return -EDQUOT;
}

static __always_inline int verdict(struct fuse_filter_ctx *fctx)
{
	__u32 uid = fctx->fsuid;
	struct rate_limit *limit = bpf_map_lookup_elem(&rate_limits, &uid);

	return limit ? take(limit) : FUSE_FILTER_DEFAULT;
}

#define LIMIT(member)							\
	SEC("struct_ops/" #member)					\
	int BPF_PROG(ratelimit_##member, struct fuse_filter_ctx *fctx)	\
	{								\
		return verdict(fctx);					\
	}

LIMIT(create)
LIMIT(mknod)
LIMIT(mkdir)
LIMIT(symlink)
LIMIT(link)
LIMIT(unlink)
LIMIT(rmdir)
LIMIT(rename)

SEC(".struct_ops.link")
struct fuse_filter_ops ratelimit = {
	.create = (void *)ratelimit_create,
	.mknod = (void *)ratelimit_mknod,
	.mkdir = (void *)ratelimit_mkdir,
	.symlink = (void *)ratelimit_symlink,
	.link = (void *)ratelimit_link,
	.unlink = (void *)ratelimit_unlink,
	.rmdir = (void *)ratelimit_rmdir,
	.rename = (void *)ratelimit_rename,
	.name = "ratelimit",
};

char LICENSE[] SEC("license") = "GPL";
