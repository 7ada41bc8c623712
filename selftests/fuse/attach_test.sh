#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# attach_test.sh: the example daemon "attach", which is stock libfuse with the
# replies of libfuse-bpf, does what it says it does.
set -u
cd "$(dirname "$0")/../.." || exit 1
. selftests/harness/command.sh

DAEMON=build/lib/examples/attach
TOP=$(mktemp -d /tmp/attach-XXXXXX)

set_up() {
	mkdir "$TOP/back" "$TOP/mnt"
	mount -t tmpfs -o mode=755 tmpfs "$TOP/back" || return
	mkdir -p "$TOP/back/dir/sub" "$TOP/back/.hidden"
	echo text >"$TOP/back/file"
	echo deep >"$TOP/back/dir/sub/deep"
	ln -s file "$TOP/back/link"
	"$DAEMON" "$TOP/back" "$TOP/mnt" &
	daemon=$!
	for _ in $(seq 100); do
		! mountpoint -q "$TOP/mnt" || return 0
		sleep 0.1
	done
	return 1
}

same() { [ "$(cat "$1")" = "$(cat "$2")" ] && [ "$(stat -c %a,%s,%i "$1")" = "$(stat -c %a,%s,%i "$2")" ]; }
trees() { diff -r --no-dereference --exclude=.hidden "$TOP/back" "$TOP/mnt"; }
refused() { ! "$@"; }
creates() { echo new >"$TOP/mnt/new" && same "$TOP/back/new" "$TOP/mnt/new"; }
appends() { echo more >>"$TOP/mnt/dir/sub/deep" && grep -q more "$TOP/back/dir/sub/deep"; }
removes() { rm "$TOP/mnt/new" && [ ! -e "$TOP/back/new" ]; }
makes_dir() { mkdir "$TOP/mnt/made" && echo x >"$TOP/mnt/made/x" && trees; }
links() { [ "$(readlink "$TOP/mnt/link")" = file ]; }

# Everything but the root is the kernel's, so a stopped daemon is not missed below.
without_daemon() {
	local status=1

	exec 3<"$TOP/mnt/dir"
	kill -STOP "$daemon"
	if timeout 10 bash -c 'cd /proc/self/fd/3 && cat sub/deep && echo y >sub/new && rm sub/new'; then
		status=0
	fi
	kill -CONT "$daemon"
	exec 3<&-
	return $status
}

# What the kernel has forgotten, the daemon lets go of: the id is closed.
lets_go() {
	echo 2 >/proc/sys/vm/drop_caches
	trees
}

# The daemon ends by itself, and nothing holds on to what it has registered.
ends() {
	umount "$TOP/mnt" || return
	for _ in $(seq 100); do
		kill -0 "$daemon" 2>/dev/null || break
		sleep 0.1
	done
	umount "$TOP/back"
}

echo "1..12"
if ! set_up; then
	echo "Bail out! cannot mount"
	exit 1
fi
check "file" same "$TOP/back/file" "$TOP/mnt/file"
check "symbolic link" links
check "all trees" trees
check "hidden name" refused stat "$TOP/mnt/.hidden"
check "hidden name to be made" refused mkdir "$TOP/mnt/.new"
check "create" creates
check "append below" appends
check "remove" removes
check "make a directory" makes_dir
check "below, without the daemon" without_daemon
check "forget and find again" lets_go
check "end" ends
rm -rf "$TOP"
exit $failed
