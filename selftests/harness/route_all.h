/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The filter progs/route_all.bpf.c: loading it, and telling it where to send what.
 */
#ifndef _HARNESS_ROUTE_ALL_H
#define _HARNESS_ROUTE_ALL_H

#include "../progs/route_all.h"
#include "filter_fixture.h"
#include <linux/fuse.h>

/**
 * route_load - load the filter and attach it
 * @filter: filled in
 * @dir: directory of the mount
 */
int route_load(struct filter *filter, int dir);

/* route_rule - say what is to be done with an opcode */
int route_rule(const struct filter *filter, __u32 opcode, struct route_rule rule);

/* route - send an opcode somewhere: a verdict or a negative errno */
int route(const struct filter *filter, __u32 opcode, int verdict);

/* route_name - send lookups of a name somewhere */
int route_name(const struct filter *filter, const char *name, int verdict);

/* route_seen - what the filter saw of an opcode */
struct route_seen route_seen(const struct filter *filter, __u32 opcode);

#endif /* _HARNESS_ROUTE_ALL_H */
