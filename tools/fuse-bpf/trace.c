// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuse-bpf trace: what filters, and the kernel by itself, decide, as they do it.
 */
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "decisions.h"

/**
 * struct tracing - what is shown
 * @want: what is recorded
 * @pattern: of names, NULL: any
 * @left: decisions that are still to be shown, 0: no limit
 * @shown: decisions that were shown
 * @done: @left has been shown
 */
struct tracing {
	struct decision_want want;
	const char *pattern;
	__u32 left;
	__u64 shown;
	bool done;
};

static void print(const struct decision *d)
{
	static const char *const kinds[] = {
		[DECISION_PRE] = "", [DECISION_POST] = " afterwards", [DECISION_REFUSED] = "",
	};
	char name[4 * DECISION_NAME + 1], comm[4 * DECISION_WORD + 1], verdict[96];

	decision_verdict(d, verdict, sizeof(verdict));
	p_text("%llu.%06llu %u:%u uid %u tid %u (%s) %s", (unsigned long long)d->time / 1000000000,
	       (unsigned long long)d->time / 1000 % 1000000, d->dev >> 20, d->dev & 0xfffff,
	       d->fsuid, d->tid, printable(d->comm, comm, sizeof(comm)), decision_opcode(d));
	if (d->name[0])
		p_text(" '%s' in %llx", printable(d->name, name, sizeof(name)),
		       (unsigned long long)d->parent);
	if (d->nodeid)
		p_text(" node %llx", (unsigned long long)d->nodeid);
	if (d->kind == DECISION_REFUSED)
		p_text(": the kernel: %s\n", verdict);
	else
		p_text(": %u %s%s: %s\n", d->filter_id, d->filter, kinds[d->kind], verdict);
}

static void show(const struct decision *d, void *arg)
{
	struct tracing *tracing = arg;

	if (tracing->done)
		return;
	if (tracing->pattern && fnmatch(tracing->pattern, d->name, 0))
		return;
	print(d);
	if (settings.json) {
		out_result(decision_json(d));
		out_flush();
	}
	fflush(stdout);
	tracing->shown++;
	if (tracing->left && !--tracing->left)
		tracing->done = true;
}

static int parse_verdict(struct args *args, __u32 *verdicts)
{
	static const char *const words[] = { "none", "backing", "daemon", "refused", NULL };
	int word;

	if (!args->argc)
		return p_usage("VERDICT is missing");
	word = args_keyword(args, words);
	if (word < 0)
		return USAGE;
	*verdicts = VERDICT_NONE << word;
	return DONE;
}

static int parse_opcode(struct args *args, __u32 *opcode)
{
	const char *word = args_need(args, "OPCODE");

	if (!word)
		return USAGE;
	*opcode = decision_opcode_find(word);
	return *opcode ? DONE :
	       p_usage("there is no opcode '%s'; 'fuse-bpf feature' lists those of filters", word);
}

static int parse_number(struct args *args, const char *what, __u32 *number)
{
	const char *word = args_need(args, what);

	if (!word)
		return USAGE;
	return parse_u32(word, number) ? DONE : p_usage("'%s' is no number", word);
}

/* A plain name is compared in the kernel, so that others do not fill the buffer. */
static int parse_name(struct args *args, struct tracing *tracing)
{
	const char *name = args_need(args, "NAME");

	if (!name)
		return USAGE;
	if (strlen(name) >= sizeof(tracing->want.name))
		return p_usage("'%s' is longer than any name", name);
	if (strpbrk(name, "*?[\\")) {
		tracing->pattern = name;
	} else {
		strcpy(tracing->want.name, name);
		tracing->want.named_ops = ~0ULL;
	}
	return DONE;
}

static int parse_option(struct args *args, struct tracing *tracing)
{
	enum { UID, OP, VERDICT, NAME, COUNT };
	static const char *const words[] = {
		[UID] = "uid", [OP] = "op", [VERDICT] = "verdict", [NAME] = "name",
		[COUNT] = "count", [COUNT + 1] = NULL,
	};

	switch (args_keyword(args, words)) {
	case UID:
		tracing->want.has_uid = true;
		return parse_number(args, "UID", &tracing->want.uid);
	case OP:
		return parse_opcode(args, &tracing->want.opcode);
	case VERDICT:
		return parse_verdict(args, &tracing->want.verdicts);
	case NAME:
		return parse_name(args, tracing);
	case COUNT:
		return parse_number(args, "COUNT", &tracing->left);
	default:
		return USAGE;
	}
}

/* The mount is not held, so that it can be unmounted meanwhile. */
static int find_mount(const char *mountpoint, __u32 *wanted)
{
	dev_t dev;
	int fd;

	if (!strcmp(mountpoint, "all"))
		return DONE;
	fd = mount_open(mountpoint, &dev);
	if (fd < 0)
		return FAILED;
	close(fd);
	*wanted = decision_dev(dev);
	return DONE;
}

static int trace(struct tracing *tracing)
{
	struct json_object *result;
	struct decisions *decisions;
	int err = 0;

	decisions = decisions_open(&tracing->want, show, tracing);
	if (!decisions)
		return FAILED;
	while (!err && !stopped() && !tracing->done)
		err = decisions_wait(decisions, 500);
	result = json_object_new_object();
	add_number(result, "decisions", tracing->shown);
	add_number(result, "lost", decisions_want(decisions)->lost);
	out_result(result);
	p_text("%llu decisions, %llu lost\n", (unsigned long long)tracing->shown,
	       (unsigned long long)decisions_want(decisions)->lost);
	decisions_close(decisions);
	if (!err)
		return DONE;
	p_err(err, "cannot go on reading decisions");
	return FAILED;
}

int do_trace(struct args *args)
{
	const char *mountpoint = args_need(args, "MOUNTPOINT or 'all'");
	struct tracing tracing = {
		.want.verdicts = VERDICT_NONE | VERDICT_BACKING | VERDICT_DAEMON | VERDICT_REFUSED,
	};
	int ret = mountpoint ? DONE : USAGE;

	while (!ret && args->argc)
		ret = parse_option(args, &tracing);
	if (!ret)
		ret = find_mount(mountpoint, &tracing.want.dev);
	stop_on_signals();
	return ret ?: trace(&tracing);
}
