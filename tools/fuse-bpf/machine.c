// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel and the machine have.
 */
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "machine.h"

#define LEFT_OUT "the kernel's FUSE was built without it"

const struct kernel_feature kernel_features[] = {
	{ FUSE_BPF_BACKED_ROOT, "backed_root", LEFT_OUT },
	{ FUSE_BPF_DAEMONLESS, "daemonless", LEFT_OUT },
	{ FUSE_BPF_BACKING_IDS, "backing_ids", LEFT_OUT },
	{ FUSE_BPF_FILTERS, "filters", LEFT_OUT },
	{ FUSE_BPF_FILTER_PLAIN, "filter_plain", "filters are for backed mounts only" },
	{ FUSE_BPF_FILTER_DIRS, "filter_dirs", "filters are for whole mounts only" },
	{ FUSE_BPF_FILTER_ASKS, "filter_asks", "filters cannot have the daemon asked" },
	{ FUSE_BPF_FILTER_REPLIES, "filter_replies", "replies cannot name filters" },
};

const size_t nr_kernel_features = ARRAY_SIZE(kernel_features);

/* feature_reason - why a kernel that answers does not have it */
const char *feature_reason(const struct kernel_feature *feature)
{
	if (feature->bit == FUSE_BPF_FILTERS && !kernel_has_ops())
		return "the kernel has no BTF for them";
	return feature->without;
}

/* has_capability - is it among the effective ones of this process? */
bool has_capability(int capability)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};

	if (syscall(SYS_capget, &header, data))
		return false;
	return data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability);
}

/* read_line - the first line of a file, without its end; false if there is none */
bool read_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "re");
	bool good = file && fgets(line, size, file);

	if (good)
		line[strcspn(line, "\n")] = '\0';
	if (file)
		fclose(file);
	return good;
}
