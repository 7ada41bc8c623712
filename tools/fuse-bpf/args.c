// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command line: words, of which keywords may be cut short as long as it stays
 * clear which one is meant.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "main.h"

static bool is_prefix(const char *prefix, const char *word)
{
	return !strncmp(word, prefix, strlen(prefix));
}

/* Index of the word that is meant; -ENOENT none, -ENOTUNIQ several */
static int match(const char *const words[], const char *word)
{
	int found = -ENOENT;
	int i;

	for (i = 0; words[i]; i++) {
		if (!strcmp(words[i], word))
			return i;
		if (*word && is_prefix(word, words[i]))
			found = found == -ENOENT ? i : -ENOTUNIQ;
	}
	return found;
}

/**
 * command_find - look up a command
 * @commands: table that ends with an empty entry
 * @word: its name, or a prefix of no other name
 *
 * Return: the entry, or NULL after reporting why not
 */
const struct command *command_find(const struct command *commands, const char *word)
{
	const char *names[32] = {};
	size_t i;
	int found;

	for (i = 0; commands[i].name && i < ARRAY_SIZE(names) - 1; i++)
		names[i] = commands[i].name;
	found = match(names, word);
	if (found >= 0)
		return &commands[found];

	if (found == -ENOENT)
		p_usage("there is no command '%s'", word);
	else
		p_usage("'%s' is short for several commands", word);
	return NULL;
}

/* args_next - take the next word, NULL at the end */
const char *args_next(struct args *args)
{
	if (!args->argc)
		return NULL;
	args->argc--;
	return *args->argv++;
}

/* args_need - take the next word, or report that @what is missing and return NULL */
const char *args_need(struct args *args, const char *what)
{
	const char *word = args_next(args);

	if (!word)
		p_usage("%s is missing", what);
	return word;
}

/* args_end - DONE if there are no more words, else USAGE after reporting it */
int args_end(struct args *args)
{
	return args->argc ? p_usage("'%s' is one word too many", *args->argv) : DONE;
}

/**
 * args_keyword - take the next word, which must be a keyword
 * @args: command line with at least one word
 * @words: keywords, ends with NULL
 *
 * Return: index of the keyword, or -1 after reporting why not
 */
int args_keyword(struct args *args, const char *const words[])
{
	const char *word = args_next(args);
	int found = match(words, word);

	if (found == -ENOTUNIQ)
		p_usage("'%s' is short for several keywords", word);
	else if (found < 0)
		p_usage("'%s' is not expected here", word);
	return found < 0 ? -1 : found;
}

/* parse_u32 - a number in decimal, or in hexadecimal with 0x */
bool parse_u32(const char *text, __u32 *number)
{
	unsigned long long value;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	value = strtoull(text, &end, is_prefix("0x", text) ? 16 : 10);
	if (*end || errno || value > 0xffffffffULL)
		return false;
	*number = value;
	return true;
}

/* args_id - take an id, which is never 0; DONE, or USAGE after reporting */
int args_id(struct args *args, __u32 *id)
{
	const char *word = args_need(args, "ID");

	if (!word)
		return USAGE;
	if (!parse_u32(word, id) || !*id)
		return p_usage("'%s' is no id", word);
	return DONE;
}
