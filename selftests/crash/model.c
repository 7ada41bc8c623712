// SPDX-License-Identifier: GPL-2.0-only
/*
 * The programs of the workers: the next operation, and what it does to the tree.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "crash.h"
#include "util.h"

uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

uint32_t draw(uint64_t *rng, uint32_t below)
{
	*rng += 0x9e3779b97f4a7c15ull;
	return ((mix(*rng) >> 32) * below) >> 32;
}

void model_init(struct model *m, uint64_t seed, unsigned int worker)
{
	*m = (struct model){
		.rng = mix(seed + worker + 1),
		.seed = seed,
		.worker = worker,
	};
}

static const char *const op_names[NR_OP_KINDS] = {
	[OP_CREATE] = "create",
	[OP_UNNAMED] = "name an unnamed file",
	[OP_SYMLINK] = "symlink",
	[OP_MKDIR] = "mkdir",
	[OP_LINK] = "link",
	[OP_RENAME] = "rename",
	[OP_EXCHANGE] = "exchange",
	[OP_REMOVE] = "remove",
	[OP_CHMOD] = "chmod",
	[OP_SETXATTR] = "setxattr",
	[OP_WRITE] = "write",
	[OP_MAPPED] = "write to a mapping",
	[OP_TRUNCATE] = "truncate",
	[OP_PUNCH] = "punch a hole",
	[OP_FSYNC] = "fsync",
	[OP_FDATASYNC] = "fdatasync",
	[OP_FSYNC_DIR] = "fsync of a directory",
	[OP_SYNCFS] = "syncfs",
	[OP_WRITE_SYNC] = "write with O_SYNC or its like",
	[OP_MSYNC] = "msync",
};

const char *op_name(enum op_kind kind)
{
	return op_names[kind];
}

/* How often each is drawn */
static const unsigned char weights[NR_OP_KINDS] = {
	[OP_CREATE] = 10,
	[OP_UNNAMED] = 3,
	[OP_SYMLINK] = 2,
	[OP_MKDIR] = 2,
	[OP_LINK] = 5,
	[OP_RENAME] = 10,
	[OP_EXCHANGE] = 3,
	[OP_REMOVE] = 8,
	[OP_CHMOD] = 3,
	[OP_SETXATTR] = 3,
	[OP_WRITE] = 25,
	[OP_MAPPED] = 5,
	[OP_TRUNCATE] = 4,
	[OP_PUNCH] = 2,
	[OP_FSYNC] = 4,
	[OP_FDATASYNC] = 3,
	[OP_FSYNC_DIR] = 3,
	[OP_SYNCFS] = 1,
	[OP_WRITE_SYNC] = 3,
	[OP_MSYNC] = 2,
};

uid_t worker_uid(unsigned int worker)
{
	static const uid_t uids[NR_WORKERS] = { 0, USER1, USER2 };

	return uids[worker];
}

const char *model_name(unsigned int name)
{
	static __thread char names[4][16];
	static __thread unsigned int next;
	char *buf = names[next++ % ARRAY_SIZE(names)];

	snprintf(buf, sizeof(names[0]), "%c/n%u", 'a' + dir_of(name), name % DIR_NAMES);
	return buf;
}

struct node *model_file(struct model *m, const struct op *op)
{
	const struct name *name = &m->names[op->name];

	return name->type == S_IFREG ? &m->nodes[name->node] : NULL;
}

/* Any names will do for some operations, and not for others. */
static bool possible(struct model *m, const struct op *op)
{
	const struct name *name = &m->names[op->name];
	const struct name *name2 = &m->names[op->name2];
	const struct node *file = model_file(m, op);

	switch (op->kind) {
	case OP_CREATE:
	case OP_UNNAMED:
	case OP_SYMLINK:
	case OP_MKDIR:
		return !name->type;
	case OP_LINK:
		return file && !name2->type;
	case OP_RENAME:
		/* Two names of one file are left alone by rename(2) */
		return name->type && name != name2 &&
		       (!name2->type || (file && name2->type == S_IFREG && name->node != name2->node));
	case OP_EXCHANGE:
		return name->type && name2->type && name != name2;
	case OP_REMOVE:
		return name->type;
	case OP_FSYNC_DIR:
	case OP_SYNCFS:
		return true;
	case OP_MAPPED:
	case OP_MSYNC:
		return file && op->first + op->nr <= file->size;
	case OP_TRUNCATE:
		return file && file->size != op->nr;
	default:
		return file;
	}
}

static enum op_kind draw_kind(uint64_t *rng)
{
	unsigned int sum = 0, kind;
	uint32_t at;

	for (kind = 0; kind < NR_OP_KINDS; kind++)
		sum += weights[kind];
	at = draw(rng, sum);
	for (kind = 0; at >= weights[kind]; kind++)
		at -= weights[kind];
	return kind;
}

static struct op draw_op(uint64_t *rng)
{
	static const mode_t modes[] = { 0600, 0644, 0640, 0666 };
	struct op op = {
		.kind = draw_kind(rng),
		.way = draw(rng, NR_SYNC_WAYS),
		.name = draw(rng, NR_NAMES),
		.name2 = draw(rng, NR_NAMES),
		.nr = 1 + draw(rng, 16),
		.mode = modes[draw(rng, ARRAY_SIZE(modes))],
	};

	op.first = draw(rng, NR_BLOCKS + 1 - op.nr);
	/*
	 * What a file system does with a part of its block that was cut off, and is in the
	 * file again later, is its own affair.
	 */
	if (op.kind == OP_TRUNCATE)
		op.nr = draw(rng, NR_BLOCKS / ALIGNED + 1) * ALIGNED;
	if (op.kind == OP_PUNCH) {
		op.first = draw(rng, NR_BLOCKS / ALIGNED) * ALIGNED;
		op.nr = ALIGNED;
	}
	return op;
}

struct op model_next(struct model *m)
{
	struct op op;

	do {
		op = draw_op(&m->rng);
	} while (!possible(m, &op));
	return op;
}

static void put_node(struct model *m, struct name *name)
{
	if (name->type == S_IFREG)
		m->nodes[name->node].links--;
	*name = (struct name){};
}

static struct node *make_node(struct model *m, struct name *name, mode_t mode)
{
	int i;

	for (i = 0; m->nodes[i].links; i++)
		;
	m->nodes[i] = (struct node){
		.links = 1,
		.mode = mode,
		.made = m->done,
		.attr_at = m->done,
	};
	*name = (struct name){ .type = S_IFREG, .node = i };
	return &m->nodes[i];
}

static void set_data(struct node *node, unsigned int first, unsigned int nr, uint32_t data)
{
	unsigned int i;

	for (i = first; i < first + nr; i++)
		node->data[i] = data;
}

static void write_data(struct model *m, struct node *node, const struct op *op)
{
	set_data(node, op->first, op->nr, m->done);
	if (node->size < op->first + op->nr)
		node->size = op->first + op->nr;
}

static void apply_names(struct model *m, const struct op *op)
{
	struct name *name = &m->names[op->name];
	struct name *name2 = &m->names[op->name2];
	struct name other;

	m->touched[dir_of(op->name)] = m->done;
	switch (op->kind) {
	case OP_CREATE:
		make_node(m, name, op->mode);
		return;
	case OP_UNNAMED:
		write_data(m, make_node(m, name, op->mode), op);
		return;
	case OP_SYMLINK:
	case OP_MKDIR:
		*name = (struct name){
			.type = op->kind == OP_MKDIR ? S_IFDIR : S_IFLNK,
			.made = m->done,
		};
		return;
	case OP_REMOVE:
		put_node(m, name);
		return;
	default:
		break;
	}
	m->touched[dir_of(op->name2)] = m->done;
	if (op->kind == OP_LINK) {
		*name2 = *name;
		m->nodes[name->node].links++;
	} else if (op->kind == OP_RENAME) {
		put_node(m, name2);
		*name2 = *name;
		*name = (struct name){};
	} else {
		other = *name;
		*name = *name2;
		*name2 = other;
	}
}

void model_apply(struct model *m, const struct op *op)
{
	struct node *node = model_file(m, op);

	m->done++;
	switch (op->kind) {
	case OP_CHMOD:
		node->mode = op->mode;
		node->attr_at = m->done;
		break;
	case OP_SETXATTR:
		node->xattr = m->done;
		node->attr_at = m->done;
		break;
	case OP_WRITE:
	case OP_MAPPED:
	case OP_WRITE_SYNC:
	case OP_MSYNC:
		write_data(m, node, op);
		break;
	case OP_TRUNCATE:
		if (op->nr < node->size)
			set_data(node, op->nr, NR_BLOCKS - op->nr, 0);
		node->size = op->nr;
		break;
	case OP_PUNCH:
		set_data(node, op->first, op->nr, 0);
		break;
	default:
		if (op_changes_names(op->kind))
			apply_names(m, op);
	}
}

/* Who wrote it, and then what nobody else writes */
void fill_block(void *buf, const struct model *m, uint32_t op, unsigned int block)
{
	uint64_t rng = mix(m->seed ^ ((uint64_t)op << 24) ^ (block << 8) ^ m->worker);
	uint32_t *words = buf;
	unsigned int i;

	words[0] = op;
	for (i = 1; i < BLOCK / sizeof(*words); i++)
		words[i] = (rng += 0x9e3779b97f4a7c15ull) >> 32;
}
