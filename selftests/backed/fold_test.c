// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backings that fold case: a name has many spellings, of which each finds the same
 * file, as on the backing itself. What compares names by other rules is no backing.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backed_fixture.h"
#include "fold.h"
#include "harness.h"

FIXTURE(fold)
{
	struct backed b;
	char fs[64];
	char ours[64];
	char real[64];
};

FIXTURE_VARIANT(fold)
{
	const char *fs;
};

FIXTURE_VARIANT_ADD(fold, tmpfs) { .fs = "tmpfs" };
FIXTURE_VARIANT_ADD(fold, ext4) { .fs = "ext4" };

FIXTURE_SETUP(fold)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, backed_make(b, "tmpfs"));
	strcpy(self->fs, in(b->top, "fs"));
	ASSERT_EQ(0, make_dir(self->fs, 0755));
	ASSERT_EQ(0, fold_mount(variant->fs, b->top, self->fs));
	ASSERT_EQ(0, fold_dir(in(self->fs, "native")));
	ASSERT_EQ(0, fold_dir(in(self->fs, "ours")));
	ASSERT_EQ(0, make_dir(in(self->fs, "plain"), 0755));
	ASSERT_EQ(0, mount_backed(self->fs, b->mnt));
	strcpy(self->real, in(self->fs, "ours"));
	strcpy(self->ours, in(b->mnt, "ours"));
}

FIXTURE_TEARDOWN(fold)
{
	EXPECT_EQ(0, RES(umount(self->b.mnt)));
	EXPECT_EQ(0, RES(umount(self->fs)));
	EXPECT_EQ(0, backed_destroy(&self->b));
}

/* Each line prints what it did, so that two runs can be compared. */
static const char script[] =
	"exec 2>&1; cd \"$1\" || exit 1; p() { printf '%s: ' \"$*\"; }\n"
	"echo one >File; p cat; cat FILE; p stat; stat -c '%s %h %A' fILE\n"
	"p excl; (set -C; echo two >file) 2>/dev/null; echo $?; cat File\n"
	"echo two >>FILE; p append; cat file; p list; ls\n"
	"mkdir Dir; echo a >dir/A; p deep; cat DIR/a; ls dIR; p pwd; (cd DIR && ls)\n"
	"ln file Link; p link; stat -c %h FILE; rm LINK; p unlinked; ls; stat -c %h FILE\n"
	"mv File Other; p moved; ls; cat OTHER; test -e FILE; echo $?\n"
	"p case; mv -T other OTHER; echo $?; ls\n"
	"ln -s oTHER sym; p sym; cat SYM; readlink sYm\n"
	"p busy; rmdir DIR 2>/dev/null; echo $?; rm -r dir; ls\n"
	"p " LONG_S KELVIN "; echo x >Desk; cat De" LONG_S KELVIN "; rm DE" LONG_S "K; ls\n"
	"p ignorable; echo y >ab; cat a" ZERO_WIDTH "b; rm A" ZERO_WIDTH "B; ls\n"
	"p bytes; echo z >\"$(printf 'x\\377')\" && cat \"$(printf 'x\\377')\"; ls | od -c\n"
	"rm -f \"$(printf 'x\\377')\"; p end; ls -A\n";

static int run_script(const char *dir, const char *out)
{
	return sh("cat >%s.sh <<'END'\n%sEND\nsh %s.sh %s >%s", out, script, out, dir, out);
}

TEST_F(fold, does_as_the_backing_does)
{
	const char *top = self->b.top;
	char native[64], ours[64];

	strcpy(native, in(top, "native.out"));
	strcpy(ours, in(top, "ours.out"));
	ASSERT_EQ(0, run_script(in(self->fs, "native"), native));
	ASSERT_EQ(0, run_script(self->ours, ours));
	EXPECT_EQ(0, diff_text(native, ours)) TH_LOG("%s", text_of(ours));
	/* The script has done something, and the comparison is of that */
	EXPECT_EQ(0, sh("grep -q 'cat: one' %s && grep -q 'deep: a' %s", ours, ours));
	EXPECT_EQ(0, diff_tree(self->fs, self->b.mnt));
}

/* What a spelling was found to mean does not outlive a change by another one. */
TEST_F(fold, follows_the_backing)
{
	const char *real = self->real, *ours = self->ours;

	EXPECT_EQ(-ENOENT, RES(access(in(ours, "NAME"), F_OK)));
	EXPECT_EQ(-ENOENT, RES(access(in(ours, "name"), F_OK)));
	ASSERT_EQ(0, make_file(in(real, "Name"), "1", 0644));
	EXPECT_STREQ("1", text_of(in(ours, "NAME")));
	EXPECT_STREQ("1", text_of(in(ours, "name")));
	ASSERT_EQ(0, RES(unlink(in(real, "nAME"))));
	EXPECT_EQ(-ENOENT, RES(access(in(ours, "NAME"), F_OK)));
	EXPECT_EQ(-ENOENT, RES(access(in(ours, "name"), F_OK)));

	/* And by way of the mount */
	ASSERT_EQ(0, make_file(in(ours, "NamE"), "2", 0644));
	EXPECT_STREQ("2", text_of(in(ours, "NAME")));
	EXPECT_EQ(-EEXIST, RES(mkdir(in(ours, "name"), 0755)));
	ASSERT_EQ(0, RES(rename(in(ours, "namE"), in(ours, "Else"))));
	EXPECT_EQ(-ENOENT, RES(access(in(ours, "NAME"), F_OK)));
	EXPECT_STREQ("2", text_of(in(ours, "eLSE")));

	/* A directory that was entered by one spelling is the same by another */
	ASSERT_EQ(0, make_dir(in(ours, "Sub"), 0755));
	ASSERT_EQ(0, make_file(in(ours, "sub/x"), "3", 0644));
	EXPECT_STREQ("3", text_of(in(ours, "SUB/X")));
	EXPECT_EQ(ino_of(in(ours, "SUB")), ino_of(in(ours, "sub")));
	ASSERT_EQ(0, RES(rename(in(real, "sUB"), in(real, "Moved"))));
	EXPECT_EQ(-ENOENT, RES(access(in(ours, "sub/x"), F_OK)));
	EXPECT_STREQ("3", text_of(in(ours, "MOVED/x")));
	EXPECT_EQ(0, diff_tree(self->fs, self->b.mnt));
}

TEST_F(fold, as_the_backing_itself)
{
	char mnt2[64];

	strcpy(mnt2, in(self->b.top, "mnt2"));
	ASSERT_EQ(0, make_dir(mnt2, 0755));
	ASSERT_EQ(0, make_file(in(self->real, "File"), "x", 0644));
	ASSERT_EQ(0, mount_backed(self->real, mnt2));
	EXPECT_STREQ("x", text_of(in(mnt2, "FILE")));
	EXPECT_EQ(0, RES(umount(mnt2)));
	/* Its neighbours do not fold */
	ASSERT_EQ(0, make_file(in(self->fs, "plain/File"), "x", 0644));
	EXPECT_EQ(-ENOENT, RES(access(in(self->b.mnt, "plain/file"), F_OK)));
}

/* An empty directory can be made to fold, also by way of the mount, and not to. */
TEST_F(fold, turned_on_and_off)
{
	char dir[64];

	strcpy(dir, in(self->b.mnt, "later"));
	ASSERT_EQ(0, make_dir(dir, 0755));
	EXPECT_EQ(-ENOENT, RES(access(in(dir, "file"), F_OK)));
	ASSERT_EQ(0, sh("chattr +F %s", dir));
	ASSERT_EQ(0, make_file(in(self->fs, "later/File"), "x", 0644));
	EXPECT_STREQ("x", text_of(in(dir, "file")));
	EXPECT_STREQ("x", text_of(in(dir, "FILE")));
	ASSERT_EQ(0, RES(unlink(in(dir, "FILe"))));
	ASSERT_EQ(0, sh("chattr -F %s/later", self->fs));
	ASSERT_EQ(0, make_file(in(dir, "file"), "x", 0644));
	EXPECT_EQ(-ENOENT, RES(access(in(dir, "FILE"), F_OK)));
}

/* Only vfat itself knows which names are the same on it. */
FIXTURE(own_rules)
{
	struct backed b;
	char fs[64];
};

FIXTURE_SETUP(own_rules)
{
	ASSERT_EQ(0, backed_make(&self->b, "tmpfs"));
	strcpy(self->fs, in(self->b.top, "fs"));
	ASSERT_EQ(0, make_dir(self->fs, 0755));
	ASSERT_EQ(0, own_rules_mount(self->b.top, self->fs));
	ASSERT_EQ(0, make_dir(in(self->fs, "dir"), 0755));
}

FIXTURE_TEARDOWN(own_rules)
{
	EXPECT_EQ(0, RES(umount(self->fs)));
	EXPECT_EQ(0, backed_destroy(&self->b));
}

TEST_F(own_rules, are_refused)
{
	EXPECT_EQ(0, RES(access(in(self->fs, "DIR"), F_OK)));
	EXPECT_EQ(-EOPNOTSUPP, mount_backed(self->fs, NULL));
	EXPECT_EQ(-EOPNOTSUPP, mount_backed(in(self->fs, "dir"), NULL));
}

TEST_HARNESS_MAIN
