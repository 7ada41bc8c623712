#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# run.sh quick|full|count|model|growth|scale|memory [OPTION...]: measure in a guest, then
# make the report. Options go to bench.py, but for --name NAME. Results are in
# build/bench/NAME.*, under the name of the mode if there is none.
. "$(dirname "$0")/../vm/lib.sh"

counted=(--timeout 3600 --icount --env BENCH_ICOUNT=1)
count=(--fs tmpfs --only-ops --fixed --repetitions 3)
mode=${1:-}
[ $# -eq 0 ] || shift
case $mode in
quick) guest=(--timeout 1800)
	options=(--fs tmpfs --ms 2 --repetitions 5 --programs 1 --limit 150 --fio-ms 300) ;;
full) guest=(--timeout 21600 --disk 4G)
	options=(--full --ms 20 --repetitions 21 --programs 5 --limit 10000 --names 10000
		--fs 'tmpfs,ext4') ;;
count) guest=("${counted[@]}") options=("${count[@]}") ;;
model) guest=("${counted[@]}")
	options=("${count[@]}" --columns-file columns-model
		--rows 'stat,stat_missing,stat_cold,open_close,create,getxattr,read_4k') ;;
growth) guest=("${counted[@]}")
	options=("${count[@]}" --columns 'native,overlayfs,backed,noop,rules_40'
		--names '100,1000,10000' --rows 'stat_cold,stat_missing,readdir,ls_l') ;;
scale) guest=(--timeout 3600 --cpus 8)
	options=(--fs tmpfs --only-ops --columns 'native,overlayfs,backed,noop' --workers '1,2,4,8'
		--ms 20 --rows 'stat,open_close,getxattr,create,read_4k') ;;
memory) ;;
*) die "usage: run.sh quick|full|count|model|growth|scale|memory [OPTION...]" ;;
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
if [ "$mode" = memory ]; then
	"$TOP/selftests/vm/run.sh" --mem 3072 --disk 2G --timeout 1200 -- selftests/bench/memory.py "${args[@]}" |
		tee "$TOP/$out.txt"
	exit
fi
"$TOP/selftests/vm/run.sh" --mem 3072 "${guest[@]}" -- selftests/bench/bench.py "${options[@]}" "${args[@]}" "$out.json"
"$TOP/selftests/vm/enter.sh" selftests/bench/report.py "$out.json" | tee "$TOP/$out.txt"
