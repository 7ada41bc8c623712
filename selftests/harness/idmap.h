/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * User namespaces and idmapped mounts.
 */
#ifndef _HARNESS_IDMAP_H
#define _HARNESS_IDMAP_H

#include <sys/types.h>

/**
 * userns_with_map - a user namespace
 * @inside: first id in the namespace, of users and groups
 * @outside: what that is outside
 * @nr: number of ids
 *
 * Return: a descriptor of it
 */
int userns_with_map(unsigned int inside, unsigned int outside, unsigned int nr);

/**
 * idmapped_tree - a detached, idmapped copy of a mount
 * @path: mounted there
 * @disk: first id on the disk
 * @seen: what it is seen as
 * @nr: number of ids
 *
 * Return: a descriptor of it
 */
int idmapped_tree(const char *path, unsigned int disk, unsigned int seen, unsigned int nr);

/**
 * in_userns - run a function as root of a new user and mount namespace
 * @fn: as for in_child()
 * @arg: for @fn
 *
 * Ids are the same inside and outside.
 */
int in_userns(int (*fn)(void *arg), const void *arg);

#endif /* _HARNESS_IDMAP_H */
