// SPDX-License-Identifier: GPL-2.0-only
/*
 * FUSE filters: a BPF iterator over all that is attached, "fuse_filter".
 *
 * Only for FUSE that is built into the kernel: modules cannot have iterators.
 */

#include "filter.h"

#include <linux/bpf.h>
#include <linux/btf_ids.h>
#include <linux/init.h>
#include <linux/seq_file.h>

/**
 * struct fuse_filter_iter - a walk over all attachments
 * @attached: the one that it is at
 */
struct fuse_filter_iter {
	struct fuse_filter_attached attached;
};

/* The attachment at a position: the mutex is not held while a program runs. */
static void *fuse_filter_iter_at(struct fuse_filter_iter *iter, loff_t pos)
{
	struct fuse_filter_reg *reg;
	struct fuse_filter *filter;

	guard(mutex)(&fuse_filter_mutex);

	list_for_each_entry(reg, &fuse_filter_regs, list) {
		list_for_each_entry(filter, &reg->attached, list) {
			if (pos--)
				continue;
			iter->attached.connection = filter->fc->dev;
			fuse_filter_describe(filter, &iter->attached.info);
			return &iter->attached;
		}
	}
	return NULL;
}

static void *fuse_filter_seq_start(struct seq_file *m, loff_t *pos)
{
	return fuse_filter_iter_at(m->private, *pos);
}

static void *fuse_filter_seq_next(struct seq_file *m, void *v, loff_t *pos)
{
	return fuse_filter_iter_at(m->private, ++*pos);
}

struct bpf_iter__fuse_filter {
	__bpf_md_ptr(struct bpf_iter_meta *, meta);
	__bpf_md_ptr(struct fuse_filter_attached *, attached);
};

DEFINE_BPF_ITER_FUNC(fuse_filter, struct bpf_iter_meta *meta,
		     struct fuse_filter_attached *attached)

static int fuse_filter_seq_run(struct seq_file *m, void *v, bool in_stop)
{
	struct bpf_iter_meta meta = { .seq = m };
	struct bpf_iter__fuse_filter ctx = { .meta = &meta, .attached = v };
	struct bpf_prog *prog = bpf_iter_get_info(&meta, in_stop);

	return prog ? bpf_iter_run_prog(prog, &ctx) : 0;
}

static int fuse_filter_seq_show(struct seq_file *m, void *v)
{
	return fuse_filter_seq_run(m, v, false);
}

static void fuse_filter_seq_stop(struct seq_file *m, void *v)
{
	if (!v)
		fuse_filter_seq_run(m, v, true);
}

static const struct seq_operations fuse_filter_seq_ops = {
	.start	= fuse_filter_seq_start,
	.next	= fuse_filter_seq_next,
	.stop	= fuse_filter_seq_stop,
	.show	= fuse_filter_seq_show,
};

static const struct bpf_iter_seq_info fuse_filter_seq_info = {
	.seq_ops	= &fuse_filter_seq_ops,
	.seq_priv_size	= sizeof(struct fuse_filter_iter),
};

BTF_ID_LIST_SINGLE(fuse_filter_attached_id, struct, fuse_filter_attached)

static struct bpf_iter_reg fuse_filter_iter_reg = {
	.target			= "fuse_filter",
	.ctx_arg_info_size	= 1,
	.ctx_arg_info		= {
		{ offsetof(struct bpf_iter__fuse_filter, attached),
		  PTR_TO_BTF_ID_OR_NULL },
	},
	.seq_info		= &fuse_filter_seq_info,
};

static int __init fuse_filter_iter_init(void)
{
	fuse_filter_iter_reg.ctx_arg_info[0].btf_id = *fuse_filter_attached_id;
	return bpf_iter_reg_target(&fuse_filter_iter_reg);
}

late_initcall(fuse_filter_iter_init);
