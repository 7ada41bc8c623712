// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who asks.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "identity.h"

#define CGROUPS "/sys/fs/cgroup"

/* identity_own - the caller; to be freed with identity_free() */
void identity_own(struct identity *identity)
{
	*identity = (struct identity){
		.uid = getuid(), .gid = getgid(), .cgroup_fd = -1, .pidns_fd = -1,
	};
}

static void set_cgroup(struct identity *identity, int fd)
{
	if (identity->cgroup_fd >= 0)
		close(identity->cgroup_fd);
	identity->cgroup_fd = fd;
}

void identity_free(struct identity *identity)
{
	set_cgroup(identity, -1);
	if (identity->pidns_fd >= 0)
		close(identity->pidns_fd);
	free(identity->groups);
	identity_own(identity);
}

static int parse_user(const char *text, __u32 *uid, const struct passwd **known)
{
	if (parse_u32(text, uid)) {
		*known = getpwuid(*uid);
		return DONE;
	}
	*known = getpwnam(text);
	if (!*known)
		return p_usage("there is no user '%s'", text);
	*uid = (*known)->pw_uid;
	return DONE;
}

static int parse_group(const char *text, __u32 *gid)
{
	const struct group *known;

	if (parse_u32(text, gid))
		return DONE;
	known = getgrnam(text);
	if (!known)
		return p_usage("there is no group '%s'", text);
	*gid = known->gr_gid;
	return DONE;
}

static int take_groups(struct identity *identity, const struct passwd *user)
{
	int nr = NGROUPS_MAX;

	identity->groups = calloc(nr, sizeof(*identity->groups));
	if (!identity->groups || getgrouplist(user->pw_name, user->pw_gid, identity->groups, &nr) < 0) {
		p_err(-ENOMEM, "cannot find the groups of %s", user->pw_name);
		return FAILED;
	}
	identity->nr_groups = nr;
	return DONE;
}

/**
 * identity_user - be a user
 * @identity: from identity_own()
 * @user: name or number
 * @group: name or number, then without other groups; NULL: as login would do it, and
 *	for a user that the system does not know, the group of the same number
 *
 * Return: DONE, or another exit status after reporting it
 */
int identity_user(struct identity *identity, const char *user, const char *group)
{
	const struct passwd *known;
	__u32 uid, gid;
	int ret;

	ret = parse_user(user, &uid, &known);
	if (ret)
		return ret;
	gid = known ? known->pw_gid : uid;
	if (group)
		ret = parse_group(group, &gid);
	else if (known)
		ret = take_groups(identity, known);
	identity->uid = uid;
	identity->gid = gid;
	identity->given = true;
	return ret;
}

static int parse_groups(char *line, struct identity *identity)
{
	char *word;

	identity->groups = calloc(NGROUPS_MAX, sizeof(*identity->groups));
	if (!identity->groups)
		return -ENOMEM;
	identity->nr_groups = 0;
	while ((word = strsep(&line, " \t\n")) && identity->nr_groups < NGROUPS_MAX) {
		if (*word)
			identity->groups[identity->nr_groups++] = strtoul(word, NULL, 10);
	}
	return 0;
}

/* The ids for file systems, which are the fourth ones */
static int parse_status(FILE *status, struct identity *identity)
{
	char *line = NULL;
	size_t size = 0;
	int found = 0, err = 0;
	unsigned long long caps;

	while (!err && getline(&line, &size, status) > 0) {
		if (sscanf(line, "Uid: %*u %*u %*u %u", &identity->uid) == 1 ||
		    sscanf(line, "Gid: %*u %*u %*u %u", &identity->gid) == 1) {
			found++;
		} else if (!strncmp(line, "Groups:", 7)) {
			err = parse_groups(line + 7, identity);
			found++;
		} else if (sscanf(line, "CapEff: %llx", &caps) == 1) {
			identity->caps = caps;
			identity->has_caps = true;
			found++;
		}
	}
	free(line);
	return err ?: found == 4 ? 0 : -EPROTO;
}

static int read_status(pid_t pid, struct identity *identity)
{
	char path[64];
	FILE *status;
	int err;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	status = fopen(path, "re");
	if (!status)
		return errno == ENOENT ? -ESRCH : -errno;
	err = parse_status(status, identity);
	fclose(status);
	return err;
}

/* Of cgroup v2 the line begins with "0::"; a machine without it has no rules about it */
static int read_cgroup(pid_t pid, struct identity *identity)
{
	char path[64], group[PATH_MAX] = "", line[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "0::/", 4))
			snprintf(group, sizeof(group), "%s", line + 4);
	}
	fclose(file);
	return access(CGROUPS "/cgroup.procs", F_OK) ? 0 : identity_cgroup(identity, group);
}

/**
 * identity_like - be what a process is: its user, groups, capabilities, cgroup and pid
 * namespace
 * @identity: from identity_own()
 * @pid: the process
 *
 * Return: DONE, or FAILED after reporting it
 */
int identity_like(struct identity *identity, pid_t pid)
{
	char path[64];
	int err;

	identity->given = true;
	err = read_status(pid, identity);
	if (!err) {
		snprintf(path, sizeof(path), "/proc/%d/ns/pid", pid);
		identity->pidns_fd = open(path, O_RDONLY | O_CLOEXEC);
		err = identity->pidns_fd < 0 ? -errno : 0;
	}
	if (!err)
		err = read_cgroup(pid, identity);
	if (err > 0)
		return err;
	if (err) {
		p_err(err, "cannot be what process %d is", pid);
		return FAILED;
	}
	return DONE;
}

/**
 * identity_cgroup - be in a cgroup
 * @identity: from identity_own()
 * @path: the cgroup; a relative one is below /sys/fs/cgroup
 *
 * Return: DONE, or FAILED after reporting it
 */
int identity_cgroup(struct identity *identity, const char *path)
{
	char procs[PATH_MAX];
	int fd;

	snprintf(procs, sizeof(procs), "%s%s/cgroup.procs", *path == '/' ? "" : CGROUPS "/", path);
	fd = open(procs, O_WRONLY | O_CLOEXEC);
	if (fd < 0) {
		p_err(-errno, "cannot use %s as a cgroup", path);
		return FAILED;
	}
	set_cgroup(identity, fd);
	return DONE;
}

static int set_caps(__u64 caps)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
	int i;

	if (syscall(SYS_capget, &header, data))
		return -errno;
	for (i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		data[i].permitted &= caps >> (32 * i);
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

/**
 * identity_assume - become what was asked for, which cannot be undone
 * @identity: who; its pid namespace has been entered by the parent
 *
 * Return: 0 or a negative errno, and then this process is half of one thing and half of
 * another, and must do nothing
 */
int identity_assume(const struct identity *identity)
{
	if (identity->cgroup_fd >= 0 && write(identity->cgroup_fd, "0", 1) != 1)
		return -errno;
	if (!identity->given)
		return 0;
	if (identity->has_caps && prctl(PR_SET_KEEPCAPS, 1))
		return -errno;
	if (setgroups(identity->nr_groups, identity->groups) ||
	    setresgid(identity->gid, identity->gid, identity->gid) ||
	    setresuid(identity->uid, identity->uid, identity->uid))
		return -errno;
	return identity->has_caps ? set_caps(identity->caps) : 0;
}

void identity_json(const struct identity *identity, struct json_object *obj)
{
	struct json_object *groups = json_object_new_array();
	size_t i;

	add_number(obj, "uid", identity->uid);
	add_number(obj, "gid", identity->gid);
	for (i = 0; i < identity->nr_groups; i++)
		json_object_array_add(groups, json_object_new_uint64(identity->groups[i]));
	json_object_object_add(obj, "groups", groups);
}
