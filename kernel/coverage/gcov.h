/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _FUSE_GCOV_H
#define _FUSE_GCOV_H

struct gcov_info;

/* The first and the last of the pointers to counters, which are none themselves */
extern const struct gcov_info *const gcov_begin;
extern const struct gcov_info *const gcov_end;

int fuse_gcov_init(void);
void fuse_gcov_exit(void);

#endif /* _FUSE_GCOV_H */
