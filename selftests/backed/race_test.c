// SPDX-License-Identifier: GPL-2.0-only
/*
 * Users of the mount while the backing is turned over under them: what they find
 * may be old or new, but it must be one thing, and the errors those of a file that
 * is gone.
 */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mount.h>

#include "backed_fixture.h"
#include "harness.h"

#define NAMES 6

/**
 * struct race - what all threads share
 * @back: the backing
 * @mnt: the mount
 * @stop: the time is over
 * @bad: things that must not be
 * @done: operations that found something
 */
struct race {
	const char *back;
	const char *mnt;
	volatile bool stop;
	unsigned int bad;
	unsigned int done;
};

FIXTURE(race)
{
	struct backed b;
	struct race race;
};

FIXTURE_VARIANT(race)
{
	const char *fs;
};

FIXTURE_VARIANT_ADD(race, tmpfs) { .fs = "tmpfs" };
FIXTURE_VARIANT_ADD(race, ext4) { .fs = "ext4" };

FIXTURE_SETUP(race)
{
	int i;

	ASSERT_EQ(0, backed_setup(&self->b, variant->fs, BACKED_ALLOW_OTHER));
	for (i = 0; i < NAMES; i++)
		ASSERT_EQ(0, mkdir(in(self->b.back, "dir%d", i), 0755));
	self->race.back = self->b.back;
	self->race.mnt = self->b.mnt;
}

FIXTURE_TEARDOWN(race)
{
	EXPECT_EQ(0, backed_destroy(&self->b));
}

static void bad(struct race *race, const char *what, const char *path, int err)
{
	if (__atomic_fetch_add(&race->bad, 1, __ATOMIC_SEQ_CST) < 5)
		say("%s: %s: %s", what, path, err ? strerror(err) : "wrong");
}

/* A failure that is no wonder when files come and go; others are reported. */
static void failed(struct race *race, const char *what, const char *path)
{
	if (errno != ENOENT && errno != ESTALE)
		bad(race, what, path, errno);
}

static void did(struct race *race)
{
	__atomic_fetch_add(&race->done, 1, __ATOMIC_RELAXED);
}

/* A name, and its own inode number, are what is in each file. */
static void make_identified(const char *dir, const char *name)
{
	const char *path = in(dir, "%s.tmp", name);
	struct stat st;
	char text[64];
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || fstat(fd, &st))
		return;
	snprintf(text, sizeof(text), "%s %lu", name, (unsigned long)st.st_ino);
	(void)!write(fd, text, strlen(text));
	close(fd);
	(void)!rename(path, in(dir, "%s", name));
}

static void *churn(void *arg)
{
	struct race *race = arg;
	unsigned int seed = 1;
	char name[16];
	int dir;

	while (!race->stop) {
		dir = rand_r(&seed) % NAMES;
		snprintf(name, sizeof(name), "name%d", rand_r(&seed) % NAMES);
		switch (rand_r(&seed) % 8) {
		case 0:
			(void)!unlink(in(race->back, "dir%d/%s", dir, name));
			break;
		case 1:
			(void)!renameat2(AT_FDCWD, in(race->back, "dir%d", dir), AT_FDCWD,
					 in(race->back, "dir%d", rand_r(&seed) % NAMES),
					 RENAME_EXCHANGE);
			break;
		case 2:
			(void)!rename(in(race->back, "dir%d/%s", dir, name),
				      in(race->back, "dir%d/%s", rand_r(&seed) % NAMES, name));
			break;
		case 3:
			(void)!link(in(race->back, "dir%d/%s", dir, name),
				    in(race->back, "dir%d/%s", rand_r(&seed) % NAMES, name));
			break;
		default:
			make_identified(in(race->back, "dir%d", dir), name);
		}
	}
	return NULL;
}

static void check_identity(struct race *race, const char *path, const char *name, int fd)
{
	char text[64] = "", found[16] = "";
	unsigned long ino = 0;
	struct stat st;

	if (fstat(fd, &st)) {
		bad(race, "fstat", path, errno);
		return;
	}
	if (read(fd, text, sizeof(text) - 1) < 0) {
		bad(race, "read", path, errno);
		return;
	}
	sscanf(text, "%15s %lu", found, &ino);
	if (strcmp(found, name) || ino != st.st_ino) {
		say("ino %lu holds: %s", (unsigned long)st.st_ino, text);
		bad(race, "contents", path, 0);
	}
	did(race);
}

static void *reader(void *arg)
{
	struct race *race = arg;
	unsigned int seed = (unsigned int)(uintptr_t)pthread_self();
	const char *path;
	char name[16];
	int fd;

	while (!race->stop) {
		snprintf(name, sizeof(name), "name%d", rand_r(&seed) % NAMES);
		path = in(race->mnt, "dir%d/%s", rand_r(&seed) % NAMES, name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0) {
			failed(race, "open", path);
			continue;
		}
		check_identity(race, path, name, fd);
		close(fd);
	}
	return NULL;
}

static void *walker(void *arg)
{
	struct race *race = arg;
	unsigned int seed = (unsigned int)(uintptr_t)pthread_self();
	const char *path;
	struct stat st;

	while (!race->stop) {
		path = in(race->mnt, "dir%d/../dir%d/name%d", rand_r(&seed) % NAMES,
			  rand_r(&seed) % NAMES, rand_r(&seed) % NAMES);
		if (stat(path, &st))
			failed(race, "stat", path);
		else if (!S_ISREG(st.st_mode))
			bad(race, "type", path, 0);
		else
			did(race);
	}
	return NULL;
}

static void check_entry(struct race *race, const char *path, const struct dirent *entry)
{
	if (entry->d_name[0] == '.' || !strncmp(entry->d_name, "name", 4))
		return;
	bad(race, entry->d_name, path, 0);
}

static void *lister(void *arg)
{
	struct race *race = arg;
	unsigned int seed = (unsigned int)(uintptr_t)pthread_self();
	struct dirent *entry;
	const char *path;
	DIR *d;

	while (!race->stop) {
		path = in(race->mnt, "dir%d", rand_r(&seed) % NAMES);
		d = opendir(path);
		if (!d) {
			failed(race, "opendir", path);
			continue;
		}
		while (errno = 0, (entry = readdir(d)))
			check_entry(race, path, entry);
		if (errno)
			failed(race, "readdir", path);
		did(race);
		closedir(d);
	}
	return NULL;
}

/* Dentries and inodes that go and come while others use them */
static void *dropper(void *arg)
{
	struct race *race = arg;
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	while (!race->stop) {
		(void)!write(fd, "2", 1);
		usleep(20000);
	}
	close(fd);
	return NULL;
}

static int run_threads(struct race *race, void *(*const fns[])(void *), int nr)
{
	pthread_t threads[8];
	int i;

	for (i = 0; i < nr; i++) {
		if (pthread_create(&threads[i], NULL, fns[i], race))
			return -EAGAIN;
	}
	usleep(flavour_is_debug() ? 15000000 : 2000000);
	race->stop = true;
	for (i = 0; i < nr; i++)
		pthread_join(threads[i], NULL);
	return 0;
}

TEST_F(race, one_thing_at_a_time)
{
	void *(*const fns[])(void *) = { churn, reader, walker, lister, reader, walker };

	ASSERT_EQ(0, run_threads(&self->race, fns, ARRAY_SIZE(fns)));
	EXPECT_EQ(0, self->race.bad);
	EXPECT_LT(20, self->race.done);
	EXPECT_EQ(0, diff_tree(self->b.back, self->b.mnt));
}

TEST_F(race, with_shrinking_caches)
{
	void *(*const fns[])(void *) = { churn, reader, walker, lister, dropper };

	ASSERT_EQ(0, run_threads(&self->race, fns, ARRAY_SIZE(fns)));
	EXPECT_EQ(0, self->race.bad);
	EXPECT_LT(20, self->race.done);
	EXPECT_EQ(0, diff_tree(self->b.back, self->b.mnt));
}

/* A descriptor of a directory that moves about is still that directory. */
static void *relative_reader(void *arg)
{
	struct race *race = arg;
	unsigned int seed = (unsigned int)(uintptr_t)pthread_self();
	char name[16];
	int dir, fd, i;

	while (!race->stop) {
		dir = open_dir(in(race->mnt, "dir%d", rand_r(&seed) % NAMES), 0);
		for (i = 0; i < 50 && dir >= 0; i++) {
			snprintf(name, sizeof(name), "name%d", rand_r(&seed) % NAMES);
			fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
			if (fd < 0) {
				failed(race, "openat", name);
				continue;
			}
			check_identity(race, name, name, fd);
			close(fd);
		}
		close(dir);
	}
	return NULL;
}

TEST_F(race, relative)
{
	void *(*const fns[])(void *) = { churn, relative_reader, relative_reader, lister };

	ASSERT_EQ(0, run_threads(&self->race, fns, ARRAY_SIZE(fns)));
	EXPECT_EQ(0, self->race.bad);
	EXPECT_LT(20, self->race.done);
}

static void *mounter(void *arg)
{
	struct race *race = arg;
	int fd, err;

	while (!race->stop) {
		if (umount2(race->mnt, MNT_DETACH))
			bad(race, "umount", race->mnt, errno);
		fd = open_dir(race->back, O_PATH);
		err = try_mount(TRY_MOUNT(.backing = fd, .daemonless = true, .at = race->mnt));
		if (err)
			bad(race, "mount", race->mnt, -err);
		close(fd);
	}
	return NULL;
}

/* The mount itself goes away under its users. Then there is an empty directory. */
TEST_F(race, unmount)
{
	void *(*const fns[])(void *) = { churn, reader, walker, lister, mounter };

	ASSERT_EQ(0, run_threads(&self->race, fns, ARRAY_SIZE(fns)));
	EXPECT_EQ(0, self->race.bad);
}

TEST_HARNESS_MAIN
