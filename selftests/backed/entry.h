/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fixture of tests that attach inodes: a mount with a server that has registered a file
 * and a directory, by both ways that replies can come.
 */
#ifndef _BACKED_ENTRY_H
#define _BACKED_ENTRY_H

#include "entry_tree.h"
#include "harness.h"

FIXTURE(entry)
{
	struct backed b;
	int file;
	int dir;
};

FIXTURE_VARIANT(entry)
{
	bool uring;
};

FIXTURE_VARIANT_ADD(entry, dev) { };
FIXTURE_VARIANT_ADD(entry, uring) { .uring = true };

FIXTURE_SETUP(entry)
{
	struct backed *b = &self->b;

	ASSERT_EQ(0, entry_tree_make(b, variant->uring));
	self->file = register_path(b->dev, in(b->back, "file"), 0);
	ASSERT_LT(0, self->file);
	self->dir = register_path(b->dev, in(b->back, "dir"), 0);
	ASSERT_LT(0, self->dir);
}

FIXTURE_TEARDOWN(entry)
{
	if (self->b.server)
		EXPECT_EQ(0, self->b.server->kernel_nodes);
	EXPECT_EQ(0, backed_destroy(&self->b));
	told_free();
}

#endif /* _BACKED_ENTRY_H */
