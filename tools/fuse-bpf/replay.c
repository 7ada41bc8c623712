// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuse-bpf replay: what would other filters, or another policy, have said of requests that
 * were recorded?
 *
 * Nothing here knows rules: the requests are made again on a mount that nobody sees, whose
 * tree has the names that were recorded and nothing in them. So the kernel asks the
 * filters as it does when they are in force, and tells of what they say.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "identity.h"
#include "replay.h"
#include "replay.skel.h"

/* The exit status if verdicts differ, which is no failure */
#define DIFFERENT 3

static void judge(struct outcome *outcome, const struct decision *d)
{
	bool daemon = d->kind == DECISION_PRE && d->ret >= 0 &&
		      (d->ret & 0xff) == FUSE_FILTER_DAEMON;

	if (d->ret < 0)
		outcome->asked = true;
	if (strcmp(outcome->verdict, "pass") && strcmp(outcome->verdict, "daemon"))
		return;
	if (d->ret >= 0 && !daemon)
		return;
	snprintf(outcome->verdict, sizeof(outcome->verdict), "%s",
		 daemon ? "daemon" : strerrorname_np(-d->ret) ?: "EIO");
	memcpy(outcome->filter, d->filter, sizeof(outcome->filter));
}

/* Of what is made, the name is looked up first, which may be refused already. */
static void take_decision(const struct decision *d, void *arg)
{
	struct replay *replay = arg;
	const struct request *request = replay->current;
	bool same;

	if (!request || d->kind == DECISION_REFUSED ||
	    (request->name && strcmp(d->name, request->name)))
		return;
	same = d->opcode == request->opcode;
	if (!strcmp(d->filter, REPLAY_GUARD))
		replay->outcome.asked |= same;
	else if (same)
		judge(&replay->outcome, d);
	else if (d->opcode == FUSE_LOOKUP)
		judge(&replay->before, d);
}

/* A rename is asked about by both of its names */
static bool is_about(const struct request *request, const char *name)
{
	return !request->name || !strcmp(name, request->name) ||
	       (request->newname && !strcmp(name, request->newname));
}

static int take_rule(void *arg, void *data, size_t size)
{
	struct replay *replay = arg;
	const struct policy_event *event = data;
	struct outcome *outcome = NULL;

	if (!replay->current || size < sizeof(*event) || event->rule == POLICY_NO_RULE)
		return 0;
	if (event->opcode == replay->current->opcode)
		outcome = &replay->outcome;
	else if (event->opcode == FUSE_LOOKUP)
		outcome = &replay->before;
	if (!outcome || !is_about(replay->current, event->name))
		return 0;
	outcome->has_rule = true;
	outcome->rule = event->rule;
	return 0;
}

static struct outcome no_opinion(void)
{
	return (struct outcome){ .verdict = "pass" };
}

/* Another cgroup only where it changes; one that is gone cannot be entered. */
static bool enter_cgroup(struct replay *replay, const char *path)
{
	struct identity identity;
	char procs[PATH_MAX];
	bool entered;

	if (!path || !strcmp(path, replay->cgroup))
		return true;
	snprintf(procs, sizeof(procs), "/sys/fs/cgroup/%s/cgroup.procs", path);
	if (access(procs, W_OK))
		return false;
	identity_own(&identity);
	entered = !identity_cgroup(&identity, path) && !identity_assume(&identity);
	identity_free(&identity);
	if (entered)
		snprintf(replay->cgroup, sizeof(replay->cgroup), "%s", path);
	return entered;
}

static void add_place_path(struct json_object *obj, const char *key, const struct place *place,
			   const char *name)
{
	char path[PATH_MAX];

	if (replay_place_path(place, name, path, sizeof(path)))
		add_string(obj, key, NULL);
	else
		add_bytes(obj, key, path);
}

static const struct place *place_of(const struct request *request)
{
	return request->name ? request->dir : request->node;
}

static struct json_object *verdict_json(const char *verdict, const char *filter)
{
	struct json_object *obj = json_object_new_object();

	add_string(obj, "verdict", verdict);
	add_string(obj, "filter", filter && *filter ? filter : NULL);
	return obj;
}

static void show_rule(const struct replay *replay, const struct outcome *outcome,
		      struct json_object *obj)
{
	struct policy_rule rule;

	if (!outcome->has_rule || enforced_rule(&replay->enforced, outcome->rule, &rule)) {
		p_text("\n");
		return;
	}
	json_object_object_add(obj, "rule", rule_json(&rule, outcome->rule));
	p_text(", line %u: %s\n", rule.line, rule.text);
}

static void show_difference(const struct replay *replay, const struct request *request,
			    const struct outcome *outcome, struct json_object *list)
{
	struct json_object *obj = json_object_new_object();
	struct json_object *after = verdict_json(outcome->verdict, outcome->filter);
	char path[PATH_MAX] = "?", text[4 * PATH_MAX], comm[4 * RECORD_WORD + 1];

	add_string(obj, "op", request->op);
	add_place_path(obj, "path", place_of(request), request->name);
	if (request->newname)
		add_place_path(obj, "newpath", request->newdir, request->newname);
	add_number(obj, "uid", request->uid);
	add_number(obj, "gid", request->gid);
	add_bytes(obj, "cgroup", request->cgroup ?: "");
	add_bytes(obj, "comm", request->comm);
	json_object_object_add(obj, "before", verdict_json(request->verdict, request->filter));
	json_object_object_add(obj, "after", after);
	json_object_array_add(list, obj);

	replay_place_path(place_of(request), request->name, path, sizeof(path));
	p_text("%s %s uid %u (%s): %s -> %s", request->op, printable(path, text, sizeof(text)),
	       request->uid, printable(request->comm, comm, sizeof(comm)), request->verdict,
	       outcome->verdict);
	show_rule(replay, outcome, after);
}

static void compare(struct replay *replay, struct json_object *list)
{
	const struct request *request = replay->current;
	const struct outcome *outcome = &replay->outcome;

	/* What is refused as a name is looked up is not asked about any more */
	if (!outcome->asked && replay->before.asked)
		outcome = &replay->before;
	if (!outcome->asked) {
		replay->skipped[request->opcode]++;
		return;
	}
	replay->replayed++;
	if (!strcmp(outcome->verdict, request->verdict))
		return;
	replay->differ++;
	show_difference(replay, request, outcome, list);
}

static void take_all(struct replay *replay)
{
	decisions_wait(replay->decisions, 0);
	if (replay->rules)
		ring_buffer__consume(replay->rules);
}

static void replay_one(struct replay *replay, const struct request *request,
		       struct json_object *list)
{
	if (!replay_can(request)) {
		replay->skipped[request->opcode]++;
		return;
	}
	if (!enter_cgroup(replay, request->cgroup))
		replay->elsewhere++;
	replay->current = request;
	replay->outcome = no_opinion();
	replay->before = no_opinion();
	replay_do(replay, request);
	take_all(replay);
	replay->current = NULL;
	replay_undo(replay);
	take_all(replay);
	replay->current = request;
	compare(replay, list);
}

static int mount_tree(struct replay *replay)
{
	struct fuse_bpf_mount_opts opts = {
		.sz = sizeof(opts), .flags = FUSE_BPF_MOUNT_ALLOW_OTHER, .source = "replay",
	};
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/tree", replay->dir);
	replay->mount_fd = fuse_bpf_fsmount(path, NULL, &opts);
	if (replay->mount_fd < 0) {
		p_err(replay->mount_fd, "cannot make a mount for the replay");
		return FAILED;
	}
	replay->root_fd = openat(replay->mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (replay->root_fd < 0 || fstat(replay->root_fd, &st)) {
		p_err(-errno, "cannot open the mount of the replay");
		return FAILED;
	}
	replay->dev = st.st_dev;
	return DONE;
}

static int attach_guard(struct replay *replay)
{
	FUSE_BPF_OPTS(fuse_bpf_attach_opts, opts);
	__u32 id;
	int err;

	replay->guard = replay_bpf__open_and_load();
	err = replay->guard ? 0 : -errno;
	if (!err) {
		replay->guard_link = bpf_map__attach_struct_ops(replay->guard->maps.replay);
		err = replay->guard_link ? 0 : -errno;
	}
	if (!err)
		err = fuse_bpf_attach(replay->root_fd, bpf_link__fd(replay->guard_link), &id, &opts);
	if (!err)
		return DONE;
	p_err(err, "cannot attach the filter that keeps a replay from changing anything");
	return FAILED;
}

static int watch_rules(struct replay *replay)
{
	const struct fuse_filter_info *main;
	int fd, err = 0;

	if (enforced_read(replay->root_fd, &replay->enforced))
		return FAILED;
	main = enforced_main(&replay->enforced);
	if (!main)
		return DONE;
	fd = enforced_map(main, "policy_explain");
	replay->control = control_map(replay->enforced.control_fd);
	if (fd < 0 || !replay->control)
		err = fd < 0 ? fd : -errno;
	if (!err) {
		replay->rules = ring_buffer__new(fd, take_rule, replay, NULL);
		err = replay->rules ? 0 : -errno;
		replay->control->explain = gettid();
	}
	if (fd >= 0)
		close(fd);
	if (!err)
		return DONE;
	p_err(err, "cannot watch the policy of the replay");
	return FAILED;
}

static int watch(struct replay *replay)
{
	struct decision_want want = {
		.dev = decision_dev(replay->dev),
		.tid = gettid(),
		.verdicts = VERDICT_NONE | VERDICT_BACKING | VERDICT_DAEMON | VERDICT_REFUSED,
	};

	if (watch_rules(replay))
		return FAILED;
	replay->decisions = decisions_open(&want, take_decision, replay);
	return replay->decisions ? DONE : FAILED;
}

static void show_skipped(const struct replay *replay, struct json_object *result)
{
	struct json_object *skipped = json_object_new_object();
	__u32 opcode;

	for (opcode = 0; opcode < ARRAY_SIZE(replay->skipped); opcode++) {
		if (!replay->skipped[opcode])
			continue;
		add_number(skipped, fuse_bpf_opcode_name(opcode), replay->skipped[opcode]);
		p_text("not replayed: %llu %s\n", (unsigned long long)replay->skipped[opcode],
		       fuse_bpf_opcode_name(opcode));
	}
	json_object_object_add(result, "not_replayed", skipped);
}

static void show(const struct replay *replay, struct json_object *list)
{
	struct json_object *result = json_object_new_object();
	__u64 lost = decisions_want(replay->decisions)->lost;

	show_skipped(replay, result);
	if (replay->elsewhere)
		p_text("%llu requests were made in another cgroup, as theirs is not there\n",
		       (unsigned long long)replay->elsewhere);
	if (!replay->recording.ended)
		p_text("the recording was cut short\n");
	if (replay->recording.lost)
		p_text("%llu requests could not be recorded\n",
		       (unsigned long long)replay->recording.lost);
	p_text("%llu requests replayed, %llu verdicts differ\n",
	       (unsigned long long)replay->replayed, (unsigned long long)replay->differ);
	add_number(result, "requests", replay->recording.nr);
	add_number(result, "replayed", replay->replayed);
	add_number(result, "elsewhere", replay->elsewhere);
	add_bool(result, "cut_short", !replay->recording.ended);
	add_number(result, "lost", replay->recording.lost + lost);
	json_object_object_add(result, "differences", list);
	out_result(result);
}

static int replay_all(struct replay *replay)
{
	struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < replay->recording.nr && !stopped(); i++)
		replay_one(replay, &replay->recording.requests[i], list);
	if (stopped()) {
		json_object_put(list);
		return check_stopped();
	}
	show(replay, list);
	return replay->differ ? DIFFERENT : DONE;
}

/* What is open of a place must be, before there are filters that could refuse it. */
static void mark_opened(struct replay *replay)
{
	struct request *request;
	size_t i;

	for (i = 0; i < replay->recording.nr; i++) {
		request = &replay->recording.requests[i];
		if (!replay_needs_file(request))
			continue;
		if (request->node)
			request->node->opened = true;
		if (request->dir)
			request->dir->opened = true;
	}
}

static int replay_recording(struct replay *replay, const char *path)
{
	int ret = decisions_check_namespace("replay");

	if (!ret)
		ret = recording_read(path, &replay->recording);
	if (!ret)
		ret = replay_tree_make(replay);
	if (!ret)
		ret = mount_tree(replay);
	mark_opened(replay);
	if (!ret)
		ret = replay_tree_open(replay);
	if (!ret)
		ret = plan_attach(&replay->plan, replay->root_fd, replay->dev);
	if (!ret)
		ret = attach_guard(replay);
	if (!ret)
		ret = watch(replay);
	return ret ?: replay_all(replay);
}

static void replay_free(struct replay *replay)
{
	decisions_close(replay->decisions);
	ring_buffer__free(replay->rules);
	if (replay->control)
		control_unmap(replay->control);
	enforced_free(&replay->enforced);
	bpf_link__destroy(replay->guard_link);
	replay_bpf__destroy(replay->guard);
	if (replay->root_fd >= 0)
		close(replay->root_fd);
	if (replay->mount_fd >= 0)
		close(replay->mount_fd);
	replay_tree_remove(replay);
	recording_free(&replay->recording);
}

int do_replay(struct args *args)
{
	struct replay replay = {
		.plan.opts.sz = sizeof(replay.plan.opts), .enforced.control_fd = -1,
		.tree_fd = -1, .away_fd = -1, .mount_fd = -1, .root_fd = -1,
	};
	const char *path = args_need(args, "RECORDING");
	int ret = path ? DONE : USAGE;
	size_t i;

	while (!ret && args->argc)
		ret = plan_parse(args, &replay.plan);
	if (!ret && !replay.plan.nr && !replay.plan.policy)
		ret = p_usage("replay: policy FILE or filter FILE is missing");
	stop_on_signals();
	if (!ret)
		ret = replay_recording(&replay, path);
	replay_free(&replay);
	for (i = 0; i < replay.plan.nr; i++)
		free(replay.plan.filters[i].elements);
	return ret;
}
