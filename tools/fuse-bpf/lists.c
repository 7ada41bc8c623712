// SPDX-License-Identifier: GPL-2.0-only
/*
 * The filters that are attached to a mount and its directories: finding one, and
 * showing them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "main.h"

/**
 * filters_read - list all filters of a mount
 * @fd: a directory of the mount
 * @infos: out: to be freed, NULL after an error
 *
 * Return: how many there are, or a negative errno that is not reported
 */
int filters_read(int fd, struct fuse_filter_info **infos)
{
	struct fuse_filter_info *all = NULL, *more;
	int nr = FUSE_FILTER_MAX, room = 0;

	*infos = NULL;
	/* More can be attached between two looks */
	while (nr > room) {
		room = nr;
		more = reallocarray(all, room, sizeof(*all));
		if (!more) {
			free(all);
			return -ENOMEM;
		}
		all = more;
		nr = fuse_bpf_list(fd, all, room);
	}
	if (nr < 0) {
		free(all);
		return nr;
	}
	*infos = all;
	return nr;
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

static struct json_object *filter_json(const struct fuse_filter_info *info)
{
	struct json_object *obj = json_object_new_object();

	add_number(obj, "id", info->id);
	add_string(obj, "name", info->name);
	add_number(obj, "map_id", info->map_id);
	add_number(obj, "link_id", info->link_id);
	if (info->flags & FUSE_FILTER_DIRECTORY)
		add_number(obj, "dir", info->dir);
	else
		json_object_object_add(obj, "dir", NULL);
	add_bool(obj, "by_reply", info->flags & FUSE_FILTER_BY_REPLY);
	add_number(obj, "nodes", info->nodes);
	json_object_object_add(obj, "ops", ops_json(info->ops));
	json_object_object_add(obj, "post_ops", ops_json(info->post_ops));
	add_bool(obj, "fail_open", info->flags & FUSE_FILTER_FAIL_OPEN);
	add_bool(obj, "dead", info->flags & FUSE_FILTER_DEAD);
	add_number(obj, "runs", info->runs);
	add_number(obj, "denied", info->denied);
	return obj;
}

/* filters_json - filters in the order of the list; "dir" is null for the mount's own */
struct json_object *filters_json(const struct fuse_filter_info *infos, int nr)
{
	struct json_object *list = json_object_new_array();
	int i;

	for (i = 0; i < nr; i++)
		json_object_array_add(list, filter_json(&infos[i]));
	return list;
}

/* filters_print - a line for each filter, unless the output is JSON */
void filters_print(const struct fuse_filter_info *infos, int nr)
{
	int i;

	for (i = 0; i < nr; i++) {
		p_text("  %u: %-15s map %-5u link %-5u runs %" PRIu64 " denied %" PRIu64,
		       infos[i].id, infos[i].name, infos[i].map_id, infos[i].link_id,
		       (uint64_t)infos[i].runs, (uint64_t)infos[i].denied);
		if (infos[i].flags & FUSE_FILTER_DIRECTORY)
			p_text(" dir inode %" PRIu64, (uint64_t)infos[i].dir);
		if (infos[i].flags & FUSE_FILTER_BY_REPLY)
			p_text(" by_reply nodes %" PRIu64, (uint64_t)infos[i].nodes);
		p_text("%s%s\n", infos[i].flags & FUSE_FILTER_FAIL_OPEN ? " fail_open" : "",
		       infos[i].flags & FUSE_FILTER_DEAD ? " dead" : "");
	}
}

/**
 * which_parse - take { ID | name NAME }
 * @args: command line after the mount point
 * @command: name of the command, for errors
 * @which: filled in
 *
 * Return: DONE, or USAGE after reporting it
 */
int which_parse(struct args *args, const char *command, struct which *which)
{
	static const char *const words[] = { "name", NULL };

	memset(which, 0, sizeof(*which));
	if (!args->argc)
		return p_usage("%s: ID or name NAME is missing", command);
	if (**args->argv >= '0' && **args->argv <= '9')
		return args_id(args, &which->id);
	if (args_keyword(args, words) < 0)
		return USAGE;
	which->name = args_need(args, "NAME");
	return which->name ? DONE : USAGE;
}

/* which_parse_dir - take the PATH after "dir"; DONE, or USAGE after reporting it */
int which_parse_dir(struct args *args, struct which *which)
{
	which->dir = args_need(args, "PATH");
	return which->dir ? DONE : USAGE;
}

static bool is_meant(const struct fuse_filter_info *info, const struct which *which)
{
	if (which->dir &&
	    (!(info->flags & FUSE_FILTER_DIRECTORY) || info->dir != which->dir_ino))
		return false;
	return which->name ? !strcmp(info->name, which->name) : info->id == which->id;
}

static void report_none(const struct which *which)
{
	char what[64 + FUSE_FILTER_NAME_LEN];

	if (which->name)
		snprintf(what, sizeof(what), "called %.15s", which->name);
	else
		snprintf(what, sizeof(what), "with id %u", which->id);
	p_err(0, "no filter %s is attached%s%s; 'fuse-bpf ls' shows those that are", what,
	      which->dir ? " to the directory " : "", which->dir ? which->dir : "");
}

/* NULL after reporting that there is none, or that there are several */
static const struct fuse_filter_info *find(const struct which *which,
					   const struct fuse_filter_info *infos, int nr)
{
	const struct fuse_filter_info *found = NULL;
	int i;

	for (i = 0; i < nr; i++) {
		if (!is_meant(&infos[i], which))
			continue;
		if (found) {
			p_err(0, "several filters are called %s (%u, %u): give an id", which->name,
			      found->id, infos[i].id);
			return NULL;
		}
		found = &infos[i];
	}
	if (!found)
		report_none(which);
	return found;
}

/**
 * which_open - open a mount, and find one of its filters
 * @mountpoint: its path
 * @which: from which_parse(); the directory is looked up
 * @info: out: the filter
 * @dev: out: device number of the mount
 *
 * Return: a directory of the mount, or a negative value after reporting the error
 */
int which_open(const char *mountpoint, struct which *which, struct fuse_filter_info *info,
	       dev_t *dev)
{
	const struct fuse_filter_info *found = NULL;
	struct fuse_filter_info *infos;
	int fd, dir_fd, nr;

	fd = mount_open(mountpoint, dev);
	if (fd < 0)
		return fd;
	if (which->dir) {
		dir_fd = dir_open(fd, *dev, which->dir, &which->dir_ino);
		if (dir_fd < 0) {
			close(fd);
			return dir_fd;
		}
		close(dir_fd);
	}
	nr = filters_read(fd, &infos);
	if (nr < 0)
		p_err(nr, "cannot list the filters of %s", mountpoint);
	else
		found = find(which, infos, nr);
	if (found)
		*info = *found;
	free(infos);
	if (found)
		return fd;
	close(fd);
	return -ENOENT;
}
