// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuse-bpf stat --prometheus: the statistics in Prometheus's text format.
 *
 * All samples of a metric must stand together there, so those of all mounts are
 * collected first.
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
 * struct sample - what is known of a mount
 * @mountpoint: its path
 * @nr_ops: number of @ops that were read, negative if it counts none
 * @ops: by opcode
 * @infos: its filters
 * @nr: number of @infos
 */
struct sample {
	char *mountpoint;
	int nr_ops;
	struct fuse_op_stats ops[NR_OPS];
	struct fuse_filter_info *infos;
	int nr;
};

struct samples {
	struct sample *all;
	size_t nr;
};

#define LATENCY_METRIC "fuse_bpf_latency_seconds"

typedef void (*print_fn)(const struct sample *sample);

/* 0 or a negative errno */
static int take(struct samples *samples, const char *mountpoint, int fd)
{
	struct sample *all = reallocarray(samples->all, samples->nr + 1, sizeof(*all));
	struct sample *sample;

	if (!all)
		return -ENOMEM;
	samples->all = all;
	sample = memset(&all[samples->nr], 0, sizeof(*all));
	sample->nr_ops = fuse_bpf_stats(fd, sample->ops, NR_OPS);
	if (sample->nr_ops < 0 && sample->nr_ops != -EOPNOTSUPP)
		return sample->nr_ops;
	sample->nr = filters_read(fd, &sample->infos);
	if (sample->nr < 0)
		return sample->nr;
	sample->mountpoint = strdup(mountpoint);
	if (!sample->mountpoint) {
		free(sample->infos);
		return -ENOMEM;
	}
	samples->nr++;
	return 0;
}

static int take_one(struct samples *samples, const char *mountpoint)
{
	int err, fd = mount_open(mountpoint, NULL);

	if (fd < 0)
		return FAILED;
	err = take(samples, mountpoint, fd);
	close(fd);
	if (!err)
		return DONE;
	p_err(err, "cannot read the statistics of %s", mountpoint);
	return FAILED;
}

/* One that covers another: samples with the same labels would make the whole invalid. */
static bool is_taken(const struct samples *samples, const char *mountpoint)
{
	size_t i;

	for (i = 0; i < samples->nr; i++) {
		if (!strcmp(samples->all[i].mountpoint, mountpoint))
			return true;
	}
	return false;
}

/* A mount that does not answer must not keep the others from being watched. */
static int take_all(struct samples *samples)
{
	struct mounts mounts;
	size_t i;
	int fd, err;

	err = mounts_read(&mounts);
	if (err) {
		p_err(err, "cannot read /proc/self/mountinfo");
		return FAILED;
	}
	for (i = 0; i < mounts.nr; i++) {
		if (is_taken(samples, mounts.all[i].point))
			continue;
		fd = mounts_open(&mounts.all[i]);
		if (fd < 0)
			continue;
		err = take(samples, mounts.all[i].point, fd);
		close(fd);
		if (err)
			fprintf(stderr, "# %s is left out: %s\n", mounts.all[i].point,
				strerror(-err));
	}
	mounts_free(&mounts);
	return DONE;
}

static void samples_free(struct samples *samples)
{
	size_t i;

	for (i = 0; i < samples->nr; i++) {
		free(samples->all[i].mountpoint);
		free(samples->all[i].infos);
	}
	free(samples->all);
}

static void print_label(const char *name, const char *value)
{
	printf("%s=\"", name);
	for (; *value; value++) {
		if (*value == '\n')
			fputs("\\n", stdout);
		else if (*value == '\\' || *value == '"')
			printf("\\%c", *value);
		else
			putchar(*value);
	}
	putchar('"');
}

static void print_op_labels(const struct sample *sample, const char *metric, unsigned int op)
{
	const char *name = fuse_bpf_opcode_name(op);
	char number[16];

	snprintf(number, sizeof(number), "%u", op);
	printf("%s{", metric);
	print_label("mountpoint", sample->mountpoint);
	putchar(',');
	print_label("opcode", name ? name : number);
}

static void print_answers(const struct sample *sample, unsigned int op, const char *answer,
			  __u64 count)
{
	if (!count)
		return;
	print_op_labels(sample, "fuse_bpf_requests_total", op);
	printf(",answer=\"%s\"} %" PRIu64 "\n", answer, (uint64_t)count);
}

static void print_requests(const struct sample *sample)
{
	unsigned int op;

	for (op = 0; sample->nr_ops > 0 && op < NR_OPS; op++) {
		print_answers(sample, op, "backing", sample->ops[op].backing);
		print_answers(sample, op, "daemon", sample->ops[op].daemon);
		print_answers(sample, op, "denied", sample->ops[op].denied);
	}
}

static void print_errors(const struct sample *sample)
{
	unsigned int op;

	for (op = 0; sample->nr_ops > 0 && op < NR_OPS; op++) {
		if (!sample->ops[op].errors)
			continue;
		print_op_labels(sample, "fuse_bpf_errors_total", op);
		printf("} %" PRIu64 "\n", (uint64_t)sample->ops[op].errors);
	}
}

static void print_filter(const struct sample *sample, const char *metric,
			 const struct fuse_filter_info *info, __u64 value)
{
	printf("%s{", metric);
	print_label("mountpoint", sample->mountpoint);
	putchar(',');
	print_label("filter", info->name);
	printf(",id=\"%u\"} %" PRIu64 "\n", info->id, (uint64_t)value);
}

static void print_runs(const struct sample *sample)
{
	int i;

	for (i = 0; i < sample->nr; i++)
		print_filter(sample, "fuse_bpf_filter_runs_total", &sample->infos[i],
			     sample->infos[i].runs);
}

static void print_denied(const struct sample *sample)
{
	int i;

	for (i = 0; i < sample->nr; i++)
		print_filter(sample, "fuse_bpf_filter_denied_total", &sample->infos[i],
			     sample->infos[i].denied);
}

static void print_dead(const struct sample *sample)
{
	int i;

	for (i = 0; i < sample->nr; i++)
		print_filter(sample, "fuse_bpf_filter_dead", &sample->infos[i],
			     !!(sample->infos[i].flags & FUSE_FILTER_DEAD));
}

static const struct metric {
	const char *name;
	const char *type;
	const char *help;
	print_fn print;
} metrics[] = {
	{ "fuse_bpf_requests_total", "counter", "Requests, by who answered.", print_requests },
	{ "fuse_bpf_errors_total", "counter", "Requests that the backing answered with an error.",
	  print_errors },
	{ "fuse_bpf_filter_runs_total", "counter", "Callbacks made to a filter.", print_runs },
	{ "fuse_bpf_filter_denied_total", "counter", "Requests that a filter refused.",
	  print_denied },
	{ "fuse_bpf_filter_dead", "gauge", "1 if the filter's link is gone.", print_dead },
};

static void print_all(const struct samples *samples)
{
	size_t m, i;

	for (m = 0; m < ARRAY_SIZE(metrics); m++) {
		printf("# HELP %s %s\n# TYPE %s %s\n", metrics[m].name, metrics[m].help,
		       metrics[m].name, metrics[m].type);
		for (i = 0; i < samples->nr; i++)
			metrics[m].print(&samples->all[i]);
	}
}

static void print_buckets(const struct sample *sample, unsigned int op,
			  const struct latency_sum *sum)
{
	__u64 below = 0;
	unsigned int slot;

	/* The last slot has no end of its own */
	for (slot = 0; slot < LATENCY_SLOTS - 1; slot++) {
		below += sum->slots[slot];
		if (!sum->slots[slot])
			continue;
		print_op_labels(sample, LATENCY_METRIC "_bucket", op);
		printf(",le=\"%.9f\"} %" PRIu64 "\n", (2ULL << slot) / 1e9, (uint64_t)below);
	}
	print_op_labels(sample, LATENCY_METRIC "_bucket", op);
	printf(",le=\"+Inf\"} %" PRIu64 "\n", (uint64_t)sum->count);
	print_op_labels(sample, LATENCY_METRIC "_sum", op);
	printf("} %.9f\n", sum->ns / 1e9);
	print_op_labels(sample, LATENCY_METRIC "_count", op);
	printf("} %" PRIu64 "\n", (uint64_t)sum->count);
}

static int print_latencies(const struct sample *sample, const struct latencies *latencies)
{
	struct latency_sum sum;
	unsigned int op;
	int err = 0;

	printf("# HELP %s How long operations took, while it was measured.\n# TYPE %s histogram\n",
	       LATENCY_METRIC, LATENCY_METRIC);
	for (op = 0; !err && op < LATENCY_OPS; op++) {
		err = latencies_read(latencies, op, &sum);
		if (!err && sum.count)
			print_buckets(sample, op, &sum);
	}
	if (!err)
		return DONE;
	p_err(err, "cannot read what was measured");
	return FAILED;
}

/**
 * prometheus - print the statistics for Prometheus
 * @mountpoint: of one mount, NULL: of all that can be opened
 * @latencies: what was measured of @mountpoint, or NULL
 *
 * Return: DONE, or FAILED after reporting it
 */
int prometheus(const char *mountpoint, const struct latencies *latencies)
{
	struct samples samples = {};
	int ret = mountpoint ? take_one(&samples, mountpoint) : take_all(&samples);

	if (!ret)
		print_all(&samples);
	if (!ret && latencies)
		ret = print_latencies(&samples.all[0], latencies);
	samples_free(&samples);
	return ret;
}
