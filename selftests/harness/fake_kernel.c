// SPDX-License-Identifier: GPL-2.0-only
/*
 * See fake_kernel.h.
 */
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fake_kernel.h"
#include "util.h"

int fake_device(int *kernel, int *device)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		return -errno;
	*kernel = fds[0];
	*device = fds[1];
	return 0;
}

int fake_send(int kernel, __u32 opcode, __u64 unique, __u64 nodeid, const void *arg, size_t len)
{
	struct fuse_in_header head = {
		.len = sizeof(head) + len,
		.opcode = opcode,
		.unique = unique,
		.nodeid = nodeid,
		.uid = USER1,
		.gid = GROUP1,
		.pid = 77,
	};
	struct iovec iov[] = { { &head, sizeof(head) }, { (void *)arg, len } };

	return writev(kernel, iov, 2) < 0 ? -errno : 0;
}

int fake_silent(int kernel)
{
	struct pollfd poll_fd = { .fd = kernel, .events = POLLIN };

	return !poll(&poll_fd, 1, 0);
}

int fake_recv(int kernel, struct fake_answer *answer)
{
	struct iovec iov[] = {
		{ &answer->head, sizeof(answer->head) },
		{ answer->data, sizeof(answer->data) },
	};
	struct pollfd poll_fd = { .fd = kernel, .events = POLLIN };
	ssize_t len;

	if (poll(&poll_fd, 1, 60000) <= 0)
		return -ETIMEDOUT;
	len = readv(kernel, iov, 2);
	if (len < (ssize_t)sizeof(answer->head) || answer->head.len != len)
		return -EBADMSG;
	answer->len = len - sizeof(answer->head);
	return 0;
}

int fake_init(int kernel)
{
	const struct fuse_init_in in = {
		.major = FUSE_KERNEL_VERSION,
		.minor = 42,
		.max_readahead = 1 << 17,
		.flags = ~0U,
		.flags2 = ~0U,
	};

	return fake_send(kernel, FUSE_INIT, 1, 0, &in, sizeof(in));
}

static char *append(char *at, const void *bytes, size_t len)
{
	memcpy(at, bytes, len);
	return at + len;
}

static char *append_string(char *at, const char *text, __u32 *len)
{
	*len = text ? strlen(text) : 0;
	return *len ? append(at, text, *len + 1) : at;
}

size_t fake_ask_build(struct fake_ask *ask, char buf[FAKE_MAX])
{
	struct fuse_bpf_ask_in *in = &ask->in;
	char *at = buf + sizeof(*in);

	if (ask->arg)
		at = append(at, ask->arg, in->in_size);
	in->attr_size = ask->attr ? sizeof(*ask->attr) : 0;
	if (ask->attr)
		at = append(at, ask->attr, sizeof(*ask->attr));
	at = append_string(at, ask->name, &in->name_len);
	at = append_string(at, ask->newname, &in->newname_len);
	at = append_string(at, ask->text, &in->text_len);
	memcpy(buf, in, sizeof(*in));
	return at - buf;
}

int fake_ask(int kernel, struct fake_ask *ask)
{
	struct fuse_bpf_ask_out *out;
	struct fake_answer answer;
	char buf[FAKE_MAX];
	int err;

	err = fake_send(kernel, FUSE_BPF_ASK, 42, 7, buf, fake_ask_build(ask, buf));
	if (!err)
		err = fake_recv(kernel, &answer);
	if (err)
		return err;
	out = (struct fuse_bpf_ask_out *)answer.data;
	if (answer.head.error || answer.head.unique != 42 || answer.len != sizeof(*out) ||
	    out->reserved)
		return -EBADMSG;
	return out->verdict;
}
