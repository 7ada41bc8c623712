# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Real programs at work in a directory and in a backed mount of another one like
# it. Sourced, never run.
#
# A test calls plan, then program for each script, then finish. Scripts run under
# "set -euo pipefail" in an empty directory, as root, and find
#   VIEW     "native" or "mount": where it is run
#   DIRECT   the same directory, not by way of the mount
#   SOURCE   a directory on the same file system for what all scripts share

. "$(dirname "${BASH_SOURCE[0]}")/native.sh"

# plan NUMBER: of calls of program; makes the file system and the mount
plan() {
	echo "TAP version 13"
	echo "1..$(($1 + 1))"
	IMAGE_SIZE=2G set_up ext4 || {
		verdict 1 "a backed mount can be made"
		exit 1
	}
	export SOURCE=$TOP/fs/source
	mkdir "$SOURCE"
}

# in_view VIEW DIR DIRECT SCRIPT: its output goes to $TOP/VIEW.out, its status and the
# seconds it took to $TOP/VIEW.end
in_view() {
	local begin=$EPOCHREALTIME status=0

	(
		cd "$2" || exit
		VIEW=$1 DIRECT=$3 exec timeout "${LIMIT:-240}" bash -euo pipefail -c "$4" </dev/null
	) >"$TOP/$1.out" 2>&1 || status=$?
	echo "$status $(awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')" >"$TOP/$1.end"
}

# program NAME SCRIPT: SCRIPT must succeed in both, print the same, and leave the
# same behind.
program() {
	in_view native "$TOP/fs/native" "$TOP/fs/native" "$2"
	in_view mount "$TOP/mnt" "$TOP/fs/backing" "$2"
	judge "$1"
}

# at_once NAME SCRIPT: as program, with both at the same time
at_once() {
	in_view native "$TOP/fs/native" "$TOP/fs/native" "$2" &
	in_view mount "$TOP/mnt" "$TOP/fs/backing" "$2"
	wait
	judge "$1"
}

judge() {
	local native native_time mount mount_time

	read -r native native_time <"$TOP/native.end"
	read -r mount mount_time <"$TOP/mount.end"
	diff <(tree "$TOP/fs/native") <(tree "$TOP/fs/backing") >"$TOP/diff" 2>&1 &&
		cmp -s "$TOP/native.out" "$TOP/mount.out" && [ "$native" -eq 0 ] && [ "$mount" -eq 0 ]
	verdict $? "$1" "status: native $native, mount $mount
native: $(tail -n 40 "$TOP/native.out")
mount:  $(tail -n 40 "$TOP/mount.out")
trees:  $(head -n 5 "$TOP/diff")"
	echo "# $1: native $native_time s, mount $mount_time s"
	find "$TOP/fs/native" "$TOP/mnt" -mindepth 1 -delete
}

finish() {
	tear_down
	verdict $? "nothing is held after unmounting"
	rm -rf "$TOP"
	exit "$failed"
}
