#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# run.sh quick|full|count [OPTION...]: measure in a guest, then make the report.
# Options go to bench.py, but for --name NAME. Results are in build/bench/NAME.*,
# under the name of the mode if there is none.
. "$(dirname "$0")/../vm/lib.sh"

mode=${1:-}
[ $# -eq 0 ] || shift
case $mode in
quick) guest=(--timeout 900 --disk 2G)
	options=(--ms 3 --repetitions 5 --programs 2 --limit 400) ;;
full) guest=(--timeout 21600 --disk 4G)
	options=(--full --ms 20 --repetitions 21 --programs 5 --limit 10000 --names 10000) ;;
count) guest=(--timeout 1800 --icount --env BENCH_ICOUNT=1)
	options=(--fs tmpfs --only-ops --fixed --repetitions 3) ;;
*) die "usage: run.sh quick|full|count [OPTION...]" ;;
esac

name=$mode
args=()
while [ $# -gt 0 ]; do
	case $1 in
	--name) name=$2; shift ;;
	*) args+=("$1") ;;
	esac
	shift
done
out=build/bench/$name
"$TOP/selftests/vm/run.sh" --mem 3072 "${guest[@]}" -- selftests/bench/bench.py "${options[@]}" "${args[@]}" "$out.json"
"$TOP/selftests/vm/enter.sh" selftests/bench/report.py "$out.json" | tee "$TOP/$out.txt"
