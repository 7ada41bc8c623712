#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# tools.sh [SECONDS]: texts of policies for the command, under sanitizers, for that long.
# Needs no guest. Runs in the root, see ../vm/enter.sh, from the top of the checkout.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

OUT=build/selftests/fuzz
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

make -s -j"${J:-$(nproc)}" -C selftests fuzzed-tools || exit
cp -r selftests/fuzz/corpus "$WORK/corpus"
"$OUT/policy" -max_total_time="${1:-20}" -max_len=4096 -timeout=20 -rss_limit_mb=2048 \
	-close_fd_mask=3 -print_final_stats=1 -dict=selftests/fuzz/policy.dict \
	-artifact_prefix="$OUT/found-" "$WORK/corpus" >"$WORK/log" 2>&1
status=$?
grep -E '^INFO: Seed' "$WORK/log"
inputs=$(sed -n 's/^stat::number_of_executed_units: //p' "$WORK/log")
if [ $status -ne 0 ] || [ "${inputs:-0}" -eq 0 ]; then
	tail -n 60 "$WORK/log"
	echo "policies: status $status; what did it is in $OUT/found-*, for: $OUT/policy FILE"
	exit 1
fi
echo "policies: $inputs inputs, 0 hangs, 0 unexpected, $(grep -cE '^#[0-9]+' "$WORK/log") steps, $(find "$WORK/corpus" -type f | wc -l) of them kept"
