// SPDX-License-Identifier: LGPL-2.1-only
/*
 * Names for a daemon that has no tree of its own: those of the backing. A node is an
 * object of it, so that it stays the same whatever its name becomes.
 */
#define FUSE_USE_VERSION 317

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/fuse_bpf.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nodes.h"
#include "table.h"

static struct fuse_bpf_table *table_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

int fuse_bpf_nodes_fd(void *table, uint64_t nodeid)
{
	int fd = nodeid & FUSE_NODEID_KERNEL ? -ESTALE : fuse_bpf_table_open(table, nodeid);

	return fd < 0 ? -1 : fd;
}

/* A name in a directory, as an O_PATH descriptor; or an errno */
static int find_name(struct fuse_bpf_table *table, fuse_ino_t parent, const char *name,
		     struct stat *st)
{
	int dir = fuse_bpf_table_open(table, parent), fd, err;

	if (dir < 0)
		return dir;
	fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	err = fd < 0 ? -errno : 0;
	close(dir);
	if (err)
		return err;
	if (!fstat(fd, st))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static void nodes_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = {};
	int fd = find_name(table_of(req), parent, name, &entry.attr);

	if (fd < 0) {
		fuse_reply_err(req, -fd);
		return;
	}
	entry.ino = fuse_bpf_table_get(table_of(req), fd, &entry.attr);
	if (!entry.ino)
		fuse_reply_err(req, ENOMEM);
	else if (fuse_reply_entry(req, &entry))
		fuse_bpf_table_put(table_of(req), entry.ino, 1);
}

static void nodes_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups)
{
	fuse_bpf_table_put(table_of(req), ino, lookups);
	fuse_reply_none(req);
}

static void nodes_forget_multi(fuse_req_t req, size_t nr, struct fuse_forget_data *forgets)
{
	size_t i;

	for (i = 0; i < nr; i++)
		fuse_bpf_table_put(table_of(req), forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

static void nodes_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	int fd = fuse_bpf_table_open(table_of(req), ino);
	struct stat st;

	(void)fi;
	if (fd < 0)
		fuse_reply_err(req, -fd);
	else if (fstat(fd, &st))
		fuse_reply_err(req, errno);
	else
		fuse_reply_attr(req, &st, 0);
	if (fd >= 0)
		close(fd);
}

const struct fuse_lowlevel_ops fuse_bpf_node_ops = {
	.lookup = nodes_lookup,
	.forget = nodes_forget,
	.forget_multi = nodes_forget_multi,
	.getattr = nodes_getattr,
};

static void closed_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	(void)parent;
	(void)name;
	fuse_reply_err(req, EACCES);
}

static void closed_node(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	(void)fi;
	fuse_reply_err(req, EACCES);
}

/* What libfuse answers with ENOSYS, the kernel takes to be allowed, or not there. */
static void closed_access(fuse_req_t req, fuse_ino_t ino, int mask)
{
	(void)ino;
	(void)mask;
	fuse_reply_err(req, EACCES);
}

static void closed_statfs(fuse_req_t req, fuse_ino_t ino)
{
	(void)ino;
	fuse_reply_err(req, EACCES);
}

const struct fuse_lowlevel_ops fuse_bpf_closed_ops = {
	.lookup = closed_lookup,
	.getattr = closed_node,
	.opendir = closed_node,
	.access = closed_access,
	.statfs = closed_statfs,
};
