// SPDX-License-Identifier: GPL-2.0-only
/*
 * policy: enforces the tables that "fuse-bpf policy load" makes of a policy file.
 *
 * Of the rules that a request matches, the one with the smallest number decides, which
 * is the first one in the file. They are found by the name, in a hash of exact names
 * and in two tries, of what names begin and end with; by the inode, in a hash; and in a
 * short list of rules that are tried with everything. Patterns that are more than that
 * run through an automaton, one step a byte, if their beginning or end was found.
 *
 * One of these filters is attached to the mount, for the rules of scope 0, and one to
 * each subtree that has rules. They share their tables, and policy_control says which
 * generation of them is in force: so a policy is replaced by one store, after all
 * filters of the new one are attached.
 *
 * Cost, for each name looked up or listed: a hash look-up, the copying of three keys of
 * at most 64 bytes and two trie look-ups, however many rules there are. Tables that a
 * policy does not use cost a test. No program sleeps.
 */
#include "fuse_filter.bpf.h"
#include "policy.h"

#define O_ACCMODE	3
#define O_WRONLY	1
#define O_TRUNC		01000
#define FMODE_EXEC	040
#define PROT_EXEC	4

struct task_struct;

/* Of a request that is answered for each type: any rule's type fits */
#define TYPES_UNKNOWN	POLICY_TYPES_ALL

/* Set before the filter is loaded */
const volatile __u32 policy_generation = 0;
const volatile __u32 policy_scope = 0;
const volatile bool policy_has_exact = false;
const volatile bool policy_has_prefix = false;
const volatile bool policy_has_suffix = false;
const volatile bool policy_has_any = false;
const volatile bool policy_has_below = false;
const volatile bool policy_has_files = false;

/* Mapped by fuse-bpf, which changes a generation by one store */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct policy_control);
} policy_control SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct policy_rule);
} policy_rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} policy_hits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct policy_exact);
	__type(value, struct policy_list);
} policy_exact SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct policy_affix);
	__type(value, struct policy_list);
} policy_prefix SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct policy_affix);
	__type(value, struct policy_list);
} policy_suffix SEC(".maps");

/* Names that are tried with each pattern, and what is below a subtree, by scope */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, POLICY_SCOPES + 1);
	__type(key, __u32);
	__type(value, struct policy_any);
} policy_any SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, POLICY_SCOPES + 1);
	__type(key, __u32);
	__type(value, struct policy_any);
} policy_below SEC(".maps");

/* By node id */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct policy_list);
} policy_files SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct policy_glob);
} policy_globs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, char[POLICY_NAME]);
} policy_longs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct policy_who);
} policy_whos SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct policy_id);
	__type(value, __u8);
} policy_ids SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} policy_audit SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 17);
} policy_explain SEC(".maps");

/**
 * struct query - a request, as rules are tried with it
 * @name: the name, zero after its end
 * @len: length of @name, 0: there is none
 * @ops: enum policy_op, several where a file is opened for several things
 * @types: types that the inode may have; 0: not known yet
 * @uid: of the caller
 * @gid: of the caller
 * @best: the rule that decides, so far
 * @audit: the first rule that wants to be told and decides nothing
 * @typed: a rule would come first if the inode has its type
 */
struct query {
	char name[POLICY_NAME];
	__u32 len;
	__u32 ops;
	__u32 types;
	__u32 uid;
	__u32 gid;
	__u32 best;
	__u32 audit;
	__u32 typed;
};

/*
 * Queries are too large for the stack, and must be where the functions below can be
 * given a pointer to them: these are not static, so that the verifier looks at each
 * once, and not again in each program for each rule that could be tried.
 */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct query);
} policy_query SEC(".maps");

struct glob_walk {
	const struct policy_glob *glob;
	struct query *q;
	__u64 states;
};

static long glob_step(__u64 i, void *arg)
{
	struct glob_walk *walk = arg;
	__u32 at = i;

	if (at >= walk->q->len || at >= POLICY_NAME)
		return 1;
	walk->states = (walk->states & walk->glob->stay) |
		       (walk->states & walk->glob->step[(__u8)walk->q->name[at]]) << 1;
	return !walk->states;
}

__noinline int glob_matches(struct query *q, __u32 index)
{
	struct glob_walk walk = { .q = q, .states = 1 };

	walk.glob = bpf_map_lookup_elem(&policy_globs, &index);
	/* Tables that contradict each other must not be a way past a rule */
	if (!walk.glob || !q)
		return 1;
	bpf_loop(POLICY_NAME, glob_step, &walk, 0);
	return !!(walk.states & walk.glob->accept);
}

__noinline int long_matches(struct query *q, __u32 index)
{
	const char *text = bpf_map_lookup_elem(&policy_longs, &index);
	int i;

	if (!text || !q)
		return 1;
	for (i = 0; i < POLICY_NAME / 8; i++) {
		if (((const __u64 *)text)[i] != ((const __u64 *)q->name)[i])
			return 0;
	}
	return 1;
}

static __always_inline bool has_id(__u32 who, enum policy_id_kind kind, __u32 id)
{
	struct policy_id key = { .who = who, .kind = kind, .id = id };

	return bpf_map_lookup_elem(&policy_ids, &key);
}

static __always_inline bool in_cgroup(const struct policy_who *who)
{
	for (__u32 i = 0; i < POLICY_CGROUPS; i++) {
		if (i >= who->nr_cgroups)
			break;
		if (bpf_get_current_ancestor_cgroup_id(who->cgroups[i].level) ==
		    who->cgroups[i].id)
			return true;
	}
	return false;
}

static __always_inline bool in_pidns(const struct policy_who *who)
{
	struct bpf_pidns_info info;

	return !bpf_get_ns_current_pid_tgid(who->pidns_dev, who->pidns_ino, &info, sizeof(info));
}

/* Does what is given fit, or what is given with "not" not fit? */
#define FITS(flags, yes, no, test) (!((flags) & ((yes) | (no))) || (test) == !((flags) & (no)))

__noinline int who_matches(struct query *q, __u32 index)
{
	const struct policy_who *who = bpf_map_lookup_elem(&policy_whos, &index);
	__u32 flags;

	if (!who || !q)
		return 1;
	flags = who->flags;
	return FITS(flags, POLICY_WHO_UID, POLICY_WHO_NOT_UID, has_id(index, POLICY_UID, q->uid)) &&
	       FITS(flags, POLICY_WHO_GID, POLICY_WHO_NOT_GID, has_id(index, POLICY_GID, q->gid)) &&
	       FITS(flags, POLICY_WHO_CGROUP, POLICY_WHO_NOT_CGROUP, in_cgroup(who)) &&
	       FITS(flags, POLICY_WHO_PIDNS, POLICY_WHO_NOT_PIDNS, in_pidns(who));
}

/* Try one rule; true if no later one of the list can come first. */
__noinline int try_entry(struct query *q, __u32 number, __u32 check)
{
	const struct policy_rule *rule;

	if (!q || number >= q->best)
		return 1;
	rule = bpf_map_lookup_elem(&policy_rules, &number);
	if (!rule || !(rule->ops & q->ops))
		return 0;
	if (q->types && !(rule->types & q->types))
		return 0;
	if (check & POLICY_CHECK_LONG && !long_matches(q, check & ~POLICY_CHECK_LONG))
		return 0;
	if (check && !(check & POLICY_CHECK_LONG) && !glob_matches(q, check - 1))
		return 0;
	if (rule->who && !who_matches(q, rule->who))
		return 0;
	if (!q->types && rule->types != POLICY_TYPES_ALL) {
		q->typed = 1;
		return 0;
	}
	if (!(rule->flags & POLICY_PASS)) {
		q->best = number;
		return 1;
	}
	if (number < q->audit)
		q->audit = number;
	return 0;
}

__noinline int try_list(struct query *q, struct policy_list *list)
{
	if (!q || !list)
		return 0;
	for (__u32 i = 0; i < POLICY_TRY; i++) {
		if (i >= list->nr || try_entry(q, list->entries[i].rule, list->entries[i].check))
			break;
	}
	return 0;
}

__noinline int try_any(struct query *q, struct policy_any *any)
{
	if (!q || !any)
		return 0;
	for (__u32 i = 0; i < POLICY_ANY; i++) {
		if (i >= any->nr || try_entry(q, any->entries[i].rule, any->entries[i].check))
			break;
	}
	return 0;
}

__noinline int try_exact(struct query *q)
{
	struct policy_exact key = { .scope = policy_scope };
	struct policy_list *list;

	if (!q || q->len >= sizeof(key.name))
		return 0;
	for (int i = 0; i < POLICY_EXACT / 4; i++)
		((__u32 *)key.name)[i] = ((const __u32 *)q->name)[i];
	list = bpf_map_lookup_elem(&policy_exact, &key);
	return list ? try_list(q, list) : 0;
}

/*
 * Room for the key of a trie, of which the kernel wants the bits first, so that the
 * text, whose first byte is the scope, is aligned for copying by words.
 */
struct affix_room {
	__u32 unused;
	__u32 bits;
	__u64 text[4];
};

static __always_inline void affix_finish(struct affix_room *room)
{
	room->bits = 8 * (1 + POLICY_AFFIX);
	/* The scope comes in front, and the last byte, which no key has, falls out */
	room->text[3] = room->text[3] << 8 | room->text[2] >> 56;
	room->text[2] = room->text[2] << 8 | room->text[1] >> 56;
	room->text[1] = room->text[1] << 8 | room->text[0] >> 56;
	room->text[0] = room->text[0] << 8 | policy_scope;
}

__noinline int try_prefix(struct query *q)
{
	struct affix_room room = {};
	struct policy_list *list;

	if (!q)
		return 0;
	for (int i = 0; i < 4; i++)
		room.text[i] = ((const __u64 *)q->name)[i];
	affix_finish(&room);
	list = bpf_map_lookup_elem(&policy_prefix, &room.bits);
	return list ? try_list(q, list) : 0;
}

/* Eight bytes of the name that end @before bytes before its end, backwards */
static __always_inline __u64 reversed_word(const char *name, __u32 len, __u32 before)
{
	__u32 at = len - before - 8;
	__u32 rest = len - before;

	barrier_var(at);
	if (at <= POLICY_NAME - 8)
		return __builtin_bswap64(*(const __u64 *)(name + at));
	if (rest >= 8)
		return 0;
	if (!rest)
		return 0;
	return __builtin_bswap64(*(const __u64 *)name) >> (8 * (8 - rest));
}

__noinline int try_suffix(struct query *q)
{
	struct affix_room room = {};
	struct policy_list *list;

	if (!q)
		return 0;
	for (int i = 0; i < 4; i++)
		room.text[i] = reversed_word(q->name, q->len, 8 * i);
	affix_finish(&room);
	list = bpf_map_lookup_elem(&policy_suffix, &room.bits);
	return list ? try_list(q, list) : 0;
}

static __always_inline void try_name(struct query *q)
{
	struct policy_any *any;
	__u32 scope = policy_scope;

	if (policy_has_exact)
		try_exact(q);
	if (policy_has_prefix)
		try_prefix(q);
	if (policy_has_suffix)
		try_suffix(q);
	if (policy_has_any) {
		any = bpf_map_lookup_elem(&policy_any, &scope);
		if (any)
			try_any(q, any);
	}
}

static __always_inline void try_inode(struct query *q, __u64 nodeid)
{
	struct policy_list *list;
	struct policy_any *any;
	__u32 scope = policy_scope;

	if (policy_has_files && nodeid) {
		list = bpf_map_lookup_elem(&policy_files, &nodeid);
		if (list)
			try_list(q, list);
	}
	if (policy_has_below) {
		any = bpf_map_lookup_elem(&policy_below, &scope);
		if (any)
			try_any(q, any);
	}
}

static __always_inline struct policy_control *control(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&policy_control, &zero);
}

static __always_inline bool in_force(void)
{
	struct policy_control *shared = control();
	__u32 exempt;

	if (!shared || *(volatile __u32 *)&shared->generation != policy_generation)
		return false;
	exempt = *(volatile __u32 *)&shared->exempt;
	return !exempt || exempt != (__u32)bpf_get_current_pid_tgid();
}

static __noinline int tell(struct fuse_filter_ctx *fctx, struct query *q, void *ring, __u32 number,
			   int verdict)
{
	const struct policy_rule *rule = bpf_map_lookup_elem(&policy_rules, &number);
	struct policy_event *event = bpf_ringbuf_reserve(ring, sizeof(*event), 0);
	struct policy_control *shared = control();

	if (!event) {
		if (shared)
			__sync_fetch_and_add(&shared->lost, 1);
		return 0;
	}
	event->time = bpf_ktime_get_boot_ns();
	event->cgroup = bpf_get_current_cgroup_id();
	event->parent = fctx->parent;
	event->nodeid = fctx->nodeid;
	event->op = q->ops;
	event->opcode = fctx->opcode;
	event->rule = number;
	event->line = rule ? rule->line : 0;
	event->scope = policy_scope;
	event->verdict = verdict;
	event->uid = q->uid;
	event->gid = q->gid;
	event->pid = fctx->pid;
	event->reserved = 0;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	for (int i = 0; i < POLICY_LABEL / 8; i++)
		((__u64 *)event->label)[i] = rule ? ((const __u64 *)rule->label)[i] : 0;
	for (int i = 0; i < POLICY_NAME / 8; i++)
		((__u64 *)event->name)[i] = ((const __u64 *)q->name)[i];
	bpf_ringbuf_submit(event, 0);
	return 0;
}

static __always_inline void count(__u32 number)
{
	__u64 *hits = bpf_map_lookup_elem(&policy_hits, &number);

	if (hits)
		(*hits)++;
}

/* What the rules that were tried come to: the verdict, told where that is wanted */
static __noinline int conclude(struct fuse_filter_ctx *fctx, struct query *q)
{
	const struct policy_rule *rule;
	struct policy_control *shared = control();
	int verdict = FUSE_FILTER_DEFAULT;
	__u32 number = q->best;

	if (q->audit < number) {
		count(q->audit);
		tell(fctx, q, &policy_audit, q->audit, verdict);
	}
	if (number != POLICY_NO_RULE) {
		rule = bpf_map_lookup_elem(&policy_rules, &number);
		/* A rule that was found a moment ago is there */
		verdict = rule ? rule->verdict : -EIO;
		count(number);
		if (rule && rule->flags & POLICY_AUDIT)
			tell(fctx, q, &policy_audit, number, verdict);
	}
	if (shared && shared->explain && shared->explain == (__u32)bpf_get_current_pid_tgid())
		tell(fctx, q, &policy_explain, number, verdict);
	return verdict;
}

/* NULL: no memory, and so no verdict but an errno */
static __always_inline struct query *make_query(struct fuse_filter_ctx *fctx, __u32 ops)
{
	struct query *q;

	q = bpf_task_storage_get(&policy_query, bpf_get_current_task_btf(), NULL,
				 BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!q)
		return NULL;
	q->len = 0;
	q->name[0] = '\0';
	q->ops = ops;
	q->types = TYPES_UNKNOWN;
	q->uid = fctx->fsuid;
	q->gid = fctx->fsgid;
	q->best = POLICY_NO_RULE;
	q->audit = POLICY_NO_RULE;
	q->typed = 0;
	return q;
}

/* A name that cannot be read cannot be cleared either */
static __always_inline int take_name(struct fuse_filter_ctx *fctx, struct query *q)
{
	const __u64 *name = (const __u64 *)bpf_fuse_ctx_name(fctx, FUSE_FILTER_NAME_SIZE);

	if (!name)
		return -EIO;
	for (int i = 0; i < POLICY_NAME / 8; i++)
		((__u64 *)q->name)[i] = name[i];
	q->len = fctx->name_len;
	return 0;
}

/* A request that has an inode, and no name */
static __always_inline int on_inode(struct fuse_filter_ctx *fctx, __u32 ops)
{
	struct query *q;

	if (!in_force())
		return FUSE_FILTER_DEFAULT;
	q = make_query(fctx, ops);
	if (!q)
		return -ENOMEM;
	try_inode(q, fctx->nodeid);
	return conclude(fctx, q);
}

/* A request for a name, of something that has one of @types */
static __always_inline int on_name(struct fuse_filter_ctx *fctx, __u32 ops, __u32 types,
				   __u64 nodeid)
{
	struct query *q;

	if (!in_force())
		return FUSE_FILTER_DEFAULT;
	q = make_query(fctx, ops);
	if (!q)
		return -ENOMEM;
	if (take_name(fctx, q))
		return -EIO;
	q->types = types;
	try_name(q);
	try_inode(q, nodeid);
	return conclude(fctx, q);
}

static __always_inline __u32 type_of(__u32 mode)
{
	return 1U << ((mode >> 12) & 15);
}

/* Who is asked for the name, if no errno is the answer yet */
static __always_inline int route_of(struct query *q)
{
	__u32 number = q->best;
	const struct policy_rule *rule;

	if (number == POLICY_NO_RULE)
		return FUSE_FILTER_DEFAULT;
	rule = bpf_map_lookup_elem(&policy_rules, &number);
	return rule && rule->verdict == FUSE_FILTER_DAEMON ? FUSE_FILTER_DAEMON :
							     FUSE_FILTER_DEFAULT;
}

static __always_inline bool refuses(struct query *q)
{
	__u32 number = q->best;
	const struct policy_rule *rule;

	if (number == POLICY_NO_RULE)
		return false;
	rule = bpf_map_lookup_elem(&policy_rules, &number);
	return !rule || rule->verdict < 0;
}

SEC("struct_ops/lookup")
int BPF_PROG(policy_lookup, struct fuse_filter_ctx *fctx)
{
	struct query *q;

	if (!in_force())
		return FUSE_FILTER_DEFAULT;
	q = make_query(fctx, POLICY_LOOKUP);
	if (!q)
		return -ENOMEM;
	if (take_name(fctx, q))
		return -EIO;
	q->types = 0;
	try_name(q);
	if (policy_has_below)
		try_inode(q, 0);
	/*
	 * What a name alone decides is refused before the name is looked up: an errno
	 * that comes later says only that there is nothing, and something can be made.
	 */
	if (q->typed || (policy_has_files && !refuses(q)))
		return route_of(q) | FUSE_FILTER_POST;
	return conclude(fctx, q);
}

SEC("struct_ops/lookup_post")
int BPF_PROG(policy_lookup_post, struct fuse_filter_ctx *fctx, const struct fuse_filter_attr *attr)
{
	__u64 nodeid = attr->ino ? attr->ino | FUSE_NODEID_KERNEL : 0;
	/* Nothing has no type: only rules for any type speak of it */
	__u32 types = type_of(attr->mode);
	int verdict;

	verdict = on_name(fctx, POLICY_LOOKUP, types, nodeid);
	return verdict < 0 ? verdict : 0;
}

SEC("struct_ops/dirent")
int BPF_PROG(policy_dirent, struct fuse_filter_ctx *fctx, const struct fuse_filter_dirent *entry)
{
	/* DT_UNKNOWN is 0: the backing does not say, so it may be what a rule hides */
	__u32 types = entry->type ? 1U << (entry->type & 15) : TYPES_UNKNOWN;
	int verdict = on_name(fctx, POLICY_LIST, types, entry->ino | FUSE_NODEID_KERNEL);

	return verdict < 0 ? verdict : FUSE_FILTER_DEFAULT;
}

SEC("struct_ops/create")
int BPF_PROG(policy_create, struct fuse_filter_ctx *fctx)
{
	/* A file without a name; should it get one, that is asked about as a link */
	if (fctx->opcode == FUSE_TMPFILE)
		return on_inode(fctx, POLICY_CREATE);
	return on_name(fctx, POLICY_CREATE, type_of(S_IFREG), 0);
}

SEC("struct_ops/mknod")
int BPF_PROG(policy_mknod, struct fuse_filter_ctx *fctx, const struct fuse_mknod_in *in)
{
	return on_name(fctx, POLICY_MKNOD, type_of(in->mode & S_IFMT ?: S_IFREG), 0);
}

SEC("struct_ops/mkdir")
int BPF_PROG(policy_mkdir, struct fuse_filter_ctx *fctx)
{
	return on_name(fctx, POLICY_MKDIR, type_of(S_IFDIR), 0);
}

SEC("struct_ops/symlink")
int BPF_PROG(policy_symlink, struct fuse_filter_ctx *fctx)
{
	return on_name(fctx, POLICY_SYMLINK, type_of(S_IFLNK), 0);
}

SEC("struct_ops/link")
int BPF_PROG(policy_link, struct fuse_filter_ctx *fctx, const struct fuse_link_in *in)
{
	return on_name(fctx, POLICY_LINK, TYPES_UNKNOWN, in->oldnodeid);
}

SEC("struct_ops/unlink")
int BPF_PROG(policy_unlink, struct fuse_filter_ctx *fctx)
{
	return on_name(fctx, POLICY_UNLINK, TYPES_UNKNOWN & ~type_of(S_IFDIR), fctx->nodeid);
}

SEC("struct_ops/rmdir")
int BPF_PROG(policy_rmdir, struct fuse_filter_ctx *fctx)
{
	return on_name(fctx, POLICY_RMDIR, type_of(S_IFDIR), fctx->nodeid);
}

/* The name that something is renamed to; in an exchange, both are that */
static __noinline int on_newname(struct fuse_filter_ctx *fctx)
{
	struct query *q = make_query(fctx, POLICY_RENAME_TO);

	if (!q)
		return -ENOMEM;
	if (bpf_fuse_ctx_read(fctx, FUSE_FILTER_NEWNAME, 0, q->name, POLICY_NAME) < 0)
		return -EIO;
	q->len = fctx->newname_len;
	try_name(q);
	try_inode(q, fctx->nodeid);
	return conclude(fctx, q);
}

SEC("struct_ops/rename")
int BPF_PROG(policy_rename, struct fuse_filter_ctx *fctx, const struct fuse_rename2_in *in)
{
	__u32 ops = POLICY_RENAME_FROM | (in->flags & 2 ? POLICY_RENAME_TO : 0);
	int old, new;

	if (!in_force())
		return FUSE_FILTER_DEFAULT;
	old = on_name(fctx, ops, TYPES_UNKNOWN, fctx->nodeid);
	if (old < 0)
		return old;
	new = on_newname(fctx);
	return new < 0 ? new : new > old ? new : old;
}

SEC("struct_ops/open")
int BPF_PROG(policy_open, struct fuse_filter_ctx *fctx, const struct fuse_open_in *in)
{
	__u32 flags = in->flags, mode = flags & O_ACCMODE, ops = 0;

	if (flags & FMODE_EXEC)
		ops |= POLICY_OPEN_EXEC;
	if (mode != O_WRONLY)
		ops |= POLICY_OPEN_READ;
	if (mode || flags & O_TRUNC)
		ops |= POLICY_OPEN_WRITE;
	return on_inode(fctx, ops);
}

SEC("struct_ops/opendir")
int BPF_PROG(policy_opendir, struct fuse_filter_ctx *fctx)
{
	return on_inode(fctx, POLICY_OPENDIR);
}

static __always_inline int redact(struct fuse_filter_ctx *fctx, __u32 number)
{
	const struct policy_rule *rule = bpf_map_lookup_elem(&policy_rules, &number);

	if (!rule)
		return -EIO;
	if (!(rule->flags & POLICY_REDACT))
		return 0;
	for (__u32 i = 0; i < POLICY_RANGES; i++) {
		if (i >= rule->nr_ranges)
			break;
		if (bpf_fuse_ctx_redact(fctx, rule->ranges[i].start, rule->ranges[i].end))
			return -EIO;
	}
	return 0;
}

SEC("struct_ops/read")
int BPF_PROG(policy_read, struct fuse_filter_ctx *fctx)
{
	struct query *q;
	int err;

	if (!in_force())
		return FUSE_FILTER_DEFAULT;
	q = make_query(fctx, POLICY_READ);
	if (!q)
		return -ENOMEM;
	try_inode(q, fctx->nodeid);
	if (q->best != POLICY_NO_RULE) {
		err = redact(fctx, q->best);
		if (err)
			return err;
	}
	return conclude(fctx, q);
}

SEC("struct_ops/write")
int BPF_PROG(policy_write, struct fuse_filter_ctx *fctx)
{
	return on_inode(fctx, POLICY_WRITE);
}

SEC("struct_ops/mmap")
int BPF_PROG(policy_mmap, struct fuse_filter_ctx *fctx, const struct fuse_filter_mmap *in)
{
	int verdict;

	/* What is mapped to be read or written is asked about as that */
	if (!(in->prot & PROT_EXEC))
		return FUSE_FILTER_DEFAULT;
	verdict = on_inode(fctx, POLICY_MAP_EXEC);
	return verdict < 0 ? verdict : FUSE_FILTER_DEFAULT;
}

SEC("struct_ops/setattr")
int BPF_PROG(policy_setattr, struct fuse_filter_ctx *fctx)
{
	return on_inode(fctx, POLICY_SETATTR);
}

SEC("struct_ops/getxattr")
int BPF_PROG(policy_getxattr, struct fuse_filter_ctx *fctx)
{
	return on_inode(fctx, POLICY_GETXATTR);
}

SEC("struct_ops/listxattr")
int BPF_PROG(policy_listxattr, struct fuse_filter_ctx *fctx)
{
	return on_inode(fctx, POLICY_GETXATTR);
}

SEC("struct_ops/setxattr")
int BPF_PROG(policy_setxattr, struct fuse_filter_ctx *fctx)
{
	return on_inode(fctx, POLICY_SETXATTR);
}

SEC("struct_ops/removexattr")
int BPF_PROG(policy_removexattr, struct fuse_filter_ctx *fctx)
{
	return on_inode(fctx, POLICY_SETXATTR);
}

SEC("struct_ops/fallocate")
int BPF_PROG(policy_fallocate, struct fuse_filter_ctx *fctx)
{
	return on_inode(fctx, POLICY_FALLOCATE);
}

SEC("struct_ops/readlink")
int BPF_PROG(policy_readlink, struct fuse_filter_ctx *fctx)
{
	return on_inode(fctx, POLICY_READLINK);
}

SEC("struct_ops/ioctl")
int BPF_PROG(policy_ioctl, struct fuse_filter_ctx *fctx)
{
	return on_inode(fctx, POLICY_IOCTL);
}

SEC(".struct_ops.link")
struct fuse_filter_ops policy = {
	.lookup = (void *)policy_lookup,
	.lookup_post = (void *)policy_lookup_post,
	.dirent = (void *)policy_dirent,
	.create = (void *)policy_create,
	.mknod = (void *)policy_mknod,
	.mkdir = (void *)policy_mkdir,
	.symlink = (void *)policy_symlink,
	.link = (void *)policy_link,
	.rename = (void *)policy_rename,
	.unlink = (void *)policy_unlink,
	.rmdir = (void *)policy_rmdir,
	.open = (void *)policy_open,
	.opendir = (void *)policy_opendir,
	.read = (void *)policy_read,
	.write = (void *)policy_write,
	.mmap = (void *)policy_mmap,
	.setattr = (void *)policy_setattr,
	.getxattr = (void *)policy_getxattr,
	.listxattr = (void *)policy_listxattr,
	.setxattr = (void *)policy_setxattr,
	.removexattr = (void *)policy_removexattr,
	.fallocate = (void *)policy_fallocate,
	.readlink = (void *)policy_readlink,
	.ioctl = (void *)policy_ioctl,
	.name = "policy",
};

char LICENSE[] SEC("license") = "GPL";
