// SPDX-License-Identifier: GPL-2.0-only
#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "recorder.h"

static int map_fd(const struct filter *filter, const char *name)
{
	return bpf_map__fd(bpf_object__find_map_by_name(filter->obj, name));
}

int recorder_load(struct filter *filter, const char *ops, bool sleepable,
		  const struct filter *with)
{
	int err = filter_open(filter, sleepable ? "recorder_sleepable" : "recorder", ops);
	struct bpf_map *map;

	if (err)
		return err;
	/* Filters of the object that are not wanted need not exist */
	bpf_object__for_each_map(map, filter->obj) {
		if (bpf_map__type(map) == BPF_MAP_TYPE_STRUCT_OPS && map != filter->map)
			bpf_map__set_autocreate(map, false);
	}
	if (with)
		err = bpf_map__reuse_fd(bpf_object__find_map_by_name(filter->obj, "counter"),
					map_fd(with, "counter"));
	if (!err)
		err = filter_register(filter);
	if (err)
		filter_destroy(filter);
	return err;
}

int recorder_rule(const struct filter *filter, __u32 slot, const struct recorder_rule *rule)
{
	return bpf_map_update_elem(map_fd(filter, "rules"), &slot, rule, BPF_ANY);
}

int recorder_return(const struct filter *filter, __u32 slot, int ret)
{
	return recorder_rule(filter, slot, &(struct recorder_rule){ .ret = ret });
}

int recorder_return_all(const struct filter *filter, int ret)
{
	int err = 0;

	for (__u32 slot = 0; slot < RECORDER_OPS && !err; slot++)
		err = recorder_return(filter, slot, ret);
	return err;
}

struct recorder_seen recorder_seen(const struct filter *filter, __u32 slot)
{
	struct recorder_seen seen = {};

	bpf_map_lookup_elem(map_fd(filter, "seen"), &slot, &seen);
	return seen;
}

int recorder_forget(const struct filter *filter)
{
	struct recorder_seen none = {};
	int err = 0;

	for (__u32 slot = 0; slot < RECORDER_SLOTS && !err; slot++)
		err = bpf_map_update_elem(map_fd(filter, "seen"), &slot, &none, BPF_ANY);
	return err;
}
