// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mounts in the tree of the backing are not crossed: what lies below a mount point is
 * seen, never what is mounted there, whenever it was mounted.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>

#include "backed_fixture.h"
#include "harness.h"

FIXTURE(submount)
{
	struct backed b;
	char point[64];
	char seen[64];
	char file[64];
};

FIXTURE_SETUP(submount)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, backed_make(b, "tmpfs"));
	strcpy(self->point, in(b->back, "point"));
	strcpy(self->seen, in(b->mnt, "point"));
	strcpy(self->file, in(b->back, "file"));
	ASSERT_EQ(0, make_dir(self->point, 0755));
	ASSERT_EQ(0, make_file(in(self->point, "under"), "under", 0644));
	ASSERT_EQ(0, make_file(self->file, "text", 0644));
	ASSERT_EQ(0, make_file(in(b->top, "other"), "other", 0600));
}

FIXTURE_TEARDOWN(submount)
{
	umount2(self->point, MNT_DETACH);
	umount2(self->file, MNT_DETACH);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

static int cover_dir(const char *point)
{
	return RES(mount("over", point, "tmpfs", 0, "mode=0700")) ?:
	       make_file(in(point, "over"), "over", 0644);
}

static int cover_file(const struct backed *b, const char *file)
{
	return RES(mount(in(b->top, "other"), file, NULL, MS_BIND, NULL));
}

/* Is this name listed, and is all else that is expected missing? */
static bool lists_only(const char *path, const char *name)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int found = 0;

	if (!dir)
		return false;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			found += strcmp(entry->d_name, name) ? 2 : 1;
	}
	closedir(dir);
	return found == 1;
}

/* The mount is seen by its own path, so that what follows is no accident. */
#define EXPECT_COVERED_DIR()							\
do {										\
	EXPECT_STREQ("over", text_of(in(self->point, "over")));			\
	EXPECT_STREQ("<ENOENT>", text_of(in(self->seen, "over")));		\
	EXPECT_STREQ("under", text_of(in(self->seen, "under")));		\
	EXPECT_TRUE(lists_only(self->seen, "under"));				\
} while (0)

TEST_F(submount, directory_covered_before)
{
	struct backed *b = &self->b;
	struct stat st;

	ASSERT_EQ(0, cover_dir(self->point));
	ASSERT_EQ(0, backed_mount(b, BACKED_ALLOW_OTHER));
	EXPECT_COVERED_DIR();
	ASSERT_EQ(0, stat(self->seen, &st));
	EXPECT_EQ(0755, st.st_mode & 07777);
	/* By whose permissions others get in, too */
	EXPECT_EQ(-EACCES, user_stat(USER1, in(self->point, "over")));
	EXPECT_EQ(0, user_stat(USER1, in(self->seen, "under")));
}

TEST_F(submount, directory_covered_before_its_lookup)
{
	ASSERT_EQ(0, backed_mount(&self->b, 0));
	ASSERT_EQ(0, cover_dir(self->point));
	EXPECT_COVERED_DIR();
}

TEST_F(submount, directory_covered_after_its_lookup)
{
	int fd;

	ASSERT_EQ(0, backed_mount(&self->b, 0));
	fd = open_dir(self->seen, 0);
	EXPECT_STREQ("under", text_of(in(self->seen, "under")));
	ASSERT_EQ(0, cover_dir(self->point));
	EXPECT_COVERED_DIR();
	EXPECT_EQ(-ENOENT, RES(faccessat(fd, "over", F_OK, 0)));
	EXPECT_EQ(0, RES(faccessat(fd, "under", F_OK, 0)));
	close(fd);

	EXPECT_EQ(0, RES(umount(self->point)));
	EXPECT_EQ(0, diff_tree(self->b.back, self->b.mnt));
}

TEST_F(submount, file_covered_before)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, cover_file(b, self->file));
	ASSERT_EQ(0, backed_mount(b, BACKED_ALLOW_OTHER));
	EXPECT_STREQ("other", text_of(self->file));
	EXPECT_STREQ("text", text_of(in(b->mnt, "file")));
	EXPECT_EQ(-EACCES, user_open(USER1, self->file, O_RDONLY));
	EXPECT_EQ(0, user_open(USER1, in(b->mnt, "file"), O_RDONLY));
}

TEST_F(submount, file_covered_after_its_lookup)
{
	struct backed *b = &self->b;
	char byte;
	int fd;

	ASSERT_EQ(0, backed_mount(b, 0));
	fd = open(in(b->mnt, "file"), O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, cover_file(b, self->file));
	EXPECT_STREQ("other", text_of(self->file));
	EXPECT_STREQ("text", text_of(in(b->mnt, "file")));
	EXPECT_EQ(1, RES(read(fd, &byte, 1)));
	EXPECT_EQ('t', byte);
	close(fd);
}

/* What is written goes below, and what is mounted is untouched. */
TEST_F(submount, changes_are_made_below)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, cover_dir(self->point));
	ASSERT_EQ(0, cover_file(b, self->file));
	ASSERT_EQ(0, backed_mount(b, 0));
	EXPECT_EQ(0, append_file(in(b->mnt, "file"), ", longer"));
	EXPECT_EQ(0, make_file(in(self->seen, "over"), "new", 0644));
	EXPECT_STREQ("other", text_of(self->file));
	EXPECT_STREQ("over", text_of(in(self->point, "over")));
	ASSERT_EQ(0, RES(umount(self->point)));
	ASSERT_EQ(0, RES(umount(self->file)));
	EXPECT_STREQ("text, longer", text_of(self->file));
	EXPECT_STREQ("new", text_of(in(self->point, "over")));
}

/* A mount point cannot be removed or moved, as on the backing itself. */
TEST_F(submount, mount_points_stay)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, RES(unlink(in(self->point, "under"))));
	ASSERT_EQ(0, cover_dir(self->point));
	ASSERT_EQ(0, cover_file(b, self->file));
	ASSERT_EQ(0, backed_mount(b, 0));
	EXPECT_EQ(-EBUSY, RES(rmdir(self->seen)));
	EXPECT_EQ(-EBUSY, RES(rename(self->seen, in(b->mnt, "moved"))));
	EXPECT_EQ(-EBUSY, RES(unlink(in(b->mnt, "file"))));
	EXPECT_EQ(-EBUSY, RES(rename(in(b->mnt, "file"), in(b->mnt, "moved"))));
	ASSERT_EQ(0, RES(umount(self->point)));
	ASSERT_EQ(0, RES(umount(self->file)));
	EXPECT_EQ(0, RES(rmdir(self->seen)));
	EXPECT_EQ(0, RES(unlink(in(b->mnt, "file"))));
}

TEST_HARNESS_MAIN
