#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kill.sh ROUNDS [SEED]: kill guests while workers change trees on their disk, and see in
# the next guest what is left: natively, by a backed mount, or by one with a filter, as the
# seed says. Ends with "N kills, N bad"; exit status 1 if there are bad ones.
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
slower=1
for ((round = 0; round < rounds; seed++)); do
	kind=${kinds[seed % ${#kinds[@]}]}
	# Between half a second and four and a half, or later where that was too early
	when=$(awk -v s=$((seed % 1000003)) -v f=$slower 'BEGIN { srand(s); printf "%.2f", f * (0.5 + 4 * rand()) }')
	echo "# $kind, seed $seed, killed after $when s"
	status=0
	guest --kill "$when" -- selftests/crash/guest.sh "$last" "$kind $seed" || status=$?
	[ $status -eq 137 ] || die "the guest was not killed, but ended with status $status"
	last="$kind $seed"
	if grep '^did:' "$dir/out" >"$dir/log"; then
		round=$((round + 1))
	else
		slower=$((slower * 2))
		[ $slower -le 32 ] || die "the guest does nothing"
	fi
done
guest -- selftests/crash/guest.sh "$last" || [ $bad -gt 0 ] || die "the last guest failed"
echo "$rounds kills, $bad bad"
[ $bad -eq 0 ]
