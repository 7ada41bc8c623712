// SPDX-License-Identifier: GPL-2.0-only
/*
 * filter: filters that return anything, and call functions with anything.
 *
 * Some rounds make one call after the other, each with a filter that returns another
 * number or edits another attribute, and know what has to come of it: what is neither a
 * verdict nor an errno refuses with EIO, what may not be edited too; a refusal is counted
 * as one; what is redacted reads as zero, and all the rest as it is. In other rounds,
 * several programs use the mount while the filters change their mind, come and go; what
 * is left to say then is that errnos are such, and that all can be unmounted.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fuse_bpf.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../harness/backed_fixture.h"
#include "../harness/recorder.h"
#include "../harness/util.h"
#include "../progs/hostile.h"
#include "calls.h"
#include "probes.h"

#define CLIENTS 2
#define MAX_ERRNO_RETURNED 511

enum { RECORDER, SLEEPABLE, HOSTILE, NR_FILTERS };

static struct filter filters[NR_FILTERS] = { FILTER_NONE, FILTER_NONE, FILTER_NONE };
static struct fuse_bpf_query query;

struct round {
	struct fuzz_rng rng;
	struct backed b;
	struct probe_files files;
	const struct filter *filter;
};

static int set_args(const struct hostile_args *args)
{
	int fd = bpf_object__find_map_fd_by_name(filters[HOSTILE].obj, "args");
	__u32 zero = 0;

	return bpf_map_update_elem(fd, &zero, args, BPF_ANY);
}

/* What a callback may return, and what not, about as often */
static int any_return(struct fuzz_rng *rng)
{
	static const int verdicts[] = {
		FUSE_FILTER_DEFAULT, FUSE_FILTER_BACKING, FUSE_FILTER_DAEMON, FUSE_FILTER_POST,
		FUSE_FILTER_BACKING | FUSE_FILTER_POST, FUSE_FILTER_ASK_PRE, FUSE_FILTER_ASK_POST,
		FUSE_FILTER_DAEMON | FUSE_FILTER_ASK_PRE,
	};

	switch (fuzz_below(rng, 4)) {
	case 0:
		return FUZZ_ANY(rng, verdicts);
	case 1:
		return -1 - (int)fuzz_below(rng, MAX_ERRNO_RETURNED + 4);
	case 2:
		return FUZZ_ANY(rng, verdicts) ^ 1 << fuzz_below(rng, 32);
	default:
		return fuzz_hostile(rng);
	}
}

static bool plain_errno(int ret)
{
	return ret < 0 && ret >= -MAX_ERRNO_RETURNED && ret != -ECHILD;
}

/* What the call must end with, in a mount that has no daemon; 1: ENOTCONN or EIO */
static int expect_pre(int ret)
{
	if (ret < 0)
		return plain_errno(ret) ? ret : -EIO;
	if (ret & ~(FUSE_FILTER_POST | FUSE_FILTER_ASK_PRE | FUSE_FILTER_ASK_POST | 3) ||
	    (ret & 3) == 3)
		return -EIO;
	return ret & ~FUSE_FILTER_POST & ~FUSE_FILTER_BACKING ? 1 : 0;
}

static int expect_post(int ret)
{
	if (!ret)
		return 0;
	return plain_errno(ret) ? ret : -EIO;
}

static bool as_expected(const struct probe *probe, int expected, bool post, int res)
{
	if (expected == 1)
		return res == -ENOTCONN || res == -EIO || (probe->daemon_absent && !res);
	/* The VFS tries again, and finds what was made, or not what was removed */
	if (post && expected == -ESTALE)
		return res < 0;
	return res == expected;
}

static bool may_fall_back(const struct probe *probe, int expected)
{
	return expected < 0 &&
	       (expected == -probe->fallback[0] || expected == -probe->fallback[1]);
}

/*
 * A refusal is counted; what was refused before it was answered is not counted as an
 * answer, all else is.
 */
static void check_counts(const struct round *r, const struct probe *probe, bool refused, bool post,
			 struct op_counts *counts)
{
	const struct fuse_op_stats *ops = &counts->ops[probe->opcode];

	if (counts_since(r->files.dir, counts)) {
		fuzz_unexpected("no counters");
		return;
	}
	/* Permission is checked too often to be counted as an answer of the backing */
	if (probe->opcode >= FUSE_FILTER_OP_DIRENT || probe->opcode == FUSE_ACCESS)
		return;
	if (ops->daemon)
		fuzz_unexpected("%s: a request for a daemon that is not there", probe->name);
	if (!!ops->denied != refused || !!ops->backing != (!refused || post))
		fuzz_unexpected("%s: refused %d, %s, but %llu refusals and %llu answers were counted",
				probe->name, refused, post ? "afterwards" : "before", ops->denied,
				ops->backing);
}

static void probe_return(struct round *r)
{
	const struct probe *probe = &probes[fuzz_below(&r->rng, nr_probes)];
	bool post = query.postfilter_ops[0] >> probe->opcode & 1 && fuzz_chance(&r->rng, 40);
	__u32 pre_slot = RECORDER_PRE(probe->opcode), post_slot = RECORDER_POST(probe->opcode);
	int ret = any_return(&r->rng), expected, res;
	struct op_counts counts;

	/* As a postfilter's, the daemon's refusal of what was shown comes too late */
	if (probe->loose_post && !post && ret > 0)
		ret &= ~FUSE_FILTER_ASK_POST;
	expected = post ? expect_post(ret) : expect_pre(ret);
	recorder_return(r->filter, pre_slot, post ? FUSE_FILTER_POST : ret);
	recorder_return(r->filter, post_slot, post ? ret : 0);
	counts_read(r->files.dir, &counts);
	fuzz_doing(0, probe->name);
	res = probe->call(&r->files);
	if (may_fall_back(probe, expected) || (post && probe->loose_post)) {
		/* What comes of it is not for filters to say */
	} else if (!as_expected(probe, expected, post, res)) {
		fuzz_unexpected("%s: a %sfilter returned %d, and the call %d, not %d", probe->name,
				post ? "post" : "pre", ret, res, expected);
	} else if (expected != 1) {
		check_counts(r, probe, expected < 0, post, &counts);
	}
	recorder_return(r->filter, pre_slot, 0);
	recorder_return(r->filter, post_slot, 0);
	if (probe->undo)
		probe->undo(&r->files);
	fuzz_input();
}

static void any_attr(struct fuzz_rng *rng, struct recorder_rule *rule)
{
	rule->edit = fuzz_next(rng) & (2 * RECORDER_RESERVED - 1);
	/* Few of what is refused, or all would be */
	if (fuzz_chance(rng, 70))
		rule->edit &= ~(RECORDER_INO | RECORDER_RDEV | RECORDER_RESERVED);
	fuzz_fill(rng, &rule->attr, sizeof(rule->attr));
	if (fuzz_chance(rng, 80))
		rule->attr.mode = S_IFREG | (rule->attr.mode & 07777);
	if (fuzz_chance(rng, 80)) {
		rule->attr.atimensec %= 1000000000;
		rule->attr.mtimensec %= 1000000000;
		rule->attr.ctimensec %= 1000000000;
	}
	if (fuzz_chance(rng, 10))
		fuzz_words(rng, &rule->attr, sizeof(rule->attr));
}

/* May a filter say so of what is a regular file? */
static bool attr_allowed(const struct recorder_rule *rule, const struct stat *st)
{
	const struct recorder_attr *new = &rule->attr;
	__u32 edit = rule->edit;

	return !(edit & RECORDER_MODE && (new->mode & ~07777U) != S_IFREG) &&
	       !(edit & RECORDER_UID && new->uid == -1U) &&
	       !(edit & RECORDER_GID && new->gid == -1U) &&
	       !(edit & RECORDER_ATIME && new->atimensec >= 1000000000) &&
	       !(edit & RECORDER_MTIME && new->mtimensec >= 1000000000) &&
	       !(edit & RECORDER_CTIME && new->ctimensec >= 1000000000) &&
	       !(edit & RECORDER_INO && new->ino != st->st_ino) &&
	       !(edit & RECORDER_RDEV && new->rdev) && !(edit & RECORDER_RESERVED && new->reserved);
}

static bool attr_seen(const struct recorder_rule *rule, const struct stat *st,
		      const struct stat *was)
{
	const struct recorder_attr *new = &rule->attr;
	__u32 edit = rule->edit;

	return st->st_mode == (edit & RECORDER_MODE ? new->mode : was->st_mode) &&
	       st->st_uid == (edit & RECORDER_UID ? new->uid : was->st_uid) &&
	       st->st_gid == (edit & RECORDER_GID ? new->gid : was->st_gid) &&
	       st->st_size == (edit & RECORDER_SIZE ? (off_t)new->size : was->st_size) &&
	       st->st_nlink == (edit & RECORDER_NLINK ? new->nlink : was->st_nlink) &&
	       st->st_mtime == (edit & RECORDER_MTIME ? new->mtime : was->st_mtime);
}

static void probe_getattr(struct round *r)
{
	struct recorder_rule rule = { .ret = 0 };
	struct stat was, st;
	int res;

	any_attr(&r->rng, &rule);
	fstat(r->files.file, &was);
	recorder_return(r->filter, RECORDER_PRE(FUSE_GETATTR), FUSE_FILTER_POST);
	recorder_rule(r->filter, RECORDER_POST(FUSE_GETATTR), &rule);
	fuzz_doing(0, "edit of getattr");
	res = RES(fstat(r->files.file, &st));
	if (!attr_allowed(&rule, &was) ? res != -EIO : res)
		fuzz_unexpected("getattr: edit %#x of mode %#o, uid %u, gid %u: %d", rule.edit,
				rule.attr.mode, rule.attr.uid, rule.attr.gid, res);
	else if (!res && !attr_seen(&rule, &st, &was))
		fuzz_unexpected("getattr: edit %#x was not carried out", rule.edit);
	recorder_return(r->filter, RECORDER_PRE(FUSE_GETATTR), 0);
	recorder_return(r->filter, RECORDER_POST(FUSE_GETATTR), 0);
	fuzz_input();
}

/* Changes that are made or asked for: done as said, or refused, and then not at all */
static void probe_setattr(struct round *r)
{
	struct recorder_rule rule = { .ret = 0 };
	bool change = fuzz_chance(&r->rng, 60);
	/* Where mknod(2) of a regular file arrives */
	__u32 slot = RECORDER_PRE(change ? FUSE_SETATTR : FUSE_CREATE);
	struct stat st, was;
	int res;

	any_attr(&r->rng, &rule);
	fstat(r->files.file, &was);
	recorder_rule(r->filter, slot, &rule);
	fuzz_doing(0, "edit of setattr");
	if (change)
		res = RES(fchmod(r->files.file, 0600));
	else
		res = RES(mknod(in(r->files.top, "new"), S_IFREG | 0600, 0));
	recorder_return(r->filter, slot, 0);
	if (res && res != -EIO && res != -EPERM && res != -EINVAL && res != -EOVERFLOW)
		fuzz_unexpected("an edit %#x of changes: %d", rule.edit, res);
	if (rule.edit & (RECORDER_SIZE | RECORDER_NLINK | RECORDER_CTIME) && !res &&
	    rule.attr.size && rule.attr.nlink && rule.attr.ctime)
		fuzz_unexpected("an edit %#x of what cannot be changed", rule.edit);
	fstat(r->files.file, &st);
	if (res && change && st.st_mode != was.st_mode)
		fuzz_unexpected("a refused change was made");
	unlink(in(r->files.top, "new"));
	fchmod(r->files.file, 0644);
	fuzz_input();
}

static void any_ranges(struct fuzz_rng *rng, struct hostile_args *args)
{
	__u32 i;

	args->nr = fuzz_below(rng, HOSTILE_RANGES + 1);
	for (i = 0; i < args->nr; i++) {
		args->range[i].start = fuzz_below(rng, 4200);
		args->range[i].end = args->range[i].start + fuzz_below(rng, 300);
		if (fuzz_chance(rng, 10))
			args->range[i].start = fuzz_hostile(rng);
		if (fuzz_chance(rng, 10))
			args->range[i].end = fuzz_hostile(rng);
	}
}

static bool redacted(const struct hostile_args *args, __u64 pos)
{
	__u32 i;

	for (i = 0; i < args->nr; i++) {
		if (pos >= args->range[i].start && pos < args->range[i].end)
			return true;
	}
	return false;
}

static void probe_redact(struct round *r)
{
	unsigned char buf[4096];
	struct hostile_args args = {};
	off_t start = fuzz_below(&r->rng, 1024);
	size_t size = 1 + fuzz_below(&r->rng, 3000);
	ssize_t n, i;
	int fd;

	any_ranges(&r->rng, &args);
	set_args(&args);
	fuzz_doing(0, "redacted read");
	/* Never written to; see calls_tree() */
	fd = open(in(r->files.top, "d0/f1"), O_RDONLY | O_CLOEXEC);
	n = RES(pread(fd, buf, size, start));
	close(fd);
	if (n != (ssize_t)size && !(n == -EIO && args.nr > FUSE_FILTER_MAX_RANGES))
		fuzz_unexpected("a read of %zu at %ld with %u ranges: %zd", size, (long)start,
				args.nr, n);
	for (i = 0; i < n; i++) {
		if (buf[i] != (redacted(&args, start + i) ? 0 : byte_at(1, start + i)))
			break;
	}
	if (n > 0 && i < n)
		fuzz_unexpected("byte %ld of a file is %#x, redacted %d", (long)(start + i), buf[i],
				redacted(&args, start + i));
	set_args(&(struct hostile_args){});
	fuzz_input();
}

/* Any arguments; what comes of it is only that nothing is written past a buffer. */
static void probe_functions(struct round *r)
{
	struct hostile_args args = {
		.ret = FUSE_FILTER_POST,
		.what = fuzz_chance(&r->rng, 70) ? fuzz_below(&r->rng, 5) : fuzz_hostile(&r->rng),
		.off = fuzz_chance(&r->rng, 50) ? fuzz_below(&r->rng, 300) : fuzz_hostile(&r->rng),
		.size = fuzz_below(&r->rng, HOSTILE_BYTES + 1),
		.open_flags = fuzz_hostile(&r->rng),
	};
	const struct probe *probe = &probes[fuzz_below(&r->rng, nr_probes)];
	char buf[128];
	size_t room = fuzz_below(&r->rng, 64);
	ssize_t n;

	fuzz_fill(&r->rng, args.value, sizeof(args.value));
	set_args(&args);
	fuzz_doing(0, "functions");
	memset(buf, 'e', sizeof(buf));
	if (fuzz_chance(&r->rng, 50))
		n = RES(lgetxattr(in(r->files.top, "f1"), "user.p", buf, room));
	else
		n = RES(readlink(in(r->files.top, "l0"), buf, room));
	/* Without room, getxattr tells the size */
	if (room && (n > (ssize_t)room || buf[room] != 'e'))
		fuzz_unexpected("a value of %zd for room of %zu", n, room);
	n = probe->call(&r->files);
	/*
	 * With a value of the attribute that says what file capabilities there are, the
	 * VFS tries to take them away from a file that is written to, and finds none.
	 */
	if (n && n != -ENODATA)
		fuzz_unexpected("%s: %zd with a filter that calls functions", probe->name, n);
	set_args(&(struct hostile_args){});
	if (probe->undo)
		probe->undo(&r->files);
	fuzz_input();
}

static int open_files(struct round *r)
{
	struct probe_files *f = &r->files;

	f->top = r->b.mnt;
	f->dir = open_dir(r->b.mnt, 0);
	f->file = open(in(f->top, "f1"), O_RDWR | O_CLOEXEC);
	f->other = open(in(f->top, "f2"), O_RDWR | O_CLOEXEC);
	if (f->dir < 0 || f->file < 0 || f->other < 0 || mkdir(in(f->top, "empty"), 0755) ||
	    fsetxattr(f->file, "user.p", "v", 1, 0))
		return -errno;
	return 0;
}

static void close_files(struct round *r)
{
	close(r->files.file);
	close(r->files.other);
	close(r->files.dir);
}

static int round_of_probes(struct round *r)
{
	static void (*const kinds[])(struct round *r) = {
		probe_return, probe_return, probe_return, probe_getattr, probe_setattr,
		probe_redact, probe_functions,
	};
	unsigned int n = scale(1000);
	int err = open_files(r);

	if (err)
		return err;
	r->filter = &filters[fuzz_chance(&r->rng, 50) ? RECORDER : SLEEPABLE];
	err = filter_attach((struct filter *)r->filter, r->files.dir, 0, 0) ?:
	      filter_attach(&filters[HOSTILE], r->files.dir, 0, 0);
	while (!err && n--)
		FUZZ_ANY(&r->rng, kinds)(r);
	close_files(r);
	return err;
}

static void __attribute__((noreturn)) client(struct round *r, unsigned int number)
{
	unsigned int n = scale(400);
	static struct calls c;

	calls_begin(&c, fuzz_rng(fuzz_next(&r->rng), number), r->b.mnt, number);
	while (n--)
		calls_one(&c);
	calls_end(&c);
	_exit(0);
}

static void change_rule(struct fuzz_rng *rng)
{
	struct recorder_rule rule = {
		.ret = fuzz_chance(rng, 70) ? 0 : any_return(rng),
		.open_flags = fuzz_chance(rng, 20) ? (__u32)fuzz_hostile(rng) : 0,
		.value_len = fuzz_below(rng, RECORDER_TEXT + 1),
	};

	if (fuzz_chance(rng, 30))
		any_attr(rng, &rule);
	rule.edit |= fuzz_next(rng) & (RECORDER_VALUE | RECORDER_STATFS);
	fuzz_fill(rng, &rule.statfs, sizeof(rule.statfs));
	recorder_rule(&filters[fuzz_below(rng, 2)], fuzz_below(rng, RECORDER_SLOTS), &rule);
}

static void change_args(struct fuzz_rng *rng)
{
	struct hostile_args args = {};

	fuzz_words(rng, &args, sizeof(args));
	any_ranges(rng, &args);
	args.ret = fuzz_chance(rng, 70) ? 0 : any_return(rng);
	set_args(&args);
}

/* Attach a filter that is not, or detach one that is, to the mount or a directory. */
static void change_chain(struct round *r, int fds[2])
{
	struct filter *filter = &filters[fuzz_below(&r->rng, NR_FILTERS)];
	unsigned int at = fuzz_below(&r->rng, 2);
	__u32 flags = at ? FUSE_FILTER_DIRECTORY : 0;

	if (filter->fd >= 0)
		filter_detach(filter);
	else
		filter_attach(filter, fds[at], flags | (fuzz_next(&r->rng) & FUSE_FILTER_BEFORE), 0);
}

static void __attribute__((noreturn)) controller(struct round *r)
{
	int fds[2] = { open_dir(r->b.mnt, 0), open_dir(in(r->b.mnt, "d0"), 0) };

	/* A client may have removed it by now */
	if (fds[1] < 0)
		fds[1] = fds[0];
	for (;;) {
		fuzz_doing(CLIENTS, "change");
		if (fuzz_chance(&r->rng, 60))
			change_rule(&r->rng);
		else if (fuzz_chance(&r->rng, 80))
			change_args(&r->rng);
		else
			change_chain(r, fds);
		fuzz_input();
		usleep(fuzz_below(&r->rng, 500));
	}
}

static int forget_rules(void)
{
	const struct recorder_rule none = {};
	__u32 slot;
	int err = set_args(&(struct hostile_args){});

	for (slot = 0; slot < RECORDER_SLOTS && !err; slot++)
		err = recorder_rule(&filters[RECORDER], slot, &none) ?:
		      recorder_rule(&filters[SLEEPABLE], slot, &none);
	return err;
}

static int round_of_storms(struct round *r)
{
	pid_t pids[CLIENTS + 1];
	unsigned int i;
	int status;

	for (i = 0; i <= CLIENTS; i++) {
		fuzz_next(&r->rng);
		pids[i] = fork();
		if (pids[i])
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (i < CLIENTS)
			client(r, i);
		controller(r);
	}
	for (i = 0; i < CLIENTS; i++) {
		if (waitpid(pids[i], &status, 0) != pids[i] || status)
			fuzz_unexpected("a client ended with wait status %#x", status);
	}
	kill(pids[CLIENTS], SIGKILL);
	waitpid(pids[CLIENTS], NULL, 0);
	return forget_rules();
}

static int run_round(__u64 seed)
{
	static struct round r;
	int err, err2;

	r = (struct round){ .rng = fuzz_rng(seed, 0) };
	err = backed_make(&r.b, "tmpfs") ?: calls_tree(r.b.back) ?:
	      backed_mount(&r.b, BACKED_ALLOW_OTHER) ?: forget_rules();
	if (!err)
		err = fuzz_chance(&r.rng, 60) ? round_of_probes(&r) : round_of_storms(&r);
	fuzz_doing(0, "unmount");
	err2 = backed_destroy(&r.b);
	return err ?: err2;
}

int main(int argc, char **argv)
{
	int dev = open(device_path(), O_RDWR | O_CLOEXEC);

	if (dev < 0 || ioctl(dev, FUSE_IOC_QUERY, &query) ||
	    recorder_load(&filters[RECORDER], "recorder", false, NULL) ||
	    recorder_load(&filters[SLEEPABLE], "recorder", true, NULL) ||
	    filter_load(&filters[HOSTILE], "hostile"))
		return 1;
	close(dev);
	return fuzz_main(argc, argv, run_round);
}
