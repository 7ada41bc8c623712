// SPDX-License-Identifier: GPL-2.0-only
/*
 * storm: everything at once. Users make any calls on a mount while filters are attached to
 * it and to its directories, detached, replaced, and lose their links; then the mount or its
 * daemon dies in some way, and may be mounted again, under the same load. In the end nothing
 * is held: mount and backing can be unmounted, there are no connections and no filters, and
 * the module has no users, is unloaded, and loaded again.
 */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../harness/backed_fixture.h"
#include "../harness/recorder.h"
#include "../harness/scripted.h"
#include "../harness/util.h"
#include <fuse_bpf.h>
#include "calls.h"

#define USERS 3
#define CHANGERS 2
#define LINKS 3

/* The guest's init has it mounted; whatever else is in this mount namespace has not. */
#define CONTROL "/sys/fs/fuse_bpf/connections"

enum { SCRIPTED, SCRIPTED_SLEEPS, RECORDER, RECORDER_SLEEPS, NR_FILTERS };

struct round {
	__u64 seed;
	struct fuzz_rng rng;
	struct backed b;
	unsigned int flags;
	char control[64];
	struct filter filters[NR_FILTERS];
	pid_t pids[USERS + CHANGERS];
	int refs;
};

static bool is_module(void)
{
	return strcmp(fs_type(), "fuse");
}

/* Users of the module, 0 also if there is none */
static int module_refs(void)
{
	char text[16];

	return read_file("/sys/module/fuse_bpf/refcnt", text, sizeof(text)) > 0 ? atoi(text) : 0;
}

/* Is it so before long? What waits for grace periods or other processors takes a while. */
static bool soon(bool (*is)(struct round *r), struct round *r)
{
	int i;

	for (i = 0; !is(r); i++) {
		if (i == 100 * test_time_limit())
			return false;
		fuzz_doing(0, "wait for what goes");
		usleep(10000);
	}
	return true;
}

static bool unloads(struct round *r)
{
	(void)r;
	return !syscall(SYS_delete_module, "fuse_bpf", O_NONBLOCK);
}

/* Before there is a mount: nothing of the rounds before holds the module. */
static void reload(struct round *r)
{
	int fd = open("build/module/fuse_bpf.ko", O_RDONLY | O_CLOEXEC);

	fuzz_doing(0, "reload");
	if (umount(CONTROL) || !soon(unloads, r))
		fuzz_unexpected("the module cannot be unloaded: %s", strerror(errno));
	else if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
		fuzz_unexpected("the module cannot be loaded: %s", strerror(errno));
	if (mount("none", CONTROL, "fusectl_bpf", 0, NULL))
		fuzz_unexpected("the control file system cannot be mounted: %s", strerror(errno));
	close(fd);
	fuzz_input();
}

static int load_filters(struct round *r)
{
	struct filter *f = r->filters;
	int i, err;

	for (i = 0; i < NR_FILTERS; i++)
		f[i] = FILTER_NONE;
	err = scripted_load(&f[SCRIPTED], false, NULL) ?:
	      scripted_load(&f[SCRIPTED_SLEEPS], true, NULL) ?:
	      recorder_load(&f[RECORDER], "recorder", false, NULL) ?:
	      recorder_load(&f[RECORDER_SLEEPS], "recorder", true, NULL);
	/* The links are the changers' */
	for (i = 0; i < NR_FILTERS && !err; i++)
		filter_unregister(&f[i]);
	return err;
}

static void __attribute__((noreturn)) user(const struct round *r, unsigned int number)
{
	static const uid_t uids[USERS] = { 0, USER1, USER2 };
	static struct calls c;
	uid_t uid = uids[number];

	if (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		_exit(1);
	calls_begin(&c, fuzz_rng(r->seed, 10 + number), r->b.mnt, number);
	for (;;)
		calls_one(&c);
}

/**
 * struct changer - one who changes what is attached
 * @r: to what
 * @rng: numbers
 * @links: its filters
 * @ids: of their attachments, 0: not attached
 */
struct changer {
	struct round *r;
	struct fuzz_rng rng;
	struct bpf_link *links[LINKS];
	__u32 ids[LINKS];
};

static int map_fd(struct changer *c)
{
	return bpf_map__fd(c->r->filters[fuzz_below(&c->rng, NR_FILTERS)].map);
}

static void expect(const char *what, int err, const int *errs)
{
	while (*errs && *errs != err)
		errs++;
	if (err < 0 && !*errs)
		fuzz_unexpected("%s: %s", what, strerror(-err));
	fuzz_input();
}

#define EXPECT(what, err, ...) expect(what, err, (const int []){ __VA_ARGS__, 0 })

static void new_link(struct changer *c, unsigned int i)
{
	struct filter *filter = &c->r->filters[fuzz_below(&c->rng, NR_FILTERS)];

	if (c->links[i])
		bpf_link__destroy(c->links[i]);
	c->links[i] = bpf_map__attach_struct_ops(filter->map);
	if (!c->links[i])
		fuzz_unexpected("no link: %s", strerror(errno));
}

/* A directory of the mount; it may be gone, be it the mount or the directory */
static int some_dir(struct changer *c, bool *deep)
{
	static const char *const dirs[] = { "d0", "d1", "d0/d1" };

	*deep = fuzz_chance(&c->rng, 50);
	return open_dir(*deep ? in(c->r->b.mnt, "%s", FUZZ_ANY(&c->rng, dirs)) : c->r->b.mnt, 0);
}

static void attach(struct changer *c, unsigned int i)
{
	FUSE_BPF_OPTS(fuse_bpf_attach_opts, opts);
	bool deep;
	int dir = some_dir(c, &deep);

	if (dir < 0 || !c->links[i])
		return;
	opts.flags = fuzz_next(&c->rng) & (FUSE_FILTER_BEFORE | FUSE_FILTER_FAIL_OPEN);
	if (deep && fuzz_chance(&c->rng, 70))
		opts.flags |= FUSE_FILTER_DIRECTORY;
	/* EINVAL, ENOTTY: what is below the mount point, where there is no mount any more */
	EXPECT("attach", fuse_bpf_attach(dir, bpf_link__fd(c->links[i]), &c->ids[i], &opts),
	       -EEXIST, -ENOSPC, -ENODEV, -ENOTTY, -EINVAL);
	close(dir);
}

static void detach(struct changer *c, unsigned int i)
{
	bool deep;
	int dir = some_dir(c, &deep);

	if (dir < 0)
		return;
	EXPECT("detach", fuse_bpf_detach(dir, c->ids[i]), -ENOENT, -ENOTTY, -EINVAL);
	close(dir);
}

static void replace(struct changer *c, unsigned int i)
{
	if (c->links[i])
		EXPECT("replace", bpf_link_update(bpf_link__fd(c->links[i]), map_fd(c), NULL), 0);
}

static void list(struct changer *c)
{
	struct fuse_filter_info infos[4];
	struct op_counts counts;
	bool deep;
	int nr, dir = some_dir(c, &deep);

	if (dir < 0)
		return;
	/* Without a mount, there is another directory */
	nr = fuse_bpf_list(dir, infos, fuzz_below(&c->rng, 5));
	EXPECT("list", nr, -ENOTTY);
	if (nr >= 0)
		EXPECT("counts", counts_read(dir, &counts), 0);
	sh("cat %s/* >/dev/null 2>&1", c->r->control);
	close(dir);
}

static void rule(struct changer *c)
{
	static const int verdicts[] = {
		0, 0, FUSE_FILTER_POST, FUSE_FILTER_BACKING, FUSE_FILTER_DAEMON, -ENOENT, -EACCES,
	};
	static const char *const names[] = { "f0", "f1", "d0", "d1", "l0" };
	struct filter *f = c->r->filters;
	int verdict = FUZZ_ANY(&c->rng, verdicts);

	if (fuzz_chance(&c->rng, 50))
		recorder_return(&f[RECORDER + fuzz_below(&c->rng, 2)],
				fuzz_below(&c->rng, RECORDER_SLOTS), verdict);
	else
		scripted_rule(&f[SCRIPTED + fuzz_below(&c->rng, 2)], FUSE_LOOKUP,
			      fuzz_chance(&c->rng, 50) ? USER1 : SCRIPTED_ANY_UID,
			      FUZZ_ANY(&c->rng, names), verdict & ~FUSE_FILTER_POST);
	fuzz_input();
}

/* As long as filters are loaded, this must not work. */
static void try_unload(void)
{
	if (is_module())
		EXPECT("unload in use", syscall(SYS_delete_module, "fuse_bpf", O_NONBLOCK) ?
		       -errno : -EISNAM, -EAGAIN, -EBUSY);
}

static void __attribute__((noreturn)) changer(struct round *r, unsigned int number)
{
	struct changer c = { .r = r, .rng = fuzz_rng(r->seed, 20 + number) };
	unsigned int i;

	for (;;) {
		fuzz_doing(USERS + number, "change");
		i = fuzz_below(&c.rng, LINKS);
		switch (fuzz_below(&c.rng, 12)) {
		case 0: case 1:
			new_link(&c, i);
			break;
		case 2: case 3: case 4:
			attach(&c, i);
			break;
		case 5: case 6:
			detach(&c, i);
			break;
		case 7: case 8:
			replace(&c, i);
			break;
		case 9:
			list(&c);
			break;
		case 10:
			rule(&c);
			break;
		default:
			try_unload();
		}
	}
}

static void start(struct round *r)
{
	unsigned int i;

	for (i = 0; i < USERS + CHANGERS; i++) {
		r->pids[i] = fork();
		if (r->pids[i])
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (i < USERS)
			user(r, i);
		changer(r, i - USERS);
	}
}

static void finish(struct round *r)
{
	unsigned int i;
	int status;

	for (i = 0; i < USERS + CHANGERS; i++)
		kill(r->pids[i], SIGKILL);
	for (i = 0; i < USERS + CHANGERS; i++) {
		fuzz_doing(0, "kill");
		if (waitpid(r->pids[i], &status, 0) != r->pids[i] || !WIFSIGNALED(status))
			fuzz_unexpected("process %u ended with wait status %#x", i, status);
	}
}

static int mount_it(struct round *r)
{
	int err = backed_mount(&r->b, r->flags);

	return err ?: RES(mount(NULL, r->b.mnt, NULL,
				MS_REMOUNT | MS_BIND | MS_NODEV | MS_NOSUID, NULL));
}

static void end_daemon(struct round *r)
{
	if (!r->b.server)
		return;
	raw_server_free(r->b.server);
	r->b.server = NULL;
	close(r->b.dev);
	r->b.dev = -1;
}

/* The end of the mount, or of what serves it, while it is in use */
static void die(struct round *r)
{
	switch (fuzz_below(&r->rng, 5)) {
	case 0:
		fuzz_doing(0, "umount -l");
		if (umount2(r->b.mnt, MNT_DETACH))
			fuzz_unexpected("umount -l: %s", strerror(errno));
		end_daemon(r);
		r->b.mounted = false;
		break;
	case 1:
		fuzz_doing(0, "umount -f");
		r->b.mounted = umount2(r->b.mnt, MNT_FORCE);
		if (r->b.mounted && errno != EBUSY)
			fuzz_unexpected("umount -f: %s", strerror(errno));
		if (!r->b.mounted)
			end_daemon(r);
		break;
	case 2:
		fuzz_doing(0, "abort");
		if (sh("echo 1 >%s/abort", r->control))
			fuzz_unexpected("the connection cannot be aborted");
		break;
	case 3:
		fuzz_doing(0, "kill the daemon");
		end_daemon(r);
		break;
	default:
		break;
	}
	fuzz_input();
}

static void again(struct round *r)
{
	int err;

	fuzz_doing(0, "mount again");
	if (r->b.mounted || fuzz_chance(&r->rng, 30))
		return;
	err = mount_it(r);
	if (err)
		fuzz_unexpected("it cannot be mounted again: %s", strerror(-err));
	fuzz_input();
}

static void pause_for(struct round *r)
{
	/* Microseconds: any moment is a good one, and none is waited for */
	usleep(fuzz_below(&r->rng, flavour_is_debug() ? 4000000 : 1000000));
}

static bool unmounts(struct round *r)
{
	return umount(r->b.mnt) == 0 || errno != EBUSY;
}

static bool backing_unmounts(struct round *r)
{
	return umount(r->b.back) == 0 || errno != EBUSY;
}

static bool no_connections(struct round *r)
{
	DIR *dir = opendir(in(r->b.top, "control"));
	struct dirent *entry;
	bool none = dir;

	while (dir && (entry = readdir(dir)))
		none = none && entry->d_name[0] == '.';
	if (dir)
		closedir(dir);
	return none;
}

/* Maps that are filters hold what they were made of, and the module. */
static bool no_filters(struct round *r)
{
	struct bpf_map_info info;
	__u32 id = 0, size;
	bool none = true;
	int fd;

	while (none && !bpf_map_get_next_id(id, &id)) {
		fd = bpf_map_get_fd_by_id(id);
		size = sizeof(info);
		memset(&info, 0, size);
		none = fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) ||
		       info.type != BPF_MAP_TYPE_STRUCT_OPS;
		if (fd >= 0)
			close(fd);
	}
	return none && module_refs() <= r->refs;
}

/* All of it is let go of. */
static void end(struct round *r)
{
	unsigned int i;

	fuzz_doing(0, "unmount");
	if (r->b.mounted && !soon(unmounts, r))
		fuzz_unexpected("the mount is held");
	r->b.mounted = false;
	end_daemon(r);
	if (!soon(backing_unmounts, r))
		fuzz_unexpected("the backing is held");
	for (i = 0; i < NR_FILTERS; i++)
		filter_destroy(&r->filters[i]);
	if (!soon(no_connections, r))
		fuzz_unexpected("a connection is left");
	umount(in(r->b.top, "control"));
	if (!soon(no_filters, r))
		fuzz_unexpected("a filter is left, or %d users of the module", module_refs());
}

static int run_round(__u64 seed)
{
	static struct round r;
	int err;

	r = (struct round){ .seed = seed, .rng = fuzz_rng(seed, 0) };
	if (is_module() && fuzz_chance(&r.rng, 30))
		reload(&r);
	r.refs = module_refs();
	r.flags = BACKED_ALLOW_OTHER | (fuzz_chance(&r.rng, 50) ? BACKED_DAEMON : 0);
	err = load_filters(&r) ?: backed_make(&r.b, "tmpfs") ?: calls_tree(r.b.back) ?:
	      mount_it(&r) ?: control_mount(&r.b, r.control, sizeof(r.control));
	if (err)
		return err;
	start(&r);
	pause_for(&r);
	die(&r);
	pause_for(&r);
	again(&r);
	pause_for(&r);
	finish(&r);
	end(&r);
	umount2(r.b.top, MNT_DETACH);
	rmdir(r.b.top);
	return 0;
}

/* What is refused here is meant to be. */
static void quiet(const char *line, void *arg)
{
	(void)line;
	(void)arg;
}

int main(int argc, char **argv)
{
	fuse_bpf_set_log(quiet, NULL);
	return fuzz_main(argc, argv, run_round);
}
