// SPDX-License-Identifier: GPL-2.0-only
/*
 * cli: command lines for fuse-bpf, of its own words and of others, in a guest with a
 * mount.
 *
 * Whatever it is told, it ends with one of its exit statuses. The program is
 * build/tools/fuse-bpf, or the one that FUZZ_TOOL names.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../harness/backed_fixture.h"
#include "../harness/util.h"
#include "calls.h"

#define MAX_WORDS 12
#define WORD 4200
/* What a sanitizer makes the status of a program that it ends */
#define SANITIZER_STATUS 99

static const char *const commands[] = {
	"mount", "run", "umount", "ls", "attach", "replace", "detach", "stat", "feature", "policy",
	"help", "version", "doctor", "test", "explain", "inodes", "m", "st", "",
};

static const char *const words[] = {
	"-j", "-p", "-d", "-h", "-V", "--json", "--pretty", "--debug", "-x", "--", "-",
	"daemonless", "allow_other", "default_permissions", "ro", "nosuid", "nodev", "noexec",
	"noatime", "source", "policy", "filter", "dir", "fail_open", "pin", "set", "lazy", "force",
	"obj", "pinned", "map", "id", "by_reply", "before", "after", "first", "last", "name",
	"fresh", "check", "compile", "diff", "load", "show", "unload", "log", "mount", "op", "uid",
	"gid", "--prometheus", "0", "1", "-1", "64", "4294967296", "99999999999999999999", "0x10",
	"a=b", "=", "a=", "%n%s", "hide", "hide_names", ".env", "\xff\xfe", "*", "[a-",
};

/* What goes on until it is told to end; of these, that they do is all to see */
static const char *const endless[] = {
	"run", "trace", "-i", "log", "follow",
};

/* struct line - a command line, in memory of its own */
struct line {
	char text[MAX_WORDS][WORD];
	char *argv[MAX_WORDS + 2];
	int nr;
};

static void add(struct line *line, const char *word)
{
	snprintf(line->text[line->nr], WORD, "%s", word);
	line->argv[line->nr + 1] = line->text[line->nr];
	line->nr++;
}

/* A path that can be named: never one whose loss the guest would not survive */
static void add_path(struct line *line, struct fuzz_rng *rng, const struct backed *b)
{
	const char *const paths[] = {
		b->mnt, b->mnt, b->back, in(b->mnt, "d0"), in(b->mnt, "f0"), in(b->top, "none"),
		in(b->top, "policy"), in(b->top, "garbage"), "build/bpf/hide.bpf.o", "/dev/null",
		"/proc/self/exe", "",
	};

	add(line, FUZZ_ANY(rng, paths));
}

static void add_other(struct line *line, struct fuzz_rng *rng)
{
	char *word = line->text[line->nr];
	size_t len;

	if (fuzz_chance(rng, 90)) {
		add(line, FUZZ_ANY(rng, words));
		return;
	}
	/* Long, or of any bytes */
	len = 1 + fuzz_below(rng, fuzz_chance(rng, 20) ? WORD - 1 : 40);
	fuzz_fill(rng, word, len);
	if (fuzz_chance(rng, 50))
		memset(word, 'a', len);
	word[len - 1] = '\0';
	line->argv[line->nr + 1] = word;
	line->nr++;
}

static void make_line(struct line *line, struct fuzz_rng *rng, const struct backed *b)
{
	int n = fuzz_below(rng, MAX_WORDS - 3);

	memset(line->argv, 0, sizeof(line->argv));
	line->nr = 0;
	line->argv[0] = getenv("FUZZ_TOOL") ?: "build/tools/fuse-bpf";
	if (fuzz_chance(rng, 20))
		add(line, FUZZ_ANY(rng, words));
	add(line, FUZZ_ANY(rng, commands));
	if (fuzz_chance(rng, 60))
		add_path(line, rng, b);
	while (n--) {
		if (fuzz_chance(rng, 35))
			add_path(line, rng, b);
		else
			add_other(line, rng);
	}
}

static bool may_go_on(const struct line *line)
{
	size_t i;
	int w;

	for (w = 0; w < line->nr; w++) {
		/* Words may be cut short */
		for (i = 0; i < sizeof(endless) / sizeof(endless[0]); i++) {
			if (line->text[w][0] &&
			    !strncmp(line->text[w], endless[i], strlen(line->text[w])))
				return true;
		}
	}
	return false;
}

static void tell(const struct line *line, const char *what, int number)
{
	char text[400] = "";
	size_t len = 0;
	int w;

	for (w = 0; w < line->nr && len < sizeof(text); w++)
		len += snprintf(text + len, sizeof(text) - len, " '%.60s'", line->text[w]);
	fuzz_unexpected("%s %d:%s", what, number, text);
}

static pid_t start(const struct line *line, int output)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	dup2(open("/dev/null", O_RDONLY), 0);
	dup2(output, 1);
	dup2(output, 2);
	/* Leaks of a program that ends are none */
	setenv("ASAN_OPTIONS", "detect_leaks=0:exitcode=99", 1);
	setenv("UBSAN_OPTIONS", "halt_on_error=1:exitcode=99", 1);
	execv(line->argv[0], line->argv);
	_exit(127);
}

static void one_line(const struct line *line)
{
	int output = memfd_create("output", MFD_CLOEXEC), status;
	pid_t pid = start(line, output);
	struct pollfd end = { .fd = syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	bool endless_one = may_go_on(line), ended;

	ended = poll(&end, 1, endless_one ? 2000 : test_time_limit() * 1000) == 1;
	/* Daemons that it has started go with it */
	kill(-pid, SIGKILL);
	waitpid(pid, &status, 0);
	if (!ended && !endless_one)
		tell(line, "no end of", 0);
	else if (ended && (!WIFEXITED(status) || WEXITSTATUS(status) > 2))
		tell(line, WIFSIGNALED(status) ? "signal" :
			   WEXITSTATUS(status) == SANITIZER_STATUS ? "sanitizer" : "status",
		     WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	close(end.fd);
	close(output);
	fuzz_input();
}

/* Undo what lines have done: whatever is mounted over the mount, and at it */
static void clean(const struct backed *b)
{
	sh("while umount -l %s 2>/dev/null; do :; done; umount -l %s/d0 2>/dev/null", b->mnt, b->back);
}

static int run_round(__u64 seed)
{
	struct fuzz_rng rng = fuzz_rng(seed, 0);
	static struct line line;
	struct backed b;
	int err, i;

	err = backed_make(&b, "tmpfs") ?: calls_tree(b.back) ?:
	      make_file(in(b.top, "policy"),
			"rules = ( { names = \".env\"; action = \"hide\"; } );\n", 0644) ?:
	      make_big_file(in(b.top, "garbage"), 5000, 3) ?:
	      backed_mount(&b, BACKED_ALLOW_OTHER);
	for (i = 0; i < 20 && !err; i++) {
		make_line(&line, &rng, &b);
		fuzz_doing(0, line.text[0]);
		one_line(&line);
	}
	clean(&b);
	b.mounted = false;
	return err ?: backed_destroy(&b);
}

int main(int argc, char **argv)
{
	return fuzz_main(argc, argv, run_round);
}
