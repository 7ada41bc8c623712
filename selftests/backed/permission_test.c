// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may do what: as on the backing, no more than whoever made the mount may, and
 * nothing at all for others if the mount does not say so.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "acl.h"
#include "backed_fixture.h"
#include "harness.h"
#include "idmap.h"

FIXTURE(permission)
{
	struct backed b;
};

FIXTURE_SETUP(permission)
{
	ASSERT_EQ(0, backed_setup(&self->b, "tmpfs", BACKED_ALLOW_OTHER));
}

FIXTURE_TEARDOWN(permission)
{
	EXPECT_EQ(0, backed_destroy(&self->b));
}

TEST_F(permission, private_file)
{
	const char *back = self->b.back, *mnt = self->b.mnt;

	ASSERT_EQ(0, make_file(in(back, "root"), "x", 0600));
	ASSERT_EQ(0, make_file(in(back, "mine"), "x", 0600));
	ASSERT_EQ(0, chown(in(back, "mine"), USER1, USER1));

	EXPECT_EQ(-EACCES, user_open(USER1, in(mnt, "root"), O_RDONLY));
	EXPECT_EQ(0, user_stat(USER1, in(mnt, "root")));
	EXPECT_EQ(0, user_open(USER1, in(mnt, "mine"), O_RDONLY));
	EXPECT_EQ(-EACCES, user_open(USER2, in(mnt, "mine"), O_RDONLY));
	EXPECT_EQ(0, user_open(0, in(mnt, "mine"), O_RDONLY));
	EXPECT_EQ(0, user_access(USER1, in(mnt, "mine"), R_OK));
	EXPECT_EQ(-EACCES, user_access(USER1, in(mnt, "mine"), X_OK));
	EXPECT_EQ(0, user_access(USER2, in(mnt, "mine"), F_OK));
	EXPECT_EQ(-EACCES, user_access(USER2, in(mnt, "mine"), R_OK));
}

TEST_F(permission, private_directory)
{
	const char *back = self->b.back, *mnt = self->b.mnt;

	ASSERT_EQ(0, make_dir(in(back, "dir"), 0700));
	ASSERT_EQ(0, make_file(in(back, "dir/file"), "x", 0666));
	ASSERT_EQ(0, make_dir(in(back, "through"), 0711));
	ASSERT_EQ(0, make_file(in(back, "through/file"), "x", 0666));
	ASSERT_EQ(0, make_dir(in(back, "names"), 0744));
	ASSERT_EQ(0, make_file(in(back, "names/file"), "x", 0666));

	EXPECT_EQ(-EACCES, user_stat(USER1, in(mnt, "dir/file")));
	EXPECT_EQ(-EACCES, user_stat(USER1, in(mnt, "dir/none")));
	EXPECT_EQ(-EACCES, user_open(USER1, in(mnt, "dir"), O_RDONLY | O_DIRECTORY));
	EXPECT_EQ(0, user_open(USER1, in(mnt, "through/file"), O_RDONLY));
	EXPECT_EQ(-EACCES, user_open(USER1, in(mnt, "through"), O_RDONLY | O_DIRECTORY));
	EXPECT_EQ(0, user_open(USER1, in(mnt, "names"), O_RDONLY | O_DIRECTORY));
	EXPECT_EQ(-EACCES, user_open(USER1, in(mnt, "names/file"), O_RDONLY));

	/* What root has made the caches hold changes nothing */
	ASSERT_EQ(0, user_open(0, in(mnt, "dir/file"), O_RDONLY));
	ASSERT_EQ(-ENOENT, user_stat(0, in(mnt, "dir/none")));
	EXPECT_EQ(-EACCES, user_stat(USER1, in(mnt, "dir/file")));
	EXPECT_EQ(-EACCES, user_stat(USER1, in(mnt, "dir/none")));
}

static int open_read(void *arg)
{
	return open(arg, O_RDONLY) < 0 ? -errno : 0;
}

TEST_F(permission, groups)
{
	const gid_t groups[] = { GROUP2, GROUP1 };
	char file[64];

	strcpy(file, in(self->b.mnt, "file"));
	ASSERT_EQ(0, make_file(in(self->b.back, "file"), "x", 0640));
	ASSERT_EQ(0, chown(in(self->b.back, "file"), 0, GROUP1));
	EXPECT_EQ(0, as_user(USER1, GROUP1, open_read, file));
	EXPECT_EQ(-EACCES, as_user(USER1, GROUP2, open_read, file));
	EXPECT_EQ(0, as_user_groups(USER1, USER1, groups, 2, open_read, file));
	/* The group has less than the others, and gets that */
	ASSERT_EQ(0, chmod(in(self->b.back, "file"), 0604));
	EXPECT_EQ(-EACCES, as_user(USER1, GROUP1, open_read, file));
	EXPECT_EQ(0, as_user(USER1, GROUP2, open_read, file));
}

/**
 * struct survey - compare what a user may do with files of all modes
 * @back: the files, named by mode
 * @mnt: likewise
 * @type: "d" or "f"
 */
struct survey {
	const char *back;
	const char *mnt;
	const char *type;
};

static int access_both(const struct survey *survey, int mode, int how)
{
	int native = RES(faccessat(AT_FDCWD, in(survey->back, "%s%o", survey->type, mode), how,
				   AT_EACCESS));
	int backed = RES(faccessat(AT_FDCWD, in(survey->mnt, "%s%o", survey->type, mode), how,
				   AT_EACCESS));

	if (native == backed)
		return 0;
	say("mode %o, access %d: %d on the backing, %d by the mount", mode, how, native, backed);
	return 1;
}

static int survey_modes(void *arg)
{
	int mode, how, bad = 0;

	for (mode = 0; mode < 01000; mode += 7) {
		for (how = 0; how < 8; how++) {
			/* Nobody can write here */
			if (!(how & W_OK))
				bad += access_both(arg, mode, how);
		}
	}
	return bad > 100 ? 100 : bad;
}

TEST_F(permission, all_modes)
{
	const struct survey files = { self->b.back, self->b.mnt, "f" };
	const struct survey dirs = { self->b.back, self->b.mnt, "d" };
	int mode;

	for (mode = 0; mode < 01000; mode += 7) {
		ASSERT_EQ(0, make_file(in(self->b.back, "f%o", mode), "x", mode));
		ASSERT_EQ(0, make_dir(in(self->b.back, "d%o", mode), mode));
		ASSERT_EQ(0, chown(in(self->b.back, "f%o", mode), USER1, GROUP1));
		ASSERT_EQ(0, chown(in(self->b.back, "d%o", mode), USER1, GROUP1));
	}
	EXPECT_EQ(0, as_user(0, 0, survey_modes, &files));
	EXPECT_EQ(0, as_user(USER1, USER1, survey_modes, &files));
	EXPECT_EQ(0, as_user(USER2, GROUP1, survey_modes, &files));
	EXPECT_EQ(0, as_user(USER2, GROUP2, survey_modes, &files));
	EXPECT_EQ(0, as_user(0, 0, survey_modes, &dirs));
	EXPECT_EQ(0, as_user(USER1, USER1, survey_modes, &dirs));
	EXPECT_EQ(0, as_user(USER2, GROUP1, survey_modes, &dirs));
	EXPECT_EQ(0, as_user(USER2, GROUP2, survey_modes, &dirs));
}

static const struct posix_acl_xattr_entry acl_deny[] = {
	{ ACL_USER_OBJ, 6, ACL_UNDEFINED_ID },
	{ ACL_USER, 0, USER1 },
	{ ACL_GROUP_OBJ, 4, ACL_UNDEFINED_ID },
	{ ACL_MASK, 4, ACL_UNDEFINED_ID },
	{ ACL_OTHER, 4, ACL_UNDEFINED_ID },
};

static const struct posix_acl_xattr_entry acl_allow[] = {
	{ ACL_USER_OBJ, 6, ACL_UNDEFINED_ID },
	{ ACL_USER, 4, USER1 },
	{ ACL_GROUP_OBJ, 0, ACL_UNDEFINED_ID },
	{ ACL_GROUP, 4, GROUP1 },
	{ ACL_MASK, 4, ACL_UNDEFINED_ID },
	{ ACL_OTHER, 0, ACL_UNDEFINED_ID },
};

static const struct posix_acl_xattr_entry acl_masked[] = {
	{ ACL_USER_OBJ, 6, ACL_UNDEFINED_ID },
	{ ACL_USER, 4, USER1 },
	{ ACL_GROUP_OBJ, 0, ACL_UNDEFINED_ID },
	{ ACL_MASK, 0, ACL_UNDEFINED_ID },
	{ ACL_OTHER, 0, ACL_UNDEFINED_ID },
};

TEST_F(permission, acl)
{
	const char *back = in(self->b.back, "file");
	char mnt[64];

	strcpy(mnt, in(self->b.mnt, "file"));
	ASSERT_EQ(0, make_file(back, "x", 0644));
	ASSERT_EQ(0, user_open(USER1, mnt, O_RDONLY));
	ASSERT_EQ(0, acl_set(back, ACL_ACCESS, acl_deny, ARRAY_SIZE(acl_deny)));
	EXPECT_EQ(-EACCES, user_open(USER1, mnt, O_RDONLY));
	EXPECT_EQ(0, user_open(USER2, mnt, O_RDONLY));
	EXPECT_EQ(-EACCES, user_access(USER1, mnt, R_OK));

	ASSERT_EQ(0, acl_set(back, ACL_ACCESS, acl_allow, ARRAY_SIZE(acl_allow)));
	EXPECT_EQ(0, user_open(USER1, mnt, O_RDONLY));
	EXPECT_EQ(-EACCES, user_open(USER2, mnt, O_RDONLY));
	EXPECT_EQ(0, as_user(USER2, GROUP1, open_read, mnt));
	EXPECT_EQ(-EACCES, as_user(USER2, GROUP2, open_read, mnt));

	ASSERT_EQ(0, acl_set(back, ACL_ACCESS, acl_masked, ARRAY_SIZE(acl_masked)));
	EXPECT_EQ(-EACCES, user_open(USER1, mnt, O_RDONLY));
	ASSERT_EQ(0, removexattr(back, "system.posix_acl_access"));
	ASSERT_EQ(0, chmod(back, 0644));
	EXPECT_EQ(0, user_open(USER1, mnt, O_RDONLY));
	EXPECT_EQ(0, diff_stat(back, mnt));
}

TEST_F(permission, acl_of_a_directory)
{
	const struct posix_acl_xattr_entry deny[] = {
		{ ACL_USER_OBJ, 7, ACL_UNDEFINED_ID },
		{ ACL_USER, 0, USER1 },
		{ ACL_GROUP_OBJ, 5, ACL_UNDEFINED_ID },
		{ ACL_MASK, 7, ACL_UNDEFINED_ID },
		{ ACL_OTHER, 5, ACL_UNDEFINED_ID },
	};

	ASSERT_EQ(0, make_dir(in(self->b.back, "dir"), 0755));
	ASSERT_EQ(0, make_file(in(self->b.back, "dir/file"), "x", 0644));
	ASSERT_EQ(0, user_stat(USER1, in(self->b.mnt, "dir/file")));
	ASSERT_EQ(0, acl_set(in(self->b.back, "dir"), ACL_ACCESS, deny, ARRAY_SIZE(deny)));
	EXPECT_EQ(-EACCES, user_stat(USER1, in(self->b.mnt, "dir/file")));
	EXPECT_EQ(-EACCES, user_open(USER1, in(self->b.mnt, "dir"), O_RDONLY));
	EXPECT_EQ(0, user_stat(USER2, in(self->b.mnt, "dir/file")));
}

TEST_F(permission, changes_count_at_once)
{
	const char *back = self->b.back, *mnt = self->b.mnt;

	ASSERT_EQ(0, make_dir(in(back, "dir"), 0755));
	ASSERT_EQ(0, make_file(in(back, "dir/file"), "x", 0644));
	ASSERT_EQ(0, user_open(USER1, in(mnt, "dir/file"), O_RDONLY));
	ASSERT_EQ(0, chmod(in(back, "dir/file"), 0600));
	EXPECT_EQ(-EACCES, user_open(USER1, in(mnt, "dir/file"), O_RDONLY));
	ASSERT_EQ(0, chown(in(back, "dir/file"), USER1, -1));
	EXPECT_EQ(0, user_open(USER1, in(mnt, "dir/file"), O_RDONLY));
	ASSERT_EQ(0, chmod(in(back, "dir"), 0700));
	EXPECT_EQ(-EACCES, user_open(USER1, in(mnt, "dir/file"), O_RDONLY));
	ASSERT_EQ(0, chmod(in(back, "dir"), 0755));
	EXPECT_EQ(0, user_open(USER1, in(mnt, "dir/file"), O_RDONLY));
	ASSERT_EQ(0, chmod(back, 0700));
	EXPECT_EQ(-EACCES, user_stat(USER1, in(mnt, "dir/file")));
}

static int real_and_effective(void *arg)
{
	if (setresuid(USER1, 0, 0))
		return 1;
	if (access(arg, R_OK) != -1 || errno != EACCES)
		return 2;
	return faccessat(AT_FDCWD, arg, R_OK, AT_EACCESS) ? 3 : 0;
}

static int unlink_arg(void *path)
{
	return RES(unlink(path));
}

TEST_F(permission, sticky_directory_goes_by_the_owner_of_now)
{
	const char *back = self->b.back, *mnt = self->b.mnt;

	ASSERT_EQ(0, make_dir(in(back, "sticky"), 01777));
	ASSERT_EQ(0, chmod(in(back, "sticky"), 01777));
	ASSERT_EQ(0, make_file(in(back, "sticky/file"), "x", 0666));
	/* Known to the kernel as root's, and then given away on the backing */
	EXPECT_EQ(0, user_stat(USER1, in(mnt, "sticky/file")));
	EXPECT_EQ(-EPERM, as_user(USER1, USER1, unlink_arg, in(mnt, "sticky/file")));
	ASSERT_EQ(0, chown(in(back, "sticky/file"), USER1, USER1));
	EXPECT_EQ(-EPERM, as_user(USER2, USER2, unlink_arg, in(mnt, "sticky/file")));
	EXPECT_EQ(0, as_user(USER1, USER1, unlink_arg, in(mnt, "sticky/file")));
}

static int leave_whiteout(void *arg)
{
	return RES(renameat2(AT_FDCWD, in(arg, "from"), AT_FDCWD, in(arg, "to"),
			     RENAME_WHITEOUT));
}

TEST_F(permission, whiteouts_belong_to_the_caller)
{
	struct stat st;

	ASSERT_EQ(0, chmod(self->b.back, 0777));
	ASSERT_EQ(0, make_file(in(self->b.back, "from"), "x", 0644));
	ASSERT_EQ(0, as_user(USER1, GROUP1, leave_whiteout, self->b.mnt));
	ASSERT_EQ(0, lstat(in(self->b.back, "from"), &st));
	EXPECT_EQ(S_IFCHR, st.st_mode & S_IFMT);
	EXPECT_EQ(USER1, st.st_uid);
	EXPECT_EQ(GROUP1, st.st_gid);
	/* What was renamed has its owner still */
	ASSERT_EQ(0, lstat(in(self->b.back, "to"), &st));
	EXPECT_EQ(0, st.st_uid);
	EXPECT_EQ(0, diff_stat(in(self->b.back, "from"), in(self->b.mnt, "from")));
}

TEST_F(permission, access_is_about_the_real_user)
{
	ASSERT_EQ(0, make_file(in(self->b.back, "file"), "x", 0600));
	EXPECT_EQ(0, in_child(real_and_effective, in(self->b.mnt, "file")));
}

static int exec_it(void *arg)
{
	execl(arg, arg, "id", "-u", NULL);
	return -errno;
}

TEST_F(permission, exec)
{
	const char *back = self->b.back, *mnt = self->b.mnt;

	ASSERT_EQ(0, sh("cp /bin/busybox %s", back));
	ASSERT_EQ(0, chmod(in(back, "busybox"), 0744));
	EXPECT_EQ(-EACCES, as_user(USER1, USER1, exec_it, in(mnt, "busybox")));
	ASSERT_EQ(0, chmod(in(back, "busybox"), 0644));
	EXPECT_EQ(-EACCES, as_user(0, 0, exec_it, in(mnt, "busybox")));
	/* Only executable, not readable: fine */
	ASSERT_EQ(0, chmod(in(back, "busybox"), 0711));
	EXPECT_EQ(0, as_user(USER1, USER1, exec_it, in(mnt, "busybox")));
}

/* A program that asks as its effective user */
static int may_read_shadow(void *arg)
{
	execl(arg, arg, "-r", "/etc/shadow", NULL);
	return -errno;
}

TEST_F(permission, setuid_follows_the_mounts_flags)
{
	struct backed *b = &self->b;
	char mnt[64];

	strcpy(mnt, in(b->mnt, "test"));
	ASSERT_EQ(0, sh("cp /usr/bin/test %s && chmod 4755 %s/test", b->back, b->back));
	ASSERT_EQ(0, as_user(USER1, USER1, may_read_shadow, in(b->back, "test")));
	EXPECT_EQ(0, as_user(USER1, USER1, may_read_shadow, mnt));
	ASSERT_EQ(0, mount(NULL, b->mnt, NULL, MS_REMOUNT | MS_BIND | MS_NOSUID, NULL));
	EXPECT_EQ(1, as_user(USER1, USER1, may_read_shadow, mnt));
	ASSERT_EQ(0, mount(NULL, b->mnt, NULL, MS_REMOUNT | MS_BIND | MS_NOEXEC, NULL));
	EXPECT_EQ(-EACCES, as_user(USER1, USER1, may_read_shadow, mnt));
	/* What was set when the inode was made is not worth more than what is set now */
	ASSERT_EQ(0, mount(NULL, b->mnt, NULL, MS_REMOUNT | MS_BIND, NULL));
	EXPECT_EQ(0, as_user(USER1, USER1, may_read_shadow, mnt));
	ASSERT_EQ(0, chmod(in(b->back, "test"), 0755));
	EXPECT_EQ(1, as_user(USER1, USER1, may_read_shadow, mnt));
}

TEST_F(permission, nodev_follows_the_mounts_flags)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, mknod(in(b->back, "null"), S_IFCHR | 0666, makedev(1, 3)));
	EXPECT_EQ(0, user_open(USER1, in(b->mnt, "null"), O_RDONLY));
	ASSERT_EQ(0, mount(NULL, b->mnt, NULL, MS_REMOUNT | MS_BIND | MS_NODEV, NULL));
	EXPECT_EQ(-EACCES, user_open(0, in(b->mnt, "null"), O_RDONLY));
}

/* Without any of root's privileges but the one that it takes to mount. */
static int drop_to_sys_admin(void)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct caps[2] = {
		{ 1u << CAP_SYS_ADMIN, 1u << CAP_SYS_ADMIN, 0 },
	};

	if (prctl(PR_SET_KEEPCAPS, 1) || setresgid(USER2, USER2, USER2) ||
	    setresuid(USER2, USER2, USER2))
		return -errno;
	return RES(syscall(SYS_capset, &head, caps));
}

static int mount_as_user2(void *arg)
{
	const struct backed *b = arg;
	int err = drop_to_sys_admin();

	return err ? err : try_mount(TRY_MOUNT(.backing = open_dir(b->back, O_PATH),
					       .daemonless = true, .allow_other = true,
					       .at = in(b->top, "mnt2")));
}

static int list_dir(void *arg)
{
	DIR *d = opendir(arg);

	if (!d)
		return -errno;
	closedir(d);
	return 0;
}

TEST_F(permission, no_more_than_who_made_the_mount)
{
	const char *back = self->b.back;
	char mnt[64];

	strcpy(mnt, in(self->b.top, "mnt2"));
	ASSERT_EQ(0, make_dir(mnt, 0777));
	ASSERT_EQ(0, make_file(in(back, "root"), "x", 0600));
	ASSERT_EQ(0, make_file(in(back, "user1"), "x", 0600));
	ASSERT_EQ(0, chown(in(back, "user1"), USER1, USER1));
	ASSERT_EQ(0, make_file(in(back, "all"), "x", 0644));
	ASSERT_EQ(0, make_dir(in(back, "dir"), 0700));
	ASSERT_EQ(0, make_file(in(back, "dir/file"), "x", 0644));
	ASSERT_EQ(0, in_child(mount_as_user2, &self->b));

	EXPECT_EQ(0, user_open(0, in(mnt, "all"), O_RDONLY));
	EXPECT_EQ(0, user_open(USER1, in(mnt, "all"), O_RDONLY));
	EXPECT_EQ(-EACCES, user_open(0, in(mnt, "root"), O_RDONLY));
	EXPECT_EQ(-EACCES, user_open(USER1, in(mnt, "user1"), O_RDONLY));
	EXPECT_EQ(-EACCES, user_stat(0, in(mnt, "dir/file")));
	EXPECT_EQ(-EACCES, as_user(0, 0, list_dir, in(mnt, "dir")));
	EXPECT_EQ(0, umount(mnt));
}

/* Owners are what the backing's mount says they are, not what the disk says. */
TEST_F(permission, idmapped_backing)
{
	const char *back = self->b.back;
	char mnt[64], seen[64];
	int tree;

	strcpy(mnt, in(self->b.top, "mnt2"));
	strcpy(seen, in(self->b.top, "seen"));
	ASSERT_EQ(0, make_dir(mnt, 0755));
	ASSERT_EQ(0, make_dir(seen, 0755));
	ASSERT_EQ(0, make_file(in(back, "file"), "x", 0600));
	ASSERT_EQ(0, make_dir(in(back, "dir"), 0700));
	ASSERT_EQ(0, make_file(in(back, "dir/file"), "x", 0600));

	/* Root on the disk is USER1 there */
	tree = idmapped_tree(back, 0, USER1, 1);
	ASSERT_LE(0, tree);
	ASSERT_EQ(0, move_mount(tree, "", AT_FDCWD, seen, MOVE_MOUNT_F_EMPTY_PATH));
	ASSERT_EQ(0, try_mount(TRY_MOUNT(.backing = tree, .daemonless = true,
					 .allow_other = true, .at = mnt)));
	close(tree);
	EXPECT_EQ(0, diff_stat(in(seen, "file"), in(mnt, "file")));
	EXPECT_EQ(0, diff_stat(in(seen, "dir"), in(mnt, "dir")));
	EXPECT_EQ(0, user_open(USER1, in(mnt, "file"), O_RDONLY));
	EXPECT_EQ(0, user_open(USER1, in(mnt, "dir/file"), O_RDONLY));
	EXPECT_EQ(-EACCES, user_open(USER2, in(mnt, "file"), O_RDONLY));
	EXPECT_EQ(0, umount(mnt));
	EXPECT_EQ(0, umount(seen));
}

FIXTURE(owner)
{
	struct backed b;
};

FIXTURE_SETUP(owner)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, backed_setup(b, "tmpfs", 0));
	ASSERT_EQ(0, make_dir(in(b->back, "dir"), 0777));
	ASSERT_EQ(0, make_file(in(b->back, "dir/file"), "x", 0666));
}

FIXTURE_TEARDOWN(owner)
{
	EXPECT_EQ(0, backed_destroy(&self->b));
}

TEST_F(owner, others_get_nothing)
{
	const char *mnt = self->b.mnt;

	EXPECT_EQ(0, user_open(0, in(mnt, "dir/file"), O_RDONLY));
	EXPECT_EQ(-EACCES, user_stat(USER1, mnt));
	EXPECT_EQ(-EACCES, user_access(USER1, mnt, F_OK));
	EXPECT_EQ(-EACCES, user_open(USER1, mnt, O_RDONLY | O_DIRECTORY));
	EXPECT_EQ(-EACCES, user_stat(USER1, in(mnt, "dir")));
	EXPECT_EQ(-EACCES, user_stat(USER1, in(mnt, "none")));
	EXPECT_EQ(-EACCES, user_stat(USER1, in(mnt, "dir/file")));
	EXPECT_EQ(-EACCES, user_open(USER1, in(mnt, "dir/file"), O_RDONLY));
	EXPECT_EQ(-EACCES, user_open(USER1, in(mnt, "dir/file"), O_WRONLY));
	EXPECT_EQ(-EACCES, user_access(USER1, in(mnt, "dir"), F_OK));
}

static int use_descriptors(void *arg)
{
	const int *fds = arg;
	struct stat st;
	char byte;

	if (fstat(fds[0], &st) != -1 || errno != EACCES)
		return 1;
	if (openat(fds[0], "file", O_RDONLY) != -1 || errno != EACCES)
		return 2;
	if (fstatat(fds[0], "file", &st, 0) != -1 || errno != EACCES)
		return 3;
	if (fchdir(fds[0]) != -1 || errno != EACCES)
		return 4;
	/* Who was given an open file may use it */
	return read(fds[1], &byte, 1) == 1 ? 0 : 5;
}

TEST_F(owner, descriptors_open_no_doors)
{
	const int fds[] = {
		open(in(self->b.mnt, "dir"), O_PATH),
		open(in(self->b.mnt, "dir/file"), O_RDONLY),
	};

	ASSERT_LE(0, fds[0]);
	ASSERT_LE(0, fds[1]);
	EXPECT_EQ(0, as_user(USER1, USER1, use_descriptors, fds));
	close(fds[0]);
	close(fds[1]);
}

static int statfs_blocks(void *arg)
{
	struct statfs sfs;

	return statfs(arg, &sfs) ? -errno : sfs.f_blocks ? 1 : 0;
}

/* As of any FUSE mount, others learn no more than what type it is. */
TEST_F(owner, statfs)
{
	EXPECT_EQ(1, as_user(0, 0, statfs_blocks, self->b.mnt));
	EXPECT_EQ(0, as_user(USER1, USER1, statfs_blocks, self->b.mnt));
}

static int mixed_ids(void *arg)
{
	/* Not all ids are the owner's */
	if (setresuid(0, 0, USER1))
		return 1;
	return access(arg, F_OK) ? -errno : 0;
}

TEST_F(owner, setuid_programs_get_nothing)
{
	EXPECT_EQ(-EACCES, in_child(mixed_ids, in(self->b.mnt, "dir")));
}

TEST_HARNESS_MAIN
