/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the filter that redacts and its tests share.
 */
#ifndef _PROGS_REDACT_H
#define _PROGS_REDACT_H

#include <linux/types.h>

#define REDACT_RANGES 32

/**
 * struct redact_set - what one user may do with the bytes of files
 * @nodeid: of the only file that this is about, 0: all
 * @write_start: first byte that may be written
 * @write_end: first byte behind those, 0: all may be written
 * @nr: number of ranges that read as zero
 * @ret: what bpf_fuse_ctx_redact() said to the last one
 * @range: the ranges
 */
struct redact_set {
	__u64 nodeid;
	__u64 write_start;
	__u64 write_end;
	__u32 nr;
	__s32 ret;
	struct {
		__u64 start;
		__u64 end;
	} range[REDACT_RANGES];
};

#endif /* _PROGS_REDACT_H */
