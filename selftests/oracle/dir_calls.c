// SPDX-License-Identifier: GPL-2.0-only
/*
 * Listing directories, from the beginning and from positions inside.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oracle.h"
#include "util.h"

#define MAX_ENTRIES 256

struct listing {
	unsigned int nr;
	struct {
		char name[256];
		unsigned char type;
		off_t next;
	} entry[MAX_ENTRIES];
};

static long list(int fd, struct listing *listing, size_t size)
{
	char buf[8192] __attribute__((aligned(8)));
	struct dirent64 *entry;
	ssize_t len, at;

	listing->nr = 0;
	while ((len = getdents64(fd, buf, size)) > 0) {
		for (at = 0; at < len && listing->nr < MAX_ENTRIES; at += entry->d_reclen) {
			entry = (struct dirent64 *)(buf + at);
			strcpy(listing->entry[listing->nr].name, entry->d_name);
			listing->entry[listing->nr].type = entry->d_type;
			listing->entry[listing->nr++].next = entry->d_off;
		}
	}
	return len < 0 ? -errno : (long)listing->nr;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* File systems may list twins in different orders; "type name" lines tell what is there. */
static void put_listing(struct result *out, struct listing *listing)
{
	char *to = (char *)out->data;
	unsigned int i;

	qsort(listing->entry, listing->nr, sizeof(listing->entry[0]), by_name);
	for (i = 0; i < listing->nr; i++)
		to += sprintf(to, "%u %s\n", listing->entry[i].type, listing->entry[i].name);
	out->len = to - (char *)out->data;
	out->text = true;
}

static long call_getdents(struct step *s)
{
	static struct listing listing;
	int fd = arg_fd(s, 0);
	long ret = RES(lseek(fd, 0, SEEK_SET));

	if (ret < 0)
		return ret;
	ret = list(fd, &listing, arg(s, 1) < 300 ? 300 : 8192);
	put_listing(s->out, &listing);
	return ret;
}

/* One call, from where the descriptor is, with a buffer that may be too small */
static long call_getdents_on(struct step *s)
{
	long ret = RES(getdents64(arg_fd(s, 0), s->out->data, arg(s, 1)));

	/* How many fit is known by what is in it. */
	return ret > 0 ? NOT_DONE : ret;
}

/* Entries from a position on that an entry told are those that came after it. */
static long call_getdents_seek(struct step *s)
{
	static struct listing whole, rest;
	unsigned int from = arg(s, 1);
	int fd = arg_fd(s, 0);
	unsigned int i;
	long ret = RES(lseek(fd, 0, SEEK_SET));

	if (ret < 0)
		return ret;
	ret = list(fd, &whole, 8192);
	if (ret < 0 || from >= whole.nr)
		return ret;
	if (lseek(fd, whole.entry[from].next, SEEK_SET) < 0)
		return -errno;
	ret = list(fd, &rest, 8192);
	if (ret < 0)
		return ret;
	for (i = 0; i < rest.nr && from + 1 + i < whole.nr; i++) {
		if (strcmp(rest.entry[i].name, whole.entry[from + 1 + i].name))
			break;
	}
	if (i != rest.nr || from + 1 + i != whole.nr)
		snprintf(s->out->fault, sizeof(s->out->fault),
			 "%u entries after entry %u of %u", rest.nr, from, whole.nr);
	put_listing(s->out, &whole);
	return ret;
}

const struct call dir_calls[] = {
	{ "getdents64", "fn", 25, call_getdents },
	{ "getdents64_on", "fn", 4, call_getdents_on },
	{ "getdents64_seek", "fj", 15, call_getdents_seek },
	{ }
};
