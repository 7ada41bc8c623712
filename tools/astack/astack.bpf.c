// SPDX-License-Identifier: GPL-2.0-only
/*
 * astack_priv and astack_media: who may see and do what in a shared storage.
 *
 * astack_priv is attached to the mount. It keeps users and apps apart: what it decides,
 * it decides by the inode that was found and its owner, never by a path. astack_media
 * is attached to the shared collections and is asked about what lies below them.
 *
 * Neither holds state of its own but the tags of shared files, which every walk
 * compares with the file. What has no tag, or one of an older file, is closed.
 */
#include "fuse_filter.bpf.h"
#include "astack.h"

#define O_ACCMODE	3
#define O_TRUNC		01000
#define R_OK		4
#define DT_DIR		4
#define DT_REG		8

#define MAX_NODES	(1 << 18)

#define HASH(name, kind, size, key_type, value_type)	\
struct {						\
	__uint(type, kind);				\
	__uint(map_flags, BPF_F_NO_PREALLOC);		\
	__uint(max_entries, size);			\
	__type(key, key_type);				\
	__type(value, value_type);			\
} name SEC(".maps")

HASH(astack_uids, BPF_MAP_TYPE_HASH, 65536, __u32, __u32);
HASH(astack_dirs, BPF_MAP_TYPE_HASH, MAX_NODES, __u64, struct astack_dir);
HASH(astack_pkgs, BPF_MAP_TYPE_HASH, 65536, __u64, __u32);
HASH(astack_names, BPF_MAP_TYPE_HASH, 65536, struct astack_name, __u32);
HASH(astack_tags, BPF_MAP_TYPE_HASH, MAX_NODES, __u64, struct astack_tag);
HASH(astack_scans, BPF_MAP_TYPE_HASH, MAX_NODES, __u64, struct astack_scan);
HASH(astack_types, BPF_MAP_TYPE_HASH, 256, char[ASTACK_SUFFIX_SIZE], __u32);
/* Threads that are making a shared file, which has no tag yet; its type */
HASH(astack_making, BPF_MAP_TYPE_HASH, 65536, __u32, __u32);

static __always_inline __u32 rights(const struct fuse_filter_ctx *fctx)
{
	__u32 uid = fctx->fsuid;
	__u32 *flags = bpf_map_lookup_elem(&astack_uids, &uid);

	return uid ? (flags ? *flags : 0) : ASTACK_SYSTEM;
}

static __always_inline struct astack_dir *dir_of(__u64 node)
{
	return bpf_map_lookup_elem(&astack_dirs, &node);
}

static __always_inline __u32 class_of(__u64 node)
{
	struct astack_dir *dir = dir_of(node);

	return dir ? dir->class : ASTACK_PRIVATE;
}

static __always_inline bool is_system(const struct fuse_filter_ctx *fctx)
{
	return rights(fctx) & ASTACK_SYSTEM;
}

static __always_inline __u32 type_of(struct fuse_filter_ctx *fctx)
{
	const char *name = bpf_fuse_ctx_name(fctx, FUSE_FILTER_NAME_SIZE);
	char key[FUSE_FILTER_SUFFIX_SIZE] __attribute__((aligned(8)));
	__u32 *type;

	if (!name || fuse_filter_suffix_key(key, name, fctx->name_len))
		return ASTACK_OTHER;
	type = bpf_map_lookup_elem(&astack_types, key);
	return type ? *type : ASTACK_OTHER;
}

/*
 * astack_priv: users and apps
 */

/* May the caller see an app's directory that belongs to @owner? */
static __always_inline bool may_see(const struct fuse_filter_ctx *fctx, __u32 class, __u32 owner)
{
	__u32 have = rights(fctx);

	return owner == fctx->fsuid || have & ASTACK_SYSTEM ||
	       (have & ASTACK_INSTALLER && class == ASTACK_OBB);
}

static __always_inline bool is_nomedia(struct fuse_filter_ctx *fctx)
{
	const char *name = bpf_fuse_ctx_name(fctx, FUSE_FILTER_NAME_SIZE);

	return name && fuse_filter_name_is(name, ".nomedia");
}

static __always_inline void keep_owner(__u64 node, __u32 uid)
{
	__u32 *owner = bpf_map_lookup_elem(&astack_pkgs, &node);

	if (!owner || *owner != uid)
		bpf_map_update_elem(&astack_pkgs, &node, &uid, BPF_ANY);
}

/*
 * Names of apps that the caller may see are looked up; all others are missing before
 * anybody knows whether they are there. So whatever is to be done with them fails alike
 * and takes as long, also to make them.
 */
SEC("struct_ops/lookup")
int BPF_PROG(priv_lookup, struct fuse_filter_ctx *fctx)
{
	const char *name = bpf_fuse_ctx_name(fctx, FUSE_FILTER_NAME_SIZE);
	__u32 class = class_of(fctx->parent);
	struct astack_name key = { .parent = fctx->parent };
	__u32 *owner;

	if ((class != ASTACK_DATA && class != ASTACK_OBB) || is_system(fctx) ||
	    (name && fuse_filter_name_is(name, ".nomedia")))
		return FUSE_FILTER_DEFAULT | FUSE_FILTER_POST;
	if (!name || fctx->name_len >= sizeof(key.name))
		return -ENOENT;
	fuse_filter_name_key(key.name, name);
	owner = bpf_map_lookup_elem(&astack_names, &key);
	return owner && may_see(fctx, class, *owner) ? FUSE_FILTER_DEFAULT | FUSE_FILTER_POST :
						      -ENOENT;
}

/* The name alone is not enough: it must be an inode of the same owner that has it */
static __always_inline int found_app(struct fuse_filter_ctx *fctx, __u32 class,
				     const struct fuse_filter_attr *attr)
{
	__u32 type = attr->mode & S_IFMT;

	if (!attr->mode)
		return 0;
	if (type == S_IFDIR)
		keep_owner(attr->ino | FUSE_NODEID_KERNEL, attr->uid);
	if (may_see(fctx, class, type == S_IFDIR ? attr->uid : 0))
		return 0;
	return type == S_IFREG && is_nomedia(fctx) ? 0 : -ENOENT;
}

static __always_inline int found_user(struct fuse_filter_ctx *fctx, __u64 node)
{
	struct astack_dir *dir = dir_of(node);

	if (is_system(fctx))
		return 0;
	if (!dir || dir->class != ASTACK_USER)
		return -ENOENT;
	return dir->user == fctx->fsuid / ASTACK_USER_UIDS ? 0 : -EACCES;
}

SEC("struct_ops/lookup_post")
int BPF_PROG(priv_lookup_post, struct fuse_filter_ctx *fctx, const struct fuse_filter_attr *attr)
{
	__u64 node = attr->ino | FUSE_NODEID_KERNEL;
	__u32 class = class_of(fctx->parent);

	if (fctx->result < 0 && fctx->result != -ENOENT)
		return 0;
	switch (class) {
	case ASTACK_DATA:
	case ASTACK_OBB:
		return found_app(fctx, class, attr);
	case ASTACK_ROOT:
		return attr->mode ? found_user(fctx, node) : 0;
	case ASTACK_USER:
		return class_of(node) == ASTACK_HIDDEN && !is_system(fctx) ? -ENOENT : 0;
	}
	return 0;
}

SEC("struct_ops/dirent")
int BPF_PROG(priv_dirent, struct fuse_filter_ctx *fctx, const struct fuse_filter_dirent *entry)
{
	__u32 class = class_of(fctx->parent ?: fctx->nodeid);
	__u64 node = entry->ino | FUSE_NODEID_KERNEL;
	__u32 *owner;

	switch (class) {
	case ASTACK_DATA:
	case ASTACK_OBB:
		owner = bpf_map_lookup_elem(&astack_pkgs, &node);
		if (may_see(fctx, class, owner ? *owner : 0))
			return FUSE_FILTER_DEFAULT;
		return entry->type == DT_REG && is_nomedia(fctx) ? FUSE_FILTER_DEFAULT : -ENOENT;
	case ASTACK_ROOT:
		return found_user(fctx, node);
	case ASTACK_USER:
		return class_of(node) == ASTACK_HIDDEN && !is_system(fctx) ? -ENOENT :
									     FUSE_FILTER_DEFAULT;
	}
	return FUSE_FILTER_DEFAULT;
}

SEC("struct_ops/opendir")
int BPF_PROG(priv_opendir, struct fuse_filter_ctx *fctx, const struct fuse_open_in *in)
{
	return class_of(fctx->nodeid) == ASTACK_ROOT && !is_system(fctx) ? -ENOENT :
									   FUSE_FILTER_DEFAULT;
}

/*
 * Neither to open something nor to ask whether that could be done: to watch it, or to
 * read extended attributes, for which the VFS asks alike.
 */
static __always_inline bool is_watch(const struct fuse_access_in *in)
{
	return in->mask & R_OK && !(in->mask & (FUSE_FILTER_MAY_OPEN | FUSE_FILTER_MAY_ACCESS));
}

/* A watch tells names that listings hide: it is for those who are shown them all */
SEC("struct_ops/permission")
int BPF_PROG(priv_permission, struct fuse_filter_ctx *fctx, const struct fuse_access_in *in)
{
	__u32 allowed = ASTACK_SYSTEM;

	if (!is_watch(in))
		return FUSE_FILTER_DEFAULT;
	switch (class_of(fctx->nodeid)) {
	case ASTACK_ROOT:
	case ASTACK_DATA:
		break;
	case ASTACK_OBB:
		allowed |= ASTACK_INSTALLER;
		break;
	case ASTACK_USER:
	case ASTACK_MEDIA:
		allowed |= ASTACK_MANAGE;
		break;
	default:
		return FUSE_FILTER_DEFAULT;
	}
	return rights(fctx) & allowed ? FUSE_FILTER_DEFAULT : -EACCES;
}

/* How many apps there are, and when one came or went, is nobody's business */
SEC("struct_ops/getattr_post")
int BPF_PROG(priv_getattr_post, struct fuse_filter_ctx *fctx)
{
	__u32 class = class_of(fctx->nodeid);
	struct fuse_filter_attr *attr;

	if ((class != ASTACK_DATA && class != ASTACK_OBB) || is_system(fctx) || fctx->result < 0)
		return 0;
	attr = fuse_filter_ctx_attr(fctx);
	if (!attr)
		return 0;
	attr->nlink = 2;
	attr->size = 4096;
	attr->blocks = 8;
	attr->atime = 0;
	attr->mtime = 0;
	attr->ctime = 0;
	attr->atimensec = 0;
	attr->mtimensec = 0;
	attr->ctimensec = 0;
	return 0;
}

SEC("struct_ops/statfs_post")
int BPF_PROG(priv_statfs_post, struct fuse_filter_ctx *fctx)
{
	struct fuse_kstatfs *st;

	if (is_system(fctx) || fctx->result < 0)
		return 0;
	st = fuse_filter_ctx_statfs(fctx);
	if (st) {
		st->files = 0;
		st->ffree = 0;
	}
	return 0;
}

/* Attributes of directories that are not an app's */
static __always_inline int may_change(struct fuse_filter_ctx *fctx)
{
	return class_of(fctx->nodeid) == ASTACK_PRIVATE || is_system(fctx) ? FUSE_FILTER_DEFAULT :
									     -EACCES;
}

SEC("struct_ops/setattr")
int BPF_PROG(priv_setattr, struct fuse_filter_ctx *fctx)
{
	return may_change(fctx);
}

SEC("struct_ops/setxattr")
int BPF_PROG(priv_setxattr, struct fuse_filter_ctx *fctx, const struct fuse_setxattr_in *in)
{
	return may_change(fctx);
}

SEC("struct_ops/removexattr")
int BPF_PROG(priv_removexattr, struct fuse_filter_ctx *fctx)
{
	return may_change(fctx);
}

/*
 * What is made in or removed from directories that are no app's. Modes refuse most of
 * it before; the root of a user can be written to, so that apps learn why not.
 */
static __always_inline int may_make(struct fuse_filter_ctx *fctx, bool managed)
{
	__u32 have = rights(fctx);

	switch (class_of(fctx->parent ?: fctx->nodeid)) {
	case ASTACK_PRIVATE:
	case ASTACK_MEDIA:
		return FUSE_FILTER_DEFAULT;
	case ASTACK_USER:
		if (have & ASTACK_SYSTEM || (managed && have & ASTACK_MANAGE))
			return FUSE_FILTER_DEFAULT;
		return -EPERM;
	}
	return have & ASTACK_SYSTEM ? FUSE_FILTER_DEFAULT : -EACCES;
}

/* What a manager puts into a user's root has no tag: it stays the manager's */
static __always_inline int may_make_closed(struct fuse_filter_ctx *fctx)
{
	int verdict = may_make(fctx, true);
	struct fuse_filter_attr *attr;

	if (verdict || class_of(fctx->parent ?: fctx->nodeid) != ASTACK_USER)
		return verdict;
	attr = fuse_filter_ctx_attr(fctx);
	if (!attr)
		return -EPERM;
	attr->mode &= ~077;
	return FUSE_FILTER_DEFAULT;
}

SEC("struct_ops/create")
int BPF_PROG(priv_create, struct fuse_filter_ctx *fctx, const struct fuse_create_in *in)
{
	return may_make_closed(fctx);
}

SEC("struct_ops/mkdir")
int BPF_PROG(priv_mkdir, struct fuse_filter_ctx *fctx, const struct fuse_mkdir_in *in)
{
	return may_make_closed(fctx);
}

SEC("struct_ops/mknod")
int BPF_PROG(priv_mknod, struct fuse_filter_ctx *fctx, const struct fuse_mknod_in *in)
{
	return may_make(fctx, false);
}

SEC("struct_ops/symlink")
int BPF_PROG(priv_symlink, struct fuse_filter_ctx *fctx)
{
	return may_make(fctx, false);
}

/* The source's directory is not told: between classes, the VFS's own checks do not help */
SEC("struct_ops/link")
int BPF_PROG(priv_link, struct fuse_filter_ctx *fctx, const struct fuse_link_in *in)
{
	__u64 node = in->oldnodeid;

	if (bpf_map_lookup_elem(&astack_tags, &node))
		return -EXDEV;
	return may_make(fctx, false);
}

SEC("struct_ops/unlink")
int BPF_PROG(priv_unlink, struct fuse_filter_ctx *fctx)
{
	return may_make(fctx, true);
}

SEC("struct_ops/rmdir")
int BPF_PROG(priv_rmdir, struct fuse_filter_ctx *fctx)
{
	return may_make(fctx, false);
}

SEC("struct_ops/rename")
int BPF_PROG(priv_rename, struct fuse_filter_ctx *fctx, const struct fuse_rename2_in *in)
{
	__u32 from = class_of(fctx->parent), to = class_of(fctx->newparent);

	if (from == to && (from == ASTACK_PRIVATE || from == ASTACK_MEDIA))
		return FUSE_FILTER_DEFAULT;
	if ((from == ASTACK_PRIVATE || from == ASTACK_MEDIA) &&
	    (to == ASTACK_PRIVATE || to == ASTACK_MEDIA))
		return -EXDEV;
	/* Nobody moves what the stack stands on */
	if (from == ASTACK_USER || from == ASTACK_ROOT || from == ASTACK_ANDROID)
		return -EACCES;
	return is_system(fctx) && from == to ? FUSE_FILTER_DEFAULT : -EACCES;
}

SEC(".struct_ops.link")
struct fuse_filter_ops astack_priv = {
	.lookup = (void *)priv_lookup,
	.lookup_post = (void *)priv_lookup_post,
	.dirent = (void *)priv_dirent,
	.opendir = (void *)priv_opendir,
	.permission = (void *)priv_permission,
	.getattr_post = (void *)priv_getattr_post,
	.statfs_post = (void *)priv_statfs_post,
	.setattr = (void *)priv_setattr,
	.setxattr = (void *)priv_setxattr,
	.removexattr = (void *)priv_removexattr,
	.create = (void *)priv_create,
	.mkdir = (void *)priv_mkdir,
	.mknod = (void *)priv_mknod,
	.symlink = (void *)priv_symlink,
	.link = (void *)priv_link,
	.unlink = (void *)priv_unlink,
	.rmdir = (void *)priv_rmdir,
	.rename = (void *)priv_rename,
	.name = "astack_priv",
};

/*
 * astack_media: shared files
 */

static __always_inline struct astack_tag *tag_of(__u64 node)
{
	return bpf_map_lookup_elem(&astack_tags, &node);
}

/* Does somebody with these rights read files of a type? */
static __always_inline bool may_read_type(__u32 have, __u32 type)
{
	switch (type) {
	case ASTACK_IMAGE:
		return have & ASTACK_READ_IMG;
	case ASTACK_VIDEO:
		return have & ASTACK_READ_VID;
	case ASTACK_AUDIO:
		return have & ASTACK_READ_AUD;
	}
	return false;
}

static __always_inline void keep_tag(__u64 node, __u32 type, const struct fuse_filter_attr *attr)
{
	struct astack_tag *tag = tag_of(node);
	struct astack_tag fresh = {
		.owner = attr->uid,
		.type = type,
		.ctime = attr->ctime,
		.ctimensec = attr->ctimensec,
		/* No scan of an earlier file of this number can have it */
		.gen = bpf_ktime_get_ns(),
	};

	if (!tag) {
		bpf_map_update_elem(&astack_tags, &node, &fresh, BPF_NOEXIST);
		return;
	}
	if (tag->ctime != attr->ctime || tag->ctimensec != attr->ctimensec) {
		__sync_fetch_and_add(&tag->gen, 1);
		tag->ctime = attr->ctime;
		tag->ctimensec = attr->ctimensec;
	}
	if (tag->owner != attr->uid)
		tag->owner = attr->uid;
	if (tag->type != type)
		tag->type = type;
}

/* What was known of a directory may be from another place, or of another of its number */
static __always_inline void keep_dir(__u64 node, __u64 parent)
{
	struct astack_dir *above = dir_of(parent), *dir = dir_of(node);
	struct astack_dir copy;

	if (!above || (dir && dir->class == above->class && dir->user == above->user &&
		       dir->types == above->types))
		return;
	copy = *above;
	bpf_map_update_elem(&astack_dirs, &node, &copy, BPF_ANY);
}

SEC("struct_ops/lookup_post")
int BPF_PROG(media_lookup_post, struct fuse_filter_ctx *fctx, const struct fuse_filter_attr *attr)
{
	__u64 node = attr->ino | FUSE_NODEID_KERNEL;

	switch (attr->mode & S_IFMT) {
	case 0:
		return 0;
	case S_IFREG:
		keep_tag(node, type_of(fctx), attr);
		return 0;
	case S_IFDIR:
		keep_dir(node, fctx->parent);
		return 0;
	}
	/* Nothing else can be made here */
	return is_system(fctx) ? 0 : -ENOENT;
}

SEC("struct_ops/dirent")
int BPF_PROG(media_dirent, struct fuse_filter_ctx *fctx, const struct fuse_filter_dirent *entry)
{
	__u32 have = rights(fctx);
	struct astack_tag *tag;

	if (have & (ASTACK_SYSTEM | ASTACK_MANAGE) || entry->type == DT_DIR)
		return FUSE_FILTER_DEFAULT;
	tag = tag_of(entry->ino | FUSE_NODEID_KERNEL);
	if (tag && tag->owner == fctx->fsuid)
		return FUSE_FILTER_DEFAULT;
	return may_read_type(have, type_of(fctx)) ? FUSE_FILTER_DEFAULT : -ENOENT;
}

/* A file that has just been made by this thread gets its tag with the first open */
static __always_inline struct astack_tag *tag_made(struct fuse_filter_ctx *fctx)
{
	__u64 node = fctx->nodeid;
	__u32 pid = fctx->pid;
	__u32 *type = bpf_map_lookup_elem(&astack_making, &pid);
	struct astack_tag tag = {
		.owner = fctx->fsuid,
		.gen = bpf_ktime_get_ns(),
	};

	if (!type)
		return NULL;
	tag.type = *type;
	bpf_map_delete_elem(&astack_making, &pid);
	bpf_map_update_elem(&astack_tags, &node, &tag, BPF_ANY);
	return tag_of(node);
}

/* May the caller read a shared file? */
static __always_inline int may_read(const struct fuse_filter_ctx *fctx,
				    const struct astack_tag *tag)
{
	__u32 have = rights(fctx);

	if (have & (ASTACK_SYSTEM | ASTACK_MANAGE))
		return FUSE_FILTER_DEFAULT;
	if (!tag)
		return -EACCES;
	return tag->owner == fctx->fsuid || may_read_type(have, tag->type) ?
	       FUSE_FILTER_DEFAULT : -EACCES;
}

/* Watches of directories are astack_priv's to refuse */
SEC("struct_ops/permission")
int BPF_PROG(media_permission, struct fuse_filter_ctx *fctx, const struct fuse_access_in *in)
{
	if (!is_watch(in) || dir_of(fctx->nodeid))
		return FUSE_FILTER_DEFAULT;
	return may_read(fctx, tag_of(fctx->nodeid));
}

SEC("struct_ops/open")
int BPF_PROG(media_open, struct fuse_filter_ctx *fctx, const struct fuse_open_in *in)
{
	struct astack_tag *tag = tag_made(fctx);

	if (!tag)
		tag = tag_of(fctx->nodeid);
	if (in->flags & (O_ACCMODE | O_TRUNC) && !(tag && tag->owner == fctx->fsuid) &&
	    !(rights(fctx) & (ASTACK_SYSTEM | ASTACK_MANAGE)))
		return -EACCES;
	return may_read(fctx, tag);
}

/*
 * Who may not know locations gets the file without. Where they are is the daemon's to
 * find out, as long as the file is not what it searched, or is being written to.
 */
SEC("struct_ops/read")
int BPF_PROG(media_read, struct fuse_filter_ctx *fctx, const struct fuse_filter_io *in)
{
	__u64 node = fctx->nodeid;
	struct astack_tag *tag = tag_of(node);
	struct astack_scan *scan;

	if (rights(fctx) & (ASTACK_SYSTEM | ASTACK_MANAGE | ASTACK_LOCATION) ||
	    (tag && tag->owner == fctx->fsuid))
		return FUSE_FILTER_DEFAULT;
	if (!tag || tag->writers)
		return FUSE_FILTER_DAEMON;
	scan = bpf_map_lookup_elem(&astack_scans, &node);
	if (!scan || scan->gen != tag->gen)
		return FUSE_FILTER_DAEMON;
	for (__u32 i = 0; i < ASTACK_RANGES && i < scan->nr; i++) {
		if (bpf_fuse_ctx_redact(fctx, scan->range[i].start, scan->range[i].end))
			return -EIO;
	}
	return FUSE_FILTER_DEFAULT;
}

/* The file is about to be another one; scans of it do not count from now on. */
static __always_inline void changes(__u64 node)
{
	struct astack_tag *tag = tag_of(node);

	if (tag)
		__sync_fetch_and_add(&tag->gen, 1);
}

SEC("struct_ops/write")
int BPF_PROG(media_write, struct fuse_filter_ctx *fctx, const struct fuse_filter_io *in)
{
	struct astack_tag *tag = tag_of(fctx->nodeid);

	if (tag) {
		__sync_fetch_and_add(&tag->gen, 1);
		__sync_fetch_and_add(&tag->writers, 1);
	}
	return FUSE_FILTER_DEFAULT | FUSE_FILTER_POST;
}

SEC("struct_ops/write_post")
int BPF_PROG(media_write_post, struct fuse_filter_ctx *fctx, const struct fuse_filter_io *in)
{
	struct astack_tag *tag = tag_of(fctx->nodeid);

	if (tag) {
		__sync_fetch_and_add(&tag->gen, 1);
		__sync_fetch_and_add(&tag->writers, -1);
	}
	return 0;
}

/* Stores through a mapping are seen by nobody: there are none in shared files */
SEC("struct_ops/mmap")
int BPF_PROG(media_mmap, struct fuse_filter_ctx *fctx, const struct fuse_filter_mmap *in)
{
	return in->flags & 1 && in->prot & 2 ? -EACCES : FUSE_FILTER_DEFAULT;
}

SEC("struct_ops/fallocate")
int BPF_PROG(media_fallocate, struct fuse_filter_ctx *fctx, const struct fuse_fallocate_in *in)
{
	changes(fctx->nodeid);
	return FUSE_FILTER_DEFAULT;
}

/* Modes and owners of shared files are the stack's; to set them does nothing */
SEC("struct_ops/setattr")
int BPF_PROG(media_setattr, struct fuse_filter_ctx *fctx)
{
	struct fuse_filter_attr *attr = fuse_filter_ctx_attr(fctx);

	changes(fctx->nodeid);
	if (is_system(fctx))
		return FUSE_FILTER_DEFAULT;
	if (!attr)
		return -EPERM;
	attr->valid &= ~(FATTR_MODE | FATTR_UID | FATTR_GID);
	return FUSE_FILTER_DEFAULT;
}

SEC("struct_ops/setxattr")
int BPF_PROG(media_setxattr, struct fuse_filter_ctx *fctx, const struct fuse_setxattr_in *in)
{
	return is_system(fctx) ? FUSE_FILTER_DEFAULT : -EPERM;
}

SEC("struct_ops/removexattr")
int BPF_PROG(media_removexattr, struct fuse_filter_ctx *fctx)
{
	return is_system(fctx) ? FUSE_FILTER_DEFAULT : -EPERM;
}

/* All of one group, whatever the umask: the daemon and managers are in it */
static __always_inline int share(struct fuse_filter_ctx *fctx, __u32 mode)
{
	struct fuse_filter_attr *attr = fuse_filter_ctx_attr(fctx);

	if (!attr)
		return -EPERM;
	attr->mode = (attr->mode & S_IFMT) | mode;
	return FUSE_FILTER_DEFAULT;
}

static __always_inline int make_file(struct fuse_filter_ctx *fctx)
{
	struct astack_dir *dir = dir_of(fctx->parent);
	__u32 type = type_of(fctx), pid = fctx->pid;
	__u32 have = rights(fctx);

	if (!dir || dir->class != ASTACK_MEDIA)
		return -EPERM;
	if (!(have & (ASTACK_SYSTEM | ASTACK_MANAGE)) && !(dir->types >> (type & 31) & 1))
		return -EPERM;
	if (fctx->opcode == FUSE_CREATE &&
	    bpf_map_update_elem(&astack_making, &pid, &type, BPF_ANY))
		return -ENOSPC;
	return share(fctx, 0664);
}

SEC("struct_ops/create")
int BPF_PROG(media_create, struct fuse_filter_ctx *fctx, const struct fuse_create_in *in)
{
	/* A file without a name has no type, and could get any name later */
	return fctx->opcode == FUSE_CREATE ? make_file(fctx) : -EPERM;
}

SEC("struct_ops/mknod")
int BPF_PROG(media_mknod, struct fuse_filter_ctx *fctx, const struct fuse_mknod_in *in)
{
	return (in->mode & S_IFMT) == S_IFREG ? make_file(fctx) : -EPERM;
}

SEC("struct_ops/mkdir")
int BPF_PROG(media_mkdir, struct fuse_filter_ctx *fctx, const struct fuse_mkdir_in *in)
{
	return share(fctx, 0777);
}

SEC("struct_ops/symlink")
int BPF_PROG(media_symlink, struct fuse_filter_ctx *fctx)
{
	return -EPERM;
}

SEC("struct_ops/link")
int BPF_PROG(media_link, struct fuse_filter_ctx *fctx, const struct fuse_link_in *in)
{
	return -EPERM;
}

/* Whose it is, is not said where a name goes away: the daemon looks, and does it */
SEC("struct_ops/unlink")
int BPF_PROG(media_unlink, struct fuse_filter_ctx *fctx)
{
	return is_system(fctx) ? FUSE_FILTER_DEFAULT : FUSE_FILTER_DAEMON;
}

SEC("struct_ops/rmdir")
int BPF_PROG(media_rmdir, struct fuse_filter_ctx *fctx)
{
	return is_system(fctx) ? FUSE_FILTER_DEFAULT : FUSE_FILTER_DAEMON;
}

SEC("struct_ops/rename")
int BPF_PROG(media_rename, struct fuse_filter_ctx *fctx, const struct fuse_rename2_in *in)
{
	return is_system(fctx) ? FUSE_FILTER_DEFAULT : FUSE_FILTER_DAEMON;
}

SEC(".struct_ops.link")
struct fuse_filter_ops astack_media = {
	.lookup_post = (void *)media_lookup_post,
	.dirent = (void *)media_dirent,
	.permission = (void *)media_permission,
	.open = (void *)media_open,
	.read = (void *)media_read,
	.write = (void *)media_write,
	.write_post = (void *)media_write_post,
	.mmap = (void *)media_mmap,
	.fallocate = (void *)media_fallocate,
	.setattr = (void *)media_setattr,
	.setxattr = (void *)media_setxattr,
	.removexattr = (void *)media_removexattr,
	.create = (void *)media_create,
	.mknod = (void *)media_mknod,
	.mkdir = (void *)media_mkdir,
	.symlink = (void *)media_symlink,
	.link = (void *)media_link,
	.unlink = (void *)media_unlink,
	.rmdir = (void *)media_rmdir,
	.rename = (void *)media_rename,
	.name = "astack_media",
};

char LICENSE[] SEC("license") = "GPL";
