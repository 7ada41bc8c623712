/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Decisions, live: what "trace" and "explain" share.
 */
#ifndef FUSE_BPF_DECISIONS_H
#define FUSE_BPF_DECISIONS_H

#include <linux/types.h>

#include "decision.h"
#include "main.h"

struct decisions;

/* Called with each decision, in the order in which they were made by one thread */
typedef void (*decision_fn)(const struct decision *d, void *arg);

__u32 decision_dev(dev_t dev);
struct decisions *decisions_open(const struct decision_want *want, decision_fn fn, void *arg);
struct decision_want *decisions_want(struct decisions *decisions);
int decisions_wait(struct decisions *decisions, int milliseconds);
void decisions_close(struct decisions *decisions);

struct json_object *decision_json(const struct decision *d);
void decision_verdict(const struct decision *d, char *text, size_t size);
const char *decision_opcode(const struct decision *d);
__u32 decision_opcode_find(const char *name);
int decisions_check_namespace(const char *command);

#endif
