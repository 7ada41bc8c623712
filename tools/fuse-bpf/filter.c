// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuse-bpf attach: give a filter to a mount or to a directory.
 *
 * A filter is attached in steps, each of which the next can undo: load, fill in
 * the maps, register (which makes the link), pin the link, attach. So nobody ever
 * meets a filter that is half set up.
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

static int attach_fd(int target_fd, struct filter *filter, int fd)
{
	FUSE_BPF_OPTS(fuse_bpf_attach_opts, opts, .flags = filter->flags,
		      .relative_id = filter->relative_id);
	int err;

	err = fuse_bpf_attach(target_fd, fd, &filter->id, &opts);
	if (!err)
		return DONE;
	p_err(err, "cannot attach the filter");
	return FAILED;
}

static int attach_object(int target_fd, dev_t dev, struct filter *filter)
{
	struct bpf_object *obj;
	struct bpf_link *link;
	int ret;

	ret = object_register(filter, &obj, &link);
	if (ret)
		return ret;
	ret = pin_link(filter, bpf_link__fd(link), target_fd, dev);
	if (!ret)
		ret = check_stopped();
	if (!ret)
		ret = attach_fd(target_fd, filter, bpf_link__fd(link));
	if (ret)
		filter_undo(filter);
	bpf_link__destroy(link);
	bpf_object__close(obj);
	return ret;
}

static int attach_existing(int target_fd, struct filter *filter)
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

	ret = attach_fd(target_fd, filter, fd);
	close(fd);
	return ret;
}

/* The name of a filter that was not read from a file is known by the mount. */
static void learn_name(int target_fd, struct filter *filter)
{
	struct fuse_filter_info *infos;
	int nr = filters_read(target_fd, &infos);
	int i;

	for (i = 0; i < nr; i++) {
		if (infos[i].id == filter->id)
			memcpy(filter->name, infos[i].name, sizeof(filter->name));
	}
	filter->name[sizeof(filter->name) - 1] = '\0';
	free(infos);
}

static int attach_target(int target_fd, dev_t dev, struct filter *filter)
{
	int ret;

	if (filter->from == FROM_OBJECT)
		return attach_object(target_fd, dev, filter);
	ret = attach_existing(target_fd, filter);
	if (!ret)
		learn_name(target_fd, filter);
	return ret;
}

/**
 * filter_attach - attach a filter to a mount, or to the directory that it names
 * @mount_fd: root directory of the mount
 * @dev: device number of the mount
 * @filter: the filter; name, id and pin are filled in
 *
 * Return: DONE, or FAILED after reporting it, and then nothing is left behind
 */
int filter_attach(int mount_fd, dev_t dev, struct filter *filter)
{
	int fd, ret;

	if (!filter->dir)
		return attach_target(mount_fd, dev, filter);
	fd = dir_open(mount_fd, dev, filter->dir, &filter->dir_ino);
	if (fd < 0)
		return FAILED;
	filter->flags |= FUSE_FILTER_DIRECTORY;
	ret = attach_target(fd, dev, filter);
	close(fd);
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
	if (filter->dir)
		add_number(obj, "dir", filter->dir_ino);
	else
		json_object_object_add(obj, "dir", NULL);
	add_string(obj, "pin", filter->pinned[0] ? filter->pinned : NULL);
	return obj;
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
	enum { BEFORE, AFTER, FIRST, LAST, FAIL_OPEN, BY_REPLY, DIR, PIN, SET };
	static const char *const words[] = {
		[BEFORE] = "before", [AFTER] = "after", [FIRST] = "first", [LAST] = "last",
		[FAIL_OPEN] = "fail_open", [BY_REPLY] = "by_reply", [DIR] = "dir",
		[PIN] = "pin", [SET] = "set", [SET + 1] = NULL,
	};
	int word = args_keyword(args, words);

	if (word < 0)
		return USAGE;
	if (word == FAIL_OPEN) {
		filter->flags |= FUSE_FILTER_FAIL_OPEN;
		return DONE;
	}
	if (word == BY_REPLY) {
		filter->flags |= FUSE_FILTER_BY_REPLY;
		return DONE;
	}
	if (word == DIR) {
		filter->dir = args_need(args, "PATH");
		return filter->dir ? DONE : USAGE;
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

static int check_place(const struct filter *filter)
{
	if (!(filter->flags & FUSE_FILTER_BY_REPLY))
		return DONE;
	if (filter->dir)
		return p_usage("attach: by_reply and dir exclude each other");
	if (filter->flags & (FUSE_FILTER_BEFORE | FUSE_FILTER_AFTER))
		return p_usage("attach: with by_reply there is no order");
	return DONE;
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
		ret = check_place(&filter);
	stop_on_signals();
	if (!ret)
		ret = attach_to(mountpoint, &filter);
	free(filter.elements);
	return ret;
}
