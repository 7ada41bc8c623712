// SPDX-License-Identifier: GPL-2.0-only
/*
 * Recordings: reading the file. It was written by somebody else, perhaps, and nothing in
 * it is trusted: a place is only made of names that are names.
 */
#include <errno.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "decisions.h"
#include "recording.h"

/* add_name - a name, from which exactly this name can be made again */
void add_name(struct json_object *obj, const char *key, const char *name)
{
	char hex[2 * RECORD_NAME + 1], hex_key[32];
	size_t i;

	add_bytes(obj, key, name);
	if (!strcmp(json_object_get_string(json_object_object_get(obj, key)), name))
		return;
	for (i = 0; name[i] && i < RECORD_NAME; i++)
		snprintf(hex + 2 * i, 3, "%02x", (unsigned char)name[i]);
	snprintf(hex_key, sizeof(hex_key), "%s_hex", key);
	add_string(obj, hex_key, hex);
}

static const char *get_string(struct json_object *line, const char *key)
{
	struct json_object *value = json_object_object_get(line, key);

	return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

static __u64 get_number(struct json_object *line, const char *key)
{
	struct json_object *value = json_object_object_get(line, key);

	return json_object_is_type(value, json_type_int) ? json_object_get_uint64(value) : 0;
}

/* The bytes that are in "KEY_hex" take the place of what could not be text. */
static void take_hex(struct json_object *line, const char *key)
{
	char name[RECORD_NAME] = "", hex_key[32];
	unsigned int byte;
	const char *hex;
	size_t i;

	snprintf(hex_key, sizeof(hex_key), "%s_hex", key);
	hex = get_string(line, hex_key);
	for (i = 0; hex && i < RECORD_NAME - 1 && sscanf(hex + 2 * i, "%2x", &byte) == 1; i++) {
		name[i] = byte;
		if (!hex[2 * i + 1] || !hex[2 * i + 2])
			break;
	}
	if (hex)
		add_string(line, key, name);
}

static bool is_name(const char *name)
{
	return name && *name && strlen(name) < RECORD_NAME && !strchr(name, '/') &&
	       strcmp(name, ".") && strcmp(name, "..");
}

/* struct node - what a node id stands for at this point of the recording */
struct node {
	__u64 id;
	struct place *place;
};

/**
 * struct reading - a file that is being read
 * @recording: what comes of it
 * @nodes: by id; a hash table
 * @nr_nodes: size of @nodes, a power of two
 * @used: how many of @nodes are
 * @line: number of the line
 */
struct reading {
	struct recording *recording;
	struct node *nodes;
	size_t nr_nodes;
	size_t used;
	unsigned int line;
};

static struct node *node_slot(struct node *nodes, size_t nr, __u64 id)
{
	size_t at = id * 0x9e3779b97f4a7c15ULL >> 20 & (nr - 1);

	while (nodes[at].id && nodes[at].id != id)
		at = (at + 1) & (nr - 1);
	return &nodes[at];
}

static struct place *node_place(const struct reading *reading, __u64 id)
{
	return id ? node_slot(reading->nodes, reading->nr_nodes, id)->place : NULL;
}

static int grow_nodes(struct reading *reading)
{
	size_t nr = reading->nr_nodes ? 2 * reading->nr_nodes : 1024, i;
	struct node *nodes = calloc(nr, sizeof(*nodes));

	if (!nodes)
		return -ENOMEM;
	for (i = 0; i < reading->nr_nodes; i++) {
		if (reading->nodes[i].id)
			*node_slot(nodes, nr, reading->nodes[i].id) = reading->nodes[i];
	}
	free(reading->nodes);
	reading->nodes = nodes;
	reading->nr_nodes = nr;
	return 0;
}

static int set_node(struct reading *reading, __u64 id, struct place *place)
{
	struct node *slot;

	if (2 * reading->used >= reading->nr_nodes && grow_nodes(reading))
		return -ENOMEM;
	slot = node_slot(reading->nodes, reading->nr_nodes, id);
	reading->used += !slot->id;
	*slot = (struct node){ id, place };
	return 0;
}

static struct place *add_place(struct recording *recording, struct place *dir, const char *name,
			       __u32 mode)
{
	struct place **places = reallocarray(recording->places, recording->nr_places + 1,
					     sizeof(*places));
	struct place *place = calloc(1, sizeof(*place));

	if (places)
		recording->places = places;
	if (!places || !place) {
		free(place);
		return NULL;
	}
	*place = (struct place){
		.dir = dir, .name = name, .mode = mode, .fd = -1, .file_fd = -1,
	};
	places[recording->nr_places++] = place;
	return place;
}

/*
 * A node that has another name than before is a hard link of it, or was renamed, which
 * for a file comes to the same; and of another type, it is another one.
 */
static int read_node(struct reading *reading, struct json_object *line)
{
	struct place *dir = node_place(reading, get_number(line, "parent"));
	__u64 id = get_number(line, "node");
	struct place *before = node_place(reading, id), *place;
	__u32 mode = get_number(line, "mode") & S_IFMT;
	const char *name;

	take_hex(line, "name");
	name = get_string(line, "name");
	if (!id || !mode || !is_name(name))
		return -EPROTO;
	/* Of a directory that was open before the recording began, the place is not known */
	if (!dir || !S_ISDIR(dir->mode))
		return 0;
	if (before && before->mode == mode && S_ISDIR(mode))
		return 0;
	place = add_place(reading->recording, dir, name, mode);
	if (!place)
		return -ENOMEM;
	if (before && before->mode == mode) {
		place->same = before->same ?: before;
		return 0;
	}
	return set_node(reading, id, place);
}

static int read_request(struct reading *reading, struct json_object *line, const char *op)
{
	struct recording *recording = reading->recording;
	struct request *requests = recording->requests, *request;

	/* By powers of two */
	if (!(recording->nr & (recording->nr - 1)))
		requests = reallocarray(requests, recording->nr ? 2 * recording->nr : 1,
					sizeof(*requests));
	if (!requests)
		return -ENOMEM;
	recording->requests = requests;
	request = &requests[recording->nr];
	take_hex(line, "name");
	take_hex(line, "newname");
	*request = (struct request){
		.op = op,
		.node_id = get_number(line, "node"),
		.node = node_place(reading, get_number(line, "node")),
		.dir = node_place(reading, get_number(line, "parent")),
		.newdir = node_place(reading, get_number(line, "newparent")),
		.name = get_string(line, "name"),
		.newname = get_string(line, "newname"),
		.found = node_place(reading, get_number(line, "found")),
		.uid = get_number(line, "uid"),
		.gid = get_number(line, "gid"),
		.flags = get_number(line, "flags"),
		.mode = get_number(line, "mode"),
		.cgroup = get_string(line, "cgroup"),
		.comm = get_string(line, "comm") ?: "",
		.verdict = get_string(line, "verdict"),
		.filter = get_string(line, "filter"),
	};
	/* What was refused before it was looked up may be there or not */
	request->asked = request->found || (request->verdict && !strcmp(request->verdict, "pass"));
	if (!request->verdict || (request->name && !is_name(request->name)) ||
	    (request->newname && !is_name(request->newname)))
		return -EPROTO;
	request->opcode = decision_opcode_find(op);
	if (!request->opcode)
		return -EPROTO;
	recording->nr++;
	return 0;
}

/* A file that is made is used before its name is looked up for the first time. */
static void find_nodes(const struct reading *reading)
{
	struct recording *recording = reading->recording;
	size_t i;

	for (i = 0; i < recording->nr; i++) {
		struct request *request = &recording->requests[i];

		if (!request->node)
			request->node = node_place(reading, request->node_id);
	}
}

static int read_head(struct reading *reading, struct json_object *line)
{
	struct place *root;

	if (!json_object_object_get_ex(line, "fuse_bpf_recording", NULL))
		return -EPROTO;
	if (get_number(line, "fuse_bpf_recording") != RECORDING_VERSION)
		return -EPROTONOSUPPORT;
	root = add_place(reading->recording, NULL, "", S_IFDIR);
	return root ? set_node(reading, FUSE_ROOT_ID, root) : -ENOMEM;
}

static int read_line(struct reading *reading, struct json_object *line)
{
	struct recording *recording = reading->recording;
	const char *op = get_string(line, "op");

	if (!recording->nr_places)
		return read_head(reading, line);
	if (op)
		return read_request(reading, line, op);
	if (json_object_object_get_ex(line, "node", NULL))
		return read_node(reading, line);
	if (!json_object_object_get_ex(line, "end", NULL))
		return -EPROTO;
	recording->ended = true;
	recording->lost = get_number(line, "lost");
	return 0;
}

/* What was read points into the line, which is kept. */
static int keep_line(struct reading *reading, const char *text)
{
	struct recording *recording = reading->recording;
	struct json_object *line = json_tokener_parse(text), **lines = recording->lines;

	if (!json_object_is_type(line, json_type_object)) {
		json_object_put(line);
		return -EPROTO;
	}
	if (!(recording->nr_lines & (recording->nr_lines - 1)))
		lines = reallocarray(lines, recording->nr_lines ? 2 * recording->nr_lines : 1,
				     sizeof(*lines));
	if (!lines) {
		json_object_put(line);
		return -ENOMEM;
	}
	recording->lines = lines;
	lines[recording->nr_lines++] = line;
	return read_line(reading, line);
}

static int read_lines(struct reading *reading, FILE *file)
{
	char *text = NULL;
	size_t size = 0;
	ssize_t len;
	int err = 0;

	while (!err && (len = getline(&text, &size, file)) > 0) {
		reading->line++;
		/* Of one that was cut short, the last line is half a line */
		if (text[len - 1] != '\n')
			break;
		err = keep_line(reading, text);
	}
	if (!err && ferror(file))
		err = -errno;
	free(text);
	return err;
}

static int report(const struct reading *reading, int err)
{
	const char *path = reading->recording->path;

	if (err == -EPROTONOSUPPORT)
		p_err(0, "%s is a recording of a version that this program does not know", path);
	else if (err == -ENODATA || (err == -EPROTO && reading->line == 1))
		p_err(0, "%s is no recording", path);
	else if (err == -EPROTO)
		p_err(0, "%s:%u: that is no line of a recording", path, reading->line);
	else
		p_err(err, "cannot read %s", path);
	return FAILED;
}

/**
 * recording_read - read a recording
 * @path: of the file
 * @recording: filled in; to be freed with recording_free(), also after an error
 *
 * Return: DONE, or FAILED after reporting it
 */
int recording_read(const char *path, struct recording *recording)
{
	struct reading reading = { .recording = recording };
	FILE *file;
	int err;

	*recording = (struct recording){ .path = path };
	file = fopen(path, "re");
	err = !file || grow_nodes(&reading) ? -errno : 0;
	if (!err)
		err = read_lines(&reading, file);
	if (!err && !recording->nr_places)
		err = -ENODATA;
	if (!err)
		find_nodes(&reading);
	if (file)
		fclose(file);
	free(reading.nodes);
	return err ? report(&reading, err) : DONE;
}

void recording_free(struct recording *recording)
{
	size_t i;

	for (i = 0; i < recording->nr_places; i++)
		free(recording->places[i]);
	for (i = 0; i < recording->nr_lines; i++)
		json_object_put(recording->lines[i]);
	free(recording->places);
	free(recording->requests);
	free(recording->lines);
	memset(recording, 0, sizeof(*recording));
}
