// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stacks: a mount that is backed by an overlay and changes it, overlays on a mount,
 * mounts on mounts.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/xattr.h>

#include "backed_fixture.h"
#include "harness.h"

/**
 * FIXTURE(stack) - layers of an overlay, and places to mount on
 * @b: not mounted; its backing is the overlay's lower layer
 * @over: where the overlay is mounted
 */
FIXTURE(stack)
{
	struct backed b;
	char over[64];
};

FIXTURE_SETUP(stack)
{
	static const char *const dirs[] = { "upper", "work", "over", "mnt2", "empty" };
	struct backed *b = &self->b;
	size_t i;

	ASSERT_EQ(0, backed_make(b, "tmpfs"));
	for (i = 0; i < ARRAY_SIZE(dirs); i++)
		ASSERT_EQ(0, make_dir(in(b->top, "%s", dirs[i]), 0755));
	strcpy(self->over, in(b->top, "over"));
	ASSERT_EQ(0, make_file(in(b->back, "low"), "low", 0644));
	ASSERT_EQ(0, link(in(b->back, "low"), in(b->back, "hard")));
	ASSERT_EQ(0, make_dir(in(b->back, "dir"), 0755));
	ASSERT_EQ(0, make_file(in(b->back, "dir/file"), "in dir", 0644));
	ASSERT_EQ(0, symlink("low", in(b->back, "soft")));
}

FIXTURE_TEARDOWN(stack)
{
	EXPECT_EQ(0, backed_destroy(&self->b));
}

static int mount_overlay(const char *lower, const char *upper, const char *work, const char *at)
{
	char options[256];

	snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s,workdir=%s", lower, upper,
		 work);
	return RES(mount("overlay", at, "overlay", 0, options));
}

/* The overlay, and a mount that it backs */
static int mount_both(const struct backed *b, const char *over)
{
	int err = mount_overlay(b->back, in(b->top, "upper"), in(b->top, "work"), over);

	return err ? err : mount_backed(over, b->mnt);
}

#define UMOUNT_BOTH()					\
do {							\
	EXPECT_EQ(0, RES(umount(self->b.mnt)));		\
	EXPECT_EQ(0, RES(umount(self->over)));		\
} while (0)

/* Everything that makes the overlay copy something up, by way of the mount */
TEST_F(stack, overlay_is_changed_by_the_mount)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, mount_both(b, self->over));
	EXPECT_EQ(0, append_file(in(b->mnt, "low"), " and high"));
	EXPECT_STREQ("low and high", text_of(in(self->over, "low")));
	EXPECT_STREQ("low", text_of(in(b->back, "low")));
	EXPECT_EQ(0, RES(chmod(in(b->mnt, "dir"), 0700)));
	EXPECT_EQ(0, RES(setxattr(in(b->mnt, "dir/file"), "trusted.x", "y", 1, 0)));
	EXPECT_EQ(0, RES(chown(in(b->mnt, "dir/file"), USER1, GROUP1)));
	EXPECT_EQ(0, RES(link(in(b->mnt, "dir/file"), in(b->mnt, "dir/link"))));
	EXPECT_EQ(0, RES(rename(in(b->mnt, "dir/link"), in(b->mnt, "moved"))));
	EXPECT_EQ(0, RES(mkdir(in(b->mnt, "new"), 0755)));
	EXPECT_EQ(0, make_file(in(b->mnt, "new/file"), "new", 0600));
	EXPECT_EQ(0, RES(unlink(in(b->mnt, "soft"))));
	EXPECT_EQ(0, RES(symlink("dir", in(b->mnt, "soft"))));
	EXPECT_EQ(0, diff_tree(self->over, b->mnt));
	EXPECT_STREQ("in dir", text_of(in(b->mnt, "soft/file")));
	UMOUNT_BOTH();
}

/* What is removed leaves a whiteout above, and what comes in its place hides it. */
TEST_F(stack, overlay_keeps_whiteouts_to_itself)
{
	struct backed *b = &self->b;
	struct stat st;

	ASSERT_EQ(0, mount_both(b, self->over));
	EXPECT_EQ(0, RES(unlink(in(b->mnt, "low"))));
	EXPECT_STREQ("<ENOENT>", text_of(in(b->mnt, "low")));
	ASSERT_EQ(0, lstat(in(b->top, "upper/low"), &st));
	EXPECT_TRUE(S_ISCHR(st.st_mode) && !st.st_rdev);
	EXPECT_EQ(-ENOTEMPTY, RES(rmdir(in(b->mnt, "dir"))));
	EXPECT_EQ(0, RES(unlink(in(b->mnt, "dir/file"))));
	EXPECT_EQ(0, RES(rmdir(in(b->mnt, "dir"))));
	EXPECT_EQ(0, RES(mkdir(in(b->mnt, "dir"), 0755)));
	EXPECT_EQ(-ENOENT, RES(access(in(b->mnt, "dir/file"), F_OK)));
	EXPECT_EQ(0, diff_tree(self->over, b->mnt));
	EXPECT_STREQ("in dir", text_of(in(b->back, "dir/file")));
	UMOUNT_BOTH();
}

/* A directory of the lower layer is not renamed by an overlay, as the caller is told. */
TEST_F(stack, overlay_says_what_it_does_not_do)
{
	struct backed *b = &self->b;
	int native;

	ASSERT_EQ(0, mount_both(b, self->over));
	native = RES(rename(in(self->over, "dir"), in(self->over, "dir2")));
	if (!native)
		ASSERT_EQ(0, rename(in(self->over, "dir2"), in(self->over, "dir")));
	EXPECT_EQ(native, RES(rename(in(b->mnt, "dir"), in(b->mnt, "dir2"))));
	UMOUNT_BOTH();
}

/* Opened before it is copied up, a file must see what is written afterwards. */
TEST_F(stack, overlay_copies_up_what_is_open)
{
	struct backed *b = &self->b;
	int rd, wr, native;
	char text[32] = "", native_text[32] = "";
	struct stat st;

	ASSERT_EQ(0, mount_both(b, self->over));
	rd = open(in(b->mnt, "low"), O_RDONLY);
	native = open(in(self->over, "low"), O_RDONLY);
	ASSERT_LE(0, rd);
	ASSERT_LE(0, native);
	wr = open(in(b->mnt, "low"), O_WRONLY | O_APPEND);
	ASSERT_LE(0, wr);
	EXPECT_EQ(5, write(wr, " more", 5));
	EXPECT_EQ(8, pread(native, native_text, sizeof(native_text), 0));
	EXPECT_EQ(8, pread(rd, text, sizeof(text), 0));
	EXPECT_STREQ(native_text, text);
	ASSERT_EQ(0, fstat(rd, &st));
	EXPECT_EQ(8, st.st_size);
	EXPECT_EQ(st.st_ino, ino_of(in(b->mnt, "low")));
	EXPECT_EQ(0, diff_stat(in(self->over, "low"), in(b->mnt, "low")));
	close(rd);
	close(wr);
	close(native);
	UMOUNT_BOTH();
}

/* Stores to a shared mapping go to the copy that an open for writing has made. */
TEST_F(stack, overlay_is_mapped)
{
	struct backed *b = &self->b;
	char *map;
	int fd;

	ASSERT_EQ(0, mount_both(b, self->over));
	fd = open(in(b->mnt, "dir/file"), O_RDWR);
	ASSERT_LE(0, fd);
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	memcpy(map, "on", 2);
	ASSERT_EQ(0, msync(map, 4096, MS_SYNC));
	EXPECT_STREQ("on dir", text_of(in(b->mnt, "dir/file")));
	EXPECT_STREQ("on dir", text_of(in(self->over, "dir/file")));
	EXPECT_STREQ("in dir", text_of(in(b->back, "dir/file")));
	munmap(map, 4096);
	close(fd);
	UMOUNT_BOTH();
}

/* As the lower layer of an overlay, which is not to see changes */
TEST_F(stack, overlay_above_the_mount)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, backed_mount(b, BACKED_ALLOW_OTHER));
	ASSERT_EQ(0, mount_overlay(b->mnt, in(b->top, "upper"), in(b->top, "work"), self->over));
	EXPECT_EQ(0, append_file(in(self->over, "low"), " above"));
	EXPECT_EQ(0, RES(rename(in(self->over, "hard"), in(self->over, "renamed"))));
	EXPECT_EQ(0, RES(unlink(in(self->over, "dir/file"))));
	EXPECT_STREQ("low above", text_of(in(self->over, "low")));
	EXPECT_STREQ("low", text_of(in(b->back, "low")));
	EXPECT_STREQ("in dir", text_of(in(b->back, "dir/file")));
	EXPECT_EQ(0, diff_tree(b->back, b->mnt));
	EXPECT_EQ(0, RES(umount(self->over)));
}

/*
 * Changes of an overlay with its upper layer in @layers, whose lower layer is
 * @top/empty; what it looks like, and what the layer does, in @out.
 */
static int change_overlay(const char *top, const char *layers, const char *over, const char *out)
{
	int err = mount_overlay(in(top, "empty"), in(layers, "u"), in(layers, "w"), over);

	if (err)
		return err;
	err = sh("cd %s && { echo more >>low; rm gone; rm -r dir; mkdir dir; echo x >dir/new; "
		 "mv dir/new dir/moved; ln dir/moved hard; ln -s low soft; mkfifo pipe; "
		 "chmod 600 low; chown 5:6 dir; setfattr -n user.x -v y low; setfacl -m u:7:r low; "
		 "exec 3>open; rm open; echo y >&3; truncate -s 100 dir/moved; "
		 "for dir in . %s/u; do cd $dir; "
		 "find . -printf '%%P %%y %%m %%U %%G %%n %%l\\n' | sort; "
		 "cat low; getfattr -d -m - low dir; done; } >%s 2>&1", over, layers, out);
	return umount(over) ? -errno : err;
}

/* As the upper one, it must do as any other file system would. */
TEST_F(stack, overlay_on_the_mount)
{
	struct backed *b = &self->b;
	char mnt[64], top[64];

	strcpy(mnt, b->mnt);
	strcpy(top, b->top);
	ASSERT_EQ(0, backed_mount(b, BACKED_ALLOW_OTHER));
	ASSERT_EQ(0, sh("cd %s/empty && echo l >low && echo g >gone && mkdir dir && "
			"echo f >dir/file", b->top));
	/*
	 * Lockdep has one class for the write access of all mounts of a type. A mount
	 * on an overlay, as in the other tests, and an overlay on a mount are a circle
	 * of classes, though never of locks: nothing is on itself.
	 */
	if (flavour_is_debug())
		SKIP(return, "lockdep cannot tell one mount from another");
	ASSERT_EQ(0, sh("mkdir %s/u %s/w %s/upper/u %s/upper/w", mnt, mnt, top, top));
	ASSERT_EQ(0, change_overlay(top, in(top, "upper"), self->over, in(top, "native")));
	ASSERT_EQ(0, change_overlay(top, mnt, self->over, in(top, "ours")));
	ASSERT_EQ(0, sh("sed -i 's|%s|LAYERS|; s|%s/upper|LAYERS|' %s/native %s/ours", mnt, top,
			top, top));
	EXPECT_EQ(0, diff_text(in(top, "native"), in(top, "ours")))
		TH_LOG("%s", text_of(in(top, "ours")));
	EXPECT_EQ(0, sh("grep -q 'gone c' %s/ours", top));
	EXPECT_EQ(0, diff_tree(b->back, b->mnt));
}

/* However it is reached, a backed mount is no backing; and two levels are all there are. */
TEST_F(stack, mounts_on_mounts)
{
	struct backed *b = &self->b;
	char mnt2[64];

	strcpy(mnt2, in(b->top, "mnt2"));
	ASSERT_EQ(0, backed_mount(b, BACKED_ALLOW_OTHER));
	EXPECT_EQ(-ELOOP, mount_backed(b->mnt, NULL));
	EXPECT_EQ(-ELOOP, mount_backed(in(b->mnt, "dir"), NULL));
	ASSERT_EQ(0, RES(mount(in(b->mnt, "dir"), mnt2, NULL, MS_BIND, NULL)));
	EXPECT_EQ(-ELOOP, mount_backed(mnt2, NULL));
	ASSERT_EQ(0, umount(mnt2));

	/* With an overlay in between it would be the third level */
	ASSERT_EQ(0, mount_overlay(b->mnt, in(b->top, "upper"), in(b->top, "work"), self->over));
	EXPECT_EQ(-ELOOP, mount_backed(self->over, NULL));
	EXPECT_EQ(0, RES(umount(self->over)));
	ASSERT_EQ(0, backed_umount(b));

	/* And so would an overlay on a mount on an overlay */
	ASSERT_EQ(0, mount_both(b, self->over));
	EXPECT_EQ(-EINVAL, mount_overlay(b->mnt, in(b->top, "empty"), in(b->top, "work"), mnt2));
	UMOUNT_BOTH();
}

TEST_HARNESS_MAIN
