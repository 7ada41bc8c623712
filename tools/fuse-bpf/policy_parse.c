// SPDX-License-Identifier: GPL-2.0-only
/*
 * The text of a policy, read with libconfig, which tells the line of each setting.
 *
 * What a rule may say depends on what it is about, because the kernel knows of a
 * request for an open file which file it is, and not by which name it was opened. So
 * rules about names decide where names are dealt with, and all else needs a subtree
 * or a file. A rule that could not be enforced is refused here, never dropped.
 */
#include <errno.h>
#include <grp.h>
#include <libconfig.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "policy.h"

#define CGROUP_FS "/sys/fs/cgroup"

/* Requests for which a rule about names can speak, and those for a file */
#define FILE_OPS (POLICY_ALL_OPS & ~(POLICY_CREATE | POLICY_MKNOD | POLICY_MKDIR | \
				     POLICY_SYMLINK))

enum action {
	ACTION_ALLOW,
	ACTION_AUDIT,
	ACTION_DAEMON,
	ACTION_DENY,
	ACTION_HIDE,
	ACTION_READ_ONLY,
	ACTION_REDACT,
};

static const char *const action_names[] = {
	[ACTION_ALLOW] = "allow", [ACTION_AUDIT] = "audit", [ACTION_DAEMON] = "daemon",
	[ACTION_DENY] = "deny", [ACTION_HIDE] = "hide", [ACTION_READ_ONLY] = "read-only",
	[ACTION_REDACT] = "redact",
};

/**
 * struct reading - one group of "rules" while it is read
 * @policy: where its rules go
 * @group: the group
 * @rule: what its rules have in common
 * @action: what it does
 * @subtree: "under" was given
 */
struct reading {
	struct policy *policy;
	const config_setting_t *group;
	struct rule rule;
	enum action action;
	bool subtree;
};

__attribute__((format(printf, 3, 4)))
static int bad(const struct policy *policy, const config_setting_t *at, const char *fmt, ...)
{
	const char *file = config_setting_source_file(at);
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	p_err(0, "%s:%u: %s", file ?: policy->path, config_setting_source_line(at), text);
	return FAILED;
}

static int no_memory(void)
{
	p_err(-ENOMEM, "cannot read the policy");
	return FAILED;
}

/* A setting is one value, or several: (), [] */
static int value_count(const config_setting_t *setting)
{
	return config_setting_is_aggregate(setting) ? config_setting_length(setting) : 1;
}

static const config_setting_t *value_at(const config_setting_t *setting, int i)
{
	return config_setting_is_aggregate(setting) ? config_setting_get_elem(setting, i) : setting;
}

static const char *string_of(const config_setting_t *setting)
{
	return config_setting_type(setting) == CONFIG_TYPE_STRING ?
		config_setting_get_string(setting) : NULL;
}

static int read_string(struct reading *r, const char *key, const char **text)
{
	const config_setting_t *setting = config_setting_get_member(r->group, key);

	*text = NULL;
	if (!setting)
		return DONE;
	*text = string_of(setting);
	if (!*text || !**text)
		return bad(r->policy, setting, "%s must be a string that is not empty", key);
	return DONE;
}

static int check_keys(const struct policy *policy, const config_setting_t *group,
		      const char *const keys[])
{
	int i, k;

	for (i = 0; i < config_setting_length(group); i++) {
		const config_setting_t *setting = config_setting_get_elem(group, i);

		for (k = 0; keys[k] && strcmp(keys[k], config_setting_name(setting)); k++)
			;
		if (!keys[k])
			return bad(policy, setting, "there is no key '%s' here; fuse-bpf-policy(5) lists them",
				   config_setting_name(setting));
	}
	return DONE;
}

static int read_action(struct reading *r)
{
	const config_setting_t *setting = config_setting_get_member(r->group, "action");
	const char *text = setting ? string_of(setting) : NULL;
	size_t i;

	if (!setting)
		return bad(r->policy, r->group, "the rule has no action");
	for (i = 0; text && i < ARRAY_SIZE(action_names); i++) {
		if (!strcmp(text, action_names[i])) {
			r->action = i;
			return DONE;
		}
	}
	return bad(r->policy, setting, "'%s' is no action: hide, deny, read-only, daemon, redact, audit or allow",
		   text ?: "that");
}

static int read_error(struct reading *r)
{
	const config_setting_t *setting = config_setting_get_member(r->group, "error");
	int err = r->action == ACTION_HIDE ? ENOENT : r->action == ACTION_READ_ONLY ? EROFS :
		  r->action == ACTION_DENY ? EACCES : 0;

	if (setting && r->action != ACTION_DENY)
		return bad(r->policy, setting, "error goes with action = \"deny\" only");
	if (setting) {
		const char *text = string_of(setting);

		err = text ? errno_parse(text) : 0;
		if (!err)
			return bad(r->policy, setting, "'%s' is no errno that a filter can return, such as \"EACCES\"",
				   text ?: "that");
	}
	r->rule.compiled.verdict = r->action == ACTION_DAEMON ? FUSE_FILTER_DAEMON : -err;
	if (r->action == ACTION_AUDIT)
		r->rule.compiled.flags |= POLICY_PASS | POLICY_AUDIT;
	if (r->action == ACTION_REDACT)
		r->rule.compiled.flags |= POLICY_REDACT;
	return DONE;
}

static int read_audit(struct reading *r)
{
	const config_setting_t *setting = config_setting_get_member(r->group, "audit");

	if (!setting)
		return DONE;
	if (config_setting_type(setting) != CONFIG_TYPE_BOOL)
		return bad(r->policy, setting, "audit must be true or false");
	if (config_setting_get_bool(setting))
		r->rule.compiled.flags |= POLICY_AUDIT;
	return DONE;
}

static int read_label(struct reading *r)
{
	const char *text;
	int ret = read_string(r, "label", &text);

	if (ret || !text)
		return ret;
	if (strlen(text) >= POLICY_LABEL)
		return bad(r->policy, r->group, "the label '%s' is longer than %d bytes", text,
			   POLICY_LABEL - 1);
	strcpy(r->rule.compiled.label, text);
	return DONE;
}

static int read_types(struct reading *r)
{
	const config_setting_t *setting = config_setting_get_member(r->group, "type");
	int i;

	r->rule.compiled.types = POLICY_TYPES_ALL;
	if (!setting)
		return DONE;
	r->rule.compiled.types = 0;
	for (i = 0; i < value_count(setting); i++) {
		const char *text = string_of(value_at(setting, i));

		if (!text || !type_parse(text, &r->rule.compiled.types))
			return bad(r->policy, setting, "'%s' is no type: file, dir, symlink, fifo, socket, char or block",
				   text ?: "that");
	}
	return DONE;
}

/* What a rule that gives no operations is about, by its action and its target */
static __u32 usual_ops(const struct reading *r, __u32 possible)
{
	switch (r->action) {
	case ACTION_HIDE:
		/* Nothing of this name and type is there, and nothing comes to be */
		return POLICY_LOOKUP | POLICY_LIST | (POLICY_MAKE_OPS & possible);
	case ACTION_DENY:
		/* With the name of something, nothing can be done that does not look it up */
		if (r->rule.target == TARGET_NAME)
			return POLICY_LOOKUP | POLICY_MAKE_OPS;
		return possible & ~POLICY_LIST;
	case ACTION_READ_ONLY:
		return POLICY_WRITE_OPS & possible;
	case ACTION_REDACT:
		return POLICY_READ;
	case ACTION_DAEMON:
		return r->rule.target == TARGET_NAME ? POLICY_LOOKUP : 0;
	case ACTION_AUDIT:
		return possible & ~(POLICY_LIST | POLICY_READ | POLICY_WRITE);
	default:
		return possible;
	}
}

static int read_ops(struct reading *r)
{
	const config_setting_t *setting = config_setting_get_member(r->group, "ops");
	__u32 possible = POLICY_ALL_OPS;
	__u32 ops = 0;
	int i;

	if (r->rule.target == TARGET_NAME)
		possible = POLICY_NAME_OPS;
	else if (r->rule.target == TARGET_FILE)
		possible = FILE_OPS;
	for (i = 0; setting && i < value_count(setting); i++) {
		const char *text = string_of(value_at(setting, i));

		if (!text || !ops_parse(text, &ops))
			return bad(r->policy, setting, "'%s' is no operation; fuse-bpf-policy(5) lists them",
				   text ?: "that");
	}
	if (!setting)
		ops = usual_ops(r, possible);
	else if (!(ops & possible))
		return bad(r->policy, setting, "the kernel asks about an open file by its inode, not by a name: these operations need 'file', or 'under' without 'names'");
	if (!(ops & possible))
		return bad(r->policy, r->group, "this action needs 'ops' here");
	r->rule.compiled.ops = ops & possible;
	return DONE;
}

static int read_ranges(struct reading *r)
{
	const config_setting_t *setting = config_setting_get_member(r->group, "ranges");
	struct policy_rule *rule = &r->rule.compiled;
	int i;

	if (!setting)
		return r->action == ACTION_REDACT ?
			bad(r->policy, r->group, "redact needs ranges = ((first, end), ...)") : DONE;
	if (r->action != ACTION_REDACT)
		return bad(r->policy, setting, "ranges go with action = \"redact\" only");
	rule->nr_ranges = config_setting_length(setting);
	if (!rule->nr_ranges || rule->nr_ranges > POLICY_RANGES)
		return bad(r->policy, setting, "ranges takes 1 to %d pairs", POLICY_RANGES);
	for (i = 0; i < config_setting_length(setting); i++) {
		const config_setting_t *pair = config_setting_get_elem(setting, i);
		long long start, end;

		if (!config_setting_is_aggregate(pair) || config_setting_length(pair) != 2)
			return bad(r->policy, setting, "a range is (first, end)");
		start = config_setting_get_int64_elem(pair, 0);
		end = config_setting_get_int64_elem(pair, 1);
		if (start < 0 || end < -1 || (end >= 0 && end <= start))
			return bad(r->policy, setting, "a range is (first, end), with an end behind the first byte, or -1 for that of the file");
		rule->ranges[i].start = start;
		rule->ranges[i].end = end;
	}
	return DONE;
}

/* Which actions go with what the rule is about */
static int check_target(struct reading *r)
{
	if (r->action == ACTION_READ_ONLY && r->rule.target == TARGET_NAME)
		return bad(r->policy, r->group, "a name cannot be read-only, as an open file is asked about by its inode: give 'file', or 'under' without 'names'");
	if (r->action == ACTION_REDACT && r->rule.target == TARGET_NAME)
		return bad(r->policy, r->group, "redact needs 'file', or 'under' without 'names'");
	if (r->rule.compiled.types != POLICY_TYPES_ALL && r->rule.target != TARGET_NAME)
		return bad(r->policy, r->group, "type goes with names only");
	return DONE;
}

static int add_id(struct who *who, enum policy_id_kind kind, __u32 id)
{
	struct policy_id *ids = reallocarray(who->ids, who->nr_ids + 1, sizeof(*ids));

	if (!ids)
		return no_memory();
	ids[who->nr_ids++] = (struct policy_id){ .kind = kind, .id = id };
	who->ids = ids;
	return DONE;
}

static bool id_of(const config_setting_t *value, enum policy_id_kind kind, __u32 *id)
{
	const char *name = string_of(value);
	struct passwd *user;
	struct group *group;
	long long number;

	if (!name) {
		number = config_setting_get_int64(value);
		*id = number;
		return (config_setting_type(value) == CONFIG_TYPE_INT ||
			config_setting_type(value) == CONFIG_TYPE_INT64) && *id == number;
	}
	if (kind == POLICY_UID) {
		user = getpwnam(name);
		*id = user ? user->pw_uid : 0;
		return user;
	}
	group = getgrnam(name);
	*id = group ? group->gr_gid : 0;
	return group;
}

static void who_add_text(struct who *who, const char *key, const char *value)
{
	size_t len = strlen(who->text);

	snprintf(who->text + len, sizeof(who->text) - len, " %s=%s", key, value);
}

static int read_ids(struct reading *r, struct who *who, const char *key,
		    enum policy_id_kind kind, __u32 flag)
{
	const config_setting_t *setting = config_setting_get_member(r->group, key);
	char text[128] = "";
	int i, len = 0, ret = DONE;
	__u32 id;

	if (!setting)
		return DONE;
	if (!value_count(setting))
		return bad(r->policy, setting, "%s is empty", key);
	for (i = 0; !ret && i < value_count(setting); i++) {
		if (!id_of(value_at(setting, i), kind, &id))
			return bad(r->policy, setting, "%s takes numbers and the names of those that are known here",
				   key);
		ret = add_id(who, kind, id);
		if (len < (int)sizeof(text))
			len += snprintf(text + len, sizeof(text) - len, "%s%u", i ? "," : "", id);
	}
	who->compiled.flags |= flag;
	who_add_text(who, key, text);
	return ret;
}

static unsigned int depth_of(const char *path)
{
	unsigned int depth = 0;

	while (*path) {
		path += strspn(path, "/");
		depth += !!*path;
		path += strcspn(path, "/");
	}
	return depth;
}

/* The id of a cgroup is the inode number of its directory. */
static int find_cgroup(struct reading *r, const config_setting_t *setting, const char *path,
		       struct policy_who *who)
{
	char full[4096];
	struct stat st, root;

	who->cgroups[who->nr_cgroups].level = depth_of(path);
	who->cgroups[who->nr_cgroups++].id = 0;
	if (r->policy->offline)
		return DONE;
	snprintf(full, sizeof(full), CGROUP_FS "/%s", path);
	if (stat(CGROUP_FS "/cgroup.procs", &root) || stat(CGROUP_FS, &root) || root.st_ino != 1)
		return bad(r->policy, setting, "cgroups need the whole of cgroup2 at " CGROUP_FS);
	if (strstr(path, "..") || stat(full, &st) || st.st_dev != root.st_dev)
		return bad(r->policy, setting, "there is no cgroup %s", full);
	who->cgroups[who->nr_cgroups - 1].id = st.st_ino;
	return DONE;
}

static int read_cgroups(struct reading *r, struct who *who, const char *key, __u32 flag)
{
	const config_setting_t *setting = config_setting_get_member(r->group, key);
	int i, ret = DONE;

	if (!setting)
		return DONE;
	if (who->compiled.nr_cgroups)
		return bad(r->policy, setting, "cgroup and not_cgroup exclude each other");
	if (!value_count(setting) || value_count(setting) > POLICY_CGROUPS)
		return bad(r->policy, setting, "%s takes 1 to %d paths", key, POLICY_CGROUPS);
	for (i = 0; !ret && i < value_count(setting); i++) {
		const char *path = string_of(value_at(setting, i));

		if (!path)
			return bad(r->policy, setting, "%s takes paths below " CGROUP_FS, key);
		ret = find_cgroup(r, setting, path, &who->compiled);
		who_add_text(who, key, path);
	}
	who->compiled.flags |= flag;
	return ret;
}

static int read_pidns(struct reading *r, struct who *who, const char *key, __u32 flag)
{
	const config_setting_t *setting = config_setting_get_member(r->group, key);
	const char *path = setting ? string_of(setting) : NULL;
	struct stat st = {};

	if (!setting)
		return DONE;
	if (who->compiled.flags & POLICY_WHO_PIDNS)
		return bad(r->policy, setting, "pidns and not_pidns exclude each other");
	if (!path || (!r->policy->offline && stat(path, &st)))
		return bad(r->policy, setting, "%s takes the path of a pid namespace, such as \"/proc/1/ns/pid\"",
			   key);
	/* As the kernel puts device numbers together */
	who->compiled.pidns_dev = (__u64)major(st.st_dev) << 20 | minor(st.st_dev);
	who->compiled.pidns_ino = st.st_ino;
	who->compiled.flags |= flag;
	who_add_text(who, key, path);
	return DONE;
}

static int read_who_keys(struct reading *r, struct who *who)
{
	if (config_setting_get_member(r->group, "uid") &&
	    config_setting_get_member(r->group, "not_uid"))
		return bad(r->policy, r->group, "uid and not_uid exclude each other");
	if (config_setting_get_member(r->group, "gid") &&
	    config_setting_get_member(r->group, "not_gid"))
		return bad(r->policy, r->group, "gid and not_gid exclude each other");
	return read_ids(r, who, "uid", POLICY_UID, POLICY_WHO_UID) ||
	       read_ids(r, who, "not_uid", POLICY_UID, POLICY_WHO_NOT_UID) ||
	       read_ids(r, who, "gid", POLICY_GID, POLICY_WHO_GID) ||
	       read_ids(r, who, "not_gid", POLICY_GID, POLICY_WHO_NOT_GID) ||
	       read_cgroups(r, who, "cgroup", POLICY_WHO_CGROUP) ||
	       read_cgroups(r, who, "not_cgroup", POLICY_WHO_NOT_CGROUP) ||
	       read_pidns(r, who, "pidns", POLICY_WHO_PIDNS) ||
	       read_pidns(r, who, "not_pidns", POLICY_WHO_NOT_PIDNS) ? FAILED : DONE;
}

static bool same_who(const struct who *a, const struct who *b)
{
	return !memcmp(&a->compiled, &b->compiled, sizeof(a->compiled)) &&
	       a->nr_ids == b->nr_ids &&
	       (!a->nr_ids || !memcmp(a->ids, b->ids, a->nr_ids * sizeof(*a->ids))) &&
	       !strcmp(a->text, b->text);
}

/* Rules for the same callers share a set. */
static int read_who(struct reading *r)
{
	struct policy *policy = r->policy;
	struct who who = {}, *whos;
	size_t i;
	int ret = read_who_keys(r, &who);

	for (i = 0; !ret && i < policy->nr_whos; i++) {
		if (!who.compiled.flags || (i && same_who(&who, &policy->whos[i]))) {
			r->rule.compiled.who = i;
			free(who.ids);
			return DONE;
		}
	}
	if (!ret && policy->nr_whos == POLICY_WHOS)
		ret = bad(policy, r->group, "there are more than %d different sets of callers",
			  POLICY_WHOS - 1);
	whos = ret ? NULL : reallocarray(policy->whos, policy->nr_whos + 1, sizeof(who));
	if (!ret && !whos)
		ret = no_memory();
	if (ret) {
		free(who.ids);
		return ret;
	}
	policy->whos = whos;
	for (i = 0; i < who.nr_ids; i++)
		who.ids[i].who = policy->nr_whos;
	r->rule.compiled.who = policy->nr_whos;
	policy->whos[policy->nr_whos++] = who;
	return DONE;
}

/* A path in the mount, without a way out of it */
static bool is_inside(const char *path)
{
	while (*path) {
		size_t len = strcspn(path, "/");

		if ((len == 1 && *path == '.') || (len == 2 && !strncmp(path, "..", 2)))
			return false;
		path += len;
		path += strspn(path, "/");
	}
	return true;
}

static int read_scope(struct reading *r)
{
	struct policy *policy = r->policy;
	const char *path;
	char *copy;
	size_t i, len;
	int ret = read_string(r, "under", &path);

	if (ret || !path)
		return ret;
	path += strspn(path, "/");
	copy = strdup(path);
	if (!copy)
		return no_memory();
	for (len = strlen(copy); len && copy[len - 1] == '/'; len--)
		copy[len - 1] = '\0';
	if (!len || !is_inside(copy)) {
		free(copy);
		return bad(policy, r->group, "under takes the path of a directory below the mount, without '.' and '..'");
	}
	r->subtree = true;
	for (i = 1; i < policy->nr_scopes; i++) {
		if (!strcmp(policy->scopes[i], copy))
			break;
	}
	r->rule.compiled.scope = i;
	if (i < policy->nr_scopes) {
		free(copy);
		return DONE;
	}
	if (i > POLICY_SCOPES) {
		free(copy);
		return bad(policy, r->group, "there are more than %d subtrees", POLICY_SCOPES);
	}
	policy->scopes[policy->nr_scopes++] = copy;
	return DONE;
}

/* The rule as people see it, and as "policy diff" compares it */
static void make_text(const struct policy *policy, struct rule *rule, const char *what)
{
	struct policy_rule *compiled = &rule->compiled;
	char ops[256], types[64], verdict[48];
	int len;
	__u32 i;

	ops_text(compiled->ops, ops, sizeof(ops));
	types_text(compiled->types, types, sizeof(types));
	verdict_text(compiled, verdict, sizeof(verdict));
	len = snprintf(compiled->text, POLICY_TEXT, "%s: %s%s%s%s%s%s%s", verdict,
		       rule->target == TARGET_FILE ? "file " :
		       rule->target == TARGET_NAME ? "names " : "all", what,
		       compiled->scope ? " under " : "",
		       compiled->scope ? policy->scopes[compiled->scope] : "",
		       compiled->types == POLICY_TYPES_ALL ? "" : " type ",
		       compiled->types == POLICY_TYPES_ALL ? "" : types,
		       policy->whos[compiled->who].text);
	for (i = 0; i < compiled->nr_ranges && len < POLICY_TEXT; i++)
		len += snprintf(compiled->text + len, POLICY_TEXT - len, " %lld-%lld",
				(long long)compiled->ranges[i].start,
				(long long)compiled->ranges[i].end);
	if (len < POLICY_TEXT)
		snprintf(compiled->text + len, POLICY_TEXT - len, " ops %s", ops);
}

/* Room grows by doubling, as there may be thousands of rules. */
static int add_rule(struct reading *r, const config_setting_t *at, const char *what)
{
	struct policy *policy = r->policy;
	struct rule *rules;

	if (policy->nr == POLICY_RULES)
		return bad(policy, at, "the policy is larger than the filter's tables, which take %d patterns, subtrees and files",
			   POLICY_RULES);
	if (!(policy->nr & (policy->nr - 1))) {
		rules = reallocarray(policy->rules, policy->nr ? 2 * policy->nr : 1,
				     sizeof(*rules));
		if (!rules)
			return no_memory();
		policy->rules = rules;
	}
	r->rule.line = config_setting_source_line(at);
	r->rule.compiled.line = r->rule.line;
	r->rule.shadow = -1;
	make_text(policy, &r->rule, what);
	policy->rules[policy->nr++] = r->rule;
	return DONE;
}

static int add_names(struct reading *r, const config_setting_t *names)
{
	const char *text, *why;
	int i, ret = DONE;

	for (i = 0; !ret && i < value_count(names); i++) {
		const config_setting_t *value = value_at(names, i);

		text = string_of(value);
		if (!text)
			return bad(r->policy, value, "names takes strings");
		if (pattern_parse(text, &r->rule.pattern, &why)) {
			pattern_free(&r->rule.pattern);
			return bad(r->policy, value, "the pattern '%s' %s", text, why);
		}
		ret = add_rule(r, value, text);
		if (ret)
			pattern_free(&r->rule.pattern);
	}
	return ret;
}

static int add_files(struct reading *r, const config_setting_t *files)
{
	const char *text;
	int i, ret = DONE;

	for (i = 0; !ret && i < value_count(files); i++) {
		const config_setting_t *value = value_at(files, i);

		text = string_of(value);
		if (text)
			text += strspn(text, "/");
		if (!text || !*text || !is_inside(text))
			return bad(r->policy, value, "file takes paths below the mount, without '.' and '..'");
		r->rule.file = strdup(text);
		if (!r->rule.file)
			return no_memory();
		ret = add_rule(r, value, text);
		if (ret)
			free((char *)r->rule.file);
	}
	return ret;
}

static int read_targets(struct reading *r, const config_setting_t *names,
			const config_setting_t *files)
{
	if (names && files)
		return bad(r->policy, files, "file and names exclude each other");
	if (files && r->subtree)
		return bad(r->policy, files, "file and under exclude each other");
	if (!names && !files && !r->subtree)
		return bad(r->policy, r->group, "the rule is about nothing: give names, under or file");
	if ((names && !value_count(names)) || (files && !value_count(files)))
		return bad(r->policy, names ?: files, "the list is empty");
	r->rule.target = names ? TARGET_NAME : files ? TARGET_FILE : TARGET_BELOW;
	return DONE;
}

static int read_rule(struct policy *policy, const config_setting_t *group)
{
	static const char *const keys[] = {
		"label", "names", "under", "file", "type", "uid", "not_uid", "gid", "not_gid",
		"cgroup", "not_cgroup", "pidns", "not_pidns", "ops", "action", "error", "ranges",
		"audit", NULL,
	};
	struct reading r = { .policy = policy, .group = group };
	const config_setting_t *names, *files;

	if (!config_setting_is_group(group))
		return bad(policy, group, "a rule is a group: { ... }");
	names = config_setting_get_member(group, "names");
	files = config_setting_get_member(group, "file");
	if (check_keys(policy, group, keys) || read_action(&r) || read_error(&r) ||
	    read_audit(&r) || read_label(&r) || read_types(&r) || read_scope(&r) ||
	    read_targets(&r, names, files) || check_target(&r) || read_ops(&r) ||
	    read_ranges(&r) || read_who(&r))
		return FAILED;
	if (names)
		return add_names(&r, names);
	return files ? add_files(&r, files) : add_rule(&r, group, "");
}

static int read_rules(struct policy *policy, const config_t *config)
{
	static const char *const keys[] = { "rules", NULL };
	const config_setting_t *rules = config_lookup(config, "rules");
	int i, ret;

	ret = check_keys(policy, config_root_setting(config), keys);
	if (ret)
		return ret;
	if (!rules || !config_setting_is_list(rules)) {
		p_err(0, "%s has no list rules = ( ... )", policy->path);
		return FAILED;
	}
	for (i = 0; !ret && i < config_setting_length(rules); i++)
		ret = read_rule(policy, config_setting_get_elem(rules, i));
	return ret;
}

static int read_config(struct policy *policy, config_t *config)
{
	FILE *file = fopen(policy->path, "re");
	int ret = DONE;
	struct stat st;

	if (!file || fstat(fileno(file), &st) || S_ISDIR(st.st_mode)) {
		p_err(file ? -EISDIR : -errno, "cannot open %s", policy->path);
		ret = FAILED;
	} else if (!config_read(config, file)) {
		p_err(0, "%s:%d: %s", config_error_file(config) ?: policy->path,
		      config_error_line(config), config_error_text(config));
		ret = FAILED;
	}
	if (file)
		fclose(file);
	return ret ? ret : read_rules(policy, config);
}

/**
 * policy_read - read a policy
 * @path: of the file
 * @offline: what cgroups and pid namespaces there are is of no interest
 * @policy: filled in
 *
 * Return: DONE, or FAILED after reporting why, and then there is nothing to free
 */
int policy_read(const char *path, bool offline, struct policy *policy)
{
	config_t config;
	int ret;

	memset(policy, 0, sizeof(*policy));
	policy->path = path;
	policy->offline = offline;
	policy->whos = calloc(1, sizeof(*policy->whos));
	if (!policy->whos)
		return no_memory();
	policy->nr_whos = 1;
	policy->nr_scopes = 1;
	config_init(&config);
	ret = read_config(policy, &config);
	config_destroy(&config);
	if (ret)
		policy_free(policy);
	return ret;
}

void policy_free(struct policy *policy)
{
	size_t i;

	for (i = 0; i < policy->nr; i++) {
		pattern_free(&policy->rules[i].pattern);
		free((char *)policy->rules[i].file);
	}
	for (i = 0; i < policy->nr_whos; i++)
		free(policy->whos[i].ids);
	for (i = 1; i < policy->nr_scopes; i++)
		free(policy->scopes[i]);
	free(policy->rules);
	free(policy->whos);
	memset(policy, 0, sizeof(*policy));
}
