// SPDX-License-Identifier: GPL-2.0-only
/*
 * Filters and directories that fold case: a filter that says that it knows of them is
 * told one name for all spellings, so that none walks around a rule; one that does
 * not lets nothing pass.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backed_fixture.h"
#include "fold.h"
#include "harness.h"
#include "recorder.h"
#include "scripted.h"

FIXTURE(fold)
{
	struct backed b;
	struct filter filter;
	char fs[64];
	char mnt[64];
	int dir;
};

FIXTURE_VARIANT(fold)
{
	const char *fs;
};

FIXTURE_VARIANT_ADD(fold, tmpfs) { .fs = "tmpfs" };
FIXTURE_VARIANT_ADD(fold, ext4) { .fs = "ext4" };

/* Spellings of "disk.key" */
static const char *const spellings[] = {
	"disk.key", "DISK.KEY", "Disk.Key", "di" LONG_S "k.key", "dis" KELVIN ".key",
	"disk" ZERO_WIDTH ".key", ZERO_WIDTH "DISK.KE" ZERO_WIDTH "Y",
	"D\xc4\xb1SK.KEY" /* dotless i: another name */,
};

#define OTHER_NAME 7

FIXTURE_SETUP(fold)
{
	struct backed *b = &self->b;
	int fd;

	self->filter = FILTER_NONE;
	ASSERT_EQ(0, backed_make(b, "tmpfs"));
	strcpy(self->fs, in(b->top, "fs"));
	strcpy(self->mnt, b->mnt);
	ASSERT_EQ(0, make_dir(self->fs, 0777));
	ASSERT_EQ(0, fold_mount(variant->fs, b->top, self->fs));
	ASSERT_EQ(0, chmod(self->fs, 0777));
	ASSERT_EQ(0, fold_dir(in(self->fs, "d")));
	ASSERT_EQ(0, make_dir(in(self->fs, "plain"), 0777));
	ASSERT_EQ(0, make_file(in(self->fs, "d/DiSk.KeY"), "secret", 0666));
	ASSERT_EQ(0, make_file(in(self->fs, "d/File"), "file", 0666));
	fd = open_dir(self->fs, O_PATH);
	ASSERT_EQ(0, try_mount(TRY_MOUNT(.backing = fd, .daemonless = true,
					 .allow_other = true, .at = self->mnt)));
	close(fd);
	self->dir = open_dir(self->mnt, 0);
	ASSERT_LE(0, self->dir);
}

FIXTURE_TEARDOWN(fold)
{
	filter_destroy(&self->filter);
	close(self->dir);
	EXPECT_EQ(0, RES(umount(self->mnt)));
	EXPECT_EQ(0, RES(umount(self->fs)));
	EXPECT_EQ(0, backed_destroy(&self->b));
}

static int load_folded(struct filter *filter, int dir)
{
	int err = filter_load(filter, "scripted_folded");

	return err ? err : filter_attach(filter, dir, 0, 0);
}

/* Hide the key from the first user, in listings too. */
static int hide_key(const struct filter *filter)
{
	return scripted_rule(filter, FUSE_LOOKUP, USER1, "disk.key", -ENOENT) ||
	       scripted_rule(filter, FUSE_FILTER_OP_DIRENT, USER1, "disk.key", -ENOENT);
}

struct spelling {
	const char *dir;
	const char *name;
};

/* Every call that could show, make or move the name; returns what none of them did. */
static int try_spelling(void *arg)
{
	const struct spelling *s = arg;
	const char *path = in(s->dir, "%s", s->name), *file = in(s->dir, "file");
	struct stat st;

	if (RES(stat(path, &st)) != -ENOENT || RES(access(path, F_OK)) != -ENOENT)
		return 1;
	if (RES(open(path, O_RDONLY)) != -ENOENT)
		return 2;
	if (RES(open(path, O_CREAT | O_WRONLY, 0666)) != -ENOENT ||
	    RES(open(path, O_CREAT | O_EXCL | O_WRONLY, 0666)) != -ENOENT)
		return 3;
	if (RES(mkdir(path, 0777)) != -ENOENT || RES(symlink("x", path)) != -ENOENT)
		return 4;
	if (RES(rename(file, path)) != -ENOENT || RES(rename(path, file)) != -ENOENT)
		return 5;
	if (RES(renameat2(AT_FDCWD, file, AT_FDCWD, path, RENAME_EXCHANGE)) != -ENOENT)
		return 6;
	if (RES(link(file, path)) != -ENOENT || RES(link(path, in(s->dir, "new"))) != -ENOENT)
		return 7;
	if (RES(unlink(path)) != -ENOENT || RES(rmdir(path)) != -ENOENT)
		return 8;
	return 0;
}

static int count_entries(void *path)
{
	DIR *dir = opendir(path);
	int n = 0;

	if (!dir)
		return -errno;
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

TEST_F(fold, no_spelling_walks_around_a_rule)
{
	char d[64];
	struct spelling s = { .dir = d };

	strcpy(d, in(self->mnt, "d"));
	ASSERT_EQ(0, load_folded(&self->filter, self->dir));
	ASSERT_EQ(0, hide_key(&self->filter));
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < OTHER_NAME; i++) {
			s.name = spellings[i];
			EXPECT_EQ(0, as_user(USER1, GROUP1, try_spelling, &s))
				TH_LOG("spelling %zu", i);
			/* The other user sees it, and leaves it in the caches */
			EXPECT_EQ(0, user_stat(USER2, in(d, "%s", s.name)))
				TH_LOG("spelling %zu", i);
		}
		EXPECT_EQ(3, as_user(USER1, GROUP1, count_entries, d));
		EXPECT_EQ(4, as_user(USER2, GROUP2, count_entries, d));
	}
	EXPECT_STREQ("secret", text_of(in(self->fs, "d/disk.key")));
	EXPECT_STREQ("file", text_of(in(self->fs, "d/file")));

	/* Who hides the name hides it from those who would make it, too */
	ASSERT_EQ(0, RES(unlink(in(self->fs, "d/disk.key"))));
	for (size_t i = 0; i < OTHER_NAME; i++) {
		s.name = spellings[i];
		EXPECT_EQ(0, as_user(USER1, GROUP1, try_spelling, &s)) TH_LOG("spelling %zu", i);
	}
	/* What does not fold to it is none of its spellings */
	EXPECT_EQ(0, make_file(in(d, "%s", spellings[OTHER_NAME]), "x", 0666));
	EXPECT_EQ(0, user_stat(USER1, in(d, "%s", spellings[OTHER_NAME])));
	/* Where nothing is folded, a name is a name */
	ASSERT_EQ(0, make_file(in(self->fs, "plain/Disk.key"), "x", 0666));
	EXPECT_EQ(0, user_stat(USER1, in(self->mnt, "plain/Disk.key")));
}

/* Rules about names as they are given would hold for one spelling: nothing passes. */
TEST_F(fold, filters_that_do_not_know)
{
	const char *mnt = self->mnt;

	ASSERT_EQ(0, scripted_load(&self->filter, false, NULL));
	ASSERT_EQ(0, filter_attach(&self->filter, self->dir, 0, 0));
	for (size_t i = 0; i < ARRAY_SIZE(spellings); i++)
		EXPECT_EQ(-EOPNOTSUPP, RES(access(in(mnt, "d/%s", spellings[i]), F_OK)));
	EXPECT_EQ(-EOPNOTSUPP, RES(access(in(mnt, "d/none"), F_OK)));
	EXPECT_EQ(-EOPNOTSUPP, RES(mkdir(in(mnt, "d/new"), 0755)));
	/* dirent is asked about names, too */
	EXPECT_EQ(2, count_entries((void *)in(mnt, "d")));
	EXPECT_EQ(0, scripted_seen(&self->filter, FUSE_FILTER_OP_DIRENT).calls);
	EXPECT_EQ(0, RES(access(in(mnt, "plain"), F_OK)));
	ASSERT_EQ(0, filter_detach(&self->filter));
	EXPECT_EQ(0, RES(access(in(mnt, "d/disk.key"), F_OK)));
}

TEST_F(fold, what_filters_are_told)
{
	struct recorder_seen seen;
	char d[64];

	strcpy(d, in(self->mnt, "d"));
	ASSERT_EQ(0, recorder_load(&self->filter, "folded", false, NULL));
	ASSERT_EQ(0, filter_attach(&self->filter, self->dir, 0, 0));
	EXPECT_EQ(0, RES(access(in(d, "DISK" ZERO_WIDTH ".Key"), F_OK)));
	seen = recorder_seen(&self->filter, RECORDER_PRE(FUSE_LOOKUP));
	EXPECT_STREQ("disk.key", seen.name);
	EXPECT_EQ(8, seen.ctx.name_len);

	ASSERT_EQ(0, RES(rename(in(d, "FILE"), in(d, "NeW"))));
	seen = recorder_seen(&self->filter, RECORDER_PRE(FUSE_RENAME2));
	EXPECT_STREQ("file", seen.name);
	EXPECT_STREQ("new", seen.newname);
	EXPECT_EQ(3, seen.ctx.newname_len);
	/* Only the name that is in such a directory */
	ASSERT_EQ(0, RES(rename(in(d, "nEw"), in(self->mnt, "plain/NeW"))));
	seen = recorder_seen(&self->filter, RECORDER_PRE(FUSE_RENAME2));
	EXPECT_STREQ("new", seen.name);
	EXPECT_STREQ("NeW", seen.newname);
	ASSERT_EQ(0, RES(rename(in(self->mnt, "plain/NeW"), in(d, "BACK"))));
	seen = recorder_seen(&self->filter, RECORDER_PRE(FUSE_RENAME2));
	EXPECT_STREQ("NeW", seen.name);
	EXPECT_STREQ("back", seen.newname);

	/* What is no text is compared as it is */
	ASSERT_EQ(0, make_file(in(d, "X\xff"), "x", 0644));
	seen = recorder_seen(&self->filter, RECORDER_PRE(FUSE_LOOKUP));
	EXPECT_STREQ("X\xff", seen.name);
}

/* A name that fits may fold to one that does not. */
TEST_F(fold, names_that_grow)
{
	const char *d = in(self->mnt, "d");
	char name[NAME_MAX + 1] = "";

	for (int i = 0; i < NAME_MAX / 2; i++)
		strcat(name, I_DOT);
	ASSERT_EQ(0, make_file(in(d, "%s", name), "x", 0644));
	EXPECT_EQ(0, RES(access(in(d, "%s", name), F_OK)));
	ASSERT_EQ(0, load_folded(&self->filter, self->dir));
	EXPECT_EQ(-ENAMETOOLONG, RES(access(in(d, "%s", name), F_OK)));
	EXPECT_EQ(0, RES(access(in(d, "file"), F_OK)));
}

TEST_HARNESS_MAIN
