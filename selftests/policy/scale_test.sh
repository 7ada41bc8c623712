#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Policies as large as they may be, and trees of any size: 10,000 names in force, changed
# for others under load, read back, and mounts that take no longer for more files: FILES=N in
# the environment.
set -u
cd "$(dirname "$0")/../.." || exit 1
. selftests/harness/command.sh

PINS=/sys/fs/bpf/fuse-bpf
TOP=$(mktemp -d /tmp/scale-XXXXXX)
chmod 755 "$TOP"
VIEW=$TOP/view BACK=$TOP/back SMALL=$TOP/small
NAMES=10000 FILES=${FILES:-10000}
number=0 failed=0

run() {
	number=$((number + 1))
	"$2" && echo "ok $number $1" || { failed=1 && echo "not ok $number $1"; }
}

# write_policy FILE WORD ERRNO: 10,000 names that begin with WORD, and 40 patterns
write_policy() {
	python3 - "$@" $NAMES >"$1" <<-'END'
		import sys
		word, errno, names = sys.argv[2], sys.argv[3], int(sys.argv[4])
		exact = [f"{word}{i:05}" for i in range(names)]
		globs = [f"{word}{i:02}-*[{i % 10}]?.p" for i in range(40)]
		print("rules = (\n{ names = [" + ",\n".join(f'"{n}"' for n in exact + globs) + "];")
		print(f'action = "deny"; error = "{errno}"; ops = "lookup"; }},')
		print('{ names = "both"; action = "hide"; ops = "lookup"; } );')
	END
}

# says ERROR NAME...: what becomes of names that are looked up, of which none is there
says() {
	python3 - "$VIEW" "$@" <<-'END'
		import errno, os, sys
		for name in sys.argv[3:]:
		    try:
		        os.lstat(f"{sys.argv[1]}/{name}")
		        sys.exit(f"# {name} is there")
		    except OSError as e:
		        if errno.errorcode[e.errno] != sys.argv[2]:
		            sys.exit(f"# {name}: {errno.errorcode[e.errno]}, not {sys.argv[2]}")
	END
}

hits() { says "$2" "$1"{00000,00001,04999,09999} "$1"{00-0x,07-a7y,39--99}.p; }
misses() { says ENOENT "$1"{10000,0000,000001,} "x${1}00000" "$1"{00-1x.p,07-7y.pp,07-7yz.p,40-0x.p}; }

in_force() {
	ok mount "$BACK" "$VIEW" && ok policy load "$VIEW" "$TOP/a.conf" && is 'd["rules"]' $((NAMES + 41)) || return
	hits alpha EACCES && misses alpha && says ENOENT beta00000 both
}

# What the kernel's maps say is what the text is compiled to
read_back() {
	"$FB" -j policy compile "$TOP/a.conf" >"$TOP/compiled" && "$FB" -j policy show "$VIEW" >"$TOP/shown" || return
	python3 - "$TOP/compiled" "$TOP/shown" $((NAMES + 41)) <<-'END'
		import json, sys
		keys = ("rule", "line", "label", "action", "subtree", "ops", "text")
		want, got = ([{k: r[k] for k in keys} for r in json.load(open(f))["rules"]] for f in sys.argv[1:3])
		sys.exit(0 if got == want and len(got) == int(sys.argv[3]) else "# the kernel has other rules")
	END
}

# A name that both policies hide must never be seen, and one of each always be refused
# by one of them, however often they change places
reloads_under_load() {
	local pid bad=0

	python3 - "$VIEW" "$TOP/go" >"$TOP/seen" <<-'END' &
		import errno, os, sys
		view, go, times = sys.argv[1], sys.argv[2], 0
		def err(name):
		    try:
		        os.lstat(f"{view}/{name}")
		    except OSError as e:
		        return e.errno
		while os.path.exists(go):
		    if err("both") != errno.ENOENT:
		        sys.exit("both was seen")
		    # Whichever is in force now has one of them, as no two changes are so fast
		    first, then, again = err("alpha00001"), err("beta00001"), err("alpha00001")
		    if first == again and first == errno.ENOENT and then != errno.EPERM:
		        sys.exit(f"nobody refused: {first} {then} {again}")
		    times += 1
		print(times)
	END
	pid=$!
	ok policy load "$VIEW" "$TOP/b.conf" && hits beta EPERM && ok policy load "$VIEW" "$TOP/a.conf" || bad=1
	rm "$TOP/go"
	wait $pid && [ "$(cat "$TOP/seen")" -gt 10 ] || bad=1
	hits alpha EACCES && misses alpha && return $bad
}

# refused WORDS FILE: one sentence, and what is in force stays
refused() {
	"$FB" policy load "$VIEW" "$2" >"$TOP/loaded" 2>"$TOP/stderr"
	[ $? -eq 1 ] && [ ! -s "$TOP/loaded" ] && [ "$(wc -l <"$TOP/stderr")" -eq 1 ] && grep -q "$1" "$TOP/stderr" ||
		{ cat "$TOP/stderr" && return 1; }
	says EACCES alpha00000 alpha00-0x.p && says ENOENT both beta00000 || return
	ok ls "$VIEW" && is 'len(d[0]["filters"])' 1
}

too_large() {
	python3 -c 'print("rules = ( { names = [" + ",".join(f"\"n{i}\"" for i in range(32769)) + "]; action = \"hide\"; } );")' >"$TOP/c.conf"
	refused "larger than the filter's tables" "$TOP/c.conf" || return
	python3 -c 'print("rules = ( { names = [" + ",".join(f"\"n{i:04}*x?\"" for i in range(1025)) + "]; action = \"hide\"; } );")' >"$TOP/c.conf"
	refused "no more than 1024 rules with an automaton" "$TOP/c.conf"
}

# What a mount asks of the kernel: names of calls, in their order, but for the reading of
# files, which those are that say what types the kernel has
calls_of_mount() {
	strace -f --seccomp-bpf -e "trace=!read" -o "$TOP/trace" -- "$FB" -j mount "$1" "$VIEW" policy "$TOP/small.conf" >"$TOP/mounted" || return
	sed -n 's/^[0-9]* *\([a-z_0-9]*\)(.*/\1/p' "$TOP/trace" >"$2"
}

# The kernel counts what its own part of it asks of the tree
constant_time() {
	local total

	printf 'rules = ( { names = ["*.pem", "id_rsa*", ".env"]; action = "hide"; ops = "lookup"; },
		{ under = "dir"; action = "deny"; ops = "CREATE"; } );' >"$TOP/small.conf"
	ok umount "$VIEW" && mkdir -p "$SMALL/dir" "$BACK/dir" && touch "$SMALL"/{0..9} || return
	python3 -c '
import os, sys
for d in range(100):
    os.mkdir(f"{sys.argv[1]}/{d}")
    for i in range(int(sys.argv[2]) // 100):
        os.mknod(f"{sys.argv[1]}/{d}/{i}")' "$BACK" $FILES || return
	calls_of_mount "$SMALL" "$TOP/calls-small" && ok stat "$VIEW" && total=$(total) && ok umount "$VIEW" || return
	calls_of_mount "$BACK" "$TOP/calls-big" && ok stat "$VIEW" && is 'd["total"]["backing"]' "$total" || return
	[ "$(wc -l <"$TOP/calls-small")" -gt 50 ] && diff "$TOP/calls-small" "$TOP/calls-big" || return
	is '[o["name"] for o in d["ops"] if o["name"].startswith("READDIR")]' '[]'
}

total() { python3 -c 'import json, sys; print(json.loads(sys.argv[1])["total"]["backing"])' "$out"; }

mkdir "$VIEW" "$BACK" "$SMALL"
mount -t tmpfs -o nr_inodes=0 tmpfs "$BACK"
echo text | tee "$BACK/both" >"$BACK/file"
write_policy "$TOP/a.conf" alpha EACCES
write_policy "$TOP/b.conf" beta EPERM
: >"$TOP/go"
run policy.scale.in_force in_force
run policy.scale.read_back read_back
run policy.scale.reloads_under_load reloads_under_load
run policy.scale.too_large too_large
run policy.scale.constant_time constant_time
mountpoint -q "$VIEW" && umount "$VIEW"
rm -f $PINS/*
umount "$BACK"
rm -rf "$TOP"
echo "1..$number"
exit $failed
