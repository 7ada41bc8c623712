// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/fuse_bpf.h>

#include "answers.h"

#define ANSWER_MAX (1 << 17)
#define ANSWER_EXTRA 4096

struct answers *answers;

/**
 * struct answer - an answer that is being made
 * @error: 0 or an errno, with any sign
 * @len: bytes in @data
 * @data: what follows the header
 */
struct answer {
	int error;
	size_t len;
	char data[ANSWER_MAX + ANSWER_EXTRA] __attribute__((aligned(8)));
};

static const mode_t modes[NODE_TYPES] = {
	S_IFREG | 0644, S_IFDIR | 0755, S_IFLNK | 0777, S_IFIFO | 0600,
};

static __u64 hash(__u64 a, const char *text)
{
	while (*text)
		a = (a ^ *text++) * 0x100000001b3ULL;
	return a ^ (a >> 29);
}

static __u64 make_node(__u64 parent, const char *name, enum node_type type)
{
	return (hash(parent, name) & 0xffffff) << 8 | type << 4 | 8;
}

static enum node_type type_of(__u64 node)
{
	return node == FUSE_ROOT_ID ? NODE_DIR : (node >> 4) % NODE_TYPES;
}

static enum node_type type_of_name(const char *name)
{
	switch (name[0]) {
	case 'd':
		return NODE_DIR;
	case 'l':
		return NODE_LINK;
	case 'p':
		return NODE_PIPE;
	}
	return NODE_FILE;
}

__u64 answers_node(struct fuzz_rng *rng)
{
	static const char *const names[] = { "f0", "f1", "d0", "d1", "l0", "n0" };
	const char *name = FUZZ_ANY(rng, names);

	switch (fuzz_below(rng, 8)) {
	case 0:
		return FUSE_ROOT_ID;
	case 1:
		return fuzz_hostile(rng);
	case 2:
		return FUSE_NODEID_KERNEL | fuzz_below(rng, 100);
	default:
		return make_node(FUSE_ROOT_ID, name, type_of_name(name));
	}
}

static void put(struct answer *a, const void *data, size_t len)
{
	memcpy(a->data + a->len, data, len);
	a->len += len;
}

static struct fuse_attr attr_of(__u64 node)
{
	return raw_attr(node, modes[type_of(node)], type_of(node) == NODE_FILE ? 20000 : 0);
}

/*
 * What a node is backed by is a matter of its id, so that most of them live for more
 * than one answer.
 */
static void put_backing(struct answer *a, __u64 node)
{
	struct fuzz_rng *rng = &answers->rng;
	enum node_type type = type_of(node);
	struct fuse_entry_backing_out out = {
		.backing_id = answers->ids[type][(node >> 8) % ANSWER_IDS],
		.tag = (node >> 10) % 3,
		.flags = type == NODE_DIR && (node >> 12) % 4 ? FUSE_BACKING_INHERIT : 0,
	};

	if ((node >> 14) % 4 == 0 || fuzz_chance(rng, 5))
		return;
	if ((node >> 16) % 3 == 0)
		out.filter_id = answers->filter_id;
	if (fuzz_chance(rng, 3))
		out = (struct fuse_entry_backing_out){
			.flags = fuzz_chance(rng, 50) ? FUSE_BACKING_STOP : FUSE_BACKING_KEEP,
		};
	put(a, &out, sizeof(out));
}

static struct fuse_entry_out entry_of(__u64 node)
{
	return (struct fuse_entry_out){
		.nodeid = node,
		.generation = 1,
		.entry_valid = node >> 9 & 1,
		.attr_valid = node >> 10 & 1,
		.attr = attr_of(node),
	};
}

static void put_open(struct answer *a, __u64 node)
{
	static const __u32 flags[] = {
		0, 0, FOPEN_DIRECT_IO, FOPEN_KEEP_CACHE, FOPEN_NONSEEKABLE, FOPEN_STREAM,
		FOPEN_CACHE_DIR, FOPEN_NOFLUSH, FOPEN_PASSTHROUGH,
		FOPEN_PARALLEL_DIRECT_WRITES | FOPEN_DIRECT_IO,
	};
	struct fuse_open_out out = { .fh = node, .open_flags = FUZZ_ANY(&answers->rng, flags) };

	if (out.open_flags & FOPEN_PASSTHROUGH)
		out.backing_id = answers->ids[NODE_FILE][node % ANSWER_IDS];
	put(a, &out, sizeof(out));
}

static void put_entry(struct answer *a, __u64 node, bool open)
{
	struct fuse_entry_out out = entry_of(node);

	put(a, &out, sizeof(out));
	if (open)
		put_open(a, node);
	put_backing(a, node);
}

/* The name is the last string in a request, but for SYMLINK, where it is the first. */
static const char *name_in(const struct raw_request *request)
{
	const char *arg = request->arg;
	size_t at = request->len;

	if (request->head.opcode == FUSE_SYMLINK || at < 2 || arg[at - 1])
		return at ? arg : "";
	for (at--; at && arg[at - 1]; at--)
		;
	return arg + at;
}

static void put_made(struct answer *a, const struct raw_request *request)
{
	const struct fuse_link_in *link = request->arg;
	const char *name = name_in(request);
	__u64 parent = request->head.nodeid;

	switch (request->head.opcode) {
	case FUSE_LOOKUP:
		if (name[0] == 'n' && fuzz_chance(&answers->rng, 60))
			a->error = -ENOENT;
		else
			put_entry(a, make_node(parent, name, type_of_name(name)), false);
		break;
	case FUSE_MKNOD:
		put_entry(a, make_node(parent, name, NODE_FILE), false);
		break;
	case FUSE_MKDIR:
		put_entry(a, make_node(parent, name, NODE_DIR), false);
		break;
	case FUSE_SYMLINK:
		put_entry(a, make_node(parent, name, NODE_LINK), false);
		break;
	case FUSE_LINK:
		put_entry(a, link->oldnodeid, false);
		break;
	case FUSE_CREATE:
	case FUSE_TMPFILE:
		put_entry(a, make_node(parent, name, NODE_FILE), true);
		break;
	}
}

static void put_attr(struct answer *a, __u64 node)
{
	struct fuse_attr_out out = { .attr_valid = node >> 11 & 1, .attr = attr_of(node) };

	put(a, &out, sizeof(out));
}

static void put_statx(struct answer *a, __u64 node)
{
	struct fuse_attr attr = attr_of(node);
	struct fuse_statx_out out = {
		.stat = {
			.mask = 0x7ff,
			.mode = attr.mode,
			.nlink = 1,
			.size = attr.size,
			.ino = node,
			.blksize = 4096,
		},
	};

	put(a, &out, sizeof(out));
}

static void put_dirents(struct answer *a, const struct fuse_read_in *in, __u64 dir, bool plus)
{
	static const char *const names[] = { ".", "..", "f0", "f1", "d0", "l0", "n0", "p0" };
	struct {
		struct fuse_entry_out entry;
		struct fuse_dirent dirent;
		char name[8];
	} one;
	size_t skip = plus ? 0 : sizeof(one.entry);
	unsigned int i;
	__u64 node;

	for (i = in->offset; i < sizeof(names) / sizeof(names[0]); i++) {
		if (a->len + sizeof(one) > in->size)
			break;
		memset(&one, 0, sizeof(one));
		node = make_node(dir, names[i], type_of_name(names[i]));
		if (i > 1)
			one.entry = entry_of(node);
		one.dirent = (struct fuse_dirent){
			.ino = node,
			.off = i + 1,
			.namelen = strlen(names[i]),
			.type = modes[type_of(node)] >> 12,
		};
		/* The name follows the structure without its padding. */
		memcpy(one.dirent.name, names[i], strlen(names[i]));
		put(a, (char *)&one + skip,
		    sizeof(one.entry) + FUSE_DIRENT_SIZE(&one.dirent) - skip);
	}
}

static void put_value(struct answer *a, const struct fuse_getxattr_in *in)
{
	static const char value[] = "user.a";
	struct fuse_getxattr_out out = { .size = sizeof(value) };

	if (!in->size)
		put(a, &out, sizeof(out));
	else if (in->size < sizeof(value))
		a->error = -ERANGE;
	else
		put(a, value, sizeof(value));
}

static void put_data(struct answer *a, const struct raw_request *request)
{
	const struct fuse_read_in *read = request->arg;
	const struct fuse_write_in *write = request->arg;
	const struct fuse_copy_file_range_in *copy = request->arg;

	switch (request->head.opcode) {
	case FUSE_READ:
		a->len = read->size < ANSWER_MAX ? read->size : ANSWER_MAX;
		memset(a->data, 'D', a->len);
		break;
	case FUSE_READDIR:
	case FUSE_READDIRPLUS:
		put_dirents(a, read, request->head.nodeid,
			    request->head.opcode == FUSE_READDIRPLUS);
		break;
	case FUSE_WRITE:
		put(a, &(struct fuse_write_out){ .size = write->size }, sizeof(struct fuse_write_out));
		break;
	case FUSE_COPY_FILE_RANGE:
		put(a, &(struct fuse_write_out){ .size = copy->len }, sizeof(struct fuse_write_out));
		break;
	case FUSE_COPY_FILE_RANGE_64:
		put(a, &(struct fuse_copy_file_range_out){ .bytes_copied = copy->len },
		    sizeof(struct fuse_copy_file_range_out));
		break;
	case FUSE_LSEEK:
		put(a, &(struct fuse_lseek_out){ .offset = 7 }, sizeof(struct fuse_lseek_out));
		break;
	}
}

static void put_rest(struct answer *a, const struct raw_request *request)
{
	__u64 node = request->head.nodeid;

	switch (request->head.opcode) {
	case FUSE_GETATTR:
	case FUSE_SETATTR:
		put_attr(a, node);
		break;
	case FUSE_STATX:
		put_statx(a, node);
		break;
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		put_open(a, node);
		break;
	case FUSE_READLINK:
		put(a, "f0", 2);
		break;
	case FUSE_GETXATTR:
	case FUSE_LISTXATTR:
		put_value(a, request->arg);
		break;
	case FUSE_STATFS:
		put(a, &(struct fuse_statfs_out){ .st.bsize = 512 }, sizeof(struct fuse_statfs_out));
		break;
	case FUSE_GETLK:
		put(a, &(struct fuse_lk_out){ .lk.type = F_UNLCK }, sizeof(struct fuse_lk_out));
		break;
	case FUSE_IOCTL:
		put(a, &(struct fuse_ioctl_out){}, sizeof(struct fuse_ioctl_out));
		break;
	case FUSE_POLL:
		put(a, &(struct fuse_poll_out){ .revents = 1 }, sizeof(struct fuse_poll_out));
		break;
	case FUSE_BMAP:
		put(a, &(struct fuse_bmap_out){ .block = 1 }, sizeof(struct fuse_bmap_out));
		break;
	case FUSE_BPF_ASK:
		put(a, &(struct fuse_bpf_ask_out){}, sizeof(struct fuse_bpf_ask_out));
		break;
	}
}

/**
 * struct sent - how an answer is sent
 * @len_off: what its header is wrong by
 * @other: request that it goes to first, 0: none
 * @twice: once more
 * @with_data: although there is an error
 */
struct sent {
	int len_off;
	__u64 other;
	bool twice;
	bool with_data;
};

static void garble_error(struct answer *a, struct sent *how)
{
	struct fuzz_rng *rng = &answers->rng;

	a->error = fuzz_chance(rng, 60) ? -1 - (int)fuzz_below(rng, 511) : (int)fuzz_hostile(rng);
	how->with_data = fuzz_chance(rng, 20);
}

static void garble_text(struct answer *a)
{
	static const char bytes[] = { '/', '\0', '.', '\xff' };
	struct fuzz_rng *rng = &answers->rng;

	if (a->len)
		a->data[fuzz_below(rng, a->len)] = FUZZ_ANY(rng, bytes);
}

/* Make one thing wrong with an answer; false if it is left as it is. */
static bool garble(struct answer *a, __u64 unique, struct sent *how)
{
	struct fuzz_rng *rng = &answers->rng;
	unsigned int kind = fuzz_below(rng, 100);
	size_t more;

	if (kind < 40)
		return false;
	if (kind < 66 && a->len) {
		fuzz_words(rng, a->data, a->len);
	} else if (kind < 74 && a->len) {
		a->len = fuzz_below(rng, a->len);
	} else if (kind < 80) {
		more = 1 + fuzz_below(rng, fuzz_chance(rng, 80) ? 64 : ANSWER_EXTRA);
		fuzz_fill(rng, a->data + a->len, more);
		a->len += more;
	} else if (kind < 88) {
		garble_error(a, how);
	} else if (kind < 90) {
		garble_text(a);
	} else if (kind < 93) {
		how->len_off = fuzz_hostile(rng);
	} else if (kind < 96) {
		/* 0 would be a notification, which can wait for the answer to this */
		how->other = fuzz_chance(rng, 50) ? unique ^ 1 : (fuzz_hostile(rng) | 1);
	} else if (kind < 98 && a->len) {
		fuzz_fill(rng, a->data, a->len);
	} else {
		how->twice = true;
	}
	return true;
}

static bool write_answer(int dev, __u64 unique, const struct answer *a, const struct sent *how)
{
	size_t len = a->error && !how->with_data ? 0 : a->len;
	struct fuse_out_header head = {
		.len = sizeof(head) + len + how->len_off,
		.error = a->error,
		.unique = unique,
	};
	struct iovec iov[2] = { { &head, sizeof(head) }, { (void *)a->data, len } };

	return writev(dev, iov, 2) >= 0;
}

/*
 * What the kernel refuses it may have ended the request with, or not: it is told once
 * more, so that whoever waits does not wait for ever.
 */
static void send_answer(int dev, __u64 unique, const struct answer *a, const struct sent *how)
{
	static const struct answer refused = { .error = -EIO };
	static const struct sent plainly;

	if (how->other)
		write_answer(dev, how->other, a, how);
	if (!write_answer(dev, unique, a, how))
		write_answer(dev, unique, &refused, &plainly);
	else if (how->twice)
		write_answer(dev, unique, a, how);
}

static bool wants_answer(__u32 opcode)
{
	return opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET && opcode != FUSE_INTERRUPT &&
	       opcode != FUSE_NOTIFY_REPLY;
}

/* There is room for less, and only for answers to what was asked. */
static void give_ring(const struct answer *a, struct raw_reply *reply)
{
	reply->error = a->error;
	reply->len = a->len < RAW_MAX_DATA ? a->len : RAW_MAX_DATA;
	memcpy(reply->data, a->data, reply->len);
}

bool answers_hook(struct raw_server *server, const struct raw_request *request,
		  struct raw_reply *reply)
{
	static struct answer a;
	struct sent how = {};

	if (answers->dies_after && !answers->calm && !--answers->dies_after)
		__atomic_store_n(&answers->dead, true, __ATOMIC_RELEASE);
	if (answers->dead || !wants_answer(request->head.opcode))
		return !server->uring;

	a.error = 0;
	a.len = 0;
	put_made(&a, request);
	put_data(&a, request);
	put_rest(&a, request);
	if (!answers->calm && garble(&a, request->head.unique, &how))
		fuzz_input();
	if (server->uring) {
		give_ring(&a, reply);
		return false;
	}
	send_answer(server->dev, request->head.unique, &a, &how);
	return true;
}

static size_t put_name(char *to, struct fuzz_rng *rng, __u32 *namelen)
{
	static const char *const names[] = { "f0", "d0", "n0", "", ".", "..", "a/b", "f0\0x" };
	const char *name = FUZZ_ANY(rng, names);

	*namelen = strlen(name);
	strcpy(to, name);
	return strlen(name) + 1;
}

static size_t notify_names(char *data, __u32 code, struct fuzz_rng *rng)
{
	struct fuse_notify_inval_entry_out *entry = (void *)data;
	struct fuse_notify_delete_out *gone = (void *)data;

	if (code == FUSE_NOTIFY_INVAL_ENTRY) {
		entry->parent = fuzz_chance(rng, 60) ? FUSE_ROOT_ID : answers_node(rng);
		entry->flags = fuzz_below(rng, 3);
		return sizeof(*entry) + put_name(data + sizeof(*entry), rng, &entry->namelen);
	}
	gone->parent = fuzz_chance(rng, 60) ? FUSE_ROOT_ID : answers_node(rng);
	gone->child = answers_node(rng);
	return sizeof(*gone) + put_name(data + sizeof(*gone), rng, &gone->namelen);
}

static size_t notify_data(char *data, __u32 code, struct fuzz_rng *rng)
{
	struct fuse_notify_inval_inode_out *inode = (void *)data;
	struct fuse_notify_store_out *store = (void *)data;
	struct fuse_notify_retrieve_out *retrieve = (void *)data;
	struct fuse_notify_prune_out *prune = (void *)data;
	__u64 *nodes = (__u64 *)(prune + 1);

	switch (code) {
	case FUSE_NOTIFY_INVAL_INODE:
		*inode = (struct fuse_notify_inval_inode_out){
			.ino = answers_node(rng),
			.off = fuzz_chance(rng, 50) ? -1 : 4096,
		};
		return sizeof(*inode);
	case FUSE_NOTIFY_STORE:
		*store = (struct fuse_notify_store_out){
			.nodeid = answers_node(rng),
			.offset = fuzz_below(rng, 16384),
			.size = fuzz_below(rng, 8192),
		};
		return sizeof(*store) + store->size;
	case FUSE_NOTIFY_RETRIEVE:
		*retrieve = (struct fuse_notify_retrieve_out){
			.notify_unique = 3,
			.nodeid = answers_node(rng),
			.size = fuzz_below(rng, 8192),
		};
		return sizeof(*retrieve);
	case FUSE_NOTIFY_PRUNE:
		*prune = (struct fuse_notify_prune_out){ .count = fuzz_below(rng, 4) };
		nodes[0] = answers_node(rng);
		nodes[1] = answers_node(rng);
		nodes[2] = answers_node(rng);
		return sizeof(*prune) + prune->count * sizeof(*nodes);
	case FUSE_NOTIFY_POLL:
		return sizeof(struct fuse_notify_poll_wakeup_out);
	}
	return 0;
}

void answers_notify(int dev, struct fuzz_rng *rng)
{
	static struct answer a;
	__u32 code = FUSE_NOTIFY_POLL + fuzz_below(rng, FUSE_NOTIFY_PRUNE);
	struct sent how = { .with_data = true };

	memset(a.data, 0, 16384);
	if (code == FUSE_NOTIFY_INVAL_ENTRY || code == FUSE_NOTIFY_DELETE)
		a.len = notify_names(a.data, code, rng);
	else
		a.len = notify_data(a.data, code, rng);
	if (fuzz_chance(rng, 25))
		fuzz_words(rng, a.data, a.len < 64 ? a.len : 64);
	if (fuzz_chance(rng, 10))
		a.len = fuzz_below(rng, a.len + 64);
	a.error = fuzz_chance(rng, 3) ? (int)fuzz_hostile(rng) : (int)code;
	write_answer(dev, 0, &a, &how);
	fuzz_input();
}
