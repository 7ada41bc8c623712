#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# compare.sh A B [OPTION...]: did a change cost anything? Counts the instructions of
# each operation with the module, the command and the filters of two checkouts that
# are built (make module user), and prints what B needs, by what A needs. Options go
# to bench.py.
. "$(dirname "$0")/../vm/lib.sh"

PARTS=(module/fuse_bpf.ko tools/fuse-bpf bpf/noop.bpf.o bpf/examples/map_owners.bpf.o)

[ -n "${1:-}" ] && [ -n "${2:-}" ] || die "usage: make bench-compare A=CHECKOUT B=CHECKOUT"

# take NAME CHECKOUT: copy what is measured to where the guest sees it.
take() {
	local into=$TOP/build/bench/$1 part

	rm -rf "$into"
	for part in "${PARTS[@]}"; do
		[ -e "$2/build/$part" ] || die "$2/build/$part is missing; run there: make module user"
		mkdir -p "$(dirname "$into/$part")"
		cp "$2/build/$part" "$into/$part"
	done
}

take a "$1"
take b "$2"
shift 2
for build in a b; do
	"$TOP/selftests/bench/run.sh" count --columns native,backed,noop,uid_map \
		--build "/src/build/bench/$build" --name "compare-$build" "$@" >/dev/null
done
"$TOP/selftests/vm/enter.sh" selftests/bench/report.py --compare \
	build/bench/compare-a.json build/bench/compare-b.json
