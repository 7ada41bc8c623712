// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not attach: a filter without callbacks filters nothing.
 *
 * Expect: attach: EINVAL
 */
#include "fuse_filter.bpf.h"

SEC(".struct_ops.link")
struct fuse_filter_ops no_callbacks = {
	.name = "no_callbacks",
};

char LICENSE[] SEC("license") = "GPL";
