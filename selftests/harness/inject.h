/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Faults: of the allocations and the copies from and to user memory that FUSE makes for this
 * thread, or others on behalf of FUSE, the first one fails, or the second, and so on. Needs a
 * kernel that has this (CONFIG_FAULT_INJECTION), and FUSE in it, as the debug kernel does.
 */
#ifndef _HARNESS_INJECT_H
#define _HARNESS_INJECT_H

#include <stdbool.h>

/**
 * inject_setup - make ready to inject faults into this thread
 *
 * Return: a descriptor for the functions below, to be closed; -ENOENT the kernel cannot do
 * it
 */
int inject_setup(void);

/**
 * inject_arm - let a fault happen from now on
 * @fd: from inject_setup()
 * @nth: which of the allocations and copies fails, from 1 on
 */
void inject_arm(int fd, unsigned int nth);

/* inject_disarm - let none happen any more; has it happened? */
bool inject_disarm(int fd);

#endif /* _HARNESS_INJECT_H */
