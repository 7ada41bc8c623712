// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rules that can never decide, because an earlier one always does.
 *
 * If both say the same, the later one is superfluous, which is worth a warning. If
 * the later one is for just the same requests and says something else, the policy
 * contradicts itself, and is refused. What is between, as a rule within a wider
 * one that says something else, is a mistake more often than not, and a warning too.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy.h"

static bool decides(const struct rule *rule)
{
	return !(rule->compiled.flags & POLICY_PASS);
}

static bool same_verdict(const struct policy_rule *a, const struct policy_rule *b)
{
	return a->verdict == b->verdict && a->nr_ranges == b->nr_ranges &&
	       !memcmp(a->ranges, b->ranges, sizeof(a->ranges));
}

static bool target_covers(const struct rule *outer, const struct rule *inner)
{
	if (outer->compiled.scope != inner->compiled.scope)
		return false;
	if (outer->target == TARGET_FILE || inner->target == TARGET_FILE)
		return outer->target == inner->target && !strcmp(outer->file, inner->file);
	if (outer->target == TARGET_BELOW)
		return true;
	return inner->target == TARGET_NAME && pattern_covers(&outer->pattern, &inner->pattern);
}

static bool covers(const struct rule *outer, const struct rule *inner)
{
	return !(inner->compiled.ops & ~outer->compiled.ops) &&
	       !(inner->compiled.types & ~outer->compiled.types) &&
	       (!outer->compiled.who || outer->compiled.who == inner->compiled.who) &&
	       target_covers(outer, inner);
}

static int report(const struct policy *policy, const struct rule *earlier,
		  const struct rule *later, struct json_object *warnings)
{
	bool same = same_verdict(&earlier->compiled, &later->compiled);
	struct json_object *warning;
	char text[1024];

	snprintf(text, sizeof(text), "%s:%u: '%s' never decides: line %u, '%s', comes first and says %s",
		 policy->path, later->line, later->compiled.text, earlier->line,
		 earlier->compiled.text, same ? "the same" : "otherwise");
	if (!same && covers(later, earlier)) {
		p_err(0, "%s", text);
		return FAILED;
	}
	warning = json_object_new_object();
	add_string(warning, "kind", same ? "superfluous" : "shadowed");
	add_number(warning, "line", later->line);
	add_number(warning, "by_line", earlier->line);
	add_string(warning, "text", text);
	json_object_array_add(warnings, warning);
	return DONE;
}

/* Of one exact name, rules lie side by side in this order */
static int compare(const void *a, const void *b)
{
	const struct rule *one = *(const struct rule *const *)a;
	const struct rule *two = *(const struct rule *const *)b;
	int order = strcmp(one->pattern.text, two->pattern.text);

	return order ? order : one < two ? -1 : 1;
}

static bool is_exact(const struct rule *rule)
{
	return rule->target == TARGET_NAME && rule->pattern.kind == PATTERN_EXACT;
}

static const struct rule *first_cover(struct rule *const *rules, size_t nr,
				      const struct rule *later)
{
	size_t i;

	for (i = 0; i < nr && rules[i] < later; i++) {
		if (decides(rules[i]) && covers(rules[i], later))
			return rules[i];
	}
	return NULL;
}

struct sorted {
	struct rule **exact;
	size_t nr_exact;
	struct rule **others;
	size_t nr_others;
};

static int check_rule(struct policy *policy, const struct sorted *sorted, struct rule *rule,
		      struct rule *const *equals, size_t nr_equals, struct json_object *warnings)
{
	const struct rule *earlier = first_cover(equals, nr_equals, rule);
	const struct rule *other = first_cover(sorted->others, sorted->nr_others, rule);

	if (!decides(rule))
		return DONE;
	if (!earlier || (other && other < earlier))
		earlier = other;
	if (!earlier)
		return DONE;
	rule->shadow = earlier - policy->rules;
	return report(policy, earlier, rule, warnings);
}

static int check_all(struct policy *policy, const struct sorted *sorted,
		     struct json_object *warnings)
{
	size_t i, end;
	int ret = DONE;

	for (i = 0; !ret && i < sorted->nr_others; i++)
		ret = check_rule(policy, sorted, sorted->others[i], NULL, 0, warnings);
	for (i = 0; !ret && i < sorted->nr_exact; i = end) {
		size_t k;

		for (end = i + 1; end < sorted->nr_exact; end++) {
			if (strcmp(sorted->exact[i]->pattern.text, sorted->exact[end]->pattern.text))
				break;
		}
		for (k = i; !ret && k < end; k++)
			ret = check_rule(policy, sorted, sorted->exact[k], sorted->exact + i,
					 end - i, warnings);
	}
	return ret;
}

/**
 * policy_check - look for rules that never decide
 * @policy: the policy
 * @warnings: JSON array, to which what is found is added
 *
 * Exact names are compared with those that are equal and with patterns, and patterns
 * with each other, so that ten thousand names take no time.
 *
 * Return: DONE, or FAILED after reporting two rules that contradict each other
 */
int policy_check(struct policy *policy, struct json_object *warnings)
{
	struct sorted sorted = {
		.exact = calloc(policy->nr + 1, sizeof(*sorted.exact)),
		.others = calloc(policy->nr + 1, sizeof(*sorted.others)),
	};
	int ret = FAILED;
	size_t i;

	if (!sorted.exact || !sorted.others) {
		p_err(-ENOMEM, "cannot check the policy");
		goto out;
	}
	for (i = 0; i < policy->nr; i++) {
		struct rule *rule = &policy->rules[i];

		if (is_exact(rule))
			sorted.exact[sorted.nr_exact++] = rule;
		else
			sorted.others[sorted.nr_others++] = rule;
	}
	qsort(sorted.exact, sorted.nr_exact, sizeof(*sorted.exact), compare);
	ret = check_all(policy, &sorted, warnings);
out:
	free(sorted.exact);
	free(sorted.others);
	return ret;
}
