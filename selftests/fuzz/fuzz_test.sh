#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# fuzz_test.sh: each fuzzer of the kernel's part with a seed that is always the same, and
# with one that is new and printed. For longer: make soak T=fuzz TIME=SECONDS.
set -u

FUZZ=$(dirname "$0")/../../build/selftests/fuzz
number=0
failed=0

# check NAME COMMAND...: one test; what the command prints last is in its name.
check() {
	local name=$1 out

	shift
	number=$((number + 1))
	if out=$("$@" 2>&1); then
		echo "ok $number $name: $(head -n 1 <<<"$out"), $(tail -n 1 <<<"$out")"
	else
		failed=1
		echo "not ok $number $name"
		printf '%s\n' "$out" | sed 's/^/# /'
	fi
}

# scaled N: fewer on a kernel that checks itself
scaled() {
	[ "${FLAVOUR:-}" = debug ] && echo $(($1 / 20)) || echo "$1"
}

# refuses ARGUMENT...: a fuzzer that is told nonsense must not say that all is well
refuses() {
	"$FUZZ/reply" "$@" && return 1
	[ $? -eq 2 ]
}

echo "TAP version 13"
echo "1..8"
check "answers of a daemon" "$FUZZ/reply" --seed 1 --inputs "$(scaled 800)"
check "answers of a daemon, anew" "$FUZZ/reply" --inputs "$(scaled 800)"
check "filters" "$FUZZ/filter" --seed 1 --inputs "$(scaled 3000)"
check "filters, anew" "$FUZZ/filter" --inputs "$(scaled 3000)"
check "requests" "$FUZZ/ioctl" --seed 1 --inputs "$(scaled 6000)"
check "requests, anew" "$FUZZ/ioctl" --inputs "$(scaled 6000)"
check "no option that is unknown" refuses --seeds 1
check "no number that is none" refuses --seed x
exit $failed
