// SPDX-License-Identifier: GPL-2.0-only
/*
 * After the crash. Of names and attributes, a journal keeps a prefix of what was done: there
 * must be a number of operations, not less than what was promised, after which the model's
 * tree is the one that is found. Of data, each block must be as it was when it was last
 * promised, or as it was written since.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "crash.h"
#include "util.h"

/* Operations that may have been done and not have been reported */
#define SLACK		20000

/* A block that is not what one operation wrote */
#define TORN		UINT32_MAX

/**
 * struct seen - a name that is found
 * @st: its attributes, st_mode 0: there is none
 * @made: of a symbolic link, who made it
 * @xattr: who set its attribute
 * @data: who wrote each block
 * @bytes: the blocks themselves
 */
struct seen {
	struct stat st;
	uint32_t made;
	uint32_t xattr;
	uint32_t data[NR_BLOCKS];
	unsigned char bytes[NR_BLOCKS][BLOCK];
};

struct tree {
	struct seen names[NR_NAMES];
};

void promises_read(struct promises *promises, const char *line)
{
	unsigned int worker, done, all[NR_WORKERS];
	int i, nr = sscanf(line, "did:%u:%u:%u:%u:%u", &worker, &done, &all[0], &all[1], &all[2]);

	_Static_assert(NR_WORKERS == 3, "the format has as many numbers as there are workers");
	/* The end of what came may have been cut off. */
	if (nr < 2 || worker >= NR_WORKERS || !strchr(line, '\n'))
		return;
	if (promises[worker].done < done)
		promises[worker].done = done;
	for (i = 0; nr == 2 + NR_WORKERS && i < NR_WORKERS; i++) {
		if (promises[i].all < all[i])
			promises[i].all = all[i];
	}
}

/* Who wrote a block: an operation, 0 nobody, or %TORN */
static uint32_t writer_of(const void *bytes, const struct model *m, unsigned int block)
{
	static const char nothing[BLOCK];
	char expected[BLOCK];
	uint32_t op;

	memcpy(&op, bytes, sizeof(op));
	if (!op)
		return memcmp(bytes, nothing, BLOCK) ? TORN : 0;
	fill_block(expected, m, op, block);
	return memcmp(bytes, expected, BLOCK) ? TORN : op;
}

static int see_data(struct seen *seen, const struct model *m, int fd)
{
	ssize_t len = RES(pread(fd, seen->bytes, sizeof(seen->bytes), 0));
	unsigned int i;

	if (len != seen->st.st_size)
		return len < 0 ? (int)len : -EIO;
	for (i = 0; i < NR_BLOCKS; i++)
		seen->data[i] = writer_of(seen->bytes[i], m, i);
	return 0;
}

static int see_file(struct seen *seen, const struct model *m, int dir, const char *name)
{
	int fd = RES(openat(dir, name, O_RDONLY | O_CLOEXEC)), err;

	if (fd < 0)
		return fd;
	err = RES(fgetxattr(fd, "user.op", &seen->xattr, sizeof(seen->xattr)));
	if (err == -ENODATA || err == sizeof(seen->xattr))
		err = see_data(seen, m, fd);
	else if (err >= 0)
		err = -EIO;
	close(fd);
	return err;
}

static int see_link(struct seen *seen, int dir, const char *name)
{
	char target[16] = "";
	int len = RES(readlinkat(dir, name, target, sizeof(target) - 1));

	if (len < 0)
		return len;
	return sscanf(target, "%u", &seen->made) == 1 ? 0 : -EIO;
}

static int see_name(struct tree *tree, const struct model *m, unsigned int nr, int dir,
		    const char *name)
{
	unsigned int which;
	struct seen *seen;

	if (sscanf(name, "n%u", &which) != 1 || which >= DIR_NAMES)
		return -EEXIST;
	seen = &tree->names[nr * DIR_NAMES + which];
	if (fstatat(dir, name, &seen->st, AT_SYMLINK_NOFOLLOW))
		return -errno;
	if (S_ISREG(seen->st.st_mode))
		return see_file(seen, m, dir, name);
	return S_ISLNK(seen->st.st_mode) ? see_link(seen, dir, name) : 0;
}

static int see_dir(struct tree *tree, const struct model *m, unsigned int nr, const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int err = 0;

	if (!dir)
		return -errno;
	while (!err && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		err = see_name(tree, m, nr, dirfd(dir), entry->d_name);
		if (err)
			say("%s/%s: %s", path, entry->d_name, strerror(-err));
	}
	closedir(dir);
	return err;
}

/* Is the name what the model says? */
static bool is_name(const struct name *name, const struct node *nodes, const struct seen *seen,
		    uid_t uid)
{
	const struct node *node = &nodes[name->node];

	if ((seen->st.st_mode & S_IFMT) != name->type)
		return false;
	if (!name->type)
		return true;
	if (seen->st.st_uid != uid || seen->st.st_gid != uid)
		return false;
	if (name->type == S_IFLNK)
		return seen->made == name->made;
	if (name->type == S_IFDIR)
		return (seen->st.st_mode & 07777) == 0755;
	return (seen->st.st_mode & 07777) == node->mode && seen->st.st_nlink == node->links &&
	       seen->xattr == node->xattr;
}

/* Names of one file have one inode, and others do not. */
static bool inodes_match(const struct model *m, const struct tree *tree)
{
	const struct seen *seen, *first[NR_NODES] = {};
	unsigned int i;
	int node, j;
	bool same;

	for (i = 0; i < NR_NAMES; i++) {
		if (m->names[i].type != S_IFREG)
			continue;
		seen = &tree->names[i];
		node = m->names[i].node;
		if (!first[node])
			first[node] = seen;
		for (j = 0; j < NR_NODES; j++) {
			same = first[j] && first[j]->st.st_ino == seen->st.st_ino;
			if (same != (j == node))
				return false;
		}
	}
	return true;
}

static bool names_match(const struct model *m, const struct tree *tree)
{
	uid_t uid = worker_uid(m->worker);
	unsigned int i;

	for (i = 0; i < NR_NAMES; i++) {
		if (!is_name(&m->names[i], m->nodes, &tree->names[i], uid))
			return false;
	}
	return inodes_match(m, tree);
}

/* Has the worker come to know that the operation is on the disk? */
static bool is_promised(const struct promises *promises, const struct model *m,
			const struct op *op)
{
	return m->done == promises->all || (m->done <= promises->done && op->kind == OP_SYNCFS);
}

/* The operations on names that must have survived: so many, at least */
static uint32_t names_promised(struct model m, const struct promises *promises)
{
	uint32_t res = promises->all, known;
	const struct node *node;
	struct op op;

	while (m.done < promises->done) {
		op = model_next(&m);
		node = model_file(&m, &op);
		model_apply(&m, &op);
		switch (op.kind) {
		case OP_FSYNC:
			known = node->attr_at;
			break;
		case OP_FDATASYNC:
		case OP_MSYNC:
		case OP_WRITE_SYNC:
			known = node->made;
			break;
		case OP_FSYNC_DIR:
			known = m.touched[dir_of(op.name)];
			break;
		case OP_SYNCFS:
			known = m.done;
			break;
		default:
			continue;
		}
		res = known > res ? known : res;
	}
	return res;
}

/**
 * struct track - a file that was found
 * @seen: what was found
 * @node: which one it is
 * @made: when that was made
 * @live: it has names still
 * @ok: the block can be what it is
 * @data: what it would be now
 * @least: size that it has at least
 * @most: at most
 */
struct track {
	const struct seen *seen;
	int node;
	uint32_t made;
	bool live;
	bool ok[NR_BLOCKS];
	uint32_t data[NR_BLOCKS];
	unsigned int least, most;
};

static unsigned int blocks(const struct seen *seen)
{
	return (seen->st.st_size + BLOCK - 1) / BLOCK;
}

/* A write may have been on its way when the page was: some bytes of both */
static bool is_mixture(const struct track *t, const struct model *m, unsigned int block,
		       uint32_t new)
{
	unsigned char bytes[2][BLOCK] = {};
	const unsigned char *seen = t->seen->bytes[block];
	unsigned int i;

	if (t->data[block])
		fill_block(bytes[0], m, t->data[block], block);
	if (new)
		fill_block(bytes[1], m, new, block);
	for (i = 0; i < BLOCK; i++) {
		if (seen[i] != bytes[0][i] && seen[i] != bytes[1][i])
			return false;
	}
	return true;
}

/* What the file is after an operation may be on the disk. */
static void track_node(struct track *t, const struct model *m)
{
	const struct node *node = &m->nodes[t->node];
	unsigned int i;

	if (m->done == t->made) {
		t->live = true;
		for (i = 0; i < NR_BLOCKS; i++)
			t->ok[i] = !t->seen->data[i];
	}
	t->live = t->live && node->links && node->made == t->made;
	if (!t->live)
		return;
	for (i = 0; i < NR_BLOCKS; i++) {
		if (node->data[i] == t->data[i])
			continue;
		if (t->seen->data[i] == node->data[i] ||
		    (t->seen->data[i] == TORN && is_mixture(t, m, i, node->data[i])))
			t->ok[i] = true;
		t->data[i] = node->data[i];
	}
	t->least = node->size < t->least ? node->size : t->least;
	t->most = node->size > t->most ? node->size : t->most;
}

/* What some blocks are now, they must be at least. */
static void promise_blocks(struct track *t, unsigned int first, unsigned int nr)
{
	unsigned int i;

	for (i = first; i < first + nr; i++)
		t->ok[i] = t->seen->data[i] == t->data[i];
}

static void promise(struct track *t, const struct model *m, const struct op *op)
{
	const struct node *node = &m->nodes[t->node];

	if (op->kind != OP_WRITE_SYNC) {
		promise_blocks(t, 0, NR_BLOCKS);
		t->least = node->size;
		t->most = node->size;
		return;
	}
	promise_blocks(t, op->first, op->nr);
	if (t->least < op->first + op->nr)
		t->least = op->first + op->nr;
}

static void track_op(struct track *t, struct model *m, const struct op *op,
		     const struct promises *promises)
{
	static const struct op all = { .kind = OP_SYNCFS };
	bool own;

	track_node(t, m);
	if (!t->live)
		return;
	own = op_promises(op->kind) && m->done <= promises->done &&
	      op->kind != OP_FSYNC_DIR && model_file(m, op) == &m->nodes[t->node];
	if (is_promised(promises, m, op))
		promise(t, m, &all);
	else if (own)
		promise(t, m, op);
}

/* The number of things that are wrong in a file; the first is told, if wanted. */
static int faults(const struct track *t, bool tell)
{
	unsigned int i, size = blocks(t->seen);
	int res = 0;

	if (size < t->least || size > t->most) {
		res++;
		if (tell)
			say("file of operation %u: %u blocks, not %u to %u", t->made, size,
			    t->least, t->most);
	}
	for (i = 0; i < NR_BLOCKS; i++) {
		if (!t->ok[i] && !res++ && tell)
			say("file of operation %u, block %u: of operation %d, last was %u",
			    t->made, i, (int)t->seen->data[i], t->data[i]);
	}
	return res;
}

static int all_faults(const struct track *tracks, unsigned int nr, bool tell)
{
	unsigned int i;
	int res = 0;

	for (i = 0; i < nr; i++)
		res += faults(&tracks[i], tell);
	return res;
}

static unsigned int start_tracks(struct track *tracks, const struct model *at,
				 const struct tree *tree)
{
	bool known[NR_NODES] = {};
	const struct name *name;
	unsigned int i, nr = 0;

	for (i = 0; i < NR_NAMES; i++) {
		name = &at->names[i];
		if (name->type != S_IFREG || known[name->node])
			continue;
		known[name->node] = true;
		tracks[nr++] = (struct track){
			.seen = &tree->names[i],
			.node = name->node,
			.made = at->nodes[name->node].made,
		};
	}
	return nr;
}

/* Is the data right, if the names are those of @at? */
static int data_faults(struct model m, const struct model *at, const struct tree *tree,
		       const struct promises *promises, bool tell)
{
	uint32_t known = promises->done > promises->all ? promises->done : promises->all;
	struct track tracks[NR_NODES];
	unsigned int i, nr = start_tracks(tracks, at, tree);
	struct op op;

	known = known > at->done ? known : at->done;
	while (m.done < known + SLACK) {
		op = model_next(&m);
		model_apply(&m, &op);
		for (i = 0; i < nr; i++)
			track_op(&tracks[i], &m, &op, promises);
		if (m.done >= known && !all_faults(tracks, nr, false))
			return 0;
	}
	return all_faults(tracks, nr, tell);
}

static int check_tree(const struct model *start, const struct tree *tree,
		      const struct promises *promises)
{
	uint32_t least = names_promised(*start, promises), last = least + SLACK;
	struct model m = *start;
	bool found = false;
	struct op op;

	for (;;) {
		if (m.done >= least && names_match(&m, tree)) {
			if (!data_faults(*start, &m, tree, promises, !found))
				return 0;
			found = true;
			/* What follows differs in names at first, or is the same again */
			last = m.done + 100 < last ? m.done + 100 : last;
		}
		if (m.done >= last)
			break;
		op = model_next(&m);
		model_apply(&m, &op);
	}
	if (!found)
		say("no number of operations, from %u on, leaves these names", least);
	return 1;
}

int check(const char *at, uint64_t seed, const struct promises *promises)
{
	struct tree *tree = malloc(sizeof(*tree));
	unsigned int worker, dir;
	struct model m;
	int err, bad = 0;

	for (worker = 0; worker < NR_WORKERS; worker++) {
		*tree = (struct tree){};
		model_init(&m, seed, worker);
		err = 0;
		for (dir = 0; dir < NR_DIRS && !err; dir++)
			err = see_dir(tree, &m, dir, in(at, "w%u/%c", worker, 'a' + dir));
		if (!err)
			err = check_tree(&m, tree, &promises[worker]);
		if (err)
			say("worker %u, which did %u operations: not what it was at any time",
			    worker, promises[worker].done);
		bad += !!err;
	}
	free(tree);
	return bad;
}
