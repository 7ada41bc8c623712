#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The benchmark itself, with a few operations: that each row is measured in each column,
# that requests are counted where there is a daemon and only there, that tables and plot
# are made, and that an operation that fails is no figure.
set -u
cd "$(dirname "$0")/../.." || exit 1

BENCH=selftests/bench
OUT=$(mktemp -d /tmp/bench-XXXXXX)
number=0 failed=0

run() {
	number=$((number + 1))
	if "$2" >"$OUT/log" 2>&1; then
		echo "ok $number $1"
	else
		failed=1
		echo "not ok $number $1"
		tail -n 20 "$OUT/log" | sed 's/^/# /'
	fi
}

# holds EXPRESSION: of Python, about what was measured
holds() {
	python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
s, r = d["samples"]["tmpfs"], d["requests"]["tmpfs"]
sys.exit(not eval(sys.argv[2]))' "$OUT/small.json" "$1" || { echo "not so: $1" && return 1; }
}

measured() {
	$BENCH/bench.py --fs tmpfs --only-ops --ms 0.2 --repetitions 2 --names 5,9 --workers 1,2 \
		--columns native,overlayfs,backed,rules_40,fuse_fresh --rows stat,create,ls_l \
		"$OUT/small.json" || return
	holds 'list(s) == [f"{row}/{n}*{w}" for n in (5, 9) for w in (1, 2) for row in ("stat", "create", "ls_l")]' &&
		holds 'all(list(cells) and set(cells) == set(d["columns"]) for cells in s.values())' &&
		holds 'all(len(t) == 2 and min(t) > 0 for cells in s.values() for t in cells.values())'
}

requests() {
	holds 'all(cells["fuse_fresh"] >= 1 for cells in r.values())' &&
		holds 'not any(cells[c] for cells in r.values() for c in cells if c != "fuse_fresh")' &&
		holds 'r["ls_l/9*1"]["fuse_fresh"] > r["ls_l/5*1"]["fuse_fresh"]'
}

# What is shown of the figures is what they say
reported() {
	$BENCH/bench.py --fs tmpfs --only-ops --ms 0.2 --repetitions 2 --columns native,backed \
		--rows stat,create "$OUT/plain.json" &&
		$BENCH/report.py "$OUT/plain.json" && file=$($BENCH/report.py "$OUT/plain.json") || return
	grep -q '^| stat  *| *1\.00 | *[0-9.]* ' <<<"$file" &&
		[ "$(head -c 4 "$OUT/plain-tmpfs.png" | tail -c 3)" = PNG ] &&
		$BENCH/report.py --compare "$OUT/plain.json" "$OUT/plain.json" | grep -c '1\.000 | *1\.000 |' | grep -qx 2
}

failures() {
	local option

	mkdir -p "$OUT/dir/files" "$OUT/dir/work"
	for option in "-j 1" "-j 2"; do
		# shellcheck disable=SC2086
		! build/bench/ops $option -t 0.1 -r 1 -R stat "a=$OUT/dir" || return
	done
	! build/bench/ops -R stat "a=$OUT/missing" &&
		! $BENCH/bench.py --columns no_such "$OUT/none.json" && [ ! -e "$OUT/none.json" ]
}

policies() {
	local kind

	for kind in "globs 40" "exact 10000"; do
		# shellcheck disable=SC2086
		$BENCH/rules.sh $kind >"$OUT/policy" && build/tools/fuse-bpf policy check "$OUT/policy" |
			tee /dev/stderr | grep -q "${kind#* } rules" || return
	done
	! $BENCH/rules.sh globs 41
}

run bench.measured measured
run bench.requests requests
run bench.reported reported
run bench.failures failures
run bench.policies policies
rm -rf "$OUT"
echo "1..$number"
exit $failed
