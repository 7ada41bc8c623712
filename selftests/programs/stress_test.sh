#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# stress_test.sh: the stressors of stress-ng for file systems, each for a second, with
# its own checks (--verify), in a directory and in a mount at the same time. How each
# ends must be the same; what neither could run is listed at the end.
set -u
. "$(dirname "$0")/../harness/programs.sh"

# Left out, with the reason
EXCLUDED='
binderfs	mounts a file system of its own
bind-mount	changes the mount table, not files
dup		descriptors only
eventfd		no files
fd-fork		descriptors only
fiemap		a mount does not say where blocks are, see refuse_test
handle		a mount has no file handles, see README
io		sync(2) for the whole machine
ioprio		priorities of the block layer
lease		a mount grants no leases, see refuse_test
procfs		reads /proc
statmount	reads the mount table
umask		the process alone
'

# shellcheck disable=SC2016
stress='
	status=0
	stress-ng --$STRESSOR 1 --timeout 1 --temp-path . --verify --no-rand-seed --log-brief \
		--fallocate-bytes 32M --hdd-bytes 16M --iomix-bytes 16M --sync-file-bytes 16M \
		--copy-file-bytes 128M >log 2>&1 || status=$?
	# 3 and 4: it needs something that is not there. Everything else is a failure.
	echo "$STRESSOR: status $status"
	case $status in 0) ;; 3 | 4) echo "$STRESSOR" >>"$SOURCE/not-run" ;; *) cat log; exit 1 ;; esac
	rm -rf log ./tmp-stress-ng-*'

stressors() {
	stress-ng --class 'filesystem?' | sed 's/.*stressors: //' | tr ' ' '\n' |
		grep -vxF "$(awk '{ print $1 }' <<<"$EXCLUDED" | grep .)"
}

mapfile -t all < <(stressors)
plan $((${#all[@]} + 1))
for STRESSOR in "${all[@]}"; do
	export STRESSOR
	at_once "stress-ng: $STRESSOR" "$stress"
done
not_run=$(sort -u "$SOURCE/not-run" 2>/dev/null | tr '\n' ' ')
echo "# neither directory nor mount could run: ${not_run:-nothing}"
[ "$(wc -w <<<"$not_run")" -lt 5 ]
verdict $? "stress-ng: most of it was run"
finish
