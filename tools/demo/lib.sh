# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What the demos share: showing commands, checking claims. Sourced, never run.

FLAVOUR=${FLAVOUR:-module}
BUILD=/src/build
FB="$BUILD/tools/fuse-bpf"
DISK=/mnt/disk TREE=/mnt/disk/linux VIEW=/mnt/view
ALICE=1000 BOB=1001
SECRETS=(-name .env -o -name '*.pem' -o -name id_rsa)
failed=0
claims=()

title() { printf '\n=== %s\n' "$*"; }
note() { printf '    %s\n' "$*"; }
as() { setpriv --reuid="$1" --regid="$1" --clear-groups -- "${@:2}"; }

# show CMD...: print a command as one would type it, and run it
show() { printf '  $ %s\n' "$*"; "$@" 2>&1 | sed 's/^/    /'; }
show_as() { printf '  %s$ %s\n' "$1" "${*:3}"; as "$2" "${@:3}" 2>&1 | sed 's/^/    /'; }

# claim TEXT GOT WANTED
claim() {
	if [ "$2" = "$3" ]; then
		claims+=("yes  $1")
	else
		claims+=("NO   $1 (got '$2', not '$3')")
		failed=1
	fi
}

# total of a column of "fuse-bpf stat"
total() { "$FB" -j stat "$VIEW" | grep -o "\"total\":{[^}]*}" | grep -o "\"$1\":[0-9]*" | cut -d: -f2; }

lay_out() {
	mkdir -p "$DISK" "$VIEW"
	mount -o ro /dev/vda "$DISK" || exit 1
	mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
}

summary() {
	title "Summary"
	printf '  %s\n' "${claims[@]}"
	[ $failed -eq 0 ] && printf '\n  All of it held.\n' || printf '\n  NOT all of it held.\n'
}
