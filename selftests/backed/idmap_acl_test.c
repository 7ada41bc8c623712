// SPDX-License-Identifier: GPL-2.0-only
/*
 * ACLs of a backing whose mount is idmapped: ids are what that mount makes of them, as
 * those of owners are, and nothing is gained by ids that it does not map. All is
 * compared with the idmapped mount itself.
 */
#include <fcntl.h>
#include <sys/mount.h>

#include "acl.h"
#include "backed_fixture.h"
#include "harness.h"
#include "idmap.h"

/* Id 0 on the disk is seen as SHIFT, and so on; what is below is nobody there */
#define SHIFT		1000
#define NR_IDS		65536
#define ON_DISK(id)	((id) - SHIFT)
#define NO_ID		(SHIFT - 1)
/* On the disk, and nobody for the mount */
#define UNSEEN_ID	(NR_IDS + 1)

FIXTURE(idmap_acl)
{
	struct backed b;
	char seen[64];
};

FIXTURE_VARIANT(idmap_acl)
{
	const char *fs;
};

FIXTURE_VARIANT_ADD(idmap_acl, tmpfs) { .fs = "tmpfs" };
FIXTURE_VARIANT_ADD(idmap_acl, ext4) { .fs = "ext4" };

FIXTURE_SETUP(idmap_acl)
{
	struct backed *b = &self->b;
	int tree;

	ASSERT_EQ(0, backed_make(b, variant->fs));
	strcpy(self->seen, in(b->top, "seen"));
	ASSERT_EQ(0, make_dir(self->seen, 0755));
	ASSERT_EQ(0, make_dir(in(b->back, "dir"), 0755));
	ASSERT_EQ(0, chown(in(b->back, "dir"), ON_DISK(USER1), ON_DISK(GROUP1)));
	ASSERT_EQ(0, make_file(in(b->back, "file"), "text", 0640));
	ASSERT_EQ(0, chown(in(b->back, "file"), ON_DISK(USER1), ON_DISK(GROUP1)));
	ASSERT_EQ(0, make_file(in(b->back, "file2"), "text", 0640));
	ASSERT_EQ(0, chown(in(b->back, "file2"), ON_DISK(USER1), ON_DISK(GROUP1)));

	tree = idmapped_tree(b->back, 0, SHIFT, NR_IDS);
	ASSERT_LE(0, tree);
	ASSERT_EQ(0, RES(move_mount(tree, "", AT_FDCWD, self->seen, MOVE_MOUNT_F_EMPTY_PATH)));
	ASSERT_EQ(0, try_mount(TRY_MOUNT(.backing = tree, .daemonless = true,
					 .allow_other = true, .at = b->mnt)));
	close(tree);
	b->mounted = true;
	b->dev = -1;
}

FIXTURE_TEARDOWN(idmap_acl)
{
	EXPECT_EQ(0, backed_umount(&self->b));
	EXPECT_EQ(0, RES(umount(self->seen)));
	EXPECT_EQ(0, backed_destroy(&self->b));
}

/* An ACL that lets a user and a group by name read */
#define NAMED(user, group)				\
{							\
	{ ACL_USER_OBJ, 6, ACL_UNDEFINED_ID },		\
	{ ACL_USER, 4, user },				\
	{ ACL_GROUP_OBJ, 0, ACL_UNDEFINED_ID },		\
	{ ACL_GROUP, 4, group },			\
	{ ACL_MASK, 4, ACL_UNDEFINED_ID },		\
	{ ACL_OTHER, 0, ACL_UNDEFINED_ID },		\
}
#define NR_NAMED 6

struct set_as {
	const char *path;
	const char *name;
	struct posix_acl_xattr_entry entries[NR_NAMED];
};

static int do_set(void *arg)
{
	const struct set_as *set = arg;

	return acl_set(set->path, set->name, set->entries, NR_NAMED);
}

static int set_named(const char *path, const char *name, unsigned int user, unsigned int group)
{
	struct set_as set = { path, name, NAMED(user, group) };

	return do_set(&set);
}

static int set_named_as(uid_t uid, const char *path, unsigned int user, unsigned int group)
{
	struct set_as set = { path, ACL_ACCESS, NAMED(user, group) };

	return as_user(uid, uid, do_set, &set);
}

/* Is it the same ACL? Says if not. */
static bool same_acl(const char *a, const char *b, const char *name)
{
	struct acl acl_a, acl_b;
	int nr_a = acl_get(a, name, &acl_a), nr_b = acl_get(b, name, &acl_b);

	if (nr_a == nr_b && !memcmp(&acl_a, &acl_b, sizeof(acl_a)))
		return true;
	say("%s and %s differ in %s: %d, %d", a, b, name, nr_a, nr_b);
	return false;
}

TEST_F(idmap_acl, is_seen_with_mapped_ids)
{
	const char *back = in(self->b.back, "file"), *mnt = in(self->b.mnt, "file");

	EXPECT_EQ(-ENODATA, acl_id(mnt, ACL_ACCESS, ACL_USER));
	ASSERT_EQ(0, set_named(back, ACL_ACCESS, ON_DISK(USER2), ON_DISK(GROUP2)));
	EXPECT_EQ(USER2, acl_id(mnt, ACL_ACCESS, ACL_USER));
	EXPECT_EQ(GROUP2, acl_id(mnt, ACL_ACCESS, ACL_GROUP));
	EXPECT_TRUE(same_acl(in(self->seen, "file"), mnt, ACL_ACCESS));
	EXPECT_EQ(0, diff_stat(in(self->seen, "file"), mnt));
	/* What the file system has cached is as it was */
	EXPECT_EQ(ON_DISK(USER2), acl_id(back, ACL_ACCESS, ACL_USER));
	EXPECT_EQ(ON_DISK(GROUP2), acl_id(back, ACL_ACCESS, ACL_GROUP));
}

TEST_F(idmap_acl, is_set_and_removed)
{
	const char *back = in(self->b.back, "file"), *mnt = in(self->b.mnt, "file");

	ASSERT_EQ(0, set_named(mnt, ACL_ACCESS, USER2, GROUP2));
	EXPECT_EQ(ON_DISK(USER2), acl_id(back, ACL_ACCESS, ACL_USER));
	EXPECT_EQ(ON_DISK(GROUP2), acl_id(back, ACL_ACCESS, ACL_GROUP));
	EXPECT_EQ(USER2, acl_id(mnt, ACL_ACCESS, ACL_USER));
	EXPECT_EQ(GROUP2, acl_id(mnt, ACL_ACCESS, ACL_GROUP));
	EXPECT_EQ(0, diff_stat(in(self->seen, "file"), mnt));

	EXPECT_EQ(0, RES(removexattr(mnt, ACL_ACCESS)));
	EXPECT_EQ(-ENODATA, acl_id(back, ACL_ACCESS, ACL_USER));
	EXPECT_EQ(-ENODATA, acl_id(mnt, ACL_ACCESS, ACL_USER));
}

TEST_F(idmap_acl, is_the_owners_to_set)
{
	const char *back = in(self->b.back, "file"), *mnt = in(self->b.mnt, "file");

	EXPECT_EQ(-EPERM, set_named_as(USER2, mnt, USER2, GROUP2));
	/* Who owns it by the id on the disk is somebody else here */
	EXPECT_EQ(-EPERM, set_named_as(ON_DISK(USER1), mnt, USER2, GROUP2));
	EXPECT_EQ(-ENODATA, acl_id(back, ACL_ACCESS, ACL_USER));
	EXPECT_EQ(0, set_named_as(USER1, mnt, USER2, GROUP2));
	EXPECT_EQ(ON_DISK(USER2), acl_id(back, ACL_ACCESS, ACL_USER));
}

static int open_read(void *path)
{
	int fd = RES(open(path, O_RDONLY | O_CLOEXEC));

	return fd < 0 ? fd : RES(close(fd));
}

TEST_F(idmap_acl, decides_for_those_it_names)
{
	const char *mnt = in(self->b.mnt, "file");

	EXPECT_EQ(-EACCES, user_open(USER2, mnt, O_RDONLY));
	ASSERT_EQ(0, set_named(mnt, ACL_ACCESS, USER2, GROUP2));
	EXPECT_EQ(0, user_open(USER2, mnt, O_RDONLY));
	EXPECT_EQ(-EACCES, user_open(USER2, mnt, O_WRONLY));
	EXPECT_EQ(0, user_access(USER2, mnt, R_OK));
	EXPECT_EQ(0, user_open(USER1, mnt, O_RDWR));
	EXPECT_EQ(-EACCES, user_open(ON_DISK(USER2), mnt, O_RDONLY));
	EXPECT_EQ(-EACCES, user_open(USER2 + 1, mnt, O_RDONLY));
	EXPECT_EQ(0, as_user(USER2 + 1, GROUP2, open_read, mnt));
	EXPECT_EQ(-EACCES, as_user(USER2 + 1, ON_DISK(GROUP2), open_read, mnt));
	ASSERT_EQ(0, RES(removexattr(mnt, ACL_ACCESS)));
	EXPECT_EQ(-EACCES, user_open(USER2, mnt, O_RDONLY));
}

/* Make a file and a directory in one that has a default ACL. */
static int do_make(void *dir)
{
	umask(027);
	return make_dir(in(dir, "dir"), 0777) ?:
	       RES(close(open(in(dir, "file"), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666)));
}

TEST_F(idmap_acl, is_inherited)
{
	char mnt[64], seen[96];

	strcpy(mnt, in(self->b.mnt, "dir"));
	strcpy(seen, in(self->seen, "native"));
	ASSERT_EQ(0, make_dir(in(self->b.back, "native"), 0755));
	ASSERT_EQ(0, chown(in(self->b.back, "native"), ON_DISK(USER1), ON_DISK(GROUP1)));
	ASSERT_EQ(0, set_named(mnt, ACL_DEFAULT, USER2, GROUP2));
	ASSERT_EQ(0, set_named(seen, ACL_DEFAULT, USER2, GROUP2));
	EXPECT_EQ(ON_DISK(USER2), acl_id(in(self->b.back, "dir"), ACL_DEFAULT, ACL_USER));
	EXPECT_EQ(USER2, acl_id(mnt, ACL_DEFAULT, ACL_USER));

	ASSERT_EQ(0, as_user(USER1, GROUP1, do_make, mnt));
	ASSERT_EQ(0, as_user(USER1, GROUP1, do_make, seen));
	EXPECT_EQ(ON_DISK(USER2), acl_id(in(self->b.back, "dir/file"), ACL_ACCESS, ACL_USER));
	EXPECT_EQ(ON_DISK(USER2), acl_id(in(self->b.back, "dir/dir"), ACL_DEFAULT, ACL_USER));
	EXPECT_TRUE(same_acl(in(seen, "file"), in(mnt, "file"), ACL_ACCESS));
	EXPECT_TRUE(same_acl(in(seen, "dir"), in(mnt, "dir"), ACL_ACCESS));
	EXPECT_TRUE(same_acl(in(seen, "dir"), in(mnt, "dir"), ACL_DEFAULT));
	EXPECT_EQ(0, user_open(USER2, in(mnt, "file"), O_RDONLY));
	EXPECT_EQ(-EACCES, user_open(USER2 + 1, in(mnt, "file"), O_RDONLY));
}

/* An id that the mount does not map cannot be stored, as it would become another. */
TEST_F(idmap_acl, of_ids_that_are_not_mapped_is_refused)
{
	const char *back = in(self->b.back, "file"), *mnt = in(self->b.mnt, "file");
	const char *seen = in(self->seen, "file2");

	EXPECT_EQ(-EINVAL, set_named(seen, ACL_ACCESS, NO_ID, GROUP2));
	EXPECT_EQ(-EINVAL, set_named(mnt, ACL_ACCESS, NO_ID, GROUP2));
	EXPECT_EQ(-EINVAL, set_named(mnt, ACL_ACCESS, 0, GROUP2));
	EXPECT_EQ(-EINVAL, set_named(mnt, ACL_ACCESS, SHIFT + NR_IDS, GROUP2));
	EXPECT_EQ(-EINVAL, set_named(mnt, ACL_ACCESS, USER2, NO_ID));
	EXPECT_EQ(-EINVAL, set_named(mnt, ACL_ACCESS, ACL_UNDEFINED_ID, GROUP2));
	EXPECT_EQ(-EINVAL, set_named_as(USER1, mnt, NO_ID, GROUP2));
	EXPECT_EQ(-ENODATA, acl_id(back, ACL_ACCESS, ACL_USER));
	/* The first and the last that are */
	EXPECT_EQ(0, set_named(mnt, ACL_ACCESS, SHIFT, GROUP2));
	EXPECT_EQ(0, set_named(mnt, ACL_ACCESS, SHIFT + NR_IDS - 1, GROUP2));
	EXPECT_EQ(NR_IDS - 1, acl_id(back, ACL_ACCESS, ACL_USER));
}

/* Who is nobody for the mount is not told, and gets nothing. */
TEST_F(idmap_acl, of_ids_that_are_not_seen_is_about_nobody)
{
	const char *back = in(self->b.back, "file"), *mnt = in(self->b.mnt, "file");

	ASSERT_EQ(0, set_named(back, ACL_ACCESS, UNSEEN_ID, UNSEEN_ID));
	EXPECT_EQ(ACL_NOBODY, acl_id(mnt, ACL_ACCESS, ACL_USER));
	EXPECT_EQ(ACL_NOBODY, acl_id(mnt, ACL_ACCESS, ACL_GROUP));
	EXPECT_TRUE(same_acl(in(self->seen, "file"), mnt, ACL_ACCESS));
	EXPECT_EQ(-EACCES, user_open(UNSEEN_ID, mnt, O_RDONLY));
	EXPECT_EQ(-EACCES, user_open(UNSEEN_ID + SHIFT, mnt, O_RDONLY));
	EXPECT_EQ(-EACCES, user_open(65534, mnt, O_RDONLY));

	/* A file of nobody's */
	ASSERT_EQ(0, RES(removexattr(back, ACL_ACCESS)));
	ASSERT_EQ(0, chown(back, UNSEEN_ID, UNSEEN_ID));
	EXPECT_EQ(-EPERM, set_named(in(self->seen, "file"), ACL_ACCESS, USER2, GROUP2));
	EXPECT_EQ(-EPERM, set_named(mnt, ACL_ACCESS, USER2, GROUP2));
	EXPECT_EQ(-EPERM, RES(removexattr(mnt, ACL_ACCESS)));
}

/* Who is not in the file's group loses S_ISGID by setting an ACL. */
TEST_F(idmap_acl, takes_the_set_group_id_bit)
{
	const char *mnt = in(self->b.mnt, "file"), *seen = in(self->seen, "file2");
	struct stat st;

	ASSERT_EQ(0, chmod(mnt, 02750));
	ASSERT_EQ(0, chmod(seen, 02750));
	EXPECT_EQ(0, set_named_as(USER1, mnt, USER2, GROUP2));
	EXPECT_EQ(0, set_named_as(USER1, seen, USER2, GROUP2));
	ASSERT_EQ(0, stat(mnt, &st));
	EXPECT_EQ(0640, st.st_mode & 07777);
	EXPECT_TRUE(same_acl(seen, mnt, ACL_ACCESS));
	EXPECT_EQ(0, stat(seen, &st));
	EXPECT_EQ(0640, st.st_mode & 07777);

	ASSERT_EQ(0, chmod(mnt, 02750));
	EXPECT_EQ(0, set_named(mnt, ACL_ACCESS, USER2, GROUP2));
	ASSERT_EQ(0, stat(mnt, &st));
	EXPECT_EQ(02640, st.st_mode & 07777);
}

/* An overlay checks permission by itself, from what we tell it. */
TEST_F(idmap_acl, holds_for_an_overlay_above)
{
	const char *top = self->b.top;

	ASSERT_EQ(0, set_named(in(self->b.back, "file"), ACL_ACCESS, ON_DISK(USER2),
			       ON_DISK(GROUP2)));
	ASSERT_EQ(0, sh("cd %s && mkdir lower over && "
			"mount -t overlay -o lowerdir=%s:lower o over", top, self->b.mnt));
	EXPECT_TRUE(same_acl(in(self->seen, "file"), in(top, "over/file"), ACL_ACCESS));
	EXPECT_EQ(0, user_open(USER2, in(top, "over/file"), O_RDONLY));
	EXPECT_EQ(-EACCES, user_open(ON_DISK(USER2), in(top, "over/file"), O_RDONLY));
	EXPECT_EQ(-EACCES, user_open(USER2 + 1, in(top, "over/file"), O_RDONLY));
	EXPECT_EQ(0, RES(umount(in(top, "over"))));
}

TEST_HARNESS_MAIN
