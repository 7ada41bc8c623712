// SPDX-License-Identifier: GPL-2.0-only
/*
 * Naming what the kernel made: which requests tell the daemon of an inode and of an
 * open file before it can be asked about them, and that it is told when they go.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backed_fixture.h"
#include "harness.h"
#include "route_all.h"
#include "tree_server.h"

FIXTURE(identity)
{
	struct backed b;
	struct tree_server *tree;
	struct filter filter;
	int dir;
};

FIXTURE_SETUP(identity)
{
	ASSERT_EQ(0, backed_make(&self->b, "tmpfs"));
	ASSERT_EQ(0, make_dir(in(self->b.back, "a"), 0777));
	ASSERT_EQ(0, make_dir(in(self->b.back, "a/b"), 0777));
	ASSERT_EQ(0, make_file(in(self->b.back, "a/b/file"), "of the backing\n", 0666));
	ASSERT_EQ(0, make_file(in(self->b.back, "a/other"), "other\n", 0666));
	ASSERT_EQ(0, make_file(in(self->b.back, "top"), "top\n", 0666));
	self->tree = tree_server_setup(&self->b, BACKED_ALLOW_OTHER);
	ASSERT_NE(NULL, self->tree);
	self->dir = open_dir(self->b.mnt, 0);
	ASSERT_LE(0, self->dir);
	ASSERT_EQ(0, route_load(&self->filter, self->dir));
}

FIXTURE_TEARDOWN(identity)
{
	filter_destroy(&self->filter);
	close(self->dir);
	if (self->b.server->pid)
		EXPECT_EQ(0, tree_server_wait_forgotten(self->tree));
	/* Of nodes of that kind a daemon hears only if it made one up */
	EXPECT_EQ(0, self->b.server->kernel_nodes);
	EXPECT_EQ(0, backed_destroy(&self->b));
	tree_server_free(self->tree);
}

static int stat_size(const char *path)
{
	struct stat st;
	int err = RES(lstat(path, &st));

	return err ? err : (int)st.st_size;
}

static int fstat_size(int fd)
{
	struct stat st;
	int err = RES(fstat(fd, &st));

	return err ? err : (int)st.st_size;
}

/* Is entry @i of the log this request? */
static bool logged(const struct tree_server *tree, unsigned int i, __u32 opcode, __u64 nodeid,
		   const char *name)
{
	const struct tree_entry *entry = &tree->log[i];

	return i < tree->nr_log && entry->opcode == opcode && entry->nodeid == nodeid &&
	       !strcmp(entry->name, name);
}

TEST_F(identity, nothing_is_sent_without_need)
{
	EXPECT_STREQ("of the backing\n", text_of(in(self->b.mnt, "a/b/file")));
	EXPECT_EQ(0, sh("ls -lR %s >/dev/null", self->b.mnt));
	EXPECT_EQ(0, raw_server_total(self->b.server));
}

TEST_F(identity, names_are_sent_from_the_top_and_once)
{
	struct tree_server *tree = self->tree;
	const char *file = in(self->b.mnt, "a/b/file");

	ASSERT_EQ(0, route(&self->filter, FUSE_GETATTR, FUSE_FILTER_DAEMON));
	EXPECT_EQ(TREE_SIZE, stat_size(file));
	EXPECT_EQ(4, tree->nr_log);
	EXPECT_TRUE(logged(tree, 0, FUSE_LOOKUP, FUSE_ROOT_ID, "a"));
	EXPECT_TRUE(logged(tree, 1, FUSE_LOOKUP, tree_server_id(tree, "a"), "b"));
	EXPECT_TRUE(logged(tree, 2, FUSE_LOOKUP, tree_server_id(tree, "a/b"), "file"));
	EXPECT_TRUE(logged(tree, 3, FUSE_GETATTR, tree_server_id(tree, "a/b/file"), ""));

	tree_server_clear(tree);
	EXPECT_EQ(TREE_SIZE, stat_size(file));
	EXPECT_EQ(1, tree->nr_log);
	EXPECT_TRUE(logged(tree, 0, FUSE_GETATTR, tree_server_id(tree, "a/b/file"), ""));

	/* What is beside it has known parents */
	tree_server_clear(tree);
	EXPECT_EQ(TREE_SIZE, stat_size(in(self->b.mnt, "a/other")));
	EXPECT_EQ(2, tree->nr_log);
	EXPECT_TRUE(logged(tree, 0, FUSE_LOOKUP, tree_server_id(tree, "a"), "other"));
	EXPECT_EQ(4, tree_server_lookups(tree));
}

TEST_F(identity, the_root_has_a_name)
{
	ASSERT_EQ(0, route(&self->filter, FUSE_GETATTR, FUSE_FILTER_DAEMON));
	EXPECT_EQ(TREE_SIZE, stat_size(self->b.mnt));
	EXPECT_EQ(1, self->tree->nr_log);
	EXPECT_TRUE(logged(self->tree, 0, FUSE_GETATTR, FUSE_ROOT_ID, ""));
}

TEST_F(identity, filters_see_the_number_of_before)
{
	const char *file = in(self->b.mnt, "a/b/file");
	__u64 nodeid = FUSE_NODEID_KERNEL | ino_of(in(self->b.back, "a/b/file"));
	__u64 parent = FUSE_NODEID_KERNEL | ino_of(in(self->b.back, "a/b"));

	ASSERT_EQ(0, route(&self->filter, FUSE_GETATTR, FUSE_FILTER_DAEMON));
	EXPECT_EQ(TREE_SIZE, stat_size(file));
	EXPECT_EQ(nodeid, route_seen(&self->filter, FUSE_GETATTR).nodeid);
	EXPECT_EQ(TREE_SIZE, stat_size(file));
	EXPECT_EQ(nodeid, route_seen(&self->filter, FUSE_GETATTR).nodeid);
	EXPECT_EQ(parent, route_seen(&self->filter, FUSE_LOOKUP).parent);
	/* Once for each stat, not again where the request is sent */
	EXPECT_EQ(2, route_seen(&self->filter, FUSE_GETATTR).calls);
}

TEST_F(identity, what_is_forgotten_is_asked_for_anew)
{
	const char *file = in(self->b.mnt, "a/b/file");

	ASSERT_EQ(0, route(&self->filter, FUSE_GETATTR, FUSE_FILTER_DAEMON));
	for (int i = 0; i < 3; i++) {
		tree_server_clear(self->tree);
		EXPECT_EQ(TREE_SIZE, stat_size(file));
		EXPECT_EQ(3, tree_server_count(self->tree, FUSE_LOOKUP, 0));
		EXPECT_EQ(0, tree_server_wait_forgotten(self->tree));
	}
}

TEST_F(identity, a_hard_link_is_one_node)
{
	const char *file = in(self->b.mnt, "a/b/file"), *again = in(self->b.mnt, "again");

	ASSERT_EQ(0, RES(link(file, again)));
	ASSERT_EQ(0, route(&self->filter, FUSE_GETATTR, FUSE_FILTER_DAEMON));
	EXPECT_EQ(TREE_SIZE, stat_size(file));
	tree_server_clear(self->tree);
	EXPECT_EQ(TREE_SIZE, stat_size(again));
	EXPECT_EQ(0, tree_server_count(self->tree, FUSE_LOOKUP, 0));
}

FIXTURE(hostile)
{
	struct backed b;
	struct tree_server *tree;
	struct filter filter;
	int dir;
};

FIXTURE_VARIANT(hostile)
{
	int error;
	struct fuse_entry_out lie;
	int want;
};

#define LIE(id, type) { .nodeid = (id), .attr = { .mode = (type) | 0644, .nlink = 1 } }

FIXTURE_VARIANT_ADD(hostile, enoent) { .error = -ENOENT, .want = -EIO };
FIXTURE_VARIANT_ADD(hostile, eacces) { .error = -EACCES, .want = -EACCES };
FIXTURE_VARIANT_ADD(hostile, no_id) { .lie = LIE(0, S_IFREG), .want = -EIO };
FIXTURE_VARIANT_ADD(hostile, id_of_the_root) { .lie = LIE(1, S_IFREG), .want = -EIO };
FIXTURE_VARIANT_ADD(hostile, other_type) { .lie = LIE(77, S_IFDIR), .want = -EIO };
FIXTURE_VARIANT_ADD(hostile, no_type) { .lie = LIE(77, 0), .want = -EIO };
FIXTURE_VARIANT_ADD(hostile, id_of_another) { .lie = LIE(TREE_FIRST_NODE, S_IFREG), .want = -EIO };
FIXTURE_VARIANT_ADD(hostile, id_of_the_kernel) {
	.lie = LIE(FUSE_NODEID_KERNEL | 5, S_IFREG), .want = -EIO
};

FIXTURE_SETUP(hostile)
{
	ASSERT_EQ(0, backed_make(&self->b, "tmpfs"));
	ASSERT_EQ(0, make_file(in(self->b.back, "first"), "first\n", 0666));
	ASSERT_EQ(0, make_file(in(self->b.back, "victim"), "victim\n", 0666));
	self->tree = tree_server_setup(&self->b, BACKED_ALLOW_OTHER);
	ASSERT_NE(NULL, self->tree);
	self->dir = open_dir(self->b.mnt, 0);
	ASSERT_LE(0, self->dir);
	ASSERT_EQ(0, route_load(&self->filter, self->dir));
	ASSERT_EQ(0, route(&self->filter, FUSE_GETATTR, FUSE_FILTER_DAEMON));
	/* The first node, whose id is TREE_FIRST_NODE */
	EXPECT_EQ(TREE_SIZE, stat_size(in(self->b.mnt, "first")));
	self->tree->lie = variant->lie;
	self->tree->lie_error = variant->error;
	strcpy(self->tree->lie_name, "victim");
}

FIXTURE_TEARDOWN(hostile)
{
	filter_destroy(&self->filter);
	close(self->dir);
	EXPECT_EQ(0, tree_server_wait_forgotten(self->tree));
	EXPECT_EQ(0, backed_destroy(&self->b));
	tree_server_free(self->tree);
}

TEST_F(hostile, is_refused_and_forgotten)
{
	const char *victim = in(self->b.mnt, "victim");

	EXPECT_EQ(variant->want, stat_size(victim));
	/* What was counted is given back at once, but for that of "first" */
	for (int i = 0; i < 100 && tree_server_lookups(self->tree) != 1; i++)
		usleep(10000);
	EXPECT_EQ(1, tree_server_lookups(self->tree));
	/* The inode is as good as before, and so is the daemon's next answer */
	EXPECT_STREQ("victim\n", text_of(victim));
	self->tree->lie_name[0] = '\0';
	EXPECT_EQ(TREE_SIZE, stat_size(victim));
	EXPECT_STREQ("first\n", text_of(in(self->b.mnt, "first")));
}

TEST_F(identity, an_id_is_that_of_one_inode)
{
	const char *served = in(self->b.mnt, "served"), *other = in(self->b.mnt, "server-too");
	struct stat st;

	/* A plain inode of the daemon's has it first */
	ASSERT_EQ(0, make_file(in(self->b.back, "served"), "x\n", 0644));
	ASSERT_EQ(0, route_name(&self->filter, "server-too", FUSE_FILTER_DAEMON));
	ASSERT_EQ(0, RES(lstat(other, &st)));
	self->tree->lie = (struct fuse_entry_out)LIE(st.st_ino, S_IFREG);
	strcpy(self->tree->lie_name, "served");
	ASSERT_EQ(0, route(&self->filter, FUSE_GETATTR, FUSE_FILTER_DAEMON));
	EXPECT_EQ(-EIO, stat_size(served));

	/* A kernel-made one has it first */
	EXPECT_EQ(TREE_SIZE, stat_size(in(self->b.mnt, "top")));
	self->tree->lie = (struct fuse_entry_out)LIE(tree_server_id(self->tree, "top"), S_IFREG);
	strcpy(self->tree->lie_name, "server-new");
	ASSERT_EQ(0, route_name(&self->filter, "server-new", FUSE_FILTER_DAEMON));
	EXPECT_EQ(-EIO, stat_size(in(self->b.mnt, "server-new")));
	EXPECT_EQ(TREE_SIZE, stat_size(in(self->b.mnt, "top")));
}

struct stat_job {
	const char *path;
	int size;
};

static void *stat_thread(void *arg)
{
	struct stat_job *job = arg;

	job->size = stat_size(job->path);
	return NULL;
}

TEST_F(identity, two_callers_share_a_name)
{
	struct stat_job jobs[2] = {
		{ .path = in(self->b.mnt, "top") },
		{ .path = in(self->b.mnt, "top") },
	};
	pthread_t threads[2];

	/* Known to the dcache, so that both ask the daemon at the same time */
	EXPECT_EQ(4, stat_size(jobs[0].path));
	ASSERT_EQ(0, route(&self->filter, FUSE_GETATTR, FUSE_FILTER_DAEMON));
	self->tree->during_usec = 300000;
	strcpy(self->tree->during_name, "top");
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, stat_thread, &jobs[i]));
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		EXPECT_EQ(TREE_SIZE, jobs[i].size);
	}
	EXPECT_EQ(2, tree_server_count(self->tree, FUSE_LOOKUP, 0));
	/* The surplus one is given back at once */
	for (int i = 0; i < 100 && tree_server_lookups(self->tree) != 1; i++)
		usleep(10000);
	EXPECT_EQ(1, tree_server_lookups(self->tree));
}


/* The server renames something while it is asked for "file" in a/b */
static void rename_during(struct tree_server *tree, const char *dir, const char *from,
			  const char *to)
{
	snprintf(tree->during_from, sizeof(tree->during_from), "%s", in(dir, "%s", from));
	snprintf(tree->during_to, sizeof(tree->during_to), "%s", in(dir, "%s", to));
	strcpy(tree->during_name, "file");
}

TEST_F(identity, a_rename_while_naming_is_seen)
{
	int fd = open(in(self->b.mnt, "a/b/file"), O_RDONLY | O_CLOEXEC);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, route(&self->filter, FUSE_GETATTR, FUSE_FILTER_DAEMON));
	rename_during(self->tree, self->b.mnt, "a/b/file", "moved");
	EXPECT_EQ(TREE_SIZE, fstat_size(fd));
	/* Asked for by the name of before, and by the new one */
	EXPECT_EQ(1, tree_server_count(self->tree, FUSE_LOOKUP, tree_server_id(self->tree, "a/b")));
	EXPECT_EQ(2, tree_server_count(self->tree, FUSE_LOOKUP, FUSE_ROOT_ID));
	EXPECT_NE(0, tree_server_id(self->tree, "moved"));
	EXPECT_EQ(1, tree_server_count(self->tree, FUSE_GETATTR,
				       tree_server_id(self->tree, "moved")));
	close(fd);
}

TEST_F(identity, a_name_that_went_away_while_naming_is_no_lie)
{
	int fd = open(in(self->b.mnt, "a/b/file"), O_RDONLY | O_CLOEXEC);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, route(&self->filter, FUSE_GETATTR, FUSE_FILTER_DAEMON));
	rename_during(self->tree, self->b.mnt, "a/b/file", "moved");
	self->tree->lie_error = -ENOENT;
	strcpy(self->tree->lie_name, "file");
	EXPECT_EQ(TREE_SIZE, fstat_size(fd));
	EXPECT_NE(0, tree_server_id(self->tree, "moved"));
	close(fd);
}

TEST_F(identity, a_rename_of_an_ancestor_while_naming_is_seen)
{
	int fd = open(in(self->b.mnt, "a/b/file"), O_RDONLY | O_CLOEXEC);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, route(&self->filter, FUSE_GETATTR, FUSE_FILTER_DAEMON));
	rename_during(self->tree, self->b.mnt, "a/b", "c");
	/* Its directory is the same node, wherever it is now */
	EXPECT_EQ(TREE_SIZE, fstat_size(fd));
	EXPECT_EQ(3, tree_server_count(self->tree, FUSE_LOOKUP, 0));
	close(fd);
}

TEST_F(identity, a_rename_on_the_backing_while_naming_is_stale)
{
	const char *file = in(self->b.mnt, "a/b/file");
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, route(&self->filter, FUSE_GETATTR, FUSE_FILTER_DAEMON));
	rename_during(self->tree, self->b.back, "a/b/file", "a/b/moved");
	EXPECT_EQ(-ESTALE, fstat_size(fd));
	/* A path is walked again, and finds nothing */
	EXPECT_EQ(-ENOENT, stat_size(file));
	EXPECT_EQ(TREE_SIZE, stat_size(in(self->b.mnt, "a/b/moved")));
	close(fd);
}

TEST_F(identity, what_was_removed_has_no_name)
{
	const char *file = in(self->b.mnt, "a/b/file");
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, RES(unlink(file)));
	ASSERT_EQ(0, route(&self->filter, FUSE_GETATTR, FUSE_FILTER_DAEMON));
	EXPECT_EQ(-EIO, fstat_size(fd));
	EXPECT_EQ(0, self->tree->nr_log);
	ASSERT_EQ(0, route(&self->filter, FUSE_GETATTR, FUSE_FILTER_DEFAULT));
	EXPECT_EQ(15, fstat_size(fd));
	close(fd);
}

TEST_F(identity, what_is_removed_keeps_its_name)
{
	const char *file = in(self->b.mnt, "a/b/file");
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, route(&self->filter, FUSE_GETATTR, FUSE_FILTER_DAEMON));
	EXPECT_EQ(TREE_SIZE, fstat_size(fd));
	ASSERT_EQ(0, RES(unlink(file)));
	EXPECT_EQ(TREE_SIZE, fstat_size(fd));
	EXPECT_EQ(3, tree_server_lookups(self->tree));
	close(fd);
	EXPECT_EQ(0, tree_server_wait_forgotten(self->tree));
}

TEST_F(identity, a_dead_daemon_names_nothing)
{
	const char *file = in(self->b.mnt, "a/b/file");

	ASSERT_EQ(0, route(&self->filter, FUSE_GETATTR, FUSE_FILTER_DAEMON));
	raw_server_kill(self->b.server);
	close(self->b.dev);
	self->b.dev = -1;
	EXPECT_EQ(-ENOTCONN, stat_size(file));
	ASSERT_EQ(0, route(&self->filter, FUSE_GETATTR, FUSE_FILTER_DEFAULT));
	EXPECT_EQ(15, stat_size(file));
}

static ssize_t read_at(int fd, off_t offset, char *buf, size_t size)
{
	return RES(pread(fd, buf, size, offset));
}

static int route_range(const struct filter *filter, __u32 opcode, __u64 start, __u64 end)
{
	return route_rule(filter, opcode, (struct route_rule){
		.verdict = FUSE_FILTER_DAEMON, .ranged = 1, .start = start, .end = end,
	});
}

/* Each byte is what @who would read there: the daemon or the backing. */
static bool all_bytes(const char *buf, size_t size, int byte)
{
	for (size_t i = 0; i < size; i++) {
		if (buf[i] != byte)
			return false;
	}
	return true;
}

TEST_F(identity, reads_of_one_file_go_to_both)
{
	const char *file = in(self->b.mnt, "big");
	char buf[4096], seen[4097];
	int fd, direct;

	ASSERT_EQ(0, make_big_file(in(self->b.back, "big"), 16384, 3));
	ASSERT_EQ(0, route_range(&self->filter, FUSE_READ, 4096, 8192));
	fd = open(file, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(4096, read_at(fd, 0, buf, sizeof(buf)));
	EXPECT_EQ((char)byte_at(3, 5), buf[5]);
	EXPECT_EQ(0, raw_server_total(self->b.server));
	EXPECT_EQ(4096, read_at(fd, 4096, buf, sizeof(buf)));
	EXPECT_TRUE(all_bytes(buf, sizeof(buf), TREE_BYTE));
	EXPECT_EQ(4096, read_at(fd, 8192, buf, sizeof(buf)));
	EXPECT_EQ((char)byte_at(3, 8192), buf[0]);
	EXPECT_EQ(4096, read_at(fd, 4096, buf, sizeof(buf)));
	EXPECT_TRUE(all_bytes(buf, sizeof(buf), TREE_BYTE));
	EXPECT_EQ(1, tree_server_count(self->tree, FUSE_OPEN, 0));
	EXPECT_EQ(2, tree_server_count(self->tree, FUSE_READ, 0));

	/* By a pipe too, and nothing of it is in any page cache */
	EXPECT_EQ(0, sh("dd if=%s bs=4096 skip=1 count=1 status=none | cat > %s/copy", file,
			self->b.top));
	EXPECT_EQ(4096, read_file(in(self->b.top, "copy"), seen, sizeof(seen)));
	EXPECT_TRUE(all_bytes(seen, 4096, TREE_BYTE));
	ASSERT_EQ(0, route(&self->filter, FUSE_READ, FUSE_FILTER_DEFAULT));
	EXPECT_EQ(4096, read_at(fd, 4096, buf, sizeof(buf)));
	EXPECT_EQ((char)byte_at(3, 4096), buf[0]);
	close(fd);

	/* Each file has a handle of its own, given back when it is closed */
	EXPECT_EQ(0, tree_server_wait_forgotten(self->tree));
	tree_server_clear(self->tree);
	direct = open(file, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, direct);
	EXPECT_EQ(4096, read_at(direct, 4096, buf, sizeof(buf)));
	close(direct);
	EXPECT_EQ(0, self->tree->nr_log);
}

TEST_F(identity, writes_of_one_file_go_to_both)
{
	const char *file = in(self->b.mnt, "big"), *back = in(self->b.back, "big");
	struct stat st;
	char buf[4096];
	int fd;

	ASSERT_EQ(0, make_big_file(back, 8192, 3));
	ASSERT_EQ(0, route_range(&self->filter, FUSE_WRITE, 4096, 1 << 20));
	fd = open(file, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	memset(buf, 'x', sizeof(buf));
	EXPECT_EQ(4096, pwrite(fd, buf, sizeof(buf), 0));
	EXPECT_EQ(0, raw_server_total(self->b.server));
	EXPECT_EQ(4096, pwrite(fd, buf, sizeof(buf), 4096));
	EXPECT_EQ(4096, pwrite(fd, buf, sizeof(buf), 12288));
	EXPECT_EQ(1, tree_server_count(self->tree, FUSE_OPEN, 0));
	EXPECT_EQ(2, tree_server_count(self->tree, FUSE_WRITE, 0));
	/* The backing has the one write and knows nothing of the others */
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(8192, st.st_size);
	EXPECT_EQ(4096, read_at(fd, 0, buf, sizeof(buf)));
	EXPECT_TRUE(all_bytes(buf, sizeof(buf), 'x'));
	EXPECT_EQ(4096, read_at(fd, 4096, buf, sizeof(buf)));
	EXPECT_EQ((char)byte_at(3, 4096), buf[0]);
	close(fd);
}

static void *read_thread(void *arg)
{
	char buf[16];
	ssize_t n = read_at(*(int *)arg, 0, buf, sizeof(buf));

	return n == sizeof(buf) && all_bytes(buf, sizeof(buf), TREE_BYTE) ? arg : NULL;
}

TEST_F(identity, a_file_is_opened_once)
{
	int fd = open(in(self->b.mnt, "a/b/file"), O_RDONLY | O_CLOEXEC);
	pthread_t threads[4];
	void *ok;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, route(&self->filter, FUSE_READ, FUSE_FILTER_DAEMON));
	self->tree->during_usec = 100000;
	strcpy(self->tree->during_name, "file");
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, read_thread, &fd));
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &ok);
		EXPECT_TRUE(ok);
	}
	EXPECT_EQ(1, tree_server_count(self->tree, FUSE_OPEN, 0));
	EXPECT_EQ(4, tree_server_count(self->tree, FUSE_READ, 0));
	close(fd);
	EXPECT_EQ(0, tree_server_wait_forgotten(self->tree));
	EXPECT_EQ(1, tree_server_count(self->tree, FUSE_RELEASE, 0));
}

TEST_F(identity, a_refused_open_is_asked_for_again)
{
	struct raw_reply *refusal;
	char buf[16];
	int fd = open(in(self->b.mnt, "top"), O_RDONLY | O_CLOEXEC);

	ASSERT_LE(0, fd);
	refusal = raw_reply_error(self->b.server, FUSE_OPEN, 0, NULL, -EPERM);
	refusal->uses = 1;
	ASSERT_EQ(0, route(&self->filter, FUSE_READ, FUSE_FILTER_DAEMON));
	EXPECT_EQ(-EPERM, read_at(fd, 0, buf, sizeof(buf)));
	EXPECT_EQ(16, read_at(fd, 0, buf, sizeof(buf)));
	EXPECT_TRUE(all_bytes(buf, sizeof(buf), TREE_BYTE));
	close(fd);
}

TEST_F(identity, a_file_that_the_daemon_opens_is_its)
{
	const char *top = in(self->b.mnt, "top");
	char buf[4];
	int fd;

	ASSERT_EQ(0, route(&self->filter, FUSE_OPEN, FUSE_FILTER_DAEMON));
	fd = open(top, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(1, tree_server_count(self->tree, FUSE_OPEN, 0));
	EXPECT_EQ(4, read_at(fd, 0, buf, sizeof(buf)));
	EXPECT_TRUE(all_bytes(buf, sizeof(buf), TREE_BYTE));
	/* A mapping would be of what the backing has */
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0));
	/* Unless a filter says else */
	ASSERT_EQ(0, route(&self->filter, FUSE_READ, FUSE_FILTER_BACKING));
	EXPECT_EQ(4, read_at(fd, 0, buf, sizeof(buf)));
	EXPECT_EQ(0, memcmp(buf, "top\n", 4));
	close(fd);
	EXPECT_EQ(0, tree_server_wait_forgotten(self->tree));
	EXPECT_EQ(1, tree_server_count(self->tree, FUSE_RELEASE, 0));
	/* The daemon's refusal is that of the open, and nothing stays open */
	raw_reply_error(self->b.server, FUSE_OPEN, 0, NULL, -EPERM);
	EXPECT_EQ(-EPERM, RES(open(top, O_RDONLY)));
}

TEST_HARNESS_MAIN
