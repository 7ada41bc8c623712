// SPDX-License-Identifier: GPL-2.0-only
/*
 * libfuse-bpf: a directory that one daemon after the other serves with one call, while a
 * service manager keeps the connection.
 */
#define FUSE_USE_VERSION 317

#include <bpf/libbpf.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <limits.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backed_fixture.h"
#include "harness.h"
#include <fuse_bpf.h>

#define NAME	 "view"
#define NR_PARTS 3

/**
 * struct manager - a service manager that knows one service
 * @sock: where it is told what to keep
 * @path: of @sock
 * @names: of what it keeps, "": nothing
 * @fds: what it keeps
 */
struct manager {
	int sock;
	char path[108];
	char names[NR_PARTS][32];
	int fds[NR_PARTS];
};

/* What daemons say of what they were asked, in shared memory */
struct seen {
	int daemon;
	int opens;
	ino_t ino;
};

FIXTURE(kept)
{
	struct backed b;
	struct manager manager;
	struct seen *seen;
	pid_t pid;
};

static int manager_begin(struct manager *manager, const char *dir)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	memset(manager, 0, sizeof(*manager));
	snprintf(manager->path, sizeof(manager->path), "%s/notify", dir);
	strcpy(addr.sun_path, manager->path);
	manager->sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return bind(manager->sock, (struct sockaddr *)&addr, sizeof(addr)) ? -errno : 0;
}

static struct manager *find_part(struct manager *manager, const char *name, int *part)
{
	for (*part = 0; *part < NR_PARTS; ++*part) {
		if (!strcmp(manager->names[*part], name))
			return manager;
	}
	return NULL;
}

static void drop_part(struct manager *manager, int part)
{
	close(manager->fds[part]);
	*manager->names[part] = '\0';
}

static void keep_part(struct manager *manager, const char *name, int fd)
{
	int part;

	if (find_part(manager, name, &part))
		drop_part(manager, part);
	else if (!find_part(manager, "", &part))
		return;
	strcpy(manager->names[part], name);
	manager->fds[part] = fd;
}

/* One message: 1, or 0 if there is none */
static int manager_take(struct manager *manager)
{
	union { struct cmsghdr head; char room[CMSG_SPACE(sizeof(int))]; } control;
	char text[320] = "", what[32], name[32];
	struct iovec iov = { text, sizeof(text) - 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int fd = -1, part;

	if (recvmsg(manager->sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
		return 0;
	if (CMSG_FIRSTHDR(&msg))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	if (sscanf(text, "%31[A-Z]=1\nFDNAME=%31[^\n]", what, name) != 2)
		return 1;
	if (!strcmp(what, "FDSTORE"))
		keep_part(manager, name, fd);
	else if (find_part(manager, name, &part))
		drop_part(manager, part);
	return 1;
}

static int manager_parts(struct manager *manager)
{
	int i, nr = 0;

	while (manager_take(manager))
		;
	for (i = 0; i < NR_PARTS; i++)
		nr += !!*manager->names[i];
	return nr;
}

/* In the process that is to be the daemon: what the manager hands to it */
static void hand_over(const struct manager *manager)
{
	char names[NR_PARTS * 33] = "", number[16];
	int fds[NR_PARTS], nr = 0, i;

	for (i = 0; i < NR_PARTS; i++) {
		if (!*manager->names[i])
			continue;
		fds[nr++] = fcntl(manager->fds[i], F_DUPFD_CLOEXEC, 100);
		sprintf(names + strlen(names), "%s%s", *names ? ":" : "", manager->names[i]);
	}
	for (i = 0; i < nr; i++)
		dup2(fds[i], 3 + i);
	setenv("NOTIFY_SOCKET", manager->path, 1);
	snprintf(number, sizeof(number), "%d", nr);
	setenv("LISTEN_FDS", number, 1);
	snprintf(number, sizeof(number), "%d", getpid());
	setenv("LISTEN_PID", number, 1);
	setenv("LISTEN_FDNAMES", names, 1);
}

static int this_daemon;

static int open_pre(const struct fuse_bpf_ask *ask, void *arg)
{
	struct seen *seen = arg;
	struct stat st;

	seen->daemon = this_daemon;
	seen->opens++;
	seen->ino = fstat(ask->node_fd, &st) ? 0 : st.st_ino;
	return FUSE_FILTER_BACKING;
}

static int unlink_pre(const struct fuse_bpf_ask *ask, void *arg)
{
	(void)ask;
	(void)arg;
	return -EPERM;
}

static const struct fuse_bpf_handler open_handlers[] = {
	{ .opcode = FUSE_OPEN, .pre = open_pre },
	{ }
};

static const struct fuse_bpf_handler unlink_handlers[] = {
	{ .opcode = FUSE_UNLINK, .pre = unlink_pre },
	{ }
};

static pid_t start(struct manager *manager, const char *back, const char *mnt,
		   const struct fuse_bpf_serve_opts *opts, int nr)
{
	pid_t pid;

	manager_parts(manager);
	pid = fork();
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	hand_over(manager);
	this_daemon = nr;
	_exit(-fuse_bpf_serve(back, mnt, opts));
}

static void wait_for_parts(struct manager *manager, int nr)
{
	int i;

	for (i = 0; i < 6000 && manager_parts(manager) != nr; i++)
		usleep(10000);
}

static int result_of(pid_t *pid)
{
	int status;

	if (waitpid(*pid, &status, 0) != *pid)
		return -ECHILD;
	*pid = 0;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

static int open_once(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* The next daemon has attached its filter when EIO is over */
static int open_at_last(const char *path)
{
	int i, err = -EIO;

	for (i = 0; i < 6000 && err == -EIO; i++) {
		err = open_once(path);
		if (err)
			usleep(10000);
	}
	return err;
}

static bool is_there(const char *path)
{
	return !sh("grep -q ' %s ' /proc/self/mountinfo", path);
}

static struct fuse_bpf_serve_opts options(const struct fuse_bpf_handler *handlers, void *arg)
{
	FUSE_BPF_OPTS(fuse_bpf_serve_opts, opts, .keep = NAME, .handlers = handlers, .arg = arg,
		      .flags = FUSE_BPF_SERVE_SIGNALS,
		      .mount_flags = FUSE_BPF_MOUNT_ALLOW_OTHER);

	return opts;
}

FIXTURE_SETUP(kept)
{
	struct backed *b = &self->b;
	struct fuse_bpf_serve_opts opts;
	int i;

	setenv("FUSE_BPF_FILTER_DIR", "build/bpf", 1);
	fuse_bpf_set_log(NULL, NULL);
	libbpf_set_print(NULL);
	ASSERT_EQ(0, backed_make(b, "tmpfs"));
	ASSERT_EQ(0, make_dir(in(b->back, "dir"), 0755));
	ASSERT_EQ(0, make_file(in(b->back, "dir/file"), "text", 0644));
	ASSERT_EQ(0, make_file(in(b->back, "dir/other"), "text", 0644));
	self->seen = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_EQ(0, manager_begin(&self->manager, b->top));
	opts = options(open_handlers, self->seen);
	self->pid = start(&self->manager, b->back, b->mnt, &opts, 1);
	wait_for_parts(&self->manager, NR_PARTS);
	for (i = 0; i < 6000 && !is_there(b->mnt); i++)
		usleep(10000);
	ASSERT_EQ(0, open_once(in(b->mnt, "dir/file")));
	ASSERT_EQ(1, self->seen->daemon);
}

FIXTURE_TEARDOWN(kept)
{
	int i;

	EXPECT_EQ(0, RES(umount2(self->b.mnt, MNT_DETACH)));
	if (self->pid > 0) {
		kill(self->pid, SIGKILL);
		waitpid(self->pid, NULL, 0);
	}
	manager_parts(&self->manager);
	for (i = 0; i < NR_PARTS; i++) {
		if (*self->manager.names[i])
			drop_part(&self->manager, i);
	}
	close(self->manager.sock);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

static void kill_it(pid_t *pid)
{
	kill(*pid, SIGKILL);
	waitpid(*pid, NULL, 0);
	*pid = 0;
}

/* The kernel goes on with node ids of the daemon before, also of what has no name any more */
TEST_F(kept, the_next_one_knows_the_nodes)
{
	struct fuse_bpf_serve_opts opts = options(open_handlers, self->seen);
	struct backed *b = &self->b;
	ino_t file = ino_of(in(b->back, "dir/file")), other = ino_of(in(b->back, "dir/other"));
	int fd;

	fd = open(in(b->mnt, "dir/other"), O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, RES(unlink(in(b->mnt, "dir/other"))));
	kill_it(&self->pid);
	/* Of a filter that has an opinion on everything, everything is refused meanwhile */
	EXPECT_EQ(-EIO, open_once(in(b->mnt, "dir/file")));
	EXPECT_EQ(-EIO, RES(access(in(b->mnt, "dir/file"), F_OK)));

	self->pid = start(&self->manager, b->back, b->mnt, &opts, 2);
	ASSERT_EQ(0, open_at_last(in(b->mnt, "dir/file")));
	EXPECT_EQ(2, self->seen->daemon);
	EXPECT_EQ(file, self->seen->ino);
	EXPECT_EQ(0, open_once(in("/proc/self/fd", "%d", fd)));
	EXPECT_EQ(other, self->seen->ino);
	close(fd);
	/* And once more, with what the second one has named */
	ASSERT_EQ(0, make_file(in(b->mnt, "dir/new"), "new", 0644));
	ASSERT_EQ(0, open_once(in(b->mnt, "dir/new")));
	kill_it(&self->pid);
	self->pid = start(&self->manager, b->back, b->mnt, &opts, 3);
	ASSERT_EQ(0, open_at_last(in(b->mnt, "dir/new")));
	EXPECT_EQ(3, self->seen->daemon);
	EXPECT_EQ(ino_of(in(b->back, "dir/new")), self->seen->ino);
}

/* One that asks about something else; the filter of the one before does not stay */
TEST_F(kept, with_other_options)
{
	struct fuse_bpf_serve_opts opts = options(unlink_handlers, self->seen);
	struct fuse_filter_info info[4];
	struct backed *b = &self->b;
	int dir, opens;

	kill_it(&self->pid);
	opts.flags |= FUSE_BPF_SERVE_MULTITHREAD;
	opts.ask_threads = 2;
	self->pid = start(&self->manager, b->back, b->mnt, &opts, 2);
	opens = self->seen->opens;
	ASSERT_EQ(0, open_at_last(in(b->mnt, "dir/file")));
	EXPECT_EQ(opens, self->seen->opens);
	EXPECT_EQ(-EPERM, RES(unlink(in(b->mnt, "dir/file"))));
	dir = open(b->mnt, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	EXPECT_EQ(1, fuse_bpf_list(dir, info, 4));
	EXPECT_EQ(0, info[0].flags & FUSE_FILTER_DEAD);
	close(dir);
	kill_it(&self->pid);
	/* One without filter and handlers opens all */
	opts = options(NULL, NULL);
	self->pid = start(&self->manager, b->back, b->mnt, &opts, 3);
	ASSERT_EQ(0, open_at_last(in(b->mnt, "dir/file")));
	EXPECT_EQ(0, RES(unlink(in(b->mnt, "dir/file"))));
}

TEST_F(kept, while_the_one_before_is_there)
{
	struct fuse_bpf_serve_opts opts = options(open_handlers, self->seen);
	struct backed *b = &self->b;
	pid_t pid = start(&self->manager, b->back, b->mnt, &opts, 2);

	EXPECT_EQ(-EBUSY, result_of(&pid));
	EXPECT_EQ(0, open_once(in(b->mnt, "dir/file")));
	EXPECT_EQ(1, self->seen->daemon);
}

TEST_F(kept, not_by_one_of_another_directory)
{
	struct fuse_bpf_serve_opts opts = options(open_handlers, self->seen);
	struct backed *b = &self->b;

	kill_it(&self->pid);
	self->pid = start(&self->manager, in(b->back, "dir"), b->mnt, &opts, 2);
	EXPECT_EQ(-EINVAL, result_of(&self->pid));
	EXPECT_EQ(-EIO, open_once(in(b->mnt, "dir/file")));
	self->pid = start(&self->manager, b->back, b->mnt, &opts, 3);
	EXPECT_EQ(0, open_at_last(in(b->mnt, "dir/file")));
}

/* A signal is for the daemon and not for the mount; what is unmounted is not kept */
TEST_F(kept, after_a_signal)
{
	struct fuse_bpf_serve_opts opts = options(open_handlers, self->seen);
	struct backed *b = &self->b;

	ASSERT_EQ(0, kill(self->pid, SIGTERM));
	EXPECT_EQ(0, result_of(&self->pid));
	EXPECT_EQ(NR_PARTS, manager_parts(&self->manager));
	ASSERT_TRUE(is_there(b->mnt));
	self->pid = start(&self->manager, b->back, b->mnt, &opts, 2);
	ASSERT_EQ(0, open_at_last(in(b->mnt, "dir/file")));
	ASSERT_EQ(0, RES(umount(b->mnt)));
	EXPECT_EQ(0, result_of(&self->pid));
	EXPECT_EQ(0, manager_parts(&self->manager));
	/* For the next one, there is nothing to take over */
	self->pid = start(&self->manager, b->back, b->mnt, &opts, 3);
	wait_for_parts(&self->manager, NR_PARTS);
	while (!is_there(b->mnt))
		usleep(10000);
	EXPECT_EQ(0, open_once(in(b->mnt, "dir/file")));
	EXPECT_EQ(3, self->seen->daemon);
}

/* Nobody answers INIT for the second time in another way */
static void init_otherwise(void *arg, struct fuse_conn_info *conn)
{
	(void)arg;
	conn->max_write = 8192;
}

static const struct fuse_lowlevel_ops other_ops = { .init = init_otherwise };

TEST_F(kept, not_by_one_that_wants_other_features)
{
	struct fuse_bpf_serve_opts opts = options(open_handlers, self->seen);
	struct backed *b = &self->b;

	opts.ops = &other_ops;
	opts.ops_size = sizeof(other_ops);
	kill_it(&self->pid);
	self->pid = start(&self->manager, b->back, b->mnt, &opts, 2);
	EXPECT_EQ(-EPROTO, result_of(&self->pid));
	EXPECT_TRUE(is_there(b->mnt));
	EXPECT_EQ(-EIO, open_once(in(b->mnt, "dir/file")));
	opts = options(open_handlers, self->seen);
	self->pid = start(&self->manager, b->back, b->mnt, &opts, 3);
	EXPECT_EQ(0, open_at_last(in(b->mnt, "dir/file")));
}

TEST_HARNESS_MAIN
