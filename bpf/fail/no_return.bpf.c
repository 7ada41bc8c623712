// SPDX-License-Identifier: GPL-2.0-only
/*
 * Must not load: says nothing of the request.
 *
 * Expect: verifier: R0 !read_ok
 */
#include "fuse_filter.bpf.h"

SEC("struct_ops/lookup")
__attribute__((naked)) int speechless(void)
{
	asm volatile("exit;");
}

SEC(".struct_ops.link")
struct fuse_filter_ops no_return = {
	.lookup = (void *)speechless,
	.name = "no_return",
};

char LICENSE[] SEC("license") = "GPL";
