// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locks of all three kinds. None waits, as workers take turns.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "oracle.h"
#include "util.h"

static long call_flock(struct step *s)
{
	return RES(flock(arg_fd(s, 0), arg(s, 1)));
}

static struct flock lock_of(const struct step *s)
{
	return (struct flock){
		.l_type = arg(s, 2), .l_whence = SEEK_SET, .l_start = arg(s, 3), .l_len = arg(s, 4),
	};
}

static long call_setlk(struct step *s)
{
	struct flock lock = lock_of(s);

	return RES(fcntl(arg_fd(s, 0), (int)arg(s, 1), &lock));
}

static long call_getlk(struct step *s)
{
	struct flock lock = lock_of(s);
	long ret = RES(fcntl(arg_fd(s, 0), (int)arg(s, 1), &lock));

	if (!ret) {
		memcpy(s->out->data, &lock, sizeof(lock));
		s->out->len = sizeof(lock);
	}
	return ret;
}

static long call_getlease(struct step *s)
{
	return RES(fcntl(arg_fd(s, 0), F_GETLEASE));
}

const struct call lock_calls[] = {
	{ "flock", "fK", 15, call_flock },
	{ "fcntl_setlk", "fckOn", 25, call_setlk },
	{ "fcntl_getlk", "fCkOn", 15, call_getlk },
	{ "fcntl_getlease", "f", 2, call_getlease },
	{ }
};
