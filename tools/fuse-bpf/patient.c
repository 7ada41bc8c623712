// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opening a directory that a daemon has to open, when the user did not name it: a
 * daemon that does not answer must not stop what is done for others.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "main.h"

/* Milliseconds that a daemon has */
#define PATIENCE 2000

union fd_message {
	char buf[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

static void send_fd(int sock, int fd)
{
	union fd_message message = {};
	int result = fd < 0 ? fd : 0;
	struct iovec iov = { .iov_base = &result, .iov_len = sizeof(result) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *header;

	if (fd >= 0) {
		msg.msg_control = message.buf;
		msg.msg_controllen = sizeof(message.buf);
		header = CMSG_FIRSTHDR(&msg);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &fd, sizeof(int));
	}
	sendmsg(sock, &msg, MSG_NOSIGNAL);
}

static int receive_fd(int sock)
{
	union fd_message message = {};
	int result, fd;
	struct iovec iov = { .iov_base = &result, .iov_len = sizeof(result) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = message.buf, .msg_controllen = sizeof(message.buf),
	};
	struct cmsghdr *header;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) != sizeof(result))
		return -EIO;
	if (result < 0)
		return result;
	header = CMSG_FIRSTHDR(&msg);
	if (!header || header->cmsg_type != SCM_RIGHTS)
		return -EIO;
	memcpy(&fd, CMSG_DATA(header), sizeof(int));
	return fd;
}

static int wait_for_fd(int sock)
{
	struct pollfd pfd = { .fd = sock, .events = POLLIN };
	int ready = poll(&pfd, 1, PATIENCE);

	if (ready < 0)
		return -errno;
	return ready ? receive_fd(sock) : -ETIMEDOUT;
}

/**
 * open_patiently - fuse_bpf_open_dir(), but for a limited time
 * @path: directory of a FUSE mount
 *
 * A process that a daemon keeps waiting may not even be killed, so another one does
 * the opening, and is left behind if need be. It ends when the daemon answers or
 * the mount goes.
 *
 * Return: a descriptor; -ETIMEDOUT, or the errnos of fuse_bpf_open_dir()
 */
int open_patiently(const char *path)
{
	int sock[2], fd;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock))
		return -errno;
	/* Nobody waits for the child, and what it holds open must not be ours */
	signal(SIGCHLD, SIG_IGN);
	switch (fork()) {
	case -1:
		fd = -errno;
		break;
	case 0:
		close_range(0, sock[1] - 1, 0);
		close_range(sock[1] + 1, ~0U, 0);
		send_fd(sock[1], fuse_bpf_open_dir(path));
		_exit(0);
	default:
		close(sock[1]);
		sock[1] = -1;
		fd = wait_for_fd(sock[0]);
		break;
	}
	if (sock[1] >= 0)
		close(sock[1]);
	close(sock[0]);
	return fd;
}
