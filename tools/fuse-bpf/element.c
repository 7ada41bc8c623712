// SPDX-License-Identifier: GPL-2.0-only
/*
 * Elements of maps, from text: "set MAP KEY[=VALUE]".
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "main.h"

static int put_number(unsigned long long number, void *data, __u32 size)
{
	if (size > sizeof(number))
		return -EMEDIUMTYPE;
	if (size < sizeof(number) && number >> (8 * size))
		return -ERANGE;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	number <<= 8 * (sizeof(number) - size);
#endif
	memcpy(data, &number, size);
	return 0;
}

/* Take a number and the comma after it, if there is one */
static int take_number(const char **text, void *data, __u32 size)
{
	unsigned long long number;
	char *end;

	errno = 0;
	number = strtoull(*text, &end, 0);
	if (**text < '0' || **text > '9' || errno || (*end && (*end != ',' || !end[1])))
		return -EINVAL;
	*text = end + (*end == ',');
	return put_number(number, data, size);
}

static int encode_members(const struct btf *btf, const struct btf_type *t, const char **text,
			  char *data);

/* Numbers for the integers of a type in their order; those that are left stay zero. */
static int encode_part(const struct btf *btf, __u32 type_id, const char **text, char *data)
{
	const struct btf_type *t = btf__type_by_id(btf, btf__resolve_type(btf, type_id));
	__s64 size;
	int err = 0;
	__u32 i;

	if (!t)
		return -EMEDIUMTYPE;
	if (btf_is_int(t))
		return take_number(text, data, t->size);
	if (btf_is_struct(t))
		return encode_members(btf, t, text, data);
	if (!btf_is_array(t))
		return -EMEDIUMTYPE;
	size = btf__resolve_size(btf, btf_array(t)->type);
	for (i = 0; !err && size > 0 && **text && i < btf_array(t)->nelems; i++)
		err = encode_part(btf, btf_array(t)->type, text, data + i * size);
	return err;
}

static int encode_members(const struct btf *btf, const struct btf_type *t, const char **text,
			  char *data)
{
	const struct btf_member *m = btf_members(t);
	int i, err = 0;

	for (i = 0; !err && **text && i < btf_vlen(t); i++) {
		if (btf_member_bitfield_size(t, i))
			return -EMEDIUMTYPE;
		err = encode_part(btf, m[i].type, text, data + m[i].offset / 8);
	}
	return err;
}

static int encode_numbers(const struct btf *btf, __u32 type_id, const char *text, void *data)
{
	int err = encode_part(btf, type_id, &text, data);

	return err ? err : *text ? -E2BIG : 0;
}

/*
 * Text as the key or the value of a map: a number for an integer, characters, padded
 * with zeros, for an array of characters, and numbers with commas between them for
 * other arrays and structures. @text NULL: 1, or all zero where that is no integer.
 */
static int encode(const struct btf *btf, __u32 type_id, const char *text, void *data, __u32 size)
{
	const struct btf_type *t = btf__type_by_id(btf, btf__resolve_type(btf, type_id));
	unsigned long long number = 1;
	char *end = NULL;

	memset(data, 0, size);
	if (t && btf_is_array(t) && btf__resolve_size(btf, btf_array(t)->type) == 1) {
		if (text && strlen(text) >= size)
			return -ENAMETOOLONG;
		if (text)
			memcpy(data, text, strlen(text));
		return 0;
	}
	if (t && (btf_is_array(t) || btf_is_struct(t)))
		return text ? encode_numbers(btf, type_id, text, data) : 0;
	if (!t || !btf_is_int(t) || size > sizeof(number))
		return text ? -EMEDIUMTYPE : 0;

	errno = 0;
	if (text)
		number = strtoull(text, &end, 0);
	if (text && (*text < '0' || *text > '9' || *end || errno))
		return -EINVAL;
	return put_number(number, data, size);
}

static int report_encode(int err, const struct element *element, const char *what,
			 const char *text, __u32 size)
{
	switch (err) {
	case -ENAMETOOLONG:
		p_err(0, "set %s: the %s '%s' is longer than %u bytes", element->map, what, text,
		      size - 1);
		break;
	case -EINVAL:
		p_err(0, "set %s: the %s must be a number, or several with commas between them where the map's type has several; '%s' is not", element->map, what,
		      text);
		break;
	case -ERANGE:
		p_err(0, "set %s: the %s %s does not fit into %u bytes", element->map, what, text,
		      size);
		break;
	case -E2BIG:
		p_err(0, "set %s: the %s '%s' has more numbers than the map's type", element->map,
		      what, text);
		break;
	default:
		p_err(0, "set %s: the %s is neither a number nor a string, nor made of numbers",
		      element->map, what);
		break;
	}
	return FAILED;
}

/* Split KEY[=VALUE] in place; "\=" is a "=" that is part of the key. */
static char *split(char *text)
{
	char *to = text;

	for (; *text && *text != '='; text++) {
		if (text[0] == '\\' && (text[1] == '=' || text[1] == '\\'))
			text++;
		*to++ = *text;
	}
	if (*text != '=')
		text = NULL;
	*to = '\0';
	return text ? text + 1 : NULL;
}

static bool is_settable(const struct bpf_map *map)
{
	switch (bpf_map__type(map)) {
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_LRU_HASH:
	case BPF_MAP_TYPE_ARRAY:
		return true;
	default:
		return false;
	}
}

static int set_element(const struct bpf_object *obj, const struct bpf_map *map,
		       const struct element *element, char *text)
{
	__u32 key_size = bpf_map__key_size(map), value_size = bpf_map__value_size(map);
	const struct btf *btf = bpf_object__btf(obj);
	char *value = split(text);
	char data[key_size + value_size];
	int err;

	err = encode(btf, bpf_map__btf_key_type_id(map), text, data, key_size);
	if (err)
		return report_encode(err, element, "key", text, key_size);
	err = encode(btf, bpf_map__btf_value_type_id(map), value, data + key_size, value_size);
	if (err)
		return report_encode(err, element, "value", value, value_size);

	err = bpf_map__update_elem(map, data, key_size, data + key_size, value_size, BPF_ANY);
	if (!err)
		return DONE;
	if (err == -E2BIG)
		p_err(0, "set %s %s: the map takes no more than %u elements", element->map,
		      element->text, bpf_map__max_entries(map));
	else
		p_err(err, "set %s %s", element->map, element->text);
	return FAILED;
}

/**
 * element_set - fill in an element of a map
 * @obj: object that has been loaded
 * @path: its file, for errors
 * @element: map, key and value
 *
 * Return: DONE, or FAILED after reporting it
 */
int element_set(const struct bpf_object *obj, const char *path, const struct element *element)
{
	const struct bpf_map *map = bpf_object__find_map_by_name(obj, element->map);
	char *text;
	int ret;

	if (!map) {
		reason_clear();
		p_err(0, "%s has no map %s", path, element->map);
		return FAILED;
	}
	if (!is_settable(map) || bpf_map__key_size(map) + bpf_map__value_size(map) > 4096) {
		p_err(0, "map %s is not of a kind that can be set: a hash or an array of at most 4096 bytes an element",
		      element->map);
		return FAILED;
	}
	text = strdup(element->text);
	if (!text) {
		p_err(-ENOMEM, "set %s", element->map);
		return FAILED;
	}
	ret = set_element(obj, map, element, text);
	free(text);
	return ret;
}
