// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tree_server.h"
#include "util.h"

/* The server's process has it from fork() */
static struct tree_server *the_tree;

static struct tree_node *node_of(struct tree_server *tree, __u64 id)
{
	if (id < TREE_FIRST_NODE || id >= TREE_FIRST_NODE + tree->nr_nodes)
		return NULL;
	return &tree->nodes[id - TREE_FIRST_NODE];
}

static __u64 find_node(const struct tree_server *tree, __u64 parent, const char *name)
{
	unsigned int i;

	for (i = 0; i < tree->nr_nodes; i++) {
		if (tree->nodes[i].parent == parent && !strcmp(tree->nodes[i].name, name))
			return TREE_FIRST_NODE + i;
	}
	return 0;
}

static __u64 add_node(struct tree_server *tree, __u64 parent, const char *name, mode_t mode)
{
	struct tree_node *node = &tree->nodes[tree->nr_nodes];

	if (tree->nr_nodes == TREE_NODES)
		return 0;
	*node = (struct tree_node){ .parent = parent, .mode = mode };
	snprintf(node->name, sizeof(node->name), "%s", name);
	return TREE_FIRST_NODE + tree->nr_nodes++;
}

/* Path of a node in the backing; of a node that is not there, of nothing. */
static void path_of(struct tree_server *tree, __u64 id, char *path, size_t size)
{
	const struct tree_node *node = node_of(tree, id);
	char up[256];

	if (!node) {
		snprintf(path, size, "%s", tree->back);
		return;
	}
	path_of(tree, node->parent, up, sizeof(up));
	snprintf(path, size, "%.200s/%s", up, node->name);
}

static void put(struct raw_reply *reply, const void *data, size_t len)
{
	memcpy(reply->data + reply->len, data, len);
	reply->len += len;
}

static mode_t mode_of(struct tree_server *tree, __u64 id)
{
	const struct tree_node *node = node_of(tree, id);

	return node ? node->mode : S_IFDIR | 0777;
}

static void put_entry(struct tree_server *tree, struct raw_reply *reply, __u64 id)
{
	const struct fuse_entry_out out = {
		.nodeid = id,
		.attr = raw_attr(id, mode_of(tree, id), TREE_SIZE),
	};

	put(reply, &out, sizeof(out));
	node_of(tree, id)->lookups++;
}

static void lie(struct tree_server *tree, struct raw_reply *reply)
{
	struct tree_node *node = node_of(tree, tree->lie.nodeid);

	reply->error = tree->lie_error;
	put(reply, &tree->lie, sizeof(tree->lie));
	if (tree->lie_error || !tree->lie.nodeid)
		return;
	if (node)
		node->lookups++;
	else
		tree->foreign++;
}

/* A name that begins with "server" is there though the backing does not have it. */
static void lookup(struct tree_server *tree, __u64 parent, const char *name,
		   struct raw_reply *reply)
{
	__u64 id = find_node(tree, parent, name);
	char path[256], whole[512];
	struct stat st = { .st_mode = S_IFREG | 0644 };
	bool found;

	path_of(tree, parent, path, sizeof(path));
	snprintf(whole, sizeof(whole), "%s/%s", path, name);
	found = !lstat(whole, &st) || !strncmp(name, "server", 6);

	if (tree->during_name[0] && !strcmp(name, tree->during_name)) {
		tree->during_name[0] = '\0';
		usleep(tree->during_usec);
		if (tree->during_from[0])
			(void)!rename(tree->during_from, tree->during_to);
	}
	if (tree->lie_name[0] && !strcmp(name, tree->lie_name)) {
		lie(tree, reply);
		return;
	}
	if (!id && !found) {
		reply->error = -ENOENT;
		return;
	}
	if (!id)
		id = add_node(tree, parent, name, st.st_mode);
	if (id)
		put_entry(tree, reply, id);
	else
		reply->error = -ENFILE;
}

static void make(struct tree_server *tree, __u64 parent, const char *name, mode_t mode,
		 struct raw_reply *reply)
{
	__u64 id = add_node(tree, parent, name, mode);

	if (id)
		put_entry(tree, reply, id);
	else
		reply->error = -ENFILE;
}

static void put_attr(struct tree_server *tree, __u64 id, struct raw_reply *reply)
{
	const struct fuse_attr_out out = {
		.attr_valid = 3600,
		.attr = raw_attr(id, mode_of(tree, id), TREE_SIZE),
	};

	put(reply, &out, sizeof(out));
}

static void put_statx(struct tree_server *tree, __u64 id, struct raw_reply *reply)
{
	const struct fuse_statx_out out = {
		.attr_valid = 3600,
		.stat = {
			.mask = 0x7ff,
			.mode = mode_of(tree, id),
			.nlink = 1,
			.size = TREE_SIZE,
			.ino = id,
			.blksize = 4096,
		},
	};

	put(reply, &out, sizeof(out));
}

static void put_open(struct tree_server *tree, struct raw_reply *reply)
{
	static __u64 last_fh;
	/* Wishes about a page cache, which a backed file does not have */
	const struct fuse_open_out out = {
		.fh = ++last_fh,
		.open_flags = FOPEN_KEEP_CACHE | FOPEN_CACHE_DIR,
	};

	put(reply, &out, sizeof(out));
	tree->nr_open++;
}

static void put_read(const struct fuse_read_in *in, struct raw_reply *reply)
{
	reply->len = in->size < RAW_MAX_DATA ? in->size : RAW_MAX_DATA;
	memset(reply->data, TREE_BYTE, reply->len);
}

static void put_dirent(const struct fuse_read_in *in, struct raw_reply *reply)
{
	struct fuse_dirent entry = { .ino = 7, .off = 1, .namelen = 6, .type = 8 };
	char buf[FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + 6)] = {};

	if (in->offset)
		return;
	memcpy(buf, &entry, FUSE_NAME_OFFSET);
	memcpy(buf + FUSE_NAME_OFFSET, "server", 6);
	put(reply, buf, sizeof(buf));
}

static void put_value(const struct fuse_getxattr_in *in, const char *value, size_t len,
		      struct raw_reply *reply)
{
	const struct fuse_getxattr_out out = { .size = len };

	if (in->size && in->size < len)
		reply->error = -ERANGE;
	else if (in->size)
		put(reply, value, len);
	else
		put(reply, &out, sizeof(out));
}

static void forget(struct tree_server *tree, __u64 id, __u64 n)
{
	struct tree_node *node = node_of(tree, id);

	if (node)
		node->lookups -= n;
	else
		tree->foreign -= n;
}

static void forget_batch(struct tree_server *tree, const struct fuse_batch_forget_in *in)
{
	const struct fuse_forget_one *one = (const void *)(in + 1);
	unsigned int i;

	for (i = 0; i < in->count; i++)
		forget(tree, one[i].nodeid, one[i].nlookup);
}

/* Where the first name is: behind a structure of this size, as the kernel sends it */
static size_t name_at(__u32 opcode)
{
	switch (opcode) {
	case FUSE_LOOKUP:
	case FUSE_UNLINK:
	case FUSE_RMDIR:
	case FUSE_SYMLINK:
	case FUSE_REMOVEXATTR:
		return 0;
	case FUSE_MKNOD:
		return sizeof(struct fuse_mknod_in);
	case FUSE_MKDIR:
		return sizeof(struct fuse_mkdir_in);
	case FUSE_LINK:
		return sizeof(struct fuse_link_in);
	case FUSE_RENAME:
		return sizeof(struct fuse_rename_in);
	case FUSE_RENAME2:
		return sizeof(struct fuse_rename2_in);
	case FUSE_CREATE:
	case FUSE_TMPFILE:
		return sizeof(struct fuse_create_in);
	case FUSE_GETXATTR:
		return sizeof(struct fuse_getxattr_in);
	}
	return (size_t)-1;
}

static const char *name_in(const struct raw_request *request)
{
	size_t at = name_at(request->head.opcode);

	return at < request->len ? (const char *)request->arg + at : "";
}

static void note(struct tree_server *tree, const struct raw_request *request)
{
	struct tree_entry *entry = &tree->log[tree->nr_log];

	if (tree->nr_log++ >= TREE_LOG)
		return;
	*entry = (struct tree_entry){
		.opcode = request->head.opcode,
		.nodeid = request->head.nodeid,
	};
	/* All requests about open files have the handle in front */
	if (request->len >= sizeof(entry->fh))
		memcpy(&entry->fh, request->arg, sizeof(entry->fh));
	snprintf(entry->name, sizeof(entry->name), "%s", name_in(request));
}

static void answer_made(struct tree_server *tree, const struct raw_request *request,
			struct raw_reply *reply)
{
	const struct fuse_mknod_in *mknod = request->arg;
	const struct fuse_create_in *create = request->arg;
	const struct fuse_link_in *link = request->arg;
	const char *name = name_in(request);
	__u64 parent = request->head.nodeid;

	switch (request->head.opcode) {
	case FUSE_MKNOD:
		make(tree, parent, name, mknod->mode, reply);
		break;
	case FUSE_MKDIR:
		make(tree, parent, name, S_IFDIR | 0755, reply);
		break;
	case FUSE_SYMLINK:
		make(tree, parent, name, S_IFLNK | 0777, reply);
		break;
	case FUSE_LINK:
		if (tree->same_links)
			put_entry(tree, reply, link->oldnodeid);
		else
			make(tree, parent, name, mode_of(tree, link->oldnodeid), reply);
		break;
	case FUSE_TMPFILE:
		make(tree, parent, name, create->mode, reply);
		put_open(tree, reply);
		break;
	}
}

static void answer_data(struct tree_server *tree, const struct raw_request *request,
			struct raw_reply *reply)
{
	const struct fuse_write_in *write = request->arg;
	const struct fuse_write_out written = { .size = write->size };
	const struct fuse_copy_file_range_in *copy = request->arg;
	const struct fuse_write_out copied = { .size = copy->len };
	const struct fuse_lseek_out seek = { .offset = TREE_OFFSET };
	const struct fuse_lk_out lock = { .lk = { .type = F_UNLCK } };
	const struct fuse_statfs_out statfs = { .st = { .namelen = TREE_OFFSET, .bsize = 512 } };

	switch (request->head.opcode) {
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		put_open(tree, reply);
		break;
	case FUSE_READ:
		put_read(request->arg, reply);
		break;
	case FUSE_READDIR:
		put_dirent(request->arg, reply);
		break;
	case FUSE_WRITE:
		put(reply, &written, sizeof(written));
		break;
	case FUSE_COPY_FILE_RANGE:
		put(reply, &copied, sizeof(copied));
		break;
	case FUSE_LSEEK:
		put(reply, &seek, sizeof(seek));
		break;
	case FUSE_GETLK:
		put(reply, &lock, sizeof(lock));
		break;
	case FUSE_STATFS:
		put(reply, &statfs, sizeof(statfs));
		break;
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
		tree->nr_open--;
		break;
	}
}

static void answer_node(struct tree_server *tree, const struct raw_request *request,
			struct raw_reply *reply)
{
	const struct fuse_forget_in *nlookup = request->arg;
	__u64 id = request->head.nodeid;

	switch (request->head.opcode) {
	case FUSE_LOOKUP:
		lookup(tree, id, name_in(request), reply);
		break;
	case FUSE_FORGET:
		forget(tree, id, nlookup->nlookup);
		break;
	case FUSE_BATCH_FORGET:
		forget_batch(tree, request->arg);
		break;
	case FUSE_GETATTR:
	case FUSE_SETATTR:
		put_attr(tree, id, reply);
		break;
	case FUSE_STATX:
		put_statx(tree, id, reply);
		break;
	case FUSE_READLINK:
		put(reply, TREE_TARGET, strlen(TREE_TARGET));
		break;
	case FUSE_GETXATTR:
		put_value(request->arg, "server", 6, reply);
		break;
	case FUSE_LISTXATTR:
		put_value(request->arg, "user.server", 12, reply);
		break;
	}
}

static bool tree_hook(struct raw_server *server, const struct raw_request *request,
		      struct raw_reply *reply)
{
	(void)server;
	/* What a test has put into the table goes first */
	if (reply->error != -ENOSYS)
		return false;
	note(the_tree, request);
	if (request->head.opcode == FUSE_BPF_ASK) {
		ask_answer(the_tree->asks, request, reply);
		return false;
	}
	/* The kernel falls back to what there was before */
	if (request->head.opcode > FUSE_STATX)
		return false;
	reply->error = 0;
	answer_made(the_tree, request, reply);
	answer_data(the_tree, request, reply);
	answer_node(the_tree, request, reply);
	return false;
}

struct tree_server *tree_server_setup(struct backed *b, unsigned int flags)
{
	struct tree_server *tree = mmap(NULL, sizeof(*tree), PROT_READ | PROT_WRITE,
					MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (tree == MAP_FAILED)
		return NULL;
	snprintf(tree->back, sizeof(tree->back), "%s", b->back);
	the_tree = tree;
	b->server = raw_server_new();
	if (!b->server)
		return NULL;
	b->server->hook = tree_hook;
	b->server->init_out.flags |= FUSE_POSIX_LOCKS | FUSE_FLOCK_LOCKS;
	if (backed_mount(b, flags | BACKED_DAEMON))
		return NULL;
	return tree;
}

void tree_server_free(struct tree_server *tree)
{
	if (tree)
		munmap(tree, sizeof(*tree));
}

__u64 tree_server_id(const struct tree_server *tree, const char *path)
{
	char copy[256], *name, *save;
	__u64 id = FUSE_ROOT_ID;

	snprintf(copy, sizeof(copy), "%s", path);
	for (name = strtok_r(copy, "/", &save); name && id; name = strtok_r(NULL, "/", &save))
		id = find_node(tree, id, name);
	return id;
}

unsigned int tree_server_count(const struct tree_server *tree, __u32 opcode, __u64 nodeid)
{
	unsigned int i, n = 0;

	for (i = 0; i < tree->nr_log && i < TREE_LOG; i++)
		n += tree->log[i].opcode == opcode && (!nodeid || tree->log[i].nodeid == nodeid);
	return n;
}

void tree_server_clear(struct tree_server *tree)
{
	tree->nr_log = 0;
}

long tree_server_lookups(const struct tree_server *tree)
{
	long n = tree->foreign;
	unsigned int i;

	for (i = 0; i < tree->nr_nodes; i++)
		n += tree->nodes[i].lookups;
	return n;
}

int tree_server_wait_forgotten(const struct tree_server *tree)
{
	int i;

	for (i = 0; i < 200; i++) {
		if (!tree_server_lookups(tree) && !tree->nr_open)
			return 0;
		if (i % 20 == 0)
			sh("sync; echo 2 > /proc/sys/vm/drop_caches");
		usleep(10000);
	}
	say("%ld lookups and %ld open files are left", tree_server_lookups(tree), tree->nr_open);
	return -ETIMEDOUT;
}
