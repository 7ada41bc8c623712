#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Loading and unloading the module: a hundred times, each with a mount, leaves
# nothing behind; a module in use stays; a second one is refused.
set -u

KO=/src/build/module/fuse_bpf.ko
CYCLES=${CYCLES:-100}
CTL=/sys/fs/fuse_bpf/connections
work=/tmp/cycle
nr=0 bad=0

say() { echo "# $*"; }

# check NAME COMMAND...: one result line
check() {
	local name=$1

	shift
	nr=$((nr + 1))
	if "$@"; then
		echo "ok $nr $name"
	else
		echo "not ok $nr $name"
		bad=1
	fi
}

# Start from no module, whatever the guest's init has mounted of it.
unload_first() {
	umount $CTL 2>/dev/null
	rmmod fuse_bpf
}

# The mount(8) of util-linux opens no backing; a shell can.
mount_backed() {
	exec 9<"$work/back"
	mount -i -t fuse_bpf -o daemonless,backing=9 none "$work/mnt"
	local status=$?

	exec 9<&-
	return $status
}

cycle() {
	insmod $KO && mount_backed && [ "$(cat $work/mnt/file)" = text ] &&
		[ "$(ls $work/mnt)" = file ] && umount $work/mnt && rmmod fuse_bpf
}

# Kernel memory that could leak, in KiB, after everything unused is dropped: the
# least of some readings, because what is freed after a grace period is no leak.
memory() {
	for _ in 1 2 3 4 5 6; do
		sync
		echo 3 >/proc/sys/vm/drop_caches
		sleep 0.5
		awk '/^(Slab|Percpu):/ { sum += $2 } END { print sum }' /proc/meminfo
	done | sort -n | head -n1
}

# cycles N: so many of them
cycles() {
	local i

	for ((i = 0; i < $1; i++)); do
		cycle || { say "cycle $i failed"; return 1; }
	done
}

many_cycles() {
	cycles $((CYCLES / 2)) && before=$(memory) && cycles $((CYCLES / 2))
}

# The allocator's caches grow for some fifty cycles of any module, now and then for
# longer, and then stay; a leak of 3 KiB a cycle shows in any fifty.
no_growth() {
	local after grown half=$((CYCLES / 2))

	for _ in 1 2 3; do
		after=$(memory)
		grown=$((after - before))
		say "kernel memory: from $before to $after KiB in $half cycles: $grown KiB more"
		[ "$grown" -ge $((half * 3)) ] || return 0
		before=$after
		cycles "$half" || return
	done
	return 1
}

nothing_left() {
	local left=0

	if grep fuse_bpf /proc/filesystems; then left=1; fi
	if ls /dev/fuse_bpf 2>/dev/null; then left=1; fi
	if grep -E '^fuse_bpf' /proc/slabinfo; then left=1; fi
	if ls -d /sys/fs/fuse_bpf /proc/sys/fs/fuse_bpf /sys/module/fuse_bpf \
		/sys/class/misc/fuse_bpf /sys/kernel/tracing/events/fuse_bpf 2>/dev/null; then left=1; fi
	if grep fuse_bpf /proc/kallsyms /proc/misc; then left=1; fi
	[ $left -eq 0 ]
}

busy_while_mounted() {
	insmod $KO && mount_backed || return 1
	if rmmod fuse_bpf 2>/dev/null; then say "it went away under a mount"; return 1; fi
	[ "$(cat $work/mnt/file)" = text ]
}

busy_while_open() {
	exec 8<"$work/mnt/file"
	umount -l "$work/mnt"
	if rmmod fuse_bpf 2>/dev/null; then say "it went away under an open file"; return 1; fi
	[ "$(cat <&8)" = text ] || return 1
	exec 8<&-
	rmmod fuse_bpf
}

busy_while_device_open() {
	insmod $KO || return 1
	exec 8<>/dev/fuse_bpf
	if rmmod fuse_bpf 2>/dev/null; then say "it went away under an open device"; return 1; fi
	exec 8<&-
	rmmod fuse_bpf
}

second_is_refused() {
	insmod $KO || return 1
	insmod $KO 2>&1 | grep -q 'File exists'
}

# The kernel's own FUSE is none of our business.
own_fuse_is_there() {
	grep -qw fuse /proc/filesystems && [ -e /dev/fuse ] && [ -d /sys/fs/fuse/connections ]
}

mkdir -p $work/back $work/mnt
echo text >$work/back/file
before=0

echo "1..8"
unload_first
check "cycle.many_cycles" many_cycles
check "cycle.nothing_left" nothing_left
check "cycle.no_growth" no_growth
check "cycle.busy_while_mounted" busy_while_mounted
check "cycle.busy_while_open" busy_while_open
check "cycle.busy_while_device_open" busy_while_device_open
check "cycle.second_is_refused" second_is_refused
check "cycle.own_fuse_is_there" own_fuse_is_there

# As the guest's init had left it
[ -d /sys/module/fuse_bpf ] || insmod $KO
[ ! -d $CTL ] || mount -t fusectl_bpf none $CTL
exit $bad
