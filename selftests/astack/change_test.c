// SPDX-License-Identifier: GPL-2.0-only
/*
 * A shared storage whose filters are changed under it, and one that does not end.
 */
#include <bpf/bpf.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "astack_fixture.h"
#include "filter_fixture.h"
#include "harness.h"

#define APP	"Android/data/com.demo.game"
#define PINS	"/sys/fs/bpf/astack"
#define OBJECT	"/src/build/tools/obj/astack/astack.bpf.o"

static int stat_it(void *arg)
{
	struct stat st;

	return RES(stat(arg, &st));
}

FIXTURE(filters)
{
	int dir;
};

FIXTURE_SETUP(filters)
{
	ASSERT_EQ(0, astack_start());
	self->dir = open(ASTACK_MNT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT_LE(0, self->dir);
}

FIXTURE_TEARDOWN(filters)
{
	close(self->dir);
	EXPECT_EQ(0, astack_stop());
}

/* One process that is refused and one that is let in, until the pipe is closed */
struct walker {
	char path[128];
	int wanted;
	int stop;
};

static int walk_often(void *arg)
{
	const struct walker *walker = arg;
	struct pollfd closed = { .fd = walker->stop };
	unsigned int i = 0;
	int err;

	do {
		err = stat_it((void *)walker->path);
		if (err != walker->wanted) {
			say("%s: %d, not %d, after %u", walker->path, err, walker->wanted, i);
			return 1;
		}
	} while (++i % 64 || !poll(&closed, 1, 0));
	return 0;
}

static pid_t start_walking(enum astack_caller_id id, int wanted, const int pipes[2])
{
	struct walker walker = { .wanted = wanted, .stop = pipes[0] };
	pid_t pid = fork();

	if (pid)
		return pid;
	close(pipes[1]);
	snprintf(walker.path, sizeof(walker.path), "%s", astack_path(APP));
	_exit(astack_as(id, walk_often, &walker) ? 1 : 0);
}

/* A map that was registered can take another one's place in a link, also when it is no more */
static int make_ready(struct bpf_map *map)
{
	struct bpf_link *link = map ? bpf_map__attach_struct_ops(map) : NULL;

	return link ? bpf_link__destroy(link) : -errno;
}

/* The same programs once more, with the maps that are in use */
static struct bpf_object *load_again(void)
{
	struct bpf_object *obj = bpf_object__open_file(OBJECT, NULL);
	struct bpf_map *map;
	char path[128];
	int fd;

	if (!obj)
		return NULL;
	bpf_object__for_each_map(map, obj) {
		snprintf(path, sizeof(path), PINS "/%s", bpf_map__name(map));
		fd = bpf_obj_get(path);
		if (fd >= 0 && bpf_map__reuse_fd(map, fd)) {
			bpf_object__close(obj);
			return NULL;
		}
		close(fd);
	}
	if (bpf_object__load(obj) || make_ready(bpf_object__find_map_by_name(obj, "astack_priv"))) {
		bpf_object__close(obj);
		return NULL;
	}
	return obj;
}

/* S20: replaced under those who walk, and never open to the one or closed to the other */
TEST_F(filters, replaced_under_walks)
{
	int link = bpf_obj_get(PINS "/link_astack_priv"), pipes[2], status, i, err = 0;
	struct bpf_object *obj[2] = { load_again(), load_again() };
	struct bpf_map *map;
	pid_t spy, game;

	ASSERT_LE(0, link);
	ASSERT_NE(NULL, obj[0]);
	ASSERT_NE(NULL, obj[1]);
	ASSERT_EQ(0, RES(pipe2(pipes, O_CLOEXEC)));
	spy = start_walking(SPY, -ENOENT, pipes);
	game = start_walking(GAME, 0, pipes);
	close(pipes[0]);
	for (i = 0; i < (int)scale(100) && !err; i++) {
		map = bpf_object__find_map_by_name(obj[i % 2], "astack_priv");
		err = bpf_link_update(link, bpf_map__fd(map), NULL);
	}
	EXPECT_EQ(0, err);
	close(pipes[1]);
	ASSERT_EQ(spy, waitpid(spy, &status, 0));
	EXPECT_EQ(0, status);
	ASSERT_EQ(game, waitpid(game, &status, 0));
	EXPECT_EQ(0, status);
	bpf_object__close(obj[0]);
	bpf_object__close(obj[1]);
	close(link);
	/* The map in the link is what holds the programs */
	EXPECT_EQ(-ENOENT, astack_try(SPY, stat_it, astack_path(APP)));
	EXPECT_EQ(0, astack_try(GAME, stat_it, astack_path(APP)));
}

/* S20: one that does not end by itself is ended, and what the others say counts */
TEST_F(filters, at_the_limit_of_run_time)
{
	struct filter filter = FILTER_NONE;
	struct bpf_map *map;
	__u32 *uid;
	size_t size;

	ASSERT_EQ(0, filter_open(&filter, "endless", NULL));
	map = bpf_object__find_map_by_name(filter.obj, ".rodata");
	ASSERT_NE(NULL, map);
	uid = bpf_map__initial_value(map, &size);
	ASSERT_LE(sizeof(*uid), size);
	*uid = 10105;
	ASSERT_EQ(0, filter_register(&filter));
	ASSERT_EQ(0, filter_attach(&filter, self->dir, 0, 0));
	EXPECT_EQ(-ENOENT, astack_try(SPY, stat_it, astack_path(APP)));
	EXPECT_EQ(0, astack_try(GAME, stat_it, astack_path(APP)));
	filter_destroy(&filter);
}

TEST_HARNESS_MAIN
