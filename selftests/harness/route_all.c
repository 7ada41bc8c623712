// SPDX-License-Identifier: GPL-2.0-only
#include <bpf/bpf.h>
#include <string.h>

#include "route_all.h"

static int map_fd(const struct filter *filter, const char *name)
{
	return bpf_object__find_map_fd_by_name(filter->obj, name);
}

int route_load(struct filter *filter, int dir)
{
	int err = filter_load(filter, "route_all");

	if (!err)
		err = filter_attach(filter, dir, 0, 0);
	if (err)
		filter_destroy(filter);
	return err;
}

int route_rule(const struct filter *filter, __u32 opcode, struct route_rule rule)
{
	return bpf_map_update_elem(map_fd(filter, "rules"), &opcode, &rule, BPF_ANY);
}

int route(const struct filter *filter, __u32 opcode, int verdict)
{
	return route_rule(filter, opcode, (struct route_rule){ .verdict = verdict });
}

int route_name(const struct filter *filter, const char *name, int verdict)
{
	char key[ROUTE_NAME] = {};
	__s32 value = verdict;

	strncpy(key, name, sizeof(key) - 1);
	return bpf_map_update_elem(map_fd(filter, "names"), key, &value, BPF_ANY);
}

struct route_seen route_seen(const struct filter *filter, __u32 opcode)
{
	struct route_seen seen = {};

	bpf_map_lookup_elem(map_fd(filter, "seen"), &opcode, &seen);
	return seen;
}
