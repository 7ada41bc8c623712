// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuse-bpf record: who asks for what on a mount, and what its filters say, into a file
 * for "replay". Each request is written once for each caller and each verdict, however
 * often it comes, so that the size of the file is that of the tree and not of the time.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "decisions.h"
#include "record.skel.h"
#include "recording.h"

#define CGROUP_FS "/sys/fs/cgroup"
#define DEFAULT_LIMIT 100000
#define THREADS 4096
#define CGROUPS 64

/* struct thread - the request that a thread is making, and whether it made a file */
struct thread {
	bool busy;
	bool made;
	struct record request;
	struct record found;
	char verdict[32];
	char filter[RECORD_WORD];
};

struct cgroup {
	__u64 id;
	char path[PATH_MAX];
};

/**
 * struct recorder - a recording that is being made
 * @mountpoint: of the mount
 * @path: of the file
 * @file: the file
 * @limit: requests that may be written
 * @command: what to run meanwhile, NULL: nothing
 * @dev: device number of the mount
 * @id: of the attachment of the filter
 * @skel: the filter and its ring
 * @link: of the filter
 * @event: of the program at the trace event
 * @ring: where both put records
 * @threads: by the number of a thread, as far as there is room
 * @seen: hashes of the lines that were written; a power of two of them
 * @nr_seen: size of @seen
 * @cgroups: paths, by id, as far as there is room
 * @requests: requests written
 * @repeated: requests that were written before
 * @full: @limit was reached
 * @status: exit status of the command
 */
struct recorder {
	const char *mountpoint;
	const char *path;
	FILE *file;
	__u32 limit;
	char **command;
	dev_t dev;
	__u32 id;
	struct record_bpf *skel;
	struct bpf_link *link;
	struct bpf_link *event;
	struct ring_buffer *ring;
	struct thread *threads;
	__u64 *seen;
	size_t nr_seen;
	struct cgroup *cgroups;
	__u64 requests;
	__u64 repeated;
	bool full;
	int status;
};

static __u64 hash_of(const char *text)
{
	__u64 hash = 0xcbf29ce484222325ULL;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3ULL;
	return hash ?: 1;
}

/* Was it written before? Then true. */
static bool see(struct recorder *recorder, const char *text)
{
	__u64 hash = hash_of(text);
	size_t at = hash & (recorder->nr_seen - 1), left;

	for (left = recorder->nr_seen; left; left--) {
		if (recorder->seen[at] == hash)
			return true;
		if (!recorder->seen[at])
			break;
		at = (at + 1) & (recorder->nr_seen - 1);
	}
	if (left)
		recorder->seen[at] = hash;
	return false;
}

static const char *line_of(struct json_object *obj)
{
	return json_object_to_json_string_ext(obj, JSON_C_TO_STRING_PLAIN |
						   JSON_C_TO_STRING_NOSLASHESCAPE);
}

static void write_line(struct recorder *recorder, struct json_object *obj)
{
	fprintf(recorder->file, "%s\n", line_of(obj));
	json_object_put(obj);
}

static void write_head(struct recorder *recorder)
{
	struct json_object *obj = json_object_new_object();

	add_number(obj, "fuse_bpf_recording", RECORDING_VERSION);
	add_bytes(obj, "mountpoint", recorder->mountpoint);
	add_dev(obj, recorder->dev);
	write_line(recorder, obj);
}

static void write_end(struct recorder *recorder)
{
	struct json_object *obj = json_object_new_object();

	add_bool(obj, "end", true);
	add_number(obj, "requests", recorder->requests);
	add_number(obj, "repeated", recorder->repeated);
	add_number(obj, "lost", recorder->skel->bss->lost);
	add_bool(obj, "full", recorder->full);
	write_line(recorder, obj);
}

/* What a name stands for, which replays make a tree of */
static void write_node(struct recorder *recorder, const struct record *r)
{
	struct json_object *obj = json_object_new_object();

	add_number(obj, "node", r->nodeid);
	add_number(obj, "parent", r->parent);
	add_name(obj, "name", r->name);
	add_number(obj, "mode", r->mode & S_IFMT);
	if (see(recorder, line_of(obj)))
		json_object_put(obj);
	else
		write_line(recorder, obj);
}

/* The id is what a handle of the cgroup's directory is made of. */
static void find_cgroup(__u64 id, char *path, size_t size)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + sizeof(id)];
	} u = { .handle = { .handle_bytes = sizeof(id), .handle_type = 0xfe } };
	char link[64], text[PATH_MAX] = "";
	int top = open(CGROUP_FS, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;

	memcpy(u.handle.f_handle, &id, sizeof(id));
	fd = top < 0 ? -1 : open_by_handle_at(top, &u.handle, O_PATH | O_CLOEXEC);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	*path = '\0';
	if (fd >= 0 && readlink(link, text, sizeof(text) - 1) > 0 &&
	    !strncmp(text, CGROUP_FS, strlen(CGROUP_FS)))
		snprintf(path, size, "%s", text + strlen(CGROUP_FS) + !!text[strlen(CGROUP_FS)]);
	if (fd >= 0)
		close(fd);
	if (top >= 0)
		close(top);
}

static const char *cgroup_of(struct recorder *recorder, __u64 id)
{
	struct cgroup *cgroup = &recorder->cgroups[id % CGROUPS];

	if (cgroup->id != id) {
		find_cgroup(id, cgroup->path, sizeof(cgroup->path));
		cgroup->id = id;
	}
	return cgroup->path;
}

static struct json_object *request_json(struct recorder *recorder, const struct thread *thread)
{
	const struct record *r = &thread->request;
	struct json_object *obj = json_object_new_object();

	add_string(obj, "op", fuse_bpf_opcode_name(r->opcode) ?: "?");
	if (r->nodeid)
		add_number(obj, "node", r->nodeid);
	if (r->parent)
		add_number(obj, "parent", r->parent);
	if (r->name[0])
		add_name(obj, "name", r->name);
	if (r->newname[0]) {
		add_number(obj, "newparent", r->newparent);
		add_name(obj, "newname", r->newname);
	}
	if (thread->found.nodeid)
		add_number(obj, "found", thread->found.nodeid);
	if (r->flags)
		add_number(obj, "flags", r->flags);
	if (r->mode)
		add_number(obj, "mode", r->mode);
	add_number(obj, "uid", r->fsuid);
	add_number(obj, "gid", r->fsgid);
	add_bytes(obj, "cgroup", cgroup_of(recorder, r->cgroup));
	add_string(obj, "verdict", thread->verdict);
	add_string(obj, "filter", thread->filter[0] ? thread->filter : NULL);
	return obj;
}

static void finish(struct recorder *recorder, struct thread *thread)
{
	struct json_object *obj;

	if (!thread->busy)
		return;
	thread->busy = false;
	if (recorder->full)
		return;
	obj = request_json(recorder, thread);
	if (see(recorder, line_of(obj))) {
		recorder->repeated++;
		json_object_put(obj);
		return;
	}
	add_bytes(obj, "comm", thread->request.comm);
	write_line(recorder, obj);
	recorder->full = ++recorder->requests == recorder->limit;
}

/* A file that was made is opened next, which tells its node, long before a look-up. */
static void learn_made(struct recorder *recorder, const struct thread *thread,
		       const struct record *r)
{
	struct record node = thread->request;

	if (!thread->made || thread->request.tid != r->tid || !r->nodeid || r->name[0])
		return;
	node.nodeid = r->nodeid;
	node.mode = S_IFREG;
	write_node(recorder, &node);
}

static void begin(struct recorder *recorder, struct thread *thread, const struct record *r)
{
	learn_made(recorder, thread, r);
	finish(recorder, thread);
	memset(thread, 0, sizeof(*thread));
	thread->busy = true;
	thread->request = *r;
	strcpy(thread->verdict, "pass");
}

/* Of several filters, the first errno counts, and else that one wants the daemon */
static void judge(struct thread *thread, const struct record *r)
{
	bool daemon = !r->post && r->ret >= 0 && (r->ret & 0xff) == FUSE_FILTER_DAEMON;

	if (strcmp(thread->verdict, "pass") && strcmp(thread->verdict, "daemon"))
		return;
	if (r->ret >= 0 && !daemon)
		return;
	snprintf(thread->verdict, sizeof(thread->verdict), "%s",
		 daemon ? "daemon" : strerrorname_np(-r->ret) ?: "EIO");
	memcpy(thread->filter, r->filter, sizeof(thread->filter));
}

static int take(void *arg, void *data, size_t size)
{
	struct recorder *recorder = arg;
	const struct record *r = data;
	struct thread *thread;

	if (size < sizeof(*r))
		return 0;
	thread = &recorder->threads[r->tid % THREADS];
	if (r->kind == RECORD_REQUEST) {
		begin(recorder, thread, r);
		return 0;
	}
	if (r->kind == RECORD_NODE)
		write_node(recorder, r);
	/* A listing goes on after what is said of its entries */
	if (!thread->busy || thread->request.tid != r->tid || thread->request.opcode != r->opcode)
		return 0;
	if (r->kind == RECORD_NODE)
		thread->found = *r;
	else if (r->kind == RECORD_MADE)
		thread->made = true;
	else
		judge(thread, r);
	return 0;
}

static void report(int err)
{
	const char *lacks = kernel_lacks_ops();

	reason_clear();
	if (err == -EPERM)
		p_err(0, "recording needs CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN; run as root");
	else if (lacks)
		p_err(0, "cannot record: %s", lacks);
	else if (!kernel_has_decisions())
		p_err(0, "this kernel has no trace event fuse_filter; 'fuse-bpf doctor' says what to do");
	else
		p_err(err, "cannot record requests");
}

static int load(struct recorder *recorder)
{
	int err;

	recorder->skel = record_bpf__open();
	if (!recorder->skel)
		return -errno;
	recorder->skel->rodata->recorded_dev = decision_dev(recorder->dev);
	recorder->skel->rodata->recording_pid = getpid();
	err = record_bpf__load(recorder->skel);
	if (err)
		return err;
	recorder->ring = ring_buffer__new(bpf_map__fd(recorder->skel->maps.records), take, recorder,
					  NULL);
	if (!recorder->ring)
		return -errno;
	recorder->event = bpf_program__attach(recorder->skel->progs.record_verdict);
	if (!recorder->event)
		return -errno;
	recorder->link = bpf_map__attach_struct_ops(recorder->skel->maps.recorder);
	return recorder->link ? 0 : -errno;
}

/* Whoever was killed has left a filter without a link, which says nothing. */
static int remove_dead(int root_fd, const char *mountpoint)
{
	struct fuse_filter_info *infos;
	int nr = filters_read(root_fd, &infos), i, ret = DONE;

	if (nr < 0) {
		p_err(nr, "cannot list the filters of %s", mountpoint);
		return FAILED;
	}
	for (i = 0; !ret && i < nr; i++) {
		if (strcmp(infos[i].name, RECORDER))
			continue;
		if (infos[i].flags & FUSE_FILTER_DEAD) {
			fuse_bpf_detach(root_fd, infos[i].id);
			continue;
		}
		p_err(0, "somebody else is recording %s", mountpoint);
		ret = FAILED;
	}
	free(infos);
	return ret;
}

static int attach(struct recorder *recorder, int root_fd)
{
	FUSE_BPF_OPTS(fuse_bpf_attach_opts, opts,
		      .flags = FUSE_FILTER_BEFORE | FUSE_FILTER_FAIL_OPEN);
	int err;

	if (mount_check_backed(recorder->mountpoint, recorder->dev, "requests are recorded"))
		return FAILED;
	if (remove_dead(root_fd, recorder->mountpoint))
		return FAILED;
	err = load(recorder);
	if (!err)
		err = fuse_bpf_attach(root_fd, bpf_link__fd(recorder->link), &recorder->id, &opts);
	if (!err)
		return DONE;
	report(err);
	return FAILED;
}

/* The mount is not held meanwhile, and may be gone. */
static void detach(const struct recorder *recorder)
{
	int fd = fuse_bpf_open_dir(recorder->mountpoint);

	if (fd < 0)
		return;
	fuse_bpf_detach(fd, recorder->id);
	close(fd);
}

static pid_t run(const struct recorder *recorder)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	execvp(recorder->command[0], recorder->command);
	fprintf(stderr, "Error: cannot run %s: %s\n", recorder->command[0], strerror(errno));
	_exit(127);
}

/* A command ends in its own time, or is asked to; what it does until then is recorded. */
static int watch(struct recorder *recorder)
{
	pid_t pid = recorder->command ? run(recorder) : 0;
	bool ended = pid < 0, told = false;
	int err = pid < 0 ? -errno : 0;

	while (!err && !ended && (pid || (!stopped() && !recorder->full))) {
		err = ring_buffer__poll(recorder->ring, 100);
		err = err == -EINTR || err > 0 ? 0 : err;
		if (pid && stopped() && !told)
			told = !kill(pid, SIGTERM);
		ended = pid && waitpid(pid, &recorder->status, WNOHANG) == pid;
	}
	if (!err)
		err = ring_buffer__consume(recorder->ring);
	return err < 0 ? err : 0;
}

static int write_out(struct recorder *recorder)
{
	size_t i;
	int err;

	for (i = 0; i < THREADS; i++)
		finish(recorder, &recorder->threads[i]);
	write_end(recorder);
	err = fflush(recorder->file) || ferror(recorder->file) ? -errno : 0;
	if (!err)
		return DONE;
	p_err(err, "cannot write %s", recorder->path);
	return FAILED;
}

static void show(const struct recorder *recorder)
{
	struct json_object *obj = json_object_new_object();
	__u64 lost = recorder->skel->bss->lost;

	add_number(obj, "requests", recorder->requests);
	add_number(obj, "repeated", recorder->repeated);
	add_number(obj, "lost", lost);
	add_bool(obj, "full", recorder->full);
	if (recorder->command)
		add_number(obj, "command_status", WIFEXITED(recorder->status) ?
			   WEXITSTATUS(recorder->status) : 128 + WTERMSIG(recorder->status));
	out_result(obj);
	p_text("%llu requests, %llu of them for the first time, %llu lost%s\n",
	       (unsigned long long)(recorder->requests + recorder->repeated),
	       (unsigned long long)recorder->requests, (unsigned long long)lost,
	       recorder->full ? "; the limit was reached" : "");
}

static int allocate(struct recorder *recorder)
{
	/* Nodes are seen too, and it must not become slow before it is full */
	for (recorder->nr_seen = 1024; recorder->nr_seen < 4ULL * recorder->limit; )
		recorder->nr_seen *= 2;
	recorder->seen = calloc(recorder->nr_seen, sizeof(*recorder->seen));
	recorder->threads = calloc(THREADS, sizeof(*recorder->threads));
	recorder->cgroups = calloc(CGROUPS, sizeof(*recorder->cgroups));
	if (recorder->seen && recorder->threads && recorder->cgroups)
		return DONE;
	p_err(-ENOMEM, "cannot record requests");
	return FAILED;
}

/* Names of files tell much, so it is for the one who records only */
static int open_file(struct recorder *recorder)
{
	int fd = open(recorder->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	recorder->file = fd < 0 ? NULL : fdopen(fd, "w");
	if (recorder->file)
		return DONE;
	p_err(-errno, "cannot write %s", recorder->path);
	return FAILED;
}

static int record(struct recorder *recorder)
{
	int fd, err, ret;

	fd = mount_open(recorder->mountpoint, &recorder->dev);
	if (fd < 0)
		return FAILED;
	ret = decisions_check_namespace("record");
	if (!ret)
		ret = allocate(recorder);
	if (!ret)
		ret = open_file(recorder);
	if (!ret)
		ret = attach(recorder, fd);
	close(fd);
	if (ret)
		return ret;
	write_head(recorder);
	err = watch(recorder);
	detach(recorder);
	ret = write_out(recorder);
	if (!ret && err) {
		p_err(err, "cannot go on recording");
		ret = FAILED;
	}
	if (!ret)
		show(recorder);
	return ret;
}

static void recorder_free(struct recorder *recorder)
{
	ring_buffer__free(recorder->ring);
	bpf_link__destroy(recorder->event);
	bpf_link__destroy(recorder->link);
	record_bpf__destroy(recorder->skel);
	if (recorder->file)
		fclose(recorder->file);
	free(recorder->threads);
	free(recorder->cgroups);
	free(recorder->seen);
}

static int parse(struct args *args, struct recorder *recorder)
{
	static const char *const words[] = { "limit", NULL };
	const char *word;

	recorder->mountpoint = args_need(args, "MOUNTPOINT");
	recorder->path = recorder->mountpoint ? args_need(args, "RECORDING") : NULL;
	if (!recorder->path)
		return USAGE;
	while (args->argc && strcmp(*args->argv, "--")) {
		if (args_keyword(args, words))
			return USAGE;
		word = args_need(args, "N");
		if (!word)
			return USAGE;
		if (!parse_u32(word, &recorder->limit) || !recorder->limit ||
		    recorder->limit > 100 * DEFAULT_LIMIT)
			return p_usage("'%s' is no number from 1 to %d", word, 100 * DEFAULT_LIMIT);
	}
	if (!args_next(args))
		return DONE;
	if (!args->argc)
		return p_usage("COMMAND is missing");
	recorder->command = args->argv;
	return DONE;
}

int do_record(struct args *args)
{
	struct recorder recorder = { .limit = DEFAULT_LIMIT };
	int ret = parse(args, &recorder);

	stop_on_signals();
	if (!ret)
		ret = record(&recorder);
	recorder_free(&recorder);
	return ret;
}
