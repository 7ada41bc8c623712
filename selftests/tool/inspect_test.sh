#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The commands that look and change nothing: doctor, test, explain, trace, inodes.
set -u
cd "$(dirname "$0")/../.." || exit 1
. selftests/harness/plain.sh
. selftests/harness/command.sh

BPF=$PWD/build/bpf
TOP=$(mktemp -d /tmp/inspect-XXXXXX)
chmod 755 "$TOP"
VIEW=$TOP/view OTHER=$TOP/other BACK=$TOP/back
GROUP=/sys/fs/cgroup/inspect
ALICE=1000 BOB=1001
number=0 failed=0

as() { setpriv --reuid="$1" --regid="$1" --clear-groups -- "${@:2}"; }
policy() { printf 'rules = ( %s );' "$1" >"$TOP/policy.conf" && ok policy load "$VIEW" "$TOP/policy.conf"; }

lay_out() {
	mkdir -p "$VIEW" "$OTHER" "$BACK/dir/deep" "$BACK/closed"
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

# state_is NAME STATE: the state that doctor found
state_is() { is "next(c['state'] for c in d['checks'] if c['check'] == '$1')" "$2"; }

# without COMMAND WORD...: the command, after COMMAND has taken something away from it alone
without() {
	status=0
	out=$(unshare -m sh -c "$1"' && exec "$@"' sh "$FB" -j "${@:2}" 2>"$TOP/stderr") || status=$?
}

doctor() {
	fails 2 "one word too many" doctor more || return
	ok doctor && is 'd["usable"] and all(c["remedy"] is None for c in d["checks"] if c["state"] == "yes")' || return
	is '[c["check"] for c in d["checks"] if c["essential"] and c["state"] != "yes"]' '[]' || return
	for name in decisions fusectl cgroup2 bpf_fs filter_dirs daemonless; do
		state_is $name yes || return
	done
	"$FB" doctor | grep -q '^Mounts with filters work here' || return

	without "umount /sys/fs/cgroup" doctor && [ $status -eq 0 ] && state_is cgroup2 no || return
	is 'any("mount -t cgroup2" in str(c["remedy"]) for c in d["checks"])' || return
	without "umount -a -t fusectl,fusectl_bpf" doctor && [ $status -eq 0 ] && state_is fusectl no || return
	without "mount -t tmpfs none /dev" doctor && [ $status -eq 1 ] && is 'd["usable"]' False || return
	state_is fuse no && state_is device no && state_is filters no || return
	without "mount -t tmpfs none /sys/kernel/btf" doctor && [ $status -eq 1 ] && state_is btf_kernel no &&
		state_is btf_filters no && state_is decisions no || return

	status=0
	out=$(as $ALICE "$FB" -j doctor) || status=$?
	[ $status -eq 1 ] && state_is privilege no && state_is bpf no && is '"CAP_SYS_ADMIN" in str(d)'
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
		"0   read   .env   =   ok  " \
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

# answered RESULT BY: what the explanation comes to
answered() { is '(d["result"], d["answered_by"], d["lost"])' "('$1', '$2', 0)"; }

# explains RESULT BY WORD...: an explanation on the mount
explains() { ok explain "$VIEW" "${@:3}" && answered "$1" "$2"; }

# The rules that decided the last decision of the last step, by line
lines() { is '[r["line"] for r in d["steps"][-1]["decisions"][-1]["rules"]]' "$1"; }

RULES='{ names = ".env"; action = "hide"; not_uid = 0; label = "secrets"; },
	{ under = "dir"; action = "read-only"; uid = '$ALICE'; },
	{ names = "file"; action = "hide"; cgroup = "inspect"; }'

explaining() {
	local before

	fails 2 "PATH is missing" explain "$VIEW" || return
	fails 2 "is not below" explain "$VIEW" /etc/passwd || return
	fails 2 "pid excludes uid" explain "$VIEW" file pid 1 uid 0 || return
	fails 2 "there is no user" explain "$VIEW" file uid nobody-there || return
	fails 2 "that would be to do it" explain "$VIEW" file op unlink || return
	fails 1 "No such process" explain "$VIEW" file pid 4194303 || return
	fails 1 "as a cgroup" explain "$VIEW" file cgroup nowhere || return
	fails 1 "opening anything else might do something" explain "$VIEW" fifo op open || return
	explains ok backing file && is 'd["rules_told"]' False || return

	mkdir $GROUP && policy "$RULES" || return
	before=$(stat -c '%Y %Z %s' "$BACK/dir/file")
	explains ENOENT filter dir/.env uid $ALICE && lines '[1]' || return
	is '[(s["name"], s["result"]) for s in d["steps"]]' "[('dir', 'ok'), ('.env', 'ENOENT')]" || return
	is 'd["steps"][0]["inode"]' "$(stat -c %i "$BACK/dir")" || return
	is 'd["steps"][1]["decisions"][-1]["attached_to"]' mount || return
	explains ok backing dir/.env || return
	explains EROFS filter dir/file uid $ALICE op open:w && lines '[2]' || return
	is 'd["steps"][-1]["decisions"][-1]["attached_to"]' 'directory dir' || return
	[ "$(stat -c '%Y %Z %s' "$BACK/dir/file")" = "$before" ] || return
	explains ok backing dir/file uid $ALICE op read && explains ok backing link/file uid $ALICE op getattr || return
	is '[s["name"] for s in d["steps"]]' "['link', 'link ->', 'dir', 'deep', 'file', 'GETATTR']" || return
	explains ENOENT filter dir/.env uid $ALICE op dirent && lines '[1]' || return
	is '[x["name"] for s in d["steps"] for x in s["decisions"] if x["opcode"] == "DIRENT"]' "['.env']" || return
	explains EACCES backing closed/file uid $ALICE && explains EXDEV path away/passwd || return
	explains ok backing file && explains ENOENT filter file cgroup inspect && lines '[3]' || return
	"$FB" explain "$VIEW" dir/.env uid $ALICE | grep -q "rule 0 in line 1: secrets" || return
	# It is over: nobody is watched any more
	ok policy show "$VIEW" && is 'd["lost_events"]' 0
}

# like COMMAND...: the process whose like is explained; sets $pid
like() {
	"$@" sleep 1000 &
	pid=$!
	until grep -q sleep /proc/$pid/comm; do sleep 0.1; done
}

processes() {
	local pid good=0

	policy "$RULES" || return
	like setpriv --reuid=$ALICE --regid=$ALICE --groups=$BOB --
	echo $pid >$GROUP/cgroup.procs && explains ENOENT filter file pid $pid && lines '[3]' || good=1
	is '(d["uid"], d["gid"], d["groups"])' "($ALICE, $ALICE, [$BOB])" || good=1
	kill $pid
	# Root without its capabilities is nobody special
	install -m 600 -o $BOB /dev/null "$BACK/bobs" && explains ok backing bobs op open || good=1
	like setpriv --bounding-set=-all --inh-caps=-all --
	explains EACCES backing bobs op open pid $pid || good=1
	kill $pid
	wait 2>/dev/null
	until rmdir $GROUP 2>/dev/null; do sleep 0.1; done
	return $good
}

other_answers() {
	local limit good=0

	ok mount "$BACK" "$OTHER" && ok explain "$OTHER" file uid $ALICE && answered EACCES mount || good=1
	ok umount "$OTHER" || good=1
	limit=$(echo /sys/fs/fuse*/connections/"$(mountpoint -d "$VIEW" | sed 's/.*://')"/max_backing_files)
	# The command has the mount's root open too
	echo 2 >"$limit" && exec 7<"$VIEW/file" || good=1
	explains ENFILE kernel dir/file op open && is '"files" in d["reason"]' || good=1
	exec 7<&-
	plain_mount "$BACK" "$OTHER" && ok explain "$OTHER" file op read && answered ok daemon || good=1
	ok attach "$OTHER" obj "$BPF/hide.bpf.o" set hide_names file || good=1
	ok explain "$OTHER" file op read && answered ENOENT filter || good=1
	ok umount "$OTHER" && wait "$plain_pid" || good=1
	return $good
}

# Several at once: each comes to the right result, whoever is told of the rules
explaining_at_once() {
	local i pids=() bad=0

	policy "${RULES%,*}" || return
	for i in {1..4}; do
		"$FB" -j explain "$VIEW" .env uid $ALICE >"$TOP/at-once-$i" &
		pids+=($!)
	done
	for i in {1..4}; do
		wait "${pids[i - 1]}" && out=$(cat "$TOP/at-once-$i") && answered ENOENT filter || bad=1
	done
	explains ENOENT filter .env uid $ALICE && lines '[1]' || bad=1
	return $bad
}

# traces WORD... -- COMMAND...: trace with these words until it ends, while the command
# is run again and again; sets $out to a list of what it printed
traces() {
	local words=() pid

	while [ "$1" != -- ]; do words+=("$1") && shift; done
	shift
	"$FB" -j trace "${words[@]}" >"$TOP/trace" 2>"$TOP/stderr" &
	pid=$!
	for _ in {1..600}; do
		"$@" >"$TOP/stdout" 2>&1
		kill -0 $pid 2>/dev/null || break
		sleep 0.1
	done
	wait $pid && [ ! -s "$TOP/stderr" ] && out="[$(paste -sd, "$TOP/trace")]"
}

seen_by() { as "$1" cat "$VIEW/dir/file" "$VIEW/.env" "$VIEW/f"$'\n'"g"; }
both() { seen_by $ALICE; seen_by $BOB; }

tracing() {
	local pid limit

	fails 2 "MOUNTPOINT or 'all' is missing" trace || return
	fails 2 "no opcode 'nonsense'" trace "$VIEW" op nonsense || return
	fails 2 "'nonsense' is not expected" trace "$VIEW" verdict nonsense || return
	fails 2 "is no number" trace "$VIEW" count many || return
	fails 2 "longer than any name" trace "$VIEW" name "$(printf 'l%.0s' {1..256})" || return
	fails 1 "is on no FUSE mount" trace "$BACK" || return
	policy "${RULES%,*}" || return

	traces "$VIEW" verdict refused uid $ALICE count 2 -- both || return
	is '[(x["opcode"], x["name"], x["uid"], x["errno"]) for x in d[:-1]]' \
		"[('LOOKUP', '.env', $ALICE, 'ENOENT'), ('LOOKUP', '.env', $ALICE, 'ENOENT')]" || return
	is 'd[-1]' "{'decisions': 2, 'lost': 0}" || return
	traces all op lookup name dir count 1 -- both && is '(d[0]["name"], d[0]["errno"], d[0]["dev"])' \
		"('dir', None, '$(mountpoint -d "$VIEW")')" || return
	traces "$VIEW" name '*en[uv]' uid $BOB count 1 -- both && is '(d[0]["name"], d[0]["uid"])' "('.env', $BOB)" ||
		return
	traces "$VIEW" name f* count 1 -- both && is 'd[0]["name"] in ("file", "f\ng")' || return
	limit=$(echo /sys/fs/fuse*/connections/"$(mountpoint -d "$VIEW" | sed 's/.*://')"/max_backing_files)
	echo 1 >"$limit" && exec 7<"$VIEW/file" || return
	traces all op open verdict refused count 1 -- seen_by 0 && is '(d[0]["phase"], d[0]["verdict"])' \
		"('kernel', 'ENFILE (files)')" || return
	exec 7<&-
	echo 0 >"$limit"

	# A name cannot forge a line, and whoever interrupts it gets the count
	"$FB" trace "$VIEW" op lookup name f* >"$TOP/trace" &
	pid=$!
	for _ in {1..600}; do
		both >"$TOP/stdout" 2>&1
		! grep -qF "'f\\012g'" "$TOP/trace" || break
		sleep 0.1
	done
	kill -INT $pid
	wait $pid && grep -q ' decisions, 0 lost$' "$TOP/trace" && ! grep -q "^g'" "$TOP/trace"
}

holders() {
	local pid good=0

	fails 2 "MOUNTPOINT is missing" inodes || return
	fails 1 "is on no FUSE mount" inodes "$BACK" || return
	mv "$BACK/dir/deep/file" "$BACK/dir/deep/ö a"
	hold() { exec sleep 1000; }
	hold 7<"$VIEW/dir/deep/ö a" 8<>"$VIEW/dir/file" 9<"$BACK/file" &
	pid=$!
	until grep -q sleep /proc/$pid/comm; do sleep 0.1; done
	rm "$BACK/dir/file"
	ok inodes "$VIEW" || good=1
	is '(d["backings"][0]["id"], d["backings"][0]["path"], d["backing_files"])' "(0, '$BACK', 2)" || good=1
	is '[(f["pid"], f["comm"], f["fd"], f["mode"], f["backing"]) for f in sorted(d["files"], key=lambda f: f["fd"])]' \
		"[($pid, 'sleep', 7, 'r', '$BACK/dir/deep/ö a'), ($pid, 'sleep', 8, 'rw', None)]" || good=1
	"$FB" inodes "$VIEW" | grep -q "^$pid .* 7 r .* $VIEW/dir/deep/ö a -> $BACK/dir/deep/ö a$" || good=1
	kill $pid && wait $pid 2>/dev/null
	ok inodes "$VIEW" && is '(d["files"], d["backing_files"])' '([], 0)' || good=1
	# Nobody is asked whose daemon may hang
	plain_mount "$BACK" "$OTHER" || return
	hold 7<"$OTHER/file" &
	pid=$!
	until grep -q sleep /proc/$pid/comm; do sleep 0.1; done
	kill -STOP "$plain_pid"
	ok inodes "$VIEW" && is 'd["files"]' '[]' || good=1
	kill -CONT "$plain_pid"
	kill $pid && wait $pid 2>/dev/null
	ok umount "$OTHER" && wait "$plain_pid" || good=1
	without "umount -a -t fusectl,fusectl_bpf" inodes "$VIEW"
	[ $status -eq 1 ] && is '"control file system is not mounted" in d["error"]' || good=1
	return $good
}

lay_out
run tool.inspect.doctor doctor
run tool.inspect.other_answers other_answers
# These try the command, which is no other one on the debug kernel, and slow there
if [ "${FLAVOUR:-module}" != debug ]; then
	run tool.inspect.tables tables
	run tool.inspect.explaining explaining
	run tool.inspect.processes processes
	run tool.inspect.explaining_at_once explaining_at_once
	run tool.inspect.tracing tracing
fi
run tool.inspect.holders holders
rm -rf "$TOP"
echo "1..$number"
exit $failed
