// SPDX-License-Identifier: GPL-2.0-only
/*
 * Filters in files: load the programs, fill in the maps, register the filter.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "main.h"

/* The verifier's reason is at the end of its log */
#define LOG_SIZE (4 << 20)
#define LOG_LINES 20

/* The program that the kernel refused, as libbpf names it on the way */
static char refused_prog[64];

static void listen_line(char *line)
{
	if (!strncmp(line, "libbpf: ", 8))
		line += 8;
	if (sscanf(line, "prog '%63[^']': BPF program load failed", refused_prog) != 1 &&
	    *line && !settings.debug)
		reason_add("%s", line);
}

static int listen(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char text[2048], *rest = text, *line;
	int len;

	len = vsnprintf(text, sizeof(text), fmt, ap);
	if (settings.debug)
		fputs(text, stderr);
	while (level == LIBBPF_WARN && (line = strsep(&rest, "\n")))
		listen_line(line);
	return len;
}

/* libbpf_listen - keep libbpf's warnings as reasons for an error */
void libbpf_listen(void)
{
	libbpf_set_print(listen);
}

static bool starts_with(const char *line, const char *text)
{
	return !strncmp(line, text, strlen(text));
}

/*
 * Kernels that explain themselves (7.3) do it at the end, after the line that
 * older ones end with. How the program got there is for -d.
 */
static bool add_explanation(const char *log)
{
	const char *at = strstr(log, "\nVerification failed: ");
	bool show = true;

	if (!at)
		return false;
	while (at > log && *at == '\n')
		at--;
	while (at > log && at[-1] != '\n')
		at--;
	while (*at) {
		size_t len = strcspn(at, "\n");

		if (starts_with(at, "Causal path:") || starts_with(at, "processed "))
			show = false;
		else if (starts_with(at, "Suggestion:"))
			show = true;
		if (show && len)
			reason_add("%.*s", (int)len, at);
		at += len + (at[len] == '\n');
	}
	return true;
}

/* The verifier's last lines, but for its statistics. */
static void add_end(const char *log)
{
	const char *lines[LOG_LINES];
	size_t nr = 0, i;

	while (*log) {
		size_t len = strcspn(log, "\n");

		if (len && !starts_with(log, "processed "))
			lines[nr++ % LOG_LINES] = log;
		log += len + (log[len] == '\n');
	}
	for (i = nr > LOG_LINES ? nr - LOG_LINES : 0; i < nr; i++) {
		log = lines[i % LOG_LINES];
		reason_add("%.*s", (int)strcspn(log, "\n"), log);
	}
}

static void add_verifier_log(const char *log)
{
	if (settings.debug)
		fputs(log, stderr);
	else if (!add_explanation(log))
		add_end(log);
}

static const char *map_type_name(const struct bpf_object *obj, const struct bpf_map *map)
{
	const struct btf *btf = bpf_object__btf(obj);
	const struct btf_type *t = btf__type_by_id(btf, bpf_map__btf_value_type_id(map));

	return t ? btf__name_by_offset(btf, t->name_off) : "";
}

/* Names may have a flavour after three underscores, which means nothing. */
static bool is_ops_type(const char *name)
{
	size_t len = strlen(OPS_TYPE);

	return !strncmp(name, OPS_TYPE, len) && (!name[len] || !strncmp(name + len, "___", 3));
}

/* The one filter in the file; NULL after reporting why not. */
static struct bpf_map *find_ops(const struct bpf_object *obj, const char *path)
{
	struct bpf_map *map, *found = NULL;
	const char *other = NULL;

	bpf_object__for_each_map(map, obj) {
		if (bpf_map__type(map) != BPF_MAP_TYPE_STRUCT_OPS)
			continue;
		if (!is_ops_type(map_type_name(obj, map))) {
			other = map_type_name(obj, map);
		} else if (found) {
			p_err(0, "%s holds several filters (%s, %s): make a file of each", path,
			      bpf_map__name(found), bpf_map__name(map));
			return NULL;
		} else {
			found = map;
		}
	}
	if (!found && other)
		p_err(0, "%s holds a struct %s, and no struct %s", path, other, OPS_TYPE);
	else if (!found)
		p_err(0, "%s holds no struct %s", path, OPS_TYPE);
	return found;
}

/* The filter's own name, from the value that the file gives the struct. */
static void read_name(const struct bpf_object *obj, struct bpf_map *map, struct filter *filter)
{
	const struct btf *btf = bpf_object__btf(obj);
	const struct btf_type *t = btf__type_by_id(btf, bpf_map__btf_value_type_id(map));
	const struct btf_member *m = btf_members(t);
	const char *value;
	size_t size;
	int i;

	value = bpf_map__initial_value(map, &size);
	for (i = 0; value && i < btf_vlen(t); i++, m++) {
		size_t offset = m->offset / 8;

		if (strcmp(btf__name_by_offset(btf, m->name_off), "name") || offset >= size)
			continue;
		snprintf(filter->name, sizeof(filter->name), "%.*s", (int)(size - offset),
			 value + offset);
		return;
	}
}

static int report_load(int err, const char *path, const char *log)
{
	const char *lacks = kernel_lacks_ops();

	if (lacks) {
		reason_clear();
		p_err(0, "cannot load %s: %s", path, lacks);
	} else if (*log) {
		reason_clear();
		add_verifier_log(log);
		p_err(err, "the kernel refused program %s of %s%s", refused_prog, path,
		      settings.debug ? "" : "; -d shows the verifier's whole log");
	} else if (err == -EPERM) {
		reason_clear();
		p_err(0, "loading %s needs CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN", path);
	} else {
		p_err(err, "cannot load %s", path);
	}
	return FAILED;
}

static int load(struct bpf_object *obj, const char *path, const char *log)
{
	int err = bpf_object__load(obj);

	if (err)
		return report_load(err, path, log);
	if (settings.debug && *log)
		fprintf(stderr, "%s\n", log);
	return DONE;
}

static int attach_ops(struct bpf_map *ops, const char *path, struct bpf_link **link)
{
	int err;

	*link = bpf_map__attach_struct_ops(ops);
	if (*link)
		return DONE;

	err = -errno;
	reason_clear();
	if (err == -EINVAL)
		p_err(0, "the kernel refused the filter of %s: it needs at least one callback, flags that are zero, and a name of letters, digits, '_' and '.' with at most %d bytes",
		      path, FUSE_FILTER_NAME_LEN - 1);
	else
		p_err(err, "cannot register the filter of %s", path);
	return FAILED;
}

static int register_opened(struct filter *filter, struct bpf_object *obj, const char *log,
			   object_fn prepare, void *arg, struct bpf_link **link)
{
	struct bpf_map *ops = find_ops(obj, filter->path);
	size_t i;
	int ret;

	if (!ops)
		return FAILED;
	read_name(obj, ops, filter);
	ret = prepare ? prepare(obj, arg) : DONE;
	if (!ret)
		ret = load(obj, filter->path, log);
	for (i = 0; !ret && i < filter->nr_elements; i++)
		ret = element_set(obj, filter->path, &filter->elements[i]);
	return ret ? ret : attach_ops(ops, filter->path, link);
}

static int report_open(int err, const char *path)
{
	char text[128];

	if (err == -ENOENT || err == -EACCES || err == -EISDIR) {
		reason_clear();
		p_err(err, "cannot open %s", path);
		return FAILED;
	}
	libbpf_strerror(err, text, sizeof(text));
	reason_add("libbpf: %s", text);
	p_err(0, "%s is no BPF object that can be used: build it with clang -target bpf -g", path);
	return FAILED;
}

/**
 * object_register - load the filter that is in a file, and register it
 * @filter: the filter, of which the name is filled in
 * @obj: out: the loaded object
 * @link: out: link that keeps the filter registered
 *
 * Return: DONE, or FAILED after reporting it
 */
int object_register(struct filter *filter, struct bpf_object **obj, struct bpf_link **link)
{
	return object_register_prepared(filter, NULL, NULL, obj, link);
}

/* object_register_prepared - the same, with @prepare called before the load */
int object_register_prepared(struct filter *filter, object_fn prepare, void *arg,
			     struct bpf_object **obj, struct bpf_link **link)
{
	char *log = calloc(1, LOG_SIZE);
	LIBBPF_OPTS(bpf_object_open_opts, opts, .kernel_log_buf = log,
		    .kernel_log_size = LOG_SIZE, .kernel_log_level = settings.debug);
	int ret;

	if (!log) {
		p_err(-ENOMEM, "cannot load %s", filter->path);
		return FAILED;
	}
	*obj = bpf_object__open_file(filter->path, &opts);
	if (!*obj) {
		ret = report_open(-errno, filter->path);
	} else {
		ret = register_opened(filter, *obj, log, prepare, arg, link);
		if (ret) {
			bpf_object__close(*obj);
			*obj = NULL;
		}
	}
	free(log);
	return ret;
}
