#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# check.sh: the daemon of tierfs killed at each step of sending, renaming and removing, with a
# real store and no kernel of ours, and under sanitizers. Runs in the root, see ../vm/enter.sh,
# from the top of the checkout.
set -u
cd "$(dirname "$0")/../.." || exit 1
. selftests/harness/tier.sh

STEPS=build/selftests/tierfs/steps
TIER=$(mktemp -d)
trap 'rm -rf "$TIER"' EXIT
passed=0 failed=0
SAN="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -O1 -g"
make -s -C selftests tierfs-steps SAN="$SAN" || exit

# What is in the store is what the two files have that there are
is_exact() { [ "$(cd "$TIER/store/v1" && find . -type f | sed 's/~.*//' | sort | tr '\n' ' ')" = "./moved ./sent " ]; }

# killed_at N: of one kind of call, or all; sets $status of the daemon that was killed
killed_at() {
	rm -rf "$TIER/back" "$TIER/store/v1" && mkdir "$TIER/back" "$TIER/store/v1" || return
	"$STEPS" first "$STORE_URL" "$TIER/back" || return
	tier_trace "$1"
	# Leaks cannot be looked for in a process that is traced
	ASAN_OPTIONS=detect_leaks=0 "${trace[@]}" "$STEPS" work "$STORE_URL" "$TIER/back" >"$TIER/said" 2>"$TIER/errors"
	status=$?
	[ $status -eq 137 ] || [ $status -eq 0 ] || { cat "$TIER/errors" && return 1; }
	"$STEPS" check "$STORE_URL" "$TIER/back" "$(cat "$TIER/said")" && is_exact
}

# Until there is no such step any more; that there are some shows that it is killed at all
at=0
mkdir -p "$TIER/store/v1"
store_start || { echo "not ok - no object store" && exit 1; }
status=137
while [ $status -eq 137 ]; do
	at=$((at + 1))
	if { killed_at $at; } 2>"$TIER/log"; then
		passed=$((passed + 1))
	else
		cat "$TIER/log"
		echo "not ok - tierfs killed at step $at, after: $(tr '\n' ' ' <"$TIER/said")"
		failed=1
		break
	fi
done
store_stop
[ $at -gt 8 ] || failed=1
echo "# tierfs outside the guest: killed at $((at - 1)) steps, $failed failed"
[ $failed -eq 0 ]
