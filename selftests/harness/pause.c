// SPDX-License-Identifier: GPL-2.0-only
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pause.h"
#include "util.h"

/**
 * struct paused - a system call that is stopped
 * @p: by what
 * @fn: what is done meanwhile
 * @arg: for @fn
 * @done: the call has returned
 */
struct paused {
	struct pauser *p;
	void (*fn)(void *arg);
	void *arg;
	volatile bool done;
};

/* What the programs are told, in memory that they share; NULL: not loaded, see @load_err */
static volatile struct pause_control *control;
static int load_err;

static int load(void)
{
	struct bpf_program *prog;
	struct bpf_object *obj;
	char path[PATH_MAX];
	struct bpf_map *map;
	size_t size;
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (len < 0)
		return -errno;
	path[len] = '\0';
	obj = bpf_object__open_file(in(dirname(dirname(path)), "pause.bpf.o"), NULL);
	if (!obj || bpf_object__load(obj))
		return -errno;
	/* Neither object nor links are ever given up: they end with the process. */
	bpf_object__for_each_program(prog, obj) {
		if (!bpf_program__attach(prog))
			return -errno;
	}
	map = bpf_object__find_map_by_name(obj, ".bss");
	control = map ? bpf_map__initial_value(map, &size) : NULL;
	return control ? 0 : -ENOENT;
}

void pauser_load(void)
{
	load_err = load();
}

static int watch_pages(struct pauser *p)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	p->uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	p->pages = mmap(NULL, PAUSE_PAGES * PAUSE_PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p->uffd < 0 || p->pages == MAP_FAILED)
		return -errno;
	reg.range.start = (unsigned long)p->pages;
	reg.range.len = PAUSE_PAGES * PAUSE_PAGE;
	if (ioctl(p->uffd, UFFDIO_API, &api) || ioctl(p->uffd, UFFDIO_REGISTER, &reg))
		return -errno;
	return 0;
}

int pauser_setup(struct pauser *p)
{
	int err;

	*p = (struct pauser){ .uffd = -1 };
	err = control ? watch_pages(p) : load_err ? load_err : -EINVAL;
	if (err)
		say("nothing to stop system calls with: %s", strerror(-err));
	return err;
}

void pauser_destroy(struct pauser *p)
{
	if (p->uffd > 0)
		close(p->uffd);
}

/* The address that is waited for, 0 if nobody waits */
static __u64 stopped_at(struct pauser *p)
{
	struct pollfd fd = { p->uffd, POLLIN };
	struct uffd_msg msg;

	if (poll(&fd, 1, 10) != 1 || read(p->uffd, &msg, sizeof(msg)) != sizeof(msg) ||
	    msg.event != UFFD_EVENT_PAGEFAULT)
		return 0;
	return msg.arg.pagefault.address & -PAUSE_PAGE;
}

static void *attend(void *arg)
{
	struct paused *call = arg;
	struct uffdio_zeropage zero = { .range.len = PAUSE_PAGE };

	while (!call->done) {
		zero.range.start = stopped_at(call->p);
		if (!zero.range.start)
			continue;
		call->fn(call->arg);
		call->p->paused++;
		ioctl(call->p->uffd, UFFDIO_ZEROPAGE, &zero);
	}
	return NULL;
}

/* Of this thread alone, unlike seteuid() */
static int be(uid_t uid)
{
	return RES(syscall(SYS_setresuid, -1, uid, -1));
}

int paused_call(struct pauser *p, enum pause_at at, unsigned int times, uid_t uid,
		int (*call)(void *arg), void (*between)(void *arg), void *arg)
{
	struct paused paused = { .p = p, .fn = between, .arg = arg };
	pthread_t thread;
	int ret;

	if (times > PAUSE_PAGES)
		return -EINVAL;
	p->paused = 0;
	madvise(p->pages, PAUSE_PAGES * PAUSE_PAGE, MADV_DONTNEED);
	control->pages = (unsigned long)p->pages;
	control->tid = gettid();
	control->at = at;
	control->times = times;
	if (pthread_create(&thread, NULL, attend, &paused))
		return -EAGAIN;

	ret = be(uid);
	if (!ret)
		ret = call(arg);
	be(0);
	control->at = PAUSE_NOWHERE;
	paused.done = true;
	pthread_join(thread, NULL);
	return ret;
}
