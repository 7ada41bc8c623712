// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attributes as words. What two files made at different times have in common is
 * compared between the sides; what the mount says is compared with its backing
 * exactly, in stat_twin().
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "oracle.h"
#include "util.h"

/* What a mount has of its own */
#define OWN_ATTRIBUTES STATX_ATTR_MOUNT_ROOT
#define OWN_MASK (STATX_MNT_ID | STATX_MNT_ID_UNIQUE)

/* Times that no program has set are the time of the run, give or take this much. */
#define NOW_SECONDS 200000

static const char *const field_names[] = {
	"mode", "nlink", "uid", "gid", "size", "rdev", "blksize", "attributes",
	"attributes_mask", "mask", "dio_mem_align", "dio_offset_align", "atime", "atime nsec",
	"mtime", "mtime nsec", "ctime is now", NULL,
};

static bool is_now(long long sec)
{
	static time_t start;

	if (!start)
		start = time(NULL);
	return sec > start - NOW_SECONDS && sec < start + NOW_SECONDS;
}

static uint64_t *put_time(uint64_t *to, const struct statx_timestamp *time)
{
	bool now = is_now(time->tv_sec);

	*to++ = now ? -2ull : (uint64_t)time->tv_sec;
	*to++ = now ? 0 : time->tv_nsec;
	return to;
}

static void put_stat(struct result *out, const struct statx *st)
{
	uint64_t *to = (uint64_t *)out->data;

	*to++ = st->stx_mode;
	*to++ = st->stx_nlink;
	*to++ = st->stx_uid;
	*to++ = st->stx_gid;
	*to++ = st->stx_size;
	*to++ = (uint64_t)st->stx_rdev_major << 32 | st->stx_rdev_minor;
	*to++ = st->stx_blksize;
	*to++ = st->stx_attributes & ~(uint64_t)OWN_ATTRIBUTES;
	*to++ = st->stx_attributes_mask;
	*to++ = st->stx_mask & ~OWN_MASK;
	*to++ = st->stx_dio_mem_align;
	*to++ = st->stx_dio_offset_align;
	/* A FIFO that is used by the mount is another one than the backing's, which rests. */
	if (S_ISFIFO(st->stx_mode)) {
		memset(to, 0, 4 * sizeof(*to));
		to += 4;
	} else {
		to = put_time(to, &st->stx_atime);
		to = put_time(to, &st->stx_mtime);
	}
	*to++ = is_now(st->stx_ctime.tv_sec);
	out->len = (unsigned char *)to - out->data;
	out->fields = field_names;
}

/* Make two answers comparable that are about one file. */
static void forget_mount(struct statx *st)
{
	st->stx_dev_major = 0;
	st->stx_dev_minor = 0;
	st->stx_mnt_id = 0;
	st->stx_mask &= ~OWN_MASK;
	st->stx_attributes &= ~(uint64_t)OWN_ATTRIBUTES;
}

#define CHECK(field)									\
do {											\
	if (a->field != b->field)							\
		snprintf(out->fault, sizeof(out->fault), "%s is %llu, on the backing %llu", \
			 #field, (unsigned long long)a->field, (unsigned long long)b->field); \
} while (0)

static void diff_twin(struct result *out, const struct statx *a, const struct statx *b)
{
	snprintf(out->fault, sizeof(out->fault), "statx differs from the backing's");
	CHECK(stx_ino);
	CHECK(stx_blocks);
	CHECK(stx_mode);
	CHECK(stx_size);
	CHECK(stx_nlink);
	CHECK(stx_mask);
	CHECK(stx_ctime.tv_sec);
	CHECK(stx_ctime.tv_nsec);
	CHECK(stx_mtime.tv_sec);
	CHECK(stx_mtime.tv_nsec);
	CHECK(stx_atime.tv_sec);
	CHECK(stx_atime.tv_nsec);
}

/*
 * Blocks can be allocated between two looks, as data are written out, so there is
 * more than one look.
 */
static void stat_twin(struct step *s, const char *path, int flags, unsigned int mask)
{
	struct statx a, b;
	int tries, ra, rb;

	for (tries = 0; tries < 3; tries++) {
		memset(&a, 0, sizeof(a));
		memset(&b, 0, sizeof(b));
		ra = RES(statx(s->actor->root[MOUNT], path, flags, mask, &a));
		rb = RES(statx(s->actor->behind, path, flags, mask, &b));
		forget_mount(&a);
		forget_mount(&b);
		if (ra == rb && !memcmp(&a, &b, sizeof(a)))
			return;
	}
	if (ra != rb)
		snprintf(s->out->fault, sizeof(s->out->fault),
			 "statx is %d, on the backing %d", ra, rb);
	else
		diff_twin(s->out, &a, &b);
}

long stat_result(struct step *s, int fd, const char *path, int flags, unsigned int mask)
{
	struct statx st = { 0 };
	long ret = RES(statx(fd, path, flags, mask, &st));

	if (!ret)
		put_stat(s->out, &st);
	if (s->side == MOUNT && fd == s->root && s->actor->root[MOUNT] != s->actor->behind)
		stat_twin(s, path, flags, mask);
	return ret;
}
