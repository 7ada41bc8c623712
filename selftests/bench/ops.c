// SPDX-License-Identifier: GPL-2.0-only
/*
 * ops: what one operation costs, in several directories that show the same files.
 *
 *	ops [-t MS] [-r REPETITIONS] [-l MS] [-m NAMES] [-R ROW,...] [-b] [-j N] NAME=DIR...
 *	ops -c HIST,... [-m NAMES] [-R ROW,...] NAME=DIR...
 *	ops -p [-m NAMES] -R ROW NAME=DIR
 *
 * Each row is an operation, each NAME a column. The repetitions of a row are
 * interleaved: each does a batch in every column, beginning with another one each
 * time, so that what else the machine does falls on all of them. Prints
 *
 *	time ROW COLUMN REPETITION OPERATIONS NANOSECONDS
 *
 * or, with -c, how many FUSE requests a batch made, by the histograms of the
 * tracepoint fuse_request_send over connections in the files HIST:
 *
 *	requests ROW COLUMN OPERATIONS REQUESTS
 *
 * With -p, prints the address of the function that does an operation, and repeats it
 * until killed.
 *
 * DIR holds what bench.py makes, with N names in DIR/manyN (-m); what a column writes is
 * in DIR/work/NAME. A column that has taken longer than -l for a row gets no more
 * repetitions of it. With -b, the count of operations in a batch is the same for all
 * columns, and does not depend on the clock. With -j, N processes do a batch each at the
 * same time, on processors 0 to N - 1, with the same files and in work directories of
 * their own; OPERATIONS are those of all of them, NANOSECONDS from the first one's
 * beginning to the last one's end.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define NR_COLUMNS 32
#define NR_WORKERS 64
#define NR_FILES 64		/* in DIR/files */
#define DATA_SIZE (16 << 20)	/* of DIR/data */
#define DIRECT_ALIGN 4096
#define BATCH_FIXED 256		/* operations in a batch with -b */
#define BATCH_REPEATED 16	/* with -p: what comes before and after takes turns with them */

/**
 * struct column - a directory under test
 * @name: as given
 * @root: the directory
 * @works: where the column writes, for each worker
 * @work: of the process
 * @fd: file of the batch, with its mapping at @map
 * @connection: device number as the kernel writes it
 * @batch: operations in a batch of the current row
 * @spent: nanoseconds that its batches took
 */
struct column {
	const char *name;
	int root;
	int works[NR_WORKERS];
	int work;
	int fd;
	char *map;
	unsigned int connection;
	unsigned int batch;
	uint64_t spent;
};

/**
 * struct row - an operation
 * @setup: makes what a batch of n needs, may be NULL
 * @op: the operation, the i-th of the batch
 * @cleanup: undoes setup and the operations, may be NULL
 * @max: operations in a batch at most
 */
struct row {
	const char *name;
	void (*setup)(struct column *column, unsigned int n);
	void (*op)(struct column *column, unsigned int i);
	void (*cleanup)(struct column *column, unsigned int n);
	unsigned int max;
};

/**
 * struct worker - what a process with -j tells the first one
 * @ready: it waits for @go of the first element
 * @go: begin
 * @begin: when it began
 * @end: when it ended
 */
struct worker {
	bool ready;
	bool go;
	uint64_t begin;
	uint64_t end;
};

static struct worker *workers;	/* shared */
static unsigned int nr_workers = 1;
static const struct row *current_row;
static char *buffer;
static unsigned int nr_many = 1000;

/* A benchmark that goes on after an error measures errors. */
static void check(bool ok, const struct column *column, const char *what)
{
	if (!ok)
		err(1, "%s in %s: %s", current_row ? current_row->name : "start",
		    column->name, what);
}

static const char *numbered(const char *prefix, unsigned int i)
{
	static char name[64];

	snprintf(name, sizeof(name), "%s%u", prefix, i);
	return name;
}

static void stat_name(const struct column *c, const char *name)
{
	struct stat st;

	check(!fstatat(c->root, name, &st, AT_SYMLINK_NOFOLLOW), c, name);
}

static void stat_warm(struct column *c, unsigned int i)
{
	stat_name(c, numbered("files/f", i % NR_FILES));
}

static void drop_caches(struct column *c, unsigned int n)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	(void)n;
	check(fd >= 0 && write(fd, "2", 1) == 1, c, "drop_caches");
	close(fd);
}

static void stat_cold(struct column *c, unsigned int i)
{
	char name[64];

	snprintf(name, sizeof(name), "many%u/n%u", nr_many, i % nr_many);
	stat_name(c, name);
}

static void stat_missing(struct column *c, unsigned int i)
{
	struct stat st;

	check(fstatat(c->root, numbered("files/missing", i % NR_FILES), &st, 0) &&
	      errno == ENOENT, c, "missing");
}

static int open_file(const struct column *c, unsigned int i)
{
	int fd = openat(c->root, numbered("files/f", i % NR_FILES), O_RDONLY | O_CLOEXEC);

	check(fd >= 0, c, "open");
	return fd;
}

static void open_close(struct column *c, unsigned int i)
{
	close(open_file(c, i));
}

static void open_read_close(struct column *c, unsigned int i)
{
	int fd = open_file(c, i);

	check(read(fd, buffer, 4096) == 4096, c, "read");
	close(fd);
}

static void create_one(struct column *c, unsigned int i)
{
	int fd = openat(c->work, numbered("c", i), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);

	check(fd >= 0, c, "create");
	close(fd);
}

static void create_all(struct column *c, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		create_one(c, i);
}

static void unlink_one(struct column *c, unsigned int i)
{
	check(!unlinkat(c->work, numbered("c", i), 0), c, "unlink");
}

static void unlink_all(struct column *c, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		unlink_one(c, i);
}

static void mkdir_rmdir(struct column *c, unsigned int i)
{
	const char *name = numbered("d", i);

	check(!mkdirat(c->work, name, 0755), c, "mkdir");
	check(!unlinkat(c->work, name, AT_REMOVEDIR), c, "rmdir");
}

static void create_first(struct column *c, unsigned int n)
{
	(void)n;
	create_one(c, 0);
}

static void unlink_first(struct column *c, unsigned int n)
{
	(void)n;
	unlink_one(c, 0);
}

/* There and back */
static void rename_twice(struct column *c, unsigned int i)
{
	(void)i;
	check(!renameat(c->work, "c0", c->work, "renamed"), c, "rename");
	check(!renameat(c->work, "renamed", c->work, "c0"), c, "rename");
}

static void chmod_one(struct column *c, unsigned int i)
{
	check(!fchmodat(c->work, "c0", i & 1 ? 0644 : 0640, 0), c, "chmod");
}

/* There is no getxattrat() in this libc: by the working directory */
static void enter_root(struct column *c, unsigned int n)
{
	(void)n;
	check(!fchdir(c->root), c, "fchdir");
}

static void getxattr_one(struct column *c, unsigned int i)
{
	check(getxattr(numbered("files/f", i % NR_FILES), "user.bench", buffer, 64) == 5, c,
	      "getxattr");
}

/* list - list DIR/manyN, and ask for the attributes of what is there */
static void list(struct column *c, bool attributes)
{
	int fd = openat(c->root, numbered("many", nr_many), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	unsigned int seen = 0;
	struct dirent *entry;
	struct stat st;

	check(dir, c, "opendir");
	for (errno = 0; (entry = readdir(dir)); seen++)
		if (attributes)
			check(!fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW), c,
			      entry->d_name);
	check(!errno && seen == nr_many + 2, c, "readdir");
	closedir(dir);
}

static void readdir_all(struct column *c, unsigned int i)
{
	(void)i;
	list(c, false);
}

static void ls_l(struct column *c, unsigned int i)
{
	(void)i;
	list(c, true);
}

static void open_data(struct column *c, unsigned int n)
{
	(void)n;
	c->fd = openat(c->work, "data", O_RDWR | O_CLOEXEC);
	check(c->fd >= 0, c, "data");
}

static void open_direct(struct column *c, unsigned int n)
{
	(void)n;
	c->fd = openat(c->work, "data", O_RDWR | O_DIRECT | O_CLOEXEC);
	check(c->fd >= 0, c, "data, O_DIRECT");
}

static void close_data(struct column *c, unsigned int n)
{
	(void)n;
	close(c->fd);
}

/* Offsets that no readahead foresees, and that are the same in all columns */
static off_t offset_of(unsigned int i, size_t size)
{
	return (off_t)(i * 2654435761U % (DATA_SIZE / size)) * size;
}

static void read_data(struct column *c, unsigned int i, size_t size)
{
	check(pread(c->fd, buffer, size, offset_of(i, size)) == (ssize_t)size, c, "read");
}

static void write_data(struct column *c, unsigned int i, size_t size)
{
	check(pwrite(c->fd, buffer, size, offset_of(i, size)) == (ssize_t)size, c, "write");
}

static void read_4k(struct column *c, unsigned int i)
{
	read_data(c, i, 4096);
}

static void read_64k(struct column *c, unsigned int i)
{
	read_data(c, i, 65536);
}

static void write_4k(struct column *c, unsigned int i)
{
	write_data(c, i, 4096);
}

static void write_64k(struct column *c, unsigned int i)
{
	write_data(c, i, 65536);
}

static void map_data(struct column *c, unsigned int n)
{
	open_data(c, n);
	c->map = mmap(NULL, DATA_SIZE, PROT_READ, MAP_SHARED, c->fd, 0);
	check(c->map != MAP_FAILED, c, "mmap");
}

static void unmap_data(struct column *c, unsigned int n)
{
	munmap(c->map, DATA_SIZE);
	close_data(c, n);
}

/* One fault each: the kernel maps 64 KiB around the page that is touched. */
static void fault(struct column *c, unsigned int i)
{
	(void)*(volatile char *)(c->map + (i * 65536UL) % DATA_SIZE);
}

static const struct row rows[] = {
	{ "stat", NULL, stat_warm, NULL, 1024 },
	{ "stat_cold", drop_caches, stat_cold, NULL, 512 },
	{ "stat_missing", NULL, stat_missing, NULL, 1024 },
	{ "open_close", NULL, open_close, NULL, 1024 },
	{ "open_read_close", NULL, open_read_close, NULL, 1024 },
	{ "create", NULL, create_one, unlink_all, 512 },
	{ "unlink", create_all, unlink_one, NULL, 512 },
	{ "mkdir_rmdir", NULL, mkdir_rmdir, NULL, 1024 },
	{ "rename", create_first, rename_twice, unlink_first, 1024 },
	{ "chmod", create_first, chmod_one, unlink_first, 1024 },
	{ "getxattr", enter_root, getxattr_one, NULL, 1024 },
	{ "readdir", NULL, readdir_all, NULL, 4 },
	{ "ls_l", NULL, ls_l, NULL, 4 },
	{ "read_4k", open_data, read_4k, close_data, 1024 },
	{ "read_64k", open_data, read_64k, close_data, 1024 },
	{ "write_4k", open_data, write_4k, close_data, 1024 },
	{ "write_64k", open_data, write_64k, close_data, 1024 },
	{ "read_4k_direct", open_direct, read_4k, close_data, 1024 },
	{ "write_4k_direct", open_direct, write_4k, close_data, 1024 },
	{ "mmap_fault", map_data, fault, unmap_data, DATA_SIZE / 65536 },
};

#define NR_ROWS (sizeof(rows) / sizeof(rows[0]))

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void pin(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		err(1, "processor %u", cpu);
}

/* run_alone - nanoseconds that n operations take, and when they began and ended */
static uint64_t run_alone(const struct row *row, struct column *c, unsigned int n,
			  struct worker *worker)
{
	unsigned int i;

	if (row->setup)
		row->setup(c, n);
	__atomic_store_n(&worker->ready, true, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&workers->go, __ATOMIC_ACQUIRE))
		sched_yield();
	worker->begin = now();
	for (i = 0; i < n; i++)
		row->op(c, i);
	worker->end = now();
	if (row->cleanup)
		row->cleanup(c, n);
	return worker->end - worker->begin;
}

static void start_worker(const struct row *row, struct column *c, unsigned int n, unsigned int i)
{
	pid_t pid = fork();

	if (pid < 0)
		err(1, "fork");
	if (pid)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pin(i);
	c->work = c->works[i];
	run_alone(row, c, n, &workers[i]);
	_exit(0);
}

/* Wait for a worker, if there is one to wait for; the others die with this process. */
static bool reap_worker(int options)
{
	int status;
	pid_t pid = waitpid(-1, &status, options);

	if (pid > 0 && status)
		errx(1, "a worker ended with status %#x", status);
	return pid > 0;
}

static uint64_t run_together(const struct row *row, struct column *c, unsigned int n)
{
	uint64_t begin = UINT64_MAX, end = 0;
	unsigned int i;

	memset(workers, 0, NR_WORKERS * sizeof(*workers));
	for (i = 0; i < nr_workers; i++)
		start_worker(row, c, n, i);
	for (i = 0; i < nr_workers; i++) {
		while (!__atomic_load_n(&workers[i].ready, __ATOMIC_ACQUIRE)) {
			reap_worker(WNOHANG);
			usleep(1000);
		}
	}
	__atomic_store_n(&workers->go, true, __ATOMIC_RELEASE);
	while (reap_worker(0))
		;
	for (i = 0; i < nr_workers; i++) {
		begin = workers[i].begin < begin ? workers[i].begin : begin;
		end = workers[i].end > end ? workers[i].end : end;
	}
	return end - begin;
}

/* run_batch - nanoseconds that n operations take */
static uint64_t run_batch(const struct row *row, struct column *c, unsigned int n)
{
	workers->go = true;
	return run_alone(row, c, n, workers);
}

static unsigned int clamp_batch(const struct row *row, double n)
{
	if (n > row->max)
		return row->max;
	return n < 1 ? 1 : n;
}

/* calibrate - choose how many operations take about this long, and warm up */
static void calibrate(const struct row *row, struct column *c, double ns)
{
	unsigned int n = 1;
	double took;

	run_batch(row, c, n);
	for (;;) {
		took = run_batch(row, c, n);
		if (took >= ns / 4 || n == row->max)
			break;
		n = clamp_batch(row, n * 4);
	}
	c->batch = clamp_batch(row, n * ns / (took > 1 ? took : 1));
	c->spent = 0;
}

static void time_batch(const struct row *row, struct column *c, unsigned int rep)
{
	uint64_t ns = nr_workers > 1 ? run_together(row, c, c->batch) :
				       run_batch(row, c, c->batch);

	c->spent += ns;
	printf("time %s %s %u %u %llu\n", row->name, c->name, rep, c->batch * nr_workers,
	       (unsigned long long)ns);
}

static void time_row(const struct row *row, struct column *columns, unsigned int nr,
		     unsigned int repetitions, uint64_t limit)
{
	unsigned int i, rep;

	for (rep = 0; rep < repetitions; rep++) {
		for (i = 0; i < nr; i++)
			if (columns[(i + rep) % nr].spent <= limit)
				time_batch(row, &columns[(i + rep) % nr], rep);
		fflush(stdout);
	}
}

/* requests_in - requests of a connection by one histogram */
static unsigned long requests_in(const char *path, unsigned int connection)
{
	unsigned long hits, sum = 0;
	unsigned int found;
	char line[256];
	FILE *file;

	file = fopen(path, "re");
	if (!file)
		err(1, "%s", path);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "{ connection: %u } hitcount: %lu", &found, &hits) == 2 &&
		    found == connection)
			sum += hits;
	fclose(file);
	return sum;
}

static unsigned long requests_of(const char *paths, unsigned int connection)
{
	unsigned long sum = 0;
	char *copy = strdup(paths), *rest = copy, *path;

	while ((path = strsep(&rest, ",")))
		sum += requests_in(path, connection);
	free(copy);
	return sum;
}

/* Some requests, like RELEASE, are sent after the call that made them. */
static unsigned long settled_requests(const char *paths, unsigned int connection)
{
	unsigned long count = requests_of(paths, connection), before;
	int tries = 1000;

	do {
		before = count;
		usleep(5000);
		count = requests_of(paths, connection);
	} while (count != before && tries--);
	return count;
}

/* Without what is done before and after the operations */
static void count_row(const struct row *row, struct column *c, const char *paths)
{
	unsigned int n = clamp_batch(row, row->max / 16), i;
	unsigned long before;

	run_batch(row, c, 1);
	if (row->setup)
		row->setup(c, n);
	before = settled_requests(paths, c->connection);
	for (i = 0; i < n; i++)
		row->op(c, i);
	printf("requests %s %s %u %lu\n", row->name, c->name, n,
	       settled_requests(paths, c->connection) - before);
	fflush(stdout);
	if (row->cleanup)
		row->cleanup(c, n);
}

static void repeat_row(const struct row *row, struct column *c)
{
	unsigned int n = clamp_batch(row, BATCH_REPEATED);

	run_batch(row, c, n);
	printf("%#lx\n", (unsigned long)row->op);
	fflush(stdout);
	for (;;)
		run_batch(row, c, n);
}

static void make_data(struct column *c)
{
	int fd = openat(c->work, "data", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	struct stat st;
	off_t at;

	check(fd >= 0 && !fstat(fd, &st), c, "data");
	for (at = st.st_size; at < DATA_SIZE; at += 65536)
		check(pwrite(fd, buffer, 65536, at) == 65536, c, "data");
	check(!close(fd), c, "data");
}

static void open_work(struct column *c, unsigned int worker)
{
	char work[PATH_MAX];

	if (worker)
		snprintf(work, sizeof(work), "work/%s.%u", c->name, worker);
	else
		snprintf(work, sizeof(work), "work/%s", c->name);
	check(!mkdirat(c->root, work, 0755) || errno == EEXIST, c, work);
	c->work = c->works[worker] = openat(c->root, work, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	check(c->work >= 0, c, work);
	make_data(c);
}

static void open_column(struct column *c, char *arg)
{
	char *path = strchr(arg, '=');
	struct stat st;
	unsigned int i;

	if (!path)
		errx(2, "%s: not NAME=DIR", arg);
	*path++ = '\0';
	c->name = arg;
	c->root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	check(c->root >= 0 && !fstat(c->root, &st), c, path);
	c->connection = major(st.st_dev) << 20 | minor(st.st_dev);
	for (i = nr_workers; i--; )
		open_work(c, i);
}

/* wanted - is the row in the list? NULL is a list of all. */
static bool wanted(const struct row *row, const char *list)
{
	size_t len = strlen(row->name);

	for (; list; list = strchr(list, ',') ? strchr(list, ',') + 1 : NULL)
		if (!strncmp(list, row->name, len) && (!list[len] || list[len] == ','))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	const char *list = NULL, *hists = NULL;
	unsigned int repetitions = 9, nr = 0, i;
	struct column columns[NR_COLUMNS];
	double ns = 10e6, limit = 60e9;
	bool fixed = false, repeat = false;
	size_t r;
	int opt;

	while ((opt = getopt(argc, argv, "t:r:l:m:R:bpc:j:")) != -1) {
		switch (opt) {
		case 't': ns = atof(optarg) * 1e6; break;
		case 'r': repetitions = atoi(optarg); break;
		case 'l': limit = atof(optarg) * 1e6; break;
		case 'm': nr_many = atoi(optarg); break;
		case 'R': list = optarg; break;
		case 'b': fixed = true; break;
		case 'p': repeat = true; break;
		case 'c': hists = optarg; break;
		case 'j': nr_workers = atoi(optarg); break;
		default: return 2;
		}
	}
	if (optind == argc || argc - optind > NR_COLUMNS)
		errx(2, "1 to %d columns are needed, as NAME=DIR", NR_COLUMNS);
	if (nr_workers < 1 || nr_workers > NR_WORKERS)
		errx(2, "1 to %d workers", NR_WORKERS);
	workers = mmap(NULL, NR_WORKERS * sizeof(*workers), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (workers == MAP_FAILED)
		err(1, "memory");
	if (posix_memalign((void **)&buffer, DIRECT_ALIGN, 65536))
		err(1, "memory");
	memset(buffer, 'x', 65536);
	umask(0);
	pin(0);
	for (; optind < argc; optind++)
		open_column(&columns[nr++], argv[optind]);

	for (r = 0; r < NR_ROWS; r++) {
		const struct row *row = current_row = &rows[r];

		if (list && !wanted(row, list))
			continue;
		if (repeat)
			repeat_row(row, &columns[0]);
		for (i = 0; i < nr; i++) {
			if (hists)
				count_row(row, &columns[i], hists);
			else
				calibrate(row, &columns[i], ns);
			if (fixed)
				columns[i].batch = clamp_batch(row, BATCH_FIXED);
		}
		if (!hists)
			time_row(row, columns, nr, repetitions, limit);
	}
	return 0;
}
