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

# table LINE...: fuse-bpf test of these lines
table() {
	printf '%s\n' "$@" >"$TOP/table"
	fb test "$VIEW" "$TOP/table"
}

tables() {
	fails 2 "TABLE is missing" test "$VIEW" || return
	fails 1 "No such file" test "$VIEW" "$TOP/none" || return
	for line in "$ALICE read file" "read file = ok" "$ALICE read = ok" "nobody-there read file = ok" \
		"$ALICE unlink file = ok" "$ALICE nonsense file = ok" "$ALICE read file = EWHAT" \
		"$ALICE read /etc/passwd = ok" "$ALICE access:q file = ok" "$ALICE open:x file = ok" \
		"$ALICE read:r file = ok" "# nothing"; do
		table "$line"
		[ $status -eq 1 ] && [[ $out = '{"error":"'* ]] || { echo "# $line: $status, $out" && return 1; }
	done
	echo "$ALICE unlink file = ok" >"$TOP/table"
	fails 1 "that would be to do it" test "$VIEW" "$TOP/table" && [ -e "$BACK/file" ] || return

	policy '{ names = ".env"; action = "hide"; not_uid = 0; },
		{ under = "dir"; action = "read-only"; uid = '$ALICE'; },
		{ file = "file"; action = "deny"; error = "EPERM"; ops = "OPEN_READ"; uid = '$BOB'; }' || return
	table "# who, what, where" "" \
		"0 read .env = ok" \
		"root lookup $VIEW/dir/.env = ok" \
		"$ALICE lookup .env = hidden" \
		"$ALICE	read  dir/.env = ENOENT" \
		"$ALICE:0 dirent .env = ENOENT" \
		"$ALICE lookup new/.env = ENOENT" \
		"$ALICE read file = ok" \
		"$BOB read file = EPERM" \
		"$BOB getattr file = ok" \
		"$ALICE open:w dir/file = EROFS" \
		"$BOB open:w dir/file = ok" \
		"$BOB open:w dir/deep/file = EACCES" \
		"0 open:rw dir/file = ok" \
		"$ALICE access:w file = EACCES" \
		"$ALICE lookup closed/file = EACCES" \
		"0 lookup closed/file = ok" \
		"$ALICE read link/../../file = ok" \
		"$ALICE read link/file = ok" \
		"$ALICE lookup link = ok" \
		"$ALICE readlink link = ok" \
		"$ALICE readlink file = EINVAL" \
		"$ALICE lookup file/more = ENOTDIR" \
		"$ALICE opendir file = ENOTDIR" \
		"$ALICE read dir = EISDIR" \
		"$ALICE opendir dir = ok" \
		"$ALICE lookup .. = EXDEV" \
		"$ALICE read away/passwd = EXDEV" \
		"$ALICE getattr loop = ELOOP" \
		"$ALICE listxattr file = ok" \
		"$ALICE statfs . = ok" \
		"$ALICE getattr fifo = ok" \
		"$ALICE lookup $(printf 'l%.0s' {1..300}) = ENAMETOOLONG"
	is '[(r["line"], r["expected"], r["result"]) for r in d["results"] if not r["good"]]' '[]' || return
	[ $status -eq 0 ] && is 'd["passed"] == 32 and d["failed"] == 0' || return
	"$FB" test "$VIEW" - <"$TOP/table" | python3 -c '
import sys
lines = sys.stdin.read().splitlines()
assert lines[0] == "1..32" and len(lines) == 33
assert all(line.startswith(f"ok {i} - ") for i, line in enumerate(lines[1:], 1))' || return

	table "$ALICE lookup file = hidden" "$ALICE lookup .env = ok" "0 read .env = ok" "$ALICE lookup none = hidden"
	[ $status -eq 1 ] && is '[r["good"] for r in d["results"]]' '[False, False, True, True]' || return
	is '[r["result"] for r in d["results"]]' "['ok', 'ENOENT', 'ok', 'hidden']" || return
	"$FB" test "$VIEW" "$TOP/table" | grep -q '^not ok 2 - .* # it is ENOENT$' || return
	# What refuses to look a name up, but lists it, does not hide it
	policy '{ names = ".env"; action = "hide"; ops = "LOOKUP"; not_uid = 0; }' || return
	table "$ALICE lookup .env = hidden"
	[ $status -eq 1 ] && is 'd["results"][0]["result"]' ENOENT || return

	# A device is not opened, and a mount is tested by who may
	printf '%s\n' "$ALICE read fifo = ok" >"$TOP/table"
	fails 1 "opening anything else might do something" test "$VIEW" "$TOP/table" || return
	printf '%s\n' "$BOB read file = ok" >"$TOP/table"
	status=0
	out=$(as $ALICE "$FB" -j test "$VIEW" "$TOP/table") || status=$?
	[ $status -eq 1 ] && is '"run as root" in d["error"]'
}

lay_out
run tool.inspect.doctor doctor
run tool.inspect.tables tables
rm -rf "$TOP"
echo "1..$number"
exit $failed
