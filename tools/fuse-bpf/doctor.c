// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuse-bpf doctor: does this machine have what mounts and filters need, and what is to
 * be done where it has not?
 *
 * Each check looks at one thing, by using it where that is possible without changing
 * anything. What later checks need of earlier ones is in struct patient.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "machine.h"

#define CGROUPS "/sys/fs/cgroup"

enum state {
	HAS,
	LACKS,
	UNKNOWN,
};

/**
 * struct finding - what a check came to
 * @state: whether it is there
 * @detail: what was found, or the reason why not
 * @remedy: what to do, a constant string; NULL: nothing can be done, or need be
 */
struct finding {
	enum state state;
	char detail[512];
	const char *remedy;
};

/**
 * struct patient - what is known so far
 * @choice: the device, and what its kernel can do
 * @usable: nothing essential is missing yet
 */
struct patient {
	struct fuse_bpf_choice choice;
	bool usable;
};

/**
 * struct check - one thing to look at
 * @name: as users see it
 * @essential: without it, mounts with filters do not work
 * @look: fills in a finding that is all zero
 */
struct check {
	const char *name;
	bool essential;
	void (*look)(const struct patient *patient, struct finding *finding);
};

static void __attribute__((format(printf, 4, 5)))
found(struct finding *finding, enum state state, const char *remedy, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(finding->detail, sizeof(finding->detail), fmt, ap);
	va_end(ap);
	finding->state = state;
	finding->remedy = remedy;
}

#define has(finding, ...) found(finding, HAS, NULL, __VA_ARGS__)
#define lacks(finding, remedy, ...) found(finding, LACKS, remedy, __VA_ARGS__)
#define unknown(finding, remedy, ...) found(finding, UNKNOWN, remedy, __VA_ARGS__)

static bool has_device(const struct patient *patient)
{
	return patient->choice.path && !patient->choice.plain;
}

static void look_kernel(const struct patient *patient, struct finding *finding)
{
	struct utsname name;

	(void)patient;
	uname(&name);
	has(finding, "Linux %s on %s", name.release, name.machine);
}

static void look_fuse(const struct patient *patient, struct finding *finding)
{
	const struct fuse_bpf_choice *choice = &patient->choice;

	if (has_device(patient))
		has(finding, choice->flavour == FUSE_BPF_MODULE ?
			     "the module fuse_bpf, beside the kernel's own FUSE; type %s" :
			     "the kernel's own FUSE; type %s", choice->fs_type);
	else if (choice->errs[FUSE_BPF_MODULE] == -ENOENT)
		lacks(finding, "load the module (modprobe fuse_bpf, or insmod fuse_bpf.ko), or boot a kernel built with CONFIG_FUSE_BACKED and CONFIG_FUSE_FILTER",
		      "%s", choice->why);
	else
		lacks(finding, "see to the device file first", "%s", choice->why);
}

static void look_device(const struct patient *patient, struct finding *finding)
{
	const char *path = has_device(patient) ? patient->choice.path :
						 fuse_bpf_device_path(FUSE_BPF_MODULE);
	struct stat st;

	if (stat(path, &st))
		lacks(finding, "it comes with the module; where it does not, look at devtmpfs and udev",
		      "%s: %s", path, strerror(errno));
	else if (access(path, R_OK | W_OK))
		lacks(finding, "run as root, or let a udev rule give the device MODE=\"0666\" as /dev/fuse has",
		      "%s has mode %04o and owner %u:%u: %s", path, st.st_mode & 07777, st.st_uid,
		      st.st_gid, strerror(errno));
	else
		has(finding, "%s, mode %04o, owner %u:%u", path, st.st_mode & 07777, st.st_uid,
		    st.st_gid);
}

static void look_abi(const struct patient *patient, struct finding *finding)
{
	__u32 abi = patient->choice.query.abi;

	if (!has_device(patient))
		lacks(finding, NULL, "there is no device to ask");
	else if (abi < FUSE_BPF_ABI)
		lacks(finding, "load the module that belongs to this release of fuse-bpf",
		      "the kernel has version %u, and this command was built for %u", abi,
		      FUSE_BPF_ABI);
	else
		has(finding, "version %u, and this command was built for %u", abi, FUSE_BPF_ABI);
}

static void look_vmlinux_btf(const struct patient *patient, struct finding *finding)
{
	static const char path[] = "/sys/kernel/btf/vmlinux";

	(void)patient;
	if (access(path, R_OK))
		lacks(finding, "boot a kernel built with CONFIG_DEBUG_INFO_BTF",
		      "%s: %s", path, strerror(errno));
	else
		has(finding, "%s", path);
}

static void look_filter_btf(const struct patient *patient, struct finding *finding)
{
	(void)patient;
	if (kernel_has_ops())
		has(finding, "struct fuse_filter_ops is known");
	else
		lacks(finding, "build the module where pahole and the kernel's own vmlinux are, so that it has a .BTF section",
		      "neither the kernel's BTF nor that of the module has struct fuse_filter_ops");
}

/* The kernel asks for privileges before it looks whether it can. */
static void look_bpf(const struct patient *patient, struct finding *finding)
{
	__u32 id;

	(void)patient;
	if (!bpf_prog_get_next_id(0, &id) || errno == ENOENT)
		has(finding, "programs can be loaded and found");
	else if (errno == EPERM)
		lacks(finding, "run as root", "bpf(2) is not for this user");
	else
		lacks(finding, "boot a kernel built with CONFIG_BPF_SYSCALL", "bpf(2): %s",
		      strerror(errno));
}

static void look_struct_ops(const struct patient *patient, struct finding *finding)
{
	int ret;

	(void)patient;
	ret = libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_STRUCT_OPS, NULL);
	reason_clear();
	if (ret > 0)
		has(finding, "the kernel takes programs of this type");
	else if (ret == 0 || ret == -EOPNOTSUPP)
		lacks(finding, "boot a kernel built with CONFIG_BPF_JIT and CONFIG_DEBUG_INFO_BTF",
		      "the kernel knows no programs of this type");
	else if (!has_capability(CAP_BPF))
		unknown(finding, "run as root to find out", "this user may not try");
	else
		lacks(finding, NULL, "it cannot be tried: %s", strerror(-ret));
}

static void look_jit(const struct patient *patient, struct finding *finding)
{
	static const char path[] = "/proc/sys/net/core/bpf_jit_enable";
	char line[16];

	(void)patient;
	if (!read_line(path, line, sizeof(line))) {
		unknown(finding, NULL, "%s: %s", path, strerror(errno));
	} else if (!strcmp(line, "0")) {
		lacks(finding, "sysctl net.core.bpf_jit_enable=1", "filters are compiled programs, and %s is 0",
		      path);
	} else {
		has(finding, "on");
	}
}

static void look_bpf_fs(const struct patient *patient, struct finding *finding)
{
	(void)patient;
	if (bpf_fs_is_mounted())
		has(finding, BPF_FS);
	else
		lacks(finding, NULL, BPF_FS " is no BPF file system yet; attaching a filter mounts it");
}

static void look_privilege(const struct patient *patient, struct finding *finding)
{
	static const struct {
		int capability;
		const char *name;
	} wanted[] = {
		{ CAP_SYS_ADMIN, "CAP_SYS_ADMIN" },
		{ CAP_BPF, "CAP_BPF" },
		{ CAP_PERFMON, "CAP_PERFMON" },
	};
	size_t i;

	(void)patient;
	for (i = 0; i < ARRAY_SIZE(wanted); i++) {
		if (has_capability(wanted[i].capability))
			continue;
		lacks(finding, "run as root", "%s is missing; mounting and attaching need CAP_SYS_ADMIN, loading filters CAP_BPF and CAP_PERFMON",
		      wanted[i].name);
		return;
	}
	has(finding, "CAP_SYS_ADMIN, CAP_BPF and CAP_PERFMON");
}

static void look_lockdown(const struct patient *patient, struct finding *finding)
{
	char line[128];

	(void)patient;
	if (!read_line("/sys/kernel/security/lockdown", line, sizeof(line)) ||
	    strstr(line, "[none]"))
		has(finding, "the kernel is not locked down");
	else if (strstr(line, "[confidentiality]"))
		lacks(finding, "boot without lockdown=confidentiality",
		      "the kernel is locked down for confidentiality: no program may read its memory, so 'trace' and 'explain' cannot work");
	else
		has(finding, "for integrity: only signed modules are loaded");
}

static void look_fusectl(const struct patient *patient, struct finding *finding)
{
	char path[64];

	if (!control_path(patient->choice.flavour, path, sizeof(path)))
		has(finding, "%s", path);
	else if (patient->choice.flavour == FUSE_BPF_BUILTIN)
		lacks(finding, "mount -t fusectl none /sys/fs/fuse/connections",
		      "the control file system is not mounted; 'inodes' reads backings from it");
	else
		lacks(finding, "mount -t fusectl_bpf none /sys/fs/fuse_bpf/connections",
		      "the control file system is not mounted; 'inodes' reads backings from it");
}

static void look_cgroups(const struct patient *patient, struct finding *finding)
{
	struct statfs fs;

	(void)patient;
	if (!statfs(CGROUPS, &fs) && fs.f_type == CGROUP2_SUPER_MAGIC)
		has(finding, CGROUPS);
	else
		lacks(finding, "mount -t cgroup2 none " CGROUPS ", or boot with systemd.unified_cgroup_hierarchy=1",
		      CGROUPS " is no cgroup v2; rules for cgroups cannot be loaded");
}

/* No descriptor is given, so a kernel that knows the call can only refuse it. */
static void look_idmap(const struct patient *patient, struct finding *finding)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = ~0ULL };

	(void)patient;
	syscall(SYS_mount_setattr, -1, "", 0, &attr, sizeof(attr));
	if (errno == ENOSYS)
		lacks(finding, "boot a kernel that has mount_setattr(2)", "the kernel cannot map owners of mounts");
	else if (access("/proc/self/ns/user", F_OK))
		lacks(finding, "boot a kernel built with CONFIG_USER_NS",
		      "there are no user namespaces to map owners with");
	else
		has(finding, "a backing can be an idmapped mount; a backed mount cannot be mapped itself");
}

static void look_casefold(const struct patient *patient, struct finding *finding)
{
	static const char *const there[] = {
		"/sys/fs/ext4/features/casefold", "/sys/fs/f2fs/features/casefold",
	};
	size_t i;

	(void)patient;
	for (i = 0; i < ARRAY_SIZE(there); i++) {
		if (access(there[i], F_OK))
			continue;
		has(finding, "directories that fold case can be backings: %s", there[i]);
		return;
	}
	lacks(finding, "load ext4 or f2fs, in a kernel built with CONFIG_UNICODE",
	      "no file system that is loaded can fold case");
}

static void look_decisions(const struct patient *patient, struct finding *finding)
{
	(void)patient;
	if (kernel_has_decisions())
		has(finding, "the tracepoint fuse_filter is known; 'trace' and 'explain' work");
	else
		lacks(finding, "boot a kernel built with CONFIG_TRACEPOINTS and CONFIG_BPF_EVENTS",
		      "BTF has no tracepoint fuse_filter; 'trace' and 'explain' cannot work");
}

static void look_helper(const struct patient *patient, struct finding *finding)
{
	static const char path[] = "/sbin/mount.fuse_bpf";

	(void)patient;
	if (access(path, X_OK))
		lacks(finding, "make -C tools/fuse-bpf install",
		      "%s: %s; mount(8) and fstab(5) know nothing of filters then", path,
		      strerror(errno));
	else
		has(finding, "%s", path);
}

static const struct check checks[] = {
	{ "kernel", false, look_kernel },
	{ "fuse", true, look_fuse },
	{ "device", true, look_device },
	{ "abi", true, look_abi },
	{ "btf_kernel", true, look_vmlinux_btf },
	{ "btf_filters", true, look_filter_btf },
	{ "bpf", true, look_bpf },
	{ "struct_ops", true, look_struct_ops },
	{ "jit", true, look_jit },
	{ "privilege", true, look_privilege },
	{ "bpf_fs", false, look_bpf_fs },
	{ "lockdown", false, look_lockdown },
	{ "decisions", false, look_decisions },
	{ "fusectl", false, look_fusectl },
	{ "cgroup2", false, look_cgroups },
	{ "idmapped", false, look_idmap },
	{ "casefold", false, look_casefold },
	{ "mount_helper", false, look_helper },
};

static void show(struct patient *patient, struct json_object *list, const char *name,
		 bool essential, const struct finding *finding)
{
	static const char *const states[] = { [HAS] = "yes", [LACKS] = "no", [UNKNOWN] = "unknown" };
	struct json_object *obj = json_object_new_object();

	add_string(obj, "check", name);
	add_string(obj, "state", states[finding->state]);
	add_bool(obj, "essential", essential);
	add_string(obj, finding->state == HAS ? "detail" : "reason", finding->detail);
	add_string(obj, "remedy", finding->remedy);
	json_object_array_add(list, obj);

	p_text("%-15s %-8s %s\n", name, states[finding->state], finding->detail);
	if (finding->remedy)
		p_text("%-15s %-8s -> %s\n", "", "", finding->remedy);
	if (essential && finding->state == LACKS)
		patient->usable = false;
}

static void look_features(struct patient *patient, struct json_object *list)
{
	size_t i;

	for (i = 0; i < nr_kernel_features; i++) {
		const struct kernel_feature *feature = &kernel_features[i];
		struct finding finding = {};

		if (!has_device(patient))
			lacks(&finding, NULL, "there is no device to ask");
		else if (patient->choice.query.features & feature->bit)
			has(&finding, "the kernel says so");
		else
			lacks(&finding, "load the module, or boot the kernel, that belongs to this release of fuse-bpf",
			      "%s", feature_reason(feature));
		show(patient, list, feature->name,
		     feature->bit & (FUSE_BPF_BACKED_ROOT | FUSE_BPF_FILTERS), &finding);
	}
}

int do_doctor(struct args *args)
{
	struct patient patient = { .choice.sz = sizeof(patient.choice), .usable = true };
	struct json_object *result, *list;
	size_t i;
	int fd;

	if (args_end(args))
		return USAGE;
	fd = fuse_bpf_choose_device(FUSE_BPF_ANY, 0, &patient.choice);
	if (fd >= 0)
		close(fd);
	result = json_object_new_object();
	list = json_object_new_array();
	for (i = 0; i < ARRAY_SIZE(checks); i++) {
		struct finding finding = {};

		checks[i].look(&patient, &finding);
		show(&patient, list, checks[i].name, checks[i].essential, &finding);
	}
	look_features(&patient, list);
	add_bool(result, "usable", patient.usable);
	json_object_object_add(result, "checks", list);
	out_result(result);
	p_text("%s\n", patient.usable ? "Mounts with filters work here." :
					"Mounts with filters do not work here: see each 'no' above.");
	return patient.usable ? DONE : FAILED;
}
