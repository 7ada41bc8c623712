// SPDX-License-Identifier: GPL-2.0-only
#include <bpf/bpf.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ready_fixture.h"
#include "util.h"

#define MAX_CPUS 64

/* As in fuse_filter_util.bpf.h */
struct fuse_filter_cgroups {
	struct {
		__u64 id;
		__u64 level;
	} groups[4];
};

static int make_backing(struct ready *r)
{
	const char *back = r->b.back;
	int err = RES(chmod(back, 0777));

	if (!err)
		err = make_file(in(back, "file"), "0123456789", 0666);
	if (!err)
		err = RES(chmod(in(back, "file"), 0666));
	if (!err)
		err = make_dir(in(back, "sub"), 0777);
	if (!err)
		err = RES(chmod(in(back, "sub"), 0777));
	if (!err)
		err = make_file(in(back, "sub/below"), "below", 0666);
	return err ? err : RES(chown(in(back, "file"), USER1, USER1));
}

int ready_begin(struct ready *r, unsigned int flags)
{
	int err;

	r->filter = FILTER_NONE;
	r->dir = -1;
	err = backed_make(&r->b, "tmpfs");
	if (!err)
		err = make_backing(r);
	if (!err)
		err = backed_mount(&r->b, BACKED_ALLOW_OTHER | flags);
	if (err)
		return err;
	snprintf(r->file, sizeof(r->file), "%s/file", r->b.mnt);
	snprintf(r->sub, sizeof(r->sub), "%s/sub", r->b.mnt);
	r->dir = open_dir(r->b.mnt, 0);
	return r->dir < 0 ? r->dir : 0;
}

int ready_end(struct ready *r)
{
	filter_destroy(&r->filter);
	if (r->dir >= 0)
		close(r->dir);
	return backed_destroy(&r->b);
}

int ready_use(struct ready *r, const char *name)
{
	int err = filter_load(&r->filter, in("../bpf", "%s", name));

	return err ? err : filter_attach(&r->filter, r->dir, 0, 0);
}

int ready_map(const struct ready *r, const char *map)
{
	return bpf_map__fd(bpf_object__find_map_by_name(r->filter.obj, map));
}

int ready_set(const struct ready *r, const char *map, const void *key, const void *value)
{
	return bpf_map_update_elem(ready_map(r, map), key, value, BPF_ANY);
}

int ready_get(const struct ready *r, const char *map, const void *key, void *value)
{
	return bpf_map_lookup_elem(ready_map(r, map), key, value);
}

int ready_set_id(const struct ready *r, const char *map, __u32 id)
{
	return ready_set(r, map, &id, &(__u8){ 1 });
}

int ready_set_name(const struct ready *r, const char *map, const char *name, __u32 value)
{
	char key[64] = "";

	snprintf(key, sizeof(key), "%s", name);
	return ready_set(r, map, key, &value);
}

__u64 ready_sum(const struct ready *r, const char *map, __u32 index)
{
	int cpus = libbpf_num_possible_cpus();
	__u64 values[MAX_CPUS] = {}, sum = 0;

	if (cpus > MAX_CPUS || ready_get(r, map, &index, values))
		return ~0ULL;
	for (int i = 0; i < cpus; i++)
		sum += values[i];
	return sum;
}

__u64 ready_node(const char *path)
{
	return ino_of(path) | FUSE_NODEID_KERNEL;
}

int ready_group_make(const struct ready *r, const char *map, struct ready_group *group)
{
	struct fuse_filter_cgroups element = {};
	__u32 zero = 0;
	int err;

	snprintf(group->path, sizeof(group->path), "/sys/fs/cgroup/ready-%d", getpid());
	err = RES(mkdir(group->path, 0755));
	if (err)
		return err;
	element.groups[0].id = ino_of(group->path);
	element.groups[0].level = 1;
	return ready_set(r, map, &zero, &element);
}

int ready_group_remove(const struct ready_group *group)
{
	return RES(rmdir(group->path));
}

struct call {
	const struct ready_group *group;
	int (*fn)(void *arg);
	const void *arg;
};

static int enter_and_call(void *arg)
{
	const struct call *call = arg;
	char procs[PATH_MAX];
	int fd, err;

	snprintf(procs, sizeof(procs), "%s/cgroup.procs", call->group->path);
	fd = open(procs, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* 0: the one who writes */
	err = RES(write(fd, "0", 1));
	close(fd);
	return err < 0 ? err : call->fn((void *)call->arg);
}

int in_group(const struct ready_group *group, int (*fn)(void *arg), const void *arg)
{
	return in_child(enter_and_call, &(struct call){ group, fn, arg });
}

int names_in(void *path)
{
	DIR *dir = opendir(path);
	int nr = 0;

	if (!dir)
		return -errno;
	while (readdir(dir))
		nr++;
	closedir(dir);
	return nr - 2;
}

int make_in(void *path)
{
	return RES(mkdir(path, 0700));
}

int write_one(void *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = fd < 0 ? -errno : RES(pwrite(fd, "0", 1, 0));

	close(fd);
	return ret;
}
