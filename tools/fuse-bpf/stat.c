// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuse-bpf stat: who answered how often, and what filters did.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "main.h"

static bool is_zero(const struct fuse_op_stats *ops)
{
	return !ops->backing && !ops->daemon && !ops->denied && !ops->errors;
}

static void add_counts(struct json_object *obj, const struct fuse_op_stats *ops)
{
	add_number(obj, "backing", ops->backing);
	add_number(obj, "daemon", ops->daemon);
	add_number(obj, "denied", ops->denied);
	add_number(obj, "errors", ops->errors);
}

static void show_row(const char *name, const struct fuse_op_stats *ops)
{
	p_text("%-18s %12" PRIu64 " %12" PRIu64 " %12" PRIu64 " %12" PRIu64 "\n", name,
	       (uint64_t)ops->backing, (uint64_t)ops->daemon, (uint64_t)ops->denied,
	       (uint64_t)ops->errors);
}

static void show_op(unsigned int op, const struct fuse_op_stats *ops, struct json_object *list)
{
	struct json_object *obj = json_object_new_object();
	const char *name = fuse_bpf_opcode_name(op);
	char number[16];

	snprintf(number, sizeof(number), "%u", op);
	add_number(obj, "opcode", op);
	add_string(obj, "name", name);
	add_counts(obj, ops);
	json_object_array_add(list, obj);
	show_row(name ? name : number, ops);
}

static struct json_object *show_ops(const struct fuse_op_stats *ops, struct fuse_op_stats *total)
{
	struct json_object *list = json_object_new_array();
	unsigned int op;

	p_text("%-18s %12s %12s %12s %12s\n", "opcode", "backing", "daemon", "denied", "errors");
	for (op = 0; op < NR_OPS; op++) {
		if (is_zero(&ops[op]))
			continue;
		show_op(op, &ops[op], list);
		total->backing += ops[op].backing;
		total->daemon += ops[op].daemon;
		total->denied += ops[op].denied;
		total->errors += ops[op].errors;
	}
	show_row("total", total);
	return list;
}

/* Who answers on a mount that is not backed is no question, and not counted. */
static void show_counts(struct json_object *result, const struct fuse_op_stats *ops)
{
	struct fuse_op_stats total = {};
	struct json_object *sum;

	if (!ops) {
		p_text("not backed: its daemon answers, and nothing is counted by opcode\n");
		json_object_object_add(result, "ops", NULL);
		json_object_object_add(result, "total", NULL);
		return;
	}
	json_object_object_add(result, "ops", show_ops(ops, &total));
	sum = json_object_new_object();
	add_counts(sum, &total);
	json_object_object_add(result, "total", sum);
}

static int show(const char *mountpoint, int fd, const struct fuse_op_stats *ops)
{
	struct json_object *result;
	struct fuse_filter_info *infos;
	int nr = filters_read(fd, &infos);

	if (nr < 0) {
		p_err(nr, "cannot list the filters of %s", mountpoint);
		return FAILED;
	}
	result = json_object_new_object();
	add_string(result, "mountpoint", mountpoint);
	show_counts(result, ops);
	if (nr)
		p_text("filters\n");
	filters_print(infos, nr);
	json_object_object_add(result, "filters", filters_json(infos, nr));
	out_result(result);
	free(infos);
	return DONE;
}

static int show_once(const char *mountpoint)
{
	struct fuse_op_stats ops[NR_OPS];
	int fd, nr, ret = FAILED;

	fd = mount_open(mountpoint, NULL);
	if (fd < 0)
		return FAILED;
	nr = fuse_bpf_stats(fd, ops, NR_OPS);
	if (nr < 0 && nr != -EOPNOTSUPP)
		p_err(nr, "cannot read the statistics of %s", mountpoint);
	else
		ret = show(mountpoint, fd, nr < 0 ? NULL : ops);
	close(fd);
	return ret;
}

/* The mount is opened anew each time, as it could not be unmounted otherwise. */
static int show_again(const char *mountpoint, __u32 seconds)
{
	int ret;

	while ((ret = show_once(mountpoint)) == DONE) {
		out_flush();
		p_text("\n");
		fflush(stdout);
		sleep(seconds);
	}
	return ret;
}

static int parse(struct args *args, const char **mountpoint, bool *metrics, __u32 *seconds)
{
	const char *word;

	while ((word = args_next(args))) {
		if (!strcmp(word, "--prometheus")) {
			*metrics = true;
		} else if (!strcmp(word, "-i")) {
			word = args_need(args, "SECS");
			if (!word)
				return USAGE;
			if (!parse_u32(word, seconds) || !*seconds)
				return p_usage("'%s' is no number of seconds", word);
		} else if (*word == '-') {
			return p_usage("stat has no option '%s'", word);
		} else if (*mountpoint) {
			return p_usage("'%s' is one word too many", word);
		} else {
			*mountpoint = word;
		}
	}
	if (*metrics && (*seconds || settings.json))
		return p_usage("--prometheus goes neither with -i nor with JSON");
	if (!*metrics && !*mountpoint)
		return p_usage("MOUNTPOINT is missing");
	return DONE;
}

int do_stat(struct args *args)
{
	const char *mountpoint = NULL;
	bool metrics = false;
	__u32 seconds = 0;
	int ret;

	ret = parse(args, &mountpoint, &metrics, &seconds);
	if (ret)
		return ret;
	if (metrics)
		return prometheus(mountpoint);
	return seconds ? show_again(mountpoint, seconds) : show_once(mountpoint);
}
