// SPDX-License-Identifier: GPL-2.0-only
/*
 * policy: texts of policies, for libFuzzer. Each is read, checked and compiled as
 * "fuse-bpf policy compile" does it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../tools/fuse-bpf/policy.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static const char *file_of(const unsigned char *data, size_t size)
{
	static char path[32];
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("policy", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path;
}

/* What a policy has in it is within the bounds of the kernel's tables. */
static void check_rules(const struct policy *policy)
{
	size_t i;

	if (policy->nr > POLICY_RULES || policy->nr_whos > POLICY_WHOS ||
	    policy->nr_scopes > POLICY_SCOPES + 1)
		abort();
	for (i = 0; i < policy->nr; i++) {
		const struct policy_rule *rule = &policy->rules[i].compiled;

		if (rule->who >= policy->nr_whos || rule->scope >= policy->nr_scopes ||
		    rule->nr_ranges > POLICY_RANGES ||
		    strnlen(rule->text, POLICY_TEXT) == POLICY_TEXT ||
		    strnlen(rule->label, sizeof(rule->label)) == sizeof(rule->label))
			abort();
		json_object_put(rule_json(rule, i));
	}
}

static void check_tables(const struct tables *tables)
{
	if (tables->nr_globs > POLICY_GLOBS || tables->nr_longs > POLICY_LONGS)
		abort();
}

static void compile(struct policy *policy)
{
	struct json_object *warnings = json_object_new_array();
	struct tables tables;

	if (!policy_check(policy, warnings) && !tables_build(policy, &tables)) {
		check_tables(&tables);
		tables_free(&tables);
	}
	json_object_put(warnings);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct policy policy;

	if (!policy_read(file_of(data, size), true, &policy)) {
		check_rules(&policy);
		compile(&policy);
		policy_free(&policy);
	}
	reason_clear();
	return 0;
}
