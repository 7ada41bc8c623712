// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a filter hides cannot be reached by any way, by name or by listing, while
 * others may and do use it and the tree is changed behind the mount. All that is to be
 * hidden carries a mark, by which it would be known wherever it came up, and whoever
 * tries learns the same of a name whether it is there or not.
 */
#include <bpf/bpf.h>
#include <dirent.h>
#include <fcntl.h>
#include <fuse_bpf.h>
#include <grp.h>
#include <linux/fuse.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "backed_fixture.h"
#include "filter_fixture.h"
#include "harness.h"
#include "oracle.h"
#include "reach.h"

/* The group of all that is to be hidden, and the text in it */
#define SECRET_GROUP 6666
#define SECRET "SECRET"

/**
 * struct model - what USER1 must not see
 * @filter: object, NULL: a policy that is loaded by the command
 * @at: directory that it is attached to, "": the mount
 * @moved: where the directory "d/e" goes now and then
 * @dirs: directories in which names are hidden
 * @hidden: names there that are now and then
 * @tried: names that are tried, those and what is below or beside them
 */
struct model {
	const char *filter;
	const char *at;
	const char *moved;
	const char *dirs[4];
	const char *hidden[4];
	const char *tried[8];
};

#define HIDDEN { "secret", "vault", "key.pem" }
#define TRIED(never) \
	{ "secret", "vault", "key.pem", never, "vault/inside", "vault/../mine", "vault/." }

static const struct model hide_model = {
	.filter = "../bpf/hide",
	.at = "",
	.moved = "f",
	.dirs = { ".", "d", "d/e" },
	.hidden = HIDDEN,
	.tried = TRIED("none.pem"),
};

/* The same for all that is below one directory */
static const struct model hide_below_model = {
	.filter = "../bpf/hide",
	.at = "d",
	.moved = "d/f",
	.dirs = { "d", "d/e" },
	.hidden = HIDDEN,
	.tried = TRIED("none.pem"),
};

/* And by a policy, whose names are patterns */
static const struct model policy_model = {
	.at = "",
	.moved = "f",
	.dirs = { ".", "d", "d/e" },
	.hidden = HIDDEN,
	.tried = TRIED("none.pem"),
};

static const struct model own_only_model = {
	.filter = "../bpf/own_only",
	.at = "",
	.moved = "f",
	.dirs = { "." },
	.hidden = HIDDEN,
	.tried = TRIED("nobodys"),
};

/**
 * struct score - what all processes count
 * @tries: ways that were tried
 * @breaches: that should not have succeeded, or said something else than "no such name"
 * @seen: how often the one who may see it saw a secret
 */
struct score {
	unsigned long tries;
	unsigned long breaches;
	unsigned long seen;
};

FIXTURE(secrecy)
{
	struct backed b;
	struct filter filter;
	struct score *score;
	int dir;
	pid_t others[3];
};

FIXTURE_VARIANT(secrecy)
{
	const struct model *model;
};

FIXTURE_VARIANT_ADD(secrecy, hide) { .model = &hide_model };
FIXTURE_VARIANT_ADD(secrecy, hide_below) { .model = &hide_below_model };
FIXTURE_VARIANT_ADD(secrecy, policy) { .model = &policy_model };
FIXTURE_VARIANT_ADD(secrecy, own_only) { .model = &own_only_model };

static int set(const struct filter *filter, const char *map, const char *name, __u32 value)
{
	char key[64] = "";

	strcpy(key, name);
	return bpf_map_update_elem(bpf_object__find_map_fd_by_name(filter->obj, map), key,
				   &value, BPF_ANY);
}

static int set_uid(const struct filter *filter, const char *map, __u32 uid)
{
	return bpf_map_update_elem(bpf_object__find_map_fd_by_name(filter->obj, map), &uid,
				   &(__u8){ 1 }, BPF_ANY);
}

static int configure_hide(const struct filter *filter)
{
	char suffix[32] = ".pem";
	int err = set(filter, "hide_names", "secret", 1);

	err = err ? err : set(filter, "hide_names", "vault", 1);
	err = err ? err : bpf_map_update_elem(bpf_object__find_map_fd_by_name(filter->obj,
					      "hide_suffixes"), suffix, &(__u8){ 1 }, BPF_ANY);
	return err ? err : set_uid(filter, "allow_uids", USER2);
}

static int configure_own_only(const struct filter *filter)
{
	static const char *const mine[] = {
		"mine", "d", "f", "made-by-link", "made-by-rename",
	};
	static const char *const theirs[] = { "secret", "vault", "key.pem" };
	size_t i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(mine) && !err; i++)
		err = set(filter, "own_names", mine[i], USER1);
	for (i = 0; i < ARRAY_SIZE(theirs) && !err; i++)
		err = set(filter, "own_names", theirs[i], USER2);
	return err;
}

static int configure(const struct filter *filter, const struct model *model)
{
	return model == &own_only_model ? configure_own_only(filter) : configure_hide(filter);
}

static int attach(struct filter *filter, int dir, const struct model *model)
{
	int err = filter_load(filter, model->filter);

	err = err ? err : configure(filter, model);
	return err ? err : filter_attach(filter, dir, 0, 0);
}

#define COMMAND "build/tools/fuse-bpf"

static int load_policy(const struct backed *b)
{
	const char *path = in(b->top, "policy.conf");
	int err = make_file(path, "rules = ( { names = [\"secret\", \"vault\", \"*.pem\"];"
			    " action = \"hide\"; uid = 1001; } );\n", 0644);

	return err ? err : sh(COMMAND " policy load %s %s >/dev/null", b->mnt, path);
}

FIXTURE_SETUP(secrecy)
{
	const struct model *model = variant->model;
	size_t i;

	self->filter = FILTER_NONE;
	self->score = mmap(NULL, sizeof(*self->score), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->score);
	ASSERT_EQ(0, backed_make(&self->b, "tmpfs"));
	ASSERT_EQ(0, RES(chmod(self->b.back, 0777)));
	ASSERT_EQ(0, make_dir(in(self->b.back, "d"), 0777));
	ASSERT_EQ(0, make_dir(in(self->b.back, "d/e"), 0777));
	for (i = 0; model->dirs[i]; i++)
		ASSERT_EQ(0, make_file(in(self->b.back, "%s/mine", model->dirs[i]), "mine", 0666));
	ASSERT_EQ(0, backed_mount(&self->b, BACKED_ALLOW_OTHER | BACKED_DAEMON));
	self->dir = open_dir(in(self->b.mnt, "%s", model->at), 0);
	ASSERT_LE(0, self->dir);
	ASSERT_EQ(0, model->filter ? attach(&self->filter, self->dir, model) :
				     load_policy(&self->b));
}

FIXTURE_TEARDOWN(secrecy)
{
	if (!variant->model->filter)
		EXPECT_EQ(0, sh(COMMAND " policy unload %s >/dev/null", self->b.mnt));
	filter_destroy(&self->filter);
	close(self->dir);
	EXPECT_EQ(0, backed_destroy(&self->b));
	munmap(self->score, sizeof(*self->score));
}

static unsigned int length(const char *const *list)
{
	unsigned int nr = 0;

	while (list[nr])
		nr++;
	return nr;
}

static const char *pick(const char *const *list, struct rng *rng)
{
	return list[rng_below(rng, length(list))];
}

/* Something that is to be hidden, complete before it has its name; so is where it is made */
static void make_secret(const char *dir, const char *path, struct rng *rng)
{
	const char *made = in(dir, "made.pem");

	switch (rng_below(rng, 3)) {
	case 0:
		make_file(made, SECRET, 0666);
		setxattr(made, "user.mark", SECRET, strlen(SECRET), 0);
		break;
	case 1:
		make_dir(made, 0777);
		make_file(in(made, "inside"), SECRET, 0666);
		(void)!chown(in(made, "inside"), 0, SECRET_GROUP);
		break;
	default:
		(void)!symlink(SECRET, made);
	}
	(void)!lchown(made, 0, SECRET_GROUP);
	(void)!rename(made, path);
	/* What could not take its place: a directory that of a file, and the reverse */
	unlink(made);
	unlink(in(made, "inside"));
	rmdir(made);
}

/* Change the backing all the time, moving secrets only to where they are hidden. */
static void churn(const struct backed *b, const struct model *model, struct rng *rng)
{
	const char *from = in(b->back, "%s/%s", pick(model->dirs, rng), pick(model->hidden, rng));
	const char *to = in(b->back, "%s/%s", pick(model->dirs, rng), pick(model->hidden, rng));

	switch (rng_below(rng, 8)) {
	case 0:
		unlink(from);
		break;
	case 1:
		unlink(in(from, "inside"));
		rmdir(from);
		break;
	case 2:
		(void)!rename(from, to);
		break;
	case 3:
		(void)!renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE);
		break;
	case 4:
		(void)!link(from, to);
		break;
	case 5:
		(void)!renameat2(AT_FDCWD, in(b->back, "d/e"), AT_FDCWD,
				 in(b->back, "%s", model->moved), 0);
		(void)!renameat2(AT_FDCWD, in(b->back, "%s", model->moved), AT_FDCWD,
				 in(b->back, "d/e"), 0);
		break;
	case 6:
		replace_file(in(b->back, "%s/mine", pick(model->dirs, rng)), "mine");
		chmod(in(b->back, "%s/mine", pick(model->dirs, rng)), 0666);
		break;
	default:
		make_secret(in(b->back, "%s", model->dirs[0]), to, rng);
	}
}

/* Who may see all, and has it in the caches therefore */
static void enjoy(const struct backed *b, const struct model *model, struct rng *rng,
		  struct score *score)
{
	const char *path = in(b->mnt, "%s/%s", pick(model->dirs, rng), pick(model->tried, rng));
	struct stat st;
	int fd;

	if (!lstat(path, &st) && st.st_gid == SECRET_GROUP)
		__atomic_fetch_add(&score->seen, 1, __ATOMIC_RELAXED);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
}

static void breach(struct score *score, const char *what, const char *name, long ret)
{
	if (__atomic_fetch_add(&score->breaches, 1, __ATOMIC_RELAXED) < 5)
		say("%s of %s: %s", what, name, ret < 0 ? strerrorname_np(-ret) : "reached");
}

static void try_name(const struct model *model, struct rng *rng, struct score *score)
{
	const struct reach *way = &reaches[rng_below(rng, nr_reaches)];
	const char *name = pick(model->tried, rng);
	long ret = way->run(name, "mine");

	__atomic_fetch_add(&score->tries, 1, __ATOMIC_RELAXED);
	/* Nothing that the dcache alone could tell is told, not even that it is there */
	if (ret != (way->cached ? -EAGAIN : -ENOENT))
		breach(score, way->name, name, ret);
}

static bool is_hidden(const struct model *model, const char *name)
{
	unsigned int i;

	for (i = 0; model->hidden[i]; i++) {
		if (!strcmp(model->hidden[i], name))
			return true;
	}
	return strstr(name, ".pem");
}

/* What has been found in a listing must be what may be seen. */
static void look_at(const char *name, struct score *score)
{
	char text[16] = "";
	struct stat st;
	int fd = open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return;
	if (!fstat(fd, &st) && st.st_gid == SECRET_GROUP)
		breach(score, "a listing's inode", name, 0);
	if (read(fd, text, sizeof(text) - 1) > 0 && !strcmp(text, SECRET))
		breach(score, "a listing's text", name, 0);
	close(fd);
}

/* List the working directory from anywhere. */
static void try_listing(const struct model *model, struct rng *rng, struct score *score)
{
	DIR *dir = opendir(".");
	struct dirent *entry;

	if (!dir)
		return;
	if (rng_below(rng, 2))
		seekdir(dir, rng_below(rng, 16));
	while ((entry = readdir(dir))) {
		if (is_hidden(model, entry->d_name))
			breach(score, "listing", entry->d_name, 0);
		else if (strcmp(entry->d_name, ".."))
			look_at(entry->d_name, score);
	}
	closedir(dir);
	__atomic_fetch_add(&score->tries, 1, __ATOMIC_RELAXED);
}

static void walk(const struct backed *b, const struct model *model, struct rng *rng,
		 struct score *score)
{
	unsigned int i, nr = scale(6000);

	for (i = 0; i < nr; i++) {
		/* A directory may be on its way from one place to another */
		if (i % 16 == 0 && chdir(in(b->mnt, "%s", pick(model->dirs, rng))))
			continue;
		if (rng_below(rng, 16))
			try_name(model, rng, score);
		else
			try_listing(model, rng, score);
	}
}

static int become(uid_t uid)
{
	return setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid);
}

enum role { WALKER, CHURNER, FRIEND };

static pid_t start(const FIXTURE_DATA(secrecy) *self, const struct model *model, enum role role,
		   uint64_t seed)
{
	struct rng rng = { seed };
	pid_t pid = fork();

	if (pid)
		return pid;
	if (role != CHURNER && become(role == WALKER ? USER1 : USER2))
		_exit(1);
	if (role == WALKER) {
		walk(&self->b, model, &rng, self->score);
		_exit(0);
	}
	while (1) {
		if (role == CHURNER)
			churn(&self->b, model, &rng);
		else
			enjoy(&self->b, model, &rng, self->score);
	}
}

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Entries of directories that the filter "hide" has refused, which are no requests */
static __u64 entries_hidden(const struct filter *filter)
{
	__u64 hits[256] = { 0 }, sum = 0;
	__u32 dirent = 1;
	int i, nr = libbpf_num_possible_cpus();

	bpf_map_lookup_elem(bpf_object__find_map_fd_by_name(filter->obj, "hide_hits"), &dirent,
			    hits);
	for (i = 0; i < nr; i++)
		sum += hits[i];
	return sum;
}

/* What the filter refused is what the mount counted, and nobody asked the daemon. */
static bool counters_balance(const FIXTURE_DATA(secrecy) *self, bool has_hits)
{
	struct fuse_filter_info info = { 0 };
	__u64 denied = 0, daemon = 0, entries;
	struct op_counts counts;
	int op;

	if (counts_read(self->dir, &counts) || fuse_bpf_list(self->dir, &info, 1) != 1)
		return false;
	for (op = 0; op < NR_OPS; op++) {
		denied += counts.ops[op].denied;
		daemon += op == FUSE_INIT ? 0 : counts.ops[op].daemon;
	}
	entries = has_hits ? entries_hidden(&self->filter) : info.denied - denied;
	say("%llu refused, %llu entries hidden, %llu requests sent, %u came", denied, entries,
	    daemon, raw_server_total(self->b.server));
	return denied + entries == info.denied && denied <= info.denied && !daemon &&
	       !raw_server_total(self->b.server);
}

TEST_F(secrecy, nothing_hidden_is_reached)
{
	pid_t churner = start(self, variant->model, CHURNER, 1);
	pid_t friend = start(self, variant->model, FRIEND, 2);
	pid_t walkers[2];
	int i, status;

	for (i = 0; i < 2; i++)
		walkers[i] = start(self, variant->model, WALKER, 10 + i);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(walkers[i], waitpid(walkers[i], &status, 0));
		EXPECT_EQ(0, status);
	}
	stop(churner);
	stop(friend);
	say("%lu tries, %lu breaches, %lu sights of who may", self->score->tries,
	    self->score->breaches, self->score->seen);
	EXPECT_EQ(0, self->score->breaches);
	EXPECT_LT(100, self->score->tries);
	EXPECT_LT(10, self->score->seen);
	EXPECT_TRUE(counters_balance(self, variant->model == &hide_model ||
					   variant->model == &hide_below_model));
}

TEST_HARNESS_MAIN
