/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tree on the backing, and what the maps say of it; for the daemon and the control
 * tool. Functions return 0 or a negative errno, and say what went wrong.
 */
#ifndef _ASTACK_TREE_H
#define _ASTACK_TREE_H

#include <sys/types.h>

#include "astack.h"

/* As Android numbers them */
#define SDCARD_RW	1015
#define MEDIA_RW	1023
#define EXT_DATA_RW	1078
#define EXT_OBB_RW	1079

enum tree_map {
	TREE_UIDS,
	TREE_DIRS,
	TREE_PKGS,
	TREE_NAMES,
	TREE_TAGS,
	TREE_SCANS,
	TREE_TYPES,
	TREE_MAPS,
};

/* Names of the maps, which their pins have too */
extern const char *const tree_map_names[TREE_MAPS];

/* Collections of a user's, which the shared files' filter is for; ended by NULL */
extern const char *const tree_collections[];

/* tree_node - how filters call the object that @fd is, 0: error */
__u64 tree_node(int fd);

/**
 * tree_make_user - make what is missing of a user's tree
 * @volume: open directory that has a directory for each user
 * @user: number of the user
 */
int tree_make_user(int volume, unsigned int user);

/**
 * tree_register - tell the maps of all users and apps
 * @volume: as above, which is the root of the mount
 * @maps: descriptors
 */
int tree_register(int volume, const int maps[TREE_MAPS]);

/**
 * tree_install - make the directories of an app
 * @volume: as above
 * @name: of the app
 * @uid: who it runs as, which also says for which user
 * @maps: descriptors
 *
 * Return: 0, -EEXIST there is something by that name that is somebody else's
 */
int tree_install(int volume, const char *name, uid_t uid, const int maps[TREE_MAPS]);

/* tree_uninstall - remove the directories of an app */
int tree_uninstall(int volume, const char *name, unsigned int user, const int maps[TREE_MAPS]);

#endif /* _ASTACK_TREE_H */
