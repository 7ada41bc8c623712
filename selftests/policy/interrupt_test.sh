#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What goes wrong while a mount with a policy is made, or a policy is loaded: the user
# interrupts it, at any time; the text, the tree, the user or the kernel is not what is
# needed. One sentence, the exit status, nothing half done.
#
# POINTS=N in the environment interrupts at so many times, from the beginning to the end.
set -u
cd "$(dirname "$0")/../.." || exit 1
. selftests/harness/command.sh

PINS=/sys/fs/bpf/fuse-bpf
TOP=$(mktemp -d /tmp/interrupt-XXXXXX)
chmod 755 "$TOP"
VIEW=$TOP/view BACK=$TOP/back
POINTS=${POINTS:-3}
number=0 failed=0

run() {
	local good=0

	number=$((number + 1))
	"$2" || good=1
	! mountpoint -q "$VIEW" || { umount "$VIEW" && good=1; }
	rm -f $PINS/*
	[ $good -eq 0 ] && echo "ok $number $1" || { failed=1 && echo "not ok $number $1"; }
}

links() { bpftool -j link show | grep -o struct_ops | wc -l; }

# Neither a mount nor a pin; what the command held goes when it has ended
nothing_left() {
	local i

	! mountpoint -q "$VIEW" && [ -z "$(ls $PINS 2>/dev/null)" ] || { echo "# left: $(ls $PINS)" && return 1; }
	for ((i = 0; i < 600; i++)); do
		[ "$(links)" -ne 0 ] || return 0
		sleep 0.1
	done
	echo "# left: $(links) links" && return 1
}

# The policy of the mount hides a name and keeps a subtree from changes
in_force() { [ ! -e "$VIEW/.env" ] && [ -e "$VIEW/file" ] && ! touch "$VIEW/dir/new" 2>/dev/null; }

# interrupted MICROSECONDS WORD...: the command, with SIGINT after so long; sets $status
interrupted() {
	status=0
	timeout --foreground --preserve-status -s INT "$(($1 / 1000000)).$(printf %06d $(($1 % 1000000)))" \
		"$FB" -j "${@:2}" >"$TOP/out" 2>"$TOP/stderr" || status=$?
	out=$(cat "$TOP/out")
}

# taking WORD...: sets $micro to how long the command takes if it is left alone
taking() {
	local begin=${EPOCHREALTIME/./}

	ok "$@" && micro=$((${EPOCHREALTIME/./} - begin))
}

# Either it was too early to be caught, or it says so, or it was too late to be undone
mounts() {
	interrupted "$1" mount "$BACK" "$VIEW" policy "$TOP/policy.conf"
	case $status in
	0) in_force && ok umount "$VIEW" ;;
	1) [[ $out = *'interrupted, and nothing was changed'* ]] && [ ! -s "$TOP/stderr" ] ;;
	130) [ -z "$out" ] ;;
	*) false ;;
	esac && nothing_left || { echo "# after $1 us: exit $status, $out" && return 1; }
}

mounting() {
	local micro i said=0

	taking mount "$BACK" "$VIEW" policy "$TOP/policy.conf" && in_force && ok umount "$VIEW" && nothing_left || return
	for ((i = 1; i <= POINTS; i++)); do
		mounts $((micro * i / (POINTS + 1))) || return
		[ $status -ne 1 ] || said=$((said + 1))
	done
	[ $said -gt 0 ]
}

loading() {
	local micro i said=0

	printf 'rules = ( { names = "file"; action = "hide"; ops = "lookup"; } );' >"$TOP/other.conf"
	ok mount "$BACK" "$VIEW" policy "$TOP/policy.conf" || return
	taking policy load "$VIEW" "$TOP/policy.conf" && in_force || return
	for ((i = 1; i <= POINTS; i++)); do
		interrupted $((micro * i / (POINTS + 1))) policy load "$VIEW" "$TOP/other.conf"
		if [ $status -eq 0 ]; then
			[ -e "$VIEW/.env" ] && [ ! -e "$VIEW/file" ] && ok policy load "$VIEW" "$TOP/policy.conf" || return
		else
			[ $status -eq 130 ] || [[ $out = *'interrupted, and nothing was changed'* ]] || return
			in_force && said=$((said + 1)) || return
		fi
	done
	[ $said -gt 0 ] && ok ls "$VIEW" && is 'len(d[0]["filters"])' 2 || return
	[ "$(ls $PINS | wc -l)" -eq 2 ] && ok umount "$VIEW" && nothing_left
}

# mount_fails STATUS TEXT WORD...: one sentence, with reasons below it, and nothing is left
mount_fails() {
	status=0
	"$FB" mount "${@:3}" >"$TOP/out" 2>"$TOP/stderr" || status=$?
	[ $status -eq "$1" ] && [ ! -s "$TOP/out" ] && grep -qF -- "$2" "$TOP/stderr" &&
		[ "$(grep -vc '^  ' "$TOP/stderr")" -eq 1 ] && grep -q '^Error: ' "$TOP/stderr" ||
		{ echo "# ${*:3}: exit $status, $(cat "$TOP/stderr")" && return 1; }
	nothing_left
}

# refused TEXT: the command has ended with one sentence that has TEXT in it
refused() {
	[ $status -eq 1 ] && [[ $out = '{"error":"'*"$1"* ]] || { echo "# exit $status, not '$1': $out" && return 1; }
}

bad_policies() {
	local words text

	while IFS='|' read -r words text; do
		printf 'rules = ( %s );' "$text" >"$TOP/bad.conf"
		mount_fails 1 "$words" "$BACK" "$VIEW" policy "$TOP/bad.conf" || return
	done <<-'END'
	there is no key 'nmaes'|{ nmaes = "x"; action = "hide"; }
	ends within|{ names = "[a"; action = "hide"; }
	never decides|{ names = "a"; action = "hide"; }, { names = "a"; action = "allow"; ops = ["lookup", "list", "create"]; }
	has no rules|
	cannot find the file missing|{ file = "missing"; action = "hide"; ops = "lookup"; }
	missing|{ names = "a"; action = "hide"; ops = "lookup"; }, { under = "missing"; action = "deny"; ops = "CREATE"; }
	file|{ names = "a"; action = "hide"; ops = "lookup"; }, { under = "file"; action = "deny"; ops = "CREATE"; }
	there is no cgroup|{ names = "a"; action = "hide"; cgroup = "nowhere"; }
	END
	mount_fails 1 "No such file" "$BACK" "$VIEW" policy "$TOP/none" || return
	mount_fails 1 "" "$BACK" "$VIEW" policy "$TOP" || return
	mount_fails 2 "FILE is missing" "$BACK" "$VIEW" filter
}

# as_root_without CAPABILITY WORD...: what the command says; sets $out and $status
as_root_without() {
	status=0
	out=$(setpriv --bounding-set="-${1//,/,-}" --inh-caps="-${1//,/,-}" -- "$FB" -j "${@:2}" 2>"$TOP/stderr") || status=$?
}

bad_places() {
	local cap

	mount_fails 1 "No such file" "$TOP/none" "$VIEW" policy "$TOP/policy.conf" || return
	mount_fails 1 "Not a directory" "$BACK/file" "$VIEW" policy "$TOP/policy.conf" || return
	mount_fails 1 "cannot mount on $VIEW/none" "$BACK" "$VIEW/none" policy "$TOP/policy.conf" || return
	mount_fails 1 "cannot mount on $BACK/file" "$BACK" "$BACK/file" policy "$TOP/policy.conf" || return
	# A tree that the one who mounts cannot read
	mkdir -p "$TOP/closed" && chown 1000 "$TOP/closed" && chmod 700 "$TOP/closed" || return
	as_root_without dac_override,dac_read_search mount "$TOP/closed" "$VIEW"
	refused "Permission denied" && nothing_left || return
	for cap in sys_admin bpf,sys_admin; do
		as_root_without $cap mount "$BACK" "$VIEW" policy "$TOP/policy.conf"
		refused CAP_ && nothing_left || return
	done
	ok mount "$BACK" "$VIEW" policy "$TOP/policy.conf" || return
	as_root_without sys_admin,bpf,perfmon policy load "$VIEW" "$TOP/policy.conf"
	refused CAP_ && in_force && ok umount "$VIEW" && nothing_left
}

# without COMMAND WORD...: the command, after COMMAND has taken something away from it alone
without() {
	status=0
	out=$(unshare -m sh -c "$1"' && exec "$@"' sh "$FB" -j "${@:2}" 2>"$TOP/stderr") || status=$?
}

no_btf() {
	# What libbpf takes in its place is in the packages of the kernel
	local gone="mount -t tmpfs none /sys/kernel/btf && mount -t tmpfs none /lib/modules"

	without "$gone" mount "$BACK" "$VIEW" policy "$TOP/policy.conf"
	refused "shows no BTF in /sys/kernel/btf" && nothing_left || return
	without "$gone" mount "$BACK" "$VIEW" filter build/bpf/hide.bpf.o
	refused "shows no BTF in /sys/kernel/btf" && nothing_left || return
	ok mount "$BACK" "$VIEW" policy "$TOP/policy.conf" || return
	without "$gone" policy load "$VIEW" "$TOP/policy.conf"
	refused "" && in_force && ok umount "$VIEW"
}

mkdir -p "$VIEW" "$BACK/dir"
touch "$BACK/.env" "$BACK/file"
# For few requests, as it is the programs that take time to load
printf 'rules = ( { names = [".env", "*.pem"]; action = "hide"; ops = "lookup"; },
	{ under = "dir"; action = "deny"; ops = "CREATE"; } );' \
	>"$TOP/policy.conf"
mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
run policy.interrupt.mounting mounting
run policy.interrupt.loading loading
run policy.interrupt.bad_policies bad_policies
run policy.interrupt.bad_places bad_places
run policy.interrupt.no_btf no_btf
rm -rf "$TOP"
echo "1..$number"
exit $failed
