#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# fuse-bpf stat --latency: how long operations take, while somebody asks and not else.
set -u
cd "$(dirname "$0")/../.." || exit 1
. selftests/harness/plain.sh
. selftests/harness/command.sh

TOP=$(mktemp -d /tmp/latency-XXXXXX)
VIEW=$TOP/view OTHER=$TOP/other BACK=$TOP/back
number=0 failed=0

run() {
	local good=0

	number=$((number + 1))
	ok mount "$BACK" "$VIEW" && "$2" || good=1
	ok umount "$VIEW" || good=1
	[ $good -eq 0 ] && echo "ok $number $1" || { failed=1 && echo "not ok $number $1"; }
}

# What is attached to the kernel's functions, by the name of its program
programs() { bpftool -j prog show | grep -o '"name":"operation"' | wc -l; }

# measure WORD...: begin in the background; sets $pid when it measures
measure() {
	"$FB" "$@" >"$TOP/measured" 2>"$TOP/stderr" &
	pid=$!
	for _ in {1..600}; do
		[ "$(bpftool -j link show | grep -c kprobe_multi)" -eq 0 ] || return 0
		kill -0 $pid 2>/dev/null || break
		sleep 0.1
	done
	echo "# $*: nothing is measured: $(cat "$TOP/stderr")" && return 1
}

# Twenty files made, listed, read and removed
work() {
	local i

	for i in {1..20}; do echo text >"$1/$i"; done
	ls "$1" >"$TOP/listed" && cat "$1"/* >"$TOP/read" && rm "$1"/[0-9]*
}

# ended SIGNAL: the command ends well when it is told to
ended() {
	kill -"$1" $pid
	wait $pid && [ ! -s "$TOP/stderr" ] && [ "$(programs)" -eq 0 ]
}

cannot() {
	fails 1 "needs a kernel with CONFIG_FPROBE" stat --latency "$VIEW" && [ "$(programs)" -eq 0 ]
}

usage() {
	fails 2 "MOUNTPOINT is missing" stat --latency || return
	"$FB" stat --prometheus --latency "$VIEW" 2>"$TOP/stderr"
	[ $? -eq 2 ] && grep -q 'says how long --latency measures' "$TOP/stderr" || return
	fails 1 "is on no FUSE mount" stat --latency "$BACK" || return
	plain_mount "$BACK" "$OTHER" || return
	fails 1 "is not backed" stat --latency "$OTHER" || return
	ok umount "$OTHER" && wait "$plain_pid" && [ "$(programs)" -eq 0 ]
}

# Only of that mount, and each operation once
counts() {
	local pid

	ok mount "$BACK" "$OTHER" && measure -j stat --latency "$VIEW" || return
	work "$OTHER" && work "$VIEW" && ended INT && ok umount "$OTHER" || return
	out=$(cat "$TOP/measured")
	is '[(x["name"], x["count"]) for x in d["latencies"] if x["name"] in ("UNLINK", "WRITE", "CREATE")]' \
		"[('UNLINK', 20), ('WRITE', 20), ('CREATE', 20)]" || return
	is 'all(sum(b["count"] for b in x["buckets"]) == x["count"] for x in d["latencies"])' || return
	is 'all(b["below_ns"] == 2 * b["from_ns"] for x in d["latencies"] for b in x["buckets"])' || return
	is 'all(sum(b["from_ns"] * b["count"] for b in x["buckets"]) <= x["total_ns"] <
		sum(b["below_ns"] * b["count"] for b in x["buckets"]) for x in d["latencies"])' || return
	is '{"LOOKUP", "OPEN", "READ", "READDIR", "GETATTR"} - {x["name"] for x in d["latencies"]}' 'set()' || return
	# What is said to be missing is
	is '[f for f in d["not_measured"] if f" {f}\t" in open("/proc/kallsyms").read()]' '[]'
}

again() {
	local pid i

	measure -j stat -i 1 --latency "$VIEW" || return
	work "$VIEW"
	for ((i = 0; i < 600; i++)); do
		[ "$(wc -l <"$TOP/measured")" -lt 2 ] || break
		sleep 0.1
	done
	# The mount is not held meanwhile, and whoever asks for one that is gone hears of it
	until umount "$VIEW" 2>/dev/null; do sleep 0.1; done
	wait $pid && return 1
	[ "$(programs)" -eq 0 ] && ok mount "$BACK" "$VIEW" || return
	python3 -c '
import json, sys
docs = [json.loads(line) for line in open(sys.argv[1])]
assert len(docs) >= 3 and "latencies" in docs[0] and "latencies" in docs[1] and "error" in docs[-1]
' "$TOP/measured"
}

for_people() {
	local pid

	measure stat --latency "$VIEW" && work "$VIEW" && ended TERM || return
	grep -q '^UNLINK: 20, [0-9]* ns on average$' "$TOP/measured" &&
		grep -Eq '^ +[0-9]+ (ns|us) \.\. [0-9]+ (ns|us|ms) +[0-9]+ \|\*{40}$' "$TOP/measured"
}

# Cumulative, up to all; the sum between what the buckets allow
metrics() {
	local pid

	# Whoever interrupts it does not want to wait for the end
	measure stat --prometheus --latency -i 600 "$VIEW" && work "$VIEW" && ended INT || return
	python3 -c '
import re, sys
name = "fuse_bpf_latency_seconds"
text = open(sys.argv[1]).read()
assert text.count(f"# TYPE {name} histogram\n") == 1
rows = re.findall(name + r"_(bucket|sum|count)\{mountpoint=\"[^\"]*\",opcode=\"UNLINK\"(?:,le=\"([^\"]+)\")?\} (\S+)\n", text)
buckets = [(float(le), int(n)) for kind, le, n in rows if kind == "bucket"]
total = [int(n) for kind, le, n in rows if kind == "count"]
spent = [float(n) for kind, le, n in rows if kind == "sum"]
assert buckets == sorted(buckets) and buckets[-1] == (float("inf"), 20), buckets
assert [n for le, n in buckets] == sorted(n for le, n in buckets)
assert total == [20] and 0 < spent[0] <= 20 * buckets[-2][0], (total, spent)
assert "fuse_bpf_requests_total{" in text' "$TOP/measured"
}

without_privilege() {
	status=0
	out=$(setpriv --reuid=1000 --regid=1000 --clear-groups -- "$FB" -j stat --latency "$OTHER" 2>&1) || status=$?
	[ $status -eq 1 ] && is '"run as root" in d["error"]'
}

unprivileged() {
	local good=0

	ok mount "$BACK" "$OTHER" allow_other || return
	without_privilege || good=1
	ok umount "$OTHER" && return $good
}

mkdir "$VIEW" "$OTHER" "$BACK" && chmod 755 "$TOP" && echo text >"$BACK/file"
run tool.latency.usage usage
# The debug kernel has no fprobes
if [ "${FLAVOUR:-module}" = debug ]; then
	run tool.latency.cannot cannot
else
	run tool.latency.counts counts
	run tool.latency.again again
	run tool.latency.for_people for_people
	run tool.latency.metrics metrics
	run tool.latency.unprivileged unprivileged
fi
rm -rf "$TOP"
echo "1..$number"
exit $failed
