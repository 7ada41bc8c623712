// SPDX-License-Identifier: GPL-2.0-only
/*
 * one_file: a daemon for the one name in a tree that the kernel cannot answer.
 *
 *	one_file BACKING MOUNTPOINT NAME
 *
 * Mounts BACKING on MOUNTPOINT with this process as the daemon, and serves NAME
 * in the root directory: a file that says how often the daemon was asked. The
 * kernel answers everything else from BACKING; that NAME comes here is up to a
 * filter, see bpf/filters/route.bpf.c. Unmount to end it.
 *
 * The session is stock libfuse; libfuse-bpf makes the mount and hands it the
 * device.
 */
#define FUSE_USE_VERSION 317

#include <errno.h>
#include <fuse_bpf.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_INO 2

static const char *served_name;
static unsigned int requests;

static size_t content(char *buf, size_t size)
{
	return snprintf(buf, size, "From the daemon, asked %u times so far.\n",
			requests);
}

static struct stat attributes(void)
{
	char buf[128];

	return (struct stat) {
		.st_ino = FILE_INO,
		.st_mode = S_IFREG | 0444,
		.st_nlink = 1,
		.st_size = content(buf, sizeof(buf)),
	};
}

static void one_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = { .ino = FILE_INO };

	requests++;
	if (parent != FUSE_ROOT_ID || strcmp(name, served_name)) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	entry.attr = attributes();
	fuse_reply_entry(req, &entry);
}

static void one_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st = attributes();

	(void)fi;
	requests++;
	if (ino == FILE_INO)
		fuse_reply_attr(req, &st, 0);
	else
		fuse_reply_err(req, ENOENT);
}

static void one_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	requests++;
	/* The size is not known before the content is made */
	fi->direct_io = 1;
	fuse_reply_open(req, fi);
}

static void one_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		     struct fuse_file_info *fi)
{
	char buf[128];
	size_t len;

	(void)ino;
	(void)fi;
	requests++;
	len = content(buf, sizeof(buf));
	if ((size_t)off >= len)
		fuse_reply_buf(req, NULL, 0);
	else
		fuse_reply_buf(req, buf + off, len - off < size ? len - off : size);
}

static const struct fuse_lowlevel_ops one_ops = {
	.lookup = one_lookup,
	.getattr = one_getattr,
	.open = one_open,
	.read = one_read,
};

int main(int argc, char **argv)
{
	FUSE_BPF_OPTS(fuse_bpf_mount_opts, opts, .flags = FUSE_BPF_MOUNT_ALLOW_OTHER);
	int device;
	int err;

	if (argc != 4) {
		fprintf(stderr, "usage: one_file BACKING MOUNTPOINT NAME\n");
		return 2;
	}
	served_name = argv[3];

	err = fuse_bpf_mount(argv[1], argv[2], &device, &opts);
	if (err) {
		fprintf(stderr, "one_file: cannot mount %s: %s\n", argv[2],
			strerror(-err));
		return 1;
	}
	return fuse_bpf_session_run(device, &one_ops, sizeof(one_ops), NULL) ? 1 : 0;
}
