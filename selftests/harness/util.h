/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Small helpers: results of system calls, files, children, users.
 */
#ifndef _HARNESS_UTIL_H
#define _HARNESS_UTIL_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

/* An errno in place of the -1 of a system call; other results as they are. */
#define RES(expr)							\
({									\
	typeof(expr) ___res = (expr);					\
									\
	___res == (typeof(expr))-1 ? (typeof(expr))-errno : ___res;	\
})

/* Users and groups that own nothing but what a test gives them. */
#define USER1 1001
#define USER2 1002
#define GROUP1 2001
#define GROUP2 2002

/**
 * say - tell the reader of the log something
 * @fmt: format, without a newline
 */
void __attribute__((format(printf, 1, 2))) say(const char *fmt, ...);

/* flavour_is_debug - is this the debug kernel, on which everything takes long? */
bool flavour_is_debug(void);

/**
 * scale - how often to do something
 * @n: on a kernel that runs at full speed
 *
 * The environment variable TEST_SCALE, in percent, goes before the kernel's speed.
 *
 * Return: at least 1
 */
unsigned int scale(unsigned int n);

/* test_time_limit - seconds that a test may take */
int test_time_limit(void);

/**
 * pass_time - wait until it is later
 * @time: of CLOCK_REALTIME, now or in the past
 *
 * A kernel without a better clock than its tick takes a while for that, in which it gives
 * all that happens the same time.
 */
void pass_time(struct timespec time);

/**
 * in - path of something in a directory
 * @dir: path of the directory
 * @fmt: format of the rest
 *
 * Return: a string that is good until the same thread called this 16 more times
 */
const char *__attribute__((format(printf, 2, 3))) in(const char *dir, const char *fmt, ...);

/* Files, by path. Existing files are overwritten in place. */
int make_file(const char *path, const char *text, mode_t mode);
int append_file(const char *path, const char *text);
int make_dir(const char *path, mode_t mode);
int make_big_file(const char *path, size_t size, unsigned int seed);

/**
 * set_file_flags - set a file's flags
 * @path: the file
 * @flags: FS_*_FL; those that are not there are taken away
 *
 * Return: 0, or a negative errno
 */
int set_file_flags(const char *path, int flags);

/**
 * replace_file - put a new file in the place of another, atomically
 * @path: the file
 * @text: contents of the new one
 */
int replace_file(const char *path, const char *text);

/**
 * read_file - read a file from its beginning
 * @path: path
 * @buf: filled in, and terminated with a NUL
 * @size: of @buf
 *
 * Return: bytes read, or a negative errno
 */
ssize_t read_file(const char *path, char *buf, size_t size);

/**
 * text_of - contents of a small file, for comparisons
 * @path: path
 *
 * Return: the text, or the name of an errno in angle brackets, in a buffer that
 * the next call of the same thread overwrites
 */
const char *text_of(const char *path);

/* ino_of - inode number of a path that is not followed, 0 if there is none */
ino_t ino_of(const char *path);

/* bad_address - where nothing is mapped; the compiler does not know */
void *bad_address(void);

/* byte_at - the byte that make_big_file() writes at an offset */
unsigned char byte_at(unsigned int seed, size_t offset);

/**
 * in_child - run a function in a child process
 * @fn: function, whose result is 0..127 or a negative errno above -128
 * @arg: for @fn, which gets at most a copy of what it points to
 *
 * Return: the function's result, -EINTR if a signal killed the child
 */
int in_child(int (*fn)(void *arg), const void *arg);

/**
 * as_user - run a function in a child process of another user
 * @uid: user, without privileges unless it is 0
 * @gid: group; there are no supplementary groups
 * @fn: as for in_child()
 * @arg: for @fn
 */
int as_user(uid_t uid, gid_t gid, int (*fn)(void *arg), const void *arg);

/* as_user_groups - as as_user(), with supplementary groups */
int as_user_groups(uid_t uid, gid_t gid, const gid_t *groups, size_t nr, int (*fn)(void *arg),
		   const void *arg);

/* Single system calls as another user, with that user's own id as the group. */
int user_stat(uid_t uid, const char *path);
int user_open(uid_t uid, const char *path, int flags);
int user_access(uid_t uid, const char *path, int mode);

/**
 * run - run a program and wait for it
 * @argv: program and arguments, ended by NULL
 *
 * Return: exit status, 127 it could not be run, -EINTR a signal killed it
 */
int run(char *const argv[]);

/* sh - run a shell command; the exit status as from run() */
int __attribute__((format(printf, 1, 2))) sh(const char *fmt, ...);

#endif /* _HARNESS_UTIL_H */
