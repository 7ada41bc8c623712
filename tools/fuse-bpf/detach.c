// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuse-bpf detach: take a filter away from a mount or a directory.
 */
#include <unistd.h>

#include "main.h"

static int detach_one(int fd, dev_t dev, const struct fuse_filter_info *info)
{
	struct json_object *result;
	int err;

	err = fuse_bpf_detach(fd, info->id);
	if (err) {
		p_err(err, "cannot detach filter %u", info->id);
		return FAILED;
	}

	result = json_object_new_object();
	add_number(result, "id", info->id);
	add_string(result, "name", info->name);
	json_object_object_add(result, "pins_removed", pins_remove(info, 1, dev, false));
	out_result(result);
	return DONE;
}

static int parse_rest(struct args *args, struct which *which)
{
	static const char *const words[] = { "dir", NULL };

	if (!args->argc)
		return DONE;
	if (args_keyword(args, words) < 0)
		return USAGE;
	return which_parse_dir(args, which) ? USAGE : args_end(args);
}

int do_detach(struct args *args)
{
	const char *mountpoint = args_need(args, "MOUNTPOINT");
	struct fuse_filter_info info;
	struct which which;
	int fd, ret;
	dev_t dev;

	if (!mountpoint || which_parse(args, "detach", &which) || parse_rest(args, &which))
		return USAGE;
	fd = which_open(mountpoint, &which, &info, &dev);
	if (fd < 0)
		return FAILED;
	ret = detach_one(fd, dev, &info);
	close(fd);
	return ret;
}
