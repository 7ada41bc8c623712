// SPDX-License-Identifier: GPL-2.0-only
/*
 * The words of policies: operations, types, errnos and actions.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policy.h"

struct word {
	const char *name;
	__u32 bits;
};

/* Single operations are in capitals, in the order of their bits; then the groups */
static const struct word op_words[] = {
	{ "LOOKUP", POLICY_LOOKUP },
	{ "DIRENT", POLICY_LIST },
	{ "CREATE", POLICY_CREATE },
	{ "MKNOD", POLICY_MKNOD },
	{ "MKDIR", POLICY_MKDIR },
	{ "SYMLINK", POLICY_SYMLINK },
	{ "LINK", POLICY_LINK },
	{ "RENAME_FROM", POLICY_RENAME_FROM },
	{ "RENAME_TO", POLICY_RENAME_TO },
	{ "UNLINK", POLICY_UNLINK },
	{ "RMDIR", POLICY_RMDIR },
	{ "OPEN_READ", POLICY_OPEN_READ },
	{ "OPEN_WRITE", POLICY_OPEN_WRITE },
	{ "OPEN_EXEC", POLICY_OPEN_EXEC },
	{ "OPENDIR", POLICY_OPENDIR },
	{ "READ", POLICY_READ },
	{ "WRITE", POLICY_WRITE },
	{ "MMAP_EXEC", POLICY_MAP_EXEC },
	{ "SETATTR", POLICY_SETATTR },
	{ "GETXATTR", POLICY_GETXATTR },
	{ "SETXATTR", POLICY_SETXATTR },
	{ "FALLOCATE", POLICY_FALLOCATE },
	{ "READLINK", POLICY_READLINK },
	{ "IOCTL", POLICY_IOCTL },
	{ "all", POLICY_ALL_OPS },
	{ "write", POLICY_WRITE_OPS },
	{ "read", POLICY_READ_OPS },
	{ "create", POLICY_MAKE_OPS },
	{ "remove", POLICY_REMOVE_OPS },
	{ "exec", POLICY_OPEN_EXEC | POLICY_MAP_EXEC },
	{ "list", POLICY_LIST },
	{ "lookup", POLICY_LOOKUP },
};

static const struct word type_words[] = {
	{ "fifo", 1 << 1 }, { "char", 1 << 2 }, { "dir", 1 << 4 }, { "block", 1 << 6 },
	{ "file", 1 << 8 }, { "symlink", 1 << 10 }, { "socket", 1 << 12 },
};

static const struct word *word_find(const struct word *words, size_t nr, const char *name)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		if (!strcmp(words[i].name, name))
			return &words[i];
	}
	return NULL;
}

/* ops_parse - add the operations that a word stands for */
bool ops_parse(const char *name, __u32 *ops)
{
	const struct word *word = word_find(op_words, ARRAY_SIZE(op_words), name);

	if (word)
		*ops |= word->bits;
	return word;
}

static void words_text(const struct word *words, size_t nr, __u32 bits, char *text, size_t size)
{
	size_t i, len = 0;

	text[0] = '\0';
	for (i = 0; i < nr && len < size; i++) {
		if (words[i].bits & (words[i].bits - 1) || !(bits & words[i].bits))
			continue;
		bits &= ~words[i].bits;
		len += snprintf(text + len, size - len, "%s%s", len ? "," : "", words[i].name);
	}
}

/* ops_text - name operations: a group, or all one by one */
void ops_text(__u32 ops, char *text, size_t size)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(op_words); i++) {
		if (op_words[i].bits == ops) {
			snprintf(text, size, "%s", op_words[i].name);
			return;
		}
	}
	words_text(op_words, ARRAY_SIZE(op_words), ops, text, size);
}

/* op_name - name the first of some operations */
const char *op_name(__u32 op)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(op_words); i++) {
		if (op & op_words[i].bits)
			return op_words[i].name;
	}
	return "?";
}

bool type_parse(const char *name, __u16 *types)
{
	const struct word *word = word_find(type_words, ARRAY_SIZE(type_words), name);

	if (word)
		*types |= word->bits;
	return word;
}

void types_text(__u16 types, char *text, size_t size)
{
	words_text(type_words, ARRAY_SIZE(type_words), types, text, size);
}

/* errno_parse - the number of an errno that a filter may return, or 0 */
int errno_parse(const char *name)
{
	int err;

	/* Above 511 and ECHILD steer the VFS, and the kernel does not take them */
	for (err = 1; err < 512; err++) {
		const char *known = strerrorname_np(err);

		if (known && !strcmp(known, name))
			return err == ECHILD ? 0 : err;
	}
	return 0;
}

/* verdict_text - what a rule does, in a word or two */
void verdict_text(const struct policy_rule *rule, char *text, size_t size)
{
	const char *audit = rule->flags & POLICY_AUDIT ? ", audit" : "";

	if (rule->flags & POLICY_PASS)
		snprintf(text, size, "audit");
	else if (rule->flags & POLICY_REDACT)
		snprintf(text, size, "redact%s", audit);
	else if (rule->verdict == FUSE_FILTER_DAEMON)
		snprintf(text, size, "daemon%s", audit);
	else if (rule->verdict < 0)
		snprintf(text, size, "%s%s", strerrorname_np(-rule->verdict), audit);
	else
		snprintf(text, size, "allow%s", audit);
}
