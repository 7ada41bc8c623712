#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# soak.sh SECONDS: the fuzzers for that long, in turn, with seeds that
# no run had before. Ends with the sums; exit status 1 if anything was found, or if a
# fuzzer did not come to its sums.
set -u

FUZZ=build/selftests/fuzz
end=$((SECONDS + $1))
inputs=0 hangs=0 unexpected=0 status=0

# go NAME SECONDS
go() {
	local line number='([0-9]+)'

	[ $SECONDS -lt $end ] || return
	while read -r line; do
		echo "# $1: ${line:0:400}"
		[[ $line != 'status '* ]] || status=1
		[[ $line =~ ^$number\ inputs,\ $number\ hangs,\ $number\ unexpected$ ]] || continue
		inputs=$((inputs + BASH_REMATCH[1]))
		hangs=$((hangs + BASH_REMATCH[2]))
		unexpected=$((unexpected + BASH_REMATCH[3]))
	done < <("$FUZZ/$1" --time "$2" 2>&1 || echo "status $?")
}

while [ $SECONDS -lt $end ]; do
	go reply 60
	go filter 30
	go ioctl 30
	go cli 20
done
[ $((hangs + unexpected)) -eq 0 ] && [ "$inputs" -gt 0 ] || status=1
echo "# $inputs inputs, $hangs hangs, $unexpected unexpected"
exit $status
