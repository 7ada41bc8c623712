// SPDX-License-Identifier: GPL-2.0-only
/*
 * A filter sleeps, in the middle of a call, while it is detached, replaced, loses its link
 * and whoever loaded it, or while its mount or its caller dies. What it runs on stays until
 * it has ended, and what it says then still counts.
 */
#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../progs/sleeper.h"
#include "backed_fixture.h"
#include "harness.h"
#include "scripted.h"
#include <fuse_bpf.h>

#define PAGE 4096

/**
 * struct sleeper - a call that sleeps in its filter
 * @uffd: where it is seen to sleep
 * @page: what it waits for
 * @control: the filter's
 * @path: file that it opens
 * @thread: who does
 * @result: what came of it
 */
struct sleeper {
	int uffd;
	void *page;
	volatile struct sleeper_control *control;
	char path[64];
	pthread_t thread;
	int result;
};

FIXTURE(sleep)
{
	struct backed b;
	struct filter filter;
	struct sleeper sleeper;
	int dir;
};

/* A page whose first use waits for wake() */
static int make_page(struct sleeper *s)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	s->uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	s->page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s->uffd < 0 || s->page == MAP_FAILED)
		return -errno;
	reg.range.start = (unsigned long)s->page;
	reg.range.len = PAGE;
	return ioctl(s->uffd, UFFDIO_API, &api) || ioctl(s->uffd, UFFDIO_REGISTER, &reg) ?
	       -errno : 0;
}

static int open_file(const char *path)
{
	int fd = RES(open(path, O_RDONLY | O_CLOEXEC));

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static void *open_asleep(void *arg)
{
	struct sleeper *s = arg;

	s->control->tid = gettid();
	s->result = open_file(s->path);
	return NULL;
}

/* Returns when the filter sleeps. */
static int fall_asleep(struct sleeper *s, int ret)
{
	struct pollfd fd = { s->uffd, POLLIN };
	struct uffd_msg msg;

	s->control->page = (unsigned long)s->page;
	s->control->ret = ret;
	if (pthread_create(&s->thread, NULL, open_asleep, s))
		return -EAGAIN;
	if (poll(&fd, 1, test_time_limit() * 500) != 1)
		return -ETIMEDOUT;
	return read(s->uffd, &msg, sizeof(msg)) == sizeof(msg) &&
	       msg.event == UFFD_EVENT_PAGEFAULT ? 0 : -EIO;
}

/* Returns what came of the call. */
static int wake(struct sleeper *s)
{
	struct uffdio_zeropage zero = { .range = { (unsigned long)s->page, PAGE } };

	if (ioctl(s->uffd, UFFDIO_ZEROPAGE, &zero))
		return -errno;
	pthread_join(s->thread, NULL);
	return s->result;
}

FIXTURE_SETUP(sleep)
{
	struct sleeper *s = &self->sleeper;
	size_t size;

	ASSERT_EQ(0, backed_make(&self->b, "tmpfs"));
	ASSERT_EQ(0, make_file(in(self->b.back, "file"), "text\n", 0644));
	ASSERT_EQ(0, backed_mount(&self->b, BACKED_ALLOW_OTHER));
	self->dir = open_dir(self->b.mnt, 0);
	ASSERT_LE(0, self->dir);
	ASSERT_EQ(0, filter_load(&self->filter, "sleeper"));
	ASSERT_EQ(0, filter_attach(&self->filter, self->dir, 0, 0));
	s->control = filter_global(&self->filter, ".bss", &size);
	ASSERT_NE(NULL, s->control);
	strcpy(s->path, in(self->b.mnt, "file"));
	ASSERT_EQ(0, make_page(s));
}

FIXTURE_TEARDOWN(sleep)
{
	close(self->sleeper.uffd);
	filter_destroy(&self->filter);
	if (self->dir >= 0)
		close(self->dir);
	EXPECT_EQ(0, backed_destroy(&self->b));
}

/* The link is gone at once, and the filter, which runs still, with its last word. */
TEST_F(sleep, its_link_is_closed)
{
	ASSERT_EQ(0, fall_asleep(&self->sleeper, -EXDEV));
	filter_unregister(&self->filter);
	EXPECT_EQ(-EIO, open_file(self->sleeper.path));
	EXPECT_EQ(0, self->sleeper.control->woke);
	EXPECT_EQ(-EXDEV, wake(&self->sleeper));
	EXPECT_EQ(1, self->sleeper.control->woke);
}

/* Nobody has its programs open any more: the mount does, for as long as it takes. */
TEST_F(sleep, its_loader_goes_away)
{
	int map = bpf_object__find_map_fd_by_name(self->filter.obj, ".bss");
	volatile struct sleeper_control *control;

	map = fcntl(map, F_DUPFD_CLOEXEC, 0);
	ASSERT_LE(0, map);
	control = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
	ASSERT_NE(MAP_FAILED, control);
	self->sleeper.control = control;
	ASSERT_EQ(0, fall_asleep(&self->sleeper, -EXDEV));
	filter_unregister(&self->filter);
	bpf_object__close(self->filter.obj);
	self->filter = FILTER_NONE;
	EXPECT_EQ(-EIO, open_file(self->sleeper.path));
	EXPECT_EQ(-EXDEV, wake(&self->sleeper));
	EXPECT_EQ(1, control->woke);
	close(map);
}

/**
 * struct waiter - something that is to wait until the filter has woken
 * @fn: what
 * @self: for @fn
 * @done: it has returned
 * @err: with this
 */
struct waiter {
	int (*fn)(FIXTURE_DATA(sleep) *self);
	FIXTURE_DATA(sleep) *self;
	volatile bool done;
	int err;
};

static void *wait_for_it(void *arg)
{
	struct waiter *w = arg;

	w->err = w->fn(w->self);
	w->done = true;
	return NULL;
}

static int detach(FIXTURE_DATA(sleep) *self)
{
	return fuse_bpf_detach(self->dir, self->filter.id);
}

/* New calls are not asked about any more, which says that detaching has begun. */
static bool not_asked_soon(const struct sleeper *s)
{
	__u32 asked;
	int i;

	for (i = 0; i < test_time_limit() * 50; i++) {
		asked = s->control->asked;
		if (!open_file(s->path) && s->control->asked == asked)
			return true;
		usleep(10000);
	}
	return false;
}

TEST_F(sleep, it_is_detached)
{
	struct waiter w = { detach, self };
	pthread_t thread;

	ASSERT_EQ(0, fall_asleep(&self->sleeper, -EXDEV));
	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_for_it, &w));
	EXPECT_TRUE(not_asked_soon(&self->sleeper));
	EXPECT_FALSE(w.done);
	EXPECT_EQ(-EXDEV, wake(&self->sleeper));
	pthread_join(thread, NULL);
	EXPECT_EQ(0, w.err);
	EXPECT_EQ(0, open_file(self->sleeper.path));
}

static struct filter other;

static int replace(FIXTURE_DATA(sleep) *self)
{
	return bpf_link_update(bpf_link__fd(self->filter.link), bpf_map__fd(other.map), NULL);
}

/* The old callbacks have the say until the last of them has ended. */
TEST_F(sleep, it_is_replaced)
{
	struct waiter w = { replace, self };
	pthread_t thread;

	ASSERT_EQ(0, scripted_load(&other, true, NULL));
	ASSERT_EQ(0, scripted_rule(&other, FUSE_OPEN, SCRIPTED_ANY_UID, NULL, -ENXIO));
	filter_unregister(&other);
	ASSERT_EQ(0, fall_asleep(&self->sleeper, -EXDEV));
	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_for_it, &w));
	EXPECT_EQ(0, open_file(self->sleeper.path));
	EXPECT_FALSE(w.done);
	EXPECT_EQ(-EXDEV, wake(&self->sleeper));
	pthread_join(thread, NULL);
	EXPECT_EQ(0, w.err);
	EXPECT_EQ(-ENXIO, open_file(self->sleeper.path));
	filter_destroy(&other);
}

TEST_F(sleep, its_mount_is_detached)
{
	ASSERT_EQ(0, fall_asleep(&self->sleeper, 0));
	close(self->dir);
	self->dir = -1;
	self->filter.fd = -1;
	EXPECT_EQ(-EBUSY, RES(umount(self->b.mnt)));
	ASSERT_EQ(0, RES(umount2(self->b.mnt, MNT_DETACH)));
	self->b.mounted = false;
	EXPECT_EQ(-EBUSY, RES(umount(self->b.back)));
	EXPECT_EQ(0, wake(&self->sleeper));
}

TEST_F(sleep, its_connection_is_aborted)
{
	char control[64];

	ASSERT_EQ(0, control_mount(&self->b, control, sizeof(control)));
	ASSERT_EQ(0, fall_asleep(&self->sleeper, 0));
	EXPECT_EQ(0, sh("echo 1 >%s/abort", control));
	EXPECT_EQ(0, wake(&self->sleeper));
	EXPECT_EQ(0, open_file(self->sleeper.path));
	EXPECT_EQ(0, RES(umount(in(self->b.top, "control"))));
}

/* It wakes by itself, and nobody waits for it any more. */
TEST_F(sleep, its_caller_is_killed)
{
	int pipes[2], status;
	pid_t pid;
	char byte;

	ASSERT_EQ(0, pipe(pipes));
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* A page of its own, as what is registered is not inherited */
		if (make_page(&self->sleeper) || fall_asleep(&self->sleeper, 0))
			_exit(1);
		(void)!write(pipes[1], "x", 1);
		pause();
	}
	close(pipes[1]);
	ASSERT_EQ(1, read(pipes[0], &byte, 1));
	EXPECT_EQ(0, self->sleeper.control->woke);
	kill(pid, SIGKILL);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(1, self->sleeper.control->woke);
	EXPECT_EQ(0, filter_detach(&self->filter));
	close(pipes[0]);
}

TEST_HARNESS_MAIN
