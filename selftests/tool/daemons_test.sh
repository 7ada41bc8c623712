#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# "fuse-bpf run": bindfs and sshfs as Debian ships them, on mounts with filters that deny,
# count and change what they answer, and that can be taken away.
set -u
cd "$(dirname "$0")/../.." || exit 1

. selftests/harness/command.sh

BPF=$PWD/build/bpf
TOP=$(mktemp -d /tmp/daemons-XXXXXX)
chmod 755 "$TOP"
ALICE=1000 BOB=1001

as() { setpriv --reuid="$1" --regid="$1" --clear-groups -- "${@:2}"; }

lay_out() {
	mkdir -p "$TOP/back/dir" "$TOP/mnt"
	echo text >"$TOP/back/file"
	echo secret >"$TOP/back/secret"
	echo below >"$TOP/back/dir/secret"
	chown -R 4242:4242 "$TOP/back"
	# A server of files at the other end of a pipe, in the place of ssh
	printf '#!/bin/sh\nexec /usr/lib/openssh/sftp-server\n' >"$TOP/pipe"
	chmod 755 "$TOP/pipe"
}

answers() { timeout 20 stat "$TOP/mnt/file" >/dev/null 2>&1; }

# start COMMAND...: a daemon that is filtered from its first request on
start() {
	"$FB" run "$TOP/mnt" allow_other default_permissions filter "$BPF/hide.bpf.o" \
		set hide_names secret set allow_uids $BOB -- "$@" &
	daemon=$!
	local end=$((SECONDS + 60))

	until answers; do
		kill -0 $daemon && [ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}
start_bindfs() { start bindfs -f "$TOP/back" '{}'; }
start_sshfs() { start sshfs -f -o "ssh_command=$TOP/pipe" "host:$TOP/back" '{}'; }

# The daemon has no part in this: it shows all to whoever it is
denies() {
	local dir

	for dir in . dir; do
		! as $ALICE ls -A "$TOP/mnt/$dir" | grep -qx secret || return
		! as $ALICE cat "$TOP/mnt/$dir/secret" || return
		[[ $(as $ALICE cat "$TOP/mnt/$dir/secret" 2>&1) = *"No such file"* ]] || return
		as $BOB ls -A "$TOP/mnt/$dir" | grep -qx secret || return
		as $BOB cat "$TOP/mnt/$dir/secret" || return
	done
	! as 0 mkdir "$TOP/mnt/secret" && [ "$(as $ALICE cat "$TOP/mnt/file")" = text ]
}

# counted UID: opens of a user's
counted() {
	bpftool -j map dump name audit_counts | python3 -c '
import json, sys
counts = [e["formatted"] for e in json.load(sys.stdin)]
print(sum(c["value"]["requests"] for c in counts
          if c["key"]["uid"] == int(sys.argv[1]) and c["key"]["opcode"] == 14))' "$1"
}

audits() {
	"$FB" attach "$TOP/mnt" obj "$BPF/audit.bpf.o" || return
	as $ALICE cat "$TOP/mnt/file" && as $BOB cat "$TOP/mnt/file" && as $BOB cat "$TOP/mnt/secret" || return
	! as $ALICE cat "$TOP/mnt/secret" || return
	[ "$(counted $ALICE)" -eq 1 ] && [ "$(counted $BOB)" -eq 2 ] && "$FB" detach "$TOP/mnt" name audit
}

# Owners are shown as others, and set as what they are shown as
edits() {
	[ "$(stat -c %u "$TOP/mnt/file")" -eq 4242 ] || return
	"$FB" attach "$TOP/mnt" obj "$BPF/examples/map_owners.bpf.o" set shown_as 4242=$ALICE \
		set stored_as $BOB=4343 || return
	[ "$(stat -c %u "$TOP/mnt/file")" -eq $ALICE ] && [ "$(stat -c %u "$TOP/mnt/dir")" -eq $ALICE ] || return
	[ "$(stat -c %u "$TOP/back/file")" -eq 4242 ] || return
	chown $BOB "$TOP/mnt/dir/secret" 2>/dev/null
	chown $BOB "$TOP/mnt/file" && [ "$(stat -c %u "$TOP/back/file")" -eq 4343 ] || return
	chown 4242 "$TOP/back/file" && "$FB" detach "$TOP/mnt" name map_owners || return
	[ "$(stat -c %u "$TOP/mnt/dir")" -eq 4242 ]
}

restores() {
	"$FB" detach "$TOP/mnt" name hide && as $ALICE ls -A "$TOP/mnt" | grep -qx secret &&
		[ "$(as $ALICE cat "$TOP/mnt/secret")" = secret ] && "$FB" ls "$TOP/mnt" && ! "$FB" ls "$TOP/mnt" | grep hide
}

ends() {
	"$FB" umount "$TOP/mnt" || return
	local end=$((SECONDS + 60))

	while kill -0 $daemon 2>/dev/null && [ "$(ps -o stat= -p $daemon)" != Z ]; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}

# Wrong words, and a daemon that is not there: nothing stays mounted, nothing pinned
refuses() {
	local hide="filter $BPF/hide.bpf.o" words

	for words in "-- bindfs $TOP/back" "" "-- " "$hide dir x -- bindfs $TOP/back {}" "nonsense -- x {}"; do
		# shellcheck disable=SC2086
		"$FB" run "$TOP/mnt" $words
		[ $? -eq 2 ] || return
	done
	# shellcheck disable=SC2086
	"$FB" run "$TOP/mnt" $hide -- /no/such/daemon {} 2>"$TOP/err"
	[ $? -eq 1 ] && grep -q "cannot run /no/such/daemon" "$TOP/err" || return
	! mountpoint -q "$TOP/mnt" && ! ls /sys/fs/bpf/fuse-bpf/hide-* 2>/dev/null
}

echo 1..13
lay_out
for kind in bindfs sshfs; do
	start_$kind
	check "$kind: runs" answers
	check "$kind: deny by name and user" denies
	check "$kind: count opens" audits
	check "$kind: show other owners" edits
	check "$kind: detach" restores
	check "$kind: end" ends
	wait $daemon
	! mountpoint -q "$TOP/mnt" || umount -l "$TOP/mnt"
done
check "what cannot be" refuses
rm -rf "$TOP"
exit $failed
