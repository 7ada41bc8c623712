// SPDX-License-Identifier: GPL-2.0-only
/*
 * Watching files and directories. What is changed on the backing is an event there and
 * not on the mount, so these calls are in programs only that leave the backing alone.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "oracle.h"
#include "util.h"

#define MAX_WATCHES 64

/*
 * What a worker watches on a side. The descriptor stays from program to program, as to
 * close one takes as long as thousands of calls.
 */
static struct watcher {
	int fd;
	int wd[MAX_WATCHES];
	int nr;
} watchers[SIDES] = { { .fd = -1 }, { .fd = -1 } };

static int index_of(const struct watcher *watcher, int wd)
{
	int i = 0;

	while (i < watcher->nr && watcher->wd[i] != wd)
		i++;
	return i;
}

void watch_reset(void)
{
	char buf[4096];
	int i, side;

	for (side = 0; side < SIDES; side++) {
		for (i = 0; i < watchers[side].nr; i++)
			inotify_rm_watch(watchers[side].fd, watchers[side].wd[i]);
		while (watchers[side].nr && read(watchers[side].fd, buf, sizeof(buf)) > 0)
			;
		watchers[side].nr = 0;
	}
}

/* Returns which of the watches it is, in the order in which they were made. */
static long call_watch(struct step *s)
{
	struct watcher *watcher = &watchers[s->side];
	char path[PATH_MAX + 32], name[PATH_MAX];
	long wd;

	if (watcher->fd < 0)
		watcher->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watcher->nr == MAX_WATCHES)
		return NOT_DONE;
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", s->root,
		 kind_path(s->op->arg[0], name));
	wd = RES(inotify_add_watch(watcher->fd, path, arg(s, 1)));
	if (wd < 0)
		return wd;
	if (index_of(watcher, wd) == watcher->nr)
		watcher->wd[watcher->nr++] = wd;
	return index_of(watcher, wd);
}

/*
 * An event for comparing. Numbers are not the same twice: those of two events that belong
 * together, and of files without a name, which are called by them.
 */
static char *put_event(char *to, const struct watcher *watcher,
		       const struct inotify_event *event)
{
	const char *name = event->len ? event->name : "";

	return to + sprintf(to, "watch %d: %#x%s %s\n", index_of(watcher, event->wd), event->mask,
			    event->cookie ? " move" : "", name[0] == '#' ? "#" : name);
}

static long call_events(struct step *s)
{
	char buf[16384] __attribute__((aligned(8))), *to = (char *)s->out->data;
	const struct watcher *watcher = &watchers[s->side];
	const struct inotify_event *event;
	long len = RES(read(watcher->fd, buf, sizeof(buf))), at, nr = 0;

	for (at = 0; at < len; at += sizeof(*event) + event->len, nr++) {
		event = (const struct inotify_event *)(buf + at);
		to = put_event(to, watcher, event);
	}
	s->out->len = to - (char *)s->out->data;
	s->out->text = true;
	return len < 0 ? len : nr;
}

const struct call watch_calls[] = {
	{ "inotify_add_watch", "pI", 15, call_watch, .alone = true },
	{ "inotify_read", "", 15, call_events, .alone = true },
	{ }
};
