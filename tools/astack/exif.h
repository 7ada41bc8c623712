/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a JPEG file says where it was taken. */
#ifndef _ASTACK_EXIF_H
#define _ASTACK_EXIF_H

#include "astack.h"

/**
 * exif_find - find the bytes of a file that give a location
 * @fd: file
 * @scan: ranges are added; where there are more than fit, or what is in the file makes
 *	no sense, all of the metadata is one
 *
 * Return: 0, or a negative errno of reading
 */
int exif_find(int fd, struct astack_scan *scan);

/* exif_add - add a range to a scan; too many of them become one */
void exif_add(struct astack_scan *scan, __u64 start, __u64 end);

#endif /* _ASTACK_EXIF_H */
