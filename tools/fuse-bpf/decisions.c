// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decisions, live: a program of our own at the kernel's trace events, so that names of
 * files come as bytes and not in lines of text that such a name could forge.
 */
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "decisions.h"
#include "decisions.skel.h"

/**
 * struct decisions - programs that record decisions
 * @skel: programs and maps
 * @ring: where they put decisions
 * @fn: who gets them
 * @arg: likewise
 */
struct decisions {
	struct decisions_bpf *skel;
	struct ring_buffer *ring;
	decision_fn fn;
	void *arg;
};

/* decision_dev - a device number as the kernel writes it inside */
__u32 decision_dev(dev_t dev)
{
	return major(dev) << 20 | minor(dev);
}

static int take(void *arg, void *data, size_t size)
{
	struct decisions *decisions = arg;

	if (size >= sizeof(struct decision))
		decisions->fn(data, decisions->arg);
	return 0;
}

static int start(struct decisions *decisions, const struct decision_want *want)
{
	int err;

	decisions->skel = decisions_bpf__open();
	if (!decisions->skel)
		return -errno;
	decisions->skel->bss->want = *want;
	err = decisions_bpf__load(decisions->skel);
	if (err)
		return err;
	decisions->ring = ring_buffer__new(bpf_map__fd(decisions->skel->maps.decisions), take,
					   decisions, NULL);
	if (!decisions->ring)
		return -errno;
	return decisions_bpf__attach(decisions->skel);
}

static void report(int err)
{
	if (err == -EPERM) {
		reason_clear();
		p_err(0, "recording decisions needs CAP_BPF and CAP_PERFMON; run as root");
	} else if (!kernel_has_decisions()) {
		reason_clear();
		p_err(0, "this kernel has no trace event fuse_filter; 'fuse-bpf doctor' says what to do");
	} else {
		p_err(err, "cannot record decisions");
	}
}

/**
 * decisions_open - begin to record decisions
 * @want: which ones
 * @fn: called with each from decisions_wait()
 * @arg: handed to @fn
 *
 * Return: to be closed with decisions_close(), or NULL after reporting why not
 */
struct decisions *decisions_open(const struct decision_want *want, decision_fn fn, void *arg)
{
	struct decisions *decisions = calloc(1, sizeof(*decisions));
	int err = -ENOMEM;

	if (decisions) {
		decisions->fn = fn;
		decisions->arg = arg;
		err = start(decisions, want);
	}
	if (!err)
		return decisions;
	report(err);
	decisions_close(decisions);
	return NULL;
}

/* decisions_want - what is recorded, which takes effect as it is changed; also after fork() */
struct decision_want *decisions_want(struct decisions *decisions)
{
	return &decisions->skel->bss->want;
}

/* decisions_wait - pass on what comes for so long, 0: what is there; a negative errno or 0 */
int decisions_wait(struct decisions *decisions, int milliseconds)
{
	int ret = milliseconds ? ring_buffer__poll(decisions->ring, milliseconds) :
				 ring_buffer__consume(decisions->ring);

	return ret < 0 && ret != -EINTR ? ret : 0;
}

void decisions_close(struct decisions *decisions)
{
	if (!decisions)
		return;
	ring_buffer__free(decisions->ring);
	decisions_bpf__destroy(decisions->skel);
	free(decisions);
}

/* The kernel's own name of a reason, which its types tell: FUSE_REFUSED_LOOP is "loop" */
static void refusal_name(__u32 why, char *name, size_t size)
{
	const struct btf_type *t;
	struct kernel_btf btf;
	const char *word;
	size_t i;
	int id;

	snprintf(name, size, "reason %u", why);
	kernel_btf_load(&btf);
	id = btf.all ? btf__find_by_name_kind(btf.all, "fuse_backed_refusal", BTF_KIND_ENUM) : 0;
	t = id > 0 ? btf__type_by_id(btf.all, id) : NULL;
	if (t && why < btf_vlen(t)) {
		word = btf__name_by_offset(btf.all, btf_enum(t)[why].name_off);
		snprintf(name, size, "%s", word + strlen("FUSE_REFUSED_"));
		for (i = 0; name[i]; i++)
			name[i] = tolower(name[i]);
	}
	kernel_btf_free(&btf);
}

/* decision_verdict - what was said, in a word or two */
void decision_verdict(const struct decision *d, char *text, size_t size)
{
	static const char *const routes[] = {
		[FUSE_FILTER_DEFAULT] = "no opinion", [FUSE_FILTER_BACKING] = "backing",
		[FUSE_FILTER_DAEMON] = "daemon",
	};
	unsigned int route = d->ret & 0xff;
	char why[32];

	if (d->kind == DECISION_REFUSED) {
		refusal_name(d->why, why, sizeof(why));
		snprintf(text, size, "%s (%s)", strerrorname_np(-d->ret), why);
	} else if (d->ret < 0) {
		snprintf(text, size, "%s", strerrorname_np(-d->ret));
	} else if (d->kind == DECISION_POST) {
		snprintf(text, size, "as it is");
	} else {
		snprintf(text, size, "%s%s%s", route < ARRAY_SIZE(routes) ? routes[route] : "?",
			 d->ret & FUSE_FILTER_POST ? ", wants the result" : "",
			 d->ret & (FUSE_FILTER_ASK_PRE | FUSE_FILTER_ASK_POST) ?
			 ", asks the daemon" : "");
	}
}

const char *decision_opcode(const struct decision *d)
{
	return fuse_bpf_opcode_name(d->opcode) ?: "?";
}

/* decision_opcode_find - number of the opcode of this name, 0: there is none */
__u32 decision_opcode_find(const char *word)
{
	const char *name;
	__u32 opcode;

	for (opcode = 1; opcode < 64; opcode++) {
		name = fuse_bpf_opcode_name(opcode);
		if (name && !strcasecmp(name, word))
			return opcode;
	}
	return 0;
}

/* decisions_check_namespace - programs and this command must mean the same thread by a number */
int decisions_check_namespace(const char *command)
{
	char name[64] = "";

	if (readlink("/proc/self/ns/pid", name, sizeof(name) - 1) < 0 ||
	    !strcmp(name, "pid:[4026531836]"))
		return DONE;
	p_err(0, "%s works in the initial pid namespace only; run it outside the container",
	      command);
	return FAILED;
}

/* decision_json - one decision; what does not apply is null */
struct json_object *decision_json(const struct decision *d)
{
	static const char *const kinds[] = {
		[DECISION_PRE] = "pre", [DECISION_POST] = "post", [DECISION_REFUSED] = "kernel",
	};
	struct json_object *obj = json_object_new_object();
	char verdict[96];

	decision_verdict(d, verdict, sizeof(verdict));
	add_number(obj, "time", d->time);
	add_dev(obj, makedev(d->dev >> 20, d->dev & 0xfffff));
	add_string(obj, "phase", kinds[d->kind]);
	add_string(obj, "filter", d->filter[0] ? d->filter : NULL);
	add_number(obj, "filter_id", d->filter_id);
	add_string(obj, "opcode", decision_opcode(d));
	if (d->name[0])
		add_bytes(obj, "name", d->name);
	else
		add_string(obj, "name", NULL);
	add_number(obj, "parent", d->parent);
	add_number(obj, "nodeid", d->nodeid);
	add_number(obj, "uid", d->fsuid);
	add_number(obj, "gid", d->fsgid);
	add_number(obj, "tid", d->tid);
	add_bytes(obj, "comm", d->comm);
	add_string(obj, "verdict", verdict);
	add_string(obj, "errno", d->ret < 0 ? strerrorname_np(-d->ret) : NULL);
	return obj;
}
