/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * FUSE filters: what the author of a filter includes.
 *
 * A filter is a struct fuse_filter_ops in the section ".struct_ops.link", with
 * one program for each callback it has:
 *
 *	#include "fuse_filter.bpf.h"
 *
 *	SEC("struct_ops/lookup")
 *	int BPF_PROG(no_core, struct fuse_filter_ctx *fctx)
 *	{
 *		const char *name = bpf_fuse_ctx_name(fctx, FUSE_FILTER_NAME_SIZE);
 *
 *		if (name && fuse_filter_name_is(name, "core"))
 *			return -ENOENT;
 *		return FUSE_FILTER_DEFAULT;
 *	}
 *
 *	SEC(".struct_ops.link")
 *	struct fuse_filter_ops nocore = {
 *		.lookup = (void *)no_core,
 *		.name = "nocore",
 *	};
 *
 *	char LICENSE[] SEC("license") = "GPL";
 *
 * (BPF_PROG() takes the name "ctx" for itself, hence "fctx".) Build with
 *
 *	clang -target bpf -g -O2 -idirafter /usr/include/$(gcc -print-multiarch) -c
 *
 * Sections: "struct_ops/lookup", "struct_ops/open" and "struct_ops/dirent" are
 * programs that cannot sleep, "struct_ops.s/lookup" and "struct_ops.s/open" ones
 * that can. What each callback may do and what its return value means is said in
 * the kernel's <linux/fuse_filter.h>.
 *
 * No vmlinux.h is needed; where one is wanted, include it first. The types below
 * hold only what this version of the header knows of; libbpf fits them to the
 * running kernel when the filter is loaded.
 */
#ifndef __FUSE_FILTER_BPF_H
#define __FUSE_FILTER_BPF_H

#ifdef __VMLINUX_H__
/*
 * That header declares the same things if it was made from a kernel that has
 * them, and not if they are in a module. libbpf ignores what follows "___" in a
 * name, so that ours can stand beside them.
 */
#define fuse_filter_ctx		fuse_filter_ctx___api
#define fuse_filter_dirent	fuse_filter_dirent___api
#define fuse_filter_ops		fuse_filter_ops___api
#define fuse_open_in		fuse_open_in___api
#define bpf_fuse_ctx_name	bpf_fuse_ctx_name___api
#define FUSE_FILTER_DEFAULT	0
#define FUSE_FILTER_BACKING	1
#define FUSE_FILTER_DAEMON	2
#else
#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>
#endif
#include <asm-generic/errno-base.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* Size of a filter's own name, including the terminating NUL. */
#ifndef FUSE_FILTER_NAME_LEN
#define FUSE_FILTER_NAME_LEN 16
#endif

/* Bytes that hold any file name, including the terminating NUL. */
#define FUSE_FILTER_NAME_SIZE 256

/* Node ids with this bit are of inodes that the kernel made. */
#ifndef FUSE_NODEID_KERNEL
#define FUSE_NODEID_KERNEL (1ULL << 63)
#endif

#if !defined(__VMLINUX_H__) && !defined(_UAPI_LINUX_FUSE_BPF_H)
/**
 * enum fuse_filter_verdict - what a callback says of a request
 * @FUSE_FILTER_DEFAULT: this filter does not mind who answers
 * @FUSE_FILTER_BACKING: the backing file or directory answers
 * @FUSE_FILTER_DAEMON: the daemon answers
 *
 * Or a negative errno (-1..-511, not ECHILD's), which refuses the request.
 */
enum fuse_filter_verdict {
	FUSE_FILTER_DEFAULT = 0,
	FUSE_FILTER_BACKING = 1,
	FUSE_FILTER_DAEMON = 2,
};
#endif

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/**
 * struct fuse_filter_ctx - the request; a program can only read it
 * @nodeid: node id of the inode, 0 in lookup and dirent
 * @parent: node id of the directory in which a name is dealt with, else 0
 * @opcode: enum fuse_opcode of <linux/fuse.h>
 * @fsuid: file system user id of the caller
 * @fsgid: file system group id of the caller
 * @pid: thread id of the caller
 * @name_len: bytes in the name, without a NUL; 0 where there is no name
 */
struct fuse_filter_ctx {
	__u64 nodeid;
	__u64 parent;
	__u32 opcode;
	__u32 fsuid;
	__u32 fsgid;
	__u32 pid;
	__u32 name_len;
};

/**
 * struct fuse_filter_dirent - a directory entry that is about to be shown
 * @ino: inode number on the backing
 * @type: DT_* of the entry
 */
struct fuse_filter_dirent {
	__u64 ino;
	__u32 type;
};

#ifndef _LINUX_FUSE_H
struct fuse_open_in {
	__u32 flags;
	__u32 open_flags;
};
#endif

#pragma clang attribute pop

/**
 * struct fuse_filter_ops - a filter: the callbacks it has
 * @lookup: a name is looked up in a backed directory; may be sleepable, but then
 *	every path walk below the mount leaves its fast path
 * @open: a regular file is opened; may be sleepable
 * @dirent: an entry is about to be shown in a listing; not sleepable
 * @name: for people; letters, digits, '_' and '.'
 * @flags: zero
 */
struct fuse_filter_ops {
	int (*lookup)(struct fuse_filter_ctx *ctx);
	int (*open)(struct fuse_filter_ctx *ctx, const struct fuse_open_in *in);
	int (*dirent)(struct fuse_filter_ctx *ctx, const struct fuse_filter_dirent *entry);
	char name[FUSE_FILTER_NAME_LEN];
	__u32 flags;
};

/**
 * bpf_fuse_ctx_name - the name that the request deals with
 * @ctx: the callback's context
 * @rdonly_buf_size: bytes wanted, a constant, at most %FUSE_FILTER_NAME_SIZE
 *
 * Only in lookup and dirent.
 *
 * Return: that many readable bytes, zero after the name; NULL if the name with
 * its NUL is longer, which cannot be with %FUSE_FILTER_NAME_SIZE
 */
extern const char *bpf_fuse_ctx_name(struct fuse_filter_ctx *ctx,
				     const unsigned long rdonly_buf_size) __ksym;

/**
 * fuse_filter_name_is - compare a name with a string constant
 * @name: from bpf_fuse_ctx_name(), with room for the constant and its NUL
 * @text: string constant
 */
#define fuse_filter_name_is(name, text) (!__builtin_memcmp(name, text, sizeof(text)))

/**
 * fuse_filter_name_ends - does a name end in a string constant?
 * @name: from bpf_fuse_ctx_name(), with room for %FUSE_FILTER_NAME_SIZE
 * @len: fuse_filter_ctx.name_len
 * @text: string constant
 */
#define fuse_filter_name_ends(name, len, text)					\
({										\
	/* Of a name shorter than the text, this is a very large number */	\
	__u32 ___start = (len) - (sizeof(text) - 1);				\
										\
	barrier_var(___start);							\
	___start <= FUSE_FILTER_NAME_SIZE - sizeof(text) &&			\
		fuse_filter_name_is((name) + ___start, text);			\
})

/*
 * Keys of maps that hold names: zero padded, with at least one NUL, so that the
 * cost of a rule set is one look-up however many rules it has.
 */
#define FUSE_FILTER_KEY_SIZE 64
#define FUSE_FILTER_SUFFIX_SIZE 32

/**
 * fuse_filter_name_key - make a map key of a whole name
 * @key: FUSE_FILTER_KEY_SIZE bytes, aligned to 8
 * @name: from bpf_fuse_ctx_name(), with room for %FUSE_FILTER_NAME_SIZE
 *
 * The caller has checked that the name is shorter than the key.
 */
static __always_inline void fuse_filter_name_key(char *key, const char *name)
{
	for (int i = 0; i < FUSE_FILTER_KEY_SIZE / 8; i++)
		((__u64 *)key)[i] = ((const __u64 *)name)[i];
}

/**
 * fuse_filter_suffix_key - make a map key of the part of a name from the last dot
 * @key: FUSE_FILTER_SUFFIX_SIZE bytes, aligned to 8; the dot is the first
 * @name: from bpf_fuse_ctx_name(), with room for %FUSE_FILTER_NAME_SIZE
 * @len: fuse_filter_ctx.name_len
 *
 * Looks no further back than a key can hold, so that a long name costs no more
 * than a short one.
 *
 * Return: 0, or -ENOENT if that part would not fit or there is no dot
 */
static __always_inline int fuse_filter_suffix_key(char *key, const char *name, __u32 len)
{
	__u32 start = len;
	__u32 size;

	for (size = 1; size < FUSE_FILTER_SUFFIX_SIZE; size++) {
		/* Before the first byte, this is a very large number */
		start--;
		barrier_var(start);
		if (start >= FUSE_FILTER_NAME_SIZE)
			return -ENOENT;
		if (name[start] == '.')
			break;
	}
	if (size == FUSE_FILTER_SUFFIX_SIZE)
		return -ENOENT;

	for (int i = 0; i < FUSE_FILTER_SUFFIX_SIZE / 8; i++)
		((__u64 *)key)[i] = 0;
	for (__u32 i = 0; i < size; i++) {
		__u32 at = start + i;

		/* The verifier must see that what is compared is what is used */
		barrier_var(at);
		if (at >= FUSE_FILTER_NAME_SIZE)
			break;
		key[i] = name[at];
	}
	return 0;
}

#endif /* __FUSE_FILTER_BPF_H */
