// SPDX-License-Identifier: GPL-2.0-only
/*
 * astackctl: who may do what in a shared storage.
 *
 *	astackctl [-v VOLUME] user NUMBER		make what is missing of a user's tree
 *	astackctl [-v VOLUME] install APP UID		make an app's directories
 *	astackctl [-v VOLUME] uninstall APP [USER]
 *	astackctl grant UID RIGHT...			in force when it returns
 *	astackctl revoke UID [RIGHT...]			none named: all
 *	astackctl redact FILE OFF:LEN,...		besides locations; FILE is on the volume
 *	astackctl list
 *
 * RIGHT is one of READ_IMG READ_VID READ_AUD LOCATION MANAGE INSTALLER SYSTEM. A user's
 * tree has to be there before the daemon starts. Exit status: 0, 1 failed, 2 usage.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tree.h"

static const char *volume_path = "/data/media/vol";

static const struct right {
	const char *name;
	__u32 bit;
} rights[] = {
	{ "READ_IMG", ASTACK_READ_IMG }, { "READ_VID", ASTACK_READ_VID },
	{ "READ_AUD", ASTACK_READ_AUD }, { "LOCATION", ASTACK_LOCATION },
	{ "MANAGE", ASTACK_MANAGE }, { "INSTALLER", ASTACK_INSTALLER },
	{ "SYSTEM", ASTACK_SYSTEM },
};

#define NR_RIGHTS (sizeof(rights) / sizeof(rights[0]))

static int explain(int err, const char *what)
{
	if (err)
		fprintf(stderr, "astackctl: %s: %s\n", what, strerror(-err));
	return err;
}

static int open_maps(int maps[TREE_MAPS])
{
	char path[256];
	int i;

	for (i = 0; i < TREE_MAPS; i++) {
		snprintf(path, sizeof(path), ASTACK_PINS "/%s", tree_map_names[i]);
		maps[i] = bpf_obj_get(path);
		if (maps[i] < 0)
			return explain(-errno, path);
	}
	return 0;
}

static int open_volume(void)
{
	int fd = open(volume_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? explain(-errno, volume_path) : fd;
}

static bool parse_number(const char *text, __u32 *number)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (end == text || *end || errno || value > 0xfffffffe || *text == '-') {
		fprintf(stderr, "astackctl: '%s' is no number\n", text);
		return false;
	}
	*number = value;
	return true;
}

static __u32 parse_rights(char **names)
{
	__u32 bits = 0;
	unsigned int i;

	for (; *names; names++) {
		for (i = 0; i < NR_RIGHTS && strcmp(*names, rights[i].name); i++)
			;
		if (i == NR_RIGHTS) {
			fprintf(stderr, "astackctl: there is no right '%s'\n", *names);
			return 0;
		}
		bits |= rights[i].bit;
	}
	return bits;
}

static int cmd_user(char **args)
{
	__u32 user;
	int volume;

	if (!args[0] || args[1] || !parse_number(args[0], &user))
		return -EINVAL;
	volume = open_volume();
	return volume < 0 ? volume : tree_make_user(volume, user);
}

static int cmd_install(char **args)
{
	int maps[TREE_MAPS], volume, err;
	__u32 uid;

	if (!args[0] || !args[1] || args[2] || !parse_number(args[1], &uid))
		return -EINVAL;
	volume = open_volume();
	err = volume < 0 ? volume : open_maps(maps);
	return err ?: tree_install(volume, args[0], uid, maps);
}

static int cmd_uninstall(char **args)
{
	int maps[TREE_MAPS], volume, err;
	__u32 user = 0;

	if (!args[0] || (args[1] && (args[2] || !parse_number(args[1], &user))))
		return -EINVAL;
	volume = open_volume();
	err = volume < 0 ? volume : open_maps(maps);
	return err ?: tree_uninstall(volume, args[0], user, maps);
}

static int set_rights(const char *who, __u32 on, __u32 off)
{
	int maps[TREE_MAPS], err = open_maps(maps);
	__u32 uid, flags = 0;

	if (!parse_number(who, &uid))
		return -EINVAL;
	if (err)
		return err;
	bpf_map_lookup_elem(maps[TREE_UIDS], &uid, &flags);
	flags = (flags | on) & ~off;
	return explain(bpf_map_update_elem(maps[TREE_UIDS], &uid, &flags, BPF_ANY), who);
}

static int cmd_grant(char **args)
{
	__u32 bits = args[0] && args[1] ? parse_rights(args + 1) : 0;

	return bits ? set_rights(args[0], bits, 0) : -EINVAL;
}

static int cmd_revoke(char **args)
{
	__u32 bits = !args[0] ? 0 : args[1] ? parse_rights(args + 1) : ~0U;

	return bits ? set_rights(args[0], 0, bits) : -EINVAL;
}

/* The attribute changes the file's time of change, which makes earlier searches void */
static int cmd_redact(char **args)
{
	if (!args[0] || !args[1] || args[2])
		return -EINVAL;
	if (setxattr(args[0], ASTACK_XATTR, args[1], strlen(args[1]), 0))
		return explain(-errno, args[0]);
	return 0;
}

static int cmd_list(char **args)
{
	int maps[TREE_MAPS], err = open_maps(maps);
	__u32 uid, *last = NULL, flags;
	unsigned int i;

	if (args[0])
		return -EINVAL;
	while (!err && !bpf_map_get_next_key(maps[TREE_UIDS], last, &uid)) {
		last = &uid;
		if (bpf_map_lookup_elem(maps[TREE_UIDS], &uid, &flags))
			continue;
		printf("%u", uid);
		for (i = 0; i < NR_RIGHTS; i++) {
			if (flags & rights[i].bit)
				printf(" %s", rights[i].name);
		}
		printf("\n");
	}
	return err;
}

static const struct command {
	const char *name;
	int (*run)(char **args);
} commands[] = {
	{ "user", cmd_user }, { "install", cmd_install }, { "uninstall", cmd_uninstall },
	{ "grant", cmd_grant }, { "revoke", cmd_revoke }, { "redact", cmd_redact },
	{ "list", cmd_list },
};

int main(int argc, char **argv)
{
	unsigned int i;
	int at = 1, err;

	if (argc > 2 && !strcmp(argv[1], "-v")) {
		volume_path = argv[2];
		at = 3;
	}
	umask(0);
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]) && at < argc; i++) {
		if (strcmp(argv[at], commands[i].name))
			continue;
		err = commands[i].run(argv + at + 1);
		if (err == -EINVAL)
			break;
		return err ? 1 : 0;
	}
	fprintf(stderr, "usage: astackctl [-v VOLUME] user|install|uninstall|grant|revoke|redact|list ...\n");
	return 2;
}
