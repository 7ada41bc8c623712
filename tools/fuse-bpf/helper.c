// SPDX-License-Identifier: GPL-2.0-only
/*
 * mount.fuse_bpf and umount.fuse_bpf: what mount(8) and umount(8) call for the type,
 * the latter only where it does not take it for fuse, as statfs(2) says.
 *
 * The options become the words of "fuse-bpf mount" and "fuse-bpf umount".
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "main.h"

/* Exit statuses of mount(8) */
#define MOUNT_USAGE 1
#define MOUNT_SYSTEM 2
#define MOUNT_FAILED 32

/**
 * struct words - a command line that is being made
 * @all: the words, each allocated
 * @nr: how many
 */
struct words {
	char **all;
	int nr;
};

static int words_add(struct words *words, const char *word, size_t len)
{
	char **all = reallocarray(words->all, words->nr + 1, sizeof(*all));

	if (!all)
		return MOUNT_SYSTEM;
	words->all = all;
	all[words->nr] = strndup(word, len);
	return all[words->nr++] ? 0 : MOUNT_SYSTEM;
}

static void words_free(struct words *words)
{
	int i;

	for (i = 0; i < words->nr; i++)
		free(words->all[i]);
	free(words->all);
}

static bool is_among(const char *const list[], const char *word)
{
	for (; *list; list++) {
		if (!strcmp(*list, word))
			return true;
	}
	return false;
}

/* What mount(8), fstab(5) and systemd keep for themselves, and what is so anyway */
static bool is_for_others(const char *option)
{
	static const char *const options[] = {
		"defaults", "rw", "suid", "dev", "exec", "symfollow", "async", "atime",
		"diratime", "relatime", "auto", "noauto", "nofail", "_netdev", "user", "users",
		"nouser", "owner", "group", "silent", "loud", NULL,
	};

	return is_among(options, option) || !strncasecmp(option, "x-", 2) ||
	       !strncmp(option, "comment=", 8);
}

/* set=MAP:KEY[=VALUE] */
static int add_element(struct words *words, const char *value)
{
	const char *key = strchr(value, ':');

	if (!key || key == value) {
		p_err(0, "set=%s: it must be set=MAP:KEY or set=MAP:KEY=VALUE", value);
		return MOUNT_USAGE;
	}
	return words_add(words, "set", 3) ?: words_add(words, value, key - value) ?:
	       words_add(words, key + 1, strlen(key + 1));
}

static int add_option(struct words *words, const char *option, bool sloppy)
{
	static const char *const plain[] = {
		"allow_other", "default_permissions", "daemonless", "fail_open", "ro", "nosuid",
		"nodev", "noexec", "nosymfollow", "noatime", "nodiratime", "strictatime", NULL,
	};
	static const char *const valued[] = { "filter", "dir", "pin", "source", NULL };
	const char *value = strchrnul(option, '=');
	char name[32] = "";

	if (!*option || is_for_others(option))
		return 0;
	if (is_among(plain, option))
		return words_add(words, option, strlen(option));
	snprintf(name, sizeof(name), "%.*s", (int)(value - option), option);
	if (*value && !strcmp(name, "set"))
		return add_element(words, value + 1);
	if (*value && is_among(valued, name))
		return words_add(words, name, strlen(name)) ?:
		       words_add(words, value + 1, strlen(value + 1));
	if (!strcmp(option, "remount")) {
		p_err(0, "a mount of this type is changed with 'mount -i -o remount,bind,...'");
		return MOUNT_USAGE;
	}
	if (sloppy)
		return 0;
	p_err(0, "there is no mount option '%s'; see mount.fuse_bpf(8)", option);
	return MOUNT_USAGE;
}

/* Options are set apart by commas, of which those behind a backslash are no such. */
static int add_options(struct words *words, char *options, bool sloppy)
{
	char *from = options, *to, *option;
	int ret = 0;

	while (!ret && *from) {
		option = to = from;
		while (*from && *from != ',') {
			if (from[0] == '\\' && from[1] == ',')
				from++;
			*to++ = *from++;
		}
		if (*from)
			from++;
		*to = '\0';
		ret = add_option(words, option, sloppy);
	}
	return ret;
}

static int exit_status(int ret)
{
	switch (ret) {
	case DONE:
		return 0;
	case USAGE:
		return MOUNT_USAGE;
	default:
		return MOUNT_FAILED;
	}
}

static int run(int (*command)(struct args *args), struct words *words)
{
	struct args args = { .argc = words->nr, .argv = words->all };

	return exit_status(command(&args));
}

static int add_all(struct words *words, char **argv, int argc)
{
	int ret = 0;

	while (!ret && argc--) {
		ret = words_add(words, *argv, strlen(*argv));
		argv++;
	}
	return ret;
}

/* mount.fuse_bpf BACKING MOUNTPOINT [-sfnv] [-o OPTIONS] [-t TYPE] */
static int mount_helper(int argc, char **argv)
{
	bool fake = false, sloppy = false, verbose = false;
	struct words words = {};
	char **all_options;
	int opt, i, ret = 0;

	all_options = calloc(argc + 1, sizeof(*all_options));
	if (!all_options)
		return MOUNT_SYSTEM;
	i = 0;
	while ((opt = getopt(argc, argv, "fnsvo:t:N:")) != -1) {
		if (opt == 'f')
			fake = true;
		else if (opt == 's')
			sloppy = true;
		else if (opt == 'v')
			verbose = true;
		else if (opt == 'o')
			all_options[i++] = optarg;
		else if (opt == '?')
			ret = MOUNT_USAGE;
	}
	if (!ret && argc - optind != 2) {
		fputs("Usage: mount.fuse_bpf BACKING MOUNTPOINT [-fnsv] [-o OPTION,...]\n", stderr);
		ret = MOUNT_USAGE;
	}
	if (!ret)
		ret = add_all(&words, argv + optind, 2);
	for (i = 0; !ret && all_options[i]; i++)
		ret = add_options(&words, all_options[i], sloppy);
	/* mount(8) says nothing of what went well, unless it is asked to */
	settings.quiet = !verbose;
	if (!ret && !fake)
		ret = run(do_mount, &words);
	words_free(&words);
	free(all_options);
	return ret;
}

/* umount.fuse_bpf MOUNTPOINT [-flnrv] [-t TYPE] */
static int umount_helper(int argc, char **argv)
{
	struct words words = {};
	bool lazy = false, force = false, verbose = false;
	int opt, ret = 0;

	while ((opt = getopt(argc, argv, "flnrvt:N:")) != -1) {
		if (opt == 'f')
			force = true;
		else if (opt == 'l')
			lazy = true;
		else if (opt == 'v')
			verbose = true;
		else if (opt == '?')
			ret = MOUNT_USAGE;
	}
	if (!ret && argc - optind != 1) {
		fputs("Usage: umount.fuse_bpf MOUNTPOINT [-flnrv]\n", stderr);
		ret = MOUNT_USAGE;
	}
	if (!ret)
		ret = add_all(&words, argv + optind, 1);
	if (!ret && lazy)
		ret = words_add(&words, "lazy", 4);
	if (!ret && force)
		ret = words_add(&words, "force", 5);
	settings.quiet = !verbose;
	if (!ret)
		ret = run(do_umount, &words);
	words_free(&words);
	return ret;
}

/**
 * helper_find - is the program called as a helper of mount(8)?
 * @path: how it is called
 *
 * Return: what it does then, NULL if it is called as fuse-bpf
 */
helper_fn helper_find(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	if (!strcmp(name, "mount.fuse_bpf"))
		return mount_helper;
	return strcmp(name, "umount.fuse_bpf") ? NULL : umount_helper;
}
