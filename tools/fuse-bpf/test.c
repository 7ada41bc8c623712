// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuse-bpf test: is what a mount lets people do what a table says?
 *
 * A line is: WHO OPERATION PATH = RESULT. All lines are read before the first one is
 * tried, so that a mistake in the table is no result.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy.h"
#include "probe.h"

#define BLANKS " \t"

/* What is expected besides an errno */
enum {
	EXPECT_OK = 0,
	EXPECT_HIDDEN = 1,
};

/**
 * struct line - a line of the table
 * @number: in the file
 * @text: all of it
 * @identity: who
 * @op: what
 * @mode: letters after @op
 * @path: relative to the mount
 * @expected: EXPECT_*, or a negative errno
 */
struct line {
	unsigned int number;
	char *text;
	struct identity identity;
	const struct probe_op *op;
	int mode;
	char *path;
	int expected;
};

struct table {
	struct line *lines;
	size_t nr;
};

static void table_free(struct table *table)
{
	size_t i;

	for (i = 0; i < table->nr; i++) {
		identity_free(&table->lines[i].identity);
		free(table->lines[i].text);
		free(table->lines[i].path);
	}
	free(table->lines);
}

static int parse_expected(const char *word, int *expected)
{
	int err;

	if (!strcmp(word, "ok")) {
		*expected = EXPECT_OK;
	} else if (!strcmp(word, "hidden")) {
		*expected = EXPECT_HIDDEN;
	} else {
		err = errno_parse(word);
		if (!err)
			return p_usage("'%s' is neither ok nor hidden nor an errno", word);
		*expected = -err;
	}
	return DONE;
}

static int parse_who(char *who, struct identity *identity)
{
	char *group = strchr(who, ':');

	if (group)
		*group++ = '\0';
	identity_own(identity);
	return identity_user(identity, who, group);
}

static int parse_path(const char *mountpoint, const char *text, struct line *line)
{
	const char *relative;
	int ret = probe_path(mountpoint, text, &relative);

	if (ret)
		return ret;
	line->path = strdup(relative);
	if (line->path)
		return DONE;
	p_err(-ENOMEM, "cannot read the table");
	return FAILED;
}

/* What is in columns has blanks behind it */
static void trim(char *text)
{
	size_t len = strlen(text);

	while (len && strchr(BLANKS, text[len - 1]))
		text[--len] = '\0';
}

/* Cuts @text up */
static int parse_words(const char *mountpoint, char *text, struct line *line)
{
	char *end = NULL, *equals, *who, *op, *path, *expected;
	int ret;

	/* A path may have blanks in it, and "=" */
	for (equals = text; (equals = strstr(equals, " = ")); equals++)
		end = equals;
	if (!end)
		return p_usage("' = RESULT' is missing");
	*end = '\0';
	expected = end + 3 + strspn(end + 3, BLANKS);
	trim(expected);
	who = strsep(&text, BLANKS);
	text += text ? strspn(text, BLANKS) : 0;
	op = strsep(&text, BLANKS);
	if (!op || !*op || !text)
		return p_usage("WHO, OPERATION or PATH is missing");
	path = text + strspn(text, BLANKS);
	trim(path);
	ret = parse_who(who, &line->identity);
	if (!ret)
		ret = probe_op_parse(op, &line->op, &line->mode);
	if (!ret)
		ret = parse_path(mountpoint, path, line);
	return ret ?: parse_expected(expected, &line->expected);
}

static int add_line(struct table *table, const char *mountpoint, char *text, unsigned int number)
{
	struct line *lines = reallocarray(table->lines, table->nr + 1, sizeof(*lines));
	struct line *line;

	if (!lines) {
		p_err(-ENOMEM, "cannot read the table");
		return FAILED;
	}
	table->lines = lines;
	line = &lines[table->nr++];
	memset(line, 0, sizeof(*line));
	identity_own(&line->identity);
	line->number = number;
	line->text = strdup(text);
	if (!line->text) {
		p_err(-ENOMEM, "cannot read the table");
		return FAILED;
	}
	reason_add("line %u: %s", number, text);
	if (parse_words(mountpoint, text, line))
		return FAILED;
	reason_clear();
	return DONE;
}

static int read_lines(FILE *file, const char *mountpoint, struct table *table)
{
	unsigned int number = 0;
	char *text = NULL, *begin;
	size_t size = 0;
	int ret = DONE;

	while (!ret && getline(&text, &size, file) > 0) {
		text[strcspn(text, "\n")] = '\0';
		begin = text + strspn(text, BLANKS);
		number++;
		if (*begin && *begin != '#')
			ret = add_line(table, mountpoint, begin, number);
	}
	free(text);
	if (!ret && ferror(file)) {
		p_err(-errno, "cannot read the table");
		ret = FAILED;
	}
	return ret;
}

static int read_table(const char *path, const char *mountpoint, struct table *table)
{
	FILE *file = strcmp(path, "-") ? fopen(path, "re") : stdin;
	int ret;

	if (!file) {
		p_err(-errno, "cannot read %s", path);
		return FAILED;
	}
	ret = read_lines(file, mountpoint, table);
	if (file != stdin)
		fclose(file);
	if (!ret && !table->nr) {
		p_err(0, "%s has no lines to test", path);
		ret = FAILED;
	}
	return ret;
}

/* 0 or the negative errno that it ends with in @result */
static int try(int root_fd, const struct line *line, const struct probe_op *op, int *result)
{
	struct probe probe = {
		.root_fd = root_fd, .path = line->path, .op = op, .mode = line->mode,
		.identity = &line->identity,
	};
	int ret = probe_run(&probe);

	if (!ret)
		*result = probe_result(&probe);
	probe_free(&probe);
	return ret;
}

/* What is not listed either, or where nothing is, is hidden */
static int try_listing(int root_fd, const struct line *line, int *result)
{
	const struct probe_op *op;
	int mode, listed, ret;

	probe_op_parse("DIRENT", &op, &mode);
	ret = try(root_fd, line, op, &listed);
	if (!ret && listed)
		*result = EXPECT_HIDDEN;
	return ret;
}

static const char *result_text(int result)
{
	return result == EXPECT_OK ? "ok" : result == EXPECT_HIDDEN ? "hidden" :
	       strerrorname_np(-result);
}

static void show_line(size_t nr, const struct line *line, int result, struct json_object *list)
{
	struct json_object *obj = json_object_new_object();
	bool good = result == line->expected;
	const char *listed = "";

	if (!good && line->expected == EXPECT_HIDDEN && result == -ENOENT)
		listed = ", but it is listed";
	p_text("%s %zu - %s%s%s%s\n", good ? "ok" : "not ok", nr, line->text,
	       good ? "" : " # it is ", good ? "" : result_text(result), listed);
	add_number(obj, "line", line->number);
	identity_json(&line->identity, obj);
	add_string(obj, "op", probe_op_name(line->op));
	add_bytes(obj, "path", line->path);
	add_string(obj, "expected", result_text(line->expected));
	add_string(obj, "result", result_text(result));
	add_bool(obj, "good", good);
	json_object_array_add(list, obj);
}

static int run_line(int root_fd, const struct line *line, int *result)
{
	int ret;

	reason_add("line %u: %s", line->number, line->text);
	ret = try(root_fd, line, line->op, result);
	if (!ret && *result == -ENOENT && line->expected == EXPECT_HIDDEN)
		ret = try_listing(root_fd, line, result);
	if (!ret)
		reason_clear();
	return ret;
}

static int run_table(int root_fd, const struct table *table)
{
	struct json_object *result = json_object_new_object();
	struct json_object *list = json_object_new_array();
	size_t i, failed = 0;
	int got, ret;

	p_text("1..%zu\n", table->nr);
	for (i = 0; i < table->nr; i++) {
		ret = run_line(root_fd, &table->lines[i], &got);
		if (ret) {
			json_object_put(list);
			json_object_put(result);
			return ret;
		}
		failed += got != table->lines[i].expected;
		show_line(i + 1, &table->lines[i], got, list);
	}
	add_number(result, "passed", table->nr - failed);
	add_number(result, "failed", failed);
	json_object_object_add(result, "results", list);
	out_result(result);
	return failed ? FAILED : DONE;
}

int do_test(struct args *args)
{
	const char *mountpoint = args_need(args, "MOUNTPOINT");
	const char *path = mountpoint ? args_need(args, "TABLE") : NULL;
	struct table table = {};
	int fd, ret;

	if (!path || args_end(args))
		return USAGE;
	ret = read_table(path, mountpoint, &table);
	if (!ret) {
		fd = mount_open(mountpoint, NULL);
		ret = fd < 0 ? FAILED : run_table(fd, &table);
		if (fd >= 0)
			close(fd);
	}
	table_free(&table);
	return ret;
}
