#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vmlinux_test.sh: the header for authors of filters stands beside a vmlinux.h that
# does not know of filters, as where FUSE is a module, beside one that does, and beside
# the kernel's own headers: the same source builds with each, and loads.
set -u

case ${FLAVOUR:-module} in
debug) own=vmlinux ;;
*) own=fuse_bpf ;;
esac
work=$(mktemp -d /tmp/vmlinux-XXXXXX)
pins=/sys/fs/bpf/vmlinux-test
multiarch=$(gcc -print-multiarch)
nr=0 bad=0

# check NAME COMMAND...: one result line, and what the command said if it failed
check() {
	local name=$1

	shift
	nr=$((nr + 1))
	if "$@" >"$work/log" 2>&1; then
		echo "ok $nr $name"
	else
		bad=1
		echo "not ok $nr $name"
		tail -n 20 "$work/log" | sed 's/^/# /'
	fi
}

# types NAME: a vmlinux.h of the BTF of that name
types() {
	mkdir -p "$work/$1"
	bpftool btf dump file "/sys/kernel/btf/$1" format c >"$work/$1/vmlinux.h"
}

# build SOURCE OPTIONS...: an object of a filter
build() {
	local source=$1

	shift
	clang -target bpf -mcpu=v3 -g -O2 -Wall -Werror -Wno-unused-function \
		-fms-extensions -Wno-microsoft-anon-tag "$@" \
		-I/src/bpf/include -I/src/selftests/progs -idirafter "/usr/include/$multiarch" \
		-c "$source" -o "$work/filter.bpf.o"
}

load() {
	mkdir -p "$pins"
	bpftool prog loadall "$work/filter.bpf.o" "$pins"
	local status=$?

	rm -rf "$pins"
	return $status
}

# try NAME OPTIONS...: build and load what uses all there is
try() {
	local name=$1

	shift
	check "builds $name" build /src/selftests/progs/recorder.bpf.c "$@"
	check "loads when built $name" load
}

mount -t bpf bpf /sys/fs/bpf 2>/dev/null
echo "TAP version 13"
check "types of the kernel" types vmlinux
check "types of what has filters" types $own
check "which are there" grep -q '^struct fuse_filter_ops {' "$work/$own/vmlinux.h"
try "with the types of the kernel" -include "$work/vmlinux/vmlinux.h"
try "with the types of what has filters" -include "$work/$own/vmlinux.h"
# That header takes its types from libc, which has none for a machine called bpf
try "with <linux/fuse.h>" "-D__$(uname -m)__" -include linux/fuse.h
try "with <linux/fuse_bpf.h>" -I/src/kernel/files/include/uapi -include linux/fuse_bpf.h
echo "1..$nr"
rm -rf "$work"
exit $bad
