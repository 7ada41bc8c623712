/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Delegations: leases that are broken by whatever changes a file or the names in a
 * directory. <linux/fcntl.h>, which declares them, does not go together with <fcntl.h>.
 */
#ifndef _HARNESS_DELEGATION_H
#define _HARNESS_DELEGATION_H

#include <fcntl.h>
#include <linux/types.h>

#include "util.h"

#ifndef F_GETDELEG
#define F_GETDELEG	(F_SETLEASE + 15)
#define F_SETDELEG	(F_SETLEASE + 16)

struct delegation {
	__u32 d_flags;
	__u16 d_type;
	__u16 __pad;
};
#endif

/**
 * set_deleg - take a delegation or give it up
 * @fd: open file or directory
 * @type: F_RDLCK, F_WRLCK or F_UNLCK
 */
static inline int set_deleg(int fd, int type)
{
	struct delegation deleg = { .d_type = type };

	return RES(fcntl(fd, F_SETDELEG, &deleg));
}

/* get_deleg - what is held, or what it is to become if it is being broken */
static inline int get_deleg(int fd)
{
	struct delegation deleg = {};

	return RES(fcntl(fd, F_GETDELEG, &deleg)) ?: deleg.d_type;
}

#endif /* _HARNESS_DELEGATION_H */
