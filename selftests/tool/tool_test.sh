#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The command fuse-bpf: what each of its commands does, prints and ends with, on
# backed mounts, on plain ones and on directories.
set -u
cd "$(dirname "$0")/../.." || exit 1
. selftests/harness/plain.sh
. selftests/harness/command.sh

BPF=$PWD/build/bpf
PINS=/sys/fs/bpf/fuse-bpf
USER1=1000
TOP=$(mktemp -d /tmp/tool-XXXXXX)
chmod 755 "$TOP"
VIEW=$TOP/view OTHER=$TOP/other PLAIN=$TOP/plain BACK=$TOP/back
number=0 failed=0

as_user() { setpriv --reuid=$USER1 --regid=$USER1 --clear-groups -- "$@"; }

hidden() { [ ! -e "$1" ] && ! ls "$(dirname "$1")" | grep -qx "$(basename "$1")"; }
shown() { [ -e "$1" ] && ls "$(dirname "$1")" | grep -qx "$(basename "$1")"; }
pins() { ls $PINS 2>/dev/null | wc -l; }

# The tree: a file called secret and one called file in each of three directories
lay_out() {
	local dir

	mkdir -p "$VIEW" "$OTHER" "$PLAIN" "$BACK"
	for dir in . in in/deep out; do
		mkdir -p "$BACK/$dir"
		echo secret >"$BACK/$dir/secret"
		printf 0123456789 >"$BACK/$dir/file"
	done
	ln -s / "$BACK/root"
	ln -s ../out "$BACK/in/link"
}

# run NAME FUNCTION: with a backed mount that it finds, and that is taken away after it
run() {
	local good=0

	number=$((number + 1))
	ok mount "$BACK" "$VIEW" allow_other && "$2" || good=1
	clean_up || good=1
	[ $good -eq 0 ] && echo "ok $number $1" || { failed=1 && echo "not ok $number $1"; }
}

clean_up() {
	local status=0 dir

	for dir in "$VIEW" "$OTHER" "$PLAIN"; do
		while mountpoint -q "$dir"; do umount "$dir" || { status=1 && break; }; done
	done
	[ -z "${plain_pid:-}" ] || wait "$plain_pid" || status=1
	plain_pid=
	rm -f $PINS/* /sys/fs/bpf/tool-*
	return $status
}

command_line() {
	local obj=$BPF/hide.bpf.o

	fails 2 "there is no command 'nonsense'" nonsense || return
	fails 2 "MOUNTPOINT is missing" attach || return
	fails 2 "obj FILE, pinned PATH or map id ID is missing" attach "$VIEW" || return
	fails 2 "'nonsense' is not expected here" attach "$VIEW" nonsense || return
	fails 2 "FILE is missing" attach "$VIEW" obj || return
	fails 2 "PATH is missing" attach "$VIEW" obj "$obj" dir || return
	fails 2 "the order is given twice" attach "$VIEW" obj "$obj" first last || return
	fails 2 "by_reply and dir exclude each other" attach "$VIEW" obj "$obj" by_reply dir in || return
	fails 2 "with by_reply there is no order" attach "$VIEW" obj "$obj" first by_reply || return
	fails 2 "pin goes with obj FILE only" attach "$VIEW" map id 1 pin /x || return
	fails 2 "'x' is no id" attach "$VIEW" obj "$obj" before x || return
	fails 2 "ID or name NAME is missing" detach "$VIEW" || return
	fails 2 "one word too many" detach "$VIEW" 1 dir in more || return
	fails 2 "ID or name NAME is missing" replace "$VIEW" || return
	fails 2 "obj FILE is missing" replace "$VIEW" 1 || return
	fails 2 "'pinned' is not expected here" replace "$VIEW" 1 pinned || return
	fails 2 "'nonsense' is not expected here" replace "$VIEW" 1 obj "$obj" nonsense || return
	fails 2 "KEY is missing" replace "$VIEW" 1 obj "$obj" set hide_names || return
	fails 2 "MOUNTPOINT is missing" stat || return
	fails 2 "MOUNTPOINT is missing" umount || return
	fails 2 "one word too many" ls "$VIEW" more || return
	fails 2 "dir comes after filter FILE" mount "$BACK" "$OTHER" dir in || return
	"$FB" >/dev/null 2>&1
	[ $? -eq 2 ] || return 1
	"$FB" help | grep -q 'replace MOUNTPOINT' && ok version && is '"libbpf" in d'
}

features() {
	ok feature && is 'd["abi"] >= 2 and d["filters"]["available"]' || return
	is 'd["filter_plain"]["available"] and d["filter_dirs"]["available"]' || return
	is 'd["filter_replies"]["available"]' || return
	is '"DIRENT" in d["prefilter_ops"] and "LOOKUP" in d["postfilter_ops"]'
}

places() {
	fails 1 "is on no FUSE mount" attach "$BACK" obj "$BPF/hide.bpf.o" || return
	fails 1 "name the mount point, and the directory with 'dir PATH'" \
		attach "$VIEW/in" obj "$BPF/hide.bpf.o" || return
	fails 1 "No such file" ls "$TOP/none" || return
	fails 1 "Not a directory" ls "$VIEW/file" || return
	fails 1 "is on no FUSE mount" stat /proc || return
	fails 1 "is on no FUSE mount" detach /proc 1 || return
	fails 1 "is on no FUSE mount" replace /proc 1 obj "$BPF/hide.bpf.o" || return
	fails 1 "is on no FUSE mount" umount "$BACK" || return
	# Beside the module, the kernel's own FUSE is another one
	[ "${FLAVOUR:-module}" = module ] || return 0
	plain_mount "$BACK" "$PLAIN" fuse || return
	fails 1 "is on a mount of a FUSE without filters" attach "$PLAIN" obj "$BPF/hide.bpf.o" || return
	ok ls && is 'len(d)' 1
}

mount_with_filters() {
	ok mount "$BACK" "$OTHER" filter "$BPF/hide.bpf.o" set hide_names secret dir in \
		filter "$BPF/noop.bpf.o" fail_open || return
	is '[f["name"] for f in d["filters"]]' "['hide', 'noop']" || return
	is 'd["filters"][0]["dir"]' "$(stat -c %i "$BACK/in")" || return
	is 'd["filters"][1]["dir"]' None || return
	hidden "$OTHER/in/secret" && hidden "$OTHER/in/deep/secret" && shown "$OTHER/secret" || return
	ok ls "$OTHER" && is '[(f["name"], f["fail_open"], f["dead"]) for f in d[0]["filters"]]' \
		"[('noop', True, False), ('hide', False, False)]" || return
	is 'd[0]["backed"] and "LOOKUP" in d[0]["filters"][0]["post_ops"]' || return
	[ "$(pins)" -eq 2 ] && ok umount "$OTHER" && is 'len(d["pins_removed"])' 2 && [ "$(pins)" -eq 0 ] ||
		return
	fails 1 "No such file" mount "$BACK" "$OTHER" filter "$BPF/hide.bpf.o" dir none || return
	! mountpoint -q "$OTHER" && [ "$(pins)" -eq 0 ]
}

order_and_sources() {
	local map

	ok attach "$VIEW" obj "$BPF/hide.bpf.o" set hide_names secret && is 'd["id"]' 1 || return
	is 'd["name"] == "hide" and d["dir"] is None and d["pin"].startswith("/sys/fs/bpf/")' || return
	ok attach "$VIEW" obj "$BPF/noop.bpf.o" before 1 pin /sys/fs/bpf/tool-noop || return
	ok attach "$VIEW" obj "$BPF/route.bpf.o" first && ok attach "$VIEW" obj "$BPF/redact.bpf.o" after 1 || return
	ok ls "$VIEW" && is '[f["name"] for f in d[0]["filters"]]' "['route', 'noop', 'hide', 'redact']" || return
	map=$("$FB" -j ls "$VIEW" | python3 -c 'import json,sys; print(json.load(sys.stdin)[0]["filters"][2]["map_id"])')
	hidden "$VIEW/secret" || return
	ok mount "$BACK" "$OTHER" && ok attach "$OTHER" pinned /sys/fs/bpf/tool-noop && is 'd["name"]' noop || return
	ok attach "$OTHER" map id "$map" fail_open && is 'd["pin"]' None && hidden "$OTHER/secret" || return
	fails 1 "is attached to this mount already" attach "$OTHER" map id "$map" || return
	fails 1 "no filter 77 is attached" attach "$OTHER" obj "$BPF/redact.bpf.o" after 77 || return
	fails 1 "cannot use the map with id" attach "$OTHER" map id 4000000000 || return
	fails 1 "as a pinned filter" attach "$OTHER" pinned /sys/fs/bpf/tool-none || return
	fails 1 "is no BPF object" attach "$OTHER" obj "$0" || return
	fails 1 "No such file" attach "$OTHER" obj "$TOP/none" || return
	fails 1 "the kernel refused program" attach "$OTHER" obj "$BPF/fail/name_overrun.bpf.o" || return
	fails 1 "on a BPF file system" attach "$OTHER" obj "$BPF/redact.bpf.o" pin "$TOP/pin" || return
	# The filter is in use on the other mount, so that its pin must stay
	ok detach "$VIEW" name hide && is 'd["pins_removed"]' '[]' && hidden "$OTHER/secret" || return
	ok detach "$OTHER" name hide && is 'len(d["pins_removed"])' 1 && shown "$OTHER/secret"
}

elements() {
	local ino

	ino=$(stat -c %i "$BACK/file")
	fails 1 "has no map none" attach "$VIEW" obj "$BPF/hide.bpf.o" set none x || return
	fails 1 "must be a number" attach "$VIEW" obj "$BPF/hide.bpf.o" set allow_uids x || return
	fails 1 "does not fit into 4 bytes" attach "$VIEW" obj "$BPF/hide.bpf.o" set allow_uids 0x100000000 || return
	fails 1 "is longer than 63 bytes" attach "$VIEW" obj "$BPF/hide.bpf.o" \
		set hide_names "$(printf %064d 0)" || return
	fails 1 "more numbers than" attach "$VIEW" obj "$BPF/redact.bpf.o" \
		set redact_ranges "1=$(seq -s, 33)" || return
	fails 1 "several with commas" attach "$VIEW" obj "$BPF/redact.bpf.o" set redact_ranges 1=1,,2 || return
	fails 1 "several with commas" attach "$VIEW" obj "$BPF/redact.bpf.o" set redact_ranges 1=1, || return
	[ "$(pins)" -eq 0 ] || return
	ok attach "$VIEW" obj "$BPF/redact.bpf.o" set redact_ranges "$ino=2,4,7,0xffffffffffffffff" \
		set allow_uids $USER1 || return
	[ "$(tr '\0' . <"$VIEW/file")" = "01..456..." ] && [ "$(as_user cat "$VIEW/file")" = 0123456789 ] || return
	# Ranges, of which the first makes no sense: the read fails
	ok replace "$VIEW" name redact obj "$BPF/redact.bpf.o" fresh set redact_ranges "$ino=4,2" || return
	! cat "$VIEW/file" 2>/dev/null
}

directories() {
	ok attach "$VIEW" obj "$BPF/hide.bpf.o" dir in set hide_names secret || return
	is 'd["dir"]' "$(stat -c %i "$BACK/in")" || return
	hidden "$VIEW/in/secret" && hidden "$VIEW/in/deep/secret" || return
	shown "$VIEW/secret" && shown "$VIEW/out/secret" || return
	# Several of one name, each with a pin of its own
	ok attach "$VIEW" obj "$BPF/hide.bpf.o" dir "$VIEW/in/link" set hide_names file || return
	is 'd["dir"]' "$(stat -c %i "$BACK/out")" && hidden "$VIEW/out/file" && shown "$VIEW/in/file" || return
	ok attach "$VIEW" obj "$BPF/hide.bpf.o" set hide_names none && [ "$(pins)" -eq 3 ] || return
	ok ls "$VIEW" && is '[f["dir"] for f in d[0]["filters"]]' \
		"[None, $(stat -c %i "$BACK/in"), $(stat -c %i "$BACK/out")]" || return
	"$FB" ls "$VIEW" | grep -q "dir inode $(stat -c %i "$BACK/out")" || return
	ok stat "$VIEW" && is 'd["filters"][1]["denied"] > 0 and d["filters"][1]["dir"] > 0' || return
	is 'd["total"]["daemon"]' 0 || return

	fails 1 "is no directory of this mount" attach "$VIEW" obj "$BPF/noop.bpf.o" dir "$BACK/in" || return
	fails 1 "is no directory of this mount" attach "$VIEW" obj "$BPF/noop.bpf.o" dir root || return
	fails 1 "is no directory of this mount" attach "$VIEW" obj "$BPF/noop.bpf.o" dir ../back || return
	fails 1 "No such file" attach "$VIEW" obj "$BPF/noop.bpf.o" dir none || return
	fails 1 "Not a directory" attach "$VIEW" obj "$BPF/noop.bpf.o" dir file || return

	fails 1 "several filters are called hide" detach "$VIEW" name hide || return
	fails 1 "no filter called noop is attached to the directory in" detach "$VIEW" name noop dir in || return
	fails 1 "no filter with id 77" detach "$VIEW" 77 || return
	ok detach "$VIEW" name hide dir in && is 'len(d["pins_removed"])' 1 && shown "$VIEW/in/secret" || return
	hidden "$VIEW/out/file" && ok umount "$VIEW" && is 'len(d["pins_removed"])' 2
}

# No reply names the filter: it is there, and asked about nothing.
by_reply() {
	ok attach "$VIEW" obj "$BPF/hide.bpf.o" by_reply set hide_names secret && is 'd["dir"]' None || return
	shown "$VIEW/secret" && shown "$VIEW/in/secret" || return
	ok ls "$VIEW" && is 'd[0]["filters"][0]["by_reply"] and d[0]["filters"][0]["nodes"] == 0' || return
	is 'd[0]["filters"][0]["runs"]' 0 && "$FB" ls "$VIEW" | grep -q "by_reply nodes 0" || return
	fails 1 "attached to this mount's replies already" attach "$VIEW" pinned "$PINS"/hide-* by_reply || return
	ok detach "$VIEW" name hide && is 'len(d["pins_removed"])' 1
}

plain() {
	plain_mount "$BACK" "$PLAIN" || return
	ok ls && is 'len(d)' 1 && ok ls "$PLAIN" && is 'd[0]["backed"]' False || return
	ok attach "$PLAIN" obj "$BPF/hide.bpf.o" set hide_names secret dir in || return
	hidden "$PLAIN/in/secret" && shown "$PLAIN/secret" || return
	ok attach "$PLAIN" obj "$BPF/hide.bpf.o" set hide_names file && hidden "$PLAIN/file" || return
	ok ls && is 'sorted(m["backed"] for m in d)' '[False, True]' || return
	ok stat "$PLAIN" && is 'd["ops"] is None and d["total"] is None and len(d["filters"]) == 2' || return
	"$FB" stat "$PLAIN" | grep -q 'not backed' || return
	ok replace "$PLAIN" name hide dir in obj "$BPF/noop.bpf.o" && shown "$PLAIN/in/secret" || return
	# A pin stays for a plain mount too
	ok attach "$VIEW" pinned "$(ls $PINS/hide-*:* | head -n1)" && ok detach "$VIEW" name hide || return
	is 'd["pins_removed"]' '[]' && hidden "$PLAIN/file" || return
	ok umount "$PLAIN" && is 'len(d["pins_removed"])' 2 && [ "$(pins)" -eq 0 ]
}

daemon_that_hangs() {
	local begin=$SECONDS good=0

	plain_mount "$BACK" "$PLAIN" && ls "$PLAIN" >/dev/null || return
	ok attach "$VIEW" obj "$BPF/hide.bpf.o" set hide_names secret || return
	kill -STOP "$plain_pid"
	ok ls && is '[m["filters_error"] for m in d if not m["backed"]]' "['Connection timed out']" &&
		ok detach "$VIEW" name hide && is 'd["pins_removed"]' '[]' || good=1
	kill -CONT "$plain_pid"
	[ $((SECONDS - begin)) -lt 60 ] || good=1
	return $good
}

replacing() {
	local pin

	ok attach "$VIEW" obj "$BPF/hide.bpf.o" set hide_names secret && hidden "$VIEW/secret" || return
	pin=$(ls $PINS/hide-*)
	fails 1 "is of another kind or size" replace "$VIEW" 1 obj build/selftests/hide_shape.bpf.o || return
	fails 1 "the kernel refused program" replace "$VIEW" 1 obj "$BPF/fail/name_overrun.bpf.o" || return
	fails 1 "No such file" replace "$VIEW" 1 obj "$TOP/none" || return
	fails 1 "has no map none" replace "$VIEW" 1 obj "$BPF/hide.bpf.o" set none x || return
	fails 1 "no filter with id 2" replace "$VIEW" 2 obj "$BPF/hide.bpf.o" || return
	fails 1 "no filter called none" replace "$VIEW" name none obj "$BPF/hide.bpf.o" || return
	# None of that did anything
	hidden "$VIEW/secret" && shown "$VIEW/file" || return

	ok replace "$VIEW" 1 obj "$BPF/hide.bpf.o" set hide_names file || return
	is 'sorted(d["maps_kept"])' "['allow_uids', 'hide_hits', 'hide_names', 'hide_suffixes']" || return
	is 'd["maps_new"] == [] and d["map_id"] != d["old_map_id"] and d["id"] == 1' || return
	hidden "$VIEW/secret" && hidden "$VIEW/file" || return
	ok replace "$VIEW" name hide obj build/selftests/hide_shape.bpf.o fresh set hide_names file || return
	is 'd["maps_new"] == ["hide_names"] and d["maps_kept"] == []' || return
	shown "$VIEW/secret" && [ ! -e "$VIEW/file" ] || return
	ok replace "$VIEW" name hide obj "$BPF/noop.bpf.o" && is 'd["name"] == "noop" and d["old_name"] == "hide"' ||
		return
	shown "$VIEW/file" && [ -e "$pin" ] && ok ls "$VIEW" && is 'd[0]["filters"][0]["name"]' noop || return

	# The pin is that of the same link, and all that it is attached to has the new filter
	ok mount "$BACK" "$OTHER" && ok attach "$OTHER" pinned "$pin" || return
	ok replace "$VIEW" 1 obj "$BPF/hide.bpf.o" set hide_names secret || return
	hidden "$OTHER/secret" && hidden "$VIEW/secret" && ok umount "$OTHER" || return

	rm "$pin"
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		"$FB" ls "$VIEW" | grep -q dead && break
		sleep 0.2
	done
	fails 1 "is gone: detach it" replace "$VIEW" 1 obj "$BPF/hide.bpf.o"
}

# Of several at once, each does it or says that another one did.
replacing_at_once() {
	local i pids=() bad=0

	ok attach "$VIEW" obj "$BPF/hide.bpf.o" set hide_names secret || return
	for i in {1..8}; do
		"$FB" replace "$VIEW" 1 obj "$BPF/hide.bpf.o" >"$TOP/at-once-$i" 2>&1 &
		pids+=($!)
	done
	for i in {1..8}; do
		wait "${pids[i - 1]}" || grep -q 'was replaced or went away meanwhile' "$TOP/at-once-$i" ||
			{ bad=1 && sed 's/^/# /' "$TOP/at-once-$i"; }
	done
	grep -lq 'in the place of' "$TOP"/at-once-* || bad=1
	hidden "$VIEW/secret" && ok ls "$VIEW" && is '[f["dead"] for f in d[0]["filters"]]' '[False]' || bad=1
	return $bad
}

# Who stands in the mount keeps it busy, until it is taken away lazily
unmounting() {
	local holder good=0

	fails 2 "'nonsense' is not expected here" umount "$VIEW" nonsense || return
	fails 1 "is no mount point of a FUSE" umount "$BACK" force || return
	fails 1 "No such file" umount "$TOP/none" force || return
	ok attach "$VIEW" obj "$BPF/hide.bpf.o" set hide_names secret fail_open || return
	(cd "$VIEW/in" && exec sleep 1000) &
	holder=$!
	until [ "$(readlink /proc/$holder/cwd)" = "$VIEW/in" ]; do sleep 0.1; done
	fails 1 "which is in use" umount "$VIEW" && is 'd["errno"]' EBUSY || good=1
	fails 1 "which is in use" umount "$VIEW" force && mountpoint -q "$VIEW" || good=1
	[ "$(pins)" -eq 1 ] || good=1
	ok umount "$VIEW" lazy && is 'd["in_use"] and d["pins_removed"] == []' && ! mountpoint -q "$VIEW" || good=1
	# The filter holds for the one who stays, although it fails open
	[ -e /proc/$holder/cwd/file ] && [ ! -e /proc/$holder/cwd/secret ] && [ "$(pins)" -eq 1 ] || good=1
	kill "$holder"
	wait "$holder" 2>/dev/null
	[ $good -eq 0 ] && ok mount "$BACK" "$VIEW" filter "$BPF/hide.bpf.o" || return
	ok umount "$VIEW" lazy && is 'd["in_use"] is False and len(d["pins_removed"]) >= 1' || return

	# A daemon that hangs: nobody who asks it may hold up the command
	plain_mount "$BACK" "$PLAIN" && ls "$PLAIN" >/dev/null || return
	ok attach "$PLAIN" obj "$BPF/hide.bpf.o" || return
	kill -STOP "$plain_pid"
	ok umount "$PLAIN" force && is 'len(d["pins_removed"])' 1 && ! mountpoint -q "$PLAIN" || good=1
	kill -CONT "$plain_pid"
	return $good
}

# Every line of the text format, each sample once and with its metric's others
prometheus_check() {
	python3 -c '
import re, sys
label = r"[a-z_]+=\"(?:[^\"\\\n]|\\[\\\"n])*\""
sample = re.compile(r"([a-z_]+)\{(" + label + "(?:," + label + r")*)\} (\d+)$")
types, seen, now = {}, set(), None
for line in sys.stdin:
    line = line.rstrip("\n")
    m = re.match(r"# (HELP|TYPE) ([a-z_]+) (.+)$", line)
    if m:
        now = m[2]
        if m[1] == "TYPE":
            assert now not in types and m[3] in ("counter", "gauge"), line
            assert (m[3] == "counter") == now.endswith("_total"), line
            types[now] = m[3]
        continue
    m = sample.match(line)
    assert m and m[1] == now and now in types and (m[1], m[2]) not in seen, line
    seen.add((m[1], m[2]))
assert len(types) == 5 and seen
'
}

statistics() {
	local odd="$TOP/o\"d\\d" i pid good=0

	fails 2 "stat has no option '-x'" stat -x "$VIEW" || return
	fails 2 "SECS is missing" stat "$VIEW" -i || return
	fails 2 "'0' is no number of seconds" stat -i 0 "$VIEW" || return
	fails 2 "--prometheus goes neither with" stat --prometheus -i 1 "$VIEW" || return
	fb stat --prometheus "$VIEW" && [ "$status" -eq 2 ] && is '"nor with JSON" in d["error"]' || return
	"$FB" stat --prometheus "$BACK" >/dev/null 2>"$TOP/stderr" && return 1
	grep -q 'is on no FUSE mount' "$TOP/stderr" || return

	ok attach "$VIEW" obj "$BPF/hide.bpf.o" set hide_names secret && hidden "$VIEW/secret" || return
	mkdir "$odd" && ok mount "$BACK" "$odd" && stat "$odd/file" >"$TOP/stdout" || return
	"$FB" stat --prometheus >"$TOP/metrics" && prometheus_check <"$TOP/metrics" || good=1
	grep -q "^fuse_bpf_requests_total{mountpoint=\"$VIEW\",opcode=\"LOOKUP\",answer=\"denied\"} [1-9]" \
		"$TOP/metrics" || good=1
	grep -q "^fuse_bpf_filter_denied_total{mountpoint=\"$VIEW\",filter=\"hide\",id=\"1\"} [1-9]" \
		"$TOP/metrics" || good=1
	grep -qF 'o\"d\\d",opcode="LOOKUP",answer="backing"}' "$TOP/metrics" || good=1
	umount "$odd" && rmdir "$odd" || good=1
	"$FB" stat "$VIEW" --prometheus | prometheus_check || good=1

	# One document a line, and the mount is not held in between
	"$FB" -j stat -i 1 "$VIEW" >"$TOP/lines" &
	pid=$!
	for ((i = 0; i < 300; i++)); do
		[ "$(wc -l <"$TOP/lines")" -lt 2 ] || break
		sleep 0.1
	done
	for ((i = 0; i < 300; i++)); do
		! umount "$VIEW" 2>/dev/null || break
		sleep 0.1
	done
	wait "$pid" && good=1
	python3 -c '
import json, sys
docs = [json.loads(line) for line in open(sys.argv[1])]
assert len(docs) >= 3 and "ops" in docs[0] and "ops" in docs[1] and "error" in docs[-1]' "$TOP/lines" || good=1
	return $good
}

without_privilege() {
	ok attach "$VIEW" obj "$BPF/hide.bpf.o" || return
	status=0
	out=$(as_user "$FB" -j attach "$VIEW" obj "$BPF/noop.bpf.o") || status=$?
	[ $status -eq 1 ] && is '"CAP_" in str(d)' || return
	status=0
	out=$(as_user "$FB" -j replace "$VIEW" 1 obj "$BPF/noop.bpf.o") || status=$?
	[ $status -eq 1 ] && is '"error" in d' || return
	status=0
	out=$(as_user "$FB" -j detach "$VIEW" 1) || status=$?
	[ $status -eq 1 ] && is '"error" in d' && ok ls "$VIEW" && is 'd[0]["filters"][0]["name"]' hide
}

lay_out
run tool.command_line command_line
run tool.features features
run tool.places places
run tool.mount_with_filters mount_with_filters
run tool.order_and_sources order_and_sources
run tool.elements elements
run tool.directories directories
run tool.by_reply by_reply
run tool.plain plain
run tool.daemon_that_hangs daemon_that_hangs
run tool.replacing replacing
run tool.replacing_at_once replacing_at_once
run tool.unmounting unmounting
run tool.statistics statistics
run tool.without_privilege without_privilege
rm -rf "$TOP"
echo "1..$number"
exit $failed
