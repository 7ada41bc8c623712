/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Trying what somebody may do, by doing it: what "explain" and "test" share.
 */
#ifndef FUSE_BPF_PROBE_H
#define FUSE_BPF_PROBE_H

#include "identity.h"

/* Names of a path, with those of its links, and what is done in the end */
#define PROBE_STEPS 2200

struct probe_op;

/**
 * struct probe_step - a part of what was done
 * @name: component of the path; of a link also "->"; of what is done in the end, that
 * @err: 0 or the negative errno that it ended with
 * @ino: inode number of what was found, 0: not known
 * @mode: its type and permissions, 0: not known
 */
struct probe_step {
	char name[256];
	int err;
	__u64 ino;
	__u32 mode;
};

/**
 * struct probe_trail - what was done, step by step; shared with the process that does it
 * @setup: negative errno: the process could not become what it was to be
 * @fd: descriptor of the process for what the last step found
 * @steps_nr: number of @steps
 * @out: the path leads out of the mount
 * @unsafe: the operation was not done, as it would do something to this type of file
 * @finished: it came to its end
 * @target: of the last link
 * @steps: see @steps_nr
 */
struct probe_trail {
	int setup;
	int fd;
	__u32 steps_nr;
	bool out;
	bool unsafe;
	bool finished;
	char target[4096];
	struct probe_step steps[PROBE_STEPS];
};

/**
 * struct probe - something to try
 * @root_fd: root of the mount
 * @path: path relative to it
 * @op: what is done in the end
 * @mode: R_OK, W_OK and X_OK, for operations that take them
 * @identity: who does it
 * @step: where the number of the step is put, as it is begun; NULL: nowhere
 * @begin: called with the process before it does anything; NULL: not
 * @pause: called when it waits, and after its end; NULL: not
 * @arg: handed to both
 * @trail: out: what was done, to be freed with probe_free()
 */
struct probe {
	int root_fd;
	const char *path;
	const struct probe_op *op;
	int mode;
	const struct identity *identity;
	__u32 *step;
	void (*begin)(pid_t pid, void *arg);
	void (*pause)(void *arg);
	void *arg;
	struct probe_trail *trail;
};

int probe_op_parse(const char *word, const struct probe_op **op, int *mode);
const char *probe_op_name(const struct probe_op *op);
int probe_path(const char *mountpoint, const char *path, const char **relative);
int probe_run(struct probe *probe);
int probe_result(const struct probe *probe);
void probe_free(struct probe *probe);

#endif
