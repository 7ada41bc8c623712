// SPDX-License-Identifier: GPL-2.0-only
/*
 * The smallest C program on libfuse-bpf, in strict C11: fuse_bpf.h by itself.
 */
#include <fuse_bpf.h>

#include <errno.h>

int main(void)
{
	FUSE_BPF_OPTS(fuse_bpf_attach_opts, opts, .flags = FUSE_FILTER_DIRECTORY);

	fuse_bpf_set_log(NULL, NULL);
	return fuse_bpf_attach(-1, -1, NULL, &opts) == -EBADF ? 0 : 1;
}
