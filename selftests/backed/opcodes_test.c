// SPDX-License-Identifier: GPL-2.0-only
/*
 * docs/opcodes.md says of each opcode who answers it. Here that is compared with the
 * kernel's header, with what the kernel says of itself, and with what it counts.
 */
#include <dirent.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/fs.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include <fuse_bpf.h>

#include "backed_fixture.h"
#include "harness.h"

/**
 * struct row - what the page says of an opcode
 * @name: without a prefix
 * @number: of the opcode
 * @answered: "backing", "daemon" or "refused"
 * @counted: name of the opcode that it is counted as, "-": none
 */
struct row {
	char name[32];
	unsigned int number;
	char answered[16];
	char counted[32];
};

FIXTURE(opcodes)
{
	struct row rows[128];
	unsigned int nr;
	unsigned int minor;
};

/* Test programs are in build/selftests/GROUP. */
static FILE *open_from_top(const char *name)
{
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (len < 0)
		return NULL;
	self[len] = '\0';
	return fopen(in(dirname(self), "../../../%s", name), "re");
}

static unsigned int read_page(struct row *rows, unsigned int max, unsigned int *minor)
{
	FILE *page = open_from_top("docs/opcodes.md");
	char line[512];
	unsigned int nr = 0;

	while (page && nr < max && fgets(line, sizeof(line), page)) {
		struct row *row = &rows[nr];

		sscanf(line, "Who answers what FUSE 7.%u has", minor);
		if (sscanf(line, "| %31[A-Z0-9_] | %u | %15[a-z] | %31[-A-Z0-9_] |", row->name,
			   &row->number, row->answered, row->counted) == 4)
			nr++;
	}
	if (page)
		fclose(page);
	return nr;
}

FIXTURE_SETUP(opcodes)
{
	self->nr = read_page(self->rows, ARRAY_SIZE(self->rows), &self->minor);
	ASSERT_LT(0, self->nr);
}

FIXTURE_TEARDOWN(opcodes)
{
}

static const struct row *row_of(const struct row *rows, unsigned int nr, const char *name)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (!strcmp(rows[i].name, name))
			return &rows[i];
	}
	return NULL;
}

/* Each opcode of the header that a FUSE mount can have is in the page, and no other. */
TEST_F(opcodes, are_those_of_the_header)
{
	FILE *header = open_from_top("build/module-src/include/uapi/linux/fuse.h");
	unsigned int number, minor = 0, found = 0;
	const struct row *row;
	char line[256], name[32];

	ASSERT_NE(NULL, header);
	while (fgets(line, sizeof(line), header) && !strstr(line, "enum fuse_opcode {"))
		sscanf(line, "#define FUSE_KERNEL_MINOR_VERSION %u", &minor);
	while (fgets(line, sizeof(line), header) && !strstr(line, "};")) {
		if (sscanf(line, " FUSE_%31[A-Z0-9_] = %u", name, &number) != 2 ||
		    strstr(name, "RESERVED"))
			continue;
		found++;
		row = row_of(self->rows, self->nr, name);
		EXPECT_NE(NULL, row) TH_LOG("%s is not in the page", name);
		if (row)
			EXPECT_EQ(number, row->number) TH_LOG("%s", name);
		EXPECT_STREQ(name, fuse_bpf_opcode_name(number));
	}
	fclose(header);
	EXPECT_EQ(found, self->nr);
	EXPECT_EQ(minor, self->minor);
}

TEST_F(opcodes, are_answered_as_the_kernel_says)
{
	struct fuse_bpf_query query = {};
	__u64 page[2] = {};
	unsigned int i;
	int fd = open(device_path(), O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, RES(ioctl(fd, FUSE_IOC_QUERY, &query)));
	close(fd);
	for (i = 0; i < self->nr; i++) {
		const struct row *row = &self->rows[i];
		bool backed = query.backed_ops[row->number / 64] >> (row->number % 64) & 1;

		EXPECT_EQ(backed, !strcmp(row->answered, "backing")) TH_LOG("%s", row->name);
		EXPECT_TRUE(backed || !strcmp(row->answered, "daemon") ||
			    !strcmp(row->answered, "refused")) TH_LOG("%s", row->name);
		if (backed)
			page[row->number / 64] |= 1ull << (row->number % 64);
	}
	/* And nothing that the page does not know of */
	EXPECT_EQ(query.backed_ops[0], page[0]);
	EXPECT_EQ(query.backed_ops[1], page[1]);
}

/* Everything that a program can do, if only once */
static int use_files(const char *mnt)
{
	struct flock lock = { .l_type = F_RDLCK };
	char buf[64];
	int fd = open(in(mnt, "created"), O_RDWR | O_CREAT, 0644), out, attrs;

	if (fd < 0 || write(fd, "text", 4) != 4 || pread(fd, buf, 4, 0) != 4 ||
	    lseek(fd, 0, SEEK_END) != 4 || fsync(fd) || fallocate(fd, 0, 0, 100))
		return -errno;
	out = open(in(mnt, "."), O_TMPFILE | O_RDWR, 0600);
	if (out < 0 || copy_file_range(fd, NULL, out, NULL, 4, 0) < 0)
		return -errno;
	lock.l_whence = SEEK_SET;
	if (fcntl(fd, F_GETLK, &lock) || fcntl(fd, F_SETLK, &lock) || flock(fd, LOCK_EX) ||
	    fcntl(fd, F_OFD_SETLKW, &lock))
		return -errno;
	if (ioctl(fd, FS_IOC_GETFLAGS, &attrs))
		return -errno;
	close(out);
	return RES(close(fd));
}

static int use_names(const char *mnt)
{
	char buf[64];

	if (symlink("created", in(mnt, "soft")) || readlink(in(mnt, "soft"), buf, 64) < 0 ||
	    mkfifo(in(mnt, "fifo"), 0644) || link(in(mnt, "created"), in(mnt, "link")) ||
	    mkdir(in(mnt, "dir"), 0755) || rename(in(mnt, "link"), in(mnt, "dir/moved")) ||
	    unlink(in(mnt, "dir/moved")) || rmdir(in(mnt, "dir")))
		return -errno;
	return 0;
}

static int use_attributes(const char *mnt)
{
	const char *path = in(mnt, "created");
	struct statfs sfs;
	char buf[64];

	if (chmod(path, 0600) || access(path, R_OK) || statfs(path, &sfs) ||
	    setxattr(path, "user.x", "y", 1, 0) || getxattr(path, "user.x", buf, 64) < 0 ||
	    listxattr(path, buf, 64) < 0 || removexattr(path, "user.x"))
		return -errno;
	return 0;
}

static int use_directory(const char *mnt)
{
	DIR *dir = opendir(mnt);
	int err;

	if (!dir)
		return -errno;
	while (readdir(dir))
		;
	err = RES(fsync(dirfd(dir)));
	if (!err)
		err = RES(syncfs(dirfd(dir)));
	closedir(dir);
	return err;
}

static unsigned int number_of(const struct row *rows, unsigned int nr, const char *name)
{
	const struct row *row = row_of(rows, nr, name);

	return row ? row->number : 0;
}

TEST_F(opcodes, are_counted_as_the_page_says)
{
	bool counted[NR_OPS] = {};
	struct op_counts counts;
	struct pollfd poller;
	struct backed b;
	unsigned int i;
	int dir, block = 0;

	ASSERT_EQ(0, backed_setup(&b, "ext4", BACKED_ALLOW_OTHER | BACKED_DAEMON));
	dir = open_dir(b.mnt, 0);
	ASSERT_LE(0, dir);
	ASSERT_EQ(0, use_files(b.mnt));
	ASSERT_EQ(0, use_names(b.mnt));
	ASSERT_EQ(0, use_attributes(b.mnt));
	ASSERT_EQ(0, use_directory(b.mnt));

	/* What is refused, and what the VFS makes of it */
	poller = (struct pollfd){ open(in(b.mnt, "created"), O_RDWR), POLLIN | POLLOUT | POLLPRI };
	EXPECT_EQ(1, poll(&poller, 1, 0));
	EXPECT_EQ(POLLIN | POLLOUT, poller.revents);
	EXPECT_EQ(-EINVAL, RES(ioctl(poller.fd, FIBMAP, &block)));
	close(poller.fd);

	ASSERT_EQ(0, counts_read(dir, &counts));
	for (i = 0; i < self->nr; i++) {
		const struct row *row = &self->rows[i];

		if (strcmp(row->counted, "-"))
			counted[number_of(self->rows, self->nr, row->counted)] = true;
		else if (!strcmp(row->answered, "refused"))
			EXPECT_EQ(0, counts.ops[row->number].daemon) TH_LOG("%s", row->name);
	}
	for (i = 0; i < NR_OPS; i++) {
		EXPECT_EQ(counted[i], counts.ops[i].backing > 0) TH_LOG("opcode %u", i);
		if (counted[i])
			EXPECT_EQ(0, counts.ops[i].daemon) TH_LOG("opcode %u", i);
	}
	EXPECT_EQ(0, raw_server_total(b.server));
	close(dir);
	EXPECT_EQ(0, backed_destroy(&b));
}

TEST_HARNESS_MAIN
