// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuse-bpf explain: of what was recorded, who decided what, and by which rule.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "explain.h"

/* Who gave the answer in the end */
enum answer {
	BY_FILTER,
	BY_KERNEL,
	BY_DAEMON,
	BY_BACKING,
	BY_MOUNT,
	BY_PATH,
};

static const char *const answer_words[] = {
	[BY_FILTER] = "filter", [BY_KERNEL] = "kernel", [BY_DAEMON] = "daemon",
	[BY_BACKING] = "backing", [BY_MOUNT] = "mount", [BY_PATH] = "path",
};

static const struct fuse_filter_info *info_of(const struct explanation *x, __u32 id)
{
	int i;

	for (i = 0; i < x->enforced.nr; i++) {
		if (x->enforced.infos[i].id == id)
			return &x->enforced.infos[i];
	}
	return NULL;
}

static const char *file_type(__u32 mode)
{
	return S_ISDIR(mode) ? "directory" : S_ISREG(mode) ? "file" : S_ISLNK(mode) ? "link" :
	       S_ISFIFO(mode) ? "fifo" : S_ISSOCK(mode) ? "socket" : "device";
}

/* What a filter is attached to, and the name of it if the path has led past it */
static void attachment_text(const struct explanation *x, const struct fuse_filter_info *info,
			    char *text, size_t size)
{
	const struct probe_trail *trail = x->probe.trail;
	char name[4 * 256];
	__u32 i;

	if (!info) {
		snprintf(text, size, "detached meanwhile");
	} else if (info->flags & FUSE_FILTER_BY_REPLY) {
		snprintf(text, size, "by reply");
	} else if (!(info->flags & FUSE_FILTER_DIRECTORY)) {
		snprintf(text, size, "mount");
	} else {
		snprintf(text, size, "directory, inode %llu", (unsigned long long)info->dir);
		for (i = 0; i < trail->steps_nr; i++) {
			if (trail->steps[i].ino == info->dir)
				snprintf(text, size, "directory %s",
					 printable(trail->steps[i].name, name, sizeof(name)));
		}
	}
}

static void show_rule(const struct explanation *x, const struct policy_event *event,
		      struct json_object *list)
{
	struct json_object *obj;
	struct policy_rule rule;

	if (event->rule == POLICY_NO_RULE)
		return;
	if (enforced_rule(&x->enforced, event->rule, &rule)) {
		obj = json_object_new_object();
		add_number(obj, "rule", event->rule);
		add_number(obj, "line", event->line);
		p_text("        rule %u in line %u\n", event->rule, event->line);
	} else {
		obj = rule_json(&rule, event->rule);
		p_text("        rule %u in line %u: %s%s%s\n", event->rule, rule.line,
		       rule.label, rule.label[0] ? ": " : "", rule.text);
	}
	json_object_array_add(list, obj);
}

static bool is_repeated(const struct policy_event *events, size_t first, size_t i)
{
	for (; first < i; first++) {
		if (events[first].rule == events[i].rule && events[first].op == events[i].op)
			return true;
	}
	return false;
}

/* The filter of a policy tells of its rules first, and then the kernel of the filter. */
static struct json_object *show_rules(const struct explanation *x, const struct decision *d,
				      size_t *next)
{
	struct json_object *list = json_object_new_array();
	size_t first = *next;

	for (; *next < x->nr_events && x->events[*next].time <= d->time; ++*next) {
		if (!is_repeated(x->events, first, *next))
			show_rule(x, &x->events[*next], list);
	}
	return list;
}

static struct json_object *show_told(const struct explanation *x, const struct told *told,
				     size_t *next)
{
	const struct decision *d = &told->decision;
	struct json_object *obj = decision_json(d);
	char verdict[96], where[1200], name[4 * DECISION_NAME + 1];

	decision_verdict(d, verdict, sizeof(verdict));
	attachment_text(x, info_of(x, d->filter_id), where, sizeof(where));
	p_text("    %-10s %s", decision_opcode(d), printable(d->name, name, sizeof(name)));
	if (d->kind == DECISION_REFUSED)
		p_text(" the kernel: %s", verdict);
	else
		p_text("%s%u %s (%s)%s: %s", d->name[0] ? " " : "", d->filter_id, d->filter,
		       where, d->kind == DECISION_POST ? " afterwards" : "", verdict);
	if (told->times > 1)
		p_text(", %u times", told->times);
	p_text("\n");
	add_string(obj, "attached_to", d->kind == DECISION_REFUSED ? NULL : where);
	add_number(obj, "times", told->times);
	json_object_object_add(obj, "rules", show_rules(x, d, next));
	return obj;
}

static void show_step(const struct explanation *x, __u32 number, size_t *told, size_t *next,
		      struct json_object *list)
{
	const struct probe_step *step = &x->probe.trail->steps[number];
	struct json_object *obj = json_object_new_object();
	struct json_object *decisions = json_object_new_array();
	char name[4 * 256];

	add_bytes(obj, "name", step->name);
	add_string(obj, "result", step->err ? strerrorname_np(-step->err) : "ok");
	if (step->mode) {
		add_string(obj, "type", file_type(step->mode));
		add_number(obj, "inode", step->ino);
	}
	p_text("%s: %s", printable(step->name, name, sizeof(name)),
	       step->err ? strerrorname_np(-step->err) : "ok");
	if (step->mode)
		p_text(", %s, inode %llu", file_type(step->mode), (unsigned long long)step->ino);
	p_text("\n");
	for (; *told < x->nr_told && x->told[*told].decision.step <= number; ++*told)
		json_object_array_add(decisions, show_told(x, &x->told[*told], next));
	json_object_object_add(obj, "decisions", decisions);
	json_object_array_add(list, obj);
}

/* Of the last step, the decision that refused it; of a listing any, as it shows no errno */
static const struct decision *refusal(const struct explanation *x, __u32 step, int err)
{
	size_t i;

	for (i = x->nr_told; i-- > 0; ) {
		const struct decision *d = &x->told[i].decision;

		if (d->step == step && d->ret < 0 &&
		    (d->ret == err || d->opcode == FUSE_FILTER_OP_DIRENT))
			return d;
	}
	return NULL;
}

static bool asked_daemon(const struct explanation *x, __u32 step)
{
	size_t i;

	for (i = 0; i < x->nr_told; i++) {
		const struct decision *d = &x->told[i].decision;

		if (d->step == step && d->kind == DECISION_PRE && d->ret >= 0 &&
		    (d->ret & 0xff) == FUSE_FILTER_DAEMON)
			return true;
	}
	return false;
}

static bool anything_told(const struct explanation *x, __u32 step)
{
	size_t i;

	for (i = 0; i < x->nr_told; i++) {
		if (x->told[i].decision.step == step)
			return true;
	}
	return false;
}

static enum answer who_answered(const struct explanation *x, __u32 step, int err,
				const struct decision *refused)
{
	struct mount_facts facts = mount_facts(x->dev);

	if (refused)
		return refused->kind == DECISION_REFUSED ? BY_KERNEL : BY_FILTER;
	if (x->probe.trail->out)
		return BY_PATH;
	if (err == -EACCES && !facts.others && !anything_told(x, step))
		return BY_MOUNT;
	return !facts.backed || asked_daemon(x, step) ? BY_DAEMON : BY_BACKING;
}

static void reason_text(const struct explanation *x, enum answer answer,
			const struct decision *refused, char *text, size_t size)
{
	char verdict[96], target[4 * 256];

	switch (answer) {
	case BY_FILTER:
		snprintf(text, size, "filter %u (%s) refused it", refused->filter_id,
			 refused->filter);
		break;
	case BY_KERNEL:
		decision_verdict(refused, verdict, sizeof(verdict));
		snprintf(text, size, "the kernel refused it by itself: %s", verdict);
		break;
	case BY_DAEMON:
		snprintf(text, size, "the daemon answered, or what the kernel keeps of it; no filter refused");
		break;
	case BY_BACKING:
		snprintf(text, size, "the backing answered, as the caller and whoever mounted it may use it; no filter refused");
		break;
	case BY_MOUNT:
		snprintf(text, size, "the mount is for its owner only, who did not mount it with allow_other");
		break;
	case BY_PATH:
		snprintf(text, size, "the path leads out of the mount%s%s",
			 *x->probe.trail->target ? ", by a link to " : "",
			 printable(x->probe.trail->target, target, sizeof(target)));
		break;
	}
}

static void show_answer(const struct explanation *x, struct json_object *result)
{
	__u32 step = x->probe.trail->steps_nr - 1;
	int err = probe_result(&x->probe);
	const struct decision *refused = err ? refusal(x, step, err) : NULL;
	enum answer answer = who_answered(x, step, err, refused);
	char text[1400], path[4 * 256];

	reason_text(x, answer, refused, text, sizeof(text));
	add_string(result, "result", err ? strerrorname_np(-err) : "ok");
	add_string(result, "answered_by", answer_words[answer]);
	if (answer == BY_FILTER)
		add_number(result, "filter_id", refused->filter_id);
	add_string(result, "reason", text);
	p_text("%s %s as uid %u gid %u: %s; %s\n", probe_op_name(x->probe.op),
	       printable(x->path, path, sizeof(path)), x->identity.uid, x->identity.gid,
	       err ? strerrorname_np(-err) : "ok", text);
}

/* explanation_show - print it all */
void explanation_show(const struct explanation *x)
{
	struct json_object *result = json_object_new_object();
	struct json_object *steps = json_object_new_array();
	size_t told = 0, next = 0;
	__u32 i;

	add_string(result, "mountpoint", x->mountpoint);
	add_bytes(result, "path", x->path);
	add_string(result, "op", probe_op_name(x->probe.op));
	identity_json(&x->identity, result);
	for (i = 0; i < x->probe.trail->steps_nr; i++)
		show_step(x, i, &told, &next, steps);
	show_answer(x, result);
	add_number(result, "lost", x->lost);
	add_bool(result, "rules_told", x->rules && !x->busy);
	json_object_object_add(result, "steps", steps);
	if (x->busy)
		p_text("somebody else explains something on this mount, so its rules are not shown\n");
	if (x->lost)
		p_text("%llu decisions could not be recorded\n", (unsigned long long)x->lost);
	out_result(result);
}
