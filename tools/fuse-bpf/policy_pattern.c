// SPDX-License-Identifier: GPL-2.0-only
/*
 * Patterns of names: * any bytes, ? one byte, [a-z] [!a-z] one of a set, \x the byte
 * x itself. A pattern is for one component of a path; "**" followed by "/" in front of
 * it says what is so anyway, that it holds at any depth.
 *
 * An automaton has a state for each number of elements that have been taken, as one
 * bit each: a byte moves on the states whose next element takes it, and leaves those
 * in front of a '*' where they are.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy.h"

static void set_add(struct element_set *set, unsigned char byte)
{
	set->bytes[byte / 64] |= 1ULL << (byte % 64);
}

static bool set_has(const struct element_set *set, unsigned char byte)
{
	return set->bytes[byte / 64] >> (byte % 64) & 1;
}

static bool set_is_within(const struct element_set *inner, const struct element_set *outer)
{
	int i;

	for (i = 0; i < 4; i++) {
		if (inner->bytes[i] & ~outer->bytes[i])
			return false;
	}
	return true;
}

static struct element_set set_of(unsigned char byte)
{
	struct element_set set = {};

	set_add(&set, byte);
	return set;
}

/* [...], of which @text is behind the bracket. Returns what is behind it, or NULL */
static const char *parse_set(const char *text, struct element_set *set)
{
	bool not = *text == '!' || *text == '^';
	bool first = true;
	int byte, i;

	memset(set, 0, sizeof(*set));
	for (text += not; *text != ']' || first; text++) {
		unsigned char from = *text;

		first = false;
		if (from == '\\')
			from = *++text;
		if (!from)
			return NULL;
		if (text[1] != '-' || !text[2] || text[2] == ']') {
			set_add(set, from);
			continue;
		}
		text += 2;
		if (*text == '\\')
			text++;
		if (!*text || (unsigned char)*text < from)
			return NULL;
		for (byte = from; byte <= (unsigned char)*text; byte++)
			set_add(set, byte);
	}
	for (i = 0; not && i < 4; i++)
		set->bytes[i] = ~set->bytes[i];
	return text + 1;
}

/**
 * struct parsed - a pattern as its elements
 * @elements: bytes that each takes
 * @literal: the byte, for an element that is one
 * @is_literal: it is
 * @star: a '*' is in front of each, and behind the last
 * @nr: number of elements
 */
struct parsed {
	struct element_set elements[POLICY_NAME];
	char literal[POLICY_NAME];
	bool is_literal[POLICY_NAME];
	bool star[POLICY_NAME + 1];
	unsigned int nr;
};

static const char *parse_element(const char *text, struct parsed *p)
{
	struct element_set *set = &p->elements[p->nr];

	switch (*text) {
	case '?':
		memset(set, 0xff, sizeof(*set));
		text++;
		break;
	case '[':
		text = parse_set(text + 1, set);
		break;
	case '\\':
		if (!*++text)
			return NULL;
		/* fall through */
	default:
		p->is_literal[p->nr] = true;
		p->literal[p->nr] = *text;
		*set = set_of(*text++);
		break;
	}
	p->nr++;
	return text;
}

static int parse_elements(const char *text, struct parsed *p, const char **why)
{
	while (*text) {
		if (*text == '*') {
			p->star[p->nr] = true;
			text++;
			continue;
		}
		if (*text == '/') {
			*why = "has a '/': a pattern is for one name; 'under' says in which subtree";
			return -EINVAL;
		}
		if (p->nr == POLICY_NAME - 1) {
			*why = "is longer than any name";
			return -ENAMETOOLONG;
		}
		text = parse_element(text, p);
		if (!text) {
			*why = "ends within a '[' or behind a '\\', or has a range that is empty";
			return -EINVAL;
		}
	}
	return 0;
}

static unsigned int stars(const struct parsed *p)
{
	unsigned int i, nr = 0;

	for (i = 0; i <= p->nr; i++)
		nr += p->star[i];
	return nr;
}

/* Literal elements from the beginning, before the first '*' */
static unsigned int literal_start(const struct parsed *p)
{
	unsigned int i = 0;

	while (i < p->nr && !p->star[i] && p->is_literal[i])
		i++;
	return i;
}

/* Literal elements up to the end, behind the last '*' */
static unsigned int literal_end(const struct parsed *p)
{
	unsigned int i = 0;

	if (p->star[p->nr])
		return 0;
	while (i < p->nr && p->is_literal[p->nr - 1 - i]) {
		i++;
		if (p->star[p->nr - i])
			break;
	}
	return i;
}

static void take_text(struct pattern *pattern, const char *text, unsigned int len)
{
	memcpy(pattern->text, text, len);
	pattern->text[len] = '\0';
	pattern->len = len;
}

static int make_automaton(const struct parsed *p, struct pattern *pattern, const char **why)
{
	unsigned int i;

	if (p->nr > POLICY_ELEMENTS) {
		*why = "needs more than 63 bytes, '?' and sets besides its '*'";
		return -E2BIG;
	}
	pattern->elements = calloc(p->nr + 1, sizeof(*pattern->elements));
	if (!pattern->elements) {
		*why = "needs more memory than there is";
		return -ENOMEM;
	}
	memcpy(pattern->elements, p->elements, p->nr * sizeof(*pattern->elements));
	pattern->nr = p->nr;
	for (i = 0; i <= p->nr; i++)
		pattern->stay |= (__u64)p->star[i] << i;
	return 0;
}

static int classify(const struct parsed *p, struct pattern *pattern, const char **why)
{
	unsigned int start = literal_start(p), end = literal_end(p), nr_stars = stars(p);

	if (!p->nr) {
		pattern->kind = PATTERN_EVERY;
		return 0;
	}
	pattern->kind = PATTERN_GLOB;
	if (start == p->nr && !nr_stars)
		pattern->kind = PATTERN_EXACT;
	else if (start == p->nr && nr_stars == 1 && p->nr <= POLICY_AFFIX)
		pattern->kind = PATTERN_PREFIX;
	else if (end == p->nr && nr_stars == 1 && p->nr <= POLICY_AFFIX)
		pattern->kind = PATTERN_SUFFIX;

	/* Of a long one, what fits into a key is looked up, and the rest checked */
	pattern->at_end = pattern->kind == PATTERN_SUFFIX ||
			  (pattern->kind == PATTERN_GLOB && !start && end);
	if (pattern->kind == PATTERN_GLOB && start > POLICY_AFFIX)
		start = POLICY_AFFIX;
	if (pattern->kind == PATTERN_GLOB && end > POLICY_AFFIX)
		end = POLICY_AFFIX;
	if (pattern->at_end)
		take_text(pattern, p->literal + p->nr - end, end);
	else
		take_text(pattern, p->literal, start);
	return pattern->kind == PATTERN_EXACT ? 0 : make_automaton(p, pattern, why);
}

/**
 * pattern_parse - read a pattern
 * @text: as it is written
 * @pattern: filled in
 * @why: out: what is wrong with it, to follow the pattern in a sentence
 *
 * Return: 0 or a negative errno, with @why
 */
int pattern_parse(const char *text, struct pattern *pattern, const char **why)
{
	struct parsed *p = calloc(1, sizeof(*p));
	int err;

	memset(pattern, 0, sizeof(*pattern));
	*why = "needs more memory than there is";
	if (!p)
		return -ENOMEM;
	while (!strncmp(text, "**/", 3))
		text += 3;
	*why = "is empty";
	err = *text ? parse_elements(text, p, why) : -EINVAL;
	if (!err)
		err = classify(p, pattern, why);
	if (!err && pattern->kind == PATTERN_EXACT &&
	    (!strcmp(pattern->text, ".") || !strcmp(pattern->text, ".."))) {
		*why = "is a name that no filter is asked about";
		err = -EINVAL;
	}
	free(p);
	return err;
}

/* The states that are left after bytes of one set */
static __u64 walk_set(const struct pattern *outer, __u64 states, const struct element_set *set)
{
	__u64 next = states & outer->stay;
	unsigned int i;

	for (i = 0; i < outer->nr; i++) {
		if (states >> i & 1 && set_is_within(set, &outer->elements[i]))
			next |= 1ULL << (i + 1);
	}
	return next;
}

/* Every byte of @inner is taken by a state of @outer, and its '*' by a '*' */
static bool automaton_covers(const struct pattern *outer, const struct pattern *inner)
{
	__u64 states = 1;
	unsigned int i;

	for (i = 0; i <= inner->nr; i++) {
		if (inner->stay >> i & 1)
			states &= outer->stay;
		if (i < inner->nr)
			states = walk_set(outer, states, &inner->elements[i]);
	}
	return states >> outer->nr & 1;
}

static bool exact_is_covered(const struct pattern *outer, const struct pattern *inner)
{
	__u64 states = 1;
	unsigned int i;

	for (i = 0; i < inner->len; i++) {
		struct element_set set = set_of(inner->text[i]);

		states = walk_set(outer, states, &set);
	}
	return states >> outer->nr & 1;
}

/**
 * pattern_covers - does one pattern match all that another one does?
 * @outer: the wider one
 * @inner: the other
 *
 * Return: true if it surely does
 */
bool pattern_covers(const struct pattern *outer, const struct pattern *inner)
{
	if (outer->kind == PATTERN_EVERY)
		return true;
	if (inner->kind == PATTERN_EVERY)
		return false;
	if (outer->kind == PATTERN_EXACT)
		return inner->kind == PATTERN_EXACT && !strcmp(outer->text, inner->text);
	if (inner->kind == PATTERN_EXACT)
		return exact_is_covered(outer, inner);
	/* Quick answers for those of which there may be many */
	if (outer->kind == PATTERN_SUFFIX && inner->kind == PATTERN_SUFFIX)
		return inner->len >= outer->len &&
		       !strcmp(inner->text + inner->len - outer->len, outer->text);
	if (outer->kind == PATTERN_PREFIX && inner->kind == PATTERN_PREFIX)
		return !strncmp(inner->text, outer->text, outer->len);
	return automaton_covers(outer, inner);
}

/* pattern_automaton - the automaton as the filter runs it */
void pattern_automaton(const struct pattern *pattern, struct policy_glob *glob)
{
	unsigned int byte, i;

	memset(glob, 0, sizeof(*glob));
	glob->stay = pattern->stay;
	glob->accept = 1ULL << pattern->nr;
	for (byte = 0; byte < 256; byte++) {
		for (i = 0; i < pattern->nr; i++) {
			if (set_has(&pattern->elements[i], byte))
				glob->step[byte] |= 1ULL << i;
		}
	}
}

void pattern_free(struct pattern *pattern)
{
	free(pattern->elements);
	pattern->elements = NULL;
}
