// SPDX-License-Identifier: GPL-2.0-only
/*
 * What objects are called that tierfs makes: as their file, with a number behind it that
 * no other object ever has. So an upload never writes over something, and to remove an
 * object twice takes nothing else away.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "tierfs.h"

#define ID_SIZE 17 /* '~' and 16 digits */

/* What is made on a server's file system should be a name there */
#define COMPONENT_MAX 200

/* For files whose name cannot be an object's */
#define UNNAMED "unnamed"

static const char *base_of(const char *path)
{
	const char *last = path ? strrchr(path, '/') : NULL;

	if (!path || store_name_is_odd(path) || strlen(path) + ID_SIZE > TIER_TEXT_MAX ||
	    strlen(last ? last + 1 : path) > COMPONENT_MAX)
		return UNNAMED;
	return path;
}

static bool has_id(const char *object)
{
	const size_t len = strlen(object);

	return len > ID_SIZE && object[len - ID_SIZE] == '~' &&
	       strspn(object + len - ID_SIZE + 1, "0123456789abcdef") == ID_SIZE - 1;
}

/* name_is_of - is this object called as the file at @path, below the root? */
bool name_is_of(const char *object, const char *path)
{
	const char *base = base_of(path);
	const size_t len = strlen(base);

	return has_id(object) && strlen(object) == len + ID_SIZE && !memcmp(object, base, len);
}

/* name_new - name an object after a file, NULL: one without a name */
int name_new(char *object, const char *path)
{
	uint64_t id;

	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		return -EIO;
	snprintf(object, TIER_TEXT_MAX + 1, "%s~%016" PRIx64, base_of(path), id);
	return 0;
}

/* name_again - as @object is to be called now; one that somebody else named gets a number */
int name_again(char *to, const char *object, const char *path)
{
	if (!has_id(object))
		return name_new(to, path);
	snprintf(to, TIER_TEXT_MAX + 1, "%s%s", base_of(path),
		 object + strlen(object) - ID_SIZE);
	return 0;
}
