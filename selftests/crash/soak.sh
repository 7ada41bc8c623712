#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# soak.sh SECONDS: cut the power of a disk for that long, in the three ways in turn, with
# seeds that no run had before. Ends with the sums; exit status 1 if anything was wrong.
set -u

end=$((SECONDS + $1))
seed=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')
runs=0 cuts=0 bad=0 status=0

# go KIND: sets $status if it was not to be told whether all is well
go() {
	local out number='([0-9]+)'

	[ $SECONDS -lt $end ] || return
	seed=$((seed + 1))
	out=$(selftests/crash/power.sh "$1" $seed $((200 + seed % 800)) 40 2>&1)
	[ $? -lt 2 ] || status=1
	tail -n 10 <<<"$out" | sed "s/^/# $1, seed $seed: /"
	[[ $out =~ $number\ cuts,\ $number\ bad$ ]] || return
	runs=$((runs + 1))
	cuts=$((cuts + BASH_REMATCH[1]))
	bad=$((bad + BASH_REMATCH[2]))
}

while [ $SECONDS -lt $end ]; do
	for kind in backed filter native; do
		go $kind
	done
done
[ $bad -eq 0 ] && [ $cuts -gt 0 ] || status=1
echo "# $runs runs, $cuts cuts, $bad bad"
exit $status
