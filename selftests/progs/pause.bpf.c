// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stops an operation at the security hook between its path walk and the file system,
 * until user space lets it go: the program reads memory that is not there yet, and
 * the fault is answered through a userfaultfd.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "pause.h"

struct pause_control control;

static __always_inline int pause(__u32 at)
{
	char byte;

	if ((__u32)bpf_get_current_pid_tgid() != control.tid || control.at != at ||
	    !control.times)
		return 0;
	/* The operation comes by here again, for the backing. */
	control.times--;
	bpf_copy_from_user(&byte, sizeof(byte),
			   (void *)(unsigned long)(control.pages + control.times * PAUSE_PAGE));
	return 0;
}

#define PAUSE(hook, at)			\
SEC("lsm.s/" #hook)			\
int pause_##hook(void *ctx)		\
{					\
	return pause(at);		\
}

PAUSE(inode_unlink, PAUSE_UNLINK)
PAUSE(inode_rmdir, PAUSE_RMDIR)
PAUSE(inode_rename, PAUSE_RENAME)
PAUSE(inode_create, PAUSE_CREATE)
PAUSE(path_mkdir, PAUSE_MKDIR)
PAUSE(inode_mknod, PAUSE_MKNOD)
PAUSE(inode_symlink, PAUSE_SYMLINK)
PAUSE(path_link, PAUSE_LINK)

char LICENSE[] SEC("license") = "GPL";
