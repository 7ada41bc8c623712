// SPDX-License-Identifier: GPL-2.0-only
/*
 * suffix_mask: files with chosen suffixes are the daemon's, all others the backing's.
 *
 * For storage that masks personal data: "report.csv" is what the daemon shows for it, with
 * the names taken out, and everything else is read at the speed of the backing. A name
 * whose part from the last dot on is in mask_suffixes (".csv", at most 31 bytes) is looked
 * up and made by the daemon, whether the backing has it or not, and without a daemon not
 * at all (ENOTCONN). That part counts only: "report.csv.gz" is another suffix, and so is
 * ".CSV". Directories are listed by the backing: who must not learn that there are such
 * files needs another filter. The backing's own path is open to whoever may go there.
 *
 * Maps: mask_suffixes, suffix to anything.
 * Cost, for each name looked up or made: a hash look-up and the search for the dot, which
 * looks no further back than 31 bytes. No program sleeps.
 * Tests: selftests/filter/ready_guard_test.c
 */
#include "fuse_filter.bpf.h"

#define MAX_RULES 65536

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_RULES);
	__type(key, char[FUSE_FILTER_SUFFIX_SIZE]);
	__type(value, __u8);
} mask_suffixes SEC(".maps");

static __always_inline int verdict(struct fuse_filter_ctx *fctx)
{
	const char *name = bpf_fuse_ctx_name(fctx, FUSE_FILTER_NAME_SIZE);
	char key[FUSE_FILTER_SUFFIX_SIZE] __attribute__((aligned(8)));

	/* What cannot be read may be something to be masked */
	if (!name)
		return -EIO;
	if (fuse_filter_suffix_key(key, name, fctx->name_len))
		return FUSE_FILTER_DEFAULT;
	return bpf_map_lookup_elem(&mask_suffixes, key) ? FUSE_FILTER_DAEMON : FUSE_FILTER_DEFAULT;
}

#define MASK(member)							\
	SEC("struct_ops/" #member)					\
	int BPF_PROG(mask_##member, struct fuse_filter_ctx *fctx)	\
	{								\
		return verdict(fctx);					\
	}

MASK(lookup)
MASK(mknod)
MASK(mkdir)
MASK(symlink)

/* A file without a name has no suffix */
SEC("struct_ops/create")
int BPF_PROG(mask_create, struct fuse_filter_ctx *fctx)
{
	return fctx->opcode == FUSE_TMPFILE ? FUSE_FILTER_DEFAULT : verdict(fctx);
}

SEC(".struct_ops.link")
struct fuse_filter_ops suffix_mask = {
	.lookup = (void *)mask_lookup,
	.create = (void *)mask_create,
	.mknod = (void *)mask_mknod,
	.mkdir = (void *)mask_mkdir,
	.symlink = (void *)mask_symlink,
	.name = "suffix_mask",
};

char LICENSE[] SEC("license") = "GPL";
