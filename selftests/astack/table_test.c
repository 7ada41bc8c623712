// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may do what in a shared storage: what is to be done, by whom, the result, and who
 * gave it. The table is all there is to say; docs/astack.md explains it.
 *
 * A cell is "-", or the expected result: "ok", what was listed, or an errno: AC EACCES,
 * NE ENOENT, EP EPERM, EX EEXIST, XD EXDEV. In the column "who", b: the backing answered
 * and no request went to the daemon; k: the same, and where it is an errno, a filter
 * refused; d: the daemon was asked, where the result is "ok". A blank: not looked at.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "astack_fixture.h"
#include "util.h"

#define APP	"Android/data/com.demo.game"
#define MISSING	"Android/data/com.demo.none"
#define IMG2	"DCIM/Camera/IMG_0002.jpg"

/* Results come back from a child through this */
static char *result;

static int done(int err)
{
	static const struct { int err; const char *name; } names[] = {
		{ -EACCES, "AC" }, { -ENOENT, "NE" }, { -EPERM, "EP" }, { -EEXIST, "EX" },
		{ -EXDEV, "XD" }, { -EIO, "EIO" }, { -ENODATA, "ND" }, { -EBUSY, "BUSY" },
		{ -EINVAL, "INVAL" }, { -ESTALE, "STALE" }, { -ENOTDIR, "ND" }, { -ENOTEMPTY, "NEMPTY" },
	};
	unsigned int i;

	if (err >= 0) {
		strcpy(result, "ok");
		return 0;
	}
	snprintf(result, 16, "%d", err);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].err == err)
			strcpy(result, names[i].name);
	}
	return 0;
}

static int do_stat(const char *path)
{
	struct stat st;

	return done(RES(stat(path, &st)));
}

static int do_access(const char *path)
{
	return done(RES(access(path, X_OK)));
}

static int order(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int do_list(const char *path)
{
	struct dirent **list;
	int nr = scandir(path, &list, NULL, order), i;

	if (nr < 0)
		return done(-errno);
	strcpy(result, "ok");
	for (i = 0; i < nr; i++) {
		if (strcmp(list[i]->d_name, ".") && strcmp(list[i]->d_name, ".."))
			snprintf(result + strlen(result), 512 - strlen(result), " %s",
				 list[i]->d_name);
	}
	return 0;
}

/* All that an app does with its files; the first thing that fails is the result. */
static int do_everything(const char *dir)
{
	const char *file = in(dir, "f"), *other = in(dir, "g");
	int fd = open(file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600), err;
	char *map, byte = 0;

	err = fd < 0 ? -errno : RES(write(fd, "0123456789", 10));
	if (err >= 0)
		err = pread(fd, &byte, 1, 4) == 1 && byte == '4' ? 0 : -EIO;
	map = mmap(NULL, 10, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (err >= 0)
		err = map == MAP_FAILED ? -errno : 0;
	if (err >= 0)
		map[0] = 'x';
	err = err < 0 ? err : RES(fsync(fd));
	err = err < 0 ? err : RES(ftruncate(fd, 5));
	err = err < 0 ? err : RES(rename(file, other));
	err = err < 0 ? err : RES(mkdir(in(dir, "d"), 0700));
	err = err < 0 ? err : RES(rmdir(in(dir, "d")));
	err = err < 0 ? err : RES(unlink(other));
	close(fd);
	return done(err);
}

static int do_mkdir(const char *path)
{
	int err = RES(mkdir(path, 0755));

	if (!err)
		rmdir(path);
	return done(err);
}

/* The result if all say the same, else "differ" */
static int do_probe(const char *path)
{
	union { struct file_handle h; char room[128]; } handle = { .h.handle_bytes = 64 };
	struct stat st;
	char buf[8];
	int mnt, i;
	const int results[] = {
		RES(rmdir(path)), RES(unlink(path)), RES(chdir(path)), RES(access(path, F_OK)),
		(int)RES(getxattr(path, "user.x", buf, 8)), RES(open(path, O_PATH)),
		RES(name_to_handle_at(AT_FDCWD, path, &handle.h, &mnt, 0)),
		RES(execl(path, path, NULL)), RES(lstat(path, &st)), RES(truncate(path, 0)),
		RES(chmod(path, 0777)), RES(chown(path, -1, -1)), RES(open(path, O_RDONLY)),
		RES(open(path, O_WRONLY | O_CREAT, 0600)), RES(mkdir(path, 0700)),
		RES(mknod(path, S_IFREG | 0600, 0)), RES(symlink("x", path)),
		RES(rename(path, in(ASTACK_MNT, "0/DCIM/x"))),
		RES(link(path, in(ASTACK_MNT, "0/DCIM/x"))),
		(int)RES(readlink(path, buf, 8)), RES(utimensat(AT_FDCWD, path, NULL, 0)),
	};

	for (i = 1; i < (int)(sizeof(results) / sizeof(results[0])); i++) {
		if (results[i] != results[0]) {
			snprintf(result, 64, "call %d: %d, not %d", i, results[i], results[0]);
			return 0;
		}
	}
	return done(results[0]);
}

/* "FROM|TO", below user 0's tree */
static int do_rename(const char *paths)
{
	char from[256], *to;

	snprintf(from, sizeof(from), "%s", paths);
	to = strchr(from, '|');
	*to++ = '\0';
	return done(RES(rename(from, in(ASTACK_MNT "/0", "%s", to))));
}

static int all_hidden(const char *buf)
{
	unsigned int i, j, zeros = 0, all = 0;

	for (i = 0; i < ASTACK_NR_HIDDEN; i++) {
		for (j = astack_hidden[i].start; j < astack_hidden[i].end; j++) {
			zeros += !buf[j];
			all++;
		}
	}
	return zeros == all ? 1 : 0;
}

/* "ok full", "ok redacted" or an errno */
static int do_read(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	static char buf[IMG1_SIZE];

	if (fd < 0)
		return done(-errno);
	if (read(fd, buf, sizeof(buf)) < 6000)
		return done(-EIO);
	strcpy(result, all_hidden(buf) ? "ok redacted" : "ok full");
	return 0;
}

static int do_open_rdwr(const char *path)
{
	return done(RES(open(path, O_RDWR | O_CLOEXEC)));
}

static int do_create(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return done(fd < 0 ? -errno : RES(write(fd, "x", 1)));
}

static int do_exec(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *map = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);

	if (fd >= 0 && map != MAP_FAILED)
		return done(0);
	return done(RES(execl(path, path, NULL)));
}

static int put_back(const char *path, const char *text, uid_t uid, gid_t gid, mode_t mode)
{
	int err = make_file(path, text, mode);

	err = err ?: RES(chown(path, uid, gid));
	return err ?: RES(chmod(path, mode));
}

/* What the cells of the table may have changed, as it was */
static int fresh(void)
{
	static const char *const made[] = {
		"DCIM/new.jpg", "DCIM/evil.sh", "DCIM/moved.jpg", "x", APP "/f.jpg",
	};
	unsigned int i;
	int err;

	for (i = 0; i < sizeof(made) / sizeof(made[0]); i++)
		unlink(astack_lower("%s", made[i]));
	err = put_back(astack_lower(APP "/file"), "own", 10104, 1078, 0600);
	return err ?: put_back(astack_lower("DCIM/f.jpg"), "f", 10101, 1015, 0664);
}

static int grant_game(void)
{
	return fresh() ?: astack_ctl("grant 10104 READ_IMG");
}

static int revoke_game(void)
{
	return fresh() ?: astack_ctl("revoke 10104");
}

static int reinstall_game(void)
{
	return astack_ctl("uninstall com.demo.game 0") ?:
		astack_ctl("install com.demo.game 10120");
}

struct row {
	const char *nr;
	int (*op)(const char *path);
	const char *path;
	char who;
	const char *cell[ASTACK_CALLERS];
	int (*before)(void);
};

#define ALL(x) { x, x, x, x, x, x, x, x, x, x, x }
/* The same for all apps of user 0; user 10's app, shell and root */
#define APPS(x, u10, shell, root) { x, x, x, x, x, x, x, x, u10, shell, root }

static const struct row table[] = {
/*	  cam   gal   map   game  spy   files inst  suite u10   shell root */
{ "1 stat user 0", do_stat, "0", 'k', APPS("ok", "AC", "ok", "ok") },
{ "2 access storage", do_access, ".", 'b', ALL("ok") },
{ "3 list storage", do_list, ".", 'k', APPS("NE", "NE", "ok 0 10", "ok 0 10") },
{ "4 stat user 10", do_stat, "10", 'k', APPS("AC", "ok", "ok", "ok") },
{ "5 stat data", do_stat, "0/Android/data", 'k', APPS("ok", "AC", "ok", "ok") },
{ "6 list data", do_list, "0/Android/data", 'k',
	{ "ok .nomedia", "ok .nomedia", "ok .nomedia", "ok .nomedia com.demo.game", "ok .nomedia",
	  "ok .nomedia", "ok .nomedia", "ok .nomedia com.demo.suite.a com.demo.suite.b", "AC",
	  "ok .nomedia com.demo.game com.demo.suite.a com.demo.suite.b",
	  "ok .nomedia com.demo.game com.demo.suite.a com.demo.suite.b" } },
{ "7 list obb", do_list, "0/Android/obb", 'k',
	{ "ok", "ok", "ok", "ok com.demo.game", "ok", "ok",
	  "ok com.demo.game com.demo.suite.a com.demo.suite.b",
	  "ok com.demo.suite.a com.demo.suite.b", "AC",
	  "ok com.demo.game com.demo.suite.a com.demo.suite.b",
	  "ok com.demo.game com.demo.suite.a com.demo.suite.b" } },
{ "8 stat an app's data", do_stat, "0/" APP, 'k',
	{ "NE", "NE", "NE", "ok", "NE", "NE", "NE", "NE", "AC", "ok", "ok" } },
{ "9 stat an app's obb", do_stat, "0/Android/obb/com.demo.game", 'k',
	{ "NE", "NE", "NE", "ok", "NE", "NE", "ok", "NE", "AC", "ok", "ok" } },
{ "10 work in one's data", do_everything, "0/" APP, 'b',
	{ "-", "-", "-", "ok", "-", "-", "-", "-", "-", "-", "ok" } },
{ "10 user 10's app too", do_everything, "10/" APP, 'b',
	{ "AC", "AC", "AC", "AC", "AC", "AC", "AC", "AC", "ok", "-", "ok" } },
{ "10 a suite's second", do_everything, "0/Android/data/com.demo.suite.b", 'b',
	{ "NE", "NE", "NE", "NE", "NE", "NE", "NE", "ok", "AC", "-", "ok" } },
{ "11 mkdir what is there", do_mkdir, "0/" APP, 'k',
	{ "NE", "NE", "NE", "EX", "NE", "NE", "NE", "NE", "AC", "EX", "EX" } },
{ "12 mkdir what is not", do_mkdir, "0/Android/data/nonexistent", 'k',
	APPS("NE", "AC", "ok", "ok") },
{ "13 21 calls on an app's data", do_probe, "0/" APP, 'k',
	{ "NE", "NE", "NE", "-", "NE", "NE", "NE", "NE", "AC", "-", "-" } },
{ "13 21 calls on a missing name", do_probe, "0/" MISSING, 'k',
	{ "NE", "NE", "NE", "NE", "NE", "NE", "NE", "NE", "AC", "-", "-" } },
{ "14 rename one's data", do_rename, "0/" APP "|" MISSING, ' ',
	{ "NE", "NE", "NE", "NE", "NE", "NE", "NE", "NE", "AC", "-", "-" } },
{ "15 rename one's file to DCIM", do_rename, "0/" APP "/file|DCIM/moved.jpg", 'k',
	{ "NE", "NE", "NE", "XD", "NE", "NE", "NE", "NE", "AC", "-", "XD" } },
{ "16 rename from DCIM", do_rename, "0/DCIM/f.jpg|" APP "/f.jpg", 'k',
	{ "NE", "NE", "NE", "XD", "NE", "NE", "NE", "NE", "AC", "-", "XD" } },
{ "17 rename Android", do_rename, "0/Android|Elsewhere", 'k', ALL("AC") },
{ "18 stat an image", do_stat, "0/" IMG1, 'b', APPS("ok", "AC", "ok", "ok") },
{ "19 read an image's location", do_read, "0/" IMG1, ' ',
	{ "ok full", "ok redacted", "ok full", "AC", "AC", "ok full", "AC", "AC", "AC", "ok full",
	  "ok full" } },
{ "19 and once more", do_read, "0/" IMG1, 'b',
	{ "ok full", "ok redacted", "ok full", "AC", "AC", "ok full", "AC", "AC", "AC", "ok full",
	  "ok full" } },
{ "20 read one without", do_read, "0/" IMG2, ' ',
	{ "ok full", "ok full", "ok full", "AC", "AC", "ok full", "AC", "AC", "AC", "ok full",
	  "ok full" } },
{ "21 open an image to write", do_open_rdwr, "0/" IMG1, 'b',
	{ "ok", "AC", "AC", "AC", "AC", "ok", "AC", "AC", "AC", "ok", "ok" } },
{ "22 make an image", do_create, "0/DCIM/new.jpg", 'b', APPS("ok", "AC", "ok", "ok") },
{ "23 make a script in DCIM", do_create, "0/DCIM/evil.sh", 'k',
	{ "EP", "EP", "EP", "EP", "EP", "ok", "EP", "EP", "AC", "ok", "ok" } },
{ "23 make a file in the root", do_create, "0/x", 'k',
	{ "EP", "EP", "EP", "EP", "EP", "ok", "EP", "EP", "AC", "ok", "ok" } },
{ "24 list images", do_list, "0/DCIM/Camera", 'k',
	{ "ok IMG_0001.jpg IMG_0002.jpg", "ok IMG_0001.jpg IMG_0002.jpg",
	  "ok IMG_0001.jpg IMG_0002.jpg", "ok", "ok", "ok IMG_0001.jpg IMG_0002.jpg", "ok", "ok",
	  "AC", "ok IMG_0001.jpg IMG_0002.jpg", "ok IMG_0001.jpg IMG_0002.jpg" } },
{ "25 stat .transforms", do_stat, "0/.transforms", 'k', APPS("NE", "AC", "ok", "ok") },
{ "26 execute an image", do_exec, "0/" IMG1, ' ', ALL("AC") },
{ "27 read the volume", do_stat, ASTACK_VOLUME "/0", ' ', APPS("AC", "AC", "AC", "ok") },
{ "28 read it, granted", do_read, "0/" IMG1, ' ',
	{ "-", "-", "-", "ok redacted", "AC", "-", "-", "-", "-", "-", "-" }, grant_game },
{ "29 read it, revoked", do_read, "0/" IMG1, 'k',
	{ "-", "-", "-", "AC", "AC", "-", "-", "-", "-", "-", "-" }, revoke_game },
{ "30 reinstalled for another", do_stat, "0/" APP, 'k',
	{ "NE", "NE", "NE", "NE", "NE", "NE", "NE", "NE", "AC", "ok", "ok" }, reinstall_game },
};

#define NR_ROWS (sizeof(table) / sizeof(table[0]))

static int run_op(void *arg)
{
	const struct row *row = *(const struct row **)arg;

	if (chdir(ASTACK_MNT))
		return done(-errno);
	return row->op(row->path[0] == '/' ? row->path : in(ASTACK_MNT, "%s", row->path));
}

/* Was it answered by whom the table says? @wanted is what the result was to be. */
static bool right_answerer(const struct row *row, const char *wanted,
			   const struct astack_counts *before, const struct astack_counts *after)
{
	if (row->who == ' ')
		return true;
	if (after->daemon != before->daemon)
		return false;
	return row->who != 'k' || !strncmp(wanted, "ok", 2) || !strcmp(wanted, "EX") ||
	       after->denied > before->denied;
}

static bool test_cell(const struct row *row, enum astack_caller_id id)
{
	struct astack_counts before, after;
	const char *wanted = row->cell[id];
	int err = row->before ? 0 : fresh();

	strcpy(result, "nothing");
	err = err ?: astack_count(&before);
	err = err ?: astack_as(id, run_op, &row);
	err = err ?: astack_count(&after);
	if (err || strcmp(result, wanted)) {
		say("row %s: %s: '%s', not '%s' (%d)", row->nr, astack_callers[id].name, result,
		    wanted, err);
		return false;
	}
	if (right_answerer(row, wanted, &before, &after))
		return true;
	say("row %s: %s: daemon %llu, denied %llu", row->nr, astack_callers[id].name,
	    after.daemon - before.daemon, after.denied - before.denied);
	return false;
}

int main(void)
{
	unsigned int i, id, failed = 0, nr = 0;

	result = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	printf("TAP version 13\n1..%zu\n", NR_ROWS + 1);
	if (result == MAP_FAILED || astack_start()) {
		printf("Bail out! astack does not start\n");
		return 1;
	}
	for (i = 0; i < NR_ROWS; i++) {
		unsigned int cells = 0, bad = table[i].before && table[i].before();

		for (id = 0; id < ASTACK_CALLERS; id++) {
			if (!strcmp(table[i].cell[id], "-"))
				continue;
			cells++;
			bad += !test_cell(&table[i], id);
		}
		failed += !!bad;
		printf("%s %u row %s: %u callers\n", bad ? "not ok" : "ok", ++nr, table[i].nr, cells);
		fflush(stdout);
	}
	i = astack_stop();
	printf("%s %u the daemon ends well\n", i ? "not ok" : "ok", ++nr);
	return failed || i;
}
