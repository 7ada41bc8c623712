// SPDX-License-Identifier: GPL-2.0-only
#include <bpf/bpf.h>
#include <ctype.h>
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <fuse_bpf.h>

#include "tree.h"

/**
 * struct tree_dir - a directory that each user has
 * @path: below the user's
 * @mode: permission bits; who may do what there is up to the filters
 * @gid: group
 * @class: for the filters
 * @types: of files that can be made there
 */
struct tree_dir {
	const char *path;
	mode_t mode;
	gid_t gid;
	enum astack_class class;
	__u32 types;
};

#define PICTURES	(1U << ASTACK_IMAGE | 1U << ASTACK_VIDEO)
#define ANY_TYPE	(~0U)
#define SHARED		02777

static const struct tree_dir tree_dirs[] = {
	{ ".", SHARED, SDCARD_RW, ASTACK_USER },
	{ "DCIM", SHARED, SDCARD_RW, ASTACK_MEDIA, PICTURES },
	{ "DCIM/Camera", SHARED, SDCARD_RW, ASTACK_MEDIA, PICTURES },
	{ "Pictures", SHARED, SDCARD_RW, ASTACK_MEDIA, PICTURES },
	{ "Movies", SHARED, SDCARD_RW, ASTACK_MEDIA, 1U << ASTACK_VIDEO },
	{ "Music", SHARED, SDCARD_RW, ASTACK_MEDIA, 1U << ASTACK_AUDIO },
	{ "Download", SHARED, SDCARD_RW, ASTACK_MEDIA, ANY_TYPE },
	{ "Documents", SHARED, SDCARD_RW, ASTACK_MEDIA, ANY_TYPE },
	{ ".transforms", 0700, MEDIA_RW, ASTACK_HIDDEN },
	{ "Android", 0755, MEDIA_RW, ASTACK_ANDROID },
	{ "Android/data", 0775, EXT_DATA_RW, ASTACK_DATA },
	{ "Android/obb", 0775, EXT_OBB_RW, ASTACK_OBB },
	{ "Android/media", SHARED, SDCARD_RW, ASTACK_MEDIA, ANY_TYPE },
};

#define NR_DIRS (sizeof(tree_dirs) / sizeof(tree_dirs[0]))

const char *const tree_map_names[TREE_MAPS] = {
	[TREE_UIDS] = "astack_uids",
	[TREE_DIRS] = "astack_dirs",
	[TREE_PKGS] = "astack_pkgs",
	[TREE_NAMES] = "astack_names",
	[TREE_TAGS] = "astack_tags",
	[TREE_SCANS] = "astack_scans",
	[TREE_TYPES] = "astack_types",
};

const char *const tree_collections[] = {
	"DCIM", "Pictures", "Movies", "Music", "Download", "Documents", "Android/media", NULL,
};

static int complain(const char *what, const char *name)
{
	int err = errno;

	fprintf(stderr, "astack: %s %s: %s\n", what, name, strerror(err));
	return -err;
}

__u64 tree_node(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : st.st_ino | FUSE_NODEID_KERNEL;
}

static int open_dir(int at, const char *path)
{
	return openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/*
 * Nobody can use the directory before it is its owner's. What is there already must be
 * as it would have been made: somebody may have been faster.
 */
static int make_dir(int at, const char *path, uid_t uid, gid_t gid, mode_t mode)
{
	struct stat st;
	int fd, err = 0;
	int made = !mkdirat(at, path, 0);

	if (!made && errno != EEXIST)
		return complain("cannot make", path);
	fd = open_dir(at, path);
	if (fd < 0)
		return complain("cannot open", path);
	if (made && (fchown(fd, uid, gid) || fchmod(fd, mode)))
		err = complain("cannot give away", path);
	else if (!made && (fstat(fd, &st) || st.st_uid != uid)) {
		errno = EEXIST;
		err = complain("belongs to somebody else:", path);
	}
	close(fd);
	return err;
}

#define ACL_ENTRY(tag, perm) { htole16(tag), htole16(perm), htole32(ACL_UNDEFINED_ID) }
#define ACL_ALL (ACL_READ | ACL_WRITE | ACL_EXECUTE)

/*
 * Where there is a default ACL, modes of what is made are those that the filter gives,
 * and the umask of who makes it has no say.
 */
static int share_dir(int at, const char *path)
{
	const struct {
		struct posix_acl_xattr_header head;
		struct posix_acl_xattr_entry entry[3];
	} acl = {
		{ htole32(POSIX_ACL_XATTR_VERSION) },
		{ ACL_ENTRY(ACL_USER_OBJ, ACL_ALL), ACL_ENTRY(ACL_GROUP_OBJ, ACL_ALL),
		  ACL_ENTRY(ACL_OTHER, ACL_ALL) },
	};
	int fd = open_dir(at, path), err = 0;

	if (fd < 0)
		return complain("cannot open", path);
	if (fsetxattr(fd, "system.posix_acl_default", &acl, sizeof(acl), 0))
		err = complain("cannot set the default ACL of", path);
	close(fd);
	return err;
}

static int make_nomedia(int user)
{
	int fd = openat(user, "Android/data/.nomedia", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0)
		return complain("cannot make", ".nomedia");
	close(fd);
	return 0;
}

int tree_make_user(int volume, unsigned int user)
{
	char name[16];
	unsigned int i;
	int fd, err;

	snprintf(name, sizeof(name), "%u", user);
	err = make_dir(volume, name, MEDIA_RW, SDCARD_RW, SHARED);
	if (err)
		return err;
	fd = open_dir(volume, name);
	if (fd < 0)
		return complain("cannot open", name);
	for (i = 1; i < NR_DIRS && !err; i++) {
		err = make_dir(fd, tree_dirs[i].path, MEDIA_RW, tree_dirs[i].gid,
			       tree_dirs[i].mode);
		if (!err && tree_dirs[i].class == ASTACK_MEDIA)
			err = share_dir(fd, tree_dirs[i].path);
	}
	if (!err)
		err = make_nomedia(fd);
	close(fd);
	return err;
}

static int keep_dir(int fd, const struct astack_dir *dir, int map)
{
	__u64 node = tree_node(fd);

	return node ? bpf_map_update_elem(map, &node, dir, BPF_ANY) : -errno;
}

static struct astack_name name_key(int at, const char *name)
{
	struct astack_name key = { .parent = tree_node(at) };

	snprintf(key.name, sizeof(key.name), "%s", name);
	return key;
}

/* Say whose a directory of an app is: by its inode for listings, by its name for walks */
static int keep_app(int at, const char *name, __u64 node, uid_t uid, const int maps[TREE_MAPS])
{
	const struct astack_name key = name_key(at, name);
	int err = bpf_map_update_elem(maps[TREE_PKGS], &node, &uid, BPF_ANY);

	return err ?: bpf_map_update_elem(maps[TREE_NAMES], &key, &uid, BPF_ANY);
}

static void forget_app(int at, const char *name, __u64 node, const int maps[TREE_MAPS])
{
	const struct astack_name key = name_key(at, name);

	bpf_map_delete_elem(maps[TREE_NAMES], &key);
	bpf_map_delete_elem(maps[TREE_PKGS], &node);
}

/* Owners of what is in a directory of apps */
static int register_apps(int user, const char *path, const int maps[TREE_MAPS])
{
	int fd = open_dir(user, path);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *ent;
	struct stat st;
	__u64 node;
	int err = 0;

	if (!d)
		return complain("cannot list", path);
	while (!err && (ent = readdir(d))) {
		if (ent->d_name[0] == '.' ||
		    fstatat(fd, ent->d_name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISDIR(st.st_mode))
			continue;
		node = st.st_ino | FUSE_NODEID_KERNEL;
		err = keep_app(fd, ent->d_name, node, st.st_uid, maps);
	}
	closedir(d);
	return err;
}

static int register_user(int volume, const char *name, const int maps[TREE_MAPS])
{
	int user = open_dir(volume, name), fd, err = 0;
	struct astack_dir dir;
	unsigned int i;

	if (user < 0)
		return complain("cannot open", name);
	for (i = 0; i < NR_DIRS && !err; i++) {
		dir = (struct astack_dir){ tree_dirs[i].class, atoi(name), tree_dirs[i].types };
		fd = open_dir(user, tree_dirs[i].path);
		err = fd < 0 ? complain("cannot open", tree_dirs[i].path) :
			       keep_dir(fd, &dir, maps[TREE_DIRS]);
		if (fd >= 0)
			close(fd);
	}
	if (!err)
		err = register_apps(user, "Android/data", maps);
	if (!err)
		err = register_apps(user, "Android/obb", maps);
	close(user);
	return err;
}

static int register_types(int map)
{
	static const struct {
		char suffix[ASTACK_SUFFIX_SIZE];
		__u32 type;
	} types[] = {
		{ ".jpg", ASTACK_IMAGE }, { ".jpeg", ASTACK_IMAGE }, { ".png", ASTACK_IMAGE },
		{ ".webp", ASTACK_IMAGE }, { ".heic", ASTACK_IMAGE }, { ".mp4", ASTACK_VIDEO },
		{ ".mkv", ASTACK_VIDEO }, { ".mp3", ASTACK_AUDIO }, { ".ogg", ASTACK_AUDIO },
		{ ".flac", ASTACK_AUDIO },
	};
	unsigned int i;
	int err = 0;

	for (i = 0; i < sizeof(types) / sizeof(types[0]) && !err; i++)
		err = bpf_map_update_elem(map, types[i].suffix, &types[i].type, BPF_ANY);
	return err;
}

int tree_register(int volume, const int maps[TREE_MAPS])
{
	const struct astack_dir root = { .class = ASTACK_ROOT };
	/* Called by its inode as a kernel-made node is, and by the root's id */
	const __u64 root_id = 1;
	int fd = open_dir(volume, "."), err;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *ent;

	if (!d)
		return complain("cannot list", "the volume");
	err = keep_dir(volume, &root, maps[TREE_DIRS]);
	if (!err)
		err = bpf_map_update_elem(maps[TREE_DIRS], &root_id, &root, BPF_ANY);
	if (!err)
		err = register_types(maps[TREE_TYPES]);
	while (!err && (ent = readdir(d))) {
		if (isdigit((unsigned char)ent->d_name[0]))
			err = register_user(volume, ent->d_name, maps);
	}
	closedir(d);
	return err;
}

static int app_dir(int volume, const char *class, unsigned int user)
{
	char path[64];

	snprintf(path, sizeof(path), "%u/Android/%s", user, class);
	return open_dir(volume, path);
}

static int install_in(int volume, const char *class, const char *name, uid_t uid, gid_t gid,
		      const int maps[TREE_MAPS])
{
	int at = app_dir(volume, class, uid / ASTACK_USER_UIDS), fd, err;
	__u64 node;

	if (at < 0)
		return complain("no user's directory", class);
	err = make_dir(at, name, uid, gid, 02770);
	fd = err ? -1 : open_dir(at, name);
	if (fd >= 0) {
		node = tree_node(fd);
		err = node ? keep_app(at, name, node, uid, maps) : -errno;
		close(fd);
	} else if (!err) {
		err = complain("cannot open", name);
	}
	close(at);
	return err;
}

static bool good_name(const char *name)
{
	if (name[0] && name[0] != '.' && !strchr(name, '/') && strlen(name) < ASTACK_NAME_SIZE)
		return true;
	fprintf(stderr, "astack: '%s' is no name of an app\n", name);
	return false;
}

int tree_install(int volume, const char *name, uid_t uid, const int maps[TREE_MAPS])
{
	int err = good_name(name) ? 0 : -EINVAL;

	if (!err)
		err = install_in(volume, "data", name, uid, EXT_DATA_RW, maps);
	return err ?: install_in(volume, "obb", name, uid, EXT_OBB_RW, maps);
}

static int remove_all(int at, const char *name)
{
	int fd, err = 0;
	struct dirent *ent;
	DIR *d;

	if (!unlinkat(at, name, 0))
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return complain("cannot remove", name);
	fd = open_dir(at, name);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return complain("cannot list", name);
	while (!err && (ent = readdir(d))) {
		if (strcmp(ent->d_name, ".") && strcmp(ent->d_name, ".."))
			err = remove_all(fd, ent->d_name);
	}
	closedir(d);
	if (!err && unlinkat(at, name, AT_REMOVEDIR))
		err = complain("cannot remove", name);
	return err;
}

static int uninstall_from(int volume, const char *class, const char *name, unsigned int user,
			  const int maps[TREE_MAPS])
{
	int at = app_dir(volume, class, user), fd, err;
	__u64 node;

	if (at < 0)
		return complain("no user's directory", class);
	fd = open_dir(at, name);
	node = fd < 0 ? 0 : tree_node(fd);
	if (fd >= 0)
		close(fd);
	/* Closed first: its inode number can be that of another directory soon */
	if (node)
		forget_app(at, name, node, maps);
	err = fd < 0 ? complain("no app", name) : remove_all(at, name);
	close(at);
	return err;
}

int tree_uninstall(int volume, const char *name, unsigned int user, const int maps[TREE_MAPS])
{
	int err = good_name(name) ? 0 : -EINVAL;

	if (!err)
		err = uninstall_from(volume, "data", name, user, maps);
	return err ?: uninstall_from(volume, "obb", name, user, maps);
}
