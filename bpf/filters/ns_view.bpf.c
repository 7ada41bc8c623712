// SPDX-License-Identifier: GPL-2.0-only
/*
 * ns_view: of the entries of the root, each container sees those of its view.
 *
 * view_of says which view a caller in a mount namespace or in a pid namespace has, by the
 * namespace's inode number, as in "readlink /proc/PID/ns/mnt". Of a pid namespace, those
 * within it have the same view, unless they have one of their own. view_names has the names
 * that a view shows; what a view does not show is not found, not listed and not made
 * (ENOENT). View 0 shows everything. A caller in none of the namespaces has the view that
 * the element 0 of view_of says, and sees nothing if there is no such element. What lies
 * below an entry is not asked about: who cannot find the entry does not come there.
 *
 *	fuse-bpf attach /view obj ns_view.bpf.o set view_of 0=0 set view_of 4026532561=7 \
 *		set view_names 7,115,114,118
 *
 * (The numbers after the view are the bytes of a name, here "srv".) A process that can make
 * a mount namespace leaves the one that it is in, and then has the view of element 0: give
 * containers a pid namespace, which cannot be left, or let there be no such element.
 *
 * Attach it to a mount, not to a directory: the root is known by its node id. A kernel that
 * is locked down for confidentiality does not load it, as it reads the kernel's memory.
 *
 * Maps: view_of, inode number to a view; view_names, { view, name of at most 59 bytes } to
 * anything.
 * Cost: below the root, one comparison for each name; in the root, a hash look-up for the
 * mount namespace, one for each pid namespace around the caller until one is found, and
 * one for the name. No program sleeps.
 * Tests: selftests/filter/ready_guard_test.c
 */
#include "fuse_filter.bpf.h"
#include <bpf/bpf_core_read.h>

#define ROOT_NODEID 1
#define MAX_NAMES 65536
#define MAX_VIEWS 4096
#define NAME_SIZE 60
#define VIEW_ALL 0
/* The kernel makes no deeper ones */
#define MAX_PID_LEVELS 33

/* The kernel's, as far as it is needed */
struct ns_common {
	unsigned int inum;
} __attribute__((preserve_access_index));

struct mnt_namespace {
	struct ns_common ns;
} __attribute__((preserve_access_index));

struct pid_namespace {
	struct pid_namespace *parent;
	struct ns_common ns;
} __attribute__((preserve_access_index));

struct nsproxy {
	struct mnt_namespace *mnt_ns;
} __attribute__((preserve_access_index));

struct upid {
	struct pid_namespace *ns;
} __attribute__((preserve_access_index));

struct pid {
	unsigned int level;
	struct upid numbers[];
} __attribute__((preserve_access_index));

struct task_struct {
	struct nsproxy *nsproxy;
	struct pid *thread_pid;
} __attribute__((preserve_access_index));

struct view_name {
	__u32 view;
	char name[NAME_SIZE];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_VIEWS);
	__type(key, __u32);
	__type(value, __u32);
} view_of SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_NAMES);
	__type(key, struct view_name);
	__type(value, __u8);
} view_names SEC(".maps");

static __always_inline __u32 *view_of_pid_ns(struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	struct pid_namespace *ns = NULL;
	__u32 inum, *view;
	void *upid;

	if (!pid)
		return NULL;
	/* The namespace of the last number is the one that the caller is in */
	upid = (void *)pid + bpf_core_field_offset(struct pid, numbers) +
	       BPF_CORE_READ(pid, level) * bpf_core_type_size(struct upid);
	bpf_probe_read_kernel(&ns, sizeof(ns), upid + bpf_core_field_offset(struct upid, ns));
	for (int i = 0; i < MAX_PID_LEVELS && ns; i++) {
		inum = BPF_CORE_READ(ns, ns.inum);
		view = bpf_map_lookup_elem(&view_of, &inum);
		if (view)
			return view;
		ns = BPF_CORE_READ(ns, parent);
	}
	return NULL;
}

/* The caller's view; NULL if he has none */
static __always_inline __u32 *caller_view(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 inum = BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum), none = 0;
	__u32 *view = bpf_map_lookup_elem(&view_of, &inum);

	if (!view)
		view = view_of_pid_ns(task);
	return view ?: bpf_map_lookup_elem(&view_of, &none);
}

static __always_inline int verdict(struct fuse_filter_ctx *fctx)
{
	struct view_name key = {};
	const char *name;
	__u32 *view;

	if (fctx->parent != ROOT_NODEID)
		return FUSE_FILTER_DEFAULT;
	view = caller_view();
	if (!view)
		return -ENOENT;
	key.view = *view;
	if (key.view == VIEW_ALL)
		return FUSE_FILTER_DEFAULT;
	name = bpf_fuse_ctx_name(fctx, FUSE_FILTER_NAME_SIZE);
	if (!name || fctx->name_len >= NAME_SIZE)
		return -ENOENT;
	for (int i = 0; i < NAME_SIZE / 4; i++)
		((__u32 *)key.name)[i] = ((const __u32 *)name)[i];
	return bpf_map_lookup_elem(&view_names, &key) ? FUSE_FILTER_DEFAULT : -ENOENT;
}

SEC("struct_ops/lookup")
int BPF_PROG(view_lookup, struct fuse_filter_ctx *fctx)
{
	return verdict(fctx);
}

SEC("struct_ops/dirent")
int BPF_PROG(view_dirent, struct fuse_filter_ctx *fctx, const struct fuse_filter_dirent *entry)
{
	return verdict(fctx);
}

SEC(".struct_ops.link")
struct fuse_filter_ops ns_view = {
	.lookup = (void *)view_lookup,
	.dirent = (void *)view_dirent,
	.name = "ns_view",
};

char LICENSE[] SEC("license") = "GPL";
