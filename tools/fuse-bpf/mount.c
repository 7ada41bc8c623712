// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuse-bpf mount, ls: backed mounts.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "main.h"
#include "policy.h"

#define ATIME_BOTH (MOUNT_ATTR_NOATIME | MOUNT_ATTR_STRICTATIME)

/* Words for the mount itself; written out, as some begin alike */
static const struct attribute {
	const char *word;
	__u32 attr;
} attributes[] = {
	{ "ro", MOUNT_ATTR_RDONLY },
	{ "nosuid", MOUNT_ATTR_NOSUID },
	{ "nodev", MOUNT_ATTR_NODEV },
	{ "noexec", MOUNT_ATTR_NOEXEC },
	{ "nosymfollow", MOUNT_ATTR_NOSYMFOLLOW },
	{ "noatime", MOUNT_ATTR_NOATIME },
	{ "nodiratime", MOUNT_ATTR_NODIRATIME },
	{ "strictatime", MOUNT_ATTR_STRICTATIME },
};

static bool parse_attribute(struct args *args, struct plan *plan)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(attributes); i++) {
		if (strcmp(*args->argv, attributes[i].word))
			continue;
		args_next(args);
		plan->opts.mount_attrs |= attributes[i].attr;
		return true;
	}
	return false;
}

static int parse_filter(struct args *args, struct plan *plan)
{
	const char *path = args_need(args, "FILE");

	if (!path)
		return USAGE;
	if (plan->nr == FUSE_FILTER_MAX)
		return p_usage("mount: %d filters are the limit", FUSE_FILTER_MAX);
	plan->filters[plan->nr++] = (struct filter){ .from = FROM_OBJECT, .path = path };
	return DONE;
}

static int parse_path(struct args *args, const char **path)
{
	*path = args_need(args, "PATH");
	return *path ? DONE : USAGE;
}

/* plan_parse - parse one option of mount or run, with what belongs to it */
int plan_parse(struct args *args, struct plan *plan)
{
	enum { DAEMONLESS, ALLOW_OTHER, DEFAULT_PERMISSIONS, SOURCE, POLICY, FILTER, FAIL_OPEN,
	       DIR, PIN, SET };
	static const char *const words[] = {
		[DAEMONLESS] = "daemonless", [ALLOW_OTHER] = "allow_other",
		[DEFAULT_PERMISSIONS] = "default_permissions", [SOURCE] = "source",
		[POLICY] = "policy",
		[FILTER] = "filter", [FAIL_OPEN] = "fail_open", [DIR] = "dir", [PIN] = "pin",
		[SET] = "set", [SET + 1] = NULL,
	};
	struct filter *last = plan->nr ? &plan->filters[plan->nr - 1] : NULL;
	int word;

	if (parse_attribute(args, plan))
		return DONE;
	word = args_keyword(args, words);
	if (word >= FAIL_OPEN && !last)
		return p_usage("mount: %s comes after filter FILE", words[word]);
	switch (word) {
	case DAEMONLESS:
		/* All that this command can make; the word is for scripts that say so */
		return DONE;
	case ALLOW_OTHER:
		plan->opts.flags |= FUSE_BPF_MOUNT_ALLOW_OTHER;
		return DONE;
	case DEFAULT_PERMISSIONS:
		plan->opts.flags |= FUSE_BPF_MOUNT_DEFAULT_PERMISSIONS;
		return DONE;
	case SOURCE:
		plan->opts.source = args_need(args, "NAME");
		return plan->opts.source ? DONE : USAGE;
	case POLICY:
		return parse_path(args, &plan->policy);
	case FILTER:
		return parse_filter(args, plan);
	case FAIL_OPEN:
		last->flags |= FUSE_FILTER_FAIL_OPEN;
		return DONE;
	case DIR:
		return parse_path(args, &last->dir);
	case PIN:
		return parse_path(args, &last->pin);
	case SET:
		return filter_element_add(last, args);
	default:
		return USAGE;
	}
}

/* plan_attach - attach all filters by a descriptor of the mount */
int plan_attach(struct plan *plan, int root_fd, dev_t dev)
{
	int ret = DONE;
	size_t i;

	for (i = 0; !ret && i < plan->nr; i++)
		ret = filter_attach(root_fd, dev, &plan->filters[i]);
	if (!ret && plan->policy)
		ret = policy_attach(plan->policy, root_fd, dev);
	return ret;
}

/* plan_undo - remove all pins of a mount that does not come to be */
void plan_undo(struct plan *plan, dev_t dev)
{
	size_t i;

	for (i = 0; i < plan->nr; i++)
		filter_undo(&plan->filters[i]);
	if (plan->policy)
		pins_forget(dev);
}

/* Attach the filters through the mount that nobody can see yet. */
static int attach_unseen(struct plan *plan, int mount_fd, dev_t *dev)
{
	struct stat st;
	int fd, ret;

	fd = openat(mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		p_err(-errno, "cannot open the root of the new mount");
		if (fd >= 0)
			close(fd);
		return FAILED;
	}
	*dev = st.st_dev;
	ret = plan_attach(plan, fd, st.st_dev);
	close(fd);
	return ret;
}

/* plan_place - put the mount where everybody sees it */
int plan_place(const struct plan *plan, int mount_fd)
{
	if (!move_mount(mount_fd, "", AT_FDCWD, plan->mountpoint, MOVE_MOUNT_F_EMPTY_PATH))
		return DONE;
	p_err(-errno, "cannot mount on %s", plan->mountpoint);
	return FAILED;
}

static void mount_result(const struct plan *plan, dev_t dev)
{
	struct json_object *result = json_object_new_object();
	struct json_object *filters = json_object_new_array();
	size_t i;

	add_string(result, "mountpoint", plan->mountpoint);
	add_dev(result, dev);
	for (i = 0; i < plan->nr; i++) {
		const struct filter *filter = &plan->filters[i];

		json_object_array_add(filters, filter_result(filter));
		p_text("%u: %s, pinned at %s\n", filter->id, filter->name, filter->pinned);
	}
	json_object_object_add(result, "filters", filters);
	out_result(result);
}

static int mount_failed(int err, const struct plan *plan)
{
	if (access(plan->backing, F_OK))
		; /* the library has said so */
	else if (err == -ENOTTY || err == -ENOENT)
		reason_add("load the module fuse_bpf, or boot a kernel that has backed inodes");
	else if (err == -EPERM || err == -EACCES)
		reason_add("mounting needs CAP_SYS_ADMIN; run as root");
	p_err(err, "cannot mount %s", plan->backing);
	return FAILED;
}

static int mount_plan(struct plan *plan)
{
	dev_t dev = 0;
	int fd, ret;

	fd = fuse_bpf_fsmount(plan->backing, NULL, &plan->opts);
	if (fd < 0)
		return check_stopped() ?: mount_failed(fd, plan);
	ret = attach_unseen(plan, fd, &dev);
	if (!ret)
		ret = check_stopped();
	if (!ret)
		ret = plan_place(plan, fd);
	if (!ret)
		mount_result(plan, dev);
	else
		plan_undo(plan, dev);
	close(fd);
	return ret;
}

int do_mount(struct args *args)
{
	struct plan plan = { .opts.sz = sizeof(plan.opts) };
	int ret = DONE;
	size_t i;

	plan.backing = args_need(args, "BACKING");
	plan.mountpoint = plan.backing ? args_need(args, "MOUNTPOINT") : NULL;
	if (!plan.mountpoint)
		return USAGE;
	while (!ret && args->argc)
		ret = plan_parse(args, &plan);
	if (!ret && !(~plan.opts.mount_attrs & ATIME_BOTH))
		ret = p_usage("mount: noatime and strictatime exclude each other");
	stop_on_signals();
	if (!ret)
		ret = mount_plan(&plan);
	for (i = 0; i < plan.nr; i++)
		free(plan.filters[i].elements);
	return ret;
}

static void show_mount(const struct mount *mount, const struct fuse_filter_info *infos, int nr,
		       struct json_object *list)
{
	struct json_object *obj = json_object_new_object();

	add_string(obj, "mountpoint", mount->point);
	add_string(obj, "source", mount->source);
	add_string(obj, "type", mount->type);
	add_dev(obj, mount->dev);
	add_bool(obj, "backed", mount->backed);
	json_object_object_add(obj, "filters", nr < 0 ? NULL : filters_json(infos, nr));
	if (nr < 0)
		add_string(obj, "filters_error", strerror(-nr));
	json_object_array_add(list, obj);

	p_text("%s on %s type %s dev %u:%u%s\n", mount->source, mount->point, mount->type,
	       major(mount->dev), minor(mount->dev), mount->backed ? "" : " not backed");
	if (nr < 0)
		p_text("  filters: %s\n", strerror(-nr));
	else
		filters_print(infos, nr);
}

/* A mount that is not backed is of interest if it has filters, or was asked for. */
static void ls_one(const struct mount *mount, bool named, struct json_object *list)
{
	struct fuse_filter_info *infos = NULL;
	int nr, fd = mounts_open(mount);

	/* Covered by another mount */
	if (fd == -ENOENT || fd == -ENOTTY)
		return;
	nr = fd < 0 ? fd : filters_read(fd, &infos);
	if (mount->backed || named || nr)
		show_mount(mount, infos, nr, list);
	free(infos);
	if (fd >= 0)
		close(fd);
}

static int ls_all(const char *mountpoint, dev_t dev)
{
	struct json_object *list = json_object_new_array();
	struct mounts mounts;
	size_t i;
	int err;

	out_result(list);
	err = mounts_read(&mounts);
	if (err) {
		p_err(err, "cannot read /proc/self/mountinfo");
		return FAILED;
	}
	for (i = 0; i < mounts.nr; i++) {
		if (mountpoint && mounts.all[i].dev != dev)
			continue;
		ls_one(&mounts.all[i], mountpoint, list);
	}
	mounts_free(&mounts);
	return DONE;
}

int do_ls(struct args *args)
{
	const char *mountpoint = args_next(args);
	dev_t dev = 0;
	int fd;

	if (args_end(args))
		return USAGE;
	if (mountpoint) {
		fd = mount_open(mountpoint, &dev);
		if (fd < 0)
			return FAILED;
		close(fd);
	}
	return ls_all(mountpoint, dev);
}
