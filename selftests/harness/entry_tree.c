// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "entry_tree.h"
#include "util.h"

struct told *told;

int told_make(void)
{
	told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		    0);
	return told == MAP_FAILED ? -errno : 0;
}

void told_free(void)
{
	munmap(told, sizeof(*told));
}

bool note_forget(struct raw_server *server, const struct raw_request *request,
		 struct raw_reply *reply)
{
	const struct fuse_batch_forget_in *batch = request->arg;
	const struct fuse_forget_one *one = (const void *)(batch + 1);
	const struct fuse_forget_in *in = request->arg;
	__u32 i;

	(void)server;
	(void)reply;
	if (request->head.opcode == FUSE_FORGET)
		__atomic_add_fetch(&told->forgotten, in->nlookup, __ATOMIC_SEQ_CST);
	if (request->head.opcode == FUSE_BATCH_FORGET)
		for (i = 0; i < batch->count; i++)
			__atomic_add_fetch(&told->forgotten, one[i].nlookup, __ATOMIC_SEQ_CST);
	return false;
}

unsigned long long forgotten(unsigned long long want)
{
	int i;

	for (i = 0; i < 1000 && __atomic_load_n(&told->forgotten, __ATOMIC_SEQ_CST) < want; i++)
		usleep(1000);
	return __atomic_load_n(&told->forgotten, __ATOMIC_SEQ_CST);
}

int entry_tree_backing(const struct backed *b)
{
	if (make_file(in(b->back, "file"), "text of the backing", 0640) ||
	    make_file(in(b->back, "other"), "text of another", 0644) ||
	    make_dir(in(b->back, "dir"), 0750) || make_dir(in(b->back, "dir/sub"), 0755) ||
	    make_file(in(b->back, "dir/a"), "a", 0644) ||
	    make_file(in(b->back, "dir/sub/b"), "b", 0600) ||
	    make_dir(in(b->back, "dir2"), 0755) || symlink("file", in(b->back, "link")) ||
	    mkfifo(in(b->back, "fifo"), 0600))
		return -errno;
	return 0;
}

int entry_tree_make(struct backed *b, bool uring)
{
	int err = entry_make(b) ?: told_make();

	if (err)
		return err;
	b->server->hook = note_forget;
	if (uring)
		err = entry_use_uring(b);
	if (!err)
		err = entry_tree_backing(b);
	return err ?: entry_mount(b);
}

unsigned int asked_more(const struct backed *b)
{
	return raw_server_total(b->server) - asked(b, FUSE_LOOKUP) - asked(b, FUSE_FORGET) -
	       asked(b, FUSE_BATCH_FORGET);
}

struct raw_reply *serve_create(struct raw_server *server, __u32 opcode, const char *name,
			       const struct fuse_entry_backing_out *backing)
{
	const struct create_reply reply = {
		.entry = {
			.nodeid = NEW_NODE,
			.generation = 1,
			.attr = raw_attr(NEW_NODE, S_IFREG, 0),
		},
		.open = { .fh = 77 },
		.backing = *backing,
	};

	raw_reply_error(server, FUSE_LOOKUP, FUSE_ROOT_ID, name, -ENOENT)->uses = 1;
	raw_reply_add(server, FUSE_RELEASE, NEW_NODE, NULL, NULL, 0);
	return raw_reply_add(server, opcode, FUSE_ROOT_ID, name, &reply, sizeof(reply));
}
