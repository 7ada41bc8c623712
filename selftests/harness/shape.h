/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a directory is, as a text, for comparisons in which times do not count.
 */
#ifndef _HARNESS_SHAPE_H
#define _HARNESS_SHAPE_H

#include <stddef.h>

/**
 * shape_of - all below a directory but times: names, modes, owners, links, sizes, extended
 *	attributes, targets, the beginnings of files
 * @path: directory
 * @text: filled in; where something cannot be read, it has the errno
 * @size: of @text
 *
 * Return: 0, -E2BIG @text is too small
 */
int shape_of(const char *path, char *text, size_t size);

/**
 * shape_idle - see that no file below a directory is open or locked
 * @path: directory
 *
 * Return: 0, or the errno that says that one is
 */
int shape_idle(const char *path);

#endif /* _HARNESS_SHAPE_H */
