#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Build the debug kernel: the in-tree flavour with the kernel's checkers on.
# Prints the directory of the result, which is kept by content; the work tree
# stays, so that a change of the series recompiles fs/fuse and links.
# With --where it only prints, and builds nothing.
. "$(dirname "$0")/common.sh"

src=$CACHE/debug-src
obj=$CACHE/debug-obj
log=$CACHE/build-debug.log

key=$({ digest kernel/BASE kernel/series kernel/patches kernel/files kernel/config \
	kernel/scripts/build-debug.sh; echo "${KERNEL_SRC:-}"; } | sha256sum | cut -c1-16)
out=$CACHE/debug-$key

if [ "${1:-}" = --where ]; then
	echo "$out"
	exit
elif [ -z "${FUSE_BPF_INSIDE:-}" ]; then
	[ -e "$out/bzImage" ] || "$TOP/selftests/vm/enter.sh" /src/kernel/scripts/build-debug.sh >/dev/null
	echo "$out"
	exit
fi

# A line every 15 s, for those who wait and for CI's watchdogs.
progress() {
	local total=$1 start=$SECONDS

	while sleep 15; do
		say "$((SECONDS - start)) s: $(find "$obj" -name '*.o' -newer "$obj/.started" | wc -l) objects compiled (from nothing: about $total)"
	done
}

build() {
	local pid start=$SECONDS

	[ ! -e "$out/bzImage" ] || return 0
	need_space "$CACHE" 10
	"$KERNEL/scripts/prepare.sh" "$src"
	mkdir -p "$obj"
	configure >"$log" 2>&1 || {
		tail -n 5 "$log" >&2
		die "cannot configure the debug kernel; log: $log"
	}
	say "building the debug kernel (from nothing: about 10 minutes on 2 CPUs; log: $log)"
	touch "$obj/.started"
	progress 1800 &
	pid=$!
	# shellcheck disable=SC2064
	trap "kill $pid 2>/dev/null" EXIT
	kmake bzImage >>"$log" 2>&1 || {
		grep -E 'error|Error' "$log" | head -n 10 >&2 || :
		die "the debug kernel does not build; log: $log"
	}
	rm -rf "$out.part"
	mkdir "$out.part"
	cp "$obj/arch/x86/boot/bzImage" "$obj/System.map" "$out.part/"
	cp "$obj/.config" "$out.part/config"
	strip -g -o "$out.part/vmlinux" "$obj/vmlinux"
	mv "$out.part" "$out"
	# Of older results keep a few, to go back and forth between two states.
	find "$CACHE" -maxdepth 1 -name 'debug-????????????????' -printf '%T@ %p\n' | sort -rn |
		awk 'NR > 6 { print $2 }' | xargs -r rm -rf
	say "built in $((SECONDS - start)) s"
}

locked debug build
