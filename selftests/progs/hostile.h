/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the filter that calls functions with any arguments and its fuzzer share.
 */
#ifndef _PROGS_HOSTILE_H
#define _PROGS_HOSTILE_H

#include <linux/types.h>

#define HOSTILE_RANGES 24
#define HOSTILE_BYTES 64

/**
 * struct hostile_args - what the functions are called with
 * @ret: what prefilters return
 * @what: for bpf_fuse_ctx_read()
 * @off: likewise
 * @size: likewise, and for bpf_fuse_ctx_set_value(); at most HOSTILE_BYTES
 * @open_flags: for bpf_fuse_ctx_add_open_flags()
 * @nr: ranges for bpf_fuse_ctx_redact()
 * @range: the ranges
 * @value: for bpf_fuse_ctx_set_value()
 */
struct hostile_args {
	__s32 ret;
	__u32 what;
	__u32 off;
	__u32 size;
	__u32 open_flags;
	__u32 nr;
	struct {
		__u64 start;
		__u64 end;
	} range[HOSTILE_RANGES];
	char value[HOSTILE_BYTES];
};

#endif /* _PROGS_HOSTILE_H */
