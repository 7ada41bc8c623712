#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# demo.sh: the main job, shown. Runs in the guest; see "make demo".
#
# Act 1: a real tree is mounted through a filter that hides secrets from all
# users but one. Act 2: a daemon serves one file, where another filter sends it.
# Every claim is checked, and the last lines are a table of them.

set -u

. "$(dirname "$0")/lib.sh"

act_one() {
	local all secrets

	all=$(find "$TREE" -type f | wc -l)
	secrets=$(find "$TREE" -type f \( "${SECRETS[@]}" \) | wc -l)
	title "A tree of $all files, $secrets of them secrets, mounted through a filter"
	note "No daemon: the kernel answers from the backing. hide.bpf.c hides names"
	note "from everybody but uid $BOB (bob)."
	show "$FB" mount "$TREE" "$VIEW" allow_other filter "$BUILD/bpf/hide.bpf.o" \
		set hide_names .env set hide_names id_rsa set hide_suffixes .pem set allow_uids "$BOB"

	title "What alice sees, and what bob sees"
	show_as alice $ALICE find "$VIEW" -type f \( "${SECRETS[@]}" \)
	show_as bob $BOB find "$VIEW" -type f \( "${SECRETS[@]}" \)
	claim "alice finds no secret by find" "$(as $ALICE find "$VIEW" -type f \( "${SECRETS[@]}" \) | wc -l)" 0
	claim "bob finds all $secrets" "$(as $BOB find "$VIEW" -type f \( "${SECRETS[@]}" \) | wc -l)" "$secrets"
	claim "alice sees every other file" "$(as $ALICE find "$VIEW" -type f | wc -l)" "$((all - secrets))"

	show_as alice $ALICE grep -r planted-secret "$VIEW/fs"
	show_as bob $BOB grep -r planted-secret "$VIEW/fs"
	claim "alice finds no secret by grep -r" "$(as $ALICE grep -r planted-secret "$VIEW/fs" | wc -l)" 0

	note "bob has just read .env, so its name is in the dentry cache; alice asks by name:"
	show_as bob $BOB cat "$VIEW/fs/.env"
	show_as alice $ALICE cat "$VIEW/fs/.env"
	claim "a name that bob has cached does not exist for alice" \
		"$(as $ALICE cat "$VIEW/fs/.env" 2>&1 | sed 's/.*: //')" "No such file or directory"
	claim "alice reads what is hers to read, unchanged" \
		"$(as $ALICE sha256sum <"$VIEW/fs/namei.c")" "$(sha256sum <"$TREE/fs/namei.c")"
}

look_inside() {
	title "Who answered: the counters of the mount"
	show "$FB" stat "$VIEW"
	claim "not one request went to a daemon" "$(total daemon)" 0

	title "What bpftool knows of the filter"
	show bpftool link show
	show bpftool prog show name hide_lookup
	show bpftool prog show name hide_dirent
	show bpftool map show
	claim "bpftool shows the filter's link" "$(bpftool link show | grep -c struct_ops)" 1
}

live() {
	local id

	title "Detached and attached again, while the tree is in use"
	id=$("$FB" -j ls | grep -o '"id":[0-9]*' | head -n1 | cut -d: -f2)
	show "$FB" detach "$VIEW" "$id"
	show_as alice $ALICE cat "$VIEW/fs/.env"
	claim "without the filter alice sees the name at once" "$(as $ALICE cat "$VIEW/fs/.env" 2>&1)" "API_KEY=planted-secret-1"
	show "$FB" attach "$VIEW" obj "$BUILD/bpf/hide.bpf.o" set hide_names .env set allow_uids "$BOB"
	show_as alice $ALICE cat "$VIEW/fs/.env"
	claim "with it she does not, cached name or not" "$(as $ALICE cat "$VIEW/fs/.env" 2>/dev/null)" ""
	show "$FB" umount "$VIEW"
}

act_two() {
	local daemon

	title "Act 2: one file from a daemon, the rest from the kernel"
	note "one_file is 120 lines on stock libfuse; route.bpf.c sends it the name STATUS."
	"$BUILD/lib/examples/one_file" "$TREE" "$VIEW" STATUS &
	daemon=$!
	until mountpoint -q "$VIEW"; do sleep 0.1; done
	show "$FB" attach "$VIEW" obj "$BUILD/bpf/route.bpf.o" set daemon_names STATUS
	show_as alice $ALICE cat "$VIEW/STATUS"
	show_as alice $ALICE ls "$VIEW"
	claim "the daemon answers for its file" "$(as $ALICE cat "$VIEW/STATUS" | cut -d, -f1)" "From the daemon"
	claim "the kernel answers for the rest" "$(as $ALICE sha256sum <"$VIEW/fs/namei.c")" "$(sha256sum <"$TREE/fs/namei.c")"
	show "$FB" stat "$VIEW"
	show "$FB" umount "$VIEW"
	wait $daemon
}

lay_out
act_one
look_inside
live
act_two
umount "$DISK"
summary
exit $failed
