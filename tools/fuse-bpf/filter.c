// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuse-bpf attach, detach: the filters of a mount.
 *
 * A filter is attached in steps, each of which the next can undo: load, fill in
 * the maps, register (which makes the link), pin the link, attach to the mount.
 * So nobody ever meets a filter that is half set up.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "main.h"

/**
 * filter_element_add - take MAP KEY[=VALUE]
 * @filter: the filter that the map is of
 * @args: command line, after the word "set"
 *
 * Return: DONE, or another exit status after reporting it
 */
int filter_element_add(struct filter *filter, struct args *args)
{
	struct element *elements;
	const char *map, *text;

	map = args_need(args, "MAP");
	text = map ? args_need(args, "KEY") : NULL;
	if (!text)
		return USAGE;
	if (!*text || *text == '=')
		return p_usage("set %s: the key is empty", map);

	elements = reallocarray(filter->elements, filter->nr_elements + 1, sizeof(*elements));
	if (!elements) {
		p_err(-ENOMEM, "set %s", map);
		return FAILED;
	}
	elements[filter->nr_elements++] = (struct element){ map, text };
	filter->elements = elements;
	return DONE;
}

static int attach_fd(int mount_fd, struct filter *filter, int fd)
{
	FUSE_BPF_OPTS(fuse_bpf_attach_opts, opts, .flags = filter->flags,
		      .relative_id = filter->relative_id);
	int err;

	err = fuse_bpf_attach(mount_fd, fd, &filter->id, &opts);
	if (!err)
		return DONE;
	p_err(err, "cannot attach the filter");
	return FAILED;
}

static int attach_object(int mount_fd, dev_t dev, struct filter *filter)
{
	struct bpf_object *obj;
	struct bpf_link *link;
	int ret;

	ret = object_register(filter, &obj, &link);
	if (ret)
		return ret;
	ret = pin_link(filter, bpf_link__fd(link), mount_fd, dev);
	if (!ret)
		ret = attach_fd(mount_fd, filter, bpf_link__fd(link));
	if (ret)
		filter_undo(filter);
	bpf_link__destroy(link);
	bpf_object__close(obj);
	return ret;
}

static int attach_existing(int mount_fd, struct filter *filter)
{
	int fd, ret;

	if (filter->from == FROM_PIN) {
		fd = bpf_obj_get(filter->path);
		if (fd < 0)
			p_err(-errno, "cannot use %s as a pinned filter", filter->path);
	} else {
		fd = bpf_map_get_fd_by_id(filter->map_id);
		if (fd < 0)
			p_err(-errno, "cannot use the map with id %u", filter->map_id);
	}
	if (fd < 0)
		return FAILED;

	ret = attach_fd(mount_fd, filter, fd);
	close(fd);
	return ret;
}

/* The name of a filter that was not read from a file is known by the mount. */
static void learn_name(int mount_fd, struct filter *filter)
{
	struct fuse_filter_info infos[FUSE_FILTER_MAX];
	int nr = fuse_bpf_list(mount_fd, infos, FUSE_FILTER_MAX);
	int i;

	for (i = 0; i < nr && i < FUSE_FILTER_MAX; i++) {
		if (infos[i].id == filter->id)
			memcpy(filter->name, infos[i].name, sizeof(filter->name));
	}
	filter->name[sizeof(filter->name) - 1] = '\0';
}

/**
 * filter_attach - attach a filter to a mount
 * @mount_fd: root directory of the mount
 * @dev: device number of the mount
 * @filter: the filter; name, id and pin are filled in
 *
 * Return: DONE, or FAILED after reporting it, and then nothing is left behind
 */
int filter_attach(int mount_fd, dev_t dev, struct filter *filter)
{
	int ret;

	if (filter->from == FROM_OBJECT)
		return attach_object(mount_fd, dev, filter);
	ret = attach_existing(mount_fd, filter);
	if (!ret)
		learn_name(mount_fd, filter);
	return ret;
}

/* filter_undo - remove the pin of a filter whose mount did not come to be */
void filter_undo(struct filter *filter)
{
	if (filter->pinned[0])
		unlink(filter->pinned);
	filter->pinned[0] = '\0';
}

struct json_object *filter_result(const struct filter *filter)
{
	struct json_object *obj = json_object_new_object();

	add_number(obj, "id", filter->id);
	add_string(obj, "name", filter->name);
	add_string(obj, "pin", filter->pinned[0] ? filter->pinned : NULL);
	return obj;
}

/* ops_json - the names of a set of opcodes */
struct json_object *ops_json(const __u64 ops[2])
{
	struct json_object *names = json_object_new_array();
	unsigned int op;

	for (op = 0; op < 128; op++) {
		if (fuse_bpf_op_isset(ops, op) && fuse_bpf_opcode_name(op))
			json_object_array_add(names,
					      json_object_new_string(fuse_bpf_opcode_name(op)));
	}
	return names;
}

/* filters_json - the filters of a mount, in the order in which they are asked */
struct json_object *filters_json(const struct fuse_filter_info *infos, int nr)
{
	struct json_object *list = json_object_new_array();
	int i;

	for (i = 0; i < nr; i++) {
		struct json_object *obj = json_object_new_object();

		add_number(obj, "id", infos[i].id);
		add_string(obj, "name", infos[i].name);
		add_number(obj, "map_id", infos[i].map_id);
		json_object_object_add(obj, "ops", ops_json(infos[i].ops));
		json_object_object_add(obj, "post_ops", ops_json(infos[i].post_ops));
		add_bool(obj, "fail_open", infos[i].flags & FUSE_FILTER_FAIL_OPEN);
		add_bool(obj, "dead", infos[i].flags & FUSE_FILTER_DEAD);
		add_number(obj, "runs", infos[i].runs);
		add_number(obj, "denied", infos[i].denied);
		json_object_array_add(list, obj);
	}
	return list;
}

static int parse_source(struct args *args, struct filter *filter)
{
	static const char *const words[] = { "obj", "pinned", "map", NULL };
	static const char *const id_word[] = { "id", NULL };

	if (!args->argc)
		return p_usage("attach: obj FILE, pinned PATH or map id ID is missing");
	switch (args_keyword(args, words)) {
	case 0:
		filter->from = FROM_OBJECT;
		filter->path = args_need(args, "FILE");
		return filter->path ? DONE : USAGE;
	case 1:
		filter->from = FROM_PIN;
		filter->path = args_need(args, "PATH");
		return filter->path ? DONE : USAGE;
	case 2:
		filter->from = FROM_MAP_ID;
		if (!args->argc)
			return p_usage("attach: id ID is missing");
		return args_keyword(args, id_word) < 0 ? USAGE : args_id(args, &filter->map_id);
	default:
		return USAGE;
	}
}

/* One word of what may follow, with its arguments. */
static int parse_option(struct args *args, struct filter *filter)
{
	enum { BEFORE, AFTER, FIRST, LAST, FAIL_OPEN, PIN, SET };
	static const char *const words[] = {
		[BEFORE] = "before", [AFTER] = "after", [FIRST] = "first", [LAST] = "last",
		[FAIL_OPEN] = "fail_open", [PIN] = "pin", [SET] = "set", [SET + 1] = NULL,
	};
	int word = args_keyword(args, words);

	if (word < 0)
		return USAGE;
	if (word == FAIL_OPEN) {
		filter->flags |= FUSE_FILTER_FAIL_OPEN;
		return DONE;
	}
	if (word <= LAST && filter->flags & (FUSE_FILTER_BEFORE | FUSE_FILTER_AFTER))
		return p_usage("attach: the order is given twice");
	if (word >= PIN && filter->from != FROM_OBJECT)
		return p_usage("attach: %s goes with obj FILE only", words[word]);

	switch (word) {
	case BEFORE:
	case FIRST:
		filter->flags |= FUSE_FILTER_BEFORE;
		return word == BEFORE ? args_id(args, &filter->relative_id) : DONE;
	case AFTER:
	case LAST:
		filter->flags |= FUSE_FILTER_AFTER;
		return word == AFTER ? args_id(args, &filter->relative_id) : DONE;
	case PIN:
		filter->pin = args_need(args, "PATH");
		return filter->pin ? DONE : USAGE;
	default:
		return filter_element_add(filter, args);
	}
}

static int attach_to(const char *mountpoint, struct filter *filter)
{
	dev_t dev;
	int fd, ret;

	fd = mount_open(mountpoint, &dev);
	if (fd < 0)
		return FAILED;
	ret = filter_attach(fd, dev, filter);
	close(fd);
	if (ret)
		return ret;

	out_result(filter_result(filter));
	p_text("%u: %s", filter->id, filter->name);
	p_text(filter->pinned[0] ? ", pinned at %s\n" : "\n", filter->pinned);
	return DONE;
}

int do_attach(struct args *args)
{
	const char *mountpoint = args_need(args, "MOUNTPOINT");
	struct filter filter = {};
	int ret;

	if (!mountpoint)
		return USAGE;
	ret = parse_source(args, &filter);
	while (!ret && args->argc)
		ret = parse_option(args, &filter);
	if (!ret)
		ret = attach_to(mountpoint, &filter);
	free(filter.elements);
	return ret;
}

/* The attachment that the user means; NULL after reporting that there is none. */
static const struct fuse_filter_info *find_filter(const struct fuse_filter_info *infos, int nr,
						  __u32 id, const char *name)
{
	const struct fuse_filter_info *found = NULL;
	int i;

	for (i = 0; i < nr; i++) {
		if (name ? strcmp(infos[i].name, name) : infos[i].id != id)
			continue;
		if (found) {
			p_err(0, "several filters are called %s (%u, %u): give an id", name,
			      found->id, infos[i].id);
			return NULL;
		}
		found = &infos[i];
	}
	if (!found && name)
		p_err(0, "no filter called %s is attached; 'fuse-bpf ls' shows those that are",
		      name);
	else if (!found)
		p_err(0, "no filter with id %u is attached; 'fuse-bpf ls' shows those that are",
		      id);
	return found;
}

static int detach_one(int fd, dev_t dev, const struct fuse_filter_info *info)
{
	struct json_object *result;
	int err;

	err = fuse_bpf_detach(fd, info->id);
	if (err) {
		p_err(err, "cannot detach filter %u", info->id);
		return FAILED;
	}

	result = json_object_new_object();
	add_number(result, "id", info->id);
	add_string(result, "name", info->name);
	json_object_object_add(result, "pins_removed", pins_remove(info, 1, dev, false));
	out_result(result);
	return DONE;
}

static int detach_from(const char *mountpoint, __u32 id, const char *name)
{
	struct fuse_filter_info infos[FUSE_FILTER_MAX];
	const struct fuse_filter_info *info;
	int fd, nr, ret = FAILED;
	dev_t dev;

	fd = mount_open(mountpoint, &dev);
	if (fd < 0)
		return FAILED;
	nr = fuse_bpf_list(fd, infos, FUSE_FILTER_MAX);
	if (nr < 0) {
		p_err(nr, "cannot list the filters of %s", mountpoint);
	} else {
		info = find_filter(infos, nr < FUSE_FILTER_MAX ? nr : FUSE_FILTER_MAX, id, name);
		if (info)
			ret = detach_one(fd, dev, info);
	}
	close(fd);
	return ret;
}

int do_detach(struct args *args)
{
	static const char *const words[] = { "name", NULL };
	const char *mountpoint = args_need(args, "MOUNTPOINT");
	const char *name = NULL;
	__u32 id = 0;
	int ret;

	if (!mountpoint)
		return USAGE;
	if (!args->argc)
		return p_usage("detach: ID or name NAME is missing");
	if (parse_u32(*args->argv, &id)) {
		args_next(args);
	} else {
		if (args_keyword(args, words) < 0)
			return USAGE;
		name = args_need(args, "NAME");
		if (!name)
			return USAGE;
	}
	ret = args_end(args);
	return ret ? ret : detach_from(mountpoint, id, name);
}
