// SPDX-License-Identifier: GPL-2.0-only
/*
 * libfuse-bpf: what each function says to arguments that are wrong, and to structures of
 * programs that are older or newer than the library. Needs no mount and no privileges, so
 * that it runs with sanitizers too.
 */
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "filter_fixture.h"
#include "harness.h"
#include <fuse_bpf.h>

#define NO_FD 9999

/* The last line of the library */
static char said[1024];

static void listen_to(const char *line, void *arg)
{
	(void)arg;
	snprintf(said, sizeof(said), "%s", line);
}

static int quiet(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
	return 0;
}

FIXTURE(options)
{
	char dir[32];
	int file;
};

FIXTURE_SETUP(options)
{
	strcpy(self->dir, "/tmp/fuse-bpf-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	ASSERT_EQ(0, make_file(in(self->dir, "file"), "text", 0600));
	self->file = open(in(self->dir, "file"), O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->file);
	said[0] = '\0';
	fuse_bpf_set_log(listen_to, NULL);
	libbpf_set_print(quiet);
}

FIXTURE_TEARDOWN(options)
{
	close(self->file);
	unlink(in(self->dir, "file"));
	rmdir(self->dir);
}

TEST_F(options, no_descriptor)
{
	struct fuse_bpf_query query;
	struct fuse_op_stats stats[1];

	EXPECT_EQ(-EBADF, fuse_bpf_query(NO_FD, &query));
	EXPECT_EQ(-EBADF, fuse_bpf_stats(NO_FD, stats, 1));
	EXPECT_EQ(-EBADF, fuse_bpf_list(NO_FD, NULL, 0));
	EXPECT_EQ(-EBADF, fuse_bpf_attach(NO_FD, NO_FD, NULL, NULL));
	EXPECT_EQ(-EBADF, fuse_bpf_detach(NO_FD, 1));
	EXPECT_EQ(-EBADF, fuse_bpf_backing_open(NO_FD, NO_FD, NULL));
	EXPECT_EQ(-EBADF, fuse_bpf_backing_close(NO_FD, 1));
	EXPECT_EQ(-EBADF, fuse_bpf_for_each_backing(NO_FD, NULL, NULL));
	EXPECT_EQ(-EBADF, fuse_bpf_refusals(NO_FD, NULL, 0));
	EXPECT_EQ(-EBADF, fuse_bpf_send_connection(NO_FD, 0, 0));
}

TEST_F(options, no_fuse)
{
	struct fuse_bpf_query query;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	memset(&query, 0xff, sizeof(query));
	EXPECT_EQ(-ENOTTY, fuse_bpf_query(self->file, &query));
	EXPECT_EQ(0, query.abi);
	EXPECT_EQ(-ENOTTY, fuse_bpf_stats(self->file, NULL, 0));
	EXPECT_EQ(-ENOTTY, fuse_bpf_list(self->file, NULL, 0));
	EXPECT_EQ(-ENOTTY, fuse_bpf_attach(self->file, self->file, NULL, NULL));
	EXPECT_EQ(-ENOTTY, fuse_bpf_detach(self->file, 1));
	EXPECT_EQ(-ENOTTY, fuse_bpf_backing_open(self->file, self->file, NULL));
	EXPECT_STREQ("this is no device of a FUSE that has backings by id", said);
	EXPECT_EQ(-ENOTTY, fuse_bpf_backing_close(self->file, 1));
	EXPECT_EQ(-ENOTTY, fuse_bpf_for_each_backing(self->file, NULL, NULL));
	EXPECT_EQ(-ENOTTY, fuse_bpf_for_each_backing(null, NULL, NULL));
	EXPECT_EQ(-ENOTTY, fuse_bpf_refusals(null, NULL, 0));
	EXPECT_EQ(-ENOTTY, fuse_bpf_open_mount(self->dir));
	EXPECT_EQ(-ENOTTY, fuse_bpf_open_dir(self->dir));
	EXPECT_EQ(-ENOTDIR, fuse_bpf_open_dir(in(self->dir, "file")));
	EXPECT_EQ(-ENOENT, fuse_bpf_open_mount(in(self->dir, "none")));
	close(null);
}

/* A structure as a later version of the library may have it */
struct newer_attach_opts {
	struct fuse_bpf_attach_opts known;
	__u64 later;
};

/* The errnos tell whether the options were looked at: those are first. */
TEST_F(options, sizes)
{
	struct newer_attach_opts newer = { .known.sz = sizeof(newer) };
	struct fuse_bpf_attach_opts opts = { };

	EXPECT_EQ(-EINVAL, fuse_bpf_attach(NO_FD, NO_FD, NULL, &opts));
	EXPECT_STREQ("the size in an options structure is not set", said);
	opts.sz = sizeof(opts.sz) - 1;
	EXPECT_EQ(-EINVAL, fuse_bpf_attach(NO_FD, NO_FD, NULL, &opts));
	opts.sz = sizeof(opts.sz);
	EXPECT_EQ(-EBADF, fuse_bpf_attach(NO_FD, NO_FD, NULL, &opts));
	EXPECT_EQ(-EBADF, fuse_bpf_attach(NO_FD, NO_FD, NULL, &newer.known));
	newer.later = 1;
	EXPECT_EQ(-EINVAL, fuse_bpf_attach(NO_FD, NO_FD, NULL, &newer.known));
	EXPECT_STREQ("an option is set that this libfuse-bpf does not know", said);
}

/* What an older program has behind its structure is not read. */
TEST_F(options, older_ones_end_where_they_say)
{
	FUSE_BPF_OPTS(fuse_bpf_mount_opts, opts, .flags = 1U << 31);

	opts.sz = offsetof(struct fuse_bpf_mount_opts, flags);
	EXPECT_EQ(-ENOENT, fuse_bpf_fsmount("/no/such/directory", NULL, &opts));
	opts.sz = sizeof(opts);
	EXPECT_EQ(-EINVAL, fuse_bpf_fsmount("/no/such/directory", NULL, &opts));
	EXPECT_STREQ("unknown mount flags 0x80000000", said);
}

TEST_F(options, mounts)
{
	struct fuse_bpf_choice no_size = { };
	FUSE_BPF_OPTS(fuse_bpf_mount_opts, plain, .flags = FUSE_BPF_MOUNT_PLAIN);
	FUSE_BPF_OPTS(fuse_bpf_mount_opts, fallback, .flags = FUSE_BPF_MOUNT_FALLBACK);
	FUSE_BPF_OPTS(fuse_bpf_mount_opts, choice, .choice = &no_size);
	FUSE_BPF_OPTS(fuse_bpf_mount_opts, flavour, .flavour = 3);
	int device = -5;

	EXPECT_EQ(-EINVAL, fuse_bpf_fsmount(self->dir, &device, &plain));
	EXPECT_EQ(-EINVAL, fuse_bpf_fsmount(NULL, NULL, &plain));
	EXPECT_EQ(-EINVAL, fuse_bpf_fsmount(self->dir, NULL, &fallback));
	EXPECT_STREQ("a mount without a daemon cannot fall back to one", said);
	EXPECT_EQ(-EINVAL, fuse_bpf_fsmount(self->dir, NULL, &choice));
	EXPECT_EQ(-EINVAL, fuse_bpf_fsmount(self->dir, NULL, &flavour));
	EXPECT_EQ(-EINVAL, fuse_bpf_mount(self->dir, self->dir, &device, &plain));
	EXPECT_EQ(-ENOTDIR, fuse_bpf_fsmount(in(self->dir, "file"), &device, NULL));
	EXPECT_EQ(-ENOENT, fuse_bpf_fsmount(in(self->dir, "none"), &device, NULL));
	EXPECT_EQ(-5, device);
}

TEST_F(options, flavours)
{
	enum fuse_bpf_flavour found;

	EXPECT_EQ(-EINVAL, fuse_bpf_open_device(3, &found));
	EXPECT_EQ(-EINVAL, fuse_bpf_open_device(-1, NULL));
	EXPECT_EQ(NULL, fuse_bpf_fs_type(FUSE_BPF_ANY));
	EXPECT_EQ(NULL, fuse_bpf_fs_type(3));
	EXPECT_EQ(NULL, fuse_bpf_device_path(-1));
	EXPECT_STREQ("fuse_bpf", fuse_bpf_fs_type(FUSE_BPF_MODULE));
	EXPECT_STREQ("/dev/fuse", fuse_bpf_device_path(FUSE_BPF_BUILTIN));
}

struct newer_choice {
	struct fuse_bpf_choice known;
	char later[16];
};

/* Whatever there is on this machine, what is said of it is whole. */
TEST_F(options, choices)
{
	FUSE_BPF_OPTS(fuse_bpf_choice, choice);
	struct fuse_bpf_choice no_size = { };
	struct newer_choice newer;
	int fd, i;

	EXPECT_EQ(-EINVAL, fuse_bpf_choose_device(FUSE_BPF_ANY, 0, &no_size));
	EXPECT_EQ(-EINVAL, fuse_bpf_choose_device(3, 1, &choice));
	EXPECT_STREQ("there is no such flavour of FUSE", choice.why);
	EXPECT_EQ(sizeof(choice), choice.sz);
	for (i = 0; i < 2; i++) {
		fd = fuse_bpf_choose_device(FUSE_BPF_ANY, i, &choice);
		EXPECT_NE('\0', choice.why[0]);
		EXPECT_EQ(fd >= 0, choice.path != NULL);
		EXPECT_EQ(fd >= 0, choice.flavour != FUSE_BPF_ANY);
		EXPECT_EQ(fd >= 0 && !choice.plain, choice.query.abi != 0);
		EXPECT_EQ(fd < 0, choice.errs[FUSE_BPF_BUILTIN] && choice.errs[FUSE_BPF_MODULE] &&
				  choice.flavour == FUSE_BPF_ANY);
		if (fd >= 0)
			close(fd);
	}
	/* Bytes behind what an older program has stay; those of a newer one are zero. */
	memset(&newer, 0xff, sizeof(newer));
	newer.known.sz = offsetof(struct fuse_bpf_choice, plain);
	fuse_bpf_choose_device(3, 0, &newer.known);
	EXPECT_EQ(~0U, newer.known.plain);
	memset(&newer, 0xff, sizeof(newer));
	newer.known.sz = sizeof(newer);
	fuse_bpf_choose_device(3, 0, &newer.known);
	EXPECT_EQ(sizeof(newer), newer.known.sz);
	EXPECT_EQ(0, newer.later[0]);
	EXPECT_EQ(0, newer.later[15]);
	EXPECT_EQ(-EINVAL, fuse_bpf_choose_device(3, 0, NULL));
}

TEST_F(options, opcodes)
{
	EXPECT_STREQ("LOOKUP", fuse_bpf_opcode_name(FUSE_LOOKUP));
	EXPECT_EQ(NULL, fuse_bpf_opcode_name(0));
	EXPECT_EQ(NULL, fuse_bpf_opcode_name(7));
	EXPECT_EQ(NULL, fuse_bpf_opcode_name(UINT_MAX));
	EXPECT_EQ(1, fuse_bpf_op_isset((const __u64[]){ 0, 1ULL << 63 }, 127));
	EXPECT_EQ(0, fuse_bpf_op_isset((const __u64[]){ ~0ULL, ~0ULL }, 128));
}

TEST_F(options, replies)
{
	const struct fuse_entry_backing_out backing = { .backing_id = 3, .tag = 9 };
	const struct stat st = { .st_mode = S_IFREG, .st_size = 5 };
	FUSE_BPF_OPTS(fuse_bpf_entry, entry, .nodeid = 2, .attr = &st, .entry_timeout = 1.5,
		      .attr_timeout = -1);
	char buf[FUSE_BPF_REPLY_SIZE];
	struct fuse_entry_out *out = (struct fuse_entry_out *)buf;
	const size_t len = sizeof(*out), part = sizeof(backing);

	EXPECT_EQ(-EINVAL, fuse_bpf_build_reply(buf, sizeof(buf) - 1, &entry, NULL));
	EXPECT_EQ(-EINVAL, fuse_bpf_build_reply(buf, sizeof(buf), NULL, NULL));
	EXPECT_EQ(len, fuse_bpf_build_reply(buf, sizeof(buf), &entry, NULL));
	EXPECT_EQ(1, out->entry_valid);
	EXPECT_EQ(500000000, out->entry_valid_nsec);
	EXPECT_EQ(0, out->attr_valid);
	EXPECT_EQ(len + part, fuse_bpf_build_reply(buf, sizeof(buf), &entry, &backing));
	EXPECT_EQ(0, memcmp(buf + len, &backing, part));
	entry.is_open = 1;
	entry.open_flags = FOPEN_DIRECT_IO;
	EXPECT_EQ(len + sizeof(struct fuse_open_out) + part,
		  fuse_bpf_build_reply(buf, sizeof(buf), &entry, &backing));
	EXPECT_EQ(FOPEN_DIRECT_IO, ((struct fuse_open_out *)(out + 1))->open_flags);
	entry.attr = NULL;
	EXPECT_EQ(-EINVAL, fuse_bpf_build_reply(buf, sizeof(buf), &entry, &backing));
}

/* errno for a function that returns a filter, which must return none */
#define NO_FILTER(expr)							\
({									\
	errno = 0;							\
	(expr) ? 0 : -errno;						\
})

TEST_F(options, files_that_hold_no_filter)
{
	char path[PATH_MAX];

	EXPECT_EQ(-ENOENT, NO_FILTER(fuse_bpf_filter_open(in(self->dir, "none"))));
	EXPECT_EQ(-EINVAL, NO_FILTER(fuse_bpf_filter_open(in(self->dir, "file"))));
	filter_path(path, sizeof(path), "other_type");
	EXPECT_EQ(-EINVAL, NO_FILTER(fuse_bpf_filter_open(path)));
	EXPECT_NE(NULL, strstr(said, "holds no struct fuse_filter_ops"));
	EXPECT_EQ(-ENOENT, NO_FILTER(fuse_bpf_filter_open_pinned(in(self->dir, "none"))));
	EXPECT_NE(0, NO_FILTER(fuse_bpf_filter_open_pinned(in(self->dir, "file"))));
	fuse_bpf_filter_free(NULL);
}

TEST_F(options, filters_that_are_not_loaded)
{
	struct fuse_bpf_filter *filter, *other;
	struct bpf_object *obj;
	char path[PATH_MAX];

	filter_path(path, sizeof(path), "scripted");
	filter = fuse_bpf_filter_open(path);
	ASSERT_NE(NULL, filter);
	obj = bpf_object__open_file(path, NULL);
	ASSERT_NE(NULL, obj);
	other = fuse_bpf_filter_open_object(obj);
	ASSERT_NE(NULL, other);
	EXPECT_EQ(obj, fuse_bpf_filter_object(other));
	EXPECT_NE(NULL, fuse_bpf_filter_object(filter));
	/* What is not registered has no place that another could take */
	EXPECT_EQ(-EINVAL, fuse_bpf_filter_replace(filter, other));
	fuse_bpf_filter_free(filter);
	fuse_bpf_filter_free(other);
	bpf_object__close(obj);
}

TEST_F(options, serving)
{
	FUSE_BPF_OPTS(fuse_bpf_serve_opts, flags, .flags = 1U << 31);
	FUSE_BPF_OPTS(fuse_bpf_serve_opts, mount, .mount_flags = FUSE_BPF_MOUNT_PLAIN);
	FUSE_BPF_OPTS(fuse_bpf_serve_opts, reserved, .reserved = 1);
	FUSE_BPF_OPTS(fuse_bpf_serve_opts, twice, .filter_path = "x", .filter = (void *)self);
	FUSE_BPF_OPTS(fuse_bpf_serve_opts, none, .filter_path = "/no/such/file");
	struct fuse_bpf_serve_opts no_size = { };

	EXPECT_EQ(-EINVAL, fuse_bpf_serve(self->dir, self->dir, &flags));
	EXPECT_EQ(-EINVAL, fuse_bpf_serve(self->dir, self->dir, &mount));
	EXPECT_EQ(-EINVAL, fuse_bpf_serve(self->dir, self->dir, &reserved));
	EXPECT_EQ(-EINVAL, fuse_bpf_serve(self->dir, self->dir, &twice));
	EXPECT_EQ(-EINVAL, fuse_bpf_serve(self->dir, self->dir, &no_size));
	EXPECT_EQ(-ENOENT, fuse_bpf_serve(in(self->dir, "none"), self->dir, NULL));
	EXPECT_EQ(-ENOTDIR, fuse_bpf_serve(in(self->dir, "file"), self->dir, NULL));
	EXPECT_EQ(-ENOENT, fuse_bpf_serve(self->dir, self->dir, &none));
}

FIXTURE(manager)
{
	char dir[32];
	int sock;
};

/* A service manager's socket, in a directory of its own */
FIXTURE_SETUP(manager)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	strcpy(self->dir, "/tmp/fuse-bpf-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	strcpy(addr.sun_path, in(self->dir, "notify"));
	self->sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ASSERT_EQ(0, bind(self->sock, (struct sockaddr *)&addr, sizeof(addr)));
	setenv("NOTIFY_SOCKET", addr.sun_path, 1);
}

FIXTURE_TEARDOWN(manager)
{
	close(self->sock);
	unlink(in(self->dir, "notify"));
	rmdir(self->dir);
}

/* What the manager has got: text, and a descriptor or -1 */
static int manager_got(int sock, char *text, size_t size)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { };
	struct iovec iov = { text, size - 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	ssize_t len = recvmsg(sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int fd = -1;

	text[len < 0 ? 0 : len] = '\0';
	if (CMSG_FIRSTHDR(&msg))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

TEST_F(manager, keeps_a_descriptor)
{
	char text[128], byte = 0;
	int fds[2], fd;

	ASSERT_EQ(0, pipe(fds));
	EXPECT_EQ(0, fuse_bpf_fdstore_put("device", fds[1]));
	fd = manager_got(self->sock, text, sizeof(text));
	EXPECT_STREQ("FDSTORE=1\nFDNAME=device\n", text);
	ASSERT_LE(0, fd);
	EXPECT_EQ(1, write(fd, "x", 1));
	EXPECT_EQ(1, read(fds[0], &byte, 1));
	EXPECT_EQ('x', byte);
	EXPECT_EQ(0, fuse_bpf_fdstore_remove("device"));
	EXPECT_EQ(-1, manager_got(self->sock, text, sizeof(text)));
	EXPECT_STREQ("FDSTOREREMOVE=1\nFDNAME=device\n", text);
	close(fd);
	close(fds[0]);
	close(fds[1]);
}

TEST_F(manager, refusals)
{
	char name[300];

	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	EXPECT_EQ(-EINVAL, fuse_bpf_fdstore_put("", 0));
	EXPECT_EQ(-EINVAL, fuse_bpf_fdstore_put("a:b", 0));
	EXPECT_EQ(-EINVAL, fuse_bpf_fdstore_put("a\nFDSTORE=1", 0));
	EXPECT_EQ(-EINVAL, fuse_bpf_fdstore_put(name, 0));
	EXPECT_EQ(-EBADF, fuse_bpf_fdstore_put("device", NO_FD));
	setenv("NOTIFY_SOCKET", "relative", 1);
	EXPECT_EQ(-EINVAL, fuse_bpf_fdstore_put("device", 0));
	setenv("NOTIFY_SOCKET", name, 1);
	EXPECT_EQ(-EINVAL, fuse_bpf_fdstore_put("device", 0));
	setenv("NOTIFY_SOCKET", in(self->dir, "none"), 1);
	EXPECT_EQ(-ENOENT, fuse_bpf_fdstore_put("device", 0));
	unsetenv("NOTIFY_SOCKET");
	EXPECT_EQ(-ENOENT, fuse_bpf_fdstore_put("device", 0));
}

static void set_listen(pid_t pid, const char *fds, const char *names)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	setenv("LISTEN_PID", text, 1);
	setenv("LISTEN_FDS", fds, 1);
	setenv("LISTEN_FDNAMES", names, 1);
}

TEST_F(manager, gives_back)
{
	EXPECT_EQ(-ENOENT, fuse_bpf_fdstore_get("device"));
	set_listen(getpid(), "3", "state:device:device-2");
	dup2(self->sock, 4);
	EXPECT_EQ(4, fuse_bpf_fdstore_get("device"));
	EXPECT_EQ(FD_CLOEXEC, fcntl(4, F_GETFD));
	EXPECT_EQ(-ENOENT, fuse_bpf_fdstore_get("dev"));
	EXPECT_EQ(-ENOENT, fuse_bpf_fdstore_get(""));
	set_listen(getpid(), "1", "state:device");
	EXPECT_EQ(-ENOENT, fuse_bpf_fdstore_get("device"));
	set_listen(getpid(), "9", "state");
	EXPECT_EQ(-ENOENT, fuse_bpf_fdstore_get("device"));
	set_listen(getpid(), "x", "device");
	EXPECT_EQ(-ENOENT, fuse_bpf_fdstore_get("device"));
	set_listen(getpid() + 1, "3", "state:device");
	EXPECT_EQ(-ENOENT, fuse_bpf_fdstore_get("device"));
}

FIXTURE(connection)
{
	int socks[2];
	int pipe[2];
};

FIXTURE_SETUP(connection)
{
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, self->socks));
	ASSERT_EQ(0, pipe(self->pipe));
}

FIXTURE_TEARDOWN(connection)
{
	close(self->pipe[0]);
	close(self->pipe[1]);
	close(self->socks[0]);
	close(self->socks[1]);
}

/* Descriptors below 100 that are open */
static int open_fds(void)
{
	int fd, nr = 0;

	for (fd = 0; fd < 100; fd++)
		nr += fcntl(fd, F_GETFD) >= 0;
	return nr;
}

TEST_F(connection, is_passed_on)
{
	int device = -1, state = -1;
	char byte = 0;

	EXPECT_EQ(0, fuse_bpf_send_connection(self->socks[0], self->pipe[0], self->pipe[1]));
	ASSERT_EQ(0, fuse_bpf_recv_connection(self->socks[1], &device, &state));
	EXPECT_EQ(FD_CLOEXEC, fcntl(device, F_GETFD));
	EXPECT_EQ(1, write(state, "y", 1));
	EXPECT_EQ(1, read(device, &byte, 1));
	EXPECT_EQ('y', byte);
	close(device);
	close(state);
}

static void send_what(int sock, const char *text, size_t len, const int *fds, size_t nr)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(4 * sizeof(int))];
	} control = { };
	struct iovec iov = { (void *)text, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;

	if (nr) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(nr * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(nr * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, nr * sizeof(int));
	}
	sendmsg(sock, &msg, 0);
}

/* Whatever else comes is refused, and no descriptor of it is kept. */
TEST_F(connection, garbage)
{
	const int fds[] = { self->pipe[0], self->pipe[1], self->pipe[0], self->pipe[1] };
	const int before = open_fds();
	int device = -1, state = -1;
	size_t nr;

	for (nr = 0; nr <= 4; nr++) {
		send_what(self->socks[0], nr == 2 ? "fusebpf2" : "fusebpf1", 9, fds, nr);
		EXPECT_EQ(-EPROTO, fuse_bpf_recv_connection(self->socks[1], &device, &state))
			TH_LOG("%zu descriptors", nr);
		EXPECT_EQ(before, open_fds());
	}
	send_what(self->socks[0], "fuse", 4, fds, 2);
	EXPECT_EQ(-EPROTO, fuse_bpf_recv_connection(self->socks[1], &device, &state));
	EXPECT_EQ(before, open_fds());
	EXPECT_EQ(-1, device);
	shutdown(self->socks[0], SHUT_RDWR);
	EXPECT_EQ(-ENOTCONN, fuse_bpf_recv_connection(self->socks[1], &device, &state));
	EXPECT_EQ(-EPIPE, fuse_bpf_send_connection(self->socks[0], 0, 1));
	EXPECT_EQ(-ENOTSOCK, fuse_bpf_recv_connection(self->pipe[0], &device, &state));
	EXPECT_EQ(-EBADF, fuse_bpf_recv_connection(NO_FD, &device, &state));
}

TEST_HARNESS_MAIN
