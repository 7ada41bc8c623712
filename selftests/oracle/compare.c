// SPDX-License-Identifier: GPL-2.0-only
/*
 * Comparing results, and the differences that are meant to be.
 */
#include <errno.h>
#include <string.h>

#include "oracle.h"
#include "util.h"

/**
 * struct legal - a difference that is no fault
 * @call: name of the call
 * @native: its result in a native directory, 1: any that is not negative
 * @mount: its result on the mount, 0: any errno
 * @why: the reason
 */
static const struct legal {
	const char *call;
	long native;
	long mount;
	const char *why;
} legal[] = {
	{ "name_to_handle_at", 1, -EOPNOTSUPP,
	  "with a handle that can be opened, files were reached past the names on the way" },
	{ "ficlonerange", -EOPNOTSUPP, 0,
	  "the mount has the operation and its checks, whatever the backing has" },
	{ "fideduperange", -EOPNOTSUPP, 0, "likewise" },
	{ "unlinkat", -EPERM, -EISDIR,
	  "the VFS asks its copy of a directory's mode, which may be older than a direct change, "
	  "whether it is sticky, and then for the type; the backing is asked after that" },
	{ "unlinkat", -EPERM, -ENOTDIR, "likewise" },
	{ "rmdirat", -EPERM, -ENOTDIR, "likewise" },
	{ "fs_ioc_fssetxattr", -ENOTTY, -EPERM,
	  "special files have no such attributes, but the mount looks who asks first" },
	{ "mmap", -EACCES, -EOPNOTSUPP,
	  "MAP_SYNC is not for files of another file system, which is asked first" },
};

static bool is_legal(const struct op *op, long native, long mount)
{
	const char *name = call_at(op->call)->name;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(legal); i++) {
		if (strcmp(legal[i].call, name) || mount >= 0 ||
		    (legal[i].mount && legal[i].mount != mount))
			continue;
		if (legal[i].native == native || (legal[i].native == 1 && native >= 0))
			return true;
	}
	return false;
}

static const char *result_text(long ret, char *buf, size_t size)
{
	const char *name = ret < 0 ? strerrorname_np(-ret) : NULL;

	if (name)
		snprintf(buf, size, "%s", name);
	else
		snprintf(buf, size, "%ld", ret);
	return buf;
}

static void explain_fields(const struct result *a, const struct result *b, char *why, size_t size)
{
	const uint64_t *wa = (const uint64_t *)a->data, *wb = (const uint64_t *)b->data;
	size_t i, done = 0;

	for (i = 0; i < a->len / sizeof(*wa) && done < size; i++) {
		if (wa[i] != wb[i])
			done += snprintf(why + done, size - done, "%s: native %#llx, mount %#llx; ",
					 a->fields[i], (unsigned long long)wa[i],
					 (unsigned long long)wb[i]);
	}
}

/* The first line that differs */
static void explain_text(const struct result *a, const struct result *b, char *why, size_t size)
{
	size_t i = 0, line = 0, len = a->len < b->len ? a->len : b->len;

	for (; i < len && a->data[i] == b->data[i]; i++) {
		if (a->data[i] == '\n')
			line = i + 1;
	}
	snprintf(why, size, "native: '%.*s', mount: '%.*s'",
		 (int)strcspn((char *)a->data + line, "\n"), a->data + line,
		 (int)strcspn((char *)b->data + line, "\n"), b->data + line);
}

static void explain_bytes(const struct result *a, const struct result *b, char *why, size_t size)
{
	size_t i = 0, len = a->len < b->len ? a->len : b->len;

	while (i < len && a->data[i] == b->data[i])
		i++;
	snprintf(why, size, "data: native %zu bytes, mount %zu, first at byte %zu: %#x, %#x",
		 a->len, b->len, i, a->data[i], b->data[i]);
}

bool compare(const struct op *op, const struct result *native, const struct result *mount,
	     char *why, size_t size)
{
	char a[32], b[32];

	if (mount->fault[0] || native->fault[0]) {
		snprintf(why, size, "%s: %s", mount->fault[0] ? "mount" : "native",
			 mount->fault[0] ? mount->fault : native->fault);
		return true;
	}
	if (native->ret != mount->ret) {
		if (is_legal(op, native->ret, mount->ret))
			return false;
		snprintf(why, size, "native: %s, mount: %s", result_text(native->ret, a, sizeof(a)),
			 result_text(mount->ret, b, sizeof(b)));
		return true;
	}
	if (native->len == mount->len && !memcmp(native->data, mount->data, native->len))
		return false;
	if (native->fields && mount->fields && native->len == mount->len)
		explain_fields(native, mount, why, size);
	else if (native->text && mount->text)
		explain_text(native, mount, why, size);
	else
		explain_bytes(native, mount, why, size);
	return true;
}
