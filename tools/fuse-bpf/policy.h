/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Policies: what the files policy*.c share.
 *
 * policy_parse.c reads the text into a struct policy, policy_check.c looks for rules
 * that can never decide, policy_build.c makes the tables that the filter works with,
 * policy_load.c puts them into the kernel, and policy_show.c reads them back.
 */
#ifndef FUSE_BPF_POLICY_TOOL_H
#define FUSE_BPF_POLICY_TOOL_H

#include <linux/types.h>

#include "../../bpf/filters/policy.h"
#include "main.h"

/* What a rule is about */
enum target {
	TARGET_NAME,	/* names that match a pattern */
	TARGET_BELOW,	/* a subtree */
	TARGET_FILE,	/* one file or directory, by whatever name */
};

enum pattern_kind {
	PATTERN_EXACT,
	PATTERN_PREFIX,
	PATTERN_SUFFIX,
	PATTERN_GLOB,
	PATTERN_EVERY,
};

/* struct element - bytes that one place of a pattern takes */
struct element_set {
	__u64 bytes[4];
};

/**
 * struct pattern - a pattern of names
 * @kind: what it needs to be matched
 * @len: bytes in @text
 * @text: the name, or what names begin or end with, or have as the longest
 *	constant beginning or end, which @at_end says
 * @at_end: @text is what names end with
 * @nr: of an automaton: number of elements
 * @elements: of an automaton: its elements
 * @stay: of an automaton: bit I: a '*' is in front of element I
 */
struct pattern {
	enum pattern_kind kind;
	unsigned int len;
	char text[POLICY_NAME];
	bool at_end;
	unsigned int nr;
	struct element_set *elements;
	__u64 stay;
};

/**
 * struct rule - one pattern, subtree or file of a rule of the text
 * @compiled: what the kernel gets; its text is what people see
 * @target: what it is about
 * @pattern: of names
 * @file: path of a file
 * @line: line of the pattern
 * @shadow: number of the rule that decides before it, or -1
 */
struct rule {
	struct policy_rule compiled;
	enum target target;
	struct pattern pattern;
	const char *file;
	unsigned int line;
	int shadow;
};

/**
 * struct who - callers that rules are for
 * @compiled: what the kernel gets
 * @ids: user and group ids
 * @nr_ids: number of @ids
 * @text: as people see it
 */
struct who {
	struct policy_who compiled;
	struct policy_id *ids;
	size_t nr_ids;
	char text[160];
};

/**
 * struct policy - a policy file
 * @path: of the file
 * @rules: in the order of the file
 * @nr: number of @rules
 * @whos: sets of callers; 0 is all
 * @nr_whos: number of @whos
 * @scopes: subtrees; 0 is the whole mount
 * @nr_scopes: number of @scopes
 * @offline: cgroups and pid namespaces are not looked up
 */
struct policy {
	const char *path;
	struct rule *rules;
	size_t nr;
	struct who *whos;
	size_t nr_whos;
	char *scopes[POLICY_SCOPES + 1];
	size_t nr_scopes;
	bool offline;
};

/* A key of the tables */
struct exact_slot {
	struct policy_exact key;
	struct policy_list list;
};

struct affix_slot {
	struct policy_affix key;
	struct policy_list list;
};

struct file_slot {
	const char *path;
	struct policy_list list;
};

/**
 * struct tables - a policy as the kernel gets it
 */
struct tables {
	struct exact_slot *exact;
	size_t nr_exact;
	struct affix_slot *prefix;
	size_t nr_prefix;
	struct affix_slot *suffix;
	size_t nr_suffix;
	struct policy_any any[POLICY_SCOPES + 1];
	struct policy_any below[POLICY_SCOPES + 1];
	struct file_slot *files;
	size_t nr_files;
	struct policy_glob *globs;
	size_t nr_globs;
	char (*longs)[POLICY_NAME];
	size_t nr_longs;
};

/* policy_words.c */
bool ops_parse(const char *word, __u32 *ops);
void ops_text(__u32 ops, char *text, size_t size);
const char *op_name(__u32 op);
int errno_parse(const char *word);
bool type_parse(const char *word, __u16 *types);
void types_text(__u16 types, char *text, size_t size);
void verdict_text(const struct policy_rule *rule, char *text, size_t size);

/* policy_pattern.c */
int pattern_parse(const char *text, struct pattern *pattern, const char **why);
bool pattern_covers(const struct pattern *outer, const struct pattern *inner);
void pattern_automaton(const struct pattern *pattern, struct policy_glob *glob);
void pattern_free(struct pattern *pattern);

/* policy_parse.c */
int policy_read(const char *path, bool offline, struct policy *policy);
void policy_free(struct policy *policy);

/* policy_check.c */
int policy_check(struct policy *policy, struct json_object *warnings);

/* policy_build.c */
int tables_build(const struct policy *policy, struct tables *tables);
void tables_free(struct tables *tables);

/* policy_load.c */
volatile struct policy_control *control_map(int fd);
void control_unmap(volatile struct policy_control *control);
int policy_attach(const char *path, int root_fd, dev_t dev);
int do_policy_load(struct args *args);
int do_policy_unload(struct args *args);

/* policy_show.c */

/**
 * struct enforced - the filters of a policy that are attached to a mount
 * @infos: all filters of the mount
 * @nr: number of @infos
 * @control_fd: policy_control, or -1: there is none
 * @control: what is in it
 */
struct enforced {
	struct fuse_filter_info *infos;
	int nr;
	int control_fd;
	struct policy_control control;
};

bool policy_filter(const struct fuse_filter_info *info, __u32 *generation, __u32 *scope);
int enforced_read(int root_fd, struct enforced *enforced);
int enforced_map(const struct fuse_filter_info *info, const char *name);
const struct fuse_filter_info *enforced_main(const struct enforced *enforced);
bool enforced_scope(const struct enforced *enforced, __u32 scope);
void enforced_free(struct enforced *enforced);
int enforced_rules(const struct enforced *enforced, struct policy_rule **rules, size_t *nr,
		   __u64 **hits);
int enforced_rule(const struct enforced *enforced, __u32 number, struct policy_rule *rule);
int do_policy_show(struct args *args);
int do_policy_diff(struct args *args);
int do_policy_log(struct args *args);

/* policy.c */
int do_policy(struct args *args);
struct json_object *rule_json(const struct policy_rule *rule, size_t number);

#endif
