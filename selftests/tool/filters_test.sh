#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The ready filters as the command loads them: those whose maps take more than a name or a
# number, with the words that their heads give; and each on its page, with tests that
# there are.
set -u
cd "$(dirname "$0")/../.." || exit 1

FB=$PWD/build/tools/fuse-bpf
BPF=$PWD/build/bpf
TOP=$(mktemp -d /tmp/filters-XXXXXX)
GROUP=/sys/fs/cgroup/filters-test
BACK=$TOP/back VIEW=$TOP/view
number=0 failed=0

result() {
	number=$((number + 1))
	[ "$2" -eq 0 ] && echo "ok $number $1" || { failed=1 && echo "not ok $number $1"; }
}

# loads NAME COMMAND WORD...: mounted with that filter and those words, a command says
# "yes", and without the filter it does not
loads() {
	local name=$1 command=$2 good=0

	shift 2
	"$FB" mount "$BACK" "$VIEW" >"$TOP/log" 2>&1 || good=1
	[ "$(eval "$command" 2>&1)" != yes ] || { echo "# without it, too" && good=1; }
	"$FB" attach "$VIEW" obj "$BPF/$name.bpf.o" "$@" >"$TOP/log" 2>&1 ||
		{ sed 's/^/# /' "$TOP/log" && good=1; }
	[ "$(eval "$command" 2>&1)" = yes ] || { eval "$command" 2>&1 | sed 's/^/# /' && good=1; }
	"$FB" umount "$VIEW" >"$TOP/log" 2>&1 || good=1
	result "filters.$name" $good
}

# in_group COMMAND...: in the control group that filters are told of
# shellcheck disable=SC2016
in_group() { sh -c 'echo $$ >'$GROUP'/cgroup.procs && exec "$@"' sh "$@"; }

# counted MAP: is there a count of something in it?
counted() { bpftool -j map dump name "$1" 2>/dev/null | grep -q '"value"' && echo yes; }

# refused TEXT COMMAND...: does it fail with that?
refused() { local said; said=$("${@:2}" 2>&1) || { [[ $said = *"$1"* ]] && echo yes; }; }

# How often a file that was there before is opened for writing
overwrite() { local i; for ((i = 0; i < 3; i++)); do dd if=/dev/null of="$VIEW/file" conv=notrunc status=none 2>"$TOP/log"; done; }

on_the_page() {
	local file name text page good=0

	page=$(<docs/filters.md)
	for file in bpf/filters/*.bpf.c; do
		name=${file##*/} text=$(<"$file")
		name=${name%.bpf.c}
		[[ $page = *"| \`$name\` |"* ]] || [ "$name" = policy ] ||
			{ echo "# docs/filters.md has no $name" && good=1; }
		[[ $text = *" * $name: "* ]] || { echo "# $file does not say what it is" && good=1; }
		[[ ! $text =~ " * Tests: "([a-z_/.]*) ]] || [ -e "${BASH_REMATCH[1]}" ] ||
			{ echo "# there is no ${BASH_REMATCH[1]}" && good=1; }
	done
	result "filters.on_the_page" $good
}

mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
mkdir -p "$BACK/dir" "$VIEW" $GROUP
echo secret | tee "$BACK/.env" >"$BACK/file"
chown 5000:5000 "$BACK/file"
group=$(stat -c %i $GROUP)

on_the_page
loads agent_guard "refused 'No such file' in_group cat $VIEW/.env" \
	set guard_names .env set guard_suffixes .pem set guard_names .git=2 set guard_cgroups 0="$group",1
loads mapids "[ \$(stat -c %u $VIEW/file) = 1000 ] && echo yes" \
	set shown_uids 5000=1000 set stored_uids 1000=5000
loads strip_bits "chmod 755 $VIEW/file && [ \$(stat -c %a $VIEW/file) = 644 ] && echo yes" \
	set strip_mask 0=06111
loads hermetic "in_group cat $VIEW/file >$TOP/out && counted hermetic_files" \
	set hermetic_cgroups 0="$group",1
loads ransom_brake "overwrite; refused 'not permitted' touch $VIEW/dir/new" \
	set brake_config 0=2,10000000000000,0
loads ns_view "[ \"\$(ls -A $VIEW)\" = dir ] && echo yes" \
	set view_of 0=0 set view_of "$(stat -Lc %i /proc/self/ns/mnt)"=7 set view_names 7,100,105,114
rmdir $GROUP
rm -rf "$TOP"
echo "1..$number"
exit $failed
