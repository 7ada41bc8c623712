// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuse-bpf stat: who answered how often.
 */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "main.h"

#define NR_OPS 128

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

static void show(const char *mountpoint, const struct fuse_op_stats *ops)
{
	struct json_object *result = json_object_new_object();
	struct json_object *list = json_object_new_array();
	struct json_object *sum = json_object_new_object();
	struct fuse_op_stats total = {};
	unsigned int op;

	p_text("%-18s %12s %12s %12s %12s\n", "opcode", "backing", "daemon", "denied", "errors");
	for (op = 0; op < NR_OPS; op++) {
		if (is_zero(&ops[op]))
			continue;
		show_op(op, &ops[op], list);
		total.backing += ops[op].backing;
		total.daemon += ops[op].daemon;
		total.denied += ops[op].denied;
		total.errors += ops[op].errors;
	}
	show_row("total", &total);

	add_string(result, "mountpoint", mountpoint);
	json_object_object_add(result, "ops", list);
	add_counts(sum, &total);
	json_object_object_add(result, "total", sum);
	out_result(result);
}

int do_stat(struct args *args)
{
	const char *mountpoint = args_need(args, "MOUNTPOINT");
	struct fuse_op_stats ops[NR_OPS];
	int fd, ret;

	if (!mountpoint || args_end(args))
		return USAGE;
	fd = mount_open(mountpoint, NULL);
	if (fd < 0)
		return FAILED;
	ret = fuse_bpf_stats(fd, ops, NR_OPS);
	close(fd);
	if (ret < 0) {
		p_err(ret, "cannot read the statistics of %s", mountpoint);
		return FAILED;
	}
	show(mountpoint, ops);
	return DONE;
}
