#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# fuzz_test.sh: each fuzzer that runs in a guest with a seed that is always the same. For
# longer, with new ones: make soak T=fuzz TIME=SECONDS.
set -u

FUZZ=$(dirname "$0")/../../build/selftests/fuzz
number=0
failed=0

# check NAME COMMAND...: one test; the seed and the sums are told with its name.
check() {
	local name=$1 out

	shift
	number=$((number + 1))
	if out=$("$@" 2>&1); then
		echo "ok $number $name$(grep -E '^seed |^[0-9]+ inputs' <<<"$out" | sed 's/^/, /' | tr -d '\n')"
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
echo "1..7"
check "answers of a daemon" "$FUZZ/reply" --seed 1 --inputs "$(scaled 1000)"
check "filters" "$FUZZ/filter" --seed 1 --inputs "$(scaled 4000)"
check "requests" "$FUZZ/ioctl" --seed 1 --inputs "$(scaled 6000)"
check "command lines" "$FUZZ/cli" --seed 1 --inputs "$(scaled 80)"
check "storms" "$FUZZ/storm" --seed 1 --inputs "$(scaled 20)"
check "no option that is unknown" refuses --seeds 1
check "no number that is none" refuses --seed x
exit $failed
