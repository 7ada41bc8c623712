/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The differential oracle: random programs of system calls, executed step by step in
 * a native directory and in a backed mount of a directory like it, which must answer
 * alike.
 *
 * A program is an array of operations; an operation is a call of calls[] with
 * numbers for arguments. What a number stands for is said by the argument's kind, a
 * letter, see kinds.c: so generating, printing and reading programs needs no code for
 * single calls, and leaving out operations leaves a program.
 */
#ifndef _ORACLE_H
#define _ORACLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define OP_ARGS		6
#define MAX_OPS		4096
#define MAX_WORKERS	8
#define MAX_DATA	(256 << 10)	/* that one operation reads or writes */
#define NR_SLOTS	6		/* descriptors that a worker has open */
#define NR_MAPS		3

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#endif

enum side {
	NATIVE,
	MOUNT,
	SIDES,
};

/**
 * struct op - an operation
 * @call: index in calls[]
 * @worker: who does it
 * @behind: not by the mount but by its backing
 * @arg: arguments, by the kinds of the call
 */
struct op {
	uint8_t call;
	uint8_t worker;
	uint8_t behind;
	uint16_t arg[OP_ARGS];
};

struct rng {
	uint64_t state;
};

static inline uint32_t rng_next(struct rng *rng)
{
	uint64_t z = rng->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z >> 32;
}

static inline uint32_t rng_below(struct rng *rng, uint32_t n)
{
	return ((uint64_t)rng_next(rng) * n) >> 32;
}

/* kinds.c: arguments */

unsigned int kind_pick(char kind, struct rng *rng);
void kind_print(char kind, unsigned int arg, FILE *out);
/* kind_value - the number that an argument stands for */
long kind_value(char kind, unsigned int arg);
/* kind_string - the string that it stands for; NULL: none */
const char *kind_string(char kind, unsigned int arg);
/* kind_path - write the path that it stands for to @buf, of PATH_MAX bytes */
const char *kind_path(unsigned int arg, char *buf);

/**
 * struct result - what an operation did
 * @ret: what the call returned, or a negative errno
 * @len: bytes in @data
 * @fields: names of the 64-bit words in @data, NULL: it is bytes
 * @text: @data is lines
 * @fault: what is wrong with it in itself, "": nothing
 * @data: what the call gave out
 */
struct result {
	long ret;
	size_t len;
	const char *const *fields;
	bool text;
	char fault[128];
	unsigned char data[MAX_DATA] __attribute__((aligned(4096)));
};

struct mapping {
	char *addr;
	size_t len;
};

/**
 * struct actor - what a worker has
 * @root: directory of the program on each side, the second one by the mount
 * @behind: that on the backing
 * @fd: open descriptors, -1: none
 * @is_behind: whether @fd[MOUNT] is one of the backing
 * @map: mappings
 */
struct actor {
	int root[SIDES];
	int behind;
	int fd[SIDES][NR_SLOTS];
	bool is_behind[NR_SLOTS];
	struct mapping map[SIDES][NR_MAPS];
};

/**
 * struct step - an operation on one side
 * @actor: who
 * @op: what
 * @side: where
 * @root: directory that paths start from
 * @out: filled in
 */
struct step {
	struct actor *actor;
	const struct op *op;
	enum side side;
	int root;
	struct result *out;
};

/**
 * struct call - a system call
 * @name: for people
 * @args: kinds of its arguments
 * @weight: how often it is taken, relative to others
 * @run: does it; the result is as for struct result
 * @alone: cannot be compared where something happens behind the mount
 * @keeps: keeps a file open natively, and on the mount the backing's in its place, so that
 *	events of the file come at other times; not in programs with the above
 */
struct call {
	const char *name;
	const char *args;
	unsigned int weight;
	long (*run)(struct step *s);
	bool alone;
	bool keeps;
};

extern const struct call name_calls[], file_calls[], attr_calls[], dir_calls[], lock_calls[],
	map_calls[], watch_calls[];

/* calls.c: all calls together, and what they have in common */

unsigned int nr_calls(void);
const struct call *call_at(unsigned int index);
/* call_pick - an index, by weight */
unsigned int call_pick(struct rng *rng);
/* call_find - an index by name, or -1 */
int call_find(const char *name);

/* Arguments of the step, by index */
long arg(const struct step *s, int i);
const char *arg_string(const struct step *s, int i);
/* arg_path - good until the same argument's next call */
const char *arg_path(const struct step *s, int i);
/* arg_fd - descriptor, or -1 */
int arg_fd(const struct step *s, int i);
/* arg_base - directory that a path is relative to */
int arg_base(const struct step *s, int i);
/* one_origin - are both descriptors of the mount, or both of the backing? */
bool one_origin(const struct step *s, int i, int j);
/* set_slot - put a descriptor into a slot; where it is -1, return errno instead */
long set_slot(struct step *s, int slot, int fd, bool behind);
/* fill - a buffer of bytes, different at each offset; @seed tells writes apart */
const unsigned char *fill(unsigned int seed, size_t len);

/* What a call returns when it would not be the same on both sides by its nature */
#define NOT_DONE (-4095)

void actor_init(struct actor *actor);
/* actor_enter - open the directories, @dirs being native, mount and backing, and some files */
int actor_enter(struct actor *actor, const char *const dirs[3]);
/* actor_leave - close everything, and be nobody else any more */
void actor_leave(struct actor *actor);
/* actor_become - take the identity of a worker: the first is root */
int actor_become(unsigned int worker);
const char *actor_name(unsigned int worker);

/* actor_run - do an operation on one side */
void actor_run(struct actor *actor, const struct op *op, enum side side, struct result *out);

/* watch_calls.c */

/* watch_reset - watch nothing any more */
void watch_reset(void);

/* stat.c: attributes as words that can be compared */

long stat_result(struct step *s, int fd, const char *path, int flags, unsigned int mask);

/* compare.c */

/**
 * compare - compare what both sides did
 * @op: operation
 * @native: result
 * @mount: result
 * @why: out: what differs
 * @size: of @why
 *
 * Return: whether they differ
 */
bool compare(const struct op *op, const struct result *native, const struct result *mount,
	     char *why, size_t size);

/* program.c */

void op_print(const struct op *op, FILE *out);
/* op_write - print so that program_read() can read it */
void op_write(const struct op *op, FILE *out);
/* program_read - the number of operations, or a negative errno */
int program_read(FILE *in, struct op *ops, unsigned int max);

/**
 * struct mix - which programs are made
 * @workers: 1..MAX_WORKERS
 * @behind: percentage of operations by the backing
 */
struct mix {
	unsigned int workers;
	unsigned int behind;
};

void op_make(struct op *op, const struct mix *mix, unsigned int worker, struct rng *rng);
void program_make(struct op *ops, unsigned int nr, const struct mix *mix, uint64_t seed);

/* world.c: the directories of one program */

/**
 * struct world - where programs run
 * @native: directory
 * @mount: backed mount of @backing, or @backing itself
 * @backing: directory
 */
struct world {
	char native[96];
	char mount[96];
	char backing[96];
};

/* world_make - make directory number @nr for a program, with a few things in it */
int world_make(const struct world *world, unsigned int nr, char dirs[3][128]);
/* world_compare - whether the trees differ, saying where */
bool world_compare(char dirs[3][128], char *why, size_t size);
/* world_remove - remove them, the second by the mount, and check that the backing's went */
int world_remove(char dirs[3][128]);

/* workers.c: processes that take turns */

/**
 * struct difference - what went wrong
 * @step: index of the operation, the number of operations: at the end
 * @succeeded: operations that did so natively
 * @why: in words, "": nothing
 */
struct difference {
	unsigned int step;
	unsigned int succeeded;
	char why[512];
};

int workers_start(const struct world *world, unsigned int nr);
void workers_end(void);
/**
 * workers_run - run a program in new directories
 * @ops: program
 * @nr: of operations
 * @diff: filled in
 *
 * Return: whether there is a difference; negative errno: it could not be run
 */
int workers_run(const struct op *ops, unsigned int nr, struct difference *diff);

/* free.c */

/**
 * struct free_result - what workers did that ran at the same time
 * @ops: operations
 * @stale: those that ended with ESTALE
 * @rounds: how often the trees were compared
 */
struct free_result {
	unsigned long ops;
	unsigned long stale;
	unsigned long rounds;
};

/* free_run - the number of faults found, or a negative errno */
int free_run(const struct world *world, const struct mix *mix, uint64_t seed, double seconds,
	     struct free_result *result);

/* minimise.c */

/* minimise - leave out what is not needed for a difference; the new number */
unsigned int minimise(struct op *ops, unsigned int nr, struct difference *diff);

#endif /* _ORACLE_H */
