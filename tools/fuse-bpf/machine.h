/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel and the machine have: what "feature" and "doctor" both ask.
 */
#ifndef FUSE_BPF_MACHINE_H
#define FUSE_BPF_MACHINE_H

#include "main.h"

/**
 * struct kernel_feature - a bit of fuse_bpf_query.features
 * @bit: FUSE_BPF_*
 * @name: as users see it
 * @without: what is not to be had without it
 */
struct kernel_feature {
	__u64 bit;
	const char *name;
	const char *without;
};

extern const struct kernel_feature kernel_features[];
extern const size_t nr_kernel_features;

const char *feature_reason(const struct kernel_feature *feature);
bool has_capability(int capability);
bool read_line(const char *path, char *line, size_t size);

#endif
