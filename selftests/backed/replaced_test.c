// SPDX-License-Identifier: GPL-2.0-only
/*
 * A name means something else on the backing when the change is made than it did when
 * the path was walked. What has the name by then must not suffer for it: the path is
 * walked again, and all checks are made for what is found then.
 *
 * System calls are stopped in between, by harness/pause.h. A caller without privileges
 * works in a sticky directory: it may remove what it owns, and no impostor.
 */
#include <fcntl.h>
#include <sys/mount.h>

#include "backed_fixture.h"
#include "harness.h"
#include "pause.h"

/* Once for all tests, which are children of this process */
static void __attribute__((constructor)) load_programs(void)
{
	pauser_load();
}

FIXTURE(replaced)
{
	struct backed b;
	struct pauser pauser;
};

FIXTURE_VARIANT(replaced)
{
	const char *fs;
};

FIXTURE_VARIANT_ADD(replaced, tmpfs) { .fs = "tmpfs" };
FIXTURE_VARIANT_ADD(replaced, ext4) { .fs = "ext4" };

FIXTURE_SETUP(replaced)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, backed_setup(b, variant->fs, BACKED_ALLOW_OTHER));
	ASSERT_EQ(0, make_dir(in(b->back, "dir"), 01777));
	ASSERT_EQ(0, make_file(in(b->back, "dir/mine"), "mine", 0644));
	ASSERT_EQ(0, chown(in(b->back, "dir/mine"), USER1, USER1));
	ASSERT_EQ(0, make_file(in(b->back, "dir/other"), "other", 0644));
	ASSERT_EQ(0, chown(in(b->back, "dir/other"), USER1, USER1));
	ASSERT_EQ(0, make_dir(in(b->back, "dir/empty"), 0755));
	ASSERT_EQ(0, chown(in(b->back, "dir/empty"), USER1, USER1));
	ASSERT_EQ(0, pauser_setup(&self->pauser));
}

FIXTURE_TEARDOWN(replaced)
{
	pauser_destroy(&self->pauser);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

/**
 * struct scene - a system call on the mount, and what happens on the backing meanwhile
 * @b: backing and mount
 * @name: what the call is about, in "dir"
 * @to: the other name, of rename() and link()
 * @flags: of open() and renameat2()
 * @impostor: name that changes its meaning
 * @turn: how often it did
 */
struct scene {
	const struct backed *b;
	const char *name;
	const char *to;
	int flags;
	const char *impostor;
	int turn;
};

static const char *ours(const struct scene *s, const char *name)
{
	return in(s->b->mnt, "dir/%s", name);
}

static const char *theirs(const struct scene *s, const char *name)
{
	return in(s->b->back, "dir/%s", name);
}

static int call_unlink(void *arg)
{
	struct scene *s = arg;

	return RES(unlink(ours(s, s->name)));
}

static int call_rmdir(void *arg)
{
	struct scene *s = arg;

	return RES(rmdir(ours(s, s->name)));
}

static int call_rename(void *arg)
{
	struct scene *s = arg;

	return RES(renameat2(AT_FDCWD, ours(s, s->name), AT_FDCWD, ours(s, s->to), s->flags));
}

/*
 * The place to stop is before the last name is looked up, unless it is known: that it
 * is not there must have been asked before.
 */
static int call_open(void *arg)
{
	struct scene *s = arg;
	int fd = open(ours(s, s->name), s->flags | O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int call_mkdir(void *arg)
{
	struct scene *s = arg;

	return RES(mkdir(ours(s, s->name), 0755));
}

static int call_mknod(void *arg)
{
	struct scene *s = arg;

	return RES(mkfifo(ours(s, s->name), 0644));
}

static int call_symlink(void *arg)
{
	struct scene *s = arg;

	return RES(symlink("target", ours(s, s->name)));
}

static int call_link(void *arg)
{
	struct scene *s = arg;

	return RES(link(ours(s, s->name), ours(s, s->to)));
}

/* A file of root's in the place of what is there, each time another one */
static void by_a_file(void *arg)
{
	struct scene *s = arg;
	char text[32];

	snprintf(text, sizeof(text), "impostor %d", ++s->turn);
	if (rmdir(theirs(s, s->impostor)) && errno != ENOENT && errno != ENOTDIR)
		say("rmdir: %s", strerror(errno));
	if (replace_file(theirs(s, s->impostor), text))
		say("the file cannot be replaced: %s", strerror(errno));
}

static void by_a_directory(void *arg)
{
	struct scene *s = arg;

	s->turn++;
	unlink(theirs(s, s->impostor));
	rmdir(theirs(s, s->impostor));
	if (mkdir(theirs(s, s->impostor), 0755))
		say("no directory in the place: %s", strerror(errno));
}

/* Kept under another name, so that the new one cannot have the inode number again */
static void by_another_directory(void *arg)
{
	struct scene *s = arg;

	s->turn++;
	if (rename(theirs(s, s->impostor), theirs(s, "kept")) ||
	    mkdir(theirs(s, s->impostor), 0755))
		say("no directory in the place: %s", strerror(errno));
}

static void by_nothing(void *arg)
{
	struct scene *s = arg;

	s->turn++;
	if (unlink(theirs(s, s->impostor)) && rmdir(theirs(s, s->impostor)))
		say("not removed: %s", strerror(errno));
}

static void by_no_parent(void *arg)
{
	struct scene *s = arg;

	s->turn++;
	if (sh("rm -r %s/dir", s->b->back))
		say("not removed");
}

#define PAUSED(at, times, uid, call, between)						\
({											\
	int ___ret = paused_call(&self->pauser, at, times, uid, call, between, &s);	\
											\
	EXPECT_EQ(times, (int)self->pauser.paused);					\
	EXPECT_EQ(times, s.turn);							\
	___ret;										\
})

#define SCENE(...) { .b = &self->b, __VA_ARGS__ }

TEST_F(replaced, unlink_by_a_file)
{
	struct scene s = SCENE(.name = "mine", .impostor = "mine");

	EXPECT_EQ(-EPERM, PAUSED(PAUSE_UNLINK, 1, USER1, call_unlink, by_a_file));
	EXPECT_STREQ("impostor 1", text_of(theirs(&s, "mine")));
}

TEST_F(replaced, unlink_by_a_directory)
{
	struct scene s = SCENE(.name = "mine", .impostor = "mine");

	EXPECT_EQ(-EISDIR, PAUSED(PAUSE_UNLINK, 1, 0, call_unlink, by_a_directory));
	EXPECT_EQ(0, RES(access(theirs(&s, "mine/."), F_OK)));
}

TEST_F(replaced, unlink_by_nothing)
{
	struct scene s = SCENE(.name = "mine", .impostor = "mine");

	EXPECT_EQ(-ENOENT, PAUSED(PAUSE_UNLINK, 1, USER1, call_unlink, by_nothing));
	EXPECT_STREQ("other", text_of(theirs(&s, "other")));
}

/* The second walk is the last; what changes again is not guessed at. */
TEST_F(replaced, unlink_again_and_again)
{
	struct scene s = SCENE(.name = "mine", .impostor = "mine");

	EXPECT_EQ(-ESTALE, PAUSED(PAUSE_UNLINK, 2, 0, call_unlink, by_a_file));
	EXPECT_STREQ("impostor 2", text_of(theirs(&s, "mine")));
	EXPECT_STREQ("impostor 2", text_of(ours(&s, "mine")));
}

/* One who may remove both removes what has the name after all. */
TEST_F(replaced, unlink_of_what_may_be_removed)
{
	struct scene s = SCENE(.name = "mine", .impostor = "mine");

	EXPECT_EQ(0, PAUSED(PAUSE_UNLINK, 1, 0, call_unlink, by_a_file));
	EXPECT_EQ(-ENOENT, RES(access(theirs(&s, "mine"), F_OK)));
}

TEST_F(replaced, unlink_without_a_parent)
{
	struct scene s = SCENE(.name = "mine", .impostor = "mine");

	EXPECT_EQ(-ENOENT, PAUSED(PAUSE_UNLINK, 1, USER1, call_unlink, by_no_parent));
}

TEST_F(replaced, rmdir_by_a_directory)
{
	struct scene s = SCENE(.name = "empty", .impostor = "empty");

	EXPECT_EQ(-EPERM, PAUSED(PAUSE_RMDIR, 1, USER1, call_rmdir, by_another_directory));
	EXPECT_EQ(0, RES(access(theirs(&s, "empty/."), F_OK)));
	EXPECT_EQ(0, RES(access(theirs(&s, "kept/."), F_OK)));
}

TEST_F(replaced, rmdir_by_a_file)
{
	struct scene s = SCENE(.name = "empty", .impostor = "empty");

	EXPECT_EQ(-ENOTDIR, PAUSED(PAUSE_RMDIR, 1, 0, call_rmdir, by_a_file));
	EXPECT_STREQ("impostor 1", text_of(theirs(&s, "empty")));
}

TEST_F(replaced, rmdir_by_nothing)
{
	struct scene s = SCENE(.name = "empty", .impostor = "empty");

	EXPECT_EQ(-ENOENT, PAUSED(PAUSE_RMDIR, 1, USER1, call_rmdir, by_nothing));
}

TEST_F(replaced, source_of_a_rename)
{
	struct scene s = SCENE(.name = "mine", .to = "new", .impostor = "mine");

	EXPECT_EQ(-EPERM, PAUSED(PAUSE_RENAME, 1, USER1, call_rename, by_a_file));
	EXPECT_STREQ("impostor 1", text_of(theirs(&s, "mine")));
	EXPECT_STREQ("<ENOENT>", text_of(theirs(&s, "new")));
}

TEST_F(replaced, source_of_a_rename_by_nothing)
{
	struct scene s = SCENE(.name = "mine", .to = "other", .impostor = "mine");

	EXPECT_EQ(-ENOENT, PAUSED(PAUSE_RENAME, 1, USER1, call_rename, by_nothing));
	EXPECT_STREQ("other", text_of(theirs(&s, "other")));
}

TEST_F(replaced, target_of_a_rename)
{
	struct scene s = SCENE(.name = "mine", .to = "other", .impostor = "other");

	EXPECT_EQ(-EPERM, PAUSED(PAUSE_RENAME, 1, USER1, call_rename, by_a_file));
	EXPECT_STREQ("mine", text_of(theirs(&s, "mine")));
	EXPECT_STREQ("impostor 1", text_of(theirs(&s, "other")));
}

TEST_F(replaced, target_of_a_rename_that_appears)
{
	struct scene s = SCENE(.name = "mine", .to = "new", .impostor = "new");

	EXPECT_EQ(-EPERM, PAUSED(PAUSE_RENAME, 1, USER1, call_rename, by_a_file));
	EXPECT_STREQ("mine", text_of(theirs(&s, "mine")));
	EXPECT_STREQ("impostor 1", text_of(theirs(&s, "new")));
}

TEST_F(replaced, target_of_a_rename_that_must_not_replace)
{
	struct scene s = SCENE(.name = "mine", .to = "new", .flags = RENAME_NOREPLACE,
			       .impostor = "new");

	EXPECT_EQ(-EEXIST, PAUSED(PAUSE_RENAME, 1, 0, call_rename, by_a_file));
	EXPECT_STREQ("mine", text_of(theirs(&s, "mine")));
	EXPECT_STREQ("impostor 1", text_of(theirs(&s, "new")));
}

TEST_F(replaced, target_of_a_rename_by_a_directory)
{
	struct scene s = SCENE(.name = "mine", .to = "other", .impostor = "other");

	EXPECT_EQ(-EISDIR, PAUSED(PAUSE_RENAME, 1, 0, call_rename, by_a_directory));
	EXPECT_STREQ("mine", text_of(theirs(&s, "mine")));
	EXPECT_EQ(0, RES(access(theirs(&s, "other/."), F_OK)));
}

TEST_F(replaced, target_of_a_rename_by_nothing)
{
	struct scene s = SCENE(.name = "mine", .to = "other", .impostor = "other");

	EXPECT_EQ(0, PAUSED(PAUSE_RENAME, 1, USER1, call_rename, by_nothing));
	EXPECT_STREQ("<ENOENT>", text_of(theirs(&s, "mine")));
	EXPECT_STREQ("mine", text_of(theirs(&s, "other")));
}

TEST_F(replaced, either_side_of_an_exchange)
{
	struct scene s = SCENE(.name = "mine", .to = "other", .flags = RENAME_EXCHANGE,
			       .impostor = "other");

	EXPECT_EQ(-EPERM, PAUSED(PAUSE_RENAME, 1, USER1, call_rename, by_a_file));
	EXPECT_STREQ("mine", text_of(theirs(&s, "mine")));
	EXPECT_STREQ("impostor 1", text_of(theirs(&s, "other")));
	ASSERT_EQ(0, chown(theirs(&s, "other"), USER1, USER1));
	s.impostor = "mine";
	s.turn = 0;
	EXPECT_EQ(-EPERM, PAUSED(PAUSE_RENAME, 1, USER1, call_rename, by_a_file));
	EXPECT_STREQ("impostor 1", text_of(theirs(&s, "mine")));
	EXPECT_STREQ("impostor 1", text_of(theirs(&s, "other")));
}

TEST_F(replaced, rename_again_and_again)
{
	struct scene s = SCENE(.name = "mine", .to = "other", .impostor = "other");

	EXPECT_EQ(-ESTALE, PAUSED(PAUSE_RENAME, 2, 0, call_rename, by_a_file));
	EXPECT_STREQ("mine", text_of(theirs(&s, "mine")));
	EXPECT_STREQ("impostor 2", text_of(theirs(&s, "other")));
}

#define KNOWN_MISSING() EXPECT_EQ(-ENOENT, RES(access(ours(&s, s.name), F_OK)))

/* open(2) goes on with the file that is there by then, as if it had always been. */
TEST_F(replaced, created_meanwhile)
{
	struct scene s = SCENE(.name = "new", .impostor = "new");

	KNOWN_MISSING();
	EXPECT_EQ(0, PAUSED(PAUSE_CREATE, 1, 0, call_open, by_a_file));
	EXPECT_STREQ("impostor 1", text_of(theirs(&s, "new")));
}

TEST_F(replaced, created_meanwhile_and_not_to_be_opened)
{
	struct scene s = SCENE(.name = "new", .flags = O_TRUNC, .impostor = "new");

	KNOWN_MISSING();
	EXPECT_EQ(-EACCES, PAUSED(PAUSE_CREATE, 1, USER1, call_open, by_a_file));
	EXPECT_STREQ("impostor 1", text_of(theirs(&s, "new")));
}

TEST_F(replaced, created_meanwhile_exclusively)
{
	struct scene s = SCENE(.name = "new", .flags = O_EXCL | O_TRUNC, .impostor = "new");

	KNOWN_MISSING();
	EXPECT_EQ(-EEXIST, PAUSED(PAUSE_CREATE, 1, 0, call_open, by_a_file));
	EXPECT_STREQ("impostor 1", text_of(theirs(&s, "new")));
}

TEST_F(replaced, created_meanwhile_as_a_directory)
{
	struct scene s = SCENE(.name = "new", .impostor = "new");

	KNOWN_MISSING();
	EXPECT_EQ(-EISDIR, PAUSED(PAUSE_CREATE, 1, 0, call_open, by_a_directory));
	EXPECT_EQ(0, RES(access(theirs(&s, "new/."), F_OK)));
}

TEST_F(replaced, created_without_a_parent)
{
	struct scene s = SCENE(.name = "new", .impostor = "new");

	KNOWN_MISSING();
	EXPECT_EQ(-ENOENT, PAUSED(PAUSE_CREATE, 1, 0, call_open, by_no_parent));
}

TEST_F(replaced, made_meanwhile)
{
	struct scene s = SCENE(.name = "new", .impostor = "new");

	EXPECT_EQ(-EEXIST, PAUSED(PAUSE_MKDIR, 1, 0, call_mkdir, by_a_file));
	EXPECT_STREQ("impostor 1", text_of(theirs(&s, "new")));
	EXPECT_STREQ("impostor 1", text_of(ours(&s, "new")));
	s = (struct scene)SCENE(.name = "fifo", .impostor = "fifo");
	EXPECT_EQ(-EEXIST, PAUSED(PAUSE_MKNOD, 1, 0, call_mknod, by_a_file));
	EXPECT_STREQ("impostor 1", text_of(theirs(&s, "fifo")));
	s = (struct scene)SCENE(.name = "soft", .impostor = "soft");
	EXPECT_EQ(-EEXIST, PAUSED(PAUSE_SYMLINK, 1, 0, call_symlink, by_a_directory));
	EXPECT_EQ(0, RES(access(ours(&s, "soft/."), F_OK)));
	s = (struct scene)SCENE(.name = "mine", .to = "hard", .impostor = "hard");
	EXPECT_EQ(-EEXIST, PAUSED(PAUSE_LINK, 1, 0, call_link, by_a_file));
	EXPECT_STREQ("impostor 1", text_of(theirs(&s, "hard")));
	EXPECT_STREQ("mine", text_of(theirs(&s, "mine")));
}

/* What is linked is the inode that was found, which has no name any more. */
TEST_F(replaced, source_of_a_link)
{
	struct scene s = SCENE(.name = "mine", .to = "hard", .impostor = "mine");

	EXPECT_EQ(-ENOENT, PAUSED(PAUSE_LINK, 1, 0, call_link, by_a_file));
	EXPECT_STREQ("<ENOENT>", text_of(theirs(&s, "hard")));
	EXPECT_STREQ("impostor 1", text_of(theirs(&s, "mine")));
}

TEST_HARNESS_MAIN
