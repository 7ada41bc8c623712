// SPDX-License-Identifier: GPL-2.0-only
/*
 * A C++ program that refers to all of libfuse-bpf: it must compile, link and start.
 */
#define FUSE_USE_VERSION 317

#include <fuse_lowlevel.h>

#include <fuse_bpf.h>
#include <fuse_bpf_lowlevel.h>

#include <cerrno>
#include <cstring>

static int refuse(const struct fuse_bpf_ask *ask, void *)
{
	return ask->name ? -EACCES : FUSE_FILTER_DEFAULT;
}

/* Not called: that the replies compile and link is what is asked for */
static void lookup(fuse_req_t req, fuse_ino_t, const char *)
{
	struct fuse_entry_backing_out backing = {};
	struct fuse_entry_param entry = {};
	struct fuse_file_info fi = {};

	if (fuse_bpf_reply_entry(req, &entry, &backing))
		fuse_bpf_reply_create(req, &entry, &fi, &backing);
}

int main()
{
	static const struct fuse_bpf_handler handlers[] = {
		{ FUSE_BPF_ALL_OPS, 0, refuse, nullptr },
		{},
	};
	struct fuse_lowlevel_ops ops = {};
	struct fuse_bpf_query query;

	ops.lookup = lookup;
	FUSE_BPF_OPTS(fuse_bpf_serve_opts, serve);
	serve.handlers = handlers;
	serve.ops = &ops;
	serve.ops_size = sizeof(ops);
	fuse_bpf_set_log(nullptr, nullptr);
	FUSE_BPF_OPTS(fuse_bpf_choice, choice);
	int fd = fuse_bpf_choose_device(FUSE_BPF_ANY, 1, &choice);
	if (choice.why[0] == '\0' || (fd < 0) != (choice.path == nullptr))
		return 1;
	if (std::strcmp(fuse_bpf_opcode_name(1), "LOOKUP") || fuse_bpf_query(-1, &query) != -EBADF)
		return 1;
	return fuse_bpf_serve("/no/such/directory", "/", &serve) == -ENOENT ? 0 : 1;
}
