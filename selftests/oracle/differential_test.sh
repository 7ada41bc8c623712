#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# differential_test.sh: random programs must do the same in a native directory and in a
# backed mount. The seeds are always the same, or SEED for the last ones, as what is found
# with another says nothing of the change that is tested: "make soak T=oracle" has new
# ones. That the oracle itself can be believed is shown first.
set -u
cd "$(dirname "$0")/../.." || exit 1

ORACLE=build/selftests/oracle/oracle
TOP=$(mktemp -d /tmp/differential-XXXXXX)
number=0 failed=0
# Programs of 1000 calls; of the debug kernel, which takes 30 times as long, a tenth will do.
case ${FLAVOUR:-module} in
debug) part=10 ;;
*) part=1 ;;
esac
seed=${SEED:-5000}

# check NAME EXPECTED-STATUS OPTION...: the oracle ends so; what it printed is in $TOP/out
check() {
	local name=$1 expected=$2 status

	number=$((number + 1))
	"$ORACLE" "${@:3}" >"$TOP/out" 2>&1
	status=$?
	if [ "$status" -eq "$expected" ]; then
		tail -n 1 "$TOP/out"
		echo "ok $number $name"
	else
		failed=1
		cut -c 1-400 "$TOP/out" | tail -n 40
		echo "not ok $number $name"
	fi
}

echo "TAP version 13"
echo "1..12"

# Two native directories are alike in all that is compared ...
check 'native directories agree' 0 --self --seed 1 --programs $((10 / part))
# ... and a mount that differs is found out, by a program that is short and shows it again.
check 'a hidden name is found' 1 --hide c --seed 1 --programs 100
grep -av '^#' "$TOP/out" >"$TOP/minimised"
[ "$(wc -l <"$TOP/minimised")" -le 3 ] || : >"$TOP/minimised"
check 'the minimised program shows it again' 1 --hide c --replay "$TOP/minimised"
check 'and shows nothing on a mount without a filter' 0 --replay "$TOP/minimised"

check 'tmpfs: the usual programs' 0 --fs tmpfs --seed 1000 --programs $((20 / part))
check 'ext4: the usual programs' 0 --fs ext4 --seed 1000 --programs $((10 / part))
check 'one worker' 0 --seed 2000 --workers 1 --programs $((20 / part))
check 'events, where nothing happens behind the mount' 0 --seed 3000 --behind 0 \
	--programs $((20 / part))
check 'eight workers, and a daemon that is not asked' 0 --seed 4000 --workers 8 --daemon \
	--programs $((10 / part))
check "seed $seed" 0 --seed "$seed" --programs $((20 / part))
for fs in tmpfs ext4; do
	check "$fs: workers at the same time, seed $seed" 0 --fs $fs --free --seed "$seed" --time 3
done

rm -rf "$TOP"
exit $failed
