#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kill.sh ROUNDS [SEED]: kill guests while workers change trees on their disk, and see in
# the next guest what is left: natively, by a backed mount, and by one with a filter, in
# turn. Ends with "N kills, N bad"; exit status 1 if there are bad ones.
. "$(dirname "$0")/../vm/lib.sh"

rounds=${1:-3}
seed=${2:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
kinds=(filter backed native)
dir=build/crash
bad=0 last=

# guest OPTION...: look at what the last round left, and begin another if told to
guest() {
	local status=0

	"$TOP/selftests/vm/run.sh" --disk "/src/$dir/disk" --keep "$@" | tee "$dir/out" |
		grep --line-buffered -v "^did:"
	status=${PIPESTATUS[0]}
	grep -q '^tree: ' "$dir/out" || [ -z "$last" ] || die "the guest did not look at the disk"
	! grep -q '^tree: bad' "$dir/out" || bad=$((bad + 1))
	return "$status"
}

cd "$TOP"
mkdir -p "$dir"
rm -f "$dir/disk"
truncate -s 64M "$dir/disk"
say "seed $seed"
for ((round = 0; round < rounds; round++)); do
	kind=${kinds[round % ${#kinds[@]}]}
	# Between half a second and four and a half
	when=$(awk -v s=$((seed + round)) 'BEGIN { srand(s); printf "%.2f", 0.5 + 4 * rand() }')
	echo "# $kind, seed $((seed + round)), killed after $when s"
	status=0
	guest --kill "$when" -- selftests/crash/guest.sh "$last" "$kind $((seed + round))" || status=$?
	[ $status -eq 137 ] || die "the guest was not killed, but ended with status $status"
	[ "$(grep -c '^did:' "$dir/out")" -gt 0 ] || die "the guest was killed before it did anything"
	last="$kind $((seed + round))"
	grep '^did:' "$dir/out" >"$dir/log"
done
guest -- selftests/crash/guest.sh "$last" || [ $bad -gt 0 ] || die "the last guest failed"
echo "$rounds kills, $bad bad"
[ $bad -eq 0 ]
