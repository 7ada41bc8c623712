/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fuse-bpf explain: what its files share. explain.c tries the operation and records what
 * was decided, explain_show.c makes of that who decided, and prints it.
 */
#ifndef FUSE_BPF_EXPLAIN_H
#define FUSE_BPF_EXPLAIN_H

#include "decisions.h"
#include "policy.h"
#include "probe.h"

/* struct told - a decision, and how often in a row it was the same one */
struct told {
	struct decision decision;
	unsigned int times;
};

/**
 * struct explanation - what was asked for, and what was found out
 * @mountpoint: of the mount
 * @path: as it was given
 * @identity: who asks
 * @probe: what is tried
 * @dev: device number of the mount
 * @enforced: its filters, and its policy if it has one
 * @decisions: records what filters say
 * @control: of the policy, NULL: there is none
 * @rules: records which rules did, NULL: there is no policy
 * @busy: the policy tells somebody else of its rules
 * @told: what filters said, in order
 * @nr_told: number of @told
 * @events: which rules did
 * @nr_events: number of @events
 * @lost: how much of both could not be recorded
 */
struct explanation {
	const char *mountpoint;
	const char *path;
	struct identity identity;
	struct probe probe;
	dev_t dev;
	struct enforced enforced;
	struct decisions *decisions;
	volatile struct policy_control *control;
	struct ring_buffer *rules;
	bool busy;
	struct told *told;
	size_t nr_told;
	struct policy_event *events;
	size_t nr_events;
	__u64 lost;
};

void explanation_show(const struct explanation *explanation);

#endif
