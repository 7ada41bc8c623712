// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuse-bpf policy show, diff, log: what the kernel enforces, as the kernel tells it.
 * Nothing here is remembered by this tool: rules, counts and generation are read from
 * the maps of the filters that are attached.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy.h"

/* policy_filter - is this a filter of a policy, and which one? */
bool policy_filter(const struct fuse_filter_info *info, __u32 *generation, __u32 *scope)
{
	char end;

	*scope = 0;
	return sscanf(info->name, "policy.%u.%u%c", generation, scope, &end) == 2 ||
	       sscanf(info->name, "policy.%u%c", generation, &end) == 1;
}

/* enforced_map - a map of an attached filter: a descriptor or a negative errno */
int enforced_map(const struct fuse_filter_info *info, const char *name)
{
	struct programs programs = {};
	struct bpf_map_info map;
	int fd, err, found = -ENOENT;
	__u32 size;
	size_t i;

	err = programs_of(info->map_id, &programs);
	for (i = 0; !err && found < 0 && i < programs.nr_maps; i++) {
		fd = bpf_map_get_fd_by_id(programs.maps[i]);
		if (fd < 0)
			continue;
		memset(&map, 0, sizeof(map));
		size = sizeof(map);
		if (!bpf_map_get_info_by_fd(fd, &map, &size) &&
		    !strncmp(map.name, name, sizeof(map.name) - 1))
			found = fd;
		else
			close(fd);
	}
	programs_free(&programs);
	return err ? err : found;
}

/* Of the filters that are attached, the mount's of the generation that is in force */
const struct fuse_filter_info *enforced_main(const struct enforced *enforced)
{
	__u32 generation, scope;
	int i;

	for (i = 0; enforced->control_fd >= 0 && i < enforced->nr; i++) {
		const struct fuse_filter_info *info = &enforced->infos[i];

		if (policy_filter(info, &generation, &scope) && !scope &&
		    generation == enforced->control.generation &&
		    !(info->flags & FUSE_FILTER_DEAD))
			return info;
	}
	return NULL;
}

/* enforced_scope - is the filter of this scope attached, alive and in force? */
bool enforced_scope(const struct enforced *enforced, __u32 scope)
{
	__u32 generation, its;
	int i;

	for (i = 0; i < enforced->nr; i++) {
		const struct fuse_filter_info *info = &enforced->infos[i];

		if (policy_filter(info, &generation, &its) && its == scope &&
		    generation == enforced->control.generation &&
		    !(info->flags & FUSE_FILTER_DEAD))
			return true;
	}
	return false;
}

static void find_control(struct enforced *enforced)
{
	__u32 generation, scope, zero = 0;
	int i, fd;

	for (i = 0; enforced->control_fd < 0 && i < enforced->nr; i++) {
		const struct fuse_filter_info *info = &enforced->infos[i];

		if (!policy_filter(info, &generation, &scope) || scope ||
		    info->flags & FUSE_FILTER_DEAD)
			continue;
		fd = enforced_map(info, "policy_control");
		if (fd >= 0 && !bpf_map_lookup_elem(fd, &zero, &enforced->control) &&
		    enforced->control.generation == generation)
			enforced->control_fd = fd;
		else if (fd >= 0)
			close(fd);
	}
}

/**
 * enforced_read - find the policy of a mount
 * @root_fd: root of the mount
 * @enforced: filled in
 *
 * Return: DONE, also without a policy, or FAILED after reporting why
 */
int enforced_read(int root_fd, struct enforced *enforced)
{
	memset(enforced, 0, sizeof(*enforced));
	enforced->control_fd = -1;
	enforced->nr = filters_read(root_fd, &enforced->infos);
	if (enforced->nr < 0) {
		p_err(enforced->nr, "cannot list the filters of the mount");
		return FAILED;
	}
	find_control(enforced);
	return DONE;
}

void enforced_free(struct enforced *enforced)
{
	free(enforced->infos);
	enforced->infos = NULL;
	if (enforced->control_fd >= 0)
		close(enforced->control_fd);
	enforced->control_fd = -1;
}

static __u64 sum_hits(int fd, __u32 number)
{
	int cpus = libbpf_num_possible_cpus(), i;
	__u64 sum = 0;

	if (cpus > 0) {
		__u64 hits[cpus];

		if (!bpf_map_lookup_elem(fd, &number, hits)) {
			for (i = 0; i < cpus; i++)
				sum += hits[i];
		}
	}
	return sum;
}

static int read_rules(int rules_fd, int hits_fd, struct policy_rule **rules, size_t *nr,
		      __u64 **hits)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info), i;
	int err;

	err = bpf_map_get_info_by_fd(rules_fd, &info, &size);
	if (!err && info.value_size != sizeof(**rules))
		err = -EPROTO;
	if (err)
		return err;
	*nr = info.max_entries;
	*rules = calloc(*nr, sizeof(**rules));
	*hits = calloc(*nr, sizeof(**hits));
	if (!*rules || !*hits)
		return -ENOMEM;
	for (i = 0; !err && i < *nr; i++) {
		err = bpf_map_lookup_elem(rules_fd, &i, &(*rules)[i]) ? -errno : 0;
		(*hits)[i] = sum_hits(hits_fd, i);
	}
	return err;
}

/**
 * enforced_rules - read the rules that the kernel has
 * @enforced: the policy of a mount
 * @rules: out: to be freed
 * @nr: out: number of them
 * @hits: out: how often each decided, or was told of; to be freed
 *
 * Return: DONE, or FAILED after reporting why
 */
int enforced_rules(const struct enforced *enforced, struct policy_rule **rules, size_t *nr,
		   __u64 **hits)
{
	const struct fuse_filter_info *main = enforced_main(enforced);
	int rules_fd, hits_fd, err;

	*rules = NULL;
	*hits = NULL;
	if (!main) {
		p_err(0, "there is no policy in force on this mount");
		return FAILED;
	}
	rules_fd = enforced_map(main, "policy_rules");
	hits_fd = enforced_map(main, "policy_hits");
	err = rules_fd < 0 ? rules_fd : hits_fd;
	if (err >= 0)
		err = read_rules(rules_fd, hits_fd, rules, nr, hits);
	if (rules_fd >= 0)
		close(rules_fd);
	if (hits_fd >= 0)
		close(hits_fd);
	if (!err)
		return DONE;
	free(*rules);
	free(*hits);
	*rules = NULL;
	*hits = NULL;
	p_err(err, "cannot read the rules of the policy");
	return FAILED;
}

/**
 * enforced_rule - read one of the rules that the kernel has
 * @enforced: the policy of a mount
 * @number: of the rule
 * @rule: out: the rule
 *
 * Return: 0 or a negative errno
 */
int enforced_rule(const struct enforced *enforced, __u32 number, struct policy_rule *rule)
{
	const struct fuse_filter_info *main = enforced_main(enforced);
	int fd = main ? enforced_map(main, "policy_rules") : -ENOENT;
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);
	int err;

	if (fd < 0)
		return fd;
	err = bpf_map_get_info_by_fd(fd, &info, &size);
	if (!err && info.value_size != sizeof(*rule))
		err = -EPROTO;
	if (!err && bpf_map_lookup_elem(fd, &number, rule))
		err = -errno;
	close(fd);
	return err;
}

static void show_rule(const struct policy_rule *rule, size_t number, __u64 hits, bool active,
		      struct json_object *list)
{
	struct json_object *obj = rule_json(rule, number);

	add_number(obj, "hits", hits);
	add_bool(obj, "active", active);
	json_object_array_add(list, obj);
	p_text("%5zu line %-5u %-8s %10llu  %s%s%s\n", number, rule->line,
	       active ? "active" : "INACTIVE", (unsigned long long)hits, rule->label,
	       rule->label[0] ? ": " : "", rule->text);
}

static int show_enforced(const struct enforced *enforced)
{
	struct json_object *result, *list;
	struct policy_rule *rules;
	size_t nr, i;
	__u64 *hits;

	if (enforced_rules(enforced, &rules, &nr, &hits))
		return FAILED;
	result = json_object_new_object();
	list = json_object_new_array();
	add_number(result, "generation", enforced->control.generation);
	add_number(result, "lost_events", enforced->control.lost);
	json_object_object_add(result, "rules", list);
	for (i = 0; i < nr; i++)
		show_rule(&rules[i], i, hits[i], enforced_scope(enforced, rules[i].scope), list);
	out_result(result);
	free(rules);
	free(hits);
	return DONE;
}

int do_policy_show(struct args *args)
{
	const char *mountpoint = args_need(args, "MOUNTPOINT");
	struct enforced enforced;
	int fd, ret;

	if (!mountpoint || args_end(args))
		return USAGE;
	fd = mount_open(mountpoint, NULL);
	if (fd < 0)
		return FAILED;
	ret = enforced_read(fd, &enforced);
	if (!ret)
		ret = show_enforced(&enforced);
	enforced_free(&enforced);
	close(fd);
	return ret;
}

/* struct texts - rules as they are compared: by what they say, not where they stand */
struct texts {
	char (*all)[POLICY_TEXT];
	size_t nr;
};

static int texts_add(struct texts *texts, const struct policy_rule *rule, size_t i)
{
	memcpy(texts->all[i], rule->text, POLICY_TEXT);
	texts->all[i][POLICY_TEXT - 1] = '\0';
	return DONE;
}

static int texts_alloc(struct texts *texts, size_t nr)
{
	texts->nr = nr;
	texts->all = calloc(nr + 1, POLICY_TEXT);
	if (texts->all)
		return DONE;
	p_err(-ENOMEM, "cannot compare policies");
	return FAILED;
}

static int texts_of_file(const char *path, struct texts *texts)
{
	struct policy policy;
	size_t i;
	int ret;

	if (policy_read(path, true, &policy))
		return FAILED;
	ret = texts_alloc(texts, policy.nr);
	for (i = 0; !ret && i < policy.nr; i++)
		texts_add(texts, &policy.rules[i].compiled, i);
	policy_free(&policy);
	return ret;
}

static int texts_of_mount(const char *mountpoint, struct texts *texts)
{
	struct enforced enforced;
	struct policy_rule *rules;
	__u64 *hits;
	size_t nr, i;
	int fd, ret;

	fd = mount_open(mountpoint, NULL);
	if (fd < 0)
		return FAILED;
	ret = enforced_read(fd, &enforced);
	if (!ret && !(ret = enforced_rules(&enforced, &rules, &nr, &hits))) {
		ret = texts_alloc(texts, nr);
		for (i = 0; !ret && i < nr; i++)
			texts_add(texts, &rules[i], i);
		free(rules);
		free(hits);
	}
	enforced_free(&enforced);
	close(fd);
	return ret;
}

/* How far on the same text is, or -1 */
static ssize_t find_ahead(const struct texts *texts, size_t from, const char *text)
{
	size_t i;

	for (i = from; i < texts->nr; i++) {
		if (!strcmp(texts->all[i], text))
			return i - from;
	}
	return -1;
}

static void diff_line(struct json_object *list, const char *sign, const char *text)
{
	struct json_object *obj = json_object_new_object();

	add_string(obj, "change", *sign == '-' ? "removed" : "added");
	add_string(obj, "rule", text);
	json_object_array_add(list, obj);
	p_text("%s %s\n", sign, text);
}

/* The order of rules says something, so a rule that moves goes and comes. */
static void diff_texts(const struct texts *a, const struct texts *b, struct json_object *list)
{
	size_t i = 0, k = 0;

	while (i < a->nr || k < b->nr) {
		ssize_t gone = k < b->nr ? find_ahead(a, i, b->all[k]) : -1;
		ssize_t come = i < a->nr ? find_ahead(b, k, a->all[i]) : -1;

		if (!gone && i < a->nr) {
			i++;
			k++;
		} else if (i < a->nr && (come < 0 || (gone >= 0 && gone <= come))) {
			diff_line(list, "-", a->all[i++]);
		} else {
			diff_line(list, "+", b->all[k++]);
		}
	}
}

int do_policy_diff(struct args *args)
{
	struct texts a = {}, b = {};
	const char *path, *other;
	struct json_object *list;
	int ret;

	path = args_need(args, "FILE or 'mount'");
	if (!path)
		return USAGE;
	if (!strcmp(path, "mount")) {
		path = args_need(args, "MOUNTPOINT");
		other = path ? args_need(args, "FILE") : NULL;
		if (!other || args_end(args))
			return USAGE;
		ret = texts_of_mount(path, &a);
	} else {
		other = args_need(args, "FILE");
		if (!other || args_end(args))
			return USAGE;
		ret = texts_of_file(path, &a);
	}
	if (!ret)
		ret = texts_of_file(other, &b);
	if (!ret) {
		list = json_object_new_array();
		diff_texts(&a, &b, list);
		out_result(list);
	}
	free(a.all);
	free(b.all);
	return ret;
}

/* Names are chosen by whom the trail is about */
static void print_event(const struct policy_event *event)
{
	char comm[4 * sizeof(event->comm) + 1], name[4 * POLICY_NAME + 1];

	p_text("%llu.%06llu uid %u pid %u (%s) %s '%s': %s by line %u%s%.31s\n",
	       (unsigned long long)event->time / 1000000000,
	       (unsigned long long)event->time / 1000 % 1000000, event->uid, event->pid,
	       printable(event->comm, comm, sizeof(comm)), op_name(event->op),
	       printable(event->name, name, sizeof(name)),
	       event->verdict < 0 ? strerrorname_np(-event->verdict) :
	       event->verdict == FUSE_FILTER_DAEMON ? "daemon" : "allowed",
	       event->line, event->label[0] ? ", " : "", event->label);
}

static struct json_object *event_json(const struct policy_event *event)
{
	struct json_object *obj = json_object_new_object();

	add_number(obj, "time", event->time);
	add_string(obj, "op", op_name(event->op));
	add_bytes(obj, "name", event->name);
	add_number(obj, "parent", event->parent);
	add_number(obj, "uid", event->uid);
	add_number(obj, "gid", event->gid);
	add_number(obj, "pid", event->pid);
	add_bytes(obj, "comm", event->comm);
	add_number(obj, "cgroup", event->cgroup);
	add_number(obj, "rule", event->rule);
	add_number(obj, "line", event->line);
	add_string(obj, "label", event->label);
	add_string(obj, "errno", event->verdict < 0 ? strerrorname_np(-event->verdict) : NULL);
	return obj;
}

/**
 * struct trail - events that are read
 * @list: JSON of them, NULL: a document for each, as there is no end of them
 * @events: number of them
 */
struct trail {
	struct json_object *list;
	__u64 events;
};

/* Of a descriptor that two tools read, each event goes to one of them. */
static int log_event(void *arg, void *data, size_t size)
{
	const struct policy_event *event = data;
	struct trail *trail = arg;

	if (size < sizeof(*event))
		return 0;
	trail->events++;
	print_event(event);
	if (trail->list) {
		json_object_array_add(trail->list, event_json(event));
	} else if (settings.json) {
		out_result(event_json(event));
		out_flush();
	}
	return 0;
}

static int read_log(int fd, bool follow)
{
	struct trail trail = { .list = follow ? NULL : json_object_new_array() };
	struct ring_buffer *ring = ring_buffer__new(fd, log_event, &trail, NULL);
	struct json_object *end = NULL;
	int err = 0;

	if (!ring) {
		p_err(-errno, "cannot read the events of the policy");
		json_object_put(trail.list);
		return FAILED;
	}
	err = ring_buffer__consume(ring);
	while (err >= 0 && follow && !stopped()) {
		fflush(stdout);
		err = ring_buffer__poll(ring, 500);
		if (err == -EINTR)
			err = 0;
	}
	ring_buffer__free(ring);
	if (err < 0) {
		p_err(err, "cannot read the events of the policy");
		json_object_put(trail.list);
		return FAILED;
	}
	if (!trail.list) {
		end = json_object_new_object();
		add_number(end, "events", trail.events);
	}
	out_result(trail.list ?: end);
	return DONE;
}

static int open_log(const char *mountpoint)
{
	const struct fuse_filter_info *main;
	struct enforced enforced;
	int fd, ring = -1;

	fd = mount_open(mountpoint, NULL);
	if (fd < 0)
		return -1;
	if (!enforced_read(fd, &enforced)) {
		main = enforced_main(&enforced);
		ring = main ? enforced_map(main, "policy_audit") : -ENOENT;
		if (!main)
			p_err(0, "there is no policy in force on this mount");
		else if (ring < 0)
			p_err(ring, "cannot open the events of the policy");
	}
	enforced_free(&enforced);
	close(fd);
	return ring;
}

int do_policy_log(struct args *args)
{
	static const char *const words[] = { "follow", NULL };
	const char *mountpoint = args_need(args, "MOUNTPOINT");
	bool follow = false;
	int fd, ret;

	if (!mountpoint)
		return USAGE;
	if (args->argc) {
		if (args_keyword(args, words) || args_end(args))
			return USAGE;
		follow = true;
	}
	fd = open_log(mountpoint);
	if (fd < 0)
		return FAILED;
	stop_on_signals();
	ret = read_log(fd, follow);
	close(fd);
	return ret;
}
