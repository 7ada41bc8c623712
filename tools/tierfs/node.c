// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inodes of the backing that the kernel has asked about, by their number: an inode has
 * one node, whatever its names.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tierfs.h"

#define NR_BUCKETS 16384

static struct node *buckets[NR_BUCKETS];
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static struct node root = { .lock = PTHREAD_MUTEX_INITIALIZER };
static dev_t root_dev;

/* node_init - begin with the root, whose descriptor is taken over */
int node_init(int backing_fd)
{
	struct stat st;

	if (fstat(backing_fd, &st))
		return -errno;
	root.fd = backing_fd;
	root.ino = st.st_ino;
	root_dev = st.st_dev;
	return 0;
}

struct node *node_of(uint64_t nodeid)
{
	return nodeid == 1 ? &root : (struct node *)(uintptr_t)nodeid;
}

uint64_t node_id(const struct node *node)
{
	return node == &root ? 1 : (uintptr_t)node;
}

struct node *node_root(void)
{
	return &root;
}

/* node_dev - the file system that all nodes are on */
dev_t node_dev(void)
{
	return root_dev;
}

static struct node **bucket_of(ino_t ino)
{
	return &buckets[ino % NR_BUCKETS];
}

static struct node *find_locked(ino_t ino)
{
	struct node *node = *bucket_of(ino);

	while (node && node->ino != ino)
		node = node->next;
	return node;
}

/* Takes over @fd; NULL: no memory */
static struct node *get_locked(int fd, ino_t ino)
{
	struct node *node = find_locked(ino);

	if (node) {
		close(fd);
		node->refs++;
		return node;
	}
	node = calloc(1, sizeof(*node));
	if (!node) {
		close(fd);
		return NULL;
	}
	node->fd = fd;
	node->ino = ino;
	node->refs = 1;
	pthread_mutex_init(&node->lock, NULL);
	node->next = *bucket_of(ino);
	*bucket_of(ino) = node;
	return node;
}

/* node_at - the node of a descriptor, which is taken over; NULL: no memory */
struct node *node_at(int fd, const struct stat *st)
{
	struct node *node;

	pthread_mutex_lock(&table_lock);
	node = get_locked(fd, st->st_ino);
	pthread_mutex_unlock(&table_lock);
	return node;
}

/* node_get - one more reference of somebody who has one */
void node_get(struct node *node)
{
	if (node == &root)
		return;
	pthread_mutex_lock(&table_lock);
	node->refs++;
	pthread_mutex_unlock(&table_lock);
}

/**
 * node_find - find a name in a directory
 * @dir: the directory
 * @name: the name
 * @node: out: with one more reference
 * @st: out: its attributes
 *
 * Return: 0, -EXDEV it is on another file system, so that its number says nothing, or
 * what openat(2) failed with
 */
int node_find(struct node *dir, const char *name, struct node **node, struct stat *st)
{
	int fd = openat(dir->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, st))
		err = -errno;
	else if (st->st_dev != root_dev)
		err = -EXDEV;
	if (err) {
		close(fd);
		return err;
	}
	*node = node_at(fd, st);
	return *node ? 0 : -ENOMEM;
}

/* node_get_ino - a node that the kernel knows, with one more reference; NULL: none */
struct node *node_get_ino(ino_t ino)
{
	struct node *node;

	pthread_mutex_lock(&table_lock);
	node = find_locked(ino);
	if (node)
		node->refs++;
	pthread_mutex_unlock(&table_lock);
	return node;
}

/* node_put - give references back */
void node_put(struct node *node, uint64_t refs)
{
	struct node **link;

	if (node == &root)
		return;
	pthread_mutex_lock(&table_lock);
	node->refs -= refs;
	if (!node->refs) {
		for (link = bucket_of(node->ino); *link != node; link = &(*link)->next)
			;
		*link = node->next;
	}
	refs = node->refs;
	pthread_mutex_unlock(&table_lock);
	if (refs)
		return;
	close(node->fd);
	pthread_mutex_destroy(&node->lock);
	free(node);
}

/* node_open - open what a node stands for, whether it still has a name or not */
int node_open(const struct node *node, int flags)
{
	char path[40];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", node->fd);
	fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* What a descriptor is of, as the kernel calls it now */
static int path_of(int fd, char *path, size_t size)
{
	char link[40];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, size);
	if (len < 0)
		return -errno;
	if ((size_t)len >= size)
		return -ENAMETOOLONG;
	path[len] = '\0';
	return len;
}

/**
 * node_path - a name that an inode has now
 * @node: the inode
 * @path: out: below the root, without a slash in front
 * @size: bytes in @path
 *
 * Return: 0, -ENOENT it has none that is known, or what readlink(2) failed with
 */
int node_path(const struct node *node, char *path, size_t size)
{
	char top[PATH_MAX], full[PATH_MAX];
	int top_len = path_of(root.fd, top, sizeof(top));
	int len = path_of(node->fd, full, sizeof(full));
	struct stat st;

	if (top_len < 0 || len < 0)
		return top_len < 0 ? top_len : len;
	/* The root of all ends in a slash itself */
	if (top[top_len - 1] == '/')
		top_len--;
	if (len <= top_len + 1 || memcmp(full, top, top_len) || full[top_len] != '/')
		return -ENOENT;
	if ((size_t)(len - top_len) > size)
		return -ENAMETOOLONG;
	strcpy(path, full + top_len + 1);
	/* What the kernel says of a name that was removed could be another one's name */
	if (fstatat(root.fd, path, &st, AT_SYMLINK_NOFOLLOW) || st.st_ino != node->ino)
		return -ENOENT;
	return 0;
}
