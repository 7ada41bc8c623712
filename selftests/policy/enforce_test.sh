#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What a policy does on a mount: to names that are there and names that are not, to
# subtrees and files, for whom, and while it is replaced.
set -u
cd "$(dirname "$0")/../.." || exit 1

FB=$PWD/build/tools/fuse-bpf
PINS=/sys/fs/bpf/fuse-bpf
TOP=$(mktemp -d /tmp/policy-XXXXXX)
chmod 755 "$TOP"
BACK=$TOP/back VIEW=$TOP/view
number=0 failed=0

as() { setpriv --reuid="$1" --regid="$1" --clear-groups -- "${@:2}"; }
load() { printf 'rules = ( %s );' "$1" >"$TOP/policy.conf" && "$FB" -j policy load "$VIEW" "$TOP/policy.conf" >"$TOP/loaded"; }

# refused ERROR UID COMMAND...: must fail, and say why
refused() {
	local said

	said=$(as "$2" "${@:3}" 2>&1) && echo "# ${*:3} succeeded" && return 1
	[[ $said = *"$1"* ]] || { echo "# ${*:3}: '$said', not '$1'" && return 1; }
}

run() {
	local good=0

	number=$((number + 1))
	mkdir -p "$BACK/dir/sub" "$BACK/node_modules" "$VIEW"
	for name in .env a.pem plain dir/file dir/sub/file node_modules/file; do
		echo 0123456789 >"$BACK/$name"
	done
	chmod -R a+rwX "$BACK"
	"$FB" mount "$BACK" "$VIEW" allow_other >"$TOP/mounted" && "$2" || good=1
	"$FB" umount "$VIEW" >"$TOP/unmounted" || good=1
	rm -rf "$BACK"
	[ -z "$(ls $PINS 2>/dev/null)" ] || good=1
	[ $good -eq 0 ] && echo "ok $number $1" || { failed=1 && echo "not ok $number $1"; }
}

# A name that is refused cannot be made in any way, whatever other rules there are.
never_made() {
	local name why="No such file"

	for name in .env new.pem "x7.key" "$(printf 'l%.0s' {1..200})"; do
		refused "$why" 1000 cat "$VIEW/$name" || return
		refused "$why" 1000 touch "$VIEW/dir/$name" || return
		refused "$why" 1000 mkdir "$VIEW/dir/$name" || return
		refused "$why" 1000 ln "$VIEW/plain" "$VIEW/dir/$name" || return
		refused "$why" 1000 ln -sT target "$VIEW/dir/$name" || return
		refused "$why" 1000 mv -T "$VIEW/plain" "$VIEW/dir/$name" || return
		[ ! -e "$BACK/dir/$name" ] && [ ! -L "$BACK/dir/$name" ] && [ -e "$BACK/plain" ] || return
	done
	! as 1000 ls -A "$VIEW" | grep -e env -e pem
}

NAMES="\".env\", \"*.pem\", \"x[0-9]*.key\", \"$(printf 'l%.0s' {1..200})\""

names() {
	load "{ names = [$NAMES]; action = \"hide\"; not_uid = 0; }" || return
	never_made || return
	[ "$(cat "$VIEW/.env")" = 0123456789 ] && touch "$VIEW/new.pem" && [ -e "$BACK/new.pem" ]
}

names_beside_files_and_types() {
	load "{ names = \"node_modules\"; type = \"dir\"; action = \"hide\"; not_uid = 0; },
	      { file = \"plain\"; action = \"allow\"; },
	      { names = [$NAMES]; action = \"hide\"; not_uid = 0; }" || return
	never_made || return
	refused "No such file" 1000 ls "$VIEW/node_modules" || return
	refused "No such file" 1000 mkdir "$VIEW/dir/node_modules" || return
	as 1000 touch "$VIEW/dir/node_modules" && as 1000 cat "$VIEW/dir/node_modules"
}

first_rule_wins() {
	load '{ names = "*"; uid = 1001; action = "allow"; }, { names = ".env"; action = "deny"; error = "EPERM"; },
	      { names = ".e*"; action = "hide"; }' || return
	refused "Operation not permitted" 1000 cat "$VIEW/.env" || return
	refused "No such file" 1000 touch "$VIEW/.exx" || return
	[ "$(as 1001 cat "$VIEW/.env")" = 0123456789 ]
}

subtree() {
	local file

	load '{ under = "dir"; action = "read-only"; not_uid = 0; }' || return
	for file in dir/file dir/sub/file; do
		refused "Read-only" 1000 sh -c ": >>'$VIEW/$file'" || return
		refused "Read-only" 1000 rm -f "$VIEW/$file" || return
		refused "Read-only" 1000 truncate -s 0 "$VIEW/$file" || return
		refused "Read-only" 1000 mv "$VIEW/$file" "$VIEW/away" || return
	done
	refused "Read-only" 1000 touch "$VIEW/dir/sub/new" || return
	refused "Read-only" 1000 mv "$VIEW/plain" "$VIEW/dir/plain" || return
	[ "$(as 1000 cat "$VIEW/dir/sub/file")" = 0123456789 ] && as 1000 touch "$VIEW/new" &&
		touch "$VIEW/dir/by-root"
}

# By its inode, whatever it is called
one_file() {
	ln "$BACK/plain" "$BACK/other"
	load '{ file = "plain"; action = "redact"; ranges = ( (0, 4), (8, -1) ); uid = 1000; },
	      { file = "dir/file"; action = "hide"; uid = 1000; }' || return
	[ "$(as 1000 cat "$VIEW/plain" | tr '\0' .)" = ....4567... ] &&
		[ "$(as 1000 cat "$VIEW/other" | tr '\0' .)" = ....4567... ] &&
		[ "$(as 1001 cat "$VIEW/plain")" = 0123456789 ] || return
	refused "No such file" 1000 cat "$VIEW/dir/file" || return
	# The next policy has a rule for what this one hides from all
	load '{ file = "plain"; action = "hide"; }' && load '{ file = "plain"; action = "deny"; }' &&
		refused "Permission denied" 0 cat "$VIEW/plain"
}

cgroup() {
	local group=/sys/fs/cgroup/policy-test

	mountpoint -q /sys/fs/cgroup || mount -t cgroup2 none /sys/fs/cgroup || return
	mkdir -p $group/below
	load '{ names = ".env"; action = "hide"; cgroup = "policy-test"; }' || return
	refused "No such file" 0 sh -c "echo \$\$ >$group/below/cgroup.procs && exec cat '$VIEW/.env'" || return
	[ "$(cat "$VIEW/.env")" = 0123456789 ] && rmdir $group/below $group
}

reload() {
	local before

	load '{ names = ".env"; action = "hide"; }, { under = "dir"; action = "read-only"; }' || return
	before=$("$FB" -j policy show "$VIEW" | sed 's/"hits":[0-9]*//g')
	# What cannot be loaded changes nothing
	! load '{ names = "[a"; action = "hide"; }' 2>"$TOP/stderr" &&
		! load '{ file = "missing"; action = "hide"; }' 2>"$TOP/stderr" &&
		! load '{ names = "x"; action = "hide"; }, { under = "missing"; action = "read-only"; }' 2>"$TOP/stderr" || return
	[ "$("$FB" -j policy show "$VIEW" | sed 's/"hits":[0-9]*//g')" = "$before" ] &&
		refused "No such file" 1000 cat "$VIEW/.env" && refused "Read-only" 1000 touch "$VIEW/dir/new" || return
	load '{ names = "plain"; action = "hide"; }' && refused "No such file" 1000 cat "$VIEW/plain" &&
		as 1000 cat "$VIEW/.env" >"$TOP/seen" && as 1000 touch "$VIEW/dir/new" || return
	[ "$("$FB" -j policy show "$VIEW" | grep -o '"active":true' | wc -l)" -eq 1 ] || return
	"$FB" policy unload "$VIEW" >"$TOP/unloaded" && as 1000 cat "$VIEW/plain" >"$TOP/seen" &&
		! "$FB" policy show "$VIEW" 2>"$TOP/stderr"
}

trail() {
	load '{ names = ".env"; action = "hide"; audit = true; label = "secrets"; }' || return
	as 1000 touch "$VIEW/dir/.env" 2>"$TOP/stderr"
	"$FB" -j policy log "$VIEW" | grep -q '"op":"LOOKUP","name":".env".*"uid":1000.*"label":"secrets","errno":"ENOENT"'
}

# What is logged is called by whom the log is about: a name is no line, and no end of it
trail_is_not_forged() {
	local forged=$'x\n1.0 uid 0 pid 1 (init) LOOKUP \e[2K\xff' pid i

	load '{ names = "x*"; action = "hide"; audit = true; }' || return
	as 1000 touch "$VIEW/$forged" 2>"$TOP/stderr"
	"$FB" policy log "$VIEW" >"$TOP/log" && [ "$(wc -l <"$TOP/log")" -gt 0 ] || return
	! grep -vq "^[0-9.]* uid 1000 pid [0-9]* (touch) [A-Z]* 'x\\\\0121.0 uid 0 .*\\\\033\[2K\\\\377': ENOENT by line 1$" "$TOP/log" || return
	# Followed, it has a document a line
	"$FB" -j policy log "$VIEW" follow >"$TOP/log" &
	pid=$!
	for ((i = 0; i < 600; i++)); do
		as 1000 touch "$VIEW/$forged" 2>"$TOP/stderr"
		[ "$(wc -l <"$TOP/log")" -lt 2 ] || break
		sleep 0.1
	done
	kill -INT $pid && wait $pid || return
	python3 -c '
import json, sys
docs = [json.loads(line) for line in open(sys.argv[1], "rb")]
assert len(docs) > 2 and docs[-1] == {"events": len(docs) - 1} and docs[0]["name"][:2] == "x\n"' "$TOP/log"
}

mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
run policy.names names
run policy.names_beside_files_and_types names_beside_files_and_types
run policy.first_rule_wins first_rule_wins
run policy.subtree subtree
run policy.one_file one_file
run policy.cgroup cgroup
run policy.reload reload
run policy.trail trail
run policy.trail_is_not_forged trail_is_not_forged
rm -rf "$TOP"
echo "1..$number"
exit $failed
