/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What survives a crash: workers change trees of their own in ways that a seed foretells,
 * the machine or its disk dies, and what is found afterwards must be what it was at some
 * moment, with all in it that was promised by fsync(2) and its like.
 *
 * The programs of the workers follow from the seed alone. So nothing but how far they came
 * has to be known after the crash, and a checker knows of each byte who wrote it, and when.
 */
#ifndef _CRASH_H
#define _CRASH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define NR_WORKERS	3
#define NR_DIRS		2
#define DIR_NAMES	6	/* in each directory */
#define NR_NAMES	(NR_DIRS * DIR_NAMES)
#define NR_NODES	(NR_NAMES + 1)
#define BLOCK		512
#define NR_BLOCKS	64	/* of a file, at most */
#define ALIGNED		8	/* blocks that make up one of the file system */

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#endif

/* What an operation does; those from OP_FSYNC on make promises. */
enum op_kind {
	OP_CREATE,
	OP_UNNAMED,		/* O_TMPFILE, write, and give it a name */
	OP_SYMLINK,
	OP_MKDIR,
	OP_LINK,
	OP_RENAME,
	OP_EXCHANGE,
	OP_REMOVE,
	OP_CHMOD,
	OP_SETXATTR,
	OP_WRITE,
	OP_MAPPED,		/* through a mapping */
	OP_TRUNCATE,
	OP_PUNCH,
	OP_FSYNC,
	OP_FDATASYNC,
	OP_FSYNC_DIR,
	OP_SYNCFS,
	OP_WRITE_SYNC,		/* with one of enum sync_way */
	OP_MSYNC,		/* of a mapping that was written to */
	NR_OP_KINDS,
};

/* How a write is to be on the disk when it returns */
enum sync_way {
	BY_RWF_SYNC,
	BY_RWF_DSYNC,
	BY_O_SYNC,
	BY_O_DSYNC,
	BY_O_DIRECT,		/* and O_SYNC */
	NR_SYNC_WAYS,
};

/**
 * struct op - an operation
 * @kind: what it does
 * @way: of %OP_WRITE_SYNC
 * @name: the name that it uses, which also says the directory
 * @name2: the other name, for two
 * @first: first block
 * @nr: blocks, or the new size in blocks
 * @mode: permissions
 */
struct op {
	enum op_kind kind;
	enum sync_way way;
	unsigned int name, name2;
	unsigned int first, nr;
	mode_t mode;
};

/**
 * struct node - a regular file
 * @links: names, 0: not there
 * @mode: permissions
 * @made: operation that made it
 * @xattr: operation that set its attribute, 0: none
 * @attr_at: operation that last made or changed it, its data aside
 * @size: in blocks
 * @data: who wrote each block, 0: nobody
 */
struct node {
	unsigned int links;
	mode_t mode;
	uint32_t made;
	uint32_t xattr;
	uint32_t attr_at;
	unsigned int size;
	uint32_t data[NR_BLOCKS];
};

/**
 * struct name - an entry of a directory
 * @type: as in stat(2), 0: there is none
 * @node: of a regular file
 * @made: of others, operation that made it
 */
struct name {
	mode_t type;
	int node;
	uint32_t made;
};

/**
 * struct model - what a worker's tree is like after so many operations
 * @rng: from which the next one follows
 * @seed: of all
 * @worker: whose
 * @done: operations
 * @touched: the last operation that changed a directory
 * @names: in all directories, those of one after those of the other
 * @nodes: regular files
 *
 * Operations have numbers from 1 on.
 */
struct model {
	uint64_t rng;
	uint64_t seed;
	unsigned int worker;
	uint32_t done;
	uint32_t touched[NR_DIRS];
	struct name names[NR_NAMES];
	struct node nodes[NR_NODES];
};

/**
 * struct promises - what is known of a worker's program
 * @done: the last operation that made a promise and returned
 * @all: an operation of which it is known that it and all before it are on the disk
 */
struct promises {
	uint32_t done;
	uint32_t all;
};

/* model.c */

uint64_t mix(uint64_t number);
uint32_t draw(uint64_t *rng, uint32_t below);
void model_init(struct model *m, uint64_t seed, unsigned int worker);

/* model_next - the operation that follows */
struct op model_next(struct model *m);

/* model_apply - have it done */
void model_apply(struct model *m, const struct op *op);

/* model_name - the path of a name in the worker's tree; a string of the caller's thread */
const char *model_name(unsigned int name);

static inline unsigned int dir_of(unsigned int name)
{
	return name / DIR_NAMES;
}

/* model_file - the file that an operation is about, NULL: about none */
struct node *model_file(struct model *m, const struct op *op);

static inline bool op_promises(enum op_kind kind)
{
	return kind >= OP_FSYNC;
}

static inline bool op_changes_names(enum op_kind kind)
{
	return kind <= OP_SETXATTR;
}

const char *op_name(enum op_kind kind);

/* fill_block - the bytes that operation @op of a worker writes to a block */
void fill_block(void *buf, const struct model *m, uint32_t op, unsigned int block);

uid_t worker_uid(unsigned int worker);

/* work.c */

#define WORK_LIE	(1U << 0) /* do not sync, and report that all was promised */

/**
 * work - make the trees, and change them
 * @at: directory of the trees, empty
 * @back: the same, natively
 * @seed: of the programs
 * @ops: operations of each worker, 0: until the end of the world
 * @how: WORK_*
 * @report: tell it how far a worker has come
 *
 * Return: 0, or -EIO if an operation failed, which is told on the error output
 */
int work(const char *at, const char *back, uint64_t seed, unsigned int ops,
	 unsigned int how, void (*report)(const char *line));

/* check.c */

/* promises_read - take in a line that was reported */
void promises_read(struct promises *promises, const char *line);

/**
 * check - is a tree one that a crash may leave?
 * @at: directory of the trees
 * @seed: of the programs
 * @promises: of each worker
 *
 * What is wrong is told on the error output.
 *
 * Return: how many trees are wrong
 */
int check(const char *at, uint64_t seed, const struct promises *promises);

/* power.c */

/**
 * struct power - a disk whose power is cut
 * @log: what dm-log-writes logged
 * @image: what the disk had on it before
 * @scratch: file that becomes the disk at each cut
 * @device: a loop device on it
 * @at: where to mount it
 * @tree: the trees' directory on it
 * @points: cuts
 * @seed: of the programs, and of the cuts
 */
struct power {
	const char *log;
	const char *image;
	const char *scratch;
	const char *device;
	const char *at;
	const char *tree;
	unsigned int points;
	uint64_t seed;
};

/**
 * power_cuts - cut the power at some moments of a log, and look at what is left
 * @power: what
 *
 * Return: cuts after which something was wrong, or a negative errno
 */
int power_cuts(const struct power *power);

/* power_mark - put a mark, which is one word, into the log of the device-mapper's @name */
int power_mark(const char *name, const char *text);

#endif /* _CRASH_H */
