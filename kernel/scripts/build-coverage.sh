#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# build-coverage.sh: build/coverage/fuse_bpf.ko, the module with counters for gcov in our
# own files. Counters that were read of another build are of no use, and are removed.
. "$(dirname "$0")/common.sh"
enter "$@"

OUT=$TOP/build/coverage
KBUILD=/lib/modules/$KERNEL_ABI-$KERNEL_FLAVOUR/build
LOG=$TOP/build/coverage.log

"$KERNEL/scripts/build-module.sh"
sources=("$TOP"/build/module/*.[ch] "$TOP/build/module/include" "$KERNEL/coverage")
key=$(digest "${sources[@]}" "$TOP/build/module/Kbuild" "$TOP/build/module/Makefile.fuse")
if [ "$(cat "$OUT/key" 2>/dev/null)" = "$key" ]; then
	say "build/coverage/fuse_bpf.ko is ready"
	exit
fi

rm -rf "$OUT"
mkdir -p "$OUT"
cp -r "${sources[@]:0:${#sources[@]}-1}" "$TOP/build/module/Makefile.fuse" "$OUT/"
cp "$KERNEL"/coverage/*.[ch] "$OUT/"
cp "$TOP/build/module/Kbuild" "$OUT/Kbuild.module"
cp "$KERNEL/coverage/Kbuild" "$OUT/Kbuild"
rm -f "$OUT"/*.mod.c
make -C "$KBUILD" M="$OUT" -j"$J" modules >"$LOG" 2>&1 || {
	grep -E -A6 'error|Error' "$LOG" | head -n 40 >&2
	die "the module does not build; see build/coverage.log"
}
echo "$key" >"$OUT/key"
say "build/coverage/fuse_bpf.ko is ready"
