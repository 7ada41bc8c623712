// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backed inodes: refusals that are ours, not the backing's, and why. The errno alone
 * does not tell.
 */

#include "backed.h"

#include <linux/seq_file.h>
#include <linux/trace_events.h>

#define CREATE_TRACE_POINTS
#include "backed_trace.h"

static const struct trace_print_flags fuse_backed_refusal_names[] = {
	FUSE_BACKED_REFUSALS
};

static_assert(ARRAY_SIZE(fuse_backed_refusal_names) == FUSE_BACKED_NR_REFUSALS);

/**
 * fuse_backed_refuse - count and trace a refusal
 * @inode: any backed inode of the mount, best that which is refused
 * @opcode: operation that is refused
 * @why: the reason
 * @err: a negative errno
 *
 * Context: any, also in RCU-walk.
 * Return: @err
 */
int fuse_backed_refuse(const struct inode *inode, u32 opcode,
		       enum fuse_backed_refusal why, int err)
{
	struct fuse_conn *fc = get_fuse_conn_super(inode->i_sb);

	atomic_long_inc(&fc->backed->refused[why]);
	trace_fuse_backed_refused(fc->dev, inode, opcode, why, err);
	return err;
}

/**
 * fuse_backed_show_refusals - list how often which reason was given
 * @m: where to
 * @fbc: connection
 */
void fuse_backed_show_refusals(struct seq_file *m,
			       const struct fuse_backed_conn *fbc)
{
	int i;

	for (i = 0; i < FUSE_BACKED_NR_REFUSALS; i++)
		seq_printf(m, "%s=%ld\n", fuse_backed_refusal_names[i].name,
			   atomic_long_read(&fbc->refused[i]));
}
