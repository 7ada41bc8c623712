// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files that have lost their last name, and whose objects go after them.
 *
 * A file with an object of its own gets one more name, in a directory that the filter
 * hides, before it loses one. Whenever the daemon dies, that directory says what has to be
 * looked at: a file that has another name still is none of the dead, and from others the
 * object goes first.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tierfs.h"

static int graves = -1;

/* bury_init - make and open the directory */
int bury_init(void)
{
	int root = node_root()->fd;
	struct stat st;

	if (mkdirat(root, TIER_GRAVES, 0700) && errno != EEXIST)
		return -errno;
	graves = openat(root, TIER_GRAVES, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (graves < 0 || fstat(graves, &st))
		return -errno;
	return st.st_uid || st.st_mode & 077 ? -EPERM : 0;
}

/* bury_dir - the directory, not to be closed */
int bury_dir(void)
{
	return graves;
}

static void grave_of(const struct node *node, char name[24])
{
	snprintf(name, 24, "%" PRIu64, (uint64_t)node->ino);
}

/**
 * bury_begin - a file is about to lose a name
 * @node: regular file, locked
 *
 * Return: 0, it is kept, and work_add() is to be called when the name is gone; -ENODATA
 * there is no need to; or what linkat(2) failed with
 */
int bury_begin(struct node *node)
{
	struct tier_meta meta;
	char name[24];
	int err;

	err = meta_of(node, &meta);
	if (err)
		return err;
	if (!meta.owned && !meta.pending)
		return -ENODATA;
	grave_of(node, name);
	if (linkat(node->fd, "", graves, name, AT_EMPTY_PATH) && errno != EEXIST)
		return -errno;
	return 0;
}

/* From here on the object is nobody's, and to be removed. */
static int disown(struct node *node, int fd, struct tier_meta *meta)
{
	int err;

	if (meta->owned) {
		strcpy(meta->other, meta->object);
		meta->pending = PENDING_REMOVE;
		meta->owned = 0;
		*meta->object = '\0';
		if (meta->state == TIER_CLEAN)
			meta->state = TIER_CHANGED;
		err = meta_save(fd, meta);
		if (err)
			return err;
	}
	return upload_settle(node, fd, meta);
}

/* Of a file that is not whole, whoever has it open reads from the object still. */
static int remove_object(struct node *node)
{
	struct tier_meta meta;
	int fd, err;

	fd = node_open(node, O_RDWR);
	if (fd < 0)
		return fd;
	err = meta_load(fd, &meta);
	if (!err)
		err = upload_settle(node, fd, &meta);
	if (!err && meta.state == TIER_STUB)
		err = tier_lease(fd, F_WRLCK, 1);
	if (!err)
		err = disown(node, fd, &meta);
	close(fd);
	return err;
}

/**
 * bury_end - see to a file that may have lost its last name
 * @node: regular file, locked, of which nothing is being uploaded
 *
 * Return: 1 it is among the living, 0 it is gone, -EBUSY somebody reads it still, or what
 * the store or the backing failed with
 */
int bury_end(struct node *node)
{
	char name[24];
	struct stat st;
	int err;

	grave_of(node, name);
	if (fstatat(graves, name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 1 : -errno;
	if (st.st_nlink == 1) {
		err = remove_object(node);
		if (err)
			return err;
	}
	if (unlinkat(graves, name, 0))
		return -errno;
	return st.st_nlink > 1;
}
