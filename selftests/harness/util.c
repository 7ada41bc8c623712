// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util.h"

void say(const char *fmt, ...)
{
	char line[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	fprintf(stderr, "# %s\n", line);
}

bool flavour_is_debug(void)
{
	const char *flavour = getenv("FLAVOUR");

	return flavour && !strcmp(flavour, "debug");
}

unsigned int scale(unsigned int n)
{
	const char *percent = getenv("TEST_SCALE");
	unsigned long part = percent ? strtoul(percent, NULL, 10) : flavour_is_debug() ? 5 : 100;
	unsigned int scaled = n * part / 100;

	return scaled ? scaled : 1;
}

int test_time_limit(void)
{
	return flavour_is_debug() ? 600 : 60;
}

void pass_time(struct timespec time)
{
	struct timespec now;

	do
		clock_gettime(CLOCK_REALTIME, &now);
	while (now.tv_sec < time.tv_sec ||
	       (now.tv_sec == time.tv_sec && now.tv_nsec <= time.tv_nsec));
}

const char *in(const char *dir, const char *fmt, ...)
{
	static __thread char paths[16][PATH_MAX];
	static __thread unsigned int next;
	char *path = paths[next++ % 16];
	va_list args;
	int len;

	len = snprintf(path, PATH_MAX, "%s/", dir);
	va_start(args, fmt);
	vsnprintf(path + len, PATH_MAX - len, fmt, args);
	va_end(args);
	return path;
}

void *bad_address(void)
{
	static void *volatile address = (void *)8;

	return address;
}

static int write_all(int fd, const char *buf, size_t size)
{
	size_t done = 0;
	ssize_t len;

	while (done < size) {
		len = write(fd, buf + done, size - done);
		if (len < 0)
			return -errno;
		done += len;
	}
	return 0;
}

static int write_path(const char *path, int flags, mode_t mode, const char *buf, size_t size)
{
	int fd = open(path, flags | O_WRONLY | O_CREAT | O_CLOEXEC, mode);
	int err;

	if (fd < 0)
		return -errno;
	err = write_all(fd, buf, size);
	close(fd);
	return err;
}

int make_file(const char *path, const char *text, mode_t mode)
{
	int err = write_path(path, O_TRUNC, 0600, text, strlen(text));

	/* Not by way of open(), where the umask has a say */
	return err ? err : RES(chmod(path, mode));
}

int append_file(const char *path, const char *text)
{
	return write_path(path, O_APPEND, 0600, text, strlen(text));
}

int make_dir(const char *path, mode_t mode)
{
	if (mkdir(path, 0700))
		return -errno;
	return RES(chmod(path, mode));
}

unsigned char byte_at(unsigned int seed, size_t offset)
{
	return seed + offset + (offset >> 8) * 7 + (offset >> 16) * 13;
}

int make_big_file(const char *path, size_t size, unsigned int seed)
{
	char *buf = malloc(size);
	size_t i;
	int err;

	if (!buf)
		return -ENOMEM;
	for (i = 0; i < size; i++)
		buf[i] = byte_at(seed, i);
	err = write_path(path, O_TRUNC, 0644, buf, size);
	free(buf);
	return err;
}

int set_file_flags(const char *path, int flags)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err = fd < 0 ? -errno : RES(ioctl(fd, FS_IOC_SETFLAGS, &flags));

	if (fd >= 0)
		close(fd);
	return err;
}

int replace_file(const char *path, const char *text)
{
	char other[PATH_MAX];
	int err;

	snprintf(other, sizeof(other), "%s.new", path);
	err = make_file(other, text, 0644);
	return err ? err : RES(rename(other, path));
}

ssize_t read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len, done = 0;

	if (fd < 0)
		return -errno;
	do {
		len = read(fd, buf + done, size - 1 - done);
		if (len < 0)
			done = -errno;
		else
			done += len;
	} while (len > 0);
	close(fd);
	buf[done < 0 ? 0 : done] = '\0';
	return done;
}

const char *text_of(const char *path)
{
	static __thread char text[4096];
	ssize_t len = read_file(path, text, sizeof(text));

	if (len < 0)
		snprintf(text, sizeof(text), "<%s>", strerrorname_np(-len));
	return text;
}

ino_t ino_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) ? 0 : st.st_ino;
}

static int child_result(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	if (!WIFEXITED(status))
		return -EINTR;
	status = WEXITSTATUS(status);
	return status < 128 ? status : 128 - status;
}

static void __attribute__((noreturn)) child_exit(int res)
{
	_exit(res < 0 ? 128 - res : res);
}

int in_child(int (*fn)(void *arg), const void *arg)
{
	pid_t pid = fork();

	if (!pid)
		child_exit(fn((void *)arg));
	return child_result(pid);
}

int as_user_groups(uid_t uid, gid_t gid, const gid_t *groups, size_t nr, int (*fn)(void *arg),
		   const void *arg)
{
	pid_t pid = fork();

	if (!pid) {
		if (setgroups(nr, groups) || setresgid(gid, gid, gid) ||
		    setresuid(uid, uid, uid)) {
			say("cannot become user %u: %s", uid, strerror(errno));
			_exit(127);
		}
		child_exit(fn((void *)arg));
	}
	return child_result(pid);
}

int as_user(uid_t uid, gid_t gid, int (*fn)(void *arg), const void *arg)
{
	return as_user_groups(uid, gid, NULL, 0, fn, arg);
}

struct path_call {
	const char *path;
	int arg;
};

static int call_stat(void *arg)
{
	const struct path_call *call = arg;
	struct stat st;

	return RES(lstat(call->path, &st));
}

static int call_open(void *arg)
{
	const struct path_call *call = arg;

	return open(call->path, call->arg | O_CLOEXEC, 0600) < 0 ? -errno : 0;
}

static int call_access(void *arg)
{
	const struct path_call *call = arg;

	return RES(access(call->path, call->arg));
}

int user_stat(uid_t uid, const char *path)
{
	return as_user(uid, uid, call_stat, &(struct path_call){ path, 0 });
}

int user_open(uid_t uid, const char *path, int flags)
{
	return as_user(uid, uid, call_open, &(struct path_call){ path, flags });
}

int user_access(uid_t uid, const char *path, int mode)
{
	return as_user(uid, uid, call_access, &(struct path_call){ path, mode });
}

static int exec_argv(void *arg)
{
	char *const *argv = arg;

	execvp(argv[0], argv);
	return 127;
}

int run(char *const argv[])
{
	return in_child(exec_argv, argv);
}

int sh(const char *fmt, ...)
{
	char command[4096];
	va_list args;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	return run((char *[]){ "/bin/sh", "-c", command, NULL });
}
