/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The names under which FUSE makes itself known. A build that runs beside
 * another FUSE replaces this file.
 */
#ifndef _FS_FUSE_NAMES_H
#define _FS_FUSE_NAMES_H

#define FUSE_NAME_FS		"fuse"
#define FUSE_NAME_FS_BLK	"fuseblk"
#define FUSE_NAME_FS_CTL	"fusectl"
#define FUSE_NAME_DEV		"fuse"
#define FUSE_NAME_SYSFS		"fuse"
#define FUSE_NAME_SYSCTL	"fs/fuse"
#define FUSE_NAME_INODE_CACHE	"fuse_inode"
#define FUSE_NAME_REQ_CACHE	"fuse_request"
#define FUSE_NAME_TRACE		fuse
#define FUSE_DEV_MINOR		FUSE_MINOR

#endif /* _FS_FUSE_NAMES_H */
