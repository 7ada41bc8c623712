// SPDX-License-Identifier: GPL-2.0-only
/*
 * Line coverage of the module, on a kernel that has no support for it: what gcc's
 * instrumented code counts is read from /proc/fuse_bpf_gcda.
 *
 * With -fprofile-info-section, each object file has a pointer to its counters in a
 * section, which begins with the one that gcov_begin.o puts there and ends with this
 * file's, as the linker keeps the order of the files. Nothing has to be called when
 * the module is loaded, which a kernel without CONFIG_CONSTRUCTORS would not do.
 *
 * The structures are those of gcc 14; what is read is, for each object file, a line
 * with the name and the size of its .gcda file, and then that file.
 */
#include "gcov.h"

#include <linux/fs.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/string.h>

#if __GNUC__ != 14
#error "these structures are those of gcc 14"
#endif

#define GCOV_COUNTERS		9
#define GCOV_DATA_MAGIC		0x67636461
#define GCOV_TAG_FUNCTION	0x01000000
#define GCOV_TAG_COUNTERS	0x01a10000
#define GCOV_WORD		sizeof(u32)

struct gcov_counts {
	u32 nr;
	const s64 *values;
};

struct gcov_function {
	const void *key;
	u32 ident;
	u32 lineno_checksum;
	u32 cfg_checksum;
	struct gcov_counts counts[];
};

struct gcov_info {
	u32 version;
	const void *next;
	u32 stamp;
	u32 checksum;
	const char *filename;
	const void *merge[GCOV_COUNTERS];
	u32 nr_functions;
	const struct gcov_function *const *functions;
};

const struct gcov_info *const gcov_end __used __section(".gcov_info") = NULL;

/* Instrumented code points to it, and only a program that ends calls it. */
void __gcov_merge_add(s64 *counters, u32 nr);
void __gcov_merge_add(s64 *counters, u32 nr)
{
}

/**
 * struct gcov_out - the text as it is made
 * @buf: where to, NULL: only @len is wanted
 * @size: of @buf
 * @len: bytes so far
 */
struct gcov_out {
	char *buf;
	size_t size;
	size_t len;
};

static void gcov_put(struct gcov_out *out, const void *data, size_t len)
{
	if (out->buf && out->len + len <= out->size)
		memcpy(out->buf + out->len, data, len);
	out->len += len;
}

static void gcov_put_word(struct gcov_out *out, u32 word)
{
	gcov_put(out, &word, sizeof(word));
}

static void gcov_put_function(struct gcov_out *out, const struct gcov_info *info,
			      const struct gcov_function *fn)
{
	const struct gcov_counts *counts = fn->counts;
	u32 i;

	gcov_put_word(out, GCOV_TAG_FUNCTION);
	gcov_put_word(out, 3 * GCOV_WORD);
	gcov_put_word(out, fn->ident);
	gcov_put_word(out, fn->lineno_checksum);
	gcov_put_word(out, fn->cfg_checksum);
	for (i = 0; i < GCOV_COUNTERS; i++) {
		if (!info->merge[i])
			continue;
		gcov_put_word(out, GCOV_TAG_COUNTERS + (i << 17));
		gcov_put_word(out, counts->nr * sizeof(s64));
		gcov_put(out, counts->values, counts->nr * sizeof(s64));
		counts++;
	}
}

static void gcov_put_data(struct gcov_out *out, const struct gcov_info *info)
{
	u32 i;

	gcov_put_word(out, GCOV_DATA_MAGIC);
	gcov_put_word(out, info->version);
	gcov_put_word(out, info->stamp);
	gcov_put_word(out, info->checksum);
	for (i = 0; i < info->nr_functions; i++) {
		/* Of a function that was left out for another's, there is none */
		if (info->functions[i] && info->functions[i]->key == info)
			gcov_put_function(out, info, info->functions[i]);
	}
	gcov_put_word(out, 0);
}

static void gcov_put_all(struct gcov_out *out)
{
	const struct gcov_info *const *info;
	char line[256];

	for (info = RELOC_HIDE(&gcov_begin, 0) + 1; info < RELOC_HIDE(&gcov_end, 0); info++) {
		struct gcov_out size = {};

		gcov_put_data(&size, *info);
		scnprintf(line, sizeof(line), "%s %zu\n", (*info)->filename, size.len);
		gcov_put(out, line, strlen(line));
		gcov_put_data(out, *info);
	}
}

static int gcov_open(struct inode *inode, struct file *file)
{
	struct gcov_out out = {};

	gcov_put_all(&out);
	out.size = out.len;
	out.buf = kvmalloc(out.size, GFP_KERNEL);
	if (!out.buf)
		return -ENOMEM;
	out.len = 0;
	gcov_put_all(&out);
	file->private_data = out.buf;
	i_size_write(inode, out.size);
	return 0;
}

static ssize_t gcov_read(struct file *file, char __user *buf, size_t len, loff_t *pos)
{
	return simple_read_from_buffer(buf, len, pos, file->private_data,
				       i_size_read(file_inode(file)));
}

static int gcov_release(struct inode *inode, struct file *file)
{
	kvfree(file->private_data);
	return 0;
}

static const struct proc_ops gcov_ops = {
	.proc_open = gcov_open,
	.proc_read = gcov_read,
	.proc_lseek = default_llseek,
	.proc_release = gcov_release,
};

int fuse_gcov_init(void)
{
	return proc_create("fuse_bpf_gcda", 0400, NULL, &gcov_ops) ? 0 : -ENOMEM;
}

void fuse_gcov_exit(void)
{
	remove_proc_entry("fuse_bpf_gcda", NULL);
}
