#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# build-module.sh: the module flavour, build/module/fuse_bpf.ko, for Debian's
# stock kernel. Takes seconds; does nothing when the result is up to date.
. "$(dirname "$0")/common.sh"
enter "$@"

SRC=$TOP/build/module-src
OUT=$TOP/build/module
KBUILD=/lib/modules/$KERNEL_ABI-$KERNEL_FLAVOUR/build
LOG=$TOP/build/module.log

[ -e "$KBUILD/vmlinux" ] || die "$KBUILD has no vmlinux: the module would have no BTF, and filters need it"

# sync FROM TO: copy what differs, so that make sees only that as new
sync_file() { cmp -s "$1" "$2" || cp "$1" "$2"; }

lay_out() {
	local file

	mkdir -p "$OUT/include/uapi/linux" "$OUT/include/linux"
	for file in "$SRC"/fs/fuse/*.[ch]; do
		case ${file##*/} in cuse.c|virtio_fs.c|names.h) continue ;; esac
		sync_file "$file" "$OUT/${file##*/}"
	done
	for file in $(added | sed -n '/^include\//p'); do
		sync_file "$SRC/$file" "$OUT/$file"
	done
	sync_file "$KERNEL/module/names.h" "$OUT/names.h"
	sync_file "$KERNEL/module/Kbuild" "$OUT/Kbuild"
	sed -n '/^fuse-/p' "$SRC/fs/fuse/Makefile" >"$OUT/Makefile.fuse.new"
	sync_file "$OUT/Makefile.fuse.new" "$OUT/Makefile.fuse"
	rm "$OUT/Makefile.fuse.new"
}

"$KERNEL/scripts/prepare.sh" --only fs/fuse,include/uapi/linux,include/linux "$SRC"
lay_out
make -C "$KBUILD" M="$OUT" -j"$J" "$@" modules >"$LOG" 2>&1 || {
	grep -E -A6 'error|Error' "$LOG" | head -n 40 >&2
	die "the module does not build; see build/module.log"
}
! grep -E -A6 'warning' "$LOG" >&2 || die "the module builds with warnings; see build/module.log"
! grep -q 'Skipping BTF' "$LOG" || die "the module got no BTF; see build/module.log"
say "build/module/fuse_bpf.ko is ready"
