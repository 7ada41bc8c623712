// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long operations take. Nothing of it is in the kernel but while somebody asks:
 * the programs are attached to the functions that the VFS calls, and go with this
 * process, however it ends.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "decisions.h"
#include "latency.h"
#include "latency.skel.h"

/**
 * struct function - what the kernel does an operation with
 * @name: of the function
 * @opcode: of the operation
 * @by: enum latency_by
 * @second: the inode is what its second argument leads to, and not the first
 */
static const struct function {
	const char *name;
	__u32 opcode;
	__u32 by;
	__u32 second;
} functions[] = {
	{ "fuse_backed_lookup", FUSE_LOOKUP, LATENCY_BY_INODE, 0 },
	{ "fuse_backed_revalidate", FUSE_LOOKUP, LATENCY_BY_INODE, 0 },
	{ "fuse_backed_getattr", FUSE_GETATTR, LATENCY_BY_PATH, 1 },
	{ "fuse_backed_setattr", FUSE_SETATTR, LATENCY_BY_DENTRY, 1 },
	{ "fuse_backed_readlink", FUSE_READLINK, LATENCY_BY_DENTRY, 0 },
	{ "fuse_backed_get_link", FUSE_READLINK, LATENCY_BY_INODE, 1 },
	{ "fuse_backed_symlink", FUSE_SYMLINK, LATENCY_BY_INODE, 1 },
	{ "fuse_backed_mknod", FUSE_MKNOD, LATENCY_BY_INODE, 1 },
	{ "fuse_backed_mkdir", FUSE_MKDIR, LATENCY_BY_INODE, 1 },
	{ "fuse_backed_unlink", FUSE_UNLINK, LATENCY_BY_INODE, 0 },
	{ "fuse_backed_rmdir", FUSE_RMDIR, LATENCY_BY_INODE, 0 },
	{ "fuse_backed_rename", FUSE_RENAME2, LATENCY_BY_INODE, 1 },
	{ "fuse_backed_link", FUSE_LINK, LATENCY_BY_INODE, 1 },
	{ "fuse_backed_open", FUSE_OPEN, LATENCY_BY_INODE, 0 },
	{ "fuse_backed_read_iter", FUSE_READ, LATENCY_BY_KIOCB, 0 },
	{ "fuse_backed_splice_read", FUSE_READ, LATENCY_BY_FILE, 0 },
	{ "fuse_backed_write_iter", FUSE_WRITE, LATENCY_BY_KIOCB, 0 },
	{ "fuse_backed_splice_write", FUSE_WRITE, LATENCY_BY_FILE, 1 },
	{ "fuse_backed_statfs", FUSE_STATFS, LATENCY_BY_DENTRY, 0 },
	{ "fuse_backed_release", FUSE_RELEASE, LATENCY_BY_INODE, 0 },
	{ "fuse_backed_fsync", FUSE_FSYNC, LATENCY_BY_FILE, 0 },
	{ "fuse_backed_setxattr", FUSE_SETXATTR, LATENCY_BY_INODE, 0 },
	{ "fuse_backed_getxattr", FUSE_GETXATTR, LATENCY_BY_INODE, 0 },
	{ "fuse_backed_listxattr", FUSE_LISTXATTR, LATENCY_BY_DENTRY, 0 },
	{ "fuse_backed_flush", FUSE_FLUSH, LATENCY_BY_FILE, 0 },
	{ "fuse_backed_dir_open", FUSE_OPENDIR, LATENCY_BY_INODE, 0 },
	{ "fuse_backed_iterate", FUSE_READDIR, LATENCY_BY_FILE, 0 },
	{ "fuse_backed_lock", FUSE_SETLK, LATENCY_BY_FILE, 0 },
	{ "fuse_backed_flock", FUSE_SETLK, LATENCY_BY_FILE, 0 },
	{ "fuse_backed_permission", FUSE_ACCESS, LATENCY_BY_INODE, 1 },
	{ "fuse_backed_create", FUSE_CREATE, LATENCY_BY_INODE, 1 },
	{ "fuse_backed_tmpfile", FUSE_TMPFILE, LATENCY_BY_INODE, 1 },
	{ "fuse_backed_ioctl", FUSE_IOCTL, LATENCY_BY_FILE, 0 },
	{ "fuse_backed_fallocate", FUSE_FALLOCATE, LATENCY_BY_FILE, 0 },
	{ "fuse_backed_llseek", FUSE_LSEEK, LATENCY_BY_FILE, 0 },
	{ "fuse_backed_copy_file_range", FUSE_COPY_FILE_RANGE, LATENCY_BY_FILE, 0 },
	{ "fuse_backed_mmap", FUSE_FILTER_OP_MMAP, LATENCY_BY_FILE, 0 },
};

/**
 * struct latencies - a measurement
 * @skel: program and counters
 * @link: to the functions
 * @has: function I is in this kernel
 */
struct latencies {
	struct latency_bpf *skel;
	struct bpf_link *link;
	bool has[ARRAY_SIZE(functions)];
};

static void find_function(struct latencies *latencies, const char *symbol)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(functions); i++)
		latencies->has[i] |= !strcmp(functions[i].name, symbol);
}

/* What a compiler has made part of another function is not there */
static int find_functions(struct latencies *latencies)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	char symbol[256], line[512];

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		if (strstr(line, " fuse_backed_") && sscanf(line, "%*s %*s %255s", symbol) == 1)
			find_function(latencies, symbol);
	}
	fclose(file);
	return 0;
}

static int attach(struct latencies *latencies)
{
	const char *names[ARRAY_SIZE(functions)];
	__u64 cookies[ARRAY_SIZE(functions)];
	LIBBPF_OPTS(bpf_kprobe_multi_opts, opts, .syms = names, .cookies = cookies,
		    .session = true);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(functions); i++) {
		if (!latencies->has[i])
			continue;
		names[opts.cnt] = functions[i].name;
		cookies[opts.cnt++] = LATENCY_COOKIE(functions[i].opcode, functions[i].by,
						     functions[i].second);
	}
	if (!opts.cnt)
		return -ENOENT;
	latencies->link = bpf_program__attach_kprobe_multi_opts(latencies->skel->progs.operation,
								NULL, &opts);
	return latencies->link ? 0 : -errno;
}

static int start(struct latencies *latencies, dev_t dev)
{
	int err;

	latencies->skel = latency_bpf__open();
	if (!latencies->skel)
		return -errno;
	latencies->skel->rodata->latency_dev = decision_dev(dev);
	err = latency_bpf__load(latencies->skel);
	if (!err)
		err = find_functions(latencies);
	return err ?: attach(latencies);
}

static void report(int err)
{
	reason_clear();
	if (err == -EPERM || err == -EACCES)
		p_err(0, "measuring latencies needs CAP_BPF and CAP_PERFMON; run as root");
	else if (err == -ENOENT)
		p_err(0, "this kernel has none of the functions whose latencies can be measured");
	else
		p_err(err, "cannot measure latencies, which needs a kernel with CONFIG_FPROBE and BTF");
}

/**
 * latencies_open - begin to measure
 * @mountpoint: of a backed mount
 *
 * The mount is not held: it can be unmounted meanwhile.
 *
 * Return: to be closed with latencies_close(), or NULL after reporting why not
 */
struct latencies *latencies_open(const char *mountpoint)
{
	struct latencies *latencies;
	dev_t dev;
	int fd, err = -ENOMEM;

	fd = mount_open(mountpoint, &dev);
	if (fd < 0)
		return NULL;
	close(fd);
	if (mount_check_backed(mountpoint, dev, "latencies are measured"))
		return NULL;
	latencies = calloc(1, sizeof(*latencies));
	if (latencies)
		err = start(latencies, dev);
	if (!err)
		return latencies;
	report(err);
	latencies_close(latencies);
	return NULL;
}

/* latencies_read - what was measured of an opcode; 0 or a negative errno */
int latencies_read(const struct latencies *latencies, __u32 opcode, struct latency_sum *sum)
{
	int cpus = libbpf_num_possible_cpus(), cpu, slot, err;
	struct latency *of_cpu;

	memset(sum, 0, sizeof(*sum));
	if (cpus < 0)
		return cpus;
	of_cpu = calloc(cpus, sizeof(*of_cpu));
	if (!of_cpu)
		return -ENOMEM;
	err = bpf_map__lookup_elem(latencies->skel->maps.latencies, &opcode, sizeof(opcode), of_cpu,
				   cpus * sizeof(*of_cpu), 0);
	for (cpu = 0; !err && cpu < cpus; cpu++) {
		for (slot = 0; slot < LATENCY_SLOTS; slot++) {
			sum->slots[slot] += of_cpu[cpu].slots[slot];
			sum->count += of_cpu[cpu].slots[slot];
		}
		sum->ns += of_cpu[cpu].ns;
	}
	free(of_cpu);
	return err;
}

/* A number of nanoseconds that is a power of two, in four digits at most */
static const char *short_time(__u64 ns, char *text, size_t size)
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	size_t unit = 0;

	while (ns >= 10000 && unit < ARRAY_SIZE(units) - 1) {
		ns /= 1000;
		unit++;
	}
	snprintf(text, size, "%llu %s", (unsigned long long)ns, units[unit]);
	return text;
}

static void show_slot(const struct latency_sum *sum, unsigned int slot, __u64 most,
		      struct json_object *buckets)
{
	static const char bar[] = "****************************************";
	int width = sum->slots[slot] * (sizeof(bar) - 1) / most;
	struct json_object *obj = json_object_new_object();
	bool last = slot == LATENCY_SLOTS - 1;
	char from[32], below[32];

	add_number(obj, "from_ns", 1ULL << slot);
	if (last)
		add_string(obj, "below_ns", NULL);
	else
		add_number(obj, "below_ns", 2ULL << slot);
	add_number(obj, "count", sum->slots[slot]);
	json_object_array_add(buckets, obj);
	p_text("  %8s .. %-8s %10llu |%.*s\n", short_time(1ULL << slot, from, sizeof(from)),
	       last ? "" : short_time(2ULL << slot, below, sizeof(below)),
	       (unsigned long long)sum->slots[slot], width, bar);
}

static void show_op(__u32 opcode, const struct latency_sum *sum, struct json_object *list)
{
	struct json_object *obj = json_object_new_object();
	struct json_object *buckets = json_object_new_array();
	unsigned int slot;
	__u64 most = 0;

	add_number(obj, "opcode", opcode);
	add_string(obj, "name", fuse_bpf_opcode_name(opcode));
	add_number(obj, "count", sum->count);
	add_number(obj, "total_ns", sum->ns);
	p_text("%s: %llu, %llu ns on average\n", fuse_bpf_opcode_name(opcode) ?: "?",
	       (unsigned long long)sum->count, (unsigned long long)(sum->ns / sum->count));
	for (slot = 0; slot < LATENCY_SLOTS; slot++)
		most = sum->slots[slot] > most ? sum->slots[slot] : most;
	for (slot = 0; slot < LATENCY_SLOTS; slot++) {
		if (sum->slots[slot])
			show_slot(sum, slot, most, buckets);
	}
	json_object_object_add(obj, "buckets", buckets);
	json_object_array_add(list, obj);
}

/* What cannot be measured is told, as it would pass for what nobody has done. */
static void show_missing(const struct latencies *latencies, struct json_object *result)
{
	struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(functions); i++) {
		if (latencies->has[i])
			continue;
		json_object_array_add(list, json_object_new_string(functions[i].name));
		p_text("not measured: %s, as this kernel has no function %s\n",
		       fuse_bpf_opcode_name(functions[i].opcode) ?: "?", functions[i].name);
	}
	json_object_object_add(result, "not_measured", list);
}

/**
 * latencies_show - print what was measured until now
 * @latencies: the measurement
 * @result: JSON object that it is added to
 *
 * Return: 0 or a negative errno
 */
int latencies_show(const struct latencies *latencies, struct json_object *result)
{
	struct json_object *list = json_object_new_array();
	struct latency_sum sum;
	__u32 opcode;
	int err = 0;

	p_text("latencies\n");
	for (opcode = 0; !err && opcode < LATENCY_OPS; opcode++) {
		err = latencies_read(latencies, opcode, &sum);
		if (!err && sum.count)
			show_op(opcode, &sum, list);
	}
	json_object_object_add(result, "latencies", list);
	if (!err)
		show_missing(latencies, result);
	return err;
}

void latencies_close(struct latencies *latencies)
{
	if (!latencies)
		return;
	bpf_link__destroy(latencies->link);
	latency_bpf__destroy(latencies->skel);
	free(latencies);
}
