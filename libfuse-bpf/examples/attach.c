// SPDX-License-Identifier: GPL-2.0-only
/*
 * attach: a daemon that chooses, name by name, what the kernel answers for.
 *
 *	attach DIR MOUNTPOINT
 *
 * Mounts a file system whose root directory this process serves: its names are those
 * of DIR that do not begin with a dot. What they stand for is backed: the daemon is
 * asked to find, make and list names in the root, and hears nothing of what is in
 * files, nor of what is below directories. Unmount to end it.
 */
#define FUSE_USE_VERSION 317

#include <errno.h>
#include <fcntl.h>
#include <fuse_bpf.h>
#include <fuse_bpf_lowlevel.h>
#include <fuse_lowlevel.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/**
 * struct node - something in DIR that the kernel knows
 * @next: in the list of all
 * @st: what it was when it was found; the inode number is also the node id
 * @lookups: that the kernel has counted
 * @id: of the backing
 */
struct node {
	struct node *next;
	struct stat st;
	unsigned long lookups;
	int id;
};

static int dir;
static int device;
static struct node *nodes;

static struct node *find_node(fuse_ino_t ino)
{
	struct node *node;

	for (node = nodes; node; node = node->next)
		if (node->st.st_ino == ino)
			return node;
	return NULL;
}

/* Register what is open; NULL with errno set if that fails. */
static struct node *make_node(int fd, const struct stat *st)
{
	struct node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->st = *st;
	node->id = fuse_bpf_backing_open(device, fd, NULL);
	if (node->id < 0) {
		errno = -node->id;
		free(node);
		return NULL;
	}
	node->next = nodes;
	nodes = node;
	return node;
}

static struct node *get_node(const char *name)
{
	struct node *node;
	struct stat st;
	int fd;

	errno = ENOENT;
	fd = name[0] == '.' ? -1 : openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	if (fstat(fd, &st)) {
		close(fd);
		return NULL;
	}
	node = find_node(st.st_ino);
	/* Node 1 is the root */
	if (!node && st.st_ino != FUSE_ROOT_ID)
		node = make_node(fd, &st);
	close(fd);
	return node;
}

static void put_node(fuse_ino_t ino, unsigned long lookups)
{
	struct node **link, *node;

	for (link = &nodes; (node = *link); link = &node->next) {
		if (node->st.st_ino != ino)
			continue;
		node->lookups -= lookups;
		if (!node->lookups) {
			*link = node->next;
			fuse_bpf_backing_close(device, node->id);
			free(node);
		}
		return;
	}
}

static struct fuse_entry_param entry_of(const struct node *node)
{
	return (struct fuse_entry_param) {
		.ino = node->st.st_ino,
		.generation = 1,
		.attr = node->st,
		.entry_timeout = 1,
	};
}

static struct fuse_entry_backing_out backing_of(const struct node *node)
{
	return (struct fuse_entry_backing_out) {
		.backing_id = node->id,
		.flags = S_ISDIR(node->st.st_mode) ? FUSE_BACKING_INHERIT : 0,
	};
}

static void reply_name(fuse_req_t req, const char *name)
{
	struct fuse_entry_backing_out backing;
	struct fuse_entry_param entry;
	struct node *node = get_node(name);

	if (!node) {
		fuse_reply_err(req, errno);
		return;
	}
	entry = entry_of(node);
	backing = backing_of(node);
	node->lookups++;
	if (fuse_bpf_reply_entry(req, &entry, &backing))
		put_node(entry.ino, 1);
}

/* The daemon is asked about names in the root only: the others are the kernel's. */
static void attach_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	(void)parent;
	reply_name(req, name);
}

static void attach_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	(void)parent;
	if (name[0] == '.' || mkdirat(dir, name, mode))
		fuse_reply_err(req, name[0] == '.' ? EACCES : errno);
	else
		reply_name(req, name);
}

static void attach_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
			  struct fuse_file_info *fi)
{
	struct fuse_entry_backing_out backing;
	struct fuse_entry_param entry;
	struct node *node;
	int fd;

	(void)parent;
	fd = name[0] == '.' ? -1 : openat(dir, name, O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0) {
		fuse_reply_err(req, name[0] == '.' ? EACCES : errno);
		return;
	}
	close(fd);
	node = get_node(name);
	if (!node) {
		fuse_reply_err(req, errno);
		return;
	}
	entry = entry_of(node);
	backing = backing_of(node);
	node->lookups++;
	if (fuse_bpf_reply_create(req, &entry, fi, &backing))
		put_node(entry.ino, 1);
}

static void attach_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	(void)parent;
	fuse_reply_err(req, unlinkat(dir, name, 0) ? errno : 0);
}

static void attach_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	(void)parent;
	fuse_reply_err(req, unlinkat(dir, name, AT_REMOVEDIR) ? errno : 0);
}

static void attach_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;

	(void)fi;
	if (fstat(dir, &st)) {
		fuse_reply_err(req, errno);
		return;
	}
	st.st_ino = ino;
	fuse_reply_attr(req, &st, 0);
}

static void attach_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
			   struct fuse_file_info *fi)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	char *buf = malloc(size);
	size_t len = 0, add;
	struct dirent *ent;

	(void)ino;
	(void)fi;
	if (d && off)
		seekdir(d, off);
	while (d && buf && (ent = readdir(d))) {
		struct stat st = { .st_ino = ent->d_ino, .st_mode = DTTOIF(ent->d_type) };

		if (ent->d_name[0] == '.')
			continue;
		add = fuse_add_direntry(req, buf + len, size - len, ent->d_name, &st, ent->d_off);
		if (add > size - len)
			break;
		len += add;
	}
	if (d && buf)
		fuse_reply_buf(req, buf, len);
	else
		fuse_reply_err(req, ENOMEM);
	free(buf);
	if (d)
		closedir(d);
	else if (fd >= 0)
		close(fd);
}

static void attach_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups)
{
	put_node(ino, lookups);
	fuse_reply_none(req);
}

/* The kernel has opened the backing by itself; there is no handle to let go of. */
static void attach_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	(void)fi;
	fuse_reply_err(req, 0);
}

static void attach_init(void *arg, struct fuse_conn_info *conn)
{
	(void)arg;
	if (!fuse_set_feature_flag(conn, FUSE_CAP_PASSTHROUGH))
		fprintf(stderr, "attach: the kernel has no passthrough\n");
	conn->max_backing_stack_depth = 1;
	fuse_unset_feature_flag(conn, FUSE_CAP_WRITEBACK_CACHE);
}

static const struct fuse_lowlevel_ops attach_ops = {
	.init = attach_init,
	.lookup = attach_lookup,
	.forget = attach_forget,
	.getattr = attach_getattr,
	.mkdir = attach_mkdir,
	.create = attach_create,
	.unlink = attach_unlink,
	.rmdir = attach_rmdir,
	.readdir = attach_readdir,
	.release = attach_release,
};

int main(int argc, char **argv)
{
	FUSE_BPF_OPTS(fuse_bpf_mount_opts, opts,
		      .flags = FUSE_BPF_MOUNT_ALLOW_OTHER | FUSE_BPF_MOUNT_PLAIN |
			       FUSE_BPF_MOUNT_DEFAULT_PERMISSIONS);
	int err;

	if (argc != 3) {
		fprintf(stderr, "usage: attach DIR MOUNTPOINT\n");
		return 2;
	}
	dir = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0) {
		fprintf(stderr, "attach: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	/* The mode of what is made is the caller's */
	umask(0);
	err = fuse_bpf_mount(NULL, argv[2], &device, &opts);
	if (err) {
		fprintf(stderr, "attach: cannot mount %s: %s\n", argv[2], strerror(-err));
		return 1;
	}
	return fuse_bpf_session_run(device, &attach_ops, sizeof(attach_ops), NULL) ? 1 : 0;
}
