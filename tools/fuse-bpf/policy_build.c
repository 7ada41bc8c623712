// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tables of a policy. The filter makes one look-up in each table, and tries what
 * it finds, so the list at a key must hold all rules that such a name can match: in
 * the tries, which find the longest key only, also those of all shorter keys.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy.h"

static int no_memory(void)
{
	p_err(-ENOMEM, "cannot compile the policy");
	return FAILED;
}

static int too_many(const struct policy *policy, __u32 rule, int limit, const char *what,
		    const char *text)
{
	const struct rule *last = &policy->rules[rule];

	p_err(0, "%s:%u: '%s' is one too many: the filter tries no more than %d rules with %s%s%s%s",
	      policy->path, last->line, last->compiled.text, limit, what, *text ? " '" : "", text,
	      *text ? "'" : "");
	return FAILED;
}

/* Put an entry into its place in a list; false: there is no room. */
static bool insert(struct policy_entry *entries, __u32 *nr, __u32 room, struct policy_entry entry)
{
	__u32 i;

	if (*nr == room)
		return false;
	for (i = *nr; i && entries[i - 1].rule > entry.rule; i--)
		entries[i] = entries[i - 1];
	entries[i] = entry;
	++*nr;
	return true;
}

static int add_to_list(const struct policy *policy, struct policy_list *list,
		       struct policy_entry entry, const char *what, const char *text)
{
	if (insert(list->entries, &list->nr, POLICY_TRY, entry))
		return DONE;
	return too_many(policy, entry.rule, POLICY_TRY, what, text);
}

static int add_to_any(const struct policy *policy, struct policy_any *any,
		      struct policy_entry entry, const char *what)
{
	if (insert(any->entries, &any->nr, POLICY_ANY, entry))
		return DONE;
	return too_many(policy, entry.rule, POLICY_ANY, what, "");
}

/* What a pattern needs besides its key: an automaton, or the rest of a long name */
static int add_check(const struct policy *policy, struct tables *tables,
		     const struct pattern *pattern, struct policy_entry *entry)
{
	if (pattern->kind == PATTERN_GLOB) {
		if (tables->nr_globs == POLICY_GLOBS)
			return too_many(policy, entry->rule, POLICY_GLOBS, "an automaton", "");
		pattern_automaton(pattern, &tables->globs[tables->nr_globs]);
		entry->check = ++tables->nr_globs;
	} else if (pattern->kind == PATTERN_EXACT && pattern->len >= POLICY_EXACT) {
		if (tables->nr_longs == POLICY_LONGS)
			return too_many(policy, entry->rule, POLICY_LONGS, "long names", "");
		strcpy(tables->longs[tables->nr_longs], pattern->text);
		entry->check = POLICY_CHECK_LONG | tables->nr_longs++;
	}
	return DONE;
}

static void affix_key(struct policy_affix *key, __u32 scope, const struct pattern *pattern)
{
	unsigned int len = pattern->len < POLICY_AFFIX ? pattern->len : POLICY_AFFIX, i;

	key->bits = 8 * (1 + len);
	key->scope = scope;
	for (i = 0; i < len; i++)
		key->text[i] = pattern->at_end ? pattern->text[pattern->len - 1 - i] :
						 pattern->text[i];
}

static int add_name(const struct policy *policy, struct tables *tables, __u32 number)
{
	const struct rule *rule = &policy->rules[number];
	const struct pattern *pattern = &rule->pattern;
	struct policy_entry entry = { .rule = number };
	__u32 scope = rule->compiled.scope;

	if (add_check(policy, tables, pattern, &entry))
		return FAILED;
	if (pattern->kind == PATTERN_EXACT && pattern->len < POLICY_EXACT) {
		struct exact_slot *slot = &tables->exact[tables->nr_exact++];

		slot->key.scope = scope;
		memcpy(slot->key.name, pattern->text, pattern->len);
		slot->list = (struct policy_list){ .nr = 1, .entries = { entry } };
	} else if (!pattern->len) {
		return add_to_any(policy, &tables->any[scope], entry, "every name");
	} else {
		struct affix_slot *slot = pattern->at_end ?
			&tables->suffix[tables->nr_suffix++] : &tables->prefix[tables->nr_prefix++];

		affix_key(&slot->key, scope, pattern);
		slot->list = (struct policy_list){ .nr = 1, .entries = { entry } };
	}
	return DONE;
}

static int add_file(const struct policy *policy, struct tables *tables, __u32 number)
{
	const struct rule *rule = &policy->rules[number];
	struct policy_entry entry = { .rule = number };
	size_t i;

	for (i = 0; i < tables->nr_files; i++) {
		if (!strcmp(tables->files[i].path, rule->file))
			break;
	}
	if (i == tables->nr_files)
		tables->files[tables->nr_files++].path = rule->file;
	return add_to_list(policy, &tables->files[i].list, entry, "file", rule->file);
}

static int add_rule(const struct policy *policy, struct tables *tables, __u32 number)
{
	const struct rule *rule = &policy->rules[number];
	struct policy_entry entry = { .rule = number };

	/* What never decides is not even tried */
	if (rule->shadow >= 0)
		return DONE;
	switch (rule->target) {
	case TARGET_NAME:
		return add_name(policy, tables, number);
	case TARGET_FILE:
		return add_file(policy, tables, number);
	default:
		return add_to_any(policy, &tables->below[rule->compiled.scope], entry,
				  "all of a subtree");
	}
}

static int compare_exact(const void *a, const void *b)
{
	const struct exact_slot *one = a, *two = b;
	int order = memcmp(&one->key, &two->key, sizeof(one->key));

	return order ? order : one->list.entries[0].rule < two->list.entries[0].rule ? -1 : 1;
}

/* Make one key of those that are equal. */
static int merge_exact(const struct policy *policy, struct tables *tables)
{
	size_t i, to = 0;

	qsort(tables->exact, tables->nr_exact, sizeof(*tables->exact), compare_exact);
	for (i = 0; i < tables->nr_exact; i++) {
		struct exact_slot *slot = &tables->exact[i];

		if (to && !memcmp(&tables->exact[to - 1].key, &slot->key, sizeof(slot->key))) {
			if (add_to_list(policy, &tables->exact[to - 1].list, slot->list.entries[0],
					"the name", slot->key.name))
				return FAILED;
		} else {
			tables->exact[to++] = *slot;
		}
	}
	tables->nr_exact = to;
	return DONE;
}

/* In the order of the tries: a key comes before all that it is the beginning of */
static int compare_affix(const void *a, const void *b)
{
	const struct affix_slot *one = a, *two = b;
	size_t shared = (one->key.bits < two->key.bits ? one->key.bits : two->key.bits) / 8;
	int order = memcmp(&one->key.scope, &two->key.scope, shared);

	if (order || one->key.bits != two->key.bits)
		return order ? order : one->key.bits < two->key.bits ? -1 : 1;
	return one->list.entries[0].rule < two->list.entries[0].rule ? -1 : 1;
}

static bool begins_with(const struct affix_slot *slot, const struct affix_slot *shorter)
{
	return slot->key.bits >= shorter->key.bits &&
	       !memcmp(&slot->key.scope, &shorter->key.scope, shorter->key.bits / 8);
}

static int inherit(const struct policy *policy, struct affix_slot *slot,
		   const struct affix_slot *from, const char *what)
{
	__u32 i;

	for (i = 0; i < from->list.nr; i++) {
		if (add_to_list(policy, &slot->list, from->list.entries[i], what, ""))
			return FAILED;
	}
	return DONE;
}

/*
 * @open holds the keys that the current one begins with, the longest last. It has the
 * rules of the others already.
 */
static int merge_affixes(const struct policy *policy, struct affix_slot *slots, size_t *nr,
			 const char *what)
{
	size_t open[POLICY_AFFIX + 1], depth = 0, to = 0, i;

	qsort(slots, *nr, sizeof(*slots), compare_affix);
	for (i = 0; i < *nr; i++) {
		struct affix_slot *slot = &slots[i];

		if (to && !memcmp(&slots[to - 1].key, &slot->key, sizeof(slot->key))) {
			if (inherit(policy, &slots[to - 1], slot, what))
				return FAILED;
			continue;
		}
		while (depth && !begins_with(slot, &slots[open[depth - 1]]))
			depth--;
		slots[to] = *slot;
		if (depth && inherit(policy, &slots[to], &slots[open[depth - 1]], what))
			return FAILED;
		open[depth++] = to++;
	}
	*nr = to;
	return DONE;
}

static int allocate(const struct policy *policy, struct tables *tables)
{
	size_t nr = policy->nr + 1;

	memset(tables, 0, sizeof(*tables));
	tables->exact = calloc(nr, sizeof(*tables->exact));
	tables->prefix = calloc(nr, sizeof(*tables->prefix));
	tables->suffix = calloc(nr, sizeof(*tables->suffix));
	tables->files = calloc(nr, sizeof(*tables->files));
	tables->globs = calloc(POLICY_GLOBS, sizeof(*tables->globs));
	tables->longs = calloc(POLICY_LONGS, sizeof(*tables->longs));
	return tables->exact && tables->prefix && tables->suffix && tables->files &&
	       tables->globs && tables->longs ? DONE : no_memory();
}

/**
 * tables_build - compile a policy
 * @policy: as policy_check() left it
 * @tables: filled in
 *
 * Return: DONE, or FAILED after reporting which limit it exceeds, and then there is
 * nothing to free
 */
int tables_build(const struct policy *policy, struct tables *tables)
{
	int ret = allocate(policy, tables);
	__u32 i;

	for (i = 0; !ret && i < policy->nr; i++)
		ret = add_rule(policy, tables, i);
	if (!ret)
		ret = merge_exact(policy, tables);
	if (!ret)
		ret = merge_affixes(policy, tables->prefix, &tables->nr_prefix,
				    "names of one beginning");
	if (!ret)
		ret = merge_affixes(policy, tables->suffix, &tables->nr_suffix,
				    "names of one end");
	if (ret)
		tables_free(tables);
	return ret;
}

void tables_free(struct tables *tables)
{
	free(tables->exact);
	free(tables->prefix);
	free(tables->suffix);
	free(tables->files);
	free(tables->globs);
	free(tables->longs);
	memset(tables, 0, sizeof(*tables));
}
