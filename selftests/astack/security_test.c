// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ways around the rules of a shared storage, and bytes that must not get through.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "astack_fixture.h"
#include "harness.h"

#define APP	"Android/data/com.demo.game"

FIXTURE(astack)
{
	int ended;
};

FIXTURE_SETUP(astack)
{
	self->ended = 0;
	ASSERT_EQ(0, astack_start());
}

FIXTURE_TEARDOWN(astack)
{
	EXPECT_EQ(self->ended, astack_stop());
}

/* Path, as what fn gets */
struct path {
	char text[512];
};

static struct path path_to(const char *text)
{
	struct path path;

	snprintf(path.text, sizeof(path.text), "%s", text);
	return path;
}

static int stat_child(void *arg)
{
	struct stat st;

	return RES(stat(arg, &st));
}

static int try(enum astack_caller_id id, int (*fn)(void *arg), const char *text)
{
	struct path path = path_to(text);

	return astack_as(id, fn, &path);
}

/* The file as a caller is to see it */
static unsigned char full[IMG1_SIZE], redacted[IMG1_SIZE];

static ssize_t by_pipe(int fd, void *buf, size_t len, off_t off)
{
	loff_t at = off;
	ssize_t n = -1;
	int p[2];

	if (pipe(p))
		return -1;
	if (splice(fd, &at, p[1], NULL, len, 0) > 0)
		n = read(p[0], buf, len);
	close(p[0]);
	close(p[1]);
	return n;
}

static ssize_t by_copy(int fd, void *buf, size_t len, off_t off, bool send)
{
	int mem = memfd_create("copy", 0);
	loff_t at = off;
	ssize_t n = send ? sendfile(mem, fd, &at, len) :
			   copy_file_range(fd, &at, mem, NULL, len, 0);

	/* From one file system to another, only reading it is left */
	if (n < 0 && !send && errno == EXDEV)
		n = sendfile(mem, fd, &at, len);
	if (n > 0)
		n = pread(mem, buf, n, 0);
	close(mem);
	return n;
}

static ssize_t read_somehow(unsigned int how, int fd, void *buf, size_t len, off_t off)
{
	struct iovec iov[2] = { { buf, len / 2 }, { (char *)buf + len / 2, len - len / 2 } };

	switch (how % 6) {
	case 0:
		return pread(fd, buf, len, off);
	case 1:
		return preadv(fd, iov, 2, off);
	case 2:
		return lseek(fd, off, SEEK_SET) < 0 ? -1 : read(fd, buf, len);
	case 3:
		return by_pipe(fd, buf, len, off);
	case 4:
		return by_copy(fd, buf, len, off, true);
	}
	return by_copy(fd, buf, len, off, false);
}

struct reader {
	bool sees_all;
	unsigned int rounds;
};

/* Around the edges of what is hidden, and anywhere */
static off_t some_offset(unsigned int *seed)
{
	const struct astack_hidden *h = &astack_hidden[rand_r(seed) % ASTACK_NR_HIDDEN];

	switch (rand_r(seed) % 3) {
	case 0:
		return h->start > 8 ? h->start - rand_r(seed) % 9 : 0;
	case 1:
		return h->end - rand_r(seed) % 9;
	}
	return rand_r(seed) % IMG1_SIZE;
}

static int read_all_ways(void *arg)
{
	const struct reader *reader = arg;
	const unsigned char *wanted = reader->sees_all ? full : redacted;
	int fd = open(astack_path(IMG1), O_RDONLY | O_CLOEXEC);
	static unsigned char buf[8192];
	unsigned int seed = 1, i;
	size_t len;
	ssize_t n;
	off_t off;

	if (fd < 0)
		return -errno;
	for (i = 0; i < reader->rounds; i++) {
		off = some_offset(&seed);
		len = 1 + rand_r(&seed) % sizeof(buf);
		n = read_somehow(i, fd, buf, len, off);
		if (n <= 0 || memcmp(buf, wanted + off, n)) {
			say("round %u: %zd of %zu bytes at %ld (%d)", i, n, len, (long)off, errno);
			return -EIO;
		}
	}
	return 0;
}

static int map_it(void *arg)
{
	int fd = open(arg, O_RDONLY | O_CLOEXEC);
	void *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

	return map == MAP_FAILED ? -errno : 0;
}

TEST_F(astack, bytes_do_not_cross)
{
	struct reader gal = { .rounds = scale(10000) }, map = { true, scale(10000) };
	pid_t pid;
	int status;

	ASSERT_EQ(0, astack_load_image(full, redacted));
	pid = fork();
	if (!pid)
		_exit(astack_as(MAP, read_all_ways, &map) ? 1 : 0);
	EXPECT_EQ(0, astack_as(GAL, read_all_ways, &gal));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(-EACCES, try(GAL, map_it, astack_path(IMG1)));
	EXPECT_EQ(0, try(MAP, map_it, astack_path(IMG1)));
}

/* One process with an open file, whose rights change under it */
static int rights_change(void *arg)
{
	int fd = open(astack_path(IMG1), O_RDONLY | O_CLOEXEC), *pipes = arg;
	static unsigned char buf[IMG1_SIZE];
	const unsigned char *wanted[] = { redacted, full, redacted, redacted };
	unsigned int i;
	char go;

	for (i = 0; i < 4; i++) {
		if (pread(fd, buf, sizeof(buf), 0) != sizeof(buf) ||
		    memcmp(buf, wanted[i], sizeof(buf)))
			return 10 + i;
		if (write(pipes[1], "", 1) != 1 || read(pipes[2], &go, 1) != 1)
			return 20;
	}
	return RES(open(astack_path(IMG1), O_RDONLY));
}

TEST_F(astack, rights_change_under_an_open_file)
{
	static const char *const changes[] = {
		"grant 10102 LOCATION", "revoke 10102 LOCATION", "revoke 10102",
		"revoke 10102",
	};
	int pipes[4], status;
	unsigned int i;
	pid_t pid;
	char ready;

	ASSERT_EQ(0, astack_load_image(full, redacted));
	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(0, pipe(pipes + 2));
	pid = fork();
	if (!pid) {
		close(pipes[0]);
		close(pipes[3]);
		_exit(abs(astack_as(GAL, rights_change, pipes)) & 0x7f);
	}
	close(pipes[1]);
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(1, read(pipes[0], &ready, 1));
		ASSERT_EQ(0, astack_ctl("%s", changes[i]));
		ASSERT_EQ(1, write(pipes[3], "", 1));
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(EACCES, WEXITSTATUS(status));
}

static int work(void *arg)
{
	const char *file = in(arg, "work");
	char buf[16];

	if (make_file(file, "text", 0600) || read_file(file, buf, sizeof(buf)) != 4)
		return 1;
	return RES(unlink(file));
}

TEST_F(astack, the_daemon_is_stopped)
{
	struct reader gal = { .rounds = 100 };

	ASSERT_EQ(0, astack_load_image(full, redacted));
	ASSERT_EQ(0, astack_as(GAL, read_all_ways, &gal));
	ASSERT_EQ(0, kill(astack_daemon(), SIGSTOP));
	EXPECT_EQ(0, try(GAME, work, astack_path(APP)));
	EXPECT_EQ(0, astack_as(GAL, read_all_ways, &gal));
	EXPECT_EQ(-ENOENT, try(SPY, stat_child, astack_path(APP)));
	EXPECT_EQ(0, kill(astack_daemon(), SIGCONT));
}

/* S19: what was closed stays closed */
TEST_F(astack, the_daemon_is_killed)
{
	self->ended = SIGKILL;
	ASSERT_EQ(0, kill(astack_daemon(), SIGKILL));
	EXPECT_GT(0, try(SPY, stat_child, astack_path(APP)));
	EXPECT_GT(0, try(SPY, map_it, astack_path(IMG1)));
	EXPECT_GT(0, try(U10GAME, stat_child, astack_path(IMG1)));
}

/* S19: nor does another daemon open it, whose filters and maps are there already */
TEST_F(astack, a_second_daemon)
{
	EXPECT_NE(0, astack_daemon_again());
	EXPECT_EQ(-ENOENT, try(SPY, stat_child, astack_path(APP)));
	EXPECT_EQ(0, try(GAME, stat_child, astack_path(APP)));
	self->ended = SIGKILL;
	ASSERT_EQ(0, kill(astack_daemon(), SIGKILL));
	EXPECT_NE(0, astack_daemon_again());
	EXPECT_GT(0, try(SPY, stat_child, astack_path(APP)));
	EXPECT_GT(0, try(SPY, map_it, astack_path(IMG1)));
}

/* Code points that some compare as if they were not there */
static const struct {
	unsigned int first, last;
} ignorable[] = {
	{ 0x00ad, 0x00ad }, { 0x034f, 0x034f }, { 0x061c, 0x061c }, { 0x115f, 0x1160 },
	{ 0x17b4, 0x17b5 }, { 0x180b, 0x180f }, { 0x200b, 0x200f }, { 0x202a, 0x202e },
	{ 0x2060, 0x206f }, { 0x3164, 0x3164 }, { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff },
	{ 0xffa0, 0xffa0 }, { 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a }, { 0xe0000, 0xe0fff },
};

static int put_utf8(char *to, unsigned int c)
{
	if (c < 0x800)
		return sprintf(to, "%c%c", 0xc0 | c >> 6, 0x80 | (c & 0x3f));
	if (c < 0x10000)
		return sprintf(to, "%c%c%c", 0xe0 | c >> 12, 0x80 | (c >> 6 & 0x3f),
			       0x80 | (c & 0x3f));
	return sprintf(to, "%c%c%c%c", 0xf0 | c >> 18, 0x80 | (c >> 12 & 0x3f),
		       0x80 | (c >> 6 & 0x3f), 0x80 | (c & 0x3f));
}

/* With the code point at some place of "data" or of the app's name */
static int stat_with(const char *path, size_t from, unsigned int c)
{
	size_t at = from + c % (strlen(path) - from + 1);
	char text[512], *end = text + at;
	struct stat st;

	memcpy(text, path, at);
	end += put_utf8(end, c);
	strcpy(end, path + at);
	return RES(stat(text, &st));
}

static int stat_with_all(void *arg)
{
	const char *path = arg;
	const size_t from = strlen(path) - strlen("data/com.demo.game");
	unsigned int i, c;

	for (i = 0; i < sizeof(ignorable) / sizeof(ignorable[0]); i++) {
		for (c = ignorable[i].first; c <= ignorable[i].last; c++) {
			if (stat_with(path, from, c) != -ENOENT) {
				say("U+%04x: %d", c, stat_with(path, from, c));
				return 1;
			}
		}
	}
	return 0;
}

/* S3: as long as a name can be, and longer */
static int stat_long_names(void *arg)
{
	char text[512];
	struct stat st;
	size_t at = snprintf(text, sizeof(text), "%s", (char *)arg);

	memset(text + at, 'x', 256 - strlen("com.demo.game"));
	text[at + 255 - strlen("com.demo.game")] = '\0';
	if (RES(stat(text, &st)) != -ENOENT)
		return 1;
	text[at + 255 - strlen("com.demo.game")] = 'x';
	text[at + 256 - strlen("com.demo.game")] = '\0';
	return RES(stat(text, &st));
}

/* S4: a chain of links that is longer than any walk, and one that is not */
static int follow_links(void *arg)
{
	const char *dir = astack_path("Android/data/com.demo.suite.a");
	char from[128], to[256];
	struct stat st;
	int i;

	snprintf(to, sizeof(to), "%s", (char *)arg);
	for (i = 0; i < 41; i++) {
		snprintf(from, sizeof(from), "%s/l%d", dir, i);
		if (symlink(to, from))
			return 1;
		strcpy(to, from);
	}
	if (RES(stat(to, &st)) != -ELOOP)
		return 2;
	return RES(stat(in(dir, "l20"), &st));
}

/* S2, S3, S4 */
TEST_F(astack, spellings_by_the_thousand)
{
	EXPECT_EQ(0, try(SPY, stat_with_all, astack_path(APP)));
	EXPECT_EQ(0, try(GAME, stat_with_all, astack_path(APP)));
	EXPECT_EQ(-ENAMETOOLONG, try(SPY, stat_long_names, astack_path(APP)));
	EXPECT_EQ(-ENAMETOOLONG, try(SPY, stat_long_names,
				     astack_path("Android/data/com.demo.none")));
	EXPECT_EQ(-ENOENT, try(SUITE, follow_links, astack_path(APP)));
}

/* S1, S2, S3, S4: other spellings of a name are other names, for its owner too */
TEST_F(astack, spellings)
{
	static const char *const names[] = {
		"Com.Demo.Game", "com.demo.game\u200b", "com.demo\u00ad.game", "\ufeffcom.demo.game",
		"com.demo.game\U000e0020", "com.demo.game\n", "com.demo.g\xc3\x28me",
		"com.demo.g\u0430me", "com.demo.game ", "com.demo.game\xc0\xaf",
	};
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		EXPECT_EQ(-ENOENT, try(SPY, stat_child, astack_path("Android/data/%s", names[i])));
		EXPECT_EQ(-ENOENT, try(GAME, stat_child, astack_path("Android/data/%s", names[i])));
	}
	EXPECT_EQ(-ENOENT, try(SPY, stat_child, astack_path("android/DATA/com.demo.game")));
	EXPECT_EQ(-ENOENT, try(SPY, stat_child, astack_path("DCIM/../Android//data/./com.demo.game/")));
	EXPECT_EQ(0, try(GAME, stat_child, astack_path("DCIM/../Android//data/./com.demo.game/")));
}

static int link_there(void *arg)
{
	const char *link = in(arg, "link");
	struct stat st;
	int err = RES(symlink(astack_path(APP "/file"), link));

	return err ?: RES(stat(link, &st));
}

static int hard_link(void *arg)
{
	return RES(link(arg, astack_path("Android/data/com.demo.suite.a/stolen")));
}

/* S5, S6 */
TEST_F(astack, links)
{
	EXPECT_EQ(-ENOENT, try(SUITE, link_there, astack_path("Android/data/com.demo.suite.a")));
	EXPECT_EQ(-EPERM, try(SUITE, link_there, astack_path("DCIM")));
	EXPECT_GT(0, try(SUITE, hard_link, astack_path(IMG1)));
	EXPECT_EQ(-ENOENT, try(SUITE, hard_link, astack_path(APP "/file")));
}

static int hold(void *arg)
{
	int *pipes = arg;
	char byte;

	if (chdir(astack_path(APP)) || open(".", O_PATH) < 0 || write(pipes[1], "", 1) != 1)
		return 1;
	close(pipes[3]);
	return read(pipes[2], &byte, 1) ? 2 : 0;
}

static int stat_often(void *arg)
{
	unsigned int i, n = scale(20000);
	struct stat st;

	for (i = 0; i < n; i++) {
		if (!stat(arg, &st) || errno != ENOENT)
			return 1;
	}
	return 0;
}

/* Until the other end of a pipe is closed */
static int drop_often(int stop)
{
	struct pollfd closed = { .fd = stop };
	int err;

	do
		err = sh("echo 2 >/proc/sys/vm/drop_caches");
	while (!err && !poll(&closed, 1, 20));
	return err ? 1 : 0;
}

/* S9: the owner is there, and the name is in the cache, or has just gone from it */
TEST_F(astack, cached_by_the_owner)
{
	int pipes[4], status;
	pid_t pid, dropper;
	char byte;

	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(0, pipe(pipes + 2));
	/* That it is missing for one is in the cache before it is looked up by its owner */
	ASSERT_EQ(0, sh("echo 2 >/proc/sys/vm/drop_caches"));
	ASSERT_EQ(-ENOENT, try(SPY, stat_child, astack_path(APP)));
	pid = fork();
	if (!pid) {
		close(pipes[3]);
		_exit(astack_as(GAME, hold, pipes) ? 1 : 0);
	}
	ASSERT_EQ(1, read(pipes[0], &byte, 1));
	dropper = fork();
	if (!dropper) {
		close(pipes[3]);
		_exit(drop_often(pipes[2]));
	}
	EXPECT_EQ(0, try(SPY, stat_often, astack_path(APP)));
	EXPECT_EQ(0, try(GAME, stat_child, astack_path(APP)));
	close(pipes[3]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	ASSERT_EQ(dropper, waitpid(dropper, &status, 0));
	EXPECT_EQ(0, status);
}

/* Made by the owner, and opened by the number by another one who may open any */
static int open_by_handle(void *arg)
{
	union { struct file_handle h; char room[256]; } handle = { .h.handle_bytes = 128 };
	int mnt, dir = open(ASTACK_MNT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0 || name_to_handle_at(AT_FDCWD, arg, &handle.h, &mnt, 0x200 /* AT_HANDLE_FID */))
		return 1;
	return RES(open_by_handle_at(dir, &handle.h, O_PATH | O_CLOEXEC));
}

/* S13: with CAP_DAC_READ_SEARCH, even; and there is none that could be opened */
TEST_F(astack, handles)
{
	union { struct file_handle h; char room[256]; } handle = { .h.handle_bytes = 128 };
	int mnt;

	EXPECT_EQ(-ESTALE, try(ROOT, open_by_handle, astack_path(APP)));
	EXPECT_EQ(-EOPNOTSUPP, RES(name_to_handle_at(AT_FDCWD, astack_path(APP), &handle.h, &mnt, 0)));
}

static int up_and_down(void *arg)
{
	int fd = open(arg, O_PATH | O_DIRECTORY), up = openat(fd, "..", O_PATH | O_DIRECTORY);

	return fd < 0 || up < 0 ? 1 : RES(openat(up, "com.demo.game", O_PATH));
}

static int write_again(void *arg)
{
	int fd = open(arg, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? 1 : RES(open(in("/proc/self/fd", "%d", fd), O_RDWR));
}

/* S11 */
TEST_F(astack, descriptors)
{
	EXPECT_EQ(-ENOENT, try(SUITE, up_and_down, astack_path("Android/data/com.demo.suite.a")));
	EXPECT_EQ(-EACCES, try(GAL, write_again, astack_path(IMG1)));
}

/* S23: only a regular file of that name is for all */
TEST_F(astack, nomedia)
{
	ASSERT_EQ(0, make_dir(astack_lower("Android/obb/.nomedia"), 0777));
	EXPECT_EQ(-ENOENT, try(SPY, stat_child, astack_path("Android/obb/.nomedia")));
	EXPECT_EQ(0, try(SPY, stat_child, astack_path("Android/data/.nomedia")));
}

/* S24, S25 */
TEST_F(astack, names_of_others)
{
	EXPECT_EQ(-EACCES, try(U10GAME, stat_child, astack_path(APP)));
	EXPECT_EQ(-EACCES, try(GAME, stat_child, in(ASTACK_MNT "/10", APP)));
	ASSERT_EQ(0, make_dir(astack_lower("Android/data/com.demo.new"), 0777));
	ASSERT_EQ(0, RES(chown(astack_lower("Android/data/com.demo.new"), 10105, 10105)));
	EXPECT_NE(0, astack_ctl("install com.demo.new 10130 2>/dev/null"));
	EXPECT_EQ(-ENOENT, try(SPY, stat_child, astack_path("Android/data/com.demo.new")));
}

TEST_HARNESS_MAIN
