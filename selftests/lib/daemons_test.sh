#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The daemon that docs/daemons.md prints does what the page says of it.
set -u
cd "$(dirname "$0")/../.." || exit 1

export FUSE_BPF_FILTER_DIR=$PWD/build/bpf
TOP=$(mktemp -d /tmp/daemons-XXXXXX)
chmod 755 "$TOP"
BACK=$TOP/back VIEW=$TOP/view
number=0 failed=0 pid=''

# try NAME FUNCTION: one test; the function says what is wrong
try() {
	number=$((number + 1))
	if "$2"; then
		echo "ok $number $1"
	else
		echo "not ok $number $1"
		failed=1
	fi
}

# until_true COMMAND...: wait for it, within reason
until_true() {
	local i

	for ((i = 0; i < 600; i++)); do
		"$@" && return
		sleep 0.1
	done
	echo "# $* did not become true"
	return 1
}

# says STRING COMMAND...: fails, and has the string in its error
says() {
	local text=$1 out

	shift
	out=$("$@" 2>&1) && { echo "# $*: succeeded" && return 1; }
	[[ $out = *"$text"* ]] || { echo "# $*: $out" && return 1; }
}

starts() {
	mkdir -p "$BACK/dir" "$VIEW"
	echo text >"$BACK/dir/a.keep"
	echo text >"$BACK/dir/a.txt"
	build/selftests/lib/example "$BACK" "$VIEW" >"$TOP/log" 2>&1 &
	pid=$!
	until_true mountpoint -q "$VIEW"
}

keeps_files() {
	says 'not permitted' rm -f "$VIEW/dir/a.keep" && [ -e "$BACK/dir/a.keep" ] &&
		rm "$VIEW/dir/a.txt" && [ ! -e "$BACK/dir/a.txt" ] &&
		echo new >"$VIEW/dir/b.keep" && [ "$(cat "$BACK/dir/b.keep")" = new ]
}

writes_down_directories() {
	chmod 777 "$BACK/dir"
	mkdir "$VIEW/dir/one" && setpriv --reuid=1001 --regid=1001 --clear-groups mkdir "$VIEW/dir/two" &&
		says 'File exists' mkdir "$VIEW/dir/two" &&
		diff "$TOP/log" - <<-EOF
			user 0 made one
			user 1001 made two
		EOF
}

# What it is asked about fails without it; nothing else does.
is_missed_when_it_is_dead() {
	kill -9 "$pid"
	wait "$pid" 2>/dev/null
	pid=''
	says '' rm -f "$VIEW/dir/b.keep" && [ -e "$BACK/dir/b.keep" ] &&
		says '' mkdir "$VIEW/dir/three" && [ ! -e "$BACK/dir/three" ] || return 1
	umount "$VIEW"
}

ends_with_the_mount() {
	local status=0

	starts && umount "$VIEW" || return 1
	wait "$pid" || status=$?
	pid=''
	[ $status -eq 0 ] || { echo "# exit status $status" && return 1; }
	build/selftests/lib/example 2>&1
	[ $? -eq 2 ]
}

try daemons.starts starts
try daemons.keeps_files keeps_files
try daemons.writes_down_directories writes_down_directories
try daemons.is_missed_when_it_is_dead is_missed_when_it_is_dead
try daemons.ends_with_the_mount ends_with_the_mount
[ -z "$pid" ] || kill -9 "$pid"
umount -l "$VIEW" 2>/dev/null
rm -rf "$TOP"
echo "1..$number"
exit $failed
