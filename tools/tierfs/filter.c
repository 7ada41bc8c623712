// SPDX-License-Identifier: GPL-2.0-only
/*
 * The filter's side of the daemon: loading, attaching, and its maps.
 *
 * The filter's link is not pinned. When the daemon dies, the link goes with it, and what
 * the filter would have been asked about fails with EIO: nobody is left who could say
 * which bytes are there.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse_bpf.h>
#include <stdio.h>
#include <unistd.h>

#include "tierfs.h"
#include "tierfs.skel.h"

static struct tierfs_bpf *skel;
static struct bpf_link *filter_link;

static int on_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

/* What is asked about names is asked only for the store, which then follows them. */
static void leave_names_alone(void)
{
	skel->struct_ops.tierfs->lookup = NULL;
	skel->struct_ops.tierfs->dirent = NULL;
	skel->struct_ops.tierfs->unlink = NULL;
	skel->struct_ops.tierfs->rename = NULL;
}

/* filter_load - load the programs and register the filter; @uploads: the store follows */
int filter_load(bool uploads)
{
	int err;

	libbpf_set_print(on_libbpf);
	skel = tierfs_bpf__open();
	if (!skel)
		return -errno;
	if (!uploads)
		leave_names_alone();
	err = tierfs_bpf__load(skel);
	if (err)
		return err;
	filter_link = bpf_map__attach_struct_ops(skel->maps.tierfs);
	return filter_link ? 0 : -errno;
}

/* filter_attach - attach the filter to a mount that nobody can see yet */
int filter_attach(int mount_fd)
{
	int fd = openat(mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	err = fuse_bpf_attach(fd, bpf_link__fd(filter_link), NULL, NULL);
	close(fd);
	return err;
}

void filter_unload(void)
{
	bpf_link__destroy(filter_link);
	tierfs_bpf__destroy(skel);
}

static int whole_fd(void)
{
	return bpf_map__fd(skel->maps.tier_whole);
}

static int partial_fd(void)
{
	return bpf_map__fd(skel->maps.tier_partial);
}

/* filter_set_whole - let a file be read, and with %TIER_DIRTY written, without us */
void filter_set_whole(ino_t ino, uint32_t flags)
{
	__u64 key = ino;

	/* If there is no room, the file is read through us: slower, and as right */
	bpf_map_update_elem(whole_fd(), &key, &flags, BPF_ANY);
	bpf_map_delete_elem(partial_fd(), &key);
}

/* filter_whole - what the filter knows of a file that is whole, else 0 */
uint32_t filter_whole(ino_t ino)
{
	__u64 key = ino;
	__u32 flags = 0;

	return bpf_map_lookup_elem(whole_fd(), &key, &flags) ? 0 : flags;
}

/* filter_set_partial - let the chunks of a stub be read that are there */
void filter_set_partial(ino_t ino, const struct tier_meta *meta)
{
	struct tier_partial part = {
		.size = meta->size,
		.mtime = meta->mtime.tv_sec,
		.mtimensec = meta->mtime.tv_nsec,
		.shift = meta->shift,
		.busy = meta->busy,
	};
	__u64 key = ino;
	size_t i;

	for (i = 0; i < sizeof(part.present) / sizeof(part.present[0]); i++)
		part.present[i] = meta->present[i];
	/* An element that stays as it was says less than there is */
	bpf_map_update_elem(partial_fd(), &key, &part, BPF_ANY);
}

/*
 * filter_forget - whatever is done with a file comes to us. Requests that were let through
 * may not have ended.
 */
void filter_forget(ino_t ino)
{
	__u64 key = ino;

	bpf_map_delete_elem(whole_fd(), &key);
	bpf_map_delete_elem(partial_fd(), &key);
}

static int on_wanted(void *arg, void *data, size_t size)
{
	void (*wanted)(ino_t ino, bool change) = (void (*)(ino_t, bool))arg;
	const struct tier_wanted *event = data;

	if (size >= sizeof(*event))
		wanted(event->ino, event->change);
	return 0;
}

/* filter_wait_wanted - call @wanted for each file that somebody could not map, for a while */
int filter_wait_wanted(void (*wanted)(ino_t ino, bool change), int timeout_ms)
{
	static struct ring_buffer *ring;
	int ret;

	if (!ring)
		ring = ring_buffer__new(bpf_map__fd(skel->maps.tier_wanted), on_wanted,
					(void *)wanted, NULL);
	if (!ring)
		return -errno;
	ret = ring_buffer__poll(ring, timeout_ms);
	return ret < 0 && ret != -EINTR ? ret : 0;
}
