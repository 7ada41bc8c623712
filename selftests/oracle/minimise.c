// SPDX-License-Identifier: GPL-2.0-only
/*
 * Delta debugging: of a program with a difference, leave out parts, in ever smaller
 * pieces, as long as some difference remains. It need not be the same one, as what
 * is left is looked at by people.
 */
#include <string.h>

#include "oracle.h"

/* Without the operations from @from on, @len of them */
static unsigned int without(struct op *to, const struct op *ops, unsigned int nr, unsigned int from,
			    unsigned int len)
{
	memcpy(to, ops, from * sizeof(*ops));
	memcpy(to + from, ops + from + len, (nr - from - len) * sizeof(*ops));
	return nr - len;
}

/* One pass with pieces of @len; the new number of operations */
static unsigned int pass(struct op *ops, unsigned int nr, unsigned int len, struct difference *diff)
{
	static struct op trial[MAX_OPS];
	struct difference found;
	unsigned int from = 0, left;

	while (from < nr) {
		left = without(trial, ops, nr, from, from + len <= nr ? len : nr - from);
		if (left && workers_run(trial, left, &found) == 1) {
			/* Nothing after the difference is needed for it. */
			nr = found.step < left ? found.step + 1 : left;
			memcpy(ops, trial, nr * sizeof(*ops));
			*diff = found;
		} else {
			from += len;
		}
	}
	return nr;
}

unsigned int minimise(struct op *ops, unsigned int nr, struct difference *diff)
{
	unsigned int len, before;

	if (diff->step < nr)
		nr = diff->step + 1;
	for (len = nr / 2; len > 1; len /= 2)
		nr = pass(ops, nr, len, diff);
	do {
		before = nr;
		nr = pass(ops, nr, 1, diff);
	} while (nr < before);
	return nr;
}
