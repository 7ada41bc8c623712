/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the fuzzers share: numbers from a seed, values that hurt, rounds with a
 * watchdog, and what they print.
 *
 * A fuzzer works in rounds. Each is a process with a mount namespace of its own and a
 * seed of its own, which is the first seed plus the number of the round: that of a
 * round that went wrong is printed, and given as --seed does the same again, as far as
 * the scheduler does.
 */
#ifndef _FUZZ_H
#define _FUZZ_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/**
 * struct fuzz_rng - a sequence of numbers
 * @state: where it is
 */
struct fuzz_rng {
	__u64 state;
};

/* fuzz_rng - the sequence of number @which of a seed */
struct fuzz_rng fuzz_rng(__u64 seed, __u64 which);

/* fuzz_next - the next number, any */
__u64 fuzz_next(struct fuzz_rng *rng);

/* fuzz_below - a number below @n, which is not 0 */
__u32 fuzz_below(struct fuzz_rng *rng, __u32 n);

/* fuzz_chance - true in @percent of 100 cases */
bool fuzz_chance(struct fuzz_rng *rng, unsigned int percent);

/* fuzz_hostile - a number that code may not have thought of: a bound, a sign, a bit */
__u64 fuzz_hostile(struct fuzz_rng *rng);

/* fuzz_fill - fill memory with any bytes */
void fuzz_fill(struct fuzz_rng *rng, void *mem, size_t len);

/**
 * fuzz_words - put hostile values in the place of some of the words of a structure
 * @rng: numbers
 * @mem: the structure, aligned as it is in C
 * @len: bytes of it
 *
 * Words are of 2, 4 and 8 bytes, at multiples of their size: all that is in the
 * protocol of FUSE is such a word.
 */
void fuzz_words(struct fuzz_rng *rng, void *mem, size_t len);

/* Any of the elements of an array */
#define FUZZ_ANY(rng, array) ((array)[fuzz_below(rng, sizeof(array) / sizeof((array)[0]))])

/**
 * struct fuzz_shared - what the processes of a fuzzer tell each other
 * @inputs: inputs so far
 * @progress: anything that was done; of a round in which it stands still, too long
 *	is said
 * @unexpected: results that must not be
 * @doing: what is being done, by worker, for people
 */
struct fuzz_shared {
	unsigned long inputs;
	unsigned long progress;
	unsigned long unexpected;
	char doing[8][40];
};

extern struct fuzz_shared *fuzz;

/* fuzz_input - count an input */
static inline void fuzz_input(void)
{
	__atomic_add_fetch(&fuzz->inputs, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&fuzz->progress, 1, __ATOMIC_RELAXED);
}

/* fuzz_doing - say what a worker does, and that it goes on */
void fuzz_doing(unsigned int worker, const char *what);

/* fuzz_unexpected - say what must not be, and count it */
void __attribute__((format(printf, 1, 2))) fuzz_unexpected(const char *fmt, ...);

/**
 * fuzz_wait - wait for a process
 * @pid: the process
 *
 * Return: its wait status, or -1 when nothing has happened for as long as a test may
 * take
 */
int fuzz_wait(int pid);

/**
 * fuzz_main - run rounds for as long as the command line says
 * @argc: as main() has it
 * @argv: likewise: [--seed N] [--inputs N] [--time SECONDS]
 * @round: one round in a process of its own; what it finds wrong it tells by
 *	fuzz_unexpected(), and 0 or a negative errno it returns
 *
 * Without --seed, any is taken. With neither of the others, inputs are few.
 *
 * Return: exit status: 0 nothing was found, 1 something was, 2 usage
 */
int fuzz_main(int argc, char **argv, int (*round)(__u64 seed));

#endif /* _FUZZ_H */
