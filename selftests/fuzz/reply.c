// SPDX-License-Identifier: GPL-2.0-only
/*
 * reply: a daemon that answers all wrong, while others use the mount.
 *
 * In some rounds the daemon attaches backings in its replies, in others the mount is
 * backed and a filter sends it what the backing would answer, or has it asked. It gets
 * each answer wrong in some way, and tells what nobody asked for. Whatever it says, each
 * call ends, with an errno that a program may see; the mount can be unmounted
 * afterwards, and so can the backing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include "../harness/entry_fixture.h"
#include "../harness/recorder.h"
#include "../harness/util.h"
#include "answers.h"
#include "calls.h"

#define CLIENTS 2

static struct filter filter = FILTER_NONE;

/* What a round has: which numbers are for whom, and its mount */
struct round {
	__u64 seed;
	struct fuzz_rng rng;
	struct backed b;
	bool backed;
	char control[64];
	pid_t pids[CLIENTS + 1];
};

/* Flags of INIT that a daemon may have or not; the others would need more than that. */
static void choose_init(struct round *r)
{
	struct fuse_init_out *out = &r->b.server->init_out;
	const __u32 optional =
		FUSE_ASYNC_READ | FUSE_POSIX_LOCKS | FUSE_ATOMIC_O_TRUNC | FUSE_EXPORT_SUPPORT |
		FUSE_DONT_MASK | FUSE_FLOCK_LOCKS | FUSE_HAS_IOCTL_DIR | FUSE_AUTO_INVAL_DATA |
		FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO | FUSE_ASYNC_DIO |
		FUSE_NO_OPEN_SUPPORT | FUSE_PARALLEL_DIROPS | FUSE_HANDLE_KILLPRIV |
		FUSE_POSIX_ACL | FUSE_ABORT_ERROR | FUSE_MAX_PAGES | FUSE_CACHE_SYMLINKS |
		FUSE_NO_OPENDIR_SUPPORT | FUSE_EXPLICIT_INVAL_DATA | FUSE_HANDLE_KILLPRIV_V2 |
		FUSE_SETXATTR_EXT;
	const __u64 optional2 = FUSE_DIRECT_IO_ALLOW_MMAP | FUSE_HAS_EXPIRE_ONLY | FUSE_HAS_RESEND |
				FUSE_SECURITY_CTX | FUSE_CREATE_SUPP_GROUP;

	out->flags |= fuzz_next(&r->rng) & optional;
	out->flags2 |= (fuzz_next(&r->rng) & optional2) >> 32;
	out->max_pages = 1 + fuzz_below(&r->rng, 32);
	if (fuzz_chance(&r->rng, 10)) {
		out->flags2 &= ~(FUSE_PASSTHROUGH >> 32);
		out->flags |= FUSE_WRITEBACK_CACHE;
	}
	if (fuzz_chance(&r->rng, 10))
		out->max_stack_depth = fuzz_hostile(&r->rng);
	if (fuzz_chance(&r->rng, 10))
		out->time_gran = fuzz_hostile(&r->rng);
}

static int mount_it(struct round *r)
{
	int err;

	if (r->backed)
		err = backed_mount(&r->b, BACKED_DAEMON | BACKED_ALLOW_OTHER);
	else
		err = entry_mount(&r->b);
	/* What the daemon says is a device must not become one */
	if (!err)
		err = RES(mount(NULL, r->b.mnt, NULL,
				MS_REMOUNT | MS_BIND | MS_NODEV | MS_NOSUID, NULL));
	return err;
}

static int register_backing(const struct round *r, const char *name, __u64 left_out)
{
	struct fuse_bpf_query query;
	__u64 ops = 0;
	int id;

	if (left_out && !ioctl(r->b.dev, FUSE_IOC_QUERY, &query))
		ops = query.backed_ops[0] & ~left_out;
	id = register_path(r->b.dev, in(r->b.back, "%s", name), ops);
	return id < 0 ? 0 : id;
}

/* Not all of them can be registered in all rounds; the id 0 is a wrong one too. */
static void register_all(struct round *r)
{
	answers->ids[NODE_FILE][0] = register_backing(r, "f0", 0);
	answers->ids[NODE_FILE][1] = register_backing(r, "f1", FUSE_BACKING_FILE_OPS);
	answers->ids[NODE_FILE][2] = register_backing(r, "d0/f1", 0);
	answers->ids[NODE_DIR][0] = register_backing(r, "d0", 0);
	answers->ids[NODE_DIR][1] = register_backing(r, "d1", FUSE_BACKING_NAME_OPS);
	answers->ids[NODE_DIR][2] = register_backing(r, ".", FUSE_BACKING_FILE_OPS);
	answers->ids[NODE_LINK][0] = register_backing(r, "l0", 0);
	answers->ids[NODE_PIPE][0] = register_backing(r, "p0", 0);
}

/* Who is to answer, by opcode; in a mount without a backed root, of what is bound. */
static int attach_filter(struct round *r)
{
	static const int verdicts[] = {
		FUSE_FILTER_DEFAULT, FUSE_FILTER_DEFAULT, FUSE_FILTER_DEFAULT, FUSE_FILTER_DAEMON,
		FUSE_FILTER_DAEMON, FUSE_FILTER_BACKING, FUSE_FILTER_ASK_PRE, FUSE_FILTER_ASK_POST,
		FUSE_FILTER_DEFAULT | FUSE_FILTER_POST, FUSE_FILTER_DAEMON | FUSE_FILTER_POST,
	};
	__u32 op;
	int err;

	for (op = 0; op < RECORDER_OPS; op++) {
		err = recorder_return(&filter, RECORDER_PRE(op), FUZZ_ANY(&r->rng, verdicts));
		if (err)
			return err;
	}
	err = filter_attach(&filter, r->b.dev, r->backed ? 0 : FUSE_FILTER_BY_REPLY, 0);
	if (!err && !r->backed)
		answers->filter_id = filter.id;
	return err;
}

static void __attribute__((noreturn)) client(const struct round *r, unsigned int number)
{
	unsigned int n = scale(250);
	static struct calls c;

	calls_begin(&c, fuzz_rng(r->seed, 10 + number), r->b.mnt, number);
	while (n--)
		calls_one(&c);
	calls_end(&c);
	_exit(0);
}

/* Ids come and go, also those that are in use, and filters do. */
static void change_ids(const struct round *r, struct fuzz_rng *rng)
{
	static const char *const names[] = { "f0", "d0", "l0", "d0/d1", "p0" };
	struct fuse_filter_detach detach = { .id = answers->filter_id };

	if (fuzz_chance(rng, 50))
		register_backing(r, FUZZ_ANY(rng, names), 0);
	else
		close_id(r->b.dev, fuzz_below(rng, 16));
	if (fuzz_chance(rng, 2))
		ioctl(r->b.dev, FUSE_IOC_FILTER_DETACH, &detach);
}

static void __attribute__((noreturn)) notifier(const struct round *r)
{
	struct fuzz_rng rng = fuzz_rng(r->seed, 2);

	for (;;) {
		fuzz_doing(CLIENTS, "notify");
		answers_notify(r->b.dev, &rng);
		if (fuzz_chance(&rng, 20))
			change_ids(r, &rng);
		usleep(fuzz_below(&rng, 4000));
	}
}

static void start(struct round *r)
{
	unsigned int i;

	for (i = 0; i <= CLIENTS; i++) {
		r->pids[i] = fork();
		if (r->pids[i])
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (i < CLIENTS)
			client(r, i);
		notifier(r);
	}
}

/* The daemon answers no more: end the connection in one of the ways there are. */
static void end_connection(struct round *r)
{
	switch (fuzz_below(&r->rng, 3)) {
	case 0:
		if (sh("echo 1 >%s/abort", r->control))
			fuzz_unexpected("the connection cannot be aborted");
		break;
	case 1:
		/* Nobody may have anything open there at the time */
		r->b.mounted = umount2(r->b.mnt, MNT_FORCE);
		if (r->b.mounted && errno != EBUSY)
			fuzz_unexpected("umount -f: %s", strerror(errno));
		break;
	default:
		raw_server_kill(r->b.server);
		if (sh("echo 1 >%s/abort", r->control))
			fuzz_unexpected("the connection cannot be aborted");
	}
}

/* Wait for the clients; the watchdog of all rounds sees if that does not end. */
static void finish(struct round *r)
{
	unsigned int left = CLIENTS;
	bool ended = false;
	int status;
	pid_t pid;

	while (left) {
		pid = waitpid(-1, &status, WNOHANG);
		if (pid == r->pids[0] || pid == r->pids[1]) {
			left--;
			if (status)
				fuzz_unexpected("a client ended with wait status %#x", status);
		}
		if (!pid)
			usleep(1000);
		if (!ended && __atomic_load_n(&answers->dead, __ATOMIC_ACQUIRE)) {
			end_connection(r);
			ended = true;
		}
	}
	kill(r->pids[CLIENTS], SIGKILL);
	waitpid(r->pids[CLIENTS], NULL, 0);
}

static int set_up(struct round *r)
{
	int err;

	*answers = (struct answers){ .rng = fuzz_rng(r->seed, 1), .calm = true };
	err = entry_make(&r->b) ?: calls_tree(r->b.back);
	if (err)
		return err;
	r->b.server->hook = answers_hook;
	r->b.server->lies = true;
	choose_init(r);
	if (fuzz_chance(&r->rng, 12))
		err = entry_use_uring(&r->b);
	if (!err)
		err = mount_it(r) ?: control_mount(&r->b, r->control, sizeof(r->control));
	if (err)
		return err;
	register_all(r);
	if (fuzz_chance(&r->rng, 12))
		answers->dies_after = 1 + fuzz_below(&r->rng, 300);
	return r->backed || fuzz_chance(&r->rng, 60) ? attach_filter(r) : 0;
}

static int run_round(__u64 seed)
{
	static struct round r;
	int err, err2;

	r = (struct round){ .seed = seed, .rng = fuzz_rng(seed, 0) };
	r.backed = fuzz_chance(&r.rng, 50);
	err = set_up(&r);
	if (!err) {
		answers->calm = false;
		start(&r);
		finish(&r);
	}
	fuzz_doing(0, "unmount");
	if (!err && fuzz_chance(&r.rng, 50))
		filter_detach(&filter);
	err2 = backed_destroy(&r.b);
	return err ?: err2;
}

int main(int argc, char **argv)
{
	answers = mmap(NULL, sizeof(*answers), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (answers == MAP_FAILED || recorder_load(&filter, "recorder", false, NULL))
		return 1;
	return fuzz_main(argc, argv, run_round);
}
