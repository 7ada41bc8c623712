// SPDX-License-Identifier: LGPL-2.1-only
/*
 * Serving a directory with one call: mount, filter, session and loop.
 */
#define FUSE_USE_VERSION 317

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "kept.h"
#include "nodes.h"
#include "session.h"
#include "table.h"

#define SERVE_FLAGS (FUSE_BPF_SERVE_CLOSED | FUSE_BPF_SERVE_MULTITHREAD | FUSE_BPF_SERVE_SIGNALS)
#define MOUNT_FLAGS (FUSE_BPF_MOUNT_ALLOW_OTHER | FUSE_BPF_MOUNT_DEFAULT_PERMISSIONS)

/* Map of bpf/filters/ask.bpf.c, and of every filter that likes to be told likewise */
#define ASK_MAP "ask_ops"
#define ASK_OPS 64

/* Where filters are installed */
#ifndef FILTER_DIR
#define FILTER_DIR "/usr/lib/fuse-bpf"
#endif

/**
 * struct server - a directory that is served
 * @opts: of the caller
 * @mountpoint: where
 * @mount_fd: the mount, not in the file tree before all is ready
 * @device_fd: its device; the session's once there is one
 * @backing_fd: the directory
 * @kept: what the next daemon gets, or what we got from the one before
 * @table: what the kernel knows by its node ids, unless the caller serves them
 * @se: session of libfuse
 * @session: what is added to it
 * @filter_failed: it is the filter that there is an error about
 * @ask_filter: path of the filter that asks about what there are handlers for
 */
struct server {
	struct fuse_bpf_serve_opts opts;
	const char *mountpoint;
	int mount_fd;
	int device_fd;
	int backing_fd;
	struct fuse_bpf_kept kept;
	struct fuse_bpf_table *table;
	struct fuse_session *se;
	struct fuse_bpf_session *session;
	bool filter_failed;
	char ask_filter[256];
};

static int new_session(struct server *server, const struct fuse_lowlevel_ops *ops, size_t size,
		       void *data)
{
	FUSE_BPF_OPTS(fuse_bpf_session_opts, opts, .handlers = server->opts.handlers,
		      .arg = server->opts.arg, .ask_threads = server->opts.ask_threads,
		      .state_fd = server->kept.state > 0 ? server->kept.state : 0,
		      .flags = server->kept.taken ? FUSE_BPF_SESSION_TAKE_OVER : 0);
	char *argv[] = { "fuse_bpf_serve", NULL };
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	int err;

	server->se = fuse_session_new(&args, ops, size, data);
	fuse_opt_free_args(&args);
	if (!server->se)
		return -ENOMEM;
	err = fuse_bpf_session_new(&server->session, server->se, server->device_fd, &opts);
	if (!err)
		server->device_fd = -1;
	return err;
}

static int open_session(struct server *server)
{
	int err;

	if (server->opts.ops)
		return new_session(server, server->opts.ops, server->opts.ops_size,
				   server->opts.arg);
	err = fuse_bpf_table_new(&server->table, server->backing_fd, server->kept.nodes);
	if (!err)
		err = new_session(server, &fuse_bpf_node_ops, sizeof(fuse_bpf_node_ops),
				  server->table);
	if (!err)
		fuse_bpf_session_resolve(server->session, fuse_bpf_nodes_fd, server->table);
	return err;
}

static int loop(struct server *server)
{
	struct fuse_loop_config *config;
	int ret;

	if (!(server->opts.flags & FUSE_BPF_SERVE_MULTITHREAD))
		return fuse_session_loop(server->se);
	config = fuse_loop_cfg_create();
	if (!config)
		return -ENOMEM;
	ret = fuse_session_loop_mt(server->se, config);
	fuse_loop_cfg_destroy(config);
	return ret;
}

/*
 * A signal ends the loop with its number, and then the mount, which we have made, unless the
 * next daemon is to go on with it.
 */
static int run(struct server *server)
{
	const bool signals = server->opts.flags & FUSE_BPF_SERVE_SIGNALS;
	int ret;

	if (signals && fuse_set_signal_handlers(server->se))
		return -EBUSY;
	ret = loop(server);
	if (signals)
		fuse_remove_signal_handlers(server->se);
	if (ret && !server->opts.keep)
		umount2(server->mountpoint, MNT_DETACH);
	if (!ret && server->opts.keep)
		fuse_bpf_kept_remove(server->opts.keep);
	return ret < 0 ? ret : 0;
}

static int show_mount(const struct server *server)
{
	int err;

	if (!move_mount(server->mount_fd, "", AT_FDCWD, server->mountpoint,
			MOVE_MOUNT_F_EMPTY_PATH))
		return 0;
	err = -errno;
	fuse_bpf_log("%s: %s", server->mountpoint, strerror(-err));
	return err;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void end(struct server *server)
{
	close_fd(&server->mount_fd);
	fuse_bpf_session_free(server->session);
	if (server->se)
		fuse_session_destroy(server->se);
	server->session = NULL;
	server->se = NULL;
	close_fd(&server->device_fd);
	fuse_bpf_table_free(server->table);
	server->table = NULL;
	fuse_bpf_kept_close(&server->kept);
}

/* The root of a mount that nobody sees yet. Its daemon is not asked: it is backed. */
static int open_root(const struct server *server)
{
	int fd = openat(server->mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* The caller looks at the mount while nobody else does, and before the filter is there. */
static int call_ready(const struct server *server)
{
	int root, err;

	if (!server->opts.ready)
		return 0;
	root = open_root(server);
	if (root < 0)
		return root;
	err = server->opts.ready(root, server->opts.arg);
	close(root);
	return err;
}

/*
 * By the device, not by a directory: with the filter there, all that this process does with
 * the mount may be asked about, even to close it, and nobody answers yet.
 */
static int attach_filter(struct server *server, struct fuse_bpf_filter *filter, __u32 *id)
{
	int err = filter ? fuse_bpf_filter_attach(filter, server->device_fd, id, NULL) : 0;

	server->filter_failed = err;
	return err;
}

/* The filter of the daemon before, which is gone, has refused everything until now. */
static int replace_filter(struct server *server, struct fuse_bpf_filter *filter)
{
	const int state = server->kept.state;
	__u32 old = 0, id = 0;
	int err = state < 0 ? 0 : fuse_bpf_state_get_filter(state, &old);

	if (!err)
		err = attach_filter(server, filter, &id);
	if (!err && state >= 0)
		err = fuse_bpf_state_set_filter(state, id);
	if (err || !old)
		return err;
	err = fuse_bpf_detach(server->device_fd, old);
	return err == -ENOENT ? 0 : err;
}

/* An older kernel takes the wish to ask for no verdict at all, and refuses everything. */
static int check_asks(struct server *server)
{
	struct fuse_bpf_query query;
	int err;

	if (!server->opts.handlers)
		return 0;
	err = fuse_bpf_query(server->device_fd, &query);
	if (err || query.features & FUSE_BPF_FILTER_ASKS)
		return err;
	fuse_bpf_log("the kernel has no filters that ask a daemon");
	server->filter_failed = true;
	return -EOPNOTSUPP;
}

static int prepare(struct server *server, struct fuse_bpf_filter *filter)
{
	int err = check_asks(server);

	if (!err && !server->kept.taken)
		err = call_ready(server);
	if (!err)
		err = replace_filter(server, filter);
	return err ? err : open_session(server);
}

static int make_mount(struct server *server, const char *backing, bool plain)
{
	FUSE_BPF_OPTS(fuse_bpf_mount_opts, opts, .source = server->opts.source,
		      .flags = server->opts.mount_flags, .flavour = server->opts.flavour,
		      .backing_fd = server->backing_fd, .mount_attrs = server->opts.mount_attrs);

	if (plain)
		opts.flags |= FUSE_BPF_MOUNT_PLAIN | FUSE_BPF_MOUNT_FALLBACK;
	if (!opts.source)
		opts.source = backing;
	server->mount_fd = fuse_bpf_fsmount(NULL, &server->device_fd, &opts);
	return server->mount_fd < 0 ? server->mount_fd : 0;
}

/* Before the mount can be seen, so that nobody finds one that nobody could take over. */
static int keep(struct server *server)
{
	int err;

	if (!server->opts.keep)
		return 0;
	server->kept.nodes = server->table ? fuse_bpf_table_fd(server->table) : -1;
	err = fuse_bpf_kept_put(&server->kept, server->opts.keep,
				fuse_session_fd(server->se));
	server->kept.nodes = -1;
	if (err != -ENOENT)
		return err;
	fuse_bpf_log("there is no service manager: the mount ends with this daemon");
	server->opts.keep = NULL;
	return 0;
}

static int open_connection(struct server *server, const char *backing)
{
	int err;

	if (server->kept.taken) {
		server->device_fd = server->kept.device;
		server->kept.device = -1;
		return 0;
	}
	err = make_mount(server, backing, false);
	if (!err && server->opts.keep)
		err = fuse_bpf_kept_new(&server->kept);
	return err;
}

static int serve_open(struct server *server, const char *backing, struct fuse_bpf_filter *filter)
{
	int err;

	err = open_connection(server, backing);
	if (!err)
		err = prepare(server, filter);
	if (!err && !server->kept.taken) {
		err = keep(server);
		if (!err)
			err = show_mount(server);
	}
	if (!err) {
		close_fd(&server->mount_fd);
		err = run(server);
	}
	end(server);
	return err;
}

/* The mount is there, so that nobody takes the directory below it for the served one. */
static int serve_closed(struct server *server, const char *backing)
{
	int err;

	fuse_bpf_log("the filter of %s fails: everything is refused", server->mountpoint);
	server->opts.handlers = NULL;
	server->opts.keep = NULL;
	err = make_mount(server, backing, true);
	if (!err)
		err = new_session(server, &fuse_bpf_closed_ops, sizeof(fuse_bpf_closed_ops), NULL);
	if (!err)
		err = show_mount(server);
	if (!err) {
		close_fd(&server->mount_fd);
		err = run(server);
	}
	end(server);
	return err ? err : -EKEYREJECTED;
}

/* Nobody can be asked about these; see enum fuse_filter_verdict */
static bool is_never_asked(__u32 opcode)
{
	switch (opcode) {
	case FUSE_READ:
	case FUSE_WRITE:
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
		return true;
	}
	return opcode >= FUSE_FILTER_OP_DIRENT;
}

static int ask_about(int map_fd, __u32 opcode, const struct fuse_bpf_handler *handler)
{
	__u32 what = (handler->pre ? FUSE_FILTER_ASK_PRE : 0) |
		     (handler->post ? FUSE_FILTER_ASK_POST : 0);

	return bpf_map_update_elem(map_fd, &opcode, &what, BPF_ANY) ? -errno : 0;
}

/* All opcodes first, whatever the table's order, as others are more special. */
static int ask_about_all(int map_fd, const struct fuse_bpf_handler *handlers)
{
	const struct fuse_bpf_handler *handler;
	__u32 opcode;
	int err = 0;

	for (handler = handlers; !err && handler->opcode; handler++) {
		if (handler->opcode != FUSE_BPF_ALL_OPS)
			continue;
		for (opcode = 1; !err && opcode < ASK_OPS; opcode++) {
			if (!is_never_asked(opcode))
				err = ask_about(map_fd, opcode, handler);
		}
	}
	return err;
}

/* Have a filter that can be told so ask about what there are handlers for. */
static int tell_filter(const struct server *server, struct fuse_bpf_filter *filter)
{
	const struct fuse_bpf_handler *handler = server->opts.handlers;
	struct bpf_object *obj = fuse_bpf_filter_object(filter);
	struct bpf_map *map = obj ? bpf_object__find_map_by_name(obj, ASK_MAP) : NULL;
	int err;

	if (!map || !handler)
		return 0;
	err = ask_about_all(bpf_map__fd(map), handler);
	for (; !err && handler->opcode; handler++) {
		if (handler->opcode == FUSE_BPF_ALL_OPS)
			continue;
		err = is_never_asked(handler->opcode) ? -EINVAL :
		      ask_about(bpf_map__fd(map), handler->opcode, handler);
	}
	if (err)
		fuse_bpf_log("nobody can be asked about one of the opcodes that have handlers");
	return err;
}

static int load_filter(const struct server *server, struct fuse_bpf_filter *filter)
{
	int err = fuse_bpf_filter_load(filter);

	if (!err)
		err = tell_filter(server, filter);
	if (!err)
		err = fuse_bpf_filter_register(filter);
	return err < 0 ? err : 0;
}

/*
 * Everything that can be wrong with a filter is found out before there is a mount, but
 * for what its attachment says.
 */
static int open_filter(struct server *server, struct fuse_bpf_filter **filter)
{
	int err = 0;

	*filter = server->opts.filter;
	if (server->opts.filter_path)
		*filter = fuse_bpf_filter_open(server->opts.filter_path);
	if (*filter)
		err = load_filter(server, *filter);
	else if (server->opts.filter_path)
		err = -errno;
	server->filter_failed = err;
	return err;
}

/* Who brings handlers and no filter has those asked, and nothing else. */
static void choose_filter(struct server *server)
{
	const char *dir = secure_getenv("FUSE_BPF_FILTER_DIR");

	if (!server->opts.handlers || server->opts.filter || server->opts.filter_path)
		return;
	snprintf(server->ask_filter, sizeof(server->ask_filter), "%s/ask.bpf.o",
		 dir ? dir : FILTER_DIR);
	server->opts.filter_path = server->ask_filter;
}

static int serve(struct server *server, const char *backing)
{
	struct fuse_bpf_filter *filter = NULL;
	bool taken;
	int err;

	err = server->opts.keep ? fuse_bpf_kept_get(&server->kept, server->opts.keep) : 0;
	if (err)
		return err;
	taken = server->kept.taken;
	err = open_filter(server, &filter);
	if (!err)
		err = serve_open(server, backing, filter);
	fuse_bpf_kept_close(&server->kept);
	/* What is taken over is closed by the filter of the daemon before, which is gone */
	if (server->filter_failed && server->opts.flags & FUSE_BPF_SERVE_CLOSED && !taken)
		err = serve_closed(server, backing);
	if (filter != server->opts.filter)
		fuse_bpf_filter_free(filter);
	return err;
}

static int check_serve_opts(const struct fuse_bpf_serve_opts *opts)
{
	if (opts->flags & ~SERVE_FLAGS || opts->mount_flags & ~MOUNT_FLAGS || opts->reserved) {
		fuse_bpf_log("an option is set that fuse_bpf_serve() does not know");
		return -EINVAL;
	}
	if (opts->filter && opts->filter_path) {
		fuse_bpf_log("a filter is given by its path and once more");
		return -EINVAL;
	}
	return 0;
}

FUSE_BPF_API int fuse_bpf_serve(const char *backing, const char *mountpoint,
				const struct fuse_bpf_serve_opts *user_opts)
{
	struct server server = {
		.mountpoint = mountpoint,
		.mount_fd = -1,
		.device_fd = -1,
		.kept = FUSE_BPF_KEPT_NONE,
	};
	int err;

	err = fuse_bpf_copy_opts(&server.opts, sizeof(server.opts), user_opts);
	if (!err)
		err = check_serve_opts(&server.opts);
	if (err)
		return err;
	choose_filter(&server);
	server.backing_fd = open(backing, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (server.backing_fd < 0) {
		err = -errno;
		fuse_bpf_log("%s: %s", backing, strerror(-err));
		return err;
	}
	err = serve(&server, backing);
	close(server.backing_fd);
	return err;
}
