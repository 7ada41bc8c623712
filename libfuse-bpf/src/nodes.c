// SPDX-License-Identifier: LGPL-2.1-only
/*
 * Names for a daemon that has no tree of its own: those of the backing. A node is an
 * object of it, held by a descriptor, so that it stays the same whatever its name becomes.
 */
#define FUSE_USE_VERSION 317

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/fuse_bpf.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nodes.h"

#define BUCKETS 4096

/**
 * struct node - something in the backing that the kernel has named
 * @next: in the bucket
 * @dev: device of the object
 * @ino: inode number of the object
 * @lookups: that the kernel counts
 * @fd: O_PATH descriptor of the object
 */
struct node {
	struct node *next;
	dev_t dev;
	ino_t ino;
	uint64_t lookups;
	int fd;
};

/**
 * struct fuse_bpf_nodes - all of them
 * @lock: of @buckets and what is in them
 * @root: node 1
 * @buckets: by inode number
 */
struct fuse_bpf_nodes {
	pthread_mutex_t lock;
	struct node root;
	struct node *buckets[BUCKETS];
};

struct fuse_bpf_nodes *fuse_bpf_nodes_new(int fd)
{
	struct fuse_bpf_nodes *nodes = calloc(1, sizeof(*nodes));

	if (!nodes)
		return NULL;
	pthread_mutex_init(&nodes->lock, NULL);
	nodes->root.fd = fd;
	return nodes;
}

void fuse_bpf_nodes_free(struct fuse_bpf_nodes *nodes)
{
	struct node *node;
	size_t i;

	if (!nodes)
		return;
	for (i = 0; i < BUCKETS; i++) {
		while ((node = nodes->buckets[i])) {
			nodes->buckets[i] = node->next;
			close(node->fd);
			free(node);
		}
	}
	pthread_mutex_destroy(&nodes->lock);
	free(nodes);
}

/* Node ids are addresses, which no kernel-made id can equal: those have the top bit. */
static struct node *node_at(struct fuse_bpf_nodes *nodes, uint64_t nodeid)
{
	return nodeid == FUSE_ROOT_ID ? &nodes->root : (struct node *)(uintptr_t)nodeid;
}

static struct node *node_of(fuse_req_t req, fuse_ino_t ino)
{
	return node_at(fuse_req_userdata(req), ino);
}

int fuse_bpf_nodes_fd(void *nodes, uint64_t nodeid)
{
	return nodeid && !(nodeid & FUSE_NODEID_KERNEL) ? node_at(nodes, nodeid)->fd : -1;
}

static struct node **bucket_of(struct fuse_bpf_nodes *nodes, ino_t ino)
{
	return &nodes->buckets[ino % BUCKETS];
}

/* Takes @fd over. NULL: no memory. Called with the lock held. */
static struct node *find_or_add(struct fuse_bpf_nodes *nodes, int fd, const struct stat *st)
{
	struct node **bucket = bucket_of(nodes, st->st_ino);
	struct node *node;

	for (node = *bucket; node; node = node->next) {
		if (node->ino == st->st_ino && node->dev == st->st_dev) {
			close(fd);
			return node;
		}
	}
	node = calloc(1, sizeof(*node));
	if (!node) {
		close(fd);
		return NULL;
	}
	node->fd = fd;
	node->dev = st->st_dev;
	node->ino = st->st_ino;
	node->next = *bucket;
	*bucket = node;
	return node;
}

static struct node *get_node(struct fuse_bpf_nodes *nodes, int fd, const struct stat *st)
{
	struct node *node;

	pthread_mutex_lock(&nodes->lock);
	node = find_or_add(nodes, fd, st);
	if (node)
		node->lookups++;
	pthread_mutex_unlock(&nodes->lock);
	return node;
}

static void put_node(struct fuse_bpf_nodes *nodes, struct node *node, uint64_t lookups)
{
	struct node **link;

	pthread_mutex_lock(&nodes->lock);
	node->lookups -= lookups;
	if (!node->lookups) {
		link = bucket_of(nodes, node->ino);
		while (*link != node)
			link = &(*link)->next;
		*link = node->next;
		close(node->fd);
		free(node);
	}
	pthread_mutex_unlock(&nodes->lock);
}

static void nodes_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_bpf_nodes *nodes = fuse_req_userdata(req);
	struct fuse_entry_param entry = {};
	struct node *node;
	int fd;

	fd = openat(node_of(req, parent)->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		fuse_reply_err(req, errno);
		return;
	}
	if (fstat(fd, &entry.attr)) {
		fuse_reply_err(req, errno);
		close(fd);
		return;
	}
	node = get_node(nodes, fd, &entry.attr);
	if (!node) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	entry.ino = (uintptr_t)node;
	if (fuse_reply_entry(req, &entry))
		put_node(nodes, node, 1);
}

static void nodes_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups)
{
	if (ino != FUSE_ROOT_ID)
		put_node(fuse_req_userdata(req), node_of(req, ino), lookups);
	fuse_reply_none(req);
}

static void nodes_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;

	(void)fi;
	if (fstat(node_of(req, ino)->fd, &st))
		fuse_reply_err(req, errno);
	else
		fuse_reply_attr(req, &st, 0);
}

const struct fuse_lowlevel_ops fuse_bpf_node_ops = {
	.lookup = nodes_lookup,
	.forget = nodes_forget,
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
