// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that must not load, each for the reason that its source gives.
 */
#include <bpf/libbpf.h>
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"

#define SOURCES "/src/bpf/fail"
#define OBJECTS "/src/build/bpf/fail"

static char log_text[1 << 18];
static size_t log_len;

static int keep(enum libbpf_print_level level, const char *fmt, va_list args)
{
	int len = 0;

	if (level != LIBBPF_DEBUG)
		len = vsnprintf(log_text + log_len, sizeof(log_text) - log_len, fmt, args);
	if (len > 0 && log_len + len < sizeof(log_text))
		log_len += len;
	return 0;
}

/**
 * struct expected - what a source says will happen
 * @name: of the source, without suffixes
 * @attach: it loads, but cannot be registered
 * @text: part of the verifier's log
 */
struct expected {
	char name[64];
	bool attach;
	char text[128];
};

/* From the line " * Expect: verifier: TEXT" or " * Expect: attach: EINVAL" */
static int read_expected(const char *file, struct expected *exp)
{
	char source[8192];
	char *line;

	if (read_file(in(SOURCES, "%s", file), source, sizeof(source)) < 0)
		return -EIO;
	snprintf(exp->name, sizeof(exp->name), "%.*s", (int)strcspn(file, "."), file);
	line = strstr(source, "Expect: ");
	if (!line)
		return -EINVAL;
	line += strlen("Expect: ");
	line[strcspn(line, "\n")] = '\0';
	exp->attach = !strcmp(line, "attach: EINVAL");
	if (exp->attach)
		return 0;
	if (strncmp(line, "verifier: ", 10))
		return -EINVAL;
	snprintf(exp->text, sizeof(exp->text), "%s", line + 10);
	return 0;
}

static struct bpf_map *ops_of(struct bpf_object *obj)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, obj) {
		if (bpf_map__type(map) == BPF_MAP_TYPE_STRUCT_OPS)
			return map;
	}
	return NULL;
}

/* An empty string if the program is refused as it should be, else what happened. */
static const char *refusal(const struct expected *exp)
{
	struct bpf_object *obj = bpf_object__open_file(in(OBJECTS, "%s.bpf.o", exp->name), NULL);
	const char *result = "";
	struct bpf_link *link;
	int err;

	if (!obj)
		return "object cannot be opened";
	log_len = 0;
	log_text[0] = '\0';
	err = bpf_object__load(obj);
	if (!exp->attach) {
		if (!err)
			result = "it loads";
		else if (!strstr(log_text, exp->text))
			result = "it is refused for another reason";
	} else if (err) {
		/* Members are checked when the map is filled in, which is part of loading */
		if (err != -EINVAL)
			result = "it is refused with another errno";
	} else {
		link = bpf_map__attach_struct_ops(ops_of(obj));
		if (link)
			result = "it can be registered";
		else if (errno != EINVAL)
			result = "it cannot be registered, but with another errno";
		bpf_link__destroy(link);
	}
	bpf_object__close(obj);
	return result;
}

FIXTURE(load) {};
FIXTURE_SETUP(load) { libbpf_set_print(keep); }
FIXTURE_TEARDOWN(load) {}

TEST_F(load, refused_for_the_right_reason)
{
	struct dirent *entry;
	unsigned int nr = 0;
	DIR *dir = opendir(SOURCES);

	ASSERT_NE(NULL, dir);
	while ((entry = readdir(dir))) {
		struct expected exp = {};

		if (!strstr(entry->d_name, ".bpf.c"))
			continue;
		ASSERT_EQ(0, read_expected(entry->d_name, &exp));
		EXPECT_STREQ("", refusal(&exp)) TH_LOG("%s\n%s", exp.name, log_text);
		nr++;
	}
	closedir(dir);
	EXPECT_LE(49, nr);
}

TEST_HARNESS_MAIN
