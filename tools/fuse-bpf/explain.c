// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuse-bpf explain: why may somebody do something with a path, or may not?
 *
 * Nothing here knows rules: the operation is carried out by a process that is that
 * somebody, see probe.c, and the kernel tells of each decision about that process, and
 * the filter of a policy by which rule it came to it.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "explain.h"

/* No thread has this id */
#define NOBODY (~0U)

static void *add(void *array, size_t *nr, const void *element, size_t size)
{
	char *more = reallocarray(array, *nr + 1, size);

	if (!more)
		return NULL;
	memcpy(more + *nr * size, element, size);
	++*nr;
	return more;
}

/* A walk that the kernel begins anew asks again */
static bool is_same(const struct decision *a, const struct decision *b)
{
	return a->step == b->step && a->kind == b->kind && a->filter_id == b->filter_id &&
	       a->opcode == b->opcode && a->nodeid == b->nodeid && a->parent == b->parent &&
	       a->ret == b->ret && a->why == b->why && !strcmp(a->name, b->name);
}

static void record(const struct decision *d, void *arg)
{
	struct explanation *explanation = arg;
	struct told *last = explanation->nr_told ? &explanation->told[explanation->nr_told - 1] : NULL;
	struct told told = { *d, 1 }, *more;

	if (last && is_same(&last->decision, d)) {
		last->times++;
		last->decision.time = d->time;
		return;
	}
	more = add(explanation->told, &explanation->nr_told, &told, sizeof(told));
	if (more)
		explanation->told = more;
	else
		explanation->lost++;
}

/* Of a listing, each entry is told of, and only one was asked about. */
static int record_rule(void *arg, void *data, size_t size)
{
	struct explanation *explanation = arg;
	const struct policy_event *event = data;
	struct policy_event *more;

	if (size < sizeof(*event))
		return 0;
	if (event->op == POLICY_LIST &&
	    strcmp(event->name, decisions_want(explanation->decisions)->name))
		return 0;
	more = add(explanation->events, &explanation->nr_events, event, sizeof(*event));
	if (more)
		explanation->events = more;
	else
		explanation->lost++;
	return 0;
}

static void take(void *arg)
{
	struct explanation *explanation = arg;

	decisions_wait(explanation->decisions, 0);
	if (explanation->rules)
		ring_buffer__consume(explanation->rules);
}

/* One thread at a time; one that is gone has left this behind */
static bool watch_rules(volatile struct policy_control *control, __u32 tid)
{
	__u32 other = control->explain;

	if (other && (!kill(other, 0) || errno != ESRCH))
		return false;
	return __atomic_compare_exchange_n(&control->explain, &other, tid, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static void unwatch_rules(const struct explanation *explanation, __u32 tid)
{
	if (explanation->control)
		__atomic_compare_exchange_n(&explanation->control->explain, &tid, 0, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static void watch(pid_t pid, void *arg)
{
	struct explanation *explanation = arg;

	decisions_want(explanation->decisions)->tid = pid;
	if (explanation->control)
		explanation->busy = !watch_rules(explanation->control, pid);
}

static int open_policy(struct explanation *explanation)
{
	const struct fuse_filter_info *main = enforced_main(&explanation->enforced);
	int fd, err = 0;

	if (!main)
		return DONE;
	explanation->control = control_map(explanation->enforced.control_fd);
	if (!explanation->control)
		err = -errno;
	fd = enforced_map(main, "policy_explain");
	if (!err && fd < 0)
		err = fd;
	if (!err) {
		explanation->rules = ring_buffer__new(fd, record_rule, explanation, NULL);
		err = explanation->rules ? 0 : -errno;
	}
	if (fd >= 0)
		close(fd);
	if (!err)
		return DONE;
	p_err(err, "cannot watch the policy of %s", explanation->mountpoint);
	return FAILED;
}

/* What is said of other names in the same directory is left out. */
static void want_last_name(struct explanation *explanation, struct decision_want *want)
{
	const char *path = explanation->probe.path, *name;
	size_t len = strlen(path);

	while (len && path[len - 1] == '/')
		len--;
	name = memrchr(path, '/', len);
	name = name ? name + 1 : path;
	snprintf(want->name, sizeof(want->name), "%.*s", (int)(path + len - name), name);
	want->named_ops = 1ULL << FUSE_FILTER_OP_DIRENT;
}

static int start(struct explanation *explanation)
{
	struct decision_want want = {
		.dev = decision_dev(explanation->dev),
		.tid = NOBODY,
		.verdicts = VERDICT_NONE | VERDICT_BACKING | VERDICT_DAEMON | VERDICT_REFUSED,
	};

	want_last_name(explanation, &want);
	explanation->decisions = decisions_open(&want, record, explanation);
	if (!explanation->decisions)
		return FAILED;
	if (open_policy(explanation))
		return FAILED;
	/* What an explanation before this one did not read */
	take(explanation);
	explanation->nr_events = 0;
	return DONE;
}

static int try(struct explanation *explanation)
{
	struct probe *probe = &explanation->probe;
	struct decision_want *want = decisions_want(explanation->decisions);
	__u64 lost = explanation->control ? explanation->control->lost : 0;
	int ret;

	probe->step = &want->step;
	probe->begin = watch;
	probe->pause = take;
	probe->arg = explanation;
	/* What ends the process that tries ends this one too, once it has tidied up */
	signal(SIGINT, SIG_IGN);
	ret = probe_run(probe);
	unwatch_rules(explanation, want->tid);
	explanation->lost += want->lost;
	if (explanation->control)
		explanation->lost += explanation->control->lost - lost;
	return ret;
}

static int explain(struct explanation *explanation)
{
	int fd, ret;

	fd = mount_open(explanation->mountpoint, &explanation->dev);
	if (fd < 0)
		return FAILED;
	explanation->probe.root_fd = fd;
	ret = decisions_check_namespace("explain");
	if (!ret)
		ret = enforced_read(fd, &explanation->enforced);
	if (!ret)
		ret = start(explanation);
	if (!ret)
		ret = try(explanation);
	if (!ret)
		explanation_show(explanation);
	close(fd);
	return ret;
}

static void explanation_free(struct explanation *explanation)
{
	probe_free(&explanation->probe);
	if (explanation->control)
		control_unmap(explanation->control);
	ring_buffer__free(explanation->rules);
	decisions_close(explanation->decisions);
	enforced_free(&explanation->enforced);
	identity_free(&explanation->identity);
	free(explanation->told);
	free(explanation->events);
}

/* struct who_words - what the command line says of who asks */
struct who_words {
	const char *user;
	const char *group;
	const char *cgroup;
	__u32 pid;
};

static int parse_pid(struct args *args, struct who_words *who)
{
	const char *word = args_need(args, "PID");

	if (!word)
		return USAGE;
	if (!parse_u32(word, &who->pid) || !who->pid)
		return p_usage("'%s' is no process", word);
	return DONE;
}

static int parse_word(struct args *args, const char *what, const char **word)
{
	*word = args_need(args, what);
	return *word ? DONE : USAGE;
}

static int parse_option(struct args *args, struct explanation *explanation, struct who_words *who)
{
	enum { OP, UID, GID, CGROUP, PID };
	static const char *const words[] = {
		[OP] = "op", [UID] = "uid", [GID] = "gid", [CGROUP] = "cgroup", [PID] = "pid",
		[PID + 1] = NULL,
	};
	const char *op;

	switch (args_keyword(args, words)) {
	case OP:
		op = args_need(args, "OPCODE");
		return op ? probe_op_parse(op, &explanation->probe.op, &explanation->probe.mode) :
			    USAGE;
	case UID:
		return parse_word(args, "UID", &who->user);
	case GID:
		return parse_word(args, "GID", &who->group);
	case CGROUP:
		return parse_word(args, "CGROUP", &who->cgroup);
	case PID:
		return parse_pid(args, who);
	default:
		return USAGE;
	}
}

static int find_identity(const struct who_words *who, struct identity *identity)
{
	char own[16];
	int ret = DONE;

	snprintf(own, sizeof(own), "%u", getuid());
	if (who->pid && (who->user || who->group))
		return p_usage("explain: pid excludes uid and gid");
	if (who->pid)
		ret = identity_like(identity, who->pid);
	else if (who->user || who->group)
		ret = identity_user(identity, who->user ?: own, who->group);
	if (!ret && who->cgroup)
		ret = identity_cgroup(identity, who->cgroup);
	return ret;
}

int do_explain(struct args *args)
{
	struct explanation explanation = { .enforced.control_fd = -1 };
	struct who_words who = {};
	int ret = DONE;

	explanation.mountpoint = args_need(args, "MOUNTPOINT");
	explanation.path = explanation.mountpoint ? args_need(args, "PATH") : NULL;
	if (!explanation.path)
		return USAGE;
	identity_own(&explanation.identity);
	explanation.probe.identity = &explanation.identity;
	probe_op_parse("LOOKUP", &explanation.probe.op, &explanation.probe.mode);
	while (!ret && args->argc)
		ret = parse_option(args, &explanation, &who);
	if (!ret)
		ret = probe_path(explanation.mountpoint, explanation.path, &explanation.probe.path);
	if (!ret)
		ret = find_identity(&who, &explanation.identity);
	if (!ret)
		ret = explain(&explanation);
	explanation_free(&explanation);
	return ret;
}
