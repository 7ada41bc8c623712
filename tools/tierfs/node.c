// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inodes of the backing that the kernel has asked about, by their number: an inode has
 * one node, whatever its names.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
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
	pthread_mutex_lock(&table_lock);
	*node = get_locked(fd, st->st_ino);
	pthread_mutex_unlock(&table_lock);
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
