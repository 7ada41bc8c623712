#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# tierfs.sh: a tree whose files are in an object store until somebody reads them. Runs in
# the guest; see "make demo-tierfs". Every claim is checked, and the last lines are a table
# of them.

set -u
. "$(dirname "$0")/lib.sh"
. /src/selftests/harness/tier.sh

TIER=/mnt/tier
MNT=$TIER/mnt
VIEW=$MNT
WAYS=/src/selftests/tierfs/ways.py
SIZE=$((1 << 20))

sum() { sha256sum <"$1" | cut -c1-16; }

set_up() {
	local name

	mkdir -p "$TIER/store/v1" "$TIER/back" "$MNT"
	mount -t tmpfs -o mode=755 tmpfs "$TIER/back"
	: >"$TIER/back/.ready"
	for name in report video ledger; do object "$name" $SIZE; done
	store_start && tier_start -w 0 || { echo "cannot set up" && exit 1; }
}

stubs() {
	local name

	title "(a) Stubs: three files of which the bytes are in nginx, at $STORE_URL"
	for name in report video ledger; do
		touch "$MNT/$name"
		show "$TIERFS" add $name "$MNT/$name"
	done
	show ls -l "$MNT"
	show "$TIERFS" state "$MNT/report" "$MNT/video" "$MNT/ledger"
	claim "the three files have the size of their objects" "$(stat -c %s "$MNT/report" "$MNT/video" "$MNT/ledger" | sort -u)" $SIZE
	claim "and take no space" "$(du -s --block-size=1 "$TIER/back" | cut -f1)" 0
	claim "the store was asked for no byte" "$(gets '')" 0
}

ranges() {
	local before

	title "(b) The first read of a range fetches it; the next ones are the kernel's"
	show dd if="$MNT/video" bs=1000 skip=300 count=1 status=none of=/tmp/piece
	show "$TIERFS" state "$MNT/video"
	show cat "$TIER/store.log"
	claim "1000 bytes from the middle are the right ones" \
		"$(cmp /tmp/piece "$TIER/store/v1/video" -i 0:300000 -n 1000 && echo same)" same
	claim "one chunk of $((SIZE / 65536)) was fetched for them" "$(state video)" "stub 1/$((SIZE / 65536)) video"
	show sha256sum "$MNT/video"
	claim "the whole file has the sum of the object" "$(sum "$MNT/video")" "$(sum "$TIER/store/v1/video")"
	before=$(total daemon)
	sum "$MNT/video" >/dev/null
	claim "read once more, not one request went to the daemon" $(($(total daemon) - before)) 0
	kill -STOP "$tier_pid"
	claim "with the daemon stopped, it is read as well" \
		"$(timeout 20 cmp "$MNT/video" "$TIER/store/v1/video" && echo same)" same
	kill -CONT "$tier_pid"
}

archive() {
	title "(c) Programs that look for holes find none"
	mkdir -p /tmp/out
	show tar --sparse -C "$MNT" -cf /tmp/out.tar report
	tar -C /tmp/out -xf /tmp/out.tar
	claim "tar --sparse of a stub has the right bytes" "$(sum /tmp/out/report)" "$(sum "$TIER/store/v1/report")"
	show cp --sparse=auto "$MNT/ledger" /tmp/out/ledger
	claim "cp has them, too" "$(sum /tmp/out/ledger)" "$(sum "$TIER/store/v1/ledger")"
}

evict() {
	title "(d) Eviction, and what is not evicted"
	show "$TIERFS" evict "$MNT/video"
	claim "evicted, it takes no space" "$(blocks video)" 0
	exec 3<"$MNT/report"
	show "$TIERFS" evict "$MNT/report"
	claim "what somebody has open stays" "$(state report)" "clean report"
	exec 3<&-
	printf 'a correction' | dd of="$MNT/ledger" bs=1 seek=5000 conv=notrunc status=none
	show "$TIERFS" evict "$MNT/ledger"
	claim "what was changed stays" "$(state ledger)" "changed ledger"
}

crash() {
	title "(e) The daemon is killed, the store is down: an error, never zeros"
	note "kill -KILL the daemon"
	tier_kill
	show cat "$MNT/video"
	claim "without a daemon, a stub is an error" "$(cat "$MNT/video" 2>&1 | sed 's/.*: //')" "Input/output error"
	tier_start -w 0
	note "A new daemon is there."
	claim "the change was not lost" "$(dd if="$MNT/ledger" bs=1 skip=5000 count=12 status=none)" "a correction"
	claim "and still keeps the file from being evicted" \
		"$("$TIERFS" evict "$MNT/ledger" 2>&1 | sed 's/.*: //')" "Structure needs cleaning"
	store_stop
	show cat "$MNT/video"
	claim "without the store, a stub is an error" "$(cat "$MNT/video" 2>&1 | sed 's/.*: //')" "Input/output error"
	store_start
	claim "with it again, it is read" "$(sum "$MNT/video")" "$(sum "$TIER/store/v1/video")"
}

load() {
	title "(f) Three readers, one writer, and one who evicts as fast as he can"
	show "$TIERFS" evict "$MNT/video" "$MNT/report"
	claim "all bytes were right" "$("$WAYS" at_once 3 "$TIERFS" "$MNT/video" "$TIER/store/v1/video" "$MNT/report" \
		"$TIER/store/v1/report" 2>&1 && echo right)" right
}

set_up
stubs
ranges
archive
evict
crash
load
tier_stop
store_stop
claim "all is unmounted, and nothing holds on to the backing" "$(umount "$TIER/back" && echo yes)" yes
summary
exit $failed
