// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuse-bpf replace: put other programs in the place of an attached filter's.
 *
 * The link of the filter stays, and with it its pin, its place in the order and all
 * that it is attached to; bpf_link_update() swaps what is behind it. The maps of the
 * old programs go on being used by the new ones that have maps of the same name, so
 * that rules set at any time hold without a break.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "main.h"

/**
 * struct replacement - what is done
 * @filter: the file and its elements
 * @which: the attachment that the user means
 * @info: the attachment
 * @fresh: begin with new maps
 * @programs: the old programs
 * @kept: out: names of the maps that are kept
 * @made: out: names of those that are new
 */
struct replacement {
	struct filter filter;
	struct which which;
	struct fuse_filter_info info;
	bool fresh;
	struct programs programs;
	struct json_object *kept;
	struct json_object *made;
};

/*
 * The link that has the filter's map, whoever holds it; -ENOENT there is none,
 * -ENOTUNIQ there are several, and which one was attached is not known.
 */
static int link_open(__u32 map_id)
{
	__u32 id = 0, its_map;
	int fd, found = -ENOENT;

	while (!bpf_link_get_next_id(id, &id)) {
		fd = bpf_link_get_fd_by_id(id);
		if (fd < 0)
			continue;
		if (link_map_id(fd, &its_map) || its_map != map_id) {
			close(fd);
		} else if (found < 0) {
			found = fd;
		} else {
			close(fd);
			close(found);
			return -ENOTUNIQ;
		}
	}
	return errno == ENOENT || found >= 0 ? found : -errno;
}

/* Kernels keep the first 15 bytes of a map's name. */
static bool is_named(const struct bpf_map_info *info, const struct bpf_map *map)
{
	return !strncmp(info->name, bpf_map__name(map), sizeof(info->name) - 1);
}

static bool is_alike(const struct bpf_map_info *info, const struct bpf_map *map)
{
	return info->type == bpf_map__type(map) && info->key_size == bpf_map__key_size(map) &&
	       info->value_size == bpf_map__value_size(map) &&
	       info->max_entries == bpf_map__max_entries(map) &&
	       info->map_flags == bpf_map__map_flags(map);
}

/* The map of the old programs that @map takes the place of: a descriptor or -ENOENT */
static int old_map_open(const struct programs *programs, const struct bpf_map *map,
			struct bpf_map_info *info)
{
	__u32 size;
	size_t i;
	int fd;

	for (i = 0; i < programs->nr_maps; i++) {
		fd = bpf_map_get_fd_by_id(programs->maps[i]);
		if (fd < 0)
			return -errno;
		memset(info, 0, sizeof(*info));
		size = sizeof(*info);
		if (!bpf_map_get_info_by_fd(fd, info, &size) && is_named(info, map))
			return fd;
		close(fd);
	}
	return -ENOENT;
}

static int keep_map(const struct replacement *r, struct bpf_map *map)
{
	struct bpf_map_info info;
	int fd, err;

	fd = old_map_open(&r->programs, map, &info);
	if (fd == -ENOENT) {
		json_object_array_add(r->made, json_object_new_string(bpf_map__name(map)));
		return DONE;
	}
	if (fd < 0) {
		p_err(fd, "cannot use the maps of filter %u", r->info.id);
		return FAILED;
	}
	err = is_alike(&info, map) ? bpf_map__reuse_fd(map, fd) : -EMEDIUMTYPE;
	close(fd);
	if (!err) {
		json_object_array_add(r->kept, json_object_new_string(bpf_map__name(map)));
		return DONE;
	}
	reason_clear();
	if (err == -EMEDIUMTYPE)
		p_err(0, "map %s of %s is of another kind or size than that of the attached filter: 'fresh' begins with new maps, 'set' fills them in",
		      bpf_map__name(map), r->filter.path);
	else
		p_err(err, "cannot keep map %s", bpf_map__name(map));
	return FAILED;
}

/* Variables and constants are the program's own, and so is the struct itself. */
static bool is_kept(const struct bpf_map *map)
{
	return !bpf_map__is_internal(map) && bpf_map__type(map) != BPF_MAP_TYPE_STRUCT_OPS;
}

static int keep_maps(struct bpf_object *obj, void *arg)
{
	struct replacement *r = arg;
	struct bpf_map *map;
	int ret = DONE;

	bpf_object__for_each_map(map, obj) {
		if (ret || !is_kept(map))
			continue;
		if (r->fresh)
			json_object_array_add(r->made, json_object_new_string(bpf_map__name(map)));
		else
			ret = keep_map(r, map);
	}
	return ret;
}

static int swap(const struct replacement *r, int link_fd, __u32 map_id)
{
	LIBBPF_OPTS(bpf_link_update_opts, opts, .flags = BPF_F_REPLACE);
	int new_fd = bpf_map_get_fd_by_id(map_id);
	int old_fd = bpf_map_get_fd_by_id(r->info.map_id);
	int err = 0;

	if (new_fd < 0 || old_fd < 0) {
		err = -ENOENT;
	} else {
		opts.old_map_fd = old_fd;
		if (bpf_link_update(link_fd, new_fd, &opts))
			err = -errno;
	}
	if (new_fd >= 0)
		close(new_fd);
	if (old_fd >= 0)
		close(old_fd);
	return err;
}

static void report_swap(const struct replacement *r, int err)
{
	if (err == -ENOENT || err == -EPERM)
		p_err(0, "filter %u was replaced or went away meanwhile; 'fuse-bpf ls' shows what is attached",
		      r->info.id);
	else if (err == -EINVAL || err == -EOPNOTSUPP)
		p_err(err, "the kernel does not put %s in the place of filter %u", r->filter.path,
		      r->info.id);
	else
		p_err(err, "cannot replace filter %u", r->info.id);
}

static void show(const struct replacement *r, __u32 map_id)
{
	struct json_object *result = json_object_new_object();
	size_t i;

	add_number(result, "id", r->info.id);
	add_string(result, "name", r->filter.name);
	add_string(result, "old_name", r->info.name);
	add_number(result, "map_id", map_id);
	add_number(result, "old_map_id", r->info.map_id);
	json_object_object_add(result, "maps_kept", json_object_get(r->kept));
	json_object_object_add(result, "maps_new", json_object_get(r->made));
	out_result(result);

	p_text("%u: %s, map %u in the place of %u", r->info.id, r->filter.name, map_id,
	       r->info.map_id);
	for (i = 0; i < json_object_array_length(r->kept); i++)
		p_text("%s%s", i ? ", " : "; kept ",
		       json_object_get_string(json_object_array_get_idx(r->kept, i)));
	p_text("\n");
}

/*
 * A struct_ops map must have been registered once before a link can be updated with
 * it, and libbpf does that by making a link. This one is attached to nothing.
 */
static int replace_link(struct replacement *r, int link_fd)
{
	struct bpf_object *obj;
	struct bpf_link *link;
	__u32 map_id;
	int err, ret;

	ret = object_register_prepared(&r->filter, keep_maps, r, &obj, &link);
	if (ret)
		return ret;
	err = link_map_id(bpf_link__fd(link), &map_id);
	bpf_link__destroy(link);
	if (!err)
		err = swap(r, link_fd, map_id);
	if (err)
		report_swap(r, err);
	else
		show(r, map_id);
	bpf_object__close(obj);
	return err ? FAILED : DONE;
}

static int replace_found(struct replacement *r)
{
	int fd, err, ret;

	fd = r->info.flags & FUSE_FILTER_DEAD ? -ENOENT : link_open(r->info.map_id);
	if (fd == -ENOENT) {
		p_err(0, "the link of filter %u is gone: detach it, and attach the new one",
		      r->info.id);
		return FAILED;
	}
	if (fd == -ENOTUNIQ) {
		p_err(0, "filter %u is registered by several links: detach it, and attach the new one",
		      r->info.id);
		return FAILED;
	}
	if (fd < 0) {
		p_err(fd, "cannot open the link of filter %u", r->info.id);
		return FAILED;
	}
	err = programs_of(r->info.map_id, &r->programs);
	if (err) {
		p_err(err, "cannot find the maps of filter %u", r->info.id);
		ret = FAILED;
	} else {
		ret = replace_link(r, fd);
	}
	programs_free(&r->programs);
	close(fd);
	return ret;
}

static int parse_option(struct args *args, struct replacement *r)
{
	enum { OBJ, DIR, FRESH, SET };
	static const char *const words[] = {
		[OBJ] = "obj", [DIR] = "dir", [FRESH] = "fresh", [SET] = "set", [SET + 1] = NULL,
	};

	switch (args_keyword(args, words)) {
	case OBJ:
		r->filter.path = args_need(args, "FILE");
		return r->filter.path ? DONE : USAGE;
	case DIR:
		return which_parse_dir(args, &r->which);
	case FRESH:
		r->fresh = true;
		return DONE;
	case SET:
		return filter_element_add(&r->filter, args);
	default:
		return USAGE;
	}
}

static int parse(struct args *args, struct replacement *r)
{
	int ret = which_parse(args, "replace", &r->which);

	while (!ret && args->argc)
		ret = parse_option(args, r);
	if (!ret && !r->filter.path)
		return p_usage("replace: obj FILE is missing");
	return ret;
}

int do_replace(struct args *args)
{
	const char *mountpoint = args_need(args, "MOUNTPOINT");
	struct replacement r = { .filter.from = FROM_OBJECT };
	dev_t dev;
	int fd, ret;

	ret = mountpoint ? parse(args, &r) : USAGE;
	if (!ret) {
		fd = which_open(mountpoint, &r.which, &r.info, &dev);
		ret = fd < 0 ? FAILED : DONE;
	}
	if (!ret) {
		close(fd);
		r.kept = json_object_new_array();
		r.made = json_object_new_array();
		ret = replace_found(&r);
	}
	json_object_put(r.kept);
	json_object_put(r.made);
	free(r.filter.elements);
	return ret;
}
