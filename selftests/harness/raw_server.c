// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/fuse_bpf.h>

#include "raw_server.h"
#include "raw_uring.h"
#include "util.h"

struct raw_server *raw_server_new(void)
{
	struct raw_server *server = mmap(NULL, sizeof(*server), PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (server == MAP_FAILED)
		return NULL;
	server->init_out = (struct fuse_init_out){
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = 1 << 16,
		.max_background = 12,
		.congestion_threshold = 9,
		.max_write = 1 << 16,
		.time_gran = 1,
	};
	return server;
}

static bool gets_no_answer(__u32 opcode)
{
	return opcode == FUSE_FORGET || opcode == FUSE_BATCH_FORGET || opcode == FUSE_INTERRUPT;
}

static void send_reply(struct raw_server *server, const struct raw_request *request,
		       const struct raw_reply *reply)
{
	struct fuse_out_header head = {
		.len = sizeof(head) + (reply->error ? 0 : reply->len),
		.error = reply->error,
		.unique = request->head.unique,
	};
	struct iovec iov[2] = {
		{ &head, sizeof(head) },
		{ (void *)reply->data, reply->error ? 0 : reply->len },
	};

	if (reply->silent)
		return;
	/* ENOENT: the request was interrupted; and a bad answer is refused */
	if (reply->raw)
		(void)!write(server->dev, reply->data, reply->len);
	else
		(void)!writev(server->dev, iov, 2);
}

/* The name is the only argument, or the last after a structure. */
static bool name_matches(const struct raw_reply *reply, const struct raw_request *request)
{
	size_t len = strlen(reply->name) + 1;

	if (!reply->name[0])
		return true;
	return request->len >= len &&
	       !memcmp((const char *)request->arg + request->len - len, reply->name, len);
}

static struct raw_reply *find_reply(struct raw_server *server, const struct raw_request *request)
{
	struct raw_reply *reply;

	for (reply = server->replies; reply < server->replies + server->nr; reply++) {
		if (reply->opcode != request->head.opcode)
			continue;
		if (reply->nodeid && reply->nodeid != request->head.nodeid)
			continue;
		if (reply->uses && reply->used >= reply->uses)
			continue;
		if (name_matches(reply, request)) {
			reply->used++;
			return reply;
		}
	}
	return NULL;
}

/* The whole file is in the answer: cut out what was asked for. */
static void cut_read(const struct raw_request *request, struct raw_reply *reply)
{
	const struct fuse_read_in *in = request->arg;
	size_t start = in->offset < reply->len ? in->offset : reply->len;
	size_t len = reply->len - start;

	if (len > in->size)
		len = in->size;
	memmove(reply->data, reply->data + start, len);
	reply->len = len;
}

/* Count a request and find its answer; false if there is nothing to send. */
static bool decide(struct raw_server *server, const struct raw_request *request,
		   struct raw_reply *reply)
{
	const struct raw_reply *found;
	__u32 opcode = request->head.opcode;

	if (opcode < RAW_MAX_OPS)
		__atomic_add_fetch(&server->counts[opcode], 1, __ATOMIC_SEQ_CST);
	if (request->head.nodeid & FUSE_NODEID_KERNEL && !server->lies) {
		say("the server was asked about kernel-made node %#llx, opcode %u",
		    (unsigned long long)request->head.nodeid, opcode);
		server->kernel_nodes++;
	}

	found = find_reply(server, request);
	*reply = found ? *found : (struct raw_reply){ .error = -ENOSYS };
	if (found && opcode == FUSE_READ && !reply->raw)
		cut_read(request, reply);
	if (server->hook && server->hook(server, request, reply))
		return false;
	return !gets_no_answer(opcode);
}

static void answer_init(struct raw_server *server, const struct raw_request *request)
{
	struct raw_reply reply = { .len = sizeof(server->init_out) };
	size_t len = request->len;

	if (len > sizeof(server->init))
		len = sizeof(server->init);
	memcpy(&server->init, request->arg, len);
	memcpy(reply.data, &server->init_out, sizeof(server->init_out));
	send_reply(server, request, &reply);
	if (server->uring && raw_uring_start(server, decide))
		_exit(1);
	__atomic_store_n(&server->ready, true, __ATOMIC_RELEASE);
}

static void handle(struct raw_server *server, const struct raw_request *request)
{
	struct raw_reply reply;

	if (request->head.opcode == FUSE_INIT) {
		__atomic_add_fetch(&server->counts[FUSE_INIT], 1, __ATOMIC_SEQ_CST);
		answer_init(server, request);
	} else if (decide(server, request, &reply)) {
		send_reply(server, request, &reply);
	}
}

static void __attribute__((noreturn)) serve(struct raw_server *server)
{
	static char buf[RAW_MAX_REQUEST] __attribute__((aligned(8)));
	struct raw_request request;
	ssize_t len;

	for (;;) {
		len = read(server->dev, buf, sizeof(buf));
		if (len < 0 && (errno == EINTR || errno == ENOENT || errno == EAGAIN))
			continue;
		if (len < (ssize_t)sizeof(request.head))
			_exit(0);
		memcpy(&request.head, buf, sizeof(request.head));
		request.arg = buf + sizeof(request.head);
		request.len = len - sizeof(request.head);
		handle(server, &request);
	}
}

static int wait_ready(const struct raw_server *server)
{
	int i;

	for (i = 0; i < test_time_limit() * 500; i++) {
		if (__atomic_load_n(&server->ready, __ATOMIC_ACQUIRE))
			return 0;
		usleep(1000);
	}
	say("the kernel did not send INIT");
	return -ETIMEDOUT;
}

int raw_server_start(struct raw_server *server, int dev)
{
	pid_t pid;

	if (!server)
		return -ENOMEM;

	server->dev = dev;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(server);
	}
	/* Not straight from fork(): the child shares the memory */
	server->pid = pid;
	return wait_ready(server);
}

void raw_server_kill(struct raw_server *server)
{
	if (server->pid <= 0)
		return;
	kill(server->pid, SIGKILL);
	waitpid(server->pid, NULL, 0);
	server->pid = 0;
}

void raw_server_free(struct raw_server *server)
{
	if (!server)
		return;
	raw_server_kill(server);
	munmap(server, sizeof(*server));
}

unsigned int raw_server_total(const struct raw_server *server)
{
	unsigned int op, total = 0;

	for (op = 0; op < RAW_MAX_OPS; op++)
		total += __atomic_load_n(&server->counts[op], __ATOMIC_SEQ_CST);
	return total - server->counts[FUSE_INIT];
}

struct raw_reply *raw_reply_add(struct raw_server *server, __u32 opcode, __u64 nodeid,
				const char *name, const void *data, size_t len)
{
	struct raw_reply *reply = &server->replies[server->nr];

	if (server->nr == RAW_MAX_REPLIES || len > RAW_MAX_DATA) {
		say("an answer too many, or one too long");
		abort();
	}
	*reply = (struct raw_reply){ .opcode = opcode, .nodeid = nodeid, .len = len };
	if (name)
		strncpy(reply->name, name, sizeof(reply->name) - 1);
	if (len)
		memcpy(reply->data, data, len);
	__atomic_add_fetch(&server->nr, 1, __ATOMIC_SEQ_CST);
	return reply;
}

struct raw_reply *raw_reply_error(struct raw_server *server, __u32 opcode, __u64 nodeid,
				  const char *name, int error)
{
	struct raw_reply *reply = raw_reply_add(server, opcode, nodeid, name, NULL, 0);

	reply->error = error;
	return reply;
}

struct fuse_attr raw_attr(__u64 nodeid, mode_t mode, size_t size)
{
	return (struct fuse_attr){
		.ino = nodeid,
		.size = size,
		.blocks = (size + 511) / 512,
		.mode = mode,
		.nlink = 1,
		.blksize = 4096,
	};
}

static void serve_node(struct raw_server *server, __u64 parent, const char *name, __u64 nodeid,
		       struct fuse_attr attr)
{
	const struct fuse_entry_out entry = { .nodeid = nodeid, .generation = 1, .attr = attr };
	const struct fuse_attr_out out = { .attr = attr };

	raw_reply_add(server, FUSE_LOOKUP, parent, name, &entry, sizeof(entry));
	raw_reply_add(server, FUSE_GETATTR, nodeid, NULL, &out, sizeof(out));
}

void raw_serve_file(struct raw_server *server, __u64 parent, const char *name, __u64 nodeid,
		    const char *text)
{
	const struct fuse_open_out open = { .fh = nodeid };

	serve_node(server, parent, name, nodeid, raw_attr(nodeid, S_IFREG | 0644, strlen(text)));
	raw_reply_add(server, FUSE_OPEN, nodeid, NULL, &open, sizeof(open));
	raw_reply_add(server, FUSE_READ, nodeid, NULL, text, strlen(text));
	raw_reply_add(server, FUSE_FLUSH, nodeid, NULL, NULL, 0);
	raw_reply_add(server, FUSE_RELEASE, nodeid, NULL, NULL, 0);
}

void raw_serve_dir(struct raw_server *server, __u64 parent, const char *name, __u64 nodeid)
{
	const struct fuse_open_out open = { .fh = nodeid };

	serve_node(server, parent, name, nodeid, raw_attr(nodeid, S_IFDIR | 0755, 0));
	raw_reply_add(server, FUSE_OPENDIR, nodeid, NULL, &open, sizeof(open));
	raw_reply_add(server, FUSE_READDIR, nodeid, NULL, NULL, 0);
	raw_reply_add(server, FUSE_RELEASEDIR, nodeid, NULL, NULL, 0);
}
