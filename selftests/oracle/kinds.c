// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the numbers in operations stand for. Few values of each kind, so that
 * operations meet, and among them those at which implementations differ.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "oracle.h"
#include "util.h"

struct choice {
	long value;
	const char *text;
};

#define C(value) { value, #value }
#define K 1024L

/* Most of them let most users in. */
static const struct choice modes[] = {
	C(0777), C(0777), C(0777), C(0777), C(0666), C(0666), C(0666), C(0666), C(0644), C(0755),
	C(0755), C(0600), C(0640), C(0700), C(0444), C(0000), C(04777), C(02777), C(02755),
	C(06777), C(01777), C(02666), C(0711),
};

static const struct choice offsets[] = {
	C(0), C(0), C(0), C(1), C(511), C(512), C(4095), C(4096), C(4097), C(8192), C(12288),
	C(16 * K), C(64 * K), C(64 * K + 1), C(128 * K), C(1024 * K), C(-1), C(1L << 32),
	C((1L << 44) - 4096), C(1L << 44), C(LONG_MAX - 4095), C(LONG_MAX),
};

/* Long ones are rare: they take as long as many calls. */
static const struct choice lengths[] = {
	C(0), C(1), C(1), C(10), C(10), C(100), C(100), C(511), C(512), C(512), C(1000), C(4095),
	C(4096), C(4096), C(4096), C(4097), C(5000), C(8192), C(8192), C(16 * K), C(64 * K),
	C(100000),
};

/*
 * Not 0: reading nothing moves the time of access of some files, and writing nothing is
 * refused by some, but by a mount neither comes to the backing.
 */
static const struct choice read_lengths[] = {
	C(1), C(1), C(10), C(10), C(100), C(511), C(512), C(512), C(4096), C(4096), C(4096),
	C(4096), C(4097), C(5000), C(8192), C(8192), C(16 * K), C(64 * K), C(100000),
};

/* Mappings begin with a page. */
static const struct choice map_offsets[] = {
	C(0), C(0), C(0), C(4096), C(4096), C(8192), C(64 * K), C(1), C(1L << 44), C(LONG_MAX),
};

static const struct choice sizes[] = {
	C(0), C(1), C(10), C(4095), C(4096), C(5000), C(8192), C(64 * K), C(256 * K), C(-1),
	C(1L << 43), C(1L << 45), C(LONG_MAX),
};

static const struct choice bytes[] = {
	C(1), C(2), C(3), C(4), C(5), C(6), C(7), C(8), C(9), C(10), C(11), C(12), C(13),
};

static const struct choice xattr_flags[] = {
	C(0), C(0), C(0), C(XATTR_CREATE), C(XATTR_REPLACE), C(XATTR_CREATE | XATTR_REPLACE), C(8),
};

static const struct choice times[] = {
	C(0), C(1), C(1), C(100000000), C(999999999), C(UTIME_NOW), C(UTIME_NOW), C(UTIME_OMIT),
	C(UTIME_OMIT), C(-1), C(4294967296),
};

/* Users and groups; see actor_become() */
static const struct choice ids[] = {
	C(-1), C(-1), C(0), C(USER1), C(USER2), C(GROUP1), C(GROUP2), C(65534), C(5),
};

static const struct choice fsuids[] = { C(0), C(0), C(USER1), C(USER2) };

static const struct choice rename_flags[] = {
	C(0), C(0), C(0), C(0), C(0), C(0), C(RENAME_NOREPLACE), C(RENAME_EXCHANGE),
	C(RENAME_EXCHANGE), C(RENAME_EXCHANGE), C(RENAME_NOREPLACE | RENAME_EXCHANGE),
	C(RENAME_WHITEOUT), C(16),
};

static const struct choice follow_flags[] = {
	C(0), C(0), C(0), C(0), C(0), C(AT_SYMLINK_NOFOLLOW), C(AT_SYMLINK_NOFOLLOW),
	C(AT_SYMLINK_NOFOLLOW), C(AT_EMPTY_PATH), C(0x8),
};

static const struct choice link_flags[] = {
	C(0), C(0), C(0), C(0), C(AT_SYMLINK_FOLLOW), C(AT_SYMLINK_FOLLOW), C(0x8),
};

static const struct choice access_flags[] = {
	C(0), C(AT_EACCESS), C(AT_SYMLINK_NOFOLLOW), C(AT_EACCESS | AT_SYMLINK_NOFOLLOW),
};

static const struct choice access_modes[] = {
	C(F_OK), C(F_OK), C(R_OK), C(R_OK), C(W_OK), C(W_OK), C(X_OK), C(R_OK | W_OK),
	C(R_OK | W_OK | X_OK), C(8),
};

static const struct choice whences[] = {
	C(SEEK_SET), C(SEEK_CUR), C(SEEK_END), C(SEEK_DATA), C(SEEK_HOLE), C(7),
};

static const struct choice falloc_modes[] = {
	C(0), C(FALLOC_FL_KEEP_SIZE), C(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE),
	C(FALLOC_FL_PUNCH_HOLE), C(FALLOC_FL_ZERO_RANGE),
	C(FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE), C(FALLOC_FL_COLLAPSE_RANGE),
	C(FALLOC_FL_INSERT_RANGE), C(FALLOC_FL_UNSHARE_RANGE), C(0x80), C(0x4000),
};

/*
 * Not RWF_ATOMIC and RWF_DONTCACHE: whatever is written so natively, a mount refuses with
 * EOPNOTSUPP, as the kernel passes neither on to the files of another file system.
 */
static const struct choice rw_flags[] = {
	C(0), C(0), C(RWF_DSYNC), C(RWF_SYNC), C(RWF_APPEND), C(0x20 /* RWF_NOAPPEND */),
	C(RWF_HIPRI), C(0x1000),
};

static const struct choice lock_types[] = { C(F_RDLCK), C(F_WRLCK), C(F_UNLCK) };

static const struct choice flock_ops[] = {
	C(LOCK_SH | LOCK_NB), C(LOCK_EX | LOCK_NB), C(LOCK_UN), C(LOCK_SH | LOCK_EX | LOCK_NB),
};

static const struct choice lock_cmds[] = { C(F_SETLK), C(F_OFD_SETLK) };
static const struct choice lock_tests[] = { C(F_GETLK), C(F_OFD_GETLK) };

static const struct choice status_flags[] = {
	C(0), C(O_APPEND), C(O_DIRECT), C(O_NOATIME), C(O_APPEND | O_NOATIME),
};

static const struct choice prots[] = {
	C(PROT_READ), C(PROT_READ | PROT_WRITE), C(PROT_READ | PROT_WRITE), C(PROT_WRITE),
	C(PROT_READ | PROT_EXEC), C(PROT_NONE),
};

static const struct choice map_flags[] = {
	C(MAP_SHARED), C(MAP_SHARED), C(MAP_PRIVATE), C(MAP_SHARED_VALIDATE),
	C(MAP_SHARED_VALIDATE | MAP_SYNC), C(MAP_SHARED_VALIDATE | 0x10000000),
};

static const struct choice advices[] = {
	C(MADV_DONTNEED), C(MADV_REMOVE), C(MADV_WILLNEED), C(MADV_POPULATE_READ),
	C(MADV_POPULATE_WRITE), C(MADV_PAGEOUT),
};

static const struct choice fadvices[] = {
	C(POSIX_FADV_NORMAL), C(POSIX_FADV_RANDOM), C(POSIX_FADV_SEQUENTIAL),
	C(POSIX_FADV_WILLNEED), C(POSIX_FADV_DONTNEED), C(77),
};

static const struct choice inode_flags[] = {
	C(0), C(0), C(0), C(FS_NODUMP_FL), C(FS_NOATIME_FL), C(FS_APPEND_FL), C(FS_IMMUTABLE_FL),
	C(FS_SYNC_FL), C(FS_NOCOW_FL), C(0x80000000L),
};

static const struct choice node_types[] = {
	C(S_IFIFO), C(S_IFSOCK), C(S_IFREG), C(0), C(S_IFCHR), C(S_IFBLK), C(S_IFDIR), C(S_IFLNK),
};

static const struct choice devices[] = { C(0), C(0x103), C(0x105), C(0x12c00) };

static const struct choice statx_masks[] = {
	C(STATX_BASIC_STATS), C(STATX_BASIC_STATS), C(0xfff), C(0xfff),
	C(~(unsigned int)STATX__RESERVED), C(~(unsigned int)STATX__RESERVED),
	C(~(unsigned int)STATX__RESERVED), C(STATX_SIZE), C(0), C(STATX__RESERVED),
};

static const struct choice statx_sync[] = {
	C(0), C(0), C(0), C(AT_STATX_FORCE_SYNC), C(AT_STATX_FORCE_SYNC), C(AT_STATX_DONT_SYNC),
	C(AT_STATX_DONT_SYNC), C(AT_STATX_SYNC_TYPE),
};

static const struct choice handle_flags[] = {
	C(0), C(AT_HANDLE_FID), C(AT_SYMLINK_FOLLOW | AT_HANDLE_FID),
};

static const struct choice indices[] = { C(0), C(1), C(2), C(3), C(5), C(8) };
static const struct choice watch_masks[] = {
	C(IN_ALL_EVENTS), C(IN_ALL_EVENTS), C(IN_ALL_EVENTS | IN_DONT_FOLLOW),
	C(IN_ONLYDIR | IN_CREATE),
	C(IN_ALL_EVENTS | IN_EXCL_UNLINK), C(IN_MODIFY | IN_MASK_ADD),
	C(IN_ONESHOT | IN_ATTRIB), C(0),
};

static const struct choice umasks[] = {
	C(0), C(0), C(0), C(0), C(022), C(022), C(077), C(0777),
};

static const struct choice unlink_flags[] = {
	C(0), C(0), C(0), C(0), C(AT_REMOVEDIR), C(0x8),
};
static const struct choice sync_flags[] = { C(0), C(1), C(2), C(7), C(8) };

#define NAME_50 "01234567890123456789012345678901234567890123456789"
#define NAME_255 NAME_50 NAME_50 NAME_50 NAME_50 NAME_50 "abcde"

static const struct choice xattr_names[] = {
	{ 0, "user.a" }, { 0, "user.a" }, { 0, "user.b" }, { 0, "trusted.t" }, { 0, "security.s" },
	{ 0, "security.capability" }, { 0, "system.posix_acl_access" },
	{ 0, "system.posix_acl_access" }, { 0, "system.posix_acl_default" }, { 0, "user." },
	{ 0, "bogus.x" }, { 0, "" }, { 0, "user." NAME_255 },
};

/* What they stand for is made in attr.c */
static const struct choice xattr_values[] = {
	C(0), C(1), C(2), C(3), C(4), C(5), C(6), C(7), C(8), C(9), C(10), C(11),
};

static const struct choice targets[] = {
	{ 0, "a" }, { 0, "b" }, { 0, "p" }, { 0, "p/a" }, { 0, "q" }, { 0, "p/r" }, { 0, "none" },
	{ 0, "r" }, { 0, "/nonexistent/oracle" }, { 0, "" }, { 0, NAME_255 "/" NAME_255 "x" },
};

static const struct choice seconds[] = { C(0), C(1), C(100), C(4294967296), C(1000000000) };

#define KIND(code, table) [code] = { table, ARRAY_SIZE(table) }

static const struct {
	const struct choice *choices;
	unsigned int nr;
} kinds[128] = {
	KIND('m', modes),	KIND('O', offsets),	KIND('n', lengths),
	KIND('S', sizes),	KIND('b', bytes),	KIND('X', xattr_names),
	KIND('v', xattr_values), KIND('g', xattr_flags), KIND('t', times),
	KIND('T', seconds),	KIND('u', ids),		KIND('U', fsuids),
	KIND('l', targets),	KIND('r', rename_flags), KIND('A', follow_flags),
	KIND('L', link_flags),	KIND('e', access_flags), KIND('a', access_modes),
	KIND('w', whences),	KIND('F', falloc_modes), KIND('R', rw_flags),
	KIND('k', lock_types),	KIND('K', flock_ops),	KIND('c', lock_cmds),
	KIND('C', lock_tests),	KIND('s', status_flags), KIND('P', prots),
	KIND('M', map_flags),	KIND('V', advices),	KIND('D', fadvices),
	KIND('i', inode_flags),	KIND('N', node_types),	KIND('E', devices),
	KIND('x', statx_masks),	KIND('y', statx_sync),	KIND('j', indices),
	KIND('h', handle_flags), KIND('z', umasks),	KIND('q', unlink_flags),
	KIND('Y', sync_flags),	KIND('d', read_lengths),
	KIND('I', watch_masks),
	KIND('J', map_offsets),
};

/* Flags of open(2), of which any may come together, and how often each does */
static const struct {
	int flag;
	const char *text;
	unsigned int percent;
} open_flags[] = {
	{ O_CREAT, "O_CREAT", 50 },	{ O_EXCL, "O_EXCL", 10 },
	{ O_TRUNC, "O_TRUNC", 12 },	{ O_APPEND, "O_APPEND", 12 },
	{ O_DIRECTORY, "O_DIRECTORY", 5 }, { O_NOFOLLOW, "O_NOFOLLOW", 10 },
	{ O_PATH, "O_PATH", 6 },	{ O_TMPFILE, "O_TMPFILE", 4 },
	{ O_DIRECT, "O_DIRECT", 5 },	{ O_NOATIME, "O_NOATIME", 5 },
	{ O_SYNC, "O_SYNC", 2 },	{ O_DSYNC, "O_DSYNC", 2 },
};

#define NR_OPEN_FLAGS ARRAY_SIZE(open_flags)

/* "p", "q" and "p/r" are directories at first. */
static const char *const dirs[] = { "", "", "p/", "p/", "q/", "p/r/", "q/../p/", "s/", "./" };
static const char *const names[] = {
	"a", "a", "a", "b", "b", "b", "c", "c", "d", "p", "q", "r", "s", "a/", "p/.", "p/..", "",
	NAME_255, NAME_255 "f",
};

static unsigned int pick_open(struct rng *rng)
{
	static const unsigned int access[] = { O_RDONLY, O_WRONLY, O_RDWR, O_RDWR };
	unsigned int i, arg = rng_below(rng, 100) < 2 ? 3 : access[rng_below(rng, 4)];

	for (i = 0; i < NR_OPEN_FLAGS; i++) {
		if (rng_below(rng, 100) < open_flags[i].percent)
			arg |= 4u << i;
	}
	return arg;
}

/* The odd names are rare, or nothing would ever be there. */
static unsigned int pick_path(struct rng *rng)
{
	unsigned int name = rng_below(rng, 100) < 94 ? 13 : ARRAY_SIZE(names);

	return rng_below(rng, ARRAY_SIZE(dirs)) + ARRAY_SIZE(dirs) * rng_below(rng, name);
}

/* A base is the root mostly, else an open directory. */
static unsigned int pick_base(struct rng *rng)
{
	return rng_below(rng, 16) ? 0 : 1 + rng_below(rng, NR_SLOTS);
}

unsigned int kind_pick(char kind, struct rng *rng)
{
	switch (kind) {
	case 'o':
		return pick_open(rng);
	case 'p':
		return pick_path(rng);
	case 'B':
		return pick_base(rng);
	case 'f':
		return rng_below(rng, NR_SLOTS);
	case 'G':
		return rng_below(rng, NR_MAPS);
	}
	return rng_below(rng, kinds[(int)kind].nr);
}

static long open_value(unsigned int arg)
{
	long flags = (arg & 3) | O_NONBLOCK | O_CLOEXEC;
	unsigned int i;

	for (i = 0; i < NR_OPEN_FLAGS; i++) {
		if (arg & (4u << i))
			flags |= open_flags[i].flag;
	}
	return flags;
}

long kind_value(char kind, unsigned int arg)
{
	if (kind == 'o')
		return open_value(arg);
	if (!kinds[(int)kind].nr)
		return arg;
	return kinds[(int)kind].choices[arg % kinds[(int)kind].nr].value;
}

const char *kind_string(char kind, unsigned int arg)
{
	return kinds[(int)kind].choices[arg % kinds[(int)kind].nr].text;
}

const char *kind_path(unsigned int arg, char *buf)
{
	char *end = stpcpy(buf, dirs[arg % ARRAY_SIZE(dirs)]);

	strcpy(end, names[arg / ARRAY_SIZE(dirs) % ARRAY_SIZE(names)]);
	return buf;
}

static void print_open(unsigned int arg, FILE *out)
{
	static const char *const modes[] = { "O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE" };
	unsigned int i;

	fputs(modes[arg & 3], out);
	for (i = 0; i < NR_OPEN_FLAGS; i++) {
		if (arg & (4u << i))
			fprintf(out, "|%s", open_flags[i].text);
	}
}

void kind_print(char kind, unsigned int arg, FILE *out)
{
	char path[PATH_MAX];

	switch (kind) {
	case 'o':
		print_open(arg, out);
		break;
	case 'p':
		fprintf(out, "\"%s\"", kind_path(arg, path));
		break;
	case 'B':
		if (arg)
			fprintf(out, "fd%u", arg - 1);
		else
			fputs("root", out);
		break;
	case 'f':
		fprintf(out, "fd%u", arg);
		break;
	case 'G':
		fprintf(out, "map%u", arg);
		break;
	case 'l':
	case 'X':
		fprintf(out, "\"%s\"", kind_string(kind, arg));
		break;
	default:
		fputs(kind_string(kind, arg), out);
	}
}
