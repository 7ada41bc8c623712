/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the filter that sleeps and the tests that put it to sleep share.
 */
#ifndef _PROGS_SLEEPER_H
#define _PROGS_SLEEPER_H

#include <linux/types.h>

/**
 * struct sleeper_control - who sleeps, and what came of it
 * @page: address, of the thread that opens, of a page that is not there
 * @tid: that thread
 * @ret: what to return
 * @asked: calls, by whomever
 * @woke: calls that have slept and went on
 */
struct sleeper_control {
	__u64 page;
	__u32 tid;
	__s32 ret;
	__u32 asked;
	__u32 woke;
};

#endif /* _PROGS_SLEEPER_H */
