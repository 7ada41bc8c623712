#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# run.sh [NAME...]: run the tests of the flavour in the guest, all or those whose
# name (GROUP/NAME_test, or a part of it) is given; NAME:FIXTURE.TEST runs one test
# case. PART=I/N in the environment leaves out all but the I-th of N parts of them.
# Ends with one line that says how many passed.
#
# Exit status: 0 all passed, 1 some failed, crashed or took too long, or none ran.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

FLAVOUR=${FLAVOUR:-module}
export FLAVOUR
OUT=build/selftests
case $FLAVOUR in
debug) LIMIT=${TEST_LIMIT:-1800} ;;
*) LIMIT=${TEST_LIMIT:-900} ;;
esac
[ -n "${FUSE_BPF_GUEST:-}" ] || {
	echo "run.sh: runs in the guest only, as: selftests/vm/run.sh -- selftests/run.sh" >&2
	exit 1
}

# Every program and script whose name ends in _test; those in module/ load and
# unload the module, those in crash/, programs/, scale/ and timing/ take minutes and are
# run if named only. So are those of what is built on the kernel's part when the kernel is slow.
tests() {
	local group file

	for group in module backed filter fault fuse oracle lib fuzz policy tool astack tierfs bench crash scale timing programs; do
		[ "$group" != module ] || [ "$FLAVOUR" = module ] || continue
		case $FLAVOUR:$group in
		*:crash | *:scale | *:timing | *:programs | \
		debug:lib | debug:fuzz | debug:policy | debug:tool | debug:astack | debug:tierfs | debug:bench)
			[ ${#args[@]} -gt 0 ] || continue
			;;
		esac
		for file in "$OUT/$group"/*_test selftests/"$group"/*_test.sh; do
			[ ! -x "$file" ] || echo "$file"
		done
	done
}

# name FILE: what the test is called on the command line
name() {
	local name=${1#"$OUT"/}

	name=${name#selftests/}
	echo "${name%.sh}"
}

# wanted FILE: does an argument name it? Sets the test case, if one is named.
wanted() {
	local arg

	case_args=()
	[ ${#args[@]} -gt 0 ] || return 0
	for arg in "${args[@]}"; do
		case $(name "$1") in
		*"${arg%%:*}"*)
			[ "$arg" = "${arg%%:*}" ] || case_args=(-r "${arg#*:}")
			return 0
			;;
		esac
	done
	return 1
}

# Pass the output on, less the harness's announcements, and count its verdicts.
# The plan tells whether all of them came. Debian's awk waits for a full buffer of
# input unless it is told to be interactive.
# shellcheck disable=SC2016
relay='
/^# +(RUN|OK) / { next }
/^(TAP version|# Starting|# Totals|# (PASSED|FAILED):)/ { next }
/^1\.\.[0-9]+/ { plan = substr($0, 4) + 0; next }
/^ok .*# SKIP/ { skipped++ }
/^ok / && !/# SKIP/ { passed++ }
/^not ok / { failed++ }
{ print; fflush() }
END { print passed + 0, failed + 0, skipped + 0, plan + 0 >counts }'

passed=0 failed=0 skipped=0

# run FILE: run one test program and add up its results.
run() {
	local file=$1 name status good bad skip plan

	name=$(name "$file")
	echo "# $name"
	timeout -k 10 "$LIMIT" "$file" "${case_args[@]}" </dev/null 2>&1 |
		awk -W interactive -v counts=/run/counts "$relay"
	status=${PIPESTATUS[0]}
	read -r good bad skip plan </run/counts
	passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + skip))
	if [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
		echo "not ok - $name took more than $LIMIT s"
		failed=$((failed + 1))
	elif [ $((good + bad + skip)) -ne "$plan" ] || [ "$plan" -eq 0 ]; then
		echo "not ok - $name ended with status $status after $((good + bad + skip)) of $plan tests"
		failed=$((failed + 1))
	elif [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
		echo "not ok - $name ended with status $status"
		failed=$((failed + 1))
	fi
}

# mine: is the next test of this part? Of all parts together, each test is of one.
mine() {
	local part=${PART:-1/1}

	turn=$((turn + 1))
	[ $(((turn - 1) % ${part#*/} + 1)) -eq "${part%/*}" ]
}

args=("$@") turn=0
for file in $(tests); do
	if wanted "$file" && mine; then run "$file"; fi
done
line="$passed passed, $failed failed"
[ "$skipped" -eq 0 ] || line="$line, $skipped skipped"
[ $((passed + failed)) -gt 0 ] || echo "not ok - no test ran"
echo "$line"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
