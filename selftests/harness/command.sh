# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Tests of programs: commands that must succeed, the command fuse-bpf, and what its JSON
# says. Sourced, never run; $TOP is a directory of the test's own.

FB=$PWD/build/tools/fuse-bpf
out='' status=0
number=0 failed=0

# check NAME COMMAND...: one test; the command's output is shown if it fails.
check() {
	local name=$1 out

	shift
	number=$((number + 1))
	if out=$("$@" 2>&1); then
		echo "ok $number $name"
	else
		failed=1
		echo "not ok $number $name"
		printf '%s\n' "$out" | sed 's/^/# /'
	fi
}

# fb WORD...: run the command with JSON; sets $out and $status
fb() {
	status=0
	out=$("$FB" -j "$@" 2>"$TOP/stderr") || status=$?
}

# is EXPR [TEXT]: what a Python expression makes of the last document, d, as text
is() {
	local got

	got=$(python3 -c '
import json, os, sys
d = json.loads(sys.argv[1])
print(eval(sys.argv[2]))' "$out" "$1" 2>&1)
	[ "$got" = "${2:-True}" ] || { echo "# $1: '$got', not '${2:-True}'; exit $status, $out" && return 1; }
}

# ok WORD...: must succeed and print nothing but one document
ok() {
	fb "$@"
	[ "$status" -eq 0 ] && [ ! -s "$TOP/stderr" ] ||
		{ echo "# fuse-bpf $*: exit $status, $out, $(cat "$TOP/stderr")" && return 1; }
}

# fails STATUS TEXT WORD...: must end with STATUS and an error that has TEXT in it, as
# JSON and, the same, as text on the standard error output
fails() {
	local want=$1 text=$2 plain plain_status=0

	shift 2
	fb "$@"
	plain=$("$FB" "$@" 2>&1 >/dev/null) || plain_status=$?
	[ "$status" -eq "$want" ] && [ "$plain_status" -eq "$want" ] && [ "${plain#Error: }" != "$plain" ] &&
		[[ $plain = *"$text"* ]] ||
		{ echo "# fuse-bpf $*: exit $status and $plain_status, not $want; '$plain', not '$text'" && return 1; }
	TEXT=$text is 'd["error"] != "" and os.environ["TEXT"] in " ".join([d["error"]] + d.get("reasons", []))' ||
		return 1
}
