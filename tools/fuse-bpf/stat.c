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

#include "latency.h"
#include "main.h"

/**
 * struct request - what the command line asks for
 * @mountpoint: of which mount, NULL: of all
 * @metrics: for Prometheus
 * @latency: measure latencies
 * @seconds: show it again after so many, 0: once
 */
struct request {
	const char *mountpoint;
	bool metrics;
	bool latency;
	__u32 seconds;
};

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

static int show_latencies(const struct latencies *latencies, struct json_object *result)
{
	int err = latencies ? latencies_show(latencies, result) : 0;

	if (!err)
		return DONE;
	p_err(err, "cannot read what was measured");
	return FAILED;
}

static int show(const char *mountpoint, int fd, const struct fuse_op_stats *ops,
		const struct latencies *latencies)
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
	return show_latencies(latencies, result);
}

static int show_once(const char *mountpoint, const struct latencies *latencies)
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
		ret = show(mountpoint, fd, nr < 0 ? NULL : ops, latencies);
	close(fd);
	return ret;
}

/* The mount is opened anew each time, as it could not be unmounted otherwise. */
static int show_again(const char *mountpoint, __u32 seconds)
{
	int ret;

	while ((ret = show_once(mountpoint, NULL)) == DONE) {
		out_flush();
		p_text("\n");
		fflush(stdout);
		sleep(seconds);
	}
	return ret;
}

/* Until the next time, or the end, which may be asked for just before it sleeps */
static void measure(__u32 seconds)
{
	__u32 passed;

	for (passed = 0; !stopped() && (!seconds || passed < seconds); passed++)
		sleep(1);
}

static int show_measured(const struct request *request, const struct latencies *latencies)
{
	int ret;

	for (;;) {
		measure(request->seconds);
		ret = show_once(request->mountpoint, latencies);
		if (ret || stopped())
			return ret;
		out_flush();
		p_text("\n");
		fflush(stdout);
	}
}

static int do_latency(const struct request *request)
{
	struct latencies *latencies;
	int ret;

	stop_on_signals();
	latencies = latencies_open(request->mountpoint);
	if (!latencies)
		return FAILED;
	if (request->metrics) {
		measure(request->seconds);
		ret = prometheus(request->mountpoint, latencies);
	} else {
		ret = show_measured(request, latencies);
	}
	latencies_close(latencies);
	return ret;
}

static int parse_seconds(struct args *args, __u32 *seconds)
{
	const char *word = args_need(args, "SECS");

	if (!word)
		return USAGE;
	return parse_u32(word, seconds) && *seconds ? DONE :
	       p_usage("'%s' is no number of seconds", word);
}

static int parse_word(const char *word, struct args *args, struct request *request)
{
	if (!strcmp(word, "--prometheus"))
		request->metrics = true;
	else if (!strcmp(word, "--latency"))
		request->latency = true;
	else if (!strcmp(word, "-i"))
		return parse_seconds(args, &request->seconds);
	else if (*word == '-')
		return p_usage("stat has no option '%s'", word);
	else if (request->mountpoint)
		return p_usage("'%s' is one word too many", word);
	else
		request->mountpoint = word;
	return DONE;
}

static int check(const struct request *request)
{
	if (request->metrics && (settings.json || (request->seconds && !request->latency)))
		return p_usage("--prometheus goes neither with -i nor with JSON");
	if (request->metrics && request->latency && !request->seconds)
		return p_usage("with --prometheus, -i SECS says how long --latency measures");
	if (!request->mountpoint && (request->latency || !request->metrics))
		return p_usage("MOUNTPOINT is missing");
	return DONE;
}

int do_stat(struct args *args)
{
	struct request request = {};
	const char *word;
	int ret = DONE;

	while (!ret && (word = args_next(args)))
		ret = parse_word(word, args, &request);
	if (!ret)
		ret = check(&request);
	if (ret)
		return ret;
	if (request.latency)
		return do_latency(&request);
	if (request.metrics)
		return prometheus(request.mountpoint, NULL);
	return request.seconds ? show_again(request.mountpoint, request.seconds) :
				 show_once(request.mountpoint, NULL);
}
