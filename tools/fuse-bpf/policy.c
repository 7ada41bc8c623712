// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuse-bpf policy: filters made of a text, without writing or compiling any program.
 */
#include <stdio.h>
#include <string.h>

#include "policy.h"

/* rule_json - a rule as "check", "compile" and "show" print it */
struct json_object *rule_json(const struct policy_rule *rule, size_t number)
{
	struct json_object *obj = json_object_new_object();
	char text[256];

	add_number(obj, "rule", number);
	add_number(obj, "line", rule->line);
	add_string(obj, "label", rule->label[0] ? rule->label : NULL);
	verdict_text(rule, text, sizeof(text));
	add_string(obj, "action", text);
	add_number(obj, "subtree", rule->scope);
	ops_text(rule->ops, text, sizeof(text));
	add_string(obj, "ops", text);
	add_string(obj, "text", rule->text);
	return obj;
}

static int read_checked(struct args *args, struct policy *policy, struct json_object *warnings)
{
	const char *path = args_need(args, "FILE");

	if (!path || args_end(args))
		return USAGE;
	if (policy_read(path, true, policy))
		return FAILED;
	if (!policy_check(policy, warnings))
		return DONE;
	policy_free(policy);
	return FAILED;
}

static int do_check(struct args *args)
{
	struct json_object *result, *warnings = json_object_new_array();
	struct tables tables;
	struct policy policy;
	size_t i;
	int ret;

	ret = read_checked(args, &policy, warnings);
	if (!ret) {
		ret = tables_build(&policy, &tables);
		if (!ret) {
			tables_free(&tables);
			result = json_object_new_object();
			add_number(result, "rules", policy.nr);
			add_number(result, "subtrees", policy.nr_scopes - 1);
			json_object_object_add(result, "warnings", json_object_get(warnings));
			out_result(result);
			for (i = 0; i < json_object_array_length(warnings); i++)
				p_text("warning: %s\n",
				       json_object_get_string(json_object_object_get(
					       json_object_array_get_idx(warnings, i), "text")));
			p_text("%zu rules, %zu subtrees, %zu warnings\n", policy.nr,
			       policy.nr_scopes - 1, json_object_array_length(warnings));
		}
		policy_free(&policy);
	}
	json_object_put(warnings);
	return ret;
}

static void add_table(struct json_object *result, const char *name, size_t nr)
{
	add_number(result, name, nr);
	p_text("  %-10s %zu\n", name, nr);
}

static void show_tables(const struct policy *policy, const struct tables *tables)
{
	struct json_object *result = json_object_new_object();
	struct json_object *rules = json_object_new_array();
	struct json_object *sizes = json_object_new_object();
	size_t i;

	for (i = 0; i < policy->nr; i++) {
		const struct rule *rule = &policy->rules[i];
		struct json_object *obj = rule_json(&rule->compiled, i);

		add_bool(obj, "compiled", rule->shadow < 0);
		json_object_array_add(rules, obj);
		p_text("%5zu line %-5u %s%s\n", i, rule->line, rule->compiled.text,
		       rule->shadow < 0 ? "" : " (left out: never decides)");
	}
	json_object_object_add(result, "rules", rules);
	json_object_object_add(result, "tables", sizes);
	p_text("keys in the tables\n");
	add_table(sizes, "exact", tables->nr_exact);
	add_table(sizes, "prefix", tables->nr_prefix);
	add_table(sizes, "suffix", tables->nr_suffix);
	add_table(sizes, "automata", tables->nr_globs);
	add_table(sizes, "long_names", tables->nr_longs);
	add_table(sizes, "files", tables->nr_files);
	add_table(sizes, "callers", policy->nr_whos - 1);
	out_result(result);
}

static int do_compile(struct args *args)
{
	struct json_object *warnings = json_object_new_array();
	struct tables tables;
	struct policy policy;
	int ret;

	ret = read_checked(args, &policy, warnings);
	if (!ret) {
		ret = tables_build(&policy, &tables);
		if (!ret) {
			show_tables(&policy, &tables);
			tables_free(&tables);
		}
		policy_free(&policy);
	}
	json_object_put(warnings);
	return ret;
}

static const struct command commands[] = {
	{ "check", do_check },
	{ "compile", do_compile },
	{ "diff", do_policy_diff },
	{ "load", do_policy_load },
	{ "log", do_policy_log },
	{ "show", do_policy_show },
	{ "unload", do_policy_unload },
	{},
};

int do_policy(struct args *args)
{
	const char *word = args_need(args, "check, compile, diff, load, log, show or unload");
	const struct command *command = word ? command_find(commands, word) : NULL;

	return command ? command->run(args) : USAGE;
}
