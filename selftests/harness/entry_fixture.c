// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "entry_fixture.h"
#include "util.h"

int entry_make(struct backed *b)
{
	int err = backed_make(b, "tmpfs");

	if (err)
		return err;
	b->server = raw_server_new();
	if (!b->server)
		return -ENOMEM;
	b->server->init_out.flags = FUSE_INIT_EXT;
	b->server->init_out.flags2 = FUSE_PASSTHROUGH >> 32;
	b->server->init_out.max_stack_depth = 1;
	raw_serve_dir(b->server, FUSE_ROOT_ID, ".", FUSE_ROOT_ID);
	return 0;
}

int entry_mount(struct backed *b)
{
	int err;

	b->dev = open(device_path(), O_RDWR | O_CLOEXEC);
	if (b->dev < 0)
		return -errno;
	err = try_mount(TRY_MOUNT(.dev = b->dev, .allow_other = true, .at = b->mnt));
	if (err)
		return err;
	b->mounted = true;
	return raw_server_start(b->server, b->dev);
}

int entry_use_uring(struct backed *b)
{
	const char *module = strcmp(fs_type(), "fuse") ? "fuse_bpf" : "fuse";

	b->server->init_out.flags2 |= FUSE_OVER_IO_URING >> 32;
	b->server->uring = true;
	return sh("echo Y >/sys/module/%s/parameters/enable_uring", module);
}

int register_fd(int dev, int fd, __u64 ops)
{
	struct fuse_backing_open arg = { .fd = fd, .ops = { ops } };

	return ioctl(dev, FUSE_IOC_BACKING_OPEN, &arg) < 0 ? -errno : (int)arg.id;
}

int register_path(int dev, const char *path, __u64 ops)
{
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	int id = fd < 0 ? -errno : register_fd(dev, fd, ops);

	if (fd >= 0)
		close(fd);
	return id;
}

int close_id(int dev, __u32 id)
{
	struct fuse_backing_close arg = { .id = id };

	return RES(ioctl(dev, FUSE_IOC_BACKING_CLOSE, &arg));
}

struct raw_reply *serve_entry(struct raw_server *server, __u64 parent, const char *name,
			      __u64 nodeid, mode_t mode,
			      const struct fuse_entry_backing_out *backing)
{
	const struct entry_reply reply = {
		.entry = {
			.nodeid = nodeid,
			.generation = 1,
			.attr = raw_attr(nodeid, mode, 0),
		},
		.backing = *backing,
	};

	return raw_reply_add(server, FUSE_LOOKUP, parent, name, &reply, sizeof(reply));
}
