// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fuse_bpf.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "filter_fixture.h"
#include "util.h"

static char log_text[1 << 16];
static size_t log_len;
static bool log_quiet;

static int keep_log(enum libbpf_print_level level, const char *fmt, va_list args)
{
	size_t room = sizeof(log_text) - log_len;
	int len;

	if (level == LIBBPF_DEBUG)
		return 0;
	len = vsnprintf(log_text + log_len, room, fmt, args);
	if (len > 0)
		log_len += (size_t)len < room ? (size_t)len : room - 1;
	return 0;
}

static void begin_log(void)
{
	libbpf_set_print(keep_log);
	log_len = 0;
	log_text[0] = '\0';
}

static int explain(int err, const char *what)
{
	if (err && !log_quiet) {
		say("%s: %s", what, strerror(-err));
		fputs(log_text, stderr);
	}
	return err;
}

const char *filter_log(void)
{
	return log_text;
}

void filter_quiet(bool quiet)
{
	log_quiet = quiet;
}

/* Objects are in build/selftests, test programs in a folder of that. */
int filter_path(char *path, size_t size, const char *name)
{
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (len < 0)
		return -errno;
	self[len] = '\0';
	snprintf(path, size, "%s/%s.bpf.o", dirname(dirname(self)), name);
	return 0;
}

static struct bpf_map *find_ops(struct bpf_object *obj, const char *ops)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, obj) {
		if (bpf_map__type(map) == BPF_MAP_TYPE_STRUCT_OPS &&
		    (!ops || !strcmp(bpf_map__name(map), ops)))
			return map;
	}
	return NULL;
}

int filter_open_object(struct filter *filter, const char *name)
{
	char path[PATH_MAX];
	int err;

	*filter = FILTER_NONE;
	begin_log();
	err = filter_path(path, sizeof(path), name);
	if (err)
		return explain(err, name);
	filter->obj = bpf_object__open_file(path, NULL);
	return filter->obj ? 0 : explain(-errno, path);
}

int filter_open(struct filter *filter, const char *name, const char *ops)
{
	int err = filter_open_object(filter, name);

	if (err)
		return err;
	filter->map = find_ops(filter->obj, ops);
	return explain(filter->map ? 0 : -ENOENT, name);
}

int filter_register(struct filter *filter)
{
	int err;

	begin_log();
	err = bpf_object__load(filter->obj);
	if (err)
		return explain(err, "loading");
	filter->link = bpf_map__attach_struct_ops(filter->map);
	return explain(filter->link ? 0 : -errno, "registering");
}

int filter_load(struct filter *filter, const char *name)
{
	int err = filter_open(filter, name, NULL);

	return err ? err : filter_register(filter);
}

int filter_attach(struct filter *filter, int fd, __u32 flags, __u32 relative_id)
{
	FUSE_BPF_OPTS(fuse_bpf_attach_opts, opts, .flags = flags, .relative_id = relative_id);
	int err = fuse_bpf_attach(fd, bpf_link__fd(filter->link), &filter->id, &opts);

	if (!err)
		filter->fd = fd;
	return err;
}

int filter_detach(struct filter *filter)
{
	int err = filter->fd < 0 ? 0 : fuse_bpf_detach(filter->fd, filter->id);

	filter->fd = -1;
	return err;
}

void filter_unregister(struct filter *filter)
{
	bpf_link__destroy(filter->link);
	filter->link = NULL;
}

void filter_destroy(struct filter *filter)
{
	filter_detach(filter);
	filter_unregister(filter);
	bpf_object__close(filter->obj);
	*filter = FILTER_NONE;
}

void *filter_global(struct filter *filter, const char *section, size_t *size)
{
	struct bpf_map *map;
	const char *name;

	bpf_object__for_each_map(map, filter->obj) {
		name = strchr(bpf_map__name(map), '.');
		if (name && !strcmp(name, section))
			return bpf_map__initial_value(map, size);
	}
	return NULL;
}
