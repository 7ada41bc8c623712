/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * FUSE filters: what several of them need besides the interface itself: counters, what
 * only reads, who calls, and files that are being made. Include it after
 * fuse_filter.bpf.h.
 */
#ifndef __FUSE_FILTER_UTIL_BPF_H
#define __FUSE_FILTER_UTIL_BPF_H

/**
 * fuse_filter_count - count something
 * @map: array of __u64, per CPU or not
 * @index: which element
 */
static __always_inline void fuse_filter_count(void *map, __u32 index)
{
	__u64 *number = bpf_map_lookup_elem(map, &index);

	if (number)
		__sync_fetch_and_add(number, 1);
}

/**
 * fuse_filter_shown - the attributes that a request has found and is about to show
 * @fctx: of getattr_post
 * @attr: out: NULL: there are none, as the request has failed
 *
 * Return: 0, or -EIO: there are some, and they cannot be changed
 */
static __always_inline int fuse_filter_shown(struct fuse_filter_ctx *fctx,
					     struct fuse_filter_attr **attr)
{
	*attr = fctx->result ? NULL : fuse_filter_ctx_attr(fctx);
	return *attr || fctx->result ? 0 : -EIO;
}

/* ioctl(2) requests that only read, of those that a backing may be asked */
#define FUSE_FILTER_FS_IOC_GETFLAGS	0x80086601
#define FUSE_FILTER_FS_IOC32_GETFLAGS	0x80046601
#define FUSE_FILTER_FS_IOC_GETVERSION	0x80087601
#define FUSE_FILTER_FS_IOC_FSGETXATTR	0x801c581f

/* fuse_filter_ioctl_reads - is this a request that is known to change nothing? */
static __always_inline bool fuse_filter_ioctl_reads(__u32 cmd)
{
	switch (cmd) {
	case FUSE_FILTER_FS_IOC_GETFLAGS:
	case FUSE_FILTER_FS_IOC32_GETFLAGS:
	case FUSE_FILTER_FS_IOC_GETVERSION:
	case FUSE_FILTER_FS_IOC_FSGETXATTR:
		return true;
	default:
		return false;
	}
}

/* Control groups that a filter can be about */
#define FUSE_FILTER_CGROUPS 4

/**
 * struct fuse_filter_cgroups - control groups, each with all below it
 * @id: inode number of its directory, 0: none
 * @level: how deep it is; 1: in the root
 */
struct fuse_filter_cgroups {
	struct {
		__u64 id;
		__u64 level;
	} groups[FUSE_FILTER_CGROUPS];
};

/**
 * fuse_filter_in_cgroups - is the caller in one of the control groups, or below one?
 * @map: array of struct fuse_filter_cgroups, of which element 0 counts
 */
static __always_inline bool fuse_filter_in_cgroups(void *map)
{
	const struct fuse_filter_cgroups *set;
	__u32 zero = 0;

	set = bpf_map_lookup_elem(map, &zero);
	for (int i = 0; set && i < FUSE_FILTER_CGROUPS; i++) {
		if (set->groups[i].id &&
		    bpf_get_current_ancestor_cgroup_id(set->groups[i].level) == set->groups[i].id)
			return true;
	}
	return false;
}

/*
 * Files that are being made. Of open(2) with O_CREAT, "create" is told of the name and
 * "open", which comes next, of the inode. Any other open is preceded by "permission" to
 * search the directory, or to read or write the file, which shows that the one that was
 * expected does not come: a filter calls fuse_filter_made() in create_post,
 * fuse_filter_making() in open, and fuse_filter_made_not() in permission. Files without a
 * name are not opened in this sense.
 */
struct fuse_filter_making {
	__u32 made;
};

struct fuse_filter_makings {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct fuse_filter_making);
};

/* What the helpers below want, declared by one who has no vmlinux.h */
struct task_struct;

/* fuse_filter_made - this thread has made a file, of which open is asked next */
static __always_inline void fuse_filter_made(void *map)
{
	struct fuse_filter_making *making;

	making = bpf_task_storage_get(map, bpf_get_current_task_btf(), NULL,
				      BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (making)
		making->made = 1;
}

/**
 * fuse_filter_made_not - what this thread opens next is no file that it has just made
 * @map: struct fuse_filter_makings
 * @mask: what permission is asked for; nothing, where the file is one that was made
 */
static __always_inline void fuse_filter_made_not(void *map, __u32 mask)
{
	struct fuse_filter_making *making;

	if (!(mask & (MAY_READ | MAY_WRITE | MAY_EXEC)))
		return;
	making = bpf_task_storage_get(map, bpf_get_current_task_btf(), NULL, 0);
	if (making)
		making->made = 0;
}

/* fuse_filter_making - has this thread just made what it opens now? True once */
static __always_inline bool fuse_filter_making(void *map)
{
	struct fuse_filter_making *making;
	bool made;

	making = bpf_task_storage_get(map, bpf_get_current_task_btf(), NULL, 0);
	made = making && making->made;
	if (made)
		making->made = 0;
	return made;
}

#endif /* __FUSE_FILTER_UTIL_BPF_H */
