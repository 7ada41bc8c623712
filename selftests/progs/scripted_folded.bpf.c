// SPDX-License-Identifier: GPL-2.0-only
/* The scripted filter, whose rules are about what names fold to. */
#define FLAGS FUSE_FILTER_FOLDED_NAMES
#include "scripted.bpf.c"
