// SPDX-License-Identifier: GPL-2.0-only
/*
 * libfuse-bpf: a directory that is served with one call, and a daemon that another one
 * takes over from.
 */
#define FUSE_USE_VERSION 317

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backed_fixture.h"
#include "filter_fixture.h"
#include "harness.h"
#include "../progs/scripted.h"
#include <fuse_bpf.h>

#define BAD_FILTER "build/bpf/fail/write_ctx.bpf.o"

FIXTURE(serve)
{
	struct backed b;
	char path[PATH_MAX];
	pid_t pid;
};

FIXTURE_SETUP(serve)
{
	fuse_bpf_set_log(NULL, NULL);
	libbpf_set_print(NULL);
	ASSERT_EQ(0, backed_make(&self->b, "tmpfs"));
	ASSERT_EQ(0, make_file(in(self->b.back, "file"), "text", 0644));
	ASSERT_EQ(0, filter_path(self->path, sizeof(self->path), "scripted"));
}

FIXTURE_TEARDOWN(serve)
{
	umount2(self->b.mnt, MNT_DETACH);
	if (self->pid > 0)
		waitpid(self->pid, NULL, 0);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

static bool is_mounted(const char *path)
{
	char line[512], point[128];
	FILE *file = fopen("/proc/self/mountinfo", "re");
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file))
		found = sscanf(line, "%*s %*s %*s %*s %127s", point) == 1 && !strcmp(point, path);
	if (file)
		fclose(file);
	return found;
}

/* fuse_bpf_serve() in a child; returns when the mount is there, or -ECHILD: it has ended */
static int serve_in_child(struct backed *b, pid_t *pid, const struct fuse_bpf_serve_opts *opts)
{
	siginfo_t info = { };
	int i;

	*pid = fork();
	if (!*pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(-fuse_bpf_serve(b->back, b->mnt, opts));
	}
	for (i = 0; *pid > 0 && i < 6000; i++) {
		if (is_mounted(b->mnt))
			return 0;
		if (!waitid(P_PID, *pid, &info, WEXITED | WNOHANG | WNOWAIT) && info.si_pid)
			return -ECHILD;
		usleep(10000);
	}
	return *pid < 0 ? -EAGAIN : -ETIMEDOUT;
}

/* What fuse_bpf_serve() has returned in the child */
static int result_of(pid_t *pid)
{
	int status;

	if (waitpid(*pid, &status, 0) != *pid)
		return -ECHILD;
	*pid = 0;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

TEST_F(serve, until_it_is_unmounted)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, serve_in_child(b, &self->pid, NULL));
	EXPECT_STREQ("text", text_of(in(b->mnt, "file")));
	ASSERT_EQ(0, make_file(in(b->mnt, "new"), "made", 0644));
	EXPECT_STREQ("made", text_of(in(b->back, "new")));
	EXPECT_EQ(0, diff_tree(b->back, b->mnt));
	ASSERT_EQ(0, RES(umount(b->mnt)));
	EXPECT_EQ(0, result_of(&self->pid));
}

/* Has a process a handler for it? */
static bool catches_sigterm(pid_t pid)
{
	unsigned long long caught = 0;
	char line[256];
	FILE *file = fopen(in("/proc", "%d/status", pid), "re");

	while (file && fgets(line, sizeof(line), file) && sscanf(line, "SigCgt: %llx", &caught) != 1)
		;
	if (file)
		fclose(file);
	return caught >> (SIGTERM - 1) & 1;
}

TEST_F(serve, until_a_signal)
{
	FUSE_BPF_OPTS(fuse_bpf_serve_opts, opts,
		      .flags = FUSE_BPF_SERVE_SIGNALS | FUSE_BPF_SERVE_MULTITHREAD);
	struct backed *b = &self->b;

	ASSERT_EQ(0, serve_in_child(b, &self->pid, &opts));
	EXPECT_STREQ("text", text_of(in(b->mnt, "file")));
	/* The handler may not be there yet; without it the child is killed by the signal */
	while (!catches_sigterm(self->pid))
		usleep(10000);
	ASSERT_EQ(0, kill(self->pid, SIGTERM));
	EXPECT_EQ(0, result_of(&self->pid));
	EXPECT_FALSE(is_mounted(b->mnt));
}

static int set_rule(struct fuse_bpf_filter *filter, __u32 opcode, const char *name, int verdict)
{
	struct scripted_key key = { .opcode = opcode, .uid = SCRIPTED_ANY_UID };
	int fd = bpf_object__find_map_fd_by_name(fuse_bpf_filter_object(filter), "rules");

	snprintf(key.name, sizeof(key.name), "%s", name);
	return bpf_map_update_elem(fd, &key, &verdict, BPF_ANY);
}

TEST_F(serve, with_a_filter)
{
	struct fuse_bpf_filter *filter = fuse_bpf_filter_open(self->path);
	FUSE_BPF_OPTS(fuse_bpf_serve_opts, opts, .filter = filter);
	struct backed *b = &self->b;

	ASSERT_NE(NULL, filter);
	ASSERT_EQ(0, fuse_bpf_filter_load(filter));
	ASSERT_EQ(0, set_rule(filter, FUSE_OPEN, "", -EPIPE));
	ASSERT_EQ(0, serve_in_child(b, &self->pid, &opts));
	EXPECT_STREQ("<EPIPE>", text_of(in(b->mnt, "file")));
	fuse_bpf_filter_free(filter);
	ASSERT_EQ(0, RES(umount(b->mnt)));
	EXPECT_EQ(0, result_of(&self->pid));
}

/* The names and attributes that the daemon is asked for are those of the backing. */
TEST_F(serve, names_for_the_daemon)
{
	struct fuse_bpf_filter *filter = fuse_bpf_filter_open(self->path);
	FUSE_BPF_OPTS(fuse_bpf_serve_opts, opts, .filter = filter);
	struct backed *b = &self->b;
	struct stat st;

	ASSERT_NE(NULL, filter);
	ASSERT_EQ(0, fuse_bpf_filter_load(filter));
	ASSERT_EQ(0, set_rule(filter, FUSE_LOOKUP, "file", FUSE_FILTER_DAEMON));
	ASSERT_EQ(0, set_rule(filter, FUSE_LOOKUP, "none", FUSE_FILTER_DAEMON));
	ASSERT_EQ(0, serve_in_child(b, &self->pid, &opts));
	ASSERT_EQ(0, RES(stat(in(b->mnt, "file"), &st)));
	EXPECT_EQ(4, st.st_size);
	EXPECT_EQ(-ENOENT, RES(stat(in(b->mnt, "none"), &st)));
	fuse_bpf_filter_free(filter);
	ASSERT_EQ(0, RES(umount(b->mnt)));
	EXPECT_EQ(0, result_of(&self->pid));
}

/**
 * struct asked - what handlers saw, in memory that the child shares
 * @lookups: before
 * @results: afterwards, of those that found nothing
 * @opens: before
 * @ino: inode number by the descriptor of the last node that was opened
 * @name: the last one that was looked up
 * @dir_ino: inode number of the directory where that was
 */
struct asked {
	int lookups;
	int results;
	int opens;
	ino_t ino;
	char name[32];
	ino_t dir_ino;
};

static int lookup_pre(const struct fuse_bpf_ask *ask, void *arg)
{
	struct asked *asked = arg;
	struct stat st;

	__atomic_add_fetch(&asked->lookups, 1, __ATOMIC_SEQ_CST);
	snprintf(asked->name, sizeof(asked->name), "%s", ask->name);
	if (!fstat(ask->node_fd, &st))
		asked->dir_ino = st.st_ino;
	return strcmp(ask->name, "secret") ? FUSE_FILTER_DEFAULT : -EXDEV;
}

static int lookup_post(const struct fuse_bpf_ask *ask, void *arg)
{
	struct asked *asked = arg;

	if (ask->result != -ENOENT)
		return 0;
	__atomic_add_fetch(&asked->results, 1, __ATOMIC_SEQ_CST);
	return -EMLINK;
}

static int open_pre(const struct fuse_bpf_ask *ask, void *arg)
{
	struct asked *asked = arg;
	struct stat st;

	__atomic_add_fetch(&asked->opens, 1, __ATOMIC_SEQ_CST);
	if (!fstat(ask->node_fd, &st))
		asked->ino = st.st_ino;
	return ask->uid == USER1 ? -EPERM : FUSE_FILTER_BACKING;
}

static const struct fuse_bpf_handler asked_handlers[] = {
	{ .opcode = FUSE_LOOKUP, .pre = lookup_pre, .post = lookup_post },
	{ .opcode = FUSE_OPEN, .pre = open_pre },
	{ }
};

FIXTURE_VARIANT(asked)
{
	__u32 flags;
	__u32 threads;
};

FIXTURE(asked)
{
	struct backed b;
	struct fuse_bpf_filter *filter;
	struct asked *seen;
	pid_t pid;
};

FIXTURE_VARIANT_ADD(asked, one_thread) { };
FIXTURE_VARIANT_ADD(asked, many_threads) { .flags = FUSE_BPF_SERVE_MULTITHREAD };
FIXTURE_VARIANT_ADD(asked, threads_of_their_own) {
	.flags = FUSE_BPF_SERVE_MULTITHREAD, .threads = 3,
};

FIXTURE_SETUP(asked)
{
	FUSE_BPF_OPTS(fuse_bpf_serve_opts, opts, .handlers = asked_handlers,
		      .flags = variant->flags, .ask_threads = variant->threads,
		      .mount_flags = FUSE_BPF_MOUNT_ALLOW_OTHER);
	struct backed *b = &self->b;
	char path[PATH_MAX];
	int i;

	fuse_bpf_set_log(NULL, NULL);
	libbpf_set_print(NULL);
	ASSERT_EQ(0, backed_make(b, "tmpfs"));
	ASSERT_EQ(0, make_dir(in(b->back, "dir"), 0755));
	ASSERT_EQ(0, make_file(in(b->back, "dir/file"), "text", 0644));
	ASSERT_EQ(0, make_file(in(b->back, "dir/secret"), "secret", 0644));
	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, make_file(in(b->back, "dir/file%d", i), "text", 0644));
	ASSERT_EQ(0, filter_path(path, sizeof(path), "scripted"));
	self->filter = fuse_bpf_filter_open(path);
	ASSERT_NE(NULL, self->filter);
	ASSERT_EQ(0, fuse_bpf_filter_load(self->filter));
	self->seen = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	opts.arg = self->seen;
	opts.filter = self->filter;
	ASSERT_EQ(0, serve_in_child(b, &self->pid, &opts));
}

FIXTURE_TEARDOWN(asked)
{
	fuse_bpf_filter_free(self->filter);
	EXPECT_EQ(0, RES(umount2(self->b.mnt, MNT_DETACH)));
	EXPECT_EQ(0, result_of(&self->pid));
	EXPECT_EQ(0, backed_destroy(&self->b));
}

TEST_F(asked, before)
{
	struct backed *b = &self->b;
	struct stat st;

	ASSERT_EQ(0, set_rule(self->filter, FUSE_LOOKUP, "secret", FUSE_FILTER_ASK_PRE));
	ASSERT_EQ(0, set_rule(self->filter, FUSE_LOOKUP, "file", FUSE_FILTER_ASK_PRE));
	EXPECT_STREQ("text", text_of(in(b->mnt, "dir/file1")));
	EXPECT_EQ(0, self->seen->lookups);
	EXPECT_STREQ("text", text_of(in(b->mnt, "dir/file")));
	EXPECT_LE(1, self->seen->lookups);
	EXPECT_STREQ("file", self->seen->name);
	EXPECT_EQ(ino_of(in(b->back, "dir")), self->seen->dir_ino);
	EXPECT_EQ(-EXDEV, RES(stat(in(b->mnt, "dir/secret"), &st)));
	EXPECT_STREQ("secret", self->seen->name);
}

TEST_F(asked, afterwards)
{
	struct backed *b = &self->b;
	struct stat st;

	ASSERT_EQ(0, set_rule(self->filter, FUSE_LOOKUP, "none", FUSE_FILTER_ASK_POST));
	ASSERT_EQ(0, set_rule(self->filter, FUSE_LOOKUP, "file", FUSE_FILTER_ASK_POST));
	EXPECT_EQ(-EMLINK, RES(stat(in(b->mnt, "dir/none"), &st)));
	EXPECT_EQ(1, self->seen->results);
	EXPECT_EQ(0, RES(stat(in(b->mnt, "dir/file"), &st)));
	EXPECT_EQ(-ENOENT, RES(stat(in(b->mnt, "dir/other"), &st)));
	EXPECT_EQ(1, self->seen->results);
	EXPECT_EQ(0, self->seen->lookups);
}

TEST_F(asked, about_an_inode)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, set_rule(self->filter, FUSE_OPEN, "", FUSE_FILTER_ASK_PRE));
	EXPECT_STREQ("text", text_of(in(b->mnt, "dir/file3")));
	EXPECT_EQ(ino_of(in(b->back, "dir/file3")), self->seen->ino);
	EXPECT_EQ(-EPERM, user_open(USER1, in(b->mnt, "dir/file4"), O_RDONLY));
	EXPECT_EQ(ino_of(in(b->back, "dir/file4")), self->seen->ino);
	EXPECT_EQ(0, user_open(USER2, in(b->mnt, "dir/file4"), O_RDONLY));
	EXPECT_EQ(3, self->seen->opens);
}

static int open_again_and_again(void *arg)
{
	unsigned int i;
	int fd;

	for (i = 0; i < scale(50); i++) {
		fd = open(in(arg, "dir/file%u", i % 8), O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		close(fd);
	}
	return 0;
}

TEST_F(asked, by_many)
{
	pid_t pids[4];
	int i, status;

	ASSERT_EQ(0, set_rule(self->filter, FUSE_OPEN, "", FUSE_FILTER_ASK_PRE));
	for (i = 0; i < 4; i++) {
		pids[i] = fork();
		if (!pids[i])
			_exit(-open_again_and_again(self->b.mnt));
	}
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(pids[i], waitpid(pids[i], &status, 0));
		EXPECT_EQ(0, status);
	}
	EXPECT_EQ(4 * scale(50), self->seen->opens);
}

static int all_pre(const struct fuse_bpf_ask *ask, void *arg)
{
	struct asked *asked = arg;

	if (ask->opcode == FUSE_LOOKUP)
		snprintf(asked->name, sizeof(asked->name), "%s", ask->name);
	else if (ask->opcode == FUSE_MKDIR)
		return -EPIPE;
	return FUSE_FILTER_DEFAULT;
}

/* Whoever has handlers and brings no filter has those asked, and no others. */
TEST_F(serve, handlers_only)
{
	static const struct fuse_bpf_handler table[] = {
		{ .opcode = FUSE_OPEN, .pre = open_pre },
		{ .opcode = FUSE_BPF_ALL_OPS, .pre = all_pre },
		{ }
	};
	FUSE_BPF_OPTS(fuse_bpf_serve_opts, opts, .handlers = table);
	struct backed *b = &self->b;
	struct asked *seen;

	seen = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	opts.arg = seen;
	setenv("FUSE_BPF_FILTER_DIR", "build/bpf", 1);
	ASSERT_EQ(0, serve_in_child(b, &self->pid, &opts));
	EXPECT_STREQ("text", text_of(in(b->mnt, "file")));
	EXPECT_STREQ("file", seen->name);
	EXPECT_EQ(1, seen->opens);
	EXPECT_EQ(-EPIPE, RES(mkdir(in(b->mnt, "dir"), 0700)));
	ASSERT_EQ(0, RES(umount(b->mnt)));
	EXPECT_EQ(0, result_of(&self->pid));
}

TEST_F(serve, handlers_for_what_nobody_is_asked_about)
{
	static const struct fuse_bpf_handler table[] = {
		{ .opcode = FUSE_READ, .pre = all_pre }, { }
	};
	FUSE_BPF_OPTS(fuse_bpf_serve_opts, opts, .handlers = table);

	setenv("FUSE_BPF_FILTER_DIR", "build/bpf", 1);
	EXPECT_EQ(-EINVAL, fuse_bpf_serve(self->b.back, self->b.mnt, &opts));
	setenv("FUSE_BPF_FILTER_DIR", "/no/such/directory", 1);
	EXPECT_EQ(-ENOENT, fuse_bpf_serve(self->b.back, self->b.mnt, &opts));
	EXPECT_FALSE(is_mounted(self->b.mnt));
}

TEST_F(serve, not_at_all_without_its_filter)
{
	FUSE_BPF_OPTS(fuse_bpf_serve_opts, opts, .filter_path = BAD_FILTER);
	struct backed *b = &self->b;

	EXPECT_EQ(-ECHILD, serve_in_child(b, &self->pid, &opts));
	EXPECT_GT(0, result_of(&self->pid));
	EXPECT_FALSE(is_mounted(b->mnt));
}

TEST_F(serve, closed_without_its_filter)
{
	FUSE_BPF_OPTS(fuse_bpf_serve_opts, opts, .filter_path = BAD_FILTER,
		      .flags = FUSE_BPF_SERVE_CLOSED, .mount_flags = FUSE_BPF_MOUNT_ALLOW_OTHER);
	struct backed *b = &self->b;
	struct stat st;

	ASSERT_EQ(0, serve_in_child(b, &self->pid, &opts));
	EXPECT_STREQ("<EACCES>", text_of(in(b->mnt, "file")));
	EXPECT_EQ(-EACCES, RES(stat(in(b->mnt, "none"), &st)));
	EXPECT_EQ(-EACCES, RES(stat(b->mnt, &st)));
	EXPECT_EQ(-EACCES, RES(open(b->mnt, O_RDONLY | O_DIRECTORY)));
	EXPECT_GT(0, RES(open(in(b->mnt, "new"), O_CREAT | O_WRONLY, 0600)));
	EXPECT_GT(0, RES(mkdir(in(b->mnt, "new"), 0700)));
	EXPECT_GT(0, RES(chmod(b->mnt, 0777)));
	EXPECT_GT(0, RES(access(b->mnt, R_OK)));
	ASSERT_EQ(0, RES(umount(b->mnt)));
	EXPECT_EQ(-EKEYREJECTED, result_of(&self->pid));
}

static int look_around(int root, void *arg)
{
	int fd = openat(root, "file", O_RDONLY | O_CLOEXEC);

	(void)arg;
	if (fd < 0)
		return -EXDEV;
	close(fd);
	return -ECANCELED;
}

TEST_F(serve, not_at_all_if_ready_says_so)
{
	FUSE_BPF_OPTS(fuse_bpf_serve_opts, opts, .ready = look_around);
	struct backed *b = &self->b;

	EXPECT_EQ(-ECHILD, serve_in_child(b, &self->pid, &opts));
	EXPECT_EQ(-ECANCELED, result_of(&self->pid));
	EXPECT_FALSE(is_mounted(b->mnt));
}

TEST_F(serve, nowhere)
{
	EXPECT_EQ(-ENOENT, fuse_bpf_serve(self->b.back, in(self->b.top, "none"), NULL));
}

FIXTURE(successor)
{
	struct backed b;
	int device;
	int state;
	int pipe[2];
	pid_t pid;
};

/*
 * A daemon of one file, whose content says which daemon it is. The first daemon never
 * answers READLINK of the link, and says by a pipe that it was asked.
 */
#define FILE_INO 2
#define LINK_INO 3

static int which;
static int asked_pipe;

static void dm_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = { .attr.st_mode = S_IFREG | 0644, .ino = FILE_INO };

	(void)parent;
	if (!strcmp(name, "link")) {
		entry.ino = LINK_INO;
		entry.attr.st_mode = S_IFLNK | 0777;
	} else if (strcmp(name, "file")) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	entry.attr.st_size = entry.attr.st_nlink = 1;
	entry.attr.st_ino = entry.ino;
	fuse_reply_entry(req, &entry);
}

static void dm_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st = { .st_ino = ino, .st_nlink = 1, .st_size = 1 };

	(void)fi;
	st.st_mode = ino == FUSE_ROOT_ID ? S_IFDIR | 0755 :
		     ino == LINK_INO ? S_IFLNK | 0777 : S_IFREG | 0644;
	fuse_reply_attr(req, &st, 0);
}

static void dm_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	fi->direct_io = 1;
	fuse_reply_open(req, fi);
}

static void dm_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	const char digit = '0' + which;

	(void)ino;
	(void)fi;
	fuse_reply_buf(req, &digit, size && !off);
}

static void dm_readlink(fuse_req_t req, fuse_ino_t ino)
{
	(void)ino;
	if (which > 1)
		fuse_reply_readlink(req, "file");
	else if (write(asked_pipe, "a", 1) != 1)
		fuse_reply_err(req, EIO);
}

static const struct fuse_lowlevel_ops dm_ops = {
	.lookup = dm_lookup,
	.getattr = dm_getattr,
	.open = dm_open,
	.read = dm_read,
	.readlink = dm_readlink,
};

/* The daemon of this number reads from a device for each thread. */
#define WITH_CLONES 5

static int loop_with_clones(struct fuse_session *se)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	int err;

	fuse_loop_cfg_set_clone_fd(config, 1);
	err = fuse_session_loop_mt(se, config);
	fuse_loop_cfg_destroy(config);
	return err;
}

static int run_daemon(int device, int state, __u32 flags)
{
	FUSE_BPF_OPTS(fuse_bpf_session_opts, opts, .state_fd = state, .flags = flags);
	char *argv[] = { "successor", NULL };
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fuse_bpf_session *session;
	struct fuse_session *se;
	int err;

	se = fuse_session_new(&args, &dm_ops, sizeof(dm_ops), NULL);
	if (!se)
		return -ENOMEM;
	err = fuse_bpf_session_new(&session, se, device, &opts);
	if (err)
		return err;
	err = which == WITH_CLONES ? loop_with_clones(se) : fuse_session_loop(se);
	fuse_bpf_session_free(session);
	fuse_session_destroy(se);
	return err;
}

static pid_t start_daemon(int nr, int device, int state, int asked, __u32 flags)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	which = nr;
	asked_pipe = asked;
	_exit(-run_daemon(dup(device), state, flags));
}

FIXTURE_SETUP(successor)
{
	FUSE_BPF_OPTS(fuse_bpf_mount_opts, opts,
		      .flags = FUSE_BPF_MOUNT_PLAIN | FUSE_BPF_MOUNT_ALLOW_OTHER);

	fuse_bpf_set_log(NULL, NULL);
	ASSERT_EQ(0, backed_make(&self->b, "tmpfs"));
	ASSERT_EQ(0, fuse_bpf_mount(NULL, self->b.mnt, &self->device, &opts));
	self->state = fuse_bpf_state_new();
	ASSERT_LE(0, self->state);
	ASSERT_EQ(0, pipe(self->pipe));
	self->pid = start_daemon(1, self->device, self->state, self->pipe[1], 0);
	ASSERT_EQ(0, RES(access(in(self->b.mnt, "file"), F_OK)));
}

FIXTURE_TEARDOWN(successor)
{
	EXPECT_EQ(0, RES(umount2(self->b.mnt, MNT_DETACH)));
	if (self->pid > 0) {
		kill(self->pid, SIGKILL);
		waitpid(self->pid, NULL, 0);
	}
	close(self->device);
	close(self->state);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

static void kill_daemon(pid_t *pid)
{
	kill(*pid, SIGKILL);
	waitpid(*pid, NULL, 0);
	*pid = 0;
}

/* Someone waits for an answer when the daemon dies, and gets it from the next one. */
TEST_F(successor, answers_what_was_asked_before)
{
	struct backed *b = &self->b;
	char target[16] = "", byte;
	int status;
	pid_t waiter;
	int fd;

	fd = open(in(b->mnt, "file"), O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(1, pread(fd, &byte, 1, 0));
	EXPECT_EQ('1', byte);
	waiter = fork();
	if (!waiter)
		_exit(readlink(in(b->mnt, "link"), target, sizeof(target)) == 4 &&
		      !strcmp(target, "file") ? 0 : 1);
	ASSERT_EQ(1, read(self->pipe[0], &byte, 1));
	kill_daemon(&self->pid);

	self->pid = start_daemon(2, self->device, self->state, self->pipe[1],
				 FUSE_BPF_SESSION_TAKE_OVER);
	ASSERT_EQ(waiter, waitpid(waiter, &status, 0));
	EXPECT_EQ(0, status);
	/* What was open, and what is named anew */
	ASSERT_EQ(1, pread(fd, &byte, 1, 0));
	EXPECT_EQ('2', byte);
	close(fd);
	EXPECT_STREQ("2", text_of(in(b->mnt, "file")));
	kill_daemon(&self->pid);

	self->pid = start_daemon(3, self->device, self->state, self->pipe[1],
				 FUSE_BPF_SESSION_TAKE_OVER);
	EXPECT_STREQ("3", text_of(in(b->mnt, "file")));
}

/* How often a process has the device open */
static int devices_of(pid_t pid)
{
	char path[64], target[64];
	int fd, nr = 0;
	ssize_t len;

	for (fd = 0; fd < 64; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
		len = readlink(path, target, sizeof(target) - 1);
		target[len < 0 ? 0 : len] = '\0';
		nr += !strcmp(target, device_path());
	}
	return nr;
}

static int read_again_and_again(const char *path)
{
	unsigned int i;

	for (i = 0; i < scale(50); i++) {
		if (strcmp(text_of(path), "5"))
			return 1;
	}
	return 0;
}

TEST_F(successor, with_a_device_for_each_thread)
{
	pid_t pids[4];
	int i, status;

	EXPECT_EQ(2, devices_of(self->pid));
	kill_daemon(&self->pid);
	self->pid = start_daemon(WITH_CLONES, self->device, self->state, self->pipe[1],
				 FUSE_BPF_SESSION_TAKE_OVER);
	for (i = 0; i < 4; i++) {
		pids[i] = fork();
		if (!pids[i])
			_exit(read_again_and_again(in(self->b.mnt, "file")));
	}
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(pids[i], waitpid(pids[i], &status, 0));
		EXPECT_EQ(0, status);
	}
	EXPECT_LT(2, devices_of(self->pid));
}

/* Without the state, a libfuse that has never seen INIT answers nothing. */
TEST_F(successor, needs_the_state)
{
	int empty = fuse_bpf_state_new();

	kill_daemon(&self->pid);
	self->pid = start_daemon(2, self->device, empty, self->pipe[1], FUSE_BPF_SESSION_TAKE_OVER);
	EXPECT_EQ(-ENODATA, result_of(&self->pid));
	close(empty);
}

/* The device and the state are passed on by a socket, while the mount is in use. */
TEST_F(successor, gets_the_connection_by_a_socket)
{
	int device = -1, state = -1, socks[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socks));
	kill_daemon(&self->pid);
	ASSERT_EQ(0, fuse_bpf_send_connection(socks[0], self->device, self->state));
	close(self->device);
	close(self->state);
	ASSERT_EQ(0, fuse_bpf_recv_connection(socks[1], &device, &state));
	self->device = device;
	self->state = state;
	self->pid = start_daemon(4, device, state, self->pipe[1], FUSE_BPF_SESSION_TAKE_OVER);
	EXPECT_STREQ("4", text_of(in(self->b.mnt, "file")));
	close(socks[0]);
	close(socks[1]);
}

TEST_HARNESS_MAIN
