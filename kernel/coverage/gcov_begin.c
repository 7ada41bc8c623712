// SPDX-License-Identifier: GPL-2.0-only
/*
 * The beginning of the section with the pointers to counters; the first file that is
 * linked.
 */
#include "gcov.h"

#include <linux/compiler.h>
#include <linux/stddef.h>

const struct gcov_info *const gcov_begin __used __section(".gcov_info") = NULL;
