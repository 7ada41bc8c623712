// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuse-bpf feature: what this kernel can do, and why not.
 */
#include <linux/capability.h>
#include <stdio.h>
#include <unistd.h>

#include "machine.h"

static void show_row(const char *name, const char *fmt, const char *arg)
{
	p_text("%-20s ", name);
	p_text(fmt, arg);
	p_text("\n");
}

/* One thing that is there, or is not for @reason. */
static void show_feature(struct json_object *result, const char *key, bool available,
			 const char *reason)
{
	struct json_object *obj = json_object_new_object();

	add_bool(obj, "available", available);
	if (!available)
		add_string(obj, "reason", reason);
	json_object_object_add(result, key, obj);
	show_row(key, available ? "yes" : "no: %s", reason);
}

static void show_ops(struct json_object *result, const char *key, const __u64 ops[2])
{
	struct json_object *names = ops_json(ops);
	size_t i;

	json_object_object_add(result, key, names);
	p_text("%-20s", key);
	for (i = 0; i < json_object_array_length(names); i++)
		p_text(" %s", json_object_get_string(json_object_array_get_idx(names, i)));
	p_text("%s\n", i ? "" : " none");
}

static void show_query(struct json_object *result, const struct fuse_bpf_query *query)
{
	char number[16];
	size_t i;

	snprintf(number, sizeof(number), "%u", query->abi);
	add_number(result, "abi", query->abi);
	show_row("abi", "%s", number);
	for (i = 0; i < nr_kernel_features; i++)
		show_feature(result, kernel_features[i].name,
			     query->features & kernel_features[i].bit,
			     feature_reason(&kernel_features[i]));
	snprintf(number, sizeof(number), "%u", query->filter_max);
	add_number(result, "filter_max", query->filter_max);
	show_row("filter_max", "%s", number);
	show_ops(result, "backed_ops", query->backed_ops);
	show_ops(result, "prefilter_ops", query->prefilter_ops);
	show_ops(result, "postfilter_ops", query->postfilter_ops);
}

static void show_device(struct json_object *result)
{
	enum fuse_bpf_flavour flavour;
	struct fuse_bpf_query query;
	char reason[1024];
	int fd, err;

	fd = fuse_bpf_open_device(FUSE_BPF_ANY, &flavour);
	reason_take(reason, sizeof(reason));
	show_feature(result, "device", fd >= 0, reason);
	if (fd < 0)
		return;

	add_string(result, "device_path", fuse_bpf_device_path(flavour));
	add_string(result, "type", fuse_bpf_fs_type(flavour));
	show_row("device_path", "%s", fuse_bpf_device_path(flavour));
	show_row("type", "%s", fuse_bpf_fs_type(flavour));
	err = fuse_bpf_query(fd, &query);
	close(fd);
	if (!err)
		show_query(result, &query);
}

int do_feature(struct args *args)
{
	struct json_object *result;

	if (args_end(args))
		return USAGE;
	result = json_object_new_object();
	out_result(result);
	show_device(result);
	show_feature(result, "bpf_fs", bpf_fs_is_mounted(),
		     BPF_FS " is no BPF file system yet; attaching a filter mounts it");
	show_feature(result, "privilege", has_capability(CAP_SYS_ADMIN),
		     "mounting and attaching need CAP_SYS_ADMIN; run as root");
	return DONE;
}
