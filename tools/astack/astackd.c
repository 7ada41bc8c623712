// SPDX-License-Identifier: GPL-2.0-only
/*
 * astackd: a shared storage for apps, of which nearly all is answered in the kernel.
 *
 *	astackd VOLUME MOUNTPOINT
 *
 * VOLUME has a directory for each user; see "astackctl user". The mount is backed by it
 * and governed by the filters of astack.bpf.c, which are pinned in ASTACK_PINS with their
 * maps. What is left to this process, as user 1023 without capabilities: to find the
 * locations in shared files and read these for whoever may not know them, until the
 * kernel can; and to remove and rename shared files for who owns them. Unmount to end it.
 */
#define FUSE_USE_VERSION 317

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse_bpf.h>
#include <fuse_lowlevel.h>
#include <grp.h>
#include <limits.h>
#include <linux/mount.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "astack.skel.h"
#include "exif.h"
#include "tree.h"

/**
 * struct node - something on the volume that the kernel has asked about
 * @next: in the bucket
 * @ino: inode number, and node id
 * @fd: O_PATH
 * @lookups: that the kernel has counted
 */
struct node {
	struct node *next;
	ino_t ino;
	int fd;
	unsigned long lookups;
};

#define NR_BUCKETS 65536

static struct node root = { .ino = FUSE_ROOT_ID, .lookups = 1 };
static struct node *buckets[NR_BUCKETS] = { [FUSE_ROOT_ID] = &root };
static int maps[TREE_MAPS];

static struct node **bucket_of(ino_t ino)
{
	return &buckets[ino % NR_BUCKETS];
}

static struct node *find_node(fuse_ino_t ino)
{
	struct node *node = *bucket_of(ino);

	while (node && node->ino != ino)
		node = node->next;
	return node;
}

static struct node *add_node(int fd, ino_t ino)
{
	struct node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->next = *bucket_of(ino);
	node->ino = ino;
	node->fd = fd;
	*bucket_of(ino) = node;
	return node;
}

static void put_node(fuse_ino_t ino, unsigned long lookups)
{
	struct node **link, *node;

	for (link = bucket_of(ino); (node = *link); link = &node->next) {
		if (node->ino != ino)
			continue;
		node->lookups -= lookups < node->lookups ? lookups : node->lookups;
		if (!node->lookups && node != &root) {
			*link = node->next;
			close(node->fd);
			free(node);
		}
		return;
	}
}

static void ll_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct node *dir = find_node(parent), *node;
	struct fuse_entry_param entry = {};
	int fd = dir ? openat(dir->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC) : -1;

	if (fd < 0 || fstat(fd, &entry.attr)) {
		fuse_reply_err(req, dir ? errno : ESTALE);
		if (fd >= 0)
			close(fd);
		return;
	}
	node = find_node(entry.attr.st_ino);
	if (node || entry.attr.st_ino == FUSE_ROOT_ID)
		close(fd);
	else
		node = add_node(fd, entry.attr.st_ino);
	if (!node || node == &root) {
		fuse_reply_err(req, EIO);
		return;
	}
	entry.ino = node->ino;
	node->lookups++;
	if (fuse_reply_entry(req, &entry))
		put_node(entry.ino, 1);
}

static void ll_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups)
{
	put_node(ino, lookups);
	fuse_reply_none(req);
}

static void ll_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct node *node = find_node(ino);
	struct stat st;

	(void)fi;
	if (!node || fstat(node->fd, &st)) {
		fuse_reply_err(req, node ? errno : ESTALE);
		return;
	}
	st.st_ino = ino;
	fuse_reply_attr(req, &st, 0);
}

static int reopen(const struct node *node)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", node->fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void ll_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct node *node = find_node(ino);
	int fd = node ? reopen(node) : -1;

	if (fd < 0) {
		fuse_reply_err(req, node ? errno : ESTALE);
		return;
	}
	fi->fh = fd;
	fi->direct_io = 1;
	if (fuse_reply_open(req, fi))
		close(fd);
}

static void ll_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	close(fi->fh);
	fuse_reply_err(req, 0);
}

/* What an administrator has said, besides what is found */
static void add_ranges(int fd, struct astack_scan *scan)
{
	char text[512], *at = text, *end;
	ssize_t len = fgetxattr(fd, ASTACK_XATTR, text, sizeof(text) - 1);
	__u64 start;

	if (len < 0)
		return;
	text[len] = '\0';
	while (*at) {
		start = strtoull(at, &end, 0);
		if (end == at || *end != ':') {
			exif_add(scan, 0, ~0ULL);
			return;
		}
		exif_add(scan, start, start + strtoull(end + 1, &at, 0));
		at += *at == ',';
	}
}

/*
 * Search a file, and tell the kernel if it has not changed meanwhile: then it need not
 * ask again. Filters compare the generation at each read.
 */
static int search(int fd, struct astack_scan *scan)
{
	struct astack_tag before = {}, after = {};
	__u64 node = tree_node(fd);
	int err, known;

	memset(scan, 0, sizeof(*scan));
	known = !bpf_map_lookup_elem(maps[TREE_TAGS], &node, &before);
	err = exif_find(fd, scan);
	if (err)
		return err;
	add_ranges(fd, scan);
	if (known && !before.writers && !bpf_map_lookup_elem(maps[TREE_TAGS], &node, &after) &&
	    before.gen == after.gen) {
		scan->gen = before.gen;
		bpf_map_update_elem(maps[TREE_SCANS], &node, scan, BPF_ANY);
	}
	return 0;
}

static void blank(char *buf, __u64 off, __u64 len, const struct astack_scan *scan)
{
	__u64 start, end, i;

	for (i = 0; i < scan->nr; i++) {
		start = scan->range[i].start > off ? scan->range[i].start : off;
		end = scan->range[i].end < off + len ? scan->range[i].end : off + len;
		if (start < end)
			memset(buf + (start - off), 0, end - start);
	}
}

/*
 * Only who may not know locations is sent here. The file may be written to meanwhile, so
 * it is searched before and after.
 */
static void ll_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	struct astack_scan first, last;
	char *buf = malloc(size);
	ssize_t len = -1;
	int err = buf ? search(fi->fh, &first) : -ENOMEM;

	(void)ino;
	if (!err) {
		len = pread(fi->fh, buf, size, off);
		err = len < 0 ? -errno : search(fi->fh, &last);
	}
	if (err) {
		fuse_reply_err(req, -err);
	} else {
		blank(buf, off, len, &first);
		blank(buf, off, len, &last);
		fuse_reply_buf(req, buf, len);
	}
	free(buf);
}

static __u32 rights_of(uid_t uid)
{
	__u32 flags = 0;

	if (!uid)
		return ASTACK_SYSTEM;
	return bpf_map_lookup_elem(maps[TREE_UIDS], &uid, &flags) ? 0 : flags;
}

/* May who asks take a name away? Filters have let him come as far as this. */
static int may_remove(const struct fuse_ctx *ctx, const struct node *dir, const char *name)
{
	struct stat st;

	if (fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW))
		return -errno;
	if (st.st_uid == ctx->uid || rights_of(ctx->uid) & (ASTACK_MANAGE | ASTACK_SYSTEM))
		return 0;
	return -EACCES;
}

static void remove_name(fuse_req_t req, fuse_ino_t parent, const char *name, int flags)
{
	struct node *dir = find_node(parent);
	int err = dir ? may_remove(fuse_req_ctx(req), dir, name) : -ESTALE;

	if (!err && unlinkat(dir->fd, name, flags))
		err = -errno;
	fuse_reply_err(req, -err);
}

static void ll_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_name(req, parent, name, 0);
}

static void ll_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_name(req, parent, name, AT_REMOVEDIR);
}

static int collection_of(const struct node *dir, struct astack_dir *collection)
{
	__u64 node = tree_node(dir->fd);

	if (bpf_map_lookup_elem(maps[TREE_DIRS], &node, collection) ||
	    collection->class != ASTACK_MEDIA)
		return -EPERM;
	return 0;
}

/*
 * May a file have this name in this directory? A directory could hold anything: it moves
 * only to where the same types can be made; mv(1) makes another one and asks about each.
 */
static int may_be_called(const struct fuse_ctx *ctx, const struct node *from, const char *name,
			 const struct node *dir, const char *newname)
{
	char key[ASTACK_SUFFIX_SIZE] = "";
	const char *dot = strrchr(newname, '.');
	__u32 type = ASTACK_OTHER;
	struct astack_dir old, where;
	struct stat st;

	if (fstatat(from->fd, name, &st, AT_SYMLINK_NOFOLLOW))
		return -errno;
	if (rights_of(ctx->uid) & (ASTACK_MANAGE | ASTACK_SYSTEM))
		return 0;
	if (collection_of(from, &old) || collection_of(dir, &where))
		return -EPERM;
	if (S_ISDIR(st.st_mode))
		return old.types == where.types ? 0 : -EXDEV;
	if (dot && strlen(dot) < sizeof(key)) {
		strcpy(key, dot);
		bpf_map_lookup_elem(maps[TREE_TYPES], key, &type);
	}
	return where.types >> type & 1 ? 0 : -EPERM;
}

static void ll_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
		      const char *newname, unsigned int flags)
{
	struct node *dir = find_node(parent), *newdir = find_node(newparent);
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	int err = dir && newdir ? 0 : -ESTALE;

	/* Two names that change places, or a device in one's place: not for apps */
	if (!err && flags & ~RENAME_NOREPLACE)
		err = -EINVAL;
	if (!err)
		err = may_remove(ctx, dir, name);
	if (!err)
		err = may_be_called(ctx, dir, name, newdir, newname);
	if (!err)
		err = may_remove(ctx, newdir, newname);
	if (err == -ENOENT && dir && !faccessat(dir->fd, name, F_OK, AT_SYMLINK_NOFOLLOW))
		err = 0;
	if (!err && renameat2(dir->fd, name, newdir->fd, newname, flags))
		err = -errno;
	fuse_reply_err(req, -err);
}

static const struct fuse_lowlevel_ops astack_ops = {
	.lookup = ll_lookup,
	.forget = ll_forget,
	.getattr = ll_getattr,
	.open = ll_open,
	.read = ll_read,
	.release = ll_release,
	.unlink = ll_unlink,
	.rmdir = ll_rmdir,
	.rename = ll_rename,
};

static int explain(int err, const char *what)
{
	if (err)
		fprintf(stderr, "astackd: %s: %s\n", what, strerror(-err));
	return err;
}

static int pin_maps(struct bpf_object *obj)
{
	char path[PATH_MAX];
	struct bpf_map *map;
	int i, err = 0;

	for (i = 0; i < TREE_MAPS && !err; i++) {
		map = bpf_object__find_map_by_name(obj, tree_map_names[i]);
		snprintf(path, sizeof(path), ASTACK_PINS "/%s", tree_map_names[i]);
		err = map ? bpf_map__pin(map, path) : -ENOENT;
		maps[i] = map ? bpf_map__fd(map) : -1;
	}
	return explain(err, "cannot pin the maps in " ASTACK_PINS);
}

/* Registered and pinned, so that the filters outlive this process */
static int register_filter(struct bpf_map *ops)
{
	struct bpf_link *link = bpf_map__attach_struct_ops(ops);
	char path[PATH_MAX];
	int err = link ? 0 : -errno;

	snprintf(path, sizeof(path), ASTACK_PINS "/link_%s", bpf_map__name(ops));
	if (!err)
		err = bpf_link__pin(link, path);
	/* The pin alone holds it from here on */
	if (link)
		bpf_link__destroy(link);
	return explain(err, path);
}

static int load(struct astack_bpf **skel)
{
	int err;

	if (mkdir(ASTACK_PINS, 0700))
		return explain(-errno, ASTACK_PINS);
	*skel = astack_bpf__open_and_load();
	err = *skel ? pin_maps((*skel)->obj) : explain(-errno, "cannot load the filters");
	if (!err)
		err = register_filter((*skel)->maps.astack_priv);
	return err ?: register_filter((*skel)->maps.astack_media);
}

/* Every collection of each user that has a tree by now */
static int attach_media(int dir, const char *user, int filter)
{
	FUSE_BPF_OPTS(fuse_bpf_attach_opts, opts, .flags = FUSE_FILTER_DIRECTORY);
	const char *const *name;
	char path[PATH_MAX];
	int fd, err = 0;

	for (name = tree_collections; *name && !err; name++) {
		snprintf(path, sizeof(path), "%s/%s", user, *name);
		fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		err = fd < 0 ? -errno : fuse_bpf_attach(fd, filter, NULL, &opts);
		explain(err, path);
		if (fd >= 0)
			close(fd);
	}
	return err;
}

static int attach(const char *volume, int mount, struct astack_bpf *skel)
{
	int dir = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;
	struct dirent **users;
	int nr, i;

	if (dir < 0)
		return explain(-errno, "cannot open the mount");
	err = fuse_bpf_attach(dir, bpf_map__fd(skel->maps.astack_priv), NULL, NULL);
	explain(err, "cannot attach astack_priv");
	nr = err ? 0 : scandir(volume, &users, NULL, NULL);
	for (i = 0; i < nr; i++) {
		if (!err && strspn(users[i]->d_name, "0123456789") == strlen(users[i]->d_name))
			err = attach_media(dir, users[i]->d_name,
					   bpf_map__fd(skel->maps.astack_media));
		free(users[i]);
	}
	if (nr > 0)
		free(users);
	close(dir);
	return err;
}

/* Nobody sees the mount before its filters are there. */
static int mount_it(const char *volume, const char *mountpoint, struct astack_bpf *skel,
		    int *device)
{
	FUSE_BPF_OPTS(fuse_bpf_mount_opts, opts,
		      .source = "astack", .flags = FUSE_BPF_MOUNT_ALLOW_OTHER,
		      .mount_attrs = MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	int mount = fuse_bpf_fsmount(volume, device, &opts), err;

	if (mount < 0)
		return explain(mount, "cannot mount");
	err = attach(volume, mount, skel);
	if (!err && syscall(SYS_move_mount, mount, "", AT_FDCWD, mountpoint,
			    MOVE_MOUNT_F_EMPTY_PATH))
		err = explain(-errno, mountpoint);
	close(mount);
	return err;
}

/* From here on, there is nothing that this process could do for an attacker */
static int drop_privileges(void)
{
	const gid_t groups[] = { SDCARD_RW };

	if (setgroups(1, groups) || setresgid(MEDIA_RW, MEDIA_RW, MEDIA_RW) ||
	    setresuid(MEDIA_RW, MEDIA_RW, MEDIA_RW))
		return explain(-errno, "cannot become media_rw");
	return 0;
}

int main(int argc, char **argv)
{
	struct astack_bpf *skel = NULL;
	int device;

	if (argc != 3) {
		fprintf(stderr, "usage: astackd VOLUME MOUNTPOINT\n");
		return 2;
	}
	root.fd = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root.fd < 0) {
		explain(-errno, argv[1]);
		return 1;
	}
	umask(0);
	if (load(&skel) || tree_register(root.fd, maps) ||
	    mount_it(argv[1], argv[2], skel, &device) || drop_privileges())
		return 1;
	return fuse_bpf_session_run(device, &astack_ops, sizeof(astack_ops), NULL) ? 1 : 0;
}
