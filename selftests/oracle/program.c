// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs: making them from a seed, printing and reading them.
 */
#include <errno.h>
#include <string.h>

#include "oracle.h"
#include "util.h"

void op_make(struct op *op, const struct mix *mix, unsigned int worker, struct rng *rng)
{
	const struct call *call;
	int i;

	memset(op, 0, sizeof(*op));
	do {
		op->call = call_pick(rng);
		call = call_at(op->call);
	} while (mix->behind ? call->alone : call->keeps);
	op->worker = worker;
	op->behind = rng_below(rng, 100) < mix->behind;
	for (i = 0; call->args[i]; i++)
		op->arg[i] = kind_pick(call->args[i], rng);
}

/* A turn is a few operations long, as handing it over costs more than most of them. */
#define TURN 8

void program_make(struct op *ops, unsigned int nr, const struct mix *mix, uint64_t seed)
{
	struct rng rng = { seed * 0xd1342543de82ef95ull };
	unsigned int i, worker = 0;

	for (i = 0; i < nr; i++) {
		if (!rng_below(&rng, TURN))
			worker = rng_below(&rng, mix->workers);
		op_make(&ops[i], mix, worker, &rng);
	}
}

void op_print(const struct op *op, FILE *out)
{
	const struct call *call = call_at(op->call);
	int i;

	fprintf(out, "%u (%s)%s: %s(", op->worker, actor_name(op->worker),
		op->behind ? " on the backing" : "", call->name);
	for (i = 0; call->args[i]; i++) {
		fputs(i ? ", " : "", out);
		kind_print(call->args[i], op->arg[i], out);
	}
	fputs(")\n", out);
}

void op_write(const struct op *op, FILE *out)
{
	int i;

	fprintf(out, "%s %u %u", call_at(op->call)->name, op->worker, op->behind);
	for (i = 0; i < OP_ARGS; i++)
		fprintf(out, " %u", op->arg[i]);
	fputs(" # ", out);
	op_print(op, out);
}

/* Numbers that stand for descriptors index arrays. */
static bool op_valid(const struct op *op)
{
	const char *args = call_at(op->call)->args;
	bool ok = op->worker < MAX_WORKERS && op->behind < 2;
	int i;

	for (i = 0; args[i]; i++) {
		if (args[i] == 'f')
			ok &= op->arg[i] < NR_SLOTS;
		else if (args[i] == 'B')
			ok &= op->arg[i] <= NR_SLOTS;
		else if (args[i] == 'G')
			ok &= op->arg[i] < NR_MAPS;
	}
	return ok;
}

static bool op_read(const char *line, struct op *op)
{
	unsigned short *arg = op->arg;
	char name[32];
	int call;

	memset(op, 0, sizeof(*op));
	if (sscanf(line, "%31s %hhu %hhu %hu %hu %hu %hu %hu %hu", name, &op->worker, &op->behind,
		   &arg[0], &arg[1], &arg[2], &arg[3], &arg[4], &arg[5]) != 9)
		return false;
	call = call_find(name);
	op->call = call;
	return call >= 0 && op_valid(op);
}

int program_read(FILE *in, struct op *ops, unsigned int max)
{
	char line[2048];
	unsigned int nr = 0;

	while (fgets(line, sizeof(line), in)) {
		if (line[0] == '#' || line[0] == '\n')
			continue;
		if (nr == max)
			return -E2BIG;
		if (!op_read(line, &ops[nr++]))
			return -EINVAL;
	}
	return nr;
}
