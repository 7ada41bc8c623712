/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Backed inodes: FUSE inodes whose operations are answered in the kernel from
 * an object of another file system, their backing.
 *
 * A backed inode has operation tables of its own; code for other inodes never
 * sees one, but for the few entry points that both share. These are told apart by
 * fuse_inode_backed(): d_revalidate, statfs, sync_fs, the xattr handlers and evict
 * of the super block, and link and rename, which must not mix what the daemon
 * serves with what the backing does.
 *
 * Every operation has the same shape: describe the call, ask
 * fuse_backed_route() who answers, act on the backing under the credentials of
 * its registration, and hand the result to fuse_backed_done(). The most frequent
 * ones do all but the third in a function of their own, NAME_asking(), which is called
 * only if fuse_backed_straight() does not say that there is nobody to be asked.
 */
#ifndef _FS_FUSE_BACKED_H
#define _FS_FUSE_BACKED_H

#include "fuse_i.h"
#include <linux/filelock.h>
#include <linux/fs_context.h>
#include <linux/fuse_bpf.h>
#include <linux/mount.h>
#include <linux/percpu_counter.h>

struct export_operations;
struct fs_parameter;
struct fuse_args;
struct fuse_entry_out;
struct fuse_filter_args;

/* Opcodes that are counted; all that FUSE has are below, and FUSE_FILTER_OP_* */
#define FUSE_BACKED_NR_OPS 64

/* What a registration serves that leaves nothing to the daemon */
#define FUSE_BACKING_ALL_OPS (~0ULL)

/* Who answers a call; refusals are negative errnos */
enum fuse_route {
	FUSE_ROUTE_BACKING,
	FUSE_ROUTE_DAEMON,
};

/**
 * enum fuse_backed_refusal - why we refuse what the backing could have answered
 * @FUSE_REFUSED_UNNAMED: the daemon should answer, and has no name for the inode
 * @FUSE_REFUSED_DAEMONS: the name is the daemon's, the request the backing's
 * @FUSE_REFUSED_ACROSS: from one backing to another, or to what the daemon serves
 * @FUSE_REFUSED_CHANGED: the name means something else than at the path walk
 * @FUSE_REFUSED_SPELLINGS: names have several spellings
 * @FUSE_REFUSED_AUTOMOUNT: something would have to be mounted on the backing
 * @FUSE_REFUSED_LOOP: a directory would be above itself
 * @FUSE_REFUSED_MOUNT_FLAGS: the mount of the backing forbids it
 * @FUSE_REFUSED_FILES: too many files are open on the backing
 * @FUSE_REFUSED_PASSTHROUGH: the daemon passes through something else
 * @FUSE_BACKED_NR_REFUSALS: number of the above
 */
enum fuse_backed_refusal {
	FUSE_REFUSED_UNNAMED,
	FUSE_REFUSED_DAEMONS,
	FUSE_REFUSED_ACROSS,
	FUSE_REFUSED_CHANGED,
	FUSE_REFUSED_SPELLINGS,
	FUSE_REFUSED_AUTOMOUNT,
	FUSE_REFUSED_LOOP,
	FUSE_REFUSED_MOUNT_FLAGS,
	FUSE_REFUSED_FILES,
	FUSE_REFUSED_PASSTHROUGH,
	FUSE_BACKED_NR_REFUSALS,
};

/**
 * struct fuse_backed_call - an operation on a backed inode
 * @opcode: enum fuse_opcode
 * @rcu: the caller is in RCU-walk, nothing may sleep
 * @inode: inode the operation is on, NULL where it has yet to be found
 * @dir: directory in which @name is dealt with, or NULL
 * @name: name in @dir, at most NAME_MAX bytes
 * @in: what the request carries, by opcode, see struct fuse_filter_ops; or NULL
 * @args: what else goes with it, for filters, or NULL
 * @cred: the caller's credentials, where the current ones are not; else NULL
 * @file: open file that the daemon would have to have opened; or NULL
 * @ask_post: the daemon is to be asked about the result
 * @post: filters whose postfilters are to be called, by their position
 * @post_key: among which filters
 */
struct fuse_backed_call {
	u32 opcode;
	bool rcu;
	bool ask_post;
	struct inode *inode;
	struct inode *dir;
	const struct qstr *name;
	const void *in;
	struct fuse_filter_args *args;
	const struct cred *cred;
	struct file *file;
	u64 post;
	u64 post_key;
};

/* dir.c: revalidates what the daemon answers for */
int fuse_dentry_revalidate(struct inode *dir, const struct qstr *name,
			   struct dentry *entry, unsigned int flags);

/* backed_list.c; fuse_backed_show_fdinfo() is in dev.h */
extern const struct file_operations fuse_backings_fops;
extern const struct file_operations fuse_max_backing_files_fops;
extern const struct file_operations fuse_refusals_fops;
int fuse_ctl_single_open(struct file *file,
			 int (*show)(struct seq_file *m, void *v));
int fuse_ctl_single_release(struct inode *inode, struct file *file);

#ifdef CONFIG_FUSE_BACKED

/**
 * struct fuse_backed_conn - connection with backed inodes
 * @root: registration that the root directory is served from, NULL if it is not,
 *	and after umount
 * @backings: registrations, also those whose id was closed; none after umount
 * @stats: FUSE_BACKED_NR_OPS elements, indexed by opcode
 * @files: files that are open on the backing for files open on backed inodes
 * @max_files: how many there may be, 0: as many as are opened
 * @refused: how often for which reason; not for the way of what succeeds
 * @entries: replies may attach backings; set by the first registration for an id
 * @daemonless: there is no daemon, and there was none
 * @named: kernel-made inodes by the node id that the daemon gave them
 * @named_lock: taken to give one its id
 */
struct fuse_backed_conn {
	struct fuse_backing *root;
	struct list_head backings;
	struct fuse_op_stats __percpu *stats;
	struct percpu_counter files;
	unsigned int max_files;
	atomic_long_t refused[FUSE_BACKED_NR_REFUSALS];
	bool entries;
	bool daemonless;
	struct xarray named;
	struct mutex named_lock; /* to take an id */
};

static inline bool fuse_inode_backed(const struct inode *inode)
{
	return get_fuse_inode(inode)->backed.dentry;
}

/*
 * Made by the kernel below a backed directory: the daemon has no name for it. A
 * comparison in the inode hash must know this before the inode is filled in,
 * when all that is set is what it is hashed by.
 */
static inline bool fuse_inode_kernel_made(const struct inode *inode)
{
	return inode->i_private;
}

/*
 * Node id that filters see. A kernel-made inode keeps the one it had before the
 * daemon gave it another.
 */
static inline u64 fuse_backed_node_id(const struct inode *inode)
{
	const struct inode *real = inode->i_private;

	return real ? FUSE_NODEID_KERNEL | real->i_ino : get_fuse_inode(inode)->nodeid;
}

static inline struct fuse_backed *fuse_backed(const struct inode *inode)
{
	return &get_fuse_inode(inode)->backed;
}

/* Has the connection got a backed root, or has it ever registered a backing? */
static inline bool fuse_conn_backed(const struct fuse_conn *fc)
{
	return READ_ONCE(fc->backed);
}

/* A node id that no daemon can have given to a node of such a connection */
static inline bool fuse_backed_nodeid(const struct fuse_conn *fc, u64 nodeid)
{
	return fuse_conn_backed(fc) && nodeid & FUSE_NODEID_KERNEL;
}

/* A directory whose names the kernel finds in the backing */
static inline bool fuse_backed_names(const struct inode *dir)
{
	return fuse_backed(dir)->names;
}

/*
 * Are two backed inodes served from the same registration, under the same tag? A
 * name does not move from one to another.
 */
static inline bool fuse_backed_alike(const struct inode *a, const struct inode *b)
{
	return fuse_backed(a)->fb == fuse_backed(b)->fb &&
	       fuse_backed(a)->tag == fuse_backed(b)->tag;
}

/*
 * Does a reply that names no backing contradict what @inode is? The root is what
 * the mount says, whatever a reply does.
 */
static inline bool fuse_entry_stale(const struct inode *inode, int generation,
				    struct fuse_attr *attr)
{
	if (!fuse_inode_backed(inode))
		return fuse_stale_inode(inode, generation, attr);
	return inode != d_inode(inode->i_sb->s_root);
}

static inline struct path fuse_backed_path(const struct inode *inode)
{
	const struct fuse_backed *fbk = fuse_backed(inode);

	return (struct path) { .mnt = fbk->fb->mnt, .dentry = fbk->dentry };
}

static inline const struct cred *fuse_backed_cred(const struct inode *inode)
{
	return fuse_backed(inode)->fb->cred;
}

static inline struct mnt_idmap *fuse_backed_idmap(const struct inode *inode)
{
	return mnt_idmap(fuse_backed(inode)->fb->mnt);
}

/* Does a registration leave an opcode to the kernel? */
static inline bool fuse_backed_serves(const struct fuse_backing *fb, u32 opcode)
{
	/* Of a file that the daemon has opened, nothing comes here */
	const u64 after_open = FUSE_BACKING_FILE_OPS & ~BIT_ULL(FUSE_OPEN);

	return (fb->ops | after_open) & BIT_ULL(opcode);
}

/* Owners of the backing's inode as its mount shows them, which mostly changes none */
static inline kuid_t fuse_backed_uid(struct mnt_idmap *idmap, const struct inode *real)
{
	return likely(idmap == &nop_mnt_idmap) ? real->i_uid :
		vfsuid_into_kuid(i_uid_into_vfsuid(idmap, real));
}

static inline kgid_t fuse_backed_gid(struct mnt_idmap *idmap, const struct inode *real)
{
	return likely(idmap == &nop_mnt_idmap) ? real->i_gid :
		vfsgid_into_kgid(i_gid_into_vfsgid(idmap, real));
}

/* As fuse_allow_current_process(); most callers are in the mount's user namespace */
static inline bool fuse_backed_allows_caller(struct fuse_conn *fc)
{
	return likely(fc->allow_other && current_user_ns() == fc->user_ns) ||
	       fuse_allow_current_process(fc);
}

/* Does the daemon have the file open? */
static inline bool fuse_backed_has_handle(const struct fuse_file *ff)
{
	/* Pairs with fuse_backed_open_server(): the handle is there */
	return smp_load_acquire(&ff->opened);
}

/* Does the daemon pass reads and writes of its file through to the backing? */
static inline bool fuse_backed_passes(const struct fuse_file *ff)
{
	return (ff->open_flags & (FOPEN_PASSTHROUGH | FOPEN_DIRECT_IO)) == FOPEN_PASSTHROUGH;
}

/* A dentry that is being freed, which RCU-walk may still see */
static inline void fuse_backed_forget_name(struct fuse_dentry *fd)
{
	dput(fd->backing);
}

/* backed_mount.c */
int fuse_backed_parse_fd(struct fs_context *fsc, struct fs_parameter *param,
			 int fd);
int fuse_backed_check_context(struct fs_context *fsc);
int fuse_backed_fill_super(struct super_block *sb, struct fuse_fs_context *ctx);
void fuse_backed_show_options(struct seq_file *m, struct fuse_conn *fc);
void fuse_backed_umount(struct fuse_conn *fc);
struct fuse_backed_conn *fuse_backed_conn_new(void);
void fuse_backed_conn_put(struct fuse_backed_conn *fbc);
void fuse_backed_conn_free(struct fuse_conn *fc);

/* backed_register.c */
struct fuse_backing *fuse_backing_new(struct fuse_backed_conn *fbc,
				      struct file *file, u64 ops);
int fuse_backing_register(struct fuse_conn *fc, struct fuse_backing_open *open);
int fuse_backing_unregister(struct fuse_conn *fc, u32 id);
void fuse_backing_unregister_all(struct fuse_conn *fc);
int fuse_backed_default_route(const struct fuse_backed_call *call);
bool fuse_backed_daemon_knows(const struct inode *inode);

/* backed_entry.c; fuse_entry_backing_reply() is in dev.h */
void fuse_entry_backing_arg(struct fuse_conn *fc, struct fuse_args *args,
			    struct fuse_entry_backing_out *out);
int fuse_entry_no_node(const struct fuse_args *args);
struct inode *fuse_entry_iget(struct super_block *sb, struct fuse_entry_out *entry,
			      const struct fuse_args *args, u64 attr_version,
			      u64 evict_ctr);
bool fuse_entry_same_backing(struct inode *inode,
			     const struct fuse_entry_out *entry,
			     const struct fuse_args *args);
bool fuse_backed_no_readdirplus(const struct fuse_conn *fc);
int fuse_backed_open_daemon(struct inode *inode, struct file *file);
void fuse_backed_opened_daemon(struct inode *inode, struct file *file);
bool fuse_backed_opens(const struct inode *inode);
void fuse_backed_init_dir(struct inode *inode);
void fuse_backed_init(void);

/* backed_node.c */
void fuse_backed_init_inode(struct inode *inode, const struct fuse_backed *what);
struct inode *fuse_backed_iget(struct inode *dir, struct dentry *backing);
void fuse_backed_copyattr(struct inode *inode);
void fuse_backed_evict(struct inode *inode);

/* backed_identity.c */
int fuse_backed_name(const struct fuse_backed_call *call);
int fuse_backed_prepare(const struct fuse_backed_call *call);
int fuse_backed_open_server(struct file *file);
void fuse_backed_forget_id(struct inode *inode);
bool fuse_backed_id_taken(struct fuse_conn *fc, u64 nodeid);

/* backed_call.c */
bool fuse_backed_asked(struct fuse_conn *fc, u64 nodeid);
int fuse_backed_verdict(struct fuse_backed_call *call);
int fuse_backed_route(struct fuse_backed_call *call);
int fuse_backed_route_backing(struct fuse_backed_call *call);
void fuse_backed_account(const struct fuse_backed_call *call, ssize_t ret);
ssize_t fuse_backed_done(const struct fuse_backed_call *call, ssize_t ret);
ssize_t fuse_backed_answered(const struct fuse_backed_call *call, ssize_t ret);
void fuse_backed_count_daemon(struct fuse_conn *fc, u32 opcode);
void fuse_backed_count_denied(struct fuse_conn *fc, u32 opcode);
void fuse_backed_read_stats(struct fuse_conn *fc, u32 opcode,
			    struct fuse_op_stats *sum);

/*
 * Count an operation that the backing answered, and what came of it. Counters are per
 * CPU and never read on the way of an operation; an increment is one instruction. What
 * has only been queued has not failed.
 */
static inline void fuse_backed_count(struct fuse_conn *fc, u32 opcode, ssize_t ret)
{
	struct fuse_op_stats __percpu *stats = &fc->backed->stats[opcode];

	this_cpu_inc(stats->backing);
	if (unlikely(ret < 0 && ret != -EIOCBQUEUED))
		this_cpu_inc(stats->errors);
}

/* backed_refuse.c */
int fuse_backed_refuse(const struct inode *inode, u32 opcode,
		       enum fuse_backed_refusal why, int err);
void fuse_backed_show_refusals(struct seq_file *m,
			       const struct fuse_backed_conn *fbc);

/* backed_control.c; fuse_backed_control() is in dev.h */
u64 fuse_backed_all_ops(void);
long fuse_backed_dir_ioctl(struct file *file, unsigned int cmd,
			   unsigned long arg);

/* backed_namei.c */
struct dentry *fuse_backed_find(struct inode *dir, const struct qstr *name);
struct dentry *fuse_backed_lookup(struct inode *dir, struct dentry *entry,
				  unsigned int flags);
int fuse_backed_revalidate(struct inode *dir, const struct qstr *name,
			   struct dentry *entry, unsigned int flags);
bool fuse_backed_spells(const struct dentry *backing);
bool fuse_backed_name_holds(struct inode *dir, const struct qstr *name,
			    struct dentry *entry);
void fuse_backed_unremember(struct dentry *entry);
void fuse_backed_found(struct dentry *entry, struct dentry *parent,
		       struct dentry *backing, const struct qstr *name);

/* backed_create.c */
struct cred *fuse_backed_maker(const struct inode *dir);
int fuse_backed_create(struct mnt_idmap *idmap, struct inode *dir,
		       struct dentry *entry, umode_t mode);
int fuse_backed_mknod(struct mnt_idmap *idmap, struct inode *dir,
		      struct dentry *entry, umode_t mode, dev_t rdev);
struct dentry *fuse_backed_mkdir(struct mnt_idmap *idmap, struct inode *dir,
				 struct dentry *entry, umode_t mode);
int fuse_backed_symlink(struct mnt_idmap *idmap, struct inode *dir,
			struct dentry *entry, const char *target);
int fuse_backed_link(struct dentry *entry, struct inode *dir,
		     struct dentry *new_entry);
int fuse_backed_tmpfile(struct mnt_idmap *idmap, struct inode *dir,
			struct file *file, umode_t mode);

/* backed_remove.c */
int fuse_backed_unlink(struct inode *dir, struct dentry *entry);
int fuse_backed_rmdir(struct inode *dir, struct dentry *entry);
int fuse_backed_rename(struct mnt_idmap *idmap, struct inode *olddir,
		       struct dentry *oldent, struct inode *newdir,
		       struct dentry *newent, unsigned int flags);

/* backed_xattr.c */
int fuse_backed_getxattr(struct inode *inode, const char *name, void *value,
			 size_t size);
int fuse_backed_setxattr(struct inode *inode, const char *name,
			 const void *value, size_t size, int flags);
ssize_t fuse_backed_listxattr(struct dentry *entry, char *list, size_t size);
struct posix_acl *fuse_backed_get_inode_acl(struct inode *inode, int type,
					    bool rcu);
struct posix_acl *fuse_backed_get_acl(struct mnt_idmap *idmap,
				      struct dentry *entry, int type);
int fuse_backed_set_acl(struct mnt_idmap *idmap, struct dentry *entry,
			struct posix_acl *acl, int type);
int fuse_backed_fileattr_get(struct dentry *entry, struct file_kattr *fa);
int fuse_backed_fileattr_set(struct mnt_idmap *idmap, struct dentry *entry,
			     struct file_kattr *fa);

/* backed_inode.c */
extern const struct inode_operations fuse_backed_dir_iops;
extern const struct inode_operations fuse_backed_symlink_iops;
extern const struct inode_operations fuse_backed_common_iops;
int fuse_backed_setattr(struct mnt_idmap *idmap, struct dentry *entry,
			struct iattr *attr);
int fuse_backed_notify_change(const struct fuse_backed *fbk,
			      const struct iattr *attr);
int fuse_backed_statfs(struct dentry *dentry, struct kstatfs *buf);

/* backed_sync.c */
void fuse_backing_list(struct fuse_backed_conn *fbc, struct fuse_backing *fb);
void fuse_backing_unlist(struct fuse_backing *fb);
void fuse_backing_unlist_all(struct fuse_backed_conn *fbc);
int fuse_backed_sync_fs(struct super_block *sb);

/* backed_restrict.c */
bool fuse_backed_noexec(const struct inode *inode);
bool fuse_backed_nosymfollow(const struct inode *inode);
bool fuse_backed_hides_caps(const struct inode *inode, const char *name);
int fuse_backed_may_use(const struct inode *inode, int mask);
void fuse_backed_restrict_super(struct super_block *sb,
				const struct fuse_backing *fb);

/* backed_export.c */
extern const struct export_operations fuse_backed_export_ops;

/* backed_dir.c */
extern const struct file_operations fuse_backed_dir_fops;
int fuse_backed_finish_open(const struct fuse_backed_call *call, struct file *file,
			    int route, int err);
int fuse_backed_release(struct inode *inode, struct file *file);
loff_t fuse_backed_llseek(struct file *file, loff_t offset, int whence);

static inline struct file *fuse_backed_real(const struct file *file)
{
	const struct fuse_file *ff = file->private_data;

	return ff->passthrough;
}

/**
 * fuse_backed_undelegated - is an attempt to change the backing to be made again?
 * @delegated: inode whose delegation was in the way, if any; cleared
 * @err: result of the attempt; changed if the wait for the delegation failed
 *
 * Waits for the holder of the delegation to give it up, no longer than the VFS does.
 *
 * Context: no lock of the backing is held, which the holder may need. Locks of
 * backed inodes may be: nobody can have a lease or a delegation by way of them.
 * Return: true if the delegation is gone
 */
static inline bool fuse_backed_undelegated(struct delegated_inode *delegated, int *err)
{
	if (likely(!is_delegated(delegated)))
		return false;

	*err = break_deleg_wait(delegated);
	return !*err;
}

/*
 * The backing marks its own access times, by the flags of its mount. A file that is
 * opened by way of a mount of ours that keeps none must not mark any.
 */
static inline unsigned int fuse_backed_atime_flags(const struct file *file)
{
	const int flags = READ_ONCE(file->f_path.mnt->mnt_flags);
	const int none = S_ISDIR(file_inode(file)->i_mode) ?
		MNT_NOATIME | MNT_NODIRATIME : MNT_NOATIME;

	return flags & none ? O_NOATIME : 0;
}

/* Flags that F_SETFL changes, and that matter to the backing's file */
#define FUSE_BACKED_SETFL (O_APPEND | O_DIRECT | O_NOATIME)

void fuse_backed_change_flags(const struct file *file, struct file *backing);

/**
 * fuse_backed_follow_flags - have the backing's file act by the flags of ours
 * @file: open file, whose flags fcntl(2) may have changed
 */
static inline void fuse_backed_follow_flags(const struct file *file)
{
	struct file *backing = fuse_backed_real(file);
	unsigned int differ = READ_ONCE(file->f_flags) ^ READ_ONCE(backing->f_flags);

	if (unlikely(differ & FUSE_BACKED_SETFL))
		fuse_backed_change_flags(file, backing);
}

/* backed_ioctl.c */
long fuse_backed_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
#ifdef CONFIG_COMPAT
long fuse_backed_compat_ioctl(struct file *file, unsigned int cmd,
			      unsigned long arg);
#else
#define fuse_backed_compat_ioctl NULL
#endif

/* backed_lock.c */
int fuse_backed_lock(struct file *file, int cmd, struct file_lock *fl);
int fuse_backed_flock(struct file *file, int cmd, struct file_lock *fl);
int fuse_backed_flush(struct file *file, fl_owner_t id);

/* backed_file.c */
int fuse_backed_install(struct inode *inode, struct file *file,
			struct file *backing);
void fuse_backed_uninstall(struct file *file);
unsigned int fuse_backed_open_files(struct fuse_conn *fc);
int fuse_backed_fsync(struct file *file, loff_t start, loff_t end, int datasync);
extern const struct file_operations fuse_backed_file_fops;

#else /* !CONFIG_FUSE_BACKED */

static inline bool fuse_inode_backed(const struct inode *inode)
{
	return false;
}

static inline bool fuse_inode_kernel_made(const struct inode *inode)
{
	return false;
}

static inline bool fuse_conn_backed(const struct fuse_conn *fc)
{
	return false;
}

static inline bool fuse_backed_nodeid(const struct fuse_conn *fc, u64 nodeid)
{
	return false;
}

static inline bool fuse_backed_names(const struct inode *dir)
{
	return false;
}

static inline bool fuse_entry_stale(const struct inode *inode, int generation,
				    struct fuse_attr *attr)
{
	return fuse_stale_inode(inode, generation, attr);
}

static inline void fuse_entry_backing_arg(struct fuse_conn *fc,
					  struct fuse_args *args,
					  struct fuse_entry_backing_out *out)
{
}

static inline int fuse_entry_no_node(const struct fuse_args *args)
{
	return 0;
}

static inline struct inode *fuse_entry_iget(struct super_block *sb,
					    struct fuse_entry_out *entry,
					    const struct fuse_args *args,
					    u64 attr_version, u64 evict_ctr)
{
	struct inode *inode = fuse_iget(sb, entry->nodeid, entry->generation,
					&entry->attr, ATTR_TIMEOUT(entry),
					attr_version, evict_ctr);

	return inode ?: ERR_PTR(-ENOMEM);
}

static inline bool fuse_entry_same_backing(struct inode *inode,
					   const struct fuse_entry_out *entry,
					   const struct fuse_args *args)
{
	return true;
}

static inline bool fuse_backed_no_readdirplus(const struct fuse_conn *fc)
{
	return false;
}

static inline void fuse_backed_opened_daemon(struct inode *inode,
					     struct file *file)
{
}

static inline bool fuse_backed_opens(const struct inode *inode)
{
	return false;
}

static inline void fuse_backed_copyattr(struct inode *inode)
{
}

static inline void fuse_backed_init(void)
{
}

static inline int fuse_backed_parse_fd(struct fs_context *fsc,
				       struct fs_parameter *param, int fd)
{
	return -EOPNOTSUPP;
}

static inline int fuse_backed_check_context(struct fs_context *fsc)
{
	struct fuse_fs_context *ctx = fsc->fs_private;

	return ctx->daemonless ? -EOPNOTSUPP : 0;
}

static inline int fuse_backed_fill_super(struct super_block *sb,
					 struct fuse_fs_context *ctx)
{
	return 0;
}

static inline void fuse_backed_show_options(struct seq_file *m,
					    struct fuse_conn *fc)
{
}

static inline void fuse_backed_umount(struct fuse_conn *fc)
{
}

static inline void fuse_backed_conn_free(struct fuse_conn *fc)
{
}

static inline void fuse_backed_evict(struct inode *inode)
{
}

static inline bool fuse_backed_id_taken(struct fuse_conn *fc, u64 nodeid)
{
	return false;
}

static inline void fuse_backed_count_daemon(struct fuse_conn *fc, u32 opcode)
{
}

static inline void fuse_backed_count_denied(struct fuse_conn *fc, u32 opcode)
{
}

static inline void fuse_backed_forget_name(struct fuse_dentry *fd)
{
}

static inline int fuse_backed_refuse(const struct inode *inode, u32 opcode,
				     enum fuse_backed_refusal why, int err)
{
	return err;
}

static inline int fuse_backed_revalidate(struct inode *dir,
					 const struct qstr *name,
					 struct dentry *entry,
					 unsigned int flags)
{
	return 0;
}

static inline int fuse_backed_statfs(struct dentry *dentry, struct kstatfs *buf)
{
	return -EOPNOTSUPP;
}

static inline void fuse_backing_unlist(struct fuse_backing *fb)
{
}

static inline int fuse_backed_sync_fs(struct super_block *sb)
{
	return 0;
}

static inline int fuse_backed_getxattr(struct inode *inode, const char *name,
				       void *value, size_t size)
{
	return -EOPNOTSUPP;
}

static inline int fuse_backed_setxattr(struct inode *inode, const char *name,
				       const void *value, size_t size, int flags)
{
	return -EOPNOTSUPP;
}

#endif /* CONFIG_FUSE_BACKED */

#endif /* _FS_FUSE_BACKED_H */
