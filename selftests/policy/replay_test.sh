#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# fuse-bpf record, replay: what is recorded of what people do, and what other rules would
# have said of it, which must be what they say when they are in force.
set -u
cd "$(dirname "$0")/../.." || exit 1
. selftests/harness/plain.sh
. selftests/harness/command.sh

PINS=/sys/fs/bpf/fuse-bpf
TOP=$(mktemp -d /tmp/replay-XXXXXX)
chmod 755 "$TOP"
VIEW=$TOP/view BACK=$TOP/back OTHER=$TOP/other REC=$TOP/recording
GROUP=/sys/fs/cgroup/replay
export VIEW
number=0 failed=0

OLD='{ names = ".env"; action = "hide"; not_uid = 0; }, { names = "*.key"; action = "deny"; uid = 1000; }'
NEW='{ names = "*.pem"; action = "hide"; },
     { under = "dir"; action = "read-only"; uid = 1000; },
     { names = "sub"; type = "dir"; action = "deny"; error = "EPERM"; uid = 1000; },
     { file = "file"; action = "deny"; ops = "OPEN_WRITE"; }'

lay_out() {
	mkdir -p "$BACK/dir/sub" "$BACK/plain" "$VIEW" "$OTHER"
	for name in file .env a.pem dir/file dir/sub/deep plain/file; do
		echo text >"$BACK/$name"
	done
	ln -s file "$BACK/link"
	ln "$BACK/file" "$BACK/plain/hard"
	chmod -R a+rwX "$BACK"
}

run() {
	local good=0

	number=$((number + 1))
	lay_out
	ok mount "$BACK" "$VIEW" allow_other && "$2" || good=1
	ok umount "$VIEW" || good=1
	rm -rf "$BACK"
	[ -z "$(ls $PINS 2>/dev/null)" ] && [ -z "$(ls -d /tmp/fuse-bpf-replay-* 2>/dev/null)" ] || good=1
	[ $good -eq 0 ] && echo "ok $number $1" || { failed=1 && echo "not ok $number $1"; }
}

policy() { printf 'rules = ( %s );' "$2" >"$TOP/$1.conf"; }
load() { policy "$1" "$2" && ok policy load "$VIEW" "$TOP/$1.conf"; }

# What somebody does, in as many ways as there are; much of it fails
cat >"$TOP/work" <<'END'
import os, sys
os.umask(0)
os.chdir(sys.argv[1])
def do(call, *args):
    try:
        return call(*args)
    except OSError:
        return None
def opened(path, flags, *then):
    fd = do(os.open, path, flags, 0o644)
    if fd is not None:
        for call, *args in then:
            do(call, fd, *args)
        os.close(fd)
READ, WRITE = (os.read, 4), (os.write, b"x")
opened("file", os.O_RDONLY, READ)
opened("file", os.O_RDWR, WRITE, (os.fsync,))
opened(".env", os.O_RDONLY, READ)
opened("a.pem", os.O_RDONLY, READ)
opened("dir/file", os.O_WRONLY | os.O_APPEND, WRITE, (os.ftruncate, 1))
opened("dir/sub/deep", os.O_RDONLY, READ)
opened("plain/hard", os.O_WRONLY, WRITE)
for new in ("new", "new.pem", "new.key", ".env2", "dir/new", "plain/new"):
    opened(new, os.O_CREAT | os.O_WRONLY, WRITE)
    do(os.mkdir, new + ".d")
    do(os.symlink, "x", new + ".l")
    do(os.mkfifo, new + ".f")
    do(os.link, "file", new + ".h")
    do(os.rename, new, new + ".r")
    for gone in ("", ".l", ".f", ".h", ".r"):
        do(os.unlink, new + gone)
    do(os.rmdir, new + ".d")
for path in (".", "dir", "plain", "dir/sub"):
    do(os.listdir, path)
do(os.rename, "plain/file", "plain/x.pem")
do(os.readlink, "link")
do(os.chmod, "dir/file", 0o600)
do(os.utime, "file")
do(os.access, "file", os.W_OK)
do(os.statvfs, ".")
do(os.setxattr, "file", "user.a", b"1")
do(os.getxattr, "file", "user.a")
do(os.listxattr, "dir/file")
do(os.removexattr, "file", "user.a")
END

WORK=(setpriv --reuid=1000 --regid=1000 --clear-groups -- python3 "$TOP/work" "$VIEW")

# record FILE COMMAND...: what that does on the mount
record() { ok record "$VIEW" "$1" -- sh -c 'exec "$@" >/dev/null' sh "${@:2}" && is '(d["lost"], d["full"], d["command_status"])' '(0, False, 0)'; }

# replayed STATUS WORD...: replay, with that exit status and nothing on the standard error
replayed() {
	fb replay "$REC" "${@:2}"
	[ $status -eq "$1" ] && [ ! -s "$TOP/stderr" ] || { echo "# replay ${*:2}: exit $status, $out" && return 1; }
}

usage() {
	fails 2 "MOUNTPOINT is missing" record || return
	fails 2 "RECORDING is missing" record "$VIEW" || return
	fails 2 "COMMAND is missing" record "$VIEW" "$REC" -- || return
	fails 2 "is no number from 1 to" record "$VIEW" "$REC" limit 0 || return
	fails 1 "is on no FUSE mount" record "$BACK" "$REC" || return
	fails 1 "cannot write" record "$VIEW" "$TOP/none/file" || return
	plain_mount "$BACK" "$OTHER" && fails 1 "is not backed" record "$OTHER" "$REC" || return
	ok umount "$OTHER" && wait "$plain_pid" || return
	policy old "$OLD"
	fails 2 "RECORDING is missing" replay || return
	fails 2 "policy FILE or filter FILE is missing" replay "$REC" || return
	fails 1 "No such file" replay "$TOP/none" policy "$TOP/old.conf" || return
	fails 1 "is no recording" replay "$TOP/old.conf" policy "$TOP/old.conf" || return
	: >"$TOP/bad" && fails 1 "is no recording" replay "$TOP/bad" policy "$TOP/old.conf" || return
	echo '{"fuse_bpf_recording":2}' >"$TOP/bad"
	fails 1 "of a version that" replay "$TOP/bad" policy "$TOP/old.conf" || return
	while IFS= read -r line; do
		printf '{"fuse_bpf_recording":1}\n%s\n' "$line" >"$TOP/bad"
		fails 1 "bad:2: that is no line" replay "$TOP/bad" policy "$TOP/old.conf" || return
	done <<-'END'
		[]
		{"op":"NONSENSE","verdict":"pass"}
		{"op":"LOOKUP","parent":1,"name":"a"}
		{"op":"LOOKUP","parent":1,"name":"../../etc","verdict":"pass"}
		{"op":"LOOKUP","parent":1,"name":"a","verdict":"pass","name_hex":"2f65"}
		{"node":5,"parent":1,"name":"..","mode":16384}
	END
}

# The same rules say the same, and nothing is done; what is foretold of others comes to
# pass when they are in force
foretells() {
	local before

	load old "$OLD" && record "$REC" "${WORK[@]}" || return
	before=$(find "$BACK" -printf '%P %y %i %s %C@\n' | sort)
	replayed 0 policy "$TOP/old.conf" && is 'd["differences"]' '[]' || return
	is '(d["cut_short"], d["lost"], d["elsewhere"])' '(False, 0, 0)' || return
	is 'set(d["not_replayed"]) <= {"FLUSH", "RELEASE", "RELEASEDIR"} or d["not_replayed"]' || return
	is 'd["replayed"] > 100 and d["replayed"] + sum(d["not_replayed"].values()) == d["requests"]' || return
	policy new "$NEW" && replayed 3 policy "$TOP/new.conf" && echo "$out" >"$TOP/foretold" || return
	[ "$(find "$BACK" -printf '%P %y %i %s %C@\n' | sort)" = "$before" ] || return
	rm -rf "${BACK:?}"/* && lay_out
	is 'all(x["after"].get("rule") for x in d["differences"] if x["after"]["verdict"] != "pass")' || return
	is 'next((x["before"]["verdict"], x["after"]["verdict"], x["after"]["rule"]["line"]) for x in d["differences"]
		if x["op"] == "LOOKUP" and x["path"] == "a.pem")' "('pass', 'ENOENT', 1)" || return
	is 'next((x["before"], x["after"]) for x in d["differences"] if x["op"] == "LOOKUP" and x["path"] == ".env")' \
		"({'verdict': 'ENOENT', 'filter': 'policy.1'}, {'verdict': 'pass', 'filter': None})" || return
	load new "$NEW" && record "$TOP/really" "${WORK[@]}" || return
	python3 - "$REC" "$TOP/really" "$TOP/foretold" <<-'END'
		import json, sys
		# Who asks for what, by path; what one tree has not seen, it cannot compare
		def requests(file):
		    paths, seen = {1: ""}, {}
		    for line in map(json.loads, open(file)):
		        if "node" in line and "op" not in line and line["parent"] in paths:
		            paths.setdefault(line["node"], f"{paths[line['parent']]}{line['name']}/")
		        if "op" not in line:
		            continue
		        at = paths.get(line.get("parent", line.get("node")), "?/") + line.get("name", "")
		        seen.setdefault((line["op"], at.rstrip("/") or "."), set()).add(line["verdict"])
		    return seen
		old, new = requests(sys.argv[1]), requests(sys.argv[2])
		told = {}
		for x in json.load(open(sys.argv[3]))["differences"]:
		    told.setdefault((x["op"], x["path"]), set()).add(x["after"]["verdict"])
		both = {key for key in old.keys() & new.keys() if len(old[key]) == len(new[key]) == 1}
		really = {key: new[key] for key in both if old[key] != new[key]}
		assert len(really) > 10, really
		for key in both:
		    assert told.get(key, old[key]) == new[key], (key, old[key], told.get(key), new[key])
	END
}

# Filters of any kind, with what is set in their maps; for people
other_filters() {
	record "$REC" python3 "$TOP/work" "$VIEW" || return
	replayed 3 filter build/bpf/hide.bpf.o set hide_names file && is '{x["after"]["filter"] for x in d["differences"]}' \
		"{'hide'}" || return
	is '{x["path"].split("/")[-1] for x in d["differences"]}' "{'file'}" || return
	"$FB" replay "$REC" filter build/bpf/route.bpf.o set daemon_names file >"$TOP/text"
	[ $? -eq 3 ] && grep -q '^LOOKUP file uid 0 (python3): pass -> daemon$' "$TOP/text" &&
		grep -Eq '^[0-9]+ requests replayed, [1-9][0-9]* verdicts differ$' "$TOP/text" || return
	fails 1 "the kernel refused program" replay "$REC" filter build/bpf/fail/name_overrun.bpf.o
}

odd_names() {
	local odd=$'\xff"\\\nname'

	touch "$BACK/$odd" && record "$REC" cat "$VIEW/$odd" "$VIEW/file" || return
	replayed 3 filter build/bpf/hide.bpf.o set hide_names "$odd" || return
	is '[x["op"] for x in d["differences"]]' "['LOOKUP']"
}

bounded() {
	# shellcheck disable=SC2016
	record "$REC" bash -c 'for i in {1..300}; do [ -e "$VIEW/file" ] && [ ! -e "$VIEW/none" ]; done' || return
	is 'd["repeated"] > 500 and d["requests"] < 30' && [ "$(stat -c %a "$REC")" = 600 ] || return
	# Cut short in the middle of a line
	head -c -20 "$REC" >"$TOP/short" && REC=$TOP/short replayed 0 filter build/bpf/hide.bpf.o && is 'd["cut_short"]' || return
	ok record "$VIEW" "$REC" limit 5 -- sh -c 'ls -l "$VIEW" >/dev/null' && is '(d["requests"], d["full"])' '(5, True)' || return
	[ "$(grep -c '"op"' "$REC")" -eq 5 ] && tail -n 1 "$REC" | grep -q '"full":true'
}

# recorders: how many filters of that name are attached, and alive
recorders() { is 'sum(f["name"] == "recorder" and not f["dead"] for m in d for f in m["filters"])' "$1"; }

one_at_a_time() {
	local pid i

	"$FB" record "$VIEW" "$REC" >"$TOP/text" 2>&1 &
	pid=$!
	for ((i = 0; i < 600; i++)); do
		! { ok ls "$VIEW" && recorders 1 >"$TOP/said"; } || break
		sleep 0.1
	done
	fails 1 "somebody else is recording" record "$VIEW" "$TOP/second" || return
	kill -KILL $pid && wait $pid 2>/dev/null
	# Whoever is killed takes nobody with him, and the next one tidies up
	for ((i = 0; i < 600; i++)); do
		! { ok ls "$VIEW" && recorders 0 >"$TOP/said"; } || break
		sleep 0.1
	done
	cat "$VIEW/file" >"$TOP/read" || return
	# Interrupted, it is whole
	"$FB" -j record "$VIEW" "$REC" >"$TOP/text" 2>&1 &
	pid=$!
	for ((i = 0; i < 600; i++)); do
		! { ok ls "$VIEW" && recorders 1 >"$TOP/said"; } || break
		sleep 0.1
	done
	cat "$VIEW/file" >"$TOP/read" && kill -INT $pid && wait $pid && tail -n 1 "$REC" | grep -q '"end":true' &&
		grep -q '"op":"READ"' "$REC" && ok ls "$VIEW" && is 'd[0]["filters"]' '[]'
}

cgroups() {
	local good=0

	mkdir "$GROUP" || return
	policy group '{ names = "file"; action = "hide"; ops = "lookup"; cgroup = "replay"; },
		{ names = ".env"; action = "hide"; ops = "lookup"; }'
	# shellcheck disable=SC2016
	record "$REC" bash -c 'cat "$VIEW/file"; echo $$ >'$GROUP'/cgroup.procs && exec cat "$VIEW/file" "$VIEW/.env"' || good=1
	for _ in {1..600}; do [ -n "$(cat $GROUP/cgroup.procs)" ] || break; sleep 0.1; done
	replayed 3 policy "$TOP/group.conf" || good=1
	is '[(x["path"], x["cgroup"]) for x in d["differences"]]' "[('file', 'replay'), ('.env', 'replay')]" || good=1
	for _ in {1..600}; do rmdir $GROUP 2>/dev/null && break; sleep 0.1; done
	policy group '{ names = ".env"; action = "hide"; ops = "lookup"; }'
	replayed 3 policy "$TOP/group.conf" || good=1
	is '([x["path"] for x in d["differences"]], d["elsewhere"] > 0)' "(['.env'], True)" || good=1
	return $good
}

unprivileged() {
	status=0
	out=$(setpriv --reuid=1000 --regid=1000 --clear-groups -- "$FB" -j record "$VIEW" "$TOP/mine" 2>&1) || status=$?
	[ $status -eq 1 ] && is 'd["error"] != ""' || return
	echo '{"fuse_bpf_recording":1}' >"$TOP/empty" && policy old "$OLD" || return
	status=0
	out=$(setpriv --reuid=1000 --regid=1000 --clear-groups -- "$FB" -j replay "$TOP/empty" policy "$TOP/old.conf" 2>&1) || status=$?
	[ $status -eq 1 ] && is '"run as root" in d["error"]'
}

mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
mountpoint -q /sys/fs/cgroup || mount -t cgroup2 none /sys/fs/cgroup
run policy.replay.usage usage
run policy.replay.foretells foretells
run policy.replay.other_filters other_filters
run policy.replay.odd_names odd_names
run policy.replay.bounded bounded
run policy.replay.one_at_a_time one_at_a_time
run policy.replay.cgroups cgroups
run policy.replay.unprivileged unprivileged
rm -rf "$TOP"
echo "1..$number"
exit $failed
