// SPDX-License-Identifier: GPL-2.0-only
/*
 * The directories of a program: how they look at first, whether they are alike in the
 * end, and removing them whatever has become of them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backed_fixture.h"
#include "oracle.h"
#include "util.h"

/* What is there at first: something of each user, in each of the directories */
static int populate(const char *dir)
{
	int err = make_dir(dir, 0777);

	err = err ? err : make_dir(in(dir, "p"), 0777);
	err = err ? err : make_dir(in(dir, "q"), 0755);
	err = err ? err : make_dir(in(dir, "p/r"), 01777);
	err = err ? err : make_file(in(dir, "a"), "text of a", 0666);
	err = err ? err : make_file(in(dir, "p/a"), "text of p/a", 0666);
	err = err ? err : make_file(in(dir, "q/b"), "text of q/b", 0644);
	err = err ? err : make_file(in(dir, "p/r/a"), "text of p/r/a", 0666);
	err = err ? err : RES(symlink("p", in(dir, "s")));
	err = err ? err : RES(chown(in(dir, "q"), USER1, GROUP1));
	err = err ? err : RES(chown(in(dir, "q/b"), USER1, GROUP1));
	return err ? err : RES(chown(in(dir, "p/r/a"), USER2, GROUP1));
}

int world_make(const struct world *world, unsigned int nr, char dirs[3][128])
{
	int err;

	snprintf(dirs[0], sizeof(dirs[0]), "%s/%u", world->native, nr);
	snprintf(dirs[1], sizeof(dirs[1]), "%s/%u", world->mount, nr);
	snprintf(dirs[2], sizeof(dirs[2]), "%s/%u", world->backing, nr);
	err = populate(dirs[0]);
	return err ? err : populate(dirs[2]);
}

/* Two trees, walked in step by descriptors of their directories */
struct walk {
	struct result result[SIDES];
	struct actor actor;
	char *why;
	size_t size;
};

static struct walk walk;

static const struct op walk_op = { 0 };

static bool differ(const char *path, const char *what)
{
	int len = snprintf(walk.why, walk.size, "at the end: \"%s\": ", path);

	if (what)
		snprintf(walk.why + len, walk.size - len, "%s", what);
	return !what && compare(&walk_op, &walk.result[NATIVE], &walk.result[MOUNT], walk.why + len,
				walk.size - len);
}

static struct step walk_step(enum side side)
{
	walk.result[side].len = 0;
	walk.result[side].fields = NULL;
	walk.result[side].text = false;
	walk.result[side].fault[0] = '\0';
	return (struct step){
		.actor = &walk.actor, .op = &walk_op, .side = side,
		.root = walk.actor.root[side], .out = &walk.result[side],
	};
}

/* What is compared of a thing that is not a directory */
typedef long (*look)(struct step *s, const char *path);

static long look_stat(struct step *s, const char *path)
{
	return stat_result(s, s->root, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME);
}

static long look_text(struct step *s, const char *path)
{
	int fd = openat(s->root, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return -errno;
	len = RES(read(fd, s->out->data, MAX_DATA));
	s->out->len = len < 0 ? 0 : len;
	close(fd);
	return len;
}

static long look_link(struct step *s, const char *path)
{
	ssize_t len = RES(readlinkat(s->root, path, (char *)s->out->data, PATH_MAX));

	s->out->len = len < 0 ? 0 : len;
	return len;
}

/* Names of attributes, each followed by its value */
static long look_xattrs(struct step *s, const char *path)
{
	char proc[PATH_MAX], names[4096], *name, *to = (char *)s->out->data;
	ssize_t len, got;

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d/%s", s->root, path);
	len = RES(llistxattr(proc, names, sizeof(names)));
	for (name = names; len > 0 && name < names + len; name += strlen(name) + 1) {
		to = stpcpy(to, name) + 1;
		got = lgetxattr(proc, name, to, 65536);
		to += got < 0 ? sprintf(to, "errno %d", errno) : got;
	}
	s->out->len = to - (char *)s->out->data;
	return len;
}

/* Natively and by the mount, and on the backing itself, which must be what the mount shows */
static bool differ_in(look look, const char *path)
{
	struct step native = walk_step(NATIVE), mount = walk_step(MOUNT);

	walk.result[NATIVE].ret = look(&native, path);
	walk.result[MOUNT].ret = look(&mount, path);
	if (differ(path, NULL))
		return true;
	mount = walk_step(MOUNT);
	mount.side = NATIVE;
	mount.root = walk.actor.behind;
	walk.result[MOUNT].ret = look(&mount, path);
	return differ(path, NULL);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int not_dots(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
}

static int list(int root, const char *path, struct dirent ***entries)
{
	return scandirat(root, path, entries, not_dots, by_name);
}

static void free_list(struct dirent **entries, int nr)
{
	while (nr > 0)
		free(entries[--nr]);
	free(entries);
}

static bool same_lists(struct dirent **a, int na, struct dirent **b, int nb)
{
	int i;

	for (i = 0; i < na && na == nb; i++) {
		if (strcmp(a[i]->d_name, b[i]->d_name) || a[i]->d_type != b[i]->d_type)
			return false;
	}
	return na == nb;
}

static bool trees_differ(const char *path, unsigned char type);

static bool dirs_differ(const char *path)
{
	struct dirent **list_of[3] = { NULL };
	int roots[3] = { walk.actor.root[NATIVE], walk.actor.root[MOUNT], walk.actor.behind };
	int i, nr[3];
	char sub[PATH_MAX];
	bool res;

	for (i = 0; i < 3; i++)
		nr[i] = list(roots[i], path, &list_of[i]);
	res = !same_lists(list_of[0], nr[0], list_of[1], nr[1]) ||
	      !same_lists(list_of[1], nr[1], list_of[2], nr[2]);
	if (res)
		differ(path, "the entries differ");
	for (i = 0; i < nr[0] && !res; i++) {
		snprintf(sub, sizeof(sub), "%s/%s", path, list_of[0][i]->d_name);
		res = trees_differ(sub, list_of[0][i]->d_type);
	}
	for (i = 0; i < 3; i++)
		free_list(list_of[i], nr[i]);
	return res;
}

static bool trees_differ(const char *path, unsigned char type)
{
	if (differ_in(look_stat, path) || differ_in(look_xattrs, path))
		return true;
	if (type == DT_DIR)
		return dirs_differ(path);
	if (type == DT_REG)
		return differ_in(look_text, path);
	return type == DT_LNK && differ_in(look_link, path);
}

bool world_compare(char dirs[3][128], char *why, size_t size)
{
	const char *const paths[3] = { dirs[0], dirs[1], dirs[2] };
	bool res;

	actor_init(&walk.actor);
	walk.why = why;
	walk.size = size;
	if (actor_enter(&walk.actor, paths)) {
		snprintf(why, size, "at the end: a directory cannot be opened");
		res = true;
	} else {
		res = trees_differ(".", DT_DIR);
	}
	actor_leave(&walk.actor);
	if (!res)
		why[0] = '\0';
	return res;
}

/* A directory or file that cannot be changed is made one that can. */
static void make_mutable(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int flags = 0;

	if (fd < 0)
		return;
	ioctl(fd, FS_IOC_SETFLAGS, &flags);
	close(fd);
}

static int remove_tree(int at, const char *name);

static int remove_entries(int at, const char *name)
{
	struct dirent **entries;
	int i, nr, err = 0, fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	nr = list(fd, ".", &entries);
	for (i = 0; i < nr && !err; i++)
		err = remove_tree(fd, entries[i]->d_name);
	if (nr >= 0)
		free_list(entries, nr);
	close(fd);
	return err;
}

static int remove_tree(int at, const char *name)
{
	int err;

	if (!unlinkat(at, name, 0))
		return 0;
	if (errno == EPERM) {
		make_mutable(at, name);
		if (!unlinkat(at, name, 0))
			return 0;
	}
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	make_mutable(at, name);
	err = remove_entries(at, name);
	return err ? err : RES(unlinkat(at, name, AT_REMOVEDIR));
}

int world_remove(char dirs[3][128])
{
	int err = remove_tree(AT_FDCWD, dirs[0]);
	struct stat st;

	err = err ? err : remove_tree(AT_FDCWD, dirs[1]);
	if (!err && !lstat(dirs[2], &st))
		err = -ENOTEMPTY;
	if (err)
		say("%s and its twin cannot be removed: %s", dirs[0], strerror(-err));
	return err;
}
