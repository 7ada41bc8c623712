/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The filter progs/scripted.bpf.c: loading it, telling it what to return, and
 * asking it what it saw.
 */
#ifndef _HARNESS_SCRIPTED_H
#define _HARNESS_SCRIPTED_H

#include "../progs/scripted.h"
#include "filter_fixture.h"
#include <linux/fuse.h>

/**
 * scripted_load - load the filter and register it
 * @filter: filled in
 * @sleepable: use the build whose programs may sleep
 * @with: filter whose counter of calls is shared, or NULL
 */
int scripted_load(struct filter *filter, bool sleepable, const struct filter *with);

/**
 * scripted_rule - say what the filter shall return
 * @filter: filter
 * @opcode: callback
 * @uid: caller, or %SCRIPTED_ANY_UID
 * @name: name, or NULL for any
 * @verdict: what to return
 */
int scripted_rule(const struct filter *filter, __u32 opcode, __u32 uid, const char *name,
		  int verdict);

/* scripted_forget - remove all rules */
int scripted_forget(const struct filter *filter);

/* scripted_seen - what the filter saw at the last call of a callback */
struct scripted_seen scripted_seen(const struct filter *filter, __u32 opcode);

#endif /* _HARNESS_SCRIPTED_H */
