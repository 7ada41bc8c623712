// SPDX-License-Identifier: LGPL-2.1-only
/*
 * What all functions share: explanations and options.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

static void log_to_stderr(const char *line, void *arg)
{
	(void)arg;
	fprintf(stderr, "libfuse-bpf: %s\n", line);
}

static fuse_bpf_log_fn log_fn = log_to_stderr;
static void *log_arg;

FUSE_BPF_API void fuse_bpf_set_log(fuse_bpf_log_fn fn, void *arg)
{
	log_fn = fn;
	log_arg = arg;
}

void fuse_bpf_log(const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	if (!log_fn)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	log_fn(line, log_arg);
}

int fuse_bpf_copy_opts(void *opts, size_t size, const void *from)
{
	const char *bytes = from;
	size_t theirs, i;

	memset(opts, 0, size);
	if (!from)
		return 0;

	memcpy(&theirs, from, sizeof(theirs));
	if (theirs < sizeof(theirs)) {
		fuse_bpf_log("the size in an options structure is not set");
		return -EINVAL;
	}
	for (i = size; i < theirs; i++) {
		if (bytes[i]) {
			fuse_bpf_log("an option is set that this libfuse-bpf does not know");
			return -EINVAL;
		}
	}
	memcpy(opts, from, theirs < size ? theirs : size);
	return 0;
}

void fuse_bpf_copy_out(void *to, const void *from, size_t size)
{
	size_t theirs;

	memcpy(&theirs, to, sizeof(theirs));
	memset(to, 0, theirs);
	memcpy(to, from, theirs < size ? theirs : size);
	memcpy(to, &theirs, sizeof(theirs));
}
