/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The names of the module flavour, which runs beside the FUSE of the kernel.
 * Takes the place of fs/fuse/names.h.
 */
#ifndef _FS_FUSE_NAMES_H
#define _FS_FUSE_NAMES_H

#define FUSE_NAME_FS		"fuse_bpf"
#define FUSE_NAME_FS_BLK	"fuseblk_bpf"
#define FUSE_NAME_FS_CTL	"fusectl_bpf"
#define FUSE_NAME_DEV		"fuse_bpf"
#define FUSE_NAME_SYSFS		"fuse_bpf"
#define FUSE_NAME_SYSCTL	"fs/fuse_bpf"
#define FUSE_NAME_INODE_CACHE	"fuse_bpf_inode"
#define FUSE_NAME_REQ_CACHE	"fuse_bpf_request"
#define FUSE_NAME_TRACE		fuse_bpf
#define FUSE_DEV_MINOR		MISC_DYNAMIC_MINOR

#endif /* _FS_FUSE_NAMES_H */
