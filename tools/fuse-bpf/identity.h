/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who asks: what "explain" and "test" let a process of their own be.
 */
#ifndef FUSE_BPF_IDENTITY_H
#define FUSE_BPF_IDENTITY_H

#include "main.h"

/**
 * struct identity - who a process is to be
 * @given: it is not simply the caller
 * @uid: user
 * @gid: group
 * @groups: supplementary groups
 * @nr_groups: number of @groups
 * @caps: effective capabilities, if @has_caps; else those that the user has or loses
 * @has_caps: see @caps
 * @cgroup_fd: its cgroup.procs, -1: where the caller is
 * @pidns_fd: pid namespace, -1: that of the caller
 */
struct identity {
	bool given;
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	size_t nr_groups;
	__u64 caps;
	bool has_caps;
	int cgroup_fd;
	int pidns_fd;
};

void identity_own(struct identity *identity);
int identity_user(struct identity *identity, const char *user, const char *group);
int identity_like(struct identity *identity, pid_t pid);
int identity_cgroup(struct identity *identity, const char *path);
int identity_assume(const struct identity *identity);
void identity_free(struct identity *identity);
void identity_json(const struct identity *identity, struct json_object *obj);

#endif
