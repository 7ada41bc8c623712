/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The filter progs/recorder.bpf.c: loading it, telling it what to do, and asking it
 * what it was told.
 */
#ifndef _HARNESS_RECORDER_H
#define _HARNESS_RECORDER_H

#include "../progs/recorder.h"
#include "filter_fixture.h"
#include <linux/fuse.h>

/**
 * recorder_load - load the filter and register it
 * @filter: filled in
 * @ops: "recorder", "folded", "generic" or "failures"
 * @sleepable: use the build whose programs may sleep
 * @with: filter whose counter of calls is shared, or NULL
 */
int recorder_load(struct filter *filter, const char *ops, bool sleepable,
		  const struct filter *with);

/**
 * recorder_rule - say what the filter shall do
 * @filter: filter
 * @slot: RECORDER_PRE(opcode) or RECORDER_POST(opcode)
 * @rule: what
 */
int recorder_rule(const struct filter *filter, __u32 slot, const struct recorder_rule *rule);

/* recorder_return - say what the filter shall return, and that it does nothing else */
int recorder_return(const struct filter *filter, __u32 slot, int ret);

/* recorder_return_all - recorder_return() for all prefilters */
int recorder_return_all(const struct filter *filter, int ret);

/* recorder_seen - what the filter was told at the last call */
struct recorder_seen recorder_seen(const struct filter *filter, __u32 slot);

/* recorder_forget - forget what the filter was told */
int recorder_forget(const struct filter *filter);

#endif /* _HARNESS_RECORDER_H */
