// SPDX-License-Identifier: GPL-2.0-only
/*
 * Comparing trees, file by file and as a whole.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/stat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backed_fixture.h"
#include "util.h"

/* What a mount has of its own, not of its backing */
#define OWN_ATTRIBUTES STATX_ATTR_MOUNT_ROOT

#define DIFF(field)									\
({											\
	bool ___differ = sa.field != sb.field;						\
											\
	if (___differ)									\
		say("%s: %s is %llu, at %s %llu", b, #field,				\
		    (unsigned long long)sb.field, a, (unsigned long long)sa.field);	\
	___differ;									\
})

#define DIFF_TIME(field) (DIFF(field.tv_sec) + DIFF(field.tv_nsec))

int diff_stat(const char *a, const char *b)
{
	const int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
	/* More than any kernel knows, less the reserved bit */
	const unsigned int mask = ~STATX__RESERVED;
	struct statx sa, sb;

	if (statx(AT_FDCWD, a, flags, mask, &sa) || statx(AT_FDCWD, b, flags, mask, &sb)) {
		say("cannot compare %s with %s: %s", a, b, strerror(errno));
		return 1;
	}
	sa.stx_attributes &= ~OWN_ATTRIBUTES;
	sb.stx_attributes &= ~OWN_ATTRIBUTES;
	return DIFF(stx_mask) + DIFF(stx_blksize) + DIFF(stx_attributes) +
	       DIFF(stx_attributes_mask) + DIFF(stx_nlink) + DIFF(stx_uid) + DIFF(stx_gid) +
	       DIFF(stx_mode) + DIFF(stx_ino) + DIFF(stx_size) + DIFF(stx_blocks) +
	       DIFF_TIME(stx_atime) + DIFF_TIME(stx_btime) + DIFF_TIME(stx_ctime) +
	       DIFF_TIME(stx_mtime) + DIFF(stx_rdev_major) + DIFF(stx_rdev_minor) +
	       DIFF(stx_dio_mem_align) + DIFF(stx_dio_offset_align);
}

int diff_text(const char *a, const char *b)
{
	char *ta = malloc(1 << 20), *tb = malloc(1 << 20);
	ssize_t la = read_file(a, ta, 1 << 20), lb = read_file(b, tb, 1 << 20);
	int res = 0;

	if (la != lb || (la > 0 && memcmp(ta, tb, la))) {
		say("%s (%zd bytes) and %s (%zd bytes) differ in what they hold", a, la, b, lb);
		res = 1;
	}
	free(ta);
	free(tb);
	return res;
}

static int not_dotdot(const struct dirent *entry)
{
	return strcmp(entry->d_name, "..") != 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int list(const char *path, struct dirent ***entries)
{
	int nr = scandir(path, entries, not_dotdot, by_bytes);

	if (nr < 0)
		say("cannot list %s: %s", path, strerror(errno));
	return nr;
}

static void free_list(struct dirent **entries, int nr)
{
	int i;

	for (i = 0; i < nr; i++)
		free(entries[i]);
	if (nr >= 0)
		free(entries);
}

/* ".." is left out: what is above the root is not the backing's business. */
int diff_dir(const char *a, const char *b)
{
	struct dirent **la = NULL, **lb = NULL;
	int na = list(a, &la), nb = list(b, &lb);
	int i, res = na < 0 || nb < 0 || na != nb;

	if (na != nb)
		say("%s has %d entries, %s %d", b, nb, a, na);
	for (i = 0; i < na && i < nb; i++) {
		if (!strcmp(la[i]->d_name, lb[i]->d_name) && la[i]->d_ino == lb[i]->d_ino &&
		    la[i]->d_type == lb[i]->d_type)
			continue;
		say("%s: %s ino %lu type %u, at %s: %s ino %lu type %u", b, lb[i]->d_name,
		    (unsigned long)lb[i]->d_ino, lb[i]->d_type, a, la[i]->d_name,
		    (unsigned long)la[i]->d_ino, la[i]->d_type);
		res++;
	}
	free_list(la, na);
	free_list(lb, nb);
	return res;
}

static int diff_link(const char *a, const char *b)
{
	char ta[PATH_MAX] = "", tb[PATH_MAX] = "";
	ssize_t la = readlink(a, ta, sizeof(ta)), lb = readlink(b, tb, sizeof(tb));

	if (la == lb && la > 0 && !memcmp(ta, tb, la))
		return 0;
	say("%s is a link to %s, %s one to %s", a, ta, b, tb);
	return 1;
}

static int diff_any(const char *a, const char *b, unsigned char type)
{
	switch (type) {
	case DT_DIR:
		return diff_tree(a, b);
	case DT_REG:
		return diff_stat(a, b) + diff_text(a, b);
	case DT_LNK:
		return diff_stat(a, b) + diff_link(a, b);
	default:
		return diff_stat(a, b);
	}
}

int diff_tree(const char *a, const char *b)
{
	struct dirent **entries = NULL;
	int res = diff_stat(a, b) + diff_dir(a, b);
	int i, nr = list(a, &entries);
	char pa[PATH_MAX], pb[PATH_MAX];

	for (i = 0; i < nr; i++) {
		if (!strcmp(entries[i]->d_name, "."))
			continue;
		snprintf(pa, sizeof(pa), "%s/%s", a, entries[i]->d_name);
		snprintf(pb, sizeof(pb), "%s/%s", b, entries[i]->d_name);
		res += diff_any(pa, pb, entries[i]->d_type);
	}
	free_list(entries, nr);
	return res;
}

static unsigned long mix(unsigned long sum, const void *data, size_t len)
{
	const unsigned char *bytes = data;

	while (len--)
		sum = (sum ^ *bytes++) * 0x100000001b3ul;
	return sum;
}

static unsigned long digest_one(unsigned long sum, const char *path, const char *name,
				unsigned char type)
{
	static char text[1 << 16];
	struct stat st;
	ssize_t len = 0;

	if (lstat(path, &st))
		return 0;
	memset(&st.st_atim, 0, sizeof(st.st_atim));
	sum = mix(mix(sum, name, strlen(name)), &st, sizeof(st));
	if (type == DT_REG)
		len = read_file(path, text, sizeof(text));
	else if (type == DT_LNK)
		len = readlink(path, text, sizeof(text));
	return len > 0 ? mix(sum, text, len) : sum;
}

unsigned long tree_digest(const char *path)
{
	struct dirent **entries = NULL;
	unsigned long sum = digest_one(0xcbf29ce484222325ul, path, "", DT_DIR);
	int i, nr = list(path, &entries);
	char sub[PATH_MAX];

	for (i = 0; i < nr; i++) {
		if (!strcmp(entries[i]->d_name, "."))
			continue;
		snprintf(sub, sizeof(sub), "%s/%s", path, entries[i]->d_name);
		sum = digest_one(sum, sub, entries[i]->d_name, entries[i]->d_type);
		if (entries[i]->d_type == DT_DIR)
			sum ^= tree_digest(sub);
	}
	free_list(entries, nr);
	return sum;
}
