// SPDX-License-Identifier: GPL-2.0-only
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "scripted.h"

static int map_fd(const struct filter *filter, const char *name)
{
	return bpf_object__find_map_fd_by_name(filter->obj, name);
}

int scripted_load(struct filter *filter, bool sleepable, const struct filter *with)
{
	int err = filter_open(filter, sleepable ? "scripted_sleepable" : "scripted", NULL);

	if (!err && with)
		err = bpf_map__reuse_fd(bpf_object__find_map_by_name(filter->obj, "counter"),
					map_fd(with, "counter"));
	if (!err)
		err = filter_register(filter);
	if (err)
		filter_destroy(filter);
	return err;
}

int scripted_rule(const struct filter *filter, __u32 opcode, __u32 uid, const char *name,
		  int verdict)
{
	struct scripted_key key = { .opcode = opcode, .uid = uid };
	__s32 value = verdict;

	if (name)
		strncpy(key.name, name, sizeof(key.name) - 1);
	return bpf_map_update_elem(map_fd(filter, "rules"), &key, &value, BPF_ANY);
}

int scripted_forget(const struct filter *filter)
{
	struct scripted_key key;

	while (!bpf_map_get_next_key(map_fd(filter, "rules"), NULL, &key)) {
		if (bpf_map_delete_elem(map_fd(filter, "rules"), &key))
			return -errno;
	}
	return 0;
}

struct scripted_seen scripted_seen(const struct filter *filter, __u32 opcode)
{
	struct scripted_seen seen = {};

	bpf_map_lookup_elem(map_fd(filter, "seen"), &opcode, &seen);
	return seen;
}
