// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inject.h"
#include "util.h"

#define DEBUG "/sys/kernel/debug/"

/* All allocations, also those that may wait, and without a stack in the log for each */
static const struct {
	const char *path;
	const char *value;
} knobs[] = {
	{ DEBUG "failslab/ignore-gfp-wait", "N" },
	{ DEBUG "failslab/verbose", "0" },
	{ DEBUG "fail_page_alloc/ignore-gfp-wait", "N" },
	{ DEBUG "fail_page_alloc/ignore-gfp-highmem", "N" },
	{ DEBUG "fail_page_alloc/min-order", "0" },
	{ DEBUG "fail_page_alloc/verbose", "0" },
	{ DEBUG "fail_usercopy/verbose", "0" },
};

/* Where FUSE's functions are, between the first and the last by their names */
struct range {
	unsigned long start;
	unsigned long end;
};

/* Parts of functions that are laid aside, and what is gone after boot, are elsewhere. */
static bool is_fuse(const char *name)
{
	return !strncmp(name, "fuse_", 5) && !strstr(name, ".cold");
}

static int find_fuse(struct range *range)
{
	FILE *symbols = fopen("/proc/kallsyms", "re");
	unsigned long address, etext = 0;
	char line[512], name[256], type;

	if (!symbols)
		return -errno;
	*range = (struct range){ ~0UL, 0 };
	/* Sorted by address, so that the end of the text comes before what is not text */
	while (!etext && fgets(line, sizeof(line), symbols)) {
		if (sscanf(line, "%lx %c %255s", &address, &type, name) != 3)
			continue;
		if (!strcmp(name, "_etext"))
			etext = address;
		if (!is_fuse(name))
			continue;
		range->start = address < range->start ? address : range->start;
		range->end = address > range->end ? address : range->end;
	}
	fclose(symbols);
	return etext && range->end > range->start ? 0 : -ENOENT;
}

static int write_knob(const char *path, const char *value)
{
	return access(path, F_OK) ? -ENOENT : make_file(path, value, 0600);
}

static int limit_to(const struct range *range)
{
	static const char *const kinds[] = { "failslab", "fail_page_alloc", "fail_usercopy" };
	char start[32], end[32];
	int err = 0;

	snprintf(start, sizeof(start), "%#lx", range->start);
	snprintf(end, sizeof(end), "%#lx", range->end);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && !err; i++) {
		err = write_knob(in(DEBUG, "%s/require-start", kinds[i]), start);
		if (!err)
			err = write_knob(in(DEBUG, "%s/require-end", kinds[i]), end);
	}
	return err;
}

int inject_setup(void)
{
	struct range range;
	int err = 0;

	for (size_t i = 0; i < sizeof(knobs) / sizeof(knobs[0]) && !err; i++)
		err = write_knob(knobs[i].path, knobs[i].value);
	if (!err)
		err = find_fuse(&range);
	if (!err)
		err = limit_to(&range);
	return err ? err : RES(open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC));
}

void inject_arm(int fd, unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	if (pwrite(fd, text, len, 0) != len) {
		say("no fault can be injected: %s", strerror(errno));
		abort();
	}
}

/* If it has not happened yet, it may do so in here, and then says that it had not. */
bool inject_disarm(int fd)
{
	char text[16] = "";
	bool done = pread(fd, text, sizeof(text) - 1, 0) > 0 && !strtoul(text, NULL, 10);

	while (pwrite(fd, "0", 1, 0) != 1 && errno == EFAULT)
		;
	return done;
}
