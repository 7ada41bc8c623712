// SPDX-License-Identifier: LGPL-2.1-only
/*
 * What a daemon needs to take over a connection, in a file that outlives the one before
 * it: the kernel sends INIT once, and keeps to what was answered then.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "session.h"

#define MAGIC "fusebpf"
#define VERSION 1

FUSE_BPF_API int fuse_bpf_state_new(void)
{
	int fd = memfd_create("fuse-bpf-state", MFD_CLOEXEC | MFD_NOEXEC_SEAL);

	/* Before Linux 6.3 there was no such flag */
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("fuse-bpf-state", MFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static bool is_sound(const struct fuse_bpf_state *state)
{
	struct fuse_in_header head;

	if (memcmp(state->magic, MAGIC, sizeof(state->magic)) || state->version != VERSION ||
	    state->in_len < sizeof(head) || state->in_len > sizeof(state->in) ||
	    !state->out_len || state->out_len > sizeof(state->out))
		return false;
	memcpy(&head, state->in, sizeof(head));
	return head.opcode == FUSE_INIT && head.len == state->in_len;
}

/**
 * fuse_bpf_state_read - read what the first daemon has left
 * @fd: file from fuse_bpf_state_new()
 * @state: filled in
 *
 * Return: 0, -ENODATA the file is empty, -EPROTO it holds something else, or what
 * pread(2) fails with
 */
int fuse_bpf_state_read(int fd, struct fuse_bpf_state *state)
{
	ssize_t len = pread(fd, state, sizeof(*state), 0);

	if (len < 0)
		return -errno;
	if (!len || (len == sizeof(*state) && !*state->magic)) {
		fuse_bpf_log("the daemon before has left no state: it has seen no INIT");
		return -ENODATA;
	}
	if (len != sizeof(*state) || !is_sound(state)) {
		fuse_bpf_log("this is no state that a daemon of this library has left");
		return -EPROTO;
	}
	return 0;
}

/* fuse_bpf_state_write - leave it; @state->in and @state->out have been filled in */
int fuse_bpf_state_write(int fd, struct fuse_bpf_state *state)
{
	memcpy(state->magic, MAGIC, sizeof(state->magic));
	state->version = VERSION;
	state->reserved = 0;
	if (pwrite(fd, state, sizeof(*state), 0) == sizeof(*state))
		return 0;
	fuse_bpf_log("cannot write down the state for the next daemon: %s", strerror(errno));
	return -EIO;
}

/* Behind the state, which is written at another time */
#define FILTER_AT sizeof(struct fuse_bpf_state)

int fuse_bpf_state_set_filter(int fd, uint32_t id)
{
	return pwrite(fd, &id, sizeof(id), FILTER_AT) == sizeof(id) ? 0 : -EIO;
}

int fuse_bpf_state_get_filter(int fd, uint32_t *id)
{
	ssize_t len = pread(fd, id, sizeof(*id), FILTER_AT);

	if (len != sizeof(*id))
		*id = 0;
	return len < 0 ? -errno : 0;
}
