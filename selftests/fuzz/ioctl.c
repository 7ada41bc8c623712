// SPDX-License-Identifier: GPL-2.0-only
/*
 * ioctl: all requests of <linux/fuse_bpf.h>, from several processes, on mounts that go
 * away meanwhile.
 *
 * Each request is put together as it should be, of descriptors and ids that there are,
 * and then mostly made wrong: descriptors of other kinds, other sizes, flags, addresses.
 * What is returned must be an errno that the header names, nothing may be written
 * behind what the caller said it has room for, and mounts and backing can be unmounted
 * afterwards.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse_bpf.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../harness/entry_fixture.h"
#include "../harness/filter_fixture.h"
#include "../harness/util.h"
#include "calls.h"

#define WORKERS 3
#define MAX_FDS 48
#define MAX_IDS 16
#define ARG_ROOM 16384
#define ARRAY_ROOM 8192
#define CANARY 0xa5
#define MAX_OWN_ERRORS 6

/* Ids that requests have returned, for all workers; any of them may be gone */
static struct {
	__u32 backing[MAX_IDS];
	__u32 filter[MAX_IDS];
} *ids;

static struct filter filters[2] = { FILTER_NONE, FILTER_NONE };

/**
 * struct round - what a round works on
 * @seed: of it
 * @rng: numbers
 * @b: a mount with a daemon, and the backing
 * @mnt2: another mount of the backing, without
 * @targets: what requests are made on: devices, and directories of the mounts
 * @fds: what they name
 */
struct round {
	__u64 seed;
	struct fuzz_rng rng;
	struct backed b;
	char mnt2[64];
	int targets[MAX_FDS];
	unsigned int nr_targets;
	int fds[MAX_FDS];
	unsigned int nr_fds;
};

/* struct request - a request with its argument */
struct request {
	unsigned long cmd;
	unsigned char arg[ARG_ROOM] __attribute__((aligned(8)));
	unsigned char array[ARRAY_ROOM] __attribute__((aligned(8)));
	size_t array_size;
};

static void add(int *fds, unsigned int *nr, int fd)
{
	if (fd >= 0 && *nr < MAX_FDS)
		fds[(*nr)++] = fd;
}

static void add_path(struct round *r, const char *path)
{
	add(r->fds, &r->nr_fds, open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC));
	add(r->fds, &r->nr_fds, open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
}

static void open_fds(struct round *r)
{
	static const char *const names[] = { "f0", "d0", "l0", "p0", "d0/d1", "." };
	static const char *const others[] = { "/proc/self/status", "/dev/null", "/proc", "/sys" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		add_path(r, in(r->b.back, "%s", names[i]));
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		add_path(r, others[i]);
	add_path(r, in(r->mnt2, "f0"));
	add_path(r, r->mnt2);
	add(r->fds, &r->nr_fds, open(r->b.mnt, O_PATH | O_CLOEXEC));
	add(r->fds, &r->nr_fds, r->b.dev);
	add(r->fds, &r->nr_fds, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	add(r->fds, &r->nr_fds, memfd_create("m", MFD_CLOEXEC));
	add(r->fds, &r->nr_fds, epoll_create1(EPOLL_CLOEXEC));
	add(r->fds, &r->nr_fds, eventfd(0, EFD_CLOEXEC));
	for (i = 0; i < 2; i++) {
		add(r->fds, &r->nr_fds, dup(bpf_link__fd(filters[i].link)));
		add(r->fds, &r->nr_fds, dup(bpf_map__fd(filters[i].map)));
		add(r->fds, &r->nr_fds,
		    dup(bpf_object__find_map_fd_by_name(filters[i].obj, "rules")));
	}
}

static void open_targets(struct round *r)
{
	add(r->targets, &r->nr_targets, r->b.dev);
	add(r->targets, &r->nr_targets, r->b.dev);
	add(r->targets, &r->nr_targets, open_dir(r->mnt2, 0));
	add(r->targets, &r->nr_targets, open_dir(in(r->mnt2, "d0"), 0));
	add(r->targets, &r->nr_targets, open_dir(in(r->mnt2, "d0/d1"), 0));
	add(r->targets, &r->nr_targets, open(in(r->mnt2, "f0"), O_RDONLY | O_CLOEXEC));
	/* A device that was never mounted */
	add(r->targets, &r->nr_targets, open(device_path(), O_RDWR | O_CLOEXEC));
}

static int any_fd(struct round *r)
{
	if (fuzz_chance(&r->rng, 8))
		return (int)fuzz_hostile(&r->rng);
	return r->fds[fuzz_below(&r->rng, r->nr_fds)];
}

static int any_filter_fd(struct round *r)
{
	const struct filter *filter = &filters[fuzz_below(&r->rng, 2)];

	if (fuzz_chance(&r->rng, 20))
		return any_fd(r);
	return fuzz_chance(&r->rng, 50) ? bpf_link__fd(filter->link) : bpf_map__fd(filter->map);
}

static __u32 any_id(struct round *r, const __u32 *known)
{
	return fuzz_chance(&r->rng, 10) ? (__u32)fuzz_hostile(&r->rng) :
					  known[fuzz_below(&r->rng, MAX_IDS)];
}

static void make_open(struct round *r, struct request *q)
{
	static const __u64 left_out[] = { 0, FUSE_BACKING_FILE_OPS, FUSE_BACKING_NAME_OPS };
	struct fuse_backing_open *arg = (void *)q->arg;
	struct fuse_bpf_query query;

	q->cmd = FUSE_IOC_BACKING_OPEN;
	arg->fd = any_fd(r);
	if (fuzz_chance(&r->rng, 50) && !ioctl(r->b.dev, FUSE_IOC_QUERY, &query))
		arg->ops[0] = query.backed_ops[0] & ~FUZZ_ANY(&r->rng, left_out);
}

static void make_close(struct round *r, struct request *q)
{
	struct fuse_backing_close *arg = (void *)q->arg;

	q->cmd = FUSE_IOC_BACKING_CLOSE;
	arg->id = any_id(r, ids->backing);
}

static void make_mainline(struct round *r, struct request *q)
{
	struct fuse_backing_map *map = (void *)q->arg;

	if (fuzz_chance(&r->rng, 60)) {
		q->cmd = FUSE_DEV_IOC_BACKING_OPEN;
		map->fd = any_fd(r);
	} else {
		q->cmd = FUSE_DEV_IOC_BACKING_CLOSE;
		*(__u32 *)q->arg = any_id(r, ids->backing);
	}
}

static void make_attach(struct round *r, struct request *q)
{
	static const __u32 flags[] = {
		0, FUSE_FILTER_BEFORE, FUSE_FILTER_AFTER, FUSE_FILTER_FAIL_OPEN,
		FUSE_FILTER_DIRECTORY, FUSE_FILTER_BY_REPLY,
		FUSE_FILTER_DIRECTORY | FUSE_FILTER_BEFORE,
	};
	struct fuse_filter_attach *arg = (void *)q->arg;

	q->cmd = FUSE_IOC_FILTER_ATTACH;
	arg->fd = any_filter_fd(r);
	arg->flags = FUZZ_ANY(&r->rng, flags);
	if (arg->flags & (FUSE_FILTER_BEFORE | FUSE_FILTER_AFTER) && fuzz_chance(&r->rng, 60))
		arg->relative_id = any_id(r, ids->filter);
}

static void make_detach(struct round *r, struct request *q)
{
	struct fuse_filter_detach *arg = (void *)q->arg;

	q->cmd = FUSE_IOC_FILTER_DETACH;
	arg->id = any_id(r, ids->filter);
}

/* A number of elements, of which there is room for all but the last byte at times */
static __u32 any_nr(struct round *r, struct request *q, size_t element)
{
	__u32 nr = fuzz_below(&r->rng, ARRAY_ROOM / element + 1);

	q->array_size = nr * element;
	return nr;
}

static void make_list(struct round *r, struct request *q)
{
	static const __u32 sizes[] = {
		FUSE_FILTER_INFO_SIZE_VER1, FUSE_FILTER_INFO_SIZE_VER2,
		sizeof(struct fuse_filter_info), 128, 1024, 4096,
	};
	struct fuse_filter_list *arg = (void *)q->arg;

	q->cmd = FUSE_IOC_FILTER_LIST;
	arg->filters = (unsigned long)q->array;
	arg->info_size = FUZZ_ANY(&r->rng, sizes);
	arg->nr = any_nr(r, q, arg->info_size);
}

static void make_stats(struct round *r, struct request *q)
{
	struct fuse_bpf_stats *arg = (void *)q->arg;

	q->cmd = FUSE_IOC_STATS;
	arg->ops = (unsigned long)q->array;
	arg->nr = any_nr(r, q, sizeof(struct fuse_op_stats));
}

static void make_query(struct round *r, struct request *q)
{
	(void)r;
	q->cmd = FUSE_IOC_QUERY;
}

/* Make it wrong; the array is then one of unknown size. */
static void spoil(struct round *r, struct request *q)
{
	size_t size = _IOC_SIZE(q->cmd);

	switch (fuzz_below(&r->rng, 4)) {
	case 0:
		fuzz_words(&r->rng, q->arg, size);
		/* Wherever it points to now, there may be something of ours */
		if (q->cmd == FUSE_IOC_STATS || q->cmd == FUSE_IOC_FILTER_LIST)
			memset(q->arg, 0, sizeof(__u64));
		q->array_size = ARRAY_ROOM;
		break;
	case 1:
		size = fuzz_below(&r->rng, fuzz_chance(&r->rng, 70) ? 160 : ARG_ROOM);
		q->cmd = _IOC(_IOC_DIR(q->cmd), _IOC_TYPE(q->cmd), _IOC_NR(q->cmd), size);
		break;
	case 2:
		q->cmd = _IOC(fuzz_below(&r->rng, 4), FUSE_BPF_IOC_MAGIC,
			      0x60 + fuzz_below(&r->rng, 0x20), _IOC_SIZE(q->cmd));
		q->array_size = ARRAY_ROOM;
		break;
	default:
		fuzz_fill(&r->rng, q->arg + size, 1 + fuzz_below(&r->rng, 16));
		size += fuzz_below(&r->rng, 64);
		q->cmd = _IOC(_IOC_DIR(q->cmd), _IOC_TYPE(q->cmd), _IOC_NR(q->cmd), size);
	}
}

static void (*const makers[])(struct round *r, struct request *q) = {
	make_open, make_open, make_close, make_mainline, make_attach, make_attach, make_attach,
	make_detach, make_detach, make_list, make_stats, make_query,
};

static void remember(struct round *r, const struct request *q)
{
	const struct fuse_backing_open *open = (const void *)q->arg;
	const struct fuse_filter_attach *attach = (const void *)q->arg;
	unsigned int at = fuzz_below(&r->rng, MAX_IDS);

	if (q->cmd == FUSE_IOC_BACKING_OPEN)
		ids->backing[at] = open->id;
	else if (q->cmd == FUSE_IOC_FILTER_ATTACH)
		ids->filter[at] = attach->id;
}

/* What the header says each may end with beside the errors that all have in common */
static const struct {
	unsigned long cmd;
	int errnos[MAX_OWN_ERRORS];
} own_errors[] = {
	{ FUSE_IOC_BACKING_OPEN, { EPERM, EBADF, EOPNOTSUPP, ELOOP } },
	{ FUSE_IOC_BACKING_CLOSE, { EPERM, ENOENT } },
	{ FUSE_IOC_FILTER_ATTACH, { EPERM, EBADF, ENOENT, EEXIST, ENOSPC, EOPNOTSUPP } },
	{ FUSE_IOC_FILTER_DETACH, { EPERM, ENOENT } },
	{ FUSE_IOC_FILTER_LIST, { EPERM } },
	{ FUSE_IOC_STATS, { EPERM, EOPNOTSUPP } },
	/* mainline's, which names none */
	{ FUSE_DEV_IOC_BACKING_OPEN, { EPERM, EBADF, EISDIR, ELOOP } },
	{ FUSE_DEV_IOC_BACKING_CLOSE, { EPERM, ENOENT } },
};

static bool has_errno(const int *errnos, size_t nr, int err)
{
	while (nr--) {
		if (errnos[nr] == err)
			return true;
	}
	return false;
}

static bool is_documented(const struct request *q, int err)
{
	static const int common[] = { ENOTTY, E2BIG, EFAULT, EINVAL, ENODEV };
	size_t i;

	if (has_errno(common, sizeof(common) / sizeof(common[0]), err))
		return true;
	for (i = 0; i < sizeof(own_errors) / sizeof(own_errors[0]); i++) {
		/* Those of another size are the same request */
		if (_IOC_NR(own_errors[i].cmd) == _IOC_NR(q->cmd))
			return has_errno(own_errors[i].errnos, MAX_OWN_ERRORS, err);
	}
	return false;
}

static void check_canaries(const struct request *q, size_t size)
{
	size_t i;

	for (i = 0; i < 64; i++) {
		if (size + i < ARG_ROOM && q->arg[size + i] != CANARY) {
			fuzz_unexpected("request %#lx wrote behind its argument", q->cmd);
			return;
		}
	}
	for (i = q->array_size; i < ARRAY_ROOM; i++) {
		if (q->array[i] != CANARY) {
			fuzz_unexpected("request %#lx wrote behind its array", q->cmd);
			return;
		}
	}
}

static void one_request(struct round *r)
{
	static struct request q;
	bool bad_arg = fuzz_chance(&r->rng, 2);
	size_t size;
	int res;

	memset(q.arg, 0, 256);
	memset(q.array, CANARY, sizeof(q.array));
	q.array_size = 0;
	FUZZ_ANY(&r->rng, makers)(r, &q);
	if (fuzz_chance(&r->rng, 50))
		spoil(r, &q);
	/* mainline's say nothing of the size that they take */
	size = _IOC_SIZE(q.cmd) < 16 ? 16 : _IOC_SIZE(q.cmd);
	memset(q.arg + size, CANARY, sizeof(q.arg) - size < 64 ? sizeof(q.arg) - size : 64);
	res = RES(ioctl(r->targets[fuzz_below(&r->rng, r->nr_targets)], q.cmd,
			bad_arg ? bad_address() : q.arg));
	if (res < 0 && !is_documented(&q, -res))
		fuzz_unexpected("request %#lx: errno %d", q.cmd, -res);
	check_canaries(&q, size);
	if (res >= 0 && !bad_arg)
		remember(r, &q);
	fuzz_input();
}

static void __attribute__((noreturn)) worker(struct round *r, unsigned int number)
{
	unsigned int n = scale(2000);

	r->rng = fuzz_rng(r->seed, 10 + number);
	fuzz_doing(number, "requests");
	while (n--)
		one_request(r);
	_exit(0);
}

/* Somebody uses the mount, so that what is attached and detached is in use. */
static void __attribute__((noreturn)) client(struct round *r)
{
	static struct calls c;

	calls_begin(&c, fuzz_rng(r->seed, 1), r->mnt2, WORKERS);
	for (;;)
		calls_one(&c);
}

/* In some rounds, the mounts go while requests are made on what was opened there. */
static void disturb(struct round *r)
{
	if (fuzz_chance(&r->rng, 50))
		return;
	usleep(fuzz_below(&r->rng, 200000));
	switch (fuzz_below(&r->rng, 4)) {
	case 0:
		umount2(r->mnt2, MNT_DETACH);
		break;
	case 1:
		umount2(r->b.mnt, MNT_FORCE | MNT_DETACH);
		r->b.mounted = false;
		break;
	case 2:
		raw_server_kill(r->b.server);
		break;
	default:
		umount2(r->mnt2, MNT_DETACH);
		umount2(r->b.mnt, MNT_DETACH);
		r->b.mounted = false;
	}
}

static int work(struct round *r)
{
	pid_t pids[WORKERS + 1];
	unsigned int i;
	int status;

	for (i = 0; i <= WORKERS; i++) {
		pids[i] = fork();
		if (pids[i])
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (i < WORKERS)
			worker(r, i);
		client(r);
	}
	disturb(r);
	for (i = 0; i < WORKERS; i++) {
		if (waitpid(pids[i], &status, 0) != pids[i] || status)
			fuzz_unexpected("a worker ended with wait status %#x", status);
	}
	kill(pids[WORKERS], SIGKILL);
	waitpid(pids[WORKERS], NULL, 0);
	return 0;
}

static void close_all(struct round *r)
{
	unsigned int i;

	for (i = 0; i < r->nr_targets; i++) {
		if (r->targets[i] != r->b.dev)
			close(r->targets[i]);
	}
	for (i = 0; i < r->nr_fds; i++) {
		if (r->fds[i] != r->b.dev)
			close(r->fds[i]);
	}
}

static int run_round(__u64 seed)
{
	static struct round r;
	int err, err2;

	memset(ids, 0, sizeof(*ids));
	r = (struct round){ .seed = seed, .rng = fuzz_rng(seed, 0) };
	err = entry_make(&r.b) ?: calls_tree(r.b.back) ?: entry_mount(&r.b);
	if (err)
		return err;
	snprintf(r.mnt2, sizeof(r.mnt2), "%s/mnt2", r.b.top);
	err = make_dir(r.mnt2, 0755) ?: mount_backed(r.b.back, r.mnt2);
	if (!err) {
		open_fds(&r);
		open_targets(&r);
		err = work(&r);
		close_all(&r);
	}
	fuzz_doing(0, "unmount");
	/* It may be gone, and the directory with it */
	if (umount(r.mnt2) && errno != EINVAL && errno != ENOENT)
		err = err ?: -errno;
	err2 = backed_destroy(&r.b);
	return err ?: err2;
}

int main(int argc, char **argv)
{
	ids = mmap(NULL, sizeof(*ids), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (ids == MAP_FAILED || filter_load(&filters[0], "scripted") ||
	    filter_load(&filters[1], "scripted_sleepable"))
		return 1;
	return fuzz_main(argc, argv, run_round);
}
