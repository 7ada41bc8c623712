/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * File systems on which a name has many spellings.
 */
#ifndef _HARNESS_FOLD_H
#define _HARNESS_FOLD_H

/* Letters that fold to plain ones, and one that folds to nothing */
#define LONG_S "\xc5\xbf"	  /* U+017F, to "s" */
#define KELVIN "\xe2\x84\xaa"	  /* U+212A, to "k" */
#define ZERO_WIDTH "\xe2\x80\x8b" /* U+200B */
/* One that folds to three bytes, of two */
#define I_DOT "\xc4\xb0"	  /* U+0130 */

/**
 * fold_mount - mount a new file system that can have such directories
 * @fs: "tmpfs" or "ext4"
 * @top: where an image may be made
 * @at: directory to mount it on
 */
int fold_mount(const char *fs, const char *top, const char *at);

/**
 * own_rules_mount - mount a new file system that compares names by rules of its own
 * @top: where an image may be made
 * @at: directory to mount it on
 */
int own_rules_mount(const char *top, const char *at);

/* fold_dir - make an empty directory that folds case */
int fold_dir(const char *path);

#endif /* _HARNESS_FOLD_H */
