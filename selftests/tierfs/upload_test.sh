#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# tierfs -u: what was changed is in the store before its bytes are let go of here, whoever
# writes, renames, removes or is killed meanwhile, and nothing else stays there.
set -u
cd "$(dirname "$0")/../.." || exit 1
. selftests/harness/tier.sh

HERE=$PWD/selftests/tierfs
TIER=$(mktemp -d /tmp/tier-XXXXXX)
chmod 755 "$TIER"
LARGE=$((1 << 20))

is_clean() { [[ $(state "$1") = clean* ]]; }
is_stub() { [[ $(state "$1") = stub\ 0/* ]]; }
uploaded() { until_true 60 is_clean "$1" || { echo "$1: $(state "$1")" && return 1; }; }
object_of() { state "$1" | sed 's/^clean //; s/^stub [^ ]* //'; }
# content NAME FILE: what there is, here and in the store, and after it was let go of here
content() {
	uploaded "$1" && helper same "$2" "$TIER/mnt/$1" && helper same "$2" "$TIER/store/v1/$(object_of "$1")" || return
	helper evict "$TIER/mnt/$1" && is_stub "$1" && helper same "$2" "$TIER/mnt/$1"
}
# What the store has, but for what was there before, is what files have, and nothing else
is_exact() {
	diff <(cd "$TIER/mnt" && find . -type f -exec "$TIERFS" state {} + | grep -o '[^ ]*~[0-9a-f]\{16\}$' | sort) \
		<(cd "$TIER/store/v1" && find . -type f -name '*~*' | sed 's,^\./,,' | sort) >"$TIER/diff"
}
exact() { until_true 60 is_exact || { cat "$TIER/diff" && return 1; }; }
graves_are_empty() { [ -z "$(ls -A "$TIER/back/.tierfs")" ]; }

# Files that are new, and stubs, changed in every way
changes() {
	object large $LARGE && stub large && cp "$TIER/store/v1/large" "$TIER/large" || return
	printf changed | tee >(dd of="$TIER/mnt/large" bs=1 seek=70000 conv=notrunc status=none) |
		dd of="$TIER/large" bs=1 seek=70000 conv=notrunc status=none
	until_true 20 cmp "$TIER/large" "$TIER/mnt/large" && content large "$TIER/large" || return
	# The object that somebody else has put there stays; it is nobody's to remove
	[ -e "$TIER/store/v1/large" ] && [[ $(object_of large) = large~* ]] || return
	mkdir "$TIER/mnt/dir" && cp "$TIER/large" "$TIER/mnt/dir/new" && content dir/new "$TIER/large" || return
	echo more >>"$TIER/mnt/dir/new" && echo more >>"$TIER/large" && content dir/new "$TIER/large" || return
	truncate -s 1000 "$TIER/mnt/dir/new" "$TIER/large" && content dir/new "$TIER/large" || return
	truncate -s 300000 "$TIER/mnt/dir/new" "$TIER/large" && content dir/new "$TIER/large" || return
	helper mmap_write "$TIER/mnt/dir/new" "$TIER/large" &&
		printf changed | dd of="$TIER/large" bs=1 seek=1000 conv=notrunc status=none && content dir/new "$TIER/large" || return
	fallocate -p -o 65536 -l 65536 "$TIER/mnt/dir/new" && fallocate -p -o 65536 -l 65536 "$TIER/large" &&
		content dir/new "$TIER/large" || return
	: >"$TIER/mnt/dir/new" && : >"$TIER/empty" && uploaded dir/new && "$TIERFS" evict "$TIER/mnt/dir/new" &&
		cmp "$TIER/empty" "$TIER/mnt/dir/new" && [ ! -s "$TIER/store/v1/$(object_of dir/new)" ] || return
	# Names that no server likes
	echo text >"$TIER/text"
	for name in "a..b" "a b%2f?#" "$(printf 'x%.0s' {1..255})" $'new\nline'; do
		cp "$TIER/text" "$TIER/mnt/$name" && uploaded "$name" && "$TIERFS" evict "$TIER/mnt/$name" &&
			cmp "$TIER/text" "$TIER/mnt/$name" && rm "$TIER/mnt/$name" || { echo "$name" && return 1; }
	done
	exact
}

# What has no other version than the one here is not let go of before it is in the store
eviction() {
	echo one >"$TIER/one" && cp "$TIER/one" "$TIER/mnt/file" && [ "$(state file)" = local ] || return
	"$TIERFS" evict "$TIER/mnt/file" && is_stub file && cmp "$TIER/one" "$TIER/mnt/file" || return
	echo two >>"$TIER/one" && echo two >>"$TIER/mnt/file" && [[ $(state file) = changed* ]] || return
	store_stop || return
	fails_with "Input/output error" "$TIERFS" evict "$TIER/mnt/file" &&
		fails_with "Input/output error" "$TIERFS" sync "$TIER/mnt/file" || return
	[[ $(state file) = changed* ]] && cmp "$TIER/one" "$TIER/mnt/file" || return
	# A store that takes it and has it not, and one that does not take it
	STORE_EXTRA='location /v1 { if ($request_method = PUT) { return 201; } }' store_start || return
	fails_with "Input/output error" "$TIERFS" evict "$TIER/mnt/file" && [[ $(state file) = changed* ]] && store_stop || return
	STORE_EXTRA='location /v1 { limit_except GET { deny all; } }' store_start || return
	fails_with "Input/output error" "$TIERFS" evict "$TIER/mnt/file" && [[ $(state file) = changed* ]] && store_stop || return
	store_start && "$TIERFS" sync "$TIER/mnt/file" && is_clean file && content file "$TIER/one" || return
	# Somebody has it open for writing
	exec 3>>"$TIER/mnt/file"
	echo three | tee -a "$TIER/one" >&3
	fails_with "busy" "$TIERFS" sync "$TIER/mnt/file" && fails_with "busy" "$TIERFS" evict "$TIER/mnt/file" || return
	exec 3>&-
	content_now file "$TIER/one" && exact
}
content_now() { "$TIERFS" sync "$TIER/mnt/$1" && content "$1" "$2"; }

# Objects that the attribute of a file knows of; while it is sent, there is one more
known() { getfattr --only-values -n trusted.tierfs "$TIER/back/$1" 2>/dev/null | grep -ao "$1~[0-9a-f]\{16\}" | sort -u | wc -l; }
knows() { [ "$(known "$1")" -gt "$2" ]; }

# during COMMAND...: what is done while a file is being sent; it stays changed, and the next
# attempt has it as it is then
during() {
	local status=0 sync before

	before=$(known file)
	store_pause
	"$TIERFS" sync "$TIER/mnt/file" 2>"$TIER/sync" &
	sync=$!
	until_true 60 knows file "$before" && "$@" || status=1
	store_resume
	! wait $sync && grep -q busy "$TIER/sync" && [ $status -eq 0 ] && [[ $(state file) = changed* ]] ||
		{ echo "$*: $status, $(cat "$TIER/sync"), $(state file)" && return 1; }
	cp "$TIER/mnt/file" "$TIER/copy" && content_now file "$TIER/copy"
}
append() { echo more >>"$TIER/mnt/file"; }
write_same_size() { printf XX | dd of="$TIER/mnt/file" bs=1 seek=500000 conv=notrunc status=none; }
meanwhile() {
	local command

	# More than a socket takes, so that the upload has not ended when the store is stopped
	object big $((8 << 20)) && mv "$TIER/store/v1/big" "$TIER/big" || return
	for command in append write_same_size "truncate -s 9000000 $TIER/mnt/file" \
		"helper mmap_write $TIER/mnt/file $TIER/big"; do
		cat "$TIER/big" >"$TIER/mnt/file" || return
		# shellcheck disable=SC2086
		during $command || return
	done
	exact
}

# Objects go with their files, and are called as they are
names() {
	local name

	mkdir -p "$TIER/mnt/a/b" && for name in a/one a/b/two three; do echo "$name" >"$TIER/mnt/$name"; done
	for name in a/one a/b/two three; do uploaded $name || return; done
	mv "$TIER/mnt/three" "$TIER/mnt/a/moved" && until_true 60 called a/moved && mv "$TIER/mnt/a" "$TIER/mnt/z" || return
	for name in z/one z/b/two z/moved; do
		until_true 60 called $name && "$TIERFS" evict "$TIER/mnt/$name" || { echo "$name: $(state $name)" && return 1; }
	done
	[ "$(cat "$TIER/mnt/z/one" "$TIER/mnt/z/b/two" "$TIER/mnt/z/moved")" = $'a/one\na/b/two\nthree' ] && exact || return
	# Over another one, and one for the other
	mv "$TIER/mnt/z/one" "$TIER/mnt/z/moved" && exact && [ "$(cat "$TIER/mnt/z/moved")" = a/one ] || return
	helper exchange "$TIER/mnt/z/moved" "$TIER/mnt/z/b/two" && until_true 60 called z/moved &&
		until_true 60 called z/b/two && [ "$(cat "$TIER/mnt/z/b/two")" = a/one ] && exact || return
	# The last of several names
	ln "$TIER/mnt/z/moved" "$TIER/mnt/link" && rm "$TIER/mnt/z/moved" && until_true 60 graves_are_empty &&
		[ "$(cat "$TIER/mnt/link")" = a/b/two ] && "$TIERFS" evict "$TIER/mnt/link" && rm "$TIER/mnt/link" && exact || return
	# What has no bytes has no object
	ln -s z "$TIER/mnt/symlink" && mkfifo "$TIER/mnt/fifo" && mv "$TIER/mnt/symlink" "$TIER/mnt/fifo" &&
		[ "$(readlink "$TIER/mnt/fifo")" = z ] && rm "$TIER/mnt/fifo" && mkdir "$TIER/mnt/empty" &&
		mv -T "$TIER/mnt/empty" "$TIER/mnt/empty2" && rmdir "$TIER/mnt/empty2" && exact || return
	rm -r "$TIER/mnt/z" && exact && until_true 60 graves_are_empty || return
	# The place where the dead are is nobody's
	[ -z "$(find "$TIER/mnt" -name .tierfs)" ] && fails_with "No such file" ls "$TIER/mnt/.tierfs" &&
		! mkdir "$TIER/mnt/.tierfs" && ! mv "$TIER/mnt/.ready" "$TIER/mnt/.tierfs" && [ -d "$TIER/back/.tierfs" ]
}
called() { [[ $(object_of "$1") = "$1~"* ]]; }

# Whoever has a stub open that is removed reads it to its end
open_still() {
	object large $LARGE && cp "$TIER/store/v1/large" "$TIER/mnt/open" && uploaded open && "$TIERFS" evict "$TIER/mnt/open" || return
	exec 3<"$TIER/mnt/open"
	rm "$TIER/mnt/open" && cmp "$TIER/store/v1/large" - <&3 || return
	exec 3<&-
	exact && until_true 60 graves_are_empty
}

# An end without a signal: what has not been sent is sent by the next daemon
next_daemon() {
	echo unsent >"$TIER/unsent"
	store_stop && cp "$TIER/unsent" "$TIER/mnt/file" && mkdir "$TIER/mnt/dir" && cp "$TIER/unsent" "$TIER/mnt/dir/file" || return
	tier_stop && store_start && tier_start -u 0 && content file "$TIER/unsent" && content dir/file "$TIER/unsent" && exact
}

# Killed at each step of sending, renaming and removing
killed_at() {
	local at=$1 wanted

	cp "$TIER/old" "$TIER/mnt/sent" && echo kept >"$TIER/mnt/kept" && echo gone >"$TIER/mnt/gone" &&
		uploaded sent && uploaded kept && uploaded gone && "$TIERFS" evict "$TIER/mnt/kept" "$TIER/mnt/gone" || return
	tier_stop && tier_trace "$at" && tier_start -u 0 || return
	wanted=$TIER/old
	# Whatever it answered, what it said that it has done is not lost
	cp "$TIER/new" "$TIER/mnt/sent" 2>/dev/null && wanted=$TIER/new
	mv "$TIER/mnt/kept" "$TIER/mnt/moved" 2>/dev/null
	rm "$TIER/mnt/gone" 2>/dev/null
	until_true 60 is_over || return
	tier_kill
	tier_trace '' && tier_start -u 0 && uploaded sent || return
	[ -e "$TIER/mnt/moved" ] || mv "$TIER/mnt/kept" "$TIER/mnt/moved" || return
	rm -f "$TIER/mnt/gone"
	until_true 60 called moved && exact && [ "$(cat "$TIER/mnt/moved")" = kept ] || return
	cmp "$wanted" "$TIER/mnt/sent" || [ "$wanted" = "$TIER/old" ] || return
	"$TIERFS" evict "$TIER/mnt/sent" && { cmp -s "$wanted" "$TIER/mnt/sent" || cmp_any; } || return
	until_true 60 graves_are_empty && rm "$TIER/mnt/sent" "$TIER/mnt/moved" && exact
}
# If not even the copy has succeeded, the file is as far as it got
cmp_any() { cmp -n "$(stat -c %s "$TIER/mnt/sent")" "$TIER/new" "$TIER/mnt/sent"; }
is_over() { ! kill -0 "$tier_pid" 2>/dev/null || { is_clean sent && called moved && exact_now; }; }
exact_now() { is_exact && graves_are_empty; }
killed() {
	local at

	object old $LARGE && mv "$TIER/store/v1/old" "$TIER/old" && object new $LARGE && mv "$TIER/store/v1/new" "$TIER/new" || return
	for at in $KILL_AT; do killed_at "$at" || { echo "killed at $at" && return 1; }; done
}

has_written() { [ -e "$TIER/written" ] && [ "$(wc -l <"$TIER/written")" -ge "$1" ]; }

# Somebody writes all the time, and the daemon is killed when it may be
killed_any_time() {
	local i

	for ((i = 0; i < ROUNDS; i++)); do
		"$HERE/ways.py" keep_writing "$TIER/mnt" "$TIER/written" &
		writer=$!
		until_true 60 has_written $((i * 20 + 3)) && sleep "0.$((RANDOM % 900 + 100))"
		tier_kill
		wait $writer || return
		tier_start -u 0 && helper as_written "$TIER/mnt" "$TIER/written" && exact || return
		# What was empty when the daemon was killed has no object to be evicted to
		find "$TIER/mnt" -name 'w*' -size +0 -exec "$TIERFS" evict {} + && helper as_written "$TIER/mnt" "$TIER/written" || return
	done
}

options() {
	fails_with "Usage" "$TIERFS" mount -u x "$STORE_URL" "$TIER/back" "$TIER/mnt" &&
		fails_with "Usage" "$TIERFS" mount -u -1 "$STORE_URL" "$TIER/back" "$TIER/mnt" || return
	echo text >"$TIER/mnt/file" && fails_with "not supported" "$TIERFS" sync "$TIER/mnt/file" &&
		fails_with "No data" "$TIERFS" evict "$TIER/mnt/file"
}

ROUNDS=${ROUNDS:-1}
echo 1..$((${KILL_AT:+2} + 7))
tier_set_up ext4 && helper_start && store_start || { echo "Bail out! no object store" && exit 1; }
run "every change is sent" changes -u 0
run "eviction sends first" eviction -u 3600
run "written while it is sent" meanwhile -u 3600
run "names" names -u 0
run "removed while open" open_still -u 0 -w 0
run "sent by the next daemon" next_daemon -u 0
# Kills take long: see check.sh, and "make soak T=tierfs"
if [ -n "${KILL_AT:-}" ]; then
	run "killed at each step" killed -u 0
	run "killed at any time" killed_any_time -u 0
fi
run "without -u" options
store_stop
tier_tear_down
exit $failed
