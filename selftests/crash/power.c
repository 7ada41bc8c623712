// SPDX-License-Identifier: GPL-2.0-only
/*
 * A disk that loses power. The device-mapper's log-writes target has logged all that was
 * written to it, flushes, and marks with what the workers had been promised. At any moment,
 * what was flushed is on the disk, and of what came after, any part.
 */
#include <endian.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "crash.h"
#include "util.h"

/* The log, as Documentation/admin-guide/device-mapper/log-writes.rst has it */
#define LOG_MAGIC	0x6a736677736872ull
#define LOG_FLUSH	(1 << 0)
#define LOG_FUA		(1 << 1)
#define LOG_DISCARD	(1 << 2)
#define LOG_MARK	(1 << 3)

struct log_super {
	uint64_t magic;
	uint64_t version;
	uint64_t nr_entries;
	uint32_t sectorsize;
};

struct log_entry {
	uint64_t sector;
	uint64_t nr_sectors;
	uint64_t flags;
	uint64_t data_len;
};

/**
 * struct entry - an entry of a log
 * @flags: LOG_*
 * @to: where on the disk its data go
 * @from: where in the log they are
 * @len: of them
 */
struct entry {
	uint64_t flags;
	off_t to;
	off_t from;
	size_t len;
};

struct log {
	int fd;
	unsigned int nr;
	struct entry *entries;
};

static int log_open(struct log *log, const char *path)
{
	struct log_super super;
	struct log_entry entry;
	unsigned int i;
	off_t at;

	log->fd = RES(open(path, O_RDONLY | O_CLOEXEC));
	if (log->fd < 0)
		return log->fd;
	if (pread(log->fd, &super, sizeof(super), 0) != sizeof(super) ||
	    le64toh(super.magic) != LOG_MAGIC || le32toh(super.sectorsize) != 512)
		return -EINVAL;
	log->nr = le64toh(super.nr_entries);
	log->entries = calloc(log->nr, sizeof(*log->entries));
	for (i = 0, at = 512; i < log->nr; i++) {
		if (pread(log->fd, &entry, sizeof(entry), at) != sizeof(entry))
			return -EIO;
		log->entries[i] = (struct entry){
			.flags = le64toh(entry.flags),
			.to = le64toh(entry.sector) * 512,
			.from = at + 512,
			.len = le64toh(entry.nr_sectors) * 512,
		};
		if (log->entries[i].flags & LOG_DISCARD)
			return -EOPNOTSUPP;
		if (log->entries[i].flags & LOG_MARK) {
			log->entries[i].from = at + sizeof(entry);
			log->entries[i].len = 0;
		}
		at += 512 + log->entries[i].len;
	}
	return 0;
}

static void log_close(struct log *log)
{
	close(log->fd);
	free(log->entries);
}

static int copy(int from, off_t from_at, int to, off_t to_at, size_t len)
{
	char buf[65536];
	ssize_t part;

	while (len) {
		part = len < sizeof(buf) ? len : sizeof(buf);
		if (pread(from, buf, part, from_at) != part || pwrite(to, buf, part, to_at) != part)
			return -EIO;
		from_at += part;
		to_at += part;
		len -= part;
	}
	return 0;
}

static int copy_image(int from, int to)
{
	off_t size = lseek(from, 0, SEEK_END), start = 0, end = 0;
	int err = RES(ftruncate(to, 0));

	if (!err)
		err = RES(ftruncate(to, size));
	while (!err && (start = lseek(from, end, SEEK_DATA)) >= 0) {
		end = lseek(from, start, SEEK_HOLE);
		err = copy(from, start, to, start, end - start);
	}
	return err;
}

/**
 * struct disk - a disk while it is in use
 * @log: what will have been written to it
 * @flushed: file with what must be on it
 * @stable: entries that are in @flushed
 * @at: entries that the disk has seen
 * @promises: what the workers know
 */
struct disk {
	const struct log *log;
	int flushed;
	unsigned int stable;
	unsigned int at;
	struct promises promises[NR_WORKERS];
};

static int apply(const struct disk *disk, unsigned int entry, int to)
{
	const struct entry *e = &disk->log->entries[entry];

	return e->len ? copy(disk->log->fd, e->from, to, e->to, e->len) : 0;
}

static void read_mark(struct disk *disk, const struct entry *e)
{
	char line[100] = "";

	if (pread(disk->log->fd, line, sizeof(line) - 2, e->from) > 0)
		promises_read(disk->promises, strcat(line, "\n"));
}

/* Go on until entry @end; a flush makes all before it stable. */
static int advance(struct disk *disk, unsigned int end)
{
	const struct entry *e;
	int err = 0;

	for (; disk->at < end && !err; disk->at++) {
		e = &disk->log->entries[disk->at];
		if (e->flags & LOG_MARK)
			read_mark(disk, e);
		if (!(e->flags & LOG_FLUSH))
			continue;
		while (disk->stable < disk->at && !err)
			err = apply(disk, disk->stable++, disk->flushed);
	}
	return err;
}

/* What was not flushed: nothing of it, all, or some. But FUA is a promise, too. */
static int cut(const struct disk *disk, int scratch, uint64_t *rng)
{
	unsigned int i, percent = draw(rng, 3) * 50;
	int err = copy_image(disk->flushed, scratch);

	for (i = disk->stable; i < disk->at && !err; i++) {
		if (disk->log->entries[i].flags & LOG_FUA || draw(rng, 100) < percent)
			err = apply(disk, i, scratch);
	}
	return err;
}

/* The journal is replayed, and then all must be right. */
static int look(const struct power *power, const struct disk *disk)
{
	int err = RES(mount(power->device, power->at, "ext4", 0, NULL)), bad;

	if (err) {
		say("it cannot be mounted: %s", strerror(-err));
		return 1;
	}
	bad = check(in(power->at, "%s", power->tree), power->seed, disk->promises);
	err = RES(umount(power->at));
	if (err)
		return err;
	if (sh("e2fsck -fn %s >%s.fsck 2>&1 || { cat %s.fsck >&2; exit 1; }", power->device,
	       power->scratch, power->scratch))
		bad++;
	return bad;
}

static int cut_at(const struct power *power, struct disk *disk, unsigned int at, int scratch,
		  uint64_t *rng)
{
	int err = advance(disk, at), bad;

	if (!err)
		err = cut(disk, scratch, rng);
	if (err)
		return err;
	bad = look(power, disk);
	if (bad > 0)
		say("seed %llu: power cut after %u of %u entries of the log",
		    (unsigned long long)power->seed, at, disk->log->nr);
	return bad;
}

/* Where the first worker begins */
static unsigned int first_mark(const struct log *log)
{
	unsigned int i;

	for (i = 0; i < log->nr && !(log->entries[i].flags & LOG_MARK); i++)
		;
	return i;
}

/* After a mark, every other time: something has just been promised. */
static unsigned int draw_point(const struct log *log, unsigned int first, unsigned int last,
			       uint64_t *rng)
{
	unsigned int at = first + draw(rng, last - first);

	if (draw(rng, 2)) {
		while (at < last && !(log->entries[at - 1].flags & LOG_MARK))
			at++;
	}
	return at;
}

int power_cuts(const struct power *power)
{
	int scratch = RES(open(power->scratch, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	struct disk disk = { .flushed = RES(open(power->image, O_RDWR | O_CLOEXEC)) };
	uint64_t rng = mix(power->seed);
	unsigned int i, first, last;
	struct log log;
	int err = 0, bad = 0;

	if (scratch < 0 || disk.flushed < 0)
		return -ENOENT;
	err = log_open(&log, power->log);
	disk.log = &log;
	first = err ? 0 : first_mark(&log) + 1;
	if (!err && first + power->points > log.nr)
		err = -ENODATA;
	for (i = 0; i < power->points && err >= 0; i++) {
		last = first + (log.nr - first) / (power->points - i);
		first = draw_point(&log, first, last, &rng);
		err = cut_at(power, &disk, first, scratch, &rng);
		bad += err > 0;
	}
	log_close(&log);
	close(scratch);
	close(disk.flushed);
	return err < 0 ? err : bad;
}

int power_mark(const char *name, const char *text)
{
	static int control = -1;
	struct {
		struct dm_ioctl ioctl;
		struct dm_target_msg msg;
		char text[120];
	} arg = {
		.ioctl = {
			.version = { DM_VERSION_MAJOR, 0, 0 },
			.data_size = sizeof(arg),
			.data_start = offsetof(typeof(arg), msg),
		},
	};

	if (control < 0)
		control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	snprintf(arg.ioctl.name, sizeof(arg.ioctl.name), "%s", name);
	snprintf(arg.msg.message, sizeof(arg.text), "mark %s", text);
	return RES(ioctl(control, DM_TARGET_MSG, &arg));
}
