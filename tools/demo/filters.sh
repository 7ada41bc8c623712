#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# filters.sh: what filters do, shown. Runs in the guest; see "make demo-filters".
#
# Two users see two trees from one cache; a filter is swapped under load; bytes are
# redacted however they are read; an unmodified daemon, and a single directory, get
# filters too. Every claim is checked, and the last lines are a table of them.

set -u
. "$(dirname "$0")/lib.sh"
. /src/selftests/harness/plain.sh

HERE=/src/tools/demo
BACK=/mnt/back PLAIN=/mnt/plain WORK=/mnt/work
SWAPS=50

# A tree that can be written to: fs/ of the kernel, with its secrets, on tmpfs
grow() {
	mkdir -p "$BACK" "$PLAIN" "$WORK"
	mount -t tmpfs -o mode=755 tmpfs "$BACK"
	cp -a "$TREE/fs" "$BACK/"
	mkdir -m 1777 "$BACK/with" "$BACK/without" "$BACK/out"
	echo API_KEY=planted-secret-6 >"$BACK/with/.env"
	chmod 666 "$BACK/with/.env"
	chmod 1777 "$WORK"
}

secrets_seen() { as "$1" find "$2" -type f \( "${SECRETS[@]}" \) | wc -l; }

two_trees() {
	local all secrets

	all=$(find "$BACK" -type f | wc -l)
	secrets=$(secrets_seen 0 "$BACK")
	title "(a) Two users, two trees, one cache: $all files, $secrets of them secrets"
	show "$FB" mount "$BACK" "$VIEW" allow_other filter "$BUILD/bpf/hide.bpf.o" \
		set hide_names .env set hide_names id_rsa set hide_suffixes .pem set allow_uids "$BOB"
	note "bob goes first, so that all names are in the cache when alice comes."
	show_as bob $BOB find "$VIEW" -type f \( "${SECRETS[@]}" \)
	show_as alice $ALICE find "$VIEW" -type f \( "${SECRETS[@]}" \)
	claim "bob sees all $secrets secrets" "$(secrets_seen $BOB "$VIEW")" "$secrets"
	claim "alice sees none of them" "$(secrets_seen $ALICE "$VIEW")" 0
	claim "alice sees every other file" "$(as $ALICE find "$VIEW" -type f | wc -l)" "$((all - secrets))"
	show_as bob $BOB cat "$VIEW/fs/.env"
	show_as alice $ALICE cat "$VIEW/fs/.env"
	show_as bob $BOB ls -A "$VIEW/with"
	show_as alice $ALICE ls -A "$VIEW/with"
	claim "bob reads it, from the cache that alice uses too" "$(as $BOB cat "$VIEW/fs/.env")" \
		"API_KEY=planted-secret-1"
	claim "for alice, a name that bob has cached does not exist" \
		"$(as $ALICE stat "$VIEW/fs/.env" 2>&1 | sed 's/.*: //')" "No such file or directory"
}

# What a name says when it is hidden must be what it says when there is no such file.
same_errors() {
	local there absent

	there=$(as $ALICE $HERE/names.py "$VIEW/with" .env)
	absent=$(as $ALICE $HERE/names.py "$VIEW/without" .env)
	note "What alice gets for .env in a directory that has it, and in one that has not:"
	paste <(echo "$there") <(echo "$absent" | cut -c28-) | sed 's/^/    /'
	claim "no call tells alice whether a hidden name exists ($(wc -l <<<"$there") calls)" "$there" "$absent"
	claim "none of them succeeded" "$(grep -c done <<<"$there")" 0
	claim "she is told of it what she is told of any missing name" \
		"$(as $ALICE cat "$VIEW/with/.env" 2>&1)" \
		"$(as $ALICE cat "$VIEW/with/missing" 2>&1 | sed s/missing/.env/)"
	claim "the file is unharmed" "$(cat "$BACK/with/.env")" "API_KEY=planted-secret-6"
	show "$FB" stat "$VIEW"
	claim "not one request went to a daemon" "$(total daemon)" 0
}

# find_load UID OUT: finds until they are stopped; a line each with secrets seen and status
find_load() {
	local seen status

	while [ ! -e "$WORK/stop" ]; do
		seen=$(as "$1" find "$VIEW/fs" -type f \( "${SECRETS[@]}" \) 2>"$2.err") && status=0 || status=$?
		echo "$(grep -c . <<<"$seen") $status $(wc -l <"$2.err")"
	done >"$2"
}

swap() {
	local i maps=() map

	for ((i = 0; i < SWAPS; i++)); do
		map=$("$FB" -j replace "$VIEW" name hide obj "$BUILD/bpf/hide.bpf.o" |
			grep -o '"map_id":[0-9]*') && maps+=("$map")
	done
	printf '%s\n' "${maps[@]}" | sort -u | wc -l
}

under_load() {
	local looks seen wrong finds secrets swaps begin=$SECONDS

	title "(b) A filter swapped $SWAPS times under load, its rules kept"
	rm -f "$WORK/stop"
	secrets=$(secrets_seen $BOB "$VIEW/fs")
	# Below the swaps in priority, or these would take most of the time
	renice -n 19 $BASHPID >/dev/null
	find_load $ALICE "$WORK/alice" &
	find_load $BOB "$WORK/bob" &
	as $ALICE $HERE/names.py "$VIEW/fs" .env "$WORK/stop" >"$WORK/looks" &
	renice -n 0 $BASHPID >/dev/null
	show "$FB" replace "$VIEW" name hide obj "$BUILD/bpf/hide.bpf.o"
	swaps=$(swap)
	touch "$WORK/stop"
	wait
	finds=$(wc -l <"$WORK/alice")
	read -r looks seen wrong <"$WORK/looks"
	note "$swaps swaps in $((SECONDS - begin)) s; alice: $finds finds and $looks lookups; bob: $(wc -l <"$WORK/bob") finds"
	claim "every swap put other programs in place" "$swaps" $SWAPS
	claim "there was load: finds of alice's and of bob's ended meanwhile" \
		"$([ "$finds" -ge 5 ] && [ "$(wc -l <"$WORK/bob")" -ge 5 ] && echo yes)" yes
	claim "not one of alice's $finds finds saw a secret or failed" "$(sort -u "$WORK/alice")" "0 0 0"
	claim "nor did one of $looks lookups" "$seen seen, $wrong wrong" "0 seen, 0 wrong"
	claim "bob saw all $secrets in each of his" "$(sort -u "$WORK/bob")" "$secrets 0 0"
}

ranges() {
	local file=$VIEW/out/ledger ino alice bob

	title "(c) Bytes that read as zero, however they are read"
	seq -f 'account %08.0f' 2000 >"$BACK/out/ledger"
	chmod 644 "$BACK/out/ledger"
	ino=$(stat -c %i "$BACK/out/ledger")
	show "$FB" attach "$VIEW" obj "$BUILD/bpf/redact.bpf.o" set allow_uids "$BOB" \
		set redact_ranges "$ino=8,16,5000,13000,20000,0xffffffffffffffff"
	show_as bob $BOB head -c 34 "$file"
	show_as alice $ALICE head -c 34 "$file" | tr '\0' 0
	bob=$(as $BOB $HERE/ways.py "$file" 8-16,5000-13000,20000-34000 "$VIEW/out/copy" "$WORK/copy" <"$BACK/out/ledger")
	alice=$(as $ALICE $HERE/ways.py "$file" 8-16,5000-13000,20000-34000 "$VIEW/out/copy" "$WORK/copy" <"$BACK/out/ledger")
	printf '    %-28s %-14s %s\n' '' alice bob
	paste -d' ' <(printf '%s\n' "$alice" | awk '{ printf "%-43s\n", $0 }') <(cut -c30- <<<"$bob") | sed 's/^/    /'
	claim "bob reads the true bytes in all $(wc -l <<<"$bob") ways" "$(grep -vc ' true$' <<<"$bob")" 0
	claim "alice in none: zeros, or a refusal" "$(grep -vcE ' (zeros|refused E[A-Z]+)$' <<<"$alice")" 0
	claim "what is refused to her is a mapping, and that only" \
		"$(grep refused <<<"$alice" | cut -d, -f1 | sort -u)" mmap
	show "$FB" umount "$VIEW"
}

# counted UID: opens of a user's, as audit has counted them
counted() {
	bpftool -j map dump name audit_counts | python3 -c '
import json, sys
counts = [e["formatted"] for e in json.load(sys.stdin)]
print(sum(c["value"]["requests"] for c in counts
          if c["key"]["uid"] == int(sys.argv[1]) and c["key"]["opcode"] == 14))' "$1"
}

plain() {
	title "(d) Filters on an unmodified daemon: stock libfuse, not backed"
	plain_mount "$BACK" "$PLAIN" || return
	show "$FB" attach "$PLAIN" obj "$BUILD/bpf/audit.bpf.o"
	show "$FB" attach "$PLAIN" obj "$BUILD/bpf/hide.bpf.o" set hide_names .env set hide_suffixes .pem \
		set allow_uids "$BOB"
	show_as bob $BOB cat "$PLAIN/with/.env"
	show_as alice $ALICE cat "$PLAIN/with/.env"
	show_as alice $ALICE head -n 1 "$PLAIN/fs/namei.c"
	show_as alice $ALICE tail -n 1 "$PLAIN/fs/namei.c"
	show bpftool map dump name audit_counts
	show "$FB" stat "$PLAIN"
	claim "deny: alice gets no secret from the daemon's tree, and no name" \
		"$(as $ALICE cat "$PLAIN/with/.env" 2>/dev/null)$(as $ALICE ls -A "$PLAIN/with")" ""
	claim "bob gets it" "$(as $BOB cat "$PLAIN/with/.env")" "API_KEY=planted-secret-6"
	claim "audit: alice opened 2 files" "$(counted $ALICE)" 2
	claim "audit: bob opened 2, both times the secret" "$(counted $BOB)" 2
	show "$FB" umount "$PLAIN"
	wait "$plain_pid"
	claim "the daemon ended well" $? 0
}

one_directory() {
	title "(e) A filter on one directory"
	show "$FB" mount "$BACK" "$VIEW" allow_other
	show "$FB" attach "$VIEW" obj "$BUILD/bpf/hide.bpf.o" dir fs/ext4 set hide_names inode.c
	show "$FB" ls "$VIEW"
	show_as alice $ALICE ls "$VIEW/fs/ext4/inode.c" "$VIEW/fs/inode.c" "$VIEW/fs/xfs/Makefile"
	claim "what the filter hides is hidden in that directory" "$(as $ALICE ls "$VIEW/fs/ext4" | grep -c '^inode.c$')" 0
	claim "and nowhere else" "$(as $ALICE ls "$VIEW/fs" "$VIEW/fs/btrfs" | grep -c '^inode.c$')" 2
	show mv "$VIEW/fs/ext4" "$VIEW/out/moved"
	show_as alice $ALICE ls "$VIEW/out/moved/inode.c"
	claim "the filter moves with the directory" "$(as $ALICE ls "$VIEW/out/moved" | grep -c '^inode.c$')" 0
	show "$FB" detach "$VIEW" name hide dir out/moved
	claim "detached, it hides nothing" "$(as $ALICE ls "$VIEW/out/moved" | grep -c '^inode.c$')" 1
	show "$FB" umount "$VIEW"
}

lay_out
grow
two_trees
same_errors
under_load
ranges
plain
one_directory
umount "$BACK" "$DISK"
summary
exit $failed
