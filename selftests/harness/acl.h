/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * POSIX ACLs as extended attributes, without a library in between.
 */
#ifndef _HARNESS_ACL_H
#define _HARNESS_ACL_H

#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <string.h>
#include <sys/xattr.h>

#include "util.h"

#define ACL_ACCESS	"system.posix_acl_access"
#define ACL_DEFAULT	"system.posix_acl_default"
#define ACL_MAX		8

/* What acl_id() returns for an id that means nobody */
#define ACL_NOBODY	((long)(__u32)ACL_UNDEFINED_ID)

struct acl {
	struct posix_acl_xattr_header head;
	struct posix_acl_xattr_entry entries[ACL_MAX];
};

/**
 * acl_set - set an ACL
 * @path: file
 * @name: ACL_ACCESS or ACL_DEFAULT
 * @entries: in the order of their tags; ids only for users and groups by name
 * @nr: number of them
 */
static inline int acl_set(const char *path, const char *name,
			  const struct posix_acl_xattr_entry *entries, size_t nr)
{
	struct acl acl = { .head = { POSIX_ACL_XATTR_VERSION } };

	memcpy(acl.entries, entries, nr * sizeof(*entries));
	return RES(setxattr(path, name, &acl, sizeof(acl.head) + nr * sizeof(*entries), 0));
}

/* acl_get - read an ACL; the number of entries or a negative errno */
static inline int acl_get(const char *path, const char *name, struct acl *acl)
{
	ssize_t len;

	memset(acl, 0, sizeof(*acl));
	len = RES(getxattr(path, name, acl, sizeof(*acl)));
	return len < 0 ? len : (int)((len - sizeof(acl->head)) / sizeof(acl->entries[0]));
}

/**
 * acl_id - whom an ACL is about
 * @path: file
 * @name: ACL_ACCESS or ACL_DEFAULT
 * @tag: ACL_USER or ACL_GROUP
 *
 * Return: id of the first such entry, ACL_NOBODY, or a negative errno
 */
static inline long acl_id(const char *path, const char *name, int tag)
{
	struct acl acl;
	int i, nr = acl_get(path, name, &acl);

	for (i = 0; i < nr; i++) {
		if (acl.entries[i].e_tag == tag)
			return acl.entries[i].e_id;
	}
	return nr < 0 ? nr : -ENOENT;
}

#endif /* _HARNESS_ACL_H */
