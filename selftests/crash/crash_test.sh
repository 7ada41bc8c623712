#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# crash_test.sh: what fsync(2) and its like promise by a backed mount is on the disk when
# its power is cut, as it is natively; and a mount that broke its promises would be found
# out. With seeds that are always the same; for new ones: make soak T=crash, make crash.
set -u
cd "$(dirname "$0")/../.." || exit 1

POWER=selftests/crash/power.sh
number=0 failed=0

# check NAME EXPECTED-STATUS ARGUMENT...: cutting the power ends so
check() {
	local name=$1 expected=$2 out status=0

	number=$((number + 1))
	out=$("$POWER" "${@:3}" 2>&1) || status=$?
	if [ $status -eq "$expected" ]; then
		echo "ok $number $name, $(tail -n 1 <<<"$out")"
	else
		failed=1
		head -n 40 <<<"$out" | sed 's/^/# /'
		echo "not ok $number $name, status $status"
	fi
}

echo "TAP version 13"
echo "1..5"
check 'natively' 0 native 1 200 6
check 'by a backed mount' 0 backed 2 300 12
check 'by a mount with a filter' 0 filter 3 300 12
check 'nothing synced natively is found' 1 native 4 150 3 --lie
check 'nothing synced by a mount is found' 1 backed 5 150 3 --lie
exit $failed
