// SPDX-License-Identifier: LGPL-2.1-only
/*
 * Passing a connection from one daemon to the next: by the service manager's store of
 * file descriptors, or directly by a socket.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "internal.h"

/* First of the descriptors that a service manager passes on */
#define FIRST_FD 3

/* What goes with the descriptors of a connection */
#define GREETING "fusebpf1"

/* Room for control messages with as many descriptors as we ever pass */
union control {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(2 * sizeof(int))];
};

/* Send a text and descriptors; MSG_NOSIGNAL, as the other end may be gone. */
static int send_fds(int sock, const char *text, size_t len, const int *fds, size_t nr,
		    const struct sockaddr_un *to, socklen_t to_len)
{
	struct iovec iov = { (void *)text, len };
	union control control = {};
	struct msghdr msg = {
		.msg_name = (void *)to,
		.msg_namelen = to_len,
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};
	struct cmsghdr *cmsg;

	if (nr) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(nr * sizeof(*fds));
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(nr * sizeof(*fds));
		memcpy(CMSG_DATA(cmsg), fds, nr * sizeof(*fds));
	}
	return sendmsg(sock, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* The manager's address; a name that begins with '@' is an abstract one. */
static int manager_address(struct sockaddr_un *addr, socklen_t *len)
{
	const char *path = getenv("NOTIFY_SOCKET");

	if (!path || !*path)
		return -ENOENT;
	if (strlen(path) >= sizeof(addr->sun_path) || (*path != '/' && *path != '@'))
		return -EINVAL;
	*addr = (struct sockaddr_un) { .sun_family = AF_UNIX };
	strcpy(addr->sun_path, path);
	*len = offsetof(struct sockaddr_un, sun_path) + strlen(path);
	if (*path == '@')
		addr->sun_path[0] = '\0';
	return 0;
}

static int tell_manager(const char *what, const char *name, const int *fds, size_t nr)
{
	struct sockaddr_un addr;
	socklen_t addr_len;
	char text[320];
	int sock, len, err;

	if (!*name || strlen(name) > 255 || strpbrk(name, ":\n"))
		return -EINVAL;
	err = manager_address(&addr, &addr_len);
	if (err)
		return err;
	sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return -errno;
	len = snprintf(text, sizeof(text), "%s=1\nFDNAME=%s\n", what, name);
	err = send_fds(sock, text, len, fds, nr, &addr, addr_len);
	close(sock);
	return err;
}

FUSE_BPF_API int fuse_bpf_fdstore_put(const char *name, int fd)
{
	return tell_manager("FDSTORE", name, &fd, 1);
}

FUSE_BPF_API int fuse_bpf_fdstore_remove(const char *name)
{
	return tell_manager("FDSTOREREMOVE", name, NULL, 0);
}

/* Is this variable, a number, set to what is asked for? */
static long env_number(const char *variable)
{
	const char *text = getenv(variable);
	char *end;
	long number;

	if (!text || !*text)
		return -1;
	number = strtol(text, &end, 10);
	return *end ? -1 : number;
}

FUSE_BPF_API int fuse_bpf_fdstore_get(const char *name)
{
	const char *names = getenv("LISTEN_FDNAMES");
	long nr = env_number("LISTEN_FDS");
	const size_t len = strlen(name);
	int fd;

	if (!names || !len || env_number("LISTEN_PID") != getpid())
		return -ENOENT;
	for (fd = FIRST_FD; fd < FIRST_FD + nr; fd++) {
		const size_t n = strcspn(names, ":");

		if (n == len && !memcmp(names, name, len))
			return fcntl(fd, F_SETFD, FD_CLOEXEC) ? -errno : fd;
		if (!names[n])
			break;
		names += n + 1;
	}
	return -ENOENT;
}

FUSE_BPF_API int fuse_bpf_send_connection(int sock, int device_fd, int state_fd)
{
	const int fds[] = { device_fd, state_fd };

	return send_fds(sock, GREETING, sizeof(GREETING), fds, 2, NULL, 0);
}

static void close_all(const int *fds, size_t nr)
{
	while (nr--)
		close(fds[nr]);
}

/* Descriptors in a message, which are ours from now on, whether we want them or not */
static size_t take_fds(struct msghdr *msg, int fds[2])
{
	struct cmsghdr *cmsg;
	size_t nr = 0;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg && !nr; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		nr = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(*fds);
		memcpy(fds, CMSG_DATA(cmsg), nr * sizeof(*fds));
	}
	return nr;
}

FUSE_BPF_API int fuse_bpf_recv_connection(int sock, int *device_fd, int *state_fd)
{
	char text[sizeof(GREETING)] = "";
	struct iovec iov = { text, sizeof(text) };
	union control control = {};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int fds[2];
	ssize_t len;
	size_t nr;

	len = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	if (len < 0)
		return -errno;
	nr = take_fds(&msg, fds);
	if (!len && !nr)
		return -ENOTCONN;
	if (nr != 2 || len != sizeof(text) || memcmp(text, GREETING, sizeof(text)) ||
	    msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		close_all(fds, nr);
		return -EPROTO;
	}
	*device_fd = fds[0];
	*state_fd = fds[1];
	return 0;
}
