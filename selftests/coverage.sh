#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# coverage.sh [NAME...]: run tests with the module that counts, and leave what it counted
# in build/coverage/counters. Runs in the guest. Tests that load the module by themselves
# are left out. Exit status of the tests.
set -u
cd "$(dirname "$0")/.." || exit 1

OUT=build/coverage/counters

umount /sys/fs/fuse_bpf/connections && rmmod fuse_bpf || exit 1
insmod build/coverage/fuse_bpf.ko && mount -t fusectl_bpf none /sys/fs/fuse_bpf/connections || exit 1
[ $# -gt 0 ] || set -- backed/ filter/ fault/ fuse/ oracle/ lib/ fuzz/ policy/ tool/ astack/ tierfs/
selftests/run.sh "$@"
status=$?
mkdir -p $OUT
cat /proc/fuse_bpf_gcda >"$OUT/$(cat /proc/sys/kernel/random/uuid)" || exit 1
exit $status
