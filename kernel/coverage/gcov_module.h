/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Included in front of the file with the module's own functions for its beginning and
 * its end: a module has one of each, and those of the coverage are needed as well.
 */
#ifndef _FUSE_GCOV_MODULE_H
#define _FUSE_GCOV_MODULE_H

#include "gcov.h"

#include <linux/init.h>
#include <linux/module.h>

#undef module_init
#define module_init(fn)							\
	static int __init fuse_gcov_begin(void)				\
	{								\
		int err = fuse_gcov_init() ?: fn();			\
									\
		if (err)						\
			fuse_gcov_exit();				\
		return err;						\
	}								\
	int init_module(void) __copy(fuse_gcov_begin)			\
		__attribute__((alias("fuse_gcov_begin")));		\
	___ADDRESSABLE(init_module, __initdata)

#undef module_exit
#define module_exit(fn)							\
	static void __exit fuse_gcov_end(void)				\
	{								\
		fn();							\
		fuse_gcov_exit();					\
	}								\
	void cleanup_module(void) __copy(fuse_gcov_end)			\
		__attribute__((alias("fuse_gcov_end")));		\
	___ADDRESSABLE(cleanup_module, __exitdata)

#endif /* _FUSE_GCOV_MODULE_H */
