// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuse-bpf policy load, unload: put a policy into force, all at once or not at all.
 *
 * All filters of a policy share a map that says which generation is in force, and
 * those of another generation have no opinion. So the new filters are loaded, filled
 * in and attached while the old ones go on deciding, then one store changes over, and
 * the old ones are detached. Whatever fails before the store leaves the old policy as
 * it was; whoever kills the tool leaves at most filters that do nothing, which the
 * next load takes away.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../build/bpf/policy.skel.h"
#include "policy.h"

#define NODEID_KERNEL (1ULL << 63)
#define PIDNS_INIT_INO 0xeffffffcU

/**
 * struct instance - one filter of a policy: that of the mount, or of a subtree
 * @skel: the loaded object
 * @link: its link
 * @filter: its name and its pin
 * @fd: what it is attached to
 * @attached: it is
 */
struct instance {
	struct policy_bpf *skel;
	struct bpf_link *link;
	struct filter filter;
	int fd;
	bool attached;
};

/**
 * struct load - a load
 * @policy: the policy
 * @tables: its tables
 * @root_fd: root of the mount
 * @dev: its device number
 * @old: what is attached before
 * @generation: the new one
 * @instances: by scope
 * @warnings: JSON array of those of the check
 */
struct load {
	struct policy policy;
	struct tables tables;
	int root_fd;
	dev_t dev;
	struct enforced old;
	__u32 generation;
	struct instance instances[POLICY_SCOPES + 1];
	struct json_object *warnings;
};

/* control_map - what the filters of a policy share, to be changed; NULL with errno set */
volatile struct policy_control *control_map(int fd)
{
	void *control = mmap(NULL, sizeof(struct policy_control), PROT_READ | PROT_WRITE,
			     MAP_SHARED, fd, 0);

	return control == MAP_FAILED ? NULL : control;
}

void control_unmap(volatile struct policy_control *control)
{
	munmap((void *)control, sizeof(*control));
}

/* What the rules of a scope ask about; those that never decide do not count */
static __u32 ops_of(const struct load *load, __u32 scope, bool *typed)
{
	__u32 ops = 0;
	size_t i;

	*typed = false;
	for (i = 0; i < load->policy.nr; i++) {
		const struct rule *rule = &load->policy.rules[i];

		if (rule->compiled.scope != scope || rule->shadow >= 0)
			continue;
		ops |= rule->compiled.ops;
		if (rule->compiled.ops & POLICY_LOOKUP &&
		    (rule->target == TARGET_FILE || rule->compiled.types != POLICY_TYPES_ALL))
			*typed = true;
	}
	return ops;
}

static void keep(struct bpf_program **slot, bool needed)
{
	if (needed)
		return;
	bpf_program__set_autoload(*slot, false);
	*slot = NULL;
}

/* A callback that the filter does not have costs nothing. */
static void keep_needed(struct policy_bpf *skel, __u32 ops, bool typed)
{
	struct policy_bpf__policy__fuse_filter_ops *slots = skel->struct_ops.policy;

	keep(&slots->lookup, ops & POLICY_LOOKUP);
	keep(&slots->lookup_post, typed);
	keep(&slots->dirent, ops & POLICY_LIST);
	keep(&slots->create, ops & POLICY_CREATE);
	keep(&slots->mknod, ops & POLICY_MKNOD);
	keep(&slots->mkdir, ops & POLICY_MKDIR);
	keep(&slots->symlink, ops & POLICY_SYMLINK);
	keep(&slots->link, ops & POLICY_LINK);
	keep(&slots->rename, ops & (POLICY_RENAME_FROM | POLICY_RENAME_TO));
	keep(&slots->unlink, ops & POLICY_UNLINK);
	keep(&slots->rmdir, ops & POLICY_RMDIR);
	keep(&slots->open, ops & (POLICY_OPEN_READ | POLICY_OPEN_WRITE | POLICY_OPEN_EXEC));
	keep(&slots->opendir, ops & POLICY_OPENDIR);
	keep(&slots->read, ops & POLICY_READ);
	keep(&slots->write, ops & POLICY_WRITE);
	keep(&slots->mmap, ops & POLICY_MAP_EXEC);
	keep(&slots->setattr, ops & POLICY_SETATTR);
	keep(&slots->getxattr, ops & POLICY_GETXATTR);
	keep(&slots->listxattr, ops & POLICY_GETXATTR);
	keep(&slots->setxattr, ops & POLICY_SETXATTR);
	keep(&slots->removexattr, ops & POLICY_SETXATTR);
	keep(&slots->fallocate, ops & POLICY_FALLOCATE);
	keep(&slots->readlink, ops & POLICY_READLINK);
	/* A filter must have one: that of a mount whose rules are for subtrees only */
	keep(&slots->ioctl, ops & POLICY_IOCTL || !ops);
}

static bool scope_has(const struct affix_slot *slots, size_t nr, __u32 scope)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		if (slots[i].key.scope == scope)
			return true;
	}
	return false;
}

static void set_constants(const struct load *load, struct policy_bpf *skel, __u32 scope)
{
	const struct tables *tables = &load->tables;
	size_t i;

	skel->rodata->policy_generation = load->generation;
	skel->rodata->policy_scope = scope;
	for (i = 0; i < tables->nr_exact; i++)
		skel->rodata->policy_has_exact |= tables->exact[i].key.scope == scope;
	skel->rodata->policy_has_prefix = scope_has(tables->prefix, tables->nr_prefix, scope);
	skel->rodata->policy_has_suffix = scope_has(tables->suffix, tables->nr_suffix, scope);
	skel->rodata->policy_has_any = tables->any[scope].nr;
	skel->rodata->policy_has_below = tables->below[scope].nr;
	skel->rodata->policy_has_files = !scope && tables->nr_files;
}

static void name_filter(struct load *load, struct policy_bpf *skel, struct filter *filter,
			__u32 scope)
{
	/* libbpf has no name for an array, which stands in front of the flags */
	char *name = (char *)&skel->struct_ops.policy->flags - FUSE_FILTER_NAME_LEN;

	if (scope)
		snprintf(filter->name, FUSE_FILTER_NAME_LEN, "policy.%u.%u", load->generation % 100000,
			 scope % 100);
	else
		snprintf(filter->name, FUSE_FILTER_NAME_LEN, "policy.%u", load->generation % 100000);
	memcpy(name, filter->name, FUSE_FILTER_NAME_LEN);
}

static int size_map(struct bpf_map *map, size_t nr)
{
	return bpf_map__set_max_entries(map, nr ?: 1);
}

static int size_maps(const struct load *load, struct policy_bpf *skel)
{
	const struct tables *tables = &load->tables;
	size_t ids = 0, i;

	for (i = 0; i < load->policy.nr_whos; i++)
		ids += load->policy.whos[i].nr_ids;
	return size_map(skel->maps.policy_rules, load->policy.nr) ?:
	       size_map(skel->maps.policy_hits, load->policy.nr) ?:
	       size_map(skel->maps.policy_exact, tables->nr_exact) ?:
	       size_map(skel->maps.policy_prefix, tables->nr_prefix) ?:
	       size_map(skel->maps.policy_suffix, tables->nr_suffix) ?:
	       size_map(skel->maps.policy_files, tables->nr_files) ?:
	       size_map(skel->maps.policy_globs, tables->nr_globs) ?:
	       size_map(skel->maps.policy_longs, tables->nr_longs) ?:
	       size_map(skel->maps.policy_whos, load->policy.nr_whos) ?:
	       size_map(skel->maps.policy_ids, ids);
}

static int reuse(struct bpf_map *map, int fd)
{
	return fd < 0 ? fd : bpf_map__reuse_fd(map, fd);
}

/* What outlives a generation: who is in force, and events that nobody has read yet */
static int share_old(const struct load *load, struct policy_bpf *skel)
{
	const struct fuse_filter_info *main = enforced_main(&load->old);
	int audit, explain, err;

	if (!main)
		return 0;
	audit = enforced_map(main, "policy_audit");
	explain = enforced_map(main, "policy_explain");
	err = reuse(skel->maps.policy_control, load->old.control_fd) ?:
	      reuse(skel->maps.policy_audit, audit) ?: reuse(skel->maps.policy_explain, explain);
	if (audit >= 0)
		close(audit);
	if (explain >= 0)
		close(explain);
	return err;
}

/* The filter of a subtree works with the tables that the mount's has. */
static int share_tables(struct policy_bpf *skel, const struct policy_bpf *from)
{
	struct bpf_map *map, *other;
	int err = 0;

	bpf_object__for_each_map(map, skel->obj) {
		if (err || bpf_map__is_internal(map) ||
		    bpf_map__type(map) == BPF_MAP_TYPE_STRUCT_OPS)
			continue;
		other = bpf_object__find_map_by_name(from->obj, bpf_map__name(map));
		err = other ? bpf_map__reuse_fd(map, bpf_map__fd(other)) : -ENOENT;
	}
	return err;
}

static int report_load(int err)
{
	const char *lacks = kernel_lacks_ops();

	if (lacks) {
		reason_clear();
		p_err(0, "cannot load the policy's filter: %s", lacks);
	} else if (err == -EPERM) {
		reason_clear();
		p_err(0, "loading a policy needs CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN; run as root");
	} else {
		p_err(err, "cannot load the policy's filter");
	}
	return FAILED;
}

static int load_instance(struct load *load, __u32 scope)
{
	struct instance *instance = &load->instances[scope];
	struct policy_bpf *skel = policy_bpf__open();
	bool typed;
	__u32 ops;
	int err;

	if (!skel)
		return report_load(-errno);
	instance->skel = skel;
	ops = ops_of(load, scope, &typed);
	keep_needed(skel, ops, typed);
	set_constants(load, skel, scope);
	name_filter(load, skel, &instance->filter, scope);
	if (scope)
		err = share_tables(skel, load->instances[0].skel);
	else
		err = size_maps(load, skel) ?: share_old(load, skel);
	if (!err)
		err = policy_bpf__load(skel);
	return err ? report_load(err) : DONE;
}

static int put(struct bpf_map *map, const void *key, const void *value)
{
	return bpf_map__update_elem(map, key, bpf_map__key_size(map), value,
				    bpf_map__value_size(map), BPF_ANY);
}

static int put_array(struct bpf_map *map, const void *values, size_t nr)
{
	size_t size = bpf_map__value_size(map);
	int err = 0;
	__u32 i;

	for (i = 0; !err && i < nr; i++)
		err = put(map, &i, (const char *)values + i * size);
	return err;
}

static int put_affixes(struct bpf_map *map, const struct affix_slot *slots, size_t nr)
{
	int err = 0;
	size_t i;

	for (i = 0; !err && i < nr; i++)
		err = put(map, &slots[i].key, &slots[i].list);
	return err;
}

static int put_rules(const struct load *load, struct policy_bpf *skel)
{
	int err = 0;
	__u32 i;

	for (i = 0; !err && i < load->policy.nr; i++)
		err = put(skel->maps.policy_rules, &i, &load->policy.rules[i].compiled);
	for (i = 0; !err && i < load->tables.nr_exact; i++)
		err = put(skel->maps.policy_exact, &load->tables.exact[i].key,
			  &load->tables.exact[i].list);
	return err;
}

static int put_whos(const struct load *load, struct policy_bpf *skel)
{
	__u8 one = 1;
	int err = 0;
	size_t i;
	__u32 w;

	for (w = 0; !err && w < load->policy.nr_whos; w++) {
		const struct who *who = &load->policy.whos[w];

		err = put(skel->maps.policy_whos, &w, &who->compiled);
		for (i = 0; !err && i < who->nr_ids; i++)
			err = put(skel->maps.policy_ids, &who->ids[i], &one);
	}
	return err;
}

static int find_file(const struct load *load, const char *path, __u64 *nodeid)
{
	struct stat st;

	if (fstatat(load->root_fd, path, &st, AT_SYMLINK_NOFOLLOW)) {
		p_err(-errno, "cannot find the file %s of the policy on the mount", path);
		return FAILED;
	}
	if (st.st_dev != load->dev) {
		p_err(0, "the file %s of the policy is on another mount", path);
		return FAILED;
	}
	*nodeid = st.st_ino | NODEID_KERNEL;
	return DONE;
}

static int put_files(const struct load *load, struct policy_bpf *skel)
{
	__u64 nodeid;
	size_t i;
	int err;

	for (i = 0; i < load->tables.nr_files; i++) {
		const struct file_slot *slot = &load->tables.files[i];

		if (find_file(load, slot->path, &nodeid))
			return FAILED;
		err = bpf_map__update_elem(skel->maps.policy_files, &nodeid, sizeof(nodeid),
					   &slot->list, sizeof(slot->list), BPF_NOEXIST);
		if (err) {
			p_err(err == -EEXIST ? 0 : err,
			      "the file %s of the policy is one that has a rule by another name",
			      slot->path);
			return FAILED;
		}
	}
	return DONE;
}

static int fill(const struct load *load, struct policy_bpf *skel)
{
	const struct tables *tables = &load->tables;
	int err;

	err = put_rules(load, skel) ?:
	      put_affixes(skel->maps.policy_prefix, tables->prefix, tables->nr_prefix) ?:
	      put_affixes(skel->maps.policy_suffix, tables->suffix, tables->nr_suffix) ?:
	      put_array(skel->maps.policy_any, tables->any, POLICY_SCOPES + 1) ?:
	      put_array(skel->maps.policy_below, tables->below, POLICY_SCOPES + 1) ?:
	      put_array(skel->maps.policy_globs, tables->globs, tables->nr_globs) ?:
	      put_array(skel->maps.policy_longs, tables->longs, tables->nr_longs) ?:
	      put_whos(load, skel);
	if (err) {
		p_err(err, "cannot fill in the policy's tables");
		return FAILED;
	}
	return put_files(load, skel);
}

/* Register the filter, pin its link, and attach it to the mount or the subtree. */
static int attach_instance(struct load *load, __u32 scope)
{
	struct instance *instance = &load->instances[scope];
	struct filter *filter = &instance->filter;
	FUSE_BPF_OPTS(fuse_bpf_attach_opts, opts, .flags = scope ? FUSE_FILTER_DIRECTORY : 0);
	int err;

	instance->fd = load->root_fd;
	if (scope) {
		filter->dir = load->policy.scopes[scope];
		instance->fd = dir_open(load->root_fd, load->dev, filter->dir, &filter->dir_ino);
		if (instance->fd < 0)
			return FAILED;
	}
	instance->link = bpf_map__attach_struct_ops(instance->skel->maps.policy);
	if (!instance->link) {
		p_err(-errno, "cannot register the policy's filter");
		return FAILED;
	}
	if (pin_link(filter, bpf_link__fd(instance->link), load->root_fd, load->dev))
		return FAILED;
	err = fuse_bpf_attach(instance->fd, bpf_link__fd(instance->link), &filter->id, &opts);
	if (err) {
		p_err(err, "cannot attach the policy's filter");
		return FAILED;
	}
	instance->attached = true;
	return DONE;
}

static void undo_instance(struct load *load, __u32 scope)
{
	struct instance *instance = &load->instances[scope];

	if (instance->attached)
		fuse_bpf_detach(load->root_fd, instance->filter.id);
	filter_undo(&instance->filter);
}

static void close_instance(struct load *load, __u32 scope)
{
	struct instance *instance = &load->instances[scope];

	bpf_link__destroy(instance->link);
	policy_bpf__destroy(instance->skel);
	if (scope && instance->fd > 0)
		close(instance->fd);
}

/* One store, after which every request is asked about by the new rules only */
static int change_over(const struct load *load)
{
	volatile struct policy_control *control =
		control_map(bpf_map__fd(load->instances[0].skel->maps.policy_control));

	if (!control) {
		p_err(-errno, "cannot change over to the new policy");
		return FAILED;
	}
	__atomic_store_n(&control->generation, load->generation, __ATOMIC_SEQ_CST);
	control_unmap(control);
	return DONE;
}

static bool is_listed(const struct enforced *now, __u32 id)
{
	int i;

	for (i = 0; i < now->nr; i++) {
		if (now->infos[i].id == id)
			return !(now->infos[i].flags & FUSE_FILTER_DEAD);
	}
	return false;
}

/* Only what the kernel says counts. */
static int read_back(const struct load *load)
{
	struct enforced now;
	bool good;
	size_t i;

	if (enforced_read(load->root_fd, &now))
		return FAILED;
	good = now.control_fd >= 0 && now.control.generation == load->generation;
	for (i = 0; i < load->policy.nr_scopes; i++)
		good &= is_listed(&now, load->instances[i].filter.id);
	enforced_free(&now);
	if (!good)
		p_err(0, "the kernel does not list the policy that was loaded: somebody else has changed it meanwhile");
	return good ? DONE : FAILED;
}

static void detach_old(const struct load *load)
{
	__u32 generation, scope;
	int i;

	for (i = 0; i < load->old.nr; i++) {
		const struct fuse_filter_info *info = &load->old.infos[i];

		if (!policy_filter(info, &generation, &scope))
			continue;
		if (!fuse_bpf_detach(load->root_fd, info->id))
			json_object_put(pins_remove(info, 1, load->dev, false));
	}
}

/* A number that no filter has, also not one that was left behind */
static __u32 next_generation(const struct enforced *old)
{
	__u32 last = old->control_fd < 0 ? 0 : old->control.generation;
	__u32 generation, scope;
	int i;

	for (i = 0; i < old->nr; i++) {
		if (policy_filter(&old->infos[i], &generation, &scope) && generation > last)
			last = generation;
	}
	return last >= 99999 ? 1 : last + 1;
}

static void exempt(const struct load *load, pid_t thread)
{
	volatile struct policy_control *control;
	struct stat st;

	if (load->old.control_fd < 0)
		return;
	/* Elsewhere, the number would be somebody else's */
	if (stat("/proc/self/ns/pid", &st) || st.st_ino != PIDNS_INIT_INO)
		return;
	control = control_map(load->old.control_fd);
	if (!control)
		return;
	__atomic_store_n(&control->exempt, thread, __ATOMIC_SEQ_CST);
	control_unmap(control);
}

static int stage(struct load *load)
{
	size_t i;
	int ret;

	ret = load_instance(load, 0);
	if (!ret)
		ret = fill(load, load->instances[0].skel);
	for (i = 1; !ret && i < load->policy.nr_scopes; i++)
		ret = load_instance(load, i);
	for (i = 0; !ret && i < load->policy.nr_scopes; i++)
		ret = attach_instance(load, i);
	return ret;
}

/* Two loads at once would each take the other's filters for leftovers. */
static int lock_policies(void)
{
	int fd = open("/run/lock", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && flock(fd, LOCK_EX)) {
		close(fd);
		fd = -1;
	}
	if (fd < 0)
		p_err(-errno, "cannot keep others from loading a policy meanwhile");
	return fd;
}

static int load_locked(struct load *load)
{
	size_t i;
	int ret;

	if (enforced_read(load->root_fd, &load->old))
		return FAILED;
	load->generation = next_generation(&load->old);
	exempt(load, gettid());
	ret = stage(load);
	exempt(load, 0);
	if (!ret)
		ret = check_stopped();
	if (!ret)
		ret = change_over(load);
	for (i = 0; ret && i < load->policy.nr_scopes; i++)
		undo_instance(load, i);
	if (!ret) {
		detach_old(load);
		ret = read_back(load);
	}
	for (i = load->policy.nr_scopes; i; i--)
		close_instance(load, i - 1);
	return ret;
}

static int prepare(struct load *load, const char *path)
{
	load->warnings = json_object_new_array();
	if (policy_read(path, false, &load->policy))
		return FAILED;
	if (!load->policy.nr) {
		p_err(0, "%s has no rules: 'fuse-bpf policy unload' takes a policy away", path);
		return FAILED;
	}
	if (policy_check(&load->policy, load->warnings))
		return FAILED;
	return tables_build(&load->policy, &load->tables);
}

static int load_policy(struct load *load, const char *path)
{
	int lock, ret;

	ret = prepare(load, path);
	if (ret)
		return ret;
	lock = lock_policies();
	if (lock < 0)
		return FAILED;
	load->old.control_fd = -1;
	ret = load_locked(load);
	close(lock);
	return ret;
}

static void free_load(struct load *load)
{
	enforced_free(&load->old);
	tables_free(&load->tables);
	policy_free(&load->policy);
	json_object_put(load->warnings);
}

/**
 * policy_attach - put a policy into force on a mount
 * @path: of the policy
 * @root_fd: root of the mount
 * @dev: its device number
 *
 * Return: DONE, or FAILED after reporting why, and then the mount has the policy that
 * it had before
 */
int policy_attach(const char *path, int root_fd, dev_t dev)
{
	struct load load = { .root_fd = root_fd, .dev = dev, .old.control_fd = -1 };
	int ret = load_policy(&load, path);

	free_load(&load);
	return ret;
}

static __u64 now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000ULL + ts.tv_nsec / 1000;
}

static void show_load(const struct load *load, __u64 us)
{
	struct json_object *result = json_object_new_object();
	size_t i;

	add_number(result, "generation", load->generation);
	add_number(result, "rules", load->policy.nr);
	add_number(result, "subtrees", load->policy.nr_scopes - 1);
	add_number(result, "microseconds", us);
	json_object_object_add(result, "warnings", json_object_get(load->warnings));
	out_result(result);
	for (i = 0; i < json_object_array_length(load->warnings); i++)
		p_text("warning: %s\n", json_object_get_string(json_object_object_get(
			json_object_array_get_idx(load->warnings, i), "text")));
	p_text("generation %u in force: %zu rules, %zu subtrees, after %llu.%03llu ms\n",
	       load->generation, load->policy.nr, load->policy.nr_scopes - 1,
	       (unsigned long long)us / 1000, (unsigned long long)us % 1000);
}

int do_policy_load(struct args *args)
{
	struct load load = { .old.control_fd = -1 };
	const char *mountpoint, *path;
	__u64 start = now_us();
	int ret;

	mountpoint = args_need(args, "MOUNTPOINT");
	path = mountpoint ? args_need(args, "FILE") : NULL;
	if (!path || args_end(args))
		return USAGE;
	stop_on_signals();
	load.root_fd = mount_open(mountpoint, &load.dev);
	if (load.root_fd < 0)
		return FAILED;
	ret = load_policy(&load, path);
	if (!ret)
		show_load(&load, now_us() - start);
	free_load(&load);
	close(load.root_fd);
	return ret;
}

static int unload(struct load *load)
{
	const struct fuse_filter_info *main = enforced_main(&load->old);
	volatile struct policy_control *control;
	struct json_object *result;

	if (!main) {
		p_err(0, "there is no policy on this mount");
		return FAILED;
	}
	/* All of it ends at once, before its parts do */
	control = control_map(load->old.control_fd);
	if (control) {
		__atomic_store_n(&control->generation, 0, __ATOMIC_SEQ_CST);
		control_unmap(control);
	}
	detach_old(load);
	result = json_object_new_object();
	add_number(result, "generation", load->old.control.generation);
	out_result(result);
	return DONE;
}

int do_policy_unload(struct args *args)
{
	const char *mountpoint = args_need(args, "MOUNTPOINT");
	struct load load = { .old.control_fd = -1 };
	int lock, ret = FAILED;

	if (!mountpoint || args_end(args))
		return USAGE;
	load.root_fd = mount_open(mountpoint, &load.dev);
	if (load.root_fd < 0)
		return FAILED;
	lock = lock_policies();
	if (lock >= 0 && !enforced_read(load.root_fd, &load.old))
		ret = unload(&load);
	enforced_free(&load.old);
	if (lock >= 0)
		close(lock);
	close(load.root_fd);
	return ret;
}
