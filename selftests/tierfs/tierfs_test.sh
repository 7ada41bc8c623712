#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# tierfs: stubs are filled from a real store and give the right bytes or an error, in
# whatever way they are read, changed, evicted, and whoever is killed meanwhile.
set -u
cd "$(dirname "$0")/../.." || exit 1
. selftests/harness/tier.sh

HERE=$PWD/selftests/tierfs
TIER=$(mktemp -d /tmp/tier-XXXXXX)
chmod 755 "$TIER"
# Bytes of a large file, and rounds
LARGE=$((1 << 20)) ROUNDS=3
[ "${FLAVOUR:-module}" = module ] || ROUNDS=1

same() { cmp "$TIER/store/v1/$1" "$TIER/mnt/${2:-$1}"; }
is_stub() { [[ $(state "$1") = stub\ 0/* ]]; }
evicted() { "$TIERFS" evict "$TIER/mnt/$1" && is_stub "$1" && [ "$(blocks "$1")" -lt 65536 ]; }
make_stubs() {
	local name

	for name in small odd large empty; do stub "$name" || return; done
}

# A stub has the size and the time of its object, and no bytes
attributes() {
	local name

	make_stubs || return
	for name in small odd large empty; do
		is_stub "$name" || [ "$name" = empty ] || return
		[ "$(stat -c %s,%Y "$TIER/mnt/$name")" = "$(stat -c %s,%Y "$TIER/store/v1/$name")" ] || return
		[ "$(blocks "$name")" -eq 0 ] && [ "$(gets "$name")" -eq 0 ] || return
	done
	chmod 640 "$TIER/mnt/large" && chown 7:8 "$TIER/mnt/large" && is_stub large || return
	[ "$(stat -c %a,%u,%g "$TIER/mnt/large")" = 640,7,8 ] && same large || return
	# Fetching is no modification
	[ "$(stat -c %a,%u,%g,%Y "$TIER/mnt/large")" = "640,7,8,$(stat -c %Y "$TIER/store/v1/large")" ]
}

# Each way of reading, from a stub: the bytes of the object, fetched once
ways() {
	local way

	make_stubs || return
	for way in cat tac_dd rsync cp tar tar_sparse sha grep mmap splice preadv; do
		evicted large || return
		"way_$way" || { echo "by $way" && return 1; }
		[[ $(state large) = clean* ]] || return
	done
	same empty && same small
}
way_cat() { cat "$TIER/mnt/large" | cmp - "$TIER/store/v1/large" && same odd; }
way_tac_dd() {
	local i

	for ((i = LARGE / 65536 - 1; i >= 0; i -= 7)); do
		dd if="$TIER/mnt/large" bs=65536 skip=$i count=1 status=none |
			cmp - "$TIER/store/v1/large" -i 0:$((i * 65536)) -n 65536 || return
	done
}
way_rsync() { mkdir -p "$TIER/copy" && rsync -aX "$TIER/mnt/large" "$TIER/copy/" && way_copied large; }
way_cp() { mkdir -p "$TIER/copy" && cp -a "$TIER/mnt/large" "$TIER/copy/" && way_copied large; }
way_copied() {
	cmp "$TIER/store/v1/$1" "$TIER/copy/$1" && [ -z "$(getfattr -dm- "$TIER/copy/$1")" ] &&
		[ "$(stat -c %Y "$TIER/copy/$1")" = "$(stat -c %Y "$TIER/store/v1/$1")" ] && rm -r "$TIER/copy"
}
way_tar() { mkdir -p "$TIER/copy" && tar -C "$TIER/mnt" -c ${1:+"$1"} large | tar -C "$TIER/copy" -x && way_copied large; }
way_tar_sparse() { way_tar --sparse; }
way_sha() { [ "$(sha256sum <"$TIER/mnt/large")" = "$(sha256sum <"$TIER/store/v1/large")" ]; }
way_grep() { [ "$(grep -c : "$TIER/mnt/large")" = "$(grep -c : "$TIER/store/v1/large")" ]; }
way_mmap() { "$HERE/ways.py" mmap "$TIER/mnt/large" "$TIER/store/v1/large"; }
way_splice() { "$HERE/ways.py" sendfile "$TIER/mnt/large" "$TIER/store/v1/large"; }
way_preadv() { "$HERE/ways.py" pread "$TIER/mnt/large" "$TIER/store/v1/large"; }

# By chunks, only what is read is fetched; what is there is read without the daemon
chunks() {
	make_stubs && is_stub large || return
	dd if="$TIER/mnt/large" bs=1000 skip=100 count=1 status=none |
		cmp - "$TIER/store/v1/large" -i 0:100000 -n 1000 || return
	[[ $(state large) = "stub 1/$((LARGE / 65536)) large" ]] && [ "$(gets large)" -eq 1 ] || return
	[ "$(blocks large)" -le 65536 ] || return
	exec 3<"$TIER/mnt/large"
	kill -STOP "$tier_pid"
	timeout 20 "$HERE/ways.py" part 3 "$TIER/store/v1/large" 65536 65536
	local status=$?
	kill -CONT "$tier_pid"
	exec 3<&-
	[ $status -eq 0 ] && [ "$(gets large)" -eq 1 ] || return
	# Holes of a stub are none of the file's; a mapping fetches the file for the next attempt
	"$HERE/ways.py" holes "$TIER/mnt/large" && "$HERE/ways.py" mmap_again "$TIER/mnt/large" "$TIER/store/v1/large" &&
		[[ $(state large) = clean* ]] || return
	evicted large && way_tar_sparse && evicted large && way_cp
}

# What is whole is the kernel's alone
without_daemon() {
	local status=0

	make_stubs && same large || return
	kill -STOP "$tier_pid"
	timeout 20 cmp "$TIER/store/v1/large" "$TIER/mnt/large" && timeout 20 "$HERE/ways.py" mmap "$TIER/mnt/large" \
		"$TIER/store/v1/large" || status=1
	kill -CONT "$tier_pid"
	return $status
}

# Writing to a stub changes what is written and nothing else
writing() {
	make_stubs && cp "$TIER/store/v1/large" "$TIER/copy" || return
	printf changed | tee >(dd of="$TIER/mnt/large" bs=1 seek=70000 conv=notrunc status=none) |
		dd of="$TIER/copy" bs=1 seek=70000 conv=notrunc status=none
	until_true 20 cmp "$TIER/copy" "$TIER/mnt/large" || return
	[[ $(state large) = changed* ]] && fails_with "Structure needs cleaning" "$TIERFS" evict "$TIER/mnt/large" || return
	cmp "$TIER/copy" "$TIER/mnt/large" || return
	# Appending, shared mappings, truncation both ways, holes
	cp "$TIER/store/v1/odd" "$TIER/copy" && echo more >>"$TIER/copy" && echo more >>"$TIER/mnt/odd" &&
		cmp "$TIER/copy" "$TIER/mnt/odd" && [[ $(state odd) = changed* ]] || return
	stub_again odd && truncate -s 150000 "$TIER/mnt/odd" && cmp -n 150000 "$TIER/store/v1/odd" "$TIER/mnt/odd" &&
		[ "$(stat -c %s "$TIER/mnt/odd")" -eq 150000 ] && [[ $(state odd) = changed* ]] || return
	stub_again odd && "$HERE/ways.py" mmap_write "$TIER/mnt/odd" "$TIER/store/v1/odd" &&
		[[ $(state odd) = changed* ]] || return
	stub_again odd && fallocate -p -o 65536 -l 65536 "$TIER/mnt/odd" && [[ $(state odd) = changed* ]] &&
		cmp -n 65536 "$TIER/store/v1/odd" "$TIER/mnt/odd" || return
	cmp -n 65536 -i 65536:0 "$TIER/mnt/odd" /dev/zero || return
	# Emptied, nothing is fetched
	: >"$TIER/store.log"
	stub_again odd && echo new >"$TIER/mnt/odd" && [ "$(cat "$TIER/mnt/odd")" = new ] && [ "$(gets odd)" -eq 0 ] || return
	[[ $(state odd) = changed* ]] || return
	# Opened for writing only, a file is what it was
	: 3<>"$TIER/mnt/small" && [[ $(state small) = open* ]] && evicted small && same small
}
stub_again() { rm "$TIER/mnt/$1" && stub "$1" && is_stub "$1"; }

# Copies in the kernel, between stubs, from and to them
copies() {
	make_stubs || return
	"$HERE/ways.py" copy_range "$TIER/mnt/large" "$TIER/store/v1/large" "$TIER/mnt/new" || return
	[ "$(state new)" = local ] && evicted large || return
	"$HERE/ways.py" copy_over "$TIER/mnt/large" "$TIER/store/v1/large" "$TIER/mnt/odd" "$TIER/store/v1/odd" || return
	[[ $(state odd) = changed* ]] && fails_with "Structure needs cleaning" "$TIERFS" evict "$TIER/mnt/odd"
}

# Names are the backing's; an open file is read to its end whatever becomes of them
names() {
	make_stubs && mkdir "$TIER/mnt/dir" && mv "$TIER/mnt/large" "$TIER/mnt/dir/moved" || return
	ln "$TIER/mnt/dir/moved" "$TIER/mnt/linked" && is_stub linked && same large dir/moved && same large linked || return
	evicted dir/moved && is_stub linked && rm "$TIER/mnt/linked" && mv "$TIER/mnt/odd" "$TIER/mnt/dir/moved" &&
		same odd dir/moved || return
	stub_again small && exec 3<"$TIER/mnt/small" && rm "$TIER/mnt/small" || return
	cmp "$TIER/store/v1/small" - <&3 || return
	exec 3<&-
	# The daemon was asked when it was opened, and knows it still
	stub gone && exec 3<"$TIER/mnt/gone" && rm "$TIER/mnt/gone" || return
	cmp "$TIER/store/v1/gone" - <&3 || return
	exec 3<&-
}

# What is on disk about a file can neither be changed, nor copied, nor seen
attribute() {
	make_stubs || return
	fails_with "not permitted" setfattr -n trusted.tierfs -v x "$TIER/mnt/large" || return
	fails_with "not permitted" setfattr -x trusted.tierfs "$TIER/mnt/large" || return
	fails_with "No such attribute" getfattr -n trusted.tierfs "$TIER/mnt/large" || return
	[ -z "$(getfattr -dm- "$TIER/mnt/large")" ] && setfattr -n user.mine -v x "$TIER/mnt/large" || return
	fails_with "not permitted" setpriv --reuid=1000 --clear-groups "$TIERFS" evict "$TIER/mnt/large" || return
	fails_with "Is a directory" "$TIERFS" add large "$TIER/mnt/." || fails_with "Invalid argument" \
		"$TIERFS" add large "$TIER/mnt/." || return
	fails_with "File exists" "$TIERFS" add small "$TIER/mnt/large" || return
	: >"$TIER/mnt/new"
	fails_with "No such file" "$TIERFS" add none "$TIER/mnt/new" || return
	fails_with "Invalid argument" "$TIERFS" add ../alive "$TIER/mnt/new" || return
	echo text >"$TIER/mnt/new"
	fails_with "File exists" "$TIERFS" add small "$TIER/mnt/new" || return
	fails_with "No data" "$TIERFS" evict "$TIER/mnt/new" && [ "$(cat "$TIER/mnt/new")" = text ] && same large
}

# Whoever has a file open or mapped keeps it
busy() {
	make_stubs && same large || return
	exec 3<"$TIER/mnt/large"
	fails_with "busy" "$TIERFS" evict "$TIER/mnt/large" || return
	exec 3<&-
	evicted large && same large || return
	"$HERE/ways.py" hold "$TIER/mnt/large" "$TIERFS" evict "$TIER/mnt/large" && same large && evicted large
}

# Without the store, and with one that answers something else: an error, and no zeros
store_down() {
	make_stubs && store_stop || return
	fails_with "Input/output error" cat "$TIER/mnt/large" || return
	fails_with "Input/output error" cp "$TIER/mnt/large" "$TIER/copy" || return
	fails_with "Input/output error" dd if=/dev/zero of="$TIER/mnt/large" bs=1 count=1 conv=notrunc || return
	fails_with "Input/output error" truncate -s 10 "$TIER/mnt/large" || return
	fails_with "Input/output error" "$TIERFS" fetch "$TIER/mnt/large" && is_stub large || return
	[ "$(stat -c %Y "$TIER/mnt/large")" = "$(stat -c %Y "$TIER/store/v1/large")" ] || return
	store_start && same large && evicted large || return
	# Another version under the same name and of the same size
	tr 0-9 A-J <"$TIER/store/v1/large" >"$TIER/store/v1/next" && touch -d 2001-01-01 "$TIER/store/v1/next" &&
		mv "$TIER/store/v1/next" "$TIER/store/v1/large" || return
	fails_with "Input/output error" cat "$TIER/mnt/large" && is_stub large || return
	rm "$TIER/store/v1/odd"
	fails_with "Input/output error" cat "$TIER/mnt/odd" && is_stub odd
}

# A server that knows no ranges sends all from the start: refused
store_odd() {
	make_stubs && store_stop && STORE_EXTRA='max_ranges 0;' store_start || return
	fails_with "Input/output error" dd if="$TIER/mnt/large" bs=65536 skip=3 count=1 of=/dev/null || return
	is_stub large && store_stop && store_start && same large
}

# Killed while it fetches, many times: what is read is right or an error, never zeros
killed() {
	local i wait

	make_stubs || return
	for ((i = 0; i < ROUNDS; i++)); do
		evicted large || return
		"$HERE/ways.py" right_or_error "$TIER/mnt/large" "$TIER/store/v1/large" &
		reader=$!
		wait=$((i * 7 % 40))
		sleep "0.$(printf %03d $((wait * 10)))"
		tier_kill
		wait $reader || return
		# Nobody is left to ask
		fails_with "Input/output error" cat "$TIER/mnt/large" || return
		tier_start "${options[@]}" && same large || return
		[ "$(stat -c %Y "$TIER/mnt/large")" = "$(stat -c %Y "$TIER/store/v1/large")" ] || return
	done
}

is_open() { [[ $(state "$1") = open* ]]; }

# What was changed stays changed, and is not evicted, after the daemon was killed
killed_changed() {
	make_stubs && cp "$TIER/store/v1/large" "$TIER/copy" || return
	printf changed | dd of="$TIER/copy" bs=1 seek=70000 conv=notrunc status=none
	printf changed | dd of="$TIER/mnt/large" bs=1 seek=70000 conv=notrunc status=none || return
	sleep infinity 3<>"$TIER/mnt/odd" >/dev/null 2>&1 &
	holder=$!
	until_true 60 is_open odd && tier_kill || return
	kill $holder
	wait $holder
	tier_start && cmp "$TIER/copy" "$TIER/mnt/large" || return
	[[ $(state large) = changed* ]] && fails_with "Structure needs cleaning" "$TIERFS" evict "$TIER/mnt/large" || return
	# Whoever had it open for writing can have written
	[[ $(state odd) = changed* ]] && fails_with "Structure needs cleaning" "$TIERFS" evict "$TIER/mnt/odd" &&
		same odd || return
	# Killed between two steps of making a stub: the attribute is there, the size is not
	is_stub small || same small || return
	evicted small && tier_kill && truncate -s 0 "$TIER/back/small" && tier_start || return
	"$TIERFS" fetch "$TIER/mnt/small" && same small
}

# Readers, writers of another file, and one who evicts all the time
at_once() {
	make_stubs && stub other || return
	"$HERE/ways.py" at_once $((ROUNDS + 1)) "$TIERFS" "$TIER/mnt/large" "$TIER/store/v1/large" "$TIER/mnt/other" \
		"$TIER/store/v1/other"
}

# An end by SIGTERM takes the mount away
terminated() {
	make_stubs || return
	kill -TERM "$tier_pid"
	wait "$tier_pid" && ! mountpoint -q "$TIER/mnt" && tier_start && same large
}

options=()
echo 1..17
tier_set_up tmpfs
object small 100 && object odd 200001 && object large $LARGE && object gone $LARGE && object other $LARGE &&
	: >"$TIER/store/v1/empty" && cp -a "$TIER/store/v1" "$TIER/objects" && store_start ||
	{ echo "Bail out! no object store" && exit 1; }
run "attributes of a stub" attributes
run "ways of reading, whole files" ways
options=(-w 0)
run "chunks" chunks -w 0
run "readers, a writer and eviction at once, by chunks" at_once -w 0
run "killed while fetching chunks" killed -w 0
options=()
run "killed while fetching files" killed
run "readers, a writer and eviction at once" at_once
run "without the daemon" without_daemon
run "writing" writing
run "copies in the kernel" copies
run "names" names -w 0
run "the attribute" attribute
run "busy" busy
run "no store, another object" store_down
run "a store without ranges" store_odd -w 0
run "killed after changes" killed_changed
run "terminated" terminated
store_stop
tier_tear_down
exit $failed
