#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The commands that look and change nothing: doctor, test, explain, trace, inodes.
set -u
cd "$(dirname "$0")/../.." || exit 1
. selftests/harness/command.sh

BPF=$PWD/build/bpf
TOP=$(mktemp -d /tmp/inspect-XXXXXX)
chmod 755 "$TOP"
VIEW=$TOP/view BACK=$TOP/back
ALICE=1000 BOB=1001
number=0 failed=0

as() { setpriv --reuid="$1" --regid="$1" --clear-groups -- "${@:2}"; }
policy() { printf 'rules = ( %s );' "$1" >"$TOP/policy.conf" && ok policy load "$VIEW" "$TOP/policy.conf"; }

lay_out() {
	mkdir -p "$VIEW" "$BACK/dir/deep" "$BACK/closed"
	for name in .env file dir/.env dir/file dir/deep/file closed/file; do
		echo 0123456789 >"$BACK/$name"
	done
	chmod 700 "$BACK/closed" && chmod a+w "$BACK/dir/file"
	ln -s dir/deep "$BACK/link"
	ln -s /etc "$BACK/away"
	ln -s loop "$BACK/loop"
	mkfifo "$BACK/fifo"
}

# run NAME FUNCTION: on a mount that all may use
run() {
	local good=0

	number=$((number + 1))
	ok mount "$BACK" "$VIEW" allow_other && "$2" || good=1
	ok umount "$VIEW" || good=1
	[ $good -eq 0 ] && echo "ok $number $1" || { failed=1 && echo "not ok $number $1"; }
}

# check NAME: the state that doctor found
check() { is "next(c['state'] for c in d['checks'] if c['check'] == '$1')" "$2"; }

# without COMMAND: doctor, after COMMAND has taken something away from it alone
without() {
	status=0
	out=$(unshare -m sh -c "$1"' && exec "$0" -j doctor' "$FB" 2>"$TOP/stderr") || status=$?
}

doctor() {
	fails 2 "one word too many" doctor more || return
	ok doctor && is 'd["usable"] and all(c["remedy"] is None for c in d["checks"] if c["state"] == "yes")' || return
	is '[c["check"] for c in d["checks"] if c["essential"] and c["state"] != "yes"]' '[]' || return
	for name in decisions fusectl cgroup2 bpf_fs filter_dirs daemonless; do
		check $name yes || return
	done
	"$FB" doctor | grep -q '^Mounts with filters work here' || return

	without "umount /sys/fs/cgroup" && [ $status -eq 0 ] && check cgroup2 no || return
	is 'any("mount -t cgroup2" in str(c["remedy"]) for c in d["checks"])' || return
	without "umount -a -t fusectl,fusectl_bpf" && [ $status -eq 0 ] && check fusectl no || return
	without "mount -t tmpfs none /dev" && [ $status -eq 1 ] && is 'd["usable"]' False || return
	check fuse no && check device no && check filters no || return
	without "mount -t tmpfs none /sys/kernel/btf" && [ $status -eq 1 ] && check btf_kernel no &&
		check btf_filters no && check decisions no || return

	status=0
	out=$(as $ALICE "$FB" -j doctor) || status=$?
	[ $status -eq 1 ] && check privilege no && check bpf no && is '"CAP_SYS_ADMIN" in str(d)'
}

lay_out
run tool.inspect.doctor doctor
rm -rf "$TOP"
echo "1..$number"
exit $failed
