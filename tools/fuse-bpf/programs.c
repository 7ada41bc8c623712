// SPDX-License-Identifier: GPL-2.0-only
/*
 * The programs of a filter that is registered, and the maps that they use.
 *
 * User space reads a struct_ops map as the structure itself, with the id of a
 * program in the place of each function. Where the functions are, the BTF of the
 * kernel or of its module says.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "main.h"

static int add_map(struct programs *programs, __u32 id)
{
	__u32 *maps;
	size_t i;

	for (i = 0; i < programs->nr_maps; i++) {
		if (programs->maps[i] == id)
			return 0;
	}
	maps = reallocarray(programs->maps, programs->nr_maps + 1, sizeof(*maps));
	if (!maps)
		return -ENOMEM;
	maps[programs->nr_maps++] = id;
	programs->maps = maps;
	return 0;
}

static int add_maps_of(struct programs *programs, int prog_fd)
{
	__u32 ids[64], size, i;
	struct bpf_prog_info info = {
		.map_ids = (uintptr_t)ids,
		.nr_map_ids = ARRAY_SIZE(ids),
	};
	int err;

	size = sizeof(info);
	err = bpf_prog_get_info_by_fd(prog_fd, &info, &size);
	/* 64 maps are what a program can use */
	for (i = 0; !err && i < info.nr_map_ids && i < ARRAY_SIZE(ids); i++)
		err = add_map(programs, ids[i]);
	return err;
}

static int add_program(struct programs *programs, __u32 id)
{
	int fd, err;

	fd = bpf_prog_get_fd_by_id(id);
	if (fd < 0)
		return -errno;
	err = add_maps_of(programs, fd);
	close(fd);
	return err;
}

/* The structure in the value, behind what the kernel keeps in front of it */
static const struct btf_member *find_data(const struct btf *btf, __u32 value_type_id)
{
	const struct btf_type *t = btf__type_by_id(btf, value_type_id);
	const struct btf_member *m;
	int i;

	if (!t || !btf_is_struct(t))
		return NULL;
	for (i = 0, m = btf_members(t); i < btf_vlen(t); i++, m++) {
		if (!strcmp(btf__name_by_offset(btf, m->name_off), "data"))
			return m;
	}
	return NULL;
}

static bool is_function(const struct btf *btf, __u32 type_id)
{
	const struct btf_type *t = btf__type_by_id(btf, btf__resolve_type(btf, type_id));

	return t && btf_is_ptr(t);
}

static int add_programs_in(struct programs *programs, const struct btf *btf, __u32 value_type_id,
			   const char *value, size_t size)
{
	const struct btf_member *data = find_data(btf, value_type_id);
	const struct btf_type *ops = data ? btf__type_by_id(btf, data->type) : NULL;
	const struct btf_member *m;
	unsigned long id;
	size_t at;
	int i, err = 0;

	if (!ops || !btf_is_struct(ops))
		return -EPROTO;
	for (i = 0, m = btf_members(ops); !err && i < btf_vlen(ops); i++, m++) {
		at = (data->offset + m->offset) / 8;
		if (!is_function(btf, m->type) || at + sizeof(id) > size)
			continue;
		memcpy(&id, value + at, sizeof(id));
		if (id)
			err = add_program(programs, id);
	}
	return err;
}

static int add_programs(struct programs *programs, int map_fd, const struct bpf_map_info *info,
			const struct btf *btf)
{
	char *value = calloc(1, info->value_size);
	__u32 zero = 0;
	int err;

	if (!value)
		return -ENOMEM;
	err = bpf_map_lookup_elem(map_fd, &zero, value);
	if (!err)
		err = add_programs_in(programs, btf, info->btf_vmlinux_value_type_id, value,
				      info->value_size);
	free(value);
	return err;
}

static int read_programs(struct programs *programs, int map_fd)
{
	struct bpf_map_info info = {};
	struct btf *vmlinux, *btf;
	__u32 size = sizeof(info);
	int err;

	err = bpf_map_get_info_by_fd(map_fd, &info, &size);
	if (err)
		return err;
	vmlinux = btf__load_vmlinux_btf();
	if (!vmlinux)
		return -errno;
	btf = btf__load_from_kernel_by_id_split(info.btf_vmlinux_id, vmlinux);
	err = btf ? add_programs(programs, map_fd, &info, btf) : -errno;
	btf__free(btf);
	btf__free(vmlinux);
	return err;
}

/**
 * programs_of - find the maps that a registered filter uses
 * @map_id: id of the struct_ops map
 * @programs: out: to be freed with programs_free(), also after an error
 *
 * Return: 0 or a negative errno that is not reported
 */
int programs_of(__u32 map_id, struct programs *programs)
{
	int fd, err;

	memset(programs, 0, sizeof(*programs));
	fd = bpf_map_get_fd_by_id(map_id);
	if (fd < 0)
		return -errno;
	err = read_programs(programs, fd);
	close(fd);
	return err;
}

void programs_free(struct programs *programs)
{
	free(programs->maps);
	memset(programs, 0, sizeof(*programs));
}
