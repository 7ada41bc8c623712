#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# bpftool_test.sh: bpftool shows filters like all of BPF, by the ids that the mount's
# listing has. What it does with "struct_ops" it does for types of the kernel itself
# only: for one that a module has, bpftool 7.8 looks for the type in the kernel's BTF,
# does not find it, and crashes.
set -u
cd "$(dirname "$0")/../.." || exit 1

HIDE=build/bpf/hide.bpf.o
RECORDER=build/selftests/recorder.bpf.o
TOP=$(mktemp -d /tmp/bpftool-XXXXXX)
PINS=/sys/fs/bpf/bpftool-test
REGISTERED=/sys/fs/bpf/bpftool-registered
number=0 failed=0 map='' link=''
. selftests/harness/command.sh

# result NAME STATUS
result() {
	number=$((number + 1))
	if [ "$2" -eq 0 ]; then
		echo "ok $number $1"
	else
		failed=1
		echo "not ok $number $1"
	fi
}

run() {
	local name=$1

	shift
	"$@"
	result "$name" $?
}

# ask WORD...: bpftool's answer, in $out
ask() {
	out=$(bpftool -j "$@" 2>&1) || { echo "# bpftool $*: exit $?, $out" && return 1; }
}

# listed: the filters of the mount, in $out; sets the ids of the first
listed() {
	out=$("$FB" -j ls "$TOP/mnt") || return
	map=$(python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["filters"][0]["map_id"])' <<<"$out")
	link=$(python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["filters"][0]["link_id"])' <<<"$out")
	[ "$map" -gt 0 ] && [ "$link" -gt 0 ]
}

# By the list of all: of one by its id, bpftool 7.8 says all there is and exits with 255.
link_is() {
	ask link show && is "[(l['type'], l['map_id']) for l in d if l['id'] == $link]" "$1"
}

show_link() {
	link_is "[('struct_ops', $map)]"
}

mounted() {
	"$FB" mount "$TOP/back" "$TOP/mnt" filter "$HIDE" pin "$PINS/hide" set hide_names secret >/dev/null && listed
}

show_map() {
	ask map show id "$map" && is '(d["type"], d["name"])' "('struct_ops', 'hide')"
}

# Programs, and the maps that they use; the struct_ops map is not one of them.
show_programs() {
	local names

	ask map show name hide_names && names=$(python3 -c '
import json, sys
print(json.loads(sys.argv[1])["id"])' "$out") || return
	ask prog show || return
	out=$(python3 -c '
import json, sys
print(json.dumps([p for p in json.loads(sys.argv[1]) if p["name"].startswith("hide_")]))' "$out")
	is 'sorted(p["name"] for p in d)' "['hide_dirent', 'hide_lookup']" || return
	is '{p["type"] for p in d}' "{'struct_ops'}" && is "all($names in p['map_ids'] for p in d)"
}

# The link is gone, and so is its id, here as there.
show_dead() {
	rm "$PINS/hide" || return
	for _ in $(seq 100); do
		link_is '[]' >/dev/null && break
		sleep 0.1
	done
	link_is '[]' || return
	out=$("$FB" -j ls "$TOP/mnt") && is '(lambda f: (f["dead"], f["link_id"]))(d[0]["filters"][0])' '(True, 0)' || return
	# The mount still has the map
	ask map show id "$map" && is 'd["name"]' hide
}

show_struct_ops() {
	ask struct_ops show id "$map" || return
	is '[(o["id"], o["name"], o["kernel_struct_ops"]) for o in d]' "[($map, 'hide', 'fuse_filter_ops')]"
}

dump_struct_ops() {
	local lookup

	ask prog show name hide_lookup && lookup=$(python3 -c '
import json, sys
print(json.loads(sys.argv[1])["id"])' "$out") || return
	ask struct_ops dump id "$map" || return
	is 'd[0]["bpf_map_info"]["name"]' hide || return
	out=$(python3 -c '
import json, sys
print(json.dumps(json.loads(sys.argv[1])[1]["bpf_struct_ops_fuse_filter_ops"]))' "$out")
	is 'd["common"]["state"]' BPF_STRUCT_OPS_STATE_READY || return
	is "d['data']['lookup'].endswith(' hide_lookup/prog_id:$lookup')" || return
	is 'd["data"]["getattr"].endswith(" 0")' && is '"".join(d["data"]["name"]).rstrip("\0")' hide
}

# What bpftool has registered can be attached by its pin.
register() {
	bpftool struct_ops register "$RECORDER" "$REGISTERED" >/dev/null 2>&1 || return
	"$FB" detach "$TOP/mnt" name hide >/dev/null && "$FB" attach "$TOP/mnt" pinned "$REGISTERED/recorder" >/dev/null || return
	listed && is 'd[0]["filters"][0]["name"]' recorder || return
	ask struct_ops show id "$map" && is 'd[0]["name"]' recorder || return
	link_is "[('struct_ops', $map)]" || return
	"$FB" detach "$TOP/mnt" name recorder >/dev/null && rm -r "$REGISTERED"
}

# So that this is noticed when it changes, and the tests above can be for all.
crashes() {
	{ bpftool -j struct_ops show; } >/dev/null 2>&1
	[ $? -eq 139 ]
}

echo "TAP version 13"
mount -t bpf bpf /sys/fs/bpf 2>/dev/null
mkdir -p "$TOP/back" "$TOP/mnt" $PINS
run bpftool.listed mounted
run bpftool.link show_link
run bpftool.map show_map
run bpftool.programs show_programs
case ${FLAVOUR:-module} in
debug)
	run bpftool.struct_ops_show show_struct_ops
	run bpftool.struct_ops_dump dump_struct_ops
	run bpftool.dead show_dead
	run bpftool.struct_ops_register register
	;;
*)
	echo "# bpftool struct_ops is for types of the kernel itself, and this is a module's"
	run bpftool.struct_ops_crashes_with_types_of_modules crashes
	run bpftool.dead show_dead
	;;
esac
"$FB" umount "$TOP/mnt" >/dev/null
rm -rf "$TOP" $PINS
echo "1..$number"
exit $failed
