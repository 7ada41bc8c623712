// SPDX-License-Identifier: GPL-2.0-only
/*
 * Output: text or JSON, and errors with their reasons.
 *
 * In JSON, a run prints one document: the command's result or an object with
 * "error", "errno" and "reasons". The text of an error goes to the standard error
 * output, one sentence first, then the reasons, indented.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "main.h"

static struct json_object *document;
static struct json_object *reasons;

/* reason_add - note a line that explains an error, should there be one */
void reason_add(const char *fmt, ...)
{
	char line[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);

	if (!reasons)
		reasons = json_object_new_array();
	json_object_array_add(reasons, json_object_new_string(line));
}

/* reason_take - make one text of the lines, and forget them */
void reason_take(char *text, size_t size)
{
	size_t i, len = 0;

	text[0] = '\0';
	for (i = 0; reasons && i < json_object_array_length(reasons) && len < size; i++)
		len += snprintf(text + len, size - len, "%s%s", i ? "; " : "",
				json_object_get_string(json_object_array_get_idx(reasons, i)));
	reason_clear();
}

/* reason_clear - what was noted was no failure after all */
void reason_clear(void)
{
	json_object_put(reasons);
	reasons = NULL;
}

static void print_error(const char *sentence)
{
	size_t i;

	fprintf(stderr, "Error: %s\n", sentence);
	for (i = 0; reasons && i < json_object_array_length(reasons); i++)
		fprintf(stderr, "  %s\n",
			json_object_get_string(json_object_array_get_idx(reasons, i)));
}

static void record_error(const char *sentence, int err)
{
	json_object_put(document);
	document = json_object_new_object();
	add_string(document, "error", sentence);
	if (err)
		add_string(document, "errno", strerrorname_np(-err));
	if (reasons)
		json_object_object_add(document, "reasons", json_object_get(reasons));
}

/**
 * p_err - report why the command failed
 * @err: negative errno, 0 if the sentence says all
 * @fmt: the sentence, without a stop
 */
void p_err(int err, const char *fmt, ...)
{
	char sentence[4096];
	size_t len;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);

	/* Where a reason says it better, strerror()'s words only mislead */
	len = strlen(sentence);
	if (err && !reasons)
		snprintf(sentence + len, sizeof(sentence) - len, ": %s", strerror(-err));
	if (settings.json)
		record_error(sentence, err);
	else
		print_error(sentence);
	reason_clear();
}

/* p_usage - report a command line that makes no sense */
int p_usage(const char *fmt, ...)
{
	char sentence[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	p_err(0, "%s; see 'fuse-bpf help'", sentence);
	return USAGE;
}

/* p_text - print, unless the output is JSON or only errors are wanted */
void p_text(const char *fmt, ...)
{
	va_list ap;

	if (settings.json || settings.quiet)
		return;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
}

/**
 * out_result - the command's result as JSON
 * @result: taken over; forgotten if the output is text
 */
void out_result(struct json_object *result)
{
	json_object_put(document);
	document = result;
}

/* out_flush - print what JSON there is, null if none */
void out_flush(void)
{
	int flags = settings.pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED :
				      JSON_C_TO_STRING_PLAIN;

	if (settings.json)
		printf("%s\n", json_object_to_json_string_ext(document, flags |
							      JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(document);
	document = NULL;
	reason_clear();
}

/* Bytes of one character in UTF-8, 0: it is none */
static size_t utf8_length(const unsigned char *text)
{
	size_t len = *text < 0x80 ? 1 : *text >= 0xc2 && *text < 0xe0 ? 2 :
		     *text >= 0xe0 && *text < 0xf0 ? 3 : *text >= 0xf0 && *text < 0xf5 ? 4 : 0;
	size_t i;

	for (i = 1; i < len; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((*text == 0xe0 && text[1] < 0xa0) || (*text == 0xed && text[1] >= 0xa0) ||
	    (*text == 0xf0 && text[1] < 0x90) || (*text == 0xf4 && text[1] >= 0x90))
		return 0;
	return len;
}

/**
 * printable - a name that somebody else has chosen, for a terminal
 * @text: the name
 * @buf: room for it
 * @size: of @buf
 *
 * Return: @buf, with what is no plain character as a backslash and three digits
 */
const char *printable(const char *text, char *buf, size_t size)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t len = 0;

	while (*at && len + 5 < size) {
		size_t n = utf8_length(at);

		if (n == 0 || *at < ' ' || *at == 0x7f || *at == '\\' || (*at == 0xc2 && at[1] < 0xa0)) {
			len += snprintf(buf + len, size - len, "\\%03o", *at++);
			continue;
		}
		memcpy(buf + len, at, n);
		at += n;
		len += n;
	}
	buf[len] = '\0';
	return buf;
}

/* add_bytes - a name that somebody else has chosen; what is no text becomes U+FFFD */
void add_bytes(struct json_object *obj, const char *key, const char *value)
{
	const unsigned char *at = (const unsigned char *)value;
	char text[3 * 4096];
	size_t len = 0, n;

	while (*at && len + 4 < sizeof(text)) {
		n = utf8_length(at);
		memcpy(text + len, n ? (const char *)at : "\xef\xbf\xbd", n ?: 3);
		len += n ?: 3;
		at += n ?: 1;
	}
	json_object_object_add(obj, key, json_object_new_string_len(text, len));
}

void add_string(struct json_object *obj, const char *key, const char *value)
{
	json_object_object_add(obj, key, value ? json_object_new_string(value) : NULL);
}

void add_number(struct json_object *obj, const char *key, __u64 value)
{
	json_object_object_add(obj, key, json_object_new_uint64(value));
}

void add_bool(struct json_object *obj, const char *key, bool value)
{
	json_object_object_add(obj, key, json_object_new_boolean(value));
}
