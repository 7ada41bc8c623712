#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# soak.sh SECONDS: the oracle for that long, on all file systems in turn, with seeds that
# no run had before. Ends with the sums; exit status 1 if anything differed.
set -u

ORACLE=build/selftests/oracle/oracle
end=$((SECONDS + $1))
seed=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')
programs=0 operations=0 differences=0 at_once=0 status=0

# take LINE: add up what the oracle says at its end
take() {
	local number='([0-9]+)'

	if [[ $1 =~ $number\ programs,\ $number\ operations,\ .*,\ $number\ differences ]]; then
		programs=$((programs + BASH_REMATCH[1]))
		operations=$((operations + BASH_REMATCH[2]))
		differences=$((differences + BASH_REMATCH[3]))
	elif [[ $1 =~ at\ once:\ $number\ operations,\ .*,\ $number\ faults ]]; then
		at_once=$((at_once + BASH_REMATCH[1]))
		differences=$((differences + BASH_REMATCH[2]))
	fi
}

# go SECONDS OPTION...
go() {
	local line

	[ $SECONDS -lt $end ] || return
	seed=$((seed + 1000000))
	echo "# seed $seed: ${*:2}"
	while read -r line; do
		echo "${line:0:400}"
		take "$line"
		[[ $line != '# status'* ]] || status=1
	done < <("$ORACLE" --seed $seed --time "$1" "${@:2}" 2>&1 || echo "# status $?")
}

while [ $SECONDS -lt $end ]; do
	for workers in 4 1 8; do
		go 20 --fs tmpfs --workers $workers --keep-going
	done
	go 20 --fs tmpfs --behind 0 --daemon --keep-going
	for fs in ext4 xfs btrfs; do
		go 10 --fs $fs --keep-going
	done
	for fs in tmpfs ext4 xfs btrfs; do
		go 5 --fs $fs --free --workers 8
	done
done
echo "# $programs programs, $operations operations, $at_once operations at once, $differences differences"
exit $status
