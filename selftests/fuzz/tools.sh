#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# tools.sh [SECONDS]: texts of policies, and recordings, for the command, under sanitizers,
# for that long together.
# Needs no guest. Runs in the root, see ../vm/enter.sh, from the top of the checkout.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

OUT=build/selftests/fuzz
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

make -s -j"${J:-$(nproc)}" -C selftests fuzzed-tools || exit

# fuzz WHAT CORPUS [OPTION...]: run that one for half of the time
fuzz() {
	local what=$1 status inputs

	cp -r "selftests/fuzz/$2" "$WORK/$what"
	"$OUT/$what" -max_total_time=$(((TIME + 1) / 2)) -max_len=4096 -timeout=20 -rss_limit_mb=2048 \
		-close_fd_mask=3 -print_final_stats=1 "${@:3}" \
		-artifact_prefix="$OUT/found-" "$WORK/$what" >"$WORK/log" 2>&1
	status=$?
	grep -E '^INFO: Seed' "$WORK/log"
	inputs=$(sed -n 's/^stat::number_of_executed_units: //p' "$WORK/log")
	if [ $status -ne 0 ] || [ "${inputs:-0}" -eq 0 ]; then
		tail -n 60 "$WORK/log"
		echo "$what: status $status; what did it is in $OUT/found-*, for: $OUT/$what FILE"
		return 1
	fi
	echo "$what: $inputs inputs, 0 hangs, 0 unexpected, $(grep -cE '^#[0-9]+' "$WORK/log") steps, $(find "$WORK/$what" -type f | wc -l) of them kept"
}

TIME=${1:-20}
fuzz policy corpus -dict=selftests/fuzz/policy.dict && fuzz recording recordings
