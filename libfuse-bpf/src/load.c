// SPDX-License-Identifier: LGPL-2.1-only
/*
 * Filters from object files and pins, by libbpf: load, register, replace, pin.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

#define OPS_TYPE "fuse_filter_ops"

/* The verifier's reason is at the end of its log */
#define LOG_SIZE (1 << 20)
#define LOG_LINES 8

/**
 * struct fuse_bpf_filter - a filter
 * @obj: its object, NULL: from a pin
 * @map: the struct fuse_filter_ops in @obj
 * @link: registration, NULL: none
 * @log: what the verifier said, NULL for objects of others
 * @own: is @obj ours to close?
 * @loaded: have we loaded @obj, or found it loaded?
 * @load_err: what loading failed with; libbpf does not try twice
 */
struct fuse_bpf_filter {
	struct bpf_object *obj;
	struct bpf_map *map;
	struct bpf_link *link;
	char *log;
	bool own;
	bool loaded;
	int load_err;
};

static const char *map_type_name(const struct bpf_object *obj, const struct bpf_map *map)
{
	const struct btf *btf = bpf_object__btf(obj);
	const struct btf_type *t = btf__type_by_id(btf, bpf_map__btf_value_type_id(map));

	return t ? btf__name_by_offset(btf, t->name_off) : "";
}

/* Names may have a flavour after three underscores, which means nothing. */
static bool is_ops_map(const struct bpf_object *obj, const struct bpf_map *map)
{
	const size_t len = sizeof(OPS_TYPE) - 1;
	const char *name;

	if (bpf_map__type(map) != BPF_MAP_TYPE_STRUCT_OPS)
		return false;
	name = map_type_name(obj, map);
	return !strncmp(name, OPS_TYPE, len) && (!name[len] || !strncmp(name + len, "___", 3));
}

/* The one filter in an object; NULL with errno set */
static struct bpf_map *find_ops(const struct bpf_object *obj)
{
	struct bpf_map *map, *found = NULL;

	bpf_object__for_each_map(map, obj) {
		if (!is_ops_map(obj, map))
			continue;
		if (found) {
			fuse_bpf_log("%s holds several filters: %s, %s", bpf_object__name(obj),
				     bpf_map__name(found), bpf_map__name(map));
			errno = EINVAL;
			return NULL;
		}
		found = map;
	}
	if (!found) {
		fuse_bpf_log("%s holds no struct " OPS_TYPE, bpf_object__name(obj));
		errno = EINVAL;
	}
	return found;
}

static int take_object(struct fuse_bpf_filter *filter, struct bpf_object *obj)
{
	filter->map = find_ops(obj);
	if (!filter->map)
		return -errno;
	filter->obj = obj;
	filter->loaded = bpf_map__fd(filter->map) >= 0;
	return 0;
}

/* libbpf's errors, of which some are its own and no errnos */
static int open_error(const char *path, int err)
{
	char text[128];

	libbpf_strerror(err, text, sizeof(text));
	fuse_bpf_log("%s: %s", path, text);
	return err <= -__LIBBPF_ERRNO__START ? -EINVAL : err;
}

static int open_file(struct fuse_bpf_filter *filter, const char *path)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .kernel_log_size = LOG_SIZE);
	struct bpf_object *obj;
	int err;

	filter->log = calloc(1, LOG_SIZE);
	if (!filter->log)
		return -ENOMEM;
	opts.kernel_log_buf = filter->log;
	obj = bpf_object__open_file(path, &opts);
	if (!obj)
		return open_error(path, -errno);
	err = take_object(filter, obj);
	if (err)
		bpf_object__close(obj);
	filter->own = !err;
	return err;
}

/* What the functions that return a pointer return: NULL with errno set */
static struct fuse_bpf_filter *filter_or_error(struct fuse_bpf_filter *filter, int err)
{
	if (!err)
		return filter;
	fuse_bpf_filter_free(filter);
	errno = -err;
	return NULL;
}

FUSE_BPF_API struct fuse_bpf_filter *fuse_bpf_filter_open(const char *path)
{
	struct fuse_bpf_filter *filter = calloc(1, sizeof(*filter));

	return filter ? filter_or_error(filter, open_file(filter, path)) : NULL;
}

FUSE_BPF_API struct fuse_bpf_filter *fuse_bpf_filter_open_object(struct bpf_object *obj)
{
	struct fuse_bpf_filter *filter = calloc(1, sizeof(*filter));

	return filter ? filter_or_error(filter, take_object(filter, obj)) : NULL;
}

static int open_pinned(struct fuse_bpf_filter *filter, const char *path)
{
	struct bpf_link_info info = {};
	__u32 size = sizeof(info);

	filter->link = bpf_link__open(path);
	if (!filter->link)
		return -errno;
	if (bpf_link_get_info_by_fd(bpf_link__fd(filter->link), &info, &size) ||
	    info.type != BPF_LINK_TYPE_STRUCT_OPS) {
		fuse_bpf_log("%s is no pin of a filter", path);
		return -EINVAL;
	}
	return 0;
}

FUSE_BPF_API struct fuse_bpf_filter *fuse_bpf_filter_open_pinned(const char *path)
{
	struct fuse_bpf_filter *filter = calloc(1, sizeof(*filter));

	return filter ? filter_or_error(filter, open_pinned(filter, path)) : NULL;
}

FUSE_BPF_API struct bpf_object *fuse_bpf_filter_object(const struct fuse_bpf_filter *filter)
{
	return filter->obj;
}

/* The verifier's last lines, but for its statistics */
static void log_end(const char *log)
{
	const char *lines[LOG_LINES];
	size_t nr = 0, i;

	while (*log) {
		size_t len = strcspn(log, "\n");

		if (len && strncmp(log, "processed ", 10))
			lines[nr++ % LOG_LINES] = log;
		log += len + (log[len] == '\n');
	}
	for (i = nr > LOG_LINES ? nr - LOG_LINES : 0; i < nr; i++) {
		log = lines[i % LOG_LINES];
		fuse_bpf_log("verifier: %.*s", (int)strcspn(log, "\n"), log);
	}
}

static void explain_load(const struct fuse_bpf_filter *filter, int err)
{
	const char *name = bpf_object__name(filter->obj);

	if (filter->log && *filter->log)
		log_end(filter->log);
	if (err == -EPERM)
		fuse_bpf_log("loading %s needs CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN", name);
	else if (err == -ESRCH || err == -ENOENT)
		fuse_bpf_log("cannot load %s: this kernel's BTF has no struct " OPS_TYPE, name);
	else
		fuse_bpf_log("cannot load %s: %s", name, strerror(-err));
}

FUSE_BPF_API int fuse_bpf_filter_load(struct fuse_bpf_filter *filter)
{
	int err;

	if (filter->loaded || filter->load_err || !filter->obj)
		return filter->load_err;
	err = bpf_object__load(filter->obj);
	if (err)
		explain_load(filter, err);
	filter->loaded = !err;
	filter->load_err = err;
	return err;
}

static int make_link(struct fuse_bpf_filter *filter, struct bpf_link **link)
{
	int err = fuse_bpf_filter_load(filter);

	if (err)
		return err;
	*link = bpf_map__attach_struct_ops(filter->map);
	if (*link)
		return 0;
	err = -errno;
	fuse_bpf_log(err == -EINVAL ?
		     "the kernel refuses the filter %s: its name, its flags, or that it has no callback" :
		     "cannot register the filter %s", bpf_map__name(filter->map));
	return err;
}

FUSE_BPF_API int fuse_bpf_filter_register(struct fuse_bpf_filter *filter)
{
	int err = filter->link ? 0 : make_link(filter, &filter->link);

	return err ? err : bpf_link__fd(filter->link);
}

FUSE_BPF_API int fuse_bpf_filter_attach(struct fuse_bpf_filter *filter, int fd, __u32 *id,
					const struct fuse_bpf_attach_opts *opts)
{
	int link_fd = fuse_bpf_filter_register(filter);

	return link_fd < 0 ? link_fd : fuse_bpf_attach(fd, link_fd, id, opts);
}

static void swap_objects(struct fuse_bpf_filter *a, struct fuse_bpf_filter *b)
{
	struct fuse_bpf_filter tmp = *a;

	*a = *b;
	*b = tmp;
	b->link = NULL;
	a->link = tmp.link;
}

/*
 * A struct_ops map must have been registered once before a link can be updated with it,
 * and libbpf does that by making a link. That one is attached to nothing.
 */
static int update_link(struct bpf_link *link, struct fuse_bpf_filter *with)
{
	struct bpf_link *once;
	int err = make_link(with, &once);

	if (err)
		return err;
	bpf_link__destroy(once);
	if (bpf_link_update(bpf_link__fd(link), bpf_map__fd(with->map), NULL)) {
		err = -errno;
		fuse_bpf_log("cannot put the filter %s into the place of another: %s",
			     bpf_map__name(with->map), strerror(-err));
	}
	return err;
}

FUSE_BPF_API int fuse_bpf_filter_replace(struct fuse_bpf_filter *filter,
					 struct fuse_bpf_filter *with)
{
	int err;

	if (!filter->link || with->link || !with->map)
		return -EINVAL;
	err = update_link(filter->link, with);
	if (!err)
		swap_objects(filter, with);
	return err;
}

FUSE_BPF_API int fuse_bpf_filter_pin(struct fuse_bpf_filter *filter, const char *path)
{
	int link_fd = fuse_bpf_filter_register(filter);

	if (link_fd < 0)
		return link_fd;
	if (!bpf_obj_pin(link_fd, path))
		return 0;
	link_fd = -errno;
	fuse_bpf_log("cannot pin a filter at %s: %s", path, strerror(-link_fd));
	return link_fd;
}

FUSE_BPF_API void fuse_bpf_filter_free(struct fuse_bpf_filter *filter)
{
	if (!filter)
		return;
	bpf_link__destroy(filter->link);
	if (filter->own)
		bpf_object__close(filter->obj);
	free(filter->log);
	free(filter);
}
