// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuse-bpf: make backed FUSE mounts, and see to the filters of any FUSE mount.
 */
#include <bpf/libbpf.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "main.h"
#include "policy.h"

struct settings settings;

static const char usage_text[] =
	"Usage: fuse-bpf [OPTIONS] COMMAND ...\n"
	"\n"
	"  mount BACKING MOUNTPOINT [daemonless] [allow_other] [default_permissions]\n"
	"        [ro] [nosuid] [nodev] [noexec] [nosymfollow] [noatime] [nodiratime]\n"
	"        [strictatime] [source NAME] [policy FILE] [FILTER]...\n"
	"        FILTER := filter FILE [dir PATH] [fail_open] [pin PATH]\n"
	"                  [set MAP KEY[=VALUE]]...\n"
	"  run MOUNTPOINT [allow_other] [default_permissions] [source NAME] [FILTER]...\n"
	"        -- DAEMON ... {} ...\n"
	"  umount MOUNTPOINT [lazy] [force]\n"
	"  ls [MOUNTPOINT]\n"
	"  attach MOUNTPOINT { obj FILE | pinned PATH | map id ID }\n"
	"        [dir PATH | by_reply] [before ID | after ID | first | last] [fail_open]\n"
	"        [pin PATH] [set MAP KEY[=VALUE]]...\n"
	"  replace MOUNTPOINT { ID | name NAME } [dir PATH] obj FILE [fresh]\n"
	"        [set MAP KEY[=VALUE]]...\n"
	"  detach MOUNTPOINT { ID | name NAME } [dir PATH]\n"
	"  stat [-i SECS] [--latency] MOUNTPOINT\n"
	"  stat --prometheus [MOUNTPOINT]\n"
	"  stat --prometheus --latency -i SECS MOUNTPOINT\n"
	"  policy { check | compile } FILE\n"
	"  policy diff { FILE | mount MOUNTPOINT } FILE\n"
	"  policy load MOUNTPOINT FILE\n"
	"  policy { show | unload } MOUNTPOINT\n"
	"  policy log MOUNTPOINT [follow]\n"
	"  feature\n"
	"  doctor\n"
	"  test MOUNTPOINT TABLE\n"
	"  explain MOUNTPOINT PATH [op OPCODE[:rwx]] [uid UID] [gid GID] [cgroup CGROUP]\n"
	"        [pid PID]\n"
	"  trace { MOUNTPOINT | all } [uid UID] [op OPCODE] [name NAME] [count N]\n"
	"        [verdict { none | backing | daemon | refused }]\n"
	"  record MOUNTPOINT RECORDING [limit N] [-- COMMAND ...]\n"
	"  replay RECORDING [policy FILE] [FILTER]...\n"
	"  inodes MOUNTPOINT\n"
	"  help\n"
	"  version\n"
	"\n"
	"Options:\n"
	"  -j, --json     print JSON\n"
	"  -p, --pretty   print JSON for people\n"
	"  -d, --debug    print what libbpf does, and the verifier's whole log\n"
	"  -h, --help     print this text\n"
	"  -V, --version  print the version\n"
	"\n"
	"Words other than names may be cut short as long as they stay unique.\n";

static int do_help(struct args *args)
{
	(void)args;
	p_text("%s", usage_text);
	return DONE;
}

static int do_version(struct args *args)
{
	struct json_object *result = json_object_new_object();

	(void)args;
	add_string(result, "version", VERSION);
	add_string(result, "libbpf", libbpf_version_string());
	out_result(result);
	p_text("fuse-bpf %s, libbpf %s\n", VERSION, libbpf_version_string());
	return DONE;
}

static const struct command commands[] = {
	{ "mount", do_mount },
	{ "run", do_run },
	{ "umount", do_umount },
	{ "ls", do_ls },
	{ "attach", do_attach },
	{ "replace", do_replace },
	{ "detach", do_detach },
	{ "stat", do_stat },
	{ "feature", do_feature },
	{ "doctor", do_doctor },
	{ "test", do_test },
	{ "explain", do_explain },
	{ "trace", do_trace },
	{ "record", do_record },
	{ "replay", do_replay },
	{ "inodes", do_inodes },
	{ "policy", do_policy },
	{ "help", do_help },
	{ "version", do_version },
	{},
};

static int run(struct args *args)
{
	const struct command *command;
	const char *word = args_next(args);

	if (!word) {
		fputs(usage_text, stderr);
		return USAGE;
	}
	command = command_find(commands, word);
	return command ? command->run(args) : USAGE;
}

static void log_line(const char *line, void *arg)
{
	(void)arg;
	reason_add("%s", line);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "pretty", no_argument, NULL, 'p' },
		{ "debug", no_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{},
	};
	int (*special)(struct args *args) = NULL;
	helper_fn helper = helper_find(argv[0]);
	struct args args;
	int opt, ret;

	fuse_bpf_set_log(log_line, NULL);
	libbpf_listen();
	if (helper)
		return helper(argc, argv);

	while ((opt = getopt_long(argc, argv, "+jpdhV", options, NULL)) != -1) {
		switch (opt) {
		case 'p':
			settings.pretty = true;
			/* fall through */
		case 'j':
			settings.json = true;
			break;
		case 'd':
			settings.debug = true;
			break;
		case 'h':
			special = do_help;
			break;
		case 'V':
			special = do_version;
			break;
		default:
			return USAGE;
		}
	}

	args.argc = argc - optind;
	args.argv = argv + optind;
	ret = special ? special(&args) : run(&args);
	out_flush();
	return ret;
}
