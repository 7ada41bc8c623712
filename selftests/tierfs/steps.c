// SPDX-License-Identifier: GPL-2.0-only
/*
 * steps: the daemon's side of tierfs without a kernel of ours, for check.sh, which kills it at
 * each of its steps. The filter's maps are an array, and what requests would do is done by
 * the functions that requests call.
 *
 *	steps first|work|check URL DIRECTORY
 *
 * first has three files sent and evicts two of them. work changes one, renames one and removes
 * one, and waits until the store follows; what it has finished, it says. check does, with the
 * next daemon, what was not said, and looks whether all is as it must be.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tierfs.h"

#define SIZE 300000
#define NR_FILES 64

/* The filter: what it would know of files, by their number */
static struct {
	ino_t ino;
	uint32_t flags;
} files[NR_FILES];
static pthread_mutex_t files_lock = PTHREAD_MUTEX_INITIALIZER;

static uint32_t *find_flags(ino_t ino)
{
	int i = 0;

	while (i < NR_FILES - 1 && files[i].ino && files[i].ino != ino)
		i++;
	files[i].ino = ino;
	return &files[i].flags;
}

void filter_set_whole(ino_t ino, uint32_t flags)
{
	pthread_mutex_lock(&files_lock);
	*find_flags(ino) = flags;
	pthread_mutex_unlock(&files_lock);
}

uint32_t filter_whole(ino_t ino)
{
	uint32_t flags;

	pthread_mutex_lock(&files_lock);
	flags = *find_flags(ino);
	pthread_mutex_unlock(&files_lock);
	return flags;
}

void filter_forget(ino_t ino)
{
	filter_set_whole(ino, 0);
}

void filter_set_partial(ino_t ino, const struct tier_meta *meta)
{
	(void)ino;
	(void)meta;
}

static void need(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

/* Something else in each version */
static const char *version(int nr)
{
	static char text[SIZE + 1];
	int i;

	for (i = 0; i < SIZE; i++)
		text[i] = 'a' + (i * 7 + nr) % 26;
	return text;
}

static struct node *find(const char *name)
{
	struct node *node;
	struct stat st;

	return node_find(node_root(), name, &node, &st) ? NULL : node;
}

/* As open(2) for writing, write(2) and close(2) */
static void change(const char *name, const char *text)
{
	const size_t len = strlen(text);
	struct node *node;
	int fd;

	fd = openat(node_root()->fd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	need(fd >= 0 && !close(fd), name);
	node = find(name);
	need(node, name);
	pthread_mutex_lock(&node->lock);
	fd = node_open(node, O_RDWR);
	need(fd >= 0 && !tier_change(node, fd, true), name);
	filter_set_whole(node->ino, TIER_WHOLE | TIER_DIRTY | TIER_WRITTEN);
	need(pwrite(fd, text, len, 0) == (ssize_t)len && !ftruncate(fd, len), name);
	close(fd);
	pthread_mutex_unlock(&node->lock);
	node_put(node, 1);
}

/* As rename(2) and unlink(2); see serve.c */
static void change_name(const char *name, const char *newname)
{
	struct node *node = find(name);
	int err = 0;

	need(node, name);
	if (!newname) {
		pthread_mutex_lock(&node->lock);
		err = bury_begin(node);
		pthread_mutex_unlock(&node->lock);
	}
	need(!err, name);
	err = newname ? renameat(node_root()->fd, name, node_root()->fd, newname) :
			unlinkat(node_root()->fd, name, 0);
	need(!err, name);
	work_add(node, WORK_NOW);
	node_put(node, 1);
}

static void evict(const char *name)
{
	struct node *node = find(name);
	int err;

	need(node, name);
	pthread_mutex_lock(&node->lock);
	err = tier_evict(node);
	pthread_mutex_unlock(&node->lock);
	node_put(node, 1);
	errno = -err;
	need(!err, name);
}

/* Is a file in this state, and has it an object that is called like it? */
static bool is_in_state(const char *name, const char *state)
{
	struct node *node = find(name);
	char text[TIER_TEXT_MAX + 64] = "", called[64];

	if (!node)
		return false;
	pthread_mutex_lock(&node->lock);
	tier_describe(node, text, sizeof(text));
	pthread_mutex_unlock(&node->lock);
	node_put(node, 1);
	snprintf(called, sizeof(called), " %s~", name);
	return !strncmp(text, state, strlen(state)) && strstr(text, called);
}

static void until_in_state(const char *name, const char *state)
{
	int i;

	for (i = 0; i < 2000 && !is_in_state(name, state); i++)
		usleep(20000);
	need(i < 2000, name);
}

static bool is_there(const char *name)
{
	return !faccessat(node_root()->fd, name, F_OK, AT_SYMLINK_NOFOLLOW);
}

static void until_buried(void)
{
	char path[PATH_MAX];
	int i;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", bury_dir());
	/* A directory that is not empty cannot be removed, and this one is in use */
	for (i = 0; i < 2000 && unlinkat(node_root()->fd, TIER_GRAVES, AT_REMOVEDIR); i++)
		usleep(20000);
	need(i < 2000, TIER_GRAVES);
}

static void content(const char *name, char text[SIZE + 1])
{
	struct node *node = find(name);
	int fd, err;

	need(node, name);
	memset(text, 0, SIZE + 1);
	pthread_mutex_lock(&node->lock);
	fd = node_open(node, O_RDWR);
	err = fd < 0 ? fd : tier_fetch(node, fd, 0, UINT64_MAX);
	errno = -err;
	need(!err && pread(fd, text, SIZE, 0) >= 0, name);
	close(fd);
	pthread_mutex_unlock(&node->lock);
	node_put(node, 1);
}

static void first(void)
{
	change("sent", version(1));
	change("kept", "kept");
	change("gone", "gone");
	until_in_state("sent", "clean");
	until_in_state("kept", "clean");
	until_in_state("gone", "clean");
	evict("kept");
	evict("gone");
}

static void work(void)
{
	change("sent", version(2));
	puts("sent");
	change_name("kept", "moved");
	puts("moved");
	change_name("gone", NULL);
	puts("gone");
	until_in_state("sent", "clean");
	until_in_state("moved", "stub");
	until_buried();
	puts("all");
}

/* @said: of the daemon before, in the order in which it does things */
static void check(const char *said)
{
	static char text[SIZE + 1];

	need(is_there("moved") || !strstr(said, "moved"), "moved");
	need(!is_there("gone") || !strstr(said, "gone"), "gone");
	if (is_there("kept"))
		change_name("kept", "moved");
	if (is_there("gone"))
		change_name("gone", NULL);
	until_in_state("sent", "clean");
	until_in_state("moved", "stub");
	until_buried();
	evict("sent");
	content("sent", text);
	need(!strcmp(text, version(2)) || (!strstr(said, "sent") && !strcmp(text, version(1))),
	     "what was sent");
	content("moved", text);
	need(!strcmp(text, "kept"), "what was renamed");
}

int main(int argc, char **argv)
{
	const struct options opts = { .uploads = true };
	int fd;

	if (argc < 4)
		return 2;
	setlinebuf(stdout);
	signal(SIGIO, SIG_IGN);
	fd = open(argv[3], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	need(fd >= 0 && !node_init(fd) && !store_init(argv[2]) && !bury_init(), argv[3]);
	need(!work_start(&opts), "work_start");
	if (!strcmp(argv[1], "first"))
		first();
	else if (!strcmp(argv[1], "work"))
		work();
	else
		check(argc > 4 ? argv[4] : "");
	work_stop();
	return 0;
}
