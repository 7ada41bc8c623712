/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fuse-bpf: what its files share.
 */
#ifndef FUSE_BPF_MAIN_H
#define FUSE_BPF_MAIN_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <fuse_bpf.h>

#define VERSION "0.1.0"
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Exit statuses, and what the commands return */
#define DONE 0
#define FAILED 1
#define USAGE 2

struct settings {
	bool json;
	bool pretty;
	bool debug;
	bool quiet;
};

extern struct settings settings;

/* out.c: every command ends with one p_err() or p_usage(), or one out_result() */
void p_err(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int p_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void p_text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void reason_add(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void reason_take(char *text, size_t size);
void reason_clear(void);
void out_result(struct json_object *result);
void out_flush(void);
const char *printable(const char *text, char *buf, size_t size);
void add_string(struct json_object *obj, const char *key, const char *value);
void add_bytes(struct json_object *obj, const char *key, const char *value);
void add_number(struct json_object *obj, const char *key, __u64 value);
void add_bool(struct json_object *obj, const char *key, bool value);

/* stop.c */
void stop_on_signals(void);
bool stopped(void);
int check_stopped(void);

/* args.c */
struct args {
	int argc;
	char **argv;
};

struct command {
	const char *name;
	int (*run)(struct args *args);
};

const struct command *command_find(const struct command *commands, const char *word);
const char *args_next(struct args *args);
const char *args_need(struct args *args, const char *what);
int args_end(struct args *args);
int args_keyword(struct args *args, const char *const words[]);
bool parse_u32(const char *text, __u32 *number);
int args_id(struct args *args, __u32 *id);

/* mounts.c */
struct mount {
	dev_t dev;
	bool backed;
	bool others;
	char *point;
	char *type;
	char *source;
};

struct mounts {
	struct mount *all;
	size_t nr;
};

/**
 * struct mount_facts - what kind of mount it is
 * @backed: it has a backed root
 * @others: others than its owner may use it
 * @flavour: enum fuse_bpf_flavour
 */
struct mount_facts {
	bool backed;
	bool others;
	__u32 flavour;
};

char *unescape(char *text);
struct mount_facts mount_facts(dev_t dev);
int mount_check_backed(const char *mountpoint, dev_t dev, const char *what);
int mounts_read(struct mounts *mounts);
void mounts_free(struct mounts *mounts);
int mounts_open(const struct mount *mount);
int mount_open(const char *mountpoint, dev_t *dev);
int dir_open(int mount_fd, dev_t dev, const char *path, __u64 *ino);
void add_dev(struct json_object *obj, dev_t dev);

/* control.c */
int control_path(__u32 flavour, char *path, size_t size);

/* patient.c */
int open_patiently(const char *path);

/* element.c */
struct bpf_object;

struct element {
	const char *map;
	const char *text;
};

int element_set(const struct bpf_object *obj, const char *path, const struct element *element);

/* object.c: filters in files */

enum filter_from {
	FROM_OBJECT,
	FROM_PIN,
	FROM_MAP_ID,
};

/**
 * struct filter - a filter to attach
 * @from: where it comes from
 * @path: file or pin
 * @map_id: id of a struct_ops map
 * @pin: where to pin its link, NULL: in the usual place
 * @elements: map elements to fill in
 * @nr_elements: number of @elements
 * @dir: directory to attach it to, relative to the mount, NULL: the mount
 * @dir_ino: out: inode number of @dir
 * @flags: FUSE_FILTER_*
 * @relative_id: attachment that the order refers to
 * @name: out: the filter's own name
 * @id: out: id of the attachment
 * @pinned: out: path of the pin, empty without
 */
struct filter {
	enum filter_from from;
	const char *path;
	__u32 map_id;
	const char *pin;
	struct element *elements;
	size_t nr_elements;
	const char *dir;
	__u64 dir_ino;
	__u32 flags;
	__u32 relative_id;

	char name[FUSE_FILTER_NAME_LEN];
	__u32 id;
	char pinned[4096];
};

struct bpf_link;

/* Called with an object before it is loaded; DONE, or FAILED after reporting it */
typedef int (*object_fn)(struct bpf_object *obj, void *arg);

int object_register(struct filter *filter, struct bpf_object **obj, struct bpf_link **link);
int object_register_prepared(struct filter *filter, object_fn prepare, void *arg,
			     struct bpf_object **obj, struct bpf_link **link);
void libbpf_listen(void);

/* kernel_btf.c */
struct btf;

/**
 * struct kernel_btf - the types of the running kernel
 * @base: the kernel's own
 * @all: those, and the module's where it is loaded; NULL: the kernel has no BTF
 */
struct kernel_btf {
	struct btf *base;
	struct btf *all;
};

#define OPS_TYPE "fuse_filter_ops"
void kernel_btf_load(struct kernel_btf *btf);
void kernel_btf_free(struct kernel_btf *btf);
bool kernel_has_type(const char *name, __u32 kind);
bool kernel_has_ops(void);
const char *kernel_lacks_ops(void);
bool kernel_has_decisions(void);

/* pin.c */
#define BPF_FS "/sys/fs/bpf"
bool bpf_fs_is_mounted(void);
int link_map_id(int link_fd, __u32 *map_id);
int pin_link(struct filter *filter, int link_fd, int mount_fd, dev_t dev);
struct json_object *pins_remove(const struct fuse_filter_info *gone, int nr, dev_t dev,
				bool unmounted);
void pins_forget(dev_t dev);

/* filter.c */
int filter_element_add(struct filter *filter, struct args *args);
int filter_attach(int mount_fd, dev_t dev, struct filter *filter);
void filter_undo(struct filter *filter);
struct json_object *filter_result(const struct filter *filter);
int do_attach(struct args *args);

/* lists.c */

/**
 * struct which - the attachment that the user means
 * @id: its id, unless it is given by its name
 * @name: the filter's own name
 * @dir: directory that it is attached to, NULL: the mount or any directory
 * @dir_ino: inode number of @dir
 */
struct which {
	__u32 id;
	const char *name;
	const char *dir;
	__u64 dir_ino;
};

int filters_read(int fd, struct fuse_filter_info **infos);
struct json_object *ops_json(const __u64 ops[2]);
struct json_object *filters_json(const struct fuse_filter_info *infos, int nr);
void filters_print(const struct fuse_filter_info *infos, int nr);
int which_parse(struct args *args, const char *command, struct which *which);
int which_parse_dir(struct args *args, struct which *which);
int which_open(const char *mountpoint, struct which *which, struct fuse_filter_info *info,
	       dev_t *dev);

/* programs.c */

/**
 * struct programs - what the programs of a filter use
 * @maps: ids of their maps
 * @nr_maps: number of @maps
 */
struct programs {
	__u32 *maps;
	size_t nr_maps;
};

int programs_of(__u32 map_id, struct programs *programs);
void programs_free(struct programs *programs);

/* helper.c */
typedef int (*helper_fn)(int argc, char **argv);
helper_fn helper_find(const char *path);

/* prometheus.c */
#define NR_OPS 128
struct latencies;
int prometheus(const char *mountpoint, const struct latencies *latencies);

/* detach.c, replace.c */
int do_detach(struct args *args);
int do_replace(struct args *args);

/*
 * mount.c, umount.c, stat.c, feature.c, doctor.c, test.c, explain.c, trace.c, record.c,
 * replay.c, inodes.c
 */
int do_mount(struct args *args);
int do_run(struct args *args);
int do_umount(struct args *args);
int do_ls(struct args *args);
int do_stat(struct args *args);
int do_feature(struct args *args);
int do_doctor(struct args *args);
int do_test(struct args *args);
int do_explain(struct args *args);
int do_trace(struct args *args);
int do_record(struct args *args);
int do_replay(struct args *args);
int do_inodes(struct args *args);

/* mount.c */
/**
 * struct plan - a mount to make
 * @backing: directory that answers
 * @mountpoint: where it goes
 * @opts: how it is mounted
 * @policy: file of a policy, NULL: none
 * @filters: filters to attach before anybody can see it
 * @nr: number of @filters
 */
struct plan {
	const char *backing;
	const char *mountpoint;
	struct fuse_bpf_mount_opts opts;
	const char *policy;
	struct filter filters[FUSE_FILTER_MAX];
	size_t nr;
};

int plan_parse(struct args *args, struct plan *plan);
int plan_attach(struct plan *plan, int root_fd, dev_t dev);
void plan_undo(struct plan *plan, dev_t dev);
int plan_place(const struct plan *plan, int mount_fd);

#endif
