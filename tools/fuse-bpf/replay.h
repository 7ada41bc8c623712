/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fuse-bpf replay: what its files share. replay_tree.c makes a tree in which the requests
 * can be made, replay_do.c makes them, replay.c runs it all and compares.
 */
#ifndef FUSE_BPF_REPLAY_H
#define FUSE_BPF_REPLAY_H

#include "decisions.h"
#include "policy.h"
#include "recording.h"

/**
 * struct outcome - what became of a request
 * @asked: all filters were asked about it, or one of them refused it
 * @verdict: as in struct request
 * @filter: likewise, empty: none
 * @has_rule: @rule is the rule of the policy that decided
 */
struct outcome {
	bool asked;
	char verdict[32];
	char filter[DECISION_WORD];
	bool has_rule;
	__u32 rule;
};

/**
 * struct shifted - a name that is otherwise for a request than in the tree
 * @away: what was there is away
 * @made: what is there was made for it
 * @dir: its directory
 * @name: in it
 * @path: in the tree
 */
struct shifted {
	bool away;
	bool made;
	const struct place *dir;
	const char *name;
	char path[4096];
};

/**
 * struct replay - a replay
 * @recording: what is replayed
 * @plan: filters and policy that are asked
 * @dir: temporary directory, in which the tree is; empty: there is none
 * @tree_fd: the tree, -1: none
 * @away_fd: where names are that must not be in it at the moment
 * @mount_fd: the mount that shows the tree, -1: none
 * @root_fd: its root
 * @dev: its device number
 * @decisions: what the filters say
 * @enforced: the policy, if there is one
 * @control: of the policy, NULL: there is none
 * @rules: which rules decide, NULL: likewise
 * @guard: the filter that keeps what is asked from being done
 * @guard_link: its link
 * @current: the request that is being made
 * @outcome: what becomes of it
 * @before: the look-up of its name was refused, and this says by whom
 * @shifted: names that are otherwise for this request
 * @cgroup: cgroup that this process is in
 * @replayed: number of requests that were asked about
 * @skipped: by opcode, those that were not
 * @elsewhere: those whose cgroup is gone
 * @differ: those with another verdict than before
 */
struct replay {
	struct recording recording;
	struct plan plan;
	char dir[64];
	int tree_fd;
	int away_fd;
	int mount_fd;
	int root_fd;
	dev_t dev;
	struct decisions *decisions;
	struct enforced enforced;
	volatile struct policy_control *control;
	struct ring_buffer *rules;
	struct replay_bpf *guard;
	struct bpf_link *guard_link;
	const struct request *current;
	struct outcome outcome;
	struct outcome before;
	struct shifted shifted[2];
	char cgroup[4096];
	__u64 replayed;
	__u64 skipped[64];
	__u64 elsewhere;
	__u64 differ;
};

/* replay_tree.c */
int replay_tree_make(struct replay *replay);
int replay_tree_open(struct replay *replay);
int replay_place_path(const struct place *place, const char *name, char *path, size_t size);
void replay_tree_remove(struct replay *replay);

/* replay_do.c */
bool replay_can(const struct request *request);
bool replay_needs_file(const struct request *request);
int replay_do(struct replay *replay, const struct request *request);
void replay_undo(struct replay *replay);

#endif
