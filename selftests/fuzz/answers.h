/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A daemon whose answers are what FUSE's protocol wants, but for one thing in each.
 */
#ifndef _FUZZ_ANSWERS_H
#define _FUZZ_ANSWERS_H

#include "../harness/raw_server.h"
#include "fuzz.h"

/* Types of nodes, which the node ids of the daemon tell */
enum node_type { NODE_FILE, NODE_DIR, NODE_LINK, NODE_PIPE, NODE_TYPES };

#define ANSWER_IDS 3

/**
 * struct answers - what the daemon's process shares with the others
 * @rng: numbers; the daemon's own
 * @calm: give right answers only
 * @ids: backings that are registered, by type
 * @filter_id: attachment with FUSE_FILTER_BY_REPLY, 0: none
 * @dies_after: requests after which it answers no more, 0: never
 * @dead: it does not
 */
struct answers {
	struct fuzz_rng rng;
	bool calm;
	__u32 ids[NODE_TYPES][ANSWER_IDS];
	__u32 filter_id;
	unsigned int dies_after;
	bool dead;
};

extern struct answers *answers;

/* answers_node - a node id, mostly one that the daemon has given out */
__u64 answers_node(struct fuzz_rng *rng);

/* answers_hook - hook of a raw server */
bool answers_hook(struct raw_server *server, const struct raw_request *request,
		  struct raw_reply *reply);

/**
 * answers_notify - tell the kernel anything that it has not asked for
 * @dev: device
 * @rng: numbers
 *
 * Waits for locks that may be held until the daemon answers.
 */
void answers_notify(int dev, struct fuzz_rng *rng);

#endif /* _FUZZ_ANSWERS_H */
