/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A disk that can be made to fail: a device of device mapper above a loop device above a
 * file.
 */
#ifndef _HARNESS_FLAKY_H
#define _HARNESS_FLAKY_H

/**
 * struct flaky - the disk
 * @path: of its device, the rest is private
 * @loop: path of the loop device
 * @control: of device mapper
 * @name: what device mapper calls it
 * @sectors: its size
 */
struct flaky {
	char path[32];
	char loop[32];
	char name[32];
	int control;
	unsigned long sectors;
};

/* What the disk does */
enum flaky_mood {
	FLAKY_WORKS,
	FLAKY_NO_READS,		/* they end with an error, writes work */
	FLAKY_NO_WRITES,
};

/**
 * flaky_make - make a disk that works
 * @disk: filled in; zero until then
 * @file: what is on it, a path
 */
int flaky_make(struct flaky *disk, const char *file);

/* flaky_set - make it fail, or heal it */
int flaky_set(struct flaky *disk, enum flaky_mood mood);

/* flaky_destroy - undo flaky_make(); nothing may have it open */
int flaky_destroy(struct flaky *disk);

#endif /* _HARNESS_FLAKY_H */
