// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the running kernel tells of its types, and the module of its own.
 */
#include <bpf/btf.h>
#include <string.h>

#include "main.h"

/* kernel_btf_load - to be freed with kernel_btf_free(), also if there is none */
void kernel_btf_load(struct kernel_btf *btf)
{
	struct btf *module = NULL;

	btf->base = btf__load_vmlinux_btf();
	if (btf->base)
		module = btf__load_module_btf(fuse_bpf_fs_type(FUSE_BPF_MODULE), btf->base);
	btf->all = module ?: btf->base;
}

void kernel_btf_free(struct kernel_btf *btf)
{
	if (btf->all != btf->base)
		btf__free(btf->all);
	btf__free(btf->base);
	memset(btf, 0, sizeof(*btf));
}

/* kernel_has_type - does the running kernel know a type, of BTF_KIND_*? */
bool kernel_has_type(const char *name, __u32 kind)
{
	struct kernel_btf btf;
	bool has;

	kernel_btf_load(&btf);
	has = btf.all && btf__find_by_name_kind(btf.all, name, kind) > 0;
	kernel_btf_free(&btf);
	return has;
}

/* kernel_has_ops - does the running kernel know the type of filters? */
bool kernel_has_ops(void)
{
	return kernel_has_type(OPS_TYPE, BTF_KIND_STRUCT);
}

/* kernel_lacks_ops - what filters need and this kernel does not have, or NULL */
const char *kernel_lacks_ops(void)
{
	struct kernel_btf btf;
	bool none;

	if (kernel_has_ops())
		return NULL;
	kernel_btf_load(&btf);
	none = !btf.all;
	kernel_btf_free(&btf);
	return none ? "this kernel shows no BTF in /sys/kernel/btf, which filters cannot do without" :
		      "this kernel's BTF has no struct " OPS_TYPE
		      "; load the module fuse_bpf or boot a kernel with FUSE filters";
}

/* kernel_has_decisions - does it tell what filters decide, by a trace event? */
bool kernel_has_decisions(void)
{
	return kernel_has_type("btf_trace_fuse_filter", BTF_KIND_TYPEDEF);
}
