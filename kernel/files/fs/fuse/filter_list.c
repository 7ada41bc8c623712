// SPDX-License-Identifier: GPL-2.0-only
/*
 * FUSE filters: listing what is attached.
 */

#include "filter.h"

#include <linux/bpf.h>
#include <linux/cleanup.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/xarray.h>

/* A link that is going away waits for the mutex first */
static u32 fuse_filter_link_id(const struct fuse_filter_reg *reg)
{
	return reg->link && !reg->dead ? READ_ONCE(reg->link->id) : 0;
}

/**
 * fuse_filter_describe - describe an attached filter
 * @filter: filter
 * @info: filled in
 *
 * Context: fuse_filter_mutex is held.
 */
void fuse_filter_describe(const struct fuse_filter *filter,
			  struct fuse_filter_info *info)
{
	const struct fuse_filter_prog *prog =
		rcu_dereference_protected(filter->reg->prog,
					  lockdep_is_held(&fuse_filter_mutex));
	const struct fuse_filter_counts *counts;
	int cpu;

	*info = (struct fuse_filter_info) {
		.id = filter->id,
		.map_id = bpf_struct_ops_id(prog->ops),
		.link_id = fuse_filter_link_id(filter->reg),
		.flags = filter->flags |
			 (filter->reg->dead ? FUSE_FILTER_DEAD : 0),
		.nodes = filter->bound ? READ_ONCE(filter->bound->nodes) : 0,
		.dir = filter->dir ? filter->dir->i_ino : 0,
		.ops[0] = prog->masks.pre,
		.post_ops[0] = prog->masks.post,
	};
	strscpy(info->name, prog->ops->name);

	for_each_possible_cpu(cpu) {
		counts = per_cpu_ptr(filter->counts, cpu);
		info->runs += READ_ONCE(counts->runs);
		info->denied += READ_ONCE(counts->denied);
	}
}

static int fuse_filter_copy_infos(const struct fuse_filter_info *infos, u32 nr,
				  const struct fuse_filter_list *list)
{
	u32 i;
	int err;

	for (i = 0; i < nr; i++) {
		err = copy_struct_to_user(u64_to_user_ptr(list->filters +
							  (u64)i * list->info_size),
					  list->info_size, &infos[i],
					  sizeof(infos[i]), NULL);
		if (err)
			return err;
	}
	return 0;
}

/* Those of the mount in their order, and then the others */
static u32 fuse_filter_describe_all(struct fuse_conn *fc,
				    struct fuse_filter_info *infos, u32 room)
{
	struct fuse_filter_chain *chain = fuse_filter_mount_chain(fc);
	struct fuse_filter *filter;
	unsigned long id;
	u32 nr;

	for (nr = 0; chain && nr < chain->nr; nr++) {
		if (nr < room)
			fuse_filter_describe(chain->filters[nr], &infos[nr]);
	}
	if (fc->filter_count == nr)
		return nr;

	xa_for_each(&fc->filter_ids, id, filter) {
		if (!filter->dir && !filter->bound)
			continue;
		if (nr < room)
			fuse_filter_describe(filter, &infos[nr]);
		nr++;
	}
	return nr;
}

/*
 * All filters of @fc, or at most @room, to be freed. @room says how many were
 * described, @nr how many there are.
 */
static struct fuse_filter_info *fuse_filter_infos(struct fuse_conn *fc, u32 *room,
						  u32 *nr)
{
	struct fuse_filter_info *infos;

	*room = min(*room, READ_ONCE(fc->filter_count));
	infos = kvcalloc(*room, sizeof(*infos), GFP_KERNEL_ACCOUNT);
	if (!infos)
		return NULL;

	scoped_guard(mutex, &fuse_filter_mutex) {
		*nr = fuse_filter_describe_all(fc, infos, *room);
	}
	*room = min(*room, *nr);
	return infos;
}

/**
 * fuse_filter_list - describe the filters of a connection
 * @fc: connection
 * @list: request; @list->nr is filled in
 *
 * User memory is not touched under the mutex: it may be a daemon's.
 *
 * Return: 0, -ENOMEM, -EFAULT
 */
int fuse_filter_list(struct fuse_conn *fc, struct fuse_filter_list *list)
{
	struct fuse_filter_info *infos __free(kvfree) = NULL;
	u32 room = list->nr;

	infos = fuse_filter_infos(fc, &room, &list->nr);
	if (!infos)
		return -ENOMEM;
	return fuse_filter_copy_infos(infos, room, list);
}

static void fuse_filter_show(struct seq_file *m, const struct fuse_filter_info *info)
{
	seq_printf(m, "id=%u map=%u link=%u name=%s dir=%llu ops=%llx post=%llx runs=%llu denied=%llu",
		   info->id, info->map_id, info->link_id, info->name, info->dir, info->ops[0],
		   info->post_ops[0], info->runs, info->denied);
	if (info->flags & FUSE_FILTER_BY_REPLY)
		seq_printf(m, " by_reply nodes=%llu", info->nodes);
	seq_printf(m, "%s%s\n",
		   info->flags & FUSE_FILTER_FAIL_OPEN ? " fail_open" : "",
		   info->flags & FUSE_FILTER_DEAD ? " dead" : "");
}

static int fuse_filters_show(struct seq_file *m, void *v)
{
	struct fuse_filter_info *infos __free(kvfree) = NULL;
	u32 i, nr, room = U32_MAX;

	infos = fuse_filter_infos(m->private, &room, &nr);
	if (!infos)
		return -ENOMEM;

	for (i = 0; i < room; i++)
		fuse_filter_show(m, &infos[i]);
	return 0;
}

static int fuse_filters_open(struct inode *inode, struct file *file)
{
	return fuse_ctl_single_open(file, fuse_filters_show);
}

const struct file_operations fuse_filters_fops = {
	.owner		= THIS_MODULE,
	.open		= fuse_filters_open,
	.read		= seq_read,
	.llseek		= seq_lseek,
	.release	= fuse_ctl_single_release,
};
