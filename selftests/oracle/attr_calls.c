// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls that read and change attributes: mode, owner, times, extended attributes,
 * flags of inodes.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "acl.h"
#include "oracle.h"
#include "util.h"

static long call_statx(struct step *s)
{
	return stat_result(s, arg_base(s, 0), arg_path(s, 1), arg(s, 2) | arg(s, 3), arg(s, 4));
}

static long call_fstat(struct step *s)
{
	return stat_result(s, arg_fd(s, 0), "", AT_EMPTY_PATH, STATX_BASIC_STATS);
}

static long call_faccessat(struct step *s)
{
	return RES(syscall(SYS_faccessat2, arg_base(s, 0), arg_path(s, 1), arg(s, 2), arg(s, 3)));
}

static long call_fchmodat(struct step *s)
{
	return RES(syscall(SYS_fchmodat2, arg_base(s, 0), arg_path(s, 1), arg(s, 2), arg(s, 3)));
}

static long call_fchmod(struct step *s)
{
	return RES(fchmod(arg_fd(s, 0), arg(s, 1)));
}

static long call_fchownat(struct step *s)
{
	return RES(fchownat(arg_base(s, 0), arg_path(s, 1), arg(s, 2), arg(s, 3), arg(s, 4)));
}

static long call_fchown(struct step *s)
{
	return RES(fchown(arg_fd(s, 0), arg(s, 1), arg(s, 2)));
}

/* Whether following a link moves its time is decided by the mount's copy of its times. */
static long call_utimensat(struct step *s)
{
	const struct timespec times[2] = {
		{ arg(s, 2), arg(s, 3) }, { arg(s, 4), arg(s, 5) },
	};

	if (s->op->behind && (arg(s, 1) & AT_SYMLINK_NOFOLLOW))
		return NOT_DONE;
	return RES(syscall(SYS_utimensat, s->root, arg_path(s, 0), times, arg(s, 1)));
}

static long call_futimens(struct step *s)
{
	const struct timespec times[2] = {
		{ arg(s, 1), arg(s, 2) }, { arg(s, 3), arg(s, 4) },
	};

	return RES(futimens(arg_fd(s, 0), times));
}

static long call_touch(struct step *s)
{
	if (s->op->behind && (arg(s, 1) & AT_SYMLINK_NOFOLLOW))
		return NOT_DONE;
	return RES(utimensat(s->root, arg_path(s, 0), NULL, arg(s, 1)));
}

/* ACLs that values 4 to 8 stand for; the last one says nothing of others */
static const struct posix_acl_xattr_entry acls[][5] = {
	{ { ACL_USER_OBJ, 6, -1 }, { ACL_GROUP_OBJ, 4, -1 }, { ACL_OTHER, 4, -1 } },
	{ { ACL_USER_OBJ, 6, -1 }, { ACL_USER, 6, USER1 }, { ACL_GROUP_OBJ, 0, -1 },
	  { ACL_MASK, 6, -1 }, { ACL_OTHER, 0, -1 } },
	{ { ACL_USER_OBJ, 7, -1 }, { ACL_USER, 0, USER2 }, { ACL_GROUP_OBJ, 7, -1 },
	  { ACL_MASK, 5, -1 }, { ACL_OTHER, 7, -1 } },
	{ { ACL_USER_OBJ, 7, -1 }, { ACL_GROUP_OBJ, 5, -1 }, { ACL_GROUP, 7, GROUP2 },
	  { ACL_MASK, 7, -1 }, { ACL_OTHER, 0, -1 } },
	{ { ACL_USER_OBJ, 6, -1 }, { ACL_GROUP_OBJ, 4, -1 } },
};

static size_t acl_value(unsigned int which, void *buf)
{
	struct acl acl = { .head = { POSIX_ACL_XATTR_VERSION } };
	size_t nr = 0;

	while (nr < 5 && acls[which][nr].e_tag) {
		acl.entries[nr] = acls[which][nr];
		nr++;
	}
	memcpy(buf, &acl, sizeof(acl.head) + nr * sizeof(acl.entries[0]));
	return sizeof(acl.head) + nr * sizeof(acl.entries[0]);
}

static size_t capability_value(void *buf)
{
	const struct vfs_cap_data cap = {
		.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
		.data[0].permitted = 1 << CAP_NET_RAW,
	};

	memcpy(buf, &cap, XATTR_CAPS_SZ_2);
	return XATTR_CAPS_SZ_2;
}

static size_t value_of(long which, void *buf)
{
	static const size_t sizes[] = { 0, 1, 100, 3000 };

	if (which >= 4 && which <= 8)
		return acl_value(which - 4, buf);
	if (which == 9)
		return capability_value(buf);
	if (which > 9)
		return which == 10 ? 65536 : 65537;
	memcpy(buf, fill(which, sizes[which]), sizes[which]);
	return sizes[which];
}

/* By way of a descriptor, since there are no calls with a base yet in all libraries */
static long with_path(struct step *s, int i, const char *mode, char *proc)
{
	int flags = O_PATH | O_CLOEXEC | (*mode == 'l' ? O_NOFOLLOW : 0);
	int fd = openat(s->root, arg_path(s, i), flags);

	if (fd < 0)
		return -errno;
	sprintf(proc, "/proc/self/fd/%d", fd);
	return fd;
}

static long call_setxattr(struct step *s)
{
	static unsigned char value[65537];
	size_t len = value_of(arg(s, 2), value);
	char proc[32];
	long fd = with_path(s, 0, "", proc), ret;

	if (fd < 0)
		return fd;
	ret = RES(setxattr(proc, arg_string(s, 1), value, len, arg(s, 3)));
	close(fd);
	return ret;
}

static long call_fsetxattr(struct step *s)
{
	static unsigned char value[65537];
	size_t len = value_of(arg(s, 2), value);

	return RES(fsetxattr(arg_fd(s, 0), arg_string(s, 1), value, len, arg(s, 3)));
}

static long got(struct step *s, ssize_t len)
{
	s->out->len = len < 0 ? 0 : len;
	return RES(len);
}

static long call_getxattr(struct step *s)
{
	char proc[32];
	long fd = with_path(s, 0, "", proc), ret;

	if (fd < 0)
		return fd;
	ret = got(s, getxattr(proc, arg_string(s, 1), s->out->data, 4096));
	close(fd);
	return ret;
}

static long call_fgetxattr(struct step *s)
{
	return got(s, fgetxattr(arg_fd(s, 0), arg_string(s, 1), s->out->data, 4096));
}

static long call_listxattr(struct step *s)
{
	char proc[32];
	long fd = with_path(s, 0, "", proc), ret;

	if (fd < 0)
		return fd;
	ret = got(s, listxattr(proc, (char *)s->out->data, arg(s, 1)));
	/* Asked with no buffer, the call tells a size */
	if (!arg(s, 1))
		s->out->len = 0;
	close(fd);
	return ret;
}

static long call_removexattr(struct step *s)
{
	char proc[32];
	long fd = with_path(s, 0, "", proc), ret;

	if (fd < 0)
		return fd;
	ret = RES(removexattr(proc, arg_string(s, 1)));
	close(fd);
	return ret;
}

static long call_getflags(struct step *s)
{
	int flags = 0;
	long ret = RES(ioctl(arg_fd(s, 0), FS_IOC_GETFLAGS, &flags));

	return ret ? ret : flags;
}

/*
 * Whether a file may be changed at all is asked by the VFS of the mount's inode, whose flags
 * are as old as the last lookup that was not answered from the caches. So they are changed
 * by the mount only.
 */
static bool guards_behind(const struct step *s, int old, int new)
{
	return s->actor->is_behind[s->op->arg[0]] &&
	       ((old | new) & (FS_APPEND_FL | FS_IMMUTABLE_FL));
}

/*
 * FS_EXTENT_FL stays as it is: whether ext4 can make a file one without extents depends
 * on where its blocks happen to lie. And a file with capabilities stays one that may be
 * changed: a write to it drops them even so, but by the mount that is a change of attributes
 * like any other, and refused.
 */
static long call_setflags(struct step *s)
{
	int flags = 0;

	if ((arg(s, 1) & (FS_APPEND_FL | FS_IMMUTABLE_FL)) &&
	    fgetxattr(arg_fd(s, 0), "security.capability", NULL, 0) > 0)
		return NOT_DONE;
	if (ioctl(arg_fd(s, 0), FS_IOC_GETFLAGS, &flags))
		return -errno;
	if (guards_behind(s, flags, arg(s, 1)))
		return NOT_DONE;
	flags = (flags & FS_EXTENT_FL) | arg(s, 1);
	return RES(ioctl(arg_fd(s, 0), FS_IOC_SETFLAGS, &flags));
}

static long call_fsgetxattr(struct step *s)
{
	struct fsxattr attr = { 0 };
	long ret = RES(ioctl(arg_fd(s, 0), FS_IOC_FSGETXATTR, &attr));

	if (!ret) {
		/* Extents are as many as happened to be made */
		attr.fsx_nextents = 0;
		memcpy(s->out->data, &attr, sizeof(attr));
		s->out->len = sizeof(attr);
	}
	return ret;
}

static long call_fssetxattr(struct step *s)
{
	struct fsxattr attr = { .fsx_projid = arg(s, 2) };
	int flags = 0;

	if (!ioctl(arg_fd(s, 0), FS_IOC_GETFLAGS, &flags) && guards_behind(s, flags, 0))
		return NOT_DONE;
	if (arg(s, 1) & FS_NODUMP_FL)
		attr.fsx_xflags |= FS_XFLAG_NODUMP;
	if (arg(s, 1) & FS_NOATIME_FL)
		attr.fsx_xflags |= FS_XFLAG_NOATIME;
	return RES(ioctl(arg_fd(s, 0), FS_IOC_FSSETXATTR, &attr));
}

static long call_getversion(struct step *s)
{
	int version;

	return RES(ioctl(arg_fd(s, 0), FS_IOC_GETVERSION, &version));
}

static long call_statfs(struct step *s)
{
	struct statfs st;
	long ret = RES(fstatfs(arg_fd(s, 0), &st));

	if (!ret) {
		memcpy(s->out->data, &st.f_bsize, sizeof(st.f_bsize));
		memcpy(s->out->data + 8, &st.f_namelen, sizeof(st.f_namelen));
		s->out->len = 16;
	}
	return ret;
}

static long call_handle(struct step *s)
{
	struct {
		struct file_handle head;
		unsigned char bytes[MAX_HANDLE_SZ];
	} handle = { .head.handle_bytes = MAX_HANDLE_SZ };
	int mount;

	return RES(name_to_handle_at(s->root, arg_path(s, 0), &handle.head, &mount, arg(s, 1)));
}

/* Only a worker with privileges can be somebody else. */
static long call_setfsuid(struct step *s)
{
	uid_t uid = arg(s, 0);

	setfsuid(uid);
	setfsgid(uid ? uid + GROUP1 - USER1 : 0);
	return (uid_t)setfsuid(-1);
}

const struct call attr_calls[] = {
	{ "statx", "BpAyx", 60, call_statx },
	{ "fstat", "f", 30, call_fstat },
	{ "faccessat2", "Bpae", 25, call_faccessat },
	{ "fchmodat2", "BpmA", 30, call_fchmodat },
	{ "fchmod", "fm", 10, call_fchmod },
	{ "fchownat", "BpuuA", 25, call_fchownat },
	{ "fchown", "fuu", 10, call_fchown },
	{ "utimensat", "pATtTt", 20, call_utimensat },
	{ "futimens", "fTtTt", 8, call_futimens },
	{ "utimensat_now", "pA", 8, call_touch },
	{ "setxattr", "pXvg", 35, call_setxattr },
	{ "fsetxattr", "fXvg", 10, call_fsetxattr },
	{ "getxattr", "pX", 25, call_getxattr },
	{ "fgetxattr", "fX", 10, call_fgetxattr },
	{ "listxattr", "pn", 15, call_listxattr },
	{ "removexattr", "pX", 15, call_removexattr },
	{ "fs_ioc_getflags", "f", 8, call_getflags },
	{ "fs_ioc_setflags", "fi", 10, call_setflags },
	{ "fs_ioc_fsgetxattr", "f", 6, call_fsgetxattr },
	{ "fs_ioc_fssetxattr", "fij", 6, call_fssetxattr },
	{ "fs_ioc_getversion", "f", 3, call_getversion },
	{ "fstatfs", "f", 4, call_statfs },
	{ "name_to_handle_at", "ph", 6, call_handle },
	{ "setfsuid", "U", 30, call_setfsuid },
	{ }
};
